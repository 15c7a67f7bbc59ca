//! What a program is expected to cost, and how long it is.

use progmp_rules::{Op, Term};

use crate::block::{blocks, places};
use crate::cost::price;
use crate::guard::{ALWAYS, chance};
use crate::tree::{Node, NodeKind, Tree};

/// Rounds of a loop, for the estimate.
const MEMBERS: u64 = 4;
/// Operators that a program may have after copying.
pub(crate) const LARGEST: usize = 700;
/// A probability of one.
const SURE: u64 = 1 << (2 * HALF);
/// Half of its bits.
const HALF: u32 = 10;

/// Whether a program is cheaper by a fiftieth, and by a third of what it is longer.
pub(crate) fn is_better(now: &Tree, before: &Tree) -> bool {
    let [now_cost, old_cost] = [now, before].map(of);
    let [now_size, old_size] = [now, before].map(|tree| size(&tree.body) as u64);
    let growth = now_size.saturating_sub(old_size) * 1_000 / old_size.max(1) / 3;
    let gain = old_cost.saturating_sub(now_cost) / (old_cost / 1_000).max(1);
    gain > growth.max(20)
}

/// Whether a program is cheaper, however little, and not longer; or no costlier, and shorter.
pub(crate) fn is_less(now: &Tree, before: &Tree) -> bool {
    let of = |tree: &Tree| (of(tree), size(&tree.body));
    let ((cost, size), (old_cost, old_size)) = (of(now), of(before));
    cost <= old_cost && size <= old_size && (cost, size) != (old_cost, old_size)
}

/// What a program is expected to cost.
pub(crate) fn of(tree: &Tree) -> u64 {
    expected(tree, &tree.body).0
}

/// What so many instructions are in the estimate's measure.
pub(crate) const fn weight(instructions: u64) -> u64 {
    instructions.saturating_mul(SURE)
}

/// What a condition costs, in the same measure: the second operand is not always looked at.
pub(crate) fn asked(tree: &Tree, condition: &Term) -> u64 {
    match (condition.op, &condition.args[..]) {
        (Op::And | Op::Or, [a, b]) => {
            asked(tree, a).saturating_add((asked(tree, b).saturating_add(SURE)) / 2)
        }
        (Op::Not, [inner]) => asked(tree, inner),
        _ => weight(price(tree, condition)),
    }
}

/// What a block is expected to cost, and how probable it is that the execution goes on behind it, both in
/// parts of [`SURE`].
pub(crate) fn expected(tree: &Tree, block: &[Node]) -> (u64, u64) {
    let mut cost = 0_u64;
    let mut reached = SURE;
    for node in block {
        let own: u64 = if let NodeKind::If { cond, .. } = &node.kind {
            asked(tree, &cond.term).saturating_add(SURE)
        } else {
            let prices = places(node).into_iter();
            let prices = prices.map(|place| price(tree, &place.term));
            weight(prices.fold(1, u64::saturating_add))
        };
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
        let own = own.saturating_add(inner);
        cost = cost.saturating_add((own >> HALF).saturating_mul(reached >> HALF));
        reached = (reached * goes_on) / SURE;
    }
    (cost, reached)
}

/// How many operators and statements there are.
pub(crate) fn size(block: &[Node]) -> usize {
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
