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
mod estimate;
mod express;
mod graph;
mod guard;
mod idle;
mod known;
mod names;
mod replay;
mod scope;
mod settle;
mod share;
mod special;
mod tidy;
mod trace;
mod tree;

use progmp_ir::{Program, wellformed};
use progmp_rules::RuleSet;
use settle::Work;

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
    let mut work = Work {
        tree,
        deeds: Vec::new(),
        rules,
    };
    work.improve(&graph::Rewrites::of(rules));
    let Work { tree, deeds, .. } = work;
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
