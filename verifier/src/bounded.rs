//! The bounded domain: at most `n` subflows and `m` packets, exact.
//!
//! A reference is a one-hot vector of conditions, a list a vector of membership
//! conditions in list order, so that every list operation is word and bit
//! arithmetic and a model is a state. Encoding: specs/proofs.md, "Bounded".

use std::collections::BTreeMap;
use std::rc::Rc;

use progmp_ir::{
    ArithOp, Bound, Domain, Event, Extremum, KeyFn, Kind, Loop, Machine, Nullable, PacketInt,
    PredicateFn, Program, QueueName, SchedState, SiteId, State, SubflowBool, SubflowInt,
};

use crate::judge::{Judge, Run, count_copies};
use crate::smt::{Node, Sort, Term, Terms};
use crate::symbolic::{Widths, exact, term_logic};

/// Conditions, one per subflow or packet.
type Bits = Rc<[Term]>;

/// Where a RANDOM stands: run, site and the positions of the enclosing elements.
pub(crate) type RandomKey = (usize, SiteId, Vec<(Kind, usize)>);

/// The domain, with the constants that a model gives values to.
pub(crate) struct Bounded {
    /// The arena.
    pub(crate) terms: Terms,
    /// Facts about the environment, to be asserted with every query.
    pub(crate) facts: Vec<Term>,
    pub(crate) subflow_count: usize,
    pub(crate) packet_count: usize,
    pub(crate) present: Bits,
    pub(crate) queues: [Bits; 3],
    pub(crate) registers: [Term; 6],
    pub(crate) time: Term,
    pub(crate) subflow_ints: BTreeMap<SubflowInt, Bits>,
    pub(crate) subflow_bools: BTreeMap<SubflowBool, Bits>,
    pub(crate) packet_ints: BTreeMap<PacketInt, Bits>,
    pub(crate) psh: Option<Bits>,
    /// `SENT_ON`, row by packet.
    pub(crate) sent: Bits,
    /// `HAS_WINDOW_FOR`, row by packet.
    pub(crate) window: Bits,
    pub(crate) randoms: BTreeMap<RandomKey, Term>,
    pub(crate) run: usize,
    widths: Widths,
}

impl Bounded {
    /// A domain of this size with all facts of specs/environment.md.
    pub(crate) fn new(subflow_count: usize, packet_count: usize) -> Self {
        let mut terms = Terms::new();
        let mut bits = |name: &str, count: usize| -> Bits {
            (0..count)
                .map(|i| terms.constant(&format!("{name}_{i}"), Sort::Bool))
                .collect()
        };
        let present = bits("present", subflow_count);
        let queues = QueueName::ALL.map(|name| bits(name.name(), packet_count));
        let sent = bits("sent", packet_count * subflow_count);
        let window = bits("window", packet_count * subflow_count);
        let registers = [1, 2, 3, 4, 5, 6].map(|i| terms.constant(&format!("R{i}"), Sort::Word));
        let time = terms.constant("time", Sort::Word);
        let mut domain = Self {
            terms,
            facts: Vec::new(),
            subflow_count,
            packet_count,
            present,
            queues,
            registers,
            time,
            subflow_ints: BTreeMap::new(),
            subflow_bools: BTreeMap::new(),
            packet_ints: BTreeMap::new(),
            psh: None,
            sent,
            window,
            randoms: BTreeMap::new(),
            run: 0,
            widths: Widths::default(),
        };
        domain.environment();
        domain
    }

    fn environment(&mut self) {
        let t = &mut self.terms;
        for pair in self.present.windows(2) {
            let fact = t.implies(pair[1], pair[0]);
            self.facts.push(fact);
        }
        let [q, qu, rq] = &self.queues;
        for i in 0..self.packet_count {
            for other in [qu[i], rq[i]] {
                let both = t.and(&[q[i], other]);
                let fact = t.not(both);
                self.facts.push(fact);
            }
            for j in 0..self.subflow_count {
                let held = t.or(&[q[i], qu[i]]);
                let fact = t.implies(self.sent[i * self.subflow_count + j], held);
                self.facts.push(fact);
            }
        }
        self.limit(self.time, 48);
    }

    fn limit(&mut self, word: Term, bits: u32) {
        if bits < 64 {
            let bound = self.terms.word(1 << bits);
            let fact = self.terms.ult(word, bound);
            self.facts.push(fact);
            if let Node::Apply(func, _) = self.terms.node(word) {
                self.widths.insert(func, bits);
            }
        }
    }

