//! `trigger-terminates` and `trigger-is-short`.
//!
//! Within a trigger Q and RQ only lose packets, windows only fill and pairs only
//! get sent: an execution that pops, uses a free window or sends an unsent pair
//! makes progress, and there are finitely many of those. What remains are the
//! executions that only move registers and USER values while everything else is
//! frozen. They settle after k runs, or a lexicographic ranking shrinks, perhaps
//! after a case split; or a recurrent state, or a closed set of states, refutes.
//! Templates: specs/proofs.md, "Termination".

use progmp_ir::{
    ArithOp, Domain, EventKind, ExprId, ExprKind, Kind, Operand, Program, SchedReg, SchedState,
    Stmt, StmtId, StmtKind,
};

use crate::bound::Bound;
use crate::concrete::shrink;
use crate::engine::{Decision, Engine, Found};
use crate::goal::{Case, Goal, Measure, Ranking};
use crate::obligation::finding;
use crate::property::Property;
use crate::replay::{Stepper, idle_run, is_steady, makes_progress, recurrence_key};
use crate::report::{Counterexample, Finding, Scenario, Size, Verdict};
use crate::smt::Node;
use crate::unbounded::Arithmetic;

const MAIN: &str = "|Q|, |RQ|, free windows, unsent (packet, subflow) pairs";
/// A number of subflows by which bounds are compared.
const TYPICAL: u64 = 4;
const SEARCHED: [(usize, usize); 4] = [(1, 1), (2, 1), (1, 2), (2, 2)];

/// Why triggers end.
pub(crate) struct Proof {
    pub(crate) ranking: String,
    pub(crate) bound: Bound,
    /// The measure that the bound is made of, if it is too large to run through.
    pub(crate) steep: Option<Measure>,
}

enum Ending {
    Ends(Proof),
    /// It does not: from here, and so.
    Never(Box<SchedState>, Vec<u64>, Scenario),
    Open(String),
}

