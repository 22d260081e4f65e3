//! Names of things: members, networks, content, heights and rounds.
//!
//! Every id is a newtype, so that a height never stands where a round is meant. Byte ids are raw bytes in CBOR and
//! lower-case hex wherever a person may read them (JSON, TOML, logs).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} hexadecimal digits, got {got:?}; copy the id as `althing key show` prints it")]
pub struct ParseIdError {
    /// Digits that an id of this kind has.
    pub expected: usize,
    /// The text as it was given, cut to its first 80 characters.
    pub got: String,
}

/// Defines a fixed-size byte string that is bytes on the wire and hex before people.
macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The first eight hex digits: enough for people to tell a few apart, never for code.
            pub fn short(&self) -> String {
                hex::encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| ParseIdError {
                    expected: 2 * $len,
                    got: text.chars().take(80).collect(),
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error;
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    let bytes = <&serde_bytes::Bytes>::deserialize(deserializer)?;
                    let array = <[u8; $len]>::try_from(&bytes[..]);
                    array.map(Self).map_err(|_| D::Error::invalid_length(bytes.len(), &stringify!($len)))
                }
            }
        }
    };
}

byte_id! {
    /// A member: its ed25519 public key, which is also the key of its libp2p peer id.
    MemberId, 32
}
byte_id! {
    /// A federation: the hash of its genesis. It stands in every signature and in every protocol name.
    NetworkId, 32
}
byte_id! {
    /// A BLAKE3 hash.
    Hash, 32
}
byte_id! {
    /// An ed25519 signature.
    Signature, 64
}

impl Hash {
    /// All zeros: the parent of the first body.
    pub const ZERO: Self = Self([0; 32]);

    /// The BLAKE3 hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The BLAKE3 hash of `parts` one after the other, under a `context` that keeps uses apart.
    ///
    /// Each part is preceded by its length, so that no two different lists hash alike.
    pub fn derive(context: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

/// Content by hash and size. The size is part of the name, so that a fetch is bounded before its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// BLAKE3 root of the content.
    pub hash: Hash,
    /// Content length in bytes.
    pub size: u64,
}

impl BlobRef {
    /// The reference of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self { hash: Hash::of(bytes), size: bytes.len() as u64 }
    }
}

impl fmt::Display for BlobRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.hash, self.size)
    }
}

/// Defines a counter.
macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The one after this.
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter_id! {
    /// A place in the chain of decisions, from 1. A round takes two: its Plan and its Settle.
    Height
}
counter_id! {
    /// A round of learning, from 1.
    Round
}
counter_id! {
    /// A job that a sponsor has funded, from 1, in the order of funding.
    JobId
}
counter_id! {
    /// A step of one member in an epidemic exchange, from 1. Members count their own; nobody compares them.
    Step
}
