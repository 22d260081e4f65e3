//! Training and evaluation of one member's model on its own samples.
//!
//! The backend is built without its thread pool, so both use the calling thread alone, and the same seed gives the same
//! bits on the same machine.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use althing_protocol::{ids::Hash, model::Width};
use burn::optim::{ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use serde::{Deserialize, Serialize};

use super::{
    chain::{Chain, Descent, Trace},
    data::{CLASSES, Dataset},
    epochs::{self, Descend},
    job::{EvaluateJob, Learn, Method, Pause, TrainJob},
    model::Architecture,
    params::ParamsError,
    workload::Score,
};

/// Samples that a step may be over: activations of more would not fit a node's memory.
const BATCH_MAX: usize = 1_024;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LearnError {
    /// The weights do not fit, or are not numbers.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// A hyperparameter is out of bounds.
    #[error("training parameter {name} is {value}: it must be {bounds}")]
    Hyper {
        /// Which one.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        bounds: &'static str,
    },
    /// There is nothing to learn from.
    #[error("there is no sample to work on: give this member a part of the data")]
    NoSample,
    /// The loss left the numbers.
    #[error("training diverged in epoch {epoch}: lower the learning rate or the momentum")]
    Diverged {
        /// The epoch, from 1.
        epoch: u32,
    },
    /// Private training would spend something else than what was debited for it.
    #[error("the noise of this training is not the noise that was paid for: debit its own spending first")]
    Unlicensed,
    /// Private training has parameters that no accountant knows a price for.
    #[error("this training cannot be accounted for: {0}")]
    Unaccountable(String),
    /// There is nothing to draw noise from.
    #[error("the operating system gives no randomness for noise ({0}); nothing is trained without it")]
    Randomness(String),
    /// The backend failed.
    #[error("the backend could not read a result back: {0}")]
    Backend(String),
    /// Somebody stopped the job, or a newer one took its place.
    #[error("the job was cancelled")]
    Cancelled,
    /// More jobs are waiting than the thread takes.
    #[error("the learner has too many jobs waiting: ask again when one is answered")]
    Busy,
    /// The thread has ended.
    #[error("the learner has stopped: restart the node")]
    Stopped,
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hyper {
    /// Passes over the samples, from 1.
    pub epochs: u32,
    /// Samples per step, from 1 to 1,024.
    pub batch: usize,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// How much of the last step lives on in the next, from 0 (none) to below 1.
    pub momentum: f64,
}

impl Hyper {
    pub(super) fn check(&self) -> Result<(), LearnError> {
        let error = |name, value: String, bounds| Err(LearnError::Hyper { name, value, bounds });
        if self.epochs == 0 {
            return error("epochs", self.epochs.to_string(), "at least 1");
        }
        if !(1..=BATCH_MAX).contains(&self.batch) {
            return error("batch", self.batch.to_string(), "from 1 to 1024");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return error("learning_rate", self.learning_rate.to_string(), "a number above 0");
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return error("momentum", self.momentum.to_string(), "from 0 to below 1");
        }
        Ok(())
    }

    /// Without dampening: the common definition, in which the step is the decaying sum of all gradients.
    pub(super) fn optimizer(&self) -> ModuleOptimizer {
        let momentum = MomentumConfig::new().with_momentum(self.momentum).with_dampening(0.0);
        SgdConfig::new().with_momentum((self.momentum > 0.0).then_some(momentum)).init()
    }
}

/// What training made.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The new parameters, all finite, in manifest order.
    pub weights: Vec<f32>,
    /// Samples trained on, each counted once however many epochs there were.
    pub samples: u64,
    /// Mean training loss over the last epoch.
    pub loss: f32,
    /// Time spent training, pauses not counted, in milliseconds.
    pub training_ms: u64,
}

/// How good a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy, always finite: a model whose outputs overflow gets [`f32::MAX`].
    pub loss: f32,
    /// Samples whose most likely class was the right one.
    pub correct: u32,
    /// Samples in all.
    pub samples: u32,
}

impl Evaluation {
    /// Correct of all, from 0 to 1.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct) / f64::from(self.samples.max(1))
    }
}

/// Which samples to evaluate on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvaluateOn {
    /// The samples that this member held out.
    HeldOut,
    /// The common test set.
    Test,
}

