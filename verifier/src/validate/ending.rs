//! How runs end: each says what became of it, and one whose loop budget was spent says so.
//!
//! A run counts if it leaves 1 in the block's status (abi.md). So whatever the block holds, every
//! way to an exit has to write 1 or 2 there, the result is 0, and no way that a `may_goto` leads to
//! when the budget is spent may end with 1: its loop was left early.

use std::collections::BTreeSet;

use progmp_abi::layout::{self, block};

use super::place::Value;
use super::range::Range;
use super::safety::{Facts, Unsafe};
use super::step::{Fault, offset_in_block};
use crate::ebpf::{Code, Insn, Source};

/// What a run said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// Nothing yet.
    Nothing,
    /// That it is done.
    Done,
    /// That it was aborted.
    Aborted,
    /// Perhaps something else.
    Unclear,
}

/// What it said, and whether a `may_goto` sent it away.
type Way = (Said, bool);

/// Shows that every run ends as it should.
pub(super) fn ends(code: &Code, facts: &Facts) -> Result<(), Unsafe> {
    let mut ways: Vec<BTreeSet<Way>> = vec![BTreeSet::new(); code.len()];
    let mut waiting = BTreeSet::from([0]);
    if let Some(first) = ways.first_mut() {
        first.insert((Said::Nothing, false));
    }
    while let Some(slot) = waiting.pop_first() {
        let Some(insn) = code.at(slot) else {
            continue;
        };
        let told = told(insn, slot, facts);
        let mut after = BTreeSet::new();
        for &(said, spent) in &ways[slot] {
            if insn == Insn::Exit {
                exit(slot, facts, (said, spent))?;
            }
            match told {
                Told::Nothing => after.insert((said, spent)),
                Told::Surely(said) => after.insert((said, spent)),
                Told::Perhaps => after.insert((said, spent)) | after.insert((Said::Unclear, spent)),
            };
        }
        for &to in &facts.edges[slot] {
            let leaves = matches!(insn, Insn::MayGoto { target } if target == to);
            let before = ways[to].len();
            // Where both edges of a `may_goto` lead to one place, either was taken.
            let stays = !leaves || to == slot + 1;
            ways[to].extend(after.iter().copied().filter(|_| stays));
            ways[to].extend(
                after
                    .iter()
                    .filter(|_| leaves)
                    .map(|&(said, _)| (said, true)),
            );
            if ways[to].len() != before {
                waiting.insert(to);
            }
        }
    }
    Ok(())
}

/// What an instruction says.
#[derive(Clone, Copy, Debug)]
enum Told {
    Nothing,
    Surely(Said),
    Perhaps,
}

fn told(insn: Insn, slot: usize, facts: &Facts) -> Told {
    let Insn::Store {
        bytes,
        base,
        offset,
        src,
    } = insn
    else {
        return Told::Nothing;
    };
    let Some(state) = facts.at(slot) else {
        return Told::Nothing;
    };
    let Value::Block(at) = state.read(base) else {
        return Told::Nothing;
    };
    let at = offset_in_block(at, offset);
    let status = block::STATUS as u64;
    let touching = Range::between(status.saturating_sub(bytes as u64 - 1), status + 3);
    if at.meet(touching).is_none() {
        return Told::Nothing;
    }
    if (at.value(), bytes) != (Some(status), 4) {
        return Told::Perhaps;
    }
    let value = match src {
        Source::Immediate(value) => u64::try_from(value).ok(),
        Source::Register(register) => match state.read(register) {
            Value::Number(range) => range.value().map(|value| value & u64::from(u32::MAX)),
            _ => None,
        },
    };
    Told::Surely(match value {
        Some(value) if value == u64::from(layout::DONE) => Said::Done,
        Some(value) if value == u64::from(layout::ABORTED) => Said::Aborted,
        _ => Said::Unclear,
    })
}

fn exit(slot: usize, facts: &Facts, (said, spent): Way) -> Result<(), Unsafe> {
    let fault = |fault| Err(Unsafe { slot, fault });
    let Some(state) = facts.at(slot) else {
        return Ok(());
    };
    match state.read(0) {
        Value::Number(range) if range.value() == Some(0) => {}
        _ => return fault(Fault::Result),
    }
    match said {
        Said::Done if spent => fault(Fault::Spent),
        Said::Done | Said::Aborted => Ok(()),
        // Without a block there is nothing to write to.
        Said::Nothing if !state.has_block() => Ok(()),
        Said::Nothing | Said::Unclear => fault(Fault::Unsaid),
    }
}
