//! `recheck.py` on scripts written by hand: it confirms, and it can also disagree.
//!
//! Needs cvc5, which `cargo setup --all` fetches.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Addition commutes.
const UNSAT: &str = "
(declare-const a (_ BitVec 64)) (declare-const b (_ BitVec 64))
(assert (not (= (bvadd a b) (bvadd b a))))
(check-sat)";

/// Packets in a queue of `n`: a quantified script with two queries, both unsatisfiable.
const UNSAT_QUANTIFIED: &str = "
(declare-sort Packet 0)
(declare-fun seq (Packet) (_ BitVec 64))
(declare-fun place (Packet) Int)
(declare-fun queued (Packet) Bool)
(declare-const p Packet) (declare-const q Packet) (declare-const n Int)
(assert (forall ((x Packet))
  (! (=> (queued x) (and (<= 0 (place x)) (< (place x) n))) :pattern ((queued x)))))
(assert (forall ((x Packet) (y Packet))
  (! (=> (and (queued x) (queued y) (< (place x) (place y))) (bvult (seq x) (seq y)))
     :pattern ((place x) (place y)))))
(assert (queued p))
(push 1)
(assert (< n 1))
(check-sat)
(pop 1)
(assert (and (queued q) (< (place p) (place q)) (= (seq p) (seq q))))
(check-sat)";

/// A square above three exists.
const SAT: &str = "(declare-const x Int) (assert (> (* x x) 3)) (check-sat)";

/// More multiplication than the limit allows.
const HARD: &str = "
(declare-const a (_ BitVec 64)) (declare-const b (_ BitVec 64)) (declare-const c (_ BitVec 64))
(assert (not (= (bvurem (bvmul a (bvmul b c)) (bvadd a c))
                (bvurem (bvmul (bvmul b a) c) (bvadd c (bvmul a #x0000000000000001))))))
(assert (= (bvmul a b c) (bvudiv #xfedcba9876543211 (bvmul c c))))
(check-sat)";

/// Runs the script on these files; returns its exit code and its output, or `None` without cvc5.
fn recheck(files: &[(&str, &str)]) -> Option<(i32, String)> {
    recheck_with(files, &[])
}

/// The same with further arguments.
fn recheck_with(files: &[(&str, &str)], arguments: &[&str]) -> Option<(i32, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cvc5 = here.join("../../.deps/cvc5");
    if !cvc5.is_dir() {
        assert!(
            env::var_os("PROGMP_CI").is_none(),
            "CI must not skip: cargo setup --all first"
        );
        println!("skipped: needs cvc5, which `cargo setup --all` fetches");
        return None;
    }
    let folder = TempDir::new().expect("a folder for the scripts");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a script");
    }
    let output = Command::new("python3")
        .arg("-B")
        .arg(here.join("recheck.py"))
        .arg(folder.path())
        .args(arguments)
        .env("PYTHONPATH", cvc5)
        .output()
        .expect("python3 starts");
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.code()?,
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Whether the table has this row.
fn has_row(said: &str, outcome: &str, count: &str) -> bool {
    said.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(outcome) && words.next() == Some(count)
    })
}

#[test]
fn unsatisfiable_queries_are_confirmed_each_for_itself() {
    let files = [("bits.smt2", UNSAT), ("queue.smt2", UNSAT_QUANTIFIED)];
    let Some((code, said)) = recheck(&files) else {
        return;
    };
    assert_eq!(code, 0, "{said}");
    assert!(has_row(&said, "confirmed", "3"), "{said}");
}

#[test]
fn one_satisfiable_query_among_others_is_a_disagreement() {
    let files = [
        ("bits.smt2", UNSAT),
        ("model.smt2", SAT),
        ("queue.smt2", UNSAT_QUANTIFIED),
    ];
    let Some((code, said)) = recheck(&files) else {
        return;
    };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("disagrees: model.smt2"), "{said}");
    assert!(
        has_row(&said, "confirmed", "3") && has_row(&said, "disagrees", "1"),
        "{said}"
    );
}

#[test]
fn a_script_that_cannot_be_read_or_asks_nothing_is_bad_input() {
    for text in [
        "(assert (= nothing 1)) garbage ((",
        "(declare-const x Int)",
        "",
    ] {
        let Some((code, said)) = recheck(&[("bits.smt2", UNSAT), ("bad.smt2", text)]) else {
            return;
        };
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("unreadable: bad.smt2"), "{said}");
    }
}

#[test]
fn a_query_beyond_the_limit_is_unknown_and_confirms_nothing() {
    let limit = ["--rlimit", "1000"];
    let Some((code, said)) = recheck_with(&[("hard.smt2", HARD)], &limit) else {
        return;
    };
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("unknown: hard.smt2: unknown (RESOURCEOUT)"),
        "{said}"
    );
    let files = [("bits.smt2", UNSAT), ("hard.smt2", HARD)];
    let Some((code, said)) = recheck_with(&files, &limit) else {
        return;
    };
    assert_eq!(code, 0, "{said}");
    assert!(has_row(&said, "unknown", "1"), "{said}");
}

#[test]
fn nothing_to_ask_is_not_a_success() {
    let Some((code, said)) = recheck(&[("notes.txt", "no script")]) else {
        return;
    };
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("no *.smt2 file"), "{said}");
}
