//! Do two schedulers decide alike in every state?
//!
//! Both run from one state with one seed; they differ if actions (in order),
//! registers, USER values or queues do.

use progmp_ir::{
    Action, Domain, Event, EventKind, Execution, Kind, Needs, Program, QueueName, SchedState,
    execute,
};

use crate::bounded::Bounded;
use crate::concrete::{candidate_seeds, shrink};
use crate::engine::{Encoding, Options, Side};
use crate::judge::{Judge, Run};
use crate::model::state_of;
use crate::path::agree_on_all_paths;
use crate::report::Size;
use crate::smt::{Answer, Profile, Room, Term};
use crate::unbounded::{Arithmetic, Unbounded};

/// The answer to "do these decide alike?".
pub enum Equivalence {
    /// They do, for this size; `why` says why not for more.
    Equal {
        /// For which sizes.
        size: Size,
        /// Empty for any size.
        why: String,
    },
    /// They do not: here, so and so.
    Differ {
        /// Where.
        state: Box<SchedState>,
        /// What the first does.
        first: Box<Execution>,
        /// What the second does.
        second: Box<Execution>,
    },
    /// Not decided, and why.
    Unknown(String),
}

/// Decides whether two schedulers are equivalent, execution by execution.
///
/// # Panics
/// If a state that the encoding finds does not show a difference in the interpreter: our mistake.
pub fn equivalent(a: &Program, b: &Program, options: &Options) -> Equivalence {
    let room = Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES));
    let search = |size| search(&room, a, b, size, options);
    if let Some(state) = small_difference(&room, a, b, options) {
        return differ(a, b, state);
    }
    if prove(&room, a, b, options) {
        return Equivalence::Equal {
            size: Size::Any,
            why: String::new(),
        };
    }
    let largest = (Size::ACCEPTED.0 as usize, Size::ACCEPTED.1 as usize);
    // What they compare a COUNT with tells which sizes may matter.
    let most = |kind| {
        let needs = [a, b].map(Needs::of);
        let most = needs.iter().map(|needs| needs.elements(kind, 48)).max();
        usize::try_from(most.unwrap_or(0)).expect("at most 48")
    };
    let (subflows, packets) = (most(Kind::Subflow), most(Kind::Packet));
    let mut sizes = vec![(3, 3), (5, 2), (2, 5)];
    if subflows > 5 {
        sizes.push((subflows, packets.min(2)));
    }
    if packets > 5 {
        sizes.push((subflows.min(2), packets));
    }
    sizes.push(largest);
    for size in sizes {
        match search(size) {
            Search::Differ(state) => return differ(a, b, state),
            Search::Open(why) => return Equivalence::Unknown(format!("{why} at {size:?}")),
            Search::Equal => {}
        }
    }
    Equivalence::Equal {
        size: Size::UpTo {
            subflows: Size::ACCEPTED.0,
            packets: Size::ACCEPTED.1,
        },
        why: "the encoding for any size does not show it".to_owned(),
    }
}

fn differ(a: &Program, b: &Program, state: SchedState) -> Equivalence {
    let state = shrink(state, &|candidate| differs_in(a, b, candidate));
    Equivalence::Differ {
        first: Box::new(execute(a, &state)),
        second: Box::new(execute(b, &state)),
        state: Box::new(state),
    }
}

/// Whether the interpreter shows a difference.
fn differs_in(a: &Program, b: &Program, state: &SchedState) -> bool {
    let (a, b) = (execute(a, state), execute(b, state));
    let decisions = |execution: &Execution| -> Vec<(Option<usize>, usize)> {
        let decision = |action: &Action| match *action {
            Action::Push {
                subflow, packet, ..
            } => (Some(subflow), packet),
            Action::Drop { packet, .. } => (None, packet),
        };
        execution.actions.iter().map(decision).collect()
    };
    decisions(&a) != decisions(&b) || a.after != b.after
}

enum Search {
    Differ(SchedState),
    Equal,
    Open(String),
}

