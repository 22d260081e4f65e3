//! Rounds of federated averaging in one process, made of what nodes are made of: their partition of the data, their
//! training and evaluation, the protocol's election order and its weighted mean over encoded updates.
//!
//! There is no network, no agreement and no market here: those do not change what is learnt. Everything that is drawn
//! comes from the seed, the round and the member, and updates are averaged in the order of their makers' ids, so the
//! same seed gives the same models, bit for bit, with any number of threads.

use std::num::NonZeroUsize;

use althing_node::learn::{
    facts,
    partition::{self, Partition, PartitionError},
    train::{Hyper, LearnError},
};
use althing_protocol::{
    aggregate::{self, Weighted},
    election,
    ids::{Hash, MemberId},
    model::Width,
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
}

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
    /// Little-endian parameters, as they go from node to node.
    model: Vec<u8>,
    /// The last round that was played.
    round: u64,
}

/// What a member hands in.
struct Update {
    samples: u64,
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
        Ok(Self { setting, corpus, seed, ids, parts, model, round: 0 })
    }

    /// Who trains in this round: the places of the first members in the order of a fair election, ascending.
    fn participants(&self) -> Vec<usize> {
        let seed = Hash::derive("althing replay participants", &[&self.seed.to_le_bytes(), &self.round.to_le_bytes()]);
        let candidates: Vec<_> = self.ids.iter().map(|&id| (id, 1)).collect();
        let elected = election::order(&seed, &candidates);
        let chosen = elected.iter().take(self.setting.participants);
        let mut places: Vec<usize> = chosen.filter_map(|id| self.ids.binary_search(id).ok()).collect();
        places.sort_unstable();
        places
    }

    /// What the member at this place makes of `weights`.
    fn train(&self, weights: &[f32], member: usize) -> Result<Update, LearnError> {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &self.round.to_le_bytes(), &(member as u64).to_le_bytes()];
        let seed = Hash::derive("althing replay training", &parts);
        let learner = self.corpus.learner(&self.parts[member]);
        let trained = learner.train(weights, Width::Full, &self.setting.hyper, seed.0, &mut go_on)?;
        Ok(Update { samples: trained.samples, bytes: aggregate::encode(&trained.weights) })
    }
}

impl Run for Federation<'_> {
    /// Some train, their updates become the next model, and the test set judges it.
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError> {
        self.round += 1;
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let members = self.participants();
        let updates = pool::map(threads, &members, |&member| self.train(&weights, member));
        let updates = updates.into_iter().collect::<Result<Vec<_>, _>>()?;
        let weighted: Vec<_> =
            updates.iter().map(|update| Weighted { samples: update.samples, bytes: &update.bytes }).collect();
        // Without an update the model stays as it is, as it does in a federation.
        self.model = aggregate::weighted_mean(&weighted).unwrap_or_else(|| self.model.clone());
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        Ok(self.corpus.judge(&weights, self.round, threads)?)
    }
}

/// The id of the member with this number. Ids ascend with the numbers.
pub(super) fn member_id(number: u64) -> MemberId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    MemberId(id)
}

#[cfg(test)]
mod tests;
