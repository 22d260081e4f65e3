//! When what goes wrong at which node: drawn from a seed before anything happens.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::scenario::{Fault, Kind, Scenario};

/// Something done to the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Kill a node.
    Kill(usize),
    /// Damage some of the files of a node that is down.
    Tear(usize),
    /// Start a node again.
    Start(usize),
    /// Let a node stand still.
    Freeze(usize),
    /// Let it go on.
    Thaw(usize),
    /// Fill a node's disk.
    FillDisk(usize),
    /// Make room on it, and start the node again if it has ended.
    FreeDisk(usize),
    /// Set a node's clock so many seconds ahead, or back.
    SetClock(usize, i64),
    /// Part the nodes: the side of each.
    Part(Vec<usize>),
    /// All are on one side again.
    Heal,
}

/// A deed and its time, in milliseconds since the federation was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When.
    pub at_ms: u64,
    /// What.
    pub deed: Deed,
}

/// All deeds of `scenario`, as `seed` draws them, in order of time. Whatever begins also ends before the faults cease.
pub fn draw(scenario: &Scenario, seed: u64) -> Vec<Act> {
    let mut drawing = Drawing {
        scenario,
        rng: ChaCha8Rng::seed_from_u64(seed),
        disturbed_until: vec![0; scenario.nodes()],
        parted_until: 0,
        acts: Vec::new(),
    };
    let mut next: Vec<u64> = scenario.faults.iter().map(|fault| within(&mut drawing.rng, fault.every_ms)).collect();
    while let Some((place, now)) = next.iter().copied().enumerate().min_by_key(|(_, at)| *at) {
        if now >= scenario.faults_ms {
            break;
        }
        let fault = &scenario.faults[place];
        drawing.befall(fault, now);
        next[place] = now + within(&mut drawing.rng, fault.every_ms);
    }
    drawing.acts.sort_by_key(|act| act.at_ms);
    drawing.acts
}

fn within(rng: &mut impl Rng, (least, most): (u64, u64)) -> u64 {
    rng.random_range(least..=most)
}

struct Drawing<'a> {
    scenario: &'a Scenario,
    rng: ChaCha8Rng,
    /// Until when each node has had enough.
    disturbed_until: Vec<u64>,
    parted_until: u64,
    acts: Vec<Act>,
}

