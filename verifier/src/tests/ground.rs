//! One actual run as constraints on the unbounded encoding, without quantifiers.
//!
//! In: the encoding of a program and what the interpreter did from one state.
//! Out: truth values that must hold together, over a universe of the state's
//! subflows and packets and one more of each that is in no list. What the state
//! fixes is replaced by its value while quantifiers are written out, so that
//! little is left for the solver: the values of the encoding's own symbols.

use std::collections::{BTreeMap, HashMap};

use progmp_ir::{ArithOp, Concrete, Event, EventKind, Kind, Program, QueueName, SchedState, Value};

use super::support::{Label, concrete_runs, random_value};
use crate::engine::Side;
use crate::goal::Goal;
use crate::judge::Run;
use crate::smt::{Answer, Func, Limits, Node, Profile, Room, Solver, Sort, Term, Terms};
use crate::unbounded::Unbounded;

/// What the solver may spend on one run.
const EFFORT: u64 = 3_000_000;

/// An actual run: some executions from a state.
pub(super) struct Actual {
    pub(super) state: SchedState,
    runs: Vec<Run<Concrete>>,
    seeds: Vec<u64>,
    last: SchedState,
}

impl Actual {
    pub(super) fn new(program: &Program, state: SchedState, executions: usize) -> Self {
        let (runs, seeds, last) = concrete_runs(program, &state, executions);
        Self {
            state,
            runs,
            seeds,
            last,
        }
    }

    pub(super) fn shows(&self, program: &Program, goal: Goal) -> bool {
        goal.build(&mut Concrete::new(self.last.clone()), program, &self.runs)
    }
}

/// Something that the run makes true, and what it is.
pub(super) type Claim = (String, Term);

/// The encoding at one run.
pub(super) struct Ground {
    pub(super) terms: Terms,
    /// Elements by kind; the last of each is in no list.
    elements: [Vec<Term>; 2],
    known: HashMap<(Func, Vec<Term>), Term>,
    memo: HashMap<(Term, Vec<Term>), Term>,
    /// Symbols that name an element.
    open: Vec<Term>,
}

impl Ground {
    /// The encoding's terms with everything that the state fixes.
    pub(super) fn new(d: &Unbounded, actual: &Actual) -> Self {
        let mut terms = d.terms.clone();
        terms.set_budget(usize::MAX);
        let state = &actual.state;
        let mut some = |name: &str, sort, count: usize| -> Vec<Term> {
            (0..=count)
                .map(|i| terms.constant(&format!("{name}_{i}"), sort))
                .collect()
        };
        let elements = [
            some("subflow", Sort::Subflow, state.subflows.len()),
            some("packet", Sort::Packet, state.packets.len()),
        ];
        let mut this = Self {
            terms,
            elements,
            known: HashMap::new(),
            memo: HashMap::new(),
            open: Vec::new(),
        };
        this.fix_subflows(d, state);
        this.fix_packets(d, state);
        for (cell, &register) in d.registers.iter().enumerate() {
            this.fix_constant(register, state.registers[cell]);
        }
        this.fix_constant(d.time, state.time_ms);
        this.fix_random(d, actual);
        this
    }

    fn fix(&mut self, func: Func, arguments: &[Term], value: Term) {
        self.known.insert((func, arguments.to_vec()), value);
    }

    fn fix_constant(&mut self, constant: Term, value: u64) {
        let Node::Apply(func, []) = self.terms.node(constant) else {
            unreachable!("registers and the clock are constants")
        };
        let value = self.terms.word(value);
        self.fix(func, &[], value);
    }

    fn fix_subflows(&mut self, d: &Unbounded, state: &SchedState) {
        let elements = self.elements[0].clone();
        for (j, &s) in elements.iter().enumerate() {
            let present = self.terms.bool(j < state.subflows.len());
            self.fix(d.present, &[s], present);
        }
        for (j, (subflow, &s)) in state.subflows.iter().zip(&elements).enumerate() {
            let place = self.terms.int(10 * j.cast_signed() as i64);
            self.fix(d.order[Kind::Subflow as usize], &[s], place);
            for (&property, &func) in &d.subflow_ints {
                let value = self.terms.word(subflow.int(property));
                self.fix(func, &[s], value);
            }
            for (&property, &func) in &d.subflow_bools {
                let value = self.terms.bool(subflow.flag(property));
                self.fix(func, &[s], value);
            }
        }
    }

