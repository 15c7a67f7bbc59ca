//! Expressions: names, operators, and which type stands where.

use progmp_ir::{ExprId, ExprKind, Lambda, ListSource, Span, Type};

use super::Checker;
use super::scope::{Binding, Global};
use crate::ast::{self, BinaryOp};
use crate::codes::Code;
use crate::diagnostic::Diagnostic;
use crate::limits;
use crate::suggest::closest;

/// What an expression turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// It has a type.
    Typed(ExprId),
    /// NULL, or a variable that is NULL: it takes the type that is wanted.
    Null(Span),
    /// A string.
    Text(Span),
    /// Wrong, and reported.
    Broken,
}

impl<'a> Checker<'a, '_> {
    /// An expression. Its left spine is walked in a loop, so long chains need no stack.
    pub(super) fn expr(&mut self, expr: &'a ast::Expr) -> Value {
        let mut spine = Vec::new();
        let mut inner = expr;
        loop {
            let next = match &inner.kind {
                ast::ExprKind::Paren(next) | ast::ExprKind::Not(next) => next,
                ast::ExprKind::Binary { left, .. } => left,
                ast::ExprKind::Member { receiver, .. } => receiver,
                _ => break,
            };
            spine.push(inner);
            inner = next;
        }
        let mut value = self.atom(inner);
        for node in spine.into_iter().rev() {
            value = match &node.kind {
                ast::ExprKind::Paren(_) => value,
                ast::ExprKind::Not(operand) => self.not(value, operand, node.span),
                ast::ExprKind::Binary { op, left, right } => {
                    self.binary(*op, value, left, right, node.span)
                }
                ast::ExprKind::Member {
                    receiver,
                    name,
                    args,
                } => self.member(value, receiver, name, args.as_deref(), node.span),
                _ => unreachable!("the spine holds operators and members"),
            };
        }
        value
    }

    fn atom(&mut self, expr: &'a ast::Expr) -> Value {
        let span = expr.span;
        match &expr.kind {
            ast::ExprKind::Int(value) => self.add(ExprKind::Int(*value), span),
            ast::ExprKind::Bool(value) => self.add(ExprKind::Bool(*value), span),
            ast::ExprKind::Null => Value::Null(span),
            ast::ExprKind::Text(_) => Value::Text(span),
            ast::ExprKind::Name(name) => self.name(name, span),
            ast::ExprKind::Broken => Value::Broken,
            _ => unreachable!("operators and members are not atoms"),
        }
    }

    fn name(&mut self, name: &'a str, span: Span) -> Value {
        if self.predicate {
            return self.predicate_name(name, span);
        }
        if let Some(alias) = self.scopes.alias_named(name) {
            let used = ast::Name {
                text: name.to_owned(),
                span,
            };
            self.defined_before(alias, &used);
            return match alias.register {
                Some(register) => self.add(ExprKind::Register(register), span),
                None => Value::Broken,
            };
        }
        if let Some(global) = Global::named(name) {
            return match global {
                Global::Register(register) => self.add(ExprKind::Register(register), span),
                Global::Queue(queue) => self.add(ExprKind::Queue(queue), span),
                Global::Subflows => self.add(ExprKind::Subflows, span),
                Global::Time => self.add(ExprKind::Time, span),
                Global::Random => Value::Typed(self.arena.random(span)),
            };
        }
        match self.scopes.find(name) {
            Some(Binding::Var(var)) => self.add(ExprKind::Var(var), span),
            Some(Binding::Null) => Value::Null(span),
            Some(Binding::Broken) => Value::Broken,
            None => {
                let diagnostic = self.unknown_name(name, span);
                self.sink.push(diagnostic);
                Value::Broken
            }
        }
    }

    /// The predicate of a requirement knows its parameter only.
    fn predicate_name(&mut self, name: &str, span: Span) -> Value {
        match self.scopes.find(name) {
            Some(Binding::Var(var)) => return self.add(ExprKind::Var(var), span),
            Some(_) => return Value::Broken,
            None => {}
        }
        self.too_much(span, &format!("`{name}` is not the predicate's parameter"));
        Value::Broken
    }

    pub(super) fn too_much(&mut self, span: Span, message: &str) {
        self.sink.push(
            Diagnostic::new(Code::PredicateReadsTooMuch, span, message).help(
                "a predicate uses the properties of its parameter other than USER, literals and NULL",
            ),
        );
    }

    fn unknown_name(&self, name: &str, span: Span) -> Diagnostic {
        let message = format!("`{name}` is not declared");
        let diagnostic = Diagnostic::new(Code::UnknownName, span, message);
        if self.sink.is_full() {
            return diagnostic;
        }
        if let Some(declared) = self.scopes.out_of_scope(name) {
            return diagnostic
                .label(declared, "this one is known in its own block only")
                .help("declare it in a block that holds both places");
        }
        if let Some(meant) = closest(name, self.scopes.visible()) {
            return diagnostic.help(format!("did you mean `{meant}`?"));
        }
        let digits = name.strip_prefix('R').unwrap_or("");
        if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return diagnostic.help("the registers are R1 to R6");
        }
        diagnostic.help("a variable is known after its own declaration, to the end of its block")
    }

    fn not(&mut self, value: Value, operand: &ast::Expr, span: Span) -> Value {
        match self.coerce(value, Type::Bool, operand.span, "the operand of `!`") {
            Some(operand) => self.add(ExprKind::Not(operand), span),
            None => Value::Broken,
        }
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        value: Value,
        left: &'a ast::Expr,
        right: &'a ast::Expr,
        span: Span,
    ) -> Value {
        let other = self.expr(right);
        let wanted = match op {
            BinaryOp::Or | BinaryOp::And => Type::Bool,
            BinaryOp::Order(_) | BinaryOp::Arith(_) => Type::Int,
            BinaryOp::Eq => return self.equal(value, other, left.span, right.span, span, false),
            BinaryOp::Ne => return self.equal(value, other, left.span, right.span, span, true),
        };
        let what = format!("an operand of `{}`", op.symbol());
        let a = self.coerce(value, wanted, left.span, &what);
        let b = self.coerce(other, wanted, right.span, &what);
        let (Some(a), Some(b)) = (a, b) else {
            return Value::Broken;
        };
        let kind = match op {
            BinaryOp::Or => ExprKind::Or(a, b),
            BinaryOp::And => ExprKind::And(a, b),
            BinaryOp::Order(op) => ExprKind::Order(op, a, b),
            BinaryOp::Arith(op) => ExprKind::Arith(op, a, b),
            BinaryOp::Eq | BinaryOp::Ne => unreachable!("equality is handled above"),
        };
        self.add(kind, span)
    }

    fn equal(
        &mut self,
        left: Value,
        right: Value,
        left_span: Span,
        right_span: Span,
        span: Span,
        negated: bool,
    ) -> Value {
        for value in [left, right] {
            if let Value::Text(at) = value {
                self.string_outside_print(at);
                return Value::Broken;
            }
        }
        let (a, b) = match (left, right) {
            (Value::Typed(a), Value::Typed(b)) => {
                if let Some(diagnostic) = self.not_comparable(a, b, left_span, right_span, span) {
                    self.sink.push(diagnostic);
                    return Value::Broken;
                }
                (a, b)
            }
            (Value::Null(a), Value::Null(b)) => {
                let a = self.arena.null(Type::Int, a);
                (a, self.arena.null(Type::Int, b))
            }
            (Value::Typed(a), Value::Null(at)) => match self.null_like(a, at) {
                Some(b) => (a, b),
                None => return self.add(ExprKind::Bool(negated), span),
            },
            (Value::Null(at), Value::Typed(b)) => match self.null_like(b, at) {
                Some(a) => (a, b),
                None => return self.add(ExprKind::Bool(negated), span),
            },
            _ => return Value::Broken,
        };
        self.add(ExprKind::Equal { a, b, negated }, span)
    }

    /// NULL as a value of the other side's type; `None` for a list, which never is NULL.
    fn null_like(&mut self, other: ExprId, at: Span) -> Option<ExprId> {
        match self.arena.ty(other) {
            Type::List(_) => None,
            ty => Some(self.arena.null(ty, at)),
        }
    }

    fn not_comparable(
        &self,
        a: ExprId,
        b: ExprId,
        left: Span,
        right: Span,
        span: Span,
    ) -> Option<Diagnostic> {
        let (ta, tb) = (self.arena.ty(a), self.arena.ty(b));
        let help = match (ta, tb) {
            (Type::Int, Type::Int) | (Type::Bool, Type::Bool) => return None,
            (Type::Subflow, Type::Subflow) => "compare their `.ID`",
            (Type::Packet, Type::Packet) => "compare their `.SEQ`",
            (Type::List(_), Type::List(_)) => "compare their `.COUNT`, or test `.EMPTY`",
            _ => {
                let message = format!(
                    "{} cannot be equal to {}",
                    with_article(ta),
                    with_article(tb)
                );
                let diagnostic = Diagnostic::new(Code::TypeMismatch, span, message)
                    .label(left, ta.to_string())
                    .label(right, tb.to_string());
                return Some(diagnostic);
            }
        };
        let message = format!("two values of type {ta} are not compared with `==` or `!=`");
        Some(Diagnostic::new(Code::NotComparable, span, message).help(help))
    }

    /// An expression of a type.
    pub(super) fn want(&mut self, expr: &'a ast::Expr, ty: Type, what: &str) -> Option<ExprId> {
        let value = self.expr(expr);
        self.coerce(value, ty, expr.span, what)
    }

    /// A list, of subflows or of packets.
    pub(super) fn list(&mut self, expr: &'a ast::Expr, what: &str) -> Option<ExprId> {
        match self.expr(expr) {
            Value::Typed(id) if matches!(self.arena.ty(id), Type::List(_)) => Some(id),
            Value::Typed(id) => {
                let ty = self.arena.ty(id);
                let message = format!("{what} needs a list, not {}", with_article(ty));
                self.sink
                    .push(Diagnostic::new(Code::TypeMismatch, expr.span, message));
                None
            }
            Value::Null(at) => {
                self.null_is_not_a_list(at, what);
                None
            }
            Value::Text(at) => {
                self.string_outside_print(at);
                None
            }
            Value::Broken => None,
        }
    }

    pub(super) fn null_is_not_a_list(&mut self, at: Span, what: &str) {
        let message = format!("{what} needs a list, and NULL is none");
        self.sink
            .push(Diagnostic::new(Code::NullIsNotAList, at, message));
    }

    /// The value as one of this type; reports what cannot be.
    pub(super) fn coerce(
        &mut self,
        value: Value,
        wanted: Type,
        span: Span,
        what: &str,
    ) -> Option<ExprId> {
        match value {
            Value::Typed(id) if self.arena.ty(id) == wanted => Some(id),
            Value::Typed(id) => {
                let found = self.arena.ty(id);
                let message = format!(
                    "{what} is {}, not {}",
                    with_article(wanted),
                    with_article(found)
                );
                let mut diagnostic = Diagnostic::new(Code::TypeMismatch, span, message);
                if let Some(help) = conversion(found, wanted) {
                    diagnostic = diagnostic.help(help);
                }
                self.sink.push(diagnostic);
                None
            }
            Value::Null(at) => Some(self.arena.null(wanted, at)),
            Value::Text(at) => {
                self.string_outside_print(at);
                None
            }
            Value::Broken => None,
        }
    }

    /// `x => body` over elements of type `param`.
    pub(super) fn lambda(
        &mut self,
        lambda: &'a ast::Lambda,
        param: Type,
        body: Type,
    ) -> Option<Lambda> {
        if self.lambdas == limits::LAMBDAS {
            let message = format!("more than {} lambdas, one in the other", limits::LAMBDAS);
            self.sink.push(
                Diagnostic::new(Code::TooManyLambdas, lambda.param.span, message)
                    .help("name the inner list with VAR before this statement"),
            );
            return None;
        }
        self.lambdas += 1;
        let name = &lambda.param;
        let var = self.arena.var(&name.text, param, false, name.span);
        self.scopes.enter();
        self.scopes.declare(name, Binding::Var(var), self.sink);
        let what = match body {
            Type::Bool => "the predicate",
            _ => "the key",
        };
        let body = self.want(&lambda.body, body, what);
        self.scopes.leave();
        self.lambdas -= 1;
        body.map(|body| Lambda { param: var, body })
    }
}

