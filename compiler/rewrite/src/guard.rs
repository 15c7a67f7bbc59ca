//! Nothing is computed where nothing can be done: an IF around what does nothing otherwise.
//!
//! Three things lead to it. An early RETURN becomes a branch, so that what follows stands in one block.
//! A filter whose predicate is partly about flags becomes two, the cheap one first and with a name.
//! Then each list that has a name, and the queues, are tried as conditions.

use progmp_ir::{Kind, QueueName, Span, Type};
use progmp_rules::{Op, Sort, Term};

use crate::block::{Path, blocks, pure, reads};
use crate::cost::{is_word, price};
use crate::effect::Filled;
use crate::idle::wasted;
use crate::names::with_name;
use crate::scope::ends_there;
use crate::settle::{Work, initial};
use crate::trace::{Derivation, Step};
use crate::tree::{Node, NodeKind, Place};

impl Work<'_> {
    /// Puts what does nothing otherwise behind conditions.
    pub(crate) fn guard(&mut self) {
        self.leave_by_branches(&mut Path::new());
        self.settle();
        self.queues();
        self.divide(&mut Path::new());
        self.lists(&mut Path::new(), Vec::new());
        self.settle();
    }

    /// An IF that only ends the execution takes what follows as its ELSE.
    fn leave_by_branches(&mut self, path: &mut Path) {
        let block = self.block(path).to_vec();
        for (at, node) in block.iter().enumerate() {
            let rest = block[at + 1..].to_vec();
            match &node.kind {
                NodeKind::If {
                    cond,
                    then,
                    otherwise: None,
                } if !rest.is_empty()
                    && matches!(&then[..], [only] if only.kind == NodeKind::Return) =>
                {
                    let holes = [
                        ("c", Filled::Place(cond.clone())),
                        ("a", Filled::Block(then.clone())),
                        ("b", Filled::Block(Vec::new())),
                        ("r", Filled::Block(rest)),
                    ];
                    if !ends_there(&self.tree.body, path)
                        || !self.rewrite("join-rest", (path, at, block.len() - at), &holes)
                    {
                        return;
                    }
                    path.push((at, 0));
                    let made = self.block(path).to_vec();
                    let (first, copy) = made.split_at(1);
                    let holes = [
                        ("a", Filled::Block(first.to_vec())),
                        ("b", Filled::Block(copy.to_vec())),
                    ];
                    self.rewrite("after-leaving", (path, 0, made.len()), &holes);
                    self.rewrite("last-return", (path, 0, 1), &[]);
                    path.pop();
                    path.push((at, 1));
                    self.leave_by_branches(path);
                    path.pop();
                    return;
                }
                _ => {}
            }
        }
    }

    /// A condition on queues around the whole program.
    fn queues(&mut self) {
        let choices: [&[QueueName]; 4] = [
            &[QueueName::Send],
            &[QueueName::Retrans, QueueName::Send],
            &[QueueName::Send, QueueName::Unacked],
            &[QueueName::Retrans, QueueName::Send, QueueName::Unacked],
        ];
        let best = choices
            .iter()
            .map(|queues| {
                let mut tests = queues
                    .iter()
                    .map(|&queue| some(Term::leaf(Op::Queue(queue))));
                let first = tests.next().expect("there is a queue");
                tests.fold(first, |all, next| Term::new(Op::Or, vec![all, next]))
            })
            .filter_map(|condition| {
                let gain = self.gain(&self.tree.body, &condition)?;
                Some((gain, condition))
            })
            .max_by_key(|(gain, _)| *gain);
        if let Some((_, condition)) = best {
            let len = self.tree.body.len();
            self.behind(condition, (&Path::new(), 0, len));
        }
    }

    /// What is expected to be saved by a condition before statements that do nothing otherwise.
    fn gain(&self, nodes: &[Node], condition: &Term) -> Option<u64> {
        let wasted = wasted(&self.tree, nodes, condition)?;
        let saved = wasted.saturating_mul(ALWAYS - chance(condition)) / ALWAYS;
        let gain = saved.checked_sub(price(&self.tree, condition) + 1)?;
        (gain >= LEAST).then_some(gain)
    }

    fn behind(&mut self, condition: Term, place: (&Path, usize, usize)) -> bool {
        let (path, at, len) = place;
        let nodes = self.block(path)[at..at + len].to_vec();
        let span = nodes.first().map_or_else(Span::default, |node| node.span);
        let term = condition;
        let holes = [
            ("c", Filled::Place(Place { term, span })),
            ("s", Filled::Block(nodes)),
        ];
        self.rewrite("idle-guard", place, &holes)
    }

    /// Filters that ask about flags and more: about flags first, under a name.
    fn divide(&mut self, path: &mut Path) {
        let mut at = 0;
        while at < self.block(path).len() {
            let node = self.block(path)[at].clone();
            if let Some(place) = initial(&node)
                && self.is_subflows(&place.term)
                && let Some(steps) = divided(&place.term)
            {
                let derivation = Derivation {
                    block: path.clone(),
                    at,
                    expression: 0,
                    steps,
                };
                if self.derive(derivation) && self.name(path, at) {
                    at += 1;
                }
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                path.push((at, arm));
                self.divide(path);
                path.pop();
            }
            at += 1;
        }
    }

    fn is_subflows(&self, term: &Term) -> bool {
        term.op == Op::Filter && self.tree.list_source(term).kind() == Kind::Subflow
    }

    /// Gives the list that a filter starts from a name.
    fn name(&mut self, path: &Path, at: usize) -> bool {
        let nodes = self.block(path)[at..].to_vec();
        let Some(place) = initial(&nodes[0]) else {
            return false;
        };
        let value = Place {
            term: place.term.args[0].clone(),
            span: place.span,
        };
        let var = u32::try_from(self.tree.vars.len()).expect("variables are few");
        let mut named = with_name(&nodes[..1], var, &value.term);
        named.extend_from_slice(&nodes[1..]);
        let holes = [
            ("v", Filled::Var(var)),
            ("x", Filled::Place(value)),
            ("t", Filled::Block(named)),
            ("s", Filled::Block(nodes.clone())),
        ];
        self.rewrite("name-value", (path, at, nodes.len()), &holes)
    }

    /// Conditions on lists that have names. `open` are those of which it is not known whether they
    /// have members.
    fn lists(&mut self, path: &mut Path, mut open: Vec<u32>) {
        let mut at = 0;
        while at < self.block(path).len() {
            // What has been declared last says most.
            let used = open
                .iter()
                .rev()
                .copied()
                .find(|&var| self.list(path, at, var));
            if let Some(used) = used {
                let mut inside = open.clone();
                self.has_members(used, &mut inside);
                path.push((at, 0));
                self.lists(path, inside);
                path.pop();
                at += 1;
                continue;
            }
            for arm in 0..blocks(&self.block(path)[at]).len() {
                let mut inside = open.clone();
                if let NodeKind::If { cond, .. } = &self.block(path)[at].kind {
                    self.asked(&cond.term.clone(), arm == 0, &mut inside);
                }
                path.push((at, arm));
                self.lists(path, inside);
                path.pop();
            }
            if let Some((var, _)) = pure(&self.block(path)[at])
                && matches!(self.tree.vars[var as usize].ty, Type::List(_))
            {
                open.push(var);
            }
            at += 1;
        }
    }

    /// What a condition that is TRUE, or is not, says of lists.
    fn asked(&self, condition: &Term, holds: bool, open: &mut Vec<u32>) {
        match (condition.op, &condition.args[..], holds) {
            (Op::And, [a, b], true) | (Op::Or, [a, b], false) => {
                self.asked(a, holds, open);
                self.asked(b, holds, open);
            }
            // EMPTY is never NULL.
            (Op::Not, [inner], _) if inner.op == Op::Empty => self.asked(inner, !holds, open),
            (Op::Empty, [list], false) => {
                if let Op::Var(var, _) = list.op {
                    self.has_members(var, open);
                }
            }
            _ => {}
        }
    }

    /// A list has members: so has the one that it was filtered from.
    fn has_members(&self, list: u32, open: &mut Vec<u32>) {
        open.retain(|&var| var != list);
        if let Some(value) = value_of(&self.tree.body, list)
            && value.op == Op::Filter
            && let Op::Var(parent, _) = value.args[0].op
        {
            self.has_members(parent, open);
        }
    }

    /// Puts what does nothing if a list is empty behind the question whether it is: the rest of the
    /// block, or as much of it as can be.
    fn list(&mut self, path: &Path, at: usize, var: u32) -> bool {
        let condition = some(Term::leaf(Op::Var(var, Sort::List)));
        let nodes = self.block(path)[at..].to_vec();
        // If what is filtered from it will be asked about, too, only the way there is saved.
        let filtered = nodes.iter().position(|node| {
            pure(node).is_some_and(|(_, value)| {
                value.op == Op::Filter
                    && matches!(value.args[0].op, Op::Var(list, _) if list == var)
            })
        });
        if let Some(next) = filtered
            && let Some((list, _)) = pure(&nodes[next])
            && let later = some(Term::leaf(Op::Var(list, Sort::List)))
            && self.gain(&nodes[next + 1..], &later).is_some()
            && self.gain(&nodes[..=next], &condition).is_none()
        {
            return false;
        }
        for len in (1..=nodes.len()).rev() {
            let (inside, outside) = nodes.split_at(len);
            let escapes = inside
                .iter()
                .filter_map(pure)
                .any(|(declared, _)| outside.iter().any(|node| reads(node, declared)));
            if !escapes && self.gain(inside, &condition).is_some() {
                return self.behind(condition, (path, at, len));
            }
        }
        false
    }
}

