//! What the runs of a replay amounted to. The names in `summary.json` are stable; `docs/replay.md` explains them.

use std::{fmt::Write as _, time::Duration};

use althing_node::learn::{model::Architecture, partition::Partition, train::Hyper};
use serde::Serialize;

use super::{
    engine::Point,
    setting::{Figure, Goal, Setting},
};

/// What the runs of a replay amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the experiment.
    pub replay: &'static str,
    /// What was trained.
    pub model: Architecture,
    /// Members among whom the training set was divided.
    pub members: usize,
    /// Members who trained in a round.
    pub participants: usize,
    /// How the training set was divided.
    pub partition: Partition,
    /// How each of them trained.
    pub hyper: Hyper,
    /// What is counted: `rounds_to_target` or `final_accuracy`.
    pub measure: &'static str,
    /// The accuracy to be reached, if rounds are counted.
    pub target: Option<f64>,
    /// Rounds after which a run ended, whatever it had reached.
    pub rounds_max: u64,
    /// One entry per seed.
    pub runs: Vec<Run>,
    /// The median of their figures; `None` if too few runs reached the target.
    pub median: Option<Figure>,
    /// The published figure, if there is one for this setting.
    pub published: Option<Figure>,
    /// Whether the median is at least as good as the published figure; `None` without one.
    pub holds: Option<bool>,
    /// Length of all runs together, in seconds.
    pub wall_s: f64,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Its figure; `None` if it did not reach the target.
    pub figure: Option<Figure>,
    /// Rounds that were played.
    pub rounds: usize,
    /// Accuracy after the last of them, from 0 to 1.
    pub final_accuracy: Option<f64>,
    /// Best accuracy after any of them.
    pub best_accuracy: Option<f64>,
}

/// The models of one run, round by round.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The seed of the run.
    pub seed: u64,
    /// One for each round from the first.
    pub points: Vec<Point>,
}

impl Curve {
    fn run(&self, goal: Goal) -> Run {
        let last = self.points.last();
        let figure = match goal {
            Goal::RoundsTo(_) => {
                let there = self.points.iter().find(|point| goal.is_reached(point.accuracy));
                there.map(|point| Figure::Rounds(point.round))
            }
            Goal::FinalAccuracy => last.map(|point| Figure::Accuracy(point.accuracy)),
        };
        Run {
            seed: self.seed,
            figure,
            rounds: self.points.len(),
            final_accuracy: last.map(|point| point.accuracy),
            best_accuracy: self.points.iter().map(|point| point.accuracy).max_by(f64::total_cmp),
        }
    }
}

impl Summary {
    /// Sums up the runs of `setting`, which took this long.
    pub fn of(setting: &Setting, curves: &[Curve], wall: Duration) -> Self {
        let runs: Vec<Run> = curves.iter().map(|curve| curve.run(setting.goal)).collect();
        let median = setting.goal.median(runs.iter().map(|run| run.figure).collect());
        let published = setting.published();
        let (measure, target) = match setting.goal {
            Goal::RoundsTo(target) => ("rounds_to_target", Some(target)),
            Goal::FinalAccuracy => ("final_accuracy", None),
        };
        Self {
            replay: setting.name,
            model: setting.architecture,
            members: setting.members,
            participants: setting.participants,
            partition: setting.partition,
            hyper: setting.hyper,
            measure,
            target,
            rounds_max: setting.rounds_max,
            runs,
            median,
            published,
            holds: published.map(|published| setting.goal.holds(median, published)),
            wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// As JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to become JSON: no map, and every number is finite.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The figures for people, published beside ours.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |what: &str, words: String| _ = writeln!(text, "  {what:<12} {words}");
        let Hyper { epochs, batch, learning_rate, momentum } = self.hyper;
        line("replay", format!("{}, {} members, {} of them each round", self.replay, self.members, self.participants));
        line("data", format!("MNIST, {}", self.partition));
        line(
            "training",
            format!(
                "{}, {epochs} epoch(s), batch {batch}, learning rate {learning_rate}, momentum {momentum}",
                self.model
            ),
        );
        line("measure", self.measure_words());
        for run in &self.runs {
            let best = run.best_accuracy.map_or_else(String::new, |best| format!("  (best {:.2} %)", 100.0 * best));
            line(&format!("seed {}", run.seed), figure_words(run.figure) + &best);
        }
        line("median", figure_words(self.median));
        let published = self.published.map_or_else(|| "nothing for this setting".to_owned(), |it| it.to_string());
        let verdict = match self.holds {
            Some(true) => ": reached",
            Some(false) => ": MISSED",
            None => "",
        };
        line("published", published + verdict);
        line("time", format!("{:.1} s", self.wall_s));
        text
    }

    fn measure_words(&self) -> String {
        match self.target {
            Some(target) => format!("rounds until {:.1} % of the test set are right", 100.0 * target),
            None => format!("accuracy on the test set after {} rounds", self.rounds_max),
        }
    }
}

fn figure_words(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "not reached".to_owned(), |figure| figure.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::replay::setting::{Changes, fedavg_2nn, niid};

    pub(in crate::replay) fn changes() -> Changes {
        Changes { partition: Partition::Iid, learning_rate: Some(0.25), rounds_max: None }
    }

    pub(in crate::replay) fn curve(seed: u64, accuracies: &[f64]) -> Curve {
        let point = |(round, &accuracy)| Point { round, accuracy, loss: 0.5 };
        Curve { seed, points: (1..).zip(accuracies).map(point).collect() }
    }

    #[test]
    fn rounds_are_counted_to_the_first_model_at_the_target() {
        let setting = fedavg_2nn(&changes(), 0.97);
        let curves = [curve(4, &[0.9, 0.97, 0.96, 0.98]), curve(5, &[0.5, 0.6]), curve(6, &[0.97])];
        let summary = Summary::of(&setting, &curves, Duration::from_millis(1_240));
        let json: serde_json::Value = serde_json::from_str(&summary.to_json()).unwrap();
        assert_eq!(
            json["runs"][0],
            serde_json::json!({
                "seed": 4, "figure": 2, "rounds": 4, "final_accuracy": 0.98, "best_accuracy": 0.98
            })
        );
        assert_eq!((&json["runs"][1]["figure"], &json["runs"][2]["figure"]), (&serde_json::Value::Null, &1.into()));
        assert_eq!((&json["median"], &json["published"], &json["holds"]), (&2.into(), &87.into(), &true.into()));
        assert_eq!((&json["measure"], &json["target"]), (&"rounds_to_target".into(), &0.97.into()));
        assert_eq!((&json["partition"], &json["model"]), (&"iid".into(), &"2nn".into()));
        assert_eq!((&json["hyper"]["learning_rate"], &json["wall_s"]), (&0.25.into(), &1.2.into()));
        let table = summary.table();
        for words in ["seed 4       2 rounds", "seed 5       not reached", "87 rounds: reached", "97.0 %"] {
            assert!(table.contains(words), "{words:?} in\n{table}");
        }
    }

    #[test]
    fn the_last_accuracy_counts_where_accuracy_does() {
        let summary = Summary::of(&niid(&changes()), &[curve(1, &[0.995, 0.98])], Duration::ZERO);
        assert_eq!((summary.median, summary.holds), (Some(Figure::Accuracy(0.98)), Some(false)));
        assert!(summary.table().contains("99.10 %: MISSED"), "{}", summary.table());
        let setting = fedavg_2nn(&changes(), 0.5);
        let summary = Summary::of(&setting, &[curve(1, &[0.4])], Duration::ZERO);
        assert_eq!((summary.median, summary.published, summary.holds), (None, None, None));
    }
}
