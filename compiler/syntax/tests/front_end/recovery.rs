//! After a mistake the rest of the file is read as if nothing had happened: each
//! mistake is reported, and nothing that is none.

use crate::common::{found, messages, mistakes, read};

#[test]
fn a_missing_semicolon_costs_nothing_but_itself() {
    mistakes(
        "IF (TRUE) { SET(R1, 1) }\nSET(R9, 1);",
        &["E0102@1:23", "E0206@2:5"],
    );
    mistakes(
        "SET(R1, 1)\nSET(R2, 2);\nSET(R9, 1);",
        &["E0102@1:11", "E0206@3:5"],
    );
    mistakes("SET(R1, 1) SET(R9, 2);", &["E0102@1:11", "E0206@1:16"]);
    mistakes(
        "VAR x = 1\nVAR y = x\nVOID(y);",
        &["E0102@1:10", "E0102@2:10"],
    );
    mistakes(
        "VAR x = Q.TOP\nSUBFLOWS.FIRST.PUSH(x)\n",
        &["E0102@1:14", "E0102@2:23"],
    );
    mistakes(
        "SUBFLOWS.FIRST.PUSH(Q.POP())\nSUBFLOWS.LAST.PUSH(Q.POP());",
        &["E0102@1:29"],
    );
    mistakes("RETURN", &["E0102@1:7"]);
    mistakes("SCHEDULER a\nRETURN;", &["E0102@1:12"]);
    mistakes("DEFINE R1 AS a\nSET(a, 1);", &["E0102@1:15"]);
}

#[test]
fn a_missing_parenthesis_costs_nothing_but_itself() {
    mistakes(
        "IF (Q.EMPTY { SET(R9, 1); } ELSE { SET(R8, 1); }",
        &["E0112@1:12", "E0206@1:19", "E0206@1:40"],
    );
    mistakes(
        "SET(R1, (1 + 2);\nSET(R9, 1);",
        &["E0112@1:16", "E0206@2:5"],
    );
    mistakes("SUBFLOWS.FIRST.PUSH(Q.POP();", &["E0112@1:28"]);
    mistakes(
        "FOREACH (VAR s IN SUBFLOWS { s.PUSH(Q.TOP); }",
        &["E0112@1:27"],
    );
    mistakes(
        "VAR s = SUBFLOWS.MIN(s => s.RTT;\ns.PUSH(Q.TOP);",
        &["E0112@1:32"],
    );
    mistakes("SET(R1, 1\nSET(R9, 1);", &["E0112@1:10", "E0206@2:5"]);
    mistakes("SET(R1, 1));\nSET(R9, 1);", &["E0101@1:11", "E0206@2:5"]);
}

#[test]
fn a_stray_brace_costs_nothing_but_itself() {
    mistakes("}\nSET(R9, 1);", &["E0104@1:1", "E0206@2:5"]);
    mistakes(
        "IF (TRUE) { RETURN; } }\nSET(R9, 1);",
        &["E0104@1:23", "E0206@2:5"],
    );
    mistakes("SET(R1, 1) }", &["E0102@1:11", "E0104@1:12"]);
    mistakes("} } }", &["E0104@1:1", "E0104@1:3", "E0104@1:5"]);
}

#[test]
fn an_unclosed_block_costs_nothing_but_itself() {
    mistakes("IF (TRUE) {\nSET(R9, 1);", &["E0103@1:11", "E0206@2:5"]);
    mistakes(
        "IF (TRUE) { IF (TRUE) { SET(R9, 1); }",
        &["E0103@1:11", "E0206@1:29"],
    );
    mistakes("IF (TRUE) { IF (TRUE) {", &["E0103@1:11"]);
    assert!(messages("IF (TRUE) { IF (TRUE) {").starts_with("2 blocks"));
    mistakes("IF (TRUE) { SET(R1, 1)", &["E0103@1:11", "E0102@1:23"]);
}

