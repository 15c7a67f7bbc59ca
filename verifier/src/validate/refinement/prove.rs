//! Questions to the solver: a claim, what is known of what it speaks of, and nothing else.
//!
//! What is known for all records is kept as one formula with a variable, and used of those indices
//! that occur in the question. Which facts are used decides what can be shown, never what is true.

use std::collections::BTreeSet;

use progmp_abi::layout::{block, packet, queue, subflow};
use progmp_abi::{queue_at, word_of};
use progmp_ir::{QueueName, SubflowBool};

use super::memory::{Axis, Layout};
use super::reduce::{Reducer, Stand};
use super::words::{Known, Symbols};
use crate::ebpf::arith::Words;
use crate::smt::{Answer, Func, Limits, Node, Profile, Room, Solver, Sort, Term, Terms};

/// Effort for one question.
const RLIMIT: u64 = 20_000_000;

/// How often instances of facts may bring in further facts: not at all, which is mostly enough, and often.
const EFFORTS: [usize; 2] = [0, 4];

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

/// A case, and indices that matter in it.
type Case = (Term, Vec<(Term, Axis)>);

/// What is known, and the solver.
pub(super) struct Prover {
    pub(super) symbols: Symbols,
    pub(super) layout: Layout,
    pub(super) facts: Vec<Fact>,
    /// Functions whose only or last argument is an index.
    pub(super) axes: std::collections::BTreeMap<Func, Axis>,
    /// What the bits of what functions give count.
    pub(super) bit_axes: std::collections::BTreeMap<Func, Axis>,
    room: Room,
    stand: Stand,
    /// Cases that were asked about before.
    asked: std::collections::BTreeMap<Case, (bool, usize)>,
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
            bit_axes: std::collections::BTreeMap::new(),
            room: Room::new(),
            stand: Stand::default(),
            asked: std::collections::BTreeMap::new(),
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
        // What has less than 64 bits.
        for member in &self.layout.members {
            if member.bytes < 8 {
                let within = Known::Within((1 << (8 * member.bytes)) - 1);
                self.symbols.known.insert(member.start, within);
            }
        }
        // W6.
        for (at, bits) in [
            (block::SUBFLOW + subflow::RTT, 40),
            (block::SUBFLOW + subflow::RTT_MS, 40),
            (block::SUBFLOW + subflow::RTT_VAR, 40),
            (block::SUBFLOW + subflow::DELIVERY_RATE, 48),
            (block::SUBFLOW + subflow::PACING_RATE, 48),
            (block::SUBFLOW + subflow::SEND_RATE, 48),
            (block::TIME_MS, 48),
        ] {
            let func = self.start(at);
            let within = Known::Within((1 << bits) - 1);
            self.symbols.known.insert(func, within);
        }
        let flags: Vec<usize> = SubflowBool::ALL.iter().map(|&flag| word_of(flag)).collect();
        let flagged = flags.iter().map(|&at| (at, Known::Within(0xffff_ffff)));
        let somes = QueueName::ALL.iter();
        let somes = somes.map(|&name| (queue_at(name) + queue::SOME, Known::Within(0xffff)));
        for &at in flags.iter().chain(&[block::LIVE]) {
            let func = self.start(at);
            self.bit_axes.insert(func, Axis::Subflow);
        }
        for field in [packet::WINDOW, packet::SENT_ON] {
            let func = self.start(block::PACKET + field);
            self.bit_axes.insert(func, Axis::Subflow);
        }
        for name in QueueName::ALL {
            let func = self.start(queue_at(name) + queue::SOME);
            self.bit_axes.insert(func, Axis::Word);
            let func = self.start(queue_at(name) + queue::WORD);
            self.bit_axes.insert(func, Axis::Place);
        }
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
            let set = self.symbols.bit(word, y);
            let inside = self.symbols.terms.implies(set, bit);
            self.each(&[func], inside, y, Axis::Subflow);
        }
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
        let claim = self.symbols.given(guard, claim);
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
        // More facts may show it later; fewer there never are.
        let key = (case, indices.to_vec());
        match self.asked.get(&key) {
            Some((true, _)) => return true,
            Some(&(false, facts)) if facts == self.facts.len() => return false,
            _ => {}
        }
        // Mostly little needs to be known.
        let mut never = false;
        for rounds in EFFORTS {
            let reduced = self.reduced(case, indices, rounds);
            let mut solver = Solver::new(&self.room, Profile::Whole, Limits { rlimit: RLIMIT });
            solver.learn(&self.stand.widths);
            for &term in &reduced {
                solver.assert(&self.symbols.terms, term);
            }
            solver.assert_values(&self.symbols.terms);
            never = solver.check(&self.symbols.terms) == Answer::Unsat;
            if never {
                break;
            }
        }
        self.asked.insert(key, (never, self.facts.len()));
        never
    }

    /// The case with all that is known of what it speaks of, without bits.
    fn reduced(&mut self, case: Term, indices: &[(Term, Axis)], rounds: usize) -> Vec<Term> {
        let mut asserted = vec![case];
        let mut used: BTreeSet<(usize, Option<Term>)> = BTreeSet::new();
        let mut stand = std::mem::take(&mut self.stand);
        let mut reducer = Reducer::new(&mut self.symbols, &mut stand, &self.bit_axes);
        let mut reduced = Vec::new();
        let mut at: BTreeSet<(Term, Axis)> = indices.iter().copied().collect();
        for _ in 0..rounds {
            for &term in &asserted[reduced.len()..] {
                reduced.push(reducer.assertion(term));
            }
            reducer.finish();
            let mut functions: BTreeSet<Func> = BTreeSet::new();
            for &term in &asserted {
                functions.extend(reducer.symbols.terms.functions_in(term));
            }
            collect(&reducer.symbols.terms, &self.axes, &asserted, &mut at);
            at.extend(reducer.indices.iter().copied());
            for (number, fact) in self.facts.iter().enumerate() {
                if !fact.about.iter().any(|func| functions.contains(func)) {
                    continue;
                }
                match fact.each {
                    None => {
                        if used.insert((number, None)) {
                            asserted.push(fact.body);
                        }
                    }
                    Some((variable, axis)) => {
                        for &(index, of) in &at {
                            if of == axis && used.insert((number, Some(index))) {
                                let terms = &mut reducer.symbols.terms;
                                let replaced = [(variable, index)];
                                asserted.push(terms.substitute(fact.body, &replaced));
                            }
                        }
                    }
                }
            }
            if asserted.len() == reduced.len() {
                break;
            }
        }
        for &term in &asserted[reduced.len()..] {
            reduced.push(reducer.assertion(term));
        }
        if rounds > 0 {
            reducer.finish();
        }
        reduced.append(&mut reducer.said);
        self.stand = stand;
        reduced
    }
}

/// Indices that occur.
fn collect(
    terms: &Terms,
    axes: &std::collections::BTreeMap<Func, Axis>,
    roots: &[Term],
    at: &mut BTreeSet<(Term, Axis)>,
) {
    let mut seen: BTreeSet<Term> = roots.iter().copied().collect();
    let mut open: Vec<Term> = roots.to_vec();
    while let Some(term) = open.pop() {
        if let Node::Apply(func, operands) = terms.node(term)
            && let Some(&last) = operands.last()
            && let Some(&axis) = axes.get(&func)
            && terms.free_variables(last).is_empty()
        {
            at.insert((last, axis));
        }
        for &operand in terms.operands(term) {
            if seen.insert(operand) {
                open.push(operand);
            }
        }
    }
}
