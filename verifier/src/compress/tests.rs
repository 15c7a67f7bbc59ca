//! Compressions that are right, and near misses of each condition.

use super::*;

const HEAD: &str =
    "VAR ready = SUBFLOWS.FILTER(s => !s.LOSSY AND s.CWND > s.SKBS_IN_FLIGHT + s.QUEUED);
    IF (!RQ.EMPTY) {
        VAR lost = RQ.TOP;
        VAR fresh = ready.FILTER(s => s.HAS_WINDOW_FOR(lost) AND !lost.SENT_ON(s));
        IF (!fresh.EMPTY) { fresh.MIN(s => s.RTT).PUSH(RQ.POP()); RETURN; }
    }
    IF (!Q.EMPTY) {
        VAR next = Q.TOP;
        VAR best = ready.FILTER(s => s.HAS_WINDOW_FOR(next)).MIN(s => s.RTT);";

fn program(text: &str) -> Program {
    let parsed = progmp_syntax::parse("test", text.as_bytes(), &[]);
    parsed
        .program
        .unwrap_or_else(|| panic!("{text}: {:?}", parsed.diagnostics))
}

fn answer(tail: &str) -> Compression {
    let source = program(&format!("{HEAD} best.PUSH(Q.POP()); }}"));
    let compressed = program(&format!("{HEAD} {tail} }}"));
    compresses(&source, &compressed, &Options::default())
}

/// With this room, if this holds, while that does.
fn tail(room: &str, safe: &str, goes_on: &str) -> String {
    format!(
        "IF (best != NULL) {{
            VAR last = Q.GET({room});
            best.PUSH(Q.POP());
            IF ({safe}) {{
                FOREACH (VAR p IN Q.FILTER(p => last == NULL OR p.SEQ <= last.SEQ)) {{
                    IF (!({goes_on})) {{ RETURN; }}
                    best.PUSH(Q.POP());
                }}
            }}
        }}"
    )
}

const ROOM: &str = "best.CWND - (best.SKBS_IN_FLIGHT + best.QUEUED) - 1";
const SAFE: &str = "ready.FILTER(s => !s.HAS_WINDOW_FOR(next)).EMPTY";
const WINDOW: &str = "best.HAS_WINDOW_FOR(p)";

#[test]
fn as_many_packets_as_the_window_takes_may_go_at_once() {
    assert_eq!(answer(&tail(ROOM, SAFE, WINDOW)), Compression::Proved);
    assert_eq!(answer("best.PUSH(Q.POP());"), Compression::Proved);
}

#[test]
fn each_condition_is_needed() {
    let same = "the source pushes the next packet on the same subflow";
    let cases = [
        // One packet too many.
        (
            "best.CWND - (best.SKBS_IN_FLIGHT + best.QUEUED)",
            SAFE,
            WINDOW,
            same,
        ),
        // Another subflow may have a window for the next packet.
        (ROOM, "TRUE", WINDOW, same),
        // The peer has no window for the next packet.
        (ROOM, SAFE, "TRUE", same),
        (ROOM, SAFE, "best.HAS_WINDOW_FOR(next)", same),
    ];
    for (room, safe, goes_on, why) in cases {
        let text = tail(room, safe, goes_on);
        assert_eq!(answer(&text), Compression::Unknown(why), "{text}");
    }
}

#[test]
fn one_wrong_path_among_right_ones_is_found() {
    let same = "the source pushes the next packet on the same subflow";
    // Conditions of the paths that come first, and last.
    for case in [
        "R1 == 7 AND RQ.EMPTY",
        "R1 == 7 AND !RQ.EMPTY",
        "R1 != 7 AND RQ.EMPTY",
        "R1 != 7 AND !RQ.EMPTY",
        "R1 == 7 AND R2 != 7 AND !RQ.EMPTY AND R3 > R4",
    ] {
        let text = tail(ROOM, &format!("({SAFE}) OR {case}"), WINDOW);
        assert_eq!(answer(&text), Compression::Unknown(same), "{case}");
        let text = tail(ROOM, &format!("({SAFE}) AND {case}"), WINDOW);
        assert_eq!(answer(&text), Compression::Proved, "{case}");
    }
    // The packet that was pushed is in QU, so this path is none.
    let text = tail(ROOM, &format!("({SAFE}) OR QU.EMPTY"), WINDOW);
    assert_eq!(answer(&text), Compression::Proved);
}

/// What is answered if both push only where this holds.
fn answer_where(condition: &str) -> Compression {
    let source = format!("{HEAD} IF ({condition}) {{ best.PUSH(Q.POP()); }} }}");
    let tail = tail(ROOM, SAFE, WINDOW);
    let compressed = format!("{HEAD} IF ({condition}) {{ {tail} }} }}");
    compresses(
        &program(&source),
        &program(&compressed),
        &Options::default(),
    )
}

