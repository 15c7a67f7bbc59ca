//! The host between and within triggers, and that its checks notice hosts that are wrong.

use std::ops::ControlFlow;

use progmp_ir::{
    Expr, ExprId, ExprKind, FUEL, Fault, Host, HostError, HostEvent, ListSource, Memory, Obstacle,
    Operand, Outcome, Packet, Policy, Program, QueueName, SchedReg, SchedState, Span, Squeeze,
    Stmt, StmtId, StmtKind, Subflow, SubflowInt, Type, unobserved,
};

/// `SUBFLOWS.FIRST.PUSH(Q.POP());`, and with `both` also `SUBFLOWS.LAST.PUSH(…)` of the same packet.
fn pusher(both: bool) -> Program {
    let subflows = Type::List(ListSource::Subflows);
    let queue = Type::List(ListSource::Queue(QueueName::Send));
    let exprs = [
        (ExprKind::Subflows, subflows, false),
        (ExprKind::First(ExprId::new(0)), Type::Subflow, true),
        (ExprKind::Queue(QueueName::Send), queue, false),
        (ExprKind::First(ExprId::new(2)), Type::Packet, true),
        (ExprKind::Last(ExprId::new(0)), Type::Subflow, true),
    ];
    let push = |id, target, packet| Stmt {
        id: StmtId::new(id),
        span: Span::default(),
        kind: StmtKind::Push {
            target: ExprId::new(target),
            packet,
        },
    };
    let pop = Operand::Pop {
        list: ExprId::new(2),
        span: Span::default(),
    };
    let mut body = Vec::new();
    if both {
        body.push(push(0, 4, Operand::Expr(ExprId::new(3))));
    }
    body.push(push(body.len(), 1, pop));
    Program {
        exprs: exprs
            .into_iter()
            .map(|(kind, ty, may_be_null)| Expr {
                kind,
                ty,
                may_be_null,
                span: Span::default(),
            })
            .collect(),
        stmt_count: body.len(),
        body,
        ..Program::default()
    }
}

/// `SET(R1, R1 + 1);`
fn counter() -> Program {
    let reg = SchedReg::new(1).unwrap();
    let exprs = [
        ExprKind::Register(reg),
        ExprKind::Int(1),
        ExprKind::Arith(progmp_ir::ArithOp::Add, ExprId::new(0), ExprId::new(1)),
    ];
    Program {
        exprs: exprs
            .into_iter()
            .map(|kind| Expr {
                kind,
                ty: Type::Int,
                may_be_null: false,
                span: Span::default(),
            })
            .collect(),
        body: vec![Stmt {
            id: StmtId::new(0),
            span: Span::default(),
            kind: StmtKind::Set {
                reg,
                value: ExprId::new(2),
            },
        }],
        stmt_count: 1,
        ..Program::default()
    }
}

fn write(bytes: u64) -> HostEvent {
    HostEvent::Write {
        bytes,
        user: 0,
        psh: true,
        append: false,
    }
}

fn host(subflows: usize, packets: u64) -> Host {
    let mut host = Host::new(7);
    for _ in 0..subflows {
        host.apply(&HostEvent::SubflowUp(Subflow::default()))
            .unwrap();
    }
    for _ in 0..packets {
        host.apply(&write(100)).unwrap();
    }
    host
}

fn trigger(host: &mut Host, program: &Program) -> Result<Outcome, HostError> {
    let report = host.trigger(program, FUEL, &mut Memory::default(), &mut unobserved)?;
    Ok(report.outcome)
}

fn seqs(host: &Host, queue: QueueName) -> Vec<u64> {
    host.queue(queue).iter().copied().collect()
}

/// Grants nothing.
struct NoMemory;

impl Policy for NoMemory {
    fn has_memory(&mut self, _: &Subflow, _: &Packet) -> bool {
        false
    }
}

#[test]
fn a_write_is_cut_at_the_smallest_mss_and_only_its_last_packet_ends_it() {
    let mut host = Host::new(0);
    for mss in [1400, 600] {
        let subflow = Subflow {
            mss,
            ..Subflow::default()
        };
        host.apply(&HostEvent::SubflowUp(subflow)).unwrap();
    }
    host.apply(&write(1300)).unwrap();
    let cut: Vec<_> = host.packets().map(|p| (p.seq, p.length, p.psh)).collect();
    assert_eq!(cut, [(1, 600, false), (601, 600, false), (1201, 100, true)]);
}

