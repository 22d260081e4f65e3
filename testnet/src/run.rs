//! One run from the first key to the report.

mod sight;

use std::{
    collections::BTreeMap,
    future::Future,
    num::NonZeroU64,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use althing_protocol::{
    epidemic::Topology,
    event::Event,
    ids::{BlobRef, Hash},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval, sleep_until},
};

use crate::{
    accuracy::{Examiner, Judge},
    althing::Althing,
    audit::{self, Audit},
    error::Error,
    fleet::Fleet,
    folder,
    hunt::{Hunt, Order},
    observer::{Line, Observer},
    options::RunOptions,
    page::{Page, View},
    process::{Input, Life},
    progress::{Progress, RoundLine, StepLine},
    report::{self, Findings, Spread, Summary},
    setup::{self, Federation, Node},
    status::Status,
    traffic::Traffic,
};

/// How often memory is read, the bar is redrawn, and restarts are considered.
const TICK: Duration = Duration::from_millis(200);
/// How long the models that are still to be judged may take after the last round.
const JUDGE_PATIENCE: Duration = Duration::from_secs(120);
/// Steps by which the line of a step may be late, so that it can tell its accuracies.
const STEP_LINES_LATE: u64 = 3;

/// Runs a federation as `options` say and writes its report.
///
/// # Errors
/// [`Error`] if the run could not be made at all. A run that was made but went wrong has a summary that did not pass.
pub async fn run(options: &RunOptions) -> Result<Summary, Error> {
    unless_interrupted(conduct(options)).await
}

/// Drops `work`, and with it every node, at ctrl-c and at SIGTERM.
///
/// # Errors
/// [`Error::Interrupted`] then, or what `work` fails with.
pub async fn unless_interrupted<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let listen = |kind| signal(kind).map_err(Error::io("listen for signals"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => Err(Error::Interrupted),
        _ = terminate.recv() => Err(Error::Interrupted),
    }
}

async fn conduct(options: &RunOptions) -> Result<Summary, Error> {
    let althing = Althing::find(options)?;
    let data = setup::find_data(options)?;
    let folder = folder::prepare(&options.report)?;
    let federation = setup::prepare(&althing, options, &setup::sites(options)?, &data, folder).await?;
    let judge = start_judge(&althing, &federation)?;
    let progress = Progress::start(options.rounds);
    progress.say(&format!(
        "network {}: {} nodes in {}, whose agents {}",
        federation.network.short(),
        options.nodes,
        federation.folder.display(),
        options.endpoint.as_ref().map_or_else(|| "decide by rules".to_owned(), |endpoint| format!("ask {endpoint}")),
    ));
    let view = sight::first(options, &federation);
    let page = Page::start(options.page, view.clone()).await?;
    progress.say(&format!("all nodes on one page: http://{}/", page.address()));
    let begun = Instant::now();
    let mut run = Run {
        observer: Observer::new(federation.nodes.len()),
        fleet: Fleet::local(&althing, &federation)?,
        hunt: Hunt::new(options.kill_aggregator_every.and_then(NonZeroU64::new)),
        traffic: Traffic::default(),
        judge: Some(judge),
        accuracies: BTreeMap::new(),
        progress,
        shown: 0,
        rounds: options.rounds,
        topology: options.exchange,
        page,
        view,
        told: vec![None; federation.nodes.len()],
    };
    run.fleet.start_all(&mut run.observer).await?;
    let mut complaints = run.drive(options.timeout()).await?;
    let wall = begun.elapsed();
    run.progress.say("the rounds are over: stopping the nodes, checking their ledgers, judging the last models");
    complaints.extend(run.stop().await?);
    let audit = if options.is_epidemic() { Audit::default() } else { audit::audit(&althing, &federation).await };
    let remarks = run.judge_rest().await;
    run.show();
    run.progress.finish();
    let peak_rss_bytes = run.fleet.dismiss().await;
    report::write(&Findings {
        options,
        federation: &federation,
        observer: &run.observer,
        traffic: &run.traffic,
        accuracies: &run.accuracies,
        accuracy_source: Some(format!("test set of {}, judged by althing model evaluate", options.dataset)),
        audit: &audit,
        kills: run.hunt.kills(),
        peak_rss_bytes: &peak_rss_bytes,
        wall,
        complaints,
        remarks,
    })
}

