//! What the user may ask for.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use althing_protocol::{
    aggregate::{Mixing, Rule},
    contribution::Contribution,
    epidemic::{Acceptance, Topology},
    genesis::{Aggregation, Noise},
    limits::MAX_MEMBERS,
    model::Width,
    update::Codec,
};
use clap::{Args, Parser, Subcommand, value_parser};

use crate::{
    arena::AgentsOptions,
    attacks::AttacksOptions,
    chaos::ChaosOptions,
    hostile::HostileArgs,
    market::MarketOptions,
    page,
    replay::ReplayOptions,
    trace::{self, command::TraceOptions},
};

/// A federation of real node processes on this machine.
#[derive(Debug, Parser)]
#[command(name = "testnet", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start N nodes, let them train and decide for some rounds, then stop them, check their ledgers and write a report
    ///
    /// Exit code 0: the rounds were reached, every ledger agrees and verifies, supply is conserved.
    /// Exit code 2: an option or a file is wrong. Exit code 1: anything else.
    #[command(after_help = EXAMPLES)]
    Run(RunOptions),

    /// Let a part of a federation attack what it learns, in every way, under a robust rule and under the plain mean
    ///
    /// Exit code 0: all was played. Exit code 1: with --require, an attack cost more than three points; or anything failed.
    /// Exit code 2: an option or a file is wrong.
    #[command(after_help = ATTACKS_EXAMPLES)]
    Attacks(AttacksOptions),

    /// Let everything go wrong in a federation of real processes, and judge what is left
    ///
    /// Nodes are killed, frozen, parted, run out of disk and lose their clocks, at instants that a seed draws. Then their
    /// ledgers and their lines must tell of no fork, no lost decision, no false accusation and no overspent budget.
    /// Exit code 0: all held, or this machine cannot play it, and says why. Exit code 1: something did not hold; the run's
    /// folder is kept. Exit code 2: an option or the file is wrong.
    #[command(after_help = CHAOS_EXAMPLES)]
    Chaos(ChaosOptions),

    /// Have rules, rivals and a language model answer the questions of a node's agents, and report who decides best and at what cost
    ///
    /// Everybody is asked in the same seeded contexts, of which it is known what every answer is worth: auctions,
    /// a federation that trains, a privacy budget on a loaded machine.
    /// Exit code 0: all was asked. Exit code 2: an option or a file is wrong. Exit code 1: anything else.
    #[command(after_help = AGENTS_EXAMPLES)]
    Agents(AgentsOptions),

    /// Play the market of a live run again in the simulator, from the trace in its report, or clear its bids by another mechanism
    ///
    /// Exit code 0: everybody was paid the same, or another mechanism was asked for. Exit code 1: a payment differs.
    /// Exit code 2: the file is wrong.
    #[command(after_help = trace::command::EXAMPLES)]
    Trace(TraceOptions),

    /// Play a market of thousands of members in one process, and report who earns what and what it brings
    ///
    /// Bids are cleared, held in escrow, paid and counted by the code that pays real nodes. Members' costs, data and
    /// strategies are drawn from a seed; a model of value stands in place of training.
    /// Exit code 0: it was played, and every credit was found after every round. Exit code 2: an option or the file is
    /// wrong. Exit code 1: anything else.
    #[command(after_help = MARKET_EXAMPLES)]
    Market(MarketOptions),

    /// Run a node that attacks; `testnet run --scenario` calls it
    #[command(hide = true)]
    Hostile(HostileArgs),

    /// Replay a published experiment in one process, with the training and aggregation of the nodes, and compare figures
    ///
    /// Exit code 0: it was replayed. Exit code 1: with --require, the published figure was missed; or anything failed.
    /// Exit code 2: an option or a file is wrong, or training diverged at this learning rate.
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayOptions),
}

/// Pause between the rounds of a federation whose agents ask a language model, which shares the processor with them.
const THINKING_MS: u64 = 3_000;

