//! Who lives and who is connected: everything that goes wrong, and how members find out.

use super::{
    fault::Fault,
    node::Doom,
    property::Sight,
    queue::Event,
    world::{Ambush, World},
};
use crate::{
    event::Phase,
    ids::Round,
    machine::{Input, Machine},
    time::Time,
};

/// A member notices that another is there within so many milliseconds, ...
const ARRIVAL_MS: u64 = 100;

/// ... and that it is gone within so many.
const LOSS_MS: u64 = 400;

impl World<'_> {
    pub(super) fn go_wrong(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash { member, down_ms } => self.crash(*member, *down_ms),
            Fault::CrashAtWrite { member, writes, moment, down_ms } => {
                self.nodes[*member].doom = Some(Doom { writes: *writes, moment: *moment, down_ms: *down_ms });
            }
            Fault::CrashOfChair { round, phase, down_ms } => {
                self.ambushes.push(Ambush { round: *round, phase: *phase, down_ms: *down_ms });
            }
            Fault::Blackout { down_ms } => {
                for who in 0..self.nodes.len() {
                    let down_ms = down_ms + self.rng.below(500);
                    self.crash(who, Some(down_ms));
                }
            }
            Fault::Copy { member } => {
                let node = &mut self.nodes[*member];
                node.copy = Some(node.store.clone());
            }
            Fault::Restore { member, down_ms, voice } => {
                self.crash(*member, Some(*down_ms));
                let node = &mut self.nodes[*member];
                if let Some(copy) = node.copy.clone() {
                    let head = copy.head();
                    node.store = copy.restored(*voice);
                    self.witness.see(self.queue.now(), &Sight::Restored { who: *member, head });
                }
            }
            Fault::Rot { member } => self.nodes[*member].store.rot(),
            Fault::Partition { sides } => {
                self.network.part(sides);
                self.look_around();
            }
            Fault::Heal => {
                self.network.heal();
                self.look_around();
            }
        }
    }

    /// The faults cease; from now on every round must end.
    pub(super) fn calm(&mut self) {
        self.link = self.link.calm();
        self.network.heal();
        self.look_around();
        for node in &mut self.nodes {
            node.doom = None;
        }
        let farthest = (0..self.nodes.len()).map(|who| self.reached(who)).max().unwrap_or_default();
        let until = Time(self.queue.now().0 + self.scenario.patience_ms);
        self.goal = Some((until, farthest + self.scenario.rounds));
    }

    /// Ends the life of `who`, for so long.
    pub(super) fn crash(&mut self, who: usize, down_ms: Option<u64>) {
        if self.nodes[who].machine.is_none() {
            return;
        }
        self.counts.crashes += 1;
        self.trace.note(self.queue.now(), who, "crash", &[]);
        self.nodes[who].die();
        self.look_around();
        if let Some(down_ms) = down_ms {
            // Whoever starts again has done so before the faults cease, so that all of them count as faults.
            let at = Time(self.queue.now().0 + down_ms).min(self.scenario.calm_at);
            self.queue.put(at, Event::Restart { who });
        }
    }

    pub(super) fn start(&mut self, who: usize) {
        let node = &mut self.nodes[who];
        if node.machine.is_some() {
            return;
        }
        node.life += 1;
        self.trace.note(self.queue.now(), who, "start", &[]);
        let durable = node.store.durable();
        match Machine::recover(self.federation.clone(), node.identity.clone(), durable, self.queue.now()) {
            Ok((mut machine, mut effects)) => {
                effects.extend(machine.when_halted(self.scenario.when_halted));
                node.machine = Some(machine);
                self.look_around();
                self.carry_out(who, effects);
            }
            Err(error) => self.witness.complain("a sound machine goes on", self.queue.now(), format!("{who}: {error}")),
        }
    }

    /// Whether what `a` sends can reach `b` now.
    pub(super) fn joined(&self, a: usize, b: usize) -> bool {
        let alive = self.nodes[a].machine.is_some() && self.nodes[b].machine.is_some();
        a != b && self.network.joins(a, b) && alive && self.admits(a, b) && self.admits(b, a)
    }

    /// Whether `a` lets `b` connect, as far as it has come: members, and whoever has an account and may follow.
    fn admits(&self, a: usize, b: usize) -> bool {
        self.nodes[a].state().ledger.standing(&self.nodes[b].id).is_some()
    }

    /// Lets everybody find out, sooner or later, whom it is connected to.
    pub(super) fn look_around(&mut self) {
        for who in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if self.nodes[who].machine.is_some() && who != peer {
                    let most = if self.joined(who, peer) { ARRIVAL_MS } else { LOSS_MS };
                    let span = self.rng.within(1, most);
                    self.queue.put_in_ms(span, Event::Look { who, peer });
                }
            }
        }
    }

    pub(super) fn look(&mut self, who: usize, peer: usize) {
        let there = self.joined(who, peer).then(|| self.nodes[peer].life);
        let known = self.nodes[who].peers.get(&peer).copied();
        if self.nodes[who].machine.is_none() || there == known {
            return;
        }
        let (id, life) = (self.nodes[peer].id, self.nodes[who].life);
        if known.is_some() {
            self.nodes[who].peers.remove(&peer);
            self.forget_question(who, peer);
            self.step(who, Input::PeerDown(id));
        }
        if let Some(peer_life) = there.filter(|_| self.nodes[who].life == life) {
            self.nodes[who].peers.insert(peer, peer_life);
            self.step(who, Input::PeerUp(id));
        }
    }

    /// Lets the chair die if somebody waits for it here.
    pub(super) fn spring_ambush(&mut self, who: usize, round: Round, phase: Phase) {
        let is_chair = self.nodes[who].machine.as_ref().is_some_and(|machine| machine.chair() == self.nodes[who].id);
        let waits = |ambush: &Ambush| ambush.round == round && ambush.phase == phase;
        if let Some(place) = self.ambushes.iter().position(waits).filter(|_| is_chair) {
            let ambush = self.ambushes.remove(place);
            self.crash(who, ambush.down_ms);
        }
    }
}
