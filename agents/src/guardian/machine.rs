//! What the member's machine can do, as somebody has measured it.

use std::{collections::BTreeMap, time::Duration};

use althing_protocol::{genesis::Contract, model::Width};

/// The machine at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Cores that work can run on, at least 1.
    pub cores: u32,
    /// Memory that training may still take, in bytes; [`u64::MAX`] where nothing tells.
    pub free_memory_bytes: u64,
    /// Tasks that run or want to, for each core, in thousandths; 0 where nothing tells.
    pub load_permille: u32,
}

/// What training at one width takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Measured time for one example in one pass; zero while nothing was measured.
    pub time_per_sample: Duration,
    /// The load under which that was measured, in thousandths of a task for each core.
    pub load_permille: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
}

/// What the member's machine can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Examples that it trains on in one epoch.
    pub samples: u64,
    /// Time that the genesis allows for training.
    pub deadline: Duration,
    /// The machine.
    pub machine: Machine,
    /// Load from which on the member rests, in thousandths of a task for each core; none if it never does.
    pub max_load_permille: Option<u32>,
    /// What training takes, by width. A width that is missing takes what the next wider one does.
    pub needs: BTreeMap<Width, Need>,
}

/// How much of the time that there is a contract may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// At most half of the deadline.
    Half,
    /// All of it.
    Full,
}

impl Effort {
    /// Both, the lesser first.
    pub const ALL: [Self; 2] = [Self::Half, Self::Full];

    /// Its name in prompts, events and plots.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Half => "half",
            Self::Full => "full",
        }
    }

    /// What it means, in a plain line.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Half => "take work that is done in half of the time",
            Self::Full => "take work that fills all of the time",
        }
    }
}

impl Capacity {
    /// How long `contract` would take here now.
    ///
    /// A measurement under less load than there is now is stretched by as much as the cores are shared out more.
    pub fn duration(&self, contract: &Contract) -> Duration {
        let Some(need) = self.need(contract.width) else { return Duration::ZERO };
        let samples = self.samples.saturating_mul(u64::from(contract.epochs));
        let then = need.load_permille.max(ONE_TASK);
        let now = self.machine.load_permille.max(then);
        let nanos = need.time_per_sample.as_nanos().saturating_mul(samples.into());
        let nanos = nanos.saturating_mul(now.into()) / u128::from(then);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whether `contract` is done in time with this `effort`, in the memory that there is, on a machine that is not
    /// busy with something else.
    pub fn fits(&self, contract: &Contract, effort: Effort) -> bool {
        let allowed = match effort {
            Effort::Half => self.deadline / 2,
            Effort::Full => self.deadline,
        };
        let memory = self.need(contract.width).map_or(0, |need| need.memory_bytes);
        self.samples > 0
            && !self.is_busy()
            && memory <= self.machine.free_memory_bytes
            && self.duration(contract) <= allowed
    }

    /// Whether the machine is so busy that its owner wants the member to rest.
    pub fn is_busy(&self) -> bool {
        self.max_load_permille.is_some_and(|most| self.machine.load_permille > most)
    }

    /// What the width takes, or the next wider one of which something is known.
    fn need(&self, width: Width) -> Option<&Need> {
        self.needs.range(..=width).next_back().map(|(_, need)| need)
    }
}

/// One task for each core, in thousandths: below it, nobody has to share.
const ONE_TASK: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(epochs: u32, width: Width) -> Contract {
        Contract { name: String::new(), epochs, width, value: 100 }
    }

    /// Full width takes 10 ms and 100 MB, a quarter 1 ms and 10 MB.
    fn capacity() -> Capacity {
        let need =
            |ms, memory_bytes| Need { time_per_sample: Duration::from_millis(ms), load_permille: 0, memory_bytes };
        Capacity {
            samples: 1_000,
            deadline: Duration::from_secs(10),
            machine: Machine { cores: 4, free_memory_bytes: 200_000_000, load_permille: 0 },
            max_load_permille: None,
            needs: [(Width::Full, need(10, 100_000_000)), (Width::Quarter, need(1, 10_000_000))].into(),
        }
    }

    #[test]
    fn time_and_memory_are_those_of_the_width() {
        let fits = |capacity: &Capacity, epochs, width| capacity.fits(&contract(epochs, width), Effort::Full);
        let machine = capacity();
        assert!(fits(&machine, 1, Width::Full) && !fits(&machine, 2, Width::Full));
        assert!(fits(&machine, 10, Width::Quarter) && !fits(&machine, 11, Width::Quarter));
        // Nothing is known of a half, so it is taken for as slow as the whole; of an eighth, as a quarter.
        assert!(!fits(&machine, 2, Width::Half) && fits(&machine, 10, Width::Eighth));
        assert!(!machine.fits(&contract(1, Width::Full), Effort::Half));
        let small = Capacity { machine: Machine { free_memory_bytes: 50_000_000, ..machine.machine }, ..machine };
        assert!(!fits(&small, 1, Width::Full) && fits(&small, 1, Width::Quarter));
    }

    #[test]
    fn load_stretches_what_was_measured_without_it() {
        let at = |then, now| {
            let mut machine = capacity();
            machine.machine.load_permille = now;
            machine.needs.values_mut().for_each(|need| need.load_permille = then);
            machine.duration(&contract(1, Width::Quarter)).as_millis()
        };
        assert_eq!(
            [at(0, 0), at(0, 1_000), at(0, 3_000), at(3_000, 3_000), at(3_000, 0)],
            [1_000, 1_000, 3_000, 1_000, 1_000]
        );
    }

    #[test]
    fn a_member_with_nothing_known_tries_and_one_without_data_does_not() {
        let unknown = Capacity { needs: BTreeMap::new(), ..capacity() };
        assert!(unknown.fits(&contract(9, Width::Full), Effort::Half));
        assert!(!Capacity { samples: 0, ..unknown }.fits(&contract(1, Width::Full), Effort::Full));
    }
}
