//! The course that every training and evaluation takes, whatever the model is made of: epochs of batches in an order
//! drawn anew, and batches one after the other.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha20Rng;

use super::{
    job::Pause,
    params,
    train::{Evaluation, Hyper, LearnError, Stopwatch, Trained},
    workload::Score,
};

/// Examples evaluated at a time: enough to be fast, few enough for the largest model's activations to stay small.
const EVALUATION_BATCH: usize = 64;

/// A model in training.
pub(super) trait Descend: Sized {
    /// One step down the gradient of the examples with these numbers; also returns their mean loss before it.
    ///
    /// The model is moved through, because frameworks update in place only what has one owner.
    fn step(self, batch: &[usize]) -> Result<(Self, f32), LearnError>;

    /// The parameters in manifest order.
    fn parameters(&self) -> Result<Vec<f32>, LearnError>;
}

/// Trains what `begin` makes on so many examples. Their order is drawn from `seed`, anew in each epoch.
///
/// `pause` is called before each batch: it may do something else first, which does not count as training time, or break
/// the training off.
pub(super) fn train<D: Descend>(
    examples: usize,
    hyper: &Hyper,
    seed: [u8; 32],
    begin: impl FnOnce() -> Result<D, LearnError>,
    pause: &mut Pause<'_>,
) -> Result<Trained, LearnError> {
    hyper.check()?;
    if examples == 0 {
        return Err(LearnError::NoSample);
    }
    let mut watch = Stopwatch::default();
    let mut model = watch.time(begin)?;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut order: Vec<usize> = (0..examples).collect();
    let mut loss = 0.0;
    for epoch in 1..=hyper.epochs {
        order.shuffle(&mut rng);
        let mut sum = 0.0;
        for batch in order.chunks(hyper.batch) {
            if pause().is_break() {
                return Err(LearnError::Cancelled);
            }
            let (next, batch_loss) = watch.time(|| model.step(batch))?;
            if !batch_loss.is_finite() {
                return Err(LearnError::Diverged { epoch });
            }
            model = next;
            sum += f64::from(batch_loss) * batch.len() as f64;
        }
        loss = (sum / examples as f64) as f32;
    }
    let weights = watch.time(|| model.parameters())?;
    // The last step may have left the numbers after the last loss was taken.
    params::check_finite(&weights).map_err(|_| LearnError::Diverged { epoch: hyper.epochs })?;
    Ok(Trained { weights, samples: examples as u64, loss, training_ms: watch.millis() })
}

/// Sums up what `score` says of so many examples, batch by batch. `pause` is as in [`train`].
pub(super) fn evaluate(
    examples: usize,
    mut score: impl FnMut(&[usize]) -> Result<Score, LearnError>,
    pause: &mut Pause<'_>,
) -> Result<Evaluation, LearnError> {
    if examples == 0 {
        return Err(LearnError::NoSample);
    }
    let order: Vec<usize> = (0..examples).collect();
    let mut sum = Score { loss: 0.0, correct: 0 };
    for batch in order.chunks(EVALUATION_BATCH) {
        if pause().is_break() {
            return Err(LearnError::Cancelled);
        }
        let Score { loss, correct } = score(batch)?;
        sum.loss += loss;
        sum.correct += correct;
    }
    let mean = (sum.loss / examples as f64) as f32;
    let loss = if mean.is_finite() { mean } else { f32::MAX };
    Ok(Evaluation { loss, correct: sum.correct, samples: examples as u32 })
}
