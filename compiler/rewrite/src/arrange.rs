//! Which moves are made: VARs go to where they are needed, and no earlier.
//!
//! An IF whose branch shares an expensive VAR with what stands behind it is joined with that, so
//! that the VAR can go further down where the branch is not taken. This copies code, so it is done
//! only while the program stays small.

use progmp_rules::{Op, Term};

use crate::cost::cost as cost_of;
use crate::moves::{Move, Path, blocks, changes, make, mentions, places, pure, reads};
use crate::tree::{Node, NodeKind, Tree};

/// Operators that a program may have after copying.
const LARGEST: usize = 700;
/// Times that something is copied.
const COPIES: usize = 3;
/// Rounds of a loop, for the estimate.
const MEMBERS: u64 = 4;

/// Moves VARs as far down as they go; returns what was done, in order.
pub(crate) fn arrange(tree: &Tree) -> (Tree, Vec<Move>) {
    let mut tree = tree.clone();
    let mut moves = Vec::new();
    settle(&mut tree, &mut moves);
    let mut best = (tree.clone(), moves.len());
    for _ in 0..COPIES {
        let Some(change) = join(&tree.body, &mut Vec::new()) else {
            break;
        };
        let Some(next) = make(&tree, &change) else {
            break;
        };
        tree = next;
        moves.push(change);
        settle(&mut tree, &mut moves);
        if size(&tree.body) > LARGEST {
            break;
        }
        // A copy must pay, by itself or with the next one, and not only a little.
        let (now, before) = (expected(&tree.body).0, expected(&best.0.body).0);
        if now < before - before / 50 {
            best = (tree.clone(), moves.len());
        }
    }
    moves.truncate(best.1);
    (best.0, moves)
}

/// A probability of one.
const SURE: u64 = 1 << 20;

/// What a block is expected to cost if each IF goes either way with equal probability, and how
/// probable it is that the execution goes on behind it, in parts of [`SURE`].
fn expected(block: &[Node]) -> (u64, u64) {
    let mut cost = 0_u64;
    let mut reached = SURE;
    for node in block {
        let own: usize = places(node).iter().map(|place| cost_of(&place.term)).sum();
        let own = u64::try_from(own).unwrap_or(u64::MAX).saturating_add(1);
        let (inner, goes_on) = match &node.kind {
            NodeKind::If {
                then, otherwise, ..
            } => {
                let (a, b) = (
                    expected(then),
                    otherwise.as_deref().map_or((0, SURE), expected),
                );
                (a.0.saturating_add(b.0) / 2, u64::midpoint(a.1, b.1))
            }
            NodeKind::Foreach { body, .. } => {
                let (inner, goes_on) = expected(body);
                (inner.saturating_mul(MEMBERS), goes_on)
            }
            NodeKind::Return => (0, 0),
            _ => (0, SURE),
        };
        let own = own.saturating_mul(SURE).saturating_add(inner);
        cost = cost.saturating_add((own / SURE).saturating_mul(reached));
        reached = (reached * goes_on) / SURE;
    }
    (cost, reached)
}

/// Moves VARs down until none goes further.
fn settle(tree: &mut Tree, moves: &mut Vec<Move>) {
    while let Some((change, next)) = down(tree, &tree.body, &mut Vec::new()) {
        *tree = next;
        moves.push(change);
    }
}

fn down(tree: &Tree, block: &[Node], path: &mut Path) -> Option<(Move, Tree)> {
    for at in (0..block.len()).rev() {
        if pure(&block[at]).is_some() {
            let here = path.clone();
            let kinds = [
                Move::Dead {
                    block: here.clone(),
                    at,
                },
                Move::Sink {
                    block: here.clone(),
                    at,
                },
                Move::Delay { block: here, at },
            ];
            for change in kinds {
                if matches!(change, Move::Delay { .. }) && !helps(tree, block, at) {
                    continue;
                }
                if let Some(next) = make(tree, &change) {
                    return Some((change, next));
                }
            }
        }
        for (arm, inner) in arms(&block[at]) {
            path.push((at, arm));
            if let Some(found) = down(tree, inner, path) {
                return Some(found);
            }
            path.pop();
        }
    }
    None
}

/// Whether the VAR gets behind an IF or a loop on its way to who reads it, and nothing is in its way:
/// then it may be saved.
fn helps(tree: &Tree, block: &[Node], at: usize) -> bool {
    let Some((var, init)) = pure(&block[at]) else {
        return false;
    };
    let behind = &block[at + 1..];
    let Some(user) = behind.iter().position(|node| reads(node, var)) else {
        return false;
    };
    let between = &behind[..user];
    if between.is_empty() || between.iter().any(|node| changes(tree, node, init)) {
        return false;
    }
    let into_an_if = matches!(
        &behind[user].kind,
        NodeKind::If { cond, .. } if !mentions(&cond.term, var)
    ) && !behind[user + 1..].iter().any(|node| reads(node, var));
    into_an_if || between.iter().any(may_leave)
}

fn may_leave(node: &Node) -> bool {
    node.kind == NodeKind::Return || blocks(node).into_iter().flatten().any(may_leave)
}

fn arms(node: &Node) -> Vec<(usize, &Vec<Node>)> {
    match &node.kind {
        // A block that is empty has an arm all the same.
        NodeKind::If {
            then, otherwise, ..
        } => {
            let mut arms = vec![(0, then)];
            arms.extend(otherwise.as_ref().map(|block| (1, block)));
            arms
        }
        NodeKind::Foreach { body, .. } => vec![(0, body)],
        _ => Vec::new(),
    }
}

/// An IF that shares an expensive VAR before it with what stands behind it.
fn join(block: &[Node], path: &mut Path) -> Option<Move> {
    for at in 0..block.len() {
        let NodeKind::If {
            cond,
            then,
            otherwise: None,
        } = &block[at].kind
        else {
            continue;
        };
        let rest = &block[at + 1..];
        let shared = block[..at].iter().filter_map(pure).any(|(var, init)| {
            walks(init)
                && !mentions(&cond.term, var)
                && then.iter().any(|node| reads(node, var))
                && rest.iter().any(|node| reads(node, var))
                && !first_reads(rest, var)
        });
        if shared {
            return Some(Move::Join {
                block: path.clone(),
                at,
            });
        }
    }
    for (at, node) in block.iter().enumerate() {
        for (arm, inner) in arms(node) {
            path.push((at, arm));
            if let Some(found) = join(inner, path) {
                return Some(found);
            }
            path.pop();
        }
    }
    None
}

/// Whether the variable is read on every way, so that nothing is saved.
fn first_reads(rest: &[Node], var: u32) -> bool {
    for node in rest {
        let own = places(node).iter().any(|place| mentions(&place.term, var));
        if own {
            return true;
        }
        if may_leave(node) || reads(node, var) {
            return false;
        }
    }
    false
}

/// Whether computing it goes around a loop.
fn walks(term: &Term) -> bool {
    matches!(term.op, Op::Filter | Op::Extremum(_) | Op::Sum) || term.args.iter().any(walks)
}

fn size(block: &[Node]) -> usize {
    let of = |node: &Node| {
        let own: usize = places(node).iter().map(|place| place.term.size()).sum();
        1 + own
            + blocks(node)
                .into_iter()
                .map(|block| size(block))
                .sum::<usize>()
    };
    block.iter().map(of).sum()
}
