//! `progmp fmt`, `run`, `equiv`, `replay`, `explain`, `completions`, `man`, `bench`.

use super::{BROKEN, Bench, CONVERGING, ENDLESS, GOOD, LOSING};

const STATE: &str = r#"{
    "subflows": [{"rtt": 20000}, {"rtt": 10000}],
    "packets": [{"seq": 1}, {"seq": 1001}],
    "q": [0, 1]
}"#;

#[test]
fn fmt_lays_out_in_place_and_once_is_enough() {
    let bench = Bench::new(&[("a", "SCHEDULER  a ;IF(Q.EMPTY){RETURN;}"), ("b", BROKEN)]);
    bench
        .progmp(&["fmt", "--check", "a"])
        .says(1, &["a is not formatted"]);
    bench.progmp(&["fmt", "a"]).says(0, &[]);
    let formatted = bench.read("a");
    assert!(formatted.starts_with("SCHEDULER a;\n"), "{formatted}");
    bench.progmp(&["fmt", "--check", "a"]).says(0, &[]);
    bench.progmp(&["fmt", "a"]).says(0, &[]);
    assert_eq!(bench.read("a"), formatted);
    assert_eq!(bench.names(), ["a", "b"]);
}

#[test]
fn fmt_leaves_files_with_mistakes_alone_and_does_the_others() {
    let wrong = "IF (Q.EMPTY { RETURN }";
    let bench = Bench::new(&[("wrong", wrong), ("a", "RETURN ;")]);
    bench
        .progmp(&["fmt", "wrong", "missing", "a"])
        .complains(2, &["--> wrong:1:", "missing"]);
    assert_eq!(bench.read("wrong"), wrong);
    assert_eq!(bench.read("a"), "RETURN;\n");
}

#[test]
fn fmt_of_standard_input_goes_to_standard_output() {
    let bench = Bench::new(&[]);
    let program = env!("CARGO_BIN_EXE_progmp");
    let done = bench.run(program, &["fmt", "-"], "RETURN ;");
    assert_eq!(
        (done.code, &*done.out, &*done.err),
        (Some(0), "RETURN;\n", "")
    );
}

#[test]
fn run_shows_each_execution_and_the_last_state() {
    let bench = Bench::new(&[("good", GOOD), ("s.json", STATE)]);
    let done = bench.progmp(&["run", "good", "--state", "s.json"]);
    done.says(
        0,
        &[
            "Execution 1:\n  actions: PUSH packet 1 on subflow 2\n",
            "changes: packet 1 leaves Q; packet 1 enters QU\n",
            "The trigger settles after 3 executions and 2 transmissions.",
            "1001  QU  2",
        ],
    );
    assert!(!done.out.contains(" |*"));
}

#[test]
fn run_traces_the_lines_on_request() {
    let bench = Bench::new(&[("losing", LOSING), ("s.json", STATE)]);
    let done = bench.progmp(&["run", "--trace", "losing", "--state", "s.json"]);
    done.says(
        0,
        &[
            "2 |*p = Q.POP()",
            "p = packet 1, popped from Q",
            "s = subflow 1",
            "packet 1 on subflow 2",
        ],
    );
}

#[test]
fn run_prints_a_state_that_it_reads_again() {
    let bench = Bench::new(&[("good", GOOD), ("s.json", STATE)]);
    let done = bench.progmp(&[
        "run",
        "good",
        "--state",
        "s.json",
        "--format=json",
        "--trace",
    ]);
    done.says(
        0,
        &[
            "\"outcome\": \"settled\"",
            "\"transmissions\": 2",
            "\"trace\"",
        ],
    );
    let value: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(value["executions"][0]["actions"][0]["subflow"], 2);
    assert_eq!(value["executions"][0]["actions"][0]["line"], 2);
    let program = env!("CARGO_BIN_EXE_progmp");
    let again = bench.run(
        program,
        &["run", "good", "--state", "-"],
        &value["state"].to_string(),
    );
    again.says(
        0,
        &["The trigger settles after 1 execution and 0 transmissions."],
    );
}

#[test]
fn run_stops_where_the_host_would() {
    let text = "IF (R1 < 1000) { SET(R1, R1 + 1); }";
    let bench = Bench::new(&[("long", text), ("good", GOOD), ("s.json", STATE)]);
    let fuel = bench.progmp(&["run", "long", "--state", "s.json", "--fuel", "3"]);
    fuel.says(1, &["Execution 4:", "runs out of fuel"]);
    let memory = bench.progmp(&["run", "good", "--state", "s.json", "--memory", "1"]);
    memory.says(
        0,
        &["stops before packet 1001 on subflow 2 (there is no memory)"],
    );
}

