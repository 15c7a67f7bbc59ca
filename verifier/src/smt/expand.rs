//! Quantifiers over a few named elements, written out.
//!
//! A test that asks whether an actual run is a model of some axioms knows
//! all subflows and packets; with the quantifiers written out over them the
//! question is one that the solver always decides.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::term::{Node, Sort, Term, Terms};

/// The terms that quantifiers are taken to range over, by sort.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    terms: [Vec<Term>; Sort::ALL.len()],
}

impl Elements {
    /// No elements of any sort but the truth values.
    pub fn new(terms: &Terms) -> Elements {
        let mut elements = Elements::default();
        elements.terms[Sort::Bool as usize] = vec![terms.bool(false), terms.bool(true)];
        elements
    }

    /// The same with these elements of `sort`, which are terms without variables, at least one.
    #[must_use]
    pub fn with(mut self, sort: Sort, elements: &[Term]) -> Elements {
        self.terms[sort as usize] = elements.to_vec();
        self
    }

    /// The elements of a sort.
    pub fn of(&self, sort: Sort) -> &[Term] {
        &self.terms[sort as usize]
    }
}

impl Terms {
    /// Writes out all quantifiers of `formula` as junctions over the elements.
    ///
    /// # Panics
    /// If a quantifier ranges over a sort without elements.
    pub fn expand(&mut self, formula: Term, elements: &Elements) -> Term {
        let mut done: HashMap<Term, Term, FxBuildHasher> = HashMap::default();
        let mut work = vec![formula];
        while let Some(&term) = work.last() {
            if done.contains_key(&term) {
                work.pop();
                continue;
            }
            let before = work.len();
            work.extend(
                self.operands(term)
                    .iter()
                    .filter(|operand| !done.contains_key(*operand)),
            );
            if work.len() > before {
                continue;
            }
            work.pop();
            let operands: Vec<Term> = self
                .operands(term)
                .iter()
                .map(|operand| done[operand])
                .collect();
            let universal = matches!(self.node(term), Node::Forall(..));
            let expanded = match (self.node(term), &*operands) {
                (Node::Forall(..) | Node::Exists(..), [bound @ .., body]) => {
                    self.instances(universal, bound, *body, elements)
                }
                _ => self.rebuild(term, &operands),
            };
            done.insert(term, expanded);
        }
        done[&formula]
    }

    /// Whether `term` is one of the elements of its sort: what a solver must
    /// be told of witnesses, so that it does not invent elements for them.
    pub fn is_element(&mut self, term: Term, elements: &Elements) -> Term {
        let equal: Vec<Term> = elements
            .of(self.sort(term))
            .iter()
            .map(|&element| self.eq(term, element))
            .collect();
        self.or(&equal)
    }

    fn instances(
        &mut self,
        universal: bool,
        bound: &[Term],
        body: Term,
        elements: &Elements,
    ) -> Term {
        let mut bodies = vec![body];
        for &variable in bound {
            let range = elements.of(self.sort(variable));
            assert!(
                !range.is_empty(),
                "a quantifier ranges over a sort without elements"
            );
            bodies = bodies
                .iter()
                .flat_map(|&body| range.iter().map(move |&element| (body, element)))
                .map(|(body, element)| self.substitute(body, &[(variable, element)]))
                .collect();
            // Bodies without the variable are all the same.
            bodies.sort_unstable();
            bodies.dedup();
        }
        if universal {
            self.and(&bodies)
        } else {
            self.or(&bodies)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantifiers_become_junctions_of_instances() {
        let mut terms = Terms::new();
        let [a, b] = ["a", "b"].map(|name| terms.constant(name, Sort::Subflow));
        let [x, y] = ["x", "y"].map(|name| terms.variable(name, Sort::Subflow));
        let less = terms.declare("less", &[Sort::Subflow, Sort::Subflow], Sort::Bool);
        let x_less_y = terms.apply(less, &[x, y]);
        let some = terms.exists(&[y], x_less_y);
        let all = terms.forall(&[x], some);
        let elements = Elements::new(&terms).with(Sort::Subflow, &[a, b]);
        let expanded = terms.expand(all, &elements);

        let rows = [a, b].map(|row| {
            let cells = [a, b].map(|column| terms.apply(less, &[row, column]));
            terms.or(&cells)
        });
        assert_eq!(expanded, terms.and(&rows));
    }

    #[test]
    fn a_witness_is_one_of_the_elements() {
        let mut terms = Terms::new();
        let [a, b, w] = ["a", "b", "w"].map(|name| terms.constant(name, Sort::Subflow));
        let elements = Elements::new(&terms).with(Sort::Subflow, &[a, b]);
        let (is_a, is_b) = (terms.eq(w, a), terms.eq(w, b));
        assert_eq!(terms.is_element(w, &elements), terms.or(&[is_a, is_b]));
        assert_eq!(terms.is_element(a, &elements), terms.bool(true));
    }
}
