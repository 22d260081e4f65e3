//! A heat map: a table whose fields are the lighter, the greater their value.

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::picture::{AXIS_SIZE, Drawing, Drawn, FONT, INK, LABEL_SIZE, SIZE, TITLE_SIZE};

/// Left and upper edge of the fields, in pixels: room for the title and the names of rows.
const EDGE: (i32, i32) = (210, 80);
/// Room below the fields, in pixels, for the names of columns.
const FOOT: i32 = 90;
/// Size of the words in a field.
const WORDS_SIZE: i32 = 34;
/// Colours of the values 0 and 1.
const ENDS: (RGBColor, RGBColor) = (RGBColor(96, 20, 60), RGBColor(244, 238, 204));
/// From this value on a field is light enough for dark words.
const LIGHT: f64 = 0.55;

/// A table of values from 0 to 1.
#[derive(Debug)]
pub(crate) struct HeatMap {
    pub(crate) title: String,
    pub(crate) x_name: String,
    pub(crate) y_name: String,
    /// Their names, from the left.
    pub(crate) columns: Vec<String>,
    /// Each with its name, from the top.
    pub(crate) rows: Vec<(String, Vec<Spot>)>,
}

/// A field of it.
#[derive(Debug)]
pub(crate) struct Spot {
    /// From 0 to 1.
    pub(crate) value: f64,
    /// What stands in it.
    pub(crate) words: String,
    /// What stands below that, smaller.
    pub(crate) note: String,
}

impl Drawing for HeatMap {
    fn draw_on<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        root.fill(&WHITE)?;
        let (width, height) = (SIZE.0 as i32, SIZE.1 as i32);
        let middle = |size: i32| (FONT, size, &INK).into_text_style(root).pos(Pos::new(HPos::Center, VPos::Center));
        root.draw_text(&self.title, &middle(TITLE_SIZE), (width / 2, EDGE.1 / 2))?;
        root.draw_text(&self.x_name, &middle(AXIS_SIZE), ((width + EDGE.0) / 2, height - 30))?;
        let upright = middle(AXIS_SIZE).transform(FontTransform::Rotate270);
        root.draw_text(&self.y_name, &upright, (32, (EDGE.1 + height - FOOT) / 2))?;
        let field = self.field((width - EDGE.0 - 30, height - EDGE.1 - FOOT));
        for (column, name) in (0..).zip(&self.columns) {
            let left = EDGE.0 + column * field.0;
            root.draw_text(name, &middle(LABEL_SIZE), (left + field.0 / 2, height - FOOT + 22))?;
        }
        for (row, (name, spots)) in (0..).zip(&self.rows) {
            let top = EDGE.1 + row * field.1;
            root.draw_text(name, &middle(LABEL_SIZE), ((EDGE.0 + 50) / 2, top + field.1 / 2))?;
            for (column, spot) in (0..).zip(spots) {
                spot.draw(root, (EDGE.0 + column * field.0, top), field)?;
            }
        }
        root.present()
    }
}

impl HeatMap {
    /// Width and height of a field.
    fn field(&self, room: (i32, i32)) -> (i32, i32) {
        (room.0 / self.columns.len().max(1) as i32, room.1 / self.rows.len().max(1) as i32)
    }
}

impl Spot {
    fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>, at: (i32, i32), field: (i32, i32)) -> Drawn<DB> {
        let corners = [at, (at.0 + field.0 - 3, at.1 + field.1 - 3)];
        root.draw(&Rectangle::new(corners, shade(self.value).filled()))?;
        let ink = if self.value >= LIGHT { INK } else { WHITE };
        let middle = |size: i32| (FONT, size, &ink).into_text_style(root).pos(Pos::new(HPos::Center, VPos::Center));
        let (x, y) = (at.0 + field.0 / 2, at.1 + field.1 / 2);
        root.draw_text(&self.words, &middle(WORDS_SIZE), (x, y - 12))?;
        root.draw_text(&self.note, &middle(LABEL_SIZE), (x, y + 20))
    }
}

/// The colour of a value between those of 0 and 1.
fn shade(value: f64) -> RGBColor {
    let share = value.clamp(0.0, 1.0);
    let between = |low: u8, high: u8| (f64::from(low) + share * (f64::from(high) - f64::from(low))).round() as u8;
    let (low, high) = ENDS;
    RGBColor(between(low.0, high.0), between(low.1, high.1), between(low.2, high.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_drawn_with_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let spot = |value: f64| Spot { value, words: format!("{value:.2}"), note: "published 0.87".to_owned() };
        let map = HeatMap {
            title: "a grid".to_owned(),
            x_name: "liars".to_owned(),
            y_name: "similarity".to_owned(),
            columns: vec!["1".to_owned(), "2".to_owned()],
            rows: vec![("0.33".to_owned(), vec![spot(0.98), spot(0.12)])],
        };
        map.draw(folder.path(), "grid").unwrap();
        let svg = std::fs::read_to_string(folder.path().join("grid.svg")).unwrap();
        for words in ["a grid", "liars", "similarity", "0.98", "0.12", "published 0.87", "0.33"] {
            assert!(svg.contains(words), "{words:?} is not in the picture");
        }
        assert!(folder.path().join("grid.png").metadata().unwrap().len() > 1_000);
        assert_eq!((shade(0.0), shade(2.0)), ENDS);
    }
}
