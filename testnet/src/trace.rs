//! What a live run's market was given and what it paid, without signatures, and the same rounds in the simulator.
//!
//! A trace is read from a ledger that anybody can verify. Replayed, it goes through the code of the market experiments,
//! which must pay every member the same to the micro-credit; or, under another mechanism, shows what that would have paid
//! for the same bids.

pub mod command;
mod flattery;
mod replay;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use althing_node::ledger_file::{Exported, LedgerFile};
use althing_protocol::{
    audit::{AuditError, Step, follow},
    body::{Body, Evidence},
    codec::DecodeError,
    crypto::Signed,
    genesis::Genesis,
    hiring::Answers,
    ids::{BlobRef, Hash, Height, MemberId, Round},
    state::{Federation, Invalid, Outcome},
    statement::{Appraisal, Instruction},
    wire::Decision,
};
use serde::{Deserialize, Serialize};

pub use self::{
    flattery::{Change, Flattered},
    replay::{Difference, Replayed},
};

/// The version of a trace.
pub const FORMAT: &str = "althing-trace-1";

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file cannot be read or written.
    #[error("{0}; correct the path")]
    File(String),
    /// It is no ledger, or no trace.
    #[error("{0}; give the trace.json of a report")]
    Malformed(String),
    /// The ledger is not good.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A body of the ledger does not open.
    #[error("a body of the ledger does not open: {0}")]
    Body(#[from] Invalid),
    /// The market refuses what the live one has taken.
    #[error("round {round} cannot be replayed: {why}")]
    Refused {
        /// Which round.
        round: Round,
        /// Why.
        why: String,
    },
}

impl From<DecodeError> for TraceError {
    fn from(why: DecodeError) -> Self {
        Self::Body(Invalid::Decode(why))
    }
}

/// The decisions of an exported ledger, unchecked.
///
/// # Errors
/// [`TraceError`] when there is no such file, or it holds no ledger.
pub fn decisions(ledger: &Path) -> Result<Vec<Decision>, TraceError> {
    let file: LedgerFile = serde_json::from_str(&read(ledger)?).map_err(|why| malformed(ledger, &why))?;
    let decisions: Result<Vec<Decision>, _> = file.decisions.into_iter().map(Exported::decision).collect();
    decisions.map_err(|why| malformed(ledger, &why))
}

/// Rounds of a federation as its market saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// [`FORMAT`].
    pub format: String,
    /// The federation.
    pub genesis: Genesis,
    /// Its settled rounds, from the first on.
    pub rounds: Vec<TracedRound>,
}

/// A round as its market saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracedRound {
    /// Which.
    pub round: Round,
    /// What its ties were broken by.
    pub seed: Hash,
    /// What owners of accounts had done.
    pub instructions: Vec<(MemberId, Instruction)>,
    /// The bids, and how many were wanted.
    pub answers: Answers,
    /// Whom the live market hired.
    pub hired: Vec<MemberId>,
    /// Gain of each update that was delivered, in millionths of loss.
    pub gains: BTreeMap<MemberId, i64>,
    /// What members have said of the updates; nothing in traces from before it was recorded.
    #[serde(default)]
    pub appraisals: BTreeMap<MemberId, Appraisal>,
    /// Accuracy of the model that it started from, as members have measured it, in millionths.
    pub accuracy_ppm: Option<u32>,
    /// Who was convicted of having signed two things in one place, and at which height.
    pub convicted: Vec<MemberId>,
    /// The height of the Settle.
    pub height: Height,
    /// The model after it.
    pub model: BlobRef,
    /// What each winner was paid, in micro-credits.
    pub payments: BTreeMap<MemberId, u64>,
    /// What each member owned after it, in micro-credits.
    pub balances: BTreeMap<MemberId, u64>,
}

