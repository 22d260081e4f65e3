//! A federation of real node processes on loopback, so that a test reads as a script.

mod seat;
mod warden;

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use althing_node::{
    genesis_file::{self, Draft, draft},
    keyfile::KeyFile,
    learn::catalogue::Catalogue,
};
use althing_protocol::{
    body::Body,
    consensus::Certificate,
    event::Event,
    genesis::{Bounds, Genesis, Member},
    ids::{Hash, NetworkId},
    wire::Decision,
};
use serde::Deserialize;
use tempfile::TempDir;

pub(crate) use self::{
    seat::Seat,
    warden::{Signal, Warden},
};

/// Time after which a test gives up. Never reached when all is well, however loaded the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Parts that the data is dealt into, so that each node trains on few examples.
const PARTS: usize = 60;

/// The folder of the training data.
pub(crate) fn mnist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist").canonicalize().expect("the data is there")
}

/// Members, some of which may run.
pub(crate) struct Federation {
    // Before the folder, so that the processes are gone when it is removed.
    warden: Warden,
    pub(crate) seats: Vec<Seat>,
    pub(crate) genesis: Genesis,
    folder: TempDir,
}

impl Federation {
    /// A federation of `count` equal members, none of which runs yet.
    pub(crate) fn of(count: usize) -> Self {
        Self::found(&vec![1; count], |_| ())
    }

    /// A federation of members with these powers, after `amend` has had its say about the genesis.
    pub(crate) fn found(powers: &[u64], amend: impl FnOnce(&mut Genesis)) -> Self {
        let folder = TempDir::new().unwrap();
        let seats: Vec<Seat> = (0..powers.len()).map(|place| take_seat(folder.path(), place)).collect();
        let member = |(seat, power): (&Seat, &u64)| Member {
            name: seat.name.clone(),
            id: seat.id(),
            power: *power,
            anchor: seat.key.anchor(),
        };
        let founder = Draft {
            name: "village".into(),
            model: "2nn".into(),
            dataset: "mnist".into(),
            seed: 1,
            members: seats.iter().zip(powers).map(member).collect(),
        };
        let mut genesis = draft(founder, Catalogue::built_in().facts("2nn", "mnist", 1).unwrap());
        hurry(&mut genesis);
        amend(&mut genesis);
        genesis_file::save(&genesis, &folder.path().join("genesis.toml")).unwrap();
        Self { warden: Warden::start(), seats, genesis, folder }
    }

    pub(crate) fn network(&self) -> NetworkId {
        self.genesis.network()
    }

    /// Starts everybody.
    pub(crate) fn start(mut self) -> Self {
        (0..self.seats.len()).for_each(|place| self.launch(place));
        self
    }

    /// Starts the member at `place`, which dials all that run, and waits until it can be dialled itself.
    pub(crate) fn launch(&mut self, place: usize) {
        self.spawn(place);
        self.seats[place].wait_listening();
    }

    /// Starts the member at `place`, and waits for nothing.
    pub(crate) fn spawn(&mut self, place: usize) {
        let running = self.addresses();
        self.seats[place].spawn(&running, self.warden.group());
    }

