//! The simplifier, substitution and expansion against plain evaluation.

use super::*;
use crate::smt::Elements;
use crate::smt::Node;

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn a_simplified_term_has_the_value_of_the_term_as_written(steps in steps(60), seed: u64) {
        let machine = Machine::run(&steps);
        let universe = universe();
        for seed in [seed, seed.wrapping_add(1), seed.wrapping_add(2)] {
            let mut evaluator =
                Evaluator::new(&machine.terms, &universe, interpretation(&machine.terms, seed));
            for pair in machine.pairs() {
                prop_assert_eq!(evaluator.value(pair.raw), evaluator.value(pair.simple), "{:?}", pair);
            }
        }
    }

    #[test]
    fn building_again_from_the_parts_gives_the_same_term(steps in steps(60)) {
        let mut machine = Machine::run(&steps);
        let before = machine.terms.len();
        let again = Machine::run(&steps);
        for (pair, twin) in machine.pairs().zip(again.pairs()) {
            prop_assert_eq!(pair.simple, twin.simple);
        }
        let pairs: Vec<Pair> = machine.pairs().collect();
        for pair in pairs {
            let operands = machine.terms.operands(pair.simple).to_vec();
            if let Node::Eq(a, b) = machine.terms.node(pair.simple) {
                prop_assert_eq!(machine.terms.eq(b, a), pair.simple);
            }
            if let Node::And(_) = machine.terms.node(pair.simple) {
                let reversed: Vec<Term> = operands.iter().rev().copied().collect();
                prop_assert_eq!(machine.terms.and(&reversed), pair.simple);
            }
        }
        prop_assert_eq!(machine.terms.len(), before);
    }

    #[test]
    fn free_variables_are_those_that_no_binder_encloses(steps in steps(60)) {
        let machine = Machine::run(&steps);
        for pair in machine.pairs() {
            for term in [pair.raw, pair.simple] {
                prop_assert_eq!(machine.terms.free_variables(term), free(&machine.terms, term));
            }
        }
    }

    #[test]
    fn substitution_changes_the_value_of_what_is_replaced_and_nothing_else(
        steps in steps(60), picks: [u8; 4], seed: u64,
    ) {
        let mut machine = Machine::run(&steps);
        let (v, w) = (machine.variables[0], machine.variables[1]);
        let x = machine.words[0].simple;
        let replacements = [
            (v, pick(&machine.packets, picks[0]).simple),
            (w, pick(&machine.packets, picks[1]).simple),
            (x, pick(&machine.words, picks[2]).simple),
        ];
        let term = pick(&machine.bools, picks[3]).simple;
        let replaced = machine.terms.substitute(term, &replacements);

        let (terms, universe) = (&machine.terms, universe());
        let mut evaluator = Evaluator::new(terms, &universe, interpretation(terms, seed));
        let values = replacements.map(|(from, to)| (symbol(terms, from), evaluator.value(to)));
        let mut usual = interpretation(terms, seed);
        let mut under = Evaluator::new(terms, &universe, |func, arguments: &[Value]| {
            let given = values.iter().find(|(replaced, _)| *replaced == func);
            given.map_or_else(|| usual(func, arguments), |&(_, value)| value)
        });
        prop_assert_eq!(evaluator.value(replaced), under.value(term));
    }

    #[test]
    fn expansion_over_all_elements_keeps_the_value(steps in steps(60), picked: u8, seed: u64) {
        let mut machine = Machine::run(&steps);
        let names = ["e0", "e1", "e2"].map(|name| machine.terms.constant(name, Sort::Packet));
        let elements = Elements::new(&machine.terms).with(Sort::Packet, &names);
        let formula = pick(&machine.bools, picked).simple;
        let expanded = machine.terms.expand(formula, &elements);
        prop_assert!(!has_quantifier(&machine.terms, expanded));

        let (terms, universe) = (&machine.terms, universe());
        let mut usual = interpretation(terms, seed);
        let mut evaluator = Evaluator::new(terms, &universe, |func, arguments: &[Value]| {
            match names.iter().position(|&name| symbol(terms, name) == func) {
                Some(index) => Value::Element(u32::try_from(index).expect("there are three")),
                None => usual(func, arguments),
            }
        });
        prop_assert_eq!(evaluator.value(formula), evaluator.value(expanded));
    }
}