    fn words(&mut self, name: &str, count: usize, bits: u32) -> Bits {
        let words: Bits = (0..count)
            .map(|i| self.terms.constant(&format!("{name}_{i}"), Sort::Word))
            .collect();
        for &word in words.iter() {
            self.limit(word, bits);
        }
        words
    }

    fn subflow_words(&mut self, property: SubflowInt) -> Bits {
        if let Some(words) = self.subflow_ints.get(&property) {
            return Rc::clone(words);
        }
        let words = if property == SubflowInt::RttMs {
            let rtt = self.subflow_words(SubflowInt::Rtt);
            let thousand = self.terms.word(1000);
            rtt.iter()
                .map(|&rtt| self.terms.udiv(rtt, thousand))
                .collect()
        } else {
            self.words(property.name(), self.subflow_count, property.range_bits())
        };
        if property == SubflowInt::Id {
            let zero = self.terms.word(0);
            for (i, &id) in words.iter().enumerate() {
                for &other in [zero].iter().chain(&words[..i]) {
                    let equal = self.terms.eq(id, other);
                    let fact = self.terms.not(equal);
                    self.facts.push(fact);
                }
            }
        }
        self.subflow_ints.insert(property, Rc::clone(&words));
        words
    }

    fn packet_words(&mut self, property: PacketInt) -> Bits {
        if let Some(words) = self.packet_ints.get(&property) {
            return Rc::clone(words);
        }
        let name = format!("packet_{}", property.name());
        let words = self.words(&name, self.packet_count, property.range_bits());
        if property == PacketInt::Seq {
            for pair in words.windows(2) {
                let fact = self.terms.ult(pair[0], pair[1]);
                self.facts.push(fact);
            }
        }
        self.packet_ints.insert(property, Rc::clone(&words));
        words
    }

    /// The start of the first execution.
    pub(crate) fn initial(&mut self) -> State<Self> {
        let users = self.subflow_words(SubflowInt::User);
        State {
            registers: self.registers,
            users,
            queues: self.queues.clone(),
            returned: self.terms.bool(false),
        }
    }

    /// Registers or USER values are not those of the state.
    pub(crate) fn differs_from(&mut self, state: &SchedState) -> Term {
        let users = self.subflow_words(SubflowInt::User);
        let held = state
            .subflows
            .iter()
            .zip(users.iter())
            .map(|(s, &term)| (term, s.user));
        let registers = self.registers.into_iter().zip(state.registers);
        let pairs: Vec<(Term, u64)> = registers.chain(held).collect();
        let mut cases = Vec::new();
        for (term, value) in pairs {
            let value = self.terms.word(value);
            let same = self.terms.eq(term, value);
            cases.push(self.terms.not(same));
        }
        self.terms.or(&cases)
    }

    /// Everything but registers, USER values and RANDOM is as in the state, whose packets all are
    /// in some queue.
    pub(crate) fn frozen(&mut self, state: &SchedState) -> Vec<Term> {
        let mut bits: Vec<(Term, bool)> = Vec::new();
        let mut words: Vec<(Term, u64)> = vec![(self.time, state.time_ms)];
        for (j, &present) in self.present.iter().enumerate() {
            bits.push((present, j < state.subflows.len()));
        }
        for (queue, name) in self.queues.iter().zip(QueueName::ALL) {
            for (i, &member) in queue.iter().enumerate() {
                bits.push((member, state.queue(name).contains(&i)));
            }
        }
        for (j, subflow) in state.subflows.iter().enumerate() {
            for (&property, flags) in &self.subflow_bools {
                bits.push((flags[j], subflow.flag(property)));
            }
            for (&property, terms) in &self.subflow_ints {
                if property != SubflowInt::User && property != SubflowInt::RttMs {
                    words.push((terms[j], subflow.int(property)));
                }
            }
            for (i, packet) in state.packets.iter().enumerate() {
                let pair = i * self.subflow_count + j;
                bits.push((self.sent[pair], packet.sent_on.contains(&subflow.id)));
                bits.push((
                    self.window[pair],
                    !packet.no_window_on.contains(&subflow.id),
                ));
            }
        }
        for (i, packet) in state.packets.iter().enumerate() {
            for (&property, terms) in &self.packet_ints {
                words.push((terms[i], packet.int(property)));
            }
            if let Some(flags) = &self.psh {
                bits.push((flags[i], packet.psh));
            }
        }
        let mut facts = Vec::new();
        for (term, holds) in bits {
            facts.push(if holds { term } else { self.terms.not(term) });
        }
        for (term, value) in words {
            let value = self.terms.word(value);
            facts.push(self.terms.eq(term, value));
        }
        facts
    }

