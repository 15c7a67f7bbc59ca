//! Questions to the solver: a claim, what is known of what it speaks of, and nothing else.
//!
//! What is known for all records is kept as one formula with a variable, and used of those indices
//! that occur in the question. Which facts are used decides what can be shown, never what is true.

use std::collections::BTreeSet;

use progmp_abi::layout::{block, queue, subflow};
use progmp_abi::{queue_at, word_of};
use progmp_ir::{QueueName, SubflowBool};

use super::memory::{Axis, Layout};
use super::words::{Known, Symbols};
use crate::ebpf::arith::Words;
use crate::smt::{Answer, Func, Limits, Node, Profile, Room, Solver, Sort, Term};

/// Effort for one question.
const RLIMIT: u64 = 20_000_000;

/// How often instances of facts may bring in further facts.
const ROUNDS: usize = 4;

/// Something that holds.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    /// It matters where one of these occurs.
    pub(super) about: Vec<Func>,
    /// What holds, of all values of the variable if there is one.
    pub(super) body: Term,
    /// The variable, and what it is an index of.
    pub(super) each: Option<(Term, Axis)>,
}

/// What is known, and the solver.
pub(super) struct Prover {
    pub(super) symbols: Symbols,
    pub(super) layout: Layout,
    pub(super) facts: Vec<Fact>,
    /// Functions whose only or last argument is an index.
    pub(super) axes: std::collections::BTreeMap<Func, Axis>,
    room: Room,
}

impl Prover {
    /// With the rules of well-formed blocks (specs/abi.md).
    pub(super) fn new(scratch: &[(usize, usize)]) -> Self {
        let mut symbols = Symbols::new();
        let layout = Layout::new(&mut symbols, scratch);
        let mut axes = std::collections::BTreeMap::default();
        for member in &layout.members {
            axes.insert(member.start, member.axis);
        }
        let mut prover = Self {
            symbols,
            layout,
            facts: Vec::new(),
            axes,
            room: Room::new(),
        };
        prover.well_formed();
        prover
    }

    fn start(&self, at: usize) -> Func {
        self.layout.members[self.layout.at(at)].start
    }

    /// The value at the start of a member with one cell.
    pub(super) fn scalar(&mut self, at: usize) -> Term {
        let func = self.start(at);
        let zero = self.symbols.word(0);
        self.symbols.started(func, zero)
    }

    fn well_formed(&mut self) {
        let known = [
            (block::STATUS, Known::Is(0)),
            (block::ACTION_COUNT, Known::Is(0)),
            (block::PRINT_COUNT, Known::Is(0)),
            (block::ZERO, Known::Is(0)),
            (block::ONE, Known::Is(1)),
            (block::INF, Known::Is(u64::MAX)),
            (block::LIVE, Known::Within(0xffff_ffff)),
        ];
        let flags: Vec<usize> = SubflowBool::ALL.iter().map(|&flag| word_of(flag)).collect();
        let flagged = flags.iter().map(|&at| (at, Known::Within(0xffff_ffff)));
        let somes = QueueName::ALL.iter();
        let somes = somes.map(|&name| (queue_at(name) + queue::SOME, Known::Within(0xffff)));
        for (at, what) in known.into_iter().chain(flagged).chain(somes) {
            let func = self.start(at);
            self.symbols.known.insert(func, what);
        }
        // W3, W4.
        let live_func = self.start(block::LIVE);
        let live = self.scalar(block::LIVE);
        let count = self.scalar(block::SUBFLOW_COUNT);
        let y = self.symbols.terms.variable("y", Sort::Word);
        let bit = self.symbols.bit(live, y);
        let below = self.symbols.terms.ult(y, count);
        let same = self.symbols.terms.iff(bit, below);
        self.each(&[live_func], same, y, Axis::Subflow);
        let most = self.symbols.word(32);
        let few = self.symbols.terms.ule(count, most);
        self.fact(&[live_func], few);
        for &at in &flags {
            let func = self.start(at);
            let word = self.scalar(at);
            let all = self.symbols.word(u64::MAX);
            let dead = self.symbols.terms.bit_xor(live, all);
            let outside = self.symbols.terms.bit_and(word, dead);
            let zero = self.symbols.word(0);
            let none = self.symbols.equal(&outside, &zero);
            self.fact(&[func], none);
        }
        // W6.
        for (field, bits) in [
            (subflow::RTT, 40),
            (subflow::RTT_MS, 40),
            (subflow::RTT_VAR, 40),
            (subflow::DELIVERY_RATE, 48),
            (subflow::PACING_RATE, 48),
            (subflow::SEND_RATE, 48),
        ] {
            let func = self.start(block::SUBFLOW + field);
            let value = self.symbols.terms.apply(func, &[y]);
            let limit = self.symbols.word(1 << bits);
            let small = self.symbols.terms.ult(value, limit);
            let claim = self.symbols.terms.implies(bit, small);
            self.each(&[func], claim, y, Axis::Subflow);
        }
        let time = self.start(block::TIME_MS);
        let value = self.scalar(block::TIME_MS);
        let limit = self.symbols.word(1 << 48);
        let small = self.symbols.terms.ult(value, limit);
        self.fact(&[time], small);
        // W9.
        for name in QueueName::ALL {
            let some = self.scalar(queue_at(name) + queue::SOME);
            let func = self.start(queue_at(name) + queue::WORD);
            let word = self.symbols.terms.apply(func, &[y]);
            let claim = self.is_some(some, word, y);
            let about = [func, self.start(queue_at(name) + queue::SOME)];
            self.each(&about, claim, y, Axis::Word);
        }
    }

