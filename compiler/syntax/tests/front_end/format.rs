//! `progmp fmt`: the tree stays, the comments stay, and twice is as good as once.

use progmp_syntax::{format, fuzzing, parse};
use proptest::prelude::*;

use crate::common::read;

fn formatted(text: &str) -> String {
    let ast = read(text).ast.expect("the text follows the grammar");
    format(&ast, text)
}

#[test]
fn a_scheduler_is_laid_out() {
    let text = "SCHEDULER  a ;DEFINE R1 as x,R2 AS y;IF( Q.EMPTY ){RETURN;}ELSE IF(!(R1==2)){}ELSE{VAR a=1+2*3,b=SUBFLOWS . FILTER ( s= >s.RTT<20 ) ;
FOREACH(VAR s IN b){s . PUSH( Q.TOP );VOID (a);PRINT( \"%d\\n\",007 );}}";
    let expected = "SCHEDULER a;
DEFINE R1 as x, R2 AS y;
IF (Q.EMPTY) {
    RETURN;
} ELSE IF (!(R1 == 2)) {
} ELSE {
    VAR a = 1 + 2 * 3, b = SUBFLOWS.FILTER(s => s.RTT < 20);
    FOREACH (VAR s IN b) {
        s.PUSH(Q.TOP);
        VOID(a);
        PRINT(\"%d\\n\", 7);
    }
}
";
    assert_eq!(
        formatted(text),
        expected.replace("{\n} ELSE {", "{} ELSE {")
    );
}

#[test]
fn comments_stay_where_they_belong() {
    let text = "/* before */\n// own\nSCHEDULER a; // beside\n\n\n\nIF (TRUE) { // head\n\n  /* own */\n  SET(R1, /* one */ 1); /* beside */ // twice\n  // last\n\n} // end\nELSE { /* empty */ }\nVOID(1 + // why\n2);\n// bye";
    let expected = "/* before */
// own
SCHEDULER a; // beside

IF (TRUE) { // head
    /* own */
    SET(R1, /* one */ 1); /* beside */ // twice
    // last
} // end
ELSE { /* empty */
}
VOID(1 + // why
    2);
// bye
";
    assert_eq!(formatted(text), expected);
}

#[test]
fn long_lines_are_broken_at_their_outermost_places() {
    let text = "VAR sbfs = SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED AND !s.LOSSY);";
    let expected = "VAR sbfs = SUBFLOWS.FILTER(s => !s.TSQ_THROTTLED
    AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED
    AND !s.LOSSY);
";
    assert_eq!(formatted(text), expected);
    let text = "SUBFLOWS.FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED).FILTER(s => !s.LOSSY).MIN(s => s.RTT).PUSH(Q.POP());";
    let expected = "SUBFLOWS
    .FILTER(s => s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED)
    .FILTER(s => !s.LOSSY)
    .MIN(s => s.RTT)
    .PUSH(Q.POP());
";
    assert_eq!(formatted(text), expected);
}

#[test]
fn one_blank_line_stays_between_statements_and_none_at_the_ends_of_blocks() {
    assert_eq!(
        formatted("\n\nRETURN;\n\n\nIF (TRUE) {\n\nRETURN;\n\n}\n\n"),
        "RETURN;\n\nIF (TRUE) {\n    RETURN;\n}\n"
    );
}

#[test]
fn a_file_that_is_laid_out_stays_as_it_is() {
    for text in fuzzing::CORPUS {
        let once = formatted(text);
        assert_eq!(formatted(&once), once);
    }
}

/// Expressions of any form; most are ill typed, which does not matter here.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "1",
        "TRUE",
        "NULL",
        "x",
        "Q",
        "as",
        "\"a\\n\"",
        "SUBFLOWS",
        "18446744073709551615",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(5, 40, 3, |inner| {
            let op = prop::sample::select(vec![
                "OR", "AND", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%",
            ]);
            prop_oneof![
                (inner.clone(), op, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
                inner.clone().prop_map(|e| format!("!{e}")),
                inner.clone().prop_map(|e| format!("({e})")),
                inner.clone().prop_map(|e| format!("({e}).RTT")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).FILTER(s => {b})")),
                (inner.clone(), inner).prop_map(|(a, b)| format!("x.M({a}, {b}).N()")),
            ]
        })
}

fn statements() -> impl Strategy<Value = String> {
    let e = expression;
    let leaf = prop_oneof![
        e().prop_map(|e| format!("VAR x = {e};")),
        (e(), e()).prop_map(|(a, b)| format!("VAR x = {a}, y = {b};")),
        e().prop_map(|e| format!("SET(R1, {e});")),
        e().prop_map(|e| format!("DROP({e});")),
        e().prop_map(|e| format!("PRINT(\"%d\", {e});")),
        e().prop_map(|e| format!("x.PUSH({e});")),
        Just("RETURN;".to_owned()),
        Just("VOID();".to_owned()),
        Just("DEFINE R1 AS a, R2 as AS;".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let block = prop::collection::vec(inner, 0..4).prop_map(|block| block.concat());
        prop_oneof![
            (e(), block.clone()).prop_map(|(e, b)| format!("IF ({e}) {{{b}}}")),
            (e(), block.clone(), e(), block.clone(), block.clone()).prop_map(
                |(c, a, d, b, o)| format!("IF ({c}) {{{a}}} ELSE IF ({d}) {{{b}}} ELSE {{{o}}}")
            ),
            (e(), block.clone()).prop_map(|(e, b)| format!("FOREACH (VAR s IN {e}) {{{b}}}")),
            block,
        ]
    })
}

/// Puts comments and line breaks between the words of a text.
fn strewn(text: &str, seeds: &[u8]) -> String {
    let mut out = String::new();
    let mut seeds = seeds.iter().cycle();
    let mut in_string = false;
    for c in text.chars() {
        in_string ^= c == '"';
        out.push(c);
        if in_string || !" ;{}(,".contains(c) {
            continue;
        }
        out.push_str(match seeds.next().map_or(0, |seed| seed % 16) {
            0 => "\n",
            1 => "\n\n\n",
            2 => " /* c */ ",
            3 => " // c\n",
            4 => "\n/* c\n   d */\n",
            5 => "\n// c\n",
            _ => "",
        });
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_keeps_the_tree_and_the_comments_and_twice_is_once(
        text in prop::collection::vec(statements(), 1..5),
        seeds in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let text = strewn(&format!("SCHEDULER a;{}", text.concat()), &seeds);
        let parsed = parse("generated", text.as_bytes(), &[]);
        prop_assert!(parsed.ast.is_some(), "{text}\n{:?}", parsed.diagnostics);
        fuzzing::holds(&parsed);
    }
}
