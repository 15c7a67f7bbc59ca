//! One more execution of the source, in the state that the host has after the packets before.
//!
//! What is left of Q there, and how many packets left it, is all that the loop says; the rest is as it
//! was at the start. The execution has paths of its own, which begin with the answers of the path so far.

use std::rc::Rc;

use progmp_ir::{Kind, Program, QueueName, State};

use super::{Proof, SAME, Why, distinct, only};
use crate::engine::Encoding;
use crate::equivalence::Compare;
use crate::path::{Path, never};
use crate::smt::{Node, Term};
use crate::symbolic::upper;
use crate::unbounded::{Moved, Set, Unbounded};

impl Proof {
    /// Whether the source pushes the packet whose turn it is, too, after those before it.
    pub(super) fn step(
        &mut self,
        before: &Program,
        start: &State<Unbounded>,
        subflow: Term,
        rest: Term,
        mut known: Vec<Term>,
    ) -> Result<(), Why> {
        known.extend(self.number_sent(start));
        let seen_in_q = self.seen_in_q(start, rest);
        let c = self.packet;

        // So the next packet is the first.
        let d = &mut self.side.domain;
        let top = d.witness_end(&set(self.shown), false);
        let other = distinct(d, top.value, c);
        let facts = [&known[..], &seen_in_q].concat();
        self.impossible(&facts, vec![top.null, other], SAME)?;
        let d = &mut self.side.domain;
        known.push(d.terms.not(top.null));
        let path = d.path.as_mut().expect("a path is followed");
        if d.terms.condition(top.null) == Some(top.null) {
            path.show(top.null, false);
        }
        // What was shown up to here holds on all paths of the execution.
        let kept = path.so_far().len();
        known.push(d.terms.eq(top.value, c));

        let [all, unacked, lost] = QueueName::ALL.map(|name| start.queue(name).formula);
        let left = d.terms.not(rest);
        let moved = d.terms.and(&[all, left]);
        let unacked = d.terms.or(&[unacked, moved]);
        // Of QU and RQ the host shows a beginning, which ends earlier, perhaps, as QU grows.
        let mut begins = Vec::new();
        let [unacked, lost] = [(unacked, self.seen[0]), (lost, self.seen[1])].map(|(all, seen)| {
            begins.push(self.is_beginning(seen, all));
            self.side.domain.terms.and(&[all, seen])
        });
        let shown = [&known[..], &begins].concat();
        let seen = [&shown[..], &seen_in_q].concat();
        let mut then = start.clone();
        then.queues = [self.shown, unacked, lost].map(set);
        loop {
            self.side.domain.moved = Some(Moved {
                subflow,
                count: self.count,
                sent: moved,
            });
            let cases = self.again(before, &then, subflow);
            self.side.domain.moved = None;
            // Mostly it is enough to know which packet is the first.
            let any = self.side.domain.terms.or(&cases);
            if !never(&mut self.side, &shown, any, &self.options) {
                for case in cases {
                    if self.impossible(&known, vec![case], SAME).is_err() {
                        self.impossible(&seen, vec![case], SAME)?;
                    }
                }
            }
            let path = self.side.domain.path.as_mut();
            if !path.expect("a path is followed").turn_after(kept) {
                return Ok(());
            }
            self.count_path()?;
        }
    }

    /// As many packets of Q were sent as stand before this one.
    fn number_sent(&mut self, start: &State<Unbounded>) -> Vec<Term> {
        let (c, number) = (self.packet, self.count);
        let d = &mut self.side.domain;
        let limit = d.terms.word(1 << 32);
        let mut known = vec![d.terms.ult(number, limit)];
        for (index, null, elem) in d.gets_of(start.queue(QueueName::Send).formula) {
            let beyond = d.before(Kind::Packet, elem, c);
            let within = d.terms.not(beyond);
            let reached = d.terms.or(&[null, within]);
            let more = d.terms.ult(index, number);
            let at_most = d.terms.not(more);
            known.push(d.terms.implies(reached, at_most));
            known.extend(room(d, index, number));
        }
        known
    }

