//! The unbounded domain: any number of subflows and packets.
//!
//! Subflows and packets are uninterpreted sorts, a list is a formula over the
//! canonical variable of its kind, what an operation picks is a witness with
//! axioms ([`crate::witness`]), and a FOREACH is summarised ([`crate::summary`]).
//! The axioms over-approximate: every actual execution is a model of them, so
//! `unsat` is a proof and `sat` says nothing.
//!
//! Hash-consing decides most proofs: equal lists are equal formulas, equal
//! formulas have one witness, and `RQ.TOP` in a condition is the packet that
//! `RQ.POP()` takes later.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use progmp_ir::{
    ArithOp, Bound, Domain, Event, ExprKind, Extremum, KeyFn, Kind, Loop, Machine, Nullable,
    PacketInt, PredicateFn, Program, QueueName, SiteId, State, SubflowBool, SubflowInt,
};

use crate::judge::{Judge, Run};
use crate::lockstep::Lockstep;
use crate::path::Path;
use crate::smt::{Func, Node, Room, Sort, Term, Terms};
use crate::summary::LoopMemo;
use crate::symbolic::{Widths, exact, term_logic};
use crate::witness::WitnessKey;

/// A list: a formula over the canonical variable of its kind.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    pub(crate) kind: Kind,
    pub(crate) formula: Term,
    /// The list that this one was filtered from.
    pub(crate) parent: Option<Rc<Set>>,
}

/// How `*` of two variables, `/` and `%` are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    /// Uninterpreted, with the facts that indices need.
    Abstract,
    /// Exact words.
    Exact,
    /// As `Abstract`, for lists with fewer than 2^16 members: sums wrap less easily.
    Counted,
}

impl Arithmetic {
    /// Lists have fewer than two to the power of this many members.
    pub(crate) const fn list_bits(self) -> u32 {
        match self {
            Self::Abstract | Self::Exact => 32,
            Self::Counted => 16,
        }
    }
}

/// What the host has done since the state was sampled: packets that it transmitted on one subflow.
pub(crate) struct Moved {
    pub(crate) subflow: Term,
    /// How many.
    pub(crate) count: Term,
    /// Which, over the canonical packet.
    pub(crate) sent: Term,
}

/// The domain.
pub(crate) struct Unbounded {
    /// The arena.
    pub(crate) terms: Terms,
    /// Facts about the environment and definitions of witnesses.
    pub(crate) axioms: Vec<Term>,
    /// The symbol that each axiom is about: who does not mention it does not need the axiom.
    anchors: Vec<Option<Func>>,
    /// Axioms made now are about nothing that a goal need mention.
    pub(crate) unanchored: bool,
    pub(crate) canonical_subflow: Term,
    pub(crate) canonical_packet: Term,
    pub(crate) registers: [Term; 6],
    pub(crate) time: Term,
    pub(crate) present: Func,
    pub(crate) order: [Func; 2],
    pub(crate) queue_members: [Func; 3],
    pub(crate) subflow_ints: BTreeMap<SubflowInt, Func>,
    pub(crate) subflow_bools: BTreeMap<SubflowBool, Func>,
    pub(crate) packet_ints: BTreeMap<PacketInt, Func>,
    pub(crate) psh: Func,
    pub(crate) sent: Func,
    pub(crate) window: Func,
    pub(crate) randoms: BTreeMap<(usize, SiteId, usize), Func>,
    pub(crate) witnesses: HashMap<WitnessKey, (Term, Term)>,
    pub(crate) gets: Vec<crate::witness::Got>,
    pub(crate) sums: Vec<crate::witness::Summed>,
    /// Literals that a COUNT may be compared with, as far as witnesses are made for them.
    pub(crate) most_counted: u64,
    pub(crate) loops: Vec<LoopMemo>,
    /// The loops of the program that the present one is compared with.
    pub(crate) lockstep: Lockstep,
    /// What was transmitted before the execution.
    pub(crate) moved: Option<Moved>,
    /// What is decided, if paths are followed one at a time.
    pub(crate) path: Option<Path>,
    /// Z3 units that a side query of a loop summary may take.
    pub(crate) side_effort: u64,
    /// … and where they are asked.
    pub(crate) room: Room,
    pub(crate) run: usize,
    pub(crate) widths: Widths,
    pub(crate) arithmetic: Arithmetic,
    lambda_vars: Vec<(Kind, Term)>,
    pool: BTreeMap<(Kind, usize), Term>,
    operations: HashMap<(ArithOp, Term, Term), Term>,
    operators: BTreeMap<ArithOp, Func>,
    renamed: usize,
}

