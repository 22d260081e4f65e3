//! Training under a privacy budget: pay, draw, keep, offer, in that order and each durable before the next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use althing_agents::{
    Council, Deliberation,
    guardian::{Capacity, Means, PaceOption, PaceQuestion},
    privacy::{Plan, Ticket, Training},
};
use althing_protocol::{
    codec,
    epidemic::{self, StepOrder},
    event::Event,
    genesis::Task,
    ids::{self, Hash, NetworkId, Round},
    machine::{Input, Made, TrainOrder},
};

use super::{
    jobs::{Paid, Prepared, Work, epidemic::made_in},
    machine_probe,
    shell::Shell,
};
use crate::{
    account::{Account, AccountError, Owner, Payment, Witness},
    config::{self, Config},
    failure::Failure,
    learn::{
        job::Learn,
        private::{AdaptiveClip, Clip, NoiseLicence, PrivateHyper},
    },
    store::Store,
};

/// How fast an adaptive clip follows: the rate of its paper.
const CLIP_RATE: f64 = 0.2;

/// An adaptive clip's noise is on the count of a lot divided by this, as in its paper.
const COUNT_NOISE_PART: f64 = 20.0;

/// Least noise on that count, in noise multipliers: at one half, nothing would be left for the gradients.
const COUNT_NOISE_LEAST: f64 = 2.0;

/// Why a round that was paid for brings nothing.
const LOST: &str = "its noise was paid for before, and what was made of it is lost; noise is never drawn twice for one \
                    payment";

/// The member's account with the plan to spend it.
pub(super) struct Purse {
    account: Account,
    plan: Plan,
    config: config::Privacy,
    learning_rate: f64,
    momentum: f64,
    /// What the learner is at, or was last.
    running: Option<Ticket>,
}

/// What pays for training in `round`, whose updates must cost so many millionths of epsilon at the least.
pub(super) fn means(purse: Option<&Purse>, round: Round, least_micro: u64) -> Means<'_> {
    purse.map_or(Means::Unlimited, |Purse { plan, account, .. }| Means::Budget {
        plan,
        filter: account.filter(),
        round,
        least_micro,
    })
}

/// A training that is to be paid for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    ticket: Ticket,
    /// Passes over the data.
    epochs: u32,
    /// Least that it must cost, in millionths of epsilon.
    least_micro: u64,
}

/// What is to be done about an order to train.
pub(super) enum Step {
    /// It is paid for: tell so, and draw.
    Draw(Box<Paid>, Box<Event>),
    /// It was made before: offer it.
    Offer(Made),
    /// It is being made.
    Wait,
    /// It cannot be made.
    Forfeit(String),
}

impl Purse {
    /// The account of a node with this configuration; none if it trains without noise, and never had one.
    ///
    /// # Errors
    /// [`AccountError`] when there is an account that the configuration does not fit.
    pub(super) fn open(
        config: &Config,
        store: &Arc<Store>,
        network: NetworkId,
        task: &Task,
        learner: &dyn Learn,
    ) -> Result<Option<Self>, AccountError> {
        let witness = Witness::beside(&config.key);
        let owner = learner.fingerprint().map(|data| Owner { network, data });
        let Some(privacy) = config.privacy.clone() else {
            Account::check_none(store, &witness, owner.as_ref())?;
            return Ok(None);
        };
        let owner = owner.ok_or(AccountError::Unbound)?;
        for other in witness.elsewhere(&owner)? {
            tracing::warn!(
                network = %other.short(),
                "this member trains on the same examples in another federation: what both tell about them adds up"
            );
        }
        let plan = Plan::new(privacy.lot, learner.samples(), privacy.rounds)?;
        let account =
            Account::open(Arc::clone(store), &witness, owner, privacy.budget()?, |budget| plan.open(budget, 1))?;
        let learning_rate = privacy.learning_rate.unwrap_or(task.learning_rate);
        let momentum = task.momentum;
        Ok(Some(Self { account, plan, config: privacy, learning_rate, momentum, running: None }))
    }

    /// The account in numbers.
    pub(super) fn standing(&self) -> althing_protocol::event::Account {
        self.account.standing(self.plan.rounds_left(self.account.filter()))
    }

