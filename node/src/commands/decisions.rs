//! `althing decisions`: what a node's agents have decided, and why.

use std::{fmt::Write as _, path::Path};

use althing_protocol::{
    event::{DecidedBy, Role},
    ids::NetworkId,
};
use serde_json::json;

use super::Answer;
use crate::{
    cli::DecisionsArgs,
    config::Config,
    failure::Failure,
    genesis_file,
    keyfile::KeyFile,
    status,
    store::Store,
    transcript::{Asked, Entry, What},
};

pub(super) fn execute(args: &DecisionsArgs) -> Result<Answer, Failure> {
    let config = Config::load(&args.config)?;
    let network = genesis_file::load(&config.genesis)?.network();
    let me = KeyFile::load(&config.key)?.id();
    // After a crash another node may have got the port: who answers must be this one.
    let is_running = status::ask(&config.data_dir).is_ok_and(|told| (told.member, told.network) == (me, network));
    let entries = if is_running {
        status::ask_decisions(&config.data_dir).map_err(Failure::machine)?
    } else {
        stored(&config.data_dir, &network)?
    };
    let wanted = |entry: &&Entry| args.role.is_none_or(|role| entry.role == Role::from(role));
    let mut entries: Vec<&Entry> = entries.iter().rev().filter(wanted).take(args.last).collect();
    entries.reverse();
    let text = match entries.as_slice() {
        [] => "nothing was decided yet\n".to_owned(),
        entries => entries.iter().fold(String::new(), |mut text, entry| {
            describe(entry, &mut text);
            text
        }),
    };
    Ok(Answer { text, json: json!(entries) })
}

/// The transcript of a node that is not running.
fn stored(data_dir: &Path, network: &NetworkId) -> Result<Vec<Entry>, Failure> {
    // Asking must not create a store.
    if !Store::exists(data_dir) {
        return Ok(Vec::new());
    }
    let transcript = Store::open(data_dir, network)?.transcript(usize::MAX)?;
    Ok(transcript.iter().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect())
}

fn describe(entry: &Entry, text: &mut String) {
    let role = match entry.role {
        Role::Bidder => "bidder",
        Role::Selector => "selector",
        Role::Guardian => "guardian",
    };
    let round = entry.round;
    // Writing to a string cannot fail.
    let _ = match &entry.what {
        What::Decided { by, choice, why } => {
            let by = match (by, why) {
                (DecidedBy::Model, _) => "by the model's order".to_owned(),
                (DecidedBy::Rules, _) => "by rules".to_owned(),
                (DecidedBy::Fallback, why) => format!("by rules: {}", why.as_deref().unwrap_or("the model failed")),
            };
            writeln!(text, "round {round:>4}  {role:<8}  {choice} ({by})")
        }
        What::Benched { until } => {
            writeln!(
                text,
                "round {round:>4}  {role:<8}  the model did worse than rules; not asked before round {until}"
            )
        }
        What::Asked(asked) => describe_question(round.0, role, asked, text),
    };
}

fn describe_question(round: u64, role: &str, asked: &Asked, text: &mut String) -> std::fmt::Result {
    let Asked { topic, menu, facts, reason, choice, why, cost, .. } = asked;
    let outcome = match (choice, why) {
        (Some(choice), _) => format!("\"{choice}\""),
        (None, why) => format!("no order: {}", why.as_deref().unwrap_or("unknown")),
    };
    writeln!(
        text,
        "round {round:>4}  {role:<8}  asked about {topic}: {outcome} ({:.1} s, {} tokens read, {} of them known, {} written)",
        cost.latency_ms as f64 / 1e3,
        cost.prompt_tokens,
        cost.cached_tokens,
        cost.completion_tokens,
    )?;
    writeln!(text, "                      menu    {}", menu.join(", "))?;
    for line in facts.lines() {
        writeln!(text, "                      fact    {line}")?;
    }
    if !reason.is_empty() {
        writeln!(text, "                      reason  {reason}")?;
    }
    Ok(())
}
