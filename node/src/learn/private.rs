//! Training with example-level differential privacy: DP-SGD of Abadi and others, 2016.
//!
//! A step takes every sample with the same probability, each independently (Poisson sampling), clips the gradient of
//! each sample it took to one norm, adds Gaussian noise to their sum, and divides by the expected number of samples: the
//! number taken is itself private. What leaves a training this way is covered by the accountant's arithmetic for its
//! [`Spend`], for data sets that differ by one sample added or removed, their size being public.
//!
//! Noise is drawn under a [`NoiseLicence`], which is made of a durable debit and of nothing else, can be used once, and
//! is refused for a training that costs anything else. Not covered are the loss in [`Trained`], which is exact and must
//! stay on this machine, and the gap between real numbers and floating point, in the noise as in the clipping.

mod clip;
mod gradient;
mod one_by_one;

use std::ops::ControlFlow;

use althing_agents::privacy::{Debited, Spend};
use althing_protocol::model::Width;
use rand::{RngExt, SeedableRng, TryRng, rngs::SysRng};
use rand_chacha::ChaCha20Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

pub use self::clip::{AdaptiveClip, Clip};
pub(super) use self::one_by_one::OneByOne;
use self::{clip::Clipper, gradient::ClippedSum};
use super::{
    chain::Chain,
    job::Pause,
    train::{LearnError, Learner, Stopwatch, Trained},
};

/// Samples whose activations are in memory at a time: enough to be fast, few enough for the largest model.
const BATCH: usize = 64;
/// Stream of a training's generator that decides which samples are taken.
const SAMPLING_STREAM: u64 = 0;
/// Stream of the same generator that the noise comes from.
const NOISE_STREAM: u64 = 1;
/// Stream of the same generator that the noise on the number of unclipped gradients comes from.
const COUNT_STREAM: u64 = 2;

/// How to train privately.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrivateHyper {
    /// Samples that a step takes on average, from 1 to as many as there are.
    pub lot: usize,
    /// Norm that no sample's gradient may exceed.
    pub clip: Clip,
    /// Noise multiplier of a step, above 0: with a fixed clip, the noise's standard deviation in each coordinate of the
    /// sum is `sigma * clip`; an adaptive one needs a little more of it, see [`Clip::gradient_sigma`].
    pub sigma: f64,
    /// Steps, from 1.
    pub steps: u32,
    /// Step size, above 0.
    pub learning_rate: f64,
    /// How much of the last step lives on in the next, from 0 (none) to below 1.
    pub momentum: f64,
}

/// The right to draw the noise of one training, and the secret that it is drawn from.
///
/// It cannot be copied and is used up by the training, whether that ends or is broken off.
pub struct NoiseLicence {
    debited: Debited,
    secret: [u8; 32],
}

impl NoiseLicence {
    /// A licence for what was debited, with a secret of the operating system's randomness, which is kept nowhere: who
    /// knew it could take the noise off again.
    ///
    /// # Errors
    /// [`LearnError::Randomness`] if the operating system has none to give.
    pub fn new(debited: Debited) -> Result<Self, LearnError> {
        let mut secret = [0; 32];
        SysRng.try_fill_bytes(&mut secret).map_err(|error| LearnError::Randomness(error.to_string()))?;
        Ok(Self { debited, secret })
    }

    /// A licence whose noise can be drawn again by whoever knows `secret`: for data that are public anyway. Two trainings
    /// with the same secret have noise that cancels.
    pub const fn repeatable(debited: Debited, secret: [u8; 32]) -> Self {
        Self { debited, secret }
    }

    /// What was paid for.
    pub const fn debited(&self) -> &Debited {
        &self.debited
    }

    fn rng(&self, stream: u64) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::from_seed(self.secret);
        rng.set_stream(stream);
        rng
    }
}

impl PrivateHyper {
    /// What training on `samples` samples costs, to be debited beforehand.
    ///
    /// # Errors
    /// [`LearnError`] if there is no sample or a parameter is out of bounds.
    pub fn spend(&self, samples: usize) -> Result<Spend, LearnError> {
        self.check(samples)?;
        let spend = Spend::new(self.lot as f64 / samples as f64, self.sigma, self.steps.into());
        spend.map_err(|error| LearnError::Unaccountable(error.to_string()))
    }

    fn check(&self, samples: usize) -> Result<(), LearnError> {
        let error = |name, value: String, bounds| Err(LearnError::Hyper { name, value, bounds });
        let is_above_zero = |value: f64| value.is_finite() && value > 0.0;
        if samples == 0 {
            return Err(LearnError::NoSample);
        }
        if !(1..=samples).contains(&self.lot) {
            return error("lot", self.lot.to_string(), "from 1 to the number of samples");
        }
        if self.steps == 0 {
            return error("steps", self.steps.to_string(), "at least 1");
        }
        for (name, value) in [("sigma", self.sigma), ("learning_rate", self.learning_rate)] {
            if !is_above_zero(value) {
                return error(name, value.to_string(), "a number above 0");
            }
        }
        if let Some((name, value, bounds)) = self.clip.fault(self.sigma) {
            return error(name, value.to_string(), bounds);
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return error("momentum", self.momentum.to_string(), "from 0 to below 1");
        }
        Ok(())
    }
}

