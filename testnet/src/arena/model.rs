//! A language model takes part: it is asked for standing orders as a node asks, by the same code and in the same words.
//!
//! A node follows an order for many rounds. Here every context gets orders of its own, so that what is measured is what the
//! model makes of the facts, and not how old they are.

mod options;

use std::collections::VecDeque;

use althing_agents::{
    Rival,
    bidder::BidderQuestion,
    guardian::{GuardianQuestion, PaceQuestion},
    orders::{
        Choice, Inquiry, LOOK_BACK, MEMORIES_TOLD, Memory, Orders, Outcome, Topic,
        obey::Obedient,
        verdict::{Asking, Habit},
    },
    policy::{Policy, ask},
};
use althing_node::{advice::Adviser, endpoint::Endpoint};
use althing_protocol::{
    event::DecidedBy,
    ids::{Hash, Round},
};
use tokio::runtime::Handle;

pub use self::options::ModelOptions;
use super::{
    Error,
    contestant::{Contestant, Failure},
    field::{Entrant, Model},
    scored::Scored,
    selector::Selection,
    topical::Topical,
    usage::Usage,
};

/// Points for what is worth 1, so that memories need no fractions.
const POINTS: f64 = 1e3;

/// A language model that is asked in one way.
struct Advised {
    adviser: Adviser,
    model: Model,
    runtime: Handle,
}

/// Those whom `options` invite: the model once for each way of asking. It must be there when it is invited, and is waited
/// for on the runtime of the caller.
///
/// # Errors
/// [`Error::Endpoint`] if the endpoint cannot be used, [`Error::Absent`] if no model answers there.
pub async fn invite(options: &ModelOptions) -> Result<Vec<Box<dyn Entrant>>, Error> {
    let Some(endpoint) = options.server.endpoint()? else { return Ok(Vec::new()) };
    let absent = |refusal| Error::Absent { address: endpoint.address().clone(), refusal };
    let name = endpoint.model().await.map_err(absent)?;
    let model = Model { name, answer_within_ms: options.server.answer_within_ms };
    let entrant = |asking: Asking| {
        let (endpoint, within) = (Endpoint::clone(&endpoint), options.server.within());
        let adviser = Adviser { endpoint, asking, within };
        Box::new(Advised { adviser, model: model.clone(), runtime: Handle::current() }) as Box<dyn Entrant>
    };
    Ok(options.all_askings().into_iter().map(entrant).collect())
}

impl Advised {
    fn contestant<C: Topical>(&self, seed: u64) -> Advisee<C> {
        Advisee {
            adviser: self.adviser.clone(),
            runtime: self.runtime.clone(),
            rules: C::rules(),
            seed,
            contexts: 0,
            memory: Memory::default(),
            past: VecDeque::new(),
            said: None,
            usage: Usage::default(),
        }
    }
}

impl Entrant for Advised {
    fn name(&self) -> String {
        format!("model-{}", self.adviser.asking.name())
    }

    fn model(&self) -> Option<Model> {
        Some(self.model.clone())
    }

