//! The whole of a member's protocol as one state machine: input and time in, effects out.
//!
//! A round runs through the phases of `docs/spec.md`; each has a file here. Two of them end in a decision of the
//! agreement: who is hired (Plan), and what came of it (Settle).
//!
//! The caller carries out effects in their order, makes durable what [`Effect::Append`] and [`Effect::Commit`] say before
//! it goes on, and brings back what each order asks for as an [`Input`]. It must end the process when the machine fails:
//! the next run recovers from what was made durable.

mod agree;
mod bid;
mod blob;
mod counter;
mod deadlines;
mod decide;
mod effect;
mod exchange;
mod input;
mod instruct;
mod listen;
mod pool;
mod recover;
mod repeat;
mod settle;
mod silence;
mod sync;
mod train;

use std::collections::{BTreeMap, BTreeSet};

pub use effect::{
    AggregateOrder, Answer, AttributeOrder, BatchId, BidQuestion, Bidder, Candidate, Commit, CounterOffersQuestion,
    Effect, InspectOrder, JournalEntry, MarksQuestion, OrderedUpdate, ReplyId, ReplyQuestion, TrainOrder,
};
pub use exchange::WhenHalted;
pub use input::{Attributed, Input, Made, Score, Timer};
pub use instruct::SubmitError;
pub use listen::Verdict;
pub use recover::Durable;
pub use silence::Voice;

use self::{
    agree::Bodies, bid::Bidding, counter::Counters, deadlines::Deadline, effect::Record, instruct::Instructions,
    pool::Pool, silence::Silence, sync::Sync, train::Training,
};
use crate::{
    codec,
    consensus::{Engine, EngineError, Equivocation, ValidatorSet},
    crypto::Keypair,
    election::HashChain,
    epidemic::{self, Epidemic},
    event::{Event, Phase},
    ids::{BlobRef, Height, MemberId},
    state::{Federation, Invalid, State},
    time::Time,
    wire::Message,
};

/// Why a machine cannot go on. The process must end; its next run recovers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineError {
    /// The agreement has failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A body was decided that this member finds invalid: it runs other code than the rest, or its store is damaged.
    #[error(
        "height {height} is decided, but {why}: compare this node's version with the others', or restore its store"
    )]
    Disagrees {
        /// The decided height.
        height: Height,
        /// What is wrong with its body.
        why: Invalid,
    },
    /// What was made durable cannot be read back.
    #[error(
        "the store holds {what} that cannot be read ({why}); restore it from a backup, or move it away and sync anew"
    )]
    Damaged {
        /// What.
        what: &'static str,
        /// Why not.
        why: String,
    },
}

/// Who a machine is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its key.
    pub keypair: Keypair,
    /// The hash chain whose end the genesis names.
    pub chain: HashChain,
}

/// A member's protocol.
pub struct Machine {
    federation: Federation,
    identity: Identity,
    me: MemberId,

    /// What is decided.
    state: State,
    /// Who votes at the next height.
    validators: ValidatorSet,
    engine: Engine,

    /// Where the open round stands.
    phase: Phase,
    phase_since: Time,
    pool: Pool,
    /// Statements for the round after, from members that are already there.
    early: Pool,
    /// What owners of accounts want done, until a body says it.
    instructions: Instructions,
    bidding: Bidding,
    counters: Counters,
    /// The open round begins no sooner than this.
    opens_at: Time,
    training: Training,
    bodies: Bodies,
    /// Proofs of equivocation that no body holds yet.
    offences: BTreeSet<Equivocation>,
    sync: Sync,
    /// Why nothing is said, if nothing is.
    silence: Option<Silence>,
    repeat_at: Time,

    /// Members that are connected, and since when the others are not.
    present: BTreeSet<MemberId>,
    /// Others that are connected: they follow, and may be members later.
    followers: BTreeSet<MemberId>,
    absent_since: BTreeMap<MemberId, Time>,
    /// Blobs that are here.
    blobs: BTreeSet<BlobRef>,
    deadlines: Deadlines,

    /// Steps without rounds: all that there is in an epidemic federation, and what may bridge a halt in an elected one.
    epidemic: Epidemic,
    when_halted: WhenHalted,

    now: Time,
    effects: Vec<Effect>,
}

