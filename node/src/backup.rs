//! Backups: a node's key, genesis, store and blobs in one folder, and the way back.
//!
//! A member must never sign two things for one slot, nor forget what its noise has cost. A backup that was copied cannot
//! know what the node did after it. So a node that is restored from a copy says nothing until its key cannot contradict
//! itself (spec R39), and its privacy account counts as lost. A backup that was *moved* is whole: the store that it was
//! taken of never opens again, and the backup can be restored once.

mod moving;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use althing_protocol::ids::{MemberId, NetworkId};
use serde::{Deserialize, Serialize};

use crate::{
    account::Witness,
    blobs,
    config::Config,
    driver::BLOBS_DIR,
    files::{self, FileError, Readers},
    genesis_file,
    keyfile::KeyFile,
    store::{FILE_NAME, Origin, Store, StoreError},
};

/// The version of a backup.
pub const FORMAT: &str = "althing-backup-1";

/// Says what a backup holds. It is written last, so that a folder without it is no backup.
const MANIFEST: &str = "backup.json";

/// Where a store is until it is whole, in the folder of the node's data.
const RESTORING: &str = "restoring";

/// The names of the files in a backup.
const KEY: &str = "key.toml";
const GENESIS: &str = "genesis.toml";
const WITNESS: &str = "key.toml.privacy.json";
const SHARED_KEY: &str = "shared.key";

/// Longest manifest, in bytes.
const MANIFEST_BYTES_MAX: u64 = 4_096;

/// Longest small file that is copied, in bytes.
const SMALL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What becomes of the node that a backup is taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It may go on, so the backup grows old.
    Copied,
    /// It never runs again: the backup is the node.
    Moved,
}

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// What became of the node.
    pub kind: Kind,
    /// Whose node it is.
    pub member: MemberId,
    /// Its federation.
    pub network: NetworkId,
    /// The last height that it had decided.
    pub height: u64,
    /// When it was taken, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What is known of the time between a backup and its restoration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Nothing: the node may have run.
    Unknown,
    /// Its owner vouches that no node has run with this key since.
    NothingSigned,
}

