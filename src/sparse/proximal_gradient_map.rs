//! A gradient step on ½‖g − K x‖², then a proximal step: the map that ISTA iterates.

use crate::error::{Error, Result, check_finite, check_len, check_nonnegative, check_scalar};
use crate::fixed_point::{DifferentiableMap, FixedPointMap, distance};
use crate::linalg::squared_norm_bound;
use crate::operator::LinearOperator;
use crate::prox::{Prox, check_dimension};
use crate::real::Real;
use crate::solution::Certificate;
use nalgebra::DMatrix;

/// T(x) = prox_{tλf}(x − t Kᵀ(K x − g)), whose fixed points minimise F(x) = ½‖g − K x‖² + λ f(x).
///
/// K is N × n, g has N elements, x has n; λ in units of ½‖g‖² over f. With L ≥ ‖K‖² the step is t = 1/L
/// unless set; the iteration converges for 0 < t < 2/L, its acceleration for t ≤ 1/L. K and then Kᵀ are
/// applied in turn, without forming KᵀK; K is a matrix, or any [`LinearOperator`]
/// ([`for_operator`](Self::for_operator)).
///
/// The residual of a step x → x⁺ is (1/t + L)‖x − x⁺‖₂, a bound on the distance of zero from the
/// subdifferential of F at x⁺: (x − x⁺)/t − ∇(x) + ∇(x⁺) is a subgradient there, and ∇ = Kᵀ(K · − g) is
/// Lipschitz with L.
///
/// Its parameters, for derivatives of the fixed point, are g and then λ, N + 1 in number.
///
/// ```
/// use fredholm::{IterationOptions, ProximalGradientMap, SoftThreshold, iterate};
/// use fredholm::nalgebra::DMatrix;
/// use std::ops::ControlFlow;
///
/// // K = I: the optimum is the soft threshold of g.
/// let kernel = DMatrix::<f64>::identity(2, 2);
/// let map = ProximalGradientMap::new(&kernel, &[3.0, 0.5], SoftThreshold, 1.0)?;
/// let options = IterationOptions::default();
/// let answer = iterate(map, &[0.0, 0.0], &options, |_| ControlFlow::Continue(()))?;
/// assert!((answer.point[0] - 2.0).abs() < 1e-7 && answer.point[1] == 0.0);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ProximalGradientMap<'a, P, T: Real = f64, A = DMatrix<T>> {
    operator: &'a A,
    data: &'a [T],
    prox: P,
    lambda: T,
    /// L ≥ ‖K‖².
    lipschitz: T,
    /// t.
    step_size: T,
    /// K x − g.
    residual: Vec<T>,
    /// ∇(x) = Kᵀ(K x − g).
    gradient: Vec<T>,
    /// x − t ∇(x).
    forward: Vec<T>,
}

impl<'a, P: Prox<T>, T: Real> ProximalGradientMap<'a, P, T> {
    /// The map of a kernel matrix, data, a proximal operator and its weight, with t = 1/L.
    ///
    /// # Errors
    /// Kernel or data not finite; data of another length than the kernel's rows; `lambda` negative or not
    /// finite; a kernel so large that ‖K‖² overflows; a `prox` of vectors of another length than x.
    pub fn new(kernel: &'a DMatrix<T>, data: &'a [T], prox: P, lambda: T) -> Result<Self> {
        check_finite("kernel", kernel.as_slice())?;
        Self::assemble(kernel, data, prox, lambda, squared_norm_bound(kernel))
    }
}

impl<'a, P: Prox<T>, T: Real, A: LinearOperator<T>> ProximalGradientMap<'a, P, T, A> {
    /// The same of any linear operator K of at most this norm, without its matrix: ISTA, and inside
    /// [`Accelerated`](crate::Accelerated) FISTA, for who has products with K and Kᵀ only. L = `norm`²; a `norm`
    /// below ‖K‖ lets the iteration diverge, and the certificates rest on it.
    ///
    /// ```
    /// use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
    /// use fredholm::{Accelerated, Convolution, IterationOptions, LinearOperator, OneSidedSoftThreshold};
    /// use fredholm::{ProximalGradientMap, estimate_norm, iterate};
    /// use std::ops::ControlFlow;
    ///
    /// // Two peaks seen through a Gaussian window: 10 000 points, of which no matrix is formed.
    /// let n = 10_000;
    /// let window = (-8..=8).map(|k| (-f64::from(k * k) / 8.0).exp()).collect();
    /// let blur = Convolution::new(window, 8, n)?;
    /// let mut truth = vec![0.0; n];
    /// (truth[4000], truth[4012]) = (1.0, 0.5);
    /// let mut data = vec![0.0; n];
    /// blur.apply_into(&truth, &mut data);
    ///
    /// let norm = estimate_norm(&blur, 32, &mut ChaCha8Rng::seed_from_u64(1))?.upper;
    /// let prox = OneSidedSoftThreshold;
    /// let map = ProximalGradientMap::for_operator(&blur, &data, prox, 1e-3, norm)?;
    /// let options = IterationOptions { tolerance: 1e-6, ..Default::default() };
    /// let start = vec![0.0; n];
    /// let map = Accelerated::new(map);
    /// let answer = iterate(map, &start, &options, |_| ControlFlow::Continue(()))?;
    /// assert!(answer.report.status.is_success());
    /// assert!((answer.point[4000] - 1.0).abs() < 0.01 && (answer.point[4012] - 0.5).abs() < 0.01);
    /// # Ok::<(), fredholm::Error>(())
    /// ```
    ///
    /// # Errors
    /// Data not finite, or of another length than the operator's rows; `lambda` or `norm` negative or not finite, or
    /// a `norm` whose square overflows; a `prox` of vectors of another length than x.
    pub fn for_operator(
        operator: &'a A,
        data: &'a [T],
        prox: P,
        lambda: T,
        norm: T,
    ) -> Result<Self> {
        check_nonnegative("norm", norm)?;
        Self::assemble(operator, data, prox, lambda, norm * norm)
    }

