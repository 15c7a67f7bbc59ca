//! What registers and stack hold at one instruction, for every content of the block.

use progmp_abi::layout::block;

use super::range::Range;
use crate::ebpf::FRAME_BYTES;

/// Stack slots of 8 bytes.
pub(super) const SLOTS: usize = FRAME_BYTES / 8;

/// How a program comes by the block (specs/object.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It has the address as a constant; there is no context.
    TestRun,
    /// It calls for the address, with what stands first in its context.
    Shim,
}

/// What a register or a stack slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing that may be read: never written, lost, or one of several things.
    Unset,
    /// A number.
    Number(Range),
    /// The address so many bytes behind the block's first.
    Block(Range),
    /// The block's address, or 0.
    BlockOrNull,
    /// The address so many bytes from the end of the stack frame.
    Frame(i64),
    /// The context that the program was called with.
    Context,
    /// What stands first in the context: the environment of the shim.
    Handle,
}

impl Value {
    /// Whether it is an address, or may be one.
    pub(super) const fn is_address(&self) -> bool {
        !matches!(self, Self::Number(_) | Self::Unset)
    }

    fn join(self, other: Self, combine: fn(Range, Range) -> Range) -> Self {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Self::Number(combine(a, b)),
            (Self::Block(a), Self::Block(b)) => Self::Block(combine(a, b)),
            _ if self == other => self,
            _ => Self::Unset,
        }
    }
}

/// A place that an instruction can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// r0 … r9.
    Register(u8),
    /// A stack slot, counted from the lowest address.
    Slot(usize),
}

/// Registers and stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// r0 … r9.
    pub(super) registers: [Value; 10],
    /// Slots from the lowest address.
    pub(super) slots: [Value; SLOTS],
    /// Which bytes of each slot were written.
    pub(super) written: [u8; SLOTS],
}

impl State {
    /// At the first instruction.
    pub(super) fn start(entry: Entry) -> Self {
        let mut registers = [Value::Unset; 10];
        if entry == Entry::Shim {
            registers[1] = Value::Context;
        }
        Self {
            registers,
            slots: [Value::Unset; SLOTS],
            written: [0; SLOTS],
        }
    }

    /// What a register holds, r10 included.
    pub(super) fn read(&self, register: u8) -> Value {
        let held = self.registers.get(usize::from(register));
        held.copied().unwrap_or(Value::Frame(0))
    }

    /// Whether the block's address is at hand.
    pub(super) fn has_block(&self) -> bool {
        let mut held = self.registers.iter().chain(&self.slots);
        held.any(|value| matches!(value, Value::Block(_) | Value::BlockOrNull))
    }

    /// Takes in what holds on another way here. Returns whether that changed anything.
    pub(super) fn take_in(&mut self, other: &Self, widen: bool) -> bool {
        let combine = if widen { Range::widen } else { Range::join };
        let mut changed = false;
        let held = self.registers.iter_mut().chain(&mut self.slots);
        for (mine, theirs) in held.zip(other.registers.iter().chain(&other.slots)) {
            let both = mine.join(*theirs, combine);
            changed |= both != *mine;
            *mine = both;
        }
        for (mine, theirs) in self.written.iter_mut().zip(other.written) {
            changed |= *mine & !theirs != 0;
            *mine &= theirs;
        }
        changed
    }
}

/// Where in the frame an access of so many bytes falls: its first slot, and which bytes of it; and
/// the same of the next slot if it reaches that far.
pub(super) fn frame_cells(offset: i64, bytes: usize) -> Option<Vec<(usize, u8)>> {
    let first = usize::try_from(offset.checked_add_unsigned(FRAME_BYTES as u64)?).ok()?;
    let end = first.checked_add(bytes)?;
    if end > FRAME_BYTES {
        return None;
    }
    let mut cells: Vec<(usize, u8)> = Vec::with_capacity(2);
    for byte in first..end {
        let bit = 1 << (byte % 8);
        match cells.last_mut() {
            Some((slot, mask)) if *slot == byte / 8 => *mask |= bit,
            _ => cells.push((byte / 8, bit)),
        }
    }
    Some(cells)
}

/// Whether an access at an offset in the block lies in its first `length` bytes.
pub(super) const fn inside(at: Range, bytes: usize, length: usize) -> bool {
    assert!(length <= block::BYTES);
    at.high <= length as u64 && at.high + bytes as u64 <= length as u64
}
