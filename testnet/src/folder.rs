//! The report folder: never somebody's documents.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::error::Error;

/// A file that says: a testnet wrote this folder and may replace it.
const MARKER: &str = ".althing-report";

/// Makes an empty report folder and returns its absolute path. An earlier report in its place is removed.
///
/// # Errors
/// [`Error::ForeignFolder`] if the folder holds anything else, [`Error::Io`] if it cannot be written.
pub fn prepare(wanted: &Path) -> Result<PathBuf, Error> {
    if check_ours(wanted)? {
        let doing = format!("replace the report folder {}", wanted.display());
        fs::remove_dir_all(wanted).map_err(Error::io(doing))?;
    }
    reopen(wanted)
}

/// Returns the absolute path of a report folder with what an earlier report left there. It is made if there is none.
///
/// # Errors
/// As [`prepare`].
pub fn reopen(wanted: &Path) -> Result<PathBuf, Error> {
    check_ours(wanted)?;
    let doing = |what: &str| format!("{what} the report folder {}", wanted.display());
    fs::create_dir_all(wanted).map_err(Error::io(doing("make")))?;
    fs::write(wanted.join(MARKER), "written by `testnet`, which may replace this folder\n")
        .map_err(Error::io(doing("write to")))?;
    fs::canonicalize(wanted).map_err(Error::io(doing("find")))
}

/// Refuses a folder with something in it that no testnet wrote, and says whether there is anything at all.
fn check_ours(wanted: &Path) -> Result<bool, Error> {
    let doing = format!("read the report folder {}", wanted.display());
    let is_occupied = is_occupied(wanted).map_err(Error::io(doing))?;
    if is_occupied && !wanted.join(MARKER).is_file() {
        return Err(Error::ForeignFolder(wanted.to_owned()));
    }
    Ok(is_occupied)
}

/// Whether there is something in `folder`. A folder that does not exist holds nothing.
fn is_occupied(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_report_is_replaced_and_nothing_else_is() {
        let parent = tempfile::tempdir().unwrap();
        let report = parent.path().join("a").join("report");
        let made = prepare(&report).unwrap();
        fs::write(made.join("old.txt"), "old").unwrap();
        assert!(reopen(&report).unwrap().join("old.txt").exists());
        prepare(&report).unwrap();
        assert!(!made.join("old.txt").exists());

        let documents = parent.path().join("documents");
        fs::create_dir(&documents).unwrap();
        prepare(&documents).unwrap();
        fs::remove_file(documents.join(MARKER)).unwrap();
        fs::write(documents.join("thesis.txt"), "years of work").unwrap();
        for open in [prepare, reopen] {
            let error = open(&documents).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{error}");
        }
        assert!(documents.join("thesis.txt").exists());
    }
}
