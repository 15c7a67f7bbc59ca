//! `progmp-verify` on schedulers that can be judged: verdicts, exit codes, reports, files.

use progmp_driver::report::{FileVerdict, PropertyReport, Report};

use super::{BROKEN, Bench, CONVERGING, ENDLESS, GOOD, LOSING};

#[track_caller]
fn property<'r>(report: &'r Report, name: &str) -> &'r PropertyReport {
    let found = report.files[0].properties.iter().find(|p| p.name == name);
    found.unwrap_or_else(|| panic!("{name} is reported"))
}

#[test]
fn every_exit_code_is_reached() {
    let bench = Bench::new(&[
        ("good", GOOD),
        ("endless", ENDLESS),
        ("broken", BROKEN),
        ("converging", CONVERGING),
    ]);
    bench.verify(&["good"]).says(0, &["accepted  good  (good)"]);
    bench
        .verify(&["endless"])
        .says(1, &["rejected  endless  (endless)"]);
    bench.verify(&["broken"]).says(2, &["error     broken"]);
    bench
        .verify(&["converging"])
        .says(3, &["unknown   converging  (converging)"]);
    let fault = bench.verify(&["--provoke-fault", "good"]);
    fault.says(
        70,
        &[
            "E0700",
            "not of your scheduler",
            "Please report it",
            "0.1.0",
        ],
    );
    fault.says(70, &["error     good"]);
}

#[test]
fn of_several_files_the_first_of_70_2_1_3_counts() {
    let bench = Bench::new(&[
        ("good", GOOD),
        ("endless", ENDLESS),
        ("broken", BROKEN),
        ("converging", CONVERGING),
    ]);
    let code = |files: &[&str]| bench.verify(files).code.unwrap();
    assert_eq!(code(&["good", "converging"]), 3);
    assert_eq!(code(&["converging", "endless", "good"]), 1);
    assert_eq!(code(&["endless", "broken", "converging"]), 2);
    // A file that cannot be parsed is no fault of ours, and the other one is.
    assert_eq!(code(&["--provoke-fault", "good", "missing"]), 70);
}

#[test]
fn a_fault_is_reported_to_machines_too() {
    let bench = Bench::new(&[("good", GOOD)]);
    let done = bench.verify(&["--provoke-fault", "--format=json", "good"]);
    assert_eq!(done.code, Some(70));
    let report = done.report();
    assert_eq!(report.files[0].verdict, FileVerdict::Error);
    assert_eq!(report.files[0].diagnostics[0].code, "E0700");
}

#[test]
fn a_rejection_tells_place_state_executions_loss_and_way_out() {
    let bench = Bench::new(&[("losing.progmp", LOSING)]);
    let done = bench.verify(&["losing.progmp"]);
    done.says(
        1,
        &[
            "error[popped-packet-is-scheduled]",
            "--> losing.progmp:2:",
            "VAR p = Q.POP();",
            "= help: ",
            "It happens from this state:",
            "subflows: none",
            "Execution 1:",
            "popped from Q",
            "the list is empty",
            "Lost: packet",
            "packets-are-conserved is refuted too; it follows from popped-packet-is-scheduled",
            "refuted: popped-packet-is-scheduled\n",
            "progmp-verify --counterexamples DIR losing.progmp",
        ],
    );
}

#[test]
fn a_trigger_without_end_is_shown_as_a_cycle() {
    let bench = Bench::new(&[("endless.progmp", ENDLESS)]);
    let done = bench.verify(&["endless.progmp"]);
    done.says(
        1,
        &[
            "error[trigger-terminates]",
            "Back to execution",
            "goes on for ever",
        ],
    );
}

#[test]
fn an_acceptance_names_size_ranking_and_bound() {
    let bench = Bench::new(&[("good", "IF (R1 < 100) { SET(R1, R1 + 1); }")]);
    let done = bench.verify(&["good"]);
    done.says(
        0,
        &[
            "8 gate properties proved for any size",
            "trigger-terminates: ",
        ],
    );
    done.says(0, &["at most 100 executions in a row make no progress"]);
    let report = bench.verify(&["--format=json", "good"]).report();
    assert_eq!(property(&report, "trigger-terminates").bound, Some(100));
}

