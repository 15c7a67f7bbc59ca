//! Instructions one by one: constants folded, loops in either of their two forms.
//!
//! What the kernel's verifier is not to know goes through memory: constants that start a loop
//! come from the block ([`Builder::opaque`]), results of loops go into it and back
//! ([`Builder::reload`]).

use progmp_abi::layout::{self, block};
use progmp_ir::Span;

use crate::Loops;
use crate::bounds::Formula;
use crate::isa::{AluOp, Cond, Size, Width};
use crate::vcode::{BlockId, Edge, Inst, Op, Src, Term, Vcode, Vreg};

/// A 64-bit value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Val {
    /// Computed.
    Reg(Vreg),
    /// Known.
    Const(u64),
}

/// A place to go to, with the values of its parameters.
pub(super) type To<'a> = (BlockId, &'a [Val]);

/// A loop that is open: [`Builder::again`] goes back to its head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    block: BlockId,
    /// The round, in the bounded form.
    round: Option<Val>,
}

/// A loop that goes around a fixed number of times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fixed {
    head: BlockId,
    round: Val,
    after: BlockId,
}

/// Vcode under construction, and the block that is being written.
pub(super) struct Builder {
    pub(super) code: Vcode,
    pub(super) span: Span,
    /// How often a block that is made now is executed at most.
    pub(super) trips: Formula,
    /// Rounds of all loops.
    pub(super) rounds: Formula,
    loops: Loops,
    current: BlockId,
    base: Vreg,
    spent: BlockId,
}

/// The offset as an instruction holds it.
pub(super) fn offset(bytes: usize) -> i16 {
    i16::try_from(bytes).expect("the layout keeps offsets of members within 16 bits")
}

impl Builder {
    /// The entry block, and the one where aborted runs end.
    pub(super) fn new(loops: Loops) -> Self {
        let mut code = Vcode::default();
        let once = Formula::constant(1);
        let entry = code.block(0, Span::default(), once.clone());
        let spent = code.block(0, Span::default(), once.clone());
        let base = code.vreg();
        let mut builder = Self {
            code,
            span: Span::default(),
            trips: once,
            rounds: Formula::default(),
            loops,
            current: entry,
            base,
            spent,
        };
        builder.push(Op::Base, Some(base));
        builder.switch(spent);
        let aborted = Val::Const(u64::from(layout::ABORTED));
        builder.store(Size::U32, base, block::STATUS, aborted);
        builder.switch(entry);
        builder
    }

    /// The address of the environment block.
    pub(super) const fn base(&self) -> Vreg {
        self.base
    }

    fn push(&mut self, op: Op, def: Option<Vreg>) {
        let span = self.span;
        let inst = Inst { op, def, span };
        self.code.at_mut(self.current).insts.push(inst);
    }

    fn define(&mut self, op: Op) -> Val {
        let def = self.code.vreg();
        self.push(op, Some(def));
        Val::Reg(def)
    }

    /// The value in a vreg.
    pub(super) fn reg(&mut self, value: Val) -> Vreg {
        match value {
            Val::Reg(vreg) => vreg,
            Val::Const(constant) => match self.define(Op::Const(constant)) {
                Val::Reg(vreg) => vreg,
                Val::Const(_) => unreachable!("an instruction defines a vreg"),
            },
        }
    }

    fn src(&mut self, value: Val) -> Src {
        match value {
            Val::Reg(vreg) => Src::Vreg(vreg),
            Val::Const(constant) => match i32::try_from(constant.cast_signed()) {
                Ok(imm) => Src::Imm(imm),
                Err(_) => Src::Vreg(self.reg(value)),
            },
        }
    }

    /// `a op b`, 64 bits.
    pub(super) fn alu(&mut self, op: AluOp, a: Val, b: Val) -> Val {
        let (a, b) = match (op, a, b) {
            (_, Val::Const(a), Val::Const(b)) => match known(op, a, b) {
                Some(value) => return Val::Const(value),
                None => (Val::Const(a), Val::Const(b)),
            },
            (AluOp::Add | AluOp::Mul | AluOp::And | AluOp::Or | AluOp::Xor, Val::Const(_), _) => {
                (b, a)
            }
            _ => (a, b),
        };
        match (op, b) {
            (
                AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::Xor | AluOp::Lsh | AluOp::Rsh,
                Val::Const(0),
            )
            | (AluOp::And, Val::Const(u64::MAX))
            | (AluOp::Mul | AluOp::Div, Val::Const(1)) => return a,
            (AluOp::And | AluOp::Mul, Val::Const(0)) => return Val::Const(0),
            _ => {}
        }
        let width = Width::W64;
        let a = self.reg(a);
        let b = self.src(b);
        self.define(Op::Alu { op, width, a, b })
    }

