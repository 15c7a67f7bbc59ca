//! Running a counterexample again: the only way for it to be believed.

use std::ops::ControlFlow;

use progmp_ir::{
    Concrete, EventKind, Execution, Host, Memory, Needs, Outcome, Program, QueueName, SchedState,
    Step, StmtId, SubflowInt, execute,
};

use crate::concrete::shows;
use crate::goal::Goal;
use crate::property::Property;
use crate::report::{Counterexample, Scenario};

/// One execution of a replay, with the state that it was shown.
pub struct Replayed {
    /// What the scheduler saw.
    pub before: SchedState,
    /// What it did.
    pub execution: Execution,
}

/// Runs a counterexample.
///
/// # Errors
/// Why the run does not show the violation that it is for.
pub fn replay(
    program: &Program,
    example: &Counterexample,
    fuel: u32,
) -> Result<Vec<Replayed>, String> {
    let Some(property) = Property::from_name(&example.property) else {
        return Err(format!("there is no property `{}`", example.property));
    };
    let mut state = example.state.clone();
    state.normalize();
    state
        .check()
        .map_err(|broken| format!("no host shows this state: {broken}"))?;
    if let Some(&seed) = example.seeds.first() {
        state.seed = seed;
    }
    match example.scenario {
        Scenario::Execution => {
            let shown = violations(program, property, &example.requirement)
                .into_iter()
                .any(|goal| shows(program, &state, goal));
            if !shown {
                return Err("the execution from this state ends without breaking it".to_owned());
            }
            let execution = execute(program, &state);
            Ok(vec![Replayed {
                before: state,
                execution,
            }])
        }
        Scenario::Cycle { start, length } => {
            let run = idle_run(program, &state, &example.seeds, start + length + 1)?;
            let key = |i: usize| recurrence_key(program, &run[i].before);
            if length == 0 || key(start) != key(start + length) {
                return Err("the state does not recur".to_owned());
            }
            Ok(run.into_iter().take(start + length).collect())
        }
        Scenario::Run { executions } => {
            if executions <= fuel as usize {
                return Err(format!(
                    "{executions} executions are within the fuel of {fuel}"
                ));
            }
            idle_run(program, &state, &example.seeds, executions)
        }
        Scenario::History { executions } => {
            let run = any_run(program, &state, &example.seeds, executions);
            history_shows(program, property, example, &run)?;
            Ok(run)
        }
    }
}

/// The goals whose truth is a violation of the property, at every place that raises it.
pub(crate) fn violations(program: &Program, property: Property, requirement: &str) -> Vec<Goal> {
    let statements = program.statements();
    let at = |goal: fn(StmtId) -> Goal| statements.iter().map(|s| goal(s.id)).collect::<Vec<_>>();
    let exprs = |goal: fn(progmp_ir::ExprId) -> Goal| {
        (0..program.exprs.len())
            .map(|i| goal(progmp_ir::ExprId::new(i)))
            .collect::<Vec<_>>()
    };
    let receivers = || {
        statements.iter().flat_map(|s| {
            [progmp_ir::Role::Target, progmp_ir::Role::Packet].map(|role| Goal::Receiver {
                at: s.id,
                role,
                null: true,
            })
        })
    };
    match property {
        Property::PoppedPacketIsScheduled | Property::PacketsAreConserved => {
            let mut goals = at(|at| Goal::Lost { at });
            if property == Property::PacketsAreConserved {
                goals.extend(at(|at| Goal::Unlicensed { at }));
            }
            goals
        }
        Property::DropIsLicensed => at(|at| Goal::Unlicensed { at }),
        Property::NullIsNotUsed => {
            let mut goals = exprs(|at| Goal::Read { at, null: true });
            goals.extend(at(|at| Goal::StoresNull { at }));
            goals.extend(receivers());
            goals
        }
        Property::NullIsMasked => exprs(|at| Goal::Read { at, null: true }),
        Property::PushMayBeSkipped => receivers().collect(),
        Property::DivisionIsDefined => exprs(|at| Goal::DividesByZero { at }),
        Property::NoWrap => exprs(|at| Goal::Wraps { at }),
        Property::GetIsInRange => exprs(|at| Goal::OutOfRange { at }),
        Property::NoDuplicatePush => vec![Goal::PushesTwice],
        Property::WorkConserving => vec![Goal::LeavesWork {
            reinjections_too: true,
        }],
        Property::WorkConservingQ => vec![Goal::LeavesWork {
            reinjections_too: false,
        }],
        Property::BackupOnlyIfNeeded => vec![Goal::UsesBackup],
        Property::Prefers => program
            .requirements
            .iter()
            .filter(|r| requirement.is_empty() || r.text == requirement)
            .filter_map(|r| match r.kind {
                progmp_ir::RequirementKind::Prefers(lambda) => Some(Goal::Ignores(lambda)),
                _ => None,
            })
            .collect(),
        Property::Redundancy => program
            .requirements
            .iter()
            .filter_map(|r| match r.kind {
                progmp_ir::RequirementKind::Redundancy(k) => Some(Goal::PushesMoreThan(k)),
                _ => None,
            })
            .collect(),
        Property::NoDeadEffect
        | Property::SubflowIsLive
        | Property::LoopsTerminate
        | Property::TriggerTerminates
        | Property::TriggerIsShort
        | Property::ReinjectionsAreServed
        | Property::Fair => Vec::new(),
    }
}

