//! Every obligation by name: which places raise it, and what the answer says.

use std::collections::BTreeSet;

use progmp_ir::{Block, EventKind, ExprId, Program, Role, Span, Stmt, StmtId, StmtKind};

use crate::engine::{Decision, Engine};
use crate::goal::{Effect, Goal};
use crate::property::Property;
use crate::report::{Finding, Size, Verdict};
use crate::unbounded::Arithmetic;

/// A finding with nothing special about it.
pub(crate) fn finding(property: Property, verdict: Verdict, message: impl Into<String>) -> Finding {
    Finding {
        property,
        title: property.name().to_owned(),
        verdict,
        level: property.default_level(),
        span: None,
        message: message.into(),
        help: None,
        bound: None,
        follows_from: None,
        counterexample: None,
    }
}

/// Spans of statements by id.
pub(crate) fn span_of(program: &Program, at: StmtId) -> Span {
    program
        .statements()
        .into_iter()
        .find(|stmt| stmt.id == at)
        .map_or_else(Span::default, |stmt| stmt.span)
}

impl Engine<'_> {
    fn statements_with(&self, wanted: impl Fn(&StmtKind) -> bool) -> Vec<(StmtId, Span)> {
        self.program
            .statements()
            .into_iter()
            .filter(|stmt| wanted(&stmt.kind))
            .map(|stmt| (stmt.id, stmt.span))
            .collect()
    }

    /// One property judged at several places: every refuted or open place is a finding, and if
    /// there is none, one finding says for which size it is proved.
    fn judge_places(
        &mut self,
        property: Property,
        places: &[(Goal, Span)],
        proved: &str,
        refuted: &str,
        help: &str,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut size = Size::Any;
        let mut why = String::new();
        for &(goal, span) in places {
            let mut this = match self.decide(goal) {
                Decision::Impossible(here) => {
                    if here != Size::Any {
                        why = String::from("outside of the fragment decided for any size");
                    }
                    size = size.min(here);
                    continue;
                }
                Decision::Possible(state) => {
                    let mut this = finding(property, Verdict::Refuted, refuted);
                    this.counterexample = Some(self.example(property, goal, *state));
                    this.help = Some(help.to_owned());
                    this
                }
                Decision::Open(why) => finding(
                    property,
                    Verdict::Unknown(why.clone()),
                    format!("neither proved nor refuted: {why}"),
                ),
            };
            this.span = Some(span);
            found.push(this);
        }
        if found.is_empty() {
            found.push(finding(property, Verdict::Proved { size, why }, proved));
        }
        found
    }

    /// `popped-packet-is-scheduled`.
    pub(crate) fn popped_packets(&mut self) -> Vec<Finding> {
        let pops = |operand: &progmp_ir::Operand| matches!(operand, progmp_ir::Operand::Pop { .. });
        let places: Vec<(Goal, Span)> = self
            .statements_with(|kind| match kind {
                StmtKind::Let { init: operand, .. }
                | StmtKind::Push {
                    packet: operand, ..
                }
                | StmtKind::Drop { packet: operand } => pops(operand),
                _ => false,
            })
            .into_iter()
            .map(|(at, span)| (Goal::Lost { at }, span))
            .collect();
        self.judge_places(
            Property::PoppedPacketIsScheduled,
            &places,
            "every packet popped is pushed or dropped in the same execution",
            "the packet popped here is neither pushed on a subflow nor dropped: it is lost",
            "pop only when a subflow was found (test it against NULL, or test the list with EMPTY, \
             before POP), or pop inside of PUSH, which does not pop if its subflow is NULL",
        )
    }

    /// `drop-is-licensed`.
    pub(crate) fn drops(&mut self) -> Vec<Finding> {
        let places: Vec<(Goal, Span)> = self
            .statements_with(|kind| matches!(kind, StmtKind::Drop { .. }))
            .into_iter()
            .map(|(at, span)| (Goal::Unlicensed { at }, span))
            .collect();
        self.judge_places(
            Property::DropIsLicensed,
            &places,
            "every packet dropped is pushed too, or was sent on a subflow that is still there",
            "the packet dropped here was not sent on any subflow of SUBFLOWS and is not pushed \
             either: nobody will deliver it",
            "drop only what a subflow of SUBFLOWS has sent: test SENT_ON for some subflow (with \
             no subflow at all, SENT_ON_ALL is TRUE)",
        )
    }

    /// `null-is-not-used`, `null-is-masked` and `push-may-be-skipped`.
    pub(crate) fn nulls(&mut self) -> [Vec<Finding>; 3] {
        let (mut used, mut masked, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
        for place in self.null_places() {
            let (bad, good) = (place.goal(true), place.goal(false));
            self.thrifty = true;
            let may_be_null = self.reach(bad);
            self.thrifty = false;
            let state = match may_be_null {
                Decision::Impossible(_) => continue,
                Decision::Possible(state) => state,
                // Neither "may be NULL" nor "never NULL". That gates only if it may always be NULL.
                Decision::Open(why) => {
                    let gates = !matches!(self.reach_likely(good), Decision::Possible(_));
                    match if gates {
                        self.reach(bad)
                    } else {
                        Decision::Open(why)
                    } {
                        Decision::Impossible(_) => continue,
                        Decision::Possible(state) => state,
                        Decision::Open(why) => {
                            let (list, property) = match place {
                                _ if gates => (&mut used, Property::NullIsNotUsed),
                                Place::Read(_) => (&mut masked, Property::NullIsMasked),
                                Place::Receiver(..) => (&mut skipped, Property::PushMayBeSkipped),
                            };
                            let message =
                                format!("whether {} may be NULL is open: {why}", place.what());
                            let mut open = finding(property, Verdict::Unknown(why), message);
                            open.span = Some(place.span(self.program));
                            list.push(open);
                            continue;
                        }
                    }
                }
            };
            let (list, mut this) = match self.reach_likely(good) {
                Decision::Possible(_) => match place {
                    Place::Read(_) => (
                        &mut masked,
                        finding(
                            Property::NullIsMasked,
                            Verdict::Refuted,
                            "this may be read from NULL; the result is then NULL, which counts as \
                             FALSE in a condition and is ignored as a key",
                        ),
                    ),
                    Place::Receiver(_, Role::Target) => (
                        &mut skipped,
                        finding(
                            Property::PushMayBeSkipped,
                            Verdict::Refuted,
                            "the subflow may be NULL; nothing happens then, and nothing is lost",
                        ),
                    ),
                    Place::Receiver(_, Role::Packet) if place.is_push(self.program) => (
                        &mut skipped,
                        finding(
                            Property::PushMayBeSkipped,
                            Verdict::Refuted,
                            "the packet may be NULL; nothing happens then, and nothing is lost",
                        ),
                    ),
                    Place::Receiver(..) => continue,
                },
                Decision::Impossible(size) => {
                    let message =
                        format!("{} is NULL whenever this point is reached", place.what());
                    let mut this = finding(Property::NullIsNotUsed, Verdict::Refuted, message);
                    if let Size::UpTo { subflows, packets } = size {
                        this.message = format!(
                            "{} (up to {subflows} subflows and {packets} packets)",
                            this.message
                        );
                    }
                    this.help = Some(
                        "test the reference against NULL in the other direction, or take it from a \
                         list that can have members here"
                            .to_owned(),
                    );
                    if let Some(property) = place.shown_by(self.program) {
                        let message = format!("{} is always NULL here", place.what());
                        let mut other = finding(property, Verdict::Refuted, message);
                        other.follows_from = Some(Property::NullIsNotUsed);
                        other.span = Some(place.span(self.program));
                        let list = match property {
                            Property::NullIsMasked => &mut masked,
                            _ => &mut skipped,
                        };
                        list.push(other);
                    }
                    (&mut used, this)
                }
                Decision::Open(why) => {
                    let message = format!(
                        "whether {} is always NULL here is open: {why}",
                        place.what()
                    );
                    let this = finding(Property::NullIsNotUsed, Verdict::Unknown(why), message);
                    (&mut used, this)
                }
            };
            this.span = Some(place.span(self.program));
            if matches!(this.verdict, Verdict::Refuted) {
                this.counterexample = Some(self.example(this.property, bad, *state));
            }
            list.push(this);
        }
        used.extend(self.stored_nulls());
        used.sort_by_key(|this| this.span);
        for (list, property, message) in [
            (
                &mut used,
                Property::NullIsNotUsed,
                "nothing is read from, lost through or set to what is always NULL",
            ),
            (
                &mut masked,
                Property::NullIsMasked,
                "nothing is read from NULL",
            ),
            (
                &mut skipped,
                Property::PushMayBeSkipped,
                "no effect is skipped because of NULL",
            ),
        ] {
            if list.is_empty() {
                list.push(finding(property, Verdict::proved(), message));
            }
        }
        [used, masked, skipped]
    }

    fn stored_nulls(&mut self) -> Vec<Finding> {
        let places: Vec<(Goal, Span)> = self
            .program
            .statements()
            .into_iter()
            .filter_map(|stmt| match stmt.kind {
                StmtKind::Set { value, .. } | StmtKind::SetUser { value, .. }
                    if self.program.expr(value).may_be_null =>
                {
                    Some((Goal::StoresNull { at: stmt.id }, stmt.span))
                }
                _ => None,
            })
            .collect();
        let found = self.judge_places(
            Property::NullIsNotUsed,
            &places,
            "",
            "the value may be NULL; the register then keeps what it has",
            "test the value's source against NULL (or its divisor against 0) before this statement",
        );
        found
            .into_iter()
            .filter(|this| this.span.is_some())
            .collect()
    }

    fn null_places(&mut self) -> Vec<Place> {
        let side = self.unbounded(Arithmetic::Abstract);
        let mut places = BTreeSet::new();
        let (domain, runs) = (&side.domain, &side.runs);
        for event in &runs[0].log {
            use progmp_ir::Domain;
            match &event.kind {
                EventKind::Read { at, null } if domain.known(null) != Some(false) => {
                    places.insert(Place::Read(*at));
                }
                EventKind::Receiver { at, role, null } if domain.known(null) != Some(false) => {
                    places.insert(Place::Receiver(*at, *role));
                }
                _ => {}
            }
        }
        let mut places: Vec<Place> = places.into_iter().collect();
        places.sort_by_key(|place| (place.span(self.program), *place));
        places
    }

    /// `no-dead-effect`: the outermost branch that cannot be reached, else the effects in it.
    pub(crate) fn dead_effects(&mut self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.dead_in(&self.program.body.clone(), &mut found);
        if found.is_empty() {
            found.push(finding(
                Property::NoDeadEffect,
                Verdict::proved(),
                "every effect and every branch can be reached",
            ));
        }
        found
    }

    fn dead_in(&mut self, block: &Block, found: &mut Vec<Finding>) {
        for stmt in block {
            match &stmt.kind {
                StmtKind::If {
                    then, otherwise, ..
                } => {
                    for (taken, block) in [(true, Some(then)), (false, otherwise.as_ref())] {
                        let Some(block) = block.filter(|block| !block.is_empty()) else {
                            continue;
                        };
                        let effect = Effect::Branch { at: stmt.id, taken };
                        if !self.report_dead(stmt, effect, found) {
                            self.dead_in(block, found);
                        }
                    }
                }
                StmtKind::Foreach { body, .. } => self.dead_in(body, found),
                StmtKind::Push { .. } => {
                    self.report_dead(stmt, Effect::Push { at: stmt.id }, found);
                }
                StmtKind::Drop { .. } => {
                    self.report_dead(stmt, Effect::Drop { at: stmt.id }, found);
                }
                StmtKind::Set { .. } | StmtKind::SetUser { .. } => {
                    self.report_dead(stmt, Effect::Write { at: stmt.id }, found);
                }
                _ => {}
            }
        }
    }

    /// Whether the effect is dead (and reported so).
    fn report_dead(&mut self, stmt: &Stmt, effect: Effect, found: &mut Vec<Finding>) -> bool {
        let mut this = match self.reach_likely(Goal::Happens(effect)) {
            Decision::Possible(_) => return false,
            Decision::Impossible(_) => {
                let message = match effect {
                    Effect::Branch { taken: true, .. } => "the THEN branch can never be taken",
                    Effect::Branch { taken: false, .. } => "the ELSE branch can never be taken",
                    Effect::Push { .. } => "this PUSH can never happen",
                    Effect::Drop { .. } => {
                        "this DROP has no effect: the execution never popped its packet"
                    }
                    Effect::Write { .. } => "this can never be executed",
                };
                finding(Property::NoDeadEffect, Verdict::Refuted, message)
            }
            Decision::Open(why) => finding(
                Property::NoDeadEffect,
                Verdict::Unknown(why.clone()),
                format!("whether this can be reached is open: {why}"),
            ),
        };
        this.span = Some(stmt.span);
        let dead = matches!(this.verdict, Verdict::Refuted);
        found.push(this);
        dead
    }

    /// `reinjections-are-served`.
    pub(crate) fn reinjections(&mut self) -> Vec<Finding> {
        let property = Property::ReinjectionsAreServed;
        vec![match self.reach_likely(Goal::TakesReinjection) {
            Decision::Possible(_) => {
                finding(property, Verdict::proved(), "packets are taken from RQ")
            }
            Decision::Impossible(_) => {
                let mut this = finding(
                    property,
                    Verdict::Refuted,
                    "nothing is ever taken from RQ: what a subflow lost waits for the \
                     retransmission timer",
                );
                this.help = Some(
                    "serve RQ before Q, on a subflow that has not sent the packet yet".to_owned(),
                );
                this
            }
            Decision::Open(why) => finding(
                property,
                Verdict::Unknown(why.clone()),
                format!("whether RQ is served is open: {why}"),
            ),
        }]
    }

    /// `division-is-defined`, `no-wrap`, `get-is-in-range`.
    pub(crate) fn arithmetic(&mut self) -> [Vec<Finding>; 3] {
        let side = self.unbounded(Arithmetic::Abstract);
        let mut places: [BTreeSet<ExprId>; 3] = Default::default();
        for event in &side.runs[0].log {
            match event.kind {
                EventKind::Divide { at, .. } => places[0].insert(at),
                EventKind::Wrap { at, .. } => places[1].insert(at),
                EventKind::Index { at, .. } => places[2].insert(at),
                _ => false,
            };
        }
        let program = self.program;
        let [divisions, wraps, gets] = places;
        let at = |set: BTreeSet<ExprId>, goal: fn(ExprId) -> Goal| -> Vec<(Goal, Span)> {
            let mut list: Vec<(Goal, Span)> = set
                .into_iter()
                .map(|at| (goal(at), program.expr(at).span))
                .collect();
            list.sort_by_key(|&(_, span)| span);
            list
        };
        let wrapping = self.judge_places(
            Property::NoWrap,
            &at(wraps, |at| Goal::Wraps { at }),
            "no arithmetic wraps",
            "this may wrap modulo 2^64",
            "compare before subtracting (`a > b`), or limit what the application writes",
        );
        [
            self.judge_places(
                Property::DivisionIsDefined,
                &at(divisions, |at| Goal::DividesByZero { at }),
                "no divisor is 0",
                "the divisor may be 0; the result is then NULL",
                "test the divisor before dividing",
            ),
            wrapping,
            self.judge_places(
                Property::GetIsInRange,
                &at(gets, |at| Goal::OutOfRange { at }),
                "every GET is in range",
                "the index may be COUNT or more; the result is then NULL",
                "take the index modulo COUNT, or compare it with COUNT",
            ),
        ]
    }
}

