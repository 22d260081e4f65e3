//! What may go wrong in a federation, and how often, as a file says it.

use std::{collections::BTreeSet, path::Path};

use althing_node::files;
use serde::Deserialize;

use crate::{
    error::Error,
    hostile::Breach,
    lan::Links,
    scenario::{Attackers, Plot},
};

/// Longest scenario, in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Most nodes that a scenario may have: each one may need a host and a disk of its own.
const MAX_NODES: usize = 32;
/// Longest time that anything in a scenario may take, in seconds.
const MAX_S: f64 = 86_400.0;

/// A scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// How each node attacks, if it does; there are as many nodes as entries.
    pub plots: Vec<Option<Plot>>,
    /// For how long faults begin and end, in milliseconds.
    pub faults_ms: u64,
    /// Time in which everybody must then settle two more rounds, in milliseconds.
    pub settles_within_ms: u64,
    /// Nodes that may be disturbed at once; partitions and what links do are not counted.
    pub at_most: usize,
    /// The privacy budget of each node, if they train with noise.
    pub epsilon: Option<f64>,
    /// What every link does, all the time.
    pub links: Links,
    /// Size of the disk that each node has for itself, in MiB, if disks get full.
    pub disk_mib: Option<u64>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// Something that goes wrong again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: Kind,
    /// Shortest and longest time to the next one, in milliseconds.
    pub every_ms: (u64, u64),
    /// Shortest and longest time that it lasts, in milliseconds.
    pub lasts_ms: (u64, u64),
    /// The nodes that it may befall, by their place.
    pub nodes: Vec<usize>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A node is killed, and started again.
    Kill,
    /// A node is killed, and some of its files of models and updates are damaged before it is started again.
    Tear,
    /// A node stands still, and goes on.
    Freeze,
    /// A node's disk is full, until it is not.
    FillDisk,
    /// A node's clock is wrong by up to so many seconds, until it is right again.
    StepClock {
        /// Either way.
        by_s: u32,
    },
    /// Nodes hear only those on their own side.
    Part {
        /// The side of each node; drawn anew every time if there are none.
        sides: Option<Vec<usize>>,
    },
}

impl Kind {
    /// Whether nodes need hosts of their own for it.
    const fn needs_hosts(&self) -> bool {
        matches!(self, Self::Part { .. })
    }
}

impl Scenario {
    /// The scenario in `file`.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or it cannot be played.
    pub fn load(file: &Path) -> Result<Self, Error> {
        let refused = |reason: String| Error::Usage(format!("--scenario {}: {reason}", file.display()));
        let text = files::read(file, MAX_BYTES).map_err(|error| refused(error.to_string()))?;
        Self::parse(&text).map_err(refused)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
        let nodes = written.nodes;
        if !(1..=MAX_NODES).contains(&nodes) {
            return Err(format!("nodes = {nodes}: give 1 to {MAX_NODES}"));
        }
        if written.links.loss_permille > 500 {
            return Err("loss_permille: a link that loses more than 500 of a thousand packets is a partition".into());
        }
        if written.epsilon.is_some_and(|epsilon| !(epsilon > 0.0 && epsilon.is_finite())) {
            return Err("epsilon: give a number above 0".into());
        }
        let faults: Vec<Fault> = written.faults.into_iter().map(|fault| fault.read(nodes)).collect::<Result<_, _>>()?;
        let has_full_disks = faults.iter().any(|fault| fault.kind == Kind::FillDisk);
        Ok(Self {
            plots: written.attacks.plots(nodes)?,
            faults_ms: millis("faults_s", written.faults_s)?,
            settles_within_ms: millis("settles_within_s", written.settles_within_s)?,
            at_most: written.at_most.unwrap_or((nodes - 1) / 3),
            epsilon: written.epsilon,
            links: written.links,
            disk_mib: has_full_disks.then_some(written.disk_mib),
            faults,
        })
    }

    /// Nodes.
    pub const fn nodes(&self) -> usize {
        self.plots.len()
    }

