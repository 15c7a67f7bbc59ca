//! Small mistakes in the schedulers of the corpus: the verifier against exhaustive interpretation.
//!
//! Each scheduler gets a set of mutants. Whatever a mutant breaks in a listed state of up to two
//! subflows and two packets must be rejected; every refutation must be one for a second checker
//! too; what is accepted is attacked with random states. `PROGMP_TEST_SCALE=n` takes more mutants
//! and more states, `PROGMP_MUTANT=part-of-a-name` takes the mutants with such names and tells
//! more of them.

#[path = "mutants/attack.rs"]
mod attack;
#[path = "mutants/explore.rs"]
mod explore;
#[path = "mutants/gate.rs"]
mod gate;
#[path = "mutants/judging.rs"]
mod judging;
#[path = "mutants/operators.rs"]
mod operators;
#[path = "mutants/recorder.rs"]
mod recorder;
#[path = "mutants/space.rs"]
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gate::{Breach, Deeds};
use judging::{Effort, Outcome, judge};
use operators::{Mutant, OPERATORS, mutants};
use progmp_generate::{Choices, state};
use progmp_ir::{Action, Machine, Needs, QueueName, execute};
use progmp_tests::root;
use progmp_verifier::Judgement;
use recorder::Recorder;
use space::Listed;

/// Mutants that break something and are not decided, with the reason. Each must still be so.
const UNDECIDED: &[(&str, &str)] = &[];

/// Mutants whose verdict takes minutes, with the reason: only `PROGMP_MUTANT` takes them.
const DEAR: &[(&str, &str)] = &[(
    "tap/set-hoisted@62:13",
    "credit goes down by a quotient, and around: every search for its end runs to its limit",
)];

/// Mutants of one scheduler with one change and with two, at scale 1.
const PER_SCHEDULER: (usize, usize) = (8, 2);

/// Operators that take a guard away: the first of two changes.
const WEAKENS: &[&str] = &[
    "if-true",
    "conjunct-dropped",
    "filter-dropped",
    "then-inlined",
    "filter-negated",
    "not-dropped",
];

/// The second of two changes.
const COMPOUNDS: &[&str] = &[
    "if-true",
    "conjunct-dropped",
    "filter-dropped",
    "then-inlined",
    "pop-to-top",
    "pop-hoisted",
    "push-dropped",
    "drop-dropped",
    "set-hoisted",
    "set-to-count",
    "queue-swapped",
    "and-to-or",
];

fn scale() -> usize {
    let scale = std::env::var("PROGMP_TEST_SCALE").ok();
    scale.map_or(1, |text| {
        text.parse().expect("PROGMP_TEST_SCALE is a number")
    })
}

/// The schedulers of the corpus by name, without what they require beyond the gate.
fn corpus() -> Vec<(String, String)> {
    let folder = root().join("specs/schedulers");
    let mut corpus: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the corpus is in the repository")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "progmp"))
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a file has a name")
                .to_string_lossy();
            let text = fs::read_to_string(&path).expect("a scheduler can be read");
            (name.into_owned(), text.replace("@require", "it keeps"))
        })
        .collect();
    corpus.sort();
    assert!(corpus.len() >= 19, "only {} schedulers", corpus.len());
    corpus
}

/// So many mutants of a scheduler, first those of operators that were `used` least so far; and so
/// many with two changes.
fn choose(
    scheduler: &(String, String),
    number: usize,
    (singles, doubles): (usize, usize),
    used: &mut BTreeMap<&'static str, usize>,
) -> Vec<Mutant> {
    let all = mutants(&scheduler.0, &scheduler.1);
    let mut rest: Vec<&Mutant> = all.iter().collect();
    let mut chosen = Vec::new();
    while chosen.len() < singles && !rest.is_empty() {
        let uses = |mutant: &Mutant| used.get(mutant.operator).copied().unwrap_or(0);
        let fewest = rest.iter().map(|mutant| uses(mutant)).min();
        let fitting = (0..rest.len()).filter(|&at| Some(uses(rest[at])) == fewest);
        let fitting: Vec<usize> = fitting.collect();
        let turn = number * 7 + chosen.len() * 5;
        let mutant = rest.remove(fitting[turn % fitting.len()]);
        *used.entry(mutant.operator).or_default() += 1;
        chosen.push(mutant.clone());
    }
    let weakened: Vec<&Mutant> = all
        .iter()
        .filter(|m| WEAKENS.contains(&m.operator))
        .collect();
    for turn in 0..doubles {
        let first = weakened[(number * 11 + turn * 13) % weakened.len()];
        let twice = mutants(&first.name, &first.text);
        let twice: Vec<&Mutant> = twice
            .iter()
            .filter(|m| COMPOUNDS.contains(&m.operator))
            .collect();
        if !twice.is_empty() {
            let second = twice[(number * 5 + turn * 17) % twice.len()];
            chosen.push(Mutant {
                operator: "two-changes",
                ..second.clone()
            });
        }
    }
    let mut names = BTreeSet::new();
    chosen.retain(|mutant| names.insert(mutant.name.clone()));
    chosen
}

