//! The ELF object: one body in three programs, types, source lines, the source, a note.
//!
//! In: a [`Body`] and what is to be told of it. Out: the bytes of a relocatable ELF64 file for
//! eBPF, little-endian, as libbpf, bpftool and llvm-objdump open it (specs/object.md). Equal input
//! gives equal bytes. Reading objects is the verifier's business, which trusts nothing in them.
//!
//! The block is the variable `block` in `.bss`, which libbpf makes a map of one value: the address
//! is then a constant of the program, and user space sees it too. For the shim, a kernel function
//! hands the block out.

use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionFlags, SectionKind,
    SymbolFlags, SymbolKind, SymbolScope, elf,
};
use progmp_abi::layout;
use progmp_ir::Span;

use crate::btf::{self, Btf};
use crate::isa::{Callee, Cond, Imm64, Insn, Reg, SLOT_BYTES, Size, encode, jump_if, load, mov};
use crate::note::Note;
use crate::types::{Types, types};

/// What is put into each program.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The register that holds the address of the block when the body starts.
    pub base: Reg,
    /// The instructions; they return 0.
    pub insns: &'a [Insn],
    /// Where a new piece of source starts: slots from the start of the body, ascending.
    pub lines: &'a [(usize, Span)],
}

/// Where the body comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Name of the file, as the user gave it.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// The license that programs declare; parts of the kernel ask for it.
const LICENSE: &[u8; 13] = b"Dual MIT/GPL\0";
/// `R_BPF_64_ABS64`, which the `object` crate does not name.
const R_BPF_64_ABS64: u32 = 2;
/// The table of operations. libbpf leaves sections alone that begin with `?` until it is asked for
/// them, so that the rest loads where there is no shim.
pub(crate) const OPERATIONS: &str = "?.struct_ops.link";
/// Longest name of a scheduler that the kernel shows, with its end.
const NAME_BYTES: usize = 32;

/// A program section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Syscall,
    Tc,
    StructOps,
}

impl Program {
    const ALL: [Self; 3] = [Self::Syscall, Self::Tc, Self::StructOps];

    const fn section(self) -> &'static str {
        match self {
            Self::Syscall => "syscall",
            Self::Tc => "tc",
            Self::StructOps => "?struct_ops/schedule",
        }
    }

    const fn function(self) -> &'static str {
        match self {
            Self::Syscall => "schedule_syscall",
            Self::Tc => "schedule_tc",
            Self::StructOps => "schedule",
        }
    }

    /// What puts the block's address into `base`.
    fn prologue(self, base: Reg) -> Vec<Insn> {
        if self != Self::StructOps {
            // Source 0: the relocation says that it is the block's address.
            let imm = Imm64::Value(0);
            return vec![Insn::LoadImm64 { dst: base, imm }];
        }
        let bytes = i32::try_from(layout::block::BYTES).expect("a block is small");
        vec![
            // The first argument: struct progmp_env *.
            load(Size::U64, Reg::R1, Reg::R1, 0),
            mov(Reg::R2, bytes),
            Insn::Call {
                // Resolved by the loader.
                callee: Callee::Local(-1),
            },
            jump_if(Cond::Ne, Reg::R0, 0, 1),
            Insn::Exit,
            mov(base, Reg::R0),
        ]
    }

    /// The slot of the prologue that a relocation changes.
    const fn relocated_slot(self) -> usize {
        match self {
            Self::Syscall | Self::Tc => 0,
            Self::StructOps => 2,
        }
    }
}

/// The bytecode of a program whose block is a map value, for hosts that load it without an ELF
/// file: the address of the block is a constant with the source field 2.
pub fn bytecode(body: &Body<'_>) -> Vec<u8> {
    let imm = Imm64::MapValue { fd: 0, offset: 0 };
    let prologue = Insn::LoadImm64 {
        dst: body.base,
        imm,
    };
    let mut insns = vec![prologue];
    insns.extend(body.insns);
    encode(&insns)
}

