//! What members say to each other in a round. Each statement is signed, bounded, and stands in a body as evidence.

mod counter;
mod instruction;
mod invitation;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    codec,
    crypto::{Domain, Statement},
    genesis::Genesis,
    ids::{BlobRef, Hash, Height, MemberId, Round, Step},
    limits::{MAX_APPRAISAL_BYTES, MAX_MARKS_BYTES, MAX_MEMBERS, MAX_MESSAGE_BYTES, MAX_MINT, MAX_STATEMENT_BYTES},
};

pub use counter::{CounterOffer, CounterOffers, CounterReply, Reply};
pub use instruction::{Action, Instruction, JobTerms, Motion};
pub use invitation::{Application, Claim, Invitation, Newcomer, is_name};

/// A bid: one contract of the menu, at a price, and the data that stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// Place of the contract on the menu.
    pub contract: u8,
    /// Price asked for delivery, in micro-credits.
    pub price: u64,
    /// Examples that the bidder will train on. Its update must not claim fewer.
    pub samples: u64,
}

impl Bid {
    /// Whether the bid is for a contract of the menu, at a price that can be paid at all, and with as many examples as an
    /// update may claim.
    pub fn is_allowed(&self, genesis: &Genesis) -> bool {
        let can_be_claimed = (1..=genesis.limits.max_samples).contains(&self.samples);
        genesis.contract(self.contract).is_some() && self.price <= MAX_MINT && can_be_claimed
    }

    /// The seal that binds `member` to this bid without showing it.
    pub fn seal(&self, member: &MemberId, round: Round, salt: &Hash) -> Hash {
        let parts: [&[u8]; 4] = [member.as_bytes(), &round.0.to_le_bytes(), &codec::encode(self), salt.as_bytes()];
        Hash::derive("althing 1 sealed bid", &parts)
    }
}

/// A sealed bid, or the word that there will be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidCommit {
    /// The round it is for.
    pub round: Round,
    /// See [`Bid::seal`]. `None` passes, so that nobody waits for this member.
    pub seal: Option<Hash>,
}

impl Statement for BidCommit {
    const DOMAIN: Domain = Domain::BidCommit;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// An opened bid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidReveal {
    /// The round it is for.
    pub round: Round,
    /// What was sealed.
    pub bid: Bid,
    /// What it was sealed with.
    pub salt: Hash,
    /// Digest of the marks that the bidder had seen when it opened the bid: proof that those marks knew no price.
    pub marks: Option<Hash>,
}

impl Statement for BidReveal {
    const DOMAIN: Domain = Domain::BidReveal;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// What the chair's selector thinks of the candidates, before any price is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The round they are for.
    pub round: Round,
    /// How many members to hire, at the most.
    pub hire: u32,
    /// Weight of each candidate in hundredths, within [`Marks::LEAST`] and [`Marks::MOST`]; 100 where none is given.
    pub weights: BTreeMap<MemberId, u16>,
}

impl Marks {
    /// The lowest weight.
    pub const LEAST: u16 = 50;
    /// The weight of a candidate without a mark.
    pub const NEUTRAL: u16 = 100;
    /// The highest weight.
    pub const MOST: u16 = 200;

    /// Whether every weight is within its bounds.
    pub fn is_allowed(&self) -> bool {
        self.weights.values().all(|weight| (Self::LEAST..=Self::MOST).contains(weight))
    }
}

impl Statement for Marks {
    const DOMAIN: Domain = Domain::Marks;
    const MAX_BYTES: usize = MAX_MARKS_BYTES;
}

/// An update, offered for aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateOffer {
    /// The round it is for.
    pub round: Round,
    /// The contract that it fulfils.
    pub contract: u8,
    /// What training has made of the contract's slice, by the codec of the genesis.
    pub update: BlobRef,
    /// Examples seen in training; its weight in the mean.
    pub samples: u64,
    /// Time that training took, in milliseconds, as its maker states it. Nothing is decided by it.
    pub training_ms: u64,
    /// By how much the epsilon of its maker's privacy account rose for it, in millionths, as its maker states it; 0 for
    /// training without noise. Nothing is decided by it.
    pub epsilon_micro: u64,
}

