//! Owners of accounts, who give credits away and pay for learning.

use super::{queue::Event, rng::Rng, scenario::Scenario, world::World};
use crate::{
    crypto::{Keypair, Signed},
    ids::{MemberId, Round},
    statement::{Action, HeldOut, Instruction, JobTerms},
};

impl World<'_> {
    /// Sets the next time that somebody wants something done.
    pub(super) fn instruct_later(&mut self) {
        if self.scenario.instructs_every_ms > 0 {
            self.queue.put_in_ms(self.scenario.instructs_every_ms, Event::Instruct);
        }
    }

    /// Some owner signs an instruction, by what some member knows of its account, and submits it there.
    pub(super) fn instruct(&mut self) {
        self.instruct_later();
        let who = self.rng.below(self.nodes.len() as u64) as usize;
        let owner = self.owner();
        let now = self.queue.now();
        let Some(machine) = &mut self.nodes[who].machine else { return };
        let state = machine.state();
        let Some((nonce, balance)) = state.ledger.standing(&owner.id()) else { return };
        let action = draw(&mut self.rng, &self.places.keys().copied().collect::<Vec<_>>(), balance, state.round);
        let signed = Signed::new(&owner, &self.federation.network, &Instruction { nonce, action });
        match machine.submit(signed, now) {
            Ok((_, effects)) => self.carry_out(who, effects),
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{who}: {error}")),
        }
    }

    /// The sponsor as often as all members together.
    fn owner(&mut self) -> Keypair {
        let place = self.rng.below(2 * self.nodes.len() as u64) as usize;
        self.nodes.get(place).map_or_else(Scenario::sponsor, |node| node.identity.keypair.clone())
    }
}

/// Mostly what can be paid.
fn draw(rng: &mut Rng, members: &[MemberId], balance: u64, round: Round) -> Action {
    if rng.chance(700) {
        let stranger = MemberId([rng.below(4) as u8; 32]);
        let to = if rng.chance(200) { stranger } else { rng.pick(members).copied().unwrap_or(stranger) };
        return Action::Transfer { to, amount: rng.within(0, balance + balance / 8) };
    }
    let rounds = rng.within(1, 4) as u32;
    Action::Fund(JobTerms {
        budget_per_round: rng.within(0, 2 * balance / u64::from(rounds)).min(2_000_000),
        rounds,
        deadline: Round(round.0 + rng.within(0, 8)),
        target_accuracy_ppm: rng.chance(500).then(|| rng.within(1, HeldOut::WHOLE.into()) as u32),
        min_epsilon_micro: 0,
    })
}
