use super::fit::{Fitter, Rows, Target};
use super::mixture::{Evaluation, Mixture};
use super::*;
use crate::synthetic::{GaussianMixture, NoiseLevel, PeakRange, TrainingSet};
use crate::*;
use nalgebra::DMatrix;
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use std::sync::Arc;

const NOISE: f64 = 1e-5;

fn grid() -> FrequencyGrid {
    FrequencyGrid::uniform(-3.0, 3.0, 50).unwrap()
}

fn model(noise: f64) -> Arc<ForwardModel> {
    let tau: Vec<f64> = (0..60).map(|i| 16.0 * f64::from(i) / 59.0).collect();
    let whitening = Whitening::from_errors(&[noise; 60]).unwrap();
    Arc::new(ForwardModel::new(&FermionTime::new(16.0).unwrap(), &tau, &grid(), whitening).unwrap())
}

fn problem(model: &Arc<ForwardModel>, truth: &Spectrum) -> Problem {
    let silent = Problem::from_model(Arc::clone(model), &[0.0; 60]).unwrap();
    silent.with_data(&silent.back_continue(&truth.weights()).unwrap()).unwrap()
}

/// Σ height·exp(−(ω − centre)²/2width²), norm 1.
fn peaks(list: &[(f64, f64, f64)]) -> Spectrum {
    let density = |w: f64| -> f64 {
        list.iter().map(|(m, s, h)| h * (-0.5 * ((w - m) / s).powi(2)).exp()).sum()
    };
    let norm = Spectrum::from_fn(grid(), density).unwrap().norm();
    Spectrum::from_fn(grid(), |w| density(w) / norm).unwrap()
}

/// The spectrum that another method might give.
fn blurred(truth: &Spectrum) -> Spectrum {
    let weights = truth.weights();
    let n = weights.len();
    let blur = |j: usize| {
        0.25 * weights[j.saturating_sub(1)] + 0.5 * weights[j] + 0.25 * weights[(j + 1).min(n - 1)]
    };
    let weights: Vec<f64> = (0..n).map(blur).collect();
    Spectrum::from_weights(grid(), &weights, Density::Spectral).unwrap()
}

/// With and without a first peak, free heights and a free norm.
fn mixtures() -> Vec<Mixture> {
    let with = GaussianMixture::default();
    let without = GaussianMixture { quasiparticle: None, ..with.clone() };
    let tangent = FrequencyGrid::tangent(-3.0, 3.0, 41, 0.6).unwrap();
    vec![
        Mixture::new(&grid(), &with, 0.0, 0.0),
        Mixture::new(&tangent, &with, 0.7, 0.0),
        Mixture::new(&grid(), &without, 1.0, 0.1),
        Mixture::new(&tangent, &without, 0.0, 0.1),
    ]
}

#[test]
fn jacobian_and_prior_are_those_of_differences() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for mixture in mixtures() {
        let p = mixture.global() + 3 * mixture.per_peak();
        for _ in 0..10 {
            let z: Vec<f64> = (0..p).map(|_| 1.2 * f64::standard_normal(&mut rng)).collect();
            let c: Vec<f64> = (0..mixture.len()).map(|_| rng.random()).collect();
            let mut at = Evaluation::default();
            let mut value = |z: &[f64]| -> f64 {
                mixture.weights(z, 1.3, &mut at);
                at.weights.iter().zip(&c).map(|(a, c)| a * c).sum()
            };
            value(&z);
            let mut at = Evaluation::default();
            mixture.weights(&z, 1.3, &mut at);
            mixture.jacobian(&mut at);
            let gradient: Vec<f64> = (at.jacobian.chunks_exact(mixture.len()))
                .map(|row| row.iter().zip(&c).map(|(d, c)| d * c).sum())
                .collect();
            assert_eq!(gradient.len(), p);
            assert!(check_gradient(&mut value, &z, &gradient).unwrap() < 1e-7);

            let slope: Vec<f64> =
                z.iter().enumerate().map(|(i, &z)| mixture.prior(i, z)[1]).collect();
            let prior =
                |z: &[f64]| z.iter().enumerate().map(|(i, &z)| mixture.prior(i, z)[0]).sum::<f64>();
            assert!(check_gradient(prior, &z, &slope).unwrap() < 1e-8);
            let bend: Vec<f64> =
                z.iter().enumerate().map(|(i, &z)| mixture.prior(i, z)[2]).collect();
            let slopes =
                |z: &[f64]| z.iter().enumerate().map(|(i, &z)| mixture.prior(i, z)[1]).sum::<f64>();
            assert!(check_gradient(slopes, &z, &bend).unwrap() < 1e-8);
        }
    }
}

