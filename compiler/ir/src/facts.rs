//! The facts about the environment that only a host can see.
//!
//! [`SchedState::check`](crate::SchedState::check) judges one shown state. Here stand
//! the facts that speak of full queues, of pending actions, and of what may move between two
//! executions of one trigger (specs/environment.md). The host checks them before each
//! execution and after each event, so that a fact that a proof assumes and a
//! host does not keep is found where it breaks.

use std::collections::BTreeSet;

use crate::host::{Host, Pending};
use crate::state::{StateError, Subflow};
use crate::types::{QueueName, SubflowBool, SubflowInt};

/// A fact that a host broke, or an event that it had to refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The state that the program would be shown is not one that a host can show.
    #[error("the state to be shown is not possible: {0}")]
    Shown(#[from] StateError),
    /// RQ ⊆ QU does not hold of the full queues.
    #[error("packet {seq} is in RQ but not in QU")]
    NotUnacked {
        /// Its SEQ.
        seq: u64,
    },
    /// A packet is in Q and in QU or RQ.
    #[error("packet {seq} is in Q and in {other}")]
    InTwoQueues {
        /// Its SEQ.
        seq: u64,
        /// `QU` or `RQ`.
        other: &'static str,
    },
    /// An acknowledged packet is still in a queue.
    #[error("packet {seq} is acknowledged and still in {queue}")]
    Acknowledged {
        /// Its SEQ.
        seq: u64,
        /// The queue.
        queue: &'static str,
    },
    /// `SENT_ON` names a subflow that never existed.
    #[error("packet {seq} was sent on subflow {subflow}, which never existed")]
    NoSuchSubflow {
        /// Its SEQ.
        seq: u64,
        /// The ID.
        subflow: u64,
    },
    /// The time moved within a trigger.
    #[error("CURRENT_TIME_MS went from {from} to {to} within a trigger")]
    TimeMoved {
        /// At the execution before.
        from: u64,
        /// Now.
        to: u64,
    },
    /// SUBFLOWS changed within a trigger.
    #[error("SUBFLOWS changed within a trigger")]
    SubflowsChanged,
    /// A property that stays within a trigger moved.
    #[error("{property} of subflow {subflow} moved within a trigger")]
    PropertyMoved {
        /// The ID.
        subflow: u64,
        /// Its ProgMP spelling.
        property: &'static str,
    },
    /// `SKBS_IN_FLIGHT + QUEUED` shrank within a trigger.
    #[error("the free congestion window of subflow {subflow} grew within a trigger")]
    WindowGrew {
        /// The ID.
        subflow: u64,
    },
    /// `HAS_WINDOW_FOR` became true within a trigger.
    #[error("subflow {subflow} got room for packet {seq} within a trigger")]
    WindowReopened {
        /// The ID.
        subflow: u64,
        /// The SEQ.
        seq: u64,
    },
    /// `SENT_ON` became false.
    #[error("packet {seq} is no longer sent on subflow {subflow}")]
    Unsent {
        /// The SEQ.
        seq: u64,
        /// The ID.
        subflow: u64,
    },
    /// A packet came, went or changed within a trigger.
    #[error("packet {seq} came, went or changed within a trigger")]
    PacketChanged {
        /// The SEQ.
        seq: u64,
    },
    /// Q or RQ gained a packet, or QU lost one, within a trigger.
    #[error("{queue} gained or lost packet {seq} within a trigger, against its direction")]
    QueueMoved {
        /// The queue.
        queue: &'static str,
        /// The SEQ.
        seq: u64,
    },
    /// A write would pass the end of the 64-bit sequence space.
    #[error("the sequence space of the connection is used up")]
    NoSequenceNumber,
    /// Every ID below 2^32 up to the last was given to a subflow.
    #[error("the subflow IDs of the connection are used up")]
    NoSubflowId,
}

impl Host {
    /// Checks every fact that holds at any moment between two steps of the host.
    ///
    /// # Errors
    /// The first fact that does not hold.
    pub fn check(&self) -> Result<(), HostError> {
        self.shown().check()?;
        for name in QueueName::ALL {
            let lost = self.queue(name).iter().find(|s| self.packet(**s).is_none());
            if let Some(&seq) = lost {
                return Err(HostError::Acknowledged {
                    seq,
                    queue: name.name(),
                });
            }
        }
        for other in [QueueName::Unacked, QueueName::Retrans] {
            let send = self.queue(QueueName::Send);
            if let Some(&seq) = send.intersection(self.queue(other)).next() {
                return Err(HostError::InTwoQueues {
                    seq,
                    other: other.name(),
                });
            }
        }
        let outside = |seq: &&u64| {
            !self.queue(QueueName::Unacked).contains(seq) && !self.shown_outside_qu.contains(seq)
        };
        if let Some(&seq) = self.queue(QueueName::Retrans).iter().find(outside) {
            return Err(HostError::NotUnacked { seq });
        }
        for packet in self.packets() {
            let stranger = packet.sent_on.iter().find(|&&id| !self.existed(id));
            if let Some(&subflow) = stranger {
                return Err(HostError::NoSuchSubflow {
                    seq: packet.seq,
                    subflow,
                });
            }
        }
        Ok(())
    }

