//! The grid: which runs there are, and what was published for which cell.

use std::{fmt, str::FromStr};

use althing_protocol::{
    aggregate::{Mixing, Rule, RuleError},
    sim::attack::{Attack, AttackError},
};

/// Members who do not lie.
pub(super) const HONEST: usize = 10;
/// Steps after which the published models were read.
pub(super) const STEPS: u32 = 800;
/// The letter that stands for the number of liars in a rule.
const LIARS_LETTER: char = 'f';

/// Which part of every member's data is drawn from all; the rest is sorted by label and dealt in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Similarity {
    /// Hundredths, from 0 to 100.
    pub percent: u8,
}

impl Similarity {
    /// From 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.percent) / 100.0
    }
}

impl fmt::Display for Similarity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}", self.share())
    }
}

impl FromStr for Similarity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        let percent = share.map(|share: f64| (share * 100.0).round() as u8);
        percent
            .map(|percent| Self { percent })
            .ok_or_else(|| "it must be a number from 0 to 1, such as 0.66".to_owned())
    }
}

/// How the liars of a run choose their lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Play {
    /// One attack, at one strength.
    Fixed(Attack),
    /// `ipm:best`: the inner product, at the strength that does most harm to the rule.
    BestInnerProduct,
    /// `alie:best`: as far from the mean, in deviations, as does most harm to the rule.
    BestLittle,
}

impl Play {
    /// The attack at this strength; a fixed one has its own.
    pub(super) const fn at(self, strength: f64) -> Attack {
        match self {
            Self::Fixed(attack) => attack,
            Self::BestInnerProduct => Attack::InnerProduct { epsilon: strength },
            Self::BestLittle => Attack::LittleIsEnough { z: Some(strength) },
        }
    }

    /// Whether its strength has to be searched for.
    pub(super) const fn searches(self) -> bool {
        !matches!(self, Self::Fixed(_))
    }
}

impl fmt::Display for Play {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(attack) => attack.fmt(f),
            Self::BestInnerProduct => f.write_str("ipm:best"),
            Self::BestLittle => f.write_str("alie:best"),
        }
    }
}

impl FromStr for Play {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ipm:best" => Ok(Self::BestInnerProduct),
            "alie:best" => Ok(Self::BestLittle),
            "label-flip" => Err("the liars here hold no data whose labels they could flip; choose another".to_owned()),
            _ => text.parse().map(Self::Fixed).map_err(|error: AttackError| format!("{error}, ipm:best or alie:best")),
        }
    }
}

/// A rule or a mixing in which the letter `f` may stand for the number of liars: `trimmed:f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern<T> {
    word: String,
    kind: std::marker::PhantomData<T>,
}

impl<T: FromStr<Err = RuleError>> Pattern<T> {
    /// What it means among so many liars.
    ///
    /// # Errors
    /// [`RuleError`] if it means nothing.
    pub(super) fn among(&self, liars: usize) -> Result<T, RuleError> {
        match self.word.split_once(':') {
            Some((name, number)) => format!("{name}:{}", number.replace(LIARS_LETTER, &liars.to_string())).parse(),
            None => self.word.parse(),
        }
    }
}

impl<T: FromStr<Err = RuleError>> FromStr for Pattern<T> {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let pattern = Self { word: text.to_owned(), kind: std::marker::PhantomData };
        pattern.among(1).map(|_| pattern)
    }
}

impl<T> fmt::Display for Pattern<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

/// One run of the grid.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// How alike the members' data are.
    pub similarity: Similarity,
    /// Members who lie, beside ten who do not.
    pub liars: usize,
    /// How they lie.
    pub play: Play,
    /// How updates become a model.
    pub rule: Rule,
    /// What is done to them before.
    pub mixing: Mixing,
    /// Everything random comes from here.
    pub seed: u64,
    /// Steps of training.
    pub steps: u32,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { similarity, liars, play, seed, .. } = self;
        write!(f, "similarity {similarity}, {liars} liar(s), {play}, seed {seed}")
    }
}

/// The published accuracy of the worst attack, if this is a published cell: the trimmed mean after nearest-neighbour
/// mixing, both told how many lie.
///
/// Read from the heat map in the documentation of ByzFL (González and others, "ByzFL: Research Framework for Robust
/// Federated Learning", 2025), which gives two decimals.
pub(super) fn published(run: &Run) -> Option<f64> {
    let liars = u32::try_from(run.liars).ok()?;
    let is_setting = run.rule == Rule::TrimmedMean { liars } && run.mixing == Mixing::Nearest { liars };
    if !is_setting || run.steps != STEPS {
        return None;
    }
    let row: [f64; 4] = match run.similarity.percent {
        100 => [0.98, 0.98, 0.98, 0.98],
        66 => [0.98, 0.97, 0.97, 0.97],
        33 => [0.98, 0.97, 0.94, 0.91],
        0 => [0.87, 0.61, 0.26, 0.21],
        _ => return None,
    };
    row.get(run.liars.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn run(similarity: &str, liars: usize, rule: &str) -> Run {
        Run {
            similarity: similarity.parse().unwrap(),
            liars,
            play: Play::BestLittle,
            rule: rule.parse::<Pattern<Rule>>().unwrap().among(liars).unwrap(),
            mixing: "nearest:f".parse::<Pattern<Mixing>>().unwrap().among(liars).unwrap(),
            seed: 1,
            steps: STEPS,
        }
    }

    #[test]
    fn published_figures_belong_to_exactly_their_setting() {
        assert_eq!(published(&run("0", 1, "trimmed:f")), Some(0.87));
        assert_eq!(published(&run("0.33", 4, "trimmed:f")), Some(0.91));
        for other in [run("0.5", 1, "trimmed:f"), run("0", 5, "trimmed:f"), run("0", 0, "trimmed:f")] {
            assert_eq!(published(&other), None);
        }
        assert_eq!(published(&run("0", 2, "trimmed:1")), None);
        assert_eq!(published(&run("0", 2, "median")), None);
        assert_eq!(published(&Run { steps: 100, ..run("0", 1, "trimmed:f") }), None);
    }

    #[test]
    fn a_letter_stands_for_the_number_of_liars() {
        let rule = |word: &str| word.parse::<Pattern<Rule>>();
        assert_eq!(rule("multi-krum:f").unwrap().among(3), Ok(Rule::MultiKrum { liars: 3 }));
        assert_eq!(rule("trimmed:2").unwrap().among(3), Ok(Rule::TrimmedMean { liars: 2 }));
        assert_eq!(rule("mean").unwrap().among(3), Ok(Rule::WeightedMean));
        assert!(rule("trimmed:g").is_err() && rule("f").is_err());
    }

    #[test]
    fn words_read_back() {
        for word in ["ipm:best", "alie:best", "sign-flip", "scaled:3"] {
            assert_eq!(word.parse::<Play>().unwrap().to_string(), word);
        }
        assert!("label-flip".parse::<Play>().unwrap_err().contains("no data"));
        assert!("best".parse::<Play>().unwrap_err().contains("ipm:best"));
        for (word, percent) in [("1", 100), ("0.66", 66), ("0", 0), ("0.005", 1)] {
            assert_eq!(word.parse::<Similarity>().unwrap().percent, percent);
        }
        assert!("1.1".parse::<Similarity>().is_err() && "nan".parse::<Similarity>().is_err());
    }
}
