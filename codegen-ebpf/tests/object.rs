//! Objects as other people's tools see them: llvm-objdump, bpftool and the libbpf in it.

use std::path::PathBuf;
use std::process::{Command, Output};

use progmp_codegen_ebpf::isa::{AluOp, Reg, Size, alu64, load, mov, store};
use progmp_codegen_ebpf::note::{Note, Proof};
use progmp_codegen_ebpf::object::{Body, Source, object};
use progmp_ir::Span;

const SOURCE: &str = "SCHEDULER counting_runs;\nSET(R1, R1 + 1);\nRETURN;\n";
/// Offset of R1 in the block.
const R1_AT: i16 = 408;

/// Adds 1 to R1.
fn counting() -> Vec<u8> {
    let base = Reg::R6;
    let insns = [
        load(Size::U64, Reg::R1, base, R1_AT),
        alu64(AluOp::Add, Reg::R1, 1),
        store(Size::U64, base, R1_AT, Reg::R1),
        mov(Reg::R0, 0),
        progmp_codegen_ebpf::isa::Insn::Exit,
    ];
    let lines = [(0, Span::new(25, 41)), (3, Span::new(42, 49))];
    let body = Body {
        base,
        insns: &insns,
        lines: &lines,
    };
    let note = Note {
        name: "counting_runs_for_ever".to_owned(),
        proof: Proof::Unproved,
        loops: "may-goto",
        rewriting: "off",
        compressed: false,
        packets: 256,
        needs: vec!["R1".to_owned()],
        bounds: Vec::new(),
        stack_bytes: 0,
    };
    let source = Source {
        file: "counting.progmp",
        text: SOURCE,
    };
    object(&body, source, &note)
}

/// The object in a file that lives as long as the folder.
fn in_a_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder for one file");
    let path = folder.path().join("counting.bpf.o");
    std::fs::write(&path, counting()).expect("the object is written");
    (folder, path)
}

/// Runs a tool if it is there: under its name, in a folder that not everybody searches, or with a
/// version.
fn run(tool: &str, arguments: &[&str]) -> Option<Output> {
    let versions = (14..40).rev().map(|version| format!("{tool}-{version}"));
    let found = [tool.to_owned(), format!("/usr/sbin/{tool}")]
        .into_iter()
        .chain(versions)
        .find_map(|place| Command::new(place).args(arguments).output().ok());
    if found.is_none() {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "needs {tool}");
        eprintln!("skipped: needs {tool}");
    }
    found
}

/// What a tool printed; it must have ended well.
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn equal_input_gives_equal_bytes() {
    assert_eq!(counting(), counting());
}

#[test]
fn llvm_objdump_shows_three_programs_and_their_relocations() {
    let (_folder, path) = in_a_file();
    let path = path.to_str().expect("the path is UTF-8");
    let Some(output) = run("llvm-objdump", &["-d", "-r", "--no-show-raw-insn", path]) else {
        return;
    };
    let text = printed(&output);
    for expected in [
        "Disassembly of section syscall:",
        "Disassembly of section tc:",
        "Disassembly of section ?struct_ops/schedule:",
        "<schedule_syscall>:",
        "R_BPF_64_64\tblock",
        "R_BPF_64_32\tprogmp_block",
        "r6 = r0",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn bpftool_reads_the_types() {
    let (_folder, path) = in_a_file();
    let path = path.to_str().expect("the path is UTF-8");
    let Some(output) = run("bpftool", &["btf", "dump", "file", path, "format", "c"]) else {
        return;
    };
    let text = printed(&output);
    for expected in [
        "struct progmp_block {",
        "struct progmp_queue queue[3];",
        "long long unsigned int user[32];",
        "unsigned int action[1024];",
        "struct progmp_packet packet[1024];",
        "struct progmp_ops {",
    ] {
        let spaced = text.replace("unsigned long long", "long long unsigned int");
        assert!(spaced.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn libbpf_opens_it_and_makes_a_skeleton() {
    let (_folder, path) = in_a_file();
    let path = path.to_str().expect("the path is UTF-8");
    let Some(output) = run("bpftool", &["gen", "skeleton", path]) else {
        return;
    };
    let text = printed(&output);
    for expected in [
        "struct bpf_program *schedule_syscall;",
        "struct bpf_program *schedule_tc;",
        "struct bpf_program *schedule;",
        "struct bpf_map *bss;",
        "struct progmp_block block;",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

/// A name below the file system of pinned programs, gone at the end.
struct Pin(String);

impl Drop for Pin {
    fn drop(&mut self) {
        // It is not there when the load has failed.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn root_loads_it_with_bpftool_and_the_kernel_shows_the_source() {
    let (_folder, path) = in_a_file();
    let path = path.to_str().expect("the path is UTF-8");
    let pin = Pin(format!("/sys/fs/bpf/progmp_test_{}", std::process::id()));
    let Some(output) = run("bpftool", &["prog", "load", path, &pin.0]) else {
        return;
    };
    let trouble = String::from_utf8_lossy(&output.stderr);
    let no_privilege = ["ermission denied", "not permitted", "root"];
    if !output.status.success() && no_privilege.iter().any(|words| trouble.contains(words)) {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "{trouble}");
        eprintln!("skipped: needs CAP_BPF");
        return;
    }
    printed(&output);
    let dump = run(
        "bpftool",
        &["prog", "dump", "xlated", "pinned", &pin.0, "linum"],
    );
    let text = printed(&dump.expect("it has run before"));
    for expected in [
        "; SCHEDULER counting_runs; [file:counting.progmp line_num:1 line_col:1]",
        "; SET(R1, R1 + 1); [file:counting.progmp line_num:2 line_col:1]",
        "; RETURN; [file:counting.progmp line_num:3 line_col:1]",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}
