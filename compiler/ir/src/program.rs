//! The intermediate representation that every stage and every proof reads.
//!
//! A [`Program`] is structured and typed: statements carry the effects,
//! expressions are pure, lists are snapshots of one source list. Names are
//! resolved, aliases are gone, and each node keeps its byte span in the source.

use crate::requirement::Requirement;
use crate::types::{
    ArithOp, Extremum, Kind, ListSource, OrderOp, PacketInt, QueueName, SchedReg, SubflowBool,
    SubflowInt, Type,
};

/// A half-open range of bytes in the source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span from byte `start` up to, not including, `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

macro_rules! index {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);
        impl $name {
            /// The index with this position.
            ///
            /// # Panics
            /// If `position` does not fit in 32 bits; sources are limited to 1 MiB.
            pub fn new(position: usize) -> Self {
                Self(u32::try_from(position).expect("indices fit in 32 bits"))
            }
            /// The position.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index! {
    /// An expression of [`Program::exprs`].
    ExprId
}
index! {
    /// A variable of [`Program::vars`]: VAR, FOREACH or lambda parameter.
    VarId
}
index! {
    /// A statement, numbered in source order from 0.
    StmtId
}
index! {
    /// An occurrence of RANDOM, numbered in source order; survives every rewrite.
    SiteId
}

/// A variable: assigned once, where it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Var {
    /// As written.
    pub name: String,
    /// The type of its initialiser, element or parameter.
    pub ty: Type,
    /// Whether its value may be NULL. Never for a FOREACH variable, a lambda parameter or a list.
    pub may_be_null: bool,
    /// Where it is declared.
    pub span: Span,
}

/// A pure expression with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// False only if typing alone shows that it is never NULL.
    pub may_be_null: bool,
    /// Where it stands. Parentheses around it are not part of it.
    pub span: Span,
}

/// `param => body`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// The element; its kind is that of the list.
    pub param: VarId,
    /// Predicate (bool) or key (int).
    pub body: ExprId,
}

/// The forms of expressions. Children come before their parent in [`Program::exprs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A literal.
    Int(u64),
    /// TRUE, FALSE.
    Bool(bool),
    /// NULL, standing as a value of the expression's type (never a list).
    Null,
    /// R1 … R6.
    Register(SchedReg),
    /// `CURRENT_TIME_MS`.
    Time,
    /// `RANDOM`.
    Random(SiteId),
    /// A variable.
    Var(VarId),
    /// `!e`.
    Not(ExprId),
    /// `a AND b`: NULL counts as FALSE, `b` is evaluated only if `a` is TRUE.
    And(ExprId, ExprId),
    /// `a OR b`: NULL counts as FALSE, `b` is evaluated only if `a` is not TRUE.
    Or(ExprId, ExprId),
    /// Integer arithmetic; NULL if an operand is NULL or a divisor is 0.
    Arith(ArithOp, ExprId, ExprId),
    /// Integer ordering; NULL if an operand is NULL.
    Order(OrderOp, ExprId, ExprId),
    /// `a == b` (`negated`: `a != b`). Both int, both bool, or anything beside NULL. Never NULL.
    Equal {
        /// Left side.
        a: ExprId,
        /// Right side.
        b: ExprId,
        /// True for `!=`.
        negated: bool,
    },
    /// `s.RTT` … `s.USER`.
    SubflowInt(SubflowInt, ExprId),
    /// `s.LOSSY` ….
    SubflowBool(SubflowBool, ExprId),
    /// `s.HAS_WINDOW_FOR(p)`.
    HasWindowFor {
        /// The receiver.
        subflow: ExprId,
        /// The argument.
        packet: ExprId,
    },
    /// `p.LENGTH` ….
    PacketInt(PacketInt, ExprId),
    /// `p.PSH`.
    Psh(ExprId),
    /// `p.SENT_ON(s)`.
    SentOn {
        /// The receiver.
        packet: ExprId,
        /// The argument.
        subflow: ExprId,
    },
    /// `p.SENT_ON_ALL`.
    SentOnAll(ExprId),
    /// `SUBFLOWS`.
    Subflows,
    /// `Q`, `QU`, `RQ` as they are now.
    Queue(QueueName),
    /// `l.FILTER(x => b)`; NULL counts as FALSE.
    Filter(ExprId, Lambda),
    /// `l.EMPTY`.
    Empty(ExprId),
    /// `l.COUNT`.
    Count(ExprId),
    /// `l.GET(i)`: NULL if `i` is NULL or not below COUNT.
    Get {
        /// The list.
        list: ExprId,
        /// 0-based.
        index: ExprId,
    },
    /// `l.MIN(x => k)`, `l.MAX(x => k)`: elements with a NULL key are ignored; NULL if none is left.
    Extremum(Extremum, ExprId, Lambda),
    /// `l.SUM(x => k)` modulo 2^64, NULL keys ignored.
    Sum(ExprId, Lambda),
    /// `l.TOP` and `l.FIRST`: NULL if empty.
    First(ExprId),
    /// `l.LAST`: NULL if empty.
    Last(ExprId),
}

