//! Small programs by hand: what may pass passes, what may not is named. Ranges against actual words.

use progmp_abi::layout::{self, block};
use proptest::prelude::*;

use super::measure::bound;
use super::range::{Range, Ranges};
use super::refine::narrowed;
use super::safety::Facts;
use super::*;
use crate::ebpf::arith::{binary, holds, move_signed, negate, reorder};
use crate::ebpf::{BinaryOp, Byteorder, Code, Cond, Numbers, decode};

/// One slot.
fn slot(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> [u8; 8] {
    let mut bytes = [opcode, src << 4 | dst, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&offset.to_le_bytes());
    bytes[4..].copy_from_slice(&imm.to_le_bytes());
    bytes
}

fn offset(of: usize) -> i16 {
    i16::try_from(of).expect("members of the block are near")
}

fn imm(of: usize) -> i32 {
    i32::try_from(of).expect("the block is small")
}

const MOV: u8 = 0xb7;
const MOV_R: u8 = 0xbf;
const ADD: u8 = 0x07;
const ADD_R: u8 = 0x0f;
const SUB: u8 = 0x17;
const AND: u8 = 0x57;
const AND_R: u8 = 0x5f;
const OR_R: u8 = 0x4f;
const XOR_R: u8 = 0xaf;
const NEG: u8 = 0x87;
const LSH: u8 = 0x67;
const RSH: u8 = 0x77;
const LOAD: u8 = 0x79;
const LOAD_BYTE: u8 = 0x71;
const STORE: u8 = 0x7b;
const STORE_BYTE: u8 = 0x73;
const STORE_WORD_IMM: u8 = 0x62;
const JUMP: u8 = 0x05;
const JEQ: u8 = 0x15;
const JNE: u8 = 0x55;
const JGE: u8 = 0x35;
const JGE_R: u8 = 0x3d;
const JGE_32: u8 = 0x36;
const MAY_GOTO: u8 = 0xe5;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

fn code(slots: &[[u8; 8]]) -> Code {
    decode(&slots.concat()).expect("these are instructions")
}

/// The body behind `r0 = r9 = block`, in front of `status = 1; r0 = 0; exit`, which has 3 slots, and
/// of the same with 2.
fn judged(body: &[[u8; 8]]) -> Result<Safety, Unsafe> {
    let start = [
        slot(0x18, 9, 2, 0, 0),
        slot(0, 0, 0, 0, 0),
        slot(MOV_R, 0, 9, 0, 0),
    ];
    let end = |status| [said(status), slot(MOV, 0, 0, 0, 0), slot(EXIT, 0, 0, 0, 0)];
    safe(
        &code(&[&start, body, &end(1), &end(2)].concat()),
        Entry::TestRun,
    )
}

/// `status = value`
fn said(value: i32) -> [u8; 8] {
    slot(STORE_WORD_IMM, 9, 0, offset(block::STATUS), value)
}

fn fault(body: &[[u8; 8]]) -> Fault {
    judged(body).expect_err("this is not safe").fault
}

fn cycle(body: &[[u8; 8]]) -> Cycle {
    let safety = judged(body).expect("this is safe");
    let [cycle] = safety.bound.cycles[..] else {
        panic!("one cycle, not {:?}", safety.bound.cycles);
    };
    cycle
}

#[test]
fn loads_stay_in_the_block() {
    let last = |extra: usize| {
        let at = offset(block::BYTES / 2);
        let rest = imm(block::BYTES / 2 - 8 + extra);
        [
            slot(MOV_R, 1, 0, 0, 0),
            slot(ADD, 1, 0, 0, rest),
            slot(LOAD, 2, 1, at, 0),
        ]
    };
    assert!(judged(&last(0)).is_ok());
    let outside = Fault::OutOfBounds {
        region: "block",
        bytes: 8,
    };
    assert_eq!(fault(&last(1)), outside);
    assert_eq!(fault(&[slot(LOAD, 2, 0, -1, 0)]), outside);
}

#[test]
fn an_index_has_to_be_masked() {
    let indexed = |mask: [u8; 8]| {
        let at = offset(block::SUBFLOW);
        [
            slot(LOAD, 1, 0, 0, 0),
            mask,
            slot(LSH, 1, 0, 0, 7),
            slot(MOV_R, 2, 0, 0, 0),
            slot(ADD_R, 2, 1, 0, 0),
            slot(LOAD, 3, 2, at, 0),
        ]
    };
    assert!(judged(&indexed(slot(AND, 1, 0, 0, 31))).is_ok());
    assert!(judged(&indexed(slot(AND, 1, 0, 0, 1 << 11))).is_err());
    assert!(judged(&indexed(slot(OR_R, 1, 1, 0, 0))).is_err());
    // A comparison does as well.
    let compared = |limit| {
        let at = offset(block::SUBFLOW);
        [
            slot(LOAD, 1, 0, 0, 0),
            slot(JGE, 1, 0, 4, limit),
            slot(LSH, 1, 0, 0, 7),
            slot(MOV_R, 2, 0, 0, 0),
            slot(ADD_R, 2, 1, 0, 0),
            slot(LOAD, 3, 2, at, 0),
        ]
    };
    assert!(judged(&compared(32)).is_ok());
    assert!(judged(&compared(1 << 10)).is_err());
}

#[test]
fn stores_stay_in_the_writable_part() {
    let last = offset(layout::WRITABLE - 8);
    assert!(judged(&[slot(MOV, 1, 0, 0, 5), slot(STORE, 0, 1, last, 0)]).is_ok());
    let behind = [slot(MOV, 1, 0, 0, 5), slot(STORE, 0, 1, last + 1, 0)];
    assert_eq!(fault(&behind), Fault::ReadOnly { bytes: 8 });
}

#[test]
fn addresses_do_not_get_out() {
    let stored = [slot(STORE, 0, 0, 0, 0)];
    assert_eq!(fault(&stored), Fault::Address("stored in the block"));
    assert_eq!(
        fault(&[slot(MOV, 1, 0, 0, 3), slot(AND_R, 0, 1, 0, 0)]),
        Fault::Address("an operand")
    );
    assert_eq!(
        fault(&[slot(STORE, 10, 0, -8, 0), slot(LOAD_BYTE, 1, 10, -5, 0)]),
        Fault::Address("read in pieces")
    );
    let torn = [
        slot(STORE, 10, 0, -8, 0),
        slot(MOV, 1, 0, 0, 3),
        slot(STORE_BYTE, 10, 1, -5, 0),
    ];
    assert_eq!(fault(&torn), Fault::Address("overwritten in pieces"));
    assert_eq!(fault(&[slot(JEQ, 0, 0, 0, 0)]), Fault::Address("compared"));
    let returned = [
        slot(0x18, 0, 2, 0, 0),
        slot(0, 0, 0, 0, 0),
        slot(EXIT, 0, 0, 0, 0),
    ];
    let refused = safe(&code(&returned), Entry::TestRun).map_err(|error| error.fault);
    assert_eq!(refused, Err(Fault::Address("an operand")));
}

#[test]
fn what_was_never_written_is_not_read() {
    let register = Fault::Unset(Held::Register(3));
    assert_eq!(fault(&[slot(MOV_R, 1, 3, 0, 0)]), register);
    let stack = Fault::Unset(Held::Stack);
    assert_eq!(fault(&[slot(LOAD, 1, 10, -8, 0)]), stack);
    let half = [
        slot(MOV, 1, 0, 0, 3),
        slot(0x63, 10, 1, -8, 0),
        slot(LOAD, 1, 10, -8, 0),
    ];
    assert_eq!(fault(&half), stack);
    // Written on one of two ways.
    let one_way = [
        slot(LOAD, 1, 0, 0, 0),
        slot(JEQ, 1, 0, 1, 0),
        slot(STORE, 10, 1, -8, 0),
        slot(LOAD, 1, 10, -8, 0),
    ];
    assert_eq!(fault(&one_way), stack);
}

#[test]
fn the_stack_ends() {
    let written = |at| [slot(MOV, 1, 0, 0, 3), slot(STORE, 10, 1, at, 0)];
    let safety = judged(&written(-512)).expect("the frame has 512 bytes");
    assert_eq!(safety.stack_bytes, 512);
    let outside = Fault::OutOfBounds {
        region: "stack",
        bytes: 8,
    };
    assert_eq!(fault(&written(-513)), outside);
    assert_eq!(fault(&written(-7)), outside);
}

#[test]
fn only_the_shims_programs_call_and_only_for_the_block() {
    let program = |size: usize, register: u8, test: u8| {
        code(&[
            slot(LOAD, 1, 1, 0, 0),
            slot(MOV, 2, 0, 0, imm(size)),
            slot(CALL, 0, 2, 0, 0),
            slot(test, 0, 0, 1, 0),
            slot(EXIT, 0, 0, 0, 0),
            slot(LOAD, register, 0, 8, 0),
            slot(MOV, 0, 0, 0, 0),
            slot(EXIT, 0, 0, 0, 0),
        ])
    };
    let judged = |program: &Code, entry| safe(program, entry).map_err(|error| error.fault);
    let right = program(block::BYTES, 6, JNE);
    assert!(judged(&right, Entry::Shim).is_ok());
    let no_context = Fault::Unset(Held::Register(1));
    assert_eq!(judged(&right, Entry::TestRun), Err(no_context));
    let larger = program(block::BYTES + 1, 6, JNE);
    assert_eq!(judged(&larger, Entry::Shim), Err(Fault::Call));
    // The test the wrong way round: NULL is used, the block's address returned.
    let wrong = judged(&program(block::BYTES, 6, JEQ), Entry::Shim);
    assert_eq!(wrong, Err(Fault::Address("an operand")));
    // A call loses r1 to r5.
    let clobbered = code(&[
        slot(LOAD, 1, 1, 0, 0),
        slot(MOV, 2, 0, 0, imm(block::BYTES)),
        slot(CALL, 0, 2, 0, 0),
        slot(MOV_R, 0, 2, 0, 0),
        slot(EXIT, 0, 0, 0, 0),
    ]);
    let lost = Fault::Unset(Held::Register(2));
    assert_eq!(judged(&clobbered, Entry::Shim), Err(lost));
    assert_eq!(fault(&[slot(CALL, 0, 0, 0, 7)]), Fault::Call);
}

#[test]
fn a_counter_runs_out() {
    let counted = |test: [u8; 8], step: [u8; 8]| {
        [
            slot(LOAD, 2, 0, 0, 0),
            slot(AND, 2, 0, 0, 63),
            slot(MOV, 1, 0, 0, 0),
            test,
            step,
            slot(JUMP, 0, 0, -3, 0),
        ]
    };
    let by_one = slot(ADD, 1, 0, 0, 1);
    let found = cycle(&counted(slot(JGE, 1, 0, 2, 10), by_one));
    assert_eq!(found.measure, Measure::Counter(1));
    assert!((10..=13).contains(&found.passes), "{found:?}");
    // A limit from memory is known as far as it is masked.
    let found = cycle(&counted(slot(JGE_R, 1, 2, 2, 0), by_one));
    assert!((63..=67).contains(&found.passes), "{found:?}");
    for (test, step) in [
        // Goes nowhere, goes down, wraps around.
        (slot(JGE, 1, 0, 2, 10), slot(ADD, 1, 0, 0, 0)),
        (slot(JGE, 1, 0, 2, 10), slot(SUB, 1, 0, 0, 1)),
        (slot(JGE, 1, 0, 2, -1), slot(ADD, 1, 0, 0, 2)),
        // Another register; the lower half only.
        (slot(JGE, 1, 0, 2, 10), slot(ADD, 2, 0, 0, 1)),
        (slot(JGE_32, 1, 0, 2, 10), by_one),
    ] {
        assert_eq!(fault(&counted(test, step)), Fault::Endless);
    }
}

#[test]
fn a_counter_may_live_on_the_stack() {
    let found = cycle(&[
        slot(MOV, 1, 0, 0, 0),
        slot(STORE, 10, 1, -8, 0),
        slot(LOAD, 2, 10, -8, 0),
        slot(JGE, 2, 0, 4, 7),
        slot(LOAD, 3, 10, -8, 0),
        slot(ADD, 3, 0, 0, 1),
        slot(STORE, 10, 3, -8, 0),
        slot(JUMP, 0, 0, -6, 0),
    ]);
    assert_eq!(found.measure, Measure::Counter(2));
}

#[test]
fn members_run_out() {
    let walk = |combine: u8| {
        [
            slot(LOAD, 1, 0, 0, 0),
            slot(AND, 1, 0, 0, 0xff),
            slot(JEQ, 1, 0, 5, 0),
            slot(MOV_R, 2, 1, 0, 0),
            slot(NEG, 2, 0, 0, 0),
            slot(AND_R, 2, 1, 0, 0),
            slot(combine, 1, 2, 0, 0),
            slot(JUMP, 0, 0, -6, 0),
        ]
    };
    let found = cycle(&walk(XOR_R));
    assert_eq!(found.measure, Measure::Members(1));
    assert!((8..=10).contains(&found.passes), "{found:?}");
    assert_eq!(fault(&walk(OR_R)), Fault::Endless);
    assert_eq!(fault(&walk(AND_R)), Fault::Endless);
    let shifted = [
        slot(LOAD, 1, 0, 0, 0),
        slot(JEQ, 1, 0, 2, 0),
        slot(RSH, 1, 0, 0, 1),
        slot(JUMP, 0, 0, -3, 0),
    ];
    assert_eq!(cycle(&shifted).measure, Measure::Length(1));
}

#[test]
fn the_kernel_counts_what_else_goes_around() {
    let around = [slot(MAY_GOTO, 0, 0, 4, 0), slot(JUMP, 0, 0, -2, 0)];
    let found = cycle(&around);
    assert_eq!(found.measure, Measure::Budget);
    assert_eq!(fault(&[slot(JUMP, 0, 0, -1, 0)]), Fault::Endless);
    // One that does not lead out is no help.
    let inside = [slot(MAY_GOTO, 0, 0, 0, 0), slot(JUMP, 0, 0, -2, 0)];
    assert_eq!(fault(&inside), Fault::Endless);
}

#[test]
fn rounds_of_nested_loops_multiply() {
    let nested = judged(&[
        slot(MOV, 1, 0, 0, 0),
        slot(JGE, 1, 0, 6, 10),
        slot(MOV, 2, 0, 0, 0),
        slot(JGE, 2, 0, 2, 20),
        slot(ADD, 2, 0, 0, 1),
        slot(JUMP, 0, 0, -3, 0),
        slot(ADD, 1, 0, 0, 1),
        slot(JUMP, 0, 0, -7, 0),
    ]);
    let bound = nested.expect("both counters run out").bound;
    let tests: Vec<usize> = bound.cycles.iter().map(|cycle| cycle.test).collect();
    assert_eq!(tests, [4, 6]);
    // 10 rounds of 20 rounds of 3 instructions, and a few.
    assert!((600..1_500).contains(&bound.steps), "{}", bound.steps);
}

#[test]
fn nothing_foreign_passes() {
    let atomic = [slot(MOV, 1, 0, 0, 0), slot(0xdb, 0, 1, 0, 0)];
    assert_eq!(fault(&atomic), Fault::Foreign("atomic instructions"));
    let other_map = [slot(0x18, 1, 2, 0, 3), slot(0, 0, 0, 0, 0)];
    assert!(matches!(fault(&other_map), Fault::Foreign(_)));
    assert_eq!(
        fault(&[slot(MOV, 1, 0, 0, 3), slot(LOAD, 2, 1, 0, 0)]),
        Fault::NoAddress(1)
    );
}

/// Words that are near to where something happens.
fn word() -> impl Strategy<Value = u64> {
    let edge = prop_oneof![
        Just(0),
        Just(1 << 31),
        Just(1 << 32),
        Just(1 << 63),
        Just(u64::MAX)
    ];
    prop_oneof![
        any::<u64>(),
        0..200_u64,
        (edge, 0..3_u64).prop_map(|(at, by)| at.wrapping_add(by)),
        (0..64_u32).prop_map(|bit| 1 << bit),
    ]
}

/// A range, and a word in it.
fn range() -> impl Strategy<Value = (Range, u64)> {
    let words = proptest::collection::vec(word(), 1..4);
    words.prop_map(|words| {
        let ranges = words.iter().map(|&word| Range::exactly(word));
        let range = ranges.reduce(Range::join).expect("there is a word");
        (range.tightened().expect("it holds a word"), words[0])
    })
}

const OPS: [BinaryOp; 14] = [
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::DivideSigned,
    BinaryOp::Remainder,
    BinaryOp::RemainderSigned,
    BinaryOp::Or,
    BinaryOp::And,
    BinaryOp::Xor,
    BinaryOp::ShiftLeft,
    BinaryOp::ShiftRight,
    BinaryOp::ShiftRightSigned,
    BinaryOp::Move,
];

const CONDS: [Cond; 11] = [
    Cond::Equal,
    Cond::NotEqual,
    Cond::BitsInCommon,
    Cond::Above,
    Cond::AboveOrEqual,
    Cond::Below,
    Cond::BelowOrEqual,
    Cond::Greater,
    Cond::GreaterOrEqual,
    Cond::Less,
    Cond::LessOrEqual,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn ranges_hold_every_result((a, x) in range(), (b, y) in range()) {
        for wide in [false, true] {
            for op in OPS {
                let result = binary(&mut Numbers, op, wide, &x, &y);
                let held = binary(&mut Ranges, op, wide, &a, &b);
                prop_assert!(held.holds(result), "{op:?} {wide} {x:#x} {y:#x}: {held:x?}");
            }
            let (result, held) = (negate(&mut Numbers, wide, &x), negate(&mut Ranges, wide, &a));
            prop_assert!(held.holds(result));
            for bits in [8, 16, 32] {
                let result = move_signed(&mut Numbers, bits, wide, &x);
                prop_assert!(move_signed(&mut Ranges, bits, wide, &a).holds(result));
            }
        }
        for bits in [16, 32, 64] {
            for order in [Byteorder::ToLittle, Byteorder::ToBig, Byteorder::Swap] {
                let result = reorder(&mut Numbers, order, bits, &x);
                prop_assert!(reorder(&mut Ranges, order, bits, &a).holds(result));
            }
        }
    }

    #[test]
    fn comparisons_narrow_to_what_came_out((a, x) in range(), (b, y) in range()) {
        for wide in [false, true] {
            for cond in CONDS {
                let taken = holds(&mut Numbers, cond, wide, &x, &y);
                let kept = narrowed(cond, wide, taken, a, b);
                let kept = kept.is_some_and(|(a, b)| a.holds(x) && b.holds(y));
                prop_assert!(kept, "{cond:?} {wide} {x:#x} {y:#x}");
            }
        }
    }

    #[test]
    fn joins_hold_the_words_of_both((a, x) in range(), (b, y) in range()) {
        for both in [a.join(b), a.widen(b)] {
            prop_assert!(both.holds(x) && both.holds(y));
        }
        if let Some(meet) = a.meet(b) {
            prop_assert!(!(a.holds(y) && b.holds(y)) || meet.holds(y));
        } else {
            prop_assert!(!a.holds(y) && !b.holds(x));
        }
        if x != y && let Some(rest) = a.without(y) {
            prop_assert!(rest.holds(x));
        }
    }
}

#[test]
fn a_spent_budget_ends_no_counted_loop() {
    // 1,000 rounds, in each of which a loop has to ask the kernel.
    let nested = code(&[
        slot(MOV, 1, 0, 0, 0),
        slot(JGE, 1, 0, 5, 1_000),
        slot(ADD, 1, 0, 0, 1),
        slot(MAY_GOTO, 0, 0, 2, 0),
        slot(MOV, 2, 0, 0, 0),
        slot(JUMP, 0, 0, -3, 0),
        slot(JUMP, 0, 0, -6, 0),
        slot(MOV, 0, 0, 0, 0),
        slot(EXIT, 0, 0, 0, 0),
    ]);
    let facts = Facts::of(&nested, Entry::TestRun).expect("it touches no memory");
    let bound = bound(&nested, &facts).expect("both loops end");
    // Every round of the budget takes 3 instructions, then every counted one takes 4.
    assert!(bound.steps >= 3 * (8 << 20) + 4 * 1_000, "{}", bound.steps);
}

#[test]
fn every_run_says_how_it_ended() {
    let start = [slot(0x18, 9, 2, 0, 0), slot(0, 0, 0, 0, 0)];
    let ended = |body: &[[u8; 8]]| {
        let result = safe(&code(&[&start, body].concat()), Entry::TestRun);
        result.map(|_| ()).map_err(|error| error.fault)
    };
    let zero = slot(MOV, 0, 0, 0, 0);
    let exit = slot(EXIT, 0, 0, 0, 0);
    for status in [1, 2] {
        assert_eq!(ended(&[said(status), zero, exit]), Ok(()));
    }
    for body in [
        &[zero, exit][..],
        &[said(3), zero, exit],
        // On one of two ways.
        &[
            slot(LOAD, 1, 9, 0, 0),
            slot(JEQ, 1, 0, 1, 0),
            said(1),
            zero,
            exit,
        ],
        // Something may be written over it.
        &[
            said(1),
            slot(LOAD, 1, 9, 0, 0),
            slot(AND, 1, 0, 0, 0x3ff),
            slot(ADD_R, 9, 1, 0, 0),
            slot(STORE, 9, 1, 0, 0),
            zero,
            exit,
        ],
    ] {
        assert_eq!(ended(body), Err(Fault::Unsaid));
    }
    let one = slot(MOV, 0, 0, 0, 1);
    assert_eq!(ended(&[said(1), one, exit]), Err(Fault::Result));
}

#[test]
fn a_run_whose_budget_was_spent_does_not_count() {
    // Where the loop ends, or where the run was aborted.
    let left = |to: i16| {
        [
            slot(LOAD, 1, 0, 0, 0),
            slot(MAY_GOTO, 0, 0, to, 0),
            slot(JEQ, 1, 0, 2, 0),
            slot(RSH, 1, 0, 0, 1),
            slot(JUMP, 0, 0, -4, 0),
        ]
    };
    assert!(judged(&left(6)).is_ok());
    assert_eq!(fault(&left(3)), Fault::Spent);
}
