//! Types, properties and list operations (specs/semantics.md lists them).

use crate::common::{help, mistakes, read, right};

const SUBFLOW_INTS: [&str; 18] = [
    "RTT",
    "RTT_MS",
    "RTT_AVG",
    "RTT_VAR",
    "CWND",
    "SSTHRESH",
    "SKBS_IN_FLIGHT",
    "QUEUED",
    "LOST_SKBS",
    "MSS",
    "ID",
    "PACING_RATE",
    "DELIVERY_RATE",
    "BW_OUT_ACK",
    "BW_OUT_SEND",
    "DELAY_IN",
    "DELAY_OUT",
    "USER",
];
const SUBFLOW_BOOLS: [&str; 6] = [
    "IS_BACKUP",
    "BACKUP",
    "THROTTLED",
    "TSQ_THROTTLED",
    "LOSSY",
    "STALE",
];
const PACKET_INTS: [&str; 4] = ["LENGTH", "SIZE", "SEQ", "USER"];

/// A value of each type: bool, int, subflow, packet, subflow list, queue.
const VALUES: [(&str, &str); 6] = [
    ("bool", "TRUE"),
    ("int", "1"),
    ("subflow", "SUBFLOWS.FIRST"),
    ("packet", "Q.TOP"),
    ("subflow list", "SUBFLOWS"),
    ("packet queue", "RQ"),
];

/// In `frame`, the value at `@` must be of one of the types; NULL stands for all but lists.
#[track_caller]
fn takes(frame: &str, types: &[&str]) {
    for (ty, value) in VALUES {
        let text = frame.replace('@', value);
        let ok = read(&text).program.is_some();
        assert_eq!(ok, types.contains(&ty), "{ty} in `{text}`");
    }
    let null = read(&frame.replace('@', "NULL")).program.is_some();
    let takes_null = types.iter().any(|ty| !ty.contains(' '));
    assert_eq!(null, takes_null, "NULL in `{frame}`");
    assert!(
        read(&frame.replace('@', "\"text\"")).program.is_none(),
        "string in `{frame}`"
    );
}

#[test]
fn each_place_takes_its_type() {
    takes("IF (@) { }", &["bool"]);
    takes(
        "FOREACH (VAR x IN @) { }",
        &["subflow list", "packet queue"],
    );
    takes("SET(R1, @);", &["int"]);
    takes("DROP(@);", &["packet"]);
    takes("SUBFLOWS.FIRST.PUSH(@);", &["packet"]);
    takes("@.PUSH(Q.TOP);", &["subflow"]);
    takes("SUBFLOWS.FIRST.SET_USER(@);", &["int"]);
    takes("@.SET_USER(1);", &["subflow"]);
    takes("PRINT(\"%d\", @);", &["bool", "int", "subflow", "packet"]);
    takes("PRINT(\"%u\", @);", &["bool", "int", "subflow", "packet"]);
    takes("VOID(SUBFLOWS.GET(@));", &["int"]);
    takes("VOID(SUBFLOWS.FILTER(s => @));", &["bool"]);
    takes("VOID(RQ.MIN(p => @));", &["int"]);
    takes("VOID(RQ.MAX(p => @));", &["int"]);
    takes("VOID(SUBFLOWS.SUM(s => @));", &["int"]);
    takes("VOID(SUBFLOWS.FIRST.HAS_WINDOW_FOR(@));", &["packet"]);
    takes("VOID(Q.TOP.SENT_ON(@));", &["subflow"]);
    takes("VAR x = @.POP();", &["packet queue"]);
}

#[test]
fn void_and_var_take_every_type_and_null_but_no_string() {
    for (_, value) in VALUES {
        right(&format!("VOID({value}); VAR x = {value};"));
    }
    right("VOID(NULL); VAR x = NULL;");
    mistakes("VOID(\"a\"); VAR x = \"a\";", &["E0308@1:6", "E0308@1:20"]);
}

