//! Exported ledgers that somebody has changed.

use std::fs;

use althing_protocol::{
    body::{Body, Evidence},
    ids::Hash,
};
use serde_json::{Value, json};

use crate::harness::{Federation, Signal};

/// A change to an export.
struct Change {
    what: &'static str,
    make: fn(&mut Value),
    code: i32,
    says: &'static str,
}

const CHANGES: [Change; 10] = [
    Change {
        what: "nothing decided left",
        make: |ledger| ledger["decisions"] = json!("none"),
        code: 2,
        says: "is no exported ledger",
    },
    Change {
        what: "another format",
        make: |ledger| ledger["format"] = json!("ledger-9"),
        code: 2,
        says: "its format is \"ledger-9\"",
    },
    Change {
        what: "another network",
        make: |ledger| ledger["network"] = json!("01".repeat(32)),
        code: 2,
        says: "is the ledger of network 0101",
    },
    Change {
        what: "a body that is no hex",
        make: |ledger| ledger["decisions"][0]["body"] = json!("xyz"),
        code: 2,
        says: "is no exported ledger",
    },
    Change { what: "a body cut short", make: cut_body, code: 1, says: "height 3: the certificate is for another body" },
    Change {
        what: "a price that was changed",
        make: |ledger| reprice(ledger, Certified::AsBefore),
        code: 1,
        says: "height 3: the certificate is for another body",
    },
    Change {
        what: "a price that was changed, with the certificate",
        make: |ledger| reprice(ledger, Certified::Anew),
        code: 1,
        says: "height 3: ",
    },
    Change {
        what: "a certificate without signatures",
        make: |ledger| certificate(ledger)["signatures"] = json!([]),
        code: 1,
        says: "height 3: ",
    },
    Change { what: "a signature of another height", make: move_signatures, code: 1, says: "height 3: " },
    Change {
        what: "a decision left out",
        make: leave_out,
        code: 1,
        says: "decision 3 has the certificate of height 4",
    },
];

#[test]
fn no_changed_ledger_is_good() {
    let mut alone = Federation::of(1).start();
    alone.seats[0].wait_settled(3);
    assert_eq!(alone.stop(0, Signal::Terminate).code(), Some(0));
    alone.ledger(0);
    let dir = alone.seats[0].dir.clone();
    let text = fs::read_to_string(dir.join("export.json")).unwrap();
    let verify = ["ledger", "verify", "changed.json", "--genesis", "../genesis.toml"];
    for Change { what, make, code, says } in CHANGES {
        let mut ledger: Value = serde_json::from_str(&text).unwrap();
        make(&mut ledger);
        fs::write(dir.join("changed.json"), ledger.to_string()).unwrap();
        println!("{what}");
        alone.run(0, &verify).refuses(code, &["changed.json", says]);
    }
    fs::write(dir.join("changed.json"), &text[..text.len() / 2]).unwrap();
    alone.run(0, &verify).refuses(2, &["is no exported ledger", "althing ledger export"]);
    alone.run(0, &["ledger", "verify", "nowhere.json", "--genesis", "../genesis.toml"]).refuses(2, &["does not exist"]);
    let other = Federation::of(1);
    let genesis = other.path("genesis.toml");
    let elsewhere = ["ledger", "verify", "export.json", "--genesis", genesis.to_str().unwrap()];
    alone.run(0, &elsewhere).refuses(2, &["give the genesis that belongs to it"]);
}

#[test]
fn there_is_no_ledger_before_the_first_run() {
    let alone = Federation::of(1);
    for words in [&["ledger", "show"][..], &["ledger", "export", "--out", "x.json"]] {
        alone.run(0, words).refuses(2, &["there is no ledger", "run the node first"]);
    }
}

/// The certificate of height 3: the Plan of the second round.
fn certificate(ledger: &mut Value) -> &mut Value {
    &mut ledger["decisions"][2]["certificate"]
}

fn body(ledger: &Value) -> Vec<u8> {
    hex::decode(ledger["decisions"][2]["body"].as_str().unwrap()).unwrap()
}

fn cut_body(ledger: &mut Value) {
    let bytes = body(ledger);
    ledger["decisions"][2]["body"] = json!(hex::encode(&bytes[..bytes.len() - 1]));
}

fn leave_out(ledger: &mut Value) {
    ledger["decisions"].as_array_mut().unwrap().remove(2);
}

fn move_signatures(ledger: &mut Value) {
    let others = ledger["decisions"][3]["certificate"]["signatures"].clone();
    certificate(ledger)["signatures"] = others;
}

/// Whether the certificate is made to name the changed body.
enum Certified {
    AsBefore,
    Anew,
}

/// Makes the winner's bid cheaper by what nobody would notice: the last bit of what is opened.
fn reprice(ledger: &mut Value, certified: Certified) {
    let mut bytes = body(ledger);
    let Evidence::Plan(plan) = Body::decode(&bytes).unwrap().evidence else { panic!("height 3 is a Plan") };
    let reveal = althing_protocol::codec::encode(&plan.bids[0].1);
    let place = bytes.windows(reveal.len()).position(|window| window == reveal).unwrap();
    bytes[place + reveal.len() / 2] ^= 1;
    ledger["decisions"][2]["body"] = json!(hex::encode(&bytes));
    if let Certified::Anew = certified {
        certificate(ledger)["body"] = json!(Hash::of(&bytes).to_string());
    }
}
