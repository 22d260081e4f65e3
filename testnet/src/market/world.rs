//! A federation of an experiment: members with strategies around a ledger of the protocol.
//!
//! Bids, clearing, escrow, payments and reputation are the protocol's own. What is simulated is what goes on around them:
//! who is there, what work costs, what it brings, and what appraisers say.

use std::collections::BTreeMap;

use althing_agents::selector::{Focus, SelectorQuestion};
use althing_node::learn::train::LearnError;
use althing_protocol::{
    event::{Award, HiredBy},
    hiring::{Answers, Call, OpenBid},
    ids::{Hash, MemberId, Round},
    ledger::{Account, Ledger},
    machine::{Candidate, MarksQuestion},
    settlement::{self, Findings},
    statement::{Bid, Marks},
};

use super::{
    agent::{Agent, Seat},
    config::Config,
    counsel::Counsel,
    draw::{happens, stream},
    error::{Error, Fault},
    figures,
    learning::{Kind, Work},
    play::Sources,
    record::{MemberRow, PartRow, RoundRow, Run},
    regret,
    school::{Pupil, School},
    strategy::{Labour, Offer},
};

/// Voting power of a member. Nobody votes in an experiment.
const POWER: u64 = 1;

/// A seat at the table: which member's, and which of its names.
pub(super) type Place = (usize, usize);

/// A federation in the middle of an experiment.
pub(super) struct World<'a> {
    pub(super) config: &'a Config,
    pub(super) seed: u64,
    pub(super) ledger: Ledger,
    pub(super) agents: Vec<Agent>,
    /// Costs up to which each part's members bid in earnest, in micro-credits.
    pub(super) ring_most: Vec<u64>,
    pub(super) lessons: Lessons<'a>,
    pub(super) round: u64,
    members: Vec<MemberRow>,
    /// Who asks a language model, by the part of the population that it asks for.
    counsels: BTreeMap<usize, Counsel<'a>>,
}

/// What training brings.
pub(super) enum Lessons<'a> {
    /// What a formula says.
    Modelled {
        /// Work of all rounds so far.
        work: f64,
    },
    /// What training says.
    Real(Box<School<'a>>),
}

/// What became of those who were hired in a round.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// Updates that were delivered, by maker.
    pub(super) updates: BTreeMap<MemberId, (Place, Work)>,
    /// Awards, with whose they are and what the work has cost, in micro-credits.
    pub(super) hired: Vec<(Award, Place, u64)>,
}

impl<'a> World<'a> {
    /// The federation before its first round.
    ///
    /// # Errors
    /// [`Error::Config`] if members are to train, and there are too few examples or none; [`Error::NobodyToAsk`] if members
    /// are to follow a language model, and there is none.
    pub(super) fn new(config: &'a Config, sources: Sources<'a>, seed: u64) -> Result<Self, Error> {
        let parts = config.sizes().into_iter().enumerate().flat_map(|(part, size)| std::iter::repeat_n(part, size));
        let agents: Vec<Agent> =
            parts.enumerate().map(|(place, part)| Agent::new(config, seed, (place, part), 1)).collect();
        let seats = agents.iter().flat_map(|agent| &agent.seats);
        let ledger = Ledger::of(seats.map(|seat| (seat.id, Account::new(POWER, Hash::ZERO))));
        let ring_most = (0..config.population.len()).map(|part| earnest(config, &agents, part)).collect();
        let lessons = match (config.learning.kind, sources.library) {
            (Kind::Value, _) => Lessons::Modelled { work: 0.0 },
            (Kind::Real, Some(library)) => Lessons::Real(Box::new(School::new(config, library, seed)?)),
            (Kind::Real, None) => return Err(Error::Config("learning.kind is real, and there are no data".to_owned())),
        };
        let counsel = |advised: (usize, _)| {
            let book = sources.book.ok_or(Error::NobodyToAsk)?;
            Ok((advised.0, Counsel::new(config, advised, book)))
        };
        let counsels = config.advised().map(counsel).collect::<Result<_, Error>>()?;
        Ok(Self { config, seed, ledger, agents, ring_most, lessons, round: 0, members: Vec::new(), counsels })
    }

