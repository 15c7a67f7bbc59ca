//! Conditions and ints without branches: what has no loop in it, as arithmetic.
//!
//! A branch in a loop makes two ways of each round, and the kernel's verifier walks them all when it
//! has to go around as often as the bound says. Everything here is total, so nothing needs to be
//! skipped: a record that is not there reads as something, and a word beside the value says that
//! it does not count. In the bounded form everything is written like this; what still needs a
//! branch has it inside, and both ways meet again before the value is used.

use progmp_abi::layout::{self, block, packet};
use progmp_ir::{ArithOp, ExprId, ExprKind, Kind, OrderOp, Type, VarId};

use super::build::Val;
use super::elem::Elem;
use super::{Binding, Lower};
use crate::Loops;
use crate::isa::AluOp;

/// A value, and the word that is 1 if it is not NULL (else 0); `None` if it never is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flat {
    pub(super) value: Val,
    pub(super) valid: Option<Val>,
}

impl Flat {
    const fn sure(value: Val) -> Self {
        Self { value, valid: None }
    }
}

/// What a small int is compared with in each round of a loop, at most 2^63 - 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clamped {
    /// The comparison.
    order: ExprId,
    /// Its operand that is not known to be small.
    great: ExprId,
    value: Flat,
}

const ONE: Val = Val::Const(1);
const ZERO: Val = Val::Const(0);
/// The size from which branches are cheaper.
const MOST: usize = 24;

