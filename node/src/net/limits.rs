//! How much a peer may say, and what becomes of those that say too much or say it wrong.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use libp2p::PeerId;

/// Messages per second of one author that one neighbour may bring, in the long run.
///
/// A round is some twenty messages of each member, and with a small model on one machine it can be over in 40 ms: twice
/// that much must not count as a flood, since a member that is ignored holds all others up.
pub const GOSSIP_PER_SECOND: f64 = 1_000.0;

/// Messages of one author that one neighbour may bring at once.
pub(super) const GOSSIP_BURST: f64 = 2_000.0;

/// Bytes per second of one author that one neighbour may bring, in the long run.
const GOSSIP_BYTES_PER_SECOND: f64 = 4.0 * 1024.0 * 1024.0;

/// Bytes of one author that one neighbour may bring at once.
const GOSSIP_BYTES_BURST: f64 = 16.0 * 1024.0 * 1024.0;

/// Requests per second of one peer, in the long run.
const REQUESTS_PER_SECOND: f64 = 100.0;

/// Requests of one peer at once.
const REQUESTS_BURST: f64 = 200.0;

/// Pairs of neighbour and author that are metered at once; messages of further pairs are ignored.
const FLOWS_MAX: usize = 4096;

/// Rejected messages, forgiven ones not counted, that ban the neighbour which brought them.
pub const REJECTS_BEFORE_BAN: u32 = 10;

/// Time in which one rejected message is forgiven.
const REJECT_FORGIVEN: Duration = Duration::from_secs(60);

/// Time for which a banned peer stays blocked.
pub const BAN_FOR: Duration = Duration::from_secs(600);

/// Excess messages that are forgiven per second; each of the others takes a point off the gossip score.
const EXCESS_FORGIVEN_PER_SECOND: f64 = 20.0;

/// Most points that excess takes: enough for gossip to ignore the peer altogether, and forgiven within seconds.
const EXCESS_MAX: f64 = 100.0;

/// Excess that makes a flood, gossip and requests together: the peer is cut off. An honest node that was held up for
/// seconds says all at once what it had to say, which is less than a burst. Gossip ignores a peer for a second or two
/// long before, and what it ignores is not counted, so this may not be much more.
const FLOOD: f64 = 400.0;

/// What a request above its rate counts for: whoever catches up may ask quickly for a while.
const REQUEST_EXCESS: f64 = 0.1;

/// Excess per second that never makes a flood.
const FLOOD_FORGIVEN_PER_SECOND: f64 = 50.0;

/// Messages by which a peer can be what keeps this node from keeping up, from one census to the next.
const MUCH: u32 = 300;

/// Reports that a peer lets messages pile up, forgiven ones not counted, after which it is cut off: some ten seconds of
/// them in a row. It may come back at once, and catches up then.
const SLOW: f64 = 10.0;

/// Such reports per second that are forgiven.
const SLOW_FORGIVEN_PER_SECOND: f64 = 0.2;

/// A counter that leaks: `level` units now, losing `per_second`.
#[derive(Debug, Clone, Copy)]
struct Leaky {
    level: f64,
    at: Instant,
}

impl Leaky {
    fn new(now: Instant) -> Self {
        Self { level: 0.0, at: now }
    }

    /// The level now.
    fn level(&mut self, per_second: f64, now: Instant) -> f64 {
        let leaked = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        self.level = (self.level - leaked).max(0.0);
        self.at = now;
        self.level
    }

    /// Pours `amount` in, unless that would rise above `brim`.
    fn pour(&mut self, amount: f64, per_second: f64, brim: f64, now: Instant) -> Pour {
        if self.level(per_second, now) + amount > brim {
            return Pour::Spilt;
        }
        self.level += amount;
        Pour::Held
    }
}

/// Whether a counter could hold what was poured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pour {
    /// Within the rate.
    Held,
    /// Above the rate.
    Spilt,
}

/// What was above a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// So many messages.
    Messages(u32),
    /// A request, of whatever kind, or a stream.
    Request,
}

/// What one neighbour brings of one author.
#[derive(Debug)]
struct Flow {
    messages: Leaky,
    bytes: Leaky,
}

/// What one peer is blamed for.
#[derive(Debug)]
struct Blame {
    rejects: Leaky,
    excess: Leaky,
    flood: Leaky,
    slow: Leaky,
}

/// The rates of all peers.
///
/// Messages are metered by neighbour and author together: an author that floods us pays itself, and a neighbour that
/// replays old messages of another cannot use up what that one may say through everybody else.
#[derive(Debug, Default)]
pub(super) struct Meters {
    flows: HashMap<(PeerId, PeerId), Flow>,
    requests: HashMap<PeerId, Leaky>,
    /// Messages that each peer has brought of its own since the last census.
    brought: HashMap<PeerId, u32>,
    blame: BTreeMap<PeerId, Blame>,
}