fn start_judge(althing: &Althing, federation: &Federation) -> Result<Judge, Error> {
    let config = federation.nodes.first().map(Node::config).unwrap_or_default();
    let examiner = Examiner { althing: althing.binary().to_owned(), config };
    Judge::start(Box::new(examiner), federation.folder.join("models"))
}

/// A federation at work.
struct Run<'a> {
    fleet: Fleet<'a>,
    observer: Observer,
    hunt: Hunt,
    traffic: Traffic,
    /// Gone when it has judged everything.
    judge: Option<Judge>,
    /// What it found.
    accuracies: BTreeMap<Hash, f64>,
    progress: Progress,
    /// The last round of which a line was shown.
    shown: u64,
    /// Rounds or steps wanted.
    rounds: u64,
    /// Whether nodes take rounds or steps.
    topology: Topology,
    page: Page,
    /// What the page shows.
    view: View,
    /// What each node has last told of itself when it was asked.
    told: Vec<Option<Status>>,
}

impl Run<'_> {
    /// Watches, and breaks, until every node has settled the last round. Returns what went wrong meanwhile.
    async fn drive(&mut self, timeout: Duration) -> Result<Vec<String>, Error> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.is_finished() {
            let broken = tokio::select! {
                input = self.fleet.next_input() => self.take(input).await?,
                _ = tick.tick() => {
                    self.on_tick()?;
                    None
                }
                () = sleep_until(deadline) => Some(format!("time is up after {} s", timeout.as_secs())),
            };
            if let Some(complaint) = broken {
                self.progress.say(&complaint);
                return Ok(vec![complaint]);
            }
        }
        Ok(Vec::new())
    }

    fn is_finished(&self) -> bool {
        let all = 0..self.observer.nodes().len();
        !self.hunt.is_anybody_down() && all.into_iter().all(|node| self.has_reached(node, self.rounds))
    }

    /// Whether `node`, in its present life, is known to have come through this round or step.
    fn has_reached(&self, node: usize, number: u64) -> bool {
        match self.topology {
            Topology::Elected => self.observer.has_settled(node, number),
            Topology::Epidemic { .. } => self.observer.nodes().get(node).is_some_and(|view| view.step >= number),
        }
    }

    /// The last round that anybody has settled, or step that anybody has ended.
    fn last_reached(&self) -> u64 {
        match self.topology {
            Topology::Elected => self.observer.last_settled(),
            Topology::Epidemic { .. } => self.observer.steps().last(),
        }
    }

    /// Takes in one input. A complaint means that the run is broken.
    async fn take(&mut self, input: Input) -> Result<Option<String>, Error> {
        match input {
            Input::Line(life, line) => self.take_line(life, &line).await?,
            Input::Status(life, round, status) => {
                self.traffic.note(life, round, status.wire);
                self.told[life.node] = Some(status);
            }
            Input::Ended(life, status) => {
                if let Some(error) = self.fleet.ended(life, status) {
                    // Before the first decision there is nothing to report, and the reason is likely the user's to mend.
                    return if self.last_reached() == 0 { Err(error) } else { Ok(Some(error.to_string())) };
                }
            }
        }
        Ok(None)
    }

    async fn take_line(&mut self, life: Life, line: &Line) -> Result<(), Error> {
        let settled_before = self.observer.last_settled();
        let stepped_before = self.observer.steps().last();
        self.observer.observe(life.node, line);
        match &line.event {
            Event::Planned { round, elected, .. } if round.0 <= self.rounds => {
                if let Some(elected) = self.fleet.federation().index_of(elected) {
                    let order = self.hunt.planned(round.0, elected, now_ms());
                    self.carry_out(order, round.0).await?;
                }
            }
            Event::Settled { round, model, .. } => {
                self.offer(life.node, model);
                if round.0 > settled_before {
                    self.fleet.ask_all(&self.observer, round.0);
                }
            }
            Event::Adopted { model, .. } => self.offer(life.node, model),
            Event::Stepped { step, model, .. } => {
                self.offer(life.node, model);
                if step.0 > stepped_before {
                    self.began_step(step.0).await?;
                }
            }
            _ => {}
        }
        self.look_for_returns();
        Ok(())
    }

    /// Somebody is the first to have ended a step. In an epidemic federation its number is the run's clock.
    async fn began_step(&mut self, step: u64) -> Result<(), Error> {
        if matches!(self.topology, Topology::Elected) || step > self.rounds {
            return Ok(());
        }
        self.fleet.ask_all(&self.observer, step);
        let victim = usize::try_from(step).unwrap_or_default() % self.observer.nodes().len();
        let order = self.hunt.planned(step, victim, now_ms());
        self.carry_out(order, step).await
    }

    fn offer(&mut self, node: usize, model: &BlobRef) {
        if let Some(judge) = &mut self.judge {
            judge.offer(model, &self.fleet.federation().nodes[node].blob(&model.hash));
        }
    }

    async fn carry_out(&mut self, order: Option<Order>, round: u64) -> Result<(), Error> {
        match order {
            Some(Order::Kill(node)) => {
                let name = &self.fleet.federation().nodes[node].name;
                let whom = match self.topology {
                    Topology::Elected => format!("round {round:>3}: kill -9 {name}, which chairs it"),
                    Topology::Epidemic { .. } => format!("step {round:>3}: kill -9 {name}"),
                };
                self.progress.say(&whom);
                let wire = self.fleet.kill(node, &self.observer).await?;
                if let Some((life, wire)) = wire {
                    self.traffic.note(life, round.saturating_sub(1), wire);
                }
            }
            Some(Order::Restart(node)) => {
                self.fleet.restart(node, &mut self.observer)?;
                let name = &self.fleet.federation().nodes[node].name;
                self.progress.say(&format!("{} {round:>3}: {name} is started again", self.unit()));
            }
            None => {}
        }
        Ok(())
    }

    fn look_for_returns(&mut self) {
        let waiting = |kill: &&crate::hunt::Kill| kill.back_ms.is_none() && kill.restarted_ms.is_some();
        let here = |kill: &crate::hunt::Kill| self.has_reached(kill.node, kill.round);
        let returned: Vec<(usize, u64)> = self
            .hunt
            .kills()
            .iter()
            .filter(waiting)
            .filter(|kill| here(kill))
            .map(|kill| (kill.node, kill.round))
            .collect();
        for (node, round) in returned {
            self.hunt.caught_up(node, round, now_ms());
            let name = &self.fleet.federation().nodes[node].name;
            self.progress.say(&format!("{} {round:>3}: {name} has caught up", self.unit()));
        }
    }

    fn on_tick(&mut self) -> Result<(), Error> {
        self.fleet.read_memory();
        self.show();
        // What a dying node has still to say belongs to its old life, so its next one waits for that to be said.
        if self.fleet.is_anybody_dying() {
            return Ok(());
        }
        let reached = self.last_reached();
        // A node is killed when others have ended a step, and stays down until they have ended the next.
        let over = reached.saturating_sub(u64::from(matches!(self.topology, Topology::Epidemic { .. })));
        if let Some(Order::Restart(node)) = self.hunt.tick(over, now_ms()) {
            self.fleet.restart(node, &mut self.observer)?;
            let name = &self.fleet.federation().nodes[node].name;
            self.progress.say(&format!("{} {reached:>3}: {name} is started again", self.unit()));
        }
        Ok(())
    }

    /// What a run counts.
    const fn unit(&self) -> &'static str {
        match self.topology {
            Topology::Elected => "round",
            Topology::Epidemic { .. } => "step",
        }
    }

    fn show(&mut self) {
        while let Some(line) = self.next_step_line() {
            self.shown = line.step;
            self.progress.stepped(&line);
        }
        while let Some(line) = self.next_round_line() {
            self.shown = line.round;
            self.progress.settled(&line);
        }
        if let Some((number, view)) = self.observer.rounds().iter().next_back() {
            let aggregator = view.elected.map_or_else(String::new, |id| self.fleet.federation().name_of(&id));
            self.progress.stands(*number, &aggregator, view.phase);
        }
        self.show_page();
    }

    /// The next settled round to be shown. It waits for its accuracy, but for no more than the next round.
    fn next_round_line(&mut self) -> Option<RoundLine> {
        let next = self.observer.rounds().range(self.shown + 1..).next();
        let (round, view) = next.filter(|(round, _)| **round <= self.rounds)?;
        let settle = view.settle.as_ref()?;
        let accuracy = match &mut self.judge {
            Some(judge) => judge.accuracy(&settle.model.hash),
            None => self.accuracies.get(&settle.model.hash).copied(),
        };
        let may_wait = self.judge.is_some() && self.observer.last_settled() == *round;
        if accuracy.is_none() && may_wait {
            return None;
        }
        let balances = settle.credits.balances.values().copied();
        let before = self.observer.rounds().range(..=*round);
        Some(RoundLine {
            round: *round,
            aggregator: self.fleet.federation().name_of(&settle.proposer),
            accuracy,
            credits: (balances.clone().min().unwrap_or_default(), balances.max().unwrap_or_default()),
            takeovers: before.map(|(_, view)| view.takeovers()).sum(),
            duration_ms: view.duration_ms(),
        })
    }

    /// The next step to be shown, once every node has ended it. It waits for its accuracies, but not for long.
    fn next_step_line(&mut self) -> Option<StepLine> {
        let step = self.shown + 1;
        let nodes = self.observer.nodes().len();
        let is_due = !matches!(self.topology, Topology::Elected) && step <= self.rounds;
        let ended = self.observer.steps().get(step).filter(|ended| is_due && ended.len() == nodes)?;
        let honest = ended.iter().filter(|(node, _)| self.fleet.federation().nodes[**node].plot.is_none());
        let judged: Option<Vec<f64>> = honest
            .map(|(_, ended)| match &mut self.judge {
                Some(judge) => judge.accuracy(&ended.model.hash),
                None => self.accuracies.get(&ended.model.hash).copied(),
            })
            .collect();
        let may_wait = self.judge.is_some() && self.last_reached() < step + STEP_LINES_LATE;
        if judged.is_none() && may_wait {
            return None;
        }
        let accuracy = judged.and_then(|accuracies| Spread::of(&accuracies));
        let accepted = ended.values().map(|ended| ended.accepted).sum();
        let refused = ended.values().map(|ended| ended.refused).sum();
        Some(StepLine { step, accuracy, accepted, refused, duration_ms: self.observer.steps().duration_ms(step) })
    }

    /// Stops all nodes in good order and takes in their last words. Returns what went wrong.
    async fn stop(&mut self) -> Result<Vec<String>, Error> {
        self.fleet.read_memory();
        let mut complaints = self.fleet.stop_all(&mut self.observer, &mut self.traffic).await?;
        for (node, view) in self.fleet.federation().nodes.iter().zip(self.observer.nodes()) {
            if view.farewell.is_none() && complaints.is_empty() {
                complaints.push(format!("{} did not say that it stopped in good order", node.name));
            }
        }
        Ok(complaints)
    }

    /// Judges what is left. Returns remarks about models that could not be judged.
    async fn judge_rest(&mut self) -> Vec<String> {
        let settled = self.observer.rounds().values().filter_map(|view| Some(view.settle.as_ref()?.model));
        let stepped = self.observer.steps().iter().flat_map(|(_, nodes)| nodes.values().map(|ended| ended.model));
        let models: Vec<BlobRef> = settled.chain(stepped).collect();
        for model in &models {
            for node in 0..self.observer.nodes().len() {
                self.offer(node, model);
            }
        }
        let Some(judge) = self.judge.take() else { return Vec::new() };
        match tokio::task::spawn_blocking(move || judge.finish(JUDGE_PATIENCE)).await {
            Ok((accuracies, remarks)) => {
                self.accuracies = accuracies;
                remarks
            }
            Err(error) => vec![format!("the models were not judged: {error}")],
        }
    }
}

/// Unix milliseconds.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
