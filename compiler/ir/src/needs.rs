//! What a program reads and writes of its state.
//!
//! In: a [`Program`]. Out: small sets, and the literals that say how many subflows
//! and packets a question about the program needs. Tables, searches and
//! generators leave out what is not here; the code generator fetches no more.

use std::collections::BTreeSet;

use crate::program::{ExprId, ExprKind, Operand, Program, StmtKind};
use crate::requirement::RequirementKind;
use crate::types::{
    Kind, ListSource, PacketInt, QueueName, SchedReg, SubflowBool, SubflowInt, Tier, Type,
};

/// A set over a small vocabulary: bit `i` for the member with the discriminant `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bits(u32);

impl Bits {
    const fn add(&mut self, member: usize) {
        self.0 |= 1 << member;
    }

    const fn has(self, member: usize) -> bool {
        self.0 >> member & 1 == 1
    }
}

/// What a program reads, writes and uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    subflow_ints: Bits,
    subflow_bools: Bits,
    packet_ints: Bits,
    queues: Bits,
    popped: Bits,
    registers_read: Bits,
    registers_written: Bits,
    uses: Bits,
    foreach_kinds: Bits,
    subflow_literals: BTreeSet<u64>,
    packet_literals: BTreeSet<u64>,
    register_literals: BTreeSet<u64>,
    user_literals: BTreeSet<u64>,
}

/// Single things that a program uses or does not.
#[derive(Clone, Copy)]
enum Use {
    Psh,
    SentOn,
    SentOnAll,
    Windows,
    Time,
    Random,
    Subflows,
    SetUser,
    Push,
    Drop,
}

impl Needs {
    /// What the program and the predicates of its requirements use. Code that cannot be reached
    /// counts; expressions that no statement holds do not.
    pub fn of(program: &Program) -> Self {
        let mut walk = Walk::new(program);
        walk.body();
        for requirement in &program.requirements {
            if let RequirementKind::Prefers(lambda) = requirement.kind {
                walk.expr(lambda.body);
            }
        }
        walk.needs
    }

    /// What the program itself uses.
    pub fn of_body(program: &Program) -> Self {
        let mut walk = Walk::new(program);
        walk.body();
        walk.needs
    }

    const fn uses(&self, what: Use) -> bool {
        self.uses.has(what as usize)
    }

    /// Whether an integer property of subflows is read.
    pub const fn reads_subflow_int(&self, property: SubflowInt) -> bool {
        self.subflow_ints.has(property as usize)
    }

    /// Whether a flag of subflows is read.
    pub const fn reads_subflow_bool(&self, property: SubflowBool) -> bool {
        self.subflow_bools.has(property as usize)
    }

    /// Whether an integer property of packets is read.
    pub const fn reads_packet_int(&self, property: PacketInt) -> bool {
        self.packet_ints.has(property as usize)
    }

    /// Whether PSH is read.
    pub const fn reads_psh(&self) -> bool {
        self.uses(Use::Psh)
    }

    /// Whether `SENT_ON` or `SENT_ON_ALL` is read.
    pub const fn reads_sent_on(&self) -> bool {
        self.uses(Use::SentOn) || self.uses(Use::SentOnAll)
    }

    /// Whether `SENT_ON_ALL` is read.
    pub const fn reads_sent_on_all(&self) -> bool {
        self.uses(Use::SentOnAll)
    }

    /// Whether `HAS_WINDOW_FOR` is read.
    pub const fn reads_windows(&self) -> bool {
        self.uses(Use::Windows)
    }

    /// Whether `CURRENT_TIME_MS` is read.
    pub const fn reads_time(&self) -> bool {
        self.uses(Use::Time)
    }

    /// Whether RANDOM is read.
    pub const fn uses_random(&self) -> bool {
        self.uses(Use::Random)
    }

    /// Whether `SUBFLOWS` is read.
    pub const fn reads_subflows(&self) -> bool {
        self.uses(Use::Subflows)
    }

    /// Whether a queue is read or popped from.
    pub const fn reads_queue(&self, queue: QueueName) -> bool {
        self.queues.has(queue as usize)
    }

    /// Whether a POP takes from the queue.
    pub const fn pops(&self, queue: QueueName) -> bool {
        self.popped.has(queue as usize)
    }

