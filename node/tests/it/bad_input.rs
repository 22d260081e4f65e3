//! What people get wrong and what machines do wrong: one exit code, one line that says what to do, and no panic.

mod faults;
mod ledgers;

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

use althing_node::{keyfile::KeyFile, store::Store};
use althing_protocol::ids::NetworkId;

use crate::harness::{Federation, config, mnist};

/// Something that is wrong with a node's files.
struct Case {
    /// What is wrong.
    what: &'static str,
    /// Does it, to the folder of a member.
    spoil: fn(&Path),
    /// What the line must say.
    says: &'static [&'static str],
}

/// A member's files, and what must be done about each of their faults. All of these are the user's to correct.
const CASES: [Case; 21] = [
    Case {
        what: "no configuration",
        spoil: |dir| remove(dir, "node.toml"),
        says: &["node.toml does not exist", "create"],
    },
    Case {
        what: "a configuration cut short",
        spoil: |dir| write(dir, "node.toml", "genesis = \"../ge"),
        says: &["node.toml:1: ", "correct that line"],
    },
    Case {
        what: "a configuration with a typing error",
        spoil: |dir| edit(dir, "node.toml", "parts", "prats"),
        says: &["node.toml:", "prats", "correct that line"],
    },
    Case {
        what: "a part that is none",
        spoil: |dir| edit(dir, "node.toml", "part = 0", "part = 60"),
        says: &["data.part is 60", "below data.parts"],
    },
    Case {
        what: "a partition that is none",
        spoil: |dir| edit(dir, "node.toml", "parts = 60", "partition = \"random\"\nparts = 60"),
        says: &["random", "iid"],
    },
    Case {
        what: "pages for everybody",
        spoil: |dir| append(dir, "node.toml", "[http]\nlisten = \"0.0.0.0:0\"\n"),
        says: &["not loopback", "127.0.0.1"],
    },
    Case {
        what: "no genesis",
        spoil: |dir| remove(dir, "../genesis.toml"),
        says: &["genesis.toml does not exist", "check the path"],
    },
    Case {
        what: "a genesis cut short",
        spoil: |dir| cut(&dir.join("../genesis.toml"), 300),
        says: &["genesis.toml:", "althing genesis new"],
    },
    Case {
        what: "a genesis out of bounds",
        spoil: |dir| edit(dir, "../genesis.toml", "batch = 32", "batch = 0"),
        says: &["task.batch is 0", "must be from 1"],
    },
    Case {
        what: "a model that is none",
        spoil: |dir| edit(dir, "../genesis.toml", "\"2nn\"", "\"gpt\""),
        says: &["gpt", "2nn", "lenet"],
    },
    Case {
        what: "a data schema that is none",
        spoil: |dir| edit(dir, "../genesis.toml", "\"mnist\"", "\"emnist\""),
        says: &["emnist", "mnist"],
    },
    Case {
        what: "another first model",
        spoil: |dir| edit(dir, "../genesis.toml", "seed = 1", "seed = 2"),
        says: &["another first model", "version of the program"],
    },
    Case { what: "no key", spoil: |dir| remove(dir, "key.toml"), says: &["key.toml does not exist"] },
    Case {
        what: "a key cut short",
        spoil: |dir| cut(&dir.join("key.toml"), 250),
        says: &["key file", "althing key new"],
    },
    Case {
        what: "a key that was edited",
        spoil: |dir| edit(dir, "key.toml", "\nsecret = \"", "\nsecret = \"0"),
        says: &["does not follow from the secrets", "restore it"],
    },
    Case { what: "a key of nobody", spoil: another_key, says: &["is no member of village", "ask the founder"] },
    Case {
        what: "no data",
        spoil: |dir| edit(dir, "node.toml", "testnet/data/mnist", "testnet/data/emnist"),
        says: &["emnist"],
    },
    Case {
        what: "data cut short",
        spoil: |dir| cut(&own_data(dir).join("train-images-idx3-ubyte.gz"), 5_000),
        says: &["train-images", "fresh copy"],
    },
    Case {
        what: "data that is something else",
        spoil: |dir| write(&own_data(dir), "train-labels-idx1-ubyte.gz", "labels"),
        says: &["train-labels", "fresh copy"],
    },
    Case {
        what: "a file in place of the data folder",
        spoil: |dir| write(dir, "data", ""),
        says: &["cannot open the store", "writable"],
    },
    Case {
        what: "a folder that cannot be made",
        spoil: |dir| edit(dir, "node.toml", "\"data\"", "\"/proc/data\""),
        says: &["cannot open the store /proc/data", "writable"],
    },
];

#[test]
fn each_mistake_in_a_file_is_named_in_one_line() {
    for Case { what, spoil, says } in CASES {
        let alone = Federation::of(1);
        spoil(&alone.seats[0].dir);
        println!("{what}");
        alone.run(0, &["run", "--json"]).refuses(2, says);
    }
}

#[test]
fn a_busy_port_is_named() {
    let alone = Federation::of(1);
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let node = alone.seats[0].dir.join("node.toml");
    fs::write(&node, config(0).replace("/tcp/0", &format!("/tcp/{port}"))).unwrap();
    alone.run(0, &["run"]).refuses(2, &[&format!("/ip4/127.0.0.1/tcp/{port}"), "stop what holds this port"]);
    fs::write(&node, config(0) + &format!("[http]\nlisten = \"127.0.0.1:{port}\"\n")).unwrap();
    alone.run(0, &["run"]).refuses(2, &[&format!("127.0.0.1:{port} is in use"), "127.0.0.1:0 for any free port"]);
}

#[test]
fn a_store_that_is_anothers_is_left_alone() {
    let mut alone = Federation::of(1);
    drop(Store::open(&alone.seats[0].dir.join("data"), &NetworkId([1; 32])).unwrap());
    for words in [&["run"][..], &["status"], &["ledger", "show"]] {
        alone.run(0, words).refuses(2, &["belongs to network 01010101", "another data_dir"]);
    }
    fs::remove_dir_all(alone.seats[0].dir.join("data")).unwrap();
    alone.launch(0);
    alone.run(0, &["run"]).refuses(2, &["in use by another process", "stop that node"]);
    let settled = alone.seats[0].settled();
    alone.seats[0].wait_settled(settled + 1);
    let heights = alone.answer(0, &["ledger", "show"])["heights"].as_u64();
    assert!(heights >= Some(2), "a node that runs is asked for its ledger");
}

fn remove(dir: &Path, name: &str) {
    fs::remove_file(dir.join(name)).unwrap();
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
}

fn append(dir: &Path, name: &str, text: &str) {
    write(dir, name, &(fs::read_to_string(dir.join(name)).unwrap() + text));
}

fn edit(dir: &Path, name: &str, from: &str, to: &str) {
    let text = fs::read_to_string(dir.join(name)).unwrap();
    assert!(text.contains(from), "{from:?} is not in {name}");
    write(dir, name, &text.replacen(from, to, 1));
}

/// Leaves the first `length` bytes of a file.
fn cut(path: &Path, length: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..length.min(bytes.len() - 1)]).unwrap();
}

fn another_key(dir: &Path) {
    remove(dir, "key.toml");
    KeyFile::generate("otto").unwrap().create(&dir.join("key.toml")).unwrap();
}

/// A copy of the training data for this member alone.
fn own_data(dir: &Path) -> PathBuf {
    let copy = dir.join("mnist");
    fs::create_dir(&copy).unwrap();
    for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"] {
        fs::copy(mnist().join(name), copy.join(name)).unwrap();
    }
    edit(dir, "node.toml", mnist().to_str().unwrap(), "mnist");
    copy
}
