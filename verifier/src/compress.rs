//! Does one execution of this program do what several of that one do?
//!
//! A compressed program pushes, in a loop at its end, packet after packet of Q on the subflow that it
//! chose for the first one. What is proved: in a trigger during which nothing changes but by what the host
//! itself transmits, it transmits the same packets on the same subflows in the same order as the
//! source, and ends in the same state. Of each queue the state shows a beginning: of Q at least the first packet,
//! and more as others leave it, if nobody sent them yet; of QU and RQ what may become less as QU grows.
//!
//! By induction over the packets of the loop. On each path of the compressed program on which it has
//! the loop, where the source has none,
//!
//! 1. before the loop both did the same: one packet of Q was pushed;
//! 2. the loop's list begins where Q begins, and leaves nothing out before its end;
//! 3. an iteration in which all earlier ones pushed either pushes the first packet of Q on the same subflow, or
//!    returns;
//! 4. if it pushes, then so does the source, in the state that the host has then: the packets before are
//!    transmitted on the subflow, so they are in QU, `SENT_ON` holds of them, and QUEUED has grown by their
//!    number.
//!
//! On the other paths both do the same, and one thing at most where they take something from Q: so a host that takes
//! back what it took from Q and cannot send, behind the first action, takes back nothing of theirs. Loops inside of loops, registers and USER values are beyond this.

mod step;

use std::rc::Rc;

use progmp_ir::{Event, EventKind, Kind, Needs, Program, QueueName, State};

use crate::engine::{Encoding, Options, Side};
use crate::equivalence::{Compare, acts, compare};
use crate::judge::Run;
use crate::path::{Path, never};
use crate::refine::each_once;
use crate::smt::{Profile, Room, Sort, Term};
use crate::unbounded::{Arithmetic, Unbounded};

/// The answer to "does one execution of the second do what several of the first do?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It does, in every trigger in which nothing changes but by transmissions, for any number of
    /// subflows and packets.
    Proved,
    /// It is not shown: this condition is not.
    Unknown(&'static str),
}

/// Decides whether `after` may stand in for `before`, trigger by trigger.
///
/// # Panics
/// If equal runs ask unequal questions: our mistake.
pub fn compresses(before: &Program, after: &Program, options: &Options) -> Compression {
    match proof(before, after, options, false) {
        Ok(_) => Compression::Proved,
        Err(why) => Compression::Unknown(why),
    }
}

/// The queries that prove it, each of which has no model, as SMT-LIB 2; `None` if it is not proved.
pub fn compression_queries(
    before: &Program,
    after: &Program,
    options: &Options,
) -> Option<Vec<String>> {
    proof(before, after, options, true).ok().map(each_once)
}

fn proof(
    before: &Program,
    after: &Program,
    options: &Options,
    wanted: bool,
) -> Result<Vec<String>, Why> {
    if Needs::of(before).uses_random() || Needs::of(after).uses_random() {
        return Err("it does not use RANDOM");
    }
    let room = Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES));
    let mut domain = Unbounded::new(&room, after, Arithmetic::Abstract);
    domain.path = Some(Path::default());
    let p = domain.canonical_packet;
    let mut proof = Proof {
        packet: domain.symbol("turn", Sort::Packet, &[]),
        other: domain.fresh_variable(Kind::Packet),
        count: domain.symbol("sent_before", Sort::Word, &[]),
        shown: domain.symbol("shown", Sort::Bool, &[p]),
        seen: ["unacked_shown", "lost_shown"].map(|name| domain.symbol(name, Sort::Bool, &[p])),
        side: Side::new(&room, domain, Profile::Proof, *options),
        options: *options,
        paths: 1,
    };
    proof.side.scripts = wanted.then(Vec::new);
    let run = proof.side.domain.run;
    loop {
        proof.side.domain.run = run;
        proof.path(before, after)?;
        let path = proof.side.domain.path.as_mut();
        if !path.expect("a path is followed").turn() {
            break;
        }
        proof.count_path()?;
    }
    if proof.side.domain.terms.exhausted() {
        return Err(LARGE);
    }
    Ok(proof.side.scripts.unwrap_or_default())
}