    /// Plays all rounds.
    ///
    /// # Errors
    /// [`Error`] with the round in which the ledger refused a movement, credits appeared or vanished, or a training
    /// failed.
    pub(super) fn play(mut self, point: usize, mut ended: impl FnMut()) -> Result<Run, Error> {
        let (mut rounds, mut parts) = (Vec::new(), Vec::new());
        while self.round < self.config.rounds {
            let (row, rows) = self.step().map_err(|fault: Fault| fault.of_run(self.seed, self.round))?;
            rounds.push(row);
            parts.extend(rows);
            ended();
        }
        let rest: Vec<MemberRow> = self.agents.iter().map(|agent| row(agent, self.round)).collect();
        self.members.extend(rest);
        let orders = self.counsels.into_values().flat_map(Counsel::into_rows).collect();
        Ok(Run { point, seed: self.seed, rounds, parts, members: self.members, orders })
    }

    /// Plays a round, and counts every credit after it.
    pub(super) fn step(&mut self) -> Result<(RoundRow, Vec<PartRow>), Fault> {
        self.round += 1;
        self.consult()?;
        let answers = self.answers();
        let (config, members) = (self.config, self.agents.iter().map(|agent| agent.seats.len()).sum());
        let seed = Hash::derive("althing market round", &[&self.seed.to_le_bytes(), &self.round.to_le_bytes()]);
        let call = Call { market: &config.market, members, round: Round(self.round), seed };
        let regrets = regret::measure(self, &call, &answers);
        let (terms, bonus) = call.budget(&self.ledger);
        let mut row = RoundRow {
            round: self.round,
            bids: answers.bids.len() as u64,
            budget: terms.budget + bonus,
            ..RoundRow::default()
        };
        let awards = call.hire(&mut self.ledger, &answers)?;
        let deliveries = self.deliver(awards);
        self.teach(&deliveries)?;
        let appraisals = self.appraise(&deliveries)?;
        let Findings { gains, .. } = settlement::appraise(&mut self.ledger, deliveries.updates.keys(), &appraisals)?;
        let awards: Vec<Award> = deliveries.hired.iter().map(|(award, ..)| award.clone()).collect();
        let payments = settlement::settle(&mut self.ledger, &awards, &gains)?;
        self.ledger.check()?;
        let mut parts = self.part_rows(&answers);
        for (part, regret) in parts.iter_mut().zip(regrets) {
            part.regret = regret;
        }
        self.book(&deliveries, &payments, &mut row, &mut parts);
        self.reckon(&mut parts);
        self.close(&mut row, deliveries)?;
        Ok((row, parts))
    }

    /// Has members who follow a language model hear what it orders.
    fn consult(&mut self) -> Result<(), Fault> {
        let epsilon = self.config.privacy.epsilon_per_round;
        for (part, counsel) in &mut self.counsels {
            let bidders = self.agents.iter_mut().filter(|agent| agent.part == *part && agent.affords(epsilon));
            counsel.renew(self.round, bidders.filter_map(Agent::advised))?;
        }
        Ok(())
    }

    /// Lets those who asked a language model for orders know what came of them.
    fn reckon(&mut self, parts: &mut [PartRow]) {
        for (part, counsel) in &mut self.counsels {
            let bidders = self.agents.iter_mut().filter(|agent| agent.part == *part);
            counsel.settle(&mut parts[*part], bidders.filter_map(Agent::advised));
        }
    }

    /// Every name's bid, under the marks of the chair's focus.
    fn answers(&mut self) -> Answers {
        let config = self.config;
        let mut bids = BTreeMap::new();
        for agent in &mut self.agents {
            let Agent { seats, behaviour, draws, tally, part, .. } = agent;
            for seat in seats.iter().filter(|seat| config.privacy.epsilon_per_round <= seat.epsilon) {
                let most = config.ceiling(seat.worth);
                let offer = Offer { cost: seat.cost, most, ring_most: self.ring_most[*part] };
                let Some(price) = behaviour.ask(&offer, draws) else { continue };
                let bid = Bid { contract: 0, price, samples: seat.samples };
                bids.insert(seat.id, OpenBid { bid, worth: seat.worth, weight: Marks::NEUTRAL });
                tally.bids += 1;
            }
        }
        self.mark(&mut bids);
        Answers { bids, countered: Vec::new(), places: config.market.max_winners as usize }
    }

