//! What a node tells its observers: one value per thing that happened, which a node prints as one line of JSON.
//!
//! Names are stable. An observer must ignore events and fields that it does not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    detection::Pretence,
    ids::{BlobRef, Hash, Height, JobId, MemberId, NetworkId, Round, Step},
    ledger::End,
    statement::{JobTerms, Motion, UpdateOffer},
};

/// Something that happened at this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The node has read its store and is about to take part.
    Started {
        /// Itself.
        member: MemberId,
        /// Its federation.
        network: NetworkId,
        /// Last height that it has decided.
        height: Height,
    },
    /// It accepts connections here.
    Listening {
        /// A multiaddress that others can dial.
        address: String,
    },
    /// It serves its status here.
    Serving {
        /// `host:port` of the HTTP side.
        address: String,
    },
    /// A member is connected.
    PeerUp {
        /// Who.
        member: MemberId,
    },
    /// A member is no longer connected.
    PeerDown {
        /// Who.
        member: MemberId,
    },
    /// A round has opened.
    RoundOpened {
        /// Which.
        round: Round,
        /// The member elected to chair it.
        aggregator: MemberId,
    },
    /// The round has come to another phase at this node.
    PhaseEntered {
        /// Which round.
        round: Round,
        /// Which phase.
        phase: Phase,
    },
    /// An agent of this node has decided.
    Decided {
        /// Which round.
        round: Round,
        /// Whose decision it was to make.
        role: Role,
        /// Who made it.
        by: DecidedBy,
        /// The entry of the menu that was chosen, in words that code wrote.
        choice: String,
        /// Time from being asked to having decided, in microseconds: no decision waits for a model.
        #[serde(default)]
        took_us: u64,
        /// The standing orders that it followed; none if the rules decided.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        followed: Vec<Followed>,
    },
    /// A language model was asked for a standing order.
    Advised {
        /// The round in which it was asked.
        round: Round,
        /// Whose order it is.
        role: Role,
        /// What it is about.
        topic: String,
        /// The entry of the menu that was chosen; nothing if no order came of it.
        choice: Option<String>,
        /// Why none did.
        why: Option<String>,
        /// Time that the answers took, in milliseconds. No round has waited for them.
        latency_ms: u64,
    },
    /// A role's model did worse than the rules, which decide for a while.
    Benched {
        /// The round after which.
        round: Round,
        /// Which role.
        role: Role,
        /// The round from which on the model is asked again.
        until: Round,
    },
    /// Credits have changed hands, as the owner has signed.
    Transferred {
        /// In which round.
        round: Round,
        /// The height whose body says it.
        height: Height,
        /// Who gives.
        from: MemberId,
        /// Who gets.
        to: MemberId,
        /// How much, in micro-credits.
        amount: u64,
    },
    /// A sponsor has paid for rounds of learning.
    JobFunded {
        /// In which round.
        round: Round,
        /// The height whose body says it.
        height: Height,
        /// The number of the job.
        job: JobId,
        /// Who pays.
        sponsor: MemberId,
        /// For what.
        terms: JobTerms,
    },
    /// A job is over, and what was left of its funds is back.
    JobEnded {
        /// Which.
        job: JobId,
        /// Whose.
        sponsor: MemberId,
        /// Why.
        end: End,
        /// Rounds of it that brought a new model.
        rounds: u32,
        /// What it has paid, in micro-credits.
        paid: u64,
        /// What has returned to the sponsor, in micro-credits.
        returned: u64,
        /// The model that the sponsor gets.
        model: BlobRef,
    },
    /// A newcomer is a member from the next round on.
    MemberJoined {
        /// The round after which.
        round: Round,
        /// Who.
        member: MemberId,
        /// Its name.
        name: String,
    },
    /// A member is none any more.
    MemberLeft {
        /// The round after which.
        round: Round,
        /// Who.
        member: MemberId,
    },
    /// A member has voted for a motion.
    Voted {
        /// In which round.
        round: Round,
        /// The height whose body says it.
        height: Height,
        /// Who.
        member: MemberId,
        /// For what.
        motion: Motion,
    },
    /// A member is none any more, because the others have voted for it.
    MemberRemoved {
        /// The round after which.
        round: Round,
        /// Who.
        member: MemberId,
    },
    /// A member was away too long, and does not vote until it is seen again.
    VoteSuspended {
        /// The round after which.
        round: Round,
        /// Who.
        member: MemberId,
        /// Its voting power so far.
        power: u64,
    },
    /// A member was seen again, and votes again.
    VoteRestored {
        /// The round after which.
        round: Round,
        /// Who.
        member: MemberId,
        /// Its voting power from now on.
        power: u64,
    },
    /// A Plan is decided.
    Planned {
        /// Which round.
        round: Round,
        /// Its height.
        height: Height,
        /// The member elected to chair the round.
        elected: MemberId,
        /// The member whose proposal was decided.
        proposer: MemberId,
        /// The agreement's round in which it was: above 0, another took over.
        agreement_round: u32,
        /// Bids that were opened.
        bids: usize,
        /// Who was hired.
        awards: Vec<Award>,
    },
    /// This node has trained its update.
    Trained {
        /// Which round.
        round: Round,
        /// Examples seen.
        samples: u64,
        /// Time it took, in milliseconds.
        training_ms: u64,
        /// What it cost of the privacy budget, in millionths of epsilon.
        #[serde(default)]
        epsilon_micro: u64,
        /// The update.
        update: BlobRef,
    },
    /// The node has looked up what its training may tell about its data.
    Guarded {
        /// Its privacy account. Without one, an update may tell anything.
        account: Option<Account>,
    },
    /// The privacy of a training is paid for, durably; now its noise is drawn.
    Debited {
        /// The round that it is for, or the epidemic step of that number.
        round: Round,
        /// Examples that a step takes on average, each with the same probability.
        lot: u64,
        /// Out of so many.
        samples: u64,
        /// Noise multiplier, in thousandths.
        sigma_milli: u64,
        /// Steps.
        steps: u64,
        /// The account after it.
        account: Account,
    },
    /// This node was hired and cannot deliver: its noise may be drawn once, and what it made is lost.
    Forfeited {
        /// Which round.
        round: Round,
        /// Why.
        why: String,
    },
    /// A winner has said that no update of it will come.
    Withdrawn {
        /// Which round.
        round: Round,
        /// Who was hired.
        member: MemberId,
    },
    /// The update of another member is here and can enter the next model.
    Received {
        /// Which round.
        round: Round,
        /// Who made it.
        member: MemberId,
        /// The update.
        update: BlobRef,
    },
    /// A Settle is decided: the round is over.
    Settled {
        /// Which round.
        round: Round,
        /// Its height.
        height: Height,
        /// Hash of the decided body.
        body: Hash,
        /// The member elected to chair the round.
        elected: MemberId,
        /// The member whose proposal was decided.
        proposer: MemberId,
        /// The agreement's round in which it was: above 0, another took over.
        agreement_round: u32,
        /// The model that everybody adopts.
        model: BlobRef,
        /// Updates that entered it.
        updates: usize,
        /// Members whose updates only pretended to be work, and how: they earn nothing.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        refused: BTreeMap<MemberId, Pretence>,
        /// Slowest training time among them, in milliseconds, as their makers state it.
        slowest_training_ms: u64,
        /// What each paid member received, in micro-credits.
        payments: BTreeMap<MemberId, u64>,
        /// Credits after it.
        credits: Credits,
    },
    /// The settled model is here.
    Adopted {
        /// The round that it came from.
        round: Round,
        /// The model.
        model: BlobRef,
    },
    /// Steps of epidemic exchange begin at this node.
    ExchangeBegun {
        /// The first of them.
        step: Step,
        /// The model that it sets out from.
        from: BlobRef,
    },
    /// The model of another member is here and waits to be averaged with, in a step of epidemic exchange.
    Arrived {
        /// The own step that it waits for.
        step: Step,
        /// Who made it.
        member: MemberId,
        /// The model.
        model: BlobRef,
    },
    /// A step of epidemic exchange has ended at this node.
    Stepped {
        /// Which, by its own count.
        step: Step,
        /// Its own model after it.
        model: BlobRef,
        /// Models of others that came in time.
        received: usize,
        /// Those of them that entered its own.
        accepted: usize,
        /// The rest of them.
        refused: usize,
        /// Examples that it trained on; 0 if its training failed, or was done before a restart.
        samples: u64,
        /// Time that training took, in milliseconds.
        training_ms: u64,
    },
    /// No more steps of epidemic exchange are taken: the ledger decides again.
    ExchangeEnded {
        /// The step that would have been next.
        step: Step,
    },
    /// The node has caught up with decisions of others.
    Synced {
        /// The last height that it has now.
        height: Height,
    },
    /// A peer has misbehaved.
    Misbehaved {
        /// Who.
        member: MemberId,
        /// How.
        why: String,
    },
    /// A peer has done what an honest one may do, but not often: it is not counted against it.
    Doubted {
        /// Who.
        member: MemberId,
        /// What.
        why: String,
    },
    /// A node was refused before it could say anything.
    Refused {
        /// Its key.
        member: MemberId,
        /// Why, and what to do.
        why: String,
    },
    /// Something keeps this node from doing its part; it tries again.
    Hindered {
        /// What.
        why: String,
    },
    /// The node has stopped in good order.
    Stopped,
}