    /// `a + 1` in 32 bits. It may wrap, so the kernel's verifier knows the same of it as of `a`.
    pub(super) fn next32(&mut self, a: Val) -> Val {
        let (op, width) = (AluOp::Add, Width::W32);
        let (a, b) = (self.reg(a), Src::Imm(1));
        self.define(Op::Alu { op, width, a, b })
    }

    /// `a + b`.
    pub(super) fn add(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::Add, a, b)
    }

    /// `a & b`.
    pub(super) fn and(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::And, a, b)
    }

    /// `a & !b`.
    pub(super) fn and_not(&mut self, a: Val, b: Val) -> Val {
        let inverse = self.alu(AluOp::Xor, b, Val::Const(u64::MAX));
        self.and(a, inverse)
    }

    /// `a | b`.
    pub(super) fn or(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::Or, a, b)
    }

    /// `a ^ b`.
    pub(super) fn xor(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::Xor, a, b)
    }

    /// `a << b`.
    pub(super) fn shl(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::Lsh, a, b)
    }

    /// `a >> b`, zeros from above.
    pub(super) fn shr(&mut self, a: Val, b: Val) -> Val {
        self.alu(AluOp::Rsh, a, b)
    }

    /// `-a`.
    pub(super) fn negative(&mut self, a: Val) -> Val {
        match a {
            Val::Const(a) => Val::Const(a.wrapping_neg()),
            Val::Reg(a) => self.define(Op::Neg(a)),
        }
    }

    /// The lowest bit of `a`, alone.
    pub(super) fn lowest(&mut self, a: Val) -> Val {
        let negative = self.negative(a);
        self.and(a, negative)
    }

    /// `a` without its lowest bit.
    pub(super) fn without_lowest(&mut self, a: Val) -> Val {
        let less = self.alu(AluOp::Sub, a, Val::Const(1));
        self.and(a, less)
    }

    /// The position of the single bit of `a`: below 64 for the kernel's verifier only after a mask.
    pub(super) fn position(&mut self, a: Val) -> Val {
        let product = self.alu(AluOp::Mul, a, Val::Const(layout::DEBRUIJN));
        let place = self.shr(product, Val::Const(u64::from(layout::DEBRUIJN_SHIFT)));
        let address = self.address(place);
        self.load(Size::U8, address, block::LOWEST)
    }

    /// The block's address plus `bytes`.
    pub(super) fn address(&mut self, bytes: Val) -> Vreg {
        let base = Val::Reg(self.base);
        // The distance is mostly not needed any more: the sum takes its register.
        let address = self.add(bytes, base);
        self.reg(address)
    }

    /// Reads a memory cell.
    pub(super) fn load(&mut self, size: Size, base: Vreg, at: usize) -> Val {
        let off = offset(at);
        self.define(Op::Load { size, base, off })
    }

    /// Reads a 64-bit member of the block.
    pub(super) fn member(&mut self, at: usize) -> Val {
        self.load(Size::U64, self.base, at)
    }

    /// Writes a memory cell.
    pub(super) fn store(&mut self, size: Size, base: Vreg, at: usize, value: Val) {
        let value = self.src(value);
        let off = offset(at);
        let op = Op::Store {
            size,
            base,
            off,
            value,
        };
        self.push(op, None);
    }

    /// The constant, as a value that the kernel's verifier does not know.
    pub(super) fn opaque(&mut self, constant: u64) -> Val {
        match constant {
            0 => self.member(block::ZERO),
            1 => self.member(block::ONE),
            u64::MAX => self.member(block::INF),
            _ => {
                let zero = self.member(block::ZERO);
                self.add(zero, Val::Const(constant))
            }
        }
    }

    fn hidden(&mut self, value: Val) -> Val {
        match value {
            Val::Reg(_) => value,
            Val::Const(constant) => self.opaque(constant),
        }
    }

    /// The value, of which the kernel's verifier forgets all it knows.
    pub(super) fn reload(&mut self, value: Val) -> Val {
        self.store(Size::U64, self.base, block::SCRATCH, value);
        self.member(block::SCRATCH)
    }

    /// A new block.
    pub(super) fn block(&mut self, params: usize) -> BlockId {
        self.code.block(params, self.span, self.trips.clone())
    }

    /// The parameters of a block.
    pub(super) fn params(&self, of: BlockId) -> Vec<Val> {
        self.code
            .at(of)
            .params
            .iter()
            .copied()
            .map(Val::Reg)
            .collect()
    }

    /// Goes on writing at a block.
    pub(super) fn switch(&mut self, to: BlockId) {
        self.current = to;
    }

    /// The block that is being written.
    pub(super) const fn here(&self) -> BlockId {
        self.current
    }

    /// Goes on writing where nothing leads.
    pub(super) fn nowhere(&mut self) {
        let dead = self.block(0);
        self.switch(dead);
    }

    fn end(&mut self, term: Term) {
        let span = self.span;
        let block = self.code.at_mut(self.current);
        block.term = term;
        block.span = span;
    }

    fn edge(&mut self, (to, args): To<'_>) -> Edge {
        // A constant that flows into a join would make each way there a state of its own.
        let args = args
            .iter()
            .map(|&arg| {
                let arg = self.hidden(arg);
                self.reg(arg)
            })
            .collect();
        Edge { to, args }
    }

    /// Ends the block: goes there.
    pub(super) fn goto(&mut self, to: To<'_>) {
        let edge = self.edge(to);
        self.end(Term::Jump(edge));
    }

    /// Ends the block: goes to `yes` if `a cond b`, else to `no`.
    pub(super) fn test(&mut self, cond: Cond, a: Val, b: Val, yes: To<'_>, no: To<'_>) {
        self.test_ordered(cond, a, b, yes, no, false);
    }

    fn test_ordered(
        &mut self,
        cond: Cond,
        a: Val,
        b: Val,
        yes: To<'_>,
        no: To<'_>,
        no_follows: bool,
    ) {
        let (cond, a, b) = match (a, b) {
            (Val::Const(a), Val::Const(b)) => {
                return self.goto(if holds(cond, a, b) { yes } else { no });
            }
            (Val::Const(_), Val::Reg(_)) => (mirrored(cond), b, a),
            _ => (cond, a, b),
        };
        let (yes, no) = (self.edge(yes), self.edge(no));
        let width = Width::W64;
        let a = self.reg(a);
        let b = self.src(b);
        self.end(Term::If {
            cond,
            width,
            a,
            b,
            yes,
            no,
            no_follows,
        });
    }

    /// Ends the block, goes to `yes` if the condition holds, and goes on writing where it does not.
    pub(super) fn leave_if(&mut self, cond: Cond, a: Val, b: Val, yes: To<'_>) {
        let no = self.block(0);
        self.test(cond, a, b, yes, (no, &[]));
        self.switch(no);
    }

    /// Leaves a loop for `exit` if the word is 0, and goes on writing where it is not.
    pub(super) fn leave_at_zero(&mut self, word: Val, exit: To<'_>) {
        let zero = Val::Const(0);
        match self.loops {
            Loops::MayGoto => self.leave_if(Cond::Eq, word, zero, exit),
            // The kernel's verifier goes around such a loop as often as its bound says. It walks
            // what lies behind the loop first, so that it has few ways to come back to.
            Loops::Bounded => {
                let body = self.block(0);
                self.test_ordered(Cond::Ne, word, zero, (body, &[]), exit, true);
                self.switch(body);
            }
        }
    }

    /// Goes to `at` if the word is 0, and goes on writing where it is not; in the bounded form,
    /// that is what the kernel's verifier walks first.
    pub(super) fn leave_first(&mut self, word: Val, at: To<'_>) {
        let go_on = self.block(0);
        let zero = Val::Const(0);
        let first = self.loops == Loops::Bounded;
        self.test_ordered(Cond::Eq, word, zero, at, (go_on, &[]), first);
        self.switch(go_on);
    }

    /// Opens a loop that goes around at most `limit` times, and goes on writing in it. Returns the
    /// carried values. `trips` is set to that of the head by the caller.
    pub(super) fn open(&mut self, init: &[Val], limit: u64) -> (Head, Vec<Val>) {
        let mut init = init.to_vec();
        let counted = self.loops == Loops::Bounded;
        let header = self.block(init.len() + usize::from(counted));
        if counted {
            let round = self.reg(Val::Const(0));
            init.push(Val::Reg(round));
        }
        self.goto((header, &init));
        self.switch(header);
        self.rounds = &self.rounds + &self.trips;
        let mut carried = self.params(header);
        let round = counted.then(|| carried.pop().expect("the round is the last parameter"));
        let body = self.block(0);
        match round {
            Some(round) => {
                let limit = Val::Const(limit);
                self.test(Cond::Ge, round, limit, (self.spent, &[]), (body, &[]));
            }
            None => self.end(Term::MayGoto {
                next: Edge::plain(body),
                spent: Edge::plain(self.spent),
            }),
        }
        self.switch(body);
        let head = Head {
            block: header,
            round,
        };
        (head, carried)
    }

    /// Opens a loop that goes around exactly `times`, in the bounded form: it has one way through.
    /// Returns what [`Self::repeat`] takes, and the carried values.
    pub(super) fn open_fixed(&mut self, init: &[Val], times: u64) -> (Fixed, Vec<Val>) {
        let mut all = init.to_vec();
        let start = self.reg(Val::Const(0));
        all.push(Val::Reg(start));
        let head = self.block(all.len());
        self.goto((head, &all));
        self.switch(head);
        self.rounds = &self.rounds + &self.trips;
        let mut carried = self.params(head);
        let round = carried.pop().expect("the round was passed");
        let after = self.block(0);
        let more = self.block(0);
        let times = Val::Const(times);
        self.test(Cond::Ge, round, times, (after, &[]), (more, &[]));
        self.switch(more);
        (Fixed { head, round, after }, carried)
    }

    /// Ends the block: the run is aborted.
    pub(super) fn abort(&mut self) {
        self.goto((self.spent, &[]));
    }

    /// Ends a round of a loop that goes around a fixed number of times, and goes on writing behind
    /// the loop, where the carried values are those of its head.
    pub(super) fn repeat(&mut self, fixed: Fixed, carried: &[Val]) {
        let mut all = carried.to_vec();
        let next = self.add(fixed.round, Val::Const(1));
        all.push(next);
        self.goto((fixed.head, &all));
        self.switch(fixed.after);
    }

    /// Ends the block: the next round of a loop.
    pub(super) fn again(&mut self, head: Head, carried: &[Val]) {
        let mut carried = carried.to_vec();
        if let Some(round) = head.round {
            let next = self.add(round, Val::Const(1));
            carried.push(next);
        }
        self.goto((head.block, &carried));
    }
}

