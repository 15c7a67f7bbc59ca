//! One program made by hand: it is well-formed, each way of breaking it is noticed, its needs are
//! what it reads, and its states print as tables.

use progmp_ir::wellformed::{Malformed, check};
use progmp_ir::{
    ArithOp, Expr, ExprId, ExprKind, Extremum, Kind, Lambda, ListSource, Needs, Operand, OrderOp,
    Packet, PacketInt, PrintArg, Program, QueueName, SchedReg, SchedState, SiteId, Span, Stmt,
    StmtId, StmtKind, Subflow, SubflowBool, SubflowInt, Type, Var, VarId, table,
};

const SUBFLOWS: Type = Type::List(ListSource::Subflows);
const QUEUE: Type = Type::List(ListSource::Queue(QueueName::Send));

/// ```text
/// VAR few = Q.COUNT < 3;
/// IF (few) {
///     VAR p = Q.POP();
///     SUBFLOWS.FILTER(s => !s.LOSSY).MIN(s => s.RTT + RANDOM).PUSH(p);
///     FOREACH (VAR t IN SUBFLOWS) { t.SET_USER(R2 / 5); }
///     PRINT("%d %s%%", CURRENT_TIME_MS, "x");
/// }
/// ```
fn sample() -> Program {
    let mut program = Program {
        stmt_count: 7,
        random_sites: 1,
        ..Program::default()
    };
    for (name, ty, may_be_null) in [
        ("few", Type::Bool, false),
        ("p", Type::Packet, true),
        ("s", Type::Subflow, false),
        ("s", Type::Subflow, false),
        ("t", Type::Subflow, false),
    ] {
        program.vars.push(Var {
            name: name.to_owned(),
            ty,
            may_be_null,
            span: Span::default(),
        });
    }
    let [few, p, lossless, fastest, t] = [0, 1, 2, 3, 4].map(VarId::new);
    let e = ExprId::new;
    let filter = Lambda {
        param: lossless,
        body: e(6),
    };
    let min = Lambda {
        param: fastest,
        body: e(12),
    };
    let r2 = SchedReg::new(2).unwrap();
    for (kind, ty, may_be_null) in [
        (ExprKind::Queue(QueueName::Send), QUEUE, false),
        (ExprKind::Count(e(0)), Type::Int, false),
        (ExprKind::Int(3), Type::Int, false),
        (ExprKind::Order(OrderOp::Lt, e(1), e(2)), Type::Bool, false),
        (ExprKind::Var(lossless), Type::Subflow, false),
        (
            ExprKind::SubflowBool(SubflowBool::Lossy, e(4)),
            Type::Bool,
            false,
        ),
        (ExprKind::Not(e(5)), Type::Bool, false),
        (ExprKind::Subflows, SUBFLOWS, false),
        (ExprKind::Filter(e(7), filter), SUBFLOWS, false),
        (ExprKind::Var(fastest), Type::Subflow, false),
        (
            ExprKind::SubflowInt(SubflowInt::Rtt, e(9)),
            Type::Int,
            false,
        ),
        (ExprKind::Random(SiteId::new(0)), Type::Int, false),
        (
            ExprKind::Arith(ArithOp::Add, e(10), e(11)),
            Type::Int,
            false,
        ),
        (
            ExprKind::Extremum(Extremum::Min, e(8), min),
            Type::Subflow,
            true,
        ),
        (ExprKind::Var(few), Type::Bool, false),
        (ExprKind::Queue(QueueName::Send), QUEUE, false),
        (ExprKind::Var(p), Type::Packet, true),
        (ExprKind::Subflows, SUBFLOWS, false),
        (ExprKind::Var(t), Type::Subflow, false),
        (ExprKind::Register(r2), Type::Int, false),
        (ExprKind::Int(5), Type::Int, false),
        (
            ExprKind::Arith(ArithOp::Div, e(19), e(20)),
            Type::Int,
            false,
        ),
        (ExprKind::Time, Type::Int, false),
    ] {
        program.exprs.push(Expr {
            kind,
            ty,
            may_be_null,
            span: Span::default(),
        });
    }
    let stmt = |id, kind| Stmt {
        id: StmtId::new(id),
        span: Span::default(),
        kind,
    };
    let pop = Operand::Pop {
        list: e(15),
        span: Span::default(),
    };
    let set_user = StmtKind::SetUser {
        target: e(18),
        value: e(21),
    };
    let then = vec![
        stmt(2, StmtKind::Let { var: p, init: pop }),
        stmt(
            3,
            StmtKind::Push {
                target: e(13),
                packet: Operand::Expr(e(16)),
            },
        ),
        stmt(
            4,
            StmtKind::Foreach {
                var: t,
                list: e(17),
                body: vec![stmt(5, set_user)],
            },
        ),
        stmt(
            6,
            StmtKind::Print {
                format: "%d %s%%".to_owned(),
                args: vec![PrintArg::Value(e(22)), PrintArg::Text("x".to_owned())],
            },
        ),
    ];
    program.body = vec![
        stmt(
            0,
            StmtKind::Let {
                var: few,
                init: Operand::Expr(e(3)),
            },
        ),
        stmt(
            1,
            StmtKind::If {
                cond: e(14),
                then,
                otherwise: None,
            },
        ),
    ];
    program
}

