//! What a term costs, in eBPF instructions, roughly.
//!
//! What stands under a lambda is computed for each member; a list is taken to have a few.

use progmp_ir::{ArithOp, Kind};
use progmp_rules::{Op, Term};

use crate::tree::Tree;

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

/// What evaluating a term costs once it is compiled, with what is known of lists: a subflow list is a word,
/// predicates of flags are word arithmetic, and only the others go around a loop.
pub(crate) fn price(tree: &Tree, term: &Term) -> u64 {
    let of = |index: usize| price(tree, &term.args[index]);
    let all = || (0..term.args.len()).map(of).sum::<u64>();
    let under = |index: usize| u64::try_from(cost(&term.args[index])).unwrap_or(u64::MAX);
    let is_packets = |list: &Term| tree.list_source(list).kind() == Kind::Packet;
    match term.op {
        Op::Int(_) | Op::Bool(_) | Op::Var(..) | Op::Param(..) => 0,
        Op::NullInt | Op::NullBool | Op::NullElement(_) | Op::Not => all(),
        Op::Filter if is_packets(term) => of(0) + 12 + 4 * under(1),
        Op::Filter if is_word(&term.args[1]) => of(0) + under(1),
        Op::Filter => of(0) + 4 + 4 * under(1),
        Op::Extremum(_) | Op::Sum => of(0) + 6 + 3 * under(1),
        Op::Count => of(0) + 12,
        Op::First | Op::Last | Op::Get if is_packets(&term.args[0]) => match term.args[0].op {
            Op::Var(..) => 2,
            _ => of(0) + 18,
        },
        Op::First | Op::Last | Op::Get => of(0) + 8,
        _ => all() + 1,
    }
}

/// Whether a predicate over subflows, which stands under one lambda, is arithmetic on words with a bit
/// for each subflow.
pub(crate) fn is_word(predicate: &Term) -> bool {
    let args = &predicate.args;
    let is_param = |term: &Term| matches!(term.op, Op::Param(..));
    match predicate.op {
        Op::Not | Op::And | Op::Or => args.iter().all(is_word),
        Op::SubflowBool(_) => is_param(&args[0]),
        Op::HasWindowFor => is_param(&args[0]) && is_plain(&args[1]),
        Op::SentOn => is_plain(&args[0]) && is_param(&args[1]),
        _ => is_plain(predicate),
    }
}

/// Whether a term is the same for all elements and has no loop.
fn is_plain(term: &Term) -> bool {
    !term.op.binds() && !matches!(term.op, Op::Param(..)) && term.args.iter().all(is_plain)
}
