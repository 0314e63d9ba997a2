//! The options of maximum entropy: what they do to spectra whose truth is known.

use crate::bench::{Bench, gaussians, l1_error, linspace, numbers, synthetic, table};
use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{FermionMatsubara, FermionTime, Matsubara, Real};
use serde_json::Value;

const BETA: f64 = 10.0;
const SIGMA: f64 = 1e-4;
const PEAKS: &[(f64, f64, f64)] = &[(0.4, -1.5, 0.6), (0.6, 1.2, 0.5)];
const TAU: &str = "--kernel fermion-tau --beta 10 --omega -6:6:121";

/// A bench with the file `data.txt` of columns τ, G(τ), error, and bins of the same noise in `bins.txt`.
fn bench(name: &str) -> Bench {
    let bench = Bench::new(&format!("maxent-{name}"));
    let tau = linspace(0.0, BETA, 41);
    let kernel = FermionTime::new(BETA).expect("a kernel");
    let exact = synthetic(&kernel, &tau, (-6.0, 6.0), |w| gaussians(w, PEAKS), 0.0, 1);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let count = 300;
    let single = SIGMA * f64::from(count).sqrt();
    let bins: Vec<Vec<f64>> = (0..count)
        .map(|_| exact.iter().map(|g| g + single * f64::standard_normal(&mut rng)).collect())
        .collect();
    let mean: Vec<f64> =
        (0..tau.len()).map(|i| bins.iter().map(|b| b[i]).sum::<f64>() / f64::from(count)).collect();
    let columns: Vec<Vec<f64>> =
        (0..tau.len()).map(|i| bins.iter().map(|b| b[i]).collect()).collect();
    let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    bench.file("bins.txt", &table(&columns));
    bench.file("data.txt", &table(&[&tau, &mean, &vec![SIGMA; tau.len()]]));
    bench
}

fn error(spectrum: &[Vec<f64>]) -> f64 {
    l1_error(&spectrum[0], &spectrum[1], |w| gaussians(w, PEAKS))
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key}: {}", report[key]))
}

#[test]
fn every_rule_for_alpha() {
    let bench = bench("rules");
    let rules = ["gcv", "cp", "chi2kink", "linefit", "curvature", "classic", "bryan", "historic"];
    for rule in rules {
        let (spectrum, report) = bench.solve(&format!("{TAU} --alpha {rule} data.txt"));
        assert_eq!(report["status"], "converged", "{rule}");
        // What is said to find less is allowed to.
        let limit = if ["classic", "bryan"].contains(&rule) { 0.4 } else { 0.2 };
        assert!(error(&spectrum) < limit, "{rule}: {}", error(&spectrum));
        assert!(number(&report, "alpha") > 0.0);
    }
    // The interval a rule would accept holds what it chose.
    let (_, report) = bench.solve(&format!("{TAU} --alpha gcv data.txt"));
    let interval = numbers(&report, "alpha_interval");
    let alpha = number(&report, "alpha");
    assert!(interval[0] <= alpha && alpha <= interval[1], "{interval:?} {alpha}");
    assert!(number(&report, "alpha_spread") >= 0.0);
}

#[test]
fn norm_preblur_tolerance_and_default_models() {
    let bench = bench("options");
    let (_, free) = bench.solve(&format!("{TAU} data.txt"));
    let (_, fixed) = bench.solve(&format!("{TAU} --fix-norm data.txt"));
    assert!((number(&free, "norm") - 1.0).abs() > 1e-9);
    assert!((number(&fixed, "norm") - 1.0).abs() < 1e-12);
    let (spectrum, report) = bench.solve(&format!("{TAU} --preblur 0.3 data.txt"));
    assert!(error(&spectrum) < 0.2 && report["status"] == "converged");
    let (_, tight) = bench.solve(&format!("{TAU} --alpha 10 --tolerance 5e-15 data.txt"));
    assert!(number(&tight, "relative_gap") <= 5e-15);
    for model in ["lorentzian:0:2", "moments:0.1:2.5", "gaussian:-1.5:1:0.4+gaussian:1.2:1:0.6"] {
        let (spectrum, _) = bench.solve(&format!("{TAU} --default {model} data.txt"));
        assert!(error(&spectrum) < 0.2, "{model}: {}", error(&spectrum));
    }
    // Far above every eigenvalue of the data's term the answer is the default model.
    let (spectrum, _) =
        bench.solve(&format!("{TAU} --default moments:0.5:1 --alpha 1e16 data.txt"));
    let model = |w: f64| gaussians(w, &[(1.0, 0.5, 1.0)]);
    let distance = l1_error(&spectrum[0], &spectrum[1], model);
    assert!(distance < 1e-3, "{distance}");
    // Another entropy, another spectrum that fits as well.
    let (skilling, _) = bench.solve(&format!("{TAU} data.txt"));
    let (spectrum, report) =
        bench.solve(&format!("{TAU} --entropy bayesian-reconstruction data.txt"));
    assert!(spectrum[1].iter().all(|&a| a > 0.0) && spectrum != skilling);
    let chi2 = number(&report, "chi2") / number(&report, "n_data");
    assert!((0.4..1.4).contains(&chi2) && report["status"] == "converged", "{report}");
}

