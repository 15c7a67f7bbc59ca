//! A state as a block, and a block after a run as what was decided.

use progmp_ir::{Packet, QueueName, SchedState, Subflow, SubflowBool, SubflowInt};

use crate::layout::{self, block, packet, queue, subflow};
use crate::outcome::{Outcome, decisions, printed};
use crate::{Block, Error};

/// A block that shows a state, and which packet of the state each record is.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The block.
    pub block: Block,
    /// Positions in [`SchedState::packets`], by record. Packets in no queue have no record.
    pub packets: Vec<usize>,
    subflows: usize,
}

/// Offset and bytes of an integer property in its record; USER stands elsewhere.
pub const fn place_of(property: SubflowInt) -> Option<(usize, usize)> {
    Some(match property {
        SubflowInt::Rtt => (subflow::RTT, 8),
        SubflowInt::RttMs => (subflow::RTT_MS, 8),
        SubflowInt::RttVar => (subflow::RTT_VAR, 8),
        SubflowInt::Cwnd => (subflow::CWND, 4),
        SubflowInt::Ssthresh => (subflow::SSTHRESH, 4),
        SubflowInt::InFlight => (subflow::IN_FLIGHT, 4),
        SubflowInt::Queued => (subflow::QUEUED, 4),
        SubflowInt::LostSkbs => (subflow::LOST_SKBS, 4),
        SubflowInt::Mss => (subflow::MSS, 4),
        SubflowInt::Id => (subflow::ID, 4),
        SubflowInt::PacingRate => (subflow::PACING_RATE, 8),
        SubflowInt::DeliveryRate => (subflow::DELIVERY_RATE, 8),
        SubflowInt::SendRate => (subflow::SEND_RATE, 8),
        SubflowInt::DelayIn => (subflow::DELAY_IN, 8),
        SubflowInt::DelayOut => (subflow::DELAY_OUT, 8),
        SubflowInt::User => return None,
    })
}

/// Offset of the bit word of a flag.
pub const fn word_of(flag: SubflowBool) -> usize {
    match flag {
        SubflowBool::IsBackup => block::IS_BACKUP,
        SubflowBool::Throttled => block::THROTTLED,
        SubflowBool::Lossy => block::LOSSY,
        SubflowBool::Stale => block::STALE,
    }
}

/// Offset of a queue.
pub const fn queue_at(name: QueueName) -> usize {
    block::QUEUE + queue::BYTES * name as usize
}

/// The block that shows `state`. It is well-formed.
///
/// # Errors
/// The fact about the environment that the state breaks, or that it has more subflows than the
/// block has records. Three queues of 256 packets always fit.
///
/// # Panics
/// Never: what is put into narrow members was checked to fit.
pub fn fill(state: &SchedState) -> Result<Filled, Error> {
    state.check()?;
    if state.subflows.len() > layout::SUBFLOWS {
        return Err(Error::TooManySubflows {
            subflows: state.subflows.len(),
        });
    }
    let mut shown = Block::zeroed();
    header(&mut shown, state);
    for (index, subflow) in state.subflows.iter().enumerate() {
        put_subflow(&mut shown, index, subflow);
    }
    let mut packets: Vec<usize> = QueueName::ALL
        .iter()
        .flat_map(|&name| state.queue(name).iter().copied())
        .collect();
    packets.sort_unstable();
    packets.dedup();
    for (index, &position) in packets.iter().enumerate() {
        put_packet(&mut shown, index, &state.packets[position], &state.subflows);
    }
    for name in QueueName::ALL {
        for position in state.queue(name) {
            let record = packets
                .binary_search(position)
                .expect("every packet in a queue has a record");
            shown.insert(queue_at(name), record);
        }
    }
    shown.put_u32(block::PACKET_COUNT, number(packets.len()));
    Ok(Filled {
        block: shown,
        packets,
        subflows: state.subflows.len(),
    })
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("counts in a block are small")
}

