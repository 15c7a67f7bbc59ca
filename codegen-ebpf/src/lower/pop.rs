//! POP: the first member of a list that is still in the queue leaves it; one from Q enters QU.

use progmp_abi::layout::queue;
use progmp_abi::queue_at;
use progmp_ir::{ExprId, QueueName};

use super::Lower;
use super::build::{Builder, Val};
use super::elem::Elem;
use super::packets::Packets;
use crate::isa::{Cond, Size};
use crate::vcode::{BlockId, Vreg};

/// A record's place in a set.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The block's address plus the distance of the word in its set.
    word: Vreg,
    /// The word's bit in the summary.
    in_some: Val,
    /// The record's bit in the word.
    in_word: Val,
}

impl Place {
    /// The same place if `factor` is 1; no bits if it is 0.
    pub(super) fn scale(&mut self, b: &mut Builder, factor: Val) {
        let mask = b.negative(factor);
        self.in_some = b.and(self.in_some, mask);
        self.in_word = b.and(self.in_word, mask);
    }
}

impl Lower<'_> {
    /// Pops from a list; leaves for `null` if there is nothing to pop.
    pub(super) fn pop(&mut self, list: ExprId, null: BlockId) -> Elem {
        if let Some((elem, source)) = self.first_of(list) {
            let none = Val::Const(u64::MAX);
            self.b.leave_if(Cond::Eq, elem.index, none, (null, &[]));
            let place = self.place(elem);
            self.take(source, elem, place);
            return elem;
        }
        let mut list = self.packets(list);
        let name = list.source;
        if list.is_plain() && list.at == queue_at(name) {
            return self.pop_first(&list, null);
        }
        list.still_in = Some(name);
        let elem = self.first_packet(&list, null);
        let place = self.place(elem);
        self.take(name, elem, place);
        elem
    }

    /// Where the record of a packet stands in sets.
    pub(super) fn place(&mut self, elem: Elem) -> Place {
        let number = self.b.shr(elem.index, Val::Const(6));
        let word = self.word_address(number);
        let number = self.b.and(number, Val::Const(15));
        let in_some = self.b.shl(Val::Const(1), number);
        let place = self.b.and(elem.index, Val::Const(63));
        let in_word = self.b.shl(Val::Const(1), place);
        Place {
            word,
            in_some,
            in_word,
        }
    }

    /// Pops the first packet of a queue.
    fn pop_first(&mut self, list: &Packets, null: BlockId) -> Elem {
        if let Some(elem) = self.known.top(list) {
            let place = self.place(elem);
            self.take(list.source, elem, place);
            return elem;
        }
        let some = self.summary(list);
        if !self.known.is_full(list) {
            self.b.leave_if(Cond::Eq, some, Val::Const(0), (null, &[]));
        }
        let in_some = self.b.lowest(some);
        let number = self.b.position(in_some);
        let word = self.word_address(number);
        let value = self.b.load(Size::U64, word, list.at + queue::WORD);
        let in_word = self.b.lowest(value);
        let elem = self.packet_at(number, in_word);
        let place = Place {
            word,
            in_some,
            in_word,
        };
        self.take(list.source, elem, place);
        elem
    }

    /// Takes a member out of a queue.
    fn take(&mut self, name: QueueName, elem: Elem, place: Place) {
        self.known.popped(name);
        let at = queue_at(name);
        let base = self.b.base();
        let value = self.b.load(Size::U64, place.word, at + queue::WORD);
        let left = self.b.xor(value, place.in_word);
        self.b.store(Size::U64, place.word, at + queue::WORD, left);
        let done = self.b.block(0);
        self.b.leave_if(Cond::Ne, left, Val::Const(0), (done, &[]));
        let some = self.b.member(at + queue::SOME);
        let some = self.b.xor(some, place.in_some);
        self.b.store(Size::U64, base, at + queue::SOME, some);
        self.b.goto((done, &[]));
        self.b.switch(done);
        if name == QueueName::Send {
            self.put_at(queue_at(QueueName::Unacked), place);
            let index = self.index(elem);
            self.entered_unacked(index);
        }
    }

    /// Puts a record into the set at this offset.
    pub(super) fn put_at(&mut self, at: usize, place: Place) {
        let base = self.b.base();
        let value = self.b.load(Size::U64, place.word, at + queue::WORD);
        let value = self.b.or(value, place.in_word);
        self.b.store(Size::U64, place.word, at + queue::WORD, value);
        let some = self.b.member(at + queue::SOME);
        let some = self.b.or(some, place.in_some);
        self.b.store(Size::U64, base, at + queue::SOME, some);
    }
}
