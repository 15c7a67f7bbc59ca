//! Mutants of a scheduler: its text with one small thing changed.
//!
//! In: a scheduler that is right. Out: every change that an operator of the list makes and that
//! the front end still reads, named after the scheduler, the operator and the place. Sites come
//! from the tree, changes are made in the text, so what is not mentioned stays as it is.

use std::collections::BTreeSet;

use progmp_ir::{OrderOp, Span};
use progmp_syntax::ast::{Arg, BinaryOp, Expr, ExprKind, Stmt, StmtKind};
use progmp_syntax::parse;

/// Every operator, by the name that mutants carry.
pub(crate) const OPERATORS: &[&str] = &[
    "if-true",
    "pop-hoisted",
    "filter-negated",
    "push-dropped",
    "filter-dropped",
    "if-negated",
    "top-to-last",
    "min-to-max",
    "pop-to-top",
    "top-to-pop",
    "set-dropped",
    "return-dropped",
    "drop-dropped",
    "drop-added",
    "set-to-null",
    "queue-swapped",
    "order-shifted",
    "conjunct-dropped",
    "push-doubled",
    "then-inlined",
    "set-hoisted",
    "set-raised",
    "set-to-zero",
    "set-to-count",
    "equality-negated",
    "not-dropped",
    "or-to-and",
    "and-to-or",
    "else-dropped",
    "literal-raised",
];

/// A scheduler with one thing changed.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// `scheduler/operator@line:column`.
    pub(crate) name: String,
    /// One of [`OPERATORS`].
    pub(crate) operator: &'static str,
    /// The whole text.
    pub(crate) text: String,
}

/// Every mutant that the front end reads, in the order of the text; equal texts count once.
pub(crate) fn mutants(scheduler: &str, text: &str) -> Vec<Mutant> {
    let parsed = parse(scheduler, text.as_bytes(), &[]);
    let file = parsed.ast.expect("a scheduler of the corpus is right");
    let mut walk = Walk {
        text,
        found: Vec::new(),
    };
    walk.block(&file.body, None);
    let mut texts = BTreeSet::from([text.to_owned()]);
    let mut mutants = Vec::new();
    for Change {
        operator,
        at,
        mut edits,
    } in walk.found
    {
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.0));
        let mut text = text.to_owned();
        for (span, with) in edits {
            text.replace_range(range(span), &with);
        }
        let is_read = parse(scheduler, text.as_bytes(), &[]).program.is_some();
        if !is_read || !texts.insert(text.clone()) {
            continue;
        }
        let before = &walk.text[..at as usize];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        mutants.push(Mutant {
            name: format!("{scheduler}/{operator}@{line}:{column}"),
            operator,
            text,
        });
    }
    mutants
}

fn range(span: Span) -> std::ops::Range<usize> {
    span.start as usize..span.end as usize
}

struct Change {
    operator: &'static str,
    /// The byte that names the place.
    at: u32,
    edits: Vec<(Span, String)>,
}

struct Walk<'t> {
    text: &'t str,
    found: Vec<Change>,
}

