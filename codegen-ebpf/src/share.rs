//! Common subexpressions: what was computed in a block that dominates is not computed again.
//!
//! Only arithmetic is shared, and only what costs more than a register over a long way would:
//! loads stay where they are, as recipe and memory order want it.

use std::collections::BTreeMap;

use crate::cfg;
use crate::isa::AluOp;
use crate::vcode::{BlockId, Op, Src, Vcode, Vreg};

/// Shares what is computed twice.
pub(crate) fn share(code: &mut Vcode) {
    let dominance = cfg::Dominance::new(code);
    let mut names: Vec<Vreg> = (0..code.vregs).map(Vreg::new).collect();
    // Of each operation, the vregs that hold it, and where they are defined.
    let mut known: BTreeMap<Op, Vec<(BlockId, Vreg)>> = BTreeMap::new();
    // Blocks come in reverse postorder: a dominator before what it dominates.
    for position in 0..code.blocks.len() {
        let here = BlockId::new(position);
        let mut insts = std::mem::take(&mut code.blocks[position].insts);
        insts.retain_mut(|inst| {
            inst.op = inst.op.map(|vreg| names[vreg.index()]);
            let (Some(def), true) = (inst.def, is_shared(inst.op)) else {
                return true;
            };
            let holders = known.entry(inst.op).or_default();
            let dominates = |block: BlockId| dominance.dominates(block.index(), position);
            if let Some(&(_, holder)) = holders.iter().find(|(block, _)| dominates(*block)) {
                names[def.index()] = holder;
                return false;
            }
            holders.push((here, def));
            true
        });
        code.blocks[position].insts = insts;
        code.blocks[position]
            .term
            .rename(|vreg| names[vreg.index()]);
    }
    crate::simplify::rename(code, |vreg| names[vreg.index()]);
}

/// Addresses of records: a shift, and a sum of two vregs; and the masks before them.
const fn is_shared(op: Op) -> bool {
    matches!(
        op,
        Op::Alu {
            op: AluOp::Lsh | AluOp::And | AluOp::Add,
            b: Src::Imm(_),
            ..
        } | Op::Alu {
            op: AluOp::Add,
            b: Src::Vreg(_),
            ..
        }
    )
}
