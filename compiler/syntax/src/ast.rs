//! The tree as written: one node per construct, a span on every node.
//!
//! Parentheses are nodes, so that a formatter can keep them. Names are not
//! resolved and nothing has a type; `check.rs` sees to that. The height of a
//! tree is bounded ([`crate::limits::HEIGHT`]), so recursion over it is safe.

pub use progmp_ir::Span;

/// A whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// From `SCHEDULER name;` at the top.
    pub header: Option<Name>,
    /// Everything after the header.
    pub body: Vec<Stmt>,
    /// All comments, in order, with their delimiters.
    pub comments: Vec<Span>,
}

/// A name where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// From its first to its last byte.
    pub span: Span,
    pub(crate) height: u16,
}

/// `{ … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The statements.
    pub stmts: Vec<Stmt>,
    /// Both braces included.
    pub span: Span,
}

/// `IF (cond) { … }`, the first or one after an ELSE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arm {
    /// From `IF` to `)`.
    pub head: Span,
    /// The condition.
    pub cond: Expr,
    /// Taken if it is TRUE.
    pub block: Block,
}

/// `R1 AS name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The register, not yet resolved.
    pub register: Name,
    /// Its new name.
    pub name: Name,
}

/// `name = init`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declarator {
    /// What is declared.
    pub name: Name,
    /// Its value.
    pub init: Expr,
    /// From the name to the end of the value.
    pub span: Span,
}

/// The forms of statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StmtKind {
    /// `SCHEDULER name;` anywhere but at the top, where it has no place.
    Header(Name),
    /// `DEFINE R1 AS a, R2 as b;`
    Define(Vec<Alias>),
    /// `IF … ELSE IF … ELSE …`
    If {
        /// At least one.
        arms: Vec<Arm>,
        /// The last ELSE.
        otherwise: Option<Block>,
    },
    /// `FOREACH (VAR x IN list) { … }`
    Foreach {
        /// From `FOREACH` to `)`.
        head: Span,
        /// The element.
        var: Name,
        /// The list.
        list: Expr,
        /// The body.
        body: Block,
    },
    /// `VAR a = …, b = …;`
    Var(Vec<Declarator>),
    /// `SET(R1, e);`
    Set {
        /// A register or an alias.
        register: Name,
        /// The value.
        value: Expr,
    },
    /// `DROP(e);`
    Drop(Expr),
    /// `PRINT("…", e, …);`
    Print {
        /// The format.
        format: Text,
        /// What it prints.
        args: Vec<Expr>,
    },
    /// `RETURN;`
    Return,
    /// `VOID(e);`, `VOID();`
    Void(Option<Expr>),
    /// `e;`: PUSH and SET_USER; anything else is refused by the checker.
    Expr(Expr),
    /// A statement that did not parse, in the tree of a file with mistakes only.
    Broken {
        /// Names that it probably declares.
        names: Vec<Name>,
    },
}

/// A string literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Escapes resolved.
    pub value: String,
    /// Quotes included.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
    pub(crate) height: u16,
}

/// An argument of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// A value.
    Expr(Expr),
    /// A predicate or a key.
    Lambda(Lambda),
}

impl Arg {
    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Self::Expr(expr) => expr.span,
            Self::Lambda(lambda) => lambda.span,
        }
    }
}

/// `x => e`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lambda {
    /// The element.
    pub param: Name,
    /// Predicate or key.
    pub body: Box<Expr>,
    /// From the parameter to the end of the body.
    pub span: Span,
}

/// The operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`, `<=`, `>`, `>=`
    Order(progmp_ir::OrderOp),
    /// `+`, `-`, `*`, `/`, `%`
    Arith(progmp_ir::ArithOp),
}

impl BinaryOp {
    /// The ProgMP spelling.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Order(op) => op.symbol(),
            Self::Arith(op) => op.symbol(),
        }
    }
}

/// The forms of expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// A number.
    Int(u64),
    /// TRUE, FALSE.
    Bool(bool),
    /// NULL.
    Null,
    /// A string.
    Text(String),
    /// A variable, register, alias or built-in.
    Name(String),
    /// `(e)`
    Paren(Box<Expr>),
    /// `!e`
    Not(Box<Expr>),
    /// `a op b`
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Before it.
        left: Box<Expr>,
        /// After it.
        right: Box<Expr>,
    },
    /// `e.name`, `e.name(args)`
    Member {
        /// Before the dot.
        receiver: Box<Expr>,
        /// After the dot; PUSH, SET_USER and POP included.
        name: Name,
        /// `None` without parentheses.
        args: Option<Vec<Arg>>,
    },
    /// Too high a tree, cut off; or a broken head of a block.
    Broken,
}

impl Expr {
    /// The expression inside any number of parentheses.
    pub fn without_parens(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}

impl File {
    /// Whether both are the same tree, wherever it stands in its text.
    pub fn same_tree(&self, other: &Self) -> bool {
        let mut trees = [self.clone(), other.clone()];
        for tree in &mut trees {
            crate::erase::erase_spans(tree);
        }
        trees[0] == trees[1]
    }
}
