//! What can be said on the command line.

pub mod market;

use std::{path::PathBuf, str::FromStr};

use althing_agents::privacy::Conversion;
use althing_protocol::{
    aggregate::{Mixing, Rule},
    epidemic::{Acceptance, Topology},
    event::Role,
    genesis::Member,
    ids::{Hash, MemberId},
    market::Mechanism,
    model::Width,
    update::Codec,
};
use clap::{Args, Parser, Subcommand, ValueEnum};
use libp2p::Multiaddr;

use crate::{
    endpoint::{ANSWER_TOKENS_MAX, Address},
    keyfile::check_name,
};
use market::MarketCommand;

const EXAMPLES: &str = "\
Examples, from nothing to a node:
  althing key new --name anna --out anna.toml
  althing key show anna.toml                        # prints what the founder needs
  althing genesis new --name village --member-key anna.toml --member berta:ID:ANCHOR --out genesis.toml
  althing run --config node.toml
  althing status --config node.toml

A node.toml needs three lines, and where the data set is (here the first of three parts of it):
  genesis = \"genesis.toml\"
  key = \"anna.toml\"
  data_dir = \"store\"
  data = { path = \"mnist\", parts = 3, part = 0 }

Data is IDX files, CIFAR .bin files or CSV: say which by `genesis new --dataset`; docs/data.md tells of the files.

Exit codes: 0 done, 2 something to correct (an argument, a file, an address), 1 a fault of machine or program.
Logs go to stderr; ALTHING_LOG=debug shows more.";

const FOUNDING: &str = "\
Example:
  althing genesis new --name village --model lenet --seed 7 \\
    --member-key anna.toml --member berta:ID:ANCHOR --out genesis.toml

Members send what `althing key show` prints as `member`. Those given by --member come before those by --member-key.";

const EPSILON: &str = "\
Examples:
  althing privacy epsilon --q 0.01 --sigma 1.1 --steps 1000 --delta 1e-5
  althing privacy epsilon --schedule plan.csv --delta 1e-5 --json

  plan.csv:
    q,sigma,steps
    0.01,1.1,1000
    0.01,0.9,200

Epsilon bounds what any one example can change: about 1 is strong, 8 is weak. More noise (--sigma), fewer steps and
smaller batches (--q) lower it. It holds if each step takes every example by its own coin flip, clips its gradient and
adds fresh noise, and if all of this was fixed before the first step. docs/privacy.md says what it does not cover.";

const MODELS: &str = "\
Examples:
  althing model export --config node.toml --out model.safetensors
  althing model export --genesis genesis.toml --model-file model.bin --out model.safetensors
  althing model import model.safetensors --genesis genesis.toml --out model.bin

In Python: load_state_dict(safetensors.torch.load_file(\"model.safetensors\")); docs/check_safetensors.py does it.";

const ASKING: &str = "\
Examples:
  althing ask --endpoint http://127.0.0.1:8080 \"Half the budget is left. Spend?\" --choose save,steady,spend
  althing ask --endpoint http://127.0.0.1:8080 \"Half the budget is left. Spend?\" --score spend --json
  althing ask --config node.toml \"Why do sheep count?\"

docs/agents.md says what the endpoint must be able to do.";

/// Federated learning among equals: members train one model together, elect a new aggregator every round, agree on
/// every result and pay each other for it.
#[derive(Debug, Parser)]
#[command(name = "althing", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl Cli {
    /// How answers are to be printed.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Text }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make or show a member's key.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Found a federation, or look at the file that names it.
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Run a node until Ctrl-C.
    #[command(after_help = "Example:\n  althing run --config node.toml --bootstrap /ip4/192.168.1.5/tcp/4001")]
    Run(RunArgs),
    /// Ask a running node how it is; when none runs, say what its store holds.
    #[command(after_help = "Example:\n  althing status --config node.toml --json")]
    Status(StatusArgs),
    /// Show what the agents of a node have decided, who decided it, and what a language model said.
    #[command(
        after_help = "Examples:\n  althing decisions --config node.toml --last 20\n  althing decisions --role selector --json"
    )]
    Decisions(DecisionsArgs),
    /// Show, export or verify the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Say who of some bidders would be hired, and for what pay.
    #[command(subcommand)]
    Market(MarketCommand),
    /// Say what training with noise costs in privacy.
    #[command(subcommand)]
    Privacy(PrivacyCommand),
    /// Show, judge, export or import a model.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Ask a language model's endpoint a question, to see whether and how well agents could ask it.
    #[command(after_help = ASKING)]
    Ask(AskArgs),
}

/// Keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key from the system's randomness. An existing file is never overwritten.
    #[command(after_help = "Example:\n  althing key new --name anna --out anna.toml")]
    New {
        /// The member's name: letters, digits, '-', '_' and '.'.
        #[arg(long, value_parser = name)]
        name: String,
        /// The file to create.
        #[arg(long, value_name = "FILE", default_value = "key.toml")]
        out: PathBuf,
    },
    /// Show the public half of a key: what a founder needs to make its owner a member.
    #[command(after_help = "Example:\n  althing key show anna.toml")]
    Show {
        /// The key file.
        #[arg(default_value = "key.toml")]
        file: PathBuf,
    },
}

/// Geneses.
#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Found a federation. Edit the file before anybody joins: every change makes another network.
    #[command(
        after_help = FOUNDING
    )]
    New(Box<GenesisNewArgs>),
    /// Show what a genesis says.
    Show {
        /// The genesis file.
        #[arg(default_value = "genesis.toml")]
        file: PathBuf,
    },
    /// Check a genesis and print its network id: members compare it before they join.
    Check {
        /// The genesis file.
        #[arg(default_value = "genesis.toml")]
        file: PathBuf,
    },
}

/// A new federation.
#[derive(Debug, Args)]
pub struct GenesisNewArgs {
    /// The federation's name: letters, digits, '-', '_' and '.'.
    #[arg(long, value_parser = name)]
    pub name: String,
    /// The model: `2nn`, `lenet` or `fedavg-cnn` for mnist, `lenet` for cifar10 and cifar100, `mlp` for any data.
    #[arg(long, default_value = "lenet")]
    pub model: String,
    /// What the members' data is: `mnist`, `cifar10`, `cifar100`, or `csv-FEATURES-CLASSES` as in `csv-4-3`.
    #[arg(long, default_value = "mnist")]
    pub dataset: String,
    /// Seed of the first model's parameters.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: u64,
    /// A first model to go on from, as `althing model import` makes one, in place of one drawn from the seed. Every
    /// member needs the file too, as `first_model` of its configuration.
    #[arg(long, value_name = "FILE")]
    pub initial_model: Option<PathBuf>,
    /// How updates become the next model: `mean`, `median`, `trimmed:F`, `multi-krum:F` or `centred-clipping:TAU`.
    /// F is the number of members that may lie, TAU the longest step that counts in full.
    #[arg(long, value_name = "RULE", default_value_t)]
    pub aggregation: Rule,
    /// What is done to updates before: `none`, `nearest:F` to replace each by the mean of its n-F nearest, or
    /// `aligned:F` to replace each by the mean of the n-F that point as it does, the long ones shortened.
    #[arg(long, value_name = "MIXING", default_value_t)]
    pub mixing: Mixing,
    /// How models travel: `elected`, in rounds with an elected aggregator and a ledger; or `epidemic:S`, in steps of
    /// each member's own, each of which sends its model to S random members and averages with what comes.
    #[arg(long, value_name = "TOPOLOGY", default_value_t)]
    pub exchange: Topology,
    /// With `epidemic:S`: whose models a member averages with, `all`, or `balance:GAMMA:KAPPA:STEPS` for those that are
    /// near its own.
    #[arg(long, value_name = "RULE", default_value_t)]
    pub acceptance: Acceptance,
    /// Members that a round hires at the most; the budget of a round grows with them [default: 4, or what the rule needs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub winners: Option<u32>,
    /// The fairness floor: bids that a member which delivers may lose in a row before it is hired ahead of others, at a
    /// posted price; 0 for no floor [default: 10, or twice the rounds that it takes to hire everybody].
    #[arg(long, value_name = "N")]
    pub max_losses: Option<u32>,
    /// Counter-offers that an elected aggregator may make in a round, 0 to 2: other contracts for bidders, at a price that
    /// code posts, take it or leave it [default: 2, and none where the pay is fixed].
    #[arg(long, value_name = "N")]
    pub max_counter_offers: Option<u32>,
    /// Milliseconds from the end of a round to the beginning of the next: time for what goes on beside the rounds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub pause_ms: u64,
    /// How winners and payments are found: `critical`, `vcg`, `first-price`, `posted:PRICE` or `fixed`. `althing market
    /// clear --help` says what each does.
    #[arg(long, value_name = "MECHANISM", default_value_t)]
    pub mechanism: Mechanism,
    /// What a winner puts down until it delivers, in thousandths of its pay, as far as it has so much.
    #[arg(long, value_name = "PERMILLE", default_value_t = 0)]
    pub deposit_permille: u32,
    /// How updates travel: `f32` as they are, `q8` in one byte a parameter, or `topk:P` with only the P of a thousand
    /// parameters that have changed most.
    #[arg(long, value_name = "CODEC", default_value_t)]
    pub codec: Codec,
    /// Parts of the model that members can be hired for, split by commas: 1 for all of it, 1/2, 1/4, 1/8 and 1/16 for
    /// such a part of every layer.
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "1")]
    pub widths: Vec<Width>,
    /// A member, as `althing key show` prints it. Repeat for each.
    #[arg(long = "member", value_name = "NAME:ID:ANCHOR", required_unless_present = "member_keys")]
    pub members: Vec<MemberArg>,
    /// A member, by its key file. Repeat for each.
    #[arg(long = "member-key", value_name = "FILE")]
    pub member_keys: Vec<PathBuf>,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
    pub out: PathBuf,
}

