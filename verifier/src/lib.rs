//! x

pub mod smt;
