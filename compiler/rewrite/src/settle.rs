//! VARs go down to where they are needed, and no earlier.

use progmp_rules::RuleSet;

use crate::block::{Path, blocks, changes, mentions, pure, reads};
use crate::effect::{Filled, Use, make};
use crate::replay::derive;
use crate::trace::{Deed, Derivation};
use crate::tree::{Node, NodeKind, Place, Source, Tree};

/// A tree, and what was done to get there.
#[derive(Clone, Debug)]
pub(crate) struct Work<'r> {
    pub(crate) tree: Tree,
    pub(crate) deeds: Vec<Deed>,
    pub(crate) rules: &'r RuleSet,
}

impl Work<'_> {
    /// Uses a rule between statements, with what stands in its holes by their names; `false` if it
    /// does not follow.
    pub(crate) fn rewrite(
        &mut self,
        rule: &str,
        (block, at, len): (&Path, usize, usize),
        holes: &[(&str, Filled)],
    ) -> bool {
        let found = self.rules.effect(rule).map(|rule| {
            let of = |name: &str| holes.iter().find(|(hole, _)| *hole == name);
            let filled = rule.holes.iter().map(|hole| of(&hole.name));
            filled
                .map(|filled| filled.map(|(_, filled)| filled.clone()))
                .collect::<Option<Vec<_>>>()
        });
        // Without the rule nothing is done.
        let Some(Some(found)) = found else {
            return false;
        };
        let by = Use {
            rule: rule.to_owned(),
            block: block.clone(),
            at,
            len,
            found,
        };
        let Ok(next) = make(&self.tree, self.rules, &by) else {
            return false;
        };
        self.tree = next;
        self.deeds.push(Deed::Statements(by));
        true
    }

    /// Derives an expression anew; `false` if that does not follow.
    pub(crate) fn derive(&mut self, derivation: Derivation) -> bool {
        let mut next = self.tree.clone();
        if derive(&mut next, self.rules, &derivation).is_err() {
            return false;
        }
        self.tree = next;
        self.deeds.push(Deed::Expression(derivation));
        true
    }

    /// The block at a path.
    pub(crate) fn block(&self, path: &Path) -> &[Node] {
        let mut block = &self.tree.body;
        for &(at, arm) in path {
            let inner = blocks(&block[at]).into_iter().nth(arm);
            block = inner.expect("the path leads to a block");
        }
        block
    }

    /// Moves VARs down until none goes further.
    pub(crate) fn settle(&mut self) {
        while self.down(&mut Path::new()) {}
    }

    fn down(&mut self, path: &mut Path) -> bool {
        for at in (0..self.block(path).len()).rev() {
            if self.move_down(path, at) {
                return true;
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                if self.down(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn move_down(&mut self, path: &Path, at: usize) -> bool {
        let block = self.block(path);
        let (Some((var, _)), Some(value)) = (pure(&block[at]), initial(&block[at])) else {
            return false;
        };
        let place = (path, at, block.len() - at);
        let behind = block[at + 1..].to_vec();
        let v = ("v", Filled::Var(var));
        let x = ("x", Filled::Place(value.clone()));
        if !behind.iter().any(|node| reads(node, var)) {
            return self.rewrite("dead-var", place, &[v, x, ("a", Filled::Block(behind))]);
        }
        let Some((next, rest)) = behind.split_first() else {
            return false;
        };
        if let NodeKind::If {
            cond,
            then,
            otherwise,
        } = &next.kind
            && !mentions(&cond.term, var)
            && !rest.iter().any(|node| reads(node, var))
        {
            let otherwise = otherwise.clone().unwrap_or_default();
            let holes = [
                v,
                x,
                ("c", Filled::Place(cond.clone())),
                ("a", Filled::Block(then.clone())),
                ("b", Filled::Block(otherwise)),
                ("r", Filled::Block(rest.to_vec())),
            ];
            return self.rewrite("sink-var", place, &holes);
        }
        if !helps(&self.tree, block, at) {
            return false;
        }
        let holes = [
            v,
            x,
            ("s", Filled::Block(vec![next.clone()])),
            ("a", Filled::Block(rest.to_vec())),
        ];
        self.rewrite("delay-var", place, &holes)
    }
}

/// The initial value of a VAR without POP.
pub(crate) fn initial(node: &Node) -> Option<&Place> {
    match &node.kind {
        NodeKind::Let {
            init: Source::Value(place),
            ..
        } => Some(place),
        _ => None,
    }
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

/// Whether a way through a statement ends the execution.
pub(crate) fn may_leave(node: &Node) -> bool {
    node.kind == NodeKind::Return || blocks(node).into_iter().flatten().any(may_leave)
}