/// The bytes of the object.
///
/// # Panics
/// If the source is longer than 1 MiB, which the front end refuses, or a line of `body` lies
/// outside of it.
pub fn object(body: &Body<'_>, source: Source<'_>, note: &Note) -> Vec<u8> {
    let mut writer = Writer::new();
    let mut types = types(&mut writer.btf);
    let programs = writer.programs(body, source, &mut types);
    writer.data(&mut types, note, programs);
    writer.finish(source, note)
}

struct Writer<'a> {
    object: Object<'a>,
    btf: Btf,
    lines: Vec<btf::Lines>,
}

impl Writer<'_> {
    fn new() -> Self {
        Self {
            object: Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little),
            btf: Btf::new(),
            lines: Vec::new(),
        }
    }

    /// A section with these bytes.
    fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8], align: u64) -> SectionId {
        let section = self
            .object
            .add_section(Vec::new(), name.as_bytes().to_vec(), kind);
        self.object.append_section_data(section, bytes, align);
        section
    }

    fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        section: SymbolSection,
        bytes: usize,
    ) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: bytes as u64,
            kind,
            scope: SymbolScope::Dynamic,
            weak: false,
            section,
            flags: SymbolFlags::None,
        })
    }

    fn relocate(&mut self, section: SectionId, offset: usize, symbol: SymbolId, kind: u32) {
        let relocation = Relocation {
            offset: offset as u64,
            symbol,
            addend: 0,
            flags: RelocationFlags::Elf {
                r_type: elf::RelocationType(kind),
            },
        };
        self.object
            .add_relocation(section, relocation)
            .expect("eBPF has these relocations");
    }

    /// The three programs; gives the symbol of the one for the shim.
    fn programs(&mut self, body: &Body<'_>, source: Source<'_>, types: &mut Types) -> SymbolId {
        let block_bytes = layout::block::BYTES;
        let bss =
            self.object
                .add_section(Vec::new(), b".bss".to_vec(), SectionKind::UninitializedData);
        self.object.append_section_bss(bss, block_bytes as u64, 64);
        let block = self.symbol(
            "block",
            SymbolKind::Data,
            SymbolSection::Section(bss),
            block_bytes,
        );
        let kernel_function = self.symbol(
            "progmp_block",
            SymbolKind::Unknown,
            SymbolSection::Undefined,
            0,
        );
        // Weak: where there is no shim the other programs load all the same.
        self.object.symbol_mut(kernel_function).weak = true;
        let mut shim = None;
        for program in Program::ALL {
            let mut insns = program.prologue(body.base);
            let prologue: usize = insns.iter().map(|insn| insn.slots()).sum();
            insns.extend(body.insns);
            let code = encode(&insns);
            let section = self.section(program.section(), SectionKind::Text, &code, 8);
            let symbol = self.symbol(
                program.function(),
                SymbolKind::Text,
                SymbolSection::Section(section),
                code.len(),
            );
            let (target, kind) = if program == Program::StructOps {
                shim = Some(symbol);
                (kernel_function, elf::R_BPF_64_32)
            } else {
                (block, elf::R_BPF_64_64)
            };
            let offset = program.relocated_slot() * SLOT_BYTES;
            self.relocate(section, offset, target, kind.0);
            let places = self.places_of(body, source, prologue);
            let name = self.btf.string(program.section());
            let function = types.program(
                &mut self.btf,
                program.function(),
                program == Program::StructOps,
            );
            self.lines.push(btf::Lines {
                section: name,
                function,
                places,
            });
        }
        shim.expect("one of the programs is for the shim")
    }

    /// Source lines of a program; its prologue belongs to the first line of the source.
    fn places_of(
        &mut self,
        body: &Body<'_>,
        source: Source<'_>,
        prologue: usize,
    ) -> Vec<btf::Place> {
        let file = self.btf.string(source.file);
        let starts = line_starts(source.text);
        let starting = body.lines.iter();
        let starting = starting.map(|&(slot, span)| (prologue + slot, span.start as usize));
        let mut found: Vec<btf::Place> = Vec::new();
        for (slot, at) in std::iter::once((0, 0)).chain(starting) {
            let (line, text, column) = position(source.text, &starts, at);
            let place = btf::Place {
                at: u32::try_from(slot * SLOT_BYTES).expect("programs are small"),
                file,
                text: self.btf.string(text),
                line,
                column,
            };
            match found.last_mut() {
                // Of several that start at one instruction the last counts.
                Some(last) if last.at == place.at => *last = place,
                Some(last) if (last.line, last.column) == (place.line, place.column) => {}
                _ => found.push(place),
            }
        }
        found
    }

    /// Sections of data, and what the types say of them.
    fn data(&mut self, types: &mut Types, note: &Note, shim: SymbolId) {
        let license = self.section("license", SectionKind::Data, LICENSE, 1);
        self.symbol(
            "_license",
            SymbolKind::Data,
            SymbolSection::Section(license),
            LICENSE.len(),
        );
        // struct progmp_ops: the program, and the scheduler's name cut to what fits.
        let mut operations = vec![0_u8; 8 + NAME_BYTES];
        let mut end = note.name.len().min(NAME_BYTES - 1);
        while !note.name.is_char_boundary(end) {
            end -= 1;
        }
        operations[8..8 + end].copy_from_slice(&note.name.as_bytes()[..end]);
        let table = self.section(OPERATIONS, SectionKind::Data, &operations, 8);
        self.symbol(
            "scheduler",
            SymbolKind::Data,
            SymbolSection::Section(table),
            operations.len(),
        );
        self.relocate(table, 0, shim, R_BPF_64_ABS64);
        types.sections(&mut self.btf, LICENSE.len(), operations.len());
    }

    fn finish(mut self, source: Source<'_>, note: &Note) -> Vec<u8> {
        let btf = self.btf.bytes();
        self.section(".BTF", SectionKind::Other, &btf, 4);
        let extension = btf::extension(&self.lines);
        self.section(".BTF.ext", SectionKind::Other, &extension, 4);
        self.section(
            ".progmp.source",
            SectionKind::Other,
            source.text.as_bytes(),
            1,
        );
        let note = self.section(".note.progmp", SectionKind::Note, &note.section(), 4);
        // No flags: it is not part of a program's memory.
        self.object.section_mut(note).flags = SectionFlags::Elf {
            sh_type: elf::SHT_NOTE,
            sh_flags: elf::SectionFlags(0),
        };
        self.object
            .write()
            .expect("the parts of the object fit together")
    }
}

