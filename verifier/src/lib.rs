//! Proofs about schedulers: three questions, one answer.
//!
//! In: a [`progmp_ir::Program`]. Out: a [`Report`] of verdicts, each proved,
//! refuted with a replayed counterexample, or unknown. Neither the optimiser
//! nor the code generator is trusted here, nor is anything read of them.

mod ask;
mod bound;
mod bounded;
mod check;
mod compress;
mod concrete;
mod conservation;
mod copies;
mod engine;
mod equivalence;
mod explain;
mod export;
mod goal;
mod judge;
mod lockstep;
mod model;
mod obligation;
mod path;
mod probe;
mod property;
mod refine;
mod replay;
mod report;
mod rotation;
mod sample;
mod summary;
mod symbolic;
mod termination;
mod unbounded;
mod witness;

pub mod ebpf;
pub mod rules;
pub mod smt;
pub mod validate;

#[cfg(test)]
mod tests;

pub use check::{prove, prove_gate};
pub use compress::{Compression, compresses, compression_queries};
pub use engine::Options;
pub use equivalence::{Equivalence, equivalent};
pub use explain::explain;
pub use export::export;
pub use property::{Level, Property};
pub use refine::{Refinement, refinement_queries, refines};
pub use replay::{Replayed, replay};
pub use report::{Counterexample, Effort, Finding, Judgement, Report, Scenario, Size, Verdict};
