//! `progmp compile` and `progmp diff`.

use super::{BROKEN, Bench, CONVERGING, ENDLESS, GOOD};
use progmp_verifier::ebpf::{Object, read};

/// Up to 32 × 256 × 2 actions.
const BUSY: &str = "SCHEDULER busy;\n\
    FOREACH (VAR s IN SUBFLOWS) {\n    FOREACH (VAR p IN QU) {\n        s.PUSH(p);\n    }\n}\n";

fn object(bench: &Bench, name: &str) -> Object {
    let bytes = std::fs::read(bench.path(name)).expect("the object is there");
    read(&bytes).expect("it is an object")
}

fn said(object: &Object, key: &str) -> String {
    let mut lines = object.note.iter().filter(|(name, _)| name == key);
    lines
        .next()
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

#[test]
fn what_is_accepted_becomes_an_object_that_tells_what_was_proved() {
    let bench = Bench::new(&[("good.progmp", GOOD)]);
    let done = bench.progmp(&["compile", "good.progmp", "-o", "good.bpf.o"]);
    assert_eq!((done.code, &*done.out, &*done.err), (Some(0), "", ""));
    let found = object(&bench, "good.bpf.o");
    assert_eq!(found.source, GOOD);
    assert_eq!(said(&found, "scheduler"), "good");
    assert_eq!(said(&found, "proof"), "any size");
    assert_eq!(said(&found, "needs"), "SUBFLOWS Q subflow.RTT");
    assert_eq!(said(&found, "actions"), "1");
    assert_eq!(said(&found, "packets"), "256");
    let first = std::fs::read(bench.path("good.bpf.o")).expect("it is there");
    bench
        .progmp(&["compile", "good.progmp", "-o", "good.bpf.o"])
        .says(0, &[]);
    let second = std::fs::read(bench.path("good.bpf.o")).expect("it is there");
    assert_eq!(first, second, "equal source gives equal bytes");
}

#[test]
fn the_bounded_form_says_so() {
    let bench = Bench::new(&[("good.progmp", GOOD)]);
    let args = ["compile", "good.progmp", "--loops", "bounded", "-o", "o"];
    bench.progmp(&args).says(0, &[]);
    let found = object(&bench, "o");
    assert_eq!(said(&found, "loops"), "bounded");
    assert_eq!(said(&found, "packets"), "64");
}

#[test]
fn what_is_not_accepted_is_not_compiled() {
    let files = [
        ("endless", ENDLESS, 1, "trigger-terminates"),
        ("converging", CONVERGING, 3, "converging"),
        ("broken", BROKEN, 2, "RTTT"),
    ];
    for (name, text, code, why) in files {
        let bench = Bench::new(&[(name, text)]);
        let args = ["compile", name, "-o", "out.o"];
        bench.progmp(&args).complains(code, &[why]);
        assert_eq!(bench.names(), [name], "no object is left behind");
    }
    let bench = Bench::new(&[]);
    let args = ["compile", "missing", "-o", "out.o"];
    bench.progmp(&args).complains(2, &["no such file"]);
}

#[test]
fn without_proof_the_object_says_so() {
    let bench = Bench::new(&[("endless", ENDLESS)]);
    let args = ["compile", "endless", "--unproved", "-o", "out.o"];
    bench.progmp(&args).says(0, &[]);
    assert_eq!(said(&object(&bench, "out.o"), "proof"), "none");
}

#[test]
fn a_program_that_does_not_fit_is_an_error_by_name_and_leaves_the_old_object() {
    let bench = Bench::new(&[("busy", BUSY), ("out.o", "old")]);
    let args = ["compile", "busy", "--unproved", "-o", "out.o"];
    bench
        .progmp(&args)
        .complains(2, &["busy: too-many-actions"]);
    assert_eq!(bench.read("out.o"), "old");
    let nowhere = [
        "compile",
        "busy",
        "--unproved",
        "-o",
        "no/such/folder/out.o",
    ];
    bench.progmp(&nowhere).complains(2, &["busy"]);
}

#[test]
fn an_output_that_cannot_be_written_is_bad_input() {
    let bench = Bench::new(&[("good", GOOD)]);
    let args = ["compile", "good", "-o", "no/such/folder/out.o"];
    bench.progmp(&args).complains(2, &["cannot be written"]);
    assert_eq!(bench.names(), ["good"]);
    bench
        .progmp(&["compile", "good"])
        .complains(2, &["--output"]);
}

#[test]
fn every_stage_can_be_printed() {
    let bench = Bench::new(&[("good", GOOD)]);
    for (stage, expected) in [
        ("ast", "Member"),
        ("ir", "Extremum"),
        ("vcode", "b0"),
        ("asm", "; 2: SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());"),
    ] {
        bench
            .progmp(&["compile", "good", "--emit", stage])
            .says(0, &[expected]);
    }
    assert_eq!(bench.names(), ["good"]);
}

#[test]
fn diff_compares_files_and_random_programs() {
    let bench = Bench::new(&[("good", GOOD)]);
    let done = bench.progmp(&["diff", "good", "--states", "20"]);
    done.says(0, &["1 programs", "0 decide otherwise", "MIN"]);
    let args = ["diff", "--generate", "2", "--states", "5", "--seed", "3"];
    let first = bench.progmp(&args);
    first.says(0, &["2 programs"]);
    assert_eq!(first.out, bench.progmp(&args).out, "the seed decides");
    assert_eq!(bench.names(), ["good"]);
}

#[test]
fn diff_takes_a_state_and_refuses_a_wrong_one() {
    let state = r#"{"subflows": [{"rtt": 5}], "packets": [{"seq": 1}], "q": [0]}"#;
    let bench = Bench::new(&[
        ("good", GOOD),
        ("s.json", state),
        ("bad.json", "{\"q\": [7]}"),
    ]);
    bench
        .progmp(&["diff", "good", "--state", "s.json"])
        .says(0, &["1  interpreter"]);
    bench
        .progmp(&["diff", "good", "--state", "bad.json"])
        .complains(2, &["Q names packet 7"]);
    bench
        .progmp(&["diff", "nothing"])
        .complains(2, &["no such file"]);
    bench.progmp(&["diff"]).complains(2, &["FILE"]);
    let wanted = ["diff", "good", "--states", "1", "--require-pairs", "1000"];
    let done = bench.progmp(&wanted);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("at least 1000 required"), "{done:?}");
}
