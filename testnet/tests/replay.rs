//! Whole replays through the `testnet` program, over one round of the real data.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs `testnet replay` with a report in a folder of its own.
fn replay(report: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testnet"));
    command.arg("replay").args(arguments).arg("--report").arg(report);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_replay_reports_and_tells_whether_the_figure_was_reached() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let short = ["fedavg-2nn", "--rounds-max", "1", "--seeds", "2", "--seed", "7", "--json"];
    let output = replay(&report, &short);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let case = &summary["cases"][0];
    assert_eq!((&case["bars"][0]["figure"], &case["median"]), (&87.into(), &Value::Null));
    assert_eq!(summary["holds"], false);
    let seeds: Vec<_> = case["runs"].as_array().unwrap().iter().map(|run| run["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [7, 8]);
    assert!(case["runs"][0]["best_accuracy"].as_f64().unwrap() > 0.6, "{summary:#}");
    assert_eq!(std::fs::read(report.join("summary.json")).unwrap(), output.stdout);
    let curves = std::fs::read_to_string(report.join("accuracy.csv")).unwrap();
    assert!(curves.lines().count() == 3 && curves.contains("\niid,7,1,0."), "{curves}");

    let output = replay(&report, &[&short[..], &["--require"]].concat());
    assert_eq!(output.status.code(), Some(1), "the figure is missed");
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(again["cases"], summary["cases"], "the same seeds give the same models");

    let more = ["fedavg-2nn", "--rounds-max", "1", "--seeds", "2", "--seed", "6", "--json", "--resume"];
    let output = replay(&report, &more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("seed 6: ") && !said.contains("seed 7"), "only what is missing is played: {said}");
    let resumed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(resumed["cases"][0]["runs"][1], case["runs"][0]);
    assert_eq!(replay(&report, &["niid", "--resume"]).status.code(), Some(2), "these are runs of another setting");
}

#[test]
fn mistakes_are_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let wrong: [(&[&str], &str); 3] = [
        (&["fedavg-2nn", "--require", "--target", "0.9"], "--require"),
        (&["niid", "--partition", "label:11"], "label:11"),
        (&["niid", "--partition", "halves"], "halves"),
    ];
    for (arguments, words) in wrong {
        let output = replay(&report, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
    let output = replay(&report, &["niid", "--data", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
