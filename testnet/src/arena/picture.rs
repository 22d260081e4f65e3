//! Who missed how much, and what a federation in whose hand came to.

use std::collections::BTreeMap;

use super::{
    archive::{Play, Run},
    stats::{self, Estimate},
    summary::{PolicySummary, Summary},
};
use crate::report::plots::{
    COLOURS,
    heat::{HeatMap, Spot},
    picture::{Axis, Corner, Layer, Picture},
};

/// Megabytes and percent, by round, of every seed.
type Rounds = BTreeMap<u64, Vec<(f64, f64)>>;

/// A table of regrets: policies by seats.
pub(super) fn regret(summary: &Summary) -> HeatMap {
    let mut names: Vec<&str> = Vec::new();
    for policy in summary.seats.iter().flat_map(|seat| &seat.policies) {
        if !names.contains(&&*policy.policy) {
            names.push(&policy.policy);
        }
    }
    let row = |name: &&str| {
        let spots = summary.seats.iter().map(|seat| spot(seat.policies.iter().find(|policy| policy.policy == **name)));
        ((*name).to_owned(), spots.collect())
    };
    HeatMap {
        title: "Regret: 0 % is always the best entry, 100 % always the worst".to_owned(),
        x_name: "whose question".to_owned(),
        y_name: "policy".to_owned(),
        columns: summary.seats.iter().map(|seat| seat.seat.to_string()).collect(),
        rows: names.iter().map(row).collect(),
    }
}

/// Light is good. Who does not answer has a dash.
fn spot(policy: Option<&PolicySummary>) -> Spot {
    let Some(Estimate { mean, half }) = policy.and_then(|policy| policy.regret) else {
        return Spot { value: 1.0, words: "-".to_owned(), note: String::new() };
    };
    let note = half.map_or_else(String::new, |half| format!("± {:.1}", 100.0 * half));
    Spot { value: (1.0 - mean).clamp(0.0, 1.0), words: format!("{:.1}", 100.0 * mean), note }
}

/// Accuracy by megabytes, each policy's mean over seeds; `None` if there was no federation.
pub(super) fn accuracy(runs: &[&Run]) -> Option<Picture> {
    // In the order of the first run.
    let mut lines: Vec<(&str, Rounds)> = Vec::new();
    for result in runs.iter().flat_map(|run| &run.results) {
        let Some(Play::Federation(end)) = &result.play else { continue };
        let place = lines.iter().position(|(name, _)| *name == result.policy).unwrap_or_else(|| {
            lines.push((&result.policy, Rounds::new()));
            lines.len() - 1
        });
        for point in &end.points {
            let spot = (point.bytes as f64 / 1e6, 100.0 * point.accuracy);
            lines[place].1.entry(point.round).or_default().push(spot);
        }
    }
    let mean = |spots: &Vec<(f64, f64)>, part: fn(&(f64, f64)) -> f64| {
        stats::mean(&spots.iter().map(part).collect::<Vec<_>>()).unwrap_or(0.0)
    };
    let points = |rounds: &Rounds| -> Vec<(f64, f64)> {
        rounds.values().map(|spots| (mean(spots, |spot| spot.0), mean(spots, |spot| spot.1))).collect()
    };
    let lines: Vec<(&str, Vec<(f64, f64)>)> = lines.iter().map(|(name, rounds)| (*name, points(rounds))).collect();
    let most = lines.iter().flat_map(|(_, points)| points).map(|point| point.0).fold(0.0, f64::max);
    let layers = lines.into_iter().enumerate().map(|(place, (name, points))| Layer::Line {
        name: name.to_owned(),
        colour: COLOURS[place % COLOURS.len()],
        points,
    });
    let layers: Vec<Layer> = layers.collect();
    (!layers.is_empty()).then(|| Picture {
        title: "Accuracy by what was sent, one federation in each policy's hand".to_owned(),
        x: Axis::new("updates sent (MB)", 0.0, most),
        y: Axis::new("right on the test set (%)", 0.0, 100.0),
        layers,
        legend: Corner::LowerRight,
    })
}
