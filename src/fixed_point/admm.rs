//! The alternating direction method of multipliers.
//!
//! Source: Boyd et al., *Found. Trends Mach. Learn.* 3, 1 (2011), sections 3.1–3.4; over-relaxation:
//! Eckstein and Bertsekas, *Math. Program.* 55, 293 (1992).

use super::FixedPointMap;
use crate::error::{Error, Result, check_positive, check_scalar};
use crate::linalg::dispatch;
use crate::prox::{Prox, check_dimension};
use crate::real::Real;

/// One half of a split problem, min f(x) + h(M x): f and the linear map M, known by the minimiser of f plus
/// a quadratic.
///
/// With M = 1 this is the proximal operator of f, and all that [`DouglasRachford`](super::DouglasRachford)
/// asks for. Allocates nothing in a call.
pub trait AugmentedMinimizer<T: Real> {
    /// The lengths of x and of M x.
    fn shape(&self) -> (usize, usize);

    /// Writes x = argmin f(x) + (ρ/2)‖M x − v‖² and M x.
    ///
    /// # Panics
    /// If a slice has another length than [`shape`](Self::shape) says.
    fn minimise(&mut self, rho: T, v: &[T], x: &mut [T], mx: &mut [T]);

    /// Writes Mᵀ y; where x is bound by equations, its part along them.
    ///
    /// # Panics
    /// As [`minimise`](Self::minimise).
    fn adjoint(&mut self, y: &[T], out: &mut [T]);

    /// The natural size of a gradient of f, which dual residuals are measured by: ‖∇f(0)‖₂ for example.
    fn gradient_scale(&self) -> T;
}

impl<T: Real, S: AugmentedMinimizer<T> + ?Sized> AugmentedMinimizer<T> for &mut S {
    fn shape(&self) -> (usize, usize) {
        (**self).shape()
    }
    fn minimise(&mut self, rho: T, v: &[T], x: &mut [T], mx: &mut [T]) {
        (**self).minimise(rho, v, x, mx);
    }
    fn adjoint(&mut self, y: &[T], out: &mut [T]) {
        (**self).adjoint(y, out);
    }
    fn gradient_scale(&self) -> T {
        (**self).gradient_scale()
    }
}

/// A step of the alternating direction method of multipliers for min f(x) + h(z), z = M x.
///
/// The map acts on (z, y), y the multiplier of M x = z:
///
/// ```text
/// x  = argmin f(x) + (ρ/2)‖M x − z + y/ρ‖²
/// z⁺ = prox_{h/ρ}(α M x + (1 − α) z + y/ρ)
/// y⁺ = y + ρ (α M x + (1 − α) z − z⁺)
/// ```
///
/// α in (0, 2), 1.6 unless set, is the over-relaxation. ρ is balanced: where the relative primal and dual
/// residuals differ by more than a factor 5, ρ is multiplied by the root of their ratio (10 at most), after
/// step 10 and then after ever longer intervals, so that it changes a finite number of times in effect and
/// convergence is that of a fixed ρ.
///
/// The residual is the larger of two: primal, ‖M x − z⁺‖ over the larger of ‖M x‖ and ‖z⁺‖; dual, the norm of
/// the subgradient ∇f(x) + Mᵀy⁺, y⁺ ∈ ∂h(z⁺), over [`gradient_scale`](AugmentedMinimizer::gradient_scale).
#[derive(Debug, Clone)]
pub struct Admm<S, P, T = f64> {
    step: S,
    prox: P,
    rho: T,
    relaxation: T,
    balanced: bool,
    iteration: usize,
    next_balance: usize,
    x: Vec<T>,
    mx: Vec<T>,
    /// Argument of the minimisation, then of the proximal operator, then of Mᵀ.
    argument: Vec<T>,
    subgradient: Vec<T>,
    primal: T,
    dual: T,
}

impl<S: AugmentedMinimizer<T>, P: Prox<T>, T: Real> Admm<S, P, T> {
    /// The method for f and M of `step` and h of `prox`, with ρ = 1 at first.
    ///
    /// # Errors
    /// A `prox` of vectors of another length than M x.
    pub fn new(step: S, prox: P) -> Result<Self> {
        let (n, m) = step.shape();
        check_dimension(&prox, m, "M x")?;
        Ok(Admm {
            step,
            prox,
            rho: T::one(),
            relaxation: T::lit(1.6),
            balanced: true,
            iteration: 0,
            next_balance: 10,
            x: vec![T::zero(); n],
            mx: vec![T::zero(); m],
            argument: vec![T::zero(); m],
            subgradient: vec![T::zero(); n],
            primal: T::INFINITY,
            dual: T::INFINITY,
        })
    }

