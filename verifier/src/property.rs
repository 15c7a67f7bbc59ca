//! Every property by name, with its statement and default level (specs/properties.md).

use std::fmt;

/// What a refutation of a property means for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Refuted rejects, unknown does not pass.
    Gate,
    /// Reported.
    Warn,
    /// Reported, and often intended.
    Note,
    /// Checked on request; then it gates.
    Ask,
}

impl Level {
    /// As it stands in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Warn => "warn",
            Self::Note => "note",
            Self::Ask => "ask",
        }
    }
}

/// A property of a scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// Every packet that an execution pops is pushed or dropped by it.
    PoppedPacketIsScheduled,
    /// A dropped packet is pushed too, or was transmitted on a live subflow.
    DropIsLicensed,
    /// No packet is lost over the whole calling model.
    PacketsAreConserved,
    /// PUSH and `SET_USER` name members of SUBFLOWS.
    SubflowIsLive,
    /// Nothing is read from, or lost through, what is always NULL; no NULL is stored.
    NullIsNotUsed,
    /// Every loop ends.
    LoopsTerminate,
    /// Every trigger ends.
    TriggerTerminates,
    /// … within the host's fuel.
    TriggerIsShort,
    /// A property is read from what may be NULL.
    NullIsMasked,
    /// Each effect and branch is reachable.
    NoDeadEffect,
    /// The scheduler takes packets from RQ.
    ReinjectionsAreServed,
    /// No divisor is 0.
    DivisionIsDefined,
    /// No arithmetic wraps.
    NoWrap,
    /// Every GET is in range.
    GetIsInRange,
    /// No (packet, subflow) pair is pushed twice in an execution.
    NoDuplicatePush,
    /// A PUSH or `SET_USER` may be skipped because something is NULL.
    PushMayBeSkipped,
    /// No sendable packet is left by an execution without effect.
    WorkConserving,
    /// The same for Q alone.
    WorkConservingQ,
    /// At most k copies of a packet per trigger.
    Redundancy,
    /// Backup subflows carry data only if no other is available.
    BackupOnlyIfNeeded,
    /// Preferred subflows come first.
    Prefers,
    /// An available subflow gets its share.
    Fair,
}

impl Property {
    /// All, in the order of reports.
    pub const ALL: [Self; 22] = [
        Self::PoppedPacketIsScheduled,
        Self::DropIsLicensed,
        Self::PacketsAreConserved,
        Self::SubflowIsLive,
        Self::NullIsNotUsed,
        Self::LoopsTerminate,
        Self::TriggerTerminates,
        Self::TriggerIsShort,
        Self::NullIsMasked,
        Self::NoDeadEffect,
        Self::ReinjectionsAreServed,
        Self::DivisionIsDefined,
        Self::NoWrap,
        Self::GetIsInRange,
        Self::NoDuplicatePush,
        Self::PushMayBeSkipped,
        Self::WorkConserving,
        Self::WorkConservingQ,
        Self::Redundancy,
        Self::BackupOnlyIfNeeded,
        Self::Prefers,
        Self::Fair,
    ];

    /// The name in code, output and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PoppedPacketIsScheduled => "popped-packet-is-scheduled",
            Self::DropIsLicensed => "drop-is-licensed",
            Self::PacketsAreConserved => "packets-are-conserved",
            Self::SubflowIsLive => "subflow-is-live",
            Self::NullIsNotUsed => "null-is-not-used",
            Self::LoopsTerminate => "loops-terminate",
            Self::TriggerTerminates => "trigger-terminates",
            Self::TriggerIsShort => "trigger-is-short",
            Self::NullIsMasked => "null-is-masked",
            Self::NoDeadEffect => "no-dead-effect",
            Self::ReinjectionsAreServed => "reinjections-are-served",
            Self::DivisionIsDefined => "division-is-defined",
            Self::NoWrap => "no-wrap",
            Self::GetIsInRange => "get-is-in-range",
            Self::NoDuplicatePush => "no-duplicate-push",
            Self::PushMayBeSkipped => "push-may-be-skipped",
            Self::WorkConserving => "work-conserving",
            Self::WorkConservingQ => "work-conserving(Q)",
            Self::Redundancy => "redundancy",
            Self::BackupOnlyIfNeeded => "backup-only-if-needed",
            Self::Prefers => "prefers",
            Self::Fair => "fair",
        }
    }

    /// The property with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|property| property.name() == name)
    }

    /// The level unless the command line says otherwise.
    pub const fn default_level(self) -> Level {
        match self {
            Self::PoppedPacketIsScheduled
            | Self::DropIsLicensed
            | Self::PacketsAreConserved
            | Self::SubflowIsLive
            | Self::NullIsNotUsed
            | Self::LoopsTerminate
            | Self::TriggerTerminates
            | Self::TriggerIsShort => Level::Gate,
            Self::NullIsMasked
            | Self::NoDeadEffect
            | Self::ReinjectionsAreServed
            | Self::DivisionIsDefined
            | Self::NoWrap
            | Self::GetIsInRange
            | Self::NoDuplicatePush => Level::Warn,
            Self::PushMayBeSkipped => Level::Note,
            Self::WorkConserving
            | Self::WorkConservingQ
            | Self::Redundancy
            | Self::BackupOnlyIfNeeded
            | Self::Prefers
            | Self::Fair => Level::Ask,
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
