//! What is computed several times gets a name: on one way, in a loop, or for each element of a list.

use std::collections::BTreeMap;

use progmp_ir::Span;
use progmp_rules::{Op, Term};

use crate::block::{Path, blocks, mentions, places, pure};
use crate::cost::price;
use crate::effect::Filled;
use crate::estimate::{expected, of, weight};
use crate::names::with_name_while;
use crate::settle::{Work, initial};
use crate::tree::{Node, NodeKind, Place};

/// Names that a program gets.
const NAMES: usize = 8;
/// What a value must cost to be worth a name.
const WORTH: u64 = 4;

impl Work<'_> {
    /// Names what is cheaper with a name.
    pub(crate) fn share(&mut self) {
        while self.hoist(&mut Path::new()) {}
        for _ in 0..NAMES {
            if !self.share_one() {
                break;
            }
        }
        while self.copied(&mut Path::new()) {}
    }

    /// A value that no round of a loop changes is computed before it.
    fn hoist(&mut self, path: &mut Path) -> bool {
        for at in 0..self.block(path).len() {
            if let NodeKind::Foreach { var, list, body } = self.block(path)[at].kind.clone()
                && let Some((first, rest)) = body.split_first()
                && let Some((inner, term)) = pure(first)
                && !mentions(term, var)
                && let Some(value) = initial(first)
            {
                let holes = [
                    ("e", Filled::Var(var)),
                    ("v", Filled::Var(inner)),
                    ("l", Filled::Place(list)),
                    ("x", Filled::Place(value.clone())),
                    ("a", Filled::Block(rest.to_vec())),
                ];
                let mut work = self.clone();
                if work.rewrite("hoist-var", (path, at, 1), &holes)
                    && of(&work.tree) < of(&self.tree)
                {
                    *self = work;
                    return true;
                }
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                if self.hoist(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// The name that saves most.
    fn share_one(&mut self) -> bool {
        let mut found = BTreeMap::new();
        candidates(&self.tree.body, false, &mut found);
        let mut paths = Vec::new();
        all_blocks(&self.tree.body, &mut Path::new(), &mut paths);
        let now = of(&self.tree);
        let mut best: Option<(u64, Self)> = None;
        for (value, often) in found {
            let own = price(&self.tree, &value);
            if !often || own < WORTH {
                continue;
            }
            for path in &paths {
                let Some(work) = self.with_name(path, &value) else {
                    continue;
                };
                let gain = now.saturating_sub(of(&work.tree));
                let least = weight(own) / 4;
                if gain > least.max(weight(2)) && best.as_ref().is_none_or(|(most, _)| gain > *most)
                {
                    best = Some((gain, work));
                }
            }
        }
        if let Some((_, work)) = best {
            *self = work;
            return true;
        }
        false
    }

    /// The value gets a name in this block, from the first statement on that computes it.
    fn with_name(&self, path: &Path, value: &Term) -> Option<Self> {
        let block = self.block(path);
        let at = block.iter().position(|node| computes(node, value))?;
        let nodes = &block[at..];
        let var = u32::try_from(self.tree.vars.len()).expect("variables are few");
        let named = with_name_while(&self.tree, nodes, var, value);
        // Only where it is cheaper in this block at least.
        let mut with = self.tree.clone();
        with.vars.push(progmp_ir::Var {
            name: String::new(),
            ty: self.tree.type_of(value),
            may_be_null: self.tree.may_be_null(value),
            span: Span::default(),
        });
        let before = expected(&self.tree, nodes).0;
        let after = expected(&with, &named).0 + weight(price(&self.tree, value) + 1);
        if after >= before {
            return None;
        }
        let place = Place {
            term: value.clone(),
            span: block[at].span,
        };
        let holes = [
            ("v", Filled::Var(var)),
            ("x", Filled::Place(place)),
            ("t", Filled::Block(named)),
            ("s", Filled::Block(nodes.to_vec())),
        ];
        let mut work = self.clone();
        work.rewrite("name-value", (path, at, nodes.len()), &holes)
            .then_some(work)
    }

    /// A second name for the same is left out.
    fn copied(&mut self, path: &mut Path) -> bool {
        for at in 0..self.block(path).len() {
            let copies =
                pure(&self.block(path)[at]).is_some_and(|(_, term)| matches!(term.op, Op::Var(..)));
            if copies && self.inline(path, at) {
                return true;
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                if self.copied(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }
}

fn all_blocks(block: &[Node], path: &mut Path, out: &mut Vec<Path>) {
    out.push(path.clone());
    for (at, node) in block.iter().enumerate() {
        for (arm, inner) in blocks(node).into_iter().enumerate() {
            path.push((at, arm));
            all_blocks(inner, path, out);
            path.pop();
        }
    }
}

/// Terms that can stand alone, and whether they are computed more than once, as they are written or
/// because of a loop.
fn candidates(block: &[Node], looped: bool, out: &mut BTreeMap<Term, bool>) {
    for node in block {
        for place in places(node) {
            parts(&place.term, 0, looped, out);
        }
        let looped = looped || matches!(node.kind, NodeKind::Foreach { .. });
        for inner in blocks(node) {
            candidates(inner, looped, out);
        }
    }
}

fn parts(term: &Term, depth: u8, looped: bool, out: &mut BTreeMap<Term, bool>) {
    if term.args.is_empty() {
        return;
    }
    if let Some(alone) = lowered(term, depth) {
        let often = looped || depth > 0;
        out.entry(alone)
            .and_modify(|again| *again = true)
            .or_insert(often);
    }
    for (index, arg) in term.args.iter().enumerate() {
        let inner = depth + u8::from(term.op.binds() && index == 1);
        parts(arg, inner, looped, out);
    }
}

/// A term that stands under so many lambdas, outside of them; `None` if it reads their parameters.
fn lowered(term: &Term, depth: u8) -> Option<Term> {
    let op = match term.op {
        Op::Param(level, kind) => Op::Param(level.checked_sub(depth)?, kind),
        op => op,
    };
    let args = term.args.iter().map(|arg| lowered(arg, depth));
    Some(Term::new(op, args.collect::<Option<_>>()?))
}

fn computes(node: &Node, value: &Term) -> bool {
    fn has(term: &Term, depth: u8, value: &Term) -> bool {
        lowered(term, depth).as_ref() == Some(value)
            || term.args.iter().enumerate().any(|(index, arg)| {
                has(arg, depth + u8::from(term.op.binds() && index == 1), value)
            })
    }
    places(node).iter().any(|place| has(&place.term, 0, value))
        || blocks(node)
            .into_iter()
            .flatten()
            .any(|inner| computes(inner, value))
}
