//! What is said where a rule, an iteration or the input fails, and of fits that should be doubted.

use super::*;

#[test]
fn unusable_choices_are_refused() {
    #[derive(Debug)]
    struct Broken(Vec<f64>);
    impl AlphaRule for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn choose(&self, _: &LadderView) -> AlphaChoice {
            if self.0.is_empty() {
                AlphaChoice::at(-1.0)
            } else {
                AlphaChoice::average(self.0.clone())
            }
        }
    }
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let told = |weights: &[f64]| {
        let rule = Broken(weights.to_vec());
        let s = MaxEnt::default().ladder_points(5).alpha(rule).solve(&problem).unwrap();
        let Status::NoAlpha { rule: "broken", reason } = &s.report().status else { panic!() };
        reason.clone()
    };
    assert!(told(&[]).contains("alpha = -1"));
    assert!(told(&[1.0; 3]).contains("3 weights for 5 steps"));
    assert!(told(&[0.0; 5]).contains("no step") || told(&[0.0; 5]).contains("not positive"));
    assert!(told(&[1.0, -1.0, 1.0, 1.0, 1.0]).contains("not positive"));
    assert!(told(&[1.0, f64::NAN, 1.0, 1.0, 1.0]).contains("not positive"));
}

#[test]
fn refusals_and_warnings_are_told() {
    let (problem, truth) = two_gaussians::<f64>(1e-3);
    let weights: Vec<f64> =
        truth.iter().zip(problem.grid().weights()).map(|(a, w)| a * w).collect();
    // An informative default model leaves no kink.
    let spectrum =
        Spectrum::from_weights(problem.grid().clone(), &weights, problem.model().density())
            .unwrap();
    let s = MaxEnt::default()
        .default_model(&spectrum)
        .alpha(Chi2Kink::default())
        .solve(&problem)
        .unwrap();
    let Status::NoAlpha { rule: "chi2kink", reason } = &s.report().status else {
        panic!("{}", s.report());
    };
    assert!(reason.contains("kink") && reason.contains("cross-validation"), "{reason}");
    // Data without noise leave none either.
    let exact = problem.with_data(&problem.back_continue(&weights).unwrap()).unwrap();
    let s = MaxEnt::default().alpha(Chi2Kink::default()).solve(&exact).unwrap();
    assert!(matches!(s.report().status, Status::NoAlpha { .. }), "{}", s.report());
    // Data with the wrong sign cannot be fitted, and the norm is off.
    let flipped: Vec<f64> = problem.data().iter().map(|g| -g).collect();
    let s = MaxEnt::default().solve(&problem.with_data(&flipped).unwrap()).unwrap();
    let warned = |f: fn(&Warning) -> bool| s.report().warnings.iter().any(f);
    assert!(warned(|w| matches!(w, Warning::PoorFit { .. })));
    assert!(warned(|w| matches!(w, Warning::Norm { .. })));
}

#[test]
fn the_observer_sees_every_step_and_may_stop() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let mut seen = 0;
    let s = MaxEnt::default()
        .ladder_points(12)
        .solve_observed(&problem, &mut |step| {
            seen += 1;
            assert!(step.alpha > 0.0);
            if seen == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 7);
    assert_eq!(s.report().status, Status::Stopped);
    let m = s.report().maxent.as_ref().unwrap();
    assert_eq!((m.ladder.len(), m.alpha), (7, m.ladder[6].alpha));
}

#[test]
fn bad_arguments_are_errors_before_any_work() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    let named = |m: MaxEnt<f64>, name: &str| {
        let message = m.solve(&problem).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
    };
    named(MaxEnt::default().kinetic(-1.0), "kinetic");
    named(MaxEnt::default().kinetic(f64::NAN), "kinetic");
    named(MaxEnt::default().norm(0.0), "norm");
    named(MaxEnt::default().tolerance(0.0), "tolerance");
    named(MaxEnt::default().ladder_points(2), "ladder points");
    named(MaxEnt::default().max_iterations(0), "max iterations");
    named(MaxEnt::default().alpha(FixedAlpha(-1.0)), "alpha");
    named(MaxEnt::default().alpha(FixedAlpha(f64::INFINITY)), "alpha");
    named(MaxEnt::default().alpha(Gcv { slack: -1.0, ..Gcv::default() }), "slack");
    named(MaxEnt::default().alpha(Chi2Kink { f: 0.0 }), "f");
    let other = Kinetic::natural(&FrequencyGrid::uniform(0.0, 1.0, 7).unwrap()).unwrap();
    named(MaxEnt::default().prior(1.0, Arc::new(other.clone())), "prior");
    let fitting = Kinetic::natural(problem.grid()).unwrap();
    named(MaxEnt::default().prior(-1.0, Arc::new(fitting)), "prior weight");
    let model = DefaultModel::Gaussian { centre: 0.0, width: -1.0 };
    named(MaxEnt::default().default_model(model), "width");
}