fn then_block(program: &mut Program) -> &mut Vec<Stmt> {
    match &mut program.body[1].kind {
        StmtKind::If { then, .. } => then,
        _ => unreachable!("the second statement is an IF"),
    }
}

#[test]
fn the_sample_is_well_formed() {
    check(&sample()).unwrap();
}

#[test]
fn every_way_of_breaking_a_program_is_noticed() {
    let broken = |change: &dyn Fn(&mut Program)| {
        let mut program = sample();
        change(&mut program);
        check(&program).expect_err("the program was broken")
    };
    let kind = |index: usize, kind: ExprKind| {
        move |program: &mut Program| program.exprs[index].kind = kind.clone()
    };
    let e = ExprId::new;

    let error = broken(&kind(1, ExprKind::Count(e(7))));
    assert!(matches!(error, Malformed::ChildNotBefore { .. }), "{error}");
    let error = broken(&|p| p.exprs.truncate(22));
    assert_eq!(error, Malformed::NoSuchExpr(e(22)));
    let error = broken(&kind(14, ExprKind::Var(VarId::new(9))));
    assert_eq!(error, Malformed::NoSuchVar(VarId::new(9)));
    let error = broken(&kind(6, ExprKind::Not(e(4))));
    assert!(matches!(error, Malformed::Mistyped { .. }), "{error}");
    let error = broken(&|p| p.exprs[2].ty = Type::Bool);
    assert!(matches!(error, Malformed::WrongType { .. }), "{error}");
    let error = broken(&kind(
        6,
        ExprKind::Equal {
            a: e(4),
            b: e(4),
            negated: false,
        },
    ));
    assert!(matches!(error, Malformed::Incomparable { .. }), "{error}");
    let error = broken(&|p| p.exprs[13].may_be_null = false);
    assert_eq!(error, Malformed::HiddenNull(e(13)));
    let error = broken(&|p| p.exprs[20].kind = ExprKind::Int(0));
    assert_eq!(error, Malformed::HiddenNull(e(21)), "a division by 0");
    let error = broken(&|p| p.exprs[7].may_be_null = true);
    assert_eq!(error, Malformed::NullList(e(7)));
    let error = broken(&kind(0, ExprKind::Null));
    assert_eq!(error, Malformed::NullList(e(0)));
    let error = broken(&|p| {
        p.vars[1].may_be_null = false;
    });
    assert_eq!(error, Malformed::WrongVarNull(VarId::new(1)));
    let error = broken(&|p| {
        p.vars[4].may_be_null = true;
        p.exprs[18].may_be_null = true;
    });
    assert_eq!(error, Malformed::WrongVarNull(VarId::new(4)));
    let error = broken(&|p| {
        p.vars[0].ty = Type::Int;
        p.exprs[14].ty = Type::Int;
    });
    assert!(matches!(error, Malformed::WrongVarType { .. }), "{error}");
    let error = broken(&|p| {
        let again = p.body[0].clone();
        p.body[1].id = StmtId::new(2);
        p.body.insert(1, again);
        p.body[1].id = StmtId::new(1);
    });
    assert_eq!(error, Malformed::BoundTwice(VarId::new(0)));
    let error = broken(&kind(9, ExprKind::Var(VarId::new(2))));
    assert!(matches!(error, Malformed::OutOfScope { .. }), "{error}");
    let error = broken(&|p| {
        p.exprs[15].kind = ExprKind::Queue(QueueName::Unacked);
        p.exprs[15].ty = Type::List(ListSource::Queue(QueueName::Unacked));
    });
    assert_eq!(error, Malformed::NotPoppable(e(15)));
    let error = broken(&|p| then_block(p).swap(0, 3));
    assert!(matches!(error, Malformed::StatementOrder { .. }), "{error}");
    let error = broken(&|p| p.stmt_count = 8);
    assert!(matches!(error, Malformed::StatementCount { .. }), "{error}");
    let error = broken(&|p| {
        p.random_sites = 2;
        p.exprs[11].kind = ExprKind::Random(SiteId::new(1));
        p.exprs[10].kind = ExprKind::Random(SiteId::new(1));
    });
    assert!(matches!(error, Malformed::SiteOrder { .. }), "{error}");
    let error = broken(&|p| p.random_sites = 0);
    assert!(matches!(error, Malformed::SiteCount { .. }), "{error}");
    for format in ["%d", "%d %s %d", "%s %d", "%d %s %", "%x %s"] {
        let error = broken(&|p| {
            if let StmtKind::Print { format: f, .. } = &mut then_block(p)[3].kind {
                format.clone_into(f);
            }
        });
        assert_eq!(error, Malformed::PrintArgs(StmtId::new(6)), "{format}");
    }
}

