//! How a running node is watched and adjusted: whether it is alive, whether it is ready, and what it logs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Status;
use crate::telemetry::{self, FILTER_BYTES_MAX};

/// Time without news from the node's loop after which it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Whether a node can do its part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether it can.
    pub ready: bool,
    /// Why not, in sentences.
    pub why: Vec<String>,
}

impl Readiness {
    /// Of a node with this status at `now_ms` since 1970.
    fn of(status: &Status, now_ms: u64) -> Self {
        let mut why = status.hindrances.clone();
        let silent = Duration::from_millis(now_ms.saturating_sub(status.told_ms));
        if silent > STUCK_AFTER {
            why.push(format!("the node's loop has not moved for {} s: its disk may be stuck", silent.as_secs()));
        }
        Self { ready: why.is_empty(), why }
    }
}

pub(super) fn routes(status: watch::Receiver<Status>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/api/log", get(filter).post(set_filter).layer(DefaultBodyLimit::max(FILTER_BYTES_MAX)))
        .with_state(status)
}

/// 200 if the node can do its part, 503 and why if not.
async fn ready(State(status): State<watch::Receiver<Status>>) -> Response {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let readiness = Readiness::of(&status.borrow(), u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
    let code = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(readiness)).into_response()
}

async fn filter() -> Response {
    telemetry::filter().map_or_else(|error| (StatusCode::CONFLICT, error.to_string()).into_response(), said)
}

async fn set_filter(filter: String) -> Response {
    let filter = filter.trim();
    match telemetry::set_filter(filter) {
        Ok(()) => {
            tracing::warn!(filter, "another filter of logs was asked for");
            said(filter.to_owned())
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

fn said(filter: String) -> Response {
    Json(serde_json::json!({ "filter": filter })).into_response()
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::{MemberId, NetworkId};

    use super::*;

    #[test]
    fn a_node_is_ready_while_its_loop_moves_and_nothing_hinders_it() {
        let mut status = Status::new(MemberId([1; 32]), NetworkId([2; 32]));
        status.told_ms = 50_000;
        assert_eq!(Readiness::of(&status, 50_250), Readiness { ready: true, why: vec![] });
        assert_eq!(Readiness::of(&status, 40_000).why.len(), 0, "a clock that was set back is no fault");
        let stuck = Readiness::of(&status, 61_000);
        assert!(!stuck.ready && stuck.why[0].contains("11 s"), "{stuck:?}");
        status.hindrances = vec!["alone".into()];
        assert_eq!(Readiness::of(&status, 50_250), Readiness { ready: false, why: vec!["alone".into()] });
    }
}
