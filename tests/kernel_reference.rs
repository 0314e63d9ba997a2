//! Every kernel against 50-digit values (`tests/data/kernel_reference.txt`, made by the script beside it).

use fredholm::{
    BosonMatsubara, BosonMatsubaraSymmetric, BosonTime, BosonTimeSymmetric, FermionMatsubara,
    FermionMatsubaraSymmetric, FermionTime, FermionTimeSymmetric, Kernel, Laplace, Real,
};

const TABLE: &str = include_str!("data/kernel_reference.txt");

struct Row<'a> {
    kernel: &'a str,
    beta: f64,
    x: f64,
    omega: f64,
    values: [f64; 2],
}

fn rows() -> impl Iterator<Item = Row<'static>> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut words = line.split_ascii_whitespace();
        let kernel = words.next().unwrap();
        let n: Vec<f64> = words.map(|w| w.parse().unwrap()).collect();
        Row { kernel, beta: n[0], x: n[1], omega: n[2], values: [n[3], n[4]] }
    })
}

fn kernel<T: Real>(name: &str, beta: f64) -> Box<dyn Kernel<T>> {
    match name {
        "fermion-time" => Box::new(FermionTime::new(beta).unwrap()),
        "fermion-time-symmetric" => Box::new(FermionTimeSymmetric::new(beta).unwrap()),
        "fermion-matsubara" => Box::new(FermionMatsubara),
        "fermion-matsubara-symmetric" => Box::new(FermionMatsubaraSymmetric),
        "boson-time" => Box::new(BosonTime::new(beta).unwrap()),
        "boson-time-symmetric" => Box::new(BosonTimeSymmetric::new(beta).unwrap()),
        "boson-matsubara" => Box::new(BosonMatsubara),
        "boson-matsubara-symmetric" => Box::new(BosonMatsubaraSymmetric),
        "laplace" => Box::new(Laplace),
        other => panic!("unknown kernel {other}"),
    }
}

/// The exponent s|ω| of the kernel's largest exponential, which multiplies the roundings of s, ω and their
/// product: the condition number of the formula.
fn exponent(row: &Row<'_>) -> f64 {
    let to_end = row.beta - row.x;
    match row.kernel {
        "fermion-time" | "boson-time" if row.omega < 0.0 => to_end * -row.omega,
        "fermion-time" | "boson-time" | "laplace" => row.x * row.omega,
        "fermion-time-symmetric" | "boson-time-symmetric" => row.x.min(to_end) * row.omega,
        _ => 0.0,
    }
}

/// Compares a row in `T`: relative error below `tolerance`, in units of 2⁻⁵² for f64. Values below the
/// smallest normal number may lose digits to it.
fn compare<T: Real>(row: &Row<'_>, tolerance: f64) {
    let k = kernel::<T>(row.kernel, row.beta);
    let matrix = k.matrix(&[T::lit(row.x)], &[T::lit(row.omega)]).unwrap();
    let stacked = row.kernel.ends_with("matsubara");
    let expected = match row.kernel {
        "fermion-matsubara-symmetric" => &row.values[1..],
        _ if stacked => &row.values[..],
        _ => &row.values[..1],
    };
    assert_eq!(matrix.nrows(), expected.len());
    for (found, &expected) in matrix.iter().zip(expected) {
        let found = found.as_f64();
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * expected.abs() + T::MIN_POSITIVE.as_f64() * T::EPSILON.as_f64(),
            "{} at beta {}, x {}, omega {}: {found:e}, expected {expected:e}",
            row.kernel,
            row.beta,
            row.x,
            row.omega,
        );
    }
}

/// Roundings of the longest formula (a difference or hypotenuse, two functions, three operations), each at
/// most one ε, and ε for each unit of the exponent.
#[test]
fn double_precision_within_a_few_roundings() {
    let mut count = 0;
    for row in rows() {
        compare::<f64>(&row, f64::EPSILON * (4.0 + exponent(&row)));
        count += 1;
    }
    assert!(count > 900, "{count} rows: is the table complete?");
}

/// Evaluated in f64 and rounded once: half an ε of f32.
#[test]
fn single_precision_is_rounded_once() {
    let exact = |v: f64| f64::from(v as f32) == v;
    let mut count = 0;
    for row in rows().filter(|row| exact(row.x) && exact(row.omega)) {
        compare::<f32>(&row, 0.5 * f64::from(f32::EPSILON) * (1.0 + 1e-5));
        count += 1;
    }
    assert!(count > 800, "{count} rows");
}

/// No underflow where the exact value is a normal number, no value of the wrong sign.
#[test]
fn no_silent_zeros() {
    for row in rows() {
        let k = kernel::<f64>(row.kernel, row.beta);
        let matrix = k.matrix(&[row.x], &[row.omega]).unwrap();
        let first = if row.kernel == "fermion-matsubara-symmetric" { 1 } else { 0 };
        for (found, expected) in matrix.iter().zip(&row.values[first..]) {
            if expected.abs() >= f64::MIN_POSITIVE {
                assert_eq!(found.signum(), expected.signum());
                assert_ne!(*found, 0.0);
            }
        }
    }
}
