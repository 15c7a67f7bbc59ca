//! Loops of two programs that go in step.
//!
//! The summary of a loop speaks of symbols of its own, so those of two equal loops cannot be compared.
//! But if both start alike, and one iteration from one state, for one element, does the same in both,
//! then all of them do, by induction. So the second program's loop takes over the summary of the first one's;
//! what must hold for that are cases, of which none may be possible.

use std::rc::Rc;

use progmp_ir::{Loop, Machine, QueueName, SchedReg, State};

use crate::equivalence::{Compare, acts, one_by_one};
use crate::judge::Judge;
use crate::smt::Term;
use crate::summary::{Body, Unrolled};
use crate::unbounded::{Set, Unbounded};

/// The loops of the first program, in the order in which they were reached, and how the second keeps up.
#[derive(Default)]
pub(crate) struct Lockstep {
    stage: Stage,
    loops: Vec<Option<(Rc<Unrolled>, Rc<Body>)>>,
    reached: usize,
    cases: Vec<Term>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing is compared.
    #[default]
    Off,
    Leads,
    Follows,
}

impl Lockstep {
    /// The first program is run next.
    pub(crate) fn begin(&mut self) {
        *self = Self {
            stage: Stage::Leads,
            ..Self::default()
        };
    }

    /// The second program is run next.
    pub(crate) fn turn(&mut self) {
        if self.stage == Stage::Leads {
            self.stage = Stage::Follows;
        }
    }

    /// The place of a loop of the first program, if it is that one's turn.
    pub(crate) fn leads(&mut self) -> Option<usize> {
        (self.stage == Stage::Leads).then(|| {
            self.loops.push(None);
            self.loops.len() - 1
        })
    }

    /// What came of a loop of the first program.
    pub(crate) fn made(&mut self, place: usize, made: Unrolled, body: Body) {
        self.loops[place] = Some((Rc::new(made), Rc::new(body)));
    }

    /// What must be impossible, if the second program did keep up.
    pub(crate) fn take(&mut self) -> Vec<Term> {
        self.stage = Stage::Off;
        std::mem::take(&mut self.cases)
    }

    fn partner(&mut self) -> Option<(Rc<Unrolled>, Rc<Body>)> {
        if self.stage != Stage::Follows {
            return None;
        }
        let place = self.reached;
        self.reached += 1;
        self.loops.get(place)?.clone()
    }
}

impl Unbounded {
    /// Takes over the summary of the first program's loop; `false` if it cannot be this one's.
    pub(crate) fn follow(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        body: &Body,
        list: &Rc<Set>,
        guard: Term,
    ) -> bool {
        let Some((made, first)) = self.lockstep.partner() else {
            return false;
        };
        let outer: Vec<Term> = machine.scope().iter().map(|bound| bound.elem).collect();
        if made.kind != each.kind || made.outer != outer || !first.covers(body) {
            return false;
        }
        let entered = machine.state.clone();
        let mut cases = vec![self.terms.xor(guard, made.guard)];
        let mut unlike = vec![self.terms.xor(list.formula, made.list.formula)];
        unlike.extend(self.unlike(&first, &entered, &made.entered));
        for case in unlike {
            cases.push(self.terms.and(&[guard, case]));
        }

        first.adopt(&mut machine.state, &made.begun);
        let start = machine.log.len();
        machine.iterate(self, each, &made.it, &made.reached);
        let events = machine.log.split_off(start);
        for case in self.unlike(&first, &machine.state, &made.ended) {
            cases.push(self.terms.and(&[made.reached, case]));
        }
        match one_by_one(self, &acts(&made.events), &acts(&events)) {
            Some(more) => cases.extend(more),
            None => cases.push(self.terms.bool(true)),
        }

        machine.state = entered;
        first.adopt(&mut machine.state, &made.after);
        machine.log.extend_from_slice(&made.events);
        self.lockstep.cases.extend(cases);
        true
    }

    /// How two states differ in what a loop may change.
    fn unlike(&mut self, body: &Body, a: &State<Self>, b: &State<Self>) -> Vec<Term> {
        let mut cases = vec![self.terms.xor(a.returned, b.returned)];
        for reg in SchedReg::all().filter(|reg| body.sets[reg.index()]) {
            let same = self
                .terms
                .eq(a.registers[reg.index()], b.registers[reg.index()]);
            cases.push(self.terms.not(same));
        }
        if body.sets_user {
            cases.push(self.users_differ(&a.users, &b.users));
        }
        for name in QueueName::ALL {
            let moved = name == QueueName::Unacked && body.pops[QueueName::Send as usize];
            if body.pops[name as usize] || moved {
                cases.push(self.lists_differ(a.queue(name), b.queue(name)));
            }
        }
        cases
    }
}

impl Body {
    /// Whether the other body may change no more than this one.
    fn covers(&self, other: &Self) -> bool {
        let within = |all: &[bool], some: &[bool]| all.iter().zip(some).all(|(a, b)| *a || !*b);
        within(&self.sets, &other.sets)
            && within(&self.pops, &other.pops)
            && (self.sets_user || !other.sets_user)
            && (self.returns || !other.returns)
    }
}
