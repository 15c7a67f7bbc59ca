//! The bytes, over the solver's words: one walk over all ways, which are merged where they meet.
//!
//! Loops are handed to [`super::cycle`], which leaves the walk with what holds behind them. The way
//! that a `may_goto` takes when its budget is spent is not walked: such a run does not count, as
//! [`super::super::ending`] shows.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use progmp_abi::layout::block;

use super::super::graph::{components, is_cyclic};
use super::super::place::{self, SLOTS, frame_cells};
use super::super::range::Range;
use super::super::safety::Facts;
use super::super::step::offset_in_block;
use super::guard::{apart, met};
use super::memory::Cells;
use super::source::Source;
use crate::ebpf::arith::{binary, holds, move_signed, negate, reorder, truncate};
use crate::ebpf::{BinaryOp, Callee, Code, Cond, Constant, Insn, Source as Operand};
use crate::smt::{Func, Node, Term};

/// What a register or a stack slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing that is read.
    Unset,
    /// A number.
    Number(Term),
    /// The address so many bytes behind the block's first.
    Block(Term),
    /// The address so many bytes from the end of the frame.
    Frame(i64),
    /// Of a context, or what stands in it.
    Foreign,
}

/// Registers, stack and block.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) registers: [Value; 10],
    pub(super) slots: Vec<Value>,
    pub(super) members: Vec<Rc<Cells>>,
}

/// A way that leads somewhere.
pub(super) type Way = (Term, State);

/// Why a walk ends before it is done.
pub(super) type Stuck = String;

