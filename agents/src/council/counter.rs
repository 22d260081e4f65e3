//! Counter-offers: what the chair's selector offers, and what the bidder says to an offer within its guardian's limits.

use althing_protocol::{
    event::{DecidedBy, Role},
    ids::MemberId,
    machine::{CounterOffersQuestion, ReplyQuestion},
    statement::Reply,
};

use super::{Council, Deliberation};
use crate::{
    bidder,
    counter::{Counter, CounterQuestion, Leave, OfferQuestion},
    guardian::{Capacity, GuardianQuestion, Means},
    orders::{Topic, obey::Obedient},
    policy::{Pick, ask},
};

/// What a member says to a counter-offer, and how that came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replying {
    /// Whether it takes the offer.
    pub reply: Reply,
    /// What the offered work costs it, in micro-credits.
    pub cost: u64,
    /// The guardian's decision, and the bidder's.
    pub said: Vec<Deliberation>,
}

impl Council {
    /// To whom to make a counter-offer, for which place of the menu. Making none is what happens anyway, and no decision to
    /// speak of.
    pub fn counter_offers(&mut self, question: CounterOffersQuestion) -> (Vec<(MemberId, u8)>, Option<Deliberation>) {
        let asked = CounterQuestion::new(question);
        let fallback = Pick { option: Counter::None, by: DecidedBy::Fallback };
        let pick =
            ask(&mut Obedient { orders: &self.orders, rules: &mut *self.negotiator }, &asked).unwrap_or(fallback);
        let choice = format!("counter-offers: {}", pick.option.name());
        let said =
            (pick.option != Counter::None).then(|| self.said(Role::Selector, &[Topic::Counter], pick.by, choice));
        (asked.offers(pick.option), said)
    }

    /// What to say to a counter-offer. The guardian is asked anew: it can only be accepted within its limits.
    pub fn reply(&mut self, question: &ReplyQuestion, capacity: Capacity, means: Means<'_>) -> Replying {
        let samples = capacity.samples;
        let guarded = GuardianQuestion::new(capacity, &question.menu, means);
        let stint = self.stint(&guarded);
        let mut said = vec![self.said(Role::Guardian, &[Topic::Stint], stint.by, guarded.words(stint.option))];

        let contract = question.menu.get(usize::from(question.offer.contract));
        let is_allowed = contract.is_some_and(|contract| guarded.allows(stint.option, contract));
        let leave = if is_allowed { Leave::Granted } else { Leave::Refused };
        let cost = contract.map_or(u64::MAX, |contract| bidder::cost(contract, samples, self.cost_per_sample));
        let asked = OfferQuestion::new(question.offer.price, cost, question.bid.price, leave);
        let fallback = Pick { option: Reply::Decline, by: DecidedBy::Fallback };
        let pick = ask(&mut Obedient { orders: &self.orders, rules: &mut *self.replier }, &asked).unwrap_or(fallback);
        let name = contract.map_or("", |contract| &contract.name);
        let choice = match pick.option {
            Reply::Accept => format!("accept {name} instead"),
            Reply::Decline => format!("decline {name}"),
        };
        said.push(self.said(Role::Bidder, &[Topic::Margin], pick.by, choice));
        Replying { reply: pick.option, cost, said }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use althing_protocol::{
        genesis::Contract,
        ids::Round,
        machine::{Bidder, Candidate},
        model::Width,
        statement::{Bid, CounterOffer},
    };

    use super::*;
    use crate::{
        guardian::{Machine, Need},
        policy::Policy,
    };

    /// One pass over the data and five.
    fn menu() -> Vec<Contract> {
        let contract = |name: &str, epochs| Contract { name: name.into(), epochs, width: Width::Full, value: epochs };
        vec![contract("one", 1), contract("five", 5)]
    }

    /// A machine that has time for `samples` twice, and no more.
    fn capacity(samples: u64) -> Capacity {
        let need = Need { time_per_sample: Duration::from_micros(100), load_permille: 0, memory_bytes: 0 };
        Capacity {
            samples,
            deadline: Duration::from_secs(1),
            machine: Machine { cores: 1, free_memory_bytes: u64::MAX, load_permille: 0 },
            max_load_permille: None,
            needs: [(Width::Full, need)].into(),
        }
    }

    fn offered(contract: u8, price: u64) -> ReplyQuestion {
        let offer = CounterOffer { member: MemberId([1; 32]), contract, price };
        ReplyQuestion {
            round: Round(1),
            menu: menu(),
            offer,
            bid: Bid { contract: 1 - contract, price: 1, samples: 100 },
        }
    }

    struct Yes;

    impl Policy<OfferQuestion> for Yes {
        fn decide(&mut self, _: &OfferQuestion) -> Pick<Reply> {
            Pick { option: Reply::Accept, by: DecidedBy::Model }
        }
    }

    #[test]
    fn an_offer_that_pays_is_accepted_and_one_that_does_not_is_declined() {
        for (price, wanted, words) in [
            (10_001, Reply::Accept, "accept one instead"),
            (10_000, Reply::Decline, "decline one"),
            (0, Reply::Decline, "decline one"),
        ] {
            let Replying { reply, said, .. } =
                Council::by_rules(10).reply(&offered(0, price), capacity(1_000), Means::Unlimited);
            assert_eq!((reply, said[1].choice.as_str()), (wanted, words));
        }
    }

    #[test]
    fn nobody_accepts_what_the_guardian_refuses() {
        let mut eager = Council::by_rules(10);
        eager.replier = Box::new(Yes);
        let Replying { reply, said, .. } = eager.reply(&offered(1, 1_000_000), capacity(4_000), Means::Unlimited);
        assert_eq!(reply, Reply::Decline, "five passes would take two seconds of one");
        assert_eq!(said[1].by, DecidedBy::Fallback);
        let Replying { reply, .. } = eager.reply(&offered(0, 1_000_000), capacity(4_000), Means::Unlimited);
        assert_eq!(reply, Reply::Accept);
        let Replying { reply, .. } = eager.reply(&offered(0, 1_000_000), capacity(40_000), Means::Unlimited);
        assert_eq!(reply, Reply::Decline, "nothing fits this machine in time");
    }

    #[test]
    fn by_rules_a_chair_makes_no_counter_offer() {
        let candidate =
            Candidate { member: MemberId([1; 32]), reputation: 500, idle_rounds: 3, hired: 1, delivered: 1, bonus: 0 };
        let bidders = vec![Bidder { candidate, contract: 0, samples: 100 }];
        let question = CounterOffersQuestion { round: Round(1), most: 2, menu: menu(), bidders };
        let (offers, said) = Council::by_rules(10).counter_offers(question);
        assert_eq!((offers, said), (vec![], None));
    }
}
