//! Epidemic exchange as a part of the machine: all that a member does in an epidemic federation, and what members of an
//! elected one may do while their ledger is halted.

use std::{collections::BTreeSet, time::Duration};

use super::{Answer, Effect, Input, Machine, ReplyId, Timer};
use crate::{
    crypto::Signed,
    epidemic::{self, Topology},
    event::{Event, Phase},
    ids::{BlobRef, Height, MemberId, Step},
    statement::ModelOffer,
    wire::Request,
};

/// What a member of an elected federation does while its ledger is halted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenHalted {
    /// It waits.
    #[default]
    Wait,
    /// It goes on learning with those that are there, and brings its progress back when the ledger decides again.
    Continue,
}

impl Machine {
    /// What this member is to do while its ledger is halted.
    ///
    /// Whether anybody goes on is each member's own choice, because it costs the member's own time and privacy, and
    /// because a federation that is halted could not change its genesis.
    pub fn when_halted(&mut self, choice: WhenHalted) -> Vec<Effect> {
        self.when_halted = choice;
        self.watch_for_halt();
        std::mem::take(&mut self.effects)
    }

    /// The step of epidemic exchange that is under way.
    pub fn step(&self) -> Option<Step> {
        self.epidemic.is_running().then(|| self.epidemic.step())
    }

    /// Whether this federation has steps of epidemic exchange and no rounds.
    pub(super) const fn is_epidemic(&self) -> bool {
        matches!(self.federation.genesis.exchange.topology, Topology::Epidemic { .. })
    }

    /// E1: an epidemic federation begins with its first step at once; there is nobody to wait for.
    pub(super) fn begin_exchange(&mut self) {
        let mut keep = self.epidemic.needed();
        keep.insert(self.state.model);
        self.effects.push(Effect::Keep(keep));
        self.start_exchange();
    }

    /// E1: takes an input in an epidemic federation. What belongs to rounds is of no use there.
    pub(super) fn handle_step(&mut self, input: Input) {
        match input {
            Input::PeerUp(member) => {
                if member != self.me && self.federation.genesis.member(&member).is_some() && self.present.insert(member)
                {
                    self.tell(Event::PeerUp { member });
                    self.exchange(epidemic::Input::PeerUp(member));
                }
            }
            Input::PeerDown(member) => {
                if self.present.remove(&member) {
                    self.tell(Event::PeerDown { member });
                    self.exchange(epidemic::Input::PeerDown(member));
                }
            }
            Input::Asked { from, reply, bytes } => self.asked(from, reply, &bytes),
            Input::BlobReady(blob) => self.exchange(epidemic::Input::BlobReady(blob)),
            Input::TimerFired(Timer::Epidemic(timer)) => self.exchange(epidemic::Input::TimerFired(timer)),
            Input::Epidemic(input) => self.exchange(input),
            Input::Gossip { .. }
            | Input::Answered { .. }
            | Input::Unanswered { .. }
            | Input::TimerFired(_)
            | Input::BidChosen { .. }
            | Input::MarksChosen { .. }
            | Input::CounterOffersChosen { .. }
            | Input::ReplyChosen { .. }
            | Input::Trained { .. }
            | Input::Untrained { .. }
            | Input::BlobLost(_)
            | Input::Appraised { .. }
            | Input::Attributed { .. }
            | Input::Inspected { .. }
            | Input::Aggregated { .. } => {}
        }
    }

    /// A peer asks, or offers its model.
    pub(super) fn asked(&mut self, from: MemberId, reply: ReplyId, bytes: &[u8]) {
        let answer = match Request::decode(bytes) {
            Ok(Request::Decisions(first)) => Answer::Decisions(first),
            Ok(Request::Model(offer)) => {
                self.offered(from, offer);
                Answer::Heard
            }
            // A malformed request gets an empty answer: nothing is decided after the last height there can be.
            Err(_) => Answer::Decisions(Height(u64::MAX)),
        };
        self.effects.push(Effect::Reply { reply, answer });
    }

    fn offered(&mut self, from: MemberId, offer: Signed<ModelOffer>) {
        self.exchange(epidemic::Input::Offered { from, offer });
    }

    /// Hands `input` to the exchange.
    pub(super) fn exchange(&mut self, input: epidemic::Input) {
        let effects = self.epidemic.handle(input, self.now);
        self.carry_exchange(effects);
    }

    fn start_exchange(&mut self) {
        let origin = self.state.model;
        let effects = self.epidemic.start(origin, self.now);
        self.tell(Event::ExchangeBegun { step: self.epidemic.step(), from: self.epidemic.model() });
        self.carry_exchange(effects);
    }