/// A node to run.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// A member to dial at the start, beside those of the configuration. Repeat for each.
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<Multiaddr>,
}

/// A node to ask.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Decisions.
#[derive(Debug, Args)]
pub struct DecisionsArgs {
    /// The node's configuration.
    #[arg(long, default_value = "node.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// Only this agent's.
    #[arg(long)]
    pub role: Option<RoleArg>,
    /// So many of the newest.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub last: usize,
}

/// An agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Which contract to bid for, and at what price.
    Bidder,
    /// How many to hire, and whom to favour.
    Selector,
    /// How much work and privacy a round may cost.
    Guardian,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Bidder => Self::Bidder,
            RoleArg::Selector => Self::Selector,
            RoleArg::Guardian => Self::Guardian,
        }
    }
}

/// Ledgers.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Show balances, supply and the last decisions of a node that is not running.
    Show {
        /// The node's configuration.
        #[arg(long, value_name = "FILE", default_value = "node.toml")]
        config: PathBuf,
    },
    /// Write all decisions with their certificates to one file that anybody can verify.
    #[command(after_help = "Example:\n  althing ledger export --config node.toml --out village.ledger")]
    Export {
        /// The node's configuration.
        #[arg(long, value_name = "FILE", default_value = "node.toml")]
        config: PathBuf,
        /// The file to create.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Check an exported ledger without any node, from the genesis up, certificates included.
    #[command(after_help = "Example:\n  althing ledger verify village.ledger --genesis genesis.toml")]
    Verify {
        /// The exported ledger.
        file: PathBuf,
        /// The genesis that it must follow from.
        #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
        genesis: PathBuf,
    },
}

/// Privacy.
#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Give the epsilon of some training with clipped gradients, Poisson sampling and Gaussian noise.
    #[command(after_help = EPSILON)]
    Epsilon(EpsilonArgs),
    /// Show what of a member's privacy budget is spent, whether or not its node runs.
    #[command(after_help = "Example:\n  althing privacy show --config node.toml --json")]
    Show(AccountArgs),
    /// Raise the budget of a member's account to the epsilon in its configuration. Its node must not run.
    ///
    /// A node lowers its budget by itself and never raises it: noise that was drawn under the old promise cannot be
    /// drawn again. Raise it for reasons that have nothing to do with what the training has shown.
    #[command(after_help = "Example:\n  althing privacy raise --config node.toml")]
    Raise(AccountArgs),
    /// Go on with the account when the member's examples have changed. Its node must not run.
    ///
    /// What is spent stays spent, for old examples and for new ones.
    #[command(after_help = "Example:\n  althing privacy rebind --config node.toml")]
    Rebind(AccountArgs),
    /// Give up the account: nothing counts any more what was spent. Its node must not run.
    ///
    /// For a member that goes on without noise, or whose store is lost. What a fresh account spends comes on top of
    /// what this one has.
    #[command(after_help = "Example:\n  althing privacy close --config node.toml")]
    Close(AccountArgs),
}

