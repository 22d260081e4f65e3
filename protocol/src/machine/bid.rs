//! Call, sealed bids, marks, opened bids: everything before the Plan.

use std::collections::BTreeMap;

use super::{BidQuestion, Candidate, Effect, Machine, MarksQuestion, Record, Result, Timer};
use crate::{
    crypto::Signed,
    event::{Event, Phase},
    ids::{Hash, MemberId, Round},
    statement::{Bid, BidCommit, BidReveal, Marks},
    wire::Message,
};

/// What this member has done so far in the bidding.
#[derive(Debug, Default)]
pub(super) struct Bidding {
    /// The bid that its seal binds it to; `Some(None)` has passed.
    pub(super) chosen: Option<Option<Bid>>,
    /// Its selector has been asked.
    marking: bool,
}

impl Machine {
    /// Opens the round that the state says is next, once enough members are here to decide anything in it.
    pub(super) fn open_round(&mut self) -> Result {
        self.phase = Phase::Wait;
        self.check_quorum_present()?;
        if self.phase == Phase::Wait {
            self.enter(Phase::Wait);
        }
        Ok(())
    }

    /// R1: a round begins when members with more than two thirds of the power are connected.
    pub(super) fn check_quorum_present(&mut self) -> Result {
        if !self.takes_part() || self.phase != Phase::Wait || self.now < self.opens_at || !self.quorum_is_here() {
            return Ok(());
        }
        let round = self.state.round;
        self.tell(Event::RoundOpened { round, aggregator: self.chair() });
        self.enter(Phase::Bid);
        let mut patience = self.deadlines.commit.next();
        if self.chair() != self.me {
            // The chair closes the bidding; others do so for themselves only after its marks should have come.
            patience += self.deadlines.reveal.next();
        }
        self.effects.push(Effect::SetTimer(Timer::Commit(round), patience));
        match self.bidding.chosen {
            None => self.ask_bid(),
            Some(bid) => self.seal_bid(bid),
        }
        self.check_commits()
    }

    /// R31: the pause after a round is over.
    pub(super) fn pause_over(&mut self) -> Result {
        self.opens_at = self.now;
        self.check_quorum_present()
    }

    fn ask_bid(&mut self) {
        let genesis = &self.federation.genesis;
        let account = self.state.ledger.accounts.get(&self.me);
        let hired_in = account.map_or(Round(0), |account| account.hired_in);
        let question = BidQuestion {
            round: self.state.round,
            menu: genesis.contracts.clone(),
            reserve_price: genesis.market.reserve_price,
            usual_samples: genesis.market.usual_samples,
            reputation: account.map_or(0, |account| account.reputation),
            idle_rounds: self.state.round.0 - hired_in.0,
        };
        self.effects.push(Effect::AskBid(question));
    }

    /// R2: the member seals its bid, or passes.
    pub(super) fn bid_chosen(&mut self, round: Round, bid: Option<Bid>) -> Result {
        if round != self.state.round || self.phase != Phase::Bid || self.bidding.chosen.is_some() {
            return Ok(());
        }
        let genesis = &self.federation.genesis;
        // No bid may name more examples than an update may claim. One that others must refuse all the same is none.
        let bid = bid.map(|bid| Bid { samples: bid.samples.min(genesis.limits.max_samples), ..bid });
        let bid = bid.filter(|bid| bid.is_allowed(genesis));
        self.bidding.chosen = Some(bid);
        self.remember(&Record::Bid { round, bid });
        self.seal_bid(bid);
        self.check_commits()
    }

