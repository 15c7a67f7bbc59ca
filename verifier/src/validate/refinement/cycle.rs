//! Loops of the bytes: over the bits of a word, from the lowest.
//!
//! One round from an arbitrary state says what a loop does, if what the state has to do with the
//! source is known. It is guessed, and then shown by induction: it holds when the loop is entered,
//! and if it holds in front of a round, then behind it. A guess that is not shown is dropped.
//!
//! A register that loses its lowest bit in each round, and else nothing, visits the records of its
//! bits in ascending order. When all records below `looked` were visited, it holds the bits from
//! `looked` on; and a fold of the source that came as far has found what it has found there.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::place;
use super::super::place::frame_cells;
use super::super::step::offset_in_block;
use super::fold::{ALL, AXIS, Form, low};
use super::memory::{Cells, Member};
use super::walk::{State, Stuck, Value, Walk, Way};
use crate::ebpf::Insn;
use crate::ebpf::arith::Words;
use crate::smt::{Node, Sort, Term};

/// Something that a loop may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Register(usize),
    Slot(usize),
    Member(usize),
}

/// The word whose bits a loop visits.
struct Visits {
    /// How many records were looked at.
    looked: Term,
    /// How many when the loop was entered.
    begun: u64,
    /// The record that a round visits, and one more.
    record: Term,
    next: Term,
    /// The set that it started from, as far as it is known to have no bit below `begun`.
    set: Term,
}

