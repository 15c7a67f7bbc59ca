//! Whole schedulers with pieces cut out, doubled, swapped and put in.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| progmp_syntax::fuzzing::mutated(data));