#[test]
fn the_kinetic_weight_is_chosen_together_with_alpha() {
    let bench = bench("kinetic");
    let (plain, _) = bench.solve(&format!("{TAU} data.txt"));
    let (spectrum, report) = bench.solve(&format!("{TAU} --kinetic auto data.txt"));
    assert!(number(&report, "kinetic") > 0.0, "{report}");
    assert!(error(&spectrum) < error(&plain), "{} {}", error(&spectrum), error(&plain));
}

#[test]
fn bands_from_bins_and_from_noise() {
    let bench = bench("bands");
    for noise in ["--bins bins.txt ", ""] {
        let options = format!("{TAU} {noise}--bootstrap 40 data.txt");
        let (spectrum, report) = bench.solve(&options);
        assert!(
            bench.read("spectrum.txt").starts_with("# omega  A(omega)  deviation  low  high\n")
        );
        assert_eq!(spectrum.len(), 5);
        let centre = 72;
        assert!((spectrum[0][centre] - 1.2).abs() < 1e-9);
        assert!(spectrum[2].iter().all(|&d| d >= 0.0));
        assert!(spectrum[3].iter().zip(&spectrum[4]).all(|(low, high)| low <= high));
        assert!(spectrum[2][centre] > 0.0 && spectrum[2][centre] < 0.2 * spectrum[1][centre]);
        assert_eq!(report["bands"]["replicas"], 40);
        assert_eq!(bench.solve(&options).0, spectrum, "another run");
        let other = bench.solve(&format!("{options} --seed 2")).0;
        assert_eq!(other[1], spectrum[1]);
        assert!(other[2] != spectrum[2]);
    }
}

#[test]
fn bins_are_averaged_and_shrunk() {
    let bench = bench("bins");
    let noise = |options: &str| {
        let (_, report) = bench.solve(&format!("{TAU} --bins bins.txt {options} data.txt"));
        report["noise"].as_str().expect("a text").to_owned()
    };
    assert!(noise("").contains("Hartlap"), "{}", noise(""));
    for shrunk in ["--shrink", "--rebin 10"] {
        assert!(noise(shrunk).contains("shr"), "{}", noise(shrunk));
    }
    // Independent bins are left as they are.
    assert_eq!(noise("--rebin auto"), noise(""));
}

#[test]
fn weights_between_frequencies() {
    let bench = bench("window");
    let (_, report) = bench.solve(&format!("{TAU} --window -6:-0.2,-0.2:6 data.txt"));
    let windows = report["windows"].as_array().expect("windows");
    assert_eq!(windows.len(), 2);
    for (window, truth) in windows.iter().zip([0.4, 0.6]) {
        let (value, deviation) =
            (number(&window["weight"], "value"), number(&window["weight"], "deviation"));
        assert!(deviation > 0.0 && deviation < 0.1, "{window}");
        assert!((value - truth).abs() < 4.0 * deviation + 0.02, "{window}");
    }
}