#[test]
fn a_mixture_is_the_sum_of_its_gaussians() {
    for mixture in mixtures() {
        let free = mixture.per_peak() == 3;
        let mut z = mixture.least();
        z.extend(mixture.place(-0.7, 0.2, 2.0));
        z.extend(mixture.place(0.9, 0.4, 0.5));
        let shapes: Vec<_> = mixture.shapes(&z).collect();
        let last = &shapes[shapes.len() - 2..];
        let heights = if free { [2.0, 0.5] } else { [1.0; 2] };
        for (shape, (centre, width, height)) in
            last.iter().zip([(-0.7, 0.2, heights[0]), (0.9, 0.4, heights[1])])
        {
            assert!((shape.centre - centre).abs() < 1e-12 && (shape.width - width).abs() < 1e-12);
            assert!((shape.height - height).abs() < 1e-12);
        }
        let mut at = Evaluation::default();
        mixture.weights(&z, 2.0, &mut at);
        assert!((at.weights.iter().sum::<f64>() - 2.0).abs() < 1e-12);
        // Ratios of neighbouring densities are those of the sum.
        let density = |w: f64| -> f64 {
            let peak = |s: &super::mixture::Shape| {
                s.height * (-0.5 * ((w - s.centre) / s.width).powi(2)).exp()
            };
            shapes.iter().map(peak).sum()
        };
        let points = mixture.points();
        let grid = FrequencyGrid::from_points(points.to_vec()).unwrap();
        let scale = at.weights[20] / (density(points[20]) * grid.weights()[20]);
        for ((&a, &w), &cell) in at.weights.iter().zip(points).zip(grid.weights()) {
            assert!((a - scale * cell * density(w)).abs() < 1e-13);
        }
    }
}

#[test]
fn priors_are_normalised() {
    for mixture in mixtures() {
        for i in 0..mixture.global() + mixture.per_peak() {
            let step = 1e-3;
            let total: f64 = (-40_000..40_000)
                .map(|k| (-mixture.prior(i, f64::from(k) * step)[0]).exp() * step)
                .sum();
            assert!((total - 1.0).abs() < 1e-9, "{total}");
        }
    }
}

/// One peak at modest noise: two coordinates, whose plane is integrated point by point.
#[test]
fn evidence_is_the_integral_over_the_coordinates() {
    let one = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
    let mixture = Mixture::new(&grid(), &one, 0.0, 0.0);
    let model = model(1e-3);
    let problem = problem(&model, &peaks(&[(0.4, 0.3, 1.0)]));
    let n = mixture.len();
    let rows = problem.whitened_kernel().transpose();
    let (matrix, data) = (Rows::Dense(rows.as_slice()), problem.whitened_data());
    let target = Target { matrix, data, norm: 1.0, prior: 1.0 };
    let mut fitter = Fitter::new(&mixture, 1);
    let start: Vec<f64> = mixture.place(0.2, 0.2, 1.0).collect();
    assert!(!fitter.descend(target, &start, 1).converged);
    let mode = fitter.descend(target, &start, 100);
    assert!(mode.converged && mode.iterations < 100);
    // At the minimum no step leads lower, and the fit knows it.
    let again = fitter.descend(target, &mode.z, 100);
    assert!(again.converged && mode.objective - again.objective < 1e-2);
    let laplace = fitter.log_evidence(target, &mode);
    let (reach, steps) = ([0.06, 0.12], 200);
    let mut total = 0.0;
    let mut at = Evaluation::default();
    for i in -steps..=steps {
        for j in -steps..=steps {
            let place = |k: i32, c: usize| mode.z[c] + f64::from(k) / f64::from(steps) * reach[c];
            let z = [place(i, 0), place(j, 1)];
            mixture.weights(&z, 1.0, &mut at);
            let chi2 = problem.chi2(&at.weights).unwrap();
            let prior: f64 = (0..2).map(|c| mixture.prior(c, z[c])[0]).sum();
            total += (mode.objective - 0.5 * chi2 - prior).exp();
        }
    }
    let cell = reach[0] * reach[1] / f64::from(steps * steps);
    let exact = (total * cell).ln() - mode.objective;
    assert!((laplace - exact).abs() < 0.02, "{laplace} {exact}");
    assert_eq!(n, 50);
}