/// The deadlines of the phases that have one.
struct Deadlines {
    commit: Deadline,
    reveal: Deadline,
    counter: Deadline,
    train: Deadline,
    appraise: Deadline,
}

type Result<T = ()> = std::result::Result<T, MachineError>;

impl Machine {
    /// Takes one input.
    ///
    /// # Errors
    /// [`MachineError`], which ends the process.
    pub fn handle(&mut self, input: Input, now: Time) -> Result<Vec<Effect>> {
        self.now = self.now.max(now);
        if self.is_epidemic() {
            self.handle_step(input);
        } else {
            self.handle_in_round(input)?;
        }
        Ok(std::mem::take(&mut self.effects))
    }

    fn handle_in_round(&mut self, input: Input) -> Result {
        match input {
            Input::PeerUp(member) => self.peer_up(member)?,
            Input::PeerDown(member) => self.peer_down(member)?,
            Input::Gossip { author, via, bytes } => {
                self.hear(author, via, &bytes)?;
            }
            Input::Asked { from, reply, bytes } => self.asked(from, reply, &bytes),
            Input::Answered { from, bytes } => self.answered(from, &bytes)?,
            Input::Unanswered { from } => self.unanswered(from),
            Input::TimerFired(timer) => self.timer_fired(timer)?,
            Input::BidChosen { round, bid } => self.bid_chosen(round, bid)?,
            Input::MarksChosen { round, hire, weights } => self.marks_chosen(round, hire, weights)?,
            Input::CounterOffersChosen { round, offers } => self.counter_offers_chosen(round, offers)?,
            Input::ReplyChosen { round, reply } => self.reply_chosen(round, reply),
            Input::Trained { round, made } => self.trained(round, made)?,
            Input::Untrained { round } => self.untrained(round)?,
            Input::BlobReady(blob) => self.blob_ready(blob)?,
            Input::BlobLost(blob) => self.blob_lost(blob),
            Input::Appraised { round, maker, score } => self.appraised(round, maker, score)?,
            Input::Attributed { round, found } => self.attributed(round, found)?,
            Input::Inspected { batch, signs } => self.inspected(batch, signs)?,
            Input::Aggregated { batch, mean } => self.aggregated(batch, mean)?,
            Input::Epidemic(input) => self.exchange(input),
        }
        Ok(())
    }

    /// Takes a message and says what is to become of it.
    ///
    /// # Errors
    /// [`MachineError`], which ends the process.
    pub fn receive(
        &mut self,
        author: MemberId,
        via: MemberId,
        bytes: &[u8],
        now: Time,
    ) -> Result<(Verdict, Vec<Effect>)> {
        self.now = self.now.max(now);
        let verdict = if self.is_epidemic() { Verdict::Ignore } else { self.hear(author, via, bytes)? };
        Ok((verdict, std::mem::take(&mut self.effects)))
    }

    /// What is decided.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Where the open round stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// R40: whether this node is a member. One that is not follows what the others decide.
    pub fn is_member(&self) -> bool {
        self.state.ledger.accounts.contains_key(&self.me)
    }

    /// Whether this node may say anything.
    fn takes_part(&self) -> bool {
        !self.is_silent() && self.is_member()
    }

    /// The member elected to chair the open round.
    pub fn chair(&self) -> MemberId {
        self.validators.proposer(0)
    }

    /// Members that are connected.
    pub const fn present(&self) -> &BTreeSet<MemberId> {
        &self.present
    }

    fn timer_fired(&mut self, timer: Timer) -> Result {
        match timer {
            Timer::Pause(round) if round == self.state.round => self.pause_over(),
            Timer::Commit(round) if round == self.state.round => self.commit_timer_fired(),
            Timer::Reveal(round) if round == self.state.round => self.reveals_closed(),
            Timer::Counter(round) if round == self.state.round => self.counter_timer_fired(),
            Timer::Train(round) if round == self.state.round => self.updates_closed(),
            Timer::Absence(round) if round == self.state.round => self.check_updates(),
            Timer::Appraise(round) if round == self.state.round => self.appraisals_closed(),
            Timer::ProposerAbsence(height, _) if height == self.state.height.next() => self.check_proposer(),
            Timer::Agreement(timer) => self.feed(crate::consensus::Input::TimerFired(timer)),
            Timer::Repeat => {
                self.repeat();
                Ok(())
            }
            Timer::Halted(height) if height == self.state.height.next() => {
                self.check_halted();
                Ok(())
            }
            Timer::Epidemic(timer) => {
                self.exchange(epidemic::Input::TimerFired(timer));
                Ok(())
            }
            Timer::Pause(_)
            | Timer::Commit(_)
            | Timer::Reveal(_)
            | Timer::Counter(_)
            | Timer::Train(_)
            | Timer::Absence(_)
            | Timer::Appraise(_)
            | Timer::ProposerAbsence(..)
            | Timer::Halted(_) => Ok(()),
        }
    }

