//! Where a program and its bytes part: one state, run by both interpreters.
//!
//! In: a program, bytes, a state and the block that shows it. Out: nothing if they decide alike,
//! else the first effect that differs, which instruction and which statement it is of, and both
//! decisions side by side.

use std::fmt;

use progmp_abi::layout::{self, block, print, queue};
use progmp_abi::{Decision, Error, Filled, Outcome, Printed, queue_at};
use progmp_ir::{Action, Program, QueueName, SchedState, StmtId, execute};

use crate::ebpf::{self, Callee, Code, Environment, Limits, Trapped};

/// Something that a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ending well.
    End,
    /// The action with this number, from 0.
    Action(usize),
    /// R1 … R6, from 0.
    Register(usize),
    /// USER of the subflow at this position.
    User(usize),
    /// What a queue holds afterwards.
    Queue(QueueName),
    /// The record of PRINT with this number, from 0.
    Print(usize),
}

/// Why bytes came to no decision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The run did not come to its end.
    #[error(transparent)]
    Trapped(#[from] Trapped),
    /// What it left is no decision.
    #[error(transparent)]
    Block(#[from] Error),
}

/// A state in which they part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The first effect that differs.
    pub effect: Effect,
    /// The statement that asks for what should have happened, if it is an action.
    pub stmt: Option<StmtId>,
    /// The instruction that did what should not have happened, if one did.
    pub slot: Option<usize>,
    /// What the program decides.
    pub expected: Outcome,
    /// What the bytes decide.
    pub found: Result<Outcome, Failure>,
}

/// Whether the program and the bytes decide differently on this block, which shows this state.
pub fn differs(
    program: &Program,
    code: &Code,
    state: &SchedState,
    shown: &Filled,
) -> Option<Difference> {
    let execution = execute(program, state);
    let expected = Outcome::of(&execution, state);
    let mut after = shown.clone();
    let found = run(code, &mut after, Limits::default())
        .map_err(Failure::from)
        .and_then(|_| Ok(after.read_back()?));
    if found.as_ref() == Ok(&expected) {
        return None;
    }
    let effect = match &found {
        Ok(found) => first(&expected, found),
        Err(_) => Effect::End,
    };
    let stmt = match effect {
        Effect::Action(number) => execution.actions.get(number).map(|action| match *action {
            Action::Push { at, .. } | Action::Drop { at, .. } => at,
        }),
        _ => None,
    };
    let slot = match &found {
        Err(Failure::Trapped(trapped)) => Some(trapped.slot),
        _ => writer(code, shown, &after, cell(effect, &after)),
    };
    Some(Difference {
        effect,
        stmt,
        slot,
        expected,
        found,
    })
}

fn run(code: &Code, shown: &mut Filled, limits: Limits) -> Result<ebpf::Halt, Trapped> {
    let environment = Environment {
        block: shown.block.bytes_mut(),
        writable: layout::WRITABLE,
        context: &[0; 8],
        answer: &mut |callee, _| {
            let wanted = Callee::Kernel { btf: 0, module: 0 };
            (callee == wanted).then_some(ebpf::BLOCK)
        },
    };
    ebpf::run(code, environment, limits)
}

/// The first effect that differs between two decisions that are not equal.
fn first(expected: &Outcome, found: &Outcome) -> Effect {
    fn part<T: PartialEq>(a: &[T], b: &[T]) -> Option<usize> {
        (0..a.len().max(b.len())).find(|&number| a.get(number) != b.get(number))
    }
    let queues = QueueName::ALL.iter().copied();
    let mut queues =
        queues.filter(|&name| expected.queues[name as usize] != found.queues[name as usize]);
    part(&expected.actions, &found.actions)
        .map(Effect::Action)
        .or_else(|| part(&expected.registers, &found.registers).map(Effect::Register))
        .or_else(|| part(&expected.users, &found.users).map(Effect::User))
        .or_else(|| queues.next().map(Effect::Queue))
        .or_else(|| part(&expected.prints, &found.prints).map(Effect::Print))
        .unwrap_or(Effect::Print(expected.prints.len()))
}

/// Where in the block an effect is written: its first byte, and how many.
fn cell(effect: Effect, after: &Filled) -> (usize, usize) {
    match effect {
        Effect::End => (block::STATUS, 4),
        Effect::Action(number) => (block::ACTION + 4 * number.min(layout::ACTIONS - 1), 4),
        Effect::Register(number) => (block::REG + 8 * number, 8),
        Effect::User(number) => (block::USER + 8 * number, 8),
        Effect::Queue(name) => (queue_at(name), queue::BYTES),
        Effect::Print(number) => {
            // The last records are kept, each at its number modulo the size of the ring.
            let count = after.block.u32(block::PRINT_COUNT) as usize;
            let number = count.saturating_sub(layout::PRINTS) + number;
            let at = block::PRINT + print::BYTES * (number % layout::PRINTS);
            (at, print::BYTES)
        }
    }
}

