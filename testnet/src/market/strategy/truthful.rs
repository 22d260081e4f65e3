//! Truth.

use super::{Behaviour, Offer};
use crate::market::draw::Stream;

/// Asks its cost, if that can be paid at all.
#[derive(Debug, Clone)]
pub(super) struct Truthful;

impl Behaviour for Truthful {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        (offer.cost <= offer.most).then_some(offer.cost)
    }
}
