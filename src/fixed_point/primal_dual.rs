//! The primal–dual hybrid gradient of Chambolle and Pock.
//!
//! Source: *J. Math. Imaging Vis.* 40, 120 (2011), algorithm 1 with θ = 1; preconditioned form and residuals:
//! He and Yuan, *SIAM J. Imaging Sci.* 5, 119 (2012).

use super::FixedPointMap;
use crate::error::{Error, Result, check_finite, check_nonnegative, check_positive, check_scalar};
use crate::linalg::{dispatch, squared_norm_bound};
use crate::operator::LinearOperator;
use crate::prox::{Prox, check_dimension};
use crate::real::Real;
use nalgebra::DMatrix;

/// A step for min f(x) + h(K x) with any f and h that have proximal operators:
///
/// ```text
/// x⁺ = prox_{τf}(x − τ Kᵀy)
/// y⁺ = prox_{σh*}(y + σ K(2x⁺ − x)),   prox_{σh*}(v) = v − σ prox_{h/σ}(v/σ)
/// ```
///
/// The map acts on (x, y), y the multiplier of h; it needs τσ‖K‖² < 1, and takes τ = 0.99 w/‖K‖,
/// σ = 0.99/(w‖K‖), the weight w being 1 unless set: the size of x over that of y. No system is solved, so
/// that it serves where [`Admm`](super::Admm) cannot; constraints on K x such as ‖g − K x‖ ≤ ε are its field.
///
/// The residual is the larger of ‖(x − x⁺)/τ − Kᵀ(y − y⁺)‖₂ and ‖(y − y⁺)/σ − K(x − x⁺)‖₂: the first is a
/// subgradient of f + ⟨K·, y⁺⟩ at x⁺, the second of h* − ⟨K x⁺, ·⟩ at y⁺.
#[derive(Debug, Clone)]
pub struct PrimalDual<'a, F, H, T: Real = f64, A = DMatrix<T>> {
    operator: &'a A,
    f: F,
    h: H,
    tau: T,
    sigma: T,
    /// Arguments of the proximal operators.
    primal: Vec<T>,
    dual: Vec<T>,
    /// prox_{h/σ}(v/σ).
    point: Vec<T>,
    /// Kᵀ(y − y⁺) and K(x − x⁺).
    adjoint: Vec<T>,
    image: Vec<T>,
    residual: T,
}

impl<'a, F: Prox<T>, H: Prox<T>, T: Real> PrimalDual<'a, F, H, T> {
    /// The map of a matrix K, f and h.
    ///
    /// # Errors
    /// A kernel that is not finite, or so large that ‖K‖² overflows; an `f` of vectors of another length than x, an
    /// `h` of another than K x.
    pub fn new(kernel: &'a DMatrix<T>, f: F, h: H) -> Result<Self> {
        check_finite("kernel", kernel.as_slice())?;
        let norm = squared_norm_bound(kernel).sqrt();
        check_scalar("norm of the kernel", norm)?;
        Self::for_operator(kernel, f, h, norm)
    }
}

impl<'a, F: Prox<T>, H: Prox<T>, T: Real, A: LinearOperator<T>> PrimalDual<'a, F, H, T, A> {
    /// The map of any linear operator K of at most this norm, without its matrix:
    /// [`NormEstimate::upper`](crate::NormEstimate) for example.
    ///
    /// # Errors
    /// A norm that is negative, not finite or next to nothing; an `f` of vectors of another length than x, an `h` of
    /// another than K x.
    pub fn for_operator(operator: &'a A, f: F, h: H, norm: T) -> Result<Self> {
        check_nonnegative("norm of the kernel", norm)?;
        let (rows, columns) = (operator.rows(), operator.columns());
        check_dimension(&f, columns, "x")?;
        check_dimension(&h, rows, "K x")?;
        let step = if norm > T::zero() { T::lit(0.99) / norm } else { T::one() };
        if !step.is_finite() {
            let expected = "one that is not negligible";
            let value = norm.as_f64();
            return Err(Error::OutOfRange { argument: "norm of the kernel", value, expected });
        }
        Ok(PrimalDual {
            operator,
            f,
            h,
            tau: step,
            sigma: step,
            primal: vec![T::zero(); columns],
            dual: vec![T::zero(); rows],
            point: vec![T::zero(); rows],
            adjoint: vec![T::zero(); columns],
            image: vec![T::zero(); rows],
            residual: T::INFINITY,
        })
    }

    /// Another weight w = √(τ/σ).
    ///
    /// # Errors
    /// `weight` not finite or not positive.
    pub fn with_weight(mut self, weight: T) -> Result<Self> {
        check_positive("weight", weight)?;
        let step = (self.tau * self.sigma).sqrt();
        (self.tau, self.sigma) = (step * weight, step / weight);
        Ok(self)
    }

    /// τ and σ.
    pub fn step_sizes(&self) -> (T, T) {
        (self.tau, self.sigma)
    }
}

impl<F: Prox<T>, H: Prox<T>, T: Real, A: LinearOperator<T>> FixedPointMap<T>
    for PrimalDual<'_, F, H, T, A>
{
    fn dim(&self) -> usize {
        self.primal.len() + self.dual.len()
    }

    fn step(&mut self, state: &[T], out: &mut [T]) {
        let (n, m) = (self.primal.len(), self.dual.len());
        let ((x, y), (x_new, y_new)) = (state.split_at(n), out.split_at_mut(n));
        let operator = self.operator;
        let (tau, sigma) = (self.tau, self.sigma);
        let (primal, dual, point) = (&mut self.primal, &mut self.dual, &mut self.point);
        let (adjoint, image) = (&mut self.adjoint, &mut self.image);
        operator.adjoint_into(y, adjoint);
        dispatch(|| {
            for i in 0..n {
                primal[i] = x[i] - tau * adjoint[i];
            }
        });
        self.f.prox_into(primal, tau, x_new);
        dispatch(|| {
            for i in 0..n {
                primal[i] = x_new[i] + x_new[i] - x[i];
            }
        });
        operator.apply_into(primal, dual);
        dispatch(|| {
            for i in 0..m {
                dual[i] += y[i] / sigma;
            }
        });
        self.h.prox_into(dual, T::one() / sigma, point);
        dispatch(|| {
            for i in 0..m {
                y_new[i] = sigma * (dual[i] - point[i]);
                dual[i] = y[i] - y_new[i];
            }
            for i in 0..n {
                primal[i] = x[i] - x_new[i];
            }
        });
        operator.adjoint_into(dual, adjoint);
        operator.apply_into(primal, image);
        let (mut first, mut second) = (T::zero(), T::zero());
        for i in 0..n {
            let v = primal[i] / tau - adjoint[i];
            first += v * v;
        }
        for i in 0..m {
            let v = dual[i] / sigma - image[i];
            second += v * v;
        }
        self.residual = first.max(second).sqrt();
    }

    fn residual(&self, _state: &[T], _out: &[T]) -> T {
        self.residual
    }
}
