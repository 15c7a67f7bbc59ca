//! Terms, patterns, and how one is found in the other.

use std::fmt;

use crate::op::Op;

/// An expression as a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// Its operator.
    pub op: Op,
    /// Its operands.
    pub args: Vec<Term>,
}

/// A term with holes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// The hole with this number.
    Hole(usize),
    /// An operator and its operands.
    Node(Op, Vec<Pattern>),
}

impl Term {
    /// A term without operands.
    pub const fn leaf(op: Op) -> Self {
        Self {
            op,
            args: Vec::new(),
        }
    }

    /// A term.
    pub const fn new(op: Op, args: Vec<Self>) -> Self {
        Self { op, args }
    }

    /// How many operators it has.
    pub fn size(&self) -> usize {
        1 + self.args.iter().map(Self::size).sum::<usize>()
    }

    /// What stands at a position: the operands' numbers from the root.
    pub fn at(&self, position: &[usize]) -> Option<&Self> {
        match position.split_first() {
            None => Some(self),
            Some((&first, rest)) => self.args.get(first)?.at(rest),
        }
    }

    /// The same with another term at a position.
    #[must_use]
    pub fn with(&self, position: &[usize], other: &Self) -> Option<Self> {
        let Some((&first, rest)) = position.split_first() else {
            return Some(other.clone());
        };
        let mut changed = self.clone();
        let inner = changed.args.get(first)?.with(rest, other)?;
        changed.args[first] = inner;
        Some(changed)
    }
}

impl Pattern {
    /// Fills `found` so that the pattern with it is the term; false if there is no way.
    pub fn matches(&self, term: &Term, found: &mut [Option<Term>]) -> bool {
        match self {
            Self::Hole(number) => {
                if let Some(earlier) = &found[*number] {
                    earlier == term
                } else {
                    found[*number] = Some(term.clone());
                    true
                }
            }
            Self::Node(op, args) => {
                *op == term.op
                    && args.len() == term.args.len()
                    && args
                        .iter()
                        .zip(&term.args)
                        .all(|(p, t)| p.matches(t, found))
            }
        }
    }

    /// The pattern with its holes filled; `None` if one has nothing to be filled with.
    pub fn fill(&self, found: &[Option<Term>]) -> Option<Term> {
        match self {
            Self::Hole(number) => found.get(*number)?.clone(),
            Self::Node(op, args) => {
                let args = args
                    .iter()
                    .map(|arg| arg.fill(found))
                    .collect::<Option<_>>()?;
                Some(Term::new(*op, args))
            }
        }
    }

    /// The holes that it has, with repetitions.
    pub fn holes(&self, out: &mut Vec<usize>) {
        match self {
            Self::Hole(number) => out.push(*number),
            Self::Node(_, args) => args.iter().for_each(|arg| arg.holes(out)),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.args.is_empty() {
            return write!(f, "{}", self.op);
        }
        write!(f, "({}", self.op)?;
        for arg in &self.args {
            write!(f, " {arg}")?;
        }
        f.write_str(")")
    }
}
