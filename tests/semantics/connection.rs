//! Random schedulers on random connections: every fact holds, and no packet is lost unless the
//! scheduler itself lost it.

use std::ops::ControlFlow;

use progmp_generate::{Choices, Fickle, Mix, event, program_with, state};
use progmp_ir::{
    Action, Execution, FUEL, Fault, Host, HostError, HostEvent, Needs, Outcome, Program,
    SchedState, Step, Subflow, unobserved,
};

use super::support::program;

/// Whether each packet that the execution popped is pushed by it, or dropped with a licence.
fn keeps_packets(before: &SchedState, execution: &Execution) -> bool {
    let pushed = |packet| {
        let push =
            |action: &Action| matches!(action, Action::Push { packet: p, .. } if *p == packet);
        execution.actions.iter().any(push)
    };
    let licensed = |packet: usize| {
        let live = |id: &u64| before.subflows.iter().any(|s| s.id == *id);
        before.packets[packet].sent_on.iter().any(live)
    };
    let dropped = |packet| {
        let drop =
            |action: &Action| matches!(action, Action::Drop { packet: p, .. } if *p == packet);
        execution.actions.iter().any(drop)
    };
    execution
        .pops()
        .all(|(_, _, packet)| pushed(packet) || dropped(packet) && licensed(packet))
}

/// What became of a connection.
#[derive(Default)]
struct Life {
    transmissions: u64,
    reinjections: u64,
    skipped: u64,
    blocked: u32,
    exhausted: u32,
    /// The scheduler lost a packet itself.
    careless: bool,
    /// A packet was lost although the scheduler kept all of its.
    lost: bool,
}

/// A connection of random events and triggers.
fn live(
    program: &Program,
    choices: &mut Choices,
    fault: Option<Fault>,
    events: u32,
) -> Result<Life, HostError> {
    let mut life = Life::default();
    let mut host = Host::new(choices.word());
    if let Some(fault) = fault {
        host = host.with_fault(fault);
    }
    for _ in 0..2 {
        host.apply(&HostEvent::SubflowUp(Subflow::default()))?;
    }
    for _ in 0..events {
        for _ in 0..=choices.below(3) {
            let event = event(choices, &host);
            host.apply(&event)?;
        }
        let mut policy = Fickle::new(Choices::from_seed(choices.word()), 40);
        let mut careless = false;
        let report = host.trigger(program, FUEL, &mut policy, &mut |step| {
            if let Step::Executed {
                before, execution, ..
            } = step
            {
                careless |= !keeps_packets(before, execution);
            }
            ControlFlow::Continue(())
        })?;
        life.careless |= careless;
        life.transmissions += report.statistics.transmissions;
        life.reinjections += report.statistics.reinjections;
        life.skipped += report.statistics.skipped;
        life.blocked += u32::from(matches!(report.outcome, Outcome::Blocked { .. }));
        life.exhausted += u32::from(report.outcome == Outcome::FuelExhausted);
        if life.careless {
            break;
        }
        life.lost |= host.conserved().is_err();
    }
    Ok(life)
}

#[test]
fn random_schedulers_on_random_connections_break_no_fact_and_lose_no_packet_that_they_keep() {
    let mut sum = Life::default();
    let (mut careless, mut careful) = (0, 0);
    for seed in 0..1_500 {
        let choices = &mut Choices::from_seed(seed);
        let mix = Mix {
            var: 2,
            drop: 0,
            ..Mix::default()
        };
        let text = program_with(choices, &mix);
        let life = live(&program(&text), choices, None, 12)
            .unwrap_or_else(|fact| panic!("seed {seed}: {fact}\n{text}"));
        assert!(!life.lost, "seed {seed} lost a packet:\n{text}");
        careless += u32::from(life.careless);
        careful += u32::from(!life.careless && life.transmissions > 0);
        sum.transmissions += life.transmissions;
        sum.reinjections += life.reinjections;
        sum.skipped += life.skipped;
        sum.blocked += life.blocked;
        sum.exhausted += life.exhausted;
    }
    for (what, count) in [
        ("careless schedulers", u64::from(careless)),
        ("careful schedulers that send", u64::from(careful)),
        ("transmissions", sum.transmissions),
        ("blocked triggers", u64::from(sum.blocked)),
        ("exhausted triggers", u64::from(sum.exhausted)),
        ("reinjections from pending actions", sum.reinjections),
        ("skipped actions", sum.skipped),
    ] {
        assert!(count > 0, "no {what}");
    }
}

