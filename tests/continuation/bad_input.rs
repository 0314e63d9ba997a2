//! Bad input: exit status 2, one line that names the place, nothing written.

use crate::bench::Bench;

/// Data of a fermion in imaginary time, good in themselves.
const GOOD: &str = "# tau G error\n0 0.5 1e-3\n\n0.5 0.3 1e-3  # a comment\n1 0.25 1e-3\n1.5 0.3 1e-3\n2 0.5 1e-3\n";
const BARE: &str = "0 0.5\n1 0.25\n2 0.5\n";
const COMPLEX: &str = "1.5707963267948966 0.0 -0.5 1e-3\n4.71238898038469 0.0 -0.2 1e-3\n";
const TAU: &str = "--kernel fermion-tau --beta 2 --omega -4:4:21";

/// Runs the program on files, with everything it could write asked for, and returns its one line.
fn refusal(name: &str, files: &[(&str, &str)], arguments: &str) -> String {
    let bench = Bench::new(&format!("bad-{name}"));
    for (file, text) in files {
        bench.file(file, text);
    }
    let before = bench.files();
    let run =
        bench.run(&format!("{arguments} --output out.txt --report report.json --plot plot.svg"));
    assert_eq!(run.code, Some(2), "{name}: {}", run.stderr);
    assert_eq!(run.stdout, "", "{name}");
    assert_eq!(run.stderr.lines().count(), 1, "{name}: {}", run.stderr);
    assert!(run.stderr.ends_with('\n'), "{name}");
    assert_eq!(bench.files(), before, "{name}: something was written");
    run.stderr
}

/// As [`refusal`], on the file `data.txt`; the line must contain all of `parts`.
#[track_caller]
fn refused(name: &str, data: &str, options: &str, parts: &[&str]) {
    refused_with(name, &[("data.txt", data)], options, parts);
}

#[track_caller]
fn refused_with(name: &str, files: &[(&str, &str)], options: &str, parts: &[&str]) {
    let line = refusal(name, files, &format!("{options} data.txt"));
    for part in parts {
        assert!(line.contains(part), "{name}: no `{part}` in: {line}");
    }
}

#[test]
fn cells_of_the_data() {
    let at = |line: usize, column: usize| format!("data.txt, line {line}, column {column}");
    let cases = [
        ("word", "0 0.5 1e-3\n1 abc 1e-3\n", at(2, 2), "'abc': expected a number"),
        ("nan", "# x\n0 NaN 1e-3\n", at(2, 2), "'NaN': expected a finite number"),
        ("infinity", "0 0.5 1e-3\n1 -inf 1e-3\n", at(2, 2), "'-inf': expected a finite number"),
        ("overflow", "0 0.5 1e-3\n1 1e400 1e-3\n", at(2, 2), "'1e400': expected a finite number"),
        ("ragged", "0 0.5 1e-3\n\n1 0.5\n", at(3, 3), "'2 columns': expected 3, as on line 1"),
        ("long-row", "0 0.5\n1 0.5 1e-3\n", at(2, 3), "'3 columns': expected 2, as on line 1"),
        ("zero-error", "0 0.5 1e-3\n1 0.5 0\n", at(2, 3), "'0': expected a positive number"),
        ("negative-error", "0 0.5 1e-3\n1 0.5 -1e-3\n", at(2, 3), "'-0.001': expected a positive"),
        ("one-column", "0\n1\n", at(1, 2), "'1 columns': expected x g [error] for fermion-tau"),
        (
            "four-columns",
            "0 1 2 3\n",
            at(1, 4),
            "'4 columns': expected x g [error] for fermion-tau",
        ),
        ("empty-cell", "0, 0.5, 1e-3\n1, , 1e-3\n", at(2, 2), "'': expected a number"),
        (
            "tiny-error",
            "0 0.5 1e-3\n1 0.5 -1e-7\n",
            at(2, 3),
            "'-1e-7': expected a positive number",
        ),
        ("time", "0 0.5 1e-3\n2.5 0.5 1e-3\n", at(2, 1), "'2.5': expected an imaginary time"),
        ("not-utf8", "0 0.5\u{1b} 1e-3\n", at(1, 2), "expected a number"),
    ];
    for (name, data, place, complaint) in cases {
        refused(name, data, TAU, &[&place, complaint]);
    }
}

#[test]
fn cells_of_complex_data() {
    let options = "--kernel fermion-matsubara --beta 2 --omega -4:4:21";
    let first = COMPLEX.lines().next().expect("a line");
    refused("complex-columns", "1 2\n", options, &["data.txt, line 1, column 3", "x re im"]);
    refused("complex-many", "1 2 3 4 5 6\n", options, &["data.txt, line 1, column 6", "x re im"]);
    refused(
        "complex-error",
        &format!("{first} 1e-3\n4.7 0 -0.2 1e-3 -2\n"),
        options,
        &["data.txt, line 2, column 5", "'-2'", "positive"],
    );
    refused("zero-frequency", "0 1 1 1\n", options, &["data.txt, line 1, column 1", "'0'"]);
}

