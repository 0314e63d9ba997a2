//! Good input: spectra of synthetic data, and what the options do to them.

use crate::bench::{Bench, columns, gaussians, l1_error, linspace, numbers, synthetic, table};
use fredholm::rand::SeedableRng;
use fredholm::rand::rngs::ChaCha8Rng;
use fredholm::{BosonMatsubaraSymmetric, BosonTime, FermionMatsubara, FermionTime, Real};
use std::f64::consts::PI;

const BETA: f64 = 10.0;
const SIGMA: f64 = 1e-4;
const PEAKS: &[(f64, f64, f64)] = &[(0.4, -1.5, 0.6), (0.6, 1.2, 0.5)];
const TAU: &str = "--kernel fermion-tau --beta 10 --omega -6:6:121";

/// τ and G(τ) of [`PEAKS`].
fn fermion() -> (Vec<f64>, Vec<f64>) {
    let tau = linspace(0.0, BETA, 61);
    let kernel = FermionTime::new(BETA).expect("a kernel");
    let g = synthetic(&kernel, &tau, (-6.0, 6.0), |w| gaussians(w, PEAKS), SIGMA, 1);
    (tau, g)
}

/// A bench with the file `data.txt` of columns τ, G(τ), error.
fn fermion_bench(name: &str) -> Bench {
    let bench = Bench::new(name);
    let (tau, g) = fermion();
    let error = vec![SIGMA; g.len()];
    bench.file("data.txt", &table(&[&tau, &g, &error]));
    bench
}

fn chi2_per_datum(report: &serde_json::Value) -> f64 {
    report["chi2"].as_f64().expect("chi2") / report["n_data"].as_f64().expect("n_data")
}

#[test]
fn fermion_in_imaginary_time() {
    let bench = fermion_bench("fermion-time");
    for rule in ["gcv", "chi2kink"] {
        let (spectrum, report) = bench.solve(&format!("{TAU} --alpha {rule} data.txt"));
        assert_eq!(spectrum.len(), 2);
        let error = l1_error(&spectrum[0], &spectrum[1], |w| gaussians(w, PEAKS));
        assert!(error < 0.15, "{rule}: L1 error {error}");
        assert!((0.4..1.4).contains(&chi2_per_datum(&report)), "{rule}: {report}");
        assert!(spectrum[1].iter().all(|&a| a > 0.0));
        assert_eq!(report["status"], "converged");
        let norm = report["norm"].as_f64().expect("norm");
        assert!((norm - 1.0).abs() < 1e-3, "{rule}: norm {norm}");
    }
    assert!(bench.read("spectrum.txt").starts_with("# omega  A(omega)\n"));
}

#[test]
fn complex_data() {
    let bench = Bench::new("complex");
    let omega: Vec<f64> = (0..25).map(|n| f64::from(2 * n + 1) * PI / BETA).collect();
    let g = synthetic(&FermionMatsubara, &omega, (-6.0, 6.0), |w| gaussians(w, PEAKS), SIGMA, 2);
    let (re, im) = g.split_at(omega.len());
    let error = vec![SIGMA; omega.len()];
    bench.file("none.txt", &table(&[&omega, re, im]));
    bench.file("one.txt", &table(&[&omega, re, im, &error]));
    bench.file("both.txt", &table(&[&omega, re, im, &error, &error]));
    let options = "--kernel fermion-matsubara --beta 10 --omega -6:6:121";
    let (spectrum, report) = bench.solve(&format!("{options} both.txt"));
    let l1 = l1_error(&spectrum[0], &spectrum[1], |w| gaussians(w, PEAKS));
    assert!(l1 < 0.15, "L1 error {l1}");
    assert!((0.4..1.4).contains(&chi2_per_datum(&report)), "{report}");
    assert_eq!(report["n_data"], 50);
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(0), "{report}");
    // Real parts, then imaginary parts.
    assert_eq!(numbers(&report, "data"), g);
    let furthest =
        numbers(&report, "fit").iter().zip(&g).map(|(f, g)| (f - g).abs()).fold(0.0, f64::max);
    assert!(furthest < 5.0 * SIGMA, "{furthest}");
    // The other ways to say the same.
    for same in [format!("{options} one.txt"), format!("{options} --error {SIGMA:e} none.txt")] {
        assert_eq!(bench.solve(&same).0, spectrum, "{same}");
    }
    // Errors of the parts in their order: the imaginary parts alone decide if the real ones say nothing.
    bench.file("im.txt", &table(&[&omega, re, im, &vec![1e3; omega.len()], &error]));
    let (_, report) = bench.solve(&format!("{options} im.txt"));
    assert_eq!(numbers(&report, "sigma")[0], 1e3);
    assert_eq!(numbers(&report, "sigma")[omega.len()], SIGMA);
    // A beta that is not that of the frequencies.
    let other = options.replace("--beta 10", "--beta 11");
    let run = bench.run(&format!("{other} --report report.json both.txt"));
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("warning       --beta 11 does not fit both.txt"), "{}", run.stderr);
    assert!(bench.read("report.json").contains("does not fit both.txt"));
}

