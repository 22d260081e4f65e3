//! The page's parts as HTML. Every text that is not the code's own is escaped.

use std::{collections::BTreeMap, fmt::Write};

use althing_protocol::event::{DecidedBy, Phase, Role};

use super::{
    board::{Board, Past, Row},
    curve,
};
use crate::{
    status::Status,
    transcript::{Entry, What},
};

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
    /// What happened before.
    pub board: &'a Board,
    /// The newest entries of the transcript, the oldest first.
    pub entries: &'a [Entry],
}

/// A part of the page: where it goes, its heading, and its content.
struct Part {
    id: &'static str,
    class: &'static str,
    heading: &'static str,
    html: String,
}

/// The whole page.
pub(crate) fn page(view: &View<'_>) -> String {
    let (federation, name) = (escaped(&view.board.federation), escaped(&view.board.name(&view.status.member)));
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name} · {federation}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/page.js\" defer></script></head><body>\
         <a class=\"skip\" href=\"#content\">to the content</a><header><h1>{federation}</h1>\
         <p class=\"quiet\">{name}, {task}, network {network}</p><p id=\"state\" class=\"quiet\" role=\"status\"></p>\
         </header><main id=\"content\">",
        task = escaped(&view.board.task),
        network = view.status.network.short(),
    );
    for Part { id, class, heading, html: content } in parts(view) {
        // Writing to a string cannot fail.
        let _ = write!(
            html,
            "<section class=\"{class}\" aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{heading}</h2>\
             <div id=\"{id}\">{content}</div></section>"
        );
    }
    html + "</main></body></html>"
}

/// The contents of the parts, by where they go.
pub(crate) fn live(view: &View<'_>) -> BTreeMap<&'static str, String> {
    parts(view).into_iter().map(|part| (part.id, part.html)).collect()
}

fn parts(view: &View<'_>) -> Vec<Part> {
    let View { status, board, entries } = view;
    let part = |id, class, heading, html| Part { id, class, heading, html };
    vec![
        part("now", "wide", "Now", now(status, board)),
        part("accuracy", "half", "Accuracy on my held-out examples", accuracy(board)),
        part("loss", "half", "Loss on my held-out examples", loss(board)),
        part("members", "wide", "Members", members(status, board)),
        part("rounds", "wide", "Last rounds", rounds(board)),
        part("guardian", "", "My guardian", guardian(status, board)),
        part("agents", "", "My agents", agents(status, board, entries)),
        part("traffic", "", "My machine", traffic(status)),
        part("faults", "wide", "Faults", faults(board)),
    ]
}

fn now(status: &Status, board: &Board) -> String {
    let phase = status.phase.unwrap_or(Phase::Wait);
    let phases = PHASES.iter().map(|(one, name)| {
        let current = if *one == phase { " aria-current=\"step\"" } else { "" };
        format!("<li{current}>{name}</li>")
    });
    let phases: String = phases.collect();
    let here = board.members.iter().filter(|row| row.is_here).count();
    let chair = status.chair.map_or_else(|| "nobody".to_owned(), |chair| escaped(&board.name(&chair)));
    format!(
        "<p class=\"big\">round {}</p><ol class=\"phases\">{phases}</ol><dl>{}{}{}{}</dl>",
        status.round,
        fact("chaired by", &chair),
        fact("members here", &format!("{here} of {}", board.members.len())),
        fact("decided", &format!("height {}", status.height)),
        fact("in escrow", &credits(board.escrow)),
    )
}

fn accuracy(board: &Board) -> String {
    curve::draw("accuracy", &scored(board, |scored| scored.accuracy), |value| format!("{:.1} %", value * 100.0))
}

fn loss(board: &Board) -> String {
    curve::draw("loss", &scored(board, |scored| scored.loss), |value| format!("{value:.3}"))
}

fn scored(board: &Board, value: impl Fn(super::Scored) -> f32) -> Vec<(u64, f64)> {
    let point = |past: &Past| Some((past.round.0, f64::from(value(past.scored?))));
    board.rounds.iter().filter_map(point).collect()
}

fn members(status: &Status, board: &Board) -> String {
    let mut html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Members\"><table><thead><tr>\
                    <th>member</th><th>reputation</th><th>credits</th><th>promised</th><th>hired</th><th>delivered</th>\
                    </tr></thead><tbody>"
        .to_owned();
    for row in &board.members {
        let Row { name, reputation, hired, delivered, .. } = row;
        let class = if row.id == status.member { " class=\"me\"" } else { "" };
        let (here, spoken) = if row.is_here { ("here", "here") } else { ("away", "away") };
        let chair = if status.chair == Some(row.id) { " (chair)" } else { "" };
        let _ = write!(
            html,
            "<tr{class}><td><span class=\"{here}\" title=\"{spoken}\">{}</span>{chair}</td>\
             <td><meter min=\"0\" max=\"1000\" value=\"{reputation}\">{reputation}</meter> {reputation}</td>\
             <td>{}</td><td>{}</td><td>{hired}</td><td>{delivered}</td></tr>",
            escaped(name),
            credits(row.balance),
            credits(row.promised),
        );
    }
    html + "</tbody></table></div>"
}

fn rounds(board: &Board) -> String {
    if board.rounds.is_empty() {
        return quiet("no round was settled since this node has started");
    }
    let mut html = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Last rounds\"><table><thead><tr>\
                    <th>round</th><th>took</th><th>hired</th><th>updates</th><th>paid</th><th>chair</th>\
                    </tr></thead><tbody>"
        .to_owned();
    for past in board.rounds.iter().rev().take(ROUNDS_TOLD) {
        let took = past.took_ms.map_or_else(|| "?".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1e3));
        let chair = if past.taken_over { "taken over" } else { "in office" };
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{took}</td><td>{}</td><td>{}</td><td>{}</td><td>{chair}</td></tr>",
            past.round,
            past.hired,
            past.updates,
            credits(past.paid)
        );
    }
    html + "</tbody></table></div>"
}

