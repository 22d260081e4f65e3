//! What the runs of a replay amounted to. The names in `summary.json` are stable; `docs/replay.md` explains them.

use althing_node::learn::model::Architecture;
use serde::Serialize;

use super::{
    archive::Curve,
    plan::{Against, Bar, Case, Facts, Figure, Goal, Plan},
};

/// What the runs of a replay amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the experiment.
    pub replay: &'static str,
    /// What was trained.
    pub model: Architecture,
    /// What all cases have in common.
    pub setting: Facts,
    /// What is counted: `rounds_to_target` or `final_accuracy`.
    pub measure: &'static str,
    /// The accuracy to be reached, if rounds are counted.
    pub target: Option<f64>,
    /// What the runs' `cost` is, if it is counted.
    pub cost: Option<&'static str>,
    /// What was compared.
    pub cases: Vec<CaseSummary>,
    /// Whether all bars hold; `None` without any.
    pub holds: Option<bool>,
    /// Length of all runs together, in seconds.
    pub wall_s: f64,
}

/// The runs of one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseSummary {
    /// Its name.
    pub case: String,
    /// What is particular to it.
    pub facts: Facts,
    /// Rounds after which a run ended, whatever it had reached.
    pub rounds_max: u64,
    /// One entry per seed.
    pub runs: Vec<RunSummary>,
    /// The median of their figures; `None` if too few runs reached the target.
    pub median: Option<Figure>,
    /// What the median is compared with.
    pub bars: Vec<BarSummary>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
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
    /// What it had cost at its end, if that is counted.
    pub cost: Option<f64>,
}

/// What a median is compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BarSummary {
    /// `published`, or the name of another case.
    pub against: String,
    /// The figure there; `None` if that case did not get there.
    pub figure: Option<Figure>,
    /// By how much the median may be worse.
    pub slack: f64,
    /// Whether it is no worse than that.
    pub holds: bool,
}

impl Summary {
    /// Sums up `curves`, the runs of `plan`.
    pub fn of(plan: &Plan, curves: &[Curve]) -> Self {
        let of_case = |place: usize| curves.iter().filter(move |curve| curve.case == place);
        let median = |place| plan.goal.median(of_case(place).map(|curve| plan.goal.figure(&curve.points)).collect());
        let medians: Vec<_> = (0..plan.cases.len()).map(median).collect();
        let case = |(place, case): (usize, &Case)| CaseSummary {
            case: case.name.clone(),
            facts: case.facts.clone(),
            rounds_max: case.rounds_max,
            runs: of_case(place).map(|curve| run(curve, plan.goal)).collect(),
            median: medians[place],
            bars: case.bars.iter().map(|bar| compared(plan, &medians, medians[place], bar)).collect(),
        };
        let cases: Vec<CaseSummary> = plan.cases.iter().enumerate().map(case).collect();
        let bars: Vec<_> = cases.iter().flat_map(|case| &case.bars).collect();
        let (measure, target) = match plan.goal {
            Goal::RoundsTo(target) => ("rounds_to_target", Some(target)),
            Goal::FinalAccuracy => ("final_accuracy", None),
        };
        Self {
            replay: plan.name,
            model: plan.architecture,
            setting: plan.setting.clone(),
            measure,
            target,
            cost: plan.cost,
            holds: (!bars.is_empty()).then(|| bars.iter().all(|bar| bar.holds)),
            cases,
            wall_s: tenths(curves.iter().map(|curve| curve.wall_s).sum()),
        }
    }

    /// As JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to become JSON: keys are strings and every number is finite.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

fn run(curve: &Curve, goal: Goal) -> RunSummary {
    let last = curve.points.last();
    RunSummary {
        seed: curve.seed,
        figure: goal.figure(&curve.points),
        rounds: curve.points.len(),
        final_accuracy: last.map(|point| point.accuracy),
        best_accuracy: curve.points.iter().map(|point| point.accuracy).max_by(f64::total_cmp),
        cost: last.and_then(|point| point.cost),
    }
}

/// How `ours` compares, given the medians of all cases.
fn compared(plan: &Plan, medians: &[Option<Figure>], ours: Option<Figure>, bar: &Bar) -> BarSummary {
    let (against, figure) = match bar.against {
        Against::Published(figure) => ("published".to_owned(), Some(figure)),
        Against::Case(place) => (plan.cases[place].name.clone(), medians[place]),
    };
    BarSummary { against, figure, slack: bar.slack, holds: bar.holds(plan.goal, ours, figure) }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::replay::plan::{Point, tests::plan};

    pub(in crate::replay) fn curve(case: usize, seed: u64, accuracies: &[f64]) -> Curve {
        let point = |(round, &accuracy)| Point { round, accuracy, loss: 0.5, cost: Some(round as f64 / 4.0) };
        Curve { case, seed, wall_s: 0.62, points: (1..).zip(accuracies).map(point).collect() }
    }

    #[test]
    fn rounds_are_counted_to_the_first_model_at_the_target() {
        let mut plan = Plan { goal: Goal::RoundsTo(0.97), ..plan(&["iid"]) };
        plan.cases[0].bars.push(Bar::published(Figure::Rounds(87)));
        let curves = [curve(0, 4, &[0.9, 0.97, 0.96, 0.98]), curve(0, 5, &[0.5, 0.6]), curve(0, 6, &[0.97])];
        let summary = Summary::of(&plan, &curves);
        let json: serde_json::Value = serde_json::from_str(&summary.to_json()).unwrap();
        let case = &json["cases"][0];
        assert_eq!(
            case["runs"][0],
            serde_json::json!({
                "seed": 4, "figure": 2, "rounds": 4, "final_accuracy": 0.98, "best_accuracy": 0.98, "cost": 1.0
            })
        );
        assert_eq!((&case["runs"][1]["figure"], &case["runs"][2]["figure"]), (&serde_json::Value::Null, &1.into()));
        let bar = serde_json::json!({"against": "published", "figure": 87, "slack": 0.0, "holds": true});
        assert_eq!((&case["median"], &case["bars"][0], &json["holds"]), (&2.into(), &bar, &true.into()));
        assert_eq!((&json["measure"], &json["target"]), (&"rounds_to_target".into(), &0.97.into()));
        assert_eq!((&json["model"], &json["setting"]["members"]), (&"2nn".into(), &100.into()));
        assert_eq!(json["wall_s"], 1.9);
    }

    #[test]
    fn cases_are_compared_with_each_other() {
        let mut plan = plan(&["mix", "full"]);
        plan.cases[0].bars.push(Bar { against: Against::Case(1), slack: 0.005 });
        let summary = |mix| Summary::of(&plan, &[curve(0, 1, &[0.995, mix]), curve(1, 1, &[0.98])]);
        assert_eq!((summary(0.976).holds, summary(0.974).holds), (Some(true), Some(false)));
        let close = &summary(0.976).cases[0];
        assert_eq!((close.median, close.bars[0].against.as_str()), (Some(Figure::Accuracy(0.976)), "full"));
        plan.cases[0].bars.clear();
        assert_eq!(Summary::of(&plan, &[]).holds, None);
    }
}
