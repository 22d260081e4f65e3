//! Two members, one of whom chairs, and what passes between their agents before the Plan.

use althing_protocol::{
    crypto::Signed,
    event::HiredBy,
    machine::{Durable, Effect, Identity, Input, Machine, Timer},
    sim::Scenario,
    state::{Federation, Stage},
    statement::{Bid, CounterOffer, CounterOffers, Reply},
    time::Time,
    wire::Message,
};

/// Two machines that hear each other at once, and how their agents answer.
struct Pair {
    machines: Vec<Machine>,
    identities: Vec<Identity>,
    federation: Federation,
    chair: usize,
    /// What the chair's selector offers the other; nothing is no answer at all.
    offers: Option<Vec<u8>>,
    /// What the other says to it; nothing is no answer at all.
    reply: Option<Reply>,
    /// How often each of them was asked.
    asked: [usize; 2],
    timers: Vec<Timer>,
}

impl Pair {
    fn new(most: u32, offers: Option<Vec<u8>>, reply: Option<Reply>) -> Self {
        let scenario = Scenario { max_counter_offers: most, ..Scenario::quiet(1, 2) };
        let (federation, identities) = (Federation::new(scenario.genesis()), scenario.identities());
        let begin = |identity: &Identity| {
            Machine::recover(federation.clone(), identity.clone(), Durable::default(), Time(0)).unwrap().0
        };
        let machines: Vec<Machine> = identities.iter().map(begin).collect();
        let chair = identities.iter().position(|who| who.keypair.id() == machines[0].chair()).unwrap();
        Self { machines, identities, federation, chair, offers, reply, asked: [0; 2], timers: Vec::new() }
    }

    /// The two meet, and do what they can without waiting for anything.
    fn meet(mut self) -> Self {
        for who in 0..2 {
            let peer = self.identities[1 - who].keypair.id();
            self.give(who, Input::PeerUp(peer));
        }
        self
    }

    /// Hands `input` to a machine, and everything that follows to whom it concerns.
    fn give(&mut self, who: usize, input: Input) {
        let effects = self.machines[who].handle(input, Time(1)).unwrap();
        for effect in effects {
            let round = self.machines[who].state().round;
            let answer = match effect {
                Effect::Publish { bytes, .. } => {
                    let author = self.identities[who].keypair.id();
                    self.give(1 - who, Input::Gossip { author, via: author, bytes });
                    continue;
                }
                Effect::SetTimer(timer, _) => {
                    self.timers.push(timer);
                    continue;
                }
                Effect::AskBid(_) => {
                    Input::BidChosen { round, bid: Some(Bid { contract: 0, price: 1_000, samples: 500 }) }
                }
                Effect::AskMarks(_) => Input::MarksChosen { round, hire: 4, weights: [].into() },
                Effect::AskCounterOffers(question) => {
                    self.asked[0] += 1;
                    assert_eq!((who, question.bidders.len()), (self.chair, 1), "the chair makes itself no offer");
                    let member = question.bidders[0].candidate.member;
                    let Some(offers) = self.offers.clone() else { continue };
                    let offers = offers.into_iter().map(|contract| (member, contract)).collect();
                    Input::CounterOffersChosen { round, offers }
                }
                Effect::AskReply(question) => {
                    self.asked[1] += 1;
                    assert_eq!((who, question.offer.contract, question.bid.price), (1 - self.chair, 1, 1_000));
                    let Some(reply) = self.reply else { continue };
                    Input::ReplyChosen { round, reply }
                }
                _ => continue,
            };
            self.give(who, answer);
        }
    }

    /// What has hired the member that is not in the chair; nothing while the Plan is not decided by both.
    fn hired_by(&self) -> Option<HiredBy> {
        let other = self.identities[1 - self.chair].keypair.id();
        let stages = self.machines.iter().map(|machine| &machine.state().stage);
        let awards = stages.map(|stage| match stage {
            Stage::Settling(awards) => awards.iter().find(|award| award.member == other).map(|award| award.hired_by),
            Stage::Planning => None,
        });
        awards.reduce(|one, two| one.filter(|by| two == Some(*by))).flatten()
    }
}

#[test]
fn a_federation_without_counter_offers_waits_for_nothing() {
    let off = Pair::new(0, None, None).meet();
    assert_eq!((off.asked, off.hired_by()), ([0, 0], Some(HiredBy::Auction)));
    assert!(!off.timers.contains(&Timer::Counter(off.machines[0].state().round)));
    let none = Pair::new(2, Some(vec![]), None).meet();
    assert_eq!((none.asked, none.hired_by()), ([1, 0], Some(HiredBy::Auction)), "the selector makes none");
}

#[test]
fn an_offer_is_taken_or_left() {
    for (reply, by) in [(Reply::Accept, HiredBy::CounterOffer), (Reply::Decline, HiredBy::Auction)] {
        let pair = Pair::new(2, Some(vec![1]), Some(reply)).meet();
        assert_eq!((pair.asked, pair.hired_by()), ([1, 1], Some(by)));
    }
}

#[test]
fn silence_of_either_side_costs_a_deadline_and_changes_nothing() {
    for offers in [None, Some(vec![1])] {
        let mut pair = Pair::new(2, offers.clone(), None).meet();
        assert_eq!(pair.hired_by(), None, "the chair waits");
        let round = pair.machines[0].state().round;
        assert!(pair.timers.contains(&Timer::Counter(round)));
        pair.give(pair.chair, Input::TimerFired(Timer::Counter(round)));
        assert_eq!(pair.hired_by(), Some(HiredBy::Auction), "{offers:?}");
        pair.give(1 - pair.chair, Input::ReplyChosen { round, reply: Reply::Accept });
        assert_eq!(pair.hired_by(), Some(HiredBy::Auction), "a reply that comes too late is none");
    }
}

#[test]
fn what_the_selector_may_not_offer_is_not_offered() {
    // The contract that was bid for, and one that is not on the menu.
    let pair = Pair::new(2, Some(vec![0, 9]), Some(Reply::Accept)).meet();
    assert_eq!((pair.asked, pair.hired_by()), ([1, 0], Some(HiredBy::Auction)));
    // Twice to the same member counts once.
    let pair = Pair::new(2, Some(vec![1, 1, 1]), Some(Reply::Accept)).meet();
    assert_eq!((pair.asked, pair.hired_by()), ([1, 1], Some(HiredBy::CounterOffer)));
}

#[test]
fn an_offer_off_the_terms_is_not_put_to_the_bidder() {
    let mut pair = Pair::new(2, None, Some(Reply::Accept)).meet();
    let (chair, other) = (pair.chair, 1 - pair.chair);
    let state = pair.machines[other].state();
    let (member, round) = (pair.identities[other].keypair.id(), state.round);
    let price = state.counter_price(&pair.federation, 1, 500) + 1;
    let made = CounterOffers { round, offers: vec![CounterOffer { member, contract: 1, price }] };
    let keypair = &pair.identities[chair].keypair;
    let bytes = Message::CounterOffers(Signed::new(keypair, &pair.federation.network, &made)).encode();
    let author = keypair.id();
    pair.give(other, Input::Gossip { author, via: author, bytes });
    assert_eq!(pair.asked, [1, 0]);
    pair.give(chair, Input::TimerFired(Timer::Counter(round)));
    assert_eq!(pair.hired_by(), Some(HiredBy::Auction));
}
