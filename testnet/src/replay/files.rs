//! The report folder of a replay.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    setting::{Figure, Goal, Setting},
    summary::{Curve, Summary},
};
use crate::{
    error::Error,
    report::plots::{
        COLOURS,
        picture::{Corner, Layer, Picture},
    },
};

/// Writes `accuracy.csv`: one line for every round of every run.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub(super) fn write_curves(folder: &Path, curves: &[Curve]) -> Result<(), Error> {
    let mut text = "seed,round,accuracy,loss\n".to_owned();
    for curve in curves {
        for point in &curve.points {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{},{},{:.4},{:.6}", curve.seed, point.round, point.accuracy, point.loss);
        }
    }
    write(&folder.join("accuracy.csv"), &text)
}

/// Writes `summary.json` and draws `accuracy.svg` and `accuracy.png`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Plot`] if a file cannot be written.
pub(super) fn write_summary(
    folder: &Path,
    setting: &Setting,
    curves: &[Curve],
    summary: &Summary,
) -> Result<(), Error> {
    write(&folder.join("summary.json"), &summary.to_json())?;
    picture(setting, curves, summary).draw(folder, "accuracy")
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

/// The runs, and the published figure as a mark: where their curve crossed the target, or how high it ended.
fn picture(setting: &Setting, curves: &[Curve], summary: &Summary) -> Picture {
    let played = curves.iter().map(|curve| curve.points.len()).max().unwrap_or_default() as f64;
    let published = summary.published.map(|figure| match (figure, setting.goal) {
        (Figure::Rounds(rounds), Goal::RoundsTo(target)) => (rounds as f64, 100.0 * target),
        (Figure::Rounds(rounds), Goal::FinalAccuracy) => (rounds as f64, 100.0),
        (Figure::Accuracy(accuracy), _) => (setting.rounds_max as f64, 100.0 * accuracy),
    });
    // The last two colours are for what is not a run.
    let colours = COLOURS[..COLOURS.len() - 2].iter().copied().cycle();
    let mut layers: Vec<Layer> = curves.iter().zip(colours).map(|(curve, colour)| line(curve, colour)).collect();
    layers.push(Layer::Marks {
        name: "published".to_owned(),
        colour: COLOURS[COLOURS.len() - 1],
        points: published.into_iter().collect(),
    });
    let median = summary.median.map_or_else(|| "target not reached".to_owned(), |median| format!("median {median}"));
    Picture {
        title: format!("{}, {}: {median}", setting.name, setting.partition),
        y_name: "right on the test set (%)".to_owned(),
        y_top: 100.0,
        rounds: published.map_or(played, |(rounds, _)| played.max(rounds)),
        layers,
        legend: Corner::LowerRight,
    }
}

fn line(curve: &Curve, colour: plotters::style::RGBColor) -> Layer {
    let points = curve.points.iter().map(|point| (point.round as f64, 100.0 * point.accuracy)).collect();
    Layer::Line { name: format!("seed {}", curve.seed), colour, points }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::replay::{
        setting::fedavg_2nn,
        summary::tests::{changes, curve},
    };

    #[test]
    fn a_report_holds_every_round_and_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let setting = fedavg_2nn(&changes(), 0.97);
        let curves = [curve(1, &[0.5, 0.98]), curve(2, &[0.25])];
        let summary = Summary::of(&setting, &curves, Duration::ZERO);
        write_curves(folder.path(), &curves).unwrap();
        write_summary(folder.path(), &setting, &curves, &summary).unwrap();
        let table = fs::read_to_string(folder.path().join("accuracy.csv")).unwrap();
        let expected = "seed,round,accuracy,loss\n1,1,0.5000,0.500000\n1,2,0.9800,0.500000\n2,1,0.2500,0.500000\n";
        assert_eq!(table, expected);
        assert_eq!(fs::read_to_string(folder.path().join("summary.json")).unwrap(), summary.to_json());
        let svg = fs::read_to_string(folder.path().join("accuracy.svg")).unwrap();
        for words in ["seed 1", "seed 2", "published", "target not reached"] {
            assert!(svg.contains(words), "{words:?} is not in the picture");
        }
        assert!(folder.path().join("accuracy.png").metadata().unwrap().len() > 1_000);
    }
}
