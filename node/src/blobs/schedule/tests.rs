use althing_protocol::ids::Hash;
use proptest::prelude::*;

use super::*;
use crate::blobs::pieces::Pieces;

const HEDGE: Duration = Duration::from_secs(2);
const A: MemberId = MemberId([1; 32]);
const B: MemberId = MemberId([2; 32]);
const F0: FetchId = FetchId(0);
const F1: FetchId = FetchId(1);

fn blob(n: u8) -> BlobRef {
    BlobRef::of(&[n])
}

fn flight(fetch: FetchId, piece: u32, member: MemberId) -> Flight {
    Flight { fetch, piece, member }
}

fn request(fetch: FetchId, piece: u32, member: MemberId) -> Effect {
    Effect::Request(flight(fetch, piece, member))
}

fn ended(fetch: FetchId, piece: u32, member: MemberId, outcome: Outcome) -> Input {
    Input::Ended(flight(fetch, piece, member), outcome)
}

struct Step {
    desc: &'static str,
    at_ms: u64,
    input: Input,
    effects: Vec<Effect>,
}

fn step(desc: &'static str, at_ms: u64, input: Input, effects: impl Into<Vec<Effect>>) -> Step {
    Step { desc, at_ms, input, effects: effects.into() }
}

fn run(steps: impl IntoIterator<Item = Step>) -> Schedule {
    let mut schedule = Schedule::new(0, HEDGE);
    for step in steps {
        let effects = schedule.handle(step.input, Time(step.at_ms));
        assert_eq!(effects, step.effects, "{}", step.desc);
    }
    schedule
}

#[test]
fn one_provider_gives_all() {
    let schedule = run([
        step("no provider yet", 0, Input::Fetch(blob(1), vec![]), []),
        step("a provider opens the fetch", 1, Input::Provider(blob(1), A), [Effect::Open(F0, blob(1))]),
        step("nothing changes by naming it again", 1, Input::Provider(blob(1), A), []),
        step(
            "as many requests as a peer may have",
            2,
            Input::Opened(F0, (0..5).collect()),
            [request(F0, 0, A), request(F0, 1, A), request(F0, 2, A), request(F0, 3, A)],
        ),
        step("one lands, one takes off", 3, ended(F0, 0, A, Outcome::Landed), [request(F0, 4, A)]),
        step("lands", 4, ended(F0, 1, A, Outcome::Landed), []),
        step("lands", 5, ended(F0, 2, A, Outcome::Landed), []),
        step("lands", 6, ended(F0, 3, A, Outcome::Landed), []),
        step("nothing is missing", 7, ended(F0, 4, A, Outcome::Landed), [Effect::Finish(F0)]),
        step("it is there", 8, Input::Finished(F0), [Effect::Close(F0), Effect::Report(BlobEvent::Ready(blob(1)))]),
        step("a late message changes nothing", 9, ended(F0, 4, A, Outcome::Landed), []),
        step("nor does a provider", 9, Input::Provider(blob(1), B), []),
    ]);
    assert_eq!(schedule.deadline(Time(9)), None);
}

#[test]
fn people_are_told_how_far_a_fetch_is() {
    let large = BlobRef { size: 5 << 20, ..blob(1) };
    let fetches = || {
        [
            step("", 0, Input::Fetch(large, vec![A]), [Effect::Open(F0, large)]),
            step("without a provider", 0, Input::Fetch(blob(2), vec![]), []),
        ]
    };
    let waiting = Transit { blob: large, pieces: 5, landed: 0, in_flight: 0, providers: 1 };
    assert_eq!(run(fetches()).under_way(1), [waiting], "no more than was asked for");
    let flights = [request(F0, 2, A), request(F0, 3, A), request(F0, 4, A)];
    let opened = step("two pieces are left of an earlier attempt", 1, Input::Opened(F0, vec![2, 3, 4]), flights);
    let landed = step("", 2, ended(F0, 3, A, Outcome::Landed), []);
    let told = run(fetches().into_iter().chain([opened, landed])).under_way(9);
    let other = Transit { blob: blob(2), pieces: 1, landed: 0, in_flight: 0, providers: 0 };
    assert_eq!(told, [Transit { landed: 3, in_flight: 2, ..waiting }, other]);
}

