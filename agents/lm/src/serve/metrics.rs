//! What the server counts, for Prometheus. The names stand in the README.

use std::{
    fmt::{self, Write},
    sync::atomic::AtomicU64,
    time::Duration,
};

use crate::engine::Usage;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It was answered.
    Answered,
    /// It was none that can be answered.
    Refused,
    /// Too many waited.
    Full,
    /// Its deadline passed.
    Late,
    /// Whoever asked went away.
    Left,
    /// The answer was cut off under a schema.
    Truncated,
    /// The answer did not follow its schema.
    Invalid,
    /// The model failed.
    Failed,
    /// The model was still being loaded.
    Loading,
    /// The server was being stopped.
    Stopping,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Late => "late",
            Self::Left => "left",
            Self::Truncated => "truncated",
            Self::Invalid => "invalid",
            Self::Failed => "failed",
            Self::Loading => "loading",
            Self::Stopping => "stopping",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: Outcome,
}

/// The counters of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    waiting: Gauge,
    running: Gauge,
    ready: Gauge,
    prompt_tokens: Counter,
    reused_tokens: Counter,
    completion_tokens: Counter,
    prompt_seconds: Counter<f64, AtomicU64>,
    completion_seconds: Counter<f64, AtomicU64>,
    answer_seconds: Histogram,
}

impl Metrics {
    /// All at nothing.
    pub(crate) fn new() -> Self {
        let mut all = Self {
            registry: Registry::with_prefix("althing_lm"),
            requests: Family::default(),
            waiting: Gauge::default(),
            running: Gauge::default(),
            ready: Gauge::default(),
            prompt_tokens: Counter::default(),
            reused_tokens: Counter::default(),
            completion_tokens: Counter::default(),
            prompt_seconds: Counter::default(),
            completion_seconds: Counter::default(),
            // From a tenth of a second to almost seven minutes.
            answer_seconds: Histogram::new(exponential_buckets(0.1, 2.0, 13)),
        };
        all.register();
        all
    }

    fn register(&mut self) {
        let to = &mut self.registry;
        to.register("requests", "Questions, by what became of them", self.requests.clone());
        to.register("waiting", "Questions that wait", self.waiting.clone());
        to.register("running", "Questions that are being answered", self.running.clone());
        to.register("ready", "1 once the model is loaded", self.ready.clone());
        to.register("prompt_tokens", "Tokens of answered questions", self.prompt_tokens.clone());
        let help = "Tokens of answered questions that were known from earlier ones, at least";
        to.register("reused_prompt_tokens", help, self.reused_tokens.clone());
        to.register("completion_tokens", "Tokens of answers", self.completion_tokens.clone());
        let help = "Time until the first tokens of answers";
        to.register_with_unit("prompt", help, Unit::Seconds, self.prompt_seconds.clone());
        let help = "Time from the first tokens of answers to the last";
        to.register_with_unit("completion", help, Unit::Seconds, self.completion_seconds.clone());
        let help = "Time from a question's arrival to its answer";
        to.register_with_unit("answer", help, Unit::Seconds, self.answer_seconds.clone());
    }

    /// Counts a question.
    pub(crate) fn count(&self, outcome: Outcome) {
        self.requests.get_or_create(&Labels { outcome }).inc();
    }

    /// Counts what an answer cost, and how long after the question it came.
    pub(crate) fn count_answer(&self, usage: &Usage, after: Duration) {
        let tokens = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.prompt_tokens.inc_by(tokens(usage.prompt_tokens));
        self.reused_tokens.inc_by(tokens(usage.reused_tokens));
        self.completion_tokens.inc_by(tokens(usage.completion_tokens));
        self.prompt_seconds.inc_by(usage.prompt_time.as_secs_f64());
        self.completion_seconds.inc_by(usage.completion_time.as_secs_f64());
        self.answer_seconds.observe(after.as_secs_f64());
    }

    /// How many questions there are now.
    pub(crate) fn set_load(&self, waiting: usize, running: usize) {
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.running.set(i64::try_from(running).unwrap_or(i64::MAX));
    }

    /// The model is loaded.
    pub(crate) fn set_ready(&self) {
        self.ready.set(1);
    }

    /// The text that Prometheus reads.
    pub(crate) fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }
}
