//! What comes out: the program that other crates read.

use progmp_ir::{
    Expr, ExprKind, ListSource, Operand, PrintArg, Program, QueueName, SchedReg, Span, StmtKind,
    SubflowInt, Type,
};

use crate::common::right;

/// The value of the only VAR.
fn value(init: &str) -> (Program, Expr) {
    let program = right(&format!("VAR value = {init};"));
    let StmtKind::Let { init, .. } = &program.body[0].kind else {
        panic!("a VAR is a Let");
    };
    let expr = match *init {
        Operand::Expr(id) => program.expr(id).clone(),
        Operand::Pop { list, .. } => program.expr(list).clone(),
    };
    (program, expr)
}

#[track_caller]
fn never_null(init: &str) {
    assert!(!value(init).1.may_be_null, "`{init}` is never NULL");
}

#[track_caller]
fn may_be_null(init: &str) {
    assert!(value(init).1.may_be_null, "`{init}` may be NULL");
}

#[test]
fn what_typing_shows_not_to_be_null_is_not() {
    for init in [
        "1",
        "TRUE",
        "R1",
        "CURRENT_TIME_MS",
        "RANDOM",
        "Q",
        "SUBFLOWS",
        "Q.FILTER(p => p.PSH)",
        "Q.COUNT",
        "Q.EMPTY",
        "Q.SUM(p => p.SEQ)",
        "SUBFLOWS.SUM(s => Q.TOP.SEQ)",
        "Q.TOP == NULL",
        "Q.TOP.PSH AND NULL",
        "NULL OR NULL",
        "1 + R1",
        "R1 - 1",
        "R1 * R2",
        "R1 < R2",
        "!TRUE",
        "!(Q.TOP == NULL)",
        "R1 / 2",
        "R1 % (3)",
    ] {
        never_null(init);
    }
}

#[test]
fn what_may_be_null_says_so() {
    for init in [
        "Q.TOP",
        "Q.FIRST",
        "Q.LAST",
        "Q.GET(0)",
        "SUBFLOWS.MIN(s => s.RTT)",
        "SUBFLOWS.MAX(s => s.RTT)",
        "Q.TOP.SEQ",
        "Q.TOP.PSH",
        "!Q.TOP.PSH",
        "1 + Q.TOP.SEQ",
        "Q.TOP.SEQ < 1",
        "R1 / R2",
        "R1 / 0",
        "R1 % 0",
        "Q.TOP.SEQ / 2",
        "NULL",
        "SUBFLOWS.FIRST.RTT",
        "SUBFLOWS.FIRST.HAS_WINDOW_FOR(Q.TOP)",
        "R1 / (1 + 1)",
    ] {
        may_be_null(init);
    }
}

#[test]
fn elements_of_lambdas_and_loops_are_never_null_and_their_properties_neither() {
    let program =
        right("FOREACH (VAR s IN SUBFLOWS) { VAR rtt = s.RTT; } VOID(Q.FILTER(p => p.PSH));");
    for var in &program.vars {
        assert!(!var.may_be_null, "{} is never NULL", var.name);
    }
}

#[test]
fn a_variable_may_be_null_as_its_initialiser_may() {
    let program = right("VAR a = Q.TOP, b = a.SEQ, c = 1, d = Q.POP(), e = RQ;");
    let nullable: Vec<_> = program.vars.iter().map(|var| var.may_be_null).collect();
    assert_eq!(nullable, [true, true, false, true, false]);
    let types: Vec<_> = program.vars.iter().map(|var| var.ty).collect();
    let queue = Type::List(ListSource::Queue(QueueName::Retrans));
    assert_eq!(
        types,
        [Type::Packet, Type::Int, Type::Int, Type::Packet, queue]
    );
}

#[test]
fn null_gets_the_type_of_its_place() {
    let program = right("IF (NULL) { } SET(R1, NULL); NULL.PUSH(NULL); VAR x = NULL; x.PUSH(x);");
    let nulls = program
        .exprs
        .iter()
        .filter(|expr| expr.kind == ExprKind::Null);
    let types: Vec<_> = nulls.map(|expr| expr.ty).collect();
    let expected = [
        Type::Bool,
        Type::Int,
        Type::Subflow,
        Type::Packet,
        Type::Int,
        Type::Subflow,
        Type::Packet,
    ];
    assert_eq!(types, expected);
    assert!(
        program
            .exprs
            .iter()
            .all(|expr| expr.kind != ExprKind::Null || expr.may_be_null)
    );
}

#[test]
fn a_list_is_never_equal_to_null() {
    assert_eq!(value("Q == NULL").1.kind, ExprKind::Bool(false));
    assert_eq!(value("NULL != SUBFLOWS").1.kind, ExprKind::Bool(true));
}

