//! How models travel in a federation, as the genesis says it: who exchanges with whom, and whom a member believes.
//!
//! Each choice is one word: `elected` or `epidemic:3`; `all` or `balance:0.5:1:100`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    aggregate::{Radius, RuleError},
    genesis::Bounds,
    update::Codec,
};

/// Members to which one sends its model in a step, at the most: beyond it gossip learns little and pays much.
pub const MAX_FANOUT: u32 = 16;

/// Members to which one sends where the genesis does not say: members of an elected federation that go on while its
/// ledger is halted.
const FANOUT_WHEN_HALTED: u32 = 3;

/// Steps over which the acceptance rule tightens, at the most.
const MAX_HORIZON: u32 = 1_000_000;

/// How models travel. The defaults are those of an elected federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exchange {
    /// What the bytes of updates are, in elected rounds. Steps exchange whole models as they are.
    pub codec: Codec,
    /// Who exchanges with whom.
    pub topology: Topology,
    /// Which models of others a member averages with; of no effect on elected rounds, which have a rule of their own.
    pub acceptance: Acceptance,
    /// How long a step listens for models of others after the member has sent its own.
    pub listen: Bounds,
    /// How long an elected federation decides nothing until its ledger counts as halted, in milliseconds.
    pub halted_after_ms: u64,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            codec: Codec::F32,
            topology: Topology::Elected,
            acceptance: Acceptance::All,
            listen: Bounds { min_ms: 100, max_ms: 10_000 },
            halted_after_ms: 30_000,
        }
    }
}

/// Who exchanges models with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Topology {
    /// `elected`: in rounds, each with an elected aggregator, whose result everybody verifies and pays for.
    #[default]
    Elected,
    /// `epidemic:S`: in steps of each member's own, each of which sends its model to `S` random members and averages
    /// with what came (Epidemic Learning, EL-Local; De Vos and others, NeurIPS 2023).
    Epidemic {
        /// Members to which one sends in a step.
        fanout: u32,
    },
}

/// Which models of others a member averages with its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Acceptance {
    /// `all`: every sound one.
    #[default]
    All,
    /// `balance:GAMMA:KAPPA:STEPS`: those that lie no farther from the member's own model than
    /// `GAMMA * exp(-KAPPA * t / STEPS)` times its norm, `t` being the member's step, `STEPS` at the most (BALANCE,
    /// equation 3; Fang and others, CCS 2024). A liar moves nobody farther than that, and less the longer all learn.
    Balance {
        /// Share of the own norm that another model may lie away at the start, times a thousand.
        gamma_permille: u32,
        /// How much the share shrinks, times a thousand: by `exp(-KAPPA)` in all.
        kappa_permille: u32,
        /// Steps until it has.
        horizon: u32,
    },
}

/// Why words say nothing about the exchange.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No topology has this name and shape.
    #[error("`{0}` is no topology; say elected, or epidemic:S with S from 1 to {MAX_FANOUT} members to send to")]
    Topology(String),
    /// No acceptance rule has this name and shape.
    #[error(
        "`{0}` is no acceptance; say all, or balance:GAMMA:KAPPA:STEPS as in balance:0.5:1:100, decimals at most three"
    )]
    Acceptance(String),
}

impl Topology {
    /// Members to which one sends in a step.
    pub const fn fanout(self) -> usize {
        match self {
            Self::Elected => FANOUT_WHEN_HALTED as usize,
            Self::Epidemic { fanout } => fanout as usize,
        }
    }

    /// Models that a member holds for one step, at the most. So many come by chance less than once in a million steps
    /// where everybody sends to [`fanout`](Self::fanout) members (a Poisson tail), so it bounds nobody but liars.
    pub const fn most_received(self) -> usize {
        2 * self.fanout() + 8
    }
}

impl Acceptance {
    /// How far another model may lie from an own one of this Euclidean `norm` in step `t`; `None` for any distance.
    pub fn radius(self, norm: f64, t: u64) -> Option<f64> {
        let Self::Balance { gamma_permille, kappa_permille, horizon } = self else { return None };
        let [gamma, kappa] = [gamma_permille, kappa_permille].map(|permille| f64::from(permille) / 1e3);
        let progress = t.min(u64::from(horizon)) as f64 / f64::from(horizon.max(1));
        Some(gamma * (-kappa * progress).exp() * norm)
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elected => f.write_str("elected"),
            Self::Epidemic { fanout } => write!(f, "epidemic:{fanout}"),
        }
    }
}

