//! Constructors of the logic: connectives, if-then-else, equality, quantifiers.
//!
//! Each returns a term equivalent to what its name says, simplified by
//! looking at most one level deep, so that building stays linear.
//! Operands of commutative constructs are put in the order of creation.

use super::term::{Op, Sort, Term, Terms};

/// A nested conjunction of at most this many operands is merged into the one around it.
/// Beyond it, a chain of conjunctions would copy its operands over and over.
const FLATTEN_LIMIT: usize = 32;

/// A conjunction of at most this many operands looks into the disjunctions among them.
const ABSORB_LIMIT: usize = 32;

impl Terms {
    /// Negation.
    pub fn not(&mut self, a: Term) -> Term {
        self.expect_bool(&[a]);
        match self.op(a) {
            _ if self.plain => self.intern(Op::Not, Sort::Bool, 0, &[a]),
            Op::Bool => self.bool(a == Terms::FALSE),
            Op::Not => self.operands(a)[0],
            _ => self.intern(Op::Not, Sort::Bool, 0, &[a]),
        }
    }

    /// Conjunction; of no operands, `true`.
    pub fn and(&mut self, operands: &[Term]) -> Term {
        self.expect_bool(operands);
        self.junction(Op::And, operands)
    }

    /// Disjunction; of no operands, `false`.
    pub fn or(&mut self, operands: &[Term]) -> Term {
        self.expect_bool(operands);
        self.junction(Op::Or, operands)
    }

    /// Implication.
    pub fn implies(&mut self, a: Term, b: Term) -> Term {
        let not_a = self.not(a);
        self.or(&[not_a, b])
    }

    /// Equivalence.
    pub fn iff(&mut self, a: Term, b: Term) -> Term {
        self.expect_bool(&[a, b]);
        self.eq(a, b)
    }

    /// Exclusive disjunction.
    pub fn xor(&mut self, a: Term, b: Term) -> Term {
        let same = self.iff(a, b);
        self.not(same)
    }

    /// `a` if `condition`, else `b`.
    ///
    /// # Panics
    /// If the condition is not Boolean or the sorts of the branches differ.
    pub fn ite(&mut self, condition: Term, a: Term, b: Term) -> Term {
        self.expect_bool(&[condition]);
        assert_eq!(
            self.sort(a),
            self.sort(b),
            "the branches of an if-then-else have one sort"
        );
        if self.plain {
            let sort = self.sort(a);
            return self.intern(Op::Ite, sort, 0, &[condition, a, b]);
        }
        if condition == Terms::TRUE || a == b {
            return a;
        }
        if condition == Terms::FALSE {
            return b;
        }
        if self.op(condition) == Op::Not {
            let positive = self.operands(condition)[0];
            return self.ite(positive, b, a);
        }
        // Inside a branch the condition is known.
        let a = self.branch(condition, a, true);
        let b = self.branch(condition, b, false);
        if a == b {
            return a;
        }
        if self.sort(a) == Sort::Bool
            && let Some(junction) = self.boolean_ite(condition, a, b)
        {
            return junction;
        }
        // Equal outcomes under two conditions are one outcome under one condition.
        if let Some((inner, x, y)) = self.as_ite(b) {
            if x == a {
                let either = self.or(&[condition, inner]);
                return self.ite(either, a, y);
            }
            if y == a {
                let not_inner = self.not(inner);
                let either = self.or(&[condition, not_inner]);
                return self.ite(either, a, x);
            }
        }
        if let Some((inner, x, y)) = self.as_ite(a) {
            if y == b {
                let both = self.and(&[condition, inner]);
                return self.ite(both, x, b);
            }
            if x == b {
                let not_inner = self.not(inner);
                let both = self.and(&[condition, not_inner]);
                return self.ite(both, y, b);
            }
        }
        let sort = self.sort(a);
        self.intern(Op::Ite, sort, 0, &[condition, a, b])
    }

    /// Equality.
    ///
    /// # Panics
    /// If the sorts differ.
    pub fn eq(&mut self, a: Term, b: Term) -> Term {
        assert_eq!(
            self.sort(a),
            self.sort(b),
            "both sides of an equality have one sort"
        );
        if self.plain {
            return self.intern(Op::Eq, Sort::Bool, 0, &[a, b]);
        }
        if a == b {
            return Terms::TRUE;
        }
        if self.is_literal(a) && self.is_literal(b) {
            return Terms::FALSE;
        }
        let (a, b) = (a.min(b), a.max(b));
        if self.sort(a) == Sort::Bool {
            return self.boolean_eq(a, b);
        }
        for (side, other) in [(a, b), (b, a)] {
            if let Some((condition, x, y)) = self.as_ite(side) {
                // Two literals against a third: only the condition is left.
                if self.is_literal(other) && self.is_literal(x) && self.is_literal(y) {
                    let (x, y) = (self.bool(x == other), self.bool(y == other));
                    return self.ite(condition, x, y);
                }
                if x == other || y == other {
                    let x = self.plain_eq(x, other);
                    let y = self.plain_eq(y, other);
                    return self.ite(condition, x, y);
                }
            }
        }
        if self.sort(a) == Sort::Word {
            return self.word_eq(a, b);
        }
        self.intern(Op::Eq, Sort::Bool, 0, &[a, b])
    }

