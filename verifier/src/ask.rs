//! Properties on request.

use progmp_ir::{Requirement, RequirementKind, SchedState, StmtKind};

use crate::concrete::shrink;
use crate::engine::{Decision, Engine, Found};
use crate::goal::Goal;
use crate::obligation::finding;
use crate::property::{Level, Property};
use crate::replay::{
    Replayed, Stepper, most_copies, passes_over, pushes_a_pair_twice, second_push,
};
use crate::report::{Counterexample, Finding, Scenario, Size, Verdict};

/// Executions of one trigger that a search over histories looks at.
const HISTORY: usize = 24;
/// Subflows that a block of the ABI has room for: with more copies allowed, no search is made.
const WIDEST: usize = 32;

impl Engine<'_> {
    /// The findings of one requirement.
    pub(crate) fn required(&mut self, requirement: &Requirement) -> Vec<Finding> {
        let mut found = match requirement.kind {
            RequirementKind::WorkConserving => self.plain(
                Property::WorkConserving,
                Goal::LeavesWork {
                    reinjections_too: true,
                },
                "no execution without effect leaves a packet that could go",
                "an execution without effect leaves a packet although a subflow could carry it",
            ),
            RequirementKind::WorkConservingQ => self.plain(
                Property::WorkConservingQ,
                Goal::LeavesWork {
                    reinjections_too: false,
                },
                "no execution without effect leaves a packet of Q that could go",
                "an execution without effect leaves Q.TOP although a subflow could carry it",
            ),
            RequirementKind::BackupOnlyIfNeeded => self.plain(
                Property::BackupOnlyIfNeeded,
                Goal::UsesBackup,
                "backup subflows are used only when no other subflow is available",
                "a backup subflow is used although another subflow is available",
            ),
            RequirementKind::Prefers(lambda) => self.plain(
                Property::Prefers,
                Goal::Ignores(lambda),
                "subflows that are not preferred are used only when no preferred one is available",
                "a subflow that is not preferred is used although a preferred one is available",
            ),
            RequirementKind::NoDuplicatePush => vec![self.duplicates_per_trigger()],
            RequirementKind::Redundancy(most) => vec![self.redundancy(most)],
            RequirementKind::Fair(k) => vec![self.fair(k)],
            RequirementKind::AnySize => Vec::new(),
        };
        for this in &mut found {
            this.level = Level::Ask;
            this.title.clone_from(&requirement.text);
            this.span = this.span.or(requirement.span);
            if let Some(example) = &mut this.counterexample {
                example.requirement.clone_from(&requirement.text);
            }
        }
        found
    }

    fn plain(
        &mut self,
        property: Property,
        goal: Goal,
        proved: &str,
        refuted: &str,
    ) -> Vec<Finding> {
        vec![match self.decide(goal) {
            Decision::Impossible(size) => {
                let why = if size == Size::Any {
                    String::new()
                } else {
                    "outside of the fragment decided for any size".to_owned()
                };
                finding(property, Verdict::Proved { size, why }, proved)
            }
            Decision::Possible(state) => {
                let mut this = finding(property, Verdict::Refuted, refuted);
                this.counterexample = Some(self.example(property, goal, *state));
                this
            }
            Decision::Open(why) => finding(
                property,
                Verdict::Unknown(why.clone()),
                format!("neither proved nor refuted: {why}"),
            ),
        }]
    }

    /// `redundancy <= k`: per execution, and nothing is pushed in two executions.
    fn redundancy(&mut self, most: u64) -> Finding {
        let property = Property::Redundancy;
        let goal = Goal::PushesMoreThan(most);
        // As many subflows as it takes: a proof for fewer would say nothing.
        let wide = usize::try_from(most)
            .ok()
            .filter(|&most| (2..WIDEST).contains(&most));
        let found = wide.map(|most| self.search_at(goal, (most + 1, 1)));
        let decision = match found {
            Some(Found::State(state)) => Decision::Possible(state),
            _ => self.decide(goal),
        };
        let size = match decision {
            Decision::Possible(state) => {
                let message = format!("one execution pushes a packet more than {}", times(most));
                let mut this = finding(property, Verdict::Refuted, message);
                this.counterexample = Some(self.example(property, goal, *state));
                return this;
            }
            Decision::Open(why) => {
                let message = format!("neither proved nor refuted: {why}");
                return finding(property, Verdict::Unknown(why), message);
            }
            // Up to n subflows, n copies on different subflows are all there can be.
            Decision::Impossible(Size::UpTo { subflows, .. }) if most >= u64::from(subflows) => {
                let why = "more copies than subflows in the proof by size".to_owned();
                let message = format!("neither proved nor refuted: {why}");
                return finding(property, Verdict::Unknown(why), message);
            }
            Decision::Impossible(size) => size,
        };
        match self.decide(Goal::PushesUnpopped) {
            Decision::Impossible(popped) => {
                let size = size.min(popped);
                let why = if size == Size::Any {
                    String::new()
                } else {
                    "by bounded proof".into()
                };
                finding(
                    property,
                    Verdict::Proved { size, why },
                    format!(
                        "an execution pushes a packet at most {}, and only packets that \
                         it takes from Q or RQ, which happens once in a trigger",
                        times(most)
                    ),
                )
            }
            _ => self.over_histories(
                property,
                &format!("a trigger pushes a packet more than {}", times(most)),
                "packets are pushed that the execution did not pop, so several executions may push \
                 one, and no run with too many copies was found",
                &|run| most_copies(run) > most,
                None,
            ),
        }
    }

    /// `no-duplicate-push` over a whole trigger.
    fn duplicates_per_trigger(&mut self) -> Finding {
        if let Some(found) = &self.duplicates {
            return found.clone();
        }
        self.duplicates().pop().unwrap_or_else(|| {
            finding(
                Property::NoDuplicatePush,
                Verdict::proved(),
                "nothing is pushed",
            )
        })
    }

    /// `no-duplicate-push`.
    pub(crate) fn duplicates(&mut self) -> Vec<Finding> {
        let property = Property::NoDuplicatePush;
        if !self.needs.pushes() {
            return vec![finding(property, Verdict::proved(), "nothing is pushed")];
        }
        let goal = Goal::PushesTwice;
        let size = match self.decide(goal) {
            Decision::Possible(state) => {
                let mut this = finding(
                    property,
                    Verdict::Refuted,
                    "an execution can push one packet twice on one subflow",
                );
                this.help = Some("test the subflow's ID against that of the first PUSH".to_owned());
                let example = self.example(property, goal, *state);
                this.span = second_push(self.program, &example.state)
                    .map(|at| crate::obligation::span_of(self.program, at));
                this.counterexample = Some(example);
                return vec![this];
            }
            Decision::Open(why) => {
                let message = format!("neither proved nor refuted: {why}");
                return vec![finding(property, Verdict::Unknown(why), message)];
            }
            Decision::Impossible(size) => size,
        };
        // Across executions: what was popped is not popped again, and what was sent is marked. A
        // pushed packet that left Q (and RQ) is not popped by a later execution.
        let arguments: [&[Goal]; 3] = [
            &[Goal::PushesUnpopped],
            &[
                Goal::PushesSent {
                    reinjections_too: false,
                },
                Goal::KeepsPushed {
                    reinjections_too: false,
                },
            ],
            &[
                Goal::PushesSent {
                    reinjections_too: true,
                },
                Goal::KeepsPushed {
                    reinjections_too: true,
                },
            ],
        ];
        for argument in arguments {
            let mut size = size;
            let holds = argument.iter().all(|&goal| match self.decide(goal) {
                Decision::Impossible(here) => {
                    size = size.min(here);
                    true
                }
                _ => false,
            });
            if holds {
                let why = if size == Size::Any {
                    String::new()
                } else {
                    "by bounded proof".into()
                };
                let message = "no (packet, subflow) pair is pushed twice in a trigger";
                return vec![finding(property, Verdict::Proved { size, why }, message)];
            }
        }
        let mut this = self.over_histories(
            property,
            "a trigger can push one packet twice on one subflow",
            "packets are pushed that the execution did not pop, perhaps again, and no run that \
             does so was found",
            &pushes_a_pair_twice,
            None,
        );
        this.help = Some("pop the packet, or test SENT_ON before PUSH".to_owned());
        vec![this]
    }

    /// Looks for a run of one trigger that shows a violation.
    fn over_histories(
        &mut self,
        property: Property,
        refuted: &str,
        open: &str,
        violates: &dyn Fn(&[Replayed]) -> bool,
        subflow: Option<u64>,
    ) -> Finding {
        let program = self.program;
        let runs = |state: &SchedState, executions: usize| -> Vec<Replayed> {
            let Ok(mut stepper) = Stepper::new(state, &[]) else {
                return Vec::new();
            };
            std::iter::from_fn(|| stepper.step(program))
                .take(executions)
                .collect()
        };
        for state in self.pushing_states() {
            if !violates(&runs(&state, HISTORY)) {
                continue;
            }
            let state = shrink(state, &|candidate| violates(&runs(candidate, HISTORY)));
            let executions = (1..=HISTORY)
                .find(|&n| violates(&runs(&state, n)))
                .expect("the whole history shows it");
            let mut this = finding(property, Verdict::Refuted, refuted);
            this.counterexample = Some(Counterexample {
                schema: 1,
                property: property.name().to_owned(),
                requirement: String::new(),
                line: 0,
                column: 0,
                scenario: Scenario::History { executions },
                state,
                seeds: Vec::new(),
                subflow,
            });
            return this;
        }
        finding(property, Verdict::Unknown(open.to_owned()), open)
    }

    /// States in which something is pushed: ordinary ones with room and data, and small ones.
    fn pushing_states(&mut self) -> Vec<SchedState> {
        let mut states = ordinary_states();
        let pushes: Vec<Goal> = self
            .program
            .statements()
            .into_iter()
            .filter(|stmt| matches!(stmt.kind, StmtKind::Push { .. }))
            .map(|stmt| Goal::Happens(crate::goal::Effect::Push { at: stmt.id }))
            .collect();
        for goal in pushes {
            for size in [(1, 1), (2, 2)] {
                for state in self.several(goal, size, 4) {
                    states.push(generous(&state));
                    states.push(state);
                }
            }
        }
        states
    }

    /// `fair <= k`.
    fn fair(&mut self, k: u64) -> Finding {
        let property = Property::Fair;
        // Everybody who could carry the packet gets a copy of it, once.
        if k >= 2
            && let (Decision::Impossible(a), Decision::Impossible(b)) = (
                self.decide(Goal::PassesOver),
                self.decide(Goal::UsesSubflowTwice),
            )
        {
            let size = a.min(b);
            let why = if size == Size::Any {
                String::new()
            } else {
                "by bounded proof".into()
            };
            return finding(
                property,
                Verdict::Proved { size, why },
                "each execution that pushes uses every available subflow, and none twice",
            );
        }
        if k >= 1
            && let Some(reg) = self.rotates()
        {
            return finding(
                property,
                Verdict::proved(),
                format!(
                    "each PUSH elsewhere shrinks the set of subflows between {reg} and the \
                     available subflow, in cyclic order of ID"
                ),
            );
        }
        let mut found = None;
        for id in 1..=3 {
            let this = self.over_histories(
                property,
                &format!("subflow {id} is available at every execution and gets nothing for more than {k}·|SUBFLOWS| PUSHes"),
                "no rotation was recognised, and no run that passes a subflow over was found",
                &|run| passes_over(run, id, k),
                Some(id),
            );
            if this.verdict == Verdict::Refuted {
                return this;
            }
            found = Some(this);
        }
        found.expect("three subflows were tried")
    }
}