#[test]
fn each_operator_takes_its_types() {
    for op in ["+", "-", "*", "/", "%", "<", "<=", ">", ">="] {
        takes(&format!("VOID(1 {op} @);"), &["int"]);
        takes(&format!("VOID(@ {op} 1);"), &["int"]);
    }
    for op in ["AND", "OR"] {
        takes(&format!("VOID(TRUE {op} @);"), &["bool"]);
        takes(&format!("VOID(@ {op} TRUE);"), &["bool"]);
    }
    takes("VOID(!@);", &["bool"]);
    for op in ["==", "!="] {
        takes(&format!("VOID(1 {op} @);"), &["int"]);
        takes(&format!("VOID(@ {op} TRUE);"), &["bool"]);
    }
}

#[test]
fn everything_is_compared_with_null_on_either_side() {
    for op in ["==", "!="] {
        for (_, value) in VALUES {
            right(&format!(
                "VOID({value} {op} NULL); VOID(NULL {op} {value});"
            ));
        }
        right(&format!("VOID(NULL {op} NULL);"));
    }
}

#[test]
fn references_and_lists_are_not_compared_with_each_other() {
    for (value, advice) in [
        ("SUBFLOWS.FIRST", ".ID"),
        ("Q.TOP", ".SEQ"),
        ("Q", ".COUNT"),
        ("SUBFLOWS", ".COUNT"),
    ] {
        for op in ["==", "!="] {
            let text = format!("VOID({value} {op} {value});");
            mistakes(&text, &["E0302@1:6"]);
            assert!(help(&text).contains(advice), "{text}");
        }
    }
    mistakes("VOID(Q == SUBFLOWS);", &["E0302@1:6"]);
    mistakes("VOID(Q.TOP == SUBFLOWS.FIRST);", &["E0301@1:6"]);
    mistakes("VOID(1 == TRUE);", &["E0301@1:6"]);
    mistakes("VOID(\"a\" == \"a\");", &["E0308@1:6"]);
}

#[test]
fn every_property_belongs_to_its_kind_and_has_its_type() {
    for name in SUBFLOW_INTS {
        right(&format!("SET(R1, SUBFLOWS.FIRST.{name});"));
    }
    for name in SUBFLOW_BOOLS {
        right(&format!("IF (SUBFLOWS.FIRST.{name}) {{ }}"));
    }
    for name in PACKET_INTS {
        right(&format!("SET(R1, Q.TOP.{name});"));
    }
    right("IF (Q.TOP.PSH AND Q.TOP.SENT_ON_ALL AND Q.TOP.SENT_ON(SUBFLOWS.FIRST)) { }");
    right("IF (SUBFLOWS.FIRST.HAS_WINDOW_FOR(Q.TOP)) { }");
    for name in SUBFLOW_INTS
        .iter()
        .chain(&SUBFLOW_BOOLS)
        .filter(|name| **name != "USER")
    {
        mistakes(&format!("VOID(Q.TOP.{name});"), &["E0307@1:12"]);
        mistakes(&format!("VOID(SUBFLOWS.{name});"), &["E0307@1:15"]);
    }
    for name in ["LENGTH", "SIZE", "SEQ", "PSH", "SENT_ON_ALL"] {
        mistakes(&format!("VOID(SUBFLOWS.FIRST.{name});"), &["E0307@1:21"]);
    }
    mistakes("VOID(Q.TOP.EMPTY);", &["E0307@1:12"]);
    mistakes("VOID(R1.RTT);", &["E0307@1:9"]);
    mistakes("VOID(R1.ANYTHING);", &["E0202@1:9"]);
    mistakes("VOID(\"a\".RTT);", &["E0308@1:6"]);
}

