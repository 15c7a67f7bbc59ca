//! Compiled schedulers decide like the interpreter: each construct of the language, in both loop
//! forms, on our eBPF interpreter and on the running kernel.

use progmp_abi::fill;
use progmp_codegen_ebpf::isa::{Imm64, Insn, encode};
use progmp_codegen_ebpf::{Code, Loops, Options, compile};
use progmp_generate::{Choices, Sizes, state_of};
use progmp_hosts::{
    Engine, Image, Interpreter, Kernel, Loaded, Mode, Refusal, decide_on, reference, soil,
};
use progmp_ir::{Needs, Program, SchedState};

/// One line, one scheduler.
const CONSTRUCTS: &[&str] = &[
    // Subflow lists.
    "SUBFLOWS.TOP.PUSH(Q.TOP);",
    "SUBFLOWS.LAST.PUSH(Q.LAST);",
    "SUBFLOWS.GET(R1).PUSH(Q.GET(R2));",
    "SUBFLOWS.GET(2).PUSH(QU.GET(3));",
    "SUBFLOWS.FILTER(s => s.LOSSY).GET(1).PUSH(RQ.LAST);",
    "SET(R1, SUBFLOWS.COUNT + 10 * SUBFLOWS.FILTER(s => !s.STALE).COUNT);",
    "SET(R1, SUBFLOWS.SUM(s => s.RTT_VAR / (s.QUEUED - 1)));",
    "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());",
    "SUBFLOWS.MAX(s => s.RTT).PUSH(Q.POP());",
    "SUBFLOWS.MIN(s => s.USER).PUSH(Q.POP());",
    "SUBFLOWS.MAX(s => s.USER * s.DELAY_IN).PUSH(Q.POP());",
    "SUBFLOWS.MIN(s => 100 / (s.CWND - s.QUEUED)).PUSH(Q.POP());",
    "IF (SUBFLOWS.FILTER(s => s.IS_BACKUP OR s.THROTTLED AND !s.LOSSY).EMPTY) { SET(R1, 1); }",
    "SET(R1, SUBFLOWS.FILTER(s => !(s.CWND > 5 AND s.MSS < 5000)).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => s.ID != R1 OR Q.EMPTY).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => Q.TOP.SENT_ON(s)).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => !QU.TOP.SENT_ON(s) AND s.HAS_WINDOW_FOR(QU.TOP)).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => Q.FILTER(p => s.HAS_WINDOW_FOR(p)).EMPTY).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => SUBFLOWS.FILTER(t => t.RTT > s.RTT).COUNT > 1).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => SUBFLOWS.MIN(t => t.RTT).ID == s.ID).COUNT);",
    // Packet lists.
    "SET(R1, Q.COUNT + 1000 * QU.COUNT + 1000000 * RQ.COUNT);",
    "SET(R1, QU.FILTER(p => p.SENT_ON_ALL).COUNT);",
    "SET(R1, Q.SUM(p => p.LENGTH) + QU.FILTER(p => !p.PSH).SUM(p => p.USER));",
    "SUBFLOWS.TOP.PUSH(Q.MIN(p => p.LENGTH));",
    "SUBFLOWS.TOP.PUSH(Q.MAX(p => p.LENGTH));",
    "SUBFLOWS.TOP.PUSH(QU.MIN(p => p.USER));",
    "SUBFLOWS.TOP.PUSH(QU.MAX(p => p.SEQ % p.LENGTH));",
    "SUBFLOWS.TOP.PUSH(QU.FILTER(p => p.LENGTH > 500).FILTER(p => !p.PSH).LAST);",
    "SUBFLOWS.TOP.PUSH(QU.FILTER(p => p.LENGTH > 500).GET(R1 % 4));",
    "SET(R1, QU.FILTER(p => RQ.FILTER(r => r.LENGTH == p.LENGTH).COUNT > 1).COUNT);",
    "SET(R1, QU.FILTER(p => SUBFLOWS.FILTER(s => p.SENT_ON(s)).EMPTY).COUNT);",
    // POP.
    "DROP(Q.POP()); DROP(Q.POP()); SET(R1, QU.COUNT);",
    "SUBFLOWS.TOP.PUSH(RQ.POP()); SET(R1, RQ.COUNT);",
    "DROP(Q.FILTER(p => p.PSH).POP()); DROP(Q.FILTER(p => p.PSH).POP());",
    "VAR l = Q.FILTER(p => p.LENGTH > 1); DROP(l.POP()); DROP(l.POP()); SET(R1, l.COUNT); SET(R2, Q.COUNT);",
    "VAR l = RQ; DROP(RQ.POP()); DROP(l.POP()); IF (l.EMPTY) { SET(R1, 7); }",
    "VAR l = Q.FILTER(p => !p.PSH); IF (!l.EMPTY) { DROP(l.POP()); SUBFLOWS.TOP.PUSH(l.TOP); }",
    "VAR l = RQ.FILTER(p => p.PSH); IF (R1 > 1) { DROP(RQ.POP()); } DROP(l.POP());",
    "VAR l = Q.FILTER(p => p.PSH); FOREACH (VAR s IN SUBFLOWS) { s.PUSH(l.POP()); }",
    "VAR l = QU.FILTER(p => p.PSH); DROP(Q.POP()); SET(R1, l.COUNT); SET(R2, QU.FILTER(p => p.PSH).COUNT);",
    "VAR p = Q.POP(); IF (p != NULL) { SUBFLOWS.TOP.PUSH(p); }",
    "VAR x = SUBFLOWS.FILTER(s => s.LOSSY).TOP; x.PUSH(Q.POP()); SET(R1, Q.COUNT);",
    // FOREACH.
    "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.POP()); }",
    "FOREACH (VAR s IN SUBFLOWS.FILTER(t => t.ID > R1)) { SET(R1, R1 + s.ID); s.SET_USER(R1); }",
    "FOREACH (VAR p IN Q) { DROP(Q.POP()); SET(R1, R1 * 3 + p.LENGTH); }",
    "FOREACH (VAR p IN Q.FILTER(q => q.LENGTH > R1)) { SET(R1, R1 + p.LENGTH); }",
    "FOREACH (VAR p IN RQ) { FOREACH (VAR s IN SUBFLOWS) { IF (s.ID == R2) { RETURN; } SET(R1, R1 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { RETURN; } s.PUSH(Q.TOP); }",
    "FOREACH (VAR p IN QU) { IF (p.PSH) { DROP(RQ.POP()); } ELSE { SET(R1, p.SEQ); } }",
    // Packets that every subflow of a loop has had are skipped in it.
    "FOREACH (VAR s IN SUBFLOWS) { VAR m = QU.FILTER(p => !p.SENT_ON(s)); IF (!m.EMPTY) { s.PUSH(m.TOP); } ELSE { DROP(Q.POP()); } }",
    "FOREACH (VAR s IN SUBFLOWS.FILTER(t => !t.LOSSY)) { DROP(Q.FILTER(p => p.PSH).POP()); s.PUSH(QU.FILTER(p => p.PSH AND !p.SENT_ON(s)).TOP); }",
    "FOREACH (VAR s IN SUBFLOWS) { DROP(Q.POP()); s.PUSH(QU.FILTER(p => p.LENGTH > 9).FILTER(p => !p.SENT_ON(s)).TOP); SET(R1, R1 + QU.FILTER(p => !p.SENT_ON(s)).COUNT); }",
    "FOREACH (VAR s IN SUBFLOWS) { DROP(RQ.FILTER(p => !p.SENT_ON(s)).POP()); }",
    "FOREACH (VAR s IN SUBFLOWS) { VAR l = QU.FILTER(p => !p.SENT_ON(s)); SET(R1, R1 + l.COUNT); SET(R2, l.LAST.SEQ); }",
    "VAR x = SUBFLOWS.LAST; FOREACH (VAR s IN SUBFLOWS.FILTER(t => t.ID != x.ID)) { s.PUSH(QU.FILTER(p => !p.SENT_ON(x)).TOP); }",
    "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(QU.FILTER(p => !p.SENT_ON(s) AND p.LENGTH % 97 == 0).TOP); }",
    "VAR l = Q; VAR x = Q.POP(); FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 * 31 + l.FILTER(p => !p.SENT_ON(s)).FIRST.SEQ); SET(R2, R2 * 31 + Q.FILTER(p => !p.SENT_ON(s)).FIRST.SEQ); }",
    "VAR f = R1 > 1; VAR g = R2 > 1; IF (f OR g) { IF (g) { SET(R3, 1); } }",
    "VAR a = SUBFLOWS.FILTER(s => Q.FILTER(p => p.USER > p.LENGTH).COUNT > s.ID); SET(R1, a.COUNT);",
    // NULL.
    "SET(R1, 5 / R2); SET(R2, 5 % R1); SET(R3, R2 / 0);",
    "SET(R1, SUBFLOWS.TOP.RTT + Q.TOP.LENGTH);",
    "IF (Q.TOP.PSH == NULL) { SET(R1, 1); } IF (Q.TOP.LENGTH != QU.TOP.LENGTH) { SET(R2, 1); }",
    "IF (!(Q.TOP.PSH)) { SET(R1, 1); } ELSE { SET(R1, 2); }",
    "IF (!(Q.TOP.PSH AND TRUE)) { SET(R1, 1); } ELSE { SET(R1, 2); }",
    "IF ((Q.TOP.PSH == QU.TOP.PSH) == (R1 == 0)) { SET(R2, 1); }",
    "IF (SUBFLOWS == NULL OR SUBFLOWS.TOP == NULL) { SET(R1, 1); }",
    "VAR b = Q.TOP.PSH, i = Q.TOP.LENGTH; IF (b == NULL) { SET(R1, 1); } IF (!b) { SET(R2, i); } SET(R3, i + 1);",
    "NULL.PUSH(Q.POP()); SUBFLOWS.TOP.PUSH(NULL); SET(R1, Q.COUNT); SET(R2, NULL);",
    "SUBFLOWS.TOP.SET_USER(Q.TOP.LENGTH); SET(R1, SUBFLOWS.SUM(s => s.USER));",
    "SET(R1, SUBFLOWS.FILTER(s => Q.TOP.LENGTH > s.MSS).COUNT); SET(R2, SUBFLOWS.FILTER(s => !(Q.TOP.LENGTH > s.MSS)).COUNT);",
    // Arithmetic and order.
    "SET(R1, R2 - R3 * R4); SET(R5, R6 + 18446744073709551615); SET(R2, 4294967295 * R3);",
    "IF (R1 < R2) { SET(R3, 1); } IF (R1 <= R2) { SET(R4, 1); } IF (R1 >= 18446744073709551615) { SET(R5, 1); } IF (R1 > 9223372036854775807) { SET(R6, 1); }",
    "SET(R1, SUBFLOWS.FILTER(s => s.ID > R2).COUNT); SET(R3, SUBFLOWS.FILTER(s => R4 <= s.RTT).COUNT); SET(R5, SUBFLOWS.FILTER(s => s.CWND >= Q.TOP.USER).COUNT);",
    "SET(R1, SUBFLOWS.FILTER(s => s.RTT > 9223372036854775809).COUNT); SET(R2, SUBFLOWS.FILTER(s => s.RTT < R3 + 9223372036854775808).COUNT);",
    "IF (R1 == 0 AND R2 == 0 OR R3 != 0) { SET(R4, CURRENT_TIME_MS); }",
    "VAR x = 3 * R1, y = x / 2; IF (x > y AND !(y == R2)) { SET(R1, y); }",
    // RANDOM.
    "SET(R1, RANDOM); SET(R2, RANDOM);",
    "SUBFLOWS.MIN(s => RANDOM).PUSH(Q.MAX(p => RANDOM));",
    "SET(R1, SUBFLOWS.FILTER(s => Q.MIN(p => RANDOM).SENT_ON(s)).COUNT);",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + RANDOM + Q.SUM(p => RANDOM)); }",
    "VAR l = Q.FILTER(p => RANDOM % 2 == 0); DROP(l.POP()); DROP(l.TOP);",
    // PRINT.
    r#"PRINT("none"); PRINT("%d %u %s %%", R1, Q.EMPTY, "x"); PRINT("%d %d", SUBFLOWS.TOP, Q.TOP);"#,
    r#"PRINT("%d %d %d", Q.TOP.PSH, Q.TOP.LENGTH, NULL == Q.TOP);"#,
    r#"FOREACH (VAR p IN QU) { PRINT("%d %d", p, p.LENGTH); }"#,
    "VOID(RANDOM); VOID(); RETURN; SET(R1, 1);",
];