#[test]
fn boson_has_a_third_column() {
    let bench = Bench::new("boson");
    let tau = linspace(0.0, BETA, 61);
    // A(ω)/ω, even as for a Hermitian operator.
    let density = |w: f64| gaussians(w, &[(0.5, -1.0, 0.5), (0.5, 1.0, 0.5)]);
    let g =
        synthetic(&BosonTime::new(BETA).expect("a kernel"), &tau, (-6.0, 6.0), density, SIGMA, 3);
    bench.file("data.txt", &table(&[&tau, &g, &vec![SIGMA; g.len()]]));
    let (spectrum, report) = bench.solve("--kernel boson-tau --beta 10 --omega -6:6:121 data.txt");
    assert!(bench.read("spectrum.txt").starts_with("# omega  A(omega)/omega  A(omega)\n"));
    assert_eq!(spectrum.len(), 3);
    for i in 0..spectrum[0].len() {
        assert_eq!(spectrum[2][i], spectrum[0][i] * spectrum[1][i]);
    }
    let error = l1_error(&spectrum[0], &spectrum[1], density);
    assert!(error < 0.25, "L1 error {error}");
    assert!((0.4..1.4).contains(&chi2_per_datum(&report)), "{report}");
}

#[test]
fn susceptibility_on_the_half_line() {
    let bench = Bench::new("susceptibility");
    let nu: Vec<f64> = (0..25).map(|n| f64::from(2 * n) * PI / BETA).collect();
    let density = |w: f64| gaussians(w, &[(0.6, 0.0, 0.8), (0.7, 2.0, 0.5)]);
    let kernel = BosonMatsubaraSymmetric;
    let g = synthetic(&kernel, &nu, (0.0, 6.0), density, SIGMA, 4);
    bench.file("data.txt", &table(&[&nu, &g, &vec![SIGMA; g.len()]]));
    let options = "--kernel boson-matsubara-symmetric --beta 10 --omega 0:6:101 data.txt";
    let (spectrum, report) = bench.solve(options);
    let header = "# omega  (2/pi) chi''(omega)/omega  A(omega)\n";
    assert!(bench.read("spectrum.txt").starts_with(header));
    let error = l1_error(&spectrum[0], &spectrum[1], density);
    assert!(error < 0.25, "L1 error {error}");
    assert!((0.4..1.4).contains(&chi2_per_datum(&report)), "{report}");
    for i in 0..spectrum[0].len() {
        assert_eq!(spectrum[2][i], 0.5 * spectrum[0][i] * spectrum[1][i]);
    }
}

#[test]
fn report_and_plot() {
    let bench = fermion_bench("report");
    let (_, report) = bench.solve(&format!("{TAU} --kinetic 0.01 --plot plot.svg data.txt"));
    for key in ["alpha", "kinetic", "chi2", "n_data", "entropy", "gap", "l1_bound", "iterations"] {
        assert!(report[key].is_number(), "{key}: {}", report[key]);
    }
    assert_eq!(report["kinetic"], 0.01);
    assert!(report["status"].is_string() && report["warnings"].is_array());
    let (tau, g) = fermion();
    assert_eq!(numbers(&report, "x"), tau);
    assert_eq!(numbers(&report, "data"), g);
    let fit = numbers(&report, "fit");
    let chi2: f64 = fit.iter().zip(&g).map(|(f, g)| ((f - g) / SIGMA).powi(2)).sum();
    let reported = report["chi2"].as_f64().expect("chi2");
    assert!((chi2 / reported - 1.0).abs() < 1e-9, "{chi2} {reported}");
    let relative = report["relative_gap"].as_f64().expect("relative gap");
    assert!((0.0..1e-8).contains(&relative), "{relative}");
    let plot = bench.read("plot.svg");
    assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"));
    for text in ["default model", "spectrum", "data", "fit", "Residuals", "A(ω)"] {
        assert!(plot.contains(text), "no `{text}` in the plot");
    }
    let names = ["data.txt", "plot.svg", "report.json", "spectrum.txt"].map(String::from);
    assert_eq!(bench.files(), names.into());

    // Methods without an entropy say null.
    let (spectrum, report) = bench.solve(&format!("{TAU} --method fista --lambda 0.1 data.txt"));
    for key in ["alpha", "kinetic", "entropy", "l1_bound"] {
        assert!(report[key].is_null(), "{key}: {}", report[key]);
    }
    assert!(report["iterations"].is_number());
    assert_eq!(report["lambda"], 0.1);
    assert!(spectrum[1].iter().all(|&a| a >= 0.0));
}

