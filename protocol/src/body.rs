//! Bodies: what is decided. A body holds the evidence that its outcome rests on, never the outcome itself, which every
//! member computes; the state root binds what they must all have computed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    codec::{self, DecodeError},
    consensus::Equivocation,
    crypto::Signed,
    detection::Pretence,
    ids::{BlobRef, Hash, Height, MemberId, Round},
    limits::MAX_BODY_BYTES,
    statement::{Appraisal, BidCommit, BidReveal, CounterOffers, CounterReply, Instruction, Marks, UpdateOffer},
};

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// Where it stands.
    pub header: Header,
    /// What it rests on.
    pub evidence: Evidence,
}

/// Where a decision stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its height.
    pub height: Height,
    /// Its round of learning.
    pub round: Round,
    /// Id of the body before it.
    pub parent: Hash,
    /// Who built it.
    pub proposer: MemberId,
    /// The agreement's round for which it was built.
    pub agreement_round: u32,
    /// Hash of the state after it.
    pub state_root: Hash,
}

/// What a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// Who is hired.
    Plan(PlanEvidence),
    /// What came of it.
    Settle(SettleEvidence),
}

/// Bids, marks and counter-offers. Lists are sorted by signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEvidence {
    /// What owners of accounts want done with their credits, sorted by signer and number.
    pub instructions: Vec<Signed<Instruction>>,
    /// The chair's marks, if it gave any in time.
    pub marks: Option<Signed<Marks>>,
    /// A sealed bid with its opening, for every bidder.
    pub bids: Vec<(Signed<BidCommit>, Signed<BidReveal>)>,
    /// The chair's counter-offers, if it has made any.
    pub counter_offers: Option<Signed<CounterOffers>>,
    /// What their receivers say to them. Silence declines.
    pub replies: Vec<Signed<CounterReply>>,
}

/// Updates and appraisals. Lists are sorted by signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleEvidence {
    /// The updates that have come and are sound.
    pub updates: Vec<Signed<UpdateOffer>>,
    /// Those of them that only pretend to be work. The others enter the mean.
    pub refused: BTreeMap<MemberId, Pretence>,
    /// What members think of them.
    pub appraisals: Vec<Signed<Appraisal>>,
    /// The model that results: the weighted mean of the updates, or the model before if there are none.
    pub model: BlobRef,
    /// The next preimage of the proposer's hash chain, while it has one.
    pub turn: Option<Hash>,
    /// Members caught signing two things for one slot.
    pub equivocations: Vec<Equivocation>,
}

impl Body {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The body that `bytes` hold.
    ///
    /// # Errors
    /// [`DecodeError`] when they are too many or hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_BODY_BYTES)
    }

    /// The id of a body with these bytes: what is voted on.
    pub fn id_of(bytes: &[u8]) -> Hash {
        Hash::of(bytes)
    }
}
