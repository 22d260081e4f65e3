//! What a link does to what is sent over it.

use std::time::Duration;

use super::rng::Rng;

/// The quality of every link of a federation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Shortest time on the way, in milliseconds.
    pub latency_ms: u64,
    /// Up to so much is added, in milliseconds: later messages overtake earlier ones.
    pub jitter_ms: u64,
    /// Messages of a thousand that never arrive.
    pub loss_permille: u32,
    /// Messages of a thousand that arrive twice.
    pub duplication_permille: u32,
    /// Messages of a thousand that take up to two seconds longer.
    pub straggling_permille: u32,
}

/// How much longer a straggler may take, in milliseconds.
const STRAGGLE_MS: u64 = 2_000;

impl Link {
    /// A link that loses nothing.
    pub const GOOD: Self =
        Self { latency_ms: 2, jitter_ms: 8, loss_permille: 0, duplication_permille: 0, straggling_permille: 0 };

    /// A link as `rng` draws it.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let mut one_of = |choices: &[u32]| rng.pick(choices).copied().unwrap_or(0);
        Self {
            latency_ms: one_of(&[1, 5, 20, 40]).into(),
            jitter_ms: one_of(&[0, 10, 50, 120]).into(),
            loss_permille: one_of(&[0, 0, 20, 100, 200]),
            duplication_permille: one_of(&[0, 50, 200]),
            straggling_permille: one_of(&[0, 0, 10, 50]),
        }
    }

    /// The same link after its faults have ceased.
    pub(super) const fn calm(self) -> Self {
        Self { loss_permille: 0, duplication_permille: 0, straggling_permille: 0, ..self }
    }

    /// When one message arrives: never, once or twice.
    pub(super) fn arrivals(&self, rng: &mut Rng) -> Vec<Duration> {
        let copies = match (rng.chance(self.loss_permille), rng.chance(self.duplication_permille)) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        (0..copies).map(|_| self.latency(rng)).collect()
    }

    fn latency(&self, rng: &mut Rng) -> Duration {
        let straggles = if rng.chance(self.straggling_permille) { rng.below(STRAGGLE_MS) } else { 0 };
        Duration::from_millis(self.latency_ms + rng.within(0, self.jitter_ms) + straggles)
    }
}
