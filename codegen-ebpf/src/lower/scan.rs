//! The first packet of a list that passes: the loop that schedulers spend most of their time in.
//!
//! Queues are mostly runs of neighbouring records. So the loop carries an index and the rest of its
//! word, shifted such that the index's bit is the lowest: the next record is an addition and a shift
//! away. Where there is a gap, or the word ends, a detour leads to the next member.

use progmp_ir::Kind;

use super::Lower;
use super::build::Val;
use super::elem::Elem;
use super::fold::{Found, Steps};
use super::packets::Packets;
use super::skip::first_at;
use crate::bounds::Formula;
use crate::isa::Cond;

const ZERO: Val = Val::Const(0);
const ONE: Val = Val::Const(1);

impl<'p> Lower<'p> {
    /// The first packet of a list that the body leaves the loop with, else `none`. So many packets
    /// share a round. In the form with `may_goto` only.
    pub(super) fn scan(
        &mut self,
        list: &Packets,
        none: Val,
        copies: usize,
        body: &mut Found<'_, 'p>,
    ) -> Val {
        let once = self.b.trips.clone();
        // A round takes a packet, goes to the next word, or jumps over a gap.
        let items = self.most(list);
        let words = Formula::constant(self.words_at_most() + 1);
        let (packets, ends) = (&once * &items, &once * &words);
        let rounds = &(&packets + &packets) + &ends;
        let exit = self.b.block(1);
        self.b.trips.clone_from(&ends);
        let end = self.b.block(1);
        self.b.trips.clone_from(&packets);
        let gap = self.b.block(3);
        self.b.trips = rounds;
        let some = self.summary(list);
        let (start, head) = if list.skips {
            let first = self.b.member(first_at(list.source));
            let number = self.b.shr(first, Val::Const(6));
            let later = self.b.shl(Val::Const(!1), number);
            let later = self.b.and(some, later);
            let word = self.word(list, number);
            let rest = self.b.shr(word, first);
            let start = self.b.block(3);
            self.b.goto((start, &[first, rest, later]));
            (start, self.b.params(start))
        } else {
            let start = self.b.block(3);
            self.b.goto((end, &[some]));
            (start, self.b.params(start))
        };
        self.b.switch(start);
        let (head, carried) = self.b.open(&head, 0);
        let [mut index, mut rest, some] = carried[..] else {
            unreachable!("three values are carried");
        };
        for _ in 0..copies {
            self.b.leave_if(Cond::Eq, rest, ZERO, (end, &[some]));
            let round = std::mem::replace(&mut self.b.trips, packets.clone());
            let here = self.b.block(0);
            let detour = (gap, &[index, rest, some][..]);
            self.b.test(Cond::Set, rest, ONE, (here, &[]), detour);
            self.b.switch(here);
            let elem = Elem::new(Kind::Packet, index);
            let next = self.b.block(0);
            let steps = Steps { next, exit };
            self.filtered(list, elem, &[], steps, &mut |lower, elem, _, steps| {
                body(lower, elem, steps);
            });
            self.b.switch(next);
            rest = self.b.shr(rest, ONE);
            index = self.b.add(index, ONE);
            self.b.trips = round;
        }
        self.b.again(head, &[index, rest, some]);

        self.b.trips.clone_from(&packets);
        self.b.switch(gap);
        let [index, rest, some] = self.b.params(gap)[..] else {
            unreachable!("three values are carried");
        };
        let bit = self.b.lowest(rest);
        let distance = self.b.position(bit);
        let rest = self.b.shr(rest, distance);
        let index = self.b.add(index, distance);
        self.b.again(head, &[index, rest, some]);

        self.b.trips = ends;
        self.b.switch(end);
        let some = self.b.params(end)[0];
        self.b.leave_if(Cond::Eq, some, ZERO, (exit, &[none]));
        let bit = self.b.lowest(some);
        let some = self.b.xor(some, bit);
        let number = self.b.position(bit);
        let word = self.word(list, number);
        let index = self.b.shl(number, Val::Const(6));
        self.b.goto((start, &[index, word, some]));

        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)[0]
    }
}
