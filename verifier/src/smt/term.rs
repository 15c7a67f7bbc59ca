//! Hash-consed terms: the arena, its nodes, and what is known of each.
//!
//! A [`Term`] is an index into [`Terms`]; equal terms have equal indices, so
//! comparing formulas is comparing numbers. The constructors (here for
//! literals and declarations, in `build.rs` and `word.rs` for the rest)
//! simplify as they build; each step is an equivalence of SMT-LIB's
//! semantics, in which every sort has at least one element.
//!
//! # The budget
//!
//! **An arena that has run out of its budget lies.** Construction never
//! aborts: beyond the budget it returns *some* term of the right sort and
//! sets a flag. Whoever draws a conclusion from terms, that something is
//! proved or that something is refuted, must first ask
//! [`Terms::exhausted`] and answer "unknown" when it says yes.
//! [`Solver::check`](super::Solver::check) does so by itself.

use std::hash::Hasher;

use hashbrown::{HashMap, HashTable};
use rustc_hash::{FxBuildHasher, FxHasher};

use super::names::Names;
use super::sets::{SetId, Sets};

/// A term, as an index into the [`Terms`] that made it.
///
/// The order is that of creation: operands come before what uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub(super) u32);

/// A declared function, constant or variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Func(pub(super) u32);

/// What a term ranges over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// Truth values.
    Bool,
    /// Bit-vectors of 64 bits, read as unsigned numbers.
    Word,
    /// Mathematical integers; only order positions, which are compared and never computed with.
    Int,
    /// Subflows: an uninterpreted, non-empty sort.
    Subflow,
    /// Packets: an uninterpreted, non-empty sort.
    Packet,
}

impl Sort {
    /// All sorts, in declaration order.
    pub const ALL: [Sort; 5] = [
        Sort::Bool,
        Sort::Word,
        Sort::Int,
        Sort::Subflow,
        Sort::Packet,
    ];
}

