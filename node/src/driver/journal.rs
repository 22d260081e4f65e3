//! The journal between the core and the disk: entries wait until something is about to be said that rests on them.
//!
//! What a node has only heard may be lost in a crash, as if it had not been heard; what it has said may not. So entries
//! are written, in order and in one transaction, before the node next says anything that binds it.

use std::sync::Arc;

use althing_protocol::machine::{Commit, JournalEntry};

use crate::store::{self, Store, StoreError};

/// Entries that wait, beyond which they are written whether or not anything is said: it bounds the memory.
const WAITING_MAX: usize = 256;

/// The store with what is not yet written to it.
pub(super) struct Journal {
    store: Arc<Store>,
    waiting: Vec<(u64, Vec<u8>)>,
}

impl Journal {
    pub(super) const fn new(store: Arc<Store>) -> Self {
        Self { store, waiting: Vec::new() }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Takes an entry, to be written with the next that must be.
    pub(super) fn append(&mut self, entry: JournalEntry) -> Result<(), StoreError> {
        self.waiting.push((entry.until.0, entry.bytes.into_vec()));
        if self.waiting.len() < WAITING_MAX { Ok(()) } else { self.flush() }
    }

    /// Writes what waits. The disk is waited for: nobody else needs this thread meanwhile.
    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.waiting);
        tokio::task::block_in_place(|| self.store.append(&entries))
    }

    /// Writes a decision; entries that it makes needless are never written.
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.waiting.retain(|(until, _)| *until > commit.height.0);
        self.flush()?;
        let certificate = althing_protocol::codec::encode(&commit.decision.certificate);
        let state = commit.state.encode();
        tokio::task::block_in_place(|| {
            self.store.commit(store::Commit {
                height: commit.height.0,
                body: &commit.decision.body,
                certificate: &certificate,
                state: &state,
                drop_journal_up_to: commit.height.0,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::{Height, NetworkId};

    use super::*;

    fn entry(until: u64, byte: u8) -> JournalEntry {
        JournalEntry { until: Height(until), bytes: vec![byte].into() }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn entries_wait_until_something_is_said_and_keep_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &NetworkId([1; 32])).unwrap();
        let mut journal = Journal::new(Arc::new(store));
        journal.append(entry(1, 7)).unwrap();
        journal.append(entry(1, 8)).unwrap();
        assert_eq!(journal.store().journal().unwrap(), [], "what was only heard is not yet on the disk");
        journal.flush().unwrap();
        journal.append(entry(2, 9)).unwrap();
        journal.flush().unwrap();
        assert_eq!(journal.store().journal().unwrap(), [(1, vec![7]), (1, vec![8]), (2, vec![9])]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_flood_of_entries_is_written_before_it_fills_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &NetworkId([1; 32])).unwrap();
        let mut journal = Journal::new(Arc::new(store));
        for _ in 0..WAITING_MAX {
            journal.append(entry(1, 0)).unwrap();
        }
        assert_eq!(journal.store().journal().unwrap().len(), WAITING_MAX);
    }
}