/// Loops that nest too deeply for the bounded form.
const DEEP: &[&str] = &[
    "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR t IN SUBFLOWS) { t.PUSH(QU.FILTER(p => !p.SENT_ON(t) AND !p.SENT_ON(s)).TOP); } SET(R1, QU.FILTER(p => !p.SENT_ON(s)).TOP.SEQ); }",
];

fn program(source: &str) -> Program {
    let parsed = progmp_syntax::parse("construct", source.as_bytes(), &[]);
    let first = parsed.diagnostics.first();
    parsed
        .program
        .unwrap_or_else(|| panic!("{first:?}\n{source}"))
}

fn image(code: &Code) -> Image {
    let block = Imm64::MapValue { fd: 0, offset: 0 };
    let mut insns = vec![Insn::LoadImm64 {
        dst: code.base,
        imm: block,
    }];
    insns.extend(&code.insns);
    Image::new(encode(&insns))
}

/// Small and large states, at most `most` packets in a queue.
fn states(program: &Program, count: u64, most: usize) -> Vec<SchedState> {
    let needs = Needs::of_body(program);
    let sizes = [(2, 3), (4, 6), (9, 20), (32, 60), (12, 2 * most)];
    let state = |seed: u64| {
        let (subflows, packets) = sizes[usize::try_from(seed % 5).expect("below five")];
        let sizes = Sizes { subflows, packets };
        state_of(&mut Choices::from_seed(seed), &needs, sizes)
    };
    let fits = |state: &SchedState| {
        [&state.q, &state.qu, &state.rq]
            .iter()
            .all(|queue| queue.len() <= most)
    };
    (0..count).map(state).filter(fits).collect()
}

