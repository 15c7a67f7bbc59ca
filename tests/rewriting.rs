//! The optimiser as a whole: what it makes is proved to decide as before, does so in many states, and
//! is cheaper when compiled; what is not the same is never taken for it.

use std::fs;
use std::time::Instant;

use progmp_codegen_ebpf::{Loops, Options, compile, object};
use progmp_generate::{Choices, Mix, Sizes, program_with, state_of};
use progmp_hosts::{Image, Interpreter};
use progmp_ir::{Action, Execution, Needs, Program, SchedState, execute};
use progmp_rewrite::optimize;
use progmp_tests::root;
use progmp_verifier::{Refinement, refines};

/// States that instructions are counted in.
const STATES: u64 = 1_000;

fn parsed(name: &str, text: &[u8]) -> Program {
    let parsed = progmp_syntax::parse(name, text, &[]);
    let program = parsed.program;
    program.unwrap_or_else(|| panic!("{name}: {}", String::from_utf8_lossy(text)))
}

fn corpus() -> Vec<(String, Program)> {
    let entries = fs::read_dir(root().join("specs/schedulers")).expect("the corpus is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().expect("a file has a name");
        let name = name.to_string_lossy().into_owned();
        let text = fs::read(path).expect("a scheduler can be read");
        let program = parsed(&name, &text);
        (name, program)
    };
    paths.iter().map(read).collect()
}

fn states(program: &Program, sizes: Sizes, count: u64) -> Vec<SchedState> {
    let needs = Needs::of(program);
    let state = |seed| state_of(&mut Choices::from_seed(seed), &needs, sizes);
    (0..count).map(state).collect()
}

/// What counts of an execution.
fn decisions(execution: &Execution) -> Vec<(Option<usize>, usize)> {
    let decision = |action: &Action| match *action {
        Action::Push {
            subflow, packet, ..
        } => (Some(subflow), packet),
        Action::Drop { packet, .. } => (None, packet),
    };
    execution.actions.iter().map(decision).collect()
}

fn alike(a: &Program, b: &Program, state: &SchedState) -> bool {
    let (a, b) = (execute(a, state), execute(b, state));
    a.after == b.after && decisions(&a) == decisions(&b)
}

fn refinement(before: &Program, after: &Program) -> Refinement {
    refines(before, after, &progmp_verifier::Options::default())
}

#[test]
fn each_rewritten_scheduler_is_proved_to_decide_as_before() {
    let rules = progmp_rules::all();
    let mut open = Vec::new();
    for (name, program) in corpus() {
        let start = Instant::now();
        let after = optimize(&program, &rules).program;
        let rewritten = start.elapsed();
        let start = Instant::now();
        let answer = refinement(&program, &after);
        let proved = start.elapsed();
        println!("{name:30} rewritten in {rewritten:?}, proved in {proved:?}");
        if !matches!(answer, Refinement::Proved) {
            open.push(format!("{name}: {answer:?}"));
        }
    }
    assert!(open.is_empty(), "{}", open.join("\n"));
}

#[test]
fn random_programs_decide_as_before_and_are_never_refuted() {
    let rules = progmp_rules::all();
    let mix = Mix {
        random: 0,
        ..Mix::small()
    };
    let (mut changed, mut proved) = (0, 0);
    for seed in 0..150 {
        let text = program_with(&mut Choices::from_seed(seed), &mix);
        let program = parsed("generated", text.as_bytes());
        let after = optimize(&program, &rules).program;
        if after == program {
            continue;
        }
        changed += 1;
        let sizes = Sizes {
            subflows: 3,
            packets: 4,
        };
        for state in states(&program, sizes, 60) {
            assert!(alike(&program, &after, &state), "{text}\n{state:?}");
        }
        match refinement(&program, &after) {
            Refinement::Proved => proved += 1,
            Refinement::Refuted(state) => panic!("{text}\n{state:?}"),
            Refinement::Unknown => println!("not decided: {text}"),
        }
    }
    println!("{changed} programs changed, {proved} of them proved");
    assert!(changed >= 20, "{changed} programs changed");
    assert!(
        proved * 10 >= changed * 8,
        "{proved} of {changed} are proved"
    );
}

