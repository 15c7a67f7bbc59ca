//! Words as sets: which bits they have.

use std::collections::BTreeSet;

use super::Reducer;
use crate::smt::{Func, Node, Sort, Term};

/// How often indices may bring in facts that bring in indices.
const ROUNDS: usize = 4;

impl Reducer<'_> {
    /// Whether a bit of a word is set; `at` is a number.
    pub(super) fn bit(&mut self, word: Term, at: Term) -> Term {
        if let Some(&known) = self.bits.get(&(word, at)) {
            return known;
        }
        let result = self.as_bit(word, at);
        self.bits.insert((word, at), result);
        result
    }

    fn as_bit(&mut self, word: Term, at: Term) -> Term {
        let literal = |r: &Self, t| r.symbols.literal(t);
        match self.symbols.terms.node(word) {
            Node::Word(value) => self.bit_of(value, at),
            Node::BitAnd(a, b) => {
                for (x, other) in [(a, b), (b, a)] {
                    if self.is_less_one(other, x) {
                        // All but the lowest.
                        let lowest = self.lowest(x);
                        let same = self.symbols.terms.eq(lowest, at);
                        let other = self.symbols.terms.not(same);
                        let bit = self.bit(x, at);
                        return self.symbols.terms.and(&[bit, other]);
                    }
                    if matches!(self.symbols.terms.node(other), Node::Sub(zero, y)
                        if y == x && literal(self, zero) == Some(0))
                    {
                        // The lowest alone.
                        let lowest = self.lowest(x);
                        let same = self.symbols.terms.eq(lowest, at);
                        let none = self.is_zero(x);
                        let some = self.symbols.terms.not(none);
                        return self.symbols.terms.and(&[some, same]);
                    }
                }
                let [x, y] = [a, b].map(|t| self.bit(t, at));
                self.symbols.terms.and(&[x, y])
            }
            Node::BitOr(a, b) => {
                let [x, y] = [a, b].map(|t| self.bit(t, at));
                self.symbols.terms.or(&[x, y])
            }
            Node::BitXor(a, b) => {
                let [x, y] = [a, b].map(|t| self.bit(t, at));
                self.symbols.terms.xor(x, y)
            }
            Node::Ite(c, a, b) => {
                let c = self.formula(c);
                let [x, y] = [a, b].map(|t| self.bit(t, at));
                self.symbols.terms.ite(c, x, y)
            }
            Node::Shl(x, by) => {
                let by = self.number(by);
                let inside = self.inside(at);
                let reached = self.symbols.terms.ule(by, at);
                let from = self.symbols.terms.sub(at, by);
                let bit = if literal(self, x) == Some(1) {
                    self.symbols.terms.eq(at, by)
                } else {
                    self.bit(x, from)
                };
                self.symbols.terms.and(&[inside, reached, bit])
            }
            Node::Lshr(x, by) => {
                let by = self.number(by);
                let from = self.symbols.terms.add(at, by);
                let few = self.inside(by);
                let inside = self.inside(at);
                let bit = self.bit(x, from);
                self.symbols.terms.and(&[few, inside, bit])
            }
            Node::Add(minus, power) if literal(self, minus) == Some(u64::MAX) => {
                match self.symbols.terms.node(power) {
                    // All bits below a number.
                    Node::Shl(one, end) if literal(self, one) == Some(1) => {
                        let end = self.number(end);
                        let inside = self.inside(at);
                        let below = self.symbols.terms.ult(at, end);
                        self.symbols.terms.and(&[inside, below])
                    }
                    _ => self.unknown_bit(word, at),
                }
            }
            Node::Apply(func, arguments) if func != self.symbols.position => {
                let arguments = arguments.to_vec();
                let mut arguments: Vec<Term> =
                    arguments.into_iter().map(|t| self.number(t)).collect();
                let bits_of = self.bits_of(func);
                if let Some(&axis) = self.axes.get(&func) {
                    self.indices.insert((at, axis));
                }
                self.asked.entry(func).or_default().insert(at);
                arguments.push(at);
                let bit = self.symbols.terms.apply(bits_of, &arguments);
                let inside = self.inside(at);
                self.symbols.terms.and(&[inside, bit])
            }
            _ => self.unknown_bit(word, at),
        }
    }

    fn unknown_bit(&mut self, word: Term, at: Term) -> Term {
        let bits = self.symbols.terms.bits(word);
        if bits == 1 {
            // A truth value as a number.
            let (zero, one) = (self.symbols.word(0), self.symbols.word(1));
            let value = self.number(word);
            let [first, set] = [
                self.symbols.terms.eq(at, zero),
                self.symbols.terms.eq(value, one),
            ];
            return self.symbols.terms.and(&[first, set]);
        }
        let terms = &mut self.symbols.terms;
        let make = || terms.constant("bit", Sort::Bool);
        *self.stand.unknown.entry((word, at)).or_insert_with(make)
    }

    fn bits_of(&mut self, func: Func) -> Func {
        let terms = &mut self.symbols.terms;
        *self.stand.bits_of.entry(func).or_insert_with(|| {
            let mut domain = terms.signature(func).0.to_vec();
            domain.push(Sort::Word);
            let name = format!("bit_of_{}", terms.name(func));
            terms.declare(&name, &domain, Sort::Bool)
        })
    }

    /// Whether a number is one of a bit.
    fn inside(&mut self, at: Term) -> Term {
        if let Node::Apply(func, []) = self.symbols.terms.node(at)
            && self.stand.widths.get(&func).is_some_and(|&bits| bits <= 6)
        {
            return self.symbols.terms.bool(true);
        }
        let all = self.symbols.word(64);
        self.symbols.terms.ult(at, all)
    }

    fn is_less_one(&self, less: Term, word: Term) -> bool {
        matches!(self.symbols.terms.node(less), Node::Add(minus, x)
            if x == word && self.symbols.literal(minus) == Some(u64::MAX))
    }

    /// Whether a bit of a number is set.
    fn bit_of(&mut self, value: u64, at: Term) -> Term {
        if let Some(at) = self.symbols.literal(at) {
            let set = u32::try_from(at).is_ok_and(|at| value.checked_shr(at).unwrap_or(0) & 1 == 1);
            return self.symbols.terms.bool(set);
        }
        let mut runs = Vec::new();
        let mut from = 0;
        while from < 64 && value >> from != 0 {
            let first = from + (value >> from).trailing_zeros();
            let length = (value >> first).trailing_ones();
            let [low, high] = [first, first + length].map(|n| self.symbols.word(u64::from(n)));
            let not_before = self.symbols.terms.ule(low, at);
            let before_end = self.symbols.terms.ult(at, high);
            runs.push(self.symbols.terms.and(&[not_before, before_end]));
            from = first + length;
        }
        self.symbols.terms.or(&runs)
    }

    /// Says of each word that was asked for what it is at each index that occurs.
    pub(in super::super) fn finish(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.said.len();
            let words: Vec<Term> = self.words.iter().copied().collect();
            for word in words {
                let place = self.lowest(word);
                for at in self.indices_of(&[word]) {
                    if at == place || !self.told.insert((word, None, at)) {
                        continue;
                    }
                    let bit = self.bit(word, at);
                    let not_before = self.symbols.terms.ule(place, at);
                    let said = self.symbols.terms.implies(bit, not_before);
                    self.said.push(said);
                }
            }
            let pairs: Vec<(Term, Term)> = self.pairs.iter().chain(&self.alike).copied().collect();
            for (a, b) in pairs {
                let same = if self.alike.contains(&(a, b)) {
                    self.symbols.terms.bool(true)
                } else {
                    self.same_bits(a, b)
                };
                for at in self.indices_of(&[a, b]) {
                    if !self.told.insert((a, Some(b), at)) {
                        continue;
                    }
                    let [x, y] = [a, b].map(|t| self.bit(t, at));
                    let alike = self.symbols.terms.iff(x, y);
                    let said = self.symbols.terms.implies(same, alike);
                    self.said.push(said);
                }
            }
            if self.said.len() == before {
                break;
            }
        }
    }

    /// At which indices bits of anything are asked for that these words are made of.
    fn indices_of(&self, words: &[Term]) -> BTreeSet<Term> {
        let mut seen: BTreeSet<Term> = words.iter().copied().collect();
        let mut open = words.to_vec();
        let mut indices = BTreeSet::new();
        while let Some(term) = open.pop() {
            let terms = &self.symbols.terms;
            let below: &[Term] = match terms.node(term) {
                Node::Apply(func, _) => {
                    indices.extend(self.asked.get(&func).into_iter().flatten());
                    &[]
                }
                Node::Ite(..) => &terms.operands(term)[1..],
                Node::Shl(..) | Node::Lshr(..) => &terms.operands(term)[..1],
                _ => terms.operands(term),
            };
            open.extend(below.iter().copied().filter(|&t| seen.insert(t)));
        }
        indices
    }
}
