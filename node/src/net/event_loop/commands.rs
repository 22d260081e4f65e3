//! What the node asks for.

use std::time::Instant;

use althing_protocol::ids::MemberId;
use libp2p::{
    PeerId,
    gossipsub::{MessageAcceptance, PublishError},
};
use prometheus_client::encoding::text;
use tokio::sync::oneshot;

use super::{
    super::{
        codec::Question,
        config::Admission,
        event::{Event, MessageToken, Verdict},
        handle::{Command, RequestError, Stats},
        identity,
        limits::{Excess, Pour},
        protocols::REPLY_BYTES_MAX,
        topic::Topic,
    },
    Actor,
};

/// Requests of ours that may wait for answers at once.
const WAITING_MAX: usize = 1024;

/// The counter of bytes, as the transport names it.
const BANDWIDTH: &str = "libp2p_bandwidth_bytes_total";

/// How its labels look where the bytes went through a relay: dialled, and accepted.
const RELAYED: [&str; 2] = ["/p2p-circuit", "=\"/p2p\""];

impl Actor {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Publish { topic, bytes } => self.publish(topic, bytes),
            Command::Report { token, verdict } => self.report(token, verdict),
            Command::Request { to, bytes, answer } => self.request(to, bytes, answer),
            Command::Knock { at, bytes, answer } => self.knock(at, bytes, answer),
            Command::Respond { token, bytes } => {
                self.stats.requests.sent_bytes += bytes.len() as u64;
                if bytes.len() > REPLY_BYTES_MAX {
                    tracing::warn!(len = bytes.len(), max = REPLY_BYTES_MAX, "answer dropped: it is too long");
                } else if self.swarm.behaviour_mut().requests.send_response(token.0, bytes).is_err() {
                    tracing::debug!("an answer came after the asker was gone");
                }
            }
            Command::Ban { member, why } => {
                if let Some(peer) = identity::peer_id(&member) {
                    self.ban(peer, member, why);
                }
            }
            Command::Opened { peer } => {
                self.is_within_rate(peer, Instant::now());
            }
            Command::Admit { admission } => self.admit(admission),
            Command::Dial { address } => self.dial(address, Instant::now()),
            Command::ListenAddresses { answer } => {
                let _ = answer.send(self.swarm.listeners().cloned().collect());
            }
            Command::Stats { answer } => {
                let _ = answer.send(self.count());
            }
            Command::Metrics { answer } => {
                let _ = answer.send(self.metrics());
            }
            // The loop ends on it before it comes here.
            Command::Shutdown { .. } => {}
        }
    }

    fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        if bytes.len() > topic.max_bytes() {
            let (len, max) = (bytes.len(), topic.max_bytes());
            tracing::warn!(?topic, len, max, "message dropped: it is too long");
            return;
        }
        let len = bytes.len() as u64;
        match self.swarm.behaviour_mut().gossip.publish(self.protocols.topic(topic), bytes) {
            Ok(_) => {
                self.stats.gossip_out += 1;
                self.stats.topic(topic).sent_bytes += len;
            }
            Err(PublishError::NoPeersSubscribedToTopic) => tracing::debug!(?topic, "published to nobody"),
            Err(error) => tracing::warn!(?topic, %error, "message dropped"),
        }
    }

    /// Passes a verdict on, and bans the neighbour whose measure is full.
    pub(super) fn report(&mut self, token: MessageToken, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if !gossip.report_message_validation_result(&token.id, &token.via, acceptance) {
            tracing::debug!(?verdict, "a verdict came after its message was forgotten");
        }
        if verdict == Verdict::Reject {
            self.blame(token.via, "it kept sending messages that are wrong");
        }
    }

    /// Counts a wrong message against `peer`, and bans it when it was one too many.
    pub(super) fn blame(&mut self, peer: PeerId, why: &str) {
        if self.meters.reject(peer, Instant::now()) == Pour::Spilt
            && let Some(member) = identity::member_id(&peer)
        {
            self.ban(peer, member, why.to_owned());
        }
    }

    /// Counts what `peer` has sent above its rate, and bans it when that is a flood.
    pub(super) fn exceeds(&mut self, peer: PeerId, excess: Excess, now: Instant) {
        if self.meters.exceed(peer, excess, now) == Pour::Spilt
            && let Some(member) = identity::member_id(&peer)
        {
            self.ban(peer, member, "it floods this node with messages".to_owned());
        }
    }

    fn ban(&mut self, peer: PeerId, member: MemberId, why: String) {
        if self.bans.contains(&peer) {
            return;
        }
        tracing::warn!(?member, why, "banned");
        self.bans.ban(peer, Instant::now());
        let behaviour = self.swarm.behaviour_mut();
        behaviour.blocked.block_peer(peer);
        behaviour.gossip.blacklist_peer(&peer);
        self.outbox.tell(Event::Banned { member, why });
    }

    fn request(&mut self, to: MemberId, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>>) {
        let connected = identity::peer_id(&to).filter(|peer| self.swarm.is_connected(peer));
        let refusal = match connected {
            None => RequestError::NotConnected(to),
            Some(_) if self.waiting.len() >= WAITING_MAX => RequestError::Busy,
            Some(peer) => {
                self.stats.requests.sent_bytes += bytes.len() as u64;
                let id = self.swarm.behaviour_mut().requests.send_request(&peer, Question::Bytes(bytes));
                self.waiting.insert(id, answer);
                return;
            }
        };
        let _ = answer.send(Err(refusal));
    }

    fn knock(&mut self, at: MemberId, bytes: Vec<u8>, answer: oneshot::Sender<Result<Vec<u8>, RequestError>>) {
        let connected = identity::peer_id(&at).filter(|peer| self.swarm.is_connected(peer));
        let refusal = match connected {
            None => RequestError::NotConnected(at),
            Some(_) if self.knocking.len() >= WAITING_MAX => RequestError::Busy,
            Some(peer) => {
                let id = self.swarm.behaviour_mut().door.send_request(&peer, Question::Bytes(bytes));
                self.knocking.insert(id, answer);
                return;
            }
        };
        let _ = answer.send(Err(refusal));
    }

    fn admit(&mut self, admission: Admission) {
        self.admitted.send_replace(admission.clone());
        self.admission = admission;
        let now = Instant::now();
        // Who was a stranger may be none any more, and is told of anew if it comes as one again.
        self.refused.clear();
        let out = self.sessions.iter().filter(|(_, session)| !self.admission.admits(&session.member));
        let out: Vec<_> = out.map(|(peer, session)| (*peer, session.member)).collect();
        for (peer, member) in out {
            self.refuse_stranger(peer, member, now);
        }
        for (peer, addresses) in std::mem::take(&mut self.at_the_door) {
            match identity::member_id(&peer).filter(|member| self.admission.admits(member)) {
                Some(member) => self.welcome(peer, member, addresses, now),
                None => drop(self.at_the_door.insert(peer, addresses)),
            }
        }
    }

    fn count(&self) -> Stats {
        let peers = self.sessions.iter().filter(|(_, session)| session.is_up()).count();
        let bandwidth = bandwidth(&self.metrics());
        let (bytes_in, bytes_out) = bandwidth.all;
        Stats { bytes_in, bytes_out, peers, relayed: self.relayed(bandwidth.relayed), ..self.stats }
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            tracing::error!(%error, "the counters could not be written");
        }
        text
    }
}