#[test]
fn files_as_a_whole() {
    refused("empty", "", TAU, &["data.txt: no data"]);
    refused("only-comments", "# nothing\n\n", TAU, &["data.txt: no data"]);
    refused(
        "no-noise",
        BARE,
        TAU,
        &["data.txt: no error column", "--error", "--covariance", "--bins"],
    );
    let line = refusal("missing", &[], &format!("{TAU} nowhere.txt"));
    assert!(line.contains("nowhere.txt: "), "{line}");
    let line = refusal("directory", &[], &format!("{TAU} ."));
    assert!(line.contains(".: "), "{line}");
}

#[test]
fn rows() {
    for range in ["0:3", "2:6", "4:3", "3", "a:b", "1:2:3", "-1:2"] {
        let name = format!("rows-{}", range.replace(':', "-"));
        let options = format!("{TAU} --rows {range}");
        refused(&name, GOOD, &options, &["--rows", &format!("'{range}'"), "LAST <= 5", "data.txt"]);
    }
    // Rows that are not used may hold what cannot be used, if it is a number.
    let data = "0 0.5 1e-3\n1 0.25 -1\n2 0.5 1e-3\n";
    refused("rows-used", data, &format!("{TAU} --rows 2:3"), &["line 2, column 3", "'-1'"]);
}

#[test]
fn grids() {
    let fermion = "--kernel fermion-tau --beta 2";
    let files = |omega| [("data.txt", GOOD), ("omega.txt", omega)];
    let cases = [
        ("unsorted", "-1\n0\n2\n1\n", "omega.txt, line 4, column 1: '1': expected increasing"),
        ("repeated", "-1\n0\n0\n", "omega.txt, line 3, column 1: '0': expected increasing"),
        ("weight", "-1 1\n0 0\n1 1\n", "omega.txt, line 2, column 2: '0': expected a positive"),
        ("columns", "-1 1 1\n", "omega.txt, line 1, column 3"),
        ("short", "0\n", "omega.txt: `points` is empty: expected at least 2"),
    ];
    for (name, omega, complaint) in cases {
        let options = format!("{fermion} --omega omega.txt");
        refused_with(&format!("omega-{name}"), &files(omega), &options, &[complaint]);
    }
    for (i, grid) in
        ["1:1:5", "2:1:5", "-1:1:1", "-1:1:x", "-1:1", "-1:nan:5", "-1:1:5:square", "-1:1:5:"]
            .into_iter()
            .enumerate()
    {
        let options = format!("{fermion} --omega {grid}");
        refused(&format!("omega-range-{i}"), GOOD, &options, &["--omega", &format!("'{grid}'")]);
    }
    refused("omega-none", GOOD, fermion, &["--omega is missing", "MIN:MAX:N", "FILE"]);
    refused(
        "omega-missing",
        GOOD,
        &format!("{fermion} --omega w.txt"),
        &["'w.txt': expected MIN:MAX:N"],
    );
    // Commas are what a first try may have.
    let commas = format!("{fermion} --omega -6,6,301");
    refused("omega-commas", GOOD, &commas, &["--omega '-6,6,301': expected MIN:MAX:N", "colons"]);
    let boson = "--kernel boson-tau-symmetric --beta 2";
    refused("half-line", GOOD, &format!("{boson} --omega -1:1:5"), &["--omega", "frequency >= 0"]);
    let options = format!("{boson} --omega omega.txt");
    let complaint = "omega.txt, line 1, column 1: '-1': expected a frequency >= 0";
    refused_with("half-line-file", &files("-1\n0\n1\n"), &options, &[complaint]);
}

