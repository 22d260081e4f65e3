//! The last guard against double signing: what this member has signed at the current height.
//!
//! The core never asks for two different signatures in one slot, not even after a restart. This table does not take
//! its word for it.

use std::collections::BTreeMap;

use super::{
    error::EngineError,
    message::{Proposal, Vote, VoteKind},
    wal::WalEntry,
};
use crate::{
    crypto::Keypair,
    ids::{Height, MemberId, NetworkId},
};

/// A place for one signature.
type Slot = (&'static str, Height, u32);

/// Signs, but only one statement for each slot.
#[derive(Debug)]
pub(super) struct Pledges {
    keypair: Keypair,
    network: NetworkId,
    made: BTreeMap<Slot, Vec<u8>>,
}

impl Pledges {
    pub(super) const fn new(keypair: Keypair, network: NetworkId) -> Self {
        Self { keypair, network, made: BTreeMap::new() }
    }

    pub(super) fn id(&self) -> MemberId {
        self.keypair.id()
    }

    pub(super) const fn network(&self) -> &NetworkId {
        &self.network
    }

    /// Forgets the statements of earlier heights.
    pub(super) fn open(&mut self, height: Height) {
        self.made.retain(|&(_, at, _), _| at >= height);
    }

    /// Remembers what the log says was signed before a crash. The first of two different statements counts.
    pub(super) fn recall(&mut self, entry: &WalEntry) {
        let (slot, statement) = match entry {
            WalEntry::Vote(vote) if vote.signer == self.id() => (vote_slot(vote), vote.statement()),
            WalEntry::Proposal(own) if own.signer == self.id() => (proposal_slot(own), own.statement()),
            _ => return,
        };
        self.made.entry(slot).or_insert(statement);
    }

    /// Signs `vote`, unless another vote of its kind was signed for its round.
    pub(super) fn sign_vote(&mut self, vote: Vote) -> Result<Vote, EngineError> {
        self.pledge(vote_slot(&vote), vote.statement())?;
        Ok(vote.signed(&self.keypair, &self.network))
    }

    /// Signs `proposal`, unless another one was signed for its round.
    pub(super) fn sign_proposal(&mut self, proposal: Proposal) -> Result<Proposal, EngineError> {
        self.pledge(proposal_slot(&proposal), proposal.statement())?;
        Ok(proposal.signed(&self.keypair, &self.network))
    }

    fn pledge(&mut self, slot: Slot, statement: Vec<u8>) -> Result<(), EngineError> {
        let (what, height, round) = slot;
        let first = self.made.entry(slot).or_insert_with(|| statement.clone());
        if *first == statement { Ok(()) } else { Err(EngineError::WouldEquivocate { what, height, round }) }
    }
}

const fn vote_slot(vote: &Vote) -> Slot {
    let what = match vote.kind {
        VoteKind::Prevote => "prevote",
        VoteKind::Precommit => "precommit",
    };
    (what, vote.height, vote.round)
}

const fn proposal_slot(proposal: &Proposal) -> Slot {
    ("proposal", proposal.height, proposal.round)
}