#[test]
fn the_last_packet_of_q_grows_until_something_of_it_is_sent() {
    let append = |bytes| HostEvent::Write {
        bytes,
        user: 0,
        psh: false,
        append: true,
    };
    let mut host = host(1, 1);
    host.apply(&append(50)).unwrap();
    assert_eq!(
        host.packets().map(|p| p.length).collect::<Vec<_>>(),
        [150],
        "it was unsent"
    );
    trigger(&mut host, &pusher(false)).unwrap();
    host.apply(&append(50)).unwrap();
    let lengths: Vec<_> = host.packets().map(|p| (p.seq, p.length)).collect();
    assert_eq!(lengths, [(1, 150), (151, 50)]);
}

#[test]
fn a_transmission_marks_the_packet_and_queues_exactly_one() {
    let mut host = host(1, 2);
    let outcome = trigger(&mut host, &pusher(false)).unwrap();
    assert_eq!(outcome, Outcome::Settled);
    assert_eq!(host.subflows()[0].queued, 2);
    assert_eq!(seqs(&host, QueueName::Unacked), [1, 101]);
    assert!(host.packets().all(|p| p.sent_on.contains(&1)));
    host.conserved().unwrap();
}

#[test]
fn queued_stops_at_the_end_of_its_range() {
    let most = (1 << 32) - 1;
    let subflow = Subflow {
        queued: u64::MAX,
        ..Subflow::default()
    };
    let mut host = Host::new(0);
    host.apply(&HostEvent::SubflowUp(subflow)).unwrap();
    assert_eq!(host.subflows()[0].queued, most, "clamped");
    host.apply(&write(1)).unwrap();
    trigger(&mut host, &pusher(false)).unwrap();
    assert_eq!(host.subflows()[0].queued, most);
}

#[test]
fn every_range_is_clamped_when_it_is_sampled() {
    let mut sample = Subflow::default();
    for &property in SubflowInt::ALL {
        *sample.int_mut(property) = u64::MAX;
    }
    let mut host = host(1, 0);
    sample.id = 1;
    host.apply(&HostEvent::Sampled(sample)).unwrap();
    let shown = &host.subflows()[0];
    assert_eq!(shown.rtt_ms, shown.rtt / 1000);
    assert_eq!(shown.user, 0, "USER is not sampled");
}

#[test]
fn an_acknowledged_packet_leaves_all_queues_and_an_unsent_one_cannot_be_acknowledged() {
    let mut host = host(1, 2);
    host.apply(&HostEvent::Acknowledged { packet: 101 })
        .unwrap();
    assert_eq!(seqs(&host, QueueName::Send), [1, 101]);
    trigger(&mut host, &pusher(false)).unwrap();
    host.apply(&HostEvent::SuspectedLost { packet: 1 }).unwrap();
    host.apply(&HostEvent::Acknowledged { packet: 1 }).unwrap();
    assert_eq!(seqs(&host, QueueName::Unacked), [101]);
    assert!(seqs(&host, QueueName::Retrans).is_empty());
    assert!(host.packet(1).is_none());
}

#[test]
fn a_suspicion_brings_a_packet_into_rq_unless_it_is_in_q() {
    let mut host = host(1, 2);
    host.apply(&HostEvent::SuspectedLost { packet: 1 }).unwrap();
    assert!(seqs(&host, QueueName::Retrans).is_empty());
    trigger(&mut host, &pusher(false)).unwrap();
    host.apply(&HostEvent::SuspectedLost { packet: 101 })
        .unwrap();
    assert_eq!(seqs(&host, QueueName::Retrans), [101]);
}

#[test]
fn a_death_reinjects_exactly_the_packets_that_have_no_other_copy() {
    let mut state = SchedState {
        subflows: vec![Subflow::default(), Subflow::default()],
        packets: vec![Packet::default(); 4],
        q: vec![3],
        qu: vec![0, 1, 2],
        ..SchedState::default()
    };
    for (packet, subflows) in [(0, vec![1]), (1, vec![1, 2]), (2, vec![2]), (3, vec![1])] {
        state.packets[packet].sent_on = subflows.into_iter().collect();
    }
    state.normalize();
    let mut host = Host::from_state(&state).unwrap();
    host.apply(&HostEvent::SubflowDies { subflow: 1 }).unwrap();
    let first = state.packets[0].seq;
    assert_eq!(seqs(&host, QueueName::Retrans), [first]);
    assert!(!host.is_live(1) && host.existed(1));
    host.conserved().unwrap();
}

