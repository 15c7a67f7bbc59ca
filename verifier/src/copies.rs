//! "More than `most` PUSHes of one packet" for any number of PUSHes.
//!
//! Over the bounded domain copies are counted; here they are named: so many PUSHes
//! of different statements, or of one statement in different iterations.

use progmp_ir::{Event, EventKind};

use crate::judge::Judge;
use crate::smt::Term;
use crate::unbounded::Unbounded;

impl Unbounded {
    /// Some `most + 1` `PUSHes` of the packet: of different statements, or of one statement in
    /// different iterations.
    pub(crate) fn different_copies(
        &mut self,
        pushes: &[Event<Self>],
        packet: Option<Term>,
        subflow: Option<Term>,
        most: u64,
    ) -> Term {
        let outside_of_loops = pushes.iter().all(|event| event.scope.is_empty());
        if outside_of_loops && pushes.len() as u64 <= most {
            return self.terms.bool(false);
        }
        let Some(wanted) = usize::try_from(most)
            .ok()
            .filter(|&most| most < 8)
            .map(|most| most + 1)
        else {
            // Too many to write down: claim nothing, which proves nothing.
            return self.terms.bool(true);
        };
        let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
        for _ in 0..wanted {
            let longer = choices.iter().flat_map(|choice| {
                let least = choice.last().copied().unwrap_or(0);
                (least..pushes.len()).map(move |i| [choice.as_slice(), &[i]].concat())
            });
            choices = longer.collect();
            if choices.len() > 4_096 {
                // Too many to write down: claim nothing, which proves nothing.
                return self.terms.bool(true);
            }
        }
        let mut cases = Vec::new();
        for choice in choices {
            let case = self.chosen_copies(pushes, &choice, packet, subflow);
            cases.push(case);
        }
        self.terms.or(&cases)
    }

    fn chosen_copies(
        &mut self,
        pushes: &[Event<Self>],
        choice: &[usize],
        packet: Option<Term>,
        subflow: Option<Term>,
    ) -> Term {
        let mut facts = Vec::new();
        let mut bound: Vec<Term> = Vec::new();
        let mut instances: Vec<(usize, Vec<(Term, Term)>)> = Vec::new();
        for &i in choice {
            let event = &pushes[i];
            let EventKind::Push {
                subflow: on,
                packet: which,
                ..
            } = &event.kind
            else {
                continue;
            };
            let renaming = self.fresh(&event.scope);
            facts.push(self.terms.substitute(event.guard, &renaming));
            let which = self.terms.substitute(*which, &renaming);
            if let Some(packet) = packet {
                facts.push(self.terms.eq(which, packet));
            }
            if let Some(subflow) = subflow {
                let on = self.terms.substitute(*on, &renaming);
                facts.push(self.terms.eq(on, subflow));
            }
            for (other, names) in instances.iter().filter(|(other, _)| *other == i) {
                debug_assert_eq!(*other, i);
                let mut differences = Vec::new();
                for (&(_, a), &(_, b)) in names.iter().zip(&renaming) {
                    let same = self.terms.eq(a, b);
                    differences.push(self.terms.not(same));
                }
                facts.push(self.terms.or(&differences));
            }
            bound.extend(renaming.iter().map(|&(_, new)| new));
            instances.push((i, renaming));
        }
        let all = self.terms.and(&facts);
        self.terms.exists(&bound, all)
    }
}