    /// Whether every node needs a host of its own. A siege comes from an address.
    pub fn needs_hosts(&self) -> bool {
        self.links != Links::default()
            || self.faults.iter().any(|fault| fault.kind.needs_hosts())
            || self.plots.iter().flatten().any(|plot| plot.attack.breach() == Some(Breach::Besiege))
    }

    /// Whether every node needs a clock of its own.
    pub fn needs_clocks(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault.kind, Kind::StepClock { .. }))
    }
}

/// A scenario as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    nodes: usize,
    faults_s: f64,
    #[serde(default = "default_settles_within_s")]
    settles_within_s: f64,
    at_most: Option<usize>,
    epsilon: Option<f64>,
    #[serde(default)]
    links: Links,
    #[serde(default = "default_disk_mib")]
    disk_mib: u64,
    #[serde(default, rename = "fault")]
    faults: Vec<WrittenFault>,
    #[serde(default, rename = "attack")]
    attacks: Attackers,
}

const fn default_settles_within_s() -> f64 {
    60.0
}

const fn default_disk_mib() -> u64 {
    64
}

/// A fault as it is written. Nodes are counted from 1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFault {
    #[serde(rename = "do")]
    deed: Word,
    every_s: [f64; 2],
    lasts_s: [f64; 2],
    nodes: Option<Vec<usize>>,
    sides: Option<Vec<Vec<usize>>>,
    by_s: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Kill,
    Tear,
    Freeze,
    FillDisk,
    StepClock,
    Partition,
}

impl WrittenFault {
    fn read(self, nodes: usize) -> Result<Fault, String> {
        let Self { deed, every_s, lasts_s, nodes: numbers, sides, by_s } = self;
        if sides.is_some() && deed != Word::Partition {
            return Err("sides: only do = \"partition\" has them".into());
        }
        if by_s.is_some() && deed != Word::StepClock {
            return Err("by_s: only do = \"step-clock\" has it".into());
        }
        let kind = match deed {
            Word::Kill => Kind::Kill,
            Word::Tear => Kind::Tear,
            Word::Freeze => Kind::Freeze,
            Word::FillDisk => Kind::FillDisk,
            Word::StepClock => Kind::StepClock { by_s: by_s.unwrap_or(3_600) },
            Word::Partition => Kind::Part { sides: sides.map(|sides| side_of_each(&sides, nodes)).transpose()? },
        };
        let nodes = match numbers {
            Some(numbers) => numbers.into_iter().map(|number| place(number, nodes)).collect::<Result<_, _>>()?,
            None => (0..nodes).collect(),
        };
        Ok(Fault { kind, every_ms: span("every_s", every_s)?, lasts_ms: span("lasts_s", lasts_s)?, nodes })
    }
}

/// The side of each node, from lists of numbers. Every node is on exactly one.
fn side_of_each(sides: &[Vec<usize>], nodes: usize) -> Result<Vec<usize>, String> {
    let mut side_of = vec![0; nodes];
    let mut named = BTreeSet::new();
    for (side, numbers) in sides.iter().enumerate() {
        for number in numbers {
            side_of[place(*number, nodes)?] = side;
            if !named.insert(number) {
                return Err(format!("sides: node {number} is on two"));
            }
        }
    }
    if named.len() < nodes {
        return Err(format!("sides: name each of the nodes 1 to {nodes} once"));
    }
    Ok(side_of)
}

fn place(number: usize, nodes: usize) -> Result<usize, String> {
    let place = number.checked_sub(1).filter(|place| *place < nodes);
    place.ok_or_else(|| format!("there is no node {number}: they are 1 to {nodes}"))
}

fn millis(name: &str, seconds: f64) -> Result<u64, String> {
    if !(0.0..=MAX_S).contains(&seconds) {
        return Err(format!("{name} = {seconds}: give seconds from 0 to {MAX_S}"));
    }
    Ok((seconds * 1_000.0).round() as u64)
}

