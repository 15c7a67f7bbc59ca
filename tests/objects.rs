//! Objects, written by the code generator and read by the verifier, which share no code.
//!
//! What is written is read back; what is cut, changed or foreign is refused by name and never a
//! panic; the kernel takes each program of an object and shows the source of what it refuses.

use progmp_codegen_ebpf::isa::{AluOp, Insn, Reg, Size, alu64, decode, load, mov, store};
use progmp_codegen_ebpf::note::{Note, Proof, needs};
use progmp_codegen_ebpf::object::{Body, Source, bytecode, object};
use progmp_generate::{Choices, Mix, program_with, state};
use progmp_hosts::{Engine, Image, Interpreter, Kernel, Mode, Refusal, decide};
use progmp_ir::{Needs, SchedState, Span, execute};
use progmp_tests::skipped;
use progmp_verifier::ebpf::{Object, ObjectError, read};
use proptest::prelude::*;

const SOURCE: &str = "SCHEDULER counting;\nSET(R1, R1 + 1);\n";

fn base() -> Reg {
    Reg::R6
}

/// Adds 1 to the word at `offset` of the block and says that the run is done.
fn counting(offset: i16) -> Vec<Insn> {
    let base = base();
    let status = i16::try_from(progmp_abi::layout::block::STATUS).expect("it is near");
    vec![
        load(Size::U64, Reg::R1, base, offset),
        alu64(AluOp::Add, Reg::R1, 1),
        store(Size::U64, base, offset, Reg::R1),
        store(Size::U32, base, status, 1),
        mov(Reg::R0, 0),
        Insn::Exit,
    ]
}

fn first_register() -> i16 {
    i16::try_from(progmp_abi::layout::block::REG).expect("it is near")
}

fn written(insns: &[Insn]) -> Vec<u8> {
    let body = Body {
        base: base(),
        insns,
        lines: &[(0, Span::new(20, 36))],
    };
    let note = Note {
        name: "counting".to_owned(),
        proof: Proof::AnySize,
        loops: "bounded",
        rewriting: "off",
        compressed: false,
        packets: 64,
        needs: vec!["R1".to_owned()],
        bounds: vec![("steps", "7".to_owned())],
        stack_bytes: 0,
    };
    let source = Source {
        file: "counting.progmp",
        text: SOURCE,
    };
    object(&body, source, &note)
}

fn image_of(object: &Object, section: &str) -> Image {
    let mut programs = object.programs.iter();
    let program = programs.find(|program| program.section == section);
    Image::of(program.expect("the object has this section"))
}

/// `None` where the kernel cannot be asked.
fn asked<T>(result: Result<T, Refusal>) -> Option<Result<T, Refusal>> {
    match result {
        Err(Refusal::NeedsCapBpf | Refusal::NoKernel { .. }) => {
            skipped("CAP_BPF");
            None
        }
        result => Some(result),
    }
}

#[test]
fn what_is_written_is_read() {
    let insns = counting(first_register());
    let object = read(&written(&insns)).expect("it is ours");
    assert_eq!(object.source, SOURCE);
    let said = |key: &str| {
        let mut found = object.note.iter().filter(|(name, _)| name == key);
        found.next().map(|(_, value)| value.as_str())
    };
    assert_eq!(said("scheduler"), Some("counting"));
    assert_eq!(said("proof"), Some("any size"));
    assert_eq!(said("needs"), Some("R1"));
    assert_eq!(said("steps"), Some("7"));
    let body = Body {
        base: base(),
        insns: &insns,
        lines: &[],
    };
    for program in &object.programs {
        let read = decode(&program.code).expect("it is bytecode");
        assert!(read.ends_with(&insns), "{}", program.section);
        assert_eq!(program.debug.functions.len(), 8);
        assert_eq!(program.debug.lines.len(), 32);
    }
    for section in ["syscall", "tc"] {
        assert_eq!(image_of(&object, section).code, bytecode(&body));
    }
    let sections: Vec<&str> = object.programs.iter().map(|p| p.section.as_str()).collect();
    assert_eq!(sections, ["syscall", "tc", "?struct_ops/schedule"]);
}

#[test]
fn programs_of_an_object_run_on_every_engine_if_the_kernel_may_be_asked() {
    let object = read(&written(&counting(first_register()))).expect("it is ours");
    let mut state = SchedState::default();
    state.registers[0] = 41;
    let engines: [(&str, &dyn Engine); 4] = [
        ("syscall", &Interpreter::default()),
        ("tc", &Interpreter::default()),
        ("syscall", &Kernel::default()),
        ("tc", &Kernel { mode: Mode::Tc }),
    ];
    for (section, engine) in engines {
        let Some(loaded) = asked(engine.load(&image_of(&object, section))) else {
            return;
        };
        let mut loaded = loaded.unwrap_or_else(|refusal| panic!("{section}: {refusal}"));
        let outcome = decide(&mut *loaded, &state).expect("it decides");
        assert_eq!(outcome.registers[0], 42, "{section} on {}", engine.name());
    }
}

