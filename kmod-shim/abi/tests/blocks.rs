//! States go into blocks and come back; what is not well-formed is found.

use progmp_abi::layout::{self, block, packet, subflow};
use progmp_abi::{Block, Decision, Error, Outcome, fill, well_formed};
use progmp_generate::{Choices, Sizes, state_of};
use progmp_ir::{Needs, Packet, Program, SchedState, Subflow, execute};

fn subflows(count: usize) -> Vec<Subflow> {
    (0..count)
        .map(|index| Subflow {
            id: index as u64 + 1,
            ..Subflow::default()
        })
        .collect()
}

fn packets(count: usize) -> Vec<Packet> {
    (0..count)
        .map(|index| Packet {
            seq: index as u64 + 1,
            ..Packet::default()
        })
        .collect()
}

/// Two subflows, one packet in Q, two in QU of which one is in RQ.
fn small() -> SchedState {
    let mut state = SchedState {
        subflows: subflows(2),
        packets: packets(3),
        q: vec![2],
        qu: vec![0, 1],
        rq: vec![1],
        ..SchedState::default()
    };
    state.packets[1].sent_on.insert(2);
    state.packets[1].no_window_on.insert(1);
    state
}

/// All of `source`'s properties are generated.
fn everything() -> Needs {
    let source = "SET(R1, SUBFLOWS.SUM(s => s.RTT + s.RTT_VAR + s.CWND + s.USER));
        IF (SUBFLOWS.FILTER(s => s.LOSSY OR s.STALE OR s.IS_BACKUP OR s.THROTTLED).EMPTY) { RETURN; }
        VAR p = Q.FILTER(p => p.PSH AND p.LENGTH > 1 AND p.USER > 1 AND SUBFLOWS.TOP.HAS_WINDOW_FOR(p)).TOP;
        IF (p.SENT_ON_ALL) { SUBFLOWS.TOP.SET_USER(CURRENT_TIME_MS + RANDOM); }";
    let program = progmp_syntax::parse("all", source.as_bytes(), &[])
        .program
        .expect("it is correct");
    Needs::of(&program)
}

#[test]
fn every_generated_state_makes_a_well_formed_block() {
    let needs = everything();
    for seed in 0..200 {
        let mut choices = Choices::from_seed(seed);
        let sizes = Sizes {
            subflows: 32,
            packets: 700,
        };
        let state = state_of(&mut choices, &needs, sizes);
        let filled = fill(&state).expect("the state is possible");
        assert_eq!(well_formed(&filled.block), Ok(()), "seed {seed}");
    }
}

#[test]
fn a_run_without_effect_reads_back_as_the_state() {
    let needs = everything();
    for seed in 0..100 {
        let state = state_of(&mut Choices::from_seed(seed), &needs, Sizes::default());
        let mut filled = fill(&state).expect("the state is possible");
        filled.block.put_u32(block::STATUS, layout::DONE);
        let nothing = execute(&Program::default(), &state);
        let outcome = filled.read_back().expect("the run is done");
        assert_eq!(outcome, Outcome::of(&nothing, &state), "seed {seed}");
    }
}

#[test]
fn three_full_queues_fit() {
    let state = SchedState {
        packets: packets(768),
        q: (0..256).collect(),
        qu: (256..512).collect(),
        rq: (512..768).collect(),
        subflows: subflows(32),
        ..SchedState::default()
    };
    let filled = fill(&state).expect("the state is possible");
    assert_eq!(well_formed(&filled.block), Ok(()));
    assert_eq!(filled.block.u64(block::LIVE), u64::from(u32::MAX));
}

#[test]
fn packets_in_no_queue_have_no_record() {
    let mut state = small();
    state.packets = packets(2_000);
    state.q = vec![1_999];
    state.packets[0].sent_on.clear();
    let filled = fill(&state).expect("the state is possible");
    assert_eq!(filled.packets, [0, 1, 1_999]);
    assert_eq!(well_formed(&filled.block), Ok(()));
}

#[test]
fn states_that_do_not_fit_are_refused() {
    let state = SchedState {
        subflows: subflows(33),
        ..SchedState::default()
    };
    let too_many = Error::TooManySubflows { subflows: 33 };
    assert_eq!(fill(&state).err(), Some(too_many));
    let state = SchedState {
        q: vec![0],
        ..SchedState::default()
    };
    assert!(matches!(fill(&state), Err(Error::State(_))));
}

