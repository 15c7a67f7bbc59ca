//! The code generator: a Program in, eBPF out.
//!
//! The instruction set stands in [`isa`]: one table for encoder, decoder and printer.

pub mod isa;
