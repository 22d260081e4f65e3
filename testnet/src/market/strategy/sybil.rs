//! One member under several names.

use serde::{Deserialize, Serialize};

/// Names that a member may have at the most.
const IDENTITIES_MOST: u64 = 1_000;

/// Each name has an equal part of the member's examples, bids the truth for it and is paid by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Sybil {
    /// Names of each member.
    pub(in crate::market) identities: u64,
}

impl Default for Sybil {
    fn default() -> Self {
        Self { identities: 10 }
    }
}

impl Sybil {
    pub(super) fn check(&self) -> Result<(), String> {
        let holds = (1..=IDENTITIES_MOST).contains(&self.identities);
        holds.then_some(()).ok_or_else(|| format!("sybil.identities must be from 1 to {IDENTITIES_MOST}"))
    }
}
