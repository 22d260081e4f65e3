//! Which rule a federation aggregates by, as one word: `mean`, `median`, `trimmed:1`, `multi-krum:1`,
//! `centred-clipping:2.5`; and what is done before it: `none`, `nearest:1` or `aligned:1`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the updates of a round become one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rule {
    /// `mean`: the mean, weighted by the examples that members claim. One liar suffices to spoil it.
    #[default]
    WeightedMean,
    /// `median`: of each coordinate; for an even number of updates the mean of the middle two.
    Median,
    /// `trimmed:F`: of each coordinate, the mean of what is left without the lowest and the highest.
    TrimmedMean {
        /// Values left out on each side, so the liars that it bears.
        liars: u32,
    },
    /// `multi-krum:F`: the mean of all but `F` updates, those that lie farthest from their neighbours.
    ///
    /// An update's score is the sum of its squared distances to the `n - F - 2` updates nearest to it. Of two equal
    /// scores the one that comes first, by member, is the better.
    MultiKrum {
        /// Updates left out, so the liars that it bears.
        liars: u32,
    },
    /// `centred-clipping:TAU`: from the round's first model, three steps of the mean of the updates' differences to
    /// the centre, each shortened to `TAU` where it is longer. One liar adds at most `TAU / n` to a step.
    CentredClipping {
        /// Longest difference that counts in full (Euclidean norm over all parameters).
        radius: Radius,
    },
}

/// What is done to updates before the rule sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Mixing {
    /// `none`: nothing.
    #[default]
    None,
    /// `nearest:F`: each update is replaced by the mean of the `n - F` updates nearest to it, itself included. It
    /// brings members with different data together, so that a rule can tell them from liars.
    Nearest {
        /// Updates left out of each mean, so the liars that it bears.
        liars: u32,
    },
    /// `aligned:F`: each update is replaced by the mean of the `n - F` updates whose steps from the round's first model
    /// point most nearly as its own does, itself included; steps longer than the median one are shortened to it first.
    /// It finds out those who hide near the first model, whom `nearest:F` takes for anybody's neighbours.
    Aligned {
        /// Updates left out of each mean, so the liars that it bears.
        liars: u32,
    },
}

/// A length in thousandths, so that every member reads the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Radius {
    /// The length, times a thousand.
    pub thousandths: u32,
}

/// Why words name no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No rule has this name and shape.
    #[error("`{0}` is no rule; say mean, median, trimmed:F, multi-krum:F or centred-clipping:TAU")]
    UnknownRule(String),
    /// No mixing has this name and shape.
    #[error("`{0}` is no mixing; say none, nearest:F or aligned:F")]
    UnknownMixing(String),
    /// Not the number of members that may lie.
    #[error("`{0}` is not a number of members that may lie; say how many, 1 or more, as in trimmed:1")]
    Liars(String),
    /// Not a length.
    #[error("`{0}` is not a length; give it with at most three decimals and below 4294967, as in centred-clipping:2.5")]
    Radius(String),
}

impl Rule {
    /// Fewest updates among which it bears as many liars as it says. `None` if its number is zero and says nothing.
    pub fn least_updates(self) -> Option<u64> {
        match self {
            Self::WeightedMean | Self::Median => Some(1),
            Self::TrimmedMean { liars } => least(liars, 1),
            Self::MultiKrum { liars } => least(liars, 3),
            Self::CentredClipping { radius } => (radius.thousandths > 0).then_some(1),
        }
    }
}

impl Mixing {
    /// Fewest updates among which it bears as many liars as it says. `None` if its number is zero and says nothing.
    pub fn least_updates(self) -> Option<u64> {
        match self {
            Self::None => Some(1),
            Self::Nearest { liars } | Self::Aligned { liars } => least(liars, 1),
        }
    }
}

fn least(liars: u32, more: u64) -> Option<u64> {
    (liars > 0).then(|| 2 * u64::from(liars) + more)
}

impl Radius {
    /// As a number; the quotient is rounded once.
    pub fn get(self) -> f64 {
        f64::from(self.thousandths) / 1e3
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WeightedMean => f.write_str("mean"),
            Self::Median => f.write_str("median"),
            Self::TrimmedMean { liars } => write!(f, "trimmed:{liars}"),
            Self::MultiKrum { liars } => write!(f, "multi-krum:{liars}"),
            Self::CentredClipping { radius } => write!(f, "centred-clipping:{radius}"),
        }
    }
}

