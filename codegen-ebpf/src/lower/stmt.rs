//! Statements.

use progmp_abi::layout::{self, block, print};
use progmp_ir::{
    Block, ExprId, ExprKind, Kind, Operand, PrintArg, QueueName, Stmt, StmtId, StmtKind, Type,
    VarId,
};

use super::build::Val;
use super::elem::Elem;
use super::fold::{Body, Unroll};
use super::instep::takes_one;
use super::known::Known;
use super::packets::Packets;
use super::{Binding, Lower};
use crate::isa::Size;
use crate::vcode::BlockId;

const NULL: Val = Val::Const(u64::MAX);

impl<'p> Lower<'p> {
    /// The statements of a block. What follows a RETURN is written where nothing leads.
    pub(super) fn block(&mut self, block: &'p Block) {
        let slots = self.slots;
        for stmt in block {
            let outer = self.b.span;
            self.b.span = stmt.span;
            self.statement(stmt);
            self.b.span = outer;
        }
        self.slots = slots;
    }

    fn statement(&mut self, stmt: &'p Stmt) {
        match &stmt.kind {
            StmtKind::If {
                cond,
                then,
                otherwise,
            } => self.branches(*cond, then, otherwise.as_ref()),
            StmtKind::Foreach { var, list, body } => self.foreach(*var, *list, body),
            StmtKind::Let { var, init } => self.declare(*var, *init),
            StmtKind::Set { reg, value } => {
                let skip = self.b.block(0);
                let value = self.int(*value, skip);
                let base = self.b.base();
                let at = block::REG + 8 * reg.index();
                self.b.store(Size::U64, base, at, value);
                self.join(skip);
            }
            StmtKind::SetUser { target, value } => {
                let skip = self.b.block(0);
                let target = self.elem(*target, skip);
                let value = self.int(*value, skip);
                let (address, at) = self.user(target);
                self.b.store(Size::U64, address, at, value);
                self.join(skip);
            }
            StmtKind::Push { target, packet } => {
                let skip = self.b.block(0);
                let target = self.elem(*target, skip);
                let packet = self.operand(*packet, skip);
                let subflow = self.index(target);
                let shifted = self.b.shl(subflow, Val::Const(16));
                let packet = self.index(packet);
                let both = self.b.or(packet, shifted);
                self.act(layout::PUSH, both, skip);
            }
            StmtKind::Drop { packet } => {
                let skip = self.b.block(0);
                let packet = self.operand(*packet, skip);
                let packet = self.index(packet);
                self.act(layout::DROP, packet, skip);
            }
            StmtKind::Print { args, .. } => self.print(stmt.id, args),
            // An expression has no effect.
            StmtKind::Void(_) => {}
            StmtKind::Return => {
                let (exit, count) = (self.exit, self.count);
                self.b.goto((exit, &[count]));
                self.b.nowhere();
            }
        }
    }

    /// Goes on at a block, where another way leads too.
    fn join(&mut self, at: BlockId) {
        self.b.goto((at, &[]));
        self.b.switch(at);
    }

    /// Appends an action, and goes on where `skip` leads, too.
    fn act(&mut self, what: u32, operands: Val, skip: BlockId) {
        let place = self
            .b
            .and(self.count, Val::Const(layout::ACTIONS as u64 - 1));
        let distance = self.b.shl(place, Val::Const(2));
        let address = self.b.address(distance);
        let action = self.b.or(operands, Val::Const(u64::from(what) << 24));
        self.b.store(Size::U32, address, block::ACTION, action);
        let more = self.b.next32(self.count);
        let join = self.b.block(1);
        self.b.goto((join, &[more]));
        self.b.switch(skip);
        self.b.goto((join, &[self.count]));
        self.b.switch(join);
        self.count = self.b.params(join)[0];
    }

