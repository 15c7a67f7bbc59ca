//! Formulas that clash: they cannot hold together.
//!
//! The paths of a program share most of their answers, and what is asked on one of them mostly follows
//! from what was shown on another. Of formulas without a common model Z3 names some that have none either.
//! Where a later question has all of these, they are asked by themselves, once; if they clash, then so does
//! whatever has them among others. So what is not asked follows from what was, and what Z3 named is a hint.

use crate::engine::Side;
use crate::smt::numbers::is_numeric;
use crate::smt::print::script;
use crate::smt::{Answer, Limits, Node, Profile, Solver, Term};
use crate::unbounded::Unbounded;

/// Formulas that clash, or are said to.
pub(super) struct Clash {
    /// In ascending order.
    parts: Vec<Term>,
    /// Whether they were asked by themselves, and nothing else with them.
    is_shown: bool,
}

impl Side<Unbounded> {
    /// Whether these formulas have no model together, by the axioms about what they mention.
    pub(crate) fn clash(&mut self, parts: &[Term], rlimit: u64) -> bool {
        if self.domain.terms.exhausted() {
            return false;
        }
        let whole = self.domain.terms.and(parts);
        let mut parts = match self.domain.terms.node(whole) {
            Node::And(parts) => parts.to_vec(),
            _ => vec![whole],
        };
        parts.sort_unstable();
        let within = |clash: &Clash| {
            let mut rest = parts.iter();
            clash
                .parts
                .iter()
                .all(|part| rest.any(|other| other == part))
        };
        if self
            .clashes
            .iter()
            .any(|clash| clash.is_shown && within(clash))
        {
            return true;
        }
        while let Some(place) = self.clashes.iter().position(within) {
            let said = self.clashes.remove(place).parts;
            if self.ask(&said, rlimit).0 == Answer::Unsat {
                self.clashes.push(Clash {
                    parts: said,
                    is_shown: true,
                });
                return true;
            }
        }
        if self.open.contains(&parts) {
            return false;
        }
        let (answer, mut named) = self.ask(&parts, rlimit);
        if answer != Answer::Unsat {
            self.open.push(parts);
            return false;
        }
        named.sort_unstable();
        self.clashes.push(Clash {
            is_shown: named == parts,
            parts: named,
        });
        true
    }

    /// Whether a formula has a model, by the axioms about what it mentions.
    pub(crate) fn check_lean(&mut self, formula: Term, rlimit: u64) -> Answer {
        self.ask(&[formula], rlimit).0
    }

    /// Whether formulas have a model together; if not, some that have none.
    fn ask(&mut self, parts: &[Term], rlimit: u64) -> (Answer, Vec<Term>) {
        let whole = self.domain.terms.and(parts);
        if self.domain.terms.exhausted() {
            return (Answer::Unknown(Answer::TERMS.to_owned()), Vec::new());
        }
        if self.domain.terms.node(whole) == Node::Bool(false) {
            return (Answer::Unsat, parts.to_vec());
        }
        let axioms = self.domain.relevant(whole);
        let all = [&axioms[..], parts].concat();
        let shortly = if parts.len() > 1 {
            Profile::NumbersInParts
        } else {
            Profile::Numbers
        };
        let numeric = is_numeric(&self.domain.terms, self.domain.widths.bits(), &all);
        let profiles = if numeric {
            vec![shortly, Profile::NumbersAtLength]
        } else {
            vec![Profile::Proof]
        };
        let mut found = (Answer::Unknown(String::new()), Vec::new());
        for profile in profiles {
            found = self.ask_as(profile, &axioms, parts, rlimit);
            if !matches!(found.0, Answer::Unknown(_)) {
                break;
            }
        }
        if let (Answer::Unsat, Some(scripts)) = (&found.0, &mut self.scripts) {
            scripts.push(script(&self.domain.terms, &all));
        }
        found
    }

    fn ask_as(
        &mut self,
        profile: Profile,
        axioms: &[Term],
        parts: &[Term],
        rlimit: u64,
    ) -> (Answer, Vec<Term>) {
        let limits = Limits { rlimit };
        let slot = match profile {
            Profile::Numbers => &mut self.numbers[0],
            Profile::NumbersInParts => &mut self.numbers[1],
            Profile::NumbersAtLength => &mut self.numbers[2],
            _ => &mut self.lean,
        };
        let solver = slot.get_or_insert_with(|| Solver::new(&self.room, profile, limits));
        solver.limit(limits);
        solver.push();
        if profile.is_numeric() {
            solver.learn(self.domain.widths.bits());
        }
        let terms = &self.domain.terms;
        for &axiom in axioms {
            solver.assert(terms, axiom);
        }
        let names = profile == Profile::NumbersInParts;
        for &part in parts {
            if names {
                solver.assert_part(terms, part);
            } else {
                solver.assert(terms, part);
            }
        }
        if profile.is_numeric() {
            solver.assert_ranges(&mut self.domain.terms);
        }
        let answer = solver.check(&self.domain.terms);
        let named = if names && answer == Answer::Unsat {
            solver.named_parts()
        } else {
            parts.to_vec()
        };
        solver.pop();
        (answer, named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Options;
    use crate::smt::{Room, Sort};
    use crate::unbounded::Arithmetic;

    const RLIMIT: u64 = 1_000_000;

    /// `a < b`, `b < c`, `c < a` and `d < a`.
    fn ring() -> (Side<Unbounded>, [Term; 4]) {
        let program = progmp_syntax::parse("test", b"SET(R1, 1);", &[]).program;
        let program = program.expect("it has no mistake");
        let room = Room::new();
        let mut domain = Unbounded::new(&room, &program, Arithmetic::Abstract);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| domain.symbol(name, Sort::Word, &[]));
        let parts = [(a, b), (b, c), (c, a), (d, a)].map(|(x, y)| domain.terms.ult(x, y));
        let side = Side::new(&room, domain, Profile::Proof, Options::default());
        (side, parts)
    }

    #[test]
    fn what_does_not_matter_is_not_asked_again() {
        let (mut side, [ab, bc, ca, da]) = ring();
        side.scripts = Some(Vec::new());
        assert!(side.clash(&[ab, bc, ca, da], RLIMIT));
        assert!(!side.clashes[0].is_shown);
        let ad = side.domain.terms.not(da);
        for _ in 0..2 {
            // The three are asked by themselves, once.
            assert!(side.clash(&[ad, ab, bc, ca], RLIMIT));
            assert!(side.clashes[0].is_shown && side.clashes[0].parts.len() == 3);
            assert_eq!(side.scripts.as_ref().map(Vec::len), Some(2));
        }
    }

    #[test]
    fn what_lacks_a_part_is_asked() {
        let (mut side, [ab, bc, ca, da]) = ring();
        assert!(side.clash(&[ab, bc, ca], RLIMIT));
        for parts in [[ab, bc, da], [bc, ca, da], [ab, ca, da]] {
            assert!(!side.clash(&parts, RLIMIT));
            assert!(!side.clash(&parts, RLIMIT));
        }
        assert!(side.clash(&[ab, bc, ca, da], RLIMIT));
    }

    #[test]
    fn what_was_named_wrongly_shows_nothing() {
        let (mut side, [ab, bc, ca, da]) = ring();
        let mut named = vec![ab, bc];
        named.sort_unstable();
        side.clashes.push(Clash {
            parts: named,
            is_shown: false,
        });
        assert!(!side.clash(&[ab, bc, da], RLIMIT));
        assert!(side.clashes.is_empty());
        assert!(side.clash(&[ab, bc, ca], RLIMIT));
    }
}
