use std::{num::NonZeroU64, path::PathBuf};

use althing_protocol::{
    aggregate::Mixing,
    contribution::Contribution,
    epidemic::{Acceptance, Topology},
    event::{Account, Event},
    ids::{Height, NetworkId},
    model::Width,
    sim::attack::Attack,
    update::Codec,
};

use super::*;
use crate::{
    audit::Ledger,
    hunt::Hunt,
    observer::{
        Line,
        tests::{fold, member, model, opened, planned, settled, trained},
    },
    process::Life,
    scenario::{Misdeed, Plot},
    setup::Node,
    status::Wire,
};

/// A run of three nodes and `rounds` rounds, the second of which was taken over.
pub(crate) struct Sample {
    options: RunOptions,
    federation: Federation,
    observer: Observer,
    traffic: Traffic,
    accuracies: BTreeMap<Hash, f64>,
    audit: Audit,
    hunt: Hunt,
}

impl Sample {
    pub(crate) fn new(folder: PathBuf, rounds: u64) -> Self {
        let node = |number: u8| Node {
            name: format!("node-{number}"),
            label: number.to_string(),
            id: member(number),
            folder: folder.join(format!("node-{number}")),
            plot: (number == 3).then_some(Plot { attack: Misdeed::Lie(Attack::Mimic), from_round: 2 }),
        };
        let ledger = Ledger {
            heights: 2 * rounds,
            head: Hash([7; 32]),
            supply_conserved: true,
            minted: 0,
            burned: 0,
            balances: BTreeMap::new(),
        };
        let mut hunt = Hunt::new(NonZeroU64::new(2));
        hunt.planned(2, 2, 1_000);
        hunt.tick(2, 3_500);
        hunt.caught_up(2, 2, 4_000);
        let mut traffic = Traffic::default();
        for round in 1..=rounds {
            let wire = Wire { sent_bytes: 900_000 * round, blob_sent_bytes: 800_000 * round, ..Wire::default() };
            traffic.note(Life { node: 0, number: 0 }, round, wire);
        }
        Self {
            options: options(rounds),
            federation: Federation {
                genesis: folder.join("genesis.toml"),
                network: NetworkId([9; 32]),
                widths: vec![Width::Half],
                nodes: (1..=3).map(node).collect(),
                folder,
            },
            observer: fold(3, lines(rounds)),
            traffic,
            accuracies: (1..=rounds).map(|round| (model(round).hash, 1.0 - 0.6 / round as f64)).collect(),
            audit: Audit { ledgers: vec![Some(ledger); 3], ..Audit::default() },
            hunt,
        }
    }

    pub(crate) fn findings(&self) -> Findings<'_> {
        Findings {
            options: &self.options,
            federation: &self.federation,
            observer: &self.observer,
            traffic: &self.traffic,
            accuracies: &self.accuracies,
            accuracy_source: Some("a test".to_owned()),
            audit: &self.audit,
            kills: self.hunt.kills(),
            peak_rss_bytes: &[61_000_000, 62_500_000, 63_000_000],
            wall: Duration::from_millis(12_345),
            complaints: vec![],
            remarks: vec![],
        }
    }
}

fn options(rounds: u64) -> RunOptions {
    RunOptions {
        endpoint: None,
        asking: "each-alone".into(),
        nodes: 3,
        rounds,
        seed: 1,
        partition: "iid".into(),
        exchange: Topology::Elected,
        acceptance: Acceptance::All,
        continue_when_halted: false,
        model: "lenet".into(),
        dataset: "mnist".into(),
        scenario: Some(PathBuf::new()),
        rule: None,
        mixing: Some(Mixing::None),
        winners: None,
        voters: None,
        pause_ms: None,
        codec: Codec::Q8,
        contribution: Contribution::Shapley,
        widths: vec![Width::Half],
        report: PathBuf::new(),
        kill_aggregator_every: Some(2),
        epsilon: None,
        delta: 1e-5,
        page: crate::page::ANYWHERE,
        json: false,
        timeout_s: 60,
        althing: None,
        data: PathBuf::new(),
    }
}

