//! How large a file and its parts may be. Beyond a limit stands a named error.

/// Bytes of a file: 1 MiB.
pub const FILE_BYTES: usize = 1 << 20;
/// Bytes of a name.
pub const NAME_BYTES: usize = 63;
/// Bytes of a string, escapes resolved.
pub const STRING_BYTES: usize = 255;
/// Brackets `(` and `{` open at one place.
pub const NESTING: usize = 256;
/// Height of the tree of one statement: brackets, operators, `.` and ELSE IF.
pub const HEIGHT: u16 = 1024;
/// Lambdas around one expression.
pub const LAMBDAS: usize = 8;
/// Errors reported of one file, and warnings; the rest is counted.
pub const DIAGNOSTICS: usize = 100;
