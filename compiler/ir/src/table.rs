//! A state as a table for engineers.
//!
//! In: a [`SchedState`] and the [`Needs`] of the program that sees it. Out: lines of
//! at most 100 columns, where the values leave room; what the program does not
//! read is left out. The same state gives the same text.

use std::fmt::Write as _;

use crate::needs::Needs;
use crate::state::{Packet, SchedState};
use crate::types::{PacketInt, QueueName, SchedReg, SubflowBool, SubflowInt};

const WIDTH: usize = 100;

/// The state as text; every line ends in a line feed.
pub fn table(state: &SchedState, needs: &Needs) -> String {
    let mut out = String::new();
    section(&mut out, "subflows", &subflows(state, needs));
    section(&mut out, "packets", &packets(state, needs));
    scalars(&mut out, state, needs);
    out
}

/// A column: its head, its cells, and whether it is a number (aligned to the right).
struct Column {
    head: &'static str,
    cells: Vec<String>,
    number: bool,
}

impl Column {
    fn numbers(head: &'static str, cells: impl Iterator<Item = u64>) -> Self {
        Self {
            head,
            cells: cells.map(|value| value.to_string()).collect(),
            number: true,
        }
    }

    fn flags(head: &'static str, cells: impl Iterator<Item = bool>) -> Self {
        let text = |set| if set { "yes" } else { "-" }.to_owned();
        Self::words(head, cells.map(text))
    }

    fn words(head: &'static str, cells: impl Iterator<Item = String>) -> Self {
        Self {
            head,
            cells: cells.collect(),
            number: false,
        }
    }

    fn width(&self) -> usize {
        let cells = self.cells.iter().map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(self.head.len())
    }
}

fn subflows(state: &SchedState, needs: &Needs) -> Vec<Column> {
    let subflows = || state.subflows.iter();
    let mut columns = vec![Column::numbers("ID", subflows().map(|s| s.id))];
    for &property in SubflowInt::ALL {
        let written = property == SubflowInt::User && needs.writes_user();
        if property != SubflowInt::Id && (needs.reads_subflow_int(property) || written) {
            let cells = subflows().map(|s| s.int(property));
            columns.push(Column::numbers(property.name(), cells));
        }
    }
    for &property in SubflowBool::ALL {
        if needs.reads_subflow_bool(property) {
            let cells = subflows().map(|s| s.flag(property));
            columns.push(Column::flags(property.name(), cells));
        }
    }
    columns
}

fn packets(state: &SchedState, needs: &Needs) -> Vec<Column> {
    let packets = || state.packets.iter();
    let mut columns = vec![
        Column::numbers("SEQ", packets().map(|p| p.seq)),
        Column::words("in", (0..state.packets.len()).map(|p| queues(state, p))),
    ];
    for property in [PacketInt::Length, PacketInt::User] {
        if needs.reads_packet_int(property) {
            let cells = packets().map(|p| p.int(property));
            columns.push(Column::numbers(property.name(), cells));
        }
    }
    if needs.reads_psh() {
        columns.push(Column::flags("PSH", packets().map(|p| p.psh)));
    }
    if needs.reads_sent_on() || packets().any(|p| !p.sent_on.is_empty()) {
        let sent = |p: &Packet| ids(p.sent_on.iter().copied());
        columns.push(Column::words("SENT_ON", packets().map(sent)));
    }
    let shut = |p: &Packet| {
        let live = state.subflows.iter().map(|s| s.id);
        ids(live.filter(|id| p.no_window_on.contains(id)))
    };
    if needs.reads_windows() || packets().any(|p| shut(p) != "-") {
        columns.push(Column::words("no window on", packets().map(shut)));
    }
    columns
}

fn queues(state: &SchedState, packet: usize) -> String {
    let names: Vec<&str> = QueueName::ALL
        .into_iter()
        .filter(|&name| state.queue(name).contains(&packet))
        .map(QueueName::name)
        .collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(" ")
    }
}

fn ids(ids: impl Iterator<Item = u64>) -> String {
    let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
    if ids.is_empty() {
        "-".to_owned()
    } else {
        ids.join(" ")
    }
}

/// Columns that do not fit beside each other continue below, the first one repeated.
fn section(out: &mut String, name: &str, columns: &[Column]) {
    let (key, rest) = columns.split_first().expect("a table has a key column");
    if key.cells.is_empty() {
        let _ = writeln!(out, "{name}: none");
        return;
    }
    let _ = writeln!(out, "{name}");
    let indent = 2;
    let mut rest = rest;
    loop {
        let mut width = indent + key.width();
        let fitting = rest.iter().take_while(|column| {
            width += 2 + column.width();
            width <= WIDTH
        });
        // A column that is wider than the page still has to go somewhere.
        let count = fitting.count().max(1).min(rest.len());
        let (now, later) = rest.split_at(count);
        rows(out, indent, key, now);
        if later.is_empty() {
            return;
        }
        rest = later;
    }
}

fn rows(out: &mut String, indent: usize, key: &Column, columns: &[Column]) {
    let columns = || std::iter::once(key).chain(columns);
    let mut line = |cell: &dyn Fn(&Column) -> &str| {
        let mut text = " ".repeat(indent);
        for (number, column) in columns().enumerate() {
            if number > 0 {
                text.push_str("  ");
            }
            let width = column.width();
            let cell = cell(column);
            let _ = if column.number {
                write!(text, "{cell:>width$}")
            } else {
                write!(text, "{cell:<width$}")
            };
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(&|column| column.head);
    for row in 0..key.cells.len() {
        line(&|column| &column.cells[row]);
    }
}

/// Registers that are read or not 0, the time and the seed if they are read.
fn scalars(out: &mut String, state: &SchedState, needs: &Needs) {
    let mut shown = Vec::new();
    for reg in SchedReg::all() {
        let value = state.registers[reg.index()];
        if needs.reads_register(reg) || needs.writes_register(reg) || value != 0 {
            shown.push(format!("{reg} = {value}"));
        }
    }
    if needs.reads_time() {
        shown.push(format!("CURRENT_TIME_MS = {}", state.time_ms));
    }
    if needs.uses_random() {
        shown.push(format!("seed = {}", state.seed));
    }
    let mut line = String::new();
    for item in shown {
        if !line.is_empty() && line.len() + 3 + item.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push_str("   ");
        }
        line.push_str(&item);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{line}");
    }
}
