//! A program as a tree of statements over terms: the form in which it is rewritten.
//!
//! Lambda parameters are levels, the order of expressions and the numbers of statements are the
//! tree's own, so that parts can be moved and copied. A program with RANDOM has no such form, as a
//! site is tied to its place.

mod read;
mod write;

use progmp_ir::{
    Kind, ListSource, Program, Requirement, RequirementKind, SchedReg, Span, Type, Var,
};
use progmp_rules::{Op, Sort, Term};

use read::Reader;
use write::Writer;

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

/// The forms of statements, as [`progmp_ir::StmtKind`] has them.
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
        let mut reader = Reader::new(program);
        let body = reader.block(&program.body)?;
        let mut requirements = Vec::new();
        for requirement in &program.requirements {
            let predicate = match requirement.kind {
                RequirementKind::Prefers(lambda) => {
                    Some(reader.under(lambda.param, Kind::Subflow, lambda.body)?)
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
        let mut writer = Writer::new(self);
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

    /// The type of a term.
    pub(crate) fn type_of(&self, term: &Term) -> Type {
        let element = |list: &Term| Type::element(self.list_source(list).kind());
        match term.op {
            Op::Var(number, _) => self.vars[number as usize].ty,
            Op::Param(_, kind) | Op::NullElement(kind) => Type::element(kind),
            Op::Get | Op::Extremum(_) | Op::First | Op::Last => element(&term.args[0]),
            Op::Subflows | Op::Queue(_) | Op::Filter => Type::List(self.list_source(term)),
            op => match op.sort() {
                Sort::Bool => Type::Bool,
                Sort::Int => Type::Int,
                Sort::Element | Sort::List => unreachable!("`{op}` has a type of its own"),
            },
        }
    }

    /// Whether the value of a term may be NULL, as far as typing shows.
    pub(crate) fn may_be_null(&self, term: &Term) -> bool {
        !matches!(self.type_of(term), Type::List(_)) && !self.never_null(term)
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
