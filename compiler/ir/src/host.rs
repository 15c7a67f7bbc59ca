//! The host: one connection, as section 5 of specs/semantics.md sees it between triggers.
//!
//! In: events. Out: the state that the program is shown. A host owns the full
//! queues, of which an execution sees prefixes, the actions that are still to be
//! carried out, and every packet that arrived and is not acknowledged.
//! `trigger.rs` runs the program; `facts.rs` says what must hold all the time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::facts::HostError;
use crate::program::StmtId;
use crate::state::{Packet, SchedState, StateError, Subflow};
use crate::types::{QueueName, SchedReg, SubflowInt};

/// An action that is to be carried out. Unlike in [`crate::Action`], references are names that
/// stay: the subflow's ID and the packet's SEQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Transmit the packet on the subflow.
    Push {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
    /// Nothing to do.
    Drop {
        /// SEQ.
        packet: u64,
        /// The statement that asked for it.
        at: StmtId,
    },
}

/// What happens to a connection between triggers. An event about a packet or a subflow that is
/// not there (any more) changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The application writes.
    Write {
        /// How much. Cut into packets no longer than the smallest MSS in SUBFLOWS.
        bytes: u64,
        /// USER of the new packets.
        user: u64,
        /// Whether the last new packet ends an application write.
        psh: bool,
        /// Whether the bytes may first fill up the last packet of Q, if nothing of it was sent.
        append: bool,
    },
    /// The peer has the packet: it leaves all queues. Nobody acknowledges what was never sent.
    Acknowledged {
        /// SEQ.
        packet: u64,
    },
    /// A subflow suspects that the packet is lost: it enters RQ, unless it is in Q.
    SuspectedLost {
        /// SEQ.
        packet: u64,
    },
    /// A subflow comes. The host gives it its ID; ranges are clamped.
    SubflowUp(Subflow),
    /// A subflow dies. Packets not in Q whose only copies were sent or pending on it enter RQ.
    SubflowDies {
        /// ID.
        subflow: u64,
    },
    /// The properties of the subflow with this ID are sampled anew, all but USER.
    Sampled(Subflow),
    /// The peer's window on a subflow opens or closes for a packet.
    Window {
        /// ID.
        subflow: u64,
        /// SEQ.
        packet: u64,
        /// `HAS_WINDOW_FOR`.
        open: bool,
    },
    /// The application writes a register.
    Register {
        /// Which.
        reg: SchedReg,
        /// Any value.
        value: u64,
    },
    /// The application writes USER of a subflow.
    User {
        /// ID.
        subflow: u64,
        /// Any value.
        value: u64,
    },
    /// Time passes. It never goes back; it stops at 2^48 - 1.
    Time {
        /// By how many milliseconds.
        ms: u64,
    },
}

/// A way in which a host can be wrong on purpose, for tests of [`Host::conserved`] and [`Host::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A death moves nothing into RQ.
    ForgetsReinjectionOnDeath,
    /// A death also throws away the actions pending on the subflow.
    DiscardsPendingOnDeath,
    /// A death counts copies on subflows that died earlier as copies.
    CountsDeadCopies,
    /// A PUSH on a subflow that is gone is skipped.
    SkipsPendingOnDeadSubflow,
    /// An action that cannot go is thrown away when the trigger ends.
    DiscardsBlockedAction,
    /// An acknowledgement clears every earlier packet from the queues too.
    AcknowledgesAllEarlier,
    /// An acknowledged packet stays in the queues.
    KeepsAcknowledged,
    /// A transmission opens every window.
    ReopensWindows,
    /// A transmission takes a millisecond of the time that the program sees.
    MovesTime,
    /// A transmission shrinks `QUEUED`.
    ForgetsQueued,
    /// A transmission makes the packet look unsent elsewhere.
    ForgetsSentOn,
    /// RQ gets packets that are still in Q.
    ReinjectsFromQ,
    /// Nothing of a compressed execution is taken back when a packet cannot go.
    KeepsBehindBlocked,
    /// Nothing of a compressed execution is taken back when something shrinks.
    KeepsBehindSqueeze,
}

/// A connection and what its host keeps for it.
#[derive(Clone, Debug)]
pub struct Host {
    subflows: Vec<Subflow>,
    former: BTreeSet<u64>,
    packets: BTreeMap<u64, Packet>,
    queues: [BTreeSet<u64>; 3],
    /// Packets that an initial state showed in RQ but not in QU, as prefixes may.
    pub(crate) shown_outside_qu: BTreeSet<u64>,
    pub(crate) pending: VecDeque<Pending>,
    pub(crate) registers: [u64; SchedReg::COUNT],
    pub(crate) time_ms: u64,
    pub(crate) seed: u64,
    /// Seeds of the executions after the next, as far as they are given.
    pub(crate) seeds: VecDeque<u64>,
    /// SEQ of the next packet; `None` when the sequence space is used up.
    next_seq: Option<u64>,
    /// How long the newest packet may become: the smallest MSS when it entered Q.
    longest: u64,
    /// How many packets of a queue are shown.
    limit: usize,
    pub(crate) fault: Option<Fault>,
    pub(crate) fell_back: bool,
    /// Whether what one execution does stands for several of its source.
    pub(crate) compressed: bool,
    /// What the last execution took from Q, and was not transmitted yet; only if it is taken back.
    pub(crate) burst: BTreeSet<u64>,
}

