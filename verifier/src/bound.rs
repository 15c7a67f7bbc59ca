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

/// A bound on consecutive executions without progress: `fixed + per_subflow · |SUBFLOWS|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) fixed: u64,
    pub(crate) per_subflow: u64,
}

impl Bound {
    pub(crate) const fn of(fixed: u64) -> Self {
        Self {
            fixed,
            per_subflow: 0,
        }
    }

    /// So many of `self` for each of `inner`, and those of `inner` themselves.
    pub(crate) fn nest(self, inner: Self) -> Self {
        // (a + 1)(b + 1) - 1 transitions when b restarts after each step of a.
        let fixed = (self.fixed.saturating_add(1))
            .saturating_mul(inner.fixed.saturating_add(1))
            .saturating_sub(1);
        let cross = self
            .per_subflow
            .saturating_mul(inner.fixed.saturating_add(1));
        let other = inner
            .per_subflow
            .saturating_mul(self.fixed.saturating_add(1));
        let square = self.per_subflow.saturating_mul(inner.per_subflow);
        // n² ≤ 32 n for the 32 subflows of the ABI's block.
        let per_subflow = cross
            .saturating_add(other)
            .saturating_add(square.saturating_mul(32));
        Self { fixed, per_subflow }
    }

    /// First so many, then so many.
    pub(crate) const fn then(self, later: Self) -> Self {
        Self {
            fixed: self.fixed.saturating_add(later.fixed),
            per_subflow: self.per_subflow.saturating_add(later.per_subflow),
        }
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            fixed: self.fixed.max(other.fixed),
            per_subflow: self.per_subflow.max(other.per_subflow),
        }
    }

    /// For how many subflows it is at most `fuel`; `None` for any number.
    pub(crate) const fn fits(self, fuel: u64) -> Option<u64> {
        match fuel
            .saturating_sub(self.fixed)
            .checked_div(self.per_subflow)
        {
            None if self.fixed <= fuel => None,
            None => Some(0),
            some => some,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self {
                fixed: 0,
                per_subflow: 0,
            } => "every execution with an effect makes progress".to_owned(),
            Self {
                fixed,
                per_subflow: 0,
            } => {
                format!("at most {fixed} consecutive executions without progress")
            }
            Self { fixed, per_subflow } => format!(
                "at most {fixed} + {per_subflow}·|SUBFLOWS| consecutive executions without progress"
            ),
        }
    }
}

impl Engine<'_> {
    /// At most how often a measure shrinks.
    pub(crate) fn bound_of(
        &mut self,
        measure: Measure,
        limit: Option<u64>,
        ranking: Ranking,
        case: Case,
    ) -> Bound {
        let range = match (measure, limit) {
            (Measure::Users { .. }, _) => {
                return Bound {
                    fixed: 0,
                    per_subflow: 1,
                };
            }
            (Measure::Below { .. }, Some(limit)) => limit,
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
        let whole = Bound::of(range.div_ceil(step));
        if whole.fixed <= u64::from(self.options.fuel) {
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
        let bound = (proof.bound.per_subflow == 0).then_some(proof.bound.fixed);
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
            Some(_) => self.long_run(proof, bound),
        }
    }

    /// A run above the fuel, or the admission that there is only a bound above it.
    fn long_run(&mut self, proof: &Proof, bound: Option<u64>) -> Finding {
        let property = Property::TriggerIsShort;
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
                    let state = shrink(state, &long);
                    let mut this = finding(
                        property,
                        Verdict::Refuted,
                        format!(
                            "triggers end, but one can take more than {} consecutive executions \
                             without progress, the host's fuel; the ranking's bound is {}",
                            self.options.fuel, proof.bound.fixed
                        ),
                    );
                    this.bound = bound;
                    this.help = Some(
                        "take larger steps, or limit the value that the application may write \
                         before counting it down"
                            .to_owned(),
                    );
                    this.counterexample = Some(Self::trigger_example(
                        property,
                        state,
                        Vec::new(),
                        Scenario::Run { executions },
                    ));
                    return this;
                }
            }
        }
        let why = format!(
            "the ranking's bound of {} is above the host's fuel of {}, and no run that long was found",
            proof.bound.fixed, self.options.fuel
        );
        Finding {
            bound,
            ..finding(property, Verdict::Unknown(why.clone()), why)
        }
    }
}
