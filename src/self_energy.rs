//! Self-energies: Σ(iω_n) → Σ(ω). Floor 7.
//!
//! Σ(z) = Σ_H + ∫ σ(ω')/(z − ω') dω' with σ = −Im Σ(ω + i0)/π ≥ 0: less the Hartree term Σ_H and divided
//! by the norm s = ∫σ dω, it is a Green's function and continued like one. Both are read off the tail
//! Σ(iω_n) = Σ_H + s/(iω_n) + s₁/(iω_n)² + …: Re Σ = Σ_H − s₁/ω_n² + s₃/ω_n⁴ and −ω_n Im Σ = s − s₂/ω_n² +
//! s₄/ω_n⁴, s_k the moments of σ. Source: X. Wang, E. Gull, L. de' Medici, M. Capone and A. J. Millis,
//! Phys. Rev. B 80, 045101 (2009).

use crate::error::{Error, Result, check_all_positive, check_increasing, check_len, check_scalar};
use crate::estimate::Estimate;
use crate::grid::FrequencyGrid;
use crate::kernel::FermionMatsubara;
use crate::linalg::thin_svd;
use crate::noise::Measurement;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Solution, Solver, Warning};
use nalgebra::{Complex, DMatrix, DVector};

/// Terms of each tail: 1, ω⁻², ω⁻⁴.
const TERMS: usize = 3;
/// Fewest frequencies a tail is fitted to.
const FEWEST: usize = 10;
/// The fall of χ² by one more term in each tail that two terms of pure noise are allowed (their number twice,
/// Akaike's criterion).
const INSIGNIFICANT: f64 = 4.0;

/// A self-energy at fermionic Matsubara frequencies, to be continued to real ones.
///
/// ```
/// use fredholm::{FrequencyGrid, Matsubara, MaxEnt, Measurement, SelfEnergy, nalgebra::Complex, stack_complex};
/// // Two poles at ±1 with a Hartree term of 0.7.
/// let wn = Matsubara::Fermion.frequencies(10.0_f64, 60)?;
/// let sigma: Vec<_> = wn.iter().map(|&w| {
///     let z = Complex::new(0.0, w);
///     0.7 + 0.5 * ((z - 1.0).inv() + (z + 1.0).inv())
/// }).collect();
/// let data = Measurement::with_uniform_error(&wn, &stack_complex(&sigma), 1e-4)?;
/// let grid = FrequencyGrid::uniform(-4.0, 4.0, 161)?;
/// let continued = SelfEnergy::new(&data)?.solve(&grid, &MaxEnt::default())?;
/// assert!((continued.hartree().value - 0.7).abs() < 1e-3);
/// assert!((continued.norm().value - 1.0).abs() < 1e-3);
/// assert_eq!(continued.values().len(), 161);
/// # Ok::<(), fredholm::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it solves"]
pub struct SelfEnergy<T: Real = f64> {
    data: Measurement<T>,
    hartree: Option<T>,
    norm: Option<T>,
    tail_from: Option<T>,
}

/// What the high frequencies of a self-energy say.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SelfEnergyTail<T = f64> {
    /// Σ_H, the limit of Re Σ; units of energy.
    pub hartree: Estimate<T>,
    /// s, the limit of −ω_n Im Σ; units of energy².
    pub norm: Estimate<T>,
    /// The first frequency that was fitted.
    pub from: T,
    /// χ² of the fit of three terms over its degrees of freedom.
    pub chi2_per_freedom: T,
    /// Whether one more term in each tail would have gained nothing, and the fit is good: the asymptotic
    /// region was reached. If not, the highest frequencies were taken, and the errors are too small.
    pub asymptotic: bool,
}

impl<T: Real> SelfEnergy<T> {
    /// From Σ(iω_n), stacked (real parts, then imaginary parts), on an axis of ω_n > 0.
    ///
    /// # Errors
    /// Values of another number than twice the frequencies; frequencies that are not positive or do not
    /// increase.
    pub fn new(data: &Measurement<T>) -> Result<Self> {
        check_len("values", data.values().len(), 2 * data.x().len(), "`x`, twice")?;
        check_all_positive("x", data.x())?;
        check_increasing("x", data.x())?;
        Ok(SelfEnergy { data: data.clone(), hartree: None, norm: None, tail_from: None })
    }

    /// The Hartree term Σ_H, where it is known (U⟨n⟩ for one orbital).
    pub fn hartree(mut self, value: T) -> Self {
        self.hartree = Some(value);
        self
    }

    /// The norm s = ∫σ dω, where it is known (U²⟨n⟩(1 − ⟨n⟩) for one orbital).
    pub fn norm(mut self, value: T) -> Self {
        self.norm = Some(value);
        self
    }

    /// The frequency from which the tail is fitted; by default the lowest from which the fit is good and one
    /// more term would gain nothing.
    pub fn tail_from(mut self, omega: T) -> Self {
        self.tail_from = Some(omega);
        self
    }

