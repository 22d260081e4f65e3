//! `testnet trace`.

use std::{fmt::Write, path::PathBuf};

use althing_protocol::{genesis::Genesis, ids::MemberId, market::Mechanism};
use clap::Args;
use serde::Serialize;

use super::{Change, Flattered, Replayed, Trace, TraceError};

/// What `testnet trace --help` shows.
pub const EXAMPLES: &str = "\
Examples:
  testnet trace testnet-report/trace.json
  testnet trace testnet-report/trace.json --mechanism first-price --json
  testnet trace testnet-report/trace.json --flatterers 3

Under the mechanism of the live run, everybody must own the same after every round, to the micro-credit. Under another one,
the same bids are cleared anew: bidders who knew of it might have bid otherwise, and the gain of an update that was never
made is taken to be its maker's median.

With --flatterers, every group of so many members in turn praises each other's updates and runs down all others, in place
of what they said; shown is by how much the pay of the others changes.";

/// A live run to play again.
#[derive(Debug, Args)]
pub struct TraceOptions {
    /// The trace.json of a report.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Clear the bids by this mechanism: critical, vcg, first-price, posted:PRICE or fixed [default: that of the run].
    #[arg(long, value_name = "MECHANISM")]
    pub mechanism: Option<Mechanism>,
    /// Let groups of so many members flatter each other, and show what that changes for the others.
    #[arg(long, value_name = "N", conflicts_with = "mechanism")]
    pub flatterers: Option<usize>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Plays a trace again; what to print, and whether a live run's payments were found again.
///
/// # Errors
/// [`TraceError`] when the file holds no trace, or one that cannot be.
pub fn run(options: &TraceOptions) -> Result<(String, bool), TraceError> {
    let trace = Trace::load(&options.file)?;
    if let Some(flatterers) = options.flatterers {
        let flattered = trace.flatter(flatterers)?;
        return Ok((if options.json { json(&flattered)? } else { changes(&flattered) }, true));
    }
    let replayed = trace.replay(options.mechanism)?;
    let is_live = replayed.mechanism == trace.genesis.market.mechanism;
    let holds = !is_live || replayed.is_same();
    let text = match options.json {
        true => json(&replayed)?,
        false => table(&replayed, &trace.genesis, is_live),
    };
    Ok((text, holds))
}

fn json(found: &impl Serialize) -> Result<String, TraceError> {
    Ok(serde_json::to_string(found).map_err(|why| TraceError::Malformed(why.to_string()))? + "\n")
}

fn changes(flattered: &Flattered) -> String {
    let Flattered { flatterers, groups, lied, silent, earned } = flattered;
    let row = |name: &str, change: &Change| {
        format!(
            "  {name:<12} {:>13.1} % {:>8.1} % {:>8.1} % {:>13.1} %\n",
            change.together * 100.0,
            change.one * 100.0,
            change.mean * 100.0,
            change.above_a_twentieth * 100.0
        )
    };
    format!(
        "\n  {flatterers} members flatter each other, in {groups} groups; the pay of the others changes by\n\n  \
         {:<12} {:>15} {:>10} {:>10} {:>15}\n{}{}\n  a flatterer is paid {:+.1} %\n",
        "",
        "most, together",
        "most, one",
        "mean, one",
        "above 5 %",
        row("by lies", lied),
        row("by silence", silent),
        earned * 100.0
    )
}

fn table(replayed: &Replayed, genesis: &Genesis, is_live: bool) -> String {
    let Replayed { mechanism, rounds, payments, live_payments, differences, supposed } = replayed;
    let name = |id: &MemberId| genesis.member(id).map_or_else(|| id.short(), |member| member.name.clone());
    let credits = |micro: u64| micro as f64 / 1e6;
    let mut text = format!("\n  {rounds} rounds, cleared by {mechanism}\n");
    let verdict = match (is_live, differences.is_empty()) {
        (true, true) => "everybody owned the same after every round, to the micro-credit".to_owned(),
        (true, false) => "THE REPLAY DIFFERS from the live run".to_owned(),
        (false, _) => format!("another mechanism than the run's; {supposed} updates were supposed"),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {verdict}\n\n  member              replayed        live");
    let of = |sums: &std::collections::BTreeMap<MemberId, u64>, id| credits(sums.get(id).copied().unwrap_or(0));
    for member in genesis.members.iter().map(|member| &member.id) {
        let _ =
            writeln!(text, "  {:<16} {:>11.6} {:>11.6}", name(member), of(payments, member), of(live_payments, member));
    }
    let sum = |sums: &std::collections::BTreeMap<MemberId, u64>| credits(sums.values().sum());
    let _ = writeln!(text, "  {:<16} {:>11.6} {:>11.6}", "all", sum(payments), sum(live_payments));
    for difference in if is_live { &differences[..] } else { &[] } {
        let _ = writeln!(
            text,
            "  round {}: {} owns {:.6}, live {:.6}",
            difference.round,
            name(&difference.member),
            credits(difference.replayed),
            credits(difference.live)
        );
    }
    text
}
