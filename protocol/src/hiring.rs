//! Hiring: from open bids to awards, and to what is held back for them.
//!
//! A Plan comes here when its evidence is opened; so does an experiment, which has no signatures to open.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    event::{Award, HiredBy},
    genesis::{Market, part},
    ids::{Hash, MemberId, Round},
    ledger::{Ledger, LedgerError},
    market::{
        self, Ask, Terms, Win,
        floor::{self, Claim},
    },
    statement::{Bid, CounterOffer, Marks},
};

/// A bid that is open, and how the federation looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBid {
    /// What it says.
    pub bid: Bid,
    /// What its contract is worth with the data behind it, without marks.
    pub worth: u64,
    /// The mark that counts for it, in hundredths, from [`Marks::LEAST`] to [`Marks::MOST`].
    pub weight: u16,
}

/// All that a round hires by, prices apart.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What a round may cost, and whom it may pass over.
    pub market: &'a Market,
    /// Members of the federation, bidders or not.
    pub members: usize,
    /// The round.
    pub round: Round,
    /// What ties are broken by.
    pub seed: Hash,
}

/// What members have answered to a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Open bids by bidder.
    pub bids: BTreeMap<MemberId, OpenBid>,
    /// Counter-offers that are accepted, in the order in which they were made.
    pub countered: Vec<CounterOffer>,
    /// Members to hire altogether; the floor may go beyond it, up to the market's most.
    pub places: usize,
}

impl Call<'_> {
    /// Mints, hires, and holds back what that may cost. Without enough bidders or winners nobody is hired.
    ///
    /// # Errors
    /// [`LedgerError`] when a bidder is a stranger, or more was minted than a counter holds.
    pub fn hire(&self, ledger: &mut Ledger, answers: &Answers) -> Result<Vec<Award>, LedgerError> {
        let (terms, bonus) = self.budget(ledger);
        let awards = self.awards(ledger, answers);
        ledger.mint(self.mint(ledger))?;
        if awards.is_empty() {
            return Ok(awards);
        }
        count_losses(ledger, answers, &awards, terms)?;
        ledger.hold(bonus)?;
        for award in &awards {
            ledger.hire(&award.member, self.round)?;
            ledger.hold_award(&award.member, award.payment, part(award.payment, self.market.deposit_permille))?;
        }
        Ok(awards)
    }

    /// Who would be hired, in rank order, and for what. Nothing is moved.
    pub fn awards(&self, ledger: &Ledger, answers: &Answers) -> Vec<Award> {
        let awards = self.award(ledger, answers, self.budget(ledger).0);
        let has_bidders = answers.bids.len() >= self.market.min_bidders as usize;
        if has_bidders && awards.len() >= self.market.min_winners as usize { awards } else { Vec::new() }
    }

    /// What the round can pay for delivery, to a full house, and for contribution, in micro-credits.
    pub fn budget(&self, ledger: &Ledger) -> (Terms, u64) {
        let budget = match ledger.open_job() {
            Some(job) => job.budget(),
            None => self.market.budget_per_round.min(ledger.pool.saturating_add(self.mint(ledger))),
        };
        let bonus = part(budget, self.market.bonus_permille);
        (self.market.terms(budget - bonus), bonus)
    }

    /// By how many losses `member` is overdue, if it is.
    pub fn overdue(&self, ledger: &Ledger, member: &MemberId) -> Option<u64> {
        let patience = self.market.patience(self.members)?;
        ledger.accounts.get(member)?.overdue(patience)
    }

    /// What the round mints: the base, halved by the schedule; nothing where a sponsor pays.
    fn mint(&self, ledger: &Ledger) -> u64 {
        if ledger.open_job.is_some() {
            return 0;
        }
        let halvings = self.round.0.saturating_sub(1).checked_div(self.market.mint_halves_every).unwrap_or(0);
        u32::try_from(halvings).ok().and_then(|n| self.market.mint_per_round.checked_shr(n)).unwrap_or(0)
    }

    /// Members that are overdue go first, then those who have accepted a counter-offer; the others bid for what is left
    /// of the budget and of the places.
    ///
    /// `terms` are those of a full house: the chair's number of winners binds the auction and not the floor.
    fn award(&self, ledger: &Ledger, answers: &Answers, terms: Terms) -> Vec<Award> {
        let (claims, asks) = self.divide(ledger, answers);
        let first = floor::serve(&claims, terms, &self.seed);
        let mut awards = awarded(answers, first, HiredBy::Floor);
        let countered = answers.countered.iter().filter_map(|offer| taken(answers, offer));
        awards.extend(countered.take(terms.winners.saturating_sub(awards.len())));
        let spent: u64 = awards.iter().map(|award| award.payment).sum();
        let places = answers.places.saturating_sub(awards.len());
        // Floor and counter-offers pay each of at most all winners one winner's equal part, or less.
        let cleared = market::clear(&asks, terms.after(spent, places), &self.seed);
        awards.extend(awarded(answers, cleared.wins, HiredBy::Auction));
        awards
    }

    /// The bids that stand: of members that are overdue, and of the others. Who is overdue does not take part in the auction:
    /// with two prices to hope for, it could ask more than its cost to get the better one.
    fn divide(&self, ledger: &Ledger, answers: &Answers) -> (Vec<Claim>, Vec<Ask>) {
        let has_accepted = |member: &MemberId| answers.countered.iter().any(|offer| offer.member == *member);
        let (mut claims, mut asks) = (Vec::new(), Vec::new());
        for (&member, open) in &answers.bids {
            let OpenBid { bid: Bid { price, .. }, worth, weight } = *open;
            match self.overdue(ledger, &member) {
                // What it has accepted stands in place of its bid.
                _ if has_accepted(&member) => {}
                Some(over) => claims.push(Claim { member, price, worth, over }),
                None => asks.push(Ask { member, price, value: worth * u64::from(weight) / u64::from(Marks::NEUTRAL) }),
            }
        }
        (claims, asks)
    }
}

/// Takes note of who has bid in vain beside `awards`.
fn count_losses(ledger: &mut Ledger, answers: &Answers, awards: &[Award], terms: Terms) -> Result<(), LedgerError> {
    let hired: BTreeSet<&MemberId> = awards.iter().map(|award| &award.member).collect();
    for (member, open) in answers.bids.iter().filter(|(member, _)| !hired.contains(member)) {
        if open.bid.price <= floor::price(open.worth, terms) {
            ledger.lose(member)?;
        } else {
            ledger.forget_losses(member)?;
        }
    }
    Ok(())
}

fn awarded(answers: &Answers, wins: Vec<Win>, hired_by: HiredBy) -> Vec<Award> {
    let award = |win: Win| {
        let Bid { contract, price, samples } = answers.bids.get(&win.member)?.bid;
        Some(Award { member: win.member, contract, samples, price, payment: win.payment, hired_by })
    };
    wins.into_iter().filter_map(award).collect()
}

/// The award that a counter-offer leads to: what it offers is all that is asked, and the bid has said on which data.
fn taken(answers: &Answers, offer: &CounterOffer) -> Option<Award> {
    let CounterOffer { member, contract, price } = *offer;
    let samples = answers.bids.get(&member)?.bid.samples;
    Some(Award { member, contract, samples, price, payment: price, hired_by: HiredBy::CounterOffer })
}
