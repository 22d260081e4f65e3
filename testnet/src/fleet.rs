//! All node processes of a run: started, killed, started again, stopped.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    althing::Althing,
    error::Error,
    observer::Observer,
    page::Doing,
    process::{self, Hostile, INPUTS_MAX, Input, Launch, Life, Place, Process, peak_rss_bytes},
    setup::Federation,
    status::{self, Wire},
    traffic::Traffic,
    warden::{Signal, Warden},
};

/// How long the first node may take until it listens: it reads its data and makes the first model.
const LISTEN_PATIENCE: Duration = Duration::from_secs(60);
/// How long a node may take to stop in good order: it may have to finish a training step.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// How long a node that is about to be killed may take to tell its counters. Its round must not be over by then.
const LAST_WORD_PATIENCE: Duration = Duration::from_millis(300);

/// What a node is meant to be doing.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing: it is down.
    Down,
    /// Running.
    Up(Process),
    /// Ending, because it was told to.
    Ending(Process),
}

impl State {
    const fn process(self) -> Option<Process> {
        match self {
            Self::Down => None,
            Self::Up(process) | Self::Ending(process) => Some(process),
        }
    }
}

/// All node processes of a run.
pub(crate) struct Fleet<'a> {
    althing: &'a Althing,
    /// This program, which nodes that attack run in.
    own: PathBuf,
    federation: &'a Federation,
    /// Where each node runs.
    places: Vec<Place>,
    warden: Warden,
    states: Vec<State>,
    /// Starts of each node so far.
    starts: Vec<u32>,
    peaks: Vec<u64>,
    sender: Sender<Input>,
    inputs: Receiver<Input>,
}

impl<'a> Fleet<'a> {
    /// Processes of this machine like any other. Nobody runs yet.
    pub(crate) fn local(althing: &'a Althing, federation: &'a Federation) -> Result<Self, Error> {
        Self::new(althing, federation, vec![Place::default(); federation.nodes.len()], "")
    }

    /// Processes in `places`, one for each node. However this ends, the commands of `last_will` are carried out.
    pub(crate) fn new(
        althing: &'a Althing,
        federation: &'a Federation,
        places: Vec<Place>,
        last_will: &str,
    ) -> Result<Self, Error> {
        let (sender, inputs) = channel(INPUTS_MAX);
        let count = federation.nodes.len();
        Ok(Self {
            althing,
            own: std::env::current_exe().map_err(Error::io("find this program"))?,
            federation,
            places,
            warden: Warden::start(last_will)?,
            states: vec![State::Down; count],
            starts: vec![0; count],
            peaks: vec![0; count],
            sender,
            inputs,
        })
    }

