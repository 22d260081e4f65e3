//! Members that vote others out: newcomers and liars, so that whoever keeps to the protocol keeps the power to go on.

use super::{queue::Event, world::World};
use crate::{
    crypto::Signed,
    ids::MemberId,
    statement::{Action, Instruction, Motion},
};

impl World<'_> {
    /// Sets the next time that somebody votes.
    pub(super) fn vote_later(&mut self) {
        if self.scenario.votes_every_ms > 0 {
            self.queue.put_in_ms(self.scenario.votes_every_ms, Event::Vote);
        }
    }

    /// Some member is for the removal of another, as it sees the ledger, and says so at its own node.
    pub(super) fn vote(&mut self) {
        self.vote_later();
        let founders = self.scenario.powers.len();
        let is_out = |who: &usize| *who >= founders || self.scenario.liars.contains_key(who);
        let candidates: Vec<MemberId> = (0..self.nodes.len()).filter(is_out).map(|who| self.nodes[who].id).collect();
        let Some(&member) = self.rng.pick(&candidates) else { return };
        let who = self.rng.below(self.nodes.len() as u64) as usize;
        let keypair = self.nodes[who].identity.keypair.clone();
        let now = self.queue.now();
        let Some(machine) = &mut self.nodes[who].machine else { return };
        let Some((nonce, _)) = machine.state().ledger.standing(&keypair.id()) else { return };
        let action = Action::Vote(Motion::Remove(member));
        let signed = Signed::new(&keypair, &self.federation.network, &Instruction { nonce, action });
        match machine.submit(signed, now) {
            Ok((_, effects)) => self.carry_out(who, effects),
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{who}: {error}")),
        }
    }
}
