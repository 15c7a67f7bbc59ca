//! Loops over the members of a list: one for subflows, one for packets, each with carried values.

use progmp_abi::layout;
use progmp_ir::Kind;

use super::Lower;
use super::build::Val;
use super::elem::Elem;
use super::packets::Packets;
use crate::Loops;
use crate::bounds::Formula;
use crate::isa::Cond;
use crate::vcode::BlockId;

/// Where an iteration goes on. Both places take the carried values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    /// To the next element.
    pub(super) next: BlockId,
    /// Behind the loop.
    pub(super) exit: BlockId,
}

/// Whether the first subflows are written out before the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unroll {
    /// The loop serves all.
    No,
    /// The first eight are written out, the loop serves the rest.
    First8,
}

/// What is done with one element: it ends every path by going to one of the steps.
pub(super) type Body<'f, 'p> = dyn FnMut(&mut Lower<'p>, Elem, &[Val], Steps) + 'f;

impl<'p> Lower<'p> {
    /// Goes over the subflows of a word, oldest first; returns the carried values behind the loop.
    pub(super) fn each_subflow(
        &mut self,
        set: Val,
        init: &[Val],
        unroll: Unroll,
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        let exit = self.b.block(init.len());
        let (rest, carried) = match unroll {
            Unroll::No => (set, init.to_vec()),
            Unroll::First8 => self.first_eight(set, init, exit, body),
        };
        // What tests have told about the word would make states differ.
        let rest = self.b.reload(rest);
        let once = self.b.trips.clone();
        self.b.trips = &once * &(&Formula::subflows() + &Formula::constant(1));
        let limit = layout::SUBFLOWS as u64 + 1;
        let (head, mut carried) = self.b.open(&with(&carried, rest), limit);
        let rest = carried.pop().expect("the word was passed");
        self.b.leave_at_zero(rest, (exit, &carried));
        self.b.trips = &once * &Formula::subflows();
        let inner = self.b.block(0);
        self.b.goto((inner, &[]));
        self.b.switch(inner);
        let bit = self.b.lowest(rest);
        let rest = self.b.xor(rest, bit);
        let index = self.b.position(bit);
        let elem = self.with_record(Elem::new(Kind::Subflow, index));
        let next = self.b.block(init.len());
        body(self, elem, &carried, Steps { next, exit });
        self.b.switch(next);
        let carried = self.b.params(next);
        self.b.again(head, &with(&carried, rest));
        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)
    }

    /// The first eight subflows, one by one; returns the others, and the carried values.
    fn first_eight(
        &mut self,
        set: Val,
        init: &[Val],
        exit: BlockId,
        body: &mut Body<'_, 'p>,
    ) -> (Val, Vec<Val>) {
        // The tests tell the kernel's verifier about a copy that is not used again: what it knows of
        // a word decides later tests, and makes as many ways of it as there are words.
        let set = self.b.reload(set);
        let mut carried = init.to_vec();
        for index in 0..8 {
            if index == 4 {
                let others = self.b.and(set, Val::Const(!0xf));
                let none = Val::Const(0);
                self.b.leave_if(Cond::Eq, others, none, (exit, &carried));
            }
            let next = self.b.block(init.len());
            let take = self.b.block(0);
            let bit = Val::Const(1 << index);
            self.b
                .test(Cond::Set, set, bit, (take, &[]), (next, &carried));
            self.b.switch(take);
            let elem = Elem::new(Kind::Subflow, Val::Const(index));
            body(self, elem, &carried, Steps { next, exit });
            self.b.switch(next);
            carried = self.b.params(next);
        }
        let others = self.b.and(set, Val::Const(!0xff));
        let none = Val::Const(0);
        self.b.leave_if(Cond::Eq, others, none, (exit, &carried));
        (others, carried)
    }

    /// Goes over the packets of a list in sequence order; returns the carried values behind the loop.
    pub(super) fn each_packet(
        &mut self,
        list: &Packets,
        init: &[Val],
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        let once = self.b.trips.clone();
        if self.loops == Loops::Bounded {
            return self.each_packet_flat(list, init, body);
        }
        self.each_word(list, init, &mut |lower, word, carried, steps| {
            let after = lower.each_bit(list, word, carried, &once, steps.exit, body);
            lower.b.goto((steps.next, &after));
        })
    }

    /// The same in one loop, a round of which takes a packet or the next word: so there are fewer
    /// rounds for the kernel's verifier to walk.
    fn each_packet_flat(
        &mut self,
        list: &Packets,
        init: &[Val],
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        let exit = self.b.block(init.len());
        let once = self.b.trips.clone();
        let items = self.most(list);
        let rounds = &items + &Formula::constant(self.words_at_most() + 1);
        let some = self.summary(list);
        let mut all = init.to_vec();
        all.extend([some, Val::Const(0), Val::Const(0)]);
        self.b.trips = &once * &rounds;
        let limit = rounds.at(layout::SUBFLOWS as u64, 64);
        let (head, mut carried) = self.b.open(&all, limit);
        let [some, number, rest] = carried.split_off(init.len())[..] else {
            unreachable!("three values were passed besides");
        };
        let take = self.b.block(0);
        let zero = Val::Const(0);
        self.b.leave_if(Cond::Ne, rest, zero, (take, &[]));
        self.b.leave_at_zero(some, (exit, &carried));
        let bit = self.b.lowest(some);
        let others = self.b.xor(some, bit);
        let next_number = self.b.position(bit);
        let word = self.word(list, next_number);
        let mut all = carried.clone();
        all.extend([others, next_number, word]);
        self.b.again(head, &all);
        self.b.switch(take);
        self.b.trips = &once * &items;
        let next = self.b.block(init.len());
        let bit = self.b.lowest(rest);
        let rest = self.b.xor(rest, bit);
        let elem = self.packet_at(number, bit);
        self.filtered(list, elem, &carried, Steps { next, exit }, body);
        self.b.switch(next);
        let mut all = self.b.params(next);
        all.extend([some, number, rest]);
        self.b.again(head, &all);
        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)
    }

    /// Does the body with a packet if it passes the list's filters.
    fn filtered(
        &mut self,
        list: &Packets,
        elem: Elem,
        carried: &[Val],
        steps: Steps,
        body: &mut Body<'_, 'p>,
    ) {
        let elem = self.with_record(elem);
        if !list.filters.is_empty() {
            let skip = self.b.block(0);
            for filter in &list.filters {
                let pass = self.b.block(0);
                self.enter(filter.param, elem);
                self.condition(filter.body, pass, skip);
                self.leave();
                self.b.switch(pass);
            }
            let pass = self.b.here();
            self.b.switch(skip);
            self.b.goto((steps.next, carried));
            self.b.switch(pass);
        }
        body(self, elem, carried, steps);
    }

    /// Goes over the words of a list that are not 0; filters are left to the body.
    pub(super) fn each_word(
        &mut self,
        list: &Packets,
        init: &[Val],
        body: &mut dyn FnMut(&mut Self, Word, &[Val], Steps),
    ) -> Vec<Val> {
        let exit = self.b.block(init.len());
        let once = self.b.trips.clone();
        let rounds = self.words_at_most() + 1;
        let some = self.summary(list);
        self.b.trips = &once * &Formula::constant(rounds);
        let (head, mut carried) = self.b.open(&with(init, some), rounds);
        let some = carried.pop().expect("the summary was passed");
        self.b.leave_at_zero(some, (exit, &carried));
        let bit = self.b.lowest(some);
        let some = self.b.xor(some, bit);
        let number = self.b.position(bit);
        let value = self.word(list, number);
        let next = self.b.block(init.len());
        let word = Word { number, bit, value };
        body(self, word, &carried, Steps { next, exit });
        self.b.switch(next);
        let carried = self.b.params(next);
        self.b.again(head, &with(&carried, some));
        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)
    }

    /// Goes over those packets of a word that pass the list's filters; returns the carried values
    /// behind the word. `once` is how often the whole list is gone over; `exit` leaves all words.
    pub(super) fn each_bit(
        &mut self,
        list: &Packets,
        word: Word,
        init: &[Val],
        once: &Formula,
        exit: BlockId,
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        let end = self.b.block(init.len());
        let outer = self.b.trips.clone();
        let items = self.most(list);
        self.b.trips = &(once * &items) + &outer;
        let (head, mut carried) = self.b.open(&with(init, word.value), 65);
        let rest = carried.pop().expect("the word was passed");
        self.b.leave_at_zero(rest, (end, &carried));
        self.b.trips = once * &items;
        let inner = self.b.block(0);
        self.b.goto((inner, &[]));
        self.b.switch(inner);
        let bit = self.b.lowest(rest);
        let rest = self.b.xor(rest, bit);
        let elem = self.packet_at(word.number, bit);
        let next = self.b.block(init.len());
        self.filtered(list, elem, &carried, Steps { next, exit }, body);
        self.b.switch(next);
        let carried = self.b.params(next);
        self.b.again(head, &with(&carried, rest));
        self.b.trips = outer;
        self.b.switch(end);
        self.b.params(end)
    }

    /// The packet of a single bit of a word.
    pub(super) fn packet_at(&mut self, number: Val, bit: Val) -> Elem {
        let position = self.b.position(bit);
        let first = self.b.shl(number, Val::Const(6));
        let index = self.b.or(first, position);
        Elem::new(Kind::Packet, index)
    }

    /// Words of a set that may be in use: a bounded program is shown 64 packets of each queue.
    const fn words_at_most(&self) -> u64 {
        match self.loops {
            Loops::MayGoto => layout::WORDS as u64,
            Loops::Bounded => 3,
        }
    }
}

/// A word of a set of packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// Which word.
    pub(super) number: Val,
    /// Its bit in the summary.
    pub(super) bit: Val,
    /// What it holds.
    pub(super) value: Val,
}

fn with(values: &[Val], last: Val) -> Vec<Val> {
    let mut all = values.to_vec();
    all.push(last);
    all
}