impl Drawing<'_> {
    /// Lets `fault` begin now, unless that would be more than the scenario allows at once.
    fn befall(&mut self, fault: &Fault, now: u64) {
        let until = (now + within(&mut self.rng, fault.lasts_ms)).min(self.scenario.faults_ms);
        if let Kind::Part { sides } = &fault.kind {
            return self.part(sides.as_deref(), now, until);
        }
        let Some(node) = self.victim(fault, now) else { return };
        self.disturbed_until[node] = until;
        match fault.kind {
            Kind::Kill => self.both(now, Deed::Kill(node), until, Deed::Start(node)),
            Kind::Tear => {
                self.both(now, Deed::Kill(node), until, Deed::Tear(node));
                self.acts.push(Act { at_ms: until, deed: Deed::Start(node) });
            }
            Kind::Freeze => self.both(now, Deed::Freeze(node), until, Deed::Thaw(node)),
            Kind::FillDisk => self.both(now, Deed::FillDisk(node), until, Deed::FreeDisk(node)),
            Kind::StepClock { by_s } => {
                let by_s = self.rng.random_range(-i64::from(by_s)..=i64::from(by_s));
                self.both(now, Deed::SetClock(node, by_s), until, Deed::SetClock(node, 0));
            }
            Kind::Part { .. } => {}
        }
    }

    /// Somebody whom `fault` may befall now, if anybody.
    fn victim(&mut self, fault: &Fault, now: u64) -> Option<usize> {
        let drawn = self.rng.random_range(0..fault.nodes.len().max(1));
        let node = *fault.nodes.get(drawn)?;
        let disturbed = self.disturbed_until.iter().filter(|until| **until > now).count();
        (self.disturbed_until[node] <= now && disturbed < self.scenario.at_most).then_some(node)
    }

    fn part(&mut self, sides: Option<&[usize]>, now: u64, until: u64) {
        if self.parted_until > now {
            return;
        }
        self.parted_until = until;
        let sides = match sides {
            Some(sides) => sides.to_vec(),
            None => (0..self.scenario.nodes()).map(|_| self.rng.random_range(0..2)).collect(),
        };
        self.both(now, Deed::Part(sides), until, Deed::Heal);
    }

    fn both(&mut self, now: u64, begin: Deed, until: u64, end: Deed) {
        self.acts.extend([Act { at_ms: now, deed: begin }, Act { at_ms: until, deed: end }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lan::Links;

    fn scenario(kinds: &[Kind], at_most: usize) -> Scenario {
        let fault = |kind: &Kind| Fault {
            kind: kind.clone(),
            every_ms: (100, 900),
            lasts_ms: (50, 2_000),
            nodes: (0..7).collect(),
        };
        Scenario {
            plots: vec![None; 7],
            faults_ms: 60_000,
            settles_within_ms: 1,
            at_most,
            epsilon: None,
            links: Links::default(),
            disk_mib: None,
            faults: kinds.iter().map(fault).collect(),
        }
    }

    const ALL: [Kind; 6] = [
        Kind::Kill,
        Kind::Tear,
        Kind::Freeze,
        Kind::FillDisk,
        Kind::StepClock { by_s: 60 },
        Kind::Part { sides: None },
    ];

    /// The node that is disturbed from now on, or no longer.
    fn turn(deed: &Deed) -> Option<(usize, bool)> {
        match deed {
            Deed::Kill(node) | Deed::Freeze(node) | Deed::FillDisk(node) => Some((*node, true)),
            Deed::Start(node) | Deed::Thaw(node) | Deed::FreeDisk(node) => Some((*node, false)),
            Deed::SetClock(node, by_s) => Some((*node, *by_s != 0)),
            Deed::Tear(_) | Deed::Part(_) | Deed::Heal => None,
        }
    }

    #[test]
    fn never_are_more_disturbed_at_once_than_may_be_and_in_the_end_nobody_is() {
        for (seed, at_most) in (0..50).zip([1, 2].into_iter().cycle()) {
            let acts = draw(&scenario(&ALL, at_most), seed);
            assert!(acts.len() > 60, "seed {seed}: {}", acts.len());
            let (mut disturbed, mut parted) = (std::collections::BTreeSet::new(), 0);
            for Act { at_ms, deed } in &acts {
                assert!(*at_ms <= 60_000);
                match turn(deed) {
                    Some((node, true)) => assert!(disturbed.insert(node), "seed {seed}: {node} twice"),
                    // A clock that is set by nothing was never wrong.
                    Some((node, false)) => drop(disturbed.remove(&node)),
                    None => {}
                }
                match deed {
                    Deed::Part(_) => parted += 1,
                    Deed::Heal => parted -= 1,
                    _ => {}
                }
                assert!(disturbed.len() <= at_most && parted <= 1, "seed {seed} at {at_ms} ms");
            }
            assert!(disturbed.is_empty() && parted == 0, "seed {seed}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_and_another_does_not() {
        let scenario = scenario(&ALL, 2);
        assert_eq!(draw(&scenario, 3), draw(&scenario, 3));
        assert_ne!(draw(&scenario, 3), draw(&scenario, 4));
    }

    #[test]
    fn a_node_is_torn_while_it_is_down() {
        let acts = draw(&scenario(&[Kind::Tear], 1), 1);
        let words: Vec<_> = acts.iter().take(3).map(|act| act.deed.clone()).collect();
        let [Deed::Kill(node), ..] = words[..] else { panic!("{words:?}") };
        assert_eq!(words, [Deed::Kill(node), Deed::Tear(node), Deed::Start(node)]);
    }
}
