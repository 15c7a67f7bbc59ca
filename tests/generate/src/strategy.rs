//! The generators as proptest strategies: what fails shrinks with its choices.

use progmp_ir::{Needs, SchedState};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use crate::choices::Choices;
use crate::mix::Mix;
use crate::source::program_with;
use crate::state::state;

/// Vectors of choices, at most so many.
pub fn words(most: usize) -> impl Strategy<Value = Vec<u64>> {
    vec(any::<u64>(), 0..=most)
}

/// Random programs.
pub fn programs() -> impl Strategy<Value = String> {
    programs_with(Mix::default())
}

/// Random programs of a mix.
pub fn programs_with(mix: Mix) -> impl Strategy<Value = String> {
    words(600).prop_map(move |words| program_with(&mut Choices::from_words(words), &mix))
}

/// Random states for programs with these needs.
pub fn states(needs: Needs) -> impl Strategy<Value = SchedState> {
    words(200).prop_map(move |words| state(&mut Choices::from_words(words), &needs))
}
