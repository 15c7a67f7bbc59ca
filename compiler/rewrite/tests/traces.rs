//! The checker of traces: what the optimiser did replays, what was tampered with does not.

use progmp_generate::{Choices, Sizes, state_of};
use progmp_ir::{Needs, Program, execute};
use progmp_rewrite::{Deed, Filled, Optimized, Step, Trace, Tree, Use, optimize, replay};
use progmp_rules::{Op, RuleSet, Term, all};

fn corpus() -> Vec<(String, Program)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/schedulers");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the folder can be listed").path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let text = std::fs::read(path).expect("a scheduler can be read");
            (path.display().to_string(), parsed(&text))
        })
        .collect()
}

fn parsed(text: &[u8]) -> Program {
    let parsed = progmp_syntax::parse("test", text, &[]);
    parsed.program.expect("the scheduler has no mistake")
}

/// Programs in which rules apply.
const TREATED: [&str; 11] = [
    "IF (!(!Q.EMPTY)) { RETURN; } SUBFLOWS.FILTER(s => s.RTT > 0 AND TRUE).MIN(s => s.RTT + 0).PUSH(Q.POP());",
    "IF (SUBFLOWS.FILTER(s => !s.LOSSY).COUNT > 0 AND Q.COUNT != 0) { SUBFLOWS.FILTER(s => !s.LOSSY).GET(0).PUSH(Q.POP()); }",
    "IF (RQ.TOP != NULL) { SUBFLOWS.MIN(s => s.RTT * 1).PUSH(RQ.POP()); } ELSE { SUBFLOWS.TOP.PUSH(Q.POP()); }",
    "SET(R1, R2 + 0 - 0); IF (R1 >= 1 AND R1 >= 1) { SET(R3, SUBFLOWS.SUM(s => 1)); }",
    "IF (SUBFLOWS.MIN(s => s.RTT) == NULL OR FALSE) { RETURN; } SUBFLOWS.FILTER(s => s.CWND > s.QUEUED AND s.CWND > s.QUEUED).TOP.PUSH(Q.POP());",
    "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); IF (!RQ.EMPTY) { ok.MIN(s => s.RTT).PUSH(RQ.POP()); RETURN; } IF (!Q.EMPTY) { ok.MIN(s => s.RTT).PUSH(Q.POP()); }",
    "IF (R1 == 0 AND SUBFLOWS.COUNT > R2) { SET(R3, 1); IF (SUBFLOWS.COUNT > R2 AND R4 > 5) { SET(R4, 1); } } ELSE { IF (R1 == 0) { SET(R5, 1); } }",
    "IF (!(R1 > 5) AND R2 > 5) { SET(R3, 1); IF (R1 > 5 OR R4 > 5) { SUBFLOWS.TOP.PUSH(Q.POP()); } } IF (!(R3 > 5)) { SET(R4, 1); } IF (R3 > 5) { SET(R5, 1); }",
    "IF (SUBFLOWS.COUNT > 1) { FOREACH (VAR s IN SUBFLOWS) { VAR n = SUBFLOWS.SUM(t => t.RTT); IF (s.RTT * 4 > n) { s.PUSH(Q.TOP); } SET(R1, n); } }",
    "IF (SUBFLOWS.COUNT == 1) { SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP()); SUBFLOWS.GET(1).PUSH(RQ.TOP); }",
    "IF (R1 > 9) { SUBFLOWS.TOP.PUSH(Q.POP()); } ELSE IF (R2 > 9) { SUBFLOWS.TOP.PUSH(Q.POP()); } ELSE { IF (SUBFLOWS.SUM(s => s.RTT) > R2) { IF (R3 == 7) { SET(R2, 1); } } }",
];

fn programs() -> Vec<(String, Program)> {
    let mut programs = corpus();
    for (number, text) in TREATED.iter().enumerate() {
        programs.push((format!("treated {number}"), parsed(text.as_bytes())));
    }
    programs
}

/// Whether both do the same in many states.
fn alike(name: &str, a: &Program, b: &Program, states: u64) -> bool {
    let needs = Needs::of(a);
    (0..states).all(|seed| {
        let sizes = Sizes {
            subflows: 3,
            packets: 4,
        };
        let state = state_of(&mut Choices::from_seed(seed), &needs, sizes);
        let (x, y) = (execute(a, &state), execute(b, &state));
        let same =
            x.after == y.after && format!("{:?}", actions(&x)) == format!("{:?}", actions(&y));
        if !same {
            eprintln!("{name} differs in {state:?}");
        }
        same
    })
}

