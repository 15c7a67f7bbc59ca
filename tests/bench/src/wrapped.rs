//! A program with a loop around it, for the kernel's test runs.
//!
//! The loop puts back what the program may have written (for fewer than 64 packets) and calls it
//! with the address of the block in r1, 1,000 times a run. Behind the block, in the same map,
//! stand those words as they were, and the counter.

use std::time::Instant;

use progmp_abi::layout::{block, queue};
use progmp_codegen_ebpf::Code;
use progmp_codegen_ebpf::isa::{
    AluOp, Callee, Cond, Imm64, Insn, Reg, Size, alu64, encode, jump_if, load, mov, store,
};
use progmp_hosts::{Image, Mode, Program};

use crate::CALLS;

/// Runs that the kernel repeats in one round.
const REPEAT: u32 = 20;

/// Offsets of the words that are put back: the first of each queue, registers, status and count.
fn words() -> Vec<usize> {
    let queues = (0..3).flat_map(|q| {
        let at = block::QUEUE + q * queue::BYTES;
        [at + queue::SOME, at + queue::WORD]
    });
    let registers = (0..6).map(|r| block::REG + 8 * r);
    queues.chain(registers).chain([block::STATUS]).collect()
}

/// A loaded loop.
pub(crate) struct Wrapped {
    program: Program,
    words: Vec<usize>,
}

impl Wrapped {
    /// Around what the code generator made.
    pub(crate) fn of(code: &Code) -> Result<Self, String> {
        let mut body = vec![mov(code.base, Reg::R1)];
        body.extend(&code.insns);
        Self::load(&encode(&body))
    }

    /// Around a function that gets the address of the block in r1.
    pub(crate) fn load(function: &[u8]) -> Result<Self, String> {
        let words = words();
        let kept = offset(block::BYTES);
        let counter = |at: usize| i16::try_from(8 * at).expect("there are few words");
        let (limit, count) = (counter(words.len()), counter(words.len() + 1));
        let map = |offset| Imm64::MapValue { fd: 0, offset };
        let mut before = vec![
            Insn::LoadImm64 {
                dst: Reg::R6,
                imm: map(0),
            },
            Insn::LoadImm64 {
                dst: Reg::R7,
                imm: map(kept),
            },
            load(Size::U64, Reg::R1, Reg::R7, limit),
            store(Size::U64, Reg::R7, count, Reg::R1),
        ];
        let mut body = vec![
            load(Size::U64, Reg::R1, Reg::R7, count),
            alu64(AluOp::Sub, Reg::R1, 1),
            store(Size::U64, Reg::R7, count, Reg::R1),
        ];
        for (number, &at) in words.iter().enumerate() {
            let at = i16::try_from(at).expect("the writable part begins the block");
            body.push(load(Size::U64, Reg::R2, Reg::R7, counter(number)));
            body.push(store(Size::U64, Reg::R6, at, Reg::R2));
        }
        body.push(mov(Reg::R1, Reg::R6));
        // loop: may_goto end; if count == 0 goto end; …; call; goto loop; end: r0 = 0; exit
        let slots = i16::try_from(body.len()).expect("the loop is short");
        before.push(Insn::MayGoto { off: slots + 4 });
        before.push(load(Size::U64, Reg::R1, Reg::R7, count));
        before.push(jump_if(Cond::Eq, Reg::R1, 0, slots + 2));
        body.push(Insn::Call {
            callee: Callee::Local(3),
        });
        body.push(Insn::Goto { off: -(slots + 5) });
        before.extend(body);
        before.push(mov(Reg::R0, 0));
        before.push(Insn::Exit);
        let mut code = encode(&before);
        code.extend_from_slice(function);
        let image = Image {
            block_bytes: block::BYTES + 8 * (words.len() + 2),
            ..Image::new(code)
        };
        let program = crate::prepared(Mode::Tc, &image)?;
        Ok(Self { program, words })
    }

    fn put(&mut self, shown: &[u8], calls: u32) -> Result<(), String> {
        let mut bytes = shown.to_vec();
        for &at in &self.words {
            bytes.extend_from_slice(&shown[at..at + 8]);
        }
        bytes.extend_from_slice(&u64::from(calls).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        self.program.put(&bytes).map_err(|error| error.to_string())
    }

    /// The block after one call.
    pub(crate) fn once(&mut self, shown: &[u8]) -> Result<Vec<u8>, String> {
        self.put(shown, 1)?;
        self.program.time(1).map_err(|error| error.to_string())?;
        let mut after = vec![0; block::BYTES + 8 * (self.words.len() + 2)];
        self.program
            .get(&mut after)
            .map_err(|error| error.to_string())?;
        after.truncate(block::BYTES);
        Ok(after)
    }

    /// Nanoseconds of one call.
    pub(crate) fn time(&mut self, shown: &[u8]) -> Result<f64, String> {
        self.put(shown, CALLS)?;
        let started = Instant::now();
        self.program
            .time(REPEAT)
            .map_err(|error| error.to_string())?;
        let calls = f64::from(CALLS) * f64::from(REPEAT);
        Ok(started.elapsed().as_secs_f64() * 1e9 / calls)
    }
}

fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a block is small")
}
