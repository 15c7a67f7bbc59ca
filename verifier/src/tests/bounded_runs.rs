//! The bounded encoding says exactly what the interpreter does: state afterwards,
//! events in order with all that they carry, and the truth of every goal.
//!
//! The encoding of a program is built once per size and evaluated, without a
//! solver, at many states. A state may leave places empty, in front, between and
//! behind what it has.

use std::collections::HashMap;

use progmp_generate::{Choices, Mix};
use progmp_ir::{Concrete, Event, EventKind, Kind, Needs, QueueName, SchedState, State};

use super::loops::loops;
use super::support::{
    FAMILIES, Label, Subject, concrete_runs, family, generated, goals, loop_mix, random_value,
    scale, state, written,
};
use crate::bounded::Bounded;
use crate::concrete::shows;
use crate::engine::{Options, Side};
use crate::goal::Goal;
use crate::judge::Run;
use crate::smt::{Evaluator, Func, Node, Profile, Room, Term, Terms, Universe, Value};

/// Consecutive executions that are compared.
const EXECUTIONS: usize = 3;

/// The encoding of a program at one size.
struct Encoded<'s> {
    subject: &'s Subject,
    side: Side<Bounded>,
    goals: Vec<(Goal, Term)>,
}

impl<'s> Encoded<'s> {
    /// None if it outgrows its budget.
    fn new(subject: &'s Subject, (subflows, packets): (usize, usize)) -> Option<Self> {
        let domain = Bounded::new(subflows, packets);
        let options = Options {
            terms: 400_000,
            ..Options::default()
        };
        let mut side = Side::new(&Room::new(), domain, Profile::Search, options);
        side.runs(&subject.program, EXECUTIONS);
        let goals = goals(&subject.program)
            .into_iter()
            .map(|goal| (goal, side.formula(&subject.program, goal)))
            .collect();
        (!side.domain.terms.exhausted()).then_some(Self {
            subject,
            side,
            goals,
        })
    }
}

/// Where the packets of a state lie among the places of the encoding, and what the constants are.
struct Assignment {
    places: Vec<usize>,
    values: HashMap<Func, Value>,
}

impl Assignment {
    fn new(d: &Bounded, state: &SchedState, seeds: &[u64], places: Vec<usize>) -> Self {
        let mut this = Self {
            places,
            values: HashMap::new(),
        };
        this.subflows(d, state);
        this.packets(d, state);
        let terms = &d.terms;
        for (&register, &value) in d.registers.iter().zip(&state.registers) {
            this.set(terms, register, Value::Word(value));
        }
        this.set(terms, d.time, Value::Word(state.time_ms));
        for ((run, site, scope), &term) in &d.randoms {
            let scope: Option<Vec<(Kind, usize)>> = scope
                .iter()
                .map(|&(kind, place)| this.position(state, kind, place).map(|i| (kind, i)))
                .collect();
            // An absent element never draws; whatever stands there must not matter.
            let value = scope.map_or(7, |scope| random_value(state, seeds[*run], *site, &scope));
            this.set(terms, term, Value::Word(value));
        }
        this
    }

    /// The position in the state of what is at a place of the encoding.
    fn position(&self, state: &SchedState, kind: Kind, place: usize) -> Option<usize> {
        match kind {
            Kind::Subflow => (place < state.subflows.len()).then_some(place),
            Kind::Packet => self.places.iter().position(|&p| p == place),
        }
    }

    fn set(&mut self, terms: &Terms, term: Term, value: Value) {
        // What is no constant is a literal or computed from others, such as RTT_MS.
        if let Node::Apply(func, []) = terms.node(term) {
            self.values.insert(func, value);
        }
    }

