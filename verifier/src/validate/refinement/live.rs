//! What may still be read: registers and stack slots, in front of each instruction.
//!
//! Values that nobody reads are not brought together where ways meet. What this says decides
//! which questions are asked, never what is true: what was dropped and is read all the same ends
//! the walk.

use super::super::place::{self, frame_cells};
use super::super::safety::Facts;
use crate::ebpf::{BinaryOp, Code, Insn, Source};

/// For each instruction, a bit for each of r0 to r9, and then for each stack slot.
pub(super) fn live(code: &Code, facts: &Facts) -> Vec<u128> {
    let mut live = vec![0_u128; code.len()];
    loop {
        let mut changed = false;
        for slot in (0..code.len()).rev() {
            let Some(insn) = code.at(slot) else {
                continue;
            };
            let after = facts.edges[slot].iter().fold(0, |all, &to| all | live[to]);
            let (reads, writes) = touched(insn, slot, facts);
            let before = after & !writes | reads;
            changed |= before != live[slot];
            live[slot] = before;
        }
        if !changed {
            return live;
        }
    }
}

fn register(number: u8) -> u128 {
    if number < 10 { 1 << number } else { 0 }
}

fn operand(source: Source) -> u128 {
    match source {
        Source::Register(number) => register(number),
        Source::Immediate(_) => 0,
    }
}

/// What an instruction reads, and what it surely overwrites.
fn touched(insn: Insn, slot: usize, facts: &Facts) -> (u128, u128) {
    let frame = |base: u8, offset: i16, bytes: usize| {
        let state = facts.at(slot)?;
        let place::Value::Frame(at) = state.read(base) else {
            return None;
        };
        frame_cells(at.wrapping_add(i64::from(offset)), bytes)
    };
    match insn {
        Insn::Binary { op, dst, src, .. } => {
            let left = if op == BinaryOp::Move {
                0
            } else {
                register(dst)
            };
            (left | operand(src), register(dst))
        }
        Insn::Negate { dst, .. } | Insn::Reorder { dst, .. } => (register(dst), 0),
        Insn::SignExtend { dst, src, .. } => (register(src), register(dst)),
        Insn::Load64 { dst, .. } => (0, register(dst)),
        Insn::Load {
            bytes,
            dst,
            base,
            offset,
            ..
        } => {
            let cells = frame(base, offset, bytes).unwrap_or_default();
            let slots = cells
                .iter()
                .fold(0, |all, (slot, _)| all | 1 << (10 + slot));
            (register(base) | slots, register(dst))
        }
        Insn::Store {
            bytes,
            base,
            offset,
            src,
        } => {
            let cells = frame(base, offset, bytes).unwrap_or_default();
            let whole = cells.iter().filter(|(_, mask)| *mask == u8::MAX);
            let slots = whole.fold(0, |all, (slot, _)| all | 1 << (10 + slot));
            (register(base) | operand(src), slots)
        }
        Insn::Atomic { base, src, .. } => (register(base) | register(src) | 1, 0),
        Insn::Jump { .. } | Insn::MayGoto { .. } => (0, 0),
        Insn::Branch { dst, src, .. } => (register(dst) | operand(src), 0),
        Insn::Call { .. } => (0b11_1110, 0b11_1111),
        Insn::Exit => (1, 0),
    }
}
