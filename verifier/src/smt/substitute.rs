//! Simultaneous, capture-avoiding substitution.
//!
//! A binder that would capture a variable of a replacement is renamed to a
//! spare variable of the arena. Spare variables are reused, so equal
//! substitutions give equal terms.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::term::{Node, Op, Sort, Term, Terms};

/// What is replaced by what below some binders.
type Mapping = Vec<(Term, Term)>;

enum Task {
    /// Substitute within a term, under the mapping of that number.
    Visit(Term, usize),
    /// Put a term together from its finished operands.
    Build(Term, usize),
    /// Put a quantifier together: its term, the mapping around it, the one below it, its new variables.
    Bind(Term, usize, usize, Vec<Term>),
}

impl Terms {
    /// Replaces, in `term`, each left-hand side by its right-hand side, all at once.
    ///
    /// Left-hand sides are variables and constants. Bound occurrences of a
    /// variable are left alone, and no variable of a right-hand side gets bound.
    ///
    /// # Panics
    /// If a left-hand side is neither a variable nor a constant, or has another sort than its right-hand side.
    pub fn substitute(&mut self, term: Term, replacements: &[(Term, Term)]) -> Term {
        for &(from, to) in replacements {
            assert_eq!(
                self.sort(from),
                self.sort(to),
                "a replacement has the sort of what it replaces"
            );
            let replaceable = matches!(self.node(from), Node::Variable(_) | Node::Apply(_, []));
            assert!(
                replaceable || self.exhausted(),
                "only variables and constants can be replaced"
            );
        }
        let mapping: Mapping = replacements
            .iter()
            .copied()
            .filter(|(from, to)| from != to)
            .collect();
        Substitution {
            scopes: vec![mapping],
            done: HashMap::default(),
        }
        .run(self, term)
    }
}

struct Substitution {
    scopes: Vec<Mapping>,
    done: HashMap<(Term, usize), Term, FxBuildHasher>,
}

impl Substitution {
    fn run(mut self, terms: &mut Terms, root: Term) -> Term {
        let mut tasks = vec![Task::Visit(root, 0)];
        while let Some(task) = tasks.pop() {
            match task {
                Task::Visit(term, scope) => {
                    if !self.done.contains_key(&(term, scope)) {
                        self.visit(terms, term, scope, &mut tasks);
                    }
                }
                Task::Build(term, scope) => {
                    let operands: Vec<Term> = terms
                        .operands(term)
                        .iter()
                        .map(|&operand| self.done[&(operand, scope)])
                        .collect();
                    let built = terms.rebuild(term, &operands);
                    self.done.insert((term, scope), built);
                }
                Task::Bind(term, scope, inner, mut operands) => {
                    let body = *terms
                        .operands(term)
                        .last()
                        .expect("a quantifier has a body");
                    operands.push(self.done[&(body, inner)]);
                    let built = terms.rebuild(term, &operands);
                    self.done.insert((term, scope), built);
                }
            }
        }
        self.done[&(root, 0)]
    }

    fn visit(&mut self, terms: &mut Terms, term: Term, scope: usize, tasks: &mut Vec<Task>) {
        let mapping = &self.scopes[scope];
        let leaf = terms.operands(term).is_empty();
        if leaf || !concerns(terms, mapping, term) {
            let replacement = mapping.iter().rfind(|(from, _)| *from == term);
            self.done
                .insert((term, scope), replacement.map_or(term, |&(_, to)| to));
            return;
        }
        match terms.node(term) {
            Node::Forall(..) | Node::Exists(..) => {
                let (inner, bound) = self.enter(terms, term, scope);
                let body = *terms
                    .operands(term)
                    .last()
                    .expect("a quantifier has a body");
                tasks.push(Task::Bind(term, scope, inner, bound));
                tasks.push(Task::Visit(body, inner));
            }
            _ => {
                tasks.push(Task::Build(term, scope));
                tasks.extend(
                    terms
                        .operands(term)
                        .iter()
                        .map(|&operand| Task::Visit(operand, scope)),
                );
            }
        }
    }

