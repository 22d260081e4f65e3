//! What a language model is asked of a context: the topics of which an answer consists, and what is known.

use althing_agents::{
    Rival,
    bidder::{BidOption, BidderQuestion, Cheapest},
    guardian::{Evenly, GuardianQuestion, PaceQuestion, WhatFits},
    orders::{LOOK_BACK, SelectorFacts, Situation, Topic},
    selector::Coverage,
};

use super::{contestant::Context, scored::Scored, selector::Selection};

/// A context that standing orders can be asked for, as a node asks for them.
pub(super) trait Topical: Context {
    /// What its answers consist of, in the order in which it is asked about.
    const TOPICS: &'static [Topic];

    /// What is known. `past` has what the one who is asked chose last, and what that was worth.
    fn situation(&self, past: &[(Self::Choice, f64)]) -> Situation;

    /// In which order its menu stands; empty if as it was made.
    fn order(&self) -> &[usize];

    /// Who decides beneath the orders, and in a node that has none.
    fn rules() -> Box<dyn Rival<Self::Question>>;
}

impl Topical for Scored<BidderQuestion> {
    const TOPICS: &'static [Topic] = &[Topic::Margin, Topic::Contract];

    fn situation(&self, past: &[(BidOption, f64)]) -> Situation {
        let mut situation = self.situation().clone();
        let bids = past.iter().filter(|(option, _)| *option != BidOption::Pass);
        situation.bidder.bids = bids.clone().count() as u32;
        situation.bidder.won = bids.filter(|(_, gain)| *gain > 0.0).count() as u32;
        situation
    }

    fn order(&self) -> &[usize] {
        self.order()
    }

    fn rules() -> Box<dyn Rival<BidderQuestion>> {
        Box::new(Cheapest)
    }
}

impl Topical for Selection {
    const TOPICS: &'static [Topic] = &[Topic::Focus, Topic::Hire];

    fn situation(&self, _: &[(Self::Choice, f64)]) -> Situation {
        let question = self.question();
        let (places, candidates) = (question.max_winners, question.candidates.clone());
        let gains = self.trial().world().gains().into_iter().take(LOOK_BACK).collect();
        Situation {
            selector: SelectorFacts { places, candidates, gains, ..SelectorFacts::default() },
            ..Situation::default()
        }
    }

    fn order(&self) -> &[usize] {
        self.order()
    }

    fn rules() -> Box<dyn Rival<Self::Question>> {
        Box::new(Coverage)
    }
}

impl Topical for Scored<GuardianQuestion> {
    const TOPICS: &'static [Topic] = &[Topic::Stint];

    fn situation(&self, _: &[(Self::Choice, f64)]) -> Situation {
        self.situation().clone()
    }

    fn order(&self) -> &[usize] {
        self.order()
    }

    fn rules() -> Box<dyn Rival<GuardianQuestion>> {
        Box::new(WhatFits)
    }
}

impl Topical for Scored<PaceQuestion> {
    const TOPICS: &'static [Topic] = &[Topic::Pace];

    fn situation(&self, _: &[(Self::Choice, f64)]) -> Situation {
        self.situation().clone()
    }

    fn order(&self) -> &[usize] {
        self.order()
    }

    fn rules() -> Box<dyn Rival<PaceQuestion>> {
        Box::new(Evenly)
    }
}
