//! Compiled schedulers under the validator: what is compiled is safe whatever the block holds, and
//! what passes keeps the promise, on mutated bytes and blocks full of anything.

use std::fs;

use progmp_abi::fill;
use progmp_abi::layout::{WRITABLE, block};
use progmp_codegen_ebpf::note::{Note, Proof};
use progmp_codegen_ebpf::object::{self, bytecode};
use progmp_codegen_ebpf::{Code, Error, Loops, Options, compile};
use progmp_generate::{Choices, program, state};
use progmp_ir::{Needs, Packet, Program, SchedState};
use progmp_tests::root;
use progmp_verifier::ebpf::{Environment, Limits, Trap, decode, read, run};
use progmp_verifier::validate::{
    Difference, Effect, Entry, Fault, Measure, Safety, UnsafeObject, differs, safe, safe_object,
};

const FORMS: [Loops; 2] = [Loops::MayGoto, Loops::Bounded];

fn parsed(name: &str, source: &str) -> Program {
    let parsed = progmp_syntax::parse(name, source.as_bytes(), &[]);
    let first = parsed.diagnostics.first();
    parsed
        .program
        .unwrap_or_else(|| panic!("{name}: {first:?}\n{source}"))
}

/// Names and texts of the corpus.
fn corpus() -> Vec<(String, String)> {
    let folder = root().join("specs/schedulers");
    let files = fs::read_dir(folder).expect("the corpus is there");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("it is listed").path())
        .collect();
    paths.sort();
    let named = paths.iter().map(|path| {
        let name = path.file_stem().expect("a file has a name");
        let text = fs::read_to_string(path).expect("a scheduler is text");
        (name.to_string_lossy().into_owned(), text)
    });
    let corpus: Vec<_> = named.collect();
    assert!(corpus.len() >= 19, "the corpus has at least 19 schedulers");
    corpus
}

fn judged(name: &str, source: &str, code: &Code) -> Safety {
    let decoded = decode(&bytecode(&code.body())).expect("what is compiled is bytecode");
    let safety = safe(&decoded, Entry::TestRun)
        .unwrap_or_else(|error| panic!("{name}, {:?}: {error}\n{source}", code.loops));
    assert!(
        safety.stack_bytes <= code.stack_bytes,
        "{name}: {} bytes of stack are used, {} were given out",
        safety.stack_bytes,
        code.stack_bytes
    );
    // The bounded form leaves nothing to the kernel's budget.
    let budgeted = safety.bound.cycles.iter();
    let budgeted = budgeted.filter(|cycle| cycle.measure == Measure::Budget);
    assert!(
        code.loops == Loops::MayGoto || budgeted.count() == 0,
        "{name}"
    );
    safety
}

#[test]
fn the_corpus_is_safe_in_both_loop_forms() {
    for (name, source) in corpus() {
        let program = parsed(&name, &source);
        for loops in FORMS {
            let code = compile(&program, &Options { loops });
            let code = code.unwrap_or_else(|error| panic!("{name}: {error}"));
            judged(&name, &source, &code);
        }
    }
}

#[test]
fn generated_programs_are_safe_in_both_loop_forms() {
    let mut compiled = 0;
    for seed in 0..300 {
        let source = program(&mut Choices::from_seed(seed));
        let program = parsed("generated", &source);
        for loops in FORMS {
            match compile(&program, &Options { loops }) {
                Ok(code) => {
                    judged(&format!("seed {seed}"), &source, &code);
                    compiled += 1;
                }
                // A limit, by name.
                Err(error) => assert!(!matches!(error, Error::TooMuchStack { .. }), "{error}"),
            }
        }
    }
    assert!(compiled >= 500, "only {compiled} of 600 were compiled");
}

