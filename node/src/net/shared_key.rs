//! The key that all members of a private network hold: whoever lacks it gets no word out of a node (W26).

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use libp2p::pnet::{PnetConfig, PreSharedKey};
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError, Readers};

/// What stands before the digits, as in the key files of other libp2p programs.
const HEADER: &str = "/key/swarm/psk/1.0.0/\n/base16/\n";

/// Longest file, in bytes.
const FILE_BYTES_MAX: u64 = 256;

/// A key that is shown by nothing but its file and an invitation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SharedKey(#[serde(with = "serde_bytes")] [u8; 32]);

/// Why there is no shared key.
#[derive(Debug, thiserror::Error)]
pub enum SharedKeyError {
    /// The file cannot be read or created.
    #[error("net.shared_key_file: {0}")]
    File(#[from] FileError),
    /// Others on this machine can read it.
    #[error("net.shared_key_file: others on this machine can read {path}; run `chmod 600 {path}`")]
    Readable {
        /// The file.
        path: PathBuf,
    },
    /// Something is missing or was changed.
    #[error(
        "net.shared_key_file: {path} holds no shared key; copy the whole file from another member, or make a new one for \
         everybody with `althing key shared`"
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers ({0}), and a key without them is none; try again later")]
    Randomness(String),
}

impl SharedKey {
    /// A new one, from the operating system's randomness.
    ///
    /// # Errors
    /// [`SharedKeyError::Randomness`] when there is none.
    pub fn generate() -> Result<Self, SharedKeyError> {
        let mut bytes = [0; 32];
        SysRng.try_fill_bytes(&mut bytes).map_err(|error| SharedKeyError::Randomness(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`SharedKeyError::File`] when the file exists already or the disk refuses.
    pub fn create(&self, path: &Path) -> Result<(), SharedKeyError> {
        Ok(files::create(path, format!("{HEADER}{}\n", hex::encode(self.0)), Readers::Owner)?)
    }

    /// The key in the file at `path`, which its owner alone may be able to read.
    ///
    /// # Errors
    /// [`SharedKeyError`] says what to do. No message holds the key.
    pub fn load(path: &Path) -> Result<Self, SharedKeyError> {
        let text = files::read(path, FILE_BYTES_MAX)?;
        if fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode()) & 0o077 != 0 {
            return Err(SharedKeyError::Readable { path: path.to_owned() });
        }
        Self::parse(&text).ok_or_else(|| SharedKeyError::Unusable { path: path.to_owned() })
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix(HEADER)?.trim_end(), &mut bytes).ok().map(|()| Self(bytes))
    }

    /// What wraps a connection before anything else is said on it.
    pub(super) fn wrapping(&self) -> PnetConfig {
        PnetConfig::new(PreSharedKey::new(self.0))
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_file_which_others_cannot_read_and_is_shown_by_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.key");
        let key = SharedKey::generate().unwrap();
        assert_ne!(key, SharedKey::generate().unwrap());
        key.create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SharedKey::load(&path).unwrap(), key);
        assert!(!format!("{key:?}").contains(&hex::encode(key.0)[..8]));
        // Other programs of libp2p read the file, and it is the same key to them.
        let theirs: PreSharedKey = fs::read_to_string(&path).unwrap().parse().unwrap();
        assert_eq!(theirs, PreSharedKey::new(key.0));
        assert!(matches!(key.create(&path), Err(SharedKeyError::File(FileError::Exists { .. }))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SharedKey::load(&path), Err(SharedKeyError::Readable { .. })));
    }

    #[test]
    fn what_was_cut_or_changed_is_none_and_is_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shared.key");
        let digits = "5a".repeat(32);
        let whole = format!("{HEADER}{digits}\n");
        assert!(SharedKey::parse(&whole).is_some());
        let cut = format!("{HEADER}{}", &digits[2..]);
        let more = format!("{whole}5a");
        let no_digits = format!("{HEADER}{}", "ä".repeat(32));
        for bad in ["", &digits, &cut, &more, &no_digits, &whole.replace("base16", "base64")] {
            fs::write(&path, bad).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let why = SharedKey::load(&path).unwrap_err();
            assert!(matches!(why, SharedKeyError::Unusable { .. }), "{bad}: {why}");
            assert!(!why.to_string().contains("5a5a"), "{why}");
        }
    }
}
