//! What owners of accounts want done, and who wants to come, from the moment somebody submits it until a body says it.

use std::collections::BTreeMap;

use super::{Machine, Result, listen::Verdict};
use crate::{
    crypto::{Signed, StatementError},
    ids::MemberId,
    ledger::InstructionError,
    limits::MAX_INSTRUCTIONS,
    state::State,
    statement::Instruction,
    time::Time,
    wire::Message,
};

/// Instructions that wait, of all accounts together.
const MAX_WAITING: usize = 1_024;

/// Instructions of one account that wait.
const MAX_WAITING_OF_ONE: usize = 16;

/// Why an instruction is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It is forged, or for another federation.
    #[error("{0}; sign it with the account's key, for this network")]
    Statement(#[from] StatementError),
    /// It could not be carried out.
    #[error(transparent)]
    Instruction(#[from] InstructionError),
    /// Another instruction has its number.
    #[error("another instruction with number {0} waits already; wait until it is carried out")]
    Taken(u64),
    /// Too many wait.
    #[error("{MAX_WAITING_OF_ONE} instructions of this account wait already, or {MAX_WAITING} of all; try again later")]
    Full,
    /// There is no ledger.
    #[error("this federation exchanges models without rounds and has no ledger; credits exist in elected ones only")]
    NoLedger,
}

/// An instruction that waits.
#[derive(Debug, Clone)]
struct Waiting {
    signed: Signed<Instruction>,
    what: Instruction,
    /// It was submitted to this member, which repeats it until it is carried out.
    submitted_here: bool,
}

/// Instructions that wait, of each account in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Instructions(BTreeMap<MemberId, Vec<Waiting>>);

impl Instructions {
    /// Takes an instruction that would be carried out after those of its account that wait.
    fn take(&mut self, state: &State, new: Waiting) -> std::result::Result<(), SubmitError> {
        let owner = new.signed.signer;
        // Found out before anything is copied: whoever floods members with instructions sends mostly such.
        let (next, _) = state.ledger.standing(&owner).unwrap_or_default();
        if !(next..next.saturating_add(MAX_WAITING_OF_ONE as u64)).contains(&new.what.nonce) {
            let out_of_turn = InstructionError::OutOfTurn { account: owner, want: next, got: new.what.nonce };
            return Err(out_of_turn.into());
        }
        let waiting = self.0.get(&owner).map_or(&[][..], Vec::as_slice);
        if waiting.iter().any(|known| known.what.nonce == new.what.nonce) {
            return Err(SubmitError::Taken(new.what.nonce));
        }
        if waiting.len() >= MAX_WAITING_OF_ONE || self.0.values().map(Vec::len).sum::<usize>() >= MAX_WAITING {
            return Err(SubmitError::Full);
        }
        let mut after = state.ledger.clone();
        for instruction in waiting.iter().map(|known| &known.what).chain([&new.what]) {
            after.carry_out(&owner, instruction, state.round)?;
        }
        self.0.entry(owner).or_default().push(new);
        Ok(())
    }

    fn contains(&self, signed: &Signed<Instruction>) -> bool {
        self.0.get(&signed.signer).is_some_and(|waiting| waiting.iter().any(|known| known.signed == *signed))
    }

    /// What a body may say: of each account the first that waits, then of each the second and so on, so that nobody who
    /// submits many keeps others waiting.
    pub(super) fn choose(&self, state: &State) -> Vec<Signed<Instruction>> {
        let nth = |n: usize| self.0.values().filter_map(move |waiting| Some((waiting.get(n)?, n)));
        let mut chosen: Vec<_> = (0..MAX_WAITING_OF_ONE).flat_map(nth).take(MAX_INSTRUCTIONS).collect();
        chosen.sort_by_key(|(waiting, n)| (waiting.signed.signer, *n));
        let mut after = state.ledger.clone();
        // What cannot be paid before another account's credits come waits for the next body.
        chosen.retain(|(waiting, _)| after.carry_out(&waiting.signed.signer, &waiting.what, state.round).is_ok());
        chosen.into_iter().map(|(waiting, _)| waiting.signed.clone()).collect()
    }

    /// Forgets what was carried out, and what can no longer be.
    pub(super) fn prune(&mut self, state: &State) {
        self.0.retain(|owner, waiting| {
            let mut after = state.ledger.clone();
            waiting.retain(|known| after.carry_out(owner, &known.what, state.round).is_ok());
            !waiting.is_empty()
        });
    }

    /// Those that were submitted to this member.
    pub(super) fn submitted_here(&self) -> impl Iterator<Item = Signed<Instruction>> {
        self.0.values().flatten().filter(|waiting| waiting.submitted_here).map(|waiting| waiting.signed.clone())
    }
}

impl Machine {
    /// R35: takes an instruction from its owner and tells everybody, until a body says it.
    ///
    /// It is not made durable here: an owner that does not see it carried out submits it again, which does no harm.
    ///
    /// # Errors
    /// [`MachineError`](super::MachineError), which ends the process. Within it, [`SubmitError`] when it is not taken.
    pub fn submit(
        &mut self,
        signed: Signed<Instruction>,
        now: Time,
    ) -> Result<(std::result::Result<(), SubmitError>, Vec<super::Effect>)> {
        self.now = self.now.max(now);
        let taken = self.take_submitted(signed);
        Ok((taken, std::mem::take(&mut self.effects)))
    }

    fn take_submitted(&mut self, signed: Signed<Instruction>) -> std::result::Result<(), SubmitError> {
        if self.is_epidemic() {
            return Err(SubmitError::NoLedger);
        }
        if self.instructions.contains(&signed) {
            return Ok(());
        }
        let what = self.open_instruction(&signed)?;
        let message = Message::Instruction(signed.clone());
        self.instructions.take(&self.state, Waiting { signed, what, submitted_here: true })?;
        self.publish(&message);
        Ok(())
    }

    /// R35: keeps an instruction for the body that this member may build.
    pub(super) fn hear_instruction(&mut self, signed: Signed<Instruction>) -> Verdict {
        if self.instructions.contains(&signed) {
            return Verdict::Ignore;
        }
        let Ok(what) = self.open_instruction(&signed) else { return Verdict::Reject };
        // What cannot be carried out here may be elsewhere: members are not at one height all the time.
        match self.instructions.take(&self.state, Waiting { signed, what, submitted_here: false }) {
            Ok(()) => Verdict::Accept,
            Err(_) => Verdict::Ignore,
        }
    }

    /// What is instructed, with every signature in it verified.
    fn open_instruction(&self, signed: &Signed<Instruction>) -> std::result::Result<Instruction, StatementError> {
        let what = signed.open(&self.federation.network)?;
        what.verify(&self.federation.network)?;
        Ok(what)
    }
}