/// The initial value of a variable.
fn value_of(block: &[Node], wanted: u32) -> Option<&Term> {
    block.iter().find_map(|node| match pure(node) {
        Some((var, value)) if var == wanted => Some(value),
        _ => blocks(node)
            .into_iter()
            .find_map(|inner| value_of(inner, wanted)),
    })
}

/// A probability of one.
pub(crate) const ALWAYS: u64 = 16;
/// How probable it is that there are just so many subflows.
pub(crate) const NUMBER: u64 = 3;
/// What a condition must be expected to save at least.
const LEAST: u64 = 2;

/// How probable a condition is taken to be, in parts of [`ALWAYS`].
pub(crate) fn chance(condition: &Term) -> u64 {
    match condition.op {
        Op::Or => {
            let not = condition.args.iter().map(|arg| ALWAYS - chance(arg));
            ALWAYS - not.fold(ALWAYS, |all, one| all * one / ALWAYS)
        }
        Op::And => {
            let both = condition.args.iter().map(chance);
            both.fold(ALWAYS, |all, one| all * one / ALWAYS)
        }
        Op::Equal if condition.args[0].op == Op::Count => NUMBER,
        Op::Bool(true) => ALWAYS,
        Op::Bool(false) | Op::NullBool => 0,
        _ => ALWAYS / 2,
    }
}

