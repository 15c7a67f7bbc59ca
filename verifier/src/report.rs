//! Verdicts: what the verifier answers for one scheduler.

use progmp_ir::{SchedState, Span};
use serde::{Deserialize, Serialize};

use crate::property::{Level, Property};

/// For how many subflows and packets a proof holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Any number of either.
    Any,
    /// At most so many.
    UpTo {
        /// Members of SUBFLOWS.
        subflows: u32,
        /// Members of each queue.
        packets: u32,
    },
}

impl Size {
    /// The smallest bounded proof that the gate accepts.
    pub const ACCEPTED: (u32, u32) = (8, 16);

    /// The part of two proofs that holds for both.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, size) | (size, Self::Any) => size,
            (
                Self::UpTo {
                    subflows: a,
                    packets: b,
                },
                Self::UpTo {
                    subflows: c,
                    packets: d,
                },
            ) => Self::UpTo {
                subflows: a.min(c),
                packets: b.min(d),
            },
        }
    }

    /// Whether the gate accepts a proof of this size.
    pub const fn is_accepted(self) -> bool {
        match self {
            Self::Any => true,
            Self::UpTo { subflows, packets } => {
                subflows >= Self::ACCEPTED.0 && packets >= Self::ACCEPTED.1
            }
        }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, for this size; `why` says why not for more.
    Proved {
        /// For which sizes.
        size: Size,
        /// Empty for any size.
        why: String,
    },
    /// It does not hold.
    Refuted,
    /// Neither could be shown; the reason names the resource or the construct.
    Unknown(String),
}

impl Verdict {
    /// Proved for any size.
    pub const fn proved() -> Self {
        Self::Proved {
            size: Size::Any,
            why: String::new(),
        }
    }

    /// As it stands in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Proved { .. } => "proved",
            Self::Refuted => "refuted",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// How a counterexample is run again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Scenario {
    /// One execution from the state shows the violation.
    Execution,
    /// Consecutive executions of one trigger return to where they were: the state before
    /// execution `start + length` is, in everything that the scheduler reads, the state before
    /// execution `start`.
    Cycle {
        /// Executions before the cycle.
        start: usize,
        /// Executions of the cycle, ≥ 1.
        length: usize,
    },
    /// So many consecutive executions of one trigger each have an effect and none makes progress.
    Run {
        /// Above the host's fuel.
        executions: usize,
    },
    /// Consecutive executions of a run with the violation in their sum (redundancy, fairness).
    History {
        /// How many.
        executions: usize,
    },
}

/// A state and how to run from it to see the violation. Replayed by the interpreter before shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterexample {
    /// Version of this format: 1.
    pub schema: u32,
    /// The property's name.
    pub property: String,
    /// The requirement as written, for properties with parameters; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requirement: String,
    /// 1-based line of the place that the property speaks of; 0 for the whole program.
    pub line: u32,
    /// 1-based column of it; 0 for the whole program.
    pub column: u32,
    /// How to run.
    pub scenario: Scenario,
    /// Where to start.
    pub state: SchedState,
    /// Seeds of the executions; when the list ends, each follows from the last (splitmix64).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seeds: Vec<u64>,
    /// For `fair`: the ID of the subflow that is passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subflow: Option<u64>,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which property.
    pub property: Property,
    /// The requirement as written, for properties with parameters; else the property's name.
    pub title: String,
    /// The answer.
    pub verdict: Verdict,
    /// What the answer means for the gate, by default.
    pub level: Level,
    /// The place in the source, if it is about one.
    pub span: Option<Span>,
    /// What was found, in one sentence; for a proof what it rests on (a ranking, say).
    pub message: String,
    /// A way out, for what is refuted or unknown.
    pub help: Option<String>,
    /// For termination: the bound on consecutive executions without progress.
    pub bound: Option<u64>,
    /// Set if this finding only follows from another property's.
    pub follows_from: Option<Property>,
    /// For what is refuted, where a state shows it.
    pub counterexample: Option<Counterexample>,
}

/// Everything that was found about one scheduler, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of [`Property::ALL`], then by place.
    pub findings: Vec<Finding>,
    /// What the proofs cost, for `--verbose` and the benchmark.
    pub effort: Effort,
}

/// What the proofs cost. Deterministic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Unbounded queries.
    pub proofs: u32,
    /// Bounded queries.
    pub searches: u32,
    /// Terms built.
    pub terms: u64,
    /// Z3 resource units spent.
    pub rlimit: u64,
}

/// What the whole report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every gate property is proved.
    Accepted,
    /// One is refuted.
    Rejected,
    /// None is refuted, but one is unknown.
    Unknown,
}

impl Report {
    /// Applies the acceptance rule. `level` gives the level in force of each finding.
    pub fn judge(&self, level: impl Fn(&Finding) -> Level, any_size: bool) -> Judgement {
        let mut judgement = Judgement::Accepted;
        for finding in &self.findings {
            if !matches!(level(finding), Level::Gate | Level::Ask) {
                continue;
            }
            match &finding.verdict {
                Verdict::Refuted => return Judgement::Rejected,
                Verdict::Unknown(_) => judgement = Judgement::Unknown,
                Verdict::Proved {
                    size: Size::Any, ..
                } => {}
                Verdict::Proved { size, .. } => {
                    if any_size || !size.is_accepted() {
                        judgement = Judgement::Unknown;
                    }
                }
            }
        }
        judgement
    }
}