/// Two peaks in one place: the curvature of their difference is that of the prior alone, here upside down.
#[test]
fn what_is_no_maximum_has_no_evidence() {
    let mixture = Mixture::new(&grid(), &GaussianMixture::default(), 0.0, 0.0);
    let truth = peaks(&[(0.4, 0.3, 1.0)]).weights();
    let data: Vec<f64> = truth.iter().map(|a| 1e5 * a).collect();
    let mut z = mixture.least();
    z.extend(mixture.place(0.4, 0.3, 1.0).chain(mixture.place(0.4, 0.3, 1.0)));
    let mut fitter = Fitter::new(&mixture, 3);
    for (prior, finite) in [(1.0, true), (-1.0, false)] {
        let target = Target { matrix: Rows::Unit(1e5), data: &data, norm: 1.0, prior };
        let mode = fitter.descend(target, &z, 0);
        assert_eq!(fitter.log_evidence(target, &mode).is_finite(), finite);
    }
}

#[test]
fn the_unit_matrix_is_that_matrix() {
    let mixture = Mixture::new(&grid(), &GaussianMixture::default(), 0.7, 0.0);
    let data: Vec<f64> = blurred(&peaks(&[(0.0, 0.2, 1.0), (0.9, 0.4, 1.0)]))
        .weights()
        .iter()
        .map(|a| 50.0 * a)
        .collect();
    let full: Vec<f64> = (DMatrix::identity(50, 50) * 50.0).as_slice().to_vec();
    let mut start = mixture.least();
    start.extend(mixture.place(0.5, 0.3, 1.0));
    let mut fitter = Fitter::new(&mixture, 2);
    let [unit, dense] = [Rows::Unit(50.0), Rows::Dense(&full)].map(|matrix| {
        fitter.descend(Target { matrix, data: &data, norm: 1.0, prior: 0.1 }, &start, 25)
    });
    let apart = unit.z.iter().zip(&dense.z).map(|(u, d)| (u - d).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-9 && unit.iterations == dense.iterations && unit.iterations > 2);
}

#[test]
fn mixtures_without_noise_are_found_again() {
    let model = model(NOISE);
    let lists: [&[(f64, f64, f64)]; 4] = [
        &[(0.5, 0.3, 1.0)],
        &[(-0.8, 0.25, 1.0), (0.9, 0.35, 1.0)],
        &[(-0.8, 0.25, 0.7), (0.6, 0.35, 1.3)],
        &[(-1.2, 0.3, 1.0), (0.0, 0.2, 1.0), (1.2, 0.4, 1.0)],
    ];
    for (case, list) in lists.iter().enumerate() {
        let truth = peaks(list);
        let problem = problem(&model, &truth);
        let mixture = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
        let free = case == 2;
        let few = if free { FewPeaks::on(&grid()) } else { FewPeaks::new(mixture) };
        let prepared = few.orders(1, 4).prepare(&model).unwrap();
        let (solution, report) = prepared.refine(&problem, &blurred(&truth)).unwrap();
        assert_eq!(report.weight, 1.0);
        assert_eq!(solution.report().status, Status::Converged);
        assert_eq!(report.peaks.len(), list.len(), "case {case}: {report:?}");
        for (found, (centre, width, _)) in report.peaks.iter().zip(*list) {
            assert!((found.centre - centre).abs() < 2e-3, "case {case}: {found:?}");
            assert!((found.width - width).abs() < 4e-3, "case {case}: {found:?}");
        }
        assert!((report.peaks.iter().map(|p| p.weight).sum::<f64>() - 1.0).abs() < 1e-3);
        let (before, after) =
            (blurred(&truth).rse(&truth).unwrap(), solution.spectrum().rse(&truth).unwrap());
        assert!(after < 0.05 * before, "case {case}: {after} {before}");
        // The fit of the right order cannot be told from the data.
        assert!(report.chi2.unwrap() < 1.0, "case {case}: {report:?}");
    }
}

