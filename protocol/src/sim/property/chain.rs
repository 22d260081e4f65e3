//! What is decided: the same for all, without gaps, and with every credit accounted for.

use std::collections::BTreeMap;

use super::{Property, Sight, sponsor::Sponsors};
use crate::{
    genesis::{Genesis, Market},
    ids::{Hash, Height},
    machine::Commit,
    state::{Stage, State},
};

/// Everybody decides the same body at a height, and comes to the same state.
#[derive(Debug, Default)]
pub(super) struct Agreement {
    decided: BTreeMap<Height, (Hash, Hash)>,
}

impl Property for Agreement {
    fn name(&self) -> &'static str {
        "all decide the same"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Commit { who, commit } = sight else { return Ok(()) };
        let decided = (Hash::of(&commit.decision.body), Hash::of(&commit.state.encode()));
        let first = self.decided.entry(commit.height).or_insert(decided);
        if *first == decided {
            return Ok(());
        }
        Err(format!("at height {} {who} decides {}, another {}", commit.height, decided.0.short(), first.0.short()))
    }
}

/// Each member decides one height after the other, over restarts too, and each body names the one before it.
#[derive(Debug, Default)]
pub(super) struct NoGap {
    heads: BTreeMap<usize, (Height, Hash)>,
}

impl Property for NoGap {
    fn name(&self) -> &'static str {
        "no height is left out or decided twice"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        if let Sight::Restored { who, head } = sight {
            self.heads.insert(*who, *head);
        }
        let Sight::Commit { who, commit } = sight else { return Ok(()) };
        let (last, head) = self.heads.get(who).copied().unwrap_or((Height(0), Hash::ZERO));
        let body = crate::body::Body::decode(&commit.decision.body).map_err(|error| error.to_string())?;
        let id = Hash::of(&commit.decision.body);
        let follows = commit.height.0 == last.0 + 1 && commit.state.height == commit.height;
        if !follows || body.header.parent != head || commit.decision.certificate.body != id {
            return Err(format!("{who} decides height {} after {last}", commit.height));
        }
        self.heads.insert(*who, (commit.height, id));
        Ok(())
    }
}

/// Credits are minted by the schedule, burned only for good, and otherwise only move.
#[derive(Debug)]
pub(super) struct Supply {
    market: Market,
    /// What the genesis gives, in micro-credits.
    granted: u128,
    sponsors: Sponsors,
    burned: BTreeMap<Height, u64>,
}

impl Supply {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self {
            market: genesis.market.clone(),
            granted: genesis.grants.iter().map(|grant| u128::from(grant.amount)).sum(),
            sponsors: Sponsors::default(),
            burned: [(Height(0), 0)].into(),
        }
    }

    /// What the genesis has given and the schedule has minted by now, summed round by round.
    fn minted(&self, state: &State) -> u128 {
        let planned = if state.stage == Stage::Planning { state.round.0 - 1 } else { state.round.0 };
        let mut total = self.granted;
        let mut mint = u128::from(self.market.mint_per_round);
        for round in 1..=planned {
            // Every round takes two heights, and its Plan is the first of them.
            total += if self.sponsors.mints_at(Height(2 * round - 1)) { mint } else { 0 };
            if self.market.mint_halves_every > 0 && round.is_multiple_of(self.market.mint_halves_every) {
                mint /= 2;
            }
        }
        total
    }

    fn check_awards(&self, state: &State) -> Result<(), String> {
        let Stage::Settling(awards) = &state.stage else { return Ok(()) };
        let promised: u64 = awards.iter().map(|award| award.payment).sum();
        let held: u64 = state.ledger.escrow.awards.values().sum();
        let underpaid = awards.iter().any(|award| award.payment < award.price);
        let budget = self.sponsors.budget(state).unwrap_or(self.market.budget_per_round);
        if underpaid || promised != held || held + state.ledger.escrow.bonus > budget {
            return Err(format!("{promised} promised and {held} held back in round {}", state.round));
        }
        Ok(())
    }

    fn check_burned(&mut self, commit: &Commit) -> Result<(), String> {
        let burned = commit.state.ledger.burned;
        let before = self.burned.get(&Height(commit.height.0 - 1)).copied().unwrap_or(burned);
        self.burned.insert(commit.height, burned);
        if burned < before { Err(format!("{before} were burned, now {burned}")) } else { Ok(()) }
    }
}

impl Property for Supply {
    fn name(&self) -> &'static str {
        "supply is conserved"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Commit { commit, .. } = sight else { return Ok(()) };
        let body = crate::body::Body::decode(&commit.decision.body).map_err(|error| error.to_string())?;
        self.sponsors.see(&body, &commit.state.ledger.ended)?;
        self.sponsors.check(&commit.state)?;
        let ledger = &commit.state.ledger;
        let mut found = u128::from(ledger.pool) + u128::from(ledger.escrow.bonus);
        for amount in ledger.escrow.awards.values().chain(ledger.escrow.deposits.values()) {
            found += u128::from(*amount);
        }
        for account in ledger.accounts.values() {
            found += u128::from(account.balance);
        }
        for amount in ledger.guests.values().map(|guest| guest.balance).chain(ledger.jobs.values().map(|job| job.left))
        {
            found += u128::from(amount);
        }
        let minted = self.minted(&commit.state);
        if u128::from(ledger.minted) != minted || minted - u128::from(ledger.burned) != found {
            let height = commit.height;
            return Err(format!(
                "{found} found at height {height}, {minted} minted by the schedule, {} burned",
                ledger.burned
            ));
        }
        self.check_awards(&commit.state)?;
        self.check_burned(commit)
    }
}
