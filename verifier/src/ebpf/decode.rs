//! Bytes to [`Code`], field by field after RFC 9669, section 3.
//!
//! A slot is 8 bytes, little-endian: opcode, registers (destination low, source high), a signed
//! 16-bit offset, a signed 32-bit immediate. A field that an instruction does not use must be 0,
//! as Linux demands. Legacy packet access is no instruction here.

use super::insn::{AtomicOp, BinaryOp, Byteorder, Callee, Code, Cond, Constant, Insn, Source};

/// Why bytes are no program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {fault}")]
pub struct DecodeError {
    /// The slot, from 0.
    pub slot: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no slot at all.
    #[error("the program is empty")]
    Empty,
    /// The bytes end within a slot or a 64-bit constant.
    #[error("the bytes end inside an instruction")]
    Truncated,
    /// No instruction has this opcode.
    #[error("no instruction has the opcode {0:#04x}")]
    Opcode(u8),
    /// `offset`, `imm` or `src_reg` selects a variant that does not exist, or is not 0.
    #[error("the fields beside opcode {0:#04x} have no meaning")]
    Fields(u8),
    /// A register above r10.
    #[error("there is no r{0}")]
    Register(u8),
    /// r10 as a destination.
    #[error("r10 is read-only")]
    FramePointerWritten,
    /// A jump or call to no instruction.
    #[error("the target, slot {0}, is no instruction")]
    Target(i64),
    /// The last instruction is neither `exit` nor a jump.
    #[error("control runs off the end")]
    RunsOff,
}

/// The fields of a slot.
#[derive(Clone, Copy)]
struct Slot {
    opcode: u8,
    dst: u8,
    src: u8,
    offset: i16,
    imm: i32,
}

impl Slot {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (&[opcode, registers, o0, o1, i0, i1, i2, i3], _) = bytes.split_first_chunk()?;
        Some(Self {
            opcode,
            dst: registers & 15,
            src: registers >> 4,
            offset: i16::from_le_bytes([o0, o1]),
            imm: i32::from_le_bytes([i0, i1, i2, i3]),
        })
    }

    const fn class(self) -> u8 {
        self.opcode & 7
    }

    /// Bit 3 of arithmetic and jumps.
    const fn source_is_register(self) -> bool {
        self.opcode & 8 != 0
    }

    const fn high_nibble(self) -> u8 {
        self.opcode >> 4
    }
}

/// The program in these bytes.
///
/// # Errors
/// The first slot that is no instruction, or whose target is none.
pub fn decode(bytes: &[u8]) -> Result<Code, DecodeError> {
    let error = |slot, fault| DecodeError { slot, fault };
    if bytes.is_empty() {
        return Err(error(0, Fault::Empty));
    }
    let count = bytes.len().div_ceil(8);
    let mut slots = Vec::with_capacity(count);
    while slots.len() < count {
        let at = slots.len();
        let here = Slot::read(&bytes[at * 8..]).ok_or(error(at, Fault::Truncated))?;
        if here.opcode == 0x18 {
            let next = bytes.get(at * 8 + 8..).and_then(Slot::read);
            let next = next.ok_or(error(at, Fault::Truncated))?;
            let insn = load64(at, here, next).map_err(|fault| error(at, fault))?;
            slots.extend([Some(insn), None]);
        } else {
            slots.push(Some(single(at, here).map_err(|fault| error(at, fault))?));
        }
    }
    let code = Code { slots };
    check_flow(&code)?;
    Ok(code)
}

/// Every target is an instruction, and the last instruction does not run off the end.
fn check_flow(code: &Code) -> Result<(), DecodeError> {
    for (slot, insn) in code.insns() {
        let target = match insn {
            Insn::Jump { target } | Insn::Branch { target, .. } | Insn::MayGoto { target } => {
                Some(target)
            }
            Insn::Call {
                callee: Callee::Subprogram(target),
            }
            | Insn::Load64 {
                constant: Constant::Subprogram(target),
                ..
            } => Some(target),
            _ => None,
        };
        if let Some(target) = target.filter(|&target| code.at(target).is_none()) {
            let fault = Fault::Target(i64::try_from(target).unwrap_or(i64::MAX));
            return Err(DecodeError { slot, fault });
        }
    }
    let last = code.len() - 1;
    match code.at(last) {
        Some(Insn::Exit | Insn::Jump { .. }) => Ok(()),
        _ => Err(DecodeError {
            slot: last,
            fault: Fault::RunsOff,
        }),
    }
}

/// The slot `distance` behind the one after `at`.
fn target(at: usize, distance: i32) -> Result<usize, Fault> {
    let target = i64::try_from(at).unwrap_or(i64::MAX - 1 - i64::from(i32::MAX)) + 1;
    let target = target + i64::from(distance);
    usize::try_from(target).map_err(|_| Fault::Target(target))
}

fn readable(register: u8) -> Result<u8, Fault> {
    if register <= 10 {
        Ok(register)
    } else {
        Err(Fault::Register(register))
    }
}

