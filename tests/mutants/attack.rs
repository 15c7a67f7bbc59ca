//! Runs on the real host: what a trigger from a given state breaks, and random states.
//!
//! In: a program and a state. Out: what the first executions of its trigger break, by
//! [`crate::gate`]. The host of `progmp_ir` carries out the actions; nothing here knows what an
//! exploration or the verifier has found.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use progmp_generate::{Choices, state};
use progmp_ir::{FUEL, Host, Memory, Needs, Program, SchedState, Step};

use crate::gate::{Breach, Deeds, Use, progresses};

/// Executions of one trigger that are watched at most.
const LONGEST: u64 = 2 * FUEL as u64;

/// What a trigger from a state shows.
#[derive(Debug, Default)]
pub(crate) struct Trigger {
    /// What it breaks.
    pub(crate) breaches: BTreeSet<Breach>,
    /// Each use in its executions, and whether it met NULL.
    pub(crate) uses: BTreeSet<(Use, bool)>,
}

/// Runs a trigger from a state.
///
/// # Panics
/// If no host shows the state, or the host breaks a fact.
pub(crate) fn trigger(program: &Program, state: &SchedState) -> Trigger {
    let mut host = Host::from_state(state).expect("a possible state");
    let mut seen = Trigger::default();
    let mut idle = 0;
    let mut watch = |step: &Step<'_>| {
        let Step::Executed {
            number,
            before,
            execution,
        } = step
        else {
            return ControlFlow::Continue(());
        };
        let deeds = Deeds::of(&execution.log);
        seen.uses.extend(deeds.uses.iter().copied());
        let sent_on = |packet: usize, subflow: usize| {
            let id = before.subflows[subflow].id;
            before.packets[packet].sent_on.contains(&id)
        };
        let breaches = deeds.breaches(before.subflows.len(), sent_on);
        seen.breaches.extend(breaches);
        let progress = deeds.makes_progress(|subflow, packet| progresses(before, subflow, packet));
        idle = if progress || !execution.has_effect(before) {
            0
        } else {
            idle + 1
        };
        if idle > FUEL {
            seen.breaches.insert(Breach::Endless);
        }
        if idle > FUEL || *number == LONGEST {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    let policy = &mut Memory::default();
    // The host's own fuel would end it at the same time; the observer is to see it.
    let report = host.trigger(program, FUEL + 1, policy, &mut watch);
    report.expect("a host keeps the facts of the environment");
    seen
}

/// Triggers from so many random states: the first state that breaks something, and what.
pub(crate) fn random_states(
    program: &Program,
    seed: u64,
    states: u64,
) -> Option<(SchedState, BTreeSet<Breach>)> {
    let needs = Needs::of(program);
    let choices = &mut Choices::from_seed(seed);
    (0..states).find_map(|_| {
        let state = state(choices, &needs);
        let breaches = trigger(program, &state).breaches;
        (!breaches.is_empty()).then_some((state, breaches))
    })
}
