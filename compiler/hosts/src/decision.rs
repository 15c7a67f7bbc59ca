//! A state in, a decision out, on any engine: the form in which engines are compared.

use progmp_abi::{Outcome, fill};
use progmp_ir::{Program, SchedState};

use crate::{Failure, Loaded};

/// Why there is no decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mishap {
    /// The run did not come to its end.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The state cannot be shown, or what the run left does not make sense.
    #[error(transparent)]
    Block(#[from] progmp_abi::Error),
    /// The program wrote to the part of the block that it only reads.
    #[error("byte {0} of the read-only part was written")]
    Scribbled(usize),
}

/// What a loaded program decides in this state.
///
/// # Errors
/// Why there is no decision.
pub fn decide(loaded: &mut dyn Loaded, state: &SchedState) -> Result<Outcome, Mishap> {
    let mut shown = fill(state)?;
    let before = shown.block.clone();
    loaded.run(shown.block.bytes_mut())?;
    let read_only = progmp_abi::layout::WRITABLE..;
    let (old, new) = (
        &before.bytes()[read_only.clone()],
        &shown.block.bytes()[read_only],
    );
    if old != new {
        let pairs = old.iter().zip(new);
        let at = pairs.take_while(|(old, new)| old == new).count();
        return Err(Mishap::Scribbled(progmp_abi::layout::WRITABLE + at));
    }
    Ok(shown.read_back()?)
}

/// What the reference interpreter decides in this state.
pub fn reference(program: &Program, state: &SchedState) -> Outcome {
    Outcome::of(&progmp_ir::execute(program, state), state)
}
