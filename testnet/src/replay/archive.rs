//! The finished runs of a report folder, kept so that a replay can go on where an earlier one was broken off.

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::Lines,
};

use serde::{Deserialize, Serialize};

use super::{
    Error,
    plan::{Case, Plan, Point},
};
use crate::{error::Error as TestnetError, folder};

/// One line for the setting, then one for each finished run.
const FILE: &str = "runs.jsonl";

/// The models of one run, round by round.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Place of its case in the plan.
    pub case: usize,
    /// Its seed.
    pub seed: u64,
    /// How long it took, in seconds.
    pub wall_s: f64,
    /// One for each round from the first.
    pub points: Vec<Point>,
}

/// A finished run as it is stored. Its case is spelt out: the plan of a later replay may have others.
#[derive(Serialize, Deserialize)]
struct Line {
    case: String,
    seed: u64,
    wall_s: f64,
    points: Vec<Point>,
}

/// The report folder and the runs that are finished.
pub(super) struct Archive {
    folder: PathBuf,
    header: String,
    /// What every case is known by, in the order of the plan.
    keys: Vec<String>,
    lines: Vec<Line>,
}

impl Archive {
    /// An empty folder. What an earlier report left there is removed.
    ///
    /// # Errors
    /// [`Error::Report`] if the folder is somebody else's or cannot be written.
    pub(super) fn create(wanted: &Path, plan: &Plan) -> Result<Self, Error> {
        Ok(Self::new(folder::prepare(wanted)?, plan))
    }

    /// The folder with the runs that an earlier replay of the same setting finished, if there was one.
    ///
    /// # Errors
    /// [`Error::Report`] as above, [`Error::OtherSetting`] if the runs there are of another setting.
    pub(super) fn resume(wanted: &Path, plan: &Plan) -> Result<Self, Error> {
        let mut archive = Self::new(folder::reopen(wanted)?, plan);
        let path = archive.folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(archive),
            Err(error) => return Err(TestnetError::io(format!("read {}", path.display()))(error).into()),
        };
        let mut lines = text.lines();
        if lines.next() != Some(&archive.header) {
            return Err(Error::OtherSetting(wanted.to_owned()));
        }
        archive.lines = readable(lines);
        Ok(archive)
    }

    fn new(folder: PathBuf, plan: &Plan) -> Self {
        let setting = Plan { cases: Vec::new(), ..plan.clone() };
        Self { folder, header: json(&setting), keys: plan.cases.iter().map(key).collect(), lines: Vec::new() }
    }

    /// Where the report is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the run of this case and seed is finished.
    pub(super) fn holds(&self, case: usize, seed: u64) -> bool {
        self.lines.iter().any(|line| line.seed == seed && line.case == self.keys[case])
    }

    /// Keeps a finished run, on the disk too.
    ///
    /// # Errors
    /// [`TestnetError::Io`] if it cannot be written.
    pub(super) fn add(&mut self, curve: Curve) -> Result<(), TestnetError> {
        let Curve { case, seed, wall_s, points } = curve;
        self.lines.push(Line { case: self.keys[case].clone(), seed, wall_s, points });
        let lines = self.lines.iter().map(|line| json(line) + "\n");
        let text = format!("{}\n{}", self.header, lines.collect::<String>());
        // Whoever breaks off now must find the old file or the new one.
        let (new, path) = (self.folder.join("runs.new"), self.folder.join(FILE));
        let doing = || format!("write {}", path.display());
        fs::write(&new, text).map_err(TestnetError::io(doing()))?;
        fs::rename(&new, &path).map_err(TestnetError::io(doing()))
    }

    /// The finished runs of these seeds, case by case in the order of the plan.
    pub(super) fn curves(&self, seeds: &[u64]) -> Vec<Curve> {
        let find = |case: usize, seed: u64| {
            let line = self.lines.iter().find(|line| line.seed == seed && line.case == self.keys[case])?;
            Some(Curve { case, seed, wall_s: line.wall_s, points: line.points.clone() })
        };
        (0..self.keys.len()).flat_map(|case| seeds.iter().filter_map(move |&seed| find(case, seed))).collect()
    }
}

/// The runs up to the first line that is none, such as one that a full disk cut off.
fn readable(lines: Lines<'_>) -> Vec<Line> {
    lines.map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// What a case is known by: everything that a run of it depends on, and not what its figure is compared with.
fn key(case: &Case) -> String {
    format!("{} ({}; {})", case.name, case.facts, case.rounds_max)
}

fn json(value: &impl Serialize) -> String {
    // Nothing here can fail to become JSON: keys are strings and every number is finite.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::plan::tests::plan;

    fn curve(case: usize, seed: u64) -> Curve {
        let point = Point { round: 1, accuracy: 0.9547, loss: 0.25, cost: Some(1.5) };
        Curve { case, seed, wall_s: 2.5, points: vec![point] }
    }

    #[test]
    fn finished_runs_outlive_the_process_and_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let (report, plan) = (folder.path().join("report"), plan(&["a", "b"]));
        let mut archive = Archive::create(&report, &plan).unwrap();
        archive.add(curve(1, 7)).unwrap();
        archive.add(curve(0, 7)).unwrap();
        let path = report.join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.clone() + &text.lines().last().unwrap()[..9]).unwrap();
        let archive = Archive::resume(&report, &plan).unwrap();
        assert_eq!(archive.curves(&[6, 7]), [curve(0, 7), curve(1, 7)]);
        assert!(archive.holds(1, 7) && !archive.holds(1, 6));
        let again = Archive::create(&report, &plan).unwrap();
        assert!(again.curves(&[7]).is_empty() && !path.exists(), "without --resume a replay begins anew");
    }

    #[test]
    fn runs_are_kept_for_their_own_setting_only() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report");
        let first = plan(&["a"]);
        Archive::create(&report, &first).unwrap().add(curve(0, 1)).unwrap();
        let more = plan(&["b", "a"]);
        assert_eq!(Archive::resume(&report, &more).unwrap().curves(&[1]), [curve(1, 1)], "a case may join");
        let mut longer = first.clone();
        longer.cases[0].rounds_max += 1;
        assert!(Archive::resume(&report, &longer).unwrap().curves(&[1]).is_empty());
        let other = Plan { setting: first.setting.clone().with("members", 5), ..first };
        let error = Archive::resume(&report, &other).map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}
