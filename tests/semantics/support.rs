//! States in one line, and the outcome of an execution in one line.

use std::fmt::Write as _;

use progmp_ir::{Action, Packet, Program, QueueName, SchedState, Subflow, execute, wellformed};
use progmp_syntax::{parse, render};

/// So many ordinary subflows, IDs from 1, and so many packets in Q, 1,000 bytes each, SEQ from 1.
pub(crate) fn given(subflows: usize, packets: usize) -> SchedState {
    let mut state = SchedState {
        subflows: vec![Subflow::default(); subflows],
        packets: vec![Packet::default(); packets],
        q: (0..packets).collect(),
        ..SchedState::default()
    };
    for (position, packet) in state.packets.iter_mut().enumerate() {
        packet.seq = 1 + 1_000 * position as u64;
    }
    state.normalize();
    state
}

/// The program of a text that must be right.
pub(crate) fn program(text: &str) -> Program {
    let parsed = parse("test", text.as_bytes(), &[]);
    let Some(program) = parsed.program else {
        panic!("{}", render(&parsed.diagnostics, &parsed.source, false));
    };
    wellformed::check(&program).expect("a parsed program is well-formed");
    program
}

/// What one execution does: `push(ID,packet)`, `drop(packet)`, then the registers, USER values and
/// queues that changed.
pub(crate) fn result(text: &str, before: &SchedState) -> String {
    before.check().expect("a test's state is possible");
    let execution = execute(&program(text), before);
    let mut out = String::new();
    for action in &execution.actions {
        let _ = match action {
            Action::Push {
                subflow, packet, ..
            } => write!(out, "push({},{packet}) ", before.subflows[*subflow].id),
            Action::Drop { packet, .. } => write!(out, "drop({packet}) "),
        };
    }
    let after = &execution.after;
    for (number, (old, new)) in before.registers.iter().zip(after.registers).enumerate() {
        if *old != new {
            let _ = write!(out, "R{}={new} ", number + 1);
        }
    }
    for (old, new) in before.subflows.iter().zip(&after.subflows) {
        if old.user != new.user {
            let _ = write!(out, "user{}={} ", new.id, new.user);
        }
    }
    for name in QueueName::ALL {
        let queue = after.queue(name);
        if queue != before.queue(name) {
            let members: Vec<String> = queue.iter().map(usize::to_string).collect();
            let _ = write!(out, "{}=[{}] ", name.name(), members.join(","));
        }
    }
    out.trim_end().to_owned()
}

/// The value of an integer expression; `None` for NULL.
pub(crate) fn int(expression: &str, state: &SchedState) -> Option<u64> {
    let text = format!(
        "VAR value = {expression};
        IF (value == NULL) {{ SET(R6, 1); }} ELSE {{ SET(R6, 2); SET(R5, value); }}"
    );
    let registers = execute(&program(&text), state).after.registers;
    (registers[5] == 2).then_some(registers[4])
}

/// The value of a boolean expression; `None` for NULL.
pub(crate) fn truth(expression: &str, state: &SchedState) -> Option<bool> {
    let text = format!(
        "VAR value = {expression};
        IF (value == NULL) {{ SET(R6, 1); }} ELSE {{ SET(R6, 2); IF (value) {{ SET(R5, 1); }} ELSE {{ SET(R5, 0); }} }}"
    );
    let registers = execute(&program(&text), state).after.registers;
    (registers[5] == 2).then_some(registers[4] == 1)
}
