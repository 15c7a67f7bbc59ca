//! Assertions as an SMT-LIB 2.6 script, for other solvers and for the record.
//!
//! The text is linear in the number of different terms: what is used more
//! than once gets a `define-fun`, with the variables that are free in it as
//! parameters. Equal arenas give equal text.

use std::fmt::Write as _;

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::term::{Func, Node, Sort, Term, Terms};

/// How deep an expression may get before a part of it is given a name.
const DEPTH_LIMIT: usize = 40;

/// The script that asks whether all `assertions` hold in some model.
pub fn script(terms: &Terms, assertions: &[Term]) -> String {
    Printer::new(terms, assertions).script(assertions)
}

struct Printer<'a> {
    terms: &'a Terms,
    /// All terms that occur, operands before what uses them.
    reachable: Vec<Term>,
    /// The terms that are defined, with the number of their definition.
    defined: HashMap<Term, usize, FxBuildHasher>,
}

impl<'a> Printer<'a> {
    fn new(terms: &'a Terms, assertions: &[Term]) -> Printer<'a> {
        let mut uses: HashMap<Term, usize, FxBuildHasher> = HashMap::default();
        let mut work = assertions.to_vec();
        while let Some(term) = work.pop() {
            let count = uses.entry(term).or_insert(0);
            *count += 1;
            if *count == 1 {
                work.extend_from_slice(terms.operands(term));
            }
        }
        let mut reachable: Vec<Term> = uses.keys().copied().collect();
        reachable.sort_unstable();

        let mut defined = HashMap::default();
        let mut depths: HashMap<Term, usize, FxBuildHasher> = HashMap::default();
        for &term in &reachable {
            let below = terms
                .operands(term)
                .iter()
                .map(|operand| depths[operand])
                .max();
            let depth = below.map_or(0, |below| below + 1);
            let named = depth > 0 && (uses[&term] > 1 || depth > DEPTH_LIMIT);
            if named {
                defined.insert(term, defined.len() + 1);
            }
            depths.insert(term, if named { 0 } else { depth });
        }
        Printer {
            terms,
            reachable,
            defined,
        }
    }

    fn script(&self, assertions: &[Term]) -> String {
        let mut text = String::from("(set-logic ALL)\n");
        for sort in [Sort::Subflow, Sort::Packet] {
            if self
                .reachable
                .iter()
                .any(|&term| self.terms.sort(term) == sort)
            {
                writeln!(text, "(declare-sort {} 0)", sort_name(sort)).expect(INFALLIBLE);
            }
        }
        for func in self.declared(assertions) {
            let (domain, range) = self.terms.signature(func);
            let domain: Vec<&str> = domain.iter().copied().map(sort_name).collect();
            writeln!(
                text,
                "(declare-fun {} ({}) {})",
                self.terms.name(func),
                domain.join(" "),
                sort_name(range)
            )
            .expect(INFALLIBLE);
        }
        for &term in &self.reachable {
            if let Some(number) = self.defined.get(&term) {
                write!(text, "(define-fun ${number} ").expect(INFALLIBLE);
                self.binders(&mut text, self.terms.free_variables(term));
                write!(text, " {} ", sort_name(self.terms.sort(term))).expect(INFALLIBLE);
                self.node(&mut text, term);
                text.push_str(")\n");
            }
        }
        for &assertion in assertions {
            text.push_str("(assert ");
            self.expression(&mut text, assertion);
            text.push_str(")\n");
        }
        text.push_str("(check-sat)\n");
        text
    }

    /// The functions and constants that occur, and the variables that no quantifier binds, by age.
    fn declared(&self, assertions: &[Term]) -> Vec<Func> {
        let func = |&term: &Term| match self.terms.node(term) {
            Node::Apply(func, _) => Some(func),
            _ => None,
        };
        let variable = |&term: &Term| match self.terms.node(term) {
            Node::Variable(func) => Some(func),
            _ => None,
        };
        let free = assertions
            .iter()
            .flat_map(|&assertion| self.terms.free_variables(assertion));
        let mut all: Vec<Func> = self
            .reachable
            .iter()
            .filter_map(func)
            .chain(free.filter_map(variable))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A term where it is used: its name if it has one.
    fn expression(&self, text: &mut String, term: Term) {
        let Some(number) = self.defined.get(&term) else {
            return self.node(text, term);
        };
        let parameters = self.terms.free_variables(term);
        if parameters.is_empty() {
            write!(text, "${number}").expect(INFALLIBLE);
        } else {
            self.list(text, &format!("${number}"), parameters);
        }
    }

    /// A term in full, down to the terms that have names.
    fn node(&self, text: &mut String, term: Term) {
        match self.terms.node(term) {
            Node::Bool(value) => write!(text, "{value}").expect(INFALLIBLE),
            Node::Word(value) => write!(text, "#x{value:016x}").expect(INFALLIBLE),
            Node::Int(value) if value < 0 => {
                write!(text, "(- {})", value.unsigned_abs()).expect(INFALLIBLE);
            }
            Node::Int(value) => write!(text, "{value}").expect(INFALLIBLE),
            Node::Variable(func) | Node::Apply(func, []) => text.push_str(self.terms.name(func)),
            Node::Apply(func, arguments) => self.list(text, self.terms.name(func), arguments),
            Node::Not(a) => match self.terms.node(a) {
                Node::Ult(b, c) if !self.defined.contains_key(&a) => {
                    self.list(text, "bvule", &[c, b]);
                }
                Node::IntLt(b, c) if !self.defined.contains_key(&a) => {
                    self.list(text, "<=", &[c, b]);
                }
                _ => self.list(text, "not", &[a]),
            },
            Node::And(operands) => self.list(text, "and", operands),
            Node::Or(operands) => self.list(text, "or", operands),
            Node::Ite(c, a, b) => self.list(text, "ite", &[c, a, b]),
            Node::Eq(a, b) => self.list(text, "=", &[a, b]),
            Node::Distinct(operands) => self.list(text, "distinct", operands),
            Node::Ult(a, b) => self.list(text, "bvult", &[a, b]),
            Node::Add(a, b) => self.list(text, "bvadd", &[a, b]),
            Node::Sub(a, b) => self.list(text, "bvsub", &[a, b]),
            Node::Mul(a, b) => self.list(text, "bvmul", &[a, b]),
            Node::Udiv(a, b) => self.list(text, "bvudiv", &[a, b]),
            Node::Urem(a, b) => self.list(text, "bvurem", &[a, b]),
            Node::BitAnd(a, b) => self.list(text, "bvand", &[a, b]),
            Node::BitOr(a, b) => self.list(text, "bvor", &[a, b]),
            Node::BitXor(a, b) => self.list(text, "bvxor", &[a, b]),
            Node::Shl(a, b) => self.list(text, "bvshl", &[a, b]),
            Node::Lshr(a, b) => self.list(text, "bvlshr", &[a, b]),
            Node::Ashr(a, b) => self.list(text, "bvashr", &[a, b]),
            Node::Slt(a, b) => self.list(text, "bvslt", &[a, b]),
            Node::IntLt(a, b) => self.list(text, "<", &[a, b]),
            Node::Forall(bound, body) => self.quantifier(text, "forall", bound, body),
            Node::Exists(bound, body) => self.quantifier(text, "exists", bound, body),
        }
    }

    fn list(&self, text: &mut String, head: &str, operands: &[Term]) {
        write!(text, "({head}").expect(INFALLIBLE);
        for &operand in operands {
            text.push(' ');
            self.expression(text, operand);
        }
        text.push(')');
    }

    fn quantifier(&self, text: &mut String, head: &str, bound: &[Term], body: Term) {
        write!(text, "({head} ").expect(INFALLIBLE);
        self.binders(text, bound);
        text.push(' ');
        self.expression(text, body);
        text.push(')');
    }

    fn binders(&self, text: &mut String, variables: &[Term]) {
        let binder = |&variable: &Term| match self.terms.node(variable) {
            Node::Variable(func) => format!(
                "({} {})",
                self.terms.name(func),
                sort_name(self.terms.sort(variable))
            ),
            other => unreachable!("only variables are bound, not {other:?}"),
        };
        let binders: Vec<String> = variables.iter().map(binder).collect();
        write!(text, "({})", binders.join(" ")).expect(INFALLIBLE);
    }
}

const INFALLIBLE: &str = "writing to a string does not fail";

fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Bool => "Bool",
        Sort::Word => "(_ BitVec 64)",
        Sort::Int => "Int",
        Sort::Subflow => "Subflow",
        Sort::Packet => "Packet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_declares_what_it_uses_and_names_what_it_shares() {
        let mut terms = Terms::new();
        let member = terms.declare("member", &[Sort::Packet], Sort::Bool);
        let rank = terms.declare("rank", &[Sort::Packet], Sort::Int);
        terms.constant("unused", Sort::Subflow);
        let x = terms.variable("x", Sort::Packet);
        let w = terms.constant("w", Sort::Packet);
        let (rank_x, low) = (terms.apply(rank, &[x]), terms.int(-3));
        let above = terms.int_le(low, rank_x);
        let member_x = terms.apply(member, &[x]);
        let implied = terms.implies(member_x, above);
        let all = terms.forall(&[x], implied);
        let member_w = terms.apply(member, &[w]);
        let either = terms.or(&[member_w, all]);
        let neither = terms.not(either);
        let flag = terms.constant("flag", Sort::Bool);
        let second = terms.or(&[flag, either]);
        let third = terms.or(&[flag, neither]);
        assert_eq!(
            script(&terms, &[second, third]),
            "\
(set-logic ALL)
(declare-sort Packet 0)
(declare-fun member (Packet) Bool)
(declare-fun rank (Packet) Int)
(declare-fun w () Packet)
(declare-fun flag () Bool)
(define-fun $1 () Bool (forall ((x Packet)) (or (<= (- 3) (rank x)) (not (member x)))))
(define-fun $2 () Bool (member w))
(assert (or $1 $2 flag))
(assert (or (not (or $1 $2)) flag))
(check-sat)
"
        );
    }

