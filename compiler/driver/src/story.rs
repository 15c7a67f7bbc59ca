//! A counterexample as a story: where it starts, each execution in source lines, and how it ends.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use progmp_ir::{Action, Execution, Needs, Program, SchedState, Stmt};
use progmp_syntax::SourceFile;

use crate::trace::{self, Line, packet_name, subflow_name};
use progmp_verifier::{Counterexample, Property, Scenario};

/// An execution with the state before it.
pub type Run = (SchedState, Execution);

/// Executions that are told one by one; of more, the first and the last.
const TOLD: usize = 6;
/// Columns of source text.
const TEXT: usize = 56;

/// The whole story, indented by two; ends in a line feed.
pub fn tell(
    program: &Program,
    source: &SourceFile,
    property: Property,
    cex: &Counterexample,
    runs: &[Run],
) -> String {
    let mut out = String::new();
    let needs = Needs::of(program);
    if let Some((start, _)) = runs.first() {
        out.push_str("  It happens from this state:\n\n");
        indent(&mut out, 4, &progmp_ir::table(start, &needs));
        out.push('\n');
    }
    let total = runs.len();
    let (head, tail) = if total > TOLD {
        (TOLD - 2, total - 1)
    } else {
        (total, total)
    };
    for (index, (before, execution)) in runs.iter().enumerate() {
        if index == head && head < tail {
            let _ = writeln!(out, "  … {} more executions like these …\n", tail - head);
        }
        if (head..tail).contains(&index) {
            continue;
        }
        let after = runs
            .get(index + 1)
            .map_or(&execution.after, |(next, _)| next);
        let _ = writeln!(out, "  Execution {}:", index + 1);
        self::execution(&mut out, 4, program, source, before, execution);
        outcome(&mut out, 4, before, execution, after);
        out.push('\n');
    }
    let endings = ending(property, cex, runs);
    for line in &endings {
        let _ = writeln!(out, "  {line}");
    }
    if endings.is_empty() {
        out.pop();
    }
    out
}

/// The source lines that an execution reached, each with what it did.
pub fn execution(
    out: &mut String,
    columns: usize,
    program: &Program,
    source: &SourceFile,
    before: &SchedState,
    execution: &Execution,
) {
    let stmts = program.statements();
    let lines = trace::lines(program, before, execution);
    lines_of(out, columns, &stmts, source, &lines);
}

/// Lines of a trace with line numbers and source text.
pub fn lines_of(
    out: &mut String,
    columns: usize,
    stmts: &[&Stmt],
    source: &SourceFile,
    lines: &[Line],
) {
    let pad = " ".repeat(columns);
    if lines.is_empty() {
        let _ = writeln!(out, "{pad}no statement is reached");
        return;
    }
    let texts: Vec<(usize, String)> = lines
        .iter()
        .map(|line| {
            let span = stmts[line.at.index()].span;
            let text = &source.text[span.start as usize..span.end as usize];
            let number = source.position(span.start).line;
            (
                number,
                clip(&format!("{}{}", "  ".repeat(line.depth), one_line(text))),
            )
        })
        .collect();
    let width = texts
        .iter()
        .map(|(_, text)| text.chars().count())
        .max()
        .unwrap_or(0);
    let digits = texts
        .iter()
        .map(|(number, _)| number.to_string().len())
        .max()
        .unwrap_or(1);
    for ((number, text), line) in texts.iter().zip(lines) {
        let mark = if line.effect { '*' } else { ' ' };
        let row = format!(
            "{pad}{number:>digits$} |{mark}{text:<width$}   {}",
            line.note
        );
        let _ = writeln!(out, "{}", row.trim_end());
    }
}

/// Source text on one line, white space and comments within it collapsed.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn clip(text: &str) -> String {
    if text.chars().count() <= TEXT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(TEXT - 1).collect();
    format!("{}…", kept.trim_end())
}

/// What an execution asked for and what has changed when the next one starts.
pub fn outcome(
    out: &mut String,
    columns: usize,
    before: &SchedState,
    execution: &Execution,
    after: &SchedState,
) {
    let pad = " ".repeat(columns);
    let actions: Vec<String> = execution
        .actions
        .iter()
        .map(|a| action(before, a))
        .collect();
    let mut changes = trace::differences(before, after);
    changes.extend(blocked(before, after));
    for (what, items) in [("actions", actions), ("changes", changes)] {
        let text = if items.is_empty() {
            "none".to_owned()
        } else {
            items.join("; ")
        };
        let _ = writeln!(out, "{pad}{what}: {text}");
    }
}

