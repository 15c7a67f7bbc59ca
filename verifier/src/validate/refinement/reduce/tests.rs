//! What is said of words without bits is true of them.

use std::collections::BTreeMap;

use progmp_ir::splitmix64;

use super::super::memory::Axis;
use super::super::words::Symbols;
use super::{Reducer, Stand};
use crate::ebpf::arith::Words;
use crate::smt::{Evaluator, Func, Node, Sort, Term, Terms, Universe, Value};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = splitmix64(self.0);
        usize::try_from(self.0 % limit as u64).expect("it is small")
    }
}

/// Formulas as questions have them: of sets and numbers, and of both where that is odd.
struct Formulas {
    random: Random,
    leaves: Vec<Term>,
    of: Func,
}

impl Formulas {
    fn number(&mut self, symbols: &mut Symbols, depth: u32) -> Term {
        if depth == 0 {
            let few = [0, 1, 2, 5, 31, 63, 64, 1 << 40, u64::MAX];
            return match self.random.below(2) {
                0 => symbols.word(few[self.random.below(few.len())]),
                _ => self.leaves[self.random.below(self.leaves.len())],
            };
        }
        let a = self.number(symbols, depth - 1);
        let b = self.number(symbols, depth - 1);
        let small = [1, 6, 31, 63, 0xffff, 0xffff_ffff];
        let literal = symbols.word(small[self.random.below(small.len())]);
        let six = symbols.word(6);
        match self.random.below(13) {
            0 => symbols.add(&a, &b),
            1 => symbols.subtract(&a, &b),
            2 => symbols.multiply(&literal, &b),
            3 => symbols.and(&literal, &b),
            4 => symbols.shift_left(&a, &six),
            5 => symbols.shift_right(&a, &six),
            6 => {
                let low = symbols.word(63);
                let b = symbols.and(&low, &b);
                let high = symbols.shift_left(&a, &six);
                symbols.or(&high, &b)
            }
            7 => symbols.xor(&literal, &a),
            8 => {
                let set = self.set(symbols, depth - 1);
                symbols.lowest(set)
            }
            9 => {
                let c = self.truth(symbols, depth - 1);
                symbols.terms.ite(c, a, b)
            }
            10 => symbols.terms.apply(self.of, &[a]),
            11 => {
                let set = self.set(symbols, depth - 1);
                super::super::fold::count(symbols, set)
            }
            _ => self.set(symbols, depth - 1),
        }
    }

    fn set(&mut self, symbols: &mut Symbols, depth: u32) -> Term {
        if depth == 0 {
            return self.leaves[self.random.below(self.leaves.len())];
        }
        let a = self.set(symbols, depth - 1);
        let b = self.set(symbols, depth - 1);
        let all = symbols.word(u64::MAX);
        let (zero, one) = (symbols.word(0), symbols.word(1));
        let masks = [0xff, 0xffff_fffc, 0xffff_ffff, 0xf0f0];
        let mask = symbols.word(masks[self.random.below(masks.len())]);
        let low = symbols.word(63);
        let number = self.number(symbols, depth - 1);
        let place = symbols.and(&low, &number);
        match self.random.below(10) {
            0 => symbols.and(&a, &b),
            1 => symbols.or(&a, &b),
            2 => symbols.xor(&a, &b),
            3 => symbols.xor(&all, &a),
            4 => symbols.and(&mask, &a),
            5 => symbols.shift_left(&one, &place),
            6 => {
                let power = symbols.shift_left(&one, &place);
                let below = symbols.add(&all, &power);
                symbols.and(&a, &below)
            }
            7 => {
                let less = symbols.add(&all, &a);
                symbols.and(&a, &less)
            }
            8 => {
                let negative = symbols.subtract(&zero, &a);
                symbols.and(&a, &negative)
            }
            _ => symbols.shift_right(&a, &place),
        }
    }

    fn truth(&mut self, symbols: &mut Symbols, depth: u32) -> Term {
        let inner = depth.saturating_sub(1);
        match self.random.below(if depth > 1 { 7 } else { 4 }) {
            0 => {
                let (a, b) = (self.number(symbols, inner), self.number(symbols, inner));
                symbols.below(&a, &b)
            }
            1 => {
                let (a, b) = (self.set(symbols, inner), self.set(symbols, inner));
                symbols.equal(&a, &b)
            }
            2 => {
                let (set, at) = (self.set(symbols, inner), self.number(symbols, inner));
                symbols.bit(set, at)
            }
            3 => {
                let set = self.set(symbols, inner);
                let zero = symbols.word(0);
                symbols.equal(&set, &zero)
            }
            4 => {
                let (a, b) = (self.number(symbols, inner), self.number(symbols, inner));
                symbols.less(&a, &b)
            }
            5 => {
                let a = self.truth(symbols, inner);
                symbols.terms.not(a)
            }
            _ => {
                let (a, b) = (self.truth(symbols, inner), self.truth(symbols, inner));
                symbols.terms.and(&[a, b])
            }
        }
    }
}

fn word(value: Value) -> u64 {
    match value {
        Value::Word(word) => word,
        other => panic!("{other:?} is no word"),
    }
}

/// What stands for words has the values that it stands for.
struct Meaning<'a> {
    leaves: &'a BTreeMap<Func, u64>,
    of: Func,
    position: Func,
    constants: BTreeMap<Term, Value>,
    stand: &'a Stand,
}

