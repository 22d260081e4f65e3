//! What a machine wants done.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::input::Timer;
use crate::{
    crypto::Signed,
    epidemic::{MixOrder, StepOrder},
    event::Event,
    genesis::Contract,
    ids::{BlobRef, Hash, Height, MemberId, Round},
    ledger::Account,
    model::Width,
    state::State,
    statement::{Bid, CounterOffer, ModelOffer},
    wire::{Decision, Request, Topic},
};

/// Names a question of a peer until it is answered.
pub type ReplyId = u64;

/// Names a set of updates, in a round, by their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId(pub Hash);

/// Something to be done. Effects are carried out in the order in which they stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make this durable before any later effect is carried out. Entries that follow each other may share one write.
    Append(JournalEntry),
    /// Make this durable before any later effect is carried out, all or nothing.
    Commit(Box<Commit>),
    /// Send this to everybody.
    Publish {
        /// On this topic.
        topic: Topic,
        /// An encoded [`crate::wire::Message`].
        bytes: Vec<u8>,
    },
    /// Ask a peer; its answer is an input.
    Request {
        /// Whom.
        to: MemberId,
        /// What.
        request: Request,
    },
    /// Answer a peer.
    Reply {
        /// The question.
        reply: ReplyId,
        /// What to say.
        answer: Answer,
    },
    /// The peer that delivered the message of this input is to blame for it: score it down.
    Blame {
        /// Whom.
        member: MemberId,
    },
    /// Let this timer run so long. Setting one that runs starts it anew.
    SetTimer(Timer, Duration),
    /// Forget this timer, if it runs.
    CancelTimer(Timer),
    /// Ask the bidder.
    AskBid(BidQuestion),
    /// Ask the selector.
    AskMarks(MarksQuestion),
    /// Ask the selector whether to offer bidders other contracts.
    AskCounterOffers(CounterOffersQuestion),
    /// Ask the bidder what to say to a counter-offer.
    AskReply(ReplyQuestion),
    /// Train an update. A training that runs is for an earlier round: stop it.
    Train(TrainOrder),
    /// Stop training and attributing: their round is over.
    StopTraining,
    /// Get this blob from these members; more of them may be named later.
    Fetch {
        /// What.
        blob: BlobRef,
        /// From whom.
        from: Vec<MemberId>,
    },
    /// Check an update against the model that it started from, and score it if each is worth what it is alone.
    Appraise {
        /// For this round.
        round: Round,
        /// Whose update.
        maker: MemberId,
        /// The model that it started from.
        base: BlobRef,
        /// The update, as it came.
        update: BlobRef,
        /// Which part of the model it is of: the same part of the model that it started from is what it is compared with.
        width: Width,
    },
    /// Find out what each of these sound updates brings to what they make together.
    Attribute(AttributeOrder),
    /// Check updates and look for those that only pretend to be work, by [`crate::detection::inspect`].
    Inspect(InspectOrder),
    /// Check updates and store their aggregate by the rule of the genesis.
    Aggregate(AggregateOrder),
    /// These blobs are needed; all others may go.
    Keep(BTreeSet<BlobRef>),
    /// Make this durable in place of what was saved before, before any later effect is carried out.
    Save(Vec<u8>),
    /// Send this model's offer to a peer. It may get lost.
    Offer {
        /// To whom.
        to: MemberId,
        /// What.
        offer: Signed<ModelOffer>,
    },
    /// Train a model for a step of epidemic exchange. A training that runs is of no more use: stop it.
    TrainStep(StepOrder),
    /// Average models by [`crate::epidemic::mix`].
    Mix(MixOrder),
    /// These blobs are no longer needed: stop fetching them, and delete them.
    Forget(BTreeSet<BlobRef>),
    /// Tell the observers.
    Tell(Event),
}

/// An answer to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Decisions from this height on.
    Decisions(Height),
    /// That it was heard.
    Heard,
}

/// What survives a crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// It may be forgotten once this height is decided.
    pub until: Height,
    /// The encoded record.
    pub bytes: serde_bytes::ByteBuf,
}

/// A decision, to be made durable together with all that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Its height.
    pub height: Height,
    /// Body and certificate.
    pub decision: Decision,
    /// The state after it.
    pub state: State,
}

/// A question to the bidder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BidQuestion {
    /// For this round.
    pub round: Round,
    /// The public menu.
    pub menu: Vec<Contract>,
    /// Highest price for one unit of a contract's worth, in micro-credits.
    pub reserve_price: u64,
    /// Examples with which a contract is worth what the menu says; 0 if all that count is the menu.
    pub usual_samples: u64,
    /// The member's reputation.
    pub reputation: u32,
    /// Rounds since the member was last hired.
    pub idle_rounds: u64,
}

