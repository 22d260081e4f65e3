//! Small federations in which all members bid by one policy: what a default has to answer for.
//!
//! One bidder's gain says nothing of that. Where all do what pays one of them best, a round's budget may hire few members,
//! and the model learns from little data. So here members train really, and what counts is what the federation gets for
//! its credits.

use std::{collections::BTreeMap, sync::Arc};

use althing_agents::{
    bidder::{self, BidOption, BidderQuestion, Offer},
    orders::Situation,
    selector::{Focus, SelectorQuestion},
};
use althing_node::learn::{
    facts,
    partition::{self, Partition, PartitionError},
    train::{Hyper, LearnError},
};
use althing_protocol::{
    aggregate::{self, Mixing, Rule, Weighted},
    genesis::Contract,
    ids::{Hash, MemberId, Round},
    machine::{Candidate, MarksQuestion},
    market::{self, Ask, Mechanism, Terms, Win},
    model::Width,
    statement::{Bid, Marks},
};
use serde::{Deserialize, Serialize};

use super::{
    bidder::told,
    contest::decide,
    contestant::{Contestant, Context},
    dice::Dice,
    scored::Scored,
    world::{ARCHITECTURE, Ground, SAMPLES},
};
use crate::replay;

/// Members at the most: as many as `testnet run` starts.
pub(super) const MEMBERS: usize = 8;

/// How members train, but for the passes.
const HYPER: Hyper = Hyper { epochs: 1, batch: 10, learning_rate: 0.05, momentum: 0.0 };

/// What training on an example costs a member, in micro-credits, and what a round makes of it.
const COST: (f64, f64) = (10.0, 20.0);
const DRIFT: (f64, f64) = (0.8, 1.25);

/// What there is for each winner, and for one unit of value at the most, in micro-credits. As in a genesis, the former is
/// enough for one pass of most members and for two of hardly any, and the latter four times what one pass costs.
const PART: u64 = 5_000;
const RESERVE: u64 = 112;

/// How often a member bids, and how often one that is hired fails.
const PRESENT: f64 = 0.9;
const FAILS: f64 = 0.02;

/// A round, as it went.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GuildPoint {
    /// The round, from 1.
    pub round: u64,
    /// Paid in all rounds so far, in micro-credits.
    pub paid: u64,
    /// Members that were hired.
    pub hired: u64,
    /// Units of value that were delivered.
    pub value: u64,
    /// Of the global model on the test set, from 0 to 1.
    pub accuracy: f64,
}

/// A federation whose members bid.
pub(super) struct Guild {
    ground: Arc<Ground>,
    dice: Dice,
    seed: u64,
    members: Vec<Member>,
    model: Vec<u8>,
    round: u64,
    /// The lowest payment for one unit of value in the last round that hired anybody.
    last_unit: Option<u64>,
}

struct Member {
    id: MemberId,
    part: Vec<u32>,
    cost_per_sample: f64,
    hired: u64,
    hired_in: u64,
}

/// A member's bid, what its work costs, and who it is by its place.
struct Open {
    place: usize,
    bid: Bid,
    cost: u64,
}

impl Guild {
    /// A federation of so many members, if the data is enough, before its first round.
    ///
    /// # Errors
    /// [`PartitionError`] if the data cannot be divided so.
    pub(super) fn new(
        ground: Arc<Ground>,
        (members, partition): (usize, Partition),
        seed: u64,
    ) -> Result<Self, PartitionError> {
        let dice = Dice::new("guild", seed);
        let labels = ground.corpus().train().labels();
        let labels = labels.get(..members * SAMPLES).unwrap_or(labels);
        let parts = partition::assign(labels, members, &partition, seed)?;
        let member = |(number, part): (u64, Vec<u32>)| Member {
            id: replay::member_id(number),
            part,
            cost_per_sample: dice.between(COST, "cost", &[number]),
            hired: 0,
            hired_in: 0,
        };
        let members = (0..).zip(parts).map(member).collect();
        let model = aggregate::encode(&facts::first_model(ARCHITECTURE, seed));
        Ok(Self { ground, dice, seed, members, model, round: 0, last_unit: None })
    }

    /// Goes through so many rounds, in which each member bids as its own of `bidders` says.
    ///
    /// # Errors
    /// [`LearnError`] if somebody could not train or a model not be judged.
    pub(super) fn play(
        mut self,
        rounds: u64,
        mut bidders: Vec<Box<dyn Contestant<Scored<BidderQuestion>>>>,
    ) -> Result<Vec<GuildPoint>, LearnError> {
        let mut points: Vec<GuildPoint> = Vec::new();
        for _ in 0..rounds {
            let paid = points.last().map_or(0, |point| point.paid);
            points.push(self.step(paid, &mut bidders)?);
        }
        Ok(points)
    }

