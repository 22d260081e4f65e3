//! `althing credits`: what an account has earned, spent and put down, and why.

use std::fmt::Write;

use althing_protocol::passbook::{Entry, Passbook, Why};
use serde_json::json;

use super::{Answer, ledger, people::People};
use crate::{cli::credits::CreditsArgs, config::Config, failure::Failure, keyfile::KeyFile, text};

pub(super) fn execute(args: &CreditsArgs) -> Result<Answer, Failure> {
    let (federation, decisions) = ledger::decided(&args.config)?;
    let people = People::of(&federation.genesis, &decisions);
    let account = match &args.account {
        Some(text) => people.account(text)?,
        None => KeyFile::load(&Config::load(&args.config)?.key)?.id(),
    };
    let book = Passbook::of(account, &federation, &decisions).map_err(ledger::damaged)?;
    let sum =
        |keep: fn(i128) -> bool| book.entries.iter().map(|entry| entry.change).filter(|change| keep(*change)).sum();
    let (income, spending): (i128, i128) = (sum(|change| change > 0), sum(|change| change < 0));
    let mut text = format!(
        "account   {} {account}\nbalance   {}\nincome    {}\nspending  {}\nescrow    {} put down for the open round, {} in jobs; {} promised\n",
        people.name(&account),
        text::credits(book.balance),
        signed(income),
        signed(spending),
        text::credits(book.deposited),
        text::credits(book.in_jobs),
        text::credits(book.promised),
    );
    let skipped = book.entries.len().saturating_sub(args.last);
    if skipped > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n... {skipped} earlier changes; --last shows more");
    }
    for entry in &book.entries[skipped..] {
        let _ = writeln!(text, "round {:>5}  {:>16}  {}", entry.round.0, signed(entry.change), reason(entry, &people));
    }
    let json = json!({ "income_micro": income, "spending_micro": spending, "passbook": book });
    Ok(Answer { text, json })
}

/// Micro-credits with their sign, as credits.
fn signed(micro: i128) -> String {
    let sign = if micro < 0 { '-' } else { '+' };
    format!("{sign}{}", text::credits(u64::try_from(micro.unsigned_abs()).unwrap_or(u64::MAX)))
}

fn reason(entry: &Entry, people: &People) -> String {
    match entry.why {
        Why::Granted => "granted by the genesis".into(),
        Why::Delivery => "for an update, as awarded".into(),
        Why::Bonus => "for what the update has brought".into(),
        Why::Deposit => "put down until delivery".into(),
        Why::DepositReturned => "back with delivery".into(),
        Why::From { account } => format!("from {}", people.name(&account)),
        Why::To { account } => format!("to {}", people.name(&account)),
        Why::Funded { job } => format!("put down for job {job}"),
        Why::Returned { job } => format!("left of job {job}"),
        Why::Slashed => "slashed: it signed two things in one place".into(),
    }
}