    /// Another ρ to start from.
    ///
    /// # Errors
    /// `rho` not finite or not positive.
    pub fn with_rho(mut self, rho: T) -> Result<Self> {
        check_positive("rho", rho)?;
        self.rho = rho;
        Ok(self)
    }

    /// Another over-relaxation α.
    ///
    /// # Errors
    /// `relaxation` outside (0, 2).
    pub fn with_relaxation(mut self, relaxation: T) -> Result<Self> {
        check_scalar("relaxation", relaxation)?;
        if relaxation <= T::zero() || relaxation >= T::lit(2.0) {
            let expected = "a relaxation in (0, 2)";
            let value = relaxation.as_f64();
            return Err(Error::OutOfRange { argument: "relaxation", value, expected });
        }
        self.relaxation = relaxation;
        Ok(self)
    }

    /// Keeps ρ as it is.
    #[must_use]
    pub fn without_balancing(mut self) -> Self {
        self.balanced = false;
        self
    }

    /// ρ at present.
    pub fn rho(&self) -> T {
        self.rho
    }

    /// x of the last step; zero before the first.
    pub fn x(&self) -> &[T] {
        &self.x
    }

    /// Relative primal and dual residuals of the last step; infinite before the first.
    pub fn residuals(&self) -> (T, T) {
        (self.primal, self.dual)
    }

    /// Multiplies ρ by √(primal/dual) if it is time and they differ.
    fn balance(&mut self) {
        self.iteration += 1;
        if !self.balanced || self.iteration < self.next_balance {
            return;
        }
        self.next_balance = self.iteration + self.iteration / 2;
        let ratio = self.primal / self.dual;
        if ratio.is_finite() && ratio > T::zero() && (ratio > T::lit(5.0) || ratio < T::lit(0.2)) {
            self.rho *= ratio.sqrt().min(T::lit(10.0)).max(T::lit(0.1));
        }
    }
}

/// a/b, and 0/0 = 0.
pub(super) fn ratio<T: Real>(a: T, b: T) -> T {
    if a == T::zero() { T::zero() } else { a / b }
}

pub(super) fn norm<T: Real>(x: &[T]) -> T {
    x.iter().map(|&v| v * v).sum::<T>().sqrt()
}

impl<S: AugmentedMinimizer<T>, P: Prox<T>, T: Real> FixedPointMap<T> for Admm<S, P, T> {
    fn dim(&self) -> usize {
        2 * self.mx.len()
    }

    fn step(&mut self, state: &[T], out: &mut [T]) {
        let m = self.mx.len();
        let ((z, y), (z_new, y_new)) = (state.split_at(m), out.split_at_mut(m));
        let (rho, alpha) = (self.rho, self.relaxation);
        let (inverse, rest) = (T::one() / rho, T::one() - alpha);
        let argument = &mut self.argument;
        dispatch(|| {
            for i in 0..m {
                argument[i] = z[i] - y[i] * inverse;
            }
        });
        self.step.minimise(rho, argument, &mut self.x, &mut self.mx);
        let mx = &self.mx;
        dispatch(|| {
            for i in 0..m {
                argument[i] = alpha * mx[i] + rest * z[i] + y[i] * inverse;
            }
        });
        self.prox.prox_into(argument, inverse, z_new);
        // ∇f(x) = −Mᵀ(y + ρ(M x − z)) exactly.
        dispatch(|| {
            for i in 0..m {
                y_new[i] = rho * (argument[i] - z_new[i]);
                argument[i] = y_new[i] - y[i] - rho * (mx[i] - z[i]);
            }
        });
        self.step.adjoint(argument, &mut self.subgradient);
        let distance = super::distance(mx, z_new);
        self.primal = ratio(distance, norm(mx).max(norm(z_new)));
        self.dual = ratio(norm(&self.subgradient), self.step.gradient_scale());
        self.balance();
    }

    fn residual(&self, _state: &[T], _out: &[T]) -> T {
        self.primal.max(self.dual)
    }
}