/// A standing order that a decision followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// What it is about.
    pub topic: String,
    /// The round in which the model was asked for it.
    pub asked_in: Round,
}

/// A member's privacy account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// All that may ever be spent, in millionths of epsilon.
    pub epsilon_micro: u64,
    /// At this delta, in millionths of millionths.
    pub delta_pico: u64,
    /// What of it is spent, in millionths of epsilon, rounded up.
    pub spent_micro: u64,
    /// Trainings that the plan has left, if the member is hired in every round of it; 0 when it is done.
    pub rounds_left: u64,
}

/// A phase of the round, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Too few members are connected to decide anything.
    Wait,
    /// Sealed bids come in.
    Bid,
    /// Bids are opened.
    Reveal,
    /// The Plan is agreed on.
    Plan,
    /// Winners train, and updates travel.
    Train,
    /// Updates are appraised.
    Appraise,
    /// The Settle is agreed on.
    Settle,
}

/// An agent's role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Which contract, and at what price.
    Bidder,
    /// How many, and which kinds of member to favour.
    Selector,
    /// What this round may cost the member.
    Guardian,
}

/// Who made an agent's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// A language model.
    Model,
    /// The rule policy, because it was asked.
    Rules,
    /// The rule policy, because the model failed.
    Fallback,
}