/// How the writer may get from one type to the other.
const fn conversion(found: Type, wanted: Type) -> Option<&'static str> {
    Some(match (found, wanted) {
        (Type::Int, Type::Bool) => "compare it: `… > 0`, `… != 0`",
        (Type::Subflow | Type::Packet, Type::Bool) => "compare it: `… != NULL`",
        (Type::List(_), Type::Bool) => "test it: `!….EMPTY`",
        (Type::List(_), Type::Int) => "count it: `….COUNT`",
        (Type::Bool, Type::Int) => "there are no conversions; use IF",
        (Type::Subflow, Type::Int) => "its number is `.ID`",
        (Type::Packet, Type::Int) => "its sequence number is `.SEQ`, its length `.LENGTH`",
        (Type::List(ListSource::Subflows), Type::Subflow) => {
            "take one of them: `.FIRST`, `.GET(i)`, `.MIN(s => s.RTT)`; or all, by FOREACH"
        }
        (Type::List(ListSource::Queue(_)), Type::Packet) => "take one of them: `.TOP`, `.POP()`",
        (Type::Packet, Type::Subflow) | (Type::Subflow, Type::Packet) => {
            "a packet is pushed on a subflow: `subflow.PUSH(packet);`"
        }
        _ => return None,
    })
}

/// `a packet`, `an int`.
pub(super) fn with_article(ty: Type) -> String {
    let article = if ty == Type::Int { "an" } else { "a" };
    format!("{article} {ty}")
}
