//! A published experiment as data: the cases that are compared, how each is measured, and what it is measured against.

use std::{fmt, num::NonZeroUsize};

use althing_node::learn::model::Architecture;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{
    corpus::Corpus,
    error::{Error, RunError},
};

/// A published experiment that can be replayed: the options that it was asked for with.
///
/// Whoever implements this says what is special about the experiment. Seeds, progress, resuming, the report and the
/// verdict are the same for all.
pub trait Replay {
    /// What is compared, and with what.
    ///
    /// # Errors
    /// [`Error`] if an option will not do.
    fn plan(&self) -> Result<Plan, Error>;

    /// Begins a run of the case at this place in the plan. Everything in it that is drawn comes from `seed`.
    ///
    /// # Errors
    /// [`Error`] if the data cannot be used as asked for.
    fn begin<'a>(&'a self, case: usize, corpus: &'a Corpus, seed: u64) -> Result<Box<dyn Run + 'a>, Error>;
}

/// One run of one case.
pub trait Run {
    /// Plays the next round and judges the model that it ends with. The result must not depend on `threads`.
    ///
    /// # Errors
    /// [`RunError`] if somebody could not train, a training diverged, or there is nothing to be judged by.
    fn advance(&mut self, threads: NonZeroUsize) -> Result<Point, RunError>;
}

/// A model that a round ended with, as the test set judges it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize)]
pub struct Point {
    /// The round, from 1.
    pub round: u64,
    /// Share of the test set that it names right, from 0 to 1.
    pub accuracy: f64,
    /// Mean cross-entropy on the test set.
    pub loss: f64,
    /// What the run has cost so far, in the unit of [`Plan::cost`]; `None` if the experiment counts no cost.
    pub cost: Option<f64>,
}

/// What a replay compares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The name that people give on the command line.
    pub name: &'static str,
    /// What is trained.
    pub architecture: Architecture,
    /// What all cases have in common.
    pub setting: Facts,
    /// What is measured.
    pub goal: Goal,
    /// What a run costs beside rounds, such as `epsilon`: the name of a column and of an axis. `None` if that is not
    /// the point.
    pub cost: Option<&'static str>,
    /// What is compared, in the order of the report.
    pub cases: Vec<Case>,
}

/// One of the things that are compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Case {
    /// A short name, unlike those of the other cases and without a comma.
    pub name: String,
    /// What is particular to it.
    pub facts: Facts,
    /// Rounds after which a run ends, whatever it has reached.
    pub rounds_max: u64,
    /// What its figure must be no worse than.
    pub bars: Vec<Bar>,
}

/// Something that a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bar {
    /// With what.
    pub against: Against,
    /// By how much the figure may be worse, in the figure's own unit.
    pub slack: f64,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Against {
    /// A published figure.
    Published(Figure),
    /// Our own figure for the case at this place.
    Case(usize),
}

/// What a run is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The number of the first round whose model is right on this share of the test set: the fewer, the better.
    RoundsTo(f64),
    /// The accuracy of the model after the last round: the higher, the better.
    FinalAccuracy,
}

/// A measured or published figure.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// A number of rounds.
    Rounds(u64),
    /// A share of the test set, from 0 to 1.
    Accuracy(f64),
}

/// Named facts, in the order in which people read them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts(Vec<(&'static str, Value)>);

impl Bar {
    /// The published figure, which ours must reach.
    pub const fn published(figure: Figure) -> Self {
        Self { against: Against::Published(figure), slack: 0.0 }
    }

    /// Whether `ours` is at most [`slack`](Self::slack) worse than `theirs`. What was not reached is not.
    pub fn holds(&self, goal: Goal, ours: Option<Figure>, theirs: Option<Figure>) -> bool {
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return false };
        match goal {
            Goal::RoundsTo(_) => ours.value() <= theirs.value() + self.slack,
            Goal::FinalAccuracy => ours.value() >= theirs.value() - self.slack,
        }
    }
}

impl Goal {
    /// Whether a run whose model has this accuracy may end.
    pub fn is_reached(self, accuracy: f64) -> bool {
        matches!(self, Self::RoundsTo(target) if accuracy >= target)
    }

    /// The figure of a run that went through these rounds.
    pub fn figure(self, points: &[Point]) -> Option<Figure> {
        match self {
            Self::RoundsTo(_) => {
                let there = points.iter().find(|point| self.is_reached(point.accuracy));
                there.map(|point| Figure::Rounds(point.round))
            }
            Self::FinalAccuracy => points.last().map(|point| Figure::Accuracy(point.accuracy)),
        }
    }

