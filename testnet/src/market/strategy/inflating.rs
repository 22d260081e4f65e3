//! Inflation: a multiple of the cost, as if training were that dear.

use serde::{Deserialize, Serialize};

use super::{Behaviour, Offer};
use crate::market::draw::Stream;

/// Asks so many times its cost, and passes where nobody could believe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Inflating {
    /// How many times.
    pub(in crate::market) times: u64,
}

impl Default for Inflating {
    fn default() -> Self {
        Self { times: 3 }
    }
}

impl Behaviour for Inflating {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        let wanted = offer.cost.saturating_mul(self.times);
        (wanted <= offer.most).then_some(wanted)
    }
}