    /// That the bit of a word in the summary of its set is right.
    pub(super) fn is_some(&mut self, some: Term, word: Term, number: Term) -> Term {
        let bit = self.symbols.bit(some, number);
        let zero = self.symbols.word(0);
        let none = self.symbols.equal(&word, &zero);
        let full = self.symbols.terms.not(none);
        let same = self.symbols.terms.iff(bit, full);
        let words = self.symbols.word(16);
        let inside = self.symbols.terms.ult(number, words);
        self.symbols.terms.implies(inside, same)
    }

    pub(super) fn fact(&mut self, about: &[Func], body: Term) {
        self.facts.push(Fact {
            about: about.to_vec(),
            body,
            each: None,
        });
    }

    pub(super) fn each(&mut self, about: &[Func], body: Term, variable: Term, axis: Axis) {
        self.facts.push(Fact {
            about: about.to_vec(),
            body,
            each: Some((variable, axis)),
        });
    }

    /// Whether a claim holds wherever the guard does.
    pub(super) fn holds(&mut self, guard: Term, claim: Term, indices: &[(Term, Axis)]) -> bool {
        let refuted = self.symbols.terms.not(claim);
        let case = self.symbols.terms.and(&[guard, refuted]);
        self.never(case, indices)
    }

    /// Whether a case cannot be.
    pub(super) fn never(&mut self, case: Term, indices: &[(Term, Axis)]) -> bool {
        match self.symbols.terms.node(case) {
            Node::Bool(value) => return !value && !self.symbols.terms.exhausted(),
            _ if self.symbols.terms.exhausted() => return false,
            _ => {}
        }
        let asserted = self.asserted(case, indices);
        let mut solver = Solver::new(&self.room, Profile::Proof, Limits { rlimit: RLIMIT });
        for &term in &asserted {
            solver.assert(&self.symbols.terms, term);
        }
        solver.check(&self.symbols.terms) == Answer::Unsat
    }

    /// The case with all that is known of what it speaks of.
    fn asserted(&mut self, case: Term, indices: &[(Term, Axis)]) -> Vec<Term> {
        let mut asserted = vec![case];
        let mut used: BTreeSet<(usize, Option<Term>)> = BTreeSet::new();
        let mut placed: BTreeSet<Term> = BTreeSet::new();
        for _ in 0..ROUNDS {
            let before = asserted.len();
            let mut functions: BTreeSet<Func> = BTreeSet::new();
            for &term in &asserted {
                functions.extend(self.symbols.terms.functions_in(term));
            }
            let mut at: BTreeSet<(Term, Axis)> = indices.iter().copied().collect();
            let mut positions = Vec::new();
            self.collect(&asserted, &mut at, &mut positions);
            for number in 0..self.facts.len() {
                let fact = &self.facts[number];
                if !fact.about.iter().any(|func| functions.contains(func)) {
                    continue;
                }
                let (body, each) = (fact.body, fact.each);
                match each {
                    None => {
                        if used.insert((number, None)) {
                            asserted.push(body);
                        }
                    }
                    Some((variable, axis)) => {
                        for &(index, of) in &at {
                            if of == axis && used.insert((number, Some(index))) {
                                let instance =
                                    self.symbols.terms.substitute(body, &[(variable, index)]);
                                asserted.push(instance);
                            }
                        }
                    }
                }
            }
            for word in positions {
                if placed.insert(word) {
                    asserted.extend(self.position(word, &at));
                }
            }
            if asserted.len() == before {
                break;
            }
        }
        asserted
    }

    /// Indices that occur, and words whose lowest bit is asked for.
    fn collect(&self, roots: &[Term], at: &mut BTreeSet<(Term, Axis)>, positions: &mut Vec<Term>) {
        let terms = &self.symbols.terms;
        let mut seen: BTreeSet<Term> = roots.iter().copied().collect();
        let mut open: Vec<Term> = roots.to_vec();
        while let Some(term) = open.pop() {
            if let Node::Apply(func, operands) = terms.node(term)
                && let Some(&last) = operands.last()
            {
                if func == self.symbols.position {
                    positions.push(last);
                }
                if let Some(&axis) = self.axes.get(&func)
                    && terms.free_variables(last).is_empty()
                {
                    at.insert((last, axis));
                }
            }
            for &operand in terms.operands(term) {
                if seen.insert(operand) {
                    open.push(operand);
                }
            }
        }
    }

    /// What the position of a word's lowest bit is.
    fn position(&mut self, word: Term, at: &BTreeSet<(Term, Axis)>) -> Vec<Term> {
        let symbols = &mut self.symbols;
        let place = symbols.lowest(word);
        let (zero, one) = (symbols.word(0), symbols.word(1));
        let none = symbols.equal(&word, &zero);
        let negative = symbols.terms.sub(zero, word);
        let single = symbols.terms.bit_and(word, negative);
        let shifted = symbols.terms.shl(one, place);
        let same = symbols.equal(&single, &shifted);
        let set = symbols.bit(word, place);
        let right = symbols.terms.and(&[same, set]);
        let start = symbols.equal(&place, &zero);
        let mut facts = vec![symbols.terms.ite(none, start, right)];
        for &(index, axis) in at {
            if matches!(axis, Axis::Subflow | Axis::Word) {
                let bit = symbols.bit(word, index);
                let not_before = symbols.terms.ule(place, index);
                facts.push(symbols.terms.implies(bit, not_before));
            }
        }
        facts
    }
}