    fn fix_packets(&mut self, d: &Unbounded, state: &SchedState) {
        let elements = self.elements[1].clone();
        let subflows = self.elements[0].clone();
        for (i, &p) in elements.iter().enumerate() {
            for name in QueueName::ALL {
                let member = self.terms.bool(state.queue(name).contains(&i));
                self.fix(d.queue_members[name as usize], &[p], member);
            }
        }
        for (i, (packet, &p)) in state.packets.iter().zip(&elements).enumerate() {
            let place = self.terms.int(10 * i.cast_signed() as i64);
            self.fix(d.order[Kind::Packet as usize], &[p], place);
            for (&property, &func) in &d.packet_ints {
                let value = self.terms.word(packet.int(property));
                self.fix(func, &[p], value);
            }
            let psh = self.terms.bool(packet.psh);
            self.fix(d.psh, &[p], psh);
            for (subflow, &s) in state.subflows.iter().zip(&subflows) {
                let sent = self.terms.bool(packet.sent_on.contains(&subflow.id));
                self.fix(d.sent, &[p, s], sent);
                let room = self.terms.bool(!packet.no_window_on.contains(&subflow.id));
                self.fix(d.window, &[p, s], room);
            }
        }
    }

    fn fix_random(&mut self, d: &Unbounded, actual: &Actual) {
        for (&(run, site, _), &func) in &d.randoms {
            let sorts = self.terms.signature(func).0.to_vec();
            for scope in self.tuples(&sorts) {
                let real = scope.iter().all(|&(kind, i)| match kind {
                    Kind::Subflow => i < actual.state.subflows.len(),
                    Kind::Packet => i < actual.state.packets.len(),
                });
                let Some(&seed) = actual.seeds.get(run).filter(|_| real) else {
                    continue;
                };
                let value = random_value(&actual.state, seed, site, &scope);
                let value = self.terms.word(value);
                let arguments = self.named(&scope);
                self.fix(func, &arguments, value);
            }
        }
    }

    fn named(&self, scope: &[(Kind, usize)]) -> Vec<Term> {
        scope
            .iter()
            .map(|&(kind, i)| self.elements[kind as usize][i])
            .collect()
    }

    /// All tuples of elements of these sorts.
    fn tuples(&self, sorts: &[Sort]) -> Vec<Vec<(Kind, usize)>> {
        let mut all = vec![Vec::new()];
        for sort in sorts {
            let kind = match sort {
                Sort::Subflow => Kind::Subflow,
                Sort::Packet => Kind::Packet,
                other => unreachable!("scopes hold elements, not {other:?}"),
            };
            let count = self.elements[kind as usize].len();
            all = all
                .into_iter()
                .flat_map(|tuple| {
                    (0..count).map(move |i| {
                        let mut longer = tuple.clone();
                        longer.push((kind, i));
                        longer
                    })
                })
                .collect();
        }
        all
    }

    fn is_element(&self, term: Term) -> bool {
        self.elements.iter().any(|list| list.contains(&term))
    }

    /// The term without quantifiers, its variables replaced by elements, what is known evaluated.
    pub(super) fn at(&mut self, term: Term, env: &[(Term, Term)]) -> Term {
        let free = self.terms.free_variables(term);
        let values: Vec<Term> = free
            .iter()
            .map(|&variable| {
                let bound = env.iter().rfind(|(v, _)| *v == variable);
                bound
                    .expect("the caller gives each free variable an element")
                    .1
            })
            .collect();
        let key = (term, values);
        if let Some(&done) = self.memo.get(&key) {
            return done;
        }
        let result = self.compute(term, env);
        self.memo.insert(key, result);
        result
    }