/// Bytes received and sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bandwidth {
    /// On all connections that are this node's own.
    all: (u64, u64),
    /// On those that went through relays. They are among what the connections to the relays carried.
    relayed: (u64, u64),
}

/// What the counters say, as text.
fn bandwidth(metrics: &str) -> Bandwidth {
    let mut total = Bandwidth::default();
    for line in metrics.lines().filter(|line| line.starts_with(BANDWIDTH)) {
        let count = line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        let place = if RELAYED.iter().any(|label| line.contains(label)) { &mut total.relayed } else { &mut total.all };
        if line.contains("Inbound") {
            place.0 += count;
        } else {
            place.1 += count;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_a_relay_is_counted_once_and_apart() {
        let text = "\
libp2p_bandwidth_bytes_total{protocols=\"/ip4/tcp\",direction=\"Inbound\"} 100
libp2p_bandwidth_bytes_total{protocols=\"/ip4/udp/quic-v1\",direction=\"Outbound\"} 20
libp2p_bandwidth_bytes_total{protocols=\"/ip4/tcp/p2p/p2p-circuit/p2p\",direction=\"Inbound\"} 7
libp2p_bandwidth_bytes_total{protocols=\"/p2p\",direction=\"Outbound\"} 5
";
        assert_eq!(bandwidth(text), Bandwidth { all: (100, 20), relayed: (7, 5) });
    }
}
