//! A machine begins where the last one ended: from what was made durable.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Deadlines, Effect, Identity, Machine, MachineError, Record, Result, Timer, WhenHalted,
    agree::Bodies,
    bid::Bidding,
    counter::Counters,
    deadlines::Deadline,
    instruct::Instructions,
    pool::{OfRound, Pool},
    silence::{Silence, Voice},
    sync::Sync,
    train::Training,
};
use crate::{
    codec,
    consensus::{Engine, Timeouts, WalEntry},
    crypto::Signed,
    epidemic::Epidemic,
    event::{Event, Phase},
    genesis::Genesis,
    ids::BlobRef,
    limits::MAX_MESSAGE_BYTES,
    state::{Federation, Stage, State},
    time::Time,
    wire::Message,
};

/// Longest encoded state that is worth decoding, in bytes.
const MAX_STATE_BYTES: usize = 1 << 20;

/// What earlier runs made durable.
#[derive(Debug, Clone, Default)]
pub struct Durable {
    /// The state of the last commit; `None` before the first.
    pub state: Option<Vec<u8>>,
    /// The journal, in order.
    pub journal: Vec<Vec<u8>>,
    /// What an exchange has saved last; `None` before the first time.
    pub step: Option<Vec<u8>>,
    /// Blobs that are here.
    pub blobs: BTreeSet<BlobRef>,
    /// Whether the journal is all that this member has signed.
    pub voice: Voice,
}

impl State {
    /// The state's bytes, for the store, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        codec::seal(self)
    }

    /// The state that was stored as these bytes.
    ///
    /// # Errors
    /// [`MachineError::Damaged`] when they are no longer what was stored.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        codec::unseal(bytes, MAX_STATE_BYTES).map_err(damaged("a state"))
    }
}

impl Machine {
    /// R25: a machine that goes on from `durable`, with what it wants done first.
    ///
    /// # Errors
    /// [`MachineError`] when what was made durable cannot be read back.
    pub fn recover(
        federation: Federation,
        identity: Identity,
        durable: Durable,
        now: Time,
    ) -> Result<(Self, Vec<Effect>)> {
        let state = match &durable.state {
            Some(bytes) => State::decode(bytes)?,
            None => State::genesis(&federation),
        };
        let height = state.height;
        let validators = state.validators().map_err(damaged("a set of members"))?;
        let me = identity.keypair.id();
        let engine = Engine::new(identity.keypair.clone(), federation.network, timeouts(&federation.genesis));
        let round = state.round;
        let (saved, keypair) = (durable.step.as_deref(), identity.keypair.clone());
        let epidemic = Epidemic::recover(federation.clone(), keypair, saved, &durable.blobs)
            .map_err(damaged("a step of the exchange"))?;
        let mut machine = Self {
            deadlines: Deadlines::new(&federation.genesis),
            absent_since: state.ledger.accounts.keys().map(|member| (*member, now)).collect(),
            federation,
            identity,
            me,
            state,
            validators,
            engine,
            phase: Phase::Wait,
            phase_since: now,
            pool: Pool::new(round),
            early: Pool::new(round.next()),
            instructions: Instructions::default(),
            bidding: Bidding::default(),
            counters: Counters::default(),
            opens_at: now,
            training: Training::default(),
            bodies: Bodies::default(),
            offences: BTreeSet::new(),
            sync: Sync::default(),
            silence: (durable.voice == Voice::Silent).then(|| Silence::new(now)),
            present: BTreeSet::new(),
            followers: BTreeSet::new(),
            blobs: durable.blobs,
            repeat_at: now,
            epidemic,
            when_halted: WhenHalted::default(),
            now,
            effects: Vec::new(),
        };
        machine.tell(Event::Started { member: me, network: machine.federation.network, height });
        machine.begin(&durable.journal)?;
        let effects = std::mem::take(&mut machine.effects);
        Ok((machine, effects))
    }

