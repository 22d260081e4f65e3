//! Curves of a report.

use super::{record::Run, summary::CREDIT, sweep::Point};
use crate::report::plots::{
    COLOURS,
    picture::{Axis, Corner, Layer, Picture},
};

/// Lines in one picture at the most: as many as there are colours.
pub(super) const LINES_MOST: usize = COLOURS.len();

/// A figure of every round.
pub(super) struct Curve {
    title: &'static str,
    y: &'static str,
    legend: Corner,
    of: fn(&super::record::RoundRow) -> f64,
    scale: Scale,
}

/// What the axis of a figure shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// From 0 to 1.
    Share,
    /// From the least to the most.
    Any,
}

/// What there is a picture of, over rounds.
pub(super) const CURVES: [Curve; 6] = [
    Curve {
        title: "Accuracy of the model",
        y: "right on a test set (%)",
        legend: Corner::LowerRight,
        of: |row| 100.0 * row.accuracy,
        scale: Scale::Any,
    },
    Curve {
        title: "Welfare of a round: worth of what was delivered, less its cost",
        y: "credits",
        legend: Corner::LowerRight,
        of: |row| row.welfare / CREDIT,
        scale: Scale::Any,
    },
    Curve {
        title: "Paid for a round, bonus among it",
        y: "credits",
        legend: Corner::LowerRight,
        of: |row| (row.paid + row.bonus) as f64 / CREDIT,
        scale: Scale::Any,
    },
    Curve {
        title: "Part of the round's budget that was used",
        y: "part",
        legend: Corner::LowerRight,
        of: |row| (row.paid + row.bonus) as f64 / (row.budget as f64).max(1.0),
        scale: Scale::Share,
    },
    Curve {
        title: "Gini of members' income so far: 0 is equal",
        y: "Gini",
        legend: Corner::UpperRight,
        of: |row| row.gini,
        scale: Scale::Share,
    },
    Curve {
        title: "Jain of deliveries so far: 1 is equal",
        y: "Jain",
        legend: Corner::LowerRight,
        of: |row| row.participation,
        scale: Scale::Share,
    },
];

impl Curve {
    /// A line for each point, the mean over its seeds.
    pub(super) fn picture(&self, points: &[Point], runs: &[Run]) -> Picture {
        let line = |(number, point): (usize, &Point)| {
            let runs: Vec<&Run> = runs.iter().filter(|run| run.point == number).collect();
            let mean = |place: usize| {
                let values = runs.iter().filter_map(|run| run.rounds.get(place)).map(self.of);
                ((place + 1) as f64, values.sum::<f64>() / runs.len() as f64)
            };
            (point.name(), (0..point.config.rounds as usize).map(mean).collect())
        };
        let lines = points.iter().take(LINES_MOST).enumerate().map(line).collect();
        draw(self.title.to_owned(), self.y, lines, (self.scale == Scale::Share).then_some((0.0, 1.0)), self.legend)
    }
}

/// A line for each part of the population: its members' surplus so far, on average, mean over seeds.
pub(super) fn surplus(number: usize, point: &Point, runs: &[Run]) -> Picture {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.point == number).collect();
    let sizes = point.config.sizes();
    let line = |(part, config): (usize, &super::config::Part)| {
        let mut sums = vec![0.0; point.config.rounds as usize];
        for row in runs.iter().flat_map(|run| &run.parts).filter(|row| row.part == part) {
            sums[row.round as usize - 1] += row.surplus() as f64;
        }
        let each = (runs.len() * sizes[part]).max(1) as f64;
        let mut so_far = 0.0;
        let at = |(place, sum): (usize, f64)| {
            so_far += sum / each;
            ((place + 1) as f64, so_far)
        };
        (config.strategy.name().to_owned(), sums.into_iter().enumerate().map(at).collect())
    };
    let lines = point.config.population.iter().take(LINES_MOST).enumerate().map(line).collect();
    let title = format!("Surplus of a member so far: {}", point.name());
    draw(title, "micro-credits", lines, None, Corner::UpperLeft)
}

type Line = (String, Vec<(f64, f64)>);

fn draw(title: String, y: &str, lines: Vec<Line>, range: Option<(f64, f64)>, legend: Corner) -> Picture {
    let heights = || lines.iter().flat_map(|(_, points)| points).map(|point| point.1);
    let (least, most) = range.unwrap_or_else(|| {
        let (least, most) = (heights().fold(f64::MAX, f64::min).min(0.0), heights().fold(0.0, f64::max));
        (least, most + 0.05 * (most - least))
    });
    let last = lines.iter().map(|(_, points)| points.len()).max().unwrap_or(1) as f64;
    let layer = |(place, (name, points)): (usize, Line)| Layer::Line { name, colour: COLOURS[place], points };
    Picture {
        title,
        x: Axis::rounds(last),
        y: Axis::new(y, least, most),
        layers: lines.into_iter().enumerate().map(layer).collect(),
        legend,
    }
}
