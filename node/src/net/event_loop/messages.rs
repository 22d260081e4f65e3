//! What peers say: gossip, requests, and hints about other peers.

use std::time::Instant;

use althing_protocol::ids::MemberId;
use libp2p::{
    PeerId,
    gossipsub::{self, MessageAcceptance, MessageId},
    request_response::{self, Message, OutboundFailure, ResponseChannel},
};

use super::{
    super::{
        address::Locality,
        codec::Question,
        config::Door,
        event::{Event, MessageToken, ReplyToken},
        exchange::{self, Hint, RECORDS_MAX},
        handle::RequestError,
        identity,
        limits::{Excess, Pour},
        sessions::Session,
    },
    Actor,
};

/// An event of either request protocol.
type RequestEvent = request_response::Event<Question, Vec<u8>>;

impl Actor {
    /// Hands a message to the node, or drops it where its author or its bearer may not speak or spoke too much.
    pub(super) fn on_gossip(&mut self, via: PeerId, id: MessageId, message: gossipsub::Message, now: Instant) {
        self.stats.gossip_in += 1;
        let (Some(topic), Some(source)) = (self.topics.get(&message.topic).copied(), message.source) else {
            return self.drop_gossip(&via, &id);
        };
        self.stats.topic(topic).received_bytes += message.data.len() as u64;
        let speaker = |peer: &PeerId| identity::member_id(peer).filter(|member| self.admission.admits(member));
        let (Some(author), Some(bearer)) = (speaker(&source), speaker(&via)) else {
            return self.drop_gossip(&via, &id);
        };
        if self.meters.gossip(via, source, message.data.len(), now) == Pour::Spilt {
            if via == source {
                self.exceeds(via, Excess::Messages(1), now);
            }
            return self.drop_gossip(&via, &id);
        }
        if message.data.len() > topic.max_bytes() {
            self.blame(via, "it kept sending messages that are too long");
            return self.drop_gossip(&via, &id);
        }
        let token = MessageToken { id: id.clone(), via };
        let event = Event::Gossip { topic, author, via: bearer, token, bytes: message.data };
        if self.outbox.offer(event).is_err() {
            self.has_kept_up = false;
            self.drop_gossip(&via, &id);
        }
    }

    /// Forgets a message, so that it takes no memory and travels no further.
    fn drop_gossip(&mut self, via: &PeerId, id: &MessageId) {
        self.stats.gossip_dropped += 1;
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(id, via, MessageAcceptance::Ignore);
    }

    pub(super) fn on_request_event(&mut self, event: RequestEvent, now: Instant) {
        match event {
            RequestEvent::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_request(peer, request, channel, now);
            }
            RequestEvent::Message { message: Message::Response { request_id, response }, .. } => {
                self.stats.requests.received_bytes += response.len() as u64;
                if let Some(answer) = self.waiting.remove(&request_id) {
                    let _ = answer.send(Ok(response));
                }
            }
            RequestEvent::OutboundFailure { peer, request_id, error, .. } => {
                if let Some(answer) = self.waiting.remove(&request_id) {
                    let _ = answer.send(Err(self.refusal(&peer, error)));
                }
            }
            RequestEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a request was not answered");
            }
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    pub(super) fn on_door_event(&mut self, event: RequestEvent, now: Instant) {
        match event {
            RequestEvent::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_knock(peer, request, channel, now);
            }
            RequestEvent::Message { message: Message::Response { request_id, response }, .. } => {
                if let Some(answer) = self.knocking.remove(&request_id) {
                    let _ = answer.send(Ok(response));
                }
            }
            RequestEvent::OutboundFailure { peer, request_id, error, .. } => {
                if let Some(answer) = self.knocking.remove(&request_id) {
                    let _ = answer.send(Err(self.refusal(&peer, error)));
                }
            }
            RequestEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a knock was not answered")
            }
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    /// Hands a knock to the node, whoever it is by, or refuses it by dropping its channel.
    fn on_knock(&mut self, peer: PeerId, question: Question, channel: ResponseChannel<Vec<u8>>, now: Instant) {
        let Some(from) = identity::member_id(&peer).filter(|_| self.door == Door::Open) else { return };
        let Question::Bytes(bytes) = question else {
            return self.blame(peer, "it kept knocking with what is too long");
        };
        if self.is_within_rate(peer, now)
            && self.outbox.offer(Event::Knock { from, bytes, reply: ReplyToken(channel) }).is_err()
        {
            tracing::debug!(?from, "a knock was not heard: the node does not keep up");
        }
    }

