//! The `althing` binary as people and scripts meet it: exit codes, one line on stderr, JSON on stdout.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use althing_node::{
    genesis_file::{self, Draft, draft},
    keyfile::KeyFile,
    learn::catalogue::Catalogue,
    store::{FILE_NAME, Store},
};
use althing_protocol::{
    genesis::{Genesis, Member},
    ids::NetworkId,
};
use serde_json::Value;

fn althing(dir: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_althing")).current_dir(dir).args(words).output().unwrap()
}

fn json(dir: &Path, words: &[&str]) -> Value {
    let output = althing(dir, words);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fails as it should: with `code`, nothing on stdout, and one line that says `wanted`.
fn refuses(dir: &Path, words: &[&str], code: i32, wanted: &str) {
    let output = althing(dir, words);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{words:?}");
    assert_eq!(stderr.lines().count(), 1, "{words:?}: {stderr}");
    assert!(stderr.starts_with("althing: ") && stderr.contains(wanted), "{words:?}: {stderr}");
}

/// A folder with `key.toml`, `genesis.toml` and `node.toml`.
fn node_folder() -> (tempfile::TempDir, Genesis) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let made = json(dir, &["key", "new", "--name", "anna", "--json"]);
    let key = KeyFile::load(&dir.join("key.toml")).unwrap();
    assert_eq!(made["id"], key.id().to_string());
    let founder = Draft {
        name: "village".into(),
        model: "lenet".into(),
        dataset: "mnist".into(),
        seed: 1,
        members: vec![Member { name: "anna".into(), id: key.id(), power: 1, anchor: key.anchor() }],
    };
    let facts = Catalogue::built_in().facts("lenet", "mnist", 1).unwrap();
    let genesis = draft(founder, facts);
    genesis_file::save(&genesis, &dir.join("genesis.toml")).unwrap();
    let text = "genesis = \"genesis.toml\"\nkey = \"key.toml\"\ndata_dir = \"data\"\n";
    fs::write(dir.join("node.toml"), text).unwrap();
    (folder, genesis)
}

#[test]
fn answers_are_text_or_json() {
    let (folder, genesis) = node_folder();
    let dir = folder.path();
    let shown = json(dir, &["key", "show", "--json"]);
    assert_eq!(shown["member"], format!("anna:{}:{}", genesis.members[0].id, genesis.members[0].anchor));
    let text = String::from_utf8(althing(dir, &["key", "show"]).stdout).unwrap();
    assert!(text.contains("member  anna:"), "{text}");
    assert_eq!(json(dir, &["genesis", "check", "--json"])["network"], genesis.network().to_string());
    assert_eq!(json(dir, &["genesis", "show", "--json"])["genesis"]["market"]["max_winners"], 4);
    let text = String::from_utf8(althing(dir, &["genesis", "show"]).stdout).unwrap();
    assert!(text.contains("nobody that delivers loses more than 10 bids in a row"), "{text}");
    assert_eq!(json(dir, &["status", "--json"])["running"], false);
}

#[test]
fn help_and_version_teach() {
    let dir = tempfile::tempdir().unwrap();
    for (words, wanted) in [
        (&["--help"][..], "Examples, from nothing to a node"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
        (&["genesis", "new", "--help"], "NAME:ID:ANCHOR"),
        (&["ledger", "verify", "--help"], "village.ledger"),
    ] {
        let output = althing(dir.path(), words);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(wanted), "{words:?}");
    }
    for words in [&[][..], &["fly"], &["key", "new"], &["run", "--bootstrap", "nowhere"], &["genesis", "new"]] {
        let output = althing(dir.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn a_users_mistake_is_2_and_one_line() {
    let (folder, _) = node_folder();
    let dir = folder.path();
    refuses(dir, &["key", "new", "--name", "berta"], 2, "never overwritten");
    refuses(dir, &["key", "show", "nobody.toml"], 2, "does not exist");
    refuses(dir, &["key", "show", "."], 2, "check the path");
    refuses(dir, &["key", "show", "genesis.toml"], 2, "althing key new");
    refuses(dir, &["genesis", "check", "key.toml"], 2, "althing genesis new");
    refuses(dir, &["status", "--config", "none.toml"], 2, "does not exist");
    fs::write(dir.join("bad.toml"), "genesis = 1\n").unwrap();
    refuses(dir, &["status", "--config", "bad.toml"], 2, "bad.toml:1: ");
    drop(Store::open(&dir.join("data"), &NetworkId([1; 32])).unwrap());
    refuses(dir, &["status"], 2, "belongs to network 01010101");
    let output = Command::new(env!("CARGO_BIN_EXE_althing"))
        .current_dir(dir)
        .env("ALTHING_LOG", "althing=loud=er")
        .args(["key", "show"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_fault_is_1_and_one_line() {
    let (folder, genesis) = node_folder();
    let dir = folder.path();
    let store = Store::open(&dir.join("data"), &genesis.network()).unwrap();
    refuses(dir, &["status"], 1, "ask again");
    drop(store);
    let path = dir.join("data").join(FILE_NAME);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
    refuses(dir, &["status"], 1, "is damaged");
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    let (folder, _) = node_folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_althing"))
        .current_dir(folder.path())
        .args(["genesis", "show"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}
