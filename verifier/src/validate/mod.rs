//! Is what was compiled safe, and does it do what the source says? (specs/validation.md)
//!
//! In: bytes, decoded by [`crate::ebpf`], from anybody. Out: that they are safe for every content
//! of the block ([`safe`], [`safe_object`]), or where that fails; and where a run of them parts from its program
//! ([`differs`]). Nothing here knows how the code generator writes code, and nothing that an object
//! says of itself is read.

mod differ;
mod ending;
mod graph;
mod measure;
mod object;
mod place;
mod range;
mod refine;
mod refinement;
mod safety;
mod step;
mod term;

#[cfg(test)]
mod tests;

pub use differ::{Difference, Effect, Failure, differs};
pub use measure::{Bound, Cycle, Measure};
pub use object::{UnsafeObject, safe_object};
pub use place::Entry;
pub use refinement::{Counterexample, Validator, Verdict, validates};
pub use safety::{Safety, Unsafe, safe};
pub use step::{Fault, Held};
