//! Each form of instruction on the running kernel and on rbpf against our interpreter.
//!
//! One program for each form reads operands from the block in a loop and writes results back. Its
//! operands are corner values, all against all, and random ones: at least 1,000 for each form. The
//! encoder of the code generator makes the bytes, so it is tested along with the interpreter.

#[path = "instructions/bodies.rs"]
mod bodies;

use progmp_codegen_ebpf::isa::{
    AluOp, Cond, Imm64, Insn, Operand, Reg, Size, alu64, encode, jump_if, load, mov, store,
};
use progmp_hosts::{Engine, Image, Interpreter, Kernel, Loaded, Mode, Rbpf, Refusal};
use progmp_tests::skipped;

use bodies::{Body, Form, forms};

/// Operands that arithmetic goes wrong at.
const CORNERS: [u64; 30] = [
    0,
    1,
    2,
    3,
    7,
    8,
    15,
    16,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_8000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

/// Results that each form is compared on, at least.
const RESULTS: usize = 1_000;
/// Pairs of operands of a program with one body, and of one with many.
const MANY: usize = 1_024;
const FEW: usize = 64;

/// Pairs of operands, `count` of them, the same ones each time.
fn operands(count: usize) -> Vec<(u64, u64)> {
    let mut seed = 0x5eed_u64;
    let mut random = move || {
        seed = progmp_ir::splitmix64(seed);
        // Numbers of all lengths.
        seed >> (progmp_ir::splitmix64(!seed) & 63)
    };
    let corners = CORNERS
        .iter()
        .flat_map(|&a| CORNERS.iter().map(move |&b| (a, b)));
    let mut pairs: Vec<(u64, u64)> = corners.collect();
    if count < pairs.len() {
        // A few of them, spread out.
        let step = pairs.len() / count;
        pairs = pairs.into_iter().step_by(step).take(count).collect();
    }
    while pairs.len() < count {
        pairs.push((random(), random()));
    }
    pairs
}

/// A program that applies each body to each pair; results stand behind the operands.
fn program(bodies: &[Body], pairs: usize) -> Image {
    let input = |offset: u32| Insn::LoadImm64 {
        dst: Reg::R8,
        imm: Imm64::MapValue { fd: 0, offset },
    };
    let results = u32::try_from(16 * pairs).expect("blocks are small");
    let output = Insn::LoadImm64 {
        dst: Reg::R9,
        imm: Imm64::MapValue {
            fd: 0,
            offset: results,
        },
    };
    let mut insns = vec![input(0), output, mov(Reg::R7, 0)];
    let top: usize = insns.iter().map(|insn| insn.slots()).sum();
    for (place, body) in bodies.iter().enumerate() {
        insns.push(load(Size::U64, Reg::R0, Reg::R8, 0));
        insns.push(load(Size::U64, Reg::R1, Reg::R8, 8));
        insns.extend(body);
        let at = i16::try_from(8 * place).expect("there are few bodies");
        insns.push(store(Size::U64, Reg::R9, at, Reg::R0));
    }
    let stride = i32::try_from(8 * bodies.len()).expect("there are few bodies");
    insns.push(alu64(AluOp::Add, Reg::R8, 16));
    insns.push(alu64(AluOp::Add, Reg::R9, stride));
    insns.push(alu64(AluOp::Add, Reg::R7, 1));
    let here: usize = insns.iter().map(|insn| insn.slots()).sum();
    let back = i16::try_from(here + 1 - top).expect("the program is short");
    let count = i32::try_from(pairs).expect("there are few pairs");
    insns.push(jump_if(Cond::Lt, Reg::R7, Operand::Imm(count), -back));
    insns.push(mov(Reg::R0, 0));
    insns.push(Insn::Exit);
    let bytes = pairs * (16 + 8 * bodies.len());
    Image {
        code: encode(&insns),
        block_bytes: bytes,
        writable_bytes: bytes,
        debug: None,
    }
}

/// The block after a run.
fn results(loaded: &mut dyn Loaded, pairs: &[(u64, u64)], bytes: usize) -> Vec<u64> {
    let mut block = vec![0xa5; bytes];
    for (place, (a, b)) in pairs.iter().enumerate() {
        block[16 * place..][..8].copy_from_slice(&a.to_le_bytes());
        block[16 * place + 8..][..8].copy_from_slice(&b.to_le_bytes());
    }
    loaded.run(&mut block).expect("every form is total");
    let words = block[16 * pairs.len()..].chunks_exact(8);
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("8 bytes"));
    words.map(word).collect()
}

/// Compares an engine with our interpreter; gives the forms that it took, or `None` if it cannot run.
fn compare(engine: &dyn Engine) -> Option<usize> {
    let mut taken = 0;
    let mut differences = Vec::new();
    for Form { name, bodies } in forms() {
        let pairs = operands(if bodies.len() * FEW < RESULTS {
            MANY
        } else {
            FEW
        });
        let image = program(&bodies, pairs.len());
        let mut ours = Interpreter::default()
            .load(&image)
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let mut theirs = match engine.load(&image) {
            Ok(loaded) => loaded,
            Err(Refusal::Unsupported { .. }) => continue,
            Err(Refusal::NeedsCapBpf | Refusal::NoKernel { .. }) => return None,
            Err(refusal) => panic!("{name}: {refusal}"),
        };
        let ours = results(&mut *ours, &pairs, image.block_bytes);
        let theirs = results(&mut *theirs, &pairs, image.block_bytes);
        assert!(ours.len() >= RESULTS, "{name}: {} results", ours.len());
        taken += 1;
        let differing = ours.iter().zip(&theirs).position(|(a, b)| a != b);
        if let Some(at) = differing {
            let (pair, body) = (pairs[at / bodies.len()], &bodies[at % bodies.len()]);
            differences.push(format!(
                "{name} of {pair:#x?}: ours {:#x}, theirs {:#x}; {body:?}",
                ours[at], theirs[at]
            ));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Some(taken)
}

#[test]
fn the_kernel_computes_what_our_interpreter_does_if_it_may_be_asked() {
    for mode in [Mode::Syscall, Mode::Tc] {
        match compare(&Kernel { mode }) {
            Some(taken) => assert_eq!(taken, forms().len()),
            None => skipped("CAP_BPF"),
        }
    }
}

#[test]
fn rbpf_computes_what_our_interpreter_does_where_it_is_asked() {
    let taken = compare(&Rbpf).expect("it needs no privilege");
    assert!(taken >= 80, "{taken} forms");
}

#[test]
fn every_form_that_runs_without_a_kernel_function_is_there() {
    // Arithmetic, negation, moves, byte order, conditional and other jumps, constants, loads,
    // stores, atomic operations. Calls and exit are tested beside the interpreter.
    assert_eq!(forms().len(), 56 + 2 + 5 + 9 + 66 + 3 + 1 + 7 + 8 + 20);
}
