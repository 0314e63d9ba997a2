//! Maximum entropy for many data vectors of one forward model.
//!
//! Where the dual can be formed the ladders of eight data vectors are walked side by side, one in each lane
//! of a vector register ([`LaneDual`]), and groups of eight on all threads. Groups are the same for any
//! number of threads, and so are the bits of the answers.

use super::engine::Engine;
use super::ladder::Ladder;
use super::lane_dual::LaneDual;
use super::prepared::PreparedMaxEnt;
use crate::error::{Result, check_finite, check_len};
use crate::linalg::LANES;
use crate::parallel;
use crate::problem::Problem;
use crate::real::Real;
use crate::solution::{Solution, Solver};
use core::ops::ControlFlow;
use nalgebra::DMatrix;
use std::sync::Arc;

/// Groups that each thread is given in one round: enough to even out the threads.
const GROUPS: usize = 4;

/// What a group of lanes is solved with.
struct Slot<'a, T: Real> {
    lanes: Option<LaneDual<'a, T>>,
    single: Box<dyn Engine<T> + 'a>,
    problems: Vec<Problem<T>>,
    solutions: Vec<Result<Solution<T>>>,
}

impl<T: Real> PreparedMaxEnt<T> {
    /// The answers to many raw data vectors of the [`model`](Self::model), one a column of `data`
    /// (data × problems). Equal to those of [`solve`](Solver::solve) within the certificates of both; the
    /// same bits for any number of threads.
    ///
    /// Each solution holds its ladder; [`solve_each`](Self::solve_each) keeps none of them.
    ///
    /// # Errors
    /// Another number of rows than the model has data, and data that are not finite. Failure to converge,
    /// or to choose α, is a [`Status`](crate::Status).
    pub fn solve_many(&self, data: &DMatrix<T>) -> Result<Vec<Solution<T>>> {
        let mut solutions = Vec::with_capacity(data.ncols());
        self.solve_each(data, &mut |_, solution| {
            solutions.push(solution);
            ControlFlow::Continue(())
        })?;
        Ok(solutions)
    }