#[test]
fn what_is_nearly_the_same_is_never_proved() {
    let misses = [
        // De Morgan, where an operand may be NULL.
        (
            "IF (!(Q.TOP.PSH AND RQ.TOP.PSH)) { SET(R1, 1); }",
            "IF (!Q.TOP.PSH OR !RQ.TOP.PSH) { SET(R1, 1); }",
        ),
        // MIN before FILTER.
        (
            "SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP());",
            "VAR best = SUBFLOWS.MIN(s => s.RTT); IF (!best.LOSSY) { best.PUSH(Q.POP()); }",
        ),
        // Branches that change places under NULL.
        (
            "IF (Q.TOP.PSH) { SET(R1, 1); } ELSE { SET(R1, 2); }",
            "IF (!Q.TOP.PSH) { SET(R1, 2); } ELSE { SET(R1, 1); }",
        ),
        // Arithmetic that wraps.
        (
            "IF (R1 > R2 + 1) { SET(R3, 1); }",
            "IF (R1 - 1 > R2) { SET(R3, 1); }",
        ),
        // A VAR that is computed behind what it reads.
        (
            "VAR n = Q.COUNT; SUBFLOWS.TOP.PUSH(Q.POP()); SET(R1, n);",
            "SUBFLOWS.TOP.PUSH(Q.POP()); VAR n = Q.COUNT; SET(R1, n);",
        ),
        // A guard before something that is done all the same.
        (
            "SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP()); SET(R1, 1);",
            "IF (!SUBFLOWS.FILTER(s => !s.LOSSY).EMPTY) { SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP()); SET(R1, 1); }",
        ),
        // A guard about another list.
        (
            "SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP());",
            "IF (!SUBFLOWS.FILTER(s => !s.STALE).EMPTY) { SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP()); }",
        ),
        // A guard on Q before a loop that sends what is in QU.
        (
            "FOREACH (VAR s IN SUBFLOWS) { IF (!QU.EMPTY) { s.PUSH(QU.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } }",
            "IF (!Q.EMPTY) { FOREACH (VAR s IN SUBFLOWS) { IF (!QU.EMPTY) { s.PUSH(QU.TOP); } ELSE IF (!Q.EMPTY) { s.PUSH(Q.POP()); } } }",
        ),
        // RETURN where something follows.
        (
            "IF (Q.EMPTY) { RETURN; } SET(R1, R1 + 1);",
            "IF (Q.EMPTY) { } SET(R1, R1 + 1);",
        ),
        // A value that a round of the loop changes.
        (
            "FOREACH (VAR s IN SUBFLOWS) { VAR n = R1 + 1; SET(R1, n + 1); }",
            "VAR n = R1 + 1; FOREACH (VAR s IN SUBFLOWS) { SET(R1, n + 1); }",
        ),
        // Branches that are fused although the first one changes the condition.
        (
            "IF (R1 == 0) { SET(R1, 1); } IF (R1 == 0) { SET(R2, 1); }",
            "IF (R1 == 0) { SET(R1, 1); SET(R2, 1); }",
        ),
        // A value that is computed once, though a POP lies between.
        (
            "SUBFLOWS.TOP.PUSH(Q.POP()); SUBFLOWS.LAST.PUSH(Q.TOP);",
            "VAR p = Q.TOP; SUBFLOWS.TOP.PUSH(Q.POP()); SUBFLOWS.LAST.PUSH(p);",
        ),
        // A copy for one branch only.
        (
            "IF (R1 == 0) { SET(R2, 1); } SUBFLOWS.TOP.PUSH(Q.POP());",
            "IF (R1 == 0) { SET(R2, 1); SUBFLOWS.TOP.PUSH(Q.POP()); }",
        ),
    ];
    for (before, after) in misses {
        let program = |text: &str| parsed("near miss", text.as_bytes());
        let answer = refinement(&program(before), &program(after));
        let Refinement::Refuted(state) = answer else {
            panic!("{after}: {answer:?}");
        };
        assert!(!alike(&program(before), &program(after), &state));
        let optimized = optimize(&program(before), &progmp_rules::all()).program;
        assert!(alike(&program(before), &optimized, &state), "{before}");
    }
}

/// How many instructions a program executes in a state once it is compiled, and how long it is.
fn compiled(program: &Program) -> (impl Fn(&SchedState) -> u64, usize) {
    let options = Options {
        loops: Loops::MayGoto,
    };
    let code = compile(program, &options).expect("the corpus compiles");
    let image = Image::new(object::bytecode(&code.body()));
    let prepared = Interpreter::default()
        .prepare(&image)
        .expect("our own code");
    let executed = move |state: &SchedState| {
        let mut filled = progmp_abi::fill(state).expect("the state can be shown");
        let halt = prepared.count(filled.block.bytes_mut());
        halt.expect("a run ends").executed
    };
    (executed, code.insns.len())
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(is: u64, was: u64) -> f64 {
    is as f64 / was as f64
}

#[test]
fn no_rewritten_scheduler_executes_two_percent_more_and_all_together_less() {
    let rules = progmp_rules::all();
    let (mut all, mut busy, mut number) = (1.0_f64, 1.0_f64, 0);
    let mut worse = Vec::new();
    println!("scheduler: instructions in all states, in those where something is sent; slots");
    for (name, program) in corpus() {
        let after = optimize(&program, &rules).program;
        let sizes = Sizes {
            subflows: 4,
            packets: 5,
        };
        let (was, old) = compiled(&program);
        let (is, new) = compiled(&after);
        let mut sums = [0; 4];
        for state in states(&program, sizes, STATES) {
            let (a, b) = (was(&state), is(&state));
            sums[0] += a;
            sums[1] += b;
            if !execute(&program, &state).actions.is_empty() {
                sums[2] += a;
                sums[3] += b;
            }
        }
        let [a, b, c, d] = sums;
        println!(
            "{name:30} {a:8} {b:8} {:.3}   {c:8} {d:8} {:.3}   {old:5} {new:5}",
            ratio(b, a),
            ratio(d, c)
        );
        let cases = [
            (b * 100 > a * 102, "instructions"),
            (d * 100 > c * 105, "instructions where something is sent"),
            (new * 10 > old * 13, "slots"),
        ];
        worse.extend(
            cases
                .iter()
                .filter(|(is_worse, _)| *is_worse)
                .map(|(_, what)| format!("{name}: more {what}")),
        );
        all *= ratio(b, a);
        busy *= ratio(d, c);
        number += 1;
    }
    let mean = |product: f64| product.powf(1.0 / f64::from(number));
    let (all, busy) = (mean(all), mean(busy));
    println!("geometric mean {all:.3}, where something is sent {busy:.3}");
    assert!(worse.is_empty(), "{}", worse.join("\n"));
    assert!(all < 0.45, "the mean is {all:.3} of what it was");
    // What is asked in vain costs little.
    assert!(busy < 1.03, "where something is sent, it is {busy:.3}");
}
