//! Conditions of ways: what two have in common, and the condition of either.
//!
//! A guard is a conjunction of what was decided on the way. Where the ways of a branch meet again the
//! decision is forgotten: guards that grow with each branch make every later question slow.

use crate::smt::{Node, Term, Terms};

/// What a conjunction is made of.
fn parts(terms: &Terms, guard: Term) -> Vec<Term> {
    match terms.node(guard) {
        Node::And(operands) => operands.to_vec(),
        _ => vec![guard],
    }
}

/// Two guards without what they have in common, and that.
pub(super) fn apart(terms: &mut Terms, a: Term, b: Term) -> (Term, Term, Vec<Term>) {
    let (mut x, mut y) = (parts(terms, a), parts(terms, b));
    let common: Vec<Term> = x.iter().copied().filter(|term| y.contains(term)).collect();
    x.retain(|term| !common.contains(term));
    y.retain(|term| !common.contains(term));
    (terms.and(&x), terms.and(&y), common)
}

/// The condition under which one of two ways was taken.
pub(super) fn met(terms: &mut Terms, a: Term, b: Term) -> Term {
    let mut cases: Vec<Term> = Vec::new();
    for term in [a, b] {
        match terms.node(term) {
            Node::Or(operands) => cases.extend_from_slice(operands),
            _ => cases.push(term),
        }
    }
    // Two cases that differ in one condition are one case without it.
    'again: loop {
        for i in 0..cases.len() {
            for j in i + 1..cases.len() {
                let (x, y) = (parts(terms, cases[i]), parts(terms, cases[j]));
                let only_x: Vec<Term> = x.iter().copied().filter(|t| !y.contains(t)).collect();
                let only_y: Vec<Term> = y.iter().copied().filter(|t| !x.contains(t)).collect();
                let joined = match (&only_x[..], &only_y[..]) {
                    ([], _) => Some(cases[i]),
                    (_, []) => Some(cases[j]),
                    (&[p], rest) | (rest, &[p]) => {
                        // `c && p || c && !p && q` is `c && (p || q)`.
                        let opposite = opposite(terms, p);
                        if opposite.iter().all(|term| rest.contains(term)) {
                            let q: Vec<Term> = rest
                                .iter()
                                .copied()
                                .filter(|term| !opposite.contains(term))
                                .collect();
                            let q = terms.and(&q);
                            let mut all: Vec<Term> =
                                x.iter().copied().filter(|t| y.contains(t)).collect();
                            all.push(terms.or(&[p, q]));
                            Some(terms.and(&all))
                        } else {
                            None
                        }
                    }
                    _ => None,
                };
                if let Some(joined) = joined {
                    cases.swap_remove(j);
                    cases[i] = joined;
                    continue 'again;
                }
            }
        }
        return terms.or(&cases);
    }
}

/// What holds exactly where a condition does not, as parts of one conjunction.
fn opposite(terms: &mut Terms, condition: Term) -> Vec<Term> {
    match terms.node(condition) {
        Node::Or(operands) => {
            let operands = operands.to_vec();
            operands.into_iter().map(|term| terms.not(term)).collect()
        }
        _ => vec![terms.not(condition)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smt::{Evaluator, Sort, Universe, Value};

    const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// Whether a condition holds, for each of the 16 ways to decide its atoms.
    fn table(terms: &Terms, condition: Term) -> Vec<bool> {
        let universe = Universe::new();
        (0..16_u32)
            .map(|row| {
                let mut evaluator = Evaluator::new(terms, &universe, |func, _| {
                    let name = terms.name(func);
                    let number = NAMES.iter().position(|&atom| atom == name);
                    Value::Bool(row >> number.expect("it is an atom") & 1 == 1)
                });
                evaluator.holds(condition)
            })
            .collect()
    }

    /// A conjunction in which each atom is missing, given or refused.
    fn conjunction(terms: &mut Terms, atoms: [Term; 4], mut code: usize) -> Term {
        let mut all = Vec::new();
        for atom in atoms {
            match code % 3 {
                0 => {}
                1 => all.push(atom),
                _ => all.push(terms.not(atom)),
            }
            code /= 3;
        }
        terms.and(&all)
    }

    #[test]
    fn where_ways_meet_one_of_both_guards_holds_and_nothing_else() {
        let mut terms = Terms::new();
        let atoms = NAMES.map(|name| terms.constant(name, Sort::Bool));
        for first in 0..81 {
            for second in 0..81 {
                let a = conjunction(&mut terms, atoms, first);
                let b = conjunction(&mut terms, atoms, second);
                // A disjunction as a part of a guard, too.
                let third = conjunction(&mut terms, atoms, (first + 2 * second) % 81);
                let either = terms.or(&[third, b]);
                let c = terms.and(&[a, either]);
                for (x, y) in [(a, b), (b, c), (c, a), (either, a)] {
                    let guard = met(&mut terms, x, y);
                    let plain = terms.or(&[x, y]);
                    assert_eq!(table(&terms, guard), table(&terms, plain));
                    let (only_x, only_y, common) = apart(&mut terms, x, y);
                    for (whole, rest) in [(x, only_x), (y, only_y)] {
                        let mut all = common.clone();
                        all.push(rest);
                        let again = terms.and(&all);
                        assert_eq!(table(&terms, again), table(&terms, whole));
                    }
                }
            }
        }
    }

    #[test]
    fn behind_a_branch_within_a_branch_nothing_is_left_of_them() {
        let mut terms = Terms::new();
        let [way, outer, inner, _] = NAMES.map(|name| terms.constant(name, Sort::Bool));
        let (no_outer, no_inner) = (terms.not(outer), terms.not(inner));
        let skipped = terms.and(&[way, no_outer]);
        let refused = terms.and(&[way, outer, no_inner]);
        let taken = terms.and(&[way, outer, inner]);
        for order in [
            [skipped, refused, taken],
            [taken, skipped, refused],
            [refused, taken, skipped],
        ] {
            let two = met(&mut terms, order[0], order[1]);
            assert_eq!(met(&mut terms, two, order[2]), way);
        }
    }
}
