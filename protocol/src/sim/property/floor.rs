//! Whom rounds pass over, counted from the bids and updates that stand in bodies.

use std::collections::{BTreeMap, BTreeSet};

use super::{Property, Sight};
use crate::{
    body::{Body, Evidence, PlanEvidence},
    event::{Award, HiredBy},
    genesis::Genesis,
    ids::{Height, MemberId},
    market::Mechanism,
    state::{Stage, State},
    statement::Bid,
};

/// Who has lost too often goes first, and nobody that delivers loses more bids in a row than the genesis allows.
#[derive(Debug)]
pub(super) struct Floor {
    genesis: Genesis,
    seen: Height,
    waits: BTreeMap<MemberId, Wait>,
}

/// What has become of a member's bids.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    lost: u64,
    hired: u64,
    delivered: u64,
}

impl Wait {
    /// Losses with which it would have been overdue already, its last ones left out one by one.
    fn over(self, patience: u64) -> u64 {
        let overdue = |lost: &u64| *lost * (self.delivered + 1) >= patience * (self.hired + 1);
        (1..=self.lost).rev().take_while(overdue).count() as u64
    }
}

impl Floor {
    pub(super) fn new(genesis: &Genesis) -> Self {
        Self { genesis: genesis.clone(), seen: Height(0), waits: BTreeMap::new() }
    }

    /// Losses with which a member is overdue; beyond all counts where there is no floor.
    fn patience(&self, members: usize) -> u64 {
        let market = &self.genesis.market;
        let mut patience = u64::from(market.max_losses) + 1;
        let mut left = members;
        while left > 0 {
            patience -= u64::from(market.max_losses > 0);
            left = left.saturating_sub(market.max_winners as usize);
        }
        if market.max_losses == 0 { u64::from(u32::MAX) } else { patience }
    }

    fn check_plan(&mut self, evidence: &PlanEvidence, state: &State, awards: &[Award]) -> Result<(), String> {
        let patience = self.patience(state.ledger.accounts.len());
        let mut due: BTreeMap<MemberId, u64> = BTreeMap::new();
        for (_, reveal) in &evidence.bids {
            let bid = reveal.peek().map_err(|error| error.to_string())?.bid;
            let (wait, price) =
                (self.waits.get(&reveal.signer).copied().unwrap_or_default(), price(&self.genesis, state, bid));
            let over = wait.over(patience);
            if over > 0 && bid.price <= price {
                due.insert(reveal.signer, over);
            }
            let won = awards.iter().find(|award| award.member == reveal.signer);
            if won.is_some_and(|award| award.hired_by == HiredBy::Floor && (over == 0 || award.payment != price)) {
                return Err(format!("{} went first in round {}, {over} over, for {won:?}", reveal.signer, state.round));
            }
            let wait = self.waits.entry(reveal.signer).or_default();
            wait.hired += u64::from(won.is_some());
            wait.lost = if won.is_none() && bid.price <= price { wait.lost + 1 } else { 0 };
            let most = u64::from(self.genesis.market.max_losses);
            if most > 0 && wait.hired == wait.delivered && wait.lost > most {
                return Err(format!("{} has lost {} bids in a row in round {}", reveal.signer, wait.lost, state.round));
            }
        }
        self.check_order(&due, state, awards)
    }

    /// All that are due are hired, or a full house of those that are due longest.
    fn check_order(&self, due: &BTreeMap<MemberId, u64>, state: &State, awards: &[Award]) -> Result<(), String> {
        let first = awards.iter().filter(|award| award.hired_by == HiredBy::Floor);
        let first: BTreeSet<MemberId> = first.map(|award| award.member).collect();
        let least = first.iter().filter_map(|member| due.get(member)).min().copied().unwrap_or(0);
        let house = self.genesis.market.max_winners as usize;
        let passed_over =
            due.iter().find(|(member, over)| !first.contains(*member) && (first.len() < house || **over > least));
        match passed_over {
            Some((member, over)) => Err(format!("{member}, {over} over, is passed over in round {}", state.round)),
            None => Ok(()),
        }
    }
}

/// What the floor pays for `bid`, reckoned from the credits that there were before the Plan held any back.
pub(super) fn price(genesis: &Genesis, state: &State, bid: Bid) -> u64 {
    let market = &genesis.market;
    let held: u64 = state.ledger.escrow.awards.values().sum();
    let (left, most) = match state.ledger.open_job() {
        Some(job) => (job.left, job.terms.budget_per_round),
        None => (state.ledger.pool, market.budget_per_round),
    };
    let budget = (left + held + state.ledger.escrow.bonus).min(most);
    let delivery = budget - budget * u64::from(market.bonus_permille) / 1_000;
    let value = u64::from(genesis.contracts[usize::from(bid.contract)].value);
    let value = match market.usual_samples {
        0 => value,
        usual => (value * bid.samples / usual).min(value * 10),
    };
    let for_a_unit = match market.mechanism {
        Mechanism::Posted { per_value } => per_value,
        _ => market.reserve_price,
    };
    (delivery / u64::from(market.max_winners)).min(for_a_unit * value)
}

impl Property for Floor {
    fn name(&self) -> &'static str {
        "nobody is passed over too often"
    }

    fn check(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Commit { commit, .. } = sight else { return Ok(()) };
        if commit.height != self.seen.next() {
            return Ok(());
        }
        self.seen = commit.height;
        let body = Body::decode(&commit.decision.body).map_err(|error| error.to_string())?;
        match (&body.evidence, &commit.state.stage) {
            // Where nobody is hired, nobody is passed over.
            (Evidence::Plan(plan), Stage::Settling(awards)) if !awards.is_empty() => {
                self.check_plan(plan, &commit.state, awards)
            }
            (Evidence::Settle(settle), _) => {
                let delivered = settle.updates.iter().filter(|update| !settle.refused.contains_key(&update.signer));
                for update in delivered {
                    self.waits.entry(update.signer).or_default().delivered += 1;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
