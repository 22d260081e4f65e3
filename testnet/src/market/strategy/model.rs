//! A language model's standing orders: it says how much above its cost a member asks, until it is asked again.
//!
//! As in a node, bids follow the newest order at once, and the rules decide where there is none or it does not fit. Who is
//! asked, and when, is the matter of [`counsel`](crate::market::counsel).

use std::collections::VecDeque;

use althing_agents::{
    bidder::{self, BidderQuestion, Cheapest},
    orders::{Choice, LASTS_ROUNDS, LOOK_BACK, Orders, Topic, obey::Obedient, verdict::Asking},
    policy,
};
use althing_protocol::{event::DecidedBy, ids::Round};
use serde::{Deserialize, Serialize};

use super::{Behaviour, Offer};
use crate::market::draw::Stream;

/// Questions that may be asked in a run, at the most.
const QUESTIONS_MOST: u64 = 100_000;

/// How a model is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::market) struct Model {
    /// How it is asked to choose.
    pub(in crate::market) asking: Asking,
    /// Rounds after which a member wants a new order.
    pub(in crate::market) renew_every: u64,
    /// Questions for an order that all its members may ask in a run, spread evenly over the rounds.
    pub(in crate::market) questions_most: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self { asking: Asking::default(), renew_every: 8, questions_most: 40 }
    }
}

impl Model {
    pub(super) fn check(&self) -> Result<(), String> {
        let within = |field, got, most| {
            let holds = (1..=most).contains(&got);
            holds.then_some(()).ok_or_else(|| format!("model.{field} must be from 1 to {most}"))
        };
        within("renew_every", self.renew_every, LASTS_ROUNDS)?;
        within("questions_most", self.questions_most, QUESTIONS_MOST)
    }
}

/// A member that a model advises.
#[derive(Debug, Clone, Default)]
pub(in crate::market) struct Advised {
    orders: Orders,
    /// The round in which its model was last asked.
    asked: Option<u64>,
    /// Whether each of the last bids won, the latest last.
    bids: VecDeque<bool>,
    bid: Option<Made>,
}

/// A bid, and what has come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::market) struct Made {
    /// Who decided it.
    pub(in crate::market) by: DecidedBy,
    /// The order that it follows, if it follows one.
    pub(in crate::market) followed: Option<Choice>,
    /// What it has earned above cost, in micro-credits.
    pub(in crate::market) earned: i64,
}

impl Advised {
    /// Drops an order that is too old, and says whether a new one is wanted.
    pub(in crate::market) fn is_due(&mut self, round: u64, renew_every: u64) -> bool {
        self.orders.age(Round(round));
        self.asked.is_none_or(|asked| round.saturating_sub(asked) >= renew_every)
    }

    /// How many of its last bids there were, and how many won.
    pub(in crate::market) fn record(&self) -> (u32, u32) {
        let won = self.bids.iter().filter(|won| **won).count();
        // At most LOOK_BACK of them.
        (self.bids.len() as u32, won as u32)
    }

    /// What the model said in `round`: an order, or none.
    pub(in crate::market) fn hear(&mut self, round: u64, said: Option<Choice>) {
        self.asked = Some(round);
        match said {
            Some(choice) => self.orders.give(choice, Round(round)),
            None => self.orders.fail(Topic::Margin),
        }
    }

    /// This round's bid, once.
    pub(in crate::market) const fn settle(&mut self) -> Option<Made> {
        self.bid.take()
    }
}

impl Behaviour for Advised {
    fn ask(&mut self, offer: &Offer, _: &mut Stream) -> Option<u64> {
        // One unit of value, which may cost at most what the whole contract may: the menu is the same.
        let work = bidder::Offer { place: 0, samples: 0, value: 1, cost: offer.cost };
        let question = BidderQuestion::new(vec![work], offer.most, 0, 0);
        let pick = policy::ask(&mut Obedient { orders: &self.orders, rules: &mut Cheapest }, &question)?;
        let price = question.bid(pick.option)?.price;
        let followed = (pick.by == DecidedBy::Model).then(|| self.orders.about(Topic::Margin)).flatten();
        self.bid = Some(Made { by: pick.by, followed, earned: 0 });
        Some(price)
    }

    fn learn(&mut self, _: &Offer, earned: Option<i64>) {
        let Some(made) = &mut self.bid else { return };
        made.earned = earned.unwrap_or(0);
        self.bids.push_back(earned.is_some());
        if self.bids.len() > LOOK_BACK {
            self.bids.pop_front();
        }
    }

    fn advised(&mut self) -> Option<&mut Advised> {
        Some(self)
    }
}
