//! Published experiments as data: who trains what, how, and what came of it.

use althing_node::learn::{model::Architecture, partition::Partition, train::Hyper};
use serde::Serialize;

/// An experiment that is replayed.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The name that people give on the command line.
    pub name: &'static str,
    /// What is trained.
    pub architecture: Architecture,
    /// Members among whom the training set is divided.
    pub members: usize,
    /// Members who train in a round.
    pub participants: usize,
    /// How the training set is divided.
    pub partition: Partition,
    /// How each member trains in a round.
    pub hyper: Hyper,
    /// Rounds after which a run ends, whatever it has reached.
    pub rounds_max: u64,
    /// What is measured.
    pub goal: Goal,
}

/// What a run is measured by.
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// What the user may change about a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// How the training set is divided.
    pub partition: Partition,
    /// Step size, instead of the one that was found best.
    pub learning_rate: Option<f64>,
    /// Rounds after which a run ends, instead of the setting's own limit.
    pub rounds_max: Option<u64>,
}

/// McMahan and others, "Communication-Efficient Learning of Deep Networks from Decentralized Data" (2017), table 2: the
/// multilayer perceptron, 100 members, a tenth of them in each round, one epoch in batches of ten.
///
/// The paper chose the learning rate separately for each division of the data. Ours is the best of a grid whose
/// neighbours differ by about the cube root of ten, and it is the same for both divisions (docs/replay.md).
pub fn fedavg_2nn(changes: &Changes, target: f64) -> Setting {
    Setting {
        name: "fedavg-2nn",
        architecture: Architecture::TwoNn,
        members: 100,
        participants: 10,
        partition: changes.partition,
        hyper: Hyper { epochs: 1, batch: 10, learning_rate: changes.learning_rate.unwrap_or(0.1), momentum: 0.0 },
        rounds_max: changes.rounds_max.unwrap_or(1_000),
        goal: Goal::RoundsTo(target),
    }
}

/// Li and others, "Federated Learning on Non-IID Data Silos: An Experimental Study" (2022): LeNet, ten members who all
/// take part in each of fifty rounds, ten epochs in batches of 64.
pub fn niid(changes: &Changes) -> Setting {
    Setting {
        name: "niid",
        architecture: Architecture::LeNet,
        members: 10,
        participants: 10,
        partition: changes.partition,
        hyper: Hyper { epochs: 10, batch: 64, learning_rate: changes.learning_rate.unwrap_or(0.01), momentum: 0.9 },
        rounds_max: changes.rounds_max.unwrap_or(NIID_ROUNDS),
        goal: Goal::FinalAccuracy,
    }
}

/// Rounds after which the published accuracies of [`niid`] were taken.
const NIID_ROUNDS: u64 = 50;
/// The accuracy for which the published rounds of [`fedavg_2nn`] were counted.
pub const FEDAVG_TARGET: f64 = 0.97;

impl Setting {
    /// What was published for exactly this, if anything was.
    pub fn published(&self) -> Option<Figure> {
        match (self.name, self.partition) {
            ("fedavg-2nn", partition) if self.goal == Goal::RoundsTo(FEDAVG_TARGET) => match partition {
                Partition::Iid => Some(Figure::Rounds(87)),
                Partition::Shards { per_member: 2 } => Some(Figure::Rounds(664)),
                _ => None,
            },
            ("niid", partition) if self.rounds_max == NIID_ROUNDS => match partition {
                Partition::Iid => Some(Figure::Accuracy(0.991)),
                Partition::Dirichlet { alpha: 0.5 } => Some(Figure::Accuracy(0.989)),
                Partition::LabelK { k: 2 } => Some(Figure::Accuracy(0.966)),
                Partition::LabelK { k: 3 } => Some(Figure::Accuracy(0.982)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Goal {
    /// Whether a run whose model has this accuracy may end.
    pub fn is_reached(self, accuracy: f64) -> bool {
        matches!(self, Self::RoundsTo(target) if accuracy >= target)
    }

    /// Whether `ours` is at least as good as `published`. A run that never got there is not.
    pub fn holds(self, ours: Option<Figure>, published: Figure) -> bool {
        ours.is_some_and(|ours| match self {
            Self::RoundsTo(_) => ours <= published,
            Self::FinalAccuracy => ours >= published,
        })
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
    fn value(self) -> f64 {
        match self {
            Self::Rounds(rounds) => rounds as f64,
            Self::Accuracy(accuracy) => accuracy,
        }
    }
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rounds(rounds) => write!(f, "{rounds} rounds"),
            Self::Accuracy(accuracy) => write!(f, "{:.2} %", 100.0 * accuracy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(partition: &str) -> Changes {
        Changes { partition: partition.parse().unwrap(), learning_rate: None, rounds_max: None }
    }

    #[test]
    fn published_figures_belong_to_exactly_their_setting() {
        let fedavg = |partition, target| fedavg_2nn(&changes(partition), target).published();
        assert_eq!(fedavg("iid", 0.97), Some(Figure::Rounds(87)));
        assert_eq!(fedavg("shards:2", 0.97), Some(Figure::Rounds(664)));
        assert_eq!((fedavg("iid", 0.96), fedavg("shards:3", 0.97)), (None, None));
        assert_eq!(niid(&changes("label:2")).published(), Some(Figure::Accuracy(0.966)));
        let short = Changes { rounds_max: Some(5), ..changes("label:2") };
        assert_eq!(niid(&short).published(), None);
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
    fn a_figure_holds_when_it_is_at_least_as_good() {
        let rounds = |number| Some(Figure::Rounds(number));
        let goal = Goal::RoundsTo(0.97);
        assert!(goal.holds(rounds(87), Figure::Rounds(87)) && !goal.holds(rounds(88), Figure::Rounds(87)));
        assert!(!goal.holds(None, Figure::Rounds(87)));
        let accuracy = |share| Some(Figure::Accuracy(share));
        assert!(Goal::FinalAccuracy.holds(accuracy(0.99), Figure::Accuracy(0.98)));
        assert!(!Goal::FinalAccuracy.holds(accuracy(0.97), Figure::Accuracy(0.98)));
    }
}
