//! Terms as Z3's own objects, each translated once per context.
//!
//! All functions here must run with the context current that the
//! [`Translator`] was made in; `solver.rs` sees to that.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use z3::ast::{Ast, BV, Bool, Dynamic, Int, exists_const, forall_const};
use z3::{FuncDecl, Symbol};

use super::term::{Func, Node, Sort, Term, Terms};

/// A term in Z3, by sort.
#[derive(Clone, Debug)]
pub(super) enum Image {
    Bool(Bool),
    Word(BV),
    Int(Int),
    Element(Dynamic),
}

/// What was translated so far.
#[derive(Debug)]
pub(super) struct Translator {
    images: HashMap<Term, Image, FxBuildHasher>,
    functions: HashMap<Func, FuncDecl, FxBuildHasher>,
    sorts: [z3::Sort; Sort::ALL.len()],
}

impl Translator {
    /// A translator into the current context.
    pub(super) fn new() -> Translator {
        let sorts = Sort::ALL.map(|sort| match sort {
            Sort::Bool => z3::Sort::bool(),
            Sort::Word => z3::Sort::bitvector(64),
            Sort::Int => z3::Sort::int(),
            Sort::Subflow => z3::Sort::uninterpreted(Symbol::from("Subflow")),
            Sort::Packet => z3::Sort::uninterpreted(Symbol::from("Packet")),
        });
        Translator {
            images: HashMap::default(),
            functions: HashMap::default(),
            sorts,
        }
    }

    /// The image of a truth value.
    pub(super) fn formula(&mut self, terms: &Terms, term: Term) -> Bool {
        match self.image(terms, term) {
            Image::Bool(formula) => formula,
            other => panic!("a formula is a truth value, not {other:?}"),
        }
    }

    /// The image of a term.
    pub(super) fn image(&mut self, terms: &Terms, root: Term) -> Image {
        let mut work = vec![root];
        while let Some(&term) = work.last() {
            if self.images.contains_key(&term) {
                work.pop();
                continue;
            }
            let before = work.len();
            let missing = terms
                .operands(term)
                .iter()
                .rev()
                .filter(|operand| !self.images.contains_key(*operand));
            work.extend(missing);
            if work.len() == before {
                work.pop();
                let image = self.build(terms, term);
                self.images.insert(term, image);
            }
        }
        self.images[&root].clone()
    }

