//! Packet lists: sets of records in the block, and filters that are applied on the way.

use progmp_abi::layout::{self, queue};
use progmp_abi::queue_at;
use progmp_ir::{ExprId, ExprKind, Lambda, QueueName};

use super::build::Val;
use super::elem::Elem;
use super::{Binding, Lower};
use crate::Loops;
use crate::bounds::Formula;
use crate::isa::{AluOp, Cond, Size};
use crate::vcode::{BlockId, Vreg};

/// A packet list.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    /// Where its members come from.
    pub(super) source: QueueName,
    /// Offset in the block of the set that it starts from.
    pub(super) at: usize,
    /// What its members pass, first to last.
    pub(super) filters: Vec<Lambda>,
    /// The queue that its members must still be in.
    pub(super) still_in: Option<QueueName>,
    /// Whether its first member is not among the packets that an enclosing loop skips.
    pub(super) skips: bool,
}

impl Packets {
    /// A queue as it is now.
    pub(super) const fn queue(name: QueueName) -> Self {
        Self::set(name, queue_at(name))
    }

    /// A set in the block, of members of a queue.
    const fn set(source: QueueName, at: usize) -> Self {
        Self {
            source,
            at,
            filters: Vec::new(),
            still_in: None,
            skips: false,
        }
    }

    /// Whether it is the set, and nothing else.
    pub(super) fn is_plain(&self) -> bool {
        self.filters.is_empty() && self.still_in.is_none()
    }
}

