//! The printer against llvm-objdump, on every row of the table with ordinary and extreme operands.

use std::process::Command;

use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};

use super::super::form::{Fields, Form, Source, join};
use super::super::table::TABLE;
use super::super::{AluOp, Insn, LoadKind, Order, encode};

/// From this version on llvm-objdump knows all of ISA v4.
const KNOWS_V4: u32 = 19;

/// The newest llvm-objdump that is installed, with its version.
fn newest() -> Option<(String, u32)> {
    let numbered = (14..40)
        .rev()
        .map(|version| format!("llvm-objdump-{version}"));
    numbered
        .chain(["llvm-objdump".to_owned()])
        .find_map(|name| {
            let output = Command::new(&name).arg("--version").output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            let (_, version) = text.split_once("LLVM version ")?;
            let major = version.split('.').next()?.parse().ok()?;
            (major >= 14).then_some((name, major))
        })
}

/// Whether an instruction came with ISA v4, or differs between versions of llvm-objdump.
fn is_new(form: Form) -> bool {
    match form {
        Form::Alu(op, ..) => matches!(op, AluOp::Sdiv | AluOp::Smod),
        Form::MovSx(_)
        | Form::GotoLong
        | Form::MayGoto
        | Form::LoadImm64(_)
        | Form::Store(_, Source::Imm) => true,
        Form::ByteOrder(order, _) => order == Order::Swap,
        Form::Load(kind) => !matches!(kind, LoadKind::Zero(_)),
        _ => false,
    }
}

/// Each row with several operands.
fn samples(version: u32) -> Vec<Insn> {
    let operands = [
        (0, 1, 0, 0, 0),
        (9, 10, i16::MAX, i32::MAX, -1),
        (3, 3, i16::MIN, i32::MIN, i32::MIN),
        (7, 2, -8, -1, 1),
        (5, 6, 511, 4_096, 77),
    ];
    let mut insns = Vec::new();
    for row in TABLE.rows() {
        if version < KNOWS_V4 && is_new(row.form) {
            continue;
        }
        for (dst, src, off, imm, high) in operands {
            let high = if row.high.is_none() { high } else { 0 };
            let fields = Fields {
                dst,
                src,
                off,
                imm,
                high,
            };
            insns.push(join(row.form, fields).expect("both registers exist"));
        }
    }
    insns
}

/// A relocatable object with one section of code.
fn object_of(insns: &[Insn]) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
    let section = object.add_section(Vec::new(), b".text".to_vec(), SectionKind::Text);
    object.append_section_data(section, &encode(insns), 8);
    object.add_symbol(Symbol {
        name: b"all".to_vec(),
        value: 0,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Section(section),
        flags: SymbolFlags::None,
    });
    object.write().expect("the object is well formed")
}

/// The text behind the address, without a label in angle brackets at its end.
fn instruction(line: &str) -> Option<String> {
    let (address, text) = line.trim().split_once(':')?;
    u64::from_str_radix(address, 16).ok()?;
    let text = match text.find(" <all") {
        Some(label) => &text[..label],
        None => text,
    };
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What we print, without our comments.
fn ours(insn: Insn) -> String {
    let text = insn.to_string();
    text.split(" #").next().unwrap_or_default().to_owned()
}

#[test]
fn llvm_objdump_reads_every_instruction_as_we_do() {
    let Some((name, version)) = newest() else {
        assert!(
            std::env::var_os("PROGMP_CI").is_none(),
            "llvm-objdump is not installed"
        );
        eprintln!("skipped: needs llvm-objdump, version 14 or newer");
        return;
    };
    let insns = samples(version);
    let folder = tempfile::tempdir().expect("a folder for one file");
    let path = folder.path().join("all.o");
    std::fs::write(&path, object_of(&insns)).expect("the object is written");
    let output = Command::new(&name)
        .args([
            "-d",
            "--no-show-raw-insn",
            "--no-print-imm-hex",
            "--mcpu=v4",
            // What older versions need to name the halves of registers.
            "--mattr=+alu32",
        ])
        .arg(&path)
        .output()
        .expect("llvm-objdump has started before");
    assert!(output.status.success(), "{output:?}");
    let theirs: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(instruction)
        .collect();
    assert_eq!(theirs.len(), insns.len());
    let differences: Vec<String> = insns
        .iter()
        .zip(&theirs)
        .filter(|(_, theirs)| version >= KNOWS_V4 || **theirs != "<unknown>")
        .filter(|(insn, theirs)| ours(**insn) != **theirs)
        .map(|(insn, theirs)| format!("{insn}  |  {theirs}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{name}:\n{}",
        differences.join("\n")
    );
}
