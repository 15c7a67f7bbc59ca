//! What a run of a scheduler violates: a second reading of specs/properties.md, independent of
//! the verifier's.
//!
//! In: the log of an execution and the state before it. Out: the properties of the gate that it
//! breaks, whether it makes progress, and what it finds NULL.

use std::collections::BTreeSet;

use progmp_ir::{
    Domain, Event, EventKind, ExprId, Program, Role, SchedState, Span, StmtId, StmtKind,
};
use progmp_verifier::Property;

/// The properties of the gate that runs can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breach {
    /// `popped-packet-is-scheduled`.
    Lost,
    /// `drop-is-licensed`.
    Unlicensed,
    /// `null-is-not-used`: a NULL value reaches SET or `SET_USER`.
    StoresNull,
    /// `trigger-terminates` or `trigger-is-short`: more executions in a row than any host grants
    /// have an effect and make no progress.
    Endless,
}

impl Breach {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [
        Self::Lost,
        Self::Unlicensed,
        Self::StoresNull,
        Self::Endless,
    ];

    /// The breaches of which one must be there where the property is refuted.
    pub(crate) fn of(property: Property) -> Vec<Self> {
        match property {
            Property::PoppedPacketIsScheduled => vec![Self::Lost],
            Property::DropIsLicensed => vec![Self::Unlicensed],
            Property::PacketsAreConserved => vec![Self::Lost, Self::Unlicensed],
            Property::TriggerTerminates | Property::TriggerIsShort => vec![Self::Endless],
            _ => Vec::new(),
        }
    }

    /// The name of the property.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lost => "popped-packet-is-scheduled",
            Self::Unlicensed => "drop-is-licensed",
            Self::StoresNull => "null-is-not-used",
            Self::Endless => "trigger-terminates",
        }
    }
}

/// A place that uses a reference: a property is read from it, or a statement acts through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// A property is read.
    Read(ExprId),
    /// The subflow of PUSH or `SET_USER`.
    Target(StmtId),
    /// The packet of PUSH or DROP.
    Packet(StmtId),
}

impl Use {
    /// Where it stands in the source.
    pub(crate) fn span(self, program: &Program) -> Span {
        let stmt = |at: StmtId| {
            let found = program.statements().into_iter().find(|stmt| stmt.id == at);
            found.expect("events name statements of the program").span
        };
        match self {
            Self::Read(at) => program.expr(at).span,
            Self::Target(at) | Self::Packet(at) => stmt(at),
        }
    }
}

/// The SETs and `SET_USER`s of a program, which alone can break [`Breach::StoresNull`].
pub(crate) fn stores(program: &Program) -> BTreeSet<Span> {
    let is_store =
        |kind: &StmtKind| matches!(kind, StmtKind::Set { .. } | StmtKind::SetUser { .. });
    let statements = program.statements().into_iter();
    let stores = statements.filter(|stmt| is_store(&stmt.kind));
    stores.map(|stmt| stmt.span).collect()
}

/// The part of an execution's log that the gate speaks of.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    popped: BTreeSet<usize>,
    dropped: BTreeSet<usize>,
    /// `(subflow, packet)`, in order.
    pub(crate) pushed: Vec<(usize, usize)>,
    stores_null: bool,
    /// Whether each use met NULL.
    pub(crate) uses: Vec<(Use, bool)>,
}

impl Deeds {
    /// Reads a log.
    pub(crate) fn of<D: Domain<Bool = bool, Elem = usize>>(log: &[Event<D>]) -> Self {
        let mut deeds = Self::default();
        for event in log {
            assert!(event.guard, "an interpreter logs what happens");
            match event.kind {
                EventKind::Pop { packet, .. } => {
                    deeds.popped.insert(packet);
                }
                EventKind::Push {
                    subflow, packet, ..
                } => deeds.pushed.push((subflow, packet)),
                EventKind::Drop { packet, .. } => {
                    deeds.dropped.insert(packet);
                }
                EventKind::NullValue { null, .. } => deeds.stores_null |= null,
                EventKind::Read { at, null } => deeds.uses.push((Use::Read(at), null)),
                EventKind::Receiver { at, role, null } => {
                    let place = match role {
                        Role::Target => Use::Target(at),
                        Role::Packet => Use::Packet(at),
                    };
                    deeds.uses.push((place, null));
                }
                _ => {}
            }
        }
        deeds
    }

    fn is_pushed(&self, packet: usize) -> bool {
        self.pushed.iter().any(|&(_, other)| other == packet)
    }

    /// What one execution breaks. `sent_on(packet, subflow)` is that of the state before it.
    pub(crate) fn breaches(
        &self,
        subflows: usize,
        mut sent_on: impl FnMut(usize, usize) -> bool,
    ) -> BTreeSet<Breach> {
        let mut breaches = BTreeSet::new();
        let scheduled = |packet: &usize| self.is_pushed(*packet) || self.dropped.contains(packet);
        if !self.popped.iter().all(scheduled) {
            breaches.insert(Breach::Lost);
        }
        let mut licensed = |packet: usize| {
            self.is_pushed(packet) || (0..subflows).any(|subflow| sent_on(packet, subflow))
        };
        if !self.dropped.iter().all(|&packet| licensed(packet)) {
            breaches.insert(Breach::Unlicensed);
        }
        if self.stores_null {
            breaches.insert(Breach::StoresNull);
        }
        breaches
    }

    /// Whether the execution takes a packet from Q or RQ, uses a free window, or sends a packet
    /// where it was not sent before. There are only finitely many such executions in a trigger.
    pub(crate) fn makes_progress(&self, mut progresses: impl FnMut(usize, usize) -> bool) -> bool {
        let mut pushed = self.pushed.iter();
        !self.popped.is_empty() || pushed.any(|&(subflow, packet)| progresses(subflow, packet))
    }
}

/// Whether a PUSH uses a free window or sends a packet where it was not sent before.
pub(crate) fn progresses(state: &SchedState, subflow: usize, packet: usize) -> bool {
    let subflow = &state.subflows[subflow];
    let in_flight = u128::from(subflow.skbs_in_flight) + u128::from(subflow.queued);
    u128::from(subflow.cwnd) > in_flight || !state.packets[packet].sent_on.contains(&subflow.id)
}