/// Whose account.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// The node's configuration.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
}

/// Training to account for.
#[derive(Debug, Args)]
pub struct EpsilonArgs {
    /// Probability with which a step takes an example: batch size / number of examples.
    #[arg(long, allow_negative_numbers = true, required_unless_present = "schedule")]
    pub q: Option<f64>,
    /// Standard deviation of the noise, in clipping norms.
    #[arg(long, allow_negative_numbers = true, required_unless_present = "schedule")]
    pub sigma: Option<f64>,
    /// Number of steps.
    #[arg(long, required_unless_present = "schedule")]
    pub steps: Option<u64>,
    /// A file of lines `q,sigma,steps`, all of which were trained. Empty lines, `#` comments and a header are allowed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["q", "sigma", "steps"])]
    pub schedule: Option<PathBuf>,
    /// Chance that epsilon does not hold: well below 1 / number of examples.
    #[arg(long, allow_negative_numbers = true)]
    pub delta: f64,
    /// `tight`, or `classic` to compare with figures published before 2021.
    #[arg(long, value_parser = conversion, default_value = "tight")]
    pub conversion: Conversion,
}

/// A question.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question.
    pub question: String,
    /// Where to ask [default: where the node of the configuration does].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<Address>,
    /// The node's configuration, read where no --endpoint is given.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// The model to ask for [default: the first that the endpoint lists].
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The environment variable that holds the endpoint's key.
    #[arg(long, value_name = "VARIABLE")]
    pub key_env: Option<String>,
    /// Words, split by commas, one of which is to be the answer [default: any text].
    #[arg(long, value_name = "WORDS", value_delimiter = ',', conflicts_with = "score")]
    pub choose: Vec<String>,
    /// A word: say how likely the model is to answer it.
    #[arg(long, value_name = "WORD")]
    pub score: Option<String>,
    /// Most tokens of the answer.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=i64::from(ANSWER_TOKENS_MAX)))]
    pub max_tokens: u32,
    /// How long the answer may take, in milliseconds [default: 120000, or what the configuration says].
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub answer_within_ms: Option<u64>,
}

/// Models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Show the tensors of a model.
    #[command(after_help = "Example:\n  althing model show --config node.toml")]
    Show(ModelArgs),
    /// Measure a model on the test set of a node's data, which no member trains on.
    #[command(after_help = "Example:\n  althing model evaluate --config node.toml --model-file model.bin --json")]
    Evaluate(ModelArgs),
    /// Write a model to a file that PyTorch reads.
    #[command(after_help = MODELS)]
    Export(ExportArgs),
    /// Read such a file back, strictly, and write the parameters as members exchange them.
    #[command(after_help = MODELS)]
    Import(ImportArgs),
}

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The configuration of the node whose settled model, or own model in an epidemic federation, is meant. It must not be running.
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub config: PathBuf,
    /// Another model than the node's: a file of parameters as members exchange them.
    #[arg(long, value_name = "FILE")]
    pub model_file: Option<PathBuf>,
    /// The genesis that the model belongs to [default: the node's].
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
}

/// A model to export.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which one.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The format.
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    pub out: PathBuf,
}

/// A format that models are exported in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExportFormat {
    /// Tensors named and shaped as in PyTorch's `state_dict`.
    #[default]
    Safetensors,
}

/// A model to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The safetensors file.
    pub file: PathBuf,
    /// The genesis that says which tensors the model has.
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
    pub genesis: PathBuf,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "model.bin")]
    pub out: PathBuf,
}

/// A member as one word: `NAME:ID:ANCHOR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberArg {
    /// A name for people.
    pub name: String,
    /// Its public key.
    pub id: MemberId,
    /// The end of its hash chain.
    pub anchor: Hash,
}

