//! Goals over what the interpreter really did; seeds and smaller states.

use progmp_ir::{Concrete, Kind, Machine, Program, SchedState, splitmix64};

use crate::goal::Goal;
use crate::judge::Run;
use crate::model::RandomHints;

/// Whether executions from this state show the goal.
pub(crate) fn shows(program: &Program, state: &SchedState, goal: Goal) -> bool {
    let mut state = state.clone();
    let mut runs: Vec<Run<Concrete>> = Vec::new();
    for _ in 0..goal.executions() {
        let mut domain = Concrete::new(state.clone());
        let before = domain.initial();
        let mut machine = Machine::new(program, before.clone());
        machine.execute(&mut domain);
        state.registers = machine.state.registers;
        for (subflow, user) in state.subflows.iter_mut().zip(machine.state.users.iter()) {
            subflow.user = *user;
        }
        state.seed = splitmix64(state.seed);
        runs.push(Run {
            before,
            after: machine.state,
            log: machine.log,
        });
    }
    let mut domain = Concrete::new(state);
    goal.build(&mut domain, program, &runs)
}

/// A seed for which executions from the state show the goal: small ones, and those that give one
/// RANDOM the value that the model has.
pub(crate) fn seed_that_shows(
    program: &Program,
    state: &SchedState,
    goal: Goal,
    hints: &RandomHints,
) -> Option<u64> {
    candidate_seeds(state, hints).find(|&seed| {
        let state = SchedState {
            seed,
            ..state.clone()
        };
        shows(program, &state, goal)
    })
}

/// Seeds worth trying, in a fixed order.
pub(crate) fn candidate_seeds<'a>(
    state: &'a SchedState,
    hints: &'a RandomHints,
) -> impl Iterator<Item = u64> + 'a {
    let aimed = hints
        .iter()
        .filter(|((run, ..), _)| *run == 0)
        .flat_map(|(key, value)| {
            let scope: Vec<u64> = key
                .2
                .iter()
                .map(|&(kind, i)| match kind {
                    Kind::Subflow => state.subflows[i].id,
                    Kind::Packet => state.packets[i].seq,
                })
                .collect();
            let site = key.1.index() as u64;
            (0..64_u64).map(move |low| {
                // `random` folded backwards; splitmix64 is a bijection.
                let mut hash = value << 32 | low.wrapping_mul(0x0101_0101) & 0xffff_ffff;
                for name in scope.iter().rev().chain([&site]) {
                    hash = unmix(hash) ^ name;
                }
                unmix(hash)
            })
        });
    (0..256).chain(aimed)
}

/// The inverse of [`splitmix64`].
const fn unmix(x: u64) -> u64 {
    let x = unshift(x, 31).wrapping_mul(0x3196_42b2_d24d_8ec3);
    let x = unshift(x, 27).wrapping_mul(0x96de_1b17_3f11_9089);
    unshift(x, 30).wrapping_sub(0x9e37_79b9_7f4a_7c15)
}

/// Solves `y = x ^ (x >> by)` for `x`.
const fn unshift(y: u64, by: u32) -> u64 {
    let mut x = y;
    let mut known = by;
    while known < 64 {
        x = y ^ (x >> by);
        known += by;
    }
    x
}

/// A smaller and more ordinary state that still does what it should: fewer subflows, fewer
/// packets, then values as an engineer would write them.
pub(crate) fn shrink(state: SchedState, keeps: &dyn Fn(&SchedState) -> bool) -> SchedState {
    let mut best = state;
    loop {
        let smaller = candidates(&best)
            .into_iter()
            .find(|candidate| candidate != &best && candidate.check().is_ok() && keeps(candidate));
        match smaller {
            Some(state) => best = state,
            None => return best,
        }
    }
}

fn candidates(state: &SchedState) -> Vec<SchedState> {
    let mut out = Vec::new();
    let mut with = |change: &dyn Fn(&mut SchedState)| {
        let mut changed = state.clone();
        change(&mut changed);
        changed.normalize();
        out.push(changed);
    };
    for j in 0..state.subflows.len() {
        with(&|s| {
            let id = s.subflows.remove(j).id;
            for packet in &mut s.packets {
                packet.sent_on.remove(&id);
                packet.no_window_on.remove(&id);
            }
        });
    }
    for i in 0..state.packets.len() {
        with(&|s| {
            s.packets.remove(i);
            for queue in [&mut s.q, &mut s.qu, &mut s.rq] {
                queue.retain(|&p| p != i);
                for p in queue.iter_mut().filter(|p| **p > i) {
                    *p -= 1;
                }
            }
        });
        with(&|s| s.rq.retain(|&p| p != i));
        with(&|s| s.qu.retain(|&p| p != i));
        for &id in &state.packets[i].sent_on {
            with(&|s| {
                s.packets[i].sent_on.remove(&id);
            });
        }
        for &id in &state.packets[i].no_window_on {
            with(&|s| {
                s.packets[i].no_window_on.remove(&id);
            });
        }
        let usual = progmp_ir::Packet::default();
        if state.packets[i].psh {
            with(&|s| s.packets[i].psh = false);
        }
        for property in [progmp_ir::PacketInt::Length, progmp_ir::PacketInt::User] {
            let value = state.packets[i].int(property);
            for simpler in simpler(value, usual.int(property)) {
                with(&|s| *s.packets[i].int_mut(property) = simpler);
            }
        }
    }
    // Sequence numbers one after the other.
    with(&|s| s.packets.iter_mut().for_each(|packet| packet.seq = 0));
    let usual = progmp_ir::Subflow::default();
    for j in 0..state.subflows.len() {
        for &property in progmp_ir::SubflowBool::ALL {
            if state.subflows[j].flag(property) {
                with(&|s| *s.subflows[j].flag_mut(property) = false);
            }
        }
        for &property in progmp_ir::SubflowInt::ALL {
            let usual = match property {
                progmp_ir::SubflowInt::Id => j as u64 + 1,
                progmp_ir::SubflowInt::RttMs => continue,
                _ => usual.int(property),
            };
            let value = state.subflows[j].int(property);
            for simpler in simpler(value, usual) {
                with(&|s| *s.subflows[j].int_mut(property) = simpler);
            }
        }
    }
    for r in 0..6 {
        for simpler in simpler(state.registers[r], 0) {
            with(&|s| s.registers[r] = simpler);
        }
    }
    for simpler in simpler(state.time_ms, 0) {
        with(&|s| s.time_ms = simpler);
    }
    out
}

/// Values that read better than `value`, best first: the usual one, then small ones.
fn simpler(value: u64, usual: u64) -> Vec<u64> {
    if value == usual {
        return Vec::new();
    }
    let mut out = vec![usual];
    out.extend(
        [0, 1, 2, 10, 100, 1000, 10_000]
            .into_iter()
            .filter(|&v| v < value),
    );
    out.push(value / 2);
    let at = out.iter().skip(1).position(|&v| v == usual);
    if let Some(at) = at {
        out.remove(at + 1);
    }
    out.retain(|&v| v != value);
    // Every step must lead down, or the search would go in circles.
    let rank = |v: u64| if v == usual { (0, 0) } else { (1, v) };
    out.retain(|&v| rank(v) < rank(value));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmix_inverts_splitmix64() {
        for x in [0, 1, 2, u64::MAX, 0x0123_4567_89ab_cdef, 1 << 63] {
            assert_eq!(unmix(splitmix64(x)), x);
        }
    }
}
