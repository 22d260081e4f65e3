//! Whole runs of the `testnet` program against players that speak a node's lines (`fake-althing.sh`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Long enough for a loaded machine; no test waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run in a folder of its own.
struct Testnet {
    folder: tempfile::TempDir,
    command: Command,
}

impl Testnet {
    fn new(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-althing.sh");
        command.args(["run", "--json", "--althing"]).arg(fake).arg("--report").arg(folder.path().join("report"));
        command.args(arguments).stdin(Stdio::null());
        Self { folder, command }
    }

    fn fault(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    fn output(&mut self) -> Output {
        self.command.output().unwrap()
    }

    /// Runs it; returns its exit code and its summary.
    fn summary(&mut self) -> (i32, Value) {
        let output = self.output();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no summary: {words}"));
        let file = fs::read(self.report().join("summary.json")).unwrap();
        assert_eq!(file, output.stdout, "the file is what is printed");
        (output.status.code().unwrap(), summary)
    }
}

fn failures(summary: &Value) -> String {
    summary["failures"].to_string()
}

#[test]
fn a_run_with_kills_passes_and_reports() {
    let mut testnet = Testnet::new(&["--nodes", "4", "--rounds", "5", "--kill-aggregator-every", "2"]);
    let (code, summary) = testnet.summary();
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!(summary["rounds_settled"], 5);
    assert_eq!(summary["takeovers"], 2);
    assert_eq!(summary["heads_equal"], true);
    assert_eq!(summary["supply_conserved"], true);
    assert_eq!(summary["credits"]["node-3"], 15_000_000);
    let kills = summary["kills"].as_array().unwrap();
    assert_eq!(kills.len(), 2);
    assert_eq!((&kills[0]["node"], &kills[0]["round"]), (&Value::from("node-2"), &Value::from(2)));
    assert!(kills.iter().all(|kill| kill["catch_up_s"].is_f64()), "{kills:?}");
    assert!(summary["peak_rss_mb"]["node-1"].as_f64().unwrap() > 0.1);
    for file in ["rounds.csv", "credits.csv", "accuracy.svg", "credits.png", "bytes.png", "ledger-4.json"] {
        assert!(testnet.report().join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let starts = fs::read_to_string(testnet.report().join("node-2/events.jsonl")).unwrap();
    assert_eq!(starts.matches(r#""event":"started""#).count(), 2, "it had two lives");
    let config = fs::read_to_string(testnet.report().join("node-2/node.toml")).unwrap();
    assert!(config.contains("parts = 4") && config.contains("part = 1") && config.contains("mdns = false"), "{config}");
}

#[test]
fn an_epidemic_run_counts_steps_and_audits_nothing() {
    let options = ["--exchange", "epidemic:2", "--kill-aggregator-every", "3"];
    let mut testnet = Testnet::new(&[&["--nodes", "3", "--rounds", "7"], &options[..]].concat());
    let (code, summary) = testnet.summary();
    assert_eq!(code, 0, "{summary:#}");
    assert_eq!((&summary["options"]["exchange"], &summary["heads_equal"]), (&"epidemic:2".into(), &Value::Null));
    assert_eq!((&summary["exchange"]["steps_ended"], &summary["rounds_settled"]), (&7.into(), &0.into()));
    assert!(summary["exchange"]["accepted"].as_u64().unwrap() >= 2 * 3 * 7 - 6, "{summary:#}");
    let kills = summary["kills"].as_array().unwrap();
    assert!(!kills.is_empty() && kills.iter().all(|kill| kill["catch_up_s"].is_f64()), "{kills:?}");
    let table = fs::read_to_string(testnet.report().join("steps.csv")).unwrap();
    assert!(table.lines().count() == 8 && table.starts_with("step,nodes,seconds"), "{table}");
    assert!(!testnet.report().join("rounds.csv").exists());
}

#[test]
fn without_json_the_last_words_are_a_table() {
    let mut testnet = Testnet::new(&["--nodes", "1", "--rounds", "1"]);
    let kept: Vec<_> = testnet.command.get_args().filter(|argument| *argument != "--json").map(Into::into).collect();
    testnet.command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    let output = testnet.command.args::<Vec<std::ffi::OsString>, _>(kept).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(words.contains("passed") && words.contains("verified, and all agree"), "{words}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn whatever_the_ledgers_lack_fails_the_run() {
    for (fault, value, field) in [("FAKE_FORK", "2", "heads_equal"), ("FAKE_LEAK", "1", "supply_conserved")] {
        let (code, summary) = Testnet::new(&["--nodes", "3", "--rounds", "1"]).fault(fault, value).summary();
        assert_eq!((code, &summary[field]), (1, &Value::from(false)), "{fault}");
    }
}

#[test]
fn a_node_that_ends_by_itself_fails_the_run_and_its_log_is_shown() {
    let (code, summary) = Testnet::new(&["--nodes", "3", "--rounds", "9"]).fault("FAKE_CRASH", "3").summary();
    assert_eq!(code, 1);
    assert!(failures(&summary).contains("node-3 ended by itself"), "{summary:#}");
    assert!(failures(&summary).contains("the roof fell in"), "{summary:#}");
    assert_eq!(summary["rounds_settled"], 1);
}

#[test]
fn rounds_that_do_not_come_run_out_of_time() {
    let arguments = ["--nodes", "2", "--rounds", "1", "--timeout-s", "1"];
    let (code, summary) = Testnet::new(&arguments).fault("FAKE_MUTE", "1").summary();
    assert_eq!(code, 1);
    assert!(failures(&summary).contains("time is up after 1 s"), "{summary:#}");
    assert_eq!(summary["final_accuracy"], Value::Null);
}

#[test]
fn the_users_mistakes_exit_with_2_and_say_what_to_do() {
    let refused = Testnet::new(&["--nodes", "2", "--rounds", "1"]).fault("FAKE_REFUSE", "1");
    let no_data = Testnet::new(&["--data", "/nonexistent"]);
    let foreign = Testnet::new(&["--nodes", "1", "--rounds", "1"]);
    fs::create_dir(foreign.report()).unwrap();
    fs::write(foreign.report().join("thesis.txt"), "years of work").unwrap();
    let no_round = Testnet::new(&["--rounds", "0"]);
    let cases =
        [(refused, "use iid"), (no_data, "--data DIR"), (foreign, "no testnet wrote"), (no_round, "--rounds <N>")];
    for (mut testnet, words) in cases {
        let output = testnet.output();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
        assert!(output.stdout.is_empty());
    }
}

/// Waits until `found` finds something.
fn await_some<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process is at work; one that only waits to be buried is not.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

fn node_pids(report: &Path) -> Option<Vec<u32>> {
    let pid = |node| fs::read_to_string(report.join(format!("node-{node}/pid"))).ok()?.trim().parse().ok();
    (1..=2).map(pid).collect()
}

fn signal(child: &Child, name: &str) {
    let order = format!("kill -s {name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
}

#[test]
fn nodes_never_outlive_the_testnet() {
    for (how, code) in [("INT", Some(1)), ("TERM", Some(1)), ("KILL", None)] {
        let mut testnet = Testnet::new(&["--nodes", "2", "--rounds", "100"]);
        let mut child = testnet.command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pids = await_some("both nodes run", || node_pids(&testnet.report()));
        signal(&child, how);
        assert_eq!(child.wait().unwrap().code(), code, "{how}");
        for pid in pids {
            await_some("the nodes are gone", || (!is_alive(pid)).then_some(()));
        }
    }
}
