use std::fs;

use althing_protocol::genesis::Member;

use super::*;
use crate::{keyfile::KeyFile, learn::catalogue::Catalogue};

fn example() -> Genesis {
    let members = ["anna", "berta", "carla"]
        .iter()
        .map(|name| {
            let key = KeyFile::generate(name).unwrap();
            Member { name: (*name).to_owned(), id: key.id(), power: 1, anchor: key.anchor() }
        })
        .collect();
    let facts = Catalogue::built_in().facts("lenet", "mnist", 1).unwrap();
    let founder = Draft { name: "village".into(), model: "lenet".into(), dataset: "mnist".into(), seed: 1, members };
    draft(founder, facts)
}

#[test]
fn a_saved_genesis_is_the_same_network() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("genesis.toml");
    let mut genesis = example();
    // A fraction that has no short decimal form must come back bit for bit.
    genesis.task.learning_rate = 0.1 + 0.2;
    genesis.task.seed = i64::MAX as u64;
    save(&genesis, &path).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(loaded, genesis);
    assert_eq!(loaded.network(), genesis.network());
    assert!(fs::read_to_string(&path).unwrap().contains(&genesis.network().to_string()));
    assert!(matches!(save(&genesis, &path), Err(GenesisFileError::File(FileError::Exists { .. }))));
}

#[test]
fn typical_costs_fit_under_the_reserve_price() {
    let genesis = example();
    let one = &genesis.contracts[0];
    let cost = 6_750 * 20 * u64::from(one.epochs);
    assert!(cost < genesis.market.reserve_price * u64::from(one.value));
    let winners = u64::from(genesis.market.max_winners);
    let for_delivery = genesis.market.budget_per_round * (1_000 - u64::from(genesis.market.bonus_permille)) / 1_000;
    assert!(winners * cost <= for_delivery, "the budget pays a full house of dear members");
}

#[test]
fn what_cannot_be_a_genesis_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("genesis.toml");
    let genesis = example();
    save(&genesis, &path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let twice = genesis.members[0].id.to_string();
    let edits = [
        (text.replace("batch = 32", "batch = 0"), "task.batch is 0, but must be from 1 to 65536"),
        (text.replace("max_winners = 4", "max_winners = 129"), "market.max_winners"),
        (text.replace("max_losses = 10", "max_losses = 10001"), "market.max_losses"),
        (text.replace("learning_rate = 0.05", "learning_rate = nan"), "task.learning_rate"),
        (text.replace(&genesis.members[1].id.to_string(), &twice), "listed twice"),
        (text.replace("batch = 32", "batches = 32"), "unknown field `batches`"),
        (text.replace("batch = 32", "batch = \"32\""), "genesis.toml:11: "),
        (text.replace(&twice, &twice[..10]), "expected 64 hexadecimal digits"),
        (text.replace("name = \"berta\"", "name = \"b\\u001b[2J\""), "members.name"),
        (text[..text.len() / 2].to_owned(), "genesis.toml:"),
        ("#".repeat(MAX_GENESIS_BYTES + 1), "longer than"),
        (String::new(), "missing field"),
    ];
    for (edited, wanted) in edits {
        assert_ne!(edited, text, "{wanted}");
        fs::write(&path, &edited).unwrap();
        let error = load(&path).expect_err(wanted).to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
        assert!(error.contains("genesis.toml") && error.contains(';') && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_draft_that_breaks_a_bound_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("genesis.toml");
    let mut genesis = example();
    genesis.members.clear();
    assert!(matches!(save(&genesis, &path), Err(GenesisFileError::Invalid { .. })));
    let mut genesis = example();
    genesis.task.seed = u64::MAX;
    if let Err(error) = save(&genesis, &path) {
        assert!(matches!(error, GenesisFileError::Unwritable { .. }), "{error}");
        assert!(!path.exists());
    } else {
        assert_eq!(load(&path).unwrap(), genesis);
    }
}
