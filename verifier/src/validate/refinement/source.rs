//! The source, over the solver's words: what the one evaluator makes of a program.
//!
//! References are indices of records. A subflow list is a word with a bit for each record, a queue
//! the set that the block shows. What a predicate says of flags is a word at once; what else it
//! says is a word of its own, of which each bit is what the predicate says of that record. MIN and
//! MAX are functions of how many records were looked at ([`super::fold`]).

use std::collections::BTreeMap;
use std::rc::Rc;

use progmp_abi::layout::{block, packet, queue};
use progmp_abi::{place_of, queue_at, word_of};
use progmp_ir::{
    ArithOp, Bound, Domain, Extremum, KeyFn, Kind, Loop, Machine, Nullable, PacketInt, PredicateFn,
    QueueName, SchedReg, SiteId, State, SubflowBool, SubflowInt,
};

use super::fold::{self, Folds};
use super::memory::{Axis, Cells};
use super::prove::Prover;
use crate::ebpf::arith::Words;
use crate::smt::{Node, Sort, Term};

/// All subflow records.
const RECORDS: u64 = 0xffff_ffff;

/// A list.
#[derive(Clone)]
pub(super) enum List {
    /// A bit for each subflow record.
    Subflows(Term),
    /// A set of packet records: which words are not 0, and the words.
    Packets(Term, Rc<Cells>),
}

/// The domain.
pub(super) struct Source {
    pub(super) prover: Prover,
    pub(super) folds: Folds,
    /// What could not be expressed.
    pub(super) beyond: Option<&'static str>,
    /// The variable of predicates and keys.
    each: Term,
    depth: usize,
    /// Questions about one bit: which word they are about, at the variable.
    bits: BTreeMap<Term, Term>,
    /// Words of predicates.
    words: BTreeMap<Term, Term>,
    /// Every list of subflows.
    pub(super) lists: Vec<Term>,
}

impl Source {
    pub(super) fn new(mut prover: Prover) -> Self {
        let each = prover.symbols.terms.variable("each", Sort::Word);
        Self {
            prover,
            folds: Folds::default(),
            beyond: None,
            each,
            depth: 0,
            bits: BTreeMap::new(),
            words: BTreeMap::new(),
            lists: Vec::new(),
        }
    }

    /// The state in which an execution starts.
    pub(super) fn initial(&mut self) -> State<Self> {
        let registers = std::array::from_fn(|r| self.prover.scalar(block::REG + 8 * r));
        let users = self.prover.layout.at(block::USER);
        let users = Rc::new(Cells::Start(self.prover.layout.members[users].start));
        let queues = QueueName::ALL.map(|name| {
            let some = self.prover.scalar(queue_at(name) + queue::SOME);
            let words = self.prover.layout.at(queue_at(name) + queue::WORD);
            let words = self.prover.layout.members[words].start;
            List::Packets(some, Rc::new(Cells::Start(words)))
        });
        let returned = self.prover.symbols.terms.bool(false);
        State {
            registers,
            users,
            queues,
            returned,
        }
    }

    pub(super) fn give_up(&mut self, why: &'static str) {
        self.beyond.get_or_insert(why);
    }

    fn field(&mut self, at: usize, index: Term) -> Term {
        let member = &self.prover.layout.members[self.prover.layout.at(at)];
        let (func, bytes) = (member.start, member.bytes);
        let cell = self.prover.symbols.started(func, index);
        crate::ebpf::arith::truncate(
            &mut self.prover.symbols,
            8 * u32::try_from(bytes).expect("a cell has at most 8 bytes"),
            &cell,
        )
    }

    fn subflow_word(&mut self, list: &List) -> Term {
        match *list {
            List::Subflows(word) => word,
            List::Packets(..) => {
                self.give_up("a list of packets is gone over");
                self.prover.symbols.word(0)
            }
        }
    }

    /// A question about one bit of a word.
    fn ask(&mut self, word: Term, index: Term) -> Term {
        let bit = self.prover.symbols.bit(word, index);
        if index == self.each {
            self.bits.insert(bit, word);
        }
        bit
    }

