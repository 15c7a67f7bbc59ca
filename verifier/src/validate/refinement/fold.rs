//! Folds of the source as functions of how far they came.
//!
//! A fold visits records in ascending order, so what it has found so far depends on one number:
//! how many records were looked at. What one step does is said of a given record; that nothing
//! changes between two numbers, unless there is a member between them, of any two.

use progmp_ir::Extremum;

use super::memory::Axis;
use super::prove::Prover;
use super::words::Symbols;
use crate::ebpf::arith::Words;
use crate::smt::{Func, Sort, Term};

/// Subflow records.
pub(super) const ALL: u64 = 32;

/// How the bytes keep what MIN or MAX has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Key and index in one word; this number if there is none.
    Packed(u64),
    /// The index, or all ones.
    Index,
    /// The key, or 0.
    Key,
}

/// MIN or MAX over a word of subflows.
#[derive(Clone, Debug)]
pub(super) struct Fold {
    which: Extremum,
    list: Term,
    each: Term,
    null: Term,
    key: Term,
    has: Func,
    index: Func,
    best: Func,
    between: Func,
}

/// What has been found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) has: Term,
    pub(super) index: Term,
    pub(super) key: Term,
}

/// The folds of a program.
#[derive(Debug, Default)]
pub(super) struct Folds {
    pub(super) folds: Vec<Fold>,
    /// Words of predicates.
    pub(super) words: Vec<Term>,
}

impl Folds {
    /// Whether there is an element, and its index.
    pub(super) fn extremum(
        &mut self,
        prover: &mut Prover,
        which: Extremum,
        list: Term,
        (each, null, key): (Term, Term, Term),
    ) -> (Term, Term) {
        let known = self.folds.iter().position(|fold| {
            (fold.which, fold.list, fold.null, fold.key) == (which, list, null, key)
        });
        let number = known.unwrap_or_else(|| {
            let terms = &mut prover.symbols.terms;
            let fold = Fold {
                which,
                list,
                each,
                null,
                key,
                has: terms.declare("has", &[Sort::Word], Sort::Bool),
                index: terms.declare("found", &[Sort::Word], Sort::Word),
                best: terms.declare("best", &[Sort::Word], Sort::Word),
                between: terms.declare("between", &[Sort::Word, Sort::Word], Sort::Word),
            };
            self.folds.push(fold);
            self.folds.len() - 1
        });
        let end = prover.symbols.word(ALL);
        let found = self.folds[number].at(&mut prover.symbols, end);
        (found.has, found.index)
    }
}

/// The highest bit of a word below 2^bits, alone.
pub(super) fn highest(symbols: &mut Symbols, word: Term, bits: u64) -> Term {
    let mut below = word;
    let mut distance = 1;
    while distance < bits {
        let by = symbols.word(distance);
        let shifted = symbols.terms.lshr(below, by);
        below = symbols.terms.bit_or(below, shifted);
        distance *= 2;
    }
    let one = symbols.word(1);
    let lower = symbols.terms.lshr(below, one);
    symbols.terms.bit_xor(below, lower)
}

/// How many of the low 32 bits are set: pairs, fours, eights, and their sum.
pub(super) fn count(symbols: &mut Symbols, word: Term) -> Term {
    let literal = |symbols: &mut Symbols, value| symbols.word(value);
    let (m1, m2, m4) = (0x5555_5555, 0x3333_3333, 0x0f0f_0f0f);
    let [m1, m2, m4] = [m1, m2, m4].map(|mask| literal(symbols, mask));
    let [one, two, four] = [1, 2, 4].map(|by| literal(symbols, by));
    let odd = symbols.terms.lshr(word, one);
    let odd = symbols.terms.bit_and(m1, odd);
    let pairs = symbols.terms.sub(word, odd);
    let high = symbols.terms.lshr(pairs, two);
    let high = symbols.terms.bit_and(m2, high);
    let low = symbols.terms.bit_and(m2, pairs);
    let fours = symbols.terms.add(low, high);
    let high = symbols.terms.lshr(fours, four);
    let eights = symbols.terms.add(fours, high);
    let eights = symbols.terms.bit_and(m4, eights);
    let spread = symbols.word(0x0101_0101);
    let sum = symbols.multiply(&eights, &spread);
    let by = symbols.word(24);
    let count = symbols.terms.lshr(sum, by);
    let byte = symbols.word(0xff);
    symbols.terms.bit_and(byte, count)
}

impl Fold {
    /// What was found among the records below `end`.
    pub(super) fn at(&self, symbols: &mut Symbols, end: Term) -> Found {
        if symbols.literal(end) == Some(0) {
            return Found {
                has: symbols.terms.bool(false),
                index: symbols.word(0),
                key: symbols.word(0),
            };
        }
        let mask = symbols.word(ALL - 1);
        let index = symbols.terms.apply(self.index, &[end]);
        Found {
            has: symbols.terms.apply(self.has, &[end]),
            index: symbols.terms.bit_and(mask, index),
            key: symbols.terms.apply(self.best, &[end]),
        }
    }

