//! A scenario: which nodes attack, and how.

use std::{collections::BTreeSet, fmt, path::Path, str::FromStr};

use althing_node::files;
use althing_protocol::sim::attack::{Attack, AttackError};
use serde::{Deserialize, Deserializer};

use crate::{error::Error, hostile::Breach};

/// Longest scenario, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// What a hostile node does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Misdeed {
    /// It hands in a lie as its update, and keeps to the protocol otherwise.
    Lie(Attack),
    /// It breaks the protocol.
    Breach(Breach),
}

impl Misdeed {
    /// How it breaks the protocol, if it does.
    pub const fn breach(self) -> Option<Breach> {
        match self {
            Self::Lie(_) => None,
            Self::Breach(breach) => Some(breach),
        }
    }
}

impl fmt::Display for Misdeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lie(attack) => attack.fmt(f),
            Self::Breach(breach) => breach.fmt(f),
        }
    }
}

impl FromStr for Misdeed {
    type Err = MisdeedError;

    fn from_str(text: &str) -> Result<Self, MisdeedError> {
        match text.parse() {
            Ok(breach) => Ok(Self::Breach(breach)),
            Err(_) => text.parse().map(Self::Lie).map_err(MisdeedError),
        }
    }
}

/// A word for nothing that a hostile node does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; or, in chaos, a breach: withhold, false-blobs, equivocate, false-model, forge or besiege")]
pub struct MisdeedError(AttackError);

/// What a hostile node does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plot {
    /// How it attacks.
    pub attack: Misdeed,
    /// The round from which it does, or the step of epidemic exchange.
    pub from_round: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    attack: Attackers,
}

/// All attacks of a scenario.
#[derive(Debug, Default, Deserialize)]
pub struct Attackers(Vec<Entry>);

/// An attack, and who takes part in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Numbers of nodes, from 1.
    nodes: Vec<usize>,
    #[serde(deserialize_with = "attack")]
    how: Misdeed,
    #[serde(default = "first_round")]
    from_round: u64,
}

fn attack<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Misdeed, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

const fn first_round() -> u64 {
    1
}

/// What each of `nodes` plots, as the scenario in `file` has it.
///
/// # Errors
/// [`Error::Usage`] if the file cannot be read, or names an attack or a node that there is not.
pub fn load(file: &Path, nodes: usize) -> Result<Vec<Option<Plot>>, Error> {
    let refused = |reason: String| Error::Usage(format!("--scenario {}: {reason}", file.display()));
    let text = files::read(file, MAX_BYTES).map_err(|error| refused(error.to_string()))?;
    parse(&text, nodes).and_then(keeping_to_the_protocol).map_err(refused)
}

/// A run waits for everybody, and whoever breaks the protocol may be shut out.
fn keeping_to_the_protocol(plots: Vec<Option<Plot>>) -> Result<Vec<Option<Plot>>, String> {
    match plots.iter().flatten().find_map(|plot| plot.attack.breach()) {
        Some(breach) => Err(format!("{breach} breaks the protocol, which only `testnet chaos` plays")),
        None => Ok(plots),
    }
}

fn parse(text: &str, nodes: usize) -> Result<Vec<Option<Plot>>, String> {
    let scenario: Scenario = toml::from_str(text).map_err(|error| error.to_string())?;
    scenario.attack.plots(nodes)
}

impl Attackers {
    /// What each of `nodes` plots.
    ///
    /// # Errors
    /// In words, when they name a node that there is not, or one of them twice.
    pub fn plots(self, nodes: usize) -> Result<Vec<Option<Plot>>, String> {
        let mut plots = vec![None; nodes];
        let mut named = BTreeSet::new();
        for Entry { nodes: numbers, how, from_round } in self.0 {
            for number in numbers {
                let place = number.checked_sub(1).filter(|place| *place < nodes);
                let place = place.ok_or_else(|| format!("there is no node {number}: they are 1 to {nodes}"))?;
                if !named.insert(number) {
                    return Err(format!("node {number} is named twice; a node attacks in one way"));
                }
                plots[place] = Some(Plot { attack: how, from_round });
            }
        }
        Ok(plots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_says_who_attacks_how_and_from_when() {
        let text =
            "[[attack]]\nnodes = [3, 1]\nhow = \"ipm:0.6\"\n[[attack]]\nnodes = [4]\nhow = \"nan\"\nfrom_round = 5\n";
        let plots = parse(text, 4).unwrap();
        let words: Vec<_> =
            plots.iter().map(|plot| plot.map(|plot| (plot.attack.to_string(), plot.from_round))).collect();
        let ipm = Some(("ipm:0.6".to_owned(), 1));
        assert_eq!(words, [ipm.clone(), None, ipm, Some(("nan".to_owned(), 5))]);
    }

    #[test]
    fn mistakes_are_told_in_words() {
        assert_eq!("equivocate".parse(), Ok(Misdeed::Breach(Breach::Equivocate)));
        let breach = parse("[[attack]]\nnodes = [2]\nhow = \"forge\"", 4).and_then(keeping_to_the_protocol);
        assert!(breach.unwrap_err().contains("only `testnet chaos`"));
        for (text, wanted) in [
            ("[[attack]]\nnodes = [5]\nhow = \"nan\"", "1 to 4"),
            ("[[attack]]\nnodes = [0]\nhow = \"nan\"", "no node 0"),
            ("[[attack]]\nnodes = [2, 2]\nhow = \"nan\"", "twice"),
            ("[[attack]]\nnodes = [2]\nhow = \"shout\"", "say sign-flip"),
            ("[[attack]]\nnodes = [2]\nhow = \"nan\"\nuntil = 3", "until"),
        ] {
            let error = parse(text, 4).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        assert_eq!(load(Path::new("/nowhere.toml"), 4).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_examples_can_be_played() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        let files: Vec<_> = files.into_iter().filter(|file| file.is_file()).collect();
        assert!(files.len() >= 3);
        for file in files {
            let plots = load(&file, 10).unwrap();
            assert!(plots.iter().flatten().count() > 0, "{}", file.display());
        }
    }
}
