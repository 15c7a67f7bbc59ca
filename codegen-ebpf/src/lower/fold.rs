//! Loops over the members of a list: one for subflows, one for packets, each with carried values.

use progmp_abi::layout::{self, packet};
use progmp_ir::Kind;

use super::Lower;
use super::build::{Fixed, Val};
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

/// Two open loops of the bounded form.
struct Chunks {
    outer: Fixed,
    inner: Fixed,
    exit: BlockId,
    kept: usize,
    left: (Val, Val),
    carried: Vec<Val>,
}

/// Rounds between two looks at whether a loop of the bounded form is done.
const CHUNK: u64 = 16;

/// Packets that share a round where the first one that passes is looked for.
const COPIES: usize = 2;

/// What is done with one element without a branch: it gets the element, 1 if it counts (else 0),
/// and the carried values, and returns the next ones.
pub(super) type Straight<'f, 'p> = dyn FnMut(&mut Lower<'p>, Elem, Val, &[Val]) -> Vec<Val> + 'f;

/// What is done in a round: it gets the element, 1 if there is one (else 0), the carried values, and
/// where to go.
type Round<'f, 'p> = dyn FnMut(&mut Lower<'p>, Elem, Val, &[Val], Steps) + 'f;

/// What is done with one word of a set.
pub(super) type EachWord<'f, 'p> = dyn FnMut(&mut Lower<'p>, Word, &[Val], Steps) + 'f;

/// What is done with one element: it ends every path by going to one of the steps.
pub(super) type Body<'f, 'p> = dyn FnMut(&mut Lower<'p>, Elem, &[Val], Steps) + 'f;

/// What is done with the first element that passes; the exit takes an index.
pub(super) type Found<'f, 'p> = dyn FnMut(&mut Lower<'p>, Elem, Steps) + 'f;

impl<'p> Lower<'p> {
    /// Goes over the subflows of a word, oldest first; returns the carried values behind the loop.
    pub(super) fn each_subflow(
        &mut self,
        set: Val,
        init: &[Val],
        unroll: Unroll,
        body: &mut Body<'_, 'p>,
    ) -> Vec<Val> {
        if self.loops == Loops::Bounded && !self.trip_is_one() {
            return self.subflow_rounds(set, init, body);
        }
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
        let mut elem = self.with_record(Elem::new(Kind::Subflow, index));
        elem.bit = Some(bit);
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
            let flat = self.has_flat_filters(list);
            return self.rounds(list, init, &mut |lower, elem, present, carried, steps| {
                let present = if flat {
                    lower.passes(list, elem, present)
                } else {
                    present
                };
                let skip = lower.b.block(0);
                let here = lower.b.here();
                lower.b.switch(skip);
                lower.b.goto((steps.next, carried));
                lower.b.switch(here);
                // What leaves the loop is walked first.
                lower.b.leave_first(present, (skip, &[]));
                let mut list = list.clone();
                if flat {
                    list.filters.clear();
                }
                lower.filtered(&list, elem, carried, steps, body);
            });
        }
        self.each_word(list, init, &mut |lower, word, carried, steps| {
            let after = lower.each_bit(list, word, carried, &once, steps.exit, body);
            lower.b.goto((steps.next, &after));
        })
    }

    /// The same in one loop, each round of which takes a packet, and the next word without a branch
    /// when the last one is used up: the kernel's verifier has one way through each round, and
    /// leaves the loop every sixteen rounds only.
    fn rounds(&mut self, list: &Packets, init: &[Val], body: &mut Round<'_, 'p>) -> Vec<Val> {
        let exit = self.b.block(init.len());
        let once = self.b.trips.clone();
        let some = self.summary(list);
        let mut all = init.to_vec();
        all.extend([some, Val::Const(0), Val::Const(0)]);
        // A word of a list that must still be in a queue may be empty.
        let empty = match list.still_in {
            Some(_) => self.words_at_most(),
            None => 0,
        };
        let rounds = self.most(list).at(layout::SUBFLOWS as u64, 64) + empty;
        let done = |carried: &[Val]| (carried[init.len()], carried[init.len() + 2]);
        let (chunks, inner) = self.open_chunks(&all, rounds, exit, init.len(), done);
        let (carried, rest) = inner.split_at(init.len());
        let &[some, number, rest] = rest else {
            unreachable!("three values were passed besides");
        };
        let more = self.mask_of(rest);
        let bit = self.b.lowest(some);
        let bit = self.b.and_not(bit, more);
        let next_number = self.b.position(bit);
        let turns = self.mask_of(bit);
        let number = self.blend(turns, next_number, number);
        let word = self.word(list, number);
        let fresh = self.b.and(word, turns);
        let rest = self.b.or(rest, fresh);
        let some = self.b.xor(some, bit);
        let present = self.is_nonzero(rest);
        let bit = self.b.lowest(rest);
        let rest = self.b.xor(rest, bit);
        let elem = self.packet_at(number, bit);
        let elem = self.with_record(elem);
        let next = self.b.block(init.len());
        body(self, elem, present, carried, Steps { next, exit });
        self.b.switch(next);
        let mut all = self.b.params(next);
        all.extend([some, number, rest]);
        self.close_chunks(&chunks, &inner, &all);
        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)
    }

    /// Opens two loops, one in the other, that go around `rounds` times together, and leave for
    /// `exit` between two chunks of rounds if both words that `done` names are 0. `exit` takes the
    /// first `kept` carried values.
    fn open_chunks(
        &mut self,
        init: &[Val],
        rounds: u64,
        exit: BlockId,
        kept: usize,
        done: impl Fn(&[Val]) -> (Val, Val),
    ) -> (Chunks, Vec<Val>) {
        let once = self.b.trips.clone();
        let chunks = rounds.div_ceil(CHUNK);
        self.b.trips = &once * &Formula::constant(chunks + 1);
        let (outer, carried) = self.b.open_fixed(init, chunks);
        let (a, b) = done(&carried);
        let left = self.b.or(a, b);
        self.b.leave_at_zero(left, (exit, &carried[..kept]));
        self.b.trips = &once * &Formula::constant(chunks * CHUNK);
        let (inner, values) = self.b.open_fixed(&carried, CHUNK);
        let chunks = Chunks {
            outer,
            inner,
            exit,
            kept,
            left: done(&carried),
            carried,
        };
        (chunks, values)
    }

    /// Closes both loops: `inner` is what the inner loop carries, `next` what it goes on with.
    fn close_chunks(&mut self, chunks: &Chunks, inner: &[Val], next: &[Val]) {
        self.b.repeat(chunks.inner, next);
        self.b.repeat(chunks.outer, inner);
        let left = self.b.or(chunks.left.0, chunks.left.1);
        self.b
            .leave_at_zero(left, (chunks.exit, &chunks.carried[..chunks.kept]));
        self.b.abort();
    }

    /// 1 if the packet is present and passes the filters, which have no branch.
    fn passes(&mut self, list: &Packets, elem: Elem, present: Val) -> Val {
        let mut passes = present;
        for filter in &list.filters {
            self.enter(filter.param, elem);
            let truth = self.is_true(filter.body);
            self.leave();
            passes = self.b.and(passes, truth);
        }
        passes
    }

    /// Whether a list's filters have no branch.
    fn has_flat_filters(&self, list: &Packets) -> bool {
        list.filters.iter().all(|filter| self.is_flat(filter.body))
    }

    /// Whether a fold over a packet list is to be written without branches.
    pub(super) fn is_straight(&self, list: &Packets) -> bool {
        self.loops == Loops::Bounded && self.has_flat_filters(list)
    }

    /// Goes over the packets of a list with a body that has no branch.
    pub(super) fn straight_packets(
        &mut self,
        list: &Packets,
        init: &[Val],
        body: &mut Straight<'_, 'p>,
    ) -> Vec<Val> {
        self.rounds(list, init, &mut |lower, elem, present, carried, steps| {
            let passes = lower.passes(list, elem, present);
            let next = body(lower, elem, passes, carried);
            lower.b.goto((steps.next, &next));
        })
    }

    /// Goes over the subflows of a word in rounds: a loop in a loop that leaves it in every round has
    /// too many ways out.
    fn subflow_rounds(&mut self, set: Val, init: &[Val], body: &mut Body<'_, 'p>) -> Vec<Val> {
        self.chunked_subflows(set, init, &mut |lower, elem, present, carried, steps| {
            lower.b.leave_first(present, (steps.next, carried));
            body(lower, elem, carried, steps);
        })
    }

    /// Goes over the subflows of a word with a body that has no branch.
    pub(super) fn straight_subflows(
        &mut self,
        set: Val,
        init: &[Val],
        body: &mut Straight<'_, 'p>,
    ) -> Vec<Val> {
        if self.loops == Loops::MayGoto {
            let one = Val::Const(1);
            return self.each_subflow(set, init, Unroll::No, &mut |lower, elem, carried, steps| {
                let next = body(lower, elem, one, carried);
                lower.b.goto((steps.next, &next));
            });
        }
        self.chunked_subflows(set, init, &mut |lower, elem, present, carried, steps| {
            let next = body(lower, elem, present, carried);
            lower.b.goto((steps.next, &next));
        })
    }

    fn chunked_subflows(&mut self, set: Val, init: &[Val], body: &mut Round<'_, 'p>) -> Vec<Val> {
        let exit = self.b.block(init.len());
        let once = self.b.trips.clone();
        let set = self.b.reload(set);
        let done = |carried: &[Val]| (carried[init.len()], Val::Const(0));
        let rounds = layout::SUBFLOWS as u64;
        let all = with(init, set);
        let (chunks, inner) = self.open_chunks(&all, rounds, exit, init.len(), done);
        let (values, rest) = inner.split_at(init.len());
        let present = self.is_nonzero(rest[0]);
        let bit = self.b.lowest(rest[0]);
        let rest = self.b.xor(rest[0], bit);
        let index = self.b.position(bit);
        let elem = self.with_record(Elem::new(Kind::Subflow, index));
        let next = self.b.block(init.len());
        body(self, elem, present, values, Steps { next, exit });
        self.b.switch(next);
        let next = self.b.params(next);
        self.close_chunks(&chunks, &inner, &with(&next, rest));
        self.b.trips = once;
        self.b.switch(exit);
        self.b.params(exit)
    }

    /// Does the body with a packet if it passes the list's filters.
    pub(super) fn filtered(
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
        body: &mut EachWord<'_, 'p>,
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

    /// The first packet of a list that the body leaves the loop with, else `none`. The body is
    /// small: several packets may share a round.
    pub(super) fn first_passing(
        &mut self,
        list: &Packets,
        none: Val,
        body: &mut Found<'_, 'p>,
    ) -> Val {
        if self.loops == Loops::Bounded {
            let each: &mut Body<'_, 'p> = &mut |lower, elem, _, steps| body(lower, elem, steps);
            return self.each_packet(list, &[none], each)[0];
        }
        let weight: usize = list.filters.iter().map(|f| self.weight(f.body)).sum();
        let copies = if weight <= 12 { COPIES } else { 1 };
        self.scan(list, none, copies, body)
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
        let number = self
            .b
            .and(word.number, Val::Const(layout::WORDS as u64 - 1));
        let stride = u64::from((64 * packet::BYTES).ilog2());
        let distance = self.b.shl(number, Val::Const(stride));
        let records = Val::Reg(self.b.address(distance));
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
        let place = self.b.position(bit);
        let mut elem = self.packet_of(word.number, place);
        let within = self.b.and(place, Val::Const(63));
        let within = self
            .b
            .shl(within, Val::Const(u64::from(packet::BYTES.ilog2())));
        let record = self.b.add(within, records);
        elem.record = Some(self.b.reg(record));
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
        self.packet_of(number, position)
    }

    /// The packet at a place in a word.
    fn packet_of(&mut self, number: Val, position: Val) -> Elem {
        let first = self.b.shl(number, Val::Const(6));
        let index = self.b.or(first, position);
        Elem::new(Kind::Packet, index)
    }

    /// Words of a set that may be in use: a bounded program is shown 64 packets of each queue.
    pub(super) const fn words_at_most(&self) -> u64 {
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