impl Engine<'_> {
    /// Both findings about triggers.
    pub(crate) fn triggers(&mut self) -> [Finding; 2] {
        match self.ending() {
            Ending::Ends(proof) => {
                let ends = Finding {
                    bound: proof.bound.constant(),
                    ..finding(
                        Property::TriggerTerminates,
                        Verdict::proved(),
                        format!("{}; {}", proof.ranking, proof.bound.text()),
                    )
                };
                let short = self.is_short(&proof);
                [ends, short]
            }
            Ending::Never(state, seeds, scenario) => {
                let message = match scenario {
                    Scenario::Cycle { length, .. } => format!(
                        "a trigger never ends: after {length} execution{} without progress the \
                         scheduler sees again what it saw before",
                        if length == 1 { "" } else { "s" }
                    ),
                    _ => "a trigger never ends: from this state every execution changes registers \
                          or USER values and none makes progress, whatever they hold"
                        .to_owned(),
                };
                let mut ends = finding(Property::TriggerTerminates, Verdict::Refuted, message);
                ends.help = Some(
                    "let every effect use something up: pop the packet, test the free window \
                     (CWND > SKBS_IN_FLIGHT + QUEUED) or SENT_ON before PUSH, and make a SET \
                     conditional on a packet to send"
                        .to_owned(),
                );
                ends.counterexample = Some(Self::trigger_example(
                    Property::TriggerTerminates,
                    *state,
                    seeds,
                    scenario,
                ));
                let mut short = finding(
                    Property::TriggerIsShort,
                    Verdict::Refuted,
                    "a trigger that never ends outruns every fuel",
                );
                short.follows_from = Some(Property::TriggerTerminates);
                [ends, short]
            }
            Ending::Open(why) => {
                let mut ends = finding(
                    Property::TriggerTerminates,
                    Verdict::Unknown(why.clone()),
                    format!("no ranking and no recurrent state was found: {why}"),
                );
                ends.help = Some(
                    "make the SET conditional on a push or on a timer, so that it stops by itself"
                        .to_owned(),
                );
                let executions = self.options.fuel as usize + 1;
                if let Some(state) = self.probe(executions) {
                    return [ends, self.too_long(None, state)];
                }
                let mut short = finding(
                    Property::TriggerIsShort,
                    Verdict::Unknown(why),
                    "without a ranking there is no bound",
                );
                short.follows_from = Some(Property::TriggerTerminates);
                [ends, short]
            }
        }
    }

    pub(crate) fn trigger_example(
        property: Property,
        state: SchedState,
        seeds: Vec<u64>,
        scenario: Scenario,
    ) -> Counterexample {
        Counterexample {
            schema: 1,
            property: property.name().to_owned(),
            requirement: String::new(),
            line: 0,
            column: 0,
            scenario,
            state,
            seeds,
            subflow: None,
        }
    }

    fn ending(&mut self) -> Ending {
        // Actions without progress: nothing else may show that they stop.
        let acting = self.decide(Goal::ActsIdly);
        match acting {
            Decision::Possible(state) => {
                return match self.explore_from(&state, Goal::ActsIdly) {
                    Some(never) => never,
                    None => Ending::Open(
                        "an execution can act without progress, and whether it stops is open"
                            .to_owned(),
                    ),
                };
            }
            Decision::Open(why) => return Ending::Open(why),
            Decision::Impossible(Size::UpTo { .. }) => {
                return Ending::Open(
                    "actions without progress are excluded for small sizes only".to_owned(),
                );
            }
            Decision::Impossible(Size::Any) => {}
        }
        let state = match self.sampled(Goal::ChangesIdly) {
            Some(state) => Some(Box::new(state)),
            None => match self.search(Goal::ChangesIdly, &SEARCHED[..1]) {
                Found::State(state) => Some(state),
                _ => None,
            },
        };
        if state.is_none() && self.impossible(Goal::ChangesIdly).is_ok() {
            return Ending::Ends(Proof {
                ranking: MAIN.to_owned(),
                bound: Bound::of(0),
                steep: None,
            });
        }
        if let Some(state) = state
            && let Some(never) = self.explore(&state)
        {
            return self.smallest(never);
        }
        if let Some(never) = self.lasso() {
            return self.smallest(never);
        }
        if let Some(proof) = self.converges(None) {
            return Ending::Ends(proof);
        }
        if let Some(proof) = self.split() {
            return Ending::Ends(proof);
        }
        if let Some(never) = self.closed() {
            return self.smallest(never);
        }
        Ending::Open("registers or USER values change by no known pattern".to_owned())
    }

    // ---- proofs

    /// The executions of one case settle, or a ranking shrinks.
    fn converges(&mut self, case: Case) -> Option<Proof> {
        let settles = |engine: &mut Self, k: usize| {
            let goal = Goal::KeepsChanging {
                executions: k + 1,
                case,
            };
            engine.excluded(goal).then(|| Proof {
                ranking: format!("{MAIN}; registers and USER values settle after {k}"),
                bound: Bound::of(k as u64),
                steep: None,
            })
        };
        if let Some(proof) = settles(self, 1) {
            return Some(proof);
        }
        if let Some(proof) = self.ranks(case) {
            return Some(proof);
        }
        (2..=4).find_map(|k| settles(self, k))
    }

    /// Small searches, then the proof: a goal that must not happen, without a replay.
    pub(crate) fn excluded(&mut self, goal: Goal) -> bool {
        !self.seems_possible(goal) && self.impossible(goal).is_ok()
    }

    /// Whether some small size allows the goal. Only a hint.
    fn seems_possible(&mut self, goal: Goal) -> bool {
        SEARCHED[..3].iter().any(|&size| self.allows(goal, size))
    }

    fn ranks(&mut self, case: Case) -> Option<Proof> {
        let candidates = self.measures();
        if let Some(proof) = self.ranks_alone(&candidates, case) {
            return Some(proof);
        }
        let mut ranking: Ranking = [None; 4];
        let mut used = 0;
        let mut bound = Bound::of(0);
        let mut texts = Vec::new();
        let mut steep = None;
        for _ in 0..2 {
            for &(measure, limit) in &candidates {
                if used == ranking.len() || ranking.contains(&Some(measure)) {
                    continue;
                }
                let shrinks = {
                    let mut with = ranking;
                    with[used] = Some(measure);
                    // It must shrink on something that remains: else it adds nothing.
                    let remains = Goal::Unranked { ranking, case };
                    let rest = Goal::Unranked {
                        ranking: with,
                        case,
                    };
                    self.seems_possible(remains) && self.differs(remains, rest)
                };
                if !shrinks
                    || !self.excluded(Goal::Grows {
                        ranking,
                        case,
                        measure,
                    })
                {
                    continue;
                }
                let this = self.bound_of(measure, limit, ranking, case);
                if this.fits(u64::from(self.options.fuel)) == Some(0) {
                    steep = steep.or(Some(measure));
                }
                // One after the other, unless the earlier measures may shrink again later.
                bound = if used > 0 && self.excluded(Goal::Resumes { ranking, case }) {
                    bound.then(this)
                } else {
                    bound.nest(this)
                };
                texts.push(Self::measure_text(measure, limit));
                ranking[used] = Some(measure);
                used += 1;
                if self.excluded(Goal::Unranked { ranking, case }) {
                    return Some(Proof {
                        ranking: format!("{MAIN}, then {}", texts.join(", then ")),
                        bound,
                        steep,
                    });
                }
            }
        }
        None
    }

    /// One measure that shrinks on every execution of the kind; the one with the least bound.
    fn ranks_alone(
        &mut self,
        candidates: &[(Measure, Option<Bound>)],
        case: Case,
    ) -> Option<Proof> {
        let none: Ranking = [None; 4];
        let mut best: Option<Proof> = None;
        for &(measure, limit) in candidates {
            let mut alone = none;
            alone[0] = Some(measure);
            if !self.excluded(Goal::Unranked {
                ranking: alone,
                case,
            }) {
                continue;
            }
            let bound = self.bound_of(measure, limit, none, case);
            let fits = bound.fits(u64::from(self.options.fuel)).is_none();
            let better = best
                .as_ref()
                .is_none_or(|best| bound.at(TYPICAL) < best.bound.at(TYPICAL));
            if better {
                best = Some(Proof {
                    ranking: format!("{MAIN}, then {}", Self::measure_text(measure, limit)),
                    bound,
                    steep: (!fits).then_some(measure),
                });
            }
            if fits {
                break;
            }
        }
        best
    }

    /// Whether fewer small states meet the second goal: some meets the first and not the second.
    fn differs(&mut self, all: Goal, rest: Goal) -> bool {
        SEARCHED
            .iter()
            .any(|&size| self.allows_but(all, rest, size))
    }

    fn measure_text(measure: Measure, limit: Option<Bound>) -> String {
        let other = || limit.map_or_else(|| "c".to_owned(), Bound::formula);
        match measure {
            Measure::Below { reg, .. } => format!("max(0, {} - {reg})", other()),
            Measure::Above { reg, .. } => format!("max(0, {reg} - {})", other()),
            Measure::Register(reg) => reg.to_string(),
            Measure::Users { value, equal: true } => {
                format!("the subflows with USER == {value}")
            }
            Measure::Users {
                value,
                equal: false,
            } => {
                format!("the subflows with USER != {value}")
            }
        }
    }

    /// Candidates, each with the literal that it is bounded by.
    fn measures(&mut self) -> Vec<(Measure, Option<Bound>)> {
        let program = self.program;
        let needs = self.needs.clone();
        let mut found = Vec::new();
        let side = self.unbounded(Arithmetic::Abstract);
        side.runs(program, 2);
        let other = |run: usize, wanted: ExprId, reg: SchedReg| {
            side.runs[run]
                .log
                .iter()
                .find_map(|event| match &event.kind {
                    EventKind::Compare {
                        at,
                        reg: this,
                        other,
                    } if *at == wanted && *this == reg => Some((other.null, other.value)),
                    _ => None,
                })
        };
        for (i, expr) in program.exprs.iter().enumerate() {
            let (ExprKind::Order(_, a, b) | ExprKind::Equal { a, b, .. }) = expr.kind else {
                continue;
            };
            let at = ExprId::new(i);
            for side_of in [a, b] {
                let ExprKind::Register(reg) = program.expr(side_of).kind else {
                    continue;
                };
                // The same term in two executions: it does not depend on what changed between.
                let (Some(first), Some(second)) = (other(0, at, reg), other(1, at, reg)) else {
                    continue;
                };
                let literal = match side.domain.terms.node(first.1) {
                    Node::Word(value) => Some(Bound::of(value)),
                    _ => bounded_by_a_count(program, if side_of == a { b } else { a }),
                };
                if first == second && needs.writes_register(reg) {
                    found.push((Measure::Below { at, reg }, literal));
                    found.push((Measure::Above { at, reg }, literal));
                }
            }
        }
        let domain = &side.domain;
        found.retain(|&(measure, _)| {
            let (Measure::Below { at, reg } | Measure::Above { at, reg }) = measure else {
                return true;
            };
            side.runs[0].log.iter().any(|event| match &event.kind {
                EventKind::Compare {
                    at: here,
                    reg: this,
                    other,
                } => {
                    *here == at
                        && *this == reg
                        && domain.known(&other.null) == Some(false)
                        && domain.terms.free_variables(other.value).is_empty()
                }
                _ => false,
            })
        });
        found.extend(
            SchedReg::all()
                .filter(|&reg| needs.writes_register(reg))
                .map(|reg| (Measure::Register(reg), None)),
        );
        if needs.writes_user() {
            for &value in needs.user_literals() {
                found.extend([false, true].map(|equal| (Measure::Users { value, equal }, None)));
            }
        }
        found
    }

    /// IFs whose way no two consecutive executions of the remaining kind change: each side apart.
    fn split(&mut self) -> Option<Proof> {
        let ifs = top_level_ifs(&self.program.body.clone());
        for at in ifs {
            if !self.excluded(Goal::Switches { at }) {
                continue;
            }
            let (Some(yes), Some(no)) = (
                self.converges(Some((at, true))),
                self.converges(Some((at, false))),
            ) else {
                continue;
            };
            return Some(Proof {
                ranking: format!(
                    "{MAIN}; the case of the IF stays: if it holds, {}; if not, {}",
                    rest(&yes.ranking),
                    rest(&no.ranking)
                ),
                bound: yes.bound.max(no.bound),
                steep: yes.steep.or(no.steep),
            });
        }
        None
    }

    // ---- refutations

    /// Follows a state until what the program reads recurs.
    fn explore(&mut self, state: &SchedState) -> Option<Ending> {
        let program = self.program;
        let mut stepper = Stepper::new(state, &[]).ok()?;
        let mut run: Vec<crate::replay::Replayed> = Vec::new();
        let mut seeds = Vec::new();
        let mut keys: Vec<Vec<u64>> = Vec::new();
        for _ in 0..64 {
            let (step, seed) = self.idle_step(&mut stepper)?;
            let key = recurrence_key(program, &step.before);
            if let Some(start) = keys.iter().position(|earlier| *earlier == key) {
                let length = keys.len() - start;
                // The execution in which the state recurs has an effect with its seed too.
                seeds.push(seed);
                if !is_steady(program, &run[start..], &seeds[start..]) {
                    return None;
                }
                // The run up to the cycle shows nothing: start where it starts.
                let state = run[start].before.clone();
                let seeds = if self.needs.uses_random() {
                    seeds[start..].to_vec()
                } else {
                    Vec::new()
                };
                return Some(Ending::Never(
                    Box::new(state),
                    seeds,
                    Scenario::Cycle { start: 0, length },
                ));
            }
            keys.push(key);
            seeds.push(seed);
            run.push(step);
        }
        None
    }

    /// One more execution with an effect and without progress, with the first seed that gives one.
    fn idle_step(&self, stepper: &mut Stepper) -> Option<(crate::replay::Replayed, u64)> {
        let tries = if self.needs.uses_random() { 1_024 } else { 1 };
        for seed in 0..tries {
            let mut next = stepper.clone();
            let Some(step) = next.step_with(self.program, Some(seed)) else {
                continue;
            };
            if step.execution.has_effect(&step.before) && !makes_progress(&step) {
                *stepper = next;
                return Some((step, seed));
            }
        }
        None
    }

    /// Explores several models of a goal.
    fn explore_from(&mut self, state: &SchedState, goal: Goal) -> Option<Ending> {
        if let Some(never) = self.explore(state) {
            return Some(self.smallest(never));
        }
        for size in SEARCHED {
            for state in self.several(goal, size, 6) {
                if let Some(never) = self.explore(&state) {
                    return Some(self.smallest(never));
                }
            }
        }
        None
    }

    /// A state to which two or three executions return.
    fn lasso(&mut self) -> Option<Ending> {
        // What a COUNT is compared with tells which sizes may matter.
        let most = |kind| usize::try_from(self.needs.elements(kind, 24)).unwrap_or(24);
        let (subflows, packets) = (most(Kind::Subflow), most(Kind::Packet));
        let mut sizes = vec![(1, 1), (2, 1), (2, 2)];
        if subflows > 2 || packets > 2 {
            sizes.push((subflows, packets));
        }
        for size in sizes {
            for executions in [2, 3] {
                for state in self.several(Goal::Lasso { executions }, size, 3) {
                    if let Some(never) = self.explore(&state) {
                        return Some(never);
                    }
                }
            }
        }
        None
    }

    /// Surroundings in which every execution changes something and none makes progress, whatever
    /// registers and USER values hold.
    fn closed(&mut self) -> Option<Ending> {
        let executions = self.options.fuel as usize + 1;
        for size in [(1, 1), (2, 1), (2, 2)] {
            for state in self.several(Goal::ChangesIdly, size, 4) {
                if self.never_settles(&state, size) {
                    let seeds = Vec::new();
                    if idle_run(self.program, &state, &seeds, executions).is_ok() {
                        return Some(Ending::Never(
                            Box::new(state),
                            seeds,
                            Scenario::Run { executions },
                        ));
                    }
                }
            }
        }
        None
    }

    /// The same with a small and ordinary state.
    fn smallest(&mut self, ending: Ending) -> Ending {
        let Ending::Never(state, seeds, scenario) = ending else {
            return ending;
        };
        if !seeds.is_empty() {
            return Ending::Never(state, seeds, scenario);
        }
        match scenario {
            Scenario::Cycle { length, .. } => {
                let keeps = |candidate: &SchedState| {
                    let Ok(run) = idle_run(self.program, candidate, &[], length + 1) else {
                        return false;
                    };
                    recurrence_key(self.program, &run[0].before)
                        == recurrence_key(self.program, &run[length].before)
                        && is_steady(self.program, &run[..length], &[])
                };
                let small = shrink(*state, &keeps);
                Ending::Never(Box::new(small), seeds, scenario)
            }
            other => Ending::Never(state, seeds, other),
        }
    }
}

