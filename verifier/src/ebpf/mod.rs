//! eBPF as RFC 9669 defines it: a decoder, one meaning of arithmetic and jumps, an interpreter.
//!
//! In: the bytes of a program, or of an object with programs. Out: [`Code`], what runs of it do, or
//! a named [`Trap`]. Nothing
//! here is shared with the code generator: whoever checks its output must not repeat its
//! mistakes. [`arith`] is written over any domain of words, so that terms can take the place
//! of numbers.

pub mod arith;
mod btf;
mod decode;
mod insn;
mod machine;
mod memory;
mod numbers;
mod object;

#[cfg(test)]
mod tests;

pub use btf::BtfError;
pub use decode::{DecodeError, Fault, decode};
pub use insn::{AtomicOp, BinaryOp, Byteorder, Callee, Code, Cond, Constant, Insn, Source};
pub use machine::{Answer, Environment, Halt, Limits, Trap, Trapped, run};
pub use memory::{BLOCK, CONTEXT, FRAME_BYTES, STACK_TOP};
pub use numbers::Numbers;
pub use object::{Debug, Object, ObjectError, ObjectProgram, read};
