//! Reads an object: its programs, its source, and what it says of itself (specs/object.md).
//!
//! In: the bytes of a file, which may be anything. Out: an [`Object`] whose programs are
//! decodable bytecode with the relocations carried out, or an error that names what is wrong.
//! What an object says is not believed: whoever loads it verifies the source again.

use goblin::elf::{Elf, Reloc, SectionHeader, header, section_header};
use progmp_abi::layout;

use super::btf::{self, BtfError};
use super::decode::{DecodeError, decode};

/// An object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The text of the scheduler.
    pub source: String,
    /// What the object says of itself: keys and values, in its order.
    pub note: Vec<(String, String)>,
    /// Its programs, in its order.
    pub programs: Vec<ObjectProgram>,
}

/// A program of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectProgram {
    /// Name of its section.
    pub section: String,
    /// Bytecode. The block's address is a constant with the source field 2, or the result of a
    /// call of a kernel function with the BTF id 0.
    pub code: Vec<u8>,
    /// What lets the kernel show source lines, in the form of the `bpf` system call.
    pub debug: Debug,
}

/// Types and lines of one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug {
    /// BTF without what the kernel does not take.
    pub btf: Vec<u8>,
    /// `struct bpf_func_info` records.
    pub functions: Vec<u8>,
    /// `struct bpf_line_info` records.
    pub lines: Vec<u8>,
}

/// Why bytes are not an object of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// Not an ELF file, or a broken one.
    #[error("not a well-formed ELF file: {0}")]
    Elf(String),
    /// An ELF file for something else.
    #[error("an ELF file, but not a 64-bit little-endian one for eBPF")]
    NotEbpf,
    /// The file ends before a section does.
    #[error("the section {0} lies outside the file: it is truncated or corrupted")]
    Truncated(String),
    /// No note of ours.
    #[error("an eBPF object, but not one of progmp: it has no note by ProgMP")]
    NotOurs,
    /// The note cannot be read.
    #[error("the note is corrupted: {0}")]
    Note(&'static str),
    /// Made for another block.
    #[error(
        "made for version {found} of the block, this is version {}",
        layout::VERSION
    )]
    Abi {
        /// As the note says.
        found: String,
    },
    /// A section is missing.
    #[error("the section {0} is missing")]
    Missing(&'static str),
    /// The source is no text.
    #[error("the source is not UTF-8")]
    Source,
    /// A relocation that a scheduler does not have.
    #[error("the section {section} has a relocation at byte {offset} that {why}")]
    Relocation {
        /// Of which section.
        section: String,
        /// Where.
        offset: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The block has another size.
    #[error("a block of {found} bytes, not of {}", layout::block::BYTES)]
    Block {
        /// As the object says.
        found: u64,
    },
    /// A program is no bytecode.
    #[error("the section {section} is no bytecode: {error}")]
    Code {
        /// Which section.
        section: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// The types cannot be read.
    #[error("the types of the section {section} are corrupted: {error}")]
    Btf {
        /// Of which section.
        section: String,
        /// What is wrong.
        error: BtfError,
    },
}

/// Sections of programs.
const PROGRAMS: [&str; 3] = ["syscall", "tc", "?struct_ops/schedule"];
const NOTE: &str = ".note.progmp";
const SOURCE: &str = ".progmp.source";
const OWNER: &[u8] = b"ProgMP\0";

// Kinds of relocations (Linux, `Documentation/bpf/llvm_reloc.rst`).
const R_BPF_64_64: u32 = 1;
const R_BPF_64_32: u32 = 10;

/// The block, and the kernel function that hands it out.
const BLOCK: &str = "block";
const BLOCK_OF: &str = "progmp_block";

/// Reads an object.
///
/// # Errors
/// What is wrong with it.
pub fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
    let elf = Elf::parse(bytes).map_err(|error| ObjectError::Elf(error.to_string()))?;
    if !elf.is_64 || !elf.little_endian || elf.header.e_machine != header::EM_BPF {
        return Err(ObjectError::NotEbpf);
    }
    let file = File { elf, bytes };
    let note = file.note()?;
    let abi = note.iter().find(|(key, _)| key == "abi");
    match abi {
        Some((_, version)) if *version == layout::VERSION.to_string() => {}
        Some((_, found)) => {
            let found = found.clone();
            return Err(ObjectError::Abi { found });
        }
        None => return Err(ObjectError::Note("it names no version of the block")),
    }
    let source = file.contents(SOURCE)?.ok_or(ObjectError::Missing(SOURCE))?;
    let source = String::from_utf8(source.to_vec()).map_err(|_| ObjectError::Source)?;
    let programs = PROGRAMS.iter().map(|&name| file.program(name));
    Ok(Object {
        source,
        note,
        programs: programs.collect::<Result<_, _>>()?,
    })
}

struct File<'a> {
    elf: Elf<'a>,
    bytes: &'a [u8],
}

impl<'a> File<'a> {
    fn section(&self, name: &str) -> Option<(usize, &SectionHeader)> {
        let mut sections = self.elf.section_headers.iter().enumerate();
        sections.find(|(_, section)| self.elf.shdr_strtab.get_at(section.sh_name) == Some(name))
    }

