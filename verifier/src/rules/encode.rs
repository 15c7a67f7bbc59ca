//! Both sides of a rule as formulas over the states of its folds.

use progmp_ir::{ArithOp, OrderOp};
use progmp_rules::{Guard, HoleSort, Op, Pattern, Rule, Sort};

use super::fold::{Fold, State};
use crate::smt::{Sort as Smt, Term, Terms};

/// A value and whether it is NULL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value {
    pub(super) null: Term,
    pub(super) value: Term,
}

/// An element of the list, and what the rule's predicates and keys are of it.
#[derive(Clone, Debug)]
pub(super) struct Element {
    pub(super) itself: Term,
    holes: Vec<Option<Value>>,
    /// What the guards say of it.
    pub(super) guard: Term,
}

/// A rule as formulas.
pub(super) struct Encoding {
    pub(super) terms: Terms,
    sorts: Vec<HoleSort>,
    guards: Vec<Guard>,
    from: Pattern,
    to: Pattern,
    /// What stands in the holes outside of lambdas.
    outer: Vec<Option<Value>>,
    /// The folds of both sides, each once.
    pub(super) folds: Vec<Fold>,
}

impl Encoding {
    /// In an arena with nothing in it.
    pub(super) fn new(
        terms: Terms,
        rule: &Rule,
        (from, to): (&Pattern, &Pattern),
        guards: &[Guard],
    ) -> Self {
        let mut encoding = Self {
            terms,
            sorts: rule.holes.iter().map(|hole| hole.sort).collect(),
            guards: guards.to_vec(),
            from: from.clone(),
            to: to.clone(),
            outer: Vec::new(),
            folds: Vec::new(),
        };
        for hole in &rule.holes {
            let value = match hole.sort {
                HoleSort::Of(Sort::List) | HoleSort::Predicate | HoleSort::Key => None,
                HoleSort::Of(sort) => Some(encoding.fresh(&hole.name, sort)),
            };
            encoding.outer.push(value);
        }
        for side in [from, to] {
            Fold::collect(side, &mut encoding.folds);
        }
        encoding
    }

    /// Whether a list occurs.
    pub(super) fn has_folds(&self) -> bool {
        !self.folds.is_empty() || self.is_list()
    }

    /// How many members the list that all starts from has at most, if a guard says so.
    pub(super) fn most(&self) -> Option<usize> {
        let most = self.guards.iter().filter_map(|guard| match guard {
            Guard::AtMost(_, most) => usize::try_from(*most).ok(),
            Guard::NonNull(_) => None,
        });
        most.min()
    }

    fn is_list(&self) -> bool {
        matches!(self.from, Pattern::Node(Op::Filter, _))
    }

    fn fresh(&mut self, name: &str, sort: Sort) -> Value {
        let null = self.terms.constant(&format!("{name}_null"), Smt::Bool);
        let sort = match sort {
            Sort::Bool => Smt::Bool,
            Sort::Int => Smt::Word,
            Sort::Element => Smt::Subflow,
            Sort::List => unreachable!("a list has no value of its own"),
        };
        let value = self.terms.constant(name, sort);
        Value { null, value }
    }

    /// An arbitrary element.
    pub(super) fn element(&mut self) -> Element {
        let itself = self.terms.constant("element", Smt::Subflow);
        let mut holes = vec![None; self.sorts.len()];
        for (index, sort) in self.sorts.clone().into_iter().enumerate() {
            if sort.depth() > 0 {
                holes[index] = Some(self.fresh(&format!("hole{index}"), sort.sort()));
            }
        }
        let guard = self.guard(&holes);
        Element {
            itself,
            holes,
            guard,
        }
    }

    /// What the guards say of the holes outside of lambdas.
    pub(super) fn outer_guard(&mut self) -> Term {
        let outer = self.outer.clone();
        self.guard(&outer)
    }

    fn guard(&mut self, holes: &[Option<Value>]) -> Term {
        let mut all = Vec::new();
        for guard in self.guards.clone() {
            if let Guard::NonNull(hole) = guard
                && let Some(value) = holes[hole]
            {
                all.push(self.terms.not(value.null));
            }
        }
        self.terms.and(&all)
    }

    /// The two sides differ after exactly these elements, by the folds from their start.
    pub(super) fn violation_with(&mut self, elements: usize) -> Term {
        let mut assumed = vec![self.outer_guard()];
        let mut states: Vec<State> = (0..self.folds.len()).map(|fold| self.start(fold)).collect();
        let mut members = Vec::new();
        let mut wrong = Vec::new();
        for _ in 0..elements {
            let element = self.element();
            assumed.push(element.guard);
            members.push(element.itself);
            if self.is_list() {
                wrong.push(self.kept_otherwise(&element));
            }
            states = (0..self.folds.len())
                .map(|fold| self.step(fold, &states[fold], &element))
                .collect();
        }
        if !self.is_list() {
            wrong.push(self.sides_differ(&states));
        }
        assumed.push(self.terms.distinct(&members));
        assumed.push(self.terms.or(&wrong));
        self.terms.and(&assumed)
    }

    /// An element is in one of two filtered lists and not in the other.
    pub(super) fn kept_otherwise(&mut self, element: &Element) -> Term {
        let (from, to) = (self.from.clone(), self.to.clone());
        let kept = [&from, &to].map(|side| self.is_member(side, element));
        self.terms.xor(kept[0], kept[1])
    }