    /// Of what is left of Q the first packet is shown, and more from the beginning on; packets that nobody saw
    /// yet may follow.
    fn seen_in_q(&mut self, start: &State<Unbounded>, rest: Term) -> Vec<Term> {
        let (shown, q, c) = (self.shown, self.other, self.packet);
        let begins = self.is_beginning(shown, rest);
        let d = &mut self.side.domain;
        let p = d.canonical_packet;
        let first = d.terms.substitute(shown, &[(p, c)]);
        let (older, in_front) = (
            d.at(start.queue(QueueName::Send), q),
            d.before(Kind::Packet, q, p),
        );
        let behind = d.terms.implies(older, in_front);
        let behind = d.terms.forall(&[q], behind);
        let seen = QueueName::ALL.map(|name| start.queue(name).formula);
        let seen = d.terms.or(&seen);
        let unseen = d.terms.not(seen);
        let fresh = d.terms.and(&[unseen, behind]);
        let known_or_new = d.terms.or(&[rest, fresh]);
        let only_these = d.terms.implies(shown, known_or_new);
        vec![first, begins, d.terms.forall(&[p], only_these)]
    }

    /// That a packet of a set which is before one that is shown is shown, too.
    fn is_beginning(&mut self, shown: Term, all: Term) -> Term {
        let q = self.other;
        let d = &mut self.side.domain;
        let p = d.canonical_packet;
        let [older, older_shown] = [all, shown].map(|of| d.terms.substitute(of, &[(p, q)]));
        let in_front = d.before(Kind::Packet, q, p);
        let given = d.terms.and(&[all, shown, older, in_front]);
        let claim = d.terms.implies(given, older_shown);
        d.terms.forall(&[p, q], claim)
    }

    /// How the execution on the path that comes next could do something else.
    fn again(&mut self, before: &Program, then: &State<Unbounded>, subflow: Term) -> Vec<Term> {
        let c = self.packet;
        let d = &mut self.side.domain;
        d.redo();
        let run = d.run(before, then.clone());
        // Loops, or too many questions: then no state may come this way.
        let strays = d.path.as_mut().is_some_and(Path::find_again);
        match only(&run.log).filter(|_| !strays) {
            Some(only) => vec![
                d.terms.not(only.guard),
                distinct(d, only.subflow, subflow),
                distinct(d, only.packet, c),
            ],
            None => vec![d.terms.bool(true)],
        }
    }
}

/// What `number <= c - d - 1` says of `number + d`, where nothing wraps: proved here, as no solver
/// likes to. If `d < c`, then `c - d - 1 >= 0`, and `number <= c - d - 1` just if `number + d < c`.
fn room(d: &mut Unbounded, index: Term, number: Term) -> Option<Term> {
    let Node::Add(a, b) = d.terms.node(index) else {
        return None;
    };
    let difference = match (d.terms.node(a), d.terms.node(b)) {
        (Node::Word(u64::MAX), _) => b,
        (_, Node::Word(u64::MAX)) => a,
        _ => return None,
    };
    let Node::Sub(most, used) = d.terms.node(difference) else {
        return None;
    };
    // The number is below 2^32.
    if upper(&d.terms, &d.widths, used) >= 1 << 60 {
        return None;
    }
    let some = d.terms.ult(used, most);
    let more = d.terms.ult(index, number);
    let at_most = d.terms.not(more);
    let sum = d.terms.add(number, used);
    let fits = d.terms.ult(sum, most);
    let holds = d.terms.and(&[some, at_most]);
    Some(d.terms.implies(holds, fits))
}

fn set(formula: Term) -> Rc<Set> {
    Rc::new(Set {
        kind: Kind::Packet,
        formula,
        parent: None,
    })
}
