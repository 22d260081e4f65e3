//! The agreement engine: one pure state machine around the core.

use std::{
    cmp::Ordering,
    panic::{AssertUnwindSafe, catch_unwind},
};

use arc_malachitebft_core_consensus as core;
use arc_malachitebft_core_types as types;

use super::{
    certificate::Certificate,
    context::Agreement,
    early::Early,
    effect::{Effect, Refusal},
    error::EngineError,
    host::{Host, Progress},
    input::Input,
    message::Message,
    pledges::Pledges,
    timer::{Timeouts, Timer, TimerKind},
    validators::ValidatorSet,
    wal::{JudgedBody, WalEntry},
};
use crate::{
    crypto::Keypair,
    ids::{Height, MemberId, NetworkId},
};

/// The core keeps no messages for later heights, because none reach it; its queue needs no room.
const CORE_QUEUE: usize = 1;

/// Agrees with the other validators on one body for each height that is started.
///
/// See the [module](super) for the protocol and for what its caller owes it.
pub struct Engine {
    host: Host,
    core: Option<Box<core::State<Agreement>>>,
    frontier: Option<Frontier>,
    early: Early,
    health: Health,
}

/// The last height that was started or is known to be decided, and whose words count around it.
struct Frontier {
    height: Height,
    validators: ValidatorSet,
}

/// Whether the engine can go on.
enum Health {
    Sound,
    Failed,
}

/// How a height begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    Fresh,
    Restart,
}

impl Engine {
    /// An idle engine that signs with `keypair` in `network`.
    pub const fn new(keypair: Keypair, network: NetworkId, timeouts: Timeouts) -> Self {
        Self {
            host: Host::new(Pledges::new(keypair, network), timeouts),
            core: None,
            frontier: None,
            early: Early::new(),
            health: Health::Sound,
        }
    }

    /// Leaves the engine idle after `decided`, and lets it know the validators of the next height, so that it can tell
    /// who is ahead or behind and keep what comes early.
    ///
    /// Call it at the start of a process, when heights were caught up without the engine (a running height up to
    /// `decided` is abandoned), and whenever a decision changed the validators.
    ///
    /// # Errors
    /// [`EngineError`], which ends the process: a later height was started before.
    pub fn rest_at(&mut self, decided: Height, next: ValidatorSet) -> Result<Vec<Effect>, EngineError> {
        self.guarded(|engine| {
            if let Some(frontier) = &engine.frontier
                && frontier.height > decided
            {
                return Err(EngineError::HeightOver { asked: decided, last: frontier.height });
            }
            if engine.core.take().is_some() {
                engine.host.push(Effect::CancelTimers);
            }
            engine.early.forget(decided);
            engine.frontier = Some(Frontier { height: decided, validators: next });
            Ok(())
        })
    }

    /// Starts deciding `height`. A height that still runs is abandoned.
    ///
    /// # Errors
    /// [`EngineError`], which ends the process.
    pub fn start(&mut self, height: Height, validators: ValidatorSet) -> Result<Vec<Effect>, EngineError> {
        self.guarded(|engine| {
            engine.open(height, validators, Opening::Fresh)?;
            engine.receive_early(height)
        })
    }

    /// Continues `height` after a crash, from everything that was appended for it, in order.
    ///
    /// What was published before is published again, signature for signature. A body is asked for once more only if
    /// none of this round was proposed yet.
    ///
    /// # Errors
    /// [`EngineError`], which ends the process.
    pub fn resume(
        &mut self,
        height: Height,
        validators: ValidatorSet,
        entries: Vec<WalEntry>,
    ) -> Result<Vec<Effect>, EngineError> {
        self.guarded(|engine| {
            if let Some(entry) = entries.iter().find(|entry| entry.height() != height) {
                return Err(EngineError::ForeignEntry { asked: height, found: entry.height() });
            }
            for entry in &entries {
                engine.host.pledges.recall(entry);
            }
            engine.host.recorded = entries.iter().cloned().collect();
            engine.open(height, validators, Opening::Restart)?;
            engine.replay(entries)?;
            engine.settle_replay();
            engine.receive_early(height)
        })
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`EngineError`], which ends the process.
    pub fn handle(&mut self, input: Input) -> Result<Vec<Effect>, EngineError> {
        self.guarded(|engine| match input {
            Input::Message(message) => engine.receive(message),
            Input::Built { height, round, body } if engine.decides(height) => {
                let value = core::LocallyProposedValue::new(height, round.into(), body);
                engine.feed(core::Input::Propose(value))
            }
            Input::Judged { height, round, valid_round, proposer, body, verdict } if engine.decides(height) => {
                let judged = JudgedBody { height, round, valid_round, proposer, body, verdict };
                engine.feed(WalEntry::Judged(judged).into())
            }
            Input::Synced { certificate } if engine.decides(certificate.height) => engine.adopt(certificate),
            Input::TimerFired(timer) if engine.decides(timer.height) => engine.fire(timer),
            Input::Built { .. } | Input::Judged { .. } | Input::Synced { .. } | Input::TimerFired(_) => Ok(()),
        })
    }

