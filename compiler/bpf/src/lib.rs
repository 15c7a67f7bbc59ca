//! The door to the kernel's `bpf` system call: maps, programs, types, links, pins.
//!
//! In: slices, numbers, descriptors. Out: owned descriptors, numbers, the kernel's errors as they
//! are; what they mean is for the caller to say. Structures are those of
//! `include/uapi/linux/bpf.h`; the kernel takes a shorter one as one whose rest is 0, and a longer
//! one if what it does not know is 0, so each ends where we stop. Other system calls have no place
//! here, and nobody else in the workspace calls `bpf`.
#![allow(unsafe_code, reason = "the door to bpf(2)")]

mod btf;
mod call;
mod link;
mod map;
mod program;

pub use btf::{load_btf, module_btf};
pub use call::lacks_privilege;
pub use link::{link, open_pin, pin, update};
pub use map::{ValueMap, operations};
pub use program::{Kind, Operation, Program, Run, Statistics, Types, info, load, test_run};
