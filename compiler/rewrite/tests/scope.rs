//! Traces that nobody made by searching: what they name has to exist, be new where it says so, and be of the right kind.

use progmp_ir::Program;
use progmp_rewrite::{
    Deed, Derivation, Filled, NodeKind, Place, Step, Trace, Tree, Use, optimize, replay,
};
use progmp_rules::{Op, Sort, Term, all};

fn parsed(text: &str) -> Program {
    let parsed = progmp_syntax::parse("test", text.as_bytes(), &[]);
    let first = parsed.diagnostics.first();
    parsed.program.unwrap_or_else(|| panic!("{first:?}"))
}

/// Naming a value in a statement of a block: `with` is the block with the variable in its place.
fn naming(
    block: Vec<(usize, usize)>,
    (at, len): (usize, usize),
    var: u32,
    value: &Place,
    (before, with): (Vec<progmp_rewrite::Node>, Vec<progmp_rewrite::Node>),
) -> Trace {
    let rules = all();
    let rule = rules.effect("name-value").expect("there is such a rule");
    let found = rule.holes.iter().map(|hole| match hole.name.as_str() {
        "v" => Filled::Var(var),
        "x" => Filled::Place(value.clone()),
        "s" => Filled::Block(before.clone()),
        "t" => Filled::Block(with.clone()),
        other => panic!("{other} is not expected"),
    });
    let by = Use {
        rule: rule.name.clone(),
        block,
        at,
        len,
        found: found.collect(),
    };
    Trace {
        deeds: vec![Deed::Statements(by)],
    }
}

#[test]
fn a_value_gets_a_name_that_nobody_has() {
    // The name of a variable of the same block, of which something else is the value.
    let program = parsed("IF (R2 == 0) { VAR a = 3; SET(R1, 5); }");
    let tree = Tree::of(&program).expect("it has no RANDOM");
    let NodeKind::If { then, .. } = &tree.body[0].kind else {
        panic!("an IF was expected");
    };
    let NodeKind::Set { reg, value } = &then[1].kind else {
        panic!("a SET was expected");
    };
    for (var, fits) in [(0, false), (1, true), (2, false)] {
        let mut with = then.clone();
        with[1].kind = NodeKind::Set {
            reg: *reg,
            value: Place {
                term: Term::leaf(Op::Var(var, Sort::Int)),
                span: value.span,
            },
        };
        let trace = naming(vec![(0, 0)], (0, 2), var, value, (then.clone(), with));
        let after = replay(&program, &all(), &trace);
        assert_eq!(after.is_ok(), fits, "{var}: {after:?}");
    }
}

#[test]
fn a_loop_keeps_its_variable_to_itself() {
    let program = parsed("FOREACH (VAR s IN SUBFLOWS) { SUBFLOWS.TOP.PUSH(Q.TOP); }");
    let tree = Tree::of(&program).expect("it has no RANDOM");
    let NodeKind::Foreach { var, list, body } = &tree.body[0].kind else {
        panic!("a FOREACH was expected");
    };
    let NodeKind::Push { target, packet } = &body[0].kind else {
        panic!("a PUSH was expected");
    };
    let mut inner = body[0].clone();
    inner.kind = NodeKind::Push {
        target: Place {
            term: Term::leaf(Op::Var(*var, Sort::Element)),
            span: target.span,
        },
        packet: packet.clone(),
    };
    let mut with = tree.body.clone();
    with[0].kind = NodeKind::Foreach {
        var: *var,
        list: list.clone(),
        body: vec![inner],
    };
    let trace = naming(Vec::new(), (0, 1), *var, target, (tree.body.clone(), with));
    assert!(replay(&program, &all(), &trace).is_err());
}

/// `FALSE` as `x AND FALSE`.
fn with_false(text: &str, x: Term) -> bool {
    let step = Step {
        rule: "and-false".to_owned(),
        forward: false,
        position: Vec::new(),
        after: Term::new(Op::And, vec![x, Term::leaf(Op::Bool(false))]),
    };
    let derivation = Derivation {
        block: Vec::new(),
        at: 0,
        expression: 0,
        steps: vec![step],
    };
    let trace = Trace {
        deeds: vec![Deed::Expression(derivation)],
    };
    replay(&parsed(text), &all(), &trace).is_ok()
}

#[test]
fn what_a_step_brings_in_has_a_meaning_there() {
    let named = |name: &str| Op::named(name).expect("there is such a construct");
    let above = |x: Term| Term::new(named(">"), vec![x, Term::leaf(Op::Int(3))]);
    let var = |number| above(Term::leaf(Op::Var(number, Sort::Int)));
    let first = |list: &str| Term::new(named("first"), vec![Term::leaf(named(list))]);
    let flag = |of: Term| Term::new(named("LOSSY"), vec![of]);
    let equal = |a: Term, b: Term| Term::new(named("=="), vec![a, b]);
    let plain = "IF (FALSE) { SET(R1, 1); }";
    assert!(with_false(plain, flag(first("SUBFLOWS"))));
    let later = "IF (FALSE) { SET(R1, 1); } VAR a = R2; SET(R3, a);";
    let inner = "IF (FALSE) { VAR a = R2; SET(R3, a); }";
    let each = "IF (FALSE) { SET(R1, 1); } FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); }";
    let wrong = [
        (later, var(0)),
        (inner, var(0)),
        (plain, var(9)),
        (each, flag(Term::leaf(Op::Var(0, Sort::Element)))),
        (plain, flag(first("Q"))),
        (plain, equal(first("Q"), first("SUBFLOWS"))),
        (
            plain,
            equal(Term::leaf(named("Q")), Term::leaf(Op::Bool(true))),
        ),
    ];
    for (text, x) in wrong {
        assert!(!with_false(text, x.clone()), "{text}: {x:?}");
    }
}

#[test]
fn a_list_that_is_popped_from_twice_may_get_a_name() {
    for text in [
        "VAR v = Q; FOREACH (VAR s IN SUBFLOWS) { s.PUSH(v.FILTER(p => p.PSH).POP()); }",
        "VAR v = Q.FILTER(p => p.LENGTH > 100); SUBFLOWS.TOP.PUSH(v.FILTER(p => p.PSH).POP());
            SUBFLOWS.LAST.PUSH(v.FILTER(p => p.PSH).POP());",
        "VAR v = RQ; IF (R1 > 0) { SUBFLOWS.TOP.PUSH(v.FILTER(p => p.PSH).POP()); }
            IF (R2 > 0) { SUBFLOWS.LAST.PUSH(v.FILTER(p => p.PSH).POP()); }",
    ] {
        let program = parsed(text);
        let optimized = optimize(&program, &all());
        let again = replay(&program, &all(), &optimized.trace);
        assert_eq!(again.expect("it follows"), optimized.program, "{text}");
    }
}
