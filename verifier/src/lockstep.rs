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
    /// Loops of the first program that were met, also those that were left out.
    met: usize,
    /// Of the loops that were met, those that do nothing on this path.
    idle: Vec<usize>,
    /// Where each summarised loop was met, if it has none inside.
    plain: Vec<Option<usize>>,
}

type Pair = (Rc<Unrolled>, Rc<Body>);

/// A loop of the first program that was summarised on another path, which is the same up to its end: it
/// must be the same summary, so that what is asked later is the same, too.
struct Known {
    met: usize,
    /// What was left out then.
    idle: Vec<usize>,
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
        self.plain.clear();
        self.met = 0;
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

    /// Whether programs are compared.
    pub(crate) fn is_on(&self) -> bool {
        self.stage != Stage::Off
    }

    /// From now on, on this path, these loops of the first program are left out.
    pub(crate) fn leave_out(&mut self, idle: Vec<usize>) {
        self.idle = idle;
    }

    /// Loops of the first program without loops inside, and where they were met.
    pub(crate) fn plain(&self) -> Vec<(usize, Rc<Unrolled>, Rc<Body>)> {
        let pairs = self.plain.iter().zip(&self.loops);
        let known = pairs.filter_map(|(met, pair)| {
            let (made, body) = pair.as_ref()?;
            Some(((*met)?, Rc::clone(made), Rc::clone(body)))
        });
        known.collect()
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
        let met = self.lockstep.met;
        self.lockstep.met += 1;
        if self.lockstep.idle.contains(&met) {
            return true;
        }
        let place = self.lockstep.loops.len();
        let path = self.path.as_mut().expect("a path is followed");
        let known = self.lockstep.known.iter();
        let known = known
            .filter(|known| known.met == met && known.idle == self.lockstep.idle)
            .find(|known| path.came_by(&known.answers));
        if let Some(known) = known {
            path.pass(known.answers.len());
            self.lockstep.met += known.loops.len() - 1;
            self.lockstep.loops.extend(known.loops.iter().cloned());
            let plain = known.loops.len() == 1;
            self.lockstep.plain.push(plain.then_some(met));
            let inner = known.loops.len() - 1;
            self.lockstep.plain.extend(vec![None; inner]);
            let (made, first) = known.loops[0].clone().expect("it was summarised");
            machine.log.extend_from_slice(&made.events);
            first.adopt(&mut machine.state, &made.after);
            return true;
        }
        self.lockstep.loops.push(None);
        self.lockstep.plain.push(None);
        let made = self.unroll_once(machine, each, body, list, guard);
        self.lockstep.loops[place] = Some((Rc::new(made), Rc::new(body.clone())));
        if self.lockstep.loops.len() == place + 1 {
            self.lockstep.plain[place] = Some(met);
        }
        let path = self.path.as_ref().expect("a path is followed");
        self.lockstep.known.push(Known {
            met,
            idle: self.lockstep.idle.clone(),
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

    /// An iteration that starts in the state before the loop does something: if none does, the
    /// loop does nothing, by induction.
    pub(crate) fn does_something(&mut self, made: &Unrolled, body: &Body) -> Term {
        let changes = self.unlike(body, &made.begun, &made.ended);
        let mut cases: Vec<Term> = acts(&made.events).iter().map(|act| act.guard).collect();
        for change in changes {
            cases.push(self.terms.and(&[made.reached, change]));
        }
        let something = self.terms.or(&cases);
        let (p, s) = (self.canonical_packet, self.canonical_subflow);
        let mut parts = vec![something];
        // Sets of packets and USER values are the same for every packet and subflow.
        for case in self.unlike(body, &made.entered, &made.begun) {
            let same = self.terms.not(case);
            parts.push(self.terms.forall(&[p, s], same));
        }
        self.terms.and(&parts)
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