    fn step(
        &mut self,
        paid: u64,
        bidders: &mut [Box<dyn Contestant<Scored<BidderQuestion>>>],
    ) -> Result<GuildPoint, LearnError> {
        self.round += 1;
        let contexts: Vec<(usize, Scored<BidderQuestion>)> =
            self.present().into_iter().map(|place| (place, self.context(place))).collect();
        let mut opens = Vec::new();
        let mut choices = BTreeMap::new();
        for (place, context) in &contexts {
            let Some(bidder) = bidders.get_mut(*place) else { continue };
            let option = decide(&mut **bidder, context).choice.unwrap_or(BidOption::Pass);
            choices.insert(*place, option);
            opens.extend(open(*place, context.question(), option));
        }
        let wins = self.clear(&opens);
        let mut point = GuildPoint { round: self.round, paid, hired: wins.len() as u64, value: 0, accuracy: 0.0 };
        let mut earned: BTreeMap<usize, f64> = BTreeMap::new();
        let mut updates = Vec::new();
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        for (open, payment) in &wins {
            if self.dice.happens(FAILS, "fails", &[self.round, open.place as u64]) {
                continue;
            }
            let contract = &contracts()[usize::from(open.bid.contract)];
            updates.push(self.train(open.place, contract.epochs, &weights)?);
            (point.paid, point.value) = (point.paid + payment, point.value + u64::from(contract.value));
            earned.insert(open.place, (*payment as f64 - open.cost as f64) / 1e3);
        }
        self.book(&wins);
        for (place, context) in &contexts {
            if let (Some(bidder), Some(option)) = (bidders.get_mut(*place), choices.get(place)) {
                bidder.learn(context, option, earned.get(place).copied().unwrap_or(0.0));
            }
        }
        self.adopt(&updates);
        let weights: Vec<f32> = aggregate::parameters(&self.model).collect();
        point.accuracy = self.ground.corpus().judge(&weights, self.round, std::num::NonZeroUsize::MIN)?.accuracy;
        Ok(point)
    }

    fn present(&self) -> Vec<usize> {
        let is_there = |place: &usize| self.dice.happens(PRESENT, "present", &[self.round, *place as u64]);
        (0..self.members.len()).filter(is_there).collect()
    }

    /// What the member at this place is asked.
    fn context(&self, place: usize) -> Scored<BidderQuestion> {
        let member = &self.members[place];
        let samples = member.part.len() as u64;
        let drift = self.dice.between(DRIFT, "drift", &[self.round, place as u64]);
        // Costs are reckoned in whole micro-credits for an example; members differ in parts of them.
        let cost = |contract: &Contract| {
            let thousandths = (member.cost_per_sample * drift * 1e3) as u64;
            bidder::cost(contract, samples, thousandths).div_ceil(1_000)
        };
        let offer = |(place, contract): (u8, &Contract)| Offer {
            place,
            samples,
            value: contract.value.into(),
            cost: cost(contract),
        };
        let offers = (0_u8..).zip(&contracts()).map(offer).collect();
        let idle = self.round - member.hired_in;
        let question = BidderQuestion::new(offers, RESERVE, 500, idle).priced(self.last_unit);
        let bidder = told(&question, &contracts());
        Scored::new(question, Situation { bidder, ..Situation::default() }, |_| 0.0)
    }

    /// Who is hired, and what delivery pays: by the protocol's market, under the marks of a selector by rules.
    fn clear<'a>(&self, opens: &'a [Open]) -> Vec<(&'a Open, u64)> {
        let candidate = |open: &Open| {
            let Member { id, hired, hired_in, .. } = self.members[open.place];
            let idle_rounds = self.round - hired_in;
            Candidate { member: id, reputation: 500, idle_rounds, hired, delivered: hired, bonus: 0 }
        };
        let (round, max_winners) = (Round(self.round), self.winners() as u32);
        let candidates = opens.iter().map(candidate).collect();
        let weights = SelectorQuestion::new(MarksQuestion { round, max_winners, candidates }).weights(Focus::Coverage);
        let ask = |open: &Open| {
            let member = self.members[open.place].id;
            let worth = u64::from(contracts()[usize::from(open.bid.contract)].value);
            let weight = u64::from(weights.get(&member).copied().unwrap_or(Marks::NEUTRAL));
            Ask { member, price: open.bid.price, value: worth * weight / u64::from(Marks::NEUTRAL) }
        };
        let asks: Vec<Ask> = opens.iter().map(ask).collect();
        let terms = Terms::new(Mechanism::Critical, PART * self.winners() as u64, RESERVE, self.winners());
        let tie = Hash::derive("althing arena guild tie", &[&self.seed.to_le_bytes(), &self.round.to_le_bytes()]);
        let found = |win: &Win| opens.iter().find(|open| self.members[open.place].id == win.member);
        market::clear(&asks, terms, &tie).wins.iter().filter_map(|win| Some((found(win)?, win.payment))).collect()
    }

    /// Half of the members, one at the least.
    fn winners(&self) -> usize {
        (self.members.len() / 2).max(1)
    }

    fn train(&self, place: usize, epochs: u32, weights: &[f32]) -> Result<(u64, Vec<u8>), LearnError> {
        let parts = [self.seed, self.round, place as u64].map(u64::to_le_bytes);
        let seed = Hash::derive("althing arena guild training", &[&parts.concat()]);
        let learner = self.ground.corpus().learner(&self.members[place].part);
        let hyper = Hyper { epochs, ..HYPER };
        let trained = learner.train(weights, Width::Full, &hyper, seed.0, &mut replay::go_on)?;
        Ok((self.members[place].part.len() as u64, aggregate::encode(&trained.weights)))
    }

    /// Takes note of who was hired, and for what.
    fn book(&mut self, wins: &[(&Open, u64)]) {
        for (open, _) in wins {
            let member = &mut self.members[open.place];
            (member.hired, member.hired_in) = (member.hired + 1, self.round);
        }
        let unit =
            |(open, payment): &(&Open, u64)| payment / u64::from(contracts()[usize::from(open.bid.contract)].value);
        self.last_unit = wins.iter().map(unit).min().or(self.last_unit);
    }

    /// Averages the updates. Without one, the model stays as it is.
    fn adopt(&mut self, updates: &[(u64, Vec<u8>)]) {
        let weighted: Vec<Weighted<'_>> =
            updates.iter().map(|(samples, bytes)| Weighted { samples: *samples, bytes }).collect();
        if let Some(next) = aggregate::aggregate(Rule::WeightedMean, Mixing::None, &self.model, &weighted) {
            self.model = next;
        }
    }
}

