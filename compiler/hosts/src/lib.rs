//! Where compiled schedulers run: engines behind one interface.
//!
//! In: an [`Image`] (bytecode in which the block's address is open) and the bytes of a block. Out:
//! the same bytes after a run. [`Interpreter`] follows RFC 9669 (it lives in the verifier),
//! [`Rbpf`] is a third opinion on what it knows, [`Kernel`] is the running Linux with its JIT.
//! The reference, which needs no bytecode, is [`progmp_ir::execute`]; [`decide`] and [`reference()`]
//! bring both to the same form. Comparing them is the driver's business.

mod decision;
mod image;
mod interpreter;
mod kernel;
mod rbpf_engine;

pub use decision::{Mishap, decide, decide_on, reference, soil};
pub use image::Image;
pub use interpreter::Interpreter;
pub use kernel::{Kernel, Mode, Program, Statistics, Timing};
pub use rbpf_engine::Rbpf;

/// Something that runs bytecode.
pub trait Engine {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Makes an image ready to run.
    ///
    /// # Errors
    /// Why this engine does not run it.
    fn load(&self, image: &Image) -> Result<Box<dyn Loaded>, Refusal>;
}

/// An image that an engine has taken.
pub trait Loaded {
    /// Runs once on the block, in place.
    ///
    /// # Errors
    /// Why the run did not come to its end. What is in the block then does not count.
    fn run(&mut self, block: &mut [u8]) -> Result<(), Failure>;
}

/// Why an engine does not take an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no program.
    #[error("not a program: {0}")]
    Decode(#[from] progmp_verifier::ebpf::DecodeError),
    /// The engine does not know an instruction that the program has.
    #[error("{engine} does not know {what}")]
    Unsupported {
        /// Which engine.
        engine: &'static str,
        /// What it does not know.
        what: &'static str,
    },
    /// The engine found a fault in the program.
    #[error("{engine} refuses it: {why}")]
    Invalid {
        /// Which engine.
        engine: &'static str,
        /// Its words.
        why: String,
    },
    /// No privilege to load programs.
    #[error("needs CAP_BPF")]
    NeedsCapBpf,
    /// The kernel cannot do this at all.
    #[error("the kernel cannot {what}: {why}")]
    NoKernel {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        why: String,
    },
    /// The kernel's verifier gives up: it would have to walk more than a million instructions, or keep
    /// more than 8,192 branches in mind.
    #[error("the kernel's verifier gives up: too many instructions to walk, or too many branches")]
    TooComplex,
    /// The kernel's verifier refuses the program.
    #[error("the kernel's verifier refuses it: {why}\n{log}")]
    Kernel {
        /// The kernel's answer.
        why: String,
        /// Its log; the end of it, if it is long.
        log: String,
    },
}

/// Why a run did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The block has another length than the image was loaded for.
    #[error("a block of {found} bytes, but the program expects {expected}")]
    BlockLength {
        /// That of the image.
        expected: usize,
        /// That of the block.
        found: usize,
    },
    /// The interpreter met a trap.
    #[error("trap at {0}")]
    Trap(#[from] progmp_verifier::ebpf::Trapped),
    /// Another engine's own words.
    #[error("{engine}: {why}")]
    Engine {
        /// Which.
        engine: &'static str,
        /// Its words.
        why: String,
    },
}

fn check_length(expected: usize, block: &[u8]) -> Result<(), Failure> {
    let found = block.len();
    if found == expected {
        Ok(())
    } else {
        Err(Failure::BlockLength { expected, found })
    }
}
