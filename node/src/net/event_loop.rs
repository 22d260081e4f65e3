//! The one task that owns the swarm.

mod commands;
mod links;
mod messages;
mod reach;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::{Duration, Instant},
};

use althing_protocol::ids::MemberId;
use libp2p::{
    Multiaddr, PeerId, Swarm, core::transport::PortUse, futures::StreamExt, gossipsub::TopicHash, metrics::Registry,
    request_response::OutboundRequestId, swarm::dial_opts::DialOpts,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    behaviour::Behaviour,
    bootstrap::Bootstrap,
    config::{Admission, Door, NetConfig},
    handle::{Command, RequestError, Stats},
    limits::{Bans, Excess, Meters},
    outbox::Outbox,
    peers::AddressBook,
    protocols::Protocols,
    sessions::Sessions,
    topic::Topic,
};

use self::reach::Reach;

/// Time between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);

/// Ticks between two looks at rates and scores.
const TICKS_PER_CENSUS: u32 = 10;

/// Time that closing all connections may take at the end.
const SHUTDOWN_WITHIN: Duration = Duration::from_millis(500);

/// Gap to the next question for peers after something changed. It doubles while nothing does.
const PULL_FIRST: Duration = Duration::from_millis(200);

/// Longest gap between two questions for peers.
const PULL_MAX: Duration = Duration::from_secs(30);

/// The same while somebody is missing: whoever has come back elsewhere may be known to the next who is asked.
const PULL_MAX_MISSING: Duration = Duration::from_secs(5);

/// When to ask whom for more peers.
#[derive(Debug)]
struct Pulls {
    next: Instant,
    gap: Duration,
    last: Option<PeerId>,
}

impl Pulls {
    fn new(now: Instant) -> Self {
        Self { next: now + PULL_FIRST, gap: PULL_FIRST, last: None }
    }

    /// Something changed: ask again soon, since others change too.
    fn hurry(&mut self, now: Instant) {
        self.gap = PULL_FIRST;
        self.next = self.next.min(now + self.gap);
    }

    /// Whether to ask now. The next time comes later, but not later than `longest` from now.
    fn is_due(&mut self, longest: Duration, now: Instant) -> bool {
        self.next = self.next.min(now + longest);
        let due = self.next <= now;
        if due {
            self.gap = (self.gap * 2).min(longest);
            self.next = now + self.gap;
        }
        due
    }
}

/// The network's ends of its channels.
pub(super) struct Ends {
    /// What the node asks for.
    pub(super) commands: mpsc::Receiver<Command>,
    /// What the node is told.
    pub(super) outbox: Outbox,
    /// What the relay is told of who is admitted.
    pub(super) admitted: watch::Sender<Admission>,
}

/// Who waits for the answers to which of our questions, of one protocol.
type Waiting = HashMap<OutboundRequestId, oneshot::Sender<Result<Vec<u8>, RequestError>>>;

/// The swarm and everything that is remembered about peers.
pub(super) struct Actor {
    swarm: Swarm<Behaviour>,
    registry: Registry,
    commands: mpsc::Receiver<Command>,
    outbox: Outbox,
    protocols: Protocols,
    topics: HashMap<TopicHash, Topic>,
    admission: Admission,
    admitted: watch::Sender<Admission>,
    door: Door,
    max_peers: usize,
    bootstrap: Bootstrap,
    book: AddressBook,
    sessions: Sessions,
    reach: Reach,
    meters: Meters,
    /// Whether the node has taken all that came since the last census.
    has_kept_up: bool,
    bans: Bans,
    /// Strangers that may knock for a moment, and where they listen.
    at_the_door: BTreeMap<PeerId, Vec<Multiaddr>>,
    /// Refused peers that the node was told of.
    refused: BTreeSet<PeerId>,
    waiting: Waiting,
    /// Knocks of ours that wait for answers.
    knocking: Waiting,
    pulls: Pulls,
    stats: Stats,
}

