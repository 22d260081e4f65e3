//! What can be asked for, and where.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    refusal::Refusal,
    server::{Readiness, Server},
};

/// The media type of Prometheus's text.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All pages of `server`.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let posted = || async { Refusal::OtherMethod("POST") };
    let got = || async { Refusal::OtherMethod("GET") };
    Router::new()
        .route("/v1/chat/completions", post(chat).fallback(posted))
        .route("/v1/models", get(models).fallback(got))
        .route("/health", get(health).fallback(got))
        .route("/metrics", get(metrics).fallback(got))
        .fallback(nothing)
        .with_state(server)
}

async fn chat(State(server): State<Arc<Server>>, headers: HeaderMap, body: Body) -> Result<Json<Value>, Refusal> {
    server.chat(headers, body).await.map(Json)
}

async fn models(State(server): State<Arc<Server>>) -> Json<Value> {
    Json(server.models())
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    let (code, status) = match server.readiness() {
        Readiness::Loading => (StatusCode::SERVICE_UNAVAILABLE, "loading"),
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    (code, Json(json!({ "status": status, "model": server.model }))).into_response()
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    ([(CONTENT_TYPE, METRICS_TYPE)], server.metrics_text()).into_response()
}

async fn nothing(uri: Uri) -> Refusal {
    Refusal::NoSuchPage(uri.path().chars().take(100).collect())
}
