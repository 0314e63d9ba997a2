//! The cases: spectra in closed form, their data on a quadrature much finer than any solver's grid, noise.

use fredholm::nalgebra::DMatrix;
use fredholm::rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use fredholm::{
    BosonMatsubara, BosonMatsubaraSymmetric, BosonTime, BosonTimeSymmetric, FermionMatsubara,
    FermionTime, FrequencyGrid, Kernel, Matsubara, Measurement, Problem, Real, Result, Spectrum,
};

/// Points of the quadrature that makes the data.
const FINE: usize = 8001;
/// Noise relative to the largest datum.
const NOISE: [f64; 3] = [1e-3, 1e-4, 1e-5];

/// One smooth contribution to a spectrum, of integral one over the whole axis (a Drude peak and a gapped
/// band up to a factor: spectra are normalised).
enum Shape {
    Gaussian {
        centre: f64,
        width: f64,
    },
    /// γ/(ω² + γ²) cut off by a Gaussian: the response of free carriers in a finite band.
    Drude {
        width: f64,
        cut: f64,
    },
    /// A Gaussian band out of which |ω| < gap is cut, with edges of some width.
    Gapped {
        centre: f64,
        width: f64,
        gap: f64,
        edge: f64,
    },
}

impl Shape {
    fn value(&self, omega: f64) -> f64 {
        let gauss =
            |x: f64, s: f64| (-0.5 * (x / s).powi(2)).exp() / (s * core::f64::consts::TAU.sqrt());
        match *self {
            Shape::Gaussian { centre, width } => gauss(omega - centre, width),
            Shape::Drude { width, cut } => {
                let lorentz = width / (omega * omega + width * width) / core::f64::consts::PI;
                lorentz * (-(omega / cut).powi(2)).exp()
            }
            Shape::Gapped { centre, width, gap, edge } => {
                let open = 0.5 * (1.0 + ((omega.abs() - gap) / edge).tanh());
                gauss(omega - centre, width) * open
            }
        }
    }

    /// Where the shape ends for a user, and its narrowest feature.
    fn scales(&self) -> (f64, f64, f64) {
        match *self {
            Shape::Gaussian { centre, width } => {
                (centre - 4.0 * width, centre + 4.0 * width, width)
            }
            Shape::Drude { width, cut } => (-2.5 * cut, 2.5 * cut, width),
            Shape::Gapped { centre, width, edge, .. } => {
                (centre - 4.0 * width, centre + 4.0 * width, edge)
            }
        }
    }
}

/// The families of spectra.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Single,
    Two,
    Kondo,
    Quasiparticle,
    Gapped,
    Wide,
    Asymmetric,
    Drude,
}

impl Family {
    pub(crate) const ALL: [Family; 8] = [
        Family::Single,
        Family::Two,
        Family::Kondo,
        Family::Quasiparticle,
        Family::Gapped,
        Family::Wide,
        Family::Asymmetric,
        Family::Drude,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Single => "single",
            Family::Two => "two peaks",
            Family::Kondo => "three peaks",
            Family::Quasiparticle => "quasiparticle",
            Family::Gapped => "gapped",
            Family::Wide => "wide",
            Family::Asymmetric => "asymmetric",
            Family::Drude => "drude",
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> Vec<(f64, Shape)> {
        let mut u = |a: f64, b: f64| rng.random_range(a..b);
        let gaussian = |centre, width| Shape::Gaussian { centre, width };
        match self {
            Family::Single => vec![(1.0, gaussian(u(-1.5, 1.5), u(0.3, 1.2)))],
            Family::Two => {
                let p = u(0.3, 0.7);
                vec![
                    (p, gaussian(u(-3.0, -1.0), u(0.25, 0.8))),
                    (1.0 - p, gaussian(u(1.0, 3.0), u(0.25, 0.8))),
                ]
            }
            Family::Kondo => {
                let (z, half) = (u(0.15, 0.4), u(1.5, 3.5));
                let (left, right) = (u(0.35, 0.8), u(0.35, 0.8));
                let tilt = u(0.4, 0.6);
                vec![
                    (z, gaussian(u(-0.2, 0.2), u(0.1, 0.3))),
                    ((1.0 - z) * tilt, gaussian(-half, left)),
                    ((1.0 - z) * (1.0 - tilt), gaussian(half, right)),
                ]
            }
            Family::Quasiparticle => {
                let z = u(0.1, 0.5);
                let second = u(0.0, 0.6);
                vec![
                    (z, gaussian(u(-0.1, 0.1), u(0.03, 0.1))),
                    ((1.0 - z) * (1.0 - second), gaussian(u(-1.5, 0.5), u(0.6, 1.5))),
                    ((1.0 - z) * second, gaussian(u(0.5, 2.5), u(0.4, 1.0))),
                ]
            }
            Family::Gapped => {
                let gap = u(0.3, 1.2);
                vec![(
                    1.0,
                    Shape::Gapped {
                        centre: u(-0.6, 0.6),
                        width: gap + u(0.6, 1.5),
                        gap,
                        edge: u(0.08, 0.2),
                    },
                )]
            }
            Family::Wide => {
                let n = 2 + (3.0 * u(0.0, 1.0)) as usize;
                (0..n).map(|_| (u(0.3, 1.0), gaussian(u(-8.0, 8.0), u(0.8, 3.0)))).collect()
            }
            Family::Asymmetric => {
                let (p, sign) = (u(0.3, 0.7), if u(0.0, 1.0) < 0.5 { -1.0 } else { 1.0 });
                vec![
                    (p, gaussian(sign * u(-1.5, -0.3), u(0.12, 0.35))),
                    (1.0 - p, gaussian(sign * u(1.0, 4.0), u(1.0, 2.0))),
                ]
            }
            Family::Drude => {
                let side = u(0.0, 0.5);
                vec![
                    (1.0 - side, Shape::Drude { width: u(0.15, 1.0), cut: u(2.0, 4.0) }),
                    (0.5 * side, gaussian(u(1.0, 2.5), u(0.3, 0.7))),
                ]
            }
        }
    }
}

/// The data axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Axis {
    Time,
    Matsubara,
}

