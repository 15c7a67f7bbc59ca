//! Statements that do nothing, branches that are not needed, tests that are made twice.

use progmp_rules::{Op, Term};

use crate::block::{Path, alike, blocks, changes, leaves};
use crate::effect::Filled;
use crate::estimate::{asked, is_less, weight};
use crate::scope::ends_there;
use crate::settle::Work;
use crate::trace::{Derivation, Step};
use crate::tree::{NodeKind, Place, Source};

/// What a test must be cheaper to come first.
const CHEAPER: u64 = 8;

impl Work<'_> {
    /// Leaves out what is not needed; whether there was anything.
    pub(crate) fn tidy(&mut self) -> bool {
        let before = self.deeds.len();
        while self.tidy_block(&mut Path::new()) {}
        self.deeds.len() > before
    }

    fn tidy_block(&mut self, path: &mut Path) -> bool {
        for at in 0..self.block(path).len() {
            if self.tidy_at(path, at) {
                return true;
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                if self.tidy_block(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn tidy_at(&mut self, path: &Path, at: usize) -> bool {
        let block = self.block(path);
        let rest = &block[at + 1..];
        let own = (path, at, 1);
        match block[at].kind.clone() {
            _ if !rest.is_empty() && leaves(&block[at..=at]) => {
                let holes = [
                    ("a", Filled::Block(vec![block[at].clone()])),
                    ("b", Filled::Block(rest.to_vec())),
                ];
                self.rewrite("after-leaving", (path, at, block.len() - at), &holes)
            }
            NodeKind::Return if rest.is_empty() && ends_there(&self.tree.body, path) => {
                self.rewrite("last-return", own, &[])
            }
            NodeKind::Void(Some(place)) => {
                self.rewrite("dead-value", own, &[("x", Filled::Place(place))])
            }
            NodeKind::Push { target, packet } if is_null(&target) => {
                let holes = [("s", Filled::Place(target)), ("x", Filled::Source(packet))];
                self.rewrite("push-to-null", own, &holes)
            }
            NodeKind::Drop {
                packet: Source::Value(place),
            } if is_null(&place) => {
                self.rewrite("drop-of-null", own, &[("x", Filled::Place(place))])
            }
            NodeKind::Foreach { var, list, body } if body.is_empty() => {
                let holes = [("e", Filled::Var(var)), ("l", Filled::Place(list))];
                self.rewrite("each-does-nothing", own, &holes)
            }
            NodeKind::If {
                cond,
                then,
                otherwise,
            } => {
                let branch = Branch {
                    cond,
                    then,
                    otherwise: otherwise.unwrap_or_default(),
                };
                self.constant(path, at, &branch)
                    || self.again(path, at, &branch)
                    || self.fuse(path, at, &branch)
                    || self.nested(path, at, &branch)
            }
            _ => false,
        }
    }

    /// One of the branches is never taken, or both are the same.
    fn constant(&mut self, path: &Path, at: usize, branch: &Branch) -> bool {
        let own = (path, at, 1);
        let rule = match branch.cond.term.op {
            Op::Bool(true) => "if-true",
            Op::Bool(false) => "if-false",
            Op::NullBool => "if-null",
            _ if alike(&branch.then, &branch.otherwise) => "if-same",
            // Without a first branch no complement is needed.
            Op::Not if branch.then.is_empty() => return self.swap(path, at, branch).is_some(),
            _ => return false,
        };
        self.rewrite(rule, own, &branch.holes())
    }

    /// The first thing in a branch is to ask again.
    fn again(&mut self, path: &Path, at: usize, branch: &Branch) -> bool {
        let arms = [
            ("retest-then", &branch.then, &branch.otherwise),
            ("retest-else", &branch.otherwise, &branch.then),
        ];
        for (rule, asks, other) in arms {
            let Some((first, rest)) = asks.split_first() else {
                continue;
            };
            if let Some(inner) = Branch::of(&first.kind)
                && inner.cond.term == branch.cond.term
            {
                let holes = [
                    ("c", Filled::Place(branch.cond.clone())),
                    ("a", Filled::Block(inner.then)),
                    ("b", Filled::Block(inner.otherwise)),
                    ("d", Filled::Block(rest.to_vec())),
                    ("e", Filled::Block(other.clone())),
                ];
                return self.rewrite(rule, (path, at, 1), &holes);
            }
        }
        false
    }

    /// The next statement asks the same.
    fn fuse(&mut self, path: &Path, at: usize, branch: &Branch) -> bool {
        let block = self.block(path);
        let Some(next) = block.get(at + 1).and_then(|node| Branch::of(&node.kind)) else {
            return false;
        };
        let [here, there] = [branch, &next].map(|branch| &branch.cond.term);
        let both = branch.then.iter().chain(&branch.otherwise);
        let changed = |term: &Term| both.clone().any(|node| changes(&self.tree, node, term));
        if changed(here) {
            return false;
        }
        let complement = |a: &Term, b: &Term| a.op == Op::Not && a.args[0] == *b;
        let mut work = self.clone();
        let (first, second) = if here == there {
            (branch.clone(), next)
        } else if complement(here, there) {
            let Some(swapped) = work.swap(path, at, branch) else {
                return false;
            };
            (swapped, next)
        } else if complement(there, here) {
            let Some(swapped) = work.swap(path, at + 1, &next) else {
                return false;
            };
            (branch.clone(), swapped)
        } else {
            return false;
        };
        let holes = [
            ("c", Filled::Place(first.cond)),
            ("a", Filled::Block(first.then)),
            ("b", Filled::Block(first.otherwise)),
            ("d", Filled::Block(second.then)),
            ("e", Filled::Block(second.otherwise)),
        ];
        work.rewrite("fuse-if", (path, at, 2), &holes) && self.take(work)
    }

    /// Two tests that are one, if that is shorter or asks the cheaper one first.
    fn nested(&mut self, path: &Path, at: usize, branch: &Branch) -> bool {
        let own = (path, at, 1);
        let c = ("c", Filled::Place(branch.cond.clone()));
        if let [inner] = &branch.otherwise[..]
            && let Some(inner) = Branch::of(&inner.kind)
            && !branch.then.is_empty()
            && alike(&inner.then, &branch.then)
        {
            let holes = [
                c,
                ("d", Filled::Place(inner.cond)),
                ("a", Filled::Block(branch.then.clone())),
                ("b", Filled::Block(inner.otherwise)),
            ];
            let mut work = self.clone();
            return work.rewrite("or-else", own, &holes) && self.take(work);
        }
        if let [inner] = &branch.then[..]
            && let Some(inner) = Branch::of(&inner.kind)
            && inner.otherwise.is_empty()
            && branch.otherwise.is_empty()
        {
            let [first, second] = [branch, &inner].map(|b| asked(&self.tree, &b.cond.term));
            if first < second + weight(CHEAPER) {
                return false;
            }
            let holes = [
                c,
                ("d", Filled::Place(inner.cond.clone())),
                ("a", Filled::Block(inner.then)),
            ];
            let mut work = self.clone();
            let both = vec![inner.cond.term, branch.cond.term.clone()];
            let steps = vec![Step {
                rule: "and-swap".to_owned(),
                forward: true,
                position: Vec::new(),
                after: Term::new(Op::And, both),
            }];
            let swap = Derivation {
                block: path.clone(),
                at,
                expression: 0,
                steps,
            };
            return work.rewrite("nest-if", own, &holes) && work.derive(swap) && self.take(work);
        }
        false
    }

    /// The branches change places.
    fn swap(&mut self, path: &Path, at: usize, branch: &Branch) -> Option<Branch> {
        let term = branch.cond.term.args.first()?.clone();
        let swapped = Branch {
            cond: Place {
                term,
                span: branch.cond.span,
            },
            then: branch.otherwise.clone(),
            otherwise: branch.then.clone(),
        };
        let holes = [
            ("c", Filled::Place(swapped.cond.clone())),
            ("a", Filled::Block(branch.then.clone())),
            ("b", Filled::Block(branch.otherwise.clone())),
        ];
        self.rewrite("swap-branches", (path, at, 1), &holes)
            .then_some(swapped)
    }

    /// Takes what was made if it is cheaper.
    pub(crate) fn take(&mut self, made: Self) -> bool {
        let better = is_less(&made.tree, &self.tree);
        if better {
            *self = made;
        }
        better
    }
}

/// An IF.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) cond: Place,
    pub(crate) then: Vec<crate::tree::Node>,
    pub(crate) otherwise: Vec<crate::tree::Node>,
}

impl Branch {
    pub(crate) fn of(kind: &NodeKind) -> Option<Self> {
        match kind {
            NodeKind::If {
                cond,
                then,
                otherwise,
            } => Some(Self {
                cond: cond.clone(),
                then: then.clone(),
                otherwise: otherwise.clone().unwrap_or_default(),
            }),
            _ => None,
        }
    }

    fn holes(&self) -> [(&'static str, Filled); 3] {
        [
            ("c", Filled::Place(self.cond.clone())),
            ("a", Filled::Block(self.then.clone())),
            ("b", Filled::Block(self.otherwise.clone())),
        ]
    }
}

fn is_null(place: &Place) -> bool {
    matches!(place.term.op, Op::NullElement(_))
}
