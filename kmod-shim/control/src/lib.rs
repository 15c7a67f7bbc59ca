//! The shim from user space: compiled schedulers go in, settings and statistics come out.
//!
//! In: a verified [`Scheduler`], a name, a socket. Out: a [`Link`] that keeps a scheduler in the
//! kernel, the answers of `/dev/progmp`, traced executions as states and outcomes. Whether a
//! scheduler is any good was decided before: whoever calls [`load()`] has verified it.
//! specs/shim.md says what the kernel's side promises.

pub mod btf;
mod device;
mod error;
pub mod layout;
mod load;
pub mod module;
pub mod mptcp;
pub mod namespace;
mod sys;
pub mod trace;
pub mod uapi;

pub use device::{Borrowed, Device, Tracer};
pub use error::{EXPLANATIONS, Error};
pub use load::{Link, PINS, Scheduler, load, pinned, source_hash, unload};
