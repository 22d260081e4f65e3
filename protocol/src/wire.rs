//! What travels between nodes: messages by gossip, requests and responses between two.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    codec::{self, DecodeError},
    consensus::{self, Certificate},
    crypto::Signed,
    ids::{BlobRef, Height},
    limits::{MAX_MESSAGE_BYTES, MAX_SYNC_HEIGHTS},
    statement::{
        Appraisal, BidCommit, BidReveal, BodyOffer, CounterOffers, CounterReply, Instruction, Marks, ModelOffer,
        UpdateOffer, Withdrawal,
    },
};

/// What members gossip about. Each subject has a topic of its own, so that a flood of one delays no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Statements of the round.
    Round,
    /// What owners of accounts want done.
    Instructions,
    /// Votes and proposals.
    Agreement,
    /// Proposed bodies.
    Bodies,
    /// Who holds which blob.
    Have,
    /// Who has decided what.
    Tip,
}

/// A message to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A sealed bid.
    Commit(Signed<BidCommit>),
    /// The chair's marks.
    Marks(Signed<Marks>),
    /// An opened bid.
    Reveal(Signed<BidReveal>),
    /// The chair's counter-offers.
    CounterOffers(Signed<CounterOffers>),
    /// A reply to one of them.
    CounterReply(Signed<CounterReply>),
    /// An update.
    Update(Signed<UpdateOffer>),
    /// No update will come.
    Withdrawal(Signed<Withdrawal>),
    /// An appraisal.
    Appraisal(Signed<Appraisal>),
    /// What the owner of an account wants done.
    Instruction(Signed<Instruction>),
    /// A proposed body.
    Body(Signed<BodyOffer>),
    /// A vote, a proposal or a certificate.
    Agreement(consensus::Message),
    /// The sender holds this blob.
    Have(BlobRef),
    /// The sender has decided this height.
    Tip(Height),
}

impl Message {
    /// Where it is published.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Commit(_)
            | Self::Marks(_)
            | Self::Reveal(_)
            | Self::CounterOffers(_)
            | Self::CounterReply(_)
            | Self::Update(_)
            | Self::Withdrawal(_)
            | Self::Appraisal(_) => Topic::Round,
            Self::Instruction(_) => Topic::Instructions,
            Self::Body(_) => Topic::Bodies,
            Self::Agreement(_) => Topic::Agreement,
            Self::Have(_) => Topic::Have,
            Self::Tip(_) => Topic::Tip,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The message that `bytes` hold.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_MESSAGE_BYTES)
    }
}

/// A question to one peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Decisions from this height on.
    Decisions(Height),
    /// The sender's own model, for whoever exchanges models.
    Model(Signed<ModelOffer>),
}

/// Longest encoded [`Request`], in bytes: a signed offer takes about 180.
pub const MAX_REQUEST_BYTES: usize = 256;

/// Longest encoded [`Response`], in bytes. A single decision always fits.
pub const MAX_RESPONSE_BYTES: usize = 4 * MAX_MESSAGE_BYTES;

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Decisions in order, from the height asked for; fewer than there are if they would be too long together.
    Decisions(Vec<Decision>),
    /// The request has come; there is nothing to say to it.
    Heard,
}

/// A decided body with the proof that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The encoded body.
    pub body: ByteBuf,
    /// Two thirds of the voting power for its hash.
    pub certificate: Certificate,
}

impl Request {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The request that `bytes` hold.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_REQUEST_BYTES)
    }
}

impl Response {
    /// As many of `decisions` as one answer may hold.
    pub fn of(decisions: impl IntoIterator<Item = Decision>) -> Self {
        let mut bytes = 0;
        let fits = decisions.into_iter().take(MAX_SYNC_HEIGHTS).take_while(|decision| {
            bytes += decision.body.len() + codec::encode(&decision.certificate).len() + 16;
            bytes <= MAX_RESPONSE_BYTES - 16
        });
        Self::Decisions(fits.collect())
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The response that `bytes` hold.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_RESPONSE_BYTES)
    }
}
