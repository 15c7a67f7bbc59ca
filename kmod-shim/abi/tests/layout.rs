//! The C header and the Rust constants say the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use progmp_abi::layout::{self, Member};

const STRUCTURES: &[(&str, usize, &[Member])] = &[
    (
        layout::queue::NAME,
        layout::queue::BYTES,
        layout::queue::MEMBERS,
    ),
    (
        layout::print::NAME,
        layout::print::BYTES,
        layout::print::MEMBERS,
    ),
    (
        layout::subflow::NAME,
        layout::subflow::BYTES,
        layout::subflow::MEMBERS,
    ),
    (
        layout::packet::NAME,
        layout::packet::BYTES,
        layout::packet::MEMBERS,
    ),
    (
        layout::block::NAME,
        layout::block::BYTES,
        layout::block::MEMBERS,
    ),
];

const NUMBERS: &[(&str, u64)] = &[
    ("PROGMP_ABI_MAGIC", layout::MAGIC as u64),
    ("PROGMP_ABI_VERSION", layout::VERSION as u64),
    ("PROGMP_SUBFLOWS", layout::SUBFLOWS as u64),
    ("PROGMP_QUEUE_MAX", layout::QUEUE_MAX as u64),
    ("PROGMP_PACKETS", layout::PACKETS as u64),
    ("PROGMP_WORDS", layout::WORDS as u64),
    ("PROGMP_ACTIONS", layout::ACTIONS as u64),
    ("PROGMP_PRINTS", layout::PRINTS as u64),
    ("PROGMP_SCRATCH", layout::SCRATCH_WORDS as u64),
    ("PROGMP_STARTED", layout::STARTED as u64),
    ("PROGMP_DONE", layout::DONE as u64),
    ("PROGMP_ABORTED", layout::ABORTED as u64),
    ("PROGMP_PUSH", layout::PUSH as u64),
    ("PROGMP_DROP", layout::DROP as u64),
    ("PROGMP_PSH", layout::PSH as u64),
    ("PROGMP_PRINT_NULL", layout::PRINT_NULL as u64),
    ("PROGMP_PRINT_TEXT", layout::PRINT_TEXT as u64),
    ("PROGMP_WRITABLE", layout::WRITABLE as u64),
    ("PROGMP_DEBRUIJN", layout::DEBRUIJN),
];

/// A C file in which every assertion is a fact of the Rust constants.
fn assertions(shift: usize) -> String {
    let mut c = String::from("#include <stddef.h>\n#include \"progmp_abi.h\"\n");
    for &(name, value) in NUMBERS {
        let _ = writeln!(c, "_Static_assert({name} == {value}ull, \"{name}\");");
    }
    for &(name, bytes, members) in STRUCTURES {
        let _ = writeln!(
            c,
            "_Static_assert(sizeof(struct {name}) == {bytes}, \"{name}\");"
        );
        for &Member {
            name: member,
            offset,
            size,
        } in members
        {
            let offset = offset + shift;
            let _ = writeln!(
                c,
                "_Static_assert(offsetof(struct {name}, {member}) == {offset}, \"{name}.{member}\");"
            );
            let _ = writeln!(
                c,
                "_Static_assert(sizeof(((struct {name} *)0)->{member}) == {size}, \"size of {name}.{member}\");"
            );
        }
    }
    c
}

/// Compiles it; `None` if this machine has no C compiler.
fn compiles(source: &str) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().expect("a folder for a test");
    let file = folder.path().join("layout.c");
    std::fs::write(&file, source).expect("a file for a test");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Werror", "-fsyntax-only", "-I"])
        .arg(include)
        .arg(&file)
        .output();
    match run {
        Ok(output) => Some((
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )),
        Err(error) => {
            assert!(std::env::var_os("PROGMP_CI").is_none(), "cc: {error}");
            println!("skipped: needs a C compiler ({error})");
            None
        }
    }
}

#[test]
fn the_c_header_and_the_rust_constants_agree() {
    if let Some((success, errors)) = compiles(&assertions(0)) {
        assert!(success, "{errors}");
    }
}

#[test]
fn a_member_elsewhere_is_noticed() {
    if let Some((success, errors)) = compiles(&assertions(4)) {
        assert!(
            !success && errors.contains("progmp_subflow.rtt"),
            "{errors}"
        );
    }
}

#[test]
fn members_follow_each_other_without_holes() {
    for &(name, bytes, members) in STRUCTURES {
        let mut end = 0;
        for member in members {
            assert_eq!(member.offset, end, "{name}.{}", member.name);
            end += member.size;
        }
        assert_eq!(end, bytes, "{name}");
    }
}

#[test]
fn the_table_finds_the_lowest_bit() {
    let table = layout::lowest_table();
    for bit in 0..64_u8 {
        let low = 1_u64 << bit;
        let place = low.wrapping_mul(layout::DEBRUIJN) >> layout::DEBRUIJN_SHIFT;
        assert_eq!(table[usize::try_from(place).expect("six bits")], bit);
    }
}
