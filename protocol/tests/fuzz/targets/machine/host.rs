//! What a node does for its machine: keeps what is to be durable, lets timers run, and has orders done.

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::{
    body::{Body, Evidence},
    crypto::Signed,
    detection::Signs,
    epidemic,
    ids::{BlobRef, Hash, MemberId},
    machine::{
        Attributed, Commit, Durable, Effect, Input, JournalEntry, Machine, MachineError, Made, Score, Timer, Voice,
    },
    state::State,
    statement::{Bid, HeldOut, Instruction, Reply},
    time::Time,
    wire::Message,
};

use crate::targets::signer::Signer;

/// Orders that wait. Nothing asks for so many in earnest; those beyond are never done, as happens.
const MOST_ORDERS: usize = 64;

/// A node with the machine under test.
pub(super) struct Host {
    signer: &'static Signer,
    machine: Machine,
    now: Time,
    /// What is durable.
    state: Option<Vec<u8>>,
    journal: Vec<JournalEntry>,
    step: Option<Vec<u8>>,
    blobs: BTreeSet<BlobRef>,
    /// When each timer that runs is due.
    timers: BTreeMap<Timer, Time>,
    orders: Vec<Effect>,
    /// The body that a hostile member has proposed last.
    offered: Option<Body>,
}

impl Host {
    pub(super) fn start(signer: &'static Signer) -> Self {
        let blobs: BTreeSet<_> = [signer.federation.genesis.task.initial_model].into();
        let durable = Durable { blobs: blobs.clone(), ..Durable::default() };
        let (machine, effects) = recover(signer, durable, Time(0));
        let mut host = Self {
            signer,
            machine,
            now: Time(0),
            state: None,
            journal: Vec::new(),
            step: None,
            blobs,
            timers: BTreeMap::new(),
            orders: Vec::new(),
            offered: None,
        };
        host.take(Ok(effects));
        host
    }

