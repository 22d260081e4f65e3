//! A learner that leaves most of its core to others.

use std::{
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

use althing_protocol::ids::Hash;

use super::{
    job::{EvaluateJob, Learn, Pause, TrainJob},
    train::{Evaluation, LearnError, Trained},
};

/// Longest sleep before the worker is asked again whether the training is still wanted.
const NAP: Duration = Duration::from_millis(20);

/// Trains in a share of one core's time: after each batch it sleeps so long that work was that share of the whole.
pub struct Throttled {
    learner: Box<dyn Learn>,
    percent: u32,
}

impl Throttled {
    /// `learner` in `percent` (1 to 100) of one core's time.
    pub fn new(learner: Box<dyn Learn>, percent: u32) -> Self {
        Self { learner, percent: percent.clamp(1, 100) }
    }
}

impl Learn for Throttled {
    fn samples(&self) -> u64 {
        self.learner.samples()
    }

    fn fingerprint(&self) -> Option<Hash> {
        self.learner.fingerprint()
    }

    /// The time of the training is with the sleep: that is how long the round waits for it.
    fn train(&self, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        let mut slept = Duration::ZERO;
        let mut began: Option<Instant> = None;
        let mut rest = || {
            let worked = began.map_or(Duration::ZERO, |since| since.elapsed());
            let mut left = worked.saturating_mul(100 - self.percent) / self.percent;
            while !left.is_zero() {
                if pause().is_break() {
                    return ControlFlow::Break(());
                }
                let nap = left.min(NAP);
                thread::sleep(nap);
                slept += nap;
                left -= nap;
            }
            let go_on = pause();
            // What the pause itself took, such as an evaluation, is not the training's work.
            began = Some(Instant::now());
            go_on
        };
        let trained = self.learner.train(job, &mut rest)?;
        let slept_ms = u64::try_from(slept.as_millis()).unwrap_or(u64::MAX);
        Ok(Trained { training_ms: trained.training_ms.saturating_add(slept_ms), ..trained })
    }

    fn evaluate(&self, job: &EvaluateJob, pause: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
        self.learner.evaluate(job, pause)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use althing_protocol::model::Width;

    use super::*;
    use crate::learn::{job::Method, train::Hyper};

    /// Works for 2 ms in each of 10 batches.
    struct Worker;

    impl Learn for Worker {
        fn samples(&self) -> u64 {
            10
        }

        fn fingerprint(&self) -> Option<Hash> {
            None
        }

        fn train(&self, _: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
            for _ in 0..10 {
                if pause().is_break() {
                    return Err(LearnError::Cancelled);
                }
                thread::sleep(Duration::from_millis(2));
            }
            Ok(Trained { weights: Vec::new(), samples: 10, loss: 0.0, training_ms: 20 })
        }

        fn evaluate(&self, _: &EvaluateJob, _: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
            Err(LearnError::NoSample)
        }
    }

    fn job() -> TrainJob {
        let hyper = Hyper { epochs: 1, batch: 1, learning_rate: 0.1, momentum: 0.0 };
        TrainJob { weights: Arc::default(), width: Width::Full, method: Method::Plain(hyper), seed: [0; 32] }
    }

    #[test]
    fn a_fifth_of_a_core_takes_five_times_as_long_and_says_so() {
        let begin = Instant::now();
        let trained = Throttled::new(Box::new(Worker), 20).train(job(), &mut || ControlFlow::Continue(())).unwrap();
        // Nobody sleeps after the last batch, so 9 of 10 are stretched by 8 ms each.
        assert!(begin.elapsed() >= Duration::from_millis(20 + 9 * 8) && trained.training_ms >= 20 + 9 * 8);
        let free = Throttled::new(Box::new(Worker), 100).train(job(), &mut || ControlFlow::Continue(())).unwrap();
        assert_eq!(free.training_ms, 20);
    }

    #[test]
    fn a_sleeping_learner_stops_when_it_is_told_to() {
        let mut asked = 0;
        let mut stop = || {
            asked += 1;
            if asked == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = Throttled::new(Box::new(Worker), 1).train(job(), &mut stop);
        assert_eq!(stopped, Err(LearnError::Cancelled));
    }
}
