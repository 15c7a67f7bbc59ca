//! Two programs compared path by path.
//!
//! An unbounded run can be made along one path: whoever asks on which way an IF goes, or whether
//! something is NULL on which an effect depends, gets an answer, which is noted down. Both programs are
//! run with the same answers, all of them are tried, and what is left to prove on each path is
//! mostly trivial. Every state belongs to one path, as answers are about conditions without variables.
//!
//! On a path the programs are specialised: what an axiom says of a loop holds of the loop in which
//! these conditions have these values, which exists in every state.

use progmp_ir::Program;

use crate::engine::{Options, Side};
use crate::equivalence::differences;
use crate::smt::{Node, Term};
use crate::unbounded::Unbounded;

/// Answers to conditions, in the order in which they were asked.
#[derive(Debug, Default)]
pub(crate) struct Path {
    answers: Vec<(Term, bool)>,
    /// How many of them this run has come by.
    next: usize,
    /// What was shown to hold on this path.
    shown: Vec<(Term, bool)>,
    /// There were too many questions.
    lost: bool,
    /// The path is followed once more, with loops left out.
    repeated: bool,
}

/// Questions on one path.
const ANSWERS: usize = 64;

impl Path {
    /// Paths that are tried at most.
    pub(crate) const MOST: usize = 400;

    /// From now on, on this path, the condition is known to have this value.
    pub(crate) fn show(&mut self, condition: Term, value: bool) {
        self.shown.push((condition, value));
    }

    /// Whether nothing is shown by it; from now on it may show something again.
    pub(crate) const fn find_again(&mut self) -> bool {
        std::mem::replace(&mut self.lost, false)
    }

    /// Whether nothing is shown by it.
    pub(crate) const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The same path once more.
    pub(crate) fn again(&mut self) {
        self.shown.clear();
        self.next = 0;
        self.lost = false;
        self.repeated = true;
    }

    /// What was asked in this run.
    pub(crate) fn so_far(&self) -> &[(Term, bool)] {
        &self.answers[..self.next]
    }

    /// Whether this run has given these answers, or will give them next.
    pub(crate) fn came_by(&self, answers: &[(Term, bool)]) -> bool {
        self.next <= answers.len() && self.answers.starts_with(answers)
    }

    /// So many questions were asked, all in all.
    pub(crate) const fn pass(&mut self, questions: usize) {
        self.next = questions;
    }

    /// This path shows nothing.
    pub(crate) const fn lose(&mut self) {
        self.lost = true;
    }

    /// The next path: the last answer that was TRUE becomes FALSE. `false` if there is none.
    pub(crate) fn turn(&mut self) -> bool {
        self.shown.clear();
        self.repeated = false;
        self.turn_after(0)
    }

    /// The next path that begins with so many answers of this one, of which what was shown then still holds; what comes
    /// behind them is run again. `false` if there is none: then they are all that is left of this path.
    pub(crate) fn turn_after(&mut self, kept: usize) -> bool {
        while self.answers.len() > kept
            && let Some((condition, answer)) = self.answers.pop()
        {
            if answer {
                self.answers.push((condition, false));
                self.next = kept;
                return true;
            }
        }
        false
    }
}

impl Unbounded {
    /// A condition, with what the path decides; what nobody asked yet is TRUE at first.
    pub(crate) fn decided(&mut self, condition: Term) -> Term {
        if self.path.as_ref().is_none_or(|path| path.lost) {
            return condition;
        }
        let mut rest = self.under_path(condition);
        while let Some(open) = self.terms.condition(rest) {
            let path = self.path.as_mut().expect("a path is followed");
            if path.next == ANSWERS {
                path.lost = true;
                return rest;
            }
            if path.next == path.answers.len() {
                path.answers.push((open, true));
            }
            let (asked, answer) = path.answers[path.next];
            if self.terms.exhausted() {
                // Terms mean nothing any more, and nothing is proved.
                return rest;
            }
            path.next += 1;
            if asked != open && path.repeated {
                // What is left out asked something.
                path.lost = true;
                return rest;
            }
            assert_eq!(asked, open, "runs with equal answers ask equal questions");
            rest = self.terms.assume(rest, open, answer);
        }
        rest
    }

