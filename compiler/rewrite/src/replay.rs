//! The checker: makes again what a trace says, and nothing else.
//!
//! In: a program, the rules, a trace. Out: the program that follows from them, or which step does
//! not follow. It knows nothing of the search that found the trace. A step of a rule is checked by
//! matching both sides, the sorts of what stands in the holes, the guards, and that no parameter of
//! a lambda is read outside of it; a rule between statements likewise (`effect`).

use progmp_ir::{Kind, ListSource, Program, wellformed};
use progmp_rules::{Guard, Op, Rule, RuleSet, Sort, Term};

use crate::block::{find, number, places_mut};
use crate::effect::make;
use crate::trace::{Deed, Derivation, Step, Trace};
use crate::tree::Tree;

/// Why a trace does not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The program uses RANDOM and must stay as it is.
    #[error("a program with RANDOM is not rewritten")]
    Random,
    /// There is no such expression.
    #[error("there is no expression {expression} of statement {at}")]
    NoPlace {
        /// Statement of its block.
        at: usize,
        /// Expression of the statement.
        expression: usize,
    },
    /// There is no such rule.
    #[error("there is no rule `{0}`")]
    NoRule(String),
    /// There is nothing at the position.
    #[error("`{0}` is applied where nothing is")]
    NoPosition(String),
    /// A side does not match.
    #[error("`{0}` does not match")]
    Mismatch(String),
    /// What stands in a hole is of another sort.
    #[error("`{0}` does not take what stands in its holes")]
    Sort(String),
    /// A guard does not hold, as far as typing shows.
    #[error("a guard of `{0}` does not hold")]
    Guard(String),
    /// A parameter of a lambda is read outside of it, or a variable is unknown.
    #[error("`{0}` leaves a name without a meaning")]
    Scope(String),
    /// What comes out is no program.
    #[error("what comes out is not well-formed: {0}")]
    Malformed(String),
}

/// What the program becomes by the trace.
///
/// # Errors
/// The first step that does not follow.
pub fn replay(before: &Program, rules: &RuleSet, trace: &Trace) -> Result<Program, Fault> {
    if trace.deeds.is_empty() {
        return Ok(before.clone());
    }
    let mut tree = Tree::of(before).ok_or(Fault::Random)?;
    for deed in &trace.deeds {
        match deed {
            Deed::Statements(by) => tree = make(&tree, rules, by)?,
            Deed::Expression(derivation) => derive(&mut tree, rules, derivation)?,
        }
    }
    // No step sees the whole: what is declared where, and of which kind elements are.
    let after = tree.program();
    match wellformed::check(&after) {
        Ok(()) => Ok(after),
        Err(why) => Err(Fault::Malformed(why.to_string())),
    }
}

/// Makes a derivation again.
pub(crate) fn derive(
    tree: &mut Tree,
    rules: &RuleSet,
    derivation: &Derivation,
) -> Result<(), Fault> {
    let Derivation {
        block,
        at,
        expression,
        steps,
    } = derivation;
    let missing = Fault::NoPlace {
        at: *at,
        expression: *expression,
    };
    let view = tree.clone();
    let subflows = number(&tree.body, block);
    let place = find(&mut tree.body, block)
        .and_then(|block| block.get_mut(*at))
        .and_then(|node| places_mut(node).into_iter().nth(*expression))
        .ok_or(missing)?;
    let mut term = place.term.clone();
    for step in steps {
        term = apply(&view, rules, &term, step, subflows)?;
    }
    place.term = term;
    Ok(())
}

/// The term after one step, where there are just so many subflows, if that is known.
///
/// # Errors
/// Why the step does not follow.
pub fn apply(
    tree: &Tree,
    rules: &RuleSet,
    term: &Term,
    step: &Step,
    subflows: Option<u64>,
) -> Result<Term, Fault> {
    let name = || step.rule.clone();
    let rule = rules
        .named(&step.rule)
        .ok_or_else(|| Fault::NoRule(name()))?;
    let before = term
        .at(&step.position)
        .ok_or_else(|| Fault::NoPosition(name()))?;
    let (left, right) = if step.forward {
        (before, &step.after)
    } else {
        (&step.after, before)
    };
    let mut found = vec![None; rule.holes.len()];
    // Every hole of the right side stands on the left one, too.
    if !rule.from.matches(left, &mut found) || rule.to.fill(&found).as_ref() != Some(right) {
        return Err(Fault::Mismatch(name()));
    }
    let after = term
        .with(&step.position, &step.after)
        .ok_or_else(|| Fault::NoPosition(name()))?;
    // Steps backwards may bring anything into a hole.
    if well_formed(tree, &after, &mut Vec::new()) != Some(sort(&after)) {
        return Err(Fault::Scope(name()));
    }
    holds(tree, rule, &found, subflows)?;
    Ok(after)
}

fn holds(
    tree: &Tree,
    rule: &Rule,
    found: &[Option<Term>],
    subflows: Option<u64>,
) -> Result<(), Fault> {
    for (hole, term) in rule.holes.iter().zip(found) {
        if let Some(term) = term
            && sort(term) != hole.sort.sort()
        {
            return Err(Fault::Sort(rule.name.clone()));
        }
    }
    for guard in &rule.guards {
        let sure = match guard {
            Guard::NonNull(hole) => found[*hole]
                .as_ref()
                .is_none_or(|term| tree.never_null(term)),
            Guard::AtMost(hole, most) => found[*hole].as_ref().is_some_and(|term| {
                let known = subflows.is_some_and(|known| known <= *most);
                known && tree.list_source(term) == ListSource::Subflows
            }),
        };
        if !sure {
            return Err(Fault::Guard(rule.name.clone()));
        }
    }
    Ok(())
}

const fn sort(term: &Term) -> Sort {
    term.op.sort()
}

/// The sort of a term in which all names mean something and all operands fit.
pub(crate) fn well_formed(tree: &Tree, term: &Term, params: &mut Vec<Kind>) -> Option<Sort> {
    match term.op {
        Op::Param(level, kind) if params.get(usize::from(level)) != Some(&kind) => return None,
        Op::Var(number, sort) => {
            let var = tree.vars.get(number as usize)?;
            if crate::tree::sort(var.ty) != sort {
                return None;
            }
        }
        _ => {}
    }
    let wanted = term.op.operands();
    if wanted.len() != term.args.len() {
        return None;
    }
    let mut sorts = Vec::new();
    for (index, arg) in term.args.iter().enumerate() {
        let binds = term.op.binds() && index == 1;
        if binds {
            if sorts[0] != Sort::List {
                return None;
            }
            params.push(tree.list_source(&term.args[0]).kind());
        }
        let found = well_formed(tree, arg, params);
        if binds {
            params.pop();
        }
        sorts.push(found?);
    }
    let fits = match term.op {
        Op::Equal | Op::Unequal => sorts[0] == sorts[1] || sorts.contains(&Sort::List),
        _ => sorts == wanted,
    };
    fits.then(|| sort(term))
}