#[test]
fn each_program_of_an_object_is_safe() {
    let (name, source) = corpus().swap_remove(0);
    let code = compile(&parsed(&name, &source), &Options::default()).expect("it compiles");
    let note = Note {
        name,
        proof: Proof::AnySize,
        loops: "may-goto",
        rewriting: "off",
        compressed: false,
        packets: 256,
        needs: Vec::new(),
        bounds: Vec::new(),
        stack_bytes: code.stack_bytes,
    };
    let text = object::Source {
        file: "first.progmp",
        text: &source,
    };
    let mut object = read(&object::object(&code.body(), text, &note)).expect("it was just written");
    let judged = safe_object(&object).expect("what is compiled is safe");
    assert_eq!(judged.len(), 3);

    // The size that the shim is asked for, one byte too large.
    let shims = object.programs.iter_mut();
    let mut shims = shims.filter(|program| program.section == "?struct_ops/schedule");
    let shim = shims.next().expect("there is one for the shim");
    shim.code[8 + 4] += 1;
    let refused = safe_object(&object).expect_err("the block is smaller");
    let UnsafeObject::Program { section, error } = refused else {
        panic!("it still is bytecode: {refused}");
    };
    assert_eq!(
        (section.as_str(), error.fault),
        ("?struct_ops/schedule", Fault::Call)
    );
}

/// Changes one instruction behind the prologue: a field, or its place.
fn mutate(code: &mut [u8], choices: &mut Choices) {
    let slot = |choices: &mut Choices, slots: usize| 16 + 8 * (choices.count(slots - 3));
    let slots = code.len() / 8;
    let at = slot(choices, slots);
    let steps = [1_i16, -1, 8, -8, 64, -64, 1024];
    match choices.below(7) {
        0 => code[at] = choices.word().to_le_bytes()[0],
        1 => code[at] ^= *choices.pick(&[0x04, 0x08, 0x10, 0x20, 0x40, 0x80]),
        2 => code[at + 1] = code[at + 1] & 0xf0 | (choices.word().to_le_bytes()[0] % 10),
        3 => code[at + 1] = code[at + 1] & 0x0f | (choices.word().to_le_bytes()[0] % 10) << 4,
        4 => {
            let offset = i16::from_le_bytes([code[at + 2], code[at + 3]]);
            let offset = offset.wrapping_add(*choices.pick(&steps));
            code[at + 2..at + 4].copy_from_slice(&offset.to_le_bytes());
        }
        5 => {
            let (_, rest) = code.split_at_mut(at + 4);
            let (imm, _) = rest.split_first_chunk_mut().expect("a slot has 8 bytes");
            let by = i32::from(*choices.pick(&steps));
            *imm = i32::from_le_bytes(*imm).wrapping_add(by).to_le_bytes();
        }
        _ => {
            let other = slot(choices, slots);
            for byte in 0..8 {
                code.swap(at + byte, other + byte);
            }
        }
    }
}

#[test]
fn what_passes_never_traps_and_ends_in_time() {
    const FUEL: u64 = 200_000;
    let mut choices = Choices::from_seed(6);
    let (mut refused, mut passed, mut ended) = (0, 0, 0);
    for (name, source) in corpus() {
        let program = parsed(&name, &source);
        for loops in FORMS {
            let code = compile(&program, &Options { loops }).expect("the corpus compiles");
            let right = bytecode(&code.body());
            for _ in 0..40 {
                let mut bytes = right.clone();
                mutate(&mut bytes, &mut choices);
                let Ok(decoded) = decode(&bytes) else {
                    continue;
                };
                let Ok(safety) = safe(&decoded, Entry::TestRun) else {
                    refused += 1;
                    continue;
                };
                passed += 1;
                for thin in [false, true] {
                    let mut shown: Vec<u8> = (0..block::BYTES / 8)
                        .map(|_| choices.word() & if thin { choices.word() } else { u64::MAX })
                        .flat_map(u64::to_le_bytes)
                        .collect();
                    let environment = Environment {
                        block: &mut shown,
                        writable: WRITABLE,
                        context: &[],
                        answer: &mut |_, _| None,
                    };
                    let limits = Limits {
                        fuel: FUEL,
                        loop_budget: 500,
                    };
                    match run(&decoded, environment, limits) {
                        Ok(halt) => {
                            assert!(halt.executed <= safety.bound.steps, "{name}: {safety:?}");
                            ended += 1;
                        }
                        Err(trapped) => {
                            // It may take longer than we wait, if that was said.
                            let in_time = safety.bound.steps > FUEL;
                            let waited = trapped.trap == Trap::OutOfFuel && in_time;
                            assert!(waited, "{name}, {loops:?}: {trapped} in what passed");
                        }
                    }
                }
            }
        }
    }
    assert!(
        refused >= 200 && passed >= 200,
        "{refused} refused, {passed} passed"
    );
    assert!(
        2 * passed - ended <= passed / 5,
        "{ended} of {} runs ended",
        2 * passed
    );
}

