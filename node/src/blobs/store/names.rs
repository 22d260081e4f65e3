//! The names of the store's files, written and read in one place.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use althing_protocol::ids::{BlobRef, Hash};

const TREE: &str = ".tree";
const PART: &str = ".part";
const TEMP: &str = "temp-";
/// Digits of a hash.
const HASH_DIGITS: usize = 64;

/// The paths in one folder.
#[derive(Debug)]
pub(super) struct Names {
    dir: PathBuf,
}

impl Names {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The content of a whole blob.
    pub(super) fn whole(&self, hash: &Hash) -> PathBuf {
        self.dir.join(hash.to_string())
    }

    /// The content of a begun blob. The size is in the name: until the last byte is proven it is only a claim.
    pub(super) fn begun(&self, blob: &BlobRef) -> PathBuf {
        self.dir.join(format!("{}-{}{PART}", blob.hash, blob.size))
    }

    /// A file that is only being written.
    pub(super) fn temp(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{TEMP}{number}"))
    }

    /// The tree that belongs to the content at `data`.
    pub(super) fn tree_of(data: &Path) -> PathBuf {
        let mut name = data.as_os_str().to_os_string();
        name.push(TREE);
        name.into()
    }
}

/// What a file is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Whole(Hash),
    Begun(BlobRef),
    Tree,
    Temp,
    /// Not ours: left alone.
    Foreign,
}

impl FileKind {
    pub(super) fn of(name: &OsStr) -> Self {
        let Some(name) = name.to_str() else { return Self::Foreign };
        if name.starts_with(TEMP) {
            return Self::Temp;
        }
        if name.ends_with(TREE) {
            return Self::Tree;
        }
        let parsed = match name.strip_suffix(PART) {
            Some(stem) => begun(stem).map(Self::Begun),
            None => hash(name).map(Self::Whole),
        };
        parsed.unwrap_or(Self::Foreign)
    }
}

/// Only the one way in which we write a hash is read.
fn hash(digits: &str) -> Option<Hash> {
    let hash: Hash = digits.parse().ok()?;
    (digits.len() == HASH_DIGITS && hash.to_string() == digits).then_some(hash)
}

fn begun(stem: &str) -> Option<BlobRef> {
    let (digits, size) = stem.split_once('-')?;
    Some(BlobRef { hash: hash(digits)?, size: size.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        let names = Names::new(Path::new("/blobs"));
        let blob = BlobRef::of(b"content");
        let kind = |path: PathBuf| FileKind::of(path.file_name().unwrap());
        assert_eq!(kind(names.whole(&blob.hash)), FileKind::Whole(blob.hash));
        assert_eq!(kind(names.begun(&blob)), FileKind::Begun(blob));
        assert_eq!(kind(Names::tree_of(&names.whole(&blob.hash))), FileKind::Tree);
        assert_eq!(kind(names.temp(3)), FileKind::Temp);
        let upper = blob.hash.to_string().to_uppercase();
        for foreign in ["", "notes.txt", ".part", "12-3.part", "-.part", &upper] {
            assert_eq!(FileKind::of(OsStr::new(foreign)), FileKind::Foreign, "{foreign}");
        }
    }
}
