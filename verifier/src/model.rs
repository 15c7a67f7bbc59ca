//! From a model of the bounded encoding to a state.

use std::collections::BTreeSet;

use progmp_ir::{Packet, SchedState, Subflow, SubflowInt};

use crate::bounded::{Bounded, RandomKey};
use crate::smt::{Solver, Term, Value};

/// Values that the model gives to RANDOM, by place.
pub(crate) type RandomHints = Vec<(RandomKey, u64)>;

/// Reads the state off the model of the last check. What the program does not read has an
/// ordinary value.
///
/// # Panics
/// If the state breaks a fact that the encoding asserts.
pub(crate) fn state_of(domain: &mut Bounded, solver: &mut Solver) -> (SchedState, RandomHints) {
    let terms = &domain.terms;
    let mut truth = |term: Term| solver.model_value(terms, term) == Some(Value::Bool(true));
    let count = domain.present.iter().filter(|&&bit| truth(bit)).count();
    let held: Vec<usize> = (0..domain.packet_count)
        .filter(|&i| domain.queues.iter().any(|queue| truth(queue[i])))
        .collect();
    let mut state = SchedState::default();
    for j in 0..count {
        let mut subflow = Subflow::default();
        for (&property, bits) in &domain.subflow_bools {
            *subflow.flag_mut(property) = truth(bits[j]);
        }
        state.subflows.push(subflow);
    }
    for &i in &held {
        let psh = domain.psh.as_ref().is_some_and(|bits| truth(bits[i]));
        state.packets.push(Packet {
            psh,
            ..Packet::default()
        });
    }
    for (place, &i) in held.iter().enumerate() {
        let [q, qu, rq] = &domain.queues;
        for (bits, queue) in [(q, &mut state.q), (qu, &mut state.qu), (rq, &mut state.rq)] {
            if truth(bits[i]) {
                queue.push(place);
            }
        }
    }
    let pair = |i: usize, j: usize| i * domain.subflow_count + j;
    let mut sent: Vec<Vec<bool>> = Vec::new();
    let mut blocked: Vec<Vec<bool>> = Vec::new();
    for &i in &held {
        sent.push((0..count).map(|j| truth(domain.sent[pair(i, j)])).collect());
        blocked.push(
            (0..count)
                .map(|j| !truth(domain.window[pair(i, j)]))
                .collect(),
        );
    }

    let mut word = |term: Term| match solver.model_value(terms, term) {
        Some(Value::Word(value)) => value,
        _ => 0,
    };
    for (&property, words) in &domain.subflow_ints {
        for (j, subflow) in state.subflows.iter_mut().enumerate() {
            if property != SubflowInt::RttMs {
                *subflow.int_mut(property) = word(words[j]);
            }
        }
    }
    for (&property, words) in &domain.packet_ints {
        for (packet, &i) in state.packets.iter_mut().zip(&held) {
            *packet.int_mut(property) = word(words[i]);
        }
    }
    state.registers = domain.registers.map(&mut word);
    state.time_ms = word(domain.time);
    let hints: RandomHints = domain
        .randoms
        .iter()
        .map(|(key, &term)| (key.clone(), word(term)))
        .collect();
    // Positions of the encoding to positions of the state.
    let hints = hints
        .into_iter()
        .filter_map(|((run, site, scope), value)| {
            let scope = scope
                .into_iter()
                .map(|(kind, i)| match kind {
                    progmp_ir::Kind::Subflow => (i < count).then_some((kind, i)),
                    progmp_ir::Kind::Packet => {
                        held.iter().position(|&h| h == i).map(|place| (kind, place))
                    }
                })
                .collect::<Option<Vec<_>>>()?;
            Some(((run, site, scope), value))
        })
        .collect();

    state.normalize();
    let ids: Vec<u64> = state.subflows.iter().map(|subflow| subflow.id).collect();
    let named = |bits: &[bool]| -> BTreeSet<u64> {
        ids.iter()
            .zip(bits)
            .filter(|(_, bit)| **bit)
            .map(|(&id, _)| id)
            .collect()
    };
    for ((packet, sent), blocked) in state.packets.iter_mut().zip(&sent).zip(&blocked) {
        packet.sent_on = named(sent);
        packet.no_window_on = named(blocked);
    }
    if let Err(broken) = state.check() {
        panic!("a model breaks a fact of the environment: {broken}: {state:?}");
    }
    (state, hints)
}
