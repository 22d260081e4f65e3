//! An account and what was made under it, as bytes: a version, then what that version says, with a checksum over both.

use althing_agents::privacy::{MAX_FILTER_BYTES, Ticket};
use althing_protocol::{
    codec::{self, DecodeError},
    ids::Hash,
    machine::Made,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Version of the records. One with a greater number was written by a newer program.
const VERSION: u32 = 1;

/// Longest record, in bytes.
const MAX_RECORD_BYTES: usize = MAX_FILTER_BYTES + 1_024;

/// Why stored bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// They are damaged.
    #[error(
        "the stored privacy account cannot be read ({0}); restore the store from a copy: a fresh account would forget what \
         is spent"
    )]
    Damaged(#[from] DecodeError),
    /// A newer program wrote them.
    #[error(
        "the stored privacy account has version {found}, and this program knows only up to {VERSION}; use a newer althing"
    )]
    Newer {
        /// Their version.
        found: u32,
    },
}

/// What is stored of an account besides its filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Fingerprint of the examples.
    pub(super) data: Hash,
}

/// What every version begins with.
#[derive(Serialize, Deserialize)]
struct Versioned {
    version: u32,
    content: ByteBuf,
}

fn write<T: Serialize>(content: &T) -> Vec<u8> {
    codec::seal(&Versioned { version: VERSION, content: codec::encode(content).into() })
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    let Versioned { version, content } = codec::unseal(bytes, MAX_RECORD_BYTES)?;
    if version != VERSION {
        return Err(RecordError::Newer { found: version });
    }
    Ok(codec::decode(&content, MAX_RECORD_BYTES)?)
}

/// An account's bytes.
pub(super) fn account(header: &Header, filter: &[u8]) -> Vec<u8> {
    write(&(header, ByteBuf::from(filter)))
}

/// The header and the filter's bytes that an account's hold.
pub(super) fn read_account(bytes: &[u8]) -> Result<(Header, Vec<u8>), RecordError> {
    let (header, filter): (Header, ByteBuf) = read(bytes)?;
    Ok((header, filter.into_vec()))
}

/// The bytes of what was made under a ticket.
pub(super) fn made(ticket: Ticket, made: Made) -> Vec<u8> {
    write(&(ticket, made))
}

/// The ticket and what was made under it.
pub(super) fn read_made(bytes: &[u8]) -> Result<(Ticket, Made), RecordError> {
    read(bytes)
}
