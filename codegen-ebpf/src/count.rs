//! How often a program acts and pops at most, from its loops alone.

use progmp_abi::layout;
use progmp_ir::{Block, ListSource, Operand, Program, QueueName, Stmt, StmtKind};

use crate::Error;
use crate::bounds::Formula;

/// How many actions one execution yields at most.
pub(crate) fn actions(program: &Program) -> Result<Formula, Error> {
    let acts = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Push { .. } | StmtKind::Drop { .. });
    let formula = times(program, &program.body, &acts);
    let actions = formula.at(layout::SUBFLOWS as u64, layout::QUEUE_MAX as u64);
    let available = layout::ACTIONS as u64;
    if actions > available {
        return Err(Error::TooManyActions {
            actions,
            formula,
            available,
        });
    }
    Ok(formula)
}

/// How many packets one execution pops from Q at most: no more than it holds.
pub(crate) fn popped(program: &Program) -> Formula {
    let pops = |stmt: &Stmt| match stmt.kind {
        StmtKind::Push {
            packet: operand, ..
        }
        | StmtKind::Drop { packet: operand }
        | StmtKind::Let { init: operand, .. } => match operand {
            Operand::Pop { list, .. } => {
                program.list_source(list) == ListSource::Queue(QueueName::Send)
            }
            Operand::Expr(_) => false,
        },
        _ => false,
    };
    let formula = times(program, &program.body, &pops);
    // In the bounded form there are fewer packets, and hardly more than subflows.
    if formula.at(layout::SUBFLOWS as u64, 64) > 64 {
        Formula::packets(1)
    } else {
        formula
    }
}

/// How often statements of a kind are executed at most.
fn times(program: &Program, block: &Block, counts: &dyn Fn(&Stmt) -> bool) -> Formula {
    let of = |stmt: &Stmt| match &stmt.kind {
        StmtKind::If {
            then, otherwise, ..
        } => {
            let no = otherwise
                .as_ref()
                .map(|block| times(program, block, counts));
            times(program, then, counts).or(&no.unwrap_or_default())
        }
        StmtKind::Foreach { list, body, .. } => {
            let rounds = match program.list_source(*list) {
                ListSource::Subflows => Formula::subflows(),
                ListSource::Queue(QueueName::Unacked) => Formula::packets(2),
                ListSource::Queue(_) => Formula::packets(1),
            };
            &rounds * &times(program, body, counts)
        }
        _ => Formula::constant(u64::from(counts(stmt))),
    };
    let all = block.iter().map(of);
    all.fold(Formula::default(), |sum, each| &sum + &each)
}
