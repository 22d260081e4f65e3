//! Blobs in a folder: whole ones by their hash, and begun ones that a restart takes up again.
//!
//! ```text
//! <hash>                   a whole blob           <hash>.tree              its tree
//! <hash>-<size>.part       a begun one            <hash>-<size>.part.tree  the nodes it has so far
//! temp-<n>                 being written by `put`, deleted when the store opens
//! ```
//! The disk is not trusted: what was found when the store opened is hashed once before it is handed out, and every
//! slice is proven before it is sent. What turns out damaged is deleted and counts as absent, so that it is fetched
//! again. All calls block; call them from a blocking task when the blob is large.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use althing_protocol::ids::{BlobRef, Hash};
use bao_tree::io::{EncodeError, sync::outboard_post_order};

use super::{
    pieces::Pieces,
    tree::{self, Span},
};

mod names;
mod partial;
#[cfg(test)]
mod tests;

use names::{FileKind, Names};
use partial::Held;
pub(super) use partial::{Opening, Partial, WriteError};

/// Whether a blob must survive a power cut, or can be fetched or made again after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Synced to the disk before the call returns.
    Durable,
    /// Left to the operating system: quick, and lost at worst.
    Refetchable,
}

/// Why the store could not do its work. The disk is at fault, never a peer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk is full: cannot {action} {}; free some space, then try again", path.display())]
    Full {
        /// What was to be done.
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
    },
    /// Any other fault of the disk.
    #[error("cannot {action} {}: {source}; check the folder and its permissions", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl StoreError {
    /// Wraps `source`, met while doing `action` to `path`.
    fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { action, path },
            _ => Self::Io { action, path, source },
        }
    }
}

/// Whether the content of a file has been compared with its hash since the store opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Checked,
    Unchecked,
}

/// A whole blob.
#[derive(Debug, Clone, Copy)]
struct Entry {
    size: u64,
    trust: Trust,
}

/// What the folder holds.
#[derive(Debug, Default)]
struct Index {
    whole: BTreeMap<Hash, Entry>,
    begun: BTreeMap<BlobRef, Begun>,
}

/// A blob that is not whole.
#[derive(Debug, Default)]
struct Begun {
    /// Open [`Partial`]s on it.
    open: u32,
    /// What is proven to be here, while it is open.
    held: Option<Arc<Held>>,
}

#[derive(Debug)]
struct Inner {
    names: Names,
    index: Mutex<Index>,
    next_temp: AtomicU64,
}

