//! The parts of a node's page as HTML. Every text that is not the code's own is escaped.

use std::collections::BTreeMap;

use althing_agents::guardian::Machine;
use althing_protocol::event::Phase;

use super::{
    board::{Board, Past, Row},
    curve, map, mine,
    sheet::{self, Head, Part, Span, clock, credits, escaped, fact, megabytes, quiet, table},
};
use crate::{blobs::Transit, status::Status, transcript::Entry};

/// Rounds of which the table tells.
const ROUNDS_TOLD: usize = 8;

/// The phases of a round in their order, as people call them.
const PHASES: [(Phase, &str); 7] = [
    (Phase::Wait, "wait"),
    (Phase::Bid, "bid"),
    (Phase::Reveal, "reveal"),
    (Phase::Plan, "plan"),
    (Phase::Train, "train"),
    (Phase::Appraise, "appraise"),
    (Phase::Settle, "settle"),
];

/// Everything that the page shows.
pub(crate) struct View<'a> {
    /// The node at this moment.
    pub status: &'a Status,
    /// The machine that it runs on.
    pub machine: Machine,
    /// What happened before.
    pub board: &'a Board,
    /// The newest entries of the transcript, the oldest first.
    pub entries: &'a [Entry],
}

/// The whole page.
pub(crate) fn page(view: &View<'_>) -> String {
    let View { status, board, .. } = view;
    let name = board.name(&status.member);
    let head = Head {
        title: &format!("{name} · {}", board.federation),
        heading: &board.federation,
        about: &format!("{name}, {}, network {}", board.task, status.network.short()),
        away: "the node does not answer; trying again",
    };
    sheet::document(&head, &parts(view))
}

/// The contents of the parts, by where they go.
pub(crate) fn live(view: &View<'_>) -> BTreeMap<&'static str, String> {
    sheet::live(parts(view))
}

fn parts(view: &View<'_>) -> Vec<Part> {
    let View { status, board, entries, .. } = view;
    vec![
        Part::plain("now", "Now", Span::Half, now(status, board)),
        Part::plain("map", "Map of members", Span::Half, members_map(status, board)),
        Part::plain("accuracy", "Accuracy on my held-out examples", Span::Half, accuracy(board)),
        Part::plain("loss", "Loss on my held-out examples", Span::Half, loss(board)),
        Part::scroll("members", "Members", members(status, board)),
        Part::plain("guardian", "My guardian", Span::Half, mine::guardian(view)),
        Part::plain("agents", "My agents", Span::Half, mine::agents(status, board, entries)),
        Part::scroll("rounds", "Last rounds", rounds(board)),
        Part::plain("blobs", "Models and updates on their way to me", Span::Half, blobs(status, board)),
        Part::plain("traffic", "My traffic", Span::Half, traffic(status)),
        Part::plain("faults", "Faults", Span::Whole, faults(board)),
    ]
}

fn now(status: &Status, board: &Board) -> String {
    let phase = status.phase.unwrap_or(Phase::Wait);
    let phases = PHASES.iter().map(|(one, name)| {
        let current = if *one == phase { " aria-current=\"step\"" } else { "" };
        format!("<li{current}>{name}</li>")
    });
    let hindrances = status.hindrances.iter().map(|why| format!("<p class=\"alarm\">{}</p>", escaped(why)));
    let here = board.members.iter().filter(|row| row.is_here).count();
    let chair = status.chair.map_or_else(|| "nobody".to_owned(), |chair| escaped(&board.name(&chair)));
    let steps = status.exchange.map(|steps| {
        fact("exchange", &format!("step {}, {} models accepted of {}", steps.step, steps.accepted, steps.received))
    });
    format!(
        "<p class=\"big\">round {}</p><ol class=\"phases\">{}</ol>{}<dl>{}{}{}{}{}{}{}</dl>",
        status.round,
        phases.collect::<String>(),
        hindrances.collect::<String>(),
        fact("chaired by", &chair),
        fact("members here", &format!("{here} of {}", board.members.len())),
        fact("decided", &format!("height {}", status.height)),
        fact("in escrow", &format!("{} credits", credits(board.escrow))),
        fact("my credits", &credits(status.credits)),
        fact("my reputation", &format!("{} of 1000", status.reputation)),
        steps.unwrap_or_default(),
    )
}

fn members_map(status: &Status, board: &Board) -> String {
    map::draw(board, status.member, status.chair) + &quiet(map::LEGEND)
}

fn accuracy(board: &Board) -> String {
    let percent = |value| format!("{:.1} %", value * 100.0);
    curve::draw("accuracy", "round", &scored(board, |scored| scored.accuracy), percent)
}

fn loss(board: &Board) -> String {
    curve::draw("loss", "round", &scored(board, |scored| scored.loss), |value| format!("{value:.3}"))
}

fn scored(board: &Board, value: impl Fn(super::Scored) -> f32) -> Vec<(u64, f64)> {
    let point = |past: &Past| Some((past.round.0, f64::from(value(past.scored?))));
    board.rounds.iter().filter_map(point).collect()
}

fn members(status: &Status, board: &Board) -> String {
    let row = |row: &Row| {
        let Row { name, reputation, hired, delivered, .. } = row;
        let class = if row.id == status.member { " class=\"me\"" } else { "" };
        let here = if row.is_here { "here" } else { "away" };
        let chair = if status.chair == Some(row.id) { " (chair)" } else { "" };
        let width = board.hired_for(&row.id).map_or("", |width| width.name());
        format!(
            "<tr{class}><td><span class=\"{here}\" title=\"{here}\">{}</span>{chair}</td><td><meter min=\"0\" \
             max=\"1000\" value=\"{reputation}\" aria-hidden=\"true\"></meter> {reputation}</td><td>{}</td><td>{}</td>\
             <td>{width}</td><td>{hired}</td><td>{delivered}</td></tr>",
            escaped(name),
            credits(row.balance),
            credits(row.promised),
        )
    };
    let headings = ["member", "reputation", "credits", "in escrow", "trains width", "hired", "delivered"];
    table(&headings, board.members.iter().map(row))
}

fn rounds(board: &Board) -> String {
    if board.rounds.is_empty() {
        return quiet("no round was settled since this node has started");
    }
    let row = |past: &Past| {
        let took = past.took_ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1e3));
        let chair = if past.taken_over { "taken over" } else { "in office" };
        format!(
            "<tr><td>{}</td><td>{took}</td><td>{}</td><td>{}</td><td>{}</td><td>{chair}</td></tr>",
            past.round,
            past.hired,
            past.updates,
            credits(past.paid)
        )
    };
    let headings = ["round", "took", "hired", "updates", "paid", "chair"];
    table(&headings, board.rounds.iter().rev().take(ROUNDS_TOLD).map(row))
}

