//! What can be said of geneses.

use std::{fmt, path::PathBuf, str::FromStr};

use althing_protocol::{
    aggregate::{Mixing, Rule},
    contribution::Contribution,
    epidemic::{Acceptance, Topology},
    genesis::{Admission, Grant, Member, Noise},
    ids::{Hash, MemberId},
    limits::{MAX_ABSENCE, MAX_MEMBERS},
    market::Mechanism,
    model::Width,
    update::Codec,
};
use clap::{Args, Subcommand};

use super::{credits, name};
use crate::keyfile::check_name;

const FOUNDING: &str = "\
Example:
  althing genesis new --name village --model lenet --seed 7 \\
    --member-key anna.toml --member berta:ID:ANCHOR --out genesis.toml

Members send what `althing key show` prints as `member`. Those given by --member come before those by --member-key.";

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
    /// Examples with which a contract is worth what the menu says; with fewer it is worth less in proportion, and with
    /// more, up to ten times as much, so that nobody earns more by joining under several names. 0 if the worth is the
    /// menu's whatever data stands behind a bid.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub usual_samples: u64,
    /// What becomes of updates that are noise: `refused`, as one who did not train hands them in, or `allowed`, where
    /// members hide in noise what their data would tell.
    #[arg(long, value_name = "WORD", default_value = "refused")]
    pub noise: Noise,
    /// How members find out what each update has brought, which the bonus is paid by: `alone` by what it would be worth
    /// without the others, `cosine` by how far it goes where all go together, `leave-one-out` by what would be missing
    /// without it, or `shapley` by what it adds to any of the others, on average. The last costs most: 63 evaluations
    /// of six updates, three for each of more.
    #[arg(long, value_name = "WORD", default_value_t)]
    pub contribution: Contribution,
    /// How updates travel: `f32` as they are, `q8` in one byte a parameter, or `topk:P` with only the P of a thousand
    /// parameters that have changed most.
    #[arg(long, value_name = "CODEC", default_value_t)]
    pub codec: Codec,
    /// Parts of the model that members can be hired for, split by commas: 1 for all of it, 1/2, 1/4, 1/8 and 1/16 for
    /// such a part of every layer.
    #[arg(long, value_name = "WIDTHS", value_delimiter = ',', default_value = "1")]
    pub widths: Vec<Width>,
    /// Who may invite members later: `closed` for nobody, or `founders` for each of those given here.
    #[arg(long, value_name = "WHO", default_value_t)]
    pub admission: Admission,
    /// How many members vote: the first of those given here, and of those who join later whoever delivers first when
    /// there is room. All others train, appraise and are paid as they are [default: everybody].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_MEMBERS as i64))]
    pub voters: Option<u32>,
    /// Rounds in a row that a voter may be away before it loses its vote, until it is seen again; 0 for any number.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=MAX_ABSENCE as i64))]
    pub suspend_after: u32,
    /// A member, as `althing key show` prints it. Repeat for each.
    #[arg(long = "member", value_name = "NAME:ID:ANCHOR", required_unless_present = "member_keys")]
    pub members: Vec<MemberArg>,
    /// A member, by its key file. Repeat for each.
    #[arg(long = "member-key", value_name = "FILE")]
    pub member_keys: Vec<PathBuf>,
    /// Credits that exist from the beginning: the id of an account, a member's or a sponsor's, and how many. Repeat for
    /// each.
    #[arg(long = "grant", value_name = "ID=CREDITS", value_parser = credits::grant)]
    pub grants: Vec<Grant>,
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "genesis.toml")]
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
    /// The member with so many votes.
    pub fn into_member(self, power: u64) -> Member {
        Member { name: self.name, id: self.id, power, anchor: self.anchor }
    }
}

impl fmt::Display for MemberArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{
        super::{Cli, Command},
        *,
    };

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
