//! Those who are not in the genesis: they are invited, come in, and now and then leave.

use super::{queue::Event, world::World};
use crate::{
    crypto::{Keypair, Signed},
    ids::{Hash, Round},
    statement::{Action, Application, Instruction, Invitation, Newcomer},
};

/// Between two attempts of everybody who wants to come.
const KNOCK_MS: u64 = 700;

/// In a thousand attempts, those by which one who is in leaves.
const LEAVES: u32 = 60;

impl World<'_> {
    /// Sets the next time that newcomers come or go.
    pub(super) fn knock_later(&mut self) {
        if self.scenario.newcomers > 0 {
            self.queue.put_in_ms(KNOCK_MS, Event::Knock);
        }
    }

    /// Every newcomer that is not in applies to some member, as far as it can reach one.
    pub(super) fn knock(&mut self) {
        self.knock_later();
        for who in self.scenario.powers.len()..self.nodes.len() {
            let door = self.rng.below(self.scenario.powers.len() as u64) as usize;
            let leaves = self.goal.is_none() && self.rng.chance(LEAVES);
            let state = self.nodes[door].state();
            let nonce = state.ledger.standing(&self.nodes[who].id).map_or(0, |(nonce, _)| nonce);
            let action = match state.ledger.accounts.contains_key(&self.nodes[who].id) {
                false => Action::Join(Box::new(self.application(who, door))),
                true if leaves => Action::Leave,
                true => continue,
            };
            let keypair = &self.nodes[who].identity.keypair;
            let signed = Signed::new(keypair, &self.federation.network, &Instruction { nonce, action });
            let now = self.queue.now();
            let Some(machine) = &mut self.nodes[door].machine else { continue };
            match machine.submit(signed, now) {
                Ok((_, effects)) => self.carry_out(door, effects),
                Err(error) => self.witness.complain("a sound machine goes on", now, format!("{door}: {error}")),
            }
        }
    }

    /// What a newcomer says, by an invitation of the member at whose door it stands.
    fn application(&self, who: usize, door: usize) -> Application {
        let network = &self.federation.network;
        let ticket = Keypair::from_secret(Hash::derive("althing 1 simulated ticket", &[&[who as u8, door as u8]]).0);
        let invitation = Invitation { ticket: ticket.id(), uses: u32::MAX, last_round: Round(u64::MAX) };
        let invitation = Signed::new(&self.nodes[door].identity.keypair, network, &invitation);
        let identity = &self.nodes[who].identity;
        let newcomer = Newcomer { name: format!("newcomer-{who}"), anchor: identity.chain.anchor() };
        Application::new(newcomer, identity.keypair.id(), invitation, &ticket, network)
    }
}
