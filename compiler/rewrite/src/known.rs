//! What a branch knows: the condition that led to it, wherever it is asked again.

use progmp_rules::{Op, Term};

use crate::block::{Path, blocks};
use crate::effect::Filled;
use crate::names::{with_name_while, with_value};
use crate::settle::{Work, initial};
use crate::tidy::Branch;
use crate::trace::{Derivation, Step};
use crate::tree::{Node, Place};

/// A part of a condition, and what follows for it in one branch.
struct Fact {
    /// Where it stands in the condition.
    position: Vec<usize>,
    subject: Term,
    rule: &'static str,
}

impl Work<'_> {
    /// Puts what is known in place of what is asked again.
    pub(crate) fn know(&mut self) {
        while self.know_in(&mut Path::new()) {}
    }

    fn know_in(&mut self, path: &mut Path) -> bool {
        for at in 0..self.block(path).len() {
            if let Some(branch) = Branch::of(&self.block(path)[at].kind) {
                for arm in 0..2 {
                    for fact in facts(&branch.cond.term, arm) {
                        if self.tell(path, at, arm, &branch, &fact) {
                            return true;
                        }
                    }
                }
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                if self.know_in(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// Tells one branch what follows for a part of the condition; `false` if nobody asks.
    fn tell(&mut self, path: &Path, at: usize, arm: usize, branch: &Branch, fact: &Fact) -> bool {
        let told = if arm == 0 {
            &branch.then
        } else {
            &branch.otherwise
        };
        let var = u32::try_from(self.tree.vars.len()).expect("variables are few");
        let named = with_name_while(&self.tree, told, var, &fact.subject);
        if named == *told {
            return false;
        }
        let place = |term: Term| {
            Filled::Place(Place {
                term,
                span: branch.cond.span,
            })
        };
        let v = ("v", Filled::Var(var));
        let mut work = self.clone();
        let steps = to_front(&branch.cond.term, &fact.position);
        let back = steps_back(&branch.cond.term, &steps);
        if !work.condition(path, at, steps) {
            return false;
        }
        let mut inner = path.clone();
        inner.push((at, arm));
        let holes = [
            v.clone(),
            ("x", place(fact.subject.clone())),
            ("t", Filled::Block(named.clone())),
            ("s", Filled::Block(told.clone())),
        ];
        if !work.rewrite("name-value", (&inner, 0, told.len()), &holes) {
            return false;
        }
        let Some(now) = Branch::of(&work.block(path)[at].kind) else {
            return false;
        };
        let other = if arm == 0 { now.otherwise } else { now.then };
        let mut holes = vec![
            v.clone(),
            ("c", place(fact.subject.clone())),
            ("a", Filled::Block(named)),
            ("e", Filled::Block(other)),
        ];
        if let Some(rest) = now.cond.term.args.get(1) {
            holes.push(("d", place(rest.clone())));
        }
        work.rewrite(fact.rule, (path, at, 1), &holes)
            && work.inline(&inner, 0)
            && work.condition(path, at, back)
            && {
                *self = work;
                true
            }
    }

    fn condition(&mut self, path: &Path, at: usize, steps: Vec<Step>) -> bool {
        steps.is_empty()
            || self.derive(Derivation {
                block: path.clone(),
                at,
                expression: 0,
                steps,
            })
    }

    /// Puts the value of a VAR in the place of its name.
    pub(crate) fn inline(&mut self, path: &Path, at: usize) -> bool {
        let (first, rest) = self.block(path)[at..]
            .split_first()
            .expect("the VAR stands there");
        let Some((var, value)) = named(first) else {
            return false;
        };
        let Some(plain) = with_value(&self.tree, rest, var, &value.term) else {
            return false;
        };
        let holes = [
            ("v", Filled::Var(var)),
            ("x", Filled::Place(value)),
            ("t", Filled::Block(rest.to_vec())),
            ("s", Filled::Block(plain)),
        ];
        let len = rest.len() + 1;
        self.rewrite("inline-value", (path, at, len), &holes)
    }
}

fn named(node: &Node) -> Option<(u32, Place)> {
    let (var, _) = crate::block::pure(node)?;
    Some((var, initial(node)?.clone()))
}

/// What follows in a branch: 0 where the condition is TRUE, 1 where it is not.
fn facts(condition: &Term, arm: usize) -> Vec<Fact> {
    let joins = if arm == 0 { Op::And } else { Op::Or };
    let mut positions = vec![Vec::new()];
    let mut out = Vec::new();
    while let Some(position) = positions.pop() {
        let term = condition.at(&position).expect("the position was made here");
        if term.op == joins {
            for index in [1, 0] {
                positions.push([&position[..], &[index]].concat());
            }
            // What is asked again as a whole is found as a whole.
            if !position.is_empty() {
                continue;
            }
        }
        if matches!(term.op, Op::Bool(_) | Op::NullBool) {
            continue;
        }
        let whole = position.is_empty();
        let rule = match (arm, whole) {
            (0, true) => "known-then",
            (0, false) => "known-and",
            (_, true) => "known-else",
            (_, false) => "known-or",
        };
        let mut fact = |subject: &Term, rule| {
            out.push(Fact {
                position: position.clone(),
                subject: subject.clone(),
                rule,
            });
        };
        fact(term, rule);
        if let (Op::Not, [inner]) = (term.op, &term.args[..]) {
            match (arm, whole) {
                (0, true) => fact(inner, "known-not"),
                (0, false) => fact(inner, "known-and-not"),
                (_, true) => fact(inner, "known-else-not"),
                (_, false) => {}
            }
        }
    }
    out
}

/// The steps that bring a part of AND or OR to the front: `(and part rest)`.
fn to_front(condition: &Term, position: &[usize]) -> Vec<Step> {
    let mut term = condition.clone();
    let mut steps = Vec::new();
    let (swap, right) = match condition.op {
        Op::And => ("and-swap", "and-right"),
        _ => ("or-swap", "or-right"),
    };
    let mut step = |term: &mut Term, rule: &str, position: Vec<usize>, after: Term| {
        *term = term.with(&position, &after).expect("the part stands there");
        steps.push(Step {
            rule: rule.to_owned(),
            forward: true,
            position,
            after,
        });
    };
    for (depth, &side) in position.iter().enumerate() {
        if side == 1 {
            let here = vec![0; depth];
            let old = term.at(&here).expect("the part stands there").clone();
            let [a, b] = [0, 1].map(|index: usize| old.args[index].clone());
            step(&mut term, swap, here, Term::new(old.op, vec![b, a]));
        }
    }
    for _ in 1..position.len() {
        let [first, rest] = [0, 1].map(|index: usize| term.args[index].clone());
        let [part, next] = [0, 1].map(|index: usize| first.args[index].clone());
        let rest = Term::new(term.op, vec![next, rest]);
        let after = Term::new(term.op, vec![part, rest]);
        step(&mut term, right, Vec::new(), after);
    }
    steps
}

/// The steps that undo others.
fn steps_back(start: &Term, steps: &[Step]) -> Vec<Step> {
    let mut term = start.clone();
    let mut back = Vec::new();
    for step in steps {
        let before = term.at(&step.position).expect("the step was made here");
        back.push(Step {
            rule: step.rule.clone(),
            forward: !step.forward,
            position: step.position.clone(),
            after: before.clone(),
        });
        term = term
            .with(&step.position, &step.after)
            .expect("the step was made here");
    }
    back.reverse();
    back
}
