//! `althing-lm`: a language model of this machine behind an endpoint that speaks OpenAI's protocol, for the agents of
//! Althing's nodes and for anything else that speaks it.
//!
//! One model, one answer at a time, greedy decoding, on loopback only. A question that cannot be answered in full, in
//! time and as its schema demands is answered by an error.

#![warn(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod catalogue;
mod cli;
mod engine;
mod failure;
mod fetch;
mod serve;
mod tell;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{Cli, Command},
    failure::Failure,
    tell::Teller,
};

/// The variable that chooses what is logged, for example `ALTHING_LM_LOG=mistralrs_core=info`.
const LOG_VARIABLE: &str = "ALTHING_LM_LOG";

/// What is logged when the variable is not set. The library warns of what is as we want it.
const LOG_DEFAULT: &str = "warn,mistralrs_core=error";

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help ends here too, with 0; if the terminal is gone there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    match log_to_stderr().and_then(|()| execute(&cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "althing-lm: {failure}");
            failure.exit_code()
        }
    }
}

fn execute(cli: &Cli) -> Result<(), Failure> {
    let teller = Teller::stdout(cli.format());
    match &cli.command {
        Command::Serve(args) => serve::execute(args, &teller),
        Command::Fetch(args) => fetch::execute(args, &teller),
        Command::Models(args) => fetch::list(args, &teller),
    }
}

fn log_to_stderr() -> Result<(), Failure> {
    let value = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| LOG_DEFAULT.to_owned());
    let filter = EnvFilter::builder().parse(&value).map_err(|error| {
        Failure::user(format!("{LOG_VARIABLE}={value:?} is no log filter ({error}); try {LOG_VARIABLE}=info"))
    })?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish();
    // An error here means that the process has a subscriber already, which is as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(())
}
