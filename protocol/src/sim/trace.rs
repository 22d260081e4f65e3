//! The run as one hash: two runs that differ in anything have different ones.

use crate::{ids::Hash, time::Time};

/// A hash over everything noted so far.
#[derive(Debug)]
pub(super) struct Trace(blake3::Hasher);

impl Trace {
    pub(super) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key("althing 1 simulated run"))
    }

    /// Takes note of something that happened to `who`.
    pub(super) fn note(&mut self, at: Time, who: usize, what: &str, bytes: &[u8]) {
        self.0.update(&at.0.to_le_bytes());
        self.0.update(&(who as u64).to_le_bytes());
        for part in [what.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    pub(super) fn hash(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}