    /// Pays for a training as the council's guardian wants, who says how long it thought, or says what came of an earlier payment for its ticket.
    ///
    /// # Errors
    /// [`Failure`] when the disk refuses or there is no randomness; the process must end.
    pub(super) fn take(
        &mut self,
        Wanted { ticket, epochs, least_micro }: Wanted,
        council: &mut Council,
    ) -> Result<(Step, Option<(Deliberation, Duration)>), Failure> {
        if self.account.filter().has(&ticket) {
            return Ok((self.again(&ticket)?, None));
        }
        let training = Training { round: ticket.round, epochs, least_micro };
        let question = PaceQuestion::new(&self.plan, self.account.filter(), &training);
        let asked = Instant::now();
        let (option, said) = council.pace(&question);
        let took = asked.elapsed();
        let step = match option {
            Some(option) => self.pay(ticket, option)?,
            None => Step::Forfeit("what is left of the privacy budget does not pay for it".to_owned()),
        };
        Ok((step, Some((said, took))))
    }

    fn pay(&mut self, ticket: Ticket, option: PaceOption) -> Result<Step, Failure> {
        let before = self.standing().spent_micro;
        let spend = self.plan.spend(option.terms).map_err(Failure::machine)?;
        match self.account.pay(ticket, spend)? {
            Payment::Paid(debited) => {
                self.running = Some(ticket);
                let account = self.standing();
                let event = Event::Debited {
                    round: ticket.round,
                    lot: self.plan.lot(),
                    samples: self.plan.samples(),
                    sigma_milli: option.terms.sigma_milli,
                    steps: option.terms.steps,
                    account,
                };
                let paid = Paid {
                    hyper: self.hyper(option),
                    licence: NoiseLicence::new(debited).map_err(Failure::machine)?,
                    ticket,
                    epsilon_micro: account.spent_micro.saturating_sub(before),
                    store: Arc::clone(self.account.store()),
                };
                Ok(Step::Draw(Box::new(paid), Box::new(event)))
            }
            Payment::Before(_) => self.again(&ticket),
            Payment::Refused(refused) => Ok(Step::Forfeit(refused.to_string())),
        }
    }

    /// What came of an earlier payment.
    fn again(&self, ticket: &Ticket) -> Result<Step, Failure> {
        Ok(match self.account.made(ticket)? {
            Some(made) => Step::Offer(made),
            None if self.running == Some(*ticket) => Step::Wait,
            None => Step::Forfeit(LOST.to_owned()),
        })
    }

    fn hyper(&self, option: PaceOption) -> PrivateHyper {
        let (lot, sigma) = (self.plan.lot(), option.terms.sigma());
        let initial = self.config.clip;
        let clip = self.config.clip_quantile.map_or(Clip::Fixed(initial), |quantile| {
            let count_noise = (lot as f64 / COUNT_NOISE_PART).max(COUNT_NOISE_LEAST * sigma);
            Clip::Adaptive(AdaptiveClip { initial, quantile, rate: CLIP_RATE, count_noise })
        });
        PrivateHyper {
            lot: usize::try_from(lot).unwrap_or(usize::MAX),
            clip,
            sigma,
            steps: u32::try_from(option.terms.steps).unwrap_or(u32::MAX),
            learning_rate: self.learning_rate,
            momentum: self.momentum,
        }
    }
}

/// The ticket of an order: it is the same for the same contract of the same round, whoever repeats it.
fn ticket(order: &TrainOrder) -> Ticket {
    Ticket { round: order.round, contract: Hash::derive("althing 1 contract", &[&codec::encode(&order.contract)]) }
}

/// The ticket of an epidemic step, which no round has.
///
/// Steps and rounds share one memory of tickets, in the order of their numbers. Where one runs far ahead, tickets of the
/// other are forgotten, and so refused: no noise is ever drawn twice.
fn step_ticket(order: &StepOrder) -> Ticket {
    let contract = Hash::derive("althing 1 step contract", &[&codec::encode(&order.contract)]);
    Ticket { round: Round(order.step.0), contract }
}

