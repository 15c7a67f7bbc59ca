//! The statements of the properties, each written once for every domain.
//!
//! A goal is a *violation*: over the unbounded domain its unsatisfiability is a
//! proof, over the bounded domain a model is a candidate, and over the concrete
//! domain it tells whether the interpreter's run really shows it.

use progmp_ir::{
    Domain, Event, EventKind, ExprId, Lambda, Machine, Program, QueueName, Role, SchedReg, State,
    StmtId, SubflowBool, SubflowInt,
};

use crate::judge::{Instance, Judge, Run};

/// An effect or a branch that may be dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Effect {
    /// THEN or ELSE of an IF.
    Branch { at: StmtId, taken: bool },
    /// A PUSH that acts.
    Push { at: StmtId },
    /// A DROP of a packet that this execution popped.
    Drop { at: StmtId },
    /// A SET or `SET_USER` that writes.
    Write { at: StmtId },
}

/// What may shrink from execution to execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Measure {
    /// `max(0, c - R)`, with `c` the other side of a comparison.
    Below { at: ExprId, reg: SchedReg },
    /// `max(0, R - c)`.
    Above { at: ExprId, reg: SchedReg },
    /// `R`.
    Register(SchedReg),
    /// The set of subflows whose USER is (or is not) a value, by inclusion.
    Users { value: u64, equal: bool },
}

/// Measures of a lexicographic ranking, first to last.
pub(crate) type Ranking = [Option<Measure>; 4];

/// A side of a case split: the IF's condition holds, or does not.
pub(crate) type Case = Option<(StmtId, bool)>;

/// A violation, or a situation whose reachability is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The packet popped at a statement is neither pushed nor dropped.
    Lost { at: StmtId },
    /// The packet dropped at a statement is neither pushed nor was sent on a live subflow.
    Unlicensed { at: StmtId },
    /// A property is read from NULL (`null`), or from a reference.
    Read { at: ExprId, null: bool },
    /// A statement's reference is NULL, or is not.
    Receiver { at: StmtId, role: Role, null: bool },
    /// NULL reaches SET or `SET_USER`.
    StoresNull { at: StmtId },
    /// A divisor is 0.
    DividesByZero { at: ExprId },
    /// Arithmetic wraps.
    Wraps { at: ExprId },
    /// A GET is out of range.
    OutOfRange { at: ExprId },
    /// An effect happens.
    Happens(Effect),
    /// A packet is taken from RQ.
    TakesReinjection,
    /// One (packet, subflow) pair is pushed twice.
    PushesTwice,
    /// A packet is pushed more than so often in one execution.
    PushesMoreThan(u64),
    /// A packet is pushed that the execution did not pop.
    PushesUnpopped,
    /// A packet is pushed on a subflow that sent it already, and was not popped from Q (or RQ) by
    /// this execution.
    PushesSent { reinjections_too: bool },
    /// A packet is pushed that is in Q (or RQ) when the execution ends.
    KeepsPushed { reinjections_too: bool },
    /// Some subflow is available for a packet pushed elsewhere, and nothing is pushed on it.
    PassesOver,
    /// Two `PUSHes` of one execution name one subflow.
    UsesSubflowTwice,
    /// No effect, but a packet of Q (or RQ) could go.
    LeavesWork { reinjections_too: bool },
    /// A backup subflow is used while another is available.
    UsesBackup,
    /// A subflow that is not preferred is used while a preferred one is available.
    Ignores(Lambda),
    /// Actions without progress.
    ActsIdly,
    /// A change of registers or USER values without progress.
    ChangesIdly,
    /// So many consecutive executions change registers or USER values, act not, progress not.
    KeepsChanging { executions: usize, case: Case },
    /// An execution of this kind that none of the measures sees shrink.
    Unranked { ranking: Ranking, case: Case },
    /// … and that makes one more measure grow.
    Grows {
        ranking: Ranking,
        case: Case,
        measure: Measure,
    },
    /// … that shrinks the measure by less than so much, and not to 0.
    ShrinksLess {
        ranking: Ranking,
        case: Case,
        measure: Measure,
        step: u64,
    },
    /// … that does not halve the measure.
    NotHalved {
        ranking: Ranking,
        case: Case,
        measure: Measure,
    },
    /// … that leaves the measure above so much.
    StaysAbove {
        ranking: Ranking,
        case: Case,
        measure: Measure,
        most: u64,
    },
    /// Two such executions: the first shrinks none of the measures, the second does.
    Resumes { ranking: Ranking, case: Case },
    /// Two such executions, and the IF goes another way in the second.
    Switches { at: StmtId },
    /// Two such executions of which the last leads back to the start, after so many.
    Lasso { executions: usize },
    /// An execution of this kind from a state with a measure of at least so much.
    StartsAbove { measure: Measure, least: u64 },
}

