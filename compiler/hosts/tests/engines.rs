//! Each engine on small programs: what it runs, what it refuses, and with which words.

use progmp_hosts::{Engine, Failure, Image, Interpreter, Kernel, Mode, Rbpf, Refusal};

/// A block of 64 bytes, all of it writable.
const BLOCK_BYTES: usize = 64;

fn slot(opcode: u8, dst: u8, src: u8, off: i16, imm: i32) -> [u8; 8] {
    let ([o0, o1], [i0, i1, i2, i3]) = (off.to_le_bytes(), imm.to_le_bytes());
    [opcode, src << 4 | dst, o0, o1, i0, i1, i2, i3]
}

fn image(slots: &[[u8; 8]]) -> Image {
    Image {
        code: slots.concat(),
        block_bytes: BLOCK_BYTES,
        writable_bytes: BLOCK_BYTES,
        debug: None,
    }
}

const EXIT: [u8; 8] = [0x95, 0, 0, 0, 0, 0, 0, 0];

/// r6 = address of the block + `offset`.
fn block_address(offset: i32) -> [[u8; 8]; 2] {
    [slot(0x18, 6, 2, 0, 0), slot(0, 0, 0, 0, offset)]
}

/// Adds 1 to the word at 8.
fn increment() -> Image {
    let [low, high] = block_address(8);
    image(&[
        low,
        high,
        slot(0x79, 0, 6, 0, 0),
        slot(0x07, 0, 0, 0, 1),
        slot(0x7b, 6, 0, 0, 0),
        EXIT,
    ])
}

fn engines() -> Vec<Box<dyn Engine>> {
    vec![
        Box::new(Interpreter::default()),
        Box::new(Rbpf),
        Box::new(Kernel::default()),
        Box::new(Kernel { mode: Mode::Tc }),
    ]
}

/// Whether a test has to do without the kernel; under `PROGMP_CI` that is a failure.
fn is_skipped(refusal: Option<&Refusal>) -> bool {
    let missing = matches!(
        refusal,
        Some(Refusal::NeedsCapBpf | Refusal::NoKernel { .. })
    );
    if missing {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "{refusal:?}");
        eprintln!("skipped: needs CAP_BPF");
    }
    missing
}

#[test]
fn every_engine_changes_the_block_in_the_same_way() {
    for engine in engines() {
        let mut loaded = match engine.load(&increment()) {
            Err(refusal) if is_skipped(Some(&refusal)) => continue,
            loaded => loaded.unwrap_or_else(|refusal| panic!("{}: {refusal}", engine.name())),
        };
        let mut block = [7; BLOCK_BYTES];
        for round in 1..=3 {
            loaded.run(&mut block).expect("it ends");
            let mut expected = [7; BLOCK_BYTES];
            expected[8] = 7 + round;
            assert_eq!(block, expected, "{}", engine.name());
        }
        let mut short = [0; BLOCK_BYTES - 1];
        let length = Failure::BlockLength {
            expected: BLOCK_BYTES,
            found: BLOCK_BYTES - 1,
        };
        assert_eq!(loaded.run(&mut short), Err(length), "{}", engine.name());
    }
}

#[test]
fn what_rbpf_would_get_wrong_it_is_not_given() {
    for (slots, what) in [
        (slot(0x3f, 0, 1, 1, 0), "signed division"),
        (slot(0xbf, 0, 1, 8, 0), "moves that extend the sign"),
        (slot(0x91, 0, 10, -8, 0), "loads that extend the sign"),
        (slot(0xd7, 0, 0, 0, 16), "unconditional byte swaps"),
        (slot(0x9c, 0, 1, 0, 0), "32-bit remainders by a register"),
        (
            slot(0x15, 0, 0, 0, -1),
            "unsigned comparisons with negative immediates",
        ),
        (slot(0xe5, 0, 0, 0, 0), "may_goto"),
        (slot(0x06, 0, 0, 0, 0), "long jumps"),
        (slot(0xdb, 10, 1, -8, 0), "atomic operations"),
        (slot(0x85, 0, 0, 0, 7), "calls"),
    ] {
        let refusal = Rbpf.load(&image(&[slots, EXIT])).err();
        let engine = "rbpf";
        assert_eq!(refusal, Some(Refusal::Unsupported { engine, what }));
    }
}

#[test]
fn what_is_no_program_is_refused_by_the_user_space_engines() {
    for engine in [&Interpreter::default() as &dyn Engine, &Rbpf] {
        let refusal = engine.load(&image(&[[0xff; 8]])).err();
        assert!(matches!(refusal, Some(Refusal::Decode(_))), "{refusal:?}");
    }
}

#[test]
fn a_trap_is_a_failure_of_the_run_and_not_of_the_load() {
    let [low, high] = block_address(60);
    let beyond = image(&[low, high, slot(0x79, 0, 6, 0, 0), EXIT]);
    let mut loaded = Interpreter::default().load(&beyond).expect("it decodes");
    let failure = loaded.run(&mut [0; BLOCK_BYTES]);
    assert!(matches!(failure, Err(Failure::Trap(_))), "{failure:?}");
}

#[test]
fn the_kernel_needs_privilege_and_tells_why_it_refuses() {
    let [low, high] = block_address(60);
    let beyond = image(&[low, high, slot(0x79, 0, 6, 0, 0), EXIT]);
    let refusal = Kernel::default().load(&beyond).err();
    if is_skipped(refusal.as_ref()) {
        return;
    }
    let Some(Refusal::Kernel { why, log }) = refusal else {
        panic!("{refusal:?}");
    };
    assert!(why.contains("ermission"), "{why}");
    assert!(log.contains("invalid access to map value"), "{log}");
}

#[test]
fn what_takes_the_kernels_verifier_too_long_is_told_apart() {
    let [low, high] = block_address(60);
    // A loop of ten million rounds.
    let (start, step) = (slot(0xb7, 0, 0, 0, 0), slot(0x07, 0, 0, 0, 1));
    let again = slot(0xa5, 0, 0, -2, 10_000_000);
    let endless = image(&[low, high, start, step, again, EXIT]);
    let refusal = Kernel::default().load(&endless).err();
    if is_skipped(refusal.as_ref()) {
        return;
    }
    assert_eq!(refusal, Some(Refusal::TooComplex));

    // Branches that are open on one way, each on a word that is not known.
    let [low, high] = block_address(0);
    let mut branches = vec![low, high, slot(0x79, 1, 6, 0, 0), start];
    for number in 0..9_000 {
        branches.extend([slot(0x15, 1, 0, 1, number), step]);
    }
    branches.push(EXIT);
    let refusal = Kernel::default().load(&image(&branches)).err();
    assert_eq!(refusal, Some(Refusal::TooComplex));
}

#[test]
fn the_kernel_describes_and_times_what_it_has_loaded() {
    let kernel = Kernel { mode: Mode::Tc };
    let mut program = match kernel.prepare(&increment()) {
        Err(refusal) if is_skipped(Some(&refusal)) => return,
        program => program.expect("it loads"),
    };
    let statistics = program.statistics();
    assert!(statistics.walked >= 5, "{statistics:?}");
    assert!(statistics.translated_slots >= 6, "{statistics:?}");
    assert!(statistics.jited_bytes > 0, "the JIT is off: {statistics:?}");
    program.put(&[0; BLOCK_BYTES]).expect("the length is right");
    let timing = program.time(1_000).expect("it runs");
    assert_eq!(timing.result, 1_000);
    let log = kernel.log(&increment()).expect("it loads");
    assert!(log.contains("processed 5 insns"), "{log}");
}
