//! Regret: what a bidder could have gained by another price in one round, with those of the others as they were.
//!
//! It counts pay for delivery. The bonus does not depend on the price of whoever is hired.

use althing_protocol::{
    hiring::{Answers, Call},
    ids::MemberId,
};
use rand::{RngExt, seq::index};

use super::{draw::stream, record::Regrets, strategy::Labour, world::World};

/// Half of the other prices go up to this many times what a bidder asks; chance picks the rest, up to the reserve.
const TIMES: u64 = 2;

/// Samples bidders of each part in rounds in which that is asked for.
pub(super) fn measure(world: &World<'_>, call: &Call<'_>, answers: &Answers) -> Vec<Option<Regrets>> {
    let asked = &world.config.regret;
    let is_due = asked.every > 0 && world.round.is_multiple_of(asked.every);
    let parts = 0..world.config.population.len();
    parts.map(|part| is_due.then(|| of_part(world, call, answers, part)).filter(|found| found.bidders > 0)).collect()
}

fn of_part(world: &World<'_>, call: &Call<'_>, answers: &Answers, part: usize) -> Regrets {
    let mut draws = stream(world.seed, "regret", &[world.round, part as u64]);
    let members: Vec<usize> = (0..world.agents.len()).filter(|place| world.agents[*place].part == part).collect();
    let count = world.config.regret.bidders.min(members.len());
    let mut regrets = Regrets::default();
    for drawn in index::sample(&mut draws, members.len(), count) {
        let agent = &world.agents[members[drawn]];
        let Some(seat) = agent.seats.first().filter(|seat| answers.bids.contains_key(&seat.id)) else { continue };
        let cost = if agent.behaviour.labour() == Labour::Feigns { 0 } else { seat.cost };
        let most = world.config.ceiling(seat.worth);
        let mut tried = Trial { world, call, answers: answers.clone(), id: seat.id, cost };
        let asks = answers.bids[&seat.id].bid.price;
        let earned = tried.earned(asks);
        let half = world.config.regret.prices.div_ceil(2);
        let near = (0..half).map(|step| TIMES * asks * step / half);
        let prices: Vec<u64> = near.chain((0..half).map(|_| draws.random_range(0..=most))).collect();
        let best = prices.into_iter().map(|price| tried.earned(price)).max().unwrap_or(earned);
        let regret = best.saturating_sub(earned).max(0).unsigned_abs();
        regrets.bidders += 1;
        regrets.losers += u64::from(regret > 0);
        regrets.sum += regret;
        regrets.most = regrets.most.max(regret);
    }
    regrets
}

/// One bidder's round, again and again.
struct Trial<'a> {
    world: &'a World<'a>,
    call: &'a Call<'a>,
    answers: Answers,
    id: MemberId,
    cost: u64,
}

impl Trial<'_> {
    /// What delivery would pay above cost, in micro-credits, for this price; nothing if the bid loses.
    fn earned(&mut self, price: u64) -> i64 {
        if let Some(open) = self.answers.bids.get_mut(&self.id) {
            open.bid.price = price;
        }
        let awards = self.call.awards(&self.world.ledger, &self.answers);
        let award = awards.iter().find(|award| award.member == self.id);
        award.map_or(0, |award| award.payment as i64 - self.cost as i64)
    }
}