impl Goal {
    /// How many consecutive executions the goal speaks of.
    pub(crate) const fn executions(self) -> usize {
        match self {
            Self::KeepsChanging { executions, .. } | Self::Lasso { executions } => executions,
            Self::Switches { .. } | Self::Resumes { .. } => 2,
            _ => 1,
        }
    }

    /// The goal over consecutive executions.
    pub(crate) fn build<D: Judge>(self, d: &mut D, program: &Program, runs: &[Run<D>]) -> D::Bool {
        let log = &runs[0].log;
        match self {
            Self::Lost { at } => any_event(d, log, |d, event| match &event.kind {
                EventKind::Pop {
                    at: here, packet, ..
                } if *here == at => {
                    let pushed = is_pushed(d, log, packet);
                    let dropped = is_dropped(d, log, packet);
                    let kept = d.or(&pushed, &dropped);
                    Some(d.not(&kept))
                }
                _ => None,
            }),
            Self::Unlicensed { at } => any_event(d, log, |d, event| match &event.kind {
                EventKind::Drop { at: here, packet } if *here == at => {
                    let pushed = is_pushed(d, log, packet);
                    let subflows = d.subflows();
                    let sent = d.some_member(&subflows, &mut |d, s| d.sent_on(packet, s));
                    let licensed = d.or(&pushed, &sent);
                    Some(d.not(&licensed))
                }
                _ => None,
            }),
            Self::Read { at, null: wanted } => any_event(d, log, |d, event| match &event.kind {
                EventKind::Read { at: here, null } if *here == at => {
                    Some(if wanted { null.clone() } else { d.not(null) })
                }
                _ => None,
            }),
            Self::Receiver {
                at,
                role,
                null: wanted,
            } => any_event(d, log, |d, event| match &event.kind {
                EventKind::Receiver {
                    at: here,
                    role: which,
                    null,
                } if *here == at && *which == role => {
                    Some(if wanted { null.clone() } else { d.not(null) })
                }
                _ => None,
            }),
            Self::StoresNull { at } => any_event(d, log, |_, event| match &event.kind {
                EventKind::NullValue { at: here, null } if *here == at => Some(null.clone()),
                _ => None,
            }),
            Self::DividesByZero { at } => any_event(d, log, |_, event| match &event.kind {
                EventKind::Divide { at: here, zero } if *here == at => Some(zero.clone()),
                _ => None,
            }),
            Self::Wraps { at } => any_event(d, log, |_, event| match &event.kind {
                EventKind::Wrap { at: here, wraps } if *here == at => Some(wraps.clone()),
                _ => None,
            }),
            Self::OutOfRange { at } => any_event(d, log, |_, event| match &event.kind {
                EventKind::Index { at: here, outside } if *here == at => Some(outside.clone()),
                _ => None,
            }),
            Self::Happens(effect) => happens(d, log, effect),
            Self::TakesReinjection => any_event(d, log, |d, event| match event.kind {
                EventKind::Pop {
                    queue: QueueName::Retrans,
                    ..
                } => Some(d.bool(true)),
                _ => None,
            }),
            Self::PushesTwice => pushes_more_than(d, log, 1, true),
            Self::PushesMoreThan(most) => pushes_more_than(d, log, most, false),
            Self::PushesUnpopped => any_event(d, log, |d, event| match &event.kind {
                EventKind::Push { packet, .. } => {
                    let popped = is_popped(d, log, packet);
                    Some(d.not(&popped))
                }
                _ => None,
            }),
            Self::PushesSent { reinjections_too } => any_event(d, log, |d, event| {
                let EventKind::Push {
                    packet, subflow, ..
                } = &event.kind
                else {
                    return None;
                };
                let taken = any_event(d, log, |d, event| match &event.kind {
                    EventKind::Pop {
                        packet: popped,
                        queue,
                        ..
                    } if reinjections_too || *queue == QueueName::Send => {
                        Some(d.same(popped, packet))
                    }
                    _ => None,
                });
                let kept = d.not(&taken);
                let sent = d.sent_on(packet, subflow);
                Some(d.and(&sent, &kept))
            }),
            Self::KeepsPushed { reinjections_too } => any_event(d, log, |d, event| {
                let EventKind::Push { packet, .. } = &event.kind else {
                    return None;
                };
                let after = &runs[0].after;
                let mut kept = d.is_member(after.queue(QueueName::Send), packet);
                if reinjections_too {
                    let lost = d.is_member(after.queue(QueueName::Retrans), packet);
                    kept = d.or(&kept, &lost);
                }
                Some(kept)
            }),
            Self::PassesOver => any_event(d, log, |d, event| {
                let EventKind::Push { packet, .. } = &event.kind else {
                    return None;
                };
                let subflows = d.subflows();
                Some(d.some_member(&subflows, &mut |d, s| {
                    let available = is_available(d, s, packet);
                    let served = is_used(d, log, s);
                    let waits = d.not(&served);
                    d.and(&available, &waits)
                }))
            }),
            Self::UsesSubflowTwice => uses_twice(d, log),
            Self::LeavesWork { reinjections_too } => leaves_work(d, &runs[0], reinjections_too),
            // Any other subflow is right, and the target itself unless it is a backup.
            Self::UsesBackup => misplaced(d, log, |d, t, target| {
                let same = d.same(t, target);
                let backup = d.subflow_bool(SubflowBool::IsBackup, t);
                let wrong = d.and(&same, &backup);
                d.not(&wrong)
            }),
            Self::Ignores(lambda) => {
                let mut machine = Machine::new(program, runs[0].before.clone());
                misplaced(d, log, |d, t, _| machine.predicate(d, lambda, t))
            }
            Self::ActsIdly => {
                // A PUSH that the peer's window does not take ends the trigger.
                let blocked = any_event(d, log, |d, event| match &event.kind {
                    EventKind::Push {
                        subflow, packet, ..
                    } => {
                        let room = d.has_window_for(subflow, packet);
                        Some(d.not(&room))
                    }
                    _ => None,
                });
                let flows = d.not(&blocked);
                let (acts, idle) = (acts(d, log), idle(d, log));
                let both = d.and(&acts, &idle);
                d.and(&flows, &both)
            }
            Self::ChangesIdly => {
                let (changes, idle) = (changes(d, &runs[0]), idle(d, log));
                d.and(&changes, &idle)
            }
            Self::KeepsChanging { executions, case } => {
                let mut all = d.bool(true);
                for run in &runs[..executions] {
                    let still = changes_in(d, run, case);
                    all = d.and(&all, &still);
                }
                all
            }
            Self::Unranked { ranking, case } => unranked(d, &runs[0], &ranking, case),
            Self::Grows {
                ranking,
                case,
                measure,
            } => {
                let unranked = unranked(d, &runs[0], &ranking, case);
                let (kept, _) = measure.moves(d, &runs[0]);
                let grows = d.not(&kept);
                d.and(&unranked, &grows)
            }
            Self::ShrinksLess {
                ranking,
                case,
                measure,
                step,
            } => {
                let unranked = unranked(d, &runs[0], &ranking, case);
                let fast = measure.shrinks_by(d, &runs[0], step);
                let slow = d.not(&fast);
                d.and(&unranked, &slow)
            }
            Self::NotHalved {
                ranking,
                case,
                measure,
            } => {
                let unranked = unranked(d, &runs[0], &ranking, case);
                let halved = measure.is_halved(d, &runs[0]);
                let not = d.not(&halved);
                d.and(&unranked, &not)
            }
            Self::StaysAbove {
                ranking,
                case,
                measure,
                most,
            } => {
                let unranked = unranked(d, &runs[0], &ranking, case);
                let Some((_, after)) = measure.values(d, &runs[0]) else {
                    return unranked;
                };
                let most = d.int(most);
                let above = d.less(&most, &after);
                d.and(&unranked, &above)
            }
            Self::Resumes { ranking, case } => {
                let first = unranked(d, &runs[0], &ranking, case);
                let second = changes_in(d, &runs[1], case);
                let still = unranked(d, &runs[1], &ranking, case);
                let shrinks = d.not(&still);
                let second = d.and(&second, &shrinks);
                d.and(&first, &second)
            }
            Self::Switches { at } => {
                let first = changes_alone(d, &runs[0]);
                let second = changes_alone(d, &runs[1]);
                let both = d.and(&first, &second);
                let way = [0, 1].map(|i| takes(d, &runs[i].log, at));
                let same = d.iff(&way[0], &way[1]);
                let other = d.not(&same);
                d.and(&both, &other)
            }
            Self::Lasso { executions } => {
                let mut all = d.bool(true);
                for run in &runs[..executions] {
                    let still = changes_alone(d, run);
                    all = d.and(&all, &still);
                }
                let (start, end) = (&runs[0].before, &runs[executions - 1].after);
                let differ = states_differ(d, start, end);
                let same = d.not(&differ);
                d.and(&all, &same)
            }
            Self::StartsAbove { measure, least } => {
                let still = changes_alone(d, &runs[0]);
                let Some((before, _)) = measure.values(d, &runs[0]) else {
                    return d.bool(false);
                };
                let least = d.int(least);
                let less = d.less(&before, &least);
                let high = d.not(&less);
                d.and(&still, &high)
            }
        }
    }
}

