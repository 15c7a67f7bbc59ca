//! What a term costs, in eBPF instructions, roughly.
//!
//! What stands under a lambda is computed for each member; a list is taken to have a few.

use progmp_ir::ArithOp;
use progmp_rules::{Op, Term};

/// Members of a list, for the estimate.
const MEMBERS: usize = 4;

/// What an operator costs beside its operands.
pub(crate) const fn own(op: Op) -> usize {
    match op {
        // Complements are folded into what uses them.
        Op::Not => 0,
        Op::Int(_)
        | Op::Bool(_)
        | Op::NullInt
        | Op::NullBool
        | Op::NullElement(_)
        | Op::Var(..)
        | Op::Param(..)
        | Op::And
        | Op::Or
        | Op::Arith(ArithOp::Add | ArithOp::Sub | ArithOp::Mul) => 1,
        Op::Register(_)
        | Op::Time
        | Op::Subflows
        | Op::Queue(_)
        | Op::Order(_)
        | Op::Equal
        | Op::Unequal
        | Op::SubflowInt(_)
        | Op::SubflowBool(_)
        | Op::PacketInt(_)
        | Op::Psh
        | Op::Empty
        | Op::First
        | Op::Last => 2,
        Op::HasWindowFor | Op::SentOn | Op::SentOnAll => 3,
        Op::Arith(ArithOp::Div | ArithOp::Rem) => 4,
        Op::Extremum(_) | Op::Sum => 6,
        Op::Count | Op::Get => 8,
        // Another walk over the list.
        Op::Filter => 16,
    }
}

/// What operands cost, in order.
pub(crate) fn all(op: Op, args: &[usize]) -> usize {
    let rounds = |index: usize| if op.binds() && index == 1 { MEMBERS } else { 1 };
    let parts = args.iter().enumerate();
    parts.fold(own(op), |sum, (index, cost)| {
        sum.saturating_add(cost.saturating_mul(rounds(index)))
    })
}

/// What a term costs.
pub fn cost(term: &Term) -> usize {
    let args: Vec<usize> = term.args.iter().map(cost).collect();
    all(term.op, &args)
}
