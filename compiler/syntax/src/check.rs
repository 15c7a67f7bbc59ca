//! Names and types: a tree to a [`Program`].
//!
//! Every rule of specs/grammar.md, section 3, that a file can break is checked
//! here, all in one pass and each mistake once: what hangs on something wrong is
//! itself neither right nor wrong. Expressions that are right go to `lower.rs`
//! at once; after a mistake the program is thrown away.

mod expr;
mod member;
mod print;
mod scope;

use progmp_ir::{Block, ExprId, ExprKind, Operand, Program, Span, Stmt, StmtKind, Type};

use crate::ast;
use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sink};
use crate::lower::{Arena, element};
use expr::Value;
use scope::{Binding, Global, Scopes};

/// Checks a file; the result means something only if `sink` has no errors.
pub(crate) fn check(file: &ast::File, sink: &mut Sink) -> Program {
    let mut checker = Checker {
        scopes: Scopes::new(file, sink),
        arena: Arena::default(),
        sink,
        lambdas: 0,
        predicate: false,
    };
    checker.scopes.enter();
    let body = checker.stmts(&file.body, 0);
    checker.scopes.leave();
    let mut program = checker.arena.program;
    program.name = file.header.as_ref().map(|name| name.text.clone());
    program.body = body;
    program
}

/// Checks the predicate of a requirement, in a program that is otherwise complete.
/// `None` after a mistake.
pub(crate) fn check_predicate(
    lambda: &ast::Lambda,
    program: &mut Program,
    sink: &mut Sink,
) -> Option<progmp_ir::Lambda> {
    let mut checker = Checker {
        scopes: Scopes::default(),
        arena: Arena {
            program: std::mem::take(program),
        },
        sink,
        lambdas: 0,
        predicate: true,
    };
    let lowered = checker.lambda(lambda, Type::Subflow, Type::Bool);
    *program = checker.arena.program;
    lowered
}

/// Whether an expression is a POP where one may stand.
enum Pop {
    No,
    Right(Operand),
    /// It is one, with a mistake that has been reported.
    Wrong,
}

struct Checker<'a, 'k> {
    scopes: Scopes<'a>,
    arena: Arena,
    sink: &'k mut Sink,
    /// How many lambdas are around this place.
    lambdas: usize,
    /// This is the predicate of a requirement.
    predicate: bool,
}