impl UpdateOffer {
    /// Whether its contract is on the menu, the update as long as one of that contract can be, and the weight that it
    /// claims no more than is allowed.
    pub fn is_allowed(&self, genesis: &Genesis) -> bool {
        let contract = genesis.contract(self.contract);
        let parameters = contract.and_then(|contract| genesis.task.tensors.parameters_at(contract.width));
        let fits = |parameters| genesis.exchange.codec.sizes(parameters).contains(&self.update.size);
        parameters.is_some_and(fits) && self.samples <= genesis.limits.max_samples
    }
}

impl Statement for UpdateOffer {
    const DOMAIN: Domain = Domain::Update;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// A winner's word that no update of it will come: its training has come to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The round it is for.
    pub round: Round,
}

impl Statement for Withdrawal {
    const DOMAIN: Domain = Domain::Withdrawal;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// A member's own model, offered to a peer in an epidemic exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOffer {
    /// The member's step. It never offers two models for one.
    pub step: Step,
    /// The trained parameters.
    pub model: BlobRef,
}

impl Statement for ModelOffer {
    const DOMAIN: Domain = Domain::Model;
    const MAX_BYTES: usize = MAX_STATEMENT_BYTES;
}

/// A member's held-out data, and what the model that the round started from makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldOut {
    /// Examples; 0 for a member that has none.
    pub samples: u32,
    /// Those that the model gets right, in millionths of all; 0 for a member that has none.
    pub accuracy_ppm: u32,
}

impl HeldOut {
    /// The accuracy of a model that gets everything right.
    pub const WHOLE: u32 = 1_000_000;
}

/// What a member's held-out data says about the round's updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appraisal {
    /// The round it is for.
    pub round: Round,
    /// For the maker of each update: by how much the update lowers the loss of the round's first model, in millionths.
    pub gains: BTreeMap<MemberId, i64>,
    /// What it rests on; a member without held-out data appraises nothing.
    pub held_out: HeldOut,
    /// The winners by whose updates this member was reached, in the order in which it was: each by its place among all
    /// winners of the round in the order of their ids. It tells a copy from what it was copied from.
    pub arrivals: ByteBuf,
}

impl Appraisal {
    /// Gains beyond this many millionths, either way, count as this many.
    pub const MOST: i64 = 100_000_000;

    /// Whether what it says rests on something, and no more updates have arrived than there can be.
    pub fn is_allowed(&self) -> bool {
        let HeldOut { samples, accuracy_ppm } = self.held_out;
        let silent = self.gains.is_empty() && accuracy_ppm == 0;
        (samples > 0 || silent) && accuracy_ppm <= HeldOut::WHOLE && self.arrivals.len() <= MAX_MEMBERS
    }

    /// Whose updates have arrived, in that order, out of the `winners` in the order of their ids.
    pub fn arrivals(&self, winners: &[MemberId]) -> Vec<MemberId> {
        self.arrivals.iter().filter_map(|place| winners.get(usize::from(*place)).copied()).collect()
    }

    /// How `arrivals` are written down.
    pub fn note(arrivals: &[MemberId], winners: &[MemberId]) -> ByteBuf {
        let place = |maker: &MemberId| u8::try_from(winners.binary_search(maker).ok()?).ok();
        arrivals.iter().filter_map(place).collect::<Vec<u8>>().into()
    }
}

impl Statement for Appraisal {
    const DOMAIN: Domain = Domain::Appraisal;
    const MAX_BYTES: usize = MAX_APPRAISAL_BYTES;
}

/// A proposed body on its way to those who vote on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyOffer {
    /// The height it is for.
    pub height: Height,
    /// The agreement's round in which it is proposed; the signer is the proposer of that round.
    pub agreement_round: u32,
    /// The earlier round in which two thirds voted for it, if it is proposed again.
    pub valid_round: Option<u32>,
    /// The encoded [`crate::body::Body`].
    pub body: ByteBuf,
}

impl Statement for BodyOffer {
    const DOMAIN: Domain = Domain::Body;
    const MAX_BYTES: usize = MAX_MESSAGE_BYTES;
}
