//! What one instruction does to registers and stack, and why it might not be allowed.

use progmp_abi::layout::{self, block};

use super::place::{State, Value, frame_cells, inside};
use super::range::{Range, Ranges};
use super::refine;
use crate::ebpf::arith::{binary, move_signed, negate, reorder};
use crate::ebpf::{BinaryOp, Callee, Cond, Constant, Insn, Source};

/// Why an instruction is refused: there may be a content of the block with which it does this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A register or stack slot is read that may hold nothing, or different kinds of things.
    #[error("{0} is read where it need not hold anything")]
    Unset(Held),
    /// Memory outside of block, stack and context.
    #[error("an access of {bytes} bytes need not lie inside of the {region}")]
    OutOfBounds {
        /// Of what.
        region: &'static str,
        /// How many.
        bytes: usize,
    },
    /// A store behind the part that programs may write.
    #[error("a store of {bytes} bytes need not lie in the writable part of the block")]
    ReadOnly {
        /// How many.
        bytes: usize,
    },
    /// An access through what is no address.
    #[error("r{0} is used as an address, and need not be one")]
    NoAddress(u8),
    /// An address where only numbers may stand.
    #[error("an address is {0}")]
    Address(&'static str),
    /// Calls of anything but the function that hands out the block.
    #[error("it calls what no scheduler calls")]
    Call,
    /// Atomic instructions, subprograms, addresses of anything but the block.
    #[error("{0} stand in no scheduler")]
    Foreign(&'static str),
    /// No instruction there.
    #[error("there is no instruction")]
    NoInstruction,
    /// A cycle of which nothing is seen to run out.
    #[error("nothing limits how often the loop around this place is repeated")]
    Endless,
    /// An exit with another result than 0.
    #[error("a run may end here with another result than 0")]
    Result,
    /// An exit before the status is written.
    #[error("a run may end here with neither 1 nor 2 in the status of the block")]
    Unsaid,
    /// An exit that says that the run counts, after a loop was left early.
    #[error("a run whose loop budget was spent may end here as if it were done")]
    Spent,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A register.
    Register(u8),
    /// Bytes of the stack.
    Stack,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Register(register) => write!(f, "r{register}"),
            Self::Stack => write!(f, "the stack"),
        }
    }
}

/// Where control goes on, and with what.
pub(super) type Ways = Vec<(usize, State)>;

/// Carries out the instruction in this slot.
pub(super) fn step(insn: Insn, slot: usize, state: &State) -> Result<Ways, Fault> {
    let mut state = state.clone();
    let mut next = slot + 1;
    match insn {
        Insn::Binary { op, wide, dst, src } => {
            let value = arithmetic(&state, op, wide, dst, src)?;
            state.registers[usize::from(dst)] = value;
        }
        Insn::Negate { wide, dst } => {
            let range = number(&state, dst)?;
            set(&mut state, dst, negate(&mut Ranges, wide, &range));
        }
        Insn::SignExtend {
            bits,
            wide,
            dst,
            src,
        } => {
            let range = number(&state, src)?;
            set(
                &mut state,
                dst,
                move_signed(&mut Ranges, bits, wide, &range),
            );
        }
        Insn::Reorder { order, bits, dst } => {
            let range = number(&state, dst)?;
            set(&mut state, dst, reorder(&mut Ranges, order, bits, &range));
        }
        Insn::Load64 { dst, constant } => {
            state.registers[usize::from(dst)] = match constant {
                Constant::Number(number) => Value::Number(Range::exactly(number)),
                Constant::MapValue { map: 0, offset } => {
                    Value::Block(Range::exactly(u64::from(offset)))
                }
                _ => return Err(Fault::Foreign("addresses of other maps and variables")),
            };
            next = slot + 2;
        }
        Insn::Load {
            bytes,
            signed,
            dst,
            base,
            offset,
        } => {
            let mut value = load(&state, base, offset, bytes)?;
            if let (true, Value::Number(range)) = (signed, value) {
                let bits = u32::try_from(8 * bytes).expect("a cell has at most 64 bits");
                value = Value::Number(move_signed(&mut Ranges, bits, true, &range));
            }
            state.registers[usize::from(dst)] = value;
        }
        Insn::Store {
            bytes,
            base,
            offset,
            src,
        } => store(&mut state, base, offset, bytes, src)?,
        Insn::Jump { target } => next = target,
        Insn::Branch {
            cond,
            wide,
            dst,
            src,
            target,
        } => return branch(&state, (cond, wide, dst, src), target, next),
        Insn::MayGoto { target } => return Ok(vec![(next, state.clone()), (target, state)]),
        Insn::Call { callee } => call(&mut state, callee)?,
        Insn::Exit => {
            number(&state, 0)?;
            return Ok(Vec::new());
        }
        Insn::Atomic { .. } => return Err(Fault::Foreign("atomic instructions")),
    }
    Ok(vec![(next, state)])
}

