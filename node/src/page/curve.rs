//! A line over the rounds, as SVG without styles of its own.

use std::fmt::Write;

/// Size of the picture, in its own units.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 150.0;

/// Room for the numbers at the left, and above and below the line.
const LEFT: f64 = 52.0;
const MARGIN: f64 = 14.0;

/// Draws `points` (round and value) with the least and the greatest value written beside them, each as `label` says.
/// `title` is what a reader hears who does not see the picture.
pub(super) fn draw(title: &str, points: &[(u64, f64)], label: impl Fn(f64) -> String) -> String {
    let finite: Vec<(u64, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let (Some(&(first, _)), Some(&(last, latest))) = (finite.first(), finite.last()) else {
        return "<p class=\"quiet\">nothing to draw yet</p>".to_owned();
    };
    let least = finite.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let most = finite.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let along = |round: u64| LEFT + (WIDTH - LEFT - MARGIN) * (round - first) as f64 / (last - first).max(1) as f64;
    let up = |value: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * (value - least) / (most - least).max(1e-9);
    let mut line = String::new();
    for (round, value) in &finite {
        // Writing to a string cannot fail.
        let _ = write!(line, "{:.1},{:.1} ", along(*round), up(*value));
    }
    let (x, y) = (along(last), up(latest));
    let (top, bottom) = (label(most), label(least));
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: {now} in round {last}, from {bottom} to \
         {top}\"><text x=\"0\" y=\"{above}\">{top}</text><text x=\"0\" y=\"{below}\">{bottom}</text>\
         <polyline points=\"{line}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/></svg>",
        now = label(latest),
        above = MARGIN + 4.0,
        below = HEIGHT - MARGIN + 4.0,
        line = line.trim_end(),
    )
}
