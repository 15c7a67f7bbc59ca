//! A failing program and state, made small.
//!
//! In: a case, and a test that says whether a case still fails. Out: a case from which nothing
//! more can be taken away: no statement, no branch, no operator, no subflow, no packet. Each step
//! is an edit of the source text; what does not parse does not count.

use std::collections::BTreeSet;

use progmp_ir::{Packet, SchedState, Span, Subflow};
use progmp_syntax::ast::{Arg, Block, Expr, ExprKind, Stmt, StmtKind};

use super::{Case, Difference, parsed};

/// Cases that are tried at most; each is a compilation.
const TRIES: usize = 4_000;
/// The same for programs that an engine refuses: the kernel may take a second to do so.
const TRIES_OF_REFUSED: usize = 60;

/// What a test says of a program and a state: how it fails, if it does.
pub type Test<'a> = dyn FnMut(&str, Option<&SchedState>) -> Option<Difference> + 'a;

/// Makes a case small. It fails at first, and the result fails too.
pub fn shrink(case: Case, test: &mut Test<'_>) -> Case {
    let left = if case.state.is_some() {
        TRIES
    } else {
        TRIES_OF_REFUSED
    };
    let mut search = Search { case, test, left };
    while search.program() | search.state() {}
    search.case
}

struct Search<'a, 'b> {
    case: Case,
    test: &'a mut Test<'b>,
    left: usize,
}

impl Search<'_, '_> {
    /// Keeps a smaller case if it fails.
    fn keep(&mut self, source: Option<String>, state: Option<SchedState>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let text = source.as_ref().unwrap_or(&self.case.source);
        let shown = state.as_ref().or(self.case.state.as_ref());
        let Some(difference) = (self.test)(text, shown) else {
            return false;
        };
        self.case.difference = difference;
        if let Some(source) = source {
            self.case.source = source;
        }
        if state.is_some() {
            self.case.state = state;
        }
        true
    }

    /// Edits of the source, large ones first, until none helps.
    fn program(&mut self) -> bool {
        let mut changed = false;
        'again: loop {
            for (span, replacement) in edits(&self.case.source) {
                let (start, end) = (span.start as usize, span.end as usize);
                let source = &self.case.source;
                let edited = format!("{}{replacement}{}", &source[..start], &source[end..]);
                if parsed(&edited).is_some() && self.keep(Some(edited), None) {
                    changed = true;
                    continue 'again;
                }
            }
            return changed;
        }
    }

    /// Smaller states, until none fails.
    fn state(&mut self) -> bool {
        let mut changed = false;
        'again: loop {
            let Some(state) = &self.case.state else {
                return changed;
            };
            for smaller in smaller(state) {
                if smaller.check().is_ok() && self.keep(None, Some(smaller)) {
                    changed = true;
                    continue 'again;
                }
            }
            return changed;
        }
    }
}

/// What could stand in place of what, those that save most first.
fn edits(source: &str) -> Vec<(Span, String)> {
    let parsed = progmp_syntax::parse("diff", source.as_bytes(), &[]);
    let Some(ast) = parsed.ast else {
        return Vec::new();
    };
    let mut edits = Edits {
        source,
        found: Vec::new(),
    };
    for comment in &ast.comments {
        edits.replace(*comment, String::new());
    }
    for stmt in &ast.body {
        edits.stmt(stmt);
    }
    let mut found = edits.found;
    let saved = |(span, text): &(Span, String)| (span.end - span.start) as usize - text.len();
    found.sort_by_key(|edit| std::cmp::Reverse(saved(edit)));
    found
}

struct Edits<'a> {
    source: &'a str,
    found: Vec<(Span, String)>,
}

impl Edits<'_> {
    fn text(&self, span: Span) -> &str {
        &self.source[span.start as usize..span.end as usize]
    }

    /// Proposes a shorter text, or one with fewer letters: a number for a name.
    fn replace(&mut self, span: Span, text: String) {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
        let measure = |text: &str| (text.len(), letters(text));
        if measure(&text) < measure(self.text(span)) {
            self.found.push((span, text));
        }
    }

    /// The statements of a block, without its braces.
    fn inside(&self, block: &Block) -> String {
        let text = self.text(block.span);
        let text = text.strip_prefix('{').unwrap_or(text);
        text.strip_suffix('}').unwrap_or(text).to_owned()
    }

    fn block(&mut self, block: &Block) {
        self.replace(block.span, "{}".to_owned());
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        self.replace(stmt.span, String::new());
        match &stmt.kind {
            StmtKind::If { arms, otherwise } => {
                for arm in arms {
                    let alone = self.inside(&arm.block);
                    self.replace(stmt.span, alone);
                    let without_else = Span::new(stmt.span.start, arm.block.span.end);
                    self.replace(stmt.span, self.text(without_else).to_owned());
                    self.expr(&arm.cond);
                    self.block(&arm.block);
                }
                if let Some(block) = otherwise {
                    let alone = self.inside(block);
                    self.replace(stmt.span, alone);
                    self.block(block);
                }
            }
            StmtKind::Foreach { list, body, .. } => {
                self.expr(list);
                self.block(body);
            }
            StmtKind::Var(declarators) => {
                for declarator in declarators {
                    self.expr(&declarator.init);
                }
            }
            StmtKind::Set { value: expr, .. }
            | StmtKind::Drop(expr)
            | StmtKind::Void(Some(expr))
            | StmtKind::Expr(expr) => self.expr(expr),
            StmtKind::Print { args, .. } => {
                for arg in args {
                    self.expr(arg);
                }
            }
            _ => {}
        }
    }

    /// An expression becomes one inside it, or a constant.
    fn expr(&mut self, expr: &Expr) {
        for constant in ["0", "1", "TRUE", "NULL"] {
            self.replace(expr.span, constant.to_owned());
        }
        let inner = |edits: &mut Self, part: &Expr| {
            let text = edits.text(part.span).to_owned();
            edits.replace(expr.span, text);
            edits.expr(part);
        };
        match &expr.kind {
            ExprKind::Paren(part) | ExprKind::Not(part) => inner(self, part),
            ExprKind::Binary { left, right, .. } => {
                inner(self, left);
                inner(self, right);
            }
            ExprKind::Member { receiver, args, .. } => {
                inner(self, receiver);
                for arg in args.iter().flatten() {
                    match arg {
                        Arg::Expr(part) => inner(self, part),
                        Arg::Lambda(lambda) => self.expr(&lambda.body),
                    }
                }
            }
            _ => {}
        }
    }
}