impl fmt::Display for Mixing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Nearest { liars } => write!(f, "nearest:{liars}"),
            Self::Aligned { liars } => write!(f, "aligned:{liars}"),
        }
    }
}

impl fmt::Display for Radius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1_000, self.thousandths % 1_000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{rest:03}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.split_once(':') {
            None if text == "mean" => Ok(Self::WeightedMean),
            None if text == "median" => Ok(Self::Median),
            Some(("trimmed", number)) => Ok(Self::TrimmedMean { liars: liars(number)? }),
            Some(("multi-krum", number)) => Ok(Self::MultiKrum { liars: liars(number)? }),
            Some(("centred-clipping", length)) => Ok(Self::CentredClipping { radius: length.parse()? }),
            _ => Err(RuleError::UnknownRule(text.to_owned())),
        }
    }
}

impl FromStr for Mixing {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        match text.split_once(':') {
            None if text == "none" => Ok(Self::None),
            Some(("nearest", number)) => Ok(Self::Nearest { liars: liars(number)? }),
            Some(("aligned", number)) => Ok(Self::Aligned { liars: liars(number)? }),
            _ => Err(RuleError::UnknownMixing(text.to_owned())),
        }
    }
}

impl FromStr for Radius {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let parsed = (decimals.len() <= 3).then(|| digits(&format!("{whole}{decimals:0<3}"))).flatten();
        match parsed {
            Some(thousandths) if !whole.is_empty() && !decimals.is_empty() => Ok(Self { thousandths }),
            _ => Err(RuleError::Radius(text.to_owned())),
        }
    }
}

fn liars(text: &str) -> Result<u32, RuleError> {
    digits(text).ok_or_else(|| RuleError::Liars(text.to_owned()))
}

/// A number without a sign, which the standard parser would take.
fn digits(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for Mixing {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Mixing> for String {
    fn from(mixing: Mixing) -> Self {
        mixing.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_one_word() {
        for word in ["mean", "median", "trimmed:1", "multi-krum:12", "centred-clipping:2.5", "centred-clipping:0.001"] {
            let rule: Rule = word.parse().unwrap();
            assert_eq!(rule.to_string(), word);
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(json, format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Rule>(&json).unwrap(), rule);
        }
        for word in ["none", "nearest:3"] {
            assert_eq!(word.parse::<Mixing>().unwrap().to_string(), word);
        }
        assert_eq!("centred-clipping:10.50".parse::<Rule>().unwrap().to_string(), "centred-clipping:10.5");
    }

    #[test]
    fn other_words_are_refused_with_words() {
        for (word, wanted) in [
            ("", "say mean"),
            ("mean:1", "say mean"),
            ("median:", "say mean"),
            ("trimmed", "say mean"),
            ("krum:1", "say mean"),
            ("trimmed:", "how many"),
            ("trimmed:+1", "how many"),
            ("multi-krum:-1", "how many"),
            ("multi-krum:4294967296", "how many"),
            ("centred-clipping:", "three decimals"),
            ("centred-clipping:.5", "three decimals"),
            ("centred-clipping:1.", "three decimals"),
            ("centred-clipping:1.2345", "three decimals"),
            ("centred-clipping:1e3", "three decimals"),
            ("centred-clipping:nan", "three decimals"),
            ("centred-clipping:4294968", "three decimals"),
        ] {
            let error = word.parse::<Rule>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{word}: {error}");
        }
        assert!("nearest".parse::<Mixing>().unwrap_err().to_string().contains("say none, nearest:F or aligned:F"));
    }

    #[test]
    fn promises_need_updates() {
        let least = |word: &str| word.parse::<Rule>().unwrap().least_updates();
        assert_eq!(least("mean"), Some(1));
        assert_eq!(least("trimmed:2"), Some(5));
        assert_eq!(least("multi-krum:2"), Some(7));
        assert_eq!(least("trimmed:0"), None);
        assert_eq!(least("centred-clipping:0"), None);
        assert_eq!("nearest:4294967295".parse::<Mixing>().unwrap().least_updates(), Some(8_589_934_591));
    }
}
