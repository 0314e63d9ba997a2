//! Singular values by one-sided Jacobi rotations. Source: Demmel and Veselić, *SIAM J. Matrix Anal. Appl.*
//! 13, 1204 (1992).
//!
//! Slower than bidiagonalisation for large matrices, but right where singular values coincide or vanish:
//! the QR iteration of nalgebra 0.35 was seen to err by 5 % there.

use super::elementwise::dot;
use super::svd::Svd;
use crate::real::Real;
use nalgebra::{DMatrix, DVector};

/// Sweeps over all pairs of columns after which to give up; ten are ample.
const SWEEPS: usize = 60;

/// Thin singular value decomposition of a finite `a`, whose entries' squares must not overflow or underflow.
/// Singular values below ε‖a‖_F count as zero; their left (for a wide matrix right) singular vectors are
/// zero. `None` if it does not converge.
pub(crate) fn jacobi_svd<T: Real>(a: &DMatrix<T>) -> Option<Svd<T>> {
    if a.ncols() > a.nrows() {
        let Svd { u, s, vt } = jacobi_svd(&a.transpose())?;
        return Some(Svd { u: vt.transpose(), s, vt: u.transpose() });
    }
    let (m, n) = a.shape();
    let mut w = a.clone();
    let mut v = DMatrix::<T>::identity(n, n);
    let floor = T::EPSILON * a.norm();
    let mut sweeps = 0;
    while sweep(w.as_mut_slice(), m, v.as_mut_slice(), n, floor) {
        sweeps += 1;
        if sweeps == SWEEPS {
            return None;
        }
    }
    let size = |norm: T| if norm > floor { norm } else { T::zero() };
    let norms: Vec<T> = w.column_iter().map(|c| size(c.norm())).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| norms[j].as_f64().total_cmp(&norms[i].as_f64()));
    let mut u = w.select_columns(&order);
    for (mut column, &k) in u.column_iter_mut().zip(&order) {
        if norms[k] > T::zero() {
            column /= norms[k];
        } else {
            column.fill(T::zero());
        }
    }
    let s = DVector::from_iterator(n, order.iter().map(|&k| norms[k]));
    Some(Svd { u, s, vt: v.select_columns(&order).transpose() })
}

/// Makes each pair of columns longer than `floor` orthogonal once; whether any was not.
fn sweep<T: Real>(w: &mut [T], m: usize, v: &mut [T], n: usize, floor: T) -> bool {
    let mut rotated = false;
    let rounding = T::lit(m as f64).sqrt() * T::EPSILON;
    for p in 0..n {
        for q in p + 1..n {
            let (left, right) = w.split_at_mut(q * m);
            let (x, y) = (&mut left[p * m..(p + 1) * m], &mut right[..m]);
            let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
            let (x_norm, y_norm) = (xx.sqrt(), yy.sqrt());
            let noise = x_norm <= floor || y_norm <= floor;
            if noise || xy.abs() <= rounding * x_norm * y_norm {
                continue;
            }
            rotated = true;
            let zeta = (yy - xx) / (xy + xy);
            let t = T::one() / (zeta.abs() + (T::one() + zeta * zeta).sqrt());
            let t = if zeta < T::zero() { -t } else { t };
            let c = T::one() / (T::one() + t * t).sqrt();
            rotate(x, y, c, c * t);
            let (left, right) = v.split_at_mut(q * n);
            rotate(&mut left[p * n..(p + 1) * n], &mut right[..n], c, c * t);
        }
    }
    rotated
}

fn rotate<T: Real>(x: &mut [T], y: &mut [T], c: T, s: T) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn battery<T: Real>() {
        for (m, n) in [(1, 1), (5, 3), (3, 5), (4, 4), (9, 2), (2, 9), (30, 20)] {
            for values in [[2.0, 2.0, 0.1, 0.1], [2.0, 2.0 - 1e-6, 0.1, 1e-7], [1.0, 0.5, 0.0, 0.0]]
            {
                for seed in 0..20 {
                    let f = 1.0 + f64::from(seed);
                    let value = |i, j| T::lit((f * (i * i * 7 + j * 3 + 1) as f64).sin());
                    let mut svd = jacobi_svd(&DMatrix::from_fn(m, n, value)).unwrap();
                    for (k, s) in svd.s.iter_mut().enumerate() {
                        *s = T::lit(values[k % 4] / (1 + k / 4) as f64);
                    }
                    let z = &svd.u * DMatrix::from_diagonal(&svd.s) * &svd.vt;
                    let again = jacobi_svd(&z).unwrap();
                    let back = &again.u * DMatrix::from_diagonal(&again.s) * &again.vt;
                    let tol = T::lit(100.0) * T::EPSILON;
                    assert!((back - &z).norm() <= tol, "{m}x{n}");
                    assert!(again.s.as_slice().windows(2).all(|w| w[0] >= w[1]));
                    // Orthonormal, where the singular value does not vanish.
                    for (k, l) in (0..m.min(n)).flat_map(|k| (0..=k).map(move |l| (k, l))) {
                        let u = again.u.column(k).dot(&again.u.column(l));
                        let v = again.vt.row(k).dot(&again.vt.row(l));
                        let expected = if k == l { T::one() } else { T::zero() };
                        let vanishes = again.s[k] <= T::EPSILON;
                        assert!((u - expected).abs() <= tol || vanishes, "{m}x{n}");
                        assert!((v - expected).abs() <= tol || vanishes, "{m}x{n}");
                    }
                }
            }
        }
    }

    #[test]
    fn degenerate_and_deficient_matrices_are_reconstructed() {
        battery::<f32>();
        battery::<f64>();
    }
}
