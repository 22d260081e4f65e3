//! A blob that is on its way in.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use althing_protocol::ids::BlobRef;
use bao_tree::io::DecodeError;

use super::{Names, Store, StoreError};
use crate::blobs::{
    pieces::Pieces,
    tree::{self, Span},
};

/// What was found when a blob was opened to be fetched.
#[derive(Debug)]
pub(in crate::blobs) enum Opening {
    /// It is here already.
    Whole,
    /// It can be written, and these pieces of it are missing.
    Begun(Partial, Vec<u32>),
}

/// Why a slice was not written.
#[derive(Debug)]
pub(in crate::blobs) enum WriteError {
    /// The slice is not what was asked for: the sender lies.
    Forged,
    /// The disk failed.
    Disk(StoreError),
}

/// The files of a begun blob. Pieces may be written from several threads at once.
#[derive(Debug)]
pub(in crate::blobs) struct Partial {
    blob: BlobRef,
    path: PathBuf,
    data: File,
    nodes: File,
    held: Arc<Held>,
    store: Store,
}

/// What is proven to be here of a begun blob: it may be served.
#[derive(Debug)]
pub(super) struct Held(Mutex<Pieces>);

impl Held {
    pub(super) fn pieces(&self) -> Pieces {
        self.lock().clone()
    }

    /// Whether all of `span` is here.
    pub(super) fn contains(&self, span: Span) -> bool {
        let pieces = self.lock();
        span.pieces().all(|piece| pieces.contains(piece))
    }

    /// The pieces. A thread that panicked while it held the lock left them whole: every change is a single call.
    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Opens `blob` to be written piece by piece, and finds out what is missing by hashing what is there.
    pub(in crate::blobs) fn begin(&self, blob: &BlobRef) -> Result<Opening, StoreError> {
        if self.contains(blob) {
            return Ok(Opening::Whole);
        }
        let path = self.inner.names.begun(blob);
        let nodes_path = Names::tree_of(&path);
        let data = open(&path)?;
        // A sparse file: what is missing reads as zeros, which never pass for content.
        data.set_len(blob.size).map_err(|e| StoreError::new("enlarge", &path, e))?;
        let nodes = open(&nodes_path)?;
        self.index().begun.entry(*blob).or_default().open += 1;
        let held = Arc::new(Held(Mutex::new(Pieces::none(tree::pieces(blob.size).unwrap_or(0)))));
        let partial = Partial { blob: *blob, path, data, nodes, held, store: self.clone() };
        let missing = tree::missing_pieces(blob, &partial.data, &partial.nodes);
        let missing = missing.map_err(|e| StoreError::new("read", &partial.path, e))?;
        partial.serve_all_but(&missing);
        Ok(Opening::Begun(partial, missing))
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(|e| StoreError::new("open", path, e))
}

impl Partial {
    /// The blob that is being written.
    pub(in crate::blobs) fn blob(&self) -> &BlobRef {
        &self.blob
    }

    /// What is here is served from now on.
    fn serve_all_but(&self, missing: &[u32]) {
        let count = tree::pieces(self.blob.size).unwrap_or(0);
        *self.held.lock() = Pieces::all_but(count, missing);
        if let Some(begun) = self.store.index().begun.get_mut(&self.blob) {
            begun.held = Some(Arc::clone(&self.held));
        }
    }

    /// Writes `slice`, the answer to a request for `span`, if it is proven against the root.
    pub(in crate::blobs) fn write(&self, span: Span, slice: &[u8]) -> Result<(), WriteError> {
        let written = tree::decode_slice(&self.blob, span, slice, &self.data, &self.nodes);
        written.map_err(|error| match error {
            DecodeError::Io(e) => WriteError::Disk(self.fault("write", e)),
            _ => WriteError::Forged,
        })?;
        if let Some(piece) = span.piece(self.blob.size) {
            self.held.lock().insert(piece);
        }
        Ok(())
    }

    /// Makes the blob whole. The caller has written every missing piece, so its hash is proven.
    pub(in crate::blobs) fn finish(&self) -> Result<(), StoreError> {
        self.store.adopt(&self.blob, &self.path, &Names::tree_of(&self.path))
    }

    fn fault(&self, action: &'static str, error: io::Error) -> StoreError {
        StoreError::new(action, &self.path, error)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let still_begun = self.path.exists();
        let mut index = self.store.index();
        let Some(begun) = index.begun.get_mut(&self.blob) else { return };
        begun.open = begun.open.saturating_sub(1);
        if begun.open > 0 {
            return;
        }
        // Nobody watches over the files any more.
        begun.held = None;
        if !still_begun {
            index.begun.remove(&self.blob);
        }
    }
}
