//! Each rule between statements is used where it makes a program cheaper: one small program for each.
//! What the optimiser makes of it is proved to decide as before, and executes fewer instructions.

use std::collections::BTreeMap;

use progmp_codegen_ebpf::{Loops, Options, compile, object};
use progmp_generate::{Choices, Sizes, state_of};
use progmp_hosts::{Image, Interpreter};
use progmp_ir::{Action, Execution, Needs, Program, SchedState, execute};
use progmp_rewrite::{Deed, Trace, optimize};
use progmp_verifier::{Refinement, refines};

fn parsed(name: &str, text: &str) -> Program {
    let parsed = progmp_syntax::parse(name, text.as_bytes(), &[]);
    parsed.program.unwrap_or_else(|| panic!("{name}: {text}"))
}

fn states(program: &Program) -> impl Iterator<Item = SchedState> {
    let needs = Needs::of(program);
    let sizes = Sizes {
        subflows: 4,
        packets: 5,
    };
    (0..200).map(move |seed| state_of(&mut Choices::from_seed(seed), &needs, sizes))
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

/// How many instructions a program executes in a state once it is compiled, and how long it is.
fn compiled(program: &Program) -> (impl Fn(&SchedState) -> u64, usize) {
    let options = Options {
        loops: Loops::MayGoto,
    };
    let code = compile(program, &options).expect("the program compiles");
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

/// A rule, and a program in which it is used.
///
/// What the code generator leaves out by itself stands under [`LEFT_OUT`].
const USED: &[(&str, &str)] = &[
    (
        "each-does-nothing",
        "FOREACH (VAR s IN SUBFLOWS.FILTER(s => s.RTT > R1)) { } SET(R1, 1);",
    ),
    (
        "if-true",
        "IF (R1 >= 0) { SET(R2, 1); } ELSE { SET(R2, 2); }",
    ),
    (
        "if-false",
        "IF (R1 < 0) { SET(R2, 1); } ELSE { SET(R2, 2); }",
    ),
    (
        "if-same",
        "IF (SUBFLOWS.COUNT > R1) { SET(R2, 1); } ELSE { SET(R2, 1); }",
    ),
    (
        "fuse-if",
        "IF (SUBFLOWS.COUNT > R1) { SET(R2, 1); } IF (SUBFLOWS.COUNT > R1) { SET(R3, 1); } ELSE { SET(R4, 1); }",
    ),
    (
        "swap-branches",
        "IF (SUBFLOWS.COUNT > R1) { SET(R2, 1); } IF (!(SUBFLOWS.COUNT > R1)) { SET(R3, 1); }",
    ),
    (
        "retest-then",
        "IF (SUBFLOWS.SUM(s => s.RTT) > R1) { IF (SUBFLOWS.SUM(s => s.RTT) > R1) { SET(R2, 1); } ELSE { SET(R2, 2); } SET(R3, 1); }",
    ),
    (
        "retest-else",
        "IF (Q.TOP.PSH) { SET(R3, 1); } ELSE { IF (Q.TOP.PSH) { SET(R2, 1); } ELSE { SET(R2, 2); } }",
    ),
    (
        "nest-if",
        "IF (SUBFLOWS.SUM(s => s.RTT) > R2) { IF (R1 == 77777) { SET(R2, 1); } }",
    ),
    (
        "or-else",
        "IF (R1 > 9) { SUBFLOWS.TOP.PUSH(Q.POP()); } ELSE IF (R2 > 9) { SUBFLOWS.TOP.PUSH(Q.POP()); } ELSE { SET(R3, 1); }",
    ),
    (
        "known-then",
        "IF (SUBFLOWS.COUNT > R1) { SET(R3, 1); IF (SUBFLOWS.COUNT > R1 AND R2 > 5) { SET(R2, 1); } }",
    ),
    (
        "known-and",
        "IF (R1 == 0 AND SUBFLOWS.COUNT > R2) { SET(R3, 1); IF (SUBFLOWS.COUNT > R2 AND R4 > 5) { SET(R4, 1); } }",
    ),
    (
        "known-not",
        "IF (!(SUBFLOWS.COUNT > R1)) { SET(R3, 1); IF (SUBFLOWS.COUNT > R1 OR R2 > 5) { SET(R2, 1); } }",
    ),
    (
        "known-and-not",
        "IF (!(SUBFLOWS.COUNT > R2) AND R1 == 0) { SET(R3, 1); IF (SUBFLOWS.COUNT > R2 OR R4 > 5) { SET(R4, 1); } }",
    ),
    (
        "known-else",
        "IF (R1 > 5) { SET(R3, 1); } ELSE { SET(R4, 1); IF (R1 > 5 OR R2 > 5) { SET(R3, 2); } }",
    ),
    (
        "known-or",
        "IF (R1 > 5 OR R2 > 5) { SET(R3, 1); } ELSE { SET(R4, 1); IF (R2 > 5 OR R3 > 5) { SET(R3, 2); } }",
    ),
    (
        "known-else-not",
        "IF (!(SUBFLOWS.COUNT == R1)) { SET(R3, 1); } ELSE { SET(R4, 1); IF (SUBFLOWS.COUNT == R1 AND R2 > 5) { SET(R3, 2); } }",
    ),
    (
        "name-value",
        "SET(R1, SUBFLOWS.FILTER(s => s.RTT > R3).COUNT); SET(R2, SUBFLOWS.FILTER(s => s.RTT > R3).SUM(s => s.CWND));",
    ),
    (
        "name-value",
        "IF (SUBFLOWS.COUNT > 2) { SET(R1, SUBFLOWS.FILTER(s => s.RTT > SUBFLOWS.MIN(t => t.RTT).RTT).COUNT); }",
    ),
    (
        "hoist-var",
        "IF (SUBFLOWS.COUNT > 1) { FOREACH (VAR s IN SUBFLOWS) { VAR n = SUBFLOWS.SUM(t => t.RTT); IF (s.RTT * 4 > n) { s.PUSH(Q.TOP); } SET(R1, n); } }",
    ),
    (
        "push-to-null",
        "IF (SUBFLOWS.COUNT == 1) { SUBFLOWS.GET(1).PUSH(Q.POP()); SET(R1, 1); }",
    ),
    (
        "min-of-one",
        "IF (SUBFLOWS.COUNT == 1) { SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP()); }",
    ),
    (
        "max-of-one",
        "IF (SUBFLOWS.COUNT == 1) { SUBFLOWS.MAX(s => s.CWND * s.RTT).PUSH(Q.POP()); }",
    ),
    (
        "more-than-one",
        "IF (SUBFLOWS.COUNT == 1) { IF (SUBFLOWS.FILTER(s => s.RTT > R1).COUNT > 1) { SET(R1, 2); } ELSE { SET(R2, 2); } }",
    ),
    (
        "second-of-one",
        "IF (SUBFLOWS.COUNT == 1) { SET(R1, SUBFLOWS.GET(1).RTT); SET(R2, SUBFLOWS.GET(0).RTT); }",
    ),
    (
        "third-of-two",
        "IF (SUBFLOWS.COUNT == 2) { SET(R1, SUBFLOWS.FILTER(s => s.LOSSY).GET(2).RTT); SET(R2, SUBFLOWS.GET(1).RTT); }",
    ),
    (
        "fifth-of-four",
        "IF (SUBFLOWS.COUNT == 4) { SET(R1, SUBFLOWS.FILTER(s => s.LOSSY).GET(4).RTT); SET(R2, SUBFLOWS.GET(1).RTT); }",
    ),
    (
        "third-of-two",
        "IF (SUBFLOWS.COUNT == 2) { SUBFLOWS.GET(2).PUSH(Q.TOP); SUBFLOWS.GET(1).PUSH(Q.TOP); }",
    ),
    (
        "fourth-of-three",
        "IF (SUBFLOWS.COUNT == 3) { SUBFLOWS.GET(3).PUSH(Q.TOP); SUBFLOWS.GET(2).PUSH(Q.TOP); }",
    ),
    (
        "fifth-of-four",
        "IF (SUBFLOWS.COUNT == 4) { SUBFLOWS.GET(4).PUSH(Q.TOP); SUBFLOWS.GET(3).PUSH(Q.TOP); }",
    ),
];

/// Partial evaluation: it must pay over all states. In those with another number of subflows it asks in vain.
/// The whole-program check does not follow as many ways as those for two and more have: they would be compiled
/// as they stand.
const SPECIAL: &[(&str, &str)] = &[
    (
        "for-one",
        "SET(R1, SUBFLOWS.MIN(s => s.RTT * s.RTT + s.QUEUED * s.CWND + s.MSS * 5).RTT + SUBFLOWS.MAX(s => s.RTT * s.RTT + s.QUEUED * s.CWND + s.MSS * 5).RTT);
         SET(R2, SUBFLOWS.MIN(s => s.CWND * s.RTT + s.RTT * 3 + s.QUEUED * s.MSS).RTT + SUBFLOWS.MAX(s => s.CWND * s.RTT + s.RTT * 3 + s.QUEUED * s.MSS).RTT);
         SET(R3, SUBFLOWS.MIN(s => s.QUEUED * s.RTT + s.CWND * 7 + s.MSS * s.RTT).RTT + SUBFLOWS.MAX(s => s.QUEUED * s.RTT + s.CWND * 7 + s.MSS * s.RTT).RTT);
         SET(R4, SUBFLOWS.MIN(s => s.MSS * s.QUEUED + s.RTT * 9 + s.CWND * s.CWND).RTT + SUBFLOWS.MAX(s => s.MSS * s.QUEUED + s.RTT * 9 + s.CWND * s.CWND).RTT);
         SET(R5, SUBFLOWS.MIN(s => s.CWND * s.MSS + s.QUEUED * 11 + s.RTT * s.CWND).RTT + SUBFLOWS.MAX(s => s.CWND * s.MSS + s.QUEUED * 11 + s.RTT * s.CWND).RTT);
         SET(R6, SUBFLOWS.MIN(s => s.RTT * s.MSS + s.CWND * s.QUEUED + s.MSS * 7).RTT + SUBFLOWS.MAX(s => s.RTT * s.MSS + s.CWND * s.QUEUED + s.MSS * 7).RTT);",
    ),
    (
        "for-two",
        "SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY).GET(2).RTT); SET(R2, SUBFLOWS.FILTER(s => s.LOSSY).GET(2).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP).GET(2).RTT); SET(R4, SUBFLOWS.FILTER(s => s.IS_BACKUP).GET(2).RTT);
         SET(R5, SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED).GET(2).RTT); SET(R6, SUBFLOWS.FILTER(s => s.TSQ_THROTTLED).GET(2).RTT);
         SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY AND s.IS_BACKUP).GET(2).RTT); SET(R2, SUBFLOWS.FILTER(s => !s.LOSSY AND !s.IS_BACKUP).GET(2).RTT);
         SET(R3, SUBFLOWS.FILTER(s => s.LOSSY OR s.IS_BACKUP).GET(2).RTT); SET(R4, SUBFLOWS.FILTER(s => s.LOSSY OR !s.IS_BACKUP).GET(2).RTT);
         SET(R5, SUBFLOWS.FILTER(s => s.LOSSY AND s.TSQ_THROTTLED).GET(2).RTT); SET(R6, SUBFLOWS.FILTER(s => s.LOSSY AND !s.TSQ_THROTTLED).GET(2).RTT);
         SET(R1, SUBFLOWS.FILTER(s => s.IS_BACKUP AND s.TSQ_THROTTLED).GET(2).RTT); SET(R2, SUBFLOWS.FILTER(s => s.IS_BACKUP AND !s.TSQ_THROTTLED).GET(2).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP AND s.TSQ_THROTTLED).GET(2).RTT);",
    ),
    (
        "for-three",
        "SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY).GET(3).RTT); SET(R2, SUBFLOWS.FILTER(s => s.LOSSY).GET(3).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP).GET(3).RTT); SET(R4, SUBFLOWS.FILTER(s => s.IS_BACKUP).GET(3).RTT);
         SET(R5, SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED).GET(3).RTT); SET(R6, SUBFLOWS.FILTER(s => s.TSQ_THROTTLED).GET(3).RTT);
         SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY AND s.IS_BACKUP).GET(3).RTT); SET(R2, SUBFLOWS.FILTER(s => !s.LOSSY AND !s.IS_BACKUP).GET(3).RTT);
         SET(R3, SUBFLOWS.FILTER(s => s.LOSSY OR s.IS_BACKUP).GET(3).RTT); SET(R4, SUBFLOWS.FILTER(s => s.LOSSY OR !s.IS_BACKUP).GET(3).RTT);
         SET(R5, SUBFLOWS.FILTER(s => s.LOSSY AND s.TSQ_THROTTLED).GET(3).RTT); SET(R6, SUBFLOWS.FILTER(s => s.LOSSY AND !s.TSQ_THROTTLED).GET(3).RTT);
         SET(R1, SUBFLOWS.FILTER(s => s.IS_BACKUP AND s.TSQ_THROTTLED).GET(3).RTT); SET(R2, SUBFLOWS.FILTER(s => s.IS_BACKUP AND !s.TSQ_THROTTLED).GET(3).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP AND s.TSQ_THROTTLED).GET(3).RTT);",
    ),
    (
        "for-four",
        "SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY).GET(4).RTT); SET(R2, SUBFLOWS.FILTER(s => s.LOSSY).GET(4).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP).GET(4).RTT); SET(R4, SUBFLOWS.FILTER(s => s.IS_BACKUP).GET(4).RTT);
         SET(R5, SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED).GET(4).RTT); SET(R6, SUBFLOWS.FILTER(s => s.TSQ_THROTTLED).GET(4).RTT);
         SET(R1, SUBFLOWS.FILTER(s => !s.LOSSY AND s.IS_BACKUP).GET(4).RTT); SET(R2, SUBFLOWS.FILTER(s => !s.LOSSY AND !s.IS_BACKUP).GET(4).RTT);
         SET(R3, SUBFLOWS.FILTER(s => s.LOSSY OR s.IS_BACKUP).GET(4).RTT); SET(R4, SUBFLOWS.FILTER(s => s.LOSSY OR !s.IS_BACKUP).GET(4).RTT);
         SET(R5, SUBFLOWS.FILTER(s => s.LOSSY AND s.TSQ_THROTTLED).GET(4).RTT); SET(R6, SUBFLOWS.FILTER(s => s.LOSSY AND !s.TSQ_THROTTLED).GET(4).RTT);
         SET(R1, SUBFLOWS.FILTER(s => s.IS_BACKUP AND s.TSQ_THROTTLED).GET(4).RTT); SET(R2, SUBFLOWS.FILTER(s => s.IS_BACKUP AND !s.TSQ_THROTTLED).GET(4).RTT);
         SET(R3, SUBFLOWS.FILTER(s => !s.IS_BACKUP AND s.TSQ_THROTTLED).GET(4).RTT);",
    ),
];

