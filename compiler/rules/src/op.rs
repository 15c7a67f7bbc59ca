//! The operators of terms: what ProgMP's expressions are made of, with their sorts.

use std::fmt;

use progmp_ir::{
    ArithOp, Extremum, Kind, OrderOp, PacketInt, QueueName, SchedReg, SubflowBool, SubflowInt,
};

/// What a term stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// TRUE, FALSE or NULL.
    Bool,
    /// A word of 64 bits, or NULL.
    Int,
    /// A subflow or a packet, or NULL.
    Element,
    /// A list; never NULL.
    List,
}

/// An operator. Its operands are in order of evaluation; what stands under a lambda comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A number.
    Int(u64),
    /// TRUE, FALSE.
    Bool(bool),
    /// NULL as an int.
    NullInt,
    /// NULL as a bool.
    NullBool,
    /// NULL as an element.
    NullElement(Kind),
    /// R1 … R6, as they are where the term stands.
    Register(SchedReg),
    /// `CURRENT_TIME_MS`.
    Time,
    /// A variable of the program.
    Var(u32, Sort),
    /// The parameter of an enclosing lambda, counted from the outermost one of the term: 0, 1, ….
    Param(u8, Kind),
    /// `!a`.
    Not,
    /// `a AND b`.
    And,
    /// `a OR b`.
    Or,
    /// Arithmetic.
    Arith(ArithOp),
    /// Ordering.
    Order(OrderOp),
    /// `a == b`; never NULL.
    Equal,
    /// `a != b`; never NULL.
    Unequal,
    /// `s.RTT` ….
    SubflowInt(SubflowInt),
    /// `s.LOSSY` ….
    SubflowBool(SubflowBool),
    /// `s.HAS_WINDOW_FOR(p)`.
    HasWindowFor,
    /// `p.LENGTH` ….
    PacketInt(PacketInt),
    /// `p.PSH`.
    Psh,
    /// `p.SENT_ON(s)`.
    SentOn,
    /// `p.SENT_ON_ALL`.
    SentOnAll,
    /// `SUBFLOWS`.
    Subflows,
    /// `Q`, `QU`, `RQ`, as they are where the term stands.
    Queue(QueueName),
    /// `l.FILTER(x => b)`.
    Filter,
    /// `l.EMPTY`.
    Empty,
    /// `l.COUNT`.
    Count,
    /// `l.GET(i)`.
    Get,
    /// `l.MIN(x => k)`, `l.MAX(x => k)`.
    Extremum(Extremum),
    /// `l.SUM(x => k)`.
    Sum,
    /// `l.FIRST`.
    First,
    /// `l.LAST`.
    Last,
}

