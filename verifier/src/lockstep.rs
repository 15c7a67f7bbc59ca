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
    loops: Vec<Option<Pair>>,
    reached: usize,
    cases: Vec<Term>,
    known: Vec<Known>,
}

type Pair = (Rc<Unrolled>, Rc<Body>);

/// A loop of the first program that was summarised on another path, which is the same up to its end: it
/// must be the same summary, so that what is asked later is the same, too.
struct Known {
    place: usize,
    answers: Vec<(Term, bool)>,
    /// It, and the loops inside it.
    loops: Vec<Option<Pair>>,
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
        self.stage = Stage::Leads;
        self.loops.clear();
        self.reached = 0;
        self.cases.clear();
    }

    /// The second program is run next.
    pub(crate) fn turn(&mut self) {
        if self.stage == Stage::Leads {
            self.stage = Stage::Follows;
        }
    }

    /// What must be impossible, if the second program did keep up.
    pub(crate) fn take(&mut self) -> Vec<Term> {
        self.stage = Stage::Off;
        std::mem::take(&mut self.cases)
    }

    /// How many loops each program has reached.
    pub(crate) fn reached(&self) -> (usize, usize) {
        (self.loops.len(), self.reached)
    }

    /// The first loop of the first program.
    pub(crate) fn first(&self) -> Option<Rc<Unrolled>> {
        let first = self.loops.first()?.as_ref()?;
        Some(Rc::clone(&first.0))
    }

    fn partner(&mut self) -> Option<Pair> {
        let place = self.reached;
        self.reached += 1;
        self.loops.get(place)?.clone()
    }
}

impl Unbounded {
    /// Summarises a loop of the first program, if it is that one's turn.
    pub(crate) fn lead(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        body: &Body,
        list: &Rc<Set>,
        guard: Term,
    ) -> bool {
        if self.lockstep.stage == Stage::Off
            && let Some(path) = &mut self.path
        {
            // Its symbols would be others each time.
            path.lose();
        }
        if self.lockstep.stage != Stage::Leads {
            return false;
        }
        let place = self.lockstep.loops.len();
        let path = self.path.as_mut().expect("a path is followed");
        let known = self.lockstep.known.iter();
        let known = known
            .filter(|known| known.place == place)
            .find(|known| path.came_by(&known.answers));
        if let Some(known) = known {
            path.pass(known.answers.len());
            self.lockstep.loops.extend(known.loops.iter().cloned());
            let (made, first) = known.loops[0].clone().expect("it was summarised");
            machine.log.extend_from_slice(&made.events);
            first.adopt(&mut machine.state, &made.after);
            return true;
        }
        self.lockstep.loops.push(None);
        let made = self.unroll_once(machine, each, body, list, guard);
        self.lockstep.loops[place] = Some((Rc::new(made), Rc::new(body.clone())));
        let path = self.path.as_ref().expect("a path is followed");
        self.lockstep.known.push(Known {
            place,
            answers: path.so_far().to_vec(),
            loops: self.lockstep.loops[place..].to_vec(),
        });
        true
    }

    /// Takes over the summary of the first program's loop; `false` if it cannot be this one's, and then
    /// nothing is shown.
    pub(crate) fn follow(
        &mut self,
        machine: &mut Machine<'_, Self>,
        each: &Loop<'_>,
        body: &Body,
        list: &Rc<Set>,
        guard: Term,
    ) -> bool {
        if self.lockstep.stage != Stage::Follows {
            return false;
        }
        let outer: Vec<Term> = machine.scope().iter().map(|bound| bound.elem).collect();
        let partner = self.lockstep.partner().filter(|(made, first)| {
            made.kind == each.kind && made.outer == outer && first.covers(body)
        });
        let Some((made, first)) = partner else {
            self.path.as_mut().expect("a path is followed").lose();
            return false;
        };
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
