//! The loop's part of epidemic exchange: what is saved, sent, deleted and counted.

use std::collections::BTreeSet;

use althing_protocol::{
    crypto::Signed,
    event::Event,
    ids::{BlobRef, MemberId},
    statement::ModelOffer,
    wire::Request,
};

use super::shell::Shell;
use crate::{failure::Failure, status::Steps, store::EXCHANGE};

impl Shell {
    /// Saves where the exchange stands. The disk is waited for: what is sent next rests on it.
    pub(super) fn save_step(&self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(tokio::task::block_in_place(|| self.journal.store().remember(EXCHANGE, bytes))?)
    }

    /// Sends a model's offer. One that gets lost is no loss: others will hear of the next.
    pub(super) fn offer(&self, to: MemberId, offer: Signed<ModelOffer>) {
        let network = self.network.clone();
        tokio::spawn(async move {
            if let Err(error) = network.request(to, Request::Model(offer).encode()).await {
                tracing::debug!(member = %to.short(), %error, "an offer did not arrive");
            }
        });
    }

    pub(super) fn forget(&self, blobs: &BTreeSet<BlobRef>) {
        for blob in blobs {
            self.blobs.cancel(*blob);
            if let Err(error) = tokio::task::block_in_place(|| self.blobs.store().remove(blob)) {
                tracing::warn!(%blob, %error, "an old model stays on the disk");
            }
        }
    }

    /// Keeps the status true to what the exchange tells.
    pub(super) fn count_step(&self, event: &Event) {
        self.status.send_modify(|status| match *event {
            Event::ExchangeBegun { step, .. } => {
                status.exchange = Some(Steps { step, ..status.exchange.unwrap_or_default() });
            }
            Event::Stepped { step, received, accepted, refused, .. } => {
                let steps = status.exchange.get_or_insert_default();
                steps.step = step.next();
                steps.ended += 1;
                steps.received += received as u64;
                steps.accepted += accepted as u64;
                steps.refused += refused as u64;
            }
            _ => {}
        });
    }
}
