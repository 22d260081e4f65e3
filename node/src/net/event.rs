//! What the network tells the node.

use althing_protocol::ids::{MemberId, NetworkId};
use libp2p::{Multiaddr, PeerId, gossipsub::MessageId, request_response::ResponseChannel};

use super::topic::Topic;

/// Something that happened on the network.
#[derive(Debug)]
pub enum Event {
    /// This node can be reached at an address.
    Listening(Multiaddr),
    /// A peer is connected and follows all topics: what is published from now on reaches it.
    PeerUp(MemberId),
    /// The last connection to a peer that was up is closed.
    PeerDown(MemberId),
    /// A peer that is up is reached through a relay, and will not be reached directly: models cannot be had from it, nor
    /// it from us, unless they may go over relays.
    OnlyRelayed(MemberId),
    /// A message was published by `author` and came through `via`. It waits for a [`Verdict`].
    Gossip {
        /// What it is about.
        topic: Topic,
        /// Who signed the publication.
        author: MemberId,
        /// The neighbour that passed it on; often the author itself.
        via: MemberId,
        /// What the verdict must name.
        token: MessageToken,
        /// The message; at most [`Topic::max_bytes`].
        bytes: Vec<u8>,
    },
    /// A peer asks and waits.
    Request {
        /// Who asks.
        from: MemberId,
        /// The question; at most [`REQUEST_BYTES_MAX`](super::REQUEST_BYTES_MAX).
        bytes: Vec<u8>,
        /// Where the answer goes. Dropping it refuses the request.
        reply: ReplyToken,
    },
    /// Somebody who may be no member asks at the door, and waits.
    Knock {
        /// Who asks.
        from: MemberId,
        /// What; of a bounded length.
        bytes: Vec<u8>,
        /// Where the answer goes. Dropping it refuses.
        reply: ReplyToken,
    },
    /// A node that belongs to another federation was met and is being disconnected. Told once per node.
    ForeignGenesis {
        /// Its key.
        peer: MemberId,
        /// The network that it names, or `None` where it speaks another version or another language altogether.
        theirs: Option<NetworkId>,
    },
    /// A node of this federation's genesis that may not stay was disconnected. Told once per node.
    Stranger {
        /// Its key.
        peer: MemberId,
    },
    /// A peer was disconnected and stays blocked for [`BAN_FOR`](super::BAN_FOR).
    Banned {
        /// Who.
        member: MemberId,
        /// Why, in words for the log.
        why: String,
    },
}

/// What the node thinks of a gossiped message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Good: pass it on.
    Accept,
    /// Not needed, or not checkable yet: keep it here, blame nobody.
    Ignore,
    /// Wrong in a way that the neighbour could have seen: blame it. Enough of these ban it.
    Reject,
}

/// Names one received message, for its verdict.
#[derive(Debug)]
#[must_use = "a message without a verdict never travels on"]
pub struct MessageToken {
    pub(super) id: MessageId,
    pub(super) via: PeerId,
}

/// Names one received request, for its answer.
#[derive(Debug)]
pub struct ReplyToken(pub(super) ResponseChannel<Vec<u8>>);