/// A contract that was awarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Award {
    /// To whom.
    pub member: MemberId,
    /// Its place on the menu.
    pub contract: u8,
    /// Examples that the bid has promised to train on.
    pub samples: u64,
    /// The price that was asked, in micro-credits.
    pub price: u64,
    /// What delivery pays, in micro-credits.
    pub payment: u64,
    /// What has hired it.
    pub hired_by: HiredBy,
}

impl Award {
    /// L10: whether an update is what was promised: of this contract, and of no fewer examples than the bid has named.
    pub const fn is_fulfilled_by(&self, offer: &UpdateOffer) -> bool {
        offer.contract == self.contract && offer.samples >= self.samples
    }
}

/// What hires a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiredBy {
    /// Its price, against those of others.
    Auction,
    /// The fairness floor: it had lost too often.
    Floor,
    /// A counter-offer, which it has accepted.
    CounterOffer,
}

/// All credits of the federation, in micro-credits: `minted - burned` equals the sum of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    /// Ever minted.
    pub minted: u64,
    /// Ever burned.
    pub burned: u64,
    /// Not yet given to anybody.
    pub pool: u64,
    /// Promised to the winners of the open round.
    pub escrow: u64,
    /// Put down by sponsors for jobs that are not done.
    #[serde(default)]
    pub jobs: u64,
    /// What each member owns.
    pub balances: BTreeMap<MemberId, u64>,
    /// What others own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guests: BTreeMap<MemberId, u64>,
}

impl Credits {
    /// Whether `supply = minted - burned` holds.
    pub fn balanced(&self) -> bool {
        let amounts = self.balances.values().chain(self.guests.values()).chain([&self.pool, &self.escrow, &self.jobs]);
        let held: u128 = amounts.map(|&amount| u128::from(amount)).sum();
        u128::from(self.minted) == held + u128::from(self.burned)
    }
}
