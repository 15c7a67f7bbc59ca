//! Making the expressions of a [`Program`]: each gets its type and its nullability
//! from its children, which are there before it.
//!
//! What is asked for here is well typed; `check` has seen to that, and a mistake
//! is ours.

use progmp_ir::{
    ArithOp, Expr, ExprId, ExprKind, Kind, ListSource, Program, SiteId, Span, StmtId, Type, Var,
    VarId,
};

/// A program in the making.
#[derive(Default)]
pub(crate) struct Arena {
    pub program: Program,
}

impl Arena {
    /// NULL as a value of a type that is not a list.
    pub(crate) fn null(&mut self, ty: Type, span: Span) -> ExprId {
        self.insert(ExprKind::Null, ty, true, span)
    }

    /// Any other expression.
    pub(crate) fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        let ty = self.type_of(&kind);
        let may_be_null = self.may_be_null(&kind);
        self.insert(kind, ty, may_be_null, span)
    }

    /// An occurrence of RANDOM.
    pub(crate) fn random(&mut self, span: Span) -> ExprId {
        let site = SiteId::new(self.program.random_sites);
        self.program.random_sites += 1;
        self.add(ExprKind::Random(site), span)
    }

    pub(crate) fn var(&mut self, name: &str, ty: Type, may_be_null: bool, span: Span) -> VarId {
        let id = VarId::new(self.program.vars.len());
        self.program.vars.push(Var {
            name: name.to_owned(),
            ty,
            may_be_null,
            span,
        });
        id
    }

    /// The next statement's number.
    pub(crate) fn stmt(&mut self) -> StmtId {
        let id = StmtId::new(self.program.stmt_count);
        self.program.stmt_count += 1;
        id
    }

    pub(crate) fn ty(&self, id: ExprId) -> Type {
        self.program.expr(id).ty
    }

    pub(crate) fn nullable(&self, id: ExprId) -> bool {
        self.program.expr(id).may_be_null
    }

    fn insert(&mut self, kind: ExprKind, ty: Type, may_be_null: bool, span: Span) -> ExprId {
        let id = ExprId::new(self.program.exprs.len());
        self.program.exprs.push(Expr {
            kind,
            ty,
            may_be_null,
            span,
        });
        id
    }

    fn type_of(&self, kind: &ExprKind) -> Type {
        match *kind {
            ExprKind::Int(_)
            | ExprKind::Register(_)
            | ExprKind::Time
            | ExprKind::Random(_)
            | ExprKind::Arith(..)
            | ExprKind::SubflowInt(..)
            | ExprKind::PacketInt(..)
            | ExprKind::Count(_)
            | ExprKind::Sum(..) => Type::Int,
            ExprKind::Bool(_)
            | ExprKind::Not(_)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::Order(..)
            | ExprKind::Equal { .. }
            | ExprKind::SubflowBool(..)
            | ExprKind::HasWindowFor { .. }
            | ExprKind::Psh(_)
            | ExprKind::SentOn { .. }
            | ExprKind::SentOnAll(_)
            | ExprKind::Empty(_) => Type::Bool,
            ExprKind::Null => unreachable!("the type of NULL is given, not computed"),
            ExprKind::Var(var) => self.program.var(var).ty,
            ExprKind::Subflows => Type::List(ListSource::Subflows),
            ExprKind::Queue(queue) => Type::List(ListSource::Queue(queue)),
            ExprKind::Filter(list, _) => self.ty(list),
            ExprKind::Get { list, .. }
            | ExprKind::Extremum(_, list, _)
            | ExprKind::First(list)
            | ExprKind::Last(list) => element(self.program.list_kind(list)),
        }
    }

    /// False only where typing alone shows that the value is never NULL.
    fn may_be_null(&self, kind: &ExprKind) -> bool {
        match *kind {
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Register(_)
            | ExprKind::Time
            | ExprKind::Random(_)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::Equal { .. }
            | ExprKind::Subflows
            | ExprKind::Queue(_)
            | ExprKind::Filter(..)
            | ExprKind::Empty(_)
            | ExprKind::Count(_)
            | ExprKind::Sum(..) => false,
            ExprKind::Null
            | ExprKind::Get { .. }
            | ExprKind::Extremum(..)
            | ExprKind::First(_)
            | ExprKind::Last(_) => true,
            ExprKind::Var(var) => self.program.var(var).may_be_null,
            ExprKind::Not(e)
            | ExprKind::SubflowInt(_, e)
            | ExprKind::SubflowBool(_, e)
            | ExprKind::PacketInt(_, e)
            | ExprKind::Psh(e)
            | ExprKind::SentOnAll(e) => self.nullable(e),
            ExprKind::Arith(op, a, b) => {
                let defined = match op {
                    ArithOp::Add | ArithOp::Sub | ArithOp::Mul => !self.nullable(b),
                    ArithOp::Div | ArithOp::Rem => {
                        matches!(self.program.expr(b).kind, ExprKind::Int(divisor) if divisor != 0)
                    }
                };
                self.nullable(a) || !defined
            }
            ExprKind::Order(_, a, b)
            | ExprKind::HasWindowFor {
                subflow: a,
                packet: b,
            }
            | ExprKind::SentOn {
                packet: a,
                subflow: b,
            } => self.nullable(a) || self.nullable(b),
        }
    }
}

/// The type of a list's elements.
pub(crate) const fn element(kind: Kind) -> Type {
    match kind {
        Kind::Subflow => Type::Subflow,
        Kind::Packet => Type::Packet,
    }
}