/// A question to the selector. It knows no price, and its agent is to see no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarksQuestion {
    /// For this round.
    pub round: Round,
    /// How many may be hired, at the most.
    pub max_winners: u32,
    /// Who has sealed a bid.
    pub candidates: Vec<Candidate>,
}

/// What the ledger says of a bidder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who; for the answer, not for the agent.
    pub member: MemberId,
    /// From 0 to 1,000.
    pub reputation: u32,
    /// Rounds since it was last hired.
    pub idle_rounds: u64,
    /// Times it was hired.
    pub hired: u64,
    /// Times it delivered.
    pub delivered: u64,
    /// Shares of bonuses that it ever earned, in micro-credits: what it has contributed, and nothing of what it asks.
    pub bonus: u64,
}

impl Candidate {
    /// `member` as its account stands in `round`.
    pub const fn of(member: MemberId, account: &Account, round: Round) -> Self {
        Self {
            member,
            reputation: account.reputation,
            idle_rounds: round.0.saturating_sub(account.hired_in.0),
            hired: account.hired,
            delivered: account.delivered,
            bonus: account.bonus,
        }
    }
}

/// A question to the selector of the chair. It knows no price, and its agent is to see no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterOffersQuestion {
    /// For this round.
    pub round: Round,
    /// How many offers there may be, at the most.
    pub most: u32,
    /// The public menu.
    pub menu: Vec<Contract>,
    /// Who may get one.
    pub bidders: Vec<Bidder>,
}

/// A member that has opened its bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bidder {
    /// What the ledger says of it.
    pub candidate: Candidate,
    /// The contract that it has bid for, by its place on the menu.
    pub contract: u8,
    /// Examples that its bid has named.
    pub samples: u64,
}

/// A question to the bidder about a counter-offer. It knows nobody else's bid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyQuestion {
    /// For this round.
    pub round: Round,
    /// The public menu.
    pub menu: Vec<Contract>,
    /// What the member is offered.
    pub offer: CounterOffer,
    /// Its own bid, which stands if it declines.
    pub bid: Bid,
}

/// An order to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOrder {
    /// For this round.
    pub round: Round,
    /// The model that the update is measured from.
    pub base: BlobRef,
    /// What to start from instead, as far as [`crate::epidemic::bring_back`] allows: what this member has learned while
    /// the ledger was halted.
    pub progress: Option<BlobRef>,
    /// Under this contract.
    pub contract: Contract,
    /// On no fewer examples than these, which the member's bid has promised.
    pub samples: u64,
    /// With this seed.
    pub seed: Hash,
}

/// An order to attribute what updates make together to their makers, as the genesis says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeOrder {
    /// The round.
    pub round: Round,
    /// The model that the updates started from.
    pub base: BlobRef,
    /// The updates, by maker.
    pub updates: Vec<OrderedUpdate>,
    /// Decides what is tried where there is too much to try all of it.
    pub seed: Hash,
}

/// An order to inspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectOrder {
    /// Names the batch.
    pub batch: BatchId,
    /// The model that the updates started from.
    pub base: BlobRef,
    /// The model that this one was made from.
    pub previous: BlobRef,
    /// The updates, by maker.
    pub updates: Vec<OrderedUpdate>,
}

/// An order to aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateOrder {
    /// Names the batch.
    pub batch: BatchId,
    /// The model that the updates started from.
    pub base: BlobRef,
    /// The updates, by maker.
    pub updates: Vec<OrderedUpdate>,
}

/// An update that is to enter an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrderedUpdate {
    /// Whose.
    pub maker: MemberId,
    /// The update, as it came.
    pub update: BlobRef,
    /// Examples behind it.
    pub samples: u64,
    /// Which part of the model it is of.
    pub width: Width,
}

/// What a journal entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A step of the agreement.
    Agreement(crate::consensus::WalEntry),
    /// A bid of this member, which its sealed bid binds it to.
    Bid { round: Round, bid: Option<Bid> },
    /// A statement of this member.
    Said(crate::wire::Message),
    /// A body of another that this member is about to call valid. Whoever votes for a body must be able to show it:
    /// otherwise it could be decided by members none of whom has it any more.
    Held(crate::crypto::Signed<crate::statement::BodyOffer>),
    /// A body that this member has built for a round of the agreement.
    Built { height: Height, agreement_round: u32, body: serde_bytes::ByteBuf },
}
