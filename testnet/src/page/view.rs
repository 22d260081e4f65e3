//! What the page shows: a copy of what is known of a run, small however long it lasts.

use althing_protocol::{event::Phase, ids::Hash};

use crate::{
    observer::{NodeView, Observer, RoundView},
    report::Spread,
    setup::Federation,
    status::Status,
    traffic::Traffic,
};

/// Rounds that are shown.
const ROUNDS_MAX: usize = 300;

/// Everything that the page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// The short id of the federation.
    pub network: String,
    /// What is trained, on what.
    pub task: String,
    /// What the run counts: `round` or `step`.
    pub unit: &'static str,
    /// Rounds or steps wanted.
    pub goal: u64,
    /// The open round, or the last step that anybody has ended.
    pub number: u64,
    /// The phase of the round at whoever is furthest.
    pub phase: Option<Phase>,
    /// Who was elected to chair it.
    pub chair: Option<String>,
    /// Plans and Settles that another had to propose.
    pub takeovers: u64,
    /// The nodes.
    pub nodes: Vec<NodeRow>,
    /// Settled rounds or ended steps, the oldest first.
    pub rounds: Vec<RoundRow>,
    /// What the run has said, the newest last.
    pub said: Vec<String>,
}

/// What a node's process is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Doing {
    /// It runs.
    Running,
    /// It was told to end and has not yet.
    Ending,
    /// There is none.
    #[default]
    Down,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeRow {
    /// What people call it.
    pub name: String,
    /// How it attacks, if it does.
    pub attack: Option<String>,
    /// What its process is doing.
    pub doing: Doing,
    /// Times that it was started.
    pub lives: u32,
    /// The last round that it is known to have settled, or step that it has ended.
    pub reached: u64,
    /// What it owns, in micro-credits; unknown before the first settlement.
    pub credits: Option<u64>,
    /// From 0 to 1,000; unknown until it was asked.
    pub reputation: Option<i64>,
    /// Of the model that it has, from 0 to 1, once judged.
    pub accuracy: Option<f64>,
    /// Sent in all its lives, in bytes.
    pub sent_bytes: u64,
    /// Received in all its lives, in bytes.
    pub received_bytes: u64,
    /// `host:port` of its own page.
    pub page: Option<String>,
}

/// A settled round, or an ended step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoundRow {
    /// Which.
    pub number: u64,
    /// Who proposed its settlement; nobody proposes a step.
    pub by: Option<String>,
    /// Of its model, or the mean over the nodes' models, from 0 to 1, once judged.
    pub accuracy: Option<f64>,
    /// Its length at the median node.
    pub duration_ms: Option<u64>,
    /// Updates that entered the model, or models that entered others'.
    pub updates: usize,
    /// What it paid, in micro-credits.
    pub paid: u64,
    /// Sent by all nodes until its end, in bytes.
    pub sent_bytes: Option<u64>,
}

/// How good a model is, if it was judged.
pub type Accuracy<'a> = dyn FnMut(&Hash) -> Option<f64> + 'a;

/// What a view is made of.
pub struct Sight<'a> {
    /// The members.
    pub federation: &'a Federation,
    /// What they have said.
    pub observer: &'a Observer,
    /// What they have sent.
    pub traffic: &'a Traffic,
    /// What each process is doing, and how often it was started.
    pub processes: Vec<(Doing, u32)>,
    /// What each node has last told of itself when it was asked.
    pub told: &'a [Option<Status>],
    /// How good a model is, if it was judged.
    pub accuracy: &'a mut Accuracy<'a>,
}

impl View {
    /// Whether the run has rounds, a ledger and credits; an epidemic one has steps alone.
    pub fn has_ledger(&self) -> bool {
        self.unit == "round"
    }

    /// Takes in what is known by now.
    pub fn look(&mut self, sight: Sight<'_>) {
        let Sight { federation, observer, traffic, processes, told, accuracy } = sight;
        let is_epidemic = !self.has_ledger();
        let open = observer.rounds().iter().next_back().filter(|_| !is_epidemic);
        (self.number, self.phase, self.chair) = match open {
            Some((number, round)) => (*number, round.phase, round.elected.map(|id| federation.name_of(&id))),
            None => (observer.steps().last(), None, None),
        };
        self.takeovers = observer.rounds().values().map(RoundView::takeovers).sum();
        self.rounds = if is_epidemic { steps(observer, accuracy) } else { rounds(federation, observer, accuracy) };
        for round in &mut self.rounds {
            round.sent_bytes = traffic.up_to(round.number).map(|wire| wire.sent_bytes);
        }
        let settle = observer.rounds().values().rev().find_map(|round| round.settle.as_ref());
        let row = |(place, view): (usize, &NodeView)| {
            let node = &federation.nodes[place];
            let (doing, lives) = processes.get(place).copied().unwrap_or_default();
            let wire = traffic.of(place);
            NodeRow {
                name: node.name.clone(),
                attack: node.plot.map(|plot| plot.attack.to_string()),
                doing,
                lives,
                reached: if is_epidemic { view.step } else { view.round },
                credits: settle.and_then(|settle| settle.credits.balances.get(&node.id).copied()),
                reputation: told.get(place).and_then(|told| told.as_ref()?.reputation).filter(|_| !is_epidemic),
                accuracy: model_of(observer, place, is_epidemic).and_then(|model| accuracy(&model)),
                sent_bytes: wire.sent_bytes,
                received_bytes: wire.received_bytes,
                page: view.http.clone().filter(|_| doing == Doing::Running),
            }
        };
        self.nodes = observer.nodes().iter().enumerate().map(row).collect();
    }
}

/// The model that the node has by what it said last.
fn model_of(observer: &Observer, place: usize, is_epidemic: bool) -> Option<Hash> {
    let view = observer.nodes().get(place)?;
    if is_epidemic {
        return Some(observer.steps().get(view.step)?.get(&place)?.model.hash);
    }
    Some(observer.rounds().get(&view.round)?.settle.as_ref()?.model.hash)
}

fn rounds(federation: &Federation, observer: &Observer, accuracy: &mut Accuracy<'_>) -> Vec<RoundRow> {
    let settled =
        observer.rounds().iter().rev().filter_map(|(number, round)| Some((number, round, round.settle.as_ref()?)));
    let mut rows: Vec<RoundRow> = settled
        .take(ROUNDS_MAX)
        .map(|(number, round, settle)| RoundRow {
            number: *number,
            by: Some(federation.name_of(&settle.proposer)),
            accuracy: accuracy(&settle.model.hash),
            duration_ms: round.duration_ms(),
            updates: settle.updates,
            paid: settle.paid,
            sent_bytes: None,
        })
        .collect();
    rows.reverse();
    rows
}

/// A step counts once every node has ended it.
fn steps(observer: &Observer, accuracy: &mut Accuracy<'_>) -> Vec<RoundRow> {
    let nodes = observer.nodes().len();
    let ended: Vec<_> = observer.steps().iter().filter(|(_, ended)| ended.len() == nodes).collect();
    let latest = ended.iter().skip(ended.len().saturating_sub(ROUNDS_MAX));
    latest
        .map(|(number, ended)| {
            let judged: Vec<f64> = ended.values().filter_map(|ended| accuracy(&ended.model.hash)).collect();
            let is_judged = judged.len() == nodes;
            RoundRow {
                number: *number,
                accuracy: Spread::of(&judged).filter(|_| is_judged).map(|spread| spread.mean),
                duration_ms: observer.steps().duration_ms(*number),
                updates: ended.values().map(|ended| ended.accepted).sum(),
                ..RoundRow::default()
            }
        })
        .collect()
}