    /// Hartree term and norm from the tail, real and imaginary part fitted with the error bars of the data,
    /// correlations aside.
    ///
    /// Where the tail begins is judged by a fit of three terms each, to which a fourth must add nothing; what is
    /// quoted, with its error, is the fit of four. That of three would be biased by as much as the fourth
    /// term could be without being noticed, several of its own errors.
    ///
    /// # Errors
    /// Fewer than ten frequencies in all, or from [`tail_from`](Self::tail_from) on.
    pub fn tail(&self) -> Result<SelfEnergyTail<T>> {
        let (x, n) = (self.data.x(), self.data.x().len());
        let first = self.tail_from.map_or(0, |from| x.partition_point(|&w| w < from));
        if n < first + FEWEST {
            return Err(Error::OutOfRange {
                argument: "tail",
                value: n.saturating_sub(first) as f64,
                expected: "at least ten Matsubara frequencies to fit; or give Hartree term and norm",
            });
        }
        let last = if self.tail_from.is_some() { first } else { n - FEWEST };
        let mut tail = None;
        for start in first..=last {
            let (fit, better) = (self.fit(start, TERMS)?, self.fit(start, TERMS + 1)?);
            let freedom = 2.0 * (n - start - TERMS) as f64;
            let good = fit.chi2 <= freedom + 3.0 * (2.0 * freedom).sqrt();
            let asymptotic = good && fit.chi2 - better.chi2 <= INSIGNIFICANT;
            tail = Some(SelfEnergyTail {
                hartree: better.hartree,
                norm: better.norm,
                from: x[start],
                chi2_per_freedom: T::lit(fit.chi2 / freedom),
                asymptotic,
            });
            if asymptotic {
                break;
            }
        }
        tail.ok_or(Error::Empty { argument: "x", expected: FEWEST })
    }

    /// Both tails from frequency `start` on with `terms` terms each.
    fn fit(&self, start: usize, terms: usize) -> Result<Fit<T>> {
        let (x, n) = (self.data.x(), self.data.x().len());
        let (re, im) = self.data.values().split_at(n);
        let errors = self.data.whitening().deviations();
        let largest = errors.iter().fold(T::zero(), |m, &e| if e > m { e } else { m });
        // Data without noise weigh like the noisiest.
        let error = |i: usize| if errors[i] > T::zero() { errors[i] } else { largest };
        let line = |value: &dyn Fn(usize) -> (T, T)| -> Result<(Estimate<T>, f64)> {
            let design = DMatrix::from_fn(n - start, terms, |i, k| {
                let ratio = x[start] / x[start + i];
                ratio.powi(2 * k as i32) / value(start + i).1
            });
            let rhs = DVector::from_fn(n - start, |i, _| {
                let (y, sigma) = value(start + i);
                y / sigma
            });
            let svd = thin_svd("tail", &design)?;
            let (mut limit, mut variance, mut rest) = (T::zero(), T::zero(), rhs.clone());
            for k in 0..terms {
                let along = svd.u.column(k).dot(&rhs);
                let v = svd.vt[(k, 0)] / svd.s[k];
                limit += v * along;
                variance += v * v;
                rest.axpy(-along, &svd.u.column(k), T::one());
            }
            let estimate = Estimate { value: limit, deviation: variance.sqrt() };
            Ok((estimate, rest.norm_squared().as_f64()))
        };
        let (hartree, chi2_re) = line(&|i| (re[i], error(i)))?;
        let (norm, chi2_im) = line(&|i| (-x[i] * im[i], x[i] * error(n + i)))?;
        Ok(Fit { hartree, norm, chi2: chi2_re + chi2_im })
    }

    /// (Σ − Σ_H)/s: data like those of a Green's function, with a spectrum of norm one.
    ///
    /// # Errors
    /// Those of [`tail`](Self::tail) unless both Hartree term and norm are given; a Hartree term that is not
    /// finite; a norm that is not positive.
    pub fn normalized(&self) -> Result<NormalizedSelfEnergy<T>> {
        let known = |value: T| Estimate { value, deviation: T::zero() };
        let (given, tail) = (self.hartree.zip(self.norm), self.tail());
        let tail = if given.is_some() { tail.ok() } else { Some(tail?) };
        let pick = |given: Option<T>, fitted: Option<Estimate<T>>| {
            given.map(known).or(fitted).unwrap_or(known(T::zero()))
        };
        let hartree = pick(self.hartree, tail.map(|t| t.hartree));
        let norm = pick(self.norm, tail.map(|t| t.norm));
        check_scalar("hartree", hartree.value)?;
        check_scalar("norm", norm.value)?;
        if norm.value <= T::zero() {
            return Err(Error::OutOfRange {
                argument: "norm",
                value: norm.value.as_f64(),
                expected: "a positive number: Im Sigma(i omega_n) < 0 at omega_n > 0, or the data have the opposite sign",
            });
        }
        let shifted: Vec<T> = (self.data.values().iter().enumerate())
            .map(|(i, &v)| if i < self.data.x().len() { v - hartree.value } else { v })
            .collect();
        let data = Measurement::new(self.data.x(), &shifted, self.data.whitening().clone())?;
        let data = data.scaled(T::one() / norm.value)?;
        Ok(NormalizedSelfEnergy { hartree, norm, tail, data })
    }

