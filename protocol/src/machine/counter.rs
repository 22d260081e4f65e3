//! Counter-offers: the chair's selector may offer bidders another contract, and they take it or leave it.
//!
//! Only the chair waits for anything here, and only when it has something to offer. The others go on to the Plan's
//! height at once, where its proposal is awaited as ever.

use super::{Bidder, CounterOffersQuestion, Effect, Machine, ReplyQuestion, Result, Timer};
use crate::{
    body::PlanEvidence,
    crypto::Signed,
    event::Phase,
    ids::{MemberId, Round},
    state::Stage,
    statement::{Bid, CounterOffer, CounterOffers, CounterReply, Reply},
    time::Time,
    wire::Message,
};

/// Where the counter-offers of the open round stand with this member.
#[derive(Debug, Default)]
pub(super) struct Counters {
    stage: Negotiation,
    /// The bidder was asked about an offer to this member.
    considered: bool,
}

/// How far the chair is with its counter-offers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Negotiation {
    /// Bids are still being opened.
    #[default]
    NotYet,
    /// The selector is asked.
    Asked,
    /// Bidders are asked, since this time.
    Offered(Time),
    /// The Plan is next.
    Over,
}

impl Machine {
    /// R32: bids are open; the chair's selector may offer other contracts before the Plan.
    pub(super) fn negotiate(&mut self) -> Result {
        if self.chair() != self.me {
            return self.start_height();
        }
        if self.pool.counter_offers.contains(&self.me) {
            // Said before a restart. It says nothing else in its place.
            return self.await_replies();
        }
        let most = self.federation.genesis.market.max_counter_offers;
        let bidders = self.bidders_to_counter();
        if most == 0 || bidders.is_empty() {
            return self.start_height();
        }
        let (round, menu) = (self.state.round, self.federation.genesis.contracts.clone());
        self.counters.stage = Negotiation::Asked;
        self.effects.push(Effect::CancelTimer(Timer::Reveal(round)));
        self.effects.push(Effect::SetTimer(Timer::Counter(round), self.deadlines.counter.next()));
        self.effects.push(Effect::AskCounterOffers(CounterOffersQuestion { round, most, menu, bidders }));
        Ok(())
    }

    /// Whether the chair has begun with counter-offers, so that no opened bid is waited for any more.
    pub(super) fn negotiates(&self) -> bool {
        self.counters.stage != Negotiation::NotYet
    }

    /// Those who have opened a bid and may be offered something else, without what they ask.
    fn bidders_to_counter(&self) -> Vec<Bidder> {
        if self.federation.genesis.contracts.len() < 2 {
            return Vec::new();
        }
        let open = self.pool.reveals.iter().filter(|(member, reveal)| self.pool.opens(member, &reveal.what));
        let open = open.filter(|(member, _)| self.state.may_be_offered(&self.federation, &self.me, member));
        let bidder = |(member, Bid { contract, samples, .. })| {
            Some(Bidder { candidate: self.candidate(member)?, contract, samples })
        };
        open.map(|(member, reveal)| (member, reveal.what.bid)).filter_map(bidder).collect()
    }

