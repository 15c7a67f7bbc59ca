//! The door to the solver: exact terms, and Z3 behind them.
//!
//! Everything the verifier proves is first a [`Term`] in an arena of
//! [`Terms`]: hash-consed, so that equal formulas are one index, and
//! simplified while it is built. [`Solver`] hands terms to Z3; nothing
//! else in this project talks to it.
//!
//! What the formulas mean for a scheduler is left to the encoder.

mod assume;
mod names;
mod sets;
mod substitute;
mod translate;

pub mod bits;
pub mod build;
pub mod eval;
pub mod expand;
pub(crate) mod numbers;
pub mod print;
mod size;
pub mod solver;
pub mod term;
pub mod version;
pub mod word;

#[cfg(test)]
mod tests;

pub use eval::{Evaluator, Universe};
pub use expand::Elements;
pub(crate) use numbers::Bits;
pub use solver::{Answer, Limits, Profile, Room, Solver};
pub use term::{Func, Node, Sort, Term, Terms};

/// A concrete value of some [`Sort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A 64-bit word.
    Word(u64),
    /// An order position.
    Int(i64),
    /// A subflow or a packet, by number; which of the two, the sort tells.
    Element(u32),
}
