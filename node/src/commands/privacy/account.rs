//! A member's privacy account, from outside its node.

use std::sync::Arc;

use althing_agents::privacy::Plan;
use althing_protocol::{event, genesis::Genesis};
use serde_json::json;

use super::super::{Answer, spent};
use crate::{
    account::{Account, AccountError, Owner, Witness},
    cli::AccountArgs,
    config::{self, Config},
    failure::Failure,
    genesis_file,
    keyfile::KeyFile,
    learn::catalogue::Catalogue,
    status,
    store::Store,
};

/// What the commands work on.
struct Member {
    config: Config,
    genesis: Genesis,
    witness: Witness,
}

impl Member {
    fn load(args: &AccountArgs) -> Result<Self, Failure> {
        let config = Config::load(&args.config)?;
        let genesis = genesis_file::load(&config.genesis)?;
        let witness = Witness::beside(&config.key);
        Ok(Self { config, genesis, witness })
    }

    /// The store, which must be there.
    fn store(&self) -> Result<Option<Arc<Store>>, Failure> {
        let dir = &self.config.data_dir;
        // Asking must not create a store.
        Ok(Store::exists(dir).then(|| Store::open(dir, &self.genesis.network())).transpose()?.map(Arc::new))
    }

    /// The account, which must be there.
    fn account(&self) -> Result<Account, Failure> {
        let account = self.store()?.map(Account::stored).transpose()?.flatten();
        Ok(account.ok_or(AccountError::None)?)
    }

    /// Whose it would be with the examples as they are now.
    fn owner(&self, catalogue: &Catalogue) -> Result<Owner, Failure> {
        let learner = catalogue.check(&self.genesis.task)?.learner(&self.config.data)?;
        let data = learner.fingerprint().ok_or(AccountError::Unbound)?;
        Ok(Owner { network: self.genesis.network(), data })
    }

    fn privacy(&self) -> Result<&config::Privacy, Failure> {
        let privacy = self.config.privacy.as_ref();
        privacy.ok_or_else(|| Failure::user("the configuration has no [privacy]; write the budget there first"))
    }

    /// The account in numbers. Without a plan in the configuration, no rounds are left.
    fn standing(&self, account: &Account) -> event::Account {
        let rounds = self.config.privacy.as_ref().map_or(0, |privacy| privacy.rounds);
        account.standing(Plan::rounds_after(rounds, account.filter()))
    }

    fn answer(&self, account: &Account) -> Answer {
        answer(&self.standing(account))
    }
}

fn answer(standing: &event::Account) -> Answer {
    Answer { text: format!("privacy  {}\n", spent(standing)), json: json!({ "account": standing }) }
}

/// A running node has its store locked, and is asked instead.
pub(super) fn show(args: &AccountArgs) -> Result<Answer, Failure> {
    let member = Member::load(args)?;
    let (id, network) = (KeyFile::load(&member.config.key)?.id(), member.genesis.network());
    if let Ok(status) = status::ask(&member.config.data_dir)
        && (status.member, status.network) == (id, network)
    {
        let standing = status.privacy.ok_or(AccountError::None)?;
        return Ok(answer(&standing));
    }
    Ok(member.answer(&member.account()?))
}

pub(super) fn raise(args: &AccountArgs) -> Result<Answer, Failure> {
    let member = Member::load(args)?;
    let budget = member.privacy()?.budget().map_err(AccountError::from)?;
    let mut account = member.account()?;
    account.raise(budget)?;
    Ok(member.answer(&account))
}

pub(super) fn rebind(args: &AccountArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    let member = Member::load(args)?;
    let mut account = member.account()?;
    account.rebind(&member.witness, &member.owner(catalogue)?)?;
    Ok(member.answer(&account))
}

pub(super) fn close(args: &AccountArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    let member = Member::load(args)?;
    let owner = member.owner(catalogue)?;
    match member.store()? {
        Some(store) => Account::close(&store, &member.witness, &owner)?,
        None => member.witness.remove(&owner).map_err(AccountError::from)?,
    }
    let text = "privacy  no account: what was spent is no longer counted\n".to_owned();
    Ok(Answer { text, json: json!({ "account": null }) })
}
