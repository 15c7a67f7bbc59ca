//! How large formulas become as clauses, roughly.
//!
//! Z3's `rlimit` does not count what it takes to turn words into bits, which for products and
//! quotients is most of the work. The estimate is charged as if Z3 had counted it, so that effort
//! stays bounded, by a number that depends on the formulas alone.

use std::collections::HashSet;

use super::term::{Node, Sort, Term, Terms};

/// An estimate of the clauses of some assertions together, in which each term counts once.
pub(super) fn clauses(terms: &Terms, asserted: &[Term]) -> u64 {
    let mut seen: HashSet<Term> = HashSet::new();
    let mut open: Vec<Term> = asserted.to_vec();
    let mut sum = 0_u64;
    while let Some(term) = open.pop() {
        if !seen.insert(term) {
            continue;
        }
        sum = sum.saturating_add(of(terms, term));
        open.extend_from_slice(terms.operands(term));
    }
    sum
}

/// What a proof from quantified formulas of this size gets of a limit in Z3's units. A unit is an
/// instance of a formula, more or less, and takes as long as that is large.
pub(super) fn fair_share(rlimit: u64, size: u64) -> u64 {
    const ORDINARY: u64 = 100_000;
    let share = u128::from(rlimit) * u128::from(ORDINARY).pow(2);
    let size = u128::from(size.max(ORDINARY));
    u64::try_from(share / (size * size)).expect("a share is at most the whole")
}

/// The clauses that define one term from its operands: a ripple-carry adder takes 14 a bit, a
/// product an adder for each bit, a quotient or remainder that and a comparison.
fn of(terms: &Terms, term: Term) -> u64 {
    const BITS: u64 = 64;
    let constant = |t| matches!(terms.node(t), Node::Word(_));
    match terms.node(term) {
        Node::Add(..) | Node::Sub(..) => 14 * BITS,
        Node::Ult(..) | Node::Slt(..) => 6 * BITS,
        Node::BitAnd(..) | Node::BitOr(..) | Node::BitXor(..) => 3 * BITS,
        Node::Shl(_, b) | Node::Lshr(_, b) | Node::Ashr(_, b) if constant(b) => 1,
        // A multiplexer for each bit of the amount.
        Node::Shl(..) | Node::Lshr(..) | Node::Ashr(..) => 4 * 7 * BITS,
        Node::Eq(a, _) if terms.sort(a) == Sort::Word => 3 * BITS,
        Node::Ite(_, a, _) if terms.sort(a) == Sort::Word => 4 * BITS,
        Node::Mul(a, b) if constant(a) || constant(b) => 4 * 14 * BITS,
        Node::Mul(..) => 14 * BITS * BITS / 2,
        Node::Udiv(..) | Node::Urem(..) => 20 * BITS * BITS,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_term_counts_once() {
        let mut terms = Terms::new();
        let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
        let product = terms.mul(x, y);
        let more = terms.add(product, x);
        let [a, b] = [terms.ult(x, product), terms.ult(x, more)];
        let once = clauses(&terms, &[a]);
        assert_eq!(clauses(&terms, &[a, a]), once);
        assert!(clauses(&terms, &[a, b]) < 2 * once);
    }

    #[test]
    fn twice_the_size_gets_a_quarter() {
        assert_eq!(fair_share(1_000, 5), 1_000);
        assert_eq!(fair_share(1_000, 100_000), 1_000);
        assert_eq!(fair_share(1_000, 200_000), 250);
    }
}