impl Shell {
    /// Trains for a round as the member's budget allows, or without noise if it has none.
    pub(super) fn train(&mut self, order: TrainOrder) -> Result<(), Failure> {
        let round = order.round;
        let least_micro = self.least_epsilon_micro();
        let wanted = Wanted { ticket: ticket(&order), epochs: order.contract.epochs, least_micro };
        // What it starts from is read first: nothing is paid for a training that cannot begin.
        let prepared = match tokio::task::block_in_place(|| self.jobs.prepare(order)) {
            Ok(prepared) => prepared,
            Err(error) => return self.started(round, Err(error)),
        };
        match self.pay(wanted)? {
            Some(Step::Draw(paid, _)) => self.begin(prepared, Work::Paid(paid)),
            Some(Step::Offer(made)) if self.jobs.holds(&made.update) => {
                self.jobs.bring_soon(Input::Trained { round, made });
                Ok(())
            }
            Some(Step::Offer(_)) => self.forfeit(round, LOST.to_owned()),
            Some(Step::Wait) => Ok(()),
            Some(Step::Forfeit(why)) => self.forfeit(round, why),
            None => self.begin(prepared, Work::Plain),
        }
    }

    /// Trains for an epidemic step, under the same account.
    pub(super) fn train_step(&mut self, order: StepOrder) -> Result<(), Failure> {
        let step = order.step;
        let work =
            match self.pay(Wanted { ticket: step_ticket(&order), epochs: order.contract.epochs, least_micro: 0 })? {
                Some(Step::Draw(paid, _)) => Work::Paid(paid),
                None => Work::Plain,
                Some(Step::Wait) => return Ok(()),
                Some(Step::Offer(made)) if self.jobs.holds(&made.update) => {
                    self.jobs.bring_soon(Input::Epidemic(made_in(step, &made)));
                    return Ok(());
                }
                Some(Step::Offer(_)) => return self.pass(step, LOST.to_owned()),
                Some(Step::Forfeit(why)) => return self.pass(step, why),
            };
        tokio::task::block_in_place(|| self.jobs.train_step(order, work)).map_err(Failure::machine)
    }

    /// Least that an update of the open round must cost of privacy, if it costs any: its sponsor takes none that is
    /// noisier.
    pub(super) fn least_epsilon_micro(&self) -> u64 {
        self.machine.state().ledger.open_job().map_or(0, |job| job.terms.min_epsilon_micro)
    }

    /// Pays, and tells so before the noise is drawn: whoever reads the events knows of every draw. Nothing is paid by a
    /// member without a budget.
    fn pay(&mut self, wanted: Wanted) -> Result<Option<Step>, Failure> {
        let Some(purse) = &mut self.purse else { return Ok(None) };
        let (round, council) = (wanted.ticket.round, &mut self.council);
        let (step, said) = tokio::task::block_in_place(|| purse.take(wanted, council))?;
        if let Some((said, took)) = said {
            self.note(round, said, took);
        }
        if let Step::Draw(_, event) = &step {
            self.tell(event);
        }
        Ok(Some(step))
    }

    /// Takes part in a step without a model of its own.
    fn pass(&mut self, step: ids::Step, why: String) -> Result<(), Failure> {
        self.jobs.bring_soon(Input::Epidemic(epidemic::Input::Untrained { step }));
        self.tell_forfeit(Round(step.0), why);
        Ok(())
    }

    fn begin(&mut self, prepared: Prepared, work: Work) -> Result<(), Failure> {
        let round = prepared.round();
        self.jobs.train(prepared, work).or_else(|error| self.forfeit(round, error.to_string()))
    }

    /// Nothing can be delivered, and others are not to wait for it.
    fn forfeit(&mut self, round: Round, why: String) -> Result<(), Failure> {
        self.jobs.bring_soon(Input::Untrained { round });
        self.tell_forfeit(round, why);
        Ok(())
    }

    fn tell_forfeit(&mut self, round: Round, why: String) {
        tracing::warn!(%round, %why, "the round is forfeited");
        self.tell(&Event::Forfeited { round, why });
    }

    /// What the guardian may bid for, and with what.
    pub(super) fn capacity(&self) -> Capacity {
        Capacity {
            samples: self.samples,
            deadline: Duration::from_millis(self.genesis.phases.train.max_ms),
            machine: machine_probe::look(self.limits.memory_mb),
            max_load_permille: self.limits.max_load_percent.map(|percent| percent * 10),
            needs: self.jobs.measured().needs(),
        }
    }
}

#[cfg(test)]
mod tests;
