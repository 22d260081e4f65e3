//! Proof of a decision, and how proofs made of votes are checked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    message::{PolkaCertificate, RoundCertificate, Vote, VoteKind},
    validators::ValidatorSet,
};
use crate::ids::{Hash, Height, MemberId, NetworkId, Signature};

/// Proof that `body` was decided at `height`: a quorum's precommits of one round.
///
/// Whoever knows the validators of that height can check it, offline and long after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Certificate {
    /// The height.
    pub height: Height,
    /// Round in which it was decided.
    pub round: u32,
    /// The body decided.
    pub body: Hash,
    /// Who precommitted, by id, each with its signature over the precommit.
    pub signatures: Vec<(MemberId, Signature)>,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A signer has no seat at that height.
    #[error("{0} has no vote at this height: check the certificate against the validators of its own height")]
    NotAMember(MemberId),
    /// A signer is counted twice.
    #[error("{0} signs twice")]
    Duplicate(MemberId),
    /// A signature is not over this decision, or not by its signer.
    #[error("the signature of {0} does not verify")]
    BadSignature(MemberId),
    /// A vote is not of the kind that the certificate is made of.
    #[error("the vote of {0} is of the wrong kind")]
    WrongKind(MemberId),
    /// The signers do not have the power that it takes.
    #[error("the signers hold {signed} of {total} power: too little")]
    TooLittlePower {
        /// Power of the signers.
        signed: u64,
        /// All power.
        total: u64,
    },
}

impl Certificate {
    /// Longest encoding that is worth decoding, in bytes.
    pub const MAX_BYTES: usize = 24 * 1024;

    /// Checks that a quorum of `validators` decided this.
    ///
    /// # Errors
    /// [`CertificateError`] names the first signer or the sum that is wrong.
    pub fn verify(&self, network: &NetworkId, validators: &ValidatorSet) -> Result<(), CertificateError> {
        Tally::of(self.votes(), network, validators)?.quorum()
    }

    /// The precommits that it is made of.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        self.signatures.iter().map(|&(signer, signature)| Vote {
            kind: VoteKind::Precommit,
            height: self.height,
            round: self.round,
            body: Some(self.body),
            signer,
            signature,
        })
    }
}

impl PolkaCertificate {
    /// Checks that a quorum of `validators` prevoted this.
    ///
    /// # Errors
    /// [`CertificateError`] names the first signer or the sum that is wrong.
    pub fn verify(&self, network: &NetworkId, validators: &ValidatorSet) -> Result<(), CertificateError> {
        Tally::of(self.votes(), network, validators)?.quorum()
    }
}

impl RoundCertificate {
    /// Checks that enough of `validators` voted to justify a round.
    ///
    /// # Errors
    /// [`CertificateError`] names the first signer or the sum that is wrong.
    pub fn verify(&self, network: &NetworkId, validators: &ValidatorSet) -> Result<(), CertificateError> {
        match self {
            Self::Ended { votes, .. } => {
                if let Some(vote) = votes.iter().find(|vote| vote.kind == VoteKind::Prevote) {
                    return Err(CertificateError::WrongKind(vote.signer));
                }
                Tally::of(self.votes(), network, validators)?.quorum()
            }
            Self::Begun { .. } => Tally::of(self.votes(), network, validators)?.honest(),
        }
    }
}

/// The power behind well-signed votes of distinct members.
struct Tally<'a> {
    validators: &'a ValidatorSet,
    signed: u64,
}

impl<'a> Tally<'a> {
    fn of(
        votes: impl Iterator<Item = Vote>,
        network: &NetworkId,
        validators: &'a ValidatorSet,
    ) -> Result<Self, CertificateError> {
        let mut seen = BTreeSet::new();
        let mut signed = 0;
        for vote in votes {
            // The cheap checks come first, so that a forger cannot buy many signature checks with one message.
            let Some(validator) = validators.get(&vote.signer) else {
                return Err(CertificateError::NotAMember(vote.signer));
            };
            if !seen.insert(vote.signer) {
                return Err(CertificateError::Duplicate(vote.signer));
            }
            if !vote.verify(network) {
                return Err(CertificateError::BadSignature(vote.signer));
            }
            // Distinct validators' powers add up to at most the whole set's, which is bounded.
            signed += validator.power;
        }
        Ok(Self { validators, signed })
    }

    fn quorum(self) -> Result<(), CertificateError> {
        if self.validators.is_quorum(self.signed) { Ok(()) } else { Err(self.too_little()) }
    }

    fn honest(self) -> Result<(), CertificateError> {
        if self.validators.has_honest(self.signed) { Ok(()) } else { Err(self.too_little()) }
    }

    const fn too_little(&self) -> CertificateError {
        CertificateError::TooLittlePower { signed: self.signed, total: self.validators.total_power() }
    }
}