const fn sort(kind: Kind) -> Sort {
    match kind {
        Kind::Subflow => Sort::Subflow,
        Kind::Packet => Sort::Packet,
    }
}

impl Unbounded {
    /// A domain for one program, with all facts of specs/environment.md.
    pub(crate) fn new(room: &Room, program: &Program, arithmetic: Arithmetic) -> Self {
        let mut terms = Terms::new();
        let canonical_subflow = terms.variable("s", Sort::Subflow);
        let canonical_packet = terms.variable("p", Sort::Packet);
        let registers = [1, 2, 3, 4, 5, 6].map(|i| terms.constant(&format!("R{i}"), Sort::Word));
        let time = terms.constant("time", Sort::Word);
        let present = terms.declare("present", &[Sort::Subflow], Sort::Bool);
        let order = [
            terms.declare("age", &[Sort::Subflow], Sort::Int),
            terms.declare("position", &[Sort::Packet], Sort::Int),
        ];
        let queue_members =
            QueueName::ALL.map(|name| terms.declare(name.name(), &[Sort::Packet], Sort::Bool));
        let psh = terms.declare("psh", &[Sort::Packet], Sort::Bool);
        let sent = terms.declare("sent", &[Sort::Packet, Sort::Subflow], Sort::Bool);
        let window = terms.declare("window", &[Sort::Packet, Sort::Subflow], Sort::Bool);
        let mut domain = Self {
            terms,
            axioms: Vec::new(),
            anchors: Vec::new(),
            unanchored: false,
            canonical_subflow,
            canonical_packet,
            registers,
            time,
            present,
            order,
            queue_members,
            subflow_ints: BTreeMap::new(),
            subflow_bools: BTreeMap::new(),
            packet_ints: BTreeMap::new(),
            psh,
            sent,
            window,
            randoms: BTreeMap::new(),
            witnesses: HashMap::new(),
            gets: Vec::new(),
            sums: Vec::new(),
            most_counted: most_counted(program),
            loops: Vec::new(),
            lockstep: Lockstep::default(),
            path: None,
            moved: None,
            side_effort: 200_000,
            room: room.clone(),
            run: 0,
            widths: Widths::default(),
            arithmetic,
            lambda_vars: Vec::new(),
            pool: BTreeMap::new(),
            operations: HashMap::new(),
            operators: BTreeMap::new(),
            renamed: 0,
        };
        domain.environment();
        domain
    }

    fn environment(&mut self) {
        let p = self.canonical_packet;
        let [q, qu, rq] = self.queue_members.map(|f| self.terms.apply(f, &[p]));
        for other in [qu, rq] {
            let both = self.terms.and(&[q, other]);
            let apart = self.terms.not(both);
            self.axiom(&[p], apart);
        }
        let s = self.canonical_subflow;
        let sent = self.terms.apply(self.sent, &[p, s]);
        let held = self.terms.or(&[q, qu]);
        let held = self.terms.implies(sent, held);
        self.axiom(&[p, s], held);
        for kind in [Kind::Subflow, Kind::Packet] {
            let (x, y) = (
                self.canonical(kind),
                self.terms.variable("other", sort(kind)),
            );
            let (at_x, at_y) = (self.place(kind, x), self.place(kind, y));
            let same_place = self.terms.eq(at_x, at_y);
            let same = self.terms.eq(x, y);
            let injective = self.terms.implies(same_place, same);
            self.axiom(&[x, y], injective);
        }
        self.limit(&[], self.time, 48);
    }

    /// Asserts `body` for all values of the variables. It is about its newest symbol, which is the
    /// one that it defines.
    pub(crate) fn axiom(&mut self, variables: &[Term], body: Term) {
        let symbols = self.terms.functions_in(body).to_vec();
        let newest = symbols
            .into_iter()
            .rev()
            .find(|&func| !self.terms.is_bindable(func));
        self.anchored(newest, variables, body);
    }

