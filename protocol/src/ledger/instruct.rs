//! Instructions of account owners: transfers, funds for jobs, and who comes and goes.

use super::{Guest, Job, Ledger, roll::RollError};
use crate::{
    ids::{JobId, MemberId, Round},
    limits::{LEAST_OPENING, MAX_GUESTS, MAX_JOBS},
    statement::{Action, Instruction, JobTerms},
};

/// Why an instruction is not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstructionError {
    /// The account owns nothing and never has.
    #[error("{0} has no account in this federation; have a member send it credits first")]
    NoAccount(MemberId),
    /// The number is used up, or not yet due.
    #[error("the instruction has number {got}, but {account} is at {want}; sign it again with that number")]
    OutOfTurn {
        /// Whose.
        account: MemberId,
        /// The account's next.
        want: u64,
        /// What it says.
        got: u64,
    },
    /// More than there is.
    #[error("{account} owns {balance} micro-credits, and {amount} are asked for; give less, or earn more first")]
    Overdrawn {
        /// Whose.
        account: MemberId,
        /// What it owns.
        balance: u64,
        /// What is asked for.
        amount: u64,
    },
    /// Nothing would move.
    #[error("a transfer of nothing, or to oneself, does nothing; give another amount or receiver")]
    Idle,
    /// A new account takes room for ever.
    #[error("{0} has no account yet: send it at least {LEAST_OPENING} micro-credits, which opens one")]
    TooLittle(MemberId),
    /// The ledger holds as many accounts of this kind as it may.
    #[error("there are {MAX_GUESTS} accounts of non-members already, which is all that a ledger holds")]
    TooManyGuests,
    /// As many jobs are open as may be.
    #[error("{MAX_JOBS} jobs are open already; fund yours when one has ended")]
    TooManyJobs,
    /// Terms that nobody could keep.
    #[error(
        "the job's terms are out of bounds: a round's budget and the rounds must be above 0, the deadline must lie ahead \
         of round {0}, and the accuracy within 0 and 1"
    )]
    Terms(Round),
    /// Nobody comes or goes by it.
    #[error(transparent)]
    Roll(#[from] RollError),
}

/// What an instruction has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Credits have changed hands.
    Transferred,
    /// A job is waiting for its turns.
    Funded(JobId),
    /// The roll of members has changed, or will when the open round is settled.
    Enrolled,
}

impl Ledger {
    /// The number of `account`'s next instruction, and what it owns; nothing if it has no account.
    pub fn standing(&self, account: &MemberId) -> Option<(u64, u64)> {
        let of_member = self.accounts.get(account).map(|account| (account.nonce, account.balance));
        of_member.or_else(|| self.guests.get(account).map(|guest| (guest.nonce, guest.balance)))
    }

    /// Does what `owner` wants, in this round.
    ///
    /// # Errors
    /// [`InstructionError`], and nothing is done.
    pub fn carry_out(
        &mut self,
        owner: &MemberId,
        instruction: &Instruction,
        round: Round,
    ) -> Result<Carried, InstructionError> {
        let nonce = match (self.standing(owner), &instruction.action) {
            (Some((nonce, _)), _) => nonce,
            (None, Action::Join(_)) => 0,
            (None, _) => return Err(InstructionError::NoAccount(*owner)),
        };
        if instruction.nonce != nonce {
            return Err(InstructionError::OutOfTurn { account: *owner, want: nonce, got: instruction.nonce });
        }
        let carried = match &instruction.action {
            Action::Transfer { to, amount } => self.transfer(owner, *to, *amount)?,
            Action::Fund(terms) => self.fund(owner, *terms, round)?,
            Action::Join(application) => self.join(owner, application, round)?,
            Action::Leave => self.leave(owner)?,
            Action::Revoke(invitation) => self.revoke(owner, invitation, round)?,
            Action::Vote(motion) => self.vote(owner, motion, round)?,
        };
        if let Some((nonce, _)) = self.purse_mut(owner) {
            *nonce += 1;
        }
        Ok(carried)
    }

    fn transfer(&mut self, from: &MemberId, to: MemberId, amount: u64) -> Result<Carried, InstructionError> {
        if amount == 0 || to == *from {
            return Err(InstructionError::Idle);
        }
        let opens = self.standing(&to).is_none();
        if opens && amount < LEAST_OPENING {
            return Err(InstructionError::TooLittle(to));
        }
        if opens && self.guests.len() >= MAX_GUESTS {
            return Err(InstructionError::TooManyGuests);
        }
        self.take_from(from, amount)?;
        if opens {
            self.guests.insert(to, Guest::default());
        }
        if let Some((_, balance)) = self.purse_mut(&to) {
            // All credits together fit, since they were minted from one counter.
            *balance = balance.saturating_add(amount);
        }
        Ok(Carried::Transferred)
    }

    fn fund(&mut self, sponsor: &MemberId, terms: JobTerms, round: Round) -> Result<Carried, InstructionError> {
        let escrow = terms.escrow(round).ok_or(InstructionError::Terms(round))?;
        if self.jobs.len() >= MAX_JOBS {
            return Err(InstructionError::TooManyJobs);
        }
        self.take_from(sponsor, escrow)?;
        self.last_job = self.last_job.next();
        self.jobs.insert(self.last_job, Job::new(*sponsor, terms, escrow));
        Ok(Carried::Funded(self.last_job))
    }

    fn take_from(&mut self, account: &MemberId, amount: u64) -> Result<(), InstructionError> {
        let (_, balance) = self.purse_mut(account).ok_or(InstructionError::NoAccount(*account))?;
        let overdrawn = InstructionError::Overdrawn { account: *account, balance: *balance, amount };
        *balance = balance.checked_sub(amount).ok_or(overdrawn)?;
        Ok(())
    }

    /// The instruction counter and the balance of `account`, if it has one.
    pub(super) fn purse_mut(&mut self, account: &MemberId) -> Option<(&mut u64, &mut u64)> {
        match self.accounts.get_mut(account) {
            Some(account) => Some((&mut account.nonce, &mut account.balance)),
            None => self.guests.get_mut(account).map(|guest| (&mut guest.nonce, &mut guest.balance)),
        }
    }
}
