//! Statements, expressions and their precedence (specs/grammar.md, section 2).

use crate::common::{help, messages, mistakes, read, right};
use progmp_syntax::ast::{Expr, ExprKind, StmtKind};

/// The expression in `VOID(…);`, with every operator in parentheses.
fn shape(text: &str) -> String {
    fn show(expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Int(value) => value.to_string(),
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::Null => "NULL".to_owned(),
            ExprKind::Text(text) => format!("{text:?}"),
            ExprKind::Name(name) => name.clone(),
            ExprKind::Paren(inner) => show(inner),
            ExprKind::Not(inner) => format!("!({})", show(inner)),
            ExprKind::Binary { op, left, right } => {
                format!("({} {} {})", show(left), op.symbol(), show(right))
            }
            ExprKind::Member { receiver, name, .. } => format!("{}.{}", show(receiver), name.text),
            ExprKind::Broken => "broken".to_owned(),
        }
    }
    let parsed = read(&format!("VOID({text});"));
    let ast = parsed.ast.expect("the text follows the grammar");
    match &ast.body[0].kind {
        StmtKind::Void(Some(expr)) => show(expr),
        other => panic!("a VOID statement, not {other:?}"),
    }
}

#[test]
fn operators_bind_as_the_published_parser_binds_them() {
    assert_eq!(shape("a OR b AND c"), "(a OR (b AND c))");
    assert_eq!(shape("a AND b == c"), "(a AND (b == c))");
    assert_eq!(shape("a < b + c"), "(a < (b + c))");
    assert_eq!(shape("a + b * c"), "(a + (b * c))");
    assert_eq!(shape("!a.b"), "!(a.b)");
    assert_eq!(shape("!a == NULL"), "(!(a) == NULL)");
    assert_eq!(shape("!a * b"), "(!(a) * b)");
    assert_eq!(shape("!!a"), "!(!(a))");
    assert_eq!(shape("(a OR b) AND c"), "((a OR b) AND c)");
}

#[test]
fn binary_operators_associate_to_the_left() {
    assert_eq!(shape("a OR b OR c"), "((a OR b) OR c)");
    assert_eq!(shape("a AND b AND c"), "((a AND b) AND c)");
    assert_eq!(shape("a - b + c"), "((a - b) + c)");
    assert_eq!(shape("a / b * c % d"), "(((a / b) * c) % d)");
    assert_eq!(shape("a < b == c != d"), "(((a < b) == c) != d)");
}

#[test]
fn the_header_is_optional_and_comes_first_and_once() {
    assert_eq!(right("SCHEDULER a; RETURN;").name.as_deref(), Some("a"));
    assert_eq!(right("RETURN;").name, None);
    right("SCHEDULER a;");
    mistakes("RETURN; SCHEDULER a;", &["E0106@1:9"]);
    mistakes("SCHEDULER a; SCHEDULER b;", &["E0106@1:14"]);
    mistakes("SCHEDULER;", &["E0101@1:10"]);
}

#[test]
fn every_statement_has_its_form() {
    right("DEFINE R1 AS a; DEFINE R2 as b, R3 AS c;");
    right("IF (TRUE) { } ELSE IF (FALSE) {RETURN;} ELSE { }");
    right("FOREACH (VAR s IN SUBFLOWS) { }");
    right("VAR a = 1, b = a, c = Q.POP(), d = ((Q.POP()));");
    right("SET(R1, 1);");
    right("DROP(Q.POP()); DROP((Q.POP())); DROP(Q.TOP);");
    right("PRINT(\"x\"); PRINT(\"%d\", 1);");
    right("SUBFLOWS.FIRST.PUSH(Q.POP()); (SUBFLOWS.FIRST).PUSH(((Q.POP())));");
    right("SUBFLOWS.FIRST.SET_USER(1);");
    right("VOID(1); VOID();");
    right("RETURN;");
}

#[test]
fn a_form_with_a_part_missing_is_refused() {
    for text in [
        "DEFINE R1;",
        "DEFINE R1 AS;",
        "DEFINE AS x;",
        "DEFINE R1 AS a,;",
        "IF TRUE { }",
        "IF () { }",
        "IF (TRUE) RETURN;",
        "IF (TRUE) { } ELSE RETURN;",
        "FOREACH (s IN SUBFLOWS) { }",
        "FOREACH (VAR IN SUBFLOWS) { }",
        "FOREACH (VAR s SUBFLOWS) { }",
        "FOREACH (VAR s IN) { }",
        "VAR;",
        "VAR a;",
        "VAR a =;",
        "VAR a = 1,;",
        "SET(R1);",
        "SET(1, R1);",
        "SET R1, 1;",
        "DROP();",
        "PRINT();",
        "PRINT(1);",
        "RETURN 1;",
        "RETURN();",
        "1 +;",
        "a.;",
        "a.1;",
        ";",
        "{ }",
        "()",
    ] {
        let parsed = read(text);
        assert_eq!(
            parsed.diagnostics.len(),
            1,
            "{text}: {:?}",
            parsed.diagnostics
        );
        assert_eq!(parsed.ast, None, "{text} does not follow the grammar");
    }
}

