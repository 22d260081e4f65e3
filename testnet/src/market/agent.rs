//! A member of an experiment: what it has, how it behaves, and what came of it.

use althing_agents::bidder;
use althing_protocol::ids::{Hash, MemberId};

use super::{
    config::Config,
    draw::{Stream, stream},
    strategy::{Advised, Behaviour},
};

/// Data is worth at most so much.
const QUALITY_MOST: f64 = 1.0;

/// A member.
pub(super) struct Agent {
    /// Its part of the population.
    pub(super) part: usize,
    /// Its place, which it shares with whom it has replaced.
    pub(super) place: usize,
    /// The round in which it came.
    pub(super) joined: u64,
    /// What its examples are worth, from 0 to 1.
    pub(super) quality: f64,
    /// Its names; one, unless it is a Sybil.
    pub(super) seats: Vec<Seat>,
    pub(super) behaviour: Box<dyn Behaviour>,
    pub(super) draws: Stream,
    pub(super) tally: Tally,
}

/// A name under which a member bids.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) id: MemberId,
    /// Examples that it trains on.
    pub(super) samples: u64,
    /// What the work is worth with so many of them.
    pub(super) worth: u64,
    /// What delivery costs, in micro-credits: work, and privacy.
    pub(super) cost: u64,
    /// Epsilon that is left.
    pub(super) epsilon: f64,
}

/// What came of a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) bids: u64,
    pub(super) hired: u64,
    pub(super) delivered: u64,
    /// For delivery, in micro-credits.
    pub(super) paid: u64,
    /// For contribution, in micro-credits.
    pub(super) bonus: u64,
    /// Of what it has done, in micro-credits.
    pub(super) cost: u64,
    /// The round in which it was hired first; 0 for never.
    pub(super) first_hired: u64,
}

impl Tally {
    /// What is left of its pay, in micro-credits.
    pub(super) const fn surplus(&self) -> i64 {
        // Far below 2^63: no experiment mints so much.
        self.paid as i64 + self.bonus as i64 - self.cost as i64
    }

    /// All that it was paid, in micro-credits.
    pub(super) const fn income(&self) -> u64 {
        self.paid + self.bonus
    }
}

impl Agent {
    /// Who takes `place` in `round`, as the seed has it.
    pub(super) fn new(config: &Config, seed: u64, (place, part): (usize, usize), round: u64) -> Self {
        let mut draws = stream(seed, "member", &[place as u64, round]);
        let members = &config.members;
        let samples = members.samples.draw(&mut draws).round().max(1.0) as u64;
        let cost_per_sample = members.cost_per_sample.draw(&mut draws);
        let quality = members.quality.draw(&mut draws).min(QUALITY_MOST);
        let privacy = config.privacy.sensitivity.draw(&mut draws) * config.privacy.epsilon_per_round.max(0.0);
        let strategy = &config.population[part].strategy;
        let names = strategy.identities();
        let seat = |name: u64| {
            // The first names have one example more where they do not divide evenly.
            let samples = samples / names + u64::from(name < samples % names);
            let id = Hash::derive(
                "althing market member",
                &[&[seed, place as u64, round, name].map(u64::to_le_bytes).concat()],
            );
            // An example's privacy is spent by whoever trains on it, so a name bears as much of it as it has examples.
            let privacy = privacy / names as f64;
            let cost = work_cost(config, samples, cost_per_sample) + privacy.round() as u64;
            let worth = config.work().worth(samples, config.market.usual_samples);
            Seat { id: MemberId(id.0), samples, worth, cost, epsilon: config.privacy.epsilon_budget }
        };
        Self {
            part,
            place,
            joined: round,
            quality,
            seats: (0..names).map(seat).filter(|seat| seat.samples > 0).collect(),
            behaviour: strategy.behaviour(),
            draws,
            tally: Tally::default(),
        }
    }

    /// Its behaviour, if a language model advises it, and the name that it bids under.
    pub(super) fn advised(&mut self) -> Option<(&mut Advised, &Seat)> {
        Some((self.behaviour.advised()?, self.seats.first()?))
    }

    /// Whether its privacy account pays for a round that costs so much epsilon.
    pub(super) fn affords(&self, epsilon: f64) -> bool {
        self.seats.iter().any(|seat| epsilon <= seat.epsilon)
    }

    /// Examples of all its names.
    pub(super) fn samples(&self) -> u64 {
        self.seats.iter().map(|seat| seat.samples).sum()
    }

    /// What training on all that it has costs, in micro-credits.
    pub(super) fn cost(&self) -> u64 {
        self.seats.iter().map(|seat| seat.cost).sum()
    }
}

/// What the work costs by the agents' own reckoning, in micro-credits.
fn work_cost(config: &Config, samples: u64, cost_per_sample: f64) -> u64 {
    /// The reckoning is in whole micro-credits for an example; members differ in parts of them.
    const PARTS: u64 = 1_000;
    bidder::cost(&config.work(), samples, (cost_per_sample * PARTS as f64).round() as u64).div_ceil(PARTS)
}
