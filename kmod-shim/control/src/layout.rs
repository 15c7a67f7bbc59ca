//! Whether a module's private layouts are those of a kernel.
//!
//! In: the facts of the note `.note.progmp.layout` (one a line: `struct.member bit-offset bits`, or
//! `struct bytes`) and the kernel's types. Out: nothing, or the facts that do not hold.

use crate::btf::Btf;
use crate::error::Error;

/// Sections of the module.
pub const LAYOUT: &str = ".note.progmp.layout";

/// The text of a note by `ProgMP` or whoever: its description without padding.
///
/// # Errors
/// The bytes are no note.
pub fn note_text(section: &[u8]) -> Result<String, Error> {
    let short = || Error::Layout("the module's note is too short".to_owned());
    let word = |at: usize| {
        let bytes = section.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    let owner = word(0).ok_or_else(short)?;
    let length = word(4).ok_or_else(short)?;
    let start = owner
        .checked_next_multiple_of(4)
        .and_then(|bytes| bytes.checked_add(12));
    let text = start.and_then(|start| section.get(start..)?.get(..length));
    let text = text.ok_or_else(short)?;
    let end = text
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(text.len());
    Ok(String::from_utf8_lossy(&text[..end]).into_owned())
}

/// The facts that do not hold of these types; all of them.
pub fn differences(facts: &str, kernel: &Btf<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut some = false;
    for fact in facts.lines().filter(|line| !line.trim().is_empty()) {
        some = true;
        if let Some(why) = difference(fact, kernel) {
            found.push(why);
        }
    }
    if !some {
        found.push("the module says nothing of the layouts that it was built for".to_owned());
    }
    found
}

fn difference(fact: &str, kernel: &Btf<'_>) -> Option<String> {
    let words: Vec<&str> = fact.split_whitespace().collect();
    let numbers: Option<Vec<u32>> = words.get(1..)?.iter().map(|n| n.parse().ok()).collect();
    let (Some(numbers), Some(&name)) = (numbers, words.first()) else {
        return Some(format!("`{fact}` is no fact of a layout"));
    };
    let (structure, member) = match name.split_once('.') {
        Some((structure, member)) => (structure, Some(member)),
        None => (name, None),
    };
    let Some(there) = kernel.structure(structure) else {
        return Some(format!("the kernel has no struct {structure}"));
    };
    match (member, numbers.as_slice()) {
        (None, &[bytes]) if there.bytes == bytes => None,
        (None, &[bytes]) => Some(format!(
            "struct {structure} has {} bytes, the module was built for {bytes}",
            there.bytes
        )),
        (Some(member), &[offset, bits]) => {
            let Some(found) = there.members.iter().find(|m| m.name == member) else {
                return Some(format!("struct {structure} has no member {member}"));
            };
            let whole = || kernel.bytes_of(found.type_id).unwrap_or(0).wrapping_mul(8);
            let there = (
                found.bit_offset,
                if found.bits == 0 { whole() } else { found.bits },
            );
            (there != (offset, bits)).then(|| {
                format!(
                    "{structure}.{member} is at bit {} and has {}, the module was built for {offset} and {bits}",
                    there.0, there.1
                )
            })
        }
        _ => Some(format!("`{fact}` is no fact of a layout")),
    }
}

/// A section of an ELF64 file such as a module that is not inserted yet.
pub fn section<'a>(file: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(file.get(at..at.checked_add(bytes)?)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let headers = number(0x28, 8)?;
    let (size, count, names) = (number(0x3a, 2)?, number(0x3c, 2)?, number(0x3e, 2)?);
    let header = |index: usize| headers.checked_add(size.checked_mul(index)?);
    let contents = |index: usize| {
        let header = header(index)?;
        let (start, length) = (number(header + 0x18, 8)?, number(header + 0x20, 8)?);
        file.get(start..start.checked_add(length)?)
    };
    let names = contents(names)?;
    let found = (0..count).find(|&index| {
        let name = header(index).and_then(|header| number(header, 4));
        let name = name.and_then(|at| names.get(at..)?.split(|&byte| byte == 0).next());
        name == Some(wanted.as_bytes())
    })?;
    contents(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::tests::kernel;

    #[test]
    fn facts_that_hold_are_passed_over_and_others_named() {
        let bytes = kernel();
        let btf = Btf::read(&bytes, None).unwrap();
        assert!(differences("one 8\none.a 0 32\none.b 37 3\n", &btf).is_empty());
        for (fact, word) in [
            ("one 16", "has 8 bytes"),
            ("one.a 8 32", "is at bit 0"),
            ("one.b 37 4", "has 3"),
            ("one.c 0 8", "no member c"),
            ("two 8", "no struct two"),
            ("one.a 8", "no fact"),
            ("one x", "no fact"),
        ] {
            let found = differences(fact, &btf);
            assert!(
                found.len() == 1 && found[0].contains(word),
                "{fact}: {found:?}"
            );
        }
        assert_eq!(differences("\n", &btf).len(), 1);
    }

    #[test]
    fn a_note_is_its_text() {
        let mut note = Vec::new();
        for word in [7_u32, 5, 1] {
            note.extend(word.to_le_bytes());
        }
        note.extend(b"ProgMP\0\0one 8\0\0\0");
        assert_eq!(note_text(&note).unwrap(), "one 8");
        for length in 0..25 {
            assert!(note_text(&note[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn this_test_program_is_an_elf_file_with_sections() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(section(&file, ".text").is_some_and(|text| !text.is_empty()));
        assert!(section(&file, ".none").is_none());
        for length in [0, 6, 64, file.len() / 2] {
            assert!(section(&file[..length], ".text").is_none());
        }
    }
}