    /// E9: ends the exchange of an elected federation, if one is under way.
    pub(super) fn end_exchange(&mut self) {
        if !self.epidemic.is_running() {
            return;
        }
        let effects = self.epidemic.stop(self.now);
        self.carry_exchange(effects);
        self.tell(Event::ExchangeEnded { step: self.epidemic.step() });
    }

    fn carry_exchange(&mut self, effects: Vec<epidemic::Effect>) {
        for effect in effects {
            let effect = match effect {
                epidemic::Effect::Save(bytes) => Effect::Save(bytes),
                epidemic::Effect::Offer { to, offer } => Effect::Offer { to, offer },
                epidemic::Effect::Train(order) => Effect::TrainStep(order),
                epidemic::Effect::StopTraining => Effect::StopTraining,
                epidemic::Effect::Fetch { blob, from } => Effect::Fetch { blob, from: vec![from] },
                epidemic::Effect::Mix(order) => Effect::Mix(order),
                epidemic::Effect::Forget(blobs) => self.forget(blobs),
                epidemic::Effect::SetTimer(timer, span) => Effect::SetTimer(Timer::Epidemic(timer), span),
                epidemic::Effect::CancelTimer(timer) => Effect::CancelTimer(Timer::Epidemic(timer)),
                epidemic::Effect::Blame { member } => Effect::Blame { member },
                epidemic::Effect::Tell(event) => Effect::Tell(event),
            };
            self.effects.push(effect);
        }
    }

    /// What the rounds need stays, even if a step is done with it: a peer may offer the global model as its own.
    fn forget(&mut self, mut blobs: BTreeSet<BlobRef>) -> Effect {
        let updates = self.pool.updates.iter().chain(self.early.updates.iter()).map(|(_, said)| said.what.update);
        let needed: BTreeSet<BlobRef> = updates.chain([self.state.model, self.state.previous]).collect();
        blobs.retain(|blob| !needed.contains(blob));
        self.blobs.retain(|blob| !blobs.contains(blob));
        Effect::Forget(blobs)
    }

    /// Whether the rounds want `blob`.
    pub(super) fn rounds_want(&self, blob: &BlobRef) -> bool {
        *blob == self.state.model || self.pool.updates.iter().any(|(_, said)| said.what.update == *blob)
    }

    /// Blobs that an exchange may still need when it goes on.
    pub(super) fn exchange_needs(&self) -> BTreeSet<BlobRef> {
        match self.when_halted {
            WhenHalted::Wait => BTreeSet::new(),
            WhenHalted::Continue => self.epidemic.needed(),
        }
    }

    /// E9: the phases that need others' votes are watched: one that lasts too long means that the ledger is halted. In
    /// all others it decides.
    pub(super) fn watch_for_halt(&mut self) {
        if self.when_halted == WhenHalted::Wait || self.is_epidemic() || !self.takes_part() {
            return;
        }
        let timer = Timer::Halted(self.state.height.next());
        if matches!(self.phase, Phase::Wait | Phase::Plan | Phase::Settle) {
            let patience = Duration::from_millis(self.federation.genesis.exchange.halted_after_ms);
            self.effects.push(Effect::SetTimer(timer, patience));
        } else {
            self.effects.push(Effect::CancelTimer(timer));
            self.end_exchange();
        }
    }

    /// E9: nothing was decided for too long. A member that lacks the global model waits for that first; one that waits
    /// although a quorum is here only pauses.
    pub(super) fn check_halted(&mut self) {
        let pauses = self.phase == Phase::Wait && self.quorum_is_here();
        match self.phase {
            Phase::Wait | Phase::Plan | Phase::Settle if self.blobs.contains(&self.state.model) && !pauses => {
                self.start_exchange();
            }
            Phase::Wait | Phase::Plan | Phase::Settle => self.watch_for_halt(),
            Phase::Bid | Phase::Reveal | Phase::Train | Phase::Appraise => {}
        }
    }

    /// E9: a quorum is here again: the exchange makes room for the ledger, and is taken up if that still decides nothing.
    pub(super) fn quorum_returned(&mut self) {
        if self.epidemic.is_running() {
            self.end_exchange();
            self.watch_for_halt();
        }
    }

    /// E11: where training for the open round starts, if not from the global model.
    pub(super) fn progress(&mut self) -> Option<BlobRef> {
        if self.when_halted == WhenHalted::Wait {
            return None;
        }
        let (model, saved) = self.epidemic.progress(self.state.round, [self.state.model, self.state.previous])?;
        self.carry_exchange(vec![saved]);
        Some(model)
    }
}