#[test]
fn reaching_the_iteration_limit_is_a_status() {
    let (problem, _) = two_gaussians::<f64>(1e-3);
    for solver in [MaxEntSolver::Dual, MaxEntSolver::Primal] {
        let s = MaxEnt::default()
            .alpha(FixedAlpha(1.0))
            .max_iterations(1)
            .solver(solver)
            .solve(&problem)
            .unwrap();
        assert_eq!(s.report().status, Status::IterationLimit);
        assert!(relative_gap(&s) > 1e-11);
    }
}

#[test]
fn single_precision_gives_the_same_spectrum_as_far_as_it_can() {
    let (single, _) = two_gaussians::<f32>(1e-2);
    let (double, _) = two_gaussians::<f64>(1e-2);
    for solver in [MaxEntSolver::Dual, MaxEntSolver::Primal] {
        let model = DefaultModel::Gaussian { centre: 0.0, width: 1.0 };
        let a = MaxEnt::<f32>::default()
            .default_model(model)
            .alpha(FixedAlpha(10.0))
            .solver(solver)
            .solve(&single)
            .unwrap();
        let b = MaxEnt::default()
            .default_model(normal_model())
            .alpha(FixedAlpha(10.0))
            .solve(&double)
            .unwrap();
        assert!(a.report().status.is_success(), "{}", a.report());
        let a: Vec<f64> = a.spectrum().weights().iter().map(|&x| f64::from(x)).collect();
        assert!(l1(&a, &b.spectrum().weights()) < 2e-3, "{}", l1(&a, &b.spectrum().weights()));
    }
}

#[test]
fn a_ladder_that_does_not_converge_is_cut_and_said() {
    let problem = two_gaussians::<f64>(1e-3).0;
    let solution = MaxEnt::default().max_iterations(1).solve(&problem).unwrap();
    let report = solution.report();
    assert_eq!(report.status, Status::IterationLimit);
    let ladder = &report.maxent.as_ref().unwrap().ladder;
    let (last, before) = ladder.split_last().unwrap();
    assert!(!last.converged && before.iter().all(|s| s.converged));
    let said = |w: &Warning| matches!(w, Warning::LadderCut { alpha, at_limit: true, .. } if *alpha == last.alpha);
    assert!(report.warnings.iter().any(said), "{:?}", report.warnings);
    // The advice is that of the cause.
    let text = |at_limit| Warning::LadderCut { alpha: 1.0, steps: 3, at_limit }.to_string();
    assert!(text(true).contains("raise the limit") && !text(false).contains("raise"));
    assert!(text(false).contains("no step made progress") && text(false).contains("not finite"));
    assert!(!Status::Stalled.to_string().contains("raise") && !Status::Stalled.is_success());
}

#[test]
fn failure_returns_the_best_iterate() {
    // Far below what rounding allows: whatever comes back fits no worse than the way down did.
    let problem = two_gaussians::<f64>(1e-3).0;
    let good = MaxEnt::default().alpha(FixedAlpha(1e-2)).solve(&problem).unwrap();
    for alpha in [1e-14, 1e-18] {
        let solution = MaxEnt::default().alpha(FixedAlpha(alpha)).solve(&problem).unwrap();
        let report = solution.report();
        assert!(report.chi2 <= good.report().chi2 * (1.0 + 1e-9), "{alpha}: {}", report.chi2);
    }
}

#[test]
fn fits_are_judged_against_what_is_possible() {
    let problem = two_gaussians::<f64>(1e-3).0;
    let warned = |solver: MaxEnt| solver.solve(&problem).unwrap().report().warnings.clone();
    let stiff = warned(MaxEnt::default().alpha(FixedAlpha(1e6)));
    assert!(stiff.iter().any(|w| matches!(w, Warning::Underfitted { .. })), "{stiff:?}");
    assert!(!stiff.iter().any(|w| matches!(w, Warning::PoorFit { .. })), "{stiff:?}");
    let negative: Vec<f64> = problem.data().iter().map(|g| -g).collect();
    let flipped = problem.with_data(&negative).unwrap();
    let wrong = MaxEnt::default().solve(&flipped).unwrap().report().warnings.clone();
    assert!(wrong.iter().any(|w| matches!(w, Warning::PoorFit { .. })), "{wrong:?}");
    // Of complex data, which may as well be the conjugate of those of the mirror image.
    assert!(wrong.contains(&Warning::Conjugate), "{wrong:?}");
    assert!(!stiff.contains(&Warning::Conjugate), "{stiff:?}");
    // Whatever keeps the fit from being judged: another prior, an alpha of one's own.
    for solver in [MaxEnt::default().kinetic(1.0), MaxEnt::default().alpha(FixedAlpha(10.0))] {
        let told = solver.solve(&flipped).unwrap().report().warnings.clone();
        assert!(told.contains(&Warning::Conjugate), "{told:?}");
    }
}