    pub(super) const fn signer(&self) -> &'static Signer {
        self.signer
    }

    pub(super) fn state(&self) -> &State {
        self.machine.state()
    }

    /// The id of the body that was proposed last.
    pub(super) fn proposed(&self) -> Option<Hash> {
        self.offered.as_ref().map(|body| Body::id_of(&body.encode()))
    }

    pub(super) fn offered(&mut self, body: Body) {
        self.offered = Some(body);
    }

    pub(super) fn handle(&mut self, input: Input) {
        let effects = self.machine.handle(input, self.now);
        self.take(effects);
    }

    pub(super) fn hear(&mut self, author: MemberId, via: MemberId, bytes: &[u8]) {
        let heard = self.machine.receive(author, via, bytes, self.now);
        self.take(heard.map(|(_, effects)| effects));
    }

    pub(super) fn submit(&mut self, signed: Signed<Instruction>) {
        let taken = self.machine.submit(signed, self.now);
        self.take(taken.map(|(_, effects)| effects));
    }

    /// One of the timers that run fires, be it too early.
    pub(super) fn fire(&mut self, which: usize) {
        let place = which.checked_rem(self.timers.len());
        let Some((&timer, &due)) = place.and_then(|place| self.timers.iter().nth(place)) else { return };
        self.timers.remove(&timer);
        self.now = self.now.max(due);
        self.handle(Input::TimerFired(timer));
    }

    /// One of the orders is done, in a way that `taste` chooses.
    pub(super) fn carry_out(&mut self, which: usize, taste: u8) {
        let Some(place) = which.checked_rem(self.orders.len()) else { return };
        let order = self.orders.remove(place);
        if let Some(input) = self.answer(&order, taste) {
            self.handle(input);
        }
    }

    /// The oldest order is done, or if there is none, the timer fires that is due first.
    pub(super) fn go_on(&mut self) {
        if !self.orders.is_empty() {
            return self.carry_out(0, 0);
        }
        let first = self.timers.iter().enumerate().min_by_key(|(_, (_, due))| **due);
        if let Some((place, _)) = first {
            self.fire(place);
        }
    }

    pub(super) fn crash(&mut self, voice: Voice) {
        let journal = self.journal.iter().map(|entry| entry.bytes.to_vec()).collect();
        let (state, step, blobs) = (self.state.clone(), self.step.clone(), self.blobs.clone());
        let durable = Durable { state, journal, step, blobs, voice };
        let (machine, effects) = recover(self.signer, durable, self.now);
        // It may already have decided more, since it decides alone; what it commits then is looked at as ever.
        assert!(machine.state().height >= self.state().height, "a crash has made a decision undone");
        self.machine = machine;
        self.timers.clear();
        self.orders.clear();
        self.take(Ok(effects));
    }

    fn take(&mut self, effects: Result<Vec<Effect>, MachineError>) {
        let effects = effects.expect("peers alone cannot end a machine");
        effects.into_iter().for_each(|effect| self.carry(effect));
        assert_eq!(self.durable_state(), *self.state(), "what is decided is not what is committed");
    }

    fn carry(&mut self, effect: Effect) {
        match effect {
            Effect::Append(entry) => self.journal.push(entry),
            Effect::Commit(commit) => self.commit(*commit),
            Effect::Publish { bytes, .. } => drop(Message::decode(&bytes).expect("what is said can be read")),
            Effect::SetTimer(timer, span) => drop(self.timers.insert(timer, self.now + span)),
            Effect::CancelTimer(timer) => drop(self.timers.remove(&timer)),
            Effect::Save(bytes) => self.step = Some(bytes),
            Effect::Forget(blobs) => self.blobs.retain(|blob| !blobs.contains(blob)),
            Effect::Keep(blobs) => self.blobs.retain(|blob| blobs.contains(blob)),
            order if self.orders.len() < MOST_ORDERS => self.orders.push(order),
            _ => {}
        }
    }

    fn durable_state(&self) -> State {
        match &self.state {
            Some(bytes) => State::decode(bytes).expect("a stored state can be read"),
            None => State::genesis(&self.signer.federation),
        }
    }

    /// Whatever is committed follows from what is committed before.
    fn commit(&mut self, commit: Commit) {
        let federation = &self.signer.federation;
        let before = self.durable_state();
        let (after, _, _) = before.apply(federation, &commit.decision.body).expect("a valid body is committed");
        assert_eq!(after, commit.state);
        let validators = before.validators().expect("somebody votes");
        commit.decision.certificate.verify(&federation.network, &validators).expect("a good certificate");
        self.state = Some(after.encode());
        self.journal.retain(|entry| entry.until > commit.height);
    }

    /// What comes of an order. Effects that order nothing have no answer.
    fn answer(&mut self, order: &Effect, taste: u8) -> Option<Input> {
        Some(match order {
            Effect::AskBid(question) => {
                let contract = taste % question.menu.len() as u8;
                let bid =
                    (taste < 250).then_some(Bid { contract, price: 1_000 * u64::from(taste), samples: taste.into() });
                Input::BidChosen { round: question.round, bid }
            }
            Effect::AskMarks(question) => {
                let weights = question.candidates.iter().map(|candidate| (candidate.member, taste.into())).collect();
                Input::MarksChosen { round: question.round, hire: u32::from(taste % 6), weights }
            }
            Effect::AskCounterOffers(question) => {
                let bidders = question.bidders.iter().take(usize::from(taste % 4));
                let offers = bidders.map(|bidder| (bidder.candidate.member, 1 - bidder.contract.min(1))).collect();
                Input::CounterOffersChosen { round: question.round, offers }
            }
            Effect::AskReply(question) => {
                let reply = if taste.is_multiple_of(2) { Reply::Accept } else { Reply::Decline };
                Input::ReplyChosen { round: question.round, reply }
            }
            Effect::Train(order) if taste == 0 => Input::Untrained { round: order.round },
            Effect::Train(order) => {
                let update = self.store(Hash::of(&[taste]));
                let made = Made { update, samples: u64::from(taste) * 10, training_ms: 5, epsilon_micro: 0 };
                Input::Trained { round: order.round, made }
            }
            Effect::Fetch { blob, .. } => {
                self.blobs.insert(*blob);
                Input::BlobReady(*blob)
            }
            Effect::Appraise { round, maker, .. } => {
                Input::Appraised { round: *round, maker: *maker, score: score(taste) }
            }
            Effect::Attribute(order) => {
                let gain = |place: usize| i64::from(taste) * 1_000 - 50_000 * place as i64;
                let gains = order.updates.iter().enumerate().map(|(place, update)| (update.maker, gain(place)));
                let found = Attributed { gains: gains.collect(), held_out: held_out(taste) };
                Input::Attributed { round: order.round, found }
            }
            Effect::Inspect(order) => Input::Inspected { batch: order.batch, signs: Ok(Signs::default()) },
            Effect::Aggregate(order) => {
                let mean = self.mean(taste, order.batch.0);
                Input::Aggregated { batch: order.batch, mean: Ok(mean) }
            }
            Effect::TrainStep(order) => {
                let (step, model) = (order.step, self.store(Hash::of(&[taste])));
                Input::Epidemic(epidemic::Input::Trained { step, model, samples: 100, training_ms: taste.into() })
            }
            Effect::Mix(order) => {
                let model = self.store(Hash::of(&order.step.0.to_le_bytes()));
                Input::Epidemic(epidemic::Input::Mixed { step: order.step, model, refused: BTreeMap::new() })
            }
            _ => return None,
        })
    }

    /// The mean, which by some tastes is what a hostile proposer says that it is: a liar may tell the truth.
    fn mean(&mut self, taste: u8, batch: Hash) -> BlobRef {
        match self.offered.as_ref().map(|body| &body.evidence) {
            Some(Evidence::Settle(settle)) if taste.is_multiple_of(2) => {
                self.blobs.insert(settle.model);
                settle.model
            }
            _ => self.store(batch),
        }
    }

    /// A model or an update, of which only the name matters.
    fn store(&mut self, hash: Hash) -> BlobRef {
        let blob = BlobRef { hash, ..self.signer.federation.genesis.task.initial_model };
        self.blobs.insert(blob);
        blob
    }
}

fn recover(signer: &Signer, durable: Durable, now: Time) -> (Machine, Vec<Effect>) {
    let identity = signer.first.clone();
    Machine::recover(signer.federation.clone(), identity, durable, now).expect("what was made durable can be read")
}

fn score(taste: u8) -> Score {
    match taste % 8 {
        0 => Score::Faulty,
        1 => Score::Unscored,
        _ => Score::Gain { gain: i64::from(taste) * 10_000 - 500_000, held_out: held_out(taste) },
    }
}

fn held_out(taste: u8) -> HeldOut {
    HeldOut { samples: 100, accuracy_ppm: 3_000 * u32::from(taste) }
}
