//! `testnet`: a federation of real node processes on this machine.

use std::process::ExitCode;

use althing_testnet::{
    error::{EXIT_FAULT, Error},
    options::{Cli, Command, RunOptions},
    report, run,
    test_set::TestSet,
};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Run(options) = Cli::parse().command;
    match run_and_tell(&options).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("testnet: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn run_and_tell(options: &RunOptions) -> Result<ExitCode, Error> {
    let test_set = TestSet::load(&options.data, &options.model)?;
    let summary = run::run(options, Some(Box::new(test_set))).await?;
    if options.json {
        print!("{}", summary.to_json());
    } else {
        println!("\n{}\n  report       {}", report::table(&summary), options.report.display());
    }
    Ok(if summary.passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAULT) })
}