    /// Checks what may move between two executions of one trigger: windows shrink, `THROTTLED`
    /// may become true, Q and RQ lose, QU and `SENT_ON` gain, and everything else that the
    /// program does not write stays.
    ///
    /// # Errors
    /// The first fact that does not hold.
    pub fn check_since(&self, earlier: &Self) -> Result<(), HostError> {
        if self.time_ms != earlier.time_ms {
            return Err(HostError::TimeMoved {
                from: earlier.time_ms,
                to: self.time_ms,
            });
        }
        let ids = |host: &Self| host.subflows().iter().map(|s| s.id).collect::<Vec<_>>();
        if ids(self) != ids(earlier) {
            return Err(HostError::SubflowsChanged);
        }
        for (now, before) in self.subflows().iter().zip(earlier.subflows()) {
            check_subflow(now, before)?;
        }
        self.check_packets(earlier)?;
        for (name, gains) in [
            (QueueName::Send, false),
            (QueueName::Unacked, true),
            (QueueName::Retrans, false),
        ] {
            let (smaller, larger) = if gains {
                (earlier, self)
            } else {
                (self, earlier)
            };
            let stray: Option<&u64> = smaller.queue(name).difference(larger.queue(name)).next();
            if let Some(&seq) = stray {
                return Err(HostError::QueueMoved {
                    queue: name.name(),
                    seq,
                });
            }
        }
        Ok(())
    }

    fn check_packets(&self, earlier: &Self) -> Result<(), HostError> {
        let seqs = |host: &Self| host.packets().map(|p| p.seq).collect::<BTreeSet<_>>();
        if let Some(&seq) = seqs(self).symmetric_difference(&seqs(earlier)).next() {
            return Err(HostError::PacketChanged { seq });
        }
        for (now, before) in self.packets().zip(earlier.packets()) {
            let seq = now.seq;
            if let Some(&subflow) = before.sent_on.difference(&now.sent_on).next() {
                return Err(HostError::Unsent { seq, subflow });
            }
            if let Some(&subflow) = before.no_window_on.difference(&now.no_window_on).next() {
                return Err(HostError::WindowReopened { subflow, seq });
            }
            if (now.length, now.user, now.psh) != (before.length, before.user, before.psh) {
                return Err(HostError::PacketChanged { seq });
            }
        }
        Ok(())
    }

    /// Checks `packets-are-conserved`: every packet that arrived and is not acknowledged is in
    /// Q, in RQ, pending, or transmitted on a live subflow.
    ///
    /// # Errors
    /// The packets for which it does not hold.
    pub fn conserved(&self) -> Result<(), Lost> {
        let pending: BTreeSet<u64> = self
            .pending()
            .filter_map(|action| match action {
                Pending::Push { packet, .. } => Some(*packet),
                Pending::Drop { .. } => None,
            })
            .collect();
        let packets: Vec<u64> = self
            .packets()
            .filter(|packet| {
                let queued = [QueueName::Send, QueueName::Retrans]
                    .iter()
                    .any(|&name| self.queue(name).contains(&packet.seq));
                let on_the_way = packet.sent_on.iter().any(|&id| self.is_live(id));
                !queued && !on_the_way && !pending.contains(&packet.seq)
            })
            .map(|packet| packet.seq)
            .collect();
        if packets.is_empty() {
            Ok(())
        } else {
            Err(Lost { packets })
        }
    }
}

/// Packets that nobody will deliver any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody holds the packets with SEQ {packets:?} any more")]
pub struct Lost {
    /// Their SEQs, ascending.
    pub packets: Vec<u64>,
}

fn check_subflow(now: &Subflow, before: &Subflow) -> Result<(), HostError> {
    let subflow = now.id;
    for &property in SubflowInt::ALL {
        let moves = matches!(
            property,
            SubflowInt::InFlight | SubflowInt::Queued | SubflowInt::User
        );
        if !moves && now.int(property) != before.int(property) {
            return Err(HostError::PropertyMoved {
                subflow,
                property: property.name(),
            });
        }
    }
    for &property in SubflowBool::ALL {
        let moves = property == SubflowBool::Throttled && now.throttled;
        if !moves && now.flag(property) != before.flag(property) {
            return Err(HostError::PropertyMoved {
                subflow,
                property: property.name(),
            });
        }
    }
    if now.skbs_in_flight + now.queued < before.skbs_in_flight + before.queued {
        return Err(HostError::WindowGrew { subflow });
    }
    Ok(())
}
