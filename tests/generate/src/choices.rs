//! The stream of choices that drives every generator.
//!
//! A generator asks for small numbers; the stream is either a vector, which a
//! property test can shrink, or an endless seeded sequence for bulk tests. Where
//! a vector ends every choice is 0, and 0 is always the simplest alternative:
//! shorter and smaller vectors give simpler programs and states.

use progmp_ir::splitmix64;

/// A stream of choices.
#[derive(Clone, Debug)]
pub struct Choices {
    stream: Stream,
}

#[derive(Clone, Debug)]
enum Stream {
    Recorded { words: Vec<u64>, next: usize },
    Seeded { state: u64 },
}

impl Choices {
    /// An endless stream; the same seed gives the same choices for ever.
    pub const fn from_seed(seed: u64) -> Self {
        Self {
            stream: Stream::Seeded { state: seed },
        }
    }

    /// The choices of a vector, then zeros.
    pub const fn from_words(words: Vec<u64>) -> Self {
        Self {
            stream: Stream::Recorded { words, next: 0 },
        }
    }

    /// Any word.
    pub fn word(&mut self) -> u64 {
        match &mut self.stream {
            Stream::Recorded { words, next } => {
                let word = words.get(*next).copied().unwrap_or(0);
                *next += 1;
                word
            }
            Stream::Seeded { state } => {
                let word = splitmix64(*state);
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                word
            }
        }
    }

    /// A number below `limit`.
    ///
    /// # Panics
    /// If `limit` is 0: there is no such number.
    pub fn below(&mut self, limit: u64) -> u64 {
        assert!(limit > 0, "a choice needs an alternative");
        self.word() % limit
    }

    /// A number of things, at most `most`.
    pub fn count(&mut self, most: usize) -> usize {
        let count = self.below((most as u64).saturating_add(1));
        usize::try_from(count).unwrap_or(most)
    }

    /// True in so many of 100 cases; false for a choice of 0.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) >= 100 - u64::from(percent.min(100))
    }

    /// One of several.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        assert!(!from.is_empty(), "a choice needs an alternative");
        &from[self.count(from.len() - 1)]
    }

    /// One of several, by weight; the first for a choice of 0, if its weight is not 0.
    ///
    /// # Panics
    /// If every weight is 0.
    pub fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let total = from.iter().map(|&(weight, _)| u64::from(weight)).sum();
        let mut rest = self.below(total);
        for &(weight, item) in from {
            let weight = u64::from(weight);
            if rest < weight {
                return item;
            }
            rest -= weight;
        }
        unreachable!("the rest is below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_ended_chooses_the_simplest() {
        let mut choices = Choices::from_words(vec![7]);
        assert_eq!(choices.below(5), 2);
        assert_eq!(choices.below(5), 0);
        assert!(!choices.percent(99));
        assert_eq!(*choices.pick(&['a', 'b']), 'a');
        assert_eq!(choices.weighted(&[(0, 'x'), (1, 'y'), (9, 'z')]), 'y');
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let words = |seed| {
            let mut choices = Choices::from_seed(seed);
            (0..4).map(|_| choices.word()).collect::<Vec<_>>()
        };
        assert_eq!(words(1), words(1));
        assert_ne!(words(1), words(2));
    }

    #[test]
    fn weights_are_kept() {
        let mut choices = Choices::from_seed(3);
        let draws = (0..10_000).filter(|_| choices.weighted(&[(1, false), (3, true)]));
        let share = draws.count();
        assert!((7_200..7_800).contains(&share), "{share}");
    }
}
