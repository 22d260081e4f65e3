//! Whole contests through the `testnet` program, small ones.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use althing_agents::{bidder::BidderQuestion, policy::Question};
use althing_testnet::{
    arena::{
        self, Entrant, Scored,
        contestant::{Contestant, Context, Failure},
    },
    options::{Cli, Command as Chosen},
};
use clap::Parser;
use serde_json::Value;

/// A contest that takes seconds.
const SMALL: [&str; 14] = [
    "--seeds",
    "2",
    "--contexts",
    "4",
    "--rounds",
    "2",
    "--members",
    "6",
    "--winners",
    "3",
    "--partition",
    "iid",
    "--seed",
    "5",
];

/// Runs `testnet agents` with a report in a folder of its own.
fn agents(report: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    command.arg("agents").args(SMALL).args(arguments).arg("--report").arg(report);
    command.stdin(Stdio::null()).output().unwrap()
}

fn summary(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    // What no two runs share.
    summary["wall_s"] = Value::Null;
    for seat in summary["seats"].as_array_mut().unwrap() {
        for policy in seat["policies"].as_array_mut().unwrap() {
            policy["latency_ms"] = Value::Null;
        }
    }
    summary
}

#[test]
fn everybody_is_asked_alike_and_the_order_of_menus_moves_no_rule_and_no_rival() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let output = agents(&report, &["--json"]);
    let first = summary(&output);
    let seats = first["seats"].as_array().unwrap();
    let names: Vec<&str> = seats.iter().map(|seat| seat["seat"].as_str().unwrap()).collect();
    assert_eq!(names, ["bidder", "selector", "guardian", "pace"]);
    for seat in seats {
        let policies = seat["policies"].as_array().unwrap();
        let count = match seat["seat"].as_str().unwrap() {
            "selector" => 8,
            "bidder" => 6,
            "guardian" => 4,
            _ => 5,
        };
        assert_eq!(policies.len(), count);
        for policy in policies {
            assert_eq!((&policy["valid"], &policy["fallback"]), (&1.0.into(), &0.0.into()), "{policy:#}");
            assert_eq!(policy["order_changed"], 0.0, "{policy:#}");
            assert_eq!(policy["asked"], if seat["seat"] == "selector" { 4 } else { 8 });
        }
    }
    for file in ["summary.json", "agents.csv", "rounds.csv", "regret.svg", "regret.png", "accuracy.svg"] {
        assert!(report.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let table = std::fs::read_to_string(report.join("agents.csv")).unwrap();
    let columns: Vec<usize> = table.lines().map(|line| line.split(',').count()).collect();
    assert_eq!(columns.len(), 1 + 2 * (8 + 6 + 4 + 5));
    assert!(columns.iter().all(|count| *count == columns[0]), "{table}");
    let rounds = std::fs::read_to_string(report.join("rounds.csv")).unwrap();
    assert_eq!(rounds.lines().count(), 1 + 2 * 8 * 2, "two rounds of every federation");

    let again = agents(&folder.path().join("again"), &["--json"]);
    assert_eq!(summary(&again), first, "the same seeds ask and end alike");
}

#[test]
fn a_contest_goes_on_where_it_was_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let quick = ["--seats", "bidder,pace", "--policies", "rules,random", "--json"];
    let whole = summary(&agents(&folder.path().join("whole"), &quick));
    summary(&agents(&report, &[&quick[..], &["--seats", "bidder"]].concat()[2..]));
    let output = agents(&report, &[&quick[..], &["--resume"]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("pace, seed 5") && !said.contains("bidder, seed"), "only what is missing is played: {said}");
    assert_eq!(summary(&output), whole);
    let other = agents(&report, &["--policies", "rules", "--resume"]);
    assert_eq!(other.status.code(), Some(2), "these are runs of another setting");
}

#[test]
fn mistakes_are_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let wrong: [(&[&str], &str); 4] = [
        (&["--policies", "clever"], "power-of-choice"),
        (&["--seats", "chair"], "selector"),
        (&["--members", "2"], "--winners"),
        (&["--seats", "selector", "--data", "/nowhere"], "/nowhere"),
    ];
    for (arguments, words) in wrong {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
        command.arg("agents").args(arguments).arg("--report").arg(&report).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
}

/// Somebody far away who takes the first entry after a while, and does not answer every third time.
#[derive(Default)]
struct Remote {
    asked: u64,
}

impl Contestant<Scored<BidderQuestion>> for Remote {
    fn answer(&mut self, context: &Scored<BidderQuestion>) -> Result<<BidderQuestion as Question>::Option, Failure> {
        self.asked += 1;
        tokio::runtime::Handle::current().block_on(tokio::time::sleep(Duration::from_millis(2)));
        if self.asked.is_multiple_of(3) {
            return Err(Failure("late".to_owned()));
        }
        context.question().menu().first().copied().ok_or_else(|| Failure("no menu".to_owned()))
    }
}

struct Far;

impl Entrant for Far {
    fn name(&self) -> String {
        "far".to_owned()
    }

    fn bidder(&self, _: u64) -> Option<Box<dyn Contestant<Scored<BidderQuestion>>>> {
        Some(Box::new(Remote::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whoever_answers_from_afar_takes_part_where_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let report = report.to_str().unwrap();
    let arguments =
        ["testnet", "agents", "--seats", "bidder,pace", "--policies", "rules", "--contexts", "12", "--seeds", "1"];
    let Chosen::Agents(options) = Cli::parse_from(arguments.into_iter().chain(["--report", report])).command else {
        panic!("these are the options of a contest");
    };
    let contest = tokio::task::spawn_blocking(move || arena::run(&options, vec![Box::new(Far)]));
    let summary = contest.await.unwrap().unwrap();
    let [bidder, pace] = &summary.seats[..] else { panic!("{summary:?}") };
    let names = |seat: &arena::SeatSummary| seat.policies.iter().map(|one| one.policy.clone()).collect::<Vec<_>>();
    assert_eq!((names(bidder), names(pace)), (vec!["rules".to_owned(), "far".into()], vec!["rules".into()]));
    let far = &bidder.policies[1];
    // Two answers, the second with the menu in another order, then none: half of the questions.
    assert_eq!(far.failures, [("late".to_owned(), 6)].into());
    assert_eq!((far.asked, far.valid, far.fallback), (12, 0.5, 0.5));
    assert!(far.latency_ms.unwrap()[0] >= 2.0 && far.order_changed.unwrap() > 0.5, "{far:?}");
}
