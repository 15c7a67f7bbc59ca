//! Instructions for vcode with registers: frame, moves, jumps, lines and bounds.

use progmp_abi::layout;
use progmp_ir::{Program, Span};
use regalloc2::{Allocation, Edit, InstOrEdit, Output};

use crate::bounds::Formula;
use crate::isa::{self, AluOp, Cond, Imm64, Insn, Operand, Reg, Size, Width};
use crate::jump::{self, Item};
use crate::pressure;
use crate::regalloc::{self, Function};
use crate::vcode::{Block, BlockId, Op, Src, Term, Vcode};
use crate::{Code, Error, Loops};

/// What bounds one execution, in the numbers of subflows and packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Actions.
    pub actions: Formula,
    /// Rounds of all loops together.
    pub rounds: Formula,
    /// Instructions.
    pub steps: Formula,
}

/// Rounds of `may_goto` that one run has (`BPF_MAX_LOOPS`, Linux 6.9).
const ROUNDS: u64 = 8 * 1024 * 1024;
/// Rounds after which the kernel looks at the clock, if its `may_goto` is timed
/// (`BPF_MAX_TIMED_LOOPS`, Linux 6.15 on x86).
const TIMED_ROUNDS: u64 = 0xffff;
/// Instructions that end within the 250 ms which such a run has (`bpf_check_timed_may_goto`), at
/// 15 ns each: a division by a register may take that long.
const STEPS: u64 = 1 << 24;
/// Instructions of a program (`BPF_COMPLEXITY_LIMIT_INSNS`).
pub(crate) const SLOTS: usize = 1_000_000;
/// What an estimate of the instructions that the kernel's verifier walks may be. It walks a million
/// at most; where it finds no state to compare with, it walks some ways again.
const WALKED: u64 = 540_000;
/// Instructions that it walks again for a branch in a loop, until it finds a state to compare with.
const WALKED_AGAIN: u64 = 40;
/// Packets of each queue that a program in the bounded form is shown.
const BOUNDED_PACKETS: u64 = 64;
/// Bytes of stack (`MAX_BPF_STACK`).
const STACK: usize = 512;
/// What the kernel takes of the stack for `may_goto`: a counter, and in later versions a time.
const STACK_OF_MAY_GOTO: usize = 16;

/// Gives registers to vcode whose edges are split and whose blocks are in order.
pub(crate) fn emit(
    program: &Program,
    vcode: Vcode,
    rounds: &Formula,
    actions: Formula,
    loops: Loops,
) -> Result<Code, Error> {
    let most = rounds.at(layout::SUBFLOWS as u64, layout::QUEUE_MAX as u64);
    if loops == Loops::MayGoto && most > ROUNDS {
        return Err(Error::TooManySteps {
            what: "rounds of loops",
            count: most,
            formula: rounds.clone(),
            available: ROUNDS,
        });
    }
    let (function, output) = regalloc::allocate(&vcode);
    let stack_bytes = 8 * output.num_spillslots;
    let available = match loops {
        Loops::MayGoto => STACK - STACK_OF_MAY_GOTO,
        Loops::Bounded => STACK,
    };
    if stack_bytes > available {
        let (pressure, variables) = pressure::worst(program, &vcode);
        return Err(Error::TooMuchStack {
            bytes: stack_bytes,
            available,
            pressure,
            variables,
        });
    }
    let mut writer = Writer {
        vcode: &vcode,
        items: Vec::new(),
        base: Reg::R0,
        starts: Vec::new(),
    };
    writer.program(&function, &output);
    let base = writer.base;
    let (items, starts) = (writer.items, writer.starts);
    let placed = jump::place(&items, &starts);
    let slots = placed.slots;
    if slots > SLOTS {
        return Err(Error::TooManyInstructions {
            slots,
            available: SLOTS,
        });
    }
    let mut steps = Formula::default();
    for (block, size) in vcode.blocks.iter().zip(&placed.sizes) {
        steps = &steps + &(&block.trips * &Formula::constant(*size as u64));
    }
    let longest = steps.at(layout::SUBFLOWS as u64, layout::QUEUE_MAX as u64);
    if loops == Loops::MayGoto && most >= TIMED_ROUNDS && longest > STEPS {
        return Err(Error::TooManySteps {
            what: "instructions",
            count: longest,
            formula: steps,
            available: STEPS,
        });
    }
    if loops == Loops::Bounded {
        let walked = walked(&vcode, &steps);
        let available = WALKED;
        if walked > available {
            return Err(Error::TooLargeForBounded { walked, available });
        }
    }
    Ok(Code {
        base,
        insns: placed.insns,
        lines: placed.lines,
        stack_bytes,
        bounds: Bounds {
            actions,
            rounds: rounds.clone(),
            steps,
        },
        loops,
        vcode,
    })
}

/// How many instructions the kernel's verifier walks in the bounded form, about: each loop as often
/// as it goes around, and ways that part in a loop twice.
fn walked(vcode: &Vcode, steps: &Formula) -> u64 {
    let (subflows, packets) = (layout::SUBFLOWS as u64, BOUNDED_PACKETS);
    let parts = |block: &&Block| match &block.term {
        // The number of the round is known there.
        Term::If { cond, a, .. } => *cond != Cond::Ge || block.params.last() != Some(a),
        _ => false,
    };
    let times = |block: &Block| match block.trips.at(subflows, packets) {
        1 => 0,
        times => times,
    };
    let branches = vcode.blocks.iter().filter(parts).map(times);
    let branches = branches.fold(0, u64::saturating_add);
    let again = branches.saturating_mul(WALKED_AGAIN);
    steps.at(subflows, packets).saturating_add(again)
}