#[test]
fn a_liar_is_banned_and_another_takes_over() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0, 1]), [request(F0, 0, A), request(F0, 1, A)]),
        step("a second provider finds nothing to do", 1, Input::Provider(blob(1), B), []),
        step(
            "the liar's piece goes to the other",
            2,
            ended(F0, 0, A, Outcome::Forged),
            [Effect::Report(BlobEvent::BadProvider { member: A, blob: blob(1) }), request(F0, 0, B)],
        ),
        step("what else it had goes too", 3, Input::LinkClosed(A, LinkEnd::Failed), [request(F0, 1, B)]),
        step("it is not asked again", 4, Input::Provider(blob(1), A), []),
        step("not even for another blob", 5, Input::Fetch(blob(2), vec![A]), []),
    ]);
}

#[test]
fn without_providers_a_fetch_stalls_once_and_resumes() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0, 1]), [request(F0, 0, A), request(F0, 1, A)]),
        step("the other request is still in flight", 1, ended(F0, 0, A, Outcome::Absent), []),
        step(
            "nobody is left",
            2,
            ended(F0, 1, A, Outcome::Absent),
            [Effect::Close(F0), Effect::Report(BlobEvent::Stalled(blob(1)))],
        ),
        step("the link ends later", 3, Input::LinkClosed(A, LinkEnd::Idle), []),
        step("a new provider", 4, Input::Provider(blob(1), B), [Effect::Open(F0, blob(1))]),
        step("what is missing now", 5, Input::Opened(F0, vec![1]), [request(F0, 1, B)]),
        step("", 6, ended(F0, 1, B, Outcome::Landed), [Effect::Finish(F0)]),
    ]);
}

#[test]
fn a_fetch_stalls_however_its_last_flight_ends() {
    for outcome in [Outcome::Absent, Outcome::Busy] {
        run([
            step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
            step("", 0, Input::Opened(F0, vec![0, 1]), [request(F0, 0, A), request(F0, 1, A)]),
            step("it has not got it", 1, ended(F0, 0, A, Outcome::Absent), []),
            step(
                "nobody is left",
                2,
                ended(F0, 1, A, outcome),
                [Effect::Close(F0), Effect::Report(BlobEvent::Stalled(blob(1)))],
            ),
        ]);
    }
}

#[test]
fn a_broken_link_is_tried_again_after_pauses_then_given_up() {
    let mut schedule = run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0]), [request(F0, 0, A)]),
        step("first strike", 0, Input::LinkClosed(A, LinkEnd::Failed), []),
        step("too early", 199, Input::Tick, []),
        step("after the pause", 200, Input::Tick, [request(F0, 0, A)]),
        step("second strike", 200, Input::LinkClosed(A, LinkEnd::Failed), []),
        step("too early", 599, Input::Tick, []),
        step("after twice the pause", 600, Input::Tick, [request(F0, 0, A)]),
        step("third strike", 600, Input::LinkClosed(A, LinkEnd::Failed), []),
    ]);
    assert_eq!(schedule.deadline(Time(600)), Some(Time(1400)));
    assert_eq!(schedule.handle(Input::Tick, Time(1400)), [request(F0, 0, A)]);
    let stalled = [Effect::Close(F0), Effect::Report(BlobEvent::Stalled(blob(1)))];
    assert_eq!(schedule.handle(Input::LinkClosed(A, LinkEnd::Failed), Time(1400)), stalled);
    assert_eq!(schedule.handle(Input::Provider(blob(1), A), Time(1401)), [Effect::Open(F0, blob(1))]);
}

#[test]
fn an_idle_link_that_closes_under_a_request_costs_nothing() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0]), [request(F0, 0, A)]),
        step("asked again at once", 1, Input::LinkClosed(A, LinkEnd::Idle), [request(F0, 0, A)]),
    ]);
}

#[test]
fn a_busy_provider_is_left_alone_for_a_while() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0]), [request(F0, 0, A)]),
        step("busy", 10, ended(F0, 0, A, Outcome::Busy), []),
        step("another need not wait", 11, Input::Provider(blob(1), B), [request(F0, 0, B)]),
    ]);
}

