//! Files and arguments that are wrong: a diagnostic, exit code 2, and nothing written.

use std::fs;

use progmp_driver::report::{DiagnosticReport, FileVerdict};

use super::{BROKEN, Bench, ENDLESS, GOOD};

/// What is wrong with a file, for a machine; and that nothing was written beside it.
#[track_caller]
fn trouble(bench: &Bench, file: &str) -> DiagnosticReport {
    let before = bench.names();
    let flags = [
        "--format=json",
        "--counterexamples=cex",
        "--svg=svg",
        "--export-smt=smt",
    ];
    let done = bench.verify(&[&flags[..], &[file]].concat());
    assert_eq!(done.code, Some(2), "{done:#?}");
    assert_eq!(bench.names(), before);
    let report = done.report();
    assert_eq!(report.files.len(), 1);
    let file = &report.files[0];
    assert_eq!(file.verdict, FileVerdict::Error);
    assert!(file.properties.is_empty());
    let first = file.diagnostics.first().expect("there is a diagnostic");
    assert!(first.help.is_some(), "{first:?}");
    first.clone()
}

/// The same for a text, whose mistake has a place. Gives the code and the place.
#[track_caller]
fn mistake(text: impl AsRef<[u8]>) -> (String, usize, usize) {
    let bench = Bench::new(&[]);
    fs::write(bench.path("bad.progmp"), text).unwrap();
    let found = trouble(&bench, "bad.progmp");
    let (line, column) = (found.line.unwrap(), found.column.unwrap());
    assert!(found.end_line.unwrap() >= line);
    let human = bench.verify(&["bad.progmp"]);
    human.says(
        2,
        &[
            &found.code,
            &found.message,
            "help: ",
            "error     bad.progmp",
        ],
    );
    assert_eq!(bench.names(), ["bad.progmp"]);
    (found.code, line, column)
}

#[test]
fn a_missing_file_gets_the_name_that_was_probably_meant() {
    let bench = Bench::new(&[("min_rtt.progmp", GOOD)]);
    let found = trouble(&bench, "min_rt.progmp");
    assert_eq!(found.code, "E0501");
    assert_eq!(found.message, "there is no such file");
    assert_eq!(found.help.as_deref(), Some("did you mean min_rtt.progmp?"));
}

#[test]
fn a_directory_is_no_scheduler() {
    let bench = Bench::new(&[]);
    fs::create_dir(bench.path("folder")).unwrap();
    let found = trouble(&bench, "folder");
    assert_eq!(found.message, "this is a directory");
}

