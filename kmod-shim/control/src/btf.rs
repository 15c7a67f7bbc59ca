//! BPF Type Format as the kernel shows it (Linux, `Documentation/bpf/btf.rst`).
//!
//! In: the bytes of `/sys/kernel/btf/vmlinux`, and of a module's file there, whose numbers and strings
//! continue those of the kernel. Out: types by name, structures with their members. Nothing in the
//! bytes is trusted to be well-formed.

use crate::error::Error;

/// Kinds that are asked for.
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const FUNC: u32 = 12;

/// A type: where it stands.
#[derive(Clone, Copy, Debug)]
struct Type {
    at: usize,
    /// Where its name stands.
    name: u32,
    info: u32,
    /// Bytes, or the number of the type that it leads to.
    size: u32,
}

impl Type {
    const fn kind(self) -> u32 {
        self.info >> 24 & 0x1f
    }

    const fn count(self) -> usize {
        (self.info & 0xffff) as usize
    }
}

/// A member of a structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Where it starts, bits.
    pub bit_offset: u32,
    /// Bits of a bit-field; 0 of anything else.
    pub bits: u32,
    /// Number of its type.
    pub type_id: u32,
}

/// A structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Its number.
    pub id: u32,
    /// Bytes.
    pub bytes: u32,
    /// Its members, those of unnamed structures and unions inside included.
    pub members: Vec<Member>,
}

/// The types of a kernel, or of a module on top of those of its kernel.
#[derive(Debug)]
pub struct Btf<'a> {
    base: Option<&'a Btf<'a>>,
    bytes: &'a [u8],
    strings: &'a [u8],
    /// Number of the first type, and of the first byte of strings.
    first: u32,
    first_string: u32,
    types: Vec<Type>,
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn broken(why: &str) -> Error {
    Error::NoBtf(format!("the kernel's types cannot be read: {why}"))
}

