//! `althing genesis`.

use std::{fmt::Write as _, path::Path};

use althing_protocol::genesis::{Aggregation, Genesis};
use serde_json::json;

use super::{Answer, credits};
use crate::{
    cli::{GenesisCommand, GenesisNewArgs, MemberArg},
    failure::Failure,
    genesis_file::{self, Draft, aggregating, draft},
    keyfile::KeyFile,
    learn::catalogue::Catalogue,
};

pub(super) fn execute(command: &GenesisCommand, catalogue: &Catalogue) -> Result<Answer, Failure> {
    match command {
        GenesisCommand::New(args) => {
            let genesis = found(args, catalogue)?;
            genesis_file::save(&genesis, &args.out)?;
            Ok(brief(&genesis, &args.out))
        }
        GenesisCommand::Check { file } => Ok(brief(&genesis_file::load(file)?, file)),
        GenesisCommand::Show { file } => Ok(full(&genesis_file::load(file)?, file)),
    }
}

fn found(args: &GenesisNewArgs, catalogue: &Catalogue) -> Result<Genesis, Failure> {
    let mut members = args.members.clone();
    for path in &args.member_keys {
        let key = KeyFile::load(path)?;
        members.push(MemberArg { name: key.name.clone(), id: key.id(), anchor: key.anchor() });
    }
    let facts = catalogue.facts(&args.model, &args.dataset, args.seed)?;
    let founder = Draft {
        name: args.name.clone(),
        model: args.model.clone(),
        dataset: args.dataset.clone(),
        seed: args.seed,
        members: members.into_iter().map(MemberArg::into_member).collect(),
    };
    let aggregation = Aggregation { rule: args.aggregation, mixing: args.mixing };
    Ok(aggregating(draft(founder, facts), aggregation))
}

/// That it is good, and which network it names.
fn brief(genesis: &Genesis, path: &Path) -> Answer {
    let (network, count) = (genesis.network(), genesis.members.len());
    let text = format!("{} is good: network {network}, {} ({count} members)\n", path.display(), genesis.name);
    Answer { text, json: json!({ "network": network, "name": genesis.name, "members": count, "file": path }) }
}

/// Everything, the main things first.
fn full(genesis: &Genesis, path: &Path) -> Answer {
    let task = &genesis.task;
    let mut text = format!(
        "network    {}\nname       {}\ntask       {} on {}, seed {}, first model of {} bytes\n\
         mint       {} credits a round\n\
         budget     {} credits a round, {} to {} winners\n\
         aggregate  {}, mixing {}\n",
        genesis.network(),
        genesis.name,
        task.model,
        task.dataset,
        task.seed,
        task.initial_model.size,
        credits(genesis.market.mint_per_round),
        credits(genesis.market.budget_per_round),
        genesis.market.min_winners,
        genesis.market.max_winners,
        genesis.aggregation.rule,
        genesis.aggregation.mixing,
    );
    // Writing to a string cannot fail.
    for contract in &genesis.contracts {
        let _ = writeln!(
            text,
            "contract   {} (epochs {}, width {}, value {})",
            contract.name, contract.epochs, contract.width, contract.value
        );
    }
    for member in &genesis.members {
        let _ = writeln!(text, "member     {} {} (power {})", member.id, member.name, member.power);
    }
    Answer { text, json: json!({ "network": genesis.network(), "file": path, "genesis": genesis }) }
}
