//! States that a benchmark goes around: one block, and the words in which the states differ.

use progmp_abi::layout::{block, queue};
use progmp_abi::{Filled, Outcome, fill};
use progmp_ir::{Program, SchedState, execute};

/// As many states as a power of two, as blocks that differ in few words.
pub(crate) struct States {
    filled: Vec<Filled>,
    expected: Vec<Outcome>,
    /// Offsets of the words that are put into the block before each call.
    pub(crate) words: Vec<usize>,
}

impl States {
    /// Fills blocks; a program may not write what is put back for none of them.
    pub(crate) fn new(program: &Program, states: &[SchedState]) -> Result<Self, String> {
        assert!(states.len().is_power_of_two(), "an index is made by a mask");
        let filled = states.iter().map(fill).collect::<Result<Vec<_>, _>>();
        let filled = filled.map_err(|error| error.to_string())?;
        let decide = |state| Outcome::of(&execute(program, state), state);
        let expected = states.iter().map(decide).collect();
        let mut words = written();
        let first = filled[0].block.bytes();
        for at in (0..block::BYTES).step_by(8) {
            let differs = |other: &Filled| other.block.bytes()[at..at + 8] != first[at..at + 8];
            if filled.iter().any(differs) {
                words.push(at);
            }
        }
        words.sort_unstable();
        words.dedup();
        Ok(Self {
            filled,
            expected,
            words,
        })
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.filled.len()
    }

    /// The first block.
    pub(crate) fn block(&self) -> &[u8] {
        self.filled[0].block.bytes()
    }

    /// The words of all states, beginning with state `from`.
    pub(crate) fn kept(&self, from: usize) -> Vec<u8> {
        let order = (0..self.len()).map(|number| &self.filled[(from + number) % self.len()]);
        let words = order.flat_map(|filled| {
            let of = |at: &usize| &filled.block.bytes()[*at..*at + 8];
            self.words.iter().flat_map(of)
        });
        words.copied().collect()
    }

    /// Fails unless the block after a run on a state is what the interpreter decides.
    pub(crate) fn check(&self, number: usize, after: &[u8], who: &str) -> Result<(), String> {
        let mut shown = self.filled[number].clone();
        shown.block = progmp_abi::Block::from_bytes(after).map_err(|error| error.to_string())?;
        let decision = shown
            .read_back()
            .map_err(|error| format!("{who}: {error}"))?;
        let expected = &self.expected[number];
        if decision == *expected {
            return Ok(());
        }
        Err(format!(
            "{who}, state {number}: decides {decision:?}, not {expected:?}"
        ))
    }
}

/// What a program may have written, for fewer than 64 packets: the first word of each queue,
/// registers, status and count.
fn written() -> Vec<usize> {
    let queues = (0..3).flat_map(|q| {
        let at = block::QUEUE + q * queue::BYTES;
        [at + queue::SOME, at + queue::WORD]
    });
    let registers = (0..6).map(|r| block::REG + 8 * r);
    queues.chain(registers).chain([block::STATUS]).collect()
}
