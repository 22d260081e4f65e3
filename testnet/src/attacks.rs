//! Every attack on a live federation: a part of the nodes attacks, once under a robust rule and once under the plain mean,
//! and what the last model is worth is compared with a federation in which nobody attacks.

mod summary;

use std::{
    fs,
    path::{Path, PathBuf},
};

use althing_protocol::{
    aggregate::{Mixing, Rule},
    epidemic::{Acceptance, Topology},
    genesis::Aggregation,
    limits::MAX_MEMBERS,
    sim::attack::Attack,
};
use clap::{Args, value_parser};

pub use self::summary::{AttackResult, Outcome, Pair, Summary};
use crate::{
    error::Error,
    folder,
    options::{RunOptions, bearing},
    run,
};

/// Options of `testnet attacks`.
#[derive(Debug, Clone, Args)]
pub struct AttacksOptions {
    /// Node processes, those that attack included
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = value_parser!(u16).range(4..=MAX_MEMBERS as i64))]
    pub nodes: u16,

    /// Nodes that attack [default: as many as the agreement bears, three of ten]
    #[arg(long, value_name = "N")]
    pub liars: Option<u16>,

    /// The attacks to play [default: one of each kind]
    #[arg(long, value_delimiter = ',', value_name = "ATTACKS")]
    pub attack: Vec<Attack>,

    /// Rounds of every run, or steps of epidemic exchange
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub rounds: u64,

    /// Seed of the first model, of the partition of the data and of what training costs each node
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "dirichlet:0.5", value_name = "KIND")]
    pub partition: String,

    /// What is trained: 2nn, lenet or fedavg-cnn
    #[arg(long, default_value = "2nn", value_name = "MODEL")]
    pub model: String,

    /// How models travel: elected (rounds with an aggregator and a ledger) or epidemic:S (steps of each node's own)
    #[arg(long, default_value_t, value_name = "TOPOLOGY")]
    pub exchange: Topology,

    /// With epidemic:S, whose models a node accepts: all, or balance:GAMMA:KAPPA:STEPS for those near its own
    #[arg(long, default_value_t, value_name = "RULE")]
    pub acceptance: Acceptance,

    /// The robust rule [default: mean behind aligned:F for F liars; in steps trimmed:F behind nearest:F]
    #[arg(long, value_name = "RULE")]
    pub rule: Option<Rule>,

    /// What is done to updates before it [default: aligned:F; in steps nearest:F]
    #[arg(long, value_name = "MIXING")]
    pub mixing: Option<Mixing>,

    /// Exit with 1 if an attack cost more than three points under the robust rule
    #[arg(long)]
    pub require: bool,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Give up on a run after this many seconds
    #[arg(long, default_value_t = 900, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=604_800))]
    pub timeout_s: u64,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Keep the runs of the report folder that passed, and play only what is missing
    #[arg(long)]
    pub resume: bool,

    /// The node binary [default: `althing` beside this program]
    #[arg(long, value_name = "PATH")]
    pub althing: Option<PathBuf>,

    /// Folder of the four MNIST files
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

/// Under which rule a federation is attacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defence {
    Robust,
    Plain,
}

impl Defence {
    const BOTH: [Self; 2] = [Self::Robust, Self::Plain];

    const fn word(self) -> &'static str {
        match self {
            Self::Robust => "robust",
            Self::Plain => "mean",
        }
    }
}

impl AttacksOptions {
    fn liars(&self) -> u16 {
        self.liars.unwrap_or((self.nodes - 1) / 3)
    }

    fn attacks(&self) -> &[Attack] {
        if self.attack.is_empty() { &Attack::ALL } else { &self.attack }
    }

    fn rule(&self, defence: Defence) -> (Rule, Mixing) {
        let liars = u32::from(self.liars());
        match defence {
            Defence::Robust => {
                let Aggregation { rule, mixing } = bearing(self.exchange, liars);
                (self.rule.unwrap_or(rule), self.mixing.unwrap_or(mixing))
            }
            Defence::Plain => (Rule::WeightedMean, Mixing::None),
        }
    }

    /// The run of an attack, or of none, with its report in `folder`.
    fn run(&self, defence: Defence, scenario: Option<PathBuf>, report: PathBuf) -> RunOptions {
        let (rule, mixing) = self.rule(defence);
        RunOptions {
            nodes: self.nodes,
            rounds: self.rounds,
            seed: self.seed,
            partition: self.partition.clone(),
            model: self.model.clone(),
            dataset: "mnist".to_owned(),
            scenario,
            rule: Some(rule),
            mixing: Some(mixing),
            winners: Some(self.nodes),
            report,
            exchange: self.exchange,
            acceptance: self.acceptance,
            json: true,
            timeout_s: self.timeout_s,
            althing: self.althing.clone(),
            data: self.data.clone(),
            ..RunOptions::default()
        }
    }
}

