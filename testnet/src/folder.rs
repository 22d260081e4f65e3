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
    let doing = |what: &str| format!("{what} the report folder {}", wanted.display());
    if is_occupied(wanted).map_err(Error::io(doing("read")))? {
        if !wanted.join(MARKER).is_file() {
            return Err(Error::ForeignFolder(wanted.to_owned()));
        }
        fs::remove_dir_all(wanted).map_err(Error::io(doing("replace")))?;
    }
    fs::create_dir_all(wanted).map_err(Error::io(doing("make")))?;
    fs::write(wanted.join(MARKER), "written by `testnet`, which may replace this folder\n")
        .map_err(Error::io(doing("write to")))?;
    fs::canonicalize(wanted).map_err(Error::io(doing("find")))
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
        prepare(&report).unwrap();
        assert!(!made.join("old.txt").exists());

        let documents = parent.path().join("documents");
        fs::create_dir(&documents).unwrap();
        prepare(&documents).unwrap();
        fs::remove_file(documents.join(MARKER)).unwrap();
        fs::write(documents.join("thesis.txt"), "years of work").unwrap();
        let error = prepare(&documents).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
        assert!(documents.join("thesis.txt").exists());
    }
}
