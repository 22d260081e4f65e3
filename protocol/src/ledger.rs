//! Credits and reputation: integers that only decided bodies move.
//!
//! Every credit is in exactly one place: the pool, the escrow of the open round or of a job, or an account. The sum is what
//! was minted less what was burned, and [`Ledger::check`] counts it again after every body.

mod absence;
mod instruct;
mod job;
mod motion;
mod roll;
mod standing;
mod turn;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::Credits,
    genesis::{Genesis, Grant},
    ids::{Hash, Height, JobId, MemberId, Round},
    limits::CHAIN_TURNS,
};

pub use self::{
    instruct::{Carried, InstructionError},
    job::{End, EndedJob, Job, Settled, Work},
    motion::Ballot,
    roll::{Exit, Roll, Ticket},
    turn::{Turn, Turnover},
};

/// Reputation of a newcomer.
const REPUTATION_AT_START: u32 = 500;

/// Highest reputation.
const REPUTATION_MOST: u32 = 1_000;

/// A success closes this part of what is missing to the highest reputation.
const RISE: u32 = 16;

/// A failure leaves this part of the reputation.
const FALL: u32 = 2;

/// Reputation counts towards election at most this many times the median, so that nobody chairs for ever.
const WEIGHT_CAP: u64 = 3;

/// What the ledger knows of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Owned, in micro-credits.
    pub balance: u64,
    /// Instructions of its owner that were carried out.
    pub nonce: u64,
    /// From 0 to 1,000: falls fast, rises slowly.
    pub reputation: u32,
    /// From 0 to 1,000: how much its appraisals count; falls fast, rises slowly.
    pub credibility: u32,
    /// Voting power; 0 for a member that has joined and not delivered yet, or was away too long.
    pub power: u64,
    /// Voting power that it has again once it is seen: it was away too long.
    pub suspended: u64,
    /// The last round in which a body shows that it was there; 0 for none.
    pub seen_in: Round,
    /// Rounds in a row in which others delivered and it was not seen, while it had a vote.
    pub absent: u32,
    /// Where its hash chain stands.
    pub tip: Hash,
    /// Preimages that its hash chain has left.
    pub turns_left: u32,
    /// Times it was hired.
    pub hired: u64,
    /// Times it delivered.
    pub delivered: u64,
    /// Shares of the rounds' bonuses that it ever earned, in micro-credits.
    pub bonus: u64,
    /// The round in which it was last hired; 0 for never.
    pub hired_in: Round,
    /// Bids in a row that it has lost although the fairness floor would have paid their price.
    pub losses: u32,
    /// The latest height at which it was convicted of equivocation; earlier evidence is spent.
    pub convicted_at: Height,
}

impl Account {
    /// A newcomer's, without credits.
    ///
    /// `power` is its voting power, `anchor` the public end of its hash chain.
    pub const fn new(power: u64, anchor: Hash) -> Self {
        Self {
            balance: 0,
            nonce: 0,
            reputation: REPUTATION_AT_START,
            credibility: standing::CREDIBILITY_AT_START,
            power,
            suspended: 0,
            seen_in: Round(0),
            absent: 0,
            tip: anchor,
            turns_left: CHAIN_TURNS,
            hired: 0,
            delivered: 0,
            bonus: 0,
            hired_in: Round(0),
            losses: 0,
            convicted_at: Height(0),
        }
    }

    /// Whether it votes, or will again once it is seen.
    const fn has_seat(&self) -> bool {
        self.power > 0 || self.suspended > 0
    }

    /// By how many losses the member is overdue, if it is: if it has lost `patience` bids in a row, and more by as much
    /// as it has been hired oftener than it has delivered.
    ///
    /// Between Settle and Plan only, when it is not hired.
    pub fn overdue(&self, patience: u64) -> Option<u64> {
        let (hired, delivered) = (u128::from(self.hired) + 1, u128::from(self.delivered) + 1);
        let floor = (u128::from(patience) * hired).div_ceil(delivered);
        u128::from(self.losses).checked_sub(floor).and_then(|over| over.try_into().ok())
    }
}