/// The IF takes its THEN branch. Only IFs outside of loops are asked.
fn takes<D: Judge>(d: &mut D, log: &[Event<D>], at: StmtId) -> D::Bool {
    happens(d, log, Effect::Branch { at, taken: true })
}

fn changes_in<D: Judge>(d: &mut D, run: &Run<D>, case: Case) -> D::Bool {
    let still = changes_alone(d, run);
    let Some((at, holds)) = case else {
        return still;
    };
    let takes = takes(d, &run.log, at);
    let this = if holds { takes } else { d.not(&takes) };
    d.and(&still, &this)
}

fn unranked<D: Judge>(d: &mut D, run: &Run<D>, ranking: &Ranking, case: Case) -> D::Bool {
    let mut remains = changes_in(d, run, case);
    for measure in ranking.iter().flatten() {
        let (_, shrinks) = measure.moves(d, run);
        let stays = d.not(&shrinks);
        remains = d.and(&remains, &stays);
    }
    remains
}

impl Measure {
    /// The measure before and after, for those that are numbers.
    fn values<D: Judge>(self, d: &mut D, run: &Run<D>) -> Option<(D::Int, D::Int)> {
        let (at, reg, below) = match self {
            Self::Register(reg) => {
                let cell = reg.index();
                return Some((
                    run.before.registers[cell].clone(),
                    run.after.registers[cell].clone(),
                ));
            }
            Self::Users { .. } => return None,
            Self::Below { at, reg } => (at, reg, true),
            Self::Above { at, reg } => (at, reg, false),
        };
        let limit = run.log.iter().find_map(|event| match &event.kind {
            EventKind::Compare {
                at: here,
                reg: this,
                other,
            } if *here == at && *this == reg => Some(other.value.clone()),
            _ => None,
        })?;
        let zero = d.int(0);
        let mut distance = |state: &State<D>| {
            let value = &state.registers[reg.index()];
            let (high, low) = if below {
                (&limit, value)
            } else {
                (value, &limit)
            };
            let apart = d.less(low, high);
            let distance = d.arith(progmp_ir::ArithOp::Sub, high, low);
            d.select(&apart, &distance, &zero)
        };
        Some((distance(&run.before), distance(&run.after)))
    }