    /// The median of the figures of several runs; of an even number, the worse one in the middle.
    ///
    /// A run that did not get there is worse than all that did, so the median is `None` if half of them did not.
    pub fn median(self, mut figures: Vec<Option<Figure>>) -> Option<Figure> {
        figures.sort_by(|left, right| match (left, right) {
            (Some(left), Some(right)) => {
                let ascending = left.value().total_cmp(&right.value());
                if self == Self::FinalAccuracy { ascending.reverse() } else { ascending }
            }
            _ => right.is_some().cmp(&left.is_some()),
        });
        figures.get(figures.len() / 2).copied().flatten()
    }
}

impl Figure {
    /// A number of rounds, or a share from 0 to 1.
    pub const fn value(self) -> f64 {
        match self {
            Self::Rounds(rounds) => rounds as f64,
            Self::Accuracy(accuracy) => accuracy,
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounds(rounds) => f.write_str(&counted(*rounds, "round")),
            Self::Accuracy(accuracy) => write!(f, "{:.2} %", 100.0 * accuracy),
        }
    }
}

/// So many of something, in words.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

impl Facts {
    /// These facts and one more. The name is a field of `summary.json`: small letters, joined by underscores.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Facts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{} {value}", name.replace('_', " "))
        });
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Cases of these names without a bar.
    pub(in crate::replay) fn plan(names: &[&str]) -> Plan {
        let case =
            |name: &&str| Case { name: (*name).to_owned(), facts: Facts::default(), rounds_max: 9, bars: Vec::new() };
        Plan {
            name: "test",
            architecture: Architecture::TwoNn,
            setting: Facts::default().with("members", 100),
            goal: Goal::FinalAccuracy,
            cost: Some("epsilon"),
            cases: names.iter().map(case).collect(),
        }
    }

    #[test]
    fn the_median_counts_runs_that_did_not_get_there() {
        let rounds = |numbers: &[u64]| -> Vec<_> {
            numbers.iter().map(|&number| (number > 0).then_some(Figure::Rounds(number))).collect()
        };
        let goal = Goal::RoundsTo(0.97);
        assert_eq!(goal.median(rounds(&[90, 70, 80])), Some(Figure::Rounds(80)));
        assert_eq!(goal.median(rounds(&[90, 0, 80])), Some(Figure::Rounds(90)));
        assert_eq!(goal.median(rounds(&[0, 0, 80])), None);
        assert_eq!(goal.median(rounds(&[70, 80])), Some(Figure::Rounds(80)));
        let accuracies = [0.9, 0.8].map(|accuracy| Some(Figure::Accuracy(accuracy))).to_vec();
        assert_eq!(Goal::FinalAccuracy.median(accuracies), Some(Figure::Accuracy(0.8)));
        assert_eq!(goal.median(Vec::new()), None);
    }

    #[test]
    fn a_bar_holds_when_the_figure_is_no_worse_than_allowed() {
        let rounds = |number| Some(Figure::Rounds(number));
        let (goal, exact) = (Goal::RoundsTo(0.97), Bar::published(Figure::Rounds(87)));
        assert!(exact.holds(goal, rounds(87), rounds(87)) && !exact.holds(goal, rounds(88), rounds(87)));
        assert!(!exact.holds(goal, None, rounds(87)) && !exact.holds(goal, rounds(1), None));
        let accuracy = |share| Some(Figure::Accuracy(share));
        let close = Bar { slack: 0.02, ..exact };
        assert!(close.holds(Goal::FinalAccuracy, accuracy(0.961), accuracy(0.98)));
        assert!(!close.holds(Goal::FinalAccuracy, accuracy(0.959), accuracy(0.98)));
    }

    #[test]
    fn facts_are_words_for_people_and_fields_for_programs() {
        let facts = Facts::default().with("partition", "iid").with("learning_rate", 0.1).with("members", 100);
        assert_eq!(facts.to_string(), "partition iid, learning rate 0.1, members 100");
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(json, r#"{"partition":"iid","learning_rate":0.1,"members":100}"#);
        assert_eq!(
            (Figure::Rounds(1).to_string(), Figure::Rounds(2).to_string()),
            ("1 round".into(), "2 rounds".into())
        );
    }
}
