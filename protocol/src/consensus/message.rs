//! What validators say to each other.
//!
//! A signature stands over the packed CBOR of the statement alone: its kind, height, round and body. The signer is
//! bound by its key and the network by the domain, see [`crate::crypto`].

use serde::{Deserialize, Serialize};

use super::validators::ValidatorSet;
use crate::{
    codec::{self, DecodeError},
    crypto::{self, Domain, Keypair},
    ids::{Hash, Height, MemberId, NetworkId, Signature},
};

/// Stands where a signature will.
pub const UNSIGNED: Signature = Signature([0; 64]);

/// The two votes of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VoteKind {
    /// "This is what I would decide."
    Prevote,
    /// "A quorum would decide this, and so will I."
    Precommit,
}

/// A validator's vote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// Which of the two votes.
    pub kind: VoteKind,
    /// Height that is being decided.
    pub height: Height,
    /// Round of that height, from 0.
    pub round: u32,
    /// The body voted for; nothing means "none in this round".
    pub body: Option<Hash>,
    /// Who votes.
    pub signer: MemberId,
    /// Its signature.
    pub signature: Signature,
}

/// A proposer's offer of a body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proposal {
    /// Height that is being decided.
    pub height: Height,
    /// Round of that height, from 0.
    pub round: u32,
    /// The body offered.
    pub body: Hash,
    /// The earlier round in which a quorum prevoted for this very body, if the proposer offers it again.
    pub valid_round: Option<u32>,
    /// The proposer.
    pub signer: MemberId,
    /// Its signature.
    pub signature: Signature,
}

/// Proof that a quorum prevoted for a body: it lets members who missed the votes accept the body again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolkaCertificate {
    /// Height of the prevotes.
    pub height: Height,
    /// Round of the prevotes.
    pub round: u32,
    /// The body they are for.
    pub body: Hash,
    /// Who prevoted, each with its signature over the prevote.
    pub signatures: Vec<(MemberId, Signature)>,
}

/// Proof that it is time for a round: it brings along members who were left behind in an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RoundCertificate {
    /// A quorum precommitted in `round`, so the next one may begin.
    Ended {
        /// Height of the votes.
        height: Height,
        /// Round of the votes.
        round: u32,
        /// One precommit of each.
        votes: Vec<RoundVote>,
    },
    /// Members who cannot all be dishonest are voting in `round` already.
    Begun {
        /// Height of the votes.
        height: Height,
        /// Round of the votes.
        round: u32,
        /// One vote of each.
        votes: Vec<RoundVote>,
    },
}

/// A vote within a [`RoundCertificate`], which names its height and round.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RoundVote {
    /// Which of the two votes.
    pub kind: VoteKind,
    /// The body voted for, if any.
    pub body: Option<Hash>,
    /// Who voted.
    pub signer: MemberId,
    /// Its signature.
    pub signature: Signature,
}

/// Everything that validators publish.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Message {
    /// A vote.
    Vote(Vote),
    /// A proposal.
    Proposal(Proposal),
    /// Proof of a quorum of prevotes.
    PolkaCertificate(PolkaCertificate),
    /// Proof that a round may begin.
    RoundCertificate(RoundCertificate),
}

/// What a vote's signature stands over.
#[derive(Serialize)]
struct VoteStatement<'a> {
    kind: VoteKind,
    height: Height,
    round: u32,
    body: &'a Option<Hash>,
}

/// What a proposal's signature stands over.
#[derive(Serialize)]
struct ProposalStatement<'a> {
    height: Height,
    round: u32,
    body: &'a Hash,
    valid_round: Option<u32>,
}

impl Vote {
    /// The same vote, signed by `keypair`'s member.
    pub fn signed(mut self, keypair: &Keypair, network: &NetworkId) -> Self {
        self.signer = keypair.id();
        self.signature = keypair.sign(Domain::Vote, network, &self.statement());
        self
    }

    /// Whether the signature is the signer's, in `network`.
    pub fn verify(&self, network: &NetworkId) -> bool {
        crypto::verify(&self.signer, Domain::Vote, network, &self.statement(), &self.signature)
    }

    /// The bytes that are signed.
    pub(super) fn statement(&self) -> Vec<u8> {
        let Self { kind, height, round, body, .. } = self;
        codec::encode(&VoteStatement { kind: *kind, height: *height, round: *round, body })
    }
}

