//! Means and what is known of them.

use serde::Serialize;

/// Half the width of a 95 % interval, in standard errors, by Student's distribution with 1, 2, 3, ... degrees of freedom.
const STUDENT: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/// The same for more degrees of freedom: a little too wide, never too narrow.
const STUDENT_MANY: f64 = 2.228;

/// A mean over seeds, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the width of the interval by Student's distribution; `None` of a single seed.
    pub half: Option<f64>,
}

impl Estimate {
    /// Of one value for each seed. `None` without any.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        let mean = mean(values)?;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let half = (count > 1).then(|| {
            let student = STUDENT.get(count - 2).copied().unwrap_or(STUDENT_MANY);
            student * (squares / (count - 1) as f64 / count as f64).sqrt()
        });
        Some(Self { mean, half })
    }
}

/// The mean; `None` of nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The value that this share of `values` does not exceed.
pub(super) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(place.max(1) - 1).copied()
}

/// `part / whole`, and 0 of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The normal distribution's 97.5th percentile: half the width of a 95 % interval, in standard errors.
const NORMAL: f64 = 1.959_964;

/// The 95 % interval of a share, of which `part` of `whole` were counted: Wilson's score interval (1927), which stays within
/// 0 and 1 and is fair at the ends too. `None` of nothing.
pub(super) fn wilson(part: u64, whole: u64) -> Option<[f64; 2]> {
    if whole == 0 {
        return None;
    }
    let (count, share, square) = (whole as f64, share(part, whole), NORMAL * NORMAL);
    let middle = share + square / (2.0 * count);
    let half = NORMAL * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
    let end = |end: f64| (end / (1.0 + square / count)).clamp(0.0, 1.0);
    Some([end(middle - half), end(middle + half)])
}

/// Jain's index `(sum x)^2 / (n sum x^2)`: 1 if all have the same, `1/n` if one has all (Jain, Chiu and Hawe, 1984).
pub(super) fn jain(values: &[f64]) -> f64 {
    let squares: f64 = values.iter().map(|value| value * value).sum();
    let sum: f64 = values.iter().sum();
    if squares == 0.0 { 1.0 } else { sum * sum / (values.len() as f64 * squares) }
}

/// The mean of the lowest tenth, of one at the least.
pub(super) fn worst_decile(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.truncate(values.len().div_ceil(10));
    mean(&sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_students() {
        let three = Estimate::of(&[1.0, 2.0, 3.0]).unwrap();
        // The standard error is 1 / sqrt(3).
        assert!((three.mean - 2.0).abs() < 1e-12 && (three.half.unwrap() - 4.303 / 3.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(Estimate::of(&[0.5]), Some(Estimate { mean: 0.5, half: None }));
        assert_eq!(Estimate::of(&[]), None);
        let many = Estimate::of(&[[0.0; 20], [1.0; 20]].concat()).unwrap();
        assert!((many.half.unwrap() - 2.228 * (10.0 / 39.0 / 40.0_f64).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn intervals_of_shares_are_wilsons() {
        // The ends are where a share of so many would lie just so many standard errors from what was counted.
        for (part, whole) in [(0, 5), (3, 20), (10, 20), (192, 192)] {
            let counted = part as f64 / whole as f64;
            for end in wilson(part, whole).unwrap() {
                let error = (end * (1.0 - end) / whole as f64).sqrt();
                assert!(((counted - end).abs() - 1.959_964 * error).abs() < 1e-9, "{part} of {whole}: {end}");
            }
        }
        assert_eq!(wilson(0, 0), None);
        let [low, high] = wilson(3, 20).unwrap();
        assert!(low < 0.15 && 0.15 < high && (low, high) != (0.0, 1.0));
    }

    #[test]
    fn shares_of_a_whole_are_told_apart() {
        assert_eq!([jain(&[3.0; 4]), jain(&[8.0, 0.0, 0.0, 0.0]), jain(&[0.0; 3])], [1.0, 0.25, 1.0]);
        let twenty: Vec<f64> = (1..=20).rev().map(f64::from).collect();
        assert_eq!((worst_decile(&twenty), worst_decile(&[4.0, 2.0]), worst_decile(&[])), (Some(1.5), Some(2.0), None));
        assert_eq!([0.0, 0.5, 0.95, 1.0].map(|share| quantile(&twenty, share).unwrap()), [1.0, 10.0, 19.0, 20.0]);
    }
}
