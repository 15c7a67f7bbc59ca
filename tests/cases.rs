//! Every file of `tests/cases/` gets the verdict that its comments expect.
//!
//! The format is that of tests/cases/README.md. `PROGMP_CASE=part-of-a-name`
//! runs some of them and prints their findings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use progmp_syntax::{SourceFile, parse, render};
use progmp_verifier::{Judgement, Level, Options, Report, Size, Verdict, prove, replay};

#[derive(Debug, Default)]
struct Expectation {
    verdict: String,
    refuted: BTreeSet<String>,
    warns: BTreeSet<String>,
    notes: BTreeSet<String>,
    exact: bool,
    errors: Vec<String>,
    bound: Option<u64>,
    any_size: bool,
}

impl Expectation {
    fn of(text: &str) -> Self {
        let mut expected = Self::default();
        // A scheduler of the corpus says nothing: it is accepted, for any size.
        if !text.contains("// expect:") {
            (expected.verdict, expected.any_size) = ("accepted".to_owned(), true);
        }
        for line in text.lines() {
            let Some(line) = line.trim().strip_prefix("//") else {
                continue;
            };
            let line = line.trim();
            if line == "exact" {
                expected.exact = true;
            }
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim().to_owned();
            match key {
                "expect" => expected.verdict = value,
                "refuted" => drop(expected.refuted.insert(value)),
                "warns" => drop(expected.warns.insert(value)),
                "notes" => drop(expected.notes.insert(value)),
                "error" => expected.errors.push(value),
                "bound" => expected.bound = value.parse().ok(),
                "size" => expected.any_size = value == "any",
                _ => {}
            }
        }
        expected
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "progmp"))
        .collect();
    found.sort();
    found
}

fn refuted(report: &Report, wanted: impl Fn(Level) -> bool) -> BTreeSet<String> {
    report
        .findings
        .iter()
        .filter(|f| wanted(f.level) && f.verdict == Verdict::Refuted && f.follows_from.is_none())
        .map(|f| f.property.name().to_owned())
        .collect()
}

