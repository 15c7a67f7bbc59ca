//! Constructors of words that are read bit by bit: junctions, shifts, signs.
//!
//! Shifts are those of SMT-LIB: an amount of 64 or more leaves nothing of an unsigned word. Each
//! step is an equivalence; besides literals, what is looked at is which bits a word may have.

use super::term::{Node, Op, Sort, Term, Terms};

/// `a << by`, 0 from 64 on.
pub(super) fn shl(a: u64, by: u64) -> u64 {
    u32::try_from(by).map_or(0, |by| a.checked_shl(by).unwrap_or(0))
}

/// `a >> by` with zeros, 0 from 64 on.
pub(super) fn lshr(a: u64, by: u64) -> u64 {
    u32::try_from(by).map_or(0, |by| a.checked_shr(by).unwrap_or(0))
}

/// `a >> by` with signs.
pub(super) fn ashr(a: u64, by: u64) -> u64 {
    (a.cast_signed() >> by.min(63)).cast_unsigned()
}

/// How deep [`Terms::bits`] looks.
const DEPTH: usize = 12;

impl Terms {
    /// Bits that a word may have: those that are not in the mask are surely 0.
    pub fn bits(&self, term: Term) -> u64 {
        self.bits_within(term, DEPTH)
    }

    fn bits_within(&self, term: Term, depth: usize) -> u64 {
        let Some(depth) = depth.checked_sub(1) else {
            return u64::MAX;
        };
        let of = |term| self.bits_within(term, depth);
        let literal = |term| self.word_value(term);
        match self.node(term) {
            Node::Word(value) => value,
            Node::BitAnd(a, b) => of(a) & of(b),
            Node::BitOr(a, b) | Node::BitXor(a, b) | Node::Ite(_, a, b) => of(a) | of(b),
            Node::Shl(a, b) => literal(b).map_or(u64::MAX, |by| shl(of(a), by)),
            Node::Lshr(a, b) => match literal(b) {
                Some(by) => lshr(of(a), by),
                None => up_to(of(a)),
            },
            Node::Add(a, b) => {
                let (a, b) = (of(a), of(b));
                match up_to(a).checked_add(up_to(b)) {
                    // Below the lowest bit of both nothing is added.
                    Some(most) => up_to(most) & !below(a | b),
                    None => !below(a | b),
                }
            }
            Node::Mul(a, b) => match up_to(of(a)).checked_mul(up_to(of(b))) {
                Some(most) => up_to(most),
                None => u64::MAX,
            },
            Node::Urem(a, b) => up_to(of(a).max(of(b))),
            Node::Udiv(a, b) => match literal(b) {
                Some(by) if by > 0 => up_to(up_to(of(a)) / by),
                _ => u64::MAX,
            },
            _ => u64::MAX,
        }
    }

    /// Bits of both.
    pub fn bit_and(&mut self, a: Term, b: Term) -> Term {
        if self.plain {
            return self.intern(Op::BitAnd, Sort::Word, 0, &[a, b]);
        }
        let (a, b) = self.ordered(a, b);
        if a == b {
            return a;
        }
        if let (Some(x), Some(y)) = (self.word_value(a), self.word_value(b)) {
            return self.word(x & y);
        }
        if let Some(x) = self.word_value(a) {
            let may = self.bits(b);
            if may & !x == 0 {
                return b;
            }
            if may & x == 0 {
                return self.word(0);
            }
            match self.node(b) {
                Node::BitAnd(c, rest) => {
                    if let Some(y) = self.word_value(c) {
                        let mask = self.word(x & y);
                        return self.bit_and(mask, rest);
                    }
                }
                Node::BitOr(p, q) => {
                    // A part that the mask takes away altogether.
                    let (in_p, in_q) = (self.bits(p) & x != 0, self.bits(q) & x != 0);
                    if !in_p {
                        return self.bit_and(a, q);
                    }
                    if !in_q {
                        return self.bit_and(a, p);
                    }
                }
                Node::Ite(c, p, q) => {
                    let (p, q) = (self.bit_and(a, p), self.bit_and(a, q));
                    return self.ite(c, p, q);
                }
                _ => {}
            }
        }
        self.intern(Op::BitAnd, Sort::Word, 0, &[a, b])
    }

    /// Bits of either.
    pub fn bit_or(&mut self, a: Term, b: Term) -> Term {
        if self.plain {
            return self.intern(Op::BitOr, Sort::Word, 0, &[a, b]);
        }
        let (a, b) = self.ordered(a, b);
        if a == b {
            return a;
        }
        match (self.word_value(a), self.word_value(b)) {
            (Some(x), Some(y)) => return self.word(x | y),
            (Some(0), _) => return b,
            (Some(u64::MAX), _) => return a,
            _ => {}
        }
        self.intern(Op::BitOr, Sort::Word, 0, &[a, b])
    }

