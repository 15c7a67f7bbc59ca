//! MIN, MAX and SUM.
//!
//! Where the key leaves room, key and index travel in one word, so that one comparison decides and
//! ties go to the first: for MIN `key << shift | index`, for MAX the index is complemented.

use progmp_ir::{ExprId, Extremum, Kind, Lambda};

use super::Lower;
use super::build::Val;
use super::elem::Elem;
use super::flat::Flat;
use super::fold::{Body, Straight};
use crate::Loops;
use crate::isa::{AluOp, Cond};
use crate::vcode::BlockId;

/// One bit more than an index has: so no packed word is 0 or all ones.
const fn shift_of(kind: Kind) -> u32 {
    match kind {
        Kind::Subflow => 6,
        Kind::Packet => 11,
    }
}

impl<'p> Lower<'p> {
    /// Goes over a list.
    fn each(
        &mut self,
        list: ExprId,
        init: &[Val],
        lambda: ExprId,
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        match self.kind_of(list) {
            Kind::Subflow => {
                let set = self.subflows(list);
                let unroll = self.unrolls(lambda);
                self.each_subflow(set, init, unroll, body)
            }
            Kind::Packet => {
                let list = self.packets(list);
                self.each_packet(&list, init, body)
            }
        }
    }

    /// The key of an element; leaves for `null` if it is NULL.
    fn key(&mut self, lambda: Lambda, elem: Elem, null: BlockId) -> Val {
        self.enter(lambda.param, elem);
        let key = self.int(lambda.body, null);
        self.leave();
        key
    }

    /// The first element with the least or greatest key; leaves for `null` if there is none.
    pub(super) fn extremum(
        &mut self,
        which: Extremum,
        list: ExprId,
        lambda: Lambda,
        null: BlockId,
    ) -> Elem {
        let kind = self.kind_of(list);
        let shift = shift_of(kind);
        if self.bits(lambda.body) + shift < 63 {
            self.packed(which, list, lambda, shift, null)
        } else {
            self.unpacked(which, list, lambda, null)
        }
    }

    fn packed(
        &mut self,
        which: Extremum,
        list: ExprId,
        lambda: Lambda,
        shift: u32,
        null: BlockId,
    ) -> Elem {
        let kind = self.kind_of(list);
        if self.is_straight_fold(list, lambda.body) {
            let (none, index) = self.packed_straight(which, list, lambda, shift);
            self.b.leave_if(Cond::Ne, none, Val::Const(0), (null, &[]));
            return Elem::new(kind, index);
        }
        let low = Val::Const((1 << shift) - 1);
        let (cond, worst) = match which {
            Extremum::Min => (Cond::Lt, u64::MAX),
            Extremum::Max => (Cond::Gt, 0),
        };
        let best = self.each(
            list,
            &[Val::Const(worst)],
            lambda.body,
            &mut |lower, elem, best, steps| {
                let skip = lower.b.block(0);
                let key = lower.key(lambda, elem, skip);
                let shifted = lower.b.shl(key, Val::Const(u64::from(shift)));
                let index = match (which, elem.index) {
                    (Extremum::Min, index) => index,
                    (Extremum::Max, index) => lower.b.xor(index, low),
                };
                let packed = lower.b.or(shifted, index);
                let better = (steps.next, &[packed][..]);
                lower.b.test(cond, packed, best[0], better, (skip, &[]));
                lower.b.switch(skip);
                lower.b.goto((steps.next, best));
            },
        );
        let best = self.b.reload(best[0]);
        self.b
            .leave_if(Cond::Eq, best, Val::Const(worst), (null, &[]));
        let index = match which {
            Extremum::Min => best,
            Extremum::Max => self.b.xor(best, low),
        };
        Elem::new(kind, index)
    }

    /// Whether a fold is to be written without branches.
    fn is_straight_fold(&self, list: ExprId, key: ExprId) -> bool {
        let straight = match self.kind_of(list) {
            Kind::Subflow => self.loops == Loops::Bounded,
            Kind::Packet => self.is_straight(&self.packets(list)),
        };
        straight && self.is_flat(key)
    }

    /// Goes over a list with a body that has no branch.
    fn straight(&mut self, list: ExprId, init: &[Val], body: &mut Straight<'_, 'p>) -> Vec<Val> {
        match self.kind_of(list) {
            Kind::Subflow => {
                let set = self.subflows(list);
                self.straight_subflows(set, init, body)
            }
            Kind::Packet => {
                let list = self.packets(list);
                self.straight_packets(&list, init, body)
            }
        }
    }

    /// The key of an element that counts, and 1 if it is not NULL, without a branch.
    fn flat_key(&mut self, lambda: Lambda, elem: Elem, counts: Val) -> (Val, Val) {
        self.enter(lambda.param, elem);
        let Flat { value, valid } = self.flat_int(lambda.body);
        self.leave();
        let counts = match valid {
            Some(valid) => self.b.and(counts, valid),
            None => counts,
        };
        (value, counts)
    }

    /// The element of MIN or MAX without branches, and 1 if there is one.
    pub(super) fn straight_extremum(
        &mut self,
        which: Extremum,
        list: ExprId,
        lambda: Lambda,
    ) -> (Elem, Val) {
        let kind = self.kind_of(list);
        let shift = shift_of(kind);
        if self.bits(lambda.body) + shift < 63 {
            let (none, index) = self.packed_straight(which, list, lambda, shift);
            (Elem::new(kind, index), self.is_zero(none))
        } else {
            let index = self.unpacked_straight(which, list, lambda);
            let inverse = self.b.xor(index, Val::Const(u64::MAX));
            (Elem::new(kind, index), self.is_nonzero(inverse))
        }
    }

