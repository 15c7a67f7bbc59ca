//! What the optimiser says that it did, so that others can do it again.

use std::fmt;

use progmp_rules::Term;

use crate::block::Path;
use crate::effect::Use;

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

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// To statements.
    Statements(Use),
    /// To an expression.
    Expression(Derivation),
}

/// All that was done to a program, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What.
    pub deeds: Vec<Deed>,
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for deed in &self.deeds {
            match deed {
                Deed::Statements(by) => writeln!(f, "{by}")?,
                Deed::Expression(derivation) => {
                    for step in &derivation.steps {
                        let way = if step.forward { "" } else { ", backwards" };
                        writeln!(f, "{}{way}: {}", step.rule, step.after)?;
                    }
                }
            }
        }
        Ok(())
    }
}
