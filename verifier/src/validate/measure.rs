//! What runs out in each cycle of the code, and how many steps that allows.
//!
//! A cycle passes a *test* that may lead out of it. From one pass of the test to the next, a
//! counter grows below a limit, a word loses its lowest bit, or its bits move down; or the test is
//! a `may_goto`, whose budget the kernel counts. Without the test the cycle falls apart; what
//! cycles are left are judged in the same way.

use super::graph::{components, is_cyclic};
use super::place::{Place, SLOTS, Value, frame_cells};
use super::safety::Facts;
use super::term::{Term, fresh};
use crate::ebpf::{BinaryOp, Code, Cond, Insn, Source};

/// Rounds of `may_goto` that the kernel lets one run have (`BPF_MAX_LOOPS`, Linux 6.9). From 6.15 on
/// it may look at the clock instead: loops end then, too, but not by this number.
pub(super) const BUDGET: u64 = 8 << 20;

/// A test that is passed no more often is taken without looking for a better one.
const FEW: u64 = 4_096;

/// One value for each register and stack slot.
pub(super) type Tracked<T> = [T; 10 + SLOTS];

/// What bounds a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Instructions at most, whatever the block holds, where the kernel counts rounds of `may_goto`.
    pub steps: u64,
    /// The tests that cycles pass, outer ones first.
    pub cycles: Vec<Cycle>,
}

/// A test that a cycle passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// The slot of the test.
    pub test: usize,
    /// What runs out.
    pub measure: Measure,
    /// How often the test is passed at most, from when the cycle is entered until it is left.
    pub passes: u64,
}

/// What runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The distance of this register from a limit.
    Counter(u8),
    /// The number of bits in this register.
    Members(u8),
    /// The position of its highest bit.
    Length(u8),
    /// The budget of `may_goto`.
    Budget,
}

/// A cycle in which nothing is seen to run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endless {
    /// The first instruction of it.
    pub(super) slot: usize,
}

/// Finds what runs out in each cycle.
pub(super) fn bound(code: &Code, facts: &Facts) -> Result<Bound, Endless> {
    let reached = |slot: &usize| facts.at(*slot).is_some();
    let reached: Vec<usize> = (0..code.len()).filter(reached).collect();
    let mut judge = Judge {
        code,
        facts,
        edges: facts.edges.clone(),
        cycles: Vec::new(),
    };
    let steps = judge.longest(&reached)?;
    let cycles = std::mem::take(&mut judge.cycles);
    // The budget counts the rounds of all loops together. While some is left, a run is stretches
    // without any `may_goto`, ...
    let budgeted = |slot: usize| match code.at(slot) {
        Some(Insn::MayGoto { target }) => Some(target),
        _ => None,
    };
    if reached.iter().all(|&slot| budgeted(slot).is_none()) {
        return Ok(Bound { steps, cycles });
    }
    let uncounted: Vec<usize> = reached
        .iter()
        .copied()
        .filter(|&slot| budgeted(slot).is_none())
        .collect();
    let stretch = judge.longest(&uncounted)?;
    // ... and then each `may_goto` goes to its target.
    for &slot in &reached {
        if let Some(target) = budgeted(slot) {
            judge.edges[slot] = vec![target];
        }
    }
    let spent = judge.longest(&reached)?;
    let by_budget = stretch.saturating_add(1).saturating_mul(BUDGET + 1);
    Ok(Bound {
        steps: steps.min(by_budget.saturating_add(spent)),
        cycles,
    })
}

/// The place with this number.
pub(super) fn place(number: usize) -> Place {
    match u8::try_from(number) {
        Ok(register @ 0..10) => Place::Register(register),
        _ => Place::Slot(number - 10),
    }
}

struct Judge<'a> {
    code: &'a Code,
    facts: &'a Facts,
    edges: Vec<Vec<usize>>,
    cycles: Vec<Cycle>,
}