    /// R32: the chair publishes its counter-offers, at the posted price.
    pub(super) fn counter_offers_chosen(&mut self, round: Round, wanted: Vec<(MemberId, u8)>) -> Result {
        if round != self.state.round || self.counters.stage != Negotiation::Asked || self.phase != Phase::Reveal {
            return Ok(());
        }
        let bidders = self.bidders_to_counter();
        let mut offers: Vec<CounterOffer> = Vec::new();
        for (member, contract) in wanted {
            let Some(bidder) = bidders.iter().find(|bidder| bidder.candidate.member == member) else { continue };
            let is_new = offers.iter().all(|offer| offer.member != member);
            if bidder.contract != contract && is_new && self.federation.genesis.contract(contract).is_some() {
                let price = self.state.counter_price(&self.federation, contract, bidder.samples);
                offers.push(CounterOffer { member, contract, price });
            }
        }
        offers.truncate(self.federation.genesis.market.max_counter_offers as usize);
        if offers.is_empty() {
            return self.end_negotiation();
        }
        let made = CounterOffers { round, offers };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &made);
        self.pool.counter_offers.take(signed.clone(), made);
        self.say(Message::CounterOffers(signed));
        self.await_replies()
    }

    fn await_replies(&mut self) -> Result {
        self.counters.stage = Negotiation::Offered(self.now);
        let round = self.state.round;
        self.effects.push(Effect::CancelTimer(Timer::Reveal(round)));
        self.effects.push(Effect::SetTimer(Timer::Counter(round), self.deadlines.counter.next()));
        self.check_replies()
    }

    /// R34: the Plan is next once everybody has replied that is here and was asked.
    pub(super) fn check_replies(&mut self) -> Result {
        let Negotiation::Offered(_) = self.counters.stage else { return Ok(()) };
        let Some(made) = self.pool.counter_offers.get(&self.me) else { return self.end_negotiation() };
        let waits =
            |offer: &CounterOffer| self.present.contains(&offer.member) && !self.pool.replies.contains(&offer.member);
        if made.what.offers.iter().any(waits) { Ok(()) } else { self.end_negotiation() }
    }

    /// R34: or once the time is up. Silence declines.
    pub(super) fn counter_timer_fired(&mut self) -> Result {
        match self.counters.stage {
            Negotiation::Asked | Negotiation::Offered(_) => self.end_negotiation(),
            Negotiation::NotYet | Negotiation::Over => Ok(()),
        }
    }

    fn end_negotiation(&mut self) -> Result {
        if let Negotiation::Offered(since) = self.counters.stage {
            self.deadlines.counter.learn(self.now.since(since));
        }
        self.counters.stage = Negotiation::Over;
        self.start_height()
    }

    /// R33: a counter-offer to this member is put to its bidder, if it could stand in a Plan.
    pub(super) fn consider_offer(&mut self) {
        if self.state.stage != Stage::Planning || self.counters.considered || self.pool.replies.contains(&self.me) {
            return;
        }
        let Some(Some(bid)) = self.bidding.chosen else { return };
        let made = self.pool.counter_offers.get(&self.chair());
        let Some(offer) = made.and_then(|made| made.what.to(&self.me)).copied() else { return };
        let is_posted = offer.price == self.state.counter_price(&self.federation, offer.contract, bid.samples);
        let may_be = self.state.may_be_offered(&self.federation, &self.chair(), &self.me);
        if offer.contract == bid.contract || !is_posted || !may_be {
            return;
        }
        self.counters.considered = true;
        let (round, menu) = (self.state.round, self.federation.genesis.contracts.clone());
        self.effects.push(Effect::AskReply(ReplyQuestion { round, menu, offer, bid }));
    }

    /// R33: the bidder has decided; the member signs what it says, once.
    pub(super) fn reply_chosen(&mut self, round: Round, reply: Reply) {
        let is_open = round == self.state.round && self.state.stage == Stage::Planning && self.counters.considered;
        let Some(made) = self.pool.counter_offers.get(&self.chair()) else { return };
        if !is_open || self.pool.replies.contains(&self.me) {
            return;
        }
        let reply = CounterReply { round, offers: made.signed.digest(), reply };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &reply);
        self.pool.replies.take(signed.clone(), reply);
        self.say(Message::CounterReply(signed));
    }

    /// R8: `plan` with the chair's counter-offers and the replies to them, if they can stand in it: a chair may have
    /// signed what no Plan can hold, and a bid that it answers may not have come here.
    pub(super) fn with_counter_offers(&self, plan: PlanEvidence) -> PlanEvidence {
        let Some(made) = self.pool.counter_offers.get(&self.chair()) else { return plan };
        let digest = made.signed.digest();
        let replies = self.pool.replies.iter();
        let replies = replies.filter(|(member, said)| made.what.to(member).is_some() && said.what.offers == digest);
        let countered = PlanEvidence {
            counter_offers: Some(made.signed.clone()),
            replies: replies.map(|(_, said)| said.signed.clone()).collect(),
            ..plan.clone()
        };
        let bids = plan.bids.iter().filter_map(|(_, reveal)| Some((reveal.signer, reveal.peek().ok()?))).collect();
        let opened = self.state.open_counter_offers(&self.federation, &self.validators, &countered, &bids);
        if opened.is_ok() { countered } else { plan }
    }
}