impl Meaning<'_> {
    fn apply(&self, terms: &Terms, func: Func, arguments: &[Value]) -> Value {
        let argument = |at: usize| word(arguments[at]);
        let given = |func: Func, arguments: &[Value]| {
            if func == self.of {
                splitmix64(word(arguments[0]) % 4) & 0x00ff_ffff_ffff
            } else {
                self.leaves[&func]
            }
        };
        if func == self.position {
            let word = argument(0);
            return Value::Word(if word == 0 {
                0
            } else {
                u64::from(word.trailing_zeros())
            });
        }
        for (&(original, mask), &narrow) in &self.stand.masked {
            if narrow == func {
                return Value::Word(given(original, arguments) & mask);
            }
        }
        for (&original, &bits) in &self.stand.bits_of {
            if bits == func {
                let (at, rest) = arguments.split_last().expect("an index comes last");
                let value = given(original, rest);
                let at = u32::try_from(word(*at)).unwrap_or(64);
                return Value::Bool(value.checked_shr(at).unwrap_or(0) & 1 == 1);
            }
        }
        if let Some((_, value)) = self
            .constants
            .iter()
            .find(|(term, _)| matches!(terms.node(**term), Node::Apply(named, []) if named == func))
        {
            return *value;
        }
        Value::Word(given(func, arguments))
    }
}

#[test]
fn what_is_said_without_bits_is_true_of_the_words() {
    let (mut held, mut said) = (0, 0);
    for seed in 0..1500 {
        let mut symbols = Symbols::new();
        let names = ["a", "b", "c", "n"];
        let funcs = names.map(|name| symbols.terms.declare(name, &[], Sort::Word));
        let of = symbols.terms.declare("of", &[Sort::Word], Sort::Word);
        let leaves = funcs.map(|func| symbols.terms.apply(func, &[])).to_vec();
        let mut formulas = Formulas {
            random: Random(seed),
            leaves,
            of,
        };
        let formula = formulas.truth(&mut symbols, 3);
        let axes: BTreeMap<Func, Axis> = funcs.map(|func| (func, Axis::Subflow)).into();
        let mut stand = Stand::default();
        let mut reducer = Reducer::new(&mut symbols, &mut stand, &axes);
        // What is asserted is said of words that are equal, too, and holds only where it holds.
        let asserted = seed % 2 == 0;
        let reduced = if asserted {
            reducer.assertion(formula)
        } else {
            reducer.formula(formula)
        };
        reducer.finish();
        let facts = std::mem::take(&mut reducer.said);
        said += facts.len();
        for trial in 0..12_u64 {
            let value = |at: usize| {
                let random = splitmix64(trial ^ (at as u64) << 20 ^ seed << 30);
                match random % 5 {
                    0 => random & 7,
                    1 => random & 0xffff_ffff,
                    2 => 1 << (random >> 8 & 63),
                    3 => 0,
                    _ => random,
                }
            };
            let values: BTreeMap<Func, u64> = funcs
                .iter()
                .enumerate()
                .map(|(at, &func)| (func, value(at)))
                .collect();
            let mut meaning = Meaning {
                leaves: &values,
                of,
                position: symbols.position,
                constants: BTreeMap::new(),
                stand: &stand,
            };
            let universe = Universe::new();
            let terms = &symbols.terms;
            let evaluate = |meaning: &Meaning<'_>, term: Term| {
                let apply = |func, arguments: &[Value]| meaning.apply(terms, func, arguments);
                Evaluator::new(terms, &universe, apply).value(term)
            };
            let mut constants = BTreeMap::new();
            for (&of_word, &place) in &stand.lowest {
                let word = word(evaluate(&meaning, of_word));
                let at = if word == 0 {
                    0
                } else {
                    u64::from(word.trailing_zeros())
                };
                constants.insert(place, Value::Word(at));
            }
            for (&(a, b), &(same, place)) in &stand.equal {
                let [a, b] = [a, b].map(|term| word(evaluate(&meaning, term)));
                constants.insert(same, Value::Bool(a == b));
                let at = if a == b {
                    7
                } else {
                    u64::from((a ^ b).trailing_zeros())
                };
                constants.insert(place, Value::Word(at));
            }
            for (&of_term, &constant) in &stand.opaque {
                constants.insert(constant, evaluate(&meaning, of_term));
            }
            meaning.constants = constants;
            for (&(of_word, at), &constant) in &stand.unknown {
                let at = word(evaluate(&meaning, at));
                let word = word(evaluate(&meaning, of_word));
                let at = u32::try_from(at).unwrap_or(64);
                let bit = word.checked_shr(at).unwrap_or(0) & 1 == 1;
                meaning.constants.insert(constant, Value::Bool(bit));
            }
            let truth = evaluate(&meaning, formula);
            if asserted && truth == Value::Bool(false) {
                continue;
            }
            for &fact in &facts {
                assert_eq!(
                    evaluate(&meaning, fact),
                    Value::Bool(true),
                    "{seed} {values:?}"
                );
            }
            if truth == Value::Bool(true) {
                held += 1;
                assert_eq!(evaluate(&meaning, reduced), truth, "{seed} {values:?}");
            }
        }
    }
    assert!(
        held > 4000 && said > 2000,
        "{held} formulas held, {said} facts"
    );
}