    fn subflows(&mut self, d: &Bounded, state: &SchedState) {
        let taken: Vec<u64> = state.subflows.iter().map(|s| s.id).collect();
        let mut spare = (1..).filter(|id| !taken.contains(id));
        for j in 0..d.subflow_count {
            let subflow = state.subflows.get(j);
            self.set(&d.terms, d.present[j], Value::Bool(subflow.is_some()));
            let free = spare.next().unwrap_or(1);
            for (&property, words) in &d.subflow_ints {
                let absent = if property == progmp_ir::SubflowInt::Id {
                    free
                } else {
                    3
                };
                let value = subflow.map_or(absent, |s| s.int(property));
                self.set(&d.terms, words[j], Value::Word(value));
            }
            for (&property, bits) in &d.subflow_bools {
                let value = subflow.is_none_or(|s| s.flag(property));
                self.set(&d.terms, bits[j], Value::Bool(value));
            }
        }
    }

    fn packets(&mut self, d: &Bounded, state: &SchedState) {
        for place in 0..d.packet_count {
            let position = self.position(state, Kind::Packet, place);
            let packet = position.map(|i| &state.packets[i]);
            for name in QueueName::ALL {
                let member = position.is_some_and(|i| state.queue(name).contains(&i));
                let bit = d.queues[name as usize][place];
                self.set(&d.terms, bit, Value::Bool(member));
            }
            for (&property, words) in &d.packet_ints {
                let value = match packet {
                    Some(packet) => packet.int(property),
                    None if property == progmp_ir::PacketInt::Seq => self.gap(state, place),
                    None => 5,
                };
                self.set(&d.terms, words[place], Value::Word(value));
            }
            if let Some(bits) = &d.psh {
                let value = packet.is_none_or(|p| p.psh);
                self.set(&d.terms, bits[place], Value::Bool(value));
            }
            for j in 0..d.subflow_count {
                let pair = place * d.subflow_count + j;
                let id = state.subflows.get(j).map(|s| s.id);
                let sent = match (packet, id) {
                    (Some(packet), Some(id)) => packet.sent_on.contains(&id),
                    _ => false,
                };
                let room = match (packet, id) {
                    (Some(packet), Some(id)) => !packet.no_window_on.contains(&id),
                    _ => true,
                };
                self.set(&d.terms, d.sent[pair], Value::Bool(sent));
                self.set(&d.terms, d.window[pair], Value::Bool(room));
            }
        }
    }

    /// A SEQ for a place without a packet, above all before it.
    fn gap(&self, state: &SchedState, place: usize) -> u64 {
        let before = self.places.iter().rposition(|&p| p < place);
        let (seq, steps) = match before {
            Some(i) => (state.packets[i].seq, (place - self.places[i]) as u64),
            None => (0, place as u64),
        };
        seq.wrapping_add(steps)
    }
}

/// A random place for each packet of a state, in order.
fn some_places(choices: &mut Choices, packets: usize, places: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = (0..places).collect();
    while chosen.len() > packets {
        let out = choices.count(chosen.len() - 1);
        chosen.remove(out);
    }
    chosen
}

/// Symbolic values at one assignment, in positions of the state.
struct At<'a, F> {
    evaluator: Evaluator<'a, F>,
    places: &'a [usize],
}