    /// The word whose bits are what a condition says of each record.
    fn word_of(&mut self, condition: Term) -> Term {
        let all = self.prover.symbols.word(RECORDS);
        let terms = &self.prover.symbols.terms;
        if terms
            .free_variables(condition)
            .binary_search(&self.each)
            .is_err()
        {
            let none = self.prover.symbols.word(0);
            return self.prover.symbols.terms.ite(condition, all, none);
        }
        if let Some(&word) = self.bits.get(&condition) {
            return self.prover.symbols.terms.bit_and(all, word);
        }
        match terms.node(condition) {
            Node::Not(inner) => {
                let word = self.word_of(inner);
                self.prover.symbols.terms.bit_xor(all, word)
            }
            Node::And(operands) => {
                let operands = operands.to_vec();
                operands.into_iter().fold(all, |word, operand| {
                    let other = self.word_of(operand);
                    self.prover.symbols.terms.bit_and(word, other)
                })
            }
            Node::Or(operands) => {
                let operands = operands.to_vec();
                let none = self.prover.symbols.word(0);
                operands.into_iter().fold(none, |word, operand| {
                    let other = self.word_of(operand);
                    self.prover.symbols.terms.bit_or(word, other)
                })
            }
            _ => self.own_word(condition),
        }
    }

    fn own_word(&mut self, condition: Term) -> Term {
        if let Some(&word) = self.words.get(&condition) {
            return word;
        }
        let symbols = &mut self.prover.symbols;
        let func = symbols.terms.declare("those", &[], Sort::Word);
        let all = symbols.word(RECORDS);
        let word = symbols.terms.apply(func, &[]);
        let word = symbols.terms.bit_and(all, word);
        let bit = symbols.bit(word, self.each);
        let same = symbols.terms.iff(bit, condition);
        let records = symbols.word(32);
        let inside = symbols.terms.ult(self.each, records);
        let claim = symbols.terms.implies(inside, same);
        self.prover.each(&[func], claim, self.each, Axis::Subflow);
        self.prover.bit_axes.insert(func, Axis::Subflow);
        self.words.insert(condition, word);
        self.folds.words.push(word);
        word
    }

    fn list(&mut self, word: Term) -> List {
        if !self.lists.contains(&word) {
            self.lists.push(word);
        }
        List::Subflows(word)
    }

    /// Runs what is asked of each record; one such question is not asked within another.
    fn enter<T>(&mut self, nothing: T, ask: impl FnOnce(&mut Self, Term) -> T) -> T {
        if self.depth > 0 {
            self.give_up("a predicate or key goes over a list");
            return nothing;
        }
        self.depth += 1;
        let each = self.each;
        let result = ask(self, each);
        self.depth -= 1;
        result
    }

    /// Number and bit of the word of a set that has a packet.
    fn word_and_bit(&mut self, index: Term) -> (Term, Term) {
        let symbols = &mut self.prover.symbols;
        let (six, low, one) = (symbols.word(6), symbols.word(63), symbols.word(1));
        let number = symbols.terms.lshr(index, six);
        let place = symbols.terms.bit_and(low, index);
        let bit = symbols.terms.shl(one, place);
        (number, bit)
    }

    fn mix(&mut self, x: Term, shift: u64, factor: u64) -> Term {
        let symbols = &mut self.prover.symbols;
        let (shift, factor) = (symbols.word(shift), symbols.word(factor));
        let high = symbols.terms.lshr(x, shift);
        let mixed = symbols.terms.bit_xor(x, high);
        symbols.multiply(&mixed, &factor)
    }

    /// One step of splitmix64.
    fn splitmix64(&mut self, x: Term) -> Term {
        let step = self.prover.symbols.word(0x9e37_79b9_7f4a_7c15);
        let x = self.prover.symbols.terms.add(x, step);
        let x = self.mix(x, 30, 0xbf58_476d_1ce4_e5b9);
        let x = self.mix(x, 27, 0x94d0_49bb_1331_11eb);
        let symbols = &mut self.prover.symbols;
        let shift = symbols.word(31);
        let high = symbols.terms.lshr(x, shift);
        symbols.terms.bit_xor(x, high)
    }
}

