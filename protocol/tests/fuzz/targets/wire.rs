//! Everything that travels: what can be read can be written, and is then read as the same.

use std::fmt::Debug;

use althing_protocol::{
    body::Body,
    codec::{self, DecodeError},
    consensus,
    wire::{Message, Request, Response},
};
use serde::Serialize;

pub(super) fn run(bytes: &[u8]) {
    if let Some(message) = read_again(bytes, Message::decode) {
        message.topic();
    }
    read_again(bytes, consensus::Message::decode);
    read_again(bytes, Request::decode);
    read_again(bytes, Response::decode);
    read_again(bytes, Body::decode);
}

/// Values are not written as the bytes that they came in: those may be longer, or say the same in other words.
pub(super) fn read_again<T: Serialize + PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, DecodeError>,
) -> Option<T> {
    let value = decode(bytes).ok()?;
    let written = codec::encode(&value);
    assert_eq!(decode(&written).as_ref(), Ok(&value), "read from {} bytes", written.len());
    Some(value)
}