#[test]
fn substitution_renames_a_binder_that_would_capture() {
    let mut terms = Terms::new();
    let less = terms.declare("less", &[Sort::Packet, Sort::Packet], Sort::Bool);
    let [x, y] = ["x", "y"].map(|name| terms.variable(name, Sort::Packet));
    let x_less_y = terms.apply(less, &[x, y]);
    let above_x = terms.exists(&[y], x_less_y);
    let above_y = terms.substitute(above_x, &[(x, y)]);
    assert_eq!(terms.free_variables(above_y), [y]);
    let Node::Exists(&[bound], body) = terms.node(above_y) else {
        panic!("the quantifier stays")
    };
    assert_ne!(bound, y);
    assert_eq!(terms.operands(body), [y, bound]);
    assert_eq!(
        terms.substitute(above_x, &[(x, y)]),
        above_y,
        "the same renaming each time"
    );
    assert_eq!(
        terms.substitute(above_x, &[(y, x)]),
        above_x,
        "bound variables are not replaced"
    );
}

#[test]
fn a_renamed_binder_captures_nothing_that_was_renamed_before() {
    let mut terms = Terms::new();
    let less = terms.declare("less", &[Sort::Packet, Sort::Packet], Sort::Bool);
    let [x, y] = ["x", "y"].map(|name| terms.variable(name, Sort::Packet));
    let x_less_y = terms.apply(less, &[x, y]);
    let above_x = terms.exists(&[y], x_less_y);
    let above_y = terms.substitute(above_x, &[(x, y)]);
    let Node::Exists(&[renamed], y_less_renamed) = terms.node(above_y) else {
        panic!("the quantifier stays")
    };
    // Below this binder the new name is in use already, and free.
    let both = terms.and(&[x_less_y, y_less_renamed]);
    let between = terms.exists(&[y], both);
    let replaced = terms.substitute(between, &[(x, y)]);
    assert_eq!(terms.free_variables(replaced), [y, renamed]);
}

#[test]
fn substitution_is_simultaneous() {
    let mut terms = Terms::new();
    let [x, y] = ["x", "y"].map(|name| terms.variable(name, Sort::Word));
    let difference = terms.sub(x, y);
    let swapped = terms.sub(y, x);
    assert_eq!(terms.substitute(difference, &[(x, y), (y, x)]), swapped);
}

#[test]
fn deep_terms_need_no_deep_stack() {
    let mut terms = Terms::new();
    let x = terms.variable("x", Sort::Word);
    let y = terms.constant("y", Sort::Word);
    let mut deep = x;
    for _ in 0..100_000 {
        deep = terms.udiv(deep, y);
    }
    let replaced = terms.substitute(deep, &[(x, y)]);
    assert!(terms.free_variables(replaced).is_empty());
    assert_eq!(terms.functions_in(replaced).len(), 1);
    let universe = Universe::new();
    let value = Evaluator::new(&terms, &universe, |_, _| Value::Word(1)).value(replaced);
    assert_eq!(value, Value::Word(1));
    let expanded = terms.expand(replaced, &Elements::default());
    assert_eq!(expanded, replaced);
}

#[test]
fn long_conjunctions_stay_linear() {
    let mut terms = Terms::new();
    let mut guard = terms.bool(true);
    for _ in 0..10_000 {
        let next = terms.constant("p", Sort::Bool);
        guard = terms.and(&[guard, next]);
    }
    assert!(
        terms.size() < 400_000,
        "{} terms and operands",
        terms.size()
    );
}

