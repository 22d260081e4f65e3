//! Everything but an answer: what went wrong, and what to do about it, in the shape of OpenAI's errors.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    limits::{BODY_BYTES_MAX, RETRY_AFTER_S},
    metrics::Outcome,
};
use crate::engine::EngineError;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request is not one that can be answered.
    #[error("{0}")]
    Request(String),
    /// The body is too long.
    #[error("the body is longer than {BODY_BYTES_MAX} bytes: shorten the messages")]
    TooLong,
    /// The body is not declared to be JSON. Pages in a browser cannot declare that without being asked.
    #[error("send the body with content-type: application/json")]
    NotJson,
    /// There is no such model here.
    #[error("the model here is {here:?}, not {asked:?}: name it, or leave `model` out")]
    OtherModel {
        /// Which was asked for.
        asked: String,
        /// Which there is.
        here: String,
    },
    /// There is no such page here.
    #[error("nothing is at {0}: there are POST /v1/chat/completions, GET /v1/models, GET /health and GET /metrics")]
    NoSuchPage(String),
    /// The page is asked for in another way.
    #[error("ask for this page with {0}")]
    OtherMethod(&'static str),
    /// Too many wait already.
    #[error("{waiting} questions wait already: ask again later")]
    Full {
        /// How many.
        waiting: usize,
    },
    /// The model is still being loaded.
    #[error("the model is still being loaded: ask again in a few seconds; GET /health says when it is ready")]
    Loading,
    /// The server is being stopped.
    #[error("the server is being stopped")]
    Stopping,
    /// The deadline has passed.
    #[error("no answer within {} ms: ask for fewer tokens, or allow more time with the header {header}", .after.as_millis())]
    Late {
        /// The time that there was.
        after: Duration,
        /// The header that allows more.
        header: &'static str,
    },
    /// The answer was longer than its limit, and cut off it does not follow its schema.
    #[error(
        "the answer was cut off after {max_tokens} tokens: raise max_tokens, or bound the strings of the schema with maxLength"
    )]
    Truncated {
        /// The limit.
        max_tokens: usize,
    },
    /// The answer does not follow its schema.
    #[error("the model's answer does not follow the schema ({0}): ask again with a simpler schema")]
    Invalid(String),
    /// The model does not take the question, or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Refusal {
    /// The status, OpenAI's type of error, and a word for programs.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        const INVALID: &str = "invalid_request_error";
        const SERVER: &str = "server_error";
        match self {
            Self::Request(_) => (StatusCode::BAD_REQUEST, INVALID, "invalid_request"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, INVALID, "body_too_long"),
            Self::NotJson => (StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, "not_json"),
            Self::OtherModel { .. } => (StatusCode::NOT_FOUND, INVALID, "model_not_found"),
            Self::NoSuchPage(_) => (StatusCode::NOT_FOUND, INVALID, "not_found"),
            Self::OtherMethod(_) => (StatusCode::METHOD_NOT_ALLOWED, INVALID, "method_not_allowed"),
            Self::Full { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "queue_full"),
            Self::Loading => (StatusCode::SERVICE_UNAVAILABLE, SERVER, "model_loading"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, SERVER, "server_stopping"),
            Self::Late { .. } => (StatusCode::GATEWAY_TIMEOUT, SERVER, "deadline_exceeded"),
            Self::Truncated { .. } => (StatusCode::UNPROCESSABLE_ENTITY, INVALID, "output_truncated"),
            Self::Invalid(_) => (StatusCode::INTERNAL_SERVER_ERROR, SERVER, "output_invalid"),
            Self::Engine(EngineError::Refused(_)) => (StatusCode::BAD_REQUEST, INVALID, "refused_by_model"),
            Self::Engine(EngineError::Failed(_)) => (StatusCode::INTERNAL_SERVER_ERROR, SERVER, "model_failed"),
        }
    }

    /// How it counts.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Full { .. } => Outcome::Full,
            Self::Loading => Outcome::Loading,
            Self::Stopping => Outcome::Stopping,
            Self::Late { .. } => Outcome::Late,
            Self::Truncated { .. } => Outcome::Truncated,
            Self::Invalid(_) => Outcome::Invalid,
            Self::Engine(EngineError::Failed(_)) => Outcome::Failed,
            _ => Outcome::Refused,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, code) = self.kind();
        let body = json!({ "error": { "message": self.to_string(), "type": kind, "param": null, "code": code } });
        let mut response = (status, Json(body)).into_response();
        if matches!(self, Self::Full { .. } | Self::Loading) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}
