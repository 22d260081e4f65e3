//! What happens to an exchange, and what it wants done.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Refusal, Step};
use crate::{
    crypto::Signed,
    event::Event,
    genesis::Contract,
    ids::{BlobRef, Hash, MemberId},
    statement::ModelOffer,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// This member is connected.
    PeerUp(MemberId),
    /// This member is no longer connected.
    PeerDown(MemberId),
    /// A peer offers a model. Nothing in it has been verified but who has sent it.
    Offered {
        /// Who, as the connection says.
        from: MemberId,
        /// What it says.
        offer: Signed<ModelOffer>,
    },
    /// A blob that was asked for is here, whole and verified.
    BlobReady(BlobRef),
    /// The ordered training has ended, and its model is stored durably.
    Trained {
        /// The step it was ordered for.
        step: Step,
        /// The model.
        model: BlobRef,
        /// Examples seen.
        samples: u64,
        /// Time it took, in milliseconds.
        training_ms: u64,
    },
    /// The ordered training has failed, or its model is unsound.
    Untrained {
        /// The step it was ordered for.
        step: Step,
    },
    /// The ordered average is stored durably.
    Mixed {
        /// The step it was ordered for.
        step: Step,
        /// The member's next model.
        model: BlobRef,
        /// Models that are not in it, and why.
        refused: BTreeMap<MemberId, Refusal>,
    },
    /// The time of a timer is up.
    TimerFired(Timer),
}

/// A timer: a value that comes back when its time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The step has listened for as long as it must.
    Settle(Step),
    /// The step has listened for as long as it may.
    Listen(Step),
}

/// Something to be done. Effects are carried out in the order in which they stand.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make this durable in place of what was saved before, before any later effect is carried out.
    Save(Vec<u8>),
    /// Send this to a peer. It may get lost.
    Offer {
        /// To whom.
        to: MemberId,
        /// What.
        offer: Signed<ModelOffer>,
    },
    /// Train a model.
    Train(StepOrder),
    /// Stop training: nobody needs its model any more.
    StopTraining,
    /// Get this blob from this member.
    Fetch {
        /// What.
        blob: BlobRef,
        /// From whom.
        from: MemberId,
    },
    /// Average models by [`mix`](super::mix).
    Mix(MixOrder),
    /// These blobs are no longer needed: stop fetching them, and delete them.
    Forget(BTreeSet<BlobRef>),
    /// Let this timer run so long.
    SetTimer(Timer, Duration),
    /// Forget this timer, if it runs.
    CancelTimer(Timer),
    /// This peer has sent what it must know to be false.
    Blame {
        /// Who.
        member: MemberId,
    },
    /// Tell the observers.
    Tell(Event),
}

/// An order to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOrder {
    /// For this step.
    pub step: Step,
    /// From this model.
    pub base: BlobRef,
    /// Under this contract, the first of the menu.
    pub contract: Contract,
    /// With this seed.
    pub seed: Hash,
}

/// An order to average.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixOrder {
    /// For this step.
    pub step: Step,
    /// The own model.
    pub own: BlobRef,
    /// Those of others, by sender.
    pub received: Vec<(MemberId, BlobRef)>,
}
