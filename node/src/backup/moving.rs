//! A move, so that a crash at any write leaves the node in one place and never in two: what was begun can be finished by
//! the same command, and by no other.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use althing_protocol::ids::Hash;

use super::{BackupError, MANIFEST, MANIFEST_BYTES_MAX, Manifest, folder, no_backup, parse};
use crate::{
    config::Config,
    files::{self, FileError, Readers},
    store::{Store, StoreError},
};

/// The manifest until the store it was taken of is given up.
const PENDING: &str = "backup.json.unfinished";

/// Exists once a moved backup is being restored, or has been. It holds the ticket of who does so.
const RESTORED: &str = "restored";

/// The ticket, beside the store that is being restored.
const TICKET: &str = "ticket";

/// Longest ticket, in bytes.
const TICKET_BYTES_MAX: u64 = 128;

/// Whether `to` holds a move that broke off.
pub(super) fn is_begun(to: &Path) -> bool {
    to.join(PENDING).exists()
}

/// Gives up `store`, and makes the folder `to` the node. A crash in between leaves neither that could run, and
/// [`finish`] goes on.
pub(super) fn give_up(store: &Store, to: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let text = serde_json::to_string_pretty(manifest).unwrap_or_default();
    files::create(&to.join(PENDING), text, Readers::Everybody)?;
    store.set_moved(manifest.at_ms)?;
    conclude(to)
}

/// Finishes the move of the node of `config` that broke off in `to`.
pub(super) fn finish(config: &Config, to: &Path) -> Result<Manifest, BackupError> {
    let manifest = parse(to, &files::read(&to.join(PENDING), MANIFEST_BYTES_MAX)?)?;
    match Store::open(&config.data_dir, &manifest.network) {
        Err(StoreError::Moved { at_ms, .. }) if at_ms == manifest.at_ms => conclude(to)?,
        Err(StoreError::Moved { .. }) => return Err(no_backup(to, "the node was moved to another folder since")),
        Ok(_) => {
            return Err(no_backup(
                to,
                "the move broke off before the node was given up: delete the folder, and begin anew",
            ));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(manifest)
}

fn conclude(to: &Path) -> Result<(), BackupError> {
    let manifest = to.join(MANIFEST);
    let renamed = fs::rename(to.join(PENDING), &manifest).and_then(|()| files::sync_folder_of(&manifest));
    renamed.map_err(|source| folder(&manifest, source))
}

/// Claims the moved backup `from` for whoever is restored in the folder `fresh`: nobody else can have it from now on, and
/// a restoration there that broke off goes on.
pub(super) fn claim(from: &Path, fresh: &Path) -> Result<(), BackupError> {
    let (mark, place) = (from.join(RESTORED), fresh.join(TICKET));
    let read = |path: &Path| match files::read(path, TICKET_BYTES_MAX) {
        Ok(text) => Ok(Some(text)),
        Err(_) if !path.exists() => Ok(None),
        Err(error) => Err(error),
    };
    match (read(&mark)?, read(&place)?) {
        (Some(theirs), Some(ours)) if theirs == ours => Ok(()),
        (Some(_), _) => Err(BackupError::Restored(from.to_owned())),
        (None, ours) => {
            let ticket = match ours {
                Some(ours) => ours,
                None => {
                    let ticket = ticket(fresh);
                    files::create(&place, &ticket, Readers::Everybody)?;
                    ticket
                }
            };
            // Before anything is there that could run.
            files::create(&mark, ticket, Readers::Everybody).map_err(|error| match error {
                FileError::Exists { .. } => BackupError::Restored(from.to_owned()),
                other => other.into(),
            })
        }
    }
}

/// A word that no other restoration has: its place, its process and its time.
fn ticket(fresh: &Path) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let parts = [fresh.as_os_str().as_encoded_bytes(), &std::process::id().to_le_bytes(), &now.to_le_bytes()];
    Hash::derive("althing 1 restoration", &parts).to_string()
}
