//! The relation between the folds of a rule that every step keeps.
//!
//! Candidates are simple comparisons of two or three states. Those that do not hold at the start go
//! at once; then those that a step breaks, as long as there are any (Flanagan and Leino, "Houdini",
//! 2001). What is left is inductive; whether it suffices is the caller's last query, in which
//! nothing of the search needs to be believed.

use super::ask;
use super::encode::Encoding;
use super::fold::State;
use crate::smt::{Answer, Room, Sort as Smt, Term};

/// Something that may hold of all states of the folds.
#[derive(Clone, Copy, Debug)]
enum Candidate {
    /// No word of a counting fold exceeds the number of elements so far.
    Within(usize),
    /// The word is 0 just if nothing counted.
    ZeroIfNone(usize),
    SameNone(usize, usize),
    NoneImplies(usize, usize),
    SameWord(usize, usize),
    AtMost(usize, usize),
    SameElement(usize, usize),
    /// The first is the sum of the two others.
    Sum(usize, usize, usize),
    /// The words are equal just if nothing counted for the third.
    EqualIfNone(usize, usize, usize),
    /// Nothing counts for the first just if nothing does for the second and the third.
    NoneOfBoth(usize, usize, usize),
    /// Nothing adds up, or all keys are 0.
    Zero(usize),
}

/// Lists have fewer than 2^32 members (specs/environment.md).
const LONGEST: u64 = 1 << 32;

/// The query that must be unsatisfiable: the relation fails at the start, or a step breaks it, or the
/// sides differ although it holds.
pub(super) fn obligation(room: &Room, encoding: &mut Encoding, used: &mut u64) -> Term {
    let guard = encoding.outer_guard();
    if encoding.compares_lists() {
        let element = encoding.element();
        let differ = encoding.kept_otherwise(&element);
        return encoding.terms.and(&[guard, element.guard, differ]);
    }
    let folds = encoding.folds.len();
    let nought = encoding.terms.word(0);
    let one = encoding.terms.word(1);
    let start: Vec<State> = (0..folds).map(|fold| encoding.start(fold)).collect();
    let before: Vec<State> = (0..folds).map(|fold| encoding.anywhere(fold)).collect();
    let passed = encoding.terms.constant("passed", Smt::Word);
    let element = encoding.element();
    let after: Vec<State> = (0..folds)
        .map(|fold| encoding.step(fold, &before[fold], &element))
        .collect();
    let more = encoding.terms.add(passed, one);
    let most = encoding.terms.word(LONGEST);
    let last = encoding.terms.word(LONGEST - 1);
    let short = encoding.terms.ult(passed, last);

    let mut kept = candidates(encoding);
    kept.retain(|&candidate| {
        let holds = holds(encoding, candidate, &start, nought);
        let fails = encoding.terms.not(holds);
        ask(room, &encoding.terms, &[guard, fails], used) == Answer::Unsat
    });
    loop {
        let all: Vec<Term> = kept
            .iter()
            .map(|&candidate| holds(encoding, candidate, &before, passed))
            .collect();
        let assumed = encoding.terms.and(&all);
        let size = kept.len();
        kept.retain(|&candidate| {
            let holds = holds(encoding, candidate, &after, more);
            let fails = encoding.terms.not(holds);
            let query = [guard, element.guard, short, assumed, fails];
            ask(room, &encoding.terms, &query, used) == Answer::Unsat
        });
        if kept.len() == size {
            break;
        }
    }
    let relation = |encoding: &mut Encoding, states: &[State], count: Term| {
        let all: Vec<Term> = kept
            .iter()
            .map(|&candidate| holds(encoding, candidate, states, count))
            .collect();
        encoding.terms.and(&all)
    };
    let at_start = relation(encoding, &start, nought);
    let assumed = relation(encoding, &before, passed);
    let then = relation(encoding, &after, more);
    let not_at_start = encoding.terms.not(at_start);
    let broken = encoding.terms.not(then);
    let broken = encoding.terms.and(&[element.guard, short, assumed, broken]);
    let differ = encoding.sides_differ(&before);
    let within = encoding.terms.ult(passed, most);
    let differ = encoding.terms.and(&[assumed, within, differ]);
    let wrong = encoding.terms.or(&[not_at_start, broken, differ]);
    encoding.terms.and(&[guard, wrong])
}

fn candidates(encoding: &Encoding) -> Vec<Candidate> {
    let folds = &encoding.folds;
    let mut all = Vec::new();
    for a in 0..folds.len() {
        if folds[a].counts() {
            all.push(Candidate::Within(a));
        }
        all.push(Candidate::ZeroIfNone(a));
        all.push(Candidate::Zero(a));
        for b in 0..folds.len() {
            if a == b {
                continue;
            }
            all.push(Candidate::NoneImplies(a, b));
            if folds[a].adds() && folds[b].adds() {
                all.push(Candidate::AtMost(a, b));
            }
            if a < b {
                all.push(Candidate::SameNone(a, b));
                all.push(Candidate::SameWord(a, b));
                if folds[a].chooses() && folds[b].chooses() {
                    all.push(Candidate::SameElement(a, b));
                }
            }
            for c in 0..folds.len() {
                if c == a || c == b {
                    continue;
                }
                if folds[a].adds() && folds[b].adds() {
                    all.push(Candidate::EqualIfNone(a, b, c));
                    if folds[c].adds() && b < c {
                        all.push(Candidate::Sum(a, b, c));
                    }
                }
                if b < c {
                    all.push(Candidate::NoneOfBoth(a, b, c));
                }
            }
        }
    }
    all
}

fn holds(encoding: &mut Encoding, candidate: Candidate, states: &[State], passed: Term) -> Term {
    let terms = &mut encoding.terms;
    let nought = terms.word(0);
    match candidate {
        Candidate::Within(a) => terms.ule(states[a].word, passed),
        Candidate::ZeroIfNone(a) => {
            let zero = terms.eq(states[a].word, nought);
            terms.iff(zero, states[a].none)
        }
        Candidate::SameNone(a, b) => terms.iff(states[a].none, states[b].none),
        Candidate::NoneImplies(a, b) => terms.implies(states[a].none, states[b].none),
        Candidate::SameWord(a, b) => terms.eq(states[a].word, states[b].word),
        Candidate::AtMost(a, b) => terms.ule(states[a].word, states[b].word),
        Candidate::SameElement(a, b) => {
            let same = terms.eq(states[a].element, states[b].element);
            terms.or(&[states[a].none, same])
        }
        Candidate::Sum(a, b, c) => {
            let sum = terms.add(states[b].word, states[c].word);
            terms.eq(states[a].word, sum)
        }
        Candidate::EqualIfNone(a, b, c) => {
            let equal = terms.eq(states[a].word, states[b].word);
            terms.iff(equal, states[c].none)
        }
        Candidate::NoneOfBoth(a, b, c) => {
            let both = terms.and(&[states[b].none, states[c].none]);
            terms.iff(states[a].none, both)
        }
        Candidate::Zero(a) => terms.eq(states[a].word, nought),
    }
}
