//! The commands `progmp-verify` and `progmp`: they know the order of the stages, and nothing else.
//!
//! In: files and options. Out: reports for people and machines, and an exit code.
//! What a program means is for `progmp-ir`, whether it is any good for `progmp-verifier`.

pub mod commands;
pub mod diff;
pub mod exit;
pub mod files;
pub mod human;
pub mod isolate;
pub mod levels;
pub mod pipeline;
pub mod progress;
pub mod report;
pub mod rewrite;
pub mod story;
pub mod svg;
pub mod trace;
