//! FOREACH without guessed invariants, for lists of any length.
//!
//! The body is evaluated once, for an arbitrary element from an arbitrary
//! intermediate state. What is known of that state, and of the state after the
//! loop, is stated as axioms about fresh symbols; the tests check that every
//! actual loop gives the symbols values that meet them (specs/proofs.md, "Loops").

use std::rc::Rc;

use progmp_ir::{
    Block, Event, EventKind, ExprId, ExprKind, Kind, Loop, Machine, Nullable, Operand, PrintArg,
    Program, QueueName, SchedReg, State, Stmt, StmtId, StmtKind, SubflowInt, Value, VarId,
};

use crate::judge::Instance;
use crate::smt::{Answer, Limits, Node, Profile, Solver, Sort, Term};
use crate::unbounded::{Set, Unbounded};

/// A loop that was summarised, to be found again from equal values.
pub(crate) struct LoopMemo {
    at: StmtId,
    entry: Vec<Term>,
    events: Vec<Event<Unbounded>>,
    after: State<Unbounded>,
}

/// One iteration of a loop, for an arbitrary element, and what came of all.
pub(crate) struct Unrolled {
    /// Elements of the enclosing loops.
    pub(crate) outer: Vec<Term>,
    /// The element.
    pub(crate) it: Term,
    pub(crate) kind: Kind,
    /// The loop is reached, and the element a member.
    pub(crate) reached: Term,
    /// The loop is reached.
    pub(crate) guard: Term,
    pub(crate) list: Rc<Set>,
    /// Before the loop.
    pub(crate) entered: State<Unbounded>,
    /// Before the iteration.
    pub(crate) begun: State<Unbounded>,
    /// After it.
    pub(crate) ended: State<Unbounded>,
    /// After the loop.
    pub(crate) after: State<Unbounded>,
    /// What the iteration does.
    pub(crate) events: Vec<Event<Unbounded>>,
}

/// What a loop's body may do, read off its text.
#[derive(Clone, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts about a text"
)]
pub(crate) struct Body {
    registers: [bool; 6],
    pub(crate) sets: [bool; 6],
    pub(crate) pops: [bool; 3],
    pub(crate) sets_user: bool,
    only_own_user: bool,
    reads_user: bool,
    pub(crate) returns: bool,
    random: bool,
    queues: [bool; 3],
    vars: Vec<VarId>,
}

impl Unbounded {
    /// Runs a loop: replays its summary if it was met with equal values, else makes one.
    pub(crate) fn summarise(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        list: &Rc<Set>,
        guard: Term,
    ) {
        let body = Body::of(machine.program(), each);
        if self.lead(machine, each, &body, list, guard)
            || self.follow(machine, each, &body, list, guard)
        {
            return;
        }
        let entry = self.entry(machine, &body, list, guard);
        if let Some(memo) = self
            .loops
            .iter()
            .find(|m| m.at == each.at && m.entry == entry)
        {
            machine.log.extend_from_slice(&memo.events);
            body.adopt(&mut machine.state, &memo.after);
            return;
        }
        let start = machine.log.len();
        self.unroll_once(machine, each, &body, list, guard);
        self.loops.push(LoopMemo {
            at: each.at,
            entry,
            events: machine.log[start..].to_vec(),
            after: machine.state.clone(),
        });
    }

