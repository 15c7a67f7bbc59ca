//! Makes nodes for the grammar and keeps every tree below the height limit.
//!
//! A tree that grows past the limit is replaced by a broken node and its place
//! is noted once per statement; what is dropped is never higher than the limit.

use std::cell::{Cell, RefCell};

use crate::ast::{
    Arg, Arm, BinaryOp, Block, Expr, ExprKind, Lambda, Name, Span, Stmt, StmtKind, Text,
};
use crate::limits;

#[derive(Default)]
pub(crate) struct Build {
    /// Names that the broken pieces of the file declare, by the number in the token.
    pub broken: Vec<Vec<Name>>,
    /// Where a tree grew too high.
    pub too_high: RefCell<Vec<Span>>,
    noted: Cell<bool>,
}

impl Build {
    pub(crate) fn expr(&self, kind: ExprKind, l: u32, r: u32) -> Expr {
        let below = match &kind {
            ExprKind::Int(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Text(_)
            | ExprKind::Name(_)
            | ExprKind::Broken => 0,
            ExprKind::Paren(inner) | ExprKind::Not(inner) => inner.height,
            ExprKind::Binary { left, right, .. } => left.height.max(right.height),
            ExprKind::Member { receiver, args, .. } => {
                let args = args.iter().flatten().map(arg_height).max();
                receiver.height.max(args.unwrap_or(0))
            }
        };
        let span = Span::new(l, r);
        if self.fits(below, span) {
            let height = below + 1;
            Expr { kind, span, height }
        } else {
            let kind = ExprKind::Broken;
            Expr {
                kind,
                span,
                height: 1,
            }
        }
    }

    pub(crate) fn binary(&self, op: BinaryOp, left: Expr, right: Expr) -> Expr {
        let (l, r) = (left.span.start, right.span.end);
        let (left, right) = (Box::new(left), Box::new(right));
        self.expr(ExprKind::Binary { op, left, right }, l, r)
    }

    pub(crate) fn member(
        &self,
        receiver: Expr,
        name: Name,
        args: Option<Vec<Arg>>,
        r: u32,
    ) -> Expr {
        let l = receiver.span.start;
        let receiver = Box::new(receiver);
        let kind = ExprKind::Member {
            receiver,
            name,
            args,
        };
        self.expr(kind, l, r)
    }

    pub(crate) fn stmt(&self, kind: StmtKind, l: u32, r: u32) -> Stmt {
        let below = match &kind {
            StmtKind::Header(_)
            | StmtKind::Define(_)
            | StmtKind::Return
            | StmtKind::Void(None)
            | StmtKind::Broken { .. } => 0,
            // Each ELSE IF stands one level below the IF before it.
            StmtKind::If { arms, otherwise } => {
                let arm = |(depth, arm): (usize, &Arm)| {
                    add(arm.cond.height.max(block_height(&arm.block)), depth)
                };
                let last = otherwise
                    .iter()
                    .map(|block| add(block_height(block), arms.len()));
                arms.iter()
                    .enumerate()
                    .map(arm)
                    .chain(last)
                    .max()
                    .unwrap_or(0)
            }
            StmtKind::Foreach { list, body, .. } => list.height.max(block_height(body)),
            StmtKind::Var(declarators) => {
                let heights = declarators.iter().map(|declarator| declarator.init.height);
                heights.max().unwrap_or(0)
            }
            StmtKind::Set { value, .. }
            | StmtKind::Drop(value)
            | StmtKind::Void(Some(value))
            | StmtKind::Expr(value) => value.height,
            StmtKind::Print { args, .. } => args.iter().map(|arg| arg.height).max().unwrap_or(0),
        };
        let span = Span::new(l, r);
        let fits = self.fits(below, span);
        self.noted.set(false);
        if fits {
            let height = below + 1;
            Stmt { kind, span, height }
        } else {
            let kind = StmtKind::Broken { names: Vec::new() };
            Stmt {
                kind,
                span,
                height: 1,
            }
        }
    }

    pub(crate) fn broken(&self, number: u32, l: u32, r: u32) -> Stmt {
        let names = self.broken[number as usize].clone();
        self.stmt(StmtKind::Broken { names }, l, r)
    }

    fn fits(&self, below: u16, span: Span) -> bool {
        let fits = below < limits::HEIGHT;
        if !fits && !self.noted.replace(true) {
            self.too_high.borrow_mut().push(span);
        }
        fits
    }
}

fn arg_height(arg: &Arg) -> u16 {
    match arg {
        Arg::Expr(expr) => expr.height,
        Arg::Lambda(lambda) => lambda.body.height + 1,
    }
}

fn block_height(block: &Block) -> u16 {
    let heights = block.stmts.iter().map(|stmt| stmt.height);
    heights.max().unwrap_or(0)
}

fn add(height: u16, depth: usize) -> u16 {
    height.saturating_add(u16::try_from(depth).unwrap_or(u16::MAX))
}

pub(crate) fn name(text: &str, l: u32, r: u32) -> Name {
    let text = text.to_owned();
    let span = Span::new(l, r);
    Name { text, span }
}

pub(crate) fn text(raw: &str, l: u32, r: u32) -> Text {
    let value = crate::lexer::unescape(raw);
    let span = Span::new(l, r);
    Text { value, span }
}

pub(crate) fn arm(cond: Expr, block: Block, l: u32, r: u32) -> Arm {
    let head = Span::new(l, r);
    Arm { head, cond, block }
}

pub(crate) fn lambda(param: Name, body: Expr) -> Lambda {
    let span = param.span.to(body.span);
    let body = Box::new(body);
    Lambda { param, body, span }
}