fn search(
    room: &Room,
    a: &Program,
    b: &Program,
    size: (usize, usize),
    options: &Options,
) -> Search {
    let mut side = Side::new(
        room,
        Bounded::new(size.0, size.1),
        Profile::Search,
        *options,
    );
    let cases = differences(&mut side.domain, a, b)
        .expect("the bounded domain knows the order of its actions");
    let differ = side.domain.terms.or(&cases);
    match side.check(&[differ]) {
        Answer::Unsat => Search::Equal,
        Answer::Unknown(why) => Search::Open(why),
        Answer::Sat => {
            let (domain, solver) = side.solver();
            let (mut state, hints) = state_of(domain, solver);
            side.done();
            if differs_in(a, b, &state) {
                return Search::Differ(state);
            }
            assert!(!hints.is_empty(), "a difference does not replay: {state:?}");
            let seed = candidate_seeds(&state, &hints).find(|&seed| {
                differs_in(
                    a,
                    b,
                    &SchedState {
                        seed,
                        ..state.clone()
                    },
                )
            });
            match seed {
                Some(seed) => {
                    state.seed = seed;
                    Search::Differ(state)
                }
                None => Search::Open("no seed of RANDOM was found".to_owned()),
            }
        }
    }
}

/// Whether they agree for any size: path by path with loops in step, or else on the whole.
fn prove(room: &Room, a: &Program, b: &Program, options: &Options) -> bool {
    prove_in_step(room, a, b, options)
        || [Arithmetic::Abstract, Arithmetic::Exact]
            .into_iter()
            .any(|arithmetic| {
                let mut side = side(room, a, b, arithmetic, options);
                let Some(cases) = differences(&mut side.domain, a, b) else {
                    return false;
                };
                let differ = side.domain.terms.or(&cases);
                side.check(&[differ]) == Answer::Unsat
            })
}

/// Whether they agree for any size, path by path with loops in step.
pub(crate) fn prove_in_step(room: &Room, a: &Program, b: &Program, options: &Options) -> bool {
    in_step(room, a, b, options, false).is_some()
}

/// … and, if they are wanted, the queries of the proof, as scripts.
pub(crate) fn in_step(
    room: &Room,
    a: &Program,
    b: &Program,
    options: &Options,
    wanted: bool,
) -> Option<Vec<String>> {
    [Arithmetic::Abstract, Arithmetic::Exact]
        .into_iter()
        .find_map(|arithmetic| {
            let mut side = side(room, a, b, arithmetic, options);
            side.scripts = wanted.then(Vec::new);
            let agree = agree_on_all_paths(&mut side, a, b, options);
            agree.then(|| side.scripts.unwrap_or_default())
        })
}

fn side(
    room: &Room,
    a: &Program,
    b: &Program,
    arithmetic: Arithmetic,
    options: &Options,
) -> Side<Unbounded> {
    let mut domain = Unbounded::new(room, a, arithmetic);
    domain.most_counted = domain
        .most_counted
        .max(Unbounded::new(room, b, arithmetic).most_counted);
    Side::new(room, domain, Profile::Proof, *options)
}

/// A small state in which they differ, which the interpreter shows.
pub(crate) fn small_difference(
    room: &Room,
    a: &Program,
    b: &Program,
    options: &Options,
) -> Option<SchedState> {
    SMALL
        .into_iter()
        .find_map(|size| match search(room, a, b, size, options) {
            Search::Differ(state) => Some(shrink(state, &|candidate| differs_in(a, b, candidate))),
            Search::Equal | Search::Open(_) => None,
        })
}

/// Sizes that are searched before the proof.
const SMALL: [(usize, usize); 2] = [(1, 1), (2, 2)];

/// An action of a run: when, on which subflow (`None` for DROP), which packet.
struct Decision<D: Domain> {
    guard: D::Bool,
    subflow: Option<D::Elem>,
    packet: D::Elem,
}

