//! `althing members` and `althing vote`: who is a member, who votes, and what the members vote about.

use std::fmt::Write;

use althing_protocol::{
    ids::MemberId,
    ledger::{Account, Ballot, Exit, Ledger},
    statement::{Action, Motion},
};
use serde_json::{Value, json};

use super::{
    Answer, ledger,
    payer::{Fate, Payer},
    people::People,
};
use crate::{
    cli::{StatusArgs, VoteCommand},
    failure::Failure,
};

/// Everybody on the roll, by the node's own ledger.
pub(super) fn show(args: &StatusArgs) -> Result<Answer, Failure> {
    let (federation, decisions) = ledger::decided(&args.config)?;
    let state = althing_protocol::audit::follow(&federation, &decisions, |_| ()).map_err(ledger::damaged)?;
    let people = People::of(&federation.genesis, &decisions);
    Ok(roll(&state.ledger, &people))
}

fn roll(ledger: &Ledger, people: &People) -> Answer {
    let power = ledger.accounts.values().map(|account| account.power).fold(0, u64::saturating_add);
    let mut text = String::new();
    for (id, account) in &ledger.accounts {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "member   {}", member_line(ledger, people, id, account));
    }
    for (who, ballot) in &ledger.roll.removals {
        let _ = writeln!(text, "motion   {}", motion_line(ledger, people, who, ballot));
    }
    for (who, until) in &ledger.roll.barred {
        let _ = writeln!(text, "removed  {}, and not to be invited before round {}", people.name(who), until.next());
    }
    let members = ledger.accounts.iter().map(|(id, account)| {
        json!({
            "id": id, "name": people.name(id), "power": account.power, "suspended": account.suspended,
            "absent": account.absent, "reputation": account.reputation,
            "delivered": account.delivered, "may_invite": ledger.roll.inviters.contains(id),
            "leaving": ledger.roll.leaving.get(id),
        })
    });
    let motions = ledger.roll.removals.iter().map(|(who, ballot)| {
        json!({
            "motion": Motion::Remove(*who), "votes": ballot.votes, "power": behind(ledger, ballot),
            "last_round": ballot.last_round,
        })
    });
    let (members, motions): (Vec<Value>, Vec<Value>) = (members.collect(), motions.collect());
    let json = json!({ "power": power, "members": members, "motions": motions, "barred": ledger.roll.barred });
    Answer { text, json }
}

fn member_line(ledger: &Ledger, people: &People, id: &MemberId, account: &Account) -> String {
    let vote = match (account.power, account.suspended) {
        (0, 0) => "no vote".into(),
        (0, suspended) => format!("suspended with power {suspended}, {} rounds away", account.absent),
        (power, _) => format!("power {power}"),
    };
    let invites = if ledger.roll.inviters.contains(id) { ", may invite" } else { "" };
    let leaving = match ledger.roll.leaving.get(id) {
        Some(Exit::Left) => ", is leaving",
        Some(Exit::Removed) => ", is being removed",
        None => "",
    };
    format!("{} {} {vote}, reputation {}{invites}{leaving}", people.name(id), id.short(), account.reputation)
}

fn motion_line(ledger: &Ledger, people: &People, who: &MemberId, ballot: &Ballot) -> String {
    let power = ledger.accounts.values().map(|account| account.power).fold(0, u64::saturating_add);
    let voters: Vec<String> = ballot.votes.iter().map(|voter| people.name(voter)).collect();
    format!(
        "remove {}: {} of {power} votes ({}), until round {}",
        people.name(who),
        behind(ledger, ballot),
        voters.join(", "),
        ballot.last_round
    )
}

/// The voting power of those who are for it.
fn behind(ledger: &Ledger, ballot: &Ballot) -> u64 {
    let powers = ballot.votes.iter().filter_map(|voter| ledger.accounts.get(voter)).map(|account| account.power);
    powers.fold(0, u64::saturating_add)
}

/// Votes for a motion.
pub(super) fn vote(command: &VoteCommand) -> Result<Answer, Failure> {
    let VoteCommand::Remove(args) = command;
    let payer = Payer::of(&args.owner)?;
    let books = payer.books()?;
    let people = People::enrolled(&payer.genesis, &books.ledger.roll.names);
    let member = people.account(&args.member)?;
    let motion = Motion::Remove(member);
    let fate = payer.instruct(&books, Action::Vote(motion))?;
    let name = people.name(&member);
    let (decided, text) = match fate {
        Fate::HandedIn => (false, format!("handed in: a vote for the removal of {name}\n")),
        Fate::Decided(books) => (true, standing(&books.ledger, &people, &member)),
    };
    Ok(Answer { text, json: json!({ "voter": payer.id(), "motion": motion, "decided": decided }) })
}

/// How a motion stands that was just voted for.
fn standing(ledger: &Ledger, people: &People, member: &MemberId) -> String {
    match ledger.roll.removals.get(member) {
        Some(ballot) => format!("{}\n", motion_line(ledger, people, member, ballot)),
        None => format!("the motion is carried: {} is no member once its vote may go\n", people.name(member)),
    }
}
