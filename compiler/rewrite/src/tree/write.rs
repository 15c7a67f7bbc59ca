//! From a tree to its program.

use progmp_ir::{
    Block, Expr, ExprId, ExprKind, Kind, Lambda, Operand, PrintArg, Program, Span, Stmt, StmtId,
    StmtKind, Type, Var, VarId,
};
use progmp_rules::{Op, Term};

use super::{Argument, Node, NodeKind, Place, Source, Tree};

/// A tree on its way to a program.
pub(super) struct Writer<'t> {
    tree: &'t Tree,
    pub(super) program: Program,
    params: Vec<VarId>,
}

impl<'t> Writer<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self {
            tree,
            program: Program {
                name: tree.name.clone(),
                vars: tree.vars.clone(),
                ..Program::default()
            },
            params: Vec::new(),
        }
    }

    pub(super) fn block(&mut self, block: &[Node]) -> Block {
        block.iter().map(|node| self.stmt(node)).collect()
    }

    fn place(&mut self, place: &Place) -> ExprId {
        self.expr(&place.term, place.span)
    }

    fn source(&mut self, source: &Source) -> Operand {
        match source {
            Source::Value(place) => Operand::Expr(self.place(place)),
            Source::Pop(place, span) => Operand::Pop {
                list: self.place(place),
                span: *span,
            },
        }
    }

    fn stmt(&mut self, node: &Node) -> Stmt {
        let id = StmtId::new(self.program.stmt_count);
        self.program.stmt_count += 1;
        let var = |number: u32| VarId::new(number as usize);
        let kind = match &node.kind {
            NodeKind::If {
                cond,
                then,
                otherwise,
            } => StmtKind::If {
                cond: self.place(cond),
                then: self.block(then),
                otherwise: otherwise.as_ref().map(|block| self.block(block)),
            },
            NodeKind::Foreach {
                var: number,
                list,
                body,
            } => StmtKind::Foreach {
                var: var(*number),
                list: self.place(list),
                body: self.block(body),
            },
            NodeKind::Let { var: number, init } => StmtKind::Let {
                var: var(*number),
                init: self.source(init),
            },
            NodeKind::Set { reg, value } => StmtKind::Set {
                reg: *reg,
                value: self.place(value),
            },
            NodeKind::SetUser { target, value } => StmtKind::SetUser {
                target: self.place(target),
                value: self.place(value),
            },
            NodeKind::Push { target, packet } => StmtKind::Push {
                target: self.place(target),
                packet: self.source(packet),
            },
            NodeKind::Drop { packet } => StmtKind::Drop {
                packet: self.source(packet),
            },
            NodeKind::Print { format, args } => StmtKind::Print {
                format: format.clone(),
                args: args
                    .iter()
                    .map(|arg| match arg {
                        Argument::Value(place) => PrintArg::Value(self.place(place)),
                        Argument::Text(text) => PrintArg::Text(text.clone()),
                    })
                    .collect(),
            },
            NodeKind::Void(place) => StmtKind::Void(place.as_ref().map(|place| self.place(place))),
            NodeKind::Return => StmtKind::Return,
        };
        Stmt {
            id,
            span: node.span,
            kind,
        }
    }

    pub(super) fn lambda(&mut self, body: &Term, kind: Kind, span: Span) -> Lambda {
        let param = VarId::new(self.program.vars.len());
        let name = match kind {
            Kind::Subflow => "s",
            Kind::Packet => "p",
        };
        self.program.vars.push(Var {
            name: format!("{name}{}", self.params.len()),
            ty: Type::element(kind),
            may_be_null: false,
            span,
        });
        self.params.push(param);
        let body = self.expr(body, span);
        self.params.pop();
        Lambda { param, body }
    }

    fn expr(&mut self, term: &Term, span: Span) -> ExprId {
        let mut args = Vec::new();
        let mut lambda = None;
        for (index, arg) in term.args.iter().enumerate() {
            if term.op.binds() && index == 1 {
                let kind = self.tree.list_source(&term.args[0]).kind();
                lambda = Some(self.lambda(arg, kind, span));
            } else {
                args.push(self.expr(arg, span));
            }
        }
        let ty = self.tree.type_of(term);
        let body = || lambda.expect("it binds");
        let kind = match term.op {
            Op::Int(value) => ExprKind::Int(value),
            Op::Bool(value) => ExprKind::Bool(value),
            Op::NullInt | Op::NullBool | Op::NullElement(_) => ExprKind::Null,
            Op::Register(reg) => ExprKind::Register(reg),
            Op::Time => ExprKind::Time,
            Op::Var(number, _) => ExprKind::Var(VarId::new(number as usize)),
            Op::Param(level, _) => ExprKind::Var(self.params[level as usize]),
            Op::Not => ExprKind::Not(args[0]),
            Op::And => ExprKind::And(args[0], args[1]),
            Op::Or => ExprKind::Or(args[0], args[1]),
            Op::Arith(op) => ExprKind::Arith(op, args[0], args[1]),
            Op::Order(op) => ExprKind::Order(op, args[0], args[1]),
            Op::Equal | Op::Unequal => ExprKind::Equal {
                a: args[0],
                b: args[1],
                negated: term.op == Op::Unequal,
            },
            Op::SubflowInt(property) => ExprKind::SubflowInt(property, args[0]),
            Op::SubflowBool(property) => ExprKind::SubflowBool(property, args[0]),
            Op::HasWindowFor => ExprKind::HasWindowFor {
                subflow: args[0],
                packet: args[1],
            },
            Op::PacketInt(property) => ExprKind::PacketInt(property, args[0]),
            Op::Psh => ExprKind::Psh(args[0]),
            Op::SentOn => ExprKind::SentOn {
                packet: args[0],
                subflow: args[1],
            },
            Op::SentOnAll => ExprKind::SentOnAll(args[0]),
            Op::Subflows => ExprKind::Subflows,
            Op::Queue(name) => ExprKind::Queue(name),
            Op::Filter => ExprKind::Filter(args[0], body()),
            Op::Empty => ExprKind::Empty(args[0]),
            Op::Count => ExprKind::Count(args[0]),
            Op::Get => ExprKind::Get {
                list: args[0],
                index: args[1],
            },
            Op::Extremum(which) => ExprKind::Extremum(which, args[0], body()),
            Op::Sum => ExprKind::Sum(args[0], body()),
            Op::First => ExprKind::First(args[0]),
            Op::Last => ExprKind::Last(args[0]),
        };
        let may_be_null = self.tree.may_be_null(term);
        self.program.exprs.push(Expr {
            kind,
            ty,
            may_be_null,
            span,
        });
        ExprId::new(self.program.exprs.len() - 1)
    }
}