    /// Whether it does not grow, and whether it shrinks.
    fn moves<D: Judge>(self, d: &mut D, run: &Run<D>) -> (D::Bool, D::Bool) {
        if let Self::Users { value, equal } = self {
            return users_move(d, run, value, equal);
        }
        let Some((before, after)) = self.values(d, run) else {
            return (d.bool(false), d.bool(false));
        };
        let grows = d.less(&before, &after);
        (d.not(&grows), d.less(&after, &before))
    }

    /// Whether it shrinks by at least `step`, or to 0.
    fn shrinks_by<D: Judge>(self, d: &mut D, run: &Run<D>, step: u64) -> D::Bool {
        let Some((before, after)) = self.values(d, run) else {
            return d.bool(false);
        };
        let (zero, step) = (d.int(0), d.int(step));
        let shrinks = d.less(&after, &before);
        let gone = d.equal(&after, &zero);
        let lost = d.arith(progmp_ir::ArithOp::Sub, &before, &after);
        let little = d.less(&lost, &step);
        let much = d.not(&little);
        let enough = d.or(&much, &gone);
        d.and(&shrinks, &enough)
    }

    /// Whether it is at most half of what it was, and smaller.
    fn is_halved<D: Judge>(self, d: &mut D, run: &Run<D>) -> D::Bool {
        let Some((before, after)) = self.values(d, run) else {
            return d.bool(false);
        };
        let shrinks = d.less(&after, &before);
        let rest = d.arith(progmp_ir::ArithOp::Sub, &before, &after);
        let more = d.less(&rest, &after);
        let half = d.not(&more);
        d.and(&shrinks, &half)
    }
}

