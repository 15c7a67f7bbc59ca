//! The refinement proof under mutation: what the validator calls validated decides as its program
//! says, and each kind of mistake that other checks could miss is refused.

use std::fs;

use progmp_abi::fill;
use progmp_codegen_ebpf::object::bytecode;
use progmp_codegen_ebpf::{Options, compile};
use progmp_generate::{Choices, state};
use progmp_ir::{Needs, Program};
use progmp_rewrite::optimize;
use progmp_rules::all;
use progmp_tests::root;
use progmp_verifier::ebpf::decode;
use progmp_verifier::validate::{Entry, Validator, Verdict, differs, validates};

fn parsed(source: &str) -> Program {
    let parsed = progmp_syntax::parse("refined", source.as_bytes(), &[]);
    let first = parsed.diagnostics.first();
    parsed
        .program
        .unwrap_or_else(|| panic!("{first:?}\n{source}"))
}

fn compiled(program: &Program) -> Vec<u8> {
    let code = compile(program, &Options::default()).expect("it compiles");
    bytecode(&code.body())
}

fn judged(program: &Program, bytes: &[u8]) -> Option<Verdict> {
    let code = decode(bytes).ok()?;
    Some(validates(program, &code, Entry::TestRun))
}

/// Programs whose proofs are short: no loop, or one.
const SHORT: &[&str] = &[
    "SET(R1, 4294967295); SET(R2, R3 / R4); SET(R5, R5 - R6);",
    "IF (R1 / R2 == NULL OR R3 < 7) { SET(R1, R2 % R3); } ELSE { SET(R6, 3000000000 * R1); }",
    "IF (!Q.EMPTY) { SUBFLOWS.TOP.PUSH(Q.POP()); }",
    "VAR p = RQ.POP(); SUBFLOWS.FILTER(s => !s.LOSSY AND s.HAS_WINDOW_FOR(p)).TOP.PUSH(p); DROP(Q.POP());",
    "VAR s = SUBFLOWS.FILTER(s => s.IS_BACKUP).TOP; s.SET_USER(s.RTT / s.CWND + RANDOM); PRINT(\"%d %d\", s, R1);",
    "SET(R1, SUBFLOWS.FILTER(s => !s.STALE).COUNT); IF (Q.TOP.PSH) { SET(R2, QU.TOP.SEQ); }",
];

/// Every small change of every instruction behind the prologue.
fn mutants(right: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut mutants = Vec::new();
    let slots = right.len() / 8;
    for slot in 2..slots {
        let at = 8 * slot;
        let mut with = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = right.to_vec();
            change(&mut bytes);
            if bytes != right {
                mutants.push((format!("slot {slot}: {what}"), bytes));
            }
        };
        // Width, operand from a register or not, neighbouring operations and comparisons.
        for flip in [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80] {
            with(&format!("opcode ^ {flip:#x}"), &|b| b[at] ^= flip);
        }
        for register in [1, 2] {
            with(&format!("target + {register}"), &|b| {
                b[at + 1] = b[at + 1] & 0xf0 | ((b[at + 1] + register) % 10);
            });
            with(&format!("operand + {register}"), &|b| {
                b[at + 1] = b[at + 1] & 0x0f | ((((b[at + 1] >> 4) + register) % 10) << 4);
            });
        }
        for by in [1_i16, -1, 8, -8] {
            with(&format!("offset {by:+}"), &|b| {
                let offset = i16::from_le_bytes([b[at + 2], b[at + 3]]).wrapping_add(by);
                b[at + 2..at + 4].copy_from_slice(&offset.to_le_bytes());
            });
            with(&format!("immediate {by:+}"), &|b| {
                let mut imm = [0; 4];
                imm.copy_from_slice(&b[at + 4..at + 8]);
                let imm = i32::from_le_bytes(imm).wrapping_add(i32::from(by));
                b[at + 4..at + 8].copy_from_slice(&imm.to_le_bytes());
            });
        }
        // Deleted: a jump to the next instruction.
        with("deleted", &|b| {
            b[at..at + 8].copy_from_slice(&[0x05, 0, 0, 0, 0, 0, 0, 0]);
        });
        if slot + 1 < slots {
            with("swapped with the next", &|b| {
                for byte in at..at + 8 {
                    b.swap(byte, byte + 8);
                }
            });
            with("in place of the next", &|b| {
                b.copy_within(at..at + 8, at + 8);
            });
        }
    }
    mutants
}

