//! Sets every span of a tree to nothing, so that trees can be compared.

use crate::ast::{Arg, Block, Expr, ExprKind, File, Lambda, Name, Span, Stmt, StmtKind};

pub(crate) fn erase_spans(file: &mut File) {
    file.comments.fill(Span::default());
    file.header.iter_mut().for_each(name);
    file.body.iter_mut().for_each(stmt);
}

fn name(name: &mut Name) {
    name.span = Span::default();
}

fn block(block: &mut Block) {
    block.span = Span::default();
    block.stmts.iter_mut().for_each(stmt);
}

fn stmt(node: &mut Stmt) {
    node.span = Span::default();
    match &mut node.kind {
        StmtKind::Header(header) => name(header),
        StmtKind::Define(aliases) => {
            for alias in aliases {
                name(&mut alias.register);
                name(&mut alias.name);
            }
        }
        StmtKind::If { arms, otherwise } => {
            for arm in arms {
                arm.head = Span::default();
                expr(&mut arm.cond);
                block(&mut arm.block);
            }
            otherwise.iter_mut().for_each(block);
        }
        StmtKind::Foreach {
            head,
            var,
            list,
            body,
        } => {
            *head = Span::default();
            name(var);
            expr(list);
            block(body);
        }
        StmtKind::Var(declarators) => {
            for declarator in declarators {
                declarator.span = Span::default();
                name(&mut declarator.name);
                expr(&mut declarator.init);
            }
        }
        StmtKind::Set { register, value } => {
            name(register);
            expr(value);
        }
        StmtKind::Drop(value) | StmtKind::Expr(value) => expr(value),
        StmtKind::Print { format, args } => {
            format.span = Span::default();
            args.iter_mut().for_each(expr);
        }
        StmtKind::Return => {}
        StmtKind::Void(value) => value.iter_mut().for_each(expr),
        StmtKind::Broken { names } => names.iter_mut().for_each(name),
    }
}

fn lambda(lambda: &mut Lambda) {
    lambda.span = Span::default();
    name(&mut lambda.param);
    expr(&mut lambda.body);
}

fn expr(node: &mut Expr) {
    node.span = Span::default();
    match &mut node.kind {
        ExprKind::Int(_)
        | ExprKind::Bool(_)
        | ExprKind::Null
        | ExprKind::Text(_)
        | ExprKind::Name(_)
        | ExprKind::Broken => {}
        ExprKind::Paren(inner) | ExprKind::Not(inner) => expr(inner),
        ExprKind::Binary { left, right, .. } => {
            expr(left);
            expr(right);
        }
        ExprKind::Member {
            receiver,
            name: member,
            args,
        } => {
            expr(receiver);
            name(member);
            for arg in args.iter_mut().flatten() {
                match arg {
                    Arg::Expr(value) => expr(value),
                    Arg::Lambda(value) => lambda(value),
                }
            }
        }
    }
}
