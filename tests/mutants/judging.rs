//! One mutant: what the verifier says of it against what interpretation shows.
//!
//! In: a mutant. Out: the verdict, what exhaustive interpretation breaks, and every disagreement
//! in a sentence with the state that shows it.

use std::collections::BTreeSet;
use std::time::Instant;

use progmp_ir::{Program, SchedState};
use progmp_syntax::{parse, render};
use progmp_verifier::{
    Finding, Judgement, Level, Options, Property, Report, Verdict, prove, replay,
};

use crate::attack::{random_states, trigger};
use crate::explore::{Findings, explore};
use crate::gate::{Breach, stores};
use crate::operators::Mutant;
use crate::space::Listed;

/// Solver units above which a verdict is worth a remark; a usual one takes 0.1 to 0.5 million.
const DEAR: u64 = 20_000_000;

/// What may be spent on one mutant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Runs of exhaustive interpretation.
    pub(crate) runs: u64,
    /// Random states for a mutant that is accepted.
    pub(crate) random_states: u64,
    /// Whether to print the text and all that is found.
    pub(crate) tells: bool,
}

/// What came out for one mutant.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// `None` if something panicked.
    pub(crate) judgement: Option<Judgement>,
    /// The properties of the gate that are refuted, root causes only.
    pub(crate) refuted: BTreeSet<&'static str>,
    /// Why properties of the gate are unknown.
    pub(crate) reasons: Vec<String>,
    /// What interpretation breaks.
    pub(crate) broken: BTreeSet<Breach>,
    /// Listed states, those covered, and the runs that it took.
    pub(crate) states: u128,
    /// … covered.
    pub(crate) covered: u128,
    /// … runs.
    pub(crate) runs: u64,
    /// Disagreements.
    pub(crate) wrong: Vec<String>,
    /// What is worth knowing, and no disagreement.
    pub(crate) remarks: Vec<String>,
}

impl Outcome {
    /// The outcome of a mutant that made something panic.
    pub(crate) fn panicked() -> Self {
        Self {
            wrong: vec!["something panicked".to_owned()],
            ..Self::default()
        }
    }
}

/// The program of a text that must be right.
///
/// # Panics
/// With the diagnostics, if it is not.
pub(crate) fn program(text: &str) -> Program {
    let parsed = parse("mutant", text.as_bytes(), &[]);
    let shown = render(&parsed.diagnostics, &parsed.source, false);
    parsed.program.unwrap_or_else(|| panic!("{shown}"))
}