    /// Everything that the loop's summary is a function of.
    fn entry(
        &mut self,
        machine: &Machine<'_, Self>,
        body: &Body,
        list: &Rc<Set>,
        guard: Term,
    ) -> Vec<Term> {
        let state = &machine.state;
        let mut entry = vec![list.formula, guard, state.returned];
        entry.extend(machine.scope().iter().map(|bound| bound.elem));
        for reg in SchedReg::all().filter(|reg| body.registers[reg.index()]) {
            entry.push(state.registers[reg.index()]);
        }
        if body.reads_user || body.sets_user {
            entry.push(state.users);
        }
        for name in QueueName::ALL {
            if body.queues[name as usize] {
                entry.push(state.queue(name).formula);
            }
        }
        for &var in &body.vars {
            match machine.var(var) {
                Some(Value::Int(v) | Value::Bool(v) | Value::Elem(_, v)) => {
                    entry.extend([v.null, v.value]);
                }
                Some(Value::List(_, l)) => entry.push(l.formula),
                None => {}
            }
        }
        if body.random {
            // Each execution draws anew: nothing is shared between runs.
            entry.push(self.terms.word(self.run as u64));
        }
        entry
    }

    pub(crate) fn unroll_once(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        body: &Body,
        list: &Rc<Set>,
        guard: Term,
    ) -> Unrolled {
        let outer: Vec<Term> = machine.scope().iter().map(|bound| bound.elem).collect();
        let it = self.fresh_variable(each.kind);
        let mut inner = outer.clone();
        inner.push(it);
        let member = self.at(list, it);
        let reached = self.terms.and(&[guard, member]);
        let first = self.witness_end(list, false);
        let entered = machine.state.clone();

        machine.state = self.intermediate(&entered, body, each, &inner, &first);
        let begun = machine.state.clone();
        let start = machine.log.len();
        machine.iterate(self, each, &it, &reached);
        let events: Vec<Event<Self>> = machine.log[start..].to_vec();
        let ended = machine.state.clone();

        let ctx = Context {
            outer,
            inner,
            it,
            kind: each.kind,
            reached,
            guard,
            list,
        };
        machine.state = self.outcome(&ctx, body, &events, &entered, &begun, &ended);
        Unrolled {
            outer: ctx.outer,
            it,
            kind: each.kind,
            reached,
            guard,
            list: Rc::clone(list),
            entered,
            begun,
            ended,
            after: machine.state.clone(),
            events,
        }
    }

    /// An arbitrary state before the iteration for the last of `inner`.
    fn intermediate(
        &mut self,
        entered: &State<Self>,
        body: &Body,
        each: &Loop<'_>,
        inner: &[Term],
        first: &Nullable<Self, Term>,
    ) -> State<Self> {
        let (&it, outer) = inner.split_last().expect("an iteration has an element");
        let p = self.canonical_packet;
        let mut begun = entered.clone();
        let at_first = |this: &mut Self, term: Term, entry: Term, free: &[Term]| {
            let there = this.terms.substitute(term, &[(it, first.value)]);
            let same = this.terms.eq(there, entry);
            let fact = this.terms.or(&[first.null, same]);
            let mut variables = outer.to_vec();
            variables.extend_from_slice(free);
            this.axiom(&variables, fact);
        };
        let mut with_packet = inner.to_vec();
        with_packet.push(p);
        for name in QueueName::ALL {
            if body.pops[name as usize] {
                let before = entered.queue(name).formula;
                let now = self.symbol("left_in", Sort::Bool, &with_packet);
                let subset = self.terms.implies(now, before);
                self.axiom(&with_packet, subset);
                at_first(self, now, before, &[p]);
                begun.queues[name as usize] = Self::left_over(now, entered.queue(name));
            }
        }
        self.move_popped(&mut begun, entered, body);
        for reg in SchedReg::all().filter(|reg| body.sets[reg.index()]) {
            let now = self.symbol("register", Sort::Word, inner);
            at_first(self, now, entered.registers[reg.index()], &[]);
            begun.registers[reg.index()] = now;
        }
        if body.sets_user {
            let s = self.canonical_subflow;
            let mut with_subflow = inner.to_vec();
            with_subflow.push(s);
            let now = self.symbol("user", Sort::Word, &with_subflow);
            at_first(self, now, entered.users, &[s]);
            begun.users = if body.only_own_user && each.kind == Kind::Subflow {
                let own = self.terms.eq(s, it);
                self.terms.ite(own, entered.users, now)
            } else {
                now
            };
        }
        if body.returns {
            let now = self.symbol("gone", Sort::Bool, inner);
            let kept = self.terms.implies(entered.returned, now);
            self.axiom(inner, kept);
            at_first(self, now, entered.returned, &[]);
            begun.returned = now;
        }
        begun
    }