    /// Hands a request to the node, or refuses it by dropping its channel.
    fn on_request(&mut self, peer: PeerId, question: Question, channel: ResponseChannel<Vec<u8>>, now: Instant) {
        let Some(from) = self.may_ask(peer, now) else {
            return;
        };
        let Question::Bytes(bytes) = question else {
            return self.blame(peer, "it kept sending requests that are too long");
        };
        self.stats.requests.received_bytes += bytes.len() as u64;
        let request = Event::Request { from, bytes, reply: ReplyToken(channel) };
        if self.outbox.offer(request).is_err() {
            tracing::debug!(?from, "a request was refused: the node does not keep up");
        }
    }

    /// Who asks, if it is admitted and within its rate.
    fn may_ask(&mut self, peer: PeerId, now: Instant) -> Option<MemberId> {
        let member = identity::member_id(&peer).filter(|member| self.admission.admits(member))?;
        self.is_within_rate(peer, now).then_some(member)
    }

    /// Counts a request of `peer`, of whatever kind.
    pub(super) fn is_within_rate(&mut self, peer: PeerId, now: Instant) -> bool {
        let held = self.meters.request(peer, now) == Pour::Held;
        if !held {
            self.exceeds(peer, Excess::Request, now);
        }
        held
    }

    fn refusal(&self, peer: &PeerId, error: OutboundFailure) -> RequestError {
        match error {
            OutboundFailure::Timeout => RequestError::Timeout,
            OutboundFailure::DialFailure => match identity::member_id(peer) {
                Some(member) => RequestError::NotConnected(member),
                None => RequestError::Refused(OutboundFailure::DialFailure.to_string()),
            },
            error => RequestError::Refused(error.to_string()),
        }
    }

    /// Asks `peer` whom it knows.
    pub(super) fn ask_for_peers(&mut self, peer: PeerId) {
        self.swarm.behaviour_mut().exchange.send_request(&peer, Question::Bytes(Vec::new()));
    }

    pub(super) fn on_exchange_event(&mut self, event: RequestEvent, now: Instant) {
        match event {
            RequestEvent::Message { peer, message: Message::Request { request, channel, .. }, .. } => {
                self.on_peers_asked(peer, &request, channel, now);
            }
            RequestEvent::Message { peer, message: Message::Response { response, .. }, .. } => {
                self.on_hints(peer, &response, now);
            }
            RequestEvent::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a request was not answered");
            }
            RequestEvent::OutboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "a peer did not say whom it knows");
            }
            RequestEvent::ResponseSent { .. } => {}
        }
    }

    /// Tells `peer` whom we know.
    fn on_peers_asked(&mut self, peer: PeerId, question: &Question, channel: ResponseChannel<Vec<u8>>, now: Instant) {
        if self.may_ask(peer, now).is_none() {
            return;
        }
        if *question == Question::TooLong {
            return self.blame(peer, "it kept sending requests that are too long");
        }
        let answer = exchange::encode(&self.hints(&peer), self.locality(&peer));
        if self.swarm.behaviour_mut().exchange.send_response(channel, answer).is_err() {
            tracing::debug!(%peer, "it asked whom we know and is gone");
        }
    }

    fn locality(&self, peer: &PeerId) -> Locality {
        self.sessions.get(peer).map_or(Locality::Remote, Session::locality)
    }

    /// Peers that are up, for `asker`. Where there are too many, each answer starts elsewhere.
    fn hints(&self, asker: &PeerId) -> Vec<Hint> {
        let others = self.sessions.iter().filter(|(peer, session)| *peer != asker && session.is_up());
        let mut hints: Vec<Hint> =
            others.map(|(peer, session)| (session.member, self.book.own_addresses(peer).to_vec())).collect();
        if hints.len() > RECORDS_MAX {
            let start = rand::random_range(0..hints.len());
            hints.rotate_left(start);
        }
        hints
    }

    fn on_hints(&mut self, teller: PeerId, answer: &[u8], now: Instant) {
        let locality = self.locality(&teller);
        match exchange::decode(answer, locality) {
            Ok(hints) => {
                for (member, addresses) in hints {
                    if let Some(peer) = identity::peer_id(&member) {
                        self.hear_of(peer, &addresses, locality, now);
                    }
                }
                self.dial_due(now);
            }
            Err(error) => {
                tracing::debug!(peer = %teller, %error, "a peer's answer makes no sense");
                self.blame(teller, "it kept sending answers that make no sense");
            }
        }
    }
}