#[test]
fn what_no_mixture_fits_is_left_as_it_was() {
    let model = model(NOISE);
    // A box is no sum of three Gaussians.
    let edge = |w: f64| 0.5 * (1.0 + (8.0 * w).tanh());
    let truth = Spectrum::from_fn(grid(), |w| 0.4 * edge(w + 1.2) * edge(1.2 - w)).unwrap();
    let problem = problem(&model, &truth);
    let answer = blurred(&truth);
    let mixture = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
    let few = FewPeaks::new(mixture).orders(1, 3).norm(None);
    let (solution, report) = few.prepare(&model).unwrap().refine(&problem, &answer).unwrap();
    assert_eq!((report.weight, report.modes), (0.0, 0));
    assert_eq!(solution.spectrum().weights(), answer.weights());
    let told = |w: &Warning| matches!(w, Warning::Note(text) if text.contains("no mixture"));
    assert!(solution.report().warnings.iter().any(told));
}

/// Gives what it was made of, with a warning of its own.
struct Constant(Spectrum);

impl Solver<f64> for Constant {
    fn solve(&self, problem: &Problem) -> crate::Result<Solution> {
        let mut report = Nnls::new(1.0).solve(problem)?.report().clone();
        report.method = "constant".into();
        report.warnings = vec![Warning::Note("constant".into())];
        Solution::new(problem, &self.0.weights(), report)
    }
}

#[test]
fn a_refined_solver_is_solver_and_refinement() {
    let model = model(NOISE);
    let truth = peaks(&[(-0.8, 0.25, 1.0), (0.9, 0.35, 1.0)]);
    let mixture = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
    let few = FewPeaks::new(mixture);
    let said = |solution: &Solution, words: &str| {
        let says = |w: &Warning| matches!(w, Warning::Note(text) if text.contains(words));
        solution.report().warnings.iter().filter(|w| says(w)).count()
    };

    let problem = problem(&model, &truth);
    let (answer, two) = (blurred(&truth), few.clone().orders(2, 2));
    let one = two.prepare(&model).unwrap().refine(&problem, &answer).unwrap().0;
    let solution = Refined::new(Constant(answer.clone()), two).solve(&problem).unwrap();
    assert_eq!(solution.spectrum(), one.spectrum());
    assert_eq!(solution.report().method, "constant, few peaks");
    assert_eq!(said(&solution, "constant"), 1);

    // Two peaks are not one: the answer is the solver's own.
    let refined = Refined::new(Constant(answer), few.orders(1, 1));
    let (own, solution) =
        (refined.solver().solve(&problem).unwrap(), refined.solve(&problem).unwrap());
    assert_eq!(solution.spectrum(), own.spectrum());
    assert_eq!(solution.report().method, "constant");
    assert_eq!((said(&solution, "constant"), said(&solution, "no mixture")), (1, 1));
}