#[test]
fn a_late_piece_is_asked_of_an_idle_provider_too() {
    let schedule = run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("", 0, Input::Opened(F0, vec![0]), [request(F0, 0, A)]),
        step("", 10, Input::Provider(blob(1), B), []),
        step("not late yet", 1999, Input::Tick, []),
        step("late", 2000, Input::Tick, [request(F0, 0, B)]),
        step("no third time", 4000, Input::Tick, []),
        step("the second wins", 4001, ended(F0, 0, B, Outcome::Landed), [Effect::Finish(F0)]),
        step("the first comes too late", 4002, ended(F0, 0, A, Outcome::Landed), []),
    ]);
    assert!(schedule.flights.is_empty());
}

#[test]
fn a_small_blob_does_not_wait_for_a_large_one() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step(
            "",
            0,
            Input::Opened(F0, (0..100).collect()),
            [request(F0, 0, A), request(F0, 1, A), request(F0, 2, A), request(F0, 3, A)],
        ),
        step("", 1, Input::Fetch(blob(2), vec![A]), [Effect::Open(F1, blob(2))]),
        step("", 1, Input::Opened(F1, vec![0]), []),
        step("the next place is its", 2, ended(F0, 0, A, Outcome::Landed), [request(F1, 0, A)]),
    ]);
}

#[test]
fn a_cancelled_fetch_is_closed_whatever_it_was_doing() {
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("while it is being opened", 0, Input::Cancel(blob(1)), []),
        step("closed once it is open", 1, Input::Opened(F0, vec![0]), [Effect::Close(F0)]),
        step("again", 2, Input::Fetch(blob(1), vec![A]), [Effect::Open(F1, blob(1))]),
        step("", 2, Input::Opened(F1, vec![0, 1]), [request(F1, 0, A), request(F1, 1, A)]),
        step("while it is active", 3, Input::Cancel(blob(1)), [Effect::Close(F1)]),
        step("its flights land in the void", 4, ended(F1, 0, A, Outcome::Landed), []),
    ]);
}

#[test]
fn a_failing_disk_ends_the_fetch() {
    let failed = |reason: &str| Effect::Report(BlobEvent::Failed { blob: blob(1), reason: reason.into() });
    run([
        step("", 0, Input::Fetch(blob(1), vec![A]), [Effect::Open(F0, blob(1))]),
        step("on opening", 0, Input::Broken(F0, "full".into()), [failed("full")]),
        step("", 1, Input::Fetch(blob(1), vec![A]), [Effect::Open(F1, blob(1))]),
        step("", 1, Input::Opened(F1, vec![0]), [request(F1, 0, A)]),
        step("on writing", 2, ended(F1, 0, A, Outcome::Unsaved("full".into())), [Effect::Close(F1), failed("full")]),
    ]);
}

#[test]
fn places_are_bounded_and_given_on() {
    let mut schedule = Schedule::new(0, HEDGE);
    for n in 0..10 {
        let effects = schedule.handle(Input::Fetch(blob(n), vec![A]), Time(0));
        assert_eq!(effects.len(), usize::from(usize::from(n) < MAX_ACTIVE), "fetch {n}");
    }
    assert_eq!(
        schedule.handle(Input::Finished(F0), Time(1)).last(),
        Some(&Effect::Open(FetchId(8), blob(8))),
        "the place of the first goes to the ninth"
    );
    for n in 0..MAX_FETCHES as u64 * 2 {
        schedule.handle(Input::Fetch(BlobRef { size: n, ..blob(99) }, vec![]), Time(2));
    }
    assert_eq!(schedule.fetches.len(), MAX_FETCHES);
    assert!(!schedule.has_room());
}

/// A blob of twenty pieces.
const LARGE: BlobRef = BlobRef { hash: Hash([1; 32]), size: 20 << 20 };
const C: MemberId = MemberId([3; 32]);

fn held(pieces: impl IntoIterator<Item = u32>, fellows: &[MemberId]) -> Found {
    let mut held = Pieces::none(20);
    pieces.into_iter().for_each(|piece| held.insert(piece));
    Found::Held(Survey { pieces: held, fellows: fellows.to_vec() })
}

/// A fetch of [`LARGE`] from A, which was asked for four pieces and surveyed.
fn sharing(salt: u64) -> (Schedule, Vec<u32>) {
    let mut schedule = Schedule::new(salt, HEDGE);
    assert_eq!(schedule.handle(Input::Fetch(LARGE, vec![A]), Time(0)), [Effect::Open(F0, LARGE)]);
    let effects = schedule.handle(Input::Opened(F0, (0..20).collect()), Time(0));
    assert_eq!(effects.first(), Some(&Effect::Survey(F0, A)));
    (schedule, asked_of(A, &effects))
}

