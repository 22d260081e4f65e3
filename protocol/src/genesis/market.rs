//! What a round may cost, and whom it may pass over.

use serde::{Deserialize, Serialize};

use super::{GenesisError, within};
use crate::{
    contribution::Contribution,
    limits,
    market::{Mechanism, Terms},
};

/// What a round may cost, in micro-credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Minted into the pool at every Plan.
    pub mint_per_round: u64,
    /// Rounds after which the mint halves; 0 for never.
    pub mint_halves_every: u64,
    /// Most that a round may cost.
    pub budget_per_round: u64,
    /// Share of the budget that is paid for contribution rather than for delivery, in thousandths.
    pub bonus_permille: u32,
    /// Members that a round hires at the most.
    pub max_winners: u32,
    /// Members without which a round is not worth holding.
    pub min_winners: u32,
    /// Highest price for one unit of a contract's value.
    pub reserve_price: u64,
    /// Part of a proven equivocator's balance that is burned, in thousandths.
    pub slash_permille: u32,
    /// The fairness floor: bids that a member which delivers may lose in a row; 0 for any number.
    #[serde(default)]
    pub max_losses: u32,
    /// Counter-offers that the chair may make in a round; 0 for none.
    #[serde(default)]
    pub max_counter_offers: u32,
    /// How winners and payments are found; the critical-value auction if the file does not say.
    #[serde(default)]
    pub mechanism: Mechanism,
    /// Bids without which nobody is hired, since so few do not compete; 1 if the file does not say.
    #[serde(default = "one")]
    pub min_bidders: u32,
    /// Most that one winner may be paid for delivery, in thousandths of what all may be; 1,000 if the file does not say.
    #[serde(default = "whole")]
    pub max_share_permille: u32,
    /// What a winner puts down when it is hired, in thousandths of what delivery pays, as far as it has so much. It comes
    /// back with delivery and is forfeited to the pool without. 0 for none.
    #[serde(default)]
    pub deposit_permille: u32,
    /// What becomes of updates that are noise; they are refused if the file does not say.
    #[serde(default)]
    pub noise: Noise,
    /// How it is found out what each update has brought; Shapley values if the file does not say.
    #[serde(default)]
    pub contribution: Contribution,
    /// Examples behind a bid with which a contract is worth what the menu says: with fewer it is worth less in proportion,
    /// and with more, more ([`super::Contract::worth`]). 0, as if the file does not say, if every bid is worth what the
    /// menu says, whatever data stands behind it.
    #[serde(default)]
    pub usual_samples: u64,
}

/// What becomes of updates whose bytes are noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// `refused`: they enter no model and earn nothing.
    #[default]
    Refused,
    /// `allowed`: they are taken for work, since members may have to hide in noise what their data would tell.
    Allowed,
}

/// Words say neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not what becomes of noise; say refused or allowed")]
pub struct NoiseError(String);

impl std::fmt::Display for Noise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Allowed => "allowed",
        })
    }
}

impl std::str::FromStr for Noise {
    type Err = NoiseError;

    fn from_str(text: &str) -> Result<Self, NoiseError> {
        match text {
            "refused" => Ok(Self::Refused),
            "allowed" => Ok(Self::Allowed),
            _ => Err(NoiseError(text.to_owned())),
        }
    }
}

const fn one() -> u32 {
    1
}

const fn whole() -> u32 {
    1_000
}

impl Market {
    /// A bid is worth at the most so many times what the menu says, however many examples it claims.
    pub const MOST_TIMES_USUAL: u64 = 10;

    /// Losses in a row with which a member that has always delivered is overdue; nothing if there is no floor.
    ///
    /// If all of `members` are overdue together, hiring them takes several rounds. So that the last of them has lost
    /// [`Market::max_losses`] bids and no more, they are called overdue as many rounds earlier.
    pub fn patience(&self, members: usize) -> Option<u64> {
        let spare = u64::from(self.max_losses).checked_sub(self.rounds_to_hire(members))?;
        Some(spare + 1)
    }

    fn validate_mechanism(&self) -> Result<(), GenesisError> {
        match self.mechanism {
            Mechanism::Posted { per_value } if !(1..=self.reserve_price).contains(&per_value) => {
                Err(GenesisError::OutOfBounds {
                    field: "market.mechanism",
                    got: self.mechanism.to_string(),
                    want: format!("posted:PRICE with a price from 1 to the reserve price, {}", self.reserve_price),
                })
            }
            Mechanism::Fixed if self.max_counter_offers > 0 => Err(GenesisError::OutOfBounds {
                field: "market.max_counter_offers",
                got: self.max_counter_offers.to_string(),
                want: "0 with the mechanism fixed, which pays the same for every contract".into(),
            }),
            _ => Ok(()),
        }
    }

    /// Rounds in which each of `members` can be hired once.
    fn rounds_to_hire(&self, members: usize) -> u64 {
        (members as u64).div_ceil(u64::from(self.max_winners.max(1)))
    }

    /// The terms of a full house for which there is so much to pay for delivery, in micro-credits.
    pub fn terms(&self, budget: u64) -> Terms {
        Terms::new(self.mechanism, budget, self.reserve_price, self.max_winners as usize)
            .capped(part(budget, self.max_share_permille))
    }

