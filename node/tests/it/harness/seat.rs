//! One member: its folder, its key, and the process that runs for it, if one does.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use althing_node::{driver::Line, keyfile::KeyFile};
use althing_protocol::{
    event::{Event, Phase},
    ids::{MemberId, Round},
};

use super::PATIENCE;

/// Lines of a node that may wait to be read: more than any test here makes.
const LINES_MAX: usize = 1 << 16;

/// Things told that are shown when a test has failed.
const LAST_WORDS: usize = 25;

/// A member of the federation under test.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) key: KeyFile,
    pub(crate) dir: PathBuf,
    /// Where the running process can be dialled.
    pub(crate) address: Option<String>,
    process: Option<Process>,
    /// All that its processes have told, one life after the other.
    told: Vec<Event>,
    /// What the test has looked at already.
    looked: usize,
    /// Where the present life begins.
    born: usize,
}

struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Seat {
    pub(crate) fn new(name: String, key: KeyFile, dir: PathBuf) -> Self {
        Self { name, key, dir, address: None, process: None, told: Vec::new(), looked: 0, born: 0 }
    }

    pub(crate) fn id(&self) -> MemberId {
        self.key.id()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The number of the running process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").child.id()
    }

    /// Starts the process, and waits for nothing.
    pub(crate) fn spawn(&mut self, bootstrap: &[String], group: i32) {
        assert!(self.process.is_none(), "{} runs already", self.name);
        self.born = self.told.len();
        self.looked = self.born;
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
        command.current_dir(&self.dir).args(["run", "--json"]);
        for address in bootstrap {
            command.args(["--bootstrap", address]);
        }
        command.env("RAYON_NUM_THREADS", "1").env("MALLOC_ARENA_MAX", "2").process_group(group);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().expect("the binary starts");
        let lines = follow(child.stdout.take().unwrap());
        self.process = Some(Process { child, lines });
    }

    /// Waits until the process can be dialled.
    pub(crate) fn wait_listening(&mut self) {
        let address = self.wait("an address to dial", |event| match event {
            Event::Listening { address } => Some(address.clone()),
            _ => None,
        });
        self.address = Some(address);
        // What came before it is as interesting as what comes now.
        self.looked = self.born;
    }

    /// The next thing told that `pick` takes; what comes before it counts as looked at.
    pub(crate) fn wait<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            while self.looked < self.told.len() {
                self.looked += 1;
                if let Some(found) = pick(&self.told[self.looked - 1]) {
                    return found;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let line = self.process.as_ref().map(|process| process.lines.recv_timeout(left));
            match line {
                Some(Ok(line)) => self.hear(&line),
                _ => panic!("{} did not tell {what}", self.name),
            }
        }
    }

    /// Waits until something that fits has been told, be it before or after now.
    pub(crate) fn wait_any(&mut self, what: &str, mut fits: impl FnMut(&Event) -> bool) {
        self.looked = self.told().len();
        if !self.told[..self.looked].iter().any(&mut fits) {
            self.wait(what, |event| fits(event).then_some(()));
        }
    }

    /// Waits until the member has settled a round of at least this number; which one it was.
    pub(crate) fn wait_settled(&mut self, least: u64) -> Round {
        self.wait(&format!("that round {least} is settled"), |event| match event {
            Event::Settled { round, .. } if round.0 >= least => Some(*round),
            _ => None,
        })
    }

    pub(crate) fn wait_phase(&mut self, wanted: Phase) -> Round {
        self.wait(&format!("phase {wanted:?}"), |event| match event {
            Event::PhaseEntered { round, phase } if *phase == wanted => Some(*round),
            _ => None,
        })
    }

    /// From here on, `wait` looks only at what is told from now on.
    pub(crate) fn look_ahead(&mut self) {
        self.drain();
        self.looked = self.told.len();
    }

    /// All that has been told up to now, in all lives.
    pub(crate) fn told(&mut self) -> &[Event] {
        self.drain();
        &self.told
    }

    /// The last round that the member has settled, 0 for none.
    pub(crate) fn settled(&mut self) -> u64 {
        let settled = self.told().iter().rev().find_map(|event| match event {
            Event::Settled { round, .. } => Some(round.0),
            _ => None,
        });
        settled.unwrap_or(0)
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.process.as_mut().expect("it runs").child.kill().unwrap();
        self.wait_end();
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        let mut process = self.process.take().expect("it runs");
        self.address = None;
        // Its output closes when it ends.
        while let Ok(line) = process.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.hear(&line);
        }
        match process.child.try_wait().unwrap() {
            Some(status) => status,
            None if Instant::now() < until => process.child.wait().unwrap(),
            None => panic!("{} does not end", self.name),
        }
    }

    /// The last things that it told, for whoever wants to know why a test failed.
    pub(crate) fn last_words(&mut self) -> String {
        self.drain();
        let last = self.told[self.told.len().saturating_sub(LAST_WORDS)..].iter();
        let running = if self.is_running() { "runs" } else { "does not run" };
        let told: Vec<String> = last.map(|event| format!("  {}", serde_json::to_string(event).unwrap())).collect();
        format!("{} ({}) {running}\n{}\n{}", self.name, self.id().short(), told.join("\n"), self.stderr())
    }

    /// All that the process has written to stderr, over all lives.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log.txt")
    }

    fn drain(&mut self) {
        while let Some(Ok(line)) = self.process.as_ref().map(|process| process.lines.try_recv()) {
            self.hear(&line);
        }
    }

    fn hear(&mut self, line: &str) {
        let parsed: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", self.name));
        self.told.push(parsed.event);
    }
}

/// The whole lines of `stdout`; the last one of a killed process may be cut, and is no line.
fn follow(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(LINES_MAX);
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|length| length > 0) && line.ends_with('\n') {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    lines
}

/// An empty file to write to.
pub(crate) fn create(path: &std::path::Path) -> File {
    File::create(path).unwrap()
}
