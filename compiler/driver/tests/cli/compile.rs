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
    let args = ["compile", "good.progmp", "--no-load", "-o", "good.bpf.o"];
    let done = bench.progmp(&args);
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

/// A sum of so many products that are all needed at one time.
fn wide(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|number| format!("v{number}")).collect();
    let declared = (0..count).map(|number| format!("VAR v{number} = R1 / (R2 + {number});\n"));
    let sum = names.join(" * ");
    format!("{}SET(R1, {sum});\n", declared.collect::<String>())
}

/// So many lists, kept until the end.
fn lists(count: usize) -> String {
    let list = |number| format!("VAR l{number} = Q.FILTER(p => p.LENGTH > {number});\n");
    let count_of = |number| format!("SET(R1, R1 + l{number}.COUNT);\n");
    let declared: String = (0..count).map(list).collect();
    declared + &(0..count).map(count_of).collect::<String>()
}

#[test]
fn every_limit_is_told_by_name_and_nothing_is_written() {
    let steps = "SET(R1, Q.SUM(a => QU.SUM(b => RQ.SUM(c => a.LENGTH + b.LENGTH + c.LENGTH))));";
    // Fewer than 8 million rounds, but not within the quarter of a second that newer kernels allow.
    let slow = "FOREACH (VAR a IN Q) { FOREACH (VAR b IN Q) { FOREACH (VAR s IN SUBFLOWS) {\
        SET(R1, R1 % s.RTT + a.LENGTH * b.LENGTH / s.CWND); } } }";
    let both = &["may-goto", "bounded"][..];
    let cases = [
        ("too-much-stack", wide(90), both),
        ("too-many-actions", BUSY.to_owned(), both),
        ("too-many-snapshots", lists(60), both),
        ("too-many-steps", steps.to_owned(), &both[..1]),
        ("instructions (", slow.to_owned(), &both[..1]),
        ("too-large-for-bounded", steps.to_owned(), &both[1..]),
    ];
    for (name, text, forms) in cases {
        let bench = Bench::new(&[("big", &text)]);
        for form in forms {
            let args = ["compile", "big", "--unproved", "--loops", form, "-o", "o"];
            let done = bench.progmp(&args);
            done.complains(2, &["big: ", name]);
            assert_eq!(bench.names(), ["big"], "{name}");
        }
    }
}

/// Our estimate lets it pass; the kernel's verifier gives up on it (Linux 6.18).
const TOO_LARGE: &str = "SUBFLOWS.FILTER(x => Q.LAST.SENT_ON(SUBFLOWS.GET(RANDOM)))\
    .MAX(x => NULL * (1 * (4 + R1))).PUSH(RQ.POP());";

#[test]
fn that_the_kernel_gives_up_on_a_bounded_program_is_a_limit_and_no_fault() {
    let bench = Bench::new(&[("big", TOO_LARGE)]);
    let args = ["compile", "big", "--unproved", "--loops=bounded", "-o", "o"];
    let done = bench.progmp(&args);
    if done.err.contains("the kernel was not asked") {
        assert!(std::env::var_os("PROGMP_CI").is_none(), "{}", done.err);
        println!("skipped: needs CAP_BPF");
        return;
    }
    done.complains(2, &["big: too-large-for-bounded", "use --loops may-goto"]);
    assert_eq!(bench.names(), ["big"]);
}

#[test]
fn what_cannot_be_compiled_gets_its_verdict_all_the_same() {
    let bench = Bench::new(&[("busy", BUSY), ("good", GOOD)]);
    let done = bench.verify(&["busy"]);
    let told = [
        "refuted: trigger-terminates",
        "cannot be compiled: too-many-actions",
    ];
    done.says(1, &told);
    let files = bench
        .verify(&["--format=json", "busy", "good"])
        .report()
        .files;
    let codes: Vec<_> = files
        .iter()
        .map(|file| file.code.as_ref().expect("it is judged"))
        .collect();
    let refusal = codes[0].refusal.as_deref().expect("it is refused");
    assert!(refusal.starts_with("too-many-actions: "), "{refusal}");
    assert_eq!((codes[0].instructions, &codes[0].steps), (None, &None));
    assert_eq!(codes[1].refusal, None);
    assert!(codes[1].instructions.is_some_and(|count| count > 10));
    assert!(
        codes[1]
            .steps
            .as_deref()
            .is_some_and(|steps| steps.contains('s'))
    );
    assert_eq!(codes[1].actions.as_deref(), Some("1"));
}