    /// The mapping below a quantifier, and its variables after renaming.
    fn enter(&mut self, terms: &mut Terms, quantifier: Term, scope: usize) -> (usize, Vec<Term>) {
        let (bound, body) = match terms.node(quantifier) {
            Node::Forall(bound, body) | Node::Exists(bound, body) => (bound.to_vec(), body),
            other => unreachable!("only a quantifier binds, not {other:?}"),
        };
        let mut inner = self.scopes[scope].clone();
        // Whether a constant occurs is not known; it is taken to do so.
        inner.retain(|(from, _)| {
            !terms.is_variable(*from) || terms.free_variables(quantifier).contains(from)
        });
        let incoming: Vec<Term> = inner
            .iter()
            .flat_map(|&(_, to)| terms.free_variables(to))
            .copied()
            .collect();
        let mut renamed = bound.clone();
        for position in 0..bound.len() {
            let variable = bound[position];
            if incoming.contains(&variable) {
                let mut avoid = incoming.clone();
                avoid.extend_from_slice(&renamed);
                avoid.extend_from_slice(terms.free_variables(body));
                let fresh = terms.spare_variable(terms.sort(variable), &avoid);
                renamed[position] = fresh;
                inner.push((variable, fresh));
            }
        }
        let inner = self
            .scopes
            .iter()
            .position(|known| *known == inner)
            .unwrap_or_else(|| {
                self.scopes.push(inner);
                self.scopes.len() - 1
            });
        (inner, renamed)
    }
}

/// Whether the mapping could change the term. Constants are not looked for, only variables.
fn concerns(terms: &Terms, mapping: &Mapping, term: Term) -> bool {
    let free = terms.free_variables(term);
    mapping
        .iter()
        .any(|(from, _)| !terms.is_variable(*from) || free.binary_search(from).is_ok())
}

impl Terms {
    /// A variable of the arena's own that is not among `avoid`: the oldest such.
    fn spare_variable(&mut self, sort: Sort, avoid: &[Term]) -> Term {
        let pool = &self.spare[sort as usize];
        if let Some(&variable) = pool.iter().find(|candidate| !avoid.contains(candidate)) {
            return variable;
        }
        let variable = self.variable("renamed", sort);
        if !self.exhausted() {
            self.spare[sort as usize].push(variable);
        }
        variable
    }

    /// The node of `term` with other operands, through the constructors.
    pub(super) fn rebuild(&mut self, term: Term, operands: &[Term]) -> Term {
        if self.operands(term) == operands {
            return term;
        }
        match (self.op(term), operands) {
            (Op::Apply, _) => match self.node(term) {
                Node::Apply(func, _) => self.apply(func, operands),
                _ => unreachable!("an application is one"),
            },
            (Op::Not, &[a]) => self.not(a),
            (Op::And, _) => self.and(operands),
            (Op::Or, _) => self.or(operands),
            (Op::Ite, &[c, a, b]) => self.ite(c, a, b),
            (Op::Eq, &[a, b]) => self.eq(a, b),
            (Op::Distinct, _) => self.distinct(operands),
            (Op::Ult, &[a, b]) => self.ult(a, b),
            (Op::Add, &[a, b]) => self.add(a, b),
            (Op::Sub, &[a, b]) => self.sub(a, b),
            (Op::Mul, &[a, b]) => self.mul(a, b),
            (Op::Udiv, &[a, b]) => self.udiv(a, b),
            (Op::Urem, &[a, b]) => self.urem(a, b),
            (Op::BitAnd, &[a, b]) => self.bit_and(a, b),
            (Op::BitOr, &[a, b]) => self.bit_or(a, b),
            (Op::BitXor, &[a, b]) => self.bit_xor(a, b),
            (Op::Shl, &[a, b]) => self.shl(a, b),
            (Op::Lshr, &[a, b]) => self.lshr(a, b),
            (Op::Ashr, &[a, b]) => self.ashr(a, b),
            (Op::Slt, &[a, b]) => self.slt(a, b),
            (Op::IntLt, &[a, b]) => self.int_lt(a, b),
            (Op::Forall, [bound @ .., body]) => self.forall(bound, *body),
            (Op::Exists, [bound @ .., body]) => self.exists(bound, *body),
            (op, _) => unreachable!("a node {op:?} got {} operands", operands.len()),
        }
    }
}