    /// Weighs bids by what the ledger says of bidders, as an aggregator with this focus would. It sees no price.
    fn mark(&self, bids: &mut BTreeMap<MemberId, OpenBid>) {
        let focus = self.config.selector.focus;
        if focus == Focus::Even {
            return;
        }
        let round = Round(self.round);
        let candidate = |id: &MemberId| Some(Candidate::of(*id, self.ledger.accounts.get(id)?, round));
        let candidates = bids.keys().filter_map(candidate).collect();
        let question = MarksQuestion { round, max_winners: self.config.market.max_winners, candidates };
        for (id, weight) in SelectorQuestion::new(question).weights(focus) {
            if let Some(open) = bids.get_mut(&id) {
                open.weight = weight;
            }
        }
    }

    /// Has those who were hired work, or not.
    fn deliver(&mut self, awards: Vec<Award>) -> Deliveries {
        let config = self.config;
        let mut chance = stream(self.seed, "delivery", &[self.round]);
        let hired: BTreeMap<MemberId, Award> = awards.into_iter().map(|award| (award.member, award)).collect();
        let mut deliveries = Deliveries::default();
        for (place, agent) in self.agents.iter_mut().enumerate() {
            let labour = agent.behaviour.labour();
            for (name, seat) in agent.seats.iter_mut().enumerate() {
                let Some(award) = hired.get(&seat.id) else { continue };
                let is_out = match labour {
                    Labour::Trains => happens(config.members.failure_permille, &mut chance),
                    Labour::Feigns => happens(config.learning.detected_permille, &mut chance),
                };
                let (cost, quality) = match labour {
                    // Who fails has worked all the same.
                    Labour::Trains => (seat.cost, agent.quality * config.privacy.left()),
                    Labour::Feigns => (0, 0.0),
                };
                if labour == Labour::Trains {
                    seat.epsilon -= config.privacy.epsilon_per_round;
                }
                if !is_out {
                    let work = Work { samples: seat.samples as f64 * f64::from(config.contract.epochs), quality };
                    deliveries.updates.insert(seat.id, ((place, name), work));
                }
                deliveries.hired.push((award.clone(), (place, name), cost));
            }
        }
        deliveries
    }

    /// Has those who hand something in train, if training is real.
    fn teach(&mut self, deliveries: &Deliveries) -> Result<(), LearnError> {
        let Lessons::Real(school) = &mut self.lessons else { return Ok(()) };
        let trains = |place: usize| self.agents[place].behaviour.labour() == Labour::Trains;
        let pupil = |(id, (place, work)): (&MemberId, &(Place, Work))| Pupil {
            id: *id,
            place: *place,
            work: *work,
            trains: trains(place.0),
        };
        school.train(self.round, &deliveries.updates.iter().map(pupil).collect::<Vec<_>>())
    }

    /// One row for each part of the population, before anybody is paid.
    fn part_rows(&self, answers: &Answers) -> Vec<PartRow> {
        let row = |part| PartRow { round: self.round, part, ..PartRow::default() };
        let mut rows: Vec<PartRow> = (0..self.config.population.len()).map(row).collect();
        let mut names = vec![0_u64; rows.len()];
        for agent in &self.agents {
            let row = &mut rows[agent.part];
            row.members += 1;
            for Seat { id, .. } in &agent.seats {
                row.bids += u64::from(answers.bids.contains_key(id));
                row.reputation += self.ledger.accounts.get(id).map_or(0.0, |account| f64::from(account.reputation));
                names[agent.part] += 1;
            }
        }
        for (row, names) in rows.iter_mut().zip(names) {
            row.reputation /= names.max(1) as f64;
        }
        rows
    }

