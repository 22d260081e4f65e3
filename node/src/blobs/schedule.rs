//! Which piece to ask of whom: the pure part of fetching.
//!
//! [`Schedule::handle`] takes what happened and returns what to do. It opens no stream and reads no clock.
//!
//! A fetch waits until a provider is known and a place is free, is opened (which tells what is missing), is active
//! until nothing is missing, and is finished. An active fetch whose last provider has gone is closed again and waits.
//! Of the active fetches the one with the fewest flights is served first, so that a large blob never holds up a small
//! one; of its providers the one with the fewest flights is asked, and ties are broken by the node's own salt, so that
//! not every node asks the same member first.
//!
//! A large blob is shared (W25): its providers are surveyed now and then for what they have and for who else fetches it, and
//! these are asked too, before those that have all. The piece that the fewest have comes first, so that all of it is soon
//! with many, and its first holder sends it about once and not to everybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use althing_protocol::{
    ids::{BlobRef, MemberId},
    time::Time,
};

use super::{BlobEvent, wire::Survey};

mod fetch;
mod provider;
mod sharing;
#[cfg(test)]
mod tests;
mod transit;

use fetch::{Fetch, Turn, mix};
use provider::Provider;
pub use transit::Transit;

/// Requests in flight to one provider.
pub(super) const MAX_FLIGHTS_PER_PEER: usize = 4;
/// Requests in flight in all; times 1 MiB this bounds the memory that answers take.
pub(super) const MAX_FLIGHTS: usize = 16;
/// Fetches that are open at once, each with two file handles.
pub(super) const MAX_ACTIVE: usize = 8;
/// Fetches that are known at once, open or waiting.
pub(super) const MAX_FETCHES: usize = 1024;
/// Providers that are remembered for one fetch.
pub(super) const MAX_PROVIDERS: usize = 128;
/// Failures in a row after which a provider is dropped from all fetches.
const MAX_STRIKES: u32 = 4;
/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Doublings of the pause at most: 3.2 s.
const MAX_DOUBLINGS: u32 = 4;

/// One fetch from its start to its end. A blob that is fetched again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FetchId(pub(super) u64);

/// A piece that has been asked of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flight {
    /// For which fetch.
    pub(super) fetch: FetchId,
    /// Which piece.
    pub(super) piece: u32,
    /// Of whom.
    pub(super) member: MemberId,
}

/// How a flight ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The piece is proven and written.
    Landed,
    /// The member does not have the blob.
    Absent,
    /// The member has some of the blob, but not this piece.
    Lacking,
    /// The member has given the piece to this one, and would have it asked there.
    Elsewhere(MemberId),
    /// The member has no time now.
    Busy,
    /// The member sent what is not the blob.
    Forged,
    /// The piece could not be written here.
    Unsaved(String),
}

/// What came of a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// The member has some of it.
    Held(Survey),
    /// The member does not have the blob.
    Absent,
    /// What the member sent is no survey.
    Forged,
}

/// How the link to a member ended. Its flights ended with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// There was nothing to do.
    Idle,
    /// It could not be opened, broke, or was too slow.
    Failed,
}

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Input {
    /// A blob is wanted; these members have it.
    Fetch(BlobRef, Vec<MemberId>),
    /// A member has a blob. Without a fetch of it this means nothing.
    Provider(BlobRef, MemberId),
    /// A blob is wanted no more.
    Cancel(BlobRef),
    /// [`Effect::Open`] was done; these pieces are missing.
    Opened(FetchId, Vec<u32>),
    /// [`Effect::Finish`] was done, or opening found the blob whole.
    Finished(FetchId),
    /// The disk failed under a fetch.
    Broken(FetchId, String),
    /// A flight ended.
    Ended(Flight, Outcome),
    /// A member was surveyed.
    Surveyed(FetchId, MemberId, Found),
    /// A link ended.
    LinkClosed(MemberId, LinkEnd),
    /// The time that [`Schedule::deadline`] named has come.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Open the files of a fetch and say what is missing.
    Open(FetchId, BlobRef),
    /// Ask for a piece.
    Request(Flight),
    /// Ask a member what it has of the blob of a fetch.
    Survey(FetchId, MemberId),
    /// Make the blob whole.
    Finish(FetchId),
    /// Close the files of a fetch.
    Close(FetchId),
    /// Tell the node.
    Report(BlobEvent),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For a provider, or for its turn.
    Waiting,
    /// All its providers have gone, and the node knows.
    Stalled,
    Opening,
    Active,
    Finishing,
}

