//! What names mean (specs/grammar.md, section 3).

use crate::common::{help, messages, mistakes, read, right};

#[test]
fn all_globals_are_known() {
    right("VOID(Q); VOID(QU); VOID(RQ); VOID(SUBFLOWS); VOID(CURRENT_TIME_MS); VOID(RANDOM);");
    right("VOID(R1 + R2 + R3 + R4 + R5 + R6);");
    mistakes("VOID(R0);", &["E0201@1:6"]);
    mistakes("VOID(R7);", &["E0201@1:6"]);
    mistakes("VOID;", &["E0201@1:1"]);
}

#[test]
fn a_variable_is_known_after_its_own_declaration() {
    right("VAR x = 1; VAR y = x;");
    right("VAR x = 1, y = x;");
    mistakes("VAR x = x;", &["E0201@1:9"]);
    mistakes("VOID(x); VAR x = 1;", &["E0201@1:6"]);
    mistakes("VAR y = x, x = 1;", &["E0201@1:9"]);
    // An outer variable of the same name is what the initialiser sees.
    right("VAR x = 1; IF (TRUE) { VAR x = x + 1; VOID(x); }");
}

#[test]
fn a_variable_is_known_to_the_end_of_its_block() {
    right("IF (TRUE) { VAR x = 1; VOID(x); } ELSE { VAR x = 2; VOID(x); }");
    mistakes("IF (TRUE) { VAR x = 1; } VOID(x);", &["E0201@1:31"]);
    mistakes(
        "IF (TRUE) { VAR x = 1; } ELSE { VOID(x); }",
        &["E0201@1:38"],
    );
    mistakes("FOREACH (VAR s IN SUBFLOWS) { } VOID(s);", &["E0201@1:38"]);
    mistakes(
        "VAR f = SUBFLOWS.MIN(s => s.RTT); VOID(s.RTT);",
        &["E0201@1:40"],
    );
    let parsed = read("IF (TRUE) { VAR x = 1; } VOID(x);");
    let labels = &parsed.diagnostics[0].labels;
    assert_eq!(parsed.source.position(labels[0].0.start).column, 17);
}

#[test]
fn a_name_is_declared_once_in_a_block() {
    mistakes("VAR x = 1; VAR x = 2;", &["E0203@1:16"]);
    mistakes("VAR x = 1, x = 2;", &["E0203@1:12"]);
    mistakes("DEFINE R1 AS a, R2 AS a;", &["E0203@1:23"]);
    mistakes("DEFINE R1 AS a; DEFINE R1 AS a;", &["E0203@1:30"]);
}

#[test]
fn an_inner_block_or_lambda_may_hide_a_name() {
    right("VAR x = 1; IF (TRUE) { VAR x = 2; VOID(x); } VOID(x);");
    right("VAR s = 1; FOREACH (VAR s IN SUBFLOWS) { VOID(s.RTT); } VOID(s + 1);");
    right("VAR s = 1; VOID(SUBFLOWS.FILTER(s => s.LOSSY)); VOID(s + 1);");
    right("VOID(SUBFLOWS.FILTER(s => SUBFLOWS.FILTER(s => s.LOSSY).EMPTY AND s.LOSSY));");
    right("FOREACH (VAR s IN SUBFLOWS) { VAR s = 1; VOID(s + 1); }");
}

#[test]
fn parameters_are_looked_up_innermost_first() {
    // The inner `x` is a packet, the outer one a subflow.
    right("VOID(SUBFLOWS.FILTER(x => Q.FILTER(x => x.PSH).EMPTY AND x.LOSSY));");
    mistakes(
        "VOID(SUBFLOWS.FILTER(x => Q.FILTER(x => x.LOSSY).EMPTY));",
        &["E0307@1:43"],
    );
}

#[test]
fn a_name_that_can_never_be_read_is_an_error() {
    for name in [
        "Q",
        "QU",
        "RQ",
        "SUBFLOWS",
        "CURRENT_TIME_MS",
        "RANDOM",
        "R1",
        "R6",
    ] {
        mistakes(&format!("VAR {name} = 1;"), &["E0204@1:5"]);
        mistakes(
            &format!("FOREACH (VAR {name} IN SUBFLOWS) {{ }}"),
            &["E0204@1:14"],
        );
        mistakes(
            &format!("VOID(SUBFLOWS.FILTER({name} => TRUE));"),
            &["E0204@1:22"],
        );
    }
    mistakes("DEFINE R1 AS a; VAR a = 1;", &["E0204@1:21"]);
    mistakes("VAR a = 1; DEFINE R1 AS a;", &["E0204@1:5"]);
    mistakes(
        "DEFINE R1 AS a; VOID(SUBFLOWS.FILTER(a => TRUE));",
        &["E0204@1:38"],
    );
    // A property's name is none of these.
    right("VAR RTT = 1; VAR POP = RTT; VAR TOP = POP; VAR R7 = TOP; VOID(R7);");
}

