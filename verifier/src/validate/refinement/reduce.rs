//! Questions without bits: words as sets of numbers, or as integers.
//!
//! Questions about bytes speak of words in two ways: as sets, of which a bit is asked for, and as
//! numbers, which are compared and added. Z3 decides a formula of truth values, functions and
//! integers in a tenth of the time that 64 bits take. So a set becomes a predicate over an index, a
//! number an integer, the lowest bit of a word a number of which it is said what it is; and what
//! is neither becomes a number of which nothing is said.
//!
//! Everything said here of words is true of them. So if what is left has no model, then neither has
//! the question; a model says nothing.

mod sets;

use std::collections::{BTreeMap, BTreeSet};

use super::memory::Axis;
use super::words::{Known, Symbols};
use crate::smt::{Bits, Func, Node, Sort, Term};

/// What stands for words: the same in every question.
#[derive(Debug, Default)]
pub(super) struct Stand {
    /// The positions of lowest bits, by word.
    lowest: BTreeMap<Term, Term>,
    /// Whether two words are equal, and an index at which they differ if not.
    equal: BTreeMap<(Term, Term), (Term, Term)>,
    /// Numbers and truth values of which nothing is said.
    opaque: BTreeMap<Term, Term>,
    unknown: BTreeMap<(Term, Term), Term>,
    /// What stands for a word in what is computed from it.
    hole: Option<Term>,
    /// The bits of what a function gives.
    bits_of: BTreeMap<Func, Func>,
    /// What a function gives, without the bits outside of a mask.
    masked: BTreeMap<(Func, u64), Func>,
    /// How many bits values have.
    pub(super) widths: Bits,
}

/// One question.
pub(super) struct Reducer<'a> {
    pub(super) symbols: &'a mut Symbols,
    stand: &'a mut Stand,
    /// What the bits of what functions give count.
    axes: &'a BTreeMap<Func, Axis>,
    formulas: BTreeMap<Term, Term>,
    numbers: BTreeMap<Term, Term>,
    bits: BTreeMap<(Term, Term), Term>,
    /// Ways to compute a number from a word, with words and what comes out.
    ways: BTreeMap<Term, BTreeSet<(Term, Term)>>,
    /// What is said of what stands for words.
    pub(super) said: Vec<Term>,
    /// Indices of bits, and what they count.
    pub(super) indices: BTreeSet<(Term, Axis)>,
    /// At which indices bits of what functions give are asked for.
    asked: BTreeMap<Func, BTreeSet<Term>>,
    words: BTreeSet<Term>,
    pairs: BTreeSet<(Term, Term)>,
    /// Words that are equal.
    alike: BTreeSet<(Term, Term)>,
    /// Words and pairs of words, and the indices at which it was said what they are.
    told: BTreeSet<(Term, Option<Term>, Term)>,
}

