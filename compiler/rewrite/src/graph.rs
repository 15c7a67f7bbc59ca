//! The door to egg: rules and a term in, a cheaper term and the steps to it out.

use std::fmt;
use std::time::Duration;

use egg::{
    Analysis, CostFunction, DidMerge, EGraph, ENodeOrVar, Extractor, FlatTerm, Id, Language,
    Pattern, RecExpr, Rewrite, Runner, Subst,
};
use progmp_ir::{ListSource, Type};
use progmp_rules::{Guard, Op, RuleSet, Sort, Term};

use crate::cost;
use crate::trace::Step;
use crate::tree::Tree;

/// Nodes of a graph, at most.
const NODES: usize = 2_000;
/// Rounds, at most.
const ROUNDS: usize = 6;

/// An operator and the classes of its operands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    op: Op,
    args: Vec<Id>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.op)
    }
}

impl Language for Node {
    type Discriminant = Op;

    fn discriminant(&self) -> Op {
        self.op
    }

    fn matches(&self, other: &Self) -> bool {
        self.op == other.op && self.args.len() == other.args.len()
    }

    fn children(&self) -> &[Id] {
        &self.args
    }

    fn children_mut(&mut self) -> &mut [Id] {
        &mut self.args
    }
}

/// Which variables may be NULL.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nullness {
    vars: Vec<bool>,
    /// Whether it is a list of subflows.
    lists: Vec<bool>,
    /// How many subflows there are, if that is known.
    subflows: Option<u64>,
}

/// What is known of all terms of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    sort: Sort,
    /// Not NULL; one member of the class that shows it is enough.
    sure: bool,
    /// A list of subflows, all or some.
    subflows: bool,
}

impl Analysis<Node> for Nullness {
    type Data = Facts;

    fn make(graph: &mut EGraph<Node, Self>, node: &Node, _: Id) -> Facts {
        let mut all = node.args.iter().map(|&id| graph[id].data.sure);
        let sure = match node.op {
            Op::NullInt
            | Op::NullBool
            | Op::NullElement(_)
            | Op::Get
            | Op::Extremum(_)
            | Op::First
            | Op::Last => false,
            Op::Var(number, _) => !graph.analysis.vars[number as usize],
            // Whether the divisor is 0 is not looked at.
            Op::Arith(op) if op.apply(1, 0).is_none() => false,
            Op::Not
            | Op::Arith(_)
            | Op::Order(_)
            | Op::SubflowInt(_)
            | Op::SubflowBool(_)
            | Op::HasWindowFor
            | Op::PacketInt(_)
            | Op::Psh
            | Op::SentOn
            | Op::SentOnAll => all.all(|sure| sure),
            _ => true,
        };
        let subflows = match node.op {
            Op::Subflows => true,
            Op::Filter => graph[node.args[0]].data.subflows,
            Op::Var(number, Sort::List) => graph.analysis.lists[number as usize],
            _ => false,
        };
        Facts {
            sort: node.op.sort(),
            sure,
            subflows,
        }
    }

    fn merge(&mut self, a: &mut Facts, b: Facts) -> DidMerge {
        assert_eq!(a.sort, b.sort, "equal terms are of one sort");
        let before = *a;
        a.sure |= b.sure;
        a.subflows |= b.subflows;
        DidMerge(*a != before, *a != b)
    }
}

type Graph = EGraph<Node, Nullness>;

/// The rules in egg's form.
pub(crate) struct Rewrites(Vec<Rewrite<Node, Nullness>>);

impl Rewrites {
    /// Takes all rules.
    ///
    /// # Panics
    /// If egg refuses a rule that our reader took.
    pub(crate) fn of(rules: &RuleSet) -> Self {
        let rewrite = |rule: &progmp_rules::Rule| {
            let sorts: Vec<Sort> = rule.holes.iter().map(|hole| hole.sort.sort()).collect();
            let guards = rule.guards.clone();
            let mut used = Vec::new();
            rule.from.holes(&mut used);
            let condition = move |graph: &mut Graph, _: Id, found: &Subst| {
                used.iter().all(|&hole| {
                    let facts = graph[found[variable(hole)]].data;
                    let known = graph.analysis.subflows.filter(|_| facts.subflows);
                    facts.sort == sorts[hole]
                        && guards.iter().all(|guard| match *guard {
                            Guard::NonNull(guarded) => guarded != hole || facts.sure,
                            Guard::AtMost(guarded, most) => {
                                guarded != hole || known.is_some_and(|known| known <= most)
                            }
                        })
                })
            };
            let applier = egg::ConditionalApplier {
                condition,
                applier: pattern(&rule.to),
            };
            Rewrite::new(rule.name.as_str(), pattern(&rule.from), applier)
                .unwrap_or_else(|why| unreachable!("egg refuses {}: {why}", rule.name))
        };
        Self(rules.rules.iter().map(rewrite).collect())
    }
}