struct Writer<'v> {
    vcode: &'v Vcode,
    items: Vec<(Item, Span)>,
    base: Reg,
    /// The first item of each block.
    starts: Vec<usize>,
}

fn reg(allocation: Allocation) -> Reg {
    let number = allocation
        .as_reg()
        .and_then(|preg| Reg::new(u8::try_from(preg.hw_enc()).ok()?));
    number.expect("every operand is to be in a register")
}

/// Where a spill slot is, from the end of the frame.
fn slot(allocation: Allocation) -> Option<i16> {
    let slot = allocation.as_stack()?.index();
    let end = i16::try_from(8 * (slot + 1)).expect("the frame was found to fit");
    Some(-end)
}

impl Writer<'_> {
    fn program(&mut self, function: &Function, output: &Output) {
        let vcode = self.vcode;
        for (position, block) in vcode.blocks.iter().enumerate() {
            self.starts.push(self.items.len());
            let of_block = regalloc2::Block::new(position);
            let mut number = 0;
            for item in output.block_insts_and_edits(function, of_block) {
                match item {
                    InstOrEdit::Inst(inst) => {
                        let allocations = output.inst_allocs(inst);
                        if let Some(inst) = block.insts.get(number) {
                            self.inst(inst.op, allocations, inst.span);
                        } else {
                            let next = BlockId::new(position + 1);
                            self.end(&block.term, allocations, next, block.span);
                        }
                        number += 1;
                    }
                    InstOrEdit::Edit(Edit::Move { from, to }) => {
                        let span = block.insts.get(number).map_or(block.span, |inst| inst.span);
                        self.transfer(*from, *to, span);
                    }
                }
            }
        }
    }

    fn push(&mut self, insn: Insn, span: Span) {
        self.items.push((Item::Insn(insn), span));
    }

    fn transfer(&mut self, from: Allocation, to: Allocation, span: Span) {
        let insn = match (slot(from), slot(to)) {
            (None, None) => isa::mov(reg(to), reg(from)),
            (None, Some(off)) => isa::store(Size::U64, Reg::R10, off, reg(from)),
            (Some(off), None) => isa::load(Size::U64, reg(to), Reg::R10, off),
            (Some(_), Some(_)) => unreachable!("regalloc2 moves through a register"),
        };
        self.push(insn, span);
    }

    fn inst(&mut self, op: Op, at: &[Allocation], span: Span) {
        let src = |src: Src, at: &[Allocation]| match src {
            Src::Imm(imm) => Operand::Imm(imm),
            Src::Vreg(_) => Operand::Reg(reg(at[1])),
        };
        let insn = match op {
            Op::Base => {
                self.base = reg(at[0]);
                return;
            }
            Op::Const(value) => constant(reg(at[0]), value),
            Op::Alu { op, width, b, .. } => Insn::Alu {
                op,
                width,
                dst: reg(at[0]),
                src: src(b, at),
            },
            Op::Neg(_) => Insn::Neg {
                width: Width::W64,
                dst: reg(at[0]),
            },
            Op::Load { size, off, .. } => isa::load(size, reg(at[1]), reg(at[0]), off),
            Op::Store {
                size, off, value, ..
            } => isa::store(size, reg(at[0]), off, src(value, at)),
        };
        self.push(insn, span);
    }

    fn end(&mut self, term: &Term, at: &[Allocation], next: BlockId, span: Span) {
        match term {
            Term::Jump(edge) => self.go(edge.to, span),
            Term::If {
                cond,
                width,
                b,
                yes,
                no,
                no_follows,
                ..
            } => {
                let (cond, to, other) = match jump::inverse(*cond) {
                    Some(inverse) if yes.to == next && !no_follows => (inverse, no.to, yes.to),
                    _ => (*cond, yes.to, no.to),
                };
                let fixed = *no_follows;
                let src = match b {
                    Src::Imm(imm) => Operand::Imm(*imm),
                    Src::Vreg(_) => Operand::Reg(reg(at[1])),
                };
                let (width, dst) = (*width, reg(at[0]));
                self.items.push((
                    Item::JumpIf {
                        cond,
                        width,
                        dst,
                        src,
                        to,
                        fixed,
                    },
                    span,
                ));
                self.go(other, span);
            }
            Term::MayGoto { next, spent } => {
                self.items.push((Item::MayGoto { to: spent.to }, span));
                self.go(next.to, span);
            }
            Term::Exit => {
                self.push(isa::mov(Reg::R0, 0), span);
                self.push(Insn::Exit, span);
            }
        }
    }

    /// A jump; one to the next instruction is left out later.
    fn go(&mut self, to: BlockId, span: Span) {
        self.items.push((Item::Jump { to }, span));
    }
}

/// A constant in the shortest form.
fn constant(dst: Reg, value: u64) -> Insn {
    if let Ok(imm) = i32::try_from(value.cast_signed()) {
        return isa::mov(dst, imm);
    }
    match u32::try_from(value) {
        Ok(value) => isa::alu32(AluOp::Mov, dst, value.cast_signed()),
        Err(_) => Insn::LoadImm64 {
            dst,
            imm: Imm64::Value(value),
        },
    }
}