#[test]
fn self_energies() {
    // Two poles at ±1 broadened to Gaussians, Hartree term 0.7, norm 2.25.
    let bench = Bench::new("maxent-self-energy");
    let wn = Matsubara::Fermion.frequencies(BETA, 60).expect("frequencies");
    let sigma = |w: f64| 2.25 * gaussians(w, &[(0.5, -1.0, 0.3), (0.5, 1.0, 0.3)]);
    let values = synthetic(&FermionMatsubara, &wn, (-4.0, 4.0), sigma, 1e-4, 3);
    let (re, im) = values.split_at(wn.len());
    let re: Vec<f64> = re.iter().map(|v| v + 0.7).collect();
    bench.file("sigma.txt", &table(&[&wn, &re, im, &vec![1e-4; wn.len()]]));
    let options = "--kernel fermion-matsubara --beta 10 --omega -4:4:161 --self-energy";
    for known in ["", " --hartree 0.7 --norm 2.25"] {
        let (spectrum, report) = bench.solve(&format!("{options}{known} sigma.txt"));
        assert_eq!(spectrum.len(), 4, "omega, density, Re, Im");
        let density = l1_error(&spectrum[0], &spectrum[1], |w| sigma(w) / 2.25);
        assert!(density < 0.15, "{density}");
        let (hartree, norm) = (&report["self_energy"]["hartree"], &report["self_energy"]["norm"]);
        assert!((number(hartree, "value") - 0.7).abs() < 2e-3, "{hartree}");
        assert!((number(norm, "value") - 2.25).abs() < 0.03, "{norm}");
        for j in 0..spectrum[0].len() {
            // Im Σ = −π s A.
            let expected = -std::f64::consts::PI * number(norm, "value") * spectrum[1][j];
            assert!((spectrum[3][j] - expected).abs() < 1e-9 * expected.abs().max(1.0));
        }
        // Far away Re Σ approaches Σ_H + s/ω.
        let last = spectrum[0].len() - 1;
        let tail = 0.7 + 2.25 / spectrum[0][last] * (1.0 + 1.09 / spectrum[0][last].powi(2));
        assert!((spectrum[2][last] - tail).abs() < 0.03, "{} {tail}", spectrum[2][last]);
    }
}

#[test]
fn spectra_of_either_sign() {
    let bench = Bench::new("maxent-signed");
    let tau = linspace(0.0, BETA, 41);
    let truth = |w: f64| gaussians(w, &[(0.5, -1.0, 0.5), (-0.5, 1.0, 0.5)]);
    let kernel = FermionTime::new(BETA).expect("a kernel");
    let g = synthetic(&kernel, &tau, (-6.0, 6.0), truth, SIGMA, 9);
    bench.file("data.txt", &table(&[&tau, &g, &vec![SIGMA; tau.len()]]));
    let (spectrum, _) = bench.solve(&format!("{TAU} --entropy positive-negative data.txt"));
    let error = l1_error(&spectrum[0], &spectrum[1], truth);
    assert!(error < 0.3, "{error}");
    assert!(spectrum[1].iter().any(|&a| a < -0.1));
}

#[test]
fn symmetric_fermions_have_half_the_norm() {
    let bench = Bench::new("maxent-symmetric");
    let tau = linspace(0.0, BETA, 41);
    let truth = |w: f64| gaussians(w, &[(0.5, 1.3, 0.4), (0.5, -1.3, 0.4)]);
    let kernel = FermionTime::new(BETA).expect("a kernel");
    let g = synthetic(&kernel, &tau, (-6.0, 6.0), truth, SIGMA, 11);
    bench.file("data.txt", &table(&[&tau, &g, &vec![SIGMA; tau.len()]]));
    let options = "--kernel fermion-tau-symmetric --beta 10 --omega 0:6:61 data.txt";
    let (spectrum, report) = bench.solve(options);
    let error = l1_error(&spectrum[0], &spectrum[1], truth);
    assert!(error < 0.15, "{error}");
    assert!((number(&report, "norm") - 0.5).abs() < 1e-3);
    let warnings = report["warnings"].as_array().expect("warnings");
    assert!(warnings.iter().all(|w| !w.as_str().expect("a text").contains("norm")), "{report}");
    // The same at Matsubara frequencies, Im G alone.
    let wn = Matsubara::Fermion.frequencies(BETA, 30).expect("frequencies");
    let values = synthetic(&FermionMatsubara, &wn, (-6.0, 6.0), truth, SIGMA, 12);
    bench.file("im.txt", &table(&[&wn, &values[wn.len()..], &vec![SIGMA; wn.len()]]));
    let options = "--kernel fermion-matsubara-symmetric --beta 10 --omega 0:6:61 im.txt";
    let (spectrum, _) = bench.solve(options);
    assert!(l1_error(&spectrum[0], &spectrum[1], truth) < 0.2);
}

#[test]
fn the_page_can_be_left_out() {
    let bench = bench("quiet");
    let run = bench.run(&format!("{TAU} --quiet data.txt"));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.starts_with("# omega"));
}
