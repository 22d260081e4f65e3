//! What the user may ask of the arena.

use std::path::PathBuf;

use althing_node::learn::partition::Partition;
use clap::{Args, value_parser};
use serde::Serialize;

use super::{
    field::{BuiltIn, Model},
    model::ModelOptions,
    seat::Seat,
    world::Scale,
};

/// Options of `testnet agents`.
#[derive(Debug, Clone, Args)]
pub struct AgentsOptions {
    /// Whose questions are asked, with commas between: bidder, selector, guardian, pace (the guardian's second)
    #[arg(long, value_delimiter = ',', default_values_t = Seat::ALL, value_name = "SEATS")]
    pub seats: Vec<Seat>,

    /// Who answers, with commas between: rules, random, fixed, surplus, going-rate, hasty, fixed-k, decaying-k, linucb, oort, power-of-choice; those
    /// that a question means nothing to are left out there
    #[arg(long, value_delimiter = ',', default_values_t = BuiltIn::ALL, value_name = "POLICIES")]
    pub policies: Vec<BuiltIn>,

    /// Seeds; of each, everybody answers the same questions, and what is reported is a mean over seeds
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = value_parser!(u16).range(1..=1_000))]
    pub seeds: u16,

    /// The first seed; the others follow it
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    pub seed: u64,

    /// Contexts of each seed for every seat but the selector's
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = value_parser!(u64).range(1..=100_000))]
    pub contexts: u64,

    /// Rounds of every federation: contexts of each seed for the selector, and length of its own federations
    #[arg(long, default_value_t = 12, value_name = "N", value_parser = value_parser!(u64).range(1..=10_000))]
    pub rounds: u64,

    /// Members of the simulated federations
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = value_parser!(u16).range(2..=128))]
    pub members: u16,

    /// Members whom a round hires at the most
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = value_parser!(u16).range(1..=128))]
    pub winners: u16,

    /// How the training data is divided: iid, dirichlet:ALPHA (smaller is more uneven), shards:K or label:K
    #[arg(long, default_value = "dirichlet:0.3", value_name = "KIND")]
    pub partition: Partition,

    /// Times that every question is asked again with its menu in another order; 0 measures no position bias
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = value_parser!(u16).range(0..=100))]
    pub permutations: u16,

    /// Ask the questions alone: nobody gets rounds in its own hand, which a slow model would take long for
    #[arg(long)]
    pub questions_only: bool,

    /// A language model beside them
    #[command(flatten)]
    pub model: ModelOptions,

    /// Print summary.json and nothing else on the standard output
    #[arg(long)]
    pub json: bool,

    /// Folder of the report; it must be new, empty or an earlier report, which is replaced
    #[arg(long, default_value = "testnet-report", value_name = "DIR")]
    pub report: PathBuf,

    /// Keep the finished seeds of the report folder, if they are of the same setting, and play only what is missing
    #[arg(long)]
    pub resume: bool,

    /// Folder of the four MNIST files
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"), value_name = "DIR")]
    pub data: PathBuf,
}

/// What must be alike for runs to be compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Contexts of each seed for every seat but the selector's.
    pub contexts: u64,
    /// Rounds of every federation.
    pub rounds: u64,
    /// Members of the simulated federations.
    pub members: u16,
    /// Members whom a round hires at the most.
    pub winners: u16,
    /// How the training data is divided.
    pub partition: String,
    /// Times that every question is asked again in another order.
    pub permutations: u16,
    /// Whether nobody gets rounds in its own hand.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub questions_only: bool,
    /// Who answers.
    pub policies: Vec<String>,
    /// The language model that answers as `model-...`, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
}

impl AgentsOptions {
    /// The seeds. Past the largest number they begin again at zero.
    pub fn all_seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.seed;
        (0..u64::from(self.seeds)).map(move |number| first.wrapping_add(number))
    }

    /// The seats in the order of reports, each once.
    pub fn all_seats(&self) -> Vec<Seat> {
        Seat::ALL.into_iter().filter(|seat| self.seats.contains(seat)).collect()
    }

    /// The policies in the order of reports, each once.
    pub fn all_policies(&self) -> Vec<BuiltIn> {
        BuiltIn::ALL.into_iter().filter(|policy| self.policies.contains(policy)).collect()
    }

    /// How large federations are.
    pub(super) fn scale(&self) -> Scale {
        let (members, winners) = (self.members.into(), self.winners.into());
        Scale { members, winners, partition: self.partition }
    }

    /// What must be alike.
    pub(super) fn setting(&self, policies: Vec<String>, model: Option<Model>) -> Setting {
        Setting {
            contexts: self.contexts,
            rounds: self.rounds,
            members: self.members,
            winners: self.winners,
            partition: self.partition.to_string(),
            permutations: self.permutations,
            questions_only: self.questions_only,
            policies,
            model,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Parser, error::ErrorKind};

    use super::*;
    use crate::options::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<AgentsOptions, ErrorKind> {
        let all = ["testnet", "agents"].iter().chain(arguments);
        match Cli::try_parse_from(all).map_err(|error| error.kind())?.command {
            Command::Agents(options) => Ok(options),
            other => panic!("{other:?} is no contest"),
        }
    }

    #[test]
    fn everybody_takes_part_once_in_the_order_of_reports() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.all_seats(), options.all_policies()), (Seat::ALL.to_vec(), BuiltIn::ALL.to_vec()));
        let options = parse(&["--seats", "pace,bidder,pace", "--policies", "oort,rules,oort"]).unwrap();
        assert_eq!(options.all_seats(), [Seat::Bidder, Seat::Pace]);
        assert_eq!(options.all_policies(), [BuiltIn::Rules, BuiltIn::Oort]);
    }

    #[test]
    fn seeds_follow_each_other_and_numbers_out_of_bounds_are_refused() {
        let options = parse(&["--seed", "18446744073709551615", "--seeds", "2"]).unwrap();
        assert_eq!(options.all_seeds().collect::<Vec<_>>(), [u64::MAX, 0]);
        for wrong in [["--seeds", "0"], ["--contexts", "0"], ["--members", "1"], ["--permutations", "101"]] {
            assert_eq!(parse(&wrong).unwrap_err(), ErrorKind::ValueValidation, "{wrong:?}");
        }
    }
}
