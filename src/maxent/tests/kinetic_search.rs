//! The weight of the kinetic prior chosen from the data: units and grids, stops, doubts.

use super::*;

/// A Drude peak with a cut: χ(τ) on a grid that ends at `end`, in units of energy `unit` and data `scale`.
fn drude(end: f64, points: usize, unit: f64, scale: f64) -> (Problem, Vec<f64>) {
    let density = |w: f64| 0.4 / (w * w + 0.16) * (-w * w / 9.0).exp();
    let fine = FrequencyGrid::uniform(0.0, 12.0, 4001).unwrap();
    let total: f64 = fine.points().iter().zip(fine.weights()).map(|(&x, &w)| w * density(x)).sum();
    let beta = 20.0;
    let tau: Vec<f64> = (0..60).map(|i| beta * i as f64 / 59.0).collect();
    let kernel = BosonTimeSymmetric::new(beta).unwrap();
    let matrix = kernel.matrix(&tau, fine.points()).unwrap();
    let a = DVector::from_iterator(
        fine.len(),
        fine.points().iter().zip(fine.weights()).map(|(&x, &w)| w * density(x) / total),
    );
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(3);
    let sigma = 1e-4;
    let g: Vec<f64> = (matrix * a)
        .iter()
        .map(|g| scale * unit * (g + sigma * f64::standard_normal(&mut rng)))
        .collect();
    let tau: Vec<f64> = tau.iter().map(|t| t / unit).collect();
    let data = Measurement::with_uniform_error(&tau, &g, sigma * scale * unit).unwrap();
    let grid = FrequencyGrid::uniform(0.0, end * unit, points).unwrap();
    let truth = grid.points().iter().map(|w| scale * density(w / unit) / total / unit).collect();
    let kernel = BosonTimeSymmetric::new(beta / unit).unwrap();
    (Problem::new(&kernel, &data, &grid).unwrap(), truth)
}

#[test]
fn the_kinetic_weight_chosen_follows_the_units_and_hardly_the_grid() {
    let solve = |end, points, unit: f64, scale| {
        let (problem, truth) = drude(end, points, unit, scale);
        let s = MaxEnt::default().norm(scale).kinetic_auto().solve(&problem).unwrap();
        assert_eq!(s.report().status, Status::Converged, "{}", s.report());
        let m = s.report().maxent.clone().unwrap();
        assert!(m.kinetic_steps.len() > 2 && s.report().to_string().contains("chosen from"));
        assert!(m.kinetic < m.kinetic_steps.last().unwrap().lambda);
        let w = problem.grid().weights();
        let error: f64 = s
            .spectrum()
            .values()
            .iter()
            .zip(&truth)
            .zip(w)
            .map(|((a, b), w)| w * (a - b).abs())
            .sum();
        (m.kinetic, m.alpha, error / scale)
    };
    let (lambda, alpha, error) = solve(8.0, 161, 1.0, 1.0);
    let close = |a: f64, b: f64, ratio: f64| (a / b).ln().abs() < ratio.ln();
    // λ is an energy⁶ over a norm, α the inverse of a norm.
    let (l, a, e) = solve(8.0, 161, 5.0, 1.0);
    assert!(close(l, 15625.0 * lambda, 1.001) && close(a, alpha, 1.001) && close(e, error, 1.001));
    let (l, a, e) = solve(8.0, 161, 1.0, 7.0);
    assert!(
        close(l, lambda / 7.0, 1.001) && close(a, alpha / 7.0, 1.001) && close(e, error, 1.001)
    );
    // Half as wide again: another unit of λ, another flat default model.
    let (l, _, wide) = solve(12.0, 241, 1.0, 1.0);
    assert!(close(l, lambda, 3.0), "{l} {lambda}");
    assert!(error < 0.1 && wide < 0.1, "{error} {wide}");
}

#[test]
fn a_search_for_the_kinetic_weight_that_is_stopped_ends_with_the_last_step() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let maxent = MaxEnt::default().ladder_points(20).kinetic_auto();
    // Within the ladder that finds the reference, within the search, and at its last ladder.
    let total = {
        let mut steps = 0;
        maxent
            .solve_observed(&problem, &mut |_| {
                steps += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        steps
    };
    for stop in [9, 37, total - 3] {
        let (mut steps, mut last) = (0, None);
        let s = maxent
            .solve_observed(&problem, &mut |step| {
                (steps, last) = (steps + 1, Some(*step));
                if steps == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        let (report, last) = (s.report(), last.unwrap());
        assert_eq!((steps, &report.status), (stop, &Status::Stopped));
        let m = report.maxent.as_ref().unwrap();
        assert_eq!((m.alpha, m.kinetic > 0.0), (last.alpha, stop > 20));
        assert!((report.chi2 / last.chi2 - 1.0).abs() < 1e-6, "{} {}", report.chi2, last.chi2);
    }
}

#[test]
fn doubts_about_the_kinetic_weight_are_told() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let told = |maxent: MaxEnt| {
        let s = maxent.ladder_points(20).solve(&problem).unwrap();
        let kinetic = s.report().maxent.as_ref().unwrap().kinetic;
        let doubts = s.report().warnings.iter();
        let doubts = doubts
            .filter(|w| matches!(w, Warning::KineticCut { .. } | Warning::KineticAtEnd { .. }));
        (kinetic, doubts.cloned().collect::<Vec<_>>())
    };
    let (kinetic, none) = told(MaxEnt::default().kinetic_auto());
    assert!(kinetic > 0.0 && none.is_empty(), "{none:?}");
    // A slack that no weight leaves.
    let wide = KineticSearch { slack: 1e9, ..KineticSearch::default() };
    let (kinetic, end) = told(MaxEnt::default().kinetic_search(wide));
    assert_eq!(end, [Warning::KineticAtEnd { kinetic }]);
    // Ladders on which too few iterations are allowed for any step to converge: from some weight on, and
    // at the fixed α at every weight.
    let hasty = MaxEnt::default().kinetic_auto().max_iterations(1);
    let (kinetic, cut) = told(hasty.clone());
    let [Warning::KineticCut { steps: 1.., .. }] = cut[..] else { panic!("{cut:?}") };
    assert!(kinetic > 0.0);
    let (kinetic, cut) = told(hasty.alpha(FixedAlpha(1.0)));
    let [Warning::KineticCut { steps: 0, .. }] = cut[..] else { panic!("{cut:?}") };
    assert_eq!(kinetic, 0.0);
    assert!(cut[0].to_string().contains("without a kinetic prior"));
}
