//! What a term means under concrete values: a direct reading of SMT-LIB's semantics.
//!
//! Shares nothing with the simplifier or with Z3, so that tests can hold
//! them against it. Quantifiers range over a finite [`Universe`].

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::Value;
use super::bits;
use super::term::{Func, Node, Sort, Term, Terms};

/// The values that quantifiers range over, by sort.
///
/// **No sort is empty in SMT-LIB**, and the simplifier uses that. A state
/// without packets still needs one packet in the universe, which is then
/// in no queue.
#[derive(Clone, Debug)]
pub struct Universe {
    values: [Vec<Value>; Sort::ALL.len()],
}

impl Default for Universe {
    fn default() -> Self {
        Universe::new()
    }
}

impl Universe {
    /// Knows the two truth values and no value of other sorts.
    pub fn new() -> Universe {
        let mut universe = Universe {
            values: Default::default(),
        };
        universe.values[Sort::Bool as usize] = vec![Value::Bool(false), Value::Bool(true)];
        universe
    }

    /// The same with `values` for `sort`.
    #[must_use]
    pub fn with(mut self, sort: Sort, values: Vec<Value>) -> Universe {
        self.values[sort as usize] = values;
        self
    }

    /// The same with the elements 0 to `count` - 1 for `sort`.
    #[must_use]
    pub fn with_elements(self, sort: Sort, count: u32) -> Universe {
        self.with(sort, (0..count).map(Value::Element).collect())
    }

    fn of(&self, sort: Sort) -> &[Value] {
        let values = &self.values[sort as usize];
        assert!(
            !values.is_empty(),
            "a quantifier ranges over {sort:?}, and the universe has no value of it"
        );
        values
    }
}

/// Evaluates terms under one interpretation, and remembers what it found.
pub struct Evaluator<'a, F> {
    terms: &'a Terms,
    universe: &'a Universe,
    interpretation: F,
    /// The bound variables in scope with their values, innermost last.
    bound: Vec<(Term, Value)>,
    /// The values found: in `known[n]` those that depend on `bound[n - 1]` and on nothing further in.
    known: Vec<HashMap<Term, Value, FxBuildHasher>>,
}

impl<'a, F: FnMut(Func, &[Value]) -> Value> Evaluator<'a, F> {
    /// An evaluator under `interpretation`, which gives the value of each
    /// function for its arguments, and of each constant and free variable for none.
    pub fn new(terms: &'a Terms, universe: &'a Universe, interpretation: F) -> Self {
        Evaluator {
            terms,
            universe,
            interpretation,
            bound: Vec::new(),
            known: vec![HashMap::default()],
        }
    }

    /// Whether a formula holds.
    ///
    /// # Panics
    /// If the term is not a truth value, and as [`Evaluator::value`].
    pub fn holds(&mut self, formula: Term) -> bool {
        truth(self.value(formula))
    }

    /// The value of a term.
    ///
    /// # Panics
    /// If the interpretation gives a value of the wrong sort, or if a
    /// quantifier ranges over a sort without values in the universe.
    pub fn value(&mut self, root: Term) -> Value {
        let mut work = vec![root];
        while let Some(&term) = work.last() {
            if self.lookup(term).is_some() {
                work.pop();
                continue;
            }
            let value = if let Node::Forall(bound, body) | Node::Exists(bound, body) =
                self.terms.node(term)
            {
                let universal = matches!(self.terms.node(term), Node::Forall(..));
                Value::Bool(self.quantified(universal, bound, body))
            } else {
                let before = work.len();
                for &operand in self.terms.operands(term) {
                    if self.lookup(operand).is_none() {
                        work.push(operand);
                    }
                }
                if work.len() > before {
                    continue;
                }
                self.apply(term)
            };
            let level = self.level(term);
            self.known[level].insert(term, value);
            work.pop();
        }
        self.lookup(root).expect("the root was evaluated last")
    }

