//! The control-flow graph: what is reached, in which order blocks are laid out, which dominate.

use petgraph::algo::dominators;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::vcode::{Block, BlockId, Edge, Term, Vcode};

/// The graph of a program; the node of a block has the block's position.
pub(crate) fn graph(code: &Vcode) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(code.blocks.len(), 2 * code.blocks.len());
    for _ in &code.blocks {
        graph.add_node(());
    }
    for (from, block) in code.blocks.iter().enumerate() {
        for edge in block.term.edges() {
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(edge.to.index()), ());
        }
    }
    graph
}

/// Which blocks dominate which: an interval for each, and the intervals of what it dominates lie in it.
pub(crate) struct Dominance {
    intervals: Vec<(usize, usize)>,
}

impl Dominance {
    /// Of a program.
    pub(crate) fn new(code: &Vcode) -> Self {
        let dominators = dominators::simple_fast(&graph(code), NodeIndex::new(0));
        let mut below = vec![Vec::new(); code.blocks.len()];
        for block in 1..code.blocks.len() {
            if let Some(above) = dominators.immediate_dominator(NodeIndex::new(block)) {
                below[above.index()].push(block);
            }
        }
        // What is not reached dominates nothing.
        let mut intervals = vec![(usize::MAX, 0); code.blocks.len()];
        let mut time = 0;
        let mut stack = vec![(0, 0)];
        while let Some((block, next)) = stack.pop() {
            if next == 0 {
                intervals[block].0 = time;
                time += 1;
            }
            if let Some(&child) = below[block].get(next) {
                stack.push((block, next + 1));
                stack.push((child, 0));
            } else {
                intervals[block].1 = time;
            }
        }
        Self { intervals }
    }

    /// Whether every way to `b` leads through `a`.
    pub(crate) fn dominates(&self, a: usize, b: usize) -> bool {
        let ((from, to), at) = (self.intervals[a], self.intervals[b].0);
        from <= at && at < to
    }
}

/// How many edges lead to each block.
pub(crate) fn predecessors(code: &Vcode) -> Vec<usize> {
    let mut counts = vec![0; code.blocks.len()];
    for block in &code.blocks {
        for edge in block.term.edges() {
            counts[edge.to.index()] += 1;
        }
    }
    counts
}

/// Reverse postorder from the entry: what is reached, each block before what it dominates. Of
/// several successors, the one that is executed most often comes first, so that loops stay in one
/// piece; then the one to which control falls through.
pub(crate) fn order(code: &Vcode) -> Vec<BlockId> {
    let mut seen = vec![false; code.blocks.len()];
    let mut postorder = Vec::with_capacity(code.blocks.len());
    let mut stack = vec![(BlockId::new(0), successors(code, BlockId::new(0)))];
    seen[0] = true;
    while let Some((block, rest)) = stack.last_mut() {
        if let Some(next) = rest.pop() {
            if !std::mem::replace(&mut seen[next.index()], true) {
                stack.push((next, successors(code, next)));
            }
        } else {
            postorder.push(*block);
            stack.pop();
        }
    }
    postorder.reverse();
    postorder
}

/// The successors of a block, the one to be visited first last.
fn successors(code: &Vcode, block: BlockId) -> Vec<BlockId> {
    let mut successors: Vec<BlockId> = match &code.at(block).term {
        Term::If {
            yes,
            no,
            no_follows: true,
            ..
        } => return vec![no.to, yes.to],
        Term::If { yes, no, .. } => vec![no.to, yes.to],
        other => other.edges().map(|edge| edge.to).collect(),
    };
    // At full capacity; equal ones keep their order.
    let often = |block: &BlockId| code.at(*block).trips.at(32, 256);
    successors.sort_by_key(|block| std::cmp::Reverse(often(block)));
    successors
}

/// The program with its blocks in this order, and no others.
pub(crate) fn arranged(mut code: Vcode, order: &[BlockId]) -> Vcode {
    let mut place = vec![None; code.blocks.len()];
    for (new, old) in order.iter().enumerate() {
        place[old.index()] = Some(BlockId::new(new));
    }
    let mut blocks: Vec<Option<Block>> = code.blocks.drain(..).map(Some).collect();
    for old in order {
        let mut block = blocks[old.index()]
            .take()
            .expect("an order names each block once");
        for edge in block.term.edges_mut() {
            edge.to = place[edge.to.index()].expect("what is reached is in the order");
        }
        code.blocks.push(block);
    }
    code
}

/// Puts a block on each edge that passes values out of a branch, and on each critical edge.
pub(crate) fn split_edges(code: &mut Vcode) {
    let predecessors = predecessors(code);
    for from in 0..code.blocks.len() {
        let block = &code.blocks[from];
        if block.term.edges().count() < 2 {
            continue;
        }
        let span = block.span;
        let mut term = block.term.clone();
        for edge in term.edges_mut() {
            if edge.args.is_empty() && predecessors[edge.to.index()] == 1 {
                continue;
            }
            let trips = code.blocks[from].trips.clone();
            let trips = if code.at(edge.to).trips.at(32, 256) < trips.at(32, 256) {
                code.at(edge.to).trips.clone()
            } else {
                trips
            };
            let middle = code.block(0, span, trips);
            let beyond = std::mem::replace(edge, Edge::plain(middle));
            code.at_mut(middle).term = Term::Jump(beyond);
        }
        code.blocks[from].term = term;
    }
}