    /// A formula with what was decided so far.
    fn under_path(&mut self, formula: Term) -> Term {
        let answers: Vec<(Term, bool)> = match &self.path {
            Some(path) => [path.so_far(), &path.shown].concat(),
            None => Vec::new(),
        };
        let mut rest = formula;
        for (condition, answer) in answers {
            rest = self.terms.assume(rest, condition, answer);
        }
        rest
    }
}

/// Whether both do the same on every path.
pub(crate) fn agree_on_all_paths(
    side: &mut Side<Unbounded>,
    a: &Program,
    b: &Program,
    options: &Options,
) -> bool {
    side.domain.path = Some(Path::default());
    for _ in 0..Path::MOST {
        side.domain.lockstep.leave_out(Vec::new());
        if !agree_on_path(side, a, b, options) && !is_impossible(side, options) {
            // What the other program does not have may do nothing here.
            let idle = idle_loops(side, options);
            if idle.is_empty() {
                return false;
            }
            let path = side.domain.path.as_mut().expect("a path is followed");
            path.again();
            side.domain.lockstep.leave_out(idle);
            if !agree_on_path(side, a, b, options) {
                return false;
            }
        }
        let path = side.domain.path.as_mut().expect("a path is followed");
        if !path.turn() {
            return !side.domain.terms.exhausted();
        }
    }
    false
}

/// Whether both do the same on the path that comes next.
fn agree_on_path(side: &mut Side<Unbounded>, a: &Program, b: &Program, options: &Options) -> bool {
    let domain = &mut side.domain;
    let run = domain.run;
    domain.loops.clear();
    domain.lockstep.begin();
    let cases = differences(domain, a, b);
    domain.run = run;
    let more = domain.lockstep.take();
    if domain.path.as_ref().is_none_or(|path| path.lost) {
        return false;
    }
    let Some(mut cases) = cases else {
        return false;
    };
    cases.extend(more);
    // Mostly one question is enough.
    let any = side.domain.terms.or(&cases);
    never(side, &[], any, options)
        || cases
            .into_iter()
            .all(|case| never(side, &[], case, options))
}

/// Whether no state comes this way.
fn is_impossible(side: &mut Side<Unbounded>, options: &Options) -> bool {
    let path = side.domain.path.as_mut().expect("a path is followed");
    path.find_again();
    let all = side.domain.terms.bool(true);
    never(side, &[], all, options)
}

/// Loops of the first program in which nothing happens on this path.
fn idle_loops(side: &mut Side<Unbounded>, options: &Options) -> Vec<usize> {
    let mut idle = Vec::new();
    for (met, made, body) in side.domain.lockstep.plain() {
        let case = side.domain.does_something(&made, &body);
        if never(side, &[], case, options) {
            idle.push(met);
        }
    }
    idle
}

/// Whether a case cannot be on this path, under what is known.
pub(crate) fn never(
    side: &mut Side<Unbounded>,
    known: &[Term],
    case: Term,
    options: &Options,
) -> bool {
    let domain = &mut side.domain;
    let mut parts = Vec::new();
    for &part in [case].iter().chain(known) {
        let rest = domain.under_path(part);
        if domain.terms.node(rest) == Node::Bool(false) {
            return true;
        }
        parts.push(rest);
    }
    let path = domain.path.as_ref().expect("a path is followed");
    for (condition, answer) in [&path.answers[..], &path.shown].concat() {
        parts.push(if answer {
            condition
        } else {
            domain.terms.not(condition)
        });
    }
    side.clash(&parts, options.rlimit)
}