struct Proof {
    side: Side<Unbounded>,
    options: Options,
    /// Paths that were begun.
    paths: usize,
    /// The packet whose turn it is in the loop.
    packet: Term,
    /// Some packet, for a binder.
    other: Term,
    /// How many packets were sent before it.
    count: Term,
    /// What the host shows of Q then.
    shown: Term,
    /// And of QU and RQ.
    seen: [Term; 2],
}

/// The only action of an execution that does nothing else: one packet of Q is pushed.
struct Only {
    guard: Term,
    subflow: Term,
    packet: Term,
}

type Why = &'static str;
const LARGE: Why = "the proof is too large";
const FIRST: Why = "the first packet is pushed as the source does";
const STEP: Why = "an iteration pushes the next packet or returns";
const ONE: Why = "what takes packets from Q and is not compressed does one thing";
const SAME: Why = "the source pushes the next packet on the same subflow";

impl Proof {
    fn path(&mut self, before: &Program, after: &Program) -> Result<(), Why> {
        let d = &mut self.side.domain;
        d.loops.clear();
        d.moved = None;
        d.lockstep.begin();
        let start = d.start();
        let compressed = d.run(after, start.clone());
        d.redo();
        let source = d.run(before, start.clone());
        let (made, reached) = d.lockstep.reached();
        match (made, reached) {
            (a, b) if a == b => {
                // A host takes back what it cannot send behind the first action, if it was taken from Q, whatever
                // path it comes from.
                let acts = acts(&compressed.log);
                let one = acts.len() <= 1 && acts.iter().all(|event| event.scope.is_empty());
                let takes = |event: &Event<Unbounded>| {
                    matches!(
                        event.kind,
                        EventKind::Pop {
                            queue: QueueName::Send,
                            ..
                        }
                    )
                };
                if !one && compressed.log.iter().any(takes) {
                    return Err(ONE);
                }
                let mut cases =
                    compare(d, &source, &compressed).ok_or("other paths differ in their loops")?;
                cases.extend(d.lockstep.take());
                self.impossible(&[], cases, "what is not compressed is the same")
            }
            (1, 0) => self.tail(before, &start, &source, &compressed),
            _ => Err("there is one loop at the end"),
        }
    }

    /// One more path is begun.
    fn count_path(&mut self) -> Result<(), Why> {
        self.paths += 1;
        if self.paths > Path::MOST {
            return Err(LARGE);
        }
        Ok(())
    }

    /// None of these cases can be, under what is known.
    fn impossible(&mut self, known: &[Term], cases: Vec<Term>, why: Why) -> Result<(), Why> {
        if self.side.domain.path.as_ref().is_none_or(Path::is_lost) {
            return Err(LARGE);
        }
        // Mostly one question is enough.
        let any = self.side.domain.terms.or(&cases);
        let holds = never(&mut self.side, known, any, &self.options)
            || cases.len() > 1
                && cases
                    .into_iter()
                    .all(|case| never(&mut self.side, known, case, &self.options));
        if holds { Ok(()) } else { Err(why) }
    }

