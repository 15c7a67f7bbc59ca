//! Random terms, built twice: as they are, and through the constructors.

mod formulas;
mod solving;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::eval::{Evaluator, Universe};
use super::term::{Func, Op, Sort, Term, Terms};
use super::{Answer, Limits, Profile, Room, Solver, Value};

/// One step of a random construction: what to build, and from which earlier terms.
type Step = (u8, u8, u8, u8);

/// Random constructions; most steps use recent terms, so that these get deep.
fn steps(length: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(any::<Step>(), 1..length)
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x7072_6f67),
        ..Config::default()
    }
}

/// A term as written, and the simplified term that the constructors make of it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    raw: Term,
    simple: Term,
}

/// The terms of one sort that a construction has so far.
type Pool = Vec<Pair>;

/// An arena with a few symbols, and the pools of what was built from them.
struct Machine {
    terms: Terms,
    bools: Pool,
    words: Pool,
    ints: Pool,
    packets: Pool,
    variables: [Term; 2],
    member: Func,
    size: Func,
    rank: Func,
}

impl Machine {
    fn new() -> Machine {
        let mut terms = Terms::new();
        let member = terms.declare("member", &[Sort::Packet], Sort::Bool);
        let size = terms.declare("size", &[Sort::Packet], Sort::Word);
        let rank = terms.declare("rank", &[Sort::Packet], Sort::Int);
        let variables = ["v", "w"].map(|name| terms.variable(name, Sort::Packet));
        let mut machine = Machine {
            bools: Vec::new(),
            words: Vec::new(),
            ints: Vec::new(),
            packets: Vec::new(),
            variables,
            member,
            size,
            rank,
            terms,
        };
        for name in ["p", "q", "r"] {
            let term = machine.terms.constant(name, Sort::Bool);
            machine.bools.push(Pair {
                raw: term,
                simple: term,
            });
        }
        for value in [false, true] {
            let term = machine.terms.bool(value);
            machine.bools.push(Pair {
                raw: term,
                simple: term,
            });
        }
        for name in ["x", "y"] {
            let term = machine.terms.constant(name, Sort::Word);
            machine.words.push(Pair {
                raw: term,
                simple: term,
            });
        }
        for value in [0, 1, 2, 7, u64::MAX] {
            let term = machine.terms.word(value);
            machine.words.push(Pair {
                raw: term,
                simple: term,
            });
        }
        for value in [-1, 0, 3] {
            let term = machine.terms.int(value);
            machine.ints.push(Pair {
                raw: term,
                simple: term,
            });
        }
        for name in ["a", "b"] {
            let term = machine.terms.constant(name, Sort::Packet);
            machine.packets.push(Pair {
                raw: term,
                simple: term,
            });
        }
        machine.packets.extend(variables.map(|term| Pair {
            raw: term,
            simple: term,
        }));
        machine
    }

    fn run(steps: &[Step]) -> Machine {
        let mut machine = Machine::new();
        for &step in steps {
            machine.step(step);
        }
        machine
    }

    fn step(&mut self, (what, a, b, c): Step) {
        let [p, q, r] = [a, b, c].map(|index| pick(&self.bools, index));
        let [x, y] = [a, b].map(|index| pick(&self.words, index));
        let [i, j] = [a, b].map(|index| pick(&self.ints, index));
        let [s, t, u] = [a, b, c].map(|index| pick(&self.packets, index));
        let variable = self.variables[usize::from(c) % 2];
        match what % 28 {
            0 => self.bool(Op::Not, &[p], |terms, o| terms.not(o[0])),
            1 => self.bool(Op::And, &[p, q], Terms::and),
            2 => self.bool(Op::Or, &[p, q], Terms::or),
            3 => self.bool(Op::And, &[p, q, r], Terms::and),
            4 => self.bool(Op::Or, &[p, q, r], Terms::or),
            5 => self.bool(Op::Eq, &[p, q], |terms, o| terms.iff(o[0], o[1])),
            6 => self.bool(Op::Ite, &[p, q, r], |terms, o| terms.ite(o[0], o[1], o[2])),
            7 => self.bool(Op::Eq, &[x, y], |terms, o| terms.eq(o[0], o[1])),
            8 => self.bool(Op::Ult, &[x, y], |terms, o| terms.ult(o[0], o[1])),
            9 => self.bool(Op::Eq, &[i, j], |terms, o| terms.eq(o[0], o[1])),
            10 => self.bool(Op::IntLt, &[i, j], |terms, o| terms.int_lt(o[0], o[1])),
            11 => self.bool(Op::Eq, &[s, t], |terms, o| terms.eq(o[0], o[1])),
            12 => self.bool(Op::Distinct, &[s, t, u], Terms::distinct),
            13 | 14 => self.bind(Op::Forall, variable, p),
            15 | 16 => self.bind(Op::Exists, variable, p),
            17 => self.call(self.member, s),
            18 => self.call(self.size, s),
            19 => self.call(self.rank, s),
            20 => self.word(Op::Ite, &[r, x, y], |terms, o| terms.ite(o[0], o[1], o[2])),
            21 => self.word(Op::Add, &[x, y], |terms, o| terms.add(o[0], o[1])),
            22 => self.word(Op::Sub, &[x, y], |terms, o| terms.sub(o[0], o[1])),
            23 => self.word(Op::Mul, &[x, y], |terms, o| terms.mul(o[0], o[1])),
            24 => self.word(Op::Udiv, &[x, y], |terms, o| terms.udiv(o[0], o[1])),
            25 => self.word(Op::Urem, &[x, y], |terms, o| terms.urem(o[0], o[1])),
            26 => {
                let pair = self.build(Op::Ite, Sort::Int, &[r, i, j], |terms, o| {
                    terms.ite(o[0], o[1], o[2])
                });
                self.ints.push(pair);
            }
            _ => {
                let pair = self.build(Op::Ite, Sort::Packet, &[r, s, t], |terms, o| {
                    terms.ite(o[0], o[1], o[2])
                });
                self.packets.push(pair);
            }
        }
    }