#[test]
fn quiet_prints_one_line_and_verbose_every_property() {
    let bench = Bench::new(&[("good", GOOD), ("endless", ENDLESS)]);
    let quiet = bench.verify(&["-q", "good", "endless"]);
    assert_eq!(
        quiet.out,
        "accepted  good  (good)\nrejected  endless  (endless)\n"
    );
    let verbose = bench.verify(&["-v", "good"]);
    verbose.says(
        0,
        &[
            "warn  no-dead-effect",
            "proved for any size",
            "effort: ",
            "solver units",
        ],
    );
    assert!(!bench.verify(&["good"]).out.contains("effort: "));
}

#[test]
fn the_machine_report_has_schema_1_in_a_fixed_order() {
    let bench = Bench::new(&[("losing.progmp", LOSING)]);
    let done = bench.verify(&["--format", "json", "losing.progmp"]);
    let report = done.report();
    assert_eq!((report.schema, &*report.tool), (1, "progmp-verify"));
    assert_eq!(report.version, env!("CARGO_PKG_VERSION"));
    let file = &report.files[0];
    assert_eq!(file.scheduler.as_deref(), Some("losing"));
    assert_eq!(file.verdict, FileVerdict::Rejected);
    let lost = property(&report, "popped-packet-is-scheduled");
    assert_eq!((&*lost.verdict, &*lost.level), ("refuted", "gate"));
    assert_eq!((lost.size, lost.line), (None, Some(2)));
    let example = lost.counterexample.as_ref().expect("a state shows it");
    assert_eq!(example.line, 2);
    let shown = file
        .diagnostics
        .iter()
        .find(|d| d.code == "popped-packet-is-scheduled");
    assert_eq!(shown.expect("an editor is told").severity, "error");
    for pair in ["\"schema\"", "\"tool\"", "\"version\"", "\"files\""].windows(2) {
        assert!(done.out.find(pair[0]) < done.out.find(pair[1]));
    }
    for pair in [
        "name", "verdict", "level", "size", "bound", "line", "column", "message",
    ]
    .windows(2)
    {
        let from = done.out.find("\"properties\"").unwrap();
        let at = |key: &str| done.out[from..].find(&format!("\"{key}\":")).unwrap();
        assert!(at(pair[0]) < at(pair[1]), "{pair:?}");
    }
}

#[test]
fn the_same_bytes_for_any_number_of_jobs() {
    let files: Vec<(String, &str)> = [GOOD, LOSING, BROKEN, ENDLESS, CONVERGING, GOOD]
        .into_iter()
        .enumerate()
        .map(|(number, text)| (format!("{number}.progmp"), text))
        .collect();
    let named: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, *text)).collect();
    let bench = Bench::new(&named);
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    for format in ["--format=human", "--format=json"] {
        let run = |jobs: &str| bench.verify(&[&["--verbose", format, jobs], &names[..]].concat());
        let one = run("--jobs=1");
        assert_eq!(one.code, Some(2));
        for jobs in ["--jobs=3", "--jobs=16"] {
            assert_eq!(run(jobs), one);
        }
    }
}

#[test]
fn levels_decide_what_gates() {
    let bench = Bench::new(&[("good", GOOD), ("endless", ENDLESS)]);
    bench
        .verify(&["--deny", "reinjections-are-served", "good"])
        .says(1, &["rejected"]);
    bench
        .verify(&["--require", "reinjections-are-served", "good"])
        .says(1, &["rejected"]);
    bench
        .verify(&["--deny=no-wrap,no-dead-effect", "good"])
        .says(0, &["accepted"]);
    let allowed = [
        "--allow",
        "trigger-terminates",
        "--allow",
        "trigger-is-short",
    ];
    let done = bench.verify(&[&allowed[..], &["endless"]].concat());
    done.says(0, &["accepted", "warning[trigger-terminates]"]);
    let clash = ["--allow=no-wrap", "--deny=no-wrap", "good"];
    bench
        .verify(&clash)
        .complains(2, &["both allowed and denied"]);
}

