//! What the core wants, carried out: one small function an effect.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use althing_agents::{Bidding, Deliberation, Replying};
use althing_protocol::{
    event::{DecidedBy, Event},
    ids::{BlobRef, MemberId, Round},
    machine::{
        Answer, BidQuestion, Commit, CounterOffersQuestion, Effect, Input, MarksQuestion, ReplyId, ReplyQuestion,
    },
    statement::Reply,
    wire::{Response, Topic},
};

use super::{
    jobs::{JobError, Received},
    privacy::means,
    requests,
    shell::{Shell, books},
};
use crate::{blobs::FetchError, failure::Failure, net};

impl Shell {
    /// Carries out `effects` in their order, and then those that its agents' answers lead to.
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        let mut waiting = std::collections::VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            let Some(answer) = self.carry_out_one(effect).await? else { continue };
            let now = self.now();
            waiting.extend(self.machine.handle(answer, now).map_err(Failure::machine)?);
        }
        Ok(())
    }

    /// Carries out one effect; an agent's answer comes back at once.
    async fn carry_out_one(&mut self, effect: Effect) -> Result<Option<Input>, Failure> {
        match effect {
            Effect::Append(entry) => self.journal.append(entry)?,
            Effect::Commit(commit) => self.commit(&commit).await?,
            Effect::Publish { topic, bytes } => self.publish(topic, bytes).await?,
            Effect::Request { to, request } => requests::ask(self.network.clone(), to, request, self.bring.clone()),
            Effect::Reply { reply, answer } => self.reply(reply, answer).await,
            Effect::Blame { member } => self.network.ban(member, "it sent what it must know to be false").await,
            Effect::SetTimer(timer, span) => self.timers.set(timer, span),
            Effect::CancelTimer(timer) => self.timers.cancel(&timer),
            Effect::AskBid(question) => return Ok(Some(self.ask_bid(question))),
            Effect::AskMarks(question) => return Ok(Some(self.ask_marks(question))),
            Effect::AskCounterOffers(question) => return Ok(Some(self.ask_counter_offers(question))),
            Effect::AskReply(question) => return Ok(Some(self.ask_reply(&question))),
            Effect::Train(order) => self.train(order)?,
            Effect::StopTraining => self.jobs.stop_training(),
            Effect::Fetch { blob, from } => self.fetch(blob, &from),
            Effect::Appraise { round, maker, base, update, width } => {
                let appraise = || self.jobs.appraise(round, maker, base, Received { update, width });
                let done = tokio::task::block_in_place(appraise);
                self.started(round, done)?;
            }
            Effect::Attribute(order) => self.jobs.attribute(order),
            Effect::Inspect(order) => self.jobs.inspect(order),
            Effect::Aggregate(order) => self.jobs.aggregate(order),
            Effect::Keep(blobs) => self.keep(&blobs),
            Effect::Save(bytes) => self.save_step(&bytes)?,
            Effect::Offer { to, offer } => self.offer(to, offer),
            Effect::TrainStep(order) => self.train_step(order)?,
            Effect::Mix(order) => self.jobs.mix(self.me, order),
            Effect::Forget(blobs) => self.forget(&blobs),
            Effect::Tell(event) => self.tell_and_prepare(event)?,
        }
        Ok(None)
    }

    /// Who has joined by it is served from here on, and who reads the ledger after it was told finds it there.
    async fn commit(&mut self, commit: &Commit) -> Result<(), Failure> {
        self.journal.commit(commit)?;
        let network = self.books.borrow().network;
        self.books.send_replace(books(&commit.state, network));
        self.call_the_roll(&commit.state.ledger).await;
        Ok(())
    }

    /// Statements and votes bind this node, so what they rest on is durable first; the rest only informs.
    async fn publish(&mut self, topic: Topic, bytes: Vec<u8>) -> Result<(), Failure> {
        let words = self.outlet.publish(topic, bytes);
        let topic = match topic {
            Topic::Round => net::Topic::Round,
            Topic::Instructions => net::Topic::Instructions,
            Topic::Agreement => net::Topic::Consensus,
            Topic::Bodies => net::Topic::Bodies,
            Topic::Have => net::Topic::Have,
            Topic::Tip => net::Topic::Tip,
        };
        if matches!(topic, net::Topic::Round | net::Topic::Consensus | net::Topic::Bodies) {
            self.journal.flush()?;
        }
        for bytes in words {
            self.network.publish(topic, bytes).await;
        }
        Ok(())
    }

    async fn reply(&mut self, reply: ReplyId, answer: Answer) {
        let Some(token) = self.desk.give(reply) else { return };
        let response = match answer {
            Answer::Decisions(from) => tokio::task::block_in_place(|| requests::decisions(self.journal.store(), from)),
            Answer::Heard => Response::Heard,
        };
        self.network.respond(token, response.encode()).await;
    }

    fn fetch(&mut self, blob: BlobRef, from: &[MemberId]) {
        match self.blobs.fetch(blob, from) {
            Ok(()) => {}
            // It is asked for again and again; people are told once.
            Err(FetchError::NoRoom { .. }) if self.without_room == Some(blob) => {}
            Err(error @ FetchError::NoRoom { .. }) => {
                self.without_room = Some(blob);
                tracing::warn!(%blob, %error, "not fetched");
                self.tell(&Event::Hindered { why: error.to_string() });
            }
            Err(error) => tracing::warn!(%blob, %error, "not fetched"),
        }
    }

    /// Done before anything of the next round is stored, which would not be in the list.
    fn keep(&self, blobs: &BTreeSet<BlobRef>) {
        if let Err(error) = tokio::task::block_in_place(|| self.blobs.store().retain(blobs)) {
            tracing::warn!(%error, "old blobs stay on the disk");
        }
    }

    fn ask_bid(&mut self, question: BidQuestion) -> Input {
        let round = question.round;
        let capacity = self.capacity();
        let means = means(self.purse.as_ref(), round, self.least_epsilon_micro());
        let asked = Instant::now();
        let Bidding { bid, made, said } = self.council.bid(question, capacity, means);
        let took = asked.elapsed();
        if let Some(made) = made {
            self.counsel_bids(made);
        }
        for deliberation in said {
            self.note(round, deliberation, took);
        }
        Input::BidChosen { round, bid }
    }

    fn ask_marks(&mut self, question: MarksQuestion) -> Input {
        let round = question.round;
        let asked = Instant::now();
        let (hire, weights, said) = self.council.marks(question);
        self.note(round, said, asked.elapsed());
        Input::MarksChosen { round, hire, weights }
    }

    fn ask_counter_offers(&mut self, question: CounterOffersQuestion) -> Input {
        let round = question.round;
        let asked = Instant::now();
        let (offers, said) = self.council.counter_offers(question);
        if let Some(deliberation) = said {
            self.note(round, deliberation, asked.elapsed());
        }
        Input::CounterOffersChosen { round, offers }
    }

    fn ask_reply(&mut self, question: &ReplyQuestion) -> Input {
        let round = question.round;
        let capacity = self.capacity();
        let means = means(self.purse.as_ref(), round, self.least_epsilon_micro());
        let asked = Instant::now();
        let Replying { reply, cost, said } = self.council.reply(question, capacity, means);
        let took = asked.elapsed();
        if reply == Reply::Accept {
            self.counsel_accepts(cost);
        }
        for deliberation in said {
            self.note(round, deliberation, took);
        }
        Input::ReplyChosen { round, reply }
    }

    /// Counts and tells an agent's decision, and how long it took.
    pub(super) fn note(&mut self, round: Round, said: Deliberation, took: Duration) {
        self.status.send_modify(|status| {
            let count = match said.by {
                DecidedBy::Model => &mut status.decisions.model,
                DecidedBy::Rules => &mut status.decisions.rules,
                DecidedBy::Fallback => &mut status.decisions.fallback,
            };
            *count += 1;
        });
        self.transcribe(round, &said);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let followed = self.followed(&said);
        let Deliberation { role, by, choice, .. } = said;
        self.tell(&Event::Decided { round, role, by, choice, took_us, followed });
    }

    /// A model that was adopted is scored at once, so that updates can be compared with it as soon as they come.
    fn tell_and_prepare(&mut self, event: Event) -> Result<(), Failure> {
        self.tell(&event);
        self.count_step(&event);
        if let Event::Settled { .. } = event {
            self.score_round();
        }
        if matches!(event, Event::MemberLeft { member, .. } | Event::MemberRemoved { member, .. } if member == self.me)
        {
            self.give_up_invitation();
        }
        self.counsel_hears(&event);
        if let Event::Adopted { round, model } = event {
            let scored = tokio::task::block_in_place(|| self.jobs.score_base(model));
            self.started(round, scored)?;
        }
        Ok(())
    }

    /// A learner that cannot take a job costs this round its result; a disk that fails costs the node.
    pub(super) fn started(&mut self, round: Round, started: Result<(), JobError>) -> Result<(), Failure> {
        match started {
            Ok(()) => Ok(()),
            Err(error @ (JobError::Learn(_) | JobError::Gone(_))) => {
                tracing::error!(%round, %error, "a job could not be started");
                self.tell(&Event::Hindered { why: error.to_string() });
                if let JobError::Gone(blob) = error {
                    self.jobs.bring_soon(Input::BlobLost(blob));
                }
                Ok(())
            }
            Err(error) => Err(Failure::machine(error)),
        }
    }
}
