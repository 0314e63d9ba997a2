//! Where the next optimum will be: a curve continued from its latest points and slopes.

use crate::real::Real;

/// Points kept. Three points and slopes fix a polynomial of degree five.
const POINTS: usize = 3;

/// A vector y(t) at one t, with its derivative; the components from `known` on are not.
#[derive(Debug, Clone)]
struct Node<T> {
    t: T,
    known: usize,
    value: Vec<T>,
    slope: Vec<T>,
}

/// The latest points of a curve y(t), for Hermite extrapolation.
#[derive(Debug, Clone)]
pub(super) struct Extrapolation<T> {
    /// From the newest on; only the first `held` are in use.
    nodes: Vec<Node<T>>,
    held: usize,
}

impl<T: Real> Extrapolation<T> {
    /// For curves in `dim` dimensions.
    pub(super) fn new(dim: usize) -> Self {
        let zeros = vec![T::zero(); dim];
        let node = Node { t: T::zero(), known: 0, value: zeros.clone(), slope: zeros };
        Extrapolation { nodes: vec![node; POINTS], held: 0 }
    }

    /// Forgets all points.
    pub(super) fn clear(&mut self) {
        self.held = 0;
    }

    /// Adds y(t) and dy/dt, as many components as there are: no fewer than before.
    pub(super) fn push(&mut self, t: T, value: &[T], slope: impl Iterator<Item = T>) {
        self.nodes.rotate_right(1);
        self.held = (self.held + 1).min(POINTS);
        let node = &mut self.nodes[0];
        (node.t, node.known) = (t, value.len());
        node.value[..value.len()].copy_from_slice(value);
        node.slope.iter_mut().zip(slope).for_each(|(to, from)| *to = from);
    }

    /// Writes y(t), each component from the points at which it is known.
    pub(super) fn at(&self, t: T, out: &mut [T]) {
        let mut done = 0;
        for order in (1..=self.held).rev() {
            let nodes = &self.nodes[..order];
            let end = nodes[order - 1].known.min(out.len());
            if end <= done {
                continue;
            }
            out[done..end].fill(T::zero());
            for (i, node) in nodes.iter().enumerate() {
                let (c, d) = hermite(nodes, i, t);
                for k in done..end {
                    out[k] += c * node.value[k] + d * node.slope[k];
                }
            }
            done = end;
        }
    }
}

/// The polynomials at `t` that multiply value and slope of node `i`: with l_i Lagrange's polynomial,
/// (1 − 2(t − t_i) l_i'(t_i)) l_i² and (t − t_i) l_i².
fn hermite<T: Real>(nodes: &[Node<T>], i: usize, t: T) -> (T, T) {
    let (mut l, mut derivative) = (T::one(), T::zero());
    for (j, node) in nodes.iter().enumerate() {
        if j != i {
            let distance = nodes[i].t - node.t;
            l *= (t - node.t) / distance;
            derivative += T::one() / distance;
        }
    }
    let (square, from) = (l * l, t - nodes[i].t);
    ((T::one() - T::lit(2.0) * from * derivative) * square, from * square)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_degree_five_are_continued_exactly() {
        let curve = |t: f64| [1.0 + t * t * (t - 2.0), t.powi(5) - t, 3.0 * t];
        let slope = |t: f64| [t * (3.0 * t - 4.0), 5.0 * t.powi(4) - 1.0, 3.0];
        let mut extrapolation = Extrapolation::new(3);
        let mut y = [0.0; 3];
        // The first component is known from the start, the second late, the third at the end.
        for (t, known) in [(9.0, 1), (0.3, 2), (-0.2, 2), (-0.9, 3)] {
            extrapolation.push(t, &curve(t)[..known], slope(t).into_iter().take(known));
        }
        extrapolation.at(-1.3, &mut y);
        let expected = curve(-1.3);
        assert!((y[0] - expected[0]).abs() < 1e-13 && (y[2] - expected[2]).abs() < 1e-13);
        assert!((y[1] - expected[1]).abs() < 1e-13);
        // Of one point the tangent is all there is.
        extrapolation.clear();
        extrapolation.push(0.5, &curve(0.5), slope(0.5).into_iter());
        extrapolation.at(0.7, &mut y);
        assert!((0..3).all(|k| (y[k] - curve(0.5)[k] - 0.2 * slope(0.5)[k]).abs() < 1e-15));
    }
}
