//! Compressed execution: after the packet that a program pushes last, the next ones, on the same
//! subflow, while it has room.
//!
//! In: a program. Out: its places where that may be tried, and the program with loops there. Whether
//! such a loop does what further executions would do is not known here: the verifier decides.
//!
//! A place is a PUSH of what is popped from Q on the subflow with the least or greatest key of a list
//! that a filter by `HAS_WINDOW_FOR` is part of, with nothing behind it. The loop goes over as many
//! packets as the subflow's congestion window takes, provided that all subflows that are ready have
//! a window for the first packet, and ends where the chosen one has none for the next.

use std::fmt;

use progmp_ir::{ArithOp, Kind, OrderOp, PacketInt, Program, QueueName, Span, SubflowInt};
use progmp_ir::{Type, Var};
use progmp_rules::{Op, Sort, Term};

use crate::block::{Path, blocks, find, pure};
use crate::tree::{Node, NodeKind, Place, Source, Tree};

/// A statement: its block, and its number there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    block: Path,
    at: usize,
    /// Where it stands in the source.
    pub span: Span,
}

/// Why nothing can be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSite {
    /// The program uses RANDOM or PRINT, or is too long.
    Left,
    /// No PUSH of `Q.POP()` is the last that a program does.
    NoPush,
    /// The subflow is not one with the least or greatest key of a list.
    NoChoice,
    /// The list is not filtered by `HAS_WINDOW_FOR` of one packet.
    NoWindow,
}

impl fmt::Display for NoSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "it uses RANDOM or PRINT, or is too long",
            Self::NoPush => "nothing that is popped from Q is pushed as the last thing",
            Self::NoChoice => "the subflow is not the one of a list with the least or greatest key",
            Self::NoWindow => "the list is not filtered by HAS_WINDOW_FOR of one packet",
        })
    }
}

/// The places of a program where a loop may be tried.
///
/// # Errors
/// Why there is none: what is missing at the place that comes closest.
pub fn sites(program: &Program) -> Result<Vec<Site>, NoSite> {
    if program.exprs.len() > crate::LARGEST {
        return Err(NoSite::Left);
    }
    let tree = Tree::of(program).ok_or(NoSite::Left)?;
    if crate::prints(&tree.body) {
        return Err(NoSite::Left);
    }
    let mut found = Vec::new();
    let mut closest = NoSite::NoPush;
    last(
        &tree.body,
        true,
        &mut Vec::new(),
        &mut |block, at, node| match plan(&tree, node) {
            Ok(_) => found.push(Site {
                block: block.clone(),
                at,
                span: node.span,
            }),
            Err(why) => closest = why,
        },
    );
    if found.is_empty() {
        Err(closest)
    } else {
        Ok(found)
    }
}

/// The program with loops at these places.
///
/// # Panics
/// If they are not places of this program.
pub fn compress(program: &Program, sites: &[Site]) -> Program {
    let mut tree = Tree::of(program).expect("a program with places has a tree");
    for site in sites {
        let view = tree.clone();
        let block = find(&mut tree.body, &site.block).expect("the block is there");
        let push = block[site.at].clone();
        let plan = plan(&view, &push).expect("the place was looked at");
        let vars = &mut tree.vars;
        let nodes = plan.nodes(&push, vars);
        let block = find(&mut tree.body, &site.block).expect("the block is there");
        block.splice(site.at..=site.at, nodes);
    }
    tree.program()
}

/// Calls `found` for each PUSH behind which nothing is executed.
fn last(block: &[Node], ends: bool, path: &mut Path, found: &mut dyn FnMut(&Path, usize, &Node)) {
    for (at, node) in block.iter().enumerate() {
        let behind = &block[at + 1..];
        let last_here = match behind {
            [] => ends,
            [next, ..] => next.kind == NodeKind::Return,
        };
        if last_here && matches!(node.kind, NodeKind::Push { .. }) {
            found(path, at, node);
        }
        if matches!(node.kind, NodeKind::If { .. }) {
            for (arm, inner) in blocks(node).into_iter().enumerate() {
                path.push((at, arm));
                last(inner, last_here, path, found);
                path.pop();
            }
        }
    }
}

/// What the loop at a place needs.
struct Plan {
    /// The chosen subflow.
    target: Term,
    /// Subflows that are ready, but have no window for the first packet.
    blocked: Term,
}