/// A folder of blobs. Clones share it; no two processes may.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Opens the store in `dir`, which is created if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be created or read.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|e| StoreError::new("create the blob folder", dir, e))?;
        let names = Names::new(dir);
        let index = scan(&names)?;
        let inner = Inner { names, index: Mutex::new(index), next_temp: AtomicU64::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Stores `bytes` and returns their reference.
    ///
    /// # Errors
    /// If the disk is full or fails; then nothing is stored.
    pub fn put(&self, bytes: &[u8], durability: Durability) -> Result<BlobRef, StoreError> {
        self.put_from(bytes, durability)
    }

    /// Stores all that `source` yields, without holding it in memory, and returns its reference.
    ///
    /// # Errors
    /// If the source, or the disk, fails; then nothing is stored.
    pub fn put_from(&self, source: impl Read, durability: Durability) -> Result<BlobRef, StoreError> {
        let number = self.inner.next_temp.fetch_add(1, Ordering::Relaxed);
        let temp = self.inner.names.temp(number);
        let temp_nodes = Names::tree_of(&temp);
        let stored = self.write_and_adopt(source, durability, &temp, &temp_nodes);
        if stored.is_err() {
            // Best effort: whatever stays is deleted when the store opens again.
            let _ = fs::remove_file(&temp);
            let _ = fs::remove_file(&temp_nodes);
        }
        stored
    }

    fn write_and_adopt(
        &self,
        mut source: impl Read,
        durability: Durability,
        temp: &Path,
        temp_nodes: &Path,
    ) -> Result<BlobRef, StoreError> {
        let failed = |e| StoreError::new("write", temp, e);
        let mut file = File::create(temp).map_err(failed)?;
        let size = io::copy(&mut source, &mut file).map_err(failed)?;
        let root = write_tree(temp, temp_nodes, size)?;
        let blob = BlobRef { hash: root, size };
        if durability == Durability::Durable {
            file.sync_all().map_err(failed)?;
            File::open(temp_nodes).and_then(|f| f.sync_all()).map_err(|e| StoreError::new("sync", temp_nodes, e))?;
        }
        self.adopt(&blob, temp, temp_nodes)?;
        if durability == Durability::Durable {
            let dir = self.inner.names.dir();
            File::open(dir).and_then(|f| f.sync_all()).map_err(|e| StoreError::new("sync", dir, e))?;
        }
        Ok(blob)
    }

    /// Gives the files of a proven blob their final names. The tree goes first: a blob that is there has its tree.
    fn adopt(&self, blob: &BlobRef, data: &Path, nodes: &Path) -> Result<(), StoreError> {
        let whole = self.inner.names.whole(&blob.hash);
        let whole_nodes = Names::tree_of(&whole);
        fs::rename(nodes, &whole_nodes).map_err(|e| StoreError::new("rename", nodes, e))?;
        fs::rename(data, &whole).map_err(|e| StoreError::new("rename", data, e))?;
        self.index().whole.insert(blob.hash, Entry { size: blob.size, trust: Trust::Checked });
        Ok(())
    }

    /// The content of `blob`, or none if it is not here whole.
    ///
    /// # Errors
    /// If the file cannot be read. A damaged file is no error: it is deleted and counts as absent.
    pub fn get(&self, blob: &BlobRef) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(entry) = self.entry(blob) else { return Ok(None) };
        let path = self.inner.names.whole(&blob.hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(StoreError::new("read", &path, e)),
        };
        let sound = bytes.len() as u64 == blob.size && (entry.trust == Trust::Checked || Hash::of(&bytes) == blob.hash);
        if !sound {
            self.discard_damaged(blob)?;
            return Ok(None);
        }
        self.trust(blob);
        Ok(Some(bytes))
    }

    /// Whether `blob` is here whole.
    pub fn contains(&self, blob: &BlobRef) -> bool {
        self.entry(blob).is_some()
    }

    /// The blobs that are here whole.
    pub fn list(&self) -> BTreeSet<BlobRef> {
        self.index().whole.iter().map(|(hash, entry)| BlobRef { hash: *hash, size: entry.size }).collect()
    }

    /// The blobs of which some may be here.
    pub(super) fn begun(&self) -> Vec<BlobRef> {
        self.index().begun.keys().copied().collect()
    }

    /// Deletes `blob`, whole or begun. One that is being fetched goes when its fetch ends or is cancelled.
    ///
    /// # Errors
    /// If a file cannot be deleted.
    pub fn remove(&self, blob: &BlobRef) -> Result<(), StoreError> {
        if self.entry(blob).is_some() {
            delete_pair(&self.inner.names.whole(&blob.hash))?;
            self.index().whole.remove(&blob.hash);
        }
        self.remove_begun(blob)
    }

    fn remove_begun(&self, blob: &BlobRef) -> Result<(), StoreError> {
        if self.index().begun.get(blob).is_some_and(|begun| begun.open == 0) {
            delete_pair(&self.inner.names.begun(blob))?;
            self.index().begun.remove(blob);
        }
        Ok(())
    }

    /// Deletes all blobs, whole or begun, but those in `wanted` and those being fetched.
    ///
    /// # Errors
    /// If a file cannot be deleted; those before it are gone.
    pub fn retain(&self, wanted: &BTreeSet<BlobRef>) -> Result<(), StoreError> {
        let (whole, begun) = {
            let index = self.index();
            let whole = index.whole.iter().map(|(hash, entry)| BlobRef { hash: *hash, size: entry.size });
            (whole.collect::<BTreeSet<_>>(), index.begun.keys().copied().collect::<BTreeSet<_>>())
        };
        whole.difference(wanted).try_for_each(|blob| self.remove(blob))?;
        // What has become whole by another way needs its beginnings no more.
        let needless = begun.iter().filter(|blob| !wanted.contains(blob) || whole.contains(blob));
        needless.into_iter().try_for_each(|blob| self.remove_begun(blob))
    }

    /// Bytes that the blobs take, a begun one counting in full, without their trees (0.4 % more).
    pub fn used_bytes(&self) -> u64 {
        let index = self.index();
        let whole = index.whole.values().map(|entry| entry.size);
        whole.chain(index.begun.keys().map(|blob| blob.size)).sum()
    }

    /// The pieces of `blob` that are here: all, or those of one that is being fetched.
    pub(super) fn pieces(&self, blob: &BlobRef) -> Option<Pieces> {
        if self.entry(blob).is_some() {
            return tree::pieces(blob.size).map(Pieces::all);
        }
        self.held(blob).map(|held| held.pieces())
    }

    /// Opens a blob to be served, whole or as far as it has come; none if nothing of it is here.
    pub(super) fn reader(&self, blob: &BlobRef) -> Result<Option<Reader>, StoreError> {
        if self.entry(blob).is_some() {
            let path = self.inner.names.whole(&blob.hash);
            if !Names::tree_of(&path).exists() && self.mend(blob)? == Health::Gone {
                return Ok(None);
            }
            return Reader::open(blob, &path, None);
        }
        match self.held(blob) {
            Some(held) => Reader::open(blob, &self.inner.names.begun(blob), Some(held)),
            None => Ok(None),
        }
    }

    fn held(&self, blob: &BlobRef) -> Option<Arc<Held>> {
        self.index().begun.get(blob)?.held.clone()
    }

    /// Checks a blob against its hash: makes its tree anew if the content is sound, deletes both if it is not.
    pub(super) fn mend(&self, blob: &BlobRef) -> Result<Health, StoreError> {
        if self.entry(blob).is_none() {
            return Ok(Health::Gone);
        }
        let path = self.inner.names.whole(&blob.hash);
        let found = fs::metadata(&path).ok().map(|file| file.len());
        if found == Some(blob.size) {
            // Written aside and renamed: another stream may be reading the tree at this moment.
            let temp = self.inner.names.temp(self.inner.next_temp.fetch_add(1, Ordering::Relaxed));
            let root = write_tree(&path, &temp, blob.size)?;
            if root == blob.hash {
                fs::rename(&temp, Names::tree_of(&path)).map_err(|e| StoreError::new("rename", &temp, e))?;
                self.trust(blob);
                return Ok(Health::Sound);
            }
            delete(&temp)?;
        }
        self.discard_damaged(blob)?;
        Ok(Health::Gone)
    }

    fn discard_damaged(&self, blob: &BlobRef) -> Result<(), StoreError> {
        tracing::warn!(%blob, "a stored blob is damaged; deleted, it will be fetched again when it is wanted");
        self.remove(blob)
    }

    /// The entry of `blob`, if it is here whole and of the size that the reference names.
    fn entry(&self, blob: &BlobRef) -> Option<Entry> {
        self.index().whole.get(&blob.hash).copied().filter(|entry| entry.size == blob.size)
    }

    fn trust(&self, blob: &BlobRef) {
        if let Some(entry) = self.index().whole.get_mut(&blob.hash) {
            entry.trust = Trust::Checked;
        }
    }

    /// The index. A thread that panicked while it held the lock left it whole: every change is a single call.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.inner.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`Store::mend`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    /// Content and tree are right, or are now.
    Sound,
    /// The content was wrong and has been deleted.
    Gone,
}