/// One trigger, execution by execution, of which each has an effect and none makes progress.
///
/// # Errors
/// Which execution is otherwise, or that the trigger ends.
pub(crate) fn idle_run(
    program: &Program,
    state: &SchedState,
    seeds: &[u64],
    executions: usize,
) -> Result<Vec<Replayed>, String> {
    let mut run = Vec::new();
    let mut stepper = Stepper::new(state, seeds)?;
    for number in 1..=executions {
        let Some(step) = stepper.step(program) else {
            return Err(format!("the trigger ends before execution {number}"));
        };
        if !step.execution.has_effect(&step.before) {
            return Err(format!("execution {number} has no effect"));
        }
        if makes_progress(&step) {
            return Err(format!("execution {number} makes progress"));
        }
        run.push(step);
    }
    Ok(run)
}

fn any_run(
    program: &Program,
    state: &SchedState,
    seeds: &[u64],
    executions: usize,
) -> Vec<Replayed> {
    let mut run = Vec::new();
    let Ok(mut stepper) = Stepper::new(state, seeds) else {
        return run;
    };
    while run.len() < executions {
        let Some(step) = stepper.step(program) else {
            break;
        };
        let settled = !step.execution.has_effect(&step.before);
        run.push(step);
        if settled {
            break;
        }
    }
    run
}

/// The host of the calling model, one execution at a time.
#[derive(Clone)]
pub(crate) struct Stepper {
    host: Host,
    seeds: Vec<u64>,
    taken: usize,
}

impl Stepper {
    pub(crate) fn new(state: &SchedState, seeds: &[u64]) -> Result<Self, String> {
        let host = Host::from_state(state).map_err(|broken| broken.to_string())?;
        Ok(Self {
            host,
            seeds: seeds.to_vec(),
            taken: 0,
        })
    }

    /// Carries out what is pending and executes once; `None` if the trigger ends before that.
    pub(crate) fn step(&mut self, program: &Program) -> Option<Replayed> {
        let seed = self.seeds.get(self.taken).copied();
        self.taken += 1;
        self.step_with(program, seed)
    }

    /// The same with a given seed.
    pub(crate) fn step_with(&mut self, program: &Program, seed: Option<u64>) -> Option<Replayed> {
        if let Some(seed) = seed {
            self.host = self.host.clone().with_seeds(&[seed]);
        }
        let mut seen = None;
        let mut watch = |step: &Step<'_>| match step {
            Step::Executed { before, .. } => {
                seen = Some((*before).clone());
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        };
        let report = self
            .host
            .trigger(program, u32::MAX, &mut Memory::default(), &mut watch);
        match report {
            Ok(report) if report.outcome == Outcome::Stopped => {}
            Ok(_) => return None,
            Err(broken) => panic!("the host broke a fact of the environment: {broken}"),
        }
        let before = seen?;
        let execution = execute(program, &before);
        Some(Replayed { before, execution })
    }
}

/// Whether an execution takes a packet from Q or RQ, uses a free window or sends what was not sent.
pub(crate) fn makes_progress(step: &Replayed) -> bool {
    let mut domain = Concrete::new(step.before.clone());
    !crate::goal::idle(&mut domain, &step.execution.log)
}

/// Everything that the scheduler reads of a state, windows through the truth of their test.
pub(crate) fn recurrence_key(program: &Program, state: &SchedState) -> Vec<u64> {
    let needs = Needs::of(program);
    let mut key = state.registers.to_vec();
    for subflow in &state.subflows {
        key.push(subflow.user);
        for &property in SubflowInt::ALL {
            // The host only ever counts up QUEUED; see `is_steady` for what its readers make of it.
            if property != SubflowInt::Queued && needs.reads_subflow_int(property) {
                key.push(subflow.int(property));
            }
        }
        key.push(u64::from(subflow.has_free_window()));
    }
    for name in QueueName::ALL {
        let queue = state.queue(name);
        key.push(queue.len() as u64);
        key.extend(queue.iter().map(|&i| state.packets[i].seq));
    }
    if needs.reads_sent_on() {
        for packet in &state.packets {
            key.push(u64::MAX);
            key.extend(packet.sent_on.iter());
        }
    }
    key
}

