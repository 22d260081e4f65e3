//! Objective misbehaviour: two statements that no honest member signs both.

use serde::{Deserialize, Serialize};

use super::{
    message::{Proposal, Vote},
    validators::ValidatorSet,
};
use crate::ids::{Height, MemberId, NetworkId};

/// Two different statements that one validator signed for one slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Equivocation {
    /// Two votes of one kind in one round.
    Votes(Vote, Vote),
    /// Two proposals for one round.
    Proposals(Proposal, Proposal),
}

/// Why two statements are no proof of misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// They differ in signer, kind, height or round, so both may be honest.
    #[error("the two statements are for different slots")]
    DifferentSlots,
    /// They say the same.
    #[error("the two statements say the same")]
    SameStatement,
    /// The signer had no seat at that height.
    #[error("{0} has no vote at this height: check evidence against the validators of its own height")]
    NotAMember(MemberId),
    /// One of the signatures is not the signer's.
    #[error("a signature in the name of {0} does not verify")]
    BadSignature(MemberId),
}

impl Equivocation {
    /// Who signed both.
    pub const fn member(&self) -> MemberId {
        match self {
            Self::Votes(first, _) => first.signer,
            Self::Proposals(first, _) => first.signer,
        }
    }

    /// Height of both.
    pub const fn height(&self) -> Height {
        match self {
            Self::Votes(first, _) => first.height,
            Self::Proposals(first, _) => first.height,
        }
    }

    /// Checks that a validator of that height signed both, and that they exclude each other.
    ///
    /// # Errors
    /// [`EvidenceError`] says what is missing.
    pub fn verify(&self, network: &NetworkId, validators: &ValidatorSet) -> Result<(), EvidenceError> {
        let (one_slot, one_statement) = match self {
            Self::Votes(a, b) => (
                (a.signer, a.kind, a.height, a.round) == (b.signer, b.kind, b.height, b.round),
                a.statement() == b.statement(),
            ),
            Self::Proposals(a, b) => {
                ((a.signer, a.height, a.round) == (b.signer, b.height, b.round), a.statement() == b.statement())
            }
        };
        if !one_slot {
            return Err(EvidenceError::DifferentSlots);
        }
        if one_statement {
            return Err(EvidenceError::SameStatement);
        }
        if !validators.contains(&self.member()) {
            return Err(EvidenceError::NotAMember(self.member()));
        }
        let both_signed = match self {
            Self::Votes(a, b) => a.verify(network) && b.verify(network),
            Self::Proposals(a, b) => a.verify(network) && b.verify(network),
        };
        if both_signed { Ok(()) } else { Err(EvidenceError::BadSignature(self.member())) }
    }
}
