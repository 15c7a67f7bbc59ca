//! Traces, stories and pictures of random runs: none fails, and each tells all that happened.

use progmp_driver::{story, svg, trace};
use progmp_generate::{Choices, program, state};
use progmp_ir::{Action, Needs, Program, SchedState, StmtId, execute};
use progmp_syntax::{SourceFile, parse};
use progmp_verifier::{Counterexample, Property, Scenario};

/// A random program, a state for it, and up to `executions` executions, one after the other.
fn scene(seed: u64, executions: usize) -> (Program, SourceFile, Vec<story::Run>) {
    let choices = &mut Choices::from_seed(seed);
    let text = program(choices);
    let parsed = parse("random", text.as_bytes(), &[]);
    let program = parsed.program.expect("a generated program is correct");
    let mut before = state(choices, &Needs::of(&program));
    let mut runs = Vec::new();
    for _ in 0..executions {
        let execution = execute(&program, &before);
        let next = execution.after.clone();
        runs.push((std::mem::replace(&mut before, next), execution));
    }
    (program, parsed.source, runs)
}

fn counterexample(scenario: Scenario) -> Counterexample {
    Counterexample {
        schema: 1,
        property: "trigger-terminates".to_owned(),
        requirement: String::new(),
        line: 0,
        column: 0,
        scenario,
        state: SchedState::default(),
        seeds: Vec::new(),
        subflow: None,
    }
}

#[test]
fn a_trace_tells_every_action_at_its_statement_and_in_order() {
    for seed in 0..2_000 {
        let (program, source, runs) = scene(seed, 1);
        let (before, execution) = &runs[0];
        let lines = trace::lines(&program, before, execution);
        let mut told = lines.iter();
        for action in &execution.actions {
            let (Action::Push { at, packet, .. } | Action::Drop { at, packet }) = *action;
            let name = trace::packet_name(before, packet);
            let is_it = |line: &trace::Line| line.at == at && line.effect;
            let line = told.find(|line| is_it(line) && line.note.starts_with(&name));
            assert!(line.is_some(), "{action:?} in {lines:#?}\n{}", source.text);
        }
        let count = program.stmt_count;
        assert!(
            lines
                .iter()
                .all(|line| line.at.index() < count && line.depth < count)
        );
        let changed = !execution.leaves_state(before) || !execution.actions.is_empty();
        let shown = lines.iter().any(|line| line.effect);
        // A register that goes away and comes back is an effect of lines, not of the execution.
        assert!(shown || !changed, "{lines:#?}\n{}", source.text);
    }
}

#[test]
fn a_story_and_a_picture_are_made_of_every_run() {
    let scenarios = [
        Scenario::Execution,
        Scenario::Cycle {
            start: 1,
            length: 8,
        },
        Scenario::Run { executions: 9 },
        Scenario::History { executions: 9 },
    ];
    for seed in 0..150 {
        let (program, source, runs) = scene(seed, 9);
        for property in [
            Property::PoppedPacketIsScheduled,
            Property::DropIsLicensed,
            Property::NoDuplicatePush,
            Property::TriggerTerminates,
        ] {
            for scenario in &scenarios {
                let cex = counterexample(scenario.clone());
                let told = story::tell(&program, &source, property, &cex, &runs);
                assert!(told.contains("Execution 1:") && told.contains("Execution 9:"));
                assert!(told.contains("… 4 more executions like these …"));
                let picture = svg::picture("random", property, &cex, &runs);
                let again = svg::picture("random", property, &cex, &runs);
                assert_eq!(picture, again);
                assert!(picture.ends_with("</svg>\n") && !picture.contains("NaN"));
            }
        }
    }
}

#[test]
fn what_leaves_no_event_is_told_too() {
    let text = "IF (R1 > 0) { RETURN; }\nFOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.POP()); }\nVOID(R1);\nPRINT(\"%u of %d%%, %s\", R1, Q.TOP, \"now\");\nSET(R2, 1 / R1);\nRETURN;\n";
    let parsed = parse("f", text.as_bytes(), &[]);
    let program = parsed.program.expect("it is correct");
    let state = SchedState::default();
    let lines = trace::lines(&program, &state, &execute(&program, &state));
    let notes: Vec<(usize, &str)> = lines
        .iter()
        .map(|line| (line.at.index(), line.note.as_str()))
        .collect();
    let expected = [
        (0, "not TRUE"),
        (2, "the list is empty"),
        (4, ""),
        (5, "prints \"0 of NULL%, now\""),
        (6, "the value is NULL: nothing changes"),
        (7, "the execution ends"),
    ];
    assert_eq!(notes, expected);
    assert_eq!(lines[0].at, StmtId::new(0));
}