/// Statistics, and the part of the axis the density lives on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Statistics {
    Fermion,
    BosonEven,
    Boson,
}

/// What a case is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) family: Family,
    pub(crate) axis: Axis,
    pub(crate) statistics: Statistics,
    pub(crate) noise: f64,
    draw: u64,
}

impl Kind {
    /// Every kind of the study, in order; `draws` multiplies their number.
    pub(crate) fn all(draws: u64) -> Vec<Kind> {
        use Statistics::{Boson, BosonEven, Fermion};
        let mut kinds = Vec::new();
        for family in Family::ALL {
            let settings: &[(Statistics, u64)] = match family {
                Family::Drude => &[(BosonEven, 6)],
                Family::Two | Family::Asymmetric => &[(Fermion, 4), (BosonEven, 2), (Boson, 1)],
                Family::Single | Family::Gapped | Family::Wide => &[(Fermion, 4), (BosonEven, 2)],
                Family::Kondo | Family::Quasiparticle => &[(Fermion, 4)],
            };
            for &(statistics, count) in settings {
                for axis in [Axis::Time, Axis::Matsubara] {
                    for noise in NOISE {
                        for draw in 0..count * draws {
                            kinds.push(Kind { family, axis, statistics, noise, draw });
                        }
                    }
                }
            }
        }
        kinds
    }

    pub(crate) fn label(&self) -> String {
        format!(
            "{:?}/{:?}/{:?}/{:e}/{}",
            self.family, self.statistics, self.axis, self.noise, self.draw
        )
    }
}

/// A problem whose answer is known.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) problem: Problem,
    pub(crate) truth: Spectrum,
    pub(crate) norm: f64,
}

/// How a user's choices differ from the study's: the grid wider, the error bars misjudged.
#[derive(Clone, Copy)]
pub(crate) struct Distortion {
    /// Factor on the range of the grid, at equal spacing.
    pub(crate) widen: f64,
    /// Declared error bars over true ones.
    pub(crate) errors: f64,
    /// Which draw of the noise; 0 is that of the study.
    pub(crate) noise: u64,
}