#[test]
fn run_refuses_states_that_no_host_shows() {
    let bench = Bench::new(&[
        ("good", GOOD),
        ("broken", BROKEN),
        ("s.json", STATE),
        ("twice.json", r#"{"packets": [{}], "q": [0], "qu": [0]}"#),
        ("typo.json", r#"{"packetz": []}"#),
        ("cut.json", r#"{"packets": ["#),
    ]);
    let run = |file: &str, state: &str| bench.progmp(&["run", file, "--state", state]);
    run("good", "twice.json").complains(2, &["twice.json: packet 0 is in Q and in QU", "E0502"]);
    run("good", "typo.json").complains(2, &["unknown field `packetz`", "line 1 column"]);
    run("good", "cut.json").complains(2, &["line 1 column"]);
    run("good", "missing.json").complains(2, &["there is no such file"]);
    run("broken", "s.json").complains(2, &["RTTT"]);
    run("-", "-").complains(2, &["only once"]);
}

#[test]
fn schedulers_that_are_compared_up_to_a_size_only_are_not_called_equal() {
    let parts = "SUBFLOWS.FILTER(s => s.LOSSY).COUNT + SUBFLOWS.FILTER(s => !s.LOSSY).COUNT";
    let a = format!("IF ({parts} == 3) {{ SET(R1, 1); }}");
    let b = "IF (SUBFLOWS.COUNT == 3) { SET(R1, 1); }";
    let bench = Bench::new(&[("a", &a), ("b", b)]);
    bench
        .progmp(&["equiv", "a", "b"])
        .says(3, &["undecided", "up to 8 subflows and 16 packets"]);
}

#[test]
fn equiv_tells_equal_from_different() {
    let renamed = "SUBFLOWS.MIN(x => x.RTT)\n  .PUSH(Q.POP());";
    let slowest = "SUBFLOWS.MAX(s => s.RTT).PUSH(Q.POP());";
    let bench = Bench::new(&[("a", GOOD), ("b", renamed), ("c", slowest), ("bad", BROKEN)]);
    bench
        .progmp(&["equiv", "a", "b"])
        .says(0, &["equal: a and b (proved for any size)"]);
    let done = bench.progmp(&["equiv", "a", "c"]);
    done.says(
        1,
        &[
            "different: a and c, in this state:",
            "subflows",
            "\na:\n",
            "\nc:\n",
            "PUSH packet",
        ],
    );
    bench.progmp(&["equiv", "a", "bad"]).complains(2, &["RTTT"]);
    bench.progmp(&["equiv", "a"]).complains(2, &["<B>"]);
}

#[test]
fn replay_refuses_what_is_no_counterexample() {
    let state = |scenario: &str, property: &str, schema: u32| {
        format!(
            r#"{{"schema": {schema}, "property": "{property}", "line": 0, "column": 0,
                "scenario": {scenario}, "state": {{}}}}"#
        )
    };
    let once = "\"execution\"";
    let name = "popped-packet-is-scheduled";
    let endless = r#"{"run": {"executions": 18446744073709551615}}"#;
    let files = [
        (
            "property",
            state(once, "popped-packets-are-scheduled", 1),
            "did you mean",
        ),
        ("schema", state(once, name, 2), "schema 2 is not known"),
        ("long", state(endless, name, 1), "a scenario has 1 to"),
        (
            "cycle",
            state(r#"{"cycle": {"start": 0, "length": 0}}"#, name, 1),
            "a scenario has",
        ),
        ("json", "{".to_owned(), "line 1 column"),
        (
            "host",
            state(once, name, 1).replace("{}}", r#"{"q": [0]}}"#),
            "Q names packet 0",
        ),
    ];
    let bench = Bench::new(&[("good", GOOD)]);
    for (file, text, why) in &files {
        std::fs::write(bench.path(file), text).unwrap();
        bench
            .verify(&["--replay", file, "good"])
            .complains(2, &[file, why, "E0502"]);
    }
    bench
        .verify(&["--replay", "json", "good", "good"])
        .complains(2, &["one FILE"]);
    std::fs::write(bench.path("fine"), state(once, name, 1)).unwrap();
    bench
        .verify(&["--replay", "fine", "good"])
        .says(0, &["is not violated by good"]);
}

#[test]
fn explain_knows_codes_properties_and_lists() {
    let bench = Bench::new(&[]);
    bench
        .verify(&["--explain", "E0202"])
        .says(0, &["E0202 unknown-member", "Wrong:", "Right:"]);
    bench
        .verify(&["--explain", "trigger-terminates"])
        .says(0, &["Breaks it:", "Mended:"]);
    bench
        .progmp(&["explain", "E0501"])
        .says(0, &["cannot-read"]);
    bench
        .progmp(&["explain", "properties"])
        .says(0, &["gate  trigger-terminates"]);
    bench
        .progmp(&["explain", "codes"])
        .says(0, &["E0202", "E0700"]);
    bench
        .progmp(&["explain", "trigger-terminate"])
        .complains(2, &["did you mean `trigger-terminates`?"]);
}

#[test]
fn help_version_completions_and_manual_are_printed() {
    let bench = Bench::new(&[]);
    bench
        .verify(&["--help"])
        .says(0, &["Exit codes: 0 accepted", "--counterexamples <DIR>"]);
    bench
        .verify(&["--version"])
        .says(0, &[concat!("progmp-verify ", env!("CARGO_PKG_VERSION"))]);
    for shell in ["bash", "zsh", "fish"] {
        bench
            .progmp(&["completions", shell])
            .says(0, &["progmp", "export-smt"]);
    }
    bench.progmp(&["man"]).says(0, &[".TH progmp 1"]);
    bench
        .progmp(&["man", "progmp-verify"])
        .says(0, &[".TH progmp-verify 1", "replay"]);
}

#[test]
fn bench_prints_a_row_for_each_file_and_a_total() {
    let bench = Bench::new(&[
        ("good", GOOD),
        ("endless", ENDLESS),
        ("converging", CONVERGING),
    ]);
    let done = bench.progmp(&["bench", "--runs", "1", "good"]);
    done.says(
        0,
        &[
            "scheduler",
            "peak MiB",
            "good       accepted  yes",
            "1 schedulers: total",
        ],
    );
    let done = bench.progmp(&["bench", "--runs", "1", "good", "endless", "converging"]);
    done.says(
        1,
        &[
            "endless     rejected",
            "converging  unknown",
            "3 schedulers: total",
        ],
    );
}
