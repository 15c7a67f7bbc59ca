//! How diagnostics look.

use progmp_syntax::{parse, render};

use crate::common::read;

fn rendered(text: &str) -> String {
    let parsed = read(text);
    render(&parsed.diagnostics, &parsed.source, false)
}

#[test]
fn a_diagnostic_shows_code_place_source_line_labels_and_help() {
    assert_eq!(
        rendered("SCHEDULER a;\nVAR free = SUBFLOWS.FILTER(s => !s.TSQ_THROTLED);\n"),
        "error[E0202]: a subflow has no `TSQ_THROTLED`
 --> case.progmp:2:36
  |
2 | VAR free = SUBFLOWS.FILTER(s => !s.TSQ_THROTLED);
  |                                  - ^^^^^^^^^^^^
  |                                  |
  |                                  subflow
  |
  = help: did you mean `TSQ_THROTTLED`?

"
    );
}

#[test]
fn the_line_above_a_far_label_is_shown_too() {
    let text = rendered("VAR x = 1;\n\n\n\n\nVAR x = 2;");
    assert!(
        text.contains("1 | VAR x = 1;") && text.contains("6 | VAR x = 2;"),
        "{text}"
    );
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let parsed = parse("f", "/* äöü */ x;".as_bytes(), &[]);
    let text = render(&parsed.diagnostics, &parsed.source, false);
    assert!(text.contains("--> f:1:11"), "{text}");
}

#[test]
fn colour_is_added_on_request_only() {
    let parsed = read("x;");
    assert!(render(&parsed.diagnostics, &parsed.source, true).contains('\u{1b}'));
    assert!(!render(&parsed.diagnostics, &parsed.source, false).contains('\u{1b}'));
}

#[test]
fn control_characters_of_the_source_do_not_reach_the_terminal() {
    let text = rendered("VOID(\u{1b}[31m);\n/* \u{7} */");
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{7}'),
        "{text:?}"
    );
}

#[test]
fn nothing_is_rendered_as_nothing() {
    assert_eq!(rendered("RETURN;"), "");
}

#[test]
fn what_has_no_source_line_is_rendered_too() {
    let parsed = parse("big", &vec![b' '; (1 << 20) + 1], &[]);
    let text = render(&parsed.diagnostics, &parsed.source, false);
    assert!(
        text.starts_with("error[E0001]: a file of 1048577 bytes"),
        "{text}"
    );
    let parsed = parse("bad", b"RETURN;\xff", &[]);
    let text = render(&parsed.diagnostics, &parsed.source, false);
    assert!(text.contains("bad:1:8"), "{text}");
    assert!(!rendered("").is_empty());
}

#[test]
fn of_a_very_long_line_a_part_is_shown_with_the_true_column() {
    let text = format!(
        "{}VOID(x);{}",
        "SET(R1, 1); ".repeat(1000),
        " SET(R2, 1);".repeat(1000)
    );
    let shown = rendered(&text);
    assert!(shown.contains("case.progmp:1:12006"), "{shown}");
    assert!(shown.contains("VOID(x);") && shown.len() < 1000, "{shown}");
}

#[test]
fn a_label_far_away_is_told_as_a_note() {
    let text = format!("VAR x = 1;\n{}VAR x = 2;", "// filler\n".repeat(1000));
    let shown = rendered(&text);
    assert!(
        shown.contains("line 1, column 5: first declared here"),
        "{shown}"
    );
    assert!(shown.contains("case.progmp:1002:5"), "{shown}");
}
