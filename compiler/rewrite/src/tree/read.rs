//! From a program to its tree.

use progmp_ir::{
    Block, ExprId, ExprKind, Kind, Operand, PrintArg, Program, Stmt, StmtKind, Type, Var, VarId,
};
use progmp_rules::{Op, Term};

use super::{Argument, Node, NodeKind, Place, Source, sort};

/// A program on its way to a tree.
pub(super) struct Reader<'p> {
    program: &'p Program,
    numbers: Vec<Option<u32>>,
    pub(super) vars: Vec<Var>,
    params: Vec<(VarId, Kind)>,
}

impl<'p> Reader<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self {
            program,
            numbers: vec![None; program.vars.len()],
            vars: Vec::new(),
            params: Vec::new(),
        }
    }

    /// The body of a lambda that stands by itself.
    pub(super) fn under(&mut self, param: VarId, kind: Kind, body: ExprId) -> Option<Place> {
        self.params.push((param, kind));
        let place = self.place(body);
        self.params.pop();
        place
    }

    fn declare(&mut self, var: VarId) -> u32 {
        let number = u32::try_from(self.vars.len()).expect("variables are few");
        self.vars.push(self.program.var(var).clone());
        self.numbers[var.index()] = Some(number);
        number
    }

    fn place(&mut self, id: ExprId) -> Option<Place> {
        let span = self.program.expr(id).span;
        let term = self.term(id)?;
        Some(Place { term, span })
    }

    fn source(&mut self, operand: Operand) -> Option<Source> {
        Some(match operand {
            Operand::Expr(e) => Source::Value(self.place(e)?),
            Operand::Pop { list, span } => Source::Pop(self.place(list)?, span),
        })
    }

    pub(super) fn block(&mut self, block: &Block) -> Option<Vec<Node>> {
        block.iter().map(|stmt| self.node(stmt)).collect()
    }

    fn node(&mut self, stmt: &Stmt) -> Option<Node> {
        let kind = match &stmt.kind {
            StmtKind::If {
                cond,
                then,
                otherwise,
            } => NodeKind::If {
                cond: self.place(*cond)?,
                then: self.block(then)?,
                otherwise: match otherwise {
                    Some(block) => Some(self.block(block)?),
                    None => None,
                },
            },
            StmtKind::Foreach { var, list, body } => {
                let list = self.place(*list)?;
                let var = self.declare(*var);
                let body = self.block(body)?;
                NodeKind::Foreach { var, list, body }
            }
            StmtKind::Let { var, init } => {
                let init = self.source(*init)?;
                let var = self.declare(*var);
                NodeKind::Let { var, init }
            }
            StmtKind::Set { reg, value } => NodeKind::Set {
                reg: *reg,
                value: self.place(*value)?,
            },
            StmtKind::SetUser { target, value } => NodeKind::SetUser {
                target: self.place(*target)?,
                value: self.place(*value)?,
            },
            StmtKind::Push { target, packet } => NodeKind::Push {
                target: self.place(*target)?,
                packet: self.source(*packet)?,
            },
            StmtKind::Drop { packet } => NodeKind::Drop {
                packet: self.source(*packet)?,
            },
            StmtKind::Print { format, args } => {
                let mut list = Vec::new();
                for arg in args {
                    list.push(match arg {
                        PrintArg::Value(e) => Argument::Value(self.place(*e)?),
                        PrintArg::Text(text) => Argument::Text(text.clone()),
                    });
                }
                NodeKind::Print {
                    format: format.clone(),
                    args: list,
                }
            }
            StmtKind::Void(None) => NodeKind::Void(None),
            StmtKind::Void(Some(e)) => NodeKind::Void(Some(self.place(*e)?)),
            StmtKind::Return => NodeKind::Return,
        };
        Some(Node {
            span: stmt.span,
            kind,
        })
    }

    fn term(&mut self, id: ExprId) -> Option<Term> {
        let expr = self.program.expr(id);
        let op = match expr.kind {
            ExprKind::Random(_) => return None,
            ExprKind::Var(var) => match self.params.iter().rposition(|(param, _)| *param == var) {
                Some(level) => {
                    let kind = self.params[level].1;
                    Op::Param(u8::try_from(level).expect("nesting is limited"), kind)
                }
                None => Op::Var(
                    self.numbers[var.index()].expect("a variable is declared before it is read"),
                    sort(expr.ty),
                ),
            },
            ExprKind::Int(value) => Op::Int(value),
            ExprKind::Bool(value) => Op::Bool(value),
            ExprKind::Null => match expr.ty {
                Type::Int => Op::NullInt,
                Type::Bool => Op::NullBool,
                Type::Subflow => Op::NullElement(Kind::Subflow),
                Type::Packet => Op::NullElement(Kind::Packet),
                Type::List(_) => unreachable!("a list is never NULL"),
            },
            ExprKind::Register(reg) => Op::Register(reg),
            ExprKind::Time => Op::Time,
            ExprKind::Not(_) => Op::Not,
            ExprKind::And(..) => Op::And,
            ExprKind::Or(..) => Op::Or,
            ExprKind::Arith(op, ..) => Op::Arith(op),
            ExprKind::Order(op, ..) => Op::Order(op),
            ExprKind::Equal { negated: false, .. } => Op::Equal,
            ExprKind::Equal { negated: true, .. } => Op::Unequal,
            ExprKind::SubflowInt(property, _) => Op::SubflowInt(property),
            ExprKind::SubflowBool(property, _) => Op::SubflowBool(property),
            ExprKind::HasWindowFor { .. } => Op::HasWindowFor,
            ExprKind::PacketInt(property, _) => Op::PacketInt(property),
            ExprKind::Psh(_) => Op::Psh,
            ExprKind::SentOn { .. } => Op::SentOn,
            ExprKind::SentOnAll(_) => Op::SentOnAll,
            ExprKind::Subflows => Op::Subflows,
            ExprKind::Queue(name) => Op::Queue(name),
            ExprKind::Filter(..) => Op::Filter,
            ExprKind::Empty(_) => Op::Empty,
            ExprKind::Count(_) => Op::Count,
            ExprKind::Get { .. } => Op::Get,
            ExprKind::Extremum(which, ..) => Op::Extremum(which),
            ExprKind::Sum(..) => Op::Sum,
            ExprKind::First(_) => Op::First,
            ExprKind::Last(_) => Op::Last,
        };
        let lambda = expr.kind.lambda();
        let mut args = Vec::new();
        for child in expr.kind.children() {
            match lambda {
                Some(lambda) if lambda.body == child => {
                    let list = expr.kind.children()[0];
                    self.params
                        .push((lambda.param, self.program.list_kind(list)));
                    args.push(self.term(child)?);
                    self.params.pop();
                }
                _ => args.push(self.term(child)?),
            }
        }
        Some(Term::new(op, args))
    }
}
