//! Any bytes as a scheduler.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| progmp_syntax::fuzzing::bytes(data));
