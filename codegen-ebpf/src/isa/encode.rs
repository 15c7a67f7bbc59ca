//! Instructions to bytes, little-endian.

use super::form::split;
use super::table::TABLE;
use super::{Insn, SLOT_BYTES};

/// The bytes of these instructions, 8 per slot.
pub fn encode(insns: &[Insn]) -> Vec<u8> {
    let slots: usize = insns.iter().map(|insn| insn.slots()).sum();
    let mut bytes = Vec::with_capacity(slots * SLOT_BYTES);
    for &insn in insns {
        let (form, fields) = split(insn);
        let row = TABLE.row(form);
        let off = row.off.unwrap_or(fields.off);
        let imm = row.imm.unwrap_or(fields.imm);
        let registers = row.src.unwrap_or(fields.src) << 4 | row.dst.unwrap_or(fields.dst);
        bytes.extend([row.opcode, registers]);
        bytes.extend(off.to_le_bytes());
        bytes.extend(imm.to_le_bytes());
        if insn.slots() == 2 {
            bytes.extend([0; 4]);
            bytes.extend(row.high.unwrap_or(fields.high).to_le_bytes());
        }
    }
    bytes
}