    /// Where the running members can be dialled.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.seats.iter().filter_map(|seat| seat.address.clone()).collect()
    }

    /// Asks the process of `place` to end, and waits until it has.
    pub(crate) fn stop(&mut self, place: usize, signal: Signal) -> ExitStatus {
        let pid = self.seats[place].pid();
        self.warden.signal(signal, pid);
        self.seats[place].wait_end()
    }

    /// Ends all that run, and waits until they have.
    pub(crate) fn stop_all(&mut self) {
        for place in 0..self.seats.len() {
            if self.seats[place].is_running() {
                let status = self.stop(place, Signal::Terminate);
                assert_eq!(status.code(), Some(0), "{}", self.seats[place].stderr());
            }
        }
    }

    /// Everybody at `places` settles round `round`, all with the same body.
    pub(crate) fn agree_on(&mut self, places: &[usize], round: u64) -> Hash {
        let mut bodies = Vec::new();
        for &place in places {
            let seat = &mut self.seats[place];
            if seat.settled() < round {
                seat.wait_settled(round);
            }
            let body = seat.told().iter().find_map(|event| match event {
                Event::Settled { round: settled, body, .. } if settled.0 == round => Some(*body),
                _ => None,
            });
            bodies.push(body);
        }
        let told: Vec<Hash> = bodies.into_iter().flatten().collect();
        assert!(!told.is_empty() && told.iter().all(|body| *body == told[0]), "round {round}: {told:?}");
        told[0]
    }

    /// The ledger of a member that does not run, verified by the binary.
    pub(crate) fn ledger(&self, place: usize) -> Vec<Decision> {
        let seat = &self.seats[place];
        let file = seat.dir.join("export.json");
        let _ = fs::remove_file(&file);
        self.answer(place, &["ledger", "export", "--out", "export.json"]);
        let verified = self.answer(place, &["ledger", "verify", "export.json", "--genesis", "../genesis.toml"]);
        assert_eq!(verified["supply_conserved"], true);
        read_ledger(&file)
    }

    /// What the binary answers in the folder of the member at `place`.
    pub(crate) fn answer(&self, place: usize, words: &[&str]) -> serde_json::Value {
        answer(&self.seats[place].dir, words)
    }

    /// Runs the binary to its end in the folder of the member at `place`.
    pub(crate) fn run(&self, place: usize, words: &[&str]) -> Ended {
        run(&self.seats[place].dir, words)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What everybody said last, when the test has failed.
impl Drop for Federation {
    fn drop(&mut self) {
        if thread::panicking() {
            self.seats.iter_mut().for_each(|seat| eprintln!("{}", seat.last_words()));
        }
    }
}

/// Deadlines for tests: nobody here is slow, and whoever is gone was killed.
fn hurry(genesis: &mut Genesis) {
    let phases = &mut genesis.phases;
    phases.commit = Bounds { min_ms: 50, max_ms: 1_000 };
    phases.reveal = Bounds { min_ms: 50, max_ms: 1_000 };
    phases.train = Bounds { min_ms: 1_000, max_ms: 5_000 };
    phases.appraise = Bounds { min_ms: 200, max_ms: 1_000 };
    phases.absence_grace_ms = 200;
    genesis.agreement.propose_ms = 1_500;
    genesis.agreement.vote_ms = 500;
    genesis.agreement.step_ms = 250;
    genesis.agreement.rebroadcast_ms = 250;
}

/// What the binary answers in `dir`.
pub(crate) fn answer(dir: &Path, words: &[&str]) -> serde_json::Value {
    let ended = run(dir, &[words, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

fn take_seat(folder: &Path, place: usize) -> Seat {
    let name = format!("member-{place}");
    let dir = folder.join(&name);
    fs::create_dir(&dir).unwrap();
    let key = KeyFile::generate(&name).unwrap();
    key.create(&dir.join("key.toml")).unwrap();
    fs::write(dir.join("node.toml"), config(place)).unwrap();
    Seat::new(name, key, dir)
}

/// A node's configuration: everything on loopback and on free ports.
pub(crate) fn config(part: usize) -> String {
    format!(
        "genesis = \"../genesis.toml\"\nkey = \"key.toml\"\ndata_dir = \"data\"\n\
         [net]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nmdns = false\n\
         [data]\npath = {:?}\nparts = {PARTS}\npart = {part}\n",
        mnist()
    )
}

/// How a run of the binary ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// It has failed with `code`, without a panic, and with one line that says each of `wanted`; logs do not count.
    pub(crate) fn refuses(&self, code: i32, wanted: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        let lines: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("althing: ")).collect();
        let [line] = lines[..] else { panic!("not one line: {self:?}") };
        assert_eq!(self.stderr.lines().last(), Some(line), "it is the last word");
        for word in wanted {
            assert!(line.contains(word), "{word:?} is missing: {line}");
        }
    }
}

/// Runs the binary in `dir`. A run that does not end by itself is a failure of the test.
pub(crate) fn run(dir: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_althing"));
    command.args(words);
    run_command(command, dir)
}

/// Runs `command` in `dir`, as [`run`] does.
pub(crate) fn run_command(mut command: Command, dir: &Path) -> Ended {
    let warden = Warden::start();
    command.process_group(warden.group());
    let outputs = TempDir::new().unwrap();
    let (out, err) = (outputs.path().join("out"), outputs.path().join("err"));
    command.current_dir(dir).stdin(Stdio::null()).stdout(seat::create(&out)).stderr(seat::create(&err));
    let mut child = command.spawn().expect("the binary starts");
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > until => break None,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    // Whatever still runs ends with it.
    drop(warden);
    child.wait().unwrap();
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let ended = Ended { code: status.and_then(|status| status.code()), stdout: read(out), stderr: read(err) };
    assert!(status.is_some(), "it does not end: {ended:?}");
    ended
}

#[derive(Deserialize)]
struct Export {
    decisions: Vec<Exported>,
}

#[derive(Deserialize)]
struct Exported {
    body: String,
    certificate: Certificate,
}

/// The decisions in an exported ledger.
pub(crate) fn read_ledger(file: &Path) -> Vec<Decision> {
    let export: Export = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let decision = |exported: Exported| Decision {
        body: hex::decode(&exported.body).unwrap().into(),
        certificate: exported.certificate,
    };
    export.decisions.into_iter().map(decision).collect()
}

/// The ids of the bodies in `ledger`, from height 1.
pub(crate) fn ids(ledger: &[Decision]) -> Vec<Hash> {
    ledger.iter().map(|decision| Body::id_of(&decision.body)).collect()
}

/// All ledgers say the same, as far as each goes; members that stopped one after the other may differ in length.
pub(crate) fn one_history(ledgers: &[Vec<Decision>]) -> Vec<Hash> {
    let longest = ledgers.iter().map(|ledger| ids(ledger)).max_by_key(Vec::len).unwrap();
    for ledger in ledgers {
        assert_eq!(ids(ledger)[..], longest[..ledger.len()], "two histories");
    }
    longest
}