/// Subflows that became throttled between two executions.
fn blocked(before: &SchedState, after: &SchedState) -> Vec<String> {
    let was_free = |id: u64| before.subflows.iter().any(|s| s.id == id && !s.throttled);
    let now = after
        .subflows
        .iter()
        .filter(|s| s.throttled && was_free(s.id));
    now.map(|s| format!("subflow {} is THROTTLED", s.id))
        .collect()
}

/// An action in words.
pub fn action(state: &SchedState, action: &Action) -> String {
    match *action {
        Action::Push {
            subflow, packet, ..
        } => format!(
            "PUSH {} on {}",
            packet_name(state, packet),
            subflow_name(state, subflow)
        ),
        Action::Drop { packet, .. } => format!("DROP {}", packet_name(state, packet)),
    }
}

/// What is lost or repeated.
fn ending(property: Property, cex: &Counterexample, runs: &[Run]) -> Vec<String> {
    let mut lines = match cex.scenario {
        Scenario::Execution => Vec::new(),
        Scenario::Cycle { start, .. } => vec![format!(
            "Back to execution {}: all that the scheduler reads is as it was, so this goes on for ever.",
            start + 1
        )],
        Scenario::Run { executions } => vec![format!(
            "And so on: {executions} executions in a row change something, and none transmits or \
             takes a packet from Q or RQ."
        )],
        Scenario::History { executions } => {
            vec![format!(
                "The violation is in the sum of these {executions} executions."
            )]
        }
    };
    if let Some(passed) = cex.subflow {
        lines.push(format!(
            "Subflow {passed} could have carried each of these packets."
        ));
    }
    if let (Scenario::Execution, Some((before, execution))) = (&cex.scenario, runs.last()) {
        lines.extend(damage(property, before, execution));
    }
    lines
}

