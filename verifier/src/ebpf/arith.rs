//! What arithmetic and comparisons mean, over any domain of 64-bit words.
//!
//! RFC 9669, sections 4.1 to 4.3, is written down here once. [`Words`] supplies operations on
//! whole 64-bit words that solvers have too; everything else, 32-bit forms, division by zero,
//! signs, byte order, is made of them.

use super::insn::{BinaryOp, Byteorder, Cond};

/// A domain of words and truth values.
pub trait Words {
    /// 64 bits.
    type Word: Clone;
    /// True or false.
    type Truth: Clone;

    /// A number.
    fn constant(&mut self, value: u64) -> Self::Word;
    /// Sum modulo 2^64.
    fn add(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Difference modulo 2^64.
    fn subtract(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Product modulo 2^64.
    fn multiply(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Unsigned quotient; anything for a divisor of 0.
    fn divide(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Unsigned remainder; anything for a divisor of 0.
    fn remainder(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Bits of both.
    fn and(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Bits of either.
    fn or(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// Bits of just one.
    fn xor(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Word;
    /// To the left; the amount is below 64.
    fn shift_left(&mut self, a: &Self::Word, amount: &Self::Word) -> Self::Word;
    /// To the right with zeros; the amount is below 64.
    fn shift_right(&mut self, a: &Self::Word, amount: &Self::Word) -> Self::Word;
    /// To the right with signs; the amount is below 64.
    fn shift_right_signed(&mut self, a: &Self::Word, amount: &Self::Word) -> Self::Word;
    /// Equality.
    fn equal(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Truth;
    /// Unsigned order.
    fn below(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Truth;
    /// Signed order.
    fn less(&mut self, a: &Self::Word, b: &Self::Word) -> Self::Truth;
    /// Negation.
    fn not(&mut self, a: &Self::Truth) -> Self::Truth;
    /// One of two.
    fn choose(&mut self, which: &Self::Truth, yes: &Self::Word, no: &Self::Word) -> Self::Word;
}

/// `a op b`, both and the result of 64 bits if `wide`; else of 32, the upper half of the result 0.
pub fn binary<D: Words>(
    words: &mut D,
    op: BinaryOp,
    wide: bool,
    a: &D::Word,
    b: &D::Word,
) -> D::Word {
    let signed = matches!(
        op,
        BinaryOp::DivideSigned | BinaryOp::RemainderSigned | BinaryOp::ShiftRightSigned
    );
    // A narrow operand is brought to 64 bits so that the wide operation gives the narrow result
    // in its lower half.
    let operand = |words: &mut D, value: &D::Word| match (wide, signed) {
        (true, _) => value.clone(),
        (false, false) => truncate(words, 32, value),
        (false, true) => sign_extend(words, 32, value),
    };
    let x = operand(words, a);
    let y = operand(words, b);
    let result = match op {
        BinaryOp::Add => words.add(&x, &y),
        BinaryOp::Subtract => words.subtract(&x, &y),
        BinaryOp::Multiply => words.multiply(&x, &y),
        BinaryOp::Divide => {
            let quotient = words.divide(&x, &y);
            let zero = words.constant(0);
            unless_zero(words, &y, &quotient, &zero)
        }
        BinaryOp::DivideSigned => divide_signed(words, &x, &y),
        BinaryOp::Remainder => {
            let remainder = words.remainder(&x, &y);
            unless_zero(words, &y, &remainder, &x)
        }
        BinaryOp::RemainderSigned => remainder_signed(words, &x, &y),
        BinaryOp::Or => words.or(&x, &y),
        BinaryOp::And => words.and(&x, &y),
        BinaryOp::Xor => words.xor(&x, &y),
        BinaryOp::ShiftLeft | BinaryOp::ShiftRight | BinaryOp::ShiftRightSigned => {
            let mask = words.constant(if wide { 63 } else { 31 });
            let amount = words.and(&y, &mask);
            match op {
                BinaryOp::ShiftLeft => words.shift_left(&x, &amount),
                BinaryOp::ShiftRight => words.shift_right(&x, &amount),
                _ => words.shift_right_signed(&x, &amount),
            }
        }
        BinaryOp::Move => y,
    };
    if wide {
        result
    } else {
        truncate(words, 32, &result)
    }
}

/// `-a`.
pub fn negate<D: Words>(words: &mut D, wide: bool, a: &D::Word) -> D::Word {
    let zero = words.constant(0);
    binary(words, BinaryOp::Subtract, wide, &zero, a)
}

/// The low `bits` (8, 16 or 32) with their sign, in 64 bits if `wide`, else in 32.
pub fn move_signed<D: Words>(words: &mut D, bits: u32, wide: bool, a: &D::Word) -> D::Word {
    let extended = sign_extend(words, bits, a);
    if wide {
        extended
    } else {
        truncate(words, 32, &extended)
    }
}

/// The low `bits` (16, 32 or 64) in another order of bytes, on a little-endian machine.
pub fn reorder<D: Words>(words: &mut D, order: Byteorder, bits: u32, a: &D::Word) -> D::Word {
    if order == Byteorder::ToLittle {
        return truncate(words, bits, a);
    }
    let byte_mask = words.constant(0xff);
    let mut result = words.constant(0);
    for position in (0..bits).step_by(8) {
        let from = words.constant(u64::from(position));
        let to = words.constant(u64::from(bits - 8 - position));
        let byte = words.shift_right(a, &from);
        let byte = words.and(&byte, &byte_mask);
        let byte = words.shift_left(&byte, &to);
        result = words.or(&result, &byte);
    }
    result
}

/// Whether the condition holds of all 64 bits, or of the lower 32.
pub fn holds<D: Words>(
    words: &mut D,
    cond: Cond,
    wide: bool,
    a: &D::Word,
    b: &D::Word,
) -> D::Truth {
    let signed = matches!(
        cond,
        Cond::Greater | Cond::GreaterOrEqual | Cond::Less | Cond::LessOrEqual
    );
    let operand = |words: &mut D, value: &D::Word| match (wide, signed) {
        (true, _) => value.clone(),
        (false, false) => truncate(words, 32, value),
        (false, true) => sign_extend(words, 32, value),
    };
    let x = operand(words, a);
    let y = operand(words, b);
    match cond {
        Cond::Equal => words.equal(&x, &y),
        Cond::NotEqual => {
            let equal = words.equal(&x, &y);
            words.not(&equal)
        }
        Cond::BitsInCommon => {
            let common = words.and(&x, &y);
            let zero = words.constant(0);
            let none = words.equal(&common, &zero);
            words.not(&none)
        }
        Cond::Above => words.below(&y, &x),
        Cond::AboveOrEqual => {
            let below = words.below(&x, &y);
            words.not(&below)
        }
        Cond::Below => words.below(&x, &y),
        Cond::BelowOrEqual => {
            let above = words.below(&y, &x);
            words.not(&above)
        }
        Cond::Greater => words.less(&y, &x),
        Cond::GreaterOrEqual => {
            let less = words.less(&x, &y);
            words.not(&less)
        }
        Cond::Less => words.less(&x, &y),
        Cond::LessOrEqual => {
            let greater = words.less(&y, &x);
            words.not(&greater)
        }
    }
}

/// The low `bits` of a word, zeros above.
pub fn truncate<D: Words>(words: &mut D, bits: u32, a: &D::Word) -> D::Word {
    if bits >= 64 {
        return a.clone();
    }
    let mask = words.constant((1 << bits) - 1);
    words.and(a, &mask)
}

/// The low `bits` of a word, copies of the highest of them above.
pub fn sign_extend<D: Words>(words: &mut D, bits: u32, a: &D::Word) -> D::Word {
    let amount = words.constant(u64::from(64 - bits.min(64)));
    let high = words.shift_left(a, &amount);
    words.shift_right_signed(&high, &amount)
}

fn unless_zero<D: Words>(
    words: &mut D,
    divisor: &D::Word,
    result: &D::Word,
    at_zero: &D::Word,
) -> D::Word {
    let zero = words.constant(0);
    let is_zero = words.equal(divisor, &zero);
    words.choose(&is_zero, at_zero, result)
}

/// The distance from 0; of the least number 2^63, which unsigned words can hold.
fn magnitude<D: Words>(words: &mut D, a: &D::Word) -> (D::Truth, D::Word) {
    let zero = words.constant(0);
    let negative = words.less(a, &zero);
    let opposite = words.subtract(&zero, a);
    let magnitude = words.choose(&negative, &opposite, a);
    (negative, magnitude)
}

/// Towards 0; the least number by -1 wraps to itself; by 0 it is 0.
fn divide_signed<D: Words>(words: &mut D, a: &D::Word, b: &D::Word) -> D::Word {
    let zero = words.constant(0);
    let (a_negative, a_size) = magnitude(words, a);
    let (b_negative, b_size) = magnitude(words, b);
    let quotient = words.divide(&a_size, &b_size);
    let opposite = words.subtract(&zero, &quotient);
    let if_a_negative = words.choose(&b_negative, &quotient, &opposite);
    let if_a_positive = words.choose(&b_negative, &opposite, &quotient);
    let signed = words.choose(&a_negative, &if_a_negative, &if_a_positive);
    unless_zero(words, b, &signed, &zero)
}

/// With the sign of the dividend; by 0 it is the dividend.
fn remainder_signed<D: Words>(words: &mut D, a: &D::Word, b: &D::Word) -> D::Word {
    let zero = words.constant(0);
    let (a_negative, a_size) = magnitude(words, a);
    let (_, b_size) = magnitude(words, b);
    let remainder = words.remainder(&a_size, &b_size);
    let opposite = words.subtract(&zero, &remainder);
    let signed = words.choose(&a_negative, &opposite, &remainder);
    unless_zero(words, b, &signed, a)
}