impl<F: FnMut(Func, &[Value]) -> Value> At<'_, F> {
    fn holds(&mut self, term: Term) -> bool {
        self.evaluator.holds(term)
    }

    fn word(&mut self, term: Term) -> u64 {
        match self.evaluator.value(term) {
            Value::Word(word) => word,
            other => panic!("{other:?} is not a word"),
        }
    }

    fn members(&mut self, kind: Kind, bits: &[Term]) -> Vec<usize> {
        let chosen: Vec<usize> = (0..bits.len()).filter(|&i| self.holds(bits[i])).collect();
        match kind {
            Kind::Subflow => chosen,
            Kind::Packet => chosen
                .into_iter()
                .map(|place| {
                    let position = self.places.iter().position(|&p| p == place);
                    position.expect("no list holds a packet that is not there")
                })
                .collect(),
        }
    }

    fn element(&mut self, kind: Kind, bits: &[Term]) -> String {
        let members = self.members(kind, bits);
        assert_eq!(members.len(), 1, "a reference names one element");
        format!("{kind:?} {}", members[0])
    }

    fn nullable(&mut self, null: Term, value: impl FnOnce(&mut Self) -> String) -> String {
        if self.holds(null) {
            "NULL".to_owned()
        } else {
            value(self)
        }
    }

    fn value(&mut self, value: &progmp_ir::Value<Bounded>) -> String {
        use progmp_ir::Value as V;
        match value {
            V::Int(x) => self.nullable(x.null, |at| at.word(x.value).to_string()),
            V::Bool(x) => self.nullable(x.null, |at| at.holds(x.value).to_string()),
            V::Elem(kind, x) => self.nullable(x.null, |at| at.element(*kind, &x.value)),
            V::List(source, list) => format!("{:?}", self.members(source.kind(), list)),
        }
    }

    /// The event as text, if it happens.
    fn event(&mut self, event: &Event<Bounded>) -> Option<String> {
        use EventKind as E;
        if !self.holds(event.guard) {
            return None;
        }
        let carries = match &event.kind {
            E::Read { null: x, .. }
            | E::Receiver { null: x, .. }
            | E::NullValue { null: x, .. }
            | E::Divide { zero: x, .. }
            | E::Wrap { wraps: x, .. }
            | E::Index { outside: x, .. } => self.holds(*x).to_string(),
            E::Compare { other: x, .. } => self.nullable(x.null, |at| at.word(x.value).to_string()),
            E::Branch { .. } | E::Iterate { .. } | E::Return { .. } => String::new(),
            E::Let { value, .. } => self.value(value),
            E::Print { values, .. } => {
                let all: Vec<String> = values.iter().map(|v| self.value(v)).collect();
                all.join(", ")
            }
            E::Pop { packet, .. } | E::Drop { packet, .. } => self.element(Kind::Packet, packet),
            E::Push {
                subflow, packet, ..
            } => {
                let on = self.element(Kind::Subflow, subflow);
                format!("{on} {}", self.element(Kind::Packet, packet))
            }
            E::Set { value, .. } => self.word(*value).to_string(),
            E::SetUser { subflow, value, .. } => {
                let on = self.element(Kind::Subflow, subflow);
                format!("{on} {}", self.word(*value))
            }
        };
        let scope: Vec<String> = event
            .scope
            .iter()
            .map(|bound| self.element(bound.kind, &bound.elem))
            .collect();
        Some(format!("{:?} {scope:?} {carries}", Label::of(&event.kind)))
    }

    fn log(&mut self, log: &[Event<Bounded>]) -> Vec<String> {
        log.iter().filter_map(|event| self.event(event)).collect()
    }

    fn after(&mut self, state: &State<Bounded>, subflows: usize) -> String {
        let registers = state.registers.map(|term| self.word(term));
        let users: Vec<u64> = state.users[..subflows]
            .iter()
            .map(|&u| self.word(u))
            .collect();
        let queues = [0, 1, 2].map(|q| self.members(Kind::Packet, &state.queues[q]));
        format!(
            "{registers:?} {users:?} {queues:?} {}",
            self.holds(state.returned)
        )
    }
}

fn actual_after(state: &State<Concrete>) -> String {
    let queues = [0, 1, 2].map(|q| state.queues[q].to_vec());
    format!(
        "{:?} {:?} {queues:?} {}",
        state.registers,
        state.users.to_vec(),
        state.returned
    )
}