#[test]
fn push_takes_effect_only_as_a_statement_on_a_subflow() {
    mistakes("VAR x = SUBFLOWS.FIRST.PUSH(Q.POP());", &["E0109@1:24"]);
    mistakes("IF (SUBFLOWS.FIRST.SET_USER(1)) { }", &["E0109@1:20"]);
    mistakes("(SUBFLOWS.FIRST.PUSH(Q.TOP));", &["E0109@1:17"]);
    mistakes("!SUBFLOWS.FIRST.PUSH(Q.TOP);", &["E0109@1:17"]);
    mistakes("SUBFLOWS.FIRST.PUSH(Q.TOP).RTT;", &["E0109@1:16"]);
    mistakes("SUBFLOWS.FIRST.PUSH;", &["E0303@1:16"]);
    mistakes("SUBFLOWS.FIRST.PUSH();", &["E0303@1:16"]);
    mistakes("SUBFLOWS.FIRST.PUSH(Q.TOP, Q.TOP);", &["E0303@1:16"]);
    mistakes("SUBFLOWS.FIRST.SET_USER(Q.POP());", &["E0110@1:27"]);
}

#[test]
fn pop_stands_only_in_push_drop_and_var() {
    for text in [
        "IF (Q.POP() == NULL) { }",
        "VAR x = Q.POP().SEQ;",
        "VAR x = !Q.POP();",
        "VAR x = Q.FILTER(p => Q.POP() == NULL);",
        "VAR x = SUBFLOWS.FIRST.HAS_WINDOW_FOR(Q.POP());",
        "SET(R1, Q.POP());",
        "PRINT(\"%d\", Q.POP());",
        "VOID(Q.POP());",
        "Q.POP().PUSH(Q.TOP);",
        "FOREACH (VAR p IN Q.POP()) { }",
    ] {
        let codes: Vec<_> = read(text).diagnostics.iter().map(|d| d.code.id()).collect();
        assert_eq!(codes, ["E0110"], "{text}");
    }
    assert!(help("VAR x = Q.POP().SEQ;").contains(".TOP"));
}

#[test]
fn an_expression_is_not_a_statement() {
    mistakes("1;", &["E0108@1:1"]);
    mistakes("Q.COUNT;", &["E0108@1:1"]);
    mistakes("Q.POP();", &["E0108@1:1"]);
    assert!(help("Q.POP();").contains("DROP("));
    assert!(help("R1 == 2;").contains("SET(R1"));
    assert!(help("Q.COUNT;").contains("VOID("));
    mistakes("QU.POP();", &["E0306@1:4"]);
}

#[test]
fn define_stands_outside_of_blocks() {
    mistakes("IF (TRUE) { DEFINE R1 AS a; }", &["E0107@1:13"]);
    mistakes(
        "FOREACH (VAR s IN SUBFLOWS) { IF (TRUE) { DEFINE R1 AS a; } }",
        &["E0107@1:43"],
    );
}

#[test]
fn what_follows_a_return_in_its_block_is_unreachable_and_only_warned_of() {
    let parsed = read("RETURN; SET(R1, 1); SET(R2, 1);");
    assert_eq!(crate::common::found(&parsed), ["W0001@1:9"]);
    assert!(parsed.program.is_some());
    mistakes("IF (TRUE) { RETURN; RETURN; RETURN; }", &["W0001@1:21"]);
    right("IF (TRUE) { RETURN; } SET(R1, 1);");
    right("IF (TRUE) { RETURN; } ELSE { RETURN; } SET(R1, 1);");
}

#[test]
fn else_belongs_to_the_if_before_it() {
    mistakes("ELSE { }", &["E0105@1:1"]);
    mistakes("IF (TRUE) { } RETURN; ELSE { }", &["E0105@1:23"]);
    mistakes("FOREACH (VAR s IN SUBFLOWS) { } ELSE { }", &["E0105@1:33"]);
    mistakes("IF (TRUE) { } ELSE { } ELSE { }", &["E0105@1:24"]);
    mistakes("IF (TRUE) { }; ELSE { }", &["E0101@1:14", "E0105@1:16"]);
}

#[test]
fn keywords_in_the_wrong_case_or_misspelt_are_recognised() {
    assert!(help("if (TRUE) { RETURN; }").contains("`IF`"));
    assert!(help("FORECH (VAR s IN SUBFLOWS) { }").contains("`FOREACH`"));
    assert!(help("Var x = 1;").contains("`VAR`"));
    assert!(help("VAR x = Q.EMPTY and RQ.EMPTY;").contains("`AND`"));
    assert!(help("IF (TRUE) { } else { }").contains("`ELSE`"));
    mistakes(
        "if (TRUE) { RETURN; } else { SET(R1, 1); }",
        &["E0101@1:4", "E0101@1:28"],
    );
}

#[test]
fn what_was_expected_is_said_in_words() {
    assert_eq!(messages("VAR x = ;"), "expected a value, found `;`");
    assert_eq!(messages("VAR x 1;"), "expected `=`, found the number 1");
    assert_eq!(
        messages("VAR 1 = 1;"),
        "expected a name, found the number 1"
    );
    assert_eq!(messages("+;"), "expected a statement, found `+`");
    assert_eq!(
        messages("DEFINE R1 next;"),
        "expected `AS` or `as`, found the name `next`"
    );
    assert_eq!(
        messages("VAR x = 1 2;"),
        "expected `,`, `;` or an operator, found the number 2"
    );
    assert_eq!(
        messages("PRINT(1);"),
        "expected a string, found the number 1"
    );
    assert_eq!(
        messages("IF (TRUE)"),
        "expected `{`, found the end of the text"
    );
}