    /// Runs the program once; each call draws RANDOM anew.
    pub(crate) fn execute(&mut self, program: &Program, before: State<Self>) -> Run<Self> {
        let mut machine = Machine::new(program, before.clone());
        machine.execute(self);
        self.run += 1;
        Run {
            before,
            after: machine.state,
            log: machine.log,
        }
    }

    fn pick(&mut self, choices: &[Term], elem: &[Term]) -> Term {
        let Some((&last, rest)) = choices.split_last() else {
            return self.terms.word(0);
        };
        rest.iter()
            .zip(elem)
            .rev()
            .fold(last, |other, (&choice, &bit)| {
                self.terms.ite(bit, choice, other)
            })
    }

    fn any(&mut self, bits: impl IntoIterator<Item = Term>) -> Term {
        let bits: Vec<Term> = bits.into_iter().collect();
        self.terms.or(&bits)
    }

    fn meet(&mut self, a: &[Term], b: &[Term]) -> Bits {
        a.iter()
            .zip(b)
            .map(|(&x, &y)| self.terms.and(&[x, y]))
            .collect()
    }

    fn pair(&mut self, table: &Bits, packet: &Bits, subflow: &Bits) -> Term {
        let mut cases = Vec::new();
        for (i, &p) in packet.iter().enumerate() {
            for (j, &s) in subflow.iter().enumerate() {
                cases.push(self.terms.and(&[p, s, table[i * self.subflow_count + j]]));
            }
        }
        self.terms.or(&cases)
    }

    fn one_hot(&mut self, count: usize, position: usize) -> Bits {
        (0..count).map(|i| self.terms.bool(i == position)).collect()
    }

    fn position(&self, elem: &Bits) -> usize {
        elem.iter()
            .position(|&bit| self.terms.node(bit) == Node::Bool(true))
            .expect("the elements of scopes are known in the bounded domain")
    }

    /// Elements of a list with their membership conditions.
    fn elements(&mut self, list: &Bits) -> Vec<(Bits, Term)> {
        let count = list.len();
        list.iter()
            .enumerate()
            .map(|(i, &member)| (self.one_hot(count, i), member))
            .collect()
    }

    fn found(&mut self, chosen: Vec<Term>) -> Nullable<Self, Bits> {
        let some = self.terms.or(&chosen);
        Nullable {
            null: self.terms.not(some),
            value: chosen.into(),
        }
    }

    fn keyed(&mut self, list: &Bits, key: &mut KeyFn<'_, Self>) -> (Vec<Term>, Vec<Term>) {
        let mut counts = Vec::with_capacity(list.len());
        let mut keys = Vec::with_capacity(list.len());
        for (elem, member) in self.elements(list) {
            if self.known(&member) == Some(false) {
                counts.push(member);
                keys.push(self.terms.word(0));
                continue;
            }
            let Nullable { null, value } = key(self, &elem, &member);
            let given = self.terms.not(null);
            counts.push(self.terms.and(&[member, given]));
            keys.push(value);
        }
        (counts, keys)
    }
}

impl Domain for Bounded {
    type Bool = Term;
    type Int = Term;
    type Elem = Bits;
    type List = Bits;
    type Users = Bits;

    term_logic!();

    fn arith(&mut self, op: ArithOp, a: &Term, b: &Term) -> Term {
        exact(&mut self.terms, op, *a, *b)
    }
    fn time(&mut self) -> Term {
        self.time
    }
    fn random(&mut self, site: SiteId, scope: &[Bound<Self>]) -> Term {
        let places = scope
            .iter()
            .map(|b| (b.kind, self.position(&b.elem)))
            .collect();
        let key = (self.run, site, places);
        if let Some(&term) = self.randoms.get(&key) {
            return term;
        }
        let term = self.terms.constant("random", Sort::Word);
        self.limit(term, 32);
        self.randoms.insert(key, term);
        term
    }

