//! What is known of a 64-bit word: an interval and its bits.
//!
//! [`Ranges`] is a domain of [`crate::ebpf::arith`], so that ranges obey the one definition of
//! eBPF's arithmetic. Every operation returns a range that holds all results of words in its
//! operands; how narrow it is decides what can be proved, never what is true.

use crate::ebpf::arith::Words;

/// A set of words: `low..=high`, with every bit of `ones` and none outside of `maybe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The least.
    pub(super) low: u64,
    /// The greatest.
    pub(super) high: u64,
    /// Bits that all have.
    pub(super) ones: u64,
    /// Bits that some may have.
    pub(super) maybe: u64,
}

impl Range {
    /// Every word.
    pub(super) const ALL: Self = Self {
        low: 0,
        high: u64::MAX,
        ones: 0,
        maybe: u64::MAX,
    };

    /// Just this word.
    pub(super) const fn exactly(value: u64) -> Self {
        Self {
            low: value,
            high: value,
            ones: value,
            maybe: value,
        }
    }

    /// What a cell of so many bytes may hold.
    pub(super) const fn of_bytes(bytes: usize) -> Self {
        if bytes >= 8 {
            return Self::ALL;
        }
        let most = (1 << (8 * bytes)) - 1;
        Self {
            low: 0,
            high: most,
            ones: 0,
            maybe: most,
        }
    }

    /// `low..=high`.
    ///
    /// # Panics
    /// If there is no such word.
    pub(super) fn between(low: u64, high: u64) -> Self {
        let range = Self {
            low,
            high,
            ..Self::ALL
        };
        range.tightened().expect("low is not above high")
    }

    /// The word, if there is but one.
    pub(super) const fn value(&self) -> Option<u64> {
        if self.low == self.high {
            Some(self.low)
        } else {
            None
        }
    }

    /// Whether it holds this word.
    #[cfg(test)]
    pub(super) const fn holds(&self, word: u64) -> bool {
        self.low <= word
            && word <= self.high
            && word & self.ones == self.ones
            && word & !self.maybe == 0
    }

    /// The same words, as narrow as interval and bits make each other; `None` if there is none.
    pub(super) fn tightened(mut self) -> Option<Self> {
        loop {
            let before = self;
            self.low = self.low.max(self.ones);
            self.high = self.high.min(self.maybe);
            if self.low > self.high || self.ones & !self.maybe != 0 {
                return None;
            }
            // Above the first bit in which the ends differ, every word between them agrees.
            let differing = self.low ^ self.high;
            let below = match differing.leading_zeros() {
                0 => u64::MAX,
                zeros => (1_u64 << (64 - zeros)) - 1,
            };
            self.ones |= self.low & !below;
            self.maybe &= self.low | below;
            if self == before {
                return Some(self);
            }
        }
    }

    /// The least range with the words of both.
    #[must_use]
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            ones: self.ones & other.ones,
            maybe: self.maybe | other.maybe,
        }
    }

    /// Like [`Self::join`], but an end that moved moves as far as it goes.
    #[must_use]
    pub(super) fn widen(self, other: Self) -> Self {
        let joined = self.join(other);
        let widened = Self {
            low: if joined.low < self.low { 0 } else { self.low },
            high: if joined.high > self.high {
                u64::MAX
            } else {
                self.high
            },
            ..joined
        };
        widened.tightened().unwrap_or(Self::ALL)
    }

    /// The words of both; `None` if there is none.
    pub(super) fn meet(self, other: Self) -> Option<Self> {
        let both = Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
            ones: self.ones | other.ones,
            maybe: self.maybe & other.maybe,
        };
        both.tightened()
    }

    /// The range without this word, if it is at one end; `None` if nothing is left.
    pub(super) fn without(mut self, word: u64) -> Option<Self> {
        if self.low == word {
            self.low = self.low.checked_add(1)?;
        }
        if self.high == word {
            self.high = self.high.checked_sub(1)?;
        }
        self.tightened()
    }

    const fn unknown(&self) -> u64 {
        self.maybe & !self.ones
    }

    fn bits(ones: u64, unknown: u64) -> Self {
        let range = Self {
            ones,
            maybe: ones | unknown,
            ..Self::ALL
        };
        range.tightened().expect("known bits have words")
    }

    /// These bits, within the interval if there is one.
    fn of(bits: Self, interval: Option<(u64, u64)>) -> Self {
        let Some((low, high)) = interval else {
            return bits;
        };
        bits.meet(Self {
            low,
            high,
            ..Self::ALL
        })
        .expect("interval and bits hold the result of the same operation")
    }
}

/// The domain of ranges. A truth is known or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranges;

impl Words for Ranges {
    type Word = Range;
    type Truth = Option<bool>;

    fn constant(&mut self, value: u64) -> Range {
        Range::exactly(value)
    }

