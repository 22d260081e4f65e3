//! What can be said of markets.

use std::path::PathBuf;

use althing_protocol::{ids::Hash, market::Mechanism};
use clap::{Args, Subcommand};

const CLEARING: &str = "\
Examples:
  althing market clear bids.json --mechanism critical --budget 700000 --winners 2
  althing market clear bids.json --mechanism vcg --budget 2000000 --winners 2 --reserve 4000 --json
  althing market clear bids.json --mechanism posted:1200 --budget 700000 --winners 3

  bids.json, prices in micro-credits:
    [
      {\"member\": \"anna\",  \"price\": 90000,  \"value\": 100},
      {\"member\": \"berta\", \"price\": 120000, \"value\": 160},
      {\"member\": \"carl\",  \"price\": 64000,  \"value\": 100, \"mark\": 80}
    ]

A mark is the selector's weight, from 50 to 200, 100 if it is left out: the value counts times mark / 100.
A member is a name or an id of 64 hexadecimal digits. Ids, and the round's --seed, break ties as they do in that round.

Mechanisms:
  critical      the cheapest for their value, within the budget; each gets the highest price at which it would still win
  vcg           those who leave the largest surplus to the reserve price; each gets what its absence would cost
  first-price   the same ranking; each gets what it asks, so asking more than one's cost pays
  posted:PRICE  whoever takes PRICE for a unit of value, the most valuable first
  fixed         whoever takes an equal part of the budget, the most valuable first

docs/market.md has the formulas.";

/// Markets.
#[derive(Debug, Subcommand)]
pub enum MarketCommand {
    /// Say who of some bidders would be hired, for what pay, and why the others would not, as every member reckons it.
    #[command(after_help = CLEARING)]
    Clear(ClearArgs),
}

/// A market to clear.
#[derive(Debug, Args)]
pub struct ClearArgs {
    /// The bids: a JSON list of objects with `member`, `price`, `value` and, if there is one, `mark`.
    #[arg(value_name = "BIDS.json")]
    pub bids: PathBuf,
    /// How winners and payments are found: `critical`, `vcg`, `first-price`, `posted:PRICE` or `fixed`.
    #[arg(long, value_name = "MECHANISM", default_value_t)]
    pub mechanism: Mechanism,
    /// Most that all winners may cost together, in micro-credits.
    #[arg(long, value_name = "N")]
    pub budget: u64,
    /// Most members to hire.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub winners: u32,
    /// Most that a unit of value may cost, in micro-credits; also what it is worth to `vcg` and `first-price`, which needs
    /// it [default: no bound but the budget].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), required_if_eq("mechanism", "first-price"))]
    pub reserve: Option<u64>,
    /// Most that one winner may be paid, in micro-credits [default: no bound but the others].
    #[arg(long, value_name = "N")]
    pub cap: Option<u64>,
    /// The round's seed, which breaks ties, in 64 hexadecimal digits [default: zeros].
    #[arg(long, value_name = "HEX")]
    pub seed: Option<Hash>,
}