fn asked_of(member: MemberId, effects: &[Effect]) -> Vec<u32> {
    let piece = |effect: &Effect| match effect {
        Effect::Request(flight) if flight.member == member => Some(flight.piece),
        _ => None,
    };
    effects.iter().filter_map(piece).collect()
}

#[test]
fn nodes_begin_a_large_blob_with_different_pieces() {
    let begun: BTreeSet<Vec<u32>> = (0..8).map(|salt| sharing(mix(salt)).1).collect();
    assert!(begun.len() >= 7 && begun.iter().all(|pieces| pieces.len() == MAX_FLIGHTS_PER_PEER), "{begun:?}");
}

#[test]
fn who_fetches_the_same_is_surveyed_and_asked_first_for_what_it_has() {
    let (mut schedule, begun) = sharing(7);
    let effects = schedule.handle(Input::Surveyed(F0, A, held(0..20, &[B])), Time(5));
    assert_eq!(effects, [Effect::Survey(F0, B)], "the holder has its four flights");
    let other: Vec<u32> = (0..20).filter(|piece| !begun.contains(piece)).take(2).collect();
    let effects = schedule.handle(Input::Surveyed(F0, B, held(other.clone(), &[A])), Time(6));
    assert_eq!(asked_of(B, &effects).into_iter().collect::<BTreeSet<_>>(), other.iter().copied().collect());
    let effects = schedule.handle(ended(F0, begun[0], A, Outcome::Landed), Time(7));
    let [next] = asked_of(A, &effects)[..] else { panic!("{effects:?}") };
    assert!(!other.contains(&next));
    assert_eq!(schedule.handle(ended(F0, other[0], B, Outcome::Lacking), Time(8)), [], "it comes from the other then");
    assert_eq!(schedule.deadline(Time(8)), Some(Time(6 + 120)), "the next survey of who has a part");
    let effects = schedule.handle(Input::Tick, Time(126));
    assert_eq!(effects, [Effect::Survey(F0, B)]);
    assert_eq!(schedule.handle(Input::Surveyed(F0, B, Found::Absent), Time(127)), []);
    assert_eq!(schedule.handle(Input::Tick, Time(1005)), [Effect::Survey(F0, A)], "who has all is asked less often");
    let effects = schedule.handle(Input::LinkClosed(A, LinkEnd::Idle), Time(1010));
    assert_eq!(effects.first(), Some(&Effect::Survey(F0, A)), "a survey that was lost comes again at once");
}

#[test]
fn who_could_not_be_reached_is_surveyed_before_it_is_asked_again() {
    let (mut schedule, begun) = sharing(7);
    assert_eq!(schedule.handle(Input::LinkClosed(A, LinkEnd::Failed), Time(10)), []);
    let paused = schedule.deadline(Time(10)).unwrap();
    let effects = schedule.handle(Input::Tick, paused);
    assert_eq!(effects.first(), Some(&Effect::Survey(F0, A)), "else its holder would not know that it shares");
    assert_eq!(asked_of(A, &effects), begun);
}

#[test]
fn what_the_fewest_have_is_asked_for_first() {
    let (mut schedule, begun) = sharing(7);
    let rare = (0..20).rev().find(|piece| !begun.contains(piece)).unwrap();
    let all_but_one = (0..20).filter(|piece| *piece != rare);
    schedule.handle(Input::Surveyed(F0, A, held(0..20, &[B, C])), Time(1));
    for member in [B, C] {
        schedule.handle(Input::Surveyed(F0, member, held(all_but_one.clone(), &[])), Time(2));
    }
    let effects = schedule.handle(ended(F0, begun[0], A, Outcome::Landed), Time(3));
    assert_eq!(asked_of(A, &effects), [rare]);
}