impl Walk<'_> {
    /// Walks a loop whose only entry is its head; returns what leads out of it.
    pub(super) fn cycle(
        &mut self,
        inside: &BTreeSet<usize>,
        head: usize,
        (guard, before): Way,
    ) -> Result<Vec<(usize, Way)>, Stuck> {
        let mut spots = self.changed(inside)?;
        // What a round does is shown of any state, however the loop was reached.
        let always = self.source.prover.symbols.terms.bool(true);
        // What each round starts with.
        let (mut start, mut back) = loop {
            let mut start = before.clone();
            for &spot in &spots {
                self.forget(&mut start, spot);
            }
            let left = self.region(inside, Some(head), head, (always, start.clone()))?;
            let ways: Vec<Way> = left
                .into_iter()
                .filter_map(|(to, way)| (to == head).then_some(way))
                .collect();
            if ways.is_empty() {
                return Err(format!("slot {head} is in a loop that goes around once"));
            }
            let back = self.merged_at(head, ways);
            let kept: BTreeSet<Spot> = spots
                .iter()
                .copied()
                .filter(|&spot| !same(&start, &back.1, spot))
                .collect();
            if kept.len() == spots.len() {
                break (start, back);
            }
            spots = kept;
        };
        let numbers: Vec<(Spot, Term)> = spots
            .iter()
            .filter_map(|&spot| Some((spot, number(&start, spot)?)))
            .collect();
        let rests = numbers.iter().copied().filter(|&(spot, term)| {
            number(&back.1, spot)
                .is_some_and(|after| self.source.prover.symbols.is_rest(after, term))
        });
        let Some((rest, symbol)) = rests.clone().next() else {
            return Err(format!("slot {head}: what the loop visits is not seen"));
        };
        let visits = self.visits(&before, rest, symbol)?;
        let others: Vec<(Spot, Term)> = numbers.into_iter().filter(|&(s, _)| s != rest).collect();
        // With what is known of the word now, once more.
        let mut renamed = false;
        if let Some(masked) = self.masked(&before, rest, symbol) {
            set(&mut start, rest, masked);
            renamed = true;
        }
        let visits = if renamed {
            let symbol = number(&start, rest).expect("it was just set");
            self.visits(&before, rest, symbol)?
        } else {
            visits
        };
        back = self.round(inside, head, (always, start.clone()))?.0;
        let entered = match self.source.prover.symbols.terms.node(guard) {
            Node::And(operands) => operands.to_vec(),
            _ => vec![guard],
        };
        let found = self.folds(&before, &entered, &others, &visits, &back);
        for &(spot, term, ..) in &found {
            set(&mut start, spot, term);
        }
        if !found.is_empty() {
            back = self.round(inside, head, (always, start.clone()))?.0;
        }
        let open: Vec<(Spot, Term)> = others
            .into_iter()
            .filter(|(spot, _)| found.iter().all(|(other, ..)| other != spot))
            .collect();
        self.words(guard, &before, &open, &visits, &back);
        let symbol = number(&start, rest).expect("it held one before");
        let (last, exits) = self.round(inside, head, (always, start))?;
        let after = number(&last.1, rest);
        if !after.is_some_and(|after| self.source.prover.symbols.is_rest(after, symbol)) {
            return Err(format!("slot {head}: what the loop visits is not seen"));
        }
        Ok(self.leave(guard, exits, &visits, &found))
    }

    /// One round: what leads back, and what leads out.
    fn round(
        &mut self,
        inside: &BTreeSet<usize>,
        head: usize,
        first: Way,
    ) -> Result<(Way, Vec<(usize, Way)>), Stuck> {
        let left = self.region(inside, Some(head), head, first)?;
        let (back, exits): (Vec<_>, Vec<_>) = left.into_iter().partition(|&(to, _)| to == head);
        let back: Vec<Way> = back.into_iter().map(|(_, way)| way).collect();
        if back.is_empty() {
            return Err(format!("slot {head} is in a loop that goes around once"));
        }
        Ok((self.merged_at(head, back), exits))
    }

    /// Everything that some instruction of the loop writes.
    fn changed(&mut self, inside: &BTreeSet<usize>) -> Result<BTreeSet<Spot>, Stuck> {
        let mut spots = BTreeSet::new();
        for &slot in inside {
            let insn = self
                .code
                .at(slot)
                .expect("a reached slot has an instruction");
            match insn {
                Insn::Binary { dst, .. }
                | Insn::Negate { dst, .. }
                | Insn::SignExtend { dst, .. }
                | Insn::Reorder { dst, .. }
                | Insn::Load64 { dst, .. }
                | Insn::Load { dst, .. } => {
                    spots.insert(Spot::Register(usize::from(dst)));
                }
                Insn::Store {
                    bytes,
                    base,
                    offset,
                    ..
                } => match self.facts.at(slot).map(|state| state.read(base)) {
                    Some(place::Value::Block(range)) => {
                        let range = offset_in_block(range, offset);
                        let members = &self.source.prover.layout.members;
                        let touched = |member: &Member| {
                            let end = member.at + member.stride * (member.count - 1) + member.bytes;
                            range.low < end as u64
                                && member.at as u64 <= range.high.saturating_add(bytes as u64 - 1)
                        };
                        let touched = members.iter().enumerate().filter(|(_, m)| touched(m));
                        spots.extend(touched.map(|(number, _)| Spot::Member(number)));
                    }
                    Some(place::Value::Frame(at)) => {
                        let cells = frame_cells(at.wrapping_add(i64::from(offset)), bytes);
                        let cells = cells.unwrap_or_default();
                        spots.extend(cells.into_iter().map(|(number, _)| Spot::Slot(number)));
                    }
                    _ => return Err(format!("slot {slot} stores through no address")),
                },
                Insn::Call { .. } | Insn::Atomic { .. } | Insn::Exit => {
                    return Err(format!("slot {slot} is in a loop"));
                }
                Insn::Jump { .. } | Insn::Branch { .. } | Insn::MayGoto { .. } => {}
            }
        }
        Ok(spots)
    }

    /// Puts a symbol into a spot that may hold anything.
    fn forget(&mut self, state: &mut State, spot: Spot) {
        let terms = &mut self.source.prover.symbols.terms;
        match spot {
            Spot::Member(member) => {
                let func = terms.declare("kept", &[Sort::Word], Sort::Word);
                let axis = self.source.prover.layout.members[member].axis;
                self.source.prover.axes.insert(func, axis);
                self.carried.insert(func);
                state.members[member] = Rc::new(Cells::Start(func));
            }
            Spot::Register(_) | Spot::Slot(_) => {
                let held = match spot {
                    Spot::Register(register) => &mut state.registers[register],
                    Spot::Slot(slot) => &mut state.slots[slot],
                    Spot::Member(_) => unreachable!("members were just looked at"),
                };
                *held = match held {
                    Value::Number(_) => {
                        let func = terms.declare("carried", &[], Sort::Word);
                        self.carried.insert(func);
                        Value::Number(terms.apply(func, &[]))
                    }
                    _ => Value::Unset,
                };
            }
        }
    }

    /// The symbol of a word that has only the bits of what the loop started with.
    fn masked(&mut self, before: &State, rest: Spot, symbol: Term) -> Option<Term> {
        let begun = number(before, rest)?;
        let symbols = &mut self.source.prover.symbols;
        let bits = symbols.terms.bits(begun);
        let mask = symbols.word(bits);
        let masked = symbols.terms.bit_and(mask, symbol);
        (masked != symbol).then_some(masked)
    }

    /// What is known of a word that loses its lowest bit in each round.
    fn visits(&mut self, before: &State, rest: Spot, symbol: Term) -> Result<Visits, Stuck> {
        let begun = number(before, rest).ok_or("the word is no number when its loop is entered")?;
        let symbols = &mut self.source.prover.symbols;
        let bits = symbols.terms.bits(begun);
        let first = u64::from(bits.trailing_zeros());
        let limit = if bits >> 32 == 0 { 32 } else { 64 };
        let func = symbols.terms.declare("looked", &[], Sort::Word);
        let looked = symbols.terms.apply(func, &[]);
        let (from, to) = (symbols.word(first.min(limit)), symbols.word(limit));
        let all = symbols.word(u64::MAX);
        let below = low(symbols, looked);
        let above = symbols.terms.bit_xor(all, below);
        let left = symbols.terms.bit_and(begun, above);
        let left = symbols.equal(&symbol, &left);
        let not_before = symbols.terms.ule(from, looked);
        let not_behind = symbols.terms.ule(looked, to);
        let known = symbols.terms.and(&[left, not_before, not_behind]);
        let record = symbols.lowest(symbol);
        let one = symbols.word(1);
        let next = symbols.terms.add(record, one);
        let set = match symbols.terms.node(begun) {
            Node::BitAnd(mask, set) if symbols.literal(mask).is_some() => set,
            _ => begun,
        };
        self.carried.insert(func);
        self.source.prover.fact(&[func], known);
        Ok(Visits {
            looked,
            begun: first.min(limit),
            record,
            next,
            set,
        })
    }

    /// Which spots keep what which fold has found so far.
    fn folds(
        &mut self,
        before: &State,
        entered: &[Term],
        spots: &[(Spot, Term)],
        visits: &Visits,
        back: &Way,
    ) -> Vec<(Spot, Term, usize, Form)> {
        let mut found: Vec<(Spot, Term, usize, Form)> = Vec::new();
        let begun = self.source.prover.symbols.word(visits.begun);
        for number_of in 0..self.source.folds.folds.len() {
            let fold = self.source.folds.folds[number_of].clone();
            let mut guesses: Vec<(Spot, Term, Form)> = Vec::new();
            for &(spot, symbol) in spots {
                if found.iter().any(|&(other, ..)| other == spot) {
                    continue;
                }
                let held = number(before, spot);
                for form in fold.forms() {
                    let first = fold.kept(&mut self.source.prover.symbols, form, begun);
                    let taken = guesses.iter().any(|&(s, _, f)| s == spot && f == form);
                    if held == Some(first) && !taken {
                        guesses.push((spot, symbol, form));
                    }
                }
            }
            // What one spot keeps may rest on what another one keeps.
            while !guesses.is_empty() {
                let symbols = &mut self.source.prover.symbols;
                let looked = visits.looked;
                let replaced: Vec<(Term, Term)> = guesses
                    .iter()
                    .map(|&(_, symbol, form)| (symbol, fold.kept(symbols, form, looked)))
                    .collect();
                let guard = symbols.terms.substitute(back.0, &replaced);
                let mut known = fold.step(symbols, visits.record);
                known.extend(fold.skip(symbols, looked, visits.record));
                known.extend(fold.inside(symbols, looked));
                known.extend(fold.inside(symbols, visits.record));
                known.push(guard);
                let failed = guesses.iter().position(|&(spot, _, form)| {
                    let symbols = &mut self.source.prover.symbols;
                    let Some(after) = number(&back.1, spot) else {
                        return true;
                    };
                    let after = symbols.terms.substitute(after, &replaced);
                    let wanted = fold.kept(symbols, form, visits.next);
                    let claim = symbols.equal(&after, &wanted);
                    !self.here(&known, entered, claim, visits.record)
                });
                match failed {
                    Some(place) => {
                        guesses.remove(place);
                    }
                    None => break,
                }
            }
            for (spot, _, form) in guesses {
                let symbols = &mut self.source.prover.symbols;
                let term = fold.kept(symbols, form, visits.looked);
                self.kept.insert(term, (number_of, form, visits.looked));
                found.push((spot, term, number_of, form));
            }
        }
        found
    }

    /// Which spots collect the bits of which predicate.
    fn words(
        &mut self,
        guard: Term,
        before: &State,
        spots: &[(Spot, Term)],
        visits: &Visits,
        back: &Way,
    ) {
        let words = self.source.folds.words.clone();
        for &(spot, symbol) in spots {
            let (Some(held), Some(after)) = (number(before, spot), number(&back.1, spot)) else {
                continue;
            };
            for &word in &words {
                let mut done = false;
                for wanted in [true, false] {
                    let symbols = &mut self.source.prover.symbols;
                    let all = symbols.word(u64::MAX);
                    let those = if wanted {
                        word
                    } else {
                        symbols.terms.bit_xor(all, word)
                    };
                    let both = symbols.terms.bit_and(visits.set, those);
                    let claim = |symbols: &mut super::words::Symbols, term, end| {
                        let below = low(symbols, end);
                        let wanted = symbols.terms.bit_and(both, below);
                        let mine = symbols.terms.bit_and(term, visits.set);
                        symbols.equal(&mine, &wanted)
                    };
                    let begun = symbols.word(visits.begun);
                    let first = claim(symbols, held, begun);
                    let records: Vec<(Term, super::memory::Axis)> = (0..visits.begun.min(ALL))
                        .map(|record| (symbols.word(record), AXIS))
                        .collect();
                    if !self.source.prover.holds(guard, first, &records) {
                        continue;
                    }
                    let symbols = &mut self.source.prover.symbols;
                    let assumed = claim(symbols, symbol, visits.looked);
                    let shown = claim(symbols, after, visits.next);
                    let round = symbols.terms.and(&[back.0, assumed]);
                    if self
                        .source
                        .prover
                        .holds(round, shown, &[(visits.record, AXIS)])
                    {
                        let about: Vec<_> = self
                            .source
                            .prover
                            .symbols
                            .terms
                            .functions_in(symbol)
                            .to_vec();
                        self.source.prover.fact(&about, assumed);
                        if !self.source.lists.contains(&both) {
                            self.source.lists.push(both);
                        }
                        done = true;
                        break;
                    }
                }
                if done {
                    break;
                }
            }
        }
    }

    /// What holds behind the loop.
    fn leave(
        &mut self,
        guard: Term,
        mut exits: Vec<(usize, Way)>,
        visits: &Visits,
        found: &[(Spot, Term, usize, Form)],
    ) -> Vec<(usize, Way)> {
        if let [(_, (out, _))] = &mut exits[..] {
            // The loop ends, and there is one way out of it.
            let terms = &mut self.source.prover.symbols.terms;
            let left = terms.implies(guard, *out);
            let about: Vec<_> = terms.functions_in(visits.looked).to_vec();
            self.source.prover.fact(&about, left);
            *out = guard;
        } else {
            for (_, (out, _)) in &mut exits {
                *out = self.source.prover.symbols.terms.and(&[guard, *out]);
            }
        }
        for (_, (out, state)) in &mut exits {
            for &(_, term, number_of, form) in found {
                let Some(whole) = self.whole(*out, (number_of, form, visits.looked)) else {
                    continue;
                };
                for held in state.registers.iter_mut().chain(&mut state.slots) {
                    if *held == Value::Number(term) {
                        *held = Value::Number(whole);
                    }
                }
            }
        }
        exits
    }

    /// What a fold found in the end, if no member was left where the guard holds.
    fn whole(&mut self, guard: Term, (number, form, end): (usize, Form, Term)) -> Option<Term> {
        let fold = self.source.folds.folds[number].clone();
        let symbols = &mut self.source.prover.symbols;
        let all = symbols.word(ALL);
        let term = fold.kept(symbols, form, all);
        self.kept.insert(term, (number, form, all));
        if end == all {
            return Some(term);
        }
        let held = fold.kept(symbols, form, end);
        let claim = symbols.equal(&held, &term);
        let mut known = fold.skip(symbols, end, all);
        known.push(guard);
        let guard = symbols.terms.and(&known);
        self.source.prover.holds(guard, claim, &[]).then_some(term)
    }

    /// A value where two ways meet: what a fold has found, if it can be seen to be that.
    pub(super) fn joined(
        &mut self,
        (a_guard, a): (Term, Term),
        (b_guard, b): (Term, Term),
    ) -> Term {
        let both = self.source.prover.symbols.terms.ite(a_guard, a, b);
        for (old, new) in [(a, b), (b, a)] {
            for (number, form, end) in self.how_far(old) {
                let fold = self.source.folds.folds[number].clone();
                let symbols = &mut self.source.prover.symbols;
                let at = symbols.word(end);
                let next = symbols.word(end + 1);
                let wanted = fold.kept(symbols, form, next);
                if new != wanted && fold.taken(symbols, form, at) != new {
                    continue;
                }
                let claim = symbols.equal(&both, &wanted);
                let mut known = fold.step(symbols, at);
                known.extend(fold.inside(symbols, at));
                let either = symbols.terms.or(&[a_guard, b_guard]);
                known.push(either);
                let common = self.common.clone();
                if self.here(&known, &common, claim, at) {
                    self.kept.insert(wanted, (number, form, next));
                    return wanted;
                }
            }
        }
        if let (Some(&x), Some(&y)) = (self.kept.get(&a), self.kept.get(&b))
            && (x.0, x.1) == (y.0, y.1)
            && let a_guard = self.with_common(a_guard)
            && let b_guard = self.with_common(b_guard)
            && let Some(p) = self.whole(a_guard, x)
            && let Some(q) = self.whole(b_guard, y)
            && p == q
        {
            return p;
        }
        both
    }

    /// A guard of one of the ways that are brought together, as it is.
    fn with_common(&mut self, guard: Term) -> Term {
        let mut all = self.common.clone();
        all.push(guard);
        self.source.prover.symbols.terms.and(&all)
    }

    /// Whether a claim about a record holds where two ways meet.
    fn here(&mut self, known: &[Term], common: &[Term], claim: Term, record: Term) -> bool {
        let terms = &mut self.source.prover.symbols.terms;
        let mut of: BTreeSet<_> = terms.functions_in(claim).iter().copied().collect();
        for &term in known {
            of.extend(terms.functions_in(term).iter().copied());
        }
        let mut near = known.to_vec();
        for &term in common {
            if terms
                .functions_in(term)
                .iter()
                .all(|func| of.contains(func))
            {
                near.push(term);
            }
        }
        let guard = terms.and(&near);
        if self.source.prover.holds(guard, claim, &[(record, AXIS)]) {
            return true;
        }
        if near.len() == known.len() + common.len() {
            return false;
        }
        let all = [known, common].concat();
        let guard = self.source.prover.symbols.terms.and(&all);
        self.source.prover.holds(guard, claim, &[(record, AXIS)])
    }

    /// Of which folds a term may keep what they found among so many records.
    fn how_far(&mut self, term: Term) -> Vec<(usize, Form, u64)> {
        if let Some(&(number, form, end)) = self.kept.get(&term) {
            let end = self.source.prover.symbols.literal(end);
            return end
                .filter(|&end| end < ALL)
                .map(|end| (number, form, end))
                .into_iter()
                .collect();
        }
        let symbols = &mut self.source.prover.symbols;
        if symbols.literal(term).is_none() {
            return Vec::new();
        }
        let mut ways = Vec::new();
        for (number, fold) in self.source.folds.folds.iter().enumerate() {
            let zero = symbols.word(0);
            for form in fold.forms() {
                if fold.kept(symbols, form, zero) == term && !ways.contains(&(number, form, 0)) {
                    ways.push((number, form, 0));
                }
            }
        }
        ways
    }

    /// A word, or the list of the source that it is.
    pub(super) fn list(&mut self, guard: Term, word: Term) -> Term {
        let carried = |walk: &mut Self| {
            let used = walk.source.prover.symbols.terms.functions_in(word);
            used.iter().any(|func| walk.carried.contains(func))
        };
        if self.source.prover.symbols.terms.bits(word) >> 32 != 0
            || self.source.lists.contains(&word)
            || !carried(self)
        {
            return word;
        }
        if let Some(&known) = self.asked.get(&(guard, word)) {
            return known;
        }
        let lists = self.source.lists.clone();
        let found = lists.into_iter().find(|list| {
            let claim = self.source.prover.symbols.equal(&word, list);
            self.source.prover.holds(guard, claim, &[])
        });
        let known = found.unwrap_or(word);
        self.asked.insert((guard, word), known);
        known
    }
}

/// The number in a register or slot.
fn number(state: &State, spot: Spot) -> Option<Term> {
    let held = match spot {
        Spot::Register(register) => state.registers[register],
        Spot::Slot(slot) => state.slots[slot],
        Spot::Member(_) => return None,
    };
    match held {
        Value::Number(term) => Some(term),
        _ => None,
    }
}

fn set(state: &mut State, spot: Spot, term: Term) {
    match spot {
        Spot::Register(register) => state.registers[register] = Value::Number(term),
        Spot::Slot(slot) => state.slots[slot] = Value::Number(term),
        Spot::Member(_) => unreachable!("a member holds no single number"),
    }
}

/// Whether a spot holds the same in both states.
fn same(a: &State, b: &State, spot: Spot) -> bool {
    match spot {
        Spot::Register(register) => a.registers[register] == b.registers[register],
        Spot::Slot(slot) => a.slots[slot] == b.slots[slot],
        Spot::Member(member) => Rc::ptr_eq(&a.members[member], &b.members[member]),
    }
}
