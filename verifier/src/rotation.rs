//! Fairness by rotation: a register as a cursor over the subflows' IDs.
//!
//! For a subflow `s` that is available throughout, take the subflows whose ID lies
//! between the cursor and `s` in cyclic order. If every execution that pushes
//! elsewhere takes one from that set, and no other execution adds to it, at most
//! |SUBFLOWS| consecutive `PUSHes` go elsewhere.

use progmp_ir::{Domain, EventKind, SchedReg, State, SubflowInt};

use crate::engine::{Engine, Side};
use crate::goal::{any_event, is_available};
use crate::judge::{Judge, Run};
use crate::smt::{Sort, Term};
use crate::unbounded::Unbounded;

impl Engine<'_> {
    /// The register that serves as the cursor of a rotation, proved for any size.
    pub(crate) fn rotates(&mut self) -> Option<SchedReg> {
        let rlimit = self.options.rlimit;
        SchedReg::all()
            .filter(|&reg| self.needs.writes_register(reg))
            .collect::<Vec<_>>()
            .into_iter()
            .find(|&reg| {
                self.refute("rotation", rlimit, |side, program| {
                    side.runs(program, 1);
                    breaks_rotation(side, reg)
                })
                .is_ok()
            })
    }
}

/// An execution in which some subflow is available and the rotation is not kept.
fn breaks_rotation(side: &mut Side<Unbounded>, reg: SchedReg) -> Term {
    let d = &mut side.domain;
    let run = &side.runs[0];
    let s = d.terms.constant("waiting", Sort::Subflow);
    let present = d.subflows();
    let present = d.is_member(&present, &s);

    let elsewhere = any_event(d, &run.log, |d, event| match &event.kind {
        EventKind::Push { subflow, .. } => {
            let here = d.same(subflow, &s);
            Some(d.not(&here))
        }
        _ => None,
    });
    let here = any_event(d, &run.log, |d, event| match &event.kind {
        EventKind::Push { subflow, .. } => Some(d.same(subflow, &s)),
        _ => None,
    });
    // Available for whatever is pushed; for an execution without PUSH, windows do not matter.
    let unavailable = any_event(d, &run.log, |d, event| match &event.kind {
        EventKind::Push { packet, .. } => {
            let available = is_available(d, &s, packet);
            Some(d.not(&available))
        }
        _ => None,
    });
    let twice = {
        let pushes: Vec<_> = run
            .log
            .iter()
            .filter(|event| matches!(event.kind, EventKind::Push { .. }))
            .cloned()
            .collect();
        any_event(d, &pushes, |d, _| Some(d.copies(&pushes, None, None, 1)))
    };
    let open = is_open(d, s);

    let (gains, loses) = interval_moves(d, run, reg, s);
    let stays = d.terms.not(loses);
    let wasteful = d.terms.and(&[elsewhere, stays]);
    let unserved = d.terms.not(here);
    let grows = d.terms.and(&[unserved, gains]);
    let broken = d.terms.or(&[wasteful, grows, twice]);
    let available = d.terms.not(unavailable);
    d.terms.and(&[present, open, available, broken])
}

/// Not throttled, not lossy, a free window.
fn is_open(d: &mut Unbounded, s: Term) -> Term {
    use progmp_ir::{ArithOp, SubflowBool};
    let throttled = d.subflow_bool(SubflowBool::Throttled, &s);
    let lossy = d.subflow_bool(SubflowBool::Lossy, &s);
    let in_flight = d.subflow_int(SubflowInt::InFlight, &s);
    let queued = d.subflow_int(SubflowInt::Queued, &s);
    let used = d.arith(ArithOp::Add, &in_flight, &queued);
    let cwnd = d.subflow_int(SubflowInt::Cwnd, &s);
    let free = d.less(&used, &cwnd);
    let held = d.terms.or(&[throttled, lossy]);
    let may = d.terms.not(held);
    d.terms.and(&[may, free])
}

/// Whether the set of subflows strictly between the cursor and `s` gains, and loses, a member.
fn interval_moves(d: &mut Unbounded, run: &Run<Unbounded>, reg: SchedReg, s: Term) -> (Term, Term) {
    let subflows = d.subflows();
    let between = |d: &mut Unbounded, state: &State<Unbounded>, x: &Term| {
        let cursor = state.registers[reg.index()];
        let id = d.subflow_int(SubflowInt::Id, x);
        let goal = d.subflow_int(SubflowInt::Id, &s);
        let beyond = d.terms.ult(cursor, id);
        let before = d.terms.ult(id, goal);
        let ahead = d.terms.ult(cursor, goal);
        let both = d.terms.and(&[beyond, before]);
        let either = d.terms.or(&[beyond, before]);
        // The cursor before `s`: the open interval. Else it wraps round.
        d.terms.ite(ahead, both, either)
    };
    let crosses = |d: &mut Unbounded, joins: bool| {
        d.some_member(&subflows, &mut |d, x| {
            let was = between(d, &run.before, x);
            let is = between(d, &run.after, x);
            let (from, to) = if joins { (was, is) } else { (is, was) };
            let not = d.terms.not(from);
            d.terms.and(&[not, to])
        })
    };
    let gains = crosses(d, true);
    let loses = crosses(d, false);
    (gains, loses)
}
