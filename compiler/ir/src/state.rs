//! What one execution sees: subflows, packets, queues, registers, clock, seed.
//!
//! The JSON form is the one that users write and that counterexamples carry
//! (specs/state.md). Whatever is left out has an ordinary value: a subflow
//! with a free window and 10 ms of RTT, a packet of 1,000 bytes, time 0.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::types::{PacketInt, QueueName, SubflowBool, SubflowInt};

/// A subflow's properties, sampled at the start of a trigger.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "the language has four independent flags"
)]
pub struct Subflow {
    /// Per-connection id, ≥ 1, distinct. 0 in JSON input means "position + 1".
    pub id: u64,
    /// µs.
    pub rtt: u64,
    /// ms; `rtt / 1000`.
    #[serde(skip)]
    pub rtt_ms: u64,
    /// µs.
    pub rtt_var: u64,
    /// Packets.
    pub cwnd: u64,
    /// Packets.
    pub ssthresh: u64,
    /// Packets in flight.
    pub skbs_in_flight: u64,
    /// Packets accepted and unsent.
    pub queued: u64,
    /// Packets marked lost.
    pub lost_skbs: u64,
    /// Bytes.
    pub mss: u64,
    /// Bytes/s.
    pub pacing_rate: u64,
    /// Bytes/s.
    pub delivery_rate: u64,
    /// Bytes handed over in the last second.
    pub bw_out_send: u64,
    /// Timestamp ticks.
    pub delay_in: u64,
    /// Timestamp ticks.
    pub delay_out: u64,
    /// Set by `SET_USER`.
    pub user: u64,
    /// Backup only.
    pub is_backup: bool,
    /// TCP small queues hold it.
    pub throttled: bool,
    /// Congestion state Loss.
    pub lossy: bool,
    /// Marked stale.
    pub stale: bool,
}

impl Default for Subflow {
    fn default() -> Self {
        Self {
            id: 0,
            rtt: 10_000,
            rtt_ms: 10,
            rtt_var: 1_000,
            cwnd: 10,
            ssthresh: 64,
            skbs_in_flight: 0,
            queued: 0,
            lost_skbs: 0,
            mss: 1_400,
            pacing_rate: 1_000_000,
            delivery_rate: 1_000_000,
            bw_out_send: 0,
            delay_in: 10,
            delay_out: 10,
            user: 0,
            is_backup: false,
            throttled: false,
            lossy: false,
            stale: false,
        }
    }
}

impl Subflow {
    /// Reads an integer property.
    pub const fn int(&self, property: SubflowInt) -> u64 {
        match property {
            SubflowInt::Rtt => self.rtt,
            SubflowInt::RttMs => self.rtt_ms,
            SubflowInt::RttVar => self.rtt_var,
            SubflowInt::Cwnd => self.cwnd,
            SubflowInt::Ssthresh => self.ssthresh,
            SubflowInt::InFlight => self.skbs_in_flight,
            SubflowInt::Queued => self.queued,
            SubflowInt::LostSkbs => self.lost_skbs,
            SubflowInt::Mss => self.mss,
            SubflowInt::Id => self.id,
            SubflowInt::PacingRate => self.pacing_rate,
            SubflowInt::DeliveryRate => self.delivery_rate,
            SubflowInt::SendRate => self.bw_out_send,
            SubflowInt::DelayIn => self.delay_in,
            SubflowInt::DelayOut => self.delay_out,
            SubflowInt::User => self.user,
        }
    }

    /// The cell of an integer property, for who builds states. Writing RTT leaves `rtt_ms`
    /// behind: call [`SchedState::normalize`] when done.
    pub const fn int_mut(&mut self, property: SubflowInt) -> &mut u64 {
        match property {
            SubflowInt::Rtt => &mut self.rtt,
            SubflowInt::RttMs => &mut self.rtt_ms,
            SubflowInt::RttVar => &mut self.rtt_var,
            SubflowInt::Cwnd => &mut self.cwnd,
            SubflowInt::Ssthresh => &mut self.ssthresh,
            SubflowInt::InFlight => &mut self.skbs_in_flight,
            SubflowInt::Queued => &mut self.queued,
            SubflowInt::LostSkbs => &mut self.lost_skbs,
            SubflowInt::Mss => &mut self.mss,
            SubflowInt::Id => &mut self.id,
            SubflowInt::PacingRate => &mut self.pacing_rate,
            SubflowInt::DeliveryRate => &mut self.delivery_rate,
            SubflowInt::SendRate => &mut self.bw_out_send,
            SubflowInt::DelayIn => &mut self.delay_in,
            SubflowInt::DelayOut => &mut self.delay_out,
            SubflowInt::User => &mut self.user,
        }
    }

