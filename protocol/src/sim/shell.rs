//! Carries out a machine's effects in their order, as a node does, until they end or the member dies among them.

use std::rc::Rc;

use super::{
    agent::{Answer as Work, poisons},
    byzantine::Audience,
    fault::Moment,
    property::Sight,
    queue::Event,
    world::World,
};
use crate::{
    event::Event as Told,
    ids::BlobRef,
    machine::{Answer, Attributed, Effect, Input, Machine, OrderedUpdate},
    wire::Message,
};

/// The blobs that an order names.
fn needed(effect: &Effect) -> Vec<BlobRef> {
    let of = |updates: &[OrderedUpdate]| updates.iter().map(|ordered| ordered.update).collect::<Vec<_>>();
    match effect {
        Effect::Train(order) => order.progress.into_iter().chain([order.base]).collect(),
        Effect::Appraise { base, update, .. } => vec![*base, *update],
        Effect::Attribute(order) => [of(&order.updates), vec![order.base]].concat(),
        Effect::Inspect(order) => [of(&order.updates), vec![order.base, order.previous]].concat(),
        Effect::Aggregate(order) => [of(&order.updates), vec![order.base]].concat(),
        _ => Vec::new(),
    }
}

impl World<'_> {
    pub(super) fn carry_out(&mut self, who: usize, effects: Vec<Effect>) {
        let life = self.nodes[who].life;
        for effect in effects {
            if self.nodes[who].life != life {
                return;
            }
            self.carry(who, effect);
        }
    }

    fn carry(&mut self, who: usize, effect: Effect) {
        match effect {
            Effect::Append(_) | Effect::Commit(_) | Effect::Save(_) => self.write(who, effect),
            Effect::Publish { bytes, .. } => self.publish(who, bytes),
            Effect::Request { to, request } => self.ask(who, &to, request),
            Effect::Reply { reply, answer: Answer::Decisions(from) } => self.reply(who, reply, from),
            Effect::Reply { reply, answer: Answer::Heard } => drop(self.nodes[who].questions.remove(&reply)),
            Effect::Offer { to, offer } => self.offer(who, &to, offer),
            Effect::TrainStep(order) => {
                self.check_blobs(who, &[order.base]);
                self.train_step(who, &order);
            }
            Effect::Mix(order) => {
                let needed: Vec<BlobRef> = order.received.iter().map(|(_, model)| *model).chain([order.own]).collect();
                self.check_blobs(who, &needed);
                self.mix(who, &order);
            }
            Effect::Forget(blobs) => self.forget(who, &blobs),
            Effect::SetTimer(timer, span) => {
                let (life, set) = (self.nodes[who].life, self.nodes[who].set_timer(timer));
                self.queue.put_in(span, Event::Timer { who, life, timer, set });
            }
            Effect::CancelTimer(timer) => {
                self.nodes[who].timers.remove(&timer);
            }
            Effect::Fetch { blob, from } => self.fetch(who, blob, &from),
            Effect::Keep(blobs) => {
                self.nodes[who].store.blobs.retain(|blob| blobs.contains(blob));
                self.nodes[who].seeking.retain(|blob, _| blobs.contains(blob));
            }
            Effect::AskBid(_)
            | Effect::AskMarks(_)
            | Effect::AskCounterOffers(_)
            | Effect::AskReply(_)
            | Effect::Train(_)
            | Effect::Appraise { .. }
            | Effect::Attribute(_)
            | Effect::Inspect(_)
            | Effect::Aggregate(_) => self.order(who, effect),
            Effect::Tell(Told::PhaseEntered { round, phase }) => self.spring_ambush(who, round, phase),
            Effect::Tell(Told::MemberJoined { .. } | Told::MemberLeft { .. } | Told::MemberRemoved { .. }) => {
                self.look_around();
            }
            Effect::Tell(told @ Told::Stepped { .. }) => self.stepped(who, &told),
            Effect::Tell(Told::Misbehaved { member, why }) if self.nodes[who].liar.is_none() => {
                self.witness.see(self.queue.now(), &Sight::Accused { who, member: &member, why: &why });
            }
            // A training that nobody waits for any more ends by itself, and its update is of no use.
            Effect::StopTraining | Effect::Blame { .. } | Effect::Tell(_) => {}
        }
    }

    /// Writes, or dies over it.
    fn write(&mut self, who: usize, effect: Effect) {
        let doom = self.nodes[who].fate();
        if let Some(doom) = doom.filter(|doom| doom.moment == Moment::BeforeWrite) {
            return self.crash(who, Some(doom.down_ms));
        }
        match effect {
            Effect::Append(entry) => self.nodes[who].store.append(entry),
            Effect::Save(bytes) => self.nodes[who].store.step = Some(bytes),
            Effect::Commit(commit) => {
                let now = self.queue.now();
                self.trace.note(now, who, "commit", commit.state.root().as_bytes());
                if self.nodes[who].liar.is_none() {
                    self.witness.see(now, &Sight::Commit { who, commit: &commit });
                }
                self.nodes[who].store.commit(*commit);
            }
            _ => {}
        }
        if let Some(doom) = doom {
            self.crash(who, Some(doom.down_ms));
        }
    }

    fn publish(&mut self, who: usize, bytes: Vec<u8>) {
        let now = self.queue.now();
        self.trace.note(now, who, "publish", &bytes);
        let Ok(message) = Message::decode(&bytes) else {
            return self.witness.complain(
                "what is said can be read",
                now,
                format!("{who} publishes what is no message"),
            );
        };
        let Some(mut liar) = self.nodes[who].liar.take() else {
            let (id, store) = (self.nodes[who].id, &self.nodes[who].store);
            let sight = Sight::Said { who, id, message: &message, store, archive: &self.archive };
            self.witness.see(now, &sight);
            return self.spread(who, Audience::All, bytes.into());
        };
        let state = self.nodes[who].machine.as_ref().map(Machine::state);
        let copies = match state {
            Some(state) => liar.twist(&self.federation, state, message, &mut self.archive),
            None => Vec::new(),
        };
        self.nodes[who].store.blobs.extend(liar.made.iter().copied());
        self.nodes[who].liar = Some(liar);
        for copy in copies {
            let told = copy.encode();
            self.counts.lies += u64::from(told != bytes);
            self.witness.see(now, &Sight::Lie { message: &copy.message });
            self.spread(who, copy.audience, told.into());
        }
    }

    /// Sends `bytes` to those whom a member believes to be connected.
    fn spread(&mut self, who: usize, audience: Audience, bytes: Rc<[u8]>) {
        let peers: Vec<(usize, u64)> = self.nodes[who].peers.iter().map(|(peer, life)| (*peer, *life)).collect();
        for (to, life) in peers.into_iter().filter(|(to, _)| audience.has(*to)) {
            for span in self.link.arrivals(&mut self.rng) {
                self.queue.put_in(span, Event::Gossip { to, life, from: who, bytes: Rc::clone(&bytes) });
            }
        }
    }

    /// Lets an agent act, or the store; its answer comes later, if at all.
    fn order(&mut self, who: usize, effect: Effect) {
        let needed = needed(&effect);
        self.check_blobs(who, &needed);
        if let Some(lost) = self.nodes[who].store.find_rotten(&needed) {
            return self.lose(who, lost, &effect);
        }
        let poison = self.scenario.liars.get(&who).is_some_and(poisons);
        let (agent, archive, workshop) = (&mut self.nodes[who].agent, &mut self.archive, &mut self.workshop);
        let answer: Work = match &effect {
            Effect::AskBid(question) => agent.bid(question),
            Effect::AskMarks(question) => agent.marks(question),
            Effect::AskCounterOffers(question) => agent.counter_offers(question),
            Effect::AskReply(question) => agent.reply(question),
            Effect::Train(order) => agent.train(order, archive, workshop, poison),
            Effect::Appraise { round, maker, base, update, width } => {
                let sound = agent.is_sound(archive, base, update, *width);
                agent.appraise(*round, *maker, sound)
            }
            Effect::Attribute(order) => agent.attribute(order),
            Effect::Inspect(order) => agent.inspect(order, archive),
            Effect::Aggregate(order) => agent.aggregate(order, archive),
            _ => None,
        };
        if let Some((ms, input, stored)) = answer {
            let life = self.nodes[who].life;
            self.queue.put_in_ms(ms, Event::Done { who, life, input, stored });
        }
    }

    /// An order finds that a blob is damaged, and comes to nothing.
    fn lose(&mut self, who: usize, lost: BlobRef, effect: &Effect) {
        let life = self.nodes[who].life;
        let mut come = |input| self.queue.put_in_ms(1, Event::Done { who, life, input, stored: None });
        come(Input::BlobLost(lost));
        // An appraisal is waited for, so this member says that it has nothing to say.
        if let Effect::Attribute(order) = effect {
            come(Input::Attributed { round: order.round, found: Attributed::default() });
        }
    }

    /// No order names a blob that is not here.
    fn check_blobs(&mut self, who: usize, needed: &[BlobRef]) {
        let store = &self.nodes[who].store;
        if let Some(missing) = needed.iter().find(|blob| !store.blobs.contains(blob)) {
            let why = format!("{who} orders work on {missing}, which it does not hold");
            self.witness.complain("orders name what is here", self.queue.now(), why);
        }
    }
}
