//! What is done to statements: each move has side conditions of its own and can be made again.
//!
//! Expressions have no effects, so an initial value may be computed later, less often, or not at
//! all, as long as nothing between changes what it reads.

use std::fmt;

use progmp_ir::{ListSource, QueueName};
use progmp_rules::{Op, Term};

use crate::tree::{Argument, Node, NodeKind, Place, Source, Tree};

/// A step into a block of a statement: its number, and 0 for THEN or the body of a loop, 1 for ELSE.
pub type Path = Vec<(usize, usize)>;

/// One change of the statements of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A VAR that nothing reads goes.
    Dead {
        /// The block.
        block: Path,
        /// The VAR.
        at: usize,
    },
    /// A VAR changes places with the statement after it, which does not read it.
    Delay {
        /// The block.
        block: Path,
        /// The VAR.
        at: usize,
    },
    /// A VAR before an IF whose condition does not read it, nor anything behind the IF, moves into
    /// the branches that do.
    Sink {
        /// The block.
        block: Path,
        /// The VAR.
        at: usize,
    },
    /// What stands behind an IF without ELSE goes into both its branches.
    Join {
        /// The block.
        block: Path,
        /// The IF.
        at: usize,
    },
}

impl Move {
    /// Its name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dead { .. } => "dead-var",
            Self::Delay { .. } => "delay-var",
            Self::Sink { .. } => "sink-var",
            Self::Join { .. } => "join-rest",
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Dead { block, at }
        | Self::Delay { block, at }
        | Self::Sink { block, at }
        | Self::Join { block, at }) = self;
        write!(f, "{} at", self.name())?;
        for (index, arm) in block {
            write!(f, " {index}.{arm}")?;
        }
        write!(f, " {at}")
    }
}

/// Makes a move; `None` if its side conditions do not hold.
pub fn make(tree: &Tree, change: &Move) -> Option<Tree> {
    let mut tree = tree.clone();
    let (Move::Dead { block, at }
    | Move::Delay { block, at }
    | Move::Sink { block, at }
    | Move::Join { block, at }) = change;
    let at = *at;
    let mut nodes = find(&mut tree.body, block)?.clone();
    match change {
        Move::Dead { .. } => {
            let (var, _) = pure(nodes.get(at)?)?;
            if nodes[at + 1..].iter().any(|node| reads(node, var)) {
                return None;
            }
            nodes.remove(at);
        }
        Move::Delay { .. } => {
            let (var, init) = pure(nodes.get(at)?)?;
            let next = nodes.get(at + 1)?;
            if reads(next, var) || next.kind == NodeKind::Return || changes(&tree, next, init) {
                return None;
            }
            nodes.swap(at, at + 1);
        }
        Move::Sink { .. } => {
            let (var, _) = pure(nodes.get(at)?)?;
            let behind = nodes.get(at + 2..)?;
            if behind.iter().any(|node| reads(node, var)) {
                return None;
            }
            let moved = nodes.remove(at);
            let NodeKind::If {
                cond,
                then,
                otherwise,
            } = &mut nodes.get_mut(at)?.kind
            else {
                return None;
            };
            if mentions(&cond.term, var) {
                return None;
            }
            let uses = |block: &[Node]| block.iter().any(|node| reads(node, var));
            let first = uses(then);
            let second = otherwise.as_mut().filter(|block| uses(block));
            if !first && second.is_none() {
                return None;
            }
            if let Some(block) = second {
                block.insert(0, moved.clone());
                if first {
                    // Each branch declares a variable of its own.
                    rename(&mut tree, block);
                }
            }
            if first {
                then.insert(0, moved);
            }
        }
        Move::Join { .. } => {
            let rest = nodes.split_off(at + 1);
            if rest.is_empty() {
                return None;
            }
            let NodeKind::If {
                then,
                otherwise: otherwise @ None,
                ..
            } = &mut nodes.get_mut(at)?.kind
            else {
                return None;
            };
            if !leaves(then) {
                let mut copy = rest.clone();
                rename(&mut tree, &mut copy);
                then.extend(copy);
            }
            *otherwise = Some(rest);
        }
    }
    *find(&mut tree.body, block)? = nodes;
    Some(tree)
}

/// The block at the end of a path.
pub(crate) fn find<'t>(
    block: &'t mut Vec<Node>,
    path: &[(usize, usize)],
) -> Option<&'t mut Vec<Node>> {
    let Some(((at, arm), rest)) = path.split_first() else {
        return Some(block);
    };
    let inner = match (&mut block.get_mut(*at)?.kind, arm) {
        (NodeKind::If { then, .. }, 0) => then,
        (NodeKind::If { otherwise, .. }, 1) => otherwise.as_mut()?,
        (NodeKind::Foreach { body, .. }, 0) => body,
        _ => return None,
    };
    find(inner, rest)
}

/// The variable and the initial value of a VAR without POP.
pub(crate) fn pure(node: &Node) -> Option<(u32, &Term)> {
    match &node.kind {
        NodeKind::Let {
            var,
            init: Source::Value(place),
        } => Some((*var, &place.term)),
        _ => None,
    }
}

/// Whether all ways through a block end the execution.
pub(crate) fn leaves(block: &[Node]) -> bool {
    block.iter().any(|node| match &node.kind {
        NodeKind::Return => true,
        NodeKind::If {
            then,
            otherwise: Some(otherwise),
            ..
        } => leaves(then) && leaves(otherwise),
        _ => false,
    })
}

