//! `packets-are-conserved`: an inductive invariant of the host model.
//!
//! For one arbitrary packet: if it arrived and is not acknowledged, it is in Q, in
//! RQ, pending, or transmitted on a live subflow. Each step of the host
//! (specs/calling-model.md) keeps that; of the scheduler the proof uses only
//! `popped-packet-is-scheduled` and `drop-is-licensed`.

use crate::check::all_proved;
use crate::engine::Options;
use crate::obligation::finding;
use crate::property::Property;
use crate::report::{Finding, Size, Verdict};
use crate::smt::{Answer, Func, Limits, Profile, Room, Solver, Sort, Term, Terms};

/// A step of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Arrival,
    Acknowledgement,
    Loss,
    SubflowUp,
    Death,
    Execution,
    PushSkipped,
    PushOnGone,
    PushBlocked,
    PushTransmitted,
    Drop,
}

impl Step {
    pub(crate) const ALL: [Self; 11] = [
        Self::Arrival,
        Self::Acknowledgement,
        Self::Loss,
        Self::SubflowUp,
        Self::Death,
        Self::Execution,
        Self::PushSkipped,
        Self::PushOnGone,
        Self::PushBlocked,
        Self::PushTransmitted,
        Self::Drop,
    ];
}

/// A host, or a scheduler, that is wrong on purpose: the invariant must notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "hosts in use are not broken"))]
pub(crate) enum Fault {
    None,
    /// A death moves nothing into RQ.
    DeathForgets,
    /// A death takes copies on dead subflows for copies.
    DeathCountsDeadCopies,
    /// A PUSH on a subflow that is gone is skipped.
    GoneIsSkipped,
    /// An action that cannot go is thrown away.
    BlockedIsDiscarded,
    /// A transmission is not recorded.
    TransmissionIsForgotten,
    /// The scheduler pops without pushing.
    SchedulerLoses,
    /// The scheduler drops what nobody sent.
    SchedulerDropsUnsent,
    /// The scheduler pushes on what is not a live subflow, and the host believes it was sent.
    SchedulerNamesStale,
}

/// What is known of the packet at one moment.
#[derive(Clone, Copy)]
struct Moment {
    arrived: Term,
    acked: Term,
    in_q: Term,
    in_rq: Term,
    pending: Func,
    sent: Func,
    live: Func,
}

struct Model {
    terms: Terms,
    facts: Vec<Term>,
    before: Moment,
    after: Moment,
    s: Term,
}

impl Model {
    fn new() -> Self {
        let mut terms = Terms::new();
        let mut moment = |suffix: &str| {
            let name = |base: &str| format!("{base}_{suffix}");
            Moment {
                arrived: terms.constant(&name("arrived"), Sort::Bool),
                acked: terms.constant(&name("acked"), Sort::Bool),
                in_q: terms.constant(&name("in_q"), Sort::Bool),
                in_rq: terms.constant(&name("in_rq"), Sort::Bool),
                pending: terms.declare(&name("pending"), &[Sort::Subflow], Sort::Bool),
                sent: terms.declare(&name("sent"), &[Sort::Subflow], Sort::Bool),
                live: terms.declare(&name("live"), &[Sort::Subflow], Sort::Bool),
            }
        };
        let (before, after) = (moment("before"), moment("after"));
        let s = terms.variable("s", Sort::Subflow);
        Self {
            terms,
            facts: Vec::new(),
            before,
            after,
            s,
        }
    }

    /// "For some subflow all of these hold."
    fn some(&mut self, all: &[Func]) -> Term {
        let mut parts = Vec::new();
        for &func in all {
            parts.push(self.terms.apply(func, &[self.s]));
        }
        let body = self.terms.and(&parts);
        self.terms.exists(&[self.s], body)
    }

    fn invariant(&mut self, m: Moment) -> Term {
        let pending = self.some(&[m.pending]);
        let copy = self.some(&[m.live, m.sent]);
        let held = self.terms.or(&[m.in_q, m.in_rq, pending, copy]);
        let concerns = self.terms.not(m.acked);
        let concerns = self.terms.and(&[m.arrived, concerns]);
        self.terms.implies(concerns, held)
    }

