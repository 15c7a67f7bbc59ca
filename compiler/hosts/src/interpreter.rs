//! Our own interpreter, behind the interface of all engines.

use progmp_verifier::ebpf::{Code, Environment, Halt, Limits, decode, run};

use crate::{Engine, Failure, Image, Loaded, Refusal, check_length};

/// Runs all of ISA v4; a run ends after [`Limits::fuel`] instructions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpreter {
    /// How far a run may go.
    pub limits: Limits,
}

impl Interpreter {
    /// Decodes an image, for runs that count instructions.
    ///
    /// # Errors
    /// The bytes are no program.
    pub fn prepare(&self, image: &Image) -> Result<Prepared, Refusal> {
        Ok(Prepared {
            code: decode(&image.code)?,
            block_bytes: image.block_bytes,
            writable_bytes: image.writable_bytes,
            limits: self.limits,
        })
    }
}

/// A decoded image.
#[derive(Debug)]
pub struct Prepared {
    code: Code,
    block_bytes: usize,
    writable_bytes: usize,
    limits: Limits,
}

impl Prepared {
    /// Runs once and tells how many instructions it took.
    ///
    /// # Errors
    /// The trap.
    pub fn count(&self, block: &mut [u8]) -> Result<Halt, Failure> {
        check_length(self.block_bytes, block)?;
        let environment = Environment {
            block,
            writable: self.writable_bytes,
            // What the kernel passes to a program without a context: readable, all zeros.
            context: &[0; 8],
            answer: &mut |_, _| None,
        };
        Ok(run(&self.code, environment, self.limits)?)
    }
}

impl Loaded for Prepared {
    fn run(&mut self, block: &mut [u8]) -> Result<(), Failure> {
        self.count(block).map(|_| ())
    }
}

impl Engine for Interpreter {
    fn name(&self) -> &'static str {
        "interpreter"
    }

    fn load(&self, image: &Image) -> Result<Box<dyn Loaded>, Refusal> {
        Ok(Box::new(self.prepare(image)?))
    }
}
