//! A state in, a decision out, on any engine: the form in which engines are compared.

use progmp_abi::layout::{self, block, packet, subflow};
use progmp_abi::{Filled, Outcome, fill};
use progmp_ir::{Program, SchedState, splitmix64};

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
    decide_on(loaded, &fill(state)?)
}

/// What a loaded program decides on this block.
///
/// # Errors
/// Why there is no decision.
pub fn decide_on(loaded: &mut dyn Loaded, shown: &Filled) -> Result<Outcome, Mishap> {
    let mut after = shown.clone();
    loaded.run(after.block.bytes_mut())?;
    let old = &shown.block.bytes()[layout::WRITABLE..];
    let new = &after.block.bytes()[layout::WRITABLE..];
    if old != new {
        let same = old.iter().zip(new).take_while(|(old, new)| old == new);
        return Err(Mishap::Scribbled(layout::WRITABLE + same.count()));
    }
    Ok(after.read_back()?)
}

/// Puts arbitrary bytes where specs/abi.md says that a host may leave anything: scratch memory, the
/// buffers, records that are not in use.
pub fn soil(shown: &mut Filled, seed: u64) {
    let subflows = usize::try_from(shown.block.u64(block::SUBFLOW_COUNT)).unwrap_or(0);
    let packets = shown.packets.len();
    let places = [
        block::SCRATCH..block::SCRATCH + 8 * layout::SCRATCH_WORDS,
        block::ACTION..block::PRINT,
        block::PRINT..block::MAGIC_AT,
        block::SUBFLOW + subflow::BYTES * subflows..block::PACKET,
        block::PACKET + packet::BYTES * packets..block::BYTES,
    ];
    let mut word = seed;
    for place in places {
        for offset in place.step_by(8) {
            word = splitmix64(word);
            shown.block.put_u64(offset, word);
        }
    }
}

/// What the reference interpreter decides in this state.
pub fn reference(program: &Program, state: &SchedState) -> Outcome {
    Outcome::of(&progmp_ir::execute(program, state), state)
}
