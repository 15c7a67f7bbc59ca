//! Properties that hold only if a file or the command line asks for them.

use crate::program::{Lambda, Span};

/// What `/* @require … */` and `--require` may ask for (specs/properties.md).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// What is asked.
    pub kind: RequirementKind,
    /// As written, for reports.
    pub text: String,
    /// Where it stands in the file; `None` if it comes from the command line.
    pub span: Option<Span>,
}

/// The forms of requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequirementKind {
    /// `work-conserving`: no execution without effect leaves a packet of Q or RQ that could go.
    WorkConserving,
    /// `work-conserving(Q)`: the same for Q alone.
    WorkConservingQ,
    /// `redundancy <= k`: copies of a packet per trigger.
    Redundancy(u64),
    /// `no-duplicate-push`: no (packet, subflow) pair twice, as a gate.
    NoDuplicatePush,
    /// `backup-only-if-needed`.
    BackupOnlyIfNeeded,
    /// `prefers(s => …)`: subflows that meet the predicate come first.
    Prefers(Lambda),
    /// `fair <= k`.
    Fair(u64),
    /// `any-size`: every gate property for any number of subflows and packets.
    AnySize,
}