fn agree(source: &str, loaded: &mut dyn Loaded, program: &Program, states: &[SchedState]) {
    for (number, state) in (0..).zip(states) {
        let mut shown = fill(state).expect("generated states can be shown");
        soil(&mut shown, number);
        let found = decide_on(loaded, &shown).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(
            found,
            reference(program, state),
            "{source}\n{}",
            state.to_json()
        );
    }
}

/// Each construct in each form that carries it, and how many packets a queue may have.
fn all() -> impl Iterator<Item = (&'static str, Loops, usize)> {
    let in_both = CONSTRUCTS
        .iter()
        .flat_map(|&source| [(source, Loops::MayGoto, 256), (source, Loops::Bounded, 64)]);
    in_both.chain(DEEP.iter().map(|&source| (source, Loops::MayGoto, 256)))
}

#[test]
fn every_construct_decides_like_the_interpreter() {
    for (source, loops, most) in all() {
        let program = program(source);
        let code = compile(&program, &Options { loops });
        let code = code.unwrap_or_else(|e| panic!("{source}: {e}"));
        let mut loaded = Interpreter::default()
            .load(&image(&code))
            .expect("it is a program");
        agree(source, &mut *loaded, &program, &states(&program, 40, most));
    }
}

#[test]
fn every_construct_loads_and_decides_alike_in_the_kernel_which_needs_root() {
    for (source, loops, most) in all() {
        let program = program(source);
        let code = compile(&program, &Options { loops }).expect("it compiles");
        let mut loaded = match (Kernel {
            mode: Mode::Syscall,
        })
        .load(&image(&code))
        {
            Ok(loaded) => loaded,
            Err(refusal @ (Refusal::NeedsCapBpf | Refusal::NoKernel { .. })) => {
                assert!(std::env::var_os("PROGMP_CI").is_none(), "{refusal}");
                println!("skipped: {refusal}");
                return;
            }
            Err(refusal) => panic!("{source}: {refusal}"),
        };
        agree(source, &mut *loaded, &program, &states(&program, 40, most));
    }
}
