//! Draws of a simulated world: each depends on the seed and on what is drawn, never on what was drawn before.

use althing_agents::rivals::Lots;

/// Draws from a seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(Lots);

impl Dice {
    /// Those of a world.
    pub(super) fn new(world: &str, seed: u64) -> Self {
        Self(Lots::new(world, seed))
    }

    /// From 0 to 1, for `what` with these numbers.
    pub(super) fn share(&self, what: &str, numbers: &[u64]) -> f64 {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.0.share(&[what.as_bytes(), &[0], &numbers])
    }

    /// From `low` to `high`, evenly between their logarithms.
    pub(super) fn between(&self, (low, high): (f64, f64), what: &str, numbers: &[u64]) -> f64 {
        low * (high / low).powf(self.share(what, numbers))
    }

    /// Whether something happens that happens so often.
    pub(super) fn happens(&self, chance: f64, what: &str, numbers: &[u64]) -> bool {
        self.share(what, numbers) < chance
    }
}