impl ExprKind {
    /// The direct subexpressions in order of evaluation, a lambda's body last.
    pub fn children(&self) -> Vec<ExprId> {
        match *self {
            Self::Int(_)
            | Self::Bool(_)
            | Self::Null
            | Self::Register(_)
            | Self::Time
            | Self::Random(_)
            | Self::Var(_)
            | Self::Subflows
            | Self::Queue(_) => Vec::new(),
            Self::Not(e)
            | Self::SubflowInt(_, e)
            | Self::SubflowBool(_, e)
            | Self::PacketInt(_, e)
            | Self::Psh(e)
            | Self::SentOnAll(e)
            | Self::Empty(e)
            | Self::Count(e)
            | Self::First(e)
            | Self::Last(e) => vec![e],
            Self::And(a, b)
            | Self::Or(a, b)
            | Self::Arith(_, a, b)
            | Self::Order(_, a, b)
            | Self::Equal { a, b, .. } => vec![a, b],
            Self::HasWindowFor { subflow, packet } => vec![subflow, packet],
            Self::SentOn { packet, subflow } => vec![packet, subflow],
            Self::Get { list, index } => vec![list, index],
            Self::Filter(list, lambda)
            | Self::Extremum(_, list, lambda)
            | Self::Sum(list, lambda) => vec![list, lambda.body],
        }
    }

    /// The lambda, if it is an operation with one.
    pub const fn lambda(&self) -> Option<Lambda> {
        match *self {
            Self::Filter(_, lambda) | Self::Extremum(_, _, lambda) | Self::Sum(_, lambda) => {
                Some(lambda)
            }
            _ => None,
        }
    }
}

/// Where a packet (or the initial value of a VAR) comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A pure expression.
    Expr(ExprId),
    /// `list.POP()`: the first member of the list that is still in the underlying queue,
    /// removed from it; NULL if there is none. The list comes from Q or RQ.
    Pop {
        /// The list popped from.
        list: ExprId,
        /// The whole `….POP()`.
        span: Span,
    },
}

impl Operand {
    /// The expression, or the list popped from.
    pub const fn expr(self) -> ExprId {
        match self {
            Self::Expr(e) | Self::Pop { list: e, .. } => e,
        }
    }
}

/// A sequence of statements with a scope of its own.
pub type Block = Vec<Stmt>;

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// Its number in source order.
    pub id: StmtId,
    /// From its first to its last byte; for IF and FOREACH up to the `)` of the head.
    pub span: Span,
    /// What it does.
    pub kind: StmtKind,
}

impl Stmt {
    /// The expressions that stand in the statement itself (not in its blocks), in order of
    /// evaluation.
    pub fn exprs(&self) -> Vec<ExprId> {
        match &self.kind {
            StmtKind::If { cond: e, .. }
            | StmtKind::Foreach { list: e, .. }
            | StmtKind::Set { value: e, .. } => vec![*e],
            StmtKind::Let { init: operand, .. } | StmtKind::Drop { packet: operand } => {
                vec![operand.expr()]
            }
            StmtKind::SetUser { target, value } => vec![*target, *value],
            StmtKind::Push { target, packet } => vec![*target, packet.expr()],
            StmtKind::Print { args, .. } => args
                .iter()
                .filter_map(|arg| match arg {
                    PrintArg::Value(e) => Some(*e),
                    PrintArg::Text(_) => None,
                })
                .collect(),
            StmtKind::Void(e) => e.iter().copied().collect(),
            StmtKind::Return => Vec::new(),
        }
    }
}

/// An argument of PRINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrintArg {
    /// For `%d` and `%u`: int, bool, subflow (its ID) or packet (its SEQ).
    Value(ExprId),
    /// For `%s`.
    Text(String),
}

