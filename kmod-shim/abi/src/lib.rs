//! The environment block between a compiled scheduler and its host, in Rust.
//!
//! In: a [`SchedState`](progmp_ir::SchedState). Out: the bytes that a program reads and writes
//! ([`fill()`]), and what a run said ([`Filled::read_back`]). The layout is that of
//! `kmod-shim/progmp_abi.h`; specs/abi.md says what it means. Numbers are little-endian: a block
//! for a machine of the other byte order is made by that machine.

mod block;
mod fill;
pub mod layout;
mod outcome;
mod wellformed;

pub use block::Block;
pub use fill::{Filled, fill, place_of, queue_at, word_of};
pub use outcome::{Decision, Outcome, Printed};
pub use wellformed::well_formed;

/// What is wrong with a state that is to be shown, or with a block that came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The state is not one that a host can show.
    #[error("the state is not possible: {0}")]
    State(#[from] progmp_ir::StateError),
    /// More subflows than the block has records.
    #[error("{subflows} subflows, but the block holds {}", layout::SUBFLOWS)]
    TooManySubflows {
        /// How many there are.
        subflows: usize,
    },
    /// The bytes are not a block.
    #[error("{bytes} bytes are not a block of {}", layout::block::BYTES)]
    Length {
        /// How many there are.
        bytes: usize,
    },
    /// A block of something else, or of another version.
    #[error(
        "magic {magic:#010x}, version {version}, size {size}: not a block of version {}",
        layout::VERSION
    )]
    Version {
        /// As read.
        magic: u32,
        /// As read.
        version: u32,
        /// As read.
        size: u32,
    },
    /// The block breaks the well-formed predicate of specs/abi.md.
    #[error("{rule}: {what}")]
    NotWellFormed {
        /// Which rule, as specs/abi.md numbers them.
        rule: &'static str,
        /// What was found.
        what: String,
    },
    /// The run did not end, or was aborted: nothing of it counts.
    #[error("the run has the status {status}, not {}", layout::DONE)]
    NotDone {
        /// As read.
        status: u32,
    },
    /// More actions than there are places.
    #[error("{count} actions, but there are {} places", layout::ACTIONS)]
    TooManyActions {
        /// As read.
        count: u32,
    },
    /// An action that does not exist, or that names a record not in use.
    #[error("action {index} is {word:#010x}, which names nothing")]
    BadAction {
        /// Its place.
        index: usize,
        /// As read.
        word: u32,
    },
    /// A queue with a packet that is not there.
    #[error("{queue} names a packet record that is not in use")]
    BadQueue {
        /// `Q`, `QU` or `RQ`.
        queue: &'static str,
    },
}