impl Host {
    /// A connection without subflows and data. The seed starts the chain of RANDOM seeds.
    pub fn new(seed: u64) -> Self {
        Self {
            subflows: Vec::new(),
            former: BTreeSet::new(),
            packets: BTreeMap::new(),
            queues: [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()],
            shown_outside_qu: BTreeSet::new(),
            pending: VecDeque::new(),
            registers: [0; SchedReg::COUNT],
            time_ms: 0,
            seed,
            seeds: VecDeque::new(),
            next_seq: Some(1),
            longest: 0,
            limit: SchedState::MAX_QUEUE,
            fault: None,
            fell_back: false,
            compressed: false,
            burst: BTreeSet::new(),
        }
    }

    /// The host whose next execution is shown `state` (without the packets that no queue names).
    ///
    /// # Errors
    /// The fact that the state breaks.
    pub fn from_state(state: &SchedState) -> Result<Self, StateError> {
        state.check()?;
        let mut host = Self::new(state.seed);
        host.subflows.clone_from(&state.subflows);
        host.registers = state.registers;
        host.time_ms = state.time_ms;
        for name in QueueName::ALL {
            for &position in state.queue(name) {
                let packet = &state.packets[position];
                host.queues[name as usize].insert(packet.seq);
                host.packets.insert(packet.seq, packet.clone());
            }
        }
        let [_, qu, rq] = &host.queues;
        host.shown_outside_qu = rq.difference(qu).copied().collect();
        let sent = host.packets.values().flat_map(|packet| &packet.sent_on);
        host.former = sent.copied().filter(|&id| !host.is_live(id)).collect();
        if let Some((seq, packet)) = host.packets.last_key_value() {
            host.next_seq = seq.checked_add(packet.length.max(1));
        }
        Ok(host)
    }

    /// This host, whose next executions have these seeds; afterwards each seed follows from the
    /// last.
    #[must_use]
    pub fn with_seeds(mut self, seeds: &[u64]) -> Self {
        if let Some((&first, rest)) = seeds.split_first() {
            self.seed = first;
            self.seeds = rest.iter().copied().collect();
        }
        self
    }

    /// This host with a fault.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// This host, serving a compressed scheduler: of an execution it takes back what the source would
    /// not have decided yet (specs/rewriting.md, "What a host takes back").
    #[must_use]
    pub const fn serving_compressed(mut self) -> Self {
        self.compressed = true;
        self
    }

    /// This host, showing at most the first `packets` of each queue
    /// (never more than [`SchedState::MAX_QUEUE`]).
    #[must_use]
    pub fn showing_at_most(mut self, packets: usize) -> Self {
        self.limit = packets.min(SchedState::MAX_QUEUE);
        self
    }

    /// The live subflows, oldest first.
    pub fn subflows(&self) -> &[Subflow] {
        &self.subflows
    }

