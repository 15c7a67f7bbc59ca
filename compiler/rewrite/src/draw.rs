//! The e-graph of one expression, as Graphviz draws it: all forms of it that the optimiser looked at.

use progmp_ir::{Program, Span};
use progmp_rules::{RuleSet, Term};

use crate::cost::cost;
use crate::express::list;
use crate::settle::Work;
use crate::tree::Tree;
use crate::{block, graph};

/// Nodes of a picture that people can still read.
const NODES: usize = 200;

/// Draws the costliest of the expressions that `chosen` takes, as it is after the moves; `None` if it
/// takes none, or the program is left alone.
pub fn draw(program: &Program, rules: &RuleSet, chosen: &dyn Fn(Span) -> bool) -> Option<String> {
    if program.exprs.len() > crate::LARGEST {
        return None;
    }
    let mut work = Work {
        tree: Tree::of(program)?,
        deeds: Vec::new(),
        rules,
    };
    work.tidy();
    work.arrange();
    let mut tree = work.tree;
    let mut places = Vec::new();
    list(&tree.body, &mut Vec::new(), &mut places);
    let mut best: Option<Term> = None;
    for (block, at, expression, term) in places {
        let node = block::find(&mut tree.body, &block).and_then(|nodes| nodes.get_mut(at))?;
        let span = block::places_mut(node).into_iter().nth(expression)?.span;
        if chosen(span) && best.as_ref().is_none_or(|best| cost(&term) > cost(best)) {
            best = Some(term);
        }
    }
    let rewrites = graph::Rewrites::of(rules);
    Some(graph::dot(&tree, &rewrites, &best?, NODES))
}
