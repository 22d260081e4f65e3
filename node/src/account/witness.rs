//! The file beside the key that remembers which privacy accounts its member has.
//!
//! It holds nothing that the store does not: it is there for the day when the store is gone. It notices a store that was
//! deleted or moved, and a second federation over the same examples. It cannot notice an old copy of a store.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use althing_protocol::ids::{Hash, NetworkId};
use serde::{Deserialize, Serialize};

use super::Owner;
use crate::files::{self, FileError};

/// What is appended to the name of the key file.
const SUFFIX: &str = ".privacy.json";

/// Longest witness, in bytes: some thousands of accounts.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a witness cannot be heard.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It cannot be read.
    #[error("the record of privacy accounts: {0}")]
    File(#[from] FileError),
    /// It is no witness.
    #[error("{path}: {why}; it remembers the member's privacy accounts: restore it from a copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It cannot be written.
    #[error("{path}: {source}; the record of privacy accounts stands beside the key: make that folder writable")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The file beside a key.
#[derive(Debug, Clone)]
pub struct Witness(PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Accounts {
    accounts: Vec<Known>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    network: NetworkId,
    data: Hash,
}

impl Known {
    const fn of(owner: &Owner) -> Self {
        Self { network: owner.network, data: owner.data }
    }
}

impl Witness {
    /// The witness of the member whose key file is `key`.
    pub fn beside(key: &Path) -> Self {
        let mut name = key.as_os_str().to_owned();
        name.push(SUFFIX);
        Self(name.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether `owner` has had an account.
    ///
    /// # Errors
    /// [`WitnessError`] when the file is there and cannot be read.
    pub fn knows(&self, owner: &Owner) -> Result<bool, WitnessError> {
        Ok(self.read()?.accounts.contains(&Known::of(owner)))
    }

    /// Other federations in which the member has had an account over the same examples: their budgets add up.
    ///
    /// # Errors
    /// [`WitnessError`] when the file is there and cannot be read.
    pub fn elsewhere(&self, owner: &Owner) -> Result<Vec<NetworkId>, WitnessError> {
        let accounts = self.read()?.accounts.into_iter();
        let other = accounts.filter(|known| known.data == owner.data && known.network != owner.network);
        Ok(other.map(|known| known.network).collect())
    }

    /// Remembers the account of `owner`.
    ///
    /// # Errors
    /// [`WitnessError`] when the file cannot be read or written.
    pub fn add(&self, owner: &Owner) -> Result<(), WitnessError> {
        let mut known = self.read()?;
        if known.accounts.contains(&Known::of(owner)) {
            return Ok(());
        }
        known.accounts.push(Known::of(owner));
        self.write(&known)
    }

    /// Forgets the account of `owner`.
    ///
    /// # Errors
    /// [`WitnessError`] when the file cannot be read or written.
    pub fn remove(&self, owner: &Owner) -> Result<(), WitnessError> {
        let mut known = self.read()?;
        known.accounts.retain(|account| *account != Known::of(owner));
        self.write(&known)
    }

    fn read(&self) -> Result<Accounts, WitnessError> {
        let text = match files::read(&self.0, MAX_BYTES) {
            Ok(text) => text,
            Err(FileError::Missing { .. }) => return Ok(Accounts::default()),
            Err(error) => return Err(error.into()),
        };
        let damaged = |why: serde_json::Error| WitnessError::Damaged { path: self.0.clone(), why: why.to_string() };
        serde_json::from_str(&text).map_err(damaged)
    }

    /// The old text or the new one is on the disk, whatever happens.
    fn write(&self, accounts: &Accounts) -> Result<(), WitnessError> {
        let unwritable = |source: io::Error| WitnessError::Unwritable { path: self.0.clone(), source };
        let text = serde_json::to_string_pretty(accounts).map_err(|error| unwritable(error.into()))?;
        let mut fresh = self.0.clone().into_os_string();
        fresh.push(".new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&fresh).map_err(unwritable)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(unwritable)?;
        fs::rename(&fresh, &self.0).and_then(|()| files::sync_folder_of(&self.0)).map_err(unwritable)
    }
}