#[test]
fn who_is_sent_elsewhere_asks_there_and_comes_back_if_there_is_nothing() {
    let (mut schedule, begun) = sharing(7);
    let sent = schedule.handle(ended(F0, begun[0], A, Outcome::Elsewhere(B)), Time(10));
    assert_eq!(sent[0], Effect::Survey(F0, B));
    assert_eq!(asked_of(A, &sent).len(), 1, "the holder is asked for something else");
    assert_eq!(schedule.handle(Input::Surveyed(F0, B, held([], &[])), Time(11)), [], "it has not come there yet");
    let surveyed = schedule.handle(Input::Tick, Time(131));
    assert_eq!(surveyed, [Effect::Survey(F0, B)]);
    let asked = schedule.handle(Input::Surveyed(F0, B, held([begun[0]], &[])), Time(132));
    assert_eq!(asked_of(B, &asked), [begun[0]], "now it has");
    schedule.handle(ended(F0, begun[0], B, Outcome::Lacking), Time(133));
    let mut landed = BTreeSet::new();
    while let Some(flight) = schedule.flights.keys().copied().next() {
        landed.insert(flight.piece);
        schedule.handle(Input::Ended(flight, Outcome::Landed), Time(140));
    }
    assert_eq!(landed.len(), 19, "all but that one have come");
    assert!(asked_of(A, &schedule.handle(Input::Tick, Time(2_009))).is_empty());
    assert_eq!(asked_of(A, &schedule.handle(Input::Tick, Time(2_010))), [begun[0]], "two seconds later");
}

#[test]
fn a_survey_that_is_none_bans() {
    let (mut schedule, _) = sharing(7);
    let effects = schedule.handle(Input::Surveyed(F0, A, Found::Forged), Time(1));
    assert_eq!(effects, [Effect::Report(BlobEvent::BadProvider { member: A, blob: LARGE })]);
}

/// A world of providers that answer as a script of random numbers says.
struct World {
    size: u64,
    /// Surveys that are under way.
    surveys: Vec<(FetchId, MemberId)>,
    /// What members have said that they have.
    said: BTreeMap<(FetchId, MemberId), Pieces>,
    schedule: Schedule,
    now: u64,
    /// What the schedule believes to be under way.
    flights: Vec<Flight>,
    opening: Vec<(FetchId, BlobRef)>,
    finishing: Vec<FetchId>,
    held: BTreeMap<BlobRef, BTreeSet<u32>>,
    blobs: BTreeMap<FetchId, BlobRef>,
    ready: BTreeSet<BlobRef>,
    stalled: BTreeSet<BlobRef>,
}

const SMALL: u64 = 7 << 20;

impl World {
    fn pieces(&self) -> u32 {
        (self.size >> 20) as u32
    }

    fn blob(&self, n: u8) -> BlobRef {
        BlobRef { size: self.size, ..blob(n) }
    }

    fn handle(&mut self, input: Input) {
        let effects = self.schedule.handle(input, Time(self.now));
        for effect in effects {
            match effect {
                Effect::Open(id, blob) => {
                    self.blobs.insert(id, blob);
                    self.stalled.remove(&blob);
                    self.opening.push((id, blob));
                }
                Effect::Request(flight) => {
                    assert!(!self.flights.contains(&flight), "asked twice at once");
                    let said = self.said.get(&(flight.fetch, flight.member));
                    assert!(said.is_none_or(|said| said.contains(flight.piece)), "asked for what it does not have");
                    self.flights.push(flight);
                }
                Effect::Survey(id, member) => {
                    assert!(!self.surveys.contains(&(id, member)), "surveyed twice at once");
                    self.surveys.push((id, member));
                }
                Effect::Finish(id) => {
                    assert_eq!(self.held[&self.blobs[&id]].len(), self.pieces() as usize, "finished too early");
                    self.finishing.push(id);
                }
                Effect::Report(BlobEvent::Ready(blob)) => assert!(self.ready.insert(blob), "ready twice"),
                Effect::Report(BlobEvent::Stalled(blob)) => assert!(self.stalled.insert(blob), "stalled twice"),
                Effect::Report(_) | Effect::Close(_) => {}
            }
        }
        assert!(self.flights.len() <= MAX_FLIGHTS);
        for flight in &self.flights {
            let same = self.flights.iter().filter(|other| other.member == flight.member).count();
            assert!(same <= MAX_FLIGHTS_PER_PEER);
        }
    }

