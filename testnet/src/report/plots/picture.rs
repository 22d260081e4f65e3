//! One picture: a title, two axes, layers, a legend. The font travels within the program, so that a machine without any
//! draws the same PNG; an SVG leaves the choice of a sans-serif font to its viewer.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use plotters::{
    chart::{ChartContext, SeriesLabelPosition},
    coord::{Shift, types::RangedCoordf64},
    prelude::*,
    style::register_font,
};

use crate::error::Error;

/// Width and height, in pixels.
pub(super) const SIZE: (u32, u32) = (1200, 700);
/// The family under which our font is known to the drawing library and asked for in an SVG.
pub(super) const FONT: &str = "sans-serif";
pub(super) const TITLE_SIZE: i32 = 30;
pub(super) const AXIS_SIZE: i32 = 22;
pub(super) const LABEL_SIZE: i32 = 19;
/// Ticks of the axis of rounds.
const TICKS_MAX: f64 = 20.0;
/// Ticks of any other axis.
const TICKS: usize = 11;
/// Most points of a line that each get a dot; more of them would hide the line.
const DOTS_MAX: usize = 60;
/// Half the width of a bar, in rounds.
const BAR_HALF: f64 = 0.36;

pub(super) const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(222, 222, 222);

/// What a picture shows.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) layers: Vec<Layer>,
    pub(crate) legend: Corner,
}

/// An axis and the part of it that is shown.
#[derive(Debug)]
pub(crate) struct Axis {
    name: String,
    from: f64,
    to: f64,
    ticks: Ticks,
}

/// Where the numbers of an axis stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ticks {
    /// At whole numbers only.
    Whole,
    /// Anywhere.
    Any,
}

/// One kind of thing in it.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Points that are joined. Without a name, the legend does not speak of them.
    Line { name: String, colour: RGBColor, points: Vec<(f64, f64)> },
    /// Points that stand out. Without any, the legend does not speak of them.
    Marks { name: String, colour: RGBColor, points: Vec<(f64, f64)> },
    /// Bars (round, from, to).
    Bars { name: String, colour: RGBColor, bars: Vec<(f64, f64, f64)> },
}

/// Where the legend hides least.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Corner {
    UpperLeft,
    UpperRight,
    LowerRight,
}

type Chart<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

impl Axis {
    /// An axis from one value to another. A chart of nothing still needs an axis that goes somewhere.
    pub(crate) fn new(name: &str, from: f64, to: f64) -> Self {
        Self { name: name.to_owned(), from, to: if to > from { to } else { from + 1.0 }, ticks: Ticks::Any }
    }

    /// Rounds from the first to the `last`.
    pub(crate) fn rounds(last: f64) -> Self {
        Self { name: "round".to_owned(), from: 0.5, to: last.max(1.0) + 0.5, ticks: Ticks::Whole }
    }

    /// Steps, from the first to `last`.
    pub(crate) fn steps(last: f64) -> Self {
        Self { name: "step".into(), ..Self::rounds(last) }
    }

    const fn range(&self) -> Range<f64> {
        self.from..self.to
    }

    fn ticks_max(&self) -> usize {
        match self.ticks {
            Ticks::Whole => (self.to - self.from).min(TICKS_MAX) as usize,
            Ticks::Any => TICKS,
        }
    }

    /// The number at a tick. Rounds are whole; a tick between two of them has none.
    fn label(&self, value: f64) -> String {
        match self.ticks {
            Ticks::Whole if (value - value.round()).abs() > 1e-6 => String::new(),
            Ticks::Whole => format!("{value:.0}"),
            Ticks::Any => {
                let decimals = match self.to - self.from {
                    span if span >= 10.0 => 0,
                    span if span >= 1.0 => 1,
                    _ => 3,
                };
                format!("{value:.decimals$}")
            }
        }
    }
}

impl Drawing for Picture {
    fn draw_on<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(root)
            .caption(&self.title, (FONT, TITLE_SIZE, FontStyle::Bold, &INK))
            .margin(22)
            .x_label_area_size(58)
            .y_label_area_size(92)
            .build_cartesian_2d(self.x.range(), self.y.range())?;
        self.draw_axes(&mut chart)?;
        for layer in &self.layers {
            layer.draw(&mut chart)?;
        }
        chart
            .configure_series_labels()
            .position(self.legend.position())
            .margin(14)
            .legend_area_size(34)
            .label_font((FONT, LABEL_SIZE, &INK))
            .background_style(WHITE.mix(0.88))
            .border_style(GRID)
            .draw()?;
        root.present()
    }
}

