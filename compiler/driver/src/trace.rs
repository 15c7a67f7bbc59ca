//! An execution in source lines.
//!
//! In: a program, the state before, and what the interpreter logged. Out: one
//! [`Line`] for each statement that was reached, in program order, with what it did.
//! The log names statements; the walk over the program adds what leaves no
//! event: a condition that is not TRUE, a loop over nothing.

use std::fmt::Write as _;

use progmp_ir::{
    Block, Concrete, Event, EventKind, Execution, Kind, Nullable, PrintArg, Program, QueueName,
    Role, SchedState, Stmt, StmtId, StmtKind, Value, VarId,
};

/// One statement, reached once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The statement.
    pub at: StmtId,
    /// How many blocks it stands in.
    pub depth: usize,
    /// What it did, in words.
    pub note: String,
    /// Whether it changed something or asked for an action.
    pub effect: bool,
}

/// How reports name a subflow.
pub fn subflow_name(state: &SchedState, position: usize) -> String {
    match state.subflows.get(position) {
        Some(subflow) => format!("subflow {}", subflow.id),
        None => "no subflow".to_owned(),
    }
}

/// How reports name a packet: by SEQ, as PRINT does.
pub fn packet_name(state: &SchedState, position: usize) -> String {
    match state.packets.get(position) {
        Some(packet) => format!("packet {}", packet.seq),
        None => "no packet".to_owned(),
    }
}

/// Every statement that the execution reached.
///
/// # Panics
/// If `execution` is not one of `program` from `before`.
pub fn lines(program: &Program, before: &SchedState, execution: &Execution) -> Vec<Line> {
    let events = execution
        .log
        .iter()
        .filter(|event| statement(event).is_some());
    let mut walk = Walk {
        program,
        state: before,
        registers: before.registers,
        users: before.subflows.iter().map(|subflow| subflow.user).collect(),
        events: events.collect(),
        next: 0,
        lines: Vec::new(),
        returned: false,
    };
    walk.block(&program.body, 0);
    assert_eq!(
        walk.next,
        walk.events.len(),
        "the trace accounts for every event"
    );
    walk.lines
}

/// The statement that an event belongs to; `None` for events of expressions.
fn statement(event: &Event<Concrete>) -> Option<StmtId> {
    match event.kind {
        EventKind::Receiver { at, .. }
        | EventKind::NullValue { at, .. }
        | EventKind::Branch { at, .. }
        | EventKind::Iterate { at }
        | EventKind::Let { at, .. }
        | EventKind::Pop { at, .. }
        | EventKind::Push { at, .. }
        | EventKind::Drop { at, .. }
        | EventKind::Set { at, .. }
        | EventKind::SetUser { at, .. }
        | EventKind::Print { at, .. }
        | EventKind::Return { at } => Some(at),
        EventKind::Read { .. }
        | EventKind::Divide { .. }
        | EventKind::Wrap { .. }
        | EventKind::Index { .. }
        | EventKind::Compare { .. } => None,
    }
}

struct Walk<'a> {
    program: &'a Program,
    state: &'a SchedState,
    registers: [u64; 6],
    users: Vec<u64>,
    events: Vec<&'a Event<Concrete>>,
    next: usize,
    lines: Vec<Line>,
    returned: bool,
}