fn guardian(status: &Status, board: &Board) -> String {
    let privacy = match status.privacy {
        None => quiet("Training is without noise: an update may tell its readers anything about the examples."),
        Some(account) => {
            let (spent, whole) = (account.spent_micro, account.epsilon_micro);
            let micro = |value: u64| value as f64 / 1e6;
            format!(
                "<p>epsilon <meter min=\"0\" max=\"{whole}\" value=\"{spent}\" high=\"{}\">{spent}</meter> {:.3} of \
                 {:.3} spent, {:.3} left, at delta {:e}</p>",
                whole / 10 * 9,
                micro(spent),
                micro(whole),
                micro(whole.saturating_sub(spent)),
                account.delta_pico as f64 / 1e12,
            )
        }
    };
    let work = board.said.get(&Role::Guardian).map(|said| fact("allows", &escaped(&said.choice))).unwrap_or_default();
    format!("{privacy}<dl>{work}{}</dl>", fact("most memory", &format!("{} MiB", status.peak_rss_mb)))
}

fn agents(status: &Status, board: &Board, entries: &[Entry]) -> String {
    let mut html = "<dl>".to_owned();
    for (role, name) in [(Role::Bidder, "bidder"), (Role::Selector, "selector"), (Role::Guardian, "guardian")] {
        let said = board.said.get(&role).map_or_else(
            || "nothing yet".to_owned(),
            |said| format!("{} (round {}, {})", escaped(&said.choice), said.round, by(said.by)),
        );
        html += &fact(name, &said);
    }
    let decisions = status.decisions;
    let all =
        format!("{} by a model, {} by rules, {} fallen back", decisions.model, decisions.rules, decisions.fallback);
    html += &fact("decisions", &all);
    html += "</dl>";
    let asked = entries.iter().rev().find_map(|entry| match &entry.what {
        What::Asked(asked) => Some((entry.round, asked)),
        What::Decided { .. } | What::Benched { .. } => None,
    });
    if let Some((round, asked)) = asked {
        let order = asked.choice.as_deref().or(asked.why.as_deref()).unwrap_or_default();
        let (topic, reason) = (escaped(&asked.topic), escaped(&asked.reason));
        let _ = write!(html, "<p>The model on {topic} in round {round}: <q>{reason}</q> {}</p>", escaped(order));
    }
    html
}

const fn by(by: DecidedBy) -> &'static str {
    match by {
        DecidedBy::Model => "by the model",
        DecidedBy::Rules => "by rules",
        DecidedBy::Fallback => "by rules, in the model's place",
    }
}

fn traffic(status: &Status) -> String {
    let wire = status.wire;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
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

/// The time of day, in UTC.
fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn fact(name: &str, value: &str) -> String {
    format!("<dt>{name}</dt><dd>{value}</dd>")
}

fn quiet(text: &str) -> String {
    format!("<p class=\"quiet\">{text}</p>")
}

fn credits(micro: u64) -> String {
    format!("{:.3}", micro as f64 / 1e6)
}

/// `text` as it can stand in HTML, in an element or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