    /// The packets that arrived and are not acknowledged, in sequence order.
    pub fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.packets.values()
    }

    /// The packet with this SEQ, unless it is acknowledged or never arrived.
    pub fn packet(&self, seq: u64) -> Option<&Packet> {
        self.packets.get(&seq)
    }

    /// The SEQs of the full queue of this name.
    pub const fn queue(&self, name: QueueName) -> &BTreeSet<u64> {
        &self.queues[name as usize]
    }

    /// The actions still to be carried out, the first first.
    pub fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter()
    }

    /// Whether fuel ran out: the kernel's `default` scheduler serves the connection since.
    pub const fn fell_back(&self) -> bool {
        self.fell_back
    }

    /// Whether a subflow with this ID is in SUBFLOWS.
    pub fn is_live(&self, id: u64) -> bool {
        self.subflows.iter().any(|subflow| subflow.id == id)
    }

    /// Whether a subflow with this ID is or was there.
    pub fn existed(&self, id: u64) -> bool {
        self.is_live(id) || self.former.contains(&id)
    }

    pub(crate) fn subflow_mut(&mut self, id: u64) -> Option<&mut Subflow> {
        self.subflows.iter_mut().find(|subflow| subflow.id == id)
    }

    pub(crate) fn subflow(&self, id: u64) -> Option<&Subflow> {
        self.subflows.iter().find(|subflow| subflow.id == id)
    }

    pub(crate) fn packet_mut(&mut self, seq: u64) -> Option<&mut Packet> {
        self.packets.get_mut(&seq)
    }

    pub(crate) fn packets_mut(&mut self) -> impl Iterator<Item = &mut Packet> {
        self.packets.values_mut()
    }

    pub(crate) const fn queue_mut(&mut self, name: QueueName) -> &mut BTreeSet<u64> {
        &mut self.queues[name as usize]
    }

    /// What an execution that starts now is shown: the prefixes of the queues, and the packets
    /// that they name.
    ///
    /// The prefix of RQ ends before the first packet that was sent and that the prefix of QU does
    /// not hold, so that `SENT_ON` holds only of packets in Q or QU of what is shown, too.
    pub fn shown(&self) -> SchedState {
        let [q, qu, rq] = QueueName::ALL.map(|name| {
            let prefix = self.queue(name).iter().take(self.limit);
            prefix.copied().collect::<Vec<u64>>()
        });
        let shows = |queue: &[u64], seq: &u64| queue.binary_search(seq).is_ok();
        let unsent = |seq: &u64| self.packet(*seq).is_none_or(|p| p.sent_on.is_empty());
        let rq: Vec<u64> = rq
            .into_iter()
            .take_while(|seq| unsent(seq) || shows(&q, seq) || shows(&qu, seq))
            .collect();
        let seqs: BTreeSet<u64> = q.iter().chain(&qu).chain(&rq).copied().collect();
        // A queue that names an acknowledged packet is a broken fact, which `check` reports.
        let packets: Vec<Packet> = seqs
            .iter()
            .filter_map(|seq| self.packet(*seq))
            .cloned()
            .collect();
        let positions = |queue: Vec<u64>| {
            let position = |seq: u64| packets.binary_search_by_key(&seq, |p| p.seq).ok();
            queue.into_iter().filter_map(position).collect()
        };
        SchedState {
            subflows: self.subflows.clone(),
            q: positions(q),
            qu: positions(qu),
            rq: positions(rq),
            packets,
            registers: self.registers,
            time_ms: self.time_ms,
            seed: self.seed,
        }
    }

    /// Applies an event, as between two triggers.
    ///
    /// # Errors
    /// A fact that the host broke (which is a fault of the host), or that sequence numbers or
    /// subflow IDs are used up (then nothing changed).
    pub fn apply(&mut self, event: &HostEvent) -> Result<(), HostError> {
        match event {
            HostEvent::Write {
                bytes,
                user,
                psh,
                append,
            } => self.write(*bytes, *user, *psh, *append)?,
            HostEvent::Acknowledged { packet } => self.acknowledge(*packet),
            HostEvent::SuspectedLost { packet } => {
                let sent = self.packet(*packet).is_some_and(|p| !p.sent_on.is_empty());
                if sent {
                    self.reinject(*packet);
                }
            }
            HostEvent::SubflowUp(subflow) => self.add(subflow)?,
            HostEvent::SubflowDies { subflow } => self.remove(*subflow),
            HostEvent::Sampled(sample) => {
                if let Some(subflow) = self.subflow_mut(sample.id) {
                    let user = subflow.user;
                    *subflow = clamped(sample);
                    subflow.user = user;
                }
            }
            HostEvent::Window {
                subflow,
                packet,
                open,
            } => {
                let live = self.is_live(*subflow);
                if let Some(packet) = self.packet_mut(*packet).filter(|_| live) {
                    if *open {
                        packet.no_window_on.remove(subflow);
                    } else {
                        packet.no_window_on.insert(*subflow);
                    }
                }
            }
            HostEvent::Register { reg, value } => self.registers[reg.index()] = *value,
            HostEvent::User { subflow, value } => {
                if let Some(subflow) = self.subflow_mut(*subflow) {
                    subflow.user = *value;
                }
            }
            HostEvent::Time { ms } => {
                self.time_ms = self.time_ms.saturating_add(*ms).min((1 << 48) - 1);
            }
        }
        self.check()
    }

    fn write(&mut self, bytes: u64, user: u64, psh: bool, append: bool) -> Result<(), HostError> {
        let smallest = self.subflows.iter().map(|subflow| subflow.mss).min();
        let mss = smallest.unwrap_or(Subflow::default().mss).max(1);
        let mut rest = bytes;
        let mut next = self.next_seq;
        let mut appended = 0;
        if append && let Some(last) = self.unsent_last().filter(|last| last.user == user) {
            appended = rest.min(mss.min(self.longest).saturating_sub(last.length));
            next = last.seq.checked_add(last.length.max(1) + appended);
            rest -= appended;
        }
        let mut arrived = Vec::new();
        while rest > 0 {
            let seq = next.ok_or(HostError::NoSequenceNumber)?;
            let length = rest.min(mss);
            rest -= length;
            next = seq.checked_add(length);
            arrived.push(Packet {
                seq,
                length,
                user,
                psh: psh && rest == 0,
                ..Packet::default()
            });
        }
        if appended > 0 {
            let last = self.queue(QueueName::Send).last().copied();
            let last = last.and_then(|seq| self.packet_mut(seq));
            let last = last.expect("what was appended to is the last packet of Q");
            last.length += appended;
            last.psh = psh && arrived.is_empty();
        }
        self.next_seq = next;
        if !arrived.is_empty() {
            self.longest = mss;
        }
        for packet in arrived {
            self.queue_mut(QueueName::Send).insert(packet.seq);
            self.packets.insert(packet.seq, packet);
        }
        Ok(())
    }

    /// The last packet of Q, if it is the last of all and nothing of it was sent.
    fn unsent_last(&self) -> Option<&Packet> {
        let (_, last) = self.packets.last_key_value()?;
        let extensible = self.queue(QueueName::Send).contains(&last.seq)
            && last.sent_on.is_empty()
            && last.seq.checked_add(last.length.max(1)) == self.next_seq;
        extensible.then_some(last)
    }

    fn acknowledge(&mut self, seq: u64) {
        if self.packet(seq).is_none_or(|p| p.sent_on.is_empty()) {
            return;
        }
        self.packets.remove(&seq);
        if self.fault == Some(Fault::KeepsAcknowledged) {
            return;
        }
        self.shown_outside_qu.remove(&seq);
        let earlier = self.fault == Some(Fault::AcknowledgesAllEarlier);
        for queue in &mut self.queues {
            queue.retain(|&other| other != seq && !(earlier && other < seq));
        }
    }

    /// Puts a packet that is not in Q into RQ. It was scheduled, so it is in QU.
    pub(crate) fn reinject(&mut self, seq: u64) {
        let in_q = self.queue(QueueName::Send).contains(&seq);
        if in_q && self.fault != Some(Fault::ReinjectsFromQ) {
            return;
        }
        if !in_q {
            self.queue_mut(QueueName::Unacked).insert(seq);
        }
        self.queue_mut(QueueName::Retrans).insert(seq);
    }

    fn add(&mut self, subflow: &Subflow) -> Result<(), HostError> {
        let live = self.subflows.iter().map(|subflow| subflow.id);
        let last = live.chain(self.former.iter().copied()).max();
        let id = last.unwrap_or(0).saturating_add(1);
        if id >> SubflowInt::Id.range_bits() != 0 {
            return Err(HostError::NoSubflowId);
        }
        let mut subflow = clamped(subflow);
        subflow.id = id;
        self.subflows.push(subflow);
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        if !self.is_live(id) {
            return;
        }
        self.subflows.retain(|subflow| subflow.id != id);
        self.former.insert(id);
        if self.fault == Some(Fault::DiscardsPendingOnDeath) {
            self.pending.retain(
                |action| !matches!(action, Pending::Push { subflow, .. } if *subflow == id),
            );
        }
        if self.fault == Some(Fault::ForgetsReinjectionOnDeath) {
            return;
        }
        let orphans: Vec<u64> = self
            .packets()
            .filter(|packet| self.had_only_copies(packet, id))
            .map(|packet| packet.seq)
            .collect();
        for seq in orphans {
            self.reinject(seq);
        }
    }

    /// Whether the packet is not in Q and all its copies were sent or pending on subflow `id`,
    /// which just died. What was sent on subflows that died earlier is no copy any more; what
    /// is still pending on them is one.
    fn had_only_copies(&self, packet: &Packet, id: u64) -> bool {
        let pending = |here: bool| {
            self.pending.iter().any(|action| {
                matches!(action, Pending::Push { subflow, packet: seq, .. }
                    if *seq == packet.seq && (*subflow == id) == here)
            })
        };
        let counts_dead = self.fault == Some(Fault::CountsDeadCopies);
        let sent_elsewhere = packet
            .sent_on
            .iter()
            .any(|&other| other != id && (self.is_live(other) || counts_dead));
        !self.queue(QueueName::Send).contains(&packet.seq)
            && (packet.sent_on.contains(&id) || pending(true))
            && !sent_elsewhere
            && !pending(false)
    }
}

/// The subflow with every property clamped to the range in which a host shows it.
fn clamped(subflow: &Subflow) -> Subflow {
    let mut subflow = subflow.clone();
    for &property in SubflowInt::ALL {
        let bits = property.range_bits();
        if bits < 64 {
            let cell = subflow.int_mut(property);
            *cell = (*cell).min((1 << bits) - 1);
        }
    }
    subflow.rtt_ms = subflow.rtt / 1000;
    subflow
}
