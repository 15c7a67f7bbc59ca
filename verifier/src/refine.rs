//! Does this program do what that one does? Asked of each program that the optimiser made.
//!
//! Nothing of the optimiser is read: both programs are run from one arbitrary state, with any number
//! of subflows and packets, and must agree on actions in order, registers, USER values and queues.

use progmp_ir::{Program, SchedState};

use crate::engine::Options;
use crate::equivalence::{in_step, prove_in_step, small_difference};
use crate::smt::Room;

/// The answer to "does the second refine the first?".
#[derive(Clone, Debug)]
pub enum Refinement {
    /// Every execution is the same, for any number of subflows and packets.
    Proved,
    /// Not in this state, as the interpreter shows.
    Refuted(Box<SchedState>),
    /// Neither was shown, within the limits.
    Unknown,
}

/// Decides whether `after` may stand in for `before`, execution by execution.
pub fn refines(before: &Program, after: &Program, options: &Options) -> Refinement {
    let room = Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES));
    if before == after || prove_in_step(&room, before, after, options) {
        return Refinement::Proved;
    }
    match small_difference(&room, before, after, options) {
        Some(state) => Refinement::Refuted(Box::new(state)),
        None => Refinement::Unknown,
    }
}

/// The queries that prove it, each of which has no model, as SMT-LIB 2; `None` if it is not proved.
pub fn refinement_queries(
    before: &Program,
    after: &Program,
    options: &Options,
) -> Option<Vec<String>> {
    let room = Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES));
    in_step(&room, before, after, options, true).map(each_once)
}