    /// The relation of a step, the invariant before it, and its negation after it (the last).
    fn obligation(&mut self, step: Step, fault: Fault) -> Vec<Term> {
        self.facts.clear();
        self.step(step, fault);
        let holds = self.invariant(self.before);
        let kept = self.invariant(self.after);
        let broken = self.terms.not(kept);
        let mut all = std::mem::take(&mut self.facts);
        all.extend([holds, broken]);
        all
    }

    fn fact(&mut self, fact: Term) {
        self.facts.push(fact);
    }

    fn same(&mut self, after: Term, value: Term) {
        let fact = self.terms.iff(after, value);
        self.fact(fact);
    }

    /// `after(s) ⇔ before(s) ∨ added(s)` with `added` given over the variable.
    fn grows(&mut self, after: Func, before: Func, added: Term) {
        let now = self.terms.apply(after, &[self.s]);
        let was = self.terms.apply(before, &[self.s]);
        let sum = self.terms.or(&[was, added]);
        let same = self.terms.iff(now, sum);
        let all = self.terms.forall(&[self.s], same);
        self.fact(all);
    }

    fn keeps(&mut self, after: Func, before: Func) {
        let never = self.terms.bool(false);
        self.grows(after, before, never);
    }

    fn is(&mut self, subflow: Term) -> Term {
        self.terms.eq(self.s, subflow)
    }

    /// The relation of a step, as facts.
    fn step(&mut self, step: Step, fault: Fault) {
        let (b, a) = (self.before, self.after);
        let (yes, no) = (self.terms.bool(true), self.terms.bool(false));
        let target = self.terms.constant("target", Sort::Subflow);
        let (mut arrived, mut acked, mut in_q, mut in_rq) = (b.arrived, b.acked, b.in_q, b.in_rq);
        let (mut pending_added, mut sent_added, mut live_added) = (no, no, no);
        let mut takes_action = false;
        let mut dies = false;
        match step {
            Step::Arrival => {
                let fresh = self.terms.not(b.arrived);
                self.fact(fresh);
                (arrived, in_q) = (yes, yes);
            }
            Step::Acknowledgement => (acked, in_q, in_rq) = (yes, no, no),
            Step::Loss => {
                let elsewhere = self.terms.not(b.in_q);
                in_rq = self.terms.or(&[b.in_rq, elsewhere]);
            }
            Step::SubflowUp => live_added = self.is(target),
            Step::Death => {
                dies = true;
                in_rq = self.reinjected(target, fault);
            }
            Step::Execution => {
                let (popped_q, popped_rq, pushed) = self.scheduler(fault);
                let kept_q = self.terms.not(popped_q);
                in_q = self.terms.and(&[b.in_q, kept_q]);
                let kept_rq = self.terms.not(popped_rq);
                in_rq = self.terms.and(&[b.in_rq, kept_rq]);
                pending_added = self.terms.apply(pushed, &[self.s]);
                if fault == Fault::SchedulerNamesStale {
                    (sent_added, pending_added) = (pending_added, no);
                }
            }
            Step::PushSkipped => {
                takes_action = true;
                self.fact(b.acked);
            }
            Step::PushOnGone => {
                takes_action = true;
                let live = self.terms.apply(b.live, &[target]);
                let gone = self.terms.not(live);
                self.fact(gone);
                if fault != Fault::GoneIsSkipped {
                    let elsewhere = self.terms.not(b.in_q);
                    in_rq = self.terms.or(&[b.in_rq, elsewhere]);
                }
            }
            Step::PushBlocked => takes_action = fault == Fault::BlockedIsDiscarded,
            Step::PushTransmitted => {
                takes_action = true;
                let live = self.terms.apply(b.live, &[target]);
                self.fact(live);
                if fault != Fault::TransmissionIsForgotten {
                    sent_added = self.is(target);
                }
            }
            Step::Drop => {}
        }
        self.same(a.arrived, arrived);
        self.same(a.acked, acked);
        self.same(a.in_q, in_q);
        self.same(a.in_rq, in_rq);
        self.grows(a.sent, b.sent, sent_added);
        if dies {
            let now = self.terms.apply(a.live, &[self.s]);
            let was = self.terms.apply(b.live, &[self.s]);
            let this = self.is(target);
            let other = self.terms.not(this);
            let stays = self.terms.and(&[was, other]);
            let same = self.terms.iff(now, stays);
            let all = self.terms.forall(&[self.s], same);
            self.fact(all);
        } else {
            self.grows(a.live, b.live, live_added);
        }
        if takes_action {
            // One action of the pair is taken; whether another is pending is open.
            let now = self.terms.apply(a.pending, &[self.s]);
            let was = self.terms.apply(b.pending, &[self.s]);
            let this = self.is(target);
            let same = self.terms.iff(now, was);
            let same = self.terms.or(&[this, same]);
            let all = self.terms.forall(&[self.s], same);
            self.fact(all);
            let taken = self.terms.apply(b.pending, &[target]);
            self.fact(taken);
        } else if step == Step::Execution {
            self.grows(a.pending, b.pending, pending_added);
        } else {
            self.keeps(a.pending, b.pending);
        }
    }