/// What one execution broke, as far as its actions show it.
fn damage(property: Property, before: &SchedState, execution: &Execution) -> Vec<String> {
    let mut pushed = BTreeSet::new();
    let mut dropped = BTreeSet::new();
    let mut twice = Vec::new();
    let mut pairs = BTreeSet::new();
    for action in &execution.actions {
        match *action {
            Action::Push {
                subflow, packet, ..
            } => {
                pushed.insert(packet);
                if !pairs.insert((subflow, packet)) {
                    twice.push((subflow, packet));
                }
            }
            Action::Drop { packet, .. } => {
                dropped.insert(packet);
            }
        }
    }
    match property {
        Property::PoppedPacketIsScheduled | Property::PacketsAreConserved => execution
            .pops()
            .filter(|(_, _, packet)| !pushed.contains(packet) && !dropped.contains(packet))
            .map(|(_, queue, packet)| {
                let name = packet_name(before, packet);
                format!("Lost: {name} left {} and is on no subflow.", queue.name())
            })
            .collect(),
        Property::DropIsLicensed => dropped
            .iter()
            .filter(|packet| !pushed.contains(packet) && !travels(before, **packet))
            .map(|&packet| {
                let name = packet_name(before, packet);
                format!("Lost: {name} is dropped and was transmitted on no live subflow.")
            })
            .collect(),
        Property::NoDuplicatePush => twice
            .iter()
            .map(|&(subflow, packet)| {
                let (packet, subflow) =
                    (packet_name(before, packet), subflow_name(before, subflow));
                format!("Repeated: {packet} goes to {subflow} more than once.")
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether a packet was transmitted on a live subflow.
pub fn travels(state: &SchedState, packet: usize) -> bool {
    let sent_on = &state.packets[packet].sent_on;
    state
        .subflows
        .iter()
        .any(|subflow| sent_on.contains(&subflow.id))
}

fn indent(out: &mut String, columns: usize, text: &str) {
    let pad = " ".repeat(columns);
    for line in text.lines() {
        let _ = writeln!(out, "{}", format!("{pad}{line}").trim_end());
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use progmp_ir::{Host, Memory, Step};

    use super::*;
    use progmp_verifier::Counterexample;

    /// A scheduler, a state and the executions of one trigger, at most `executions`.
    pub(crate) struct Scene {
        pub(crate) program: Program,
        pub(crate) source: SourceFile,
        pub(crate) runs: Vec<Run>,
    }

    pub(crate) fn scene(text: &str, state: &str, executions: usize) -> Scene {
        let parsed = progmp_syntax::parse("scene.progmp", text.as_bytes(), &[]);
        let program = parsed.program.expect("the scheduler has no mistakes");
        let state = SchedState::from_json(state).expect("the state is one");
        let mut host = Host::from_state(&state).expect("the state is one");
        let mut runs = Vec::new();
        let mut observer = |step: &Step<'_>| {
            if let Step::Executed { before, .. } = step {
                runs.push(((*before).clone(), progmp_ir::execute(&program, before)));
            }
            if runs.len() >= executions {
                std::ops::ControlFlow::Break(())
            } else {
                std::ops::ControlFlow::Continue(())
            }
        };
        host.trigger(&program, 1_000, &mut Memory::default(), &mut observer)
            .expect("the host keeps its facts");
        Scene {
            program,
            source: parsed.source,
            runs,
        }
    }

    pub(crate) fn counterexample(property: Property, scenario: Scenario) -> Counterexample {
        Counterexample {
            schema: 1,
            property: property.name().to_owned(),
            requirement: String::new(),
            line: 1,
            column: 1,
            scenario,
            state: SchedState::default(),
            seeds: Vec::new(),
            subflow: None,
        }
    }

    fn told(scene: &Scene, property: Property, scenario: Scenario) -> String {
        let cex = counterexample(property, scenario);
        tell(&scene.program, &scene.source, property, &cex, &scene.runs)
    }

    #[test]
    fn a_lost_packet_is_told_with_the_lines_that_lose_it() {
        let text = "VAR p = Q.POP();\nFOREACH (VAR s IN SUBFLOWS) {\n    s.PUSH(p);\n}\n";
        let scene = scene(text, r#"{"packets":[{"seq":1}],"q":[0]}"#, 1);
        let story = told(
            &scene,
            Property::PoppedPacketIsScheduled,
            Scenario::Execution,
        );
        let expected = "\
  It happens from this state:

    subflows: none
    packets
      SEQ  in
        1  Q

  Execution 1:
    1 |*p = Q.POP()                      p = packet 1, popped from Q
    2 | FOREACH (VAR s IN SUBFLOWS)      the list is empty
    actions: none
    changes: packet 1 leaves Q; packet 1 enters QU

  Lost: packet 1 left Q and is on no subflow.
";
        assert_eq!(squeezed(&story), squeezed(expected), "{story}");
    }

    /// Runs of spaces as one: the columns are not what the test is about.
    fn squeezed(text: &str) -> Vec<String> {
        text.lines().map(one_line).collect()
    }

    #[test]
    fn a_cycle_ends_where_it_starts_again() {
        let text = "IF (R1 == 0) { SET(R1, 1); } ELSE { SET(R1, 0); }";
        let scene = scene(text, "{}", 2);
        let scenario = Scenario::Cycle {
            start: 0,
            length: 2,
        };
        let story = told(&scene, Property::TriggerTerminates, scenario);
        assert!(story.contains("R1: 0 -> 1"), "{story}");
        assert!(story.contains("not TRUE: ELSE"), "{story}");
        assert!(story.contains("Back to execution 1:"), "{story}");
    }

    #[test]
    fn of_many_executions_the_first_and_the_last_are_told() {
        let scene = scene("SET(R1, R1 + 1);", "{}", 20);
        let story = told(
            &scene,
            Property::TriggerIsShort,
            Scenario::Run { executions: 20 },
        );
        assert!(
            story.contains("Execution 4:") && story.contains("Execution 20:"),
            "{story}"
        );
        assert!(!story.contains("Execution 5:"), "{story}");
        assert!(
            story.contains("… 15 more executions like these …"),
            "{story}"
        );
    }

    #[test]
    fn a_drop_without_licence_and_a_repeated_push_are_named() {
        let state = r#"{"subflows":[{}],"packets":[{"seq":1}],"q":[0]}"#;
        let dropped = scene("DROP(Q.POP());", state, 1);
        let story = told(&dropped, Property::DropIsLicensed, Scenario::Execution);
        assert!(story.contains("Lost: packet 1 is dropped"), "{story}");
        let twice = "VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(p); SUBFLOWS.TOP.PUSH(p);";
        let twice = scene(twice, state, 1);
        let story = told(&twice, Property::NoDuplicatePush, Scenario::Execution);
        assert!(
            story.contains("Repeated: packet 1 goes to subflow 1"),
            "{story}"
        );
    }

    #[test]
    fn source_text_is_put_on_one_line_and_clipped_in_characters() {
        assert_eq!(one_line("a =>\n    b  AND c"), "a => b AND c");
        let long = "ä".repeat(100);
        assert_eq!(clip(&long).chars().count(), TEXT);
        assert!(clip(&long).ends_with('…'));
        assert_eq!(clip("short"), "short");
    }
}