    fn compute(&mut self, term: Term, env: &[(Term, Term)]) -> Term {
        let operands = self.terms.operands(term).to_vec();
        match self.terms.node(term) {
            Node::Bool(_) | Node::Word(_) | Node::Int(_) => term,
            Node::Variable(_) => {
                env.iter()
                    .rfind(|(v, _)| *v == term)
                    .expect("it is bound")
                    .1
            }
            Node::Forall(bound, body) => {
                let bound = bound.to_vec();
                self.instances(true, &bound, body, env)
            }
            Node::Exists(bound, body) => {
                let bound = bound.to_vec();
                self.instances(false, &bound, body, env)
            }
            Node::And(_) => self.junction(true, &operands, env),
            Node::Or(_) => self.junction(false, &operands, env),
            Node::Ite(c, a, b) => {
                let c = self.at(c, env);
                match self.terms.node(c) {
                    Node::Bool(true) => self.at(a, env),
                    Node::Bool(false) => self.at(b, env),
                    _ => {
                        let (a, b) = (self.at(a, env), self.at(b, env));
                        self.terms.ite(c, a, b)
                    }
                }
            }
            Node::Apply(func, _) => {
                let arguments: Vec<Term> = operands.iter().map(|&x| self.at(x, env)).collect();
                self.apply(func, &arguments)
            }
            Node::Not(_) => {
                let a = self.at(operands[0], env);
                self.terms.not(a)
            }
            Node::Distinct(_) => unreachable!("the encoding says `distinct` pair by pair"),
            Node::Eq(..)
            | Node::Ult(..)
            | Node::Add(..)
            | Node::Sub(..)
            | Node::Mul(..)
            | Node::Udiv(..)
            | Node::Urem(..)
            | Node::BitAnd(..)
            | Node::BitOr(..)
            | Node::BitXor(..)
            | Node::Shl(..)
            | Node::Lshr(..)
            | Node::Ashr(..)
            | Node::Slt(..)
            | Node::IntLt(..) => {
                let (a, b) = (self.at(operands[0], env), self.at(operands[1], env));
                match self.terms.node(term) {
                    Node::Eq(..) => self.equal(a, b),
                    Node::Ult(..) => self.terms.ult(a, b),
                    Node::Add(..) => self.terms.add(a, b),
                    Node::Sub(..) => self.terms.sub(a, b),
                    Node::Mul(..) => self.terms.mul(a, b),
                    Node::Udiv(..) => self.terms.udiv(a, b),
                    Node::Urem(..) => self.terms.urem(a, b),
                    Node::BitAnd(..) => self.terms.bit_and(a, b),
                    Node::BitOr(..) => self.terms.bit_or(a, b),
                    Node::BitXor(..) => self.terms.bit_xor(a, b),
                    Node::Shl(..) => self.terms.shl(a, b),
                    Node::Lshr(..) => self.terms.lshr(a, b),
                    Node::Ashr(..) => self.terms.ashr(a, b),
                    Node::Slt(..) => self.terms.slt(a, b),
                    _ => self.terms.int_lt(a, b),
                }
            }
        }
    }

    fn equal(&mut self, a: Term, b: Term) -> Term {
        if a != b && self.is_element(a) && self.is_element(b) {
            return self.terms.bool(false);
        }
        self.terms.eq(a, b)
    }

    fn junction(&mut self, conjunction: bool, operands: &[Term], env: &[(Term, Term)]) -> Term {
        let mut parts = Vec::new();
        for &operand in operands {
            let part = self.at(operand, env);
            if self.terms.node(part) == Node::Bool(!conjunction) {
                return part;
            }
            parts.push(part);
        }
        if conjunction {
            self.terms.and(&parts)
        } else {
            self.terms.or(&parts)
        }
    }

    fn instances(
        &mut self,
        universal: bool,
        bound: &[Term],
        body: Term,
        env: &[(Term, Term)],
    ) -> Term {
        let Some((&variable, rest)) = bound.split_first() else {
            return self.at(body, env);
        };
        let kind = match self.terms.sort(variable) {
            Sort::Subflow => 0,
            Sort::Packet => 1,
            other => unreachable!("the encoding quantifies over elements, not {other:?}"),
        };
        let mut parts = Vec::new();
        for element in self.elements[kind].clone() {
            let mut env = env.to_vec();
            env.push((variable, element));
            let part = self.instances(universal, rest, body, &env);
            if self.terms.node(part) == Node::Bool(!universal) {
                return part;
            }
            parts.push(part);
        }
        if universal {
            self.terms.and(&parts)
        } else {
            self.terms.or(&parts)
        }
    }