    fn branches(&mut self, cond: ExprId, then: &'p Block, otherwise: Option<&'p Block>) {
        let [yes, no] = std::array::from_fn(|_| self.b.block(0));
        let join = self.b.block(1);
        self.condition(cond, yes, no);
        let before = self.count;
        let known = self.known.clone();
        let mut after: Option<Known> = None;
        for (at, block, holds) in [(yes, Some(then), true), (no, otherwise, false)] {
            self.b.switch(at);
            self.count = before;
            self.known = known.clone();
            self.learn(cond, holds);
            if let Some(block) = block {
                self.block(block);
            }
            // What RETURN ends says nothing of what follows.
            let ends =
                |block: &Block| matches!(block.last().map(|s| &s.kind), Some(StmtKind::Return));
            if !block.is_some_and(ends) {
                match &mut after {
                    Some(after) => after.meet(&self.known),
                    None => after = Some(self.known.clone()),
                }
            }
            self.b.goto((join, &[self.count]));
        }
        // What a block computed is not computed behind it.
        let mut after = after.unwrap_or_default();
        after.forget_tops_but(&known);
        self.known = after;
        self.b.switch(join);
        self.count = self.b.params(join)[0];
    }

    fn foreach(&mut self, var: VarId, list: ExprId, body: &'p Block) {
        let init = [self.count];
        let slots = self.slots;
        let first = match self.program.expr(list).kind {
            // QU gets packets that are taken from Q.
            ExprKind::Queue(name) if name != QueueName::Unacked => {
                takes_one(self.program, body, name).then_some(name)
            }
            _ => None,
        };
        self.forget_popped(body);
        let known = self.known.clone();
        let each: &mut Body<'_, 'p> = &mut |lower, elem, carried, steps| {
            lower.count = carried[0];
            lower.known.clone_from(&known);
            if let Some(name) = first {
                lower.known.is_first(name, elem);
            }
            lower.enter(var, elem);
            lower.block(body);
            lower.leave();
            let count = lower.count;
            lower.b.goto((steps.next, &[count]));
        };
        let after = match self.kind_of(list) {
            Kind::Subflow => {
                let set = self.subflows(list);
                let skipped = self.start_skipping(var, set, body);
                let after = self.each_subflow(set, &init, Unroll::No, each);
                self.stop_skipping(skipped);
                after
            }
            Kind::Packet => {
                let list = self.stored(list);
                self.each_packet(&list, &init, each)
            }
        };
        self.slots = slots;
        self.known = known;
        self.count = after[0];
    }

    /// Evaluates the packet of PUSH or DROP; leaves for `null` if it is NULL.
    fn operand(&mut self, operand: Operand, null: BlockId) -> Elem {
        match operand {
            Operand::Expr(e) => self.elem(e, null),
            Operand::Pop { list, .. } => self.pop(list, null),
        }
    }

    fn declare(&mut self, var: VarId, init: Operand) {
        let binding = match (self.program.var(var).ty, init) {
            (Type::Int, Operand::Expr(e)) => {
                let bits = self.bits(e);
                let (value, null) = self.nullable_int(e);
                Binding::Int { value, null, bits }
            }
            (Type::Bool, Operand::Expr(e)) => self.bool_binding(e),
            (Type::List(source), Operand::Expr(e)) => match source.kind() {
                Kind::Subflow => Binding::Subflows(self.subflows(e)),
                Kind::Packet if self.first_only[var.index()] => self.first_member(e),
                Kind::Packet => Binding::Packets(self.stored(e)),
            },
            (Type::Subflow, init) => self.reference(Kind::Subflow, init),
            (Type::Packet, init) => self.reference(Kind::Packet, init),
            (_, Operand::Pop { .. }) => unreachable!("POP yields a packet"),
        };
        self.bind(var, binding);
    }

    /// A packet list that nothing changes any more. What is a snapshot already is not copied.
    fn stored(&mut self, list: ExprId) -> Packets {
        let list = self.packets(list);
        let is_snapshot = list.at >= block::SCRATCH;
        if is_snapshot && list.is_plain() {
            list
        } else {
            self.snapshot(&list)
        }
    }

