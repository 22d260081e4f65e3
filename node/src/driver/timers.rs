//! The core's timers on tokio's clock.

use std::{collections::BTreeMap, future::poll_fn, time::Duration};

use althing_protocol::machine::Timer;
use tokio_util::time::{DelayQueue, delay_queue::Key};

/// Timers that run. Each runs once at most.
#[derive(Default)]
pub(super) struct Timers {
    queue: DelayQueue<Timer>,
    keys: BTreeMap<Timer, Key>,
}

impl Timers {
    /// Lets `timer` run so long, anew if it runs.
    pub(super) fn set(&mut self, timer: Timer, span: Duration) {
        if let Some(key) = self.keys.get(&timer) {
            self.queue.reset(key, span);
        } else {
            self.keys.insert(timer, self.queue.insert(timer, span));
        }
    }

    /// Forgets `timer`, if it runs.
    pub(super) fn cancel(&mut self, timer: &Timer) {
        if let Some(key) = self.keys.remove(timer) {
            self.queue.try_remove(&key);
        }
    }

    /// The next timer whose time is up. Never ends while none runs.
    pub(super) async fn next(&mut self) -> Timer {
        loop {
            if let Some(expired) = poll_fn(|context| self.poll(context)).await {
                return expired;
            }
        }
    }

    fn poll(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Option<Timer>> {
        use std::task::Poll;
        match self.queue.poll_expired(context) {
            Poll::Ready(Some(expired)) => {
                let timer = expired.into_inner();
                self.keys.remove(&timer);
                Poll::Ready(Some(timer))
            }
            // An empty queue is woken by nothing; the loop polls again after it has set a timer.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::Round;
    use tokio::time::{Instant, timeout};

    use super::*;

    /// Longer than any timer here runs.
    const LONG: Duration = Duration::from_millis(300);

    #[tokio::test]
    async fn timers_come_in_order_and_only_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Train(Round(1)), Duration::from_millis(20));
        timers.set(Timer::Commit(Round(1)), Duration::from_millis(10));
        timers.set(Timer::Reveal(Round(1)), Duration::from_millis(15));
        timers.cancel(&Timer::Reveal(Round(1)));
        assert_eq!(timers.next().await, Timer::Commit(Round(1)));
        assert_eq!(timers.next().await, Timer::Train(Round(1)));
        assert!(timeout(LONG, timers.next()).await.is_err(), "nothing is left");
    }

    #[tokio::test]
    async fn a_timer_that_is_set_again_starts_anew() {
        let mut timers = Timers::default();
        let start = Instant::now();
        timers.set(Timer::Repeat, Duration::from_millis(1));
        timers.set(Timer::Repeat, Duration::from_millis(40));
        assert_eq!(timers.next().await, Timer::Repeat);
        assert!(start.elapsed() >= Duration::from_millis(40));
        timers.set(Timer::Repeat, Duration::ZERO);
        assert_eq!(timers.next().await, Timer::Repeat, "one that has come can be set again");
    }
}
