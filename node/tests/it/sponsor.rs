//! Credits that change hands, and a job that somebody outside pays for, among real nodes.

use std::fs;

use althing_node::{keyfile::KeyFile, status::Door};
use althing_protocol::{
    crypto::Signed,
    event::Event,
    genesis::Grant,
    ids::MemberId,
    statement::{Action, Instruction},
};
use serde_json::Value;

use crate::harness::{Federation, one_history};

const CREDIT: u64 = 1_000_000;

/// Three members, and a sponsor with ten credits whose key lies in the folder of the federation.
fn village() -> (Federation, MemberId) {
    let sponsor = KeyFile::generate("sponsor").unwrap();
    let grant = Grant { account: sponsor.id(), amount: 10 * CREDIT };
    let village = Federation::found(&[1, 1, 1], |genesis| genesis.grants = vec![grant]);
    sponsor.create(&village.path("sponsor.toml")).unwrap();
    (village, sponsor.id())
}

fn balance(village: &Federation, place: usize, account: &str) -> u64 {
    let shown = village.answer(place, &["credits", "--account", account]);
    shown["passbook"]["balance"].as_u64().unwrap()
}

#[test]
fn a_sponsor_pays_for_rounds_and_can_prove_it() {
    let (village, sponsor) = village();
    let mut village = village.start();
    let by_sponsor = ["--key", "../sponsor.toml"];

    let terms = ["fund", "--rounds", "2", "--credits-per-round", "0.5"];
    let funded = village.answer(1, &[&terms[..], &by_sponsor].concat());
    assert_eq!(funded["job"], 1, "{funded}");
    village.seats[0].wait_any("that the job is funded", |event| matches!(event, Event::JobFunded { .. }));
    village.seats[0].wait_any("that the job is done", |event| matches!(event, Event::JobEnded { .. }));
    let receipt = village.answer(0, &["receipt", "1", "--out", "job.receipt"]);
    let ended = &receipt["ended"];
    let returned = ended["job"]["left"].as_u64().unwrap();
    let paid: u64 = ended["job"]["work"].as_object().unwrap().values().map(|work| work["paid"].as_u64().unwrap()).sum();
    assert!(paid > 0 && paid + returned == CREDIT, "{ended}");
    assert_eq!((ended["end"].as_str(), ended["job"]["rounds"].as_u64()), (Some("worked"), Some(2)));
    assert_eq!(balance(&village, 2, &sponsor.to_string()), 10 * CREDIT - paid);

    village.stop_all();
    one_history(&[0, 1, 2].map(|place| village.ledger(place)));
    let verify = ["ledger", "verify", "job.receipt", "--genesis", "../genesis.toml"];
    assert_eq!(village.answer(0, &verify)["ended"], *ended);
    assert_eq!(village.answer(0, &["jobs"])["ended"][0], *ended, "a node that does not run knows it too");
    for (change, says) in spoilt() {
        let path = village.seats[0].dir.join("job.receipt");
        let text = fs::read_to_string(&path).unwrap();
        let mut receipt: Value = serde_json::from_str(&text).unwrap();
        change(&mut receipt);
        fs::write(&path, receipt.to_string()).unwrap();
        village.run(0, &verify).refuses(1, &["the receipt is not good", says]);
        fs::write(&path, text).unwrap();
    }
}

#[test]
fn a_job_ends_once_members_measure_its_accuracy() {
    let (village, sponsor) = village();
    let mut village = village.start();
    // A model that guesses has a tenth, and a round or two teach it more than three.
    let terms = ["fund", "--rounds", "50", "--credits-per-round", "0.1", "--accuracy", "0.3"];
    village.answer(1, &[&terms[..], &["--key", "../sponsor.toml"]].concat());
    village.seats[0].wait_any("that the job is done", |event| matches!(event, Event::JobEnded { .. }));
    let ended = village.answer(0, &["jobs"])["ended"][0].clone();
    assert_eq!(ended["end"].as_str(), Some("reached"), "{ended}");
    assert!((1..50).contains(&ended["job"]["rounds"].as_u64().unwrap()), "{ended}");
    let left = ended["job"]["left"].as_u64().unwrap();
    let paid: u64 = ended["job"]["work"].as_object().unwrap().values().map(|work| work["paid"].as_u64().unwrap()).sum();
    assert_eq!(paid + left, 5 * CREDIT, "{ended}");
    assert_eq!(balance(&village, 2, &sponsor.to_string()), 10 * CREDIT - paid);
    village.stop_all();
    one_history(&[0, 1, 2].map(|place| village.ledger(place)));
}

/// A way to falsify a receipt, and what is said to it.
type Fraud = (fn(&mut Value), &'static str);

fn spoilt() -> [Fraud; 4] {
    [
        (|receipt| receipt["summary"]["job"]["left"] = 0.into(), "summary is not what"),
        (|receipt| receipt["job"] = 2.into(), "job 2 did not end"),
        (|receipt| receipt["decision"]["certificate"]["signatures"] = Value::Array(Vec::new()), "certificate"),
        (
            |receipt| {
                let state = receipt["state"].as_str().unwrap().to_owned();
                receipt["state"] = state[..state.len() - 2].into();
            },
            "state",
        ),
    ]
}

#[test]
fn credits_change_hands_once_and_only_by_their_owners_word() {
    let (village, sponsor) = village();
    let mut village = village.start();
    let give = ["transfer", "--to", "member-2", "--credits", "2.5", "--key", "../sponsor.toml"];
    let given = village.answer(0, &give);
    assert_eq!((given["decided"].as_bool(), given["balance_micro"].as_u64()), (Some(true), Some(7_500_000)));
    village.seats[2].wait_any(
        "that it was given credits",
        |event| matches!(event, Event::Transferred { amount: 2_500_000, from, .. } if *from == sponsor),
    );

    // The very instruction that was carried out, once more.
    let key = KeyFile::load(&village.path("sponsor.toml")).unwrap();
    let to = village.seats[2].id();
    let again = Instruction { nonce: 0, action: Action::Transfer { to, amount: 2_500_000 } };
    let door = Door::of(&village.seats[1].dir.join("data")).unwrap();
    let submit = |key: &KeyFile, instruction: &Instruction| {
        door.submit(&Signed::new(&key.keypair(), &village.network(), instruction)).unwrap_err().to_string()
    };
    assert!(submit(&key, &again).contains("has number 0, but"));
    let forger = KeyFile::generate("forger").unwrap();
    assert!(submit(&forger, &again).contains("has no account"), "whoever signs pays");

    let dear = ["transfer", "--to", "member-2", "--credits", "7.500001", "--key", "../sponsor.toml"];
    village.run(0, &dear).refuses(2, &["owns 7500000 micro-credits", "give less"]);
    village.run(0, &["transfer", "--to", "nobody", "--credits", "1"]).refuses(2, &["no member's name"]);
    village.stop_all();
    let book = village.answer(2, &["credits", "--last", "1000"]);
    let lines = book["passbook"]["entries"].as_array().unwrap();
    let gifts: Vec<_> = lines.iter().filter(|line| line["why"] == "from").collect();
    assert_eq!((gifts.len(), gifts[0]["change"].as_i64()), (1, Some(2_500_000)));
    let sum: i64 = lines.iter().map(|line| line["change"].as_i64().unwrap()).sum();
    assert_eq!(book["passbook"]["balance"].as_i64(), Some(sum), "every credit has a reason");
    village.run(0, &give).refuses(2, &["no node runs"]);
}
