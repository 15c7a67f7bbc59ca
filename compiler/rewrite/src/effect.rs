//! One use of a rule between statements, and the checker of it.
//!
//! A use says what stands in each hole; the left side, filled with that, must be the statements at
//! the place, the guards must hold of what stands in the holes, and the right side takes their
//! place. What then declares a variable again declares a new one.

use std::collections::BTreeSet;
use std::fmt;

use progmp_ir::{Span, Var};
use progmp_rules::{Effect, EffectGuard, EffectRule, EffectSort, Pattern, RuleSet, Sort, Term};

use crate::block::{Path, alike, changes, find, leaves, mentions, reads};
use crate::idle;
use crate::names::with_value;
use crate::replay::Fault;
use crate::scope::{declare_once, declares, ends_there, in_scope, known, means_something};
use crate::tree::{Node, NodeKind, Place, Source, Tree};

/// What stands in a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Statements.
    Block(Vec<Node>),
    /// An expression.
    Place(Place),
    /// A packet that is pushed.
    Source(Source),
    /// A variable.
    Var(u32),
}

/// One use of a rule between statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The rule's name.
    pub rule: String,
    /// The block.
    pub block: Path,
    /// The first statement that is replaced.
    pub at: usize,
    /// How many are replaced.
    pub len: usize,
    /// What stands in the rule's holes.
    pub found: Vec<Filled>,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at", self.rule)?;
        for (index, arm) in &self.block {
            write!(f, " {index}.{arm}")?;
        }
        write!(f, " {}", self.at)
    }
}

/// What the tree becomes by one use of a rule.
///
/// # Errors
/// Why it does not follow.
pub fn make(tree: &Tree, rules: &RuleSet, by: &Use) -> Result<Tree, Fault> {
    let name = || by.rule.clone();
    let rule = rules
        .effect(&by.rule)
        .ok_or_else(|| Fault::NoRule(name()))?;
    let mut after = tree.clone();
    let missing = || Fault::NoPosition(name());
    let nodes = find(&mut after.body, &by.block).ok_or_else(missing)?;
    let end = by.at.checked_add(by.len).filter(|&end| end <= nodes.len());
    let end = end.ok_or_else(missing)?;
    let filling = Filling {
        rule,
        found: &by.found,
    };
    filling.sorts(tree)?;
    // Guards speak of the variable that the rule brings, too.
    let mut named = tree.clone();
    filling.declare(&mut named);
    filling.names(&named)?;
    let range = &nodes[by.at..end];
    // A variable is in scope up to the end of its block.
    let all = matches!(rule.from, Effect::Var(..));
    let mut spans = Spans::of(range);
    if all && end < nodes.len() || !filling.is(&rule.from, range, &mut spans) {
        return Err(Fault::Mismatch(name()));
    }
    let is_last = end == nodes.len() && ends_there(&tree.body, &by.block);
    for guard in &rule.guards {
        if !filling.holds(&named, *guard, is_last) {
            return Err(Fault::Guard(name()));
        }
    }
    after.vars = named.vars;
    let made = filling.made(&rule.to, &mut spans);
    let nodes = find(&mut after.body, &by.block).ok_or_else(missing)?;
    nodes.splice(by.at..end, made);
    let mut body = std::mem::take(&mut after.body);
    declare_once(&mut after, &mut body, &mut BTreeSet::new());
    after.body = body;
    if !in_scope(&after.body, &mut BTreeSet::new()) {
        return Err(Fault::Scope(name()));
    }
    Ok(after)
}

/// Where the statements of a rule come from, for those that are made.
struct Spans {
    first: Span,
    ifs: Vec<Span>,
    vars: Vec<Span>,
    loops: Vec<Span>,
}

impl Spans {
    fn of(range: &[Node]) -> Self {
        Self {
            first: range.first().map(|node| node.span).unwrap_or_default(),
            ifs: Vec::new(),
            vars: Vec::new(),
            loops: Vec::new(),
        }
    }
}

struct Filling<'u> {
    rule: &'u EffectRule,
    found: &'u [Filled],
}

