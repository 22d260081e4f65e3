//! The write-ahead log: what an engine must find again after a crash, to be the one it was.

use serde::{Deserialize, Serialize};

use super::{
    input::Verdict,
    message::{PolkaCertificate, Proposal, Vote},
    timer::Timer,
};
use crate::ids::{Hash, Height, MemberId};

/// One thing that moved the engine, or that it said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WalEntry {
    /// A vote, this member's own or another's.
    Vote(Vote),
    /// A proposal, this member's own or another's.
    Proposal(Proposal),
    /// A timer whose time was up.
    Timeout(Timer),
    /// A body with the verdict on it.
    Judged(JudgedBody),
    /// Proof of a quorum of prevotes.
    PolkaCertificate(PolkaCertificate),
}

/// A body with the verdict on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JudgedBody {
    /// Height of the body.
    pub height: Height,
    /// Round in which it was proposed.
    pub round: u32,
    /// The earlier round that its proposer referred to, if any.
    pub valid_round: Option<u32>,
    /// Who proposed it.
    pub proposer: MemberId,
    /// Its hash.
    pub body: Hash,
    /// The verdict.
    pub verdict: Verdict,
}

impl WalEntry {
    /// Longest encoding that is worth decoding, in bytes.
    pub const MAX_BYTES: usize = 24 * 1024;

    /// Height that it belongs to.
    pub const fn height(&self) -> Height {
        match self {
            Self::Vote(vote) => vote.height,
            Self::Proposal(proposal) => proposal.height,
            Self::Timeout(timer) => timer.height,
            Self::Judged(judged) => judged.height,
            Self::PolkaCertificate(certificate) => certificate.height,
        }
    }
}
