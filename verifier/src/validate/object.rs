//! Objects: each of their programs is judged, by the way in which it comes by the block.

use super::place::Entry;
use super::safety::{Safety, Unsafe, safe};
use crate::ebpf::{DecodeError, Object, decode};

/// The section of the program that the shim calls (specs/object.md).
const SHIM: &str = "?struct_ops/schedule";

/// Why an object is not safe, or not seen to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeObject {
    /// A program is no bytecode.
    #[error("the section {section} is no bytecode: {error}")]
    Code {
        /// Which section.
        section: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// A program is not safe.
    #[error("the program in the section {section} is not safe: {error}")]
    Program {
        /// Which section.
        section: String,
        /// Where, and what.
        error: Unsafe,
    },
}

/// Shows that each program of an object is safe for every content of the block, in their order.
///
/// # Errors
/// The first program of which that cannot be shown.
pub fn safe_object(object: &Object) -> Result<Vec<Safety>, UnsafeObject> {
    let programs = object.programs.iter();
    let judged = programs.map(|program| {
        let section = || program.section.clone();
        let code = decode(&program.code).map_err(|error| UnsafeObject::Code {
            section: section(),
            error,
        })?;
        let entry = if program.section == SHIM {
            Entry::Shim
        } else {
            Entry::TestRun
        };
        safe(&code, entry).map_err(|error| UnsafeObject::Program {
            section: section(),
            error,
        })
    });
    judged.collect()
}