impl Picture {
    fn draw_axes<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>) -> Drawn<DB> {
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.x.ticks_max())
            .y_labels(self.y.ticks_max())
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style((FONT, LABEL_SIZE, &INK))
            .axis_desc_style((FONT, AXIS_SIZE, &INK))
            .x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .x_label_formatter(&|value| self.x.label(*value))
            .y_label_formatter(&|value| self.y.label(*value))
            .draw()
    }
}

impl Layer {
    fn draw<DB: DrawingBackend>(&self, chart: &mut Chart<'_, DB>) -> Drawn<DB> {
        match self {
            Self::Line { name, colour, points } => {
                let style = colour.stroke_width(3);
                let stroke = move |(x, y)| PathElement::new([(x, y), (x + 26, y)], style);
                let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
                if !name.is_empty() {
                    drawn.label(name).legend(stroke);
                }
                let dots = points
                    .iter()
                    .filter(|_| points.len() <= DOTS_MAX)
                    .map(|point| Circle::new(*point, 4, colour.filled()));
                chart.draw_series(dots).map(|_| ())
            }
            Self::Marks { points, .. } if points.is_empty() => Ok(()),
            Self::Marks { name, colour, points } => {
                let style = colour.filled();
                let marks = points.iter().map(|point| TriangleMarker::new(*point, 12, style));
                let sign = move |(x, y)| TriangleMarker::new((x + 13, y), 9, style);
                chart.draw_series(marks)?.label(name).legend(sign);
                Ok(())
            }
            Self::Bars { name, colour, bars } => {
                let style = colour.filled();
                let corners = |(x, from, to): &(f64, f64, f64)| [(x - BAR_HALF, *from), (x + BAR_HALF, *to)];
                let shapes = bars.iter().map(|bar| Rectangle::new(corners(bar), style));
                let sign = move |(x, y)| Rectangle::new([(x + 4, y - 7), (x + 22, y + 7)], style);
                chart.draw_series(shapes)?.label(name).legend(sign);
                Ok(())
            }
        }
    }
}

impl Corner {
    const fn position(self) -> SeriesLabelPosition {
        match self {
            Self::UpperLeft => SeriesLabelPosition::UpperLeft,
            Self::UpperRight => SeriesLabelPosition::UpperRight,
            Self::LowerRight => SeriesLabelPosition::LowerRight,
        }
    }
}

/// What can be drawn on any surface.
pub(crate) trait Drawing {
    /// Draws it on the whole of `root`.
    fn draw_on<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Drawn<DB>;

    /// The same as the text of an SVG, to be put into a page.
    fn svg(&self) -> Result<String, Error> {
        let path = Path::new("a picture of the page");
        load_font(path)?;
        let mut text = String::new();
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let drawn = self.draw_on(&root).map_err(|error| error.to_string());
        drop(root);
        drawn.map_err(|reason| Error::Plot { path: path.to_owned(), reason })?;
        Ok(text)
    }

    /// Draws it as `folder/name.svg` and `folder/name.png`.
    fn draw(&self, folder: &Path, name: &str) -> Result<(), Error> {
        let (svg, png) = (folder.join(format!("{name}.svg")), folder.join(format!("{name}.png")));
        load_font(&svg)?;
        let failed = |path: PathBuf, reason: String| Error::Plot { path, reason };
        let root = SVGBackend::new(&svg, SIZE).into_drawing_area();
        self.draw_on(&root).map_err(|error| failed(svg.clone(), error.to_string()))?;
        let root = BitMapBackend::new(&png, SIZE).into_drawing_area();
        self.draw_on(&root).map_err(|error| failed(png.clone(), error.to_string()))
    }
}

/// Makes our font known to the drawing library, once.
fn load_font(path: &Path) -> Result<(), Error> {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let load = || {
        let normal = register_font(FONT, FontStyle::Normal, notosans::REGULAR_TTF);
        normal.is_ok() && register_font(FONT, FontStyle::Bold, notosans::BOLD_TTF).is_ok()
    };
    if *LOADED.get_or_init(load) {
        return Ok(());
    }
    Err(Error::Plot {
        path: path.to_owned(),
        reason: "the built-in font is damaged; build the program anew".to_owned(),
    })
}
