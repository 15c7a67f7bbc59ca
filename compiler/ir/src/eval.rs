//! What one execution means, over a value domain (specs/semantics.md).
//!
//! A [`Machine`] walks the program once. Branches are not split: every effect
//! carries the guard under which it happens, and a domain that knows its guards
//! skips what is dead, which makes the concrete instance an ordinary interpreter.

use std::rc::Rc;

use crate::domain::{Bound, Domain, Event, EventKind, Nullable, Role, State, Value};
use crate::program::{
    Block, Expr, ExprId, ExprKind, Lambda, Operand, PrintArg, Program, Stmt, StmtId, StmtKind,
    VarId,
};
use crate::types::{ArithOp, Kind, ListSource, OrderOp, QueueName, SchedReg, SubflowInt, Type};

/// One FOREACH, as a domain sees it.
#[derive(Clone, Copy, Debug)]
pub struct Loop<'p> {
    /// The statement.
    pub at: StmtId,
    /// Its variable.
    pub var: VarId,
    /// What its elements are.
    pub kind: Kind,
    /// Its body.
    pub body: &'p Block,
}

/// One execution in progress.
pub struct Machine<'p, D: Domain> {
    program: &'p Program,
    /// Registers, users, queues, RETURN.
    pub state: State<D>,
    /// What happened so far, in program order.
    pub log: Vec<Event<D>>,
    vars: Vec<Option<Value<D>>>,
    scope: Vec<Bound<D>>,
    shared_scope: Rc<[Bound<D>]>,
}

impl<'p, D: Domain> Machine<'p, D> {
    /// A machine at the start of an execution in `state`.
    pub fn new(program: &'p Program, state: State<D>) -> Self {
        Self {
            program,
            state,
            log: Vec::new(),
            vars: vec![None; program.vars.len()],
            scope: Vec::new(),
            shared_scope: Rc::from([]),
        }
    }

