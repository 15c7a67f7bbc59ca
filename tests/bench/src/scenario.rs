//! Hot states: the ones that a scheduler meets most, in which it has something to decide; and many
//! states like them, so that no branch goes the same way each time.

use std::collections::BTreeSet;

use progmp_ir::{Packet, SchedState, Subflow, splitmix64};

/// A state for a scheduler of the corpus: `subflows` subflows, of which the first has a full window
/// and the second is a backup if there are three; ten packets in Q and eight in flight. The fastest
/// subflow that is free is never the first that is looked at.
pub(crate) fn hot(scheduler: &str, subflows: u64) -> SchedState {
    let mut state = SchedState::default();
    for i in 0..subflows {
        let full = i == 0 && subflows > 2;
        state.subflows.push(Subflow {
            id: i + 1,
            rtt: 60_000 - 5_000 * (i * 5 % 8),
            cwnd: 20 + i,
            skbs_in_flight: if full { 20 } else { 8 },
            queued: 1,
            is_backup: i == 1 && subflows > 2,
            delivery_rate: 40_000 + 1_000 * i,
            ..Subflow::default()
        });
    }
    for seq in 0..18 {
        let in_flight = seq < 8;
        // The oldest six are everywhere, the next two on the first subflow only.
        let sent: BTreeSet<u64> = match seq {
            0..6 => (1..=subflows).collect(),
            6..8 => [1].into(),
            _ => BTreeSet::new(),
        };
        state.packets.push(Packet {
            seq: 1_400 * seq,
            length: 1_400,
            sent_on: sent,
            ..Packet::default()
        });
        let position = state.packets.len() - 1;
        if in_flight {
            state.qu.push(position);
        } else if scheduler != "compensating" {
            state.q.push(position);
        }
    }
    match scheduler {
        "compensating" => {
            // The flow ends: what is in flight goes out once more.
            state.packets.truncate(8);
            state.registers[0] = 1;
        }
        "tap" => {
            // The cheap subflows are full and below the target; the last one is dear.
            state.registers[0] = 1_000;
            state.registers[3] = 5_000;
            let last = state.subflows.len() - 1;
            for (i, subflow) in state.subflows.iter_mut().enumerate() {
                subflow.is_backup = i == last;
                if i != last {
                    subflow.skbs_in_flight = subflow.cwnd;
                }
            }
        }
        _ => {}
    }
    state.normalize();
    state
}

/// The hot state with other round-trip times, windows and flags, by number; the turn of round robin
/// and what was sent where differ too.
pub(crate) fn varied(scheduler: &str, subflows: u64, number: u64) -> SchedState {
    let mut state = hot(scheduler, subflows);
    let mut seed = splitmix64(number);
    let mut below = |limit: u64| {
        seed = splitmix64(seed);
        seed % limit
    };
    for subflow in &mut state.subflows {
        subflow.rtt = 5_000 + below(80_000);
        subflow.skbs_in_flight = match below(4) {
            0 => subflow.cwnd,
            _ => below(subflow.cwnd),
        };
        subflow.throttled = below(8) == 0;
        subflow.lossy = below(16) == 0;
    }
    for packet in &mut state.packets {
        if !packet.sent_on.is_empty() {
            packet.sent_on = (1..=subflows).filter(|_| below(4) > 0).collect();
        }
    }
    if scheduler == "round_robin" {
        state.registers[0] = below(subflows + 1);
    }
    state.normalize();
    state
}
