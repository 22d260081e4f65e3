//! The mechanisms by name, as a genesis and a command line say them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How winners and payments are found. Each is one word in a genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Mechanism {
    /// `critical`: the cheapest for their value win within the budget, and each is paid the highest price at which it
    /// would still have won (Singer, "Budget feasible mechanisms", FOCS 2010). Truthful.
    #[default]
    Critical,
    /// `vcg`: those win who leave the federation the largest surplus, and each is paid what its absence would cost
    /// (Vickrey 1961, Clarke 1971, Groves 1973). Truthful.
    Vcg,
    /// `first-price`: the same ranking, and each is paid what it asks (FMore; Zeng and others, ICDCS 2020). Not truthful.
    FirstPrice,
    /// `posted:PRICE`: whoever asks no more than a price for each unit of value is paid that price, as long as there are
    /// places and budget. Truthful.
    Posted {
        /// The price of a unit of value, in micro-credits.
        per_value: u64,
    },
    /// `fixed`: as `posted`, but every winner is paid the same, an equal part of the budget. Truthful.
    Fixed,
}

impl Mechanism {
    /// One of each, for tests and tables; the posted price is `per_value`.
    pub const fn all(per_value: u64) -> [Self; 5] {
        [Self::Critical, Self::Vcg, Self::FirstPrice, Self::Posted { per_value }, Self::Fixed]
    }

    /// Whether no bidder can gain by asking anything but its cost.
    pub const fn is_truthful(self) -> bool {
        !matches!(self, Self::FirstPrice)
    }
}

/// Why a word is no mechanism.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no market mechanism; say critical, vcg, first-price, fixed, or posted:PRICE as in posted:1200, in whole \
     micro-credits for a unit of value"
)]
pub struct UnknownMechanism(String);

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Critical => f.write_str("critical"),
            Self::Vcg => f.write_str("vcg"),
            Self::FirstPrice => f.write_str("first-price"),
            Self::Posted { per_value } => write!(f, "posted:{per_value}"),
            Self::Fixed => f.write_str("fixed"),
        }
    }
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, UnknownMechanism> {
        let posted = || {
            let digits = text.strip_prefix("posted:")?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        match text {
            "critical" => Ok(Self::Critical),
            "vcg" => Ok(Self::Vcg),
            "first-price" => Ok(Self::FirstPrice),
            "fixed" => Ok(Self::Fixed),
            _ => posted().map(|per_value| Self::Posted { per_value }).ok_or_else(|| UnknownMechanism(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Mechanism {
    type Error = UnknownMechanism;

    fn try_from(text: String) -> Result<Self, UnknownMechanism> {
        text.parse()
    }
}

impl From<Mechanism> for String {
    fn from(mechanism: Mechanism) -> Self {
        mechanism.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_is_one_word() {
        for mechanism in Mechanism::all(1_200) {
            let json = serde_json::to_string(&mechanism).unwrap();
            assert_eq!(json, format!("\"{mechanism}\""));
            assert_eq!(serde_json::from_str::<Mechanism>(&json).unwrap(), mechanism);
        }
        for word in ["", "second-price", "posted", "posted:", "posted:+1", "posted:1.5", "Critical"] {
            let error = word.parse::<Mechanism>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{word}` is no market mechanism; say critical")), "{error}");
        }
    }
}
