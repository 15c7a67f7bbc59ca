//! What became of a value since control last passed a place: just enough to see that it shrinks.

use super::measure::Tracked;
use super::place::Place;

/// A word in terms of what a place held at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// What it held, and so much more, modulo 2^64.
    Plus(Place, u64),
    /// Its negative.
    Negated(Place),
    /// Its lowest bit; 0 of 0.
    Lowest(Place),
    /// All its bits but the lowest.
    Rest(Place),
    /// Some of its bits; `true`: its lowest is not among them, if it has one.
    Within(Place, bool),
    /// Some of its bits, at least one place lower.
    Lower(Place),
    /// Anything.
    Other,
}

impl Term {
    /// Of which place the word has only bits, and whether the lowest is surely missing.
    const fn part(self) -> Option<(Place, bool)> {
        match self {
            Self::Plus(of, 0) | Self::Lowest(of) => Some((of, false)),
            Self::Rest(of) => Some((of, true)),
            Self::Within(of, strictly) => Some((of, strictly)),
            _ => None,
        }
    }

    /// Whether equal terms are equal words.
    pub(super) const fn is_exact(self) -> bool {
        !matches!(self, Self::Within(..) | Self::Lower(_) | Self::Other)
    }

    /// What holds of both.
    pub(super) fn join(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        match (self.part(), other.part()) {
            (Some((a, strictly)), Some((b, other))) if a == b => Self::Within(a, strictly && other),
            _ => Self::Other,
        }
    }

    /// The word and so much more.
    pub(super) const fn plus(self, by: u64) -> Self {
        match self {
            Self::Plus(of, so_far) => Self::Plus(of, so_far.wrapping_add(by)),
            _ => Self::Other,
        }
    }

    /// `-word`.
    pub(super) const fn negated(self) -> Self {
        match self {
            Self::Plus(of, 0) => Self::Negated(of),
            _ => Self::Other,
        }
    }

    /// `word & other`.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Plus(a, 0), Self::Negated(b)) | (Self::Negated(a), Self::Plus(b, 0))
                if a == b =>
            {
                Self::Lowest(a)
            }
            (Self::Plus(a, 0), Self::Plus(b, u64::MAX))
            | (Self::Plus(a, u64::MAX), Self::Plus(b, 0))
                if a == b =>
            {
                Self::Rest(a)
            }
            _ => match (self.part(), other.part()) {
                (Some((a, one)), Some((b, two))) if a == b => Self::Within(a, one || two),
                (Some((of, strictly)), _) | (None, Some((of, strictly))) => {
                    Self::Within(of, strictly)
                }
                (None, None) => Self::Other,
            },
        }
    }

    /// `word | other`.
    pub(super) fn or(self, other: Self) -> Self {
        match (self.part(), other.part()) {
            (Some((a, one)), Some((b, two))) if a == b => Self::Within(a, one && two),
            _ => Self::Other,
        }
    }

    /// `word ^ other`.
    pub(super) fn xor(self, other: Self) -> Self {
        match (self, other) {
            (Self::Plus(a, 0), Self::Lowest(b)) | (Self::Lowest(a), Self::Plus(b, 0)) if a == b => {
                Self::Rest(a)
            }
            _ => self.or(other),
        }
    }

    /// `word >> amount` for an amount of at least 1, below 64.
    pub(super) const fn shifted(self) -> Self {
        match self {
            Self::Lower(of) => Self::Lower(of),
            _ => match self.part() {
                Some((of, _)) => Self::Lower(of),
                None => Self::Other,
            },
        }
    }
}

/// The start: what each place holds, in terms of the first of those that hold the same.
pub(super) fn fresh(same: &Tracked<usize>) -> Tracked<Term> {
    same.map(|place| Term::Plus(super::measure::place(place), 0))
}