    /// Whether `body` has the value `universal` under all assignments to `bound`; if not, the opposite is the value.
    fn quantified(&mut self, universal: bool, bound: &[Term], body: Term) -> bool {
        let Some((&variable, rest)) = bound.split_first() else {
            return self.holds(body);
        };
        let universe = self.universe;
        for &value in universe.of(self.terms.sort(variable)) {
            self.bound.push((variable, value));
            self.known.push(HashMap::default());
            let result = self.quantified(universal, rest, body);
            self.known.pop();
            self.bound.pop();
            if result != universal {
                return result;
            }
        }
        universal
    }

    fn apply(&mut self, term: Term) -> Value {
        let terms = self.terms;
        let value = |operand: Term| self.lookup(operand).expect("operands are evaluated first");
        let boolean = |operand: Term| truth(value(operand));
        let number = |operand: Term| match value(operand) {
            Value::Word(word) => word,
            other => panic!("{other:?} is not a word"),
        };
        match terms.node(term) {
            Node::Bool(literal) => Value::Bool(literal),
            Node::Word(literal) => Value::Word(literal),
            Node::Int(literal) => Value::Int(literal),
            Node::Variable(func) => {
                match self.bound.iter().rfind(|(variable, _)| *variable == term) {
                    Some(&(_, value)) => value,
                    None => self.interpret(func, &[]),
                }
            }
            Node::Apply(func, arguments) => {
                let arguments: Vec<Value> =
                    arguments.iter().map(|&argument| value(argument)).collect();
                self.interpret(func, &arguments)
            }
            Node::Not(a) => Value::Bool(!boolean(a)),
            Node::And(operands) => Value::Bool(operands.iter().all(|&operand| boolean(operand))),
            Node::Or(operands) => Value::Bool(operands.iter().any(|&operand| boolean(operand))),
            Node::Ite(condition, a, b) => value(if boolean(condition) { a } else { b }),
            Node::Eq(a, b) => Value::Bool(value(a) == value(b)),
            Node::Distinct(operands) => {
                let mut values: Vec<Value> =
                    operands.iter().map(|&operand| value(operand)).collect();
                values.sort_unstable();
                values.dedup();
                Value::Bool(values.len() == operands.len())
            }
            Node::Ult(a, b) => Value::Bool(number(a) < number(b)),
            Node::Add(a, b) => Value::Word(number(a).wrapping_add(number(b))),
            Node::Sub(a, b) => Value::Word(number(a).wrapping_sub(number(b))),
            Node::Mul(a, b) => Value::Word(number(a).wrapping_mul(number(b))),
            Node::Udiv(a, b) => Value::Word(number(a).checked_div(number(b)).unwrap_or(u64::MAX)),
            Node::Urem(a, b) => Value::Word(number(a).checked_rem(number(b)).unwrap_or(number(a))),
            Node::BitAnd(a, b) => Value::Word(number(a) & number(b)),
            Node::BitOr(a, b) => Value::Word(number(a) | number(b)),
            Node::BitXor(a, b) => Value::Word(number(a) ^ number(b)),
            Node::Shl(a, b) => Value::Word(bits::shl(number(a), number(b))),
            Node::Lshr(a, b) => Value::Word(bits::lshr(number(a), number(b))),
            Node::Ashr(a, b) => Value::Word(bits::ashr(number(a), number(b))),
            Node::Slt(a, b) => Value::Bool(number(a).cast_signed() < number(b).cast_signed()),
            Node::IntLt(a, b) => match (value(a), value(b)) {
                (Value::Int(a), Value::Int(b)) => Value::Bool(a < b),
                other => panic!("{other:?} are not positions"),
            },
            Node::Forall(..) | Node::Exists(..) => {
                unreachable!("quantifiers are evaluated by enumeration")
            }
        }
    }

    fn interpret(&mut self, func: Func, arguments: &[Value]) -> Value {
        let value = (self.interpretation)(func, arguments);
        let sort = self.terms.signature(func).1;
        let fits = match value {
            Value::Bool(_) => sort == Sort::Bool,
            Value::Word(_) => sort == Sort::Word,
            Value::Int(_) => sort == Sort::Int,
            Value::Element(_) => matches!(sort, Sort::Subflow | Sort::Packet),
        };
        assert!(
            fits,
            "`{}` is a {sort:?}, not {value:?}",
            self.terms.name(func)
        );
        value
    }

