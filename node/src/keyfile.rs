//! A member's key file: its secrets and, for people, what follows from them.
//!
//! It is created once, readable by its owner alone, and never written again. Two nodes must never run with the same
//! key: each would sign without knowing what the other signed.

#[cfg(test)]
mod tests;

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use althing_protocol::{
    crypto::Keypair,
    election::HashChain,
    ids::{Hash, MemberId},
    limits::{CHAIN_TURNS, MAX_NAME_CHARS},
    statement::is_name,
};
use rand::{TryRng, rngs::SysRng};
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError, Readers};

/// Longest key file, in bytes.
const MAX_BYTES: u64 = 8 * 1024;

/// A member's secrets.
#[derive(Clone)]
pub struct KeyFile {
    /// A name for people.
    pub name: String,
    secret: [u8; 32],
    chain_secret: [u8; 32],
}

/// What stands in the file. The public half is there for people, and to notice a file that was edited or cut.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    id: MemberId,
    anchor: Hash,
    secret: String,
    chain_secret: String,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or created.
    #[error("key file: {0}")]
    File(#[from] FileError),
    /// A line does not say what it should.
    #[error("key file {0}; restore the file from a copy, or make another key with `althing key new`")]
    Line(String),
    /// The public half does not follow from the secrets.
    #[error(
        "key file {path}: {field} does not follow from the secrets, so the file was edited or damaged; \
         restore it from a copy, or make another key with `althing key new`"
    )]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which line does not fit.
        field: &'static str,
    },
    /// The name cannot be one.
    #[error("key file: {0}")]
    Name(#[from] NameError),
    /// The operating system gives no random numbers.
    #[error("the operating system gives no random numbers ({0}), and a key without them is none; try again later")]
    Randomness(String),
}

/// Why a text cannot name a member or a federation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name; use 1 to {MAX_NAME_CHARS} letters, digits, '-', '_' or '.'")]
pub struct NameError(String);

/// Checks a name that people will read in their terminals: it must not be able to drive one.
///
/// # Errors
/// [`NameError`] says what a name may be.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if is_name(name) { Ok(()) } else { Err(NameError(name.chars().take(MAX_NAME_CHARS).collect())) }
}

impl KeyFile {
    /// New secrets, from the operating system's randomness.
    ///
    /// # Errors
    /// [`KeyFileError`] when the name cannot be one or there is no randomness.
    pub fn generate(name: &str) -> Result<Self, KeyFileError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), secret: random()?, chain_secret: random()? })
    }

    /// Writes the key to a new file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyFileError`] when the file exists already or the disk refuses.
    pub fn create(&self, path: &Path) -> Result<(), KeyFileError> {
        let stored = Stored {
            name: self.name.clone(),
            id: self.id(),
            anchor: self.anchor(),
            secret: hex::encode(self.secret),
            chain_secret: hex::encode(self.chain_secret),
        };
        let body = toml::to_string(&stored).map_err(|error| KeyFileError::Line(error.to_string()))?;
        let text = format!(
            "# The key of an Althing member. Keep a copy, show it to nobody, run one node with it.\n\
             # Others need only `id` and `anchor`: `althing key show` prints them.\n{body}"
        );
        Ok(files::create(path, &text, Readers::Owner)?)
    }

    /// Reads a key, checks that nothing in it was changed, and warns when others can read it too.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with the file. No message holds a secret.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let text = files::read(path, MAX_BYTES)?;
        let parsed = toml::from_str::<Stored>(&text);
        let stored = parsed.map_err(|error| KeyFileError::Line(hide_secrets(path, &text, &error)))?;
        check_name(&stored.name)?;
        let mismatch = |field| KeyFileError::Mismatch { path: path.to_owned(), field };
        let secret = unhex(&stored.secret).ok_or_else(|| mismatch("id"))?;
        let chain_secret = unhex(&stored.chain_secret).ok_or_else(|| mismatch("anchor"))?;
        let key = Self { name: stored.name, secret, chain_secret };
        if key.id() != stored.id {
            return Err(mismatch("id"));
        }
        if key.anchor() != stored.anchor {
            return Err(mismatch("anchor"));
        }
        warn_if_others_can_read(path);
        Ok(key)
    }

    /// The member that this key speaks for.
    pub fn id(&self) -> MemberId {
        self.keypair().id()
    }

    /// The key pair that signs.
    pub fn keypair(&self) -> Keypair {
        Keypair::from_secret(self.secret)
    }

    /// The hash chain that keeps this member's turns as aggregator from being foreseen.
    pub const fn chain(&self) -> HashChain {
        HashChain::new(self.chain_secret, CHAIN_TURNS)
    }

    /// The public end of the hash chain, as the genesis names it.
    pub fn anchor(&self) -> Hash {
        self.chain().anchor()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile").field("name", &self.name).field("id", &self.id()).finish_non_exhaustive()
    }
}

fn random() -> Result<[u8; 32], KeyFileError> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| KeyFileError::Randomness(error.to_string()))?;
    Ok(bytes)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}

/// The parser's complaint without its quotation of a value, which might be a secret.
fn hide_secrets(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let complaint = files::toml_error(path, text, error);
    let quoted = |word: &str| word.trim_matches(|letter: char| !letter.is_ascii_hexdigit()).len() >= 32;
    complaint.split(' ').map(|word| if quoted(word) { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

fn warn_if_others_can_read(path: &Path) {
    let mode = fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        let path = path.display();
        tracing::warn!("others on this machine can read or change the key file {path}; run `chmod 600 {path}`");
    }
}