impl Learner {
    /// Trains the slice of this width from its `weights`, so that the result reveals little of any one sample.
    ///
    /// `pause` is as in [`train`](Self::train). In the result, the loss is over the samples of the last steps, about one
    /// pass, and 0 if they took none; it is not private and must not be published.
    ///
    /// # Errors
    /// [`LearnError`] if weights or hyperparameters will not do, `licence` is for another spending, `pause` broke off,
    /// or the parameters left the numbers.
    pub fn train_private(
        &self,
        weights: &[f32],
        width: Width,
        hyper: &PrivateHyper,
        licence: NoiseLicence,
        pause: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Trained, LearnError> {
        let mut summing = BuiltIn { learner: self, chain: Chain::new(self.architecture, width) };
        descend(&mut summing, weights, hyper, licence, pause)
    }
}

/// What private training needs of a model and its samples.
pub(super) trait Summing {
    /// How many samples there are.
    fn samples(&self) -> usize;

    /// Goes on with these parameters.
    fn set(&mut self, weights: &[f32]) -> Result<(), LearnError>;

    /// Adds the gradient of each sample of a batch, made no longer than `clip`.
    fn add(&mut self, sum: &mut ClippedSum, batch: &[usize], clip: f32) -> Result<(), LearnError>;
}

/// A built-in model, whose layers tell the gradient of each sample.
struct BuiltIn<'a> {
    learner: &'a Learner,
    chain: Chain,
}

impl Summing for BuiltIn<'_> {
    fn samples(&self) -> usize {
        self.learner.train.len()
    }

    fn set(&mut self, weights: &[f32]) -> Result<(), LearnError> {
        Ok(self.chain.set(weights)?)
    }

    fn add(&mut self, sum: &mut ClippedSum, batch: &[usize], clip: f32) -> Result<(), LearnError> {
        let trace = self.learner.trace(&mut self.chain, batch)?;
        sum.add(&mut self.chain, trace, clip)
    }
}

/// Descends noisy sums of clipped gradients from `weights`. See [`Learner::train_private`].
pub(super) fn descend(
    summing: &mut dyn Summing,
    weights: &[f32],
    hyper: &PrivateHyper,
    licence: NoiseLicence,
    pause: &mut Pause<'_>,
) -> Result<Trained, LearnError> {
    let samples = summing.samples();
    let spend = hyper.spend(samples)?;
    if *licence.debited.spend() != spend {
        return Err(LearnError::Unlicensed);
    }
    let mut watch = Stopwatch::default();
    watch.time(|| summing.set(weights))?;
    let mut sampling = licence.rng(SAMPLING_STREAM);
    let mut descent = Descent::new(weights, hyper, licence.rng(NOISE_STREAM));
    let mut clipper = Clipper::new(hyper.clip, licence.rng(COUNT_STREAM));
    let pass = (1.0 / spend.q()).ceil() as u32;
    let (mut loss, mut losses) = (0.0, 0_usize);
    for step in 1..=hyper.steps {
        let lot = watch.time(|| draw_lot(samples, spend.q(), &mut sampling));
        let mut sum = ClippedSum::zero(weights.len());
        for batch in lot.chunks(BATCH) {
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            watch.time(|| summing.add(&mut sum, batch, clipper.norm() as f32))?;
        }
        if step + pass > hyper.steps {
            loss += sum.loss;
            losses += lot.len();
        }
        watch
            .time(|| {
                descent.take(sum.gradient, clipper.norm());
                clipper.follow(&sum.norms, hyper.lot);
                summing.set(&descent.weights)
            })
            .map_err(|_| LearnError::Diverged { epoch: step.div_ceil(pass) })?;
    }
    let loss = (loss / losses.max(1) as f64) as f32;
    Ok(Trained { weights: descent.weights, samples: samples as u64, loss, training_ms: watch.millis() })
}

/// The samples that a step takes, each with the same probability.
fn draw_lot(samples: usize, probability: f64, rng: &mut ChaCha20Rng) -> Vec<usize> {
    (0..samples).filter(|_| rng.random::<f64>() < probability).collect()
}

/// Descends noisy sums of gradients, with momentum.
struct Descent {
    weights: Vec<f32>,
    velocity: Vec<f32>,
    hyper: PrivateHyper,
    noise: ChaCha20Rng,
}

impl Descent {
    fn new(weights: &[f32], hyper: &PrivateHyper, noise: ChaCha20Rng) -> Self {
        Self { weights: weights.to_vec(), velocity: vec![0.0; weights.len()], hyper: *hyper, noise }
    }

    /// One step down a sum of gradients that were clipped to `norm`. The noise is added to the sum, so dividing by the
    /// expected lot scales both.
    fn take(&mut self, sum: Vec<f32>, norm: f64) {
        let deviation = self.hyper.clip.gradient_sigma(self.hyper.sigma) * norm;
        let parameters = self.weights.iter_mut().zip(&mut self.velocity);
        for ((weight, velocity), sum) in parameters.zip(sum) {
            let noise: f64 = StandardNormal.sample(&mut self.noise);
            let gradient = (f64::from(sum) + deviation * noise) / self.hyper.lot as f64;
            let next = self.hyper.momentum * f64::from(*velocity) + gradient;
            *velocity = next as f32;
            *weight -= (self.hyper.learning_rate * next) as f32;
        }
    }
}

#[cfg(test)]
mod tests;
