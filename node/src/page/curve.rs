//! A line over the rounds, as SVG without styles of its own.

use std::fmt::Write;

use super::sheet::quiet;

/// Size of the picture, in its own units.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 160.0;

/// Room for the numbers at the left, above the line, and for the rounds below it.
const LEFT: f64 = 80.0;
const MARGIN: f64 = 14.0;
const BELOW: f64 = 28.0;

/// Draws `points` (a round, or what `unit` calls it, and a value) with the least and the greatest value written beside
/// them, each as `label` says. `title` is what a reader hears who does not see the picture.
pub fn draw(title: &str, unit: &str, points: &[(u64, f64)], label: impl Fn(f64) -> String) -> String {
    let finite: Vec<(u64, f64)> = points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let (Some(&(first, _)), Some(&(last, latest))) = (finite.first(), finite.last()) else {
        return quiet("nothing to draw yet");
    };
    let least = finite.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let most = finite.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let floor = HEIGHT - BELOW;
    let along = |round: u64| LEFT + (WIDTH - LEFT - MARGIN) * (round - first) as f64 / (last - first).max(1) as f64;
    let up = |value: f64| floor - (floor - MARGIN) * (value - least) / (most - least).max(1e-9);
    let mut line = String::new();
    for (round, value) in &finite {
        // Writing to a string cannot fail.
        let _ = write!(line, "{:.1},{:.1} ", along(*round), up(*value));
    }
    let (x, y) = (along(last), up(latest));
    let (top, bottom, now) = (label(most), label(least), label(latest));
    let mut svg = format!(
        "<p class=\"latest\">{now}</p><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: {now} in \
         {unit} {last}, from {bottom} to {top}\"><line class=\"edge\" x1=\"{LEFT}\" y1=\"{MARGIN}\" x2=\"{right}\" \
         y2=\"{MARGIN}\"/><line class=\"edge\" x1=\"{LEFT}\" y1=\"{floor}\" x2=\"{right}\" y2=\"{floor}\"/>\
         <text x=\"{beside}\" y=\"{above}\" text-anchor=\"end\">{top}</text><text x=\"{LEFT}\" y=\"{under}\">{unit} \
         {first}</text>",
        right = WIDTH - MARGIN,
        beside = LEFT - 8.0,
        above = MARGIN + 4.0,
        under = HEIGHT - 8.0,
    );
    if most > least {
        let _ = write!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{bottom}</text>", LEFT - 8.0, floor + 4.0);
    }
    if last > first {
        let _ = write!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{last}</text>", WIDTH - MARGIN, HEIGHT - 8.0);
    }
    let line = line.trim_end();
    let _ = write!(svg, "<polyline points=\"{line}\"/><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/></svg>");
    svg
}