impl MemberArg {
    /// The member with the one vote that a founder gives to everybody.
    pub fn into_member(self) -> Member {
        Member { name: self.name, id: self.id, power: 1, anchor: self.anchor }
    }
}

impl std::fmt::Display for MemberArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.name, self.id, self.anchor)
    }
}

impl FromStr for MemberArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (Some(name), Some(id), Some(anchor), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("expected NAME:ID:ANCHOR; `althing key show` prints it as `member`".into());
        };
        check_name(name).map_err(|error| error.to_string())?;
        let id = id.parse().map_err(|error| format!("ID: {error}"))?;
        let anchor = anchor.parse().map_err(|error| format!("ANCHOR: {error}"))?;
        Ok(Self { name: name.to_owned(), id, anchor })
    }
}

fn conversion(text: &str) -> Result<Conversion, String> {
    match text {
        "tight" => Ok(Conversion::Tight),
        "classic" => Ok(Conversion::Classic),
        _ => Err("expected `tight` or `classic`".into()),
    }
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_member_is_one_word() {
        let member = MemberArg { name: "anna".into(), id: MemberId([1; 32]), anchor: Hash([2; 32]) };
        assert_eq!(member.to_string().parse(), Ok(member.clone()));
        let word = member.to_string();
        for (bad, wanted) in [
            ("anna", "NAME:ID:ANCHOR"),
            (&word[1..20], "NAME:ID:ANCHOR"),
            (&word[..word.len() - 1], "ANCHOR: expected 64"),
            (&word.replace("anna", ""), "letters, digits"),
            (&format!("{word}:1"), "NAME:ID:ANCHOR"),
            (&word.replace(":0101", ":01"), "ID: expected 64"),
        ] {
            let error = bad.parse::<MemberArg>().unwrap_err();
            assert!(error.contains(wanted), "{bad}: {error}");
        }
    }

    #[test]
    fn json_may_stand_anywhere() {
        for words in [["althing", "--json", "key", "show"], ["althing", "key", "show", "--json"]] {
            assert_eq!(Cli::try_parse_from(words).unwrap().format(), Format::Json);
        }
    }

    #[test]
    fn a_founder_may_name_a_rule() {
        let found = |options: &[&str]| {
            let member = MemberArg { name: "anna".into(), id: MemberId([1; 32]), anchor: Hash([2; 32]) }.to_string();
            let words = ["althing", "genesis", "new", "--name", "village", "--member", &member];
            Cli::try_parse_from(words.iter().chain(options)).map(|cli| match cli.command {
                Command::Genesis(GenesisCommand::New(args)) => (args.aggregation, args.mixing),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(found(&[]).unwrap(), (Rule::WeightedMean, Mixing::None));
        let named = found(&["--aggregation", "trimmed:2", "--mixing", "nearest:2"]).unwrap();
        assert_eq!(named, (Rule::TrimmedMean { liars: 2 }, Mixing::Nearest { liars: 2 }));
        let error = found(&["--aggregation", "average"]).unwrap_err().to_string();
        assert!(error.contains("`average` is no rule; say mean"), "{error}");
    }

    #[test]
    fn a_founder_may_name_a_codec_and_widths() {
        let found = |options: &[&str]| {
            let member = MemberArg { name: "anna".into(), id: MemberId([1; 32]), anchor: Hash([2; 32]) }.to_string();
            let words = ["althing", "genesis", "new", "--name", "village", "--member", &member];
            Cli::try_parse_from(words.iter().chain(options)).map(|cli| match cli.command {
                Command::Genesis(GenesisCommand::New(args)) => (args.codec, args.widths),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(found(&[]).unwrap(), (Codec::F32, vec![Width::Full]));
        let named = found(&["--codec", "topk:50", "--widths", "1/4,1"]).unwrap();
        assert_eq!(named, (Codec::TopK { permille: 50 }, vec![Width::Quarter, Width::Full]));
        for (options, wanted) in [
            (["--codec", "q4"], "`q4` is no codec; say f32, q8 or topk:P"),
            (["--widths", "1,0.5"], "`0.5` is no width; say 1, 1/2"),
        ] {
            let error = found(&options).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
