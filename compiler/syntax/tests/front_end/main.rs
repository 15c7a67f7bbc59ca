//! Tests of the front end through its public functions, one module for each
//! part of the language or of the library.

mod codes;
mod common;
mod format;
mod grammar;
mod lexis;
mod limits;
mod lowering;
mod names;
mod paper;
mod random;
mod recovery;
mod rendering;
mod requirements;
mod types;
