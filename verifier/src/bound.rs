//! How long a trigger goes on without progress: `trigger-is-short`.
//!
//! A ranking says that it ends; its measures, how far they can fall and in which
//! steps, say after how many executions at most. The host's fuel is the limit.

use progmp_ir::{ExprKind, SchedState};

use crate::concrete::shrink;
use crate::engine::Engine;
use crate::goal::{Case, Goal, Measure, Ranking};
use crate::obligation::finding;
use crate::property::Property;
use crate::replay::idle_run;
use crate::report::{Finding, Scenario, Size, Verdict};
use crate::termination::Proof;

/// A bound on consecutive executions without progress, for `n` subflows: the coefficients of
/// 1, n, n², …; what is larger than a word stays at its largest value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound([u64; 5]);

impl Bound {
    /// So many, whatever the number of subflows.
    pub(crate) const fn of(fixed: u64) -> Self {
        Self([fixed, 0, 0, 0, 0])
    }

    /// One for each subflow, and so many.
    pub(crate) const fn subflows_and(fixed: u64) -> Self {
        Self([fixed, 1, 0, 0, 0])
    }

    /// The bound, if it does not depend on the number of subflows.
    pub(crate) fn constant(self) -> Option<u64> {
        self.0[1..].iter().all(|&c| c == 0).then_some(self.0[0])
    }

    /// So many of `self` for each of `inner`, and those of `inner` themselves.
    pub(crate) fn nest(self, inner: Self) -> Self {
        // (a + 1)(b + 1) - 1 transitions when b restarts after each step of a.
        let (a, b) = (self.then(Self::of(1)), inner.then(Self::of(1)));
        let mut product = Self::of(0);
        for (i, &x) in a.0.iter().enumerate() {
            for (j, &y) in b.0.iter().enumerate() {
                match product.0.get_mut(i + j) {
                    Some(c) => *c = c.saturating_add(x.saturating_mul(y)),
                    None if x == 0 || y == 0 => {}
                    None => return Self::of(u64::MAX),
                }
            }
        }
        product.0[0] = product.0[0].saturating_sub(1);
        product
    }

    /// First so many, then so many.
    pub(crate) fn then(mut self, later: Self) -> Self {
        for (c, d) in self.0.iter_mut().zip(later.0) {
            *c = c.saturating_add(d);
        }
        self
    }

    pub(crate) fn max(mut self, other: Self) -> Self {
        for (c, d) in self.0.iter_mut().zip(other.0) {
            *c = (*c).max(d);
        }
        self
    }

    /// The bound for so many subflows.
    pub(crate) fn at(self, subflows: u64) -> u64 {
        let terms = self.0.iter().rev();
        terms.fold(0, |sum: u64, &c| {
            sum.saturating_mul(subflows).saturating_add(c)
        })
    }

    /// For how many subflows it is at most `fuel`; `None` for any number.
    pub(crate) fn fits(self, fuel: u64) -> Option<u64> {
        match self.constant() {
            Some(fixed) if fixed <= fuel => None,
            Some(_) => Some(0),
            // The bound grows by at least one with each subflow.
            None => Some((1..=fuel).take_while(|&n| self.at(n) <= fuel).count() as u64),
        }
    }

    /// The bound as a formula in `|SUBFLOWS|`.
    pub(crate) fn formula(self) -> String {
        let terms: Vec<String> = self
            .0
            .iter()
            .enumerate()
            .filter(|&(_, &c)| c != 0)
            .map(|(power, &c)| {
                let factor = if c == 1 && power > 0 {
                    String::new()
                } else {
                    c.to_string()
                };
                match power {
                    0 => factor,
                    _ if c == 1 => "|SUBFLOWS|".to_owned() + POWERS[power],
                    _ => factor + "·|SUBFLOWS|" + POWERS[power],
                }
            })
            .collect();
        if terms.is_empty() {
            "0".to_owned()
        } else {
            terms.join(" + ")
        }
    }

    pub(crate) fn text(self) -> String {
        match self.constant() {
            Some(0) => "every execution with an effect makes progress".to_owned(),
            Some(1) => "at most 1 execution in a row makes no progress".to_owned(),
            _ => format!(
                "at most {} executions in a row make no progress",
                self.formula()
            ),
        }
    }
}

const POWERS: [&str; 5] = ["", "", "²", "³", "⁴"];