    /// The path with the loop.
    fn tail(
        &mut self,
        before: &Program,
        start: &State<Unbounded>,
        source: &Run<Unbounded>,
        compressed: &Run<Unbounded>,
    ) -> Result<(), Why> {
        let d = &mut self.side.domain;
        let made = d.lockstep.first().expect("there is one");
        let _ = d.lockstep.take();
        let (c, it) = (self.packet, made.it);
        if made.kind != Kind::Packet || !made.outer.is_empty() {
            return Err("the loop goes over packets");
        }

        // 1. One packet was pushed, and the source did the same.
        let flat = |run: &Run<Unbounded>| -> Vec<_> {
            let events = run.log.iter().filter(|event| event.scope.is_empty());
            events.cloned().collect()
        };
        let first = only(&flat(compressed)).ok_or(FIRST)?;
        let other = only(&source.log).ok_or(FIRST)?;
        let order: Vec<bool> = acts(&compressed.log)
            .iter()
            .map(|event| event.scope.is_empty())
            .collect();
        if order != [true, false] {
            return Err(FIRST);
        }
        let mut cases = vec![
            d.terms.not(first.guard),
            d.terms.not(other.guard),
            distinct(d, first.subflow, other.subflow),
            distinct(d, first.packet, other.packet),
        ];
        for name in QueueName::ALL {
            let (a, b) = (source.after.queue(name), made.entered.queue(name));
            cases.push(d.lists_differ(a, b));
        }
        let mut stages = vec![(cases, FIRST)];

        // 2. The list is the beginning of Q.
        let d = &mut self.side.domain;
        let queue = Rc::clone(made.entered.queue(QueueName::Send));
        let (x, y) = (self.packet, self.other);
        let (in_list, in_queue) = (d.at(&made.list, x), d.at(&queue, x));
        let absent = d.terms.not(in_queue);
        let mut cases = vec![d.terms.and(&[in_list, absent])];
        let (earlier, there) = (d.before(Kind::Packet, y, x), d.at(&queue, y));
        let listed = d.at(&made.list, y);
        let left_out = d.terms.not(listed);
        cases.push(d.terms.and(&[in_list, there, earlier, left_out]));
        stages.push((cases, "the loop goes over the beginning of Q"));

        // 3. An iteration pushes the first packet of what is left, or returns.
        let d = &mut self.side.domain;
        let inner = only(&made.events).ok_or(STEP)?;
        let here = |d: &mut Unbounded, term: Term| d.terms.substitute(term, &[(it, c)]);
        let p = d.canonical_packet;
        let rest = d.at(&queue, p);
        let passed = d.before(Kind::Packet, p, c);
        let to_come = d.terms.not(passed);
        let rest = d.terms.and(&[rest, to_come]);
        let begun = here(d, made.begun.queue(QueueName::Send).formula);
        let as_left = d.terms.iff(begun, rest);
        let mut known = vec![d.terms.forall(&[p], as_left), d.at(&made.list, c)];
        let gone = here(d, made.begun.returned);
        known.push(d.terms.not(gone));
        let pushes = here(d, inner.guard);
        let stays = d.terms.not(pushes);
        let ended = here(d, made.ended.returned);
        let goes_on = d.terms.not(ended);
        let (subflow, packet) = (here(d, inner.subflow), here(d, inner.packet));
        let (elsewhere, another) = (distinct(d, subflow, first.subflow), distinct(d, packet, c));
        let cases = vec![
            d.terms.and(&[stays, goes_on]),
            d.terms.and(&[pushes, elsewhere]),
            d.terms.and(&[pushes, another]),
        ];
        let cases = self.under(&known, cases);
        stages.push((cases, STEP));
        // Mostly one question is enough for all three.
        let all = stages
            .iter()
            .flat_map(|(cases, _)| cases.iter().copied())
            .collect();
        if self.impossible(&[], all, STEP).is_err() {
            for (cases, why) in stages {
                self.impossible(&[], cases, why)?;
            }
        }

        // 4. The source does so, too, in the state that the host has then.
        let listed = self.side.domain.at(&made.list, c);
        let known = vec![listed, pushes];
        self.step(before, start, first.subflow, rest, known)
    }

    /// Cases under assumptions.
    fn under(&mut self, known: &[Term], cases: Vec<Term>) -> Vec<Term> {
        let terms = &mut self.side.domain.terms;
        let with = |case| {
            let parts: Vec<Term> = known.iter().copied().chain([case]).collect();
            terms.and(&parts)
        };
        cases.into_iter().map(with).collect()
    }
}

fn distinct(d: &mut Unbounded, a: Term, b: Term) -> Term {
    let same = d.terms.eq(a, b);
    d.terms.not(same)
}

/// The one PUSH of what these events pop from Q; `None` if they do anything else that lasts.
fn only(events: &[Event<Unbounded>]) -> Option<Only> {
    let lasting = events.iter().any(|event| {
        matches!(
            event.kind,
            EventKind::Set { .. } | EventKind::SetUser { .. } | EventKind::Drop { .. }
        )
    });
    let mut pops = events.iter().filter_map(|event| match event.kind {
        EventKind::Pop { queue, packet, .. } => Some((event.guard, queue, packet)),
        _ => None,
    });
    let pop = pops.next();
    let acts = acts(events);
    let ([push], Some((taken, QueueName::Send, popped)), None, false) =
        (&acts[..], pop, pops.next(), lasting)
    else {
        return None;
    };
    let EventKind::Push {
        subflow, packet, ..
    } = push.kind
    else {
        return None;
    };
    // It is popped just if it is pushed.
    (taken == push.guard && popped == packet).then_some(Only {
        guard: push.guard,
        subflow,
        packet,
    })
}

#[cfg(test)]
mod tests;
