//! The domain of numbers: what an actual machine computes.

use super::arith::Words;

/// Words are `u64`, truth is `bool`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numbers;

impl Words for Numbers {
    type Word = u64;
    type Truth = bool;

    fn constant(&mut self, value: u64) -> u64 {
        value
    }

    fn add(&mut self, a: &u64, b: &u64) -> u64 {
        a.wrapping_add(*b)
    }

    fn subtract(&mut self, a: &u64, b: &u64) -> u64 {
        a.wrapping_sub(*b)
    }

    fn multiply(&mut self, a: &u64, b: &u64) -> u64 {
        a.wrapping_mul(*b)
    }

    fn divide(&mut self, a: &u64, b: &u64) -> u64 {
        a.checked_div(*b).unwrap_or(0)
    }

    fn remainder(&mut self, a: &u64, b: &u64) -> u64 {
        a.checked_rem(*b).unwrap_or(0)
    }

    fn and(&mut self, a: &u64, b: &u64) -> u64 {
        a & b
    }

    fn or(&mut self, a: &u64, b: &u64) -> u64 {
        a | b
    }

    fn xor(&mut self, a: &u64, b: &u64) -> u64 {
        a ^ b
    }

    fn shift_left(&mut self, a: &u64, amount: &u64) -> u64 {
        a << amount
    }

    fn shift_right(&mut self, a: &u64, amount: &u64) -> u64 {
        a >> amount
    }

    fn shift_right_signed(&mut self, a: &u64, amount: &u64) -> u64 {
        (a.cast_signed() >> amount).cast_unsigned()
    }

    fn equal(&mut self, a: &u64, b: &u64) -> bool {
        a == b
    }

    fn below(&mut self, a: &u64, b: &u64) -> bool {
        a < b
    }

    fn less(&mut self, a: &u64, b: &u64) -> bool {
        a.cast_signed() < b.cast_signed()
    }

    fn not(&mut self, a: &bool) -> bool {
        !a
    }

    fn choose(&mut self, which: &bool, yes: &u64, no: &u64) -> u64 {
        if *which { *yes } else { *no }
    }
}