/// Whether the set `{s : USER(s) = value}` (or its complement) gains no member, and loses one.
fn users_move<D: Judge>(d: &mut D, run: &Run<D>, value: u64, equal: bool) -> (D::Bool, D::Bool) {
    let subflows = d.subflows();
    let is_in = |d: &mut D, users: &D::Users, s: &D::Elem| {
        let user = d.user(users, s);
        let value = d.int(value);
        let same = d.equal(&user, &value);
        if equal { same } else { d.not(&same) }
    };
    let crosses = |d: &mut D, joins: bool| {
        d.some_member(&subflows, &mut |d, s| {
            let before = is_in(d, &run.before.users, s);
            let after = is_in(d, &run.after.users, s);
            let (from, to) = if joins {
                (before, after)
            } else {
                (after, before)
            };
            let was_not = d.not(&from);
            d.and(&was_not, &to)
        })
    };
    let gains = crosses(d, true);
    let loses = crosses(d, false);
    let kept = d.not(&gains);
    let shrinks = d.and(&kept, &loses);
    (kept, shrinks)
}

/// The disjunction of a condition over the events that it concerns.
pub(crate) fn any_event<D: Judge>(
    d: &mut D,
    log: &[Event<D>],
    mut condition: impl FnMut(&mut D, &Instance<D>) -> Option<D::Bool>,
) -> D::Bool {
    let mut any = d.bool(false);
    for event in log {
        let event = Instance::of(d, event);
        if let Some(holds) = condition(d, &event) {
            let here = event.exists(d, &holds);
            any = d.or(&any, &here);
        }
    }
    any
}

fn is_pushed<D: Judge>(d: &mut D, log: &[Event<D>], wanted: &D::Elem) -> D::Bool {
    any_event(d, log, |d, event| match &event.kind {
        EventKind::Push { packet, .. } => Some(d.same(packet, wanted)),
        _ => None,
    })
}

fn is_dropped<D: Judge>(d: &mut D, log: &[Event<D>], wanted: &D::Elem) -> D::Bool {
    any_event(d, log, |d, event| match &event.kind {
        EventKind::Drop { packet, .. } => Some(d.same(packet, wanted)),
        _ => None,
    })
}