    /// Writes down who was paid what, and lets bidders learn.
    fn book(
        &mut self,
        deliveries: &Deliveries,
        payments: &BTreeMap<MemberId, u64>,
        row: &mut RoundRow,
        parts: &mut [PartRow],
    ) {
        let mut earned: BTreeMap<Place, i64> = BTreeMap::new();
        for (award, place, cost) in &deliveries.hired {
            let agent = &mut self.agents[place.0];
            let received = payments.get(&award.member).copied();
            let paid = received.map_or(0, |_| award.payment);
            let bonus = received.unwrap_or(0).saturating_sub(paid);
            let delivered = u64::from(received.is_some());
            let tally = &mut agent.tally;
            tally.hired += 1;
            tally.delivered += delivered;
            (tally.paid, tally.bonus, tally.cost) = (tally.paid + paid, tally.bonus + bonus, tally.cost + cost);
            tally.first_hired = if tally.first_hired == 0 { self.round } else { tally.first_hired };
            let part = &mut parts[agent.part];
            (part.hired, part.delivered) = (part.hired + 1, part.delivered + delivered);
            (part.paid, part.bonus, part.cost) = (part.paid + paid, part.bonus + bonus, part.cost + cost);
            (row.paid, row.bonus, row.cost) = (row.paid + paid, row.bonus + bonus, row.cost + cost);
            row.floor += u64::from(award.hired_by == HiredBy::Floor);
            earned.insert(*place, received.map_or(0, |received| received as i64) - *cost as i64);
        }
        (row.hired, row.delivered) = (deliveries.hired.len() as u64, deliveries.updates.len() as u64);
        for (place, agent) in self.agents.iter_mut().enumerate() {
            for (name, seat) in agent.seats.iter().enumerate() {
                let most = self.config.ceiling(seat.worth);
                if seat.cost > most {
                    continue;
                }
                let offer = Offer { cost: seat.cost, most, ring_most: self.ring_most[agent.part] };
                agent.behaviour.learn(&offer, earned.get(&(place, name)).copied());
            }
        }
    }

    /// Adopts the next model, and lets members go and come.
    fn close(&mut self, row: &mut RoundRow, deliveries: Deliveries) -> Result<(), LearnError> {
        let config = self.config;
        let worth = |(member, name): Place| config.ceiling(self.agents[member].seats[name].worth) as f64;
        let brought = deliveries.updates.values().map(|(place, work)| worth(*place) * work.quality);
        row.welfare = brought.sum::<f64>() - row.cost as f64;
        let updates: Vec<Work> = deliveries.updates.values().map(|(_, work)| *work).collect();
        let trained =
            deliveries.hired.iter().filter(|(_, place, _)| self.agents[place.0].behaviour.labour() == Labour::Trains);
        row.epsilon = trained.count() as f64 * config.privacy.epsilon_per_round;
        row.accuracy = match &mut self.lessons {
            Lessons::Modelled { work } => {
                *work += config.learning.work(&updates);
                config.learning.accuracy(*work)
            }
            Lessons::Real(school) => school.adopt()?,
        };
        row.gini = figures::gini(self.agents.iter().map(|agent| agent.tally.income()).collect());
        row.participation = figures::jain(self.agents.iter().map(|agent| agent.tally.delivered));
        row.pool = self.ledger.pool;
        if self.round < config.rounds {
            self.churn();
        }
        Ok(())
    }

    /// Replaces members who leave by newcomers of the same part.
    fn churn(&mut self) {
        let mut chance = stream(self.seed, "churn", &[self.round]);
        for agent in &mut self.agents {
            if !happens(self.config.members.churn_permille, &mut chance) {
                continue;
            }
            self.members.push(row(agent, self.round));
            *agent = Agent::new(self.config, self.seed, (agent.place, agent.part), self.round + 1);
            for seat in &agent.seats {
                self.ledger.accounts.insert(seat.id, Account::new(POWER, Hash::ZERO));
            }
        }
    }
}

/// The cost of the dearest of a part's members that bids in earnest, in micro-credits.
fn earnest(config: &Config, agents: &[Agent], part: usize) -> u64 {
    let mut costs: Vec<u64> = agents.iter().filter(|agent| agent.part == part).map(Agent::cost).collect();
    costs.sort_unstable();
    let count = costs.len() as u64 * config.population[part].strategy.earnest_permille() / 1_000;
    count.checked_sub(1).and_then(|last| costs.get(last as usize)).copied().unwrap_or(0)
}

fn row(agent: &Agent, left: u64) -> MemberRow {
    MemberRow {
        place: agent.place,
        part: agent.part,
        joined: agent.joined,
        left,
        names: agent.seats.len() as u64,
        samples: agent.samples(),
        cost_of_delivery: agent.cost(),
        quality: agent.quality,
        tally: agent.tally,
    }
}
