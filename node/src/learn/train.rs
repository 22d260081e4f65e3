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
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};

use super::{
    chain::{Chain, Descent, Trace},
    data::{CLASSES, Dataset},
    job::{EvaluateJob, Learn, Method, Pause, TrainJob},
    model::Architecture,
    params::{self, ParamsError},
};

/// Samples evaluated at a time: enough to be fast, few enough for the largest model's activations to stay small.
pub(super) const EVALUATION_BATCH: usize = 64;
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
        hyper.check()?;
        if self.train.is_empty() {
            return Err(LearnError::NoSample);
        }
        let mut watch = Stopwatch::default();
        let mut step = watch.time(|| Step::new(self.architecture, width, weights, hyper))?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let mut order: Vec<usize> = (0..self.train.len()).collect();
        let mut loss = 0.0;
        for epoch in 1..=hyper.epochs {
            order.shuffle(&mut rng);
            let mut sum = 0.0;
            for batch in order.chunks(hyper.batch) {
                if pause().is_break() {
                    return Err(LearnError::Cancelled);
                }
                let batch_loss = watch.time(|| step.take(self, batch))?;
                if !batch_loss.is_finite() {
                    return Err(LearnError::Diverged { epoch });
                }
                sum += f64::from(batch_loss) * batch.len() as f64;
            }
            loss = (sum / order.len() as f64) as f32;
        }
        let weights = watch.time(|| step.finish(hyper.epochs))?;
        Ok(Trained { weights, samples: order.len() as u64, loss, training_ms: watch.millis() })
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
        let (mut loss, mut correct) = (0.0, 0);
        let order: Vec<usize> = (0..dataset.len()).collect();
        for batch in order.chunks(EVALUATION_BATCH) {
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            let logits = chain.logits(dataset.inputs(batch))?;
            for (logits, &sample) in logits.chunks_exact(CLASSES).zip(batch) {
                let label = usize::from(dataset.labels()[sample]);
                loss += cross_entropy(logits, label);
                correct += u32::from(most_likely(logits) == Some(label));
            }
        }
        let mean = (loss / dataset.len() as f64) as f32;
        let loss = if mean.is_finite() { mean } else { f32::MAX };
        Ok(Evaluation { loss, correct, samples: dataset.len() as u32 })
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

/// A model in training.
struct Step {
    chain: Chain,
    descent: Descent,
}

impl Step {
    fn new(architecture: Architecture, width: Width, weights: &[f32], hyper: &Hyper) -> Result<Self, LearnError> {
        let mut chain = Chain::new(architecture, width);
        chain.set(weights)?;
        let descent = Descent::new(&chain, hyper.learning_rate, hyper.momentum);
        Ok(Self { chain, descent })
    }

    /// One step down the gradient of `batch`; returns the mean loss before it.
    fn take(&mut self, learner: &Learner, batch: &[usize]) -> Result<f32, LearnError> {
        let trace = learner.trace(&mut self.chain, batch)?;
        let loss = (trace.loss / batch.len() as f64) as f32;
        self.descent.take(&mut self.chain, trace)?;
        Ok(loss)
    }

    /// The parameters. The last step may have left the numbers after the last loss was taken.
    fn finish(self, epoch: u32) -> Result<Vec<f32>, LearnError> {
        let weights = self.chain.parameters();
        params::check_finite(&weights).map_err(|_| LearnError::Diverged { epoch })?;
        Ok(weights)
    }
}

/// Cross-entropy of one sample by the shifted log-sum-exp.
pub(super) fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - top).exp()).sum();
    sum.ln() - f64::from(logits[label] - top)
}

/// The first class with the largest logit, or `None` if one overflowed: such a model knows nothing.
pub(super) fn most_likely(logits: &[f32]) -> Option<usize> {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return None;
    }
    (0..logits.len()).reduce(|best, class| if logits[class] > logits[best] { class } else { best })
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