#[test]
fn the_kernel_refuses_with_the_source_line_if_it_may_be_asked() {
    // Behind the end of the block.
    let mut insns = vec![alu64(AluOp::Add, Reg::R6, 54_208)];
    insns.extend(counting(0));
    let object = read(&written(&insns)).expect("it is ours");
    let Some(loaded) = asked(Kernel::default().prepare(&image_of(&object, "syscall"))) else {
        return;
    };
    let Err(Refusal::Kernel { log, .. }) = loaded else {
        panic!("it was taken");
    };
    let line = "; SET(R1, R1 + 1); @ counting.progmp:2";
    assert!(log.contains(line), "{log}");
}

#[test]
fn what_is_not_ours_is_refused_by_name() {
    let error = |bytes: &[u8]| match read(bytes) {
        Ok(_) => panic!("it was read"),
        Err(error) => error,
    };
    assert!(matches!(error(b""), ObjectError::Elf(_)));
    assert!(matches!(error(b"SCHEDULER x;"), ObjectError::Elf(_)));
    let ours = written(&counting(first_register()));
    let mut machine = ours.clone();
    // e_machine: x86-64.
    machine[18] = 62;
    assert_eq!(error(&machine), ObjectError::NotEbpf);
    let owner = replaced(&ours, b"ProgMP\0\0abi", b"Other!\0\0abi");
    assert_eq!(error(&owner), ObjectError::NotOurs);
    let section = replaced(&ours, b".note.progmp", b".note.others");
    assert_eq!(error(&section), ObjectError::NotOurs);
    let abi = replaced(&ours, b"abi: 1\n", b"abi: 9\n");
    let found = "9".to_owned();
    assert_eq!(error(&abi), ObjectError::Abi { found });
    let source = replaced(&ours, b"SCHEDULER counting", b"SCHEDULER \xff\xfeunting");
    assert_eq!(error(&source), ObjectError::Source);
    let missing = replaced(&ours, b".progmp.source", b".progmp.sauces");
    assert_eq!(error(&missing), ObjectError::Missing(".progmp.source"));
    // The opcode of the first load.
    let code = replaced(&ours, &[0x79, 0x61], &[0xff, 0x61]);
    assert!(matches!(error(&code), ObjectError::Code { .. }));
    let types = replaced(&ours, &[0x9f, 0xeb, 1, 0], &[0x9f, 0xec, 1, 0]);
    assert!(matches!(error(&types), ObjectError::Btf { .. }));
}

/// With the last occurrence of some bytes replaced by others.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).rposition(|part| part == from);
    let at = at.expect("the object has these bytes");
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn a_truncated_object_is_refused() {
    let ours = written(&counting(first_register()));
    for length in (0..ours.len()).step_by(7) {
        assert!(read(&ours[..length]).is_err(), "the first {length} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_corrupted_object_is_never_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = written(&counting(first_register()));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        if let Ok(object) = read(&bytes) {
            // What is still an object holds bytecode that can be run safely.
            for program in &object.programs {
                let loaded = Interpreter::default().load(&Image::of(program));
                let mut block = vec![0; progmp_abi::layout::block::BYTES];
                let _ = loaded.expect("it decodes").run(&mut block);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let elf = [b"\x7fELF\x02\x01\x01".as_slice(), &bytes].concat();
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&elf).is_err());
    }
}

/// A host need not show QU to a program of which the note does not say that it reads it (specs/shim.md).
#[test]
fn what_does_not_name_qu_decides_alike_without_it() {
    let mut blind = 0;
    for seed in 0..1_500 {
        let choices = &mut Choices::from_seed(seed);
        let text = program_with(choices, &Mix::default());
        let program = progmp_syntax::parse("random", text.as_bytes(), &[]).program;
        let program = program.expect("generated programs are well-formed");
        if needs(&program).iter().any(|name| name == "QU") {
            continue;
        }
        blind += 1;
        for _ in 0..20 {
            let whole = state(choices, &Needs::of(&program));
            let mut without = whole.clone();
            without.qu.clear();
            let (a, b) = (execute(&program, &whole), execute(&program, &without));
            assert_eq!(a.actions, b.actions, "{text}\n{whole:?}");
            let rest = |mut after: SchedState| {
                after.qu.clear();
                after
            };
            assert_eq!(rest(a.after), rest(b.after), "{text}\n{whole:?}");
        }
    }
    assert!(blind > 100, "{blind} of the programs do not read QU");
}
