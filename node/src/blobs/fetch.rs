//! Fetching: the loop around the [`Schedule`] that opens files and links and carries out what it says.
//!
//! The schedule sits behind a lock, so that the node's calls return at once whatever the loop is doing, and so that a
//! node that does not drain its events can still call.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use althing_protocol::{
    ids::{BlobRef, MemberId},
    time::Time,
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::Instant,
};

use super::{
    BlobEvent,
    link::{self, LinkContext, Piece, TASK_CAPACITY, Task},
    schedule::{Effect, FetchId, Flight, Found, Input, LinkEnd, Outcome, Schedule, Transit},
    store::{Opening, Partial, Store},
};

/// Reports of links and disk tasks that wait for the loop.
pub(super) const REPORT_CAPACITY: usize = 64;

/// What links and disk tasks tell the loop.
#[derive(Debug)]
pub(super) enum Report {
    Opened(FetchId, Partial, Vec<u32>),
    /// The blob was found whole, or has been made whole.
    Finished(FetchId),
    Broken(FetchId, String),
    Ended(Flight, Outcome),
    Surveyed(FetchId, MemberId, Found),
    LinkClosed(MemberId, LinkEnd),
}

/// The schedule and what it wants done, between the node's calls and the loop.
#[derive(Debug)]
pub(super) struct Desk {
    state: Mutex<State>,
    changed: Notify,
    origin: Instant,
}

#[derive(Debug)]
struct State {
    schedule: Schedule,
    effects: VecDeque<Effect>,
}

impl Desk {
    pub(super) fn new(salt: u64, hedge_after: Duration) -> Self {
        let state = State { schedule: Schedule::new(salt, hedge_after), effects: VecDeque::new() };
        Self { state: Mutex::new(state), changed: Notify::new(), origin: Instant::now() }
    }

    /// Passes `input` to the schedule and wakes the loop.
    pub(super) fn handle(&self, input: Input) {
        let now = self.now();
        let mut state = self.state();
        let effects = state.schedule.handle(input, now);
        state.effects.extend(effects);
        drop(state);
        self.changed.notify_one();
    }

    /// Tells the node something that needs no fetching.
    pub(super) fn report(&self, event: BlobEvent) {
        self.state().effects.push_back(Effect::Report(event));
        self.changed.notify_one();
    }

    /// Whether one more blob may be fetched.
    pub(super) fn has_room(&self) -> bool {
        self.state().schedule.has_room()
    }

    /// The blobs that are being fetched.
    pub(super) fn wanted(&self) -> Vec<BlobRef> {
        self.state().schedule.wanted().collect()
    }

    /// The first `most` fetches under way.
    pub(super) fn under_way(&self, most: usize) -> Vec<Transit> {
        self.state().schedule.under_way(most)
    }

    fn take_effects(&self) -> VecDeque<Effect> {
        std::mem::take(&mut self.state().effects)
    }

    fn deadline(&self) -> Option<Instant> {
        let time = self.state().schedule.deadline(self.now())?;
        Some(self.origin + Duration::from_millis(time.0))
    }

    fn now(&self) -> Time {
        Time(0) + self.origin.elapsed()
    }

    /// The state. `handle` does not panic, so a poisoned lock guards a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop.
pub(super) struct Fetcher {
    desk: Arc<Desk>,
    store: Store,
    context: LinkContext,
    reports: mpsc::Receiver<Report>,
    events: mpsc::Sender<BlobEvent>,
    /// Events that the node has had no room for, each once: however long it sleeps, there are as many at most as it
    /// has named blobs and members.
    unsent: VecDeque<BlobEvent>,
    links: BTreeMap<MemberId, mpsc::Sender<Task>>,
    partials: BTreeMap<FetchId, Arc<Partial>>,
    /// Dropped with the loop, which ends them all.
    tasks: JoinSet<()>,
}

impl Fetcher {
    pub(super) fn new(
        desk: Arc<Desk>,
        store: Store,
        context: LinkContext,
        reports: mpsc::Receiver<Report>,
        events: mpsc::Sender<BlobEvent>,
    ) -> Self {
        Self {
            desk,
            store,
            context,
            reports,
            events,
            unsent: VecDeque::new(),
            links: BTreeMap::new(),
            partials: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        loop {
            for effect in self.desk.take_effects() {
                self.execute(effect);
            }
            let deadline = self.desk.deadline();
            // A node that has dropped its receiver wants no events, but may still want blobs.
            if events.is_closed() {
                self.unsent.clear();
            }
            tokio::select! {
                () = self.desk.changed.notified() => {}
                report = self.reports.recv() => match report {
                    Some(report) => self.on_report(report),
                    None => return,
                },
                permit = events.reserve(), if !self.unsent.is_empty() => {
                    if let (Ok(permit), Some(event)) = (permit, self.unsent.pop_front()) {
                        permit.send(event);
                    }
                }
                () = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.desk.handle(Input::Tick);
                }
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            }
        }
    }