/// States with less in them, or with more that is ordinary.
fn smaller(state: &SchedState) -> Vec<SchedState> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut SchedState)| {
        let mut smaller = state.clone();
        change(&mut smaller);
        if smaller != *state {
            all.push(smaller);
        }
    };
    // Halves first: large states shrink fast.
    for keep in [
        state.packets.len() / 2,
        state.packets.len().saturating_sub(1),
    ] {
        add(&|smaller| while_packets(smaller, keep));
    }
    for keep in [
        state.subflows.len() / 2,
        state.subflows.len().saturating_sub(1),
    ] {
        add(&|smaller| smaller.subflows.truncate(keep));
    }
    for packet in 0..state.packets.len() {
        add(&|smaller| without_packet(smaller, packet));
    }
    for subflow in 0..state.subflows.len() {
        add(&|smaller| {
            smaller.subflows.remove(subflow);
        });
        let id = state.subflows[subflow].id;
        let ordinary = Subflow {
            id,
            ..Subflow::default()
        };
        add(&|smaller| smaller.subflows[subflow] = ordinary.clone());
    }
    for packet in 0..state.packets.len() {
        let seq = state.packets[packet].seq;
        let ordinary = Packet {
            seq,
            ..Packet::default()
        };
        add(&|smaller| smaller.packets[packet] = ordinary.clone());
    }
    for register in 0..state.registers.len() {
        add(&|smaller| smaller.registers[register] = 0);
    }
    add(&|smaller| smaller.time_ms = 0);
    add(&|smaller| smaller.seed = 0);
    all
}

/// Keeps the first packets.
fn while_packets(state: &mut SchedState, keep: usize) {
    while state.packets.len() > keep {
        without_packet(state, state.packets.len() - 1);
    }
}

/// Takes a packet out of everything.
fn without_packet(state: &mut SchedState, packet: usize) {
    state.packets.remove(packet);
    for queue in [&mut state.q, &mut state.qu, &mut state.rq] {
        let kept: BTreeSet<usize> = queue
            .iter()
            .filter(|&&at| at != packet)
            .map(|&at| if at > packet { at - 1 } else { at })
            .collect();
        *queue = kept.into_iter().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(what: &str) -> Difference {
        Difference {
            engine: "interpreter",
            what: what.to_owned(),
            log: String::new(),
        }
    }

    #[test]
    fn what_does_not_matter_goes_away() {
        let source = "SCHEDULER x; // a comment\n\
            VAR a = R1 + 2;\n\
            IF (Q.EMPTY AND R2 > 3) { SET(R3, a); } ELSE { SET(R4, (R5 * a) % 7); RETURN; }\n";
        let mut state = SchedState {
            subflows: vec![Subflow::default(); 3],
            packets: vec![Packet::default(); 9],
            q: (0..9).collect(),
            registers: [1, 2, 3, 4, 5, 6],
            time_ms: 8,
            ..SchedState::default()
        };
        state.normalize();
        let case = Case {
            source: source.to_owned(),
            state: Some(state),
            difference: failing("first"),
        };
        // Fails while R4 is set by a multiplication and two packets are in Q.
        let mut test = |text: &str, state: Option<&SchedState>| {
            let fails = text.contains("SET(R4")
                && text.contains('*')
                && state.is_some_and(|state| state.q.len() >= 2);
            fails.then(|| failing("still"))
        };
        let small = shrink(case, &mut test);
        assert_eq!(small.difference, failing("still"));
        let words: Vec<&str> = small.source.split_whitespace().collect();
        assert_eq!(words.join(" "), "SCHEDULER x; SET(R4, 0 * 0);");
        let state = small.state.expect("it had one");
        assert_eq!(state.subflows.len(), 0);
        assert_eq!((state.packets.len(), state.q.len()), (2, 2));
        assert_eq!(state.registers, [0; 6]);
    }
}