/// 0.8 N(1, 0.8) + 0.2 N(2.2, 0.4), β = 100, noise 10⁻⁶.
#[test]
fn sparse_modelling_resolves_two_peaks() {
    let bench = Bench::new("sparse");
    let tau = linspace(0.0, 100.0, 201);
    let kernel = FermionTime::new(100.0).expect("a kernel");
    let truth = |w| gaussians(w, &[(0.8, 1.0, 0.8), (0.2, 2.2, 0.4)]);
    let g = synthetic(&kernel, &tau, (-5.0, 8.0), truth, 1e-6, 11);
    bench.file("data.txt", &table(&[&tau, &g, &vec![1e-6; g.len()]]));
    for norm in ["", "--norm 1"] {
        let (spectrum, report) = bench.solve(&format!(
            "--kernel fermion-tau --beta 100 --omega -3:6:201 --method sparse {norm} data.txt"
        ));
        let (omega, values) = (&spectrum[0], &spectrum[1]);
        let error = l1_error(omega, values, truth);
        assert!(error <= 0.10, "L1 error {error}");
        let maximum_between = |from: f64, to: f64| {
            (1..omega.len() - 1).any(|i| {
                (from..to).contains(&omega[i])
                    && values[i] > values[i - 1]
                    && values[i] > values[i + 1]
            })
        };
        assert!(maximum_between(0.7, 1.4) && maximum_between(1.6, 2.5), "{values:?}");
        assert!((report["norm"].as_f64().expect("norm") - 1.0).abs() < 1e-5);
        assert_eq!(
            (&report["status"], &report["rule"]),
            (&"converged".into(), &"discrepancy".into())
        );
    }
}

#[test]
fn penalties_and_the_rules_for_their_weight() {
    let bench = fermion_bench("penalties");
    let truth = |w| gaussians(w, PEAKS);
    let cases = [
        ("sparse --norm 1 --lambda discrepancy", "discrepancy", 0.15),
        ("sparse --norm 1 --lambda gcv", "gcv", 0.15),
        ("sparse --norm 1 --lambda cv", "cross-validation", 0.15),
        ("sparse --norm 1 --lambda elbow", "elbow", 0.3),
        ("nnls", "gcv", 0.15),
        ("nnls --lambda discrepancy", "discrepancy", 0.15),
        ("ridge", "gcv", 0.3),
        ("ridge --lambda discrepancy", "discrepancy", 0.3),
    ];
    for (method, rule, bound) in cases {
        let (spectrum, report) = bench.solve(&format!("{TAU} --method {method} data.txt"));
        let error = l1_error(&spectrum[0], &spectrum[1], truth);
        assert!(error < bound, "{method}: L1 error {error}");
        assert_eq!(report["rule"], rule, "{method}");
        assert!(report["alpha"].is_null());
        // The weight found is the weight that gives the same answer.
        let lambda = report["lambda"].as_f64().expect("lambda");
        let name = method.split(" --lambda").next().expect("a method");
        let (again, fixed) =
            bench.solve(&format!("{TAU} --method {name} --lambda {lambda:e} data.txt"));
        assert_eq!(fixed["rule"], "fixed");
        for (a, b) in again[1].iter().zip(&spectrum[1]) {
            assert!((a - b).abs() < 1e-6, "{method}: {a} {b}");
        }
        let negative = spectrum[1].iter().any(|&a| a < 0.0);
        assert!(method.starts_with("ridge") || !negative, "{method}");
    }
}