    /// The bytes of a section, if it is there.
    fn contents(&self, name: &str) -> Result<Option<&'a [u8]>, ObjectError> {
        let Some((_, section)) = self.section(name) else {
            return Ok(None);
        };
        let outside = || ObjectError::Truncated(name.to_owned());
        if section.sh_type == section_header::SHT_NOBITS {
            return Err(outside());
        }
        let start = usize::try_from(section.sh_offset).map_err(|_| outside())?;
        let length = usize::try_from(section.sh_size).map_err(|_| outside())?;
        let end = start.checked_add(length).ok_or_else(outside)?;
        self.bytes.get(start..end).ok_or_else(outside).map(Some)
    }

    fn note(&self) -> Result<Vec<(String, String)>, ObjectError> {
        let bytes = self.contents(NOTE)?.ok_or(ObjectError::NotOurs)?;
        let short = || ObjectError::Note("it is too short");
        let word = |at: usize| {
            let bytes = bytes.get(at..at + 4)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
        };
        let owner_bytes = word(0).ok_or_else(short)?;
        let text_bytes = word(4).ok_or_else(short)?;
        let kind = word(8).ok_or_else(short)?;
        if owner_bytes != OWNER.len() || bytes.get(12..12 + OWNER.len()) != Some(OWNER) {
            return Err(ObjectError::NotOurs);
        }
        if kind != 1 {
            return Err(ObjectError::Note("it is of an unknown type"));
        }
        let start = (12 + OWNER.len()).next_multiple_of(4);
        let text = bytes.get(start..).and_then(|rest| rest.get(..text_bytes));
        let text = std::str::from_utf8(text.ok_or_else(short)?);
        let text = text.map_err(|_| ObjectError::Note("it is not UTF-8"))?;
        let lines = text.lines().map(|line| {
            let (key, value) = line.split_once(": ").or(line.split_once(':'))?;
            Some((key.to_owned(), value.to_owned()))
        });
        lines
            .collect::<Option<_>>()
            .ok_or(ObjectError::Note("a line has no key"))
    }

    fn program(&self, name: &'static str) -> Result<ObjectProgram, ObjectError> {
        let section = name.to_owned();
        let code = self.contents(name)?.ok_or(ObjectError::Missing(name))?;
        let mut code = code.to_vec();
        let (index, _) = self.section(name).ok_or(ObjectError::Missing(name))?;
        for (_, relocations) in self
            .elf
            .shdr_relocs
            .iter()
            .filter(|(holder, _)| self.relocates(*holder, index))
        {
            for relocation in relocations {
                self.relocate(name, &mut code, &relocation)?;
            }
        }
        decode(&code).map_err(|error| ObjectError::Code {
            section: section.clone(),
            error,
        })?;
        let types = self.contents(".BTF")?.ok_or(ObjectError::Missing(".BTF"))?;
        let lines = self.contents(".BTF.ext")?;
        let lines = lines.ok_or(ObjectError::Missing(".BTF.ext"))?;
        let debug = btf::debug(types, lines, name).map_err(|error| ObjectError::Btf {
            section: section.clone(),
            error,
        })?;
        Ok(ObjectProgram {
            section,
            code,
            debug,
        })
    }

    /// Whether the section `holder` has the relocations of the section `target`.
    fn relocates(&self, holder: usize, target: usize) -> bool {
        let holder = self.elf.section_headers.get(holder);
        holder.is_some_and(|holder| holder.sh_info as usize == target)
    }

    /// Carries one relocation out: the block's address, or the function that gives it.
    fn relocate(&self, name: &str, code: &mut [u8], relocation: &Reloc) -> Result<(), ObjectError> {
        let wrong = |why| ObjectError::Relocation {
            section: name.to_owned(),
            offset: relocation.r_offset,
            why,
        };
        let symbol = self.elf.syms.get(relocation.r_sym);
        let symbol = symbol.ok_or_else(|| wrong("names no symbol"))?;
        let target = self.elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        let at = usize::try_from(relocation.r_offset).unwrap_or(usize::MAX);
        let slot = code.get_mut(at..).and_then(|rest| rest.get_mut(..16));
        let slot = slot.ok_or_else(|| wrong("lies outside of it"))?;
        match (relocation.r_type, target) {
            (R_BPF_64_64, BLOCK) => {
                if symbol.st_size != layout::block::BYTES as u64 {
                    let found = symbol.st_size;
                    return Err(ObjectError::Block { found });
                }
                if slot[0] != 0x18 || slot[1] >> 4 != 0 {
                    return Err(wrong("is not at a 64-bit constant"));
                }
                slot[1] |= 2 << 4;
                // What stood in the constant is a distance from the start of the block.
                let (first, second) = slot.split_at_mut(8);
                second[4..8].copy_from_slice(&first[4..8]);
                first[4..8].fill(0);
            }
            (R_BPF_64_32, BLOCK_OF) => {
                if slot[0] != 0x85 || slot[1] != 0x10 {
                    return Err(wrong("is not at a call"));
                }
                slot[1] = 0x20;
                slot[4..8].fill(0);
            }
            _ => return Err(wrong("is of an unknown kind, or names something unknown")),
        }
        Ok(())
    }
}