impl<'a> Reducer<'a> {
    pub(super) fn new(
        symbols: &'a mut Symbols,
        stand: &'a mut Stand,
        axes: &'a BTreeMap<Func, Axis>,
    ) -> Self {
        Self {
            symbols,
            stand,
            axes,
            formulas: BTreeMap::new(),
            numbers: BTreeMap::new(),
            bits: BTreeMap::new(),
            ways: BTreeMap::new(),
            said: Vec::new(),
            indices: BTreeSet::new(),
            asked: BTreeMap::new(),
            words: BTreeSet::new(),
            pairs: BTreeSet::new(),
            alike: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// What an assertion says without bits.
    pub(super) fn assertion(&mut self, term: Term) -> Term {
        match self.symbols.terms.node(term) {
            Node::And(operands) => {
                let operands = operands.to_vec();
                let all: Vec<Term> = operands.into_iter().map(|t| self.assertion(t)).collect();
                self.symbols.terms.and(&all)
            }
            Node::Eq(a, b)
                if self.symbols.terms.sort(a) == Sort::Word
                    && (self.is_set(a) || self.is_set(b)) =>
            {
                self.alike.insert((a, b));
                self.symbols.terms.bool(true)
            }
            _ => self.formula(term),
        }
    }

    /// A formula without bits, which holds wherever the given one does.
    pub(super) fn formula(&mut self, term: Term) -> Term {
        if let Some(&known) = self.formulas.get(&term) {
            return known;
        }
        let result = match self.symbols.terms.node(term) {
            Node::Bool(_) => term,
            Node::Not(a) => {
                let a = self.formula(a);
                self.symbols.terms.not(a)
            }
            Node::And(operands) => {
                let operands = operands.to_vec();
                let all: Vec<Term> = operands.into_iter().map(|t| self.formula(t)).collect();
                self.symbols.terms.and(&all)
            }
            Node::Or(operands) => {
                let operands = operands.to_vec();
                let all: Vec<Term> = operands.into_iter().map(|t| self.formula(t)).collect();
                self.symbols.terms.or(&all)
            }
            Node::Ite(c, a, b) => {
                let [c, a, b] = [c, a, b].map(|t| self.formula(t));
                self.symbols.terms.ite(c, a, b)
            }
            Node::Eq(a, b) if self.symbols.terms.sort(a) == Sort::Bool => {
                let [a, b] = [a, b].map(|t| self.formula(t));
                self.symbols.terms.iff(a, b)
            }
            Node::Eq(a, b) => self.equality(a, b),
            Node::Ult(a, b) => {
                let [a, b] = [a, b].map(|t| self.number(t));
                self.symbols.terms.ult(a, b)
            }
            Node::Slt(a, b) => {
                // The order of signed words is that of words with the other sign.
                let half = self.symbols.word(1 << 63);
                let [a, b] = [a, b].map(|t| {
                    let t = self.number(t);
                    self.symbols.terms.add(half, t)
                });
                self.symbols.terms.ult(a, b)
            }
            Node::Apply(func, arguments) => {
                let arguments = arguments.to_vec();
                let arguments: Vec<Term> = arguments.into_iter().map(|t| self.number(t)).collect();
                self.symbols.terms.apply(func, &arguments)
            }
            _ => self.opaque(term),
        };
        self.formulas.insert(term, result);
        result
    }

    /// The number that a word is.
    fn number(&mut self, term: Term) -> Term {
        if let Some(&known) = self.numbers.get(&term) {
            return known;
        }
        let result = self.as_number(term);
        self.numbers.insert(term, result);
        result
    }

    fn as_number(&mut self, term: Term) -> Term {
        let bits = |r: &Self, t| r.symbols.terms.bits(t);
        match self.symbols.terms.node(term) {
            Node::Word(_) => term,
            Node::Apply(func, &[word]) if func == self.symbols.position => self.lowest(word),
            Node::Apply(func, arguments) => {
                let arguments = arguments.to_vec();
                let arguments: Vec<Term> = arguments.into_iter().map(|t| self.number(t)).collect();
                self.symbols.terms.apply(func, &arguments)
            }
            Node::Ite(c, a, b) => {
                let c = self.formula(c);
                let [a, b] = [a, b].map(|t| self.number(t));
                self.symbols.terms.ite(c, a, b)
            }
            Node::Add(a, b) => {
                let [a, b] = [a, b].map(|t| self.number(t));
                self.symbols.terms.add(a, b)
            }
            Node::Sub(a, b) => {
                let [a, b] = [a, b].map(|t| self.number(t));
                self.symbols.terms.sub(a, b)
            }
            Node::Mul(a, b) if self.symbols.literal(a).is_some() => {
                let b = self.number(b);
                self.symbols.terms.mul(a, b)
            }
            Node::Udiv(a, b) if self.symbols.literal(b).is_some_and(|b| b > 0) => {
                let a = self.number(a);
                self.symbols.terms.udiv(a, b)
            }
            Node::Urem(a, b) if self.symbols.literal(b).is_some_and(|b| b > 0) => {
                let a = self.number(a);
                self.symbols.terms.urem(a, b)
            }
            Node::Shl(a, by) => match self.symbols.literal(by) {
                Some(by) if by < 64 => {
                    let factor = self.symbols.word(1 << by);
                    let a = self.number(a);
                    self.symbols.terms.mul(factor, a)
                }
                _ => self.opaque(term),
            },
            Node::Lshr(a, by) => match self.symbols.literal(by) {
                Some(by) if by < 64 => {
                    let divisor = self.symbols.word(1 << by);
                    let a = self.number(a);
                    self.symbols.terms.udiv(a, divisor)
                }
                _ => self.opaque(term),
            },
            Node::BitAnd(mask, x) => match self.symbols.literal(mask) {
                Some(mask) => self.masked(term, mask, x),
                None => self.opaque(term),
            },
            // No bit of both: a sum.
            Node::BitOr(a, b) | Node::BitXor(a, b) if bits(self, a) & bits(self, b) == 0 => {
                let [a, b] = [a, b].map(|t| self.number(t));
                self.symbols.terms.add(a, b)
            }
            Node::BitXor(a, x) => match self.symbols.literal(a) {
                // All bits that there may be, turned round.
                Some(mask) if mask & mask.wrapping_add(1) == 0 && bits(self, x) & !mask == 0 => {
                    let x = self.number(x);
                    self.symbols.terms.sub(a, x)
                }
                _ => self.opaque(term),
            },
            _ => self.opaque(term),
        }
    }

    fn masked(&mut self, whole: Term, mask: u64, x: Term) -> Term {
        let low = mask & mask.wrapping_add(1) == 0;
        match self.symbols.terms.node(x) {
            Node::Apply(func, &[word]) if func == self.symbols.position => {
                // Which bit is the lowest is no higher than the highest that there may be.
                let most = 63 - self.symbols.terms.bits(word).leading_zeros().min(63);
                let place = self.lowest(word);
                if u64::from(most) <= mask && low {
                    return place;
                }
                match low {
                    true if mask < 63 => {
                        let divisor = self.symbols.word(mask + 1);
                        self.symbols.terms.urem(place, divisor)
                    }
                    true => place,
                    false => self.opaque(whole),
                }
            }
            Node::Apply(func, arguments) if matches!(self.symbols.known.get(&func), Some(&Known::Within(within)) if within == mask) =>
            {
                // It is never read without that mask.
                let arguments = arguments.to_vec();
                let narrow = self.narrow(func, mask);
                let arguments: Vec<Term> = arguments.into_iter().map(|t| self.number(t)).collect();
                self.symbols.terms.apply(narrow, &arguments)
            }
            _ if low && self.symbols.terms.bits(x) & !mask == 0 => self.number(x),
            _ if low => {
                let x = self.number(x);
                let divisor = self.symbols.word(mask + 1);
                self.symbols.terms.urem(x, divisor)
            }
            _ => self.opaque(whole),
        }
    }

    /// A function that gives what another one gives, without the bits outside of a mask.
    fn narrow(&mut self, func: Func, mask: u64) -> Func {
        if let Some(&known) = self.stand.masked.get(&(func, mask)) {
            return known;
        }
        let terms = &mut self.symbols.terms;
        let domain = terms.signature(func).0.to_vec();
        let name = format!("narrow_{}", terms.name(func));
        let narrow = terms.declare(&name, &domain, Sort::Word);
        self.stand.masked.insert((func, mask), narrow);
        self.stand.widths.insert(narrow, 64 - mask.leading_zeros());
        narrow
    }

    /// A value of which nothing is said, but that it is the same if it is computed in the same way from
    /// words that are equal.
    fn opaque(&mut self, term: Term) -> Term {
        let sort = self.symbols.terms.sort(term);
        let terms = &mut self.symbols.terms;
        let make = || terms.constant("opaque", sort);
        let value = *self.stand.opaque.entry(term).or_insert_with(make);
        if sort == Sort::Word
            && let Some(word) = self.only_word(term)
        {
            let terms = &mut self.symbols.terms;
            let hole = *self
                .stand
                .hole
                .get_or_insert_with(|| terms.constant("hole", Sort::Word));
            let way = terms.replace(term, word, hole);
            let others = self.ways.entry(way).or_default();
            if others.insert((word, value)) {
                for (other, found) in others.clone() {
                    if other != word {
                        let same = self.same_bits(word, other);
                        let equal = self.symbols.terms.eq(value, found);
                        let said = self.symbols.terms.implies(same, equal);
                        self.said.push(said);
                    }
                }
            }
        }
        value
    }

    /// The only word from which a number is computed, if there is one.
    fn only_word(&self, term: Term) -> Option<Term> {
        let terms = &self.symbols.terms;
        let mut found = None;
        let mut seen = BTreeSet::from([term]);
        let mut open = vec![term];
        while let Some(next) = open.pop() {
            let whole = match terms.node(next) {
                Node::Word(_) => continue,
                Node::Apply(..) => true,
                Node::BitAnd(mask, x) => {
                    self.symbols.literal(mask).is_none() || matches!(terms.node(x), Node::Apply(..))
                }
                _ => false,
            };
            if whole {
                if found.is_some_and(|found| found != next) {
                    return None;
                }
                found = Some(next);
                continue;
            }
            for &operand in terms.operands(next) {
                if terms.sort(operand) != Sort::Word {
                    return None;
                }
                if seen.insert(operand) {
                    open.push(operand);
                }
            }
        }
        found.filter(|&found| found != term)
    }

    /// The position of the lowest bit of a word.
    fn lowest(&mut self, word: Term) -> Term {
        let known = self.stand.lowest.get(&word).copied();
        let place = known.unwrap_or_else(|| {
            let func = self.symbols.terms.declare("lowest", &[], Sort::Word);
            let place = self.symbols.terms.apply(func, &[]);
            self.stand.widths.insert(func, 6);
            self.stand.lowest.insert(word, place);
            place
        });
        if self.words.insert(word) {
            let zero = self.symbols.word(0);
            let none = self.is_zero(word);
            let some = self.symbols.terms.not(none);
            let there = self.bit(word, place);
            let said = self.symbols.terms.implies(some, there);
            self.said.push(said);
            let first = self.symbols.terms.eq(place, zero);
            let said = self.symbols.terms.implies(none, first);
            self.said.push(said);
        }
        place
    }

    /// Whether a word is 0.
    fn is_zero(&mut self, word: Term) -> Term {
        let zero = self.symbols.word(0);
        self.same_bits(zero, word)
    }

    fn equality(&mut self, a: Term, b: Term) -> Term {
        for (value, x) in [(a, b), (b, a)] {
            let Some(value) = self.symbols.literal(value) else {
                continue;
            };
            let bits = self.symbols.terms.bits(x);
            if value & !bits != 0 {
                return self.symbols.terms.bool(false);
            }
            if bits.is_power_of_two() {
                let at = self.symbols.word(u64::from(bits.trailing_zeros()));
                let bit = self.bit(x, at);
                return if value == 0 {
                    self.symbols.terms.not(bit)
                } else {
                    bit
                };
            }
        }
        if self.is_set(a) || self.is_set(b) {
            return self.same_bits(a, b);
        }
        let [x, y] = [a, b].map(|t| self.number(t));
        let equal = self.symbols.terms.eq(x, y);
        if self.may_be_set(a) && self.may_be_set(b) {
            // Equal numbers have the same bits, and others have not.
            let same = self.same_bits(a, b);
            let both = self.symbols.terms.iff(same, equal);
            self.said.push(both);
        }
        equal
    }

    /// Whether a word has the same bits as another one.
    fn same_bits(&mut self, a: Term, b: Term) -> Term {
        let key = (a.min(b), a.max(b));
        if a == b {
            return self.symbols.terms.bool(true);
        }
        let known = self.stand.equal.get(&key).copied();
        let (same, place) = known.unwrap_or_else(|| {
            let same = self.symbols.terms.constant("same", Sort::Bool);
            let func = self.symbols.terms.declare("differ_at", &[], Sort::Word);
            let place = self.symbols.terms.apply(func, &[]);
            self.stand.widths.insert(func, 6);
            self.stand.equal.insert(key, (same, place));
            (same, place)
        });
        if self.pairs.insert(key) {
            let [x, y] = [a, b].map(|t| self.bit(t, place));
            let differ = self.symbols.terms.xor(x, y);
            let said = self.symbols.terms.or(&[same, differ]);
            self.said.push(said);
        }
        same
    }

    /// Whether a word is seen to be a set.
    fn is_set(&self, term: Term) -> bool {
        let terms = &self.symbols.terms;
        let literal = |t| self.symbols.literal(t).is_some();
        match terms.node(term) {
            Node::BitAnd(a, b) if literal(a) => self.is_set(b),
            Node::BitAnd(..) => true,
            Node::BitXor(a, b) if literal(a) => self.is_set(b),
            Node::BitOr(a, b) | Node::BitXor(a, b) => terms.bits(a) & terms.bits(b) != 0,
            Node::Shl(_, by) | Node::Lshr(_, by) => !literal(by),
            Node::Ite(_, a, b) => self.is_set(a) || self.is_set(b),
            _ => false,
        }
    }

    /// Whether a word may be one: nothing is computed with it.
    fn may_be_set(&self, term: Term) -> bool {
        match self.symbols.terms.node(term) {
            Node::Apply(func, _) => func != self.symbols.position,
            Node::BitAnd(_, x) => self.may_be_set(x),
            Node::Ite(_, a, b) => self.may_be_set(a) && self.may_be_set(b),
            Node::Word(_) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
