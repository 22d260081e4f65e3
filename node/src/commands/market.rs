//! `althing market`: the protocol's own clearing, for anybody's bids.

mod bids;

use std::fmt::Write as _;

use althing_protocol::{
    ids::Hash,
    limits::MAX_MINT,
    market::{self, Ask, Cleared, Terms},
};
use serde_json::{Value, json};

use self::bids::{MarkedBid, read};
use super::Answer;
use crate::{
    cli::market::{ClearArgs, MarketCommand},
    failure::Failure,
};

/// Longest name of a member in a table, in characters; longer ones are cut.
const NAME_WIDTH: usize = 24;

pub(super) fn execute(command: &MarketCommand) -> Result<Answer, Failure> {
    match command {
        MarketCommand::Clear(args) => clear(args),
    }
}

fn clear(args: &ClearArgs) -> Result<Answer, Failure> {
    let bids = read(&args.bids)?;
    for (flag, amount) in [("--budget", Some(args.budget)), ("--reserve", args.reserve)] {
        if let Some(amount) = amount.filter(|amount| *amount > MAX_MINT) {
            return Err(Failure::user(format_args!("{flag} is {amount}; give at most {MAX_MINT} micro-credits")));
        }
    }
    let reserve = args.reserve.unwrap_or(MAX_MINT);
    let terms = Terms::new(args.mechanism, args.budget, reserve, args.winners as usize);
    let terms = args.cap.map_or(terms, |cap| terms.capped(cap));
    let seed = args.seed.unwrap_or(Hash::ZERO);
    let asks: Vec<Ask> = bids.iter().map(MarkedBid::ask).collect();
    let result = Clearing { bids, cleared: market::clear(&asks, terms, &seed), terms };
    Ok(Answer { text: result.text(args), json: result.json(args, &seed) })
}

/// A cleared market.
struct Clearing {
    /// In the order of their members' ids.
    bids: Vec<MarkedBid>,
    cleared: Cleared,
    terms: Terms,
}

impl Clearing {
    /// The winners' bids with their payments, in rank order.
    fn wins(&self) -> impl Iterator<Item = (&MarkedBid, u64)> {
        self.cleared.wins.iter().filter_map(|win| Some((bids::find(&self.bids, &win.member)?, win.payment)))
    }

    /// The other bids, with why they lost.
    fn losses(&self) -> impl Iterator<Item = (&MarkedBid, market::Why)> {
        self.cleared.losses.iter().filter_map(|loss| Some((bids::find(&self.bids, &loss.member)?, loss.why)))
    }

    fn paid(&self) -> u64 {
        self.cleared.wins.iter().map(|win| win.payment).sum()
    }

    fn json(&self, args: &ClearArgs, seed: &Hash) -> Value {
        let bid = |bid: &MarkedBid| (bid.name.clone(), bid.price, bid.worth(), bid.mark);
        let wins = self.wins().map(|(won, payment)| {
            let (member, price, value, mark) = bid(won);
            json!({ "member": member, "price": price, "value": value, "mark": mark, "payment": payment })
        });
        let losses = self.losses().map(|(lost, why)| {
            let (member, price, value, mark) = bid(lost);
            json!({ "member": member, "price": price, "value": value, "mark": mark, "why": why.to_string() })
        });
        json!({
            "mechanism": args.mechanism, "truthful": args.mechanism.is_truthful(),
            "budget": args.budget, "winners": args.winners, "reserve": args.reserve, "cap": args.cap, "seed": seed,
            "paid": self.paid(), "left": self.terms.budget - self.paid(),
            "wins": wins.collect::<Vec<_>>(), "losses": losses.collect::<Vec<_>>(),
        })
    }

    fn text(&self, args: &ClearArgs) -> String {
        let (hired, paid) = (self.cleared.wins.len(), self.paid());
        let value: u64 = self.wins().map(|(bid, _)| bid.worth()).sum();
        let mut text = format!(
            "{}: {hired} of {} bids win; {paid} of {} micro-credits pay for {value} units of value\n\n",
            args.mechanism,
            self.bids.len(),
            args.budget,
        );
        let shown = |bid: &MarkedBid| bid.name.chars().count().min(NAME_WIDTH);
        let width = self.bids.iter().map(shown).max().unwrap_or(0).max("member".len());
        let mut line = |cells: [String; 4], why: String| {
            let [member, value, asks, gets] = cells;
            let member: String = member.chars().take(NAME_WIDTH).collect();
            // Writing to a string cannot fail.
            let _ =
                writeln!(text, "{}", format!("{member:width$}  {value:>8}  {asks:>14}  {gets:>14}  {why}").trim_end());
        };
        line(["member", "value", "asks", "gets"].map(str::to_owned), String::new());
        for (bid, payment) in self.wins() {
            let cells = [bid.name.clone(), bid.worth().to_string(), bid.price.to_string(), payment.to_string()];
            line(cells, String::new());
        }
        for (bid, why) in self.losses() {
            line([bid.name.clone(), bid.worth().to_string(), bid.price.to_string(), "-".into()], why.to_string());
        }
        text
    }
}
