//! What a run leaves: actions, prints, registers, USER values and queues, as members of the block.

use std::rc::Rc;

use progmp_abi::layout::{self, block, print, queue};
use progmp_abi::queue_at;
use progmp_ir::{
    Event, EventKind, Kind, Machine, Nullable, PacketInt, QueueName, SubflowInt, Value,
};

use super::memory::{Axis, Cells};
use super::source::{List, REGISTERS, Source};
use super::walk::Walk;
use crate::ebpf::arith::{Words, truncate};
use crate::smt::{Node, Term};

/// Members by number, and what the program leaves in them.
pub(super) type Left = Vec<(usize, Rc<Cells>)>;

/// What the program leaves in each member that is looked at.
pub(super) fn of(source: &mut Source, machine: &Machine<'_, Source>) -> Result<Left, String> {
    let mut left: Left = Vec::new();
    let zero = source.prover.symbols.word(0);
    let single = |source: &mut Source, at: usize, value: Term| {
        let member = source.prover.layout.at(at);
        let start = source.prover.layout.members[member].start;
        let cells = Cells::Store(Rc::new(Cells::Start(start)), zero, value);
        (member, Rc::new(cells))
    };
    for r in 0..REGISTERS {
        left.push(single(
            source,
            block::REG + 8 * r,
            machine.state.registers[r],
        ));
    }
    let users = source.prover.layout.at(block::USER);
    left.push((users, Rc::clone(&machine.state.users)));
    for name in QueueName::ALL {
        let List::Packets(some, words) = machine.state.queue(name) else {
            unreachable!("a queue holds packets");
        };
        left.push(single(source, queue_at(name) + queue::SOME, *some));
        let member = source.prover.layout.at(queue_at(name) + queue::WORD);
        left.push((member, Rc::clone(words)));
    }
    let actions = Row::new(source, block::ACTION_COUNT, &[block::ACTION]);
    let prints = [print::STMT, print::ARG, print::FLAGS, print::VALUE];
    let prints = Row::new(
        source,
        block::PRINT_COUNT,
        &prints.map(|at| block::PRINT + at),
    );
    let (mut actions, mut prints) = (actions, prints);
    let mut most = 0;
    for Event { guard, kind, .. } in &machine.log {
        match kind {
            EventKind::Push {
                subflow, packet, ..
            } => {
                let symbols = &mut source.prover.symbols;
                let by = symbols.word(16);
                let what = symbols.word(u64::from(layout::PUSH) << 24);
                let subflow = symbols.terms.shl(*subflow, by);
                let both = symbols.terms.bit_or(subflow, *packet);
                let word = symbols.terms.bit_or(what, both);
                actions.append(source, *guard, layout::ACTIONS, &[word]);
                most += 1;
            }
            EventKind::Drop { packet, .. } => {
                let symbols = &mut source.prover.symbols;
                let what = symbols.word(u64::from(layout::DROP) << 24);
                let word = symbols.terms.bit_or(what, *packet);
                actions.append(source, *guard, layout::ACTIONS, &[word]);
                most += 1;
            }
            EventKind::Print { at, values } => {
                let stmt = source.prover.symbols.word(at.index() as u64);
                if values.is_empty() {
                    let flags = source.prover.symbols.word(u64::from(layout::PRINT_TEXT));
                    prints.append(source, *guard, layout::PRINTS, &[stmt, zero, flags, zero]);
                }
                for (arg, value) in (0..).zip(values) {
                    let arg = source.prover.symbols.word(arg);
                    let (flags, value) = shown(source, value);
                    prints.append(source, *guard, layout::PRINTS, &[stmt, arg, flags, value]);
                }
            }
            _ => {}
        }
    }
    if most > layout::ACTIONS {
        return Err("more actions than the block has places".to_owned());
    }
    for (row, count) in [(actions, block::ACTION_COUNT), (prints, block::PRINT_COUNT)] {
        left.push(single(source, count, row.count));
        left.extend(row.cells);
    }
    Ok(left)
}