/// Judges one mutant.
pub(crate) fn judge(mutant: &Mutant, effort: Effort) -> Outcome {
    let program = program(&mutant.text);
    let start = Instant::now();
    let report = prove(&program, &Options::default(), &mut |_| {});
    let proving = start.elapsed();
    let mut outcome = Outcome {
        judgement: Some(report.judge(|finding| finding.level, false)),
        ..Outcome::default()
    };
    let mut wanted = BTreeSet::new();
    for finding in &report.findings {
        read_finding(&program, finding, &mut wanted, &mut outcome);
    }
    let start = Instant::now();
    let findings = explore(&program, effort.runs, &wanted);
    let exploring = start.elapsed();
    (outcome.states, outcome.covered) = (findings.states, findings.covered);
    outcome.runs = findings.runs;
    outcome.broken = findings.breaches.keys().copied().collect();

    compare(&program, &findings, &wanted, &mut outcome);
    compare_nulls(&program, &report, &findings, &mut outcome);
    if outcome.judgement == Some(Judgement::Accepted) {
        let seed = mutant.text.bytes().fold(7, |hash: u64, byte| {
            hash.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        if let Some((state, breaches)) = random_states(&program, seed, effort.random_states) {
            outcome.wrong.push(format!(
                "ACCEPTED, but breaks {breaches:?} from {}",
                json(&state)
            ));
        }
    }
    let units = report.effort.rlimit;
    if units > DEAR {
        outcome.remarks.push(format!("dear: {units} solver units"));
    }
    if effort.tells {
        println!(
            "\n=== {}\n{}\nproved in {proving:?}, explored in {exploring:?}\n{outcome:?}",
            mutant.name, mutant.text
        );
        for finding in &report.findings {
            println!(
                "{} {:?}: {}",
                finding.title, finding.verdict, finding.message
            );
        }
    }
    outcome
}

fn json(state: &SchedState) -> String {
    serde_json::to_string(state).expect("a state serialises")
}

/// Replays one finding and shows its state to the other checker. What is refuted in a listed
/// state is `wanted` of the exploration.
fn read_finding(
    program: &Program,
    finding: &Finding,
    wanted: &mut BTreeSet<Breach>,
    outcome: &mut Outcome,
) {
    let property = finding.property;
    if let Some(example) = &finding.counterexample
        && let Err(why) = replay(program, example, Options::default().fuel)
    {
        let state = json(&example.state);
        let wrong = &mut outcome.wrong;
        wrong.push(format!("{property} does not replay: {why}: {state}"));
    }
    if finding.level != Level::Gate || finding.follows_from.is_some() {
        return;
    }
    match &finding.verdict {
        Verdict::Proved { .. } => return,
        Verdict::Unknown(why) => outcome.reasons.push(format!("{property}: {why}")),
        Verdict::Refuted => drop(outcome.refuted.insert(property.name())),
    }
    let Some(example) = &finding.counterexample else {
        if finding.verdict == Verdict::Refuted {
            outcome
                .wrong
                .push(format!("{property} is refuted without a state"));
        }
        return;
    };
    let seen = trigger(program, &example.state);
    let mut breaches = Breach::of(property);
    if property == Property::NullIsNotUsed {
        let span = finding.span.expect("what is NULL has a place");
        let met_null =
            |&(place, null): &(crate::gate::Use, bool)| null && place.span(program) == span;
        if stores(program).contains(&span) {
            breaches.push(Breach::StoresNull);
        } else if seen.uses.iter().any(met_null) {
            return;
        }
    }
    if !breaches.iter().any(|breach| seen.breaches.contains(breach)) {
        outcome.wrong.push(format!(
            "{property} is refuted, but the other checker sees {:?} from {}",
            seen.breaches,
            json(&example.state)
        ));
    }
    if let &[breach] = breaches.as_slice()
        && Listed::of(program).holds(&example.state)
    {
        wanted.insert(breach);
    }
}

/// Every breach is one on the real host and rejects; every refutation in a listed state is found.
fn compare(
    program: &Program,
    findings: &Findings,
    wanted: &BTreeSet<Breach>,
    outcome: &mut Outcome,
) {
    for (breach, state) in &findings.breaches {
        let name = breach.name();
        let seen = trigger(program, state);
        if !seen.breaches.contains(breach) {
            outcome.wrong.push(format!(
                "the exploration finds {name}, the host does not: {}",
                json(state)
            ));
        }
        if outcome.judgement == Some(Judgement::Accepted) {
            outcome
                .wrong
                .push(format!("ACCEPTED, but breaks {name} from {}", json(state)));
        }
    }
    for breach in wanted {
        if !findings.breaches.contains_key(breach) {
            let text = format!(
                "{} is refuted in a listed state, where the exploration does not find it",
                breach.name()
            );
            if findings.is_exhaustive() {
                outcome.wrong.push(text);
            } else {
                outcome
                    .remarks
                    .push(format!("{text} ({} runs)", findings.runs));
            }
        }
    }
}

/// What is refuted as always NULL is so in every listed state; what is always NULL there and
/// accepted is worth a remark.
fn compare_nulls(program: &Program, report: &Report, findings: &Findings, outcome: &mut Outcome) {
    let stores = stores(program);
    let mut refuted = BTreeSet::new();
    for finding in &report.findings {
        let is_null = finding.property == Property::NullIsNotUsed;
        if !is_null || finding.verdict != Verdict::Refuted {
            continue;
        }
        let span = finding.span.expect("what is NULL has a place");
        refuted.insert(span);
        let here = findings
            .uses
            .iter()
            .filter(|(place, _)| place.span(program) == span);
        let met: Vec<_> = here.map(|(_, met)| *met).collect();
        if !stores.contains(&span) && !met.is_empty() && met.iter().all(|met| met.other) {
            let wrong = &mut outcome.wrong;
            wrong.push(format!(
                "what is used at {span:?} is said to be always NULL"
            ));
        }
    }
    for (place, met) in &findings.uses {
        let span = place.span(program);
        if met.null && !met.other && !refuted.contains(&span) && findings.is_exhaustive() {
            let verdict = outcome.judgement;
            outcome.remarks.push(format!(
                "{place:?} at {span:?} is NULL in every listed state that reaches it: {verdict:?}"
            ));
        }
    }
}
