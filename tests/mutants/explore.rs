//! Exhaustive interpretation: every listed state, and every trigger that makes no progress.
//!
//! In: a program and how many runs it may take. Out: what it breaks, with a state for each, which
//! uses always met NULL, and how many states that covers. States that agree on all that a run
//! reads are one run ([`crate::recorder`]). Beyond the limit, states are drawn at random.

use std::collections::{BTreeMap, BTreeSet};

use progmp_generate::Choices;
use progmp_ir::{EventKind, FUEL, Machine, Program, SchedState, SubflowInt};

use crate::gate::{Breach, Deeds, Use, progresses};
use crate::recorder::Recorder;
use crate::space::{Axis, Listed, Space};

/// What is known of a use: whether it met NULL, and whether it met something else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// NULL at least once.
    pub(crate) null: bool,
    /// Something else at least once.
    pub(crate) other: bool,
}

/// What exhaustive interpretation finds.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// A state for each breach.
    pub(crate) breaches: BTreeMap<Breach, SchedState>,
    /// What each use met.
    pub(crate) uses: BTreeMap<Use, Met>,
    /// Runs.
    pub(crate) runs: u64,
    /// States covered by them, and states there are.
    pub(crate) covered: u128,
    /// … there are.
    pub(crate) states: u128,
    /// Of the runs, those from states drawn at random.
    pub(crate) drawn: u64,
}

impl Findings {
    /// Whether every listed state is covered.
    pub(crate) const fn is_exhaustive(&self) -> bool {
        self.covered == self.states
    }
}

/// Interprets the program in the listed states. Stops early when all breaches of `wanted` are
/// found, if there are any.
pub(crate) fn explore(program: &Program, limit: u64, wanted: &BTreeSet<Breach>) -> Findings {
    let listed = Listed::of(program);
    let spaces = listed.spaces();
    let mut findings = Findings::default();
    for space in &spaces {
        let sizes = space.sizes();
        findings.states += sizes.iter().map(|&size| size as u128).product::<u128>();
    }
    let done = |findings: &Findings| {
        !wanted.is_empty() && wanted.iter().all(|b| findings.breaches.contains_key(b))
    };
    for space in &spaces {
        let sizes = space.sizes();
        let mut point = vec![0; sizes.len()];
        let (mut follow, before) = (
            !findings.breaches.contains_key(&Breach::Endless),
            findings.covered,
        );
        loop {
            if done(&findings) {
                return findings;
            }
            if findings.runs >= limit {
                draw(program, &listed, &spaces, limit / 4, &mut findings);
                return findings;
            }
            let mut touched = run(program, &listed, space, &point, follow, &mut findings);
            if follow && findings.breaches.contains_key(&Breach::Endless) {
                // One trigger without end is enough; from here on single executions are watched,
                // which read less, so this space starts anew.
                (follow, findings.covered) = (false, before);
                point.fill(0);
                continue;
            }
            let rest = (0..sizes.len()).filter(|number| !touched.contains(number));
            findings.covered += rest.map(|number| sizes[number] as u128).product::<u128>();
            // The next point that differs in something that was read.
            while let Some(&last) = touched.last() {
                point[last] += 1;
                if point[last] < sizes[last] {
                    break;
                }
                point[last] = 0;
                touched.pop();
            }
            if touched.is_empty() {
                break;
            }
        }
    }
    assert!(
        findings.is_exhaustive(),
        "the runs cover {} of {} states",
        findings.covered,
        findings.states
    );
    findings
}

/// States drawn at random from the largest spaces, for what the limit cut off.
fn draw(program: &Program, listed: &Listed, spaces: &[Space], runs: u64, findings: &mut Findings) {
    let choices = &mut Choices::from_seed(0x6d75_7461_6e74);
    let largest = &spaces[spaces.len() - spaces.len() / 3..];
    for _ in 0..runs {
        let space = choices.pick(largest);
        let sizes = space.sizes();
        let point: Vec<usize> = sizes.iter().map(|&size| choices.count(size - 1)).collect();
        let follow = !findings.breaches.contains_key(&Breach::Endless);
        run(program, listed, space, &point, follow, findings);
        findings.drawn += 1;
    }
}

/// Executes the program at a point and, if asked to, follows the trigger for as long as it makes
/// no progress. Gives the axes that mattered, in the order in which they were read.
fn run(
    program: &Program,
    listed: &Listed,
    space: &Space,
    point: &[usize],
    follow: bool,
    findings: &mut Findings,
) -> Vec<usize> {
    let start = space.state(listed, point);
    let mut state = start.clone();
    let mut recorder = Recorder::new(space);
    findings.runs += 1;
    let found = |findings: &mut Findings, breach| {
        findings
            .breaches
            .entry(breach)
            .or_insert_with(|| start.clone());
    };
    for executions in 0.. {
        if executions > FUEL {
            found(findings, Breach::Endless);
            break;
        }
        let before = recorder.start(&state);
        let mut machine = Machine::new(program, before);
        machine.execute(&mut recorder);
        let deeds = Deeds::of(&machine.log);
        for &(place, null) in &deeds.uses {
            let met = findings.uses.entry(place).or_default();
            met.null |= null;
            met.other |= !null;
        }
        let breaches = deeds.breaches(state.subflows.len(), |packet, subflow| {
            recorder.touch(Axis::SentOn(packet, subflow));
            let id = state.subflows[subflow].id;
            state.packets[packet].sent_on.contains(&id)
        });
        for breach in breaches {
            found(findings, breach);
        }
        let progress = deeds.makes_progress(|subflow, packet| {
            recorder.touch(Axis::Window(subflow));
            recorder.touch(Axis::SentOn(packet, subflow));
            progresses(&state, subflow, packet)
        });
        if !follow || progress {
            break;
        }
        let mut changed = !deeds.pushed.is_empty();
        for event in &machine.log {
            match event.kind {
                EventKind::Set { reg, value, .. } => {
                    recorder.touch(Axis::Register(reg.index()));
                    recorder.used(&value);
                }
                EventKind::SetUser { subflow, value, .. } => {
                    recorder.touch(Axis::of_int(subflow, SubflowInt::User));
                    recorder.used(&value);
                }
                // Nothing is popped, so a DROP is an action that has no effect on anything.
                EventKind::Drop { .. } => changed = true,
                _ => {}
            }
        }
        for (cell, word) in state.registers.iter_mut().zip(machine.state.registers) {
            changed |= *cell != word.value;
            *cell = word.value;
        }
        for (subflow, word) in state.subflows.iter_mut().zip(machine.state.users.iter()) {
            changed |= subflow.user != word.value;
            subflow.user = word.value;
        }
        if !changed || !carry_out(&mut state, &deeds, &mut recorder) {
            break;
        }
    }
    recorder.touched
}

/// Carries the PUSHes out; false if one cannot go, which ends the trigger.
fn carry_out(state: &mut SchedState, deeds: &Deeds, recorder: &mut Recorder<'_>) -> bool {
    for &(s, p) in &deeds.pushed {
        recorder.touch(Axis::NoWindow(p, s));
        let id = state.subflows[s].id;
        if state.packets[p].no_window_on.contains(&id) {
            return false;
        }
        if !state.q.contains(&p)
            && let Err(place) = state.qu.binary_search(&p)
        {
            state.qu.insert(place, p);
        }
        state.packets[p].sent_on.insert(id);
        state.subflows[s].queued += 1;
    }
    true
}
