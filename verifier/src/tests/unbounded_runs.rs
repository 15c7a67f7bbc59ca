//! The actual run is a model: no axiom of the unbounded encoding is false of what the
//! interpreter does, and every goal has there the truth that it has in the run.
//!
//! A contradiction here is an unsound axiom: proofs could be had of anything.

use progmp_generate::Mix;
use progmp_ir::{Needs, SchedState};

use super::ground::{Actual, Claim, Ground, consistent};
use super::loops::loops;
use super::support::{Subject, generated, goals, loop_mix, scale, state, written};
use crate::engine::{Options, Side};
use crate::goal::Goal;
use crate::smt::{Node, Profile, Room, Term};
use crate::unbounded::{Arithmetic, Unbounded};

/// Runs that were compared, and those that the solver left open.
#[derive(Default)]
struct Tally {
    runs: u64,
    open: u64,
}

impl Tally {
    /// Few enough are open for the rest to mean something.
    fn expect(&self, least: u64) {
        eprintln!("{} runs, {} open", self.runs, self.open);
        assert!(self.runs >= least, "{} runs are too few", self.runs);
        assert!(
            self.open * 20 <= self.runs,
            "{} of {} runs are undecided",
            self.open,
            self.runs
        );
    }
}

/// An encoding with its goals, ready for many states.
struct Encoded {
    side: Side<Unbounded>,
    goals: Vec<(Goal, Term)>,
}

/// Executions of a run: enough for all goals but the longest, and for those too in long tests.
fn executions() -> usize {
    if scale() > 1 { 3 } else { 2 }
}

fn encode(subject: &Subject, arithmetic: Arithmetic) -> Option<Encoded> {
    let program = &subject.program;
    let domain = Unbounded::new(&Room::new(), program, arithmetic);
    let mut side = Side::new(&Room::new(), domain, Profile::Proof, Options::default());
    side.runs(program, executions());
    let goals = goals(program)
        .into_iter()
        .filter(|goal| goal.executions() <= executions())
        .map(|goal| (goal, side.formula(program, goal)))
        .collect();
    (!side.domain.terms.exhausted()).then_some(Encoded { side, goals })
}

/// Everything that the run makes true of the encoding.
fn claims(subject: &Subject, encoded: &Encoded, actual: &Actual) -> (Ground, Vec<Claim>) {
    let mut ground = Ground::new(&encoded.side.domain, actual);
    let mut claims = ground.axioms(&encoded.side.domain);
    claims.extend(ground.outcome(&encoded.side, actual));
    for &(goal, formula) in &encoded.goals {
        let shown = actual.shows(&subject.program, goal);
        // Counting many PUSHes may claim nothing instead.
        if encoded.side.domain.terms.node(formula) == Node::Bool(true) && !shown {
            continue;
        }
        let here = ground.at(formula, &[]);
        let here = if shown { here } else { ground.terms.not(here) };
        claims.push((format!("{goal:?} is {shown}"), here));
    }
    claims.extend(ground.closure());
    (ground, claims)
}

fn run_is_a_model(subject: &Subject, encoded: &Encoded, state: SchedState, tally: &mut Tally) {
    let actual = Actual::new(&subject.program, state, executions());
    let (ground, claims) = claims(subject, encoded, &actual);
    tally.runs += 1;
    match consistent(&ground.terms, &claims) {
        Ok(true) => {}
        Ok(false) => tally.open += 1,
        Err(culprit) => panic!(
            "{}: the actual run contradicts the encoding at\n  {culprit}\n{}\n{}",
            subject.name,
            subject.text,
            progmp_ir::table(&actual.state, &Needs::of(&subject.program)),
        ),
    }
}

/// Compares some states of a program under both kinds of arithmetic.
fn compare(subject: &Subject, states: u64, seed: u64, tally: &mut Tally) {
    let needs = Needs::of(&subject.program);
    let hard =
        crate::engine::Engine::new(&subject.program, Options::default()).has_hard_arithmetic();
    for arithmetic in [Arithmetic::Abstract, Arithmetic::Exact] {
        if arithmetic == Arithmetic::Exact && !hard {
            break;
        }
        let Some(encoded) = encode(subject, arithmetic) else {
            continue;
        };
        for number in 0..states {
            let state = state(seed ^ (number << 32), &needs, 3, 3);
            run_is_a_model(subject, &encoded, state, tally);
        }
    }
}

#[test]
fn every_run_of_a_written_scheduler_is_a_model() {
    let mut tally = Tally::default();
    for (i, subject) in written().iter().enumerate() {
        compare(subject, 2 * scale(), i as u64, &mut tally);
    }
    tally.expect(400);
}

#[test]
fn every_run_of_a_loop_is_a_model() {
    let mut tally = Tally::default();
    for (i, subject) in loops().iter().enumerate() {
        compare(subject, 6 * scale(), 1_000 + i as u64, &mut tally);
    }
    tally.expect(400);
}

#[test]
fn every_run_of_a_generated_loop_is_a_model() {
    let mut tally = Tally::default();
    for seed in 0..80 * scale() {
        let subject = generated(seed, &loop_mix());
        compare(&subject, 4, seed, &mut tally);
    }
    tally.expect(300);
}

#[test]
fn every_run_of_a_generated_program_is_a_model() {
    let mut tally = Tally::default();
    for seed in 0..60 * scale() {
        let subject = generated(10_000 + seed, &Mix::small());
        compare(&subject, 4, seed, &mut tally);
    }
    tally.expect(200);
}

/// The claims of a run with one more, which is false of it.
fn culprit(subject: &Subject, state: SchedState, lie: impl Fn(&mut Ground) -> Term) -> String {
    let encoded = encode(subject, Arithmetic::Abstract).expect("a small program is encoded");
    let actual = Actual::new(&subject.program, state, executions());
    let (mut ground, mut claims) = claims(subject, &encoded, &actual);
    assert_eq!(
        consistent(&ground.terms, &claims),
        Ok(true),
        "before the lie"
    );
    claims.push(("the lie".to_owned(), lie(&mut ground)));
    consistent(&ground.terms, &claims).expect_err("a lie about the run is noticed")
}

#[test]
fn a_false_axiom_about_a_symbol_of_a_loop_is_noticed() {
    let text = "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 3); }";
    let subject = Subject::new("count up", text);
    let mut state = SchedState::default();
    state.subflows.resize_with(2, Default::default);
    state.normalize();
    let encoded = encode(&subject, Arithmetic::Abstract).expect("a small program is encoded");
    let after = encoded.side.runs[0].after.registers[0];
    let said = culprit(&subject, state, |ground| {
        let seven = ground.terms.word(7);
        let after = ground.at(after, &[]);
        ground.terms.eq(after, seven)
    });
    assert_eq!(said, "the lie");
}