impl<'a> Btf<'a> {
    /// Reads types.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn read(bytes: &'a [u8], base: Option<&'a Self>) -> Result<Self, Error> {
        let field = |at| word(bytes, at).map(|word| word as usize);
        let short = || broken("they end too early");
        if word(bytes, 0).ok_or_else(short)? & 0xffff != 0xeb9f {
            return Err(broken("there is no magic number"));
        }
        let part = |offset: usize, length: usize| {
            let start = field(4)?.checked_add(field(offset)?)?;
            bytes.get(start..start.checked_add(field(length)?)?)
        };
        let type_bytes = part(8, 12).ok_or_else(short)?;
        let strings = part(16, 20).ok_or_else(short)?;
        let mut btf = Self {
            base,
            bytes: type_bytes,
            strings,
            first: base.map_or(1, Btf::end),
            first_string: base.map_or(0, Btf::string_end),
            types: Vec::new(),
        };
        btf.scan()?;
        Ok(btf)
    }

    /// The number behind the last type.
    fn end(&self) -> u32 {
        self.first + u32::try_from(self.types.len()).expect("types are numbered in 32 bits")
    }

    fn string_end(&self) -> u32 {
        self.first_string + u32::try_from(self.strings.len()).expect("a length of 32 bits")
    }

    fn scan(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.bytes.len() {
            let read = |offset: usize| {
                word(self.bytes, at + offset).ok_or_else(|| broken("a type ends too early"))
            };
            let found = Type {
                at,
                name: read(0)?,
                info: read(4)?,
                size: read(8)?,
            };
            // Bytes behind the three words that all types have.
            let behind = match found.kind() {
                // INT, VAR, DECL_TAG
                1 | 14 | 17 => 4,
                // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
                2 | 7..=12 | 16 | 18 => 0,
                ARRAY => 12,
                // STRUCT, UNION, DATASEC, ENUM64
                STRUCT | UNION | 15 | 19 => 12 * found.count(),
                // ENUM, FUNC_PROTO
                6 | 13 => 8 * found.count(),
                other => return Err(broken(&format!("there is no kind {other}"))),
            };
            self.types.push(found);
            at += 12 + behind;
        }
        Ok(())
    }

    fn string(&self, at: u32) -> Option<&'a [u8]> {
        match (at.checked_sub(self.first_string), self.base) {
            (Some(own), _) => self.strings.get(own as usize..)?.split(|&b| b == 0).next(),
            (None, Some(base)) => base.string(at),
            (None, None) => None,
        }
    }

    fn text(&self, at: u32) -> String {
        let text = self.string(at).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// A type, and who holds it.
    fn get(&self, id: u32) -> Option<(&Self, Type)> {
        match (id.checked_sub(self.first), self.base) {
            (Some(own), _) => Some((self, *self.types.get(own as usize)?)),
            (None, Some(base)) => base.get(id),
            (None, None) => None,
        }
    }

    /// Whether a type has this name, which is not empty.
    fn is_called(&self, found: &Type, name: &[u8]) -> bool {
        let Some(own) = found.name.checked_sub(self.first_string) else {
            return self.string(found.name) == Some(name);
        };
        let text = self.strings.get(own as usize..).unwrap_or_default();
        !name.is_empty() && text.starts_with(name) && text.get(name.len()) == Some(&0)
    }

    /// The first of this kind and name.
    fn find(&self, kind: u32, name: &str) -> Option<u32> {
        // A few names of many thousands are asked for: no index is worth its making.
        let own = self.types.iter().zip(self.first..);
        let mut own = own.filter(|(found, _)| found.kind() == kind);
        let found = own.find(|(found, _)| self.is_called(found, name.as_bytes()));
        match (found, self.base) {
            (Some((_, id)), _) => Some(id),
            (None, Some(base)) => base.find(kind, name),
            (None, None) => None,
        }
    }

    /// The number of a function.
    pub fn function(&self, name: &str) -> Option<u32> {
        self.find(FUNC, name)
    }

    /// A structure by its name.
    pub fn structure(&self, name: &str) -> Option<Structure> {
        let id = self.find(STRUCT, name)?;
        let (_, found) = self.get(id)?;
        let mut members = Vec::new();
        self.members(id, 0, 0, &mut members)?;
        Some(Structure {
            id,
            bytes: found.size,
            members,
        })
    }

    /// Collects members, those of unnamed ones too, at most a few levels deep.
    fn members(&self, id: u32, base: u32, depth: usize, out: &mut Vec<Member>) -> Option<()> {
        let (holder, found) = self.get(id)?;
        if !matches!(found.kind(), STRUCT | UNION) || depth > 16 {
            return Some(());
        }
        let has_fields = found.info >> 31 == 1;
        for index in 0..found.count() {
            let at = found.at + 12 + 12 * index;
            let name = word(holder.bytes, at)?;
            let type_id = word(holder.bytes, at + 4)?;
            let place = word(holder.bytes, at + 8)?;
            let (bits, offset) = if has_fields {
                (place >> 24, place & 0x00ff_ffff)
            } else {
                (0, place)
            };
            let bit_offset = base.checked_add(offset)?;
            let name = holder.text(name);
            if name.is_empty() {
                self.members(type_id, bit_offset, depth + 1, out)?;
            } else {
                out.push(Member {
                    name,
                    bit_offset,
                    bits,
                    type_id,
                });
            }
        }
        Some(())
    }

    /// Bytes of a type.
    pub fn bytes_of(&self, id: u32) -> Option<u32> {
        self.bytes_within(id, 0)
    }

    fn bytes_within(&self, id: u32, depth: usize) -> Option<u32> {
        let (holder, found) = self.get(id)?;
        if depth > 32 {
            return None;
        }
        match found.kind() {
            // INT, STRUCT, UNION, ENUM, FLOAT, ENUM64
            1 | STRUCT | UNION | 6 | 16 | 19 => Some(found.size),
            // PTR
            2 => Some(8),
            ARRAY => {
                let element = word(holder.bytes, found.at + 12)?;
                let count = word(holder.bytes, found.at + 20)?;
                self.bytes_within(element, depth + 1)?.checked_mul(count)
            }
            // TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG
            8..=11 | 18 => self.bytes_within(found.size, depth + 1),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// BTF of these types and strings.
    pub(crate) fn built(types: &[u32], strings: &[u8]) -> Vec<u8> {
        let size = |bytes: usize| u32::try_from(bytes).unwrap();
        let type_bytes = size(4 * types.len());
        let mut bytes = Vec::new();
        let header = [
            0x0001_eb9f,
            24,
            0,
            type_bytes,
            type_bytes,
            size(strings.len()),
        ];
        for word in header.iter().chain(types) {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(strings);
        bytes
    }

    /// `int` and `struct one { int a; struct { int b : 3; }; }`
    pub(crate) fn kernel() -> Vec<u8> {
        let strings = b"\0int\0one\0a\0b\0";
        let types = [
            [1, 1 << 24, 4, 32].as_slice(),
            &[0, 4 << 24 | 1 << 31 | 1, 4, 11, 1, 3 << 24 | 5],
            &[5, 4 << 24 | 2, 8, 9, 1, 0, 0, 2, 32],
        ];
        built(&types.concat(), strings)
    }

    #[test]
    fn members_of_unnamed_structures_are_members() {
        let bytes = kernel();
        let btf = Btf::read(&bytes, None).unwrap();
        let found = btf.structure("one").unwrap();
        assert_eq!((found.id, found.bytes), (3, 8));
        let places: Vec<_> = found
            .members
            .iter()
            .map(|member| (member.name.as_str(), member.bit_offset, member.bits))
            .collect();
        assert_eq!(places, [("a", 0, 0), ("b", 37, 3)]);
        assert_eq!(btf.bytes_of(found.members[0].type_id), Some(4));
        assert!(btf.structure("two").is_none());
    }

    #[test]
    fn a_module_continues_the_numbers_and_the_strings_of_its_kernel() {
        let bytes = kernel();
        let btf = Btf::read(&bytes, None).unwrap();
        // struct two { struct one a; }: "two" stands in the module's strings, "a" in the kernel's.
        let own = built(&[13, 4 << 24 | 1, 8, 9, 3, 0, 13, 12 << 24, 4], b"two\0");
        let module = Btf::read(&own, Some(&btf)).unwrap();
        let two = module.structure("two").unwrap();
        assert_eq!((two.id, two.members[0].name.as_str()), (4, "a"));
        assert_eq!(module.bytes_of(two.members[0].type_id), Some(8));
        assert_eq!(module.function("two"), Some(5));
        assert_eq!(module.structure("one").unwrap().id, 3);
    }

    #[test]
    fn what_is_cut_off_or_altered_is_an_error_or_other_types_but_never_a_panic() {
        let bytes = kernel();
        for length in 0..bytes.len() {
            assert!(Btf::read(&bytes[..length], None).is_err());
        }
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0xff;
            if let Ok(btf) = Btf::read(&altered, None) {
                let _ = btf.structure("one");
                let _ = btf.bytes_of(3);
            }
        }
    }
}
