//! Instructions as text, in llvm-objdump's syntax with decimal immediates.

use std::fmt::{self, Display, Formatter};

use super::Insn;
use super::form::{Fields, split};
use super::table::TABLE;

impl Display for Insn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (form, fields) = split(*self);
        let mut rest = TABLE.row(form).text.as_str();
        while let Some((before, (hole, after))) = next_hole(rest) {
            f.write_str(before)?;
            fill(f, hole, fields)?;
            rest = after;
        }
        f.write_str(rest)
    }
}

/// The text before the next `{x}`, `x`, and the text behind it.
fn next_hole(text: &str) -> Option<(&str, (&str, &str))> {
    let (before, behind) = text.split_once('{')?;
    Some((before, behind.split_once('}')?))
}

fn fill(f: &mut Formatter<'_>, hole: &str, fields: Fields) -> fmt::Result {
    match hole {
        "d" => write!(f, "{}", fields.dst),
        "s" => write!(f, "{}", fields.src),
        "i" => write!(f, "{}", fields.imm),
        "u" => write!(f, "{}", fields.imm.cast_unsigned()),
        "h" => write!(f, "{}", fields.high.cast_unsigned()),
        "l" => write!(f, "{:+}", fields.imm),
        "o" => write!(f, "{:+}", fields.off),
        "m" if fields.off < 0 => write!(f, "- {}", fields.off.unsigned_abs()),
        "m" => write!(f, "+ {}", fields.off),
        "v" => {
            let high = i64::from(fields.high) << 32;
            write!(f, "{}", high | i64::from(fields.imm.cast_unsigned()))
        }
        _ => panic!("the table has a hole {{{hole}}} that nothing fills"),
    }
}