    fn placeholder(&mut self, kind: Kind) -> Bits {
        let count = match kind {
            Kind::Subflow => self.subflow_count,
            Kind::Packet => self.packet_count,
        };
        (0..count).map(|_| self.terms.bool(false)).collect()
    }
    fn subflow_int(&mut self, property: SubflowInt, subflow: &Bits) -> Term {
        let words = self.subflow_words(property);
        self.pick(&words, subflow)
    }
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &Bits) -> Term {
        let flags = if let Some(flags) = self.subflow_bools.get(&property) {
            Rc::clone(flags)
        } else {
            let name = property.name();
            let flags: Bits = (0..self.subflow_count)
                .map(|i| self.terms.constant(&format!("{name}_{i}"), Sort::Bool))
                .collect();
            self.subflow_bools.insert(property, Rc::clone(&flags));
            flags
        };
        let chosen = self.meet(&flags, subflow);
        self.terms.or(&chosen)
    }
    fn has_window_for(&mut self, subflow: &Bits, packet: &Bits) -> Term {
        let table = Rc::clone(&self.window);
        self.pair(&table, packet, subflow)
    }
    fn packet_int(&mut self, property: PacketInt, packet: &Bits) -> Term {
        let words = self.packet_words(property);
        self.pick(&words, packet)
    }
    fn psh(&mut self, packet: &Bits) -> Term {
        let flags = if let Some(flags) = &self.psh {
            Rc::clone(flags)
        } else {
            let flags: Bits = (0..self.packet_count)
                .map(|i| self.terms.constant(&format!("psh_{i}"), Sort::Bool))
                .collect();
            self.psh = Some(Rc::clone(&flags));
            flags
        };
        let chosen = self.meet(&flags, packet);
        self.terms.or(&chosen)
    }
    fn sent_on(&mut self, packet: &Bits, subflow: &Bits) -> Term {
        let table = Rc::clone(&self.sent);
        self.pair(&table, packet, subflow)
    }
    fn sent_on_all(&mut self, packet: &Bits) -> Term {
        let mut all = Vec::new();
        for j in 0..self.subflow_count {
            let subflow = self.one_hot(self.subflow_count, j);
            let sent = self.sent_on(packet, &subflow);
            all.push(self.terms.implies(self.present[j], sent));
        }
        self.terms.and(&all)
    }
    fn user(&mut self, users: &Bits, subflow: &Bits) -> Term {
        self.pick(users, subflow)
    }
    fn set_user(&mut self, users: &Bits, subflow: &Bits, guard: &Term, value: &Term) -> Bits {
        users
            .iter()
            .zip(subflow.iter())
            .map(|(&old, &bit)| {
                let written = self.terms.and(&[*guard, bit]);
                self.terms.ite(written, *value, old)
            })
            .collect()
    }

    fn subflows(&mut self) -> Bits {
        Rc::clone(&self.present)
    }
    fn empty(&mut self, list: &Bits) -> Term {
        let some = self.terms.or(list);
        self.terms.not(some)
    }
    fn count(&mut self, list: &Bits) -> Term {
        let (zero, one) = (self.terms.word(0), self.terms.word(1));
        list.iter().fold(zero, |count, &member| {
            let more = self.terms.ite(member, one, zero);
            self.terms.add(count, more)
        })
    }
    fn end(&mut self, list: &Bits, last: bool) -> Nullable<Self, Bits> {
        let mut seen = self.terms.bool(false);
        let mut chosen = vec![seen; list.len()];
        let mut visit = |terms: &mut Terms, i: usize| {
            let unseen = terms.not(seen);
            chosen[i] = terms.and(&[list[i], unseen]);
            seen = terms.or(&[seen, list[i]]);
        };
        if last {
            (0..list.len())
                .rev()
                .for_each(|i| visit(&mut self.terms, i));
        } else {
            (0..list.len()).for_each(|i| visit(&mut self.terms, i));
        }
        self.found(chosen)
    }
    fn get(&mut self, list: &Bits, index: &Term) -> Nullable<Self, Bits> {
        let (zero, one) = (self.terms.word(0), self.terms.word(1));
        let mut place = zero;
        let mut chosen = Vec::with_capacity(list.len());
        for &member in list.iter() {
            let here = self.terms.eq(place, *index);
            chosen.push(self.terms.and(&[member, here]));
            let more = self.terms.ite(member, one, zero);
            place = self.terms.add(place, more);
        }
        self.found(chosen)
    }
    fn filter(&mut self, list: &Bits, predicate: &mut PredicateFn<'_, Self>) -> Bits {
        let elements = self.elements(list);
        elements
            .into_iter()
            .map(|(elem, member)| {
                if self.known(&member) == Some(false) {
                    return member;
                }
                let keeps = predicate(self, &elem, &member);
                self.terms.and(&[member, keeps])
            })
            .collect()
    }
    fn extremum(
        &mut self,
        which: Extremum,
        list: &Bits,
        key: &mut KeyFn<'_, Self>,
    ) -> Nullable<Self, Bits> {
        let (counts, keys) = self.keyed(list, key);
        let chosen = (0..counts.len())
            .map(|i| {
                let mut beats_all = vec![counts[i]];
                for j in (0..counts.len()).filter(|&j| j != i) {
                    let (low, high) = match which {
                        Extremum::Min => (keys[i], keys[j]),
                        Extremum::Max => (keys[j], keys[i]),
                    };
                    // Earlier elements win ties: j before i must be strictly worse.
                    let beats = if j < i {
                        self.terms.ult(low, high)
                    } else {
                        let worse = self.terms.ult(high, low);
                        self.terms.not(worse)
                    };
                    beats_all.push(self.terms.implies(counts[j], beats));
                }
                self.terms.and(&beats_all)
            })
            .collect();
        self.found(chosen)
    }
    fn sum(&mut self, list: &Bits, key: &mut KeyFn<'_, Self>) -> (Term, Term) {
        let (counts, keys) = self.keyed(list, key);
        let zero = self.terms.word(0);
        let mut sum = zero;
        let mut wraps = Vec::new();
        for (&counts, &key) in counts.iter().zip(&keys) {
            let more = self.terms.ite(counts, key, zero);
            sum = self.terms.add(sum, more);
            wraps.push(self.terms.ult(sum, more));
        }
        let wraps = self.terms.or(&wraps);
        (sum, wraps)
    }
    fn still_in(&mut self, list: &Bits, queue: &Bits) -> Bits {
        self.meet(list, queue)
    }
    fn remove(&mut self, queue: &Bits, elem: &Bits, guard: &Term) -> Bits {
        let pairs = queue.iter().zip(elem.iter());
        pairs
            .map(|(&member, &bit)| {
                let gone = self.terms.and(&[*guard, bit]);
                let stays = self.terms.not(gone);
                self.terms.and(&[member, stays])
            })
            .collect()
    }
    fn insert(&mut self, queue: &Bits, elem: &Bits, guard: &Term) -> Bits {
        let pairs = queue.iter().zip(elem.iter());
        pairs
            .map(|(&member, &bit)| {
                let added = self.terms.and(&[*guard, bit]);
                self.terms.or(&[member, added])
            })
            .collect()
    }

    fn foreach(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        list: &Bits,
        guard: &Term,
    ) {
        for (elem, member) in self.elements(list) {
            let guard = self.terms.and(&[*guard, member]);
            machine.iterate(self, each, &elem, &guard);
        }
    }
}