    /// Whether the operands are pairwise different.
    ///
    /// # Panics
    /// If the sorts differ.
    pub fn distinct(&mut self, operands: &[Term]) -> Term {
        assert!(
            operands
                .windows(2)
                .all(|pair| self.sort(pair[0]) == self.sort(pair[1])),
            "terms that are said to be distinct have one sort"
        );
        let mut sorted = operands.to_vec();
        if self.plain && sorted.len() > 2 {
            return self.intern(Op::Distinct, Sort::Bool, 0, &sorted);
        }
        sorted.sort_unstable();
        if !self.plain && sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Terms::FALSE;
        }
        match *sorted {
            [] | [_] => Terms::TRUE,
            [a, b] => {
                let equal = self.eq(a, b);
                self.not(equal)
            }
            [a, ..] if self.sort(a) == Sort::Bool => Terms::FALSE,
            _ if sorted.iter().all(|&term| self.is_literal(term)) => Terms::TRUE,
            _ => self.intern(Op::Distinct, Sort::Bool, 0, &sorted),
        }
    }

    /// Whether `body` holds for all values of the variables `bound`.
    ///
    /// # Panics
    /// If something that is not a variable is bound.
    pub fn forall(&mut self, bound: &[Term], body: Term) -> Term {
        self.quantifier(Op::Forall, bound, body)
    }

    /// Whether `body` holds for some values of the variables `bound`.
    ///
    /// # Panics
    /// If something that is not a variable is bound.
    pub fn exists(&mut self, bound: &[Term], body: Term) -> Term {
        self.quantifier(Op::Exists, bound, body)
    }

    pub(super) fn as_ite(&self, term: Term) -> Option<(Term, Term, Term)> {
        match (self.op(term), self.operands(term)) {
            (Op::Ite, &[c, a, b]) => Some((c, a, b)),
            _ => None,
        }
    }

    fn quantifier(&mut self, op: Op, bound: &[Term], body: Term) -> Term {
        self.expect_bool(&[body]);
        assert!(
            self.exhausted() || bound.iter().all(|&term| self.is_variable(term)),
            "only variables can be bound"
        );
        // Sorts are not empty, so a variable that does not occur says nothing.
        let free = self.free_variables(body);
        let mut operands: Vec<Term> = bound
            .iter()
            .copied()
            .filter(|term| free.binary_search(term).is_ok())
            .collect();
        operands.sort_unstable();
        operands.dedup();
        if operands.is_empty() {
            return body;
        }
        operands.push(body);
        self.intern(op, Sort::Bool, 0, &operands)
    }

    /// One branch of an if-then-else, with an inner question about the same condition answered.
    fn branch(&self, condition: Term, branch: Term, holds: bool) -> Term {
        if branch == condition {
            return self.bool(holds);
        }
        match self.as_ite(branch) {
            Some((inner, x, y)) if inner == condition => {
                if holds {
                    x
                } else {
                    y
                }
            }
            _ => branch,
        }
    }

    /// An if-then-else of Booleans that is a junction, an equivalence or a literal.
    fn boolean_ite(&mut self, condition: Term, a: Term, b: Term) -> Option<Term> {
        let not_condition = self.not(condition);
        Some(match (a, b) {
            (Terms::TRUE, _) => self.or(&[condition, b]),
            (Terms::FALSE, _) => self.and(&[not_condition, b]),
            (_, Terms::TRUE) => self.or(&[not_condition, a]),
            (_, Terms::FALSE) => self.and(&[condition, a]),
            _ if self.not(a) == b => self.eq(condition, a),
            _ if a == not_condition => self.and(&[not_condition, b]),
            _ if b == not_condition => self.or(&[not_condition, a]),
            _ => return None,
        })
    }

    fn boolean_eq(&mut self, a: Term, b: Term) -> Term {
        // The literals are the oldest terms, so one can only stand on the left.
        match a {
            Terms::TRUE => return b,
            Terms::FALSE => return self.not(b),
            _ => {}
        }
        let (a, flip_a) = self.literal_of(a);
        let (b, flip_b) = self.literal_of(b);
        let equal = if a == b {
            Terms::TRUE
        } else {
            self.plain_eq(a, b)
        };
        if flip_a == flip_b {
            equal
        } else {
            self.not(equal)
        }
    }

    /// An equality without another look inside.
    fn plain_eq(&mut self, a: Term, b: Term) -> Term {
        if a == b {
            Terms::TRUE
        } else if self.is_literal(a) && self.is_literal(b) {
            Terms::FALSE
        } else {
            self.intern(Op::Eq, Sort::Bool, 0, &[a.min(b), a.max(b)])
        }
    }

    /// The atom of a literal, and whether the literal holds when the atom does.
    fn literal_of(&self, term: Term) -> (Term, bool) {
        if self.op(term) == Op::Not {
            (self.operands(term)[0], false)
        } else {
            (term, true)
        }
    }

    fn junction(&mut self, op: Op, operands: &[Term]) -> Term {
        let (unit, zero) = if op == Op::And {
            (Terms::TRUE, Terms::FALSE)
        } else {
            (Terms::FALSE, Terms::TRUE)
        };
        if self.plain {
            return match *operands {
                [] => unit,
                [only] => only,
                _ => self.intern(op, Sort::Bool, 0, operands),
            };
        }
        let mut flat = std::mem::take(&mut self.scratch);
        flat.clear();
        for &operand in operands {
            if self.op(operand) == op && self.operands(operand).len() <= FLATTEN_LIMIT {
                flat.extend_from_slice(self.operands(operand));
            } else if operand != unit {
                flat.push(operand);
            }
        }
        flat.sort_unstable();
        flat.dedup();
        let contradicts = |&term: &Term| {
            self.op(term) == Op::Not && flat.binary_search(&self.operands(term)[0]).is_ok()
        };
        let result = if flat.contains(&zero) || flat.iter().any(contradicts) {
            zero
        } else if let Some(shorter) = self.absorb(op, &flat) {
            self.junction(op, &shorter)
        } else {
            match *flat {
                [] => unit,
                [only] => only,
                _ => self.intern(op, Sort::Bool, 0, &flat),
            }
        };
        self.scratch = flat;
        result
    }

    /// Uses each operand of a conjunction in the disjunctions beside it:
    /// `a && (a || b)` is `a`, and `a && (!a || b)` is `a && b`. Dually for disjunctions.
    ///
    /// Returns the operands that are left, or `None` if nothing changes.
    fn absorb(&mut self, op: Op, flat: &[Term]) -> Option<Vec<Term>> {
        if flat.len() < 2 || flat.len() > ABSORB_LIMIT {
            return None;
        }
        let dual = if op == Op::And { Op::Or } else { Op::And };
        // A clause is a dual operand, or the negation of one of our own kind.
        let clause = |terms: &Terms, term: Term| -> Option<(Term, bool)> {
            let (atom, positive) = terms.literal_of(term);
            let wanted = if positive { dual } else { op };
            (terms.op(atom) == wanted && terms.operands(atom).len() <= ABSORB_LIMIT)
                .then_some((atom, positive))
        };
        for (position, &term) in flat.iter().enumerate() {
            let Some((atom, positive)) = clause(self, term) else {
                continue;
            };
            let given = |wanted: Term, holds: bool| {
                if holds {
                    flat.binary_search(&wanted).is_ok()
                } else {
                    flat.iter()
                        .any(|&other| self.literal_of(other) == (wanted, false))
                }
            };
            let literals = || {
                self.operands(atom).iter().map(|&literal| {
                    let (atom, sign) = self.literal_of(literal);
                    (literal, atom, sign == positive)
                })
            };
            if literals().any(|(_, atom, sign)| given(atom, sign)) {
                let mut rest = flat.to_vec();
                rest.remove(position);
                return Some(rest);
            }
            let kept: Vec<Term> = literals()
                .filter(|&(_, atom, sign)| !given(atom, !sign))
                .map(|(literal, ..)| literal)
                .collect();
            if kept.len() < self.operands(atom).len() {
                let shorter = self.junction(if positive { dual } else { op }, &kept);
                let shorter = if positive { shorter } else { self.not(shorter) };
                let mut rest = flat.to_vec();
                rest[position] = shorter;
                return Some(rest);
            }
        }
        None
    }

    fn expect_bool(&self, terms: &[Term]) {
        assert!(
            terms.iter().all(|&term| self.sort(term) == Sort::Bool),
            "a connective takes truth values"
        );
    }
}