#[test]
fn aliases_of_properties_are_the_same_property() {
    for (alias, name) in [
        ("RTT_AVG", "RTT_MS"),
        ("BACKUP", "IS_BACKUP"),
        ("TSQ_THROTTLED", "THROTTLED"),
        ("BW_OUT_ACK", "DELIVERY_RATE"),
    ] {
        let kinds = |name: &str| {
            let program = right(&format!("VOID(SUBFLOWS.FIRST.{name});"));
            program
                .exprs
                .into_iter()
                .map(|expr| expr.kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(kinds(alias), kinds(name));
    }
    let first = right("VOID(Q.TOP);")
        .exprs
        .into_iter()
        .map(|expr| expr.kind);
    let top = right("VOID(Q.FIRST);")
        .exprs
        .into_iter()
        .map(|expr| expr.kind);
    assert!(first.eq(top));
}

#[test]
fn every_list_operation_applies_to_both_kinds_of_list() {
    for list in ["SUBFLOWS", "Q", "QU", "RQ"] {
        right(&format!("IF ({list}.EMPTY) {{ }}"));
        right(&format!("SET(R1, {list}.COUNT + {list}.SUM(x => x.USER));"));
        right(&format!(
            "VAR a = {list}.FILTER(x => x.USER > 1).FILTER(x => TRUE);"
        ));
        right(&format!(
            "VAR a = {list}.GET(1).USER + {list}.TOP.USER + {list}.FIRST.USER + {list}.LAST.USER;"
        ));
        right(&format!(
            "VAR a = {list}.MIN(x => x.USER).USER + {list}.MAX(x => x.USER).USER;"
        ));
    }
}

#[test]
fn pop_takes_from_q_and_rq_and_what_is_filtered_from_them() {
    right("VAR a = Q.POP(), b = RQ.POP(), c = Q.FILTER(p => p.PSH).FILTER(p => TRUE).POP();");
    right("VAR list = RQ.FILTER(p => p.PSH); DROP(list.POP());");
    mistakes("VAR a = QU.POP();", &["E0306@1:12"]);
    mistakes(
        "VAR list = QU.FILTER(p => p.PSH); DROP(list.POP());",
        &["E0306@1:45"],
    );
    mistakes("VAR a = SUBFLOWS.POP();", &["E0306@1:18"]);
    mistakes("VAR a = Q.TOP.POP();", &["E0301@1:9"]);
    mistakes("VAR a = NULL.POP();", &["E0312@1:9"]);
    mistakes("VAR a = Q.POP;", &["E0303@1:11"]);
    mistakes("VAR a = Q.POP(1);", &["E0303@1:11"]);
}

#[test]
fn methods_take_their_arguments_and_properties_none() {
    for (text, column) in [
        ("VOID(Q.EMPTY());", 8),
        ("VOID(Q.COUNT(1));", 8),
        ("VOID(Q.TOP());", 8),
        ("VOID(SUBFLOWS.FIRST.RTT());", 21),
        ("VOID(Q.TOP.PSH());", 12),
        ("VOID(Q.GET);", 8),
        ("VOID(Q.GET());", 8),
        ("VOID(Q.GET(1, 2));", 8),
        ("VOID(Q.FILTER);", 8),
        ("VOID(Q.FILTER());", 8),
        ("VOID(Q.MIN(p => p.SEQ, p => p.SEQ));", 8),
        ("VOID(Q.TOP.SENT_ON);", 12),
        ("VOID(SUBFLOWS.FIRST.HAS_WINDOW_FOR());", 21),
    ] {
        mistakes(text, &[&format!("E0303@1:{column}")]);
    }
}

#[test]
fn functions_stand_where_a_function_is_wanted() {
    mistakes("VOID(SUBFLOWS.FILTER(TRUE));", &["E0304@1:22"]);
    mistakes("VOID(Q.SUM(1));", &["E0304@1:12"]);
    mistakes("VOID(Q.GET(p => 1));", &["E0305@1:12"]);
    mistakes("SUBFLOWS.FIRST.PUSH(p => p);", &["E0305@1:21"]);
    mistakes("VAR f = s => s.RTT;", &["E0101@1:11"]);
}

#[test]
fn null_has_the_properties_of_whatever_has_them() {
    right("VOID(NULL.RTT + NULL.SEQ + NULL.USER); VOID(NULL.PSH OR NULL.LOSSY);");
    right("VOID(NULL.SENT_ON(NULL)); VOID(NULL.HAS_WINDOW_FOR(NULL));");
    right("NULL.PUSH(NULL); NULL.SET_USER(NULL); DROP(NULL); SET(R1, NULL); IF (NULL) { }");
    mistakes("VOID(NULL.ANYTHING);", &["E0202@1:11"]);
    for operation in [
        "EMPTY",
        "COUNT",
        "TOP",
        "FIRST",
        "LAST",
        "FILTER(s => TRUE)",
        "GET(1)",
        "SUM(s => 1)",
    ] {
        mistakes(&format!("VOID(NULL.{operation});"), &["E0312@1:6"]);
    }
    mistakes("FOREACH (VAR x IN NULL) { }", &["E0312@1:19"]);
}

#[test]
fn a_variable_that_is_null_is_null_wherever_it_stands() {
    right("VAR x = NULL; SET(R1, x + 1); IF (x) { } x.PUSH(x); DROP(x); VOID(x.RTT); VOID(x.SEQ);");
    right("VAR x = NULL; VAR y = x; VOID(y == x); VOID(y == SUBFLOWS);");
    mistakes("VAR x = NULL; VOID(x.EMPTY);", &["E0312@1:20"]);
}

#[test]
fn the_conversions_of_print_are_counted_and_typed() {
    right("PRINT(\"%d %u %s %% %d\", 1, TRUE, \"%x\", NULL);");
    mistakes("PRINT(\"%d\");", &["E0310@1:7"]);
    mistakes("PRINT(\"%d\", 1, 2);", &["E0310@1:16"]);
    mistakes("PRINT(\"%%\", 1);", &["E0310@1:13"]);
    mistakes("PRINT(\"%d %d\", 1);", &["E0310@1:7"]);
    mistakes("PRINT(\"%d\", \"a\");", &["E0310@1:13"]);
    mistakes("PRINT(\"%s\", 1);", &["E0310@1:13"]);
    mistakes("PRINT(\"%s\", NULL);", &["E0310@1:13"]);
    mistakes("PRINT(\"%d\", Q);", &["E0310@1:13"]);
    for bad in ["%x", "%i", "% d", "%5d", "100%", "%ld"] {
        mistakes(&format!("PRINT(\"{bad}\", 1);"), &["E0309@1:7"]);
    }
    // The arguments of a wrong format are still checked.
    mistakes("PRINT(\"%x\", y);", &["E0309@1:7", "E0201@1:13"]);
}

#[test]
fn all_mistakes_of_an_expression_are_reported() {
    mistakes(
        "VOID(a + b == c AND Q);",
        &["E0201@1:6", "E0201@1:10", "E0201@1:15", "E0301@1:21"],
    );
    mistakes(
        "VOID(Q.MIN(p => a).SENT_ON(b));",
        &["E0201@1:17", "E0201@1:28"],
    );
}

#[test]
fn advice_fits_the_types() {
    assert!(help("IF (Q.COUNT) { }").contains("!= 0"));
    assert!(help("IF (Q.TOP) { }").contains("!= NULL"));
    assert!(help("IF (Q) { }").contains(".EMPTY"));
    assert!(help("SUBFLOWS.PUSH(Q.TOP);").contains(".FIRST"));
    assert!(help("SUBFLOWS.FIRST.PUSH(Q);").contains(".POP()"));
    assert!(help("VOID(SUBFLOWS.RTT);").contains("MIN"));
    assert!(help("SET(R1, SUBFLOWS.FIRST);").contains(".ID"));
}
