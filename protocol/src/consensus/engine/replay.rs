//! After a crash: becoming again what the log says this member was.

use arc_malachitebft_core_consensus as core;

use super::Engine;
use crate::{
    consensus::{context::Agreement, effect::Effect, error::EngineError, timer::Timer, wal::WalEntry},
    ids::Hash,
};

impl Engine {
    /// Feeds the core what it was fed before. What it said then it says again, with the signatures of then.
    pub(super) fn replay(&mut self, entries: Vec<WalEntry>) -> Result<(), EngineError> {
        let inputs: Vec<core::Input<Agreement>> = entries.into_iter().map(Into::into).collect();
        if let Some(core) = &mut self.core {
            core.index_wal_entries(&inputs);
        }
        for input in inputs {
            self.feed(input)?;
        }
        if let Some(core) = &mut self.core {
            core.reset_entries_index();
        }
        Ok(())
    }

    /// Asks and says again what still matters after a replay. `built` are the bodies that this member built, by round.
    pub(super) fn settle_replay(&mut self, built: &[(u32, Hash)]) -> Result<(), EngineError> {
        // The replay asked for a body in every round that this member ever chaired.
        self.host.effects_mut().retain(|effect| !matches!(effect, Effect::Build { .. }));
        if self.host.own_proposal.is_some() {
            self.host.repeat_proposal();
        } else if let Some((Timer { height, round, .. }, proposer)) = self.awaited()
            && proposer == self.host.id()
        {
            // A body that reached the log is proposed, not another one: every further body for a round costs everybody
            // room, and room is bounded.
            match built.iter().find(|&&(of, _)| of == round) {
                None => self.host.push(Effect::Build { height, round }),
                Some(&(_, body)) => {
                    self.propose(height, round, body)?;
                    self.host.restream();
                }
            }
        }
        Ok(())
    }
}
