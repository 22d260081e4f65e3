//! What the owner of a key wants done with its credits and with its membership. Whoever holds the key may say so: no
//! round has to be open for it, and no membership is needed.

use serde::{Deserialize, Serialize};

use super::{Application, Invitation};
use crate::{
    crypto::{Domain, Statement, StatementError},
    ids::{MemberId, NetworkId, Round},
    limits::{MAX_INSTRUCTION_BYTES, MAX_JOB_ROUNDS, MAX_MINT},
};

/// An order to the ledger, signed by the key of the account that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// How many instructions of this account were carried out before. Each number counts once, so that nobody can have an
    /// instruction carried out again.
    pub nonce: u64,
    /// What is to be done.
    pub action: Action,
}

impl Statement for Instruction {
    const DOMAIN: Domain = Domain::Instruction;
    const MAX_BYTES: usize = MAX_INSTRUCTION_BYTES;
}

impl Instruction {
    /// Checks the signatures within it, which its own does not vouch for.
    ///
    /// # Errors
    /// [`StatementError`] when one is forged or malformed.
    pub fn verify(&self, network: &NetworkId) -> Result<(), StatementError> {
        if let Action::Join(application) = &self.action {
            application.invitation.open(network)?;
            application.claim.open(network)?;
        }
        Ok(())
    }
}

/// What an instruction does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Gives credits to another account.
    Transfer {
        /// To whom: a member, or any other key, which gets an account if it has none.
        to: MemberId,
        /// How much, in micro-credits.
        amount: u64,
    },
    /// Pays for rounds of learning.
    Fund(JobTerms),
    /// Becomes a member, once the open round is settled. The only instruction that takes no account.
    Join(Box<Application>),
    /// Is a member no more, once the open round is settled. The account stays.
    Leave,
    /// Takes back an invitation of one's own.
    Revoke(Invitation),
    /// Is for a motion; the first who is puts it forward.
    Vote(Motion),
}

/// What members decide about each other, by votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// That this member is none any more.
    Remove(MemberId),
}

/// What a sponsor pays for: rounds of the federation's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTerms {
    /// Most that a round of the job may cost, in micro-credits.
    pub budget_per_round: u64,
    /// Rounds that are paid for. The sponsor puts down the whole budget of all of them.
    pub rounds: u32,
    /// The last round of the federation in which the job may still be worked on.
    pub deadline: Round,
    /// The job is done early once members measure this accuracy on their held-out examples (median), in millionths.
    pub target_accuracy_ppm: Option<u32>,
    /// The least that an update's noise may leave, as the epsilon which it costs its maker, in millionths: an update that
    /// cost less is too noisy for the sponsor, and is not paid. 0 accepts any; an update without noise is always accepted.
    pub min_epsilon_micro: u64,
}

impl JobTerms {
    /// The whole escrow, in micro-credits; nothing if the terms cannot be kept by anybody after `round`.
    pub fn escrow(&self, round: Round) -> Option<u64> {
        let in_bounds = (1..=MAX_MINT).contains(&self.budget_per_round)
            && (1..=MAX_JOB_ROUNDS).contains(&self.rounds)
            && self.deadline > round
            && self.target_accuracy_ppm.is_none_or(|target| (1..=1_000_000).contains(&target));
        // At most 2^40 times 2^20.
        in_bounds.then(|| self.budget_per_round * u64::from(self.rounds))
    }

    /// Whether an update that cost its maker so much of its privacy is clear enough.
    pub fn accepts_epsilon(&self, epsilon_micro: u64) -> bool {
        epsilon_micro == 0 || epsilon_micro >= self.min_epsilon_micro
    }
}
