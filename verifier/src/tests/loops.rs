//! Loops written to hurt the summaries: what an iteration carries to the next, in
//! every form that a summary treats apart.

use super::support::Subject;

/// Texts of loops.
const LOOPS: &[&str] = &[
    // Registers: closed forms, running extremes, values that do not depend on the iteration.
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 3); }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 - 2); }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, 5 + R1); SET(R2, R1); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.RTT > 5) { SET(R1, R1 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (R1 < 3) { SET(R1, R1 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.RTT > R2) { SET(R2, s.RTT); } }",
    "SET(R2, 0); FOREACH (VAR s IN SUBFLOWS) { IF (s.RTT > R2) { SET(R2, s.RTT); SET(R3, s.ID); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.RTT < R2) { SET(R2, s.RTT); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (R1 > 0) { SET(R1, R1 - 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { SET(R1, R2 + 7); } }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R2); SET(R2, R3); SET(R3, s.ID); }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 * 2); }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, 10 / s.QUEUED); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (!Q.EMPTY) { SET(R1, Q.TOP.SEQ); } }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 1); IF (R1 > 2) { SET(R2, R1); RETURN; } }",
    "IF (R5 > 2) { FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 3); } }",
    "IF (R5 > 2) { RETURN; } FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 3); }",
    // RETURN.
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { RETURN; } s.PUSH(Q.TOP); } SET(R1, 9);",
    "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.TOP); RETURN; }",
    "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR p IN QU) { IF (!p.SENT_ON(s)) { s.PUSH(p); RETURN; } } }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 + 1); IF (s.THROTTLED) { RETURN; } SET(R2, R2 + 1); }",
    "IF (R1 > 1) { RETURN; } FOREACH (VAR s IN SUBFLOWS) { IF (s.ID == R2) { RETURN; } SET(R2, s.ID); } SET(R3, 1);",
    // POP.
    "FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.POP()); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.CWND > s.SKBS_IN_FLIGHT) { s.PUSH(Q.POP()); } } SET(R1, Q.COUNT);",
    "FOREACH (VAR s IN SUBFLOWS) { VAR p = RQ.POP(); IF (p != NULL) { s.PUSH(p); } }",
    "VAR old = Q; FOREACH (VAR s IN SUBFLOWS) { s.PUSH(old.POP()); } SET(R1, old.COUNT); SET(R2, QU.COUNT);",
    "VAR big = Q.FILTER(p => p.LENGTH > 3); FOREACH (VAR s IN SUBFLOWS) { VAR p = big.POP(); s.PUSH(p); SET(R1, Q.COUNT); }",
    "FOREACH (VAR p IN Q) { FOREACH (VAR s IN SUBFLOWS) { s.PUSH(Q.POP()); } }",
    "FOREACH (VAR p IN Q) { VAR x = Q.POP(); SUBFLOWS.TOP.PUSH(x); IF (x != NULL AND x.PSH) { RETURN; } }",
    "FOREACH (VAR p IN RQ) { DROP(RQ.POP()); } FOREACH (VAR p IN RQ) { SUBFLOWS.TOP.PUSH(p); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { DROP(Q.POP()); } ELSE { s.PUSH(RQ.POP()); } } IF (Q.EMPTY AND !RQ.EMPTY) { SET(R1, 1); }",
    "VAR f = Q.FILTER(p => !p.SENT_ON_ALL); FOREACH (VAR s IN SUBFLOWS) { VAR p = f.FILTER(q => !q.SENT_ON(s)).POP(); s.PUSH(p); } VAR rest = f.POP(); DROP(rest);",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, QU.COUNT); s.PUSH(Q.POP()); SET(R2, QU.COUNT); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (!QU.EMPTY AND QU.TOP.SENT_ON(s)) { s.PUSH(Q.POP()); } }",
    // USER: the loop's own element, another, both.
    "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(s.USER + 1); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.USER != 7) { s.SET_USER(7); } SET(R1, s.USER); }",
    "FOREACH (VAR s IN SUBFLOWS) { SUBFLOWS.TOP.SET_USER(s.ID); }",
    "FOREACH (VAR s IN SUBFLOWS) { SUBFLOWS.MIN(t => t.USER).SET_USER(SUBFLOWS.MIN(t => t.USER).USER + 1); }",
    "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(SUBFLOWS.SUM(t => t.USER)); }",
    "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(R1); SET(R1, s.USER + 1); }",
    "FOREACH (VAR p IN Q) { FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(s.USER + p.LENGTH); } }",
    "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR t IN SUBFLOWS) { IF (t.ID > s.ID) { s.SET_USER(t.ID); } } }",
    "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(1); SUBFLOWS.LAST.SET_USER(2); IF (s.USER == 2) { SET(R1, R1 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (s.LOSSY) { RETURN; } s.SET_USER(4); }",
    // RANDOM.
    "FOREACH (VAR s IN SUBFLOWS) { SET(R1, RANDOM); }",
    "FOREACH (VAR s IN SUBFLOWS) { IF (RANDOM % 2 == 0) { s.PUSH(Q.POP()); SET(R2, R2 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { s.SET_USER(RANDOM); FOREACH (VAR p IN QU) { IF (RANDOM > s.USER) { s.PUSH(p); } } }",
    "SUBFLOWS.MIN(s => RANDOM).PUSH(Q.TOP); FOREACH (VAR s IN SUBFLOWS.FILTER(t => RANDOM % 2 == 1)) { SET(R1, R1 + 1); }",
    // RANDOM as the only thing that differs between two executions.
    "FOREACH (VAR s IN SUBFLOWS) { IF (RANDOM % 2 == 0) { s.PUSH(Q.TOP); } }",
    // Nested.
    "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR t IN SUBFLOWS) { SET(R1, R1 + 1); } }",
    "FOREACH (VAR s IN SUBFLOWS) { SET(R2, 0); FOREACH (VAR t IN SUBFLOWS) { IF (t.RTT < s.RTT) { SET(R2, R2 + 1); } } IF (R2 == 0) { s.PUSH(Q.TOP); } }",
    "FOREACH (VAR s IN SUBFLOWS) { VAR ps = QU.FILTER(p => !p.SENT_ON(s)); FOREACH (VAR p IN ps) { s.PUSH(p); SET(R1, ps.COUNT); } }",
    "FOREACH (VAR s IN SUBFLOWS) { FOREACH (VAR p IN Q) { IF (R1 < 2) { s.PUSH(Q.POP()); SET(R1, R1 + 1); } } }",
    // The same loop from the same state, twice.
    "SET(R2, 0); FOREACH (VAR s IN SUBFLOWS) { IF (s.RTT > R2) { SET(R2, s.RTT); } } IF (R2 > 3) { SUBFLOWS.TOP.PUSH(Q.TOP); }",
    "SET(R1, SUBFLOWS.COUNT); FOREACH (VAR s IN SUBFLOWS) { SET(R1, R1 - 1); IF (RANDOM > 9) { SET(R3, R1); } }",
    // Ranks, COUNT, GET and SUM.
    "VAR best = SUBFLOWS.FILTER(s => SUBFLOWS.FILTER(t => t.RTT < s.RTT).COUNT < 2); FOREACH (VAR s IN best) { s.PUSH(Q.TOP); }",
    "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); SET(R1, ok.COUNT); ok.GET(R2 % ok.COUNT).PUSH(Q.POP()); ok.GET(ok.COUNT - 1).PUSH(Q.TOP);",
    "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); IF (ok.COUNT == SUBFLOWS.COUNT) { SET(R1, 1); } IF (ok.COUNT >= 2) { ok.GET(1).PUSH(Q.TOP); }",
    "IF (SUBFLOWS.SUM(s => s.CWND) > SUBFLOWS.SUM(s => s.QUEUED)) { SET(R1, SUBFLOWS.SUM(s => 1)); } SET(R2, Q.SUM(p => p.LENGTH));",
    // Sums that wrap.
    "IF (SUBFLOWS.SUM(s => s.USER - 5000) > SUBFLOWS.SUM(s => s.RTT)) { SET(R1, SUBFLOWS.SUM(s => s.USER - 5000)); }",
    "FOREACH (VAR s IN SUBFLOWS) { VAR faster = SUBFLOWS.FILTER(t => t.RTT < s.RTT); SET(R1, R1 + faster.COUNT); faster.GET(R1).PUSH(Q.TOP); SET(R2, faster.SUM(t => t.RTT)); }",
    "SUBFLOWS.GET(R1).PUSH(Q.GET(R2)); SUBFLOWS.GET(R1 + 1).PUSH(Q.GET(R2 + 1)); SUBFLOWS.GET(1).PUSH(Q.LAST);",
    "VAR p = Q.POP(); SET(R1, Q.COUNT); VAR q = Q.FILTER(x => x.LENGTH > 2).POP(); SET(R2, Q.COUNT); SUBFLOWS.TOP.PUSH(p); SUBFLOWS.LAST.PUSH(q);",
    "VAR snap = RQ.FILTER(x => !x.SENT_ON_ALL); VAR p = RQ.POP(); VAR q = snap.POP(); VAR r = snap.POP(); SUBFLOWS.TOP.PUSH(p); SUBFLOWS.TOP.PUSH(q); DROP(r); SET(R1, snap.COUNT);",
    "SET(R1, SUBFLOWS.MAX(s => s.RTT / s.CWND).ID); SET(R2, SUBFLOWS.MIN(s => R1 % s.QUEUED).ID); SET(R3, SUBFLOWS.MAX(s => s.RTT_MS * s.CWND).RTT_MS);",
];

/// The loops as programs.
pub(super) fn loops() -> Vec<Subject> {
    LOOPS
        .iter()
        .enumerate()
        .map(|(i, text)| Subject::new(&format!("loop {i}"), text))
        .collect()
}
