//! A value and the variable that holds it: one in place of the other.

use progmp_rules::{Op, Term};

use crate::block::{blocks, blocks_mut, changes, places_mut, reads};
use crate::tree::{Node, NodeKind, Tree};

/// A block with a value in place of a variable; `None` if something changes what the value reads
/// before the variable is read.
pub(crate) fn with_value(tree: &Tree, block: &[Node], var: u32, value: &Term) -> Option<Vec<Node>> {
    if !is_steady(tree, block, var, value) {
        return None;
    }
    let mut block = block.to_vec();
    replaced(&mut block, &|term, depth| {
        matches!(term.op, Op::Var(number, _) if number == var).then(|| lifted(value, depth))
    });
    Some(block)
}

/// A block with a variable in place of a value, wherever it stands.
pub(crate) fn with_name(block: &[Node], var: u32, value: &Term) -> Vec<Node> {
    let mut block = block.to_vec();
    let name = Term::leaf(Op::Var(var, value.op.sort()));
    replaced(&mut block, &|term, depth| {
        (*term == lifted(value, depth)).then(|| name.clone())
    });
    block
}

/// A block with a variable in place of a value, as long as nothing changes what the value reads.
pub(crate) fn with_name_while(tree: &Tree, block: &[Node], var: u32, value: &Term) -> Vec<Node> {
    let mut block = block.to_vec();
    let name = Term::leaf(Op::Var(var, value.op.sort()));
    for node in &mut block {
        let changed = changes(tree, node, value);
        let round = matches!(node.kind, NodeKind::Foreach { .. });
        for place in places_mut(node) {
            place.term = exchanged(&place.term, 0, &|term, depth| {
                (*term == lifted(value, depth)).then(|| name.clone())
            });
        }
        if !(changed && round) {
            for inner in blocks_mut(node) {
                *inner = with_name_while(tree, inner, var, value);
            }
        }
        if changed {
            break;
        }
    }
    block
}

/// Whether the value is what it was before the block wherever the variable is read.
fn is_steady(tree: &Tree, block: &[Node], var: u32, value: &Term) -> bool {
    block.iter().enumerate().all(|(at, node)| {
        let inner = blocks(node);
        let changed = changes(tree, node, value);
        // A round of a loop comes after the one before it.
        let again = matches!(node.kind, NodeKind::Foreach { .. }) && changed;
        let read_again = again && inner.iter().any(|b| b.iter().any(|node| reads(node, var)));
        let read_later = changed && block[at + 1..].iter().any(|node| reads(node, var));
        !read_again && !read_later && inner.iter().all(|b| is_steady(tree, b, var, value))
    })
}

type Exchange<'e> = dyn Fn(&Term, u8) -> Option<Term> + 'e;

fn replaced(block: &mut [Node], exchange: &Exchange<'_>) {
    for node in block {
        for place in places_mut(node) {
            place.term = exchanged(&place.term, 0, exchange);
        }
        for inner in blocks_mut(node) {
            replaced(inner, exchange);
        }
    }
}

fn exchanged(term: &Term, depth: u8, exchange: &Exchange<'_>) -> Term {
    if let Some(other) = exchange(term, depth) {
        return other;
    }
    let args = term.args.iter().enumerate().map(|(index, arg)| {
        let inner = term.op.binds() && index == 1;
        exchanged(arg, depth + u8::from(inner), exchange)
    });
    Term::new(term.op, args.collect())
}

/// A term that reads no parameter from outside, under so many lambdas more.
fn lifted(term: &Term, depth: u8) -> Term {
    let op = match term.op {
        Op::Param(level, kind) => Op::Param(level + depth, kind),
        op => op,
    };
    let args = term.args.iter().map(|arg| lifted(arg, depth));
    Term::new(op, args.collect())
}
