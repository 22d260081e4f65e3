//! Messages arrive: those of members, and forgeries.

use std::rc::Rc;

use super::{
    property::Sight,
    queue::{Event, Life},
    world::World,
};
use crate::{ids::MemberId, machine::Verdict};

/// A spammer speaks up so often, in milliseconds.
pub(super) const SPAM_MS: u64 = 300;

impl World<'_> {
    /// What was sent before its sender died arrives all the same.
    pub(super) fn hear(&mut self, to: usize, life: Life, from: usize, bytes: &Rc<[u8]>) {
        let now = self.queue.now();
        if self.nodes[to].life != life || !self.network.joins(from, to) {
            return;
        }
        let author = self.nodes[from].id;
        let Some(machine) = &mut self.nodes[to].machine else { return };
        self.counts.messages += 1;
        self.trace.note(now, to, "hear", bytes);
        match machine.receive(author, author, bytes, now) {
            Ok((verdict, effects)) => {
                if self.scenario.liars.is_empty() && verdict == Verdict::Reject {
                    self.witness.complain("nobody honest is refused", now, format!("{to} refuses what {from} says"));
                }
                self.carry_out(to, effects);
            }
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{to}: {error}")),
        }
    }

    pub(super) fn hear_forgery(&mut self, to: usize, life: Life, from: usize, author: MemberId, bytes: &Rc<[u8]>) {
        let now = self.queue.now();
        if self.nodes[to].life != life || !self.joined(from, to) {
            return;
        }
        let via = self.nodes[from].id;
        let Some(machine) = &mut self.nodes[to].machine else { return };
        self.counts.forgeries += 1;
        self.trace.note(now, to, "forgery", bytes);
        match machine.receive(author, via, bytes, now) {
            Ok((verdict, effects)) => self.witness.see(now, &Sight::Forgery { who: to, verdict, effects: &effects }),
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{to}: {error}")),
        }
    }

    pub(super) fn spam(&mut self, who: usize) {
        self.queue.put_in_ms(SPAM_MS, Event::Spam { who });
        let Some(machine) = &self.nodes[who].machine else { return };
        let (author, bytes) = self.forger.forge(machine.state(), &self.nodes[who].identity.keypair);
        let bytes: Rc<[u8]> = bytes.into();
        for to in 0..self.nodes.len() {
            if self.joined(who, to) {
                let life = self.nodes[to].life;
                self.queue.put_in_ms(1, Event::Forgery { to, life, from: who, author, bytes: Rc::clone(&bytes) });
            }
        }
    }
}