impl Proposal {
    /// The same proposal, signed by `keypair`'s member.
    pub fn signed(mut self, keypair: &Keypair, network: &NetworkId) -> Self {
        self.signer = keypair.id();
        self.signature = keypair.sign(Domain::Proposal, network, &self.statement());
        self
    }

    /// Whether the signature is the signer's, in `network`.
    pub fn verify(&self, network: &NetworkId) -> bool {
        crypto::verify(&self.signer, Domain::Proposal, network, &self.statement(), &self.signature)
    }

    /// The bytes that are signed.
    pub(super) fn statement(&self) -> Vec<u8> {
        let Self { height, round, body, valid_round, .. } = self;
        codec::encode(&ProposalStatement { height: *height, round: *round, body, valid_round: *valid_round })
    }
}

impl PolkaCertificate {
    /// The prevotes that it is made of.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        self.signatures.iter().map(|&(signer, signature)| Vote {
            kind: VoteKind::Prevote,
            height: self.height,
            round: self.round,
            body: Some(self.body),
            signer,
            signature,
        })
    }
}

impl RoundCertificate {
    /// Height and round of the votes.
    pub const fn slot(&self) -> (Height, u32) {
        match self {
            Self::Ended { height, round, .. } | Self::Begun { height, round, .. } => (*height, *round),
        }
    }

    /// The votes that it is made of, as they are carried.
    pub fn entries(&self) -> &[RoundVote] {
        match self {
            Self::Ended { votes, .. } | Self::Begun { votes, .. } => votes,
        }
    }

    /// The votes that it is made of, complete.
    pub fn votes(&self) -> impl Iterator<Item = Vote> + '_ {
        let (height, round) = self.slot();
        self.entries().iter().map(move |&RoundVote { kind, body, signer, signature }| Vote {
            kind,
            height,
            round,
            body,
            signer,
            signature,
        })
    }
}

impl Message {
    /// Longest encoding that is worth decoding, in bytes: a certificate of the largest set fits.
    pub const MAX_BYTES: usize = 24 * 1024;

    /// The message in its wire form.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The message that `bytes` hold. Nothing in it is verified yet: that is the engine's work.
    ///
    /// # Errors
    /// [`DecodeError`] if they are too many or no message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, Self::MAX_BYTES)
    }

    /// Height that it is about.
    pub const fn height(&self) -> Height {
        match self {
            Self::Vote(vote) => vote.height,
            Self::Proposal(proposal) => proposal.height,
            Self::PolkaCertificate(certificate) => certificate.height,
            Self::RoundCertificate(certificate) => certificate.slot().0,
        }
    }

    /// Round that it is about.
    pub const fn round(&self) -> u32 {
        match self {
            Self::Vote(vote) => vote.round,
            Self::Proposal(proposal) => proposal.round,
            Self::PolkaCertificate(certificate) => certificate.round,
            Self::RoundCertificate(certificate) => certificate.slot().1,
        }
    }

    /// Who says it. Certificates are the words of many, so they have no signer.
    pub const fn signer(&self) -> Option<MemberId> {
        match self {
            Self::Vote(vote) => Some(vote.signer),
            Self::Proposal(proposal) => Some(proposal.signer),
            Self::PolkaCertificate(_) | Self::RoundCertificate(_) => None,
        }
    }

    /// Whether every signature in it is good, every signer has a seat in `validators`, and a certificate proves what it
    /// claims.
    pub fn verify(&self, network: &NetworkId, validators: &ValidatorSet) -> bool {
        match self {
            Self::Vote(_) | Self::Proposal(_) => self.is_authentic(network, validators),
            Self::PolkaCertificate(proof) => proof.verify(network, validators).is_ok(),
            Self::RoundCertificate(proof) => proof.verify(network, validators).is_ok(),
        }
    }

    /// Whether it has one signer with a seat in `validators` whose signature is good.
    pub(super) fn is_authentic(&self, network: &NetworkId, validators: &ValidatorSet) -> bool {
        match self {
            Self::Vote(vote) => validators.contains(&vote.signer) && vote.verify(network),
            Self::Proposal(proposal) => validators.contains(&proposal.signer) && proposal.verify(network),
            Self::PolkaCertificate(_) | Self::RoundCertificate(_) => false,
        }
    }
}
