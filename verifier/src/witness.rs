//! List operations of the unbounded domain: each is a fresh symbol with axioms.
//!
//! A symbol depends on those variables only that occur in the list's formula,
//! and is cached by (operation, formula, key): equal questions have one answer.
//! Each axiom is a definition that every finite, ordered list meets; the tests
//! check that against actual executions (specs/proofs.md, "Witnesses").

use std::rc::Rc;

use progmp_ir::{Extremum, Kind, Nullable};

use crate::smt::{Node, Sort, Term};
use crate::symbolic::upper;
use crate::unbounded::{Set, Unbounded};

/// The operation, the list's kind and formula, and the operation's argument. Formulas of different
/// kinds are the same where nothing is a member.
pub(crate) type WitnessKey = (Operation, Kind, Term, Option<Term>);

/// What a witness stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    Empty,
    First,
    Last,
    Least,
    Greatest,
    Count,
    Get,
    Sum,
}

/// A GET that was made.
pub(crate) struct Got {
    list: Term,
    index: Term,
    null: Term,
    elem: Term,
}

/// A SUM that was made.
pub(crate) struct Summed {
    list: Term,
    key: Term,
    sum: Term,
}

impl Unbounded {
    /// The `GETs` from a list: index, whether there is none, and the element.
    pub(crate) fn gets_of(&self, list: Term) -> Vec<(Term, Term, Term)> {
        let gets = self.gets.iter().filter(|got| got.list == list);
        gets.map(|got| (got.index, got.null, got.elem)).collect()
    }

    fn cached(&self, key: &WitnessKey) -> Option<(Term, Term)> {
        self.witnesses.get(key).copied()
    }

    /// EMPTY, and a member if it is not.
    pub(crate) fn witness_empty(&mut self, list: &Set) -> (Term, Term) {
        let key = (Operation::Empty, list.kind, list.formula, None);
        if let Some(found) = self.cached(&key) {
            return found;
        }
        let canonical = self.canonical(list.kind);
        let outer = self.outer_variables(list.kind, &[list.formula]);
        let member = self.symbol("member", self.terms.sort(canonical), &outer);
        let empty = if self.terms.node(list.formula) == Node::Bool(false) {
            self.terms.bool(true)
        } else {
            let empty = self.symbol("empty", Sort::Bool, &outer);
            let none = self.terms.not(list.formula);
            let none = self.terms.implies(empty, none);
            let mut all = outer.clone();
            all.push(canonical);
            self.axiom(&all, none);
            let inside = self.at(list, member);
            let some = self.terms.or(&[empty, inside]);
            self.axiom(&outer, some);
            if let (Some(moved), Kind::Subflow, false) = (&self.moved, list.kind, outer.is_empty())
            {
                // What was sent on this one is nowhere said to be, so that Z3 would not try it.
                let there = self.at(list, moved.subflow);
                let neither = self.terms.and(&[empty, there]);
                let fact = self.terms.not(neither);
                self.axiom(&outer, fact);
            }
            empty
        };
        self.witnesses.insert(key, (empty, member));
        (empty, member)
    }

    /// TOP or LAST.
    pub(crate) fn witness_end(&mut self, list: &Set, last: bool) -> Nullable<Self, Term> {
        let operation = if last {
            Operation::Last
        } else {
            Operation::First
        };
        let key = (operation, list.kind, list.formula, None);
        let (null, value) = if let Some(found) = self.cached(&key) {
            found
        } else {
            let (empty, _) = self.witness_empty(list);
            let canonical = self.canonical(list.kind);
            let outer = self.outer_variables(list.kind, &[list.formula]);
            let name = if last { "last" } else { "first" };
            let elem = self.symbol(name, self.terms.sort(canonical), &outer);
            let inside = self.at(list, elem);
            let some = self.terms.or(&[empty, inside]);
            self.axiom(&outer, some);
            let beyond = if last {
                self.before(list.kind, elem, canonical)
            } else {
                self.before(list.kind, canonical, elem)
            };
            let extreme = self.terms.not(beyond);
            let extreme = self.terms.implies(list.formula, extreme);
            let extreme = self.terms.or(&[empty, extreme]);
            let mut all = outer;
            all.push(canonical);
            self.axiom(&all, extreme);
            self.witnesses.insert(key, (empty, elem));
            (empty, elem)
        };
        Nullable { null, value }
    }

