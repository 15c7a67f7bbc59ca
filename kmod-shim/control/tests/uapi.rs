//! The C header and the Rust structures say the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use progmp_control::uapi::{
    Choice, Connection, ConnectionSubflow, Counters, Loaded, Registers, Tracing, User, Version,
    calls,
};

type Members = &'static [(&'static str, usize, usize)];

const STRUCTURES: &[(&str, usize, Members)] = &[
    (Version::NAME, size_of::<Version>(), Version::MEMBERS),
    (Choice::NAME, size_of::<Choice>(), Choice::MEMBERS),
    (Registers::NAME, size_of::<Registers>(), Registers::MEMBERS),
    (User::NAME, size_of::<User>(), User::MEMBERS),
    (Counters::NAME, size_of::<Counters>(), Counters::MEMBERS),
    (
        ConnectionSubflow::NAME,
        size_of::<ConnectionSubflow>(),
        ConnectionSubflow::MEMBERS,
    ),
    (
        Connection::NAME,
        size_of::<Connection>(),
        Connection::MEMBERS,
    ),
    (Loaded::NAME, size_of::<Loaded>(), Loaded::MEMBERS),
    (Tracing::NAME, size_of::<Tracing>(), Tracing::MEMBERS),
];

const CALLS: &[(&str, u32)] = &[
    ("PROGMP_IOC_VERSION", calls::VERSION),
    ("PROGMP_IOC_CHOOSE", calls::CHOOSE),
    ("PROGMP_IOC_DEFAULT", calls::DEFAULT),
    ("PROGMP_IOC_SET_REGISTERS", calls::SET_REGISTERS),
    ("PROGMP_IOC_GET_REGISTERS", calls::GET_REGISTERS),
    ("PROGMP_IOC_SET_USER", calls::SET_USER),
    ("PROGMP_IOC_CONNECTION", calls::CONNECTION),
    ("PROGMP_IOC_SCHEDULER", calls::SCHEDULER),
    ("PROGMP_IOC_RESTORE", calls::RESTORE),
    ("PROGMP_IOC_TRACE", calls::TRACE),
    ("PROGMP_IOC_TIMING", calls::TIMING),
];

/// A C file in which every assertion is a fact of the Rust side.
fn assertions(shift: usize) -> String {
    let mut c = String::from("#include <stddef.h>\n#include \"progmp_uapi.h\"\n");
    for (name, number) in CALLS {
        let _ = writeln!(c, "_Static_assert({name} == {number}u, \"{name}\");");
    }
    for &(name, bytes, members) in STRUCTURES {
        let _ = writeln!(
            c,
            "_Static_assert(sizeof(struct {name}) == {bytes}, \"{name}\");"
        );
        for &(member, offset, size) in members {
            let offset = offset + shift;
            let _ = writeln!(
                c,
                "_Static_assert(offsetof(struct {name}, {member}) == {offset}, \"{name}.{member}\");\n\
                 _Static_assert(sizeof(((struct {name} *)0)->{member}) == {size}, \"{name}.{member}\");"
            );
        }
    }
    let trace = progmp_control::trace::HEADER_BYTES;
    let _ = writeln!(
        c,
        "_Static_assert(sizeof(struct progmp_trace) == {trace}, \"trace\");"
    );
    for (member, offset) in progmp_control::trace::MEMBERS {
        let _ = writeln!(
            c,
            "_Static_assert(offsetof(struct progmp_trace, {member}) == {offset}, \"{member}\");"
        );
    }
    c
}

/// Compiles it; `None` if this machine has no C compiler.
fn compiles(source: &str) -> Option<(bool, String)> {
    let folder = tempfile::tempdir().expect("a folder for a test");
    let file = folder.path().join("uapi.c");
    std::fs::write(&file, source).expect("a file for a test");
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let run = Command::new("cc")
        .args(["-std=gnu11", "-Wall", "-Werror", "-fsyntax-only", "-I"])
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
fn the_c_header_and_the_rust_structures_agree() {
    if let Some((success, errors)) = compiles(&assertions(0)) {
        assert!(success, "{errors}");
    }
}

#[test]
fn a_member_that_is_elsewhere_is_found() {
    if let Some((success, _)) = compiles(&assertions(1)) {
        assert!(!success);
    }
}

/// The Python library packs the same structures; its own test says so, and what it does without the module.
#[test]
fn the_python_library_agrees_and_says_what_is_missing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
    let test = Command::new("python3")
        .args(["-B", "-m", "unittest", "test_progmp"])
        .current_dir(folder)
        .output()
        .expect("python3 starts");
    let told = String::from_utf8_lossy(&test.stderr);
    assert!(test.status.success(), "{told}");
}