    /// Seals the chosen bid, unless that was done before a restart.
    fn seal_bid(&mut self, bid: Option<Bid>) {
        if self.pool.commits.contains(&self.me) {
            return;
        }
        let round = self.state.round;
        let seal = bid.map(|bid| bid.seal(&self.me, round, &self.salt(round)));
        let commit = BidCommit { round, seal };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &commit);
        self.pool.commits.take(signed.clone(), commit);
        self.say(Message::Commit(signed));
    }

    /// The salt is a function of the secret and the round, so that a bid can be opened after a crash too.
    fn salt(&self, round: Round) -> Hash {
        Hash::derive("althing 1 salt", &[&self.identity.keypair.secret(), &round.0.to_le_bytes()])
    }

    /// R3: the bidding closes early once everybody here has sealed a bid or passed.
    pub(super) fn check_commits(&mut self) -> Result {
        if self.phase != Phase::Bid {
            return Ok(());
        }
        if self.pool.marks.contains(&self.chair()) {
            return self.open_bid();
        }
        let complete = self.here().all(|member| self.pool.commits.contains(member));
        let chair_is_here = self.chair() == self.me || self.present.contains(&self.chair());
        match (complete, chair_is_here) {
            (true, true) if self.chair() == self.me => self.commits_closed(),
            (true, false) => self.commits_closed(),
            _ => Ok(()),
        }
    }

    /// R3: the chair's selector marks the candidates. Everybody else goes on without marks.
    pub(super) fn commits_closed(&mut self) -> Result {
        if self.phase != Phase::Bid {
            return Ok(());
        }
        if self.chair() != self.me {
            return self.open_bid();
        }
        if !std::mem::replace(&mut self.bidding.marking, true) {
            self.deadlines.commit.learn(self.now.since(self.phase_since));
            self.effects.push(Effect::SetTimer(Timer::Commit(self.state.round), self.deadlines.reveal.next()));
            let candidates = self.pool.bidders().filter_map(|(member, _)| self.candidate(member)).collect();
            self.effects.push(Effect::AskMarks(MarksQuestion {
                round: self.state.round,
                max_winners: self.federation.genesis.market.max_winners,
                candidates,
            }));
        }
        Ok(())
    }

    /// R3: the time is up: for the sealed bids, or for the selector that was asked then.
    pub(super) fn commit_timer_fired(&mut self) -> Result {
        if self.phase == Phase::Bid && self.bidding.marking { self.open_bid() } else { self.commits_closed() }
    }

    pub(super) fn candidate(&self, member: &MemberId) -> Option<Candidate> {
        let account = self.state.ledger.accounts.get(member)?;
        Some(Candidate::of(*member, account, self.state.round))
    }

    /// R4: the chair publishes its marks, before it has seen any price.
    pub(super) fn marks_chosen(&mut self, round: Round, hire: u32, weights: BTreeMap<MemberId, u16>) -> Result {
        if round != self.state.round || self.phase != Phase::Bid || self.chair() != self.me {
            return Ok(());
        }
        let weights = weights.into_iter().map(|(member, weight)| (member, weight.clamp(Marks::LEAST, Marks::MOST)));
        let marks = Marks { round, hire, weights: weights.collect() };
        let signed = Signed::new(&self.identity.keypair, &self.federation.network, &marks);
        self.pool.marks.take(signed.clone(), marks);
        self.say(Message::Marks(signed));
        self.open_bid()
    }

    /// R5: the member opens its bid and names the marks that it has seen, if any.
    pub(super) fn open_bid(&mut self) -> Result {
        let round = self.state.round;
        self.enter(Phase::Reveal);
        self.effects.push(Effect::CancelTimer(Timer::Commit(round)));
        self.effects.push(Effect::SetTimer(Timer::Reveal(round), self.deadlines.reveal.next()));
        if let Some(Some(bid)) = self.bidding.chosen
            && !self.pool.reveals.contains(&self.me)
        {
            let marks = self.pool.marks.get(&self.chair()).map(|marks| marks.signed.digest());
            let reveal = BidReveal { round, bid, salt: self.salt(round), marks };
            let signed = Signed::new(&self.identity.keypair, &self.federation.network, &reveal);
            self.pool.reveals.take(signed.clone(), reveal);
            self.say(Message::Reveal(signed));
        }
        self.check_reveals()
    }

    /// R6: bidding is over once every sealed bid is open.
    pub(super) fn check_reveals(&mut self) -> Result {
        if self.phase == Phase::Reveal && self.negotiates() {
            return self.check_replies();
        }
        let complete = self.pool.bidders().all(|(member, _)| self.pool.reveals.contains(member));
        if self.phase != Phase::Reveal || !complete {
            return Ok(());
        }
        self.deadlines.reveal.learn(self.now.since(self.phase_since));
        self.negotiate()
    }

    /// R6: or once the time is up.
    pub(super) fn reveals_closed(&mut self) -> Result {
        if self.phase != Phase::Reveal || self.negotiates() {
            return Ok(());
        }
        self.deadlines.reveal.learn(self.now.since(self.phase_since));
        self.negotiate()
    }
}
