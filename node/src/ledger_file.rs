//! Ledgers and receipts as files that anybody can verify.

use althing_protocol::{
    codec::{self, DecodeError},
    consensus::Certificate,
    ids::NetworkId,
    limits::MAX_MESSAGE_BYTES,
    wire::Decision,
};
use serde::{Deserialize, Serialize};

use crate::store::Block;

/// The version of an exported ledger.
pub const LEDGER_FORMAT: &str = "althing-ledger-1";

/// An exported ledger, as it stands in its file.
#[derive(Debug, Serialize, Deserialize)]
pub struct LedgerFile {
    /// [`LEDGER_FORMAT`].
    pub format: String,
    /// The federation.
    pub network: NetworkId,
    /// Every decision, from the first height on.
    pub decisions: Vec<Exported>,
}

/// A decision, as it stands in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exported {
    /// The encoded body, in hexadecimal.
    pub body: String,
    /// Two thirds of the voting power for it.
    pub certificate: Certificate,
}

impl Exported {
    /// What the store holds of a height.
    ///
    /// # Errors
    /// [`DecodeError`] when its certificate is damaged.
    pub fn of(block: Block) -> Result<Self, DecodeError> {
        let certificate = codec::decode(&block.certificate, MAX_MESSAGE_BYTES)?;
        Ok(Self { body: hex::encode(block.body), certificate })
    }

    /// The decision.
    ///
    /// # Errors
    /// [`hex::FromHexError`] when the body is not hexadecimal.
    pub fn decision(self) -> Result<Decision, hex::FromHexError> {
        Ok(Decision { body: hex::decode(self.body)?.into(), certificate: self.certificate })
    }
}

impl From<Decision> for Exported {
    fn from(decision: Decision) -> Self {
        Self { body: hex::encode(&decision.body), certificate: decision.certificate }
    }
}