    /// Whether a register is read.
    pub const fn reads_register(&self, reg: SchedReg) -> bool {
        self.registers_read.has(reg.index())
    }

    /// Whether a SET writes the register.
    pub const fn writes_register(&self, reg: SchedReg) -> bool {
        self.registers_written.has(reg.index())
    }

    /// Whether there is a `SET_USER`.
    pub const fn writes_user(&self) -> bool {
        self.uses(Use::SetUser)
    }

    /// Whether there is a PUSH.
    pub const fn pushes(&self) -> bool {
        self.uses(Use::Push)
    }

    /// Whether there is a DROP.
    pub const fn drops(&self) -> bool {
        self.uses(Use::Drop)
    }

    /// Whether there is a FOREACH over elements of this kind.
    pub const fn loops_over(&self, kind: Kind) -> bool {
        self.foreach_kinds.has(kind as usize)
    }

    /// Whether there is a FOREACH.
    pub const fn has_loops(&self) -> bool {
        self.loops_over(Kind::Subflow) || self.loops_over(Kind::Packet)
    }

    /// The tier B properties that are read: hosts that cannot give them refuse the program.
    pub fn tier_b(&self) -> Vec<SubflowInt> {
        let members = SubflowInt::ALL.iter().copied();
        members
            .filter(|&property| property.tier() == Tier::B && self.reads_subflow_int(property))
            .collect()
    }

    /// The literals that stand in a comparison with a COUNT, or in the index of a GET, of a list
    /// of this kind: a reachability question may need one element more than the largest.
    pub const fn count_literals(&self, kind: Kind) -> &BTreeSet<u64> {
        match kind {
            Kind::Subflow => &self.subflow_literals,
            Kind::Packet => &self.packet_literals,
        }
    }

    /// How many elements of this kind a reachability question needs: the largest of
    /// [`Self::count_literals`] plus one, but at most `limit`; 0 if there is none.
    pub fn elements(&self, kind: Kind, limit: u64) -> u64 {
        let largest = self.count_literals(kind).last();
        largest.map_or(0, |&literal| literal.saturating_add(1).min(limit))
    }

    /// The literals that registers are compared with or set to.
    pub const fn register_literals(&self) -> &BTreeSet<u64> {
        &self.register_literals
    }

    /// The literals that USER of a subflow is compared with or set to.
    pub const fn user_literals(&self) -> &BTreeSet<u64> {
        &self.user_literals
    }
}

/// What an expression's value depends on, as far as literals beside it matter.
#[derive(Clone, Copy, Default)]
struct Origin {
    count: [bool; 2],
    register: bool,
    user: bool,
}

impl Origin {
    const fn or(self, other: Self) -> Self {
        Self {
            count: [
                self.count[0] || other.count[0],
                self.count[1] || other.count[1],
            ],
            register: self.register || other.register,
            user: self.user || other.user,
        }
    }
}

struct Walk<'p> {
    program: &'p Program,
    needs: Needs,
    /// Of every variable declared so far.
    origins: Vec<(Origin, BTreeSet<u64>)>,
}

impl<'p> Walk<'p> {
    fn new(program: &'p Program) -> Self {
        Self {
            program,
            needs: Needs::default(),
            origins: vec![<_>::default(); program.vars.len()],
        }
    }

    fn body(&mut self) {
        for stmt in self.program.statements() {
            for expr in stmt.exprs() {
                self.expr(expr);
            }
            match &stmt.kind {
                StmtKind::Foreach { list, .. } => {
                    let kind = self.program.list_kind(*list);
                    self.needs.foreach_kinds.add(kind as usize);
                }
                StmtKind::Let { var, init } => {
                    self.pop(*init);
                    if let Operand::Expr(e) = init {
                        self.origins[var.index()] = (self.origin(*e), self.literals(*e));
                    }
                }
                StmtKind::Set { reg, value } => {
                    self.needs.registers_written.add(reg.index());
                    let literals = self.literals(*value);
                    self.needs.register_literals.extend(literals);
                }
                StmtKind::SetUser { value, .. } => {
                    self.needs.uses.add(Use::SetUser as usize);
                    let literals = self.literals(*value);
                    self.needs.user_literals.extend(literals);
                }
                StmtKind::Push { packet, .. } => {
                    self.needs.uses.add(Use::Push as usize);
                    self.pop(*packet);
                }
                StmtKind::Drop { packet } => {
                    self.needs.uses.add(Use::Drop as usize);
                    self.pop(*packet);
                }
                StmtKind::If { .. }
                | StmtKind::Print { .. }
                | StmtKind::Void(_)
                | StmtKind::Return => {}
            }
        }
    }

