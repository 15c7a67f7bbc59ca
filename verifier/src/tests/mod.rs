//! What the proofs rest on: the encodings against the reference interpreter.
//!
//! Random and written programs, random states. The bounded encoding must say
//! exactly what the interpreter does ([`bounded_runs`]), every actual run must be
//! a model of the unbounded one ([`unbounded_runs`]), nothing proved may be seen to
//! happen ([`proofs`]), and no proof may be empty ([`vacuity`]).
//!
//! All of it is seeded. `PROGMP_TEST_SCALE=10` makes ten times as many programs.

mod bounded_runs;
mod ground;
mod loops;
mod proofs;
mod support;
mod unbounded_runs;
mod vacuity;
