//! The examples of `--explain PROPERTY`, put to the test: one breaks the property, one does not.

use progmp_driver::report::FileVerdict;
use progmp_verifier::{Property, explain};

use super::Bench;

/// The indented text below a heading, without its indentation.
fn example(text: &str, heading: &str) -> Option<String> {
    let (_, below) = text.split_once(&format!("\n{heading}:\n\n"))?;
    let lines = below
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| line.strip_prefix("    ").unwrap_or(line));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// `fair` is refuted only along runs from a few states, so that the verifier may well answer
/// that it does not know; it must not answer that the example is fair.
fn is_expected(property: Property, expected: &str, found: &str) -> bool {
    found == expected || (property == Property::Fair && found == "unknown")
}

#[test]
fn what_breaks_a_property_is_refuted_and_what_mends_it_is_accepted() {
    let mut wrong = Vec::new();
    for property in Property::ALL {
        let text = explain(property);
        for (heading, verdict) in [("Breaks it", "refuted"), ("Mended", "proved")] {
            let Some(scheduler) = example(text, heading) else {
                continue;
            };
            let bench = Bench::new(&[("example", &scheduler)]);
            let report = bench.verify(&["--format=json", "example"]).report();
            let file = &report.files[0];
            let found: Vec<&str> = file
                .properties
                .iter()
                .filter(|finding| finding.name == property.name())
                .map(|finding| &*finding.verdict)
                .collect();
            let right = !found.is_empty()
                && found
                    .iter()
                    .all(|found| is_expected(property, verdict, found))
                && (heading == "Breaks it" || file.verdict == FileVerdict::Accepted);
            if !right {
                let judged = file.verdict.name();
                wrong.push(format!(
                    "{property}, {heading}: {found:?}, {judged}\n{scheduler}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