/// Whether a list has members.
fn some(list: Term) -> Term {
    Term::new(Op::Not, vec![Term::new(Op::Empty, vec![list])])
}

/// How a filter becomes two, of which the inner one asks about flags only; `None` if it asks about nothing
/// else, or not about flags.
fn divided(term: &Term) -> Option<Vec<Step>> {
    let mut spine = Spine {
        term: term.clone(),
        steps: Vec::new(),
    };
    let mut depth = 0;
    while let Some(filter) = spine.at(depth) {
        if filter.args[1].op == Op::And {
            let inner = Term::new(
                Op::Filter,
                vec![filter.args[0].clone(), filter.args[1].args[0].clone()],
            );
            let outer = vec![inner, filter.args[1].args[1].clone()];
            spine.step("filter-split", depth, Term::new(Op::Filter, outer));
        } else {
            depth += 1;
        }
    }
    // Flags move inwards.
    let is_flag =
        |spine: &Spine, depth: usize| spine.at(depth).is_some_and(|f| is_word(&f.args[1]));
    let flags = (0..depth).filter(|&at| is_flag(&spine, at)).count();
    if flags == 0 || flags == depth {
        return None;
    }
    for _ in 0..depth {
        for at in 0..depth - 1 {
            if is_flag(&spine, at) && !is_flag(&spine, at + 1) {
                let outer = spine.at(at)?.clone();
                let inner = &outer.args[0];
                let swapped = Term::new(
                    Op::Filter,
                    vec![inner.args[0].clone(), outer.args[1].clone()],
                );
                let swapped = Term::new(Op::Filter, vec![swapped, inner.args[1].clone()]);
                spine.step("filter-swap", at, swapped);
            }
        }
    }
    // Both parts become one filter each, the inner ones first.
    for (at, count) in [(depth - flags, flags), (0, depth - flags)] {
        for joined in 1..count {
            let at = at + count - 1 - joined;
            let outer = spine.at(at)?.clone();
            let inner = &outer.args[0];
            let both = vec![inner.args[1].clone(), outer.args[1].clone()];
            let one = vec![inner.args[0].clone(), Term::new(Op::And, both)];
            spine.step("filter-filter", at, Term::new(Op::Filter, one));
        }
    }
    Some(spine.steps)
}

/// Filters over filters.
struct Spine {
    term: Term,
    steps: Vec<Step>,
}

impl Spine {
    /// The filter under so many others.
    fn at(&self, depth: usize) -> Option<&Term> {
        let found = self.term.at(&vec![0; depth])?;
        (found.op == Op::Filter).then_some(found)
    }

    fn step(&mut self, rule: &str, depth: usize, after: Term) {
        let position = vec![0; depth];
        self.term = self
            .term
            .with(&position, &after)
            .expect("the position was looked at");
        self.steps.push(Step {
            rule: rule.to_owned(),
            forward: true,
            position,
            after,
        });
    }
}
