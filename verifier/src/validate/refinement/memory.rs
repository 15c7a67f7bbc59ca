//! The block as members: what an access touches, and what a member holds.
//!
//! A member is a row of equal cells, `stride` bytes apart. What was written is kept as a chain of
//! stores; ways that meet are one chain that asks which way was taken.

use std::rc::Rc;

use progmp_abi::layout::{self, block, packet, print, queue, subflow};

use super::super::range::Range;
use super::words::Symbols;
use crate::ebpf::arith::Words;
use crate::smt::{Func, Sort, Term};

/// What the index of a cell counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Axis {
    /// Nothing: there is one cell.
    One,
    /// Subflow records.
    Subflow,
    /// Packet records.
    Packet,
    /// Words of a set of packets.
    Word,
    /// Bits of a word of such a set.
    Place,
    /// Something else.
    Other,
}

/// A row of cells.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The first byte of its first cell.
    pub(super) at: usize,
    /// Bytes of a cell.
    pub(super) bytes: usize,
    /// From one cell to the next.
    pub(super) stride: usize,
    pub(super) count: usize,
    pub(super) axis: Axis,
    /// What its cells hold at the start, by index.
    pub(super) start: Func,
}

/// All members.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) members: Vec<Member>,
}

/// What a member holds.
#[derive(Clone, Debug)]
pub(super) enum Cells {
    /// What it held at the start, or when a loop's round began.
    Start(Func),
    /// The same, but for one cell.
    Store(Rc<Cells>, Term, Term),
    /// Of one way or of another.
    Either(Term, Rc<Cells>, Rc<Cells>),
}

/// What an access touches: a member, and the index of the cell.
pub(super) type Place = (usize, Term);

impl Layout {
    /// The members of the block; `scratch` are the parts of scratch memory that the code touches.
    pub(super) fn new(symbols: &mut Symbols, scratch: &[(usize, usize)]) -> Self {
        let mut layout = Self {
            members: Vec::new(),
        };
        let word = 8;
        for q in 0..3 {
            let at = block::QUEUE + queue::BYTES * q;
            layout.row(symbols, (at + queue::SOME, word, word, 1), Axis::One);
            let words = (at + queue::WORD, word, word, layout::WORDS);
            layout.row(symbols, words, Axis::Word);
        }
        for r in 0..6 {
            layout.row(symbols, (block::REG + 8 * r, 8, 8, 1), Axis::One);
        }
        let users = (block::USER, 8, 8, layout::SUBFLOWS);
        layout.row(symbols, users, Axis::Subflow);
        layout.row(symbols, (block::STATUS, 4, 4, 1), Axis::One);
        layout.row(symbols, (block::ACTION_COUNT, 4, 4, 1), Axis::One);
        layout.row(symbols, (block::PRINT_COUNT, 4, 4, 1), Axis::One);
        let actions = (block::ACTION, 4, 4, layout::ACTIONS);
        layout.row(symbols, actions, Axis::Other);
        for (field, bytes) in [
            (print::STMT, 4),
            (print::ARG, 2),
            (print::FLAGS, 2),
            (print::VALUE, 8),
        ] {
            let cells = (block::PRINT + field, bytes, print::BYTES, layout::PRINTS);
            layout.row(symbols, cells, Axis::Other);
        }
        for &(from, to) in scratch {
            let count = (to - from).div_ceil(8);
            let axis = if count == 1 { Axis::One } else { Axis::Word };
            layout.row(symbols, (from, 8, 8, count), axis);
        }
        let scalars = block::MEMBERS
            .iter()
            .filter(|member| member.offset >= layout::WRITABLE && matches!(member.size, 4 | 8));
        for member in scalars {
            let cell = (member.offset, member.size, member.size, 1);
            layout.row(symbols, cell, Axis::One);
        }
        layout.row(symbols, (block::LOWEST, 1, 1, 64), Axis::Other);
        for field in subflow::MEMBERS.iter().filter(|field| field.size <= 8) {
            let at = block::SUBFLOW + field.offset;
            let cells = (at, field.size, subflow::BYTES, layout::SUBFLOWS);
            layout.row(symbols, cells, Axis::Subflow);
        }
        for field in packet::MEMBERS {
            let at = block::PACKET + field.offset;
            let cells = (at, field.size, packet::BYTES, layout::PACKETS);
            layout.row(symbols, cells, Axis::Packet);
        }
        layout
    }

    fn row(
        &mut self,
        symbols: &mut Symbols,
        (at, bytes, stride, count): (usize, usize, usize, usize),
        axis: Axis,
    ) {
        let start = symbols
            .terms
            .declare(&format!("at_{at}"), &[Sort::Word], Sort::Word);
        self.members.push(Member {
            at,
            bytes,
            stride,
            count,
            axis,
            start,
        });
    }

    /// The member whose first cell is there.
    pub(super) fn at(&self, at: usize) -> usize {
        let found = self.members.iter().position(|member| member.at == at);
        found.expect("each member that is asked for by name is in the layout")
    }

    /// What an access of so many bytes touches, given its offset in the block and what is known of
    /// that for every content of the block.
    pub(super) fn place(
        &self,
        symbols: &mut Symbols,
        offset: Term,
        range: Range,
        bytes: usize,
    ) -> Option<Place> {
        let low = usize::try_from(range.low).ok()?;
        let high = usize::try_from(range.high).ok()?;
        let number = self.members.iter().position(|member| {
            let last = member.at + member.stride * (member.count - 1);
            member.bytes == bytes
                && member.at <= low
                && high <= last
                // In which byte of the stride it falls is known.
                && aligned(range, member)
        })?;
        let member = &self.members[number];
        if member.count == 1 {
            return Some((number, symbols.word(0)));
        }
        let start = symbols.word(member.at as u64);
        let distance = symbols.subtract(&offset, &start);
        let by = symbols.word(u64::from(member.stride.ilog2()));
        Some((number, symbols.terms.lshr(distance, by)))
    }
}

/// Whether each offset of a range is that of a cell, in steps of the stride.
fn aligned(range: Range, member: &Member) -> bool {
    if range.low == range.high {
        return (range.low - member.at as u64).is_multiple_of(member.stride as u64);
    }
    let low = member.stride as u64 - 1;
    range.ones & low == range.maybe & low && (member.at as u64 ^ range.ones) & low == 0
}

impl Cells {
    /// What the cell holds.
    pub(super) fn read(&self, symbols: &mut Symbols, index: Term) -> Term {
        match self {
            Self::Start(func) => symbols.started(*func, index),
            Self::Store(before, at, value) => {
                let here = symbols.equal(at, &index);
                let before = match symbols.terms.node(here) {
                    crate::smt::Node::Bool(true) => return *value,
                    _ => before.read(symbols, index),
                };
                symbols.terms.ite(here, *value, before)
            }
            Self::Either(condition, a, b) => {
                let (a, b) = (a.read(symbols, index), b.read(symbols, index));
                symbols.terms.ite(*condition, a, b)
            }
        }
    }
}
