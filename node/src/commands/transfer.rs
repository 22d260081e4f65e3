//! `althing transfer`.

use althing_protocol::statement::Action;
use serde_json::json;

use super::{
    Answer,
    payer::{Fate, Payer, account, name},
};
use crate::{cli::credits::TransferArgs, failure::Failure, text::credits};

pub(super) fn execute(args: &TransferArgs) -> Result<Answer, Failure> {
    let payer = Payer::of(&args.payer)?;
    let to = account(&args.to, &payer.genesis)?;
    let action = Action::Transfer { to, amount: args.credits };
    let fate = payer.instruct(&payer.books()?, action)?;
    let (whom, amount) = (name(&payer.genesis, &to), credits(args.credits));
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
