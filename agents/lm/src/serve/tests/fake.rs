//! An engine that does what a test tells it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, Semaphore};

use crate::engine::{Answer, Ask, Engine, EngineError, Finish, Odds, Pending, Usage};

pub(super) struct Fake {
    result: Mutex<Result<Answer, EngineError>>,
    /// Closed when nobody need wait any more.
    gate: Semaphore,
    begun: AtomicUsize,
    begins: Notify,
    drops: Notify,
}

impl Fake {
    /// Answers at once.
    pub(super) fn saying(text: &str, finish: Finish) -> Arc<Self> {
        let fake = Self::waiting(text);
        if let Ok(answer) = fake.result.lock().unwrap().as_mut() {
            answer.finish = finish;
        }
        fake.release();
        fake
    }

    /// Answers nobody until it is released.
    pub(super) fn waiting(text: &str) -> Arc<Self> {
        let usage = Usage {
            prompt_tokens: 7,
            reused_tokens: 4,
            completion_tokens: 3,
            prompt_time: Duration::from_millis(20),
            completion_time: Duration::from_millis(10),
        };
        Self::new(Ok(Answer { text: text.into(), finish: Finish::Complete, usage, odds: None }))
    }

    pub(super) fn refusing(why: &str) -> Arc<Self> {
        let fake = Self::new(Err(EngineError::Refused(why.into())));
        fake.release();
        fake
    }

    pub(super) fn failing(why: &str) -> Arc<Self> {
        let fake = Self::new(Err(EngineError::Failed(why.into())));
        fake.release();
        fake
    }

    fn new(result: Result<Answer, EngineError>) -> Arc<Self> {
        Arc::new(Self {
            result: Mutex::new(result),
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            begins: Notify::new(),
            drops: Notify::new(),
        })
    }

    pub(super) fn add_odds(&self, odds: Odds) {
        if let Ok(answer) = self.result.lock().unwrap().as_mut() {
            answer.odds.get_or_insert_default().push(odds);
        }
    }

    pub(super) fn release(&self) {
        self.gate.close();
    }

    /// Waits until so many questions have been begun.
    pub(super) async fn begun(&self, count: usize) {
        while self.count_begun() < count {
            self.begins.notified().await;
        }
    }

    pub(super) fn count_begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Waits until an answer has been dropped before it was given.
    pub(super) async fn dropped(&self) {
        self.drops.notified().await;
    }
}

impl Engine for Fake {
    fn answer(&self, _ask: Ask) -> Pending<'_> {
        Box::pin(async {
            let mut unfinished = Unfinished(Some(&self.drops));
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.begins.notify_one();
            // A closed gate is an open door.
            let _ = self.gate.acquire().await;
            unfinished.0 = None;
            self.result.lock().unwrap().clone()
        })
    }
}

struct Unfinished<'a>(Option<&'a Notify>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(drops) = self.0 {
            drops.notify_one();
        }
    }
}