fn variable(hole: usize) -> egg::Var {
    egg::Var::from(u32::try_from(hole).expect("a rule has few holes"))
}

fn pattern(of: &progmp_rules::Pattern) -> Pattern<Node> {
    fn add(of: &progmp_rules::Pattern, out: &mut RecExpr<ENodeOrVar<Node>>) -> Id {
        match of {
            progmp_rules::Pattern::Hole(hole) => out.add(ENodeOrVar::Var(variable(*hole))),
            progmp_rules::Pattern::Node(op, args) => {
                let args = args.iter().map(|arg| add(arg, out)).collect();
                out.add(ENodeOrVar::ENode(Node { op: *op, args }))
            }
        }
    }
    let mut ast = RecExpr::default();
    add(of, &mut ast);
    Pattern::new(ast)
}

fn expression(term: &Term) -> RecExpr<Node> {
    fn add(term: &Term, out: &mut RecExpr<Node>) -> Id {
        let args = term.args.iter().map(|arg| add(arg, out)).collect();
        out.add(Node { op: term.op, args })
    }
    let mut out = RecExpr::default();
    add(term, &mut out);
    out
}

fn term_of(expression: &RecExpr<Node>, id: Id) -> Term {
    let node = &expression[id];
    let args = node.args.iter().map(|&arg| term_of(expression, arg));
    Term::new(node.op, args.collect())
}

struct Instructions;

impl CostFunction<Node> for Instructions {
    type Cost = usize;

    fn cost<C: FnMut(Id) -> usize>(&mut self, node: &Node, mut costs: C) -> usize {
        let args: Vec<usize> = node.args.iter().map(|&id| costs(id)).collect();
        cost::all(node.op, &args)
    }
}

fn saturate(
    tree: &Tree,
    rewrites: &Rewrites,
    start: &RecExpr<Node>,
    nodes: usize,
    subflows: Option<u64>,
) -> Runner<Node, Nullness> {
    let is_list = |var: &progmp_ir::Var| var.ty == Type::List(ListSource::Subflows);
    let known = Nullness {
        vars: tree.vars.iter().map(|var| var.may_be_null).collect(),
        lists: tree.vars.iter().map(is_list).collect(),
        subflows,
    };
    Runner::<Node, Nullness>::new(known)
        .with_explanations_enabled()
        .with_node_limit(nodes)
        .with_iter_limit(ROUNDS)
        // Never the clock: nodes and rounds end it.
        .with_time_limit(Duration::MAX)
        .with_expr(start)
        .run(&rewrites.0)
}

/// The graph of a term, in Graphviz's language; of at most so many nodes.
pub(crate) fn dot(tree: &Tree, rewrites: &Rewrites, term: &Term, nodes: usize) -> String {
    let runner = saturate(tree, rewrites, &expression(term), nodes, None);
    runner.egraph.dot().to_string()
}

/// A term that costs less, and the steps to it; `None` if none was found.
pub(crate) fn cheaper(
    tree: &Tree,
    rewrites: &Rewrites,
    term: &Term,
    subflows: Option<u64>,
) -> Option<(Term, Vec<Step>)> {
    let start = expression(term);
    let mut runner = saturate(tree, rewrites, &start, NODES, subflows);
    let (found, best) = Extractor::new(&runner.egraph, Instructions).find_best(runner.roots[0]);
    if found >= cost::cost(term) {
        return None;
    }
    let mut explanation = runner.explain_equivalence(&start, &best);
    let flat = explanation.make_flat_explanation();
    let steps = flat.iter().skip(1).map(step).collect::<Option<Vec<_>>>()?;
    Some((term_of(&best, best.root()), steps))
}

/// The step that leads to a term of an explanation.
fn step(to: &FlatTerm<Node>) -> Option<Step> {
    let mut position = Vec::new();
    let mut here = to;
    loop {
        let rule = here.forward_rule.or(here.backward_rule);
        if let Some(rule) = rule {
            return Some(Step {
                rule: rule.to_string(),
                forward: here.forward_rule.is_some(),
                position,
                after: flat_term(here),
            });
        }
        let next = here
            .children
            .iter()
            .position(|child| child.has_rewrite_forward() || child.has_rewrite_backward())?;
        position.push(next);
        here = &here.children[next];
    }
}

fn flat_term(flat: &FlatTerm<Node>) -> Term {
    Term::new(flat.node.op, flat.children.iter().map(flat_term).collect())
}