    /// Reads a flag.
    pub const fn flag(&self, property: SubflowBool) -> bool {
        match property {
            SubflowBool::IsBackup => self.is_backup,
            SubflowBool::Throttled => self.throttled,
            SubflowBool::Lossy => self.lossy,
            SubflowBool::Stale => self.stale,
        }
    }

    /// The cell of a flag.
    pub const fn flag_mut(&mut self, property: SubflowBool) -> &mut bool {
        match property {
            SubflowBool::IsBackup => &mut self.is_backup,
            SubflowBool::Throttled => &mut self.throttled,
            SubflowBool::Lossy => &mut self.lossy,
            SubflowBool::Stale => &mut self.stale,
        }
    }

    /// `CWND > SKBS_IN_FLIGHT + QUEUED`.
    pub const fn has_free_window(&self) -> bool {
        self.cwnd > self.skbs_in_flight.wrapping_add(self.queued)
    }
}

/// A packet: a slice of the connection's byte stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Packet {
    /// Data sequence number; ascending in [`SchedState::packets`].
    pub seq: u64,
    /// Bytes.
    pub length: u64,
    /// Set by the application.
    pub user: u64,
    /// End of an application write.
    pub psh: bool,
    /// IDs of the subflows, also former ones, on which it was transmitted.
    pub sent_on: BTreeSet<u64>,
    /// IDs of the subflows on which the peer's window has **no** room for it.
    pub no_window_on: BTreeSet<u64>,
}

impl Default for Packet {
    fn default() -> Self {
        Self {
            seq: 0,
            length: 1_000,
            user: 0,
            psh: false,
            sent_on: BTreeSet::new(),
            no_window_on: BTreeSet::new(),
        }
    }
}

impl Packet {
    /// Reads an integer property.
    pub const fn int(&self, property: PacketInt) -> u64 {
        match property {
            PacketInt::Length => self.length,
            PacketInt::Seq => self.seq,
            PacketInt::User => self.user,
        }
    }

    /// The cell of an integer property.
    pub const fn int_mut(&mut self, property: PacketInt) -> &mut u64 {
        match property {
            PacketInt::Length => &mut self.length,
            PacketInt::Seq => &mut self.seq,
            PacketInt::User => &mut self.user,
        }
    }
}

/// The state σ of specs/semantics.md.
///
/// Queues hold positions in `packets`, ascending, so list order is sequence order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SchedState {
    /// SUBFLOWS, oldest first.
    pub subflows: Vec<Subflow>,
    /// Every packet of the connection that a queue names, in sequence order.
    pub packets: Vec<Packet>,
    /// `Q`.
    pub q: Vec<usize>,
    /// `QU`.
    pub qu: Vec<usize>,
    /// `RQ`.
    pub rq: Vec<usize>,
    /// R1 … R6.
    pub registers: [u64; 6],
    /// `CURRENT_TIME_MS`.
    pub time_ms: u64,
    /// Seed of the next execution's RANDOM.
    pub seed: u64,
}

