//! Bytes to instructions, little-endian. What is not exactly one row of the table is an error.

use super::form::{Fields, Form, join};
use super::table::TABLE;
use super::{Insn, SLOT_BYTES};

/// Why bytes are not instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {fault}")]
pub struct DecodeError {
    /// The slot, from 0.
    pub slot: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes end inside it.
    #[error("the bytes end inside an instruction")]
    Truncated,
    /// No instruction has this opcode.
    #[error("no instruction has the opcode {0:#04x}")]
    Opcode(u8),
    /// The opcode is known, but not with these other fields.
    #[error("opcode {0:#04x} does not go with the other fields")]
    Fields(u8),
    /// A register above r10.
    #[error("there is no such register")]
    Register,
}

/// The instructions of these bytes.
///
/// # Errors
/// The first slot that is no instruction.
pub fn decode(bytes: &[u8]) -> Result<Vec<Insn>, DecodeError> {
    let mut insns = Vec::with_capacity(bytes.len() / SLOT_BYTES);
    let mut slot = 0;
    while slot * SLOT_BYTES < bytes.len() {
        let insn = one(&bytes[slot * SLOT_BYTES..]).map_err(|fault| DecodeError { slot, fault })?;
        insns.push(insn);
        slot += insn.slots();
    }
    Ok(insns)
}

/// The instruction at the start of `bytes`.
fn one(bytes: &[u8]) -> Result<Insn, Fault> {
    let (&slot, rest) = bytes
        .split_first_chunk::<SLOT_BYTES>()
        .ok_or(Fault::Truncated)?;
    let [opcode, registers, o0, o1, i0, i1, i2, i3] = slot;
    let mut fields = Fields {
        dst: registers & 0xf,
        src: registers >> 4,
        off: i16::from_le_bytes([o0, o1]),
        imm: i32::from_le_bytes([i0, i1, i2, i3]),
        high: 0,
    };
    let mut known = TABLE.of_opcode(opcode).peekable();
    let first = known.peek().ok_or(Fault::Opcode(opcode))?;
    if matches!(first.form, Form::LoadImm64(_)) {
        let (second, _) = rest
            .split_first_chunk::<SLOT_BYTES>()
            .ok_or(Fault::Truncated)?;
        let [0, 0, 0, 0, h0, h1, h2, h3] = *second else {
            return Err(Fault::Fields(opcode));
        };
        fields.high = i32::from_le_bytes([h0, h1, h2, h3]);
    }
    let row = known
        .find(|row| {
            row.dst.is_none_or(|dst| dst == fields.dst)
                && row.src.is_none_or(|src| src == fields.src)
                && row.off.is_none_or(|off| off == fields.off)
                && row.imm.is_none_or(|imm| imm == fields.imm)
                && row.high.is_none_or(|high| high == fields.high)
        })
        .ok_or(Fault::Fields(opcode))?;
    join(row.form, fields).ok_or(Fault::Register)
}