impl Actor {
    /// The task around `swarm`, which counts its traffic in `registry`.
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        registry: Registry,
        ends: Ends,
        protocols: Protocols,
        config: NetConfig,
    ) -> Self {
        let now = Instant::now();
        Self {
            book: AddressBook::new(*swarm.local_peer_id()),
            swarm,
            registry,
            commands: ends.commands,
            outbox: ends.outbox,
            topics: Topic::ALL.into_iter().map(|topic| (protocols.topic(topic).hash(), topic)).collect(),
            protocols,
            admission: config.admission,
            admitted: ends.admitted,
            door: config.door,
            max_peers: usize::try_from(config.max_peers).unwrap_or(usize::MAX),
            bootstrap: Bootstrap::new(config.bootstrap, now),
            sessions: Sessions::default(),
            reach: Reach::new(config.relay, config.direct_within, config.external),
            meters: Meters::default(),
            has_kept_up: true,
            bans: Bans::default(),
            at_the_door: BTreeMap::new(),
            refused: BTreeSet::new(),
            waiting: Waiting::new(),
            knocking: Waiting::new(),
            pulls: Pulls::new(now),
            stats: Stats::default(),
        }
    }

    /// Runs until the node asks for the end or drops all its ends.
    pub(super) async fn run(mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut until_census = TICKS_PER_CENSUS;
        let done = loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown { done }) => break Some(done),
                    Some(command) => self.on_command(command),
                    None => break None,
                },
                delivered = self.outbox.deliver(), if !self.outbox.is_empty() => {
                    if delivered.is_err() {
                        break None;
                    }
                }
                _ = ticks.tick() => {
                    self.look_at_peers();
                    until_census -= 1;
                    if until_census == 0 {
                        until_census = TICKS_PER_CENSUS;
                        self.take_census();
                    }
                }
            }
        };
        // Peers that are told goodbye notice at once; those that are not find out by themselves.
        let _ = timeout(SHUTDOWN_WITHIN, self.close_all()).await;
        drop(self);
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    async fn close_all(&mut self) {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        while self.swarm.connected_peers().next().is_some() {
            self.swarm.next().await;
        }
    }

    /// Does what has become due: dials, questions, farewells.
    fn look_at_peers(&mut self) {
        let now = Instant::now();
        for peer in self.sessions.overdue(now) {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let longest = if self.is_somebody_missing() { PULL_MAX_MISSING } else { PULL_MAX };
        if self.pulls.is_due(longest, now) {
            self.pulls.last = self.sessions.next_up(self.pulls.last);
            if let Some(peer) = self.pulls.last {
                self.ask_for_peers(peer);
            }
        }
        self.look_at_reach(now);
        self.dial_due(now);
    }

    /// Whether a member is not connected for whom there is room.
    fn is_somebody_missing(&self) -> bool {
        let Admission::MembersOnly(members) = &self.admission else { return false };
        // This node is one of them.
        self.sessions.len() < self.max_peers && self.sessions.len() + 1 < members.len()
    }

    /// Forgives, forgets, and passes on to gossip what it must know of those who said too much.
    fn take_census(&mut self) {
        let now = Instant::now();
        // A busy machine reads slowly, and a flood must not hide behind that: it is what the machine is busy with.
        let heaviest = self.meters.heaviest();
        if let (Some((peer, count)), false) = (heaviest, std::mem::replace(&mut self.has_kept_up, true)) {
            self.exceeds(peer, Excess::Messages(count), now);
        }
        for (peer, points) in self.meters.penalties(now) {
            self.swarm.behaviour_mut().gossip.set_application_score(&peer, points);
        }
        self.meters.forget(now);
        for peer in self.bans.lift(now) {
            let behaviour = self.swarm.behaviour_mut();
            behaviour.blocked.unblock_peer(peer);
            behaviour.gossip.remove_blacklisted_peer(&peer);
        }
    }

    /// Dials whoever is due: the configured addresses first, then the members in the book.
    fn dial_due(&mut self, now: Instant) {
        for (address, failures) in self.bootstrap.due(|peer| self.sessions.contains(peer), now) {
            self.dial_from(self.reach.port(failures), address, now);
        }
        let room = self.max_peers.saturating_sub(self.sessions.len());
        let (sessions, admission, bans) = (&self.sessions, &self.admission, &self.bans);
        let wanted = |peer: &PeerId, member: &MemberId| {
            room > 0 && !sessions.contains(peer) && !bans.contains(peer) && admission.admits(member)
        };
        for (peer, mut addresses) in self.book.due(wanted, now).into_iter().take(room) {
            addresses.retain(|address| self.reach.can_dial(address));
            // A shared source port would make two peers that dial each other meet on one pair of ports, where TCP sees
            // a single connection with two initiators. So every dial takes a port of its own.
            let options = DialOpts::peer_id(peer)
                .condition(reach::condition(&addresses))
                .addresses(addresses)
                .allocate_new_port()
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "not dialled");
            }
        }
    }

    /// Dials an address without knowing who is there.
    fn dial(&mut self, address: Multiaddr, now: Instant) {
        self.dial_from(PortUse::New, address, now);
    }

    /// Dials an address without knowing who is there, from a port of its own or from the one that we listen at.
    fn dial_from(&mut self, port: PortUse, address: Multiaddr, now: Instant) {
        let options = DialOpts::unknown_peer_id().address(address.clone());
        let options = match port {
            PortUse::New => options.allocate_new_port().build(),
            PortUse::Reuse => options.build(),
        };
        let connection = options.connection_id();
        self.bootstrap.dialling(&address, connection);
        if let Err(error) = self.swarm.dial(options) {
            self.on_dial_failed(connection, &error, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it is asked for peers in so many seconds, looked at ten times a second.
    fn asked(pulls: &mut Pulls, longest: Duration, start: Instant, seconds: u64) -> usize {
        (0..seconds * 10).filter(|tenth| pulls.is_due(longest, start + Duration::from_millis(100 * tenth))).count()
    }

    #[test]
    fn questions_become_rare_where_nothing_changes_and_come_soon_when_somebody_is_lost() {
        let start = Instant::now();
        let mut pulls = Pulls::new(start);
        asked(&mut pulls, PULL_MAX, start, 300);
        let later = start + Duration::from_secs(300);
        assert!(asked(&mut pulls, PULL_MAX, later, 60) <= 2, "all are here");
        let missed = later + Duration::from_secs(60);
        assert!(asked(&mut pulls, PULL_MAX_MISSING, missed, 60) >= 11, "somebody is missing");
        pulls.hurry(missed + Duration::from_secs(60));
        assert!(asked(&mut pulls, PULL_MAX_MISSING, missed + Duration::from_secs(60), 2) >= 3);
    }
}
