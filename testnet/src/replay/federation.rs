//! Rounds of federated averaging in one process, made of what nodes are made of: their partition of the data, their
//! training and evaluation, the protocol's election order and its weighted mean, each coordinate over its holders.
//!
//! There is no network, no agreement and no market here: those do not change what is learnt. Everything that is drawn
//! comes from the seed, the round and the member, and updates are averaged in the order of their makers' ids, so the
//! same seed gives the same models, bit for bit, with any number of threads.

use std::num::NonZeroUsize;

use althing_node::learn::{
    facts, params,
    partition::{self, Partition, PartitionError},
    train::{Hyper, LearnError},
};
use althing_protocol::{
    aggregate::{self, Held, Mixing, Rule, Weighted},
    election,
    ids::{Hash, MemberId},
    model::{Slice, Width},
};

use super::{
    corpus::{Corpus, go_on},
    error::RunError,
    plan::{Facts, Point, Run},
    pool,
};

/// Who trains what and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Members among whom the training set is divided.
    pub members: usize,
    /// Members who train in a round.
    pub participants: usize,
    /// How the training set is divided.
    pub partition: Partition,
    /// How each member trains in a round.
    pub hyper: Hyper,
    /// The last round before the learning rate falls to [`COOLED`] of what it was; `None` if it never does.
    pub cooling: Option<u64>,
    /// How wide a slice of the model members train, one after the other and then from the beginning again. `None` is a
    /// member that takes no part.
    pub widths: &'static [Option<Width>],
}

/// What is left of the learning rate once it has fallen.
const COOLED: f64 = 0.1;

/// Everybody trains the whole model.
pub(super) const ALL_WHOLE: &[Option<Width>] = &[Some(Width::Full)];

impl Setting {
    /// All of it but the partition, which cases often differ in.
    pub fn facts(&self) -> Facts {
        let Hyper { epochs, batch, learning_rate, momentum } = self.hyper;
        Facts::default()
            .with("members", self.members)
            .with("participants", self.participants)
            .with("epochs", epochs)
            .with("batch", batch)
            .with("learning_rate", learning_rate)
            .with("momentum", momentum)
    }
}

/// Members with their parts of the data, and the model that they share.
pub struct Federation<'a> {
    setting: Setting,
    corpus: &'a Corpus,
    seed: u64,
    /// Ascending.
    ids: Vec<MemberId>,
    /// The samples of each, in the order of the ids.
    parts: Vec<Vec<u32>>,
    /// What members train, one after the other and then from the beginning again.
    shares: Vec<Option<Share>>,
    /// Little-endian parameters, as they go from node to node.
    model: Vec<u8>,
    /// The last round that was played.
    round: u64,
}

/// The part of the model that a member trains.
struct Share {
    width: Width,
    slice: Slice,
}

/// What a member hands in.
struct Update<'a> {
    slice: &'a Slice,
    samples: u64,
    /// Little-endian parameters of the slice.
    bytes: Vec<u8>,
}

impl<'a> Federation<'a> {
    /// The members of `setting` before their first round.
    ///
    /// # Errors
    /// [`PartitionError`] if the data cannot be divided so.
    pub fn new(setting: Setting, corpus: &'a Corpus, seed: u64) -> Result<Self, PartitionError> {
        let parts = partition::assign(corpus.train().labels(), setting.members, &setting.partition, seed)?;
        let ids = (0..setting.members as u64).map(member_id).collect();
        let model = facts::initial_model(corpus.architecture(), seed);
        let manifest = params::manifest(corpus.architecture());
        let share =
            |width: &Option<Width>| width.and_then(|width| Some(Share { width, slice: manifest.slice(width)? }));
        let shares = setting.widths.iter().map(share).collect();
        Ok(Self { setting, corpus, seed, ids, parts, shares, model, round: 0 })
    }

    /// What the member at this place trains, if it takes part at all.
    fn share(&self, member: usize) -> Option<&Share> {
        self.shares[member % self.shares.len()].as_ref()
    }

    /// Who trains in this round, and what: the first in the order of a fair election, by their places.
    fn participants(&self) -> Vec<(usize, &Share)> {
        let seed = Hash::derive("althing replay participants", &[&self.seed.to_le_bytes(), &self.round.to_le_bytes()]);
        let able = self.ids.iter().enumerate().filter(|(member, _)| self.share(*member).is_some());
        let candidates: Vec<_> = able.map(|(_, &id)| (id, 1)).collect();
        let elected = election::order(&seed, &candidates);
        let chosen = elected.iter().take(self.setting.participants);
        let mut members: Vec<usize> = chosen.filter_map(|id| self.ids.binary_search(id).ok()).collect();
        members.sort_unstable();
        members.into_iter().filter_map(|member| Some((member, self.share(member)?))).collect()
    }

    /// What the member at this place makes of its share of `weights`.
    fn train<'b>(&self, weights: &[f32], (member, share): (usize, &'b Share)) -> Result<Update<'b>, LearnError> {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &self.round.to_le_bytes(), &(member as u64).to_le_bytes()];
        let seed = Hash::derive("althing replay training", &parts);
        let learner = self.corpus.learner(&self.parts[member]);
        let start = share.slice.gather(weights);
        let trained = learner.train(&start, share.width, &self.hyper(), seed.0, &mut go_on)?;
        Ok(Update { slice: &share.slice, samples: trained.samples, bytes: aggregate::encode(&trained.weights) })
    }

    /// How everybody trains in this round.
    fn hyper(&self) -> Hyper {
        let is_cool = self.setting.cooling.is_some_and(|last| self.round > last);
        let factor = if is_cool { COOLED } else { 1.0 };
        Hyper { learning_rate: factor * self.setting.hyper.learning_rate, ..self.setting.hyper }
    }
}

impl Run for Federation<'_> {
    /// Some train, their updates become the next model, and the test set judges it.
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError> {
        self.round += 1;
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let participants = self.participants();
        let updates = pool::map(threads, &participants, |&participant| self.train(&weights, participant));
        let updates = updates.into_iter().collect::<Result<Vec<_>, _>>()?;
        let held = updates.iter().map(|update| Held {
            slice: update.slice,
            update: Weighted { samples: update.samples, bytes: &update.bytes },
        });
        let model =
            aggregate::aggregate_slices(Rule::WeightedMean, Mixing::None, &self.model, &held.collect::<Vec<_>>());
        // Without an update the model stays as it is, as it does in a federation.
        self.model = model.unwrap_or_else(|| self.model.clone());
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        Ok(self.corpus.judge(&weights, self.round, threads)?)
    }
}

/// The id of the member with this number. Ids ascend with the numbers.
pub(crate) fn member_id(number: u64) -> MemberId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    MemberId(id)
}

#[cfg(test)]
mod tests;