    fn bidder(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<BidderQuestion>>>> {
        Some(Box::new(self.contestant(seed)))
    }

    fn selector(&self, seed: u64, _: usize) -> Option<Box<dyn Contestant<Selection>>> {
        Some(Box::new(self.contestant(seed)))
    }

    fn guardian(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<GuardianQuestion>>>> {
        Some(Box::new(self.contestant(seed)))
    }

    fn pace(&self, seed: u64) -> Option<Box<dyn Contestant<Scored<PaceQuestion>>>> {
        Some(Box::new(self.contestant(seed)))
    }
}

/// Somebody at a seat who does what a model says, and remembers what came of it.
struct Advisee<C: Topical> {
    adviser: Adviser,
    runtime: Handle,
    rules: Box<dyn Rival<C::Question>>,
    seed: u64,
    /// Contexts that are over.
    contexts: u64,
    memory: Memory,
    /// The last choices and what they were worth, the latest last.
    past: VecDeque<(C::Choice, f64)>,
    /// What the model said to the present context when it was asked first.
    said: Option<Said>,
    usage: Usage,
}

/// What a model has said to a context.
#[derive(Default)]
struct Said {
    orders: Orders,
    /// The orders that the answer follows; none if there is no answer.
    followed: Vec<Choice>,
    habits: Vec<(Topic, Habit)>,
    setback: Option<Failure>,
}

impl<C: Topical> Advisee<C> {
    /// Asks for an order about each topic in which there is a choice, until one fails.
    fn consult(&mut self, context: &C) -> Said {
        let mut said = Said::default();
        let past = self.past.make_contiguous();
        let situation = context.situation(past);
        for &topic in C::TOPICS {
            let memories = self.memory.best(topic, MEMORIES_TOLD);
            let lot = self.lot(topic, &[]);
            let Some(inquiry) = Inquiry::new(topic, &situation, &memories, &lot) else { continue };
            let inquiry = match context.order() {
                [] => inquiry,
                order => inquiry.shuffled(&self.lot(topic, order)),
            };
            let mut habit = self.memory.habit(topic).clone();
            let advice = self.runtime.block_on(self.adviser.consult(&inquiry, &mut habit));
            self.usage = self.usage.and(advice.cost.into());
            said.habits.push((topic, habit));
            match advice.choice {
                Ok(choice) => {
                    said.orders.give(choice, Round(self.contexts));
                    said.followed.push(choice);
                }
                Err(setback) => {
                    said.setback = Some(Failure(setback.name().to_owned()));
                    break;
                }
            }
        }
        said
    }

    /// What orders menus and members: the same for the same order of the same context.
    fn lot(&self, topic: Topic, order: &[usize]) -> Hash {
        let order: Vec<u8> = order.iter().flat_map(|place| place.to_le_bytes()).collect();
        let parts = [&self.seed.to_le_bytes()[..], &self.contexts.to_le_bytes(), topic.name().as_bytes(), &order];
        Hash::derive("althing arena inquiry", &parts)
    }
}

impl<C: Topical> Contestant<C> for Advisee<C>
where
    C::Choice: Send,
    for<'a> Obedient<'a, C::Question>: Policy<C::Question>,
{
    fn answer(&mut self, context: &C) -> Result<C::Choice, Failure> {
        self.usage = Usage::default();
        let mut said = self.consult(context);
        let pick = ask(&mut Obedient { orders: &said.orders, rules: &mut *self.rules }, context.question());
        let answer = match (said.setback.take(), pick) {
            (Some(setback), _) => Err(setback),
            (None, Some(pick)) if pick.by != DecidedBy::Fallback => Ok(context.entry(pick.option)),
            (None, _) => Err(Failure("does not fit".to_owned())),
        };
        if answer.is_err() {
            said.followed.clear();
        }
        self.said.get_or_insert(said);
        answer
    }

    fn otherwise(&mut self, context: &C) -> Option<C::Choice> {
        ask(&mut *self.rules, context.question()).map(|pick| context.entry(pick.option))
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn learn(&mut self, _: &C, choice: &C::Choice, value: f64) {
        self.contexts += 1;
        self.past.push_back((choice.clone(), value));
        if self.past.len() > LOOK_BACK {
            self.past.pop_front();
        }
        let Some(said) = self.said.take() else { return };
        for (topic, habit) in said.habits {
            *self.memory.habit(topic) = habit;
        }
        let Some(role) = said.followed.first().map(|choice| choice.topic().role()) else { return };
        // Nobody is benched here: what the rules would have brought does not matter.
        let earned = (POINTS * value) as i64;
        self.memory.enter(role, Round(self.contexts), &Outcome { followed: said.followed, earned, by_rules: earned });
    }
}
