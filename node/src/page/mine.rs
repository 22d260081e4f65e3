//! The parts of the page about what is this member's alone: its guardian and its agents.

use althing_protocol::event::{Account, DecidedBy, Role};

use super::{
    board::{Board, Said},
    html::View,
    sheet::{escaped, fact, quiet},
};
use crate::{
    status::Status,
    transcript::{Asked, Entry, What},
};

/// The roles, as people call them, and what their rules go by.
const ROLES: [(Role, &str, &str); 3] = [
    (Role::Bidder, "bidder", "the contract that is cheapest for its worth, at cost"),
    (Role::Selector, "selector", "as many as there are places, those first who were not hired for long"),
    (Role::Guardian, "guardian", "as much as the machine can do in time, and a budget that lasts evenly"),
];

/// More memory than a machine has: the system does not tell how much is free.
const MEMORY_UNLIKELY_BYTES: u64 = 1 << 60;

/// What the round may cost this member, and what it costs.
pub(super) fn guardian(view: &View<'_>) -> String {
    let View { status, machine, board, .. } = view;
    let privacy = status.privacy.map_or_else(
        || quiet("Training is without noise: an update may tell its readers anything about the examples."),
        epsilon,
    );
    let said: Vec<String> = said(board, Role::Guardian).iter().map(|said| escaped(&said.choice)).collect();
    let allows = if said.is_empty() { String::new() } else { fact("allows", &said.join("; ")) };
    let width = board
        .hired_for(&status.member)
        .map_or_else(|| "not hired in this round".to_owned(), |width| format!("{width} of each layer"));
    let load = f64::from(machine.load_permille) / 1e3;
    let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    let free = match machine.free_memory_bytes {
        bytes if bytes >= MEMORY_UNLIKELY_BYTES => "unknown".to_owned(),
        bytes => format!("{} MiB", bytes >> 20),
    };
    format!(
        "{privacy}<dl>{allows}{}{}{}{}</dl>",
        fact("width", &width),
        fact(
            "load",
            &format!(
                "<meter min=\"0\" max=\"2\" high=\"1\" value=\"{load:.2}\" aria-hidden=\"true\"></meter> {load:.2} tasks a core, on {cores}"
            )
        ),
        fact("memory free", &free),
        fact("most memory used", &format!("{} MiB", status.peak_rss_mb)),
    )
}

fn epsilon(account: Account) -> String {
    let Account { epsilon_micro: whole, spent_micro: spent, delta_pico, rounds_left } = account;
    let micro = |value: u64| value as f64 / 1e6;
    format!(
        "<p>epsilon <meter min=\"0\" max=\"{whole}\" value=\"{spent}\" high=\"{}\" aria-hidden=\"true\"></meter> {:.3} of \
         {:.3} spent, {:.3} left for {rounds_left} trainings at the most, at delta {:e}</p>",
        whole / 10 * 9,
        micro(spent),
        micro(whole),
        micro(whole.saturating_sub(spent)),
        delta_pico as f64 / 1e12,
    )
}

/// What the agents decided last, who decided it, and why.
pub(super) fn agents(status: &Status, board: &Board, entries: &[Entry]) -> String {
    let mut html = "<dl>".to_owned();
    for (role, name, rule) in ROLES {
        let words = |said: &Said| {
            format!("<p>{} <span class=\"quiet\">{}</span></p>", escaped(&said.choice), said_by(said, rule))
        };
        let said: String = said(board, role).iter().map(words).collect();
        let why = why(entries, role).map(|why| format!("<p class=\"quiet\">because {}</p>", escaped(why)));
        let orders: String = orders(entries, role).iter().map(|(round, asked)| order(round.0, asked)).collect();
        let said = if said.is_empty() { "nothing yet".to_owned() } else { said };
        html += &fact(name, &(said + &why.unwrap_or_default() + &orders));
    }
    let decisions = status.decisions;
    let all =
        format!("{} by a model, {} by rules, {} fallen back", decisions.model, decisions.rules, decisions.fallback);
    html + &fact("decisions", &all) + "</dl>"
}

fn said(board: &Board, role: Role) -> &[Said] {
    board.said.get(&role).map_or(&[], Vec::as_slice)
}

fn said_by(said: &Said, rule: &str) -> String {
    let round = said.round;
    match said.by {
        DecidedBy::Model => format!("round {round}, by an order of the model"),
        DecidedBy::Rules => format!("round {round}, by rules: {rule}"),
        DecidedBy::Fallback => format!("round {round}, by rules in the model's place: {rule}"),
    }
}

/// Why the rules had to decide in the model's place, if that was so the last time.
fn why(entries: &[Entry], role: Role) -> Option<&str> {
    let of_role = entries.iter().rev().filter(|entry| entry.role == role);
    let last = of_role.filter_map(|entry| match &entry.what {
        What::Decided { why, .. } => Some(why),
        What::Asked(_) | What::Benched { .. } => None,
    });
    last.take(1).flatten().next().map(String::as_str)
}

/// The last answer of the model on each topic of the role, the newest first.
fn orders(entries: &[Entry], role: Role) -> Vec<(althing_protocol::ids::Round, &Asked)> {
    let mut orders: Vec<(_, &Asked)> = Vec::new();
    for entry in entries.iter().rev().filter(|entry| entry.role == role) {
        if let What::Asked(asked) = &entry.what
            && !orders.iter().any(|(_, known)| known.topic == asked.topic)
        {
            orders.push((entry.round, asked));
        }
    }
    orders
}

fn order(round: u64, asked: &Asked) -> String {
    let Asked { topic, reason, choice, why, .. } = asked;
    let outcome = match (choice, why) {
        (Some(choice), _) => format!("order: {}", escaped(choice)),
        (None, why) => format!("no order: {}", escaped(why.as_deref().unwrap_or("the model gave none"))),
    };
    let reason = if reason.is_empty() { String::new() } else { format!("<q>{}</q>", escaped(reason)) };
    format!("<p><span class=\"quiet\">the model on {} in round {round}:</span> {reason} {outcome}</p>", escaped(topic))
}
