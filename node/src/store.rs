//! What a node must not forget: decisions, the journal of what it said, and the memory of its agents.
//!
//! One redb file, one durable transaction per change. The store keeps bytes and their order; what they mean is for the
//! core to know. A change is on the disk when the call that made it returns, so the caller publishes only after that.
//!
//! Every open verifies the checksum of every page first: a file that was damaged behind the store's back is refused
//! with [`StoreError::Damaged`], and one that a crash left in mid-write is rolled back to its last commit.

mod error;
mod origin;
#[cfg(test)]
mod tests;

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use althing_protocol::ids::NetworkId;
use redb::{
    Builder, Database, Durability, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
    backends::FileBackend,
};

use crate::transcript::ENTRIES_MAX;
use error::Failed;
pub use error::StoreError;
pub use origin::Origin;

/// Name of the store's file in a node's data folder.
pub const FILE_NAME: &str = "node.redb";

/// Memory for cached and not yet written pages, in bytes. A node lives in 100 MB, and its hot data is one height.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// Version of the tables below. A store with a greater one was written by a newer program.
const SCHEMA: u32 = 1;

const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
const CERTIFICATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("certificates");
const JOURNAL: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("journal");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const PRIVACY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("privacy");
const TRANSCRIPT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("transcript");
const AGENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("agents");

/// Under this name the store remembers where the epidemic exchange stands. No agent has it.
pub const EXCHANGE: &str = "exchange";

const META_SCHEMA: &str = "schema";
const META_NETWORK: &str = "network";
const META_HEIGHT: &str = "height";
const META_STATE: &str = "state";

/// A node's store. Calls block on the disk; writers queue for one another, readers for nobody.
#[derive(Debug)]
pub struct Store {
    database: Database,
    path: PathBuf,
    /// Place of the next journal entry. It changes only inside a write transaction, of which there is one at a time.
    next_entry: AtomicU64,
}

/// A decision with all that changes with it.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The height that is decided.
    pub height: u64,
    /// The decided body, encoded.
    pub body: &'a [u8],
    /// The proof that it is decided, encoded.
    pub certificate: &'a [u8],
    /// The core's state after it, encoded.
    pub state: &'a [u8],
    /// Journal entries of this height and of all below it are no longer needed.
    pub drop_journal_up_to: u64,
}

/// A decided height as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Which height.
    pub height: u64,
    /// The decided body, encoded.
    pub body: Vec<u8>,
    /// The proof that it is decided, encoded.
    pub certificate: Vec<u8>,
}

