//! Orders for a part of the population, by the code and in the words of the nodes.
//!
//! A node asks for itself. Here members who would ask the same question ask it once: those whose work costs about as much,
//! to the nearest quarter of what it may, form a *circle*, which remembers as one node does what orders have earned; within
//! a circle, those whose last bids went alike follow one order. What stands about their situation is taken over while it is
//! new. So a thousand members need about twenty questions whenever orders are renewed, and never more than the
//! configuration allows: those that most members wait for come first.

use std::{cmp::Reverse, collections::BTreeMap};

use althing_agents::{
    bidder::Margin,
    orders::{BidderFacts, Choice, Inquiry, Memory, Offered, Outcome, Situation, Topic},
};
use althing_node::advice::{Adviser, Setback};
use althing_protocol::{
    event::{DecidedBy, Role},
    ids::Round,
    model::Width,
};

use super::{
    agent::Seat,
    book::Book,
    config::Config,
    error::Fault,
    record::{OrderRow, PartRow},
    strategy::{Advised, Model},
};

/// The only kind of work is full training under one contract, so that there is no other topic to ask a bidder about.
const TOPIC: Topic = Topic::Margin;

/// Who asks for a part of the population.
pub(super) struct Counsel<'a> {
    config: &'a Config,
    model: &'a Model,
    part: usize,
    adviser: Adviser<&'a Book>,
    circles: BTreeMap<String, Circle>,
    /// A line for each question so far.
    rows: Vec<OrderRow>,
}

/// Members whose work costs about as much.
#[derive(Default)]
struct Circle {
    memory: Memory,
    /// By how their last bids went, what was said last and in which round.
    said: BTreeMap<String, Said>,
    /// What each margin earned those who asked for it in the open round, and how many they were.
    earned: BTreeMap<Margin, (i64, i64)>,
}

/// What a model said: an order, or none.
#[derive(Debug, Clone, Copy)]
struct Said {
    round: u64,
    choice: Option<Choice>,
}

/// Members who wait for the same answer.
struct Waiting<'m> {
    situation: Situation,
    members: Vec<&'m mut Advised>,
}

/// How a member's work costs, and how its last bids went: the two halves of its situation in words.
type Words = (String, String);

