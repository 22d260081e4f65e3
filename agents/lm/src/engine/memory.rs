//! What the library remembers of earlier questions, and when it must forget.
//!
//! After each finished answer `mistralrs` 0.8.1 keeps what its model computed, and a later question costs only the
//! tokens after the longest common beginning. Two things about that are ours to mend. It counts only what lies on a
//! graphics card when it limits what it keeps, so on a processor its memory grows for ever: we count, and have it start
//! anew. And it finds nothing when a question is known from end to end, because there is no token left to begin with: we
//! keep the answer to such a question, which greedy decoding would give again.

use super::{Answer, Ask};

/// The library keeps room for so many tokens at a time, however short a question is.
pub(super) const BLOCK_TOKENS: usize = 512;

/// The questions that the library remembers, and their answers.
#[derive(Debug)]
pub(super) struct Memory {
    /// How many blocks there may be.
    capacity: usize,
    /// How many there may already be.
    used: usize,
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    prompt: Vec<u32>,
    ask: Ask,
    answer: Answer,
}

/// Whether there is room for one more question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// There is.
    Left,
    /// There is none: the library must forget, and [`Memory::clear`] be called.
    Full,
}

impl Memory {
    /// A memory of at most `capacity` blocks of [`BLOCK_TOKENS`].
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, used: 0, known: Vec::new() }
    }

    /// The answer that was given to the same question.
    pub(super) fn answer(&self, ask: &Ask) -> Option<Answer> {
        self.known.iter().find(|known| known.ask == *ask).map(|known| known.answer.clone())
    }

    /// How many tokens at the beginning of `prompt` the library need not read again. At least that many: it also knows
    /// the tokens of its own answers.
    pub(super) fn common(&self, prompt: &[u32]) -> usize {
        let longest = self.known.iter().map(|known| shared(&known.prompt, prompt)).max().unwrap_or_default();
        if longest == prompt.len() { 0 } else { longest }
    }

    /// Takes a question and answer of at most `tokens` into account, before the library works on them: should the
    /// caller leave at the last moment, it may or may not keep them.
    pub(super) fn reserve(&mut self, tokens: usize) -> Room {
        let blocks = tokens.div_ceil(BLOCK_TOKENS);
        if self.capacity > 0 && self.used > 0 && self.used + blocks > self.capacity {
            return Room::Full;
        }
        self.used += blocks;
        Room::Left
    }

    /// Takes note that the library has answered `ask`.
    pub(super) fn remember(&mut self, prompt: Vec<u32>, ask: Ask, answer: Answer) {
        if self.capacity > 0 {
            self.known.push(Known { prompt, ask, answer });
        }
    }

    /// Forgets all, because the library has.
    pub(super) fn clear(&mut self) {
        self.used = 0;
        self.known.clear();
    }
}

fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Finish, Usage};

    fn ask(max_tokens: usize) -> Ask {
        Ask { messages: Vec::new(), max_tokens, schema: None, odds: None }
    }

    fn answer() -> Answer {
        Answer { text: "yes".into(), finish: Finish::Complete, usage: Usage::default(), odds: None }
    }

    #[test]
    fn the_longest_common_beginning_counts_unless_it_is_the_whole_question() {
        let mut memory = Memory::new(3);
        memory.remember(vec![1, 2, 3, 4], ask(1), answer());
        memory.remember(vec![1, 2, 9], ask(2), answer());
        assert_eq!(memory.common(&[1, 2, 3, 5, 6]), 3);
        assert_eq!(memory.common(&[7]), 0);
        assert_eq!(memory.common(&[1, 2, 3, 4]), 0, "the library finds nothing for what it knows from end to end");
    }

    #[test]
    fn a_question_is_the_same_only_with_the_same_limits() {
        let mut memory = Memory::new(3);
        memory.remember(vec![1], ask(1), answer());
        assert_eq!(memory.answer(&ask(1)), Some(answer()));
        assert_eq!(memory.answer(&ask(2)), None);
    }

    #[test]
    fn a_full_memory_says_so_before_it_overflows() {
        let mut memory = Memory::new(3);
        assert_eq!(memory.reserve(BLOCK_TOKENS + 1), Room::Left, "two blocks");
        assert_eq!(memory.reserve(BLOCK_TOKENS + 1), Room::Full, "two more");
        assert_eq!(memory.reserve(1), Room::Left);
        memory.remember(vec![1], ask(1), answer());
        assert_eq!(memory.reserve(1), Room::Full);
        memory.clear();
        assert_eq!(memory.answer(&ask(1)), None);
        assert_eq!(
            memory.reserve(9 * BLOCK_TOKENS),
            Room::Left,
            "what is larger than the memory is asked all the same"
        );
    }

    #[test]
    fn no_memory_remembers_nothing_and_is_never_full() {
        let mut none = Memory::new(0);
        none.remember(vec![1], ask(1), answer());
        assert_eq!((none.reserve(9999), none.reserve(9999)), (Room::Left, Room::Left));
        assert_eq!((none.common(&[1, 2]), none.answer(&ask(1))), (0, None));
    }
}