impl Meters {
    /// Counts a message of `len` bytes by `author` that `via` brought.
    pub(super) fn gossip(&mut self, via: PeerId, author: PeerId, len: usize, now: Instant) -> Pour {
        if self.flows.len() >= FLOWS_MAX && !self.flows.contains_key(&(via, author)) {
            return Pour::Spilt;
        }
        if via == author {
            *self.brought.entry(via).or_default() += 1;
        }
        let fresh = || Flow { messages: Leaky::new(now), bytes: Leaky::new(now) };
        let flow = self.flows.entry((via, author)).or_insert_with(fresh);
        let bytes = flow.bytes.pour(len as f64, GOSSIP_BYTES_PER_SECOND, GOSSIP_BYTES_BURST, now);
        if bytes == Pour::Spilt {
            return Pour::Spilt;
        }
        flow.messages.pour(1.0, GOSSIP_PER_SECOND, GOSSIP_BURST, now)
    }

    /// Begins to count anew what each peer brings, and returns who has brought most of it, if that was much.
    pub(super) fn heaviest(&mut self) -> Option<(PeerId, u32)> {
        let brought = std::mem::take(&mut self.brought);
        let all: u32 = brought.values().sum();
        brought.into_iter().find(|(_, count)| *count >= MUCH && 2 * count > all)
    }

    /// Counts a request of `peer`.
    pub(super) fn request(&mut self, peer: PeerId, now: Instant) -> Pour {
        let requests = self.requests.entry(peer).or_insert_with(|| Leaky::new(now));
        requests.pour(1.0, REQUESTS_PER_SECOND, REQUESTS_BURST, now)
    }

    /// Blames `peer` for what was above its rate. Returns whether it may still stay.
    pub(super) fn exceed(&mut self, peer: PeerId, excess: Excess, now: Instant) -> Pour {
        let amount = match excess {
            Excess::Messages(count) => f64::from(count),
            Excess::Request => REQUEST_EXCESS,
        };
        let blame = self.blame_of(peer, now);
        // Beyond the most points that are ever taken off a score, further excess takes none.
        let _ = blame.excess.pour(amount, EXCESS_FORGIVEN_PER_SECOND, EXCESS_MAX, now);
        blame.flood.pour(amount, FLOOD_FORGIVEN_PER_SECOND, FLOOD, now)
    }

    /// Counts a report that `peer` takes messages more slowly than they come. Returns whether it may still stay.
    pub(super) fn lag(&mut self, peer: PeerId, now: Instant) -> Pour {
        let slow = &mut self.blame_of(peer, now).slow;
        let poured = slow.pour(1.0, SLOW_FORGIVEN_PER_SECOND, SLOW, now);
        if poured == Pour::Spilt {
            // It is cut off, and begins anew.
            *slow = Leaky::new(now);
        }
        poured
    }

    /// Blames `peer` for a wrong message. Returns whether it may still stay.
    pub(super) fn reject(&mut self, peer: PeerId, now: Instant) -> Pour {
        let per_second = 1.0 / REJECT_FORGIVEN.as_secs_f64();
        let brim = f64::from(REJECTS_BEFORE_BAN) - 1.0;
        self.blame_of(peer, now).rejects.pour(1.0, per_second, brim, now)
    }

    /// What excess takes off the gossip score of each peer that is to blame, in points.
    pub(super) fn penalties(&mut self, now: Instant) -> Vec<(PeerId, f64)> {
        let excess = |blame: &mut Blame| blame.excess.level(EXCESS_FORGIVEN_PER_SECOND, now);
        self.blame.iter_mut().map(|(peer, blame)| (*peer, -excess(blame))).collect()
    }

    /// Forgets what has leaked away, so that memory is bounded by what is going on.
    pub(super) fn forget(&mut self, now: Instant) {
        self.flows.retain(|_, flow| {
            flow.messages.level(GOSSIP_PER_SECOND, now) > 0.0 || flow.bytes.level(GOSSIP_BYTES_PER_SECOND, now) > 0.0
        });
        self.requests.retain(|_, requests| requests.level(REQUESTS_PER_SECOND, now) > 0.0);
        let per_second = 1.0 / REJECT_FORGIVEN.as_secs_f64();
        self.blame.retain(|_, blame| {
            blame.rejects.level(per_second, now) > 0.0
                || blame.excess.level(EXCESS_FORGIVEN_PER_SECOND, now) > 0.0
                || blame.flood.level(FLOOD_FORGIVEN_PER_SECOND, now) > 0.0
                || blame.slow.level(SLOW_FORGIVEN_PER_SECOND, now) > 0.0
        });
    }

    fn blame_of(&mut self, peer: PeerId, now: Instant) -> &mut Blame {
        self.blame.entry(peer).or_insert_with(|| {
            let empty = Leaky::new(now);
            Blame { rejects: empty, excess: empty, flood: empty, slow: empty }
        })
    }
}

/// Who is banned, and until when.
#[derive(Debug, Default)]
pub(super) struct Bans(BTreeMap<PeerId, Instant>);

impl Bans {
    /// Bans `peer` from now on.
    pub(super) fn ban(&mut self, peer: PeerId, now: Instant) {
        self.0.insert(peer, now + BAN_FOR);
    }

