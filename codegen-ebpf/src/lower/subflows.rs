//! Subflow lists: words with one bit for each record.
//!
//! A FILTER is a question about sets: of which candidates is the predicate TRUE? What speaks of
//! flags, windows and `SENT_ON` is word arithmetic, `AND` and `OR` narrow the candidates, and only
//! what is left goes around a loop.

use progmp_abi::layout::{self, block, packet};
use progmp_ir::{ExprId, ExprKind, Kind, Lambda, VarId};

use super::build::Val;
use super::elem::Elem;
use super::fold::Unroll;
use super::{Binding, Lower};
use crate::Loops;
use crate::bounds::Formula;
use crate::isa::{AluOp, Cond};
use crate::vcode::BlockId;

impl Lower<'_> {
    /// The members of a subflow list.
    pub(super) fn subflows(&mut self, id: ExprId) -> Val {
        match self.program.expr(id).kind {
            ExprKind::Subflows => self.b.member(block::LIVE),
            ExprKind::Var(var) => {
                let &Binding::Subflows(set) = self.var(var) else {
                    unreachable!("a well-formed program has a subflow list here");
                };
                set
            }
            ExprKind::Filter(list, Lambda { param, body }) => {
                let candidates = self.subflows(list);
                self.those(candidates, param, body, true)
            }
            ref other => unreachable!("{other:?} is no subflow list"),
        }
    }

    /// The candidates of which a predicate is TRUE (`wanted`) or FALSE; never those of which it is NULL.
    fn those(&mut self, candidates: Val, param: VarId, body: ExprId, wanted: bool) -> Val {
        if candidates == Val::Const(0) {
            return candidates;
        }
        let is_param = |e: ExprId| self.program.expr(e).kind == ExprKind::Var(param);
        match self.program.expr(body).kind {
            ExprKind::Bool(value) if value == wanted => candidates,
            ExprKind::Bool(_) | ExprKind::Null => Val::Const(0),
            ExprKind::Not(e) => self.those(candidates, param, e, !wanted),
            ExprKind::And(a, b) => {
                let first = self.those(candidates, param, a, true);
                let both = self.those(first, param, b, true);
                self.if_wanted(candidates, both, wanted)
            }
            ExprKind::Or(a, b) => {
                let first = self.those(candidates, param, a, true);
                let rest = self.b.and_not(candidates, first);
                let second = self.those(rest, param, b, true);
                let either = self.b.or(first, second);
                self.if_wanted(candidates, either, wanted)
            }
            ExprKind::SubflowBool(flag, s) if is_param(s) => {
                let word = self.flag_word(flag);
                self.pick(candidates, word, wanted)
            }
            ExprKind::HasWindowFor { subflow, packet: p }
                if is_param(subflow) && self.is_fixed(p, param) =>
            {
                self.those_of_packet(candidates, p, packet::WINDOW, wanted)
            }
            ExprKind::SentOn { packet: p, subflow }
                if is_param(subflow) && self.is_fixed(p, param) =>
            {
                self.those_of_packet(candidates, p, packet::SENT_ON, wanted)
            }
            _ if self.is_fixed(body, param) => {
                let [yes, no] = std::array::from_fn(|_| self.b.block(0));
                let join = self.b.block(1);
                let (good, bad) = if wanted { (yes, no) } else { (no, yes) };
                self.branch(body, yes, no, bad);
                self.b.switch(good);
                self.b.goto((join, &[candidates]));
                self.b.switch(bad);
                self.b.goto((join, &[Val::Const(0)]));
                self.b.switch(join);
                self.b.params(join)[0]
            }
            _ => self.those_by_loop(candidates, param, body, wanted),
        }
    }

    /// `AND` and `OR` are never NULL: where they are not TRUE, they are FALSE.
    fn if_wanted(&mut self, candidates: Val, yes: Val, wanted: bool) -> Val {
        if wanted {
            yes
        } else {
            self.b.and_not(candidates, yes)
        }
    }

    fn pick(&mut self, candidates: Val, word: Val, wanted: bool) -> Val {
        if wanted {
            self.b.and(candidates, word)
        } else {
            self.b.and_not(candidates, word)
        }
    }

    /// By a word of a packet that is the same for all candidates; none, if that is NULL.
    fn those_of_packet(
        &mut self,
        candidates: Val,
        packet: ExprId,
        offset: usize,
        wanted: bool,
    ) -> Val {
        let null = self.b.block(0);
        let packet_may_be_null = self.program.expr(packet).may_be_null;
        let packet = self.elem(packet, null);
        let word = self.packet_word(packet, offset);
        let set = self.pick(candidates, word, wanted);
        if !packet_may_be_null {
            return set;
        }
        let join = self.b.block(1);
        self.b.goto((join, &[set]));
        self.b.switch(null);
        self.b.goto((join, &[Val::Const(0)]));
        self.b.switch(join);
        self.b.params(join)[0]
    }

    fn those_by_loop(&mut self, candidates: Val, param: VarId, body: ExprId, wanted: bool) -> Val {
        if self.is_flat(body) {
            return self.those_flat(candidates, param, body, wanted);
        }
        let unroll = self.unrolls(body);
        let found = self.each_subflow(
            candidates,
            &[Val::Const(0)],
            unroll,
            &mut |lower, elem, acc, steps| {
                let [yes, no] = std::array::from_fn(|_| lower.b.block(0));
                lower.enter(param, elem);
                if wanted {
                    lower.branch(body, yes, no, no);
                } else {
                    lower.branch(body, no, yes, no);
                }
                lower.leave();
                lower.b.switch(yes);
                let index = lower.index(elem);
                let bit = lower.b.shl(Val::Const(1), index);
                let more = lower.b.or(acc[0], bit);
                lower.b.goto((steps.next, &[more]));
                lower.b.switch(no);
                lower.b.goto((steps.next, acc));
            },
        );
        self.b.reload(found[0])
    }

    /// Without branches: the first eight are asked whether they are candidates or not.
    fn those_flat(&mut self, candidates: Val, param: VarId, body: ExprId, wanted: bool) -> Val {
        let clamped = self.clamp(body, param);
        let exit = self.b.block(1);
        let mut found = Val::Const(0);
        let mut rest = candidates;
        if self.unrolls(body) == Unroll::First8 {
            for index in 0..8 {
                // Most connections have two subflows, and few more than four.
                if index == 2 || index == 4 {
                    let others = self.b.and(candidates, Val::Const(!((1 << index) - 1)));
                    let none = Val::Const(0);
                    self.b.leave_if(Cond::Eq, others, none, (exit, &[found]));
                }
                let elem = Elem::new(Kind::Subflow, Val::Const(index));
                found = self.with_truth(found, param, body, wanted, elem);
            }
            rest = self.b.and(candidates, Val::Const(!0xff));
            let none = Val::Const(0);
            self.b.leave_if(Cond::Eq, rest, none, (exit, &[found]));
        }
        let found = self.straight_subflows(rest, &[found], &mut |lower, elem, _, found| {
            // A round without a subflow asks the first one, which is a candidate or left out below.
            vec![lower.with_truth(found[0], param, body, wanted, elem)]
        });
        self.unclamp(clamped);
        self.b.goto((exit, &found));
        self.b.switch(exit);
        let found = self.b.params(exit)[0];
        let found = self.b.reload(found);
        self.b.and(found, candidates)
    }

    /// The word with the bit of an element of which a predicate is TRUE (`wanted`) or FALSE.
    fn with_truth(
        &mut self,
        found: Val,
        param: VarId,
        body: ExprId,
        wanted: bool,
        elem: Elem,
    ) -> Val {
        self.enter(param, elem);
        let truth = if wanted {
            self.is_true(body)
        } else {
            self.is_false(body)
        };
        self.leave();
        let index = self.index(elem);
        let bit = self.b.shl(truth, index);
        self.b.or(found, bit)
    }

    /// Whether a lambda's body is small enough to be written several times.
    pub(super) fn unrolls(&self, body: ExprId) -> Unroll {
        if self.weight(body) <= 12 && self.trip_is_one() {
            Unroll::First8
        } else {
            Unroll::No
        }
    }

    /// Whether what is written now is executed at most once.
    pub(super) fn trip_is_one(&self) -> bool {
        self.b.trips == Formula::constant(1)
    }

    /// How many nodes an expression has; a lambda weighs more than any limit.
    pub(super) fn weight(&self, id: ExprId) -> usize {
        let kind = &self.program.expr(id).kind;
        let own = match kind {
            ExprKind::Random(_) => 20,
            _ if kind.lambda().is_some() => 100,
            ExprKind::Count(_) | ExprKind::Last(_) | ExprKind::Get { .. } => 20,
            ExprKind::First(_) => 8,
            _ => 1,
        };
        let children = kind.children();
        own + children.iter().map(|&e| self.weight(e)).sum::<usize>()
    }

    /// Whether an expression is the same for all elements. RANDOM is not, even if it does not read
    /// the parameter.
    pub(super) fn is_fixed(&self, id: ExprId, param: VarId) -> bool {
        !self.reads(id, param) && !self.is_random(id)
    }

    fn is_random(&self, id: ExprId) -> bool {
        let kind = &self.program.expr(id).kind;
        matches!(kind, ExprKind::Random(_)) || kind.children().iter().any(|&e| self.is_random(e))
    }

    /// The subflow of a single bit.
    fn of_bit(&mut self, bit: Val) -> Elem {
        let index = self.b.position(bit);
        Elem::new(Kind::Subflow, index)
    }

    /// The subflow of the lowest bit; leaves for `null` if there is none.
    pub(super) fn first_subflow(&mut self, set: Val, null: BlockId) -> Elem {
        self.b.leave_if(Cond::Eq, set, Val::Const(0), (null, &[]));
        let set = self.b.reload(set);
        self.lowest_of(set)
    }

    /// The subflow of the highest bit; leaves for `null` if there is none.
    pub(super) fn last_subflow(&mut self, set: Val, null: BlockId) -> Elem {
        self.b.leave_if(Cond::Eq, set, Val::Const(0), (null, &[]));
        let set = self.b.reload(set);
        self.highest_of(set)
    }

    /// The highest bit of a word that is below 2^bits, alone.
    pub(super) fn highest(&mut self, word: Val, bits: u64) -> Val {
        let mut below = word;
        let mut distance = 1;
        while distance < bits {
            let shifted = self.b.shr(below, Val::Const(distance));
            below = self.b.or(below, shifted);
            distance *= 2;
        }
        let lower = self.b.shr(below, Val::Const(1));
        self.b.xor(below, lower)
    }

    /// The subflow at a place of the list; leaves for `null` if there is none.
    pub(super) fn nth_subflow(&mut self, set: Val, place: Val, null: BlockId) -> Elem {
        if place == Val::Const(0) {
            return self.first_subflow(set, null);
        }
        if self.loops == Loops::Bounded {
            let rest = self.after_places(set, place);
            self.b.leave_if(Cond::Eq, rest, Val::Const(0), (null, &[]));
            return self.lowest_of(rest);
        }
        let once = self.b.trips.clone();
        let found = self.b.block(1);
        self.b.trips = &once * &(&Formula::subflows() + &Formula::constant(1));
        let set = self.b.reload(set);
        let place = self.b.reload(place);
        let (head, carried) = self.b.open(&[set, place], 33);
        let [rest, left] = carried[..] else {
            unreachable!("two values were passed");
        };
        self.b.leave_at_zero(rest, (null, &[]));
        let zero = Val::Const(0);
        self.b.leave_if(Cond::Eq, left, zero, (found, &[rest]));
        let rest = self.b.without_lowest(rest);
        let left = self.b.alu(AluOp::Sub, left, Val::Const(1));
        self.b.again(head, &[rest, left]);
        self.b.trips = once;
        self.b.switch(found);
        let rest = self.b.params(found)[0];
        let rest = self.b.reload(rest);
        let bit = self.b.lowest(rest);
        self.of_bit(bit)
    }

    /// The subflow of the lowest bit of a word that is not 0.
    pub(super) fn lowest_of(&mut self, set: Val) -> Elem {
        let bit = self.b.lowest(set);
        self.of_bit(bit)
    }

    /// The subflow of the highest bit of a word that is not 0.
    pub(super) fn highest_of(&mut self, set: Val) -> Elem {
        let bit = self.highest(set, 32);
        self.of_bit(bit)
    }

    /// The subflows from a place of the list on, without branches: each round takes the lowest bit
    /// away until the place is reached.
    pub(super) fn after_places(&mut self, set: Val, place: Val) -> Val {
        let once = self.b.trips.clone();
        let all = layout::SUBFLOWS as u64;
        let set = self.b.reload(set);
        let place = self.b.reload(place);
        self.b.trips = &once * &Formula::constant(all);
        let (fixed, carried) = self.b.open_fixed(&[set, place], all);
        let (rest, left) = (carried[0], carried[1]);
        let more = self.is_nonzero(left);
        let mask = self.spread(more);
        let bit = self.b.lowest(rest);
        let bit = self.b.and(bit, mask);
        let rest = self.b.xor(rest, bit);
        let left = self.b.alu(AluOp::Sub, left, more);
        self.b.repeat(fixed, &[rest, left]);
        self.b.trips = once;
        self.b.reload(carried[0])
    }

    /// How many subflows a word has.
    pub(super) fn count_subflows(&mut self, set: Val) -> Val {
        self.ones(set, 32)
    }

    /// How many bits of the low `bits` (32 or 64) of a word are set (Warren, "Hacker's Delight",
    /// section 5-1).
    pub(super) fn ones(&mut self, word: Val, bits: u32) -> Val {
        let mask = |byte: u64| {
            let all = byte * 0x0101_0101_0101_0101;
            Val::Const(if bits == 32 { all & 0xffff_ffff } else { all })
        };
        let odd = self.b.shr(word, Val::Const(1));
        let odd = self.b.and(odd, mask(0x55));
        let pairs = self.b.alu(AluOp::Sub, word, odd);
        let high = self.b.shr(pairs, Val::Const(2));
        let high = self.b.and(high, mask(0x33));
        let low = self.b.and(pairs, mask(0x33));
        let fours = self.b.add(low, high);
        let high = self.b.shr(fours, Val::Const(4));
        let eights = self.b.add(fours, high);
        let eights = self.b.and(eights, mask(0x0f));
        let sum = self.b.alu(AluOp::Mul, eights, mask(0x01));
        let count = self.b.shr(sum, Val::Const(u64::from(bits) - 8));
        self.b.and(count, Val::Const(0xff))
    }
}
