//! The runs of a replay as one picture, with a mark for every published figure.

use plotters::style::RGBColor;

use super::{
    archive::Curve,
    plan::{Against, Case, Figure, Goal, Plan, Point},
    summary::Summary,
};
use crate::report::plots::{
    COLOURS,
    picture::{Axis, Corner, Layer, Picture},
};

/// The edges of a picture lie on multiples of this, in percent of the test set.
const STEP: f64 = 2.5;
/// Space between the edges and what must be seen, in percent of the test set.
const MARGIN: f64 = 0.25;
/// The first part of a run, one in so many rounds, may begin below the picture: that is where models know nothing.
const BEGINNING: usize = 4;

/// Draws `curves`, the runs of `plan`.
pub(super) fn of(plan: &Plan, curves: &[Curve], summary: &Summary) -> Picture {
    let published: Vec<_> =
        plan.cases.iter().enumerate().flat_map(|(at, case)| marks(plan, curves, at, case)).collect();
    let bottom = bottom(curves, &published);
    let ends = curves.iter().filter_map(|curve| curve.points.last()).map(|point| place(point).0);
    let most = ends.chain(published.iter().map(|mark| mark.0)).fold(0.0, f64::max);
    let mut layers: Vec<Layer> = (0..curves.len()).map(|at| line(plan, curves, at, bottom)).collect();
    // The last colour is for what is not a run.
    let colour = COLOURS[COLOURS.len() - 1];
    layers.push(Layer::Marks { name: "published".to_owned(), colour, points: published });
    Picture {
        title: title(plan, summary),
        x: plan.cost.map_or_else(|| Axis::rounds(most), |name| Axis::new(name, 0.0, most)),
        y: Axis::new("right on the test set (%)", bottom, 100.0),
        layers,
        legend: Corner::LowerRight,
    }
}

fn title(plan: &Plan, summary: &Summary) -> String {
    match &summary.cases[..] {
        [case] => {
            let median =
                case.median.map_or_else(|| "target not reached".to_owned(), |figure| format!("median {figure}"));
            format!("{}, {}: {median}", plan.name, case.case)
        }
        _ => format!("{}: every run of every case", plan.name),
    }
}

/// Where a point lies: what it had cost, or its round where that is not counted, and the accuracy in percent.
fn place(point: &Point) -> (f64, f64) {
    (point.cost.unwrap_or(point.round as f64), 100.0 * point.accuracy)
}

/// Where the published run of a case was at the target, or how high it ended.
fn marks(plan: &Plan, curves: &[Curve], at: usize, case: &Case) -> Vec<(f64, f64)> {
    let ours = curves.iter().find(|curve| curve.case == at).and_then(|curve| curve.points.last());
    let end = ours.map_or(case.rounds_max as f64, |point| place(point).0);
    let mark = |against| match (against, plan.goal) {
        (Against::Published(Figure::Rounds(rounds)), Goal::RoundsTo(target)) => Some((rounds as f64, 100.0 * target)),
        (Against::Published(Figure::Accuracy(share)), Goal::FinalAccuracy) => Some((end, 100.0 * share)),
        _ => None,
    };
    case.bars.iter().filter_map(|bar| mark(bar.against)).collect()
}

/// The lower edge: beneath every mark and every run once it has begun.
fn bottom(curves: &[Curve], marks: &[(f64, f64)]) -> f64 {
    let begun = |curve: &'_ Curve| curve.points.len() / BEGINNING;
    let points = curves.iter().flat_map(|curve| curve.points.iter().skip(begun(curve))).map(|point| place(point).1);
    let least = points.chain(marks.iter().map(|mark| mark.1)).fold(100.0 - STEP, f64::min);
    ((least - MARGIN) / STEP).floor().max(0.0) * STEP
}

/// A run from where it enters the picture. The runs of a case share a colour; where there is one case, each has its own.
fn line(plan: &Plan, curves: &[Curve], at: usize, bottom: f64) -> Layer {
    let curve = &curves[at];
    let (name, colour) = match &plan.cases[..] {
        [_] => (format!("seed {}", curve.seed), colour(at)),
        cases => {
            let is_first = curves[..at].iter().all(|other| other.case != curve.case);
            (if is_first { cases[curve.case].name.clone() } else { String::new() }, colour(curve.case))
        }
    };
    let points = curve.points.iter().map(place).skip_while(|(_, y)| *y < bottom);
    Layer::Line { name, colour, points: points.map(|(x, y)| (x, y.max(bottom))).collect() }
}

/// All but the last colour, again and again.
fn colour(number: usize) -> RGBColor {
    COLOURS[number % (COLOURS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{
        plan::{Bar, tests::plan},
        summary::tests::curve,
    };
    use crate::report::plots::picture::Drawing;

    fn svg(plan: &Plan, curves: &[Curve]) -> String {
        let folder = tempfile::tempdir().unwrap();
        of(plan, curves, &Summary::of(plan, curves)).draw(folder.path(), "accuracy").unwrap();
        std::fs::read_to_string(folder.path().join("accuracy.svg")).unwrap()
    }

    #[test]
    fn runs_of_one_case_have_names_and_a_mark_of_the_published_one() {
        let mut plan = Plan { goal: Goal::RoundsTo(0.97), cost: None, ..plan(&["iid"]) };
        plan.cases[0].bars.push(Bar::published(Figure::Rounds(87)));
        let svg = svg(&plan, &[curve(0, 1, &[0.5, 0.9]), curve(0, 2, &[0.25])]);
        for words in ["seed 1", "seed 2", "published", "round", "iid: target not reached"] {
            assert!(svg.contains(words), "{words:?} is not in the picture");
        }
    }

    #[test]
    fn runs_of_several_cases_share_their_name() {
        let curves = [curve(0, 1, &[0.9; 4]), curve(0, 2, &[0.91; 4]), curve(1, 1, &[0.95; 4])];
        let svg = svg(&plan(&["mix", "full"]), &curves);
        assert_eq!((svg.matches("\nmix\n").count(), svg.matches("\nfull\n").count()), (1, 1));
        assert!(svg.contains("epsilon") && !svg.contains("published") && !svg.contains("seed"));
    }

    #[test]
    fn the_picture_begins_below_what_matters() {
        let slow = curve(0, 1, &[0.1, 0.88, 0.93, 0.95]);
        let slow = [slow];
        assert_eq!((bottom(&slow, &[]), bottom(&slow, &[(1.0, 80.0)])), (87.5, 77.5));
        assert_eq!((bottom(&[], &[]), bottom(&[curve(0, 1, &[0.0])], &[])), (95.0, 0.0));
        let Layer::Line { points, .. } = line(&plan(&["a"]), &slow, 0, 87.5) else { panic!("a run is a line") };
        assert_eq!(points.len(), 3);
    }
}
