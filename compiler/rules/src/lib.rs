//! Rewrite rules as data.
//!
//! In: the text of `specs/rules/*.rules`. Out: [`Rule`]s over [`Term`]s, sorted and checked. Who
//! applies them (the optimiser) and who proves them (the verifier) both read this crate and never
//! each other. `specs/rewriting.md` tells what the files look like and what the terms mean.

mod draft;
mod effect;
mod entry;
mod op;
mod rule;
mod sexpr;
mod term;

pub use draft::parse;
pub use effect::{Effect, EffectGuard, EffectHole, EffectRule, EffectSort, parse_effects};
pub use entry::Mistake;
pub use op::{Op, Sort};
pub use rule::{Guard, Hole, HoleSort, Rule, RuleSet, Tier};
pub use term::{Pattern, Term};

/// The rules between values and lists, in the order in which they are read: file name and text.
pub const FILES: &[(&str, &str)] = &[
    (
        "value.rules",
        include_str!("../../../specs/rules/value.rules"),
    ),
    (
        "list.rules",
        include_str!("../../../specs/rules/list.rules"),
    ),
];

/// The rules between statements: file name and text.
pub const EFFECTS: (&str, &str) = (
    "effect.rules",
    include_str!("../../../specs/rules/effect.rules"),
);

/// The rules of this project.
///
/// # Panics
/// If one of the files that were compiled in has a mistake; a test reads them.
pub fn all() -> RuleSet {
    let mut rules = RuleSet::default();
    for (file, text) in FILES {
        rules.rules.extend(right(parse(file, text)));
    }
    rules.effects = right(parse_effects(EFFECTS.0, EFFECTS.1));
    rules
}

fn right<T>(read: Result<Vec<T>, Vec<Mistake>>) -> Vec<T> {
    read.unwrap_or_else(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        unreachable!("the rules have mistakes:\n{}", lines.join("\n"))
    })
}