impl Domain for Source {
    type Bool = Term;
    type Int = Term;
    type Elem = Term;
    type List = List;
    type Users = Rc<Cells>;

    fn bool(&mut self, value: bool) -> Term {
        self.prover.symbols.terms.bool(value)
    }
    fn known(&self, condition: &Term) -> Option<bool> {
        match self.prover.symbols.terms.node(*condition) {
            Node::Bool(value) => Some(value),
            _ => None,
        }
    }
    fn not(&mut self, a: &Term) -> Term {
        self.prover.symbols.terms.not(*a)
    }
    fn and(&mut self, a: &Term, b: &Term) -> Term {
        self.prover.symbols.terms.and(&[*a, *b])
    }
    fn or(&mut self, a: &Term, b: &Term) -> Term {
        self.prover.symbols.terms.or(&[*a, *b])
    }
    fn iff(&mut self, a: &Term, b: &Term) -> Term {
        self.prover.symbols.terms.iff(*a, *b)
    }

    fn int(&mut self, value: u64) -> Term {
        self.prover.symbols.word(value)
    }
    fn arith(&mut self, op: ArithOp, a: &Term, b: &Term) -> Term {
        let symbols = &mut self.prover.symbols;
        match op {
            ArithOp::Add => symbols.add(a, b),
            ArithOp::Sub => symbols.subtract(a, b),
            ArithOp::Mul => symbols.multiply(a, b),
            ArithOp::Div => symbols.divide(a, b),
            ArithOp::Rem => symbols.remainder(a, b),
        }
    }
    fn wraps(&mut self, _: ArithOp, _: &Term, _: &Term) -> Term {
        // Nobody asks.
        self.prover.symbols.terms.bool(false)
    }
    fn less(&mut self, a: &Term, b: &Term) -> Term {
        self.prover.symbols.terms.ult(*a, *b)
    }
    fn equal(&mut self, a: &Term, b: &Term) -> Term {
        self.prover.symbols.equal(a, b)
    }
    fn select(&mut self, condition: &Term, a: &Term, b: &Term) -> Term {
        self.prover.symbols.terms.ite(*condition, *a, *b)
    }

    fn time(&mut self) -> Term {
        self.prover.scalar(block::TIME_MS)
    }
    fn random(&mut self, site: SiteId, scope: &[Bound<Self>]) -> Term {
        let seed = self.prover.scalar(block::SEED);
        let hash = self.splitmix64(seed);
        let number = self.prover.symbols.word(site.index() as u64);
        let hash = self.prover.symbols.terms.bit_xor(hash, number);
        let mut hash = self.splitmix64(hash);
        for bound in scope {
            let name = match bound.kind {
                Kind::Subflow => self.subflow_int(SubflowInt::Id, &bound.elem),
                Kind::Packet => self.packet_int(PacketInt::Seq, &bound.elem),
            };
            let mixed = self.prover.symbols.terms.bit_xor(hash, name);
            hash = self.splitmix64(mixed);
        }
        let upper = self.prover.symbols.word(32);
        self.prover.symbols.terms.lshr(hash, upper)
    }

