//! The report folder of a replay.

use std::{fmt::Write as _, fs, path::Path};

use super::{
    archive::Curve,
    picture,
    plan::{Plan, Point},
    summary::Summary,
};
use crate::{error::Error, report::plots::picture::Drawing};

/// Writes `accuracy.csv`: one line for every round of every run.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub(super) fn write_curves(folder: &Path, plan: &Plan, curves: &[Curve]) -> Result<(), Error> {
    let cost = plan.cost.map_or_else(String::new, |name| format!(",{name}"));
    let mut text = format!("case,seed,round,accuracy,loss{cost}\n");
    for curve in curves {
        let name = &plan.cases[curve.case].name;
        for point in &curve.points {
            let cost = point.cost.map_or_else(String::new, |cost| format!(",{cost:.6}"));
            let Point { round, accuracy, loss, .. } = point;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name},{},{round},{accuracy:.4},{loss:.6}{cost}", curve.seed);
        }
    }
    write(&folder.join("accuracy.csv"), &text)
}

/// Writes `summary.json` and draws `accuracy.svg` and `accuracy.png`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Plot`] if a file cannot be written.
pub(super) fn write_summary(folder: &Path, plan: &Plan, curves: &[Curve], summary: &Summary) -> Result<(), Error> {
    write(&folder.join("summary.json"), &summary.to_json())?;
    picture::of(plan, curves, summary).draw(folder, "accuracy")
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::io(format!("write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{plan::tests::plan, summary::tests::curve};

    #[test]
    fn a_report_holds_every_round_and_a_picture() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(&["mix", "full"]);
        let curves = [curve(0, 1, &[0.5, 0.98]), curve(1, 2, &[0.25])];
        let summary = Summary::of(&plan, &curves);
        write_curves(folder.path(), &plan, &curves).unwrap();
        write_summary(folder.path(), &plan, &curves, &summary).unwrap();
        let table = fs::read_to_string(folder.path().join("accuracy.csv")).unwrap();
        let expected = "\
case,seed,round,accuracy,loss,epsilon
mix,1,1,0.5000,0.500000,0.250000
mix,1,2,0.9800,0.500000,0.500000
full,2,1,0.2500,0.500000,0.250000
";
        assert_eq!(table, expected);
        assert_eq!(fs::read_to_string(folder.path().join("summary.json")).unwrap(), summary.to_json());
        let plan = Plan { cost: None, ..plan };
        write_curves(folder.path(), &plan, &[]).unwrap();
        let table = fs::read_to_string(folder.path().join("accuracy.csv")).unwrap();
        assert_eq!(table, "case,seed,round,accuracy,loss\n");
        assert!(folder.path().join("accuracy.png").metadata().unwrap().len() > 1_000);
    }
}
