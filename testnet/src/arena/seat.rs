//! The questions of a node that contestants answer.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One of an agent's questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seat {
    /// The bidder's: which contract, at what margin.
    Bidder,
    /// The selector's: how many, and whom to favour.
    Selector,
    /// The guardian's before a bid: how hard the machine may work.
    Guardian,
    /// The guardian's after a win: how fast to spend the privacy budget.
    Pace,
}

impl Seat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bidder, Self::Selector, Self::Guardian, Self::Pace];

    /// Its name in options, reports and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bidder => "bidder",
            Self::Selector => "selector",
            Self::Guardian => "guardian",
            Self::Pace => "pace",
        }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Seat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|seat| seat.name() == text).ok_or_else(|| format!("give one of {names}"))
    }
}
