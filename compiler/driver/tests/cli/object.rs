//! `progmp-verify --object`.

use super::{Bench, GOOD, LOSING};
use progmp_verifier::ebpf::read;

const ONE: &str = "SCHEDULER one;\n\
    IF (!Q.EMPTY AND !SUBFLOWS.EMPTY) {\n    SUBFLOWS.TOP.PUSH(Q.POP());\n}\n";
const LOOP: &str = "SCHEDULER loop;\nFOREACH (VAR s IN SUBFLOWS) {\n    s.SET_USER(s.RTT);\n}\n";

/// A folder with a scheduler and its object.
fn compiled(source: &str) -> Bench {
    let bench = Bench::new(&[("one.progmp", source)]);
    let args = ["compile", "one.progmp", "--no-load", "-o", "one.o"];
    bench.progmp(&args).says(0, &[]);
    bench
}

const JUDGE: [&str; 3] = ["--object", "one.o", "one.progmp"];

#[test]
fn each_program_of_an_object_is_validated() {
    let bench = compiled(ONE);
    let programs = ["syscall", "tc", "?struct_ops/schedule"];
    let lines = programs.map(|section| format!("one.o: {section}: validated: "));
    let mut texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    texts.push("accepted");
    bench.verify(&JUDGE).says(0, &texts);
}

#[test]
fn an_altered_object_is_refuted_with_a_state_that_runs() {
    let bench = compiled(ONE);
    let mut bytes = std::fs::read(bench.path("one.o")).expect("it is there");
    let code = read(&bytes).expect("an object").programs[0].code.clone();
    // The action becomes a DROP: the kind stands in the upper byte of an immediate.
    let push = code.chunks(8).position(|slot| slot[4..] == [0, 0, 0, 1]);
    let push = 8 * push.expect("a push is built somewhere");
    let end = &code[push..];
    let at = bytes.windows(end.len()).position(|window| window == end);
    bytes[at.expect("code stands in the file") + 7] = 2;
    std::fs::write(bench.path("one.o"), &bytes).expect("it can be written");
    let done = bench.verify(&[&JUDGE[..], &["--counterexamples", "out"]].concat());
    done.says(
        1,
        &[
            "one.o: syscall: refuted: ",
            "program",
            "bytes",
            "PUSH packet 1",
        ],
    );
    let state = "out/one.syscall.state.json";
    bench
        .progmp(&["run", "one.progmp", "--state", state])
        .says(0, &["PUSH"]);
}

#[test]
fn what_is_not_known_does_not_pass() {
    let bench = compiled(LOOP);
    let done = bench.verify(&JUDGE);
    // Once loops are followed, this is 0 and `validated`.
    done.says(3, &["accepted", "one.o: tc: unknown: "]);
}

#[test]
fn the_gate_and_the_source_are_judged_first() {
    let bench = Bench::new(&[
        ("one.progmp", ONE),
        ("good.progmp", GOOD),
        ("losing.progmp", LOSING),
    ]);
    let compile = |source: &str, object: &str| {
        let args = ["compile", source, "--no-load", "--unproved", "-o", object];
        bench.progmp(&args).says(0, &[]);
    };
    compile("one.progmp", "one.o");
    compile("losing.progmp", "losing.o");
    let done = bench.verify(&["--object", "one.o", "good.progmp"]);
    done.says(1, &["not-its-source", "good"]);
    let done = bench.verify(&["--object", "losing.o", "losing.progmp"]);
    done.says(1, &["rejected", "losing.o: syscall: "]);
}

#[test]
fn what_is_no_object_is_bad_input() {
    let bench = compiled(ONE);
    for (arguments, words) in [
        (vec!["--object", "one.progmp", "one.progmp"], "bad-object"),
        (vec!["--object", "missing.o", "one.progmp"], "missing.o"),
        (
            vec!["--object", "one.o", "one.progmp", "one.progmp"],
            "one FILE",
        ),
        (
            vec!["--object", "one.o", "one.progmp", "--format", "json"],
            "--object",
        ),
    ] {
        let done = bench.verify(&arguments);
        assert_eq!(done.code, Some(2), "{done:#?}");
        assert!(done.err.contains(words), "{done:#?}");
    }
}
