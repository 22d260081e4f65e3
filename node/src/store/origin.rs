//! Where a store comes from, and so what its journal is worth.

use std::{fs, path::Path};

use althing_protocol::machine::Voice;

use super::{META, Store, StoreError};

const META_ORIGIN: &str = "origin";
const META_MOVED_AT: &str = "moved at";

/// What became of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// All that its member has signed is in its journal.
    #[default]
    Whole,
    /// It is a copy; its member says nothing until it cannot contradict what was signed since.
    Copy,
    /// It is a copy whose member speaks again. Only steps of epidemic exchange may still be unknown.
    OldCopy,
    /// It was moved away: its member goes on elsewhere, and never here.
    Moved,
}

impl Origin {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Whole => b"whole",
            Self::Copy => b"copy",
            Self::OldCopy => b"old copy",
            Self::Moved => b"moved",
        }
    }

    /// Whether a member with such a store may speak.
    pub const fn voice(self) -> Voice {
        match self {
            Self::Whole | Self::OldCopy => Voice::Speaks,
            Self::Copy | Self::Moved => Voice::Silent,
        }
    }
}

impl Store {
    /// What became of this store. A word that is not known counts as a copy's: silence harms nobody.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn origin(&self) -> Result<Origin, StoreError> {
        let all = [Origin::Whole, Origin::Copy, Origin::OldCopy, Origin::Moved];
        self.read(|transaction| {
            let meta = transaction.open_table(META)?;
            let Some(word) = meta.get(META_ORIGIN)? else { return Ok(Origin::Whole) };
            Ok(all.into_iter().find(|origin| origin.word() == word.value()).unwrap_or(Origin::Copy))
        })
    }

    /// Notes what became of it.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn set_origin(&self, origin: Origin) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.open_table(META)?.insert(META_ORIGIN, origin.word())?;
            Ok(())
        })
    }

    /// Gives this store up to the backup that was taken at `at_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn set_moved(&self, at_ms: u64) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            meta.insert(META_MOVED_AT, at_ms.to_le_bytes().as_slice())?;
            meta.insert(META_ORIGIN, Origin::Moved.word())?;
            Ok(())
        })
    }

    /// When it was given up; 0 if that is not known.
    pub(super) fn moved_at(&self) -> Result<u64, StoreError> {
        self.read(|transaction| {
            let meta = transaction.open_table(META)?;
            let at_ms = meta.get(META_MOVED_AT)?.and_then(|bytes| bytes.value().try_into().ok());
            Ok(at_ms.map_or(0, u64::from_le_bytes))
        })
    }

    /// Copies the file to `path` and makes the copy durable. Nobody else can write meanwhile, since this store is open.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let copied = fs::copy(&self.path, path).and_then(|_| fs::File::open(path)?.sync_all());
        let disk = |source: std::io::Error| StoreError::Disk { path: path.to_owned(), detail: source.to_string() };
        copied.map_err(disk)
    }
}
