//! How statements are rearranged: VARs where they are needed, nothing where nothing can be done.
//!
//! What is made is kept only if it is estimated to be cheaper, and copies only if they are worth their
//! size.

use progmp_rules::{Op, RuleSet, Term};

use crate::block::{Path, blocks, mentions, places, pure, reads};
use crate::cost::price;
use crate::effect::Filled;
use crate::guard::{ALWAYS, chance};
use crate::settle::{Work, may_leave};
use crate::trace::Deed;
use crate::tree::{Node, NodeKind, Tree};

/// Operators that a program may have after copying.
const LARGEST: usize = 700;
/// Times that something is copied.
const COPIES: usize = 3;
/// Rounds of a loop, for the estimate.
const MEMBERS: u64 = 4;

/// Rearranges statements; returns what was done, in order.
pub(crate) fn arrange(tree: &Tree, rules: &RuleSet) -> (Tree, Vec<Deed>) {
    let mut work = Work {
        tree: tree.clone(),
        deeds: Vec::new(),
        rules,
    };
    work.settle();
    let mut best = work.clone();
    work.guard();
    if is_better(&work.tree, &best.tree) {
        best = work;
    }
    let mut work = best.clone();
    for _ in 0..COPIES {
        let Some(at) = join(&work.tree.body, &mut Path::new()) else {
            break;
        };
        if !work.join(&at) || size(&work.tree.body) > LARGEST {
            break;
        }
        work.settle();
        // A copy must pay, by itself or with the next one.
        if is_better(&work.tree, &best.tree) {
            best = work.clone();
        }
    }
    (best.tree, best.deeds)
}

/// Whether a program is cheaper by a fiftieth, and by a third of what it is longer.
fn is_better(now: &Tree, before: &Tree) -> bool {
    let [now_cost, old_cost] = [now, before].map(|tree| expected(tree, &tree.body).0);
    let [now_size, old_size] = [now, before].map(|tree| size(&tree.body) as u64);
    let growth = now_size.saturating_sub(old_size) * 1_000 / old_size.max(1) / 3;
    let gain = old_cost.saturating_sub(now_cost) / (old_cost / 1_000).max(1);
    gain > growth.max(20)
}

/// A probability of one.
const SURE: u64 = 1 << 20;

/// What a block is expected to cost, and how probable it is that the execution goes on behind it, both in
/// parts of [`SURE`].
fn expected(tree: &Tree, block: &[Node]) -> (u64, u64) {
    let mut cost = 0_u64;
    let mut reached = SURE;
    for node in block {
        let own: u64 = places(node)
            .iter()
            .map(|place| price(tree, &place.term))
            .fold(1, u64::saturating_add);
        let (inner, goes_on) = match &node.kind {
            NodeKind::If {
                cond,
                then,
                otherwise,
            } => {
                let (a, b) = (
                    expected(tree, then),
                    otherwise
                        .as_deref()
                        .map_or((0, SURE), |block| expected(tree, block)),
                );
                let yes = chance(&cond.term);
                let mixed = |a: u64, b: u64| {
                    (a / ALWAYS)
                        .saturating_mul(yes)
                        .saturating_add((b / ALWAYS).saturating_mul(ALWAYS - yes))
                };
                (mixed(a.0, b.0), mixed(a.1, b.1))
            }
            NodeKind::Foreach { body, .. } => {
                let (inner, goes_on) = expected(tree, body);
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

impl Work<'_> {
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
