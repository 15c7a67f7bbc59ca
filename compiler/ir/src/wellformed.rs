//! What holds of every [`Program`], checked after each stage.
//!
//! Every later stage relies on it without looking: `eval` has an `unreachable!`
//! wherever a program that is not well-formed would end up. A failure is a
//! mistake of ours, never of the user.

use crate::program::{
    Block, ExprId, ExprKind, Lambda, Operand, PrintArg, Program, StmtId, StmtKind, VarId,
};
use crate::requirement::RequirementKind;
use crate::types::{ArithOp, Kind, ListSource, QueueName, Type};

/// An invariant that a program breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A child does not come before its parent in [`Program::exprs`].
    #[error("expression {child:?} is not before its parent {parent:?}")]
    ChildNotBefore {
        /// The parent.
        parent: ExprId,
        /// The child.
        child: ExprId,
    },
    /// An expression that is not there.
    #[error("there is no expression {0:?}")]
    NoSuchExpr(ExprId),
    /// A variable that is not there.
    #[error("there is no variable {0:?}")]
    NoSuchVar(VarId),
    /// An expression whose type its place does not allow.
    #[error("expression {at:?} has the type {found}, but its place wants {wanted}")]
    Mistyped {
        /// The expression.
        at: ExprId,
        /// Its type.
        found: Type,
        /// What may stand there.
        wanted: &'static str,
    },
    /// An expression whose type does not follow from its form.
    #[error("expression {at:?} is recorded as {found}, but is {actual}")]
    WrongType {
        /// The expression.
        at: ExprId,
        /// The recorded type.
        found: Type,
        /// What follows from its form.
        actual: Type,
    },
    /// `==` between two values that the language does not compare.
    #[error("expression {at:?} compares {left} with {right}")]
    Incomparable {
        /// The expression.
        at: ExprId,
        /// Type of the left side.
        left: Type,
        /// Type of the right side.
        right: Type,
    },
    /// An expression may be NULL and says that it is not.
    #[error("expression {0:?} may be NULL, and is recorded as never NULL")]
    HiddenNull(ExprId),
    /// A list is recorded as perhaps NULL, or NULL stands as a list.
    #[error("expression {0:?} is a list, which is never NULL")]
    NullList(ExprId),
    /// A variable may be NULL and says that it is not, or is one that never is.
    #[error("variable {0:?} is wrong about whether it may be NULL")]
    WrongVarNull(VarId),
    /// A variable whose type is not that of what it is bound to.
    #[error("variable {var:?} is recorded as {found}, but is bound to {actual}")]
    WrongVarType {
        /// The variable.
        var: VarId,
        /// The recorded type.
        found: Type,
        /// That of its initialiser, element or parameter.
        actual: Type,
    },
    /// A variable that is bound at two places.
    #[error("variable {0:?} is bound twice")]
    BoundTwice(VarId),
    /// A variable that is read where it is not in scope.
    #[error("expression {at:?} reads variable {var:?} out of its scope")]
    OutOfScope {
        /// The expression.
        at: ExprId,
        /// The variable.
        var: VarId,
    },
    /// POP on something that is not Q or RQ.
    #[error("expression {0:?} is popped from, but does not come from Q or RQ")]
    NotPoppable(ExprId),
    /// Statements are not numbered 0, 1, 2, … in source order.
    #[error("statement {found:?} stands where {wanted:?} is due")]
    StatementOrder {
        /// Its number.
        found: StmtId,
        /// Its place.
        wanted: StmtId,
    },
    /// [`Program::stmt_count`] is wrong.
    #[error("there are {actual} statements, not {recorded}")]
    StatementCount {
        /// What is recorded.
        recorded: usize,
        /// What is there.
        actual: usize,
    },
    /// Occurrences of RANDOM are not numbered in source order, each once. Numbers may be left out:
    /// what cannot matter, such as a list compared with NULL, may be gone.
    #[error("occurrence {found} of RANDOM follows occurrence {last}")]
    SiteOrder {
        /// Its number.
        found: usize,
        /// The greatest before it.
        last: usize,
    },
    /// An occurrence of RANDOM that [`Program::random_sites`] does not count.
    #[error("occurrence {found} of RANDOM is not among the {recorded} recorded")]
    SiteCount {
        /// Its number.
        found: usize,
        /// What is recorded.
        recorded: usize,
    },
    /// A PRINT whose arguments do not fit its format.
    #[error("the arguments of statement {0:?} do not fit its format")]
    PrintArgs(StmtId),
}

