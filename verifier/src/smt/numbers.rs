//! Words as the integers that they stand for.
//!
//! A formula that only compares, adds and subtracts words has the same models over the integers from 0 to 2^64 - 1,
//! with sums and differences brought back into that range. Z3 decides those several times faster than bits.
//! What a fact says of a function's values, that they have so many bits, tells which sums need not be brought back.

use std::collections::BTreeMap;

use z3::ast::{Ast, Bool, Int, forall_const};
use z3::{FuncDecl, Sort as Z3Sort};

use super::term::{Func, Node, Sort, Term, Terms};

/// How many bits the values of functions have.
pub(crate) type Bits = BTreeMap<Func, u32>;

/// How deep sums are looked into.
const DEPTH: u32 = 12;

/// Whether formulas can be said of integers: no bits of words, products only with a number and where they are known not to
/// wrap, quotients only by a number, and no variable that stands for any word.
pub(crate) fn is_numeric(terms: &Terms, bits: &Bits, formulas: &[Term]) -> bool {
    let mut seen: std::collections::BTreeSet<Term> = formulas.iter().copied().collect();
    let mut open = formulas.to_vec();
    while let Some(term) = open.pop() {
        match terms.node(term) {
            Node::Mul(a, b) if wraps(terms, bits, a, b) => return false,
            Node::Udiv(_, b) | Node::Urem(_, b) if literal(terms, b).is_none_or(|b| b == 0) => {
                return false;
            }
            Node::BitAnd(..)
            | Node::BitOr(..)
            | Node::BitXor(..)
            | Node::Shl(..)
            | Node::Lshr(..)
            | Node::Ashr(..)
            | Node::Slt(..) => return false,
            Node::Variable(_) if terms.sort(term) == Sort::Word => return false,
            _ => {}
        }
        for &operand in terms.operands(term) {
            if seen.insert(operand) {
                open.push(operand);
            }
        }
    }
    true
}

fn literal(terms: &Terms, term: Term) -> Option<u64> {
    match terms.node(term) {
        Node::Word(value) => Some(value),
        _ => None,
    }
}

/// Whether a product is none with a number, or could exceed a word.
fn wraps(terms: &Terms, bits: &Bits, a: Term, b: Term) -> bool {
    let number = literal(terms, a).is_some() || literal(terms, b).is_some();
    let (a, b) = (most(terms, bits, a, DEPTH), most(terms, bits, b, DEPTH));
    !number || a.checked_mul(b).is_none()
}

/// What a word never exceeds.
fn most(terms: &Terms, bits: &Bits, term: Term, depth: u32) -> u64 {
    let Some(depth) = depth.checked_sub(1) else {
        return u64::MAX;
    };
    match terms.node(term) {
        Node::Word(value) => value,
        Node::Apply(func, _) => match bits.get(&func) {
            Some(&bits) if (1..64).contains(&bits) => (1 << bits) - 1,
            _ => u64::MAX,
        },
        Node::Ite(_, a, b) => most(terms, bits, a, depth).max(most(terms, bits, b, depth)),
        Node::Add(a, b) => {
            let (a, b) = (most(terms, bits, a, depth), most(terms, bits, b, depth));
            a.saturating_add(b)
        }
        Node::Mul(a, b) => {
            let (a, b) = (most(terms, bits, a, depth), most(terms, bits, b, depth));
            a.saturating_mul(b)
        }
        Node::Udiv(a, b) => match literal(terms, b) {
            Some(b) if b > 0 => most(terms, bits, a, depth) / b,
            _ => u64::MAX,
        },
        _ => u64::MAX,
    }
}

fn all() -> Int {
    "18446744073709551616".parse().expect("this is an integer")
}

/// The sum of two words.
pub(super) fn sum(terms: &Terms, bits: &Bits, (a, x): (Term, &Int), (b, y): (Term, &Int)) -> Int {
    let sum = Int::add(&[x, y]);
    let (a, b) = (most(terms, bits, a, DEPTH), most(terms, bits, b, DEPTH));
    if a.checked_add(b).is_some() {
        return sum;
    }
    let less = Int::sub(&[&sum, &all()]);
    sum.lt(all()).ite(&sum, &less)
}

