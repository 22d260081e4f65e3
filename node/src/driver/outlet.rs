//! What leaves a node, on its way out.
//!
//! A node says what its core wants said, serves what lies on its disk, and offers the model that it has computed. The
//! testnet hosts members that do otherwise, to see the others bear it: they are this node with another outlet.

use althing_protocol::wire::Topic;

/// The last hands that words, blobs and models go through.
pub trait Outlet: Send + Sync {
    /// What is published on `topic` in place of the message `bytes`.
    fn publish(&self, topic: Topic, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let _ = topic;
        vec![bytes]
    }

    /// What a peer is sent in place of `answer`, having asked for a part of a blob.
    fn serve(&self, answer: Vec<u8>) -> Vec<u8> {
        answer
    }

    /// What the updates of a round have come to, in place of `model`.
    fn aggregate(&self, model: Vec<u8>) -> Vec<u8> {
        model
    }
}

/// Lets everything out as it is.
#[derive(Debug, Clone, Copy)]
pub struct Unchanged;

impl Outlet for Unchanged {}
