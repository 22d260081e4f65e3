//! A federation in one process that trains really: what selectors decide about.
//!
//! Members differ in their data, in how fast and how dear they are, and in how often they are there and deliver. Who bids
//! and who delivers in a round is drawn beforehand, so that a round can be gone through with other decisions from the same
//! state. Auctions are cleared by the protocol's market, updates averaged by its aggregation.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use althing_agents::rivals::draft::LastTraining;
use althing_node::learn::{
    data::Dataset,
    model::Architecture,
    partition::{self, Partition, PartitionError},
    train::{EvaluateOn, Hyper, LearnError, Learner},
};
use althing_protocol::{
    aggregate,
    ids::{Hash, MemberId, Round},
    machine::Candidate,
    market::{Ask, Mechanism, Terms},
    model::Width,
};

use super::{dice::Dice, stats};
use crate::replay::{self, Corpus};

/// What is trained.
pub(super) const ARCHITECTURE: Architecture = Architecture::TwoNn;

/// How members train in a round.
const HYPER: Hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.05, momentum: 0.0 };

/// Examples of each member on average, and of the test set that judges models.
pub(super) const SAMPLES: usize = 200;
pub(super) const JUDGED_BY: usize = 1_000;

/// Kinds of examples.
const CLASSES: usize = 10;

/// Time that a round leaves for training.
const DEADLINE: Duration = Duration::from_secs(10);

/// Time that a member takes for an example, in milliseconds, and what a round makes of it.
const PACE: (f64, f64) = (8.0, 50.0);
const JITTER: (f64, f64) = (0.7, 1.5);

/// What training on an example costs a member, in micro-credits.
const COST: (f64, f64) = (6.0, 18.0);

/// How often a member that is hired does not deliver: most seldom, some often.
const RELIABLE: f64 = 0.02;
const FLAKY: f64 = 0.5;

/// Part of the members that is flaky.
const FLAKY_SHARE: f64 = 0.25;

/// How often a member bids.
const PRESENT: f64 = 0.85;

/// What a contract is worth, as on a genesis' menu.
const VALUE: u64 = 100;

/// What there is for each winner, and for a unit of value at the most, in micro-credits: more than most ask.
const BUDGET: u64 = 12_000;
const RESERVE: u64 = 120;

/// Bonus of a round, in micro-credits.
const BONUS: f64 = 10_000.0;

/// How large a world is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// Members.
    pub members: usize,
    /// Members whom a round hires at the most.
    pub winners: usize,
    /// How the data is divided among them.
    pub partition: Partition,
}

/// What all worlds are made of.
pub(super) struct Ground {
    corpus: Corpus,
    /// For each kind of example one who judges by those of the test set.
    by_class: Vec<Option<Learner>>,
}

impl Ground {
    /// Examples to learn from, and those that judge.
    pub(super) fn new(train: Dataset, test: &Dataset) -> Self {
        let of_class = |class: usize| {
            let of_it =
                |place: &u32| test.labels().get(*place as usize).is_some_and(|label| usize::from(*label) == class);
            let places: Vec<u32> = (0..test.len() as u32).filter(of_it).collect();
            let examples = test.select(&places).filter(|examples| !examples.is_empty())?;
            Some(Learner::new(ARCHITECTURE, Dataset::default(), Dataset::default(), examples))
        };
        Self { corpus: Corpus::new(ARCHITECTURE, train, test), by_class: (0..CLASSES).map(of_class).collect() }
    }

    /// What is learnt from, and what judges.
    pub(super) const fn corpus(&self) -> &Corpus {
        &self.corpus
    }
}

/// A member, and what the ledger knows of it.
#[derive(Debug, Clone)]
struct Member {
    id: MemberId,
    part: Arc<Vec<u32>>,
    /// Time for an example, in milliseconds.
    pace: f64,
    /// Price that it asks, in micro-credits: its cost.
    price: u64,
    drops: f64,
    hired: u64,
    delivered: u64,
    hired_in: u64,
    bonus: f64,
    last: Option<LastTraining>,
}