    /// RQ after a death: a packet that is not in Q and has no copy elsewhere enters it.
    fn reinjected(&mut self, target: Term, fault: Fault) -> Term {
        let b = self.before;
        if fault == Fault::DeathForgets {
            return b.in_rq;
        }
        let this = self.is(target);
        let other = self.terms.not(this);
        let sent = self.terms.apply(b.sent, &[self.s]);
        let live = self.terms.apply(b.live, &[self.s]);
        let copy = if fault == Fault::DeathCountsDeadCopies {
            self.terms.and(&[other, sent])
        } else {
            self.terms.and(&[other, sent, live])
        };
        let pending = self.terms.apply(b.pending, &[self.s]);
        let waits = self.terms.and(&[other, pending]);
        let elsewhere = self.terms.or(&[copy, waits]);
        let elsewhere = self.terms.exists(&[self.s], elsewhere);
        let nowhere = self.terms.not(elsewhere);
        let outside = self.terms.not(b.in_q);
        let enters = self.terms.and(&[outside, nowhere]);
        self.terms.or(&[b.in_rq, enters])
    }

    /// What an execution does with the packet: popped from Q, popped from RQ, pushed on.
    fn scheduler(&mut self, fault: Fault) -> (Term, Term, Func) {
        let b = self.before;
        let popped_q = self.terms.constant("popped_from_q", Sort::Bool);
        let popped_rq = self.terms.constant("popped_from_rq", Sort::Bool);
        let dropped = self.terms.constant("dropped", Sort::Bool);
        let pushed = self.terms.declare("pushed", &[Sort::Subflow], Sort::Bool);
        let shown = self
            .terms
            .declare("in_subflows", &[Sort::Subflow], Sort::Bool);
        if fault != Fault::SchedulerNamesStale {
            // SUBFLOWS holds live subflows, and PUSH names members of SUBFLOWS.
            for (part, whole) in [(shown, b.live), (pushed, shown)] {
                let part = self.terms.apply(part, &[self.s]);
                let whole = self.terms.apply(whole, &[self.s]);
                let inside = self.terms.implies(part, whole);
                let all = self.terms.forall(&[self.s], inside);
                self.fact(all);
            }
        }
        let some_push = self.some(&[pushed]);
        let popped = self.terms.or(&[popped_q, popped_rq]);
        if fault != Fault::SchedulerLoses {
            let scheduled = self.terms.or(&[some_push, dropped]);
            let fact = self.terms.implies(popped, scheduled);
            self.fact(fact);
        }
        if fault != Fault::SchedulerDropsUnsent {
            let sent = self.some(&[shown, b.sent]);
            let licensed = self.terms.or(&[some_push, sent]);
            let fact = self.terms.implies(dropped, licensed);
            self.fact(fact);
        }
        (popped_q, popped_rq, pushed)
    }
}

