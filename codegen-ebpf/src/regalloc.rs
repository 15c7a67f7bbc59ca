//! Registers for vregs: regalloc2, and its checker on every compilation.
//!
//! Ten registers can be allocated: there are no calls after the prologue, and r10 is the frame.

use regalloc2::checker::Checker;
use regalloc2::{
    Algorithm, Block, Inst, InstRange, MachineEnv, Operand, Output, PReg, PRegSet, RegAllocError,
    RegClass, RegallocOptions, VReg,
};

use crate::vcode::{Op, Term, Vcode, Vreg};

/// A program as regalloc2 reads it: instructions in a row, the end of each block as its last.
pub(crate) struct Function {
    operands: Vec<Vec<Operand>>,
    ends: Vec<End>,
    blocks: Vec<InstRange>,
    successors: Vec<Vec<Block>>,
    predecessors: Vec<Vec<Block>>,
    params: Vec<Vec<VReg>>,
    args: Vec<Vec<Vec<VReg>>>,
    vregs: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    No,
    Branch,
    Return,
}

fn vreg(vreg: Vreg) -> VReg {
    VReg::new(vreg.index(), RegClass::Int)
}

fn preg(number: usize) -> PReg {
    PReg::new(number, RegClass::Int)
}

impl Function {
    /// The program, whose edges are split and which has no block that is not reached.
    pub(crate) fn new(code: &Vcode) -> Self {
        let blocks = code.blocks.len();
        let mut function = Self {
            operands: Vec::new(),
            ends: Vec::new(),
            blocks: Vec::new(),
            successors: Vec::new(),
            predecessors: vec![Vec::new(); blocks],
            params: Vec::new(),
            args: Vec::new(),
            vregs: code.vregs,
        };
        for (position, block) in code.blocks.iter().enumerate() {
            let first = Inst::new(function.operands.len());
            for inst in &block.insts {
                function.operands.push(operands(&inst.op, inst.def));
                function.ends.push(End::No);
            }
            let uses = block.term.uses().map(vreg).map(Operand::reg_use);
            function.operands.push(uses.collect());
            function.ends.push(match block.term {
                Term::Exit => End::Return,
                _ => End::Branch,
            });
            let last = Inst::new(function.operands.len());
            function.blocks.push(InstRange::new(first, last));
            let mut successors = Vec::new();
            let mut args = Vec::new();
            for edge in block.term.edges() {
                successors.push(Block::new(edge.to.index()));
                function.predecessors[edge.to.index()].push(Block::new(position));
                args.push(edge.args.iter().copied().map(vreg).collect());
            }
            function.successors.push(successors);
            function.args.push(args);
            let params = block.params.iter().copied().map(vreg);
            function.params.push(params.collect());
        }
        function
    }
}

fn operands(op: &Op, def: Option<Vreg>) -> Vec<Operand> {
    let mut operands: Vec<Operand> = op.uses().map(vreg).map(Operand::reg_use).collect();
    if let Some(def) = def {
        let def = vreg(def);
        operands.push(match op {
            // Two operands, one of them the result.
            Op::Alu { .. } | Op::Neg(_) => Operand::reg_reuse_def(def, 0),
            _ => Operand::reg_def(def),
        });
    }
    operands
}

impl regalloc2::Function for Function {
    fn num_insts(&self) -> usize {
        self.operands.len()
    }
    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }
    fn entry_block(&self) -> Block {
        Block::new(0)
    }
    fn block_insns(&self, block: Block) -> InstRange {
        self.blocks[block.index()]
    }
    fn block_succs(&self, block: Block) -> &[Block] {
        &self.successors[block.index()]
    }
    fn block_preds(&self, block: Block) -> &[Block] {
        &self.predecessors[block.index()]
    }
    fn block_params(&self, block: Block) -> &[VReg] {
        &self.params[block.index()]
    }
    fn is_ret(&self, inst: Inst) -> bool {
        self.ends[inst.index()] == End::Return
    }
    fn is_branch(&self, inst: Inst) -> bool {
        self.ends[inst.index()] == End::Branch
    }
    fn branch_blockparams(&self, block: Block, _: Inst, successor: usize) -> &[VReg] {
        &self.args[block.index()][successor]
    }
    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        &self.operands[inst.index()]
    }
    fn inst_clobbers(&self, _: Inst) -> PRegSet {
        PRegSet::empty()
    }
    fn num_vregs(&self) -> usize {
        self.vregs
    }
    fn spillslot_size(&self, _: RegClass) -> usize {
        1
    }
}

