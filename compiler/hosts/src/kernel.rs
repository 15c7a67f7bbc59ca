//! The running Linux: its verifier, its JIT, its test runs.
//!
//! In: an [`Image`]. Out: a [`Program`] whose block is a map that both sides see. A refusal
//! carries the verifier's log, a lack of privilege is [`Refusal::NeedsCapBpf`]. Nothing is
//! attached anywhere; all ends with the [`Program`].

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use progmp_bpf as bpf;

use crate::{Engine, Failure, Image, Loaded, Refusal, check_length};

/// As which kind of program an image is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Type `SYSCALL`: one run per call.
    #[default]
    Syscall,
    /// Type `SCHED_CLS`: the kernel repeats a run and measures it.
    Tc,
}

/// The engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel {
    /// As which kind of program.
    pub mode: Mode,
}

/// What the kernel says of a loaded program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Instructions that the kernel's verifier walked (0 before Linux 5.16).
    pub walked: u32,
    /// Slots of the program as the kernel has rewritten it.
    pub translated_slots: u32,
    /// Bytes of machine code; 0 when the kernel interprets.
    pub jited_bytes: u32,
    /// How long the load took.
    pub load_time: Duration,
}

/// What repeated runs took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Result of the last run.
    pub result: u32,
    /// Mean time of one run as the kernel measures it, ns.
    pub mean_ns: u32,
    /// Wall time of the whole call, which resolves finer when there are many runs.
    pub total: Duration,
}

/// A loaded program with its block.
pub struct Program {
    mode: Mode,
    descriptor: OwnedFd,
    map: bpf::ValueMap,
    statistics: Statistics,
}

/// Enough for the end of any log; newer kernels keep the end when it is longer.
const LOG_BYTES: usize = 16 << 20;

const NAME: &str = "kernel";

/// An image with all that a load needs.
struct Attempt<'a> {
    kernel: Kernel,
    image: &'a Image,
    map: bpf::ValueMap,
    code: Vec<u8>,
    btf: Option<OwnedFd>,
}

impl<'a> Attempt<'a> {
    fn new(kernel: Kernel, image: &'a Image) -> Result<Self, Refusal> {
        let map = bpf::ValueMap::new("block", image.block_bytes)
            .map_err(|error| unable("make a map for the block", &error))?;
        let debug = image.debug.as_ref();
        let btf = debug.map(|debug| bpf::load_btf(&debug.btf)).transpose();
        let btf = btf.map_err(|error| unable("take the type information", &error))?;
        Ok(Self {
            kernel,
            image,
            code: image.with_map(map.descriptor()),
            map,
            btf,
        })
    }

    /// Loads; a log is written only if there is room for one.
    fn load(&self, log: &mut [u8]) -> io::Result<OwnedFd> {
        let kind = match self.kernel.mode {
            Mode::Syscall => bpf::Kind::Syscall,
            Mode::Tc => bpf::Kind::Classifier,
        };
        let types = self.btf.as_ref().zip(self.image.debug.as_ref());
        let program = bpf::Program {
            name: "progmp",
            kind,
            code: &self.code,
            types: types.map(|(btf, debug)| bpf::Types {
                btf,
                functions: &debug.functions,
                lines: &debug.lines,
            }),
        };
        bpf::load(&program, log)
    }

    /// The end of the log of a load, and how it ended.
    fn log(&self) -> (io::Result<OwnedFd>, String) {
        let mut log = vec![0; LOG_BYTES];
        let result = self.load(&mut log);
        let end = log.iter().position(|&byte| byte == 0);
        let log = &log[..end.unwrap_or(log.len())];
        (result, String::from_utf8_lossy(log).into_owned())
    }
}

/// What the verifier says when it gives up (`do_check` and `push_stack` in kernel/bpf/verifier.c).
const TOO_COMPLEX: [&str; 2] = [
    "BPF program is too large. Processed",
    "jumps is too complex",
];

impl Kernel {
    /// Loads an image.
    ///
    /// # Errors
    /// A lack of privilege, that it takes the verifier too long, or its refusal with its log.
    pub fn prepare(self, image: &Image) -> Result<Program, Refusal> {
        let attempt = Attempt::new(self, image)?;
        let started = Instant::now();
        let descriptor = attempt.load(&mut []);
        let load_time = started.elapsed();
        // Most programs load, and a log costs more than the load.
        let descriptor = match descriptor {
            Ok(descriptor) => descriptor,
            Err(error) if bpf::lacks_privilege(&error) => return Err(Refusal::NeedsCapBpf),
            Err(error) => {
                let (_, log) = attempt.log();
                if TOO_COMPLEX.iter().any(|words| log.contains(words)) {
                    return Err(Refusal::TooComplex);
                }
                let why = error.to_string();
                return Err(Refusal::Kernel { why, log });
            }
        };
        let info = bpf::info(&descriptor).map_err(|error| unable("describe a program", &error))?;
        Ok(Program {
            mode: self.mode,
            descriptor,
            map: attempt.map,
            statistics: Statistics {
                walked: info.walked,
                translated_slots: info.translated_bytes / 8,
                jited_bytes: info.jited_bytes,
                load_time,
            },
        })
    }

    /// The verifier's log of a load, accepted or not.
    ///
    /// # Errors
    /// A lack of privilege.
    pub fn log(self, image: &Image) -> Result<String, Refusal> {
        match Attempt::new(self, image)?.log() {
            (Err(error), _) if bpf::lacks_privilege(&error) => Err(Refusal::NeedsCapBpf),
            (_, log) => Ok(log),
        }
    }
}

impl Engine for Kernel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn load(&self, image: &Image) -> Result<Box<dyn Loaded>, Refusal> {
        Ok(Box::new(self.prepare(image)?))
    }
}

impl Program {
    /// What the kernel says of it.
    pub const fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Puts a block into the map, for runs that follow.
    ///
    /// # Errors
    /// The block has another length.
    pub fn put(&mut self, block: &[u8]) -> Result<(), Failure> {
        check_length(self.map.len(), block)?;
        self.map.write(block);
        Ok(())
    }

    /// Copies the block out of the map.
    ///
    /// # Errors
    /// The block has another length.
    pub fn get(&self, block: &mut [u8]) -> Result<(), Failure> {
        check_length(self.map.len(), block)?;
        self.map.read(block);
        Ok(())
    }

    /// Runs on what is in the map: once, or `repeat` times with [`Mode::Tc`].
    ///
    /// # Errors
    /// The kernel's words.
    pub fn time(&mut self, repeat: u32) -> Result<Timing, Failure> {
        let started = Instant::now();
        let run = match self.mode {
            Mode::Syscall => bpf::test_run(&self.descriptor, &[], &mut [0; 8], 0),
            // An empty frame of Ethernet.
            Mode::Tc => bpf::test_run(&self.descriptor, &[0; 64], &mut [], repeat),
        };
        let total = started.elapsed();
        let run = run.map_err(|error| Failure::Engine {
            engine: NAME,
            why: error.to_string(),
        })?;
        Ok(Timing {
            result: run.result,
            mean_ns: run.mean_ns,
            total,
        })
    }
}

impl Loaded for Program {
    fn run(&mut self, block: &mut [u8]) -> Result<(), Failure> {
        self.put(block)?;
        self.time(1)?;
        self.map.read(block);
        Ok(())
    }
}

/// The kernel does not do something that has nothing to do with the program.
fn unable(what: &'static str, error: &io::Error) -> Refusal {
    if bpf::lacks_privilege(error) {
        return Refusal::NeedsCapBpf;
    }
    Refusal::NoKernel {
        what,
        why: error.to_string(),
    }
}