const EXAMPLES: &str = "\
Examples:
  testnet run                                  eight nodes, twenty rounds of MNIST
  testnet run --nodes 4 --rounds 5             a quick one
  testnet run --kill-aggregator-every 4        kill -9 the chair in rounds 4, 8, 12, ... and bring it back
  testnet run --model mlp --dataset csv-4-3 --data flowers
                                               your own data: flowers/train.csv and flowers/test.csv
  testnet run --exchange epidemic:3            no aggregator and no ledger: steps in place of rounds
  testnet run --epsilon 4 --delta 1e-5         every node trains with noise, within that budget
  testnet run --nodes 10 --scenario testnet/scenarios/sign-flip.toml
                                               three of ten attack; the rule bears three liars
  testnet run --endpoint http://127.0.0.1:8080 agents ask a language model; ./testnet/run.sh --lm starts one
  testnet run --json > summary.json            for a script; progress stays on the error stream";

const ATTACKS_EXAMPLES: &str = "\
Examples:
  testnet attacks                              ten nodes, three of which attack, in ten ways under two rules: long
  testnet attacks --attack sign-flip,alie      two of the ways
  testnet attacks --resume                     go on where it was broken off";

const CHAOS_EXAMPLES: &str = "\
Examples:
  testnet chaos --scenario testnet/scenarios/chaos/kills.toml
                                               kill -9 at random instants, for a minute
  testnet chaos --scenario testnet/scenarios/chaos/partitions.toml --runs 10
                                               ten federations, seeds 1 to 10; needs root
  testnet chaos --scenario testnet/scenarios/chaos/everything.toml --seed 7
                                               the seed of a run that failed, again
  testnet chaos --scenario mine.toml --json    for a script; what happens is told on the error stream";

const AGENTS_EXAMPLES: &str = "\
Examples:
  testnet agents                               all questions, eight seeds: some minutes
  testnet agents --seats bidder,pace           the quick ones
  testnet agents --seats selector --policies rules,oort --rounds 40
                                               two ways to select members, over longer federations
  testnet agents --endpoint http://127.0.0.1:8080 --asking each-alone,once --seats bidder
                                               a language model takes part, asked in two ways
  testnet agents --seeds 20 --resume           go on with the report of a contest that was broken off
  testnet agents --json > summary.json         for a script; progress stays on the error stream

It writes agents.csv, rounds.csv, summary.json and pictures: docs/agents.md says what is in them.";

const MARKET_EXAMPLES: &str = "\
Examples:
  testnet market                                 a thousand truthful members, a hundred rounds, four seeds
  testnet market --config testnet/markets/does-truth-pay.toml
                                                 one of nine questions that come with the program
  testnet market --sweep market.mechanism=critical,vcg,first-price
                                                 the same members under three mechanisms
  testnet market --sweep market.bonus_permille=0,300,600 --sweep members.count=100,1000
                                                 six points: every combination
  testnet market --set 'members.samples={gamma={mean=2000,shape=1}}'
                                                 uneven data
  testnet market --config testnet/markets/what-is-an-update-worth.toml
                                                 sixteen members who really train, in minutes
  testnet market --config testnet/markets/what-a-model-earns.toml --endpoint http://127.0.0.1:8080
                                                 a quarter of the members follows a language model
  testnet market --print-config > mine.toml      every field with its default, to begin with
  testnet market --json > summary.json           for a script; progress stays on the error stream

Strategies: truthful, random, flatterer, { shading = { margin_percent = 20 } }, { inflating = { times = 3 } },
{ ring = { withheld_permille = 970 } }, { sybil = { identities = 10 } }, { free-rider = { price_percent = 50 } },
{ bandit = { curious_permille = 100 } }, { model = { questions_most = 40 } } with --endpoint or --answers.
It writes report.html, summary.json, and rounds, strategies and members as CSV and Parquet: docs/market.md says what is
in them. The same seeds give the same bytes, on any number of threads.";