    fn lookup(&self, term: Term) -> Option<Value> {
        self.known[self.level(term)].get(&term).copied()
    }

    /// How many bound variables must be in scope for the term to have a value.
    fn level(&self, term: Term) -> usize {
        let free = self.terms.free_variables(term);
        if free.is_empty() {
            return 0;
        }
        self.bound
            .iter()
            .rposition(|(variable, _)| free.binary_search(variable).is_ok())
            .map_or(0, |index| index + 1)
    }
}

fn truth(value: Value) -> bool {
    match value {
        Value::Bool(value) => value,
        other => panic!("{other:?} is not a truth value"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets 0 to 2 with position 10, 20, 30, of which 1 and 2 are members.
    fn run(formula: impl FnOnce(&mut Terms, Func, Func) -> Term) -> bool {
        let mut terms = Terms::new();
        let member = terms.declare("member", &[Sort::Packet], Sort::Bool);
        let position = terms.declare("position", &[Sort::Packet], Sort::Int);
        let formula = formula(&mut terms, member, position);
        let universe = Universe::new().with_elements(Sort::Packet, 3);
        let mut evaluator = Evaluator::new(&terms, &universe, |func, arguments| match arguments {
            [Value::Element(packet)] if func == member => Value::Bool(*packet > 0),
            [Value::Element(packet)] if func == position => {
                Value::Int(10 * i64::from(*packet) + 10)
            }
            _ => Value::Element(1),
        });
        evaluator.holds(formula)
    }

    #[test]
    fn a_first_element_is_found_among_finitely_many() {
        let least = |terms: &mut Terms, member: Func, position: Func| {
            let [x, y] = ["x", "y"].map(|name| terms.variable(name, Sort::Packet));
            let [in_x, in_y] = [x, y].map(|packet| terms.apply(member, &[packet]));
            let [at_x, at_y] = [x, y].map(|packet| terms.apply(position, &[packet]));
            let before = terms.int_le(at_x, at_y);
            let implied = terms.implies(in_y, before);
            let all = terms.forall(&[y], implied);
            let both = terms.and(&[in_x, all]);
            terms.exists(&[x], both)
        };
        assert!(run(least));
        assert!(!run(|terms, member, position| {
            let formula = least(terms, member, position);
            terms.not(formula)
        }));
    }

    #[test]
    fn an_inner_binder_hides_an_outer_one() {
        // There is a non-member x such that some x is a member.
        assert!(run(|terms, member, _| {
            let x = terms.variable("x", Sort::Packet);
            let in_x = terms.apply(member, &[x]);
            let some = terms.exists(&[x], in_x);
            let not_in = terms.not(in_x);
            let both = terms.and(&[not_in, some]);
            terms.exists(&[x], both)
        }));
    }

    #[test]
    fn free_variables_are_interpreted() {
        assert!(run(|terms, member, _| {
            let x = terms.variable("x", Sort::Packet);
            terms.apply(member, &[x])
        }));
    }

    #[test]
    #[should_panic(expected = "the universe has no value")]
    fn an_empty_sort_is_refused() {
        run(|terms, _, _| {
            let x = terms.variable("x", Sort::Subflow);
            let y = terms.constant("y", Sort::Subflow);
            let same = terms.eq(x, y);
            terms.forall(&[x], same)
        });
    }

    #[test]
    fn division_by_zero_is_that_of_bit_vectors() {
        let mut terms = Terms::new();
        let (x, y) = (
            terms.constant("x", Sort::Word),
            terms.constant("y", Sort::Word),
        );
        let (quotient, remainder) = (terms.udiv(x, y), terms.urem(x, y));
        let universe = Universe::new();
        let mut evaluator = Evaluator::new(&terms, &universe, |func, _| {
            Value::Word(if terms.name(func) == "x" { 7 } else { 0 })
        });
        assert_eq!(evaluator.value(quotient), Value::Word(u64::MAX));
        assert_eq!(evaluator.value(remainder), Value::Word(7));
    }
}
