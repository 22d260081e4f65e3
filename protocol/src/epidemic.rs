//! Epidemic exchange: learning together without an aggregator, a ledger or anybody to wait for.
//!
//! Each member goes through steps of its own (EL-Local of Epidemic Learning; De Vos, Farhadkhani, Guerraoui, Kermarrec,
//! Pires and Sharma, NeurIPS 2023, algorithm 1): it trains its model on its own data, sends it to a few random members
//! that are here, listens for a while to what others send, and averages its own model with what it accepts. Whoever is
//! slow, gone or lying costs the others nothing but its model.
//!
//! The caller carries out effects in their order, makes durable what [`Effect::Save`] says before it goes on, and brings
//! back what each order asks for as an [`Input`]. The rules are those of section E of `docs/spec.md`.

mod effect;
mod inbox;
mod mix;
mod own;
mod pick;
mod rule;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

pub use effect::{Effect, Input, MixOrder, StepOrder, Timer};
pub use inbox::STALE_STEPS;
pub use mix::{Mixture, Refusal, bring_back, mix};
pub use own::saved_model;
pub use rule::{Acceptance, Exchange, ExchangeError, MAX_FANOUT, Topology};

pub use crate::ids::Step;

use self::{
    inbox::{Inbox, Offered},
    own::Own,
};
use crate::{
    crypto::{Keypair, Signed},
    event::Event,
    genesis::Contract,
    ids::{BlobRef, Hash, MemberId, Round},
    model::Width,
    state::Federation,
    statement::ModelOffer,
    time::Time,
};

/// Models that a member has sent and keeps: somebody may still be fetching the last but one.
const SENT_KEPT: usize = 3;

/// Why an exchange cannot go on from what was saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the saved step of the exchange cannot be read ({0})")]
pub struct Damaged(crate::codec::DecodeError);

/// Where the step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No exchange is under way.
    Rest,
    /// The model is being trained.
    Train,
    /// Models of others come in.
    Listen { since: Time, patience: Patience, trained: Trained },
    /// The average is being made.
    Mix { received: usize, trained: Trained },
}

/// How long a step still listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Whatever has come, it is too soon to go on.
    Settling,
    /// Until there is enough to go on with.
    Waiting,
}

/// What training has amounted to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Trained {
    samples: u64,
    training_ms: u64,
}

/// A member's part in the exchange.
#[derive(Debug)]
pub struct Epidemic {
    federation: Federation,
    keypair: Keypair,
    me: MemberId,
    /// What the choice of peers is drawn from; nobody else knows it.
    seed: Hash,

    own: Own,
    phase: Phase,
    inbox: Inbox,
    present: BTreeSet<MemberId>,
    /// Blobs that are here.
    here: BTreeSet<BlobRef>,
    /// Blobs that this exchange has made or asked for, and not yet given up.
    handled: BTreeSet<BlobRef>,
    /// Models that this member has sent, the latest last.
    sent: VecDeque<BlobRef>,

    now: Time,
    effects: Vec<Effect>,
}

impl Epidemic {
    /// E10: an exchange that goes on from what was `saved`, if anything was, with the blobs that are `here`. It rests
    /// until it is started.
    ///
    /// # Errors
    /// [`Damaged`] when what was saved cannot be read back.
    pub fn recover(
        federation: Federation,
        keypair: Keypair,
        saved: Option<&[u8]>,
        here: &BTreeSet<BlobRef>,
    ) -> Result<Self, Damaged> {
        let first = federation.genesis.task.initial_model;
        let mut own = match saved {
            Some(bytes) => Own::decode(bytes).map_err(Damaged)?,
            None => Own::new(first, Step(1)),
        };
        // A step whose models are lost is not trained again: it may have been announced.
        let lost = |model: BlobRef| !here.contains(&model);
        if lost(own.base) || own.announced().is_some_and(lost) {
            let model = if lost(own.base) { own.origin } else { own.base };
            own.advance(model);
        }
        let handled: BTreeSet<BlobRef> = [own.base].into_iter().chain(own.announced()).collect();
        Ok(Self {
            me: keypair.id(),
            seed: Hash::derive("althing 1 epidemic seed", &[&keypair.secret()]),
            federation,
            keypair,
            sent: own.announced().into_iter().collect(),
            own,
            phase: Phase::Rest,
            inbox: Inbox::default(),
            present: BTreeSet::new(),
            // Others that happen to be here may be deleted by anybody who does not need them.
            here: handled.intersection(here).copied().collect(),
            handled,
            now: Time(0),
            effects: Vec::new(),
        })
    }

    /// Whether steps are being taken.
    pub fn is_running(&self) -> bool {
        self.phase != Phase::Rest
    }

    /// The step that the member is in, or would be.
    pub const fn step(&self) -> Step {
        self.own.step
    }

    /// The member's own model: what it ended its last step with.
    pub const fn model(&self) -> BlobRef {
        self.own.base
    }

    /// Blobs that this exchange needs.
    pub fn needed(&self) -> BTreeSet<BlobRef> {
        let own = [self.own.base, self.own.origin];
        own.into_iter().chain(self.sent.iter().copied()).chain(self.inbox.models()).collect()
    }