/// Each query once.
pub(crate) fn each_once(mut queries: Vec<String>) -> Vec<String> {
    queries.sort_unstable();
    queries.dedup();
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Program {
        let parsed = progmp_syntax::parse("test", text.as_bytes(), &[]);
        parsed.program.expect("it has no mistake")
    }

    /// By the proof alone.
    fn proved(before: &str, after: &str) -> bool {
        let options = Options::default();
        let room = Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES));
        prove_in_step(&room, &program(before), &program(after), &options)
    }

    fn refuted(before: &str, after: &str) -> bool {
        let answer = refines(&program(before), &program(after), &Options::default());
        matches!(answer, Refinement::Refuted(_))
    }

    #[test]
    fn what_an_optimiser_does_is_proved() {
        for (before, after) in [
            // A VAR is computed later.
            (
                "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); IF (!Q.EMPTY) { ok.MIN(s => s.RTT).PUSH(Q.POP()); }",
                "IF (!Q.EMPTY) { VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); ok.MIN(s => s.RTT).PUSH(Q.POP()); }",
            ),
            // What stood once stands in two branches.
            (
                "IF (!RQ.EMPTY) { IF (R1 > 3) { SUBFLOWS.TOP.PUSH(RQ.POP()); RETURN; } } IF (R2 / R3 > 1) { SET(R2, R2 % R3); } SUBFLOWS.LAST.PUSH(Q.POP());",
                "IF (!RQ.EMPTY) { IF (R1 > 3) { SUBFLOWS.TOP.PUSH(RQ.POP()); RETURN; } IF (R2 / R3 > 1) { SET(R2, R2 % R3); } SUBFLOWS.LAST.PUSH(Q.POP()); }
                 ELSE { IF (R2 / R3 > 1) { SET(R2, R2 % R3); } SUBFLOWS.LAST.PUSH(Q.POP()); }",
            ),
            // A loop stands in two branches, too, and its body is another one.
            (
                "IF (R1 == 0) { SET(R2, 1); } FOREACH (VAR s IN SUBFLOWS) { IF (!Q.EMPTY AND s.HAS_WINDOW_FOR(Q.TOP)) { s.PUSH(Q.POP()); } }",
                "IF (R1 == 0) { SET(R2, 1); FOREACH (VAR s IN SUBFLOWS) { IF (s.HAS_WINDOW_FOR(Q.TOP)) { s.PUSH(Q.POP()); } } }
                 ELSE { FOREACH (VAR s IN SUBFLOWS) { IF (s.HAS_WINDOW_FOR(Q.TOP)) { s.PUSH(Q.POP()); } } }",
            ),
            // A loop over a list that is empty is left out.
            (
                "FOREACH (VAR s IN SUBFLOWS.FILTER(s => !s.LOSSY)) { s.PUSH(Q.POP()); SET(R1, R1 + 1); }",
                "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); IF (!ok.EMPTY) { FOREACH (VAR s IN ok) { s.PUSH(Q.POP()); SET(R1, R1 + 1); } }",
            ),
            // And one in which nothing happens.
            (
                "FOREACH (VAR s IN SUBFLOWS) { VAR old = QU.FILTER(p => !p.SENT_ON(s)); IF (!old.EMPTY) { s.PUSH(old.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } }",
                "IF (!Q.EMPTY OR !QU.EMPTY) { FOREACH (VAR s IN SUBFLOWS) { VAR old = QU.FILTER(p => !p.SENT_ON(s)); IF (!old.EMPTY) { s.PUSH(old.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } } }",
            ),
            // Loops in loops.
            (
                "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR p IN Q) { IF (!s.LOSSY AND !s.LOSSY) { s.PUSH(p); SET(R1, R1 + 1); } } }",
                "FOREACH (VAR t IN SUBFLOWS) { FOREACH (VAR q IN Q) { IF (!t.LOSSY) { t.PUSH(q); SET(R1, 1 + R1); } } }",
            ),
        ] {
            assert!(proved(before, after), "{after}");
        }
    }

    #[test]
    fn empty_lists_of_both_kinds_are_told_apart() {
        let text = "SUBFLOWS.FILTER(s => FALSE).GET(R1).PUSH(Q.FILTER(p => FALSE).GET(R1)); SET(R2, Q.FILTER(p => FALSE).SUM(p => p.LENGTH) + SUBFLOWS.FILTER(s => FALSE).SUM(s => s.RTT));";
        assert!(proved(text, text));
    }

    /// Pairs that differ, some of them in large states only.
    const WRONG: [(&str, &str); 14] = [
        (
            "VAR p = Q.TOP; DROP(Q.POP()); SUBFLOWS.TOP.PUSH(p);",
            "DROP(Q.POP()); VAR p = Q.TOP; SUBFLOWS.TOP.PUSH(p);",
        ),
        (
            "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());",
            "SUBFLOWS.MAX(s => s.RTT).PUSH(Q.POP());",
        ),
        // The last iteration is another one.
        (
            "FOREACH (VAR s IN SUBFLOWS) { IF (R1 < 9) { s.PUSH(Q.TOP); } SET(R1, R1 + 1); }",
            "FOREACH (VAR s IN SUBFLOWS) { IF (R1 < 8) { s.PUSH(Q.TOP); } SET(R1, R1 + 1); }",
        ),
        // The state before the loop differs.
        (
            "SET(R1, 1); FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 1); }",
            "SET(R1, 2); FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 1); }",
        ),
        // Other elements.
        (
            "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
            "FOREACH (VAR s IN SUBFLOWS.FILTER(s => s.ID < 40)) { s.PUSH(Q.TOP); }",
        ),
        // Two loops for one: the order is another one.
        (
            "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); s.PUSH(QU.TOP); }",
            "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); } FOREACH (VAR s IN SUBFLOWS) { s.PUSH(QU.TOP); }",
        ),
        // The loops change places.
        (
            "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); } FOREACH (VAR s IN SUBFLOWS) { s.PUSH(QU.TOP); }",
            "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(QU.TOP); } FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
        ),
        // One leaves the loop.
        (
            "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { SET(R1, 1); } } SET(R2, 1);",
            "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { SET(R1, 1); RETURN; } } SET(R2, 1);",
        ),
        // Something else is written in the loop.
        (
            "FOREACH (VAR s IN SUBFLOWS) { SET(R1, s.ID); }",
            "FOREACH (VAR s IN SUBFLOWS) { SET(R1, s.ID); SET(R2, s.ID); }",
        ),
        // A loop is left out in which something happens.
        (
            "FOREACH (VAR s IN SUBFLOWS) { IF (!QU.EMPTY) { s.PUSH(QU.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } }",
            "IF (!Q.EMPTY) { FOREACH (VAR s IN SUBFLOWS) { IF (!QU.EMPTY) { s.PUSH(QU.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } } }",
        ),
        // Only from its second iteration on.
        (
            "FOREACH (VAR s IN SUBFLOWS) { IF (R1 == 1) { s.PUSH(QU.TOP); } SET(R1, 1); }",
            "IF (R1 == 1) { FOREACH (VAR s IN SUBFLOWS) { IF (R1 == 1) { s.PUSH(QU.TOP); } SET(R1, 1); } } ELSE { IF (!SUBFLOWS.EMPTY) { SET(R1, 1); } }",
        ),
        // It changes a register only.
        (
            "FOREACH (VAR s IN SUBFLOWS) { SET(R1, s.ID); }",
            "IF (!Q.EMPTY) { FOREACH (VAR s IN SUBFLOWS) { SET(R1, s.ID); } }",
        ),
        // It is left out for some of its members.
        (
            "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(1); }",
            "FOREACH (VAR s IN SUBFLOWS.FILTER(s => !s.LOSSY)) { s.SET_USER(1); }",
        ),
        // A branch is missing its copy.
        (
            "IF (R1 == 0) { SET(R2, 1); } SUBFLOWS.TOP.PUSH(Q.POP());",
            "IF (R1 == 0) { SET(R2, 1); } ELSE { SUBFLOWS.TOP.PUSH(Q.POP()); }",
        ),
    ];

    #[test]
    fn what_is_another_program_is_never_proved() {
        for (before, after) in WRONG {
            assert!(!proved(before, after), "{after}");
            assert!(!proved(after, before), "{before}");
        }
    }

    #[test]
    fn small_differences_are_refuted() {
        let small = [0, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13];
        for (before, after) in small.map(|at| WRONG[at]) {
            assert!(refuted(before, after), "{after}");
        }
    }
}