fn lines(rounds: u64) -> Vec<(u64, usize, althing_protocol::event::Event)> {
    let mut lines = vec![];
    for round in 1..=rounds {
        let takeover = u32::from(round == 2);
        for node in 0..3 {
            let at = 3_000 * round + node as u64;
            lines.push((at, node, opened(round, 1)));
            lines.push((at + 500, node, planned(round, 1, 0)));
            lines.push((at + 700, node, trained(round, 1_000 * round)));
            lines.push((at + 2_000, node, settled(round, 1, takeover)));
        }
    }
    lines
}

#[test]
fn a_good_run_passes_with_these_figures() {
    let sample = Sample::new(PathBuf::from("/r"), 3);
    let findings = sample.findings();
    let summary = Summary::of(&findings, &rows(&findings), &step_rows(&findings));
    assert!(summary.passed, "{:?}", summary.failures);
    assert_eq!((summary.nodes, summary.rounds_settled, summary.rounds_empty), (3, 3, 0));
    assert_eq!((summary.distinct_aggregators, summary.takeovers), (2, 1));
    assert_eq!(summary.accuracy_by_round, [Some(0.4), Some(0.7), Some(0.8)]);
    assert_eq!(summary.final_accuracy, Some(0.8));
    assert_eq!(summary.seconds_per_round, Some(2.0));
    assert_eq!(summary.overhead_seconds_per_round, Some(1.3));
    assert_eq!((summary.model_bytes, summary.wire_bytes), (8, 2_700_000));
    assert_eq!(summary.update_bytes_per_round, Some(6_000));
    assert_eq!(summary.widths_hired, BTreeMap::from([("1/2".to_owned(), 3)]));
    let table = table(&summary);
    assert!(table.contains("0.006 MB a round, coded by q8") && table.contains("width 1/2 3 x"), "{table}");
    assert_eq!(summary.credits["node-2"], 6);
    assert_eq!(summary.peak_rss_mb["node-2"], 62.5);
    let attacker = &summary.attackers["node-3"];
    assert_eq!((attacker.attack.as_str(), attacker.from_round, summary.attackers.len()), ("mimic", 2, 1));
    assert_eq!(summary.attackers_share, attacker.credits_share);
    let owned = summary.credits["node-3"] as f64 / summary.credits.values().sum::<u64>() as f64;
    assert!((attacker.credits_share.unwrap() - owned).abs() < 1e-4);
    assert_eq!((summary.options.rule.as_str(), summary.options.mixing.as_str()), ("mean", "none"));
    assert_eq!((summary.kills[0].down_s, summary.kills[0].catch_up_s), (Some(2.5), Some(0.5)));
}

#[test]
fn every_shortcoming_is_a_failure() {
    type Spoil = fn(&mut Sample);
    let cases: [(&str, Spoil); 6] = [
        ("3 of 4 rounds", |sample| sample.options.rounds = 4),
        ("ledgers do not agree", |sample| {
            sample.audit.ledgers[1].as_mut().unwrap().head = Hash([8; 32]);
        }),
        ("supply is not conserved", |sample| {
            sample.audit.ledgers[1].as_mut().unwrap().supply_conserved = false;
        }),
        ("did not come back", |sample| {
            sample.hunt.planned(4, 1, 9_000);
        }),
        ("pays otherwise", |sample| sample.audit.replayed = Some(false)),
        ("not verified", |sample| sample.audit.complaints.push("not verified".into())),
    ];
    for (words, spoil) in cases {
        let mut sample = Sample::new(PathBuf::from("/r"), 3);
        spoil(&mut sample);
        let findings = sample.findings();
        let summary = Summary::of(&findings, &rows(&findings), &step_rows(&findings));
        assert!(!summary.passed, "{words}");
        assert!(summary.failures.iter().any(|failure| failure.contains(words)), "{words}: {:?}", summary.failures);
    }
}