    fn on_report(&mut self, report: Report) {
        let input = match report {
            Report::Opened(id, partial, missing) => {
                self.partials.insert(id, Arc::new(partial));
                Input::Opened(id, missing)
            }
            Report::Finished(id) => Input::Finished(id),
            Report::Broken(id, reason) => Input::Broken(id, reason),
            Report::Ended(flight, outcome) => Input::Ended(flight, outcome),
            Report::Surveyed(id, member, found) => Input::Surveyed(id, member, found),
            Report::LinkClosed(member, end) => {
                self.links.remove(&member);
                Input::LinkClosed(member, end)
            }
        };
        self.desk.handle(input);
    }

    fn execute(&mut self, effect: Effect) {
        match effect {
            Effect::Open(id, blob) => self.open(id, blob),
            Effect::Request(flight) => self.request(flight),
            Effect::Survey(id, member) => self.survey(id, member),
            Effect::Finish(id) => self.finish(id),
            Effect::Close(id) => drop(self.partials.remove(&id)),
            Effect::Report(event) if self.unsent.contains(&event) => {}
            Effect::Report(event) => self.unsent.push_back(event),
        }
    }

    fn open(&mut self, id: FetchId, blob: BlobRef) {
        let store = self.store.clone();
        self.spawn_disk_task(id, move || match store.begin(&blob) {
            Ok(Opening::Whole) => Report::Finished(id),
            Ok(Opening::Begun(partial, missing)) => Report::Opened(id, partial, missing),
            Err(error) => Report::Broken(id, error.to_string()),
        });
    }

    fn finish(&mut self, id: FetchId) {
        let Some(partial) = self.partials.get(&id).cloned() else { return };
        self.spawn_disk_task(id, move || match partial.finish() {
            Ok(()) => Report::Finished(id),
            Err(error) => Report::Broken(id, error.to_string()),
        });
    }

    fn spawn_disk_task(&mut self, id: FetchId, work: impl FnOnce() -> Report + Send + 'static) {
        let reports = self.context.reports.clone();
        self.tasks.spawn(async move {
            let report = tokio::task::spawn_blocking(work).await;
            let report = report.unwrap_or_else(|error| Report::Broken(id, format!("a disk task stopped: {error}")));
            // The receiver is gone only when the loop is.
            let _ = reports.send(report).await;
        });
    }

    fn request(&mut self, flight: Flight) {
        let Some(partial) = self.partials.get(&flight.fetch).cloned() else { return };
        self.ask(flight.member, Task::Piece(Piece { flight, partial }));
    }

    fn survey(&mut self, id: FetchId, member: MemberId) {
        let Some(blob) = self.partials.get(&id).map(|partial| *partial.blob()) else { return };
        self.ask(member, Task::Survey(id, blob));
    }

    fn ask(&mut self, member: MemberId, task: Task) {
        let tasks = &mut self.tasks;
        let context = &self.context;
        let link = self.links.entry(member).or_insert_with(|| {
            let (link, requests) = mpsc::channel(TASK_CAPACITY);
            tasks.spawn(link::run(member, requests, context.clone()));
            link
        });
        if let Err(error) = link.try_send(task) {
            // The link has just closed; its report is on the way and returns the flight to the schedule.
            tracing::trace!(%error, "request after the end of a link");
        }
    }
}