    /// Says that `member` is known to be gone: if it chairs the current round and nothing came from it yet, its time
    /// is up now. Say it again when a later round starts with a member who is gone.
    ///
    /// # Errors
    /// [`EngineError`], which ends the process.
    pub fn proposer_gone(&mut self, member: MemberId) -> Result<Vec<Effect>, EngineError> {
        self.guarded(|engine| match engine.awaited() {
            Some((timer, proposer)) if proposer == member && member != engine.host.id() => engine.fire(timer),
            _ => Ok(()),
        })
    }

    /// The height that is being decided.
    pub fn height(&self) -> Option<Height> {
        self.core.as_ref().map(|core| core.height())
    }

    /// The round that is running.
    pub fn round(&self) -> Option<u32> {
        self.core.as_ref()?.round().as_u32()
    }

    /// Who chairs the round that is running.
    pub fn proposer(&self) -> Option<MemberId> {
        self.core.as_ref()?.driver.proposer_address().copied()
    }

    /// Whether a height is being decided.
    pub const fn is_deciding(&self) -> bool {
        self.core.is_some()
    }

    /// Runs one call: its effects leave only if all of it went well, and after a failure nothing runs any more.
    fn guarded(&mut self, call: impl FnOnce(&mut Self) -> Result<(), EngineError>) -> Result<Vec<Effect>, EngineError> {
        if matches!(self.health, Health::Failed) {
            return Err(EngineError::Stopped);
        }
        match call(self) {
            Ok(()) => Ok(self.host.take_effects()),
            Err(error) => {
                self.health = Health::Failed;
                Err(error)
            }
        }
    }

    fn decides(&self, height: Height) -> bool {
        self.height() == Some(height)
    }

    fn open(&mut self, height: Height, validators: ValidatorSet, opening: Opening) -> Result<(), EngineError> {
        if let Some(frontier) = &self.frontier
            && frontier.height >= height
        {
            return Err(EngineError::HeightOver { asked: height, last: frontier.height });
        }
        self.frontier = Some(Frontier { height, validators: validators.clone() });
        self.host.open(height);
        let params = core::Params {
            address: self.host.id(),
            threshold_params: core::ThresholdParams::default(),
            value_payload: core::ValuePayload::ProposalAndParts,
            enabled: true,
        };
        let state = core::State::new(Agreement, height, validators.clone(), params, CORE_QUEUE, CORE_QUEUE);
        self.core = Some(Box::new(state));
        let restart = opening == Opening::Restart;
        // Without a target time the core reads no clock that matters and ends a height as soon as it is decided.
        self.feed(core::Input::StartHeight(height, validators, restart, None, types::VoteExtensionPolicy::Disabled))
    }

    fn replay(&mut self, entries: Vec<WalEntry>) -> Result<(), EngineError> {
        let inputs: Vec<core::Input<Agreement>> = entries.into_iter().map(Into::into).collect();
        if let Some(core) = &mut self.core {
            core.index_wal_entries(&inputs);
        }
        for input in inputs {
            self.feed(input)?;
        }
        if let Some(core) = &mut self.core {
            core.reset_entries_index();
        }
        self.host.recorded.clear();
        Ok(())
    }

    /// Asks and says again what still matters after a replay.
    fn settle_replay(&mut self) {
        // The replay asked for a body in every round that this member ever chaired.
        self.host.effects_mut().retain(|effect| !matches!(effect, Effect::Build { .. }));
        if self.host.own_proposal.is_some() {
            self.host.repeat_proposal();
        } else if let Some((Timer { height, round, .. }, proposer)) = self.awaited()
            && proposer == self.host.id()
        {
            self.host.push(Effect::Build { height, round });
        }
    }

    /// The proposer that the current round still waits for, and the timer that ends the waiting.
    fn awaited(&self) -> Option<(Timer, MemberId)> {
        let core = self.core.as_ref().filter(|core| core.driver.step_is_propose())?;
        let round = core.round().as_u32()?;
        Some((Timer { height: core.height(), round, kind: TimerKind::Propose }, self.proposer()?))
    }

