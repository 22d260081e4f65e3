//! Pay without work.

use serde::{Deserialize, Serialize};

use super::{Behaviour, Labour, Offer, percent};
use crate::market::draw::Stream;

/// Asks a part of what training would cost, so that it is hired, and does not train.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct FreeRider {
    /// In hundredths of the cost that it does not have.
    pub(in crate::market) price_percent: u64,
}

impl Default for FreeRider {
    fn default() -> Self {
        Self { price_percent: 50 }
    }
}

impl Behaviour for FreeRider {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        Some(percent(offer.cost, self.price_percent).min(offer.most))
    }

    fn labour(&self) -> Labour {
        Labour::Feigns
    }
}
