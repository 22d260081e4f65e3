//! What the schedule tells people about the fetches under way.

use althing_protocol::ids::BlobRef;

use super::{Phase, Schedule};
use crate::blobs::tree;

/// A blob on its way to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transit {
    /// Which.
    pub blob: BlobRef,
    /// Its pieces.
    pub pieces: u32,
    /// Those of them that are here and proven.
    pub landed: u32,
    /// Those that members have been asked for and have not sent; one may be asked of two.
    pub in_flight: usize,
    /// Members that are known to have it.
    pub providers: usize,
}

impl Schedule {
    /// The blobs that are being fetched.
    pub(in crate::blobs) fn wanted(&self) -> impl Iterator<Item = BlobRef> {
        self.fetches.values().map(|fetch| fetch.blob)
    }

    /// The first `most` fetches under way, the oldest first.
    pub(in crate::blobs) fn under_way(&self, most: usize) -> Vec<Transit> {
        let transit = |(id, fetch): (&super::FetchId, &super::Fetch)| {
            let pieces = tree::pieces(fetch.blob.size).unwrap_or(0);
            let missing = match fetch.phase {
                // What an earlier attempt has left shows itself once the files are open.
                Phase::Waiting | Phase::Stalled | Phase::Opening => pieces,
                Phase::Active | Phase::Finishing => u32::try_from(fetch.missing.len()).unwrap_or(pieces),
            };
            Transit {
                blob: fetch.blob,
                pieces,
                landed: pieces.saturating_sub(missing),
                in_flight: self.in_flight(*id),
                providers: fetch.providers.len(),
            }
        };
        self.fetches.iter().take(most).map(transit).collect()
    }
}
