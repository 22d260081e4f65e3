//! A ring that agrees on prices.
//!
//! Where payments follow the first loser's price, a seller alone cannot move its own; sellers together can, if some stand
//! aside. The ring's cheapest members ask their cost. The others ask as much as they may, which takes them out of the
//! competition and lets the first loser be dearer.

use serde::{Deserialize, Serialize};

use super::{Behaviour, Offer};
use crate::market::draw::Stream;

/// A member of a ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Ring {
    /// In thousandths of the ring, from the dearest on, who stand aside.
    pub(in crate::market) withheld_permille: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { withheld_permille: 970 }
    }
}

impl Ring {
    pub(super) fn check(&self) -> Result<(), String> {
        let holds = self.withheld_permille <= 1_000;
        holds.then_some(()).ok_or_else(|| "ring.withheld_permille must be from 0 to 1000".to_owned())
    }
}

impl Behaviour for Ring {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        let price = if offer.cost <= offer.ring_most { offer.cost } else { offer.most };
        (offer.cost <= offer.most).then_some(price)
    }
}
