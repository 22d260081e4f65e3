//! Draws that anybody can repeat.

use althing_protocol::ids::Hash;

/// Draws from a seed: each is a hash of the seed and of what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lots {
    seed: Hash,
}

impl Lots {
    /// Lots from `seed`, unlike those that anybody else draws from it for another purpose.
    pub fn new(purpose: &str, seed: u64) -> Self {
        Self { seed: Hash::derive("althing rivals lots", &[purpose.as_bytes(), &seed.to_le_bytes()]) }
    }

    /// A number from 0 to 2^64 - 1, for `what`.
    pub fn number(&self, what: &[&[u8]]) -> u64 {
        let drawn = Hash::derive("althing rivals lot", &[&[&self.seed.as_bytes()[..]], what].concat());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&drawn.as_bytes()[..8]);
        u64::from_le_bytes(bytes)
    }

    /// A number above 0 and below 1, for `what`: all are equally likely.
    pub fn share(&self, what: &[&[u8]]) -> f64 {
        // The upper 52 bits, and a half, so that neither end is drawn.
        ((self.number(what) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// The first `count` of `weighted` in an order in which the heavier are likelier to come early: a draw without
    /// replacement, each time in proportion to the weights that are left. What weighs nothing is never drawn.
    ///
    /// Everything gets the key `ln(share) / weight`, and the greatest come first (Efraimidis and Spirakis, "Weighted random
    /// sampling with a reservoir", 2006).
    pub fn sample<T: Copy>(&self, weighted: &[(T, f64)], count: usize, name: impl Fn(&T) -> Vec<u8>) -> Vec<T> {
        let heavy = weighted.iter().filter(|(_, weight)| *weight > 0.0);
        let mut keyed: Vec<(f64, Vec<u8>, T)> = heavy
            .map(|(item, weight)| {
                let name = name(item);
                (libm::log(self.share(&[&name])) / weight, name, *item)
            })
            .collect();
        keyed.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        keyed.into_iter().take(count).map(|(_, _, item)| item).collect()
    }
}
