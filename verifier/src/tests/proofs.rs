//! What is proved is never seen to happen.
//!
//! Goals that random states show must not be proved impossible; properties that a
//! whole check proves must withstand random states; and no trigger may run longer
//! without progress than the bound that was printed for it.

use std::collections::BTreeMap;

use progmp_generate::{Choices, Fickle, Mix};
use progmp_ir::{Concrete, Host, Memory, Outcome, Policy, Program, SchedState, unobserved};

use super::loops::loops;
use super::support::{Subject, concrete_runs, generated, goals, loop_mix, scale, states, written};
use crate::check::prove;
use crate::engine::{Engine, Options};
use crate::goal::Goal;
use crate::property::Property;
use crate::replay::violations;
use crate::report::{Finding, Verdict};

/// Effort for what must not be proved anyway.
const LITTLE: u64 = 20_000;

/// How many goals of one program are asked for.
const GOALS: usize = 12;

/// Every goal that some state shows, with the first such state.
fn shown(program: &Program, states: &[SchedState]) -> Vec<(Goal, SchedState)> {
    let mut open = goals(program);
    let mut shown = Vec::new();
    for state in states {
        let (runs, _, last) = concrete_runs(program, state, 3);
        open.retain(|&goal| {
            let holds = goal.build(&mut Concrete::new(last.clone()), program, &runs);
            if holds {
                shown.push((goal, state.clone()));
            }
            !holds
        });
    }
    shown
}

/// Asks for proofs of what was seen to happen; how many were asked for.
fn attack_goals(subject: &Subject, seed: u64) -> usize {
    let program = &subject.program;
    let seen = shown(program, &states(program, 150, seed));
    let options = Options {
        rlimit: LITTLE,
        ..Options::default()
    };
    let mut engine = Engine::new(program, options);
    let step = seen.len().div_ceil(GOALS).max(1);
    let mut asked = 0;
    for (goal, state) in seen.iter().step_by(step) {
        assert!(
            engine.impossible(*goal).is_err(),
            "{}: {goal:?} is proved impossible, and happens here: {state:?}\n{}",
            subject.name,
            subject.text
        );
        asked += 1;
    }
    asked
}

#[test]
fn what_a_state_shows_is_not_proved_impossible() {
    let mut asked = 0;
    for seed in 0..12 * scale() {
        asked += attack_goals(&generated(200_000 + seed, &Mix::small()), seed);
        asked += attack_goals(&generated(300_000 + seed, &loop_mix()), seed);
    }
    for (seed, subject) in loops().iter().enumerate() {
        asked += attack_goals(subject, seed as u64);
    }
    eprintln!("{asked} goals");
    assert!(asked > 700, "{asked} goals");
}

/// The value of `7`, `|SUBFLOWS|²` or `7·|SUBFLOWS|`.
fn value_of(term: &str, subflows: u64) -> Option<u64> {
    let Some((factor, power)) = term.split_once("|SUBFLOWS|") else {
        return term.parse().ok();
    };
    let factor = match factor.strip_suffix('·') {
        Some(factor) => factor.parse().ok()?,
        None => 1,
    };
    let power = ["", "²", "³", "⁴"].iter().position(|p| *p == power)?;
    Some(factor * subflows.pow(u32::try_from(power).ok()? + 1))
}

/// The bound of a finding for so many subflows, if it is small enough to be run to.
fn bound_of(finding: &Finding, subflows: u64) -> Option<u64> {
    let bound = finding.bound.or_else(|| {
        let (_, rest) = finding.message.rsplit_once("at most ")?;
        let (formula, _) = rest.split_once(" executions in a row")?;
        formula
            .split(" + ")
            .map(|term| value_of(term, subflows))
            .sum()
    })?;
    (bound < 3_000).then_some(bound)
}