fn actual_log(log: &[Event<Concrete>]) -> Vec<String> {
    use EventKind as E;
    let nullable = |null: bool, text: String| if null { "NULL".to_owned() } else { text };
    let element = |kind: Kind, i: usize| format!("{kind:?} {i}");
    let value = |value: &progmp_ir::Value<Concrete>| {
        use progmp_ir::Value as V;
        match value {
            V::Int(x) => nullable(x.null, x.value.to_string()),
            V::Bool(x) => nullable(x.null, x.value.to_string()),
            V::Elem(kind, x) => nullable(x.null, element(*kind, x.value)),
            V::List(_, list) => format!("{:?}", list.to_vec()),
        }
    };
    log.iter()
        .map(|event| {
            let carries = match &event.kind {
                E::Read { null: x, .. }
                | E::Receiver { null: x, .. }
                | E::NullValue { null: x, .. }
                | E::Divide { zero: x, .. }
                | E::Wrap { wraps: x, .. }
                | E::Index { outside: x, .. } => x.to_string(),
                E::Compare { other: x, .. } => nullable(x.null, x.value.to_string()),
                E::Branch { .. } | E::Iterate { .. } | E::Return { .. } => String::new(),
                E::Let { value: x, .. } => value(x),
                E::Print { values, .. } => {
                    let all: Vec<String> = values.iter().map(value).collect();
                    all.join(", ")
                }
                E::Pop { packet, .. } | E::Drop { packet, .. } => element(Kind::Packet, *packet),
                E::Push {
                    subflow, packet, ..
                } => {
                    let on = element(Kind::Subflow, *subflow);
                    format!("{on} {}", element(Kind::Packet, *packet))
                }
                E::Set { value, .. } => value.to_string(),
                E::SetUser { subflow, value, .. } => {
                    format!("{} {value}", element(Kind::Subflow, *subflow))
                }
            };
            let scope: Vec<String> = event
                .scope
                .iter()
                .map(|b| element(b.kind, b.elem))
                .collect();
            format!("{:?} {scope:?} {carries}", Label::of(&event.kind))
        })
        .collect()
}

/// What was compared.
#[derive(Default)]
struct Tally {
    pairs: u64,
    /// By kind of goal: states that show it, and states that do not.
    seen: std::collections::BTreeMap<&'static str, [u64; 2]>,
}

impl Tally {
    /// Compares one state. None if the encoding has no room for its sequence numbers.
    fn compare(&mut self, encoded: &Encoded<'_>, state: &SchedState, places: Vec<usize>) {
        let (subject, d) = (encoded.subject, &encoded.side.domain);
        let program = &subject.program;
        let (runs, seeds, last) = concrete_runs(program, state, EXECUTIONS);
        let assignment = Assignment::new(d, state, &seeds, places);
        let universe = Universe::new();
        let values = &assignment.values;
        let evaluator = Evaluator::new(&d.terms, &universe, |func, _| values[&func]);
        let mut at = At {
            evaluator,
            places: &assignment.places,
        };
        let context = || {
            let shown = progmp_ir::table(state, &Needs::of(program));
            let size = (d.subflow_count, d.packet_count);
            let places = &assignment.places;
            format!(
                "{} at {size:?}, packets at {places:?}\n{}\n{shown}",
                subject.name, subject.text
            )
        };
        if let Some(fact) = d.facts.iter().find(|&&fact| !at.holds(fact)) {
            // Only sequence numbers can leave no room for those of absent packets.
            let crowded = assignment.places.len() < d.packet_count
                && d.packet_ints.contains_key(&progmp_ir::PacketInt::Seq);
            assert!(
                crowded,
                "{fact:?} is false of a state that can be\n{}",
                context()
            );
            return;
        }
        for (k, (symbolic, concrete)) in encoded.side.runs.iter().zip(&runs).enumerate() {
            let (says, does) = (at.log(&symbolic.log), actual_log(&concrete.log));
            if says != does {
                let first = says.iter().zip(&does).position(|(a, b)| a != b);
                let first = first.unwrap_or(says.len().min(does.len()));
                panic!(
                    "execution {k}, event {first}: the encoding says {:?}, the interpreter does {:?}\n{}",
                    says.get(first),
                    does.get(first),
                    context()
                );
            }
            let (says, does) = (
                at.after(&symbolic.after, state.subflows.len()),
                actual_after(&concrete.after),
            );
            assert_eq!(says, does, "after execution {k}\n{}", context());
        }
        self.goals(encoded, state, (&runs, &last), &mut at, &context);
        self.pairs += 1;
    }

