//! No proof is empty: the axioms have models, and no goal is false by mistake.
//!
//! For each kind of goal there is a program of which it is proved impossible and a
//! program like it in which it happens. A goal that speaks of a place that is not
//! there simplifies to false, a contradiction among the axioms proves everything:
//! both are shown to be noticed by what is checked here.

use progmp_ir::StmtId;

use super::ground::{Actual, Ground, consistent};
use super::loops::loops;
use super::support::{FAMILIES, Subject, family, goals, states, written};
use crate::concrete::shows;
use crate::engine::{Engine, Found, Options, Side};
use crate::goal::{Effect, Goal};
use crate::smt::{Answer, Node, Profile, Room, Sort};
use crate::unbounded::{Arithmetic, Unbounded};

/// A kind of goal; a program of which it is impossible; one in which it happens.
const WITNESSES: &[(&str, &str, &str)] = &[
    (
        "Lost",
        "IF (!SUBFLOWS.EMPTY) { VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(p); }",
        "VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(p);",
    ),
    (
        "Unlicensed",
        "DROP(QU.FILTER(x => x.SENT_ON(SUBFLOWS.TOP)).TOP);",
        "DROP(QU.FILTER(x => x.SENT_ON_ALL).TOP);",
    ),
    (
        "Read of NULL",
        "IF (!Q.EMPTY) { SET(R1, Q.TOP.SEQ); }",
        "SET(R1, Q.TOP.SEQ);",
    ),
    (
        "Read of a reference",
        "IF (Q.EMPTY) { SET(R1, Q.TOP.SEQ); }",
        "SET(R1, Q.TOP.SEQ);",
    ),
    (
        "Receiver is NULL",
        "IF (!SUBFLOWS.EMPTY) { SUBFLOWS.TOP.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "Receiver is a reference",
        "IF (SUBFLOWS.EMPTY) { SUBFLOWS.TOP.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "StoresNull",
        "IF (!Q.EMPTY) { SET(R1, Q.TOP.SEQ); }",
        "SET(R1, Q.TOP.SEQ);",
    ),
    (
        "DividesByZero",
        "IF (R2 > 0) { SET(R1, R1 / R2); }",
        "SET(R1, R1 / R2);",
    ),
    (
        "Wraps",
        "IF (R1 > 3) { SET(R1, R1 - 3); }",
        "SET(R1, R1 - 3);",
    ),
    (
        "OutOfRange",
        "IF (R1 < SUBFLOWS.COUNT) { SUBFLOWS.GET(R1).PUSH(Q.TOP); }",
        "SUBFLOWS.GET(R1).PUSH(Q.TOP);",
    ),
    (
        "Happens: branch",
        "IF (SUBFLOWS.MIN(s => s.RTT).RTT > SUBFLOWS.MAX(s => s.RTT).RTT) { SET(R1, 1); }",
        "IF (SUBFLOWS.MIN(s => s.RTT).RTT < SUBFLOWS.MAX(s => s.RTT).RTT) { SET(R1, 1); }",
    ),
    (
        "Happens: PUSH",
        "IF (SUBFLOWS.EMPTY) { SUBFLOWS.TOP.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    ("Happens: DROP", "DROP(QU.TOP);", "DROP(Q.POP());"),
    (
        "Happens: SET",
        "IF (R1 > R2 AND R2 > R1) { SET(R1, 1); }",
        "IF (R1 > R2) { SET(R1, 1); }",
    ),
    (
        "TakesReinjection",
        "IF (RQ.EMPTY) { SUBFLOWS.TOP.PUSH(RQ.POP()); }",
        "SUBFLOWS.TOP.PUSH(RQ.POP());",
    ),
    (
        "PushesTwice",
        "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP); SUBFLOWS.LAST.PUSH(Q.TOP);",
    ),
    (
        "PushesMoreThan",
        "IF (R1 > 0) { SUBFLOWS.TOP.PUSH(Q.TOP); } ELSE { SUBFLOWS.LAST.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP); SUBFLOWS.LAST.PUSH(Q.TOP);",
    ),
    (
        "PushesUnpopped",
        "SUBFLOWS.TOP.PUSH(Q.POP());",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "PushesSent",
        "SUBFLOWS.TOP.PUSH(Q.POP());",
        "SUBFLOWS.TOP.PUSH(QU.TOP);",
    ),
    (
        "KeepsPushed",
        "SUBFLOWS.TOP.PUSH(Q.POP());",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "PassesOver",
        "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "UsesSubflowTwice",
        "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
        "SUBFLOWS.TOP.PUSH(Q.TOP); SUBFLOWS.LAST.PUSH(Q.LAST);",
    ),
    (
        "LeavesWork",
        "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }",
        "IF (R1 > 0) { SUBFLOWS.TOP.PUSH(Q.TOP); }",
    ),
    (
        "UsesBackup",
        "SUBFLOWS.FILTER(s => !s.IS_BACKUP).TOP.PUSH(Q.TOP);",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "Ignores",
        "SUBFLOWS.FILTER(s => s.RTT < 9).TOP.PUSH(Q.TOP);",
        "IF (!SUBFLOWS.FILTER(s => s.RTT < 9).EMPTY) { SUBFLOWS.LAST.PUSH(Q.TOP); }",
    ),
    (
        "ActsIdly",
        "SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED).TOP.PUSH(Q.TOP);",
        "SUBFLOWS.TOP.PUSH(Q.TOP);",
    ),
    (
        "ChangesIdly",
        "IF (!Q.EMPTY AND !SUBFLOWS.EMPTY) { SUBFLOWS.TOP.PUSH(Q.POP()); SET(R1, R1 + 1); }",
        "SUBFLOWS.TOP.PUSH(Q.POP()); SET(R1, R1 + 1);",
    ),
    ("KeepsChanging", "SET(R1, 5);", "SET(R1, R1 + 5);"),
    ("Lasso", "SET(R1, 5);", "SET(R1, 5 - R1);"),
    (
        "Unranked",
        "IF (R1 > 0) { SET(R1, R1 - 1); }",
        "IF (R1 > 0) { SET(R1, R1 + 1); }",
    ),
    (
        "Grows",
        "IF (R1 > 0) { SET(R1, R1 - 1); }",
        "IF (R1 > 0) { SET(R1, R1 + 1); }",
    ),
    (
        "ShrinksLess",
        "IF (R1 > 1) { SET(R1, R1 - 2); }",
        "IF (R1 > 1) { SET(R1, R1 - 1); }",
    ),
    (
        "NotHalved",
        "IF (R1 > 0) { SET(R1, 0); }",
        "IF (R1 > 0) { SET(R1, R1 - 1); }",
    ),
    (
        "StaysAbove",
        "IF (R1 > 3) { SET(R1, 3); }",
        "IF (R1 > 3) { SET(R1, R1 - 1); }",
    ),
    (
        "StartsAbove",
        "IF (R1 < 3) { SET(R1, R1 + 1); }",
        "IF (R1 < 9) { SET(R1, R1 + 1); }",
    ),
    (
        "Resumes",
        "IF (R1 > 0) { SET(R1, R1 - 1); }",
        "IF (R2 > 5) { SET(R2, 0); SET(R1, R1 + 1); } ELSE { IF (R1 > 0) { SET(R1, R1 - 1); } }",
    ),
    (
        "Switches",
        "IF (R1 > 0) { SET(R2, R2 + 1); } ELSE { SET(R3, R3 + 1); }",
        "IF (R1 > 0) { SET(R1, 0); } ELSE { SET(R1, 1); }",
    ),
];

/// The first goal of a kind, in its form that says most.
fn goal_of(subject: &Subject, kind: &str) -> Goal {
    let telling = |goal: &Goal| match *goal {
        Goal::KeepsChanging { executions, .. } | Goal::Lasso { executions } => executions == 2,
        Goal::Unranked { ranking, .. } | Goal::Resumes { ranking, .. } => ranking[0].is_some(),
        _ => true,
    };
    goals(&subject.program)
        .into_iter()
        .find(|goal| family(*goal) == kind && telling(goal))
        .unwrap_or_else(|| panic!("{kind}: no such goal of {}", subject.text))
}

/// Whether the axioms prove everything.
fn is_contradictory(side: &mut Side<Unbounded>) -> bool {
    side.check(&[]) == Answer::Unsat
}

#[test]
fn each_kind_of_goal_is_proved_of_one_program_and_happens_in_another() {
    let mut kinds: Vec<&str> = WITNESSES.iter().map(|(kind, ..)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), FAMILIES);
    for &(kind, good, bad) in WITNESSES {
        let good = Subject::new("good", good);
        let goal = goal_of(&good, kind);
        let mut engine = Engine::new(&good.program, Options::default());
        assert_eq!(engine.impossible(goal), Ok(()), "{kind}: {}", good.text);
        let contradictory = [Arithmetic::Abstract, Arithmetic::Exact]
            .into_iter()
            .any(|arithmetic| is_contradictory(engine.unbounded(arithmetic)));
        assert!(!contradictory, "{kind}: the axioms contradict each other");

        let bad = Subject::new("bad", bad);
        let goal = goal_of(&bad, kind);
        let mut engine = Engine::new(&bad.program, Options::default());
        assert!(engine.impossible(goal).is_err(), "{kind}: {}", bad.text);
        let mut found = None;
        for size in [(1, 1), (2, 2)] {
            if let Found::State(state) = engine.search_at(goal, size) {
                found = Some(state);
            }
        }
        let state = found.unwrap_or_else(|| panic!("{kind}: no state found for {}", bad.text));
        assert!(shows(&bad.program, &state, goal), "{kind}: {}", bad.text);
    }
}

