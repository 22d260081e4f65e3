//! A member's privacy account: the filter over its budget, kept in its store, for one data set and the member's life.
//!
//! Noise that was drawn cannot be taken back, so an account is never begun anew by accident. It is bound to a
//! fingerprint of the member's examples; a file beside the key, the [`witness`], remembers that there is one; and an
//! account that is lost, damaged, of another data set or too small for the configuration ends the start of the node with
//! what to do about it.
//!
//! For each training the order is: [`Account::pay`], which is one durable transaction, then noise, then the update's
//! blob, then [`remember_made`], and only then is the update offered. After a crash anywhere in between, the same ticket
//! is [`Payment::Before`]: the update that was remembered, or none.

mod record;
mod witness;

use std::{path::PathBuf, sync::Arc};

use althing_agents::privacy::{
    Budget, BudgetError, Debit, Debited, Filter, LimitError, PlanError, Refused, RestoreError, Spend, Ticket,
};
use althing_protocol::{
    event,
    ids::{Hash, NetworkId},
    machine::Made,
};

use self::record::Header;
pub use self::{
    record::RecordError,
    witness::{Witness, WitnessError},
};
use crate::store::{Store, StoreError};

/// Millionths in one unit of epsilon.
const MICRO: f64 = 1e6;

/// Millionths of millionths in one unit of delta.
const PICO: f64 = 1e12;

/// Keys in the store's table for privacy.
mod keys {
    /// The account.
    pub(super) const ACCOUNT: &str = "account";
    /// The last update that was made under it.
    pub(super) const MADE: &str = "made";
}

/// Why there is no account to train under.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There was one.
    #[error(
        "this member had a privacy account over these examples ({witness} remembers it), and the store {store} holds none: \
         bring that store itself, since a fresh account forgets what is spent, and so does a copy, whatever was spent after it; \
         if it is lost for good, `althing privacy close` lets a fresh one begin on purpose"
    )]
    Lost {
        /// The file that remembers it.
        witness: PathBuf,
        /// The store without it.
        store: PathBuf,
    },
    /// It is about other examples.
    #[error(
        "the privacy account is about other examples than data.path, data.partition and data.part give now ({was}, not {is}): \
         put those back; to go on with the examples as they are now and all that is spent, run `althing privacy rebind`"
    )]
    OtherData {
        /// Fingerprint in the account.
        was: String,
        /// Fingerprint of the data.
        is: String,
    },
    /// There is one, and the node is not to use it.
    #[error(
        "this member has a privacy account and the configuration has no [privacy]: training without noise would tell what \
         the noise was to hide; put [privacy] back, or give the account up on purpose with `althing privacy close`"
    )]
    Unused,
    /// Nothing tells these examples from others.
    #[error(
        "this program's model gives its examples no fingerprint, so no privacy account can be kept with them: implement \
         `fingerprint` of its workload, or leave [privacy] out"
    )]
    Unbound,
    /// There is none to work on.
    #[error("this member has no privacy account yet: it begins when the node first runs with [privacy]")]
    None,
    /// The budget.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The budget is another than the account's.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What is stored is no account.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is stored is no filter.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose account, over what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The federation.
    pub network: NetworkId,
    /// Fingerprint of the examples that the member trains on, see [`Learn::fingerprint`](crate::learn::job::Learn).
    pub data: Hash,
}

/// An open account.
pub struct Account {
    filter: Filter,
    header: Header,
    store: Arc<Store>,
}

/// What a payment came to.
#[derive(Debug)]
pub enum Payment {
    /// It is spent and durable: draw the noise.
    Paid(Debited),
    /// It was spent before. This is what was made of it, or nothing is known of that; noise is never drawn again.
    Before(Option<Made>),
    /// The budget does not pay for it; nothing has changed.
    Refused(Refused),
}

impl Account {
    /// The account that is in `store`, or a fresh one over `budget` that `open` makes, if there never was one.
    ///
    /// # Errors
    /// [`AccountError`] when there was one and it cannot go on as the configuration wants.
    pub fn open(
        store: Arc<Store>,
        witness: &Witness,
        owner: Owner,
        budget: Budget,
        open: impl FnOnce(Budget) -> Result<Filter, PlanError>,
    ) -> Result<Self, AccountError> {
        let account = match Self::stored(Arc::clone(&store))? {
            Some(mut account) => {
                account.belongs_to(&owner)?;
                account.filter.lower(budget)?;
                account
            }
            None if witness.knows(&owner)? => {
                let (witness, store) = (witness.path().to_owned(), store.path().to_owned());
                return Err(AccountError::Lost { witness, store });
            }
            None => Self { filter: open(budget)?, header: Header { data: owner.data }, store },
        };
        account.write()?;
        // After the store, so that a crash in between leaves an account without a witness, which the next start mends.
        witness.add(&owner)?;
        Ok(account)
    }

