//! Small programs by hand, with results worked out by hand.

use super::*;

/// One slot.
fn slot(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Vec<u8> {
    let mut bytes = vec![opcode, src << 4 | dst];
    bytes.extend(offset.to_le_bytes());
    bytes.extend(imm.to_le_bytes());
    bytes
}

fn exit() -> Vec<u8> {
    slot(0x95, 0, 0, 0, 0)
}

fn limits() -> Limits {
    Limits {
        fuel: 10_000,
        loop_budget: 5,
    }
}

/// Runs slots on a block of 16 bytes, of which 8 may be written; helper 7 doubles r1.
fn run_on(block: &mut [u8; 16], slots: &[Vec<u8>]) -> Result<Halt, Trapped> {
    let code = decode(&slots.concat()).expect("these are instructions");
    let mut double = |callee, [first, ..]: [Option<u64>; 5]| match callee {
        Callee::Helper(7) => Some(2 * first?),
        _ => None,
    };
    let environment = Environment {
        block,
        writable: 8,
        context: &[9; 4],
        answer: &mut double,
    };
    run(&code, environment, limits())
}

fn result(slots: &[Vec<u8>]) -> Result<u64, Trap> {
    let halt = run_on(&mut [0; 16], slots);
    halt.map(|halt| halt.result).map_err(|trapped| trapped.trap)
}

/// `r0 = a; r1 = b; r0 op= r1` or the 32-bit form.
fn binary_of(opcode: u8, offset: i16, a: u64, b: u64) -> u64 {
    let load = |register, value: u64| {
        let (low, high) = ((value << 32).cast_signed() >> 32, value.cast_signed() >> 32);
        let half = |half: i64| i32::try_from(half).expect("32 bits are left");
        [
            slot(0x18, register, 0, 0, half(low)),
            slot(0, 0, 0, 0, half(high)),
        ]
        .concat()
    };
    let slots = [
        load(0, a),
        load(1, b),
        slot(opcode, 0, 1, offset, 0),
        exit(),
    ];
    result(&slots).expect("arithmetic is total")
}

const MIN64: u64 = 1 << 63;
const MINUS_ONE: u64 = u64::MAX;
const MINUS_SEVEN: u64 = u64::MAX - 6;

#[test]
fn arithmetic_in_64_bits_is_that_of_the_standard() {
    for (opcode, offset, a, b, expected) in [
        (0x0f, 0, MINUS_ONE, 2, 1),
        (0x1f, 0, 1, 2, MINUS_ONE),
        (0x2f, 0, 1 << 63, 2, 0),
        (0x3f, 0, MINUS_SEVEN, 2, 0x7fff_ffff_ffff_fffc),
        (0x3f, 0, 7, 0, 0),
        (0x3f, 1, MINUS_SEVEN, 2, u64::MAX - 2),
        (0x3f, 1, MIN64, MINUS_ONE, MIN64),
        (0x3f, 1, 7, 0, 0),
        (0x9f, 0, 7, 0, 7),
        (0x9f, 0, 7, 4, 3),
        (0x9f, 1, MINUS_SEVEN, 2, MINUS_ONE),
        (0x9f, 1, 7, MINUS_SEVEN + 4, 1),
        (0x9f, 1, MIN64, MINUS_ONE, 0),
        (0x9f, 1, MINUS_SEVEN, 0, MINUS_SEVEN),
        (0x6f, 0, 1, 65, 2),
        (0x7f, 0, MIN64, 63, 1),
        (0xcf, 0, MIN64, 63, MINUS_ONE),
        (0xbf, 8, 0, 0x80, 0xffff_ffff_ffff_ff80),
        (0xbf, 32, 0, 0x8000_0000, 0xffff_ffff_8000_0000),
    ] {
        assert_eq!(
            binary_of(opcode, offset, a, b),
            expected,
            "{opcode:#x} {offset} {a:#x} {b:#x}"
        );
    }
}

#[test]
fn arithmetic_in_32_bits_clears_the_upper_half() {
    for (opcode, offset, a, b, expected) in [
        (0x0c, 0, MINUS_ONE, 2, 1),
        (0x1c, 0, 1, 2, 0xffff_ffff),
        (0x3c, 0, 0xf_0000_0007, 0xf_0000_0000, 0),
        (0x3c, 1, 0x8000_0000, MINUS_ONE, 0x8000_0000),
        (0x9c, 0, 0xf_0000_0007, 1 << 32, 7),
        (0x9c, 1, 0xffff_fff9, 2, 0xffff_ffff),
        (0x6c, 0, 1, 33, 2),
        (0x7c, 0, 0xf_8000_0000, 31, 1),
        (0xcc, 0, 0xf_8000_0000, 31, 0xffff_ffff),
        (0xbc, 0, 0, MINUS_ONE, 0xffff_ffff),
        (0xbc, 8, 0, 0x80, 0xffff_ff80),
    ] {
        assert_eq!(
            binary_of(opcode, offset, a, b),
            expected,
            "{opcode:#x} {offset} {a:#x} {b:#x}"
        );
    }
}

#[test]
fn bytes_are_reordered_and_the_rest_is_cleared() {
    let reordered = |opcode, bits| {
        let low = slot(0x18, 0, 0, 0, 0x0506_0708);
        let value = [low, slot(0, 0, 0, 0, 0x0102_0304)].concat();
        result(&[value, slot(opcode, 0, 0, 0, bits), exit()])
    };
    assert_eq!(reordered(0xd4, 16), Ok(0x0708));
    assert_eq!(reordered(0xdc, 16), Ok(0x0807));
    assert_eq!(reordered(0xdc, 32), Ok(0x0807_0605));
    assert_eq!(reordered(0xd7, 64), Ok(0x0807_0605_0403_0201));
    assert_eq!(reordered(0xd4, 64), Ok(0x0102_0304_0506_0708));
}

#[test]
fn the_block_is_read_and_written_where_that_is_allowed() {
    let address = [slot(0x18, 1, 2, 0, 3), slot(0, 0, 0, 0, 4)].concat();
    let mut block = [0; 16];
    block[8] = 0x80;
    let halt = run_on(
        &mut block,
        &[
            address.clone(),
            slot(0x62, 1, 0, 0, -2),
            slot(0x91, 0, 1, 4, 0),
            exit(),
        ],
    );
    let halt = halt.expect("all of it is allowed");
    assert_eq!(halt.result, MINUS_ONE - 127);
    assert_eq!(halt.executed, 4);
    assert_eq!(block[..9], [0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0x80]);
    let at = |offset, bytes| (BLOCK.wrapping_add_signed(offset), bytes);
    for (opcode, offset, (address_of, bytes), writes) in [
        (0x79, 5, at(9, 8), false),
        (0x71, -5, at(-1, 1), false),
        (0x7a, 1, at(5, 8), true),
    ] {
        let access = if writes {
            slot(opcode, 1, 0, offset, 0)
        } else {
            slot(opcode, 0, 1, offset, 0)
        };
        let expected = if writes {
            Trap::ReadOnly {
                address: address_of,
                bytes,
            }
        } else {
            Trap::OutOfBounds {
                address: address_of,
                bytes,
            }
        };
        assert_eq!(result(&[address.clone(), access, exit()]), Err(expected));
    }
}

#[test]
fn the_stack_is_512_bytes_that_are_written_before_they_are_read() {
    let store = |offset| slot(0x7a, 10, 0, offset, 5);
    let load = |offset| slot(0x79, 0, 10, offset, 0);
    assert_eq!(result(&[store(-8), load(-8), exit()]), Ok(5));
    assert_eq!(result(&[store(-512), load(-512), exit()]), Ok(5));
    let unwritten = |address| Err(Trap::UnwrittenStack { address, bytes: 8 });
    assert_eq!(result(&[load(-8), exit()]), unwritten(STACK_TOP - 8));
    assert_eq!(
        result(&[store(-8), load(-12), exit()]),
        unwritten(STACK_TOP - 12)
    );
    let outside = |address| Err(Trap::OutOfBounds { address, bytes: 8 });
    assert_eq!(result(&[store(-520), exit()]), outside(STACK_TOP - 520));
    assert_eq!(result(&[store(-4), exit()]), outside(STACK_TOP - 4));
}

#[test]
fn a_register_is_written_before_it_is_read() {
    assert_eq!(result(&[exit()]), Err(Trap::Uninitialized(0)));
    assert_eq!(
        result(&[slot(0xbf, 0, 6, 0, 0), exit()]),
        Err(Trap::Uninitialized(6))
    );
    // A call destroys its arguments.
    let call = slot(0x85, 0, 0, 0, 7);
    let argument = slot(0xb7, 1, 0, 0, 21);
    assert_eq!(result(&[argument.clone(), call.clone(), exit()]), Ok(42));
    assert_eq!(
        result(&[argument, call, slot(0xbf, 0, 1, 0, 0), exit()]),
        Err(Trap::Uninitialized(1))
    );
    assert_eq!(
        result(&[slot(0x85, 0, 0, 0, 8), exit()]),
        Err(Trap::UnknownCall)
    );
}

#[test]
fn a_subprogram_has_its_own_frame_and_gives_r6_back() {
    let slots = [
        slot(0xb7, 6, 0, 0, 100),
        slot(0xb7, 1, 0, 0, 5),
        slot(0x7a, 10, 0, -8, 1),
        slot(0x85, 0, 1, 0, 3),
        slot(0x0f, 0, 6, 0, 0),
        slot(0x79, 1, 10, -8, 0),
        exit(),
        // The subprogram.
        slot(0x7a, 10, 0, -8, 2),
        slot(0xb7, 6, 0, 0, 0),
        slot(0xbf, 0, 1, 0, 0),
        exit(),
    ];
    assert_eq!(result(&slots), Ok(105));
    let endless = [slot(0x85, 0, 1, 0, -1), exit()];
    assert_eq!(result(&endless), Err(Trap::TooDeep));
}

#[test]
fn may_goto_jumps_when_the_budget_is_spent() {
    let slots = [
        slot(0xb7, 0, 0, 0, 0),
        slot(0xe5, 0, 0, 2, 0),
        slot(0x07, 0, 0, 0, 1),
        slot(0x05, 0, 0, -3, 0),
        exit(),
    ];
    let halt = run_on(&mut [0; 16], &slots).expect("it ends");
    assert_eq!((halt.result, halt.rounds), (5, 5));
}

#[test]
fn an_endless_loop_uses_up_the_fuel() {
    let found = run_on(&mut [0; 16], &[slot(0x05, 0, 0, -1, 0)]);
    let expected = Trapped {
        slot: 0,
        trap: Trap::OutOfFuel,
    };
    assert_eq!(found, Err(expected));
}

#[test]
fn atomic_operations_change_a_cell_and_may_fetch() {
    let with = |imm, r0: i32| {
        let slots = [
            slot(0x7a, 10, 0, -8, 12),
            slot(0xb7, 0, 0, 0, r0),
            slot(0xb7, 1, 0, 0, 10),
            slot(0xdb, 10, 1, -8, imm),
            slot(0x79, 2, 10, -8, 0),
            slot(0x27, 2, 0, 0, 1000),
            slot(0x27, 0, 0, 0, 1_000_000),
            slot(0x0f, 0, 2, 0, 0),
            slot(0x0f, 0, 1, 0, 0),
            exit(),
        ];
        result(&slots).expect("all of it is allowed")
    };
    // r0 in millions, the cell in thousands, r1.
    assert_eq!(with(0x00, 1), 1_022_010);
    assert_eq!(with(0x01, 1), 1_022_012);
    assert_eq!(with(0x41, 1), 1_014_012);
    assert_eq!(with(0x51, 1), 1_008_012);
    assert_eq!(with(0xa0, 1), 1_006_010);
    assert_eq!(with(0xe1, 1), 1_010_012);
    assert_eq!(with(0xf1, 12), 12_010_010);
    assert_eq!(with(0xf1, 11), 12_012_010);
}

#[test]
fn what_is_no_program_is_refused_by_name() {
    let fault = |slots: &[Vec<u8>]| decode(&slots.concat()).map_err(|error| error.fault).err();
    assert_eq!(fault(&[]), Some(Fault::Empty));
    assert_eq!(fault(&[exit()[..5].to_vec()]), Some(Fault::Truncated));
    assert_eq!(fault(&[slot(0x18, 0, 0, 0, 0)]), Some(Fault::Truncated));
    assert_eq!(
        fault(&[slot(0x20, 0, 0, 0, 0), exit()]),
        Some(Fault::Opcode(0x20))
    );
    assert_eq!(
        fault(&[slot(0xbc, 0, 1, 32, 0), exit()]),
        Some(Fault::Fields(0xbc))
    );
    assert_eq!(
        fault(&[slot(0x0f, 0, 1, 2, 0), exit()]),
        Some(Fault::Fields(0x0f))
    );
    assert_eq!(
        fault(&[slot(0xb7, 11, 0, 0, 0), exit()]),
        Some(Fault::Register(11))
    );
    assert_eq!(
        fault(&[slot(0xb7, 10, 0, 0, 0), exit()]),
        Some(Fault::FramePointerWritten)
    );
    assert_eq!(
        fault(&[slot(0x05, 0, 0, 7, 0), exit()]),
        Some(Fault::Target(8))
    );
    assert_eq!(
        fault(&[slot(0x05, 0, 0, -7, 0), exit()]),
        Some(Fault::Target(-6))
    );
    // Into the middle of a 64-bit constant.
    assert_eq!(
        fault(&[
            slot(0x05, 0, 0, 1, 0),
            slot(0x18, 0, 0, 0, 0),
            slot(0, 0, 0, 0, 0),
            exit()
        ]),
        Some(Fault::Target(2))
    );
    assert_eq!(fault(&[slot(0xb7, 0, 0, 0, 0)]), Some(Fault::RunsOff));
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_neither_panic_nor_hang(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..160),
    ) {
        if let Ok(code) = decode(&bytes) {
            let environment = Environment {
                block: &mut [0; 16],
                writable: 8,
                context: &[],
                answer: &mut |_, _| None,
            };
            let _ = run(&code, environment, limits());
        }
    }
}