/// Rules that spare the code generator what it would leave out itself: nothing more is executed.
const LEFT_OUT: &[(&str, &str)] = &[
    ("dead-value", "VOID(SUBFLOWS.MIN(s => s.RTT)); SET(R1, 1);"),
    ("drop-of-null", "DROP(NULL); SET(R1, 1);"),
    (
        "after-leaving",
        "IF (R1 > 5) { SET(R2, 1); RETURN; SET(R3, SUBFLOWS.SUM(s => s.RTT)); } ELSE { SET(R4, 1); }",
    ),
    (
        "if-null",
        "IF (R1 / 0 > R2) { SET(R2, 1); } ELSE { SET(R2, 2); }",
    ),
    (
        "inline-value",
        "VAR n = SUBFLOWS.SUM(s => s.RTT); VAR m = n; SET(R1, m); SET(R2, n + m);",
    ),
];

/// In a short run two hundredths are less than one instruction: so many are allowed, a test that is made
/// earlier or a register that is set at the start.
const SLACK: u64 = 3;

fn rules_of(trace: &Trace) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for deed in &trace.deeds {
        match deed {
            Deed::Statements(by) => *counts.entry(by.rule.as_str()).or_default() += 1,
            Deed::Expression(derivation) => {
                for step in &derivation.steps {
                    *counts.entry(step.rule.as_str()).or_default() += 1;
                }
            }
        }
    }
    counts
}

