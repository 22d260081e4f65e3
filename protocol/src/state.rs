//! The state that decisions move: a pure function of the genesis and the bodies decided since.
//!
//! [`State::propose`] and [`State::apply`] share one computation of what a body's evidence leads to, so a proposer and
//! those who judge its proposal cannot differ.

mod counter;
mod instruct;
mod plan;
mod settle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    body::{Body, Evidence, Header},
    codec::{self, DecodeError},
    consensus::{Validator, ValidatorSet, ValidatorSetError},
    crypto::StatementError,
    event::Award,
    genesis::Genesis,
    hiring::Call,
    ids::{BlobRef, Hash, Height, MemberId, NetworkId, Round},
    ledger::{Carried, InstructionError, Ledger, LedgerError},
    statement::Instruction,
};
pub use settle::Settlement;

/// A genesis with its network id, which is computed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Federation {
    /// What members hold in common.
    pub genesis: Genesis,
    /// Its hash.
    pub network: NetworkId,
}

impl Federation {
    /// The federation that `genesis` names.
    pub fn new(genesis: Genesis) -> Self {
        Self { network: genesis.network(), genesis }
    }
}

/// Everything that the next decision may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The last decided height; 0 before the first.
    pub height: Height,
    /// Id of the last decided body.
    pub head: Hash,
    /// The open round.
    pub round: Round,
    /// What the next height decides.
    pub stage: Stage,
    /// Seed of the open round's election and lots.
    pub seed: Hash,
    /// The global model that the open round starts from.
    pub model: BlobRef,
    /// The model that it was made from, by the last round that made one; the same before any did.
    pub previous: BlobRef,
    /// Credits and reputation.
    pub ledger: Ledger,
}

/// What the next height decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Who is hired.
    Planning,
    /// What came of these awards.
    Settling(Vec<Award>),
}

/// What a body has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Who is hired, out of how many bids.
    Planned {
        /// The awards, in rank order.
        awards: Vec<Award>,
        /// Bids that were opened.
        bids: usize,
        /// What owners of accounts have had done.
        instructions: Vec<(MemberId, Instruction, Carried)>,
    },
    /// Who is paid.
    Settled(Box<Settlement>),
}