fn held(state: &State, register: u8) -> Result<Value, Fault> {
    match state.read(register) {
        Value::Unset => Err(Fault::Unset(Held::Register(register))),
        value => Ok(value),
    }
}

fn number(state: &State, register: u8) -> Result<Range, Fault> {
    match held(state, register)? {
        Value::Number(range) => Ok(range),
        _ => Err(Fault::Address("an operand")),
    }
}

fn operand(state: &State, source: Source) -> Result<Value, Fault> {
    match source {
        Source::Register(register) => held(state, register),
        Source::Immediate(value) => {
            let value = i64::from(value).cast_unsigned();
            Ok(Value::Number(Range::exactly(value)))
        }
    }
}

fn set(state: &mut State, register: u8, range: Range) {
    state.registers[usize::from(register)] = Value::Number(range);
}

fn arithmetic(
    state: &State,
    op: BinaryOp,
    wide: bool,
    dst: u8,
    src: Source,
) -> Result<Value, Fault> {
    let right = operand(state, src)?;
    if op == BinaryOp::Move && wide {
        return Ok(right);
    }
    // A move does not read its destination.
    let left = match op {
        BinaryOp::Move => Value::Number(Range::exactly(0)),
        _ => held(state, dst)?,
    };
    let misused = Err(Fault::Address("an operand"));
    match (left, op, right) {
        (Value::Number(a), _, Value::Number(b)) => {
            Ok(Value::Number(binary(&mut Ranges, op, wide, &a, &b)))
        }
        _ if !wide => misused,
        (Value::Block(at), BinaryOp::Add | BinaryOp::Subtract, Value::Number(by))
        | (Value::Number(by), BinaryOp::Add, Value::Block(at)) => {
            Ok(Value::Block(binary(&mut Ranges, op, true, &at, &by)))
        }
        (Value::Frame(at), BinaryOp::Add | BinaryOp::Subtract, Value::Number(by)) => {
            let by = by.value().map(u64::cast_signed);
            let by = by.and_then(|by| match op {
                BinaryOp::Add => Some(by),
                _ => by.checked_neg(),
            });
            let at = by.and_then(|by| at.checked_add(by));
            at.map(Value::Frame).ok_or(Fault::OutOfBounds {
                region: "stack",
                bytes: 0,
            })
        }
        _ => misused,
    }
}

/// Where in the block an access falls.
pub(super) fn offset_in_block(at: Range, offset: i16) -> Range {
    let offset = Range::exactly(i64::from(offset).cast_unsigned());
    binary(&mut Ranges, BinaryOp::Add, true, &at, &offset)
}