/// conj G(iω_n) = G(−iω_n): the imaginary part alone has the wrong sign, whatever the real part.
#[test]
fn conjugated_matsubara_data_are_told_so() {
    let grid = FrequencyGrid::uniform(-4.0, 4.0, 81).unwrap();
    let omega = crate::kernel::Matsubara::Fermion.frequencies(10.0, 20).unwrap();
    for centre in [-0.5, 0.0, 1.2] {
        let truth = |w: f64| (-2.0 * (w - centre).powi(2)).exp() * 0.797_884_560_802_865_4;
        let truth = Spectrum::from_fn(grid.clone(), truth).unwrap();
        let silent = Measurement::with_uniform_error(&omega, &[0.0; 40], 1e-4).unwrap();
        let silent = Problem::new(&crate::kernel::FermionMatsubara, &silent, &grid).unwrap();
        let good = silent.back_continue(&truth.weights()).unwrap();
        let told = |signs: [f64; 2]| {
            let data: Vec<f64> = good.iter().enumerate().map(|(i, g)| signs[i / 20] * g).collect();
            let problem = silent.with_data(&data).unwrap();
            MaxEnt::default().solve(&problem).unwrap().report().clone()
        };
        let sound = told([1.0, 1.0]);
        assert!(!sound.warnings.contains(&Warning::Conjugate), "{centre}: {sound}");
        for signs in [[1.0, -1.0], [-1.0, -1.0]] {
            let report = told(signs);
            assert!(report.warnings.contains(&Warning::Conjugate), "{centre}: {report}");
            let page = report.to_string();
            let first = page.lines().find(|l| l.starts_with("warning")).unwrap();
            assert!(first.contains("G(-iw_n)") && first.contains("multiply the data by -1"));
        }
    }
}

/// Im ω/(iν_n − ω) is odd in ω: of the imaginary part, and of ν_0 = 0 where it is zero, no sign follows, on a grid of
/// both signs; of the real part, the sign of the whole.
#[test]
fn bosonic_matsubara_data_of_the_wrong_sign_are_told_so() {
    let nu = crate::kernel::Matsubara::Boson.frequencies(10.0, 10).unwrap();
    assert_eq!(nu[0], 0.0);
    let wrong_sign = |w: &Warning| matches!(w, Warning::OppositeSign | Warning::Conjugate);
    for (least, largest) in [(-5.0, 5.0), (-5.0, 6.0), (0.0, 5.0)] {
        let grid = FrequencyGrid::uniform(least, largest, 111).unwrap();
        for centre in [-1.5, 0.3, 1.5].into_iter().filter(|&centre| centre > least) {
            let truth = |w: f64| (-2.0 * (w - centre).powi(2)).exp();
            let truth = Spectrum::from_fn(grid.clone(), truth).unwrap();
            let silent = Measurement::with_uniform_error(&nu, &[0.0; 20], 1e-4).unwrap();
            let silent = Problem::new(&crate::kernel::BosonMatsubara, &silent, &grid).unwrap();
            let good = silent.back_continue(&truth.weights()).unwrap();
            let told = |sign: f64, error: f64| {
                let off = |i: usize| if i.is_multiple_of(3) { error } else { -error };
                let data: Vec<f64> =
                    good.iter().enumerate().map(|(i, g)| sign * (g + off(i))).collect();
                let problem = silent.with_data(&data).unwrap();
                MaxEnt::default().solve(&problem).unwrap().report().warnings.clone()
            };
            let case = format!("[{least}, {largest}], {centre}");
            let sound = told(1.0, 0.0);
            assert!(!sound.iter().any(wrong_sign), "{case}: {sound:?}");
            // A fit that is poor for another reason says nothing of the sign.
            let poor = told(1.0, 2e-3);
            let is_poor = |w: &Warning| matches!(w, Warning::PoorFit { .. });
            assert!(poor.iter().any(is_poor) && !poor.iter().any(wrong_sign), "{case}: {poor:?}");
            for error in [0.0, 2e-3] {
                let wrong = told(-1.0, error);
                assert!(wrong.contains(&Warning::OppositeSign), "{case}: {wrong:?}");
                assert!(!wrong.contains(&Warning::Conjugate), "{case}: {wrong:?}");
            }
        }
    }
}