    /// The first member of a packet list, for a variable of which nothing else is asked for.
    fn first_member(&mut self, list: ExprId) -> Binding {
        let list = self.packets(list);
        let source = list.source;
        let elem = if list.is_plain() {
            let null = self.b.block(0);
            let elem = self.first_packet(&list, null);
            self.or_null(elem, null)
        } else {
            Elem::new(Kind::Packet, self.find_first(&list))
        };
        Binding::First { elem, source }
    }

    fn reference(&mut self, kind: Kind, init: Operand) -> Binding {
        let null = self.b.block(0);
        let elem = self.operand(init, null);
        let nullable = match init {
            Operand::Expr(e) => self.program.expr(e).may_be_null,
            Operand::Pop { .. } => true,
        };
        let top = match init {
            Operand::Expr(e) => self.top_of_full(e).map(|_| e),
            Operand::Pop { .. } => None,
        };
        if let Some(e) = top {
            self.learn_top(e, elem);
        }
        if !nullable || top.is_some() {
            let index = elem.index;
            let elem = Elem::new(kind, index);
            let nullable = false;
            return Binding::Elem { elem, nullable };
        }
        let elem = self.or_null(elem, null);
        Binding::Elem { elem, nullable }
    }

    /// The element, or all ones as its index on the way that comes from `null`.
    pub(super) fn or_null(&mut self, elem: Elem, null: BlockId) -> Elem {
        let join = self.b.block(1);
        self.b.goto((join, &[elem.index]));
        self.b.switch(null);
        self.b.goto((join, &[NULL]));
        self.b.switch(join);
        let index = self.b.params(join)[0];
        let index = self.b.reload(index);
        Elem::new(elem.kind, index)
    }

    fn print(&mut self, at: StmtId, args: &[PrintArg]) {
        let values: Vec<ExprId> = args
            .iter()
            .filter_map(|arg| match arg {
                PrintArg::Value(e) => Some(*e),
                PrintArg::Text(_) => None,
            })
            .collect();
        if values.is_empty() {
            self.record(
                at,
                0,
                Val::Const(0),
                Val::Const(u64::from(layout::PRINT_TEXT)),
            );
        }
        for (arg, value) in (0..).zip(values) {
            let (value, null) = self.printed(value);
            let null = null.unwrap_or(Val::Const(0));
            self.record(at, arg, value, null);
        }
    }

    /// What PRINT shows of a value, and the flag of its record.
    fn printed(&mut self, id: ExprId) -> (Val, Option<Val>) {
        match self.program.expr(id).ty {
            Type::Int => self.nullable_int(id),
            Type::Bool => {
                let value = self.bool(id);
                let flag = self.b.shr(value, Val::Const(63));
                (value, Some(flag))
            }
            Type::Subflow | Type::Packet => {
                let null = self.b.block(0);
                let join = self.b.block(2);
                let elem = self.elem(id, null);
                let name = self.name(elem);
                self.b.goto((join, &[name, Val::Const(0)]));
                self.b.switch(null);
                self.b.goto((join, &[Val::Const(0), Val::Const(1)]));
                self.b.switch(join);
                let params = self.b.params(join);
                (params[0], Some(params[1]))
            }
            Type::List(_) => unreachable!("a well-formed program prints no list"),
        }
    }

    /// Appends a record to the ring.
    fn record(&mut self, at: StmtId, arg: u32, value: Val, flags: Val) {
        let base = self.b.base();
        let count = self.b.load(Size::U32, base, block::PRINT_COUNT);
        let place = self.b.and(count, Val::Const(layout::PRINTS as u64 - 1));
        let distance = self.b.shl(place, Val::Const(4));
        let address = self.b.address(distance);
        let stmt = Val::Const(at.index() as u64);
        let field = |offset| block::PRINT + offset;
        self.b.store(Size::U32, address, field(print::STMT), stmt);
        let arg = Val::Const(u64::from(arg));
        self.b.store(Size::U16, address, field(print::ARG), arg);
        self.b.store(Size::U16, address, field(print::FLAGS), flags);
        self.b.store(Size::U64, address, field(print::VALUE), value);
        let more = self.b.add(count, Val::Const(1));
        self.b.store(Size::U32, base, block::PRINT_COUNT, more);
    }
}
