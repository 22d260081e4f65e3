//! Shading: a little more than cost.

use serde::{Deserialize, Serialize};

use super::{Behaviour, Offer, percent};
use crate::market::draw::Stream;

/// Asks so much more than its cost, but no more than it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Shading {
    /// In hundredths of the cost.
    pub(in crate::market) margin_percent: u64,
}

impl Default for Shading {
    fn default() -> Self {
        Self { margin_percent: 20 }
    }
}

impl Behaviour for Shading {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        let wanted = offer.cost.saturating_add(percent(offer.cost, self.margin_percent));
        (offer.cost <= offer.most).then_some(wanted.min(offer.most))
    }
}
