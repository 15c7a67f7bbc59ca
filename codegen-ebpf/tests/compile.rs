//! What holds of every compilation, and what each limit says.

use std::path::Path;

use progmp_codegen_ebpf::isa::{Insn, Reg, encode};
use progmp_codegen_ebpf::{Code, Error, Loops, Options, compile};
use progmp_generate::Choices;
use progmp_ir::Program;

const BOTH: [Options; 2] = [
    Options {
        loops: Loops::MayGoto,
    },
    Options {
        loops: Loops::Bounded,
    },
];

fn program(source: &str) -> Program {
    let parsed = progmp_syntax::parse("test", source.as_bytes(), &[]);
    let first = parsed.diagnostics.first();
    parsed
        .program
        .unwrap_or_else(|| panic!("{first:?}\n{source}"))
}

fn refused(source: &str, options: Options) -> Error {
    match compile(&program(source), &options) {
        Ok(_) => panic!("it compiles:\n{source}"),
        Err(error) => error,
    }
}

fn corpus() -> Vec<(String, Program)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs/schedulers");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("a scheduler");
        (path.display().to_string(), program(&text))
    };
    files.iter().map(read).collect()
}

/// Generated programs, and those that a limit refuses left out.
fn generated(count: u64) -> impl Iterator<Item = (u64, Program)> {
    (0..count).map(|seed| {
        let source = progmp_generate::program(&mut Choices::from_seed(seed));
        (seed, program(&source))
    })
}

/// Jumps land on instructions, lines ascend, and the frame is read before it is written nowhere.
fn is_sound(name: &str, code: &Code) {
    let mut starts = Vec::new();
    let mut slot = 0;
    for insn in &code.insns {
        starts.push(slot);
        slot += insn.slots();
    }
    assert_eq!(encode(&code.insns).len(), 8 * slot, "{name}");
    for (insn, start) in code.insns.iter().zip(&starts) {
        if let Some(off) = insn.jump() {
            let next = i64::try_from(start + insn.slots()).expect("programs are short");
            let target = usize::try_from(next + i64::from(off));
            let lands = target.is_ok_and(|target| starts.binary_search(&target).is_ok());
            assert!(lands, "{name}: {insn} at {start}");
        }
        if let Insn::Load {
            base: Reg::R10,
            off,
            ..
        }
        | Insn::Store {
            base: Reg::R10,
            off,
            ..
        } = *insn
        {
            let depth = usize::try_from(-i32::from(off)).expect("the frame lies below r10");
            assert!(
                depth <= code.stack_bytes && depth.is_multiple_of(8),
                "{name}: {insn}"
            );
        }
    }
    assert!(
        code.insns.last().is_some_and(|last| last.ends_block()),
        "{name}"
    );
    assert_eq!(code.lines.first().map(|line| line.0), Some(0), "{name}");
    let ascend = code.lines.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(ascend, "{name}");
    let on_insns = code
        .lines
        .iter()
        .all(|line| starts.binary_search(&line.0).is_ok());
    assert!(on_insns, "{name}");
}

#[test]
fn the_corpus_compiles_in_both_forms() {
    let corpus = corpus();
    assert!(corpus.len() >= 19);
    for (name, program) in corpus {
        for options in BOTH {
            let code = compile(&program, &options).unwrap_or_else(|e| panic!("{name}: {e}"));
            is_sound(&name, &code);
            let loops = code.insns.iter().any(|i| matches!(i, Insn::MayGoto { .. }));
            assert_eq!(loops, options.loops == Loops::MayGoto, "{name}");
        }
    }
}

#[test]
fn generated_programs_compile_or_meet_a_limit() {
    let mut compiled = 0;
    for (seed, program) in generated(300) {
        match compile(&program, &Options::default()) {
            Ok(code) => {
                compiled += 1;
                is_sound(&format!("seed {seed}"), &code);
            }
            Err(Error::TooManyActions { .. } | Error::TooManySteps { .. }) => {}
            Err(other) => panic!("seed {seed}: {other}"),
        }
    }
    assert!(compiled > 270, "{compiled}");
}

#[test]
fn equal_programs_give_equal_bytes() {
    for (seed, program) in generated(60) {
        for options in BOTH {
            let once = compile(&program, &options);
            assert_eq!(once, compile(&program, &options), "seed {seed}");
        }
    }
}

#[test]
fn too_many_actions_are_counted_over_loops() {
    let source = "FOREACH (VAR p IN Q) { FOREACH (VAR s IN SUBFLOWS) { s.PUSH(p); } }";
    let error = refused(source, Options::default());
    let text = error.to_string();
    assert!(text.starts_with("too-many-actions: "), "{text}");
    assert!(text.contains("8192 times (s·p)"), "{text}");
}

#[test]
fn the_branches_of_an_if_do_not_add_up() {
    let push = "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }";
    let source = format!("IF (Q.EMPTY) {{ {push} DROP(Q.POP()); }} ELSE {{ {push} {push} }}");
    let code = compile(&program(&source), &Options::default()).expect("it is small");
    assert_eq!(code.bounds.actions.to_string(), "2·s + 1");
}

