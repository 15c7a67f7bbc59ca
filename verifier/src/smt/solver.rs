//! The only place that asks Z3.
//!
//! # Determinism
//!
//! Every [`Solver`] works in a [`Room`], one Z3 context made afresh: what it
//! answers, its models and its use of `rlimit` depend only on the calls made
//! in that room and on the terms, not on other rooms of the process, on other
//! threads or on the load of the machine. Whoever judges one program opens
//! one room: a context takes longer to make than a typical proof to find.
//! Effort is bounded by `rlimit` alone; there are no timeouts, and all seeds
//! are fixed.
//!
//! # Contexts in the `z3` crate
//!
//! The crate keeps one current context per thread and refuses to move its
//! objects into the closure that [`z3::with_z3_context`] runs, for fear of
//! mixing contexts. A solver therefore parks its objects in a thread-local
//! slot, enters its context and takes them out again (`Solver::enter`).

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use z3::ast::Bool;
use z3::{Config, Context, Model, Params, SatResult, Tactic, with_z3_config, with_z3_context};

use super::Value;
use super::numbers::Bits;
use super::print;
use super::size;
use super::term::{Node, Sort, Term, Terms};
use super::translate::{Image, Translator};

/// How much effort one check may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Z3's resource limit per check; at least 1, at most `u32::MAX`, else it is moved there.
    pub rlimit: u64,
}

/// What a solver is going to be used for; either takes all formulas.
///
/// Both check from scratch each time, push and pop or not. Z3's incremental
/// core saves little on queries of a millisecond, and was lost for a minute
/// on a proof that takes less than a second the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Quantified formulas that are hoped to be unsatisfiable.
    Proof,
    /// Quantifier-free formulas, asked one after the other with push and pop.
    Search,
    /// As `Proof`, of words as integers (`numbers.rs`), by instances that the formulas suggest.
    Numbers,
    /// The same of several formulas, of which Z3 names those that it used (`named_parts`).
    NumbersInParts,
    /// The same by everything that Z3 knows; it takes longer.
    NumbersAtLength,
    /// As `Numbers`, without quantifiers.
    Whole,
    /// One large quantifier-free formula that is hoped to be unsatisfiable.
    Exhaust,
}

impl Profile {
    /// Whether words are integers.
    pub(crate) const fn is_numeric(self) -> bool {
        matches!(
            self,
            Self::Numbers | Self::NumbersInParts | Self::NumbersAtLength | Self::Whole
        )
    }
}

/// The answer to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All assertions hold in some model.
    Sat,
    /// No model meets all assertions.
    Unsat,
    /// Not decided, and why: [`Answer::RLIMIT`], [`Answer::BUDGET`], [`Answer::TERMS`] or Z3's own words.
    Unknown(String),
}

impl Answer {
    /// The reason of an unknown when the resource limit ran out.
    pub const RLIMIT: &str = "rlimit";
    /// The reason of an unknown when the checks of a room have used up its budget.
    pub const BUDGET: &str = "rlimit of the whole file";
    /// The reason of an unknown when the terms outgrew their budget.
    pub const TERMS: &str = "terms";
}

/// What solvers share that are asked about one program: a Z3 context, made when it is first needed.
///
/// Assertions are not shared. The order of the calls in a room may show in its answers, so a room
/// is for one program, not for one process.
#[derive(Clone, Debug)]
pub struct Room(Rc<Inside>);

#[derive(Debug)]
struct Inside {
    context: OnceCell<Context>,
    /// Resource units that all checks together may still use.
    left: Cell<u64>,
}

impl Room {
    /// A room with nothing in it, and no limit for all checks together.
    pub fn new() -> Self {
        Self::with_budget(u64::MAX)
    }

    /// A room in which all checks together may use so many of Z3's resource units.
    pub fn with_budget(units: u64) -> Self {
        Self(Rc::new(Inside {
            context: OnceCell::new(),
            left: Cell::new(units),
        }))
    }