/// Why there is no backup, or none is restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A small file.
    #[error("backup: {0}")]
    File(#[from] FileError),
    /// The configured genesis.
    #[error(transparent)]
    Genesis(#[from] genesis_file::GenesisFileError),
    /// The configured key.
    #[error(transparent)]
    Key(#[from] crate::keyfile::KeyFileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs.
    #[error("backup: {0}")]
    Blobs(#[from] blobs::StoreError),
    /// A folder cannot be made or read.
    #[error("backup: {path}: {source}; check the path, its permissions and the space on the disk")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to save.
    #[error("there is no store in {0}, so there is nothing to save yet; check data_dir")]
    NoStore(PathBuf),
    /// The folder is not what this program wrote.
    #[error("{path} is no whole backup of this version ({detail}); choose another, or use the version that made it")]
    NoBackup {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// It was restored before.
    #[error(
        "{0} was moved here and has been restored already: a second node with its key would sign without knowing what the \
         first one signed; if that one is lost too, restore a copy"
    )]
    Restored(PathBuf),
    /// Something is there already.
    #[error("{0} exists already and is never overwritten; move it away, or name other places in the configuration")]
    Occupied(PathBuf),
    /// The configuration names another genesis or key.
    #[error("{path} is another {what} than the backup's; name another place for it in the configuration")]
    Differs {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
}

/// Saves the node of `config`, which must not run, to the new folder `to`.
///
/// # Errors
/// [`BackupError`] says what to do. A folder that stays behind is no backup, and the node is as it was; but a move that
/// broke off once the node was given up is finished by the same command.
pub fn save(config: &Config, to: &Path, kind: Kind) -> Result<Manifest, BackupError> {
    let genesis = genesis_file::load(&config.genesis)?;
    let (member, network) = (KeyFile::load(&config.key)?.id(), genesis.network());
    if !Store::exists(&config.data_dir) {
        return Err(BackupError::NoStore(config.data_dir.clone()));
    }
    if kind == Kind::Moved && moving::is_begun(to) {
        return moving::finish(config, to);
    }
    // Open until the end, so that no node can run meanwhile.
    let store = Store::open(&config.data_dir, &network)?;
    fs::create_dir(to).map_err(|source| folder(to, source))?;
    copy(&config.key, &to.join(KEY), Readers::Owner)?;
    copy(&config.genesis, &to.join(GENESIS), Readers::Everybody)?;
    let witness = Witness::beside(&config.key);
    if witness.path().exists() {
        copy(witness.path(), &to.join(WITNESS), Readers::Owner)?;
    }
    if let Some(path) = &config.net.shared_key_file {
        copy(path, &to.join(SHARED_KEY), Readers::Owner)?;
    }
    store.copy_to(&to.join(FILE_NAME))?;
    copy_blobs(&config.data_dir.join(BLOBS_DIR), &to.join(BLOBS_DIR))?;
    if kind == Kind::Copied {
        // In the backup itself: whoever puts the file back by hand is silent all the same.
        Store::open(to, &network)?.set_origin(Origin::Copy)?;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    let manifest = Manifest { format: FORMAT.into(), kind, member, network, height: store.height()?, at_ms };
    match kind {
        Kind::Moved => moving::give_up(&store, to, &manifest)?,
        Kind::Copied => {
            let text = serde_json::to_string_pretty(&manifest).unwrap_or_default();
            files::create(&to.join(MANIFEST), text, Readers::Everybody)?;
        }
    }
    Ok(manifest)
}

/// Puts the backup in the folder `from` where `config` says.
///
/// # Errors
/// [`BackupError`] says what to do. Nothing that exists is overwritten; what broke off is gone on with.
pub fn restore(config: &Config, from: &Path, since: Since) -> Result<Manifest, BackupError> {
    let manifest = manifest(from)?;
    let network = genesis_file::load(&from.join(GENESIS))?.network();
    let member = KeyFile::load(&from.join(KEY))?.id();
    if (network, member) != (manifest.network, manifest.member) {
        return Err(no_backup(from, "its key or genesis is another than its manifest says"));
    }
    same_or_absent(config, &manifest)?;
    if Store::exists(&config.data_dir) {
        return Err(BackupError::Occupied(config.data_dir.join(FILE_NAME)));
    }
    let fresh = config.data_dir.join(RESTORING);
    fs::create_dir_all(&fresh).map_err(|source| folder(&fresh, source))?;
    if manifest.kind == Kind::Moved {
        moving::claim(from, &fresh)?;
    }
    for (name, place, readers) in [(KEY, &config.key, Readers::Owner), (GENESIS, &config.genesis, Readers::Everybody)] {
        if !place.exists() {
            copy(&from.join(name), place, readers)?;
        }
    }
    let witness = Witness::beside(&config.key);
    if from.join(WITNESS).exists() && !witness.path().exists() {
        copy(&from.join(WITNESS), witness.path(), Readers::Owner)?;
    }
    let shared_key = from.join(SHARED_KEY);
    if let Some(place) = config.net.shared_key_file.as_deref().filter(|place| shared_key.exists() && !place.exists()) {
        copy(&shared_key, place, Readers::Owner)?;
    }
    restore_store(config, from, &manifest, since)?;
    clean_up(&config.data_dir);
    Ok(manifest)
}

/// The store comes last and under its name at once: until then there is nothing that could run.
fn restore_store(config: &Config, from: &Path, manifest: &Manifest, since: Since) -> Result<(), BackupError> {
    let dir = &config.data_dir;
    copy_blobs(&from.join(BLOBS_DIR), &dir.join(BLOBS_DIR))?;
    let (fresh, last) = (dir.join(RESTORING), dir.join(FILE_NAME));
    let file = fresh.join(FILE_NAME);
    let copied = fs::copy(from.join(FILE_NAME), &file).and_then(|_| fs::File::open(&file)?.sync_all());
    copied.map_err(|source| folder(&file, source))?;
    let origin = match (manifest.kind, since) {
        (Kind::Moved, _) | (Kind::Copied, Since::NothingSigned) => Origin::Whole,
        (Kind::Copied, Since::Unknown) => Origin::Copy,
    };
    Store::open(&fresh, &manifest.network)?.set_origin(origin)?;
    let moved = fs::rename(&file, &last).and_then(|()| files::sync_folder_of(&last));
    moved.map_err(|source| folder(&last, source))?;
    Ok(())
}

/// Takes away what a restoration has needed in the folder of a node's data, once its store is there: a second one must
/// not go on from it.
pub(crate) fn clean_up(data_dir: &Path) {
    let fresh = data_dir.join(RESTORING);
    if let Err(error) = fs::remove_dir_all(&fresh)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %fresh.display(), %error, "what is left of a restoration cannot be deleted; delete it by hand");
    }
}

fn manifest(from: &Path) -> Result<Manifest, BackupError> {
    if moving::is_begun(from) {
        return Err(no_backup(from, "the move broke off: finish it by the same `althing backup --move`"));
    }
    parse(from, &files::read(&from.join(MANIFEST), MANIFEST_BYTES_MAX)?)
}

fn parse(from: &Path, text: &str) -> Result<Manifest, BackupError> {
    let manifest: Manifest = serde_json::from_str(text).map_err(|error| no_backup(from, error))?;
    if manifest.format != FORMAT {
        return Err(no_backup(
            from,
            format_args!("its format is {:?}, and this program knows {FORMAT}", manifest.format),
        ));
    }
    Ok(manifest)
}

fn same_or_absent(config: &Config, manifest: &Manifest) -> Result<(), BackupError> {
    let differs = |path: &Path, what| BackupError::Differs { path: path.to_owned(), what };
    if config.key.exists() && KeyFile::load(&config.key)?.id() != manifest.member {
        return Err(differs(&config.key, "key"));
    }
    if config.genesis.exists() && genesis_file::load(&config.genesis)?.network() != manifest.network {
        return Err(differs(&config.genesis, "genesis"));
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, readers: Readers) -> Result<(), BackupError> {
    Ok(files::create(to, files::read_bytes(from, SMALL_BYTES_MAX)?, readers)?)
}

/// Copies blobs one after the other, each verified by its name. Those that are not whole can be fetched.
fn copy_blobs(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.exists() {
        return Ok(());
    }
    let (old, new) = (blobs::Store::open(from)?, blobs::Store::open(to)?);
    for blob in old.list() {
        if let Some(bytes) = old.get(&blob)? {
            new.put(&bytes, blobs::Durability::Durable)?;
        }
    }
    Ok(())
}

fn folder(path: &Path, source: io::Error) -> BackupError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Occupied(path.to_owned()),
        _ => BackupError::Folder { path: path.to_owned(), source },
    }
}

fn no_backup(path: &Path, detail: impl std::fmt::Display) -> BackupError {
    BackupError::NoBackup { path: path.to_owned(), detail: detail.to_string() }
}