    fn peer_up(&mut self, member: MemberId) -> Result {
        let could_decide = self.quorum_is_here();
        if member == self.me {
            return Ok(());
        }
        if !self.state.ledger.accounts.contains_key(&member) {
            self.followers.insert(member);
            return Ok(());
        }
        if !self.present.insert(member) {
            return Ok(());
        }
        self.absent_since.remove(&member);
        self.tell(Event::PeerUp { member });
        self.exchange(epidemic::Input::PeerUp(member));
        if !could_decide && self.quorum_is_here() {
            self.quorum_returned();
        }
        self.repeat_soon();
        self.fetch_what_is_missing();
        self.check_quorum_present()
    }

    fn peer_down(&mut self, member: MemberId) -> Result {
        let could_decide = self.quorum_is_here();
        self.followers.remove(&member);
        if !self.present.remove(&member) {
            return Ok(());
        }
        self.absent_since.insert(member, self.now);
        self.tell(Event::PeerDown { member });
        self.exchange(epidemic::Input::PeerDown(member));
        if self.is_member() && could_decide && !self.quorum_is_here() {
            let why = "members with two thirds of the votes are no longer connected; nothing is decided until they are";
            self.tell(Event::Hindered { why: why.into() });
        }
        self.unanswered(member);
        match self.phase {
            Phase::Wait => Ok(()),
            Phase::Bid => self.check_commits(),
            Phase::Reveal => self.check_reveals(),
            Phase::Train => self.check_updates(),
            Phase::Appraise => self.check_appraisals(),
            Phase::Plan | Phase::Settle => self.check_proposer(),
        }
    }

    /// How long `member` has not been connected; nothing while it is, or for this member itself.
    fn absence(&self, member: &MemberId) -> Option<std::time::Duration> {
        if *member == self.me || self.present.contains(member) {
            return None;
        }
        let since = self.absent_since.get(member).copied().unwrap_or(Time(0));
        Some(self.now.since(since))
    }

    fn absence_grace(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.federation.genesis.phases.absence_grace_ms)
    }

    /// This member and those connected to it.
    fn here(&self) -> impl Iterator<Item = &MemberId> {
        std::iter::once(&self.me).chain(&self.present)
    }

    /// Whether members with more than two thirds of the power are here.
    pub fn quorum_is_here(&self) -> bool {
        let power: u64 = self.here().map(|member| self.validators.power(member)).sum();
        self.validators.is_quorum(power)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_since = self.now;
        self.tell(Event::PhaseEntered { round: self.state.round, phase });
        self.watch_for_halt();
    }

    /// R29: publishes a statement of this member, and remembers it first: it never says anything else in its place.
    fn say(&mut self, message: Message) {
        if !self.takes_part() {
            return;
        }
        self.remember(&Record::Said(message.clone()));
        self.publish(&message);
    }

    fn publish(&mut self, message: &Message) {
        self.effects.push(Effect::Publish { topic: message.topic(), bytes: message.encode() });
    }

    /// Appends `record` to the journal, until the round that is open is settled.
    fn remember(&mut self, record: &Record) {
        let until = match (record, &self.state.stage) {
            (Record::Agreement(entry), _) => entry.height(),
            (Record::Built { height, .. }, _) => *height,
            (Record::Held(_), _) => self.state.height.next(),
            (_, crate::state::Stage::Planning) => self.state.height.next().next(),
            (_, crate::state::Stage::Settling(_)) => self.state.height.next(),
        };
        let bytes = codec::seal(record).into();
        self.effects.push(Effect::Append(JournalEntry { until, bytes }));
    }

    fn tell(&mut self, event: Event) {
        self.effects.push(Effect::Tell(event));
    }
}