impl Walk<'_> {
    fn text(&self, span: Span) -> String {
        self.text[range(span)].to_owned()
    }

    fn change(&mut self, operator: &'static str, at: Span, edits: Vec<(Span, String)>) {
        assert!(OPERATORS.contains(&operator), "{operator} is not listed");
        self.found.push(Change {
            operator,
            at: at.start,
            edits,
        });
    }

    fn replace(&mut self, operator: &'static str, span: Span, with: impl Into<String>) {
        self.change(operator, span, vec![(span, with.into())]);
    }

    /// `around` is the innermost IF or FOREACH that holds the block.
    fn block(&mut self, block: &[Stmt], around: Option<Span>) {
        for stmt in block {
            self.stmt(stmt, around);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, around: Option<Span>) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::If { arms, otherwise } => {
                for arm in arms {
                    let cond = self.text(arm.cond.span);
                    self.replace("if-true", arm.cond.span, "TRUE");
                    self.replace("if-negated", arm.cond.span, format!("!({cond})"));
                    self.expr(&arm.cond);
                    self.block(&arm.block.stmts, Some(span));
                }
                let last = arms.last().expect("an IF has an arm");
                match otherwise {
                    Some(block) => {
                        self.block(&block.stmts, Some(span));
                        let gone = Span::new(last.block.span.end, block.span.end);
                        self.change("else-dropped", block.span, vec![(gone, String::new())]);
                    }
                    None if arms.len() == 1 => {
                        let Span { start, end } = last.block.span;
                        let inside = self.text(Span::new(start + 1, end - 1));
                        self.replace("then-inlined", span, inside);
                    }
                    None => {}
                }
            }
            StmtKind::Foreach { list, body, .. } => {
                self.expr(list);
                self.block(&body.stmts, Some(span));
            }
            StmtKind::Var(declarators) => {
                for declarator in declarators {
                    self.expr(&declarator.init);
                }
            }
            StmtKind::Set { register, value } => {
                let (whole, value_text) = (self.text(span), self.text(value.span));
                self.replace("set-dropped", span, "");
                self.replace("set-to-zero", value.span, "0");
                self.replace("set-to-null", value.span, "SUBFLOWS.TOP.ID");
                self.replace("set-raised", value.span, format!("({value_text}) + 1"));
                let counted = format!("{} + 1", register.text);
                self.replace("set-to-count", value.span, counted);
                if let Some(around) = around {
                    let before = Span::new(around.start, around.start);
                    let edits = vec![(span, String::new()), (before, format!("{whole} "))];
                    self.change("set-hoisted", span, edits);
                }
                self.expr(value);
            }
            StmtKind::Drop(packet) => {
                self.replace("drop-dropped", span, "");
                self.hoist(packet, around);
                self.expr(packet);
            }
            StmtKind::Return => self.replace("return-dropped", span, ""),
            StmtKind::Expr(effect) => self.effect(stmt, effect, around),
            StmtKind::Print { args, .. } => args.iter().for_each(|arg| self.expr(arg)),
            StmtKind::Void(e) => e.iter().for_each(|e| self.expr(e)),
            StmtKind::Header(_) | StmtKind::Define(_) | StmtKind::Broken { .. } => {}
        }
    }

    /// `s.PUSH(e);` or `s.SET_USER(e);`
    fn effect(&mut self, stmt: &Stmt, effect: &Expr, around: Option<Span>) {
        if let ExprKind::Member { name, args, .. } = &effect.kind
            && name.text == "PUSH"
            && let Some([Arg::Expr(packet)]) = args.as_deref()
        {
            let (span, whole) = (stmt.span, self.text(stmt.span));
            let dropped = self.text(packet.span);
            self.replace("push-dropped", span, "");
            self.replace("push-doubled", span, format!("{whole} {whole}"));
            self.replace("drop-added", span, format!("{whole} DROP({dropped});"));
            self.hoist(packet, around);
        }
        self.expr(effect);
    }

    /// Moves a POP before the block around its statement.
    fn hoist(&mut self, packet: &Expr, around: Option<Span>) {
        if let (ExprKind::Member { name, .. }, Some(around)) = (&packet.kind, around)
            && name.text == "POP"
        {
            let pop = self.text(packet.span);
            let before = Span::new(around.start, around.start);
            let edits = vec![
                (packet.span, "hoisted".to_owned()),
                (before, format!("VAR hoisted = {pop}; ")),
            ];
            self.change("pop-hoisted", packet.span, edits);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Not(inner) => {
                let positive = self.text(inner.span);
                self.replace("not-dropped", expr.span, positive);
                self.expr(inner);
            }
            ExprKind::Binary { op, left, right } => {
                self.binary(expr, *op, left, right);
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Member {
                receiver,
                name,
                args,
            } => {
                self.expr(receiver);
                self.member(expr, receiver, &name.text, name.span);
                for arg in args.iter().flatten() {
                    match arg {
                        Arg::Expr(arg) => self.expr(arg),
                        Arg::Lambda(lambda) => {
                            if name.text == "FILTER" {
                                let span = lambda.body.span;
                                let negated = format!("!({})", self.text(span));
                                self.replace("filter-negated", span, negated);
                            }
                            self.expr(&lambda.body);
                        }
                    }
                }
            }
            ExprKind::Name(name) => {
                let other = match name.as_str() {
                    "Q" => "RQ",
                    "RQ" | "QU" => "Q",
                    _ => return,
                };
                self.replace("queue-swapped", expr.span, other);
            }
            ExprKind::Int(value) => {
                let raised = value.saturating_add(1).to_string();
                self.replace("literal-raised", expr.span, raised);
            }
            ExprKind::Bool(_) | ExprKind::Null | ExprKind::Text(_) | ExprKind::Broken => {}
        }
    }

    fn member(&mut self, expr: &Expr, receiver: &Expr, name: &str, at: Span) {
        // From the name to the end: `MIN(…)`, `POP()`, `TOP`.
        let call = Span::new(at.start, expr.span.end);
        match name {
            "FILTER" => {
                let list = self.text(receiver.span);
                self.change("filter-dropped", at, vec![(expr.span, list)]);
            }
            "TOP" | "FIRST" => {
                self.replace("top-to-last", at, "LAST");
                self.replace("top-to-pop", at, "POP()");
            }
            "POP" => self.replace("pop-to-top", call, "TOP"),
            "MIN" => self.replace("min-to-max", at, "MAX"),
            "MAX" => self.replace("min-to-max", at, "MIN"),
            _ => {}
        }
    }

    fn binary(&mut self, expr: &Expr, op: BinaryOp, left: &Expr, right: &Expr) {
        let between = Span::new(left.span.end, right.span.start);
        let with = |symbol: &str| vec![(between, format!(" {symbol} "))];
        match op {
            BinaryOp::And => {
                for (kept, gone) in [(right, left), (left, right)] {
                    let edit = (expr.span, self.text(kept.span));
                    self.change("conjunct-dropped", gone.span, vec![edit]);
                }
                self.change("and-to-or", right.span, with("OR"));
            }
            BinaryOp::Or => self.change("or-to-and", right.span, with("AND")),
            BinaryOp::Eq => self.change("equality-negated", right.span, with("!=")),
            BinaryOp::Ne => self.change("equality-negated", right.span, with("==")),
            BinaryOp::Order(op) => {
                let shifted = match op {
                    OrderOp::Lt => "<=",
                    OrderOp::Le => "<",
                    OrderOp::Gt => ">=",
                    OrderOp::Ge => ">",
                };
                self.change("order-shifted", right.span, with(shifted));
            }
            BinaryOp::Arith(_) => {}
        }
    }
}
