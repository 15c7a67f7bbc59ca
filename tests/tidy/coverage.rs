//! What the cases must show: every property violated once, every code of the front end given once.
//!
//! In: names, and the texts of the case files. Out: one line for each name that no case has. Only
//! the comment lines of tests/cases/README.md count; whether they are true, `cases.rs` tests.

use std::collections::BTreeSet;

/// Properties that hold of every source by typing, or whose refutation always has another root.
const NEVER_A_ROOT: &[(&str, &str)] = &[
    ("subflow-is-live", "holds by typing"),
    ("loops-terminate", "holds by typing"),
    (
        "packets-are-conserved",
        "follows from popped-packet-is-scheduled or drop-is-licensed, which are named instead",
    ),
];

/// Codes of files that are no readable text: `compiler/driver/tests/cli/bad_input.rs` makes them.
const NOT_TEXT: &[&str] = &["E0001", "E0002", "E0003"];

/// Each property that a source can violate has a case that violates it.
pub(crate) fn properties(names: &[&str], cases: &[(String, String)]) -> Vec<String> {
    let shown = values(cases, &["refuted", "warns", "notes"]);
    let exempt = |name: &str| NEVER_A_ROOT.iter().any(|(exempt, _)| *exempt == name);
    let mut faults: Vec<String> = names
        .iter()
        .filter(|name| !exempt(name) && !shown.contains(**name))
        .map(|name| format!("{name}: no case in tests/cases/ violates it"))
        .collect();
    faults.extend(
        shown
            .iter()
            .filter(|shown| !names.contains(&shown.as_str()))
            .map(|shown| format!("{shown}: a case names it, and it is no property")),
    );
    faults
}

/// Each code of an error has a case that gets it.
pub(crate) fn codes(codes: &[&str], cases: &[(String, String)]) -> Vec<String> {
    let shown = values(cases, &["error"]);
    codes
        .iter()
        .filter(|code| !NOT_TEXT.contains(code) && !shown.contains(**code))
        .map(|code| format!("{code}: no case in tests/cases/error/ gets it"))
        .collect()
}

/// What stands behind these keys in the comment lines.
fn values(cases: &[(String, String)], keys: &[&str]) -> BTreeSet<String> {
    let lines = cases.iter().flat_map(|(_, text)| text.lines());
    lines
        .filter_map(|line| {
            let (key, value) = line.trim().strip_prefix("//")?.split_once(':')?;
            keys.contains(&key.trim()).then(|| value.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str) -> Vec<(String, String)> {
        vec![("tests/cases/reject/a.progmp".to_owned(), text.to_owned())]
    }

    #[test]
    fn a_property_without_a_case_is_named() {
        let names = ["no-wrap", "fair", "push-may-be-skipped", "subflow-is-live"];
        let cases = case("// expect: rejected\n// refuted: fair\n  // warns: no-wrap\nRETURN;");
        let found = properties(&names, &cases);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("push-may-be-skipped:"), "{found:?}");
    }

    #[test]
    fn a_case_cannot_name_a_property_that_there_is_not() {
        let found = properties(&["fair"], &case("// refuted: fair\n// warns: unfair"));
        assert_eq!(found, ["unfair: a case names it, and it is no property"]);
    }

    #[test]
    fn a_code_without_a_case_is_named() {
        let found = codes(
            &["E0001", "E0101", "E0102"],
            &case("// error: E0101\n// error: `;`"),
        );
        assert_eq!(found, ["E0102: no case in tests/cases/error/ gets it"]);
    }

    #[test]
    fn what_stands_in_no_comment_line_counts_for_nothing() {
        let text = "PRINT(\"// error: E0102\");\nerror: E0102\n/* error: E0102 */";
        assert_eq!(codes(&["E0102"], &case(text)).len(), 1);
    }
}
