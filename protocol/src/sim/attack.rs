//! Attacks on learning: what a hostile member hands in instead of the update that it should.
//!
//! An attack is one word, as an aggregation rule is: `sign-flip`, `scaled:10`, `ipm:0.6`, `alie`, `noise:0.05`. [`craft`]
//! makes the hostile parameters of a [`View`]: what the attacker can see when it has to hand something in. No honest
//! part of a node knows of any of this; the simulator, the replays and the testnet's hostile nodes do.
//!
//! Formulas are in steps: an update minus the model that the round started from. `own` is the step that the attacker
//! would have made honestly, `mean` and `deviation` are over the honest steps that it has seen, coordinate by
//! coordinate. Publications speak of gradients, which point the other way, so their signs are turned here.

mod craft;
mod normal;
pub mod search;

use std::{fmt, str::FromStr};

pub use craft::{View, craft, little_is_enough_factor};

/// How a member lies about what it has learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attack {
    /// `sign-flip`: its own step, reversed. Li and others, "RSA: Byzantine-Robust Stochastic Aggregation Methods"
    /// (2019).
    SignFlip,
    /// `scaled:K`: `K` times its own step, so that it outweighs the others. The scaling of Bagdasaryan and others, "How To
    /// Backdoor Federated Learning" (2020), equation 3, without the backdoor.
    Scaled {
        /// How many times.
        factor: f64,
    },
    /// `label-flip`: an honest step on poisoned data, in which label `y` says `9 - y`. Biggio and others, "Poisoning
    /// Attacks against Support Vector Machines" (2012), brought the idea. Whoever trains has to flip the labels;
    /// [`craft`] hands the result in as it is.
    LabelFlip,
    /// `ipm:EPSILON`: `-EPSILON mean`, which turns the inner product of aggregate and honest mean negative. Xie, Koyejo
    /// and Gupta, "Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation" (2019), section 4.
    InnerProduct {
        /// How many times the honest mean, backwards.
        epsilon: f64,
    },
    /// `alie` or `alie:Z`: `mean - z deviation`, near enough to pass for honest. Without `Z` the factor follows from
    /// how many members there are and how many lie ([`little_is_enough_factor`]). Baruch, Baruch and Goldberg,
    /// "A Little Is Enough: Circumventing Defenses For Distributed Learning" (2019), algorithm 3.
    LittleIsEnough {
        /// How many deviations from the mean, if they are given.
        z: Option<f64>,
    },
    /// `mimic`: all liars send what the first honest member has sent, which makes it count more than the others.
    /// Karimireddy, He and Jaggi, "Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing" (2022), section 3.
    Mimic,
    /// `nan`: its own update, with a first parameter that is not a number.
    Nan,
    /// `zero`: a free rider that hands back the model as it is.
    Zero,
    /// `stale`: a free rider that does not train and hands in the step that the whole federation made last: the delta
    /// weights attack of Lin, Du and Liu, "Free-riders in Federated Learning: Attacks and Defenses" (2019). In the first
    /// round, when there is no such step, it hands back the model.
    Stale,
    /// `noise:SIGMA`: a free rider that hands back the model with Gaussian noise on each parameter, as in Fraboni, Vidal
    /// and Lorenzi, "Free-rider Attacks on Model Aggregation in Federated Learning" (2021), section 3.2.
    Noise {
        /// Standard deviation of the noise.
        sigma: f64,
    },
    /// `copied`: a free rider that hands in what another has sent, whichever it draws; the model, if it has seen nothing.
    Copied,
}

/// Why a word names no attack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttackError {
    /// No attack has this name and shape.
    #[error(
        "`{0}` is no attack; say sign-flip, scaled:K, label-flip, ipm:EPSILON, alie, alie:Z, mimic, nan, zero, stale, noise:SIGMA or copied"
    )]
    Unknown(String),
    /// Not a strength.
    #[error("`{0}` is not how strong an attack can be; give a number from 0.001 to 1000000, as in ipm:0.6")]
    Strength(String),
}

/// How strong an attack may be.
const STRENGTH: std::ops::RangeInclusive<f64> = 0.001..=1e6;

impl Attack {
    /// One of each kind, as strong as it is mostly shown.
    pub const ALL: [Self; 11] = [
        Self::SignFlip,
        Self::Scaled { factor: 10.0 },
        Self::LabelFlip,
        Self::InnerProduct { epsilon: 0.6 },
        Self::LittleIsEnough { z: None },
        Self::Mimic,
        Self::Nan,
        Self::Zero,
        Self::Stale,
        Self::Noise { sigma: 0.05 },
        Self::Copied,
    ];

    /// Whether it makes use of what honest members have sent, so that it pays to wait for that.
    pub const fn looks_at_others(self) -> bool {
        matches!(self, Self::InnerProduct { .. } | Self::LittleIsEnough { .. } | Self::Mimic | Self::Copied)
    }

    /// Whether it is there to save work, so that it never trains, whatever it has seen of others.
    pub const fn is_lazy(self) -> bool {
        matches!(self, Self::Zero | Self::Stale | Self::Noise { .. } | Self::Copied)
    }

    /// Whether it makes use of an update of its own, so that somebody has to train.
    pub const fn trains(self) -> bool {
        matches!(self, Self::SignFlip | Self::Scaled { .. } | Self::LabelFlip | Self::Nan)
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignFlip => f.write_str("sign-flip"),
            Self::Scaled { factor } => write!(f, "scaled:{factor}"),
            Self::LabelFlip => f.write_str("label-flip"),
            Self::InnerProduct { epsilon } => write!(f, "ipm:{epsilon}"),
            Self::LittleIsEnough { z: None } => f.write_str("alie"),
            Self::LittleIsEnough { z: Some(z) } => write!(f, "alie:{z}"),
            Self::Mimic => f.write_str("mimic"),
            Self::Nan => f.write_str("nan"),
            Self::Zero => f.write_str("zero"),
            Self::Stale => f.write_str("stale"),
            Self::Noise { sigma } => write!(f, "noise:{sigma}"),
            Self::Copied => f.write_str("copied"),
        }
    }
}

impl FromStr for Attack {
    type Err = AttackError;

    fn from_str(text: &str) -> Result<Self, AttackError> {
        let (name, number) = text.split_once(':').map_or((text, None), |(name, number)| (name, Some(number)));
        match (name, number) {
            ("sign-flip", None) => Ok(Self::SignFlip),
            ("scaled", Some(number)) => Ok(Self::Scaled { factor: strength(number)? }),
            ("label-flip", None) => Ok(Self::LabelFlip),
            ("ipm", Some(number)) => Ok(Self::InnerProduct { epsilon: strength(number)? }),
            ("alie", None) => Ok(Self::LittleIsEnough { z: None }),
            ("alie", Some(number)) => Ok(Self::LittleIsEnough { z: Some(strength(number)?) }),
            ("mimic", None) => Ok(Self::Mimic),
            ("nan", None) => Ok(Self::Nan),
            ("zero", None) => Ok(Self::Zero),
            ("stale", None) => Ok(Self::Stale),
            ("noise", Some(number)) => Ok(Self::Noise { sigma: strength(number)? }),
            ("copied", None) => Ok(Self::Copied),
            _ => Err(AttackError::Unknown(text.to_owned())),
        }
    }
}

fn strength(text: &str) -> Result<f64, AttackError> {
    let number = text.parse().ok().filter(|number| STRENGTH.contains(number));
    number.ok_or_else(|| AttackError::Strength(text.to_owned()))
}

#[cfg(test)]
mod tests;
