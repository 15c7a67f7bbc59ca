//! Characters, words, numbers, strings, comments (specs/grammar.md, section 1).

use progmp_syntax::parse;

use crate::common::{found, help, messages, mistakes, right};

#[test]
fn white_space_is_space_tab_cr_and_lf() {
    right("RETURN\t\r\n ;");
    mistakes("RETURN\u{a0};", &["E0005@1:7"]);
    mistakes("RETURN\u{b};", &["E0005@1:7"]);
}

#[test]
fn a_byte_order_mark_is_skipped_and_has_no_column() {
    right("\u{feff}RETURN;");
    mistakes("\u{feff}x;", &["E0201@1:1"]);
    mistakes("RETURN;\u{feff}", &["E0005@1:8"]);
}

#[test]
fn a_nul_byte_is_an_error_even_in_a_comment() {
    mistakes("RETURN;\0", &["E0003@1:8"]);
    mistakes("/* \0 */ RETURN;", &["E0003@1:4"]);
}

#[test]
fn what_is_not_utf8_is_an_error_at_its_byte() {
    let parsed = parse("f", b"RETURN;\n\xff\xff", &[]);
    assert_eq!(found(&parsed), ["E0002@2:1"]);
    assert!(parsed.diagnostics[0].message.contains("byte 8"));
    let utf16 = parse("f", b"\xff\xfeR\0", &[]);
    assert!(utf16.diagnostics[0].help[0].contains("UTF-16"));
}

#[test]
fn a_file_without_a_statement_is_an_error() {
    for text in ["", " \n", "// a\n/* b */", "\u{feff}"] {
        mistakes(text, &["E0004@1:1"]);
    }
}

#[test]
fn comments_hold_any_text_and_may_precede_the_header() {
    right("/* SCHEDULER x; \" ' // ä \n * / */ // \" /*\nSCHEDULER a; RETURN; // end");
    right("/**/RETURN;/***/");
    right("/* a ** b **/ RETURN;");
}

#[test]
fn comments_do_not_nest() {
    mistakes("/* /* */ */ RETURN;", &["E0101@1:10"]);
}

#[test]
fn a_comment_without_end_is_the_only_mistake_of_what_it_hides() {
    mistakes("IF (TRUE) {\n SET(R1, 1 /* }", &["E0006@2:12"]);
    mistakes("RETURN; /*/", &["E0006@1:9"]);
}

#[test]
fn names_start_with_a_letter_or_underscore_and_case_matters() {
    right("VAR _a1 = 1; VAR A = _a1; VAR a = A;");
    mistakes("VAR a = 1; VAR b = A;", &["E0201@1:20"]);
    mistakes("VAR é = 1;", &["E0005@1:5"]);
}

#[test]
fn a_name_has_at_most_63_bytes() {
    let name = "n".repeat(63);
    right(&format!("VAR {name} = 1;"));
    mistakes(&format!("VAR {name}x = 1;"), &["E0010@1:5"]);
}

#[test]
fn define_as_and_void_may_be_names_and_other_keywords_may_not() {
    right("VAR DEFINE = 1; VAR AS = DEFINE + 1; VAR as = AS; VAR VOID = as; VOID(VOID);");
    right("DEFINE R1 AS AS, R2 as as, R3 as DEFINE, R4 AS VOID; SET(AS, as + DEFINE + VOID);");
    right("SUBFLOWS.FILTER(AS => AS.LOSSY).FIRST.PUSH(Q.FILTER(DEFINE => DEFINE.PSH).TOP);");
    for keyword in [
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
        "TRUE",
        "FALSE",
    ] {
        let text = format!("VAR {keyword} = 1;");
        let errors = found(&crate::common::read(&text));
        assert!(!errors.is_empty(), "{keyword} is no name");
    }
    mistakes("VAR TRUE = 1;", &["E0111@1:5"]);
    mistakes("SCHEDULER NULL; RETURN;", &["E0111@1:11"]);
    mistakes("VAR s = SUBFLOWS.FILTER(IN => TRUE);", &["E0101@1:25"]);
}

#[test]
fn numbers_are_decimal_and_fit_in_64_bits() {
    right("SET(R1, 18446744073709551615); SET(R1, 000000000000000000000000000001);");
    mistakes("SET(R1, 18446744073709551616);", &["E0011@1:9"]);
    mistakes("SET(R1, 12abc);", &["E0012@1:9"]);
    mistakes("SET(R1, 0x10);", &["E0012@1:9"]);
    assert!(help("SET(R1, 0x10);").contains("decimal"));
    assert!(help("SET(R1, 1.5);").contains("no fraction"));
    assert!(help("SET(R1, -1);").contains("unsigned"));
}

#[test]
fn strings_end_on_their_line() {
    right(r#"PRINT("a\\b\"c\nd\re\tf ä");"#);
    mistakes("PRINT(\"a);", &["E0007@1:7"]);
    mistakes("PRINT(\"a\rb\");", &["E0007@1:7"]);
    mistakes("PRINT(\"a\nb\");\nSET(R9, 1);", &["E0007@1:7", "E0206@3:5"]);
    mistakes(
        "PRINT(\"a);\nPRINT(\"b);\nRETURN;",
        &["E0007@1:7", "E0007@2:7"],
    );
    mistakes("PRINT(\"a\\", &["E0007@1:7"]);
}

#[test]
fn a_string_has_at_most_255_bytes_after_its_escapes() {
    let text = "\\n".repeat(255);
    right(&format!("PRINT(\"{text}\");"));
    mistakes(&format!("PRINT(\"{text}a\");"), &["E0009@1:7"]);
    let two_bytes = "ä".repeat(128);
    mistakes(&format!("PRINT(\"{two_bytes}\");"), &["E0009@1:7"]);
}

#[test]
fn each_unknown_escape_is_reported_at_its_place() {
    mistakes(r#"PRINT("\a\\\x");"#, &["E0008@1:8", "E0008@1:12"]);
}

#[test]
fn the_arrow_may_be_written_with_a_space() {
    right("VAR s = SUBFLOWS.MIN(s = > s.RTT);");
    right("VAR s = SUBFLOWS.MIN(s = /* here */ \n > s.RTT);");
}

#[test]
fn characters_without_meaning_are_reported_once_per_run_and_silence_their_statement() {
    mistakes(
        "SET(R1, 1 ### 2);\nSET(R1, ?);",
        &["E0005@1:11", "E0005@2:9"],
    );
    mistakes("VAR x = 'a';\nSET(R1, x);", &["E0005@1:9", "E0005@1:11"]);
    assert!(messages("SET(R1, \u{1});").contains("U+0001"));
}

#[test]
fn operators_of_other_languages_are_understood_and_refused() {
    mistakes(
        "IF (Q.EMPTY && RQ.EMPTY || R1 ≤ 1) { RETURN; }",
        &["E0005@1:13", "E0005@1:25", "E0005@1:31"],
    );
    assert_eq!(
        help("IF (Q.EMPTY && RQ.EMPTY || R1 ≠ 1) { RETURN; }"),
        "write `AND`\nwrite `OR`\nwrite `!=`"
    );
}