/// Judges all of them on two threads; the outcomes in the order of the mutants.
fn judge_all(mutants: &[Mutant], effort: Effort) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(number) else {
                return;
            };
            let judged = std::panic::catch_unwind(|| judge(mutant, effort));
            let outcome = judged.unwrap_or_else(|_| Outcome::panicked());
            let mut outcomes = outcomes.lock().expect("nobody panics while holding it");
            outcomes.insert(number, outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, work)
                .expect("a thread can be started");
        }
    });
    let outcomes = outcomes.into_inner().expect("nobody panicked holding it");
    outcomes.into_values().collect()
}

/// One line for each group of mutants, and one for all.
fn print_table(title: &str, groups: &BTreeMap<String, Vec<&Outcome>>) {
    println!(
        "\n{title:24} mutants rejected [popped drop null ends] accepted unknown  broken  \
         states listed      covered    runs"
    );
    let all: Vec<&Outcome> = groups.values().flatten().copied().collect();
    for (name, outcomes) in groups.iter().chain([(&"all".to_owned(), &all)]) {
        let judged = |judgement: Judgement| {
            let same = |outcome: &&&Outcome| outcome.judgement == Some(judgement);
            outcomes.iter().filter(same).count()
        };
        let refuted = |property: &str| {
            let has = |outcome: &&&Outcome| outcome.refuted.contains(property);
            outcomes.iter().filter(has).count()
        };
        let sum = |what: fn(&Outcome) -> u128| outcomes.iter().map(|o| what(o)).sum::<u128>();
        println!(
            "{name:24} {:7} {:8} [{:6} {:4} {:4} {:4}] {:8} {:7} {:7} {:14} {:12} {:7}",
            outcomes.len(),
            judged(Judgement::Rejected),
            refuted("popped-packet-is-scheduled"),
            refuted("drop-is-licensed"),
            refuted("null-is-not-used"),
            refuted("trigger-terminates") + refuted("trigger-is-short"),
            judged(Judgement::Accepted),
            judged(Judgement::Unknown),
            outcomes.iter().filter(|o| !o.broken.is_empty()).count(),
            sum(|o| o.states),
            sum(|o| o.covered),
            sum(|o| u128::from(o.runs)),
        );
    }
}

