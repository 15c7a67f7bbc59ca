//! Safety for every content of the block: a fixed point over ranges.
//!
//! Of each instruction, what registers and stack may hold there is taken together over all ways
//! that lead to it. If no instruction does then what it must not do ([`super::step`]), and every
//! cycle of the code has something that runs out ([`super::measure`]), no content of the block
//! leads a run out of its memory, lets it read what was never written, or keeps it going for ever.

use std::collections::BTreeSet;

use progmp_abi::layout::{self, block};

use super::ending::ends;
use super::measure::{self, Bound, Endless};
use super::place::{Entry, SLOTS, State, Value};
use super::step::{Fault, offset_in_block, step};
use crate::ebpf::{Code, Insn};

/// How often a place takes in other states before the ends of its ranges are let go.
const PATIENCE: usize = 3;

/// What was shown of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Safety {
    /// Bytes of stack that are used.
    pub stack_bytes: usize,
    /// What bounds a run.
    pub bound: Bound,
}

/// Why a program is not safe, or not seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot}: {fault}")]
pub struct Unsafe {
    /// Where.
    pub slot: usize,
    /// What.
    pub fault: Fault,
}

/// Shows that a program is safe for every content of the block.
///
/// # Errors
/// The first instruction of which that cannot be shown.
pub fn safe(code: &Code, entry: Entry) -> Result<Safety, Unsafe> {
    checked(code, entry).map(|(_, safety)| safety)
}

/// The same, with what holds in front of each instruction.
pub(super) fn checked(code: &Code, entry: Entry) -> Result<(Facts, Safety), Unsafe> {
    let facts = Facts::of(code, entry)?;
    ends(code, &facts)?;
    let bound = measure::bound(code, &facts).map_err(|Endless { slot }| Unsafe {
        slot,
        fault: Fault::Endless,
    })?;
    let safety = Safety {
        stack_bytes: facts.stack_bytes(),
        bound,
    };
    Ok((facts, safety))
}

/// What holds in front of each instruction.
pub(super) struct Facts {
    states: Vec<Option<State>>,
    /// Where control may go from each slot.
    pub(super) edges: Vec<Vec<usize>>,
}

impl Facts {
    /// The fixed point.
    pub(super) fn of(code: &Code, entry: Entry) -> Result<Self, Unsafe> {
        let mut states: Vec<Option<State>> = vec![None; code.len()];
        let mut visits = vec![0_usize; code.len()];
        let mut waiting = BTreeSet::from([0]);
        if let Some(first) = states.first_mut() {
            *first = Some(State::start(entry));
        }
        while let Some(slot) = waiting.pop_first() {
            let state = states[slot].clone().expect("what waits was reached");
            for (to, after) in ways(code, slot, &state)? {
                let Some(place) = states.get_mut(to) else {
                    let fault = Fault::NoInstruction;
                    return Err(Unsafe { slot, fault });
                };
                let changed = match place {
                    None => {
                        *place = Some(after);
                        true
                    }
                    Some(held) => {
                        // Only what leads back can go on for long.
                        let widen = to <= slot && visits[to] >= PATIENCE;
                        visits[to] += usize::from(to <= slot);
                        held.take_in(&after, widen)
                    }
                };
                if changed {
                    waiting.insert(to);
                }
            }
        }
        // Once more with what holds in the end: refusals of narrower states stand, those of wider
        // ones came up on the way.
        let mut edges = vec![Vec::new(); code.len()];
        for (slot, state) in states.iter().enumerate() {
            if let Some(state) = state {
                let ways = ways(code, slot, state)?;
                edges[slot] = ways.into_iter().map(|(to, _)| to).collect();
            }
        }
        Ok(Self { states, edges })
    }

    /// What holds in front of an instruction; `None` if it is never reached.
    pub(super) fn at(&self, slot: usize) -> Option<&State> {
        self.states.get(slot).and_then(Option::as_ref)
    }

    /// The parts of scratch memory that are touched, in bytes of the block; none overlaps another.
    pub(super) fn scratch(&self, code: &Code) -> Vec<(usize, usize)> {
        let region = block::SCRATCH..block::SCRATCH + 8 * layout::SCRATCH_WORDS;
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for slot in 0..code.len() {
            let Some(
                Insn::Load {
                    base,
                    offset,
                    bytes,
                    ..
                }
                | Insn::Store {
                    base,
                    offset,
                    bytes,
                    ..
                },
            ) = code.at(slot)
            else {
                continue;
            };
            let Some(Value::Block(at)) = self.at(slot).map(|state| state.read(base)) else {
                continue;
            };
            let at = offset_in_block(at, offset);
            let (Ok(low), Ok(high)) = (usize::try_from(at.low), usize::try_from(at.high)) else {
                continue;
            };
            if low < region.end && high.saturating_add(bytes) > region.start {
                let low = low.max(region.start);
                parts.push((low, high.saturating_add(bytes).min(region.end)));
            }
        }
        parts.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (low, high) in parts {
            match merged.last_mut() {
                Some((_, end)) if low < *end => *end = (*end).max(high),
                _ => merged.push((low, high)),
            }
        }
        merged
    }

    fn stack_bytes(&self) -> usize {
        let reached = self.states.iter().flatten();
        let lowest = reached.filter_map(|state| state.written.iter().position(|&mask| mask != 0));
        lowest.min().map_or(0, |slot| 8 * (SLOTS - slot))
    }
}

fn ways(code: &Code, slot: usize, state: &State) -> Result<super::step::Ways, Unsafe> {
    let refused = |fault| Unsafe { slot, fault };
    let insn = code.at(slot).ok_or(refused(Fault::NoInstruction))?;
    step(insn, slot, state).map_err(refused)
}
