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
    statement::{CounterOffer, Marks},
};

impl State {
    /// Members that are overdue go first, then those who have accepted a counter-offer; the others bid for what is left
    /// of the budget and of the places.
    ///
    /// `terms` are those of a full house: the chair's number of winners binds the auction and not the floor.
    pub(super) fn award(&self, federation: &Federation, opened: &Opened, terms: Terms) -> Vec<Award> {
        let (claims, asks) = self.divide(federation, opened);
        let first = floor::serve(&claims, terms, &self.seed);
        let mut awards = awarded(opened, first, HiredBy::Floor);
        awards.extend(opened.countered.iter().take(terms.winners.saturating_sub(awards.len())).map(taken));
        let spent: u64 = awards.iter().map(|award| award.payment).sum();
        let places = opened.hire(&federation.genesis.market).saturating_sub(awards.len());
        // Floor and counter-offers pay each of at most all winners one winner's equal part, or less.
        let cleared = market::clear(&asks, terms.after(spent, places), &self.seed);
        awards.extend(awarded(opened, cleared.wins, HiredBy::Auction));
        awards
    }

    /// By how many losses `member` is overdue, if it is.
    pub(super) fn overdue(&self, federation: &Federation, member: &MemberId) -> Option<u64> {
        let genesis = &federation.genesis;
        let patience = genesis.market.patience(genesis.members.len())?;
        self.ledger.accounts.get(member)?.overdue(patience)
    }

    /// The bids that stand: of members that are overdue, and of the others. Who is overdue does not take part in the auction:
    /// with two prices to hope for, it could ask more than its cost to get the better one.
    fn divide(&self, federation: &Federation, opened: &Opened) -> (Vec<Claim>, Vec<Ask>) {
        let genesis = &federation.genesis;
        let has_accepted = |member: &MemberId| opened.countered.iter().any(|offer| offer.member == *member);
        let (mut claims, mut asks) = (Vec::new(), Vec::new());
        for (&member, reveal) in &opened.bids {
            let (price, worth) = (reveal.bid.price, genesis.worth(reveal.bid.contract));
            let weight = u64::from(opened.weight(&member, reveal));
            match self.overdue(federation, &member) {
                // What it has accepted stands in place of its bid.
                _ if has_accepted(&member) => {}
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

fn awarded(opened: &Opened, wins: Vec<Win>, hired_by: HiredBy) -> Vec<Award> {
    let award = |win: Win| {
        let bid = opened.bids.get(&win.member)?.bid;
        Some(Award { member: win.member, contract: bid.contract, price: bid.price, payment: win.payment, hired_by })
    };
    wins.into_iter().filter_map(award).collect()
}

/// The award that a counter-offer leads to: what it offers is all that is asked.
fn taken(offer: &CounterOffer) -> Award {
    let CounterOffer { member, contract, price } = *offer;
    Award { member, contract, price, payment: price, hired_by: HiredBy::CounterOffer }
}