#[test]
fn a_choice_by_what_moves_out_of_view_is_not_made_once_for_all() {
    let same = Compression::Unknown("the source pushes the next packet on the same subflow");
    // As packets enter QU, others at its end are not shown any more, and those of RQ, neither.
    for condition in [
        "QU.LAST.SEQ > R1",
        "QU.COUNT < 200",
        "RQ.COUNT >= 3",
        "RQ.LAST.SEQ > R1",
        "!RQ.EMPTY",
        // Nor is all of Q.
        "Q.LAST.SEQ > R1",
    ] {
        assert_eq!(answer_where(condition), same, "{condition}");
    }
    for condition in ["R1 > 3", "RQ.EMPTY", "SUBFLOWS.COUNT > 1"] {
        assert_eq!(answer_where(condition), Compression::Proved, "{condition}");
    }
}

#[test]
fn where_nothing_is_compressed_a_host_has_nothing_to_take_back() {
    let head = |other: &str| HEAD.replace("VAR best =", &format!("{other} VAR best ="));
    let answer = |other: &str| {
        let source = program(&format!("{} best.PUSH(Q.POP()); }}", head(other)));
        let tail = tail(ROOM, SAFE, WINDOW);
        let compressed = program(&format!("{} {tail} }}", head(other)));
        compresses(&source, &compressed, &Options::default())
    };
    let one = "IF (R1 == 1) { ready.LAST.PUSH(Q.POP()); RETURN; }";
    assert_eq!(answer(one), Compression::Proved);
    // What was not taken from Q in this execution stays where it is.
    let others = "IF (R1 == 1) { FOREACH (VAR s IN ready) { s.PUSH(QU.TOP); } RETURN; }";
    assert_eq!(answer(others), Compression::Proved);
    let twice =
        Compression::Unknown("what takes packets from Q and is not compressed does one thing");
    for other in [
        "IF (R1 == 1) { VAR p = Q.POP(); ready.TOP.PUSH(p); ready.LAST.PUSH(p); RETURN; }",
        "IF (R1 == 1) { ready.TOP.PUSH(Q.POP()); ready.LAST.PUSH(Q.POP()); RETURN; }",
        "IF (R1 == 1) { ready.TOP.PUSH(Q.POP()); DROP(Q.POP()); RETURN; }",
        "IF (R1 == 1) { VAR p = Q.POP(); FOREACH (VAR s IN ready) { s.PUSH(p); } DROP(p); RETURN; }",
    ] {
        assert_eq!(answer(other), twice, "{other}");
    }
}

#[test]
fn another_loop_is_not_the_one() {
    let right = tail(ROOM, SAFE, WINDOW);
    let wrong = [
        // It goes on after a packet that is left.
        right.replace("{ RETURN; }", "{ VOID(0); } ELSE {").replace(
            "best.PUSH(Q.POP());
                }",
            "best.PUSH(Q.POP()); } }",
        ),
        // The list does not begin where Q does.
        right.replace("p.SEQ <= last.SEQ", "p.SEQ > last.SEQ"),
        // It keeps the packet.
        right.replace(
            "{ RETURN; }\n                    best.PUSH(Q.POP());",
            "{ RETURN; }\n                    best.PUSH(p);",
        ),
        // Another subflow.
        right.replace(
            "{ RETURN; }\n                    best.PUSH",
            "{ RETURN; }\n                    ready.LAST.PUSH",
        ),
    ];
    for text in wrong {
        assert_ne!(text, right);
        assert!(matches!(answer(&text), Compression::Unknown(_)), "{text}");
    }
}

#[test]
fn room_is_what_is_left_of_the_window() {
    let corners = |bits: u32| [0, 1, 2, 77, (1 << bits) - 2, (1 << bits) - 1];
    for most in corners(32).into_iter().chain([u64::MAX, 1 << 61]) {
        for used in corners(60).into_iter().filter(|used| *used < most) {
            let index = most - used - 1;
            let near = [index, index.wrapping_add(1), index / 2];
            for number in corners(32).into_iter().chain(near) {
                if number >> 32 == 0 {
                    assert_eq!(number <= index, number + used < most);
                }
            }
        }
    }
}

#[test]
fn what_writes_a_register_is_not_compressed() {
    let text = tail(ROOM, SAFE, WINDOW).replace("{ RETURN; }", "{ SET(R1, 1); RETURN; }");
    assert!(matches!(answer(&text), Compression::Unknown(_)));
}