/// Why a state is not one that a host can show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A queue names a packet that is not there.
    #[error("{queue} names packet {index}, but there are {packets} packets")]
    NoSuchPacket {
        /// `Q`, `QU` or `RQ`.
        queue: &'static str,
        /// The position named.
        index: usize,
        /// How many packets there are.
        packets: usize,
    },
    /// A queue is not strictly ascending.
    #[error("{queue} is not in sequence order, or names a packet twice")]
    NotInOrder {
        /// `Q`, `QU` or `RQ`.
        queue: &'static str,
    },
    /// A packet is in Q and in QU or RQ.
    #[error("packet {index} is in Q and in {other}")]
    InTwoQueues {
        /// The packet.
        index: usize,
        /// `QU` or `RQ`.
        other: &'static str,
    },
    /// Sequence numbers do not ascend.
    #[error("packet {index} has a SEQ that is not above its predecessor's")]
    SeqNotAscending {
        /// The later packet.
        index: usize,
    },
    /// Two subflows with one ID, or an ID of 0.
    #[error("subflow {index} has the ID {id}, which is 0 or taken")]
    BadId {
        /// Position in SUBFLOWS.
        index: usize,
        /// The ID.
        id: u64,
    },
    /// A value outside the range to which hosts clamp it.
    #[error("{what} = {value} is out of range (must be below 2^{bits})")]
    OutOfRange {
        /// Which property of what.
        what: String,
        /// The value.
        value: u64,
        /// Its width.
        bits: u32,
    },
    /// `SENT_ON` of a packet that is neither in Q nor in QU.
    #[error("packet {index} was sent, but is in neither Q nor QU")]
    SentButNowhere {
        /// The packet.
        index: usize,
    },
    /// More members than a list can have.
    #[error("{what} has {count} members; the host shows at most {limit}")]
    TooMany {
        /// Which list.
        what: &'static str,
        /// Its members.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

impl SchedState {
    /// Packets of each queue that a host shows at most.
    pub const MAX_QUEUE: usize = 256;

    /// The queue of this name.
    pub const fn queue(&self, name: QueueName) -> &Vec<usize> {
        match name {
            QueueName::Send => &self.q,
            QueueName::Unacked => &self.qu,
            QueueName::Retrans => &self.rq,
        }
    }

    /// The queue of this name.
    pub const fn queue_mut(&mut self, name: QueueName) -> &mut Vec<usize> {
        match name {
            QueueName::Send => &mut self.q,
            QueueName::Unacked => &mut self.qu,
            QueueName::Retrans => &mut self.rq,
        }
    }

    /// Fills in what JSON may leave out: `rtt_ms`, IDs by position, SEQs one
    /// length apart when no packet has one.
    pub fn normalize(&mut self) {
        for (position, subflow) in self.subflows.iter_mut().enumerate() {
            subflow.rtt_ms = subflow.rtt / 1000;
            if subflow.id == 0 {
                subflow.id = position as u64 + 1;
            }
        }
        if self.packets.len() > 1 && self.packets.iter().all(|packet| packet.seq == 0) {
            let mut seq = 1_u64;
            for packet in &mut self.packets {
                packet.seq = seq;
                seq = seq.wrapping_add(packet.length.max(1));
            }
        }
    }

    /// Reads the JSON form, fills in what it leaves out and checks the rest.
    ///
    /// # Errors
    /// A message for the user: bad JSON with line and column, or the fact that the state breaks.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let mut state: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        state.normalize();
        state.check().map_err(|e| e.to_string())?;
        Ok(state)
    }

    /// The JSON form, indented.
    ///
    /// # Panics
    /// Never: the type has no map with keys that are not strings.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a state serialises")
    }

    /// Checks the environment facts of specs/environment.md: what every proof may assume and
    /// every host keeps.
    ///
    /// # Errors
    /// The first fact that does not hold.
    pub fn check(&self) -> Result<(), StateError> {
        for name in QueueName::ALL {
            let queue = self.queue(name);
            if queue.len() > Self::MAX_QUEUE {
                return Err(StateError::TooMany {
                    what: name.name(),
                    count: queue.len(),
                    limit: Self::MAX_QUEUE,
                });
            }
            for &index in queue {
                if index >= self.packets.len() {
                    return Err(StateError::NoSuchPacket {
                        queue: name.name(),
                        index,
                        packets: self.packets.len(),
                    });
                }
            }
            if queue.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(StateError::NotInOrder { queue: name.name() });
            }
        }
        for &index in &self.q {
            for other in [QueueName::Unacked, QueueName::Retrans] {
                if self.queue(other).binary_search(&index).is_ok() {
                    return Err(StateError::InTwoQueues {
                        index,
                        other: other.name(),
                    });
                }
            }
        }
        for (index, pair) in self.packets.windows(2).enumerate() {
            if pair[0].seq >= pair[1].seq {
                return Err(StateError::SeqNotAscending { index: index + 1 });
            }
        }
        self.check_ranges()
    }

    fn check_ranges(&self) -> Result<(), StateError> {
        let in_range = |what: &dyn Fn() -> String, value: u64, bits: u32| {
            if bits < 64 && value >> bits != 0 {
                return Err(StateError::OutOfRange {
                    what: what(),
                    value,
                    bits,
                });
            }
            Ok(())
        };
        for (index, subflow) in self.subflows.iter().enumerate() {
            let taken = self.subflows[..index]
                .iter()
                .any(|other| other.id == subflow.id);
            if subflow.id == 0 || taken {
                return Err(StateError::BadId {
                    index,
                    id: subflow.id,
                });
            }
            for &property in SubflowInt::ALL {
                let what = || format!("{} of subflow {}", property.name(), subflow.id);
                in_range(&what, subflow.int(property), property.range_bits())?;
            }
        }
        for (index, packet) in self.packets.iter().enumerate() {
            for &property in PacketInt::ALL {
                let what = || format!("{} of packet {index}", property.name());
                in_range(&what, packet.int(property), property.range_bits())?;
            }
            let held = |queue: &[usize]| queue.binary_search(&index).is_ok();
            if !packet.sent_on.is_empty() && !held(&self.q) && !held(&self.qu) {
                return Err(StateError::SentButNowhere { index });
            }
        }
        in_range(&|| "CURRENT_TIME_MS".to_owned(), self.time_ms, 48)
    }
}
