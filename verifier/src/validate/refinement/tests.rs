//! The lemmas that loops and folds rest on, held against numbers and against the solver.

use progmp_ir::Extremum;

use super::fold::{ALL, Folds, count, highest, low};
use super::prove::Prover;
use super::words::Symbols;
use crate::ebpf::arith::Words;
use crate::smt::{Answer, Evaluator, Limits, Profile, Room, Solver, Sort, Term, Universe, Value};

fn always(symbols: &mut Symbols, claim: Term) -> bool {
    let refuted = symbols.terms.not(claim);
    let limits = Limits {
        rlimit: 100_000_000,
    };
    let mut solver = Solver::new(&Room::new(), Profile::Proof, limits);
    solver.assert(&symbols.terms, refuted);
    solver.check(&symbols.terms) == Answer::Unsat
}

#[test]
fn a_word_that_loses_its_lowest_bit_has_the_bits_behind_it() {
    let mut symbols = Symbols::new();
    let [set, rest, looked, place] = ["set", "rest", "looked", "place"].map(|n| symbols.fresh(n));
    let all = symbols.word(u64::MAX);
    let from = |symbols: &mut Symbols, at| {
        let below = low(symbols, at);
        let above = symbols.terms.bit_xor(all, below);
        symbols.terms.bit_and(set, above)
    };
    // What holds in front of a round.
    let held = from(&mut symbols, looked);
    let held = symbols.equal(&rest, &held);
    let (zero, one, most) = (symbols.word(0), symbols.word(1), symbols.word(64));
    let inside = symbols.terms.ule(looked, most);
    let none = symbols.equal(&rest, &zero);
    let some = symbols.terms.not(none);
    // The position of the lowest bit.
    let negative = symbols.terms.sub(zero, rest);
    let single = symbols.terms.bit_and(rest, negative);
    let bit = symbols.terms.shl(one, place);
    let right = symbols.equal(&single, &bit);
    let given = symbols.terms.and(&[held, inside, some, right]);
    // What holds behind it.
    let after = symbols.terms.bit_xor(rest, single);
    let next = symbols.terms.add(place, one);
    let wanted = from(&mut symbols, next);
    let wanted = symbols.equal(&after, &wanted);
    let not_before = symbols.terms.ule(looked, place);
    let shown = symbols.terms.and(&[wanted, not_before]);
    let claim = symbols.terms.implies(given, shown);
    assert!(always(&mut symbols, claim));
    // The other way to take the lowest bit away.
    let minus = symbols.terms.add(all, rest);
    let other = symbols.terms.bit_and(rest, minus);
    let same = symbols.equal(&after, &other);
    assert!(always(&mut symbols, same));
    assert!(symbols.is_rest(after, rest) && symbols.is_rest(other, rest));
    assert!(!symbols.is_rest(single, rest) && !symbols.is_rest(rest, rest));
}

/// What MIN or MAX has found among the first records, by going over them.
fn naive(which: Extremum, list: u64, keys: &[u64], end: u64) -> Option<(u64, u64)> {
    let mut best: Option<(u64, u64)> = None;
    for record in 0..end.min(ALL) {
        let key = keys[usize::try_from(record).expect("it is small")];
        let better = best.is_none_or(|(_, least)| match which {
            Extremum::Min => key < least,
            Extremum::Max => key > least,
        });
        // Odd keys are NULL.
        if list >> record & 1 == 1 && key.is_multiple_of(2) && better {
            best = Some((record, key));
        }
    }
    best
}

#[test]
fn what_is_said_of_folds_holds_of_numbers() {
    let mut random = 7_u64;
    let mut next = || {
        random = progmp_ir::splitmix64(random);
        random
    };
    for which in [Extremum::Min, Extremum::Max] {
        for _ in 0..8 {
            let list = next() & next() & 0xffff_ffff;
            let keys: Vec<u64> = (0..ALL).map(|_| next() % 12).collect();
            let mut prover = Prover::new(&[]);
            let each = prover.symbols.terms.variable("each", Sort::Word);
            let key = prover
                .symbols
                .terms
                .declare("key", &[Sort::Word], Sort::Word);
            let key = prover.symbols.terms.apply(key, &[each]);
            let zero = prover.symbols.word(0);
            let null = prover.symbols.bit(key, zero);
            let word = prover.symbols.word(list);
            let mut folds = Folds::default();
            folds.extremum(&mut prover, which, word, (each, null, key));
            let fold = &folds.folds[0];
            let symbols = &mut prover.symbols;
            let mut claims = Vec::new();
            for from in 0..=ALL {
                let start = symbols.word(from);
                claims.extend(fold.inside(symbols, start));
                if from < ALL {
                    claims.extend(fold.step(symbols, start));
                }
                for to in [from, from + 1, from + 5, ALL] {
                    let to = symbols.word(to.min(ALL));
                    claims.extend(fold.skip(symbols, start, to));
                }
            }
            let claim = symbols.terms.and(&claims);
            let universe = Universe::new();
            let terms = &symbols.terms;
            let mut evaluator = Evaluator::new(terms, &universe, |func, arguments| {
                let number = |at: usize| match arguments[at] {
                    Value::Word(word) => word,
                    other => panic!("{other:?} is no number"),
                };
                let found = naive(which, list, &keys, number(0));
                let name = terms.name(func);
                match name {
                    "has" => Value::Bool(found.is_some()),
                    "found" => Value::Word(found.map_or(0, |(record, _)| record)),
                    "best" => Value::Word(found.map_or(0, |(_, key)| key)),
                    "key" => Value::Word(keys[usize::try_from(number(0)).expect("it is small")]),
                    "between" => {
                        let (from, to) = (number(0), number(1).min(ALL));
                        let counts = |r: &u64| {
                            let key = keys[usize::try_from(*r).expect("it is small")];
                            list >> r & 1 == 1 && key.is_multiple_of(2)
                        };
                        Value::Word((from..to).find(counts).unwrap_or(0))
                    }
                    other => panic!("{other} is not expected"),
                }
            });
            assert!(evaluator.holds(claim), "{which:?} {list:#x} {keys:?}");
        }
    }
}

#[test]
fn bits_are_counted_and_the_highest_is_found() {
    for value in [
        0,
        1,
        2,
        5,
        0x8000_0000,
        0xffff_ffff,
        0x1234_5678,
        0x00ff_0f01_u64,
    ] {
        let mut symbols = Symbols::new();
        let word = symbols.word(value);
        let ones = count(&mut symbols, word);
        assert_eq!(symbols.literal(ones), Some(u64::from(value.count_ones())));
        let top = highest(&mut symbols, word, 32);
        let place = symbols.lowest(top);
        let wanted = if value == 0 {
            0
        } else {
            u64::from(value.ilog2())
        };
        assert_eq!(symbols.literal(place), Some(wanted));
    }
}
