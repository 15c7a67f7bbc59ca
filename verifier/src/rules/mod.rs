//! Is each rewrite rule right?
//!
//! In: a [`Rule`] or an [`EffectRule`]. Out: whether both sides mean the same, for every word, truth value and NULL, and
//! for lists of any length; and whether its near miss does not. Values are encoded directly. What
//! speaks of lists is a set of folds over one list: a relation between their states is looked for
//! that holds at the start, is kept by each step, and makes both sides equal. `specs/rewriting.md`
//! has the argument.

mod effect;
mod encode;
mod fold;
mod relation;
mod scope;

use progmp_rules::{EffectRule, Guard, Pattern, Rule};

use crate::smt::print::script;
use crate::smt::{Answer, Limits, Profile, Room, Solver, Term, Terms};
use encode::Encoding;

/// What the solver said of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Both sides mean the same.
    Proved,
    /// Here they do not: a list of so many elements suffices (0 for what speaks of no list).
    Refuted {
        /// Elements.
        elements: usize,
    },
    /// Neither was found.
    Unknown(String),
}

/// A judged rule.
#[derive(Clone, Debug)]
pub struct RuleProof {
    /// Of the rule itself.
    pub verdict: RuleVerdict,
    /// Of its near miss.
    pub miss: RuleVerdict,
    /// The one query that shows the rule, which must be unsatisfiable, as SMT-LIB 2.
    pub script: String,
    /// Z3 resource units for both.
    pub rlimit: u64,
}

/// Resource units of one query.
const RLIMIT: u64 = 2_000_000;
/// Lists up to this length are tried to refute a rule.
const LONGEST: usize = 3;

/// Judges a rule and its near miss.
pub fn prove_rule(rule: &Rule) -> RuleProof {
    let room = Room::new();
    let (from, to, guards) = &*rule.miss;
    let (miss, _, missed) = judge(&room, Terms::plain, rule, (from, to), guards);
    // As it is written, so that whoever reads the script need not trust our constructors of terms; only if that is too
    // hard, as they make it.
    let sides = (&rule.from, &rule.to);
    let (mut verdict, mut script, mut proved) =
        judge(&room, Terms::plain, rule, sides, &rule.guards);
    if let RuleVerdict::Unknown(_) = verdict {
        let used;
        (verdict, script, used) = judge(&room, Terms::new, rule, sides, &rule.guards);
        proved += used;
    }
    RuleProof {
        verdict,
        miss,
        script,
        rlimit: missed + proved,
    }
}

/// Judges a rule between statements and its near miss.
pub fn prove_effect(rule: &EffectRule) -> RuleProof {
    let room = Room::new();
    let mut used = 0;
    let (from, to, guards) = &*rule.miss;
    let (effects, query) = effect::violation(rule, from, to, guards);
    let miss = answered(ask(&room, &effects.terms, &[query], &mut used));
    let (effects, query) = effect::violation(rule, &rule.from, &rule.to, &rule.guards);
    let verdict = answered(ask(&room, &effects.terms, &[query], &mut used));
    RuleProof {
        verdict,
        miss,
        script: script(&effects.terms, &[query]),
        rlimit: used,
    }
}

/// The verdict by a query that leaves nothing open.
fn answered(answer: Answer) -> RuleVerdict {
    match answer {
        Answer::Unsat => RuleVerdict::Proved,
        Answer::Sat => RuleVerdict::Refuted { elements: 0 },
        Answer::Unknown(why) => RuleVerdict::Unknown(why),
    }
}

fn judge(
    room: &Room,
    arena: fn() -> Terms,
    rule: &Rule,
    sides: (&Pattern, &Pattern),
    guards: &[Guard],
) -> (RuleVerdict, String, u64) {
    let mut used = 0;
    // What is wrong shows in short lists, exactly.
    let mut encoding = Encoding::new(arena(), rule, sides, guards);
    if let Some(most) = encoding.most() {
        return short(room, &mut encoding, most);
    }
    let longest = if encoding.has_folds() { LONGEST } else { 0 };
    for elements in 0..=longest {
        let violation = encoding.violation_with(elements);
        match ask(room, &encoding.terms, &[violation], &mut used) {
            Answer::Sat => return (RuleVerdict::Refuted { elements }, String::new(), used),
            Answer::Unsat => {}
            Answer::Unknown(why) => return (RuleVerdict::Unknown(why), String::new(), used),
        }
    }
    let query = relation::obligation(room, &mut encoding, &mut used);
    let verdict = match ask(room, &encoding.terms, &[query], &mut used) {
        Answer::Unsat => RuleVerdict::Proved,
        Answer::Sat => RuleVerdict::Unknown("no relation between the folds shows it".to_owned()),
        Answer::Unknown(why) => RuleVerdict::Unknown(why),
    };
    (verdict, script(&encoding.terms, &[query]), used)
}

/// A rule about lists with at most so many members: each length is tried, and there are no others.
fn short(room: &Room, encoding: &mut Encoding, most: usize) -> (RuleVerdict, String, u64) {
    let mut used = 0;
    let mut violations = Vec::new();
    for elements in 0..=most {
        let violation = encoding.violation_with(elements);
        match ask(room, &encoding.terms, &[violation], &mut used) {
            Answer::Sat => return (RuleVerdict::Refuted { elements }, String::new(), used),
            Answer::Unsat => violations.push(violation),
            Answer::Unknown(why) => return (RuleVerdict::Unknown(why), String::new(), used),
        }
    }
    let query = encoding.terms.or(&violations);
    let verdict = answered(ask(room, &encoding.terms, &[query], &mut used));
    (verdict, script(&encoding.terms, &[query]), used)
}

fn ask(room: &Room, terms: &Terms, assertions: &[Term], used: &mut u64) -> Answer {
    let mut solver = Solver::new(room, Profile::Search, Limits { rlimit: RLIMIT });
    for &assertion in assertions {
        solver.assert(terms, assertion);
    }
    let answer = solver.check(terms);
    *used += solver.rlimit_used();
    answer
}

#[cfg(test)]
mod tests;