    fn build(&mut self, terms: &Terms, term: Term) -> Image {
        match terms.node(term) {
            Node::Bool(value) => Image::Bool(Bool::from_bool(value)),
            Node::Word(value) => Image::Word(BV::from_u64(value, 64)),
            Node::Int(value) => Image::Int(Int::from_i64(value)),
            Node::Variable(func) => self.apply(terms, func, &[]),
            Node::Apply(func, arguments) => self.apply(terms, func, arguments),
            Node::Not(a) => Image::Bool(self.bool(a).not()),
            Node::And(operands) => Image::Bool(Bool::and(&self.bools(operands))),
            Node::Or(operands) => Image::Bool(Bool::or(&self.bools(operands))),
            Node::Ite(c, a, b) => {
                let c = self.bool(c);
                match (&self.images[&a], &self.images[&b]) {
                    (Image::Bool(a), Image::Bool(b)) => Image::Bool(c.ite(a, b)),
                    (Image::Word(a), Image::Word(b)) => Image::Word(c.ite(a, b)),
                    (Image::Int(a), Image::Int(b)) => Image::Int(c.ite(a, b)),
                    (Image::Element(a), Image::Element(b)) => Image::Element(c.ite(a, b)),
                    (a, b) => unreachable!("branches of different sorts: {a:?} and {b:?}"),
                }
            }
            Node::Eq(a, b) => Image::Bool(match (&self.images[&a], &self.images[&b]) {
                (Image::Bool(a), Image::Bool(b)) => a.iff(b),
                (Image::Word(a), Image::Word(b)) => a.eq(b),
                (Image::Int(a), Image::Int(b)) => a.eq(b),
                (Image::Element(a), Image::Element(b)) => a.eq(b),
                (a, b) => unreachable!("sides of different sorts: {a:?} and {b:?}"),
            }),
            Node::Distinct(operands) => {
                let operands: Vec<Dynamic> = operands
                    .iter()
                    .map(|operand| self.images[operand].dynamic())
                    .collect();
                Image::Bool(Ast::distinct(&operands))
            }
            Node::Ult(a, b) => Image::Bool(self.word(a).bvult(self.word(b))),
            Node::Add(a, b) => Image::Word(self.word(a).bvadd(self.word(b))),
            Node::Sub(a, b) => Image::Word(self.word(a).bvsub(self.word(b))),
            Node::Mul(a, b) => Image::Word(self.word(a).bvmul(self.word(b))),
            Node::Udiv(a, b) => Image::Word(self.word(a).bvudiv(self.word(b))),
            Node::Urem(a, b) => Image::Word(self.word(a).bvurem(self.word(b))),
            Node::BitAnd(a, b) => Image::Word(self.word(a).bvand(self.word(b))),
            Node::BitOr(a, b) => Image::Word(self.word(a).bvor(self.word(b))),
            Node::BitXor(a, b) => Image::Word(self.word(a).bvxor(self.word(b))),
            Node::Shl(a, b) => Image::Word(self.word(a).bvshl(self.word(b))),
            Node::Lshr(a, b) => Image::Word(self.word(a).bvlshr(self.word(b))),
            Node::Ashr(a, b) => Image::Word(self.word(a).bvashr(self.word(b))),
            Node::Slt(a, b) => Image::Bool(self.word(a).bvslt(self.word(b))),
            Node::IntLt(a, b) => match (&self.images[&a], &self.images[&b]) {
                (Image::Int(a), Image::Int(b)) => Image::Bool(a.lt(b)),
                (a, b) => unreachable!("positions are integers, not {a:?} and {b:?}"),
            },
            Node::Forall(bound, body) => Image::Bool(self.quantifier(bound, body, forall_const)),
            Node::Exists(bound, body) => Image::Bool(self.quantifier(bound, body, exists_const)),
        }
    }

    fn apply(&mut self, terms: &Terms, func: Func, arguments: &[Term]) -> Image {
        let (domain, range) = terms.signature(func);
        let sorts = &self.sorts;
        let function = self.functions.entry(func).or_insert_with(|| {
            let domain: Vec<&z3::Sort> = domain.iter().map(|&sort| &sorts[sort as usize]).collect();
            FuncDecl::new(terms.name(func), &domain, &sorts[range as usize])
        });
        let arguments: Vec<&dyn Ast> = arguments
            .iter()
            .map(|argument| self.images[argument].ast())
            .collect();
        Image::new(function.apply(&arguments), range)
    }

    fn quantifier(
        &self,
        bound: &[Term],
        body: Term,
        make: fn(&[&dyn Ast], &[&z3::Pattern], &Bool) -> Bool,
    ) -> Bool {
        let bound: Vec<&dyn Ast> = bound
            .iter()
            .map(|variable| self.images[variable].ast())
            .collect();
        make(&bound, &[], self.bool(body))
    }

    fn bools(&self, operands: &[Term]) -> Vec<Bool> {
        operands
            .iter()
            .map(|&operand| self.bool(operand).clone())
            .collect()
    }

    fn bool(&self, term: Term) -> &Bool {
        match &self.images[&term] {
            Image::Bool(image) => image,
            other => unreachable!("not a truth value: {other:?}"),
        }
    }

    fn word(&self, term: Term) -> &BV {
        match &self.images[&term] {
            Image::Word(image) => image,
            other => unreachable!("not a word: {other:?}"),
        }
    }
}

impl Image {
    fn new(image: Dynamic, sort: Sort) -> Image {
        let typed = match sort {
            Sort::Bool => image.as_bool().map(Image::Bool),
            Sort::Word => image.as_bv().map(Image::Word),
            Sort::Int => image.as_int().map(Image::Int),
            Sort::Subflow | Sort::Packet => Some(Image::Element(image)),
        };
        typed.expect("an application has the sort of its declaration")
    }

    fn ast(&self) -> &dyn Ast {
        match self {
            Image::Bool(image) => image,
            Image::Word(image) => image,
            Image::Int(image) => image,
            Image::Element(image) => image,
        }
    }

    fn dynamic(&self) -> Dynamic {
        Dynamic::from_ast(self.ast())
    }
}
