//! How long training takes on this machine, from the first batches of one that is broken off.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use super::{
    job::{Learn, TrainJob},
    train::LearnError,
};

/// Batches that are measured, after one that warms up.
const BATCHES: usize = 3;

/// Time for one example in one pass, from a few batches of `batch` examples. `job` is never finished, and must not be
/// private: nothing of it is used, and noise must not be drawn for nothing.
///
/// # Errors
/// [`LearnError`] when the learner does not train so.
pub fn time_per_sample(learner: &dyn Learn, job: TrainJob, batch: usize) -> Result<Duration, LearnError> {
    let mut marks = vec![Instant::now()];
    let mut pause = || {
        marks.push(Instant::now());
        if marks.len() > BATCHES + 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match learner.train(job, &mut pause) {
        Ok(_) => marks.push(Instant::now()),
        Err(LearnError::Cancelled) => {}
        Err(error) => return Err(error),
    }
    // The first mark is the start, and the batch after the second one warms up if others follow.
    let measured = if marks.len() > 3 { marks.get(2..) } else { marks.get(..) }.unwrap_or_default();
    let (Some(first), Some(last)) = (measured.first(), measured.last()) else { return Ok(Duration::ZERO) };
    let samples = (measured.len() - 1) * batch.max(1);
    let samples = samples.min(usize::try_from(learner.samples()).unwrap_or(usize::MAX)).max(1);
    Ok((*last - *first) / u32::try_from(samples).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use althing_protocol::{ids::Hash, model::Width};

    use super::*;
    use crate::learn::{
        job::{EvaluateJob, Method, Pause},
        train::{Evaluation, Hyper, Trained},
    };

    /// Needs 5 ms for a batch, and 50 ms for the first.
    struct Slow {
        samples: u64,
    }

    impl Learn for Slow {
        fn samples(&self) -> u64 {
            self.samples
        }

        fn fingerprint(&self) -> Option<Hash> {
            None
        }

        fn train(&self, _: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
            for batch in 0..self.samples.div_ceil(10) {
                if pause().is_break() {
                    return Err(LearnError::Cancelled);
                }
                thread::sleep(Duration::from_millis(if batch == 0 { 50 } else { 5 }));
            }
            Ok(Trained { weights: Vec::new(), samples: self.samples, loss: 0.0, training_ms: 0 })
        }

        fn evaluate(&self, _: &EvaluateJob, _: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
            Err(LearnError::NoSample)
        }
    }

    fn time(samples: u64) -> Duration {
        let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.1, momentum: 0.0 };
        let method = Method::Plain(hyper);
        let job = TrainJob { weights: Arc::default(), width: Width::Full, method, seed: [0; 32] };
        time_per_sample(&Slow { samples }, job, 10).unwrap()
    }

    #[test]
    fn a_few_batches_tell_the_pace_and_the_first_does_not_count() {
        let begin = Instant::now();
        let pace = time(1_000_000);
        assert!(pace >= Duration::from_micros(500) && pace < Duration::from_millis(5), "{pace:?}");
        assert!(begin.elapsed() < Duration::from_secs(5), "it does not train to the end");
        assert!(time(10) >= Duration::from_millis(5), "the only batch counts");
        assert_eq!(time(0).as_millis(), 0);
    }
}