/// A node as seen from outside.
///
/// What is missing is expressed by what is here: `a <= b` is `!(b < a)`,
/// an equivalence is an equality of Booleans, an implication a disjunction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node<'a> {
    /// A truth value.
    Bool(bool),
    /// A word.
    Word(u64),
    /// An order position.
    Int(i64),
    /// A variable: a constant that a quantifier may bind.
    Variable(Func),
    /// A function applied to its arguments; a constant has none.
    Apply(Func, &'a [Term]),
    /// Negation.
    Not(Term),
    /// Conjunction of at least two different operands.
    And(&'a [Term]),
    /// Disjunction of at least two different operands.
    Or(&'a [Term]),
    /// If-then-else of any sort.
    Ite(Term, Term, Term),
    /// Equality of two terms of one sort.
    Eq(Term, Term),
    /// At least three terms are pairwise different.
    Distinct(&'a [Term]),
    /// Unsigned less-than of words.
    Ult(Term, Term),
    /// Sum modulo 2^64.
    Add(Term, Term),
    /// Difference modulo 2^64.
    Sub(Term, Term),
    /// Product modulo 2^64.
    Mul(Term, Term),
    /// Unsigned quotient; all ones if the divisor is zero.
    Udiv(Term, Term),
    /// Unsigned remainder; the dividend if the divisor is zero.
    Urem(Term, Term),
    /// Bits of both words.
    BitAnd(Term, Term),
    /// Bits of either word.
    BitOr(Term, Term),
    /// Bits of just one word.
    BitXor(Term, Term),
    /// To the left; 0 if the amount is 64 or more.
    Shl(Term, Term),
    /// To the right with zeros; 0 if the amount is 64 or more.
    Lshr(Term, Term),
    /// To the right with signs.
    Ashr(Term, Term),
    /// Signed less-than of words.
    Slt(Term, Term),
    /// Less-than of integers.
    IntLt(Term, Term),
    /// For all values of the variables.
    Forall(&'a [Term], Term),
    /// For some values of the variables.
    Exists(&'a [Term], Term),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    Bool,
    Word,
    Int,
    Variable,
    Apply,
    Not,
    And,
    Or,
    Ite,
    Eq,
    Distinct,
    Ult,
    Add,
    Sub,
    Mul,
    Udiv,
    Urem,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Lshr,
    Ashr,
    Slt,
    IntLt,
    Forall,
    Exists,
}

/// One node. For a literal, `start` and `len` are the halves of its bits;
/// otherwise they cut the operands out of `Terms::operands`. A quantifier's
/// operands are its variables and then its body.
#[derive(Clone, Copy, Debug)]
struct Entry {
    op: Op,
    sort: Sort,
    func: u32,
    start: u32,
    len: u32,
    free: SetId,
}

#[derive(Clone, Debug)]
struct Declaration {
    name: String,
    domain: Box<[Sort]>,
    range: Sort,
    variable: bool,
}

/// The arena of terms.
#[derive(Clone, Debug)]
pub struct Terms {
    entries: Vec<Entry>,
    operands: Vec<Term>,
    table: HashTable<u32>,
    functions: Vec<Declaration>,
    names: Names,
    /// The sets of free variables.
    variables: Sets<Term>,
    /// The sets of functions, and those of the terms that somebody asked about.
    function_sets: Sets<Func>,
    used: HashMap<Term, SetId, FxBuildHasher>,
    /// Variables that substitution renames binders to, by sort.
    pub(super) spare: [Vec<Term>; Sort::ALL.len()],
    pub(super) scratch: Vec<Term>,
    placeholders: [Term; Sort::ALL.len()],
    budget: usize,
    exhausted: bool,
    /// Constructors leave terms as they are.
    pub(super) plain: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Terms::new()
    }
}

impl Terms {
    pub(super) const FALSE: Term = Term(0);
    pub(super) const TRUE: Term = Term(1);

    /// An arena without a budget.
    pub fn new() -> Terms {
        let mut terms = Terms {
            entries: Vec::new(),
            operands: Vec::new(),
            table: HashTable::new(),
            functions: Vec::new(),
            names: Names::default(),
            variables: Sets::new(),
            function_sets: Sets::new(),
            used: HashMap::default(),
            spare: Default::default(),
            scratch: Vec::new(),
            placeholders: [Terms::FALSE; Sort::ALL.len()],
            budget: usize::MAX,
            exhausted: false,
            plain: false,
        };
        // The first two entries are what `FALSE` and `TRUE` name.
        terms.literal(Op::Bool, Sort::Bool, 0);
        terms.literal(Op::Bool, Sort::Bool, 1);
        terms.placeholders[Sort::Word as usize] = terms.word(0);
        terms.placeholders[Sort::Int as usize] = terms.int(0);
        for (sort, name) in [
            (Sort::Subflow, "beyond_budget_subflow"),
            (Sort::Packet, "beyond_budget_packet"),
        ] {
            terms.placeholders[sort as usize] = terms.constant(name, sort);
        }
        terms
    }

    /// An arena without a budget whose constructors simplify nothing: for questions that somebody else is to answer who
    /// need not trust them.
    pub fn plain() -> Terms {
        let mut terms = Terms::new();
        terms.plain = true;
        terms
    }

    /// Limits the arena to `budget` terms and operands together, see [`Terms::size`].
    ///
    /// Read the module's text before you use this.
    pub fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
    }

    /// Whether a term was asked for that the budget did not allow.
    ///
    /// If so, no term of this arena that was made since may be believed.
    pub fn exhausted(&self) -> bool {
        self.exhausted
    }

    /// The number of different terms.
    #[allow(clippy::len_without_is_empty, reason = "the literals are always there")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the budget limits: the number of terms and of their operands.
    pub fn size(&self) -> usize {
        self.entries.len() + self.operands.len()
    }

    /// The literal `value`.
    pub fn bool(&self, value: bool) -> Term {
        if value { Terms::TRUE } else { Terms::FALSE }
    }

    /// The literal `value`.
    pub fn word(&mut self, value: u64) -> Term {
        self.literal(Op::Word, Sort::Word, value)
    }

    /// The literal `value`.
    pub fn int(&mut self, value: i64) -> Term {
        self.literal(Op::Int, Sort::Int, value.cast_unsigned())
    }

    /// Declares a function. Every call declares another one: the name is a
    /// wish, and made unique in a way that depends only on earlier calls.
    pub fn declare(&mut self, name: &str, domain: &[Sort], range: Sort) -> Func {
        self.declaration(name, domain, range, false)
    }

    /// Declares a constant and returns it as a term.
    pub fn constant(&mut self, name: &str, sort: Sort) -> Term {
        let func = self.declaration(name, &[], sort, false);
        self.apply(func, &[])
    }

    /// Declares a variable, that is a constant which a quantifier may bind.
    pub fn variable(&mut self, name: &str, sort: Sort) -> Term {
        let func = self.declaration(name, &[], sort, true);
        self.intern(Op::Variable, sort, func.0, &[])
    }

    /// Applies `func` to `arguments`.
    ///
    /// # Panics
    /// If number or sorts of the arguments are not those of the declaration, or if `func` is a variable.
    pub fn apply(&mut self, func: Func, arguments: &[Term]) -> Term {
        let declaration = &self.functions[func.0 as usize];
        assert!(
            !declaration.variable,
            "the variable `{}` is not a function",
            declaration.name
        );
        assert!(
            declaration.domain.len() == arguments.len()
                && declaration
                    .domain
                    .iter()
                    .zip(arguments)
                    .all(|(&sort, &term)| sort == self.sort(term)),
            "the arguments of `{}` must have sorts {:?}",
            declaration.name,
            declaration.domain,
        );
        let range = declaration.range;
        self.intern(Op::Apply, range, func.0, arguments)
    }

    /// The sort of a term.
    pub fn sort(&self, term: Term) -> Sort {
        self.entries[term.0 as usize].sort
    }

    /// The outermost construct of a term.
    pub fn node(&self, term: Term) -> Node<'_> {
        let entry = &self.entries[term.0 as usize];
        let operands = self.operands(term);
        match (entry.op, operands) {
            (Op::Bool, _) => Node::Bool(term == Terms::TRUE),
            (Op::Word, _) => Node::Word(entry.bits()),
            (Op::Int, _) => Node::Int(entry.bits().cast_signed()),
            (Op::Variable, _) => Node::Variable(Func(entry.func)),
            (Op::Apply, _) => Node::Apply(Func(entry.func), operands),
            (Op::Not, &[a]) => Node::Not(a),
            (Op::And, _) => Node::And(operands),
            (Op::Or, _) => Node::Or(operands),
            (Op::Ite, &[c, a, b]) => Node::Ite(c, a, b),
            (Op::Eq, &[a, b]) => Node::Eq(a, b),
            (Op::Distinct, _) => Node::Distinct(operands),
            (Op::Ult, &[a, b]) => Node::Ult(a, b),
            (Op::Add, &[a, b]) => Node::Add(a, b),
            (Op::Sub, &[a, b]) => Node::Sub(a, b),
            (Op::Mul, &[a, b]) => Node::Mul(a, b),
            (Op::Udiv, &[a, b]) => Node::Udiv(a, b),
            (Op::Urem, &[a, b]) => Node::Urem(a, b),
            (Op::BitAnd, &[a, b]) => Node::BitAnd(a, b),
            (Op::BitOr, &[a, b]) => Node::BitOr(a, b),
            (Op::BitXor, &[a, b]) => Node::BitXor(a, b),
            (Op::Shl, &[a, b]) => Node::Shl(a, b),
            (Op::Lshr, &[a, b]) => Node::Lshr(a, b),
            (Op::Ashr, &[a, b]) => Node::Ashr(a, b),
            (Op::Slt, &[a, b]) => Node::Slt(a, b),
            (Op::IntLt, &[a, b]) => Node::IntLt(a, b),
            (Op::Forall, [bound @ .., body]) => Node::Forall(bound, *body),
            (Op::Exists, [bound @ .., body]) => Node::Exists(bound, *body),
            (op, _) => unreachable!("a node {op:?} has {} operands", operands.len()),
        }
    }

    /// The operands of a term; of a quantifier, its variables and then its body.
    pub fn operands(&self, term: Term) -> &[Term] {
        let entry = &self.entries[term.0 as usize];
        if entry.op.is_literal() {
            return &[];
        }
        &self.operands[entry.start as usize..][..entry.len as usize]
    }

    /// The variables that occur free in a term, in ascending order.
    pub fn free_variables(&self, term: Term) -> &[Term] {
        self.variables.members(self.entries[term.0 as usize].free)
    }

    /// Whether the term is a variable.
    pub fn is_variable(&self, term: Term) -> bool {
        self.op(term) == Op::Variable
    }

    /// The name of a function, constant or variable: a simple symbol of SMT-LIB.
    pub fn name(&self, func: Func) -> &str {
        &self.functions[func.0 as usize].name
    }

    /// The argument sorts and the sort of the result.
    pub fn signature(&self, func: Func) -> (&[Sort], Sort) {
        let declaration = &self.functions[func.0 as usize];
        (&declaration.domain, declaration.range)
    }

    /// Whether the symbol is a variable: a constant that a quantifier may bind.
    pub fn is_bindable(&self, func: Func) -> bool {
        self.functions[func.0 as usize].variable
    }

    /// The functions, constants and variables (bound ones included) that occur in a term, in ascending order.
    pub fn functions_in(&mut self, term: Term) -> &[Func] {
        let mut work = vec![term];
        while let Some(&top) = work.last() {
            if self.used.contains_key(&top) {
                work.pop();
                continue;
            }
            let before = work.len();
            work.extend(
                self.operands(top)
                    .iter()
                    .filter(|operand| !self.used.contains_key(*operand)),
            );
            if work.len() > before {
                continue;
            }
            work.pop();
            let mut set = match self.node(top) {
                Node::Apply(func, _) | Node::Variable(func) => self.function_sets.intern(&[func]),
                _ => SetId::EMPTY,
            };
            for position in 0..self.operands(top).len() {
                let below = self.used[&self.operands(top)[position]];
                set = self.function_sets.union(set, below);
            }
            self.used.insert(top, set);
        }
        self.function_sets.members(self.used[&term])
    }

    pub(super) fn op(&self, term: Term) -> Op {
        self.entries[term.0 as usize].op
    }

    /// The value of a literal word.
    pub(super) fn word_value(&self, term: Term) -> Option<u64> {
        let entry = &self.entries[term.0 as usize];
        (entry.op == Op::Word).then(|| entry.bits())
    }

    /// The value of a literal integer.
    pub(super) fn int_value(&self, term: Term) -> Option<i64> {
        let entry = &self.entries[term.0 as usize];
        (entry.op == Op::Int).then(|| entry.bits().cast_signed())
    }

    /// Whether the term is a literal of any sort.
    pub(super) fn is_literal(&self, term: Term) -> bool {
        self.op(term).is_literal()
    }

    /// The operands of a binary node.
    pub(super) fn pair(&self, term: Term) -> (Term, Term) {
        match self.operands(term) {
            &[a, b] => (a, b),
            other => unreachable!("a binary node has {} operands", other.len()),
        }
    }

    /// Finds or makes the node with this operator and these operands, as they are.
    pub(super) fn intern(&mut self, op: Op, sort: Sort, func: u32, operands: &[Term]) -> Term {
        let hash = hash_node(op, func, operands);
        let found = self.table.find(hash, |&index| {
            let entry = &self.entries[index as usize];
            entry.op == op
                && entry.func == func
                && entry.len as usize == operands.len()
                && self.operands[entry.start as usize..][..operands.len()] == *operands
        });
        if let Some(&index) = found {
            return Term(index);
        }
        if self.is_full(1 + operands.len()) {
            return self.placeholders[sort as usize];
        }
        let start = index_of(self.operands.len());
        self.operands.extend_from_slice(operands);
        let free = self.free_set(op, operands);
        let len = index_of(operands.len());
        self.push(
            hash,
            Entry {
                op,
                sort,
                func,
                start,
                len,
                free,
            },
        )
    }

    fn literal(&mut self, op: Op, sort: Sort, bits: u64) -> Term {
        let hash = hash_literal(op, bits);
        let found = self.table.find(hash, |&index| {
            let entry = &self.entries[index as usize];
            entry.op == op && entry.bits() == bits
        });
        if let Some(&index) = found {
            return Term(index);
        }
        if self.is_full(1) {
            return self.placeholders[sort as usize];
        }
        let (start, len) = (low(bits), low(bits >> 32));
        self.push(
            hash,
            Entry {
                op,
                sort,
                func: 0,
                start,
                len,
                free: SetId::EMPTY,
            },
        )
    }

    fn push(&mut self, hash: u64, entry: Entry) -> Term {
        let index = index_of(self.entries.len());
        self.entries.push(entry);
        if entry.op == Op::Variable {
            // Only now has the variable an index to be a member of its own set.
            self.entries[index as usize].free = self.variables.intern(&[Term(index)]);
        }
        let Terms {
            table,
            entries,
            operands,
            ..
        } = self;
        table.insert_unique(hash, index, |&other| {
            let entry = &entries[other as usize];
            if entry.op.is_literal() {
                hash_literal(entry.op, entry.bits())
            } else {
                hash_node(
                    entry.op,
                    entry.func,
                    &operands[entry.start as usize..][..entry.len as usize],
                )
            }
        });
        Term(index)
    }

    fn is_full(&mut self, more: usize) -> bool {
        // The indices are 32 bits wide; half of that is a limit without a budget too.
        let limit = self.budget.min(u32::MAX as usize / 2);
        let full = self.size().saturating_add(more) > limit;
        self.exhausted |= full;
        full
    }

    fn declaration(&mut self, name: &str, domain: &[Sort], range: Sort, variable: bool) -> Func {
        let func = Func(index_of(self.functions.len()));
        let name = self.names.unique(name);
        self.functions.push(Declaration {
            name,
            domain: domain.into(),
            range,
            variable,
        });
        func
    }

    fn free_set(&mut self, op: Op, operands: &[Term]) -> SetId {
        let (bound, open) = match (op, operands) {
            (Op::Forall | Op::Exists, [bound @ .., _]) => (bound, &operands[bound.len()..]),
            _ => (&[][..], operands),
        };
        let mut free = SetId::EMPTY;
        for operand in open {
            free = self
                .variables
                .union(free, self.entries[operand.0 as usize].free);
        }
        if bound.is_empty() {
            free
        } else {
            self.variables.without(free, bound)
        }
    }
}

impl Entry {
    fn bits(&self) -> u64 {
        u64::from(self.start) | u64::from(self.len) << 32
    }
}

impl Op {
    fn is_literal(self) -> bool {
        matches!(self, Op::Bool | Op::Word | Op::Int)
    }
}

fn hash_node(op: Op, func: u32, operands: &[Term]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(u64::from(func) << 8 | op as u64);
    for operand in operands {
        hasher.write_u32(operand.0);
    }
    hasher.finish()
}

fn hash_literal(op: Op, bits: u64) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(op as u64);
    hasher.write_u64(bits);
    hasher.finish()
}

fn index_of(length: usize) -> u32 {
    u32::try_from(length).expect("the arena's size is limited to half of 2^32")
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the low half is what is wanted"
)]
fn low(bits: u64) -> u32 {
    bits as u32
}
