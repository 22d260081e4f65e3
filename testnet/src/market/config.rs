//! What an experiment is made of: a TOML file over the defaults.

use althing_agents::selector::Focus;
use althing_protocol::{
    genesis::{Contract, GenesisError, Market},
    limits,
    model::Width,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    draw::Distribution,
    error::Error,
    learning::Learning,
    school::Training,
    strategy::{Model, Strategy},
};

/// Every field, with its default.
pub(super) const DEFAULTS: &str = include_str!("defaults.toml");

/// Members of an experiment at the most: what fits into the memory of a small machine.
const MEMBERS_MOST: usize = 1_000_000;

/// Rounds and seeds at the most.
const ROUNDS_MOST: u64 = 100_000;
const SEEDS_MOST: u64 = 10_000;

/// An experiment at one point of its sweeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Its name.
    pub(super) title: String,
    /// What it asks.
    pub(super) question: String,
    /// Rounds.
    pub(super) rounds: u64,
    /// Seeds it is repeated with.
    pub(super) seeds: u64,
    /// The first of them.
    pub(super) seed: u64,
    /// The market of a genesis.
    pub(super) market: Market,
    /// The work that a round buys.
    pub(super) contract: Work,
    /// What members are like.
    pub(super) members: Members,
    /// Who bids how.
    pub(super) population: Vec<Part>,
    /// Whom the chair favours.
    pub(super) selector: Selector,
    /// What training costs of a privacy account.
    pub(super) privacy: Privacy,
    /// What training brings.
    pub(super) learning: Learning,
    /// How members train, if they do.
    pub(super) training: Training,
    /// Whose regret is measured.
    pub(super) regret: Regret,
}

/// The one contract of the menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Work {
    /// Passes over the data.
    pub(super) epochs: u32,
    /// Units of value.
    pub(super) value: u32,
}

/// What members are like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Members {
    /// How many there are at any time.
    pub(super) count: usize,
    /// What it costs to train on one example, in micro-credits.
    pub(super) cost_per_sample: Distribution,
    /// Examples.
    pub(super) samples: Distribution,
    /// What an example is worth, from 0 to 1.
    pub(super) quality: Distribution,
    /// In thousandths, who leave after a round.
    pub(super) churn_permille: u32,
    /// In thousandths, who do not deliver what they were hired for.
    pub(super) failure_permille: u32,
}

/// A part of the members.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    /// How large it is, against the others.
    pub(super) share: f64,
    /// How its members bid, work and appraise.
    pub(super) strategy: Strategy,
}

/// Whom the chair favours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Selector {
    /// The focus of its marks, by the agents' own rule.
    #[serde(serialize_with = "write_focus", deserialize_with = "read_focus")]
    pub(super) focus: Focus,
}

/// What training costs of a privacy account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Privacy {
    /// Epsilon of one delivery; 0 for training without noise. What is spent adds up.
    pub(super) epsilon_per_round: f64,
    /// Epsilon that a member has in all.
    pub(super) epsilon_budget: f64,
    /// What a unit of epsilon is worth to a member, in micro-credits.
    pub(super) sensitivity: Distribution,
    /// The epsilon whose noise takes half of an update's worth.
    pub(super) harmless: f64,
}

/// Whose regret is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regret {
    /// In every so-manieth round; 0 for never.
    pub(super) every: u64,
    /// Bidders of each part of the population.
    pub(super) bidders: usize,
    /// Other prices that each tries.
    pub(super) prices: u64,
}

impl Privacy {
    /// The part of an update's worth that the noise leaves.
    pub(super) fn left(&self) -> f64 {
        match self.epsilon_per_round {
            none if none <= 0.0 => 1.0,
            epsilon => epsilon * epsilon / (epsilon * epsilon + self.harmless * self.harmless),
        }
    }
}