#[test]
fn a_new_subflow_never_gets_the_id_of_an_old_one() {
    let mut host = host(2, 0);
    host.apply(&HostEvent::SubflowDies { subflow: 2 }).unwrap();
    host.apply(&HostEvent::SubflowUp(Subflow::default()))
        .unwrap();
    let ids: Vec<_> = host.subflows().iter().map(|s| s.id).collect();
    assert_eq!(ids, [1, 3]);
}

#[test]
fn what_cannot_go_stays_first_and_the_next_trigger_resumes_with_it() {
    let mut host = host(1, 2);
    host.apply(&HostEvent::Window {
        subflow: 1,
        packet: 1,
        open: false,
    })
    .unwrap();
    let blocked = |obstacle| Outcome::Blocked {
        subflow: 1,
        packet: 1,
        obstacle,
    };
    let outcome = trigger(&mut host, &pusher(false)).unwrap();
    assert_eq!(outcome, blocked(Obstacle::Window));
    assert_eq!(host.pending().count(), 1);
    host.conserved().unwrap();
    host.apply(&HostEvent::Window {
        subflow: 1,
        packet: 1,
        open: true,
    })
    .unwrap();
    let report = host
        .trigger(&pusher(false), FUEL, &mut NoMemory, &mut unobserved)
        .unwrap();
    assert_eq!(report.outcome, blocked(Obstacle::Memory));
    assert_eq!(
        report.statistics.executions, 0,
        "pending actions come before executions"
    );
    assert_eq!(
        trigger(&mut host, &pusher(false)).unwrap(),
        Outcome::Settled
    );
    assert!(host.packets().all(|p| p.sent_on.contains(&1)));
}

#[test]
fn a_pending_action_on_a_subflow_that_is_gone_reinjects_its_packet() {
    let mut host = host(2, 1);
    let report = host
        .trigger(&pusher(true), FUEL, &mut NoMemory, &mut unobserved)
        .unwrap();
    assert!(matches!(
        report.outcome,
        Outcome::Blocked { subflow: 2, .. }
    ));
    host.apply(&HostEvent::SubflowDies { subflow: 2 }).unwrap();
    assert!(
        seqs(&host, QueueName::Retrans).is_empty(),
        "a copy is pending on subflow 1"
    );
    trigger(&mut host, &pusher(true)).unwrap();
    assert_eq!(seqs(&host, QueueName::Retrans), [1]);
    host.conserved().unwrap();
}

#[test]
fn a_pending_action_of_an_acknowledged_packet_is_skipped() {
    let mut host = host(2, 1);
    let mut one = Memory { transmissions: 1 };
    host.trigger(&pusher(true), FUEL, &mut one, &mut unobserved)
        .unwrap();
    assert_eq!(host.pending().count(), 1);
    host.apply(&HostEvent::Acknowledged { packet: 1 }).unwrap();
    let report = host
        .trigger(&pusher(true), FUEL, &mut Memory::default(), &mut unobserved)
        .unwrap();
    assert_eq!(
        (report.statistics.skipped, report.statistics.transmissions),
        (1, 0)
    );
}