impl Phase {
    /// Whether a fetch in this phase takes one of the [`MAX_ACTIVE`] places.
    fn has_place(self) -> bool {
        matches!(self, Self::Opening | Self::Active | Self::Finishing)
    }
}

/// What is known of a member, whatever the blob.
#[derive(Debug, Clone, Copy, Default)]
struct Peer {
    flights: usize,
    strikes: u32,
    resume_at: Time,
}

/// The state of all fetches.
#[derive(Debug)]
pub(super) struct Schedule {
    salt: u64,
    hedge_after: Duration,
    next_fetch: u64,
    fetches: BTreeMap<FetchId, Fetch>,
    peers: BTreeMap<MemberId, Peer>,
    /// Members that have lied. There are as many at most as the node has named members.
    banned: BTreeSet<MemberId>,
    flights: BTreeMap<Flight, Time>,
    /// Surveys that are under way.
    surveys: BTreeSet<(FetchId, MemberId)>,
}

impl Schedule {
    /// A schedule without fetches.
    ///
    /// `salt` breaks ties and should differ from node to node. A piece that is in flight for `hedge_after` is asked of
    /// an idle provider as well.
    pub(super) fn new(salt: u64, hedge_after: Duration) -> Self {
        Self {
            salt,
            hedge_after,
            next_fetch: 0,
            fetches: BTreeMap::new(),
            peers: BTreeMap::new(),
            banned: BTreeSet::new(),
            flights: BTreeMap::new(),
            surveys: BTreeSet::new(),
        }
    }

    /// Whether one more blob may be fetched.
    pub(super) fn has_room(&self) -> bool {
        self.fetches.len() < MAX_FETCHES
    }