    /// As [`solve_many`](Self::solve_many), handing each solution with its column's number to `receive`, in
    /// order, and keeping none: memory does not grow with the number of columns. `receive` may stop the run.
    ///
    /// # Errors
    /// As [`solve_many`](Self::solve_many).
    pub fn solve_each(
        &self,
        data: &DMatrix<T>,
        receive: &mut dyn FnMut(usize, Solution<T>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.check_data(data)?;
        let count = parallel::threads() * GROUPS;
        let mut slots: Vec<Slot<'_, T>> = (0..count.min(data.ncols().div_ceil(LANES)))
            .map(|_| Slot {
                lanes: self.lanes(),
                single: self.engine(&self.objective),
                problems: Vec::new(),
                solutions: Vec::new(),
            })
            .collect();
        let mut columns = data.column_iter();
        let mut index = 0;
        while index < data.ncols() {
            for slot in &mut slots {
                for column in columns.by_ref().take(LANES) {
                    let model = Arc::clone(self.model());
                    slot.problems.push(Problem::from_model(model, column.as_slice())?);
                }
            }
            parallel::for_each_mut(&mut slots, |_, slot| self.solve_group(slot));
            for solution in slots.iter_mut().flat_map(|slot| slot.solutions.drain(..)) {
                if receive(index, solution?).is_break() {
                    return Ok(());
                }
                index += 1;
            }
        }
        Ok(())
    }

    /// `Err` for another number of rows than the model has data, and data that are not finite.
    pub(super) fn check_data(&self, data: &DMatrix<T>) -> Result<()> {
        check_len("data", data.nrows(), self.model().kernel().nrows(), "the kernel's rows")?;
        check_finite("data", data.as_slice())
    }

    /// Solves the problems of a slot.
    fn solve_group(&self, slot: &mut Slot<'_, T>) {
        let Slot { lanes, single, problems, solutions } = slot;
        let Some(lanes) = lanes.as_mut().filter(|_| problems.len() > 1) else {
            solutions.extend(problems.drain(..).map(|problem| self.solve(&problem)));
            return;
        };
        let data: Vec<_> = problems.iter().map(|p| self.modes.project(p.whitened_data())).collect();
        lanes.reset(&data);
        let (steps, points) = (self.alphas.len(), self.modes.points);
        let new = || Ladder::new(steps, single.state_len(), points);
        let mut ladders: Vec<_> = problems.iter().map(|_| new()).collect();
        let (tolerance, limit) = (self.settings.ladder_tolerance, self.settings.max_iterations);
        for &alpha in &self.alphas {
            let outcomes = lanes.solve(alpha, tolerance, limit);
            for (l, (outcome, ladder)) in outcomes.into_iter().zip(&mut ladders).enumerate() {
                if let Some(outcome) = outcome {
                    ladder.push(alpha, outcome, |weights| lanes.weights(l, weights));
                    ladder.remember(alpha, 0, |state| lanes.save(l, state));
                }
            }
        }
        for (l, ((problem, data), ladder)) in problems.drain(..).zip(data).zip(ladders).enumerate()
        {
            // What failed among others may not fail alone, and if it does says why.
            solutions.push(if lanes.is_live(l) {
                single.reset(&data);
                self.decide(&problem, &ladder).and_then(|decision| {
                    let chosen = (ladder, decision);
                    self.conclude(&problem, &data, single.as_mut(), chosen, self.given())
                })
            } else {
                self.solve(&problem)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::FrequencyGrid;
    use crate::kernel::FermionTime;
    use crate::maxent::{FixedAlpha, MaxEnt};
    use crate::noise::Whitening;
    use crate::problem::ForwardModel;
    use crate::solution::{Certificate, Status};
    use crate::synthetic::{GaussianMixture, NoiseLevel, TrainingSet};
    use rand::SeedableRng;

    /// β = 10, 30 times, 37 frequencies.
    fn model() -> Arc<ForwardModel<f64>> {
        let tau: Vec<f64> = (0..30).map(|i| 10.0 * f64::from(i) / 29.0).collect();
        let grid = FrequencyGrid::uniform(-3.0, 3.0, 37).unwrap();
        let whitening = Whitening::from_errors(&[1e-4; 30]).unwrap();
        let kernel = FermionTime::new(10.0).unwrap();
        Arc::new(ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap())
    }

    /// Random spectra; the last four too large, too small, of the wrong sign, and without noise.
    fn data(model: &ForwardModel<f64>, columns: usize) -> DMatrix<f64> {
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(5);
        let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
        let set = TrainingSet::generate(&mixture, model, columns, &noise, &mut rng).unwrap();
        let mut data = set.data().clone();
        for (from_end, factor) in [(1, 30.0), (2, 1e-3), (3, -1.0)] {
            data.column_mut(columns - from_end).scale_mut(factor);
        }
        let exact = model.kernel() * set.weights().column(0);
        data.set_column(columns - 4, &exact);
        data
    }

    fn single(prepared: &PreparedMaxEnt<f64>, g: nalgebra::DVectorView<'_, f64>) -> Solution<f64> {
        let model = Arc::clone(prepared.model());
        prepared.solve(&Problem::from_model(model, g.as_slice()).unwrap()).unwrap()
    }

    #[test]
    fn a_batch_gives_what_one_by_one_gives() {
        let model = model();
        let data = data(&model, 19);
        let base = MaxEnt::default().ladder_points(30);
        for solver in [base.clone(), base.clone().kinetic(1.0), base.alpha(FixedAlpha(50.0))] {
            let prepared = solver.prepare(&model).unwrap();
            let batch = prepared.solve_many(&data).unwrap();
            assert_eq!(batch.len(), 19);
            for (g, found) in data.column_iter().zip(&batch) {
                let expected = single(&prepared, g);
                let (a, b) = (expected.report(), found.report());
                assert_eq!(a.status, b.status);
                let bounds = [a, b].map(|r| match r.certificate {
                    Certificate::Gap { l1_bound, .. } => l1_bound.unwrap(),
                    ref other => panic!("{other:?}"),
                });
                let weights = [&expected, found].map(|s| s.spectrum().weights());
                let l1: f64 = weights[0].iter().zip(&weights[1]).map(|(x, y)| (x - y).abs()).sum();
                assert!(l1 <= bounds[0] + bounds[1], "{l1:e} {bounds:?}");
                let ladders = [a, b].map(|r| &r.maxent.as_ref().unwrap().ladder);
                assert_eq!(ladders[0].len(), ladders[1].len());
                for (x, y) in ladders[0].iter().zip(ladders[1]) {
                    assert_eq!((x.alpha, x.converged), (y.alpha, y.converged));
                    assert!((x.n_good - y.n_good).abs() < 2e-3 * (1.0 + x.n_good));
                    assert!((x.chi2 / y.chi2 - 1.0).abs() < 2e-3, "{x:?} {y:?}");
                    let scale = a.norm + x.entropy.abs();
                    assert!((x.entropy - y.entropy).abs() < 1e-3 * scale, "{x:?} {y:?}");
                    let (p, q) = (x.log_probability, y.log_probability);
                    assert!((p - q).abs() < 1e-3 * (1.0 + p.abs()), "{x:?} {y:?}");
                    assert!(y.gap <= 2e-8 * y.alpha * a.norm.max(1.0), "{y:?}");
                }
            }
        }
    }

    #[test]
    fn lanes_that_fail_are_solved_alone_and_disturb_no_other() {
        let model = model();
        let mut data = data(&model, 8);
        // Far beyond what exponents reach: no optimum is found.
        data.column_mut(3).scale_mut(1e120);
        let prepared = MaxEnt::default().ladder_points(20).prepare(&model).unwrap();
        let batch = prepared.solve_many(&data).unwrap();
        assert!(!batch[3].report().status.is_success());
        assert_eq!(batch[3].report(), single(&prepared, data.column(3)).report());
        for l in [0, 1, 2] {
            assert_eq!(batch[l].report().status, Status::Converged);
        }
        // With one iteration for each α none gets to the end.
        let prepared = MaxEnt::default().max_iterations(1).prepare(&model).unwrap();
        for (g, found) in data.column_iter().zip(prepared.solve_many(&data).unwrap()) {
            assert_eq!(found, single(&prepared, g));
        }
    }

    /// `times` data of constant densities, slopes and steps, which reach both ends of the grid.
    fn edges(times: usize, points: usize, sigma: f64) -> (Arc<ForwardModel<f64>>, DMatrix<f64>) {
        let tau: Vec<f64> = (0..times).map(|i| 10.0 * i as f64 / (times - 1) as f64).collect();
        let grid = FrequencyGrid::uniform(-2.0, 2.0, points).unwrap();
        let whitening = Whitening::from_errors(&vec![sigma; times]).unwrap();
        let kernel = FermionTime::new(10.0).unwrap();
        let model = ForwardModel::new(&kernel, &tau, &grid, whitening).unwrap();
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(3);
        let data = DMatrix::from_columns(&core::array::from_fn::<_, 8, _>(|l| {
            let tilt = 0.1 * (l as f64 - 3.5);
            let density = |w: f64| 0.25 + tilt * w / 4.0 + if w > tilt { 0.05 } else { -0.05 };
            let a = grid.points().iter().zip(grid.weights()).map(|(&w, &d)| density(w) * d);
            let exact = model.kernel() * nalgebra::DVector::from_iterator(points, a);
            exact.map(|g| g + sigma * <f64 as crate::Real>::standard_normal(&mut rng))
        }));
        (Arc::new(model), data)
    }

    #[test]
    fn lanes_take_in_modes_on_every_grid_as_one_problem_does() {
        for points in 36..40 {
            let (model, data) = edges(40, points, 1e-6);
            let solver = MaxEnt::default().ladder_points(40).ladder_tolerance(1e-12);
            let prepared = solver.prepare(&model).unwrap();
            for (g, found) in data.column_iter().zip(prepared.solve_many(&data).unwrap()) {
                let expected = single(&prepared, g);
                let [a, b] = [&expected, &found].map(|s| s.report().maxent.as_ref().unwrap());
                for (x, y) in a.ladder.iter().zip(&b.ladder) {
                    assert!(y.gap <= 1e-12 * y.alpha * 1.5, "{points}: {y:?}");
                    assert!(y.iterations <= x.iterations + 2, "{points}: {x:?} {y:?}");
                    assert!((x.chi2 - y.chi2).abs() < 1e-5 * x.chi2, "{points}: {x:?} {y:?}");
                }
            }
        }
    }

    #[test]
    fn a_tolerance_out_of_reach_ends_at_the_rounding_floor() {
        // As many modes as leave the last block of four lanes full, and not.
        for times in 7..14 {
            let (model, data) = edges(times, 30, 1e-2);
            let solver = MaxEnt::default().ladder_points(5).ladder_tolerance(1e-40);
            for found in solver.prepare(&model).unwrap().solve_many(&data).unwrap() {
                let maxent = found.report().maxent.as_ref().unwrap();
                // Whatever rounding leaves, it is far below what is asked for by default.
                assert!(maxent.ladder.iter().all(|s| s.gap <= 1e-12 * s.alpha), "{times}");
            }
        }
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn threads_change_no_bit() {
        let model = model();
        let data = data(&model, 40);
        let prepared = MaxEnt::default().ladder_points(12).prepare(&model).unwrap();
        let solve = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| prepared.solve_many(&data).unwrap())
        };
        let one = solve(1);
        assert!(solve(2) == one && solve(5) == one);
    }

    #[test]
    fn solutions_come_in_order_until_no_more_are_wanted() {
        let model = model();
        let data = data(&model, 18);
        let prepared = MaxEnt::default().ladder_points(6).prepare(&model).unwrap();
        let mut seen = Vec::new();
        let receive = &mut |index, _: Solution<f64>| {
            seen.push(index);
            if index == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        prepared.solve_each(&data, receive).unwrap();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert!(prepared.solve_many(&DMatrix::zeros(30, 0)).unwrap().is_empty());
        let named = |data: DMatrix<f64>| {
            let message = prepared.solve_many(&data).unwrap_err().to_string();
            assert!(message.contains("data"), "{message}");
        };
        named(DMatrix::zeros(29, 3));
        let mut bad = data.clone();
        bad[(3, 2)] = f64::NAN;
        named(bad);
    }
}
