//! `testnet`: a federation of real node processes on this machine.

use std::process::ExitCode;

use althing_testnet::{
    error::{EXIT_FAULT, Error},
    options::{Cli, Command, RunOptions},
    replay::{self, ReplayOptions},
    report, run,
    test_set::TestSet,
};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => run_and_tell(&options).await.map_err(|error| (error.to_string(), error.exit_code())),
        Command::Replay(options) => replay_and_tell(&options).map_err(|error| (error.to_string(), error.exit_code())),
    };
    outcome.unwrap_or_else(|(words, code)| {
        eprintln!("testnet: {words}");
        ExitCode::from(code)
    })
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

/// Nothing else runs in this process meanwhile, so that it may keep this thread busy.
fn replay_and_tell(options: &ReplayOptions) -> Result<ExitCode, replay::Error> {
    let common = options.experiment.common();
    let summary = replay::run(options)?;
    if common.json {
        print!("{}", summary.to_json());
    } else {
        println!("\n{}\n  report       {}", summary.table(), common.report.display());
    }
    let is_missed = common.require && summary.holds != Some(true);
    Ok(if is_missed { ExitCode::from(EXIT_FAULT) } else { ExitCode::SUCCESS })
}