/// Domains that can say that two runs decide differently.
pub(crate) trait Compare: Encoding {
    fn redo(&mut self);
    fn actions_differ(&mut self, a: &Run<Self>, b: &Run<Self>) -> Option<Vec<Term>>;
    fn lists_differ(&mut self, a: &Self::List, b: &Self::List) -> Term;
}

/// How both programs may differ, case by case; `None` if the domain cannot say.
pub(crate) fn differences<D: Compare>(d: &mut D, a: &Program, b: &Program) -> Option<Vec<Term>> {
    let start = d.start();
    let first = d.run(a, start.clone());
    // The same seed: RANDOM of one site is the same in both.
    d.redo();
    let second = d.run(b, start);
    compare(d, &first, &second)
}

/// How two runs may differ, case by case; `None` if the domain cannot say.
pub(crate) fn compare<D: Compare>(d: &mut D, first: &Run<D>, second: &Run<D>) -> Option<Vec<Term>> {
    let mut cases = vec![d.users_differ(&first.after.users, &second.after.users)];
    for (x, y) in first.after.registers.iter().zip(&second.after.registers) {
        let same = d.equal(x, y);
        cases.push(d.not(&same));
    }
    for name in QueueName::ALL {
        let (x, y) = (first.after.queue(name), second.after.queue(name));
        cases.push(d.lists_differ(x, y));
    }
    cases.extend(d.actions_differ(first, second)?);
    Some(cases)
}

fn decisions<D: Domain>(run: &Run<D>) -> Vec<Decision<D>> {
    run.log
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Push {
                subflow, packet, ..
            } => Some(Decision {
                guard: event.guard.clone(),
                subflow: Some(subflow.clone()),
                packet: packet.clone(),
            }),
            EventKind::Drop { packet, .. } => Some(Decision {
                guard: event.guard.clone(),
                subflow: None,
                packet: packet.clone(),
            }),
            _ => None,
        })
        .collect()
}

/// Two actions are not the same.
fn unlike<D: Judge>(d: &mut D, a: &Decision<D>, b: &Decision<D>) -> D::Bool {
    let packets = d.same(&a.packet, &b.packet);
    let subflows = match (&a.subflow, &b.subflow) {
        (Some(x), Some(y)) => d.same(x, y),
        (None, None) => d.bool(true),
        _ => d.bool(false),
    };
    let same = d.and(&packets, &subflows);
    d.not(&same)
}

/// The sequences of actions differ, by the number of actions that happen before each.
fn sequences_differ<D: Encoding>(d: &mut D, a: &[Decision<D>], b: &[Decision<D>]) -> Vec<Term> {
    let (zero, one) = (d.int(0), d.int(1));
    let places = |d: &mut D, list: &[Decision<D>]| -> (Vec<Term>, Term) {
        let mut place = zero;
        let mut places = Vec::new();
        for decision in list {
            places.push(place);
            let more = d.select(&decision.guard, &one, &zero);
            place = d.arith(progmp_ir::ArithOp::Add, &place, &more);
        }
        (places, place)
    };
    let (places_a, total_a) = places(d, a);
    let (places_b, total_b) = places(d, b);
    let same = d.equal(&total_a, &total_b);
    let mut cases = vec![d.not(&same)];
    for (x, place_x) in a.iter().zip(&places_a) {
        for (y, place_y) in b.iter().zip(&places_b) {
            let together = d.equal(place_x, place_y);
            if d.known(&together) == Some(false) {
                continue;
            }
            let unlike = unlike(d, x, y);
            cases.push(d.terms().and(&[x.guard, y.guard, together, unlike]));
        }
    }
    cases
}

impl Compare for Bounded {
    fn redo(&mut self) {
        self.run -= 1;
    }
    fn actions_differ(&mut self, a: &Run<Self>, b: &Run<Self>) -> Option<Vec<Term>> {
        let (a, b) = (decisions(a), decisions(b));
        Some(sequences_differ(self, &a, &b))
    }
    fn lists_differ(&mut self, a: &Self::List, b: &Self::List) -> Term {
        let mut cases = Vec::new();
        for (&x, &y) in a.iter().zip(b.iter()) {
            cases.push(self.terms.xor(x, y));
        }
        self.terms.or(&cases)
    }
}

