//! The genesis: one file that names a federation. Its hash is the network id.

mod market;
mod membership;

use std::{collections::BTreeSet, fmt::Display};

use serde::{Deserialize, Serialize};

use crate::{
    aggregate::{Mixing, Rule},
    codec,
    epidemic::Topology,
    ids::{BlobRef, Hash, MemberId, NetworkId},
    limits,
    model::{Manifest, ManifestError, Width},
    update::Codec,
};

pub(crate) use self::market::part;
pub use self::{
    market::{Market, Noise, NoiseError},
    membership::{Admission, Membership, UnknownAdmission},
};
pub use crate::epidemic::Exchange;

/// Everything that members must hold in common before the first round.
///
/// Numbers that enter a decision are integers; the learning rate enters only training, which need not agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// A name for people.
    pub name: String,
    /// What is learned.
    pub task: Task,
    /// What a round may cost.
    pub market: Market,
    /// How long its phases may last.
    pub phases: Phases,
    /// How long the agreement waits.
    pub agreement: Agreement,
    /// What a member may send.
    pub limits: Limits,
    /// How updates become the next model; the weighted mean if the file does not say.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// How models travel; in elected rounds if the file does not say.
    #[serde(default)]
    pub exchange: Exchange,
    /// The contracts that members may bid for.
    pub contracts: Vec<Contract>,
    /// Who takes part.
    pub members: Vec<Member>,
    /// How others may join them later; not at all if the file does not say.
    #[serde(default, skip_serializing_if = "Membership::is_default")]
    pub membership: Membership,
    /// Credits that exist before the first round: of sponsors, or of members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
}

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Built-in model: `2nn`, `lenet` or `fedavg-cnn`.
    pub model: String,
    /// Schema of the data: `mnist` (28x28 grey images in ten classes).
    pub dataset: String,
    /// Seed of the first model's parameters.
    pub seed: u64,
    /// The first model, which every node computes from the seed and compares.
    pub initial_model: BlobRef,
    /// Examples per optimiser step.
    pub batch: u32,
    /// Step size of stochastic gradient descent.
    pub learning_rate: f64,
    /// Momentum of stochastic gradient descent, 0 for none.
    pub momentum: f64,
    /// The tensors of the model, in the order of its parameters.
    pub tensors: Manifest,
}

/// Bounds of a phase that adapts to what the last rounds took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Shortest deadline, in milliseconds.
    pub min_ms: u64,
    /// Longest deadline, in milliseconds.
    pub max_ms: u64,
}

/// How long counter-offers may take where a genesis does not say.
fn replies() -> Bounds {
    Bounds { min_ms: 50, max_ms: 500 }
}

/// How long the phases of a round may last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// From the call to the last sealed bid.
    pub commit: Bounds,
    /// From the marks to the last opened bid.
    pub reveal: Bounds,
    /// From the chair's counter-offers to the last reply; at most half of the wait for a proposal. From 50 to 500
    /// milliseconds if the file does not say.
    #[serde(default = "replies")]
    pub counter: Bounds,
    /// From the Plan to the last update.
    pub train: Bounds,
    /// From the last update to the last appraisal.
    pub appraise: Bounds,
    /// How long a member that lost its connection is still waited for, in milliseconds.
    pub absence_grace_ms: u64,
    /// From the end of a round to the beginning of the next, in milliseconds: time for what goes on beside the rounds,
    /// as the thoughts of a language model. None if the file does not say.
    #[serde(default)]
    pub pause_ms: u64,
}

/// How long the agreement waits, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// For the elected aggregator's proposal.
    pub propose_ms: u64,
    /// For votes, once two thirds have voted on something.
    pub vote_ms: u64,
    /// Added to each wait for every further round of the agreement.
    pub step_ms: u64,
    /// Between repetitions of what may have been lost.
    pub rebroadcast_ms: u64,
}

