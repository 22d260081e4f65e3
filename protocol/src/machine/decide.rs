//! What follows from a decision.

use std::time::Duration;

use super::{
    Commit, Effect, Machine, MachineError, Result, Timer, agree::Bodies, bid::Bidding, counter::Counters, pool::Pool,
    train::Training,
};
use crate::{
    body::{Body, Header},
    consensus::Certificate,
    event::{Event, Phase},
    ids::MemberId,
    ledger::{Carried, EndedJob, Exit},
    state::{Outcome, Settlement, Stage},
    statement::{Action, Instruction},
    wire::Decision,
};

impl Machine {
    /// R19: applies a decided body and makes it durable. The caller advances to the next phase.
    pub(super) fn apply(&mut self, bytes: Vec<u8>, certificate: Certificate) -> Result {
        let height = self.state.height.next();
        let disagrees = |why| MachineError::Disagrees { height, why };
        let elected = self.chair();
        let (next, body, outcome) = self.state.apply(&self.federation, &bytes).map_err(disagrees)?;
        self.validators = next.validators().map_err(|why| disagrees(why.into()))?;
        self.state = next;
        self.instructions.prune(&self.state);
        self.call_the_roll();
        self.end_exchange();
        let decision = Decision { body: bytes.into(), certificate };
        self.effects.push(Effect::Commit(Box::new(Commit { height, decision, state: self.state.clone() })));
        self.bodies = Bodies::default();
        let effects = self.engine.rest_at(height, self.validators.clone())?;
        self.carry(effects)?;
        match outcome {
            Outcome::Planned { awards, bids, instructions } => {
                self.tell_instructions(&body.header, &instructions);
                self.tell_planned(elected, &body.header, awards, bids);
            }
            Outcome::Settled(settlement) => {
                self.pause(settlement.updates.len());
                self.tell_settled(elected, &body, *settlement);
            }
        }
        Ok(())
    }

    /// R40: who is connected counts for what it is now: a member, or a follower.
    fn call_the_roll(&mut self) {
        let connected = std::mem::take(&mut self.present).into_iter().chain(std::mem::take(&mut self.followers));
        let members = &self.state.ledger.accounts;
        (self.present, self.followers) = connected.partition(|peer| members.contains_key(peer));
    }

    /// R31: the next round waits as long as the genesis says, and longer after one that brought nothing: whatever kept
    /// everybody from bidding or delivering is still there, and a federation must not spin.
    fn pause(&mut self, updates: usize) {
        let phases = &self.federation.genesis.phases;
        let least_ms = if updates == 0 { phases.commit.max_ms } else { 0 };
        let pause_ms = phases.pause_ms.max(least_ms);
        if pause_ms > 0 {
            let pause = Duration::from_millis(pause_ms);
            self.opens_at = self.now + pause;
            self.effects.push(Effect::SetTimer(Timer::Pause(self.state.round), pause));
        }
    }

    fn tell_instructions(&mut self, header: &Header, instructions: &[(MemberId, Instruction, Carried)]) {
        let (round, height) = (header.round, header.height);
        for (owner, instruction, carried) in instructions {
            match (&instruction.action, carried) {
                (Action::Fund(terms), Carried::Funded(job)) => {
                    self.tell(Event::JobFunded { round, height, job: *job, sponsor: *owner, terms: *terms });
                }
                (Action::Transfer { to, amount }, _) => {
                    self.tell(Event::Transferred { round, height, from: *owner, to: *to, amount: *amount });
                }
                (Action::Vote(motion), _) => {
                    self.tell(Event::Voted { round, height, member: *owner, motion: *motion });
                }
                // Who comes and goes is told when it does.
                (Action::Fund(_) | Action::Join(_) | Action::Leave | Action::Revoke(_), _) => {}
            }
        }
    }

    fn tell_planned(&mut self, elected: MemberId, header: &Header, awards: Vec<crate::event::Award>, bids: usize) {
        let Header { round, height, proposer, agreement_round, .. } = *header;
        self.tell(Event::Planned { round, height, elected, proposer, agreement_round, bids, awards });
    }

    fn tell_settled(&mut self, elected: MemberId, body: &Body, settlement: Settlement) {
        let Header { round, height, proposer, agreement_round, .. } = body.header;
        for ended in settlement.ended {
            let paid = ended.paid();
            let EndedJob { id, job, end, model, .. } = ended;
            let (sponsor, rounds, returned) = (job.sponsor, job.rounds, job.left);
            self.tell(Event::JobEnded { job: id, sponsor, end, rounds, paid, returned, model });
        }
        for (member, name) in settlement.turnover.joined {
            self.tell(Event::MemberJoined { round, member, name });
        }
        for (member, exit) in settlement.turnover.left {
            self.tell(match exit {
                Exit::Left => Event::MemberLeft { round, member },
                Exit::Removed => Event::MemberRemoved { round, member },
            });
        }
        for (member, power) in settlement.turnover.suspended {
            self.tell(Event::VoteSuspended { round, member, power });
        }
        for (member, power) in settlement.turnover.restored {
            self.tell(Event::VoteRestored { round, member, power });
        }
        let slowest_training_ms = settlement.updates.values().map(|offer| offer.training_ms).max().unwrap_or(0);
        self.tell(Event::Settled {
            round,
            height,
            body: self.state.head,
            elected,
            proposer,
            agreement_round,
            model: settlement.model,
            updates: settlement.updates.len(),
            refused: settlement.refused,
            slowest_training_ms,
            payments: settlement.payments,
            credits: settlement.credits,
        });
    }

    /// Goes on to what the state says is next. Whoever catches up may have come many rounds further at once.
    pub(super) fn advance(&mut self) -> Result {
        if self.pool.round != self.state.round {
            self.turn_page();
            self.adopt();
        }
        if !self.is_member() {
            self.phase = Phase::Wait;
            return Ok(());
        }
        if self.stays_silent() {
            self.enter(Phase::Wait);
            return Ok(());
        }
        match self.state.stage {
            Stage::Settling(_) => self.begin_training(),
            Stage::Planning => self.open_round(),
        }
    }

    /// Leaves the round that the pool is for behind, with all that was said and ordered in it.
    fn turn_page(&mut self) {
        let over = self.pool.round;
        self.effects.push(Effect::StopTraining);
        for timer in
            [Timer::Commit(over), Timer::Reveal(over), Timer::Counter(over), Timer::Train(over), Timer::Appraise(over)]
        {
            self.effects.push(Effect::CancelTimer(timer));
        }
        self.keep_what_is_needed();
        let round = self.state.round;
        let early = std::mem::replace(&mut self.early, Pool::new(round.next()));
        self.pool = if early.round == round { early } else { Pool::new(round) };
        self.bidding = Bidding::default();
        self.counters = Counters::default();
        self.training = Training::default();
    }

    /// R20: the settled model is the next round's first.
    fn adopt(&mut self) {
        let model = self.state.model;
        if self.blobs.contains(&model) {
            self.adopted();
        } else {
            self.effects.push(Effect::Fetch { blob: model, from: self.present.iter().copied().collect() });
        }
    }

    pub(super) fn adopted(&mut self) {
        let round = crate::ids::Round(self.state.round.0.saturating_sub(1));
        self.tell(Event::Adopted { round, model: self.state.model });
    }

    /// R30: the last two models stay: somebody may still be fetching the one before.
    fn keep_what_is_needed(&mut self) {
        let mut keep = self.exchange_needs();
        keep.extend([self.state.model, self.state.previous]);
        self.blobs.retain(|blob| keep.contains(blob));
        self.effects.push(Effect::Keep(keep));
    }
}