    #[test]
    fn shared_parts_under_a_binder_take_their_variables_as_parameters() {
        let mut terms = Terms::new();
        let rank = terms.declare("rank", &[Sort::Packet], Sort::Word);
        let x = terms.variable("x", Sort::Packet);
        let rank_x = terms.apply(rank, &[x]);
        let square = terms.mul(rank_x, rank_x);
        let zero = terms.word(0);
        let is_zero = terms.eq(square, zero);
        let all = terms.forall(&[x], is_zero);
        let text = script(&terms, &[all]);
        assert!(
            text.contains("(define-fun $1 ((x Packet)) (_ BitVec 64) (rank x))"),
            "{text}"
        );
        assert!(text.contains("(bvmul ($1 x) ($1 x))"), "{text}");
    }

    #[test]
    fn a_negated_comparison_is_the_opposite_one() {
        let mut terms = Terms::new();
        let [x, y] = ["x", "y"].map(|name| terms.constant(name, Sort::Word));
        let [i, j] = ["i", "j"].map(|name| terms.constant(name, Sort::Int));
        let assertions = [
            terms.ult(x, y),
            terms.ule(x, y),
            terms.int_lt(i, j),
            terms.int_le(i, j),
        ];
        let text = script(&terms, &assertions);
        let asserted: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("(assert"))
            .collect();
        assert_eq!(
            asserted,
            [
                "(assert (bvult x y))",
                "(assert (bvule x y))",
                "(assert (< i j))",
                "(assert (<= i j))",
            ]
        );
    }

    #[test]
    fn the_text_of_a_deep_and_shared_term_is_linear() {
        let mut terms = Terms::new();
        let mut sum = terms.constant("x", Sort::Word);
        for _ in 0..10_000 {
            sum = terms.add(sum, sum);
        }
        for index in 0..10_000 {
            let step = terms.word(index);
            sum = terms.udiv(sum, step);
        }
        let zero = terms.word(0);
        let formula = terms.eq(sum, zero);
        let text = script(&terms, &[formula]);
        assert!(text.len() < 100 * 20_000, "{} bytes", text.len());
    }
}
