//! `testnet`: a federation of real node processes on this machine.

use std::{path::Path, process::ExitCode};

use althing_testnet::{
    arena::{self, AgentsOptions},
    attacks::{self, AttacksOptions},
    chaos::{self, ChaosOptions},
    error::{EXIT_FAULT, EXIT_MISTAKE, Error},
    hostile::{self, HostileArgs},
    market::{self, MarketOptions},
    options::{Cli, Command, RunOptions},
    replay::{self, Published, ReplayOptions},
    report, run,
    trace::{self, TraceError, command::TraceOptions},
};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(options) => run_and_tell(&options).await.map_err(|error| (error.to_string(), error.exit_code())),
        Command::Attacks(options) => {
            attacks_and_tell(&options).await.map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Chaos(options) => {
            chaos_and_tell(&options).await.map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Agents(options) => {
            agents_and_tell(options).await.map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Trace(options) => trace_and_tell(&options).map_err(|error| (error.to_string(), EXIT_MISTAKE)),
        Command::Market(options) => {
            market_and_tell(options).await.map_err(|error| (error.to_string(), error.exit_code()))
        }
        Command::Hostile(args) => return hostile(&args).await,
        Command::Replay(options) => replay_and_tell(&options).map_err(|error| (error.to_string(), error.exit_code())),
    };
    outcome.unwrap_or_else(|(words, code)| {
        eprintln!("testnet: {words}");
        ExitCode::from(code)
    })
}

async fn run_and_tell(options: &RunOptions) -> Result<ExitCode, Error> {
    let summary = run::run(options).await?;
    if options.json {
        print!("{}", summary.to_json());
    } else {
        println!("\n{}\n  report       {}", report::table(&summary), options.report.display());
    }
    Ok(if summary.passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAULT) })
}

async fn attacks_and_tell(options: &AttacksOptions) -> Result<ExitCode, Error> {
    let summary = attacks::run(options).await?;
    tell(options.json, &summary.to_json(), &summary.table(), &options.report);
    Ok(verdict(options.require, summary.holds))
}

async fn chaos_and_tell(options: &ChaosOptions) -> Result<ExitCode, Error> {
    let summary = run::unless_interrupted(chaos::run(options)).await?;
    tell(options.json, &summary.to_json(), &summary.table(), &options.report);
    Ok(if summary.passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAULT) })
}

/// On a thread of its own, where who decides may take its time.
async fn agents_and_tell(options: AgentsOptions) -> Result<ExitCode, arena::Error> {
    let (wants_json, report) = (options.json, options.report.clone());
    let invited = arena::invite(&options.model).await?;
    let contest = tokio::task::spawn_blocking(move || arena::run(&options, invited));
    let summary = contest.await.map_err(|error| arena::Error::Thread(error.to_string()))??;
    tell(wants_json, &summary.to_json(), &summary.table(), &report);
    Ok(ExitCode::SUCCESS)
}

fn trace_and_tell(options: &TraceOptions) -> Result<ExitCode, TraceError> {
    let (text, holds) = trace::command::run(options)?;
    print!("{text}");
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAULT) })
}

/// As `althing run`, in word and in exit code.
async fn hostile(args: &HostileArgs) -> ExitCode {
    match hostile::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("testnet hostile: {failure}");
            failure.exit_code()
        }
    }
}

/// Nothing else runs in this process meanwhile, so that it may keep this thread busy.
fn replay_and_tell(options: &ReplayOptions) -> Result<ExitCode, replay::Error> {
    match &options.published {
        Published::Compared(experiment) => {
            let (summary, common) = (replay::run(experiment)?, experiment.common());
            tell(common.json, &summary.to_json(), &summary.table(), &common.report);
            Ok(verdict(common.require, summary.holds))
        }
        Published::Byzfl(options) => {
            let summary = replay::byzfl::run(options)?;
            tell(options.json, &summary.to_json(), &summary.table(), &options.report);
            Ok(verdict(options.require, summary.holds))
        }
    }
}

/// On a thread of its own, where a language model may take its time. It keeps as many threads busy as it may.
async fn market_and_tell(options: MarketOptions) -> Result<ExitCode, market::Error> {
    if options.print_config {
        print!("{}", market::defaults());
        return Ok(ExitCode::SUCCESS);
    }
    let (wants_json, report) = (options.json, options.report.join("report.html"));
    let experiment = tokio::task::spawn_blocking(move || market::run(&options));
    let summary = experiment.await.map_err(|_| market::Error::Thread)??;
    tell(wants_json, &summary.to_json(), &summary.table(), &report);
    Ok(ExitCode::SUCCESS)
}

fn tell(wants_json: bool, json: &str, table: &str, report: &Path) {
    if wants_json {
        print!("{json}");
    } else {
        println!("\n{table}\n  report       {}", report.display());
    }
}

fn verdict(is_required: bool, holds: Option<bool>) -> ExitCode {
    if is_required && holds != Some(true) { ExitCode::from(EXIT_FAULT) } else { ExitCode::SUCCESS }
}