/// The account of somebody who is no member: a sponsor, or whoever was sent credits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Owned, in micro-credits.
    pub balance: u64,
    /// Instructions of its owner that were carried out.
    pub nonce: u64,
}

/// What the open round holds back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    /// For each winner's delivery.
    pub awards: BTreeMap<MemberId, u64>,
    /// What winners have put down for it, from their own accounts.
    pub deposits: BTreeMap<MemberId, u64>,
    /// For contribution.
    pub bonus: u64,
}

impl Escrow {
    fn total(&self) -> u128 {
        let held = self.awards.values().chain(self.deposits.values()).chain([&self.bonus]);
        held.map(|&amount| u128::from(amount)).sum()
    }
}

/// All credits and all reputation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Ever minted, in micro-credits.
    pub minted: u64,
    /// Ever burned, in micro-credits.
    pub burned: u64,
    /// Not yet given to anybody, in micro-credits.
    pub pool: u64,
    /// Held back for the open round.
    pub escrow: Escrow,
    /// Every member's account.
    pub accounts: BTreeMap<MemberId, Account>,
    /// Accounts of others. They stay when they are empty: their counters keep old instructions from coming back.
    pub guests: BTreeMap<MemberId, Guest>,
    /// Who comes and goes.
    pub roll: Roll,
    /// Jobs that sponsors pay for.
    pub jobs: BTreeMap<JobId, Job>,
    /// Jobs that the last Settle has ended.
    pub ended: Vec<EndedJob>,
    /// The job that pays for the open round, if one does.
    pub open_job: Option<JobId>,
    /// The last job that had a turn before it; 0 for none.
    pub last_turn: JobId,
    /// The last job that was funded; 0 for none.
    pub last_job: JobId,
}

/// A movement that the ledger refuses. No valid body asks for one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// More than there is, or more than a counter holds.
    #[error("{0} does not hold that much")]
    Overdrawn(&'static str),
    /// Not a member.
    #[error("{0} has no account")]
    Unknown(MemberId),
    /// Credits have appeared or vanished.
    #[error("supply is not conserved: {minted} minted, {burned} burned, but {held} held")]
    Unbalanced {
        /// Ever minted.
        minted: u64,
        /// Ever burned.
        burned: u64,
        /// Found in pool, escrow, jobs and accounts.
        held: u128,
    },
}

impl Ledger {
    /// The ledger before the first round: accounts without credits.
    pub fn new(genesis: &Genesis) -> Self {
        let mut ledger =
            Self::of(genesis.members.iter().map(|member| (member.id, Account::new(member.power, member.anchor))));
        genesis.grants.iter().for_each(|grant| ledger.grant(grant));
        ledger.roll = Roll::new(genesis);
        ledger
    }

    /// A ledger of these accounts, which own nothing yet.
    pub fn of(accounts: impl IntoIterator<Item = (MemberId, Account)>) -> Self {
        Self {
            minted: 0,
            burned: 0,
            pool: 0,
            escrow: Escrow::default(),
            accounts: accounts.into_iter().collect(),
            guests: BTreeMap::new(),
            roll: Roll::default(),
            jobs: BTreeMap::new(),
            ended: Vec::new(),
            open_job: None,
            last_turn: JobId(0),
            last_job: JobId(0),
        }
    }

    /// Mints what the genesis gives. A validated genesis names each account once, and amounts whose sum fits.
    fn grant(&mut self, grant: &Grant) {
        if !self.accounts.contains_key(&grant.account) {
            self.guests.insert(grant.account, Guest::default());
        }
        if let Some((_, balance)) = self.purse_mut(&grant.account) {
            *balance = balance.saturating_add(grant.amount);
            self.minted = self.minted.saturating_add(grant.amount);
        }
    }

