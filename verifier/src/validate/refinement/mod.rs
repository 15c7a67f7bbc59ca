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
use progmp_abi::layout::block;
use progmp_ir::{Machine, Needs, Program, SchedState};

use super::differ::{Difference, differs};
use super::place::Entry;
use super::safety::{Facts, Unsafe, checked};
use crate::concrete::shrink;
use crate::ebpf::{BinaryOp, Callee, Code, Cond, Constant, Insn, Source as Operand};
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
    Validator::new(program).validates(code, entry)
}

/// Judges several codes of one program. Those of an object differ in how they come by the block; what follows is
/// proved once.
#[derive(Debug)]
pub struct Validator<'p> {
    program: &'p Program,
    /// What stood behind the beginning of codes that were validated.
    validated: Vec<Code>,
}

impl<'p> Validator<'p> {
    /// Nothing was judged yet.
    pub const fn new(program: &'p Program) -> Self {
        Self {
            program,
            validated: Vec::new(),
        }
    }

    /// Whether the bytes are safe and do what the program says, for every well-formed block.
    pub fn validates(&mut self, code: &Code, entry: Entry) -> Verdict {
        // Each is safe for itself: so it reads no register that its beginning leaves open.
        let facts = match checked(code, entry) {
            Ok((facts, _)) => facts,
            Err(fault) => return Verdict::Unsafe(fault),
        };
        let body = beginning(code, entry).and_then(|slots| code.behind(slots));
        if body
            .as_ref()
            .is_some_and(|body| self.validated.contains(body))
        {
            return Verdict::Validated;
        }
        if let Some(found) = counterexample(self.program, code) {
            return Verdict::Refuted(Box::new(found));
        }
        match refines(self.program, code, &facts) {
            Ok(()) => {
                self.validated.extend(body);
                Verdict::Validated
            }
            Err(why) => Verdict::Unknown(why),
        }
    }
}

/// How many slots it takes until the block's address is in r0 and nowhere else, if the code begins in one of the ways
/// that are known; whoever gets no block ends.
fn beginning(code: &Code, entry: Entry) -> Option<usize> {
    let wide_move = |slot, to, from| {
        code.at(slot)
            == Some(Insn::Binary {
                op: BinaryOp::Move,
                wide: true,
                dst: to,
                src: from,
            })
    };
    match entry {
        Entry::TestRun => {
            let constant = Constant::MapValue { map: 0, offset: 0 };
            (code.at(0) == Some(Insn::Load64 { dst: 0, constant })).then_some(2)
        }
        Entry::Shim => {
            let handle = Insn::Load {
                bytes: 8,
                signed: false,
                dst: 1,
                base: 1,
                offset: 0,
            };
            let size = i32::try_from(block::BYTES).expect("a block is small");
            let callee = Callee::Kernel { btf: 0, module: 0 };
            let given = Insn::Branch {
                cond: Cond::NotEqual,
                wide: true,
                dst: 0,
                src: Operand::Immediate(0),
                target: 5,
            };
            let known = code.at(0) == Some(handle)
                && wide_move(1, 2, Operand::Immediate(size))
                && code.at(2) == Some(Insn::Call { callee })
                && code.at(3) == Some(given)
                && code.at(4) == Some(Insn::Exit)
                && wide_move(5, 0, Operand::Register(0));
            known.then_some(6)
        }
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
