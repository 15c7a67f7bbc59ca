//! The well-formed predicate of specs/abi.md: what every host keeps before a run, and what the
//! validator assumes.

use progmp_ir::{QueueName, SubflowBool, SubflowInt};

use crate::fill::{place_of, queue_at, word_of};
use crate::layout::{self, block, packet, queue, subflow};
use crate::{Block, Error};

/// Checks the predicate, rule by rule.
///
/// # Errors
/// The first rule that does not hold.
pub fn well_formed(shown: &Block) -> Result<(), Error> {
    let (magic, version) = (shown.u32(block::MAGIC_AT), shown.u32(block::VERSION_AT));
    let size = shown.u32(block::SIZE_AT);
    if (magic, version, size as usize) != (layout::MAGIC, layout::VERSION, block::BYTES) {
        return Err(Error::Version {
            magic,
            version,
            size,
        });
    }
    start(shown)?;
    let live = words(shown)?;
    subflows(shown, live)?;
    packets(shown, live)?;
    queues(shown)
}

fn hold(rule: &'static str, holds: bool, what: impl FnOnce() -> String) -> Result<(), Error> {
    if holds {
        Ok(())
    } else {
        Err(Error::NotWellFormed { rule, what: what() })
    }
}

fn start(shown: &Block) -> Result<(), Error> {
    for (offset, name) in [
        (block::STATUS, "status"),
        (block::ACTION_COUNT, "actions"),
        (block::PRINT_COUNT, "prints"),
    ] {
        let value = shown.u32(offset);
        hold("W1", value == 0, || format!("{name} is {value}, not 0"))?;
    }
    for (offset, name, wanted) in [
        (block::ZERO, "zero", 0),
        (block::ONE, "one", 1),
        (block::INF, "inf", u64::MAX),
    ] {
        let value = shown.u64(offset);
        hold("W2", value == wanted, || format!("{name} is {value}"))?;
    }
    let table = &shown.bytes()[block::LOWEST..block::LOWEST + 64];
    hold("W2", table == layout::lowest_table(), || {
        "the table of lowest bits is wrong".to_owned()
    })
}

/// Returns the word of live subflows.
fn words(shown: &Block) -> Result<u64, Error> {
    let count = shown.u64(block::SUBFLOW_COUNT);
    hold("W3", count <= layout::SUBFLOWS as u64, || {
        format!("{count} subflows")
    })?;
    let live = shown.u64(block::LIVE);
    hold("W3", live == (1 << count) - 1, || {
        format!("{count} subflows, but live is {live:#x}")
    })?;
    for &flag in SubflowBool::ALL {
        let word = shown.u64(word_of(flag));
        hold("W4", word & !live == 0, || {
            format!("{} is {word:#x}, live {live:#x}", flag.name())
        })?;
    }
    Ok(live)
}

fn subflows(shown: &Block, live: u64) -> Result<(), Error> {
    let record = |index: usize| block::SUBFLOW + subflow::BYTES * index;
    for index in 0..layout::SUBFLOWS {
        for &property in SubflowInt::ALL {
            if let Some((offset, 8)) = place_of(property) {
                let value = shown.u64(record(index) + offset);
                let bits = property.range_bits();
                hold("W6", bits == 64 || value >> bits == 0, || {
                    format!("{} of subflow record {index} is {value}", property.name())
                })?;
            }
        }
    }
    let mut ids = Vec::new();
    for index in (0..layout::SUBFLOWS).filter(|index| live >> index & 1 == 1) {
        let id = shown.u32(record(index) + subflow::ID);
        hold("W5", id > 0 && !ids.contains(&id), || {
            format!("subflow record {index} has the id {id}")
        })?;
        ids.push(id);
        let rtt = shown.u64(record(index) + subflow::RTT);
        let rtt_ms = shown.u64(record(index) + subflow::RTT_MS);
        hold("W6", rtt_ms == rtt / 1000, || {
            format!("subflow {id} has an RTT of {rtt} us and of {rtt_ms} ms")
        })?;
    }
    let time = shown.u64(block::TIME_MS);
    hold("W6", time >> 48 == 0, || format!("the time is {time}"))
}

fn packets(shown: &Block, live: u64) -> Result<(), Error> {
    let count = shown.u32(block::PACKET_COUNT) as usize;
    hold("W7", count <= 3 * layout::QUEUE_MAX, || {
        format!("{count} packets")
    })?;
    let mut last = None;
    for index in 0..count {
        let record = block::PACKET + packet::BYTES * index;
        let seq = shown.u64(record + packet::SEQ);
        hold("W7", last.is_none_or(|last| last < seq), || {
            format!("packet record {index} has the SEQ {seq}")
        })?;
        last = Some(seq);
        let flags = shown.u32(record + packet::FLAGS);
        hold("W8", flags & !layout::PSH == 0, || {
            format!("packet {seq} has the flags {flags:#x}")
        })?;
        for (offset, name) in [(packet::SENT_ON, "sent_on"), (packet::WINDOW, "window")] {
            let word = shown.u32(record + offset);
            hold("W8", u64::from(word) & !live == 0, || {
                format!("{name} of packet {seq} is {word:#x}, live {live:#x}")
            })?;
        }
        let held = [QueueName::Send, QueueName::Unacked]
            .iter()
            .any(|&name| shown.holds(queue_at(name), index));
        let sent = shown.u32(record + packet::SENT_ON);
        hold("W8", sent == 0 || held, || {
            format!("packet {seq} was sent, but is in neither Q nor QU")
        })?;
    }
    Ok(())
}

fn queues(shown: &Block) -> Result<(), Error> {
    let count = shown.u32(block::PACKET_COUNT) as usize;
    for name in QueueName::ALL {
        let at = queue_at(name);
        let members: Vec<usize> = shown.members(at).collect();
        hold("W9", members.len() <= layout::QUEUE_MAX, || {
            format!("{} holds {} packets", name.name(), members.len())
        })?;
        let stray = members.iter().find(|&&record| record >= count);
        hold("W9", stray.is_none(), || {
            format!("{} names a record not in use", name.name())
        })?;
        let some = (0..layout::WORDS)
            .filter(|word| shown.u64(at + queue::WORD + 8 * word) != 0)
            .fold(0, |some, word| some | 1_u64 << word);
        hold("W9", shown.u64(at + queue::SOME) == some, || {
            format!("the summary of {} is wrong", name.name())
        })?;
    }
    for other in [QueueName::Unacked, QueueName::Retrans] {
        let twice = (0..count).find(|&record| {
            shown.holds(queue_at(QueueName::Send), record) && shown.holds(queue_at(other), record)
        });
        hold("W10", twice.is_none(), || {
            format!("a packet is in Q and in {}", other.name())
        })?;
    }
    let nowhere = (0..count).find(|&record| {
        !QueueName::ALL
            .iter()
            .any(|&name| shown.holds(queue_at(name), record))
    });
    hold("W10", nowhere.is_none(), || {
        format!("packet record {} is in no queue", nowhere.unwrap_or(0))
    })
}