#[test]
fn compiled_code_differs_in_no_state_from_its_program() {
    let mut choices = Choices::from_seed(11);
    for (name, source) in corpus() {
        let program = parsed(&name, &source);
        let needs = Needs::of(&program);
        for loops in FORMS {
            let code = compile(&program, &Options { loops }).expect("the corpus compiles");
            let decoded = decode(&bytecode(&code.body())).expect("it is bytecode");
            for _ in 0..20 {
                let state = state(&mut choices, &needs);
                let shown = fill(&state).expect("a generated state can be shown");
                let difference = differs(&program, &decoded, &state, &shown);
                assert!(difference.is_none(), "{name}: {}", difference.unwrap());
            }
        }
    }
}

/// The difference that a change of all immediates `from` makes.
fn difference(source: &str, from: i32, to: i32) -> (Difference, Vec<usize>) {
    let program = parsed("changed", source);
    let code = compile(&program, &Options::default()).expect("it compiles");
    let mut bytes = bytecode(&code.body());
    let mut changed = Vec::new();
    for (slot, bytes) in bytes.chunks_exact_mut(8).enumerate() {
        if bytes[4..] == from.to_le_bytes() {
            bytes[4..].copy_from_slice(&to.to_le_bytes());
            changed.push(slot);
        }
    }
    let state = SchedState {
        registers: [5; 6],
        ..SchedState::default()
    };
    let shown = fill(&state).expect("an empty state can be shown");
    let decoded = decode(&bytes).expect("only constants were changed");
    let difference = differs(&program, &decoded, &state, &shown);
    (difference.expect("they differ"), changed)
}

#[test]
fn a_wrong_register_is_shown_beside_the_right_one() {
    let (found, changed) = difference("SET(R1, 4711);", 4711, 4712);
    assert_eq!(found.effect, Effect::Register(0));
    let slot = found.slot.expect("something was stored");
    assert!(
        changed.iter().any(|&at| slot == at || slot == at + 1),
        "{slot}, {changed:?}"
    );
    let text = found.to_string();
    let row = text.lines().find(|line| line.starts_with("* R1"));
    let row: Vec<&str> = row.expect("R1 has a row").split_whitespace().collect();
    assert_eq!(row, ["*", "R1", "4711", "4712"]);
    assert!(
        text.lines()
            .any(|line| line.starts_with("  R2") && line.contains('5'))
    );
}

#[test]
fn an_action_that_is_missing_names_its_statement() {
    let state = SchedState {
        packets: vec![Packet::default()],
        q: vec![0],
        ..SchedState::default()
    };
    let program = parsed("drop", "SET(R1, 1); DROP(Q.TOP);");
    let nothing = parsed("nothing", "SET(R1, 1);");
    let code = compile(&nothing, &Options::default()).expect("it compiles");
    let decoded = decode(&bytecode(&code.body())).expect("it is bytecode");
    let shown = fill(&state).expect("the state can be shown");
    let found = differs(&program, &decoded, &state, &shown).expect("they differ");
    assert_eq!(found.effect, Effect::Action(0));
    assert_eq!(found.stmt, Some(program.body[1].id));
    assert_eq!(found.slot, None, "no instruction wrote an action");
    assert!(found.to_string().contains("DROP packet 1"));
}