impl Op {
    /// The sorts of its operands.
    pub const fn operands(self) -> &'static [Sort] {
        use Sort::{Bool, Element, Int, List};
        match self {
            Self::Int(_)
            | Self::Bool(_)
            | Self::NullInt
            | Self::NullBool
            | Self::NullElement(_)
            | Self::Register(_)
            | Self::Time
            | Self::Var(..)
            | Self::Param(..)
            | Self::Subflows
            | Self::Queue(_) => &[],
            Self::Not => &[Bool],
            Self::And | Self::Or => &[Bool, Bool],
            // For `==` of other sorts, see `draft.rs`: both operands have one sort.
            Self::Arith(_) | Self::Order(_) | Self::Equal | Self::Unequal => &[Int, Int],
            Self::SubflowInt(_)
            | Self::SubflowBool(_)
            | Self::PacketInt(_)
            | Self::Psh
            | Self::SentOnAll => &[Element],
            Self::HasWindowFor | Self::SentOn => &[Element, Element],
            Self::Filter => &[List, Bool],
            Self::Empty | Self::Count | Self::First | Self::Last => &[List],
            Self::Get | Self::Extremum(_) | Self::Sum => &[List, Int],
        }
    }

    /// What a term with this operator stands for.
    pub const fn sort(self) -> Sort {
        match self {
            Self::Int(_)
            | Self::NullInt
            | Self::Register(_)
            | Self::Time
            | Self::Arith(_)
            | Self::SubflowInt(_)
            | Self::PacketInt(_)
            | Self::Count
            | Self::Sum => Sort::Int,
            Self::Bool(_)
            | Self::NullBool
            | Self::Not
            | Self::And
            | Self::Or
            | Self::Order(_)
            | Self::Equal
            | Self::Unequal
            | Self::SubflowBool(_)
            | Self::HasWindowFor
            | Self::Psh
            | Self::SentOn
            | Self::SentOnAll
            | Self::Empty => Sort::Bool,
            Self::NullElement(_)
            | Self::Param(..)
            | Self::Get
            | Self::Extremum(_)
            | Self::First
            | Self::Last => Sort::Element,
            Self::Subflows | Self::Queue(_) | Self::Filter => Sort::List,
            Self::Var(_, sort) => sort,
        }
    }

    /// Whether its last operand stands under a lambda.
    pub const fn binds(self) -> bool {
        matches!(self, Self::Filter | Self::Extremum(_) | Self::Sum)
    }

    /// The operator that files call `name`, if it is no number and no variable.
    pub fn named(name: &str) -> Option<Self> {
        let fixed = match name {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            "null:int" => Self::NullInt,
            "null:bool" => Self::NullBool,
            "null:subflow" => Self::NullElement(Kind::Subflow),
            "null:packet" => Self::NullElement(Kind::Packet),
            "NOW" => Self::Time,
            "not" => Self::Not,
            "and" => Self::And,
            "or" => Self::Or,
            "+" => Self::Arith(ArithOp::Add),
            "-" => Self::Arith(ArithOp::Sub),
            "*" => Self::Arith(ArithOp::Mul),
            "/" => Self::Arith(ArithOp::Div),
            "%" => Self::Arith(ArithOp::Rem),
            "<" => Self::Order(OrderOp::Lt),
            "<=" => Self::Order(OrderOp::Le),
            ">" => Self::Order(OrderOp::Gt),
            ">=" => Self::Order(OrderOp::Ge),
            "==" => Self::Equal,
            "!=" => Self::Unequal,
            "HAS_WINDOW_FOR" => Self::HasWindowFor,
            "PSH" => Self::Psh,
            "SENT_ON" => Self::SentOn,
            "SENT_ON_ALL" => Self::SentOnAll,
            "SUBFLOWS" => Self::Subflows,
            "filter" => Self::Filter,
            "empty" => Self::Empty,
            "count" => Self::Count,
            "get" => Self::Get,
            "min" => Self::Extremum(Extremum::Min),
            "max" => Self::Extremum(Extremum::Max),
            "sum" => Self::Sum,
            "first" => Self::First,
            "last" => Self::Last,
            _ => return Self::named_in_a_vocabulary(name),
        };
        Some(fixed)
    }

    fn named_in_a_vocabulary(name: &str) -> Option<Self> {
        if let Some(queue) = QueueName::ALL.into_iter().find(|q| q.name() == name) {
            return Some(Self::Queue(queue));
        }
        if let Some(register) = SchedReg::all().find(|r| r.to_string() == name) {
            return Some(Self::Register(register));
        }
        if let Some(packet) = name.strip_prefix("packet.") {
            return PacketInt::from_name(packet).map(Self::PacketInt);
        }
        if let Some(property) = SubflowBool::from_name(name) {
            return Some(Self::SubflowBool(property));
        }
        SubflowInt::from_name(name).map(Self::SubflowInt)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Int(value) => return write!(f, "{value}"),
            Self::Register(register) => return write!(f, "{register}"),
            Self::Var(number, _) => return write!(f, "v{number}"),
            Self::Param(level, Kind::Subflow) => return write!(f, "s{level}"),
            Self::Param(level, Kind::Packet) => return write!(f, "p{level}"),
            Self::PacketInt(property) => return write!(f, "packet.{}", property.name()),
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::NullInt => "null:int",
            Self::NullBool => "null:bool",
            Self::NullElement(Kind::Subflow) => "null:subflow",
            Self::NullElement(Kind::Packet) => "null:packet",
            Self::Time => "NOW",
            Self::Not => "not",
            Self::And => "and",
            Self::Or => "or",
            Self::Arith(op) => op.symbol(),
            Self::Order(op) => op.symbol(),
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::SubflowInt(property) => property.name(),
            Self::SubflowBool(property) => property.name(),
            Self::HasWindowFor => "HAS_WINDOW_FOR",
            Self::Psh => "PSH",
            Self::SentOn => "SENT_ON",
            Self::SentOnAll => "SENT_ON_ALL",
            Self::Subflows => "SUBFLOWS",
            Self::Queue(queue) => queue.name(),
            Self::Filter => "filter",
            Self::Empty => "empty",
            Self::Count => "count",
            Self::Get => "get",
            Self::Extremum(Extremum::Min) => "min",
            Self::Extremum(Extremum::Max) => "max",
            Self::Sum => "sum",
            Self::First => "first",
            Self::Last => "last",
        };
        f.write_str(text)
    }
}