const REPLAY_EXAMPLES: &str = "\
Examples:
  testnet replay fedavg-2nn                         three runs on evenly divided data, published: 87 rounds
  testnet replay fedavg-2nn --partition shards:2    two digits for each member, published: 664 rounds
  testnet replay niid --partition dirichlet:0.5     accuracy after fifty rounds, published: 98.9 %
  testnet replay dp-mnist --seeds 10                private training, published: 95.0 % at epsilon 1.20, 96.6 % at 2.92
  testnet replay heterofl                           members who train slices, beside full width and without them
  testnet replay byzfl --similarity 0 --liars 1     accuracy beside one liar, published: 87 %
  testnet replay niid --seeds 1 --resume            go on with the report of a replay that was broken off

Each writes a report with a table, the curves, a picture and summary.json: docs/replay.md says what is in them.";

/// Options of `testnet run`.
#[derive(Debug, Clone, Args)]
pub struct RunOptions {
    /// Node processes to start; four or more survive the loss of one
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = value_parser!(u16).range(1..=MAX_MEMBERS as i64))]
    pub nodes: u16,

    /// Rounds that must be settled, or steps that every node must end, before the nodes are stopped
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub rounds: u64,

    /// Seed of the first model, of the partition of the data and of what training costs each node
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "dirichlet:0.5", value_name = "KIND")]
    pub partition: String,

    /// How models travel: elected (rounds with an aggregator and a ledger) or epidemic:S (steps of each node's own)
    #[arg(long, default_value_t, value_name = "TOPOLOGY")]
    pub exchange: Topology,

    /// With epidemic:S, whose models a node accepts: all, or balance:GAMMA:KAPPA:STEPS for those near its own
    #[arg(long, default_value_t, value_name = "RULE")]
    pub acceptance: Acceptance,

    /// Let the nodes of an elected federation learn on in steps while their ledger is halted
    #[arg(long)]
    pub continue_when_halted: bool,

    /// What is trained: 2nn, lenet, fedavg-cnn or mlp, or a model of the node binary's own
    #[arg(long, default_value = "lenet", value_name = "MODEL")]
    pub model: String,

    /// What the data is: mnist, cifar10, cifar100, csv-FEATURES-CLASSES, or a schema of the node binary's own
    #[arg(long, default_value = "mnist", value_name = "SCHEMA")]
    pub dataset: String,

    /// Who attacks what is learnt, and how: a TOML file, see docs/testnet.md
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,

    /// How updates become a model: mean, median, trimmed:F, multi-krum:F or centred-clipping:TAU
    /// [default: mean; with --scenario and --exchange epidemic:S trimmed:F for F = a third of the other nodes]
    #[arg(long, value_name = "RULE")]
    pub rule: Option<Rule>,

    /// What is done to updates before: none, nearest:F or aligned:F
    /// [default: none; with --scenario aligned:F for F = a third of the other nodes, or nearest:F in steps]
    #[arg(long, value_name = "MIXING")]
    pub mixing: Option<Mixing>,

    /// Nodes that a round hires at the most [default: 4, or what the rule needs; with --scenario all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=MAX_MEMBERS as i64))]
    pub winners: Option<u16>,

    /// Nodes that vote; all others train and appraise as they do [default: all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=MAX_MEMBERS as i64))]
    pub voters: Option<u16>,

    /// Milliseconds from the end of a round to the beginning of the next [default: 0; with --endpoint 3000, time for the
    /// model to think in]
    #[arg(long, value_name = "MS")]
    pub pause_ms: Option<u64>,

    /// How updates travel: f32 as they are, q8 in one byte a parameter, or topk:P with P of a thousand parameters
    #[arg(long, default_value_t, value_name = "CODEC")]
    pub codec: Codec,

    /// How members find out what each update has brought: shapley, leave-one-out, cosine or alone
    #[arg(long, default_value_t, value_name = "WORD")]
    pub contribution: Contribution,

    /// Parts of the model that nodes can be hired for, with commas between: 1 for all of it, 1/2, 1/4, 1/8, 1/16
    #[arg(long, default_value = "1", value_name = "WIDTHS", value_delimiter = ',')]
    pub widths: Vec<Width>,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// In every Kth round, kill -9 the elected aggregator while the others train, and start it again later; in an
    /// epidemic federation, one node after the other
    #[arg(long, value_name = "K", value_parser = value_parser!(u64).range(1..))]
    pub kill_aggregator_every: Option<u64>,

    /// Let every node train with noise, and spend at most this much of its examples' privacy over the rounds; 1 is
    /// strong, 8 is weak
    #[arg(long, value_name = "EPSILON", value_parser = positive)]
    pub epsilon: Option<f64>,

    /// Chance that EPSILON does not hold
    #[arg(long, default_value_t = 1e-5, value_name = "DELTA", value_parser = probability, requires = "epsilon")]
    pub delta: f64,

    /// A language model that the nodes' agents ask for standing orders: any server that speaks OpenAI's protocol, as
    /// http://127.0.0.1:8080 [default: none; rules decide]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,

    /// With --endpoint, how the model is asked to choose: each-alone, both-ways (its menu in two orders) or once
    #[arg(long, default_value = "each-alone", value_name = "WAY", value_parser = ["each-alone", "both-ways", "once"])]
    pub asking: String,

    /// Where the page of all nodes is served while the run lasts; loopback only, and port 0 takes a free one
    #[arg(long, default_value_t = page::ANYWHERE, value_name = "ADDRESS")]
    pub page: SocketAddr,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Give up on the rounds after this many seconds, and report what there is
    #[arg(long, default_value_t = 900, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=604_800))]
    pub timeout_s: u64,

    /// The node binary [default: `althing` beside this program]
    #[arg(long, value_name = "PATH")]
    pub althing: Option<PathBuf>,

    /// Folder of the data, with what --dataset says in it; accuracy needs a test set there
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| *value > 0.0 && value.is_finite())
        .ok_or_else(|| "give a number above 0".into())
}

fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|value: &f64| *value > 0.0 && *value < 1.0);
    number.ok_or_else(|| "give a number above 0 and below 1, as 1e-5".into())
}

impl Default for RunOptions {
    /// As without any argument.
    fn default() -> Self {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            options: RunOptions,
        }
        Alone::parse_from(["run"]).options
    }
}

impl RunOptions {
    /// How long the rounds may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    /// Whether nodes take steps in place of rounds.
    pub const fn is_epidemic(&self) -> bool {
        matches!(self.exchange, Topology::Epidemic { .. })
    }

    /// The rule of the federation.
    pub fn rule(&self) -> Rule {
        self.rule
            .unwrap_or_else(|| self.bearable().map_or(Rule::WeightedMean, |liars| bearing(self.exchange, liars).rule))
    }

    /// What is done to updates before the rule.
    pub fn mixing(&self) -> Mixing {
        self.mixing
            .unwrap_or_else(|| self.bearable().map_or(Mixing::None, |liars| bearing(self.exchange, liars).mixing))
    }

    /// Nodes that a round hires at the most, unless that is left to the genesis.
    pub fn winners(&self) -> Option<u16> {
        self.winners.or_else(|| self.scenario.is_some().then_some(self.nodes))
    }

    /// Nodes that train with noise have it allowed.
    pub const fn noise(&self) -> Noise {
        if self.epsilon.is_some() { Noise::Allowed } else { Noise::Refused }
    }

    /// From one round to the next, in milliseconds.
    pub fn pause_ms(&self) -> u64 {
        let thinking = if self.endpoint.is_some() { THINKING_MS } else { 0 };
        self.pause_ms.unwrap_or(thinking)
    }

