//! The interpreter: one run of a program on one block.
//!
//! Every step is bounded: memory by its regions, time by fuel. What Linux would refuse to load,
//! because a register or a byte of the stack is read before it is written or because memory is
//! touched that is not the program's, is a [`Trap`] here, when it happens.

use super::arith::{binary, holds, move_signed, negate, reorder};
use super::insn::{AtomicOp, BinaryOp, Callee, Code, Constant, Insn, Source};
use super::memory::{BLOCK, CONTEXT, Memory};
use super::numbers::Numbers;

/// How far a run may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions.
    pub fuel: u64,
    /// How many times `may_goto` goes on before it jumps.
    pub loop_budget: u64,
}

impl Default for Limits {
    /// 64 M instructions; the loop budget is that of Linux 6.9 (`BPF_MAX_LOOPS`).
    fn default() -> Self {
        Self {
            fuel: 1 << 26,
            loop_budget: 8 << 20,
        }
    }
}

/// Answers calls of helpers and kernel functions; an argument that was never written is `None`.
pub type Answer<'a> = dyn FnMut(Callee, [Option<u64>; 5]) -> Option<u64> + 'a;

/// What surrounds a run.
pub struct Environment<'a> {
    /// The value of the one map; read and written in place.
    pub block: &'a mut [u8],
    /// How many bytes of it, from the first, may be written.
    pub writable: usize,
    /// What r1 points to at first; read-only.
    pub context: &'a [u8],
    /// Gives the result of a call, or `None` if there is no such function.
    pub answer: &'a mut Answer<'a>,
}

/// How a run ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// r0.
    pub result: u64,
    /// Instructions executed, `exit` included.
    pub executed: u64,
    /// How many times `may_goto` went on.
    pub rounds: u64,
}

/// Why a run ended badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {trap}")]
pub struct Trapped {
    /// Where.
    pub slot: usize,
    /// Why.
    pub trap: Trap,
}

/// What a program must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trap {
    /// Memory that is not the program's.
    #[error("{bytes} bytes at {address:#x} are out of bounds")]
    OutOfBounds {
        /// Of the first byte.
        address: u64,
        /// How many.
        bytes: usize,
    },
    /// A write where only reading is allowed.
    #[error("{bytes} bytes at {address:#x} are read-only")]
    ReadOnly {
        /// Of the first byte.
        address: u64,
        /// How many.
        bytes: usize,
    },
    /// A register is read before it is written, or after a call has destroyed it.
    #[error("r{0} is read before it is written")]
    Uninitialized(u8),
    /// A byte of the stack is read before it is written.
    #[error("{bytes} bytes of the stack at {address:#x} are read before they are written")]
    UnwrittenStack {
        /// Of the first byte.
        address: u64,
        /// How many.
        bytes: usize,
    },
    /// There is no instruction here.
    #[error("there is no instruction")]
    NoInstruction,
    /// The fuel is used up.
    #[error("the fuel is used up")]
    OutOfFuel,
    /// A call of what is not there.
    #[error("there is no such function")]
    UnknownCall,
    /// More than 8 frames.
    #[error("calls are nested more than 8 deep")]
    TooDeep,
    /// A constant that only a kernel can resolve.
    #[error("the constant has no value outside a kernel")]
    Unresolved,
}

/// The most frames that Linux allows.
const MAX_FRAMES: usize = 8;

/// What a call must bring back.
struct Return {
    slot: usize,
    kept: [Option<u64>; 4],
}

struct Machine<'a> {
    code: &'a Code,
    registers: [Option<u64>; 10],
    memory: Memory<'a>,
    answer: &'a mut Answer<'a>,
    returns: Vec<Return>,
    loop_budget: u64,
    rounds: u64,
}

/// Where control goes after an instruction.
enum Next {
    To(usize),
    Halt(u64),
}

/// Runs the program once.
///
/// # Errors
/// The first trap; the block is left as it was then.
pub fn run(code: &Code, environment: Environment<'_>, limits: Limits) -> Result<Halt, Trapped> {
    let Environment {
        block,
        writable,
        context,
        answer,
    } = environment;
    let mut machine = Machine {
        code,
        registers: [None; 10],
        memory: Memory::new(block, writable, context),
        answer,
        returns: Vec::new(),
        loop_budget: limits.loop_budget,
        rounds: 0,
    };
    machine.registers[1] = Some(CONTEXT);
    let mut slot = 0;
    for executed in 1..=limits.fuel {
        match machine.step(slot) {
            Ok(Next::To(next)) => slot = next,
            Ok(Next::Halt(result)) => {
                return Ok(Halt {
                    result,
                    executed,
                    rounds: machine.rounds,
                });
            }
            Err(trap) => return Err(Trapped { slot, trap }),
        }
    }
    Err(Trapped {
        slot,
        trap: Trap::OutOfFuel,
    })
}

