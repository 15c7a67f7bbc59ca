//! One check of one scheduler, property by property.

use progmp_ir::{Program, RequirementKind, SchedState};

use crate::concrete::shows;
use crate::concrete::shrink;
use crate::conservation;
use crate::engine::{Engine, Options};
use crate::goal::Goal;
use crate::obligation::finding;
use crate::property::{Level, Property};
use crate::report::{Counterexample, Effort, Finding, Report, Scenario, Size, Verdict};

/// Judges every property of the gate, those reported, and those that the program requires.
///
/// `progress` is told each property before work on it begins.
///
/// # Panics
/// If a counterexample does not replay, or a model breaks a fact that it was asked to keep:
/// our mistakes, never the scheduler's.
pub fn prove(program: &Program, options: &Options, progress: &mut dyn FnMut(Property)) -> Report {
    let statements = program.statements().len();
    if statements > Options::STATEMENTS {
        return too_large(program, statements);
    }
    check_all(&mut Engine::new(program, *options), progress)
}

/// Judges the properties of the gate only; verdicts are those of [`prove`].
///
/// # Panics
/// As [`prove`].
pub fn prove_gate(program: &Program, options: &Options) -> Report {
    let statements = program.statements().len();
    if statements > Options::STATEMENTS {
        return too_large(program, statements);
    }
    let mut engine = Engine::new(program, *options);
    let findings = check_gate(&mut engine, &mut |_| ()).findings;
    let effort = engine.effort();
    Report { findings, effort }
}

/// Nothing is judged of a program with so many statements, whatever is asked: that passes no gate.
fn too_large(program: &Program, statements: usize) -> Report {
    let why = format!(
        "program-too-large: {statements} statements, and at most {} are judged",
        Options::STATEMENTS
    );
    let open = |property| finding(property, Verdict::Unknown(why.clone()), why.clone());
    let reported = |property: &&Property| property.default_level() != Level::Ask;
    let mut findings: Vec<Finding> = Property::ALL
        .iter()
        .filter(reported)
        .map(|&property| open(property))
        .collect();
    for requirement in &program.requirements {
        if let Some(property) = asked_by(&requirement.kind) {
            let title = requirement.text.clone();
            findings.push(Finding {
                title,
                level: Level::Ask,
                span: requirement.span,
                ..open(property)
            });
        }
    }
    Report {
        findings,
        effort: Effort::default(),
    }
}

/// The property that a requirement asks for; any-size asks something of all.
const fn asked_by(kind: &RequirementKind) -> Option<Property> {
    Some(match kind {
        RequirementKind::WorkConserving => Property::WorkConserving,
        RequirementKind::WorkConservingQ => Property::WorkConservingQ,
        RequirementKind::BackupOnlyIfNeeded => Property::BackupOnlyIfNeeded,
        RequirementKind::Prefers(_) => Property::Prefers,
        RequirementKind::NoDuplicatePush => Property::NoDuplicatePush,
        RequirementKind::Redundancy(_) => Property::Redundancy,
        RequirementKind::Fair(_) => Property::Fair,
        RequirementKind::AnySize => return None,
    })
}

/// What is known when the gate has been checked.
struct Gate {
    findings: Vec<Finding>,
    /// NULLs that are no matter of the gate.
    masked: Vec<Finding>,
    skipped: Vec<Finding>,
}

fn check_gate(engine: &mut Engine<'_>, progress: &mut dyn FnMut(Property)) -> Gate {
    let mut findings = Vec::new();
    progress(Property::PoppedPacketIsScheduled);
    let popped = engine.popped_packets();
    progress(Property::DropIsLicensed);
    let dropped = engine.drops();
    progress(Property::PacketsAreConserved);
    let conserved = conservation::conserved(&engine.room, &popped, &dropped);
    findings.extend(popped);
    findings.extend(dropped);
    findings.push(conserved);
    findings.push(finding(
        Property::SubflowIsLive,
        Verdict::proved(),
        "by typing: a reference comes from this execution's SUBFLOWS and nothing outlives it",
    ));
    progress(Property::NullIsNotUsed);
    let [used, masked, skipped] = engine.nulls();
    findings.extend(used);
    findings.push(finding(
        Property::LoopsTerminate,
        Verdict::proved(),
        "every FOREACH iterates over a snapshot: its ranking is the number of elements left",
    ));
    progress(Property::TriggerTerminates);
    findings.extend(engine.triggers());
    Gate {
        findings,
        masked,
        skipped,
    }
}

/// All of it with an engine that the caller keeps.
pub(crate) fn check_all(engine: &mut Engine<'_>, progress: &mut dyn FnMut(Property)) -> Report {
    let program = engine.program;
    let Gate {
        mut findings,
        masked,
        skipped,
    } = check_gate(engine, progress);
    progress(Property::NullIsMasked);
    findings.extend(masked);
    progress(Property::NoDeadEffect);
    findings.extend(engine.dead_effects());
    progress(Property::ReinjectionsAreServed);
    findings.extend(engine.reinjections());
    progress(Property::DivisionIsDefined);
    engine.thrifty = true;
    for list in engine.arithmetic() {
        findings.extend(list);
    }
    progress(Property::NoDuplicatePush);
    let duplicates = engine.duplicates();
    engine.duplicates = duplicates
        .first()
        .filter(|found| !matches!(found.verdict, Verdict::Unknown(_)))
        .cloned();
    findings.extend(duplicates);
    engine.thrifty = false;
    findings.extend(skipped);
    for requirement in &program.requirements {
        if requirement.kind != RequirementKind::AnySize {
            findings.extend(engine.required(requirement));
        }
    }
    let effort = engine.effort();
    Report { findings, effort }
}

impl Engine<'_> {
    /// A small, ordinary state in which one execution shows the goal, as a counterexample.
    pub(crate) fn example(
        &self,
        property: Property,
        goal: Goal,
        state: SchedState,
    ) -> Counterexample {
        let program = self.program;
        let state = shrink(state, &|candidate| shows(program, candidate, goal));
        assert!(
            shows(program, &state, goal),
            "{property}: a counterexample does not replay"
        );
        Counterexample {
            schema: 1,
            property: property.name().to_owned(),
            requirement: String::new(),
            line: 0,
            column: 0,
            scenario: Scenario::Execution,
            state,
            seeds: Vec::new(),
            subflow: None,
        }
    }
}

/// The size for which all of these are proved, or what stands in the way.
pub(crate) fn all_proved(findings: &[Finding]) -> Result<Size, &Verdict> {
    findings
        .iter()
        .try_fold(Size::Any, |size, this| match &this.verdict {
            Verdict::Proved { size: here, .. } => Ok(size.min(*here)),
            other => Err(other),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_alone_says_what_it_says_among_all() {
        for text in [
            "IF (!Q.EMPTY) { SUBFLOWS.FILTER(s => s.HAS_WINDOW_FOR(Q.TOP)).MIN(s => s.RTT).PUSH(Q.POP()); }",
            "VAR p = Q.POP(); SUBFLOWS.TOP.PUSH(QU.TOP);",
            "SUBFLOWS.GET(R1).PUSH(Q.TOP); DROP(RQ.POP());",
        ] {
            let program = progmp_syntax::parse("test", text.as_bytes(), &[]).program;
            let program = program.expect("it has no mistake");
            let options = Options::default();
            let mut all = prove(&program, &options, &mut |_| ()).findings;
            all.retain(|finding| finding.property.default_level() == Level::Gate);
            assert_eq!(prove_gate(&program, &options).findings, all, "{text}");
        }
    }
}