fn is_popped<D: Judge>(d: &mut D, log: &[Event<D>], wanted: &D::Elem) -> D::Bool {
    any_event(d, log, |d, event| match &event.kind {
        EventKind::Pop { packet, .. } => Some(d.same(packet, wanted)),
        _ => None,
    })
}

fn happens<D: Judge>(d: &mut D, log: &[Event<D>], effect: Effect) -> D::Bool {
    any_event(d, log, |d, event| match (&event.kind, effect) {
        (
            EventKind::Branch {
                at: here,
                taken: way,
            },
            Effect::Branch { at, taken },
        ) if *here == at && *way == taken => Some(d.bool(true)),
        (EventKind::Push { at: here, .. }, Effect::Push { at }) if *here == at => {
            Some(d.bool(true))
        }
        (EventKind::Drop { at: here, packet }, Effect::Drop { at }) if *here == at => {
            Some(is_popped(d, log, packet))
        }
        (
            EventKind::Set { at: here, .. } | EventKind::SetUser { at: here, .. },
            Effect::Write { at },
        ) if *here == at => Some(d.bool(true)),
        _ => None,
    })
}

/// `most + 1` different `PUSHes` of one packet (on one subflow, if `same_subflow`).
fn pushes_more_than<D: Judge>(
    d: &mut D,
    log: &[Event<D>],
    most: u64,
    same_subflow: bool,
) -> D::Bool {
    let pushes: Vec<Event<D>> = log
        .iter()
        .filter(|event| matches!(event.kind, EventKind::Push { .. }))
        .cloned()
        .collect();
    any_event(d, &pushes, |d, event| {
        let EventKind::Push {
            subflow, packet, ..
        } = &event.kind
        else {
            return None;
        };
        let copies = d.copies(&pushes, Some(packet), same_subflow.then_some(subflow), most);
        Some(copies)
    })
}

fn is_used<D: Judge>(d: &mut D, log: &[Event<D>], wanted: &D::Elem) -> D::Bool {
    any_event(d, log, |d, event| match &event.kind {
        EventKind::Push { subflow, .. } => Some(d.same(subflow, wanted)),
        _ => None,
    })
}

/// Two different `PUSHes` on one subflow.
fn uses_twice<D: Judge>(d: &mut D, log: &[Event<D>]) -> D::Bool {
    let pushes = pushes(log);
    any_event(d, &pushes, |d, event| {
        let EventKind::Push { subflow, .. } = &event.kind else {
            return None;
        };
        Some(d.copies(&pushes, None, Some(subflow), 1))
    })
}

fn pushes<D: Judge>(log: &[Event<D>]) -> Vec<Event<D>> {
    log.iter()
        .filter(|event| matches!(event.kind, EventKind::Push { .. }))
        .cloned()
        .collect()
}

/// The subflow could carry the packet now: the condition of `work-conserving`.
pub(crate) fn is_available<D: Judge>(d: &mut D, subflow: &D::Elem, packet: &D::Elem) -> D::Bool {
    let throttled = d.subflow_bool(SubflowBool::Throttled, subflow);
    let lossy = d.subflow_bool(SubflowBool::Lossy, subflow);
    let held = d.or(&throttled, &lossy);
    let free = has_free_window(d, subflow);
    let room = d.has_window_for(subflow, packet);
    let open = d.and(&free, &room);
    let may = d.not(&held);
    d.and(&may, &open)
}

/// `CWND > SKBS_IN_FLIGHT + QUEUED`.
fn has_free_window<D: Domain>(d: &mut D, subflow: &D::Elem) -> D::Bool {
    let in_flight = d.subflow_int(SubflowInt::InFlight, subflow);
    let queued = d.subflow_int(SubflowInt::Queued, subflow);
    let used = d.arith(progmp_ir::ArithOp::Add, &in_flight, &queued);
    let cwnd = d.subflow_int(SubflowInt::Cwnd, subflow);
    d.less(&used, &cwnd)
}