/// A shortest and a longest time. What comes again and again needs a moment at least.
fn span(name: &str, [least, most]: [f64; 2]) -> Result<(u64, u64), String> {
    let (least, most) = (millis(name, least)?, millis(name, most)?);
    if least > most || most < 10 {
        return Err(format!("{name}: give the shortest and the longest time, as [0.5, 4]"));
    }
    Ok((least.max(10), most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLS: &str = "nodes = 4\nfaults_s = 30\n[[fault]]\ndo = \"kill\"\nevery_s = [1, 2.5]\nlasts_s = [0.5, 4]\n";

    #[test]
    fn a_scenario_says_what_goes_wrong_how_often_and_for_how_long() {
        let scenario = Scenario::parse(KILLS).unwrap();
        assert_eq!((scenario.nodes(), scenario.at_most, scenario.faults_ms), (4, 1, 30_000));
        let nodes = vec![0, 1, 2, 3];
        let fault = Fault { kind: Kind::Kill, every_ms: (1_000, 2_500), lasts_ms: (500, 4_000), nodes };
        assert_eq!(scenario.faults, [fault]);
        assert!(!scenario.needs_hosts() && !scenario.needs_clocks() && scenario.disk_mib.is_none());
    }

    #[test]
    fn what_a_scenario_needs_follows_from_what_is_in_it() {
        let with = |more: &str| Scenario::parse(&format!("{KILLS}{more}")).unwrap();
        let fault = |words: &str| with(&format!("[[fault]]\nevery_s = [1, 2]\nlasts_s = [1, 2]\n{words}\n"));
        assert!(with("[links]\nloss_permille = 5\n").needs_hosts());
        assert!(fault("do = \"partition\"").needs_hosts());
        assert!(fault("do = \"step-clock\"").needs_clocks());
        assert_eq!(fault("do = \"fill-disk\"").disk_mib, Some(64));
        let parted = fault("do = \"partition\"\nsides = [[4, 1], [2], [3]]");
        assert_eq!(parted.faults[1].kind, Kind::Part { sides: Some(vec![0, 1, 2, 0]) });
        let attacked = with("[[attack]]\nnodes = [2]\nhow = \"nan\"\n");
        assert!(attacked.plots[1].is_some() && attacked.plots[0].is_none() && !attacked.needs_hosts());
        assert!(with("[[attack]]\nnodes = [2]\nhow = \"besiege\"\n").needs_hosts());
    }

    #[test]
    fn mistakes_are_told_in_words() {
        let fault = |words: &str| format!("{KILLS}[[fault]]\nevery_s = [1, 2]\nlasts_s = [1, 2]\n{words}\n");
        for (text, wanted) in [
            (KILLS.replace("nodes = 4", "nodes = 0"), "1 to 32"),
            (KILLS.replace("[0.5, 4]", "[4, 0.5]"), "shortest and the longest"),
            (KILLS.replace("[1, 2.5]", "[0, 0]"), "shortest and the longest"),
            (KILLS.replace("30", "-1"), "from 0 to"),
            (format!("{KILLS}[links]\nloss_permille = 900\n"), "partition"),
            (fault("do = \"kill\"\nnodes = [5]"), "no node 5"),
            (fault("do = \"kill\"\nsides = [[1, 2, 3, 4]]"), "partition"),
            (fault("do = \"kill\"\nby_s = 5"), "step-clock"),
            (fault("do = \"partition\"\nsides = [[1, 2], [2, 3, 4]]"), "node 2 is on two"),
            (fault("do = \"partition\"\nsides = [[1, 2], [3]]"), "name each"),
            (fault("do = \"dance\""), "dance"),
        ] {
            let error = Scenario::parse(&text).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        assert_eq!(Scenario::load(Path::new("/nowhere.toml")).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_examples_can_be_played() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/chaos");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() >= 4);
        for file in files {
            let scenario = Scenario::load(&file).unwrap();
            assert!(scenario.faults_ms > 0, "{}", file.display());
        }
    }
}