#[test]
fn covariances() {
    let cases = [
        ("short-row", "1 0\n0 1\n", "c.txt, line 1, column 3: '2 columns': expected 3"),
        ("few-rows", "1 0 0\n0 1 0\n", "c.txt, line 2, column 1: '2 rows': expected 3"),
        ("many-rows", "1 0 0\n0 1 0\n0 0 1\n0 0 0\n", "c.txt, line 4, column 1: '4 rows'"),
        ("ragged", "1 0 0\n0 1\n", "c.txt, line 2, column 3"),
        (
            "asymmetric",
            "1 0 0\n# here\n0.5 1 0\n0 0 1\n",
            "c.txt, line 3, column 1: '0.5': expected 0",
        ),
        (
            "variance",
            "1 0 0\n0 -1 0\n0 0 1\n",
            "c.txt, line 2, column 2: '-1': expected a variance",
        ),
        ("indefinite", "1 2 0\n2 1 0\n0 0 1\n", "c.txt: `covariance` has eigenvalue -1"),
        ("zero", "0 0 0\n0 0 0\n0 0 0\n", "c.txt: `covariance`"),
        ("nan", "1 0 0\n0 nan 0\n0 0 1\n", "c.txt, line 2, column 2: 'nan'"),
    ];
    for (name, covariance, complaint) in cases {
        let files = [("data.txt", BARE), ("c.txt", covariance)];
        let options = format!("{TAU} --covariance c.txt");
        refused_with(&format!("covariance-{name}"), &files, &options, &[complaint]);
    }
    let options = format!("{TAU} --covariance c.txt --covariance-cut 1");
    let files = [("data.txt", BARE), ("c.txt", "1 0 0\n0 1 0\n0 0 1\n")];
    refused_with("covariance-cut", &files, &options, &["--covariance-cut '1'"]);
    // A matrix for all rows is cut to the rows used, and places are those of the file.
    let files = [("data.txt", BARE), ("c.txt", "1 0 0\n0 1 0\n0 0.5 1\n")];
    let options = format!("{TAU} --covariance c.txt --rows 2:3");
    refused_with(
        "covariance-rows",
        &files,
        &options,
        &["c.txt, line 3, column 2: '0.5': expected 0"],
    );
}

#[test]
fn bins() {
    let cases = [
        ("narrow", "1 2\n1 2\n", "b.txt, line 1, column 3: '2 columns': expected 3"),
        ("wide", "1 2 3 4\n1 2 3 4\n", "b.txt, line 1, column 4: '4 columns': expected 3"),
        ("ragged", "1 2 3\n1 2 3 4\n", "b.txt, line 2, column 4: '4 columns': expected 3"),
        ("single", "1 2 3\n", "b.txt, line 1, column 1: '1 bin': expected two or more"),
        ("constant", "1 2 3\n1 2 3\n1 2 3\n", "b.txt: `bins`"),
        ("word", "1 2 3\n1 x 3\n", "b.txt, line 2, column 2: 'x'"),
    ];
    for (name, bins, complaint) in cases {
        let files = [("data.txt", BARE), ("b.txt", bins)];
        refused_with(&format!("bins-{name}"), &files, &format!("{TAU} --bins b.txt"), &[complaint]);
    }
    let files = [("data.txt", COMPLEX), ("b.txt", "1 2\n1 2\n")];
    let options = "--kernel fermion-matsubara --omega -4:4:21 --bins b.txt";
    refused_with("bins-complex", &files, options, &["b.txt, line 1, column 3", "expected 4"]);
}

#[test]
fn default_models() {
    let cases = [
        ("negative", "-4 1\n0 -1\n4 1\n", "d.txt, line 2, column 2: '-1': expected a non-negative"),
        ("unsorted", "-4 1\n4 1\n0 1\n", "d.txt, line 3, column 1: '0': expected increasing"),
        ("zero", "-4 0\n4 0\n", "--default 'd.txt': expected a default model with positive weight"),
        ("columns", "-4\n4\n", "d.txt, line 1, column 2"),
    ];
    for (name, model, complaint) in cases {
        let files = [("data.txt", GOOD), ("d.txt", model)];
        let options = format!("{TAU} --default d.txt");
        refused_with(&format!("default-{name}"), &files, &options, &[complaint]);
    }
    for (i, model) in [
        "gaussian:0",
        "gaussian:0:0",
        "gaussian:0:-1",
        "gaussian:a:1",
        "gaussian",
        "gaussian:100:0.1",
        "gaussian:0:1:0",
        "gaussian:0:1+lorentzian:0:1",
        "lorentzian:0",
        "moments:0",
        "moments:0:-1",
        "moments:100:1",
    ]
    .into_iter()
    .enumerate()
    {
        let options = format!("{TAU} --default {model}");
        refused(&format!("gaussian-{i}"), GOOD, &options, &["--default", &format!("'{model}'")]);
    }
    refused(
        "default-missing",
        GOOD,
        &format!("{TAU} --default flatt"),
        &["'flatt': expected flat, "],
    );
}