    fn receive_early(&mut self, height: Height) -> Result<(), EngineError> {
        self.early.take(height).into_iter().try_for_each(|message| self.receive(message))
    }

    fn receive(&mut self, message: Message) -> Result<(), EngineError> {
        let Some(frontier) = &self.frontier else { return Ok(()) };
        match message.height().cmp(&frontier.height) {
            Ordering::Equal if self.is_deciding() => self.admit(message),
            Ordering::Greater => {
                self.receive_ahead(message);
                Ok(())
            }
            Ordering::Less | Ordering::Equal => {
                self.receive_behind(&message);
                Ok(())
            }
        }
    }

    fn admit(&mut self, message: Message) -> Result<(), EngineError> {
        let Some(core) = &self.core else { return Ok(()) };
        if let Err(refusal) = self.host.admit(&message, core.validator_set()) {
            self.host.push(Effect::Refused(refusal));
            return Ok(());
        }
        self.feed(match message {
            Message::Vote(vote) => core::Input::Vote(vote.into()),
            Message::Proposal(proposal) => core::Input::Proposal(proposal.into()),
            Message::PolkaCertificate(proof) => core::Input::PolkaCertificate(proof.into()),
            Message::RoundCertificate(proof) => core::Input::RoundCertificate(proof.into()),
        })
    }

    /// Keeps what can be used soon, and tells who is ahead. Certificates come again, so they are not kept.
    fn receive_ahead(&mut self, message: Message) {
        let (Some(frontier), Some(member)) = (&self.frontier, message.signer()) else { return };
        let height = message.height();
        let is_next = height == frontier.height.next();
        let is_wanted = !is_next || self.early.wants(member, &message);
        if !is_wanted || !frontier.validators.contains(&member) {
            return;
        }
        if !message.is_authentic(self.host.pledges.network(), &frontier.validators) {
            return self.host.push(Effect::Refused(Refusal::BadSignature(member)));
        }
        self.host.push(Effect::Ahead { member, height });
        if is_next {
            self.early.keep(member, message);
        }
    }

    fn receive_behind(&mut self, message: &Message) {
        let (Some(frontier), Some(member)) = (&self.frontier, message.signer()) else { return };
        if !frontier.validators.contains(&member) {
            return;
        }
        self.host.push(if message.is_authentic(self.host.pledges.network(), &frontier.validators) {
            Effect::Behind { member, height: message.height() }
        } else {
            Effect::Refused(Refusal::BadSignature(member))
        });
    }

    fn fire(&mut self, timer: Timer) -> Result<(), EngineError> {
        self.feed(core::Input::TimeoutElapsed(timer.into()))?;
        if timer.kind == TimerKind::Rebroadcast && self.round() == Some(timer.round) {
            self.host.repeat_proposal();
        }
        Ok(())
    }

    /// Takes over a decision that others made.
    fn adopt(&mut self, certificate: Certificate) -> Result<(), EngineError> {
        let Some(core) = &mut self.core else { return Ok(()) };
        if let Err(error) = certificate.verify(self.host.pledges.network(), core.validator_set()) {
            self.host.push(Effect::Refused(Refusal::BadCertificate(error)));
            return Ok(());
        }
        let evidence = core::MisbehaviorEvidence {
            proposals: core.driver.take_proposal_evidence(),
            votes: core.driver.take_vote_evidence(),
        };
        self.core = None;
        self.host.push(Effect::Decide { certificate });
        self.host.finish(evidence).map(drop)
    }

    /// Lets the core take one input. Whatever it asks for is carried out by the host before this returns.
    #[expect(clippy::result_large_err, reason = "the error is the core's own")]
    fn feed(&mut self, input: core::Input<Agreement>) -> Result<(), EngineError> {
        let Some(state) = self.core.as_deref_mut() else { return Ok(()) };
        let host = &mut self.host;
        // The core asserts its invariants by panics. After one its state cannot be trusted, and it is not used again.
        let outcome = catch_unwind(AssertUnwindSafe(|| -> Result<(), core::Error<Agreement>> {
            core::process!(input: input, state: state, metrics: &(), with: effect => host.answer(effect))
        }));
        if let Some(failure) = self.host.take_failure() {
            return Err(failure);
        }
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(EngineError::Core(error.to_string())),
            Err(_) => return Err(EngineError::Core("one of its invariants does not hold".into())),
        }
        if self.host.progress == Progress::Decided {
            self.core = None;
        }
        Ok(())
    }
}
