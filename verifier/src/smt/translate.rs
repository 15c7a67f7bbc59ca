//! Terms as Z3's own objects, each translated once per context.
//!
//! All functions here must run with the context current that the
//! [`Translator`] was made in; `solver.rs` sees to that.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use z3::ast::{Ast, BV, Bool, Dynamic, Int, exists_const, forall_const};
use z3::{FuncDecl, Symbol};

use super::numbers::{self, Bits};
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
    /// How many bits values have, if words become integers.
    numbers: Option<Bits>,
}

impl Translator {
    /// A translator into the current context; words become integers if `numbers` is given.
    pub(super) fn new(numbers: Option<Bits>) -> Translator {
        let word = if numbers.is_some() {
            z3::Sort::int()
        } else {
            z3::Sort::bitvector(64)
        };
        let mut word = Some(word);
        let sorts = Sort::ALL.map(|sort| match sort {
            Sort::Bool => z3::Sort::bool(),
            Sort::Word => word.take().expect("there is one sort of words"),
            Sort::Int => z3::Sort::int(),
            Sort::Subflow => z3::Sort::uninterpreted(Symbol::from("Subflow")),
            Sort::Packet => z3::Sort::uninterpreted(Symbol::from("Packet")),
        });
        Translator {
            images: HashMap::default(),
            functions: HashMap::default(),
            sorts,
            numbers,
        }
    }

    /// Whether words are integers.
    pub(super) const fn is_numeric(&self) -> bool {
        self.numbers.is_some()
    }

    /// From now on these bits are known.
    pub(super) fn learn(&mut self, bits: &Bits) {
        if let Some(known) = &mut self.numbers {
            known.extend(bits);
        }
    }

    /// That the values of a function are words.
    pub(super) fn in_range(&mut self, terms: &Terms, func: Func) -> Bool {
        let bits = self
            .numbers
            .as_ref()
            .and_then(|bits| bits.get(&func).copied());
        self.declare(terms, func);
        let (domain, _) = terms.signature(func);
        let domain: Vec<&z3::Sort> = domain
            .iter()
            .map(|&sort| &self.sorts[sort as usize])
            .collect();
        numbers::in_range(&self.functions[&func], &domain, bits)
    }

    /// That the value of this term, a function applied, is a word.
    pub(super) fn value_in_range(&mut self, terms: &Terms, term: Term, func: Func) -> Bool {
        let bits = self
            .numbers
            .as_ref()
            .and_then(|bits| bits.get(&func).copied());
        match self.image(terms, term) {
            Image::Int(value) => numbers::value_in_range(&value, bits),
            other => panic!("words are integers here, not {other:?}"),
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
            Node::Word(value) if self.is_numeric() => Image::Int(Int::from_u64(value)),
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
            Node::Ult(a, b) if self.is_numeric() => Image::Bool(self.int(a).lt(self.int(b))),
            Node::Add(a, b) if self.is_numeric() => {
                let bits = self.numbers.as_ref().expect("this was just asked");
                Image::Int(numbers::sum(
                    terms,
                    bits,
                    (a, self.int(a)),
                    (b, self.int(b)),
                ))
            }
            Node::Mul(a, b) if self.is_numeric() => {
                let bits = self.numbers.as_ref().expect("this was just asked");
                Image::Int(numbers::product(
                    terms,
                    bits,
                    (a, self.int(a)),
                    (b, self.int(b)),
                ))
            }
            Node::Udiv(a, b) if self.is_numeric() => Image::Int(self.int(a).div(self.int(b))),
            Node::Urem(a, b) if self.is_numeric() => Image::Int(self.int(a).modulo(self.int(b))),
            Node::Sub(a, b) if self.is_numeric() => {
                Image::Int(numbers::difference(self.int(a), self.int(b)))
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
            Node::IntLt(a, b) => Image::Bool(self.int(a).lt(self.int(b))),
            Node::Forall(bound, body) => Image::Bool(self.quantifier(bound, body, forall_const)),
            Node::Exists(bound, body) => Image::Bool(self.quantifier(bound, body, exists_const)),
        }
    }

    fn declare(&mut self, terms: &Terms, func: Func) {
        let (domain, range) = terms.signature(func);
        let sorts = &self.sorts;
        self.functions.entry(func).or_insert_with(|| {
            let domain: Vec<&z3::Sort> = domain.iter().map(|&sort| &sorts[sort as usize]).collect();
            FuncDecl::new(terms.name(func), &domain, &sorts[range as usize])
        });
    }

    fn apply(&mut self, terms: &Terms, func: Func, arguments: &[Term]) -> Image {
        self.declare(terms, func);
        let (_, range) = terms.signature(func);
        let function = &self.functions[&func];
        let arguments: Vec<&dyn Ast> = arguments
            .iter()
            .map(|argument| self.images[argument].ast())
            .collect();
        let range = if range == Sort::Word && self.is_numeric() {
            Sort::Int
        } else {
            range
        };
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

    fn int(&self, term: Term) -> &Int {
        match &self.images[&term] {
            Image::Int(image) => image,
            other => unreachable!("not an integer: {other:?}"),
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
