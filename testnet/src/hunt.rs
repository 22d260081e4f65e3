//! Whom to kill and when to bring it back: decisions only.

use std::num::NonZeroU64;

/// A killed node is started again once its round has settled, or after this long: a federation of fewer than four
/// cannot settle without it.
pub const RESTART_AFTER_MS: u64 = 10_000;

/// What is to be done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Kill it, at once and without warning.
    Kill(usize),
    /// Start it again.
    Restart(usize),
}

/// A kill, and what came of it. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// The round in which it happened.
    pub round: u64,
    /// The node that chaired it.
    pub node: usize,
    /// When.
    pub killed_ms: u64,
    /// When it was started again.
    pub restarted_ms: Option<u64>,
    /// When it had the decision of that round, and with it all before.
    pub back_ms: Option<u64>,
}

/// Kills the elected aggregator of every Kth round.
#[derive(Debug, Default)]
pub struct Hunt {
    every: Option<NonZeroU64>,
    kills: Vec<Kill>,
}

impl Hunt {
    /// Kills in every `every`th round, or never.
    pub const fn new(every: Option<NonZeroU64>) -> Self {
        Self { every, kills: Vec::new() }
    }

    /// Everything done so far.
    pub fn kills(&self) -> &[Kill] {
        &self.kills
    }

    /// A Plan is decided, so its winners train now: is it the hour of the node that was elected to chair the round?
    ///
    /// Every node reports the Plan; only the first report counts. A victim that has not come back is spared.
    pub fn planned(&mut self, round: u64, elected: usize, now_ms: u64) -> Option<Order> {
        let due = self.every.is_some_and(|every| round.is_multiple_of(every.get()));
        let done = self.kills.iter().any(|kill| kill.round >= round);
        let down = self.kills.iter().any(|kill| kill.node == elected && kill.restarted_ms.is_none());
        if !due || done || down {
            return None;
        }
        let (restarted_ms, back_ms) = (None, None);
        self.kills.push(Kill { round, node: elected, killed_ms: now_ms, restarted_ms, back_ms });
        Some(Order::Kill(elected))
    }

    /// Time passes, and `settled` is the last round that the others have settled: who is to be started again?
    pub fn tick(&mut self, settled: u64, now_ms: u64) -> Option<Order> {
        let is_due = |kill: &&mut Kill| {
            let waited_ms = now_ms.saturating_sub(kill.killed_ms);
            kill.restarted_ms.is_none() && (settled >= kill.round || waited_ms >= RESTART_AFTER_MS)
        };
        let kill = self.kills.iter_mut().find(is_due)?;
        kill.restarted_ms = Some(now_ms);
        Some(Order::Restart(kill.node))
    }

    /// `node` has everything up to the end of round `has`.
    pub fn caught_up(&mut self, node: usize, has: u64, now_ms: u64) {
        for kill in &mut self.kills {
            let here = kill.node == node && has >= kill.round && kill.restarted_ms.is_some();
            if here && kill.back_ms.is_none() {
                kill.back_ms = Some(now_ms);
            }
        }
    }

    /// Whether some victim has not been started again.
    pub fn is_anybody_down(&self) -> bool {
        self.kills.iter().any(|kill| kill.restarted_ms.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens at a step.
    enum Step {
        Planned(u64, usize),
        Settled(u64),
        Back(usize, u64),
    }
    use Step::{Back, Planned, Settled};

    #[test]
    fn the_chair_of_every_second_round_dies_once_and_returns() {
        let mut hunt = Hunt::new(NonZeroU64::new(2));
        let steps = [
            ("a round between is left alone", 100, Planned(1, 4), None),
            ("the second is not", 200, Planned(2, 5), Some(Order::Kill(5))),
            ("another report of the same plan changes nothing", 201, Planned(2, 5), None),
            ("it stays down during the round", 300, Settled(1), None),
            ("and returns when it has settled", 400, Settled(2), Some(Order::Restart(5))),
            ("once", 401, Settled(2), None),
            ("a report from somebody else is not its return", 402, Back(4, 2), None),
            ("its own is, if it has the round", 403, Back(5, 1), None),
            ("its own is", 404, Back(5, 2), None),
            ("the next kill", 500, Planned(4, 6), Some(Order::Kill(6))),
            ("an old plan that arrives late does nothing", 501, Planned(2, 1), None),
            ("a chair that is still down is spared", 502, Planned(6, 6), None),
            (
                "a round that cannot settle is not waited for",
                500 + RESTART_AFTER_MS,
                Settled(3),
                Some(Order::Restart(6)),
            ),
        ];
        for (what, now, step, expected) in steps {
            let got = match step {
                Planned(round, elected) => hunt.planned(round, elected, now),
                Settled(round) => hunt.tick(round, now),
                Back(node, round) => {
                    hunt.caught_up(node, round, now);
                    None
                }
            };
            assert_eq!(got, expected, "{what}");
        }
        assert!(!hunt.is_anybody_down());
        let [first, second] = hunt.kills() else { panic!("two kills") };
        assert_eq!((first.killed_ms, first.restarted_ms, first.back_ms), (200, Some(400), Some(404)));
        assert_eq!(second.back_ms, None);
    }

    #[test]
    fn without_an_order_nobody_is_killed() {
        let mut hunt = Hunt::new(None);
        assert!((1..100).all(|round| hunt.planned(round, 0, 0).is_none()));
    }
}