    /// Whether `blob` is one that this exchange waits for.
    pub fn awaits(&self, blob: &BlobRef) -> bool {
        self.inbox.models().any(|model| model == *blob)
    }

    /// E1: begins to take steps from `origin`, which must be here; goes on with the saved step if that set out from it.
    pub fn start(&mut self, origin: BlobRef, now: Time) -> Vec<Effect> {
        self.now = self.now.max(now);
        if self.is_running() {
            return Vec::new();
        }
        self.here.insert(origin);
        if self.own.origin != origin {
            let step = if self.own.said.is_some() { self.own.step.next() } else { self.own.step };
            self.own = Own::new(origin, step);
        }
        self.begin();
        std::mem::take(&mut self.effects)
    }

    /// E9: takes no more steps. The model of the last one that has ended stays.
    pub fn stop(&mut self, now: Time) -> Vec<Effect> {
        self.now = self.now.max(now);
        if self.is_running() {
            self.cancel_timers();
            self.effects.push(Effect::StopTraining);
            self.phase = Phase::Rest;
            self.inbox.clear();
            self.forget();
        }
        std::mem::take(&mut self.effects)
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Time) -> Vec<Effect> {
        self.now = self.now.max(now);
        match (input, self.phase) {
            (Input::PeerUp(member), _) => self.peer_up(member),
            (Input::PeerDown(member), _) => drop(self.present.remove(&member)),
            (_, Phase::Rest) => {}
            (Input::Offered { from, offer }, _) => self.offered(from, &offer),
            (Input::BlobReady(blob), _) => self.blob_ready(blob),
            (Input::Trained { step, model, samples, training_ms }, Phase::Train) if step == self.own.step => {
                self.trained(model, Trained { samples, training_ms });
            }
            (Input::Untrained { step }, Phase::Train) if step == self.own.step => self.listen(Trained::default()),
            (Input::TimerFired(Timer::Settle(step)), Phase::Listen { .. }) if step == self.own.step => self.settled(),
            (Input::TimerFired(Timer::Listen(step)), Phase::Listen { .. }) if step == self.own.step => self.mix(),
            (Input::Mixed { step, model, refused }, Phase::Mix { received, trained }) if step == self.own.step => {
                self.mixed(model, &refused, received, trained);
            }
            // Late answers to what a step before has asked for.
            (Input::Trained { .. } | Input::Untrained { .. } | Input::Mixed { .. } | Input::TimerFired(_), _) => {}
        }
        std::mem::take(&mut self.effects)
    }

    fn peer_up(&mut self, member: MemberId) {
        if member != self.me && self.federation.genesis.member(&member).is_some() {
            self.present.insert(member);
        }
    }

    /// E2: trains from the step's first model; what was announced in this step before a restart is announced again.
    fn begin(&mut self) {
        match self.own.announced() {
            Some(_) => {
                self.announce();
                self.listen(Trained::default());
            }
            None => {
                let Some(first) = self.federation.genesis.contracts.first().cloned() else { return };
                // Models travel whole, so they are trained whole.
                let contract = Contract { width: Width::Full, ..first };
                self.phase = Phase::Train;
                let (step, base) = (self.own.step, self.own.base);
                let parts: [&[u8]; 3] = [self.federation.network.as_bytes(), self.me.as_bytes(), &step.0.to_le_bytes()];
                let seed = Hash::derive("althing 1 epidemic training", &parts);
                self.effects.push(Effect::Train(StepOrder { step, base, contract, seed }));
            }
        }
    }

    /// E3: signs the trained model, and makes that durable before anybody hears of it.
    fn trained(&mut self, model: BlobRef, trained: Trained) {
        self.here.insert(model);
        self.handled.insert(model);
        let offer = ModelOffer { step: self.own.step, model };
        self.own.said = Some(Signed::new(&self.keypair, &self.federation.network, &offer));
        self.sent.push_back(model);
        self.effects.push(Effect::Save(self.own.encode()));
        self.announce();
        self.listen(trained);
    }

    /// E4: sends it to a few random members that are here.
    fn announce(&mut self) {
        let Some(offer) = self.own.said.clone() else { return };
        let fanout = self.federation.genesis.exchange.topology.fanout();
        for to in pick::pick(&self.seed, self.own.step, &self.present, fanout) {
            self.effects.push(Effect::Offer { to, offer: offer.clone() });
        }
    }

    /// E5: listens for at least `genesis.exchange.listen.min_ms`, and for as long as training took at the most.
    fn listen(&mut self, trained: Trained) {
        self.phase = Phase::Listen { since: self.now, patience: Patience::Settling, trained };
        let least = Duration::from_millis(self.federation.genesis.exchange.listen.min_ms);
        self.effects.push(Effect::SetTimer(Timer::Settle(self.own.step), least));
    }

