//! `althing ledger`: what a node has decided, shown, exported, and verified by anybody.

use std::{fmt::Write as _, io, path::Path};

use althing_protocol::{
    audit::{Audit, audit},
    codec,
    limits::MAX_MESSAGE_BYTES,
    state::Federation,
    wire::Decision,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer,
    people::People,
    print,
    receipt::{self, RECEIPT_FORMAT},
};
use crate::{
    cli::{Format, LedgerCommand},
    config::Config,
    failure::Failure,
    files::{self, Readers},
    genesis_file,
    ledger_file::{Exported, LEDGER_FORMAT, LedgerFile},
    status,
    store::Store,
    text::credits,
};

/// Largest exported ledger that is read: a million heights with some hundred bytes each, generously.
const MAX_EXPORT_BYTES: u64 = 1 << 30;

/// Decisions read from the store at a time.
const BATCH: usize = 64;

/// What every file of this kind says of itself.
#[derive(Deserialize)]
struct Head {
    format: String,
}

/// Does what `command` says and prints the answer.
///
/// # Errors
/// [`Failure`], ready to be printed.
pub fn execute(command: &LedgerCommand, format: Format) -> Result<(), Failure> {
    let answer = match command {
        LedgerCommand::Show { config } => show(config)?,
        LedgerCommand::Export { config, out } => export(config, out)?,
        LedgerCommand::Verify { file, genesis } => verify(file, genesis)?,
    };
    print(&answer, format, &mut io::stdout())
}

fn show(config: &Path) -> Result<Answer, Failure> {
    let (federation, decisions) = decided(config)?;
    let audit = audit(&federation, &decisions).map_err(damaged)?;
    Ok(describe(&People::of(&federation.genesis, &decisions), &audit, "this node's ledger"))
}

fn export(config: &Path, out: &Path) -> Result<Answer, Failure> {
    let (federation, decisions) = decided(config)?;
    let heights = decisions.len();
    let decisions = decisions.into_iter().map(Exported::from).collect();
    let export = LedgerFile { format: LEDGER_FORMAT.into(), network: federation.network, decisions };
    let text = serde_json::to_string(&export).map_err(Failure::machine)?;
    files::create(out, &text, Readers::Everybody)?;
    let text = format!("{heights} decisions written to {}\n", out.display());
    Ok(Answer { text, json: json!({ "heights": heights, "file": out }) })
}

fn verify(file: &Path, genesis: &Path) -> Result<Answer, Failure> {
    let federation = Federation::new(genesis_file::load(genesis)?);
    let text = files::read(file, MAX_EXPORT_BYTES)?;
    if serde_json::from_str(&text).is_ok_and(|Head { format }| format == RECEIPT_FORMAT) {
        return receipt::verify(&text, &federation);
    }
    let decisions = read(file, &text, &federation)?;
    let audit = audit(&federation, &decisions)
        .map_err(|why| Failure::machine(format_args!("{} is not good: {why}", file.display())))?;
    Ok(describe(
        &People::of(&federation.genesis, &decisions),
        &audit,
        "the ledger is good: every signature, every payment, every credit",
    ))
}

/// The decisions that a node has made: from the node if it runs, or else from its store.
pub(super) fn decided(config: &Path) -> Result<(Federation, Vec<Decision>), Failure> {
    let config = Config::load(config)?;
    let federation = Federation::new(genesis_file::load(&config.genesis)?);
    let decisions = match status::ask_decided(&config.data_dir) {
        Ok((network, decisions)) if network == federation.network => decisions,
        _ => stored(&config, &federation)?,
    };
    Ok((federation, decisions))
}

/// The decisions in the store of a node that does not run.
fn stored(config: &Config, federation: &Federation) -> Result<Vec<Decision>, Failure> {
    if !Store::exists(&config.data_dir) {
        return Err(Failure::user(format_args!(
            "there is no ledger in {} yet; run the node first",
            config.data_dir.display()
        )));
    }
    let store = Store::open(&config.data_dir, &federation.network)?;
    let mut decisions = Vec::new();
    loop {
        let from = decisions.len() as u64 + 1;
        let blocks = store.blocks(from, BATCH, MAX_MESSAGE_BYTES * BATCH)?;
        if blocks.is_empty() {
            return Ok(decisions);
        }
        for block in blocks {
            let certificate = codec::decode(&block.certificate, MAX_MESSAGE_BYTES).map_err(damaged)?;
            decisions.push(Decision { body: block.body.into(), certificate });
        }
    }
}

pub(super) fn damaged(why: impl std::fmt::Display) -> Failure {
    Failure::machine(format_args!("the store's ledger is damaged ({why}); move the data folder away and sync anew"))
}

fn read(file: &Path, text: &str, federation: &Federation) -> Result<Vec<Decision>, Failure> {
    let malformed = |why: String| {
        Failure::user(format_args!(
            "{} is no exported ledger ({why}); make one with `althing ledger export`",
            file.display()
        ))
    };
    let export: LedgerFile = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    if export.format != LEDGER_FORMAT {
        return Err(malformed(format!("its format is {:?}, not {LEDGER_FORMAT:?}", export.format)));
    }
    if export.network != federation.network {
        return Err(Failure::user(format_args!(
            "{} is the ledger of network {}, but the genesis is that of {}; give the genesis that belongs to it",
            file.display(),
            export.network,
            federation.network
        )));
    }
    let decision = |exported: Exported| exported.decision().map_err(|error| malformed(error.to_string()));
    export.decisions.into_iter().map(decision).collect()
}

fn describe(people: &People, audit: &Audit, headline: &str) -> Answer {
    let mut text = format!(
        "{headline}\nheight      {} (head {})\nrounds      {} with a new model, {} without\nminted      {} credits\nburned      {} credits\npool        {} credits\nescrow      {} credits\n",
        audit.heights,
        audit.head,
        audit.rounds_settled,
        audit.rounds_empty,
        credits(audit.credits.minted),
        credits(audit.credits.burned),
        credits(audit.credits.pool),
        credits(audit.credits.escrow),
    );
    for (id, balance) in &audit.credits.balances {
        let reputation = audit.reputation.get(id).copied().unwrap_or(0);
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "member      {} {} credits, reputation {reputation}", people.name(id), credits(*balance));
    }
    let json = json!({
        "heights": audit.heights,
        "head": audit.head,
        "rounds_settled": audit.rounds_settled,
        "rounds_empty": audit.rounds_empty,
        "supply_conserved": audit.credits.balanced(),
        "minted": audit.credits.minted,
        "burned": audit.credits.burned,
        "pool": audit.credits.pool,
        "escrow": audit.credits.escrow,
        "balances": audit.credits.balances,
        "reputation": audit.reputation,
    });
    Answer { text, json }
}
