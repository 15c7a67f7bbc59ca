//! Does compiled code decide as the reference interpreter does? Programs times states, on all engines.
//!
//! In: source text and states. Out: a [`Tally`] of what was compared, and each [`Case`] in which an
//! engine decided otherwise, made small. `progmp diff` prints and writes them.

mod engines;
mod shrink;
mod states;
mod tally;

pub use engines::{Difference, Subject, Trouble};
pub use shrink::{Test, shrink};
pub use states::{Sizes, state};
pub use tally::Tally;

use progmp_ir::{Program, SchedState};

/// A program and a state on which an engine decides otherwise, or which it does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The program.
    pub source: String,
    /// The state; `None` if the program is not even loaded.
    pub state: Option<SchedState>,
    /// What is wrong.
    pub difference: Difference,
}

/// The program in a text, if there is nothing wrong with it.
pub fn parsed(source: &str) -> Option<Program> {
    progmp_syntax::parse("diff", source.as_bytes(), &[]).program
}
