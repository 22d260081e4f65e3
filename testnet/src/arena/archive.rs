//! The finished runs of a report folder, kept so that a contest can go on where it was broken off.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Error, federation::FederationEnd, guild::GuildPoint, options::Setting, seat::Seat, tally::Tally};
use crate::{error::Error as TestnetError, folder};

/// One line for the setting, then one for each finished run.
const FILE: &str = "runs.jsonl";

/// What came of one seat and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Whose questions.
    pub seat: Seat,
    /// Their seed.
    pub seed: u64,
    /// Of everybody who answered them, in the order of the policies.
    pub results: Vec<PolicyRun>,
}

/// What a policy made of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyRun {
    /// Its name.
    pub policy: String,
    /// Its answers.
    pub tally: Tally,
    /// What came of rounds in its own hand, where that means something.
    pub play: Option<Play>,
}

/// What came of rounds in a policy's own hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Play {
    /// A selector's federation.
    Federation(FederationEnd),
    /// A federation in which all bid by the policy, round by round.
    Guild(Vec<GuildPoint>),
    /// A guardian's shifts.
    Shifts {
        /// Value of what was delivered in time, for each shift, in hundredths.
        work: f64,
        /// Part of the budget that was spent, from 0 to 1.
        spent: f64,
        /// Contracts that came too late, for each shift.
        late: f64,
    },
}

/// The report folder and its finished runs.
pub(super) struct Archive {
    folder: PathBuf,
    header: String,
    runs: Vec<Run>,
}

impl Archive {
    /// An empty folder. What an earlier report left there is removed.
    ///
    /// # Errors
    /// [`Error::Report`] if the folder is somebody else's or cannot be written.
    pub(super) fn create(wanted: &Path, setting: &Setting) -> Result<Self, Error> {
        Ok(Self { folder: folder::prepare(wanted)?, header: json(setting), runs: Vec::new() })
    }

    /// The folder with the runs that an earlier contest of the same setting finished, if there was one.
    ///
    /// # Errors
    /// [`Error::Report`] as above, [`Error::OtherSetting`] if the runs there are of another setting.
    pub(super) fn resume(wanted: &Path, setting: &Setting) -> Result<Self, Error> {
        let mut archive = Self { folder: folder::reopen(wanted)?, header: json(setting), runs: Vec::new() };
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
        // A line that cannot be read is a run that is played again.
        archive.runs = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(archive)
    }

    /// Where the report is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether this run is finished.
    pub(super) fn holds(&self, seat: Seat, seed: u64) -> bool {
        self.runs.iter().any(|run| run.seat == seat && run.seed == seed)
    }

    /// Keeps a finished run, on the disk too.
    ///
    /// # Errors
    /// [`TestnetError::Io`] if it cannot be written.
    pub(super) fn add(&mut self, run: Run) -> Result<(), TestnetError> {
        self.runs.push(run);
        let lines = self.runs.iter().map(|run| json(run) + "\n");
        let text = format!("{}\n{}", self.header, lines.collect::<String>());
        // Whoever breaks off now must find the old file or the new one.
        let (new, path) = (self.folder.join("runs.new"), self.folder.join(FILE));
        let doing = || format!("write {}", path.display());
        fs::write(&new, text).map_err(TestnetError::io(doing()))?;
        fs::rename(&new, &path).map_err(TestnetError::io(doing()))
    }

    /// The finished runs of this seat and these seeds, in their order.
    pub(super) fn runs(&self, seat: Seat, seeds: &[u64]) -> Vec<&Run> {
        let find = |seed: &u64| self.runs.iter().find(|run| run.seat == seat && run.seed == *seed);
        seeds.iter().filter_map(find).collect()
    }
}

fn json(value: &impl Serialize) -> String {
    // Nothing here can fail to become JSON: its keys are words.
    serde_json::to_string(value).unwrap_or_default()
}
