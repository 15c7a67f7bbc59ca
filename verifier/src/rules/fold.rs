//! List operations as folds: a state at the start, a step for each element, a result.

use progmp_ir::Extremum;
use progmp_rules::{Op, Pattern};

use super::encode::{Element, Encoding, Value};
use crate::smt::{Sort as Smt, Term};

/// A list operation of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fold {
    pattern: Pattern,
    op: Op,
    list: Pattern,
    /// Index or key.
    operand: Option<Pattern>,
}

/// Where a fold stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// No element counts so far: EMPTY and COUNT count all members, MIN those with a key, GET the
    /// one with the index.
    pub(super) none: Term,
    /// COUNT, SUM, the least key, members passed by GET; 0 for the rest.
    pub(super) word: Term,
    /// The chosen element; any if there is none.
    pub(super) element: Term,
}

impl Fold {
    /// The folds of a pattern, each once.
    pub(super) fn collect(pattern: &Pattern, out: &mut Vec<Self>) {
        let Pattern::Node(op, args) = pattern else {
            return;
        };
        let folds = matches!(
            op,
            Op::Empty | Op::Count | Op::Get | Op::Extremum(_) | Op::Sum | Op::First | Op::Last
        );
        if folds {
            let fold = Self {
                pattern: pattern.clone(),
                op: *op,
                list: args[0].clone(),
                operand: args.get(1).cloned(),
            };
            if !out.contains(&fold) {
                out.push(fold);
            }
        } else if *op != Op::Filter {
            for arg in args {
                Self::collect(arg, out);
            }
        }
    }

    /// Whether this pattern is the operation.
    pub(super) fn is(&self, pattern: &Pattern) -> bool {
        self.pattern == *pattern
    }

    /// Whether its word tells how many elements, or how much of them.
    pub(super) const fn adds(&self) -> bool {
        matches!(self.op, Op::Count | Op::Sum)
    }

    /// Whether its word is a number of elements.
    pub(super) const fn counts(&self) -> bool {
        matches!(self.op, Op::Count | Op::Get)
    }

    /// Whether it chooses an element.
    pub(super) const fn chooses(&self) -> bool {
        matches!(self.op, Op::Get | Op::Extremum(_) | Op::First | Op::Last)
    }
}

impl Encoding {
    /// Before the first element.
    pub(super) fn start(&mut self, _fold: usize) -> State {
        State {
            none: self.terms.bool(true),
            word: self.terms.word(0),
            element: self.terms.constant("nobody", Smt::Subflow),
        }
    }

    /// Some state.
    pub(super) fn anywhere(&mut self, fold: usize) -> State {
        State {
            none: self.terms.constant(&format!("none{fold}"), Smt::Bool),
            word: self.terms.constant(&format!("word{fold}"), Smt::Word),
            element: self.terms.constant(&format!("chosen{fold}"), Smt::Subflow),
        }
    }

    /// After one more element.
    pub(super) fn step(&mut self, fold: usize, before: &State, element: &Element) -> State {
        let Fold {
            op, list, operand, ..
        } = self.folds[fold].clone();
        let member = self.is_member(&list, element);
        let (counts, word, chosen) = match op {
            Op::Empty | Op::Count | Op::First | Op::Last => {
                let one = self.terms.word(1);
                let more = self.terms.add(before.word, one);
                let takes = match op {
                    Op::First => self.terms.and(&[member, before.none]),
                    _ => member,
                };
                let word = if op == Op::Count { more } else { before.word };
                (takes, word, takes)
            }
            Op::Get => {
                let index = operand.expect("GET has an index");
                let index = self.value(&index, None, &[]);
                let here = self.terms.eq(before.word, index.value);
                let given = self.terms.not(index.null);
                let takes = self.terms.and(&[member, here, given]);
                let one = self.terms.word(1);
                let more = self.terms.add(before.word, one);
                let word = self.terms.ite(member, more, before.word);
                let element = self.terms.ite(takes, element.itself, before.element);
                let other = self.terms.not(takes);
                let none = self.terms.and(&[before.none, other]);
                return State {
                    none,
                    word,
                    element,
                };
            }
            Op::Sum => {
                let key = operand.expect("SUM has a key");
                let key = self.value(&key, Some(element), &[]);
                let given = self.terms.not(key.null);
                let counts = self.terms.and(&[member, given]);
                (counts, self.terms.add(before.word, key.value), counts)
            }
            Op::Extremum(which) => {
                let key = operand.expect("MIN and MAX have a key");
                let key = self.value(&key, Some(element), &[]);
                let given = self.terms.not(key.null);
                let better = match which {
                    Extremum::Min => self.terms.ult(key.value, before.word),
                    Extremum::Max => self.terms.ult(before.word, key.value),
                };
                let better = self.terms.or(&[before.none, better]);
                let takes = self.terms.and(&[member, given, better]);
                (takes, key.value, takes)
            }
            other => unreachable!("`{other}` is no fold"),
        };
        let other = self.terms.not(counts);
        State {
            none: self.terms.and(&[before.none, other]),
            word: self.terms.ite(counts, word, before.word),
            element: self.terms.ite(chosen, element.itself, before.element),
        }
    }

    /// What the operation yields when the list ends here.
    pub(super) fn result(&mut self, fold: usize, state: &State) -> Value {
        let sure = self.terms.bool(false);
        match self.folds[fold].op {
            Op::Empty => Value {
                null: sure,
                value: state.none,
            },
            Op::Count | Op::Sum => Value {
                null: sure,
                value: state.word,
            },
            _ => Value {
                null: state.none,
                value: state.element,
            },
        }
    }
}
