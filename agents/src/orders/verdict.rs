//! From a model's answers to one choice, or to none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::choice::Choice;

/// How a choice is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asking {
    /// One word of the menu, asked once.
    Once,
    /// One word of the menu, asked twice with the menu forwards and backwards; two different answers are none.
    BothWays,
    /// Yes or no of each entry alone, and the surest yes wins once what is usual for the entry is taken off.
    #[default]
    EachAlone,
}

impl Asking {
    /// All of them, the cheapest first.
    pub const ALL: [Self; 3] = [Self::Once, Self::BothWays, Self::EachAlone];

    /// Its name in configurations and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::BothWays => "both-ways",
            Self::EachAlone => "each-alone",
        }
    }
}

/// The entry of `menu` with this word.
pub fn chosen(menu: &[Choice], word: &str) -> Option<Choice> {
    menu.iter().copied().find(|choice| choice.word() == word)
}

/// What a model tends to say of each entry, whatever the facts.
///
/// Small models have a favourite word. Taking each entry's mean off its score leaves what the facts have changed: batch
/// calibration, after Zhou et al., "Batch Calibration" (ICLR 2024), with the past questions as the batch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Habit {
    means: BTreeMap<String, Mean>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Mean {
    count: u32,
    mean: f64,
}

/// Questions after which a mean follows newer ones faster than older ones.
const HABIT_LONG: u32 = 64;

/// Different words of which a habit is kept.
const HABIT_WORDS: usize = 128;

impl Habit {
    /// The entry with the highest score above its habit, which then takes the scores in. Scores are logarithms of
    /// probabilities. None if there are no scores.
    ///
    /// Of equals the one that comes first among the words wins, wherever it stands on the menu.
    pub fn judge(&mut self, scores: &[(Choice, f64)]) -> Option<Choice> {
        let mut words: Vec<(String, Choice, f64)> = scores
            .iter()
            .filter(|(_, score)| score.is_finite())
            .map(|&(choice, score)| (choice.word(), choice, score))
            .collect();
        words.sort_by(|a, b| a.0.cmp(&b.0));
        let mut best: Option<(Choice, f64)> = None;
        for (word, choice, score) in words {
            let above = score - self.usual(&word);
            if best.is_none_or(|(_, most)| above > most) {
                best = Some((choice, above));
            }
            self.learn(word, score);
        }
        best.map(|(choice, _)| choice)
    }

    /// What is usual for `word`; nothing is, before it was asked about.
    fn usual(&self, word: &str) -> f64 {
        self.means.get(word).map_or(0.0, |mean| mean.mean)
    }

    fn learn(&mut self, word: String, score: f64) {
        if self.means.len() >= HABIT_WORDS && !self.means.contains_key(&word) {
            return;
        }
        let mean = self.means.entry(word).or_default();
        mean.count = (mean.count + 1).min(HABIT_LONG);
        mean.mean += (score - mean.mean) / f64::from(mean.count);
    }
}
