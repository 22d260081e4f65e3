//! Chance.

use rand::RngExt;

use super::{Behaviour, Offer};
use crate::market::draw::Stream;

/// Asks any price from nothing to the most that it may.
#[derive(Debug, Clone)]
pub(super) struct Random;

impl Behaviour for Random {
    fn ask(&mut self, offer: &Offer, draws: &mut Stream) -> Option<u64> {
        Some(draws.random_range(0..=offer.most))
    }
}