/// `a op b`, if the builder folds it.
const fn known(op: AluOp, a: u64, b: u64) -> Option<u64> {
    Some(match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Xor => a ^ b,
        AluOp::Lsh if b < 64 => a << b,
        AluOp::Rsh if b < 64 => a >> b,
        AluOp::Div if b != 0 => a / b,
        AluOp::Mod if b != 0 => a % b,
        _ => return None,
    })
}

const fn holds(cond: Cond, a: u64, b: u64) -> bool {
    let (s, t) = (a.cast_signed(), b.cast_signed());
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Set => a & b != 0,
        Cond::Sgt => s > t,
        Cond::Sge => s >= t,
        Cond::Slt => s < t,
        Cond::Sle => s <= t,
    }
}

/// The condition with its operands exchanged.
const fn mirrored(cond: Cond) -> Cond {
    match cond {
        Cond::Eq | Cond::Ne | Cond::Set => cond,
        Cond::Gt => Cond::Lt,
        Cond::Ge => Cond::Le,
        Cond::Lt => Cond::Gt,
        Cond::Le => Cond::Ge,
        Cond::Sgt => Cond::Slt,
        Cond::Sge => Cond::Sle,
        Cond::Slt => Cond::Sgt,
        Cond::Sle => Cond::Sge,
    }
}
