//! Small text files: read with a cap, and created so that they survive a power failure or do not exist.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Who may read a file that is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Everybody.
    Everybody,
}

/// Why a small file cannot be read or created.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("{path} does not exist; check the path, or create the file first")]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{path} exists already and is never overwritten; choose another name, or move it away yourself")]
    Exists {
        /// The path.
        path: PathBuf,
    },
    /// More bytes than a file of this kind has.
    #[error("{path} is longer than {max} bytes, so it cannot be what is asked for; check the path")]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Bytes allowed.
        max: u64,
    },
    /// Not text.
    #[error("{path} is not UTF-8 text, so it cannot be what is asked for; check the path")]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("{path}: {source}; check the path, its permissions and the space on the disk")]
    Refused {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::InvalidData => Self::NotText { path },
            _ => Self::Refused { path, source },
        }
    }
}

/// The text of `path`, if it is at most `max` bytes.
///
/// # Errors
/// [`FileError`] when it is missing, too long, not text or unreadable.
pub fn read(path: &Path, max: u64) -> Result<String, FileError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| FileError::new(path, error))?;
    let read = file.take(max.saturating_add(1)).read_to_string(&mut text);
    if text.len() as u64 > max {
        return Err(FileError::TooLong { path: path.to_owned(), max });
    }
    // A cut in the middle of a character must not pass for a file that is no text, nor may a device be read for ever.
    match read {
        Ok(length) if length as u64 > max => Err(FileError::TooLong { path: path.to_owned(), max }),
        Ok(_) => Ok(text),
        Err(error) => Err(FileError::new(path, error)),
    }
}

/// The bytes of `path`, if there are at most `max`.
///
/// # Errors
/// [`FileError`] when it is missing, too long or unreadable.
pub fn read_bytes(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| FileError::new(path, error))?;
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| FileError::new(path, error))?;
    if bytes.len() as u64 > max {
        return Err(FileError::TooLong { path: path.to_owned(), max });
    }
    Ok(bytes)
}

/// Creates `path` with `content` on the disk, and never touches a file that is there.
///
/// # Errors
/// [`FileError`] when it exists or the disk refuses; then no half-written file stays behind.
pub fn create(path: &Path, content: impl AsRef<[u8]>, readers: Readers) -> Result<(), FileError> {
    let refused = |error| FileError::new(path, error);
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(refused)?;
    if let Err(error) = file.write_all(content.as_ref()).and_then(|()| file.sync_all()) {
        // This call made the file, so it may take it away again. If even that fails, the first error matters more.
        let _ = fs::remove_file(path);
        return Err(refused(error));
    }
    sync_folder_of(path).map_err(refused)
}

/// Puts `text` in place of what `path` held, so that a reader sees the old text or the new one.
///
/// # Errors
/// [`FileError`] when the disk refuses.
pub fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path)).map_err(|error| FileError::new(path, error))
}

/// Makes the name of `path` in its folder survive a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    File::open(folder)?.sync_all()
}

/// Where a TOML parser gave up: `file:line: what is wrong`, on one line.
pub fn toml_error(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    format!("{}:{line}: {}", path.display(), crate::text::one_line(error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_capped_and_creating_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        assert!(matches!(read(&path, 10), Err(FileError::Missing { .. })));
        create(&path, "twelve bytes", Readers::Everybody).unwrap();
        assert_eq!(read(&path, 12).unwrap(), "twelve bytes");
        assert!(matches!(read(&path, 11), Err(FileError::TooLong { max: 11, .. })));
        assert!(matches!(create(&path, "other", Readers::Everybody), Err(FileError::Exists { .. })));
        assert_eq!(read(&path, 12).unwrap(), "twelve bytes");
        replace(&path, "other").unwrap();
        assert_eq!(read(&path, 12).unwrap(), "other");
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_bytes(&path, 2).unwrap(), [0xff, 0xfe]);
        assert!(matches!(read_bytes(&path, 1), Err(FileError::TooLong { max: 1, .. })));
        assert!(matches!(read_bytes(Path::new("/dev/zero"), 12), Err(FileError::TooLong { .. })));
        assert!(matches!(read(&path, 12), Err(FileError::NotText { .. })));
        assert!(matches!(read(dir.path(), 12), Err(FileError::Refused { .. })), "a folder");
        assert!(matches!(read(Path::new("/dev/zero"), 12), Err(FileError::TooLong { .. })), "an endless device");
    }
}
