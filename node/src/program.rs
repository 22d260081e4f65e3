//! The whole program: parse, do, and turn the outcome into an exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::{
    cli::Cli,
    commands::{self, Handlers, ledger},
    driver,
    failure::Failure,
    learn::catalogue::Catalogue,
    telemetry,
};

/// The command line of `althing` over what `catalogue` can learn: the `main` of this crate's binary, and of a program
/// with models of its own.
pub fn main(catalogue: Catalogue) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help ends here too, with 0; if the terminal is gone there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    let handlers = Handlers { catalogue, run: driver::run, ledger: ledger::execute };
    let done =
        telemetry::init().map_err(Failure::from).and_then(|()| commands::execute(&cli, &handlers, &mut io::stdout()));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "althing: {failure}");
            failure.exit_code()
        }
    }
}
