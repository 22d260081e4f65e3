//! What is known of each connected peer, until it is up and until it goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use althing_protocol::ids::MemberId;
use libp2p::{PeerId, swarm::ConnectionId};

use super::{address::Locality, topic::Topic};

/// Time within which a peer must have said which federation it belongs to, and what it follows.
const INTRODUCTION_WITHIN: Duration = Duration::from_secs(10);

/// Pings in a row that may fail before a connection counts as dead.
const PINGS_BEFORE_DEAD: u32 = 2;

/// Which federation a peer belongs to, as far as it has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allegiance {
    /// It has not said yet.
    Unknown,
    /// This one.
    Ours,
    /// Another one, or it is no member of this one.
    Refused {
        /// When it must be gone.
        until: Instant,
    },
}

/// Whether the node was told of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Coming,
    Up,
}

/// Whether a peer is still the process that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It is, or has not said before which one it is.
    Same,
    /// It has begun anew, and what it was told before is forgotten.
    Another,
}

/// One open connection.
#[derive(Debug)]
struct Connection {
    locality: Locality,
    failed_pings: u32,
}

/// A new connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Its number.
    pub(super) id: ConnectionId,
    /// Where its other end sits.
    pub(super) locality: Locality,
}

/// One connected peer.
#[derive(Debug)]
pub(super) struct Session {
    /// Who it is.
    pub(super) member: MemberId,
    connections: BTreeMap<ConnectionId, Connection>,
    allegiance: Allegiance,
    /// The word for its process, once it has said it.
    life: Option<String>,
    subscribed: BTreeSet<Topic>,
    presence: Presence,
    since: Instant,
}

impl Session {
    /// Where it sits: on this machine if any of its connections does.
    pub(super) fn locality(&self) -> Locality {
        self.connections.values().map(|connection| connection.locality).max().unwrap_or(Locality::Remote)
    }

    /// Whether the node was told that it is up.
    pub(super) fn is_up(&self) -> bool {
        self.presence == Presence::Up
    }

    /// Whether its time is over: it never introduced itself or said what it follows, or it was refused and had time to find out why.
    fn is_overdue(&self, now: Instant) -> bool {
        match self.allegiance {
            Allegiance::Unknown => now >= self.since + INTRODUCTION_WITHIN,
            // It would have said what it follows, if it did not take this connection for one that it has had for long.
            Allegiance::Ours => !self.is_up() && now >= self.since + INTRODUCTION_WITHIN,
            Allegiance::Refused { until } => now >= until,
        }
    }
}

/// What became of a peer when one of its connections closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// It has another connection, or was not known.
    Stays,
    /// It is gone.
    Gone {
        /// Who it was, if the node was told that it was up.
        told: Option<MemberId>,
        /// How long it was here.
        stayed: Duration,
    },
}

/// All connected peers.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<PeerId, Session>);

impl Sessions {
    /// A connection to `peer` was made.
    pub(super) fn open(&mut self, peer: PeerId, member: MemberId, link: Link, now: Instant) {
        let fresh = || Session {
            member,
            connections: BTreeMap::new(),
            allegiance: Allegiance::Unknown,
            life: None,
            subscribed: BTreeSet::new(),
            presence: Presence::Coming,
            since: now,
        };
        let session = self.0.entry(peer).or_insert_with(fresh);
        session.connections.insert(link.id, Connection { locality: link.locality, failed_pings: 0 });
    }

    /// A connection to `peer` was closed.
    pub(super) fn close(&mut self, peer: &PeerId, connection: ConnectionId, now: Instant) -> Closed {
        let Some(session) = self.0.get_mut(peer) else {
            return Closed::Stays;
        };
        session.connections.remove(&connection);
        if !session.connections.is_empty() {
            return Closed::Stays;
        }
        let told = session.is_up().then_some(session.member);
        let gone = Closed::Gone { told, stayed: now.saturating_duration_since(session.since) };
        self.0.remove(peer);
        gone
    }

