//! Reads BPF Type Format as far as the `bpf` system call needs it (Linux, `Documentation/bpf/btf.rst`).
//!
//! In: the sections `.BTF` and `.BTF.ext`, which may be anything. Out: for one section of code the
//! types up to its function, and the records about its function and its lines. Types behind it
//! are for libbpf: the kernel takes no sections of data and no functions of others.

use super::object::Debug;

/// Why the types cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// Something ends too early.
    #[error("the {0} end too early")]
    Truncated(&'static str),
    /// The first bytes are wrong.
    #[error("this is not BTF")]
    Magic,
    /// A type of an unknown kind.
    #[error("type {0} is of an unknown kind")]
    Kind(u32),
    /// The section of code is not described.
    #[error("nothing is said about this section")]
    Absent,
    /// A record has an unknown size.
    #[error("records have an unexpected size")]
    RecordSize,
}

const MAGIC: u32 = 0xeb9f;
/// Bytes of `struct bpf_func_info` and `struct bpf_line_info`.
const FUNCTION_BYTES: usize = 8;
const LINE_BYTES: usize = 16;

/// What is said about one section of code.
pub(super) fn debug(types: &[u8], lines: &[u8], section: &str) -> Result<Debug, BtfError> {
    let [type_part, strings] = parts(types, [8, 12, 16, 20], "types")?;
    let [functions, lines] = parts(lines, [8, 12, 16, 20], "lines")?;
    let functions = records(functions, strings, section, FUNCTION_BYTES)?;
    let lines = records(lines, strings, section, LINE_BYTES)?;
    let mut last = 0;
    for function in functions.chunks_exact(FUNCTION_BYTES) {
        last = last.max(word(function, 4).ok_or(BtfError::Truncated("functions"))?);
    }
    let kept = prefix(type_part, last)?;
    Ok(Debug {
        btf: with_types(kept, strings)?,
        functions: in_slots(functions, FUNCTION_BYTES),
        lines: in_slots(lines, LINE_BYTES),
    })
}

/// Records whose first word counts slots, as the system call wants it, and not bytes.
fn in_slots(records: &[u8], record_bytes: usize) -> Vec<u8> {
    let mut records = records.to_vec();
    for record in records.chunks_exact_mut(record_bytes) {
        if let Some(at) = word(record, 0) {
            record[..4].copy_from_slice(&(at / 8).to_le_bytes());
        }
    }
    records
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// A word as a length.
fn length(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(word(bytes, at)?).ok()
}

/// Two parts behind the header; `fields` are where its offsets and lengths stand.
fn parts<'a>(
    bytes: &'a [u8],
    fields: [usize; 4],
    what: &'static str,
) -> Result<[&'a [u8]; 2], BtfError> {
    let short = BtfError::Truncated(what);
    let magic = word(bytes, 0).ok_or(short)?;
    if magic & 0xffff != MAGIC {
        return Err(BtfError::Magic);
    }
    let header = length(bytes, 4).ok_or(short)?;
    let behind = bytes.get(header..).ok_or(short)?;
    let part = |offset: usize, size: usize| {
        let start = length(bytes, offset)?;
        behind.get(start..start.checked_add(length(bytes, size)?)?)
    };
    let [a, b, c, d] = fields;
    Ok([part(a, b).ok_or(short)?, part(c, d).ok_or(short)?])
}

/// The records of one section: they follow their size, each group after the section's name.
fn records<'a>(
    bytes: &'a [u8],
    strings: &[u8],
    section: &str,
    expected_bytes: usize,
) -> Result<&'a [u8], BtfError> {
    let short = BtfError::Truncated("records");
    if length(bytes, 0).ok_or(short)? != expected_bytes {
        return Err(BtfError::RecordSize);
    }
    let mut rest = &bytes[4..];
    while !rest.is_empty() {
        let name = length(rest, 0).ok_or(short)?;
        let count = length(rest, 4).ok_or(short)?;
        let size = count.checked_mul(expected_bytes).ok_or(short)?;
        let group = rest[8..].get(..size).ok_or(short)?;
        if string(strings, name) == Some(section.as_bytes()) {
            return Ok(group);
        }
        rest = &rest[8 + size..];
    }
    Err(BtfError::Absent)
}

/// The string at an offset, without its end.
fn string(strings: &[u8], at: usize) -> Option<&[u8]> {
    strings.get(at..)?.split(|&byte| byte == 0).next()
}

/// The types up to the one with this number.
fn prefix(types: &[u8], last: u32) -> Result<&[u8], BtfError> {
    let short = BtfError::Truncated("types");
    let mut at = 0;
    for number in 1..=last {
        let info = word(types, at + 4).ok_or(short)?;
        let members = (info & 0xffff) as usize;
        // Bytes behind the three words that all types have.
        let behind = match info >> 24 & 0x1f {
            // INT, VAR, DECL_TAG
            1 | 14 | 17 => 4,
            // PTR, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FLOAT, TYPE_TAG
            2 | 7..=12 | 16 | 18 => 0,
            // ARRAY
            3 => 12,
            // STRUCT, UNION, DATASEC, ENUM64
            4 | 5 | 15 | 19 => 12 * members,
            // ENUM, FUNC_PROTO
            6 | 13 => 8 * members,
            _ => return Err(BtfError::Kind(number)),
        };
        at += 12 + behind;
    }
    types.get(..at).ok_or(short)
}

/// BTF of these types and strings.
fn with_types(types: &[u8], strings: &[u8]) -> Result<Vec<u8>, BtfError> {
    let size = |part: &[u8]| u32::try_from(part.len()).map_err(|_| BtfError::Truncated("types"));
    let (type_bytes, string_bytes) = (size(types)?, size(strings)?);
    let mut bytes = Vec::new();
    for part in [MAGIC | 1 << 16, 24, 0, type_bytes, type_bytes, string_bytes] {
        bytes.extend(part.to_le_bytes());
    }
    bytes.extend(types);
    bytes.extend(strings);
    Ok(bytes)
}
