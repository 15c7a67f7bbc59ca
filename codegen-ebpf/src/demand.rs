//! Of which list variables only the first member is ever asked for.
//!
//! Such a variable needs no snapshot: its first member is found once, where it is declared. Its
//! uses are EMPTY, TOP and FIRST, and POP where nothing can have left the queue since.

use std::collections::BTreeMap;

use progmp_ir::{
    Block, ExprId, ExprKind, ListSource, Operand, Program, QueueName, Stmt, StmtKind, Type, VarId,
};

/// For each variable, whether only the first member of the packet list that it holds matters.
pub(crate) fn first_only(program: &Program) -> Vec<bool> {
    let is_packets = |ty| matches!(ty, Type::List(ListSource::Queue(_)));
    let mut demand = Demand {
        program,
        eligible: program.vars.iter().map(|var| is_packets(var.ty)).collect(),
    };
    for stmt in program.statements() {
        demand.uses(stmt);
    }
    demand.block(&program.body, &mut BTreeMap::new());
    demand.eligible
}

struct Demand<'p> {
    program: &'p Program,
    eligible: Vec<bool>,
}

/// Of each list variable in scope, its queue, and whether a packet may have left that since.
type Since = BTreeMap<VarId, (QueueName, bool)>;

impl<'p> Demand<'p> {
    fn list_var(&self, id: ExprId) -> Option<VarId> {
        match self.program.expr(id).kind {
            ExprKind::Var(var) => Some(var),
            _ => None,
        }
    }

    fn refuse(&mut self, id: ExprId) {
        if let Some(var) = self.list_var(id) {
            self.eligible[var.index()] = false;
        }
    }

    /// Uses of lists as a whole.
    fn uses(&mut self, stmt: &Stmt) {
        let popped = match stmt.kind {
            StmtKind::Push {
                packet: operand, ..
            }
            | StmtKind::Drop { packet: operand }
            | StmtKind::Let { init: operand, .. } => match operand {
                Operand::Pop { list, .. } => Some(list),
                Operand::Expr(_) => None,
            },
            _ => None,
        };
        for expr in stmt.exprs() {
            if popped != Some(expr) {
                self.refuse(expr);
            }
            self.inside(expr);
        }
    }

    fn inside(&mut self, id: ExprId) {
        let kind = &self.program.expr(id).kind;
        let first = matches!(kind, ExprKind::Empty(_) | ExprKind::First(_));
        for child in kind.children() {
            if !first {
                self.refuse(child);
            }
            self.inside(child);
        }
    }

    fn block(&mut self, block: &'p Block, since: &mut Since) {
        for stmt in block {
            self.statement(stmt, since);
        }
    }

    fn statement(&mut self, stmt: &'p Stmt, since: &mut Since) {
        match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => {
                let mut other = since.clone();
                self.block(then, since);
                if let Some(block) = otherwise {
                    self.block(block, &mut other);
                }
                for (var, (_, popped)) in other {
                    if let Some((_, cell)) = since.get_mut(&var) {
                        *cell |= popped;
                    }
                }
            }
            StmtKind::Foreach { body, .. } => {
                // A packet may have left in the round before.
                for name in QueueName::ALL {
                    if self.pops(body, name) {
                        left(since, name);
                    }
                }
                self.block(body, since);
            }
            StmtKind::Push {
                packet: operand, ..
            }
            | StmtKind::Drop { packet: operand } => {
                self.operand(*operand, since);
            }
            StmtKind::Let { var, init } => {
                self.operand(*init, since);
                if let Type::List(ListSource::Queue(name)) = self.program.var(*var).ty {
                    since.insert(*var, (name, false));
                }
            }
            _ => {}
        }
    }

    fn operand(&mut self, operand: Operand, since: &mut Since) {
        let Operand::Pop { list, .. } = operand else {
            return;
        };
        if let Some(var) = self.list_var(list)
            && since.get(&var).is_none_or(|&(_, popped)| popped)
        {
            self.eligible[var.index()] = false;
        }
        if let ListSource::Queue(name) = self.program.list_source(list) {
            left(since, name);
        }
    }

    /// Whether a block may pop from a queue.
    fn pops(&self, block: &Block, name: QueueName) -> bool {
        block.iter().any(|stmt| match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => {
                let other = otherwise.as_ref();
                self.pops(then, name) || other.is_some_and(|block| self.pops(block, name))
            }
            StmtKind::Foreach { body, .. } => self.pops(body, name),
            StmtKind::Push {
                packet: operand, ..
            }
            | StmtKind::Drop { packet: operand }
            | StmtKind::Let { init: operand, .. } => match operand {
                Operand::Pop { list, .. } => {
                    self.program.list_source(*list) == ListSource::Queue(name)
                }
                Operand::Expr(_) => false,
            },
            _ => false,
        })
    }
}

/// A packet may have left a queue.
fn left(since: &mut Since, name: QueueName) {
    for (queue, popped) in since.values_mut() {
        *popped |= *queue == name;
    }
}