    fn pop(&mut self, operand: Operand) {
        if let Operand::Pop { list, .. } = operand
            && let ListSource::Queue(queue) = self.program.list_source(list)
        {
            self.needs.popped.add(queue as usize);
        }
    }

    fn expr(&mut self, id: ExprId) {
        let needs = &mut self.needs;
        let kind = &self.program.expr(id).kind;
        match *kind {
            ExprKind::Register(reg) => needs.registers_read.add(reg.index()),
            ExprKind::Time => needs.uses.add(Use::Time as usize),
            ExprKind::Random(_) => needs.uses.add(Use::Random as usize),
            ExprKind::SubflowInt(property, _) => needs.subflow_ints.add(property as usize),
            ExprKind::SubflowBool(property, _) => needs.subflow_bools.add(property as usize),
            ExprKind::PacketInt(property, _) => needs.packet_ints.add(property as usize),
            ExprKind::HasWindowFor { .. } => needs.uses.add(Use::Windows as usize),
            ExprKind::Psh(_) => needs.uses.add(Use::Psh as usize),
            ExprKind::SentOn { .. } => needs.uses.add(Use::SentOn as usize),
            ExprKind::SentOnAll(_) => needs.uses.add(Use::SentOnAll as usize),
            ExprKind::Subflows => needs.uses.add(Use::Subflows as usize),
            ExprKind::Queue(queue) => needs.queues.add(queue as usize),
            ExprKind::Order(_, a, b) | ExprKind::Equal { a, b, .. } => self.comparison(a, b),
            ExprKind::Get { list, index } => {
                let literals = self.literals(index);
                let kind = self.program.list_kind(list);
                self.counts(kind).extend(literals);
            }
            _ => {}
        }
        for child in kind.children() {
            self.expr(child);
        }
    }

    fn counts(&mut self, kind: Kind) -> &mut BTreeSet<u64> {
        match kind {
            Kind::Subflow => &mut self.needs.subflow_literals,
            Kind::Packet => &mut self.needs.packet_literals,
        }
    }

    fn comparison(&mut self, a: ExprId, b: ExprId) {
        if self.program.expr(a).ty != Type::Int || self.program.expr(b).ty != Type::Int {
            return;
        }
        let origin = self.origin(a).or(self.origin(b));
        let mut literals = self.literals(a);
        literals.extend(self.literals(b));
        for kind in [Kind::Subflow, Kind::Packet] {
            if origin.count[kind as usize] {
                self.counts(kind).extend(&literals);
            }
        }
        if origin.register {
            self.needs.register_literals.extend(&literals);
        }
        if origin.user {
            self.needs.user_literals.extend(&literals);
        }
    }

    /// What an integer is computed from by arithmetic, through variables.
    fn origin(&self, id: ExprId) -> Origin {
        let mut origin = Origin::default();
        match self.program.expr(id).kind {
            ExprKind::Count(list) | ExprKind::Sum(list, _) => {
                origin.count[self.program.list_kind(list) as usize] = true;
            }
            ExprKind::Register(_) => origin.register = true,
            ExprKind::SubflowInt(SubflowInt::User, _) => origin.user = true,
            ExprKind::Var(var) => origin = self.origins[var.index()].0,
            ExprKind::Arith(_, a, b) => origin = self.origin(a).or(self.origin(b)),
            _ => {}
        }
        origin
    }

    /// The literals of an integer that is computed by arithmetic, through variables.
    fn literals(&self, id: ExprId) -> BTreeSet<u64> {
        match self.program.expr(id).kind {
            ExprKind::Int(value) => BTreeSet::from([value]),
            ExprKind::Var(var) => self.origins[var.index()].1.clone(),
            ExprKind::Arith(_, a, b) => &self.literals(a) | &self.literals(b),
            _ => BTreeSet::new(),
        }
    }
}