fn writable(register: u8) -> Result<u8, Fault> {
    match readable(register)? {
        10 => Err(Fault::FramePointerWritten),
        register => Ok(register),
    }
}

/// Section 5.4.
fn load64(at: usize, here: Slot, next: Slot) -> Result<Insn, Fault> {
    let fields = Fault::Fields(here.opcode);
    if here.offset != 0 || next.opcode | next.dst | next.src != 0 || next.offset != 0 {
        return Err(fields);
    }
    let offset = next.imm.cast_unsigned();
    let constant = match here.src {
        0 => Constant::Number(u64::from(offset) << 32 | u64::from(here.imm.cast_unsigned())),
        2 | 6 => Constant::MapValue {
            map: here.imm,
            offset,
        },
        3 => Constant::Variable(here.imm),
        _ if next.imm != 0 => return Err(fields),
        1 | 5 => Constant::Map(here.imm),
        4 => Constant::Subprogram(target(at, here.imm)?),
        _ => return Err(fields),
    };
    Ok(Insn::Load64 {
        dst: writable(here.dst)?,
        constant,
    })
}

fn single(at: usize, slot: Slot) -> Result<Insn, Fault> {
    match slot.class() {
        1..=3 => memory(slot),
        4 | 7 => arithmetic(slot),
        5 | 6 => jump(at, slot),
        _ => Err(Fault::Opcode(slot.opcode)),
    }
}

/// The second operand; the field of the other kind must be 0.
fn source(slot: Slot) -> Result<Source, Fault> {
    let (source, unused) = if slot.source_is_register() {
        (Source::Register(readable(slot.src)?), slot.imm != 0)
    } else {
        (Source::Immediate(slot.imm), slot.src != 0)
    };
    if unused {
        return Err(Fault::Fields(slot.opcode));
    }
    Ok(source)
}

/// Sections 4.1 and 4.2: classes ALU (4) and ALU64 (7).
fn arithmetic(slot: Slot) -> Result<Insn, Fault> {
    let fields = Err(Fault::Fields(slot.opcode));
    let wide = slot.class() == 7;
    let op = match (slot.high_nibble(), slot.offset) {
        (0x8, _) => {
            if slot.source_is_register() {
                return Err(Fault::Opcode(slot.opcode));
            }
            if slot.src != 0 || slot.offset != 0 || slot.imm != 0 {
                return fields;
            }
            let dst = writable(slot.dst)?;
            return Ok(Insn::Negate { wide, dst });
        }
        (0xd, _) => return reorder(slot),
        (0xb, bits @ (8 | 16 | 32)) => {
            if !slot.source_is_register() || slot.imm != 0 || (bits == 32 && !wide) {
                return fields;
            }
            return Ok(Insn::SignExtend {
                bits: u32::from(bits.unsigned_abs()),
                wide,
                dst: writable(slot.dst)?,
                src: readable(slot.src)?,
            });
        }
        (0x3, 1) => BinaryOp::DivideSigned,
        (0x9, 1) => BinaryOp::RemainderSigned,
        (0x0..=0xc, offset) if offset != 0 => return fields,
        (0x0, 0) => BinaryOp::Add,
        (0x1, 0) => BinaryOp::Subtract,
        (0x2, 0) => BinaryOp::Multiply,
        (0x3, 0) => BinaryOp::Divide,
        (0x4, 0) => BinaryOp::Or,
        (0x5, 0) => BinaryOp::And,
        (0x6, 0) => BinaryOp::ShiftLeft,
        (0x7, 0) => BinaryOp::ShiftRight,
        (0x9, 0) => BinaryOp::Remainder,
        (0xa, 0) => BinaryOp::Xor,
        (0xb, 0) => BinaryOp::Move,
        (0xc, 0) => BinaryOp::ShiftRightSigned,
        _ => return Err(Fault::Opcode(slot.opcode)),
    };
    Ok(Insn::Binary {
        op,
        wide,
        dst: writable(slot.dst)?,
        src: source(slot)?,
    })
}

/// Section 4.2: the source bit selects the order, the immediate the width.
fn reorder(slot: Slot) -> Result<Insn, Fault> {
    let order = match (slot.class(), slot.source_is_register()) {
        (4, false) => Byteorder::ToLittle,
        (4, true) => Byteorder::ToBig,
        (_, false) => Byteorder::Swap,
        (_, true) => return Err(Fault::Opcode(slot.opcode)),
    };
    let bits = match slot.imm {
        16 => 16,
        32 => 32,
        64 => 64,
        _ => return Err(Fault::Fields(slot.opcode)),
    };
    if slot.src != 0 || slot.offset != 0 {
        return Err(Fault::Fields(slot.opcode));
    }
    let dst = writable(slot.dst)?;
    Ok(Insn::Reorder { order, bits, dst })
}