/// A blob, open to be served.
#[derive(Debug)]
pub(super) struct Reader {
    blob: BlobRef,
    data: File,
    nodes: File,
    /// What of it may be read; all, if nothing is said.
    held: Option<Arc<Held>>,
}

/// Why no slice could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum SliceError {
    /// The blob is being fetched, and this part has not come yet.
    #[error("this part of the blob is not here yet")]
    Lacking,
    /// Content or tree is not what it was.
    #[error("the stored blob is damaged")]
    Damaged,
    /// The disk failed.
    #[error("cannot read the blob: {0}")]
    Io(io::Error),
}

impl Reader {
    /// Opens the files of `blob`; nothing if they have just been renamed or deleted.
    fn open(blob: &BlobRef, path: &Path, held: Option<Arc<Held>>) -> Result<Option<Self>, StoreError> {
        let open = |path: &Path| match File::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::new("read", path, e)),
        };
        let (data, nodes) = (open(path)?, open(&Names::tree_of(path))?);
        Ok(data.zip(nodes).map(|(data, nodes)| Self { blob: *blob, data, nodes, held }))
    }

    /// The blob that is open.
    pub(super) fn blob(&self) -> &BlobRef {
        &self.blob
    }

    /// The proven slice of `span`, which fits the blob.
    pub(super) fn slice(&self, span: Span) -> Result<Vec<u8>, SliceError> {
        if self.held.as_ref().is_some_and(|held| !held.contains(span)) {
            return Err(SliceError::Lacking);
        }
        tree::encode_slice(&self.blob, span, &self.data, &self.nodes).map_err(|error| match error {
            EncodeError::Io(e) if e.kind() != io::ErrorKind::UnexpectedEof => SliceError::Io(e),
            _ => SliceError::Damaged,
        })
    }
}

/// Finds out what the folder holds and deletes what nobody can use.
fn scan(names: &Names) -> Result<Index, StoreError> {
    let dir = names.dir();
    let failed = |e| StoreError::new("read the blob folder", dir, e);
    let mut index = Index::default();
    for file in fs::read_dir(dir).map_err(failed)? {
        let file = file.map_err(failed)?;
        match FileKind::of(&file.file_name()) {
            FileKind::Whole(hash) => {
                let size = file.metadata().map_err(failed)?.len();
                index.whole.insert(hash, Entry { size, trust: Trust::Unchecked });
            }
            FileKind::Begun(blob) => {
                index.begun.insert(blob, Begun::default());
            }
            FileKind::Temp => delete(&file.path())?,
            // A tree without its blob is harmless: the next blob of that name overwrites it.
            FileKind::Tree | FileKind::Foreign => {}
        }
    }
    Ok(index)
}

/// Writes the tree over the `size` bytes at `data` to `nodes` and returns its root.
fn write_tree(data: &Path, nodes: &Path, size: u64) -> Result<Hash, StoreError> {
    let source = File::open(data).map_err(|e| StoreError::new("read", data, e))?;
    let failed = |e| StoreError::new("write", nodes, e);
    let mut target = io::BufWriter::new(File::create(nodes).map_err(failed)?);
    let root = outboard_post_order(source, tree::tree(size), &mut target).map_err(failed)?;
    target.flush().map_err(failed)?;
    Ok(Hash(*root.as_bytes()))
}

/// Deletes a content and its tree.
fn delete_pair(data: &Path) -> Result<(), StoreError> {
    delete(data)?;
    delete(&Names::tree_of(data))
}

/// Deletes a file; one that is gone already is as good.
fn delete(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::new("delete", path, e)),
        _ => Ok(()),
    }
}
