//! BPF Type Format, written: types, and the source line of each instruction.
//!
//! In: types one by one, in an order in which each refers to earlier ones. Out: the bytes of the
//! sections `.BTF` and `.BTF.ext` (Linux, `Documentation/bpf/btf.rst`). Equal strings are stored once,
//! in the order in which they come first, so equal input gives equal bytes.

use std::collections::BTreeMap;

/// First two bytes of both sections.
const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_BYTES: u32 = 24;

/// A type's number; 0 is `void`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeId(u32);

/// `void`
pub(crate) const VOID: TypeId = TypeId(0);

// Kinds.
const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const CONST: u32 = 10;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;

/// Linkage of functions and variables that others see.
const GLOBAL: u32 = 1;
/// Linkage of functions that somebody else defines.
const EXTERN: u32 = 2;

/// A member of a structure.
pub(crate) struct Field<'a> {
    pub(crate) name: &'a str,
    pub(crate) ty: TypeId,
    /// From the start of the structure.
    pub(crate) offset_bytes: u32,
}

/// Types under construction.
pub(crate) struct Btf {
    types: Vec<u8>,
    count: u32,
    strings: Strings,
}

impl Btf {
    pub(crate) fn new() -> Self {
        Self {
            types: Vec::new(),
            count: 0,
            strings: Strings::new(),
        }
    }

    /// The offset of a string among all strings.
    pub(crate) fn string(&mut self, text: &str) -> u32 {
        self.strings.add(text)
    }

    fn word(&mut self, word: u32) {
        self.types.extend(word.to_le_bytes());
    }

    /// Starts a type: what all of them have.
    fn ty(&mut self, name: &str, kind: u32, members: usize, size_or_type: u32) -> TypeId {
        let name = self.string(name);
        self.word(name);
        self.word(kind << 24 | word(members));
        self.word(size_or_type);
        self.count += 1;
        TypeId(self.count)
    }

    pub(crate) fn int(&mut self, name: &str, bytes: u32, signed: bool) -> TypeId {
        let id = self.ty(name, INT, 0, bytes);
        self.word((u32::from(signed) << 24) | (8 * bytes));
        id
    }

    pub(crate) fn pointer(&mut self, to: TypeId) -> TypeId {
        self.ty("", PTR, 0, to.0)
    }

    pub(crate) fn constant(&mut self, of: TypeId) -> TypeId {
        self.ty("", CONST, 0, of.0)
    }

    /// A structure that is only named.
    pub(crate) fn array(&mut self, of: TypeId, index: TypeId, length: u32) -> TypeId {
        let id = self.ty("", ARRAY, 0, 0);
        for part in [of.0, index.0, length] {
            self.word(part);
        }
        id
    }

    pub(crate) fn structure(&mut self, name: &str, bytes: u32, fields: &[Field<'_>]) -> TypeId {
        let names: Vec<u32> = fields.iter().map(|field| self.string(field.name)).collect();
        let id = self.ty(name, STRUCT, fields.len(), bytes);
        for (field, name) in fields.iter().zip(names) {
            for part in [name, field.ty.0, 8 * field.offset_bytes] {
                self.word(part);
            }
        }
        id
    }

    pub(crate) fn prototype(&mut self, result: TypeId, parameters: &[(&str, TypeId)]) -> TypeId {
        let names: Vec<u32> = parameters
            .iter()
            .map(|(name, _)| self.string(name))
            .collect();
        let id = self.ty("", FUNC_PROTO, parameters.len(), result.0);
        for ((_, ty), name) in parameters.iter().zip(names) {
            self.word(name);
            self.word(ty.0);
        }
        id
    }

    pub(crate) fn function(&mut self, name: &str, prototype: TypeId) -> TypeId {
        self.ty(name, FUNC, GLOBAL as usize, prototype.0)
    }

    /// A function of the kernel.
    pub(crate) fn kernel_function(&mut self, name: &str, prototype: TypeId) -> TypeId {
        self.ty(name, FUNC, EXTERN as usize, prototype.0)
    }

    pub(crate) fn variable(&mut self, name: &str, ty: TypeId) -> TypeId {
        let id = self.ty(name, VAR, 0, ty.0);
        self.word(GLOBAL);
        id
    }

    /// A section of data with one variable or function of so many bytes in it.
    pub(crate) fn section(&mut self, name: &str, holds: TypeId, bytes: u32) -> TypeId {
        let id = self.ty(name, DATASEC, 1, bytes);
        for part in [holds.0, 0, bytes] {
            self.word(part);
        }
        id
    }

    /// The section `.BTF`.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (types, strings) = (word(self.types.len()), word(self.strings.bytes.len()));
        let mut bytes = start();
        for part in [HEADER_BYTES, 0, types, types, strings] {
            bytes.extend(part.to_le_bytes());
        }
        bytes.extend(&self.types);
        bytes.extend(&self.strings.bytes);
        bytes
    }
}

