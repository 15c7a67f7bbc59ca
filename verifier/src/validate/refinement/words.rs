//! eBPF's arithmetic over the solver's words, with what both sides of a comparison are brought to.
//!
//! [`crate::ebpf::arith`] says what instructions mean; here are the operations that it asks for.
//! The few normal forms besides are equivalences: a sign bit of a difference of small words is a
//! comparison, a choice by masks is a choice, and a look into the table of lowest bits is a position.

use std::collections::BTreeMap;

use progmp_abi::layout;

use crate::ebpf::arith::Words;
use crate::smt::{Func, Node, Sort, Term, Terms};

/// How often a claim is made simpler by what is known.
const CHANGES: usize = 3;

/// Terms, and the function that gives positions of lowest bits.
#[derive(Debug)]
pub(super) struct Symbols {
    pub(super) terms: Terms,
    /// Position of the lowest bit of a word, in its low bits; 0 of 0.
    pub(super) position: Func,
    /// Quotient, remainder and product of words that are not known: any functions, the same on both
    /// sides. What holds of all functions holds of these.
    quotient: Func,
    remainder: Func,
    product: Func,
    /// What is known of what members hold at the start.
    pub(super) known: BTreeMap<Func, Known>,
}

/// What is known of each cell of a member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// It is this number.
    Is(u64),
    /// It has no other bits.
    Within(u64),
}

impl Symbols {
    pub(super) fn new() -> Self {
        let mut terms = Terms::new();
        // Beyond it the answer is that nothing is known.
        terms.set_budget(20_000_000);
        let position = terms.declare("position", &[Sort::Word], Sort::Word);
        let [quotient, remainder, product] = ["quotient", "remainder", "product"]
            .map(|name| terms.declare(name, &[Sort::Word, Sort::Word], Sort::Word));
        Self {
            terms,
            position,
            quotient,
            remainder,
            product,
            known: BTreeMap::new(),
        }
    }

    /// What a cell held at the start.
    pub(super) fn started(&mut self, member: Func, index: Term) -> Term {
        match self.known.get(&member) {
            Some(&Known::Is(value)) => self.word(value),
            Some(&Known::Within(bits)) => {
                let mask = self.word(bits);
                let cell = self.terms.apply(member, &[index]);
                self.terms.bit_and(mask, cell)
            }
            None => self.terms.apply(member, &[index]),
        }
    }

    pub(super) fn word(&mut self, value: u64) -> Term {
        self.terms.word(value)
    }