fn leaves_work<D: Judge>(d: &mut D, run: &Run<D>, reinjections_too: bool) -> D::Bool {
    let mut waiting = vec![QueueName::Send];
    if reinjections_too {
        waiting.push(QueueName::Retrans);
    }
    let subflows = d.subflows();
    let mut some = d.bool(false);
    for name in waiting {
        let top = d.end(run.before.queue(name), false);
        let could = d.some_member(&subflows, &mut |d, s| {
            let available = is_available(d, s, &top.value);
            let sent = d.sent_on(&top.value, s);
            let fresh = d.not(&sent);
            if name == QueueName::Retrans {
                d.and(&available, &fresh)
            } else {
                available
            }
        });
        let there = d.not(&top.null);
        let left = d.and(&there, &could);
        some = d.or(&some, &left);
    }
    let effect = has_effect(d, run);
    let idle = d.not(&effect);
    d.and(&idle, &some)
}

/// A PUSH on a subflow that is not right while one that would be is available for the packet:
/// `right(d, t, target)` says whether `t` would have been right where `target` was used.
fn misplaced<D: Judge>(
    d: &mut D,
    log: &[Event<D>],
    mut right: impl FnMut(&mut D, &D::Elem, &D::Elem) -> D::Bool,
) -> D::Bool {
    let subflows = d.subflows();
    any_event(d, log, |d, event| {
        let EventKind::Push {
            subflow, packet, ..
        } = &event.kind
        else {
            return None;
        };
        let fine = right(d, subflow, subflow);
        let poor = d.not(&fine);
        let better = d.some_member(&subflows, &mut |d, t| {
            let right = right(d, t, subflow);
            let available = is_available(d, t, packet);
            d.and(&right, &available)
        });
        Some(d.and(&poor, &better))
    })
}

/// A PUSH or a DROP.
pub(crate) fn acts<D: Judge>(d: &mut D, log: &[Event<D>]) -> D::Bool {
    any_event(d, log, |d, event| match event.kind {
        EventKind::Push { .. } | EventKind::Drop { .. } => Some(d.bool(true)),
        _ => None,
    })
}

/// No POP, and no PUSH that uses a free window or a pair that was not sent before: nothing that
/// makes the trigger's own measure smaller.
pub(crate) fn idle<D: Judge>(d: &mut D, log: &[Event<D>]) -> D::Bool {
    let progress = any_event(d, log, |d, event| match &event.kind {
        EventKind::Pop { .. } => Some(d.bool(true)),
        EventKind::Push {
            subflow, packet, ..
        } => {
            let free = has_free_window(d, subflow);
            let sent = d.sent_on(packet, subflow);
            let fresh = d.not(&sent);
            Some(d.or(&free, &fresh))
        }
        _ => None,
    });
    d.not(&progress)
}

/// Registers or USER values differ after the execution.
pub(crate) fn changes<D: Judge>(d: &mut D, run: &Run<D>) -> D::Bool {
    states_differ(d, &run.before, &run.after)
}

/// Registers or USER values of two states differ.
fn states_differ<D: Judge>(d: &mut D, a: &State<D>, b: &State<D>) -> D::Bool {
    let mut changed = d.users_differ(&a.users, &b.users);
    for (old, new) in a.registers.iter().zip(&b.registers) {
        let same = d.equal(old, new);
        let differs = d.not(&same);
        changed = d.or(&changed, &differs);
    }
    changed
}

/// Registers or USER values change, and nothing else happens.
pub(crate) fn changes_alone<D: Judge>(d: &mut D, run: &Run<D>) -> D::Bool {
    let (changes, acts, idle) = (changes(d, run), acts(d, &run.log), idle(d, &run.log));
    let quiet = d.not(&acts);
    let alone = d.and(&quiet, &idle);
    d.and(&changes, &alone)
}

/// An action, a POP or a change.
fn has_effect<D: Judge>(d: &mut D, run: &Run<D>) -> D::Bool {
    let (changes, acts) = (changes(d, run), acts(d, &run.log));
    let pops = any_event(d, &run.log, |d, event| match event.kind {
        EventKind::Pop { .. } => Some(d.bool(true)),
        _ => None,
    });
    let moves = d.or(&acts, &pops);
    d.or(&changes, &moves)
}