impl Lower<'_> {
    /// Whether an expression can be written without branches, and is small enough to.
    pub(super) fn is_flat(&self, id: ExprId) -> bool {
        self.loops == Loops::Bounded || self.has_no_branch(id) && self.weight(id) <= MOST
    }

    fn has_no_branch(&self, id: ExprId) -> bool {
        let all = |parts: &[ExprId]| parts.iter().all(|&part| self.has_no_branch(part));
        match self.program.expr(id).kind {
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Register(_)
            | ExprKind::Time
            | ExprKind::Random(_)
            | ExprKind::Var(_) => true,
            ExprKind::Equal { a, b, .. } => {
                matches!(self.program.expr(a).ty, Type::Int | Type::Bool) && all(&[a, b])
            }
            ExprKind::Empty(list) => matches!(
                self.program.expr(list).kind,
                ExprKind::Var(_) | ExprKind::Subflows | ExprKind::Queue(_)
            ),
            ref kind @ (ExprKind::Not(_)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::Arith(..)
            | ExprKind::Order(..)
            | ExprKind::SubflowInt(..)
            | ExprKind::SubflowBool(..)
            | ExprKind::HasWindowFor { .. }
            | ExprKind::PacketInt(..)
            | ExprKind::Psh(_)
            | ExprKind::SentOn { .. }
            | ExprKind::SentOnAll(_)) => all(&kind.children()),
            _ => false,
        }
    }

    /// 1 if a condition is TRUE, else 0.
    pub(super) fn is_true(&mut self, id: ExprId) -> Val {
        let Flat { value, valid } = self.flat_bool(id);
        match valid {
            Some(valid) => self.b.and(value, valid),
            None => value,
        }
    }

    /// 1 if a condition is FALSE, else 0.
    pub(super) fn is_false(&mut self, id: ExprId) -> Val {
        let Flat { value, valid } = self.flat_bool(id);
        let inverse = self.b.xor(value, ONE);
        match valid {
            Some(valid) => self.b.and(inverse, valid),
            None => inverse,
        }
    }

    fn both(&mut self, a: Option<Val>, b: Option<Val>) -> Option<Val> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.b.and(a, b)),
            (one, None) | (None, one) => one,
        }
    }

    /// A bool as 0 or 1.
    fn flat_bool(&mut self, id: ExprId) -> Flat {
        match self.program.expr(id).kind {
            ExprKind::Bool(value) => Flat::sure(Val::Const(u64::from(value))),
            ExprKind::Null => Flat {
                value: ZERO,
                valid: Some(ZERO),
            },
            ExprKind::Var(var) => {
                let &Binding::Bool { value, nullable } = self.var(var) else {
                    unreachable!("a well-formed program has a bool here");
                };
                // NULL is all ones.
                let bit = self.b.and(value, ONE);
                let null = self.b.shr(value, Val::Const(63));
                let valid = self.b.xor(null, ONE);
                Flat {
                    value: bit,
                    valid: nullable.then_some(valid),
                }
            }
            ExprKind::Not(e) => {
                let Flat { value, valid } = self.flat_bool(e);
                let value = self.b.xor(value, ONE);
                Flat { value, valid }
            }
            ExprKind::And(a, b) => {
                let a = self.is_true(a);
                let b = self.is_true(b);
                Flat::sure(self.b.and(a, b))
            }
            ExprKind::Or(a, b) => {
                let a = self.is_true(a);
                let b = self.is_true(b);
                Flat::sure(self.b.or(a, b))
            }
            ExprKind::Order(op, a, b) => {
                let clamped = self.clamped.iter().find(|clamped| clamped.order == id);
                let clamped = clamped.copied();
                let small = clamped.is_some() || self.bits(a) < 64 && self.bits(b) < 64;
                let [a, b] = [a, b].map(|operand| match clamped {
                    Some(clamped) if clamped.great == operand => clamped.value,
                    _ => self.flat_int(operand),
                });
                let valid = self.both(a.valid, b.valid);
                let (a, b) = (a.value, b.value);
                let value = match op {
                    OrderOp::Lt => self.less(a, b, small),
                    OrderOp::Gt => self.less(b, a, small),
                    OrderOp::Ge => {
                        let less = self.less(a, b, small);
                        self.b.xor(less, ONE)
                    }
                    OrderOp::Le => {
                        let less = self.less(b, a, small);
                        self.b.xor(less, ONE)
                    }
                };
                Flat { value, valid }
            }
            ExprKind::Equal { a, b, negated } => {
                let references = match self.program.expr(a).ty {
                    Type::Int | Type::Bool => None,
                    Type::Subflow | Type::Packet => {
                        let (_, x) = self.flat_elem(a);
                        let (_, y) = self.flat_elem(b);
                        Some((x, y))
                    }
                    // A list is never NULL.
                    Type::List(_) => Some((None, Some(ZERO))),
                };
                let flip = Val::Const(u64::from(negated));
                if let Some((x, y)) = references {
                    // Only NULL may stand beside a reference.
                    let x = x.unwrap_or(ONE);
                    let y = y.unwrap_or(ONE);
                    let either = self.b.or(x, y);
                    let neither = self.b.xor(either, ONE);
                    return Flat::sure(self.b.xor(neither, flip));
                }
                let (x, y) = if self.program.expr(a).ty == Type::Int {
                    (self.flat_int(a), self.flat_int(b))
                } else {
                    (self.flat_bool(a), self.flat_bool(b))
                };
                let same = self.same(x.value, y.value);
                let equal = match (x.valid, y.valid) {
                    (None, None) => same,
                    (x, y) => {
                        let x = x.unwrap_or(ONE);
                        let y = y.unwrap_or(ONE);
                        let both = self.b.and(x, y);
                        let either = self.b.or(x, y);
                        let neither = self.b.xor(either, ONE);
                        let equal = self.b.and(both, same);
                        self.b.or(equal, neither)
                    }
                };
                Flat::sure(self.b.xor(equal, flip))
            }
            ExprKind::SubflowBool(flag, s) => {
                let (s, valid) = self.flat_elem(s);
                let word = self.flag_word(flag);
                let value = self.bit_of(word, s);
                Flat { value, valid }
            }
            ExprKind::HasWindowFor { subflow, packet } => {
                self.flat_pair(subflow, packet, packet::WINDOW)
            }
            ExprKind::SentOn { packet, subflow } => {
                self.flat_pair(subflow, packet, packet::SENT_ON)
            }
            ExprKind::SentOnAll(p) => {
                let (p, valid) = self.flat_elem(p);
                let sent = self.packet_word(p, packet::SENT_ON);
                let live = self.b.member(block::LIVE);
                let unsent = self.b.and_not(live, sent);
                let value = self.is_zero(unsent);
                Flat { value, valid }
            }
            ExprKind::Psh(p) => {
                let (p, valid) = self.flat_elem(p);
                let flags = self.packet_word(p, packet::FLAGS);
                let value = self.b.and(flags, Val::Const(u64::from(layout::PSH)));
                Flat { value, valid }
            }
            ExprKind::Empty(list) => {
                let word = match self.kind_of(list) {
                    Kind::Subflow => self.subflows(list),
                    Kind::Packet => {
                        if let Some((elem, _)) = self.first_of(list) {
                            self.b.xor(elem.index, Val::Const(u64::MAX))
                        } else {
                            let list = self.packets(list);
                            if list.is_plain() {
                                self.summary(&list)
                            } else {
                                let found = self.find_first(&list);
                                self.b.xor(found, Val::Const(u64::MAX))
                            }
                        }
                    }
                };
                Flat::sure(self.is_zero(word))
            }
            ref other => unreachable!("{other:?} is no condition"),
        }
    }

    fn flat_pair(&mut self, subflow: ExprId, packet: ExprId, offset: usize) -> Flat {
        let (s, s_valid) = self.flat_elem(subflow);
        let (p, p_valid) = self.flat_elem(packet);
        let valid = self.both(s_valid, p_valid);
        let word = self.packet_word(p, offset);
        let value = self.bit_of(word, s);
        Flat { value, valid }
    }

    fn bit_of(&mut self, word: Val, subflow: Elem) -> Val {
        let index = self.index(subflow);
        let shifted = self.b.shr(word, index);
        self.b.and(shifted, ONE)
    }

    /// An int; where it is NULL, the value is arbitrary.
    pub(super) fn flat_int(&mut self, id: ExprId) -> Flat {
        match self.program.expr(id).kind {
            ExprKind::Int(value) => Flat::sure(Val::Const(value)),
            ExprKind::Null => Flat {
                value: ZERO,
                valid: Some(ZERO),
            },
            ExprKind::Register(reg) => Flat::sure(self.b.member(block::REG + 8 * reg.index())),
            ExprKind::Time => Flat::sure(self.b.member(block::TIME_MS)),
            ExprKind::Random(site) => Flat::sure(self.random(site)),
            ExprKind::Var(var) => {
                let &Binding::Int { value, null, .. } = self.var(var) else {
                    unreachable!("a well-formed program has an int here");
                };
                let valid = null.map(|null| self.b.xor(null, ONE));
                Flat { value, valid }
            }
            ExprKind::Arith(op, a, b) => {
                let a = self.flat_int(a);
                let b = self.flat_int(b);
                let mut valid = self.both(a.valid, b.valid);
                let op = match op {
                    ArithOp::Add => AluOp::Add,
                    ArithOp::Sub => AluOp::Sub,
                    ArithOp::Mul => AluOp::Mul,
                    ArithOp::Div => AluOp::Div,
                    ArithOp::Rem => AluOp::Mod,
                };
                let divides = matches!(op, AluOp::Div | AluOp::Mod);
                if divides && b.value == ZERO {
                    return Flat {
                        value: ZERO,
                        valid: Some(ZERO),
                    };
                }
                if divides && matches!(b.value, Val::Reg(_)) {
                    let defined = self.is_nonzero(b.value);
                    valid = self.both(valid, Some(defined));
                }
                let value = self.b.alu(op, a.value, b.value);
                Flat { value, valid }
            }
            ExprKind::SubflowInt(property, s) => {
                let (s, valid) = self.flat_elem(s);
                let value = self.subflow_int(s, property);
                Flat { value, valid }
            }
            ExprKind::PacketInt(property, p) => {
                let (p, valid) = self.flat_elem(p);
                let value = self.packet_int(p, property);
                Flat { value, valid }
            }
            _ => {
                let (value, null) = self.nullable_int(id);
                let valid = null.map(|null| self.b.xor(null, ONE));
                Flat { value, valid }
            }
        }
    }

    /// In front of a loop: computes what each round compares a small int with, if that is the same for
    /// all rounds, and replaces what is not below 2^63 by 2^63 - 1, which is as great for a small int.
    /// Returns how many such ints there were before, for [`Self::unclamp`].
    pub(super) fn clamp(&mut self, body: ExprId, param: VarId) -> usize {
        let before = self.clamped.len();
        self.clamp_in(body, param);
        before
    }

    /// Behind the loop.
    pub(super) fn unclamp(&mut self, before: usize) {
        self.clamped.truncate(before);
    }

    fn clamp_in(&mut self, id: ExprId, param: VarId) {
        let kind = &self.program.expr(id).kind;
        if let ExprKind::Order(_, a, b) = *kind {
            for (small, great) in [(a, b), (b, a)] {
                let pays = self.bits(small) <= 62 && self.bits(great) == 64;
                if pays && self.is_fixed(great, param) {
                    let Flat { value, valid } = self.flat_int(great);
                    let top = self.b.alu(AluOp::Arsh, value, Val::Const(63));
                    let value = self.b.or(value, top);
                    let value = self.b.shl(value, ONE);
                    let value = self.b.shr(value, ONE);
                    let value = Flat { value, valid };
                    self.clamped.push(Clamped {
                        order: id,
                        great,
                        value,
                    });
                }
            }
        }
        // What stands below a lambda may read its parameter, which is not bound here.
        if kind.lambda().is_none() {
            for child in kind.children() {
                self.clamp_in(child, param);
            }
        }
    }

    /// A reference; where it is NULL, it names an arbitrary record.
    fn flat_elem(&mut self, id: ExprId) -> (Elem, Option<Val>) {
        match self.program.expr(id).kind {
            ExprKind::Var(var) => {
                let &Binding::Elem { elem, nullable } = self.var(var) else {
                    unreachable!("a well-formed program has a reference here");
                };
                if !nullable {
                    return (elem, None);
                }
                self.unless_all_ones(elem)
            }
            ExprKind::Null => {
                let kind = match self.program.expr(id).ty {
                    Type::Subflow => Kind::Subflow,
                    _ => Kind::Packet,
                };
                (Elem::new(kind, ZERO), Some(ZERO))
            }
            ExprKind::First(list) if self.kind_of(list) == Kind::Subflow => {
                let set = self.subflows(list);
                let set = self.b.reload(set);
                (self.lowest_of(set), Some(self.is_nonzero(set)))
            }
            ExprKind::Last(list) if self.kind_of(list) == Kind::Subflow => {
                let set = self.subflows(list);
                let set = self.b.reload(set);
                (self.highest_of(set), Some(self.is_nonzero(set)))
            }
            ExprKind::First(list) => {
                if let Some((elem, _)) = self.first_of(list) {
                    return self.unless_all_ones(elem);
                }
                let list = self.packets(list);
                let found = self.find_first(&list);
                self.unless_all_ones(Elem::new(Kind::Packet, found))
            }
            ExprKind::Last(list) => {
                let list = self.packets(list);
                let found = self.find_last(&list);
                self.unless_all_ones(Elem::new(Kind::Packet, found))
            }
            ExprKind::Get { list, index } => self.flat_get(list, index),
            ExprKind::Extremum(which, list, lambda) => {
                let (elem, valid) = self.straight_extremum(which, list, lambda);
                (elem, Some(valid))
            }
            ref other => unreachable!("{other:?} is no reference"),
        }
    }

    fn flat_get(&mut self, list: ExprId, index: ExprId) -> (Elem, Option<Val>) {
        let (elem, found, index) = match self.kind_of(list) {
            Kind::Subflow => {
                let set = self.subflows(list);
                let index = self.flat_int(index);
                let rest = self.after_places(set, index.value);
                (self.lowest_of(rest), Some(self.is_nonzero(rest)), index)
            }
            Kind::Packet => {
                let list = self.packets(list);
                let index = self.flat_int(index);
                let found = self.find_nth(&list, index.value);
                let elem = Elem::new(Kind::Packet, found);
                let (elem, found) = self.unless_all_ones(elem);
                (elem, found, index)
            }
        };
        (elem, self.both(found, index.valid))
    }

    /// A reference that is NULL if its index is all ones, as no index is.
    fn unless_all_ones(&mut self, elem: Elem) -> (Elem, Option<Val>) {
        let inverse = self.b.xor(elem.index, Val::Const(u64::MAX));
        let valid = self.is_nonzero(inverse);
        (elem, Some(valid))
    }

    /// 1 if `a < b`, else 0 (Warren, "Hacker's Delight", section 2-12). `small`: both are below 2^63.
    pub(super) fn less(&mut self, a: Val, b: Val, small: bool) -> Val {
        let difference = self.b.alu(AluOp::Sub, a, b);
        let sign = if small {
            difference
        } else {
            let borrowed = self.b.and_not(b, a);
            let differ = self.b.xor(a, b);
            let same = self.b.and_not(difference, differ);
            self.b.or(borrowed, same)
        };
        self.b.shr(sign, Val::Const(63))
    }

    /// 1 if the words are equal, else 0.
    fn same(&mut self, a: Val, b: Val) -> Val {
        let differ = self.b.xor(a, b);
        self.is_zero(differ)
    }

    /// 1 if the word is not 0, else 0.
    pub(super) fn is_nonzero(&mut self, word: Val) -> Val {
        if let Val::Const(word) = word {
            return Val::Const(u64::from(word != 0));
        }
        let negative = self.b.negative(word);
        let either = self.b.or(word, negative);
        self.b.shr(either, Val::Const(63))
    }

    /// 1 if the word is 0, else 0.
    pub(super) fn is_zero(&mut self, word: Val) -> Val {
        let nonzero = self.is_nonzero(word);
        self.b.xor(nonzero, ONE)
    }

    /// All ones if the word is not 0, else 0.
    pub(super) fn mask_of(&mut self, word: Val) -> Val {
        let negative = self.b.negative(word);
        let either = self.b.or(word, negative);
        self.b.alu(AluOp::Arsh, either, Val::Const(63))
    }

    /// All ones if `bit` is 1, 0 if it is 0.
    pub(super) fn spread(&mut self, bit: Val) -> Val {
        self.b.negative(bit)
    }

    /// `a` where `bit` is 1, `b` where it is 0.
    pub(super) fn select(&mut self, bit: Val, a: Val, b: Val) -> Val {
        let mask = self.spread(bit);
        self.blend(mask, a, b)
    }

    /// `a` where `mask` has bits, `b` where it has none.
    pub(super) fn blend(&mut self, mask: Val, a: Val, b: Val) -> Val {
        let differ = self.b.xor(a, b);
        let change = self.b.and(differ, mask);
        self.b.xor(b, change)
    }
}
