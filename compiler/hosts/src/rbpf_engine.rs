//! rbpf 0.4 as a third opinion, on the instructions that it knows.
//!
//! rbpf runs signed division as unsigned and sign-extending moves as plain ones, and gets two
//! older instructions wrong, all without a word. So whatever came with ISA v4, `may_goto`, atomics,
//! calls and those two are refused here before it sees them. It has no fuel: run only what is known to end.

use progmp_verifier::ebpf::{BinaryOp, Byteorder, Cond, Constant, Insn, Source, decode};

use crate::{Engine, Failure, Image, Loaded, Refusal, check_length};

/// The engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rbpf;

const NAME: &str = "rbpf";
/// Opcode of `gotol`, which the decoder tells apart from `goto` no more.
const JUMP_LONG: u8 = 0x06;

impl Engine for Rbpf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn load(&self, image: &Image) -> Result<Box<dyn Loaded>, Refusal> {
        for (slot, insn) in decode(&image.code)?.insns() {
            let is_long = image.code[8 * slot] == JUMP_LONG;
            let what = if is_long {
                Some("long jumps")
            } else {
                unknown(insn)
            };
            if let Some(what) = what {
                return Err(Refusal::Unsupported { engine: NAME, what });
            }
        }
        // The block stays where it is, so its address can be part of the code.
        let block = vec![0_u8; image.block_bytes].into_boxed_slice();
        let code = image.with_address(block.as_ptr() as u64);
        // What rbpf itself refuses is refused here; a run makes its machine anew.
        rbpf::EbpfVmRaw::new(Some(&code)).map_err(|error| Refusal::Invalid {
            engine: NAME,
            why: error.to_string(),
        })?;
        Ok(Box::new(Ready { code, block }))
    }
}

/// What rbpf does not know about an instruction.
const fn unknown(insn: Insn) -> Option<&'static str> {
    match insn {
        Insn::Binary {
            op: BinaryOp::DivideSigned | BinaryOp::RemainderSigned,
            ..
        } => Some("signed division"),
        // Its remainder by 0 leaves the upper half as it was.
        Insn::Binary {
            op: BinaryOp::Remainder,
            wide: false,
            src: Source::Register(_),
            ..
        } => Some("32-bit remainders by a register"),
        // It does not extend the sign of the immediate.
        Insn::Branch {
            cond:
                Cond::Equal
                | Cond::NotEqual
                | Cond::Above
                | Cond::AboveOrEqual
                | Cond::Below
                | Cond::BelowOrEqual,
            wide: true,
            src: Source::Immediate(..0),
            ..
        } => Some("unsigned comparisons with negative immediates"),
        Insn::SignExtend { .. } => Some("moves that extend the sign"),
        Insn::Load { signed: true, .. } => Some("loads that extend the sign"),
        Insn::Reorder {
            order: Byteorder::Swap,
            ..
        } => Some("unconditional byte swaps"),
        Insn::MayGoto { .. } => Some("may_goto"),
        Insn::Atomic { .. } => Some("atomic operations"),
        Insn::Call { .. } => Some("calls"),
        Insn::Load64 {
            constant: Constant::Map(_) | Constant::Variable(_) | Constant::Subprogram(_),
            ..
        } => Some("constants that a kernel resolves"),
        _ => None,
    }
}

struct Ready {
    code: Vec<u8>,
    block: Box<[u8]>,
}

impl Loaded for Ready {
    fn run(&mut self, block: &mut [u8]) -> Result<(), Failure> {
        check_length(self.block.len(), block)?;
        self.block.copy_from_slice(block);
        let failed = |error: rbpf::lib::Error| Failure::Engine {
            engine: NAME,
            why: error.to_string(),
        };
        let machine = rbpf::EbpfVmRaw::new(Some(&self.code)).map_err(failed)?;
        machine.execute_program(&mut self.block).map_err(failed)?;
        block.copy_from_slice(&self.block);
        Ok(())
    }
}
