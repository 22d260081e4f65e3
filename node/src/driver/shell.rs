//! The loop: whatever happens becomes an input of the core.

use std::{collections::BTreeMap, fs, future::Future, sync::Arc, time::Duration};

use althing_agents::Council;
use althing_protocol::{
    event::{Event, Phase},
    genesis::Genesis,
    ids::{BlobRef, MemberId, NetworkId},
    machine::{Effect, Input, Machine, Timer, Verdict},
    state::State,
    time::Time,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    counsel::{Counsel, Given},
    door::{Applicant, Roster},
    jobs::{Brought, Jobs},
    journal::Journal,
    outlet::Outlet,
    privacy::Purse,
    requests::Desk,
    telling::{Names, Sink, unix_ms},
    timers::Timers,
};
use crate::{
    blobs::{BlobEvent, Blobs},
    config::Limits,
    failure::Failure,
    net::{self, Network, Topic},
    page::{Board, Scored},
    status::{Books, Holdings, Server, Status, Submission, Traffic, Wire},
    store::Origin,
};

/// How often the status is brought up to date.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// Blobs under way that the page shows.
const TRANSITS_SHOWN: usize = 16;

/// Everything that a running node is made of.
pub(super) struct Shell {
    pub(super) machine: Machine,
    pub(super) genesis: Arc<Genesis>,
    pub(super) me: MemberId,
    pub(super) clock: Instant,
    pub(super) journal: Journal,
    pub(super) network: Network,
    pub(super) net_events: mpsc::Receiver<net::Event>,
    /// What is said goes through it.
    pub(super) outlet: Arc<dyn Outlet>,
    pub(super) blobs: Blobs,
    pub(super) blob_events: mpsc::Receiver<BlobEvent>,
    /// The last blob for which there was no room.
    pub(super) without_room: Option<BlobRef>,
    pub(super) jobs: Jobs,
    pub(super) council: Council,
    /// What its agents have been advised.
    pub(super) counsel: Counsel,
    pub(super) samples: u64,
    /// The privacy account; none if training is without noise.
    pub(super) purse: Option<Purse>,
    pub(super) limits: Limits,
    /// What jobs and requests bring back.
    pub(super) brought: mpsc::Receiver<Brought>,
    pub(super) bring: mpsc::Sender<Brought>,
    pub(super) timers: Timers,
    pub(super) desk: Desk,
    pub(super) sink: Sink,
    pub(super) names: Names,
    pub(super) status: watch::Sender<Status>,
    /// What the page shows beside it.
    pub(super) board: watch::Sender<Board>,
    /// What its ledger says.
    pub(super) books: watch::Sender<Arc<Books>>,
    /// What owners of accounts hand in here.
    pub(super) submitted: mpsc::Receiver<Submission>,
    pub(super) server: Option<Server>,
    /// What the store is worth.
    pub(super) origin: Origin,
    /// Who is a member, for the parts that serve peers.
    pub(super) roster: Roster,
    /// What this node says to be let in, where it was invited.
    pub(super) applicant: Option<Applicant>,
    /// What the core wanted before the loop began.
    pub(super) first: Vec<Effect>,
}

/// Something that has happened.
enum Happening {
    Net(net::Event),
    Blob(BlobEvent),
    Brought(Brought),
    Timer(Timer),
    Order(Given),
    Submitted(Submission),
    Status,
}

