//! The example as its readers run it: a federation of processes that know its model.

use std::process::Command;

use althing_testnet::{options, run};
use clap::Parser;

const PROGRAM: &str = env!("CARGO_BIN_EXE_own-model");

#[tokio::test]
async fn three_nodes_with_a_model_of_their_own_learn_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    assert!(Command::new(PROGRAM).args(["write-moons", &path("moons")]).status().unwrap().success());
    let words = "testnet run --nodes 3 --rounds 3 --partition iid --model moons-mlp --dataset moons --timeout-s 100";
    let (data, report) = (path("moons"), path("report"));
    let more = ["--althing", PROGRAM, "--data", &data, "--report", &report];
    let options::Command::Run(options) = options::Cli::parse_from(words.split(' ').chain(more)).command else {
        panic!("a run was asked for");
    };
    let summary = run::run(&options).await.unwrap();
    assert!(summary.passed, "{}", summary.to_json());
    assert_eq!((summary.rounds_settled, summary.options.dataset.as_str()), (3, "moons"));
    assert!(summary.final_accuracy.is_some_and(|accuracy| accuracy > 0.85), "{}", summary.to_json());
}

#[test]
fn a_program_without_the_model_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new(PROGRAM).current_dir(folder.path()).args(["key", "new", "--name", "anna"]).output().unwrap();
    assert!(output.status.success());
    let words = "genesis new --name v --member-key key.toml --model moons-mlp --dataset sun";
    let output = Command::new(PROGRAM).current_dir(folder.path()).args(words.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("moons-mlp for moons") && said.contains("lenet for mnist"), "{said}");
}
