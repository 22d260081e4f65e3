//! The strength at which an attack does most harm, found by trying.
//!
//! Some attackers know the rule that will be applied and can work out what would come of each strength. The search is the
//! one of Shejwalkar and Houmansadr, "Manipulating the Byzantine" (2021), algorithm 1, in the form in which the published
//! grids use it: stride out, in doubling steps, as long as it does more harm; then take ever smaller steps from the best.

/// How far to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The first step.
    pub step: f64,
    /// What each step is shortened by once striding out has ended, between a half and 1.
    pub ratio: f64,
    /// Strengths that may be tried in all, zero included.
    pub tries: u32,
}

impl Search {
    /// As the published grids search.
    pub const PUBLISHED: Self = Self { step: 10.0, ratio: 0.8, tries: 20 };

    /// The strength, from zero upwards, of the most `harm` among those tried. Of equal ones the weaker.
    pub fn strongest(self, mut harm: impl FnMut(f64) -> f64) -> f64 {
        let (mut best, mut most, mut step) = (0.0, harm(0.0), self.step);
        let mut strides = true;
        for _ in 1..self.tries {
            let strength = best + step;
            let done = harm(strength);
            let is_better = done > most;
            if is_better {
                (best, most) = (strength, done);
            }
            strides &= is_better;
            step *= if strides { 2.0 } else { self.ratio };
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_a_peak_near_and_far() {
        // It never turns back, so below its first step it only comes near.
        for (peak, error) in [(0.7, 1.0), (9.0, 0.12), (33.0, 0.12), (700.0, 0.12)] {
            let mut tried = 0;
            let found = Search::PUBLISHED.strongest(|strength| {
                tried += 1;
                -(strength - peak).abs()
            });
            assert!((found - peak).abs() < error * peak, "{found} for {peak}");
            assert_eq!(tried, 20);
        }
    }

    #[test]
    fn an_attack_that_never_harms_stays_away() {
        assert_eq!(Search::PUBLISHED.strongest(|strength| -strength), 0.0);
        assert_eq!(Search::PUBLISHED.strongest(|_| f64::NAN), 0.0);
    }
}
