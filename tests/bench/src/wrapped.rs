//! A program with a loop around it, for the kernel's test runs.
//!
//! The loop puts the words of the next state into the block and calls the program with the block's
//! address in r1, 2,048 times a run. Behind the block, in the same map, stand the number of calls,
//! the counter, and the words of all states.

use std::time::Instant;

use progmp_abi::layout::block;
use progmp_codegen_ebpf::Code;
use progmp_codegen_ebpf::isa::{
    AluOp, Callee, Cond, Imm64, Insn, Reg, Size, alu64, encode, jump_if, load, mov, store,
};
use progmp_hosts::{Image, Mode, Program};

use crate::CALLS;
use crate::states::States;

/// Runs that the kernel repeats in one round.
const REPEAT: u32 = 20;

/// A loaded loop.
pub(crate) struct Wrapped {
    program: Program,
    bytes: usize,
}

impl Wrapped {
    /// Around what the code generator made.
    pub(crate) fn of(code: &Code, states: &States) -> Result<Self, String> {
        let mut body = vec![mov(code.base, Reg::R1)];
        body.extend(&code.insns);
        Self::load(&encode(&body), states)
    }

    /// Around a function that gets the address of the block in r1.
    pub(crate) fn load(function: &[u8], states: &States) -> Result<Self, String> {
        let behind = u32::try_from(block::BYTES).expect("a block is small");
        let map = |dst, offset| Insn::LoadImm64 {
            dst,
            imm: Imm64::MapValue { fd: 0, offset },
        };
        let (limit, count, kept) = (0, 8, 16);
        let mut before = vec![
            map(Reg::R6, 0),
            map(Reg::R7, behind),
            load(Size::U64, Reg::R1, Reg::R7, limit),
            store(Size::U64, Reg::R7, count, Reg::R1),
        ];
        let mask = i32::try_from(states.len() - 1).expect("there are few states");
        let stride = i32::try_from(8 * states.words.len()).expect("there are few words");
        let mut body = vec![
            load(Size::U64, Reg::R1, Reg::R7, count),
            alu64(AluOp::Sub, Reg::R1, 1),
            store(Size::U64, Reg::R7, count, Reg::R1),
            alu64(AluOp::And, Reg::R1, mask),
            alu64(AluOp::Mul, Reg::R1, stride),
            alu64(AluOp::Add, Reg::R1, Reg::R7),
        ];
        for (number, &at) in (0..).zip(&states.words) {
            let at = i16::try_from(at).expect("what differs stands near the front");
            body.push(load(Size::U64, Reg::R2, Reg::R1, kept + 8 * number));
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
        let bytes = block::BYTES + 16 + 8 * states.words.len() * states.len();
        let image = Image {
            block_bytes: bytes,
            ..Image::new(code)
        };
        let program = crate::prepared(Mode::Tc, &image)?;
        Ok(Self { program, bytes })
    }

    fn put(&mut self, states: &States, from: usize, calls: u32) -> Result<(), String> {
        let mut bytes = states.block().to_vec();
        bytes.extend_from_slice(&u64::from(calls).to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&states.kept(from));
        self.program.put(&bytes).map_err(|error| error.to_string())
    }

    /// The block after one call on a state.
    pub(crate) fn once(&mut self, states: &States, number: usize) -> Result<Vec<u8>, String> {
        self.put(states, number, 1)?;
        self.program.time(1).map_err(|error| error.to_string())?;
        let mut after = vec![0; self.bytes];
        self.program
            .get(&mut after)
            .map_err(|error| error.to_string())?;
        after.truncate(block::BYTES);
        Ok(after)
    }

    /// Nanoseconds of one call, going around the states.
    pub(crate) fn time(&mut self, states: &States) -> Result<f64, String> {
        self.put(states, 0, CALLS)?;
        let started = Instant::now();
        self.program
            .time(REPEAT)
            .map_err(|error| error.to_string())?;
        let calls = f64::from(CALLS) * f64::from(REPEAT);
        Ok(started.elapsed().as_secs_f64() * 1e9 / calls)
    }
}
