//! The ledger over HTTP: what it says, and how its accounts' owners have something done.
//!
//! Reading is free. An instruction is taken from whoever brings it, since nothing but its signature counts.

use std::sync::Arc;

use althing_protocol::{
    codec,
    crypto::Signed,
    ids::{Height, NetworkId, Round},
    ledger::Ledger,
    limits::{MAX_ENVELOPE_BYTES, MAX_MESSAGE_BYTES, MAX_STATEMENT_BYTES},
    machine::SubmitError,
    statement::Instruction,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{ledger_file::Exported, store::Store};

/// Instructions that wait for the loop to look at them.
pub const SUBMISSIONS: usize = 64;

/// Longest instruction with its envelope, in bytes.
const MAX_INSTRUCTION_BYTES: usize = MAX_STATEMENT_BYTES + MAX_ENVELOPE_BYTES;

/// Heights in one answer.
pub(super) const HEIGHTS_MAX: usize = 64;

/// Bytes of bodies and certificates in one answer; a single height may take more.
const HEIGHTS_BYTES_MAX: usize = 2 * MAX_MESSAGE_BYTES;

/// What an instruction travels as. A page of another site cannot send this without asking first.
pub(super) const CONTENT_TYPE: &str = "application/cbor";

/// A ledger at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// The federation.
    pub network: NetworkId,
    /// The last decided height.
    pub height: Height,
    /// The open round.
    pub round: Round,
    /// Its ledger.
    pub ledger: Ledger,
}

/// An instruction on its way to the core, with where to say what became of it.
#[derive(Debug)]
pub struct Submission {
    /// The instruction. Nothing in it has been verified.
    pub instruction: Signed<Instruction>,
    /// For the core's answer.
    pub answer: oneshot::Sender<Result<(), SubmitError>>,
}

/// What the teller needs.
#[derive(Clone)]
pub(super) struct Teller {
    pub(super) books: watch::Receiver<Arc<Books>>,
    pub(super) submit: mpsc::Sender<Submission>,
    pub(super) store: Arc<Store>,
}

pub(super) fn routes(teller: Teller) -> Router {
    Router::new()
        .route("/api/ledger", get(ledger))
        .route("/api/ledger/decided/{from}", get(decided))
        .route("/api/instructions", post(instruct).layer(DefaultBodyLimit::max(MAX_INSTRUCTION_BYTES)))
        .with_state(teller)
}

async fn ledger(State(teller): State<Teller>) -> Response {
    let books = Arc::clone(&teller.books.borrow());
    Json(&*books).into_response()
}

/// Decided heights from `from` on, as an exported ledger has them.
async fn decided(State(teller): State<Teller>, Path(from): Path<u64>) -> Response {
    let read = move || teller.store.blocks(from, HEIGHTS_MAX, HEIGHTS_BYTES_MAX).ok();
    let blocks = tokio::task::spawn_blocking(read).await.ok().flatten();
    let exported: Option<Vec<Exported>> =
        blocks.and_then(|blocks| blocks.into_iter().map(|block| Exported::of(block).ok()).collect());
    exported.map_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |all| Json(all).into_response())
}

/// Answers once the core has looked at it: 202 if it is taken, 409 and the reason if not.
async fn instruct(State(teller): State<Teller>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != CONTENT_TYPE) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send an instruction as application/cbor\n").into_response();
    }
    let Ok(instruction) = codec::decode(&body, MAX_INSTRUCTION_BYTES) else {
        return (StatusCode::BAD_REQUEST, "these bytes are no signed instruction\n").into_response();
    };
    let (answer, answered) = oneshot::channel();
    if teller.submit.try_send(Submission { instruction, answer }).is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the node is busy or stopping; try again\n").into_response();
    }
    match answered.await {
        Ok(Ok(())) => StatusCode::ACCEPTED.into_response(),
        Ok(Err(why)) => (StatusCode::CONFLICT, why.to_string()).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the node is stopping\n").into_response(),
    }
}