/// One to three subflows with open windows, the fastest first, last or in the middle, and data in
/// Q, in QU or in RQ.
fn ordinary_states() -> Vec<SchedState> {
    let mut states = Vec::new();
    for rtts in [
        &[10_000][..],
        &[10_000, 40_000],
        &[40_000, 10_000],
        &[20_000, 40_000, 10_000],
    ] {
        for (in_q, in_qu, in_rq) in [(16, 0, 0), (8, 8, 0), (8, 8, 8), (0, 8, 0)] {
            let mut state = SchedState::default();
            for &rtt in rtts {
                let cwnd = 32;
                state.subflows.push(progmp_ir::Subflow {
                    rtt,
                    cwnd,
                    ..Default::default()
                });
            }
            state.packets = vec![progmp_ir::Packet::default(); in_q + in_qu];
            state.qu = (0..in_qu).collect();
            state.rq = (0..in_rq).collect();
            state.q = (in_qu..in_qu + in_q).collect();
            state.normalize();
            states.push(state);
        }
    }
    states
}

/// "once", "twice", "3 times".
fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// The state with room on every subflow and a longer Q, so that a run has something to do.
fn generous(state: &SchedState) -> SchedState {
    let mut state = state.clone();
    for subflow in &mut state.subflows {
        if subflow.has_free_window() {
            subflow.cwnd = subflow.skbs_in_flight + subflow.queued + 16;
        }
    }
    if let Some(last) = state.q.last().map(|&i| state.packets[i].clone())
        && state.q.last() == Some(&(state.packets.len() - 1))
    {
        for _ in 0..14 {
            let seq = state
                .packets
                .last()
                .map_or(1, |p| p.seq.saturating_add(p.length.max(1)));
            state.q.push(state.packets.len());
            state.packets.push(progmp_ir::Packet {
                seq,
                ..last.clone()
            });
        }
    }
    if state.check().is_ok() {
        state
    } else {
        SchedState::default()
    }
}