#[test]
fn without_privilege_the_object_is_written_and_it_is_told_that_the_kernel_was_not_asked() {
    let bench = Bench::new(&[("good", GOOD)]);
    let progmp = env!("CARGO_BIN_EXE_progmp");
    let drop = ["--bounding-set=-all", "--inh-caps=-all", progmp];
    let args = ["compile", "good", "-o", "out.o"];
    let note = "note: the kernel was not asked: needs CAP_BPF\n";
    let mut done = bench.progmp(&args);
    if done.err != note {
        assert_eq!(
            (done.code, &*done.err),
            (Some(0), ""),
            "the kernel takes it"
        );
        std::fs::remove_file(bench.path("out.o")).expect("it is there");
        done = bench.run("setpriv", &[&drop[..], &args[..]].concat(), "");
    }
    assert_eq!((done.code, &*done.out, &*done.err), (Some(0), "", note));
    assert_eq!(object(&bench, "out.o").source, GOOD);
}

#[test]
fn an_output_that_cannot_be_written_is_bad_input() {
    let bench = Bench::new(&[("good", GOOD)]);
    let args = ["compile", "good", "-o", "no/such/folder/out.o"];
    bench
        .progmp(&args)
        .complains(2, &["cannot be written", "there is no such folder"]);
    assert_eq!(bench.names(), ["good"]);
    bench
        .progmp(&["compile", "good"])
        .complains(2, &["--output"]);
}