impl Trace {
    /// The rounds of `decisions`, which are verified on the way.
    ///
    /// # Errors
    /// [`TraceError`] when the ledger is not good.
    pub fn of(federation: &Federation, decisions: &[Decision]) -> Result<Self, TraceError> {
        let (mut rounds, mut plan, mut failed) = (Vec::new(), None, None);
        follow(federation, decisions, |step| match traced(federation, &step, plan.take()) {
            Ok(Half::Planned(round)) => plan = Some(round),
            Ok(Half::Settled(round)) => rounds.extend(round),
            Err(why) => failed = failed.take().or(Some(why)),
        })?;
        match failed {
            Some(why) => Err(why),
            None => Ok(Self { format: FORMAT.into(), genesis: federation.genesis.clone(), rounds }),
        }
    }

    /// The rounds of an exported ledger.
    ///
    /// # Errors
    /// [`TraceError`] when there is no such file, or the ledger is not good.
    pub fn of_file(ledger: &Path, genesis: &Genesis) -> Result<Self, TraceError> {
        Self::of(&Federation::new(genesis.clone()), &decisions(ledger)?)
    }

    /// The trace in `file`.
    ///
    /// # Errors
    /// [`TraceError`] when it holds none.
    pub fn load(file: &Path) -> Result<Self, TraceError> {
        let trace: Self = serde_json::from_str(&read(file)?).map_err(|why| malformed(file, &why))?;
        if trace.format != FORMAT {
            return Err(TraceError::Malformed(format!("its format is {:?}, not {FORMAT:?}", trace.format)));
        }
        trace.genesis.validate().map_err(|why| malformed(file, &why))?;
        Ok(trace)
    }

    /// Writes it to `file`.
    ///
    /// # Errors
    /// [`TraceError::File`] when that cannot be.
    pub fn save(&self, file: &Path) -> Result<(), TraceError> {
        let text = serde_json::to_string(self).map_err(|why| malformed(file, &why))?;
        std::fs::write(file, text).map_err(|why| TraceError::File(format!("{}: {why}", file.display())))
    }
}

fn read(file: &Path) -> Result<String, TraceError> {
    std::fs::read_to_string(file).map_err(|why| TraceError::File(format!("{}: {why}", file.display())))
}

fn malformed(file: &Path, why: &dyn std::fmt::Display) -> TraceError {
    TraceError::Malformed(format!("{}: {why}", file.display()))
}

/// What a decision adds to a trace.
enum Half {
    /// A round that is not settled yet.
    Planned(TracedRound),
    /// A round, if its Plan was seen.
    Settled(Option<TracedRound>),
}

fn traced(federation: &Federation, step: &Step<'_>, planned: Option<TracedRound>) -> Result<Half, TraceError> {
    let (before, after) = (step.before, step.after);
    match (Body::decode(&step.decision.body)?.evidence, step.outcome) {
        (Evidence::Plan(plan), Outcome::Planned { instructions, awards, .. }) => Ok(Half::Planned(TracedRound {
            round: before.round,
            seed: before.seed,
            instructions: instructions.iter().map(|(owner, instruction, _)| (*owner, instruction.clone())).collect(),
            answers: before.answers(federation, &plan)?,
            hired: awards.iter().map(|award| award.member).collect(),
            gains: BTreeMap::new(),
            appraisals: BTreeMap::new(),
            accuracy_ppm: None,
            convicted: Vec::new(),
            height: after.height,
            model: before.model,
            payments: BTreeMap::new(),
            balances: BTreeMap::new(),
        })),
        (Evidence::Settle(settle), Outcome::Settled(settlement)) => {
            let said = |signed: &Signed<Appraisal>| Ok((signed.signer, signed.peek().map_err(Invalid::from)?));
            let appraisals = settle.appraisals.iter().map(said).collect::<Result<_, TraceError>>()?;
            Ok(Half::Settled(planned.map(|plan| TracedRound {
                gains: settlement.gains.clone(),
                appraisals,
                accuracy_ppm: settlement.accuracy_ppm,
                convicted: settle.equivocations.iter().map(|proof| proof.member()).collect(),
                height: after.height,
                model: settlement.model,
                payments: settlement.payments.clone(),
                balances: settlement.credits.balances.clone(),
                ..plan
            })))
        }
        _ => Ok(Half::Settled(None)),
    }
}
