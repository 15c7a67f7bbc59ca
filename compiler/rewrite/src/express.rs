//! Each expression becomes the cheapest one that the rules lead to; and the order of all that is done.

use progmp_rules::Term;

use crate::block::{Path, blocks, find, number, places, places_mut};
use crate::graph::{Rewrites, cheaper};
use crate::replay::apply;
use crate::settle::Work;
use crate::trace::{Deed, Derivation};
use crate::tree::Node;

/// Times that all is gone through: what one step finds out may help another.
const ROUNDS: usize = 3;

impl Work<'_> {
    /// Does all that makes a program cheaper.
    pub(crate) fn improve(&mut self, rewrites: &Rewrites) {
        self.tidy();
        self.know();
        self.tidy();
        for _ in 0..ROUNDS {
            self.arrange();
            self.know();
            self.share();
            self.express(rewrites);
            if !self.tidy() {
                break;
            }
        }
        self.specialise(rewrites);
    }

    /// Each expression by itself.
    pub(crate) fn express(&mut self, rewrites: &Rewrites) {
        let mut places = Vec::new();
        list(&self.tree.body, &mut Vec::new(), &mut places);
        for (block, at, expression, term) in places {
            let subflows = number(&self.tree.body, &block);
            let Some((found, steps)) = cheaper(&self.tree, rewrites, &term, subflows) else {
                continue;
            };
            // A guard may hold of the class and not show in the term that a step starts from.
            let replayed = steps.iter().try_fold(term, |term, step| {
                apply(&self.tree, self.rules, &term, step, subflows)
            });
            if replayed.as_ref() != Ok(&found) {
                continue;
            }
            let node = find(&mut self.tree.body, &block).and_then(|nodes| nodes.get_mut(at));
            let node = node.expect("the place was listed just now");
            places_mut(node)[expression].term = found;
            self.deeds.push(Deed::Expression(Derivation {
                block,
                at,
                expression,
                steps,
            }));
        }
    }
}

type Found = (Path, usize, usize, Term);

/// All expressions with their places.
pub(crate) fn list(block: &[Node], path: &mut Path, out: &mut Vec<Found>) {
    for (at, node) in block.iter().enumerate() {
        for (expression, place) in places(node).into_iter().enumerate() {
            out.push((path.clone(), at, expression, place.term.clone()));
        }
        for (arm, inner) in blocks(node).into_iter().enumerate() {
            path.push((at, arm));
            list(inner, path, out);
            path.pop();
        }
    }
}