#[test]
fn the_source_is_never_replaced_by_its_object_nor_an_object_taken_for_a_source() {
    let bench = Bench::new(&[("good", GOOD)]);
    let args = ["compile", "good", "-o", "./good"];
    bench
        .progmp(&args)
        .complains(2, &["./good is the scheduler itself"]);
    assert_eq!(bench.read("good"), GOOD);
    let args = ["compile", "good", "--no-load", "-o", "good.o"];
    assert_eq!(bench.progmp(&args).code, Some(0));
    bench
        .progmp(&["compile", "good.o", "-o", "other"])
        .complains(2, &["this is an object"]);
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

/// A VAR that is computed too early, and a condition that is said in a roundabout way.
const WASTEFUL: &str = "SCHEDULER wasteful;\n\
    VAR ready = SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);\n\
    IF (Q.COUNT == 0) {\n    RETURN;\n}\n\
    ready.MIN(s => s.RTT).PUSH(Q.POP());\n";

#[test]
fn what_is_rewritten_is_told_rule_by_rule() {
    let plain = "SCHEDULER plain;\nIF (!Q.EMPTY) { SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP()); }\n";
    let bench = Bench::new(&[("wasteful", WASTEFUL), ("plain", plain)]);
    let emit = ["compile", "wasteful", "--emit", "rewrite-report"];
    let words = [
        "wasteful: used: proved to decide as the source, for any size",
        "instructions: ",
        "delay-var at 0",
        "idle-guard at 0",
        "count-is-zero",
    ];
    bench.progmp(&emit).says(0, &words);
    let off = [&emit[..], &["--no-rewrite"]].concat();
    bench.progmp(&off).says(0, &["wasteful: off"]);
    let emit = ["compile", "plain", "--emit", "rewrite-report"];
    bench.progmp(&emit).says(0, &["plain: nothing is cheaper"]);
    let done = bench.verify(&["--verbose", "wasteful"]);
    done.says(0, &["rewriting: used: proved"]);
    let done = bench.verify(&["--verbose", "--no-rewrite", "wasteful"]);
    done.says(0, &["rewriting: off"]);
}

#[test]
fn rewriting_can_be_switched_off_and_the_object_tells() {
    let bench = Bench::new(&[("wasteful", WASTEFUL)]);
    let args = ["compile", "wasteful", "--no-load", "-o", "on.o"];
    assert_eq!(bench.progmp(&args).code, Some(0));
    let args = [
        "compile",
        "wasteful",
        "--no-load",
        "--no-rewrite",
        "-o",
        "off.o",
    ];
    assert_eq!(bench.progmp(&args).code, Some(0));
    let (on, off) = (object(&bench, "on.o"), object(&bench, "off.o"));
    assert_eq!(
        (said(&on, "rewriting"), said(&off, "rewriting")),
        ("compress".into(), "off".into())
    );
    let code = |object: &Object| object.programs[0].code.clone();
    assert_ne!(code(&on), code(&off));
    for name in ["on.o", "off.o"] {
        let words = ["wasteful may be loaded"];
        bench.progmp(&["load", "--check", name]).says(0, &words);
    }
}

/// New data goes to the fastest subflow that has a window.
const FASTEST: &str = "SCHEDULER fastest;\n\
    VAR ready = SUBFLOWS.FILTER(s => !s.LOSSY AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);\n\
    IF (!Q.EMPTY) {\n    VAR next = Q.TOP;\n    \
    ready.FILTER(s => s.HAS_WINDOW_FOR(next)).MIN(s => s.RTT).PUSH(Q.POP());\n}\n";

#[test]
fn one_execution_fills_the_window_where_that_is_the_same() {
    let bench = Bench::new(&[("fastest", FASTEST), ("good", GOOD)]);
    let emit = ["compile", "fastest", "--emit=rewrite-report"];
    let words = [
        "compression: used: proved to send what the source sends",
        "line 5: ready.FILTER",
    ];
    bench.progmp(&emit).says(0, &words);
    let emit = ["compile", "good", "--emit=rewrite-report"];
    let words = ["compression: not tried: the list is not filtered by HAS_WINDOW_FOR"];
    bench.progmp(&emit).says(0, &words);
    for (name, switch, rewriting, compressed, actions) in [
        ("many", "--no-load", "compress", "yes", "p + 1"),
        ("one", "--no-compress", "on", "no", "1"),
        ("as_is", "--no-rewrite", "off", "no", "1"),
    ] {
        let args = ["compile", "fastest", "--no-load", switch, "-o", name];
        let args = if switch == "--no-load" {
            [&args[..2], &args[3..]].concat()
        } else {
            args.to_vec()
        };
        assert_eq!(bench.progmp(&args).code, Some(0), "{name}");
        let found = object(&bench, name);
        let told = ["rewriting", "compressed", "actions"].map(|key| said(&found, key));
        assert_eq!(told, [rewriting, compressed, actions], "{name}");
        let words = ["fastest may be loaded: proved for any size"];
        bench.progmp(&["load", "--check", name]).says(0, &words);
    }
}

#[test]
fn the_graph_of_an_expression_is_drawn() {
    let bench = Bench::new(&[("wasteful", WASTEFUL)]);
    let emit = ["compile", "wasteful", "--emit", "egraph"];
    bench.progmp(&emit).says(0, &["digraph", "filter"]);
    let line = [&emit[..], &["--line", "3"]].concat();
    bench.progmp(&line).says(0, &["digraph", "empty"]);
    let nowhere = [&emit[..], &["--line", "99"]].concat();
    bench
        .progmp(&nowhere)
        .complains(2, &["there is no expression to draw"]);
    bench
        .progmp(&["compile", "wasteful", "-o", "o", "--line", "3"])
        .complains(2, &["--line goes with --emit egraph"]);
}

#[test]
fn diff_compares_rewritten_programs_too() {
    let bench = Bench::new(&[("wasteful", WASTEFUL)]);
    let done = bench.progmp(&["diff", "wasteful", "--states", "20"]);
    done.says(0, &["20  interpreter, rewritten", "0 decide otherwise"]);
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
