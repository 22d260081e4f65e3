//! The content of every blob that anybody has ever made, so that properties can recompute what members only name.

use std::{collections::BTreeMap, rc::Rc};

use crate::ids::BlobRef;

/// Blobs by their names.
#[derive(Debug, Default)]
pub(super) struct Archive(BTreeMap<BlobRef, Rc<[u8]>>);

impl Archive {
    pub(super) fn put(&mut self, bytes: Vec<u8>) -> BlobRef {
        let blob = BlobRef::of(&bytes);
        self.0.entry(blob).or_insert_with(|| bytes.into());
        blob
    }

    /// The content of `blob`; nothing if nobody has made it, as when a liar names one out of thin air.
    pub(super) fn get(&self, blob: &BlobRef) -> Option<Rc<[u8]>> {
        self.0.get(blob).cloned()
    }
}