fn open(place: usize, question: &BidderQuestion, option: BidOption) -> Option<Open> {
    let bid = question.bid(option)?;
    let cost = question.offers.iter().find(|offer| offer.place == bid.contract)?.cost;
    Some(Open { place, bid, cost })
}

/// The menu of a genesis that asks for no other.
fn contracts() -> [Contract; 2] {
    let contract = |name: &str, epochs, value| Contract { name: name.to_owned(), epochs, width: Width::Full, value };
    [contract("one-epoch", 1, 100), contract("two-epochs", 2, 160)]
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::OnceLock};

    use althing_node::learn::data::{self, Dataset, Subset};

    use super::*;
    use crate::arena::{
        BuiltIn, Entrant, SeatSummary, Tally,
        archive::{Play, PolicyRun, Run},
        seat::Seat,
    };

    const ROUNDS: u64 = 6;

    fn mnist(subset: Subset, count: u32) -> Dataset {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        data::load(&folder, subset, &(0..count).collect::<Vec<_>>()).unwrap()
    }

    fn guild(seed: u64) -> Guild {
        static GROUND: OnceLock<Arc<Ground>> = OnceLock::new();
        let ground = || Arc::new(Ground::new(mnist(Subset::Train, 1_600), &mnist(Subset::Test, 500)));
        let partition = "dirichlet:0.3".parse().unwrap();
        Guild::new(GROUND.get_or_init(ground).clone(), (MEMBERS, partition), seed).unwrap()
    }

    fn played(policy: BuiltIn, seed: u64, rounds: u64) -> Vec<GuildPoint> {
        let bidders = (0..MEMBERS as u64).filter_map(|_| policy.bidder(seed)).collect();
        guild(seed).play(rounds, bidders).unwrap()
    }

    #[test]
    fn nobody_is_paid_beyond_the_budget_and_equal_seeds_go_alike() {
        let points = played(BuiltIn::Rules, 3, 4);
        assert_eq!(points, played(BuiltIn::Rules, 3, 4));
        assert_ne!(points, played(BuiltIn::Rules, 4, 4));
        let paid: Vec<u64> = points.iter().map(|point| point.paid).collect();
        assert!(paid.windows(2).all(|pair| pair[1] - pair[0] <= 4 * PART) && paid[0] <= 4 * PART, "{paid:?}");
        assert!(points.iter().all(|point| (1..=4).contains(&point.hired)), "{points:?}");
        assert!(points[3].accuracy > 0.2, "{points:?}");
    }

    /// As the report has it, on fewer seeds and rounds.
    #[test]
    fn the_default_brings_most_for_the_same_pay_where_all_members_bid_by_it() {
        let plays = |policy: BuiltIn, seed| policy.bidder(seed).map(|_| Play::Guild(played(policy, seed, ROUNDS)));
        let run = |seed| {
            let result = |policy: BuiltIn| {
                let (name, tally) = (policy.to_string(), Tally::default());
                Some(PolicyRun { policy: name, tally, play: Some(plays(policy, seed)?) })
            };
            Run { seat: Seat::Bidder, seed, results: BuiltIn::ALL.into_iter().filter_map(result).collect() }
        };
        let runs: Vec<Run> = (1..=3).map(run).collect();
        let summary = SeatSummary::of(Seat::Bidder, &runs.iter().collect::<Vec<_>>());
        assert_eq!(summary.policies.len(), 6);
        assert_eq!(summary.best_in_all_hands, Some(BuiltIn::Rules.to_string()), "{:#?}", summary.policies);
    }
}
