//! The report as one HTML file that needs nothing else: figures, curves, tables.

use std::fmt::Write as _;

use super::{
    advice,
    error::Error,
    picture::{self, CURVES, LINES_MOST},
    record::Run,
    summary::{PartSummary, Summary},
    sweep::Point,
};
use crate::report::plots::picture::Drawing;

const STYLE: &str = include_str!("page.css");

/// The page.
///
/// # Errors
/// [`Error::Report`] if a picture cannot be drawn.
pub(super) fn html(summary: &Summary, points: &[Point], runs: &[Run]) -> Result<String, Error> {
    let title = escape(&summary.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>{STYLE}</style>\
         </head>\n<body>\n<h1>{title}</h1>\n<p class=\"question\">{}</p>\n",
        escape(&summary.question)
    );
    setting(&mut page, points);
    figures(&mut page, summary);
    page.push_str("<h2>Over the rounds</h2>\n");
    if points.len() > LINES_MOST {
        let _ = writeln!(
            page,
            "<p>Of {} points, the first {LINES_MOST} are drawn. Where lines coincide, the last covers the others.</p>",
            points.len()
        );
    }
    page.push_str("<div class=\"curves\">\n");
    for curve in &CURVES {
        figure(&mut page, &curve.picture(points, runs).svg()?);
    }
    page.push_str("</div>\n<h2>By strategy</h2>\n");
    strategies(&mut page, summary);
    page.push_str("<div class=\"curves\">\n");
    for (number, point) in points.iter().enumerate().take(LINES_MOST) {
        figure(&mut page, &picture::surplus(number, point, runs).svg()?);
    }
    page.push_str("</div>\n");
    advice::write(&mut page, summary);
    page.push_str("</body></html>\n");
    Ok(page)
}

fn figure(page: &mut String, svg: &str) {
    let _ = writeln!(page, "<figure>{svg}</figure>");
}

/// What all points have in common, in a line.
fn setting(page: &mut String, points: &[Point]) {
    let Some(config) = points.first().map(|point| &point.config) else { return };
    let _ = writeln!(
        page,
        "<p>{} members, {} rounds, {} seeds; {}. The supply of credits was counted after every round and is conserved. \
         Amounts are in credits; ± is half of a 95 % interval over seeds.</p>",
        config.members.count,
        config.rounds,
        config.seeds,
        if points.len() > 1 { format!("{} points", points.len()) } else { "one point".to_owned() },
    );
}

/// Figures of every point. One that no point has is left out.
fn figures(page: &mut String, summary: &Summary) {
    let Some(first) = summary.points.first() else { return };
    let _ = write!(page, "<h2>Figures</h2>\n<table><tr><th></th>");
    for (name, _) in first.figures() {
        let _ = write!(page, "<th>{}</th>", escape(name));
    }
    page.push_str("</tr>\n");
    for point in &summary.points {
        let _ = write!(page, "<tr><td>{}</td>", escape(&point.name));
        let figures = point.figures();
        for (name, _) in first.figures() {
            let figure = figures.iter().find(|figure| figure.0 == name).map_or("-", |figure| figure.1.as_str());
            let _ = write!(page, "<td>{}</td>", escape(figure));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

/// Parts of the population at every point.
fn strategies(page: &mut String, summary: &Summary) {
    page.push_str(
        "<p>Income and surplus are a member's, for a round, in micro-credits. <em>Could gain</em> is the part of sampled bidders \
         who would have been paid better above their cost for another price in that round, with those of the others as they \
         were; <em>regret</em> is by how much, on average. Both count pay for delivery, not the bonus.</p>\n<table class=\"parts\"><tr><th></th>",
    );
    for column in PartSummary::COLUMNS {
        let _ = write!(page, "<th>{column}</th>");
    }
    page.push_str("</tr>\n");
    for point in &summary.points {
        for (place, part) in point.parts.iter().enumerate() {
            let name = if place == 0 { escape(&point.name) } else { String::new() };
            let _ = write!(page, "<tr{}><td>{name}</td>", if place == 0 { " class=\"first\"" } else { "" });
            for cell in part.cells() {
                let _ = write!(page, "<td>{}</td>", escape(&cell));
            }
            page.push_str("</tr>\n");
        }
    }
    page.push_str("</table>\n");
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
