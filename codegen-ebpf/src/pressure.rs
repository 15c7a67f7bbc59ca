//! How many values are needed at one time: for the message about a frame that is too large.

use std::collections::BTreeSet;

use progmp_ir::{ExprKind, Program, Span};

use crate::vcode::{Vcode, Vreg};

/// The most vregs that are live at one time, and the names of the program's variables that are
/// declared before that place and read after it.
pub(crate) fn worst(program: &Program, code: &Vcode) -> (usize, Vec<String>) {
    let live_out = live_out(code);
    let mut worst = (0, Span::default());
    for (block, live_out) in code.blocks.iter().zip(&live_out) {
        let mut live = live_out.clone();
        live.extend(block.term.uses());
        note(&mut worst, &live, block.span);
        for inst in block.insts.iter().rev() {
            if let Some(def) = inst.def {
                live.remove(&def);
            }
            live.extend(inst.op.uses());
            note(&mut worst, &live, inst.span);
        }
    }
    let (pressure, place) = worst;
    let read_after = |var: usize| {
        program.exprs.iter().any(|expr| match expr.kind {
            ExprKind::Var(read) => read.index() == var && expr.span.end >= place.start,
            _ => false,
        })
    };
    let names = program.vars.iter().enumerate().filter(|(number, var)| {
        let declared_before = var.span.start <= place.end;
        declared_before && read_after(*number)
    });
    let mut names: Vec<String> = names.map(|(_, var)| var.name.clone()).collect();
    names.dedup();
    (pressure, names)
}

fn note(worst: &mut (usize, Span), live: &BTreeSet<Vreg>, span: Span) {
    if live.len() > worst.0 {
        *worst = (live.len(), span);
    }
}

/// What is live at the end of each block, values that edges pass included.
fn live_out(code: &Vcode) -> Vec<BTreeSet<Vreg>> {
    let mut live_in: Vec<BTreeSet<Vreg>> = vec![BTreeSet::new(); code.blocks.len()];
    let mut live_out = live_in.clone();
    loop {
        let mut changed = false;
        for (position, block) in code.blocks.iter().enumerate().rev() {
            let mut live = BTreeSet::new();
            for edge in block.term.edges() {
                live.extend(&live_in[edge.to.index()]);
                live.extend(&edge.args);
            }
            live_out[position].clone_from(&live);
            live.extend(block.term.uses());
            for inst in block.insts.iter().rev() {
                if let Some(def) = inst.def {
                    live.remove(&def);
                }
                live.extend(inst.op.uses());
            }
            for param in &block.params {
                live.remove(param);
            }
            if live != live_in[position] {
                live_in[position] = live;
                changed = true;
            }
        }
        if !changed {
            return live_out;
        }
    }
}