    /// A word that is not 0 if there is no element, and the index in the low bits of another.
    /// Packed words are below 2^63: they can be compared by a subtraction.
    fn packed_straight(
        &mut self,
        which: Extremum,
        list: ExprId,
        lambda: Lambda,
        shift: u32,
    ) -> (Val, Val) {
        let low = Val::Const((1 << shift) - 1);
        let sign = Val::Const(63);
        // For MIN, all ones below the sign; for MAX, 0.
        let mut worst = self.b.opaque(0);
        if which == Extremum::Min {
            let inf = self.b.opaque(u64::MAX);
            worst = self.b.shr(inf, Val::Const(1));
        }
        let best = self.straight(list, &[worst], &mut |lower, elem, counts, best| {
            let (key, counts) = lower.flat_key(lambda, elem, counts);
            // The remainder of a division by 0 has more bits than the divisor, and does not count.
            let mask = lower.spread(counts);
            let key = lower.b.and(key, mask);
            let shifted = lower.b.shl(key, Val::Const(u64::from(shift)));
            let packed = match which {
                Extremum::Min => {
                    let packed = lower.b.or(shifted, elem.index);
                    let absent = lower.b.xor(mask, Val::Const(u64::MAX));
                    let absent = lower.b.shr(absent, Val::Const(1));
                    lower.b.or(packed, absent)
                }
                Extremum::Max => {
                    let index = lower.b.xor(elem.index, low);
                    let packed = lower.b.or(shifted, index);
                    lower.b.and(packed, mask)
                }
            };
            // The smaller one is the best plus the difference where that is negative.
            let difference = lower.b.alu(AluOp::Sub, packed, best[0]);
            let negative = lower.b.alu(AluOp::Arsh, difference, sign);
            let change = match which {
                Extremum::Min => lower.b.and(difference, negative),
                Extremum::Max => lower.b.and_not(difference, negative),
            };
            vec![lower.b.add(best[0], change)]
        });
        let best = self.b.reload(best[0]);
        match which {
            Extremum::Min => (self.b.shr(best, Val::Const(62)), best),
            Extremum::Max => {
                let none = self.is_zero(best);
                (none, self.b.xor(best, low))
            }
        }
    }

    fn unpacked(&mut self, which: Extremum, list: ExprId, lambda: Lambda, null: BlockId) -> Elem {
        let kind = self.kind_of(list);
        let none = Val::Const(u64::MAX);
        if self.is_straight_fold(list, lambda.body) {
            let best = self.unpacked_straight(which, list, lambda);
            self.b.leave_if(Cond::Eq, best, none, (null, &[]));
            return Elem::new(kind, best);
        }
        let cond = match which {
            Extremum::Min => Cond::Lt,
            Extremum::Max => Cond::Gt,
        };
        let init = [Val::Const(0), none];
        let best = self.each(list, &init, lambda.body, &mut |lower, elem, best, steps| {
            let skip = lower.b.block(0);
            let take = lower.b.block(0);
            let key = lower.key(lambda, elem, skip);
            lower.b.leave_if(Cond::Eq, best[1], none, (take, &[]));
            lower.b.test(cond, key, best[0], (take, &[]), (skip, &[]));
            lower.b.switch(take);
            lower.b.goto((steps.next, &[key, elem.index]));
            lower.b.switch(skip);
            lower.b.goto((steps.next, best));
        });
        let index = self.b.reload(best[1]);
        self.b.leave_if(Cond::Eq, index, none, (null, &[]));
        Elem::new(kind, index)
    }

    /// The index of the best element, all ones if there is none.
    fn unpacked_straight(&mut self, which: Extremum, list: ExprId, lambda: Lambda) -> Val {
        let init = [Val::Const(0), Val::Const(u64::MAX)];
        let best = self.straight(list, &init, &mut |lower, elem, counts, best| {
            let (key, counts) = lower.flat_key(lambda, elem, counts);
            let better = match which {
                Extremum::Min => lower.less(key, best[0], false),
                Extremum::Max => lower.less(best[0], key, false),
            };
            // An index is far below 2^63, and all ones is not.
            let first = lower.b.shr(best[1], Val::Const(63));
            let better = lower.b.or(better, first);
            let take = lower.b.and(better, counts);
            let index = lower.index(elem);
            vec![
                lower.select(take, key, best[0]),
                lower.select(take, index, best[1]),
            ]
        });
        self.b.reload(best[1])
    }

    /// The sum of the keys that are not NULL.
    pub(super) fn sum(&mut self, list: ExprId, lambda: Lambda) -> Val {
        let init = [Val::Const(0)];
        if self.is_straight_fold(list, lambda.body) {
            let sum = self.straight(list, &init, &mut |lower, elem, counts, sum| {
                let (key, counts) = lower.flat_key(lambda, elem, counts);
                let mask = lower.spread(counts);
                let key = lower.b.and(key, mask);
                vec![lower.b.add(sum[0], key)]
            });
            return self.b.reload(sum[0]);
        }
        let sum = self.each(list, &init, lambda.body, &mut |lower, elem, sum, steps| {
            let skip = lower.b.block(0);
            let key = lower.key(lambda, elem, skip);
            let more = lower.b.add(sum[0], key);
            lower.b.goto((steps.next, &[more]));
            lower.b.switch(skip);
            lower.b.goto((steps.next, sum));
        });
        self.b.reload(sum[0])
    }
}
