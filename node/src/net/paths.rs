//! By which way each peer is reached: directly, through a relay, or both while one takes over from the other (W24).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use libp2p::{PeerId, swarm::ConnectionId};

use super::address::Route;

/// Time for which a relayed connection outlives the coming of a direct one: what is on its way arrives.
const TAKEOVER: Duration = Duration::from_secs(1);

/// The connections to one peer.
#[derive(Debug)]
struct Path {
    direct: BTreeSet<ConnectionId>,
    relayed: BTreeSet<ConnectionId>,
    /// Since when it is reached as it is.
    since: Instant,
    hope: Hope,
}

/// Whether a peer that is reached through a relay may yet be reached directly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hope {
    Alive,
    Gone,
}

impl Path {
    fn new(now: Instant) -> Self {
        Self { direct: BTreeSet::new(), relayed: BTreeSet::new(), since: now, hope: Hope::Alive }
    }

    fn is_relayed_only(&self) -> bool {
        self.direct.is_empty() && !self.relayed.is_empty()
    }
}

/// What a change of connections means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The way to the peer is the same as before, or the first there is.
    Same,
    /// The peer is reached through a relay and not otherwise.
    Relayed,
    /// A direct connection has come beside the relayed one.
    Direct {
        /// How long it took.
        after: Duration,
    },
}

/// What is to be done about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The relayed connection is of no use any more.
    Close(ConnectionId),
    /// No direct connection has come about.
    GiveUp(PeerId),
}

/// The ways to all connected peers.
#[derive(Debug)]
pub(super) struct Paths {
    peers: BTreeMap<PeerId, Path>,
    /// Time in which a peer that is reached through a relay is to be reached directly.
    direct_within: Duration,
}

impl Paths {
    /// No ways yet.
    pub(super) fn new(direct_within: Duration) -> Self {
        Self { peers: BTreeMap::new(), direct_within }
    }

    /// A connection to `peer` was made.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, route: Route, now: Instant) -> Turn {
        let path = self.peers.entry(peer).or_insert_with(|| Path::new(now));
        let was_relayed = path.is_relayed_only();
        match route {
            Route::Direct => path.direct.insert(connection),
            Route::Relayed => path.relayed.insert(connection),
        };
        match (was_relayed, path.is_relayed_only()) {
            (false, true) => Turn::Relayed,
            (true, false) => {
                let after = now.saturating_duration_since(path.since);
                (path.since, path.hope) = (now, Hope::Alive);
                Turn::Direct { after }
            }
            _ => Turn::Same,
        }
    }

    /// A connection to `peer` was closed.
    pub(super) fn close(&mut self, peer: &PeerId, connection: ConnectionId, now: Instant) {
        let Some(path) = self.peers.get_mut(peer) else { return };
        let was_direct = path.direct.remove(&connection);
        path.relayed.remove(&connection);
        if path.direct.is_empty() && path.relayed.is_empty() {
            self.peers.remove(peer);
        } else if was_direct && path.is_relayed_only() {
            path.since = now;
        }
    }

    /// What has become due. Whoever is given up is named once, as long as it stays.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (peer, path) in self.peers.iter_mut().filter(|(_, path)| !path.relayed.is_empty()) {
            let lasted = now.saturating_duration_since(path.since);
            if path.is_relayed_only() {
                if path.hope == Hope::Alive && lasted >= self.direct_within {
                    path.hope = Hope::Gone;
                    due.push(Due::GiveUp(*peer));
                }
            } else if lasted >= TAKEOVER {
                due.extend(path.relayed.iter().map(|connection| Due::Close(*connection)));
            }
        }
        due
    }

    /// Whether `peer` is reached through a relay and not otherwise.
    pub(super) fn is_relayed(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(Path::is_relayed_only)
    }

    /// How many are.
    pub(super) fn relayed(&self) -> usize {
        self.peers.values().filter(|path| path.is_relayed_only()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT_WITHIN: Duration = Duration::from_secs(30);

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    #[test]
    fn a_direct_connection_takes_over_from_a_relayed_one() {
        let (mut paths, peer, start) = (Paths::new(DIRECT_WITHIN), PeerId::random(), Instant::now());
        assert_eq!(paths.open(peer, connection(1), Route::Relayed, start), Turn::Relayed);
        assert!(paths.is_relayed(&peer));
        let later = start + Duration::from_secs(2);
        let turn = paths.open(peer, connection(2), Route::Direct, later);
        assert_eq!(turn, Turn::Direct { after: Duration::from_secs(2) });
        assert_eq!(paths.relayed(), 0);
        assert_eq!(paths.due(later), vec![], "what is on its way arrives");
        assert_eq!(paths.due(later + TAKEOVER), vec![Due::Close(connection(1))]);
        paths.close(&peer, connection(1), later);
        assert_eq!(paths.due(later + DIRECT_WITHIN), vec![]);
        assert_eq!(paths.open(peer, connection(3), Route::Direct, later), Turn::Same);
    }

    #[test]
    fn who_stays_behind_a_relay_is_given_up_once() {
        let (mut paths, peer, start) = (Paths::new(DIRECT_WITHIN), PeerId::random(), Instant::now());
        paths.open(peer, connection(1), Route::Relayed, start);
        assert_eq!(paths.due(start), vec![]);
        assert_eq!(paths.due(start + DIRECT_WITHIN), vec![Due::GiveUp(peer)]);
        assert_eq!(paths.due(start + DIRECT_WITHIN * 2), vec![]);
        assert_eq!(paths.relayed(), 1);
        paths.close(&peer, connection(1), start);
        assert_eq!(paths.relayed(), 0);
    }

    #[test]
    fn a_relay_is_of_no_use_where_there_is_a_direct_way() {
        let (mut paths, peer, start) = (Paths::new(DIRECT_WITHIN), PeerId::random(), Instant::now());
        assert_eq!(paths.open(peer, connection(1), Route::Direct, start), Turn::Same);
        assert_eq!(paths.open(peer, connection(2), Route::Relayed, start), Turn::Same);
        assert_eq!(paths.due(start + TAKEOVER), vec![Due::Close(connection(2))]);
        paths.close(&peer, connection(1), start + TAKEOVER);
        assert!(paths.is_relayed(&peer), "it is better than none");
    }
}