/// Why a body must not be voted for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It stands elsewhere in the chain.
    #[error("its {0} is not the chain's next")]
    Misplaced(&'static str),
    /// It decides what is not to be decided now.
    #[error("it is a plan where a settlement is due, or the other way round")]
    WrongStage,
    /// Its proposer was not elected for the round of the agreement that it names.
    #[error("{0} was not elected to propose it")]
    NotElected(MemberId),
    /// A list is not sorted by signer, or names a signer twice.
    #[error("its {0} are not sorted, or one stands there twice")]
    Unsorted(&'static str),
    /// A list holds more than a body may.
    #[error("it holds too many {0}")]
    TooMany(&'static str),
    /// A statement is by somebody who had no say in it.
    #[error("{member} had no say in its {what}")]
    NoSay {
        /// Who.
        member: MemberId,
        /// In what.
        what: &'static str,
    },
    /// A statement is not what the round asked for.
    #[error("{member}'s {what} is out of bounds")]
    OutOfBounds {
        /// Whose.
        member: MemberId,
        /// What.
        what: &'static str,
    },
    /// An instruction does nothing, or cannot be paid.
    #[error("an instruction in it cannot be carried out: {0}")]
    Instruction(#[from] InstructionError),
    /// A statement is forged or malformed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Evidence of equivocation proves nothing.
    #[error("its evidence against {0} proves nothing new")]
    NoOffence(MemberId),
    /// It names another model than its updates lead to.
    #[error("it names another model than its updates lead to")]
    WrongModel,
    /// Its hash chain preimage does not fit.
    #[error("its turn does not extend the proposer's hash chain")]
    WrongTurn,
    /// The ledger refuses a movement.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Nobody is left to vote.
    #[error(transparent)]
    Validators(#[from] ValidatorSetError),
    /// It claims another state than its evidence leads to.
    #[error("its state root is not what its evidence leads to")]
    WrongRoot,
    /// It leaves out an update that has long been here.
    #[error("it leaves out {0}'s update")]
    Omission(MemberId),
    /// It is no body.
    #[error("it is {0}")]
    Decode(#[from] DecodeError),
}

impl State {
    /// The state before the first round.
    pub fn genesis(federation: &Federation) -> Self {
        Self {
            height: Height(0),
            head: Hash::ZERO,
            round: Round(1),
            stage: Stage::Planning,
            seed: Hash::derive("althing 1 first seed", &[federation.network.as_bytes()]),
            model: federation.genesis.task.initial_model,
            previous: federation.genesis.task.initial_model,
            ledger: Ledger::new(&federation.genesis),
        }
    }

    /// Who votes at the next height, and in which order they propose.
    ///
    /// # Errors
    /// [`ValidatorSetError`] never, for a state that a validated genesis began.
    pub fn validators(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let weights = self.ledger.election_weights();
        let powers = self.ledger.accounts.values().map(|account| account.power);
        let members = weights.zip(powers).map(|((id, weight), power)| Validator { id, power, weight });
        ValidatorSet::new(self.seed, members.filter(|member| member.power > 0).collect())
    }

    /// The body that `evidence` makes at the next height, with what it leads to.
    ///
    /// # Errors
    /// [`Invalid`] when the evidence does not hold.
    pub fn propose(
        &self,
        federation: &Federation,
        proposer: MemberId,
        agreement_round: u32,
        evidence: Evidence,
    ) -> Result<Body, Invalid> {
        let mut header = Header {
            height: self.height.next(),
            round: self.round,
            parent: self.head,
            proposer,
            agreement_round,
            state_root: Hash::ZERO,
        };
        let (next, _) = self.outcome(federation, &header, &evidence)?;
        header.state_root = next.root();
        Ok(Body { header, evidence })
    }

    /// The state after the body with these bytes, and what it has led to.
    ///
    /// Whether the body's model is the mean of its updates is not looked at here: that needs their bytes.
    ///
    /// # Errors
    /// [`Invalid`] says why the body must not be voted for.
    pub fn apply(&self, federation: &Federation, bytes: &[u8]) -> Result<(Self, Body, Outcome), Invalid> {
        let body = Body::decode(bytes)?;
        let header = &body.header;
        if header.height != self.height.next() {
            return Err(Invalid::Misplaced("height"));
        }
        if header.round != self.round {
            return Err(Invalid::Misplaced("round"));
        }
        if header.parent != self.head {
            return Err(Invalid::Misplaced("parent"));
        }
        let (mut next, outcome) = self.outcome(federation, header, &body.evidence)?;
        if header.state_root != next.root() {
            return Err(Invalid::WrongRoot);
        }
        next.head = Body::id_of(bytes);
        Ok((next, body, outcome))
    }

    /// Hash of the state. The head is left out, since a body holds the root of the state after it.
    pub fn root(&self) -> Hash {
        let parts = (self.height, self.round, &self.stage, self.seed, self.model, self.previous, &self.ledger);
        Hash::derive("althing 1 state", &[&codec::encode(&parts)])
    }

    /// What `evidence` leads to. The head of the returned state is still the old one.
    fn outcome(
        &self,
        federation: &Federation,
        header: &Header,
        evidence: &Evidence,
    ) -> Result<(Self, Outcome), Invalid> {
        let validators = self.validators()?;
        if validators.proposer(header.agreement_round) != header.proposer {
            return Err(Invalid::NotElected(header.proposer));
        }
        let mut next = self.clone();
        next.height = header.height;
        next.ledger.see(&header.proposer, header.round);
        let outcome = match (&self.stage, evidence) {
            (Stage::Planning, Evidence::Plan(evidence)) => next.plan(federation, &validators, evidence)?,
            (Stage::Settling(awards), Evidence::Settle(evidence)) => {
                next.settle(federation, header.proposer, awards, evidence)?
            }
            _ => return Err(Invalid::WrongStage),
        };
        next.reprove_passed_over(&validators, header)?;
        next.ledger.check()?;
        Ok((next, outcome))
    }

    /// What the open round hires by.
    fn call<'a>(&self, federation: &'a Federation) -> Call<'a> {
        let genesis = &federation.genesis;
        Call { market: &genesis.market, members: self.ledger.accounts.len(), round: self.round, seed: self.seed }
    }

    /// Those elected before the proposer did not bring a decision about. Who is no member any more by this very body has
    /// no reputation to lose.
    fn reprove_passed_over(&mut self, validators: &ValidatorSet, header: &Header) -> Result<(), Invalid> {
        let passed_over = validators.order().iter().take(header.agreement_round as usize);
        let passed_over = passed_over.take_while(|member| **member != header.proposer);
        let members: Vec<_> = passed_over.filter(|member| self.ledger.accounts.contains_key(*member)).collect();
        for member in members {
            self.ledger.reprove(member)?;
        }
        Ok(())
    }
}

/// Whether `signers` are sorted and different.
fn sorted<'a>(mut signers: impl Iterator<Item = &'a MemberId>, what: &'static str) -> Result<(), Invalid> {
    let Some(mut last) = signers.next() else { return Ok(()) };
    for signer in signers {
        if signer <= last {
            return Err(Invalid::Unsorted(what));
        }
        last = signer;
    }
    Ok(())
}
