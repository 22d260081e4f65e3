//! One run: a federation of real processes, and everything that its schedule does to it.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use althing_node::genesis_file;
use althing_protocol::ids::Round;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tokio::time::timeout_at;

use super::{
    judge::{Conduct, Property, Testimony, Violation, judge},
    machine::{self, Machine, Unfit},
    scenario::Scenario,
    schedule::{Act, Deed},
    tear::tear,
};
use crate::{
    althing::Althing,
    audit,
    error::Error,
    fleet::Fleet,
    observer::{Line, Observer},
    process::Input,
    setup::{Federation, Node},
    trace,
    traffic::Traffic,
    warden::Signal,
};

/// How long the nodes may take from their start to the first settled round.
const READY_PATIENCE: Duration = Duration::from_secs(120);
/// How often restarts are considered.
const TICK: Duration = Duration::from_millis(100);
/// Rounds that everybody must settle when the faults have ceased: the one that they have disturbed, and one that they have not.
const ROUNDS_AFTER: u64 = 2;

/// What is to be played.
pub(super) struct Stage<'a> {
    pub(super) althing: &'a Althing,
    pub(super) federation: &'a Federation,
    pub(super) machine: &'a Machine,
    pub(super) scenario: &'a Scenario,
    pub(super) acts: &'a [Act],
    pub(super) seed: u64,
    /// Where every deed is told.
    pub(super) tell: &'a dyn Fn(&str),
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Played {
    /// What the deeds were drawn from.
    pub seed: u64,
    /// Deeds that were done.
    pub deeds: usize,
    /// Times that a node was killed.
    pub kills: usize,
    /// Rounds that were settled.
    pub rounds: u64,
    /// Time from the end of the faults until everybody had settled two more rounds, in milliseconds.
    pub settled_after_ms: Option<u64>,
    /// What must not have happened.
    pub violations: Vec<Violation>,
}

/// Plays `stage`, and judges what is left; or says why this machine cannot.
pub(super) async fn play(stage: &Stage<'_>) -> Result<Result<Played, Unfit>, Error> {
    let Stage { althing, federation, machine, .. } = *stage;
    let places = machine.places(federation);
    let fleet = Fleet::new(althing, federation, places, &machine.last_will(federation))?;
    if let Err(why) = machine.make(stage.scenario, federation).await {
        fleet.dismiss().await;
        return Ok(Err(why));
    }
    let nodes = federation.nodes.len();
    let mut run = Run {
        stage,
        fleet,
        observer: Observer::new(nodes),
        due: BTreeSet::new(),
        torn: BTreeSet::new(),
        full: BTreeSet::new(),
        rng: ChaCha8Rng::seed_from_u64(stage.seed),
        violations: Vec::new(),
    };
    let settled_after_ms = run.conduct().await?;
    let mut traffic = Traffic::default();
    let complaints = run.fleet.stop_all(&mut run.observer, &mut traffic).await?;
    let endurance = |why| Violation { property: Property::Endurance, why };
    run.violations.extend(complaints.into_iter().map(endurance));
    // Exports read the nodes' stores, which their disks may hold.
    let violations = run.judge().await?;
    run.fleet.dismiss().await;
    let kills = stage.acts.iter().filter(|act| matches!(act.deed, Deed::Kill(_))).count();
    let (deeds, rounds) = (stage.acts.len(), run.observer.last_settled());
    Ok(Ok(Played { seed: stage.seed, deeds, kills, rounds, settled_after_ms, violations }))
}

struct Run<'a> {
    stage: &'a Stage<'a>,
    fleet: Fleet<'a>,
    observer: Observer,
    /// Nodes that are to be started as soon as they have ended.
    due: BTreeSet<usize>,
    /// Those of them whose files are to be damaged before.
    torn: BTreeSet<usize>,
    /// Nodes that have no room on their disk; they may end.
    full: BTreeSet<usize>,
    rng: ChaCha8Rng,
    violations: Vec<Violation>,
}