/// A federation before a round.
#[derive(Clone)]
pub(super) struct World {
    ground: Arc<Ground>,
    scale: Scale,
    dice: Dice,
    seed: u64,
    members: Vec<Member>,
    /// The global model.
    model: Arc<Vec<f32>>,
    /// The round, from 1.
    round: u64,
    /// By how much each round took loss away, in thousandths, the first first.
    gains: Vec<i64>,
}

impl World {
    /// A federation before its first round.
    ///
    /// # Errors
    /// [`PartitionError`] if the data cannot be divided so.
    pub(super) fn new(ground: Arc<Ground>, scale: Scale, seed: u64) -> Result<Self, PartitionError> {
        let dice = Dice::new("selector", seed);
        let parts = partition::assign(ground.corpus.train().labels(), scale.members, &scale.partition, seed)?;
        let member = |(number, part): (u64, Vec<u32>)| {
            let drops = if dice.happens(FLAKY_SHARE, "flaky", &[number]) { FLAKY } else { RELIABLE };
            Member {
                id: replay::member_id(number),
                pace: dice.between(PACE, "pace", &[number]),
                price: (dice.between(COST, "cost", &[number]) * part.len() as f64) as u64,
                drops,
                part: Arc::new(part),
                hired: 0,
                delivered: 0,
                hired_in: 0,
                bonus: 0.0,
                last: None,
            }
        };
        let members = (0..).zip(parts).map(member).collect();
        let model = althing_node::learn::facts::first_model(ARCHITECTURE, seed);
        Ok(Self { ground, scale, dice, seed, members, model: Arc::new(model), round: 1, gains: Vec::new() })
    }

    /// The round that is to be decided about.
    pub(super) fn round(&self) -> Round {
        Round(self.round)
    }

    /// How large it is.
    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Places of the members who bid in this round.
    pub(super) fn present(&self) -> Vec<usize> {
        let is_there = |place: &usize| self.dice.happens(PRESENT, "present", &[self.round, *place as u64]);
        (0..self.members.len()).filter(is_there).collect()
    }

