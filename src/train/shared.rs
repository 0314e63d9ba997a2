//! Training on several ranks.
//!
//! Every rank takes its share of each batch; gradients and losses are added in one message, and every rank
//! takes the same step. Source: Dean et al., *Large scale distributed deep networks* (2012), for the idea; the
//! synchronous form is that of Chen et al., *Revisiting distributed synchronous SGD* (2016), without backups.

use super::trainer::add_gradients;
use super::training::estimates;
use super::{DivergenceOrigin, Trainer, Training};
use crate::cluster::{Communicator, check_alike, gather_columns, share};
use crate::error::Result;
use crate::network::{Network, PANEL};
use crate::parallel;
use crate::real::Real;
use crate::synthetic::{TrainingSet, TrainingSource};
use core::ops::ControlFlow;
use nalgebra::DMatrix;

/// What runs on ranks have in common.
const SAME: &str = "the same network, source, options and state on all ranks";

impl<T: Real, N: Network<T>> Training<T, N> {
    /// The same run on all ranks of `communicator`, each of which has made it from the same source and
    /// options, or resumed it from the same state.
    ///
    /// Every rank takes its share of each batch and of the validation set, which all pass or none; gradients
    /// and losses are added, in one message of as many numbers as there are parameters. Parameters and seed
    /// are those of rank 0.
    /// A run ends on all ranks when it ends on one: by divergence, out of patience, or stopped by the
    /// observer of any of them; an error of one rank is one of all. The same bits for a fixed number of
    /// ranks, and the same result to rounding for any.
    ///
    /// Sources that draw samples when they are used ([`SampleStream`](crate::SampleStream)) draw a rank's
    /// share alone; a [`TrainingSet`](crate::TrainingSet) every rank holds whole.
    ///
    /// ```
    /// use fredholm::*;
    /// # use fredholm::rand::{SeedableRng, rngs::ChaCha8Rng};
    /// # use std::ops::ControlFlow;
    /// # let tau = [0.0, 2.0, 4.0, 6.0, 8.0];
    /// # let grid = FrequencyGrid::uniform(-3.0, 3.0, 8)?;
    /// # let noise = Whitening::from_errors(&[1e-4; 5])?;
    /// # let model = ForwardModel::new(&FermionTime::new(8.0)?, &tau, &grid, noise)?;
    /// // What every rank does; with MPI, `communicator` is an `MpiCommunicator`.
    /// let program = |communicator: &dyn Communicator<f32>| -> Result<Rlista> {
    ///     let mut rng = ChaCha8Rng::seed_from_u64(1);
    ///     let (mixture, noise) = (GaussianMixture::default(), NoiseLevel::Uniform(1e-4));
    ///     let stream = SampleStream::new(&mixture, &model, None, &noise, 64, &mut rng)?;
    ///     let shape = UnrolledArchitecture::rlista(5, 8, 2);
    ///     let network = Rlista::random(shape, SoftThreshold, &Initialization::default(), &mut rng)?;
    ///     let options = TrainOptions { batch: 16, ..TrainOptions::scaled(2, 64) };
    ///     let training = Training::new(network, &stream, &options, &mut rng)?;
    ///     let (network, report) = training
    ///         .with_communicator(communicator)?
    ///         .run(&stream, None, |_| ControlFlow::Continue(()))?;
    ///     assert_eq!(report.steps, 8);
    ///     Ok(network)
    /// };
    /// let ranks = ThreadCommunicator::group(2);
    /// std::thread::scope(|scope| -> Result<()> {
    ///     let ranks: Vec<_> =
    ///         ranks.into_iter().map(|rank| scope.spawn(|| program(&{ rank }))).collect();
    ///     let mut networks = ranks.into_iter().map(|rank| rank.join().unwrap());
    ///     assert_eq!(networks.next().unwrap()?, networks.next().unwrap()?);
    ///     Ok(())
    /// })?;
    /// # program(&Alone)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Ranks whose runs differ in the numbers of parameters, of samples, of a batch or chunk, of epochs or
    /// steps, in patience, learning rate, penalty or the optimiser's constants; a rank that cannot be reached.
    pub fn with_communicator<C: Communicator<T>>(
        self,
        communicator: C,
    ) -> Result<Training<T, N, C>> {
        let Training { mut trainer, mut progress, .. } = self;
        if communicator.size() > 1 {
            let options = trainer.options();
            let counts = [
                trainer.network().parameters().len(),
                options.batch,
                options.chunk,
                options.epochs,
                options.patience.map_or(0, |patience| patience.saturating_add(1)),
                trainer.steps(),
                progress.samples(),
                progress.epochs(),
            ];
            let (rate, adam) = (trainer.learning_rate(), options.adam);
            let constants = [rate, options.l2, adam.beta1, adam.beta2, adam.epsilon];
            let mut numbers = counts.map(|count| count as u64).to_vec();
            numbers.extend(constants.map(f64::to_bits));
            check_alike(&communicator, &numbers, SAME)?;
            let mut seed = progress.seed.map(|byte| T::lit(byte.into()));
            communicator.broadcast(0, &mut seed)?;
            progress.seed = seed.map(|byte| byte.as_f64() as u8);
            trainer.share_parameters(&communicator)?;
            progress.begin(trainer.network().parameters());
            trainer.keep_share(communicator.size());
        }
        Ok(Training { trainer, communicator, progress })
    }
}