impl Config {
    /// Checks every number once.
    ///
    /// # Errors
    /// [`Error::Config`] names the first field that is out of bounds.
    pub(super) fn validate(&self) -> Result<(), Error> {
        within("rounds", self.rounds, 1, ROUNDS_MOST)?;
        within("seeds", self.seeds, 1, SEEDS_MOST)?;
        within("members.count", self.members.count as u64, 1, MEMBERS_MOST as u64)?;
        within("members.churn_permille", self.members.churn_permille.into(), 0, 1_000)?;
        within("members.failure_permille", self.members.failure_permille.into(), 0, 1_000)?;
        within("contract.value", self.contract.value.into(), 1, limits::MAX_VALUE.min(u32::MAX.into()))?;
        within("contract.epochs", self.contract.epochs.into(), 1, 1_000)?;
        within("regret.prices", self.regret.prices, 1, 1_000)?;
        within("market.max_counter_offers", self.market.max_counter_offers.into(), 0, 0)?;
        self.market.validate(self.members.count).map_err(mistaken)?;
        let Members { cost_per_sample, samples, quality, .. } = &self.members;
        let sensitivity = ("privacy.sensitivity", &self.privacy.sensitivity);
        let drawn = [("members.cost_per_sample", cost_per_sample), ("members.samples", samples)];
        for (field, distribution) in drawn.into_iter().chain([("members.quality", quality), sensitivity]) {
            distribution.check().map_err(|why| Error::Config(format!("{field}: {why}")))?;
        }
        self.validate_population()?;
        self.learning.validate()?;
        self.training.validate()
    }

    fn validate_population(&self) -> Result<(), Error> {
        let shares = self.population.iter().map(|part| part.share);
        let total: f64 = shares.clone().sum();
        if !shares.clone().all(|share| share >= 0.0) || !total.is_finite() || total <= 0.0 {
            return Err(Error::Config("population: shares must not be negative, and one must be above 0".to_owned()));
        }
        self.population.iter().try_for_each(|part| part.strategy.check().map_err(Error::Config))
    }

    /// Most that may be asked for work of this worth, in micro-credits: what it is worth at the reserve price.
    pub(super) fn ceiling(&self, worth: u64) -> u64 {
        self.market.reserve_price.saturating_mul(worth).min(limits::MAX_MINT)
    }

    /// The one contract of the menu, as a genesis would have it.
    pub(super) fn work(&self) -> Contract {
        let Work { epochs, value } = self.contract;
        Contract { name: String::new(), epochs, width: Width::Full, value }
    }

    /// The parts whose members follow a language model, by number.
    pub(super) fn advised(&self) -> impl Iterator<Item = (usize, &Model)> {
        self.population.iter().enumerate().filter_map(|(number, part)| match &part.strategy {
            Strategy::Model(model) => Some((number, model)),
            _ => None,
        })
    }

    /// How many members belong to each part: shares of the whole, rounded so that they add up.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let total: f64 = self.population.iter().map(|part| part.share).sum();
        let mut edge = 0.0;
        let mut placed = 0;
        let size = |part: &Part| {
            edge += part.share / total;
            let upto = (edge * self.members.count as f64).round() as usize;
            let size = upto.saturating_sub(placed);
            placed = placed.max(upto);
            size
        };
        self.population.iter().map(size).collect()
    }
}

/// What is wrong, without what a genesis says of itself besides.
fn mistaken(error: GenesisError) -> Error {
    Error::Config(match error {
        GenesisError::OutOfBounds { field, got, want } => format!("{field} is {got}, but must be {want}"),
        other => other.to_string(),
    })
}

pub(super) fn within(field: &str, got: u64, least: u64, most: u64) -> Result<(), Error> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(Error::Config(format!("{field} is {got}, but must be from {least} to {most}")))
}

fn write_focus<S: Serializer>(focus: &Focus, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(focus.name())
}

fn read_focus<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Focus, D::Error> {
    let word = String::deserialize(deserializer)?;
    let names = Focus::ALL.map(Focus::name).join(", ");
    let focus = Focus::ALL.into_iter().find(|focus| focus.name() == word);
    focus.ok_or_else(|| D::Error::custom(format!("`{word}` is no focus; say one of {names}")))
}