    /// What the ledger knows of them.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        self.present().into_iter().map(|place| self.candidate(&self.members[place])).collect()
    }

    /// What the ledger knows of all members.
    #[cfg(test)]
    pub(super) fn everybody(&self) -> Vec<Candidate> {
        self.members.iter().map(|member| self.candidate(member)).collect()
    }

    fn candidate(&self, member: &Member) -> Candidate {
        Candidate {
            member: member.id,
            reputation: 500,
            idle_rounds: self.round - member.hired_in,
            hired: member.hired,
            delivered: member.delivered,
            bonus: member.bonus as u64,
        }
    }

    /// The place of a member.
    pub(super) fn place(&self, id: &MemberId) -> Option<usize> {
        self.members.iter().position(|member| member.id == *id)
    }

    /// Examples of the member at this place, and its last training.
    pub(super) fn told(&self, place: usize) -> (u64, Option<LastTraining>) {
        (self.members[place].part.len() as u64, self.members[place].last)
    }

    /// What the present members ask, at these weights. Without one, a weight is neutral.
    pub(super) fn asks(&self, weights: &BTreeMap<MemberId, u16>) -> Vec<Ask> {
        let ask = |place: usize| {
            let Member { id, price, .. } = self.members[place];
            let weight = weights.get(&id).copied().unwrap_or(althing_protocol::statement::Marks::NEUTRAL);
            Ask { member: id, price, value: VALUE * u64::from(weight) / 100 }
        };
        self.present().into_iter().map(ask).collect()
    }

    /// Under which terms so many are hired.
    pub(super) fn terms(&self, hire: u32) -> Terms {
        let winners = (hire as usize).min(self.scale.winners);
        Terms::new(Mechanism::Critical, BUDGET * self.scale.winners as u64, RESERVE, winners)
    }

    /// What breaks ties in this round's auction.
    pub(super) fn tie(&self) -> Hash {
        Hash::derive("althing arena tie", &[&self.seed.to_le_bytes(), &self.round.to_le_bytes()])
    }

    /// How long the member at this place would train in this round.
    fn duration(&self, place: usize) -> Duration {
        let member = &self.members[place];
        let jitter = self.dice.between(JITTER, "jitter", &[self.round, place as u64]);
        Duration::from_secs_f64(member.pace * member.part.len() as f64 * jitter / 1e3)
    }

    /// Whether the member at this place delivers in this round, if it is hired.
    pub(super) fn delivers(&self, place: usize) -> bool {
        let drops = self.dice.happens(self.members[place].drops, "drop", &[self.round, place as u64]);
        !drops && self.duration(place) <= DEADLINE
    }

    /// What the member at this place makes of the model, as little-endian parameters.
    pub(super) fn train(&self, place: usize) -> Result<Vec<u8>, LearnError> {
        let parts = [self.seed, self.round, place as u64].map(u64::to_le_bytes);
        let seed = Hash::derive("althing arena training", &[&parts.concat()]);
        let learner = self.ground.corpus.learner(&self.members[place].part);
        let trained = learner.train(&self.model, Width::Full, &HYPER, seed.0, &mut replay::go_on)?;
        Ok(aggregate::encode(&trained.weights))
    }

    /// Mean loss of the model on the examples of the member at this place.
    pub(super) fn loss_of(&self, place: usize) -> Result<f64, LearnError> {
        let part = self.ground.corpus.train().select(&self.members[place].part).unwrap_or_default();
        let judge = Learner::new(ARCHITECTURE, Dataset::default(), Dataset::default(), part);
        let evaluation = judge.evaluate(&self.model, Width::Full, EvaluateOn::Test, &mut replay::go_on)?;
        Ok(evaluation.loss.into())
    }

    /// Loss and accuracy of a model on the test set.
    pub(super) fn judge(&self, model: &[f32]) -> Result<(f64, f64), LearnError> {
        let point = self.ground.corpus.judge(model, self.round, std::num::NonZeroUsize::MIN)?;
        Ok((point.loss, point.accuracy))
    }

    /// The global model.
    pub(super) fn model(&self) -> &[f32] {
        &self.model
    }

    /// The round is over: who was hired, who of them delivered with which gain in loss, and the next model.
    pub(super) fn close(&mut self, hired: &[usize], delivered: &[(usize, f64)], losses: &[f64], model: Vec<f32>) {
        let total: f64 = delivered.iter().map(|(_, gain)| gain.max(0.0)).sum();
        for &place in hired {
            (self.members[place].hired, self.members[place].hired_in) = (self.members[place].hired + 1, self.round);
        }
        for (&(place, gain), &loss) in delivered.iter().zip(losses) {
            let last = LastTraining { round: Round(self.round), loss, duration: self.duration(place) };
            let member = &mut self.members[place];
            member.delivered += 1;
            member.last = Some(last);
            if total > 0.0 {
                member.bonus += BONUS * gain.max(0.0) / total;
            }
        }
        self.model = Arc::new(model);
        self.round += 1;
    }

    /// The last round has taken so much loss away.
    pub(super) fn improved(&mut self, gain: f64) {
        self.gains.push((1e3 * gain) as i64);
    }

    /// By how much each round took loss away, in thousandths, the latest first.
    pub(super) fn gains(&self) -> Vec<i64> {
        self.gains.iter().rev().copied().collect()
    }

    /// Jain's index of how often members delivered.
    pub(super) fn participation(&self) -> f64 {
        stats::jain(&self.members.iter().map(|member| member.delivered as f64).collect::<Vec<_>>())
    }

    /// What the model is worth to each member: its accuracy on the test set's examples, weighed by kind as the member's own
    /// examples are.
    pub(super) fn members_accuracy(&self) -> Result<Vec<f64>, LearnError> {
        let mut by_class = [0.0; CLASSES];
        for (accuracy, judge) in by_class.iter_mut().zip(&self.ground.by_class) {
            if let Some(judge) = judge {
                let evaluation = judge.evaluate(&self.model, Width::Full, EvaluateOn::Test, &mut replay::go_on)?;
                *accuracy = evaluation.accuracy();
            }
        }
        let labels = self.ground.corpus.train().labels();
        let accuracy = |member: &Member| {
            let own = member.part.iter().filter_map(|place| labels.get(*place as usize));
            let sum: f64 = own.filter_map(|label| by_class.get(usize::from(*label))).sum();
            sum / member.part.len().max(1) as f64
        };
        Ok(self.members.iter().map(accuracy).collect())
    }
}
