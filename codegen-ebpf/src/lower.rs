//! Lowering: a Program to vcode.
//!
//! Where a value may be NULL, an expression is evaluated *towards a block*: it leaves for that
//! block if it is NULL, and goes on with a plain word if it is not. Conditions are evaluated
//! towards three blocks. A subflow list is a word with one bit for each record, a packet list a set of
//! records in memory. Registers, USER values and queues live in the block; only the number of
//! actions is carried in a vreg, and written back at the end.

mod build;
mod elem;
mod expr;
mod extremum;
mod flat;
mod fold;
mod instep;
mod known;
mod packets;
mod pop;
mod random;
mod scan;
mod skip;
mod stmt;
mod subflows;

use progmp_abi::layout::{self, block, queue};
use progmp_ir::{ExprId, ExprKind, Kind, Program, QueueName, VarId};

use crate::bounds::Formula;
use crate::isa::Size;
use crate::vcode::{BlockId, Vcode};
use crate::{Error, Loops, demand};

use build::{Builder, Val};
use elem::Elem;
use flat::Clamped;
use known::Known;
use packets::Packets;
use skip::Skip;

/// A program as vcode, and what bounds it.
pub(crate) struct Lowered {
    pub(crate) code: Vcode,
    /// Rounds of all loops together.
    pub(crate) rounds: Formula,
}

/// The value of a variable.
#[derive(Clone, Debug)]
enum Binding {
    /// An int, and the word that is 1 if it is NULL.
    Int {
        value: Val,
        null: Option<Val>,
        /// It is below 2^bits.
        bits: u32,
    },
    /// 0, 1, or all ones for NULL.
    Bool { value: Val, nullable: bool },
    /// A reference; if it may be NULL, the index is all ones then.
    Elem { elem: Elem, nullable: bool },
    /// A word of subflows.
    Subflows(Val),
    /// A set of packets.
    Packets(Packets),
    /// The first member of a packet list, of which nothing else is asked for; the index is all
    /// ones if the list is empty.
    First { elem: Elem, source: QueueName },
}

struct Lower<'p> {
    program: &'p Program,
    b: Builder,
    loops: Loops,
    vars: Vec<Option<Binding>>,
    /// The elements of the enclosing lambdas and loops, outermost first.
    scope: Vec<Elem>,
    /// For each variable, whether only the first member of its list matters.
    first_only: Vec<bool>,
    /// What holds of queues where code is written now.
    known: Known,
    /// Ints that loops compare with, computed in front of them.
    clamped: Vec<Clamped>,
    /// What enclosing loops skip.
    skips: Vec<Skip>,
    /// How many POPs from Q there are at most.
    popped: Formula,
    /// The number of actions so far.
    count: Val,
    /// Where the program ends; takes the number of actions.
    exit: BlockId,
    /// Snapshots in scratch memory: how many are in use, and how many ever were.
    slots: usize,
    most_slots: usize,
}

/// Bytes of scratch memory before the snapshots: [`Builder::reload`] and [`skip`] use them.
const SCRATCH_HEAD: usize = 64;

/// How many snapshots fit into scratch memory.
const MAX_SLOTS: usize = (8 * layout::SCRATCH_WORDS - SCRATCH_HEAD) / queue::BYTES;

/// Lowers a well-formed program.
///
/// Fails if it needs more snapshots than there is scratch memory for.
pub(crate) fn lower(program: &Program, loops: Loops, popped: Formula) -> Result<Lowered, Error> {
    let mut b = Builder::new(loops);
    let exit = b.block(1);
    let count = b.load(Size::U32, b.base(), block::ACTION_COUNT);
    let mut lower = Lower {
        program,
        b,
        loops,
        vars: vec![None; program.vars.len()],
        scope: Vec::new(),
        first_only: demand::first_only(program),
        known: Known::default(),
        clamped: Vec::new(),
        skips: Vec::new(),
        popped,
        count,
        exit,
        slots: 0,
        most_slots: 0,
    };
    lower.block(&program.body);
    let end = [lower.count];
    lower.b.goto((exit, &end));
    lower.end();
    if lower.most_slots > MAX_SLOTS {
        return Err(Error::TooManySnapshots {
            needed: lower.most_slots,
            available: MAX_SLOTS,
        });
    }
    Ok(Lowered {
        code: lower.b.code,
        rounds: lower.b.rounds,
    })
}

impl Lower<'_> {
    /// The block where a run ends as the program says.
    fn end(&mut self) {
        self.b.switch(self.exit);
        let [count] = self.b.params(self.exit)[..] else {
            unreachable!("the exit takes the number of actions");
        };
        let base = self.b.base();
        self.b.store(Size::U32, base, block::ACTION_COUNT, count);
        let done = Val::Const(u64::from(layout::DONE));
        self.b.store(Size::U32, base, block::STATUS, done);
    }

    /// The binding of a variable that is in scope.
    fn var(&self, var: VarId) -> &Binding {
        match &self.vars[var.index()] {
            Some(binding) => binding,
            None => unreachable!("a well-formed program declares before it reads"),
        }
    }

    /// The first member of a list, if it is a variable that holds nothing else.
    fn first_of(&self, list: ExprId) -> Option<(Elem, QueueName)> {
        match self.program.expr(list).kind {
            ExprKind::Var(var) => match *self.var(var) {
                Binding::First { elem, source } => Some((elem, source)),
                _ => None,
            },
            _ => None,
        }
    }

    fn bind(&mut self, var: VarId, binding: Binding) {
        self.vars[var.index()] = Some(binding);
    }

    /// Enters a lambda or loop with this element.
    fn enter(&mut self, param: VarId, elem: Elem) {
        self.scope.push(elem);
        let nullable = false;
        self.bind(param, Binding::Elem { elem, nullable });
    }

    fn leave(&mut self) {
        self.scope.pop();
    }

    /// Takes a snapshot's place in scratch memory; returns its offset in the block. Places beyond
    /// the last are counted, and the program is refused at the end.
    fn take_slot(&mut self) -> usize {
        let slot = self.slots.min(MAX_SLOTS - 1);
        self.slots += 1;
        self.most_slots = self.most_slots.max(self.slots);
        block::SCRATCH + SCRATCH_HEAD + queue::BYTES * slot
    }

    /// Whether an expression reads the variable.
    fn reads(&self, expr: ExprId, var: VarId) -> bool {
        let kind = &self.program.expr(expr).kind;
        *kind == ExprKind::Var(var) || kind.children().iter().any(|&child| self.reads(child, var))
    }

    fn kind_of(&self, list: ExprId) -> Kind {
        self.program.list_kind(list)
    }
}
