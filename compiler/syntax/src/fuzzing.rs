//! What must hold of every input, for the fuzz targets and for `cargo test`.
//!
//! Each function takes bytes from a fuzzer and panics if the front end breaks a
//! promise: it never panics itself, gives a program or errors, keeps spans in
//! the text, and formats what it parsed without changing it.

use crate::limits::{DIAGNOSTICS, FILE_BYTES};
use crate::{Parsed, Severity, format, parse, render};

/// Programs that use every construct, to start mutations from.
pub const CORPUS: [&str; 6] = [
    "SCHEDULER min_rtt;\n/* @require work-conserving(Q), redundancy <= 2 */\nVAR sbfs = SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED AND !s.LOSSY);\nIF (!Q.EMPTY) {\n    sbfs.MIN(s => s.RTT).PUSH(Q.POP());\n}\n",
    "DEFINE R1 AS next, R2 as AS;\nVAR sbfs = SUBFLOWS.FILTER(s = > s.HAS_WINDOW_FOR(Q.TOP)), n = sbfs.COUNT;\nIF (next >= n) { SET(R1, 0); } ELSE IF (AS == 3 OR RANDOM % 2 == 1) { SET(R2, (AS + 1) * 2 - 1); } ELSE { }\nVAR s = sbfs.GET(next);\nIF (s != NULL) { s.PUSH(Q.POP()); SET(next, next + 1); }\n",
    "FOREACH (VAR s IN SUBFLOWS) {\n    VAR p = RQ.FILTER(p => !p.SENT_ON(s) AND p.LENGTH < s.MSS).TOP; // first\n    IF (p != NULL AND s.HAS_WINDOW_FOR(p)) { s.PUSH(p); s.SET_USER(p.SEQ / 7); RETURN; }\n}\nDROP(RQ.POP());\n",
    "VAR x = NULL, y = (Q.POP());\nPRINT(\"%d %u %s %% \\\"\\n\", x, y, \"text\");\nVOID(y.SENT_ON_ALL);\nVOID();\nIF (x.RTT == NULL) { DROP(y); }\n",
    "/* @require prefers(s => !s.IS_BACKUP OR s.RTT_MS <= 20), fair <= 4, any-size,\n * no-duplicate-push, backup-only-if-needed */\nVAR d = SUBFLOWS.SUM(s => QU.FILTER(p => p.SENT_ON(s)).SUM(p => p.SIZE) / s.RTT);\nSUBFLOWS.MAX(s => s.DELIVERY_RATE - d).PUSH(Q.FILTER(p => p.PSH).LAST);\n",
    "IF (CURRENT_TIME_MS > R3 + 100) { SET(R3, CURRENT_TIME_MS); SUBFLOWS.FIRST.PUSH(QU.TOP); }\n",
];

const WORDS: &[&str] = &[
    "AND",
    "DROP",
    "ELSE",
    "FOREACH",
    "IF",
    "IN",
    "NULL",
    "OR",
    "PRINT",
    "PUSH",
    "RETURN",
    "SCHEDULER",
    "SET",
    "SET_USER",
    "VAR",
    "DEFINE",
    "AS",
    "as",
    "VOID",
    "TRUE",
    "FALSE",
    "(",
    ")",
    "{",
    "}",
    ",",
    ";",
    ".",
    "=>",
    "= >",
    "=",
    "!",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "x",
    "y",
    "Q",
    "RQ",
    "QU",
    "SUBFLOWS",
    "R1",
    "R7",
    "0",
    "1",
    "18446744073709551616",
    "RTT",
    "USER",
    "TOP",
    "POP",
    "FILTER",
    "MIN",
    "COUNT",
    "EMPTY",
    "GET",
    "SENT_ON",
    "\"%d\"",
    "\"",
    "/*",
    "*/",
    "//",
    "\n",
    "@require",
    "RANDOM",
    "&&",
    "?",
    "é",
    "if",
    "IF (TRUE) {",
    "SET(R1, 1);",
    ".POP()",
    "Q.FILTER(p => p.PSH)",
    "SUBFLOWS.FIRST.PUSH(",
    "VAR z = ",
    "s => s.RTT",
    "≤",
];

/// Any bytes.
pub fn bytes(data: &[u8]) {
    let parsed = parse("input", data, &[]);
    holds(&parsed);
}

/// A text of tokens: one word of the language for each byte.
pub fn tokens(data: &[u8]) {
    let mut text = String::new();
    for byte in data {
        text.push_str(WORDS[usize::from(*byte) % WORDS.len()]);
        // Some stand side by side.
        if *byte < 200 {
            text.push(' ');
        }
    }
    bytes(text.as_bytes());
}

/// A program with a few pieces cut out, doubled, swapped or replaced by words.
pub fn mutated(data: &[u8]) {
    let (first, edits) = data.split_first().unwrap_or((&0, &[]));
    let mut text = CORPUS[usize::from(*first) % CORPUS.len()].to_owned();
    for edit in edits.chunks_exact(4) {
        let [what, word, from, length] = edit else {
            unreachable!("chunks are of this length")
        };
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(usize::from(*from) * text.len() / 255);
        let end = boundary(start + usize::from(*length) % 24);
        let word = WORDS[usize::from(*word) % WORDS.len()];
        let piece = text[start..end].to_owned();
        match what % 4 {
            0 => text.replace_range(start..end, ""),
            1 => text.insert_str(start, &piece),
            2 => text.replace_range(start..end, word),
            _ => text.insert_str(start, word),
        }
    }
    text.truncate(FILE_BYTES);
    bytes(text.as_bytes());
}

/// The text of a requirement on the command line.
pub fn requirement(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let parsed = parse("input", b"RETURN;", &[text]);
    holds(&parsed);
}

/// What holds of everything that `parse` returns.
///
/// # Panics
/// If it does not.
pub fn holds(parsed: &Parsed) {
    let errors = parsed
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count();
    assert_eq!(parsed.program.is_some(), errors == 0, "a program or errors");
    assert!(
        parsed.diagnostics.len() <= 2 * DIAGNOSTICS + 1,
        "the list is bounded"
    );
    for diagnostic in &parsed.diagnostics {
        assert!(
            !diagnostic.message.is_empty(),
            "a diagnostic says something"
        );
        let text = diagnostic.argument.as_ref().unwrap_or(&parsed.source.text);
        let spans = diagnostic.labels.iter().map(|(span, _)| *span);
        for span in spans.chain([diagnostic.span]) {
            let range = span.start as usize..span.end as usize;
            assert!(text.get(range).is_some(), "{diagnostic:?} lies in the text");
        }
    }
    assert_eq!(
        render(&parsed.diagnostics, &parsed.source, false).is_empty(),
        parsed.diagnostics.is_empty()
    );
    if let Some(program) = &parsed.program {
        assert!(parsed.ast.is_some(), "a program has a tree");
        if let Err(malformed) = progmp_ir::wellformed::check(program) {
            panic!("the program is not well-formed: {malformed}");
        }
    }
    if let Some(ast) = &parsed.ast {
        let text = format(ast, &parsed.source.text);
        let again = parse("formatted", text.as_bytes(), &[]);
        let tree = again.ast.expect("a formatted program follows the grammar");
        assert!(ast.same_tree(&tree), "formatting keeps the tree:\n{text}");
        assert_eq!(
            format(&tree, &text),
            text,
            "formatting twice changes nothing"
        );
    }
}
