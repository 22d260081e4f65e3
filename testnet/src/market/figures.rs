//! Figures of fairness.

/// Gini's coefficient of amounts that are not negative: 0 if all have the same, towards 1 if one has all. 0 of nothing.
pub(super) fn gini(mut amounts: Vec<u64>) -> f64 {
    amounts.sort_unstable();
    let total: u128 = amounts.iter().map(|&amount| u128::from(amount)).sum();
    let count = amounts.len() as f64;
    if total == 0 {
        return 0.0;
    }
    let ranked: u128 = (1_u128..).zip(&amounts).map(|(rank, &amount)| rank * u128::from(amount)).sum();
    2.0 * ranked as f64 / (count * total as f64) - (count + 1.0) / count
}

/// Jain's index of how often members took part: 1 if all did equally, 1/n if one did alone. 0 of nothing.
pub(super) fn jain(counts: impl Iterator<Item = u64>) -> f64 {
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for times in counts {
        let times = times as f64;
        (count, sum, squares) = (count + 1.0, sum + times, squares + times * times);
    }
    if squares > 0.0 { sum * sum / (count * squares) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_are_even_and_one_who_has_all_is_not() {
        assert_eq!((gini(vec![5; 4]), gini(vec![]), gini(vec![0; 3])), (0.0, 0.0, 0.0));
        assert!((gini(vec![0, 0, 0, 9]) - 0.75).abs() < 1e-12);
        assert!((gini(vec![1, 3]) - 0.25).abs() < 1e-12);
        assert_eq!((jain([7; 4].into_iter()), jain([0, 0, 0, 9].into_iter())), (1.0, 0.25));
        assert_eq!(jain([].into_iter()), 0.0);
    }
}
