//! Who is hired, of those whose bids are open.

use super::{Federation, State, plan::Opened};
use crate::{
    event::{Award, HiredBy},
    ids::MemberId,
    ledger::LedgerError,
    market::{
        self, Ask, Terms, Win,
        floor::{self, Claim},
    },
    statement::Marks,
};

impl State {
    /// Members that are overdue go first; the others bid for what is left of the budget and of the places.
    ///
    /// `terms` are those of a full house: the chair's number of winners binds the auction and not the floor.
    pub(super) fn award(&self, federation: &Federation, opened: &Opened, terms: Terms) -> Vec<Award> {
        let (claims, asks) = self.divide(federation, opened);
        let first = floor::serve(&claims, terms, &self.seed);
        let spent: u64 = first.iter().map(|win| win.payment).sum();
        let left = Terms {
            // The floor pays each of at most all winners one winner's equal part.
            budget: terms.budget.saturating_sub(spent),
            winners: opened.hire(&federation.genesis.market).saturating_sub(first.len()),
            ..terms
        };
        let then = market::clear(&asks, left, &self.seed);
        let award = |(win, hired_by): (Win, HiredBy)| {
            let bid = opened.bids.get(&win.member)?.bid;
            Some(Award { member: win.member, contract: bid.contract, price: bid.price, payment: win.payment, hired_by })
        };
        let first = first.into_iter().map(|win| (win, HiredBy::Floor));
        first.chain(then.into_iter().map(|win| (win, HiredBy::Auction))).filter_map(award).collect()
    }

    /// The bids of members that are overdue, and those of the others. Who is overdue does not take part in the auction:
    /// with two prices to hope for, it could ask more than its cost to get the better one.
    fn divide(&self, federation: &Federation, opened: &Opened) -> (Vec<Claim>, Vec<Ask>) {
        let genesis = &federation.genesis;
        let patience = genesis.market.patience(genesis.members.len());
        let overdue = |member: &MemberId| self.ledger.accounts.get(member)?.overdue(patience?);
        let (mut claims, mut asks) = (Vec::new(), Vec::new());
        for (&member, reveal) in &opened.bids {
            let (price, worth) = (reveal.bid.price, genesis.worth(reveal.bid.contract));
            let weight = u64::from(opened.weight(&member, reveal));
            match overdue(&member) {
                Some(over) => claims.push(Claim { member, price, worth, over }),
                None => asks.push(Ask { member, price, value: worth * weight / u64::from(Marks::NEUTRAL) }),
            }
        }
        (claims, asks)
    }

    /// Takes note of who has bid in vain beside `awards`.
    pub(super) fn count_losses(
        &mut self,
        federation: &Federation,
        opened: &Opened,
        awards: &[Award],
        terms: Terms,
    ) -> Result<(), LedgerError> {
        for (member, reveal) in &opened.bids {
            if awards.iter().any(|award| award.member == *member) {
                continue;
            }
            let worth = federation.genesis.worth(reveal.bid.contract);
            if reveal.bid.price <= floor::price(worth, terms) {
                self.ledger.lose(member)?;
            } else {
                self.ledger.forget_losses(member)?;
            }
        }
        Ok(())
    }
}