#[test]
fn no_mutant_that_breaks_something_is_accepted() {
    let scale = scale();
    let only = std::env::var("PROGMP_MUTANT").ok();
    let effort = Effort {
        runs: 10_000 * scale as u64,
        random_states: 2_000 * scale as u64,
        tells: only.is_some(),
    };
    let singles = if only.is_some() {
        usize::MAX
    } else {
        PER_SCHEDULER.0 * scale
    };
    let count = (singles, PER_SCHEDULER.1 * scale);
    let mut used = BTreeMap::new();
    let mut chosen = Vec::new();
    for (number, scheduler) in corpus().iter().enumerate() {
        chosen.extend(choose(scheduler, number, count, &mut used));
    }
    chosen.retain(|mutant| match &only {
        Some(part) => mutant.name.contains(part),
        None => DEAR.iter().all(|(name, _)| mutant.name != *name),
    });
    let outcomes = judge_all(&chosen, effort);

    let group = |key: &dyn Fn(&Mutant) -> String| {
        let mut groups: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
        for (mutant, outcome) in chosen.iter().zip(&outcomes) {
            groups.entry(key(mutant)).or_default().push(outcome);
        }
        groups
    };
    let of_scheduler = |mutant: &Mutant| {
        let scheduler = mutant.name.split('/').next();
        scheduler
            .expect("a name begins with its scheduler")
            .to_owned()
    };
    print_table("operator", &group(&|mutant| mutant.operator.to_owned()));
    print_table("scheduler", &group(&of_scheduler));

    let mut wrong = Vec::new();
    let mut undecided = BTreeSet::new();
    for (mutant, outcome) in chosen.iter().zip(&outcomes) {
        let name = &mutant.name;
        wrong.extend(outcome.wrong.iter().map(|what| format!("{name}: {what}")));
        for remark in &outcome.remarks {
            println!("{name}: {remark}");
        }
        if outcome.judgement == Some(Judgement::Unknown) {
            println!("{name}: unknown: {}", outcome.reasons.join("; "));
        }
        if outcome.judgement == Some(Judgement::Unknown) && !outcome.broken.is_empty() {
            undecided.insert(name.as_str());
        }
    }
    let taken: BTreeSet<&str> = chosen.iter().map(|mutant| mutant.name.as_str()).collect();
    let listed: BTreeSet<&str> = UNDECIDED.iter().map(|(name, _)| *name).collect();
    for name in undecided.difference(&listed) {
        wrong.push(format!("{name}: breaks something, but is not decided"));
    }
    for name in listed
        .difference(&undecided)
        .filter(|name| taken.contains(**name))
    {
        wrong.push(format!("{name}: is decided now: take it off the list"));
    }
    if only.is_none() {
        let used: BTreeSet<&str> = chosen.iter().map(|mutant| mutant.operator).collect();
        for operator in OPERATORS
            .iter()
            .filter(|operator| !used.contains(*operator))
        {
            wrong.push(format!("{operator} makes no mutant"));
        }
        for breach in Breach::ALL {
            let shown = outcomes.iter().any(|o| o.broken.contains(&breach));
            if !shown {
                wrong.push(format!("no mutant breaks {}", breach.name()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_corpus_itself_breaks_nothing_in_any_listed_state() {
    for (name, text) in corpus() {
        let program = judging::program(&text);
        let limit = 50_000 * scale() as u64;
        let findings = explore::explore(&program, limit, &BTreeSet::new());
        assert_eq!(findings.breaches, BTreeMap::new(), "{name}");
        println!(
            "{name:30} {:14} of {:14} states by {:8} runs",
            findings.covered, findings.states, findings.runs
        );
    }
}

#[test]
fn known_mistakes_break_what_they_should_and_nothing_else() {
    for (text, breach) in [
        (
            "VAR p = Q.POP(); FOREACH (VAR s IN SUBFLOWS) { s.PUSH(p); }",
            Some(Breach::Lost),
        ),
        ("DROP(Q.POP());", Some(Breach::Unlicensed)),
        (
            "DROP(QU.FILTER(p => SUBFLOWS.FILTER(s => p.SENT_ON(s)).COUNT == 2).TOP);",
            Some(Breach::Endless),
        ),
        ("SET(R1, SUBFLOWS.TOP.ID);", Some(Breach::StoresNull)),
        (
            "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.TOP);",
            Some(Breach::Endless),
        ),
        ("IF (R1 < 300) { SET(R1, R1 + 1); }", Some(Breach::Endless)),
        ("IF (R1 < 200) { SET(R1, R1 + 1); }", None),
        (
            "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(s.USER + 1); }",
            Some(Breach::Endless),
        ),
        ("SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());", None),
        (
            "VAR m = QU.FILTER(p => !p.SENT_ON_ALL); SUBFLOWS.FILTER(s => !m.TOP.SENT_ON(s)).TOP.PUSH(m.TOP);",
            None,
        ),
    ] {
        let program = judging::program(text);
        let findings = explore::explore(&program, u64::MAX, &BTreeSet::new());
        assert!(findings.is_exhaustive(), "{text}");
        let broken: Vec<Breach> = findings.breaches.keys().copied().collect();
        assert_eq!(broken, Vec::from_iter(breach), "{text}");
        for state in findings.breaches.values() {
            let seen = attack::trigger(&program, state).breaches;
            assert_eq!(seen, BTreeSet::from_iter(breach), "{text}");
        }
    }
}

#[test]
fn what_is_always_null_in_every_listed_state_is_noticed() {
    let program = judging::program(
        "IF (SUBFLOWS.EMPTY) { VOID(SUBFLOWS.TOP.RTT); } ELSE { VOID(SUBFLOWS.TOP.RTT); } \
         VOID(SUBFLOWS.LAST.RTT);",
    );
    let findings = explore::explore(&program, u64::MAX, &BTreeSet::new());
    let met: Vec<(bool, bool)> = findings.uses.values().map(|m| (m.null, m.other)).collect();
    assert_eq!(met, [(true, false), (false, true), (true, true)]);
}

#[test]
fn the_recording_interpreter_does_what_the_reference_interpreter_does() {
    let choices = &mut Choices::from_seed(11);
    for (name, text) in corpus() {
        let program = judging::program(&text);
        let spaces = Listed::of(&program).spaces();
        let needs = Needs::of(&program);
        for _ in 0..300 {
            let before = state(choices, &needs);
            let expected = execute(&program, &before);
            let mut recorder = Recorder::new(&spaces[0]);
            let start = recorder.start(&before);
            let mut machine = Machine::new(&program, start);
            machine.execute(&mut recorder);
            let deeds = Deeds::of(&machine.log);
            let pushed = expected.actions.iter().filter_map(|action| match *action {
                Action::Push {
                    subflow, packet, ..
                } => Some((subflow, packet)),
                Action::Drop { .. } => None,
            });
            assert_eq!(deeds.pushed, pushed.collect::<Vec<_>>(), "{name}");
            assert_eq!(deeds.uses, Deeds::of(&expected.log).uses, "{name}");
            let registers = machine.state.registers.map(|word| word.value);
            assert_eq!(registers, expected.after.registers, "{name}");
            for queue in QueueName::ALL {
                let members = machine.state.queue(queue).to_vec();
                assert_eq!(&members, expected.after.queue(queue), "{name}");
            }
        }
    }
}