impl Lower<'_> {
    /// How many members a list has at most: each POP from Q adds one to QU.
    pub(super) fn most(&self, list: &Packets) -> Formula {
        let shown = Formula::packets(1);
        match list.source {
            QueueName::Unacked => &shown + &self.popped,
            QueueName::Send | QueueName::Retrans => shown,
        }
    }

    /// A packet list, not evaluated yet.
    pub(super) fn packets(&self, id: ExprId) -> Packets {
        match self.program.expr(id).kind {
            ExprKind::Queue(name) => Packets::queue(name),
            ExprKind::Var(var) => match self.var(var) {
                Binding::Packets(list) => list.clone(),
                other => unreachable!("{other:?} is no packet list"),
            },
            ExprKind::Filter(list, lambda) => {
                let mut list = self.packets(list);
                list.filters.push(lambda);
                let is_queue = list.at == queue_at(list.source);
                list.skips |= is_queue && self.skips(list.source, lambda);
                list
            }
            ref other => unreachable!("{other:?} is no packet list"),
        }
    }

    /// The list's members as they are now, in scratch memory.
    pub(super) fn snapshot(&mut self, list: &Packets) -> Packets {
        if self.loops == Loops::Bounded && !list.filters.is_empty() {
            return self.snapshot_flat(list);
        }
        let at = self.take_slot();
        let once = self.b.trips.clone();
        let none = [Val::Const(0)];
        let some = self.each_word(list, &none, &mut |lower, word, some, steps| {
            let kept = if list.filters.is_empty() {
                word.value
            } else {
                let nowhere = steps.exit;
                lower.each_bit(
                    list,
                    word,
                    &none,
                    &once,
                    nowhere,
                    &mut |lower, elem, kept, steps| {
                        let place = lower.b.and(elem.index, Val::Const(63));
                        let bit = lower.b.shl(Val::Const(1), place);
                        let more = lower.b.or(kept[0], bit);
                        lower.b.goto((steps.next, &[more]));
                    },
                )[0]
            };
            let address = lower.word_address(word.number);
            lower.b.store(Size::U64, address, at + queue::WORD, kept);
            lower
                .b
                .leave_if(Cond::Eq, kept, Val::Const(0), (steps.next, some));
            let more = lower.b.or(some[0], word.bit);
            lower.b.goto((steps.next, &[more]));
        });
        let base = self.b.base();
        self.b.store(Size::U64, base, at + queue::SOME, some[0]);
        Packets::set(list.source, at)
    }

    /// The same, packet by packet: in the bounded form there is one loop instead of two.
    fn snapshot_flat(&mut self, list: &Packets) -> Packets {
        let at = self.take_slot();
        let base = self.b.base();
        for word in 0..=layout::WORDS {
            self.b.store(Size::U64, base, at + 8 * word, Val::Const(0));
        }
        if self.is_straight(list) {
            self.straight_packets(list, &[], &mut |lower, elem, counts, _| {
                let mut place = lower.place(elem);
                place.scale(&mut lower.b, counts);
                lower.put_at(at, place);
                Vec::new()
            });
        } else {
            self.each_packet(list, &[], &mut |lower, elem, _, steps| {
                let place = lower.place(elem);
                lower.put_at(at, place);
                lower.b.goto((steps.next, &[]));
            });
        }
        Packets::set(list.source, at)
    }

    /// The summary of a list's set: a word whose bit is 0 has no member.
    pub(super) fn summary(&mut self, list: &Packets) -> Val {
        let some = self.b.member(list.at + queue::SOME);
        match list.still_in {
            Some(name) => {
                let live = self.b.member(queue_at(name) + queue::SOME);
                self.b.and(some, live)
            }
            None => some,
        }
    }

    /// The block's address plus the distance of a word in its set.
    pub(super) fn word_address(&mut self, number: Val) -> Vreg {
        let number = self.b.and(number, Val::Const(15));
        let distance = self.b.shl(number, Val::Const(3));
        self.b.address(distance)
    }

    /// A word of a list's set.
    pub(super) fn word(&mut self, list: &Packets, number: Val) -> Val {
        let address = self.word_address(number);
        let word = self.b.load(Size::U64, address, list.at + queue::WORD);
        match list.still_in {
            Some(name) => {
                let at = queue_at(name) + queue::WORD;
                let live = self.b.load(Size::U64, address, at);
                self.b.and(word, live)
            }
            None => word,
        }
    }

    /// The index of the first member, all ones if there is none.
    pub(super) fn find_first(&mut self, list: &Packets) -> Val {
        let none = [Val::Const(u64::MAX)];
        let found = if self.is_straight(list) {
            self.straight_packets(list, &none, &mut |lower, elem, counts, first| {
                // An index is far below 2^63, and all ones is not.
                let none_yet = lower.b.shr(first[0], Val::Const(63));
                let take = lower.b.and(counts, none_yet);
                vec![lower.select(take, elem.index, first[0])]
            })[0]
        } else {
            self.first_passing(list, none[0], &mut |lower, elem, steps| {
                lower.b.goto((steps.exit, &[elem.index]));
            })
        };
        self.b.reload(found)
    }

    /// The first member; leaves for `null` if there is none.
    pub(super) fn first_packet(&mut self, list: &Packets, null: BlockId) -> Elem {
        if !list.is_plain() {
            let found = self.find_first(list);
            let none = Val::Const(u64::MAX);
            self.b.leave_if(Cond::Eq, found, none, (null, &[]));
            return Elem::new(progmp_ir::Kind::Packet, found);
        }
        if let Some(elem) = self.known.top(list) {
            return elem;
        }
        let some = self.summary(list);
        if !self.known.is_full(list) {
            self.b.leave_if(Cond::Eq, some, Val::Const(0), (null, &[]));
        }
        let bit = self.b.lowest(some);
        let number = self.b.position(bit);
        let word = self.word(list, number);
        let bit = self.b.lowest(word);
        self.packet_at(number, bit)
    }

    /// The index of the last member, all ones if there is none.
    pub(super) fn find_last(&mut self, list: &Packets) -> Val {
        let none = [Val::Const(u64::MAX)];
        let found = if self.is_straight(list) {
            self.straight_packets(list, &none, &mut |lower, elem, counts, last| {
                vec![lower.select(counts, elem.index, last[0])]
            })
        } else {
            self.each_packet(list, &none, &mut |lower, elem, _, steps| {
                lower.b.goto((steps.next, &[elem.index]));
            })
        };
        self.b.reload(found[0])
    }

    /// The last member; leaves for `null` if there is none.
    pub(super) fn last_packet(&mut self, list: &Packets, null: BlockId) -> Elem {
        if !list.is_plain() {
            let found = self.find_last(list);
            let none = Val::Const(u64::MAX);
            self.b.leave_if(Cond::Eq, found, none, (null, &[]));
            return Elem::new(progmp_ir::Kind::Packet, found);
        }
        let some = self.summary(list);
        self.b.leave_if(Cond::Eq, some, Val::Const(0), (null, &[]));
        let bit = self.highest(some, 16);
        let number = self.b.position(bit);
        let word = self.word(list, number);
        let bit = self.highest(word, 64);
        self.packet_at(number, bit)
    }

    /// The member at a place of the list; leaves for `null` if there is none.
    pub(super) fn nth_packet(&mut self, list: &Packets, place: Val, null: BlockId) -> Elem {
        if place == Val::Const(0) {
            return self.first_packet(list, null);
        }
        let found = self.find_nth(list, place);
        self.b
            .leave_if(Cond::Eq, found, Val::Const(u64::MAX), (null, &[]));
        Elem::new(progmp_ir::Kind::Packet, found)
    }

    /// The index of the member at a place of the list, all ones if there is none.
    pub(super) fn find_nth(&mut self, list: &Packets, place: Val) -> Val {
        let place = self.b.reload(place);
        let init = [Val::Const(u64::MAX), place];
        if self.is_straight(list) {
            let found = self.straight_packets(list, &init, &mut |lower, elem, counts, carried| {
                let (found, left) = (carried[0], carried[1]);
                let more = lower.is_nonzero(left);
                // An index is far below 2^63, and all ones is not.
                let none_yet = lower.b.shr(found, Val::Const(63));
                let take = lower.b.and_not(none_yet, more);
                let take = lower.b.and(take, counts);
                let found = lower.select(take, elem.index, found);
                let passed = lower.b.and(more, counts);
                let left = lower.b.alu(AluOp::Sub, left, passed);
                vec![found, left]
            });
            return self.b.reload(found[0]);
        }
        if list.is_plain() && self.loops == Loops::MayGoto {
            return self.nth_of_set(list, &init);
        }
        let found = self.each_packet(list, &init, &mut |lower, elem, carried, steps| {
            let left = carried[1];
            let here = (steps.exit, &[elem.index, left][..]);
            lower.b.leave_if(Cond::Eq, left, Val::Const(0), here);
            let left = lower.b.alu(AluOp::Sub, left, Val::Const(1));
            lower.b.goto((steps.next, &[carried[0], left]));
        });
        self.b.reload(found[0])
    }

    /// The same of a set as it is: words are passed over whole, and members of the last one without looking at
    /// their records.
    fn nth_of_set(&mut self, list: &Packets, init: &[Val; 2]) -> Val {
        let once = self.b.trips.clone();
        let found = self.each_word(list, init, &mut |lower, word, carried, steps| {
            let ones = lower.ones(word.value, 64);
            let here = lower.b.block(0);
            lower.b.leave_if(Cond::Lt, carried[1], ones, (here, &[]));
            let left = lower.b.alu(AluOp::Sub, carried[1], ones);
            lower.b.goto((steps.next, &[carried[0], left]));

            lower.b.switch(here);
            let outer = lower.b.trips.clone();
            lower.b.trips = &(&once * &lower.most(list)) + &once;
            let (head, inner) = lower.b.open(&[word.value, carried[1]], 64);
            let at = lower.b.block(0);
            lower
                .b
                .leave_if(Cond::Eq, inner[1], Val::Const(0), (at, &[]));
            let rest = lower.b.without_lowest(inner[0]);
            let left = lower.b.alu(AluOp::Sub, inner[1], Val::Const(1));
            lower.b.again(head, &[rest, left]);
            lower.b.trips = once.clone();
            lower.b.switch(at);
            let bit = lower.b.lowest(inner[0]);
            let elem = lower.packet_at(word.number, bit);
            lower.b.goto((steps.exit, &[elem.index, inner[1]]));
            lower.b.trips = outer;
        });
        self.b.reload(found[0])
    }

    /// How many members a list has.
    pub(super) fn count_packets(&mut self, list: &Packets) -> Val {
        let none = [Val::Const(0)];
        let count = if self.is_straight(list) {
            self.straight_packets(list, &none, &mut |lower, _, counts, count| {
                vec![lower.b.add(count[0], counts)]
            })
        } else if list.is_plain() {
            self.each_word(list, &none, &mut |lower, word, count, steps| {
                let ones = lower.ones(word.value, 64);
                let more = lower.b.add(count[0], ones);
                lower.b.goto((steps.next, &[more]));
            })
        } else {
            self.each_packet(list, &none, &mut |lower, _, count, steps| {
                let more = lower.b.add(count[0], Val::Const(1));
                lower.b.goto((steps.next, &[more]));
            })
        };
        self.b.reload(count[0])
    }

    /// Goes to `yes` if a list has no member.
    pub(super) fn test_empty(&mut self, list: &Packets, yes: BlockId, no: BlockId) {
        if self.known.is_full(list) {
            self.b.goto((no, &[]));
        } else if list.is_plain() {
            let some = self.summary(list);
            let zero = Val::Const(0);
            self.b.test(Cond::Eq, some, zero, (yes, &[]), (no, &[]));
        } else {
            self.first_packet(list, yes);
            self.b.goto((no, &[]));
        }
    }
}
