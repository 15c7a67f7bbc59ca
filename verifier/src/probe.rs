//! Runs that outlast the fuel, by trying: for `trigger-is-short`.
//!
//! Where no ranking's bound fits the fuel, some state may take that long. A solver is asked for
//! one where a single measure falls far; where several take turns, or none is known, registers
//! and USER values at the ends of their ranges find what there is. Trying proves nothing.

use progmp_ir::{ExprKind, Program, SchedReg, SchedState};

use crate::engine::Engine;
use crate::goal::Goal;
use crate::replay::{Stepper, makes_progress};

/// States that are the start of a climb.
const STARTS: usize = 12;
/// Runs in all, each of at most fuel + 1 executions.
const RUNS: usize = 600;

impl Engine<'_> {
    /// A state from which a trigger takes `executions` executions that have an effect and make no
    /// progress, if trying finds one. Programs with RANDOM are not tried.
    pub(crate) fn probe(&mut self, executions: usize) -> Option<SchedState> {
        if self.needs.uses_random() {
            return None;
        }
        let mut starts = self.samples_of(Goal::ChangesIdly, STARTS);
        for size in [(1, 1), (2, 2)] {
            starts.extend(self.several(Goal::ChangesIdly, size, 2));
        }
        let registers: Vec<SchedReg> = SchedReg::all()
            .filter(|&reg| self.needs.writes_register(reg))
            .collect();
        let users = self.needs.writes_user();
        let values = extremes(self.program);
        let mut runs = 0;
        for start in starts {
            let mut best = (length(self.program, &start, executions), start);
            let mut better = true;
            while better {
                better = false;
                for place in registers.iter().map(Some).chain(users.then_some(None)) {
                    for &value in &values {
                        if best.0 >= executions {
                            return Some(best.1);
                        }
                        if runs == RUNS {
                            return None;
                        }
                        let mut state = best.1.clone();
                        match place {
                            Some(reg) => state.registers[reg.index()] = value,
                            None => state.subflows.iter_mut().for_each(|s| s.user = value),
                        }
                        runs += 1;
                        let here = length(self.program, &state, executions);
                        if here > best.0 {
                            best = (here, state);
                            better = true;
                        }
                    }
                }
            }
        }
        None
    }
}

/// The literals of a program, and the ends of ranges.
fn extremes(program: &Program) -> Vec<u64> {
    let mut values: Vec<u64> = program
        .exprs
        .iter()
        .filter_map(|expr| match expr.kind {
            ExprKind::Int(value) => Some(value),
            _ => None,
        })
        .collect();
    values.extend([0, 1, u64::MAX]);
    values.extend([8, 16, 32, 61, 63].map(|bits| (1 << bits) - 1));
    values.sort_unstable();
    values.dedup();
    values
}

/// How many executions from this state have an effect and make no progress, at most `limit`.
fn length(program: &Program, state: &SchedState, limit: usize) -> usize {
    let Ok(mut stepper) = Stepper::new(state, &[]) else {
        return 0;
    };
    (0..limit)
        .take_while(|_| {
            stepper.step(program).is_some_and(|step| {
                step.execution.has_effect(&step.before) && !makes_progress(&step)
            })
        })
        .count()
}
