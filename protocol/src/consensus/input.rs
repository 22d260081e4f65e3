//! What happens to an engine.

use serde::{Deserialize, Serialize};

use super::{certificate::Certificate, message::Message, timer::Timer};
use crate::ids::{Hash, Height, MemberId};

/// What the application makes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// It follows from the ledger and the evidence it carries.
    Valid,
    /// It does not.
    Invalid,
}

/// Something that happened.
///
/// Inputs of a height that is not being decided are ignored, except messages, whose height tells who is ahead or
/// behind. So late answers need no care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A peer sent this. Nothing in it has been verified.
    Message(Message),
    /// The body that [`Effect::Build`](super::Effect::Build) asked for is built, stored and published.
    Built {
        /// Height it was asked for.
        height: Height,
        /// Round it was asked for.
        round: u32,
        /// Its hash.
        body: Hash,
    },
    /// A complete body has arrived and was judged. A body may be judged again, from `Invalid` to `Valid` only.
    Judged {
        /// Height of the body.
        height: Height,
        /// Round in which it was first proposed.
        round: u32,
        /// Round of the prevotes that its proposer referred to, if it was proposed again.
        valid_round: Option<u32>,
        /// Who proposed it.
        proposer: MemberId,
        /// Its hash.
        body: Hash,
        /// The verdict.
        verdict: Verdict,
    },
    /// A peer sent this proof that the current height is decided. The caller has the body.
    Synced {
        /// The proof. Nothing in it has been verified.
        certificate: Certificate,
    },
    /// The time of a timer is up.
    TimerFired(Timer),
}
