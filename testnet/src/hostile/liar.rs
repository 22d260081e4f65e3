//! The learner of a hostile node.

use std::sync::{Arc, Mutex, PoisonError};

use althing_node::learn::{
    job::{EvaluateJob, Learn, Pause, TrainJob},
    train::{Evaluation, LearnError, Learner, Trained},
};
use althing_protocol::{
    ids::Hash,
    sim::{
        Rng,
        attack::{self, Attack, View},
    },
};

use super::sight::{Round, Sight};

/// Trains as everybody does, and hands in something else.
pub(super) struct Liar {
    honest: Learner,
    /// Somebody who learns from poisoned data, if that is the attack.
    poisoned: Option<Learner>,
    attack: Attack,
    from_round: u64,
    sight: Arc<Sight>,
    /// The model that the training before started from.
    previous: Mutex<Option<Arc<[f32]>>>,
}

impl Liar {
    pub(super) fn new(
        honest: Learner,
        poisoned: Option<Learner>,
        attack: Attack,
        from_round: u64,
        sight: Arc<Sight>,
    ) -> Self {
        Self { honest, poisoned, attack, from_round, sight, previous: Mutex::new(None) }
    }

    /// What the attack makes of this job.
    fn lie(&self, round: &Round, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        let (base, previous, mut rng) = (Arc::clone(&job.weights), self.previous(), draws(&job));
        let mut seen = Vec::new();
        if self.attack.looks_at_others() {
            seen = self.sight.updates(&base, job.width, pause)?;
        }
        let has_nothing_to_go_by = self.attack.looks_at_others() && seen.is_empty();
        let trained = if self.attack.trains() || has_nothing_to_go_by && !self.attack.is_lazy() {
            let learner = self.poisoned.as_ref().unwrap_or(&self.honest);
            Learn::train(learner, job, pause)?
        } else {
            // It says that it has looked at all its samples.
            Trained { weights: base.to_vec(), samples: self.honest.samples(), loss: 0.0, training_ms: 1 }
        };
        let seen: Vec<&[f32]> = seen.iter().map(Vec::as_slice).collect();
        let view = View {
            base: &base,
            own: &trained.weights,
            seen: &seen,
            // A model of another width says nothing of this one.
            previous: previous.as_deref().filter(|previous| previous.len() == base.len()),
            members: round.members,
            liars: round.liars,
        };
        let weights = attack::craft(self.attack, &view, &mut rng);
        Ok(Trained { weights, ..trained })
    }

    fn previous(&self) -> Option<Arc<[f32]>> {
        self.previous.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Chance as the job draws it.
fn draws(job: &TrainJob) -> Rng {
    Rng::new(job.seed.iter().fold(0, |sum, &byte| (sum << 7) ^ u64::from(byte)))
}

impl Learn for Liar {
    fn samples(&self) -> u64 {
        self.honest.samples()
    }

    fn fingerprint(&self) -> Option<Hash> {
        Learn::fingerprint(&self.honest)
    }

    fn train(&self, job: TrainJob, pause: &mut Pause<'_>) -> Result<Trained, LearnError> {
        let (base, round) = (Arc::clone(&job.weights), self.sight.round());
        let trained = if round.number < self.from_round {
            Learn::train(&self.honest, job, pause)
        } else {
            self.lie(&round, job, pause)
        };
        *self.previous.lock().unwrap_or_else(PoisonError::into_inner) = Some(base);
        trained
    }

    fn evaluate(&self, job: &EvaluateJob, pause: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
        Learn::evaluate(&self.honest, job, pause)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use althing_node::learn::{
        data::{CLASSES, Dataset, PIXELS},
        facts,
        job::Method,
        model::Architecture,
        train::Hyper,
    };
    use althing_protocol::model::Width;

    use super::*;
    use crate::hostile::sight::{
        Ear,
        tests::{genesis, member, planned, receive, tell},
    };

    const ARCHITECTURE: Architecture = Architecture::TwoNn;

    fn noise(shift: usize) -> Dataset {
        let images = (0..20 * PIXELS).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        Dataset::new(images, (0..20).map(|index| ((index + shift) % CLASSES) as u8).collect()).unwrap()
    }

    fn learner(shift: usize) -> Learner {
        Learner::new(ARCHITECTURE, noise(shift), Dataset::default(), Dataset::default())
    }

    fn job(weights: &[f32]) -> TrainJob {
        let hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.1, momentum: 0.0 };
        TrainJob { weights: weights.into(), width: Width::Full, method: Method::Plain(hyper), seed: [7; 32] }
    }

    /// What a liar with this attack hands in, in round 3, from `base`; member 1 is honest and has sent ones.
    fn handed_in(word: &str, from_round: u64, base: &[f32]) -> Trained {
        let folder = tempfile::tempdir().unwrap();
        let sight = Arc::new(Sight::new(genesis(2), [member(2)].into(), folder.path().to_owned()));
        let mut ear = Ear::new(Vec::new(), Arc::clone(&sight));
        tell(&mut ear, planned(3, &[1, 2]));
        receive(&mut ear, folder.path(), 1, &vec![1.0; base.len()]);
        let attack: Attack = word.parse().unwrap();
        let poisoned = (attack == Attack::LabelFlip).then(|| learner(3));
        let liar = Liar::new(learner(0), poisoned, attack, from_round, sight);
        let mut go_on = || ControlFlow::Continue(());
        // A round before, in which the federation came from zeros to `base`.
        if from_round == 2 {
            liar.train(job(&vec![0.0; base.len()]), &mut go_on).unwrap();
        }
        liar.train(job(base), &mut go_on).unwrap()
    }

    #[test]
    fn an_attack_is_made_of_what_was_trained_and_seen() {
        let base = facts::first_model(ARCHITECTURE, 1);
        let honest = Learn::train(&learner(0), job(&base), &mut || ControlFlow::Continue(())).unwrap().weights;
        assert_eq!(handed_in("sign-flip", 4, &base).weights, honest, "its time has not come");
        let flipped = handed_in("sign-flip", 3, &base).weights;
        for ((flipped, honest), base) in flipped.iter().zip(&honest).zip(&base) {
            assert!((flipped - (2.0 * base - honest)).abs() < 1e-6);
        }
        let poisoned = handed_in("label-flip", 3, &base).weights;
        assert!(poisoned != honest && poisoned != base, "it has learnt, and from other labels");
        assert!(handed_in("nan", 3, &base).weights[0].is_nan());
        let copied = handed_in("copied", 3, &base);
        assert!(copied.weights.iter().all(|value| *value == 1.0));
        assert_eq!((copied.samples, copied.training_ms), (20, 1), "it claims what it has not done");
        assert_eq!(handed_in("stale", 3, &base).weights, base);
        let stale = handed_in("stale", 2, &base).weights;
        assert!(stale.iter().zip(&base).all(|(stale, base)| *stale == 2.0 * base));
    }
}
