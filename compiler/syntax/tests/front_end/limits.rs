//! Limits are named errors, and no input takes much time, stack or memory.

use std::time::Instant;

use progmp_syntax::{Code, Parsed, fuzzing, parse};

use crate::common::{found, mistakes, read, right};

/// Parses, renders and drops on the small stack that test threads have.
fn survives(text: &str) -> Parsed {
    let parsed = read(text);
    assert_eq!(parsed.clone(), parsed);
    parsed
}

fn codes(parsed: &Parsed) -> Vec<&'static str> {
    let mut codes: Vec<_> = parsed.diagnostics.iter().map(|d| d.code.id()).collect();
    codes.dedup();
    codes
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_not_read() {
    let parsed = parse("f", "(".repeat(64 << 20).as_bytes(), &[]);
    fuzzing::holds(&parsed);
    assert_eq!(found(&parsed), ["E0001@1:1"]);
    let filled = format!("RETURN;{}", " ".repeat((1 << 20) - 7));
    right(&filled);
    mistakes(&(filled + " "), &["E0001@1:1"]);
    // Nothing else is looked at.
    let parsed = parse("f", &vec![0xff; (1 << 20) + 1], &[]);
    assert_eq!(codes(&parsed), ["E0001"]);
}

#[test]
fn brackets_are_nested_at_most_256_deep() {
    let parens = |depth: usize| format!("VOID{}1{};", "(".repeat(depth), ")".repeat(depth));
    right(&parens(256));
    assert_eq!(codes(&survives(&parens(257))), ["E0013"]);
    let blocks = |depth: usize| format!("{}{}", "IF (TRUE) { ".repeat(depth), "}".repeat(depth));
    right(&blocks(256));
    assert_eq!(codes(&survives(&blocks(257))), ["E0013"]);
    let lambdas = |depth: usize| {
        format!(
            "VOID({}1{});",
            "Q.SUM(p => ".repeat(depth),
            ")".repeat(depth)
        )
    };
    assert_eq!(codes(&survives(&lambdas(256))), ["E0013"]);
    assert!(
        survives(&parens(257)).diagnostics[0]
            .message
            .contains("256")
    );
}

#[test]
fn a_hundred_thousand_open_brackets_are_one_mistake() {
    for text in ["(", "{", "IF(1){", "a.b("] {
        let parsed = survives(&text.repeat(100_000));
        assert_eq!(codes(&parsed), ["E0013"], "{text}");
    }
    // These open and close, or do not nest.
    assert_eq!(codes(&survives(&"()".repeat(100_000))), ["E0101"]);
    assert!(codes(&survives(&"}".repeat(100_000))).starts_with(&["E0104"]));
    assert!(codes(&survives(&")".repeat(100_000))).starts_with(&["E0101"]));
    assert!(codes(&survives(&"(;".repeat(100_000))).starts_with(&["E0101"]));
}

#[test]
fn a_statement_is_at_most_1024_levels_high() {
    let sum = |terms: usize| format!("VOID(1{});", " + 1".repeat(terms - 1));
    // The sum, and the statement on top.
    right(&sum(1023));
    assert_eq!(codes(&survives(&sum(1024))), ["E0014"]);
    let not = |count: usize| format!("VOID({}TRUE);", "!".repeat(count));
    right(&not(1022));
    assert_eq!(codes(&survives(&not(1023))), ["E0014"]);
    assert_eq!(codes(&survives(&not(1024))), ["E0014"]);
    assert_eq!(codes(&survives(&not(500_000))), ["E0014"]);
    let elses = |count: usize| format!("IF (TRUE) {{ }}{}", " ELSE IF (TRUE) { }".repeat(count));
    right(&elses(1022));
    assert_eq!(codes(&survives(&elses(1023))), ["E0014"]);
    let message = &survives(&sum(1024)).diagnostics[0].message;
    assert!(message.contains("1024"), "{message}");
}

#[test]
fn long_chains_are_one_mistake_for_each_statement() {
    let sum = format!("VOID(1{});", "+1".repeat(500_000));
    assert_eq!(survives(&sum).diagnostics.len(), 1);
    let sums = format!("VOID(1{});", "+1".repeat(2_000)).repeat(3);
    assert_eq!(survives(&sums).diagnostics.len(), 3);
    let elses = format!("IF(TRUE){{}}{}", "ELSE IF(1){}".repeat(80_000));
    assert_eq!(codes(&survives(&elses)).first(), Some(&"E0014"));
    let members = format!("VOID(a{});", ".b".repeat(500_000));
    assert_eq!(codes(&survives(&members)).last(), Some(&"E0014"));
    let filters = format!("VOID(Q{});", ".FILTER(p => TRUE)".repeat(50_000));
    assert_eq!(codes(&survives(&filters)), ["E0014"]);
}