#[test]
fn short_programs_are_validated_and_their_mutants_are_not_unless_they_decide_alike() {
    // All of them take minutes: PROGMP_MUTANTS=all.
    let step = if std::env::var_os("PROGMP_MUTANTS").is_some() {
        1
    } else {
        11
    };
    let (mut all, mut refused, mut alike) = (0, 0, 0);
    let judgements: Vec<_> = SHORT
        .iter()
        .map(|source| {
            let program = parsed(source);
            (source, judged(&program, &compiled(&program)))
        })
        .filter(|(_, verdict)| *verdict != Some(Verdict::Validated))
        .collect();
    assert!(judgements.is_empty(), "{judgements:#?}");
    for source in SHORT {
        let program = parsed(source);
        let needs = Needs::of(&program);
        let right = compiled(&program);
        let mut choices = Choices::from_seed(3);
        for (what, bytes) in mutants(&right).into_iter().step_by(step) {
            let Some(verdict) = judged(&program, &bytes) else {
                continue;
            };
            all += 1;
            if verdict != Verdict::Validated {
                refused += 1;
                continue;
            }
            alike += 1;
            // It survives: then it decides as the program does in every state that we try.
            let code = decode(&bytes).expect("it was decoded before");
            for _ in 0..300 {
                let state = state(&mut choices, &needs);
                let shown = fill(&state).expect("a generated state can be shown");
                let difference = differs(&program, &code, &state, &shown);
                assert!(
                    difference.is_none(),
                    "{source}\n{what}: {}",
                    difference.unwrap()
                );
            }
            println!("survives: {source} {what}");
        }
    }
    println!("{all} mutants, {refused} refused, {alike} survive");
    assert!(step * all >= 3_000, "only {all} mutants");
    assert!(8 * alike <= all, "{alike} of {all} mutants survive");
}

#[test]
fn schedulers_with_loops_are_validated_for_any_number_of_subflows() {
    for name in [
        "backup",
        "default",
        "flow_size",
        "http2",
        "min_rtt",
        "min_rtt_var",
        "opportunistic_retransmission",
        "round_robin",
        "target_rtt",
        "tls",
    ] {
        let path = root()
            .join("specs/schedulers")
            .join(format!("{name}.progmp"));
        let source = fs::read_to_string(path).expect("the corpus is there");
        let program = parsed(&source);
        let rewritten = optimize(&program, &all()).program;
        // Bytes of what was rewritten do what it says, and it does what the source says.
        for basis in [program, rewritten] {
            let verdict = judged(&basis, &compiled(&basis));
            assert_eq!(verdict, Some(Verdict::Validated), "{name}");
        }
    }
}

/// What became of code in which one instruction was changed.
fn changed(source: &str, change: impl Fn(&mut [[u8; 8]])) -> Verdict {
    let program = parsed(source);
    let right = compiled(&program);
    let mut slots: Vec<[u8; 8]> = right
        .chunks_exact(8)
        .map(|slot| slot.try_into().expect("a slot has 8 bytes"))
        .collect();
    change(&mut slots);
    let bytes = slots.concat();
    assert_ne!(bytes, right, "something was changed in {source}");
    judged(&program, &bytes).expect("it still is bytecode")
}

fn refuted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Refuted(_))
}