    /// The program under execution.
    pub const fn program(&self) -> &'p Program {
        self.program
    }

    /// The value of a variable, once its declaration was executed.
    pub fn var(&self, var: VarId) -> Option<&Value<D>> {
        self.vars[var.index()].as_ref()
    }

    /// The elements of the enclosing lambdas and loops, outermost first.
    pub fn scope(&self) -> &[Bound<D>] {
        &self.scope
    }

    /// Runs the program from its first statement.
    pub fn execute(&mut self, d: &mut D) {
        let always = d.bool(true);
        self.block(d, &self.program.body, &always);
    }

    /// Runs one iteration of a loop with `elem`, under a guard that implies its membership.
    pub fn iterate(&mut self, d: &mut D, each: &Loop<'_>, elem: &D::Elem, guard: &D::Bool) {
        if d.known(guard) == Some(false) {
            return;
        }
        let null = d.bool(false);
        self.vars[each.var.index()] = Some(Value::Elem(
            each.kind,
            Nullable {
                null,
                value: elem.clone(),
            },
        ));
        self.enter(each.kind, elem);
        let live = self.live(d, guard);
        self.record(d, &live, || EventKind::Iterate { at: each.at });
        self.block(d, each.body, guard);
        self.leave();
    }

    /// Evaluates a predicate on one subflow, outside of any execution.
    pub fn predicate(&mut self, d: &mut D, lambda: Lambda, subflow: &D::Elem) -> D::Bool {
        let always = d.bool(true);
        self.lambda(d, Kind::Subflow, lambda, subflow, &always, Self::truth)
    }

    fn enter(&mut self, kind: Kind, elem: &D::Elem) {
        self.scope.push(Bound {
            kind,
            elem: elem.clone(),
        });
        self.shared_scope = Rc::from(self.scope.as_slice());
    }

    fn leave(&mut self) {
        self.scope.pop();
        self.shared_scope = Rc::from(self.scope.as_slice());
    }

    fn record(&mut self, d: &D, guard: &D::Bool, kind: impl FnOnce() -> EventKind<D>) {
        if d.known(guard) != Some(false) {
            self.log.push(Event {
                guard: guard.clone(),
                scope: Rc::clone(&self.shared_scope),
                kind: kind(),
            });
        }
    }

    fn live(&self, d: &mut D, guard: &D::Bool) -> D::Bool {
        let running = d.not(&self.state.returned);
        d.and(guard, &running)
    }

    fn block(&mut self, d: &mut D, block: &Block, guard: &D::Bool) {
        for stmt in block {
            let live = self.live(d, guard);
            if d.known(&live) == Some(false) {
                return;
            }
            self.statement(d, stmt, &live);
        }
    }

    fn statement(&mut self, d: &mut D, stmt: &Stmt, live: &D::Bool) {
        let at = stmt.id;
        match &stmt.kind {
            StmtKind::If {
                cond,
                then,
                otherwise,
            } => {
                let holds = self.truth(d, *cond, live);
                let holds = d.decide(&holds);
                let yes = d.and(live, &holds);
                let fails = d.not(&holds);
                let no = d.and(live, &fails);
                self.record(d, &yes, || EventKind::Branch { at, taken: true });
                self.block(d, then, &yes);
                if let Some(block) = otherwise {
                    self.record(d, &no, || EventKind::Branch { at, taken: false });
                    self.block(d, block, &no);
                }
            }
            StmtKind::Foreach { var, list, body } => {
                let kind = self.program.list_kind(*list);
                let (_, members) = self.list(d, *list, live);
                d.foreach(
                    self,
                    &Loop {
                        at,
                        var: *var,
                        kind,
                        body,
                    },
                    &members,
                    live,
                );
            }
            StmtKind::Let { var, init } => {
                let value = self.operand(d, at, *init, live);
                self.record(d, live, || EventKind::Let {
                    at,
                    value: value.clone(),
                });
                self.vars[var.index()] = Some(value);
            }
            StmtKind::Set { reg, value } => self.set(d, at, *reg, *value, live),
            StmtKind::SetUser { target, value } => self.set_user(d, at, *target, *value, live),
            StmtKind::Push { target, packet } => {
                let target = self.elem(d, *target, live);
                self.record(d, live, || receiver(at, Role::Target, &target));
                let present = given(d, &target);
                let live = d.and(live, &present);
                if d.known(&live) == Some(false) {
                    return;
                }
                let packet = self.packet_operand(d, at, *packet, &live);
                self.record(d, &live, || receiver(at, Role::Packet, &packet));
                let present = given(d, &packet);
                let acts = d.and(&live, &present);
                let (subflow, packet) = (target.value, packet.value);
                self.record(d, &acts, || EventKind::Push {
                    at,
                    subflow,
                    packet,
                });
            }
            StmtKind::Drop { packet } => {
                let packet = self.packet_operand(d, at, *packet, live);
                self.record(d, live, || receiver(at, Role::Packet, &packet));
                let present = given(d, &packet);
                let acts = d.and(live, &present);
                self.record(d, &acts, || EventKind::Drop {
                    at,
                    packet: packet.value,
                });
            }
            StmtKind::Print { args, .. } => {
                let values = args
                    .iter()
                    .filter_map(|arg| match arg {
                        PrintArg::Value(e) => Some(self.expr(d, *e, live)),
                        PrintArg::Text(_) => None,
                    })
                    .collect();
                self.record(d, live, || EventKind::Print { at, values });
            }
            StmtKind::Void(e) => {
                if let Some(e) = e {
                    self.expr(d, *e, live);
                }
            }
            StmtKind::Return => {
                self.record(d, live, || EventKind::Return { at });
                self.state.returned = d.or(&self.state.returned, live);
            }
        }
    }

    fn set(&mut self, d: &mut D, at: StmtId, reg: SchedReg, value: ExprId, live: &D::Bool) {
        let value = self.int(d, value, live);
        self.record(d, live, || EventKind::NullValue {
            at,
            null: value.null.clone(),
        });
        let present = given(d, &value);
        let acts = d.and(live, &present);
        let cell = reg.index();
        self.record(d, &acts, || EventKind::Set {
            at,
            reg,
            value: value.value.clone(),
        });
        self.state.registers[cell] = d.select(&acts, &value.value, &self.state.registers[cell]);
    }

    fn set_user(&mut self, d: &mut D, at: StmtId, target: ExprId, value: ExprId, live: &D::Bool) {
        let target = self.elem(d, target, live);
        self.record(d, live, || receiver(at, Role::Target, &target));
        let present = given(d, &target);
        let live = d.and(live, &present);
        if d.known(&live) == Some(false) {
            return;
        }
        let value = self.int(d, value, &live);
        self.record(d, &live, || EventKind::NullValue {
            at,
            null: value.null.clone(),
        });
        let present = given(d, &value);
        let acts = d.and(&live, &present);
        self.record(d, &acts, || EventKind::SetUser {
            at,
            subflow: target.value.clone(),
            value: value.value.clone(),
        });
        self.state.users = d.set_user(&self.state.users, &target.value, &acts, &value.value);
    }

    fn operand(&mut self, d: &mut D, at: StmtId, operand: Operand, live: &D::Bool) -> Value<D> {
        match operand {
            Operand::Expr(e) => self.expr(d, e, live),
            Operand::Pop { list, .. } => {
                let packet = self.pop(d, at, list, live);
                Value::Elem(Kind::Packet, packet)
            }
        }
    }

    fn packet_operand(
        &mut self,
        d: &mut D,
        at: StmtId,
        operand: Operand,
        live: &D::Bool,
    ) -> Nullable<D, D::Elem> {
        match self.operand(d, at, operand, live) {
            Value::Elem(_, packet) => packet,
            _ => unreachable!("a well-formed program pushes and drops packets"),
        }
    }

    fn pop(&mut self, d: &mut D, at: StmtId, list: ExprId, live: &D::Bool) -> Nullable<D, D::Elem> {
        let (source, members) = self.list(d, list, live);
        let ListSource::Queue(queue) = source else {
            unreachable!("a well-formed program pops packets")
        };
        let candidates = d.still_in(&members, self.state.queue(queue));
        let first = d.end(&candidates, false);
        let present = given(d, &first);
        let acts = d.and(live, &present);
        let packet = first.value.clone();
        self.record(d, &acts, || EventKind::Pop { at, queue, packet });
        let cell = queue as usize;
        self.state.queues[cell] = d.remove(&self.state.queues[cell], &first.value, &acts);
        if queue == QueueName::Send {
            let unacked = QueueName::Unacked as usize;
            self.state.queues[unacked] = d.insert(&self.state.queues[unacked], &first.value, &acts);
        }
        first
    }

    /// Evaluates an expression at a point that is reached under `guard`.
    pub fn expr(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> Value<D> {
        let program = self.program;
        let Expr { kind, ty, .. } = program.expr(id);
        match *kind {
            ExprKind::Int(value) => {
                let value = d.int(value);
                some_int(d, value)
            }
            ExprKind::Bool(value) => {
                let value = d.bool(value);
                some_bool(d, value)
            }
            ExprKind::Null => null_of(d, *ty),
            ExprKind::Register(reg) => some_int(d, self.state.registers[reg.index()].clone()),
            ExprKind::Time => {
                let value = d.time();
                some_int(d, value)
            }
            ExprKind::Random(site) => {
                let value = d.random(site, &self.scope);
                some_int(d, value)
            }
            ExprKind::Var(var) => match &self.vars[var.index()] {
                Some(value) => value.clone(),
                None => unreachable!("a well-formed program declares before it reads"),
            },
            ExprKind::Not(e) => {
                let operand = self.bool(d, e, guard);
                let value = d.not(&operand.value);
                Value::Bool(Nullable {
                    null: operand.null,
                    value,
                })
            }
            ExprKind::And(a, b) => {
                let left = self.truth(d, a, guard);
                let then = d.and(guard, &left);
                if d.known(&then) == Some(false) {
                    let never = d.bool(false);
                    let value = if d.known(&left) == Some(false) {
                        left
                    } else {
                        never
                    };
                    return some_bool(d, value);
                }
                let right = self.truth(d, b, &then);
                let value = d.and(&left, &right);
                some_bool(d, value)
            }
            ExprKind::Or(a, b) => {
                let left = self.truth(d, a, guard);
                let fails = d.not(&left);
                let then = d.and(guard, &fails);
                if d.known(&then) == Some(false) {
                    let always = d.bool(true);
                    return some_bool(d, always);
                }
                let right = self.truth(d, b, &then);
                let value = d.or(&left, &right);
                some_bool(d, value)
            }
            ExprKind::Arith(op, a, b) => self.arith(d, id, op, (a, b), guard),
            ExprKind::Order(op, a, b) => {
                let left = self.int(d, a, guard);
                let right = self.int(d, b, guard);
                self.record_compare(d, id, (a, &left), (b, &right), guard);
                let null = d.or(&left.null, &right.null);
                let (l, r) = (&left.value, &right.value);
                let value = match op {
                    OrderOp::Lt => d.less(l, r),
                    OrderOp::Gt => d.less(r, l),
                    OrderOp::Le => {
                        let greater = d.less(r, l);
                        d.not(&greater)
                    }
                    OrderOp::Ge => {
                        let less = d.less(l, r);
                        d.not(&less)
                    }
                };
                Value::Bool(Nullable { null, value })
            }
            ExprKind::Equal { a, b, negated } => {
                let equal = self.equal(d, id, a, b, guard);
                let value = if negated { d.not(&equal) } else { equal };
                some_bool(d, value)
            }
            ExprKind::SubflowInt(property, s) => {
                let s = self.receiver(d, id, s, guard);
                let value = if property == SubflowInt::User {
                    d.user(&self.state.users, &s.value)
                } else {
                    d.subflow_int(property, &s.value)
                };
                Value::Int(Nullable {
                    null: s.null,
                    value,
                })
            }
            ExprKind::SubflowBool(property, s) => {
                let s = self.receiver(d, id, s, guard);
                let value = d.subflow_bool(property, &s.value);
                Value::Bool(Nullable {
                    null: s.null,
                    value,
                })
            }
            ExprKind::HasWindowFor { subflow, packet } => {
                let s = self.receiver(d, id, subflow, guard);
                let p = self.elem(d, packet, guard);
                let null = d.or(&s.null, &p.null);
                let value = d.has_window_for(&s.value, &p.value);
                Value::Bool(Nullable { null, value })
            }
            ExprKind::PacketInt(property, p) => {
                let p = self.receiver(d, id, p, guard);
                let value = d.packet_int(property, &p.value);
                Value::Int(Nullable {
                    null: p.null,
                    value,
                })
            }
            ExprKind::Psh(p) => {
                let p = self.receiver(d, id, p, guard);
                let value = d.psh(&p.value);
                Value::Bool(Nullable {
                    null: p.null,
                    value,
                })
            }
            ExprKind::SentOn { packet, subflow } => {
                let p = self.receiver(d, id, packet, guard);
                let s = self.elem(d, subflow, guard);
                let null = d.or(&p.null, &s.null);
                let value = d.sent_on(&p.value, &s.value);
                Value::Bool(Nullable { null, value })
            }
            ExprKind::SentOnAll(p) => {
                let p = self.receiver(d, id, p, guard);
                let value = d.sent_on_all(&p.value);
                Value::Bool(Nullable {
                    null: p.null,
                    value,
                })
            }
            _ => self.list_expr(d, id, guard),
        }
    }

    fn list_expr(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> Value<D> {
        match self.program.expr(id).kind {
            ExprKind::Subflows => Value::List(ListSource::Subflows, d.subflows()),
            ExprKind::Queue(name) => {
                Value::List(ListSource::Queue(name), self.state.queue(name).clone())
            }
            ExprKind::Filter(l, lambda) => {
                let (source, members) = self.list(d, l, guard);
                let kept = d.filter(&members, &mut |d, elem, member| {
                    let guard = d.and(guard, member);
                    self.lambda(d, source.kind(), lambda, elem, &guard, Self::truth)
                });
                Value::List(source, kept)
            }
            ExprKind::Empty(l) => {
                let (_, members) = self.list(d, l, guard);
                let value = d.empty(&members);
                some_bool(d, value)
            }
            ExprKind::Count(l) => {
                let (_, members) = self.list(d, l, guard);
                let value = d.count(&members);
                some_int(d, value)
            }
            ExprKind::Get { list, index } => {
                let (source, members) = self.list(d, list, guard);
                let index = self.int(d, index, guard);
                let found = d.get(&members, &index.value);
                let given = d.not(&index.null);
                let reached = d.and(guard, &given);
                self.record(d, &reached, || EventKind::Index {
                    at: id,
                    outside: found.null.clone(),
                });
                let null = d.or(&index.null, &found.null);
                Value::Elem(
                    source.kind(),
                    Nullable {
                        null,
                        value: found.value,
                    },
                )
            }
            ExprKind::Extremum(which, l, lambda) => {
                let (source, members) = self.list(d, l, guard);
                let found = d.extremum(which, &members, &mut |d, elem, member| {
                    self.key(d, source.kind(), lambda, elem, member, guard)
                });
                Value::Elem(source.kind(), found)
            }
            ExprKind::Sum(l, lambda) => {
                let (source, members) = self.list(d, l, guard);
                let (value, wraps) = d.sum(&members, &mut |d, elem, member| {
                    self.key(d, source.kind(), lambda, elem, member, guard)
                });
                self.record(d, guard, || EventKind::Wrap { at: id, wraps });
                some_int(d, value)
            }
            ExprKind::First(l) => {
                let (source, members) = self.list(d, l, guard);
                Value::Elem(source.kind(), d.end(&members, false))
            }
            ExprKind::Last(l) => {
                let (source, members) = self.list(d, l, guard);
                Value::Elem(source.kind(), d.end(&members, true))
            }
            ref other => unreachable!("{other:?} is handled by `expr`"),
        }
    }

    fn key(
        &mut self,
        d: &mut D,
        kind: Kind,
        lambda: Lambda,
        elem: &D::Elem,
        member: &D::Bool,
        guard: &D::Bool,
    ) -> Nullable<D, D::Int> {
        let guard = d.and(guard, member);
        self.lambda(d, kind, lambda, elem, &guard, |m, d, body, guard| {
            m.int(d, body, guard)
        })
    }

    fn lambda<T>(
        &mut self,
        d: &mut D,
        kind: Kind,
        lambda: Lambda,
        elem: &D::Elem,
        guard: &D::Bool,
        body: impl FnOnce(&mut Self, &mut D, ExprId, &D::Bool) -> T,
    ) -> T {
        let null = d.bool(false);
        self.vars[lambda.param.index()] = Some(Value::Elem(
            kind,
            Nullable {
                null,
                value: elem.clone(),
            },
        ));
        self.enter(kind, elem);
        let result = body(self, d, lambda.body, guard);
        self.leave();
        result
    }

    fn arith(
        &mut self,
        d: &mut D,
        at: ExprId,
        op: ArithOp,
        (a, b): (ExprId, ExprId),
        guard: &D::Bool,
    ) -> Value<D> {
        let left = self.int(d, a, guard);
        let right = self.int(d, b, guard);
        let missing = d.or(&left.null, &right.null);
        let value = d.arith(op, &left.value, &right.value);
        let given = d.not(&missing);
        let reached = d.and(guard, &given);
        if matches!(op, ArithOp::Div | ArithOp::Rem) {
            let nought = d.int(0);
            let zero = d.equal(&right.value, &nought);
            self.record(d, &reached, || EventKind::Divide {
                at,
                zero: zero.clone(),
            });
            let null = d.or(&missing, &zero);
            return Value::Int(Nullable { null, value });
        }
        if d.known(&reached) != Some(false) {
            let wraps = d.wraps(op, &left.value, &right.value);
            self.record(d, &reached, || EventKind::Wrap { at, wraps });
        }
        Value::Int(Nullable {
            null: missing,
            value,
        })
    }

    fn equal(&mut self, d: &mut D, at: ExprId, a: ExprId, b: ExprId, guard: &D::Bool) -> D::Bool {
        let left = self.expr(d, a, guard);
        let right = self.expr(d, b, guard);
        match (&left, &right) {
            (Value::Int(x), Value::Int(y)) => {
                self.record_compare(d, at, (a, x), (b, y), guard);
                let same = d.equal(&x.value, &y.value);
                null_equal(d, &x.null, &y.null, &same)
            }
            (Value::Bool(x), Value::Bool(y)) => {
                let same = d.iff(&x.value, &y.value);
                null_equal(d, &x.null, &y.null, &same)
            }
            // Only NULL may stand beside a reference, and a list is never NULL.
            (Value::Elem(_, x), Value::Elem(_, y)) => d.and(&x.null, &y.null),
            _ => d.bool(false),
        }
    }

    fn record_compare(
        &mut self,
        d: &D,
        at: ExprId,
        (a, left): (ExprId, &Nullable<D, D::Int>),
        (b, right): (ExprId, &Nullable<D, D::Int>),
        guard: &D::Bool,
    ) {
        for (side, other) in [(a, right), (b, left)] {
            if let ExprKind::Register(reg) = self.program.expr(side).kind {
                self.record(d, guard, || EventKind::Compare {
                    at,
                    reg,
                    other: other.clone(),
                });
            }
        }
    }

    fn receiver(
        &mut self,
        d: &mut D,
        at: ExprId,
        receiver: ExprId,
        guard: &D::Bool,
    ) -> Nullable<D, D::Elem> {
        let elem = self.elem(d, receiver, guard);
        self.record(d, guard, || EventKind::Read {
            at,
            null: elem.null.clone(),
        });
        elem
    }

    /// The truth of a condition: NULL counts as FALSE.
    pub fn truth(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> D::Bool {
        let value = self.bool(d, id, guard);
        let present = given(d, &value);
        d.and(&present, &value.value)
    }

    fn bool(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> Nullable<D, D::Bool> {
        match self.expr(d, id, guard) {
            Value::Bool(value) => value,
            _ => unreachable!("a well-formed program has a bool here"),
        }
    }

    fn int(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> Nullable<D, D::Int> {
        match self.expr(d, id, guard) {
            Value::Int(value) => value,
            _ => unreachable!("a well-formed program has an int here"),
        }
    }

    fn elem(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> Nullable<D, D::Elem> {
        match self.expr(d, id, guard) {
            Value::Elem(_, value) => value,
            _ => unreachable!("a well-formed program has a reference here"),
        }
    }

    fn list(&mut self, d: &mut D, id: ExprId, guard: &D::Bool) -> (ListSource, D::List) {
        match self.expr(d, id, guard) {
            Value::List(source, list) => (source, list),
            _ => unreachable!("a well-formed program has a list here"),
        }
    }
}

/// Whether a value on which an effect depends is not NULL.
fn given<D: Domain, T>(d: &mut D, value: &Nullable<D, T>) -> D::Bool {
    let present = d.not(&value.null);
    d.decide(&present)
}

fn receiver<D: Domain>(at: StmtId, role: Role, elem: &Nullable<D, D::Elem>) -> EventKind<D> {
    EventKind::Receiver {
        at,
        role,
        null: elem.null.clone(),
    }
}

fn some_int<D: Domain>(d: &mut D, value: D::Int) -> Value<D> {
    Value::Int(Nullable {
        null: d.bool(false),
        value,
    })
}

fn some_bool<D: Domain>(d: &mut D, value: D::Bool) -> Value<D> {
    Value::Bool(Nullable {
        null: d.bool(false),
        value,
    })
}

fn null_of<D: Domain>(d: &mut D, ty: Type) -> Value<D> {
    let null = d.bool(true);
    match ty {
        Type::Int => Value::Int(Nullable {
            null,
            value: d.int(0),
        }),
        Type::Bool => Value::Bool(Nullable {
            null,
            value: d.bool(false),
        }),
        Type::Subflow => Value::Elem(
            Kind::Subflow,
            Nullable {
                null,
                value: d.placeholder(Kind::Subflow),
            },
        ),
        Type::Packet => Value::Elem(
            Kind::Packet,
            Nullable {
                null,
                value: d.placeholder(Kind::Packet),
            },
        ),
        Type::List(_) => unreachable!("a list is never NULL"),
    }
}

/// NULL equals NULL and nothing else; two values are equal if `same`.
fn null_equal<D: Domain>(d: &mut D, x: &D::Bool, y: &D::Bool, same: &D::Bool) -> D::Bool {
    let both = d.and(x, y);
    let either = d.or(x, y);
    let neither = d.not(&either);
    let equal = d.and(&neither, same);
    d.or(&both, &equal)
}