impl<'a> Walk<'a> {
    /// The next event, if it belongs to this statement.
    fn take(&mut self, at: StmtId) -> Option<&'a Event<Concrete>> {
        let event = *self.events.get(self.next)?;
        (statement(event) == Some(at)).then(|| {
            self.next += 1;
            event
        })
    }

    fn block(&mut self, block: &Block, depth: usize) {
        for stmt in block {
            if self.returned {
                return;
            }
            self.statement(stmt, depth);
        }
    }

    fn push(&mut self, at: StmtId, depth: usize, note: impl Into<String>, effect: bool) {
        self.lines.push(Line {
            at,
            depth,
            note: note.into(),
            effect,
        });
    }

    fn statement(&mut self, stmt: &Stmt, depth: usize) {
        let at = stmt.id;
        match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => match self.take(at).map(|event| &event.kind) {
                Some(EventKind::Branch { taken: true, .. }) => {
                    self.push(at, depth, "TRUE", false);
                    self.block(then, depth + 1);
                }
                Some(EventKind::Branch { taken: false, .. }) => {
                    self.push(at, depth, "not TRUE: ELSE", false);
                    if let Some(block) = otherwise {
                        self.block(block, depth + 1);
                    }
                }
                _ => self.push(at, depth, "not TRUE", false),
            },
            StmtKind::Foreach { var, body, .. } => {
                let mut iterations = 0;
                while !self.returned
                    && let Some(event) = self.take(at)
                {
                    iterations += 1;
                    let element = event
                        .scope
                        .last()
                        .map_or_else(String::new, |bound| self.element(bound.kind, bound.elem));
                    let name = &self.program.var(*var).name;
                    self.push(at, depth, format!("{name} = {element}"), false);
                    self.block(body, depth + 1);
                }
                if iterations == 0 {
                    self.push(at, depth, "the list is empty", false);
                }
            }
            StmtKind::Let { var, .. } => self.declaration(at, *var, depth),
            StmtKind::Return => {
                if self.take(at).is_some() {
                    self.returned = true;
                    self.push(at, depth, "the execution ends", false);
                }
            }
            StmtKind::Print { format, args } => {
                if let Some(Event {
                    kind: EventKind::Print { values, .. },
                    ..
                }) = self.take(at)
                {
                    let text = self.printed(format, args, values);
                    self.push(at, depth, format!("prints {text:?}"), false);
                }
            }
            StmtKind::Void(_) => self.push(at, depth, "", false),
            StmtKind::Set { .. }
            | StmtKind::SetUser { .. }
            | StmtKind::Push { .. }
            | StmtKind::Drop { .. } => self.effect(at, depth),
        }
    }

    fn declaration(&mut self, at: StmtId, var: VarId, depth: usize) {
        let mut popped = None;
        while let Some(event) = self.take(at) {
            match &event.kind {
                EventKind::Pop { queue, .. } => popped = Some(*queue),
                EventKind::Let { value, .. } => {
                    let name = &self.program.var(var).name;
                    let mut note = format!("{name} = {}", self.value(value));
                    if let Some(queue) = popped {
                        let _ = write!(note, ", popped from {}", queue.name());
                    }
                    self.push(at, depth, note, popped.is_some());
                    return;
                }
                _ => {}
            }
        }
    }

    /// SET, `SET_USER`, PUSH and DROP: one line from all their events.
    fn effect(&mut self, at: StmtId, depth: usize) {
        let mut popped: Option<QueueName> = None;
        let mut note = String::new();
        let mut effect = false;
        while let Some(event) = self.take(at) {
            match &event.kind {
                EventKind::Receiver {
                    role, null: true, ..
                } => {
                    note = match role {
                        Role::Target => "the subflow is NULL: nothing happens".to_owned(),
                        Role::Packet => "the packet is NULL: nothing happens".to_owned(),
                    };
                }
                EventKind::NullValue { null: true, .. } => {
                    "the value is NULL: nothing changes".clone_into(&mut note);
                }
                EventKind::Pop { queue, .. } => {
                    popped = Some(*queue);
                    effect = true;
                }
                EventKind::Push {
                    subflow, packet, ..
                } => {
                    effect = true;
                    note = format!(
                        "{} on {}",
                        packet_name(self.state, *packet),
                        subflow_name(self.state, *subflow)
                    );
                }
                EventKind::Drop { packet, .. } => {
                    effect = true;
                    note = packet_name(self.state, *packet);
                }
                EventKind::Set { reg, value, .. } => {
                    let cell = &mut self.registers[reg.index()];
                    note = change(&reg.to_string(), *cell, *value);
                    effect = *cell != *value;
                    *cell = *value;
                }
                EventKind::SetUser { subflow, value, .. } => {
                    let cell = &mut self.users[*subflow];
                    let what = format!("USER of {}", subflow_name(self.state, *subflow));
                    note = change(&what, *cell, *value);
                    effect = *cell != *value;
                    *cell = *value;
                }
                _ => {}
            }
        }
        if let Some(queue) = popped {
            let _ = write!(note, ", popped from {}", queue.name());
        }
        self.push(at, depth, note, effect);
    }

    fn element(&self, kind: Kind, elem: usize) -> String {
        match kind {
            Kind::Subflow => subflow_name(self.state, elem),
            Kind::Packet => packet_name(self.state, elem),
        }
    }

    fn value(&self, value: &Value<Concrete>) -> String {
        match value {
            Value::Int(Nullable { null: false, value }) => value.to_string(),
            Value::Bool(Nullable { null: false, value }) => word(*value).to_owned(),
            Value::Elem(kind, Nullable { null: false, value }) => self.element(*kind, *value),
            Value::List(source, members) => self.members(source.kind(), members),
            _ => "NULL".to_owned(),
        }
    }

    fn members(&self, kind: Kind, members: &[usize]) -> String {
        const SHOWN: usize = 6;
        if members.is_empty() {
            return "no member".to_owned();
        }
        let name = |&elem: &usize| match kind {
            Kind::Subflow => self.state.subflows[elem].id.to_string(),
            Kind::Packet => self.state.packets[elem].seq.to_string(),
        };
        let names: Vec<String> = members.iter().take(SHOWN).map(name).collect();
        let noun = match (kind, members.len()) {
            (Kind::Subflow, 1) => "subflow",
            (Kind::Subflow, _) => "subflows",
            (Kind::Packet, 1) => "packet",
            (Kind::Packet, _) => "packets",
        };
        let more = members.len().saturating_sub(SHOWN);
        if more == 0 {
            format!("{noun} {}", names.join(", "))
        } else {
            format!("{noun} {} and {more} more", names.join(", "))
        }
    }

    /// The text that a PRINT prints.
    fn printed(&self, format: &str, args: &[PrintArg], values: &[Value<Concrete>]) -> String {
        let mut out = String::new();
        let mut args = args.iter();
        let mut values = values.iter();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('d' | 'u' | 's') => match args.next() {
                    Some(PrintArg::Text(text)) => out.push_str(text),
                    Some(PrintArg::Value(_)) => {
                        out.push_str(&values.next().map_or_else(String::new, |v| self.number(v)));
                    }
                    None => {}
                },
                Some(other) => out.push(other),
                None => {}
            }
        }
        out
    }

    /// A value as `%d` and `%u` print it.
    fn number(&self, value: &Value<Concrete>) -> String {
        match value {
            Value::Bool(Nullable { null: false, value }) => u8::from(*value).to_string(),
            Value::Elem(Kind::Subflow, Nullable { null: false, value }) => {
                self.state.subflows[*value].id.to_string()
            }
            Value::Elem(Kind::Packet, Nullable { null: false, value }) => {
                self.state.packets[*value].seq.to_string()
            }
            other => self.value(other),
        }
    }
}