impl Judge for Bounded {
    type Renaming = ();

    fn same(&mut self, a: &Bits, b: &Bits) -> Term {
        let both = self.meet(a, b);
        self.terms.or(&both)
    }
    fn is_member(&mut self, list: &Bits, elem: &Bits) -> Term {
        let both = self.meet(list, elem);
        self.terms.or(&both)
    }
    fn some_member(
        &mut self,
        list: &Bits,
        condition: &mut dyn FnMut(&mut Self, &Bits) -> Term,
    ) -> Term {
        let mut cases = Vec::new();
        for (elem, member) in self.elements(list) {
            let holds = condition(self, &elem);
            cases.push(self.terms.and(&[member, holds]));
        }
        self.any(cases)
    }
    fn users_differ(&mut self, a: &Bits, b: &Bits) -> Term {
        let mut cases = Vec::new();
        for ((&present, &old), &new) in self.present.clone().iter().zip(a.iter()).zip(b.iter()) {
            let same = self.terms.eq(old, new);
            let differ = self.terms.not(same);
            cases.push(self.terms.and(&[present, differ]));
        }
        self.any(cases)
    }
    fn copies(
        &mut self,
        pushes: &[Event<Self>],
        packet: Option<&Bits>,
        subflow: Option<&Bits>,
        most: u64,
    ) -> Term {
        count_copies(self, pushes, packet, subflow, most)
    }
    fn fresh(&mut self, _: &[Bound<Self>]) {}
    fn rename_bool(&mut self, (): &(), x: &Term) -> Term {
        *x
    }
    fn rename_int(&mut self, (): &(), x: &Term) -> Term {
        *x
    }
    fn rename_elem(&mut self, (): &(), x: &Bits) -> Bits {
        Rc::clone(x)
    }
    fn close(&mut self, (): &(), x: &Term) -> Term {
        *x
    }
}