/// The product of two words, of which one is a number.
pub(super) fn product(
    terms: &Terms,
    bits: &Bits,
    (a, x): (Term, &Int),
    (b, y): (Term, &Int),
) -> Int {
    let product = Int::mul(&[x, y]);
    let (a, b) = (most(terms, bits, a, DEPTH), most(terms, bits, b, DEPTH));
    if a.checked_mul(b).is_some() {
        return product;
    }
    product.modulo(all())
}

/// The difference of two words.
pub(super) fn difference(x: &Int, y: &Int) -> Int {
    let difference = Int::sub(&[x, y]);
    let more = Int::add(&[&difference, &all()]);
    y.le(x).ite(&difference, &more)
}

/// That the values of a function are words, of so many bits if that is known.
pub(super) fn in_range(function: &FuncDecl, domain: &[&Z3Sort], bits: Option<u32>) -> Bool {
    let any = |(place, sort): (usize, &&Z3Sort)| {
        FuncDecl::new(format!("any_{place}"), &[], sort).apply(&[])
    };
    let arguments: Vec<z3::ast::Dynamic> = domain.iter().enumerate().map(any).collect();
    let bound: Vec<&dyn Ast> = arguments
        .iter()
        .map(|argument| argument as &dyn Ast)
        .collect();
    let value = function.apply(&bound);
    let value = value.as_int().expect("words are integers here");
    let fact = value_in_range(&value, bits);
    if bound.is_empty() {
        fact
    } else {
        forall_const(&bound, &[], &fact)
    }
}

