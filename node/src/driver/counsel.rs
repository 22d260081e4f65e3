//! Standing orders of a running node: a task that asks a model for them, and what the loop makes of what comes.
//!
//! The task sees one [`Situation`] at a time, the newest, and is never waited for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use althing_agents::{
    Circumstances, Deliberation,
    orders::{Agenda, BidMade, Choice, Inquiry, Memory, Outcome, Reckoning, Situation, Topic},
};
use althing_protocol::{
    codec,
    event::{DecidedBy, Event, Followed, Role},
    ids::{Hash, Round},
    machine::{BidQuestion, Candidate, MarksQuestion},
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
};

use super::{privacy::means, shell::Shell, telling::unix_ms};
use crate::{
    advice::{Advice, Adviser},
    store::{Store, StoreError},
    transcript::{Asked, Entry, What},
};

/// Under this name the store remembers what the agents' orders have earned.
const MEMORY: &str = "orders";

/// Longest memory that is read back, in bytes; it has a bounded number of records.
const MEMORY_BYTES_MAX: usize = 256 * 1024;

/// Advice that waits for the loop. There is one question at a time, so one place would do.
const ADVICE_WAITING: usize = 4;

/// What a model was asked, and what it said.
#[derive(Debug)]
pub(super) struct Given {
    round: Round,
    inquiry: Inquiry,
    advice: Advice,
}

/// The orders' side of a node: memory, reckoning, and the task that asks.
pub(super) struct Counsel {
    store: Arc<Store>,
    memory: Arc<Mutex<Memory>>,
    reckoning: Reckoning,
    /// Why the last question about a topic brought no order.
    setbacks: BTreeMap<Topic, &'static str>,
    /// The loss of the model before, on this member's own examples.
    loss_before: Option<f32>,
    asking: Option<Asking>,
}

