//! Loops over a queue that take the packet of each round out of it: then that packet is always the first.
//!
//! FOREACH goes over the queue as it was. If each round that does not end the execution takes exactly one packet
//! out, always the first, then round k starts when those of the rounds before have left: the first one is the
//! packet of round k. So a POP in it needs no search.

use progmp_ir::{Block, ExprId, ExprKind, Operand, Program, QueueName, Stmt, StmtKind, VarId};

/// What statements do to the queue on each way through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// They end the execution.
    Leaves,
    /// They take so many packets out.
    Takes(u32),
}

/// Whether each round of a loop with this body takes exactly the first packet out of the queue, or ends the
/// execution.
pub(super) fn takes_one(program: &Program, body: &Block, name: QueueName) -> bool {
    let look = Look { program, name };
    matches!(
        look.block(body, &mut Vec::new()),
        Some(Effect::Takes(1) | Effect::Leaves)
    )
}

struct Look<'p> {
    program: &'p Program,
    name: QueueName,
}

impl Look<'_> {
    /// `there`: variables that are not NULL. `None` if the ways differ, or cannot be told.
    fn block(&self, block: &Block, there: &mut Vec<VarId>) -> Option<Effect> {
        let mut taken = 0;
        for stmt in block {
            match self.statement(stmt, there)? {
                Effect::Leaves => return Some(Effect::Leaves),
                Effect::Takes(number) => taken += number,
            }
        }
        Some(Effect::Takes(taken))
    }

    fn statement(&self, stmt: &Stmt, there: &mut Vec<VarId>) -> Option<Effect> {
        match &stmt.kind {
            StmtKind::If {
                cond,
                then,
                otherwise,
            } => {
                let before = there.len();
                self.not_null(*cond, there);
                let yes = self.block(then, there)?;
                there.truncate(before);
                let no = match otherwise {
                    Some(block) => self.block(block, there)?,
                    None => Effect::Takes(0),
                };
                match (yes, no) {
                    (Effect::Leaves, other) | (other, Effect::Leaves) => Some(other),
                    (a, b) => (a == b).then_some(a),
                }
            }
            StmtKind::Foreach { body, .. } => match self.block(body, there)? {
                // It may have no round.
                Effect::Leaves | Effect::Takes(0) => Some(Effect::Takes(0)),
                Effect::Takes(_) => None,
            },
            StmtKind::Push { target, packet } => match self.operand(*packet)? {
                // Nothing is taken for nobody.
                Effect::Takes(1) if !self.is_there(*target, there) => None,
                effect => Some(effect),
            },
            StmtKind::Drop { packet } => self.operand(*packet),
            StmtKind::Let { init, .. } => self.operand(*init),
            StmtKind::Return => Some(Effect::Leaves),
            StmtKind::Set { .. }
            | StmtKind::SetUser { .. }
            | StmtKind::Print { .. }
            | StmtKind::Void(_) => Some(Effect::Takes(0)),
        }
    }

    fn operand(&self, operand: Operand) -> Option<Effect> {
        let Operand::Pop { list, .. } = operand else {
            return Some(Effect::Takes(0));
        };
        match self.program.list_source(list) {
            progmp_ir::ListSource::Queue(name) if name != self.name => Some(Effect::Takes(0)),
            // Of the queue itself it is the first that is taken.
            _ if self.program.expr(list).kind == ExprKind::Queue(self.name) => {
                Some(Effect::Takes(1))
            }
            _ => None,
        }
    }

    fn is_there(&self, subflow: ExprId, there: &[VarId]) -> bool {
        let expr = self.program.expr(subflow);
        !expr.may_be_null || matches!(&expr.kind, ExprKind::Var(var) if there.contains(var))
    }

    /// Variables that are not NULL where a condition is TRUE.
    fn not_null(&self, cond: ExprId, there: &mut Vec<VarId>) {
        match self.program.expr(cond).kind {
            ExprKind::And(a, b) => {
                self.not_null(a, there);
                self.not_null(b, there);
            }
            ExprKind::HasWindowFor { subflow, .. } => {
                if let ExprKind::Var(var) = self.program.expr(subflow).kind {
                    there.push(var);
                }
            }
            ExprKind::Equal {
                a,
                b,
                negated: true,
            } => {
                let [left, right] = [a, b].map(|e| &self.program.expr(e).kind);
                if let (ExprKind::Var(var), ExprKind::Null) | (ExprKind::Null, ExprKind::Var(var)) =
                    (left, right)
                {
                    there.push(*var);
                }
            }
            _ => {}
        }
    }
}