    fn bool(&mut self, op: Op, operands: &[Pair], make: impl Fn(&mut Terms, &[Term]) -> Term) {
        let pair = self.build(op, Sort::Bool, operands, make);
        self.bools.push(pair);
    }

    fn word(&mut self, op: Op, operands: &[Pair], make: impl Fn(&mut Terms, &[Term]) -> Term) {
        let pair = self.build(op, Sort::Word, operands, make);
        self.words.push(pair);
    }

    fn bind(&mut self, op: Op, variable: Term, body: Pair) {
        let bound = Pair {
            raw: variable,
            simple: variable,
        };
        self.bool(op, &[bound, body], |terms, o| match op {
            Op::Forall => terms.forall(&o[..1], o[1]),
            _ => terms.exists(&o[..1], o[1]),
        });
    }

    fn call(&mut self, func: Func, argument: Pair) {
        let [raw, simple] =
            [argument.raw, argument.simple].map(|argument| self.terms.apply(func, &[argument]));
        let pool = match self.terms.signature(func).1 {
            Sort::Bool => &mut self.bools,
            Sort::Word => &mut self.words,
            _ => &mut self.ints,
        };
        pool.push(Pair { raw, simple });
    }

    fn build(
        &mut self,
        op: Op,
        sort: Sort,
        operands: &[Pair],
        make: impl Fn(&mut Terms, &[Term]) -> Term,
    ) -> Pair {
        let raw: Vec<Term> = operands.iter().map(|pair| pair.raw).collect();
        let simple: Vec<Term> = operands.iter().map(|pair| pair.simple).collect();
        Pair {
            raw: self.terms.intern(op, sort, 0, &raw),
            simple: make(&mut self.terms, &simple),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = Pair> {
        [&self.bools, &self.words, &self.ints, &self.packets]
            .into_iter()
            .flatten()
            .copied()
    }
}

/// Prefers the recent half of the pool.
fn pick(pool: &[Pair], index: u8) -> Pair {
    let index = usize::from(index);
    let from = if index % 3 == 0 { 0 } else { pool.len() / 2 };
    pool[from + index / 3 % (pool.len() - from)]
}

const PACKETS: u32 = 3;

fn universe() -> Universe {
    Universe::new().with_elements(Sort::Packet, PACKETS)
}

/// Some value for every symbol: a hash of its name, its arguments and the seed.
fn interpretation(terms: &Terms, seed: u64) -> impl FnMut(Func, &[Value]) -> Value + use<'_> {
    const WORDS: [u64; 8] = [0, 1, 2, 3, 7, 1 << 32, u64::MAX - 1, u64::MAX];
    move |func, arguments| {
        let mut hash = seed ^ (u64::from(func.0) << 32);
        for argument in arguments {
            hash = hash.rotate_left(9)
                ^ match argument {
                    Value::Element(element) => u64::from(*element) + 1,
                    other => panic!("the symbols of these tests take packets, not {other:?}"),
                };
        }
        // The mixing steps of splitmix64.
        hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        match terms.signature(func).1 {
            Sort::Bool => Value::Bool(hash & 1 == 1),
            Sort::Word => Value::Word(WORDS[usize::try_from(hash % 8).expect("below 8")]),
            Sort::Int => Value::Int(i64::try_from(hash % 7).expect("below 7") - 3),
            Sort::Subflow | Sort::Packet => Value::Element(
                u32::try_from(hash % u64::from(PACKETS)).expect("below the number of packets"),
            ),
        }
    }
}