#[test]
fn too_many_steps_are_counted_over_lambdas() {
    let source = "SET(R1, Q.SUM(a => QU.SUM(b => RQ.SUM(c => a.LENGTH + b.LENGTH + c.LENGTH))));";
    let error = refused(source, Options::default());
    let text = error.to_string();
    assert!(text.starts_with("too-many-steps: "), "{text}");
    assert!(text.contains("p^3"), "{text}");
}

#[test]
fn too_much_stack_names_the_variables() {
    use std::fmt::Write as _;
    let mut source = String::new();
    for number in 0..90 {
        let _ = writeln!(source, "VAR v{number} = R1 / (R2 + {number});");
    }
    let sum: Vec<String> = (0..90).map(|number| format!("v{number}")).collect();
    let _ = writeln!(source, "SET(R1, {});", sum.join(" * "));
    for options in BOTH {
        let error = refused(&source, options);
        let text = error.to_string();
        let Error::TooMuchStack {
            bytes,
            available,
            pressure,
            variables,
        } = error
        else {
            panic!("{text}");
        };
        assert!(text.starts_with("too-much-stack: "), "{text}");
        assert!(bytes > available && available <= 512);
        assert!(pressure > 64, "{pressure}");
        assert!(variables.len() > 64 && variables.contains(&"v17".to_owned()));
    }
}

#[test]
fn too_many_snapshots_are_counted_by_scope() {
    use std::fmt::Write as _;
    let lists = |count: usize| {
        let mut source = String::new();
        for number in 0..count {
            let _ = writeln!(
                source,
                "VAR l{number} = Q.FILTER(p => p.LENGTH > {number});"
            );
        }
        for number in 0..count {
            let _ = writeln!(source, "SET(R1, R1 + l{number}.COUNT);");
        }
        source
    };
    let fits = compile(&program(&lists(59)), &Options::default());
    assert!(fits.is_ok(), "{fits:?}");
    let text = refused(&lists(60), Options::default()).to_string();
    assert!(text.starts_with("too-many-snapshots: 60 "), "{text}");
    // Scopes that follow each other use the same places.
    let scopes = format!("IF (R1 == 0) {{ {} }} ELSE {{ {} }}", lists(40), lists(40));
    assert!(compile(&program(&scopes), &Options::default()).is_ok());
}

#[test]
fn too_many_instructions_are_refused_before_registers_are_given() {
    let source = "SET(R1, RANDOM);".repeat(31_000);
    let text = refused(&source, Options::default()).to_string();
    assert!(text.starts_with("too-many-instructions: "), "{text}");
}

#[test]
fn what_the_kernel_would_walk_too_long_is_too_large_for_the_bounded_form() {
    let source = "SET(R1, Q.FILTER(a => QU.FILTER(b => b.LENGTH > a.LENGTH).COUNT > 1).COUNT
        + Q.FILTER(a => QU.FILTER(b => b.USER > a.USER).COUNT > 1).COUNT
        + Q.FILTER(a => QU.FILTER(b => b.SEQ > a.USER).COUNT > 1).COUNT);";
    let text = refused(source, BOTH[1]).to_string();
    assert!(text.starts_with("too-large-for-bounded: "), "{text}");
    assert!(text.contains("may-goto"), "{text}");
    assert!(compile(&program(source), &BOTH[0]).is_ok());
}

#[test]
fn far_jumps_are_long() {
    let body = "SET(R1, RANDOM + R2);".repeat(1_500);
    let source = format!("FOREACH (VAR s IN SUBFLOWS) {{ IF (s.LOSSY) {{ {body} }} }}");
    let code = compile(&program(&source), &Options::default()).expect("it is below the limits");
    assert!(code.insns.len() > 33_000, "{}", code.insns.len());
    let long = code
        .insns
        .iter()
        .any(|i| matches!(i, Insn::GotoLong { .. }));
    assert!(long);
    is_sound("far", &code);
}

#[test]
fn vcode_is_printed_block_by_block() {
    let code = compile(&program("SET(R2, R1 + 1);"), &Options::default()).expect("it is small");
    let text = code.vcode.to_string();
    assert!(
        text.starts_with("b0:  at most 1 times\n    v0 = base\n"),
        "{text}"
    );
    assert!(text.contains("u64 [v0 + 408]"), "{text}");
    assert!(text.contains("u64 [v0 + 416] = "), "{text}");
    assert!(text.trim_end().ends_with("exit"), "{text}");
}

#[test]
fn bounds_are_formulas() {
    let source = "FOREACH (VAR s IN SUBFLOWS) { SET(R1, Q.SUM(p => p.LENGTH / s.MSS)); }";
    let code = compile(&program(source), &Options::default()).expect("it is small");
    let rounds = code.bounds.rounds.to_string();
    assert!(rounds.starts_with("s·p + "), "{rounds}");
    assert!(code.bounds.steps.at(32, 256) > code.bounds.rounds.at(32, 256));
}