    /// From L = `lipschitz`.
    fn assemble(operator: &'a A, data: &'a [T], prox: P, lambda: T, lipschitz: T) -> Result<Self> {
        check_len("data", data.len(), operator.rows(), "the kernel's rows")?;
        check_finite("data", data)?;
        check_nonnegative("lambda", lambda)?;
        check_scalar("squared norm of the kernel", lipschitz)?;
        let columns = operator.columns();
        check_dimension(&prox, columns, "x")?;
        let step_size = T::one() / lipschitz;
        Ok(ProximalGradientMap {
            operator,
            data,
            prox,
            lambda,
            lipschitz,
            // Any step will do for K = 0.
            step_size: if step_size.is_finite() { step_size } else { T::one() },
            residual: vec![T::zero(); data.len()],
            gradient: vec![T::zero(); columns],
            forward: vec![T::zero(); columns],
        })
    }

    /// Another step.
    ///
    /// # Errors
    /// `step_size` outside (0, 2/L).
    pub fn with_step_size(mut self, step_size: T) -> Result<Self> {
        check_scalar("step_size", step_size)?;
        if step_size <= T::zero() || step_size * self.lipschitz >= T::lit(2.0) {
            return Err(Error::OutOfRange {
                argument: "step_size",
                value: step_size.as_f64(),
                expected: "a positive number below 2/L, L the squared norm of the kernel",
            });
        }
        self.step_size = step_size;
        Ok(self)
    }

    /// The same map for other data, of the length of those before.
    pub(super) fn for_data(mut self, data: &'a [T]) -> Self {
        self.data = data;
        self
    }

    /// The same map for another weight λ ≥ 0.
    pub(super) fn set_lambda(&mut self, lambda: T) {
        self.lambda = lambda;
    }

    /// ‖r‖, r = g − K x, and the lower bound g·ν − ‖r‖‖ν‖ − f*(Kᵀν) on f where the misfit is ≤ ‖r‖, for the
    /// multiple ν of r/λ that is dual feasible; the bound is `None` where f* is not known.
    pub(super) fn constrained_bound(&mut self, x: &[T]) -> (T, Option<T>) {
        self.evaluate(x);
        let misfit: T = self.residual.iter().map(|&r| r * r).sum();
        for (w, &gradient) in self.forward.iter_mut().zip(&self.gradient) {
            *w = -gradient / self.lambda;
        }
        let bound = self.prox.conjugate(&self.forward).map(|conjugate| {
            let along: T = self.residual.iter().zip(self.data).map(|(&r, &g)| -r * g).sum();
            conjugate.scale / self.lambda * (along - misfit) - conjugate.value
        });
        (misfit.sqrt(), bound)
    }

    /// f(x).
    pub(super) fn penalty(&self, x: &[T]) -> T {
        self.prox.value(x)
    }

    /// The step t.
    pub fn step_size(&self) -> T {
        self.step_size
    }

    /// L: of a matrix an upper bound of ‖K‖² that is less than 1 % too large, of an operator the square of the norm that
    /// was given.
    pub fn lipschitz(&self) -> T {
        self.lipschitz
    }

    /// F(x) = ½‖g − K x‖² + λ f(x).
    ///
    /// # Panics
    /// If `x` has another length than the kernel has columns.
    pub fn objective(&mut self, x: &[T]) -> T {
        self.evaluate(x);
        self.objective_here(x)
    }

    /// F(x) from the residual at hand. λ f of an indicator is an indicator even for λ = 0.
    fn objective_here(&self, x: &[T]) -> T {
        let value = self.prox.value(x);
        let penalty = if value.is_finite() { self.lambda * value } else { value };
        T::lit(0.5) * self.residual.iter().map(|&r| r * r).sum::<T>() + penalty
    }

    /// Residual and gradient at `x`.
    fn evaluate(&mut self, x: &[T]) {
        assert_eq!(x.len(), self.gradient.len(), "length of x");
        self.operator.apply_into(x, &mut self.residual);
        for (r, &g) in self.residual.iter_mut().zip(self.data) {
            *r -= g;
        }
        self.operator.adjoint_into(&self.residual, &mut self.gradient);
    }