    fn left_over(formula: Term, parent: &Rc<Set>) -> Rc<Set> {
        Rc::new(Set {
            kind: Kind::Packet,
            formula,
            parent: Some(Rc::clone(parent)),
        })
    }

    /// What left Q is in QU.
    fn move_popped(&mut self, state: &mut State<Self>, entered: &State<Self>, body: &Body) {
        if body.pops[QueueName::Send as usize] {
            let was = entered.queue(QueueName::Send).formula;
            let is = state.queue(QueueName::Send).formula;
            let left = self.terms.not(is);
            let moved = self.terms.and(&[was, left]);
            let unacked = entered.queue(QueueName::Unacked).formula;
            let formula = self.terms.or(&[unacked, moved]);
            state.queues[QueueName::Unacked as usize] = Rc::new(Set {
                kind: Kind::Packet,
                formula,
                parent: None,
            });
        }
    }

    /// The state after the loop.
    fn outcome(
        &mut self,
        ctx: &Context<'_>,
        body: &Body,
        events: &[Event<Self>],
        entered: &State<Self>,
        begun: &State<Self>,
        ended: &State<Self>,
    ) -> State<Self> {
        let mut after = entered.clone();
        for name in QueueName::ALL {
            if body.pops[name as usize] {
                after.queues[name as usize] =
                    self.popped(ctx, name, events, entered.queue(name), ended.queue(name));
            }
        }
        self.move_popped(&mut after, entered, body);
        for reg in SchedReg::all().filter(|reg| body.sets[reg.index()]) {
            let cell = reg.index();
            after.registers[cell] = self.register(
                ctx,
                events,
                reg,
                [
                    entered.registers[cell],
                    begun.registers[cell],
                    ended.registers[cell],
                ],
            );
        }
        if body.sets_user {
            after.users = self.users(ctx, body, events, entered.users, ended.users);
        }
        if body.returns {
            after.returned = self.returned(ctx, [entered.returned, begun.returned, ended.returned]);
        }
        after
    }

    fn popped(
        &mut self,
        ctx: &Context<'_>,
        name: QueueName,
        events: &[Event<Self>],
        entered: &Rc<Set>,
        ended: &Rc<Set>,
    ) -> Rc<Set> {
        let p = self.canonical_packet;
        let mut variables = ctx.outer.clone();
        variables.push(p);
        let left = self.symbol("left_in", Sort::Bool, &variables);
        let subset = self.terms.implies(left, entered.formula);
        self.axiom(&variables, subset);

        let mut with_it = ctx.inner.clone();
        with_it.push(p);
        let survives = self.terms.and(&[ctx.reached, left]);
        let survives = self.terms.implies(survives, ended.formula);
        self.axiom(&with_it, survives);

        let mut takers = Vec::new();
        for event in events {
            if let EventKind::Pop { queue, .. } = event.kind
                && queue == name
            {
                let taker = self.inner_instance(ctx, event);
                let EventKind::Pop { packet, .. } = taker.kind else {
                    unreachable!()
                };
                let this = self.terms.eq(packet, p);
                takers.push(taker.exists(self, &this));
            }
        }
        let taken = self.terms.or(&takers);
        let gone = self.terms.not(left);
        let gone = self.terms.and(&[entered.formula, gone]);
        let explained = self.terms.implies(gone, taken);
        self.axiom(&variables, explained);
        Self::left_over(left, entered)
    }