#[test]
fn the_highest_trees_in_the_deepest_nesting_fit_on_a_small_stack() {
    // Height is spent on right operands, where recursion is unavoidable.
    let nested = format!("{}1{}", "1 + 2 * (".repeat(250), ")".repeat(250));
    right(&format!("VOID({nested});"));
    let nested = format!(
        "{}1 < 2{}",
        "TRUE OR TRUE AND 1 < 2 == (".repeat(250),
        ")".repeat(250)
    );
    right(&format!("VOID({nested});"));
    let nested = format!(
        "{}0{}",
        "Q.GET(1 + 2 * Q.COUNT + Q.GET(".repeat(120),
        ").SEQ).SEQ".repeat(120)
    );
    right(&format!("VOID({nested});"));
    let blocks = format!(
        "{}{}",
        "IF (TRUE) { IF (FALSE) { } ELSE { ".repeat(127),
        "} }".repeat(127)
    );
    right(&blocks);
}

#[test]
fn at_most_a_hundred_mistakes_are_shown_and_the_rest_is_counted() {
    let parsed = survives(&"VOID(x);\n".repeat(250));
    assert_eq!(parsed.diagnostics.len(), 101);
    let last = parsed.diagnostics.last().expect("there are 101");
    assert_eq!(last.code, Code::TooManyMistakes);
    assert_eq!(last.message, "and 150 more that are not shown");
    assert_eq!(survives(&"VOID(x);\n".repeat(100)).diagnostics.len(), 100);
    // Warnings do not take the place of errors.
    let warnings = "IF (TRUE) { RETURN; RETURN; }\n".repeat(200);
    let parsed = survives(&format!("{warnings}VOID(x);"));
    assert!(
        parsed
            .diagnostics
            .iter()
            .any(|d| d.code == Code::UnknownName)
    );
}

/// Pieces that are cheap to write and dear to read.
const PIECES: [&str; 29] = [
    "VOID();",
    "SET(R1,1);",
    "x ",
    "1 ",
    "\"",
    "\\",
    "'",
    "/*",
    "//\n",
    "VAR x=1;",
    "a.b;",
    "IF(1){}",
    "} ",
    "{}",
    "(;",
    "IN ",
    "=>",
    "\n",
    "é",
    "VOID(xyz);",
    "VAR Q=1;",
    "/* @require x */",
    "x=",
    "VOID(1,",
    "DEFINE R1 AS a;",
    "VAR a=Q.FILTER(p=>p.SEQ>1).FIRST;",
    "RETURN;",
    "ELSE ",
    "1+1;",
];

fn is_read_in_time(piece: &str, size: usize) {
    let start = Instant::now();
    let text = piece.repeat(size / piece.len());
    let parsed = parse("f", text.as_bytes(), &[]);
    let rendered = progmp_syntax::render(&parsed.diagnostics, &parsed.source, false);
    let seconds = start.elapsed().as_secs();
    assert!(seconds < 60, "{piece:?} took {seconds} s");
    assert!(
        rendered.len() < 1 << 20,
        "{piece:?} is told in {} bytes",
        rendered.len()
    );
}

#[test]
fn any_piece_many_times_is_read_in_seconds() {
    for piece in PIECES {
        is_read_in_time(piece, 64 << 10);
    }
}

#[test]
fn a_mebibyte_of_the_dearest_pieces_is_read_in_seconds() {
    for piece in ["{}", "VOID();", "VAR a=Q.FILTER(p=>p.SEQ>1).FIRST;"] {
        is_read_in_time(piece, 1 << 20);
    }
}

#[test]
fn after_a_hundred_mistakes_of_grammar_the_rest_is_not_read() {
    let parsed = survives(&"VAR ;\n".repeat(200));
    assert_eq!(parsed.diagnostics.len(), 101);
    let last = parsed.diagnostics.last().expect("there are 101");
    assert_eq!(last.code, Code::TooManyMistakes);
    assert!(last.message.contains("not read"));
}
