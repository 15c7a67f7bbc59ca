//! Random states: what a program reads varies, the rest is ordinary.
//!
//! Values sit at boundaries on purpose: 0, 1, equal to another, the literals of
//! the program and their neighbours, the ends of the ranges.

use std::collections::BTreeSet;

use progmp_ir::{Needs, Packet, PacketInt, SchedReg, SchedState, Subflow, SubflowBool, SubflowInt};

use crate::choices::Choices;

/// How large states may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Subflows at most.
    pub subflows: usize,
    /// Packets at most.
    pub packets: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            subflows: 4,
            packets: 5,
        }
    }
}

/// A random state for a program with these needs.
pub fn state(choices: &mut Choices, needs: &Needs) -> SchedState {
    state_of(choices, needs, Sizes::default())
}

/// A random state of at most these sizes. It meets every environment fact.
///
/// # Panics
/// If it does not: the generator is wrong.
pub fn state_of(choices: &mut Choices, needs: &Needs, sizes: Sizes) -> SchedState {
    let mut state = SchedState::default();
    if needs.reads_time() {
        state.time_ms = value(choices, 48, &[]);
    }
    subflows(choices, needs, sizes.subflows, &mut state);
    packets(choices, needs, sizes.packets, &mut state);
    registers(choices, needs, &mut state);
    if needs.uses_random() {
        state.seed = choices.word();
    }
    state.normalize();
    if let Err(fact) = state.check() {
        unreachable!("a generated state meets every fact: {fact}");
    }
    state
}

/// A value below `2^bits`: small, at a boundary, or near one of the values `near`.
fn value(choices: &mut Choices, bits: u32, near: &[u64]) -> u64 {
    let most = if bits == 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    };
    let value = match choices.below(8) {
        0..=2 => choices.below(4),
        3 => *choices.pick(&[5, 10, 100, 1_000, 10_000]),
        4 => most - choices.below(2),
        5 | 6 if !near.is_empty() => {
            let value = *choices.pick(near);
            match choices.below(3) {
                0 => value,
                1 => value.saturating_add(1),
                _ => value.saturating_sub(1),
            }
        }
        5 => choices.word(),
        _ => choices.below(100_000),
    };
    value.min(most)
}

fn subflows(choices: &mut Choices, needs: &Needs, most: usize, state: &mut SchedState) {
    let ids = [1, 2, 3, 4, 7, 255, (1 << 32) - 1];
    for position in 0..choices.count(most) {
        let mut subflow = Subflow {
            id: position as u64 + 1,
            ..Subflow::default()
        };
        let taken = |id| state.subflows.iter().any(|other| other.id == id);
        if choices.percent(20) || taken(subflow.id) {
            let free: Vec<u64> = ids.into_iter().filter(|&id| !taken(id)).collect();
            if !free.is_empty() {
                subflow.id = *choices.pick(&free);
            }
        }
        for &property in SubflowInt::ALL {
            let given = matches!(property, SubflowInt::Id | SubflowInt::RttMs);
            if given || !needs.reads_subflow_int(property) {
                continue;
            }
            let others = state.subflows.iter().map(|other| other.int(property));
            let mut near: Vec<u64> = others.collect();
            if property == SubflowInt::User {
                near.extend(needs.user_literals());
            }
            *subflow.int_mut(property) = value(choices, property.range_bits(), &near);
        }
        if needs.reads_subflow_int(SubflowInt::RttMs) {
            subflow.rtt = value(
                choices,
                SubflowInt::Rtt.range_bits(),
                &[1_000, 2_000, 10_000],
            );
        }
        if needs.reads_subflow_int(SubflowInt::Cwnd) && choices.percent(50) {
            // The boundary of the test for a free window.
            let full = subflow.skbs_in_flight + subflow.queued;
            let cwnd = full.saturating_add(choices.below(3)).saturating_sub(1);
            subflow.cwnd = cwnd.min((1 << SubflowInt::Cwnd.range_bits()) - 1);
        }
        for &property in SubflowBool::ALL {
            if needs.reads_subflow_bool(property) {
                *subflow.flag_mut(property) = choices.percent(40);
            }
        }
        state.subflows.push(subflow);
    }
}