#[test]
fn user_of_null_is_a_subflows() {
    let (_, expr) = value("NULL.USER");
    assert!(matches!(
        expr.kind,
        ExprKind::SubflowInt(SubflowInt::User, _)
    ));
}

#[test]
fn pop_keeps_its_list_and_its_place() {
    let text = "DROP((Q.FILTER(p => p.PSH).POP()));";
    let program = right(text);
    let StmtKind::Drop {
        packet: Operand::Pop { list, span },
    } = program.body[0].kind
    else {
        panic!("a DROP of a POP");
    };
    assert!(matches!(program.expr(list).kind, ExprKind::Filter(..)));
    assert_eq!(
        &text[span.start as usize..span.end as usize],
        "Q.FILTER(p => p.PSH).POP()"
    );
}

#[test]
fn statements_and_sites_are_numbered_in_source_order() {
    let program = right(
        "VAR a = RANDOM, b = RANDOM;\nIF (RANDOM > 1) { SET(R1, RANDOM); } ELSE IF (RANDOM > 2) { SET(R2, 1); } ELSE { RETURN; }\nSET(R3, Q.FILTER(p => RANDOM > p.SEQ).GET(RANDOM).SEQ);",
    );
    let ids: Vec<_> = program
        .statements()
        .iter()
        .map(|stmt| stmt.id.index())
        .collect();
    assert_eq!(ids, (0..program.stmt_count).collect::<Vec<_>>());
    assert_eq!(program.stmt_count, 8);
    let mut sites: Vec<_> = program
        .exprs
        .iter()
        .filter_map(|expr| match expr.kind {
            ExprKind::Random(site) => Some((site.index(), expr.span.start)),
            _ => None,
        })
        .collect();
    sites.sort_unstable();
    assert!(
        sites.is_sorted_by_key(|(_, start)| *start),
        "sites follow the text"
    );
    assert_eq!((sites.len(), program.random_sites), (7, 7));
}

#[test]
fn else_if_is_an_if_in_the_else() {
    let program =
        right("IF (TRUE) { SET(R1, 1); } ELSE IF (FALSE) { SET(R2, 2); } ELSE { SET(R3, 3); }");
    assert_eq!(program.body.len(), 1);
    let StmtKind::If {
        otherwise: Some(second),
        ..
    } = &program.body[0].kind
    else {
        panic!("an IF with ELSE");
    };
    let [second] = &second[..] else {
        panic!("one statement")
    };
    let StmtKind::If {
        then,
        otherwise: Some(third),
        ..
    } = &second.kind
    else {
        panic!("an IF with ELSE");
    };
    assert!(matches!(then[0].kind, StmtKind::Set { reg, .. } if Some(reg) == SchedReg::new(2)));
    assert!(matches!(third[0].kind, StmtKind::Set { reg, .. } if Some(reg) == SchedReg::new(3)));
}

#[test]
fn an_if_without_else_has_none_and_an_empty_else_is_one() {
    let otherwise = |text: &str| match right(text).body.remove(0).kind {
        StmtKind::If { otherwise, .. } => otherwise,
        other => panic!("an IF, not {other:?}"),
    };
    assert_eq!(otherwise("IF (TRUE) { }"), None);
    assert_eq!(otherwise("IF (TRUE) { } ELSE { }"), Some(Vec::new()));
}

#[test]
fn spans_cover_what_was_written() {
    let text = "SCHEDULER a;\nIF ((R1) + 2 > 3) { SUBFLOWS.FIRST.PUSH(Q.TOP); }";
    let program = right(text);
    let shown = |span: Span| &text[span.start as usize..span.end as usize];
    let spans: Vec<_> = program.exprs.iter().map(|expr| shown(expr.span)).collect();
    assert_eq!(
        spans,
        [
            "R1",
            "2",
            "(R1) + 2",
            "3",
            "(R1) + 2 > 3",
            "SUBFLOWS",
            "SUBFLOWS.FIRST",
            "Q",
            "Q.TOP"
        ]
    );
    let statements: Vec<_> = program
        .statements()
        .iter()
        .map(|stmt| shown(stmt.span))
        .collect();
    assert_eq!(
        statements,
        ["IF ((R1) + 2 > 3)", "SUBFLOWS.FIRST.PUSH(Q.TOP);"]
    );
}

#[test]
fn print_keeps_its_format_without_escapes() {
    let program = right("PRINT(\"a\\t%d\\\"%s\\\"\", R1, \"b\\n\");");
    let StmtKind::Print { format, args } = &program.body[0].kind else {
        panic!("a PRINT");
    };
    assert_eq!(format, "a\t%d\"%s\"");
    assert!(matches!(&args[..], [PrintArg::Value(_), PrintArg::Text(text)] if text == "b\n"));
}