    /// Mints `amount` into the pool.
    pub(crate) fn mint(&mut self, amount: u64) -> Result<(), LedgerError> {
        self.minted = add(self.minted, amount, "the mint")?;
        self.pool = add(self.pool, amount, "the pool")?;
        Ok(())
    }

    /// Moves a round's bonus into escrow, from the pool or from the job that pays for the round.
    pub(crate) fn hold(&mut self, bonus: u64) -> Result<(), LedgerError> {
        self.draw(bonus)?;
        self.escrow.bonus = add(self.escrow.bonus, bonus, "the bonus")?;
        Ok(())
    }

    /// Moves into escrow what delivery pays `member`, from the pool or from the job that pays for the round, and its
    /// deposit, from its own account as far as that reaches: a newcomer that has nothing yet can be hired too.
    pub(crate) fn hold_award(&mut self, member: &MemberId, payment: u64, deposit: u64) -> Result<(), LedgerError> {
        self.draw(payment)?;
        let account = self.account_mut(member)?;
        let deposit = deposit.min(account.balance);
        account.balance = take(account.balance, deposit, "the account")?;
        self.escrow.awards.insert(*member, payment);
        if deposit > 0 {
            self.escrow.deposits.insert(*member, deposit);
        }
        Ok(())
    }

    /// Pays `member` what is in escrow for its delivery, and gives its deposit back. The payment is returned.
    pub(crate) fn pay_award(&mut self, member: &MemberId) -> Result<u64, LedgerError> {
        let amount = self.escrow.awards.remove(member).unwrap_or(0);
        self.credit(member, amount)?;
        self.note_work(member, 1, amount);
        let deposit = self.escrow.deposits.remove(member).unwrap_or(0);
        self.credit(member, deposit)?;
        Ok(amount)
    }

    /// Pays `member` a part of the bonus in escrow.
    pub(crate) fn pay_bonus(&mut self, member: &MemberId, amount: u64) -> Result<(), LedgerError> {
        self.escrow.bonus = take(self.escrow.bonus, amount, "the bonus")?;
        let account = self.account_mut(member)?;
        account.bonus = add(account.bonus, amount, "the account")?;
        self.note_work(member, 0, amount);
        self.credit(member, amount)
    }

    /// Returns what is left in escrow to whoever pays for the round, and forfeited deposits to the pool.
    pub(crate) fn release(&mut self) -> Result<(), LedgerError> {
        let forfeited = self.escrow.deposits.values().map(|&amount| u128::from(amount)).sum();
        let left = self.escrow.total() - forfeited;
        let fits = |amount: u128| u64::try_from(amount).map_err(|_| LedgerError::Overdrawn("the pool"));
        let (left, forfeited) = (fits(left)?, fits(forfeited)?);
        self.escrow = Escrow::default();
        self.pool = add(self.pool, forfeited, "the pool")?;
        self.give_back(left)
    }