    /// A function at elements, by cases where an argument is a symbol of the encoding.
    fn apply(&mut self, func: Func, arguments: &[Term]) -> Term {
        if let Some(op) = self.abstract_operator(func) {
            // An actual run computes; by 0, anything may stand, and `udiv` is a value too.
            let (a, b) = (arguments[0], arguments[1]);
            return crate::symbolic::exact(&mut self.terms, op, a, b);
        }
        let unknown = arguments.iter().position(|&a| !self.is_element(a));
        let Some(place) = unknown else {
            if let Some(&value) = self.known.get(&(func, arguments.to_vec())) {
                return value;
            }
            let value = self.terms.apply(func, arguments);
            let sort = self.terms.sort(value);
            if matches!(sort, Sort::Subflow | Sort::Packet) && !self.is_element(value) {
                self.open.push(value);
            }
            return value;
        };
        let (symbol, mut arguments) = (arguments[place], arguments.to_vec());
        let kind = usize::from(self.terms.sort(symbol) == Sort::Packet);
        let mut result = None;
        for element in self.elements[kind].clone() {
            arguments[place] = element;
            let here = self.apply(func, &arguments);
            let this = self.equal(symbol, element);
            result = Some(match result {
                None => here,
                Some(other) => self.terms.ite(this, here, other),
            });
        }
        result.expect("a universe has elements")
    }

    fn abstract_operator(&self, func: Func) -> Option<ArithOp> {
        if self.terms.signature(func).0 != [Sort::Word; 2] {
            return None;
        }
        Some(match self.terms.name(func) {
            "product" => ArithOp::Mul,
            "quotient" => ArithOp::Div,
            "remainder" => ArithOp::Rem,
            other => panic!("`{other}` is a function of words that this test does not know"),
        })
    }

    /// The axioms of the encoding.
    pub(super) fn axioms(&mut self, d: &Unbounded) -> Vec<Claim> {
        let mut claims = Vec::new();
        for &axiom in &d.axioms {
            let here = self.at(axiom, &[]);
            let text = crate::smt::print::script(&d.terms, &[axiom]);
            claims.push((format!("axiom {}", text.lines().last().unwrap_or("")), here));
            if self.terms.node(here) != Node::Bool(true) {
                let said = text.lines().rfind(|line| line.contains("(assert"));
                claims.last_mut().expect("just pushed").0 = said.unwrap_or(&text).to_owned();
            }
        }
        claims
    }

    /// Each symbol for an element is one of the universe. To be asked last.
    pub(super) fn closure(&mut self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for symbol in self.open.clone() {
            let kind = usize::from(self.terms.sort(symbol) == Sort::Packet);
            let mut cases = Vec::new();
            for element in self.elements[kind].clone() {
                cases.push(self.terms.eq(symbol, element));
            }
            claims.push((
                "an element of the universe".to_owned(),
                self.terms.or(&cases),
            ));
        }
        for list in self.elements.clone() {
            claims.push(("elements differ".to_owned(), self.terms.distinct(&list)));
        }
        claims
    }

