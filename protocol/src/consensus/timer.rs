//! Timers and how long they run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Height;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TimerKind {
    /// How long the proposer has, until its body is here and judged.
    Propose,
    /// How long late prevotes are waited for, once a quorum has prevoted without agreeing.
    Prevote,
    /// How long late precommits are waited for, once a quorum has precommitted without agreeing.
    Precommit,
    /// When to say everything of this round again.
    Rebroadcast,
}

/// A timer: a value that the caller hands back when its time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timer {
    /// Height that it belongs to. Rounds start again at every height, so a late timer must not be taken for a new one.
    pub height: Height,
    /// Round that it belongs to.
    pub round: u32,
    /// What it is for.
    pub kind: TimerKind,
}

/// How long validators wait, in milliseconds.
///
/// Members may differ in these: agreement never depends on them, only how soon it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// For the proposer's body: building, carrying and judging it must fit.
    pub propose_ms: u64,
    /// For late prevotes.
    pub prevote_ms: u64,
    /// For late precommits.
    pub precommit_ms: u64,
    /// Between repetitions. This one does not grow.
    pub rebroadcast_ms: u64,
    /// By how much the first three grow with each round, so that some round is long enough for a slow network.
    pub per_round_ms: u64,
    /// Where that growth ends.
    pub max_ms: u64,
}

impl Default for Timeouts {
    /// For members on a home network whose bodies take seconds to recompute.
    fn default() -> Self {
        Self {
            propose_ms: 10_000,
            prevote_ms: 1_000,
            precommit_ms: 1_000,
            rebroadcast_ms: 3_000,
            per_round_ms: 1_000,
            max_ms: 120_000,
        }
    }
}

impl Timeouts {
    /// How long a timer of this kind runs in `round`.
    pub fn duration(&self, kind: TimerKind, round: u32) -> Duration {
        let grown =
            |base: u64| base.saturating_add(self.per_round_ms.saturating_mul(u64::from(round))).min(self.max_ms);
        Duration::from_millis(match kind {
            TimerKind::Propose => grown(self.propose_ms),
            TimerKind::Prevote => grown(self.prevote_ms),
            TimerKind::Precommit => grown(self.precommit_ms),
            TimerKind::Rebroadcast => self.rebroadcast_ms,
        })
    }
}