    /// The account that is in `store`, whatever the configuration says.
    ///
    /// # Errors
    /// [`AccountError`] when it is damaged or cannot be read.
    pub fn stored(store: Arc<Store>) -> Result<Option<Self>, AccountError> {
        let Some(bytes) = store.privacy(keys::ACCOUNT)? else { return Ok(None) };
        let (header, filter) = record::read_account(&bytes)?;
        Ok(Some(Self { filter: Filter::restore(&filter)?, header, store }))
    }

    /// Refuses to go on without noise where there is an account.
    ///
    /// # Errors
    /// [`AccountError::Unused`] if there is one.
    pub fn check_none(store: &Store, witness: &Witness, owner: Option<&Owner>) -> Result<(), AccountError> {
        let is_known = owner.map_or(Ok(false), |owner| witness.knows(owner))?;
        if is_known || store.privacy(keys::ACCOUNT)?.is_some() {
            return Err(AccountError::Unused);
        }
        Ok(())
    }

    /// The filter.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Fingerprint of the examples that it is about.
    pub const fn data(&self) -> Hash {
        self.header.data
    }

    /// Pays `spend` for `ticket` in one durable transaction, or says what came of an earlier payment for it.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses: the process must end, because the debit may be durable all the same.
    pub fn pay(&mut self, ticket: Ticket, spend: Spend) -> Result<Payment, StoreError> {
        if self.filter.has(&ticket) {
            return Ok(Payment::Before(self.made(&ticket)?));
        }
        let (store, header) = (&self.store, self.header);
        Ok(match self.filter.debit(spend, ticket) {
            Ok(Debit::Fresh(receipt)) => {
                let debited = receipt
                    .make_durable(|filter| store.keep_privacy(keys::ACCOUNT, &record::account(&header, filter)))?;
                Payment::Paid(debited)
            }
            Ok(Debit::Repeated) => Payment::Before(None),
            Err(refused) => Payment::Refused(refused),
        })
    }

    /// The store that it is kept in.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What was made under `ticket`, as far as it was remembered. A record that cannot be read is as good as none.
    ///
    /// # Errors
    /// [`StoreError`] when the disk cannot be read.
    pub fn made(&self, ticket: &Ticket) -> Result<Option<Made>, StoreError> {
        let bytes = self.store.privacy(keys::MADE)?;
        let made = bytes.and_then(|bytes| record::read_made(&bytes).ok());
        Ok(made.filter(|(of, _)| of == ticket).map(|(_, made)| made))
    }

    /// Raises the budget's epsilon, on purpose.
    ///
    /// # Errors
    /// [`AccountError`] when that is no raise, or the disk refuses.
    pub fn raise(&mut self, budget: Budget) -> Result<(), AccountError> {
        self.filter.raise(budget)?;
        Ok(self.write()?)
    }

    /// Binds the account to the examples of `owner`; what is spent stays spent, also for examples that are new.
    ///
    /// # Errors
    /// [`AccountError`] when the disk refuses.
    pub fn rebind(&mut self, witness: &Witness, owner: &Owner) -> Result<(), AccountError> {
        self.header = Header { data: owner.data };
        self.write()?;
        Ok(witness.add(owner)?)
    }

    /// Gives up the account in `store` and the memory of it, on purpose: nothing counts any more what was spent.
    ///
    /// # Errors
    /// [`AccountError`] when the disk refuses.
    pub fn close(store: &Store, witness: &Witness, owner: &Owner) -> Result<(), AccountError> {
        store.forget_privacy()?;
        Ok(witness.remove(owner)?)
    }

    /// The account in numbers, when the plan has so many rounds left.
    pub fn standing(&self, rounds_left: u64) -> event::Account {
        let budget = self.filter.budget();
        event::Account {
            epsilon_micro: (budget.epsilon() * MICRO) as u64,
            delta_pico: (budget.delta() * PICO).round() as u64,
            spent_micro: self.filter.spent_micro(),
            rounds_left,
        }
    }

    fn belongs_to(&self, owner: &Owner) -> Result<(), AccountError> {
        if self.header.data == owner.data {
            return Ok(());
        }
        Err(AccountError::OtherData { was: self.header.data.short(), is: owner.data.short() })
    }

    fn write(&self) -> Result<(), StoreError> {
        self.store.keep_privacy(keys::ACCOUNT, &record::account(&self.header, &self.filter.bytes()))
    }
}

/// Remembers what was made under `ticket`. Its blob must be durable already.
///
/// # Errors
/// [`StoreError`] when the disk refuses.
pub fn remember_made(store: &Store, ticket: Ticket, made: Made) -> Result<(), StoreError> {
    store.keep_privacy(keys::MADE, &record::made(ticket, made))
}

#[cfg(test)]
mod tests;