    fn context(&self) -> &Context {
        self.0.context.get_or_init(|| {
            with_z3_config(&Config::new(), || {
                MADE.set(Some(Context::thread_local()));
            });
            MADE.take().expect("the context was parked just now")
        })
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// A stack of assertions, and Z3 to check them.
///
/// A solver takes terms of one arena only: the one that its first call names.
#[derive(Debug)]
pub struct Solver {
    /// Absent only while the context is entered.
    session: Option<Session>,
    asserted: Vec<Term>,
    /// The places in `asserted` of what Z3 may name.
    parts: Vec<usize>,
    /// The length of `asserted` at each push.
    marks: Vec<usize>,
    profile: Profile,
    limits: Limits,
    room: Room,
}

/// What stands for an assertion when Z3 names it; no function of a formula has a number for a name.
fn label(place: usize) -> Bool {
    let number = u32::try_from(place).expect("assertions are few");
    Bool::new_const(number)
}

/// What Z3 is told besides its effort.
fn params(profile: Profile) -> Params {
    let mut params = Params::new();
    params.set_u32("random_seed", 0);
    if matches!(profile, Profile::Numbers | Profile::NumbersInParts) {
        // Models of quantified formulas are not wanted, and the search for them takes half of the time.
        params.set_bool("auto_config", false);
        params.set_bool("mbqi", false);
    }
    if profile == Profile::NumbersInParts {
        // Z3 reads it when the first assertion comes.
        params.set_bool("unsat_core", true);
    }
    params
}

/// All objects of one Z3 context.
#[derive(Debug)]
struct Session {
    profile: Profile,
    context: Context,
    solver: z3::Solver,
    translator: Translator,
    model: Option<Model>,
    /// Resources used by the checks so far.
    used: u64,
    /// The limit that Z3 was told last.
    rlimit: u32,
}

thread_local! {
    static MADE: RefCell<Option<Context>> = const { RefCell::new(None) };
    static PARKED: RefCell<Option<Session>> = const { RefCell::new(None) };
}

impl Solver {
    /// A solver without assertions.
    pub fn new(room: &Room, profile: Profile, limits: Limits) -> Solver {
        with_z3_context(room.context(), || {
            let session = Session::new(profile);
            PARKED.with_borrow_mut(|slot| *slot = Some(session));
        });
        Solver {
            session: PARKED.take(),
            asserted: Vec::new(),
            parts: Vec::new(),
            marks: Vec::new(),
            profile,
            limits,
            room: room.clone(),
        }
    }

    /// Changes how much effort each check from here on may take.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Opens a level: what is asserted from here on is forgotten by the next [`Solver::pop`].
    pub fn push(&mut self) {
        self.marks.push(self.asserted.len());
        self.enter(|session| session.solver.push());
    }

    /// Forgets what was asserted since the last [`Solver::push`].
    ///
    /// # Panics
    /// If there was none.
    pub fn pop(&mut self) {
        let mark = self.marks.pop().expect("each pop has its push");
        self.asserted.truncate(mark);
        self.parts.retain(|&place| place < mark);
        self.enter(|session| session.solver.pop(1));
    }

    /// Adds an assertion.
    ///
    /// # Panics
    /// If the term is not a truth value.
    pub fn assert(&mut self, terms: &Terms, assertion: Term) {
        self.asserted.push(assertion);
        self.enter(|session| {
            let formula = session.translator.formula(terms, assertion);
            session.solver.assert(&formula);
        });
    }

    /// Adds an assertion that Z3 may name among those that have no model. The profile must name parts.
    pub(crate) fn assert_part(&mut self, terms: &Terms, assertion: Term) {
        let place = self.asserted.len();
        self.asserted.push(assertion);
        self.parts.push(place);
        self.enter(|session| {
            let formula = session.translator.formula(terms, assertion);
            session.solver.assert_and_track(formula, &label(place));
        });
    }

    /// After a check without a model: parts that have none together with what is no part.
    pub(crate) fn named_parts(&mut self) -> Vec<Term> {
        let parts = self.parts.clone();
        let named = self.enter(|session| {
            let core = session.solver.get_unsat_core();
            let mut named = parts;
            named.retain(|&place| core.contains(&label(place)));
            named
        });
        named
            .into_iter()
            .map(|place| self.asserted[place])
            .collect()
    }

    /// Makes known how many bits the values of functions have, for what is asserted from here on.
    pub(crate) fn learn(&mut self, bits: &Bits) {
        self.enter(|session| session.translator.learn(bits));
    }

    /// Asserts that the values of all functions in the assertions are words, where words are integers.
    pub(crate) fn assert_ranges(&mut self, terms: &mut Terms) {
        let mut functions = std::collections::BTreeSet::new();
        for assertion in self.asserted.clone() {
            functions.extend(terms.functions_in(assertion).iter().copied());
        }
        functions.retain(|&func| terms.signature(func).1 == Sort::Word);
        let terms = &*terms;
        self.enter(|session| {
            for func in functions {
                let fact = session.translator.in_range(terms, func);
                session.solver.assert(&fact);
            }
        });
    }

    /// Asserts that what occurs in the assertions as a word is one, where words are integers. For formulas without
    /// quantifiers it says as much as [`Self::assert_ranges`], and without one.
    pub(crate) fn assert_values(&mut self, terms: &Terms) {
        let mut seen: std::collections::BTreeSet<Term> = self.asserted.iter().copied().collect();
        let mut open = self.asserted.clone();
        while let Some(term) = open.pop() {
            if let Node::Apply(func, _) = terms.node(term)
                && terms.sort(term) == Sort::Word
            {
                self.enter(|session| {
                    let fact = session.translator.value_in_range(terms, term, func);
                    session.solver.assert(&fact);
                });
            }
            for &operand in terms.operands(term) {
                if seen.insert(operand) {
                    open.push(operand);
                }
            }
        }
    }

    /// Checks the assertions. The answer is unknown if the terms are exhausted.
    pub fn check(&mut self, terms: &Terms) -> Answer {
        if terms.exhausted() {
            return Answer::Unknown(Answer::TERMS.to_owned());
        }
        let left = self.room.0.left.get();
        if left == 0 {
            return Answer::Unknown(Answer::BUDGET.to_owned());
        }
        let size = size::clauses(terms, &self.asserted);
        let rlimit = match self.profile {
            Profile::Whole | Profile::Search | Profile::Exhaust => self.limits.rlimit,
            _ => size::fair_share(self.limits.rlimit, size),
        };
        let rlimit = rlimit.min(left);
        let (answer, used) = self.enter(|session| session.check(rlimit));
        self.room
            .0
            .left
            .set(left.saturating_sub(used.saturating_add(size)));
        answer
    }

    /// The value of a truth value, word or integer in the model of the last check, if that was satisfiable.
    ///
    /// What the model leaves open gets some value. Elements of uninterpreted
    /// sorts are numbered: equal numbers are equal elements of one sort.
    pub fn model_value(&mut self, terms: &Terms, term: Term) -> Option<Value> {
        self.enter(|session| session.value(terms, term))
    }

    /// Z3's count of resources that this solver has used so far.
    pub fn rlimit_used(&mut self) -> u64 {
        self.enter(|session| session.used)
    }

    /// The assertions as they stand, as an SMT-LIB script for any solver.
    pub fn export(&self, terms: &Terms) -> String {
        print::script(terms, &self.asserted)
    }

    /// The assertions as they stand, oldest first.
    pub fn asserted(&self) -> &[Term] {
        &self.asserted
    }

    fn enter<R: Send + Sync>(&mut self, work: impl FnOnce(&mut Session) -> R + Send + Sync) -> R {
        let session = self
            .session
            .take()
            .expect("no other call on this solver is under way");
        let context = session.context.clone();
        PARKED.with_borrow_mut(|slot| *slot = Some(session));
        let result = with_z3_context(&context, || {
            let mut session = PARKED.take().expect("the session was parked just now");
            let result = work(&mut session);
            PARKED.with_borrow_mut(|slot| *slot = Some(session));
            result
        });
        self.session = PARKED.take();
        result
    }
}

impl Session {
    /// Makes the objects in the current context.
    fn new(profile: Profile) -> Session {
        let solver = match profile {
            Profile::Proof | Profile::NumbersAtLength => Tactic::new("default").solver(),
            Profile::Numbers | Profile::NumbersInParts | Profile::Whole => {
                Tactic::new("smt").solver()
            }
            Profile::Search => Tactic::new("simplify")
                .and_then(&Tactic::new("smt"))
                .solver(),
            Profile::Exhaust => [
                "propagate-values",
                "solve-eqs",
                "simplify",
                "bit-blast",
                "sat",
            ]
            .iter()
            .fold(Tactic::new("simplify"), |tactic, next| {
                tactic.and_then(&Tactic::new(next))
            })
            .solver(),
        };
        solver.set_params(&params(profile));
        Session {
            profile,
            context: Context::thread_local(),
            solver,
            translator: Translator::new(profile.is_numeric().then(Bits::new)),
            model: None,
            used: 0,
            rlimit: 0,
        }
    }

    /// Z3's count of resources used in this context.
    fn count(&self) -> u64 {
        match self.solver.get_statistics().value("rlimit count") {
            Some(z3::StatisticsValue::UInt(count)) => u64::from(count),
            _ => 0,
        }
    }

    /// The answer, and the units used.
    fn check(&mut self, rlimit: u64) -> (Answer, u64) {
        self.model = None;
        let rlimit = u32::try_from(rlimit.max(1)).unwrap_or(u32::MAX);
        if self.rlimit != rlimit {
            let mut params = params(self.profile);
            params.set_u32("rlimit", rlimit);
            self.solver.set_params(&params);
            self.rlimit = rlimit;
        }
        let before = self.count();
        let answer = self.solver.check();
        let used = self.count().saturating_sub(before);
        self.used += used;
        (self.answer(answer), used)
    }

    fn answer(&mut self, answer: SatResult) -> Answer {
        match answer {
            SatResult::Sat => {
                self.model = self.solver.get_model();
                Answer::Sat
            }
            SatResult::Unsat => Answer::Unsat,
            SatResult::Unknown => Answer::Unknown(self.reason()),
        }
    }

    fn reason(&self) -> String {
        let words = self.solver.get_reason_unknown().unwrap_or_default();
        // There are neither timeouts nor interrupts, so only the resource limit cancels.
        match words.as_str() {
            "canceled" | "max. resource limit exceeded" => Answer::RLIMIT.to_owned(),
            _ => words,
        }
    }

    fn value(&mut self, terms: &Terms, term: Term) -> Option<Value> {
        let model = self.model.as_ref()?;
        match self.translator.image(terms, term) {
            Image::Bool(image) => model.eval(&image, true)?.as_bool().map(Value::Bool),
            Image::Word(image) => model.eval(&image, true)?.as_u64().map(Value::Word),
            Image::Int(image) => model.eval(&image, true)?.as_i64().map(Value::Int),
            Image::Element(image) => {
                use z3::ast::Ast;
                let name = model.eval(&image, true)?.safe_decl().ok()?.name();
                name.rsplit_once("!val!")?
                    .1
                    .parse()
                    .ok()
                    .map(Value::Element)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smt::term::Sort;

    const LIMITS: Limits = Limits { rlimit: 1_000_000 };

    #[test]
    fn a_popped_assertion_no_longer_counts() {
        let mut terms = Terms::new();
        let x = terms.constant("x", Sort::Word);
        let five = terms.word(5);
        let below = terms.ult(x, five);
        let above = terms.ult(five, x);
        for profile in [Profile::Proof, Profile::Search] {
            let mut solver = Solver::new(&Room::new(), profile, LIMITS);
            solver.assert(&terms, below);
            solver.push();
            solver.assert(&terms, above);
            assert_eq!(solver.check(&terms), Answer::Unsat);
            solver.pop();
            assert_eq!(solver.check(&terms), Answer::Sat);
            let Some(Value::Word(value)) = solver.model_value(&terms, x) else {
                panic!("x has a value")
            };
            assert!(value < 5);
        }
    }

    #[test]
    fn a_quantified_theorem_is_unsatisfiable_when_negated() {
        let mut terms = Terms::new();
        let member = terms.declare("member", &[Sort::Packet], Sort::Bool);
        let position = terms.declare("position", &[Sort::Packet], Sort::Int);
        let x = terms.variable("x", Sort::Packet);
        let (first, other) = (
            terms.constant("first", Sort::Packet),
            terms.constant("other", Sort::Packet),
        );
        let [in_x, in_other] = [x, other].map(|p| terms.apply(member, &[p]));
        let [at_x, at_first, at_other] = [x, first, other].map(|p| terms.apply(position, &[p]));
        let before = terms.int_le(at_first, at_x);
        let body = terms.implies(in_x, before);
        let least = terms.forall(&[x], body);
        let earlier = terms.int_lt(at_other, at_first);
        let mut solver = Solver::new(&Room::new(), Profile::Proof, LIMITS);
        for assertion in [least, in_other, earlier] {
            solver.assert(&terms, assertion);
        }
        assert_eq!(solver.check(&terms), Answer::Unsat);
    }
}