    /// MIN or MAX over members that all have a key; the first of equal keys.
    pub(crate) fn witness_extremum(
        &mut self,
        which: Extremum,
        list: &Rc<Set>,
        key_term: Term,
    ) -> Nullable<Self, Term> {
        let operation = match which {
            Extremum::Min => Operation::Least,
            Extremum::Max => Operation::Greatest,
        };
        let key = (operation, list.kind, list.formula, Some(key_term));
        let (null, value) = if let Some(found) = self.cached(&key) {
            found
        } else {
            let (empty, _) = self.witness_empty(list);
            let canonical = self.canonical(list.kind);
            let outer = self.outer_variables(list.kind, &[list.formula, key_term]);
            let name = match which {
                Extremum::Min => "least",
                Extremum::Max => "greatest",
            };
            let elem = self.symbol(name, self.terms.sort(canonical), &outer);
            let inside = self.at(list, elem);
            let some = self.terms.or(&[empty, inside]);
            self.axiom(&outer, some);
            let best = self.terms.substitute(key_term, &[(canonical, elem)]);
            let better = match which {
                Extremum::Min => self.terms.ult(key_term, best),
                Extremum::Max => self.terms.ult(best, key_term),
            };
            let ties = self.terms.eq(key_term, best);
            let earlier = self.before(list.kind, canonical, elem);
            let tie_before = self.terms.and(&[ties, earlier]);
            let beaten = self.terms.or(&[better, tie_before]);
            let unbeaten = self.terms.not(beaten);
            let unbeaten = self.terms.implies(list.formula, unbeaten);
            let unbeaten = self.terms.or(&[empty, unbeaten]);
            let mut all = outer;
            all.push(canonical);
            self.axiom(&all, unbeaten);
            self.witnesses.insert(key, (empty, elem));
            (empty, elem)
        };
        Nullable { null, value }
    }

    /// COUNT: below 2^32, related to emptiness, to the list filtered from, and to small literals.
    pub(crate) fn witness_count(&mut self, list: &Rc<Set>) -> Term {
        let key = (Operation::Count, list.kind, list.formula, None);
        if let Some((count, _)) = self.cached(&key) {
            return count;
        }
        let (empty, _) = self.witness_empty(list);
        let canonical = self.canonical(list.kind);
        let element = self.terms.sort(canonical);
        let outer = self.outer_variables(list.kind, &[list.formula]);
        let mut all = outer.clone();
        all.push(canonical);
        let count = self.symbol("count", Sort::Word, &outer);
        self.witnesses.insert(key, (count, count));
        let (zero, one) = (self.terms.word(0), self.terms.word(1));

        let none = self.terms.eq(count, zero);
        let agrees = self.terms.iff(none, empty);
        self.axiom_of(count, &outer, agrees);

        let other = self.terms.variable("other", element);
        let other_inside = self.at(list, other);
        let single = self.terms.eq(count, one);
        let two = self.terms.and(&[single, list.formula, other_inside]);
        let same = self.terms.eq(canonical, other);
        let unique = self.terms.implies(two, same);
        let mut both = all.clone();
        both.push(other);
        self.axiom_of(count, &both, unique);

        let bits = self.arithmetic.list_bits();
        let limit = self.terms.word(1 << bits);
        let small = self.terms.ult(count, limit);
        self.axiom_of(count, &outer, small);
        if let Node::Apply(func, _) = self.terms.node(count) {
            self.widths.insert(func, bits);
        }

        if let Some(parent) = &list.parent {
            self.count_of_part(list, parent, count);
        }

        // Only for closed lists: functions from elements to elements set the solver going round.
        let most = if outer.is_empty() {
            self.most_counted
        } else {
            0
        };
        let mut picked = Vec::new();
        for least in 1..=most {
            let elem = self.symbol("counted", element, &outer);
            let mut facts = vec![self.at(list, elem)];
            for &earlier in &picked {
                let same = self.terms.eq(elem, earlier);
                facts.push(self.terms.not(same));
            }
            picked.push(elem);
            let least = self.terms.word(least);
            let fewer = self.terms.ult(count, least);
            let facts = self.terms.and(&facts);
            let fact = self.terms.or(&[fewer, facts]);
            self.axiom_of(count, &outer, fact);
        }
        count
    }