impl<'a> Run<'a> {
    /// From the start to the end of the faults and the rounds after. Returns how long those took, if they were settled.
    async fn conduct(&mut self) -> Result<Option<u64>, Error> {
        self.fleet.start_all(&mut self.observer).await?;
        if !self.until_settled(1, READY_PATIENCE).await? {
            let why = format!("the first round is not settled within {} s", READY_PATIENCE.as_secs());
            self.complain(Property::Liveness, why);
            return Ok(None);
        }
        let begun = tokio::time::Instant::now();
        for act in self.stage.acts {
            self.listen_until(begun + Duration::from_millis(act.at_ms)).await?;
            (self.stage.tell)(&format!("{:>6.1} s: {}", act.at_ms as f64 / 1_000.0, self.words(&act.deed)));
            self.carry_out(&act.deed).await?;
        }
        self.listen_until(begun + Duration::from_millis(self.stage.scenario.faults_ms)).await?;
        let patience = Duration::from_millis(self.stage.scenario.settles_within_ms);
        let (goal, ceased) = (self.observer.last_settled() + ROUNDS_AFTER, Instant::now());
        (self.stage.tell)(&format!("the faults are over: everybody is to settle round {goal}"));
        if self.until_settled(goal, patience).await? {
            return Ok(u64::try_from(ceased.elapsed().as_millis()).ok());
        }
        let behind: Vec<&str> = self.behind(goal).map(|node| node.name.as_str()).collect();
        let seconds = patience.as_secs();
        let why = format!("{} did not settle round {goal} within {seconds} s of the last fault", behind.join(", "));
        self.complain(Property::Liveness, why);
        Ok(None)
    }

    /// Who has not settled `round`. Those who break the protocol may be shut out, and nobody waits for them.
    fn behind(&self, round: u64) -> impl Iterator<Item = &'a Node> + '_ {
        let nodes = self.stage.federation.nodes.iter().enumerate().filter(|(_, node)| !breaks(node));
        nodes.filter(move |(place, _)| !self.observer.has_settled(*place, round)).map(|(_, node)| node)
    }

    /// Waits for everybody to settle `round`, and says whether they have.
    async fn until_settled(&mut self, round: u64, patience: Duration) -> Result<bool, Error> {
        let deadline = tokio::time::Instant::now() + patience;
        while self.behind(round).next().is_some() {
            if tokio::time::Instant::now() >= deadline {
                return Ok(false);
            }
            self.listen_until((tokio::time::Instant::now() + TICK).min(deadline)).await?;
        }
        Ok(true)
    }

    /// Takes in what the nodes say until `deadline`, and starts those that are due.
    async fn listen_until(&mut self, deadline: tokio::time::Instant) -> Result<(), Error> {
        loop {
            self.start_due()?;
            let soon = (tokio::time::Instant::now() + TICK).min(deadline);
            match timeout_at(soon, self.fleet.next_input()).await {
                Ok(Input::Line(life, line)) => self.observer.observe(life.node, &line),
                Ok(Input::Status(..)) => {}
                Ok(Input::Ended(life, status)) => {
                    if let Some(error) = self.fleet.ended(life, status) {
                        self.fell(life.node, &error);
                    }
                }
                Err(_) if tokio::time::Instant::now() >= deadline => return Ok(()),
                Err(_) => {}
            }
        }
    }

    /// A node has ended by itself.
    fn fell(&mut self, node: usize, error: &Error) {
        let fallen = &self.stage.federation.nodes[node];
        if self.full.contains(&node) {
            (self.stage.tell)(&format!("          {} has ended: its disk is full", fallen.name));
        } else if breaks(fallen) {
            (self.stage.tell)(&format!("          {} has ended, which breaks the protocol: {error}", fallen.name));
            self.due.insert(node);
        } else {
            self.complain(Property::Endurance, error.to_string());
            self.due.insert(node);
        }
    }

    fn start_due(&mut self) -> Result<(), Error> {
        let ready: Vec<usize> = self.due.iter().copied().filter(|node| self.fleet.is_down(*node)).collect();
        for node in ready {
            self.due.remove(&node);
            if self.torn.remove(&node) {
                self.tear(node)?;
            }
            self.fleet.restart(node, &mut self.observer)?;
        }
        Ok(())
    }

