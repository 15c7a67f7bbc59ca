//! Schedulers of the repository and the forms that the paper's listings use.

use std::fs;
use std::path::{Path, PathBuf};

use progmp_syntax::{Severity, fuzzing, parse};

use crate::common::{found, right};

fn schedulers(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let entries = fs::read_dir(root.join(folder)).expect("the folder is in the repository");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "progmp"))
        .map(|path| (path.clone(), fs::read(&path).expect("the file can be read")))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has schedulers");
    files
}

#[test]
fn every_scheduler_that_is_accepted_or_rejected_is_a_program() {
    for folder in [
        "specs/schedulers",
        "tests/cases/accept",
        "tests/cases/reject",
    ] {
        for (path, bytes) in schedulers(folder) {
            let parsed = parse("case", &bytes, &[]);
            fuzzing::holds(&parsed);
            assert!(
                parsed.program.is_some(),
                "{}: {:?}",
                path.display(),
                found(&parsed)
            );
        }
    }
}

#[test]
fn every_case_of_an_error_has_one() {
    for (path, bytes) in schedulers("tests/cases/error") {
        let parsed = parse("case", &bytes, &[]);
        fuzzing::holds(&parsed);
        let is_error = |d: &progmp_syntax::Diagnostic| d.severity == Severity::Error;
        assert!(
            parsed.diagnostics.iter().any(is_error),
            "{}",
            path.display()
        );
    }
}

#[test]
fn listings_need_no_header_and_use_several_declarators_aliases_and_a_split_arrow() {
    right(
        "DEFINE R1 AS current, R2 as target;
VAR sbfs = SUBFLOWS.FILTER(sbf = > sbf.CWND >
    sbf.SKBS_IN_FLIGHT + sbf.QUEUED AND !sbf.TSQ_THROTTLED AND !sbf.LOSSY),
    best = sbfs.MIN(sbf => sbf.RTT_AVG);
IF (current >= sbfs.COUNT) {
    SET(current, 0);
}
IF (!Q.EMPTY) {
    VAR sbf = sbfs.GET(current);
    IF (sbf != NULL AND !sbf.IS_BACKUP) {
        sbf.PUSH(Q.POP());
    } ELSE IF (best != NULL) { best.PUSH(Q.POP()); }
    SET(R1, R1 + 1);
}
VAR rqSkb = RQ.POP();
IF (rqSkb != NULL) { SUBFLOWS.FILTER(s => !rqSkb.SENT_ON(s)).MIN(s => s.RTT).PUSH(rqSkb); }
FOREACH (VAR s IN sbfs) {
    VAR skb = QU.FILTER(p => !p.SENT_ON(s)).TOP;
    IF (skb != NULL) { s.PUSH(skb); }
}
DROP(RQ.FILTER(p => p.SENT_ON_ALL).POP());",
    );
}