/// Whether a cycle also runs with `QUEUED` of every subflow that it transmits on at the top of its
/// range: as its tests only move one way while `QUEUED` grows, the cycle then never ends.
pub(crate) fn is_steady(program: &Program, cycle: &[Replayed], seeds: &[u64]) -> bool {
    let Some(first) = cycle.first() else {
        return false;
    };
    if !Needs::of(program).reads_subflow_int(SubflowInt::Queued) {
        return true;
    }
    let mut top = first.before.clone();
    let mut used = vec![false; top.subflows.len()];
    for step in cycle {
        for event in &step.execution.log {
            if let EventKind::Push { subflow, .. } = event.kind {
                used[subflow] = true;
            }
        }
    }
    for (subflow, used) in top.subflows.iter_mut().zip(used) {
        if used {
            subflow.queued = u64::from(u32::MAX);
        }
    }
    let Ok(run) = idle_run(program, &top, seeds, cycle.len() + 1) else {
        return false;
    };
    let does = |step: &Replayed| {
        (
            step.execution.actions.clone(),
            step.execution.after.registers,
            step.execution.log.len(),
        )
    };
    cycle.iter().zip(&run).all(|(a, b)| does(a) == does(b))
        && recurrence_key(program, &run[0].before)
            == recurrence_key(program, &run[cycle.len()].before)
}

/// Counts over a run: copies of a packet for `redundancy`, `PUSHes` elsewhere for `fair`.
fn history_shows(
    program: &Program,
    property: Property,
    example: &Counterexample,
    run: &[Replayed],
) -> Result<(), String> {
    let limits = program
        .requirements
        .iter()
        .filter_map(|r| match (property, r.kind) {
            (Property::Redundancy, progmp_ir::RequirementKind::Redundancy(k))
            | (Property::Fair, progmp_ir::RequirementKind::Fair(k)) => Some(k),
            _ => None,
        });
    let shown = match property {
        Property::Redundancy => {
            let most = most_copies(run);
            limits.into_iter().any(|k| most > k)
        }
        Property::Fair => {
            let Some(id) = example.subflow else {
                return Err("no subflow is named".to_owned());
            };
            limits.into_iter().any(|k| passes_over(run, id, k))
        }
        Property::NoDuplicatePush => pushes_a_pair_twice(run),
        _ => return Err(format!("{property} is not judged over a run")),
    };
    if shown {
        Ok(())
    } else {
        Err(format!("the run does not violate {property}"))
    }
}

/// The most `PUSHes` of one packet in a run.
pub(crate) fn most_copies(run: &[Replayed]) -> u64 {
    let mut copies = std::collections::BTreeMap::new();
    for step in run {
        for event in &step.execution.log {
            if let EventKind::Push { packet, .. } = event.kind {
                *copies.entry(step.before.packets[packet].seq).or_insert(0) += 1;
            }
        }
    }
    copies.into_values().max().unwrap_or(0)
}

/// Whether a (packet, subflow) pair is pushed twice in a run.
pub(crate) fn pushes_a_pair_twice(run: &[Replayed]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    run.iter().any(|step| {
        step.execution.log.iter().any(|event| match event.kind {
            EventKind::Push {
                subflow, packet, ..
            } => !seen.insert((
                step.before.subflows[subflow].id,
                step.before.packets[packet].seq,
            )),
            _ => false,
        })
    })
}

/// Whether more than `k · |SUBFLOWS|` consecutive `PUSHes` go elsewhere while the subflow is
/// available at each execution.
pub(crate) fn passes_over(run: &[Replayed], id: u64, k: u64) -> bool {
    let mut elsewhere = 0;
    for step in run {
        let Some(place) = step.before.subflows.iter().position(|s| s.id == id) else {
            return false;
        };
        let waiting = &step.before.subflows[place];
        let open = !waiting.throttled && !waiting.lossy && waiting.has_free_window();
        for event in &step.execution.log {
            if let EventKind::Push {
                subflow, packet, ..
            } = event.kind
            {
                let fits = !step.before.packets[packet].no_window_on.contains(&id);
                let passed = subflow != place && open && fits;
                elsewhere = if passed { elsewhere + 1 } else { 0 };
                if elsewhere > k.saturating_mul(step.before.subflows.len() as u64) {
                    return true;
                }
            }
        }
    }
    false
}

/// The second PUSH of a pair that an execution from the state pushes twice.
pub(crate) fn second_push(program: &Program, state: &SchedState) -> Option<StmtId> {
    let mut seen = std::collections::BTreeSet::new();
    execute(program, state)
        .log
        .iter()
        .find_map(|event| match event.kind {
            EventKind::Push {
                at,
                subflow,
                packet,
            } => (!seen.insert((subflow, packet))).then_some(at),
            _ => None,
        })
}