#[test]
fn requirements_of_the_command_line_gate() {
    let bench = Bench::new(&[("good", GOOD)]);
    bench
        .verify(&["--require", "redundancy <= 1", "good"])
        .says(0, &["1 requirement"]);
    bench
        .verify(&["--require", "any-size", "good"])
        .says(0, &["accepted"]);
    let done = bench.verify(&["--require", "work-conserving", "good"]);
    done.says(1, &["error[work-conserving]", "refuted: work-conserving"]);
    let report = bench
        .verify(&["--require", "redundancy <= 1", "--format=json", "good"])
        .report();
    let asked = property(&report, "redundancy");
    assert_eq!((&*asked.verdict, &*asked.level), ("proved", "ask"));
    assert!(
        asked.message.contains("redundancy <= 1"),
        "{}",
        asked.message
    );
}

#[test]
fn more_statements_than_are_judged_are_unknown_and_say_so() {
    let large = "SET(R1, 1);".repeat(1_001);
    let bench = Bench::new(&[("large", &large)]);
    bench
        .verify(&["large"])
        .says(3, &["program-too-large: 1001 statements"]);
    // Nor does it pass what is asked beside a gate that is switched off.
    let gates = "popped-packet-is-scheduled drop-is-licensed packets-are-conserved \
                 subflow-is-live null-is-not-used loops-terminate trigger-terminates \
                 trigger-is-short";
    let mut allowed: Vec<&str> = gates
        .split_whitespace()
        .flat_map(|gate| ["--allow", gate])
        .collect();
    allowed.extend(["--require", "redundancy <= 1", "large"]);
    bench
        .verify(&allowed)
        .says(3, &["undecided: redundancy <= 1"]);
    let last = allowed.len() - 3;
    allowed.splice(last..last + 2, ["--deny", "no-wrap"]);
    bench.verify(&allowed).says(3, &["undecided: no-wrap"]);
}

#[test]
fn a_smaller_effort_is_told_as_undecided_and_a_smaller_fuel_as_too_long() {
    let bench = Bench::new(&[
        ("slow", "IF (R1 < 100) { SET(R1, R1 + 1); }"),
        ("good", GOOD),
    ]);
    bench
        .verify(&["--fuel", "99", "slow"])
        .says(1, &["error[trigger-is-short]"]);
    bench
        .verify(&["--fuel", "100", "slow"])
        .says(0, &["accepted"]);
    bench
        .verify(&["--rlimit", "1", "good"])
        .says(3, &["unknown"]);
}

#[test]
fn standard_input_is_a_file_like_others() {
    let bench = Bench::new(&[("good", GOOD)]);
    let program = env!("CARGO_BIN_EXE_progmp-verify");
    let done = bench.run(program, &["good", "-"], LOSING);
    done.says(
        1,
        &[
            "accepted  good  (good)",
            "--> <stdin>:2:",
            "rejected  losing  (<stdin>)",
        ],
    );
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let bench = Bench::new(&[("endless", ENDLESS), ("broken", BROKEN)]);
    let files = ["endless", "broken"];
    let colored = |args: &[&str]| {
        bench
            .verify(&[args, &files].concat())
            .out
            .contains('\u{1b}')
    };
    assert!(!colored(&[]));
    assert!(colored(&["--color", "always"]));
    assert!(!colored(&["--color", "never"]));
}

#[test]
fn counterexamples_are_written_and_replayed() {
    let bench = Bench::new(&[("losing.progmp", LOSING), ("endless.progmp", ENDLESS)]);
    let args = [
        "--counterexamples",
        "cex",
        "--svg",
        "svg",
        "losing.progmp",
        "endless.progmp",
    ];
    let done = bench.verify(&args);
    let lost = "cex/losing.popped-packet-is-scheduled.json";
    let endless = "cex/endless.trigger-terminates.json";
    done.says(
        1,
        &[
            &format!("replay: progmp-verify --replay {lost} losing.progmp"),
            &format!("replay: progmp-verify --replay {endless} endless.progmp"),
        ],
    );
    for (state, file, shown) in [
        (lost, "losing.progmp", "Lost: packet"),
        (endless, "endless.progmp", "Back to execution"),
    ] {
        assert!(bench.read(state).ends_with("}\n"));
        bench
            .verify(&["--replay", state, file])
            .says(1, &["is violated by", "Execution 1:", shown]);
        bench
            .progmp(&["replay", state, file])
            .says(1, &["is violated by"]);
    }
    let picture = bench.read("svg/losing.popped-packet-is-scheduled.svg");
    assert!(picture.starts_with("<svg xmlns=") && picture.ends_with("</svg>\n"));
    // On another scheduler the same state shows nothing: what is kept is a regression test.
    bench
        .verify(&["--replay", endless, "losing.progmp"])
        .says(0, &["is not violated by"]);
    let written = std::fs::read_dir(bench.path("cex")).unwrap().count();
    assert_eq!(
        written,
        std::fs::read_dir(bench.path("svg")).unwrap().count()
    );
    let before = bench.read(lost);
    assert_eq!(
        bench.verify(&args),
        done,
        "a second run overwrites with the same bytes"
    );
    assert_eq!(bench.read(lost), before);
    assert_eq!(
        std::fs::read_dir(bench.path("cex")).unwrap().count(),
        written
    );
}