/// What PRINT shows of a value: 1 if it is NULL, and the number.
fn shown(source: &mut Source, value: &Value<Source>) -> (Term, Term) {
    let (null, value) = match value {
        Value::Int(Nullable { null, value }) => (*null, *value),
        Value::Bool(Nullable { null, value }) => {
            let symbols = &mut source.prover.symbols;
            let (one, zero) = (symbols.word(1), symbols.word(0));
            (*null, symbols.terms.ite(*value, one, zero))
        }
        Value::Elem(kind, Nullable { null, value }) => {
            use progmp_ir::Domain;
            let name = match kind {
                Kind::Subflow => source.subflow_int(SubflowInt::Id, value),
                Kind::Packet => source.packet_int(PacketInt::Seq, value),
            };
            (*null, name)
        }
        Value::List(..) => unreachable!("a well-formed program prints no list"),
    };
    let symbols = &mut source.prover.symbols;
    let (one, zero) = (symbols.word(u64::from(layout::PRINT_NULL)), symbols.word(0));
    (symbols.terms.ite(null, one, zero), value)
}

/// A row of cells that is filled one by one, and how many were.
struct Row {
    count: Term,
    cells: Left,
}

impl Row {
    fn new(source: &mut Source, count: usize, members: &[usize]) -> Self {
        let cells = members.iter().map(|&at| {
            let member = source.prover.layout.at(at);
            let start = source.prover.layout.members[member].start;
            (member, Rc::new(Cells::Start(start)))
        });
        let cells = cells.collect();
        Self {
            count: source.prover.scalar(count),
            cells,
        }
    }

    fn append(&mut self, source: &mut Source, guard: Term, places: usize, values: &[Term]) {
        let symbols = &mut source.prover.symbols;
        let mask = symbols.word(places as u64 - 1);
        let place = symbols.terms.bit_and(mask, self.count);
        for ((_, cells), &value) in self.cells.iter_mut().zip(values) {
            let stored = Cells::Store(Rc::clone(cells), place, value);
            *cells = Rc::new(Cells::Either(guard, Rc::new(stored), Rc::clone(cells)));
        }
        let one = symbols.word(1);
        let more = symbols.terms.add(self.count, one);
        let more = truncate(symbols, 32, &more);
        self.count = symbols.terms.ite(guard, more, self.count);
    }
}

/// Shows that what the bytes leave is that, however a run ends.
pub(super) fn compare(walk: &mut Walk<'_>, left: &Left) -> Result<(), String> {
    let ends = std::mem::take(&mut walk.ends);
    for (guard, state) in ends {
        let status = walk.source.prover.layout.at(block::STATUS);
        let zero = walk.source.prover.symbols.word(0);
        let said = state.members[status].read(&mut walk.source.prover.symbols, zero);
        let done = walk.source.prover.symbols.word(u64::from(layout::DONE));
        let right = walk.source.prover.symbols.equal(&said, &done);
        if !walk.source.prover.holds(guard, right, &[]) {
            return Err("a run may be aborted although no budget was spent".to_owned());
        }
        for (number, wanted) in left {
            let member = walk.source.prover.layout.members[*number].clone();
            let symbols = &mut walk.source.prover.symbols;
            let (index, inside) = if member.count == 1 {
                (symbols.word(0), symbols.terms.bool(true))
            } else {
                let index = symbols.fresh("cell");
                let count = symbols.word(member.count as u64);
                (index, symbols.terms.ult(index, count))
            };
            let bits = u32::try_from(8 * member.bytes).expect("a cell has at most 64 bits");
            let mine = state.members[*number].read(symbols, index);
            let wanted = wanted.read(symbols, index);
            let (mine, wanted) = (
                truncate(symbols, bits, &mine),
                truncate(symbols, bits, &wanted),
            );
            let mut claim = symbols.equal(&mine, &wanted);
            if member.at == block::PRINT + print::VALUE {
                // Of NULL there is no number.
                let flags = walk.source.prover.layout.at(block::PRINT + print::FLAGS);
                let symbols = &mut walk.source.prover.symbols;
                let flags = state.members[flags].read(symbols, index);
                let zero = symbols.word(0);
                let null = symbols.bit(flags, zero);
                claim = symbols.terms.or(&[claim, null]);
            }
            let symbols = &mut walk.source.prover.symbols;
            let guard = symbols.terms.and(&[guard, inside]);
            if let Node::Bool(true) = symbols.terms.node(claim) {
                continue;
            }
            let indices: &[(Term, Axis)] = &[(index, member.axis)];
            if !walk.source.prover.holds(guard, claim, indices) {
                return Err(format!(
                    "what is left in the block at {} may differ",
                    member.at
                ));
            }
        }
    }
    Ok(())
}