    /// Where there are attackers, so many as the agreement bears too: less than a third of the nodes.
    fn bearable(&self) -> Option<u32> {
        let most = u32::from(self.nodes - 1) / 3;
        self.scenario.is_some().then_some(most).filter(|liars| *liars > 0)
    }

    /// Nodes as an index bound.
    pub fn node_count(&self) -> usize {
        usize::from(self.nodes)
    }
}

/// How a federation that is attacked puts its updates together, to bear so many liars.
///
/// In rounds the directions of steps tell who lies. In steps of epidemic exchange a member compares few models with its
/// own, from which it has no step itself, so distances must do.
pub const fn bearing(exchange: Topology, liars: u32) -> Aggregation {
    match exchange {
        Topology::Elected => Aggregation { rule: Rule::WeightedMean, mixing: Mixing::Aligned { liars } },
        Topology::Epidemic { .. } => {
            Aggregation { rule: Rule::TrimmedMean { liars }, mixing: Mixing::Nearest { liars } }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn parse(arguments: &[&str]) -> Result<RunOptions, ErrorKind> {
        let all = ["testnet", "run"].iter().chain(arguments);
        let cli = Cli::try_parse_from(all).map_err(|error| error.kind())?;
        match cli.command {
            Command::Run(options) => Ok(options),
            other => panic!("{other:?} is not a run"),
        }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        Cli::command().debug_assert();
        let options = parse(&[]).unwrap();
        assert_eq!((options.nodes, options.rounds, options.seed), (8, 20, 1));
        assert_eq!((options.partition.as_str(), options.model.as_str()), ("dirichlet:0.5", "lenet"));
        assert_eq!(options.dataset, "mnist");
        assert_eq!((options.codec, options.widths.as_slice()), (Codec::F32, &[Width::Full][..]));
        assert_eq!(options.kill_aggregator_every, None);
        assert!(options.data.join("README.md").exists(), "the data of the repository is the default");
    }

    #[test]
    fn a_scenario_makes_the_rule_robust_unless_another_is_named() {
        let words = |arguments: &[&str]| {
            let options = parse(arguments).unwrap();
            (options.rule().to_string(), options.mixing().to_string(), options.winners())
        };
        let word = |rule: &str, mixing: &str, winners| (rule.to_owned(), mixing.to_owned(), winners);
        assert_eq!(words(&[]), word("mean", "none", None));
        let attacked = ["--nodes", "10", "--scenario", "x.toml"];
        assert_eq!(words(&attacked), word("mean", "aligned:3", Some(10)));
        let in_steps = [&attacked[..], &["--exchange", "epidemic:3"]].concat();
        assert_eq!(words(&in_steps), word("trimmed:3", "nearest:3", Some(10)));
        let plain = [&attacked[..], &["--rule", "mean", "--mixing", "none", "--winners", "5"]].concat();
        assert_eq!(words(&plain), word("mean", "none", Some(5)));
        assert_eq!(words(&["--nodes", "3", "--scenario", "x.toml"]), word("mean", "none", Some(3)));
    }

    #[test]
    fn numbers_out_of_bounds_are_refused() {
        assert_eq!(parse(&["--delta", "1e-5"]).unwrap_err(), ErrorKind::MissingRequiredArgument);
        assert_eq!(parse(&["--epsilon", "0"]).unwrap_err(), ErrorKind::ValueValidation);
        assert_eq!(parse(&["--epsilon", "4", "--delta", "1"]).unwrap_err(), ErrorKind::ValueValidation);
        for wrong in [
            ["--codec", "q9"],
            ["--widths", "1,2"],
            ["--nodes", "0"],
            ["--nodes", "129"],
            ["--rounds", "0"],
            ["--kill-aggregator-every", "0"],
        ] {
            assert_eq!(parse(&wrong).unwrap_err(), ErrorKind::ValueValidation, "{wrong:?}");
        }
    }
}
