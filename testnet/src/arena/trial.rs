//! Ways that a round could go, each tried once.
//!
//! The same members bid and deliver whatever is tried, and every member's update is trained once for all trials in which it
//! counts.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use althing_node::learn::train::LearnError;
use althing_protocol::aggregate::{self, Mixing, Rule, Weighted};

use super::world::World;

/// A round, and what has been found out about it. Whatever is tried, it stays the same.
pub(super) struct Trial {
    world: World,
    /// Loss of the present model.
    loss: f64,
    found: Mutex<Found>,
}

/// What has been computed, once for everybody.
#[derive(Default)]
struct Found {
    updates: BTreeMap<usize, Arc<Vec<u8>>>,
    /// By those who delivered.
    scores: BTreeMap<Vec<usize>, Score>,
    /// By place: loss of the present model on a member's own examples.
    losses: BTreeMap<usize, f64>,
    /// What went wrong first.
    failure: Option<LearnError>,
}

/// What a round comes to.
#[derive(Clone)]
pub(super) struct Score {
    /// The next model, as little-endian parameters.
    pub model: Arc<Vec<u8>>,
    /// Its loss on the test set.
    pub loss: f64,
    /// Its accuracy there, from 0 to 1.
    pub accuracy: f64,
}

impl Trial {
    /// Of the round that `world` is before.
    ///
    /// # Errors
    /// [`LearnError`] if its model cannot be judged.
    pub(super) fn of(world: &World) -> Result<Self, LearnError> {
        let (loss, _) = world.judge(world.model())?;
        Ok(Self { world: world.clone(), loss, found: Mutex::default() })
    }

    /// The federation before the round.
    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// Loss of the present model on the test set.
    pub(super) fn loss(&self) -> f64 {
        self.loss
    }

    /// What went wrong first in any trial.
    ///
    /// # Errors
    /// That.
    pub(super) fn check(&self) -> Result<(), LearnError> {
        self.found().failure.take().map_or(Ok(()), Err)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // Whoever panicked has added something whole or nothing.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `work` makes, or `otherwise` if it fails; the first failure is kept.
    fn attempt<T>(&self, otherwise: T, work: impl FnOnce() -> Result<T, LearnError>) -> T {
        work().unwrap_or_else(|failure| {
            self.found().failure.get_or_insert(failure);
            otherwise
        })
    }

    /// Loss of the present model on the examples of the member at this place.
    pub(super) fn own_loss(&self, place: usize) -> f64 {
        if let Some(loss) = self.found().losses.get(&place) {
            return *loss;
        }
        let loss = self.attempt(0.0, || self.world.loss_of(place));
        *self.found().losses.entry(place).or_insert(loss)
    }

    fn update(&self, place: usize) -> Arc<Vec<u8>> {
        if let Some(update) = self.found().updates.get(&place) {
            return update.clone();
        }
        let base = || aggregate::encode(self.world.model());
        let update = Arc::new(self.attempt(base(), || self.world.train(place)));
        self.found().updates.entry(place).or_insert(update).clone()
    }

    /// What the round comes to if the members at these places deliver.
    pub(super) fn score(&self, delivered: &[usize]) -> Score {
        if let Some(score) = self.found().scores.get(delivered) {
            return score.clone();
        }
        let updates: Vec<_> = delivered.iter().map(|place| (self.world.told(*place).0, self.update(*place))).collect();
        let weighted: Vec<Weighted<'_>> =
            updates.iter().map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
        let base = aggregate::encode(self.world.model());
        // Without an update the model stays as it is.
        let next = aggregate::aggregate(Rule::WeightedMean, Mixing::None, &base, &weighted).unwrap_or(base);
        let weights: Vec<f32> = aggregate::parameters(&next).collect();
        let (loss, accuracy) = self.attempt((self.loss, 0.0), || self.world.judge(&weights));
        let score = Score { model: Arc::new(next), loss, accuracy };
        self.found().scores.entry(delivered.to_vec()).or_insert(score).clone()
    }
}