    /// x − t ∇(x), from the gradient at hand.
    fn step_forward(&mut self, x: &[T]) {
        for ((z, &x), &gradient) in self.forward.iter_mut().zip(x).zip(&self.gradient) {
            *z = x - self.step_size * gradient;
        }
    }

    /// Writes q = D u into `gradient` and K q into `residual`; returns u·∂prox/∂γ.
    fn pull_back(&mut self, upstream: &[T]) -> T {
        let gamma = self.step_size * self.lambda;
        let slope = self.prox.prox_vjp(&self.forward, gamma, upstream, &mut self.gradient);
        self.operator.apply_into(&self.gradient, &mut self.residual);
        slope
    }

    /// ‖∇(x)‖∞.
    pub(super) fn gradient_size(&mut self, x: &[T]) -> T {
        self.evaluate(x);
        self.gradient.iter().fold(T::zero(), |m, v| m.max(v.abs()))
    }

    /// How far F(x) is from its minimum, for the `x` that the last step returned.
    ///
    /// Where the conjugate of f is known, the duality gap of x and the multiple s(g − K x) of its residual
    /// that is dual feasible, written without cancellation as
    /// ½(1 − s)²‖g − K x‖² + λ [f(x) + f*(s w/λ) − (s w/λ)·x], w = Kᵀ(g − K x).
    /// Otherwise the norm of the subgradient (z − x)/t + ∇(x), z the argument of the proximal operator that
    /// gave x.
    pub(super) fn certificate(&mut self, x: &[T]) -> Certificate<T> {
        self.evaluate(x);
        let terms = self.forward.iter().zip(x).zip(&self.gradient);
        let squares = terms.map(|((&z, &x), &gradient)| {
            let v = (z - x) / self.step_size + gradient;
            v * v
        });
        let stationarity = Certificate::Stationarity { residual: squares.sum::<T>().sqrt() };
        if self.lambda == T::zero() {
            return stationarity;
        }
        let dual = &mut self.forward;
        for (w, &gradient) in dual.iter_mut().zip(&self.gradient) {
            *w = -gradient / self.lambda;
        }
        let Some(conjugate) = self.prox.conjugate(dual) else { return stationarity };
        let scale = conjugate.scale;
        let product: T = dual.iter().zip(x).map(|(&w, &x)| w * x).sum();
        let misfit: T = self.residual.iter().map(|&r| r * r).sum();
        let short = T::one() - scale;
        let gap = T::lit(0.5) * short * short * misfit
            + self.lambda * (self.prox.value(x) + conjugate.value - scale * product);
        if scale <= T::zero() || !gap.is_finite() {
            return stationarity;
        }
        let gap = gap.max(T::zero());
        let relative = gap / self.objective_here(x).max(T::MIN_POSITIVE);
        Certificate::Gap { gap, relative, l1_bound: None }
    }
}

impl<P: Prox<T>, T: Real, A: LinearOperator<T>> FixedPointMap<T>
    for ProximalGradientMap<'_, P, T, A>
{
    fn dim(&self) -> usize {
        self.gradient.len()
    }

    fn step(&mut self, x: &[T], out: &mut [T]) {
        self.evaluate(x);
        self.step_forward(x);
        self.prox.prox_into(&self.forward, self.step_size * self.lambda, out);
    }

    fn residual(&self, x: &[T], out: &[T]) -> T {
        (T::one() / self.step_size + self.lipschitz) * distance(x, out)
    }
}

/// With D = ∂prox/∂z at z = x − t∇(x), symmetric for a convex f: (∂T/∂x)ᵀ = (I − tKᵀK)D, (∂T/∂g)ᵀ = tKD,
/// ∂T/∂λ = t ∂prox/∂γ; D is the metric.
impl<P: Prox<T>, T: Real, A: LinearOperator<T>> DifferentiableMap<T>
    for ProximalGradientMap<'_, P, T, A>
{
    fn parameter_count(&self) -> usize {
        self.data.len() + 1
    }

    fn linearise(&mut self, x: &[T]) {
        self.evaluate(x);
        self.step_forward(x);
    }

    fn vjp_point(&mut self, upstream: &[T], out: &mut [T]) {
        self.pull_back(upstream);
        self.operator.adjoint_into(&self.residual, out);
        for (out, &q) in out.iter_mut().zip(&self.gradient) {
            *out = q - self.step_size * *out;
        }
    }

    fn add_vjp_parameters(&mut self, upstream: &[T], out: &mut [T]) {
        let slope = self.pull_back(upstream);
        let (by_data, by_lambda) = out.split_at_mut(self.data.len());
        for (out, &image) in by_data.iter_mut().zip(&self.residual) {
            *out += self.step_size * image;
        }
        by_lambda[0] += self.step_size * slope;
    }

    fn metric(&mut self, upstream: &[T], out: &mut [T]) -> bool {
        if self.prox.is_convex() {
            let gamma = self.step_size * self.lambda;
            self.prox.prox_vjp(&self.forward, gamma, upstream, out);
        }
        self.prox.is_convex()
    }
}
