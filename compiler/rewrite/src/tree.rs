//! A program as a tree of statements over terms: the form in which it is rewritten.
//!
//! Lambda parameters are levels, the order of expressions and the numbers of statements are the
//! tree's own, so that parts can be moved and copied. A program with RANDOM has no such form, as a
//! site is tied to its place.

use progmp_ir::{
    Block, Expr, ExprId, ExprKind, Kind, Lambda, ListSource, Operand, PrintArg, Program,
    Requirement, RequirementKind, SchedReg, Span, Stmt, StmtId, StmtKind, Type, Var, VarId,
};
use progmp_rules::{Op, Sort, Term};

/// An expression of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What is evaluated.
    pub term: Term,
    /// Where it comes from.
    pub span: Span,
}

/// Where a packet or an initial value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An expression.
    Value(Place),
    /// The first member of a list that is still in its queue.
    Pop(Place, Span),
}

impl Source {
    /// Its expression, or the list popped from.
    pub const fn place(&self) -> &Place {
        match self {
            Self::Value(place) | Self::Pop(place, _) => place,
        }
    }

    /// The same, to be changed.
    pub const fn place_mut(&mut self) -> &mut Place {
        match self {
            Self::Value(place) | Self::Pop(place, _) => place,
        }
    }
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it comes from.
    pub span: Span,
    /// What it does.
    pub kind: NodeKind,
}

/// The forms of statements, as [`StmtKind`] has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NodeKind {
    If {
        cond: Place,
        then: Vec<Node>,
        otherwise: Option<Vec<Node>>,
    },
    Foreach {
        var: u32,
        list: Place,
        body: Vec<Node>,
    },
    Let {
        var: u32,
        init: Source,
    },
    Set {
        reg: SchedReg,
        value: Place,
    },
    SetUser {
        target: Place,
        value: Place,
    },
    Push {
        target: Place,
        packet: Source,
    },
    Drop {
        packet: Source,
    },
    Print {
        format: String,
        args: Vec<Argument>,
    },
    Void(Option<Place>),
    Return,
}

/// An argument of PRINT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A value.
    Value(Place),
    /// A text.
    Text(String),
}

/// A program as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The statements.
    pub body: Vec<Node>,
    /// VARs and loop variables; `Op::Var` numbers them.
    pub vars: Vec<Var>,
    name: Option<String>,
    requirements: Vec<(Requirement, Option<Place>)>,
}

impl Tree {
    /// The tree of a program; `None` if it uses RANDOM.
    pub fn of(program: &Program) -> Option<Self> {
        let mut reader = Reader {
            program,
            numbers: vec![None; program.vars.len()],
            vars: Vec::new(),
            params: Vec::new(),
        };
        let body = reader.block(&program.body)?;
        let mut requirements = Vec::new();
        for requirement in &program.requirements {
            let predicate = match requirement.kind {
                RequirementKind::Prefers(lambda) => {
                    reader.params.push((lambda.param, Kind::Subflow));
                    let place = reader.place(lambda.body)?;
                    reader.params.pop();
                    Some(place)
                }
                _ => None,
            };
            requirements.push((requirement.clone(), predicate));
        }
        Some(Self {
            body,
            vars: reader.vars,
            name: program.name.clone(),
            requirements,
        })
    }

    /// The program of the tree.
    pub fn program(&self) -> Program {
        let mut writer = Writer {
            tree: self,
            program: Program {
                name: self.name.clone(),
                vars: self.vars.clone(),
                ..Program::default()
            },
            params: Vec::new(),
        };
        let body = writer.block(&self.body);
        writer.program.body = body;
        for (requirement, predicate) in &self.requirements {
            let mut requirement = requirement.clone();
            if let Some(place) = predicate {
                let lambda = writer.lambda(&place.term, Kind::Subflow, place.span);
                requirement.kind = RequirementKind::Prefers(lambda);
            }
            writer.program.requirements.push(requirement);
        }
        writer.program
    }

    /// What the elements of a list are.
    pub fn list_source(&self, list: &Term) -> ListSource {
        match list.op {
            Op::Subflows => ListSource::Subflows,
            Op::Queue(name) => ListSource::Queue(name),
            Op::Filter => self.list_source(&list.args[0]),
            Op::Var(number, _) => match self.vars[number as usize].ty {
                Type::List(source) => source,
                other => unreachable!("a list was expected, not {other}"),
            },
            other => unreachable!("`{other}` is no list"),
        }
    }

    /// Whether a term can never be NULL, as far as typing shows.
    pub fn never_null(&self, term: &Term) -> bool {
        let null = |args: &[Term]| args.iter().all(|arg| self.never_null(arg));
        match term.op {
            Op::NullInt
            | Op::NullBool
            | Op::NullElement(_)
            | Op::Get
            | Op::Extremum(_)
            | Op::First
            | Op::Last => false,
            Op::Var(number, _) => !self.vars[number as usize].may_be_null,
            Op::Arith(op) if op.apply(1, 0).is_none() => {
                null(&term.args) && matches!(term.args[1].op, Op::Int(divisor) if divisor > 0)
            }
            Op::Not
            | Op::Arith(_)
            | Op::Order(_)
            | Op::SubflowInt(_)
            | Op::SubflowBool(_)
            | Op::HasWindowFor
            | Op::PacketInt(_)
            | Op::Psh
            | Op::SentOn
            | Op::SentOnAll => null(&term.args),
            _ => true,
        }
    }
}

/// What an expression of this type stands for.
pub(crate) const fn sort(ty: Type) -> Sort {
    match ty {
        Type::Int => Sort::Int,
        Type::Bool => Sort::Bool,
        Type::Subflow | Type::Packet => Sort::Element,
        Type::List(_) => Sort::List,
    }
}

struct Reader<'p> {
    program: &'p Program,
    numbers: Vec<Option<u32>>,
    vars: Vec<Var>,
    params: Vec<(VarId, Kind)>,
}

impl Reader<'_> {
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

    fn block(&mut self, block: &Block) -> Option<Vec<Node>> {
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

struct Writer<'t> {
    tree: &'t Tree,
    program: Program,
    params: Vec<VarId>,
}

impl Writer<'_> {
    fn block(&mut self, block: &[Node]) -> Block {
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

    fn lambda(&mut self, body: &Term, kind: Kind, span: Span) -> Lambda {
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
        let element = |list: &Term| Type::element(self.tree.list_source(list).kind());
        let ty = match term.op {
            Op::Var(number, _) => self.tree.vars[number as usize].ty,
            Op::Param(_, kind) | Op::NullElement(kind) => Type::element(kind),
            Op::Get | Op::Extremum(_) | Op::First | Op::Last => element(&term.args[0]),
            Op::Subflows | Op::Queue(_) | Op::Filter => Type::List(self.tree.list_source(term)),
            op => match op.sort() {
                Sort::Bool => Type::Bool,
                Sort::Int => Type::Int,
                Sort::Element | Sort::List => unreachable!("`{op}` has a type of its own"),
            },
        };
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
        let may_be_null = !matches!(ty, Type::List(_)) && !self.tree.never_null(term);
        self.program.exprs.push(Expr {
            kind,
            ty,
            may_be_null,
            span,
        });
        ExprId::new(self.program.exprs.len() - 1)
    }
}