impl<T: Real, N: Network<T>, C: Communicator<T>> Training<T, N, C> {
    /// `Err` on every rank unless all validate, on as many samples, or none.
    pub(super) fn check_validation(&self, validation: Option<&TrainingSet<T>>) -> Result<()> {
        if self.communicator.size() == 1 {
            return Ok(());
        }
        let samples = validation.map_or(0, TrainingSet::len);
        let numbers = [u64::from(validation.is_some()), samples as u64];
        check_alike(
            &self.communicator,
            &numbers,
            "a validation set of one size on all ranks, or none",
        )
    }

    /// An end on one rank is one on all: a stop, or else a lack of patience.
    pub(super) fn share_end(&mut self) -> Result<()> {
        if self.communicator.size() > 1 {
            let over = self.progress.is_over(self.trainer.options());
            let here = [self.progress.is_stopped(), over];
            let here = here.map(|yes| if yes { T::one() } else { T::zero() });
            let mut anywhere = [T::zero(); 2];
            self.communicator.all_reduce_sum(&here, &mut anywhere)?;
            if anywhere[0] > T::zero() {
                self.stop();
            } else if anywhere[1] > T::zero() && !over {
                self.progress.lose_patience();
            }
        }
        Ok(())
    }
}

impl<T: Real, N: Network<T>> Trainer<T, N> {
    /// A step, unless the loss is above `limit`, on a batch of which every rank takes its share; the mean
    /// loss. Bits depend on the number of ranks.
    pub(super) fn step_shared<S, C>(
        &mut self,
        source: &S,
        samples: &[usize],
        limit: f64,
        communicator: &C,
    ) -> Result<f64>
    where
        S: TrainingSource<T> + ?Sized,
        C: Communicator<T>,
    {
        let count = self.network.parameters().len();
        let own = share(samples.len(), 1, communicator.rank(), communicator.size());
        let used = own.len().div_ceil(self.options.chunk);
        // Threads of the pool never wait for another rank.
        let loss = parallel::enter(|| self.differentiate(source, &samples[own], samples.len()));
        let [sent, sums] = &mut self.shared;
        sent.resize(count + 1, T::zero());
        sums.resize(count + 1, T::zero());
        sent.fill(T::zero());
        add_gradients(&self.chunks[..used], &mut sent[..count]);
        sent[count] = T::lit(loss);
        communicator.all_reduce_sum(sent, sums)?;
        let loss = sums[count].as_f64();
        if loss <= limit {
            self.chunks[0].gradient.copy_from_slice(&sums[..count]);
            parallel::enter(|| self.descend(1));
        }
        Ok(loss)
    }

    /// What went wrong in an epoch with this outcome, if anything did: the same on all ranks.
    pub(super) fn origin<C: Communicator<T>>(
        &mut self,
        outcome: ControlFlow<f64, f64>,
        communicator: &C,
    ) -> Result<Option<DivergenceOrigin>> {
        if let Some(origin) = DivergenceOrigin::in_parameters(&self.network) {
            return Ok(Some(origin));
        }
        let ControlFlow::Break(loss) = outcome else { return Ok(None) };
        let own = share(self.options.batch, 1, communicator.rank(), communicator.size());
        let mut layers = vec![T::zero(); self.network.depth()];
        if let Some(layer) = self.unsound_layer(own.len(), loss) {
            layers[layer] = T::one();
        }
        let mut all = layers.clone();
        communicator.all_reduce_sum(&layers, &mut all)?;
        let first = all.iter().position(|&ranks| ranks > T::zero());
        Ok(Some(DivergenceOrigin::of_activations(first)))
    }

    /// Gives the parameters of rank 0 to all.
    pub(super) fn share_parameters<C: Communicator<T>>(&mut self, communicator: &C) -> Result<()> {
        communicator.broadcast(0, self.network.parameters_mut())
    }

    /// Frees what one of `size` ranks does not need.
    fn keep_share(&mut self, size: usize) {
        let samples = self.options.batch.div_ceil(size);
        self.chunks.truncate(samples.div_ceil(self.options.chunk));
    }
}

/// The network's answers on every rank, each of which computes its share in whole panels.
pub(super) fn shared_estimates<T: Real, N: Network<T>>(
    network: &N,
    data: &DMatrix<T>,
    communicator: &impl Communicator<T>,
) -> Result<DMatrix<T>> {
    let (rank, size, count) = (communicator.rank(), communicator.size(), data.ncols());
    if size == 1 {
        return Ok(estimates(network, data));
    }
    let own = share(count, PANEL, rank, size);
    let own = estimates(network, &data.columns(own.start, own.len()).into_owned());
    let all = gather_columns(communicator, own, count, PANEL)?;
    let mut all = all.unwrap_or_else(|| DMatrix::zeros(network.output_len(), count));
    communicator.broadcast(0, all.as_mut_slice())?;
    Ok(all)
}