    /// Bits of just one.
    pub fn bit_xor(&mut self, a: Term, b: Term) -> Term {
        if self.plain {
            return self.intern(Op::BitXor, Sort::Word, 0, &[a, b]);
        }
        let (a, b) = self.ordered(a, b);
        if a == b {
            return self.word(0);
        }
        match (self.word_value(a), self.word_value(b)) {
            (Some(x), Some(y)) => return self.word(x ^ y),
            (Some(0), _) => return b,
            (Some(x), _) => {
                if let Node::BitXor(c, rest) = self.node(b)
                    && let Some(y) = self.word_value(c)
                {
                    let mask = self.word(x ^ y);
                    return self.bit_xor(mask, rest);
                }
            }
            _ => {}
        }
        self.intern(Op::BitXor, Sort::Word, 0, &[a, b])
    }

    /// To the left.
    pub fn shl(&mut self, a: Term, by: Term) -> Term {
        if self.plain {
            return self.intern(Op::Shl, Sort::Word, 0, &[a, by]);
        }
        match (self.word_value(a), self.word_value(by)) {
            (Some(x), Some(y)) => return self.word(shl(x, y)),
            (Some(0), _) | (_, Some(0)) => return a,
            (_, Some(64..)) => return self.word(0),
            _ => {}
        }
        self.intern(Op::Shl, Sort::Word, 0, &[a, by])
    }