/// The forms of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// `IF (cond) { … } ELSE { … }`; NULL takes ELSE.
    If {
        /// Condition.
        cond: ExprId,
        /// Taken if it is TRUE.
        then: Block,
        /// Taken otherwise; `None` if there is no ELSE (which is not a branch).
        otherwise: Option<Block>,
    },
    /// `FOREACH (VAR x IN list) { … }` over a snapshot.
    Foreach {
        /// The element.
        var: VarId,
        /// The list.
        list: ExprId,
        /// Executed once per element, in list order.
        body: Block,
    },
    /// One declarator of VAR.
    Let {
        /// What is declared.
        var: VarId,
        /// Evaluated once, here.
        init: Operand,
    },
    /// `SET(R, e)`; no change if `e` is NULL.
    Set {
        /// The register.
        reg: SchedReg,
        /// The value.
        value: ExprId,
    },
    /// `s.SET_USER(e)`; no change if `s` or `e` is NULL.
    SetUser {
        /// The receiver.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `s.PUSH(p)`; if `s` is NULL, `p` is not evaluated.
    Push {
        /// The receiver.
        target: ExprId,
        /// The packet.
        packet: Operand,
    },
    /// `DROP(p)`.
    Drop {
        /// The packet.
        packet: Operand,
    },
    /// `PRINT("…", …)`.
    Print {
        /// The format, escapes resolved.
        format: String,
        /// As many as the format has conversions, of matching kinds.
        args: Vec<PrintArg>,
    },
    /// `VOID(e)`: evaluates and discards.
    Void(Option<ExprId>),
    /// Ends the execution.
    Return,
}

/// A scheduler: one execution's worth of code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// From `SCHEDULER name;`.
    pub name: Option<String>,
    /// Every expression, children before parents.
    pub exprs: Vec<Expr>,
    /// Every variable.
    pub vars: Vec<Var>,
    /// The statements.
    pub body: Block,
    /// How many statements there are: one past the greatest [`StmtId`].
    pub stmt_count: usize,
    /// How many occurrences of RANDOM there are: one past the greatest [`SiteId`].
    pub random_sites: usize,
    /// What the file and the command line require beyond the gate. Predicates are in `exprs`.
    pub requirements: Vec<Requirement>,
}

impl Program {
    /// The expression with this id.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.index()]
    }

    /// The variable with this id.
    pub fn var(&self, id: VarId) -> &Var {
        &self.vars[id.index()]
    }

    /// Where a list expression's members come from.
    ///
    /// # Panics
    /// If `id` is not a list: the program is not well-formed.
    pub fn list_source(&self, id: ExprId) -> ListSource {
        match self.expr(id).ty {
            Type::List(source) => source,
            other => unreachable!("a list was expected, not {other}"),
        }
    }

    /// What a list's elements are.
    pub fn list_kind(&self, id: ExprId) -> Kind {
        self.list_source(id).kind()
    }

    /// How deep lambdas and loops are nested in each other.
    pub fn nesting(&self) -> usize {
        // Children come before their parents.
        let mut lambdas: Vec<usize> = Vec::with_capacity(self.exprs.len());
        for expr in &self.exprs {
            let below = expr
                .kind
                .children()
                .iter()
                .map(|e| lambdas[e.index()])
                .max();
            let own = expr
                .kind
                .lambda()
                .map_or(0, |lambda| lambdas[lambda.body.index()] + 1);
            lambdas.push(own.max(below.unwrap_or(0)));
        }
        loops(&self.body) + lambdas.into_iter().max().unwrap_or(0)
    }

    /// Every statement, outer before inner, in source order.
    pub fn statements(&self) -> Vec<&Stmt> {
        let mut out = Vec::with_capacity(self.stmt_count);
        collect(&self.body, &mut out);
        out
    }
}

fn collect<'p>(block: &'p Block, out: &mut Vec<&'p Stmt>) {
    for stmt in block {
        out.push(stmt);
        match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => {
                collect(then, out);
                if let Some(block) = otherwise {
                    collect(block, out);
                }
            }
            StmtKind::Foreach { body, .. } => collect(body, out),
            _ => {}
        }
    }
}

/// How deep FOREACHs are nested.
fn loops(block: &Block) -> usize {
    let depth = |stmt: &Stmt| match &stmt.kind {
        StmtKind::If {
            then, otherwise, ..
        } => loops(then).max(otherwise.as_ref().map_or(0, loops)),
        StmtKind::Foreach { body, .. } => loops(body) + 1,
        _ => 0,
    };
    block.iter().map(depth).max().unwrap_or(0)
}