    /// E5: the shortest time is up.
    fn settled(&mut self) {
        let Phase::Listen { since, trained, .. } = self.phase else { return };
        self.phase = Phase::Listen { since, patience: Patience::Waiting, trained };
        let bounds = self.federation.genesis.exchange.listen;
        let most = Duration::from_millis(trained.training_ms.clamp(bounds.min_ms, bounds.max_ms));
        let left = most.saturating_sub(self.now.since(since));
        self.effects.push(Effect::SetTimer(Timer::Listen(self.own.step), left));
        self.check_enough();
    }

    /// E6: an offer counts if its sender has signed it and it names a model of the right size; its model is fetched.
    fn offered(&mut self, from: MemberId, offer: &Signed<ModelOffer>) {
        let genesis = &self.federation.genesis;
        if genesis.member(&from).is_none() || from == self.me {
            return;
        }
        let opened = (offer.signer == from).then(|| offer.open(&self.federation.network).ok()).flatten();
        let Some(said) = opened.filter(|said| said.model.size == genesis.task.initial_model.size) else {
            self.effects.push(Effect::Blame { member: from });
            return self.misbehaved(from, "its offer of a model is none".into());
        };
        let room = genesis.exchange.topology.most_received();
        match self.inbox.take(from, (said.step, said.model), self.own.step, room) {
            Offered::Wanted if self.here.contains(&said.model) => self.arrived(said.model),
            Offered::Wanted => {
                self.handled.insert(said.model);
                self.effects.push(Effect::Fetch { blob: said.model, from });
            }
            Offered::Useless => {}
            Offered::Contradicts => self.misbehaved(from, "it offered two models for one step".into()),
        }
    }

    fn misbehaved(&mut self, member: MemberId, why: String) {
        self.effects.push(Effect::Tell(Event::Misbehaved { member, why }));
    }

    fn blob_ready(&mut self, blob: BlobRef) {
        if self.awaits(&blob) && self.here.insert(blob) {
            self.arrived(blob);
        }
    }

    /// A model is here that somebody has offered.
    fn arrived(&mut self, model: BlobRef) {
        let step = self.own.step;
        let told = self.inbox.senders(model).map(|member| Effect::Tell(Event::Arrived { step, member, model }));
        self.effects.extend(told);
        self.check_enough();
    }

    /// E5: goes on as soon as as many models are here as the member has sent.
    fn check_enough(&mut self) {
        let Phase::Listen { patience: Patience::Waiting, .. } = self.phase else { return };
        let wanted = self.federation.genesis.exchange.topology.fanout().min(self.present.len());
        if self.inbox.ready_count(&self.here) >= wanted {
            self.mix();
        }
    }

    /// E7: orders the average of the own model with those that are here.
    fn mix(&mut self) {
        let Phase::Listen { trained, .. } = self.phase else { return };
        self.cancel_timers();
        let received = self.inbox.take_ready(&self.here);
        self.phase = Phase::Mix { received: received.len(), trained };
        let own = self.own.announced().unwrap_or(self.own.base);
        self.effects.push(Effect::Mix(MixOrder { step: self.own.step, own, received }));
    }

    /// E8: the average is the next step's first model.
    fn mixed(
        &mut self,
        model: BlobRef,
        refused: &std::collections::BTreeMap<MemberId, Refusal>,
        received: usize,
        trained: Trained,
    ) {
        for (member, refusal) in refused {
            if let Refusal::Unsound(fault) = refusal {
                self.misbehaved(*member, format!("its model cannot enter an average: {fault}"));
            }
        }
        self.here.insert(model);
        self.handled.insert(model);
        let step = self.own.step;
        self.own.advance(model);
        self.effects.push(Effect::Save(self.own.encode()));
        self.effects.push(Effect::Tell(Event::Stepped {
            step,
            model,
            received,
            accepted: received.saturating_sub(refused.len()),
            refused: refused.len(),
            samples: trained.samples,
            training_ms: trained.training_ms,
        }));
        self.inbox.expire(self.own.step);
        self.forget();
        self.begin();
    }

    fn cancel_timers(&mut self) {
        for timer in [Timer::Settle(self.own.step), Timer::Listen(self.own.step)] {
            self.effects.push(Effect::CancelTimer(timer));
        }
    }

    /// E8: gives up the blobs that no step needs any more.
    fn forget(&mut self) {
        while self.sent.len() > SENT_KEPT {
            self.sent.pop_front();
        }
        let needed = self.needed();
        let useless: BTreeSet<BlobRef> = self.handled.difference(&needed).copied().collect();
        if !useless.is_empty() {
            self.handled.retain(|blob| needed.contains(blob));
            self.here.retain(|blob| needed.contains(blob));
            self.effects.push(Effect::Forget(useless));
        }
    }

    /// E11: the own model as a start for training in `round`, if it set out from one of the global models `recent` and
    /// was not brought back in an earlier round. That it is now is made durable first.
    pub fn progress(&mut self, round: Round, recent: [BlobRef; 2]) -> Option<(BlobRef, Effect)> {
        let fresh = recent.contains(&self.own.origin) && self.own.base != self.own.origin;
        if !fresh || self.own.brought_back.is_some_and(|earlier| earlier != round) {
            return None;
        }
        self.own.brought_back = Some(round);
        Some((self.own.base, Effect::Save(self.own.encode())))
    }
}
