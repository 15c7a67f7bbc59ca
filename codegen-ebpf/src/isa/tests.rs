//! The table against itself: bytes and instructions correspond one to one.

mod referee;

use proptest::prelude::*;

use super::form::{Fields, join};
use super::table::TABLE;
use super::*;

/// Any instruction: a row of the table with any operands.
fn any_insn() -> impl Strategy<Value = Insn> {
    let rows = TABLE.rows();
    let fields = (
        0..=10_u8,
        0..=10_u8,
        any::<i16>(),
        any::<i32>(),
        any::<i32>(),
    );
    (0..rows.len(), fields).prop_map(move |(row, (dst, src, off, imm, high))| {
        let row = &rows[row];
        let zero_if_fixed = |high: i32| if row.high.is_none() { high } else { 0 };
        let fields = Fields {
            dst,
            src,
            off,
            imm,
            high: zero_if_fixed(high),
        };
        join(row.form, fields).expect("both registers exist")
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(insns in prop::collection::vec(any_insn(), 0..40)) {
        let bytes = encode(&insns);
        prop_assert_eq!(bytes.len(), insns.iter().map(|insn| insn.slots() * SLOT_BYTES).sum::<usize>());
        prop_assert_eq!(decode(&bytes), Ok(insns));
    }

    #[test]
    fn what_is_decoded_is_encoded_to_the_same_bytes(
        opcode in any::<u8>(),
        registers in any::<u8>(),
        off in prop_oneof![Just([0, 0]), Just([1, 0]), Just([8, 0]), any::<[u8; 2]>()],
        imm in prop_oneof![Just([0; 4]), Just([16, 0, 0, 0]), any::<[u8; 4]>()],
        second in prop_oneof![Just([0; 8]), any::<[u8; 8]>()],
    ) {
        let mut bytes = vec![opcode, registers];
        bytes.extend(off);
        bytes.extend(imm);
        bytes.extend(second);
        for length in [8, 16] {
            if let Ok(insns) = decode(&bytes[..length]) {
                prop_assert_eq!(encode(&insns), &bytes[..length]);
            }
        }
    }

    #[test]
    fn no_two_instructions_read_alike(a in any_insn(), b in any_insn()) {
        prop_assert_eq!(a == b, a.to_string() == b.to_string());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(&bytes);
    }
}

#[test]
fn every_row_can_be_reached_from_its_bytes() {
    for row in TABLE.rows() {
        let insn = join(row.form, Fields::default()).expect("r0 exists");
        assert_eq!(decode(&encode(&[insn])), Ok(vec![insn]));
    }
}

#[test]
fn known_bytes_are_known_instructions() {
    let cases: &[(Insn, [u8; 8], &str)] = &[
        (mov(Reg::R0, 42), [0xb7, 0, 0, 0, 42, 0, 0, 0], "r0 = 42"),
        (
            alu32(AluOp::Sdiv, Reg::R1, Reg::R2),
            [0x3c, 0x21, 1, 0, 0, 0, 0, 0],
            "w1 s/= w2",
        ),
        (
            load(Size::U64, Reg::R3, Reg::R10, -8),
            [0x79, 0xa3, 0xf8, 0xff, 0, 0, 0, 0],
            "r3 = *(u64 *)(r10 - 8)",
        ),
        (
            store(Size::U16, Reg::R1, 4, -1),
            [0x6a, 0x01, 4, 0, 0xff, 0xff, 0xff, 0xff],
            "*(u16 *)(r1 + 4) = -1",
        ),
        (
            jump_if(Cond::Sle, Reg::R4, Reg::R5, -3),
            [0xdd, 0x54, 0xfd, 0xff, 0, 0, 0, 0],
            "if r4 s<= r5 goto -3",
        ),
        (
            Insn::MayGoto { off: 7 },
            [0xe5, 0, 7, 0, 0, 0, 0, 0],
            "may_goto +7",
        ),
        (
            Insn::GotoLong { off: 70_000 },
            [0x06, 0, 0, 0, 0x70, 0x11, 1, 0],
            "gotol +70000",
        ),
    ];
    for (insn, bytes, text) in cases {
        assert_eq!(encode(&[*insn]), bytes, "{text}");
        assert_eq!(&insn.to_string(), text);
    }
}

#[test]
fn what_is_no_instruction_is_refused_with_its_slot() {
    let fault = |bytes: &[u8]| decode(bytes).map_err(|error| (error.slot, error.fault));
    let exit = encode(&[Insn::Exit]);
    let with_exit = |slot: [u8; 8]| [exit.clone(), slot.to_vec()].concat();
    assert_eq!(fault(&exit[..7]), Err((0, Fault::Truncated)));
    // Legacy packet access.
    assert_eq!(
        fault(&with_exit([0x20, 0, 0, 0, 0, 0, 0, 0])),
        Err((1, Fault::Opcode(0x20)))
    );
    assert_eq!(
        fault(&with_exit([0x95, 1, 0, 0, 0, 0, 0, 0])),
        Err((1, Fault::Fields(0x95)))
    );
    assert_eq!(
        fault(&with_exit([0xb7, 11, 0, 0, 0, 0, 0, 0])),
        Err((1, Fault::Register))
    );
    // A 64-bit immediate without its second slot.
    assert_eq!(
        fault(&with_exit([0x18, 0, 0, 0, 0, 0, 0, 0])),
        Err((1, Fault::Truncated))
    );
    // A 32-bit move from 32 bits that extends the sign.
    assert_eq!(
        fault(&[0xbc, 0x21, 32, 0, 0, 0, 0, 0]),
        Err((0, Fault::Fields(0xbc)))
    );
}
