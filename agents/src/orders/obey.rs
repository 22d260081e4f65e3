//! Policies that follow standing orders, and the rules where there are none or they do not fit.

use althing_protocol::{event::DecidedBy, statement::Reply};

use super::{choice::Topic, held::Orders};
use crate::{
    bidder::{self, BidOption, BidderQuestion},
    counter::{Counter, CounterQuestion, OfferQuestion},
    guardian::{GuardianQuestion, PaceOption, PaceQuestion, Stint},
    policy::{Pick, Policy, Question},
    selector::{SelectorOption, SelectorQuestion},
};

/// Follows `orders`, and `rules` beneath them.
pub struct Obedient<'a, Q: Question> {
    /// What stands.
    pub orders: &'a Orders,
    /// Who decides otherwise, and what no order says.
    pub rules: &'a mut dyn Policy<Q>,
}

impl<Q: Question> Obedient<'_, Q> {
    /// What the orders want if it stands on the menu, or else what the rules say.
    fn follow(
        &self,
        question: &Q,
        topics: &[Topic],
        ruled: Pick<Q::Option>,
        wanted: Option<Q::Option>,
    ) -> Pick<Q::Option> {
        match wanted {
            Some(option) if question.menu().contains(&option) => Pick { option, by: DecidedBy::Model },
            _ => Pick { by: self.orders.without(topics), ..ruled },
        }
    }
}

impl Policy<BidderQuestion> for Obedient<'_, BidderQuestion> {
    fn decide(&mut self, question: &BidderQuestion) -> Pick<BidOption> {
        let ruled = self.rules.decide(question);
        let (contract, margin) = (self.orders.contract(), self.orders.margin());
        let wanted = match (ruled.option, contract, margin) {
            (_, None, None) => None,
            (BidOption::Ask(place, ruled), ..) => {
                Some(BidOption::Ask(contract.unwrap_or(place), margin.unwrap_or(ruled)))
            }
            (BidOption::Pass, Some(place), Some(margin)) => Some(BidOption::Ask(place, margin)),
            (BidOption::Pass, ..) => None,
        };
        self.follow(question, &[Topic::Contract, Topic::Margin], ruled, wanted)
    }
}

impl Policy<SelectorQuestion> for Obedient<'_, SelectorQuestion> {
    fn decide(&mut self, question: &SelectorQuestion) -> Pick<SelectorOption> {
        let ruled = self.rules.decide(question);
        let (share, focus) = (self.orders.hire(), self.orders.focus());
        let wanted = (share.is_some() || focus.is_some()).then(|| SelectorOption {
            hire: share.map_or(ruled.option.hire, |share| share.of(question.max_winners)),
            focus: focus.unwrap_or(ruled.option.focus),
        });
        self.follow(question, &[Topic::Hire, Topic::Focus], ruled, wanted)
    }
}

impl Policy<CounterQuestion> for Obedient<'_, CounterQuestion> {
    fn decide(&mut self, question: &CounterQuestion) -> Pick<Counter> {
        let ruled = self.rules.decide(question);
        self.follow(question, &[Topic::Counter], ruled, self.orders.counter())
    }
}

/// The margin that a bidder is to ask for is also the least for which it lets itself be offered another contract.
impl Policy<OfferQuestion> for Obedient<'_, OfferQuestion> {
    fn decide(&mut self, question: &OfferQuestion) -> Pick<Reply> {
        let ruled = self.rules.decide(question);
        let wanted = self.orders.margin().map(|margin| {
            let pays = question.price > question.cost && question.price >= bidder::price(question.cost, margin);
            if pays { Reply::Accept } else { Reply::Decline }
        });
        self.follow(question, &[Topic::Margin], ruled, wanted)
    }
}

impl Policy<GuardianQuestion> for Obedient<'_, GuardianQuestion> {
    fn decide(&mut self, question: &GuardianQuestion) -> Pick<Stint> {
        let ruled = self.rules.decide(question);
        self.follow(question, &[Topic::Stint], ruled, self.orders.stint())
    }
}

impl Policy<PaceQuestion> for Obedient<'_, PaceQuestion> {
    fn decide(&mut self, question: &PaceQuestion) -> Pick<PaceOption> {
        let ruled = self.rules.decide(question);
        let pace = self.orders.pace();
        let wanted = question.menu().iter().copied().find(|option| Some(option.pace) == pace);
        self.follow(question, &[Topic::Pace], ruled, wanted)
    }
}