#[test]
fn a_trigger_from_any_state_breaks_no_fact() {
    let mut outcomes = [0; 3];
    for seed in 0..3_000 {
        let choices = &mut Choices::from_seed(seed);
        let text = program_with(choices, &Mix::default());
        let program = program(&text);
        let before = state(choices, &Needs::of(&program));
        let mut host = Host::from_state(&before).expect("a generated state is possible");
        let mut policy = Fickle::new(Choices::from_seed(seed), 30);
        let report = host
            .trigger(&program, FUEL, &mut policy, &mut unobserved)
            .unwrap_or_else(|fact| panic!("seed {seed}: {fact}\n{text}\n{}", before.to_json()));
        match report.outcome {
            Outcome::Settled => outcomes[0] += 1,
            Outcome::Blocked { .. } => outcomes[1] += 1,
            Outcome::FuelExhausted => outcomes[2] += 1,
            Outcome::Stopped => unreachable!("nobody stops it"),
        }
    }
    assert!(outcomes.iter().all(|&count| count > 50), "{outcomes:?}");
}

/// Sends each packet on all subflows, what is suspected lost again on the last.
const REDUNDANT: &str = "
    SUBFLOWS.LAST.PUSH(RQ.POP());
    IF (!SUBFLOWS.EMPTY) {
        VAR p = Q.POP();
        FOREACH (VAR s IN SUBFLOWS) { s.PUSH(p); }
    }";

/// Drops from Q what a live subflow has.
const OPPORTUNISTIC: &str = "
    VAR s = SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED).MIN(s => s.RTT);
    IF (s != NULL) {
        IF (!RQ.EMPTY) { s.PUSH(RQ.POP()); RETURN; }
        VAR seen = Q.FILTER(p => !SUBFLOWS.FILTER(t => p.SENT_ON(t)).EMPTY);
        IF (!seen.EMPTY) { DROP(seen.POP()); RETURN; }
        s.PUSH(Q.TOP);
    }";

#[test]
fn careful_schedulers_lose_nothing_in_long_lives() {
    for text in [REDUNDANT, OPPORTUNISTIC] {
        let program = program(text);
        for seed in 0..150 {
            let life = live(&program, &mut Choices::from_seed(seed), None, 40).unwrap();
            assert!(!life.careless && !life.lost, "seed {seed}\n{text}");
        }
    }
}

#[test]
fn random_connections_notice_every_fault_of_a_host() {
    let programs = [REDUNDANT, OPPORTUNISTIC].map(program);
    for fault in [
        Fault::ForgetsReinjectionOnDeath,
        Fault::DiscardsPendingOnDeath,
        Fault::CountsDeadCopies,
        Fault::SkipsPendingOnDeadSubflow,
        Fault::DiscardsBlockedAction,
        Fault::AcknowledgesAllEarlier,
        Fault::KeepsAcknowledged,
        Fault::ReopensWindows,
        Fault::MovesTime,
        Fault::ForgetsQueued,
        Fault::ForgetsSentOn,
        Fault::ReinjectsFromQ,
    ] {
        let noticed = programs.iter().any(|program| {
            (0..150).any(|seed| {
                let life = live(program, &mut Choices::from_seed(seed), Some(fault), 40);
                life.is_err() || life.is_ok_and(|life| life.lost)
            })
        });
        assert!(noticed, "{fault:?} was never noticed");
    }
}