/// A place that may use NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Read(ExprId),
    Receiver(StmtId, Role),
}

impl Place {
    const fn goal(self, null: bool) -> Goal {
        match self {
            Self::Read(at) => Goal::Read { at, null },
            Self::Receiver(at, role) => Goal::Receiver { at, role, null },
        }
    }

    fn span(self, program: &Program) -> Span {
        match self {
            Self::Read(at) => program.expr(at).span,
            Self::Receiver(at, _) => span_of(program, at),
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Read(_) => "what this is read from",
            Self::Receiver(_, Role::Target) => "the subflow",
            Self::Receiver(_, Role::Packet) => "the packet",
        }
    }

    /// The property that says that this place may meet NULL, if one does.
    fn shown_by(self, program: &Program) -> Option<Property> {
        match self {
            Self::Read(_) => Some(Property::NullIsMasked),
            Self::Receiver(_, Role::Target) => Some(Property::PushMayBeSkipped),
            Self::Receiver(_, Role::Packet) => {
                self.is_push(program).then_some(Property::PushMayBeSkipped)
            }
        }
    }

    fn is_push(self, program: &Program) -> bool {
        let Self::Receiver(at, _) = self else {
            return false;
        };
        program
            .statements()
            .into_iter()
            .any(|stmt| stmt.id == at && matches!(stmt.kind, StmtKind::Push { .. }))
    }
}