/// One member's model and samples.
pub struct Learner {
    pub(super) architecture: Architecture,
    pub(super) train: Dataset,
    held_out: Dataset,
    test: Dataset,
}

impl Learner {
    /// A learner over its samples. `test` may be empty where nobody will ask for it.
    pub fn new(architecture: Architecture, train: Dataset, held_out: Dataset, test: Dataset) -> Self {
        Self { architecture, train, held_out, test }
    }

    /// Trains the slice of this width from its `weights`. The order of the samples is drawn from `seed`, anew in each
    /// epoch.
    ///
    /// `pause` is called before each batch: it may do something else first, which does not count as training time, or
    /// break the training off.
    ///
    /// # Errors
    /// [`LearnError`] if weights or hyperparameters will not do, `pause` broke off, or the loss left the numbers.
    pub fn train(
        &self,
        weights: &[f32],
        width: Width,
        hyper: &Hyper,
        seed: [u8; 32],
        pause: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Trained, LearnError> {
        let begin = || Step::new(self, width, weights, hyper);
        epochs::train(self.train.len(), hyper, seed, begin, pause)
    }

    /// Loss and accuracy of the slice of this width with these `weights`. `pause` is as in [`train`](Self::train).
    ///
    /// # Errors
    /// [`LearnError`] if the weights will not do, there is no sample, or `pause` broke off.
    pub fn evaluate(
        &self,
        weights: &[f32],
        width: Width,
        on: EvaluateOn,
        pause: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Evaluation, LearnError> {
        let dataset = match on {
            EvaluateOn::HeldOut => &self.held_out,
            EvaluateOn::Test => &self.test,
        };
        if dataset.is_empty() {
            return Err(LearnError::NoSample);
        }
        let mut chain = Chain::new(self.architecture, width);
        chain.set(weights)?;
        let score = |batch: &[usize]| {
            let logits = chain.logits(dataset.inputs(batch))?;
            Ok(Score::of(&logits, CLASSES, batch.iter().map(|&sample| dataset.labels()[sample])))
        };
        epochs::evaluate(dataset.len(), score, pause)
    }

    /// Runs samples to train on forward and backward.
    pub(super) fn trace(&self, chain: &mut Chain, batch: &[usize]) -> Result<Trace, LearnError> {
        let labels: Vec<u8> = batch.iter().map(|&sample| self.train.labels()[sample]).collect();
        chain.trace(self.train.inputs(batch), &labels)
    }
}

impl Learn for Learner {
    fn samples(&self) -> u64 {
        self.train.len() as u64
    }

    fn fingerprint(&self) -> Option<Hash> {
        Some(self.train.fingerprint())
    }

    fn train(&self, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        match job.method {
            Method::Plain(hyper) => self.train(&job.weights, job.width, &hyper, job.seed, pause),
            Method::Private(hyper, licence) => self.train_private(&job.weights, job.width, &hyper, licence, pause),
        }
    }

    fn evaluate(&self, job: &EvaluateJob, pause: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
        self.evaluate(&job.weights, job.width, job.on, pause)
    }
}

/// A built-in model in training.
struct Step<'a> {
    learner: &'a Learner,
    chain: Chain,
    descent: Descent,
}

impl<'a> Step<'a> {
    fn new(learner: &'a Learner, width: Width, weights: &[f32], hyper: &Hyper) -> Result<Self, LearnError> {
        let mut chain = Chain::new(learner.architecture, width);
        chain.set(weights)?;
        let descent = Descent::new(&chain, hyper.learning_rate, hyper.momentum);
        Ok(Self { learner, chain, descent })
    }
}

impl Descend for Step<'_> {
    fn step(mut self, batch: &[usize]) -> Result<(Self, f32), LearnError> {
        let trace = self.learner.trace(&mut self.chain, batch)?;
        let loss = (trace.loss / batch.len() as f64) as f32;
        self.descent.take(&mut self.chain, trace)?;
        Ok((self, loss))
    }

    fn parameters(&self) -> Result<Vec<f32>, LearnError> {
        Ok(self.chain.parameters())
    }
}

/// Sums up the time of what it is given to do.
#[derive(Default)]
pub(super) struct Stopwatch(Duration);

impl Stopwatch {
    pub(super) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let result = work();
        self.0 += begin.elapsed();
        result
    }

    pub(super) fn millis(&self) -> u64 {
        self.0.as_millis() as u64
    }
}

#[cfg(test)]
mod tests;