#[test]
fn known_identities_are_found() {
    let mut terms = Terms::new();
    let [p, q] = ["p", "q"].map(|name| terms.constant(name, Sort::Bool));
    let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
    let [zero, one, all_ones] = [0, 1, u64::MAX].map(|value| terms.word(value));
    let (yes, no) = (terms.bool(true), terms.bool(false));

    let not_p = terms.not(p);
    assert_eq!(terms.not(not_p), p);
    assert_eq!(terms.and(&[p, not_p]), no);
    assert_eq!(terms.or(&[p, not_p]), yes);
    let p_or_q = terms.or(&[p, q]);
    assert_eq!(terms.and(&[p, p_or_q]), p);
    let p_implies_q = terms.implies(p, q);
    let both = terms.and(&[p, q]);
    assert_eq!(terms.and(&[p, p_implies_q]), both);
    assert_eq!(terms.ite(p, yes, no), p);
    assert_eq!(terms.ite(p, x, x), x);
    assert_eq!(terms.eq(x, y), terms.eq(y, x));
    assert_eq!(terms.eq(x, x), yes);
    assert_eq!(terms.ult(x, x), no);
    assert_eq!(terms.ule(x, x), yes);
    assert_eq!(terms.ule(zero, x), yes);
    assert_eq!(terms.add(x, y), terms.add(y, x));
    assert_eq!(terms.add(x, zero), x);
    assert_eq!(terms.sub(x, zero), x);
    assert_eq!(terms.sub(x, x), zero);
    assert_eq!(terms.mul(x, zero), zero);
    assert_eq!(terms.mul(one, x), x);
    assert_eq!(terms.udiv(x, zero), all_ones);
    assert_eq!(terms.urem(x, zero), x);
    let v = terms.variable("v", Sort::Packet);
    assert_eq!(terms.forall(&[v], p), p);
}

#[test]
fn beyond_its_budget_an_arena_says_so_and_keeps_its_sorts() {
    let mut terms = Terms::new();
    let member = terms.declare("member", &[Sort::Packet], Sort::Bool);
    let x = terms.constant("x", Sort::Word);
    terms.set_budget(terms.size() + 10);
    let mut sum = x;
    for value in 0..100 {
        let literal = terms.word(value * 3);
        sum = terms.mul(sum, literal);
        sum = terms.udiv(sum, x);
    }
    assert!(terms.exhausted());
    assert_eq!(terms.sort(sum), Sort::Word);
    assert!(terms.size() <= 32);
    for sort in Sort::ALL {
        let constant = terms.constant("late", sort);
        let variable = terms.variable("late", sort);
        assert_eq!((terms.sort(constant), terms.sort(variable)), (sort, sort));
    }
    let v = terms.variable("v", Sort::Packet);
    let in_v = terms.apply(member, &[v]);
    let all = terms.forall(&[v], in_v);
    let replaced = terms.substitute(all, &[(v, v)]);
    assert_eq!(terms.sort(replaced), Sort::Bool);

    let mut solver = Solver::new(&Room::new(), Profile::Proof, Limits { rlimit: 1_000 });
    solver.assert(&terms, terms.bool(false));
    assert_eq!(
        solver.check(&terms),
        Answer::Unknown(Answer::TERMS.to_owned())
    );
}

fn symbol(terms: &Terms, leaf: Term) -> Func {
    match terms.node(leaf) {
        Node::Variable(func) | Node::Apply(func, []) => func,
        other => panic!("{other:?} is not a symbol"),
    }
}

fn free(terms: &Terms, term: Term) -> Vec<Term> {
    let mut all: Vec<Term> = match terms.node(term) {
        Node::Variable(_) => vec![term],
        Node::Forall(bound, body) | Node::Exists(bound, body) => free(terms, body)
            .into_iter()
            .filter(|variable| !bound.contains(variable))
            .collect(),
        _ => terms
            .operands(term)
            .iter()
            .flat_map(|&operand| free(terms, operand))
            .collect(),
    };
    all.sort_unstable();
    all.dedup();
    all
}

fn has_quantifier(terms: &Terms, term: Term) -> bool {
    matches!(terms.node(term), Node::Forall(..) | Node::Exists(..))
        || terms
            .operands(term)
            .iter()
            .any(|&operand| has_quantifier(terms, operand))
}
