//! What is tested, by name. A test starts from nothing and leaves nothing: it makes its own
//! networks, and whatever it loads goes with it.

mod builtin;
mod burst;
mod command;
mod corpus;
mod decisions;
pub(crate) mod errors;
mod faults;
mod hostile;
mod lifecycle;
mod python;
mod served;
mod sockets;
mod speed;

use crate::Verdict;

/// Tests that one boot runs.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) tests: &'static [Test],
}

/// One test: its name says what is true.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Verdict,
}

/// Every suite.
pub(crate) const ALL: &[Suite] = &[
    builtin::SUITE,
    corpus::SUITE,
    faults::SUITE,
    lifecycle::SUITE,
    hostile::SUITE,
    decisions::SUITE,
    command::SUITE,
    python::SUITE,
    speed::SUITE,
];