    /// Burns a part of `member`'s balance, in thousandths, and all of its reputation.
    ///
    /// # Errors
    /// [`LedgerError`] when it has no account.
    pub fn slash(&mut self, member: &MemberId, permille: u32, at: Height) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        let part = u128::from(account.balance) * u128::from(permille.min(1_000)) / 1_000;
        let part = u64::try_from(part).map_err(|_| LedgerError::Overdrawn("the account"))?;
        account.balance = take(account.balance, part, "the account")?;
        account.reputation = 0;
        account.convicted_at = at;
        self.burned = add(self.burned, part, "the burn")?;
        Ok(())
    }

    /// `member` is hired for `round`.
    pub(crate) fn hire(&mut self, member: &MemberId, round: Round) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.hired += 1;
        account.hired_in = round;
        account.losses = 0;
        Ok(())
    }

    /// `member` has lost, at a price that the fairness floor would have paid.
    pub(crate) fn lose(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.losses = account.losses.saturating_add(1);
        Ok(())
    }

    /// `member` has asked more than the fairness floor pays, so what it lost before counts no more.
    pub(crate) fn forget_losses(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        self.account_mut(member)?.losses = 0;
        Ok(())
    }

    /// `member` has delivered what it was hired for.
    pub(crate) fn deliver(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        self.account_mut(member)?.delivered += 1;
        Ok(())
    }

    /// `member` has done what it promised.
    pub(crate) fn commend(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.reputation += (REPUTATION_MOST - account.reputation.min(REPUTATION_MOST)).div_ceil(RISE);
        Ok(())
    }

    /// `member` has failed to do what it promised.
    pub(crate) fn reprove(&mut self, member: &MemberId) -> Result<(), LedgerError> {
        self.account_mut(member)?.reputation /= FALL;
        Ok(())
    }

    /// Takes note that `member` has revealed `preimage` of its hash chain.
    pub(crate) fn turn(&mut self, member: &MemberId, preimage: Hash) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.tip = preimage;
        account.turns_left = account.turns_left.saturating_sub(1);
        Ok(())
    }

    /// How much each member counts in elections: its reputation, at least 1 and at most three times the median, times its
    /// voting power. Whoever splits its power among many members gains nothing by it.
    pub fn election_weights(&self) -> impl Iterator<Item = (MemberId, u64)> + '_ {
        let mut all: Vec<u64> = self.accounts.values().map(|account| u64::from(account.reputation)).collect();
        all.sort_unstable();
        let median = all.get(all.len() / 2).copied().unwrap_or(0).max(1);
        self.accounts.iter().map(move |(id, account)| {
            let reputation = u64::from(account.reputation).clamp(1, median * WEIGHT_CAP);
            (*id, reputation.saturating_mul(account.power))
        })
    }

    /// Counts every credit.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] when `minted - burned` is not what is held.
    pub fn check(&self) -> Result<(), LedgerError> {
        let of_members = self.accounts.values().map(|account| account.balance);
        let of_others = self.guests.values().map(|guest| guest.balance);
        let of_jobs = self.jobs.values().map(|job| job.left);
        let owned: u128 = of_members.chain(of_others).chain(of_jobs).map(u128::from).sum();
        let held = owned + u128::from(self.pool) + self.escrow.total();
        if u128::from(self.minted) == held + u128::from(self.burned) {
            return Ok(());
        }
        Err(LedgerError::Unbalanced { minted: self.minted, burned: self.burned, held })
    }

    /// The credits, as people look at them.
    pub fn credits(&self) -> Credits {
        Credits {
            minted: self.minted,
            burned: self.burned,
            pool: self.pool,
            escrow: u64::try_from(self.escrow.total()).unwrap_or(u64::MAX),
            jobs: self.jobs.values().map(|job| job.left).fold(0, u64::saturating_add),
            balances: self.accounts.iter().map(|(id, account)| (*id, account.balance)).collect(),
            guests: self.guests.iter().map(|(id, guest)| (*id, guest.balance)).collect(),
        }
    }

    fn credit(&mut self, member: &MemberId, amount: u64) -> Result<(), LedgerError> {
        let account = self.account_mut(member)?;
        account.balance = add(account.balance, amount, "the account")?;
        Ok(())
    }

    fn account_mut(&mut self, member: &MemberId) -> Result<&mut Account, LedgerError> {
        self.accounts.get_mut(member).ok_or(LedgerError::Unknown(*member))
    }
}

fn add(to: u64, amount: u64, whose: &'static str) -> Result<u64, LedgerError> {
    to.checked_add(amount).ok_or(LedgerError::Overdrawn(whose))
}

fn take(from: u64, amount: u64, whose: &'static str) -> Result<u64, LedgerError> {
    from.checked_sub(amount).ok_or(LedgerError::Overdrawn(whose))
}

#[cfg(test)]
mod tests;
