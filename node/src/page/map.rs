//! The members as a picture: who is connected to this node, what each owns, what it is trusted, who is hired.

use std::{f64::consts::TAU, fmt::Write};

use althing_protocol::ids::MemberId;

use super::{
    board::{Board, Row},
    sheet::{credits, escaped},
};

/// Size of the picture, in its own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 280.0;

/// Where the members stand: on an oval around the middle.
const MIDDLE: (f64, f64) = (WIDTH / 2.0, HEIGHT / 2.0 - 6.0);
const REACH: (f64, f64) = (150.0, 98.0);

/// Radius of the poorest and of the richest member, where there is room.
const RADII: (f64, f64) = (7.0, 19.0);

/// Members up to which everybody is named; of more, names would cover each other.
const NAMED_MAX: usize = 16;

/// Letters of a name that fit.
const NAME_CHARS: usize = 12;

/// What the marks mean.
pub(super) const LEGEND: &str = "Size: credits. Colour: the stronger, the better the reputation. Ring: hired, with \
                                 credits in escrow. Dashes: chairs the round. Hollow: not connected to this node.";

/// Draws the members. The same figures stand in the table below the map.
pub(super) fn draw(board: &Board, me: MemberId, chair: Option<MemberId>) -> String {
    let richest = board.members.iter().map(|row| row.balance).max().unwrap_or(0).max(1);
    let count = board.members.len();
    let room = (TAU * REACH.1 / count.max(1) as f64 / 2.0).clamp(1.5, RADII.1);
    let place = |index: usize| {
        let angle = TAU * (index as f64 / count as f64 - 0.25);
        if count == 1 { MIDDLE } else { (MIDDLE.0 + REACH.0 * angle.cos(), MIDDLE.1 + REACH.1 * angle.sin()) }
    };
    let here = board.members.iter().filter(|row| row.is_here).count();
    let mut svg = format!(
        "<svg class=\"map\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Map of {count} members, {here} of \
         them here; the table has the same figures\">"
    );
    if let Some((x, y)) = board.members.iter().position(|row| row.id == me).map(place) {
        for (index, row) in board.members.iter().enumerate().filter(|(_, row)| row.is_here && row.id != me) {
            let (to_x, to_y) = place(index);
            let class = if row.promised > 0 { "link busy" } else { "link" };
            // Writing to a string cannot fail.
            let _ =
                write!(svg, "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\"/>");
        }
    }
    for (index, row) in board.members.iter().enumerate() {
        // The area stands for the credits, as the eye takes it.
        let share = (row.balance as f64 / richest as f64).sqrt();
        let radius = (RADII.0 + (RADII.1 - RADII.0) * share).min(room);
        svg += &dot(row, place(index), radius, chair == Some(row.id));
        if count <= NAMED_MAX {
            svg += &name(row, place(index), radius, row.id == me);
        }
    }
    svg + "</svg>"
}

fn dot(row: &Row, (x, y): (f64, f64), radius: f64, is_chair: bool) -> String {
    let Row { reputation, balance, promised, is_here, .. } = row;
    let told = format!(
        "{}: {} credits, reputation {reputation}, {} in escrow, {}",
        escaped(&row.name),
        credits(*balance),
        credits(*promised),
        if *is_here { "here" } else { "away" },
    );
    let ring = |class: &str, more: f64| {
        format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{:.1}\"/>", radius + more)
    };
    let class = if *is_here { "member" } else { "member gone" };
    // Nobody fades away altogether.
    let strength = 0.2 + 0.8 * f64::from((*reputation).min(1_000)) / 1_000.0;
    format!(
        "<g><title>{told}</title>{}{}{}<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" \
         fill-opacity=\"{strength:.2}\"/></g>",
        if *promised > 0 { ring("escrow", 3.5) } else { String::new() },
        if is_chair { ring("chair", 7.5) } else { String::new() },
        // The lines end where the member begins, however faint it is.
        ring("ground", 0.0),
    )
}

fn name(row: &Row, (x, y): (f64, f64), radius: f64, is_me: bool) -> String {
    let fits = row.name.chars().count() <= NAME_CHARS;
    let mut short: String = row.name.chars().take(if fits { NAME_CHARS } else { NAME_CHARS - 1 }).collect();
    if !fits {
        short.push('…');
    }
    let class = if is_me { " class=\"me\"" } else { "" };
    let below = y + radius + 19.0;
    format!("<text{class} x=\"{x:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{}</text>", escaped(&short))
}