/// Checks every invariant.
///
/// # Errors
/// The first one that is broken.
pub fn check(program: &Program) -> Result<(), Malformed> {
    let mut check = Check {
        program,
        in_scope: vec![false; program.vars.len()],
        bound: vec![false; program.vars.len()],
        statements: 0,
        last_site: None,
    };
    for index in 0..program.exprs.len() {
        check.form(ExprId::new(index))?;
    }
    check.block(&program.body)?;
    for requirement in &program.requirements {
        if let RequirementKind::Prefers(lambda) = requirement.kind {
            check.lambda(Kind::Subflow, lambda)?;
            check.wants(lambda.body, Type::Bool, "a bool")?;
        }
    }
    if check.statements != program.stmt_count {
        return Err(Malformed::StatementCount {
            recorded: program.stmt_count,
            actual: check.statements,
        });
    }
    Ok(())
}

struct Check<'p> {
    program: &'p Program,
    in_scope: Vec<bool>,
    bound: Vec<bool>,
    statements: usize,
    last_site: Option<usize>,
}

impl Check<'_> {
    fn ty(&self, id: ExprId) -> Type {
        self.program.expr(id).ty
    }

    fn wants(&self, at: ExprId, ty: Type, wanted: &'static str) -> Result<(), Malformed> {
        let found = self.ty(at);
        if found == ty {
            Ok(())
        } else {
            Err(Malformed::Mistyped { at, found, wanted })
        }
    }

    fn list(&self, at: ExprId) -> Result<ListSource, Malformed> {
        match self.ty(at) {
            Type::List(source) => Ok(source),
            found => Err(Malformed::Mistyped {
                at,
                found,
                wanted: "a list",
            }),
        }
    }

    /// Checks one expression against its children: order, types, NULL. Where it stands is
    /// `place`'s matter.
    fn form(&self, id: ExprId) -> Result<(), Malformed> {
        let expr = self.program.expr(id);
        for child in expr.kind.children() {
            if child >= id {
                return Err(Malformed::ChildNotBefore { parent: id, child });
            }
        }
        if let Some(lambda) = expr.kind.lambda() {
            self.exists(lambda.param)?;
        }
        let actual = self.type_of(id)?;
        if actual != expr.ty {
            return Err(Malformed::WrongType {
                at: id,
                found: expr.ty,
                actual,
            });
        }
        if matches!(expr.ty, Type::List(_)) {
            if expr.may_be_null || expr.kind == ExprKind::Null {
                return Err(Malformed::NullList(id));
            }
        } else if self.may_be_null(id) && !expr.may_be_null {
            return Err(Malformed::HiddenNull(id));
        }
        Ok(())
    }

    fn exists(&self, var: VarId) -> Result<(), Malformed> {
        if var.index() < self.program.vars.len() {
            Ok(())
        } else {
            Err(Malformed::NoSuchVar(var))
        }
    }

    fn type_of(&self, id: ExprId) -> Result<Type, Malformed> {
        let int = |e| self.wants(e, Type::Int, "an int");
        let bool = |e| self.wants(e, Type::Bool, "a bool");
        let subflow = |e| self.wants(e, Type::Subflow, "a subflow");
        let packet = |e| self.wants(e, Type::Packet, "a packet");
        let element = |e| Ok(Type::element(self.list(e)?.kind()));
        Ok(match self.program.expr(id).kind {
            ExprKind::Null => self.ty(id),
            ExprKind::Int(_) | ExprKind::Register(_) | ExprKind::Time | ExprKind::Random(_) => {
                Type::Int
            }
            ExprKind::Bool(_) => Type::Bool,
            ExprKind::Var(var) => {
                self.exists(var)?;
                self.program.var(var).ty
            }
            ExprKind::Not(e) => {
                bool(e)?;
                Type::Bool
            }
            ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                bool(a)?;
                bool(b)?;
                Type::Bool
            }
            ExprKind::Arith(_, a, b) => {
                int(a)?;
                int(b)?;
                Type::Int
            }
            ExprKind::Order(_, a, b) => {
                int(a)?;
                int(b)?;
                Type::Bool
            }
            ExprKind::Equal { a, b, .. } => {
                self.comparable(id, a, b)?;
                Type::Bool
            }
            ExprKind::SubflowInt(_, s) => {
                subflow(s)?;
                Type::Int
            }
            ExprKind::SubflowBool(_, s) => {
                subflow(s)?;
                Type::Bool
            }
            ExprKind::HasWindowFor {
                subflow: s,
                packet: p,
            }
            | ExprKind::SentOn {
                subflow: s,
                packet: p,
            } => {
                subflow(s)?;
                packet(p)?;
                Type::Bool
            }
            ExprKind::PacketInt(_, p) => {
                packet(p)?;
                Type::Int
            }
            ExprKind::Psh(p) | ExprKind::SentOnAll(p) => {
                packet(p)?;
                Type::Bool
            }
            ExprKind::Subflows => Type::List(ListSource::Subflows),
            ExprKind::Queue(queue) => Type::List(ListSource::Queue(queue)),
            ExprKind::Filter(list, lambda) => {
                bool(lambda.body)?;
                Type::List(self.list(list)?)
            }
            ExprKind::Empty(list) => {
                self.list(list)?;
                Type::Bool
            }
            ExprKind::Count(list) => {
                self.list(list)?;
                Type::Int
            }
            ExprKind::Get { list, index } => {
                int(index)?;
                element(list)?
            }
            ExprKind::Extremum(_, list, lambda) => {
                int(lambda.body)?;
                element(list)?
            }
            ExprKind::Sum(list, lambda) => {
                int(lambda.body)?;
                self.list(list)?;
                Type::Int
            }
            ExprKind::First(list) | ExprKind::Last(list) => element(list)?,
        })
    }

    /// Two ints, two bools, a value beside NULL of its own type, or a list beside NULL.
    fn comparable(&self, at: ExprId, a: ExprId, b: ExprId) -> Result<(), Malformed> {
        let (left, right) = (self.ty(a), self.ty(b));
        let null = |e| self.program.expr(e).kind == ExprKind::Null;
        let list = |ty| matches!(ty, Type::List(_));
        let fits = if null(a) || null(b) {
            left == right || list(left) || list(right)
        } else {
            left == right && matches!(left, Type::Int | Type::Bool)
        };
        if fits {
            Ok(())
        } else {
            Err(Malformed::Incomparable { at, left, right })
        }
    }

    /// Whether typing leaves it open that the value is NULL.
    fn may_be_null(&self, id: ExprId) -> bool {
        let program = self.program;
        let null = |e: ExprId| program.expr(e).may_be_null;
        match program.expr(id).kind {
            ExprKind::Null
            | ExprKind::Get { .. }
            | ExprKind::Extremum(..)
            | ExprKind::First(_)
            | ExprKind::Last(_) => true,
            ExprKind::Var(var) => program.var(var).may_be_null,
            ExprKind::Arith(ArithOp::Div | ArithOp::Rem, a, b) => {
                let divides = matches!(program.expr(b).kind, ExprKind::Int(divisor) if divisor > 0);
                null(a) || null(b) || !divides
            }
            ExprKind::Not(e)
            | ExprKind::SubflowInt(_, e)
            | ExprKind::SubflowBool(_, e)
            | ExprKind::PacketInt(_, e)
            | ExprKind::Psh(e)
            | ExprKind::SentOnAll(e) => null(e),
            ExprKind::Arith(_, a, b)
            | ExprKind::Order(_, a, b)
            | ExprKind::HasWindowFor {
                subflow: a,
                packet: b,
            }
            | ExprKind::SentOn {
                packet: a,
                subflow: b,
            } => null(a) || null(b),
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
        }
    }

    /// Binds a variable, which is in scope from here on.
    fn bind(&mut self, var: VarId, actual: Type, may_be_null: bool) -> Result<(), Malformed> {
        self.exists(var)?;
        let declared = self.program.var(var);
        if std::mem::replace(&mut self.bound[var.index()], true) {
            return Err(Malformed::BoundTwice(var));
        }
        if declared.ty != actual {
            return Err(Malformed::WrongVarType {
                var,
                found: declared.ty,
                actual,
            });
        }
        let list = matches!(actual, Type::List(_));
        if may_be_null && !declared.may_be_null || list && declared.may_be_null {
            return Err(Malformed::WrongVarNull(var));
        }
        self.in_scope[var.index()] = true;
        Ok(())
    }

    /// Binds an element, which is never NULL.
    fn bind_element(&mut self, var: VarId, kind: Kind) -> Result<(), Malformed> {
        self.bind(var, Type::element(kind), false)?;
        if self.program.var(var).may_be_null {
            return Err(Malformed::WrongVarNull(var));
        }
        Ok(())
    }

    /// Checks an expression where it stands: names in scope, RANDOM in order.
    fn place(&mut self, id: ExprId) -> Result<(), Malformed> {
        if id.index() >= self.program.exprs.len() {
            return Err(Malformed::NoSuchExpr(id));
        }
        let kind = &self.program.expr(id).kind;
        match *kind {
            ExprKind::Var(var) if !self.in_scope[var.index()] => {
                return Err(Malformed::OutOfScope { at: id, var });
            }
            ExprKind::Random(site) => {
                let found = site.index();
                if found >= self.program.random_sites {
                    return Err(Malformed::SiteCount {
                        found,
                        recorded: self.program.random_sites,
                    });
                }
                if let Some(last) = self.last_site.filter(|&last| last >= found) {
                    return Err(Malformed::SiteOrder { found, last });
                }
                self.last_site = Some(found);
            }
            _ => {}
        }
        let lambda = kind.lambda();
        for child in kind.children() {
            match lambda {
                Some(lambda) if lambda.body == child => {
                    let list = kind.children()[0];
                    self.lambda(self.list(list)?.kind(), lambda)?;
                }
                _ => self.place(child)?,
            }
        }
        Ok(())
    }

    fn lambda(&mut self, kind: Kind, lambda: Lambda) -> Result<(), Malformed> {
        self.bind_element(lambda.param, kind)?;
        self.place(lambda.body)?;
        self.in_scope[lambda.param.index()] = false;
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Result<(), Malformed> {
        let mut declared = Vec::new();
        for stmt in block {
            let wanted = StmtId::new(self.statements);
            if stmt.id != wanted {
                return Err(Malformed::StatementOrder {
                    found: stmt.id,
                    wanted,
                });
            }
            self.statements += 1;
            for expr in stmt.exprs() {
                self.place(expr)?;
            }
            match &stmt.kind {
                StmtKind::If {
                    cond,
                    then,
                    otherwise,
                } => {
                    self.wants(*cond, Type::Bool, "a bool")?;
                    self.block(then)?;
                    if let Some(block) = otherwise {
                        self.block(block)?;
                    }
                }
                StmtKind::Foreach { var, list, body } => {
                    let kind = self.list(*list)?.kind();
                    self.bind_element(*var, kind)?;
                    self.block(body)?;
                    self.in_scope[var.index()] = false;
                }
                StmtKind::Let { var, init } => {
                    let (ty, null) = self.operand(*init)?;
                    self.bind(*var, ty, null)?;
                    declared.push(*var);
                }
                StmtKind::Set { value, .. } => self.wants(*value, Type::Int, "an int")?,
                StmtKind::SetUser { target, value } => {
                    self.wants(*target, Type::Subflow, "a subflow")?;
                    self.wants(*value, Type::Int, "an int")?;
                }
                StmtKind::Push { target, packet } => {
                    self.wants(*target, Type::Subflow, "a subflow")?;
                    self.packet(*packet)?;
                }
                StmtKind::Drop { packet } => self.packet(*packet)?,
                StmtKind::Print { format, args } => {
                    if !self.fits(format, args) {
                        return Err(Malformed::PrintArgs(stmt.id));
                    }
                }
                StmtKind::Void(_) | StmtKind::Return => {}
            }
        }
        for var in declared {
            self.in_scope[var.index()] = false;
        }
        Ok(())
    }

    fn operand(&self, operand: Operand) -> Result<(Type, bool), Malformed> {
        match operand {
            Operand::Expr(e) => Ok((self.ty(e), self.program.expr(e).may_be_null)),
            Operand::Pop { list, .. } => match self.list(list)? {
                ListSource::Queue(QueueName::Send | QueueName::Retrans) => Ok((Type::Packet, true)),
                _ => Err(Malformed::NotPoppable(list)),
            },
        }
    }

    fn packet(&self, operand: Operand) -> Result<(), Malformed> {
        self.operand(operand)?;
        match operand {
            Operand::Expr(e) => self.wants(e, Type::Packet, "a packet"),
            Operand::Pop { .. } => Ok(()),
        }
    }

    fn fits(&self, format: &str, args: &[PrintArg]) -> bool {
        let mut args = args.iter();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            let fits = match c {
                '%' => match chars.next() {
                    Some('%') => true,
                    Some('d' | 'u') => match args.next() {
                        Some(PrintArg::Value(e)) => !matches!(self.ty(*e), Type::List(_)),
                        _ => false,
                    },
                    Some('s') => matches!(args.next(), Some(PrintArg::Text(_))),
                    _ => false,
                },
                _ => true,
            };
            if !fits {
                return false;
            }
        }
        args.next().is_none()
    }
}
