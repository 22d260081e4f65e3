//! The pictures of a report: what is shown in which, each as SVG and as PNG.

pub(crate) mod heat;
pub(crate) mod picture;

use std::path::Path;

use plotters::style::RGBColor;

use self::picture::{Axis, Corner, Drawing, Layer, Picture};
use super::{RoundRow, Spread, StepRow};
use crate::error::Error;

/// Colours that stay apart for colour-blind readers, after Okabe and Ito, darkened where they were pale.
pub(crate) const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(122, 78, 45),
    RGBColor(70, 70, 70),
];
const BLUE: RGBColor = COLOURS[0];
const VERMILION: RGBColor = COLOURS[1];
const SKY: RGBColor = COLOURS[5];
const GREY: RGBColor = COLOURS[7];

/// Draws all pictures into `folder`. Without a settled round there is nothing to draw.
///
/// # Errors
/// [`Error::Plot`] if a file cannot be written.
pub(super) fn draw_all(folder: &Path, names: &[&str], rows: &[RoundRow]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    accuracy(rows).draw(folder, "accuracy")?;
    credits(names, rows).draw(folder, "credits")?;
    bytes(rows).draw(folder, "bytes")
}

/// Draws the pictures of epidemic steps into `folder`.
///
/// # Errors
/// [`Error::Plot`] if a file cannot be written.
pub(super) fn draw_steps(folder: &Path, rows: &[StepRow]) -> Result<(), Error> {
    steps(rows).draw(folder, "steps")
}

fn steps(rows: &[StepRow]) -> Picture {
    let line = |name: &str, colour, figure: fn(Spread) -> f64| Layer::Line {
        name: name.to_owned(),
        colour,
        points: rows.iter().filter_map(|row| Some((row.step as f64, 100.0 * figure(row.accuracy?)))).collect(),
    };
    let last = rows.iter().rev().find_map(|row| row.accuracy);
    let title = match last {
        Some(spread) => format!("Accuracy of the nodes' own models: {:.2} % on average", 100.0 * spread.mean),
        None => "Accuracy of the nodes' own models: not measured".to_owned(),
    };
    Picture {
        title,
        x: Axis::steps(rows.last().map_or(1.0, |row| row.step as f64)),
        y: Axis::new("right on the test set (%)", 0.0, 100.0),
        layers: vec![
            line("best node", SKY, |spread| spread.best),
            line("mean of all nodes", BLUE, |spread| spread.mean),
            line("worst node", VERMILION, |spread| spread.worst),
        ],
        legend: Corner::LowerRight,
    }
}

fn last_round(rows: &[RoundRow]) -> f64 {
    rows.last().map_or(1.0, |row| row.round as f64)
}

fn accuracy(rows: &[RoundRow]) -> Picture {
    let point = |row: &RoundRow| Some((row.round as f64, 100.0 * row.accuracy?));
    let points: Vec<_> = rows.iter().filter_map(point).collect();
    let title = match points.last() {
        Some((round, percent)) => format!("Accuracy of the settled model: {percent:.2} % after round {round}"),
        None => "Accuracy of the settled model: not measured".to_owned(),
    };
    let taken = rows.iter().filter(|row| row.takeovers > 0).filter_map(point).collect();
    Picture {
        title,
        x: Axis::rounds(last_round(rows)),
        y: Axis::new("right on the test set (%)", 0.0, 100.0),
        layers: vec![
            Layer::Line { name: "test accuracy".into(), colour: BLUE, points },
            Layer::Marks {
                name: "another took over from the elected aggregator".into(),
                colour: VERMILION,
                points: taken,
            },
        ],
        legend: Corner::LowerRight,
    }
}

fn credits(names: &[&str], rows: &[RoundRow]) -> Picture {
    let richest = rows.iter().flat_map(|row| &row.balances).max().copied().unwrap_or_default();
    let unit = Unit::of(richest, [(1_000_000, "credits"), (1, "micro-credits")]);
    let line = |name: &str, colour, owned: &dyn Fn(&RoundRow) -> u64| Layer::Line {
        name: name.to_owned(),
        colour,
        points: rows.iter().map(|row| (row.round as f64, unit.of_value(owned(row)))).collect(),
    };
    let layers = if names.len() <= COLOURS.len() {
        let of = |(node, name): (usize, &&str)| {
            line(name, COLOURS[node], &|row| row.balances.get(node).copied().unwrap_or_default())
        };
        names.iter().enumerate().map(of).collect()
    } else {
        let ranked = |row: &RoundRow, rank: fn(usize) -> usize| {
            let mut sorted = row.balances.clone();
            sorted.sort_unstable();
            sorted.get(rank(sorted.len())).copied().unwrap_or_default()
        };
        vec![
            line("richest node", VERMILION, &|row| ranked(row, |count| count.saturating_sub(1))),
            line("median node", BLUE, &|row| ranked(row, |count| count.saturating_sub(1) / 2)),
            line("poorest node", GREY, &|row| ranked(row, |_| 0)),
        ]
    };
    Picture {
        title: "What the nodes own".to_owned(),
        x: Axis::rounds(last_round(rows)),
        y: Axis::new(&format!("balance ({})", unit.name), 0.0, unit.of_value(richest) * 1.08),
        layers,
        legend: Corner::UpperLeft,
    }
}

fn bytes(rows: &[RoundRow]) -> Picture {
    let most = rows.iter().map(|row| row.sent_bytes).max().unwrap_or_default();
    let unit = Unit::of(most, [(1_000_000, "MB"), (1_000, "kB")]);
    let bar = |row: &RoundRow, from: u64, to: u64| (row.round as f64, unit.of_value(from), unit.of_value(to));
    let blobs = rows.iter().map(|row| bar(row, 0, row.blob_sent_bytes)).collect();
    let rest = rows.iter().map(|row| bar(row, row.blob_sent_bytes, row.sent_bytes.max(row.blob_sent_bytes))).collect();
    Picture {
        title: "Bytes on the wire, all nodes together".to_owned(),
        x: Axis::rounds(last_round(rows)),
        // Room for the legend above the bars.
        y: Axis::new(&format!("sent in a round ({})", unit.name), 0.0, unit.of_value(most) * 1.25),
        layers: vec![
            Layer::Bars { name: "models and updates".into(), colour: BLUE, bars: blobs },
            Layer::Bars { name: "bids, votes and the rest".into(), colour: SKY, bars: rest },
        ],
        legend: Corner::UpperRight,
    }
}

/// A unit in which numbers stay short.
#[derive(Debug, Clone, Copy)]
struct Unit {
    size: u64,
    name: &'static str,
}

impl Unit {
    /// The first of `units`, which go from large to small, that `most` fills; the last one otherwise.
    fn of(most: u64, units: [(u64, &'static str); 2]) -> Self {
        let (size, name) = if most >= units[0].0 { units[0] } else { units[1] };
        Self { size, name }
    }

    fn of_value(self, value: u64) -> f64 {
        value as f64 / self.size as f64
    }
}
