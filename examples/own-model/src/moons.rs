//! The data: two half circles that reach into each other, as `train.csv` and `test.csv`.

use std::{f64::consts::PI, fmt::Write, fs, io, path::Path};

const TRAIN: usize = 1_500;
const TEST: usize = 500;

/// Writes both files.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("train.csv"), lines(0..TRAIN))?;
    fs::write(folder.join("test.csv"), lines(TRAIN..TRAIN + TEST))
}

fn lines(numbers: std::ops::Range<usize>) -> String {
    let mut text = String::from("x,y,moon\n");
    for number in numbers {
        let moon = number % 2;
        // Fractions of multiples of irrational numbers spread evenly: no generator is needed.
        let [along, east, north] = [0.618_034, 0.414_214, 0.732_051].map(|step| (number as f64 * step).fract());
        let (sine, cosine) = (PI * along).sin_cos();
        let (x, y) = if moon == 0 { (cosine, sine) } else { (1.0 - cosine, 0.5 - sine) };
        let (x, y) = (x + 0.4 * (east - 0.5), y + 0.4 * (north - 0.5));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{x:.4},{y:.4},{moon}");
    }
    text
}