    pub(crate) const fn federation(&self) -> &'a Federation {
        self.federation
    }

    /// What happens next at any node, in its present life.
    pub(crate) async fn next_input(&mut self) -> Input {
        loop {
            match self.inputs.recv().await {
                Some(Input::Line(life, _)) if !self.is_present(life) => {}
                Some(input) => return input,
                // We hold a sender ourselves, so the channel never closes; if it did, there would be nothing to hear.
                None => std::future::pending().await,
            }
        }
    }

    fn is_present(&self, life: Life) -> bool {
        self.states[life.node].process().is_some_and(|process| process.life == life)
    }

    /// Starts the first node and, once it listens, all others.
    pub(crate) async fn start_all(&mut self, observer: &mut Observer) -> Result<(), Error> {
        self.launch(0, observer)?;
        let deadline = Instant::now() + LISTEN_PATIENCE;
        while observer.nodes()[0].address.is_none() {
            match timeout_at(deadline, self.next_input()).await {
                Ok(Input::Line(life, line)) => observer.observe(life.node, &line),
                Ok(Input::Status(..)) => {}
                Ok(Input::Ended(life, status)) => {
                    if let Some(error) = self.ended(life, status) {
                        return Err(error);
                    }
                }
                Err(_) => return Err(self.silent(0)),
            }
        }
        (1..self.states.len()).try_for_each(|node| self.launch(node, observer))
    }

    fn silent(&self, node: usize) -> Error {
        let node = &self.federation.nodes[node];
        Error::Silent { name: node.name.clone(), seconds: LISTEN_PATIENCE.as_secs(), log: node.log() }
    }

    /// Starts a node and shows it the way to all that run.
    fn launch(&mut self, node: usize, observer: &Observer) -> Result<(), Error> {
        let runs = |other: &usize| *other != node && matches!(self.states[*other], State::Up(_));
        let others = (0..self.states.len()).filter(runs);
        let bootstrap = others.filter_map(|other| observer.nodes()[other].address.clone()).collect();
        let life = Life { node, number: self.starts[node] };
        let launch = Launch {
            binary: self.althing.binary(),
            node: &self.federation.nodes[node],
            hostile: Hostile {
                binary: &self.own,
                accomplices: self.federation.attackers().map(|(node, _)| node.id).collect(),
            },
            life,
            bootstrap,
            place: &self.places[node],
            group: self.warden.group(),
        };
        self.states[node] = State::Up(process::launch(launch, self.sender.clone())?);
        self.starts[node] += 1;
        Ok(())
    }

    /// Starts a node again.
    pub(crate) fn restart(&mut self, node: usize, observer: &mut Observer) -> Result<(), Error> {
        observer.restarted(node);
        self.launch(node, observer)
    }

    /// Kills a node, without warning to itself. Returns what its counters showed just before.
    pub(crate) async fn kill(&mut self, node: usize, observer: &Observer) -> Result<Option<(Life, Wire)>, Error> {
        let State::Up(process) = self.states[node] else { return Ok(None) };
        let mut wire = None;
        if let Some(address) = &observer.nodes()[node].http
            && let Ok(Ok(status)) = timeout(LAST_WORD_PATIENCE, status::get(address)).await
        {
            wire = Some((process.life, status.wire));
        }
        self.end(node).await?;
        Ok(wire)
    }

    /// Kills a node, without a word.
    pub(crate) async fn end(&mut self, node: usize) -> Result<(), Error> {
        let State::Up(process) = self.states[node] else { return Ok(()) };
        self.read_memory();
        self.states[node] = State::Ending(process);
        self.warden.signal(Signal::Kill, process.pid).await
    }

    /// Lets a node that runs stand still, or go on.
    pub(crate) async fn signal(&mut self, node: usize, signal: Signal) -> Result<(), Error> {
        match self.states[node] {
            State::Up(process) => self.warden.signal(signal, process.pid).await,
            State::Down | State::Ending(_) => Ok(()),
        }
    }

    /// Whether a node has no process.
    pub(crate) fn is_down(&self, node: usize) -> bool {
        matches!(self.states[node], State::Down)
    }

    /// What each node's process is doing, and how often it was started.
    pub(crate) fn doings(&self) -> Vec<(Doing, u32)> {
        let doing = |state: &State| match state {
            State::Down => Doing::Down,
            State::Up(_) => Doing::Running,
            State::Ending(_) => Doing::Ending,
        };
        self.states.iter().map(doing).zip(self.starts.iter().copied()).collect()
    }

    /// Whether some node was told to end and has not yet.
    pub(crate) fn is_anybody_dying(&self) -> bool {
        self.states.iter().any(|state| matches!(state, State::Ending(_)))
    }

    /// A process has ended. If nobody told it to, that is an error.
    pub(crate) fn ended(&mut self, life: Life, status: ExitStatus) -> Option<Error> {
        let state = self.states[life.node];
        if !self.is_present(life) {
            return None;
        }
        self.states[life.node] = State::Down;
        if matches!(state, State::Ending(_)) {
            return None;
        }
        let node = &self.federation.nodes[life.node];
        let (name, log) = (node.name.clone(), node.log());
        let tail = process::tail(&log);
        Some(Error::NodeEnded { name, status: status.to_string(), code: status.code(), log, tail })
    }

    /// Takes note of everybody's memory.
    pub(crate) fn read_memory(&mut self) {
        for (state, peak) in self.states.iter().zip(&mut self.peaks) {
            if let Some(bytes) = state.process().and_then(|process| peak_rss_bytes(process.pid)) {
                *peak = (*peak).max(bytes);
            }
        }
    }

    /// Asks every node that serves for its counters; the answers are inputs.
    pub(crate) fn ask_all(&self, observer: &Observer, round: u64) {
        for (state, view) in self.states.iter().zip(observer.nodes()) {
            let (State::Up(process), Some(address)) = (state, view.http.clone()) else { continue };
            let (life, sender) = (process.life, self.sender.clone());
            tokio::spawn(async move {
                // A node that does not answer is counted at the next round, or has just been killed.
                if let Ok(status) = status::get(&address).await {
                    let _ = sender.send(Input::Status(life, round, status)).await;
                }
            });
        }
    }

    /// Tells all nodes to stop and takes in what they still say. Returns who had to be killed.
    pub(crate) async fn stop_all(
        &mut self,
        observer: &mut Observer,
        traffic: &mut Traffic,
    ) -> Result<Vec<String>, Error> {
        for node in 0..self.states.len() {
            if let State::Up(process) = self.states[node] {
                self.states[node] = State::Ending(process);
                self.warden.signal(Signal::Term, process.pid).await?;
            }
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.is_anybody_dying() {
            match timeout_at(deadline, self.next_input()).await {
                Ok(Input::Line(life, line)) => observer.observe(life.node, &line),
                Ok(Input::Status(life, round, status)) => traffic.note(life, round, status.wire),
                Ok(Input::Ended(life, status)) => drop(self.ended(life, status)),
                Err(_) => return self.kill_the_rest().await,
            }
        }
        Ok(Vec::new())
    }

    async fn kill_the_rest(&mut self) -> Result<Vec<String>, Error> {
        let mut complaints = Vec::new();
        for (node, state) in self.federation.nodes.iter().zip(&self.states) {
            if let Some(process) = state.process() {
                self.warden.signal(Signal::Kill, process.pid).await?;
                let seconds = STOP_PATIENCE.as_secs();
                complaints.push(format!("{} did not stop within {seconds} s and was killed", node.name));
            }
        }
        while self.is_anybody_dying() {
            if let Input::Ended(life, status) = self.next_input().await {
                drop(self.ended(life, status));
            }
        }
        Ok(complaints)
    }

    /// Everybody has stopped: ends the warden. Returns the most memory that each node had resident, in bytes.
    pub(crate) async fn dismiss(self) -> Vec<u64> {
        self.warden.dismiss().await;
        self.peaks
    }
}