fn header(shown: &mut Block, state: &SchedState) {
    for (index, &value) in state.registers.iter().enumerate() {
        shown.put_u64(block::REG + 8 * index, value);
    }
    shown.put_u32(block::MAGIC_AT, layout::MAGIC);
    shown.put_u32(block::VERSION_AT, layout::VERSION);
    shown.put_u32(block::SIZE_AT, number(block::BYTES));
    let count = state.subflows.len();
    shown.put_u64(block::SUBFLOW_COUNT, count as u64);
    shown.put_u64(block::ONE, 1);
    shown.put_u64(block::INF, u64::MAX);
    shown.put_u64(block::TIME_MS, state.time_ms);
    shown.put_u64(block::SEED, state.seed);
    shown.put_u64(block::LIVE, (1 << count) - 1);
    for &flag in SubflowBool::ALL {
        let word = bits(&state.subflows, |subflow| subflow.flag(flag));
        shown.put_u64(word_of(flag), u64::from(word));
    }
    shown.put(block::LOWEST, &layout::lowest_table());
}

/// One bit for each subflow of which the condition holds.
fn bits(subflows: &[Subflow], holds: impl Fn(&Subflow) -> bool) -> u32 {
    let set = subflows.iter().enumerate().filter(|(_, s)| holds(s));
    set.fold(0, |word, (index, _)| word | 1 << index)
}

fn put_subflow(shown: &mut Block, index: usize, subflow: &Subflow) {
    let record = block::SUBFLOW + subflow::BYTES * index;
    for &property in SubflowInt::ALL {
        let value = subflow.int(property);
        match place_of(property) {
            Some((offset, 4)) => {
                let value = u32::try_from(value).expect("the state's ranges were checked");
                shown.put_u32(record + offset, value);
            }
            Some((offset, _)) => shown.put_u64(record + offset, value),
            None => shown.put_u64(block::USER + 8 * index, value),
        }
    }
}

fn put_packet(shown: &mut Block, index: usize, from: &Packet, subflows: &[Subflow]) {
    let record = block::PACKET + packet::BYTES * index;
    let length = u32::try_from(from.length).expect("the state's ranges were checked");
    shown.put_u64(record + packet::SEQ, from.seq);
    shown.put_u64(record + packet::USER, from.user);
    shown.put_u32(record + packet::LENGTH, length);
    let flags = if from.psh { layout::PSH } else { 0 };
    shown.put_u32(record + packet::FLAGS, flags);
    let sent = bits(subflows, |s| from.sent_on.contains(&s.id));
    let open = bits(subflows, |s| !from.no_window_on.contains(&s.id));
    shown.put_u32(record + packet::SENT_ON, sent);
    shown.put_u32(record + packet::WINDOW, open);
}

impl Filled {
    /// What the run said, in positions of the state. Nothing that the program wrote is trusted.
    ///
    /// # Errors
    /// The run was aborted, or what it left names records that are not in use.
    pub fn read_back(&self) -> Result<Outcome, Error> {
        let after = &self.block;
        let status = after.u32(block::STATUS);
        if status != layout::DONE {
            return Err(Error::NotDone { status });
        }
        let actions = decisions(after, self.subflows, &self.packets)?;
        let mut queues = [const { Vec::new() }; 3];
        for name in QueueName::ALL {
            for record in after.members(queue_at(name)) {
                let position = self
                    .packets
                    .get(record)
                    .ok_or(Error::BadQueue { queue: name.name() })?;
                queues[name as usize].push(*position);
            }
        }
        Ok(Outcome {
            actions,
            registers: std::array::from_fn(|index| after.u64(block::REG + 8 * index)),
            users: (0..self.subflows)
                .map(|index| after.u64(block::USER + 8 * index))
                .collect(),
            queues,
            prints: printed(after),
            print_count: u64::from(after.u32(block::PRINT_COUNT)),
        })
    }
}