    /// A part has at most as many members as the whole, and as many only if it is the whole.
    fn count_of_part(&mut self, part: &Rc<Set>, whole: &Rc<Set>, count: Term) {
        let whole_count = self.witness_count(whole);
        let canonical = self.canonical(part.kind);
        let outer = self.outer_variables(part.kind, &[part.formula, whole.formula]);
        let more = self.terms.ult(whole_count, count);
        let at_most = self.terms.not(more);
        self.axiom_of(count, &outer, at_most);
        let equal = self.terms.eq(count, whole_count);
        let covered = self.terms.implies(whole.formula, part.formula);
        let covered = self.terms.implies(equal, covered);
        let mut all = outer.clone();
        all.push(canonical);
        self.axiom_of(count, &all, covered);
        if !outer.is_empty() {
            return;
        }
        let left_out = self.symbol("left_out", self.terms.sort(canonical), &outer);
        let inside = self.at(whole, left_out);
        let kept = self.at(part, left_out);
        let outside = self.terms.not(kept);
        let differs = self.terms.and(&[inside, outside]);
        let differs = self.terms.or(&[equal, differs]);
        self.axiom_of(count, &outer, differs);
    }

    /// GET: NULL unless the index is below COUNT; ordered like the indices.
    pub(crate) fn witness_get(&mut self, list: &Rc<Set>, index: Term) -> Nullable<Self, Term> {
        if self.terms.node(index) == Node::Word(0) {
            return self.witness_end(list, false);
        }
        let key = (Operation::Get, list.kind, list.formula, Some(index));
        if let Some((null, value)) = self.cached(&key) {
            return Nullable { null, value };
        }
        let count = self.witness_count(list);
        let inside = self.terms.ult(index, count);
        let null = self.terms.not(inside);
        let canonical = self.canonical(list.kind);
        let outer = self.outer_variables(list.kind, &[list.formula, index]);
        let elem = self.symbol("got", self.terms.sort(canonical), &outer);
        let member = self.at(list, elem);
        let fact = self.terms.or(&[null, member]);
        self.axiom_of(elem, &outer, fact);

        let (zero, one) = (self.terms.word(0), self.terms.word(1));
        let greatest = self.terms.sub(count, one);
        for (place, last) in [(zero, false), (greatest, true)] {
            let end = self.witness_end(list, last);
            let here = self.terms.eq(index, place);
            let elsewhere = self.terms.not(here);
            let same = self.terms.eq(elem, end.value);
            let fact = self.terms.or(&[null, elsewhere, same]);
            self.axiom_of(elem, &outer, fact);
        }
        for i in 0..self.gets.len() {
            let Got {
                list: formula,
                index: other,
                null: other_null,
                elem: other_elem,
            } = self.gets[i];
            if formula != list.formula || self.terms.sort(other_elem) != self.terms.sort(elem) {
                continue;
            }
            let variables = self.outer_variables(list.kind, &[list.formula, index, other]);
            for (low, high, first, second) in [
                (index, other, elem, other_elem),
                (other, index, other_elem, elem),
            ] {
                let below = self.terms.ult(low, high);
                let apart = self.terms.not(below);
                let in_order = self.before(list.kind, first, second);
                let fact = self.terms.or(&[null, other_null, apart, in_order]);
                self.axiom(&variables, fact);
            }
        }
        self.gets.push(Got {
            list: list.formula,
            index,
            null,
            elem,
        });
        self.witnesses.insert(key, (null, elem));
        Nullable { null, value: elem }
    }