/// Runs triggers from the states: none may exceed the bound. How many were run.
fn attack_bound(subject: &Subject, finding: &Finding, states: &[SchedState]) -> u64 {
    let mut runs = 0;
    for (number, state) in states.iter().enumerate() {
        let Some(bound) = bound_of(finding, state.subflows.len() as u64) else {
            continue;
        };
        let Ok(mut host) = Host::from_state(state) else {
            continue;
        };
        let mut memory = Memory { transmissions: 64 };
        let mut fickle;
        let policy: &mut dyn Policy = if number % 2 == 0 {
            &mut memory
        } else {
            fickle = Fickle::new(Choices::from_seed(number as u64), 64);
            &mut fickle
        };
        let fuel = u32::try_from(bound + 1).expect("bounds are small here");
        let report = host
            .trigger(&subject.program, fuel, policy, &mut unobserved)
            .expect("a host keeps its facts");
        assert!(
            report.outcome != Outcome::FuelExhausted
                && u64::from(report.statistics.longest_idle) <= bound,
            "{}: {} — but {report:?} from {state:?}\n{}",
            subject.name,
            finding.message,
            subject.text
        );
        runs += 1;
    }
    runs
}

/// Properties of which one state that shows one violation is a refutation.
fn is_refuted_by_a_state(property: Property) -> bool {
    matches!(
        property,
        Property::PoppedPacketIsScheduled
            | Property::DropIsLicensed
            | Property::PacketsAreConserved
            | Property::NullIsMasked
            | Property::DivisionIsDefined
            | Property::NoWrap
            | Property::GetIsInRange
    )
}

/// Checks a program and attacks all that is proved of it.
fn attack_report(subject: &Subject, seed: u64, tally: &mut BTreeMap<String, u64>) {
    let program = &subject.program;
    let options = Options {
        rlimit: 100_000,
        terms: 300_000,
        ..Options::default()
    };
    let report = prove(program, &options, &mut |_| {});
    let states = states(program, 300, seed);
    for property in Property::ALL {
        let findings: Vec<&Finding> = report
            .findings
            .iter()
            .filter(|f| f.property == property)
            .collect();
        let proved = |f: &&Finding| matches!(f.verdict, Verdict::Proved { .. });
        if findings.is_empty() || !findings.iter().all(proved) {
            continue;
        }
        // What is always NULL is told there, and not as something that may be NULL.
        let told_there = |f: &Finding| f.property == Property::NullIsNotUsed && !proved(&f);
        if property == Property::NullIsMasked && report.findings.iter().any(told_there) {
            continue;
        }
        let mut attacks = 0;
        if is_refuted_by_a_state(property) {
            let goals = violations(program, property, "");
            for state in &states {
                let (runs, _, last) = concrete_runs(program, state, 1);
                for &goal in &goals {
                    let holds = goal.build(&mut Concrete::new(last.clone()), program, &runs);
                    assert!(
                        !holds,
                        "{}: {property} is proved, and {goal:?} from {state:?}\n{}",
                        subject.name, subject.text
                    );
                }
                attacks += 1;
            }
        } else if property == Property::TriggerTerminates {
            attacks = attack_bound(subject, findings[0], &states);
        }
        *tally.entry(property.name().to_owned()).or_default() += attacks;
    }
}

#[test]
fn what_a_check_proves_withstands_random_states() {
    let mut tally = BTreeMap::new();
    let mix = Mix {
        size: 10,
        block: 2,
        ..Mix::small()
    };
    let loops_mix = Mix {
        size: 10,
        block: 2,
        ..loop_mix()
    };
    for seed in 0..12 * scale() {
        attack_report(&generated(400_000 + seed, &mix), seed, &mut tally);
        attack_report(&generated(500_000 + seed, &loops_mix), seed, &mut tally);
    }
    let written = written();
    let step = if scale() > 1 { 1 } else { 6 };
    for (seed, subject) in written.iter().step_by(step).enumerate() {
        attack_report(subject, seed as u64, &mut tally);
    }
    eprintln!("{tally:?}");
    for property in [
        Property::PoppedPacketIsScheduled,
        Property::TriggerTerminates,
        Property::NoWrap,
        Property::NullIsMasked,
    ] {
        let attacks = tally.get(property.name()).copied().unwrap_or(0);
        assert!(attacks > 2_000, "{property}: {attacks} attacks");
    }
}
