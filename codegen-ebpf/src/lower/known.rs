//! What is known of queues where code is written: that one is not empty, and which packet is its
//! first. A condition tells, or a variable that took the first packet; a POP ends it.

use progmp_abi::queue_at;
use progmp_ir::{Block, ExprId, ExprKind, Operand, QueueName, Stmt, StmtKind};

use super::Lower;
use super::elem::Elem;
use super::packets::Packets;

/// What holds at a place of the program.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Queues that have a packet.
    full: Vec<QueueName>,
    /// First packets, computed in a block that dominates.
    tops: Vec<(QueueName, Elem)>,
}

impl Known {
    /// A packet left a queue.
    pub(super) fn popped(&mut self, name: QueueName) {
        self.full.retain(|&queue| queue != name);
        self.tops.retain(|&(queue, _)| queue != name);
        if name == QueueName::Send {
            // It went to QU, perhaps before the first one there.
            self.tops.retain(|&(queue, _)| queue != QueueName::Unacked);
        }
    }

    /// A packet is the first of a queue.
    pub(super) fn is_first(&mut self, name: QueueName, elem: Elem) {
        self.full.push(name);
        self.tops.retain(|&(queue, _)| queue != name);
        self.tops.push((name, elem));
    }

    /// Forgets first packets that were computed since.
    pub(super) fn forget_tops_but(&mut self, before: &Self) {
        self.tops.retain(|top| {
            before
                .tops
                .iter()
                .any(|t| t.0 == top.0 && t.1.index == top.1.index)
        });
    }

    /// Keeps what holds at the end of another way, too.
    pub(super) fn meet(&mut self, other: &Self) {
        self.full.retain(|queue| other.full.contains(queue));
        self.tops.retain(|top| {
            other
                .tops
                .iter()
                .any(|t| t.0 == top.0 && t.1.index == top.1.index)
        });
    }

    /// Whether the list is a queue that has a packet.
    pub(super) fn is_full(&self, list: &Packets) -> bool {
        is_queue(list) && self.full.contains(&list.source)
    }

    /// The first packet of a list that is a queue.
    pub(super) fn top(&self, list: &Packets) -> Option<Elem> {
        let mut tops = self.tops.iter().filter(|_| is_queue(list));
        tops.find(|top| top.0 == list.source).map(|top| top.1)
    }
}

/// Whether the list is a queue as it is now.
fn is_queue(list: &Packets) -> bool {
    list.is_plain() && list.at == queue_at(list.source)
}

impl<'p> Lower<'p> {
    /// Takes note of a condition: that it is not FALSE (`holds`), or that it is not TRUE.
    pub(super) fn learn(&mut self, cond: ExprId, holds: bool) {
        match self.program.expr(cond).kind {
            ExprKind::Not(e) => self.learn(e, !holds),
            // Neither is ever NULL.
            ExprKind::And(a, b) if holds => {
                self.learn(a, true);
                self.learn(b, true);
            }
            ExprKind::Or(a, b) if !holds => {
                self.learn(a, false);
                self.learn(b, false);
            }
            ExprKind::Empty(list) if !holds => {
                if let ExprKind::Queue(name) = self.program.expr(list).kind {
                    self.known.full.push(name);
                }
            }
            _ => {}
        }
    }

    /// Takes note of a queue's first packet, if the expression is that and the queue is not empty.
    pub(super) fn learn_top(&mut self, id: ExprId, elem: Elem) {
        if let Some(name) = self.top_of_full(id) {
            self.known.tops.push((name, elem));
        }
    }

    /// The queue that is not empty and whose first packet the expression is.
    pub(super) fn top_of_full(&self, id: ExprId) -> Option<QueueName> {
        let ExprKind::First(list) = self.program.expr(id).kind else {
            return None;
        };
        match self.program.expr(list).kind {
            ExprKind::Queue(name) if self.known.full.contains(&name) => Some(name),
            _ => None,
        }
    }

    /// Forgets what the statements of a loop end: they may have been executed before.
    pub(super) fn forget_popped(&mut self, block: &'p Block) {
        for stmt in block {
            self.forget(stmt);
        }
    }

    fn forget(&mut self, stmt: &'p Stmt) {
        match &stmt.kind {
            StmtKind::If {
                then, otherwise, ..
            } => {
                self.forget_popped(then);
                if let Some(block) = otherwise {
                    self.forget_popped(block);
                }
            }
            StmtKind::Foreach { body, .. } => self.forget_popped(body),
            StmtKind::Push {
                packet: Operand::Pop { list, .. },
                ..
            }
            | StmtKind::Drop {
                packet: Operand::Pop { list, .. },
            }
            | StmtKind::Let {
                init: Operand::Pop { list, .. },
                ..
            } => {
                let name = self.packets_source(*list);
                self.known.popped(name);
            }
            _ => {}
        }
    }

    fn packets_source(&self, list: ExprId) -> QueueName {
        match self.program.list_source(list) {
            progmp_ir::ListSource::Queue(name) => name,
            progmp_ir::ListSource::Subflows => unreachable!("POP takes packets"),
        }
    }
}