/// Members up to which repetitions come as often as the genesis says.
const FEW: usize = 8;

impl Agreement {
    /// R23: time between repetitions among so many `members`, in milliseconds. Everybody hears everybody, so what all of
    /// them repeat together grows with their number; what each of them hears in a second does not, if it does so less often.
    pub fn repeat_ms(&self, members: usize) -> u64 {
        self.rebroadcast_ms.saturating_mul(members.div_ceil(FEW).max(1) as u64)
    }
}

/// What a member may send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest update, in bytes.
    pub max_update_bytes: u64,
    /// Largest number of examples that an update may claim as its weight.
    pub max_samples: u64,
    /// Largest distance of an update from the model it started from (Euclidean norm over all parameters).
    pub max_update_norm: u32,
}

/// How the updates of a round become the next model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregation {
    /// What puts them together.
    #[serde(default)]
    pub rule: Rule,
    /// What is done to them before.
    #[serde(default)]
    pub mixing: Mixing,
}

/// One line of the public menu.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// A name for people.
    pub name: String,
    /// Passes over the member's own data.
    pub epochs: u32,
    /// Which part of the model is trained; all of it if the file does not say.
    #[serde(default)]
    pub width: Width,
    /// What the contract is worth to the federation, against the others on the menu, with the data that members usually
    /// have ([`Market::usual_samples`]).
    pub value: u32,
}

impl Contract {
    /// L60: what it is worth with so many examples behind it, where members usually have `usual_samples`; the value of the
    /// menu where that is 0.
    ///
    /// It grows in proportion to the examples, so that whoever divides its data among several names has no more to offer
    /// than before.
    pub fn worth(&self, samples: u64, usual_samples: u64) -> u64 {
        let counted = samples.min(usual_samples.saturating_mul(Market::MOST_TIMES_USUAL));
        let value = u64::from(self.value);
        value.saturating_mul(counted).checked_div(usual_samples).unwrap_or(value)
    }
}

/// A member at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// A name for people.
    pub name: String,
    /// Its public key.
    pub id: MemberId,
    /// Its voting power; 0 for none.
    pub power: u64,
    /// The end of its hash chain (see [`crate::election`]).
    pub anchor: Hash,
}

/// Credits that the genesis gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The public key that may spend them: a member's, or any other.
    pub account: MemberId,
    /// How much, in micro-credits.
    pub amount: u64,
}

/// Why a genesis cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// A number is outside its bounds.
    #[error(
        "genesis: {field} is {got}, but must be {want}; edit the file before anybody joins (every change makes another network)"
    )]
    OutOfBounds {
        /// The field, as it stands in the file.
        field: &'static str,
        /// What the file says.
        got: String,
        /// What it may say.
        want: String,
    },
    /// The model's tensors will not do.
    #[error("genesis: task.tensors: {0}")]
    Tensors(#[from] ManifestError),
    /// A member is listed twice.
    #[error("genesis: member {0} is listed twice; remove one entry")]
    DuplicateMember(MemberId),
    /// An account is given credits twice.
    #[error("genesis: {0} is given credits twice; write one entry with the sum")]
    DuplicateGrant(MemberId),
}

impl Genesis {
    /// The network id: the hash of this genesis.
    pub fn network(&self) -> NetworkId {
        NetworkId(Hash::derive("althing 1 genesis", &[&codec::encode(self)]).0)
    }

    /// The member with this id.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    /// The contract in this place of the menu.
    pub fn contract(&self, place: u8) -> Option<&Contract> {
        self.contracts.get(usize::from(place))
    }

    /// What the contract in this place of the menu is worth with so many examples behind it; nothing if there is none.
    pub fn worth(&self, place: u8, samples: u64) -> u64 {
        self.contract(place).map_or(0, |contract| contract.worth(samples, self.market.usual_samples))
    }

