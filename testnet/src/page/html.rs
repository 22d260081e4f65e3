//! The parts of the page as HTML. Every text that is not the code's own is escaped.

use std::collections::BTreeMap;

use althing_node::page::{
    curve,
    sheet::{self, Head, Part, Span, credits, escaped, fact, megabytes, quiet, table},
};

use super::view::{Doing, NodeRow, RoundRow, View};
use crate::progress::phase_name;

/// Rounds of which the table tells.
const ROUNDS_TOLD: usize = 10;

/// The whole page.
pub(super) fn page(view: &View) -> String {
    let head = Head {
        title: "testnet",
        heading: "testnet",
        about: &format!("{} nodes, {}, network {}", view.nodes.len(), view.task, view.network),
        away: "the testnet has ended, or does not answer",
    };
    sheet::document(&head, &parts(view))
}

/// The contents of the parts, by where they go.
pub(super) fn live(view: &View) -> BTreeMap<&'static str, String> {
    sheet::live(parts(view))
}

fn parts(view: &View) -> Vec<Part> {
    let mut parts = vec![
        Part::plain("now", "Now", Span::Whole, now(view)),
        Part::scroll("nodes", "Nodes", nodes(view)),
        Part::plain("accuracy", "Accuracy on the test set", Span::Third, accuracy(view)),
        Part::plain("time", "Time taken", Span::Third, time(view)),
        Part::plain("traffic", "Sent by all nodes so far", Span::Third, traffic(view)),
    ];
    parts.push(Part::scroll("rounds", if view.has_ledger() { "Last rounds" } else { "Last steps" }, rounds(view)));
    parts.push(Part::plain("said", "What has happened", Span::Whole, said(view)));
    parts
}

fn now(view: &View) -> String {
    let View { unit, number, goal, phase, chair, takeovers, nodes, rounds, .. } = view;
    let running = nodes.iter().filter(|node| node.doing == Doing::Running).count();
    let mut facts = fact("nodes running", &format!("{running} of {}", nodes.len()));
    if view.has_ledger() {
        facts += &fact("phase", phase.map_or("call", phase_name));
        facts += &fact("chaired by", &chair.as_deref().map_or_else(|| "nobody yet".to_owned(), escaped));
        facts += &fact("takeovers", &takeovers.to_string());
    }
    let done = rounds.last().map_or(0, |round| round.number).min(*goal);
    let done_of = format!(
        "<meter min=\"0\" max=\"{goal}\" value=\"{done}\" aria-hidden=\"true\"></meter> {done} of {goal} {unit}s"
    );
    format!("<p class=\"big\">{unit} {number}</p><dl>{}{facts}</dl>", fact("done", &done_of))
}

fn nodes(view: &View) -> String {
    let row = |(place, node): (usize, &NodeRow)| {
        let NodeRow { name, lives, reached, sent_bytes, received_bytes, .. } = node;
        let (class, doing) = match node.doing {
            Doing::Running => ("here", "running"),
            Doing::Ending => ("away", "stopping"),
            Doing::Down if *lives == 0 => ("away", "not started"),
            Doing::Down => ("away", "killed"),
        };
        let is_chair = view.chair.as_ref() == Some(name);
        let attack = node.attack.as_ref().map(|attack| format!(" (attacks: {})", escaped(attack)));
        // A link keeps the keyboard by its id, however often the table is put in again.
        let page = node.page.as_ref().map_or_else(String::new, |address| {
            let address = escaped(address);
            format!("<a id=\"node-{place}\" href=\"http://{address}/\">page of {}</a>", escaped(name))
        });
        let percent = node.accuracy.map_or_else(unknown, percent);
        let owned = node.credits.map_or_else(unknown, credits);
        let reputation = node.reputation.map_or_else(unknown, |reputation| reputation.to_string());
        let standing = view.has_ledger().then(|| format!("<td>{owned}</td><td>{reputation}</td>"));
        format!(
            "<tr><td>{}{}{}</td><td><span class=\"{class}\">{doing}</span></td><td>{lives}</td><td>{reached}</td>\
             {}<td>{percent}</td><td>{}</td><td>{}</td><td>{page}</td></tr>",
            escaped(name),
            if is_chair { " (chair)" } else { "" },
            attack.unwrap_or_default(),
            standing.unwrap_or_default(),
            megabytes(*sent_bytes),
            megabytes(*received_bytes),
        )
    };
    let standing: &[&str] = if view.has_ledger() { &["credits", "reputation"] } else { &[] };
    let headings =
        [&["node", "process", "starts", view.unit], standing, &["accuracy", "sent", "received", "its page"]].concat();
    table(&headings, view.nodes.iter().enumerate().map(row))
}

fn accuracy(view: &View) -> String {
    let points: Vec<_> = view.rounds.iter().filter_map(|round| Some((round.number, round.accuracy?))).collect();
    curve::draw("accuracy", view.unit, &points, percent)
}

fn time(view: &View) -> String {
    let seconds = |round: &RoundRow| Some((round.number, round.duration_ms? as f64 / 1e3));
    let points: Vec<_> = view.rounds.iter().filter_map(seconds).collect();
    curve::draw(&format!("length of a {}", view.unit), view.unit, &points, |value| format!("{value:.2} s"))
}

fn traffic(view: &View) -> String {
    let sent = |round: &RoundRow| Some((round.number, round.sent_bytes? as f64));
    let points: Vec<_> = view.rounds.iter().filter_map(sent).collect();
    curve::draw("sent", view.unit, &points, |value| megabytes(value as u64))
}

fn rounds(view: &View) -> String {
    if view.rounds.is_empty() {
        return quiet("none is over yet");
    }
    let row = |round: &RoundRow| {
        let seconds = round.duration_ms.map_or_else(unknown, |ms| format!("{:.2} s", ms as f64 / 1e3));
        let pay = || {
            let by = round.by.as_deref().map_or_else(unknown, escaped);
            format!("<td>{}</td><td>{by}</td>", credits(round.paid))
        };
        format!(
            "<tr><td>{}</td><td>{seconds}</td><td>{}</td><td>{}</td>{}</tr>",
            round.number,
            round.updates,
            round.accuracy.map_or_else(unknown, percent),
            if view.has_ledger() { pay() } else { String::new() },
        )
    };
    let pay: &[&str] = if view.has_ledger() { &["paid", "settled by"] } else { &[] };
    let headings = [&[view.unit, "took", "updates", "accuracy"], pay].concat();
    table(&headings, view.rounds.iter().rev().take(ROUNDS_TOLD).map(row))
}

fn said(view: &View) -> String {
    let line = |words: &String| format!("<li>{}</li>", escaped(words));
    format!("<ul class=\"plain\">{}</ul>", view.said.iter().rev().map(line).collect::<String>())
}

fn percent(value: f64) -> String {
    format!("{:.1} %", value * 100.0)
}

fn unknown() -> String {
    "?".to_owned()
}
