//! Deserializers that refuse what is out of bounds, so that the parser can name the line.

use std::{fmt::Display, net::SocketAddr};

use libp2p::Multiaddr;
use serde::{Deserialize, Deserializer, de::Error};

use crate::endpoint::{MODEL_CHARS_MAX, is_model};

/// Most addresses in one list.
const MAX_ADDRESSES: usize = 64;

/// Most addresses to listen on.
const MAX_LISTEN: usize = 16;

/// Longest name of an environment variable, in bytes.
const MAX_VARIABLE: usize = 64;

/// A whole number from `MIN` to `MAX`.
pub(super) fn number<'de, const MIN: u64, const MAX: u64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    T::Error: Display,
    D: Deserializer<'de>,
{
    let got = i64::deserialize(deserializer)?;
    match u64::try_from(got) {
        Ok(number) if (MIN..=MAX).contains(&number) => T::try_from(number).map_err(D::Error::custom),
        _ => Err(D::Error::custom(format!("{got} is out of bounds, must be from {MIN} to {MAX}"))),
    }
}

/// A whole number from `MIN` to `MAX`, where nothing may be said.
pub(super) fn some_number<'de, const MIN: u64, const MAX: u64, D>(deserializer: D) -> Result<Option<u32>, D::Error>
where
    D: Deserializer<'de>,
{
    number::<MIN, MAX, u32, D>(deserializer).map(Some)
}

/// A number above 0.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let got = f64::deserialize(deserializer)?;
    if got > 0.0 && got.is_finite() {
        return Ok(got);
    }
    Err(D::Error::custom(format!("{got} is out of bounds, must be a number above 0")))
}

/// A number above 0, where nothing may be said.
pub(super) fn some_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    positive(deserializer).map(Some)
}

/// A number above 0 and below 1.
pub(super) fn probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let got = f64::deserialize(deserializer)?;
    if got > 0.0 && got < 1.0 {
        return Ok(got);
    }
    Err(D::Error::custom(format!("{got} is out of bounds, must be above 0 and below 1")))
}

/// A number above 0 and below 1, where nothing may be said.
pub(super) fn some_probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    probability(deserializer).map(Some)
}

/// Addresses to dial.
pub(super) fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Multiaddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.len() > MAX_ADDRESSES {
        return Err(D::Error::custom(format!("{} addresses, must be at most {MAX_ADDRESSES}", texts.len())));
    }
    texts.iter().map(|text| address(text).map_err(D::Error::custom)).collect()
}

/// Addresses to listen on: at least one.
pub(super) fn listen_addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Multiaddr>, D::Error> {
    let addresses = addresses(deserializer)?;
    if (1..=MAX_LISTEN).contains(&addresses.len()) {
        return Ok(addresses);
    }
    Err(D::Error::custom(format!("{} addresses to listen on, must be from 1 to {MAX_LISTEN}", addresses.len())))
}

/// A multiaddress, with an example for whoever mistyped one.
fn address(text: &str) -> Result<Multiaddr, String> {
    text.parse().map_err(|error| {
        format!(
            "{text:?} is no multiaddress ({error}), \
             must be like \"/ip4/192.168.1.5/tcp/4001\" or \"/ip4/0.0.0.0/udp/0/quic-v1\""
        )
    })
}

/// The name of a model, where nothing may be said.
pub(super) fn some_model<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if is_model(&name) {
        return Ok(Some(name));
    }
    Err(D::Error::custom(format!(
        "this is no name of a model, must be 1 to {MODEL_CHARS_MAX} printable characters, like \"qwen2.5-coder-1.5b\""
    )))
}

/// The name of an environment variable, where nothing may be said. It is not repeated if it is none: it may be the very
/// secret that belongs into the variable, and that is also why small letters are refused.
pub(super) fn some_variable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    let fits = |letter: u8| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == b'_';
    if (1..=MAX_VARIABLE).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(Some(name));
    }
    Err(D::Error::custom(format!(
        "this is no name of an environment variable, must be 1 to {MAX_VARIABLE} capitals, digits and underscores, \
         like \"ALTHING_LM_KEY\"; the key itself belongs into the variable, not here"
    )))
}

/// An address with a port.
pub(super) fn socket<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(format!("{text:?} is no address with a port, must be like \"127.0.0.1:0\" or \"[::1]:8080\""))
    })
}
