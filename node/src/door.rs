//! What is said at a node's door: by those who are no members yet, and back to them.

use althing_protocol::{
    codec::{self, DecodeError},
    crypto::Signed,
    genesis::Genesis,
    limits::{MAX_GENESIS_BYTES, MAX_INSTRUCTION_BYTES},
    statement::Instruction,
};
use serde::{Deserialize, Serialize};

/// What somebody wants who is no member yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Knock {
    /// To know the federation. Whoever knows its network id may know the rest.
    Genesis,
    /// To be let in.
    Join(Signed<Instruction>),
}

impl Knock {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The knock that `bytes` are.
    ///
    /// # Errors
    /// [`DecodeError`] when they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, 2 * MAX_INSTRUCTION_BYTES)
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Welcome {
    /// The federation.
    Genesis(Box<Genesis>),
    /// The application is passed on: members decide on it with the next Plan.
    Heard,
    /// It cannot be carried out, and why.
    Refused(String),
}

impl Welcome {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// The answer that `bytes` are.
    ///
    /// # Errors
    /// [`DecodeError`] when they are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes, MAX_GENESIS_BYTES + 1024)
    }
}