/// The task that asks. It ends with its owner.
struct Asking {
    situations: watch::Sender<Option<Situation>>,
    given: mpsc::Receiver<Given>,
    task: AbortHandle,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Counsel {
    /// The memory that `store` has, and with an adviser the task that asks it, with a pause of `every` in between.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read. A memory that cannot be understood is begun anew.
    pub(super) fn start(store: Arc<Store>, adviser: Option<(Adviser, Duration)>) -> Result<Self, StoreError> {
        let memory =
            store.recall(MEMORY)?.and_then(|bytes| codec::decode(&bytes, MEMORY_BYTES_MAX).ok()).unwrap_or_default();
        let memory = Arc::new(Mutex::new(memory));
        let asking = adviser.map(|(adviser, every)| {
            let (situations, newest) = watch::channel(None);
            let (give, given) = mpsc::channel(ADVICE_WAITING);
            let seeker = Seeker { adviser, every, memory: Arc::clone(&memory), agenda: Agenda::default() };
            let task = tokio::spawn(seeker.run(newest, give)).abort_handle();
            Asking { situations, given, task }
        });
        let (reckoning, setbacks) = (Reckoning::default(), BTreeMap::new());
        Ok(Self { store, memory, reckoning, setbacks, loss_before: None, asking })
    }

    /// What a model says next. Without one, never done.
    pub(super) async fn next(&mut self) -> Given {
        let given = match &mut self.asking {
            Some(asking) => asking.given.recv().await,
            None => None,
        };
        match given {
            Some(given) => given,
            None => std::future::pending().await,
        }
    }

    /// Writes an entry of the transcript. A disk that refuses it costs the entry, not the round.
    fn write(&self, round: Round, role: Role, what: What) {
        let entry = Entry { at_ms: unix_ms(), round, role, what };
        if let Err(error) = serde_json::to_vec(&entry).map_err(|error| error.to_string()).and_then(|bytes| {
            tokio::task::block_in_place(|| self.store.transcribe(&bytes)).map_err(|error| error.to_string())
        }) {
            tracing::warn!(%error, "a decision is missing from the transcript");
        }
    }

    /// Why the rules decided where a model was to.
    fn why(&self, role: Role, orders_stand: impl Fn(Topic) -> bool) -> String {
        let topics = Topic::ALL.into_iter().filter(|topic| topic.role() == role);
        let setback = topics.clone().find_map(|topic| self.setbacks.get(&topic).copied());
        match setback {
            _ if topics.clone().any(orders_stand) => "its order does not fit this round".to_owned(),
            Some(name) => name.to_owned(),
            None => "no order yet".to_owned(),
        }
    }

    /// Makes durable what is not yet: the newest entries of the transcript come with the memory.
    pub(super) fn stop(&self) {
        self.remember();
    }

    fn remember(&self) {
        let bytes = codec::encode(&*lock(&self.memory));
        if let Err(error) = tokio::task::block_in_place(|| self.store.remember(MEMORY, &bytes)) {
            tracing::warn!(%error, "what the agents learnt of this round is not remembered");
        }
    }
}

/// Who asks.
struct Seeker {
    adviser: Adviser,
    every: Duration,
    memory: Arc<Mutex<Memory>>,
    agenda: Agenda,
}

impl Seeker {
    async fn run(mut self, mut newest: watch::Receiver<Option<Situation>>, give: mpsc::Sender<Given>) {
        loop {
            let situation = newest.borrow_and_update().clone();
            let Some((round, inquiry)) = situation.as_ref().and_then(|situation| self.next(situation)) else {
                if newest.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let topic = inquiry.topic;
            let mut habit = lock(&self.memory).habit(topic).clone();
            let advice = self.adviser.consult(&inquiry, &mut habit).await;
            *lock(&self.memory).habit(topic) = habit;
            if give.send(Given { round, inquiry, advice }).await.is_err() {
                return;
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// The next question, if there is anything to ask about.
    fn next(&mut self, situation: &Situation) -> Option<(Round, Inquiry)> {
        let memory = lock(&self.memory);
        let topic = self.agenda.next(situation, &memory)?;
        let round = situation.round;
        let inquiry = Inquiry::of_round(topic, situation, &memory)?;
        self.agenda.asked(topic, round);
        Some((round, inquiry))
    }
}

impl Shell {
    /// Follows what happens, as far as the agents are to know or to be judged by it.
    pub(super) fn counsel_hears(&mut self, event: &Event) {
        match event {
            Event::RoundOpened { round, .. } => self.brief(*round),
            Event::Planned { awards, .. } => {
                self.counsel
                    .reckoning
                    .planned(self.me, awards, |award| self.genesis.worth(award.contract, award.samples));
            }
            Event::Settled { round, payments, .. } => {
                let paid = payments.get(&self.me).copied().unwrap_or(0);
                self.settle_accounts(*round, paid);
            }
            _ => {}
        }
    }

    /// The bidder has bid.
    pub(super) const fn counsel_bids(&mut self, made: BidMade) {
        self.counsel.reckoning.bid(made);
    }

    /// The bidder has accepted a counter-offer, whose work costs so much.
    pub(super) const fn counsel_accepts(&mut self, cost: u64) {
        self.counsel.reckoning.accept(cost);
    }

    /// Shows the newest situation to whoever asks for orders.
    fn brief(&mut self, round: Round) {
        self.counsel.reckoning.open(round);
        self.council.orders().age(round);
        if self.counsel.asking.is_none() {
            return;
        }
        let state = self.machine.state();
        let (reputation, hired_in) =
            state.ledger.accounts.get(&self.me).map_or((0, Round(0)), |account| (account.reputation, account.hired_in));
        let candidates = state.ledger.accounts.iter().map(|(member, account)| Candidate::of(*member, account, round));
        let market = &self.genesis.market;
        let known = Circumstances {
            bidding: BidQuestion {
                round,
                menu: self.genesis.contracts.clone(),
                reserve_price: market.reserve_price,
                usual_samples: market.usual_samples,
                reputation,
                idle_rounds: round.0.saturating_sub(hired_in.0),
            },
            capacity: self.capacity(),
            means: means(self.purse.as_ref(), round, self.least_epsilon_micro()),
            marking: MarksQuestion { round, max_winners: market.max_winners, candidates: candidates.collect() },
            counters: market.max_counter_offers,
        };
        let situation = self.council.situation(known, &self.counsel.reckoning);
        if let Some(asking) = &self.counsel.asking {
            asking.situations.send_replace(Some(situation));
        }
    }

    /// A model has spoken: what it chose stands from now on.
    pub(super) fn take_order(&mut self, given: Given) {
        let Given { round, inquiry, advice } = given;
        let topic = inquiry.topic;
        match advice.choice {
            Ok(choice) => {
                self.council.orders().give(choice, round);
                self.counsel.setbacks.remove(&topic);
            }
            Err(setback) => {
                tracing::debug!(topic = topic.name(), why = setback.name(), "no order");
                self.council.orders().fail(topic);
                self.counsel.setbacks.insert(topic, setback.name());
            }
        }
        let asked = asked(&inquiry, advice);
        self.tell(&Event::Advised {
            round,
            role: topic.role(),
            topic: asked.topic.clone(),
            choice: asked.choice.clone(),
            why: asked.why.clone(),
            latency_ms: asked.cost.latency_ms,
        });
        self.counsel.write(round, topic.role(), What::Asked(Box::new(asked)));
    }

    /// Writes a decision down, and remembers what it followed until the round is settled.
    pub(super) fn transcribe(&mut self, round: Round, said: &Deliberation) {
        let why = (said.by == DecidedBy::Fallback).then(|| {
            let orders = self.council.orders();
            let stands: Vec<Topic> = Topic::ALL.into_iter().filter(|topic| orders.about(*topic).is_some()).collect();
            self.counsel.why(said.role, |topic| stands.contains(&topic))
        });
        self.counsel.reckoning.follow(said.role, said.followed.clone());
        self.counsel.write(round, said.role, What::Decided { by: said.by, choice: said.choice.clone(), why });
    }

    /// The orders that a decision followed, as observers are told of them.
    pub(super) fn followed(&mut self, said: &Deliberation) -> Vec<Followed> {
        let orders = self.council.orders();
        let followed = |topic: Topic| {
            let asked_in = orders.asked_in(topic)?;
            Some(Followed { topic: topic.name().to_owned(), asked_in })
        };
        said.followed.iter().filter_map(|choice| followed(choice.topic())).collect()
    }

    /// Judges the orders that the round followed. A role whose model did worse than the rules is given a rest.
    fn settle_accounts(&mut self, round: Round, paid: u64) {
        let gain = self.gain();
        let reserve = self.genesis.market.reserve_price;
        let outcomes = self.counsel.reckoning.settled(paid, gain, reserve);
        for (role, outcome) in &outcomes {
            self.judge(round, *role, outcome);
        }
        if !outcomes.is_empty() {
            self.counsel.remember();
        }
    }

    fn judge(&mut self, round: Round, role: Role, outcome: &Outcome) {
        let Some(until) = lock(&self.counsel.memory).enter(role, round, outcome) else { return };
        for topic in Topic::ALL.into_iter().filter(|topic| topic.role() == role) {
            self.council.orders().take_back(topic);
        }
        self.tell(&Event::Benched { round, role, until });
        self.counsel.write(round, role, What::Benched { until });
    }

    /// By how much the model that this round started from is better than the one before, on this member's own examples,
    /// in thousandths of the loss.
    fn gain(&mut self) -> Option<i64> {
        let loss = self.jobs.base_score()?.loss;
        let before = self.counsel.loss_before.replace(loss)?;
        Some((f64::from(before - loss) * 1e3) as i64)
    }
}

fn asked(inquiry: &Inquiry, advice: Advice) -> Asked {
    let words: String = inquiry.think().into_iter().map(|message| message.text).collect();
    Asked {
        topic: inquiry.topic.name().to_owned(),
        menu: inquiry.menu.iter().map(|choice| choice.word()).collect(),
        facts: inquiry.facts.clone(),
        prompt: Hash::of(words.as_bytes()).to_string(),
        reason: advice.reason,
        choice: advice.choice.ok().map(Choice::word),
        why: advice.choice.err().map(|setback| setback.name().to_owned()),
        cost: advice.cost,
    }
}

fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    // The memory is whole after every change: a panic elsewhere does not spoil it.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}