    fn step(&mut self, dice: u16) {
        self.now += u64::from(dice % 7) * 50;
        let pick = usize::from(dice / 16);
        if let Some((id, blob)) = self.opening.pop() {
            let pieces = self.pieces();
            let held = self.held.entry(blob).or_default();
            let missing = (0..pieces).filter(|piece| !held.contains(piece)).collect();
            return self.handle(Input::Opened(id, missing));
        }
        if let Some(id) = self.finishing.pop() {
            return self.handle(Input::Finished(id));
        }
        if !self.surveys.is_empty() && (self.flights.is_empty() || dice.is_multiple_of(3)) {
            // The first first: none is waited for for ever.
            let (id, member) = self.surveys.remove(0);
            return self.answer_survey(id, member, dice);
        }
        if self.flights.is_empty() {
            let deadline = self.schedule.deadline(Time(self.now));
            self.now = deadline.map_or(self.now, |time| time.0);
            return self.handle(Input::Tick);
        }
        let flight = self.flights[pick % self.flights.len()];
        match dice % 16 {
            0 => self.close(flight.member, LinkEnd::Failed),
            1 => self.close(flight.member, LinkEnd::Idle),
            2 => self.end(flight, Outcome::Busy),
            6 if self.size > SMALL => self.end(flight, Outcome::Elsewhere(C)),
            7 if self.size > SMALL && flight.member != A => self.end(flight, Outcome::Lacking),
            3 if flight.member == B => self.end(flight, Outcome::Absent),
            4 if flight.member == B => self.end(flight, Outcome::Forged),
            _ => {
                self.held.entry(self.blobs[&flight.fetch]).or_default().insert(flight.piece);
                self.end(flight, Outcome::Landed);
            }
        }
    }

    /// One member has all; others have a part that grows, and name each other.
    fn answer_survey(&mut self, id: FetchId, member: MemberId, dice: u16) {
        let pieces = self.pieces();
        let found = match dice % 16 {
            0 if member == B => Found::Absent,
            1 if member == B => Found::Forged,
            _ => {
                let has = |piece: &u32| member == A || !(u32::from(dice) + piece).is_multiple_of(3);
                let missing: Vec<u32> = (0..pieces).filter(|piece| !has(piece)).collect();
                let pieces = Pieces::all_but(pieces, &missing);
                self.said.insert((id, member), pieces.clone());
                Found::Held(Survey { pieces, fellows: vec![C, MemberId([dice as u8; 32])] })
            }
        };
        if !matches!(found, Found::Held(_)) {
            self.said.remove(&(id, member));
        }
        self.handle(Input::Surveyed(id, member, found));
    }

    fn end(&mut self, flight: Flight, outcome: Outcome) {
        self.flights.retain(|other| *other != flight);
        if matches!(outcome, Outcome::Absent | Outcome::Forged) {
            self.said.retain(|(_, member), _| *member != flight.member);
        }
        self.handle(Input::Ended(flight, outcome));
    }

    fn close(&mut self, member: MemberId, end: LinkEnd) {
        self.flights.retain(|flight| flight.member != member);
        self.surveys.retain(|(_, surveyed)| *surveyed != member);
        // It may be dropped now, and be taken to have all when it is named again.
        self.said.retain(|(_, other), _| *other != member);
        self.handle(Input::LinkClosed(member, end));
    }
}

proptest! {
    /// Whatever the providers do, bounds hold, nothing is asked twice at once, and as long as an honest member is named
    /// again whenever a fetch stalls, every blob is ready in the end.
    #[test]
    fn every_blob_arrives_while_one_member_is_honest(
        dice in prop::collection::vec(any::<u16>(), 0..600),
        salt: u64,
        size in prop_oneof![Just(SMALL), Just(LARGE.size)],
    ) {
        let mut world = World {
            size,
            surveys: vec![],
            said: BTreeMap::new(),
            schedule: Schedule::new(salt, HEDGE),
            now: 0,
            flights: vec![],
            opening: vec![],
            finishing: vec![],
            held: BTreeMap::new(),
            blobs: BTreeMap::new(),
            ready: BTreeSet::new(),
            stalled: BTreeSet::new(),
        };
        for n in 0..12 {
            world.handle(Input::Fetch(world.blob(n), vec![A, B, MemberId([n; 32])]));
        }
        // After the script the providers behave: 5 is the die that lands.
        for die in dice.into_iter().chain(std::iter::repeat_n(5, 5000)) {
            if world.ready.len() == 12 {
                break;
            }
            for stalled in std::mem::take(&mut world.stalled) {
                world.handle(Input::Provider(stalled, A));
            }
            world.step(die);
        }
        prop_assert_eq!(world.ready.len(), 12);
        prop_assert!(world.schedule.fetches.is_empty());
    }
}
