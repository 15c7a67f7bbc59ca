//! Case distinctions: a formula under the assumption that one of its conditions holds, or does not.
//!
//! In a program the same few conditions guard everything. With each of them decided, most of what is
//! asked about two runs simplifies to FALSE, and no solver is needed.

use hashbrown::{HashMap, HashSet};
use rustc_hash::FxBuildHasher;

use super::term::{Node, Sort, Term, Terms};

impl Terms {
    /// The first condition of a formula that stands for itself: it has no variable and no condition in
    /// it. What was made first comes first.
    pub fn condition(&self, formula: Term) -> Option<Term> {
        let mut known: HashSet<Term, FxBuildHasher> = HashSet::default();
        let mut open = vec![formula];
        while let Some(term) = open.pop() {
            let quantified = matches!(self.node(term), Node::Forall(..) | Node::Exists(..));
            if known.insert(term) && !quantified {
                open.extend_from_slice(self.operands(term));
            }
        }
        // Operands are made before what uses them.
        let mut terms: Vec<Term> = known.iter().copied().collect();
        terms.sort_unstable();
        let mut composed: HashSet<Term, FxBuildHasher> = HashSet::default();
        for term in terms {
            let literal = matches!(self.node(term), Node::Bool(_));
            let quantified = matches!(self.node(term), Node::Forall(..) | Node::Exists(..));
            let inner = !quantified
                && self.operands(term).iter().any(|operand| {
                    composed.contains(operand)
                        || self.sort(*operand) == Sort::Bool
                            && !matches!(self.node(*operand), Node::Bool(_))
                });
            if inner {
                composed.insert(term);
            } else if self.sort(term) == Sort::Bool
                && !literal
                && self.free_variables(term).is_empty()
            {
                return Some(term);
            }
        }
        None
    }

    /// A formula that is the same wherever the condition has this value.
    pub fn assume(&mut self, formula: Term, condition: Term, value: bool) -> Term {
        self.assume_all(formula, &[(condition, value)])
    }

    /// A term with one of its parts replaced by something else of its sort.
    ///
    /// # Panics
    /// If the sorts differ.
    pub fn replace(&mut self, term: Term, part: Term, by: Term) -> Term {
        assert_eq!(
            self.sort(part),
            self.sort(by),
            "a part is replaced by one of its sort"
        );
        self.rebuilt(term, part, HashMap::from_iter([(part, by)]))
    }

    /// A formula that is the same wherever all these conditions have these values.
    pub fn assume_all(&mut self, formula: Term, conditions: &[(Term, bool)]) -> Term {
        let Some(&(oldest, _)) = conditions.iter().min() else {
            return formula;
        };
        let mut done: HashMap<Term, Term, FxBuildHasher> = HashMap::default();
        for &(condition, value) in conditions {
            let value = self.bool(value);
            done.insert(condition, value);
        }
        self.rebuilt(formula, oldest, done)
    }

    /// A term with what was done in place of what it was done for; nothing is older than `oldest`.
    fn rebuilt(
        &mut self,
        formula: Term,
        oldest: Term,
        mut done: HashMap<Term, Term, FxBuildHasher>,
    ) -> Term {
        let mut open = vec![(formula, false)];
        while let Some((term, ready)) = open.pop() {
            if done.contains_key(&term) {
                continue;
            }
            // No operand is younger than what it is an operand of.
            let untouched = term < oldest || self.operands(term).is_empty();
            if untouched {
                done.insert(term, term);
            } else if ready {
                let operands: Vec<Term> = self
                    .operands(term)
                    .iter()
                    .map(|operand| done[operand])
                    .collect();
                let built = self.rebuild(term, &operands);
                done.insert(term, built);
            } else {
                open.push((term, true));
                let operands = self.operands(term).to_vec();
                open.extend(operands.into_iter().map(|operand| (operand, false)));
            }
        }
        done[&formula]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_is_no_condition_any_more() {
        let mut terms = Terms::new();
        let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
        let open = terms.constant("open", Sort::Bool);
        let less = terms.ult(x, y);
        let chosen = terms.ite(open, x, y);
        let same = terms.eq(chosen, y);
        let formula = terms.and(&[less, same]);
        assert_eq!(terms.condition(formula), Some(open));
        let yes = terms.assume(formula, open, true);
        assert_eq!(terms.condition(yes), Some(less));
        let no = terms.assume(formula, open, false);
        assert_eq!(no, less);
        let done = terms.assume(no, less, true);
        assert_eq!(terms.condition(done), None);
        assert_eq!(done, terms.bool(true));
    }

    #[test]
    fn what_has_a_variable_is_left_alone() {
        let mut terms = Terms::new();
        let s = terms.variable("s", Sort::Subflow);
        let ready = terms.declare("ready", &[Sort::Subflow], Sort::Bool);
        let ready = terms.apply(ready, &[s]);
        let open = terms.constant("open", Sort::Bool);
        let formula = terms.or(&[ready, open]);
        assert_eq!(terms.condition(formula), Some(open));
        let rest = terms.assume(formula, open, false);
        assert_eq!(rest, ready);
        assert_eq!(terms.condition(rest), None);
    }
}