    /// The peer said which federation it belongs to. Returns what was known before.
    pub(super) fn declare(&mut self, peer: &PeerId, allegiance: Allegiance) -> Option<Allegiance> {
        let session = self.0.get_mut(peer)?;
        Some(std::mem::replace(&mut session.allegiance, allegiance))
    }

    /// The peer has said the word for its process.
    pub(super) fn identify(&mut self, peer: &PeerId, life: &str) -> Life {
        let Some(session) = self.0.get_mut(peer) else { return Life::Same };
        match session.life.replace(life.to_owned()) {
            Some(before) if before != life => Life::Another,
            _ => Life::Same,
        }
    }

    /// The peer follows `topic` from now on.
    pub(super) fn subscribe(&mut self, peer: &PeerId, topic: Topic) {
        if let Some(session) = self.0.get_mut(peer) {
            session.subscribed.insert(topic);
        }
    }

    /// The peer no longer follows `topic`.
    pub(super) fn unsubscribe(&mut self, peer: &PeerId, topic: Topic) {
        if let Some(session) = self.0.get_mut(peer) {
            session.subscribed.remove(&topic);
        }
    }

    /// Raises a peer that is of our federation and follows all topics. Returns who it is, the first time.
    pub(super) fn raise(&mut self, peer: &PeerId) -> Option<MemberId> {
        let session = self.0.get_mut(peer)?;
        let ready = session.allegiance == Allegiance::Ours && session.subscribed.len() == Topic::ALL.len();
        if !ready || session.is_up() {
            return None;
        }
        session.presence = Presence::Up;
        Some(session.member)
    }

    /// Notes how a ping ended. Returns whether the connection counts as dead.
    pub(super) fn ping(&mut self, peer: &PeerId, connection: ConnectionId, outcome: Ping) -> Pulse {
        let session = self.0.get_mut(peer);
        let Some(connection) = session.and_then(|session| session.connections.get_mut(&connection)) else {
            return Pulse::Beating;
        };
        connection.failed_pings = match outcome {
            Ping::Answered => 0,
            Ping::Failed => connection.failed_pings + 1,
        };
        if connection.failed_pings >= PINGS_BEFORE_DEAD { Pulse::Dead } else { Pulse::Beating }
    }

    /// The peers to drop now.
    pub(super) fn overdue(&self, now: Instant) -> Vec<PeerId> {
        self.0.iter().filter(|(_, session)| session.is_overdue(now)).map(|(peer, _)| *peer).collect()
    }

    /// The session of `peer`.
    pub(super) fn get(&self, peer: &PeerId) -> Option<&Session> {
        self.0.get(peer)
    }

    /// Whether `peer` is connected.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// All sessions, in the order of their peer ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&PeerId, &Session)> {
        self.0.iter()
    }

    /// The peer that is up and follows after `last` in a fixed circle.
    pub(super) fn next_up(&self, last: Option<PeerId>) -> Option<PeerId> {
        let up = || self.0.iter().filter(|(_, session)| session.is_up()).map(|(peer, _)| *peer);
        up().find(|peer| Some(*peer) > last).or_else(|| up().next())
    }

    /// Connected peers.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// How a ping ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    /// The peer answered in time.
    Answered,
    /// It did not.
    Failed,
}

