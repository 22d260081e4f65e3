//! `althing doctor` on real files and processes: what is planted is found, and what is well is left in peace.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use althing_node::net::SharedKey;
use serde_json::Value;

use crate::harness::Federation;

/// What `althing doctor` says in `dir`: its exit code and findings as (check, severity, words).
fn ask(dir: &Path) -> (i32, Vec<(String, String, String)>) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_althing")).current_dir(dir).args(["doctor", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = json["findings"].as_array().unwrap().iter();
    let findings: Vec<_> =
        findings.map(|finding| (word(finding, "check"), word(finding, "severity"), word(finding, "says"))).collect();
    let code = output.status.code().unwrap();
    assert_eq!(json["fit"].as_bool().unwrap(), code == 0, "{findings:?}");
    (code, findings)
}

/// The one finding about `check` must be `severity` and say `wanted`; nothing else may stop the node.
fn finds(dir: &Path, check: &str, severity: &str, wanted: &str) {
    let (code, findings) = ask(dir);
    let found =
        |finding: &&(String, String, String)| finding.0 == check && finding.1 == severity && finding.2.contains(wanted);
    assert!(findings.iter().any(|finding| found(&finding)), "{check}: {findings:?}");
    let stops = findings.iter().filter(|finding| finding.1 == "stops").count();
    assert_eq!(stops, usize::from(severity == "stops"), "{findings:?}");
    assert_eq!(code, i32::from(severity == "stops"), "{findings:?}");
}

fn amended(dir: &Path, from: &str, to: &str) -> impl Drop + use<> {
    struct Restored(std::path::PathBuf, String);
    impl Drop for Restored {
        fn drop(&mut self) {
            fs::write(&self.0, &self.1).unwrap();
        }
    }
    let path = dir.join("node.toml");
    let text = fs::read_to_string(&path).unwrap();
    let amended = if from.is_empty() { format!("{text}{to}") } else { text.replace(from, to) };
    assert_ne!(amended, text, "{from} is there");
    fs::write(&path, amended).unwrap();
    Restored(path, text)
}

#[test]
fn a_healthy_node_has_nothing_that_stops_it_before_it_runs_and_while_it_does() {
    let mut federation = Federation::of(1);
    let dir = federation.seats[0].dir.clone();
    let (code, findings) = ask(&dir);
    assert_eq!(code, 0, "{findings:?}");
    assert!(!dir.join("data").exists(), "looking makes no store");
    federation.launch(0);
    finds(&dir, "store", "fine", "the node runs");
}

#[test]
fn planted_faults_are_found_with_what_to_do() {
    let federation = Federation::of(1);
    let dir = federation.seats[0].dir.clone();
    fs::set_permissions(dir.join("key.toml"), Permissions::from_mode(0o644)).unwrap();
    finds(&dir, "key", "warns", "chmod 600");
    fs::set_permissions(dir.join("key.toml"), Permissions::from_mode(0o600)).unwrap();

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    {
        let _restored = amended(&dir, "", &format!("[http]\nlisten = \"{address}\"\n"));
        finds(&dir, "ports", "stops", "stop whoever has it");
    }
    {
        let _restored = amended(&dir, "testnet/data/mnist", "testnet/data/emnist");
        finds(&dir, "data", "stops", "emnist");
    }
    {
        let _restored = amended(&dir, "[net]\n", "[net]\nshared_key_file = \"shared.key\"\n");
        finds(&dir, "shared key", "stops", "does not exist");
        fs::write(dir.join("shared.key"), "no key").unwrap();
        finds(&dir, "shared key", "stops", "chmod 600");
        fs::remove_file(dir.join("shared.key")).unwrap();
        SharedKey::generate().unwrap().create(&dir.join("shared.key")).unwrap();
        finds(&dir, "shared key", "fine", "is there");
    }
    drop(taken);
    {
        let _restored = amended(&dir, "", &format!("[agents]\nendpoint = \"http://{address}\"\n"));
        finds(&dir, "endpoint", "warns", "agents decide by rules");
    }
    let genesis = fs::File::open(dir.join("../genesis.toml")).unwrap();
    genesis.set_modified(SystemTime::now() + Duration::from_secs(86_400)).unwrap();
    finds(&dir, "clock", "warns", "in the future");
    genesis.set_modified(SystemTime::now()).unwrap();

    fs::write(dir.join("data"), "a file where a folder belongs").unwrap();
    finds(&dir, "store", "stops", "nothing can be written");
}
