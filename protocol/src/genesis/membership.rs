//! Who may become a member after the genesis, and how many of them vote.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::MAX_MEMBERS;

/// Who may invite new members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Nobody: members are those of the genesis.
    #[default]
    Closed,
    /// Each member to whom the genesis gives a vote, as long as it is one. Whoever joins such a federation trusts them all
    /// with that.
    Founders,
}

impl Admission {
    /// Both.
    const ALL: [Self; 2] = [Self::Closed, Self::Founders];

    const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Founders => "founders",
        }
    }
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Admission {
    type Err = UnknownAdmission;

    fn from_str(text: &str) -> Result<Self, UnknownAdmission> {
        let known = Self::ALL.into_iter().find(|admission| admission.name() == text);
        known.ok_or_else(|| UnknownAdmission(text.to_owned()))
    }
}

/// Why a word does not say who may invite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say who may invite members; say closed for nobody, or founders for those of the genesis")]
pub struct UnknownAdmission(String);

/// How members come to the federation, and what part they have in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Who may invite them.
    #[serde(default)]
    pub admission: Admission,
    /// Members that vote at the most. All others train, appraise and are paid as they are. Agreement costs as many
    /// messages as there are voters, squared.
    #[serde(default = "everybody", skip_serializing_if = "is_everybody")]
    pub max_voters: u32,
    /// Rounds in a row that a voter may be away before it loses its vote, until it is seen again; 0 for any number.
    #[serde(default, skip_serializing_if = "is_never")]
    pub suspend_after: u32,
}

/// As many as there may be members.
const fn everybody() -> u32 {
    MAX_MEMBERS as u32
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_everybody(voters: &u32) -> bool {
    *voters == everybody()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_never(rounds: &u32) -> bool {
    *rounds == 0
}

impl Default for Membership {
    fn default() -> Self {
        Self { admission: Admission::default(), max_voters: everybody(), suspend_after: 0 }
    }
}

impl Membership {
    /// Whether it says no more than a genesis that does not mention it.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
