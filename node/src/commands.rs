//! What the commands do. Each computes an answer; printing it, and ending the process, is for its caller.

mod ask;
mod backup;
mod credits;
mod decisions;
mod doctor;
mod genesis;
mod jobs;
mod key;
pub mod ledger;
mod log;
mod market;
mod members;
mod membership;
mod model;
mod payer;
mod people;
mod privacy;
mod receipt;
mod status;
#[cfg(test)]
mod tests;
mod transfer;

use std::io::{self, Write};

use althing_protocol::event::Account;
use serde_json::Value;

use crate::{
    cli::{Cli, Command, Format, LedgerCommand, RunArgs},
    failure::Failure,
    learn::catalogue::Catalogue,
};

/// The parts of the node that commands reach for but that do not live here.
pub struct Handlers {
    /// What this program can learn.
    pub catalogue: Catalogue,
    /// Runs a node until it is told to stop; prints for itself.
    pub run: fn(&RunArgs, &Catalogue, Format) -> Result<(), Failure>,
    /// Shows, exports or verifies a ledger; prints for itself.
    pub ledger: fn(&LedgerCommand, Format) -> Result<(), Failure>,
}

/// What a command found, for both kinds of reader.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For people: whole lines.
    pub text: String,
    /// For programs.
    pub json: Value,
}

/// Does what `cli` says and prints the answer to `out`.
///
/// # Errors
/// [`Failure`], ready to be printed.
pub fn execute(cli: &Cli, handlers: &Handlers, out: &mut dyn Write) -> Result<(), Failure> {
    let answer = match &cli.command {
        Command::Key(command) => key::execute(command)?,
        Command::Genesis(command) => genesis::execute(command, &handlers.catalogue)?,
        Command::Backup(args) => backup::save(args)?,
        Command::Restore(args) => backup::restore(args)?,
        Command::Init(args) => membership::init(args, &handlers.catalogue)?,
        Command::Invite(args) => membership::invite(args)?,
        Command::Leave(args) => membership::leave(args)?,
        Command::Members(args) => members::show(args)?,
        Command::Vote(command) => members::vote(command)?,
        Command::Join(args) => {
            let (made, node) = membership::join(args, &handlers.catalogue)?;
            print(&made, cli.format(), out)?;
            return if args.no_run { Ok(()) } else { (handlers.run)(&node, &handlers.catalogue, cli.format()) };
        }
        Command::Log(args) => log::execute(args)?,
        Command::Status(args) => status::execute(args)?,
        Command::Decisions(args) => decisions::execute(args)?,
        Command::Credits(args) => credits::execute(args)?,
        Command::Transfer(args) => transfer::execute(args)?,
        Command::Fund(args) => jobs::fund(args)?,
        Command::Jobs(args) => jobs::show(args)?,
        Command::Receipt(args) => receipt::execute(args)?,
        Command::Market(command) => market::execute(command)?,
        Command::Privacy(command) => privacy::execute(command, &handlers.catalogue)?,
        Command::Model(command) => model::execute(command, &handlers.catalogue)?,
        Command::Ask(args) => ask::execute(args)?,
        Command::Doctor(args) => return doctor::execute(args, &handlers.catalogue, cli.format(), out),
        Command::Run(args) => return (handlers.run)(args, &handlers.catalogue, cli.format()),
        Command::Ledger(command) => return (handlers.ledger)(command, cli.format()),
    };
    print(&answer, cli.format(), out)
}

/// Prints `answer`. Nobody listening any more, as after `| head -1`, is no failure.
///
/// # Errors
/// [`Failure`] when the output cannot be written.
pub fn print(answer: &Answer, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let printed = match format {
        Format::Text => out.write_all(answer.text.as_bytes()),
        Format::Json => writeln!(out, "{}", answer.json),
    };
    match printed.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::machine(format_args!("cannot write the answer: {error}")))
        }
        _ => Ok(()),
    }
}

/// A privacy account, for people.
fn spent(account: &Account) -> String {
    let micro = |value: u64| value as f64 / 1e6;
    format!(
        "epsilon {:.4} of {:.4} spent at delta {:e}, {:.4} left for {} trainings at the most",
        micro(account.spent_micro),
        micro(account.epsilon_micro),
        account.delta_pico as f64 / 1e12,
        micro(account.epsilon_micro.saturating_sub(account.spent_micro)),
        account.rounds_left,
    )
}