#[test]
fn an_unreadable_file_is_told() {
    let bench = Bench::new(&[("file", GOOD)]);
    let found = trouble(&bench, "file/below");
    assert_eq!(
        (&*found.code, &*found.message),
        ("E0501", "not a directory")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_that_fails_half_way_is_told() {
    // Address 0 of a process is never mapped: opening works, reading does not.
    let found = trouble(&Bench::new(&[]), "/proc/self/mem");
    assert_eq!(
        (&*found.code, &*found.message),
        ("E0501", "input/output error")
    );
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_unreadable_for_all_but_root() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(&[("secret.progmp", GOOD)]);
    let path = bench.path("secret.progmp");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let root = fs::read(&path).is_ok();
    let done = bench.verify(&["secret.progmp"]);
    if root {
        done.says(0, &["accepted"]);
    } else {
        done.says(2, &["permission denied"]);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_shown_where_they_stand() {
    assert_eq!(mistake(b"RETURN;\n  \xff\xfe"), ("E0002".to_owned(), 2, 3));
}

#[test]
fn an_empty_file_is_no_scheduler() {
    assert_eq!(mistake(""), ("E0004".to_owned(), 1, 1));
    assert_eq!(mistake(" \n// nothing\n").0, "E0004");
}

#[test]
fn a_nul_byte_is_refused() {
    assert_eq!(mistake("RETURN;\0"), ("E0003".to_owned(), 1, 8));
}

#[test]
fn sixty_four_mebibytes_of_parentheses_are_refused_by_size() {
    assert_eq!(mistake(vec![b'('; 64 << 20]), ("E0001".to_owned(), 1, 1));
}

#[test]
fn a_mebibyte_of_parentheses_is_refused_by_depth() {
    assert_eq!(mistake(vec![b'('; 1 << 20]).0, "E0013");
}

#[test]
fn a_hundred_thousand_nested_blocks_are_refused_by_depth() {
    let text = "IF(TRUE){".repeat(100_000) + &"}".repeat(100_000);
    let (code, line, column) = mistake(text);
    assert_eq!((&*code, line), ("E0013", 1));
    assert!(column > 1);
}

#[test]
fn a_literal_of_two_to_the_sixty_fourth_is_refused() {
    assert_eq!(
        mistake("SET(R1, 18446744073709551616);"),
        ("E0011".to_owned(), 1, 9)
    );
}

#[test]
fn every_mistake_of_a_file_is_reported() {
    let text = "SET(R7, 1);\nVAR x = y;\nIF (SUBFLOWS.COUNTT > 1) { RETURN; }\n";
    let bench = Bench::new(&[("bad.progmp", text)]);
    let report = bench.verify(&["--format", "json", "bad.progmp"]).report();
    let lines: Vec<_> = report.files[0].diagnostics.iter().map(|d| d.line).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(3)]);
    bench
        .verify(&["bad.progmp"])
        .says(2, &["COUNTT", "did you mean", "3 mistakes"]);
}

#[test]
fn good_files_beside_bad_ones_are_judged() {
    let bench = Bench::new(&[("a", GOOD), ("b", BROKEN), ("c", ENDLESS)]);
    let done = bench.verify(&["a", "missing", "b", "c", "a"]);
    let order = [
        "accepted  good  (a)",
        "error     missing",
        "error     b",
        "rejected  endless  (c)",
    ];
    done.says(2, &order);
    done.says(2, &["5 files: 2 accepted, 1 rejected, 2 error"]);
    let report = bench
        .verify(&["--format=json", "a", "missing", "b", "c", "a"])
        .report();
    let names: Vec<_> = report.files.iter().map(|file| &*file.file).collect();
    assert_eq!(names, ["a", "missing", "b", "c", "a"]);
    assert_eq!(report.files[0], report.files[4]);
}

#[test]
fn usage_mistakes_name_the_option_and_judge_nothing() {
    let bench = Bench::new(&[("a", GOOD)]);
    bench.verify(&[]).complains(2, &["<FILE>", "Usage"]);
    bench
        .verify(&["--nonsense", "a"])
        .complains(2, &["--nonsense"]);
    bench
        .verify(&["--jobs", "0", "a"])
        .complains(2, &["--jobs"]);
    bench
        .verify(&["--rlimit", "much", "a"])
        .complains(2, &["--rlimit"]);
    bench
        .verify(&["--format", "xml", "a"])
        .complains(2, &["human", "json"]);
    bench
        .verify(&["--quiet", "--verbose", "a"])
        .complains(2, &["cannot be used with"]);
    bench.verify(&["-", "-"]).complains(2, &["only once"]);
    bench.progmp(&["judge"]).complains(2, &["judge"]);
}

#[test]
fn unknown_properties_get_a_suggestion() {
    let bench = Bench::new(&[("a", GOOD)]);
    let wrong = |option: &str, name: &str, hint: &str| {
        bench
            .verify(&[option, name, "a"])
            .complains(2, &[option, name, hint]);
    };
    wrong("--deny", "null-is-maskd", "did you mean `null-is-masked`?");
    wrong(
        "--allow",
        "trigger-termintes",
        "did you mean `trigger-terminates`?",
    );
    wrong(
        "--require",
        "work-conservin",
        "did you mean `work-conserving`?",
    );
    wrong("--require", "redundancy", "--require 'redundancy <= 1'");
    wrong("--require", "redundancy < 2", "redundancy <= 2");
    wrong("--require", "prefers(s => s.RTTT > 1)", "RTTT");
    let lost = bench.verify(&["--explain", "E9999"]);
    lost.complains(2, &["there is no code and no property `E9999`"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_the_verdict_is_printed_all_the_same() {
    let bench = Bench::new(&[("endless.progmp", ENDLESS), ("file", "")]);
    let done = bench.verify(&["--counterexamples", "file/cex", "endless.progmp"]);
    done.says(2, &["rejected  endless"]);
    assert!(done.err.contains("file/cex"), "{done:#?}");
    assert_eq!(bench.names(), ["endless.progmp", "file"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_not_a_success() {
    let bench = Bench::new(&[("a", GOOD)]);
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_progmp-verify"))
        .arg(bench.path("a"))
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("standard output cannot be written"), "{err}");
}