const NEXT: [u8; 8] = [0x05, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_constant_with_its_sign_extended_is_refuted() {
    let verdict = changed("SET(R1, 4294967295);", |slots| {
        let at = slots
            .iter()
            .position(|slot| slot[0] == 0xb4 && slot[4..] == [0xff; 4]);
        slots[at.expect("32 bits are moved")][0] = 0xb7;
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn a_quotient_by_0_that_is_0_is_refuted() {
    let verdict = changed("SET(R1, R2 / R3);", |slots| {
        // The test for 0 in front of the division.
        let at = slots.iter().position(|slot| slot[0] == 0x15);
        slots[at.expect("there is a test")] = NEXT;
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn a_comparison_with_signs_is_refuted() {
    let verdict = changed("IF (R1 < R2) { SET(R3, 1); }", |slots| {
        let at = slots
            .iter()
            .position(|slot| slot[0] == 0x3d || slot[0] == 0xad);
        let slot = &mut slots[at.expect("registers are compared")];
        slot[0] = if slot[0] == 0x3d { 0x7d } else { 0xcd };
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn a_window_that_is_off_by_one_is_refuted() {
    let source = "IF (SUBFLOWS.TOP.CWND > SUBFLOWS.TOP.SKBS_IN_FLIGHT) { SET(R1, 1); }";
    let verdict = changed(source, |slots| {
        // `>` becomes `>=`, `<=` becomes `<`.
        let at = slots
            .iter()
            .position(|slot| slot[0] == 0x2d || slot[0] == 0xbd);
        let slot = &mut slots[at.expect("registers are compared")];
        slot[0] = if slot[0] == 0x2d { 0x3d } else { 0xad };
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn a_lost_test_for_null_is_refuted() {
    let verdict = changed("SUBFLOWS.TOP.PUSH(Q.TOP);", |slots| {
        let at = slots
            .iter()
            .position(|slot| slot[0] == 0x15 && slot[4..] == [0; 4]);
        slots[at.expect("there is a test")] = NEXT;
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn a_summary_that_pop_leaves_stale_is_refuted() {
    let verdict = changed("DROP(Q.POP()); IF (Q.EMPTY) { SET(R1, 1); }", |slots| {
        // The store into the first word of the block, `some` of Q.
        let at = slots
            .iter()
            .position(|slot| slot[0] == 0x7b && slot[2..4] == [0, 0]);
        slots[at.expect("it is stored")] = NEXT;
    });
    assert!(refuted(&verdict), "{verdict:?}");
}

#[test]
fn an_action_count_that_wraps_is_not_validated() {
    let pushes = "SUBFLOWS.TOP.PUSH(Q.TOP); ".repeat(3);
    let verdict = changed(&pushes, |slots| {
        // The mask of the place in the buffer.
        for slot in slots {
            if slot[0] == 0x57 && slot[4..] == 1023_i32.to_le_bytes() {
                slot[4..].copy_from_slice(&1_i32.to_le_bytes());
            }
        }
    });
    assert!(
        !matches!(verdict, Verdict::Validated),
        "{verdict:?} although the third action overwrites the first"
    );
}

#[test]
fn what_was_validated_once_is_not_taken_for_something_else() {
    let program = parsed("IF (!Q.EMPTY) { SUBFLOWS.TOP.PUSH(Q.POP()); }");
    let right = compiled(&program);
    let mut validator = Validator::new(&program);
    let mut judge = |bytes: &[u8]| {
        let code = decode(bytes).expect("it can be decoded");
        validator.validates(&code, Entry::TestRun)
    };
    for _ in 0..2 {
        assert_eq!(judge(&right), Verdict::Validated);
    }
    // The same behind another beginning: not the block's first byte, or in another register.
    let mut later = right.clone();
    later[12] = 8;
    assert_ne!(judge(&later), Verdict::Validated);
    let mut elsewhere = right.clone();
    elsewhere[1] = elsewhere[1] & 0xf0 | 7;
    assert_ne!(judge(&elsewhere), Verdict::Validated);
    // The same beginning, and other bytes behind it.
    let other = compiled(&parsed("IF (!RQ.EMPTY) { SUBFLOWS.TOP.PUSH(RQ.POP()); }"));
    assert_ne!(judge(&other), Verdict::Validated);
    assert_eq!(judge(&right), Verdict::Validated);
}
