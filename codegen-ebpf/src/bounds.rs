//! Worst cases as formulas in the numbers of subflows and packets.
//!
//! A [`Formula`] is a polynomial in `s`, the number of subflows, and `p`, the number of packets
//! that each queue shows at the start. QU may grow to 2p, as Q is popped into it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Add, Mul};

/// A polynomial with coefficients ≥ 0; everything saturates at 2^64 - 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Formula {
    /// Coefficients by the exponents of `s` and `p`; none is 0.
    terms: BTreeMap<(u32, u32), u64>,
}

impl Formula {
    /// A constant.
    pub fn constant(value: u64) -> Self {
        Self::term(value, 0, 0)
    }

    /// The number of subflows.
    pub fn subflows() -> Self {
        Self::term(1, 1, 0)
    }

    /// `times` the number of packets of a queue.
    pub fn packets(times: u64) -> Self {
        Self::term(times, 0, 1)
    }

    fn term(coefficient: u64, s: u32, p: u32) -> Self {
        let mut terms = BTreeMap::new();
        if coefficient > 0 {
            terms.insert((s, p), coefficient);
        }
        Self { terms }
    }

    /// Its value for so many subflows and packets.
    pub fn at(&self, subflows: u64, packets: u64) -> u64 {
        let terms = self.terms.iter().map(|(&(s, p), &coefficient)| {
            let subflows = subflows.saturating_pow(s);
            let packets = packets.saturating_pow(p);
            coefficient.saturating_mul(subflows).saturating_mul(packets)
        });
        terms.fold(0, u64::saturating_add)
    }

    /// A formula that is at least as large as both, for all arguments.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let mut terms = self.terms.clone();
        for (&exponents, &coefficient) in &other.terms {
            let cell = terms.entry(exponents).or_default();
            *cell = coefficient.max(*cell);
        }
        Self { terms }
    }
}

impl Add for &Formula {
    type Output = Formula;

    fn add(self, other: Self) -> Formula {
        let mut terms = self.terms.clone();
        for (&exponents, &coefficient) in &other.terms {
            let cell: &mut u64 = terms.entry(exponents).or_default();
            *cell = cell.saturating_add(coefficient);
        }
        Formula { terms }
    }
}

impl Mul for &Formula {
    type Output = Formula;

    fn mul(self, other: Self) -> Formula {
        let mut terms: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (&(s, p), &a) in &self.terms {
            for (&(t, q), &b) in &other.terms {
                let cell = terms.entry((s + t, p + q)).or_default();
                *cell = cell.saturating_add(a.saturating_mul(b));
            }
        }
        Formula { terms }
    }
}

impl fmt::Display for Formula {
    /// Highest powers first: `3·s·p + 2·s + 40`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return f.write_str("0");
        }
        let mut terms: Vec<_> = self.terms.iter().collect();
        terms.sort_by_key(|&(&(s, p), _)| (std::cmp::Reverse(s + p), std::cmp::Reverse(s)));
        for (place, (&(s, p), &coefficient)) in terms.into_iter().enumerate() {
            if place > 0 {
                f.write_str(" + ")?;
            }
            let mut factors = Vec::new();
            if coefficient != 1 || (s, p) == (0, 0) {
                factors.push(coefficient.to_string());
            }
            for (name, exponent) in [("s", s), ("p", p)] {
                match exponent {
                    0 => {}
                    1 => factors.push(name.to_owned()),
                    _ => factors.push(format!("{name}^{exponent}")),
                }
            }
            f.write_str(&factors.join("·"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_add_multiply_and_print() {
        let s = Formula::subflows();
        let p = Formula::packets(2);
        let sum = &(&(&s * &p) + &s) + &Formula::constant(7);
        assert_eq!(sum.to_string(), "2·s·p + s + 7");
        assert_eq!(sum.at(3, 5), 40);
        assert_eq!((&sum * &Formula::default()).to_string(), "0");
        assert_eq!((&s * &s).to_string(), "s^2");
    }

    #[test]
    fn the_larger_of_two_bounds_both() {
        let (a, b) = (Formula::subflows(), Formula::constant(9));
        let both = a.or(&b);
        for s in [0, 5, 32] {
            assert!(both.at(s, 1) >= a.at(s, 1).max(b.at(s, 1)));
        }
    }

    #[test]
    fn a_bound_never_wraps() {
        let huge = Formula::constant(u64::MAX);
        assert_eq!((&huge + &huge).at(1, 1), u64::MAX);
        assert_eq!((&Formula::subflows() * &huge).at(2, 1), u64::MAX);
    }
}