fn blobs(status: &Status, board: &Board) -> String {
    let arrived: Vec<String> = board.arrived.iter().map(|id| escaped(&board.name(id))).collect();
    let arrived = match (board.hired(), arrived.is_empty()) {
        (0, true) => "nobody is hired now".to_owned(),
        (hired, true) => format!("none of {hired} yet"),
        (hired, false) => format!("{} of {hired}: {}", arrived.len(), arrived.join(", ")),
    };
    let held = status.holdings;
    let facts = format!(
        "<dl>{}{}</dl>",
        fact("updates of this round here", &arrived),
        fact("on the disk", &format!("{} blobs, {}", held.blobs, megabytes(held.blob_bytes))),
    );
    if board.transits.is_empty() {
        return quiet("nothing is on its way") + &facts;
    }
    let line = |transit: &Transit| {
        let Transit { blob, pieces, landed, in_flight, providers } = transit;
        let model = board.model.filter(|(_, model)| model == blob);
        let name =
            model.map_or_else(|| format!("blob {}", blob.hash.short()), |(round, _)| format!("model of round {round}"));
        format!(
            "<li><meter min=\"0\" max=\"{pieces}\" value=\"{landed}\" aria-hidden=\"true\"></meter> {name}, {}: {landed} \
             of {pieces} pieces here, {in_flight} asked for, {providers} members have it</li>",
            megabytes(blob.size)
        )
    };
    format!("<ul class=\"plain\">{}</ul>{facts}", board.transits.iter().map(line).collect::<String>())
}

fn traffic(status: &Status) -> String {
    let wire = status.wire;
    format!(
        "<dl>{}{}{}{}</dl>",
        fact("sent", &megabytes(wire.sent_bytes)),
        fact("received", &megabytes(wire.received_bytes)),
        fact("models and updates sent", &megabytes(wire.blob_sent_bytes)),
        fact("models and updates received", &megabytes(wire.blob_received_bytes)),
    )
}

fn faults(board: &Board) -> String {
    if board.faults.is_empty() {
        return quiet("none since this node has started");
    }
    let line = |fault: &super::Fault| format!("<li><time>{}</time>{}</li>", clock(fault.at_ms), escaped(&fault.what));
    format!("<ul class=\"plain\">{}</ul>", board.faults.iter().map(line).collect::<String>())
}
