//! What is kept of a run: rows by round, by part of the population and by member.

/// A round.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RoundRow {
    pub(super) round: u64,
    /// Bids, members hired, of these by the fairness floor, and updates delivered.
    pub(super) bids: u64,
    pub(super) hired: u64,
    pub(super) floor: u64,
    pub(super) delivered: u64,
    /// What the round may spend, in micro-credits, and what of it was paid for delivery and for contribution.
    pub(super) budget: u64,
    pub(super) paid: u64,
    pub(super) bonus: u64,
    /// What the work has cost those who did it, in micro-credits.
    pub(super) cost: u64,
    /// What was delivered is worth, at the reserve price and by quality, less what it has cost, in micro-credits.
    pub(super) welfare: f64,
    /// Of the model after the round, from 0 to 1.
    pub(super) accuracy: f64,
    /// Gini's coefficient of members' income so far.
    pub(super) gini: f64,
    /// Jain's index of how often members have delivered so far.
    pub(super) participation: f64,
    /// Not yet given to anybody, in micro-credits.
    pub(super) pool: u64,
    /// Epsilon that was spent, by all together.
    pub(super) epsilon: f64,
}

/// A part of the population in a round.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PartRow {
    pub(super) round: u64,
    pub(super) part: usize,
    pub(super) members: u64,
    pub(super) bids: u64,
    pub(super) hired: u64,
    pub(super) delivered: u64,
    /// In micro-credits, in this round.
    pub(super) paid: u64,
    pub(super) bonus: u64,
    pub(super) cost: u64,
    /// Mean over the names of its members, from 0 to 1,000.
    pub(super) reputation: f64,
    pub(super) regret: Option<Regrets>,
    pub(super) sway: Sway,
    /// Questions for an order, and those of them that brought one.
    pub(super) questions: u64,
    pub(super) orders: u64,
}

impl PartRow {
    /// What is left of its pay, in micro-credits.
    pub(super) const fn surplus(&self) -> i64 {
        // Far below 2^63: no experiment mints so much.
        self.paid as i64 + self.bonus as i64 - self.cost as i64
    }
}

/// Whose word bids of members that a language model advises have followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sway {
    /// The model's order.
    pub(super) followed: u64,
    /// The rules', because the model gave no order or one that did not fit.
    pub(super) fell_back: u64,
    /// The rules', because the model was not asked.
    pub(super) ruled: u64,
}

/// A question to a language model for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrderRow {
    pub(super) round: u64,
    pub(super) part: usize,
    /// Members that waited for it.
    pub(super) members: u64,
    /// What the model was told of them.
    pub(super) situation: String,
    /// What it chose; empty if nothing.
    pub(super) choice: String,
    /// Why it chose nothing; empty if it did.
    pub(super) why: &'static str,
    /// Single answers that it took, and their tokens.
    pub(super) answers: u64,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

/// What sampled bidders could have gained by another price.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Regrets {
    /// Bidders that were sampled, and those of them that could have gained anything.
    pub(super) bidders: u64,
    pub(super) losers: u64,
    /// In micro-credits, over all of them, and the most of one.
    pub(super) sum: u64,
    pub(super) most: u64,
}

/// A member.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MemberRow {
    pub(super) place: usize,
    pub(super) part: usize,
    /// The round in which it came, and the last in which it was there.
    pub(super) joined: u64,
    pub(super) left: u64,
    pub(super) names: u64,
    pub(super) samples: u64,
    /// What one delivery of all that it has costs, in micro-credits.
    pub(super) cost_of_delivery: u64,
    pub(super) quality: f64,
    pub(super) tally: super::agent::Tally,
}

/// A run: one seed at one point of the sweeps.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) point: usize,
    pub(super) seed: u64,
    pub(super) rounds: Vec<RoundRow>,
    pub(super) parts: Vec<PartRow>,
    pub(super) members: Vec<MemberRow>,
    pub(super) orders: Vec<OrderRow>,
}
