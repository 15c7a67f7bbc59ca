//! Packets that a loop over subflows need not look at again and again.
//!
//! Redundant schedulers ask in each round for the first packet that was not yet sent on the round's
//! subflow: `QU.FILTER(p => !p.SENT_ON(s) AND ...)`. A packet that was sent on every subflow that the
//! loop goes over is none of them, whatever else is asked, and `SENT_ON` does not change in an
//! execution. So the packets before the first that was not sent on all are looked at once, in front
//! of the loop, and skipped in it. A packet that comes from Q meanwhile may stand before that one:
//! it becomes the new first.

use std::collections::BTreeSet;

use progmp_abi::layout::{self, block, packet};
use progmp_ir::{Block, ExprId, ExprKind, Lambda, QueueName, Stmt, StmtKind, VarId};

use super::build::Val;
use super::packets::Packets;
use super::{Lower, SCRATCH_HEAD};
use crate::Loops;
use crate::isa::{Cond, Size};

/// Packets of a queue that a loop skips.
#[derive(Clone, Copy, Debug)]
pub(super) struct Skip {
    queue: QueueName,
    /// The loop's subflow.
    var: VarId,
}

/// Where the index of the first packet that counts stands, in scratch memory before the snapshots.
/// The first word belongs to [`super::build::Builder::reload`].
pub(super) const fn first_at(queue: QueueName) -> usize {
    let word = match queue {
        QueueName::Send => 1,
        QueueName::Unacked => 2,
        QueueName::Retrans => 3,
    };
    block::SCRATCH + 8 * word
}

const _: () = assert!(SCRATCH_HEAD >= 32, "an index for each queue");

impl<'p> Lower<'p> {
    /// In front of a loop over the subflows of `set`: finds the first packets that count in it.
    /// Returns what was skipped before, for [`Self::stop_skipping`].
    pub(super) fn start_skipping(&mut self, var: VarId, set: Val, body: &'p Block) -> Vec<Skip> {
        let before = self.skips.clone();
        if self.loops == Loops::Bounded || !self.trip_is_one() {
            return before;
        }
        let mut queues = BTreeSet::new();
        self.skippable_in_block(body, var, &mut queues);
        for queue in queues {
            if self.skips.iter().any(|skip| skip.queue == queue) {
                continue;
            }
            let first = self.first_unsent(queue, set);
            let base = self.b.base();
            self.b.store(Size::U64, base, first_at(queue), first);
            self.skips.push(Skip { queue, var });
        }
        before
    }

    /// Behind the loop.
    pub(super) fn stop_skipping(&mut self, before: Vec<Skip>) {
        self.skips = before;
    }

    /// The index of the first packet of a queue that was not sent on each subflow of a set, or that of
    /// a record that no host uses.
    fn first_unsent(&mut self, name: QueueName, set: Val) -> Val {
        let list = Packets::queue(name);
        let none = Val::Const(layout::PACKETS as u64 - 1);
        self.first_passing(&list, none, &mut |lower, elem, steps| {
            let sent = lower.packet_word(elem, packet::SENT_ON);
            let unsent = lower.b.and_not(set, sent);
            let found = (steps.exit, &[elem.index][..]);
            let zero = Val::Const(0);
            lower
                .b
                .test(Cond::Eq, unsent, zero, (steps.next, &[]), found);
        })
    }

    /// Whether the members of a filtered queue are among those that a loop does not skip.
    pub(super) fn skips(&self, name: QueueName, lambda: Lambda) -> bool {
        let mut skips = self.skips.iter().filter(|skip| skip.queue == name);
        skips.any(|skip| self.asks_unsent(lambda.body, lambda.param, skip.var))
    }

    /// A packet entered QU: it is not skipped.
    pub(super) fn entered_unacked(&mut self, index: Val) {
        let name = QueueName::Unacked;
        if self.skips.iter().all(|skip| skip.queue != name) {
            return;
        }
        let done = self.b.block(0);
        let first = self.b.member(first_at(name));
        self.b.leave_if(Cond::Ge, index, first, (done, &[]));
        let base = self.b.base();
        self.b.store(Size::U64, base, first_at(name), index);
        self.b.goto((done, &[]));
        self.b.switch(done);
    }

    fn skippable_in_block(&self, block: &'p Block, var: VarId, queues: &mut BTreeSet<QueueName>) {
        for stmt in block {
            self.skippable(stmt, var, queues);
        }
    }

    fn skippable(&self, stmt: &'p Stmt, var: VarId, queues: &mut BTreeSet<QueueName>) {
        for expr in stmt.exprs() {
            self.skippable_in(expr, var, queues);
        }
        match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => {
                self.skippable_in_block(then, var, queues);
                if let Some(block) = otherwise {
                    self.skippable_in_block(block, var, queues);
                }
            }
            StmtKind::Foreach { body, .. } => self.skippable_in_block(body, var, queues),
            _ => {}
        }
    }

    fn skippable_in(&self, id: ExprId, var: VarId, queues: &mut BTreeSet<QueueName>) {
        let kind = &self.program.expr(id).kind;
        if let ExprKind::Filter(list, lambda) = *kind
            && let Some(name) = self.filtered_queue(list)
            && self.asks_unsent(lambda.body, lambda.param, var)
        {
            queues.insert(name);
        }
        for child in kind.children() {
            self.skippable_in(child, var, queues);
        }
    }

    /// The queue of which a list is the members that pass filters.
    fn filtered_queue(&self, list: ExprId) -> Option<QueueName> {
        match self.program.expr(list).kind {
            ExprKind::Queue(name) => Some(name),
            ExprKind::Filter(list, _) => self.filtered_queue(list),
            _ => None,
        }
    }

    /// Whether a predicate is TRUE only of packets that were not sent on the subflow.
    fn asks_unsent(&self, predicate: ExprId, param: VarId, var: VarId) -> bool {
        let is = |e: ExprId, v: VarId| self.program.expr(e).kind == ExprKind::Var(v);
        match self.program.expr(predicate).kind {
            ExprKind::And(a, b) => {
                self.asks_unsent(a, param, var) || self.asks_unsent(b, param, var)
            }
            ExprKind::Not(e) => match self.program.expr(e).kind {
                ExprKind::SentOn { packet, subflow } => is(packet, param) && is(subflow, var),
                _ => false,
            },
            _ => false,
        }
    }
}
