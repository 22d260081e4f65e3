//! What a member must never forget: its model, its step, and what it has told others in that step.

use serde::{Deserialize, Serialize};

use super::{Damaged, Step};
use crate::{
    codec::{self, DecodeError},
    crypto::Signed,
    ids::{BlobRef, Round},
    statement::ModelOffer,
};

/// Longest encoded record that is worth decoding, in bytes.
const MAX_OWN_BYTES: usize = 2_048;

/// Where a member stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Own {
    /// The model that the exchange set out from: the genesis's first, or the global one when the ledger halted.
    pub(super) origin: BlobRef,
    /// The step that the member is in, from 1. It never takes a number twice, whatever it sets out from.
    pub(super) step: Step,
    /// The model that this step starts from.
    pub(super) base: BlobRef,
    /// What it has signed and sent in this step, once it has trained.
    pub(super) said: Option<Signed<ModelOffer>>,
    /// The round in which it has brought its progress back, if it has.
    pub(super) brought_back: Option<Round>,
}

impl Own {
    /// A member that sets out from `origin` in `step`.
    pub(super) const fn new(origin: BlobRef, step: Step) -> Self {
        Self { origin, step, base: origin, said: None, brought_back: None }
    }

    /// The next step, from `model`.
    pub(super) fn advance(&mut self, model: BlobRef) {
        self.step = self.step.next();
        self.base = model;
        self.said = None;
    }

    /// The model that was sent in this step, if one was.
    pub(super) fn announced(&self) -> Option<BlobRef> {
        Some(self.said.as_ref()?.peek().ok()?.model)
    }

    /// Its bytes, for the store, with a checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        codec::seal(self)
    }

    /// The record that `bytes` hold.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::unseal(bytes, MAX_OWN_BYTES)
    }
}

/// The model that a member holds, by what it has saved last.
///
/// # Errors
/// [`Damaged`] when that cannot be read back.
pub fn saved_model(saved: &[u8]) -> Result<BlobRef, Damaged> {
    Own::decode(saved).map(|own| own.base).map_err(Damaged)
}
