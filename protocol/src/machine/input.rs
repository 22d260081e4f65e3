//! What happens to a machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::effect::{BatchId, ReplyId};
use crate::{
    consensus,
    detection::Signs,
    epidemic,
    ids::{BlobRef, Height, MemberId, Round},
    statement::{Bid, HeldOut, Reply},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// What is published now reaches this member.
    PeerUp(MemberId),
    /// This member is no longer connected.
    PeerDown(MemberId),
    /// A message by `author` came through the neighbour `via`. Nothing in it has been verified.
    Gossip {
        /// Who published it, as the network says.
        author: MemberId,
        /// Who passed it on.
        via: MemberId,
        /// The encoded [`crate::wire::Message`].
        bytes: Vec<u8>,
    },
    /// A peer asks.
    Asked {
        /// Who.
        from: MemberId,
        /// Names the question, for the answer.
        reply: ReplyId,
        /// The encoded [`crate::wire::Request`].
        bytes: Vec<u8>,
    },
    /// A peer has answered. Nothing in it has been verified.
    Answered {
        /// Who.
        from: MemberId,
        /// The encoded [`crate::wire::Response`].
        bytes: Vec<u8>,
    },
    /// A peer has not answered.
    Unanswered {
        /// Who.
        from: MemberId,
    },
    /// The time of a timer is up.
    TimerFired(Timer),
    /// The bidder has decided; `None` passes.
    BidChosen {
        /// The round it was asked for.
        round: Round,
        /// The bid.
        bid: Option<Bid>,
    },
    /// The selector has decided.
    MarksChosen {
        /// The round it was asked for.
        round: Round,
        /// How many to hire, at the most.
        hire: u32,
        /// Weights in hundredths.
        weights: BTreeMap<MemberId, u16>,
    },
    /// The selector has decided which counter-offers to make.
    CounterOffersChosen {
        /// The round it was asked for.
        round: Round,
        /// To whom, and for which place of the menu; none if it makes none.
        offers: Vec<(MemberId, u8)>,
    },
    /// The bidder has decided on a counter-offer.
    ReplyChosen {
        /// The round it was asked for.
        round: Round,
        /// Whether it takes the offer.
        reply: Reply,
    },
    /// The ordered training has ended, and its update is stored here.
    Trained {
        /// The round it was ordered for.
        round: Round,
        /// What it made.
        made: Made,
    },
    /// The ordered training has come to nothing.
    Untrained {
        /// The round it was ordered for.
        round: Round,
    },
    /// A blob that was asked for is here, whole and verified.
    BlobReady(BlobRef),
    /// An order names a blob that was here and is gone or damaged; nothing else comes of the order.
    BlobLost(BlobRef),
    /// An update was scored on held-out data.
    Appraised {
        /// The round it was ordered for.
        round: Round,
        /// Whose update.
        maker: MemberId,
        /// What came of it.
        score: Score,
    },
    /// It is known what each update of a round brings.
    Attributed {
        /// In this round.
        round: Round,
        /// What came of it.
        found: Attributed,
    },
    /// A batch was inspected.
    Inspected {
        /// Which batch.
        batch: BatchId,
        /// What was seen, or the makers whose updates cannot enter an aggregate.
        signs: Result<Signs, Vec<MemberId>>,
    },
    /// A batch was aggregated.
    Aggregated {
        /// Which batch.
        batch: BatchId,
        /// The mean, which is stored here, or the makers whose updates cannot enter one.
        mean: Result<BlobRef, Vec<MemberId>>,
    },
    /// Something that an order of epidemic exchange has led to.
    Epidemic(epidemic::Input),
}

/// What a training made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The update.
    pub update: BlobRef,
    /// Examples seen.
    pub samples: u64,
    /// Time it took, in milliseconds.
    pub training_ms: u64,
    /// What it cost of a privacy budget, in millionths of epsilon.
    pub epsilon_micro: u64,
}

/// What held-out data says of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// It lowers the loss by so many millionths.
    Gain {
        /// Millionths of loss.
        gain: i64,
        /// What it was scored on.
        held_out: HeldOut,
    },
    /// It is sound, but there is nothing here to score it on, or it is not scored alone.
    Unscored,
    /// It cannot enter a mean.
    Faulty,
}

/// What held-out data says of all updates of a round together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributed {
    /// By how much each maker's update lowers the loss, in millionths.
    pub gains: BTreeMap<MemberId, i64>,
    /// What they were scored on; where there is nothing, there is no gain either.
    pub held_out: HeldOut,
}

/// A timer: a value that comes back when its time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The pause before a round is over.
    Pause(Round),
    /// Sealed bids are no longer waited for.
    Commit(Round),
    /// Opened bids are no longer waited for.
    Reveal(Round),
    /// Counter-offers and replies to them are no longer waited for.
    Counter(Round),
    /// Updates are no longer waited for.
    Train(Round),
    /// Updates of members that are gone are no longer waited for.
    Absence(Round),
    /// Appraisals are no longer waited for.
    Appraise(Round),
    /// A proposer that is gone is no longer waited for.
    ProposerAbsence(Height, u32),
    /// Of the agreement.
    Agreement(consensus::Timer),
    /// Time to say again what may have been lost.
    Repeat,
    /// This height is still not decided.
    Halted(Height),
    /// Of epidemic exchange.
    Epidemic(epidemic::Timer),
}