#[test]
fn a_run_without_a_round_is_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut sample = Sample::new(folder.path().to_owned(), 3);
    sample.observer = Observer::new(3);
    sample.audit = Audit::default();
    let summary = write(&sample.findings()).unwrap();
    assert!(!summary.passed && summary.final_accuracy.is_none() && summary.heads_equal == Some(false));
    assert!(table(&summary).contains("FAILED"));
}

#[test]
fn names_in_the_summary_are_the_documented_ones() {
    let sample = Sample::new(PathBuf::from("/r"), 3);
    let findings = sample.findings();
    let text = Summary::of(&findings, &rows(&findings), &step_rows(&findings)).to_json();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let document = include_str!("../../../docs/testnet.md");
    for name in &names {
        assert!(document.contains(&format!("| `{name}` |")), "docs/testnet.md does not explain {name}");
    }
    for promised in [
        "nodes",
        "rounds_settled",
        "rounds_empty",
        "final_accuracy",
        "accuracy_by_round",
        "distinct_aggregators",
        "takeovers",
        "heads_equal",
        "supply_conserved",
        "seconds_per_round",
        "overhead_seconds_per_round",
        "wall_s",
        "model_bytes",
        "wire_bytes",
        "peak_rss_mb",
        "credits",
        "decisions",
    ] {
        assert!(names.contains(&promised), "{promised}");
    }
    assert_eq!(json["decisions"], serde_json::json!({"model": 0, "rules": 0, "fallback": 0}));
}

#[test]
fn what_each_node_has_spent_is_reported_over_all_its_lives() {
    let mut sample = Sample::new(PathBuf::from("/r"), 2);
    assert!(sample.findings().observer.nodes()[0].privacy.is_none());
    sample.options.epsilon = Some(4.0);
    for (node, spent_micro) in [(0, 1_000_000), (1, 250_000), (0, 1_500_000)] {
        let account = Account { epsilon_micro: 4_000_000, delta_pico: 10_000_000, spent_micro, rounds_left: 1 };
        sample.observer.restarted(node);
        sample.observer.observe(node, &Line { at_ms: 1, event: Event::Guarded { account: Some(account) } });
    }
    let findings = sample.findings();
    let summary = Summary::of(&findings, &rows(&findings), &[]);
    assert_eq!(summary.epsilon_spent, [("node-1".to_owned(), 1.5), ("node-2".to_owned(), 0.25)].into());
    let text = table(&summary);
    assert!(text.contains("epsilon 0.250 to 1.500 spent of 4 at delta 1e-5"), "{text}");
}

#[test]
fn the_csv_files_are_these() {
    let sample = Sample::new(PathBuf::from("/r"), 2);
    let findings = sample.findings();
    let rows = rows(&findings);
    assert_eq!(
        csv::rounds(&rows),
        "round,elected,settled_by,takeovers,bids,winners,updates,seconds,training_s,overhead_s,accuracy,\
         paid_micro,minted_micro,burned_micro,pool_micro,credits_min_micro,credits_max_micro,sent_bytes,blob_sent_bytes,update_bytes,refused\n\
         1,node-1,node-1,0,3,1,2,2.000,0.700,1.300,0.4000,9,10,1,2,1,3,900000,800000,3000,0\n\
         2,node-1,node-2,1,3,1,2,2.000,0.700,1.300,0.7000,9,20,2,4,2,6,900000,800000,6000,0\n"
    );
    assert_eq!(csv::credits(&["a", "b", "c"], &rows), "round,a,b,c\n1,1,2,3\n2,2,4,6\n");
}

#[test]
fn pictures_are_drawn_without_any_font_on_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::new(folder.path().to_owned(), 20);
    write(&sample.findings()).unwrap();
    for name in ["accuracy", "credits", "bytes"] {
        let png = fs::read(folder.path().join(format!("{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"), "{name}");
        assert_eq!(png[16..24], [0, 0, 4, 176, 0, 0, 2, 188], "{name} is 1200 x 700");
        let svg = fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{name}");
        assert!(svg.contains("round"), "{name} names its axis");
    }
    assert_eq!(sample.observer.rounds()[&20].settle.as_ref().unwrap().height, Height(40));
}