fn machine() -> MachineEnv {
    let mut preferred = PRegSet::empty();
    for number in 0..6 {
        preferred.add(preg(number));
    }
    // The kernel's JIT saves these in the prologue when they are used.
    let mut others = PRegSet::empty();
    for number in 6..10 {
        others.add(preg(number));
    }
    let none = PRegSet::empty();
    MachineEnv {
        preferred_regs_by_class: [preferred, none, none],
        non_preferred_regs_by_class: [others, none, none],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

/// Allocates registers and stack slots.
///
/// # Panics
/// If regalloc2 fails or its checker finds fault: the vcode is not in SSA form, or there is a bug.
pub(crate) fn allocate(code: &Vcode) -> (Function, Output) {
    let function = Function::new(code);
    let machine = machine();
    let options = RegallocOptions {
        verbose_log: false,
        validate_ssa: true,
        algorithm: Algorithm::Ion,
    };
    let output = match regalloc2::run(&function, &machine, &options) {
        Ok(output) => output,
        Err(RegAllocError::SSA(vreg, inst)) => {
            panic!("vcode is in SSA form, but {vreg} at {inst:?} is not:\n{code}")
        }
        Err(error) => panic!("ten registers are enough for any instruction: {error}"),
    };
    if let Err(errors) = check(&function, &output) {
        panic!("the allocation is right, but the checker says: {errors}");
    }
    (function, output)
}

/// regalloc2's own checker: every operand finds its vreg where the allocation says.
pub(crate) fn check(function: &Function, output: &Output) -> Result<(), String> {
    let machine = machine();
    let mut checker = Checker::new(function, &machine);
    checker.prepare(output);
    checker.run().map_err(|errors| format!("{errors:?}"))
}

#[cfg(test)]
mod tests {
    use regalloc2::{Algorithm, Allocation};

    use super::*;
    use crate::Loops;

    fn vcode() -> Vcode {
        let source = "VAR ready = SUBFLOWS.FILTER(s => s.CWND > s.QUEUED);
            IF (!Q.EMPTY) { ready.MIN(s => s.RTT).PUSH(Q.POP()); }";
        let parsed = progmp_syntax::parse("test", source.as_bytes(), &[]);
        let program = parsed.program.expect("it is correct");
        crate::prepared(&program, Loops::MayGoto)
            .expect("it is small")
            .0
    }

    #[test]
    fn the_checker_finds_a_wrong_register() {
        let (function, output) = allocate(&vcode());
        assert_eq!(check(&function, &output), Ok(()));
        let mut found = 0;
        let mut changed = 0;
        for place in (0..output.allocs.len()).step_by(7) {
            let Some(right) = output.allocs[place].as_reg() else {
                continue;
            };
            let mut wrong = output.clone();
            wrong.allocs[place] = Allocation::reg(preg((right.hw_enc() + 1) % 10));
            changed += 1;
            found += usize::from(check(&function, &wrong).is_err());
        }
        assert!(changed > 20, "{changed}");
        // Now and then the register beside holds the same value: that is no fault.
        assert!(10 * found >= 9 * changed, "{found} of {changed}");
    }

    #[test]
    fn the_checker_finds_a_missing_move() {
        let (function, output) = allocate(&vcode());
        assert!(!output.edits.is_empty());
        for place in 0..output.edits.len() {
            let mut wrong = output.clone();
            wrong.edits.remove(place);
            assert!(check(&function, &wrong).is_err(), "edit {place}");
        }
    }

    #[test]
    fn the_fast_algorithm_passes_the_checker_too() {
        let function = Function::new(&vcode());
        let options = RegallocOptions {
            verbose_log: false,
            validate_ssa: true,
            algorithm: Algorithm::Fastalloc,
        };
        let output = regalloc2::run(&function, &machine(), &options).expect("it allocates");
        assert_eq!(check(&function, &output), Ok(()));
    }
}
