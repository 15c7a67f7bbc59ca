//! Any text as a requirement of the command line.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| progmp_syntax::fuzzing::requirement(data));
