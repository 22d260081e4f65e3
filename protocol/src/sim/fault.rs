//! What goes wrong, as data.

use crate::{event::Phase, ids::Round, machine::Voice};

/// On which side of a write a member dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The write is lost, with everything after it.
    BeforeWrite,
    /// The write is durable; everything after it is lost.
    AfterWrite,
}

/// Something that goes wrong. Members are named by their place in the genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A member dies, and starts again.
    Crash {
        /// Who.
        member: usize,
        /// For how long, in milliseconds; `None` for ever.
        down_ms: Option<u64>,
    },
    /// A member dies at a write, and starts again.
    CrashAtWrite {
        /// Who.
        member: usize,
        /// Writes that it still finishes.
        writes: u32,
        /// On which side of the next.
        moment: Moment,
        /// For how long, in milliseconds.
        down_ms: u64,
    },
    /// The chair of a round dies as it enters a phase.
    CrashOfChair {
        /// Of which round.
        round: Round,
        /// Which phase.
        phase: Phase,
        /// For how long, in milliseconds; `None` for ever.
        down_ms: Option<u64>,
    },
    /// Everybody dies at once, and starts again one after the other.
    Blackout {
        /// For how long, in milliseconds.
        down_ms: u64,
    },
    /// Somebody copies a member's store, and the member goes on.
    Copy {
        /// Whose.
        member: usize,
    },
    /// A member dies with its store, and starts again from the last copy of it.
    Restore {
        /// Who.
        member: usize,
        /// For how long it is dead, in milliseconds.
        down_ms: u64,
        /// Whether it knows that it comes from a copy.
        voice: Voice,
    },
    /// What a member has stored of models and updates is damaged, which shows itself when it is needed.
    Rot {
        /// Whose.
        member: usize,
    },
    /// Members hear only those on their own side.
    Partition {
        /// The side of each member.
        sides: Vec<u8>,
    },
    /// All are on one side again.
    Heal,
}
