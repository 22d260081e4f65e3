//! `althing transfer`.

use althing_protocol::statement::Action;
use serde_json::json;

use super::{
    Answer,
    payer::{Fate, Payer},
    people::People,
};
use crate::{cli::credits::TransferArgs, failure::Failure, text::credits};

pub(super) fn execute(args: &TransferArgs) -> Result<Answer, Failure> {
    let payer = Payer::of(&args.payer)?;
    let books = payer.books()?;
    let people = People::enrolled(&payer.genesis, &books.ledger.roll.names);
    let to = people.account(&args.to)?;
    let fate = payer.instruct(&books, Action::Transfer { to, amount: args.credits })?;
    let (whom, amount) = (people.name(&to), credits(args.credits));
    let mut json = json!({ "from": payer.id(), "to": to, "amount_micro": args.credits, "decided": false });
    let text = match fate {
        Fate::HandedIn => format!("{amount} credits for {whom}: handed in\n"),
        Fate::Decided(books) => {
            let left = books.ledger.standing(&payer.id()).map_or(0, |(_, balance)| balance);
            json["decided"] = true.into();
            json["balance_micro"] = left.into();
            format!("{amount} credits are {whom}'s; {} are left\n", credits(left))
        }
    };
    Ok(Answer { text, json })
}