    /// Takes in what happened at `now` and returns what to do, in order.
    pub(super) fn handle(&mut self, input: Input, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Fetch(blob, providers) => self.add_fetch(blob, providers),
            Input::Provider(blob, member) => self.add_provider(&blob, member),
            Input::Cancel(blob) => {
                if let Some(id) = self.find(&blob) {
                    self.drop_fetch(id, &mut effects);
                }
            }
            Input::Opened(id, missing) => self.activate(id, missing, &mut effects),
            Input::Finished(id) => {
                if let Some(fetch) = self.drop_fetch(id, &mut effects) {
                    effects.push(Effect::Report(BlobEvent::Ready(fetch.blob)));
                }
            }
            Input::Broken(id, reason) => self.fail(id, reason, &mut effects),
            Input::Ended(flight, outcome) => self.end_flight(flight, outcome, now, &mut effects),
            Input::Surveyed(id, member, found) => self.surveyed(id, member, found, now, &mut effects),
            Input::LinkClosed(member, end) => self.close_link(member, end, now, &mut effects),
            Input::Tick => {}
        }
        self.open_waiting(&mut effects);
        // Before the first request: a holder sends those elsewhere that it knows to share.
        self.survey(now, &mut effects);
        self.assign(now, &mut effects);
        self.hedge(now, &mut effects);
        effects
    }

    /// When to call [`Input::Tick`] if nothing happens before: the end of a pause, the age at which a flight is hedged, or
    /// the next survey.
    pub(super) fn deadline(&self, now: Time) -> Option<Time> {
        if self.fetches.is_empty() {
            return None;
        }
        let pauses = self.peers.values().map(|peer| peer.resume_at);
        let hedges = self.flights.values().map(|since| *since + self.hedge_after);
        let surveys = self.awaited_surveys().map(|(_, time)| time);
        let spared = self.fetches.values().flat_map(Fetch::spared_until);
        pauses.chain(hedges).chain(surveys).chain(spared).filter(|time| *time > now).min()
    }

    fn find(&self, blob: &BlobRef) -> Option<FetchId> {
        self.fetches.iter().find(|(_, fetch)| fetch.blob == *blob).map(|(id, _)| *id)
    }

    fn add_fetch(&mut self, blob: BlobRef, providers: Vec<MemberId>) {
        if self.find(&blob).is_none() && self.has_room() {
            self.fetches.insert(FetchId(self.next_fetch), Fetch::new(blob));
            self.next_fetch += 1;
        }
        providers.into_iter().for_each(|member| self.add_provider(&blob, member));
    }

    fn add_provider(&mut self, blob: &BlobRef, member: MemberId) {
        if self.banned.contains(&member) {
            return;
        }
        let Some(id) = self.find(blob) else { return };
        if let Some(fetch) = self.fetches.get_mut(&id).filter(|fetch| fetch.providers.len() < MAX_PROVIDERS) {
            fetch.providers.entry(member).or_insert_with(Provider::named);
            fetch.is_lament_told = false;
            fetch.take_turns(self.salt);
            if fetch.phase == Phase::Stalled {
                fetch.phase = Phase::Waiting;
            }
            self.peers.entry(member).or_default();
        }
    }

    fn remove_provider(&mut self, id: FetchId, member: &MemberId) {
        if let Some(fetch) = self.fetches.get_mut(&id) {
            fetch.providers.remove(member);
        }
        self.take_turns(id);
    }

    fn activate(&mut self, id: FetchId, missing: Vec<u32>, effects: &mut Vec<Effect>) {
        let Some(fetch) = self.fetches.get_mut(&id) else {
            // Cancelled while it was being opened.
            effects.push(Effect::Close(id));
            return;
        };
        fetch.phase = Phase::Active;
        fetch.missing = missing.into_iter().collect();
        fetch.unasked = fetch.missing.iter().map(|piece| fetch.turn(*piece, self.salt)).collect();
        self.review(id, effects);
    }

    /// Finishes a fetch that misses nothing, and closes one that nobody can serve.
    fn review(&mut self, id: FetchId, effects: &mut Vec<Effect>) {
        let in_flight = self.in_flight(id);
        let Some(fetch) = self.fetches.get_mut(&id) else { return };
        if fetch.phase == Phase::Active && fetch.missing.is_empty() {
            fetch.phase = Phase::Finishing;
            effects.push(Effect::Finish(id));
        } else if matches!(fetch.phase, Phase::Active | Phase::Waiting) && fetch.providers.is_empty() && in_flight == 0
        {
            if fetch.phase == Phase::Active {
                effects.push(Effect::Close(id));
            }
            fetch.phase = Phase::Stalled;
            effects.push(Effect::Report(BlobEvent::Stalled(fetch.blob)));
        } else if fetch.phase == Phase::Active && in_flight == 0 && !fetch.is_lament_told && fetch.is_hopeless() {
            // It stays open for those that want what it has, and since they may yet get the rest.
            fetch.is_lament_told = true;
            effects.push(Effect::Report(BlobEvent::Stalled(fetch.blob)));
        }
    }

    fn drop_fetch(&mut self, id: FetchId, effects: &mut Vec<Effect>) -> Option<Fetch> {
        let fetch = self.fetches.remove(&id)?;
        // One that is being opened is closed when `Opened` finds it gone.
        if matches!(fetch.phase, Phase::Active | Phase::Finishing) {
            effects.push(Effect::Close(id));
        }
        let named: BTreeSet<MemberId> =
            self.fetches.values().flat_map(|fetch| fetch.providers.keys()).copied().collect();
        self.peers.retain(|member, peer| peer.flights > 0 || named.contains(member));
        Some(fetch)
    }

    fn fail(&mut self, id: FetchId, reason: String, effects: &mut Vec<Effect>) {
        if let Some(fetch) = self.drop_fetch(id, effects) {
            effects.push(Effect::Report(BlobEvent::Failed { blob: fetch.blob, reason }));
        }
    }

    fn end_flight(&mut self, flight: Flight, outcome: Outcome, now: Time, effects: &mut Vec<Effect>) {
        let Some(begun) = self.land(flight) else { return };
        let Flight { fetch: id, piece, member } = flight;
        match outcome {
            Outcome::Landed => {
                self.peers.entry(member).or_default().strikes = 0;
                if let Some(fetch) = self.fetches.get_mut(&id) {
                    fetch.landed(piece, now.since(begun));
                }
            }
            Outcome::Absent => self.remove_provider(id, &member),
            Outcome::Lacking => self.lacks(id, &member, piece),
            Outcome::Elsewhere(fellow) => {
                self.add_fellow(id, fellow);
                if let Some(fetch) = self.fetches.get_mut(&id) {
                    fetch.spare(piece, member, now);
                }
            }
            Outcome::Busy => self.pause(member, now),
            Outcome::Forged => self.ban(member, id, effects),
            Outcome::Unsaved(reason) => self.fail(id, reason, effects),
        }
        // However it ended, it may have been the last that the fetch could hope for.
        self.review(id, effects);
    }

    /// Takes a flight off the books, and says when it began; its piece is to be asked again unless it has landed or is
    /// still in flight.
    fn land(&mut self, flight: Flight) -> Option<Time> {
        let begun = self.flights.remove(&flight)?;
        if let Some(peer) = self.peers.get_mut(&flight.member) {
            peer.flights = peer.flights.saturating_sub(1);
        }
        let hedged = self.flights_of(flight.fetch).any(|(other, _)| other.piece == flight.piece);
        if let Some(fetch) = self.fetches.get_mut(&flight.fetch)
            && fetch.missing.contains(&flight.piece)
            && !hedged
        {
            let turn = fetch.turn(flight.piece, self.salt);
            fetch.unasked.insert(turn);
        }
        Some(begun)
    }

    fn ban(&mut self, member: MemberId, id: FetchId, effects: &mut Vec<Effect>) {
        self.banned.insert(member);
        if let Some(fetch) = self.fetches.get(&id) {
            effects.push(Effect::Report(BlobEvent::BadProvider { member, blob: fetch.blob }));
        }
        self.drop_provider(member, effects);
    }

    fn close_link(&mut self, member: MemberId, end: LinkEnd, now: Time, effects: &mut Vec<Effect>) {
        let lost: Vec<Flight> = self.flights.keys().filter(|flight| flight.member == member).copied().collect();
        for flight in &lost {
            self.land(*flight);
        }
        if end == LinkEnd::Failed && !self.banned.contains(&member) {
            self.pause(member, now);
            let peer = self.peers.entry(member).or_default();
            if peer.strikes >= MAX_STRIKES {
                *peer = Peer::default();
                self.drop_provider(member, effects);
            }
        }
        self.lose_surveys(member, now);
        let touched: BTreeSet<FetchId> = lost.iter().map(|flight| flight.fetch).collect();
        touched.into_iter().for_each(|id| self.review(id, effects));
    }

    fn pause(&mut self, member: MemberId, now: Time) {
        let peer = self.peers.entry(member).or_default();
        peer.resume_at = now + FIRST_PAUSE * 2_u32.pow(peer.strikes.min(MAX_DOUBLINGS));
        peer.strikes = peer.strikes.saturating_add(1);
    }

    /// Removes a member from every fetch.
    fn drop_provider(&mut self, member: MemberId, effects: &mut Vec<Effect>) {
        let served = self.fetches.iter().filter(|(_, fetch)| fetch.providers.contains_key(&member)).map(|(id, _)| *id);
        let served: Vec<FetchId> = served.collect();
        for id in served {
            self.remove_provider(id, &member);
            self.review(id, effects);
        }
    }

    fn open_waiting(&mut self, effects: &mut Vec<Effect>) {
        let open = self.fetches.values().filter(|fetch| fetch.phase.has_place()).count();
        let waiting =
            self.fetches.iter_mut().filter(|(_, fetch)| fetch.phase == Phase::Waiting && !fetch.providers.is_empty());
        for (id, fetch) in waiting.take(MAX_ACTIVE.saturating_sub(open)) {
            fetch.phase = Phase::Opening;
            effects.push(Effect::Open(*id, fetch.blob));
        }
    }

    fn assign(&mut self, now: Time, effects: &mut Vec<Effect>) {
        while self.flights.len() < MAX_FLIGHTS {
            let Some(flight) = self.next_flight(now) else { return };
            if let Some(fetch) = self.fetches.get_mut(&flight.fetch) {
                fetch.asked(flight.piece);
            }
            self.take_off(flight, now, effects);
        }
    }

    /// The next piece to ask for, and of whom.
    fn next_flight(&self, now: Time) -> Option<Flight> {
        let active = self.fetches.iter().filter(|(_, fetch)| fetch.phase == Phase::Active);
        let flights = active.filter_map(|(id, fetch)| {
            let (piece, member) = self.next_piece(fetch, now)?;
            Some(Flight { fetch: *id, piece, member })
        });
        flights.min_by_key(|flight| (self.in_flight(flight.fetch), flight.fetch))
    }

    /// The first piece in turn that somebody has who is free, and who that is.
    fn next_piece(&self, fetch: &Fetch, now: Time) -> Option<(u32, MemberId)> {
        let is_free = |member: &MemberId| self.is_free(member, MAX_FLIGHTS_PER_PEER, now);
        let free: Vec<_> = fetch.providers.iter().filter(|(member, _)| is_free(member)).collect();
        if free.is_empty() {
            return None;
        }
        fetch.unasked.iter().find_map(|&Turn { piece, .. }| {
            let holders = free.iter().filter(|(member, provider)| fetch.may_ask(member, provider, piece, now));
            let (member, _) =
                holders.min_by_key(|(member, provider)| (!provider.has_part(), self.rank(member, piece)))?;
            Some((piece, **member))
        })
    }

    /// Asks idle providers for pieces that have been in flight for long.
    fn hedge(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let late = self.flights.iter().filter(|(_, since)| **since + self.hedge_after <= now);
        let late: Vec<Flight> = late.map(|(flight, _)| *flight).collect();
        for flight in late {
            if self.flights.len() >= MAX_FLIGHTS {
                return;
            }
            let alone = self.flights_of(flight.fetch).filter(|(other, _)| other.piece == flight.piece).count() == 1;
            let Some(fetch) = self.fetches.get(&flight.fetch).filter(|fetch| fetch.missing.contains(&flight.piece))
            else {
                continue;
            };
            let holders = fetch.providers.iter().filter(|(_, provider)| provider.has(flight.piece));
            let idle = holders.map(|(member, _)| member).filter(|member| self.is_free(member, 1, now));
            let second = idle.min_by_key(|member| self.rank(member, flight.piece)).copied();
            if let (true, Some(member)) = (alone, second) {
                self.take_off(Flight { member, ..flight }, now, effects);
            }
        }
    }

    fn take_off(&mut self, flight: Flight, now: Time, effects: &mut Vec<Effect>) {
        self.peers.entry(flight.member).or_default().flights += 1;
        self.flights.insert(flight, now);
        effects.push(Effect::Request(flight));
    }

    fn is_free(&self, member: &MemberId, max_flights: usize, now: Time) -> bool {
        self.peers.get(member).is_none_or(|peer| peer.flights < max_flights && peer.resume_at <= now)
    }

    /// Flights first, then an order of this node's own that differs from piece to piece.
    fn rank(&self, member: &MemberId, piece: u32) -> (usize, u64) {
        let flights = self.peers.get(member).map_or(0, |peer| peer.flights);
        let start: [u8; 8] = std::array::from_fn(|i| member.as_bytes()[i]);
        (flights, mix((u64::from_le_bytes(start) ^ self.salt).wrapping_add(u64::from(piece))))
    }

    fn flights_of(&self, id: FetchId) -> impl Iterator<Item = (&Flight, &Time)> {
        let lowest = Flight { fetch: id, piece: 0, member: MemberId([0; 32]) };
        self.flights.range(lowest..).take_while(move |(flight, _)| flight.fetch == id)
    }

    fn in_flight(&self, id: FetchId) -> usize {
        self.flights_of(id).count()
    }
}