    /// The same about the symbol that `defined` applies.
    pub(crate) fn axiom_of(&mut self, defined: Term, variables: &[Term], body: Term) {
        match self.terms.node(defined) {
            Node::Apply(func, _) => self.anchored(Some(func), variables, body),
            _ => self.anchored(None, variables, body),
        }
    }

    fn anchored(&mut self, anchor: Option<Func>, variables: &[Term], body: Term) {
        let closed = self.terms.forall(variables, body);
        self.axioms.push(closed);
        self.anchors.push(anchor.filter(|_| !self.unanchored));
    }

    /// The axioms about what a formula mentions, directly or through other axioms. Leaving the
    /// others out makes a proof harder, never wrong.
    pub(crate) fn relevant(&mut self, formula: Term) -> Vec<Term> {
        let mut mentioned: BTreeSet<Func> =
            self.terms.functions_in(formula).iter().copied().collect();
        let mut taken = vec![false; self.axioms.len()];
        loop {
            let before = mentioned.len();
            for i in (0..self.axioms.len()).rev() {
                if !taken[i] && self.anchors[i].is_none_or(|anchor| mentioned.contains(&anchor)) {
                    taken[i] = true;
                    mentioned.extend(self.terms.functions_in(self.axioms[i]).iter().copied());
                }
            }
            if mentioned.len() == before {
                break;
            }
        }
        self.axioms
            .iter()
            .zip(taken)
            .filter(|(_, taken)| *taken)
            .map(|(&axiom, _)| axiom)
            .collect()
    }

    fn limit(&mut self, variables: &[Term], word: Term, bits: u32) {
        if bits < 64 {
            let bound = self.terms.word(1 << bits);
            let fact = self.terms.ult(word, bound);
            self.axiom(variables, fact);
            if let Node::Apply(func, _) = self.terms.node(word) {
                self.widths.insert(func, bits);
            }
        }
    }

    /// The variable over which the formulas of lists of this kind stand.
    pub(crate) const fn canonical(&self, kind: Kind) -> Term {
        match kind {
            Kind::Subflow => self.canonical_subflow,
            Kind::Packet => self.canonical_packet,
        }
    }

    /// An element's place in list order.
    pub(crate) fn place(&mut self, kind: Kind, elem: Term) -> Term {
        self.terms.apply(self.order[kind as usize], &[elem])
    }

    /// Whether `a` stands before `b`.
    pub(crate) fn before(&mut self, kind: Kind, a: Term, b: Term) -> Term {
        let (a, b) = (self.place(kind, a), self.place(kind, b));
        self.terms.int_lt(a, b)
    }

    /// `elem ∈ list`.
    pub(crate) fn at(&mut self, list: &Set, elem: Term) -> Term {
        let canonical = self.canonical(list.kind);
        self.terms.substitute(list.formula, &[(canonical, elem)])
    }

