//! Saying again what may have been lost: this member's statements of the open round, and where it stands.

use std::time::Duration;

use super::{Effect, Machine, Timer};
use crate::{state::Stage, wire::Message};

/// How soon a newcomer is told what the others know.
const SOON: Duration = Duration::from_millis(100);

impl Machine {
    /// R23: repeats now and sets the next time.
    pub(super) fn repeat(&mut self) {
        if !self.is_silent() {
            for message in self.own_statements() {
                self.publish(&message);
            }
        }
        self.publish(&Message::Tip(self.state.height));
        self.fetch_what_is_missing();
        self.ask_for_decisions();
        let members = self.state.ledger.accounts.len();
        let pause = Duration::from_millis(self.federation.genesis.agreement.repeat_ms(members));
        self.repeat_at = self.now + pause;
        self.effects.push(Effect::SetTimer(Timer::Repeat, pause));
    }

    /// Repeats soon: somebody has come, or has fallen behind.
    pub(super) fn repeat_soon(&mut self) {
        if self.repeat_at > self.now + SOON {
            self.repeat_at = self.now + SOON;
            self.effects.push(Effect::SetTimer(Timer::Repeat, SOON));
        }
    }

    /// What this member has said, and others may still need.
    fn own_statements(&self) -> Vec<Message> {
        let (pool, me) = (&self.pool, &self.me);
        let said = match self.state.stage {
            Stage::Planning => [
                pool.commits.get(me).map(|said| Message::Commit(said.signed.clone())),
                pool.marks.get(me).map(|said| Message::Marks(said.signed.clone())),
                pool.reveals.get(me).map(|said| Message::Reveal(said.signed.clone())),
                pool.counter_offers.get(me).map(|said| Message::CounterOffers(said.signed.clone())),
                pool.replies.get(me).map(|said| Message::CounterReply(said.signed.clone())),
            ],
            Stage::Settling(_) => [
                pool.updates.get(me).map(|said| Message::Update(said.signed.clone())),
                pool.withdrawals.get(me).map(|said| Message::Withdrawal(said.signed.clone())),
                pool.appraisals.get(me).map(|said| Message::Appraisal(said.signed.clone())),
                None,
                None,
            ],
        };
        let instructions = self.instructions.submitted_here().map(Message::Instruction);
        said.into_iter().flatten().chain(instructions).collect()
    }
}