#[test]
fn options() {
    let cases = [
        ("unknown", "--frobnicate 3", "--frobnicate: unknown option"),
        ("single-dash", "-x", "-x: unknown option"),
        ("value", "--norm --alpha gcv", "--norm: value missing"),
        ("twice", "--norm 1 --norm 2", "--norm: given twice"),
        ("number", "--norm one", "--norm 'one': expected a positive number"),
        ("negative", "--norm -1", "--norm '-1': expected a positive number"),
        ("alpha", "--alpha best", "--alpha 'best': expected gcv, cp, chi2kink, linefit"),
        ("alpha-zero", "--alpha 0", "--alpha '0'"),
        ("alpha-nan", "--alpha nan", "--alpha 'nan'"),
        ("kinetic", "--kinetic -1", "--kinetic '-1': expected auto or a non-negative"),
        ("entropy", "--entropy boltzmann", "'boltzmann': expected one of skilling, bayesian"),
        ("preblur", "--preblur 0", "--preblur '0': expected a positive number"),
        ("tolerance", "--tolerance -1", "--tolerance '-1': expected a positive number"),
        ("window", "--window 1:0", "--window '1:0': expected MIN:MAX"),
        ("window-word", "--window 0:a", "--window '0:a': expected MIN:MAX"),
        ("window-outside", "--window 5:6", "--window '5:6': expected MIN:MAX"),
        ("flag", "--fix-norm=1", "--fix-norm '1': expected no value"),
        ("self-energy", "--self-energy", "--self-energy: expected --kernel fermion-matsubara"),
        ("bootstrap", "--bootstrap 0", "--bootstrap '0': expected a positive whole number"),
        ("bootstrap-one", "--bootstrap 1", "--bootstrap '1': expected two or more replicas"),
        ("seed", "--bootstrap 2 --seed x", "--seed 'x': expected a whole number"),
        ("scale", "--scale 0", "--scale '0': expected a number other than 0"),
        ("error", "--error 0", "--error '0': expected a positive number"),
        (
            "method",
            "--method magic",
            "--method 'magic': expected one of maxent, ista, fista, sparse, nnls, ridge",
        ),
        ("lambda", "--method fista --lambda -1", "--lambda '-1': expected a non-negative number"),
        (
            "lambda-rule",
            "--method sparse --lambda best",
            "--lambda 'best': expected discrepancy, elbow, gcv, cv, or a non-negative number",
        ),
        ("lambda-foreign", "--method nnls --lambda elbow", "expected gcv, discrepancy, or a"),
        ("lambda-ista", "--method ista --lambda gcv", "'gcv': expected a non-negative number"),
        ("lambda-zero", "--method sparse --lambda 0", "--method sparse: `lambda` = 0"),
        ("iterations", "--iterations 0.5", "--iterations '0.5': expected a positive whole number"),
        ("noise", "--error 1e-3 --covariance c.txt", "expected only one of"),
        ("two-files", "data.txt", "expected one data file"),
        ("equals", "--norm=0", "--norm '0'"),
    ];
    for (name, option, complaint) in cases {
        refused(&format!("option-{name}"), GOOD, &format!("{TAU} {option}"), &[complaint]);
    }
    refused("no-kernel", GOOD, "--omega -1:1:5", &["--kernel is missing", "fermion-tau"]);
    refused(
        "kernel",
        GOOD,
        "--kernel fermion",
        &["--kernel 'fermion': expected one of", "laplace"],
    );
    for kernel in ["fermion-tau", "boson-tau", "boson-tau-symmetric"] {
        let options = format!("--kernel {kernel} --omega 0:1:5");
        refused(&format!("no-beta-{kernel}"), GOOD, &options, &["--beta is missing", kernel]);
    }
    refused(
        "beta",
        GOOD,
        "--kernel fermion-tau --beta 0",
        &["--beta '0': expected a positive number"],
    );
}

#[test]
fn destinations() {
    let bench = Bench::new("bad-destinations");
    bench.file("data.txt", GOOD);
    let before = bench.files();
    let cases = [
        ("--output nowhere/out.txt", "--output 'nowhere/out.txt': expected a file in an existing"),
        ("--output .", "--output '.': expected a file, not a directory"),
        ("--output data.txt", "--output 'data.txt': expected a file that is not read"),
        ("--output a --report ./a", "--report './a': expected a file that is not read or written"),
        ("--plot plot.png", "--plot 'plot.png': expected a file name that ends in .svg"),
    ];
    for (option, complaint) in cases {
        let run = bench.run(&format!("{TAU} {option} data.txt"));
        assert_eq!(run.code, Some(2), "{option}");
        assert!(run.stderr.contains(complaint), "{option}: {}", run.stderr);
        assert_eq!((run.stderr.lines().count(), run.stdout.as_str()), (1, ""), "{option}");
        assert_eq!(bench.files(), before, "{option}: something was written");
    }
    assert_eq!(bench.read("data.txt"), GOOD);
    let run = bench.run("");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no data file given"), "{}", run.stderr);
    let run = bench.run(&format!("{TAU} --report data.txt"));
    let told = "'data.txt' was taken for the value of --report";
    assert!(run.code == Some(2) && run.stderr.contains(told), "{}", run.stderr);
}
