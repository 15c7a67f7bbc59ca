//! How statements are rearranged: VARs where they are needed, nothing where nothing can be done.
//!
//! What is made is kept only if it is estimated to be cheaper, and copies only if they are worth their
//! size.

use progmp_rules::{Op, Term};

use crate::block::{Path, blocks, mentions, places, pure, reads};
use crate::effect::Filled;
use crate::estimate::{LARGEST, is_better, size};
use crate::settle::{Work, may_leave};
use crate::tree::{Node, NodeKind};

/// Times that something is copied.
const COPIES: usize = 3;

impl Work<'_> {
    /// Rearranges statements.
    pub(crate) fn arrange(&mut self) {
        self.settle();
        let mut guarded = self.clone();
        guarded.guard();
        if is_better(&guarded.tree, &self.tree) {
            *self = guarded;
        }
        let mut work = self.clone();
        for _ in 0..COPIES {
            let Some(at) = join(&work.tree.body, &mut Path::new()) else {
                break;
            };
            if !work.join(&at) || size(&work.tree.body) > LARGEST {
                break;
            }
            work.settle();
            // A copy must pay, by itself or with the next one.
            if is_better(&work.tree, &self.tree) {
                *self = work.clone();
            }
        }
    }

    /// What stands behind an IF goes into both its branches; where the first one leaves, it gets none.
    fn join(&mut self, (path, at): &(Path, usize)) -> bool {
        let block = self.block(path).to_vec();
        let NodeKind::If { cond, then, .. } = &block[*at].kind else {
            return false;
        };
        let rest = block[at + 1..].to_vec();
        let copied = rest.len();
        let holes = [
            ("c", Filled::Place(cond.clone())),
            ("a", Filled::Block(then.clone())),
            ("b", Filled::Block(Vec::new())),
            ("r", Filled::Block(rest)),
        ];
        if !self.rewrite("join-rest", (path, *at, copied + 1), &holes) {
            return false;
        }
        if crate::block::leaves(then) {
            let mut inner = path.clone();
            inner.push((*at, 0));
            let made = self.block(&inner).to_vec();
            let (first, copy) = made.split_at(then.len());
            let holes = [
                ("a", Filled::Block(first.to_vec())),
                ("b", Filled::Block(copy.to_vec())),
            ];
            self.rewrite("after-leaving", (&inner, 0, made.len()), &holes);
        }
        true
    }
}

/// An IF that shares an expensive VAR before it with what stands behind it.
fn join(block: &[Node], path: &mut Path) -> Option<(Path, usize)> {
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
            return Some((path.clone(), at));
        }
    }
    for (at, node) in block.iter().enumerate() {
        for (arm, inner) in blocks(node).into_iter().enumerate() {
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
