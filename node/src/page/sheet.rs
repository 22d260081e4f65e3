//! A page in the look of a node's: parts that the program renders, and that the browser asks for again. The page of the
//! testnet is made of the same.

use std::{collections::BTreeMap, fmt::Write};

use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};

/// The look.
const STYLE: &str = include_str!("page.css");

/// What asks for the parts again.
const SCRIPT: &str = include_str!("page.js");

/// What a browser may load for a page: what comes from this program, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a page says above its parts. All of it is escaped.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// What the browser calls it.
    pub title: &'a str,
    /// Its heading.
    pub heading: &'a str,
    /// A line about what it shows.
    pub about: &'a str,
    /// What it says when nobody answers any more.
    pub away: &'a str,
}

/// How much of the page's width a part takes on a desk; on a phone all take all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// A third.
    Third,
    /// Half.
    Half,
    /// All.
    Whole,
}

/// What surrounds a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Nothing: it fits a phone.
    Plain,
    /// What may be wider than a phone scrolls by itself, by keyboard too. The frame stays when its content changes, so
    /// that whoever reads in it keeps the place.
    Scroll,
}

/// A part of a page.
#[derive(Debug, Clone)]
pub struct Part {
    /// The element that its content belongs in.
    pub id: &'static str,
    /// Its heading.
    pub heading: &'static str,
    /// How wide it is.
    pub span: Span,
    /// What surrounds it.
    pub frame: Frame,
    /// Its content: markup, in which every text that is not the code's own is escaped.
    pub html: String,
}

/// The whole page.
pub fn document(head: &Head<'_>, parts: &[Part]) -> String {
    let Head { title, heading, about, away } = head;
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/page.js\" defer></script></head><body>\
         <a class=\"skip\" href=\"#content\">to the content</a><header><h1>{heading}</h1>\
         <p class=\"quiet\">{about}</p><p id=\"state\" role=\"status\" data-away=\"{away}\">as it was when it was \
         loaded</p></header><main id=\"content\" tabindex=\"-1\">",
        title = escaped(title),
        heading = escaped(heading),
        about = escaped(about),
        away = escaped(away),
    );
    parts.iter().for_each(|part| html += &part.framed());
    html + "</main></body></html>"
}

/// The contents of the parts, by where they go.
pub fn live(parts: Vec<Part>) -> BTreeMap<&'static str, String> {
    parts.into_iter().map(|part| (part.id, part.html)).collect()
}

impl Part {
    /// A part without a frame of its own.
    pub const fn plain(id: &'static str, heading: &'static str, span: Span, html: String) -> Self {
        Self { id, heading, span, frame: Frame::Plain, html }
    }

    /// A part that may be wider than a phone, over the whole width of a desk.
    pub const fn scroll(id: &'static str, heading: &'static str, html: String) -> Self {
        Self { id, heading, span: Span::Whole, frame: Frame::Scroll, html }
    }

    fn framed(&self) -> String {
        let Self { id, heading, html, .. } = self;
        let class = match self.span {
            Span::Third => "third",
            Span::Half => "half",
            Span::Whole => "whole",
        };
        let region = format!("role=\"region\" aria-labelledby=\"{id}-title\"");
        let (outer, inner) = match self.frame {
            Frame::Plain => (region, "<div>".to_owned()),
            Frame::Scroll => (String::new(), format!("<div class=\"scroll\" tabindex=\"0\" {region}>")),
        };
        format!(
            "<section class=\"{class}\" {outer}><h2 id=\"{id}-title\">{heading}</h2>{inner}<div id=\"{id}\">{html}</div>\
             </div></section>"
        )
    }
}

/// What a page needs beside itself.
pub fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/page.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)))
        .route("/page.js", get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)))
}

/// The answer that holds a page.
pub fn answer(html: String) -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::REFERRER_POLICY, "no-referrer")];
    (headers, Html(html)).into_response()
}

/// A table with these headings.
pub fn table(headings: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let mut html = "<table><thead><tr>".to_owned();
    for heading in headings {
        // Writing to a string cannot fail.
        let _ = write!(html, "<th scope=\"col\">{heading}</th>");
    }
    html += "</tr></thead><tbody>";
    rows.into_iter().for_each(|row| html += &row);
    html + "</tbody></table>"
}

/// A line of a list of facts; `value` is markup.
pub fn fact(name: &str, value: &str) -> String {
    format!("<dt>{name}</dt><dd>{value}</dd>")
}

/// A remark.
pub fn quiet(text: &str) -> String {
    format!("<p class=\"quiet\">{text}</p>")
}

/// Credits to the nearest thousandth.
pub fn credits(micro: u64) -> String {
    format!("{:.3}", micro as f64 / 1e6)
}

/// Millions of bytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The time of day, in UTC.
pub fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// `text` as it can stand in HTML, in an element or in a quoted attribute.
pub fn escaped(text: &str) -> String {
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