    /// Whether `peer` is banned.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Ends the bans that are over, and says whose they were.
    pub(super) fn lift(&mut self, now: Instant) -> Vec<PeerId> {
        let over: Vec<_> = self.0.iter().filter(|(_, until)| **until <= now).map(|(peer, _)| *peer).collect();
        over.iter().for_each(|peer| {
            self.0.remove(peer);
        });
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_passes_its_burst_and_then_its_rate() {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let (via, author) = (PeerId::random(), PeerId::random());
        let passed =
            |meters: &mut Meters, now| (0..5000).filter(|_| meters.gossip(via, author, 100, now) == Pour::Held).count();
        assert_eq!(passed(&mut meters, start), 2_000);
        assert_eq!(passed(&mut meters, start + Duration::from_secs(1)), 1_000);
        assert_eq!(meters.gossip(PeerId::random(), author, 100, start), Pour::Held, "others may still bring its words");
    }

    #[test]
    fn bodies_are_bounded_by_their_bytes() {
        let (mut meters, now) = (Meters::default(), Instant::now());
        let (via, author) = (PeerId::random(), PeerId::random());
        let held = (0..100).filter(|_| meters.gossip(via, author, 1024 * 1024, now) == Pour::Held).count();
        assert_eq!(held, 16);
    }

    #[test]
    fn pairs_are_bounded_and_forgotten() {
        let (mut meters, now) = (Meters::default(), Instant::now());
        let held =
            (0..FLOWS_MAX + 10).filter(|_| meters.gossip(PeerId::random(), PeerId::random(), 1, now) == Pour::Held);
        assert_eq!(held.count(), FLOWS_MAX);
        let later = now + Duration::from_secs(60);
        meters.forget(later);
        assert_eq!(meters.gossip(PeerId::random(), PeerId::random(), 1, later), Pour::Held);
    }

    #[test]
    fn the_tenth_reject_in_a_row_is_one_too_many_and_slow_ones_are_forgiven() {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let (peer, other) = (PeerId::random(), PeerId::random());
        let held = (0..9).all(|_| meters.reject(peer, start) == Pour::Held);
        assert!(held);
        assert_eq!(meters.reject(peer, start), Pour::Spilt);
        let patient = (0..100).all(|minute| meters.reject(other, start + REJECT_FORGIVEN * minute) == Pour::Held);
        assert!(patient);
    }

    #[test]
    fn excess_costs_points_and_is_forgiven() {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let peer = PeerId::random();
        assert!((0..300).all(|_| meters.exceed(peer, Excess::Messages(1), start) == Pour::Held));
        assert_eq!(meters.penalties(start), vec![(peer, -100.0)]);
        assert_eq!(meters.penalties(start + Duration::from_secs(20)), vec![(peer, 0.0)]);
    }

    #[test]
    fn ten_thousand_messages_a_second_are_a_flood_within_a_second_and_a_held_up_peer_makes_none() {
        let (mut meters, start) = (Meters::default(), Instant::now());
        let (flooder, held_up) = (PeerId::random(), PeerId::random());
        let stays = |meters: &mut Meters, peer, now| {
            meters.gossip(peer, peer, 100, now) == Pour::Held
                || meters.exceed(peer, Excess::Messages(1), now) == Pour::Held
        };
        let at = |tenths: u32| start + Duration::from_micros(100) * tenths;
        let cut_off = (0..100_000).find(|tenths| !stays(&mut meters, flooder, at(*tenths)));
        assert!(cut_off.is_some_and(|tenths| tenths < 10_000), "{cut_off:?} tenths of a millisecond");
        // Two hundred messages a second, nine seconds of which come at once, again and again.
        for burst in 1..100 {
            let now = start + Duration::from_secs(9) * burst;
            assert!((0..1_800).all(|_| stays(&mut meters, held_up, now)), "burst {burst}");
        }
    }

    #[test]
    fn who_brings_most_is_known_only_if_it_is_much() {
        let (mut meters, now) = (Meters::default(), Instant::now());
        let [quiet, loud, louder] = [0; 3].map(|_| PeerId::random());
        let bring =
            |meters: &mut Meters, peer, count| (0..count).all(|_| meters.gossip(peer, peer, 1, now) == Pour::Held);
        for (of_loud, of_louder, heaviest) in [
            (0, MUCH - 1, None),
            (0, MUCH, Some((louder, MUCH))),
            (MUCH, MUCH, None),
            (MUCH, 2 * MUCH, Some((louder, 2 * MUCH))),
        ] {
            bring(&mut meters, quiet, 1);
            bring(&mut meters, loud, of_loud);
            bring(&mut meters, louder, of_louder);
            assert_eq!(meters.heaviest(), heaviest, "{of_loud} and {of_louder}");
        }
        assert_eq!(meters.heaviest(), None, "counted anew");
    }

    #[test]
    fn a_ban_ends() {
        let (mut bans, start) = (Bans::default(), Instant::now());
        let peer = PeerId::random();
        bans.ban(peer, start);
        assert_eq!(bans.lift(start + BAN_FOR / 2), vec![]);
        assert!(bans.contains(&peer));
        assert_eq!(bans.lift(start + BAN_FOR), vec![peer]);
        assert!(!bans.contains(&peer));
    }
}