impl Filling<'_> {
    /// What stands in the holes must be of their sorts.
    fn sorts(&self, tree: &Tree) -> Result<(), Fault> {
        let fits = |(hole, filled): (&progmp_rules::EffectHole, &Filled)| match (hole.sort, filled)
        {
            (EffectSort::Block, Filled::Block(_)) | (EffectSort::Source, Filled::Source(_)) => true,
            (EffectSort::Statement, Filled::Block(nodes)) => nodes.len() == 1,
            // One that is new gets the next number, whatever there is already.
            (EffectSort::Var, Filled::Var(number)) => {
                let old = (*number as usize) < tree.vars.len();
                let new = *number as usize == tree.vars.len();
                if self.brings(&hole.name) { new } else { old }
            }
            (EffectSort::Value, Filled::Place(place)) => known(tree, &place.term).is_some(),
            (EffectSort::Bool, Filled::Place(place)) => {
                known(tree, &place.term) == Some(Sort::Bool)
            }
            (EffectSort::List, Filled::Place(place)) => {
                known(tree, &place.term) == Some(Sort::List)
            }
            _ => false,
        };
        let all = self.found.len() == self.rule.holes.len()
            && self.rule.holes.iter().zip(self.found).all(fits);
        all.then_some(())
            .ok_or_else(|| Fault::Sort(self.rule.name.clone()))
    }

    /// Whether a rule declares a variable that is not on its left side.
    fn brings(&self, name: &str) -> bool {
        let hole = self.rule.holes.iter().position(|hole| hole.name == name);
        hole.is_some_and(|hole| !declares(&self.rule.from, hole))
    }

    /// What stands in the holes must mean something.
    fn names(&self, tree: &Tree) -> Result<(), Fault> {
        let means = |filled: &Filled| match filled {
            Filled::Block(nodes) => nodes.iter().all(|node| means_something(tree, node)),
            Filled::Place(place) => known(tree, &place.term).is_some(),
            Filled::Source(source) => known(tree, &source.place().term).is_some(),
            Filled::Var(number) => (*number as usize) < tree.vars.len(),
        };
        let all = self.found.iter().all(means);
        all.then_some(())
            .ok_or_else(|| Fault::Scope(self.rule.name.clone()))
    }

    fn block(&self, hole: usize) -> &[Node] {
        match &self.found[hole] {
            Filled::Block(nodes) => nodes,
            other => unreachable!("a block was expected: {other:?}"),
        }
    }

    fn place(&self, hole: usize) -> &Place {
        match &self.found[hole] {
            Filled::Place(place) => place,
            other => unreachable!("an expression was expected: {other:?}"),
        }
    }

    fn var(&self, hole: usize) -> u32 {
        match &self.found[hole] {
            Filled::Var(number) => *number,
            other => unreachable!("a variable was expected: {other:?}"),
        }
    }

    fn value(&self, pattern: &Pattern) -> Place {
        let term = |pattern: &Pattern| self.value(pattern).term;
        match pattern {
            Pattern::Hole(hole) => self.place(*hole).clone(),
            Pattern::Node(op, args) => {
                let mut holes = Vec::new();
                pattern.holes(&mut holes);
                let first = holes.first().map(|&hole| self.place(hole).span);
                Place {
                    term: Term::new(*op, args.iter().map(term).collect()),
                    span: first.unwrap_or_default(),
                }
            }
        }
    }

    /// How many statements a side stands for; all that are left if it declares a variable.
    fn width(&self, side: &Effect) -> usize {
        match side {
            Effect::Hole(hole) => self.block(*hole).len(),
            Effect::Do(parts) => parts.iter().map(|part| self.width(part)).sum(),
            Effect::Var(_, _, rest) => 1 + self.width(rest),
            _ => 1,
        }
    }

    /// Whether a side, filled, is these statements.
    fn is(&self, side: &Effect, nodes: &[Node], spans: &mut Spans) -> bool {
        match side {
            Effect::Hole(hole) => return alike(self.block(*hole), nodes),
            Effect::Do(parts) => {
                let mut rest = nodes;
                for part in parts {
                    let Some((first, behind)) = rest.split_at_checked(self.width(part)) else {
                        return false;
                    };
                    if !self.is(part, first, spans) {
                        return false;
                    }
                    rest = behind;
                }
                return rest.is_empty();
            }
            _ => {}
        }
        let Some((node, behind)) = nodes.split_first() else {
            return false;
        };
        let same = |pattern: &Pattern, place: &Place| self.value(pattern).term == place.term;
        match (side, &node.kind) {
            (
                Effect::Var(v, x, rest),
                NodeKind::Let {
                    var,
                    init: Source::Value(place),
                },
            ) => {
                spans.vars.push(node.span);
                self.var(*v) == *var && same(x, place) && self.is(rest, behind, spans)
            }
            _ if !behind.is_empty() => false,
            (
                Effect::If(c, a, b),
                NodeKind::If {
                    cond,
                    then,
                    otherwise,
                },
            ) => {
                spans.ifs.push(node.span);
                let otherwise = otherwise.as_deref().unwrap_or_default();
                same(c, cond) && self.is(a, then, spans) && self.is(b, otherwise, spans)
            }
            (Effect::Each(e, l, a), NodeKind::Foreach { var, list, body }) => {
                spans.loops.push(node.span);
                self.var(*e) == *var && same(l, list) && self.is(a, body, spans)
            }
            (Effect::Push(s, x), NodeKind::Push { target, packet }) => {
                same(s, target) && self.found[*x] == Filled::Source(packet.clone())
            }
            (
                Effect::Drop(x),
                NodeKind::Drop {
                    packet: Source::Value(place),
                },
            )
            | (Effect::Void(x), NodeKind::Void(Some(place))) => same(x, place),
            (Effect::Return, kind) => *kind == NodeKind::Return,
            _ => false,
        }
    }

    fn holds(&self, tree: &Tree, guard: EffectGuard, is_last: bool) -> bool {
        match guard {
            EffectGuard::Unread(v, hole) => {
                let var = self.var(v);
                match &self.found[hole] {
                    Filled::Block(nodes) => !nodes.iter().any(|node| reads(node, var)),
                    Filled::Place(place) => !mentions(&place.term, var),
                    Filled::Source(_) | Filled::Var(_) => false,
                }
            }
            EffectGuard::Keeps(block, value) => {
                let term = &self.place(value).term;
                !self
                    .block(block)
                    .iter()
                    .any(|node| changes(tree, node, term))
            }
            EffectGuard::Idle(block, condition) => {
                idle::wasted(tree, self.block(block), &self.place(condition).term).is_some()
            }
            EffectGuard::Leaves(block) => leaves(self.block(block)),
            EffectGuard::NonNull(value) => tree.never_null(&self.place(value).term),
            EffectGuard::Names(v, x, after, before) => {
                let value = &self.place(x).term;
                with_value(tree, self.block(after), self.var(v), value).as_deref()
                    == Some(self.block(before))
            }
            EffectGuard::Last => is_last,
        }
    }

    /// Declares the variable that a rule brings, if it does.
    fn declare(&self, tree: &mut Tree) {
        for guard in &self.rule.guards {
            let EffectGuard::Names(v, x, ..) = guard else {
                continue;
            };
            if self.var(*v) as usize == tree.vars.len() {
                let place = self.place(*x);
                tree.vars.push(Var {
                    name: format!("v{}", self.var(*v)),
                    ty: tree.type_of(&place.term),
                    may_be_null: tree.may_be_null(&place.term),
                    span: place.span,
                });
            }
        }
    }

    fn made(&self, side: &Effect, spans: &mut Spans) -> Vec<Node> {
        let first = spans.first;
        let next = |spans: &mut Vec<Span>| {
            if spans.is_empty() {
                first
            } else {
                spans.remove(0)
            }
        };
        let (span, kind) = match side {
            Effect::Hole(hole) => return self.block(*hole).to_vec(),
            Effect::Do(parts) => {
                let parts = parts.iter();
                return parts.flat_map(|part| self.made(part, spans)).collect();
            }
            Effect::Var(v, x, rest) => {
                let node = Node {
                    span: next(&mut spans.vars),
                    kind: NodeKind::Let {
                        var: self.var(*v),
                        init: Source::Value(self.value(x)),
                    },
                };
                let mut nodes = vec![node];
                nodes.extend(self.made(rest, spans));
                return nodes;
            }
            Effect::If(c, a, b) => {
                let span = next(&mut spans.ifs);
                let then = self.made(a, spans);
                let otherwise = self.made(b, spans);
                let otherwise = Some(otherwise).filter(|block| !block.is_empty());
                let cond = self.value(c);
                let kind = NodeKind::If {
                    cond,
                    then,
                    otherwise,
                };
                (span, kind)
            }
            Effect::Each(e, l, a) => {
                let span = next(&mut spans.loops);
                let kind = NodeKind::Foreach {
                    var: self.var(*e),
                    list: self.value(l),
                    body: self.made(a, spans),
                };
                (span, kind)
            }
            Effect::Push(s, x) => {
                let Filled::Source(packet) = self.found[*x].clone() else {
                    unreachable!("the sorts were looked at")
                };
                let target = self.value(s);
                (first, NodeKind::Push { target, packet })
            }
            Effect::Drop(x) => {
                let packet = Source::Value(self.value(x));
                (first, NodeKind::Drop { packet })
            }
            Effect::Void(x) => (first, NodeKind::Void(Some(self.value(x)))),
            Effect::Return => (first, NodeKind::Return),
        };
        vec![Node { span, kind }]
    }
}
