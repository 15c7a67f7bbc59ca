//! What the bounded and the unbounded domain share: conditions and words are terms.

use std::collections::BTreeMap;

use progmp_ir::ArithOp;

use crate::smt::{Func, Node, Term, Terms};

/// Implements the propositional and arithmetic part of a domain over its field `terms`.
macro_rules! term_logic {
    () => {
        fn bool(&mut self, value: bool) -> Term {
            self.terms.bool(value)
        }
        fn known(&self, condition: &Term) -> Option<bool> {
            match self.terms.node(*condition) {
                $crate::smt::Node::Bool(value) => Some(value),
                _ => None,
            }
        }
        fn not(&mut self, a: &Term) -> Term {
            self.terms.not(*a)
        }
        fn and(&mut self, a: &Term, b: &Term) -> Term {
            self.terms.and(&[*a, *b])
        }
        fn or(&mut self, a: &Term, b: &Term) -> Term {
            self.terms.or(&[*a, *b])
        }
        fn iff(&mut self, a: &Term, b: &Term) -> Term {
            self.terms.iff(*a, *b)
        }
        fn int(&mut self, value: u64) -> Term {
            self.terms.word(value)
        }
        fn less(&mut self, a: &Term, b: &Term) -> Term {
            self.terms.ult(*a, *b)
        }
        fn equal(&mut self, a: &Term, b: &Term) -> Term {
            self.terms.eq(*a, *b)
        }
        fn select(&mut self, condition: &Term, a: &Term, b: &Term) -> Term {
            self.terms.ite(*condition, *a, *b)
        }
        fn wraps(&mut self, op: ArithOp, a: &Term, b: &Term) -> Term {
            $crate::symbolic::wraps(&mut self.terms, &self.widths, op, *a, *b)
        }
    };
}
pub(crate) use term_logic;

/// What is known of the size of words.
#[derive(Default)]
pub(crate) struct Widths {
    /// How many bits the values of a function have, where a fact says so.
    bits: BTreeMap<Func, u32>,
    /// Functions that stand for an operation.
    operators: BTreeMap<Func, ArithOp>,
}

impl Widths {
    /// How many bits the values of functions have.
    pub(crate) const fn bits(&self) -> &BTreeMap<Func, u32> {
        &self.bits
    }
}

impl Widths {
    /// The values of the function are below `2^bits`.
    pub(crate) fn insert(&mut self, func: Func, bits: u32) {
        self.bits.insert(func, bits);
    }

    /// The function stands for an operation.
    pub(crate) fn stands_for(&mut self, func: Func, op: ArithOp) {
        self.operators.insert(func, op);
    }
}

/// `a op b` with exact words.
pub(crate) fn exact(terms: &mut Terms, op: ArithOp, a: Term, b: Term) -> Term {
    match op {
        ArithOp::Add => terms.add(a, b),
        ArithOp::Sub => terms.sub(a, b),
        ArithOp::Mul => terms.mul(a, b),
        ArithOp::Div => terms.udiv(a, b),
        ArithOp::Rem => terms.urem(a, b),
    }
}

/// A number that the term never exceeds, by the ranges of what it is made of.
pub(crate) fn upper(terms: &Terms, widths: &Widths, term: Term) -> u64 {
    // Shared parts are visited anew: a limit on the depth keeps that short.
    upper_within(terms, widths, term, 12)
}

fn upper_within(terms: &Terms, widths: &Widths, term: Term, depth: u32) -> u64 {
    if let Node::Word(value) = terms.node(term) {
        return value;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return u64::MAX;
    };
    let most = |term| upper_within(terms, widths, term, depth);
    let of = |op, a, b| upper_of(terms, op, most(a), (b, most(b)));
    match terms.node(term) {
        Node::Apply(func, operands) => match (widths.operators.get(&func), operands) {
            (Some(&op), &[a, b]) => of(op, a, b),
            _ => widths
                .bits
                .get(&func)
                .map_or(u64::MAX, |&bits| u64::MAX >> (64 - bits)),
        },
        Node::Ite(_, a, b) => most(a).max(most(b)),
        Node::Add(a, b) => of(ArithOp::Add, a, b),
        Node::Mul(a, b) => of(ArithOp::Mul, a, b),
        Node::Udiv(a, b) => of(ArithOp::Div, a, b),
        Node::Urem(a, b) => of(ArithOp::Rem, a, b),
        _ => u64::MAX,
    }
}

/// The same for an operation, given what its operands never exceed. A division by 0 is NULL, so
/// its value does not matter to any property.
fn upper_of(terms: &Terms, op: ArithOp, a: u64, (divisor, b): (Term, u64)) -> u64 {
    match op {
        ArithOp::Add => a.saturating_add(b),
        ArithOp::Mul => a.saturating_mul(b),
        ArithOp::Div => match terms.node(divisor) {
            Node::Word(literal) if literal > 0 => a / literal,
            _ => a,
        },
        ArithOp::Rem => a.min(b),
        ArithOp::Sub => u64::MAX,
    }
}

/// When `a op b` leaves 0..2^64.
pub(crate) fn wraps(terms: &mut Terms, widths: &Widths, op: ArithOp, a: Term, b: Term) -> Term {
    let (most_a, most_b) = (upper(terms, widths, a), upper(terms, widths, b));
    match op {
        ArithOp::Add if most_a.checked_add(most_b).is_some() => terms.bool(false),
        ArithOp::Mul if most_a.checked_mul(most_b).is_some() => terms.bool(false),
        ArithOp::Add => {
            let sum = terms.add(a, b);
            terms.ult(sum, a)
        }
        ArithOp::Sub => terms.ult(a, b),
        ArithOp::Mul => {
            let (k, x) = match (terms.node(a), terms.node(b)) {
                (Node::Word(k), _) => (Some(k), b),
                (_, Node::Word(k)) => (Some(k), a),
                _ => (None, a),
            };
            if let Some(k) = k {
                let most = terms.word(u64::MAX / k.max(1));
                return terms.ult(most, x);
            }
            let product = terms.mul(a, b);
            let back = terms.udiv(product, b);
            let zero = terms.word(0);
            let (some, lost) = (terms.eq(b, zero), terms.eq(back, a));
            let fits = terms.or(&[some, lost]);
            terms.not(fits)
        }
        ArithOp::Div | ArithOp::Rem => terms.bool(false),
    }
}