#[test]
fn each_rule_is_used_where_it_makes_a_program_cheaper() {
    let rules = progmp_rules::all();
    let mut wrong = Vec::new();
    let all = USED.iter().map(|case| (case, true, true));
    let special = SPECIAL.iter().map(|case| (case, true, false));
    let left_out = LEFT_OUT.iter().map(|case| (case, false, true));
    println!("rule: instructions in all states; most that are more in one state; slots");
    for ((rule, text), pays, always) in all.chain(special).chain(left_out) {
        let program = parsed(rule, text);
        let optimized = optimize(&program, &rules);
        let after = &optimized.program;
        let counts = rules_of(&optimized.trace);
        if !counts.contains_key(rule) {
            wrong.push(format!("{rule} is not used, only {counts:?}"));
            continue;
        }
        if always || *rule == "for-one" {
            let answer = refines(&program, after, &progmp_verifier::Options::default());
            if !matches!(answer, Refinement::Proved) {
                wrong.push(format!("{rule}: {answer:?}"));
            }
        }
        let ((was, old), (is, new)) = (compiled(&program), compiled(after));
        let (mut sum, mut less, mut worst) = (0, 0, 0);
        for state in states(&program) {
            let (x, y) = (execute(&program, &state), execute(after, &state));
            let same = x.after == y.after && decisions(&x) == decisions(&y);
            assert!(same, "{rule}: {state:?}");
            let (a, b) = (was(&state), is(&state));
            sum += a;
            less += b;
            if b * 100 > a * 102 && b > a + SLACK {
                worst = worst.max(b - a);
            }
        }
        println!("{rule:18} {sum:7} {less:7} +{worst:3}  {old:4} {new:4}");
        // Where the same is executed, there is less of it.
        if less > sum || pays && (less, new) >= (sum, old) {
            wrong.push(format!("{rule}: {less} instructions instead of {sum}"));
        }
        if always && worst > 0 {
            wrong.push(format!("{rule}: in one state {worst} instructions more"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A rule, and a program in which it is right to leave it alone: it would be wrong, or not cheaper.
const UNUSED: &[(&str, &str)] = &[
    // The cheaper test is first.
    (
        "nest-if",
        "IF (R1 == 7) { IF (SUBFLOWS.SUM(s => s.RTT) > R2) { SET(R2, 1); } }",
    ),
    // To compute it again is as cheap as to keep it.
    ("name-value", "SET(R1, R2 + 1); SET(R3, R2 + 1);"),
    // The first one changes it.
    (
        "name-value",
        "SET(R3, SUBFLOWS.SUM(s => s.RTT * R3)); SET(R1, SUBFLOWS.SUM(s => s.RTT * R3));",
    ),
    // It is computed on one of two ways only.
    (
        "name-value",
        "IF (R1 > 5) { SET(R2, SUBFLOWS.SUM(s => s.RTT)); } ELSE { SET(R3, SUBFLOWS.SUM(s => s.RTT)); }",
    ),
    // A round changes it.
    (
        "hoist-var",
        "FOREACH (VAR s IN SUBFLOWS) { VAR n = R1 + s.RTT; SET(R1, n); SET(R2, n); }",
    ),
    (
        "fuse-if",
        "IF (R1 > 5) { SET(R1, 1); } IF (R1 > 5) { SET(R2, 1); }",
    ),
    (
        "known-then",
        "IF (R1 > 5) { SET(R1, 3); IF (R1 > 5 OR R2 == 1) { SET(R2, 2); } }",
    ),
    // It may be NULL.
    (
        "known-else",
        "IF (QU.TOP.PSH) { SET(R1, 3); } ELSE { SET(R3, 1); IF (QU.TOP.PSH == FALSE) { SET(R2, 2); } }",
    ),
    (
        "swap-branches",
        "IF (!QU.TOP.PSH) { SET(R1, 3); } IF (QU.TOP.PSH) { SET(R2, 3); }",
    ),
    (
        "or-else",
        "IF (R1 > 5) { SET(R2, 1); } ELSE IF (R3 > 5) { SET(R2, 2); } ELSE { SET(R4, 1); }",
    ),
    // Not in this branch, and not by this condition.
    (
        "min-of-one",
        "IF (SUBFLOWS.COUNT == 1) { SET(R1, 1); } ELSE { SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP()); }",
    ),
    (
        "min-of-one",
        "IF (SUBFLOWS.COUNT == 1 OR R1 == 1) { SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP()); }",
    ),
    (
        "min-of-one",
        "IF (QU.COUNT == 1) { SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP()); }",
    ),
    // How many packets there are, nobody asked.
    (
        "more-than-one",
        "IF (SUBFLOWS.COUNT == 1) { IF (QU.COUNT > 1) { SET(R1, 1); } }",
    ),
    // To ask for the number costs more than it spares.
    (
        "for-one",
        "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP()); SUBFLOWS.MAX(s => s.RTT).PUSH(RQ.TOP);",
    ),
    (
        "for-two",
        "SUBFLOWS.GET(2).PUSH(Q.TOP); SUBFLOWS.GET(3).PUSH(Q.GET(1));",
    ),
];

#[test]
fn no_rule_is_used_where_it_is_wrong_or_not_cheaper() {
    let rules = progmp_rules::all();
    for (rule, text) in UNUSED {
        let program = parsed(rule, text);
        let optimized = optimize(&program, &rules);
        let counts = rules_of(&optimized.trace);
        assert!(!counts.contains_key(rule), "{rule}: {text}");
        for state in states(&program) {
            let (a, b) = (
                execute(&program, &state),
                execute(&optimized.program, &state),
            );
            let same = a.after == b.after && decisions(&a) == decisions(&b);
            assert!(same, "{rule}: {state:?}");
        }
    }
}