#[test]
fn fuel_is_for_executions_with_an_effect_and_without_progress() {
    for fuel in [0, 3, FUEL] {
        let mut host = host(1, 1);
        let mut executions = 0;
        let report = host
            .trigger(&counter(), fuel, &mut Memory::default(), &mut |_| {
                executions += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(report.outcome, Outcome::FuelExhausted);
        assert_eq!(executions, fuel + 1);
        assert!(host.fell_back());
        assert_eq!(seqs(&host, QueueName::Send), [1], "nothing is lost");
        assert_eq!(
            trigger(&mut host, &pusher(false)).unwrap(),
            Outcome::FuelExhausted
        );
    }
}

#[test]
fn progress_renews_the_fuel() {
    let mut host = host(1, 40);
    let report = host
        .trigger(&pusher(false), 0, &mut Memory::default(), &mut unobserved)
        .unwrap();
    assert_eq!(report.outcome, Outcome::Settled);
    assert_eq!(report.statistics.executions, 41);
    assert_eq!(report.statistics.longest_idle, 0);
}

#[test]
fn each_execution_has_the_seed_that_the_one_before_left() {
    let mut host = host(1, 3);
    let mut seeds = Vec::new();
    host.trigger(&pusher(false), FUEL, &mut Memory::default(), &mut |step| {
        if let progmp_ir::Step::Executed { before, .. } = step {
            seeds.push(before.seed);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let chain: Vec<_> = std::iter::successors(Some(7), |&seed| Some(progmp_ir::splitmix64(seed)))
        .take(4)
        .collect();
    assert_eq!(seeds, chain);
}

#[test]
fn the_program_is_shown_prefixes_that_are_refilled_between_executions() {
    let mut host = host(1, 300);
    assert_eq!(host.shown().q.len(), 256);
    let mut shown = Vec::new();
    host.trigger(&pusher(false), FUEL, &mut Memory::default(), &mut |step| {
        if let progmp_ir::Step::Executed { before, .. } = step {
            shown.push((before.q.len(), before.qu.len()));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(shown[1], (256, 1));
    assert_eq!(shown[44], (256, 44));
    assert_eq!(shown[300], (0, 256));
    assert_eq!(host.queue(QueueName::Unacked).len(), 300);
}

#[test]
fn rq_is_shown_up_to_the_first_sent_packet_that_qu_does_not_show() {
    let mut host = host(1, 6);
    trigger(&mut host, &pusher(false)).unwrap();
    for packet in [101, 401] {
        host.apply(&HostEvent::SuspectedLost { packet }).unwrap();
    }
    let shown = host.showing_at_most(3).shown();
    assert_eq!((shown.qu.len(), shown.rq.len()), (3, 1));
    shown.check().unwrap();
}

#[test]
fn a_host_made_from_a_state_shows_that_state() {
    let mut state = SchedState {
        subflows: vec![Subflow::default()],
        packets: vec![Packet::default(); 3],
        q: vec![0],
        qu: vec![2],
        rq: vec![1, 2],
        registers: [1, 2, 3, 4, 5, 6],
        time_ms: 9,
        seed: 4,
    };
    state.packets[2].sent_on = [1, 8].into();
    state.packets[0].no_window_on = [1].into();
    state.normalize();
    assert_eq!(Host::from_state(&state).unwrap().shown(), state);
}

#[test]
fn a_policy_can_only_shrink() {
    struct Shrinking;
    impl Policy for Shrinking {
        fn has_memory(&mut self, _: &Subflow, _: &Packet) -> bool {
            true
        }
        fn squeeze(&mut self, subflow: &Subflow, packet: &Packet) -> Vec<Squeeze> {
            vec![
                Squeeze::Throttle {
                    subflow: subflow.id,
                },
                Squeeze::Window {
                    subflow: subflow.id,
                    packet: packet.seq + 100,
                },
            ]
        }
    }
    let mut host = host(1, 2);
    let report = host
        .trigger(&pusher(false), FUEL, &mut Shrinking, &mut unobserved)
        .unwrap();
    assert!(matches!(
        report.outcome,
        Outcome::Blocked { packet: 101, .. }
    ));
    assert!(host.subflows()[0].throttled);
}

#[test]
fn a_host_that_loses_packets_is_noticed() {
    let dies = |subflow| HostEvent::SubflowDies { subflow };
    // A packet is sent on subflow 1, another on 1 and 2; then both die.
    let deaths = |fault: Option<Fault>| {
        let mut host = host(2, 1);
        if let Some(fault) = fault {
            host = host.with_fault(fault);
        }
        trigger(&mut host, &pusher(true)).unwrap();
        host.apply(&dies(1)).unwrap();
        host.apply(&dies(2)).unwrap();
        host.conserved()
    };
    // A packet is pending when its subflow dies.
    let pending = |fault: Option<Fault>| {
        let mut host = host(1, 1);
        if let Some(fault) = fault {
            host = host.with_fault(fault);
        }
        host.trigger(&pusher(false), FUEL, &mut NoMemory, &mut unobserved)
            .unwrap();
        host.apply(&dies(1)).unwrap();
        host.conserved()
    };
    // Subflow 2 dies with the packet pending, 1 dies having sent it before.
    let both = |fault: Option<Fault>| {
        let mut state = SchedState {
            subflows: vec![Subflow::default(), Subflow::default()],
            packets: vec![Packet::default()],
            q: vec![0],
            ..SchedState::default()
        };
        state.packets[0].sent_on = [2].into();
        state.normalize();
        let mut host = Host::from_state(&state).unwrap();
        if let Some(fault) = fault {
            host = host.with_fault(fault);
        }
        host.trigger(&pusher(false), FUEL, &mut NoMemory, &mut unobserved)
            .unwrap();
        host.apply(&dies(1)).unwrap();
        host.apply(&dies(2)).unwrap();
        host.conserved().unwrap();
        trigger(&mut host, &pusher(false)).unwrap();
        host.conserved()
    };
    // The first packet is unsent when the second is acknowledged.
    let earlier = |fault: Option<Fault>| {
        let mut state = SchedState {
            subflows: vec![Subflow::default()],
            packets: vec![Packet::default(); 2],
            q: vec![0],
            qu: vec![1],
            ..SchedState::default()
        };
        state.packets[1].sent_on = [1].into();
        state.normalize();
        let mut host = Host::from_state(&state).unwrap();
        if let Some(fault) = fault {
            host = host.with_fault(fault);
        }
        host.apply(&HostEvent::Acknowledged {
            packet: state.packets[1].seq,
        })
        .unwrap();
        host.conserved()
    };
    let blocked = |fault: Option<Fault>| {
        let mut host = host(1, 1);
        if let Some(fault) = fault {
            host = host.with_fault(fault);
        }
        host.trigger(&pusher(false), FUEL, &mut NoMemory, &mut unobserved)
            .unwrap();
        host.conserved()
    };
    for sound in [
        deaths(None),
        pending(None),
        both(None),
        earlier(None),
        blocked(None),
    ] {
        sound.unwrap();
    }
    deaths(Some(Fault::ForgetsReinjectionOnDeath)).unwrap_err();
    deaths(Some(Fault::CountsDeadCopies)).unwrap_err();
    pending(Some(Fault::DiscardsPendingOnDeath)).unwrap_err();
    both(Some(Fault::SkipsPendingOnDeadSubflow)).unwrap_err();
    earlier(Some(Fault::AcknowledgesAllEarlier)).unwrap_err();
    blocked(Some(Fault::DiscardsBlockedAction)).unwrap_err();
}

#[test]
fn a_host_that_breaks_a_fact_is_noticed() {
    let run = |fault| {
        let mut state = SchedState {
            subflows: vec![Subflow::default(), Subflow::default()],
            packets: vec![Packet::default(); 3],
            q: vec![0, 1, 2],
            ..SchedState::default()
        };
        state.packets[0].sent_on = [2].into();
        state.packets[2].no_window_on = [2].into();
        state.subflows[0].queued = 5;
        state.normalize();
        let mut host = Host::from_state(&state).unwrap().with_fault(fault);
        trigger(&mut host, &pusher(false))?;
        host.apply(&HostEvent::Acknowledged {
            packet: state.packets[0].seq,
        })
    };
    let error = |fault| run(fault).unwrap_err();
    assert!(matches!(
        error(Fault::ReopensWindows),
        HostError::WindowReopened { subflow: 2, .. }
    ));
    assert!(matches!(
        error(Fault::MovesTime),
        HostError::TimeMoved { from: 0, to: 1 }
    ));
    assert!(matches!(
        error(Fault::ForgetsQueued),
        HostError::WindowGrew { subflow: 1 }
    ));
    assert!(matches!(
        error(Fault::ForgetsSentOn),
        HostError::Unsent { subflow: 2, .. }
    ));
    assert!(matches!(
        error(Fault::KeepsAcknowledged),
        HostError::Acknowledged { queue: "QU", .. }
    ));

    let mut state = SchedState {
        packets: vec![Packet::default()],
        q: vec![0],
        ..SchedState::default()
    };
    state.packets[0].sent_on = [1].into();
    state.normalize();
    let mut host = Host::from_state(&state)
        .unwrap()
        .with_fault(Fault::ReinjectsFromQ);
    let packet = state.packets[0].seq;
    let error = host
        .apply(&HostEvent::SuspectedLost { packet })
        .unwrap_err();
    assert!(matches!(error, HostError::Shown(_)), "{error}");
}

#[test]
fn writes_and_subflows_end_where_their_numbers_end() {
    let mut state = SchedState {
        subflows: vec![Subflow {
            id: (1 << 32) - 1,
            ..Subflow::default()
        }],
        packets: vec![Packet {
            seq: u64::MAX,
            ..Packet::default()
        }],
        q: vec![0],
        ..SchedState::default()
    };
    state.normalize();
    let mut host = Host::from_state(&state).unwrap();
    assert_eq!(host.apply(&write(1)), Err(HostError::NoSequenceNumber));
    let up = HostEvent::SubflowUp(Subflow::default());
    assert_eq!(host.apply(&up), Err(HostError::NoSubflowId));
    assert_eq!(host.shown(), state);
}