impl Judge<'_> {
    /// Most instructions on a way through these slots.
    fn longest(&mut self, slots: &[usize]) -> Result<u64, Endless> {
        let mut most = vec![0_u64; self.code.len()];
        let mut best = 0;
        for component in components(slots, &self.edges) {
            let own = if is_cyclic(&component, &self.edges) {
                self.cycle(&component)?
            } else {
                1
            };
            let ahead = component
                .iter()
                .flat_map(|&slot| &self.edges[slot])
                .map(|&to| most[to])
                .max()
                .unwrap_or(0);
            let whole = own.saturating_add(ahead);
            for &slot in &component {
                most[slot] = whole;
            }
            best = best.max(whole);
        }
        Ok(best)
    }

    /// Most instructions within one cyclic component.
    fn cycle(&mut self, component: &[usize]) -> Result<u64, Endless> {
        let mut inside = vec![false; self.code.len()];
        for &slot in component {
            inside[slot] = true;
        }
        let mut sorted = component.to_vec();
        sorted.sort_unstable();
        let mut best: Option<Cycle> = None;
        for &slot in &sorted {
            if let Some(cycle) = self.judged(slot, &inside)
                && best.is_none_or(|best| cycle.passes < best.passes)
            {
                best = Some(cycle);
                if cycle.passes <= FEW {
                    break;
                }
            }
        }
        let Some(cycle) = best else {
            return Err(Endless { slot: sorted[0] });
        };
        self.cycles.push(cycle);
        sorted.retain(|&slot| slot != cycle.test);
        let round = self.longest(&sorted)?;
        let rounds = cycle.passes.saturating_add(1);
        Ok(rounds.saturating_mul(round).saturating_add(cycle.passes))
    }

    /// What runs out from one pass of this test to the next, if it is one.
    fn judged(&self, test: usize, inside: &[bool]) -> Option<Cycle> {
        match self.code.at(test)? {
            Insn::MayGoto { target } if !inside[target] => Some(Cycle {
                test,
                measure: Measure::Budget,
                passes: BUDGET + 1,
            }),
            Insn::Branch {
                cond,
                wide: true,
                dst,
                src,
                target,
            } => {
                let taken = match (inside[target], inside.get(test + 1) == Some(&true)) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => return None,
                };
                let limit = self.operand(test, src)?;
                let stays = |below, at_most| match (cond, taken) {
                    (Cond::Below, true) | (Cond::AboveOrEqual, false) => below,
                    (Cond::BelowOrEqual, true) | (Cond::Above, false) => at_most,
                    _ => None,
                };
                let below = stays(Some(limit.1), limit.1.checked_add(1));
                let is_nonzero = match (cond, taken) {
                    (Cond::Equal, false) | (Cond::NotEqual | Cond::Above, true) => limit == (0, 0),
                    (Cond::BitsInCommon, true) => true,
                    _ => false,
                };
                if below.is_none() && !is_nonzero {
                    return None;
                }
                let (measure, passes) = self.shrinks(test, dst, inside, below, is_nonzero)?;
                Some(Cycle {
                    test,
                    measure,
                    passes,
                })
            }
            _ => None,
        }
    }

    fn shrinks(
        &self,
        test: usize,
        dst: u8,
        inside: &[bool],
        below: Option<u64>,
        is_nonzero: bool,
    ) -> Option<(Measure, u64)> {
        // Wherever the cycle was entered, places that hold the same after one round hold the same
        // at each later pass of the test.
        let distinct: Tracked<usize> = std::array::from_fn(|number| number);
        let once = self.round(test, inside, &distinct)?;
        let same: Tracked<usize> = std::array::from_fn(|number| {
            let term = once[number];
            let known = term
                .is_exact()
                .then(|| once.iter().position(|other| *other == term));
            known.flatten().unwrap_or(number)
        });
        let own = place(same[usize::from(dst)]);
        let again = self.round(test, inside, &same)?;
        let word = self.facts.at(test)?.read(dst);
        let Value::Number(range) = word else {
            return None;
        };
        match again[usize::from(dst)] {
            Term::Plus(of, by) if of == own && by > 0 && by >> 32 == 0 => {
                let limit = below.filter(|limit| limit >> 63 == 0)?;
                Some((Measure::Counter(dst), limit / by + 3))
            }
            Term::Within(of, true) | Term::Rest(of) if of == own && is_nonzero => {
                let bits = u64::from(range.maybe.count_ones());
                Some((Measure::Members(dst), bits + 2))
            }
            Term::Lower(of) if of == own && is_nonzero => {
                let bits = u64::from(64 - range.high.leading_zeros());
                Some((Measure::Length(dst), bits + 2))
            }
            _ => None,
        }
    }

    /// What places hold when the test is passed again, in terms of what they held before.
    fn round(&self, test: usize, inside: &[bool], same: &Tracked<usize>) -> Option<Tracked<Term>> {
        let mut held: Vec<Option<Box<Tracked<Term>>>> = vec![None; self.code.len()];
        let mut back: Option<Tracked<Term>> = None;
        let mut waiting = std::collections::BTreeSet::new();
        let mut next = vec![(test, fresh(same))];
        loop {
            for (slot, terms) in next.drain(..) {
                for &to in self.edges[slot].iter().filter(|&&to| inside[to]) {
                    if to == test {
                        back = Some(back.map_or(terms, |back| joined(&back, &terms)));
                        continue;
                    }
                    let after = match &held[to] {
                        None => terms,
                        Some(before) => joined(before, &terms),
                    };
                    if held[to].as_deref() != Some(&after) {
                        held[to] = Some(Box::new(after));
                        waiting.insert(to);
                    }
                }
            }
            let Some(slot) = waiting.pop_first() else {
                return back;
            };
            let mut terms = **held[slot].as_ref().expect("what waits was reached");
            self.apply(slot, &mut terms);
            next.push((slot, terms));
        }
    }

    /// The least and the greatest that an operand can be.
    fn operand(&self, slot: usize, source: Source) -> Option<(u64, u64)> {
        match source {
            Source::Immediate(value) => {
                let value = i64::from(value).cast_unsigned();
                Some((value, value))
            }
            Source::Register(register) => match self.facts.at(slot)?.read(register) {
                Value::Number(range) => Some((range.low, range.high)),
                _ => None,
            },
        }
    }

    /// The number of the stack slot that an access covers, or of those that it touches.
    fn slots(&self, slot: usize, base: u8, offset: i16, bytes: usize) -> Vec<(usize, bool)> {
        let Some(Value::Frame(at)) = self.facts.at(slot).map(|state| state.read(base)) else {
            return Vec::new();
        };
        let cells = frame_cells(at.saturating_add(i64::from(offset)), bytes);
        let cells = cells.unwrap_or_default().into_iter();
        cells
            .map(|(cell, mask)| (10 + cell, mask == u8::MAX))
            .collect()
    }

    fn apply(&self, slot: usize, terms: &mut Tracked<Term>) {
        let Some(insn) = self.code.at(slot) else {
            return;
        };
        let of = |terms: &Tracked<Term>, register: u8| {
            terms
                .get(usize::from(register))
                .filter(|_| register < 10)
                .copied()
        };
        match insn {
            Insn::Binary { op, wide, dst, src } => {
                let left = terms[usize::from(dst)];
                let right = match src {
                    Source::Register(register) => of(terms, register).unwrap_or(Term::Other),
                    Source::Immediate(_) => Term::Other,
                };
                let (least, most) = self.operand(slot, src).unwrap_or((0, u64::MAX));
                let exact = (least == most).then_some(least);
                terms[usize::from(dst)] = match (op, exact) {
                    _ if !wide => Term::Other,
                    (BinaryOp::Move, _) => right,
                    (BinaryOp::Add, Some(by)) => left.plus(by),
                    (BinaryOp::Subtract, Some(by)) => left.plus(by.wrapping_neg()),
                    (BinaryOp::And, _) => left.and(right),
                    (BinaryOp::Or, _) => left.or(right),
                    (BinaryOp::Xor, _) => left.xor(right),
                    (BinaryOp::ShiftRight, _) if least >= 1 && most < 64 => left.shifted(),
                    _ => Term::Other,
                };
            }
            Insn::Negate { wide: true, dst } => {
                terms[usize::from(dst)] = terms[usize::from(dst)].negated();
            }
            Insn::Load {
                bytes,
                dst,
                base,
                offset,
                ..
            } => {
                terms[usize::from(dst)] = match self.slots(slot, base, offset, bytes)[..] {
                    [(cell, true)] => terms[cell],
                    _ => Term::Other,
                };
            }
            Insn::Store {
                bytes,
                base,
                offset,
                src,
            } => {
                let value = match src {
                    Source::Register(register) => of(terms, register).unwrap_or(Term::Other),
                    Source::Immediate(_) => Term::Other,
                };
                for (cell, whole) in self.slots(slot, base, offset, bytes) {
                    terms[cell] = if whole { value } else { Term::Other };
                }
            }
            Insn::Negate { dst, .. }
            | Insn::SignExtend { dst, .. }
            | Insn::Reorder { dst, .. }
            | Insn::Load64 { dst, .. } => terms[usize::from(dst)] = Term::Other,
            Insn::Call { .. } => terms[..6].fill(Term::Other),
            Insn::Atomic { .. } => terms.fill(Term::Other),
            Insn::Jump { .. } | Insn::Branch { .. } | Insn::MayGoto { .. } | Insn::Exit => {}
        }
    }
}

fn joined(a: &Tracked<Term>, b: &Tracked<Term>) -> Tracked<Term> {
    std::array::from_fn(|number| a[number].join(b[number]))
}