    /// The variables of a formula but the canonical one of this kind.
    pub(crate) fn outer_variables(&self, kind: Kind, formulas: &[Term]) -> Vec<Term> {
        let canonical = self.canonical(kind);
        let mut out: Vec<Term> = formulas
            .iter()
            .flat_map(|&formula| self.terms.free_variables(formula).iter().copied())
            .filter(|&variable| variable != canonical)
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// A new symbol that depends on these variables.
    pub(crate) fn symbol(&mut self, name: &str, range: Sort, variables: &[Term]) -> Term {
        let domain: Vec<Sort> = variables.iter().map(|&v| self.terms.sort(v)).collect();
        let func = self.terms.declare(name, &domain, range);
        self.terms.apply(func, variables)
    }

    /// A variable of its own, for a binder.
    pub(crate) fn fresh_variable(&mut self, kind: Kind) -> Term {
        self.renamed += 1;
        let name = match kind {
            Kind::Subflow => "s",
            Kind::Packet => "p",
        };
        self.terms
            .variable(&format!("{name}_{}", self.renamed), sort(kind))
    }

    /// Enters a lambda: its parameter, one per depth and kind so that equal lambdas are equal terms.
    pub(crate) fn enter_lambda(&mut self, kind: Kind) -> Term {
        let depth = self.lambda_vars.len();
        let variable = if let Some(&variable) = self.pool.get(&(kind, depth)) {
            variable
        } else {
            let variable = self.terms.variable(&format!("x{depth}"), sort(kind));
            self.pool.insert((kind, depth), variable);
            variable
        };
        self.lambda_vars.push((kind, variable));
        variable
    }

    /// Leaves the innermost lambda.
    pub(crate) fn leave_lambda(&mut self) {
        self.lambda_vars.pop();
    }

    /// The parameters of the enclosing lambdas of this kind.
    pub(crate) fn enclosing(&self, kind: Kind) -> Vec<Term> {
        self.lambda_vars
            .iter()
            .filter(|(k, _)| *k == kind)
            .map(|&(_, v)| v)
            .collect()
    }

    fn subflow_func(&mut self, property: SubflowInt) -> Func {
        if let Some(&func) = self.subflow_ints.get(&property) {
            return func;
        }
        let func = self
            .terms
            .declare(property.name(), &[Sort::Subflow], Sort::Word);
        self.subflow_ints.insert(property, func);
        let s = self.canonical_subflow;
        let value = self.terms.apply(func, &[s]);
        self.limit(&[s], value, property.range_bits());
        if property == SubflowInt::Id {
            let zero = self.terms.word(0);
            let nought = self.terms.eq(value, zero);
            let positive = self.terms.not(nought);
            self.axiom(&[s], positive);
            let other = self.terms.variable("other", Sort::Subflow);
            let same_id = self.terms.apply(func, &[other]);
            let same_id = self.terms.eq(value, same_id);
            let same = self.terms.eq(s, other);
            let distinct = self.terms.implies(same_id, same);
            self.axiom(&[s, other], distinct);
        }
        func
    }

    fn packet_func(&mut self, property: PacketInt) -> Func {
        if let Some(&func) = self.packet_ints.get(&property) {
            return func;
        }
        let name = format!("packet_{}", property.name());
        let func = self.terms.declare(&name, &[Sort::Packet], Sort::Word);
        self.packet_ints.insert(property, func);
        let p = self.canonical_packet;
        let value = self.terms.apply(func, &[p]);
        self.limit(&[p], value, property.range_bits());
        if property == PacketInt::Seq {
            let other = self.terms.variable("other", Sort::Packet);
            let later = self.terms.apply(func, &[other]);
            let (in_order, ascending) = (
                self.before(Kind::Packet, p, other),
                self.terms.ult(value, later),
            );
            let fact = self.terms.implies(in_order, ascending);
            self.axiom(&[p, other], fact);
        }
        func
    }

    /// The start of the first execution.
    pub(crate) fn initial(&mut self) -> State<Self> {
        let (s, p) = (self.canonical_subflow, self.canonical_packet);
        let user = self.subflow_func(SubflowInt::User);
        let queues = self.queue_members.map(|member| {
            let formula = self.terms.apply(member, &[p]);
            Rc::new(Set {
                kind: Kind::Packet,
                formula,
                parent: None,
            })
        });
        State {
            registers: self.registers,
            users: self.terms.apply(user, &[s]),
            queues,
            returned: self.terms.bool(false),
        }
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

    fn abstract_arith(&mut self, op: ArithOp, a: Term, b: Term) -> Term {
        let (a, b) = if op == ArithOp::Mul && b < a {
            (b, a)
        } else {
            (a, b)
        };
        if let Some(&term) = self.operations.get(&(op, a, b)) {
            return term;
        }
        let func = if let Some(&func) = self.operators.get(&op) {
            func
        } else {
            let name = match op {
                ArithOp::Mul => "product",
                ArithOp::Div => "quotient",
                _ => "remainder",
            };
            let func = self.terms.declare(name, &[Sort::Word; 2], Sort::Word);
            self.operators.insert(op, func);
            self.widths.stands_for(func, op);
            func
        };
        let term = self.terms.apply(func, &[a, b]);
        self.operations.insert((op, a, b), term);
        if op != ArithOp::Mul {
            let zero = self.terms.word(0);
            let undefined = self.terms.eq(b, zero);
            let grows = self.terms.ult(a, term);
            let mut facts = vec![self.terms.not(grows)];
            if op == ArithOp::Rem {
                facts.push(self.terms.ult(term, b));
            }
            let facts = self.terms.and(&facts);
            let fact = self.terms.or(&[undefined, facts]);
            let variables = self.terms.free_variables(fact).to_vec();
            self.axiom_of(term, &variables, fact);
        }
        term
    }
}

/// Literals up to 8 in a program with a COUNT, and one more.
fn most_counted(program: &Program) -> u64 {
    let counts = program
        .exprs
        .iter()
        .any(|e| matches!(e.kind, ExprKind::Count(_)));
    let literal = |kind: &ExprKind| match *kind {
        ExprKind::Int(value) if value <= 8 => Some(value),
        _ => None,
    };
    let most = program.exprs.iter().filter_map(|e| literal(&e.kind)).max();
    match most {
        Some(most) if counts && most > 0 => most + 1,
        _ => 0,
    }
}

impl Domain for Unbounded {
    type Bool = Term;
    type Int = Term;
    type Elem = Term;
    type List = Rc<Set>;
    type Users = Term;

    term_logic!();

    fn decide(&mut self, condition: &Term) -> Term {
        self.decided(*condition)
    }
    fn arith(&mut self, op: ArithOp, a: &Term, b: &Term) -> Term {
        let literal = |term: &Term| matches!(self.terms.node(*term), Node::Word(_));
        let plain = match op {
            ArithOp::Add | ArithOp::Sub => true,
            ArithOp::Mul => literal(a) || literal(b),
            ArithOp::Div | ArithOp::Rem => literal(a) && literal(b),
        };
        if plain || self.arithmetic == Arithmetic::Exact {
            exact(&mut self.terms, op, *a, *b)
        } else {
            self.abstract_arith(op, *a, *b)
        }
    }
    fn time(&mut self) -> Term {
        self.time
    }
    fn random(&mut self, site: SiteId, scope: &[Bound<Self>]) -> Term {
        let elems: Vec<Term> = scope.iter().map(|bound| bound.elem).collect();
        let key = (self.run, site, elems.len());
        let func = if let Some(&func) = self.randoms.get(&key) {
            func
        } else {
            let sorts: Vec<Sort> = elems.iter().map(|&e| self.terms.sort(e)).collect();
            let func = self.terms.declare("random", &sorts, Sort::Word);
            self.randoms.insert(key, func);
            let value = self.terms.apply(func, &elems);
            self.limit(&elems, value, 32);
            func
        };
        self.terms.apply(func, &elems)
    }

    fn placeholder(&mut self, kind: Kind) -> Term {
        match kind {
            Kind::Subflow => self.symbol("no_subflow", Sort::Subflow, &[]),
            Kind::Packet => self.symbol("no_packet", Sort::Packet, &[]),
        }
    }
    fn subflow_int(&mut self, property: SubflowInt, subflow: &Term) -> Term {
        if property == SubflowInt::RttMs {
            let rtt = self.subflow_int(SubflowInt::Rtt, subflow);
            let thousand = self.terms.word(1000);
            return self.arith(ArithOp::Div, &rtt, &thousand);
        }
        let func = self.subflow_func(property);
        let value = self.terms.apply(func, &[*subflow]);
        match &self.moved {
            Some(moved) if property == SubflowInt::Queued => {
                let more = self.terms.add(value, moved.count);
                let this = self.terms.eq(*subflow, moved.subflow);
                self.terms.ite(this, more, value)
            }
            _ => value,
        }
    }
    fn subflow_bool(&mut self, property: SubflowBool, subflow: &Term) -> Term {
        let func = if let Some(&func) = self.subflow_bools.get(&property) {
            func
        } else {
            let func = self
                .terms
                .declare(property.name(), &[Sort::Subflow], Sort::Bool);
            self.subflow_bools.insert(property, func);
            func
        };
        self.terms.apply(func, &[*subflow])
    }
    fn has_window_for(&mut self, subflow: &Term, packet: &Term) -> Term {
        self.terms.apply(self.window, &[*packet, *subflow])
    }
    fn packet_int(&mut self, property: PacketInt, packet: &Term) -> Term {
        let func = self.packet_func(property);
        self.terms.apply(func, &[*packet])
    }
    fn psh(&mut self, packet: &Term) -> Term {
        self.terms.apply(self.psh, &[*packet])
    }
    fn sent_on(&mut self, packet: &Term, subflow: &Term) -> Term {
        let before = self.terms.apply(self.sent, &[*packet, *subflow]);
        let Some(moved) = &self.moved else {
            return before;
        };
        let this = self.terms.eq(*subflow, moved.subflow);
        let now = moved.sent;
        let now = self
            .terms
            .substitute(now, &[(self.canonical_packet, *packet)]);
        let now = self.terms.and(&[this, now]);
        self.terms.or(&[before, now])
    }
    fn sent_on_all(&mut self, packet: &Term) -> Term {
        let s = self.canonical_subflow;
        let present = self.terms.apply(self.present, &[s]);
        let sent = self.sent_on(packet, &s);
        let body = self.terms.implies(present, sent);
        self.terms.forall(&[s], body)
    }
    fn user(&mut self, users: &Term, subflow: &Term) -> Term {
        let s = self.canonical_subflow;
        self.terms.substitute(*users, &[(s, *subflow)])
    }
    fn set_user(&mut self, users: &Term, subflow: &Term, guard: &Term, value: &Term) -> Term {
        let this = self.terms.eq(self.canonical_subflow, *subflow);
        let written = self.terms.and(&[*guard, this]);
        self.terms.ite(written, *value, *users)
    }

    fn subflows(&mut self) -> Rc<Set> {
        let formula = self.terms.apply(self.present, &[self.canonical_subflow]);
        Rc::new(Set {
            kind: Kind::Subflow,
            formula,
            parent: None,
        })
    }
    fn empty(&mut self, list: &Rc<Set>) -> Term {
        self.witness_empty(list).0
    }
    fn count(&mut self, list: &Rc<Set>) -> Term {
        self.witness_count(list)
    }
    fn end(&mut self, list: &Rc<Set>, last: bool) -> Nullable<Self, Term> {
        self.witness_end(list, last)
    }
    fn get(&mut self, list: &Rc<Set>, index: &Term) -> Nullable<Self, Term> {
        self.witness_get(list, *index)
    }
    fn filter(&mut self, list: &Rc<Set>, predicate: &mut PredicateFn<'_, Self>) -> Rc<Set> {
        let x = self.enter_lambda(list.kind);
        let member = self.at(list, x);
        let keeps = predicate(self, &x, &member);
        self.leave_lambda();
        self.rank_witnesses(list, x, keeps);
        let canonical = self.canonical(list.kind);
        let keeps = self.terms.substitute(keeps, &[(x, canonical)]);
        let formula = self.terms.and(&[list.formula, keeps]);
        Rc::new(Set {
            kind: list.kind,
            formula,
            parent: Some(Rc::clone(list)),
        })
    }
    fn extremum(
        &mut self,
        which: Extremum,
        list: &Rc<Set>,
        key: &mut KeyFn<'_, Self>,
    ) -> Nullable<Self, Term> {
        let (counted, key) = self.keyed(list, key);
        self.witness_extremum(which, &counted, key)
    }
    fn sum(&mut self, list: &Rc<Set>, key: &mut KeyFn<'_, Self>) -> (Term, Term) {
        let (counted, key) = self.keyed(list, key);
        self.witness_sum(&counted, key)
    }
    fn still_in(&mut self, list: &Rc<Set>, queue: &Rc<Set>) -> Rc<Set> {
        if list.formula == queue.formula {
            return Rc::clone(list);
        }
        let formula = self.terms.and(&[list.formula, queue.formula]);
        Rc::new(Set {
            kind: list.kind,
            formula,
            parent: Some(Rc::clone(list)),
        })
    }
    fn remove(&mut self, queue: &Rc<Set>, elem: &Term, guard: &Term) -> Rc<Set> {
        let this = self.terms.eq(self.canonical(queue.kind), *elem);
        let gone = self.terms.and(&[*guard, this]);
        let stays = self.terms.not(gone);
        let formula = self.terms.and(&[queue.formula, stays]);
        Rc::new(Set {
            kind: queue.kind,
            formula,
            parent: Some(Rc::clone(queue)),
        })
    }
    fn insert(&mut self, queue: &Rc<Set>, elem: &Term, guard: &Term) -> Rc<Set> {
        let this = self.terms.eq(self.canonical(queue.kind), *elem);
        let added = self.terms.and(&[*guard, this]);
        let formula = self.terms.or(&[queue.formula, added]);
        Rc::new(Set {
            kind: queue.kind,
            formula,
            parent: None,
        })
    }

    fn foreach(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        list: &Rc<Set>,
        guard: &Term,
    ) {
        if self.lockstep.is_on() && machine.scope().is_empty() {
            // On a path it is known whether a loop goes around at all.
            let empty = self.empty(list);
            let empty = self.decided(empty);
            if self.terms.node(empty) == Node::Bool(true) {
                return;
            }
        }
        self.summarise(machine, each, list, *guard);
    }
}

impl Unbounded {
    /// The members whose key is not NULL, and the key over the canonical variable.
    fn keyed(&mut self, list: &Rc<Set>, key: &mut KeyFn<'_, Self>) -> (Rc<Set>, Term) {
        let x = self.enter_lambda(list.kind);
        let member = self.at(list, x);
        let Nullable { null, value } = key(self, &x, &member);
        self.leave_lambda();
        let canonical = self.canonical(list.kind);
        let given = self.terms.not(null);
        let given = self.terms.substitute(given, &[(x, canonical)]);
        let key = self.terms.substitute(value, &[(x, canonical)]);
        let formula = self.terms.and(&[list.formula, given]);
        let counted = if formula == list.formula {
            Rc::clone(list)
        } else {
            Rc::new(Set {
                kind: list.kind,
                formula,
                parent: Some(Rc::clone(list)),
            })
        };
        (counted, key)
    }
}

impl Judge for Unbounded {
    type Renaming = Vec<(Term, Term)>;

    fn same(&mut self, a: &Term, b: &Term) -> Term {
        self.terms.eq(*a, *b)
    }
    fn is_member(&mut self, list: &Rc<Set>, elem: &Term) -> Term {
        self.at(list, *elem)
    }
    fn some_member(
        &mut self,
        list: &Rc<Set>,
        condition: &mut dyn FnMut(&mut Self, &Term) -> Term,
    ) -> Term {
        let x = self.fresh_variable(list.kind);
        let member = self.at(list, x);
        let holds = condition(self, &x);
        let both = self.terms.and(&[member, holds]);
        self.terms.exists(&[x], both)
    }
    fn users_differ(&mut self, a: &Term, b: &Term) -> Term {
        let s = self.canonical_subflow;
        let same = self.terms.eq(*a, *b);
        let differ = self.terms.not(same);
        let present = self.terms.apply(self.present, &[s]);
        let both = self.terms.and(&[present, differ]);
        self.terms.exists(&[s], both)
    }
    fn copies(
        &mut self,
        pushes: &[Event<Self>],
        packet: Option<&Term>,
        subflow: Option<&Term>,
        most: u64,
    ) -> Term {
        self.different_copies(pushes, packet.copied(), subflow.copied(), most)
    }
    fn fresh(&mut self, scope: &[Bound<Self>]) -> Vec<(Term, Term)> {
        scope
            .iter()
            .map(|bound| (bound.elem, self.fresh_variable(bound.kind)))
            .collect()
    }
    fn rename_bool(&mut self, renaming: &Vec<(Term, Term)>, x: &Term) -> Term {
        self.terms.substitute(*x, renaming)
    }
    fn rename_int(&mut self, renaming: &Vec<(Term, Term)>, x: &Term) -> Term {
        self.terms.substitute(*x, renaming)
    }
    fn rename_elem(&mut self, renaming: &Vec<(Term, Term)>, x: &Term) -> Term {
        self.terms.substitute(*x, renaming)
    }
    fn close(&mut self, renaming: &Vec<(Term, Term)>, x: &Term) -> Term {
        let variables: Vec<Term> = renaming.iter().map(|&(_, new)| new).collect();
        self.terms.exists(&variables, *x)
    }
}