    /// Checks every number once, so that nobody has to again.
    ///
    /// # Errors
    /// [`GenesisError`] names the first field that is out of bounds.
    pub fn validate(&self) -> Result<(), GenesisError> {
        self.validate_members()?;
        self.validate_grants()?;
        self.market.validate(self.members.len())?;
        self.validate_times()?;
        self.validate_aggregation()?;
        within("limits.max_update_bytes", self.limits.max_update_bytes, 1, limits::MAX_BLOB_BYTES)?;
        within("limits.max_samples", self.limits.max_samples, 1, u64::from(u32::MAX))?;
        within("market.usual_samples", self.market.usual_samples, 0, self.limits.max_samples)?;
        within("limits.max_update_norm", self.limits.max_update_norm.into(), 1, u64::from(u32::MAX))?;
        self.validate_task()?;
        self.validate_contracts()
    }

    fn validate_task(&self) -> Result<(), GenesisError> {
        let task = &self.task;
        within("task.batch", task.batch.into(), 1, 65_536)?;
        within_f64("task.learning_rate", task.learning_rate, 1e-9, 1e3)?;
        within_f64("task.momentum", task.momentum, 0.0, 0.999_999)?;
        within("task.initial_model.size", task.initial_model.size, 4, self.limits.max_update_bytes)?;
        task.tensors.validate()?;
        let bytes = task.tensors.parameters() * size_of::<f32>() as u64;
        within("task.initial_model.size", task.initial_model.size, bytes, bytes)?;
        let longest_update = *self.exchange.codec.sizes(task.tensors.parameters()).end();
        within("limits.max_update_bytes", self.limits.max_update_bytes, longest_update, limits::MAX_BLOB_BYTES)
    }

    fn validate_contracts(&self) -> Result<(), GenesisError> {
        within("contracts", self.contracts.len() as u64, 1, limits::MAX_CONTRACTS as u64)?;
        for contract in &self.contracts {
            within("contracts.epochs", contract.epochs.into(), 1, 1_000)?;
            within("contracts.value", contract.value.into(), 1, 1_000)?;
            if !self.task.tensors.widths().contains(&contract.width) {
                let got = contract.width.to_string();
                let want = format!("a width that {} has", self.task.model);
                return Err(GenesisError::OutOfBounds { field: "contracts.width", got, want });
            }
        }
        Ok(())
    }

    fn validate_members(&self) -> Result<(), GenesisError> {
        within("members", self.members.len() as u64, 1, limits::MAX_MEMBERS as u64)?;
        let mut seen = BTreeSet::new();
        let mut total = 0_u64;
        for member in &self.members {
            if !seen.insert(member.id) {
                return Err(GenesisError::DuplicateMember(member.id));
            }
            within("members.power", member.power, 0, limits::MAX_TOTAL_POWER)?;
            total = total.saturating_add(member.power);
        }
        // Whoever joins later gets a vote too.
        within("members.power in total", total, 1, limits::MAX_TOTAL_POWER - limits::MAX_MEMBERS as u64)?;
        let most = u64::from(self.membership.max_voters);
        within("membership.max_voters", most, 1, limits::MAX_MEMBERS as u64)?;
        within("membership.suspend_after", self.membership.suspend_after.into(), 0, limits::MAX_ABSENCE)?;
        within("members with power", self.voters().count() as u64, 1, most)?;
        if self.membership.admission == Admission::Founders && self.exchange.topology != Topology::Elected {
            let want = "closed, because an epidemic federation has no ledger that could say who has joined".into();
            let got = self.membership.admission.to_string();
            return Err(GenesisError::OutOfBounds { field: "membership.admission", got, want });
        }
        Ok(())
    }