impl fmt::Display for Acceptance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::All => f.write_str("all"),
            Self::Balance { gamma_permille, kappa_permille, horizon } => {
                let [gamma, kappa] = [gamma_permille, kappa_permille].map(|thousandths| Radius { thousandths });
                write!(f, "balance:{gamma}:{kappa}:{horizon}")
            }
        }
    }
}

impl FromStr for Topology {
    type Err = ExchangeError;

    fn from_str(text: &str) -> Result<Self, ExchangeError> {
        let wrong = || ExchangeError::Topology(text.to_owned());
        match text.split_once(':') {
            None if text == "elected" => Ok(Self::Elected),
            Some(("epidemic", number)) => {
                let fanout = whole(number).filter(|fanout| (1..=MAX_FANOUT).contains(fanout)).ok_or_else(wrong)?;
                Ok(Self::Epidemic { fanout })
            }
            _ => Err(wrong()),
        }
    }
}

impl FromStr for Acceptance {
    type Err = ExchangeError;

    fn from_str(text: &str) -> Result<Self, ExchangeError> {
        let wrong = || ExchangeError::Acceptance(text.to_owned());
        if text == "all" {
            return Ok(Self::All);
        }
        let parts: Vec<&str> = text.split(':').collect();
        let ["balance", gamma, kappa, horizon] = parts[..] else { return Err(wrong()) };
        let thousandths = |part: &str| part.parse().map(|Radius { thousandths }| thousandths);
        let read = || -> Result<_, RuleError> { Ok((thousandths(gamma)?, thousandths(kappa)?)) };
        let (gamma_permille, kappa_permille) = read().map_err(|_| wrong())?;
        let horizon = whole(horizon).filter(|steps| (1..=MAX_HORIZON).contains(steps)).ok_or_else(wrong)?;
        // A share of nothing accepts nobody, and its federation would be so many loners.
        if gamma_permille == 0 { Err(wrong()) } else { Ok(Self::Balance { gamma_permille, kappa_permille, horizon }) }
    }
}

/// A number without a sign, which the standard parser would take.
fn whole(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl TryFrom<String> for Topology {
    type Error = ExchangeError;

    fn try_from(text: String) -> Result<Self, ExchangeError> {
        text.parse()
    }
}

impl From<Topology> for String {
    fn from(topology: Topology) -> Self {
        topology.to_string()
    }
}

impl TryFrom<String> for Acceptance {
    type Error = ExchangeError;

    fn try_from(text: String) -> Result<Self, ExchangeError> {
        text.parse()
    }
}

impl From<Acceptance> for String {
    fn from(acceptance: Acceptance) -> Self {
        acceptance.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_is_one_word() {
        for word in ["elected", "epidemic:1", "epidemic:16"] {
            assert_eq!(word.parse::<Topology>().unwrap().to_string(), word);
        }
        for word in ["", "epidemic", "epidemic:", "epidemic:0", "epidemic:17", "epidemic:+3", "elected:1", "gossip:3"] {
            let error = word.parse::<Topology>().unwrap_err().to_string();
            assert!(error.contains("from 1 to 16"), "{word}: {error}");
        }
    }

    #[test]
    fn an_acceptance_is_one_word() {
        for word in ["all", "balance:0.5:1:100", "balance:1.25:0:1", "balance:0.001:0.3:1000000"] {
            let acceptance: Acceptance = word.parse().unwrap();
            assert_eq!(acceptance.to_string(), word);
            assert_eq!(serde_json::to_string(&acceptance).unwrap(), format!("\"{word}\""));
        }
        for word in [
            "",
            "any",
            "all:1",
            "balance",
            "balance:0.5:1",
            "balance:0:1:100",
            "balance:0.0005:1:100",
            "balance:-1:1:100",
            "balance:0.5:1:0",
            "balance:0.5:1:1000001",
            "balance:0.5:1:1:1",
        ] {
            let error = word.parse::<Acceptance>().unwrap_err().to_string();
            assert!(error.contains("as in balance:0.5:1:100"), "{word}: {error}");
        }
    }

    #[test]
    fn the_radius_shrinks_to_the_horizon_and_no_further() {
        let balance: Acceptance = "balance:0.5:2:10".parse().unwrap();
        let radius = |t| balance.radius(4.0, t).unwrap();
        assert_eq!(radius(0), 2.0);
        assert!((radius(5) - 2.0 * (-1.0_f64).exp()).abs() < 1e-12);
        assert!((radius(10) - 2.0 * (-2.0_f64).exp()).abs() < 1e-12);
        assert_eq!(radius(10), radius(u64::MAX));
        assert_eq!(Acceptance::All.radius(4.0, 3), None);
    }
}