fn rest(ranking: &str) -> &str {
    ranking
        .strip_prefix(MAIN)
        .map_or(ranking, |rest| rest.trim_start_matches([';', ',', ' ']))
}

/// IFs that stand in no loop: their condition is evaluated at most once in an execution.
/// The bound of `l.COUNT` and of `l.COUNT + c`: the number of subflows, or of packets that a host
/// shows of a queue (`specs/semantics.md`).
fn bounded_by_a_count(program: &Program, at: ExprId) -> Option<Bound> {
    match program.expr(at).kind {
        ExprKind::Count(list) => Some(match program.list_kind(list) {
            Kind::Subflow => Bound::subflows_and(0),
            Kind::Packet => Bound::of(SchedState::MAX_QUEUE as u64),
        }),
        ExprKind::Arith(ArithOp::Add, a, b) => match (&program.expr(a).kind, &program.expr(b).kind)
        {
            (&ExprKind::Int(more), _) => {
                Some(bounded_by_a_count(program, b)?.then(Bound::of(more)))
            }
            (_, &ExprKind::Int(more)) => {
                Some(bounded_by_a_count(program, a)?.then(Bound::of(more)))
            }
            _ => None,
        },
        ExprKind::Var(var) => program
            .statements()
            .into_iter()
            .find_map(|stmt| match stmt.kind {
                StmtKind::Let {
                    var: this,
                    init: Operand::Expr(value),
                } if this == var => bounded_by_a_count(program, value),
                _ => None,
            }),
        _ => None,
    }
}

fn top_level_ifs(block: &[Stmt]) -> Vec<StmtId> {
    let mut found = Vec::new();
    for stmt in block {
        if let StmtKind::If {
            then, otherwise, ..
        } = &stmt.kind
        {
            found.push(stmt.id);
            found.extend(top_level_ifs(then));
            if let Some(block) = otherwise {
                found.extend(top_level_ifs(block));
            }
        }
    }
    found
}
