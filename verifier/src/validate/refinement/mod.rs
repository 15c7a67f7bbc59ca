//! Do the bytes do what the program says? (specs/validation.md, section 2)
//!
//! In: a program and code that is safe. Out: that for every well-formed block a run that is not
//! aborted leaves what the program leaves, for any number of subflows and packets; or that this is
//! not known. Both are brought into one language of words: the program by the one evaluator
//! ([`source`]), the bytes by one walk over all ways ([`walk`]), and loops by induction ([`cycle`]).

mod cycle;
mod effects;
mod fold;
mod guard;
mod live;
mod memory;
mod prove;
mod reduce;
mod source;
mod walk;
mod words;

#[cfg(test)]
mod tests;

use progmp_abi::fill;
use progmp_ir::{Machine, Needs, Program, SchedState};

use super::differ::{Difference, differs};
use super::place::Entry;
use super::safety::{Facts, Unsafe, checked};
use crate::concrete::shrink;
use crate::ebpf::Code;
use crate::sample::Samples;
use prove::Prover;
use source::Source;
use walk::Walk;

/// Whether bytes do what a program says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They do, for every well-formed block.
    Validated,
    /// They are not safe, or not seen to be.
    Unsafe(Unsafe),
    /// They do not: a state in which both interpreters part.
    Refuted(Box<Counterexample>),
    /// It could not be shown.
    Unknown(String),
}

/// A state in which bytes and program part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// What the host shows.
    pub state: SchedState,
    /// What differs.
    pub difference: Difference,
}

/// Whether the bytes are safe and do what the program says, for every well-formed block.
pub fn validates(program: &Program, code: &Code, entry: Entry) -> Verdict {
    let facts = match checked(code, entry) {
        Ok((facts, _)) => facts,
        Err(fault) => return Verdict::Unsafe(fault),
    };
    if let Some(found) = counterexample(program, code) {
        return Verdict::Refuted(Box::new(found));
    }
    match refines(program, code, &facts) {
        Ok(()) => Verdict::Validated,
        Err(why) => Verdict::Unknown(why),
    }
}

/// Looks for a state in which they part among sampled ones, and makes it small.
fn counterexample(program: &Program, code: &Code) -> Option<Counterexample> {
    let part = |state: &SchedState| {
        let shown = fill(state).ok()?;
        differs(program, code, state, &shown)
    };
    let samples = Samples::new(program, &Needs::of(program));
    let state = samples.states().find(|state| part(state).is_some())?;
    let state = shrink(state.clone(), &|state| part(state).is_some());
    let difference = part(&state).expect("what is made smaller still parts them");
    Some(Counterexample { state, difference })
}

fn refines(program: &Program, code: &Code, facts: &Facts) -> Result<(), String> {
    let mut source = Source::new(Prover::new(&facts.scratch(code)));
    let mut machine = Machine::new(program, source.initial());
    machine.execute(&mut source);
    if let Some(why) = source.beyond {
        return Err(format!("{why} in the source"));
    }
    let left = effects::of(&mut source, &machine)?;
    drop(machine);
    let mut walk = Walk::new(code, facts, source);
    walk.run()?;
    effects::compare(&mut walk, &left)
}