#[test]
fn an_alias_is_a_register_by_another_name() {
    let aliased = right("DEFINE R2 AS rounds; SET(rounds, rounds + 1);");
    let plain = right("/*   REGISTERS  */   SET(R2    , R2     + 1);");
    let kinds = |program: &progmp_syntax::Program| {
        let exprs = program.exprs.iter();
        exprs.map(|expr| expr.kind.clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&aliased), kinds(&plain));
    right("DEFINE R1 AS a, R1 AS b; SET(a, b); SET(R1, 1);");
}

#[test]
fn an_alias_is_of_a_register_and_has_a_name_of_its_own() {
    mistakes("DEFINE R7 AS a; SET(a, a);", &["E0206@1:8"]);
    mistakes("DEFINE Q AS a;", &["E0206@1:8"]);
    for name in ["Q", "RQ", "SUBFLOWS", "R1", "R2", "RANDOM"] {
        mistakes(&format!("DEFINE R1 AS {name};"), &["E0205@1:14"]);
    }
}

#[test]
fn an_alias_is_known_from_its_define_on() {
    mistakes("SET(a, 1); DEFINE R1 AS a;", &["E0207@1:5"]);
    mistakes("VOID(a); DEFINE R1 AS a;", &["E0207@1:6"]);
}

#[test]
fn set_names_a_register() {
    mistakes("SET(R7, 1);", &["E0206@1:5"]);
    mistakes("SET(Q, 1);", &["E0206@1:5"]);
    mistakes("VAR x = 1; SET(x, 2);", &["E0206@1:16"]);
    assert!(help("VAR x = 1; SET(x, 2);").contains("assigned once"));
}

#[test]
fn a_misspelt_name_brings_the_one_that_was_meant() {
    assert_eq!(
        help("VAR packets = 1; VOID(packest);"),
        "did you mean `packets`?"
    );
    assert_eq!(help("VOID(SUBFLOW);"), "did you mean `SUBFLOWS`?");
    assert_eq!(help("VOID(q);"), "did you mean `Q`?");
    assert_eq!(
        help("DEFINE R1 AS rounds; VOID(round);"),
        "did you mean `rounds`?"
    );
    assert!(
        help("VOID(R9);").contains("R1 to R6") || help("VOID(R9);").contains("did you mean `R")
    );
}

#[test]
fn a_misspelt_property_brings_the_one_that_was_meant() {
    assert_eq!(
        help("VOID(SUBFLOWS.FILTER(s => s.TSQ_THROTLED));"),
        "did you mean `TSQ_THROTTLED`?"
    );
    assert_eq!(help("VOID(Q.TOP.LENGHT);"), "did you mean `LENGTH`?");
    assert_eq!(help("VOID(Q.EMTPY);"), "did you mean `EMPTY`?");
    assert_eq!(
        help("VOID(SUBFLOWS.FILER(s => s.LOSSY));"),
        "did you mean `FILTER`?"
    );
    assert_eq!(help("VOID(NULL.RTTS);"), "did you mean `RTT`?");
    assert!(messages("VOID(Q.TOP.BANDWIDTH);").contains("a packet has no `BANDWIDTH`"));
}

#[test]
fn a_wrong_declaration_is_reported_once_and_not_at_each_use() {
    mistakes(
        "VAR x = y; VOID(x); VOID(x.RTT + 1); SET(R1, x);",
        &["E0201@1:9"],
    );
    mistakes(
        "FOREACH (VAR s IN y) { s.PUSH(Q.TOP); VOID(s.SEQ); }",
        &["E0201@1:19"],
    );
    mistakes("VOID(y.FILTER(s => s.ANYTHING).FIRST.RTT);", &["E0201@1:6"]);
    mistakes("VAR x = 1 +; VOID(x); SET(R1, x);", &["E0101@1:12"]);
    mistakes("FOREACH (VAR s IN) { s.PUSH(Q.TOP); }", &["E0101@1:18"]);
}

#[test]
fn three_hundred_variables_may_be_declared() {
    let declare = |at: usize| format!("VAR v{at} = v{};", at - 1);
    let text: Vec<_> = (1..300).map(declare).collect();
    let text = format!("VAR v0 = 1;{}", text.concat());
    assert_eq!(right(&text).vars.len(), 300);
}

#[test]
fn eight_lambdas_may_be_nested_and_not_nine() {
    let nested = |depth: usize| {
        let open = "SUBFLOWS.SUM(s => ".repeat(depth);
        format!("VOID({open}1{});", ")".repeat(depth))
    };
    right(&nested(8));
    let parsed = read(&nested(9));
    assert_eq!(parsed.diagnostics[0].code.id(), "E0311");
    assert_eq!(parsed.diagnostics.len(), 1);
}