impl<'a> Counsel<'a> {
    /// For the part of this number, whose members ask `book` as `model` says.
    pub(super) fn new(config: &'a Config, (part, model): (usize, &'a Model), book: &'a Book) -> Self {
        let adviser = Adviser { endpoint: book, asking: model.asking, within: book.within() };
        Self { config, model, part, adviser, circles: BTreeMap::new(), rows: Vec::new() }
    }

    /// Gives those members new orders who want some, before they bid in `round`. Beside each is the name that it bids
    /// under.
    ///
    /// # Errors
    /// [`Fault`] if recorded answers are played and lack one, or an answer cannot be recorded.
    pub(super) fn renew<'m>(
        &mut self,
        round: u64,
        members: impl Iterator<Item = (&'m mut Advised, &'m Seat)>,
    ) -> Result<(), Fault> {
        let mut waiting: BTreeMap<Words, Waiting<'m>> = BTreeMap::new();
        for (member, seat) in members.filter(|(_, seat)| seat.cost <= self.config.ceiling(seat.worth)) {
            if member.is_due(round, self.model.renew_every) {
                let situation = self.situation(round, member, seat);
                let group = waiting.entry(words(&situation));
                group.or_insert_with(|| Waiting { situation, members: Vec::new() }).members.push(member);
            }
        }
        let mut waiting: Vec<(Words, Waiting<'m>)> = waiting.into_iter().collect();
        waiting.sort_by_key(|(_, group)| Reverse(group.members.len()));
        for (words, Waiting { situation, members }) in waiting {
            let said = match self.known(&words, round) {
                Some(said) => said,
                None if (self.rows.len() as u64) < self.allowed(round) => {
                    self.ask(&words, &situation, members.len())?
                }
                None => continue,
            };
            members.into_iter().for_each(|member| member.hear(said.round, said.choice));
        }
        Ok(())
    }

    /// Takes in what came of the round's bids: who decided them, and what orders have earned.
    pub(super) fn settle<'m>(&mut self, row: &mut PartRow, members: impl Iterator<Item = (&'m mut Advised, &'m Seat)>) {
        let (round, sway) = (row.round, &mut row.sway);
        for (member, seat) in members {
            let Some(made) = member.settle() else { continue };
            match made.by {
                DecidedBy::Model => sway.followed += 1,
                DecidedBy::Fallback => sway.fell_back += 1,
                DecidedBy::Rules => sway.ruled += 1,
            }
            let circle = words(&self.situation(round, member, seat)).0;
            if let (Some(Choice::Margin(margin)), Some(circle)) = (made.followed, self.circles.get_mut(&circle)) {
                let (sum, count) = circle.earned.entry(margin).or_default();
                (*sum, *count) = (*sum + made.earned, *count + 1);
            }
        }
        self.circles.values_mut().for_each(|circle| circle.remember(Round(round)));
        let asked = self.rows.iter().rev().take_while(|asked| asked.round == round);
        row.questions = asked.clone().count() as u64;
        row.orders = asked.filter(|asked| asked.why.is_empty()).count() as u64;
    }

    /// A line for each question.
    pub(super) fn into_rows(self) -> Vec<OrderRow> {
        self.rows
    }

    /// Questions that may have been asked by the end of `round`: an equal part of all for each time that orders are
    /// renewed.
    fn allowed(&self, round: u64) -> u64 {
        let Model { renew_every, questions_most, .. } = *self.model;
        let (renewals, of_them) = (self.config.rounds.div_ceil(renew_every), (round - 1) / renew_every + 1);
        questions_most.saturating_mul(of_them).div_ceil(renewals)
    }

    fn situation(&self, round: u64, member: &Advised, seat: &Seat) -> Situation {
        let (bids, won) = member.record();
        let most = self.config.ceiling(seat.worth);
        let (epochs, cost) = (self.config.contract.epochs, seat.cost);
        let work = Offered { place: 0, epochs, width: Width::Full, cost, most };
        let bidder = BidderFacts { offers: vec![work], bids, won };
        Situation { round: Round(round), bidder, ..Situation::default() }
    }

    /// What was said about this situation, if it is new enough to be followed.
    fn known(&self, (circle, bids): &Words, round: u64) -> Option<Said> {
        let said = *self.circles.get(circle)?.said.get(bids)?;
        (round - said.round < self.model.renew_every).then_some(said)
    }

    fn ask(&mut self, (circle, bids): &Words, situation: &Situation, members: usize) -> Result<Said, Fault> {
        let round = situation.round.0;
        let of = self.circles.entry(circle.clone()).or_default();
        let mut said = Said { round, choice: None };
        if let Some(inquiry) = Inquiry::of_round(TOPIC, situation, &of.memory) {
            let book = self.adviser.endpoint;
            let mut habit = of.memory.habit(TOPIC).clone();
            let advice = book.wait(self.adviser.consult(&inquiry, &mut habit));
            book.check()?;
            *of.memory.habit(TOPIC) = habit;
            said.choice = advice.choice.ok();
            self.rows.push(OrderRow {
                round,
                part: self.part,
                members: members as u64,
                situation: format!("{bids} {circle}"),
                choice: advice.choice.ok().map(Choice::word).unwrap_or_default(),
                why: advice.choice.err().map_or("", Setback::name),
                answers: advice.cost.answers.into(),
                prompt_tokens: advice.cost.prompt_tokens.into(),
                completion_tokens: advice.cost.completion_tokens.into(),
            });
        }
        of.said.insert(bids.clone(), said);
        Ok(said)
    }
}

impl Circle {
    /// Remembers what each order has brought those who followed it, on average, bids that lost among them.
    fn remember(&mut self, round: Round) {
        for (margin, (sum, count)) in std::mem::take(&mut self.earned) {
            let earned = sum / count.max(1);
            // Nobody is benched here, so that what is measured is the model: what the rules would have earned is no matter.
            let outcome = Outcome { followed: vec![Choice::Margin(margin)], earned, by_rules: earned };
            self.memory.enter(Role::Bidder, round, &outcome);
        }
    }
}

/// What a model is told of a situation, in two parts: what stays of a member, and what changes.
fn words(situation: &Situation) -> Words {
    let mut sentences = situation.sentences(TOPIC).into_iter();
    let bids = sentences.next().unwrap_or_default();
    (sentences.collect::<Vec<_>>().join(" "), bids)
}
