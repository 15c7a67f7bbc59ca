//! Ints and conditions.

use progmp_abi::layout::{self, block, packet};
use progmp_ir::{ArithOp, ExprId, ExprKind, Kind, OrderOp, SubflowInt, Type};

use super::build::Val;
use super::{Binding, Lower};
use crate::isa::{AluOp, Cond};
use crate::vcode::BlockId;

const NULL: Val = Val::Const(u64::MAX);

impl Lower<'_> {
    /// Evaluates an int; leaves for `null` if it is NULL.
    pub(super) fn int(&mut self, id: ExprId, null: BlockId) -> Val {
        match self.program.expr(id).kind {
            ExprKind::Int(value) => Val::Const(value),
            ExprKind::Null => {
                self.b.goto((null, &[]));
                self.b.nowhere();
                Val::Const(0)
            }
            ExprKind::Register(reg) => self.b.member(block::REG + 8 * reg.index()),
            ExprKind::Time => self.b.member(block::TIME_MS),
            ExprKind::Random(site) => self.random(site),
            ExprKind::Var(var) => {
                let &Binding::Int {
                    value, null: is, ..
                } = self.var(var)
                else {
                    unreachable!("a well-formed program has an int here");
                };
                if let Some(is) = is {
                    self.b.leave_if(Cond::Ne, is, Val::Const(0), (null, &[]));
                }
                value
            }
            ExprKind::Arith(op, a, b) => {
                let a = self.int(a, null);
                let b = self.int(b, null);
                self.arith(op, a, b, null)
            }
            ExprKind::SubflowInt(property, s) => {
                let s = self.elem(s, null);
                self.subflow_int(s, property)
            }
            ExprKind::PacketInt(property, p) => {
                let p = self.elem(p, null);
                self.packet_int(p, property)
            }
            ExprKind::Count(list) => match self.kind_of(list) {
                Kind::Subflow => {
                    let set = self.subflows(list);
                    self.count_subflows(set)
                }
                Kind::Packet => {
                    let list = self.packets(list);
                    self.count_packets(&list)
                }
            },
            ExprKind::Sum(list, lambda) => self.sum(list, lambda),
            ref other => unreachable!("{other:?} is no int"),
        }
    }

    fn arith(&mut self, op: ArithOp, a: Val, b: Val, null: BlockId) -> Val {
        let op = match op {
            ArithOp::Add => AluOp::Add,
            ArithOp::Sub => AluOp::Sub,
            ArithOp::Mul => AluOp::Mul,
            ArithOp::Div => AluOp::Div,
            ArithOp::Rem => AluOp::Mod,
        };
        if matches!(op, AluOp::Div | AluOp::Mod) {
            match b {
                Val::Const(0) => {
                    self.b.goto((null, &[]));
                    self.b.nowhere();
                    return Val::Const(0);
                }
                Val::Const(_) => {}
                Val::Reg(_) => self.b.leave_if(Cond::Eq, b, Val::Const(0), (null, &[])),
            }
        }
        self.b.alu(op, a, b)
    }

    /// How many bits the value of an int has at most.
    pub(super) fn bits(&self, id: ExprId) -> u32 {
        match self.program.expr(id).kind {
            ExprKind::Int(value) => 64 - value.leading_zeros(),
            ExprKind::Time => 48,
            ExprKind::Random(_) => 32,
            ExprKind::Var(var) => match self.var(var) {
                Binding::Int { bits, .. } => *bits,
                _ => 64,
            },
            ExprKind::Arith(op, a, b) => {
                let (a, b) = (self.bits(a), self.bits(b));
                match op {
                    ArithOp::Add => (a.max(b) + 1).min(64),
                    ArithOp::Mul => (a + b).min(64),
                    ArithOp::Div => a,
                    ArithOp::Rem => a.min(b),
                    ArithOp::Sub => 64,
                }
            }
            ExprKind::SubflowInt(SubflowInt::User, _) => 64,
            ExprKind::SubflowInt(property, _) => property.range_bits(),
            ExprKind::PacketInt(property, _) => property.range_bits(),
            ExprKind::Count(_) => 11,
            _ => 64,
        }
    }

    /// Evaluates a condition: goes to `yes`, `no` or `null`.
    pub(super) fn branch(&mut self, id: ExprId, yes: BlockId, no: BlockId, null: BlockId) {
        match self.program.expr(id).kind {
            ExprKind::Bool(true) => self.b.goto((yes, &[])),
            ExprKind::Bool(false) => self.b.goto((no, &[])),
            ExprKind::Null => self.b.goto((null, &[])),
            ExprKind::Var(var) => {
                let &Binding::Bool { value, nullable } = self.var(var) else {
                    unreachable!("a well-formed program has a bool here");
                };
                if nullable {
                    self.b.leave_if(Cond::Eq, value, NULL, (null, &[]));
                }
                let zero = Val::Const(0);
                self.b.test(Cond::Ne, value, zero, (yes, &[]), (no, &[]));
            }
            ExprKind::Not(e) => self.branch(e, no, yes, null),
            ExprKind::And(a, b) => {
                let then = self.b.block(0);
                self.branch(a, then, no, no);
                self.b.switch(then);
                self.branch(b, yes, no, no);
            }
            ExprKind::Or(a, b) => {
                let then = self.b.block(0);
                self.branch(a, yes, then, then);
                self.b.switch(then);
                self.branch(b, yes, no, no);
            }
            ExprKind::Order(op, a, b) => {
                let a = self.int(a, null);
                let b = self.int(b, null);
                let cond = match op {
                    OrderOp::Lt => Cond::Lt,
                    OrderOp::Le => Cond::Le,
                    OrderOp::Gt => Cond::Gt,
                    OrderOp::Ge => Cond::Ge,
                };
                self.b.test(cond, a, b, (yes, &[]), (no, &[]));
            }
            ExprKind::Equal { a, b, negated } => {
                let (same, other) = if negated { (no, yes) } else { (yes, no) };
                self.equal(a, b, same, other);
            }
            ExprKind::SubflowBool(flag, s) => {
                let s = self.elem(s, null);
                let word = self.flag_word(flag);
                self.test_bit(word, s, yes, no);
            }
            ExprKind::HasWindowFor { subflow, packet } => {
                let s = self.elem(subflow, null);
                let p = self.elem(packet, null);
                let word = self.packet_word(p, packet::WINDOW);
                self.test_bit(word, s, yes, no);
            }
            ExprKind::SentOn { packet, subflow } => {
                let p = self.elem(packet, null);
                let s = self.elem(subflow, null);
                let word = self.packet_word(p, packet::SENT_ON);
                self.test_bit(word, s, yes, no);
            }
            ExprKind::SentOnAll(p) => {
                let p = self.elem(p, null);
                let sent = self.packet_word(p, packet::SENT_ON);
                let live = self.b.member(block::LIVE);
                let unsent = self.b.and_not(live, sent);
                let zero = Val::Const(0);
                self.b.test(Cond::Eq, unsent, zero, (yes, &[]), (no, &[]));
            }
            ExprKind::Psh(p) => {
                let p = self.elem(p, null);
                let flags = self.packet_word(p, packet::FLAGS);
                let psh = Val::Const(u64::from(layout::PSH));
                self.b.test(Cond::Set, flags, psh, (yes, &[]), (no, &[]));
            }
            ExprKind::Empty(list) => match self.kind_of(list) {
                Kind::Subflow => {
                    let set = self.subflows(list);
                    let zero = Val::Const(0);
                    self.b.test(Cond::Eq, set, zero, (yes, &[]), (no, &[]));
                }
                Kind::Packet => {
                    if let Some((elem, _)) = self.first_of(list) {
                        let at = elem.index;
                        self.b.test(Cond::Eq, at, NULL, (yes, &[]), (no, &[]));
                    } else {
                        let list = self.packets(list);
                        self.test_empty(&list, yes, no);
                    }
                }
            },
            ref other => unreachable!("{other:?} is no condition"),
        }
    }

    /// Goes to `yes` if the condition holds, else to `no`.
    pub(super) fn condition(&mut self, id: ExprId, yes: BlockId, no: BlockId) {
        self.branch(id, yes, no, no);
    }

    /// NULL equals NULL and nothing else.
    fn equal(&mut self, a: ExprId, b: ExprId, same: BlockId, other: BlockId) {
        match self.program.expr(a).ty {
            Type::Int => {
                let (x, x_null) = self.nullable_int(a);
                let (y, y_null) = self.nullable_int(b);
                if x_null.is_some() || y_null.is_some() {
                    let x_null = x_null.unwrap_or(Val::Const(0));
                    let y_null = y_null.unwrap_or(Val::Const(0));
                    self.b.leave_if(Cond::Ne, x_null, y_null, (other, &[]));
                    let zero = Val::Const(0);
                    self.b.leave_if(Cond::Ne, x_null, zero, (same, &[]));
                }
                self.b.test(Cond::Eq, x, y, (same, &[]), (other, &[]));
            }
            Type::Bool => {
                let x = self.bool(a);
                let y = self.bool(b);
                self.b.test(Cond::Eq, x, y, (same, &[]), (other, &[]));
            }
            Type::Subflow | Type::Packet => {
                let absent = self.b.block(0);
                self.elem(a, absent);
                self.b.goto((other, &[]));
                self.b.switch(absent);
                self.elem(b, same);
                self.b.goto((other, &[]));
            }
            // Only NULL may stand beside a list, and a list is never NULL.
            Type::List(_) => self.b.goto((other, &[])),
        }
    }

    /// An int as a value, and as a word that is 1 if it is NULL.
    pub(super) fn nullable_int(&mut self, id: ExprId) -> (Val, Option<Val>) {
        if !self.program.expr(id).may_be_null {
            let never = self.b.block(0);
            return (self.int(id, never), None);
        }
        if let ExprKind::Var(var) = self.program.expr(id).kind
            && let &Binding::Int { value, null, .. } = self.var(var)
        {
            return (value, null);
        }
        let null = self.b.block(0);
        let join = self.b.block(2);
        let value = self.int(id, null);
        self.b.goto((join, &[value, Val::Const(0)]));
        self.b.switch(null);
        self.b.goto((join, &[Val::Const(0), Val::Const(1)]));
        self.b.switch(join);
        let params = self.b.params(join);
        (params[0], Some(params[1]))
    }

    /// A bool as a word: 0, 1, or all ones for NULL.
    pub(super) fn bool(&mut self, id: ExprId) -> Val {
        match self.program.expr(id).kind {
            ExprKind::Bool(value) => return Val::Const(u64::from(value)),
            ExprKind::Null => return NULL,
            ExprKind::Var(var) => {
                if let &Binding::Bool { value, .. } = self.var(var) {
                    return value;
                }
            }
            _ => {}
        }
        let [yes, no, null] = std::array::from_fn(|_| self.b.block(0));
        let join = self.b.block(1);
        self.branch(id, yes, no, null);
        for (from, value) in [(yes, Val::Const(1)), (no, Val::Const(0)), (null, NULL)] {
            self.b.switch(from);
            self.b.goto((join, &[value]));
        }
        self.b.switch(join);
        self.b.params(join)[0]
    }

    /// A bool as a binding.
    pub(super) fn bool_binding(&mut self, id: ExprId) -> Binding {
        Binding::Bool {
            value: self.bool(id),
            nullable: self.program.expr(id).may_be_null,
        }
    }
}