    /// Checks every number, for a federation or an experiment of `members`.
    ///
    /// # Errors
    /// [`GenesisError`] names the first field that is out of bounds.
    pub fn validate(&self, members: usize) -> Result<(), GenesisError> {
        within("market.mint_per_round", self.mint_per_round, 0, limits::MAX_MINT)?;
        within("market.budget_per_round", self.budget_per_round, 0, limits::MAX_MINT)?;
        within("market.bonus_permille", self.bonus_permille.into(), 0, 1_000)?;
        within("market.slash_permille", self.slash_permille.into(), 0, 1_000)?;
        within("market.max_winners", self.max_winners.into(), 1, members.max(limits::MAX_MEMBERS) as u64)?;
        within("market.min_winners", self.min_winners.into(), 1, self.max_winners.into())?;
        within("market.reserve_price", self.reserve_price, 1, limits::MAX_MINT)?;
        within("market.max_counter_offers", self.max_counter_offers.into(), 0, limits::MAX_COUNTER_OFFERS.into())?;
        within("market.min_bidders", self.min_bidders.into(), 1, members as u64)?;
        // With less for each, a full house could not be paid the whole budget.
        let equal_part = 1_000_u64.div_ceil(self.max_winners.into());
        within("market.max_share_permille", self.max_share_permille.into(), equal_part, 1_000)?;
        within("market.deposit_permille", self.deposit_permille.into(), 0, 1_000)?;
        self.validate_mechanism()?;
        match self.max_losses {
            0 => Ok(()),
            // Fewer than this no round could keep, with every member bidding.
            losses => {
                within("market.max_losses", losses.into(), self.rounds_to_hire(members), limits::MAX_LOSSES.into())
            }
        }
    }
}

/// So many thousandths of `amount`, rounded down.
pub(crate) fn part(amount: u64, permille: u32) -> u64 {
    // At most `amount`, since a genesis allows at most a thousand thousandths.
    (u128::from(amount) * u128::from(permille.min(1_000)) / 1_000) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{genesis::Contract, model::Width};

    fn market(max_losses: u32) -> Market {
        Market {
            mint_per_round: 0,
            mint_halves_every: 0,
            budget_per_round: 0,
            bonus_permille: 0,
            max_winners: 4,
            min_winners: 1,
            reserve_price: 1,
            slash_permille: 0,
            max_losses,
            max_counter_offers: 0,
            mechanism: Mechanism::Critical,
            min_bidders: 1,
            max_share_permille: 1_000,
            deposit_permille: 0,
            noise: Noise::Refused,
            contribution: Contribution::Shapley,
            usual_samples: 0,
        }
    }

    #[test]
    fn a_contract_is_worth_what_stands_behind_it_however_it_is_divided() {
        let contract = |value| Contract { name: "one".into(), epochs: 1, width: Width::Full, value };
        let table = [(0, 1, 100), (0, 9_999, 100), (500, 500, 100), (500, 499, 99), (500, 5_001, 1_000), (500, 4, 0)];
        for (usual, samples, worth) in table {
            assert_eq!(contract(100).worth(samples, usual), worth, "{samples} examples where {usual} are usual");
        }
        for (value, whole, names) in [(100, 400, 10), (160, 777, 7), (1, 4_000, 4_000), (1_000, 3_999, 3)] {
            let part = |name| whole / names + u64::from(name < whole % names);
            let divided: u64 = (0..names).map(|name| contract(value).worth(part(name), 400)).sum();
            assert!(divided <= contract(value).worth(whole, 400), "{whole} examples under {names} names");
        }
    }

    #[test]
    fn a_floor_is_called_as_early_as_it_takes_to_hire_everybody() {
        let patience = |members, losses| market(losses).patience(members);
        assert_eq!([patience(4, 10), patience(8, 10), patience(9, 10)], [Some(10), Some(9), Some(8)]);
        assert_eq!([patience(4, 1), patience(8, 2), patience(4, 0), patience(128, 0)], [Some(1), Some(1), None, None]);
    }

    #[test]
    fn a_market_that_no_round_could_hold_is_refused() {
        type Change = fn(&mut Market);
        let with = |change: Change| {
            let mut market = Market { reserve_price: 10, ..market(0) };
            change(&mut market);
            market.validate(8).map_err(|error| error.to_string())
        };
        assert_eq!(with(|market| market.mechanism = Mechanism::Posted { per_value: 10 }), Ok(()));
        assert_eq!(with(|market| market.mechanism = Mechanism::Fixed), Ok(()));
        assert_eq!(with(|market| (market.min_bidders, market.max_share_permille) = (8, 250)), Ok(()));
        let table: [(Change, &str); 7] = [
            (|market| market.mechanism = Mechanism::Posted { per_value: 0 }, "market.mechanism is posted:0"),
            (|market| market.mechanism = Mechanism::Posted { per_value: 11 }, "from 1 to the reserve price, 10"),
            (
                |market| (market.mechanism, market.max_counter_offers) = (Mechanism::Fixed, 1),
                "market.max_counter_offers is 1, but must be 0 with the mechanism fixed",
            ),
            (|market| market.min_bidders = 0, "market.min_bidders is 0, but must be from 1 to 8"),
            (|market| market.min_bidders = 9, "market.min_bidders is 9"),
            (
                |market| market.max_share_permille = 249,
                "market.max_share_permille is 249, but must be from 250 to 1000",
            ),
            (|market| market.deposit_permille = 1_001, "market.deposit_permille is 1001"),
        ];
        for (change, wanted) in table {
            let error = with(change).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }

    #[test]
    fn a_floor_that_no_round_could_keep_is_refused() {
        for (members, losses) in [(4, 0), (100, 0), (4, 1), (8, 2), (8, limits::MAX_LOSSES)] {
            assert_eq!(market(losses).validate(members), Ok(()), "{losses} losses of {members} members");
        }
        for (members, losses) in [(8, 1), (9, 2), (4, limits::MAX_LOSSES + 1)] {
            let error = market(losses).validate(members).unwrap_err().to_string();
            assert!(error.contains("market.max_losses"), "{losses} losses of {members} members: {error}");
        }
    }
}
