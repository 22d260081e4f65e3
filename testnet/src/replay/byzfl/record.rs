//! The runs that there are: a table that grows by one run at a time, so that a grid can be played in pieces.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{course::Reading, grid::Run};
use crate::error::Error;

const HEAD: &str = "similarity,liars,attack,rule,mixing,seed,steps,step,accuracy\n";

/// A run with what was read in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Played {
    /// Which run.
    pub run: Run,
    /// The readings in the order of their steps, the last one after the last step.
    pub readings: Vec<Reading>,
}

/// The table in a report folder.
pub(super) struct Record {
    path: PathBuf,
    played: Mutex<Vec<Played>>,
}

impl Record {
    /// Reads `runs.csv` in `folder`. Runs that were not written whole are dropped from it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read or written.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("runs.csv");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(Error::io(format!("read {}", path.display())))?,
        };
        let played = whole_runs(&text);
        let text = played.iter().fold(HEAD.to_owned(), |text, played| text + &lines(played));
        fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
        Ok(Self { path, played: Mutex::new(played) })
    }

    /// Whether `run` need not be played.
    pub(super) fn has(&self, run: &Run) -> bool {
        self.played().iter().any(|played| played.run == *run)
    }

    /// Adds a run, to the file too.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written.
    pub(super) fn add(&self, new: Played) -> Result<(), Error> {
        let mut played = self.played();
        let file = OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(lines(&new).as_bytes()))
            .map_err(Error::io(format!("write {}", self.path.display())))?;
        played.push(new);
        Ok(())
    }

    /// Those of `runs` that were played, in that order.
    pub(super) fn of(&self, runs: &[Run]) -> Vec<Played> {
        let played = self.played();
        runs.iter().filter_map(|run| played.iter().find(|played| played.run == *run).cloned()).collect()
    }

    fn played(&self) -> std::sync::MutexGuard<'_, Vec<Played>> {
        // A thread that panicked has pushed a run or has not; the list is whole either way.
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lines(played: &Played) -> String {
    let Run { similarity, liars, play, rule, mixing, seed, steps } = &played.run;
    let mut text = String::new();
    for Reading { step, accuracy } in &played.readings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{similarity},{liars},{play},{rule},{mixing},{seed},{steps},{step},{accuracy:.4}");
    }
    text
}

/// The runs of a table whose last step was read. Lines that cannot be read are left out.
fn whole_runs(text: &str) -> Vec<Played> {
    let mut runs: Vec<Played> = Vec::new();
    for (run, reading) in text.lines().filter_map(line) {
        match runs.iter_mut().find(|played| played.run == run) {
            Some(played) => played.readings.push(reading),
            None => runs.push(Played { run, readings: vec![reading] }),
        }
    }
    runs.retain(|played| played.readings.last().is_some_and(|last| last.step == played.run.steps));
    runs
}

fn line(text: &str) -> Option<(Run, Reading)> {
    let [similarity, liars, play, rule, mixing, seed, steps, step, accuracy] =
        text.split(',').collect::<Vec<_>>().try_into().ok()?;
    let run = Run {
        similarity: similarity.parse().ok()?,
        liars: liars.parse().ok()?,
        play: play.parse().ok()?,
        rule: rule.parse().ok()?,
        mixing: mixing.parse().ok()?,
        seed: seed.parse().ok()?,
        steps: steps.parse().ok()?,
    };
    Some((run, Reading { step: step.parse().ok()?, accuracy: accuracy.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seed: u64, accuracies: &[f64]) -> Played {
        let run = Run {
            similarity: "0.33".parse().unwrap(),
            liars: 2,
            play: "ipm:best".parse().unwrap(),
            rule: "trimmed:2".parse().unwrap(),
            mixing: "nearest:2".parse().unwrap(),
            seed,
            steps: 20,
        };
        let readings = (1..).zip(accuracies).map(|(tens, &accuracy)| Reading { step: 10 * tens, accuracy }).collect();
        Played { run, readings }
    }

    #[test]
    fn a_grid_goes_on_where_it_was_broken_off() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (played(1, &[0.5, 0.75]), played(2, &[0.25, 0.5]));
        let record = Record::open(folder.path()).unwrap();
        record.add(one.clone()).unwrap();
        record.add(two.clone()).unwrap();
        // Broken off within the last line of the second run.
        let path = folder.path().join("runs.csv");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, &text[..text.len() - 9]).unwrap();

        let record = Record::open(folder.path()).unwrap();
        assert!(record.has(&one.run) && !record.has(&two.run));
        record.add(two.clone()).unwrap();
        assert_eq!(record.of(&[two.run.clone(), one.run.clone()]), [two, one.clone()]);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert!(!record.has(&Run { steps: 10, ..one.run }), "another length is another run");
    }
}