/// The first step that does not keep the invariant, with the solver's answer.
pub(crate) fn first_broken(room: &Room, fault: Fault, rlimit: u64) -> Option<(Step, Answer)> {
    let mut model = Model::new();
    let mut solver = Solver::new(room, Profile::Proof, Limits { rlimit });
    Step::ALL.into_iter().find_map(|step| {
        solver.push();
        for fact in model.obligation(step, fault) {
            solver.assert(&model.terms, fact);
        }
        let answer = solver.check(&model.terms);
        solver.pop();
        (answer != Answer::Unsat).then_some((step, answer))
    })
}

/// The facts of a step with the broken invariant, for export: must be unsatisfiable.
pub(crate) fn obligation(step: Step) -> (Terms, Vec<Term>) {
    let mut model = Model::new();
    let all = model.obligation(step, Fault::None);
    (model.terms, all)
}

/// The finding, from those about popped and dropped packets.
pub(crate) fn conserved(room: &Room, popped: &[Finding], dropped: &[Finding]) -> Finding {
    let property = Property::PacketsAreConserved;
    let host = first_broken(room, Fault::None, Options::default().rlimit);
    if let Some((step, answer)) = host {
        let why = format!("the host's step {step:?}: {answer:?}");
        return finding(
            property,
            Verdict::Unknown(why),
            "the host model is not proved",
        );
    }
    let mut size = Size::Any;
    for (facts, name) in [
        (popped, Property::PoppedPacketIsScheduled),
        (dropped, Property::DropIsLicensed),
    ] {
        if let Ok(here) = all_proved(facts) {
            size = size.min(here);
        } else {
            let refuted = facts.iter().any(|this| this.verdict == Verdict::Refuted);
            let verdict = if refuted {
                Verdict::Refuted
            } else {
                Verdict::Unknown(format!("{name} is unknown"))
            };
            let mut this = finding(property, verdict, format!("follows from {name}"));
            this.follows_from = Some(name);
            return this;
        }
    }
    let why = if size == Size::Any {
        String::new()
    } else {
        "as far as popped-packet-is-scheduled and drop-is-licensed are proved".to_owned()
    };
    finding(
        property,
        Verdict::Proved { size, why },
        "an invariant of every step of the host, the death of a subflow between decision and \
         transmission included",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: u64 = 2_000_000;

    #[test]
    fn every_step_of_the_host_keeps_the_invariant() {
        assert_eq!(first_broken(&Room::new(), Fault::None, EFFORT), None);
    }

    #[test]
    fn each_fault_breaks_the_step_that_it_is_in() {
        for (step, fault) in [
            (Step::Death, Fault::DeathForgets),
            (Step::Death, Fault::DeathCountsDeadCopies),
            (Step::PushOnGone, Fault::GoneIsSkipped),
            (Step::PushBlocked, Fault::BlockedIsDiscarded),
            (Step::PushTransmitted, Fault::TransmissionIsForgotten),
            (Step::Execution, Fault::SchedulerLoses),
            (Step::Execution, Fault::SchedulerDropsUnsent),
            (Step::Execution, Fault::SchedulerNamesStale),
        ] {
            let broken = first_broken(&Room::new(), fault, EFFORT).map(|(step, _)| step);
            assert_eq!(broken, Some(step), "{fault:?}");
        }
    }

    #[test]
    fn no_step_is_impossible_by_itself() {
        for step in Step::ALL {
            let (terms, mut all) = obligation(step);
            all.pop();
            let mut solver = Solver::new(&Room::new(), Profile::Proof, Limits { rlimit: EFFORT });
            for fact in all {
                solver.assert(&terms, fact);
            }
            assert_eq!(
                solver.check(&terms),
                Answer::Sat,
                "{step:?} with its facts alone"
            );
        }
    }
}