    /// SUM: not 0 only if some key is not 0; two sums over one list compare only if some key does.
    /// Whether it wraps is open, unless no list is long enough for such keys.
    pub(crate) fn witness_sum(&mut self, list: &Rc<Set>, key_term: Term) -> (Term, Term) {
        let key = (Operation::Sum, list.kind, list.formula, Some(key_term));
        if let Some(found) = self.cached(&key) {
            return found;
        }
        let canonical = self.canonical(list.kind);
        let outer = self.outer_variables(list.kind, &[list.formula, key_term]);
        let sum = self.symbol("sum", Sort::Word, &outer);
        // Fewer than 2^32 members with keys below 2^32, say.
        let limit = 1 << (64 - self.arithmetic.list_bits());
        let small = |this: &Self, term| upper(&this.terms, &this.widths, term) < limit;
        let wraps = if small(self, key_term) {
            self.terms.bool(false)
        } else {
            self.symbol("sum_wraps", Sort::Bool, &outer)
        };
        self.witnesses.insert(key, (sum, wraps));
        let (zero, one) = (self.terms.word(0), self.terms.word(1));
        if key_term == one {
            let count = self.witness_count(list);
            let same = self.terms.eq(sum, count);
            self.axiom_of(sum, &outer, same);
        }
        let nought = self.terms.eq(sum, zero);
        let contributor = self.symbol("summand", self.terms.sort(canonical), &outer);
        let inside = self.at(list, contributor);
        let its_key = self.terms.substitute(key_term, &[(canonical, contributor)]);
        let its_key_is_zero = self.terms.eq(its_key, zero);
        let counts = self.terms.not(its_key_is_zero);
        let some = self.terms.and(&[inside, counts]);
        let some = self.terms.or(&[nought, some]);
        self.axiom_of(sum, &outer, some);

        // Neither sum wraps.
        if outer.is_empty() && small(self, key_term) {
            for i in 0..self.sums.len() {
                let Summed {
                    list: formula,
                    key: other_key,
                    sum: other_sum,
                } = self.sums[i];
                if formula == list.formula && small(self, other_key) {
                    self.compare_sums(list, (key_term, sum), (other_key, other_sum));
                    self.compare_sums(list, (other_key, other_sum), (key_term, sum));
                }
            }
            self.sums.push(Summed {
                list: list.formula,
                key: key_term,
                sum,
            });
            // No wrap either: a key that is not 0 makes the sum not 0, and no key exceeds it.
            let exceeds = self.terms.ult(sum, key_term);
            let bounded = self.terms.not(exceeds);
            let bounded = self.terms.implies(list.formula, bounded);
            self.axiom_of(sum, &[canonical], bounded);
        }
        (sum, wraps)
    }

    fn compare_sums(&mut self, list: &Rc<Set>, (a, sum_a): (Term, Term), (b, sum_b): (Term, Term)) {
        let canonical = self.canonical(list.kind);
        let elem = self.symbol("greater_key", self.terms.sort(canonical), &[]);
        let inside = self.at(list, elem);
        let key_a = self.terms.substitute(a, &[(canonical, elem)]);
        let key_b = self.terms.substitute(b, &[(canonical, elem)]);
        let key_greater = self.terms.ult(key_b, key_a);
        let greater = self.terms.ult(sum_b, sum_a);
        let some = self.terms.and(&[inside, key_greater]);
        let fact = self.terms.implies(greater, some);
        self.axiom_of(sum_a, &[], fact);
    }

    /// A filter that ranks its element against that of an enclosing lambda by one key
    /// (`t => t.RTT < s.RTT`) gets the list's extreme elements for that key: a finite list has
    /// them, and first-order logic does not know.
    pub(crate) fn rank_witnesses(&mut self, list: &Rc<Set>, x: Term, keeps: Term) {
        let enclosing: Vec<Term> = self.enclosing(list.kind);
        if enclosing.is_empty() {
            return;
        }
        let canonical = self.canonical(list.kind);
        for (a, b) in self.comparisons(keeps) {
            for (own, other) in [(a, b), (b, a)] {
                let ranks = enclosing.iter().any(|&outer| {
                    self.terms.free_variables(own) == [x]
                        && self.terms.substitute(own, &[(x, outer)]) == other
                });
                if ranks {
                    let key = self.terms.substitute(own, &[(x, canonical)]);
                    self.unanchored = true;
                    self.witness_extremum(Extremum::Min, list, key);
                    self.witness_extremum(Extremum::Max, list, key);
                    self.unanchored = false;
                }
            }
        }
    }

    /// The operands of the orderings in the propositional structure of a formula.
    fn comparisons(&self, formula: Term) -> Vec<(Term, Term)> {
        let mut found = Vec::new();
        let mut open = vec![formula];
        while let Some(term) = open.pop() {
            match self.terms.node(term) {
                Node::Not(a) => open.push(a),
                Node::And(list) | Node::Or(list) => open.extend_from_slice(list),
                Node::Ult(a, b) => found.push((a, b)),
                _ => {}
            }
        }
        found
    }
}
