//! Deadlines that adapt: a phase may take a few times what the slowest of the last rounds took, within the genesis's
//! bounds. They are this member's own; nothing is agreed by them.

use std::{collections::VecDeque, time::Duration};

use crate::genesis::Bounds;

/// Rounds that are remembered.
const WINDOW: usize = 5;

/// A phase may take this many times the slowest that is remembered.
const SLACK: u64 = 3;

/// How long one phase has taken, lately.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    bounds: Bounds,
    taken_ms: VecDeque<u64>,
}

impl Deadline {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, taken_ms: VecDeque::with_capacity(WINDOW) }
    }

    /// R24: how long the phase may take now: the upper bound until something is known.
    pub(super) fn next(&self) -> Duration {
        let wanted = self.taken_ms.iter().max().map_or(self.bounds.max_ms, |slowest| slowest.saturating_mul(SLACK));
        Duration::from_millis(wanted.clamp(self.bounds.min_ms, self.bounds.max_ms))
    }

    /// The phase has taken so long. One that ran into its deadline thereby gets a longer one next time.
    pub(super) fn learn(&mut self, taken: Duration) {
        if self.taken_ms.len() == WINDOW {
            self.taken_ms.pop_front();
        }
        self.taken_ms.push_back(u64::try_from(taken.as_millis()).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn a_deadline_follows_the_slowest_of_the_last_rounds_within_bounds() {
        let mut deadline = Deadline::new(Bounds { min_ms: 100, max_ms: 1_000 });
        assert_eq!(deadline.next(), ms(1_000), "nothing is known yet");
        deadline.learn(ms(10));
        assert_eq!(deadline.next(), ms(100), "never below the least");
        deadline.learn(ms(200));
        assert_eq!(deadline.next(), ms(600));
        deadline.learn(deadline.next());
        assert_eq!(deadline.next(), ms(1_000), "one that was missed grows, up to the most");
        for _ in 0..WINDOW {
            deadline.learn(ms(50));
        }
        assert_eq!(deadline.next(), ms(150), "what is long past is forgotten");
    }
}