/// The byte at which each line of a text starts.
fn line_starts(text: &str) -> Vec<usize> {
    let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(breaks).collect()
}

/// Line and column of a byte, from 1, and the line's text without what the kernel's log would
/// stumble over.
fn position<'a>(text: &'a str, starts: &[usize], at: usize) -> (u32, &'a str, u32) {
    let line = starts.partition_point(|&start| start <= at) - 1;
    let start = starts[line];
    let end = starts.get(line + 1).map_or(text.len(), |next| next - 1);
    let content = text[start..end].trim_end_matches('\r');
    let content = content.split('\0').next().unwrap_or_default();
    let column = text
        .get(start..at)
        .map_or(0, |before| before.chars().count());
    let number = |number: usize| u32::try_from(number).expect("sources have at most 1 MiB");
    (number(line + 1), content, number(column + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_line_and_a_column_in_characters() {
        let text = "one;\r\n  zwö = 2;\nlast";
        let starts = line_starts(text);
        assert_eq!(position(text, &starts, 0), (1, "one;", 1));
        assert_eq!(position(text, &starts, 6), (2, "  zwö = 2;", 1));
        // Behind the letter of two bytes.
        assert_eq!(position(text, &starts, 13), (2, "  zwö = 2;", 7));
        assert_eq!(position(text, &starts, text.len()), (3, "last", 5));
    }
}