fn packets(choices: &mut Choices, needs: &Needs, most: usize, state: &mut SchedState) {
    let count = choices.count(most);
    let last = u64::MAX - 8.max(count as u64);
    let mut seq = *choices.pick(&[1, 0, 1_000, last, 1 << 32]);
    let live: Vec<u64> = state.subflows.iter().map(|subflow| subflow.id).collect();
    for position in 0..count {
        let mut packet = Packet {
            seq,
            ..Packet::default()
        };
        for property in [PacketInt::Length, PacketInt::User] {
            if needs.reads_packet_int(property) {
                *packet.int_mut(property) = value(choices, property.range_bits(), &[]);
            }
        }
        packet.psh = needs.reads_psh() && choices.percent(40);
        // In no queue at all: a packet that a counterexample may well carry along.
        let mut nowhere = choices.percent(3);
        let place = choices.weighted(&[(4, 0), (3, 1), (3, 2), (1, 3)]);
        nowhere |= [&state.q, &state.qu, &state.rq]
            .iter()
            .any(|queue| queue.len() == SchedState::MAX_QUEUE);
        if !nowhere {
            match place {
                0 => state.q.push(position),
                1 => state.qu.push(position),
                2 => {
                    state.qu.push(position);
                    state.rq.push(position);
                }
                // A prefix of QU may end before a packet that is in RQ.
                _ => state.rq.push(position),
            }
        }
        if !nowhere && place < 3 {
            let sent = if place == 0 { 15 } else { 50 };
            packet.sent_on = subset(choices, &live, sent);
            if choices.percent(10) {
                packet.sent_on.insert(99);
            }
        }
        let shut = if needs.reads_windows() { 35 } else { 5 };
        packet.no_window_on = subset(choices, &live, shut);
        state.packets.push(packet);
        let left = u64::MAX - seq;
        let still = (count - position) as u64;
        // Room for the packets that follow, each with a SEQ of its own.
        seq += choices.pick(&[1_000, 1, 2]).min(&(left / still.max(1)));
    }
}

fn subset(choices: &mut Choices, of: &[u64], percent: u32) -> BTreeSet<u64> {
    of.iter()
        .copied()
        .filter(|_| choices.percent(percent))
        .collect()
}

fn registers(choices: &mut Choices, needs: &Needs, state: &mut SchedState) {
    let mut near: Vec<u64> = needs.register_literals().iter().copied().collect();
    near.push(state.time_ms);
    near.extend(state.subflows.iter().map(|subflow| subflow.id));
    near.push(state.subflows.len() as u64);
    for reg in SchedReg::all() {
        if needs.reads_register(reg) || needs.writes_register(reg) {
            state.registers[reg.index()] = value(choices, 64, &near);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_choices_give_the_empty_state() {
        let mut choices = Choices::from_words(Vec::new());
        let state = state(&mut choices, &Needs::default());
        assert_eq!(state, SchedState::default());
    }

    #[test]
    fn every_size_and_queue_occurs() {
        let (mut subflows, mut packets) = (BTreeSet::new(), BTreeSet::new());
        let (mut q, mut rq, mut alone) = (false, false, false);
        for seed in 0..500 {
            let state = state(&mut Choices::from_seed(seed), &Needs::default());
            subflows.insert(state.subflows.len());
            packets.insert(state.packets.len());
            q |= state.q.len() > 1;
            rq |= state.rq.len() > 1;
            alone |= state.rq.iter().any(|p| !state.qu.contains(p));
        }
        assert_eq!(subflows, (0..=4).collect());
        assert_eq!(packets, (0..=5).collect());
        assert!(q && rq && alone);
    }
}