    /// The sides of a rule about lists, if it is one.
    pub(super) fn compares_lists(&self) -> bool {
        self.is_list()
    }

    /// The two sides have different values when the folds end in these states.
    pub(super) fn sides_differ(&mut self, states: &[State]) -> Term {
        let (from, to) = (self.from.clone(), self.to.clone());
        let a = self.value(&from, None, states);
        let b = self.value(&to, None, states);
        let both_null = self.terms.and(&[a.null, b.null]);
        let either_null = self.terms.or(&[a.null, b.null]);
        let present = self.terms.not(either_null);
        let equal = self.terms.eq(a.value, b.value);
        let equal = self.terms.and(&[present, equal]);
        let same = self.terms.or(&[both_null, equal]);
        self.terms.not(same)
    }

    /// Whether an element of the list that all starts from is in this list.
    pub(super) fn is_member(&mut self, list: &Pattern, element: &Element) -> Term {
        match list {
            Pattern::Hole(_) => self.terms.bool(true),
            Pattern::Node(Op::Filter, args) => {
                let before = self.is_member(&args[0], element);
                let predicate = self.value(&args[1], Some(element), &[]);
                let holds = self.truth(predicate);
                self.terms.and(&[before, holds])
            }
            Pattern::Node(op, _) => unreachable!("`{op}` is no list of a rule"),
        }
    }

    pub(super) fn truth(&mut self, of: Value) -> Term {
        let present = self.terms.not(of.null);
        self.terms.and(&[present, of.value])
    }

    fn sure(&mut self, value: Term) -> Value {
        let null = self.terms.bool(false);
        Value { null, value }
    }

    /// What a pattern stands for: under the lambda of `element`, or outside with the folds in `states`.
    pub(super) fn value(
        &mut self,
        pattern: &Pattern,
        element: Option<&Element>,
        states: &[State],
    ) -> Value {
        let (op, args) = match pattern {
            Pattern::Hole(hole) => {
                let inner = element.and_then(|element| element.holes[*hole]);
                let found = inner.or(self.outer[*hole]);
                return found.expect("a hole stands where its sort allows");
            }
            Pattern::Node(op, args) => (*op, args),
        };
        if let Some(fold) = self.folds.iter().position(|fold| fold.is(pattern)) {
            return self.result(fold, &states[fold]);
        }
        let operands: Vec<Value> = args
            .iter()
            .map(|arg| self.value(arg, element, states))
            .collect();
        match (op, operands.as_slice()) {
            (Op::Int(value), []) => {
                let value = self.terms.word(value);
                self.sure(value)
            }
            (Op::Bool(value), []) => {
                let value = self.terms.bool(value);
                self.sure(value)
            }
            (Op::NullInt | Op::NullBool | Op::NullElement(_), []) => {
                let sort = op.sort();
                let any = self.fresh("any", sort).value;
                let null = self.terms.bool(true);
                Value { null, value: any }
            }
            (Op::Not, &[a]) => Value {
                null: a.null,
                value: self.terms.not(a.value),
            },
            (Op::And | Op::Or, &[a, b]) => {
                let (a, b) = (self.truth(a), self.truth(b));
                let value = if op == Op::And {
                    self.terms.and(&[a, b])
                } else {
                    self.terms.or(&[a, b])
                };
                self.sure(value)
            }
            (Op::Equal | Op::Unequal, &[a, b]) => {
                let both = self.terms.and(&[a.null, b.null]);
                let equal = if pattern_is_element(&args[0], &self.sorts) {
                    both
                } else {
                    let either = self.terms.or(&[a.null, b.null]);
                    let neither = self.terms.not(either);
                    let equal = self.terms.eq(a.value, b.value);
                    let equal = self.terms.and(&[neither, equal]);
                    self.terms.or(&[both, equal])
                };
                let value = if op == Op::Equal {
                    equal
                } else {
                    self.terms.not(equal)
                };
                self.sure(value)
            }
            (Op::Order(order), &[a, b]) => {
                let null = self.terms.or(&[a.null, b.null]);
                let (x, y) = (a.value, b.value);
                let value = match order {
                    OrderOp::Lt => self.terms.ult(x, y),
                    OrderOp::Le => self.terms.ule(x, y),
                    OrderOp::Gt => self.terms.ult(y, x),
                    OrderOp::Ge => self.terms.ule(y, x),
                };
                Value { null, value }
            }
            (Op::Arith(arith), &[a, b]) => {
                let mut null = self.terms.or(&[a.null, b.null]);
                let (x, y) = (a.value, b.value);
                let value = match arith {
                    ArithOp::Add => self.terms.add(x, y),
                    ArithOp::Sub => self.terms.sub(x, y),
                    ArithOp::Mul => self.terms.mul(x, y),
                    ArithOp::Div => self.terms.udiv(x, y),
                    ArithOp::Rem => self.terms.urem(x, y),
                };
                if matches!(arith, ArithOp::Div | ArithOp::Rem) {
                    let nought = self.terms.word(0);
                    let zero = self.terms.eq(y, nought);
                    null = self.terms.or(&[null, zero]);
                }
                Value { null, value }
            }
            _ => unreachable!("`{op}` does not stand in rules"),
        }
    }
}

fn pattern_is_element(pattern: &Pattern, sorts: &[HoleSort]) -> bool {
    match pattern {
        Pattern::Hole(hole) => sorts[*hole].sort() == Sort::Element,
        Pattern::Node(op, _) => op.sort() == Sort::Element,
    }
}