#[test]
fn a_counterexample_carries_the_requirement_that_it_violates() {
    let text =
        "IF (!SUBFLOWS.EMPTY) { VAR p = Q.POP(); FOREACH (VAR s IN SUBFLOWS) { s.PUSH(p); } }";
    let bench = Bench::new(&[("twice", text), ("good", GOOD)]);
    let asked = "redundancy <= 1";
    bench
        .verify(&["--require", asked, "--counterexamples", "cex", "twice"])
        .says(1, &["refuted: redundancy <= 1"]);
    let state = "cex/twice.redundancy.json";
    assert!(bench.read(state).contains(asked));
    bench
        .verify(&["--replay", state, "twice"])
        .says(1, &["redundancy is violated by twice"]);
    bench
        .verify(&["--replay", state, "good"])
        .says(0, &["redundancy is not violated by good"]);
}

#[test]
fn schedulers_of_one_name_do_not_overwrite_each_others_counterexamples() {
    let bench = Bench::new(&[("a", LOSING), ("b", LOSING)]);
    let done = bench.verify(&["--counterexamples", "cex", "a", "b"]);
    done.says(
        1,
        &[
            "--replay cex/losing.popped-packet-is-scheduled.json a",
            "--replay cex/losing.popped-packet-is-scheduled-2.json b",
        ],
    );
}

#[test]
fn proved_obligations_are_exported() {
    let text = "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);\n\
                ok.MIN(s => s.RTT).PUSH(Q.POP());\n";
    let bench = Bench::new(&[("good", text)]);
    bench
        .verify(&["--export-smt", "smt", "good"])
        .says(0, &["accepted"]);
    let (mut count, mut rewriting) = (0, 0);
    for entry in std::fs::read_dir(bench.path("smt")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        rewriting += u32::from(name.contains("refines"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("(check-sat)"), "{}", path.display());
        assert_eq!(path.extension().and_then(|e| e.to_str()), Some("smt2"));
        count += 1;
    }
    assert!(count > 3, "{count}");
    // What is compiled is another program, which is proved to do the same.
    assert!(rewriting > 0, "{rewriting}");
    let off = ["--export-smt", "off", "--no-rewrite", "good"];
    bench.verify(&off).says(0, &["accepted"]);
    let files = std::fs::read_dir(bench.path("off")).unwrap().count();
    assert_eq!(files + rewriting as usize, count);
}

#[test]
fn the_other_name_of_the_command_does_the_same() {
    let bench = Bench::new(&[("good", GOOD), ("endless", ENDLESS)]);
    let args = ["good", "endless"];
    assert_eq!(
        bench.progmp(&[&["verify"], &args[..]].concat()),
        bench.verify(&args)
    );
}

#[test]
fn an_accepted_file_leaves_no_counterexample() {
    let text = "VAR s = SUBFLOWS.MIN(s => s.RTT); IF (s.RTT > 3) { s.PUSH(Q.POP()); }";
    let bench = Bench::new(&[("a", text)]);
    bench
        .verify(&["--counterexamples", "failed", "a"])
        .says(0, &["accepted", "null-is-masked"]);
    assert!(!bench.path("failed").exists());
    bench
        .verify(&[
            "--deny",
            "null-is-masked",
            "--counterexamples",
            "failed",
            "a",
        ])
        .says(1, &["rejected"]);
    assert!(bench.path("failed").is_dir());
}
