//! What the tests of this crate share.

use progmp_syntax::{Parsed, Program, parse};

/// Parses a text without requirements from the command line.
pub(crate) fn read(text: &str) -> Parsed {
    let parsed = parse("case.progmp", text.as_bytes(), &[]);
    progmp_syntax::fuzzing::holds(&parsed);
    parsed
}

/// The diagnostics as `E0101@line:column`.
pub(crate) fn found(parsed: &Parsed) -> Vec<String> {
    let place = |diagnostic: &progmp_syntax::Diagnostic| {
        let at = parsed.source.position(diagnostic.span.start);
        format!("{}@{}:{}", diagnostic.code, at.line, at.column)
    };
    parsed.diagnostics.iter().map(place).collect()
}

/// The text has exactly these mistakes.
#[track_caller]
pub(crate) fn mistakes(text: &str, expected: &[&str]) {
    assert_eq!(found(&read(text)), expected, "in:\n{text}");
}

/// The text has no mistake, not even a warning.
#[track_caller]
pub(crate) fn right(text: &str) -> Program {
    let parsed = read(text);
    assert_eq!(found(&parsed), [] as [&str; 0], "in:\n{text}");
    parsed
        .program
        .expect("a program without diagnostics is there")
}

/// All help of the diagnostics, one a line.
pub(crate) fn help(text: &str) -> String {
    let parsed = read(text);
    let help = parsed
        .diagnostics
        .iter()
        .flat_map(|diagnostic| &diagnostic.help);
    help.cloned().collect::<Vec<_>>().join("\n")
}

/// All messages of the diagnostics, one a line.
pub(crate) fn messages(text: &str) -> String {
    let parsed = read(text);
    let messages = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| &*diagnostic.message);
    messages.collect::<Vec<_>>().join("\n")
}