    /// To the right with zeros.
    pub fn lshr(&mut self, a: Term, by: Term) -> Term {
        if self.plain {
            return self.intern(Op::Lshr, Sort::Word, 0, &[a, by]);
        }
        match (self.word_value(a), self.word_value(by)) {
            (Some(x), Some(y)) => return self.word(lshr(x, y)),
            (Some(0), _) | (_, Some(0)) => return a,
            (_, Some(64..)) => return self.word(0),
            (None, Some(y)) => {
                let may = self.bits(a);
                if lshr(may, y) == 0 {
                    return self.word(0);
                }
                match self.node(a) {
                    Node::Shl(inner, z) => {
                        // Nothing went out at the top.
                        let whole = self.word_value(z).filter(|&z| {
                            let bits = self.bits(inner);
                            lshr(shl(bits, z), z) == bits
                        });
                        if let Some(z) = whole {
                            if z >= y {
                                let by = self.word(z - y);
                                return self.shl(inner, by);
                            }
                            let by = self.word(y - z);
                            return self.lshr(inner, by);
                        }
                    }
                    Node::Add(p, q) => {
                        // No carry comes from below, and none goes out at the top.
                        let (bp, bq) = (self.bits(p), self.bits(q));
                        let low = (1 << y) - 1;
                        let whole = up_to(bp).checked_add(up_to(bq)).is_some();
                        if whole && (bp & low == 0 || bq & low == 0) {
                            let (p, q) = (self.lshr(p, by), self.lshr(q, by));
                            return self.add(p, q);
                        }
                    }
                    Node::BitOr(p, q) => {
                        let (p, q) = (self.lshr(p, by), self.lshr(q, by));
                        return self.bit_or(p, q);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        self.intern(Op::Lshr, Sort::Word, 0, &[a, by])
    }

    /// To the right with signs.
    pub fn ashr(&mut self, a: Term, by: Term) -> Term {
        if self.plain {
            return self.intern(Op::Ashr, Sort::Word, 0, &[a, by]);
        }
        match (self.word_value(a), self.word_value(by)) {
            (Some(x), Some(y)) => return self.word(ashr(x, y)),
            (Some(0 | u64::MAX), _) | (_, Some(0)) => return a,
            _ => {}
        }
        self.intern(Op::Ashr, Sort::Word, 0, &[a, by])
    }

    /// Signed `a < b`.
    pub fn slt(&mut self, a: Term, b: Term) -> Term {
        if self.plain {
            return self.intern(Op::Slt, Sort::Bool, 0, &[a, b]);
        }
        if a == b {
            return Terms::FALSE;
        }
        if let (Some(x), Some(y)) = (self.word_value(a), self.word_value(b)) {
            return self.bool(x.cast_signed() < y.cast_signed());
        }
        self.intern(Op::Slt, Sort::Bool, 0, &[a, b])
    }

    /// Both operands of a commutative operation, a literal first, else by age.
    fn ordered(&self, a: Term, b: Term) -> (Term, Term) {
        let key = |term: Term| (self.word_value(term).is_none(), term);
        if key(a) <= key(b) { (a, b) } else { (b, a) }
    }
}

/// All bits up to the highest of a mask.
const fn up_to(mask: u64) -> u64 {
    match mask.leading_zeros() {
        64 => 0,
        zeros => u64::MAX >> zeros,
    }
}

/// All bits below the lowest of a mask.
const fn below(mask: u64) -> u64 {
    match mask.trailing_zeros() {
        64 => u64::MAX,
        zeros => (1 << zeros) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smt::{Answer, Evaluator, Limits, Profile, Room, Solver, Universe, Value};

    /// Terms over x and y that the constructors simplify, beside what they are of numbers.
    type Case = (fn(&mut Terms, Term, Term) -> Term, fn(u64, u64) -> u64);

    const CASES: &[Case] = &[
        (|t, x, y| t.bit_and(x, y), |x, y| x & y),
        (|t, x, y| t.bit_or(x, y), |x, y| x | y),
        (|t, x, y| t.bit_xor(x, y), |x, y| x ^ y),
        (|t, x, y| t.shl(x, y), shl),
        (|t, x, y| t.lshr(x, y), lshr),
        (|t, x, y| t.ashr(x, y), ashr),
        (
            |t, x, y| {
                let [mask, six, eleven] = [31, 6, 11].map(|v| t.word(v));
                let x = t.bit_and(mask, x);
                let x = t.shl(x, eleven);
                let y = t.bit_and(mask, y);
                let y = t.shl(y, six);
                let sum = t.add(x, y);
                t.lshr(sum, six)
            },
            |x, y| (((x & 31) << 11) + ((y & 31) << 6)) >> 6,
        ),
        (
            |t, x, y| {
                let [low, high, four] = [15, 0xff00, 4].map(|v| t.word(v));
                let x = t.bit_and(low, x);
                let y = t.bit_and(high, y);
                let both = t.bit_or(x, y);
                let masked = t.bit_and(low, both);
                let shifted = t.lshr(both, four);
                t.bit_xor(masked, shifted)
            },
            |x, y| (((x & 15) | (y & 0xff00)) & 15) ^ (((x & 15) | (y & 0xff00)) >> 4),
        ),
        (
            |t, x, y| {
                let [mask, three] = [0xffff, 3].map(|v| t.word(v));
                let x = t.bit_and(mask, x);
                let y = t.bit_and(three, y);
                t.mul(x, y)
            },
            |x, y| (x & 0xffff) * (y & 3),
        ),
        (
            |t, x, y| {
                let [mask, three] = [6, 3].map(|v| t.word(v));
                let x = t.bit_and(mask, x);
                let y = t.bit_and(three, y);
                let sum = t.add(x, y);
                t.lshr(sum, three)
            },
            |x, y| ((x & 6) + (y & 3)) >> 3,
        ),
    ];

    const NUMBERS: [u64; 10] = [0, 1, 5, 31, 63, 64, 0xffff, 1 << 63, u64::MAX - 1, u64::MAX];

    #[test]
    fn bits_are_what_they_are_of_numbers() {
        for (build, meaning) in CASES {
            let mut terms = Terms::new();
            let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
            let symbolic = build(&mut terms, x, y);
            let mut plain = Terms::plain();
            let [p, q] = ["x", "y"].map(|name| plain.constant(name, Sort::Word));
            let as_written = build(&mut plain, p, q);
            for a in NUMBERS {
                for b in NUMBERS {
                    let universe = Universe::new();
                    let mut evaluator = Evaluator::new(&terms, &universe, |func, _| {
                        Value::Word(if terms.name(func) == "x" { a } else { b })
                    });
                    assert_eq!(evaluator.value(symbolic), Value::Word(meaning(a, b)));
                    let mut evaluator = Evaluator::new(&plain, &universe, |func, _| {
                        Value::Word(if plain.name(func) == "x" { a } else { b })
                    });
                    assert_eq!(evaluator.value(as_written), Value::Word(meaning(a, b)));
                    let [p, q] = [a, b].map(|v| terms.word(v));
                    let folded = build(&mut terms, p, q);
                    assert_eq!(terms.node(folded), Node::Word(meaning(a, b)));
                    assert_eq!(meaning(a, b) & !terms.bits(symbolic), 0);
                }
            }
        }
    }

    #[test]
    fn z3_means_the_same() {
        for (build, meaning) in CASES {
            let mut terms = Terms::new();
            let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
            let symbolic = build(&mut terms, x, y);
            for (a, b) in [(0xffff, 5), (31, 64), (1 << 63, 63), (7, 1)] {
                let limits = Limits { rlimit: 1_000_000 };
                let mut solver = Solver::new(&Room::new(), Profile::Proof, limits);
                let values = [(x, a), (y, b), (symbolic, meaning(a, b))];
                for (position, (term, value)) in values.into_iter().enumerate() {
                    let value = terms.word(value);
                    let mut equal = terms.eq(term, value);
                    if position == 2 {
                        equal = terms.not(equal);
                    }
                    solver.assert(&terms, equal);
                }
                assert_eq!(solver.check(&terms), Answer::Unsat);
            }
        }
    }
}