/// Section 5: classes LDX (1), ST (2) and STX (3); mode in the upper 3 bits, size in the next 2.
fn memory(slot: Slot) -> Result<Insn, Fault> {
    const MEM: u8 = 3;
    const MEMSX: u8 = 4;
    const ATOMIC: u8 = 6;
    let fields = Err(Fault::Fields(slot.opcode));
    let bytes = match slot.opcode >> 3 & 3 {
        0 => 4,
        1 => 2,
        2 => 1,
        _ => 8,
    };
    let offset = slot.offset;
    match (slot.class(), slot.opcode >> 5) {
        (1, mode @ (MEM | MEMSX)) => {
            let signed = mode == MEMSX;
            if signed && bytes == 8 {
                return Err(Fault::Opcode(slot.opcode));
            }
            if slot.imm != 0 {
                return fields;
            }
            Ok(Insn::Load {
                bytes,
                signed,
                dst: writable(slot.dst)?,
                base: readable(slot.src)?,
                offset,
            })
        }
        (class @ (2 | 3), MEM) => {
            let (src, unused) = if class == 3 {
                (Source::Register(readable(slot.src)?), slot.imm != 0)
            } else {
                (Source::Immediate(slot.imm), slot.src != 0)
            };
            if unused {
                return fields;
            }
            Ok(Insn::Store {
                bytes,
                base: readable(slot.dst)?,
                offset,
                src,
            })
        }
        (3, ATOMIC) if bytes >= 4 => {
            let (op, fetch) = match slot.imm {
                0x00 => (AtomicOp::Add, false),
                0x01 => (AtomicOp::Add, true),
                0x40 => (AtomicOp::Or, false),
                0x41 => (AtomicOp::Or, true),
                0x50 => (AtomicOp::And, false),
                0x51 => (AtomicOp::And, true),
                0xa0 => (AtomicOp::Xor, false),
                0xa1 => (AtomicOp::Xor, true),
                0xe1 => (AtomicOp::Exchange, true),
                0xf1 => (AtomicOp::CompareExchange, true),
                _ => return fields,
            };
            let src = if fetch && op != AtomicOp::CompareExchange {
                writable(slot.src)?
            } else {
                readable(slot.src)?
            };
            Ok(Insn::Atomic {
                op,
                fetch,
                wide: bytes == 8,
                base: readable(slot.dst)?,
                offset,
                src,
            })
        }
        _ => Err(Fault::Opcode(slot.opcode)),
    }
}

/// Section 4.3: classes JMP (5) and JMP32 (6).
fn jump(at: usize, slot: Slot) -> Result<Insn, Fault> {
    let wide = slot.class() == 5;
    let opcode = Err(Fault::Opcode(slot.opcode));
    let fields = Err(Fault::Fields(slot.opcode));
    let only = |offset: bool, imm: bool| {
        slot.dst == 0 && slot.src == 0 && (offset || slot.offset == 0) && (imm || slot.imm == 0)
    };
    let short = target(at, i32::from(slot.offset));
    let cond = match slot.high_nibble() {
        0x0 | 0x8 | 0x9 | 0xe if slot.source_is_register() => return opcode,
        0x0 if wide => {
            if !only(true, false) {
                return fields;
            }
            return Ok(Insn::Jump { target: short? });
        }
        0x0 => {
            if !only(false, true) {
                return fields;
            }
            let target = target(at, slot.imm)?;
            return Ok(Insn::Jump { target });
        }
        0x8 | 0x9 | 0xe if !wide => return opcode,
        0x8 => return call(at, slot),
        0x9 => {
            if !only(false, false) {
                return fields;
            }
            return Ok(Insn::Exit);
        }
        0xe => {
            if !only(true, false) {
                return fields;
            }
            return Ok(Insn::MayGoto { target: short? });
        }
        0x1 => Cond::Equal,
        0x2 => Cond::Above,
        0x3 => Cond::AboveOrEqual,
        0x4 => Cond::BitsInCommon,
        0x5 => Cond::NotEqual,
        0x6 => Cond::Greater,
        0x7 => Cond::GreaterOrEqual,
        0xa => Cond::Below,
        0xb => Cond::BelowOrEqual,
        0xc => Cond::Less,
        0xd => Cond::LessOrEqual,
        _ => return opcode,
    };
    Ok(Insn::Branch {
        cond,
        wide,
        dst: readable(slot.dst)?,
        src: source(slot)?,
        target: short?,
    })
}

/// Section 4.3.1: the source field says what the immediate names.
fn call(at: usize, slot: Slot) -> Result<Insn, Fault> {
    if slot.dst != 0 || (slot.src != 2 && slot.offset != 0) {
        return Err(Fault::Fields(slot.opcode));
    }
    let callee = match slot.src {
        0 => Callee::Helper(slot.imm),
        1 => Callee::Subprogram(target(at, slot.imm)?),
        2 => Callee::Kernel {
            btf: slot.imm,
            module: slot.offset,
        },
        _ => return Err(Fault::Fields(slot.opcode)),
    };
    Ok(Insn::Call { callee })
}
