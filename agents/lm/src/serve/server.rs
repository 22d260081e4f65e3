//! A question's way through the server: read, queue, model, judge; each step within the question's deadline.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use super::{
    limits::{BODY_BYTES_MAX, TIMEOUT_MAX_S},
    metrics::{Metrics, Outcome},
    queue::Queue,
    refusal::Refusal,
    reply::{self, Demands},
    request::Question,
};
use crate::engine::Engine;

/// The header by which a request says how many milliseconds its answer may take.
pub(crate) const TIMEOUT_HEADER: &str = "x-timeout-ms";

/// What all requests share.
pub(crate) struct Server {
    /// The model's name in answers.
    pub(crate) model: String,
    /// What is counted.
    pub(crate) metrics: Metrics,
    loaded: OnceLock<Loaded>,
    queue: Queue,
    timeout: Duration,
    stopping: watch::Sender<Running>,
    answers: AtomicU64,
}

struct Loaded {
    engine: Arc<dyn Engine>,
    at: u64,
}

/// Whether the server goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Running {
    On,
    Stopping,
}

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The model is being loaded.
    Loading,
    /// Questions are answered.
    Ready,
    /// The server is being stopped.
    Stopping,
}

impl Server {
    /// A server of the model called `model`, which is not loaded yet. `waiting` questions may wait, and each may take
    /// `timeout` unless it says so itself.
    pub(crate) fn new(model: String, waiting: usize, timeout: Duration) -> Self {
        Self {
            model,
            metrics: Metrics::new(),
            loaded: OnceLock::new(),
            queue: Queue::new(waiting),
            timeout,
            stopping: watch::Sender::new(Running::On),
            answers: AtomicU64::new(0),
        }
    }

    /// From now on `engine` answers.
    pub(crate) fn set_ready(&self, engine: Arc<dyn Engine>) {
        if self.loaded.set(Loaded { engine, at: reply::unix_seconds() }).is_ok() {
            self.metrics.set_ready();
        }
    }

    /// From now on nothing is answered, and what is being answered is broken off.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(Running::Stopping);
    }

    /// How far the server is.
    pub(crate) fn readiness(&self) -> Readiness {
        match (*self.stopping.borrow(), self.loaded.get()) {
            (Running::Stopping, _) => Readiness::Stopping,
            (Running::On, Some(_)) => Readiness::Ready,
            (Running::On, None) => Readiness::Loading,
        }
    }

    /// The list of models, empty until the model is loaded.
    pub(crate) fn models(&self) -> Value {
        match self.loaded.get() {
            Some(loaded) => reply::models(&self.model, loaded.at),
            None => serde_json::json!({ "object": "list", "data": [] }),
        }
    }

    /// The page for Prometheus.
    pub(crate) fn metrics_text(&self) -> String {
        self.metrics.set_load(self.queue.waiting(), self.queue.running());
        self.metrics.text()
    }

    /// Answers a request, and counts what became of it, also when whoever asked goes away.
    pub(crate) async fn chat(&self, headers: HeaderMap, body: Body) -> Result<Value, Refusal> {
        let mut counted = Counted { metrics: &self.metrics, outcome: Outcome::Left };
        let mut stopping = self.stopping.subscribe();
        let result = tokio::select! {
            result = self.in_time(&headers, body) => result,
            _ = stopping.wait_for(|running| *running == Running::Stopping) => Err(Refusal::Stopping),
        };
        counted.outcome = result.as_ref().map_or_else(Refusal::outcome, |_| Outcome::Answered);
        result
    }

    async fn in_time(&self, headers: &HeaderMap, body: Body) -> Result<Value, Refusal> {
        let begun = Instant::now();
        let timeout = self.timeout_of(headers)?;
        match tokio::time::timeout_at(begun + timeout, self.answer(headers, body, begun)).await {
            Ok(result) => result,
            Err(_) => Err(Refusal::Late { after: timeout, header: TIMEOUT_HEADER }),
        }
    }

    async fn answer(&self, headers: &HeaderMap, body: Body, begun: Instant) -> Result<Value, Refusal> {
        check_media_type(headers)?;
        let body = axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| Refusal::TooLong)?;
        let (ask, demands) = Demands::of(Question::parse(&body, &self.model)?);
        let engine = &self.loaded.get().ok_or(Refusal::Loading)?.engine;
        let seat = self.queue.enter().ok_or_else(|| Refusal::Full { waiting: self.queue.waiting() })?;
        let _turn = self.queue.turn(&seat).await;
        let answer = engine.answer(ask).await?;
        self.metrics.count_answer(&answer.usage, begun.elapsed());
        demands.check(&answer)?;
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        Ok(reply::completion(&answer, &self.model, number))
    }

    fn timeout_of(&self, headers: &HeaderMap) -> Result<Duration, Refusal> {
        let Some(asked) = headers.get(TIMEOUT_HEADER) else { return Ok(self.timeout) };
        let most = TIMEOUT_MAX_S * 1000;
        match asked.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|ms| (1..=most).contains(ms)) {
            Some(ms) => Ok(Duration::from_millis(ms)),
            None => Err(Refusal::Request(format!("{TIMEOUT_HEADER} is no number of milliseconds from 1 to {most}"))),
        }
    }
}

/// Counts a question when it is dropped.
struct Counted<'a> {
    metrics: &'a Metrics,
    outcome: Outcome,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.count(self.outcome);
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(Refusal::NotJson) }
}