    /// The members that vote from the beginning.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.power > 0)
    }

    fn validate_grants(&self) -> Result<(), GenesisError> {
        within("grants", self.grants.len() as u64, 0, limits::MAX_GRANTS as u64)?;
        let mut seen = BTreeSet::new();
        for grant in &self.grants {
            if !seen.insert(grant.account) {
                return Err(GenesisError::DuplicateGrant(grant.account));
            }
            within("grants.amount", grant.amount, limits::LEAST_OPENING, limits::MAX_MINT)?;
        }
        Ok(())
    }

    fn validate_aggregation(&self) -> Result<(), GenesisError> {
        let Aggregation { rule, mixing } = self.aggregation;
        let members = self.members.len() as u64;
        let most = match self.exchange.topology {
            Topology::Elected => members.min(self.market.max_winners.into()),
            Topology::Epidemic { .. } => members.min(1 + self.exchange.topology.most_received() as u64),
        };
        let codec = self.exchange.codec;
        if matches!(self.exchange.topology, Topology::Epidemic { .. }) && codec != Codec::F32 {
            let want = "f32, because the steps of an epidemic federation send whole models as they are".into();
            return Err(GenesisError::OutOfBounds { field: "exchange.codec", got: codec.to_string(), want });
        }
        keeps_promise("aggregation.rule", &rule, rule.least_updates(), most)?;
        keeps_promise("aggregation.mixing", &mixing, mixing.least_updates(), most)
    }

    fn validate_times(&self) -> Result<(), GenesisError> {
        let phases = &self.phases;
        for (field, bounds) in [
            ("phases.commit", phases.commit),
            ("phases.reveal", phases.reveal),
            ("phases.counter", phases.counter),
            ("phases.train", phases.train),
            ("phases.appraise", phases.appraise),
            ("exchange.listen", self.exchange.listen),
        ] {
            within(field, bounds.min_ms, 1, bounds.max_ms)?;
            within(field, bounds.max_ms, 1, limits::MAX_PHASE_MS)?;
        }
        if self.market.max_counter_offers > 0 {
            // Asking the selector and waiting for replies may take so long each; others take over a chair that is late.
            within("phases.counter", phases.counter.max_ms, 1, self.agreement.propose_ms / 2)?;
        }
        within("phases.absence_grace_ms", phases.absence_grace_ms, 0, limits::MAX_PHASE_MS)?;
        within("phases.pause_ms", phases.pause_ms, 0, limits::MAX_PHASE_MS)?;
        within("exchange.halted_after_ms", self.exchange.halted_after_ms, 1, limits::MAX_PHASE_MS)?;
        within("agreement.propose_ms", self.agreement.propose_ms, 1, limits::MAX_PHASE_MS)?;
        within("agreement.vote_ms", self.agreement.vote_ms, 1, limits::MAX_PHASE_MS)?;
        within("agreement.step_ms", self.agreement.step_ms, 0, limits::MAX_PHASE_MS)?;
        within("agreement.rebroadcast_ms", self.agreement.rebroadcast_ms, 10, limits::MAX_PHASE_MS)
    }
}

/// Refuses a rule whose promise no round could keep: it would fall back, and nobody would be told.
fn keeps_promise(field: &'static str, rule: &impl Display, needs: Option<u64>, most: u64) -> Result<(), GenesisError> {
    let want = match needs {
        None => "a rule whose number is above zero".to_owned(),
        Some(needs) if needs > most => {
            format!("a rule that needs at most {most} updates, the most that a round can have here (it needs {needs})")
        }
        Some(_) => return Ok(()),
    };
    Err(GenesisError::OutOfBounds { field, got: rule.to_string(), want })
}

fn within(field: &'static str, got: u64, least: u64, most: u64) -> Result<(), GenesisError> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(GenesisError::OutOfBounds { field, got: got.to_string(), want: format!("from {least} to {most}") })
}

fn within_f64(field: &'static str, got: f64, least: f64, most: f64) -> Result<(), GenesisError> {
    if (least..=most).contains(&got) {
        return Ok(());
    }
    Err(GenesisError::OutOfBounds { field, got: got.to_string(), want: format!("from {least} to {most}") })
}
