//! Questions between two nodes: ours to peers, and peers' to us.

use std::collections::BTreeMap;

use althing_protocol::{
    codec,
    ids::{Height, MemberId},
    limits::{MAX_MESSAGE_BYTES, MAX_SYNC_HEIGHTS},
    machine::{Input, ReplyId},
    wire::{Decision, MAX_RESPONSE_BYTES, Request, Response},
};
use tokio::sync::mpsc;

use super::jobs::Brought;
use crate::{
    net::{Network, ReplyToken},
    store::Store,
};

/// Questions of peers that wait for their answer.
#[derive(Default)]
pub(super) struct Desk {
    next: ReplyId,
    open: BTreeMap<ReplyId, ReplyToken>,
}

impl Desk {
    /// Takes a peer's question.
    pub(super) fn take(&mut self, token: ReplyToken) -> ReplyId {
        self.next += 1;
        self.open.insert(self.next, token);
        self.next
    }

    /// The token of a question, once.
    pub(super) fn give(&mut self, reply: ReplyId) -> Option<ReplyToken> {
        self.open.remove(&reply)
    }
}

/// Decisions from `from` on, as many as one answer holds. A store that cannot be read gives none: the peer asks others.
pub(super) fn decisions(store: &Store, from: Height) -> Response {
    let blocks = store.blocks(from.0, MAX_SYNC_HEIGHTS, MAX_RESPONSE_BYTES).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read decisions for a peer");
        Vec::new()
    });
    let decisions = blocks.into_iter().filter_map(|block| {
        let certificate = codec::decode(&block.certificate, MAX_MESSAGE_BYTES).ok()?;
        Some(Decision { body: block.body.into(), certificate })
    });
    Response::of(decisions)
}

/// Asks `to`, and brings its answer back as an input.
pub(super) fn ask(network: Network, to: MemberId, request: Request, brought: mpsc::Sender<Brought>) {
    tokio::spawn(async move {
        let input = match network.request(to, request.encode()).await {
            Ok(bytes) => Input::Answered { from: to, bytes },
            Err(error) => {
                tracing::debug!(member = %to.short(), %error, "no answer");
                Input::Unanswered { from: to }
            }
        };
        // The loop has ended: nobody needs the answer.
        let _ = brought.send(Ok(input)).await;
    });
}
