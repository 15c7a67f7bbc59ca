//! States to compare in: random ones, from empty to full.

use progmp_generate::{Choices, state_of};
use progmp_ir::{Needs, SchedState};

pub use progmp_generate::Sizes;

/// How large states are: the first ones in turn, so that few states meet the corners too.
const SIZES: [(usize, usize); 10] = [
    (2, 3),
    (0, 0),
    (4, 5),
    (1, 1),
    (3, 8),
    (2, 4),
    (8, 16),
    (5, 6),
    (32, 64),
    (32, 256),
];

/// The state with this number, for a program with these needs.
pub fn state(seed: u64, number: u64, needs: &Needs) -> SchedState {
    let seed = progmp_ir::splitmix64(progmp_ir::splitmix64(seed) ^ number);
    let turn = number % SIZES.len() as u64;
    let (subflows, packets) = SIZES[usize::try_from(turn).unwrap_or(0)];
    let sizes = Sizes { subflows, packets };
    let mut choices = Choices::from_seed(seed);
    state_of(&mut choices, needs, sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_a_number_and_is_always_the_same() {
        let needs = crate::diff::parsed("SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());")
            .map(|program| Needs::of(&program))
            .expect("this is a program");
        for number in 0..20 {
            assert_eq!(state(7, number, &needs), state(7, number, &needs));
        }
        assert_ne!(state(7, 2, &needs), state(8, 2, &needs));
        assert!(state(7, 1, &needs).subflows.is_empty());
    }
}