#[test]
fn needs_are_what_the_program_reads_and_writes() {
    let needs = Needs::of(&sample());
    let r2 = SchedReg::new(2).unwrap();
    for &property in SubflowInt::ALL {
        assert_eq!(
            needs.reads_subflow_int(property),
            property == SubflowInt::Rtt
        );
    }
    for &property in SubflowBool::ALL {
        assert_eq!(
            needs.reads_subflow_bool(property),
            property == SubflowBool::Lossy
        );
    }
    for &property in PacketInt::ALL {
        assert!(!needs.reads_packet_int(property));
    }
    for name in QueueName::ALL {
        assert_eq!(needs.reads_queue(name), name == QueueName::Send);
        assert_eq!(needs.pops(name), name == QueueName::Send);
    }
    for reg in SchedReg::all() {
        assert_eq!(needs.reads_register(reg), reg == r2);
        assert!(!needs.writes_register(reg));
    }
    assert!(needs.reads_time() && needs.uses_random() && needs.reads_subflows());
    assert!(needs.writes_user() && needs.pushes() && !needs.drops());
    assert!(needs.loops_over(Kind::Subflow) && !needs.loops_over(Kind::Packet));
    assert!(!needs.reads_windows() && !needs.reads_sent_on() && !needs.reads_psh());
    assert!(needs.tier_b().is_empty());
    assert_eq!(needs.elements(Kind::Packet, 16), 4, "COUNT < 3");
    assert_eq!(needs.elements(Kind::Subflow, 16), 0);
    assert!(needs.user_literals().contains(&5));
    assert_eq!(needs, Needs::of_body(&sample()));
}

#[test]
fn a_table_shows_what_the_program_reads() {
    let mut state = SchedState {
        subflows: vec![
            Subflow {
                rtt: 1,
                ..Subflow::default()
            },
            Subflow {
                rtt: 123_456,
                lossy: true,
                ..Subflow::default()
            },
        ],
        packets: vec![Packet::default(); 2],
        q: vec![1],
        qu: vec![0],
        rq: vec![0],
        registers: [0, 0, 0, 0, 0, 8],
        time_ms: 77,
        seed: 3,
    };
    state.packets[0].sent_on = [1, 2].into();
    state.packets[1].no_window_on = [2].into();
    state.normalize();
    let text = table(&state, &Needs::of(&sample()));
    let expected = "\
subflows
  ID     RTT  USER  LOSSY
   1       1     0  -
   2  123456     0  yes
packets
   SEQ  in     SENT_ON  no window on
     1  QU RQ  1 2      -
  1001  Q      -        2
R2 = 0   R6 = 8   CURRENT_TIME_MS = 77   seed = 3
";
    assert_eq!(text, expected);
    let nothing = table(&SchedState::default(), &Needs::default());
    assert_eq!(nothing, "subflows: none\npackets: none\n");
}
