//! Rounds of federated averaging in one process, made of what nodes are made of: their partition of the data, their
//! training and evaluation, the protocol's election order and its weighted mean over encoded updates.
//!
//! There is no network, no agreement and no market here: those do not change what is learnt. Everything that is drawn
//! comes from the seed, the round and the member, and updates are averaged in the order of their makers' ids, so the
//! same seed gives the same models, bit for bit, with any number of threads.

use std::{num::NonZeroUsize, ops::ControlFlow, path::Path};

use althing_node::learn::{
    data::{self, DataError, Dataset, Subset},
    facts,
    model::Architecture,
    partition,
    train::{EvaluateOn, Evaluation, LearnError, Learner},
};
use althing_protocol::{
    aggregate::{self, Weighted},
    election,
    ids::{Hash, MemberId},
};

use super::{Error, Setting, pool};

/// Pieces of the test set, which threads take one by one. It is fixed, so that sums come out alike with any number of
/// threads.
const TEST_PIECES: usize = 8;

/// The data of a replay, loaded once for all its seeds.
pub struct Corpus {
    train: Dataset,
    /// Each holds a piece of the test set and nothing else.
    judges: Vec<Learner>,
}

impl Corpus {
    /// MNIST from `folder`, to be learnt by models of this architecture.
    ///
    /// # Errors
    /// [`DataError`] if a file is missing or malformed.
    pub fn load(folder: &Path, architecture: Architecture) -> Result<Self, DataError> {
        let train = data::load_all(folder, Subset::Train)?;
        Ok(Self::new(architecture, train, &data::load_all(folder, Subset::Test)?))
    }

    /// The samples `train` to learn from and `test` to be judged by.
    pub fn new(architecture: Architecture, train: Dataset, test: &Dataset) -> Self {
        let numbers: Vec<u32> = (0..test.len() as u32).collect();
        let pieces = numbers.chunks(test.len().div_ceil(TEST_PIECES).max(1));
        let judge = |piece| {
            let piece = test.select(piece).unwrap_or_default();
            Learner::new(architecture, Dataset::default(), Dataset::default(), piece)
        };
        Self { train, judges: pieces.map(judge).collect() }
    }
}

/// A model that a round ended with, as the test set judges it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The round, from 1.
    pub round: u64,
    /// Share of the test set that it names right, from 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy on the test set.
    pub loss: f64,
}

/// Members with their parts of the data, and the model that they share.
pub struct Federation<'a> {
    setting: &'a Setting,
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
    /// [`Error::Partition`] if the data cannot be divided so.
    pub fn new(setting: &'a Setting, corpus: &'a Corpus, seed: u64) -> Result<Self, Error> {
        let parts = partition::assign(corpus.train.labels(), setting.members, &setting.partition, seed)?;
        let ids = (0..setting.members as u64).map(member_id).collect();
        let model = facts::initial_model(setting.architecture, seed);
        Ok(Self { setting, corpus, seed, ids, parts, model, round: 0 })
    }

    /// The seed that everything is drawn from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The shared model, as it goes from node to node.
    pub fn model(&self) -> &[u8] {
        &self.model
    }

    /// Plays a round: some train, their updates become the next model, and the test set judges it.
    ///
    /// # Errors
    /// [`Error::Learn`] if somebody could not train, a training diverged, or there is nothing to be judged by.
    pub fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, Error> {
        self.round += 1;
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let members = self.participants();
        let updates = pool::map(threads, &members, |&member| self.train(&weights, member));
        let updates = updates.into_iter().collect::<Result<Vec<_>, _>>().map_err(|cause| self.error(cause))?;
        let weighted: Vec<_> =
            updates.iter().map(|update| Weighted { samples: update.samples, bytes: &update.bytes }).collect();
        // Without an update the model stays as it is, as it does in a federation.
        self.model = aggregate::weighted_mean(&weighted).unwrap_or_else(|| self.model.clone());
        self.judge(threads).map_err(|cause| self.error(cause))
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

    /// What the member at this place makes of `weights`. Its samples are copied out of the corpus for as long as it
    /// trains, which takes far less time than the training and far less memory than a copy for everybody.
    fn train(&self, weights: &[f32], member: usize) -> Result<Update, LearnError> {
        let parts: [&[u8]; 3] = [&self.seed.to_le_bytes(), &self.round.to_le_bytes(), &(member as u64).to_le_bytes()];
        let seed = Hash::derive("althing replay training", &parts);
        let samples = self.corpus.train.select(&self.parts[member]).unwrap_or_default();
        let learner = Learner::new(self.setting.architecture, samples, Dataset::default(), Dataset::default());
        let trained = learner.train(weights, &self.setting.hyper, seed.0, &mut go_on)?;
        Ok(Update { samples: trained.samples, bytes: aggregate::encode(&trained.weights) })
    }

    fn judge(&self, threads: NonZeroUsize) -> Result<Point, LearnError> {
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        let judge = |judge: &Learner| judge.evaluate(&weights, EvaluateOn::Test, &mut go_on);
        let pieces = pool::map(threads, &self.corpus.judges, judge);
        let pieces = pieces.into_iter().collect::<Result<Vec<_>, _>>()?;
        let sum = |part: fn(&Evaluation) -> f64| pieces.iter().map(part).sum::<f64>();
        let samples = sum(|piece| f64::from(piece.samples));
        if samples == 0.0 {
            return Err(LearnError::NoSample);
        }
        let accuracy = sum(|piece| f64::from(piece.correct)) / samples;
        let loss = sum(|piece| f64::from(piece.loss) * f64::from(piece.samples)) / samples;
        Ok(Point { round: self.round, accuracy, loss })
    }

    const fn error(&self, cause: LearnError) -> Error {
        Error::Learn { seed: self.seed, round: self.round, cause }
    }
}

/// The id of the member with this number. Ids ascend with the numbers.
fn member_id(number: u64) -> MemberId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    MemberId(id)
}

const fn go_on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
