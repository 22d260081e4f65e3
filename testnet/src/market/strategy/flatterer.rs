//! Praise for friends.

use althing_protocol::statement::Appraisal;

use super::{Behaviour, Maker, Offer};
use crate::market::draw::Stream;

/// Bids the truth, and as appraiser says the best of its own kind and the worst of everybody else.
#[derive(Debug, Clone)]
pub(super) struct Flatterer;

impl Behaviour for Flatterer {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        (offer.cost <= offer.most).then_some(offer.cost)
    }

    fn appraise(&self, maker: Maker, _: i64) -> i64 {
        match maker {
            Maker::Fellow => Appraisal::MOST,
            Maker::Stranger => -Appraisal::MOST,
        }
    }
}