    fn register(
        &mut self,
        ctx: &Context<'_>,
        events: &[Event<Self>],
        reg: SchedReg,
        [entered, begun, ended]: [Term; 3],
    ) -> Term {
        let out = self.symbol("register", Sort::Word, &ctx.outer);
        let writes: Vec<(&Event<Self>, Term)> = events
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::Set {
                    reg: written,
                    value,
                    ..
                } if written == reg => Some((event, value)),
                _ => None,
            })
            .collect();

        let mut cases = vec![self.terms.eq(out, entered)];
        for (event, _) in &writes {
            let write = self.inner_instance(ctx, event);
            let EventKind::Set { value, .. } = write.kind else {
                unreachable!()
            };
            let written = self.terms.eq(out, value);
            cases.push(write.exists(self, &written));
        }
        let explained = self.terms.or(&cases);
        self.axiom(&ctx.outer, explained);

        // Never lowered in an iteration, never lower after the loop; likewise for raised.
        for rises in [true, false] {
            let order = |this: &mut Self, a: Term, b: Term| {
                let (low, high) = if rises { (a, b) } else { (b, a) };
                let falls = this.terms.ult(high, low);
                this.terms.not(falls)
            };
            let keeps = order(self, begun, ended);
            let breaks = self.terms.not(keeps);
            let query = self.terms.and(&[ctx.reached, breaks]);
            if self.side_query_fails(query) {
                let up_to_here = order(self, entered, begun);
                let from_here = order(self, ended, out);
                let up_to_here = self.terms.implies(ctx.reached, up_to_here);
                self.axiom_of(begun, &ctx.inner, up_to_here);
                let from_here = self.terms.implies(ctx.reached, from_here);
                self.axiom_of(out, &ctx.inner, from_here);
                break;
            }
        }

        if let [(event, value)] = writes[..] {
            self.only_write(ctx, event, value, [entered, begun, out]);
        }
        out
    }

    /// The one SET of a register in a loop: a constant step gives a closed form, a value that is
    /// the same in every iteration is the value afterwards.
    fn only_write(
        &mut self,
        ctx: &Context<'_>,
        event: &Event<Self>,
        value: Term,
        [entered, begun, out]: [Term; 3],
    ) {
        let variables = self.terms.free_variables(value);
        if variables
            .iter()
            .all(|variable| ctx.outer.contains(variable))
        {
            let write = self.inner_instance(ctx, event);
            let always = self.terms.bool(true);
            let happens = write.exists(self, &always);
            let same = self.terms.eq(out, value);
            let fact = self.terms.implies(happens, same);
            self.axiom(&ctx.outer, fact);
            return;
        }
        let step = match self.terms.node(value) {
            Node::Add(a, b) => match (self.terms.node(a), self.terms.node(b)) {
                (Node::Word(step), _) if b == begun => Some(step),
                (_, Node::Word(step)) if a == begun => Some(step),
                _ => None,
            },
            Node::Sub(a, b) if a == begun => match self.terms.node(b) {
                Node::Word(step) => Some(step.wrapping_neg()),
                _ => None,
            },
            _ => None,
        };
        // One step for each element in whose iteration the SET is executed, whatever that
        // depends on: the guard speaks of the actual state of each iteration.
        let (Some(step), true) = (step, event.scope.len() == ctx.inner.len()) else {
            return;
        };
        let counted = if event.guard == ctx.reached {
            Rc::clone(ctx.list)
        } else {
            let canonical = self.canonical(ctx.kind);
            let formula = self.terms.substitute(event.guard, &[(ctx.it, canonical)]);
            Rc::new(Set {
                kind: ctx.kind,
                formula,
                parent: Some(Rc::clone(ctx.list)),
            })
        };
        let count = self.witness_count(&counted);
        let step = self.terms.word(step);
        let growth = self.terms.mul(step, count);
        let sum = self.terms.add(entered, growth);
        let same = self.terms.eq(out, sum);
        let fact = self.terms.implies(ctx.guard, same);
        self.axiom_of(out, &ctx.outer, fact);
    }

    fn users(
        &mut self,
        ctx: &Context<'_>,
        body: &Body,
        events: &[Event<Self>],
        entered: Term,
        ended: Term,
    ) -> Term {
        let s = self.canonical_subflow;
        let writes: Vec<&Event<Self>> = events
            .iter()
            .filter(|event| matches!(event.kind, EventKind::SetUser { .. }))
            .collect();
        let direct = writes
            .iter()
            .all(|event| event.scope.len() == ctx.inner.len());
        if body.only_own_user && ctx.kind == Kind::Subflow && direct {
            // Each element is updated by its own iteration and by no other.
            let own = self.terms.substitute(ended, &[(s, ctx.it)]);
            let own = self.terms.substitute(own, &[(ctx.it, s)]);
            let visited = self.terms.substitute(ctx.reached, &[(ctx.it, s)]);
            return self.terms.ite(visited, own, entered);
        }
        let mut variables = ctx.outer.clone();
        variables.push(s);
        let out = self.symbol("user", Sort::Word, &variables);
        let mut cases = vec![self.terms.eq(out, entered)];
        for event in writes {
            let write = self.inner_instance(ctx, event);
            let EventKind::SetUser { subflow, value, .. } = write.kind else {
                unreachable!()
            };
            let this = self.terms.eq(subflow, s);
            let written = self.terms.eq(out, value);
            let both = self.terms.and(&[this, written]);
            cases.push(write.exists(self, &both));
        }
        let explained = self.terms.or(&cases);
        self.axiom(&variables, explained);
        out
    }

    fn returned(&mut self, ctx: &Context<'_>, [entered, begun, ended]: [Term; 3]) -> Term {
        let out = self.symbol("gone", Sort::Bool, &ctx.outer);
        let kept = self.terms.implies(entered, out);
        self.axiom(&ctx.outer, kept);
        let leaves = self.terms.and(&[ctx.reached, ended]);
        let stays_gone = self.terms.implies(leaves, out);
        self.axiom(&ctx.inner, stays_gone);

        // Who is gone was returned by an iteration that began while running.
        let running = self.terms.not(begun);
        let returns_here = self.terms.and(&[ctx.reached, running, ended]);
        let some = self.terms.exists(&[ctx.it], returns_here);
        let before = self.terms.not(entered);
        let newly = self.terms.and(&[out, before]);
        let explained = self.terms.implies(newly, some);
        self.axiom(&ctx.outer, explained);

        let earlier = self.fresh_variable(ctx.kind);
        let returns_there = self.terms.substitute(returns_here, &[(ctx.it, earlier)]);
        let precedes = self.before(ctx.kind, earlier, ctx.it);
        let both = self.terms.and(&[returns_there, precedes]);
        let some = self.terms.exists(&[earlier], both);
        let newly = self.terms.and(&[ctx.reached, begun, before]);
        let explained = self.terms.implies(newly, some);
        self.axiom_of(begun, &ctx.inner, explained);
        out
    }

    /// An event of the body with fresh names for this loop's element and inner ones.
    fn inner_instance(&mut self, ctx: &Context<'_>, event: &Event<Self>) -> Instance<Self> {
        let inside = &event.scope[ctx.outer.len()..];
        let event = Event {
            guard: event.guard,
            scope: Rc::from(inside),
            kind: event.kind.clone(),
        };
        Instance::of(self, &event)
    }

    fn side_query_fails(&mut self, query: Term) -> bool {
        if let Node::Bool(value) = self.terms.node(query) {
            !value
        } else {
            let mut solver = Solver::new(
                &self.room,
                Profile::Proof,
                Limits {
                    rlimit: self.side_effort,
                },
            );
            for &axiom in &self.axioms {
                solver.assert(&self.terms, axiom);
            }
            solver.assert(&self.terms, query);
            matches!(solver.check(&self.terms), Answer::Unsat)
        }
    }
}

