//! Words of the language in any order, one for each byte.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| progmp_syntax::fuzzing::tokens(data));