fn load(state: &State, base: u8, offset: i16, bytes: usize) -> Result<Value, Fault> {
    let outside = |region| Fault::OutOfBounds { region, bytes };
    match held(state, base)? {
        Value::Block(at) => {
            let at = offset_in_block(at, offset);
            if inside(at, bytes, block::BYTES) {
                Ok(Value::Number(Range::of_bytes(bytes)))
            } else {
                Err(outside("block"))
            }
        }
        Value::Frame(at) => {
            let cells = frame_cells(at.saturating_add(i64::from(offset)), bytes);
            let cells = cells.ok_or_else(|| outside("stack"))?;
            if let [(slot, u8::MAX)] = cells[..] {
                return match (state.written[slot], state.slots[slot]) {
                    (u8::MAX, Value::Unset) | (0..u8::MAX, _) => Err(Fault::Unset(Held::Stack)),
                    (u8::MAX, value) => Ok(value),
                };
            }
            for (slot, mask) in cells {
                if state.written[slot] & mask != mask || state.slots[slot] == Value::Unset {
                    return Err(Fault::Unset(Held::Stack));
                }
                if state.slots[slot].is_address() {
                    return Err(Fault::Address("read in pieces"));
                }
            }
            Ok(Value::Number(Range::of_bytes(bytes)))
        }
        Value::Context if offset == 0 && bytes == 8 => Ok(Value::Handle),
        Value::Context => Err(outside("context")),
        _ => Err(Fault::NoAddress(base)),
    }
}

fn store(state: &mut State, base: u8, offset: i16, bytes: usize, src: Source) -> Result<(), Fault> {
    let value = operand(state, src)?;
    match held(state, base)? {
        Value::Block(at) => {
            if value.is_address() {
                return Err(Fault::Address("stored in the block"));
            }
            if inside(offset_in_block(at, offset), bytes, layout::WRITABLE) {
                Ok(())
            } else {
                Err(Fault::ReadOnly { bytes })
            }
        }
        Value::Frame(at) => {
            let cells = frame_cells(at.saturating_add(i64::from(offset)), bytes);
            let cells = cells.ok_or(Fault::OutOfBounds {
                region: "stack",
                bytes,
            })?;
            if let [(slot, u8::MAX)] = cells[..] {
                state.slots[slot] = value;
                state.written[slot] = u8::MAX;
                return Ok(());
            }
            if value.is_address() {
                return Err(Fault::Address("stored in pieces"));
            }
            for (slot, mask) in cells {
                let lost = state.slots[slot] == Value::Unset && state.written[slot] != 0;
                if state.slots[slot].is_address() || lost {
                    return Err(Fault::Address("overwritten in pieces"));
                }
                state.slots[slot] = Value::Number(Range::ALL);
                state.written[slot] |= mask;
            }
            Ok(())
        }
        Value::Context => Err(Fault::OutOfBounds {
            region: "context",
            bytes,
        }),
        _ => Err(Fault::NoAddress(base)),
    }
}

/// Compares, and keeps of each way what the comparison tells.
fn branch(
    state: &State,
    (cond, wide, dst, src): (Cond, bool, u8, Source),
    target: usize,
    next: usize,
) -> Result<Ways, Fault> {
    let (left, right) = (held(state, dst)?, operand(state, src)?);
    let mut ways = Vec::with_capacity(2);
    for (taken, to) in [(false, next), (true, target)] {
        let (a, b) = match (left, right) {
            (Value::Number(a), Value::Number(b)) => {
                let Some((a, b)) = refine::narrowed(cond, wide, taken, a, b) else {
                    continue;
                };
                (Value::Number(a), Value::Number(b))
            }
            (Value::BlockOrNull, Value::Number(zero)) if zero.value() == Some(0) && wide => {
                let null = match cond {
                    Cond::Equal => taken,
                    Cond::NotEqual => !taken,
                    _ => return Err(Fault::Address("compared")),
                };
                let address = if null {
                    Value::Number(zero)
                } else {
                    Value::Block(zero)
                };
                (address, right)
            }
            _ => return Err(Fault::Address("compared")),
        };
        let mut state = state.clone();
        state.registers[usize::from(dst)] = a;
        if let Source::Register(src) = src {
            // Of one register compared with itself, either tells.
            state.registers[usize::from(src)] = b;
        }
        ways.push((to, state));
    }
    Ok(ways)
}

fn call(state: &mut State, callee: Callee) -> Result<(), Fault> {
    let Callee::Kernel { btf: 0, module: 0 } = callee else {
        return Err(Fault::Call);
    };
    let size = Value::Number(Range::exactly(block::BYTES as u64));
    if state.read(1) != Value::Handle || state.read(2) != size {
        return Err(Fault::Call);
    }
    state.registers[1..6].fill(Value::Unset);
    state.registers[0] = Value::BlockOrNull;
    Ok(())
}