/// An instruction that made these bytes what they are in the end, if they were something else.
fn writer(
    code: &Code,
    shown: &Filled,
    after: &Filled,
    (at, bytes): (usize, usize),
) -> Option<usize> {
    let of = |filled: &Filled| filled.block.bytes()[at..at + bytes].to_vec();
    let last = of(after);
    if of(shown) == last {
        return None;
    }
    let stopped = |fuel| {
        let mut shown = shown.clone();
        let limits = Limits {
            fuel,
            ..Limits::default()
        };
        let trapped = run(code, &mut shown, limits).err();
        (of(&shown) == last, trapped)
    };
    // With `few` instructions they are not yet what they are with `many`.
    let (mut few, mut many) = (0, Limits::default().fuel);
    while many - few > 1 {
        let middle = few.midpoint(many);
        if stopped(middle).0 {
            many = middle;
        } else {
            few = middle;
        }
    }
    // The run stops in front of the instruction that comes next.
    stopped(few).1.map(|trapped| trapped.slot)
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => write!(f, "how the run ends"),
            Self::Action(number) => write!(f, "action {}", number + 1),
            Self::Register(number) => write!(f, "R{}", number + 1),
            Self::User(number) => write!(f, "USER of subflow {}", number + 1),
            Self::Queue(name) => write!(f, "{}", name.name()),
            Self::Print(number) => write!(f, "printed value {}", number + 1),
        }
    }
}

impl fmt::Display for Difference {
    /// The effect, then a table: what the program does, what the bytes do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} differs", self.effect)?;
        if let Some(slot) = self.slot {
            write!(f, ", written in slot {slot}")?;
        }
        writeln!(f)?;
        let expected = rows(&self.expected);
        let found = match &self.found {
            Ok(found) => rows(found),
            Err(failure) => {
                writeln!(f, "the bytes come to no decision: {failure}")?;
                Vec::new()
            }
        };
        let mut kinds: Vec<&str> = Vec::new();
        for (kind, _) in expected.iter().chain(&found) {
            if !kinds.contains(&kind.as_str()) {
                kinds.push(kind);
            }
        }
        let wide = kinds.iter().map(|kind| kind.len()).max().unwrap_or(0);
        let of = |rows: &[(String, String)], kind: &str| {
            let row = rows.iter().find(|(other, _)| other == kind);
            row.map_or_else(|| "-".to_owned(), |(_, what)| what.clone())
        };
        let left = expected.iter().map(|(_, what)| what.len()).max();
        let left = left.unwrap_or(0).max("program".len());
        writeln!(f, "  {:wide$}  {:left$}  bytes", "", "program")?;
        for kind in kinds {
            let (a, b) = (of(&expected, kind), of(&found, kind));
            let mark = if a == b { ' ' } else { '*' };
            writeln!(f, "{mark} {kind:wide$}  {a:left$}  {b}")?;
        }
        Ok(())
    }
}

/// A decision, effect by effect.
fn rows(outcome: &Outcome) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    for (number, action) in outcome.actions.iter().enumerate() {
        let what = match action {
            Decision::Push { subflow, packet } => {
                format!("PUSH packet {} on subflow {}", packet + 1, subflow + 1)
            }
            Decision::Drop { packet } => format!("DROP packet {}", packet + 1),
        };
        rows.push((Effect::Action(number).to_string(), what));
    }
    for (number, value) in outcome.registers.iter().enumerate() {
        rows.push((Effect::Register(number).to_string(), value.to_string()));
    }
    for (number, value) in outcome.users.iter().enumerate() {
        rows.push((Effect::User(number).to_string(), value.to_string()));
    }
    for name in QueueName::ALL {
        let members = outcome.queues[name as usize].iter();
        let members: Vec<String> = members.map(|packet| (packet + 1).to_string()).collect();
        let what = format!("{{{}}}", members.join(", "));
        rows.push((Effect::Queue(name).to_string(), what));
    }
    for (number, printed) in outcome.prints.iter().enumerate() {
        let Printed { stmt, arg, value } = printed;
        let value = value.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
        let what = match arg {
            Some(arg) => format!("{value} (statement {stmt}, value {})", arg + 1),
            None => format!("text (statement {stmt})"),
        };
        rows.push((Effect::Print(number).to_string(), what));
    }
    rows.push((
        "records of PRINT".to_owned(),
        outcome.print_count.to_string(),
    ));
    rows
}