impl Store {
    /// Whether `dir` holds a store.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE_NAME).exists()
    }

    /// Opens the store in `dir` for `network`, and creates folder and file when they are missing.
    ///
    /// # Errors
    /// [`StoreError`] when another process has it open, when it belongs to another network or to a newer program, when
    /// it is damaged, and when the disk refuses.
    pub fn open(dir: &Path, network: &NetworkId) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let unusable = |source| StoreError::Unusable { path: path.clone(), source };
        fs::create_dir_all(dir).map_err(unusable)?;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(unusable)?;
        // The new file's name must survive a power failure as its contents do.
        fs::File::open(dir).and_then(|folder| folder.sync_all()).map_err(unusable)?;
        let backend = FileBackend::new(file).map_err(|error| StoreError::from_redb(&path, error))?;
        Self::with_backend(backend, path, network)
    }

    /// A store over any backend: tests bring one that fails.
    fn with_backend(backend: impl StorageBackend, path: PathBuf, network: &NetworkId) -> Result<Self, StoreError> {
        let database = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
            .map_err(|error| StoreError::from_redb(&path, error))?;
        let mut store = Self { database, path, next_entry: AtomicU64::new(0) };
        store.claim(network)?;
        if store.origin()? == Origin::Moved {
            return Err(StoreError::Moved { at_ms: store.moved_at()?, path: store.path });
        }
        let next = store.journal_rows()?.last().map_or(0, |&(sequence, _, _)| sequence.saturating_add(1));
        store.next_entry = AtomicU64::new(next);
        Ok(store)
    }

    /// Makes a new store this network's, or checks that an old one is, and that this program knows its tables.
    fn claim(&self, network: &NetworkId) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let stored = |value: Option<redb::AccessGuard<'_, &[u8]>>| value.map(|bytes| bytes.value().to_vec());
            if let Some(bytes) = stored(meta.get(META_SCHEMA)?) {
                let found = <[u8; 4]>::try_from(bytes).map_or(u32::MAX, u32::from_le_bytes);
                if found > SCHEMA {
                    return Err(StoreError::Newer { path: self.path.clone(), found, known: SCHEMA }.into());
                }
            }
            if let Some(bytes) = stored(meta.get(META_NETWORK)?)
                && bytes != network.as_bytes()
            {
                let found =
                    <[u8; 32]>::try_from(bytes).map_or_else(|_| "no network".into(), |id| NetworkId(id).short());
                return Err(StoreError::OtherNetwork { path: self.path.clone(), found, wanted: network.short() }.into());
            }
            meta.insert(META_SCHEMA, &SCHEMA.to_le_bytes()[..])?;
            meta.insert(META_NETWORK, &network.as_bytes()[..])?;
            transaction.open_table(BLOCKS)?;
            transaction.open_table(CERTIFICATES)?;
            transaction.open_table(JOURNAL)?;
            transaction.open_table(AGENTS)?;
            transaction.open_table(PRIVACY)?;
            transaction.open_table(TRANSCRIPT)?;
            Ok(())
        })
    }

    /// Appends `entries` (height, bytes) to the journal, all or none, in this order.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses; then none of them is in the journal after the next open.
    pub fn append(&self, entries: &[(u64, Vec<u8>)]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut journal = transaction.open_table(JOURNAL)?;
            let mut sequence = self.next_entry.load(Ordering::Relaxed);
            for (height, bytes) in entries {
                journal.insert((*height, sequence), bytes.as_slice())?;
                sequence = sequence.saturating_add(1);
            }
            // A gap that a failed commit leaves in the numbers is harmless: only their order counts.
            self.next_entry.store(sequence, Ordering::Relaxed);
            Ok(())
        })
    }

    /// The whole journal (height, bytes) in the order in which it was written.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn journal(&self) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        Ok(self.journal_rows()?.into_iter().map(|(_, height, bytes)| (height, bytes)).collect())
    }

    /// The journal's rows (sequence, height, bytes) by sequence.
    fn journal_rows(&self) -> Result<Vec<(u64, u64, Vec<u8>)>, StoreError> {
        let mut rows = self.read(|transaction| {
            let mut rows = Vec::new();
            for row in transaction.open_table(JOURNAL)?.iter()? {
                let (key, bytes) = row?;
                let (height, sequence) = key.value();
                rows.push((sequence, height, bytes.value().to_vec()));
            }
            Ok(rows)
        })?;
        rows.sort_unstable_by_key(|&(sequence, _, _)| sequence);
        Ok(rows)
    }

    /// Makes a decision permanent: block, certificate and state enter and the settled part of the journal leaves, all
    /// in one transaction. The same body at the same height again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Gap`] when a height is missing before it, [`StoreError::Overwrite`] when another body stands at
    /// its height, and the disk's refusals.
    pub fn commit(&self, commit: Commit<'_>) -> Result<(), StoreError> {
        self.write(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let have = stored_height(&meta)?;
            let mut blocks = transaction.open_table(BLOCKS)?;
            if let Some(old) = blocks.get(commit.height)? {
                let height = commit.height;
                return if old.value() == commit.body { Ok(()) } else { Err(StoreError::Overwrite { height }.into()) };
            }
            if commit.height != have.saturating_add(1) {
                return Err(StoreError::Gap { have, got: commit.height }.into());
            }
            blocks.insert(commit.height, commit.body)?;
            transaction.open_table(CERTIFICATES)?.insert(commit.height, commit.certificate)?;
            meta.insert(META_STATE, commit.state)?;
            meta.insert(META_HEIGHT, &commit.height.to_le_bytes()[..])?;
            let settled = (0, 0)..=(commit.drop_journal_up_to, u64::MAX);
            transaction.open_table(JOURNAL)?.retain_in(settled, |_, _| false)?;
            Ok(())
        })
    }

    /// The last decided height and the core's state after it; none before the first decision.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn state(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        self.read(|transaction| {
            let meta = transaction.open_table(META)?;
            let state = meta.get(META_STATE)?.map(|bytes| bytes.value().to_vec());
            Ok(state.map(|bytes| stored_height(&meta).map(|height| (height, bytes))).transpose()?)
        })
    }

    /// The last decided height, 0 before the first decision.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn height(&self) -> Result<u64, StoreError> {
        self.read(|transaction| Ok(stored_height(&transaction.open_table(META)?)?))
    }

    /// The decision of `height`, if there is one yet.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        let found = self.blocks(height, 1, usize::MAX)?.into_iter().next();
        Ok(found.filter(|block| block.height == height))
    }

    /// Decided heights from `from` on, at most `max_count` of them and `max_bytes` together. The first one comes
    /// whatever its size, so that whoever asks always gets on.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn blocks(&self, from: u64, max_count: usize, max_bytes: usize) -> Result<Vec<Block>, StoreError> {
        self.read(|transaction| {
            let certificates = transaction.open_table(CERTIFICATES)?;
            let (mut found, mut bytes) = (Vec::new(), 0_usize);
            for row in transaction.open_table(BLOCKS)?.range(from..)?.take(max_count) {
                let (height, body) = row?;
                let certificate = certificates.get(height.value())?.map(|bytes| bytes.value().to_vec());
                let certificate = certificate.unwrap_or_default();
                bytes = bytes.saturating_add(body.value().len()).saturating_add(certificate.len());
                if bytes > max_bytes && !found.is_empty() {
                    break;
                }
                found.push(Block { height: height.value(), body: body.value().to_vec(), certificate });
            }
            Ok(found)
        })
    }

    /// What the agent `name`, or [`EXCHANGE`], remembers.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn recall(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(AGENTS)?.get(name)?.map(|bytes| bytes.value().to_vec())))
    }

    /// Makes the agent `name`, or [`EXCHANGE`], remember `bytes` in place of what it remembered.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn remember(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.open_table(AGENTS)?.insert(name, bytes)?;
            Ok(())
        })
    }

    /// Adds an entry to the transcript of its agents, and forgets those beyond the newest [`ENTRIES_MAX`]. It is on the
    /// disk with the next change that is durable at once.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn transcribe(&self, entry: &[u8]) -> Result<(), StoreError> {
        self.write_with(Durability::None, |transaction| {
            let mut transcript = transaction.open_table(TRANSCRIPT)?;
            let next = transcript.last()?.map_or(0, |(number, _)| number.value().saturating_add(1));
            transcript.insert(next, entry)?;
            if let Some(oldest) = next.checked_sub(ENTRIES_MAX) {
                transcript.remove(oldest)?;
            }
            Ok(())
        })
    }

    /// The newest entries of the transcript, at most `count`, the oldest of them first.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn transcript(&self, count: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut entries = self.read(|transaction| {
            let transcript = transaction.open_table(TRANSCRIPT)?;
            let newest = transcript.iter()?.rev().take(count);
            newest.map(|row| Ok(row?.1.value().to_vec())).collect::<Result<Vec<_>, Failed>>()
        })?;
        entries.reverse();
        Ok(entries)
    }

    /// What is kept of privacy under `key`.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn privacy(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|transaction| Ok(transaction.open_table(PRIVACY)?.get(key)?.map(|bytes| bytes.value().to_vec())))
    }

    /// Keeps `bytes` of privacy under `key`, in place of what was there.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn keep_privacy(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.open_table(PRIVACY)?.insert(key, bytes)?;
            Ok(())
        })
    }

    /// Keeps nothing of privacy any more.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses.
    pub fn forget_privacy(&self) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.open_table(PRIVACY)?.retain(|_, _| false)?;
            Ok(())
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `change` in a transaction that is on the disk when this returns, or was never begun if `change` fails.
    fn write(&self, change: impl FnOnce(&WriteTransaction) -> Result<(), Failed>) -> Result<(), StoreError> {
        self.write_with(Durability::Immediate, change)
    }

    fn write_with(
        &self,
        durability: Durability,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Failed>,
    ) -> Result<(), StoreError> {
        let run = || -> Result<(), Failed> {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(durability)?;
            change(&transaction)?;
            Ok(transaction.commit()?)
        };
        run().map_err(|failed| failed.at(&self.path))
    }

    /// Runs `query` on one snapshot.
    fn read<T>(&self, query: impl FnOnce(&redb::ReadTransaction) -> Result<T, Failed>) -> Result<T, StoreError> {
        let run = || query(&self.database.begin_read()?);
        run().map_err(|failed| failed.at(&self.path))
    }
}

fn stored_height(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<u64, redb::StorageError> {
    let bytes = meta.get(META_HEIGHT)?.and_then(|bytes| <[u8; 8]>::try_from(bytes.value()).ok());
    Ok(bytes.map_or(0, u64::from_le_bytes))
}