#[test]
fn a_missing_brace_is_found_at_its_place() {
    mistakes(
        "IF (TRUE)\n SET(R1, 1);\nSET(R9, 1);",
        &["E0101@2:2", "E0206@3:5"],
    );
    mistakes(
        "IF (TRUE) { } ELSE SET(R9, 1);",
        &["E0101@1:20", "E0206@1:24"],
    );
}

#[test]
fn a_broken_expression_costs_its_statement_only() {
    mistakes(
        "VAR a = 1 + * 2;\nSET(R9, 1);",
        &["E0101@1:13", "E0206@2:5"],
    );
    mistakes("VAR a = ;\nVAR b = 1;\nVOID(a + b);", &["E0101@1:9"]);
    mistakes(
        "IF (1 + ) { SET(R9, 1); } ELSE { SET(R8, 1); }",
        &["E0101@1:9", "E0206@1:17", "E0206@1:38"],
    );
    mistakes(
        "IF (TRUE) { } ELSE IF () { SET(R9, 1); } ELSE { SET(R8, 1); }",
        &["E0101@1:24", "E0206@1:32", "E0206@1:53"],
    );
    mistakes(
        "SUBFLOWS.FILTER(s => ).FIRST.PUSH(Q.TOP);\nSET(R9, 1);",
        &["E0101@1:22", "E0206@2:5"],
    );
}

#[test]
fn two_mistakes_in_two_statements_are_two_reports() {
    mistakes("VAR a = 1 +;\nVAR b = 2 -;", &["E0101@1:12", "E0101@2:12"]);
    mistakes(
        "IF (TRUE) { VAR a = 1 +; VAR b = 2 -; }\nSET(;",
        &["E0101@1:24", "E0101@1:37", "E0101@2:5"],
    );
}

#[test]
fn a_mistake_of_grammar_does_not_hide_those_of_names_and_types() {
    let parsed = read("SCHEDULER x;\nVAR a = y;\nIF (a { VOID(b); }\nSET(R1, TRUE)\nVOID(1 2);");
    assert_eq!(
        found(&parsed),
        [
            "E0201@2:9",
            "E0112@3:6",
            "E0201@3:14",
            "E0301@4:9",
            "E0102@4:14",
            "E0101@5:8"
        ]
    );
    assert_eq!(parsed.ast, None);
    assert_eq!(parsed.program, None);
}

#[test]
fn names_of_broken_declarations_are_not_unknown_afterwards() {
    mistakes(
        "VAR a = 1 +, b = 2, c = ) ;\nVOID(a + b + c);",
        &["E0101@1:12"],
    );
    mistakes(
        "DEFINE R1 AS ;\nDEFINE R2 AS b, ;\nSET(R1, b);",
        &["E0101@1:14", "E0101@2:17"],
    );
    mistakes(
        "FOREACH (VAR s IN SUBFLOWS.) { s.PUSH(Q.TOP); }",
        &["E0101@1:28"],
    );
    mistakes(
        "FOREACH VAR s IN SUBFLOWS { s.PUSH(Q.TOP); }",
        &["E0101@1:9"],
    );
}

#[test]
fn the_tree_is_there_if_only_names_and_types_are_wrong() {
    let parsed = read("VOID(x + TRUE);");
    assert!(parsed.ast.is_some() && parsed.program.is_none());
}

#[test]
fn blocks_that_belong_to_nothing_are_read() {
    mistakes("{ SET(R9, 1); }", &["E0101@1:1", "E0206@1:7"]);
    mistakes("WHILE (TRUE) { SET(R9, 1); }", &["E0101@1:7", "E0206@1:20"]);
    mistakes("SET(R1, 1) { SET(R9, 1); }", &["E0101@1:12", "E0206@1:18"]);
}

#[test]
fn mistakes_are_in_the_order_of_the_text() {
    let parsed = read("VOID(z);\nVOID(?);\nVAR Q = 1;\nSET(R1, 1)\n/* @require x */ }");
    let places: Vec<_> = parsed.diagnostics.iter().map(|d| d.span.start).collect();
    assert!(places.is_sorted());
    assert_eq!(places.len(), 6);
}