    fn goals<F: FnMut(Func, &[Value]) -> Value>(
        &mut self,
        encoded: &Encoded<'_>,
        state: &SchedState,
        (runs, last): (&[Run<Concrete>], &SchedState),
        at: &mut At<'_, F>,
        context: &dyn Fn() -> String,
    ) {
        let program = &encoded.subject.program;
        for &(goal, formula) in &encoded.goals {
            let says = at.holds(formula);
            let does = goal.build(&mut Concrete::new(last.clone()), program, runs);
            assert_eq!(says, does, "{goal:?}\n{}", context());
            if self.pairs.is_multiple_of(64) {
                assert_eq!(shows(program, state, goal), does, "{goal:?}\n{}", context());
            }
            self.seen.entry(family(goal)).or_default()[usize::from(!does)] += 1;
        }
    }

    /// Compares random states within the size of the encoding.
    fn states(&mut self, encoded: &Encoded<'_>, count: u64, seed: u64) {
        let needs = Needs::of(&encoded.subject.program);
        let d = &encoded.side.domain;
        let mut choices = Choices::from_seed(seed);
        for _ in 0..count {
            let state = state(choices.word(), &needs, d.subflow_count, d.packet_count);
            let places = some_places(&mut choices, state.packets.len(), d.packet_count);
            self.compare(encoded, &state, places);
        }
    }

    fn subject(&mut self, subject: &Subject, count: u64, seed: u64) {
        let sizes = [(2, 3), (3, 4), (1, 1), (3, 2), (2, 2)];
        let size = sizes[usize::try_from(seed % 5).unwrap_or(0)];
        let encoded = Encoded::new(subject, size).or_else(|| Encoded::new(subject, (2, 2)));
        if let Some(encoded) = encoded {
            self.states(&encoded, count, seed);
        }
    }

    fn expect(&self, least: u64) {
        eprintln!("{} pairs; {:?}", self.pairs, self.seen);
        let least = least * scale();
        assert!(
            self.pairs >= least,
            "{} pairs are fewer than {least}",
            self.pairs
        );
    }
}

#[test]
fn generated_programs_mean_the_same_bounded() {
    let mut tally = Tally::default();
    for seed in 0..220 * scale() {
        tally.subject(&generated(seed, &Mix::default()), 160, seed);
    }
    tally.expect(33_000);
}

#[test]
fn generated_small_programs_mean_the_same_bounded() {
    let mut tally = Tally::default();
    for seed in 0..300 * scale() {
        tally.subject(&generated(50_000 + seed, &Mix::small()), 160, seed);
    }
    tally.expect(45_000);
}

#[test]
fn generated_loops_mean_the_same_bounded() {
    let mut tally = Tally::default();
    for seed in 0..160 * scale() {
        tally.subject(&generated(90_000 + seed, &loop_mix()), 160, seed);
    }
    tally.expect(24_000);
}

#[test]
fn written_programs_mean_the_same_bounded_and_every_goal_is_seen_both_ways() {
    let mut tally = Tally::default();
    for (seed, subject) in written().iter().chain(&loops()).enumerate() {
        tally.subject(subject, 60 * scale(), seed as u64);
    }
    tally.expect(10_000);
    assert_eq!(tally.seen.len(), FAMILIES, "{:?}", tally.seen);
    for (family, [shown, not]) in tally.seen {
        assert!(
            shown > 0 && not > 0,
            "{family}: {shown} states show it, {not} do not"
        );
    }
}
