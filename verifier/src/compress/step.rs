//! One more execution of the source, in the state that the host has after the packets before.
//!
//! What is left of Q there, and how many packets left it, is all that the loop says; the rest is as it
//! was at the start.

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
        let d = &mut self.side.domain;
        let c = self.packet;
        let p = d.canonical_packet;
        let [all, unacked, lost] = QueueName::ALL.map(|name| start.queue(name).formula);

        // As many packets of Q were sent as stand before this one.
        let number = self.count;
        let limit = d.terms.word(1 << 32);
        known.push(d.terms.ult(number, limit));
        for (index, null, elem) in d.gets_of(all) {
            let beyond = d.before(Kind::Packet, elem, c);
            let within = d.terms.not(beyond);
            let reached = d.terms.or(&[null, within]);
            let more = d.terms.ult(index, number);
            let at_most = d.terms.not(more);
            known.push(d.terms.implies(reached, at_most));
            known.extend(room(d, index, number));
        }

        let mut seen_in_q = Vec::new();
        // What is left of Q may be followed by packets that nobody saw yet.
        let shown = self.shown;
        let kept = d.terms.implies(rest, shown);
        seen_in_q.push(d.terms.forall(&[p], kept));
        let q = d.fresh_variable(Kind::Packet);
        let (older, in_front) = (
            d.at(start.queue(QueueName::Send), q),
            d.before(Kind::Packet, q, p),
        );
        let behind = d.terms.implies(older, in_front);
        let behind = d.terms.forall(&[q], behind);
        let seen = d.terms.or(&[all, unacked, lost]);
        let unseen = d.terms.not(seen);
        let fresh = d.terms.and(&[unseen, behind]);
        let known_or_new = d.terms.or(&[rest, fresh]);
        let only_these = d.terms.implies(shown, known_or_new);
        seen_in_q.push(d.terms.forall(&[p], only_these));

        // So the next packet is the first.
        let shown_set = set(shown);
        let top = d.witness_end(&shown_set, false);
        let other = distinct(d, top.value, c);
        let all_known: Vec<Term> = known.iter().chain(&seen_in_q).copied().collect();
        let cases = self.under(&all_known, vec![top.null, other]);
        self.impossible(cases, SAME)?;
        let d = &mut self.side.domain;
        known.push(d.terms.not(top.null));
        if d.terms.condition(top.null) == Some(top.null) {
            let path = d.path.as_mut().expect("a path is followed");
            path.show(top.null, false);
        }
        known.push(d.terms.eq(top.value, c));

        let left = d.terms.not(rest);
        let moved = d.terms.and(&[all, left]);
        let unacked = d.terms.or(&[unacked, moved]);
        let mut then = start.clone();
        then.queues = [shown, unacked, lost].map(set);
        d.moved = Some(Moved {
            subflow,
            count: number,
            sent: moved,
        });
        d.redo();
        let run = d.run(before, then);
        d.moved = None;
        // Loops, or too many questions: then no state may come this way.
        let strays = d.path.as_mut().is_some_and(Path::find_again);
        let cases = match only(&run.log).filter(|_| !strays) {
            Some(only) => vec![
                d.terms.not(only.guard),
                distinct(d, only.subflow, subflow),
                distinct(d, only.packet, c),
            ],
            None => vec![d.terms.bool(true)],
        };
        // Mostly it is enough to know which packet is the first.
        let few = self.under(&known, cases.clone());
        known.extend(seen_in_q);
        let all = self.under(&known, cases);
        let any = self.side.domain.terms.or(&few);
        if never(&mut self.side, any, &self.options) {
            return Ok(());
        }
        for (few, all) in few.into_iter().zip(all) {
            if self.impossible(vec![few], SAME).is_err() {
                self.impossible(vec![all], SAME)?;
            }
        }
        Ok(())
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
