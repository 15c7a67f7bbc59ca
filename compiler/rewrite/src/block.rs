//! Questions about statements and blocks: what they read, declare, change.

use progmp_ir::{ListSource, QueueName, Span};
use progmp_rules::{Op, Term};

use crate::tree::{Argument, Node, NodeKind, Place, Source, Tree};

/// A step into a block of a statement: its number, and 0 for THEN or the body of a loop, 1 for ELSE.
pub type Path = Vec<(usize, usize)>;

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

/// How many subflows there are where a block is executed, if a condition on the way there tells. They do
/// not change in an execution.
pub(crate) fn number(body: &[Node], path: &[(usize, usize)]) -> Option<u64> {
    let (&(at, arm), rest) = path.split_first()?;
    let node = body.get(at)?;
    let told = match &node.kind {
        NodeKind::If { cond, .. } if arm == 0 => told(&cond.term),
        _ => None,
    };
    let inner = blocks(node).into_iter().nth(arm)?;
    told.or_else(|| number(inner, rest))
}

/// What `SUBFLOWS.COUNT == n`, if it is TRUE, tells, also as a part of AND.
fn told(condition: &Term) -> Option<u64> {
    match (condition.op, &condition.args[..]) {
        (Op::And, [a, b]) => told(a).or_else(|| told(b)),
        (Op::Equal, [a, b]) => [(a, b), (b, a)].into_iter().find_map(|(a, b)| match b.op {
            Op::Int(number) if *a == Term::new(Op::Count, vec![Term::leaf(Op::Subflows)]) => {
                Some(number)
            }
            _ => None,
        }),
        _ => None,
    }
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

/// Renames a variable in a statement.
pub(crate) fn replace(node: &mut Node, old: u32, new: u32) {
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

/// Whether statements are the same, wherever they come from.
pub(crate) fn alike(a: &[Node], b: &[Node]) -> bool {
    bare(a) == bare(b)
}

/// Statements without the places that they come from.
fn bare(block: &[Node]) -> Vec<Node> {
    let mut block = block.to_vec();
    for node in &mut block {
        node.span = Span::default();
        if let NodeKind::Let { init: source, .. }
        | NodeKind::Push { packet: source, .. }
        | NodeKind::Drop { packet: source } = &mut node.kind
            && let Source::Pop(_, span) = source
        {
            *span = Span::default();
        }
        for place in places_mut(node) {
            place.span = Span::default();
        }
        for inner in blocks_mut(node) {
            *inner = bare(inner);
        }
    }
    block
}