fn actions(execution: &progmp_ir::Execution) -> Vec<(Option<usize>, usize)> {
    execution
        .actions
        .iter()
        .map(|action| match *action {
            progmp_ir::Action::Push {
                subflow, packet, ..
            } => (Some(subflow), packet),
            progmp_ir::Action::Drop { packet, .. } => (None, packet),
        })
        .collect()
}

#[test]
fn what_is_optimized_decides_as_before() {
    let rules = all();
    for (name, program) in programs() {
        let Optimized { program: after, .. } = optimize(&program, &rules);
        assert!(alike(&name, &program, &after, 300), "{name}");
    }
}

#[test]
fn optimizing_is_deterministic() {
    let rules = all();
    for (name, program) in programs() {
        let (a, b) = (optimize(&program, &rules), optimize(&program, &rules));
        assert_eq!(a.program, b.program, "{name}");
        assert_eq!(a.trace, b.trace, "{name}");
    }
}

/// The rules between statements that a trace uses.
fn statements(trace: &Trace) -> impl Iterator<Item = &str> {
    trace.deeds.iter().filter_map(|deed| match deed {
        Deed::Statements(by) => Some(by.rule.as_str()),
        Deed::Expression(_) => None,
    })
}

#[test]
fn rules_are_used() {
    let rules = all();
    for text in &TREATED[..5] {
        let trace = optimize(&parsed(text.as_bytes()), &rules).trace;
        let derives = |deed: &Deed| matches!(deed, Deed::Expression(_));
        assert!(trace.deeds.iter().any(derives), "{text}");
    }
    let mut used = std::collections::BTreeSet::new();
    for (_, program) in programs() {
        let trace = optimize(&program, &rules).trace;
        used.extend(statements(&trace).map(str::to_owned));
    }
    let expected = [
        "after-leaving",
        "dead-var",
        "delay-var",
        "fuse-if",
        "hoist-var",
        "idle-guard",
        "if-true",
        "inline-value",
        "join-rest",
        "known-and",
        "known-and-not",
        "known-not",
        "known-then",
        "last-return",
        "name-value",
        "nest-if",
        "or-else",
        "push-to-null",
        "sink-var",
        "swap-branches",
    ];
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(used, expected);
}

#[test]
fn a_program_with_random_stays_as_it_is() {
    let program = parsed(b"VAR x = RANDOM; SET(R1, x + 0);");
    let optimized = optimize(&program, &all());
    assert_eq!(optimized.program, program);
    assert_eq!(optimized.trace, Trace::default());
}

#[test]
fn a_trace_that_was_tampered_with_is_rejected_or_still_right() {
    let rules = all();
    let subjects: Vec<(String, Program, Optimized)> = programs()
        .into_iter()
        .map(|(name, program)| {
            let optimized = optimize(&program, &rules);
            (name, program, optimized)
        })
        .filter(|(_, _, optimized)| optimized.trace != Trace::default())
        .collect();
    let (mut rejected, mut right) = (0, 0);
    let mut seed = 0;
    while rejected + right < 1_000 {
        seed += 1;
        let choices = &mut Choices::from_seed(seed);
        let (name, program, optimized) = &subjects[below(choices, subjects.len())];
        let Some(trace) = tampered(&optimized.trace, &rules, choices) else {
            continue;
        };
        match replay(program, &rules, &trace) {
            Ok(after) if after == optimized.program => {
                // Nothing came of it: the result is the one that is proved.
                right += 1;
            }
            Ok(after) => {
                assert!(alike(name, program, &after, 60), "{name}: {trace}");
                right += 1;
            }
            Err(_) => rejected += 1,
        }
    }
    assert!(rejected > 500, "{rejected} of 1,000 are rejected");
}

fn below(choices: &mut Choices, limit: usize) -> usize {
    usize::try_from(choices.below(limit as u64)).expect("it is below a usize")
}