    pub(super) fn literal(&self, term: Term) -> Option<u64> {
        match self.terms.node(term) {
            Node::Word(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn fresh(&mut self, name: &str) -> Term {
        self.terms.constant(name, Sort::Word)
    }

    /// The position of the lowest bit of a word; 0 of 0.
    pub(super) fn lowest(&mut self, word: Term) -> Term {
        match self.literal(word) {
            Some(0) => return self.word(0),
            Some(value) => return self.word(u64::from(value.trailing_zeros())),
            None => {}
        }
        let most = match self.terms.bits(word) {
            0..=0xffff => 15,
            0x1_0000..=0xffff_ffff => 31,
            _ => 63,
        };
        let position = self.terms.apply(self.position, &[word]);
        let mask = self.word(most);
        self.terms.bit_and(mask, position)
    }

    /// What the table of the block says of this place: W2.
    pub(super) fn table(&mut self, place: Term) -> Option<Term> {
        let Node::Lshr(product, shift) = self.terms.node(place) else {
            return None;
        };
        let Node::Mul(factor, single) = self.terms.node(product) else {
            return None;
        };
        let factors = (self.literal(factor)?, self.literal(shift)?);
        if factors != (layout::DEBRUIJN, u64::from(layout::DEBRUIJN_SHIFT)) {
            return None;
        }
        let word = self.isolated(single)?;
        Some(self.lowest(word))
    }

    /// The word of which a term is the lowest bit, alone: `x & -x`.
    pub(super) fn isolated(&self, single: Term) -> Option<Term> {
        let Node::BitAnd(a, b) = self.terms.node(single) else {
            return None;
        };
        [(a, b), (b, a)]
            .into_iter()
            .find_map(|(word, negative)| match self.terms.node(negative) {
                Node::Sub(zero, inner) if inner == word && self.literal(zero) == Some(0) => {
                    Some(word)
                }
                _ => None,
            })
    }

    /// Whether a term is a word without its lowest bit.
    pub(super) fn is_rest(&self, term: Term, word: Term) -> bool {
        match self.terms.node(term) {
            Node::BitXor(a, b) => {
                let pairs = [(a, b), (b, a)];
                pairs
                    .into_iter()
                    .any(|(x, y)| x == word && self.isolated(y) == Some(word))
            }
            Node::BitAnd(a, b) => [(a, b), (b, a)].into_iter().any(|(x, y)| {
                let Node::Add(minus, z) = self.terms.node(y) else {
                    return false;
                };
                x == word && z == word && self.literal(minus) == Some(u64::MAX)
            }),
            _ => false,
        }
    }

    /// Whether bit `at` of a word is set; nothing is at 64 and above.
    pub(super) fn bit(&mut self, word: Term, at: Term) -> Term {
        let one = self.word(1);
        let shifted = self.terms.lshr(word, at);
        let lowest = self.terms.bit_and(one, shifted);
        self.equal(&lowest, &one)
    }
}

impl Symbols {
    /// A claim as simple as it is where a guard holds.
    pub(super) fn given(&mut self, guard: Term, claim: Term) -> Term {
        let parts = match self.terms.node(guard) {
            Node::And(parts) => parts.to_vec(),
            _ => vec![guard],
        };
        let conditions: Vec<(Term, bool)> = parts
            .iter()
            .map(|&part| match self.terms.node(part) {
                Node::Not(inner) => (inner, false),
                _ => (part, true),
            })
            .filter(|&(part, _)| !matches!(self.terms.node(part), Node::Bool(_)))
            .collect();
        let mut claim = claim;
        for _ in 0..CHANGES {
            let simpler = self.terms.assume_all(claim, &conditions);
            if simpler == claim {
                break;
            }
            claim = simpler;
        }
        claim
    }
}

/// What code without branches computes is brought to what it chooses.
impl Symbols {
    /// An operation, in each case of an operand if it is simple there.
    fn by_cases(&mut self, a: Term, b: Term, op: impl Fn(&mut Self, Term, Term) -> Term) -> Term {
        for (side, first) in [(a, true), (b, false)] {
            let Node::Ite(condition, x, y) = self.terms.node(side) else {
                continue;
            };
            let mut of = |case| {
                if first {
                    op(self, case, b)
                } else {
                    op(self, a, case)
                }
            };
            let (p, q) = (of(x), of(y));
            let other = if first { b } else { a };
            let simple = |symbols: &Self, result, case| {
                symbols.literal(result).is_some()
                    || [other, case].contains(&result)
                    || symbols.terms.operands(other).contains(&result)
                    || symbols.terms.operands(case).contains(&result)
            };
            if simple(self, p, x) && simple(self, q, y) {
                return self.terms.ite(condition, p, q);
            }
        }
        op(self, a, b)
    }

    /// Bits of just one: what is in both operands is in neither.
    fn differing(&mut self, a: Term, b: Term) -> Term {
        for (whole, part) in [(a, b), (b, a)] {
            if let Node::BitXor(x, y) = self.terms.node(whole) {
                if x == part {
                    return y;
                }
                if y == part {
                    return x;
                }
            }
        }
        self.terms.bit_xor(a, b)
    }

    /// Whether the highest bit of a word is set.
    fn sign(&mut self, word: Term) -> Term {
        if self.terms.bits(word) >> 63 == 0 {
            return self.terms.bool(false);
        }
        match self.terms.node(word) {
            Node::Ite(condition, x, y) => {
                let (x, y) = (self.sign(x), self.sign(y));
                self.terms.ite(condition, x, y)
            }
            Node::Sub(x, y) if (self.terms.bits(x) | self.terms.bits(y)) >> 63 == 0 => {
                self.terms.ult(x, y)
            }
            Node::BitOr(x, y) => {
                for (x, negative) in [(x, y), (y, x)] {
                    if let Node::Sub(zero, z) = self.terms.node(negative)
                        && z == x
                        && self.literal(zero) == Some(0)
                    {
                        let zero = self.word(0);
                        let none = self.equal(&x, &zero);
                        return self.terms.not(none);
                    }
                }
                if let Some((a, b)) = self.borrow(x, y).or_else(|| self.borrow(y, x)) {
                    return self.terms.ult(a, b);
                }
                let (x, y) = (self.sign(x), self.sign(y));
                self.terms.or(&[x, y])
            }
            Node::BitAnd(x, y) => {
                let (x, y) = (self.sign(x), self.sign(y));
                self.terms.and(&[x, y])
            }
            Node::BitXor(x, y) => {
                let (x, y) = (self.sign(x), self.sign(y));
                self.terms.xor(x, y)
            }
            _ => {
                let half = self.word(1 << 63);
                self.terms.ule(half, word)
            }
        }
    }

    /// The words whose difference borrows where the sign of `(b & !a) | ((a - b) & !(a ^ b))` is set
    /// (Warren, "Hacker's Delight", section 2-13).
    fn borrow(&self, borrowed: Term, same: Term) -> Option<(Term, Term)> {
        let Node::BitAnd(p, q) = self.terms.node(borrowed) else {
            return None;
        };
        let Node::BitAnd(r, s) = self.terms.node(same) else {
            return None;
        };
        let inverse = |term| match self.terms.node(term) {
            Node::BitXor(all, x) if self.literal(all) == Some(u64::MAX) => Some(x),
            _ => None,
        };
        for (b, not_a) in [(p, q), (q, p)] {
            let Some(a) = inverse(not_a) else {
                continue;
            };
            for (difference, equal) in [(r, s), (s, r)] {
                let right =
                    matches!(self.terms.node(difference), Node::Sub(x, y) if (x, y) == (a, b));
                let signs = inverse(equal).is_some_and(|differ| {
                    matches!(self.terms.node(differ), Node::BitXor(x, y)
                        if (x, y) == (a, b) || (y, x) == (a, b))
                });
                if right && signs {
                    return Some((a, b));
                }
            }
        }
        None
    }
}

impl Words for Symbols {
    type Word = Term;
    type Truth = Term;

    fn constant(&mut self, value: u64) -> Term {
        self.terms.word(value)
    }
    fn add(&mut self, a: &Term, b: &Term) -> Term {
        self.by_cases(*a, *b, |symbols, a, b| symbols.terms.add(a, b))
    }
    fn subtract(&mut self, a: &Term, b: &Term) -> Term {
        self.by_cases(*a, *b, |symbols, a, b| symbols.terms.sub(a, b))
    }
    fn multiply(&mut self, a: &Term, b: &Term) -> Term {
        if self.literal(*a).is_some() || self.literal(*b).is_some() {
            return self.terms.mul(*a, *b);
        }
        let (a, b) = (*a.min(b), *a.max(b));
        self.terms.apply(self.product, &[a, b])
    }
    fn divide(&mut self, a: &Term, b: &Term) -> Term {
        if self.literal(*a).is_some() && self.literal(*b).is_some() {
            return self.terms.udiv(*a, *b);
        }
        self.terms.apply(self.quotient, &[*a, *b])
    }
    fn remainder(&mut self, a: &Term, b: &Term) -> Term {
        if self.literal(*a).is_some() && self.literal(*b).is_some() {
            return self.terms.urem(*a, *b);
        }
        self.terms.apply(self.remainder, &[*a, *b])
    }
    fn and(&mut self, a: &Term, b: &Term) -> Term {
        self.by_cases(*a, *b, |symbols, a, b| symbols.terms.bit_and(a, b))
    }
    fn or(&mut self, a: &Term, b: &Term) -> Term {
        self.by_cases(*a, *b, |symbols, a, b| symbols.terms.bit_or(a, b))
    }
    fn xor(&mut self, a: &Term, b: &Term) -> Term {
        self.by_cases(*a, *b, Self::differing)
    }
    fn shift_left(&mut self, a: &Term, amount: &Term) -> Term {
        self.terms.shl(*a, *amount)
    }
    fn shift_right(&mut self, a: &Term, amount: &Term) -> Term {
        if self.literal(*amount) == Some(63) {
            let sign = self.sign(*a);
            let (one, zero) = (self.word(1), self.word(0));
            return self.terms.ite(sign, one, zero);
        }
        self.terms.lshr(*a, *amount)
    }
    fn shift_right_signed(&mut self, a: &Term, amount: &Term) -> Term {
        if self.literal(*amount) == Some(63) {
            let sign = self.sign(*a);
            let (all, zero) = (self.word(u64::MAX), self.word(0));
            return self.terms.ite(sign, all, zero);
        }
        self.terms.ashr(*a, *amount)
    }
    fn equal(&mut self, a: &Term, b: &Term) -> Term {
        let (a, b) = (*a, *b);
        for (side, other) in [(a, b), (b, a)] {
            let Some(value) = self.literal(other) else {
                continue;
            };
            if value & !self.terms.bits(side) != 0 {
                return self.terms.bool(false);
            }
            // Nothing differs.
            if value == 0
                && let Node::BitXor(x, y) | Node::Sub(x, y) = self.terms.node(side)
            {
                return self.equal(&x, &y);
            }
            if let Node::Ite(condition, x, y) = self.terms.node(side) {
                let (x, y) = (self.equal(&x, &other), self.equal(&y, &other));
                return self.terms.ite(condition, x, y);
            }
            // One bit is 1 or it is 0.
            if self.terms.bits(side).is_power_of_two() && value == 0 {
                let bit = self.word(self.terms.bits(side));
                let set = self.terms.eq(side, bit);
                return self.terms.not(set);
            }
        }
        self.terms.eq(a, b)
    }
    fn below(&mut self, a: &Term, b: &Term) -> Term {
        self.terms.ult(*a, *b)
    }
    fn less(&mut self, a: &Term, b: &Term) -> Term {
        self.terms.slt(*a, *b)
    }
    fn not(&mut self, a: &Term) -> Term {
        self.terms.not(*a)
    }
    fn choose(&mut self, which: &Term, yes: &Term, no: &Term) -> Term {
        self.terms.ite(*which, *yes, *no)
    }
}