#[test]
fn actions_are_read_in_order() {
    let mut filled = fill(&small()).expect("the state is possible");
    let put = |block: &mut Block, index: usize, word: u32| {
        block.put_u32(block::ACTION + 4 * index, word);
    };
    put(&mut filled.block, 0, layout::PUSH << 24 | 1 << 16 | 2);
    put(&mut filled.block, 1, layout::DROP << 24 | 1);
    filled.block.put_u32(block::ACTION_COUNT, 2);
    filled.block.put_u32(block::STATUS, layout::DONE);
    let outcome = filled.read_back().expect("the run is done");
    let push = Decision::Push {
        subflow: 1,
        packet: 2,
    };
    assert_eq!(outcome.actions, [push, Decision::Drop { packet: 1 }]);

    for word in [
        0,
        layout::PUSH << 24 | 2 << 16,
        layout::PUSH << 24 | 3,
        layout::DROP << 24 | 1 << 16,
        3 << 24,
        u32::MAX,
    ] {
        put(&mut filled.block, 1, word);
        let bad = Error::BadAction { index: 1, word };
        assert_eq!(filled.read_back().err(), Some(bad));
    }
    filled.block.put_u32(block::ACTION_COUNT, 1_025);
    let error = filled.read_back().err();
    assert_eq!(error, Some(Error::TooManyActions { count: 1_025 }));
}

#[test]
fn a_run_that_did_not_end_says_nothing() {
    let mut filled = fill(&small()).expect("the state is possible");
    for status in [layout::STARTED, layout::ABORTED, 7] {
        filled.block.put_u32(block::STATUS, status);
        assert_eq!(filled.read_back().err(), Some(Error::NotDone { status }));
    }
}

#[test]
fn a_queue_of_unknown_packets_is_refused() {
    let mut filled = fill(&small()).expect("the state is possible");
    filled.block.put_u32(block::STATUS, layout::DONE);
    filled.block.insert(block::QUEUE, 3);
    let error = filled.read_back().err();
    assert_eq!(error, Some(Error::BadQueue { queue: "Q" }));
}

#[test]
fn every_rule_is_checked() {
    let whole = fill(&small()).expect("the state is possible").block;
    assert_eq!(well_formed(&whole), Ok(()));
    let first = block::SUBFLOW;
    let record = block::PACKET;
    let breaks: &[(&str, usize, u64)] = &[
        ("W1", block::STATUS, 1),
        ("W1", block::ACTION_COUNT, 1),
        ("W1", block::PRINT_COUNT, 1),
        ("W2", block::ZERO, 1),
        ("W2", block::ONE, 0),
        ("W2", block::INF, 0),
        ("W2", block::LOWEST, 0x0101_0101_0101_0101),
        ("W3", block::SUBFLOW_COUNT, 33),
        ("W3", block::LIVE, 7),
        ("W4", block::LOSSY, 4),
        ("W4", block::IS_BACKUP, 1 << 32),
        ("W5", first + subflow::QUEUED, 0),
        ("W5", first + subflow::QUEUED, 2 << 32),
        ("W6", first + subflow::RTT, 1 << 40),
        ("W6", first + subflow::RTT, 11_000),
        ("W6", first + subflow::PACING_RATE, 1 << 48),
        ("W6", block::TIME_MS, 1 << 48),
        ("W7", block::SIZE_AT, 769 << 32 | block::BYTES as u64),
        ("W7", record + packet::BYTES, 1),
        ("W8", record + packet::LENGTH, 2 << 32),
        ("W8", record + packet::SENT_ON, 4),
        ("W8", record + packet::SENT_ON, 4 << 32),
        ("W9", block::QUEUE, 0),
        ("W9", block::QUEUE + 16, 1),
        ("W10", block::QUEUE + 8, 5),
    ];
    for &(wanted, offset, value) in breaks {
        let mut broken = whole.clone();
        broken.put_u64(offset, value);
        match well_formed(&broken) {
            Err(Error::NotWellFormed { rule, .. }) => assert_eq!(rule, wanted, "at {offset}"),
            other => panic!("{wanted} at {offset}: {other:?}"),
        }
    }
    let mut old = whole.clone();
    old.put_u32(block::VERSION_AT, 0);
    assert!(matches!(
        well_formed(&old),
        Err(Error::Version { version: 0, .. })
    ));
    assert_eq!(Block::from_bytes(&[0; 7]), Err(Error::Length { bytes: 7 }));
    assert_eq!(Block::from_bytes(whole.bytes()), Ok(whole));
}