    /// The forms in which bytes may keep it.
    pub(super) fn forms(&self) -> [Form; 4] {
        let packed = match self.which {
            Extremum::Min => [u64::MAX, u64::MAX >> 1],
            Extremum::Max => [0, 0],
        };
        [
            Form::Packed(packed[0]),
            Form::Packed(packed[1]),
            Form::Index,
            Form::Key,
        ]
    }

    /// What was found among the records below `end`, as bytes keep it.
    pub(super) fn kept(&self, symbols: &mut Symbols, form: Form, end: Term) -> Term {
        let Found { has, index, key } = self.at(symbols, end);
        let (there, none) = match form {
            Form::Packed(none) => {
                let six = symbols.word(6);
                let high = symbols.terms.shl(key, six);
                let index = match self.which {
                    Extremum::Min => index,
                    Extremum::Max => {
                        let low = symbols.word(63);
                        symbols.terms.bit_xor(low, index)
                    }
                };
                (symbols.terms.bit_or(high, index), none)
            }
            Form::Index => (index, u64::MAX),
            Form::Key => (key, 0),
        };
        let none = symbols.word(none);
        symbols.terms.ite(has, there, none)
    }

    /// What bytes keep when they take this record.
    pub(super) fn taken(&self, symbols: &mut Symbols, form: Form, index: Term) -> Term {
        let (_, key) = self.member(symbols, index);
        match form {
            Form::Packed(_) => {
                let six = symbols.word(6);
                let high = symbols.terms.shl(key, six);
                let index = match self.which {
                    Extremum::Min => index,
                    Extremum::Max => {
                        let low = symbols.word(63);
                        symbols.terms.bit_xor(low, index)
                    }
                };
                symbols.terms.bit_or(high, index)
            }
            Form::Index => index,
            Form::Key => key,
        }
    }

    /// Whether the record is a member that counts, and its key.
    fn member(&self, symbols: &mut Symbols, index: Term) -> (Term, Term) {
        let bit = symbols.bit(self.list, index);
        let null = symbols.terms.substitute(self.null, &[(self.each, index)]);
        let given = symbols.terms.not(null);
        let key = symbols.terms.substitute(self.key, &[(self.each, index)]);
        (symbols.terms.and(&[bit, given]), key)
    }

    /// What looking at one record, which is there, does.
    pub(super) fn step(&self, symbols: &mut Symbols, index: Term) -> Vec<Term> {
        let one = symbols.word(1);
        let next = symbols.terms.add(index, one);
        let before = self.at(symbols, index);
        let after = self.at(symbols, next);
        let (member, key) = self.member(symbols, index);
        let better = match self.which {
            Extremum::Min => symbols.terms.ult(key, before.key),
            Extremum::Max => symbols.terms.ult(before.key, key),
        };
        let first = symbols.terms.not(before.has);
        let takes = symbols.terms.or(&[first, better]);
        let takes = symbols.terms.and(&[member, takes]);
        let has = symbols.terms.or(&[before.has, takes]);
        let found = symbols.terms.ite(takes, index, before.index);
        let best = symbols.terms.ite(takes, key, before.key);
        vec![
            symbols.terms.iff(after.has, has),
            symbols.equal(&after.index, &found),
            symbols.equal(&after.key, &best),
        ]
    }

    /// What was found is one of the records that were looked at.
    pub(super) fn inside(&self, symbols: &mut Symbols, end: Term) -> Vec<Term> {
        let found = self.at(symbols, end);
        let (member, key) = self.member(symbols, found.index);
        let same = symbols.equal(&key, &found.key);
        let below = symbols.terms.ult(found.index, end);
        let holds = symbols.terms.and(&[member, same, below]);
        vec![symbols.terms.implies(found.has, holds)]
    }

    /// Nothing changes between two numbers, the first not above the second, or there is a member.
    pub(super) fn skip(&self, symbols: &mut Symbols, from: Term, to: Term) -> Vec<Term> {
        let (a, b) = (self.at(symbols, from), self.at(symbols, to));
        let has = symbols.terms.iff(a.has, b.has);
        let index = symbols.equal(&a.index, &b.index);
        let key = symbols.equal(&a.key, &b.key);
        let same = symbols.terms.and(&[has, index, key]);
        let mask = symbols.word(ALL - 1);
        let between = symbols.terms.apply(self.between, &[from, to]);
        let between = symbols.terms.bit_and(mask, between);
        let (member, _) = self.member(symbols, between);
        let not_before = symbols.terms.ule(from, between);
        let below = symbols.terms.ult(between, to);
        let there = symbols.terms.and(&[member, not_before, below]);
        let later = symbols.terms.ult(to, from);
        vec![symbols.terms.or(&[same, there, later])]
    }
}

/// All bits below `end`, which is at most 64.
pub(super) fn low(symbols: &mut Symbols, end: Term) -> Term {
    let one = symbols.word(1);
    let power = symbols.terms.shl(one, end);
    let minus = symbols.word(u64::MAX);
    symbols.terms.add(minus, power)
}

/// The axis that subflow indices count on.
pub(super) const AXIS: Axis = Axis::Subflow;