/// The walk.
pub(super) struct Walk<'a> {
    pub(super) code: &'a Code,
    pub(super) facts: &'a Facts,
    pub(super) source: Source,
    /// Where control may go, the budget of `may_goto` not being spent.
    pub(super) edges: Vec<Vec<usize>>,
    /// Symbols that stand for what loops carry.
    pub(super) carried: BTreeSet<Func>,
    /// Which fold a term keeps, in which form, and how far it came.
    pub(super) kept: BTreeMap<Term, (usize, super::fold::Form, Term)>,
    /// How runs end.
    pub(super) ends: Vec<Way>,
    /// Words that were asked about before.
    pub(super) asked: BTreeMap<(Term, Term), Term>,
    /// What may still be read, in front of each instruction: registers, then stack slots.
    live: Vec<u128>,
    /// What the ways that are just brought together have in common.
    pub(super) common: Vec<Term>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(code: &'a Code, facts: &'a Facts, source: Source) -> Self {
        let mut edges = facts.edges.clone();
        for (slot, to) in edges.iter_mut().enumerate() {
            if let Some(Insn::MayGoto { .. }) = code.at(slot) {
                to.retain(|&to| to == slot + 1);
            }
        }
        Self {
            code,
            facts,
            source,
            edges,
            carried: BTreeSet::new(),
            kept: BTreeMap::new(),
            ends: Vec::new(),
            asked: BTreeMap::new(),
            live: super::live::live(code, facts),
            common: Vec::new(),
        }
    }

    /// Walks from the first instruction to the exits.
    pub(super) fn run(&mut self) -> Result<(), Stuck> {
        let mut registers = [Value::Unset; 10];
        registers[1] = Value::Foreign;
        let members = self.source.prover.layout.members.iter();
        let start = State {
            registers,
            slots: vec![Value::Unset; SLOTS],
            members: members.map(|m| Rc::new(Cells::Start(m.start))).collect(),
        };
        let always = self.source.prover.symbols.terms.bool(true);
        let reached: BTreeSet<usize> = (0..self.code.len())
            .filter(|&slot| self.facts.at(slot).is_some())
            .collect();
        let left = self.region(&reached, None, 0, (always, start))?;
        match left.first() {
            None => Ok(()),
            Some((to, _)) => Err(format!("slot {to} is not expected to be reached")),
        }
    }

    /// Walks the slots of a region, of which none leads back but to `head`. Returns what leads out
    /// of it, or to the head.
    pub(super) fn region(
        &mut self,
        slots: &BTreeSet<usize>,
        head: Option<usize>,
        entry: usize,
        first: Way,
    ) -> Result<Vec<(usize, Way)>, Stuck> {
        let mut edges = self.edges.clone();
        for to in &mut edges {
            to.retain(|to| Some(*to) != head && slots.contains(to));
        }
        let list: Vec<usize> = slots.iter().copied().collect();
        let mut order = components(&list, &edges);
        order.reverse();
        let mut waiting: BTreeMap<usize, Vec<Way>> = BTreeMap::new();
        waiting.entry(entry).or_default().push(first);
        let mut left = Vec::new();
        for component in order {
            let ways = if is_cyclic(&component, &edges) {
                let inside: BTreeSet<usize> = component.iter().copied().collect();
                let entries: Vec<usize> = component
                    .iter()
                    .copied()
                    .filter(|slot| waiting.contains_key(slot))
                    .collect();
                match entries[..] {
                    [] => continue,
                    [head] => {
                        let ways = waiting.remove(&head).expect("it was just seen");
                        let way = self.merged_at(head, ways);
                        self.cycle(&inside, head, way)?
                    }
                    _ => {
                        return Err(format!(
                            "the loop around slot {} has two entries",
                            component[0]
                        ));
                    }
                }
            } else {
                let slot = component[0];
                let Some(ways) = waiting.remove(&slot) else {
                    continue;
                };
                let (guard, state) = self.merged_at(slot, ways);
                self.step(slot, guard, state)?
            };
            for (to, way) in ways {
                if let Node::Bool(false) = self.source.prover.symbols.terms.node(way.0) {
                    continue;
                }
                if Some(to) == head || !slots.contains(&to) {
                    left.push((to, way));
                } else {
                    waiting.entry(to).or_default().push(way);
                }
            }
        }
        if self.source.prover.symbols.terms.exhausted() {
            return Err("the terms grow too large".to_owned());
        }
        Ok(left)
    }

    /// Ways that meet in front of an instruction as one. What nobody reads any more is dropped.
    pub(super) fn merged_at(&mut self, slot: usize, mut ways: Vec<Way>) -> Way {
        let live = self.live[slot];
        for (_, state) in &mut ways {
            let held = state.registers.iter_mut().chain(&mut state.slots);
            for (number, value) in held.enumerate() {
                if live >> number & 1 == 0 {
                    *value = Value::Unset;
                }
            }
        }
        self.merged(ways)
    }

    /// Ways that meet as one.
    pub(super) fn merged(&mut self, mut ways: Vec<Way>) -> Way {
        let (mut guard, mut state) = ways.pop().expect("some way leads here");
        while let Some((other, way)) = ways.pop() {
            // Where one of both ways was taken, what they have in common holds.
            let (a, b, common) = apart(&mut self.source.prover.symbols.terms, other, guard);
            self.common = common;
            state = self.either((a, way), (b, state));
            guard = met(&mut self.source.prover.symbols.terms, other, guard);
        }
        (guard, state)
    }

    /// The first way's state where its guard holds, else the other's.
    fn either(&mut self, (a_guard, a): Way, (b_guard, b): Way) -> State {
        let mut state = b.clone();
        let pairs = a.registers.iter().chain(&a.slots);
        let mine = state.registers.iter_mut().chain(&mut state.slots);
        for (x, y) in pairs.zip(mine) {
            *y = match (*x, *y) {
                (x, y) if x == y => y,
                (Value::Number(x), Value::Number(y)) => {
                    Value::Number(self.joined((a_guard, x), (b_guard, y)))
                }
                (Value::Block(x), Value::Block(y)) => {
                    Value::Block(self.source.prover.symbols.terms.ite(a_guard, x, y))
                }
                _ => Value::Unset,
            };
        }
        for (x, y) in a.members.iter().zip(&mut state.members) {
            if !Rc::ptr_eq(x, y) {
                *y = Rc::new(Cells::Either(a_guard, Rc::clone(x), Rc::clone(y)));
            }
        }
        state
    }

    /// Carries out one instruction.
    fn step(
        &mut self,
        slot: usize,
        guard: Term,
        mut state: State,
    ) -> Result<Vec<(usize, Way)>, Stuck> {
        let insn = self
            .code
            .at(slot)
            .expect("a reached slot has an instruction");
        let mut next = slot + 1;
        match insn {
            Insn::Binary { op, wide, dst, src } => {
                let value = self.binary(slot, &state, (op, wide, dst, src), guard)?;
                state.registers[usize::from(dst)] = value;
            }
            Insn::Negate { wide, dst } => {
                let value = Self::number(slot, &state, dst)?;
                let value = negate(&mut self.source.prover.symbols, wide, &value);
                state.registers[usize::from(dst)] = Value::Number(value);
            }
            Insn::SignExtend {
                bits,
                wide,
                dst,
                src,
            } => {
                let value = Self::number(slot, &state, src)?;
                let value = move_signed(&mut self.source.prover.symbols, bits, wide, &value);
                state.registers[usize::from(dst)] = Value::Number(value);
            }
            Insn::Reorder { order, bits, dst } => {
                let value = Self::number(slot, &state, dst)?;
                let value = reorder(&mut self.source.prover.symbols, order, bits, &value);
                state.registers[usize::from(dst)] = Value::Number(value);
            }
            Insn::Load64 { dst, constant } => {
                let symbols = &mut self.source.prover.symbols;
                state.registers[usize::from(dst)] = match constant {
                    Constant::Number(number) => Value::Number(symbols.word(number)),
                    Constant::MapValue { map: 0, offset } => {
                        Value::Block(symbols.word(u64::from(offset)))
                    }
                    _ => return Err(format!("slot {slot} loads an address")),
                };
                next = slot + 2;
            }
            Insn::Load {
                bytes,
                signed,
                dst,
                base,
                offset,
            } => {
                let value = self.load(slot, &state, (base, offset, bytes))?;
                state.registers[usize::from(dst)] = match value {
                    Value::Number(value) if signed => {
                        let bits = u32::try_from(8 * bytes).expect("a cell has at most 64 bits");
                        let symbols = &mut self.source.prover.symbols;
                        Value::Number(move_signed(symbols, bits, true, &value))
                    }
                    value => value,
                };
            }
            Insn::Store {
                bytes,
                base,
                offset,
                src,
            } => self.store(slot, &mut state, (base, offset, bytes, src))?,
            Insn::Jump { target } => next = target,
            Insn::Branch {
                cond,
                wide,
                dst,
                src,
                target,
            } => return self.branch((slot, target), guard, &state, (cond, wide, dst, src)),
            Insn::MayGoto { .. } => {}
            Insn::Call {
                callee: Callee::Kernel { btf: 0, module: 0 },
            } => {
                state.registers[1..6].fill(Value::Unset);
                // A run that gets no block does not count.
                let zero = self.source.prover.symbols.word(0);
                state.registers[0] = Value::Block(zero);
            }
            Insn::Call { .. } | Insn::Atomic { .. } => {
                return Err(format!("slot {slot} calls, or is atomic"));
            }
            Insn::Exit => {
                self.ends.push((guard, state));
                return Ok(Vec::new());
            }
        }
        Ok(vec![(next, (guard, state))])
    }

    fn number(slot: usize, state: &State, register: u8) -> Result<Term, Stuck> {
        match state.registers.get(usize::from(register)) {
            Some(&Value::Number(term)) => Ok(term),
            _ => Err(format!("slot {slot}: r{register} is no number")),
        }
    }

    fn value(&mut self, state: &State, source: Operand) -> Value {
        match source {
            Operand::Register(10) => Value::Frame(0),
            Operand::Register(register) => state.registers[usize::from(register)],
            Operand::Immediate(value) => {
                let value = i64::from(value).cast_unsigned();
                Value::Number(self.source.prover.symbols.word(value))
            }
        }
    }

    fn binary(
        &mut self,
        slot: usize,
        state: &State,
        (op, wide, dst, src): (BinaryOp, bool, u8, Operand),
        guard: Term,
    ) -> Result<Value, Stuck> {
        let right = self.value(state, src);
        if op == BinaryOp::Move && wide {
            return Ok(right);
        }
        let zero = self.source.prover.symbols.word(0);
        let left = match op {
            BinaryOp::Move => Value::Number(zero),
            _ => state.registers[usize::from(dst)],
        };
        let symbols = &mut self.source.prover.symbols;
        match (left, op, right) {
            (Value::Number(a), _, Value::Number(b)) => {
                let result = binary(symbols, op, wide, &a, &b);
                if op == BinaryOp::And && matches!(src, Operand::Register(_)) {
                    return Ok(Value::Number(self.list(guard, result)));
                }
                Ok(Value::Number(result))
            }
            (Value::Block(at), BinaryOp::Add | BinaryOp::Subtract, Value::Number(by))
            | (Value::Number(by), BinaryOp::Add, Value::Block(at)) => {
                Ok(Value::Block(binary(symbols, op, true, &at, &by)))
            }
            (Value::Frame(at), BinaryOp::Add, Value::Number(by)) => match symbols.literal(by) {
                Some(by) => Ok(Value::Frame(at.wrapping_add(by.cast_signed()))),
                None => Err(format!("slot {slot} moves an address of the frame")),
            },
            _ => Err(format!("slot {slot} computes with an address")),
        }
    }

    /// What an access of the block touches.
    fn cell(
        &mut self,
        slot: usize,
        (base, at, offset): (u8, Term, i16),
        bytes: usize,
    ) -> Result<super::memory::Place, Stuck> {
        let known = self.facts.at(slot).map(|state| state.read(base));
        let range = match known {
            Some(place::Value::Block(range)) => offset_in_block(range, offset),
            _ => Range::ALL,
        };
        let symbols = &mut self.source.prover.symbols;
        let by = symbols.word(i64::from(offset).cast_unsigned());
        let at = symbols.terms.add(at, by);
        let found = self.source.prover.layout.place(symbols, at, range, bytes);
        found.ok_or_else(|| format!("slot {slot} touches no member of the block"))
    }

    fn load(
        &mut self,
        slot: usize,
        state: &State,
        (base, offset, bytes): (u8, i16, usize),
    ) -> Result<Value, Stuck> {
        match self.value(state, Operand::Register(base)) {
            Value::Block(at) => {
                let (member, index) = self.cell(slot, (base, at, offset), bytes)?;
                if self.source.prover.layout.members[member].at == block::LOWEST
                    && let Some(position) = self.source.prover.symbols.table(index)
                {
                    return Ok(Value::Number(position));
                }
                let symbols = &mut self.source.prover.symbols;
                let value = state.members[member].read(symbols, index);
                let bits = u32::try_from(8 * bytes).expect("a cell has at most 64 bits");
                Ok(Value::Number(truncate(symbols, bits, &value)))
            }
            Value::Frame(at) => {
                let cells = frame_cells(at.wrapping_add(i64::from(offset)), bytes);
                match cells.as_deref() {
                    Some(&[(number, u8::MAX)]) => Ok(state.slots[number]),
                    _ => Err(format!("slot {slot} reads a part of a stack slot")),
                }
            }
            Value::Foreign => Ok(Value::Foreign),
            _ => Err(format!("slot {slot} loads through no address")),
        }
    }

    fn store(
        &mut self,
        slot: usize,
        state: &mut State,
        (base, offset, bytes, src): (u8, i16, usize, Operand),
    ) -> Result<(), Stuck> {
        let value = self.value(state, src);
        match self.value(state, Operand::Register(base)) {
            Value::Block(at) => {
                let (member, index) = self.cell(slot, (base, at, offset), bytes)?;
                let Value::Number(value) = value else {
                    return Err(format!("slot {slot} stores no number"));
                };
                let bits = u32::try_from(8 * bytes).expect("a cell has at most 64 bits");
                let symbols = &mut self.source.prover.symbols;
                let value = truncate(symbols, bits, &value);
                let before = Rc::clone(&state.members[member]);
                let single = self.source.prover.layout.members[member].count == 1;
                // The only cell: what stood there before is gone.
                let before = match (&*before, single) {
                    (Cells::Store(older, ..), true) => Rc::clone(older),
                    _ => before,
                };
                state.members[member] = Rc::new(Cells::Store(before, index, value));
                Ok(())
            }
            Value::Frame(at) => {
                let cells = frame_cells(at.wrapping_add(i64::from(offset)), bytes);
                match cells.as_deref() {
                    Some(&[(number, u8::MAX)]) => {
                        state.slots[number] = value;
                        Ok(())
                    }
                    _ => Err(format!("slot {slot} writes a part of a stack slot")),
                }
            }
            _ => Err(format!("slot {slot} stores through no address")),
        }
    }

    fn branch(
        &mut self,
        (slot, target): (usize, usize),
        guard: Term,
        state: &State,
        (cond, wide, dst, src): (Cond, bool, u8, Operand),
    ) -> Result<Vec<(usize, Way)>, Stuck> {
        let left = self.value(state, Operand::Register(dst));
        let right = self.value(state, src);
        let symbols = &mut self.source.prover.symbols;
        let taken = match (left, right) {
            (Value::Number(a), Value::Number(b)) => holds(symbols, cond, wide, &a, &b),
            // The block's address is not 0.
            (Value::Block(_), Value::Number(_)) => symbols.terms.bool(cond == Cond::NotEqual),
            _ => return Err(format!("slot {slot} compares no numbers")),
        };
        let not_taken = symbols.terms.not(taken);
        let mut ways = Vec::with_capacity(2);
        let ends = [(taken, target, true), (not_taken, slot + 1, false)];
        for (condition, to, value) in ends {
            // What cannot be by its ranges was not walked there.
            if !self.edges[slot].contains(&to) {
                continue;
            }
            let guard = self.source.prover.symbols.terms.and(&[guard, condition]);
            let mut state = state.clone();
            self.assume(&mut state, taken, value);
            ways.push((to, (guard, state)));
        }
        Ok(ways)
    }

    /// Values that depended on a condition of which more is known now.
    fn assume(&mut self, state: &mut State, condition: Term, value: bool) {
        let terms = &mut self.source.prover.symbols.terms;
        let (atom, value) = match terms.node(condition) {
            Node::Not(inner) => (inner, !value),
            _ => (condition, value),
        };
        for held in state.registers.iter_mut().chain(&mut state.slots) {
            while let Value::Number(term) = *held {
                match terms.node(term) {
                    Node::Ite(c, a, b) if c == atom => {
                        *held = Value::Number(if value { a } else { b });
                    }
                    _ => break,
                }
            }
        }
    }
}