    fn begin(&mut self, journal: &[Vec<u8>]) -> Result {
        if self.is_epidemic() {
            self.begin_exchange();
            return Ok(());
        }
        let effects = self.engine.rest_at(self.state.height, self.validators.clone())?;
        self.carry(effects)?;
        self.effects.push(Effect::SetTimer(Timer::Repeat, Duration::ZERO));
        if self.is_silent() {
            // What a copy's journal holds is not all that was said, so nothing may be built on it.
            self.begin_silence();
            self.enter(Phase::Wait);
            return Ok(());
        }
        if !self.is_member() {
            let why = "this node is no member, or not yet: it follows what the others decide, and takes part once they have \
                       let it in";
            self.tell(Event::Hindered { why: why.into() });
            return Ok(());
        }
        let steps = self.recall(journal)?;
        if !steps.is_empty() {
            return self.resume_height(steps);
        }
        match self.state.stage {
            Stage::Planning => {
                // Told even if it lasts only a moment: a node that is alone would otherwise say nothing at all.
                self.enter(Phase::Wait);
                self.check_quorum_present()
            }
            Stage::Settling(_) => self.begin_training(),
        }
    }

    /// Goes on deciding. The phases before are over: whatever they would do now, such as starting this very height,
    /// was done before the crash or is too late.
    fn resume_height(&mut self, steps: Vec<WalEntry>) -> Result {
        match self.state.stage {
            Stage::Planning => self.enter(Phase::Plan),
            Stage::Settling(_) => {
                self.enter(Phase::Settle);
                self.take_awards()?;
            }
        }
        let effects = self.engine.resume(self.state.height.next(), self.validators.clone(), steps)?;
        self.carry(effects)?;
        self.judge_again()
    }

    /// Takes back what this member has said and built; returns the agreement's steps.
    fn recall(&mut self, journal: &[Vec<u8>]) -> Result<Vec<WalEntry>> {
        let mut steps = Vec::new();
        for bytes in journal {
            match codec::unseal(bytes, MAX_MESSAGE_BYTES).map_err(damaged("a journal entry"))? {
                Record::Agreement(entry) if entry.height() == self.state.height.next() => steps.push(entry),
                Record::Bid { round, bid } if round == self.state.round => self.bidding.chosen = Some(bid),
                Record::Built { height, agreement_round, body } if height == self.state.height.next() => {
                    self.bodies.built.insert(agreement_round, body.into_vec());
                }
                Record::Held(signed) => self.recall_body(signed).map_err(damaged("a body"))?,
                Record::Said(message) => self.recall_statement(message)?,
                Record::Agreement(_) | Record::Bid { .. } | Record::Built { .. } => {}
            }
        }
        Ok(steps)
    }

    fn recall_statement(&mut self, message: Message) -> Result {
        let unreadable = damaged("a statement");
        match message {
            Message::Commit(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Marks(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Reveal(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::CounterOffers(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::CounterReply(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Update(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Withdrawal(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Appraisal(signed) => keep(&mut self.pool, signed).map_err(unreadable),
            Message::Instruction(_) | Message::Body(_) | Message::Agreement(_) | Message::Have(_) | Message::Tip(_) => {
                Ok(())
            }
        }
    }
}

/// Puts a statement of the pool's round back into its place.
fn keep<T: OfRound>(pool: &mut Pool, signed: Signed<T>) -> std::result::Result<(), codec::DecodeError> {
    let what = signed.peek()?;
    if what.round() == pool.round {
        T::says(pool).take(signed, what);
    }
    Ok(())
}

fn damaged<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> MachineError {
    move |why| MachineError::Damaged { what, why: why.to_string() }
}

fn timeouts(genesis: &Genesis) -> Timeouts {
    let agreement = &genesis.agreement;
    Timeouts {
        propose_ms: agreement.propose_ms,
        prevote_ms: agreement.vote_ms,
        precommit_ms: agreement.vote_ms,
        rebroadcast_ms: agreement.repeat_ms(genesis.members.len()),
        per_round_ms: agreement.step_ms,
        max_ms: crate::limits::MAX_PHASE_MS,
    }
}

impl Deadlines {
    fn new(genesis: &Genesis) -> Self {
        let phases = &genesis.phases;
        Self {
            commit: Deadline::new(phases.commit),
            reveal: Deadline::new(phases.reveal),
            counter: Deadline::new(phases.counter),
            train: Deadline::new(phases.train),
            appraise: Deadline::new(phases.appraise),
        }
    }
}
