//! Constructors of numbers: words modulo 2^64, and integers as positions in an order.
//!
//! Division is that of SMT-LIB's bit-vectors: a quotient by zero is all
//! ones, a remainder by zero is the dividend. The language's own division,
//! which yields NULL, is the encoder's matter.

use super::term::{Op, Sort, Term, Terms};

impl Terms {
    /// Unsigned `a < b`.
    pub fn ult(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Ult, Sort::Bool, 0, &[a, b]);
        }
        if a == b {
            return Terms::FALSE;
        }
        match (self.word_value(a), self.word_value(b)) {
            (Some(x), Some(y)) => return self.bool(x < y),
            (Some(u64::MAX), _) | (_, Some(0)) => return Terms::FALSE,
            (Some(0), _) | (_, Some(u64::MAX)) => {
                let equal = self.eq(a, b);
                return self.not(equal);
            }
            (_, Some(1)) => {
                let zero = self.word(0);
                return self.eq(a, zero);
            }
            (Some(x), None) => {
                if let Some((condition, p, q)) = self.literal_ite(b) {
                    let (p, q) = (self.bool(x < p), self.bool(x < q));
                    return self.ite(condition, p, q);
                }
            }
            (None, Some(y)) => {
                if let Some((condition, p, q)) = self.literal_ite(a) {
                    let (p, q) = (self.bool(p < y), self.bool(q < y));
                    return self.ite(condition, p, q);
                }
            }
            (None, None) => {}
        }
        self.intern(Op::Ult, Sort::Bool, 0, &[a, b])
    }

    /// Unsigned `a <= b`.
    pub fn ule(&mut self, a: Term, b: Term) -> Term {
        let greater = self.ult(b, a);
        self.not(greater)
    }

    /// `a + b` modulo 2^64.
    pub fn add(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Add, Sort::Word, 0, &[a, b]);
        }
        // Literals go to the left, so that sums with one are found there.
        let (a, b) = self.literal_first(a, b);
        if let Some(x) = self.word_value(a) {
            if x == 0 {
                return b;
            }
            if let Some(y) = self.word_value(b) {
                return self.word(x.wrapping_add(y));
            }
            if let Some((y, rest)) = self.offset(b, Op::Add) {
                let sum = self.word(x.wrapping_add(y));
                return self.add(sum, rest);
            }
        }
        for (difference, other) in [(a, b), (b, a)] {
            if self.op(difference) == Op::Sub {
                let (minuend, subtrahend) = self.pair(difference);
                if subtrahend == other {
                    return minuend;
                }
            }
        }
        self.intern(Op::Add, Sort::Word, 0, &[a, b])
    }

    /// `a - b` modulo 2^64.
    pub fn sub(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Sub, Sort::Word, 0, &[a, b]);
        }
        if a == b {
            return self.word(0);
        }
        if let Some(y) = self.word_value(b) {
            let negated = self.word(y.wrapping_neg());
            return self.add(a, negated);
        }
        if self.op(a) == Op::Add {
            let (x, y) = self.pair(a);
            if x == b {
                return y;
            }
            if y == b {
                return x;
            }
        }
        self.intern(Op::Sub, Sort::Word, 0, &[a, b])
    }

    /// `a * b` modulo 2^64.
    pub fn mul(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Mul, Sort::Word, 0, &[a, b]);
        }
        let (a, b) = self.literal_first(a, b);
        if let Some(x) = self.word_value(a) {
            match x {
                0 => return a,
                1 => return b,
                _ => {}
            }
            if let Some(y) = self.word_value(b) {
                return self.word(x.wrapping_mul(y));
            }
            if let Some((y, rest)) = self.offset(b, Op::Mul) {
                let product = self.word(x.wrapping_mul(y));
                return self.mul(product, rest);
            }
        }
        self.intern(Op::Mul, Sort::Word, 0, &[a, b])
    }

    /// The unsigned quotient `a / b`; all ones if `b` is zero.
    pub fn udiv(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Udiv, Sort::Word, 0, &[a, b]);
        }
        match (self.word_value(a), self.word_value(b)) {
            (_, Some(0)) => self.word(u64::MAX),
            (_, Some(1)) => a,
            (Some(x), Some(y)) => self.word(x / y),
            _ => self.intern(Op::Udiv, Sort::Word, 0, &[a, b]),
        }
    }

    /// The unsigned remainder `a % b`; `a` if `b` is zero.
    pub fn urem(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Word, a, b);
        if self.plain {
            return self.intern(Op::Urem, Sort::Word, 0, &[a, b]);
        }
        match (self.word_value(a), self.word_value(b)) {
            (_, Some(0)) => a,
            (_, Some(1)) | (Some(0), _) => self.word(0),
            (Some(x), Some(y)) => self.word(x % y),
            // Also if both are zero.
            _ if a == b => self.word(0),
            _ => self.intern(Op::Urem, Sort::Word, 0, &[a, b]),
        }
    }

    /// `a < b` of order positions.
    pub fn int_lt(&mut self, a: Term, b: Term) -> Term {
        self.expect(Sort::Int, a, b);
        if self.plain {
            return self.intern(Op::IntLt, Sort::Bool, 0, &[a, b]);
        }
        match (self.int_value(a), self.int_value(b)) {
            _ if a == b => Terms::FALSE,
            (Some(x), Some(y)) => self.bool(x < y),
            _ => self.intern(Op::IntLt, Sort::Bool, 0, &[a, b]),
        }
    }

    /// `a <= b` of order positions.
    pub fn int_le(&mut self, a: Term, b: Term) -> Term {
        let greater = self.int_lt(b, a);
        self.not(greater)
    }

    /// The equality of two different words of which not both are literals.
    pub(super) fn word_eq(&mut self, a: Term, b: Term) -> Term {
        for (sum, other) in [(a, b), (b, a)] {
            if self.op(sum) != Op::Add {
                continue;
            }
            let (x, y) = self.pair(sum);
            // `x + y = x` is `y = 0`.
            let rest = if x == other {
                Some(y)
            } else if y == other {
                Some(x)
            } else {
                None
            };
            if let Some(rest) = rest {
                let zero = self.word(0);
                return self.eq(rest, zero);
            }
            // `k + y = c` is `y = c - k`.
            if let (Some(k), Some(c)) = (self.word_value(x), self.word_value(other)) {
                let moved = self.word(c.wrapping_sub(k));
                return self.eq(y, moved);
            }
        }
        self.intern(Op::Eq, Sort::Bool, 0, &[a, b])
    }

    /// Both operands of a commutative operation, a literal first, else by age.
    fn literal_first(&self, a: Term, b: Term) -> (Term, Term) {
        let key = |term: Term| (self.word_value(term).is_none(), term);
        if key(a) <= key(b) { (a, b) } else { (b, a) }
    }

    /// Splits `k op rest` with a literal `k`.
    fn offset(&self, term: Term, op: Op) -> Option<(u64, Term)> {
        if self.op(term) != op {
            return None;
        }
        let (left, right) = self.pair(term);
        self.word_value(left).map(|value| (value, right))
    }

    /// An if-then-else of two literal words.
    fn literal_ite(&self, term: Term) -> Option<(Term, u64, u64)> {
        let (condition, a, b) = self.as_ite(term)?;
        Some((condition, self.word_value(a)?, self.word_value(b)?))
    }

    fn expect(&self, sort: Sort, a: Term, b: Term) {
        assert!(
            self.sort(a) == sort && self.sort(b) == sort,
            "an operation on {sort:?} got {:?} and {:?}",
            self.sort(a),
            self.sort(b)
        );
    }
}