/// Plays every attack under both rules, and a federation without any, and writes the report.
///
/// # Errors
/// [`Error`] if an option is wrong or a run could not be made at all. One that went wrong is no outcome.
pub async fn run(options: &AttacksOptions) -> Result<Summary, Error> {
    if options.liars() == 0 || options.liars() >= options.nodes {
        return Err(Error::Usage("--liars N: some must attack, and some must not".to_owned()));
    }
    let open = if options.resume { folder::reopen } else { folder::prepare };
    let folder = open(&options.report)?;
    let clean = pair(options, &folder, None).await?;
    let mut attacks = Vec::new();
    for &attack in options.attacks() {
        let pair = pair(options, &folder, Some(attack)).await?;
        attacks.push(AttackResult::of(attack, pair, &clean));
    }
    let summary = Summary::of(options, clean, attacks);
    let path = folder.join("summary.json");
    fs::write(&path, summary.to_json()).map_err(Error::io(format!("write {}", path.display())))?;
    Ok(summary)
}

/// Plays an attack, or a federation without any, under both rules.
async fn pair(options: &AttacksOptions, folder: &Path, attack: Option<Attack>) -> Result<Pair, Error> {
    let mut outcomes = [None, None];
    for (outcome, defence) in outcomes.iter_mut().zip(Defence::BOTH) {
        let name = attack.map_or_else(|| "clean".to_owned(), |attack| attack.to_string().replace(':', "-"));
        let report = folder.join(format!("{name}-{}", defence.word()));
        let kept = options.resume.then(|| Outcome::read(&report)).flatten();
        *outcome = match kept {
            Some(kept) => Some(kept),
            None => play(options, defence, attack, &report).await?,
        };
    }
    let [robust, mean] = outcomes;
    Ok(Pair { robust, mean })
}

async fn play(
    options: &AttacksOptions,
    defence: Defence,
    attack: Option<Attack>,
    report: &Path,
) -> Result<Option<Outcome>, Error> {
    let scenario = attack.map(|attack| write_scenario(options, attack, report)).transpose()?;
    let words = attack.map_or_else(|| "nobody attacks".to_owned(), |attack| format!("attack {attack}"));
    eprintln!("{words}, {} rule", defence.word());
    let run_options = options.run(defence, scenario, report.to_owned());
    let summary = run::run(&run_options).await?;
    for failure in &summary.failures {
        eprintln!("  {failure}");
    }
    Ok(Outcome::read(report))
}

/// The last nodes attack, from the first round on.
fn write_scenario(options: &AttacksOptions, attack: Attack, report: &Path) -> Result<PathBuf, Error> {
    let numbers: Vec<String> = (options.nodes - options.liars() + 1..=options.nodes).map(|n| n.to_string()).collect();
    let path = report.with_extension("toml");
    let text = format!("[[attack]]\nnodes = [{}]\nhow = \"{attack}\"\n", numbers.join(", "));
    fs::write(&path, text).map_err(Error::io(format!("write {}", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        options::{Cli, Command},
        scenario,
    };
    use clap::Parser;

    fn parse(arguments: &[&str]) -> AttacksOptions {
        match Cli::try_parse_from(["testnet", "attacks"].iter().chain(arguments)).unwrap().command {
            Command::Attacks(options) => options,
            other => panic!("{other:?} is no series of attacks"),
        }
    }

    #[test]
    fn a_third_attacks_and_the_rule_bears_as_many() {
        let options = parse(&[]);
        assert_eq!((options.liars(), options.attacks().len()), (3, 11));
        let robust = options.run(Defence::Robust, None, PathBuf::new());
        assert_eq!((robust.rule().to_string(), robust.mixing().to_string()), ("mean".into(), "aligned:3".into()));
        let plain = options.run(Defence::Plain, None, PathBuf::new());
        assert_eq!((plain.rule().to_string(), plain.mixing().to_string()), ("mean".into(), "none".into()));
        assert_eq!((robust.winners(), plain.winners()), (Some(10), Some(10)), "both hire everybody");
    }

    #[test]
    fn the_scenario_it_writes_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let options = parse(&["--nodes", "7", "--liars", "2"]);
        let path =
            write_scenario(&options, Attack::Scaled { factor: 10.0 }, &folder.path().join("scaled-10-mean")).unwrap();
        let plots = scenario::load(&path, 7).unwrap();
        let attacking: Vec<bool> = plots.iter().map(Option::is_some).collect();
        assert_eq!(attacking, [false, false, false, false, false, true, true]);
    }
}
