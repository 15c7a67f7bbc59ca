//! Random programs, states and events: one generator for every test.
//!
//! In: a stream of [`Choices`]. Out: source text that is always correct, states
//! that meet every environment fact, events for a host. A vector of choices
//! shrinks, a seeded stream does not end; the same choices give the same result.

mod choices;
mod event;
mod expression;
mod mix;
mod source;
mod state;
#[cfg(feature = "strategies")]
mod strategy;

pub use choices::Choices;
pub use event::{Fickle, event};
pub use mix::Mix;
pub use source::{program, program_with};
pub use state::{Sizes, state, state_of};
#[cfg(feature = "strategies")]
pub use strategy::{programs, programs_with, states, words};
