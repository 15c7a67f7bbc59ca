//! The calling model: section 5 of specs/semantics.md, on source.

use std::ops::ControlFlow;

use progmp_ir::{
    FUEL, Host, HostEvent, Memory, Obstacle, Outcome, Packet, Policy, QueueName, Report,
    SchedState, Step, Subflow, unobserved,
};

use super::support::{given, program};

/// Runs one trigger and gives each step in words.
fn steps(text: &str, host: &mut Host, policy: &mut dyn Policy) -> (Report, Vec<String>) {
    let program = program(text);
    let mut steps = Vec::new();
    let report = host.trigger(&program, FUEL, policy, &mut |step| {
        steps.push(match step {
            Step::Executed { number, .. } => format!("run {number}"),
            Step::Transmitted {
                subflow, packet, ..
            } => format!("{packet} on {subflow}"),
            Step::Skipped { packet, .. } => format!("{packet} skipped"),
            Step::Reinjected { packet, .. } => format!("{packet} to RQ"),
            Step::Dropped { packet, .. } => format!("{packet} dropped"),
        });
        ControlFlow::Continue(())
    });
    (report.expect("the host keeps every fact"), steps)
}

fn trigger(text: &str, state: &SchedState) -> (Host, Report, Vec<String>) {
    let mut host = Host::from_state(state).expect("a test's state is possible");
    let (report, steps) = steps(text, &mut host, &mut Memory::default());
    (host, report, steps)
}

/// Grants so many transmissions in all.
struct Credit(u32);