    fn tear(&mut self, node: usize) -> Result<(), Error> {
        let node = &self.stage.federation.nodes[node];
        let torn = tear(&node.blobs(), &mut self.rng).map_err(Error::io(format!("tear files of {}", node.name)))?;
        (self.stage.tell)(&format!("          {torn} files of {} are damaged", node.name));
        Ok(())
    }

    async fn carry_out(&mut self, deed: &Deed) -> Result<(), Error> {
        let node = |place: &usize| &self.stage.federation.nodes[*place];
        match deed {
            Deed::Kill(place) => self.fleet.end(*place).await?,
            Deed::Tear(place) => drop(self.torn.insert(*place)),
            Deed::Start(place) => drop(self.due.insert(*place)),
            Deed::Freeze(place) => self.fleet.signal(*place, Signal::Freeze).await?,
            Deed::Thaw(place) => self.fleet.signal(*place, Signal::Thaw).await?,
            Deed::FillDisk(place) => {
                self.full.insert(*place);
                machine::fill_disk(node(place))?;
            }
            Deed::FreeDisk(place) => {
                machine::free_disk(node(place))?;
                self.full.remove(place);
                if self.fleet.is_down(*place) {
                    self.due.insert(*place);
                }
            }
            Deed::SetClock(place, by_s) => machine::set_clock(node(place), *by_s)?,
            Deed::Part(sides) => self.stage.machine.part(sides).await?,
            Deed::Heal => self.stage.machine.part(&vec![0; self.stage.federation.nodes.len()]).await?,
        }
        Ok(())
    }

    fn words(&self, deed: &Deed) -> String {
        let name = |place: &usize| &self.stage.federation.nodes[*place].name;
        match deed {
            Deed::Kill(place) => format!("kill -9 {}", name(place)),
            Deed::Tear(place) => format!("damage files of {}", name(place)),
            Deed::Start(place) => format!("start {} again", name(place)),
            Deed::Freeze(place) => format!("{} stands still", name(place)),
            Deed::Thaw(place) => format!("{} goes on", name(place)),
            Deed::FillDisk(place) => format!("the disk of {} is full", name(place)),
            Deed::FreeDisk(place) => format!("there is room on the disk of {}", name(place)),
            Deed::SetClock(place, 0) => format!("the clock of {} is right", name(place)),
            Deed::SetClock(place, by_s) => format!("the clock of {} is wrong by {by_s} s", name(place)),
            Deed::Part(sides) => {
                let sides: Vec<String> = sides.iter().map(ToString::to_string).collect();
                format!("the nodes are parted, to the sides {}", sides.join(" "))
            }
            Deed::Heal => "all nodes are on one side".to_owned(),
        }
    }

    fn complain(&mut self, property: Property, why: String) {
        (self.stage.tell)(&format!("violation: {why}"));
        self.violations.push(Violation { property, why });
    }

    /// Everybody has stopped: what have they left behind?
    async fn judge(&mut self) -> Result<Vec<Violation>, Error> {
        let federation = self.stage.federation;
        let genesis = genesis_file::load(&federation.genesis).map_err(|why| Error::Usage(why.to_string()))?;
        let audit = audit::audit(self.stage.althing, federation).await;
        let mut testimonies = Vec::new();
        for node in &federation.nodes {
            let text =
                fs::read_to_string(node.events()).map_err(Error::io(format!("read the lines of {}", node.name)))?;
            let file = federation.folder.join(format!("ledger-{}.json", node.label));
            testimonies.push(Testimony {
                name: node.name.clone(),
                id: node.id,
                conduct: if node.plot.is_some() { Conduct::Hostile } else { Conduct::Honest },
                breach: node.plot.and_then(|plot| Some((plot.attack.breach()?, Round(plot.from_round)))),
                lines: text.lines().filter_map(Line::parse).collect(),
                ledger: trace::decisions(&file).map_err(|why| why.to_string()),
            });
        }
        let mut violations = std::mem::take(&mut self.violations);
        violations.extend(judge(&genesis, &testimonies));
        let complaint = |why| Violation { property: Property::Verified, why };
        violations.extend(audit.complaints.into_iter().map(complaint));
        Ok(violations)
    }
}

/// Whether `node` breaks the protocol.
fn breaks(node: &Node) -> bool {
    node.plot.is_some_and(|plot| plot.attack.breach().is_some())
}