impl Shell {
    /// Runs until `stop` is done, or until the node must not go on.
    pub(super) async fn run(&mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::pin!(stop);
        let first = std::mem::take(&mut self.first);
        self.carry_out(first).await?;
        let mut status = interval(STATUS_EVERY);
        status.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let happening = tokio::select! {
                () = &mut stop => return Ok(()),
                Some(event) = self.net_events.recv() => Happening::Net(event),
                Some(event) = self.blob_events.recv() => Happening::Blob(event),
                Some(brought) = self.brought.recv() => Happening::Brought(brought),
                timer = self.timers.next() => Happening::Timer(timer),
                given = self.counsel.next() => Happening::Order(given),
                Some(submission) = self.submitted.recv() => Happening::Submitted(submission),
                _ = status.tick() => Happening::Status,
            };
            match happening {
                Happening::Net(event) => self.net_event(event).await?,
                Happening::Blob(event) => self.blob_event(event).await?,
                Happening::Brought(brought) => self.feed(brought.map_err(Failure::machine)?).await?,
                Happening::Timer(timer) => self.feed(Input::TimerFired(timer)).await?,
                Happening::Order(given) => self.take_order(given),
                Happening::Submitted(submission) => self.take_instruction(submission).await?,
                Happening::Status => {
                    self.end_silence()?;
                    self.refresh_status().await;
                }
            }
        }
    }

    /// Ends in good order: what waits is written, peers see the connections close.
    pub(super) async fn stop(&mut self) {
        if let Err(error) = self.journal.flush() {
            tracing::error!(%error, "the journal could not be written at the end");
        }
        self.counsel.stop();
        self.jobs.stop_training();
        self.network.shutdown().await;
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
        self.tell(&Event::Stopped);
    }

    pub(super) fn now(&self) -> Time {
        Time(u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn tell(&mut self, event: &Event) {
        self.names.hear(event);
        self.sink.tell(&self.names, event);
        let now = self.now();
        self.status.send_modify(|status| status.tally.hear(now.0, event));
        self.board.send_modify(|board| board.hear(unix_ms(), event));
    }

    /// Shows what the model that the settled round started from is worth here.
    pub(super) fn score_round(&mut self) {
        let scored = self
            .jobs
            .base_score()
            .filter(|score| score.samples > 0)
            .map(|score| Scored { loss: score.loss, accuracy: score.correct as f32 / score.samples as f32 });
        self.board.send_modify(|board| board.score(scored));
    }

    async fn feed(&mut self, input: Input) -> Result<(), Failure> {
        let now = self.now();
        let effects = self.machine.handle(input, now).map_err(Failure::machine)?;
        self.carry_out(effects).await
    }

    async fn take_instruction(&mut self, submission: Submission) -> Result<(), Failure> {
        let Submission { instruction, answer } = submission;
        let now = self.now();
        let (taken, effects) = self.machine.submit(instruction, now).map_err(Failure::machine)?;
        // Nobody listening any more is no failure: the instruction is taken or it is not.
        let _ = answer.send(taken);
        self.carry_out(effects).await
    }

    async fn net_event(&mut self, event: net::Event) -> Result<(), Failure> {
        match event {
            net::Event::Listening(address) => self.tell(&Event::Listening { address: address.to_string() }),
            net::Event::PeerUp(member) => {
                self.ask_to_join(member);
                self.feed(Input::PeerUp(member)).await?;
            }
            net::Event::PeerDown(member) => self.feed(Input::PeerDown(member)).await?,
            net::Event::OnlyRelayed(member) => {
                let why = format!(
                    "{} is reached through a relay only, since the routers between let no direct connection through: models \
                     are not fetched from it, but from others who have them; forward a port, or let them by \
                     net.relay_bulk = \"anywhere\" at both",
                    self.names.name(&member)
                );
                self.tell(&Event::Hindered { why });
            }
            net::Event::Gossip { author, via, token, bytes, .. } => {
                let now = self.now();
                let (verdict, effects) = self.machine.receive(author, via, &bytes, now).map_err(Failure::machine)?;
                self.network.report(token, net_verdict(verdict)).await;
                self.carry_out(effects).await?;
            }
            net::Event::Request { from, bytes, reply } => {
                let reply = self.desk.take(reply);
                self.feed(Input::Asked { from, reply, bytes }).await?;
            }
            net::Event::Knock { from, bytes, reply } => self.answer_the_door(from, &bytes, reply).await?,
            net::Event::ForeignGenesis { peer, theirs } => self.met_foreigner(peer, theirs),
            net::Event::Stranger { peer } => {
                let why = "it is no member of this federation: neither the genesis nor the ledger knows its key";
                tracing::warn!(peer = %peer, "refused a node: {why}");
                self.tell(&Event::Refused { member: peer, why: why.to_owned() });
            }
            net::Event::Banned { member, why } => self.tell(&Event::Misbehaved { member, why }),
        }
        Ok(())
    }

    fn met_foreigner(&mut self, peer: MemberId, theirs: Option<NetworkId>) {
        let ours = self.status.borrow().network;
        let theirs = theirs.map_or_else(|| "none that this version knows".to_owned(), |network| network.to_string());
        let why = format!(
            "it belongs to another federation (its genesis: {theirs}; ours: {ours}); compare the genesis files"
        );
        tracing::warn!(peer = %peer, "refused a node: {why}");
        self.tell(&Event::Refused { member: peer, why });
    }

    async fn blob_event(&mut self, event: BlobEvent) -> Result<(), Failure> {
        match event {
            BlobEvent::Ready(blob) => self.feed(Input::BlobReady(blob)).await?,
            BlobEvent::Stalled(blob) => tracing::debug!(%blob, "nobody who is here has it yet"),
            BlobEvent::BadProvider { member, blob } => {
                self.network.ban(member, format!("it sent other bytes than those of {blob}")).await;
            }
            BlobEvent::Failed { blob, reason } => {
                return Err(Failure::machine(format_args!(
                    "blob {blob} cannot be stored ({reason}); mend the disk, and start the node again"
                )));
            }
        }
        Ok(())
    }

    /// A member that speaks again does so after its next start too.
    fn end_silence(&mut self) -> Result<(), Failure> {
        if self.origin == Origin::Copy && !self.machine.is_silent() {
            self.origin = Origin::OldCopy;
            tokio::task::block_in_place(|| self.journal.store().set_origin(self.origin))?;
            tracing::info!("this member was restored from a copy, and speaks again");
        }
        Ok(())
    }

    /// What is on the disk.
    fn holdings(&self) -> Holdings {
        let blobs = self.blobs.store();
        let store_bytes = fs::metadata(self.journal.store().path()).map_or(0, |file| file.len());
        Holdings { blobs: blobs.list().len() as u64, blob_bytes: blobs.used_bytes(), store_bytes }
    }

    /// What keeps the node from doing its part.
    fn hindrances(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.machine.is_silent() {
            why.push(
                "restored from a copy; silent until the others have gone two heights further, so that nothing is signed twice"
                    .into(),
            );
        }
        if !self.machine.is_member() {
            why.push(
                "this node is no member, or its ledger has not come to where it is one; it follows what others decide"
                    .into(),
            );
        }
        if self.machine.step().is_none() && !self.machine.quorum_is_here() {
            why.push(
                "members with two thirds of the votes are not connected; nothing is decided until they are".into(),
            );
        }
        if !self.blobs.store().contains(&self.machine.state().model) {
            why.push("the settled model is not here yet; it is being fetched".into());
        }
        why
    }

    async fn refresh_status(&mut self) {
        let stats = self.network.stats().await;
        let state = self.machine.state();
        let account = state.ledger.accounts.get(&self.me);
        let (holdings, hindrances) = (self.holdings(), self.hindrances());
        let (blob_sent_bytes, blob_received_bytes) = (self.blobs.stats().bytes_up(), self.blobs.stats().bytes_down());
        self.status.send_modify(|status| {
            status.height = state.height;
            status.head = state.head;
            status.round = state.round;
            status.phase = (self.machine.phase() != Phase::Wait).then_some(self.machine.phase());
            status.chair = Some(self.machine.chair());
            status.peers = u32::try_from(stats.peers).unwrap_or(u32::MAX);
            status.wire = Wire {
                sent_bytes: stats.bytes_out,
                received_bytes: stats.bytes_in,
                blob_sent_bytes,
                blob_received_bytes,
                dropped: stats.gossip_dropped,
            };
            status.payload = payload(&stats, status.wire);
            status.reach = stats.relayed;
            status.holdings = holdings;
            status.hindrances = hindrances;
            status.told_ms = unix_ms();
            status.credits = account.map_or(0, |account| account.balance);
            status.privacy = self.purse.as_ref().map(Purse::standing);
            status.reputation = account.map_or(0, |account| i64::from(account.reputation));
        });
        let (present, transits) = (self.machine.present(), self.blobs.under_way(TRANSITS_SHOWN));
        self.board.send_modify(|board| {
            board.count(&state.ledger, &self.me, present);
            board.transits = transits;
        });
    }
}

/// What each protocol has carried.
fn payload(stats: &net::Stats, wire: Wire) -> BTreeMap<String, Traffic> {
    let gossip = Topic::ALL.into_iter().zip(stats.topics).map(|(topic, traffic)| (topic.name(), traffic));
    let blobs = Traffic { sent_bytes: wire.blob_sent_bytes, received_bytes: wire.blob_received_bytes };
    gossip.chain([("requests", stats.requests), ("blobs", blobs)]).map(|(name, told)| (name.to_owned(), told)).collect()
}

/// What the ledger of `state` says.
pub(super) fn books(state: &State, network: NetworkId) -> Arc<Books> {
    Arc::new(Books { network, height: state.height, round: state.round, ledger: state.ledger.clone() })
}

const fn net_verdict(verdict: Verdict) -> net::Verdict {
    match verdict {
        Verdict::Accept => net::Verdict::Accept,
        Verdict::Ignore => net::Verdict::Ignore,
        Verdict::Reject => net::Verdict::Reject,
    }
}