/// That a value is a word, of so many bits if that is known.
pub(super) fn value_in_range(value: &Int, bits: Option<u32>) -> Bool {
    let limit = match bits {
        Some(bits) if (1..64).contains(&bits) => Int::from_u64(1 << bits),
        _ => all(),
    };
    Bool::and(&[value.ge(Int::from_i64(0)), value.lt(&limit)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smt::{Answer, Limits, Profile, Room, Solver};

    const LIMITS: Limits = Limits { rlimit: 5_000_000 };
    const NUMERIC: [Profile; 3] = [
        Profile::Numbers,
        Profile::NumbersInParts,
        Profile::NumbersAtLength,
    ];

    fn answer(terms: &mut Terms, bits: &Bits, formula: Term, profile: Profile) -> Answer {
        let mut solver = Solver::new(&Room::new(), profile, LIMITS);
        solver.learn(bits);
        if profile == Profile::NumbersInParts {
            solver.assert_part(terms, formula);
        } else {
            solver.assert(terms, formula);
        }
        if profile.is_numeric() {
            solver.assert_ranges(terms);
        }
        solver.check(terms)
    }

    /// A formula of comparisons of sums and differences, near where they wrap.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = progmp_ir::splitmix64(self.0);
            self.0 % limit
        }

        fn word(&mut self, terms: &mut Terms, leaves: &[Term], depth: u32) -> Term {
            let pick = self.below(if depth == 0 { 2 } else { 6 });
            if pick == 0 {
                let near = [0, 1, 2, 1 << 32, u64::MAX - 1, u64::MAX, 1 << 63];
                let at = usize::try_from(self.below(near.len() as u64)).expect("it is small");
                return terms.word(near[at]);
            }
            if pick == 1 {
                let at = usize::try_from(self.below(leaves.len() as u64)).expect("it is small");
                return leaves[at];
            }
            let (a, b) = (
                self.word(terms, leaves, depth - 1),
                self.word(terms, leaves, depth - 1),
            );
            match pick {
                2 | 3 => terms.add(a, b),
                4 => terms.sub(a, b),
                _ => {
                    let c = self.truth(terms, leaves, 0);
                    terms.ite(c, a, b)
                }
            }
        }

        fn truth(&mut self, terms: &mut Terms, leaves: &[Term], depth: u32) -> Term {
            if depth > 0 {
                let parts: Vec<Term> = (0..2 + self.below(2))
                    .map(|_| self.truth(terms, leaves, depth - 1))
                    .collect();
                let all = terms.and(&parts);
                return if self.below(3) == 0 {
                    terms.not(all)
                } else {
                    all
                };
            }
            let (a, b) = (self.word(terms, leaves, 2), self.word(terms, leaves, 2));
            let less = if self.below(3) == 0 {
                terms.eq(a, b)
            } else {
                terms.ult(a, b)
            };
            if self.below(2) == 0 {
                terms.not(less)
            } else {
                less
            }
        }
    }

    #[test]
    fn integers_and_bits_have_the_same_answers() {
        let mut random = Random(1);
        let (mut yes, mut no) = (0, 0);
        for _ in 0..150 {
            let mut terms = Terms::new();
            let [small, x, y] =
                ["small", "x", "y"].map(|name| terms.declare(name, &[], Sort::Word));
            let bits = Bits::from([(small, 32)]);
            let leaves = [small, x, y].map(|func| terms.apply(func, &[]));
            let formula = random.truth(&mut terms, &leaves, 2);
            // What is said of the small one must be said of bits, too.
            let limit = terms.word(1 << 32);
            let fact = terms.ult(leaves[0], limit);
            let formula = terms.and(&[formula, fact]);
            assert!(is_numeric(&terms, &bits, &[formula]));
            let expected = answer(&mut terms, &bits, formula, Profile::Proof);
            for profile in NUMERIC {
                let found = answer(&mut terms, &bits, formula, profile);
                assert_eq!(found, expected, "{profile:?}");
            }
            yes += u32::from(expected == Answer::Sat);
            no += u32::from(expected == Answer::Unsat);
        }
        assert!(yes > 20 && no > 20, "{yes} and {no}");
    }

    #[test]
    fn what_wraps_or_has_bits_is_not_said_of_integers() {
        let mut terms = Terms::new();
        let [small, x] = ["small", "x"].map(|name| terms.declare(name, &[], Sort::Word));
        let bits = Bits::from([(small, 32)]);
        let [small, x] = [small, x].map(|func| terms.apply(func, &[]));
        let (two, zero) = (terms.word(2), terms.word(0));
        let variable = terms.variable("w", Sort::Word);
        let double = terms.mul(two, small);
        let good = terms.ult(double, x);
        assert!(is_numeric(&terms, &bits, &[good]));
        let wide = terms.mul(two, x);
        let square = terms.mul(small, small);
        let masked = terms.bit_and(x, two);
        let quotient = terms.udiv(two, x);
        let nothing = terms.udiv(x, zero);
        for bad in [wide, square, masked, quotient, nothing, variable] {
            let formula = terms.ult(bad, small);
            if terms.operands(formula).contains(&bad) {
                assert!(
                    !is_numeric(&terms, &bits, &[formula]),
                    "{:?}",
                    terms.node(bad)
                );
            }
        }
    }

    #[test]
    fn functions_have_words_as_values() {
        let mut terms = Terms::new();
        let of = terms.declare("of", &[Sort::Packet], Sort::Word);
        let p = terms.constant("p", Sort::Packet);
        let value = terms.apply(of, &[p]);
        let (most, narrow) = (terms.word(u64::MAX), terms.word(1 << 20));
        let above = terms.ult(most, value);
        let is_wide = terms.ult(narrow, value);
        for profile in NUMERIC {
            assert_eq!(
                answer(&mut terms, &Bits::new(), above, profile),
                Answer::Unsat
            );
            let bits = Bits::from([(of, 20)]);
            assert_eq!(answer(&mut terms, &bits, is_wide, profile), Answer::Unsat);
            assert_ne!(
                answer(&mut terms, &Bits::new(), is_wide, profile),
                Answer::Unsat
            );
        }
    }

    #[test]
    fn products_quotients_and_remainders_by_a_number_are_those_of_words() {
        for value in [0, 1, 63, 1 << 40, (1 << 63) + 5, u64::MAX] {
            for by in [2, 3, 64, 1 << 32, u64::MAX] {
                let mut terms = Terms::new();
                let x = terms.constant("x", Sort::Word);
                let [number, factor] = [value, by].map(|word| terms.word(word));
                let is_value = terms.eq(x, number);
                let results = [
                    (terms.mul(factor, x), value.wrapping_mul(by)),
                    (terms.udiv(x, factor), value / by),
                    (terms.urem(x, factor), value % by),
                ];
                for (result, expected) in results {
                    let mut solver = Solver::new(&Room::new(), Profile::Whole, LIMITS);
                    let expected = terms.word(expected);
                    let same = terms.eq(result, expected);
                    let differs = terms.not(same);
                    for formula in [is_value, differs] {
                        solver.assert(&terms, formula);
                    }
                    solver.assert_values(&terms);
                    assert_eq!(solver.check(&terms), Answer::Unsat, "{value} by {by}");
                }
            }
        }
    }
}
