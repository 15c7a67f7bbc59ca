//! What a rule between values or between lists is.

use crate::effect::EffectRule;
use crate::op::Sort;
use crate::term::Pattern;

/// What a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Values only; proved for every word and NULL.
    Value,
    /// Lists too; proved by their fold step, for any length.
    List,
}

/// What may stand in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoleSort {
    /// A term of a sort, which does not read the parameter of a lambda of the rule.
    Of(Sort),
    /// A bool that may read the parameter of the lambda that it stands under.
    Predicate,
    /// An int that may read it.
    Key,
}

impl HoleSort {
    /// What a term in the hole stands for.
    pub const fn sort(self) -> Sort {
        match self {
            Self::Of(sort) => sort,
            Self::Predicate => Sort::Bool,
            Self::Key => Sort::Int,
        }
    }

    /// How many lambdas of the rule it stands under.
    pub const fn depth(self) -> usize {
        match self {
            Self::Of(_) => 0,
            Self::Predicate | Self::Key => 1,
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "bool" => Self::Of(Sort::Bool),
            "int" => Self::Of(Sort::Int),
            "element" => Self::Of(Sort::Element),
            "list" => Self::Of(Sort::List),
            "predicate" => Self::Predicate,
            "key" => Self::Key,
            _ => return None,
        })
    }
}

/// A hole of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Its name, without the question mark.
    pub name: String,
    /// What may stand in it.
    pub sort: HoleSort,
}

/// A side condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// What stands in this hole is never NULL, for a predicate or key: of no element.
    NonNull(usize),
    /// The list in this hole has at most so many members.
    AtMost(usize, u64),
}

/// Under its guards, both sides mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, unique among all rules.
    pub name: String,
    /// Where it holds.
    pub tier: Tier,
    /// Why it holds, in one sentence.
    pub why: String,
    /// Its holes.
    pub holes: Vec<Hole>,
    /// What is replaced.
    pub from: Pattern,
    /// By what.
    pub to: Pattern,
    /// When.
    pub guards: Vec<Guard>,
    /// A variant that looks alike and does not hold.
    pub miss: Box<(Pattern, Pattern, Vec<Guard>)>,
}

/// Rules in the order in which they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    /// Those between values and between lists.
    pub rules: Vec<Rule>,
    /// Those between statements.
    pub effects: Vec<EffectRule>,
}

impl RuleSet {
    /// The rule with this name.
    pub fn named(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// The rule between statements with this name.
    pub fn effect(&self, name: &str) -> Option<&EffectRule> {
        self.effects.iter().find(|rule| rule.name == name)
    }
}