    fn placeholder(&mut self, _: Kind) -> Term {
        self.prover.symbols.word(0)
    }
    fn subflow_int(&mut self, property: SubflowInt, subflow: &Term) -> Term {
        let (offset, _) = place_of(property).expect("USER is no property of the record");
        self.field(block::SUBFLOW + offset, *subflow)
    }
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &Term) -> Term {
        let word = self.prover.scalar(word_of(property));
        self.ask(word, *subflow)
    }
    fn has_window_for(&mut self, subflow: &Term, packet: &Term) -> Term {
        let word = self.field(block::PACKET + packet::WINDOW, *packet);
        self.ask(word, *subflow)
    }
    fn packet_int(&mut self, property: PacketInt, packet: &Term) -> Term {
        let offset = match property {
            PacketInt::Length => packet::LENGTH,
            PacketInt::Seq => packet::SEQ,
            PacketInt::User => packet::USER,
        };
        self.field(block::PACKET + offset, *packet)
    }
    fn psh(&mut self, packet: &Term) -> Term {
        let word = self.field(block::PACKET + packet::FLAGS, *packet);
        let zero = self.prover.symbols.word(0);
        self.ask(word, zero)
    }
    fn sent_on(&mut self, packet: &Term, subflow: &Term) -> Term {
        let word = self.field(block::PACKET + packet::SENT_ON, *packet);
        self.ask(word, *subflow)
    }
    fn sent_on_all(&mut self, packet: &Term) -> Term {
        let word = self.field(block::PACKET + packet::SENT_ON, *packet);
        let live = self.prover.scalar(block::LIVE);
        let symbols = &mut self.prover.symbols;
        let all = symbols.word(u64::MAX);
        let other = symbols.terms.bit_xor(all, word);
        let missing = symbols.terms.bit_and(live, other);
        let zero = symbols.word(0);
        symbols.equal(&missing, &zero)
    }
    fn user(&mut self, users: &Rc<Cells>, subflow: &Term) -> Term {
        users.read(&mut self.prover.symbols, *subflow)
    }
    fn set_user(
        &mut self,
        users: &Rc<Cells>,
        subflow: &Term,
        guard: &Term,
        value: &Term,
    ) -> Rc<Cells> {
        let stored = Cells::Store(Rc::clone(users), *subflow, *value);
        Rc::new(Cells::Either(*guard, Rc::new(stored), Rc::clone(users)))
    }

    fn subflows(&mut self) -> List {
        let live = self.prover.scalar(block::LIVE);
        self.list(live)
    }
    fn empty(&mut self, list: &List) -> Term {
        let word = match *list {
            List::Subflows(word) | List::Packets(word, _) => word,
        };
        let zero = self.prover.symbols.word(0);
        self.prover.symbols.equal(&word, &zero)
    }
    fn count(&mut self, list: &List) -> Term {
        let word = self.subflow_word(list);
        fold::count(&mut self.prover.symbols, word)
    }
    fn end(&mut self, list: &List, last: bool) -> Nullable<Self, Term> {
        let null = self.empty(list);
        let value = match list {
            List::Subflows(word) if last => {
                let word = fold::highest(&mut self.prover.symbols, *word, 32);
                self.prover.symbols.lowest(word)
            }
            List::Subflows(word) => self.prover.symbols.lowest(*word),
            List::Packets(some, words) => {
                // The words that are not 0 are those of the summary: W9, kept by each POP.
                let symbols = &mut self.prover.symbols;
                let of = |symbols: &mut _, word, bits| {
                    if last {
                        fold::highest(symbols, word, bits)
                    } else {
                        word
                    }
                };
                let some = of(symbols, *some, 16);
                let number = symbols.lowest(some);
                let number = {
                    let mask = symbols.word(15);
                    symbols.terms.bit_and(mask, number)
                };
                let word = words.read(symbols, number);
                let word = of(symbols, word, 64);
                let place = symbols.lowest(word);
                let six = symbols.word(6);
                let first = symbols.terms.shl(number, six);
                symbols.terms.bit_or(first, place)
            }
        };
        Nullable { null, value }
    }
    fn get(&mut self, list: &List, index: &Term) -> Nullable<Self, Term> {
        if self.prover.symbols.literal(*index) == Some(0) {
            return self.end(list, false);
        }
        self.give_up("GET");
        let null = self.prover.symbols.terms.bool(true);
        let value = self.prover.symbols.word(0);
        Nullable { null, value }
    }
    fn filter(&mut self, list: &List, predicate: &mut PredicateFn<'_, Self>) -> List {
        let List::Subflows(word) = *list else {
            self.give_up("FILTER of packets");
            return list.clone();
        };
        let none = self.prover.symbols.terms.bool(false);
        let condition = self.enter(none, |d, each| {
            let member = d.prover.symbols.terms.bool(true);
            predicate(d, &each, &member)
        });
        let those = self.word_of(condition);
        // A condition that is the same for all may be asked in each round.
        let mut open = vec![those];
        let mut has_choice = false;
        while let Some(term) = open.pop() {
            match self.prover.symbols.terms.node(term) {
                Node::Ite(..) => has_choice = true,
                Node::BitAnd(a, b) | Node::BitOr(a, b) => open.extend([a, b]),
                _ => {}
            }
        }
        if has_choice && !self.folds.words.contains(&those) {
            self.folds.words.push(those);
        }
        let word = self.prover.symbols.terms.bit_and(word, those);
        self.list(word)
    }
    fn extremum(
        &mut self,
        which: Extremum,
        list: &List,
        key: &mut KeyFn<'_, Self>,
    ) -> Nullable<Self, Term> {
        let word = self.subflow_word(list);
        let nothing = (
            self.prover.symbols.terms.bool(true),
            self.prover.symbols.word(0),
        );
        let (null, key) = self.enter(nothing, |d, each| {
            let member = d.prover.symbols.terms.bool(true);
            let Nullable { null, value } = key(d, &each, &member);
            (null, value)
        });
        let each = self.each;
        let (has, index) = self
            .folds
            .extremum(&mut self.prover, which, word, (each, null, key));
        let null = self.prover.symbols.terms.not(has);
        Nullable { null, value: index }
    }
    fn sum(&mut self, _: &List, _: &mut KeyFn<'_, Self>) -> (Term, Term) {
        self.give_up("SUM");
        let never = self.prover.symbols.terms.bool(false);
        (self.prover.symbols.word(0), never)
    }
    fn still_in(&mut self, list: &List, queue: &List) -> List {
        match (list, queue) {
            (List::Packets(a, x), List::Packets(b, y)) if a == b && Rc::ptr_eq(x, y) => {}
            _ => self.give_up("POP from a list that was kept"),
        }
        list.clone()
    }
    fn remove(&mut self, queue: &List, elem: &Term, guard: &Term) -> List {
        let (number, bit) = self.word_and_bit(*elem);
        let List::Packets(some, words) = queue else {
            unreachable!("only packets are popped");
        };
        let symbols = &mut self.prover.symbols;
        let word = words.read(symbols, number);
        let all = symbols.word(u64::MAX);
        let other = symbols.terms.bit_xor(all, bit);
        let left = symbols.terms.bit_and(word, other);
        let (zero, one) = (symbols.word(0), symbols.word(1));
        let gone = symbols.equal(&left, &zero);
        let in_some = symbols.terms.shl(one, number);
        let others = symbols.terms.bit_xor(all, in_some);
        let fewer = symbols.terms.bit_and(*some, others);
        let gone = symbols.terms.and(&[*guard, gone]);
        let some = symbols.terms.ite(gone, fewer, *some);
        let stored = Cells::Store(Rc::clone(words), number, left);
        let words = Cells::Either(*guard, Rc::new(stored), Rc::clone(words));
        List::Packets(some, Rc::new(words))
    }
    fn insert(&mut self, queue: &List, elem: &Term, guard: &Term) -> List {
        let (number, bit) = self.word_and_bit(*elem);
        let List::Packets(some, words) = queue else {
            unreachable!("only packets enter queues");
        };
        let symbols = &mut self.prover.symbols;
        let word = words.read(symbols, number);
        let more = symbols.terms.bit_or(word, bit);
        let one = symbols.word(1);
        let in_some = symbols.terms.shl(one, number);
        let summary = symbols.terms.bit_or(*some, in_some);
        let some = symbols.terms.ite(*guard, summary, *some);
        let stored = Cells::Store(Rc::clone(words), number, more);
        let words = Cells::Either(*guard, Rc::new(stored), Rc::clone(words));
        List::Packets(some, Rc::new(words))
    }

    fn foreach(&mut self, _: &mut Machine<'_, Self>, _: &Loop<'_>, _: &List, _: &Term) {
        self.give_up("FOREACH");
    }
}

/// The registers, by number.
pub(super) const REGISTERS: usize = SchedReg::COUNT;