/// A peak too many finds noise to fit, and lies upon another in more ways than one; its evidence tells it all the same.
#[test]
fn evidence_finds_the_number_of_peaks() {
    let truths = [
        (1e-3, vec![(0.4, 0.35, 1.0)]),
        (1e-3, vec![(-0.9, 0.3, 0.8), (1.0, 0.4, 1.0)]),
        (1e-4, vec![(-1.3, 0.25, 0.9), (0.2, 0.2, 1.0), (1.5, 0.35, 0.9)]),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for (noise, list) in truths {
        let (model, truth) = (model(noise), peaks(&list));
        let prepared = FewPeaks::on(&grid()).prepare(&model).unwrap();
        let exact = problem(&model, &truth);
        for _ in 0..3 {
            let draws = NoiseLevel::Uniform(noise).draw_many(60, 1, &mut rng).unwrap();
            let data = exact.model().kernel() * nalgebra::DVector::from_vec(truth.weights());
            let data: Vec<f64> = data.iter().zip(draws.iter()).map(|(g, e)| g + e).collect();
            let noisy = exact.with_data(&data).unwrap();
            let (refined, report) = prepared.refine(&noisy, &blurred(&truth)).unwrap();
            assert_eq!(report.peaks.len(), list.len(), "{report}");
            assert!(refined.spectrum().rse(&truth).unwrap() < 0.02);
        }
    }
}

#[test]
fn odds_decide_between_mixtures_and_what_else() {
    let model = model(NOISE);
    let crowded = GaussianMixture { peaks: (6, 10), ..GaussianMixture::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let others =
        TrainingSet::generate(&crowded, &model, 500, &NoiseLevel::Uniform(0.0), &mut rng).unwrap();
    let truth = peaks(&[(0.02, 0.2, 1.0), (0.9, 0.35, 1.0)]);
    let problem = problem(&model, &truth);
    let answer = blurred(&truth);
    let refined = |odds: f64| {
        let few = FewPeaks::new(GaussianMixture::default()).orders(1, 3).against(&others, odds);
        few.prepare(&model).unwrap().refine(&problem, &answer).unwrap()
    };
    let ((few, likely), (_, neither)) = (refined(1.0), refined(1e150));
    assert!(likely.weight > 0.999 && neither.weight < 1e-9);
    assert!(few.spectrum().rse(&truth).unwrap() < 1e-3);
    let gap = |report: &PeakReport| report.alternative.unwrap() - report.log_evidence;
    assert!((gap(&neither) - gap(&likely) - 150.0 * 10.0_f64.ln()).abs() < 1e-6);
}

#[test]
fn a_batch_is_its_problems_one_by_one() {
    let model = model(1e-4);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let set = TrainingSet::<f64>::generate(
        &GaussianMixture { peaks: (1, 4), ..GaussianMixture::default() },
        &model,
        6,
        &NoiseLevel::Uniform(1e-4),
        &mut rng,
    )
    .unwrap();
    let few = FewPeaks::new(GaussianMixture::default()).orders(1, 2).restarts(1);
    let prepared = few.prepare(&model).unwrap();
    let answers: Vec<Spectrum> = (0..6)
        .map(|j| {
            let weights: Vec<f64> =
                set.weights().column(j).iter().map(|a| 0.9 * a + 0.1 / 50.0).collect();
            Spectrum::from_weights(grid(), &weights, Density::Spectral).unwrap()
        })
        .collect();
    let columns: Vec<f64> = answers.iter().flat_map(|a| a.weights()).collect();
    let columns = DMatrix::from_vec(50, 6, columns);
    let batch = prepared.refine_batch(set.data(), &columns).unwrap();
    let silent = Problem::from_model(Arc::clone(&model), &[0.0; 60]).unwrap();
    for (j, answer) in answers.iter().enumerate() {
        let problem = silent.with_data(set.data().column(j).as_slice()).unwrap();
        let (solution, report) = prepared.refine(&problem, answer).unwrap();
        assert_eq!(report, batch.reports[j]);
        let (one, many) = (solution.spectrum().weights(), batch.weights.column(j));
        assert!(one.iter().zip(many.iter()).all(|(a, b)| (a - b).abs() < 1e-15));
    }
}

/// The marginal of one Gaussian coordinate, by hand.
#[test]
fn the_alternative_is_the_density_of_gaussian_data() {
    let matrix = DMatrix::from_row_slice(1, 2, &[3.0, 0.0]);
    let spectra = DMatrix::from_row_slice(2, 4, &[0.1, 0.3, 0.1, 0.3, 9.0, 9.0, 9.0, 9.0]);
    let other = super::alternative::Alternative::new(&matrix, &spectra).unwrap();
    // Mean 0.6 and variance 9·0.01 + 1.
    let exact = -0.5 * (0.4_f64.powi(2) / 1.09 + 1.09_f64.ln());
    assert!((other.log_evidence(&[1.0]) - exact).abs() < 1e-14);
}

#[test]
fn bad_input_is_named() {
    let model = model(NOISE);
    let of = |few: FewPeaks| few.prepare(&model).map(drop).unwrap_err().to_string();
    let ok = || FewPeaks::new(GaussianMixture::default());
    assert!(of(ok().orders(3, 2)).contains("orders"));
    assert!(of(ok().heights(-1.0)).contains("heights"));
    assert!(of(ok().norm(f64::NAN)).contains("norm"));
    let peak = PeakRange { centre: (0.0, 0.0), width: (0.1, 0.2) };
    assert!(of(FewPeaks::new(GaussianMixture { peak, ..Default::default() })).contains("centre"));
    for most in [65, usize::MAX] {
        assert!(of(ok().orders(1, most)).contains("at most 64"));
    }
    assert!(of(ok().restarts(usize::MAX)).contains("restarts"));
    let least = GaussianMixture { quasiparticle: None, ..GaussianMixture::default() };
    assert!(of(FewPeaks::new(least).orders(0, 3)).contains("`orders` = 0"));
    let prepared = ok().prepare(&model).unwrap();
    let zeros = DMatrix::zeros(50, 1);
    let error = prepared.refine_batch(&DMatrix::zeros(60, 1), &zeros).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { argument: "answer", .. }));
    assert!(prepared.refine_batch(&DMatrix::zeros(59, 1), &zeros).is_err());
    assert!(prepared.refine_batch(&DMatrix::zeros(60, 2), &zeros).is_err());
}