impl<'a> Checker<'a, '_> {
    fn block(&mut self, block: &'a ast::Block, depth: usize) -> Block {
        self.scopes.enter();
        let stmts = self.stmts(&block.stmts, depth);
        self.scopes.leave();
        stmts
    }

    fn stmts(&mut self, stmts: &'a [ast::Stmt], depth: usize) -> Block {
        let mut out = Vec::with_capacity(stmts.len());
        let mut ended = false;
        for (at, stmt) in stmts.iter().enumerate() {
            self.stmt(stmt, depth, &mut out);
            if ended || !matches!(stmt.kind, ast::StmtKind::Return) {
                continue;
            }
            ended = true;
            if let Some(next) = stmts[at + 1..].iter().find(|stmt| is_executed(stmt)) {
                let message = "what follows RETURN is never executed";
                self.sink.push(
                    Diagnostic::new(Code::Unreachable, head(next), message)
                        .label(stmt.span, "the execution ends here"),
                );
            }
        }
        out
    }

    fn stmt(&mut self, stmt: &'a ast::Stmt, depth: usize, out: &mut Block) {
        let span = stmt.span;
        match &stmt.kind {
            ast::StmtKind::Header(name) => {
                let message = "SCHEDULER stands only at the top of a file";
                self.sink.push(
                    Diagnostic::new(Code::MisplacedHeader, span, message).help(format!(
                        "a file holds one scheduler; move `{}` to a file of its own, or its header to the top",
                        name.text
                    )),
                );
            }
            ast::StmtKind::Define(_) if depth > 0 => self.sink.push(
                Diagnostic::new(
                    Code::MisplacedDefine,
                    span,
                    "DEFINE stands outside of blocks",
                )
                .help("move it to the top of the file"),
            ),
            ast::StmtKind::Define(_) => {}
            ast::StmtKind::If { arms, otherwise } => {
                self.arms(arms, otherwise.as_ref(), depth, out);
            }
            ast::StmtKind::Foreach {
                head,
                var,
                list,
                body,
            } => self.foreach(*head, var, list, body, depth, out),
            ast::StmtKind::Var(declarators) => {
                for declarator in declarators {
                    self.declarator(declarator, out);
                }
            }
            ast::StmtKind::Set { register, value } => self.set(register, value, span, out),
            ast::StmtKind::Drop(value) => {
                let id = self.arena.stmt();
                let packet = self.packet(value, "the argument of DROP");
                if let Some(packet) = packet {
                    let kind = StmtKind::Drop { packet };
                    out.push(Stmt { id, span, kind });
                }
            }
            ast::StmtKind::Print { format, args } => {
                let id = self.arena.stmt();
                let args = self.print(format, args);
                let format = format.value.clone();
                let kind = StmtKind::Print { format, args };
                out.push(Stmt { id, span, kind });
            }
            ast::StmtKind::Return => {
                let id = self.arena.stmt();
                let kind = StmtKind::Return;
                out.push(Stmt { id, span, kind });
            }
            ast::StmtKind::Void(value) => {
                let id = self.arena.stmt();
                let value = value.as_ref().and_then(|value| self.any(value));
                let kind = StmtKind::Void(value);
                out.push(Stmt { id, span, kind });
            }
            ast::StmtKind::Expr(expr) => self.effect(expr, span, out),
            ast::StmtKind::Broken { names } => {
                for name in names {
                    if self.scopes.alias_named(&name.text).is_none()
                        && Global::named(&name.text).is_none()
                    {
                        self.scopes.declare(name, Binding::Broken, self.sink);
                    }
                }
            }
        }
    }

    /// IF, ELSE IF …, ELSE: each IF after the first stands alone in the ELSE of the one before.
    fn arms(
        &mut self,
        arms: &'a [ast::Arm],
        otherwise: Option<&'a ast::Block>,
        depth: usize,
        out: &mut Block,
    ) {
        let mut heads = Vec::with_capacity(arms.len());
        for arm in arms {
            let id = self.arena.stmt();
            let cond = self.want(&arm.cond, Type::Bool, "the condition of IF");
            let then = self.block(&arm.block, depth + 1);
            heads.push((id, arm.head, cond, then));
        }
        let mut rest = otherwise.map(|block| self.block(block, depth + 1));
        for (id, span, cond, then) in heads.into_iter().rev() {
            let Some(cond) = cond else {
                rest = None;
                continue;
            };
            let kind = StmtKind::If {
                cond,
                then,
                otherwise: rest,
            };
            rest = Some(vec![Stmt { id, span, kind }]);
        }
        out.extend(rest.into_iter().flatten());
    }

    fn foreach(
        &mut self,
        span: Span,
        var: &'a ast::Name,
        list: &'a ast::Expr,
        body: &'a ast::Block,
        depth: usize,
        out: &mut Block,
    ) {
        let id = self.arena.stmt();
        let list = self.list(list, "FOREACH");
        let declared = list.map(|list| {
            let ty = element(self.arena.program.list_kind(list));
            self.arena.var(&var.text, ty, false, var.span)
        });
        self.scopes.enter();
        let binding = declared.map_or(Binding::Broken, Binding::Var);
        self.scopes.declare(var, binding, self.sink);
        let body = self.block(body, depth + 1);
        self.scopes.leave();
        if let (Some(var), Some(list)) = (declared, list) {
            let kind = StmtKind::Foreach { var, list, body };
            out.push(Stmt { id, span, kind });
        }
    }

    fn declarator(&mut self, declarator: &'a ast::Declarator, out: &mut Block) {
        let ast::Declarator { name, init, span } = declarator;
        let id = self.arena.stmt();
        let init = match self.pop(init) {
            Pop::Right(pop) => Some((pop, Type::Packet, true, None)),
            Pop::Wrong => None,
            Pop::No => match self.expr(init) {
                Value::Typed(value) => {
                    let ty = self.arena.ty(value);
                    let may_be_null = self.arena.nullable(value);
                    Some((Operand::Expr(value), ty, may_be_null, None))
                }
                Value::Null(at) => {
                    let value = self.arena.null(Type::Int, at);
                    Some((Operand::Expr(value), Type::Int, true, Some(Binding::Null)))
                }
                Value::Text(at) => {
                    self.string_outside_print(at);
                    None
                }
                Value::Broken => None,
            },
        };
        let mut binding = Binding::Broken;
        if let Some((init, ty, may_be_null, null)) = init {
            let var = self.arena.var(&name.text, ty, may_be_null, name.span);
            binding = null.unwrap_or(Binding::Var(var));
            let (span, kind) = (*span, StmtKind::Let { var, init });
            out.push(Stmt { id, span, kind });
        }
        self.scopes.declare(name, binding, self.sink);
    }

    fn set(&mut self, register: &ast::Name, value: &'a ast::Expr, span: Span, out: &mut Block) {
        let id = self.arena.stmt();
        let reg = self.register(register);
        let value = self.want(value, Type::Int, "the value of SET");
        if let (Some(reg), Some(value)) = (reg, value) {
            let kind = StmtKind::Set { reg, value };
            out.push(Stmt { id, span, kind });
        }
    }

    fn register(&mut self, name: &ast::Name) -> Option<progmp_ir::SchedReg> {
        if let Some(alias) = self.scopes.alias_named(&name.text) {
            self.defined_before(alias, name);
            return alias.register;
        }
        if let Some(register) = scope::register(&name.text) {
            return Some(register);
        }
        let message = format!("`{}` is not a register", name.text);
        let diagnostic = Diagnostic::new(Code::NotARegister, name.span, message);
        let diagnostic = match self.scopes.find(&name.text) {
            Some(Binding::Broken) => return None,
            Some(_) => diagnostic.help(
                "a variable is assigned once, where it is declared; use a register to keep a value",
            ),
            None => diagnostic.help("the registers are R1 to R6; DEFINE gives them other names"),
        };
        self.sink.push(diagnostic);
        None
    }

    fn defined_before(&mut self, alias: scope::Alias, name: &ast::Name) {
        if alias.span.start > name.span.start {
            let message = format!("`{}` is used before its DEFINE", name.text);
            self.sink.push(
                Diagnostic::new(Code::UsedBeforeDefine, name.span, message)
                    .label(alias.span, "defined only here")
                    .help("move the DEFINE to the top of the file"),
            );
        }
    }

    /// `s.PUSH(p);` and `s.SET_USER(v);`.
    fn effect(&mut self, expr: &'a ast::Expr, span: Span, out: &mut Block) {
        if let ast::ExprKind::Member {
            receiver,
            name,
            args,
        } = &expr.kind
            && matches!(&*name.text, "PUSH" | "SET_USER")
        {
            let id = self.arena.stmt();
            let target = self.want(
                receiver,
                Type::Subflow,
                &format!("what {} applies to", name.text),
            );
            let Some([arg]) = self.arguments(name, args.as_deref()) else {
                return;
            };
            let Some(arg) = self.value_argument(arg, &name.text) else {
                return;
            };
            let kind = if name.text == "PUSH" {
                let packet = self.packet(arg, "the argument of PUSH");
                target
                    .zip(packet)
                    .map(|(target, packet)| StmtKind::Push { target, packet })
            } else {
                let value = self.want(arg, Type::Int, "the argument of SET_USER");
                target
                    .zip(value)
                    .map(|(target, value)| StmtKind::SetUser { target, value })
            };
            out.extend(kind.map(|kind| Stmt { id, span, kind }));
            return;
        }
        let pop = self.pop(expr);
        if let Pop::Wrong = pop {
            return;
        }
        if let Pop::Right(_) = pop {
            let message = "a popped packet is neither pushed nor dropped";
            self.sink
                .push(Diagnostic::new(Code::NoEffect, expr.span, message).help(
                "push it, `subflow.PUSH(….POP());`, or say that it is dropped, `DROP(….POP());`",
            ));
            return;
        }
        let before = self.sink.errors();
        let value = self.expr(expr);
        if self.sink.errors() == before {
            let diagnostic = Diagnostic::new(
                Code::NoEffect,
                expr.span,
                "an expression is not a statement",
            );
            self.sink.push(match (&expr.without_parens().kind, value) {
                (
                    ast::ExprKind::Binary {
                        op: ast::BinaryOp::Eq,
                        ..
                    },
                    _,
                ) => diagnostic.help("`==` compares; a register is set by `SET(R1, …);`"),
                _ => diagnostic.help("to evaluate it and discard its value, write `VOID(…);`"),
            });
        }
    }

    /// The argument of PUSH or DROP.
    fn packet(&mut self, value: &'a ast::Expr, what: &str) -> Option<Operand> {
        match self.pop(value) {
            Pop::Right(pop) => Some(pop),
            Pop::Wrong => None,
            Pop::No => self.want(value, Type::Packet, what).map(Operand::Expr),
        }
    }

    /// `l.POP()`, in parentheses or not.
    fn pop(&mut self, value: &'a ast::Expr) -> Pop {
        let value = value.without_parens();
        let ast::ExprKind::Member {
            receiver,
            name,
            args,
        } = &value.kind
        else {
            return Pop::No;
        };
        if name.text != "POP" {
            return Pop::No;
        }
        let list = self.list(receiver, "POP");
        if self.arguments::<0>(name, args.as_deref()).is_none() {
            return Pop::Wrong;
        }
        let span = value.span;
        match list.filter(|&list| self.may_pop(list, name)) {
            Some(list) => Pop::Right(Operand::Pop { list, span }),
            None => Pop::Wrong,
        }
    }

    fn may_pop(&mut self, list: ExprId, name: &ast::Name) -> bool {
        use progmp_ir::{ListSource, QueueName};
        let help = match self.arena.program.list_source(list) {
            ListSource::Queue(QueueName::Send | QueueName::Retrans) => return true,
            ListSource::Queue(QueueName::Unacked) => {
                "packets of QU are scheduled already and stay there until they are acknowledged; `.TOP` reads the first"
            }
            ListSource::Subflows => {
                "subflows are not taken from their list; `.FIRST` reads the first"
            }
        };
        let ty = self.arena.ty(list);
        let message = match ty {
            Type::List(ListSource::Subflows) => format!("POP is not for a {ty}"),
            _ => "POP is not for packets of QU".to_owned(),
        };
        self.sink
            .push(Diagnostic::new(Code::CannotPop, name.span, message).help(help));
        false
    }

    fn string_outside_print(&mut self, at: Span) {
        let message = "a string stands only in PRINT";
        self.sink
            .push(Diagnostic::new(Code::StringOutsidePrint, at, message));
    }

    /// A value of whatever type; NULL becomes an int.
    fn any(&mut self, value: &'a ast::Expr) -> Option<ExprId> {
        match self.expr(value) {
            Value::Typed(id) => Some(id),
            Value::Null(at) => Some(self.arena.null(Type::Int, at)),
            Value::Text(at) => {
                self.string_outside_print(at);
                None
            }
            Value::Broken => None,
        }
    }

    fn add(&mut self, kind: ExprKind, span: Span) -> Value {
        Value::Typed(self.arena.add(kind, span))
    }
}

/// Whether it does something when its turn comes.
fn is_executed(stmt: &ast::Stmt) -> bool {
    match &stmt.kind {
        ast::StmtKind::Header(_) | ast::StmtKind::Define(_) | ast::StmtKind::Broken { .. } => false,
        ast::StmtKind::If { arms, .. } => arms[0].cond.kind != ast::ExprKind::Broken,
        _ => true,
    }
}

/// A statement up to its first block.
fn head(stmt: &ast::Stmt) -> Span {
    match &stmt.kind {
        ast::StmtKind::If { arms, .. } => arms[0].head,
        ast::StmtKind::Foreach { head, .. } => *head,
        _ => stmt.span,
    }
}
