//! The code generator: a Program in, eBPF out.
//!
//! A Program is lowered to vcode (`vcode`: basic blocks over virtual registers), which gets
//! registers (`regalloc`), a frame and jumps (`emit`). The instruction set stands in [`isa`]: one
//! table for encoder, decoder and printer. What the program reads and writes is the environment
//! block of `progmp-abi`. Nothing here is trusted: the bytes are validated against the Program.

mod bounds;
mod btf;
mod cfg;
mod count;
mod demand;
mod emit;
pub mod isa;
mod jump;
mod lower;
pub mod note;
pub mod object;
mod pressure;
mod regalloc;
mod share;
mod simplify;
mod types;
mod vcode;

use progmp_ir::{Program, Span};

pub use bounds::Formula;
pub use emit::Bounds;
pub use vcode::Vcode;

use isa::{Insn, Reg};

/// How loops are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loops {
    /// With `may_goto`: Linux 6.9 and later.
    #[default]
    MayGoto,
    /// With a counter that has a known bound: older kernels. The host shows at most 64 packets of
    /// each queue.
    Bounded,
}

/// What the user decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How loops are written.
    pub loops: Loops,
}

/// A compiled scheduler: one body, which starts with the block's address in a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The register that holds the address of the environment block when the body starts. The
    /// prologue that puts it there differs between program sections, and is not part of `insns`.
    pub base: Reg,
    /// The body. It returns 0.
    pub insns: Vec<Insn>,
    /// Where a new piece of source starts: slots from the start of the body, ascending.
    pub lines: Vec<(usize, Span)>,
    /// Bytes of stack.
    pub stack_bytes: usize,
    /// What bounds an execution.
    pub bounds: Bounds,
    /// How loops are written.
    pub loops: Loops,
    /// The vcode that registers were given to.
    pub vcode: Vcode,
}

impl Code {
    /// What an object puts into each of its programs.
    pub fn body(&self) -> object::Body<'_> {
        object::Body {
            base: self.base,
            insns: &self.insns,
            lines: &self.lines,
        }
    }
}

/// Why a program cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A run may yield more actions than the block has places.
    #[error(
        "too-many-actions: one execution may push and drop {actions} times ({formula}), the block holds {available}"
    )]
    TooManyActions {
        /// At full capacity.
        actions: u64,
        /// In the numbers of subflows and packets.
        formula: Formula,
        /// Places.
        available: u64,
    },
    /// A run may go around more loops, or execute more instructions, than the kernel's budget allows.
    #[error(
        "too-many-steps: one execution may take {count} {what} ({formula}), and the kernel's budget is sure to last for {available}"
    )]
    TooManySteps {
        /// `rounds of loops` or `instructions`.
        what: &'static str,
        /// At full capacity.
        count: u64,
        /// In the numbers of subflows and packets.
        formula: Formula,
        /// The budget.
        available: u64,
    },
    /// More values are needed at one time than registers and stack hold.
    #[error(
        "too-much-stack: {bytes} bytes of stack are needed, there are {available}; {pressure} values are needed at one time, among them {}", variables.join(", ")
    )]
    TooMuchStack {
        /// Bytes needed.
        bytes: usize,
        /// Bytes that there are.
        available: usize,
        /// Most values that are needed at one time.
        pressure: usize,
        /// The variables of the program that take part.
        variables: Vec<String>,
    },
    /// More list variables are live at one time than scratch memory holds.
    #[error(
        "too-many-snapshots: {needed} packet lists are kept at one time, scratch memory holds {available}"
    )]
    TooManySnapshots {
        /// Lists.
        needed: usize,
        /// Places.
        available: usize,
    },
    /// The program is longer than the kernel accepts.
    #[error("too-many-instructions: {slots} instruction slots, the kernel accepts {available}")]
    TooManyInstructions {
        /// Slots.
        slots: usize,
        /// The limit.
        available: usize,
    },
    /// The bounded form would take the kernel's verifier too long.
    #[error(
        "too-large-for-bounded: the kernel would walk about {walked} instructions, it walks at most {available}; use --loops may-goto"
    )]
    TooLargeForBounded {
        /// An estimate.
        walked: u64,
        /// The limit.
        available: u64,
    },
}

/// Compiles a well-formed program.
///
/// # Errors
/// The limit that the program exceeds.
///
/// # Panics
/// If the program is not well-formed, or our own invariants do not hold.
pub fn compile(program: &Program, options: &Options) -> Result<Code, Error> {
    let actions = count::actions(program)?;
    let (vcode, rounds) = prepared(program, options.loops)?;
    emit::emit(program, vcode, &rounds, actions, options.loops)
}

/// The vcode that gets registers, and the rounds of its loops.
fn prepared(program: &Program, loops: Loops) -> Result<(Vcode, Formula), Error> {
    let popped = count::popped(program);
    let lowered = lower::lower(program, loops, popped)?;
    let mut vcode = simplify::simplify(lowered.code);
    // Nearly every instruction over vregs becomes one slot or more: what is too long here need not
    // wait for registers.
    let slots = vcode.instructions();
    if slots > emit::SLOTS {
        return Err(Error::TooManyInstructions {
            slots,
            available: emit::SLOTS,
        });
    }
    cfg::split_edges(&mut vcode);
    let order = cfg::order(&vcode);
    Ok((cfg::arranged(vcode, &order), lowered.rounds))
}