/// What is wrong with a case; empty if nothing is.
fn judge(path: &Path, verbose: bool) -> Vec<String> {
    let bytes = fs::read(path).expect("a case can be read");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let expected = Expectation::of(&text);
    let parsed = parse("case", &bytes, &[]);
    let mut wrong = Vec::new();
    let Some(program) = parsed.program else {
        let source = SourceFile::from_bytes("case", &bytes);
        let shown = render(&parsed.diagnostics, &source, false);
        if expected.verdict != "error" {
            wrong.push(format!(
                "expected {}, got diagnostics:\n{shown}",
                expected.verdict
            ));
        }
        for error in expected.errors {
            if !shown.contains(&error) {
                wrong.push(format!("no diagnostic says `{error}`:\n{shown}"));
            }
        }
        return wrong;
    };
    progmp_ir::wellformed::check(&program).expect("the front end makes well-formed programs");
    let start = Instant::now();
    let report = prove(&program, &Options::default(), &mut |property| {
        if verbose {
            eprintln!("{:?} {property}", start.elapsed());
        }
    });
    let took = start.elapsed();
    let any_size = program
        .requirements
        .iter()
        .any(|r| r.kind == progmp_ir::RequirementKind::AnySize);
    let verdict = match report.judge(|f| f.level, any_size) {
        Judgement::Accepted => "accepted",
        Judgement::Rejected => "rejected",
        Judgement::Unknown => "unknown",
    };
    if verbose {
        println!("{} {verdict} {took:?} {:?}", path.display(), report.effort);
        for f in &report.findings {
            let line = f
                .span
                .map_or(0, |s| text[..s.start as usize].lines().count().max(1));
            println!(
                "   {} {} line {line} {:?}: {}",
                f.level.name(),
                f.title,
                f.verdict,
                f.message
            );
            if let Some(c) = &f.counterexample {
                println!(
                    "      {:?} {}",
                    c.scenario,
                    serde_json::to_string(&c.state).unwrap()
                );
            }
        }
    }
    if verdict != expected.verdict {
        wrong.push(format!("expected {}, got {verdict}", expected.verdict));
    }
    let gate = refuted(&report, |level| matches!(level, Level::Gate | Level::Ask));
    if gate != expected.refuted {
        wrong.push(format!(
            "expected refuted {:?}, got {gate:?}",
            expected.refuted
        ));
    }
    for (what, wanted, got) in [
        (
            "warns",
            &expected.warns,
            refuted(&report, |level| level == Level::Warn),
        ),
        (
            "notes",
            &expected.notes,
            refuted(&report, |level| level == Level::Note),
        ),
    ] {
        let fine = if expected.exact {
            *wanted == got
        } else {
            wanted.is_subset(&got)
        };
        if !fine {
            wrong.push(format!("expected {what} {wanted:?}, got {got:?}"));
        }
    }
    for f in &report.findings {
        if let Some(bound) = expected.bound
            && f.property.name() == "trigger-terminates"
            && f.bound != Some(bound)
        {
            wrong.push(format!("expected the bound {bound}, got {:?}", f.bound));
        }
        if expected.any_size
            && f.level == Level::Gate
            && !matches!(
                f.verdict,
                Verdict::Proved {
                    size: Size::Any,
                    ..
                }
            )
        {
            wrong.push(format!(
                "{} is not proved for any size: {:?}",
                f.title, f.verdict
            ));
        }
        if let Some(example) = &f.counterexample {
            let text = serde_json::to_string(example).expect("a counterexample serialises");
            let again = serde_json::from_str(&text).expect("… and is read back");
            if let Err(why) = replay(&program, &again, Options::default().fuel) {
                wrong.push(format!(
                    "the counterexample of {} does not replay: {why}",
                    f.title
                ));
            }
        }
        let gates = matches!(f.level, Level::Gate | Level::Ask);
        if gates && f.verdict == Verdict::Refuted && f.follows_from.is_none() {
            assert!(
                f.counterexample.is_some(),
                "{} is refuted without a state",
                f.title
            );
        }
    }
    if took.as_secs() >= 3 {
        println!("{} took {took:?}", path.display());
    }
    wrong
}

fn all_are_judged_as_expected(folder: &str, least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = std::env::var("PROGMP_CASE").ok();
    let cases: Vec<PathBuf> = files(&root.join(folder))
        .into_iter()
        .filter(|path| {
            only.as_ref()
                .is_none_or(|part| path.to_string_lossy().contains(part.as_str()))
        })
        .collect();
    assert!(
        only.is_some() || cases.len() >= least,
        "only {} cases",
        cases.len()
    );
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            std::thread::Builder::new()
                .stack_size(64 << 20)
                .spawn_scoped(scope, || {
                    while let Some(path) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let judged = std::panic::catch_unwind(|| judge(path, only.is_some()));
                        let found = judged.unwrap_or_else(|_| vec!["panicked".to_owned()]);
                        let name = path.file_name().unwrap_or_default().to_string_lossy();
                        wrong
                            .lock()
                            .expect("no thread panics while it holds the lock")
                            .extend(found.into_iter().map(|what| format!("{name}: {what}")));
                    }
                })
                .expect("a thread can be started");
        }
    });
    let mut wrong = wrong
        .into_inner()
        .expect("no thread panicked while it held the lock");
    wrong.sort();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn accepted_cases_are_accepted() {
    all_are_judged_as_expected("cases/accept", 100);
}

#[test]
fn rejected_cases_are_rejected() {
    all_are_judged_as_expected("cases/reject", 50);
}

#[test]
fn cases_with_errors_get_their_diagnostics() {
    all_are_judged_as_expected("cases/error", 50);
}

#[test]
fn every_scheduler_of_the_corpus_is_accepted() {
    all_are_judged_as_expected("../specs/schedulers", 19);
}