/// The trace with one change; `None` if there was nothing to change.
fn tampered(trace: &Trace, rules: &RuleSet, choices: &mut Choices) -> Option<Trace> {
    let mut changed = trace.clone();
    let at = below(choices, changed.deeds.len());
    if choices.percent(15) {
        match choices.below(3) {
            0 => {
                changed.deeds.remove(at);
            }
            1 => {
                let again = changed.deeds[at].clone();
                changed.deeds.insert(at, again);
            }
            _ => changed.deeds.reverse(),
        }
        return (changed != *trace).then_some(changed);
    }
    match &mut changed.deeds[at] {
        Deed::Statements(by) => tamper_use(by, rules, choices),
        Deed::Expression(derivation) => {
            let at = below(choices, derivation.steps.len());
            let step: &mut Step = &mut derivation.steps[at];
            match choices.below(6) {
                0 => {
                    let other = choices.pick(&rules.rules);
                    step.rule.clone_from(&other.name);
                }
                1 => step.forward = !step.forward,
                2 => step.position.push(0),
                3 => step.position = vec![below(choices, 2)],
                4 => step.after = Term::leaf(Op::Bool(choices.percent(50))),
                _ => {
                    derivation.steps.remove(at);
                }
            }
        }
    }
    (changed != *trace).then_some(changed)
}

fn tamper_use(by: &mut Use, rules: &RuleSet, choices: &mut Choices) {
    match choices.below(6) {
        0 => by.rule.clone_from(&choices.pick(&rules.effects).name),
        1 => by.at += 1,
        2 => by.len = below(choices, 3),
        3 => {
            by.block.pop();
        }
        _ if by.found.is_empty() => by.len += 1,
        4 => by.found.rotate_left(1),
        _ => {
            let at = below(choices, by.found.len());
            match &mut by.found[at] {
                Filled::Block(nodes) => {
                    nodes.pop();
                }
                Filled::Place(place) => place.term = tampered_term(&place.term, choices),
                Filled::Var(number) => *number = number.wrapping_add(1) % 3,
                Filled::Source(_) => {}
            }
        }
    }
}

/// A condition that holds more often, less often, or not at all.
fn tampered_term(term: &Term, choices: &mut Choices) -> Term {
    match (choices.below(3), &term.args[..]) {
        (0, [first, ..]) if first.op.sort() == term.op.sort() => first.clone(),
        (1, _) => Term::new(Op::Not, vec![term.clone()]),
        _ => Term::leaf(Op::Bool(choices.percent(50))),
    }
}

#[test]
fn a_lambda_keeps_its_parameter_to_itself() {
    let program = parsed(b"IF (FALSE) { RETURN; }");
    let tree = Tree::of(&program).expect("no RANDOM");
    let outside = Term::leaf(Op::Param(0, progmp_ir::Kind::Subflow));
    let lossy = Op::named("LOSSY").expect("a property");
    let step = Step {
        rule: "and-false".to_owned(),
        forward: false,
        position: Vec::new(),
        after: Term::new(
            Op::And,
            vec![Term::new(lossy, vec![outside]), Term::leaf(Op::Bool(false))],
        ),
    };
    let before = Term::leaf(Op::Bool(false));
    assert!(progmp_rewrite::apply(&tree, &all(), &before, &step, None).is_err());
}

#[test]
fn what_holds_of_one_subflow_is_used_only_where_there_is_one() {
    let program = parsed(b"IF (SUBFLOWS.COUNT == 1) { SET(R1, SUBFLOWS.MIN(s => s.RTT).RTT); }");
    let tree = Tree::of(&program).expect("no RANDOM");
    let named = |name: &str| Op::named(name).expect("an operator");
    let key = |kind| Term::new(named("RTT"), vec![Term::leaf(Op::Param(0, kind))]);
    let subflows = Term::leaf(Op::Subflows);
    let least = Term::new(
        named("min"),
        vec![subflows.clone(), key(progmp_ir::Kind::Subflow)],
    );
    let step = |rule: &str, after: &Term| Step {
        rule: rule.to_owned(),
        forward: true,
        position: Vec::new(),
        after: after.clone(),
    };
    let first = Term::new(named("first"), vec![subflows.clone()]);
    let used =
        |known| progmp_rewrite::apply(&tree, &all(), &least, &step("min-of-one", &first), known);
    assert_eq!(used(Some(1)), Ok(first.clone()));
    assert!(used(Some(2)).is_err() && used(None).is_err());
    // Of packets nobody knows.
    let count = |list: &str| {
        let count = Term::new(named("count"), vec![Term::leaf(named(list))]);
        Term::new(named(">"), vec![count, Term::leaf(Op::Int(1))])
    };
    let no = Term::leaf(Op::Bool(false));
    let step = step("more-than-one", &no);
    let used = |list| progmp_rewrite::apply(&tree, &all(), &count(list), &step, Some(1));
    assert_eq!(used("SUBFLOWS"), Ok(no.clone()));
    assert!(used("Q").is_err());
}