const fn word(value: bool) -> &'static str {
    if value { "TRUE" } else { "FALSE" }
}

fn change(what: &str, old: u64, new: u64) -> String {
    if old == new {
        format!("{what} stays {new}")
    } else {
        format!("{what}: {old} -> {new}")
    }
}

/// What differs between two states of one trigger, in words: queues, registers, USER, and what
/// transmissions change. Packets and subflows are matched by name.
pub fn differences(before: &SchedState, after: &SchedState) -> Vec<String> {
    let mut out = Vec::new();
    for name in QueueName::ALL {
        let seqs = |state: &SchedState| -> Vec<u64> {
            let queue = state.queue(name).iter();
            queue.map(|&position| state.packets[position].seq).collect()
        };
        let (old, new) = (seqs(before), seqs(after));
        let only = |a: &[u64], b: &[u64]| -> Vec<String> {
            let gone = a.iter().filter(|&seq| !b.contains(seq));
            gone.map(u64::to_string).collect()
        };
        let (left, entered) = (only(&old, &new), only(&new, &old));
        for (moved, verb) in [(left, "leaves"), (entered, "enters")] {
            match moved.as_slice() {
                [] => {}
                [one] => out.push(format!("packet {one} {verb} {}", name.name())),
                many => {
                    let verb = verb.trim_end_matches('s');
                    out.push(format!(
                        "packets {} {verb} {}",
                        many.join(", "),
                        name.name()
                    ));
                }
            }
        }
    }
    for (index, (old, new)) in before.registers.iter().zip(after.registers).enumerate() {
        if *old != new {
            out.push(change(&format!("R{}", index + 1), *old, new));
        }
    }
    for old in &before.subflows {
        let Some(new) = after.subflows.iter().find(|new| new.id == old.id) else {
            continue;
        };
        let cells = [
            ("USER", old.user, new.user),
            ("QUEUED", old.queued, new.queued),
            ("SKBS_IN_FLIGHT", old.skbs_in_flight, new.skbs_in_flight),
        ];
        for (what, old_value, new_value) in cells {
            if old_value != new_value {
                out.push(change(
                    &format!("{what} of subflow {}", old.id),
                    old_value,
                    new_value,
                ));
            }
        }
    }
    out
}