impl Policy for Credit {
    fn has_memory(&mut self, _: &Subflow, _: &Packet) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

#[test]
fn a_trigger_repeats_until_an_execution_has_no_effect() {
    let (host, report, steps) = trigger("SUBFLOWS.FIRST.PUSH(Q.POP());", &given(1, 2));
    assert_eq!(steps, ["run 1", "1 on 1", "run 2", "1001 on 1", "run 3"]);
    assert_eq!(report.outcome, Outcome::Settled);
    assert_eq!(report.statistics.transmissions, 2);
    assert_eq!(host.shown().qu.len(), 2);
}

#[test]
fn actions_are_carried_out_first_in_first_out_before_the_next_execution() {
    let text =
        "IF (!Q.EMPTY) { SUBFLOWS.LAST.PUSH(Q.TOP); SUBFLOWS.FIRST.PUSH(Q.TOP); DROP(Q.POP()); }";
    let (_, report, steps) = trigger(text, &given(2, 1));
    assert_eq!(steps, ["run 1", "1 on 2", "1 on 1", "1 dropped", "run 2"]);
    assert_eq!(report.statistics.drops, 1);
}

#[test]
fn what_was_transmitted_shows_in_the_next_execution() {
    let text = "VAR s = SUBFLOWS.FIRST;
        IF (!Q.TOP.SENT_ON(s)) { s.PUSH(Q.TOP); } ELSE { SET(R1, s.QUEUED); }";
    let mut state = given(1, 1);
    state.subflows[0].queued = 4;
    let (host, report, steps) = trigger(text, &state);
    assert_eq!(steps, ["run 1", "1 on 1", "run 2", "run 3"]);
    assert_eq!(host.shown().registers[0], 5);
    assert_eq!(report.statistics.longest_idle, 1);
}

#[test]
fn a_window_that_fills_up_ends_the_pushing() {
    let text =
        "SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED).MIN(s => s.RTT).PUSH(Q.POP());";
    let mut state = given(2, 9);
    state.subflows[0].cwnd = 2;
    state.subflows[1].cwnd = 3;
    state.subflows[1].skbs_in_flight = 1;
    state.subflows[1].rtt = 1_000;
    state.normalize();
    let (host, report, steps) = trigger(text, &state);
    assert_eq!(report.outcome, Outcome::Settled);
    let sent: Vec<_> = steps.iter().filter(|s| s.contains(" on ")).collect();
    assert_eq!(sent, ["1 on 2", "1001 on 2", "2001 on 1", "3001 on 1"]);
    assert_eq!(host.shown().q.len(), 5);
}

#[test]
fn setting_the_same_value_asks_for_no_further_run() {
    for text in [
        "SET(R1, 7);",
        "SET(R1, 8); SET(R1, 7);",
        "SUBFLOWS.FIRST.SET_USER(0);",
    ] {
        let mut state = given(1, 1);
        state.registers[0] = 7;
        let (_, report, _) = trigger(text, &state);
        assert_eq!(report.statistics.executions, 1, "{text}");
    }
}

#[test]
fn each_kind_of_change_asks_for_another_run() {
    let mut state = given(1, 2);
    state.q = vec![1];
    state.qu = vec![0];
    state.rq = vec![0];
    for text in [
        "SET(R1, 1);",
        "SUBFLOWS.FIRST.SET_USER(1);",
        "VAR p = Q.POP();",
        "VAR p = RQ.POP();",
        "IF (R1 == 0) { SET(R1, 1); DROP(Q.TOP); }",
    ] {
        let (_, report, _) = trigger(text, &state);
        assert_eq!(report.outcome, Outcome::Settled, "{text}");
        assert_eq!(report.statistics.executions, 2, "{text}");
    }
}

#[test]
fn an_action_alone_asks_for_another_run() {
    let (host, report, _) = trigger("DROP(Q.TOP);", &given(1, 1));
    assert_eq!(report.outcome, Outcome::FuelExhausted);
    assert_eq!(report.statistics.executions, u64::from(FUEL) + 1);
    assert_eq!(host.shown().q.len(), 1, "nothing is lost");
}

#[test]
fn fuel_allows_as_many_idle_executions_as_it_says() {
    let text = |limit: u64| format!("IF (R1 < {limit}) {{ SET(R1, R1 + 1); }}");
    let (_, settles, _) = trigger(&text(u64::from(FUEL)), &given(1, 1));
    assert_eq!(settles.outcome, Outcome::Settled);
    assert_eq!(settles.statistics.longest_idle, FUEL);
    let (host, exhausted, _) = trigger(&text(u64::from(FUEL) + 1), &given(1, 1));
    assert_eq!(exhausted.outcome, Outcome::FuelExhausted);
    assert!(host.fell_back());
}

#[test]
fn taking_a_packet_or_transmitting_one_renews_the_fuel() {
    let counts = "IF (R1 < 200) { SET(R1, R1 + 1); } ELSE { IF (!Q.EMPTY) { SET(R1, 0); ACT } }";
    for act in ["VAR p = Q.POP();", "SUBFLOWS.FIRST.PUSH(Q.POP());"] {
        let (_, report, _) = trigger(&counts.replace("ACT", act), &given(1, 3));
        assert_eq!(report.outcome, Outcome::Settled, "{act}");
        assert_eq!(report.statistics.longest_idle, 200, "{act}");
        assert_eq!(report.statistics.executions, 4 * 200 + 3 + 1, "{act}");
    }
}

#[test]
fn the_papers_round_robin_exhausts_its_fuel() {
    let text = "VAR sbfs = SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED AND !s.LOSSY);
        IF (R1 >= sbfs.COUNT) { SET(R1, 0); }
        IF (!Q.EMPTY) {
            VAR s = sbfs.GET(R1);
            IF (s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED) { s.PUSH(Q.POP()); }
            SET(R1, R1 + 1);
        }";
    let mut state = given(2, 1);
    for subflow in &mut state.subflows {
        subflow.cwnd = 0;
    }
    let (host, report, _) = trigger(text, &state);
    assert_eq!(report.outcome, Outcome::FuelExhausted);
    host.conserved().unwrap();
}

#[test]
fn a_push_without_end_is_stopped_by_the_hosts_memory() {
    let mut host = Host::from_state(&given(1, 1)).unwrap();
    let (report, steps) = steps("SUBFLOWS.FIRST.PUSH(Q.TOP);", &mut host, &mut Credit(6));
    assert_eq!(
        report.outcome,
        Outcome::Blocked {
            subflow: 1,
            packet: 1,
            obstacle: Obstacle::Memory
        }
    );
    assert_eq!(report.statistics.transmissions, 5);
    assert_eq!(steps.len(), 11);
    assert_eq!(host.subflows()[0].queued, 5);
}

#[test]
fn a_blocked_action_holds_back_those_behind_it_and_the_next_trigger_resumes_with_it() {
    let text = "IF (!Q.EMPTY) { VAR p = Q.POP(); SUBFLOWS.FIRST.PUSH(p); SUBFLOWS.LAST.PUSH(p); }";
    let mut state = given(2, 2);
    state.packets[0].no_window_on = [1].into();
    let mut host = Host::from_state(&state).unwrap();
    let (report, first) = steps(text, &mut host, &mut Memory::default());
    assert_eq!(first, ["run 1"]);
    assert_eq!(
        report.outcome,
        Outcome::Blocked {
            subflow: 1,
            packet: 1,
            obstacle: Obstacle::Window
        }
    );
    assert_eq!(host.pending().count(), 2);
    let (report, again) = steps(text, &mut host, &mut Memory::default());
    assert!(again.is_empty(), "still shut: the program is not run");
    assert_eq!(report.statistics.executions, 0);
    host.apply(&HostEvent::Window {
        subflow: 1,
        packet: 1,
        open: true,
    })
    .unwrap();
    let (_, resumed) = steps(text, &mut host, &mut Memory::default());
    assert_eq!(
        resumed,
        [
            "1 on 1",
            "1 on 2",
            "run 1",
            "1001 on 1",
            "1001 on 2",
            "run 2"
        ]
    );
}

#[test]
fn a_pending_action_of_an_acknowledged_packet_is_skipped() {
    let text = "IF (!Q.EMPTY) { VAR p = Q.POP(); SUBFLOWS.FIRST.PUSH(p); SUBFLOWS.LAST.PUSH(p); }";
    let mut state = given(2, 1);
    state.packets[0].no_window_on = [2].into();
    let mut host = Host::from_state(&state).unwrap();
    steps(text, &mut host, &mut Memory::default());
    host.apply(&HostEvent::Acknowledged { packet: 1 }).unwrap();
    let (_, resumed) = steps(text, &mut host, &mut Memory::default());
    assert_eq!(resumed, ["1 skipped", "run 1"]);
}

#[test]
fn a_pending_action_whose_subflow_is_gone_puts_its_packet_into_rq_unless_it_is_in_q() {
    for (take, in_rq) in [("Q.POP()", true), ("Q.TOP", false)] {
        let text = format!("IF (R1 == 0) {{ SET(R1, 1); SUBFLOWS.LAST.PUSH({take}); }}");
        let mut state = given(2, 1);
        state.packets[0].no_window_on = [2].into();
        let mut host = Host::from_state(&state).unwrap();
        steps(&text, &mut host, &mut Memory::default());
        host.apply(&HostEvent::SubflowDies { subflow: 2 }).unwrap();
        let (report, resumed) = steps(&text, &mut host, &mut Memory::default());
        assert_eq!(resumed[0], "1 to RQ");
        assert_eq!(report.statistics.reinjections, 1);
        assert_eq!(host.queue(QueueName::Retrans).contains(&1), in_rq);
        assert_eq!(host.queue(QueueName::Send).contains(&1), !in_rq);
        host.conserved().unwrap();
    }
}

#[test]
fn a_death_reinjects_what_only_the_dead_subflow_had() {
    let (mut host, ..) = trigger(
        "SUBFLOWS.FIRST.PUSH(Q.TOP); IF (Q.COUNT > 1) { SUBFLOWS.LAST.PUSH(Q.POP()); } ELSE { DROP(Q.POP()); }",
        &given(2, 2),
    );
    host.apply(&HostEvent::SubflowDies { subflow: 1 }).unwrap();
    let rq: Vec<u64> = host.queue(QueueName::Retrans).iter().copied().collect();
    assert_eq!(rq, [1001], "packet 1 is on subflow 2 as well");
    assert_eq!(host.shown().subflows.len(), 1);
    host.conserved().unwrap();
}

#[test]
fn a_packet_in_q_stays_there_when_a_subflow_that_had_it_dies() {
    let text = "IF (!Q.TOP.SENT_ON(SUBFLOWS.FIRST)) { SUBFLOWS.FIRST.PUSH(Q.TOP); }";
    let (mut host, ..) = trigger(text, &given(1, 1));
    host.apply(&HostEvent::SubflowDies { subflow: 1 }).unwrap();
    let shown = host.shown();
    assert_eq!((shown.q.len(), shown.rq.len()), (1, 0));
}

#[test]
fn a_suspected_loss_is_served_from_rq() {
    let text = "SUBFLOWS.LAST.PUSH(RQ.POP()); SUBFLOWS.FIRST.PUSH(Q.POP());";
    let (mut host, ..) = trigger(text, &given(2, 1));
    host.apply(&HostEvent::SuspectedLost { packet: 1 }).unwrap();
    let (_, steps) = steps(text, &mut host, &mut Memory::default());
    assert_eq!(steps, ["run 1", "1 on 2", "run 2"]);
    assert!(host.packet(1).unwrap().sent_on.contains(&2));
}

#[test]
fn the_program_sees_256_packets_of_a_queue_and_more_in_the_next_execution() {
    let text = "SET(R1, Q.COUNT); SET(R2, Q.LAST.SEQ); IF (R3 == 0) { SET(R3, 1); DROP(Q.POP()); }";
    let mut host = Host::new(0);
    for _ in 0..300 {
        host.apply(&HostEvent::Write {
            bytes: 1,
            user: 0,
            psh: false,
            append: false,
        })
        .unwrap();
    }
    let program = program(text);
    let mut seen = Vec::new();
    host.trigger(&program, FUEL, &mut Memory::default(), &mut |step| {
        if let Step::Executed { execution, .. } = step {
            seen.push((execution.after.registers[0], execution.after.registers[1]));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, [(256, 256), (256, 257), (256, 257)]);
}

#[test]
fn time_and_registers_are_those_of_the_trigger() {
    let mut host = Host::new(0);
    host.apply(&HostEvent::Time { ms: 40 }).unwrap();
    let reg = progmp_ir::SchedReg::new(2).unwrap();
    host.apply(&HostEvent::Register { reg, value: 9 }).unwrap();
    let text = "SET(R1, CURRENT_TIME_MS + R2);";
    steps(text, &mut host, &mut Memory::default());
    assert_eq!(host.shown().registers[0], 49);
}

#[test]
fn an_observer_can_stop_a_trigger_and_the_next_one_goes_on() {
    let program = program("SUBFLOWS.FIRST.PUSH(Q.POP());");
    let mut host = Host::from_state(&given(1, 2)).unwrap();
    let report = host
        .trigger(&program, FUEL, &mut Memory::default(), &mut |_| {
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(report.outcome, Outcome::Stopped);
    assert_eq!(host.pending().count(), 1);
    host.trigger(&program, FUEL, &mut Memory::default(), &mut unobserved)
        .unwrap();
    assert!(host.queue(QueueName::Send).is_empty());
    host.conserved().unwrap();
}