impl Case {
    /// Draws the case: the same numbers for the same seed and kind, in whatever order cases are drawn.
    pub(crate) fn draw(kind: Kind, seed: u64, distortion: Distortion) -> Result<Case> {
        let stream = Kind::all(1).len() as u64 * 64;
        let mut rng =
            ChaCha8Rng::seed_from_u64(seed.wrapping_mul(stream).wrapping_add(kind.hash()));
        let shapes = kind.family.draw(&mut rng);
        let even = kind.statistics == Statistics::BosonEven;
        let density = |w: f64| -> f64 {
            let f = |w: f64| shapes.iter().map(|(p, s)| p * s.value(w)).sum::<f64>();
            if even { f(w) + f(-w) } else { f(w) }
        };
        let mut uniform = |a: f64, b: f64| rng.random_range(a..b);
        let beta = match kind.family {
            Family::Wide => uniform(1.0, 3.0).exp(),
            _ => uniform(1.6, 3.7).exp(),
        };
        let norm =
            if kind.statistics == Statistics::Fermion { 1.0 } else { uniform(-1.0, 1.5).exp() };
        let (count, margin) = (uniform(40.0, 160.0), uniform(1.05, 1.6));
        let spread = uniform(0.8, 1.6);

        // The quadrature: trapezoid on smooth shapes, far beyond their ends.
        let scales = shapes.iter().map(|(_, s)| s.scales());
        let (low, high, narrow) = scales
            .fold((f64::INFINITY, f64::NEG_INFINITY, f64::INFINITY), |a, b| {
                (a.0.min(b.0), a.1.max(b.1), a.2.min(b.2))
            });
        let half = high.abs().max(low.abs());
        let fine = FrequencyGrid::uniform(if even { 0.0 } else { -2.0 * half }, 2.0 * half, FINE)?;
        let raw: Vec<f64> = fine.points().iter().map(|&w| density(w)).collect();
        let scale = norm / fine.integrate(&raw);

        let (axis, kernel): (Vec<f64>, Box<dyn Kernel>) = match (kind.axis, kind.statistics) {
            (Axis::Time, statistics) => {
                let n = count as usize;
                let tau = (0..n).map(|i| beta * i as f64 / (n - 1) as f64).collect();
                (
                    tau,
                    match statistics {
                        Statistics::Fermion => Box::new(FermionTime::new(beta)?) as Box<dyn Kernel>,
                        Statistics::BosonEven => Box::new(BosonTimeSymmetric::new(beta)?),
                        Statistics::Boson => Box::new(BosonTime::new(beta)?),
                    },
                )
            }
            (Axis::Matsubara, statistics) => {
                let n = (0.5 * count) as usize;
                match statistics {
                    Statistics::Fermion => {
                        (Matsubara::Fermion.frequencies(beta, n)?, Box::new(FermionMatsubara))
                    }
                    Statistics::BosonEven => {
                        (Matsubara::Boson.frequencies(beta, n)?, Box::new(BosonMatsubaraSymmetric))
                    }
                    Statistics::Boson => {
                        (Matsubara::Boson.frequencies(beta, n)?, Box::new(BosonMatsubara))
                    }
                }
            }
        };
        let weights: Vec<f64> =
            raw.iter().zip(fine.weights()).map(|(a, w)| scale * a * w).collect();
        let matrix = kernel.matrix(&axis, fine.points())?;
        let exact: Vec<f64> = matrix
            .row_iter()
            .map(|row| row.iter().zip(&weights).map(|(k, a)| k * a).sum())
            .collect();
        let sigma = kind.noise * exact.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        if distortion.noise > 0 {
            rng.set_stream(distortion.noise);
        }
        let data = noisy(&axis, &exact, sigma, kind, beta, distortion.errors, &mut rng)?;

        // The grid of a user who knows roughly where the spectrum ends, and how fine it is.
        let (centre, reach) = (0.5 * (low + high), 0.5 * margin * distortion.widen * (high - low));
        let (min, max) = if even {
            (0.0, margin * distortion.widen * half)
        } else {
            (centre - reach, centre + reach)
        };
        let needed = spread * (max - min) / (0.7 * narrow);
        let grid = if needed <= 400.0 * distortion.widen {
            FrequencyGrid::uniform(min, max, 2 * (0.5 * needed.max(120.0)) as usize + 1)?
        } else if even {
            let n = (200.0 * distortion.widen) as usize;
            FrequencyGrid::hyperbolic(-max, max, 2 * n + 1, 0.3)
                .and_then(|g| FrequencyGrid::from_points(&g.points()[n..]))?
        } else {
            let wide = min.abs().max(max.abs());
            let n = (150.0 * distortion.widen) as usize;
            FrequencyGrid::hyperbolic(-wide, wide, 2 * n + 1, 0.3)?
        };
        let truth: Vec<f64> = grid.points().iter().map(|&w| scale * density(w)).collect();
        let truth = Spectrum::new(grid.clone(), truth, kernel.density())?;
        Ok(Case { kind, problem: Problem::new(&kernel, &data, &grid)?, truth, norm })
    }
}

impl Kind {
    /// Distinct for every kind.
    fn hash(&self) -> u64 {
        let noise = NOISE.iter().position(|&n| n == self.noise).unwrap_or(0) as u64;
        let mut h = self.family as u64;
        for (part, size) in
            [(self.statistics as u64, 3), (self.axis as u64, 2), (noise, 3), (self.draw, 4096)]
        {
            h = h * size + part;
        }
        h
    }
}

/// Gaussian noise: independent, or for every third draw correlated along τ with its covariance known.
fn noisy(
    axis: &[f64],
    exact: &[f64],
    sigma: f64,
    kind: Kind,
    beta: f64,
    declared: f64,
    rng: &mut ChaCha8Rng,
) -> Result<Measurement> {
    let white: Vec<f64> = exact.iter().map(|_| f64::standard_normal(rng)).collect();
    if kind.axis == Axis::Matsubara || kind.draw % 3 != 2 {
        let values: Vec<f64> = exact.iter().zip(&white).map(|(g, z)| g + sigma * z).collect();
        return Measurement::with_uniform_error(axis, &values, declared * sigma);
    }
    let length = 0.03 * beta;
    let n = axis.len();
    let covariance =
        DMatrix::from_fn(n, n, |i, j| sigma * sigma * (-(axis[i] - axis[j]).abs() / length).exp());
    let mut values = exact.to_vec();
    if let Some(cholesky) = covariance.clone().cholesky() {
        let correlated = cholesky.l() * fredholm::nalgebra::DVector::from_vec(white);
        values.iter_mut().zip(correlated.iter()).for_each(|(v, z)| *v += z);
    }
    Measurement::with_covariance(axis, &values, &(covariance * (declared * declared)))
}