/// What the section `.BTF.ext` says of one section of code.
pub(crate) struct Lines {
    /// Offset of the section's name.
    pub(crate) section: u32,
    /// The one function in it, which starts at its first byte.
    pub(crate) function: TypeId,
    /// Ascending.
    pub(crate) places: Vec<Place>,
}

/// From which instruction on the code belongs to which place of the source.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Bytes from the start of the section.
    pub(crate) at: u32,
    /// Offset of the file's name.
    pub(crate) file: u32,
    /// Offset of the line's text.
    pub(crate) text: u32,
    /// From 1.
    pub(crate) line: u32,
    /// From 1.
    pub(crate) column: u32,
}

/// Bytes of a record about a function, and of one about a line.
const FUNCTION_BYTES: u32 = 8;
const LINE_BYTES: u32 = 16;
/// Bits of a column beside the line.
const COLUMN_BITS: u32 = 10;

/// The section `.BTF.ext`.
pub(crate) fn extension(sections: &[Lines]) -> Vec<u8> {
    let mut functions = FUNCTION_BYTES.to_le_bytes().to_vec();
    let mut lines = LINE_BYTES.to_le_bytes().to_vec();
    for section in sections {
        for part in [section.section, 1, 0, section.function.0] {
            functions.extend(part.to_le_bytes());
        }
        for part in [section.section, word(section.places.len())] {
            lines.extend(part.to_le_bytes());
        }
        for place in &section.places {
            let column = place.column.min((1 << COLUMN_BITS) - 1);
            let position = (place.line << COLUMN_BITS) | column;
            for part in [place.at, place.file, place.text, position] {
                lines.extend(part.to_le_bytes());
            }
        }
    }
    let (function_bytes, line_bytes) = (word(functions.len()), word(lines.len()));
    let mut bytes = start();
    for part in [HEADER_BYTES, 0, function_bytes, function_bytes, line_bytes] {
        bytes.extend(part.to_le_bytes());
    }
    bytes.extend(functions);
    bytes.extend(lines);
    bytes
}

/// Magic, version and flags.
fn start() -> Vec<u8> {
    let [low, high] = MAGIC.to_le_bytes();
    vec![low, high, VERSION, 0]
}

fn word(number: usize) -> u32 {
    u32::try_from(number).expect("sources have at most 1 MiB, and so have their tables")
}

/// Strings, each once.
struct Strings {
    bytes: Vec<u8>,
    places: BTreeMap<String, u32>,
}

impl Strings {
    fn new() -> Self {
        Self {
            bytes: vec![0],
            places: BTreeMap::from([(String::new(), 0)]),
        }
    }

    fn add(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.places.get(text) {
            return place;
        }
        let place = word(self.bytes.len());
        self.bytes.extend(text.bytes());
        self.bytes.push(0);
        self.places.insert(text.to_owned(), place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_stored_once() {
        let mut btf = Btf::new();
        let (a, b) = (btf.string("a"), btf.string("bc"));
        assert_eq!((a, b, btf.string("a"), btf.string("")), (1, 3, 1, 0));
    }

    #[test]
    fn an_int_is_four_words() {
        let mut btf = Btf::new();
        assert_eq!(btf.int("x", 4, true), TypeId(1));
        let words = [0x0001_eb9f, 24, 0, 16, 16, 3, 1, 1 << 24, 4, 1 << 24 | 32];
        let mut expected: Vec<u8> = words
            .iter()
            .flat_map(|word: &u32| word.to_le_bytes())
            .collect();
        expected.extend(b"\0x\0");
        assert_eq!(btf.bytes(), expected);
    }
}