/// PUSHes and DROPs.
pub(crate) fn acts(events: &[Event<Unbounded>]) -> Vec<Event<Unbounded>> {
    let wanted =
        |e: &&Event<Unbounded>| matches!(e.kind, EventKind::Push { .. } | EventKind::Drop { .. });
    events.iter().filter(wanted).cloned().collect()
}

/// The same actions of the same loops, one by one; `None` if they do not correspond.
pub(crate) fn one_by_one(
    d: &mut Unbounded,
    events_a: &[Event<Unbounded>],
    events_b: &[Event<Unbounded>],
) -> Option<Vec<Term>> {
    if events_a.len() != events_b.len() {
        return None;
    }
    let mut names: Vec<(Term, Term)> = Vec::new();
    let mut cases = Vec::new();
    for (x, y) in events_a.iter().zip(events_b) {
        if x.scope.len() != y.scope.len() {
            return None;
        }
        for (p, q) in x.scope.iter().zip(y.scope.iter()) {
            let known = names
                .iter()
                .find(|(from, to)| *from == q.elem || *to == p.elem);
            match known {
                Some(&(from, to)) if from == q.elem && to == p.elem => {}
                None if p.kind == q.kind => names.push((q.elem, p.elem)),
                // Actions share a loop in one program and not in the other.
                Some(_) | None => return None,
            }
        }
        let guard = d.terms.substitute(y.guard, &names);
        cases.push(d.terms.xor(x.guard, guard));
        let pairs = match (&x.kind, &y.kind) {
            (
                EventKind::Push {
                    subflow: s,
                    packet: p,
                    ..
                },
                EventKind::Push {
                    subflow: t,
                    packet: q,
                    ..
                },
            ) => vec![(*s, *t), (*p, *q)],
            (EventKind::Drop { packet: p, .. }, EventKind::Drop { packet: q, .. }) => {
                vec![(*p, *q)]
            }
            _ => return None,
        };
        for (p, q) in pairs {
            let q = d.terms.substitute(q, &names);
            let same = d.terms.eq(p, q);
            let unlike = d.terms.not(same);
            cases.push(d.terms.and(&[x.guard, unlike]));
        }
    }
    Some(cases)
}

impl Compare for Unbounded {
    fn redo(&mut self) {
        self.run -= 1;
        // Summaries are found by statement, and the other program has other statements.
        self.loops.clear();
        self.lockstep.turn();
    }

    fn actions_differ(&mut self, a: &Run<Self>, b: &Run<Self>) -> Option<Vec<Term>> {
        let (events_a, events_b) = (acts(&a.log), acts(&b.log));
        let flat = |events: &[Event<Self>]| events.iter().all(|e| e.scope.is_empty());
        if flat(&events_a) && flat(&events_b) {
            let (a, b) = (decisions(a), decisions(b));
            return Some(sequences_differ(self, &a, &b));
        }
        one_by_one(self, &events_a, &events_b)
    }

    fn lists_differ(&mut self, a: &Self::List, b: &Self::List) -> Term {
        self.terms.xor(a.formula, b.formula)
    }
}

#[cfg(test)]
mod tests {
    use progmp_ir::Concrete;

    use super::*;

    #[test]
    fn the_concrete_domain_has_no_order_of_its_own() {
        let mut d = Concrete::new(SchedState::default());
        let a = Decision::<Concrete> {
            guard: true,
            subflow: Some(0),
            packet: 1,
        };
        let b = Decision::<Concrete> {
            guard: true,
            subflow: None,
            packet: 1,
        };
        assert!(unlike(&mut d, &a, &b));
        assert!(!unlike(&mut d, &a, &a));
    }
}
