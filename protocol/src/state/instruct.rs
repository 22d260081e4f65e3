//! Instructions in a Plan: which may stand there, and what a job asks of updates.

use super::{Federation, Invalid, State};
use crate::{
    crypto::Signed,
    ids::MemberId,
    ledger::{Carried, InstructionError},
    limits::MAX_INSTRUCTIONS,
    statement::{Instruction, UpdateOffer},
};

impl State {
    /// Carries out what owners of accounts have signed, in the order of accounts and numbers.
    pub(super) fn carry_out(
        &mut self,
        federation: &Federation,
        instructions: &[Signed<Instruction>],
    ) -> Result<Vec<(MemberId, Instruction, Carried)>, Invalid> {
        if instructions.len() > MAX_INSTRUCTIONS {
            return Err(Invalid::TooMany("instructions"));
        }
        // Numbers of one account follow each other, or the second is out of turn.
        if !instructions.is_sorted_by_key(|signed| signed.signer) {
            return Err(Invalid::Unsorted("instructions"));
        }
        let carry_out = |signed: &Signed<Instruction>| {
            let instruction = signed.open(&federation.network)?;
            instruction.verify(&federation.network)?;
            let carried = self.ledger.carry_out(&signed.signer, &instruction, self.round)?;
            Ok((signed.signer, instruction, carried))
        };
        instructions.iter().map(carry_out).collect()
    }

    /// What would become of `instruction` in the open round.
    ///
    /// # Errors
    /// [`InstructionError`] says why it would not be carried out.
    pub fn would_carry_out(&self, owner: &MemberId, instruction: &Instruction) -> Result<Carried, InstructionError> {
        self.ledger.clone().carry_out(owner, instruction, self.round)
    }

    /// Whether whoever pays for the open round accepts so noisy an update.
    pub(crate) fn is_clear_enough(&self, offer: &UpdateOffer) -> bool {
        self.ledger.open_job().is_none_or(|job| job.terms.accepts_epsilon(offer.epsilon_micro))
    }
}
