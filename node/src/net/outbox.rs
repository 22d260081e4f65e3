//! Events that wait for the node to take them.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::event::Event;

/// Events in the channel itself. It is short, because what lies there can no longer be counted in bytes.
const CHANNEL: usize = 16;

/// Messages and requests that wait before further ones are dropped.
const BACKLOG_MAX: usize = 1024;

/// Bytes of messages and requests that wait before further ones are dropped.
const BACKLOG_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A queue that never blocks the network: messages are dropped when it is full, changes of the peer list never.
///
/// Those changes stay bounded too: a peer that comes and goes unseen leaves no trace.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: VecDeque<Event>,
    bytes: usize,
    sender: mpsc::Sender<Event>,
}

/// The node no longer listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deserted;

impl Outbox {
    /// An empty outbox and the node's end of it.
    pub(super) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(CHANNEL);
        (Self { queue: VecDeque::new(), bytes: 0, sender }, receiver)
    }

    /// Queues a message or a request.
    ///
    /// # Errors
    /// The event itself, when the backlog is full.
    pub(super) fn offer(&mut self, event: Event) -> Result<(), Box<Event>> {
        let size = size(&event);
        if self.queue.len() >= BACKLOG_MAX || self.bytes + size > BACKLOG_BYTES_MAX {
            return Err(Box::new(event));
        }
        self.bytes += size;
        self.queue.push_back(event);
        Ok(())
    }

    /// Queues what the node must not miss.
    pub(super) fn tell(&mut self, event: Event) {
        if let Event::PeerDown(gone) = event {
            let unseen = self.queue.iter().position(|event| matches!(event, Event::PeerUp(peer) if *peer == gone));
            if let Some(position) = unseen {
                self.queue.remove(position);
                return;
            }
        }
        self.queue.push_back(event);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Hands over the oldest event as soon as the node has room. Nothing is lost when this is cancelled.
    pub(super) async fn deliver(&mut self) -> Result<(), Deserted> {
        let permit = self.sender.reserve().await.map_err(|_| Deserted)?;
        if let Some(event) = self.queue.pop_front() {
            self.bytes -= size(&event);
            permit.send(event);
        }
        Ok(())
    }
}

/// The bytes of an event that a peer chose.
fn size(event: &Event) -> usize {
    match event {
        Event::Gossip { bytes, .. } | Event::Request { bytes, .. } => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::ids::MemberId;
    use libp2p::{PeerId, gossipsub::MessageId};

    use super::{super::*, *};

    const PEER: MemberId = MemberId([1; 32]);

    fn message(len: usize) -> Event {
        let token = MessageToken { id: MessageId::from("1"), via: PeerId::random() };
        Event::Gossip { topic: Topic::Have, author: PEER, via: PEER, token, bytes: vec![0; len] }
    }

    #[test]
    fn messages_are_bounded_in_number_and_bytes_and_peers_are_not_lost() {
        let (mut outbox, _node) = Outbox::new();
        assert_eq!((0..2000).filter(|_| outbox.offer(message(1)).is_ok()).count(), BACKLOG_MAX);
        outbox.tell(Event::PeerUp(PEER));
        assert_eq!(outbox.queue.len(), BACKLOG_MAX + 1);

        let (mut outbox, _node) = Outbox::new();
        assert_eq!((0..100).filter(|_| outbox.offer(message(1024 * 1024)).is_ok()).count(), 8);
    }

    #[test]
    fn a_peer_that_comes_and_goes_unseen_leaves_no_trace() {
        let (mut outbox, _node) = Outbox::new();
        outbox.tell(Event::PeerDown(PEER));
        for _ in 0..1000 {
            outbox.tell(Event::PeerUp(PEER));
            outbox.tell(Event::PeerDown(PEER));
        }
        assert_eq!(outbox.queue.len(), 1);
    }

    #[tokio::test]
    async fn room_is_made_by_taking() {
        let (mut outbox, mut node) = Outbox::new();
        while outbox.offer(message(1)).is_ok() {}
        outbox.deliver().await.unwrap();
        assert!(matches!(node.recv().await, Some(Event::Gossip { .. })));
        assert!(outbox.offer(message(1)).is_ok());
        drop(node);
        assert_eq!(outbox.deliver().await, Err(Deserted));
    }
}