impl Machine<'_> {
    fn step(&mut self, slot: usize) -> Result<Next, Trap> {
        let insn = self.code.at(slot).ok_or(Trap::NoInstruction)?;
        let words = &mut Numbers;
        let mut next = slot + 1;
        match insn {
            Insn::Binary {
                op: BinaryOp::Move,
                wide,
                dst,
                src,
            } => {
                let value = self.source(src)?;
                // A move does not read its destination.
                self.write(dst, binary(words, BinaryOp::Move, wide, &0, &value));
            }
            Insn::Binary { op, wide, dst, src } => {
                let (left, right) = (self.read(dst)?, self.source(src)?);
                self.write(dst, binary(words, op, wide, &left, &right));
            }
            Insn::Negate { wide, dst } => {
                let value = self.read(dst)?;
                self.write(dst, negate(words, wide, &value));
            }
            Insn::SignExtend {
                bits,
                wide,
                dst,
                src,
            } => {
                let value = self.read(src)?;
                self.write(dst, move_signed(words, bits, wide, &value));
            }
            Insn::Reorder { order, bits, dst } => {
                let value = self.read(dst)?;
                self.write(dst, reorder(words, order, bits, &value));
            }
            Insn::Load64 { dst, constant } => {
                let value = match constant {
                    Constant::Number(number) => number,
                    Constant::MapValue { offset, .. } => BLOCK + u64::from(offset),
                    Constant::Map(_) | Constant::Variable(_) | Constant::Subprogram(_) => {
                        return Err(Trap::Unresolved);
                    }
                };
                self.write(dst, value);
                next = slot + 2;
            }
            Insn::Load {
                bytes,
                signed,
                dst,
                base,
                offset,
            } => {
                let address = self.address(base, offset)?;
                let mut value = self.memory.load(address, bytes)?;
                if signed {
                    let bits = u32::try_from(8 * bytes).expect("a cell has at most 64 bits");
                    value = move_signed(words, bits, true, &value);
                }
                self.write(dst, value);
            }
            Insn::Store {
                bytes,
                base,
                offset,
                src,
            } => {
                let (address, value) = (self.address(base, offset)?, self.source(src)?);
                self.memory.store(address, bytes, value)?;
            }
            Insn::Atomic {
                op,
                fetch,
                wide,
                base,
                offset,
                src,
            } => self.atomic(op, fetch, wide, self.address(base, offset)?, src)?,
            Insn::Jump { target } => next = target,
            Insn::Branch {
                cond,
                wide,
                dst,
                src,
                target,
            } => {
                let (left, right) = (self.read(dst)?, self.source(src)?);
                if holds(words, cond, wide, &left, &right) {
                    next = target;
                }
            }
            Insn::MayGoto { target } => {
                if self.rounds == self.loop_budget {
                    next = target;
                } else {
                    self.rounds += 1;
                }
            }
            Insn::Call { callee } => next = self.call(callee, next)?,
            Insn::Exit => {
                let result = self.read(0)?;
                let Some(caller) = self.returns.pop() else {
                    return Ok(Next::Halt(result));
                };
                self.memory.leave();
                self.registers[1..6].fill(None);
                self.registers[6..10].copy_from_slice(&caller.kept);
                next = caller.slot;
            }
        }
        Ok(Next::To(next))
    }

    fn call(&mut self, callee: Callee, next: usize) -> Result<usize, Trap> {
        if let Callee::Subprogram(target) = callee {
            if self.memory.depth() == MAX_FRAMES {
                return Err(Trap::TooDeep);
            }
            let [_, _, _, _, _, _, kept @ ..] = self.registers;
            self.returns.push(Return { slot: next, kept });
            self.memory.enter();
            self.registers[0] = None;
            self.registers[6..10].fill(None);
            return Ok(target);
        }
        let [_, arguments @ .., _, _, _, _] = self.registers;
        let result = (self.answer)(callee, arguments).ok_or(Trap::UnknownCall)?;
        self.registers[1..6].fill(None);
        self.write(0, result);
        Ok(next)
    }

    fn atomic(
        &mut self,
        op: AtomicOp,
        fetch: bool,
        wide: bool,
        address: u64,
        src: u8,
    ) -> Result<(), Trap> {
        let words = &mut Numbers;
        let bytes = if wide { 8 } else { 4 };
        let operand = self.read(src)?;
        let old = self.memory.load(address, bytes)?;
        let mut combine = |op| binary(words, op, wide, &old, &operand);
        let new = match op {
            AtomicOp::Add => combine(BinaryOp::Add),
            AtomicOp::Or => combine(BinaryOp::Or),
            AtomicOp::And => combine(BinaryOp::And),
            AtomicOp::Xor => combine(BinaryOp::Xor),
            AtomicOp::Exchange => operand,
            AtomicOp::CompareExchange => {
                let expected = binary(words, BinaryOp::Move, wide, &0, &self.read(0)?);
                if old == expected { operand } else { old }
            }
        };
        self.memory.store(address, bytes, new)?;
        if op == AtomicOp::CompareExchange {
            self.write(0, old);
        } else if fetch {
            self.write(src, old);
        }
        Ok(())
    }

    fn address(&self, base: u8, offset: i16) -> Result<u64, Trap> {
        Ok(self.read(base)?.wrapping_add_signed(i64::from(offset)))
    }

    fn source(&self, source: Source) -> Result<u64, Trap> {
        match source {
            Source::Register(register) => self.read(register),
            Source::Immediate(number) => Ok(i64::from(number).cast_unsigned()),
        }
    }

    fn read(&self, register: u8) -> Result<u64, Trap> {
        if register == 10 {
            return Ok(self.memory.frame_pointer());
        }
        let value = self.registers[usize::from(register)];
        value.ok_or(Trap::Uninitialized(register))
    }

    /// The decoder lets no instruction write r10.
    fn write(&mut self, register: u8, value: u64) {
        self.registers[usize::from(register)] = Some(value);
    }
}
