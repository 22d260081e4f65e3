//! `althing genesis`.

use std::{fmt::Write as _, path::Path};

use althing_protocol::{
    aggregate,
    genesis::{Aggregation, Genesis, Market, Membership},
    ids::BlobRef,
    market::Mechanism,
};
use serde_json::json;

use super::Answer;
use crate::{
    cli::{GenesisCommand, GenesisNewArgs, MemberArg},
    failure::Failure,
    files,
    genesis_file::{self, Draft, aggregating, coding, draft, hiring, offering},
    keyfile::KeyFile,
    learn::{catalogue::Catalogue, params},
    text::credits,
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
    let mut facts = catalogue.facts(&args.model, &args.dataset, args.seed)?;
    if let Some(file) = &args.initial_model {
        facts.initial_model = given(file, facts.initial_model.size)?;
    }
    let voters = args.voters.unwrap_or_else(|| Membership::default().max_voters);
    let member = |(place, member): (usize, MemberArg)| member.into_member(u64::from(place < voters as usize));
    let founder = Draft {
        name: args.name.clone(),
        model: args.model.clone(),
        dataset: args.dataset.clone(),
        seed: args.seed,
        members: members.into_iter().enumerate().map(member).collect(),
    };
    let aggregation = Aggregation { rule: args.aggregation, mixing: args.mixing };
    let genesis = offering(draft(founder, facts), &args.widths);
    let genesis = if let Some(winners) = args.winners { hiring(genesis, winners) } else { genesis };
    let mut genesis = coding(aggregating(genesis, aggregation), args.codec);
    genesis.market.max_losses = args.max_losses.unwrap_or(genesis.market.max_losses);
    genesis.phases.pause_ms = args.pause_ms;
    genesis.market.mechanism = args.mechanism;
    genesis.market.deposit_permille = args.deposit_permille;
    genesis.market.usual_samples = args.usual_samples;
    genesis.market.noise = args.noise;
    genesis.market.contribution = args.contribution;
    let offers = if args.mechanism == Mechanism::Fixed { 0 } else { genesis.market.max_counter_offers };
    genesis.market.max_counter_offers = args.max_counter_offers.unwrap_or(offers);
    let (admission, suspend_after) = (args.admission, args.suspend_after);
    genesis.membership = Membership { admission, max_voters: voters, suspend_after };
    genesis.grants = args.grants.clone();
    genesis.exchange.topology = args.exchange;
    genesis.exchange.acceptance = args.acceptance;
    Ok(genesis)
}

/// A first model in a file, which must have as many bytes as one of these tensors.
fn given(file: &Path, size: u64) -> Result<BlobRef, Failure> {
    let bytes = files::read_bytes(file, size)?;
    if bytes.len() as u64 != size {
        return Err(Failure::user(format_args!(
            "{} has {} bytes, and a first model {size}; make one with `althing model import`",
            file.display(),
            bytes.len()
        )));
    }
    let weights: Vec<f32> = aggregate::parameters(&bytes).collect();
    params::check_finite(&weights).map_err(Failure::user)?;
    Ok(BlobRef::of(&bytes))
}

/// That it is good, and which network it names.
fn brief(genesis: &Genesis, path: &Path) -> Answer {
    let (network, count) = (genesis.network(), genesis.members.len());
    let text = format!("{} is good: network {network}, {} ({count} members)\n", path.display(), genesis.name);
    let widths: Vec<_> = genesis.contracts.iter().map(|contract| contract.width).collect();
    let json = json!({ "network": network, "name": genesis.name, "members": count, "widths": widths, "file": path });
    Answer { text, json }
}

/// What a bid is worth.
fn worth(market: &Market) -> String {
    match market.usual_samples {
        0 => "that of the contract".to_owned(),
        usual => format!("that of the contract with {usual} examples, and in proportion with others"),
    }
}

/// How often a member may be passed over.
fn floor(market: &Market) -> String {
    match market.max_losses {
        0 => "none: a member may lose any number of bids in a row".to_owned(),
        losses => format!("nobody that delivers loses more than {losses} bids in a row"),
    }
}

fn suspension(membership: &Membership) -> String {
    match membership.suspend_after {
        0 => "never".into(),
        rounds => format!("after {rounds} rounds away"),
    }
}

/// Everything, the main things first.
fn full(genesis: &Genesis, path: &Path) -> Answer {
    let task = &genesis.task;
    let mut text = format!(
        "network    {}\nname       {}\ntask       {} on {}, seed {}, first model of {} bytes\n\
         mint       {} credits a round\n\
         budget     {} credits a round, {} to {} winners\n\
         market     {}, deposits of {} permille\n\
         worth      {}\n\
         floor      {}\n\
         counters   {} counter-offers a round at the most\n\
         pause      {} ms between rounds\n\
         aggregate  {}, mixing {}, noise {}, contribution {}\n\
         exchange   {}, accepting {}\n\
         updates    coded by {}\n\
         admission  {}, {} voters at the most, suspended {}\n",
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
        genesis.market.mechanism,
        genesis.market.deposit_permille,
        worth(&genesis.market),
        floor(&genesis.market),
        genesis.market.max_counter_offers,
        genesis.phases.pause_ms,
        genesis.aggregation.rule,
        genesis.aggregation.mixing,
        genesis.market.noise,
        genesis.market.contribution,
        genesis.exchange.topology,
        genesis.exchange.acceptance,
        genesis.exchange.codec,
        genesis.membership.admission,
        genesis.membership.max_voters,
        suspension(&genesis.membership),
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