#[test]
fn a_goal_about_a_place_that_is_not_there_is_false_and_is_noticed() {
    let subject = Subject::new("bad", "VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(p);");
    let nowhere = StmtId::new(999);
    for (right, wrong) in [
        (goal_of(&subject, "Lost"), Goal::Lost { at: nowhere }),
        (
            goal_of(&subject, "Happens: PUSH"),
            Goal::Happens(Effect::Push { at: nowhere }),
        ),
    ] {
        let mut engine = Engine::new(&subject.program, Options::default());
        // The check above, made on the wrong place, fails: "proved", and no state is found.
        assert_eq!(engine.impossible(wrong), Ok(()));
        assert!(matches!(engine.search_at(wrong, (2, 2)), Found::Nothing));
        assert!(engine.impossible(right).is_err());
        assert!(matches!(engine.search_at(right, (2, 2)), Found::State(_)));
    }
}

#[test]
fn a_contradiction_among_the_axioms_proves_everything_and_is_noticed() {
    for &(kind, _, bad) in WITNESSES {
        let subject = Subject::new("bad", bad);
        let goal = goal_of(&subject, kind);
        let mut engine = Engine::new(&subject.program, Options::default());
        let side = engine.unbounded(Arithmetic::Abstract);
        assert!(!is_contradictory(side), "{kind}: {bad}");
        let d = &mut side.domain;
        let someone = d.terms.constant("someone", Sort::Subflow);
        let member = d.terms.apply(d.present, &[someone]);
        d.axiom(&[], member);
        let s = d.canonical_subflow;
        let present = d.terms.apply(d.present, &[s]);
        let absent = d.terms.not(present);
        d.axiom(&[s], absent);
        assert_eq!(engine.impossible(goal), Ok(()), "{kind}");
        assert!(
            is_contradictory(engine.unbounded(Arithmetic::Abstract)),
            "{kind}"
        );
    }
}

#[test]
fn the_axioms_of_every_written_program_have_a_model() {
    for subject in written().iter().chain(&loops()) {
        let program = &subject.program;
        let domain = Unbounded::new(&Room::new(), program, Arithmetic::Exact);
        let mut side = Side::new(&Room::new(), domain, Profile::Proof, Options::default());
        side.runs(program, 1);
        // The goals bring axioms of their own.
        for goal in goals(program) {
            if goal.executions() == 1 {
                side.formula(program, goal);
            }
        }
        let has_model = states(program, 6, 1).into_iter().any(|state| {
            let actual = Actual::new(program, state, 1);
            let mut ground = Ground::new(&side.domain, &actual);
            let mut claims = ground.axioms(&side.domain);
            claims.extend(ground.closure());
            let false_claim = claims
                .iter()
                .any(|(_, claim)| ground.terms.node(*claim) == Node::Bool(false));
            assert!(!false_claim, "{}: an axiom is false", subject.name);
            consistent(&ground.terms, &claims) == Ok(true)
        });
        assert!(
            has_model,
            "{}: no model was found\n{}",
            subject.name, subject.text
        );
    }
}
