//! A federation of real processes in which everything goes wrong, and a judge of what is left.
//!
//! A scenario says what goes wrong and how often; a seed draws when and at whom ([`schedule`]); [`play`] does it; [`judge`]
//! reads the ledgers and the lines that the nodes leave behind. The same under virtual time, a thousand times, is the
//! simulator of `althing-protocol`; here are the real disks, sockets and clocks.

pub mod judge;
mod machine;
mod play;
pub mod scenario;
pub mod schedule;
mod tear;
mod vigilance;

use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use clap::{Args, value_parser};
use serde::Serialize;

pub use self::play::Played;
use self::{
    judge::Property,
    machine::Machine,
    play::{Stage, play},
    scenario::Scenario,
};
use crate::{
    althing::Althing,
    error::Error,
    folder,
    options::RunOptions,
    setup::{self, Site},
};

/// Options of `testnet chaos`.
#[derive(Debug, Clone, Args)]
pub struct ChaosOptions {
    /// What goes wrong, and how often: a TOML file, see docs/testnet.md
    #[arg(long, value_name = "FILE")]
    pub scenario: PathBuf,

    /// Federations that it befalls, one after the other, each with the next seed
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub runs: u64,

    /// Draws when what befalls whom in the first run
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// What is trained: 2nn, lenet, fedavg-cnn or mlp
    #[arg(long, default_value = "2nn", value_name = "MODEL")]
    pub model: String,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced. A run that fails stays there
    #[arg(long, default_value = "testnet-chaos", value_name = "DIR")]
    pub report: PathBuf,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// The node binary [default: `althing` beside this program]
    #[arg(long, value_name = "PATH")]
    pub althing: Option<PathBuf>,

    /// Folder of the training data
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

/// What came of all runs.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Whether everything held. Nothing was played if this machine could not.
    pub passed: bool,
    /// Why nothing was played.
    pub skipped: Option<String>,
    /// The runs.
    pub runs: Vec<Played>,
}

impl Summary {
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As people read it.
    pub fn table(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("skipped: {why}");
        }
        let sum = |of: fn(&Played) -> u64| self.runs.iter().map(of).sum::<u64>();
        let slowest = self.runs.iter().filter_map(|run| run.settled_after_ms).max().unwrap_or_default();
        let mut broken: BTreeMap<Property, usize> = BTreeMap::new();
        for violation in self.runs.iter().flat_map(|run| &run.violations) {
            *broken.entry(violation.property).or_default() += 1;
        }
        let mut table = format!(
            "  runs         {} ({} with a violation)\n  deeds        {}, {} of them kills\n  rounds       {} settled\n  \
             settled      two rounds within {:.1} s of the last fault\n",
            self.runs.len(),
            self.runs.iter().filter(|run| !run.violations.is_empty()).count(),
            sum(|run| run.deeds as u64),
            sum(|run| run.kills as u64),
            sum(|run| run.rounds),
            slowest as f64 / 1_000.0,
        );
        for property in Property::ALL {
            let found =
                broken.get(&property).map_or_else(|| "holds".to_owned(), |times| format!("BROKEN {times} times"));
            // Writing to a string cannot fail.
            let _ = writeln!(table, "  {:<12} {found}", property.words());
        }
        table
    }
}

/// Plays all runs.
///
/// # Errors
/// [`Error`] if one could not be made at all. One that was made but went wrong is in a summary that did not pass.
pub async fn run(options: &ChaosOptions) -> Result<Summary, Error> {
    let scenario = Scenario::load(&options.scenario)?;
    let report = folder::prepare(&options.report)?;
    let mut summary = Summary { passed: true, skipped: None, runs: Vec::new() };
    for seed in (options.seed..).take(usize::try_from(options.runs).unwrap_or(usize::MAX)) {
        eprintln!("seed {seed}");
        match run_one(options, &scenario, seed, report.join(format!("seed-{seed}"))).await? {
            Ok(played) => {
                summary.passed &= played.violations.is_empty();
                for violation in &played.violations {
                    eprintln!("  seed {seed} fails: {violation}");
                }
                summary.runs.push(played);
            }
            Err(why) => {
                summary.skipped = Some(why);
                break;
            }
        }
        fs::write(report.join("summary.json"), summary.to_json()).map_err(Error::io("write summary.json"))?;
    }
    Ok(summary)
}

/// What the federation of a run is, beyond what the scenario says.
fn run_options(options: &ChaosOptions, scenario: &Scenario, seed: u64, report: PathBuf) -> RunOptions {
    RunOptions {
        nodes: u16::try_from(scenario.nodes()).unwrap_or(u16::MAX),
        seed,
        partition: "iid".to_owned(),
        model: options.model.clone(),
        epsilon: scenario.epsilon,
        report,
        althing: options.althing.clone(),
        data: options.data.clone(),
        ..RunOptions::default()
    }
}

/// One run; or why this machine cannot play it. Its folder is left where something did not hold.
async fn run_one(
    options: &ChaosOptions,
    scenario: &Scenario,
    seed: u64,
    folder: PathBuf,
) -> Result<Result<Played, String>, Error> {
    let machine = match Machine::of(scenario) {
        Ok(machine) => machine,
        Err(why) => return Ok(Err(why.to_string())),
    };
    fs::create_dir_all(&folder).map_err(Error::io(format!("make {}", folder.display())))?;
    let options = run_options(options, scenario, seed, folder.clone());
    let (althing, data) = (Althing::find(&options)?, setup::find_data(&options)?);
    let site = |(node, plot): (usize, &Option<_>)| Site { address: machine.address(node), plot: *plot };
    let sites: Vec<Site> = scenario.plots.iter().enumerate().map(site).collect();
    let federation = setup::prepare(&althing, &options, &sites, &data, folder.clone()).await?;
    let acts = schedule::draw(scenario, seed);
    let stage = Stage {
        althing: &althing,
        federation: &federation,
        machine: &machine,
        scenario,
        acts: &acts,
        seed,
        tell: &|words| eprintln!("  {words}"),
    };
    let played = match play(&stage).await? {
        Ok(played) => played,
        Err(why) => return Ok(Err(why.to_string())),
    };
    if played.violations.is_empty() {
        fs::remove_dir_all(&folder).map_err(Error::io(format!("remove {}", folder.display())))?;
    }
    Ok(Ok(played))
}
