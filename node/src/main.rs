//! `althing`: parse, do, and turn the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use althing_node::{
    cli::Cli,
    commands::{self, Handlers, ledger},
    driver,
    failure::Failure,
    learn::facts,
    telemetry,
};
use clap::Parser;

const HANDLERS: Handlers = Handlers {
    facts: |model, dataset, seed| Ok(facts::facts(model, dataset, seed)?),
    run: driver::run,
    ledger: ledger::execute,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help ends here too, with 0; if the terminal is gone there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let done =
        telemetry::init().map_err(Failure::from).and_then(|()| commands::execute(&cli, &HANDLERS, &mut io::stdout()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "althing: {failure}");
            failure.exit_code()
        }
    }
}