/// Whether a connection lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulse {
    /// As far as is known.
    Beating,
    /// No longer: it is to be closed.
    Dead,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: MemberId = MemberId([1; 32]);

    fn link(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn from(number: usize, locality: Locality) -> Link {
        Link { id: link(number), locality }
    }

    fn opened(now: Instant) -> (Sessions, PeerId) {
        let (mut sessions, peer) = (Sessions::default(), PeerId::random());
        sessions.open(peer, MEMBER, from(1, Locality::Remote), now);
        (sessions, peer)
    }

    #[test]
    fn a_peer_is_up_once_it_is_ours_and_follows_everything() {
        let (mut sessions, peer) = opened(Instant::now());
        sessions.declare(&peer, Allegiance::Ours);
        for topic in Topic::ALL {
            assert_eq!(sessions.raise(&peer), None);
            sessions.subscribe(&peer, topic);
        }
        assert_eq!(sessions.raise(&peer), Some(MEMBER));
        assert_eq!(sessions.raise(&peer), None, "told once");
    }

    #[test]
    fn a_peer_is_down_when_its_last_connection_closes() {
        let start = Instant::now();
        let (mut sessions, peer) = opened(start);
        sessions.declare(&peer, Allegiance::Ours);
        Topic::ALL.into_iter().for_each(|topic| sessions.subscribe(&peer, topic));
        sessions.raise(&peer);
        sessions.open(peer, MEMBER, from(2, Locality::Loopback), Instant::now());
        assert_eq!(sessions.get(&peer).unwrap().locality(), Locality::Loopback);
        let stayed = Duration::from_secs(5);
        assert_eq!(sessions.close(&peer, link(1), start), Closed::Stays);
        assert_eq!(sessions.close(&peer, link(2), start + stayed), Closed::Gone { told: Some(MEMBER), stayed });
        assert_eq!(sessions.close(&peer, link(2), start), Closed::Stays);
    }

    #[test]
    fn the_silent_and_the_refused_are_overdue_in_time() {
        let start = Instant::now();
        let (mut sessions, peer) = opened(start);
        assert_eq!(sessions.overdue(start), vec![]);
        assert_eq!(sessions.overdue(start + INTRODUCTION_WITHIN), vec![peer]);
        let until = start + Duration::from_secs(1);
        sessions.declare(&peer, Allegiance::Refused { until });
        assert_eq!(sessions.overdue(start), vec![]);
        assert_eq!(sessions.overdue(until), vec![peer]);
        sessions.declare(&peer, Allegiance::Ours);
        assert_eq!(sessions.overdue(until), vec![]);
        assert_eq!(sessions.overdue(start + INTRODUCTION_WITHIN), vec![peer], "it follows nothing");
        Topic::ALL.into_iter().for_each(|topic| sessions.subscribe(&peer, topic));
        sessions.raise(&peer);
        assert_eq!(sessions.overdue(start + INTRODUCTION_WITHIN), vec![]);
    }

    #[test]
    fn a_peer_that_has_begun_anew_beside_a_connection_of_its_former_life_is_another() {
        let (mut sessions, peer) = opened(Instant::now());
        sessions.open(peer, MEMBER, from(2, Locality::Remote), Instant::now());
        let said = ["one", "one", "two", "two"].map(|life| sessions.identify(&peer, life));
        assert_eq!(said, [Life::Same, Life::Same, Life::Another, Life::Same]);
    }

    #[test]
    fn two_failed_pings_in_a_row_are_death() {
        let (mut sessions, peer) = opened(Instant::now());
        for (outcome, pulse) in [
            (Ping::Failed, Pulse::Beating),
            (Ping::Answered, Pulse::Beating),
            (Ping::Failed, Pulse::Beating),
            (Ping::Failed, Pulse::Dead),
        ] {
            assert_eq!(sessions.ping(&peer, link(1), outcome), pulse);
        }
    }

    #[test]
    fn the_circle_visits_everybody_who_is_up() {
        let mut sessions = Sessions::default();
        let mut peers: Vec<_> = (0..4).map(|_| PeerId::random()).collect();
        for (number, peer) in peers.iter().enumerate() {
            sessions.open(*peer, MEMBER, from(number, Locality::Remote), Instant::now());
            sessions.declare(peer, Allegiance::Ours);
            Topic::ALL.into_iter().for_each(|topic| sessions.subscribe(peer, topic));
            sessions.raise(peer);
        }
        peers.sort();
        let mut last = None;
        for expected in peers.iter().chain(&peers) {
            last = sessions.next_up(last);
            assert_eq!(last, Some(*expected));
        }
    }
}