#[test]
fn spectrum_on_standard_output() {
    let bench = fermion_bench("standard-output");
    bench.solve(&format!("{TAU} data.txt"));
    let run = bench.run(&format!("{TAU} data.txt"));
    assert_eq!(run.stdout, bench.read("spectrum.txt"));
    for part in ["status        converged", "chi2", "certificate", "alpha"] {
        assert!(run.stderr.contains(part), "no `{part}` in {}", run.stderr);
    }
}

#[test]
fn help_names_every_option() {
    let run = Bench::new("help").run("--help");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let options = "--kernel --beta --scale --rows --omega --error --covariance --covariance-cut --bins \
                   --rebin --shrink --method --default --norm --fix-norm --alpha --kinetic --entropy \
                   --preblur --tolerance --window --self-energy --hartree --lambda --iterations \
                   --bootstrap --seed --output --report --quiet --plot --help fermion-tau \
                   fermion-matsubara fermion-tau-symmetric fermion-matsubara-symmetric boson-tau \
                   boson-matsubara boson-tau-symmetric boson-matsubara-symmetric laplace maxent fista \
                   sparse nnls ridge gcv cp chi2kink linefit curvature classic bryan historic \
                   discrepancy elbow cv";
    for option in options.split_whitespace() {
        assert!(run.stdout.contains(&format!("  {option} ")), "no `{option}` in {}", run.stdout);
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{}", run.stdout);
}

#[test]
fn scale() {
    let bench = fermion_bench("scale");
    let (tau, g) = fermion();
    let times = |factor: f64, v: &[f64]| -> Vec<f64> { v.iter().map(|v| factor * v).collect() };
    let errors = vec![SIGMA; g.len()];
    bench.file("minus.txt", &table(&[&tau, &times(-1.0, &g), &errors]));
    bench.file("quarter.txt", &table(&[&tau, &times(-0.25, &g), &times(0.25, &errors)]));
    let (spectrum, report) = bench.solve(&format!("{TAU} data.txt"));
    for (file, scale) in [("minus.txt", "-1"), ("quarter.txt", "-4")] {
        let (same, again) = bench.solve(&format!("{TAU} --scale {scale} {file}"));
        assert_eq!(same, spectrum, "{file}");
        assert_eq!(again["chi2"], report["chi2"], "{file}");
    }
    // --error is in the units of the file.
    let option = format!("--scale -4 --error {:e}", 0.25 * SIGMA);
    assert_eq!(bench.solve(&format!("{TAU} {option} quarter.txt")).0, spectrum);
    // Data of the wrong sign are noticed.
    let run = bench.run(&format!("{TAU} minus.txt"));
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn rows() {
    let bench = fermion_bench("rows");
    let lines = bench.read("data.txt");
    let some: String = lines.lines().skip(2).take(20).fold(String::new(), |t, l| t + l + "\n");
    bench.file("some.txt", &some);
    bench.file("commented.txt", &lines.replacen('\n', "\n# comment\n\n", 2));
    let (spectrum, report) = bench.solve(&format!("{TAU} some.txt"));
    assert_eq!(report["n_data"], 20);
    for file in ["data.txt", "commented.txt"] {
        assert_eq!(bench.solve(&format!("{TAU} --rows 3:22 {file}")).0, spectrum, "{file}");
    }
    bench.file("commas.txt", &some.replace(' ', ", ").replace(", \n", "\r\n"));
    assert_eq!(bench.solve(&format!("{TAU} commas.txt")).0, spectrum);
}

#[test]
fn diagonal_covariance_is_error_bars() {
    let bench = Bench::new("covariance");
    let (tau, g) = fermion();
    let n = tau.len();
    let errors: Vec<f64> = (0..n).map(|i| SIGMA * (1.0 + 0.05 * i as f64)).collect();
    let diagonal = |errors: &[f64]| {
        let row = |i: usize| {
            (0..errors.len()).map(|j| if i == j { errors[i] * errors[i] } else { 0.0 }).collect()
        };
        let rows: Vec<Vec<f64>> = (0..errors.len()).map(row).collect();
        table(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    bench.file("errors.txt", &table(&[&tau, &g, &errors]));
    bench.file("bare.txt", &table(&[&tau, &g]));
    bench.file("c.txt", &diagonal(&errors));
    bench.file("c-some.txt", &diagonal(&errors[2..22]));
    let scale = |s: &Vec<f64>| s.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let options = format!("{TAU} --alpha 1");
    for (with_errors, with_covariances) in [
        ("errors.txt", ["--covariance c.txt bare.txt", "--covariance c.txt errors.txt"]),
        (
            "--rows 3:22 errors.txt",
            [
                "--rows 3:22 --covariance c.txt bare.txt",
                "--rows 3:22 --covariance c-some.txt bare.txt",
            ],
        ),
        ("--scale 2 errors.txt", ["--scale 2 --covariance c.txt bare.txt"; 2]),
    ] {
        let (expected, report) = bench.solve(&format!("{options} {with_errors}"));
        for with_covariance in with_covariances {
            let (found, again) = bench.solve(&format!("{options} {with_covariance}"));
            assert_eq!(again["n_data"], report["n_data"]);
            for (a, b) in found[1].iter().zip(&expected[1]) {
                assert!((a - b).abs() < 1e-8 * scale(&expected[1]), "{with_covariance}: {a} {b}");
            }
        }
    }
}

#[test]
fn bins() {
    let bench = Bench::new("bins");
    let (tau, exact) = fermion();
    let (count, n) = (400, tau.len());
    // Independent bins whose mean has errors of about SIGMA.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let spread = SIGMA * f64::from(count).sqrt();
    let bins: Vec<Vec<f64>> = (0..count)
        .map(|_| exact.iter().map(|g| g + spread * f64::standard_normal(&mut rng)).collect())
        .collect();
    let mean: Vec<f64> =
        (0..n).map(|i| bins.iter().map(|b| b[i]).sum::<f64>() / f64::from(count)).collect();
    let text = |range: std::ops::Range<usize>| {
        bins.iter().fold(String::new(), |t, bin| {
            let row: Vec<&[f64]> = bin[range.clone()].chunks(1).collect();
            t + &table(&row)
        })
    };
    bench.file("b.txt", &text(0..n));
    bench.file("b-some.txt", &text(2..22));
    bench.file("data.txt", &table(&[&tau, &mean]));
    let (spectrum, report) = bench.solve(&format!("{TAU} --bins b.txt data.txt"));
    assert_eq!(report["n_data"], n);
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(0), "{report}");
    let error = l1_error(&spectrum[0], &spectrum[1], |w| gaussians(w, PEAKS));
    assert!(error < 0.2, "L1 error {error}");
    let sigma = numbers(&report, "sigma");
    assert!(sigma.iter().all(|s| (0.8..1.2).contains(&(s / SIGMA))), "{sigma:?}");
    // Bins of the selected rows are those of all rows, cut.
    let (all, _) = bench.solve(&format!("{TAU} --rows 3:22 --bins b.txt data.txt"));
    let (some, _) = bench.solve(&format!("{TAU} --rows 3:22 --bins b-some.txt data.txt"));
    assert_eq!(all, some);
    // Data that are not the mean of the bins.
    let shifted: Vec<f64> = mean.iter().map(|g| g + 3.0 * SIGMA).collect();
    bench.file("shifted.txt", &table(&[&tau, &shifted]));
    let (_, report) = bench.solve(&format!("{TAU} --bins b.txt shifted.txt"));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("the data are not the mean of b.txt"), "{warnings}");
}

#[test]
fn frequency_grids() {
    let bench = fermion_bench("grids");
    let options = "--kernel fermion-tau --beta 10 --alpha 100";
    for shape in ["uniform", "tangent", "lorentzian", "hyperbolic"] {
        let (spectrum, _) = bench.solve(&format!("{options} --omega -6:6:101:{shape} data.txt"));
        let omega = &spectrum[0];
        assert_eq!((omega.len(), omega[0], omega[100]), (101, -6.0, 6.0), "{shape}");
        assert_eq!(omega[51] - omega[50] < 0.1, shape != "uniform", "{shape}");
        let error = l1_error(omega, &spectrum[1], |w| gaussians(w, PEAKS));
        assert!(error < 0.2, "{shape}: L1 error {error}");
    }
    // The same grid from a file, without and with weights.
    let (expected, _) = bench.solve(&format!("{options} --omega -6:6:101 data.txt"));
    bench.file("w.txt", &table(&[&expected[0]]));
    assert_eq!(bench.solve(&format!("{options} --omega w.txt data.txt")).0, expected);
    let halved = vec![0.06; expected[0].len()];
    bench.file("w.txt", &format!("# omega weight\n{}", table(&[&expected[0], &halved])));
    let (spectrum, _) = bench.solve(&format!("{options} --omega w.txt data.txt"));
    let norm = spectrum[1].iter().map(|a| 0.06 * a).sum::<f64>();
    assert!((norm - 1.0).abs() < 1e-2, "{norm}");
    // From 0 the dense region is at 0.
    let run = bench.run("--kernel laplace --omega 0:6:31:tangent --error 0.1 --alpha 1 data.txt");
    let omega = &columns(&run.stdout)[0];
    assert_eq!((omega[0], omega[30]), (0.0, 6.0));
    assert!(omega[1] < 0.5 * (omega[30] - omega[29]), "{omega:?}");
}

#[test]
fn default_model_and_norm() {
    let bench = fermion_bench("default-model");
    let model = |w: f64| gaussians(w, &[(1.0, 0.5, 2.0)]);
    // Where alpha is huge the default model is the answer.
    let options = format!("{TAU} --alpha 1e15 data.txt");
    let cases = [
        ("--default flat", 1.0),
        ("--default gaussian:0.5:2", 1.0),
        ("--default gaussian:0.5:2 --norm 3", 3.0),
        ("--default file.txt --norm 2", 2.0),
    ];
    // On another grid, coarser and wider.
    let omega = linspace(-8.0, 8.0, 801);
    let density: Vec<f64> = omega.iter().map(|&w| 7.0 * model(w)).collect();
    bench.file("file.txt", &table(&[&omega, &density]));
    for (option, norm) in cases {
        let (spectrum, report) = bench.solve(&format!("{option} {options}"));
        let mass: f64 = spectrum[0].iter().map(|&w| model(w) * 0.1).sum();
        let expected =
            |w: f64| norm * if option.contains("flat") { 1.0 / 12.0 } else { model(w) / mass };
        let error = l1_error(&spectrum[0], &spectrum[1], expected);
        assert!(error < 1e-2, "{option}: L1 distance {error}");
        let found = report["norm"].as_f64().expect("norm");
        assert!((found / norm - 1.0).abs() < 1e-6, "{option}: norm {found}");
        let entropy = report["entropy"].as_f64().expect("entropy");
        assert!(entropy.abs() < 1e-6, "{option}: entropy {entropy}");
    }
    bench.file("narrow.txt", "-2 1\n2 1\n");
    let (_, report) = bench.solve(&format!("{TAU} --alpha 1 --default narrow.txt data.txt"));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("narrow.txt ends within the frequency grid"), "{warnings}");
}

#[test]
fn kinetic_prior_smooths() {
    let bench = fermion_bench("kinetic");
    let variation = |kinetic: &str| {
        let (s, report) = bench.solve(&format!("{TAU} --alpha 1e-3 {kinetic} data.txt"));
        assert_eq!(report["alpha"], 1e-3);
        s[1].windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>()
    };
    let (without, with) = (variation(""), variation("--kinetic 1"));
    assert!(with < 0.9 * without, "{with} {without}");
}

#[test]
fn no_convergence_is_said() {
    let bench = fermion_bench("no-convergence");
    let options = format!("{TAU} --method ista --iterations 3 --report report.json data.txt");
    let run = bench.run(&options);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("warning       not converged: "), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&bench.read("report.json")).expect("JSON");
    assert_eq!(report["status"], "iteration limit");
    assert_eq!(report["iterations"], 3);
    assert!(report["warnings"].to_string().contains("not converged"), "{report}");
    assert_eq!(columns(&run.stdout)[0].len(), 121);
    // A rule that does not apply: error bars so large that the default model fits.
    let (spectrum, report) = bench.solve(&format!("{TAU} --alpha chi2kink --error 1e3 data.txt"));
    assert_eq!(report["status"], "no alpha");
    assert!(report["warnings"].to_string().contains("chi2kink found no alpha"), "{report}");
    assert!(spectrum[1].iter().all(|&a| a > 0.0));
}

#[test]
fn options_without_effect_are_said() {
    let bench = fermion_bench("no-effect");
    let (_, report) = bench.solve(&format!("{TAU} --method fista --alpha gcv data.txt"));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("--alpha has no effect with --method fista"), "{warnings}");
    // Once each, though several methods have them.
    let options = "--alpha 1 --lambda 1 --iterations 5 --method maxent";
    let (_, report) = bench.solve(&format!("{TAU} {options} data.txt"));
    let warnings: Vec<_> = report["warnings"].as_array().expect("warnings").iter().collect();
    let said = |option: &str| {
        let text = format!("{option} has no effect with --method maxent");
        warnings.iter().filter(|w| ***w == text).count()
    };
    assert_eq!((said("--lambda"), said("--iterations"), said("--alpha")), (1, 1, 0));
}