/// The expressions that stand in a statement itself.
pub(crate) fn places(node: &Node) -> Vec<&Place> {
    match &node.kind {
        NodeKind::If { cond: place, .. }
        | NodeKind::Foreach { list: place, .. }
        | NodeKind::Set { value: place, .. } => vec![place],
        NodeKind::Let { init: source, .. } | NodeKind::Drop { packet: source } => {
            vec![source.place()]
        }
        NodeKind::SetUser { target, value } => vec![target, value],
        NodeKind::Push { target, packet } => vec![target, packet.place()],
        NodeKind::Print { args, .. } => args
            .iter()
            .filter_map(|arg| match arg {
                Argument::Value(place) => Some(place),
                Argument::Text(_) => None,
            })
            .collect(),
        NodeKind::Void(place) => place.iter().collect(),
        NodeKind::Return => Vec::new(),
    }
}

/// The same, to be changed.
pub(crate) fn places_mut(node: &mut Node) -> Vec<&mut Place> {
    match &mut node.kind {
        NodeKind::If { cond: place, .. }
        | NodeKind::Foreach { list: place, .. }
        | NodeKind::Set { value: place, .. } => vec![place],
        NodeKind::Let { init: source, .. } | NodeKind::Drop { packet: source } => {
            vec![source.place_mut()]
        }
        NodeKind::SetUser { target, value } => vec![target, value],
        NodeKind::Push { target, packet } => vec![target, packet.place_mut()],
        NodeKind::Print { args, .. } => args
            .iter_mut()
            .filter_map(|arg| match arg {
                Argument::Value(place) => Some(place),
                Argument::Text(_) => None,
            })
            .collect(),
        NodeKind::Void(place) => place.iter_mut().collect(),
        NodeKind::Return => Vec::new(),
    }
}

/// The blocks of a statement.
pub(crate) fn blocks(node: &Node) -> Vec<&Vec<Node>> {
    match &node.kind {
        NodeKind::If {
            then, otherwise, ..
        } => std::iter::once(then).chain(otherwise.as_ref()).collect(),
        NodeKind::Foreach { body, .. } => vec![body],
        _ => Vec::new(),
    }
}

/// The same, to be changed.
pub(crate) fn blocks_mut(node: &mut Node) -> Vec<&mut Vec<Node>> {
    match &mut node.kind {
        NodeKind::If {
            then, otherwise, ..
        } => std::iter::once(then).chain(otherwise.as_mut()).collect(),
        NodeKind::Foreach { body, .. } => vec![body],
        _ => Vec::new(),
    }
}

/// Whether a term reads a variable.
pub(crate) fn mentions(term: &Term, var: u32) -> bool {
    matches!(term.op, Op::Var(number, _) if number == var)
        || term.args.iter().any(|arg| mentions(arg, var))
}

/// Whether a statement, or one inside it, reads a variable.
pub(crate) fn reads(node: &Node, var: u32) -> bool {
    places(node).iter().any(|place| mentions(&place.term, var))
        || blocks(node)
            .into_iter()
            .flatten()
            .any(|inner| reads(inner, var))
}

/// Whether a statement, or one inside it, changes what a term reads.
pub(crate) fn changes(tree: &Tree, node: &Node, term: &Term) -> bool {
    let here = match &node.kind {
        NodeKind::Set { reg, .. } => has(term, &|op| op == Op::Register(*reg)),
        NodeKind::SetUser { .. } => has(term, &|op| {
            op == Op::SubflowInt(progmp_ir::SubflowInt::User)
        }),
        NodeKind::Let { init: source, .. }
        | NodeKind::Push { packet: source, .. }
        | NodeKind::Drop { packet: source } => match source {
            Source::Value(_) => false,
            Source::Pop(list, _) => {
                let from = tree.list_source(&list.term);
                let queue = |name| has(term, &|op| op == Op::Queue(name));
                // What is popped from Q enters QU.
                from == ListSource::Queue(QueueName::Retrans) && queue(QueueName::Retrans)
                    || from == ListSource::Queue(QueueName::Send)
                        && (queue(QueueName::Send) || queue(QueueName::Unacked))
            }
        },
        _ => false,
    };
    here || blocks(node)
        .into_iter()
        .flatten()
        .any(|inner| changes(tree, inner, term))
}

fn has(term: &Term, wanted: &dyn Fn(Op) -> bool) -> bool {
    wanted(term.op) || term.args.iter().any(|arg| has(arg, wanted))
}

/// Gives each variable that a block declares a new number.
fn rename(tree: &mut Tree, block: &mut [Node]) {
    let mut declared = Vec::new();
    for node in block.iter() {
        declares(node, &mut declared);
    }
    for var in declared {
        let fresh = u32::try_from(tree.vars.len()).expect("variables are few");
        tree.vars.push(tree.vars[var as usize].clone());
        for node in block.iter_mut() {
            replace(node, var, fresh);
        }
    }
}

fn declares(node: &Node, out: &mut Vec<u32>) {
    if let NodeKind::Let { var, .. } | NodeKind::Foreach { var, .. } = node.kind {
        out.push(var);
    }
    for inner in blocks(node).into_iter().flatten() {
        declares(inner, out);
    }
}

fn replace(node: &mut Node, old: u32, new: u32) {
    if let NodeKind::Let { var, .. } | NodeKind::Foreach { var, .. } = &mut node.kind
        && *var == old
    {
        *var = new;
    }
    for place in places_mut(node) {
        replace_in(&mut place.term, old, new);
    }
    for inner in blocks_mut(node).into_iter().flatten() {
        replace(inner, old, new);
    }
}

fn replace_in(term: &mut Term, old: u32, new: u32) {
    if let Op::Var(number, _) = &mut term.op
        && *number == old
    {
        *number = new;
    }
    for arg in &mut term.args {
        replace_in(arg, old, new);
    }
}