impl Engine<'_> {
    /// At most how often a measure shrinks.
    pub(crate) fn bound_of(
        &mut self,
        measure: Measure,
        limit: Option<Bound>,
        ranking: Ranking,
        case: Case,
    ) -> Bound {
        let range = match (measure, limit) {
            (Measure::Users { .. }, _) => {
                return Bound::subflows_and(0);
            }
            (Measure::Below { .. }, Some(limit)) => match limit.constant() {
                Some(limit) => limit,
                None => return limit,
            },
            _ => u64::MAX,
        };
        let mut literals: Vec<u64> = self
            .program
            .exprs
            .iter()
            .filter_map(|e| match e.kind {
                ExprKind::Int(value) if value < range => Some(value),
                _ => None,
            })
            .collect();
        literals.sort_unstable();
        literals.dedup();
        // The largest step, then what is left after one execution, if that is little.
        let step = literals
            .iter()
            .rev()
            .copied()
            .filter(|&step| step > 1)
            .take(8)
            .find(|&step| {
                self.excluded(Goal::ShrinksLess {
                    ranking,
                    case,
                    measure,
                    step,
                })
            })
            .unwrap_or(1);
        let steps = range.div_ceil(step);
        let whole = Bound::of(steps);
        if steps <= u64::from(self.options.fuel) {
            return whole;
        }
        let left = literals.iter().copied().take(8).find(|&most| {
            self.excluded(Goal::StaysAbove {
                ranking,
                case,
                measure,
                most,
            })
        });
        if let Some(most) = left {
            return Bound::of(most.div_ceil(step).saturating_add(1));
        }
        if self.excluded(Goal::NotHalved {
            ranking,
            case,
            measure,
        }) {
            return Bound::of(64);
        }
        whole
    }

    pub(crate) fn is_short(&mut self, proof: &Proof) -> Finding {
        let fuel = u64::from(self.options.fuel);
        let property = Property::TriggerIsShort;
        let bound = proof.bound.constant();
        match proof.bound.fits(fuel) {
            None => Finding {
                bound,
                ..finding(
                    property,
                    Verdict::proved(),
                    format!("{}; the host's fuel is {fuel}", proof.bound.text()),
                )
            },
            Some(subflows) if subflows > 0 => {
                let subflows = u32::try_from(subflows).unwrap_or(u32::MAX);
                let why = format!("{}; the host's fuel is {fuel}", proof.bound.text());
                let size = Size::UpTo {
                    subflows,
                    packets: u32::MAX,
                };
                finding(
                    property,
                    Verdict::Proved {
                        size,
                        why: why.clone(),
                    },
                    why,
                )
            }
            Some(_) => self.long_run(proof),
        }
    }

    /// A run above the fuel, or the admission that there is only a bound above it.
    fn long_run(&mut self, proof: &Proof) -> Finding {
        let executions = self.options.fuel as usize + 1;
        for least in [
            u64::from(self.options.fuel) + 1,
            100_000,
            1 << 32,
            u64::MAX >> 1,
            u64::MAX,
        ] {
            let Some(measure) = proof.steep else { break };
            let goal = Goal::StartsAbove { measure, least };
            for size in [(1, 1), (2, 2)] {
                for state in self.several(goal, size, 2) {
                    let long = |candidate: &SchedState| {
                        idle_run(self.program, candidate, &[], executions).is_ok()
                    };
                    if !long(&state) {
                        continue;
                    }
                    return self.too_long(Some(proof), state);
                }
            }
        }
        if let Some(state) = self.probe(executions) {
            return self.too_long(Some(proof), state);
        }
        let why = format!(
            "the ranking's bound, {}, is above the host's fuel of {}, and no run that long was found",
            proof.bound.formula(),
            self.options.fuel
        );
        Finding {
            bound: proof.bound.constant(),
            ..finding(Property::TriggerIsShort, Verdict::Unknown(why.clone()), why)
        }
    }

    /// Refuted by a state from which a trigger outruns the fuel; whether it ends may be open.
    pub(crate) fn too_long(&self, proof: Option<&Proof>, state: SchedState) -> Finding {
        let fuel = self.options.fuel;
        let executions = fuel as usize + 1;
        let state = shrink(state, &|candidate: &SchedState| {
            idle_run(self.program, candidate, &[], executions).is_ok()
        });
        let message = match proof {
            Some(proof) => format!(
                "triggers end, but one can take more than {fuel} executions in a row without \
                 progress, the host's fuel; the ranking's bound is {}",
                proof.bound.formula()
            ),
            None => format!(
                "a trigger can take more than {fuel} executions in a row without progress, the \
                 host's fuel"
            ),
        };
        Finding {
            bound: proof.and_then(|proof| proof.bound.constant()),
            help: Some(
                "take larger steps, or limit the value that the application may write before \
                 counting it down"
                    .to_owned(),
            ),
            counterexample: Some(Self::trigger_example(
                Property::TriggerIsShort,
                state,
                Vec::new(),
                Scenario::Run { executions },
            )),
            ..finding(Property::TriggerIsShort, Verdict::Refuted, message)
        }
    }
}
