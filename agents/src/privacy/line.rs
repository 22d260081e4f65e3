//! One order of the filter: what may be spent at it, and what is.

use serde::{Deserialize, Serialize};

use super::{
    budget::Budget,
    curve::{Conversion, default_orders},
    gaussian::{MAX_ORDER, rdp},
    spend::Spend,
};

/// Part of delta that the leading order has. Its bound loses only `ln(1/0.9) / (order - 1)` by sharing.
pub(super) const LEAD_SHARE: f64 = 0.9;

/// Orders that share the rest of delta equally, for a member whose training turns out other than expected.
const RESERVE_ORDERS: [f64; 12] = [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 24.0, 32.0, 64.0];

/// Part of delta that each reserve order has: together with the lead's a little less than one.
const RESERVE_SHARE: f64 = 0.0083;

/// Part of epsilon that nobody may spend: far more than what rounding in the sums can hide.
const SLACK: f64 = 1e-9;

/// Most lines of a filter.
const MAX_LINES: usize = 1 + RESERVE_ORDERS.len();

/// One order with its share of delta. Order and share never change after the filter was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    order: f64,
    share: f64,
    spent: f64,
}

/// The divergence of `order` that still implies the budget's epsilon at `share` of its delta.
pub(super) fn bound(budget: &Budget, order: f64, share: f64) -> f64 {
    budget.epsilon() * (1.0 - SLACK) - Conversion::Tight.offset(order, share * budget.delta())
}

/// The lines of a fresh filter: the order at which `expected` goes the longest way, and the reserve.
pub(super) fn fresh(budget: &Budget, expected: &Spend) -> Vec<Line> {
    let length = |order: &f64| bound(budget, *order, LEAD_SHARE) / rdp(expected.q(), expected.sigma(), *order);
    let useful = |order: &f64| bound(budget, *order, LEAD_SHARE) > 0.0;
    let lead = default_orders().filter(useful).max_by(|left, right| length(left).total_cmp(&length(right)));
    let reserve = RESERVE_ORDERS.into_iter().filter(|order| Some(*order) != lead);
    let shares = lead.map(|order| (order, LEAD_SHARE)).into_iter().chain(reserve.map(|order| (order, RESERVE_SHARE)));
    shares.map(|(order, share)| Line { order, share, spent: 0.0 }).collect()
}

/// Whether stored lines can be those of a filter: the theorem wants shares that sum to one at most.
pub(super) fn are_sound(lines: &[Line]) -> bool {
    let sound = |line: &Line| {
        line.order > 1.0 && line.order <= MAX_ORDER && line.share > 0.0 && line.spent >= 0.0 && !line.spent.is_nan()
    };
    let shares: f64 = lines.iter().map(|line| line.share).sum();
    lines.len() <= MAX_LINES && lines.iter().all(sound) && shares <= 1.0
}

impl Line {
    /// The order.
    pub(super) const fn order(&self) -> f64 {
        self.order
    }

    /// What would be spent if `spend` came on top and one of its steps cost `step`, rounded up.
    pub(super) fn after(&self, spend: &Spend, step: f64) -> f64 {
        let cost = spend.cost(step);
        if cost == 0.0 { self.spent } else { (self.spent + cost).next_up() }
    }

    /// Whether this order still proves the budget when `spent` is spent.
    pub(super) fn holds(&self, budget: &Budget, spent: f64) -> bool {
        spent <= bound(budget, self.order, self.share)
    }

    /// The same order and share with nothing spent.
    pub(super) const fn emptied(&self) -> Self {
        Self { order: self.order, share: self.share, spent: 0.0 }
    }

    /// Writes down what is spent now.
    pub(super) fn set(&mut self, spent: f64) {
        self.spent = spent;
    }

    /// The epsilon that this order's account amounts to.
    pub(super) fn epsilon(&self, budget: &Budget) -> f64 {
        Conversion::Tight.epsilon(self.order, self.spent, self.share * budget.delta())
    }
}