    /// Continues the [`normalized`](Self::normalized) self-energy on `grid` by any solver.
    ///
    /// # Errors
    /// Those of [`normalized`](Self::normalized) and of the solver.
    pub fn solve(
        &self,
        grid: &FrequencyGrid<T>,
        solver: &(impl Solver<T> + ?Sized),
    ) -> Result<ContinuedSelfEnergy<T>> {
        let normalized = self.normalized()?;
        let problem = Problem::new(&FermionMatsubara, normalized.data(), grid)?;
        Ok(normalized.continued(solver.solve(&problem)?))
    }
}

/// A self-energy less its Hartree term and divided by its norm.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedSelfEnergy<T: Real = f64> {
    hartree: Estimate<T>,
    norm: Estimate<T>,
    tail: Option<SelfEnergyTail<T>>,
    data: Measurement<T>,
}

impl<T: Real> NormalizedSelfEnergy<T> {
    /// (Σ(iω_n) − Σ_H)/s with its noise, data of [`FermionMatsubara`].
    pub fn data(&self) -> &Measurement<T> {
        &self.data
    }

    /// The self-energy on the real axis, from a solution for [`data`](Self::data).
    /// Its report has a note where a term was read off a tail that is not asymptotic.
    ///
    /// A norm other than one is compared with the error of what was read off the tail: within three of those it
    /// is no warning, beyond them the warning says so.
    pub fn continued(&self, mut solution: Solution<T>) -> ContinuedSelfEnergy<T> {
        let NormalizedSelfEnergy { hartree, norm, tail, .. } = *self;
        let found = solution.report().warnings.iter().find_map(|w| match w {
            Warning::Norm { found, expected, .. } => Some(found / expected),
            _ => None,
        });
        if let Some(found) = found.filter(|_| norm.deviation > T::zero()) {
            let deviation = (norm.deviation / norm.value).as_f64();
            solution.retain_warnings(|w| !matches!(w, Warning::Norm { .. }));
            if (found - 1.0).abs() > 3.0 * deviation {
                solution.note(&format!(
                    "the continued self-energy has {found:.4} times the norm read off its tail, which is known to \
                     {deviation:.1e} of itself: give the norm if it is known, or more frequencies"
                ));
            }
        }
        let used = |t: &SelfEnergyTail<T>| t.hartree == hartree || t.norm == norm;
        if tail.filter(used).is_some_and(|t| !t.asymptotic) {
            solution.note(
                "the tail of the self-energy has not reached its asymptotic form: the errors of Hartree term and \
                 norm are too small",
            );
        }
        ContinuedSelfEnergy { hartree, norm, tail, solution }
    }
}

struct Fit<T> {
    hartree: Estimate<T>,
    norm: Estimate<T>,
    chi2: f64,
}

/// A self-energy on the real axis.
#[derive(Debug, Clone, PartialEq)]
pub struct ContinuedSelfEnergy<T: Real = f64> {
    hartree: Estimate<T>,
    norm: Estimate<T>,
    tail: Option<SelfEnergyTail<T>>,
    solution: Solution<T>,
}

impl<T: Real> ContinuedSelfEnergy<T> {
    /// The Hartree term that was used; without deviation if it was given.
    pub fn hartree(&self) -> Estimate<T> {
        self.hartree
    }

    /// The norm that was used; without deviation if it was given.
    pub fn norm(&self) -> Estimate<T> {
        self.norm
    }

    /// The fit of the tail, where there are frequencies enough for one, whether it was needed or not.
    pub fn tail(&self) -> Option<SelfEnergyTail<T>> {
        self.tail
    }

    /// The normalised spectrum σ(ω)/s, its fit and its report.
    pub fn solution(&self) -> &Solution<T> {
        &self.solution
    }

    /// The retarded Σ(ω) = Σ_H + s ∫ σ(ω')/s/(ω − ω' + i0) dω' on the grid, by Kramers–Kronig
    /// ([`Spectrum::retarded`](crate::Spectrum::retarded)); units of energy.
    pub fn values(&self) -> Vec<Complex<T>> {
        let (hartree, norm) = (self.hartree.value, self.norm.value);
        let retarded = self.solution.spectrum().retarded();
        retarded.into_iter().map(|g| g * norm + Complex::from(hartree)).collect()
    }

    /// G(ω) = 1/(ω − ε − Σ(ω)) of a level at ε = `energy`, measured from the chemical potential.
    pub fn greens_function(&self, energy: T) -> Vec<Complex<T>> {
        let omega = self.solution.spectrum().grid().points();
        omega
            .iter()
            .zip(self.values())
            .map(|(&w, sigma)| (Complex::from(w - energy) - sigma).inv())
            .collect()
    }
}
