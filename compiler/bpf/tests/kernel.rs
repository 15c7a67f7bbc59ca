//! The door opens: each command on the running kernel, as far as it goes without the module.
//!
//! Tables of operations and their links take a module that has such tables; here the kernel refuses
//! them, and the virtual machine's suites see them taken.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;

use progmp_bpf::{
    Kind, Operation, Program, Types, ValueMap, info, lacks_privilege, link, load, load_btf,
    module_btf, open_pin, operations, pin, test_run, update,
};

/// Whether a test can do its work; under `PROGMP_CI` a lack of privilege is a failure.
fn has_kernel() -> bool {
    let probe = ValueMap::new("probe", 8);
    let missing = probe.is_err_and(|error| lacks_privilege(&error));
    if missing {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "no CAP_BPF");
        eprintln!("skipped: needs CAP_BPF");
    }
    !missing
}

/// `r0 = value; exit`
fn gives(value: u8) -> Vec<u8> {
    [[0xb7, 0, 0, 0, value, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat()
}

/// A program without types.
const fn plain<'a>(kind: Kind<'a>, code: &'a [u8]) -> Program<'a> {
    Program {
        name: "test",
        kind,
        code,
        types: None,
    }
}

fn run(program: &OwnedFd) -> io::Result<u32> {
    test_run(program, &[], &mut [0; 8], 0).map(|run| run.result)
}

/// A file that is nothing of `bpf`.
fn stranger() -> OwnedFd {
    File::open("/dev/null").expect("it is always there").into()
}

/// The types of `int f(void)`, which are 1 to 3: the number, the shape, the function.
fn types_of_a_function() -> Vec<u8> {
    let strings = b"\0int\0f\0";
    let types = [
        [1, 1 << 24, 4, 1 << 24 | 32].as_slice(),
        &[0, 13 << 24, 1],
        &[5, 12 << 24, 2],
    ];
    let types = types.concat();
    // Of the header: its own length, then start and length of types and of strings.
    let (bytes, strings_bytes) = (4 * types.len(), strings.len());
    let header = [24, 0, bytes, bytes, strings_bytes].map(|number| u32::try_from(number).unwrap());
    let words = header.into_iter().chain(types).flat_map(u32::to_le_bytes);
    let magic = [0x9f, 0xeb, 1, 0];
    magic.into_iter().chain(words).chain(*strings).collect()
}

#[test]
fn needs_root_a_program_and_user_space_see_the_same_value() {
    if !has_kernel() {
        return;
    }
    let mut map = ValueMap::new("block", 16).expect("a map is made");
    assert_eq!(map.len(), 16);
    let [a, b, c, d] = map.descriptor().to_le_bytes();
    let code = [
        // r1 = the value's address; r0 = *(u32 *)(r1 + 4); *(u32 *)(r1 + 8) = 9; exit
        [0x18, 0x21, 0, 0, a, b, c, d],
        [0; 8],
        [0x61, 0x10, 4, 0, 0, 0, 0, 0],
        [0x62, 0x01, 8, 0, 9, 0, 0, 0],
        [0x95, 0, 0, 0, 0, 0, 0, 0],
    ];
    let code = code.concat();
    let program = load(&plain(Kind::Syscall, &code), &mut []).expect("it loads");
    let mut value = [0; 16];
    value[4] = 5;
    map.write(&value);
    assert_eq!(run(&program).expect("it runs"), 5);
    map.read(&mut value);
    assert_eq!(value, [0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0]);

    let statistics = info(&program).expect("it is described");
    assert_eq!(statistics.walked, 4, "{statistics:?}");
    assert!(statistics.translated_bytes >= 40, "{statistics:?}");
}

#[test]
fn needs_root_a_map_without_bytes_is_refused() {
    if has_kernel() {
        let error = ValueMap::new("block", 0).expect_err("no value is empty");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn needs_root_a_classifier_is_repeated_and_measured() {
    if !has_kernel() {
        return;
    }
    let code = gives(7);
    let program = load(&plain(Kind::Classifier, &code), &mut []).expect("it loads");
    let run = test_run(&program, &[0; 64], &mut [], 100).expect("it runs");
    assert_eq!(run.result, 7);
    let error = test_run(&program, &[], &mut [], 1).expect_err("there is no frame");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn needs_root_a_log_says_why_a_program_is_refused() {
    if !has_kernel() {
        return;
    }
    // r0 = r3, which nothing was put into.
    let code = [[0xbf, 0x30, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut log = [0; 4096];
    let error = load(&plain(Kind::Syscall, &code), &mut log).expect_err("it is refused");
    assert_eq!(error.raw_os_error(), Some(libc::EACCES));
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("R3 !read_ok"), "{log}");
}

#[test]
fn needs_root_types_are_loaded_and_go_with_a_program() {
    if !has_kernel() {
        return;
    }
    assert!(load_btf(&[1, 2, 3]).is_err());
    let btf = load_btf(&types_of_a_function()).expect("they are well-formed");
    let code = gives(3);
    // A record: where the function starts, and the number of its type.
    let load_as = |number: u8| {
        let program = Program {
            types: Some(Types {
                btf: &btf,
                functions: &[0, 0, 0, 0, number, 0, 0, 0],
                lines: &[],
            }),
            ..plain(Kind::Syscall, &code)
        };
        load(&program, &mut [])
    };
    let program = load_as(3).expect("it loads");
    assert_eq!(run(&program).expect("it runs"), 3);
    for number in [1, 2, 4] {
        let error = load_as(number).expect_err("this is no function");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{number}");
    }
}

#[test]
fn needs_root_types_of_the_kernel_are_found_by_name() {
    if !has_kernel() {
        return;
    }
    module_btf("vmlinux").expect("the kernel has types");
    for name in ["", "vmlinu", "no_module_has_this_name"] {
        let error = module_btf(name).expect_err("there is no such module");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{name}: {error}");
    }
}

#[test]
fn an_operation_that_names_a_third_descriptor_never_reaches_the_kernel() {
    let code = [[0x85, 0x20, 2, 0, 1, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    let module = stranger();
    let kind = Kind::Operation(Operation {
        table: 1,
        member: 0,
        module: &module,
    });
    let error = load(&plain(kind, &code), &mut []).expect_err("it names what is not there");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.raw_os_error(), None);
}

#[test]
fn needs_root_what_is_no_table_is_not_registered() {
    if !has_kernel() {
        return;
    }
    let stranger = stranger();
    let code = gives(0);
    let kind = Kind::Operation(Operation {
        table: 1,
        member: 0,
        module: &stranger,
    });
    assert!(load(&plain(kind, &code), &mut []).is_err());
    let btf = load_btf(&types_of_a_function()).expect("they are well-formed");
    assert!(operations("test", &[0; 64], 1, &btf, &stranger).is_err());
    assert!(operations("test", &[0; 64], 1, &btf, &btf).is_err());
    let program = load(&plain(Kind::Syscall, &code), &mut []).expect("it loads");
    assert!(link(&program).is_err());
    assert!(link(&stranger).is_err());
    assert!(update(&program, &stranger).is_err());
}

/// A path in the kernel's file system, which is free before and after.
struct Pin(PathBuf);

impl Drop for Pin {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether the kernel's file system for pins is there, mounted now if it was not.
fn has_pins() -> bool {
    let mounts = fs::read_to_string("/proc/mounts").expect("Linux tells its mounts");
    let is_there = mounts.lines().any(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(words[..], [_, "/sys/fs/bpf", "bpf", ..])
    });
    let mount = || {
        let mut mount = Command::new("mount");
        mount.args(["-t", "bpf", "bpf", "/sys/fs/bpf"]);
        mount.status().is_ok_and(|status| status.success())
    };
    let has = is_there || mount();
    if !has {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "no /sys/fs/bpf");
        eprintln!("skipped: needs /sys/fs/bpf");
    }
    has
}

#[test]
fn needs_root_what_is_pinned_is_found_again() {
    if !has_kernel() || !has_pins() {
        return;
    }
    let at = format!("/sys/fs/bpf/progmp_bpf_test_{}", std::process::id());
    let at = Pin(PathBuf::from(at));
    let error = open_pin(&at.0).expect_err("nothing is pinned yet");
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let code = gives(11);
    let program = load(&plain(Kind::Syscall, &code), &mut []).expect("it loads");
    pin(&program, &at.0).expect("it is pinned");
    let error = pin(&program, &at.0).expect_err("the path is taken");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    drop(program);

    let again = open_pin(&at.0).expect("it is there");
    assert_eq!(run(&again).expect("it runs"), 11);
}
