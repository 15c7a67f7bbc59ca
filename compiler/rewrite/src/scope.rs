//! Names: each variable is declared once, and before it is read; and where a block ends.

use std::collections::BTreeSet;

use progmp_rules::{Effect, Op, Sort, Term};

use crate::block::{blocks, blocks_mut, places, replace};
use crate::tree::{Node, NodeKind, Tree};

/// Whether the execution ends behind a block.
pub(crate) fn ends_there(body: &[Node], path: &[(usize, usize)]) -> bool {
    let Some((&(at, arm), rest)) = path.split_first() else {
        return true;
    };
    let last = at + 1 == body.len() && matches!(body[at].kind, NodeKind::If { .. });
    last && blocks(&body[at])
        .get(arm)
        .is_some_and(|inner| ends_there(inner, rest))
}

/// Gives each declaration of a variable but the first a variable of its own.
pub(crate) fn declare_once(tree: &mut Tree, block: &mut [Node], seen: &mut BTreeSet<u32>) {
    for at in 0..block.len() {
        let (var, scope) = match block[at].kind {
            NodeKind::Let { var, .. } => (Some(var), block.len()),
            NodeKind::Foreach { var, .. } => (Some(var), at + 1),
            _ => (None, at),
        };
        if let Some(var) = var
            && !seen.insert(var)
        {
            let fresh = u32::try_from(tree.vars.len()).expect("variables are few");
            tree.vars.push(tree.vars[var as usize].clone());
            for node in &mut block[at..scope] {
                replace(node, var, fresh);
            }
            seen.insert(fresh);
        }
        for inner in blocks_mut(&mut block[at]) {
            declare_once(tree, inner, seen);
        }
    }
}

/// Whether every variable is declared before it is read.
pub(crate) fn in_scope(block: &[Node], known: &mut BTreeSet<u32>) -> bool {
    let outer = known.clone();
    let mut fine = true;
    for node in block {
        let places = places(node);
        fine &= places.iter().all(|place| names_known(&place.term, known));
        if let NodeKind::Foreach { var, .. } = node.kind {
            known.insert(var);
        }
        for inner in blocks(node) {
            fine &= in_scope(inner, known);
        }
        match node.kind {
            NodeKind::Foreach { var, .. } => {
                known.remove(&var);
            }
            NodeKind::Let { var, .. } => {
                known.insert(var);
            }
            _ => {}
        }
    }
    *known = outer;
    fine
}

fn names_known(term: &Term, known: &BTreeSet<u32>) -> bool {
    let own = match term.op {
        Op::Var(number, _) => known.contains(&number),
        _ => true,
    };
    own && term.args.iter().all(|arg| names_known(arg, known))
}

/// Whether a side of a rule declares the variable of a hole.
pub(crate) fn declares(side: &Effect, hole: usize) -> bool {
    match side {
        Effect::Var(v, _, rest) => *v == hole || declares(rest, hole),
        Effect::Each(v, _, body) => *v == hole || declares(body, hole),
        Effect::Do(parts) => parts.iter().any(|part| declares(part, hole)),
        Effect::If(_, a, b) => declares(a, hole) || declares(b, hole),
        _ => false,
    }
}

/// Whether all names in a statement are those of variables that there are, and all operands fit.
pub(crate) fn means_something(tree: &Tree, node: &Node) -> bool {
    let declared = match node.kind {
        NodeKind::Let { var, .. } | NodeKind::Foreach { var, .. } => Some(var),
        _ => None,
    };
    declared.is_none_or(|var| (var as usize) < tree.vars.len())
        && places(node)
            .iter()
            .all(|place| known(tree, &place.term).is_some())
        && blocks(node)
            .into_iter()
            .all(|block| block.iter().all(|node| means_something(tree, node)))
}

/// The sort of a term that stands outside of lambdas, if it means something.
pub(crate) fn known(tree: &Tree, term: &Term) -> Option<Sort> {
    crate::replay::well_formed(tree, term, &mut Vec::new())
}