/// One loop while it is summarised.
struct Context<'l> {
    /// Elements of the enclosing loops.
    outer: Vec<Term>,
    /// … and this loop's.
    inner: Vec<Term>,
    /// This loop's element.
    it: Term,
    kind: Kind,
    /// The loop is reached and `it` is a member.
    reached: Term,
    /// The loop is reached.
    guard: Term,
    list: &'l Rc<Set>,
}

impl Body {
    fn of(program: &Program, each: &Loop<'_>) -> Self {
        let mut body = Self {
            only_own_user: true,
            ..Self::default()
        };
        body.block(program, each.var, each.body);
        body.vars.sort_unstable();
        body.vars.dedup();
        body
    }

    fn block(&mut self, program: &Program, own: VarId, block: &Block) {
        for stmt in block {
            self.stmt(program, own, stmt);
        }
    }

    fn stmt(&mut self, program: &Program, own: VarId, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::If {
                cond,
                then,
                otherwise,
            } => {
                self.expr(program, *cond);
                self.block(program, own, then);
                if let Some(block) = otherwise {
                    self.block(program, own, block);
                }
            }
            StmtKind::Foreach { list, body, .. } => {
                self.expr(program, *list);
                self.block(program, own, body);
            }
            StmtKind::Let { init, .. } => self.operand(program, *init),
            StmtKind::Set { reg, value } => {
                self.sets[reg.index()] = true;
                self.registers[reg.index()] = true;
                self.expr(program, *value);
            }
            StmtKind::SetUser { target, value } => {
                self.sets_user = true;
                self.only_own_user &= program.expr(*target).kind == ExprKind::Var(own);
                self.expr(program, *target);
                self.expr(program, *value);
            }
            StmtKind::Push { target, packet } => {
                self.expr(program, *target);
                self.operand(program, *packet);
            }
            StmtKind::Drop { packet } => self.operand(program, *packet),
            StmtKind::Print { args, .. } => {
                for arg in args {
                    if let PrintArg::Value(e) = arg {
                        self.expr(program, *e);
                    }
                }
            }
            StmtKind::Void(e) => {
                if let Some(e) = e {
                    self.expr(program, *e);
                }
            }
            StmtKind::Return => self.returns = true,
        }
    }

    fn operand(&mut self, program: &Program, operand: Operand) {
        match operand {
            Operand::Expr(e) => self.expr(program, e),
            Operand::Pop { list, .. } => {
                if let progmp_ir::ListSource::Queue(name) = program.list_source(list) {
                    self.pops[name as usize] = true;
                    self.queues[name as usize] = true;
                    if name == QueueName::Send {
                        self.queues[QueueName::Unacked as usize] = true;
                    }
                }
                self.expr(program, list);
            }
        }
    }

    fn expr(&mut self, program: &Program, id: ExprId) {
        match &program.expr(id).kind {
            ExprKind::Register(reg) => self.registers[reg.index()] = true,
            ExprKind::Random(_) => self.random = true,
            ExprKind::Var(var) => self.vars.push(*var),
            ExprKind::SubflowInt(SubflowInt::User, _) => self.reads_user = true,
            ExprKind::Queue(name) => self.queues[*name as usize] = true,
            _ => {}
        }
        for child in program.expr(id).kind.children() {
            self.expr(program, child);
        }
    }

    /// Takes over what the loop may have changed.
    pub(crate) fn adopt(&self, state: &mut State<Unbounded>, after: &State<Unbounded>) {
        for reg in SchedReg::all().filter(|reg| self.sets[reg.index()]) {
            state.registers[reg.index()] = after.registers[reg.index()];
        }
        if self.sets_user {
            state.users = after.users;
        }
        for name in QueueName::ALL {
            let moved = name == QueueName::Unacked && self.pops[QueueName::Send as usize];
            if self.pops[name as usize] || moved {
                state.queues[name as usize] = Rc::clone(after.queue(name));
            }
        }
        state.returned = after.returned;
    }
}