    fn add(&mut self, a: &Range, b: &Range) -> Range {
        let ends = a.low.checked_add(b.low).zip(a.high.checked_add(b.high));
        // A carry can change a bit only where some sum of unknown bits carries.
        let ones = a.ones.wrapping_add(b.ones);
        let all = ones.wrapping_add(a.unknown().wrapping_add(b.unknown()));
        let unknown = (all ^ ones) | a.unknown() | b.unknown();
        Range::of(Range::bits(ones & !unknown, unknown), ends)
    }

    fn subtract(&mut self, a: &Range, b: &Range) -> Range {
        let ends = a.low.checked_sub(b.high).map(|low| (low, a.high - b.low));
        let ones = a.ones.wrapping_sub(b.ones);
        let most = ones.wrapping_add(a.unknown());
        let least = ones.wrapping_sub(b.unknown());
        let unknown = (most ^ least) | a.unknown() | b.unknown();
        Range::of(Range::bits(ones & !unknown, unknown), ends)
    }

    fn multiply(&mut self, a: &Range, b: &Range) -> Range {
        let ends = a.low.checked_mul(b.low).zip(a.high.checked_mul(b.high));
        let zeros = a.maybe.trailing_zeros() + b.maybe.trailing_zeros();
        let unknown = u64::MAX.checked_shl(zeros).unwrap_or(0);
        Range::of(Range::bits(0, unknown), ends)
    }

    fn divide(&mut self, a: &Range, b: &Range) -> Range {
        if b.low == 0 {
            return Range::ALL;
        }
        Range::between(a.low / b.high, a.high / b.low)
    }

    fn remainder(&mut self, a: &Range, b: &Range) -> Range {
        if b.low == 0 {
            return Range::ALL;
        }
        Range::between(0, a.high.min(b.high - 1))
    }

    fn and(&mut self, a: &Range, b: &Range) -> Range {
        let maybe = a.maybe & b.maybe;
        let ones = a.ones & b.ones;
        Range::of(
            Range::bits(ones, maybe & !ones),
            Some((0, a.high.min(b.high))),
        )
    }

    fn or(&mut self, a: &Range, b: &Range) -> Range {
        let ones = a.ones | b.ones;
        let bits = Range::bits(ones, (a.maybe | b.maybe) & !ones);
        Range::of(bits, Some((a.low.max(b.low), u64::MAX)))
    }

    fn xor(&mut self, a: &Range, b: &Range) -> Range {
        let unknown = a.unknown() | b.unknown();
        Range::bits((a.ones ^ b.ones) & !unknown, unknown)
    }

    fn shift_left(&mut self, a: &Range, amount: &Range) -> Range {
        let kept = |word: u64, by: u64| (by < 64 && word << by >> by == word).then(|| word << by);
        let ends = kept(a.low, amount.low).zip(kept(a.high, amount.high));
        let bits = match amount.value() {
            Some(by) if by < 64 => Range::bits(a.ones << by, a.unknown() << by),
            _ => Range::ALL,
        };
        Range::of(bits, ends)
    }

    fn shift_right(&mut self, a: &Range, amount: &Range) -> Range {
        if amount.high > 63 {
            return Range::ALL;
        }
        let ends = (a.low >> amount.high, a.high >> amount.low);
        let bits = match amount.value() {
            Some(by) => Range::bits(a.ones >> by, a.unknown() >> by),
            None => Range::ALL,
        };
        Range::of(bits, Some(ends))
    }

    fn shift_right_signed(&mut self, a: &Range, amount: &Range) -> Range {
        match (a.value(), amount.value()) {
            (Some(word), Some(by)) if by < 64 => {
                Range::exactly((word.cast_signed() >> by).cast_unsigned())
            }
            _ if a.high >> 63 == 0 => self.shift_right(a, amount),
            _ => Range::ALL,
        }
    }

    fn equal(&mut self, a: &Range, b: &Range) -> Option<bool> {
        if a.meet(*b).is_none() {
            return Some(false);
        }
        (a.value().is_some() && a.value() == b.value()).then_some(true)
    }

    fn below(&mut self, a: &Range, b: &Range) -> Option<bool> {
        if a.high < b.low {
            Some(true)
        } else if a.low >= b.high {
            Some(false)
        } else {
            None
        }
    }

    fn less(&mut self, a: &Range, b: &Range) -> Option<bool> {
        // The order of two's complement is the unsigned one with the highest bit flipped.
        let flipped = |range: &Range| {
            let (low, high) = (range.low ^ 1 << 63, range.high ^ 1 << 63);
            (low <= high).then(|| Range::between(low, high))
        };
        match (flipped(a), flipped(b)) {
            (Some(a), Some(b)) => self.below(&a, &b),
            _ => None,
        }
    }

    fn not(&mut self, a: &Option<bool>) -> Option<bool> {
        a.map(|truth| !truth)
    }

    fn choose(&mut self, which: &Option<bool>, yes: &Range, no: &Range) -> Range {
        match which {
            Some(true) => *yes,
            Some(false) => *no,
            None => yes.join(*no),
        }
    }
}