fn plan(tree: &Tree, push: &Node) -> Result<Plan, NoSite> {
    let NodeKind::Push {
        target,
        packet: Source::Pop(list, _),
    } = &push.kind
    else {
        return Err(NoSite::NoPush);
    };
    if list.term.op != Op::Queue(QueueName::Send) {
        return Err(NoSite::NoPush);
    }
    let chosen = resolved(tree, &target.term);
    if !matches!(chosen.op, Op::Extremum(_)) {
        return Err(NoSite::NoChoice);
    }
    let mut windows = Vec::new();
    let mut list = &chosen.args[0];
    loop {
        list = resolved(tree, list);
        match list.op {
            Op::Filter => {
                let mut parts = Vec::new();
                conjuncts(&list.args[1], &mut parts);
                let (asks, others): (Vec<&Term>, Vec<&Term>) = parts
                    .into_iter()
                    .partition(|part| part.op == Op::HasWindowFor);
                for ask in asks {
                    windows.push((&list.args[0], others.clone(), ask));
                }
                list = &list.args[0];
            }
            Op::Subflows => break,
            _ => return Err(NoSite::NoChoice),
        }
    }
    let [(base, others, window)] = &windows[..] else {
        return Err(NoSite::NoWindow);
    };
    let mut ready = (*base).clone();
    for other in others {
        ready = Term::new(Op::Filter, vec![ready, (*other).clone()]);
    }
    let without = Term::new(Op::Not, vec![(*window).clone()]);
    let without = Term::new(Op::Filter, vec![ready, without]);
    Ok(Plan {
        target: target.term.clone(),
        blocked: without,
    })
}

/// What a variable was initialised with, if that is an expression.
fn resolved<'t>(tree: &'t Tree, term: &'t Term) -> &'t Term {
    fn init(block: &[Node], var: u32) -> Option<&Term> {
        block.iter().find_map(|node| match pure(node) {
            Some((found, term)) if found == var => Some(term),
            _ => blocks(node).into_iter().find_map(|inner| init(inner, var)),
        })
    }
    match term.op {
        Op::Var(var, _) => init(&tree.body, var).map_or(term, |found| resolved(tree, found)),
        _ => term,
    }
}

fn conjuncts<'t>(term: &'t Term, out: &mut Vec<&'t Term>) {
    if term.op == Op::And {
        conjuncts(&term.args[0], out);
        conjuncts(&term.args[1], out);
    } else {
        out.push(term);
    }
}

impl Plan {
    fn nodes(self, push: &Node, vars: &mut Vec<Var>) -> Vec<Node> {
        let span = push.span;
        let place = |term| Place { term, span };
        let node = |kind| Node { span, kind };
        let mut declare = |name: &str, ty, may_be_null| {
            let number = u32::try_from(vars.len()).expect("variables are few");
            vars.push(Var {
                name: name.to_owned(),
                ty,
                may_be_null,
                span,
            });
            number
        };
        let best = declare("chosen", Type::Subflow, true);
        let limit = declare("limit", Type::Packet, true);
        let alone = declare("alone", Type::Bool, false);
        let each = declare("each", Type::Packet, false);
        let elem = |var| Term::leaf(Op::Var(var, Sort::Element));
        let read = |property| Term::new(Op::SubflowInt(property), vec![elem(best)]);
        let arith = |op, a, b| Term::new(Op::Arith(op), vec![a, b]);
        let queue = || Term::leaf(Op::Queue(QueueName::Send));

        // The packet with the number of the free places but one: it is the last that may go.
        let used = arith(
            ArithOp::Add,
            read(SubflowInt::InFlight),
            read(SubflowInt::Queued),
        );
        let free = arith(ArithOp::Sub, read(SubflowInt::Cwnd), used);
        let index = arith(ArithOp::Sub, free, Term::leaf(Op::Int(1)));
        let pop = || Source::Pop(place(queue()), span);
        let let_of = |var, term| {
            node(NodeKind::Let {
                var,
                init: Source::Value(place(term)),
            })
        };
        let seq = |of| Term::new(Op::PacketInt(PacketInt::Seq), vec![of]);
        let open = Term::new(
            Op::Equal,
            vec![elem(limit), Term::leaf(Op::NullElement(Kind::Packet))],
        );
        let before = Term::new(
            Op::Order(OrderOp::Le),
            vec![seq(elem(each)), seq(elem(limit))],
        );
        let within = Term::new(Op::Or, vec![open, before]);
        let there = Term::new(
            Op::Unequal,
            vec![elem(best), Term::leaf(Op::NullElement(Kind::Subflow))],
        );
        let window = Term::new(Op::HasWindowFor, vec![elem(best), elem(each)]);
        let push_on = |packet| {
            node(NodeKind::Push {
                target: place(elem(best)),
                packet,
            })
        };
        let body = node(NodeKind::If {
            cond: place(Term::new(Op::And, vec![window, within])),
            then: vec![push_on(pop())],
            otherwise: Some(vec![node(NodeKind::Return)]),
        });
        let rounds = node(NodeKind::Foreach {
            var: each,
            list: place(queue()),
            body: vec![body],
        });
        let go_on = Term::new(Op::And, vec![there, Term::leaf(Op::Var(alone, Sort::Bool))]);
        vec![
            let_of(best, self.target),
            let_of(limit, Term::new(Op::Get, vec![queue(), index])),
            let_of(alone, Term::new(Op::Empty, vec![self.blocked])),
            push_on(pop()),
            node(NodeKind::If {
                cond: place(go_on),
                then: vec![rounds],
                otherwise: None,
            }),
        ]
    }
}
