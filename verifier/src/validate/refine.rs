//! What a comparison tells of its operands.

use super::range::{Range, Ranges};
use crate::ebpf::Cond;
use crate::ebpf::arith::holds;

/// The operands of a comparison that came out so; `None` if it cannot come out so.
pub(super) fn narrowed(
    cond: Cond,
    wide: bool,
    taken: bool,
    a: Range,
    b: Range,
) -> Option<(Range, Range)> {
    if holds(&mut Ranges, cond, wide, &a, &b) == Some(!taken) {
        return None;
    }
    // Numbers that fit are compared in 32 bits as in 64, and with signs as without.
    let low_half = u32::try_from(a.high.max(b.high)).is_ok();
    let no_signs = a.high.max(b.high) >> if wide { 63 } else { 31 } == 0;
    if !wide && !low_half {
        return Some((a, b));
    }
    let cond = match cond {
        Cond::Greater if no_signs => Cond::Above,
        Cond::GreaterOrEqual if no_signs => Cond::AboveOrEqual,
        Cond::Less if no_signs => Cond::Below,
        Cond::LessOrEqual if no_signs => Cond::BelowOrEqual,
        other => other,
    };
    match (cond, taken) {
        (Cond::Equal, true) | (Cond::NotEqual, false) => {
            let both = a.meet(b)?;
            Some((both, both))
        }
        (Cond::Equal, false) | (Cond::NotEqual, true) => {
            let left = match b.value() {
                Some(word) => a.without(word)?,
                None => a,
            };
            let right = match a.value() {
                Some(word) => b.without(word)?,
                None => b,
            };
            Some((left, right))
        }
        (Cond::BitsInCommon, true) => match b.value() {
            Some(bit) if bit.is_power_of_two() => Some((a.meet(having(bit))?, b)),
            Some(bits) => Some((
                a.meet(Range::between(bits & bits.wrapping_neg(), u64::MAX))?,
                b,
            )),
            None => Some((a, b)),
        },
        (Cond::BitsInCommon, false) => match b.value() {
            Some(bits) => Some((a.meet(lacking(bits))?, b)),
            None => Some((a, b)),
        },
        (Cond::Below, true) | (Cond::AboveOrEqual, false) => less(a, b, 1),
        (Cond::BelowOrEqual, true) | (Cond::Above, false) => less(a, b, 0),
        (Cond::Above, true) | (Cond::BelowOrEqual, false) => swapped(less(b, a, 1)),
        (Cond::AboveOrEqual, true) | (Cond::Below, false) => swapped(less(b, a, 0)),
        _ => Some((a, b)),
    }
}

const fn having(bits: u64) -> Range {
    Range {
        ones: bits,
        ..Range::ALL
    }
}

const fn lacking(bits: u64) -> Range {
    Range {
        maybe: !bits,
        ..Range::ALL
    }
}

fn swapped(pair: Option<(Range, Range)>) -> Option<(Range, Range)> {
    pair.map(|(a, b)| (b, a))
}

/// Of `a + distance <= b`.
fn less(a: Range, b: Range, distance: u64) -> Option<(Range, Range)> {
    let most = b.high.checked_sub(distance)?;
    let least = a.low.checked_add(distance)?;
    Some((a.meet(up_to(most))?, b.meet(from(least))?))
}

const fn up_to(high: u64) -> Range {
    Range { high, ..Range::ALL }
}

const fn from(low: u64) -> Range {
    Range { low, ..Range::ALL }
}
