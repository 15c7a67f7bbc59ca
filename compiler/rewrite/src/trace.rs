//! What the optimiser says that it did, so that others can do it again.

use std::fmt;

use progmp_rules::Term;

use crate::moves::{Move, Path};

/// One use of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The rule's name.
    pub rule: String,
    /// From left to right; else the right side is replaced by the left.
    pub forward: bool,
    /// Where in the term: numbers of operands, from the root.
    pub position: Vec<usize>,
    /// What stands there afterwards.
    pub after: Term,
}

/// An expression that became another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// The block that it stands in.
    pub block: Path,
    /// The statement in that block.
    pub at: usize,
    /// Which of the statement's own expressions.
    pub expression: usize,
    /// How, step by step.
    pub steps: Vec<Step>,
}

/// All that was done to a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// To statements, in this order, first.
    pub moves: Vec<Move>,
    /// To expressions, after that.
    pub derivations: Vec<Derivation>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in &self.moves {
            writeln!(f, "{change}")?;
        }
        for derivation in &self.derivations {
            for step in &derivation.steps {
                let way = if step.forward { "" } else { ", backwards" };
                writeln!(f, "{}{way}: {}", step.rule, step.after)?;
            }
        }
        Ok(())
    }
}