    /// What the executions did: state afterwards and every event.
    pub(super) fn outcome(&mut self, side: &Side<Unbounded>, actual: &Actual) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (k, concrete) in actual.runs.iter().enumerate() {
            let symbolic = &side.runs[k];
            self.after(&side.domain, k, symbolic, concrete, &mut claims);
            self.events(&side.domain, k, &symbolic.log, &concrete.log, &mut claims);
        }
        claims
    }

    fn after(
        &mut self,
        d: &Unbounded,
        k: usize,
        symbolic: &Run<Unbounded>,
        concrete: &Run<Concrete>,
        claims: &mut Vec<Claim>,
    ) {
        let (after, actual) = (&symbolic.after, &concrete.after);
        for (cell, &register) in after.registers.iter().enumerate() {
            let claim = self.is_word(register, actual.registers[cell], &[]);
            claims.push((format!("run {k}: R{} afterwards", cell + 1), claim));
        }
        for (j, &user) in actual.users.iter().enumerate() {
            let env = [(d.canonical_subflow, self.elements[0][j])];
            let claim = self.is_word(after.users, user, &env);
            claims.push((format!("run {k}: USER of subflow {j}"), claim));
        }
        for name in QueueName::ALL {
            let list = (after.queue(name).formula, &**actual.queue(name));
            let claim = self.is_list(d, Kind::Packet, list, &[]);
            claims.push((format!("run {k}: {} afterwards", name.name()), claim));
        }
        let claim = self.is_truth(after.returned, actual.returned, &[]);
        claims.push((format!("run {k}: RETURN"), claim));
    }

    fn events(
        &mut self,
        d: &Unbounded,
        k: usize,
        symbolic: &[Event<Unbounded>],
        concrete: &[Event<Concrete>],
        claims: &mut Vec<Claim>,
    ) {
        // Label, scope and how often both occurred before.
        type Name = (Label, Vec<(usize, usize)>, usize);
        let mut happened: BTreeMap<Name, &EventKind<Concrete>> = BTreeMap::new();
        let mut often: BTreeMap<(Label, Vec<(usize, usize)>), usize> = BTreeMap::new();
        for event in concrete {
            let scope: Vec<_> = event
                .scope
                .iter()
                .map(|b| (b.kind as usize, b.elem))
                .collect();
            let count = often
                .entry((Label::of(&event.kind), scope.clone()))
                .or_default();
            happened.insert((Label::of(&event.kind), scope, *count), &event.kind);
            *count += 1;
        }
        let mut often: BTreeMap<Label, usize> = BTreeMap::new();
        for event in symbolic {
            let label = Label::of(&event.kind);
            let count = often.entry(label).or_default();
            let number = *count;
            *count += 1;
            let variables: Vec<Term> = event.scope.iter().map(|b| b.elem).collect();
            let sorts: Vec<Sort> = variables.iter().map(|&v| self.terms.sort(v)).collect();
            for tuple in self.tuples(&sorts) {
                let named = self.named(&tuple);
                let env: Vec<(Term, Term)> = variables.iter().copied().zip(named).collect();
                let scope: Vec<_> = tuple.iter().map(|&(kind, i)| (kind as usize, i)).collect();
                let actual = happened.remove(&(label, scope.clone(), number));
                let guard = self.is_truth(event.guard, actual.is_some(), &env);
                let what = || format!("run {k}: {label:?} in {scope:?}");
                claims.push((format!("{}: happens = {}", what(), actual.is_some()), guard));
                if let Some(actual) = actual {
                    let carried = self.carries(d, &event.kind, actual, &env);
                    claims.push((format!("{}: what it carries", what()), carried));
                }
            }
        }
        for (name, _) in happened {
            let never = self.terms.bool(false);
            claims.push((
                format!("run {k}: {name:?}, which the encoding leaves out"),
                never,
            ));
        }
    }

    fn carries(
        &mut self,
        d: &Unbounded,
        symbolic: &EventKind<Unbounded>,
        concrete: &EventKind<Concrete>,
        env: &[(Term, Term)],
    ) -> Term {
        use EventKind as E;
        let parts = match (symbolic, concrete) {
            (E::Read { null: a, .. }, E::Read { null: b, .. })
            | (E::Receiver { null: a, .. }, E::Receiver { null: b, .. })
            | (E::NullValue { null: a, .. }, E::NullValue { null: b, .. })
            | (E::Divide { zero: a, .. }, E::Divide { zero: b, .. })
            | (E::Wrap { wraps: a, .. }, E::Wrap { wraps: b, .. })
            | (E::Index { outside: a, .. }, E::Index { outside: b, .. }) => {
                vec![self.is_truth(*a, *b, env)]
            }
            (E::Compare { other: a, .. }, E::Compare { other: b, .. }) => {
                let value = self.is_word(a.value, b.value, env);
                vec![self.nullable(a.null, b.null, value, env)]
            }
            (E::Let { value: a, .. }, E::Let { value: b, .. }) => {
                vec![self.is_value(d, a, b, env)]
            }
            (E::Print { values: a, .. }, E::Print { values: b, .. }) => a
                .iter()
                .zip(b)
                .map(|(a, b)| self.is_value(d, a, b, env))
                .collect(),
            (E::Pop { packet: a, .. }, E::Pop { packet: b, .. })
            | (E::Drop { packet: a, .. }, E::Drop { packet: b, .. }) => {
                vec![self.names(*a, Kind::Packet, *b, env)]
            }
            (
                E::Push {
                    subflow: s,
                    packet: p,
                    ..
                },
                E::Push {
                    subflow, packet, ..
                },
            ) => vec![
                self.names(*s, Kind::Subflow, *subflow, env),
                self.names(*p, Kind::Packet, *packet, env),
            ],
            (E::Set { value: a, .. }, E::Set { value: b, .. }) => {
                vec![self.is_word(*a, *b, env)]
            }
            (
                E::SetUser {
                    subflow: s,
                    value: a,
                    ..
                },
                E::SetUser {
                    subflow, value: b, ..
                },
            ) => vec![
                self.names(*s, Kind::Subflow, *subflow, env),
                self.is_word(*a, *b, env),
            ],
            (E::Branch { .. } | E::Iterate { .. } | E::Return { .. }, _) => Vec::new(),
            _ => unreachable!("events of one label are of one kind"),
        };
        self.terms.and(&parts)
    }

    fn is_truth(&mut self, term: Term, value: bool, env: &[(Term, Term)]) -> Term {
        let here = self.at(term, env);
        if value { here } else { self.terms.not(here) }
    }

    fn is_word(&mut self, term: Term, value: u64, env: &[(Term, Term)]) -> Term {
        let here = self.at(term, env);
        let value = self.terms.word(value);
        self.terms.eq(here, value)
    }

    fn names(&mut self, term: Term, kind: Kind, place: usize, env: &[(Term, Term)]) -> Term {
        let here = self.at(term, env);
        let element = self.elements[kind as usize][place];
        self.equal(here, element)
    }

    fn nullable(&mut self, null: Term, is: bool, same: Term, env: &[(Term, Term)]) -> Term {
        let null = self.is_truth(null, is, env);
        if is {
            null
        } else {
            self.terms.and(&[null, same])
        }
    }

    fn is_list(
        &mut self,
        d: &Unbounded,
        kind: Kind,
        (formula, members): (Term, &[usize]),
        env: &[(Term, Term)],
    ) -> Term {
        let mut parts = Vec::new();
        for (i, element) in self.elements[kind as usize].clone().into_iter().enumerate() {
            let mut env = env.to_vec();
            env.push((d.canonical(kind), element));
            parts.push(self.is_truth(formula, members.contains(&i), &env));
        }
        self.terms.and(&parts)
    }

    fn is_value(
        &mut self,
        d: &Unbounded,
        symbolic: &Value<Unbounded>,
        concrete: &Value<Concrete>,
        env: &[(Term, Term)],
    ) -> Term {
        match (symbolic, concrete) {
            (Value::Int(a), Value::Int(b)) => {
                let same = self.is_word(a.value, b.value, env);
                self.nullable(a.null, b.null, same, env)
            }
            (Value::Bool(a), Value::Bool(b)) => {
                let same = self.is_truth(a.value, b.value, env);
                self.nullable(a.null, b.null, same, env)
            }
            (Value::Elem(kind, a), Value::Elem(_, b)) => {
                let same = if b.null {
                    self.terms.bool(true)
                } else {
                    self.names(a.value, *kind, b.value, env)
                };
                self.nullable(a.null, b.null, same, env)
            }
            (Value::List(source, a), Value::List(_, b)) => {
                self.is_list(d, source.kind(), (a.formula, b), env)
            }
            _ => unreachable!("a variable has one type"),
        }
    }
}

/// Whether the claims can hold together, or the first claim with which they cannot.
pub(super) fn consistent(terms: &Terms, claims: &[Claim]) -> Result<bool, String> {
    let answer = |claims: &[Claim]| {
        if let Some((name, _)) = claims
            .iter()
            .find(|(_, claim)| terms.node(*claim) == Node::Bool(false))
        {
            return Err(name.clone());
        }
        let mut solver = Solver::new(&Room::new(), Profile::Search, Limits { rlimit: EFFORT });
        for &(_, claim) in claims {
            solver.assert(terms, claim);
        }
        match solver.check(terms) {
            Answer::Sat => Ok(true),
            Answer::Unknown(_) => Ok(false),
            Answer::Unsat => Err(String::new()),
        }
    };
    match answer(claims) {
        Err(name) if name.is_empty() => {
            // The shortest beginning that is contradictory ends with the culprit.
            let (mut low, mut high) = (0, claims.len());
            while low < high {
                let middle = usize::midpoint(low, high);
                if answer(&claims[..middle]).is_err() {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            Err(claims[high - 1].0.clone())
        }
        other => other,
    }
}
