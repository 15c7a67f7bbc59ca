//! The optimiser: a Program to a cheaper one that means the same, execution by execution.
//!
//! Statements are rearranged first (`arrange`), so that a VAR is computed only where it is needed,
//! and nothing where nothing can be done; then each expression goes through an e-graph (`graph`), by the rules of `specs/rules`. Nothing
//! here has to be believed: [`optimize`] returns a [`Trace`], which [`replay()`] makes again without
//! egg, and the verifier compares both programs without reading it. `specs/rewriting.md` has more.

mod arrange;
mod block;
mod compress;
mod cost;
mod draw;
mod effect;
mod graph;
mod guard;
mod idle;
mod names;
mod replay;
mod scope;
mod settle;
mod trace;
mod tree;

use progmp_ir::{Program, wellformed};
use progmp_rules::{RuleSet, Term};

pub use block::Path;
pub use compress::{NoSite, Site, compress, sites};
pub use cost::cost;
pub use draw::draw;
pub use effect::{Filled, Use, make};
pub use replay::{Fault, apply, replay};
pub use trace::{Deed, Derivation, Step, Trace};
pub use tree::{Argument, Node, NodeKind, Place, Source, Tree};

/// What became of a program.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// The program that means the same.
    pub program: Program,
    /// How it came about.
    pub trace: Trace,
    /// Why the program was left alone, if it was.
    pub left: Option<Left>,
}

/// Why a program is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It uses RANDOM, and a site is tied to its place.
    Random,
    /// It prints: a PRINT is told by the number of its statement, which would change.
    Prints,
    /// It has more than [`LARGEST`] expressions.
    TooLarge,
}

/// Whether a program has a PRINT.
pub(crate) fn prints(block: &[Node]) -> bool {
    block.iter().any(|node| {
        matches!(node.kind, NodeKind::Print { .. })
            || block::blocks(node).into_iter().any(|inner| prints(inner))
    })
}

/// Expressions that a program may have.
pub const LARGEST: usize = 1_500;

/// Makes a program cheaper. One with RANDOM or PRINT stays as it is, as does a large one.
///
/// # Panics
/// If the trace does not replay to the result, or the result is not well-formed: our mistakes.
pub fn optimize(program: &Program, rules: &RuleSet) -> Optimized {
    let alone = |left| Optimized {
        program: program.clone(),
        trace: Trace::default(),
        left: Some(left),
    };
    if program.exprs.len() > LARGEST {
        return alone(Left::TooLarge);
    }
    let Some(tree) = Tree::of(program) else {
        return alone(Left::Random);
    };
    if prints(&tree.body) {
        return alone(Left::Prints);
    }
    let (mut tree, mut deeds) = arrange::arrange(&tree, rules);
    let rewrites = graph::Rewrites::of(rules);
    let mut places = Vec::new();
    list(&tree.body, &mut Vec::new(), &mut places);
    for (block, at, expression, term) in places {
        let Some((found, steps)) = graph::cheaper(&tree, &rewrites, &term) else {
            continue;
        };
        // A guard may hold of the class and not show in the term that a step starts from.
        let replayed = steps
            .iter()
            .try_fold(term, |term, step| replay::apply(&tree, rules, &term, step));
        if replayed.as_ref() != Ok(&found) {
            continue;
        }
        let node = block::find(&mut tree.body, &block).and_then(|nodes| nodes.get_mut(at));
        let node = node.expect("the place was listed just now");
        block::places_mut(node)[expression].term = found;
        deeds.push(Deed::Expression(Derivation {
            block,
            at,
            expression,
            steps,
        }));
    }
    let trace = Trace { deeds };
    let result = if trace == Trace::default() {
        program.clone()
    } else {
        tree.program()
    };
    if let Err(why) = wellformed::check(&result) {
        unreachable!("the optimiser made a program that is not well-formed: {why}");
    }
    match replay(program, rules, &trace) {
        Ok(again) => assert_eq!(again, result, "the trace replays to the result"),
        Err(fault) => unreachable!("the trace does not replay: {fault}"),
    }
    Optimized {
        program: result,
        trace,
        left: None,
    }
}

type Found = (Path, usize, usize, Term);

fn list(block: &[Node], path: &mut Path, out: &mut Vec<Found>) {
    for (at, node) in block.iter().enumerate() {
        for (expression, place) in block::places(node).into_iter().enumerate() {
            out.push((path.clone(), at, expression, place.term.clone()));
        }
        for (arm, inner) in block::blocks(node).into_iter().enumerate() {
            path.push((at, arm));
            list(inner, path, out);
            path.pop();
        }
    }
}
