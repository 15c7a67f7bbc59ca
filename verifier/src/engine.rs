//! Asking a goal: small bounded searches for a violation, the proof for any
//! size, then larger searches.
//!
//! The order matters: on a false goal the quantified search runs to its limit
//! while the bounded one answers in a millisecond, and on a true one it is the
//! other way round. What a search finds is replayed by the interpreter before
//! anybody sees it.

mod clash;

use std::collections::BTreeMap;

use progmp_ir::{Domain, Needs, Program, SchedState, State};

use self::clash::Clash;
use crate::bounded::Bounded;
use crate::concrete::{seed_that_shows, shows};
use crate::goal::Goal;
use crate::judge::{Judge, Run};
use crate::model::state_of;
use crate::report::{Effort, Size};
use crate::sample::Samples;
use crate::smt::{Answer, Limits, Node, Profile, Room, Solver, Term, Terms};
use crate::unbounded::{Arithmetic, Unbounded};

/// Limits of a whole check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Z3 resource units that one query may take.
    pub rlimit: u64,
    /// Terms that one encoding may have.
    pub terms: usize,
    /// The host's fuel: consecutive executions without progress.
    pub fuel: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rlimit: 2_000_000,
            terms: 4_000_000,
            fuel: 256,
        }
    }
}

impl Options {
    /// A file may take as much effort as so many queries that run to their limit.
    pub const QUERIES: u64 = 50;
    /// Statements that a program may have: more are not judged.
    pub const STATEMENTS: usize = 1_000;
}

/// The answer to a goal that is hoped to be impossible.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It cannot happen, for this size.
    Impossible(Size),
    /// It happens here.
    Possible(Box<SchedState>),
    /// Not decided, and why.
    Open(String),
}

/// Sizes tried before the proof for any size.
const SMALL: [(usize, usize); 2] = [(1, 1), (2, 2)];
/// … after it.
const LARGER: [(usize, usize); 3] = [(3, 3), (5, 2), (2, 5)];
/// The size of a bounded proof.
const LARGEST: (usize, usize) = (Size::ACCEPTED.0 as usize, Size::ACCEPTED.1 as usize);

/// One encoding of one program with its solver.
pub(crate) struct Side<D: Domain> {
    pub(crate) domain: D,
    pub(crate) runs: Vec<Run<D>>,
    solver: Solver,
    /// A solver without base facts, for queries that bring their own.
    lean: Option<Solver>,
    /// The same of words as integers: shortly, in parts, and at length.
    numbers: [Option<Solver>; 3],
    asserted: usize,
    room: Room,
    /// Lean queries without a model, as scripts, if somebody wants them.
    pub(crate) scripts: Option<Vec<String>>,
    /// What was found to clash.
    clashes: Vec<Clash>,
    /// What was asked and not found to clash.
    open: Vec<Vec<Term>>,
}

/// What an encoding offers to [`Side`].
pub(crate) trait Encoding: Judge<Bool = Term, Int = Term> {
    fn terms(&mut self) -> &mut Terms;
    fn facts(&self) -> &[Term];
    fn start(&mut self) -> State<Self>;
    fn run(&mut self, program: &Program, before: State<Self>) -> Run<Self>;
}

impl Encoding for Bounded {
    fn terms(&mut self) -> &mut Terms {
        &mut self.terms
    }
    fn facts(&self) -> &[Term] {
        &self.facts
    }
    fn start(&mut self) -> State<Self> {
        self.initial()
    }
    fn run(&mut self, program: &Program, before: State<Self>) -> Run<Self> {
        self.execute(program, before)
    }
}

impl Encoding for Unbounded {
    fn terms(&mut self) -> &mut Terms {
        &mut self.terms
    }
    fn facts(&self) -> &[Term] {
        &self.axioms
    }
    fn start(&mut self) -> State<Self> {
        self.initial()
    }
    fn run(&mut self, program: &Program, before: State<Self>) -> Run<Self> {
        self.execute(program, before)
    }
}

impl<D: Encoding> Side<D> {
    pub(crate) fn new(room: &Room, mut domain: D, profile: Profile, options: Options) -> Self {
        domain.terms().set_budget(options.terms);
        let solver = Solver::new(
            room,
            profile,
            Limits {
                rlimit: options.rlimit,
            },
        );
        Self {
            domain,
            runs: Vec::new(),
            solver,
            lean: None,
            numbers: [None, None, None],
            asserted: 0,
            room: room.clone(),
            scripts: None,
            clashes: Vec::new(),
            open: Vec::new(),
        }
    }

    /// At least `count` consecutive executions without progress between them: registers and USER
    /// values go on, everything else stays.
    pub(crate) fn runs(&mut self, program: &Program, count: usize) -> &[Run<D>] {
        while self.runs.len() < count {
            let mut before = self.domain.start();
            if let Some(last) = self.runs.last() {
                before.registers = last.after.registers;
                before.users = last.after.users.clone();
            }
            let run = self.domain.run(program, before);
            self.runs.push(run);
        }
        &self.runs
    }

    /// Builds a goal as a formula.
    pub(crate) fn formula(&mut self, program: &Program, goal: Goal) -> Term {
        self.runs(program, goal.executions());
        goal.build(&mut self.domain, program, &self.runs)
    }

    /// Whether the formulas have a model together; the solver keeps it until the next question.
    pub(crate) fn check(&mut self, formulas: &[Term]) -> Answer {
        if self.domain.terms().exhausted() {
            return Answer::Unknown(Answer::TERMS.to_owned());
        }
        let facts = self.domain.facts().len();
        for i in self.asserted..facts {
            let fact = self.domain.facts()[i];
            self.solver.assert(self.domain.terms(), fact);
        }
        self.asserted = facts;
        let never = |domain: &mut D, f: &Term| domain.terms().node(*f) == Node::Bool(false);
        if formulas.iter().any(|f| never(&mut self.domain, f)) {
            return Answer::Unsat;
        }
        self.solver.push();
        for &formula in formulas {
            self.solver.assert(self.domain.terms(), formula);
        }
        let answer = self.solver.check(self.domain.terms());
        if answer != Answer::Sat {
            self.solver.pop();
        }
        answer
    }

    /// Ends the use of the model of a satisfiable [`Side::check`].
    pub(crate) fn done(&mut self) {
        self.solver.pop();
    }

    pub(crate) fn solver(&mut self) -> (&mut D, &mut Solver) {
        (&mut self.domain, &mut self.solver)
    }
}

impl Side<Unbounded> {
    /// Whether a formula has a model, by all axioms.
    fn check_all(&mut self, formula: Term, rlimit: u64) -> Answer {
        self.solver.limit(Limits { rlimit });
        let answer = self.check(&[formula]);
        if answer == Answer::Sat {
            self.done();
        }
        answer
    }
}

/// What a search at one size found.
pub(crate) enum Found {
    /// A state, replayed.
    State(Box<SchedState>),
    /// Nothing, and there is nothing at this size.
    Nothing,
    /// Nothing, for want of a resource or of a seed.
    Open(String),
}

/// All encodings of one program.
pub(crate) struct Engine<'p> {
    pub(crate) program: &'p Program,
    pub(crate) needs: Needs,
    pub(crate) options: Options,
    pub(crate) effort: Effort,
    /// Where all of it is asked.
    pub(crate) room: Room,
    proofs: [Option<Box<Side<Unbounded>>>; 3],
    searches: BTreeMap<(usize, usize), Side<Bounded>>,
    samples: Option<Samples>,
    /// What was found about duplicates, if it is no longer open.
    pub(crate) duplicates: Option<crate::report::Finding>,
    /// Little effort only: for what is reported and never gates.
    pub(crate) thrifty: bool,
    /// Formulas proved unsatisfiable, for export.
    pub(crate) proved: Vec<(String, Arithmetic, Term)>,
}

impl<'p> Engine<'p> {
    pub(crate) fn new(program: &'p Program, options: Options) -> Self {
        Self {
            program,
            needs: Needs::of(program),
            options,
            effort: Effort::default(),
            room: Room::with_budget(options.rlimit.saturating_mul(Options::QUERIES)),
            proofs: [None, None, None],
            samples: None,
            duplicates: None,
            thrifty: false,
            searches: BTreeMap::new(),
            proved: Vec::new(),
        }
    }

    /// What was spent.
    pub(crate) fn effort(&mut self) -> Effort {
        let mut effort = self.effort;
        for side in self.proofs.iter_mut().flatten() {
            effort.terms += side.domain.terms.len() as u64;
            effort.rlimit += side.solver.rlimit_used();
            effort.rlimit += side.lean.as_mut().map_or(0, Solver::rlimit_used);
            let numbers = side.numbers.iter_mut().flatten();
            effort.rlimit += numbers.map(Solver::rlimit_used).sum::<u64>();
        }
        for side in self.searches.values_mut() {
            effort.terms += side.domain.terms.len() as u64;
            effort.rlimit += side.solver.rlimit_used();
        }
        effort
    }

    /// The bounded encoding of this size.
    pub(crate) fn bounded(&mut self, size: (usize, usize)) -> &mut Side<Bounded> {
        let (room, options) = (&self.room, self.options);
        self.searches.entry(size).or_insert_with(|| {
            let domain = Bounded::new(size.0, size.1);
            Side::new(room, domain, Profile::Search, options)
        })
    }

    /// The unbounded encoding.
    pub(crate) fn unbounded(&mut self, arithmetic: Arithmetic) -> &mut Side<Unbounded> {
        let (room, program, options) = (&self.room, self.program, self.options);
        self.proofs[arithmetic as usize].get_or_insert_with(|| {
            let domain = Unbounded::new(room, program, arithmetic);
            let mut side = Side::new(room, domain, Profile::Proof, options);
            side.runs(program, 1);
            Box::new(side)
        })
    }

    /// Whether exact words could decide what abstract arithmetic could not.
    pub(crate) fn has_hard_arithmetic(&self) -> bool {
        use progmp_ir::{ArithOp, ExprKind, SubflowInt};
        self.program.exprs.iter().any(|e| {
            matches!(
                e.kind,
                ExprKind::Arith(ArithOp::Mul | ArithOp::Div | ArithOp::Rem, ..)
                    | ExprKind::SubflowInt(SubflowInt::RttMs, _)
            )
        })
    }

    /// Looks for a state of at most this size, and replays what it finds.
    pub(crate) fn search_at(&mut self, goal: Goal, size: (usize, usize)) -> Found {
        self.effort.searches += 1;
        let program = self.program;
        let rlimit = match (self.thrifty, size == LARGEST) {
            (true, _) => self.options.rlimit / 40,
            (false, false) => self.options.rlimit,
            (false, true) => self.options.rlimit * 10,
        };
        let side = self.bounded(size);
        side.solver.limit(Limits { rlimit });
        let formula = side.formula(program, goal);
        match side.check(&[formula]) {
            Answer::Unsat => Found::Nothing,
            Answer::Unknown(why) => Found::Open(why),
            Answer::Sat => {
                let (domain, solver) = side.solver();
                let (mut state, hints) = state_of(domain, solver);
                side.done();
                if !self.needs.uses_random() {
                    assert!(
                        shows(program, &state, goal),
                        "a model of {goal:?} does not replay: {state:?}"
                    );
                    return Found::State(Box::new(state));
                }
                match seed_that_shows(program, &state, goal, &hints) {
                    Some(seed) => {
                        state.seed = seed;
                        Found::State(Box::new(state))
                    }
                    None => Found::Open("no seed of RANDOM was found".to_owned()),
                }
            }
        }
    }

    /// Whether this size allows the goal, without a replay. Only a hint.
    pub(crate) fn allows(&mut self, goal: Goal, size: (usize, usize)) -> bool {
        self.effort.searches += 1;
        let program = self.program;
        let side = self.bounded(size);
        let formula = side.formula(program, goal);
        let sat = side.check(&[formula]) == Answer::Sat;
        if sat {
            side.done();
        }
        sat
    }

    /// Whether this size allows the first goal without the second. Only a hint.
    pub(crate) fn allows_but(&mut self, goal: Goal, not: Goal, size: (usize, usize)) -> bool {
        self.effort.searches += 1;
        let program = self.program;
        let side = self.bounded(size);
        let formula = side.formula(program, goal);
        let other = side.formula(program, not);
        let other = side.domain.terms.not(other);
        let sat = side.check(&[formula, other]) == Answer::Sat;
        if sat {
            side.done();
        }
        sat
    }

    /// Up to `count` states that meet the goal and differ in registers or USER values.
    pub(crate) fn several(
        &mut self,
        goal: Goal,
        size: (usize, usize),
        count: usize,
    ) -> Vec<SchedState> {
        let program = self.program;
        let mut found: Vec<SchedState> = Vec::new();
        let side = self.bounded(size);
        let formula = side.formula(program, goal);
        let mut formulas = vec![formula];
        while found.len() < count {
            if side.check(&formulas) != Answer::Sat {
                break;
            }
            let (domain, solver) = side.solver();
            let (state, _) = state_of(domain, solver);
            side.done();
            let others = side.domain.differs_from(&state);
            formulas.push(others);
            found.push(state);
        }
        self.effort.searches += u32::try_from(found.len()).unwrap_or(u32::MAX) + 1;
        found
    }

    /// Whether in these surroundings every execution changes registers or USER values and does
    /// nothing else, whatever those hold.
    pub(crate) fn never_settles(&mut self, state: &SchedState, size: (usize, usize)) -> bool {
        self.effort.searches += 1;
        let program = self.program;
        let goal = Goal::KeepsChanging {
            executions: 1,
            case: None,
        };
        let side = self.bounded(size);
        let changes = side.formula(program, goal);
        let mut formulas = side.domain.frozen(state);
        formulas.push(side.domain.terms.not(changes));
        let answer = side.check(&formulas);
        if answer == Answer::Sat {
            side.done();
        }
        answer == Answer::Unsat
    }

    /// Looks for a state, size by size.
    pub(crate) fn search(&mut self, goal: Goal, sizes: &[(usize, usize)]) -> Found {
        let mut open = None;
        for &size in sizes {
            match self.search_at(goal, size) {
                Found::Nothing => {}
                Found::Open(why) => open = Some(why),
                Found::State(state) => return Found::State(state),
            }
        }
        open.map_or(Found::Nothing, Found::Open)
    }

    /// Fewest subflows first, then fewest packets.
    fn smaller(
        &mut self,
        goal: Goal,
        (subflows, packets): (usize, usize),
        state: Box<SchedState>,
    ) -> Box<SchedState> {
        let (most_subflows, most_packets) = (
            state.subflows.len().min(subflows),
            state.packets.len().min(packets),
        );
        for n in 0..=most_subflows.min(4) {
            for m in 0..=packets.min(4) {
                if (n, m) >= (most_subflows, most_packets) {
                    return state;
                }
                if let Found::State(smaller) = self.search_at(goal, (n, m)) {
                    return smaller;
                }
            }
        }
        state
    }

    /// Tries to show that a goal is impossible at any size.
    pub(crate) fn impossible(&mut self, goal: Goal) -> Result<(), String> {
        self.impossible_with(goal, self.options.rlimit)
    }

    fn impossible_with(&mut self, goal: Goal, rlimit: u64) -> Result<(), String> {
        self.refute(&format!("{goal:?}"), rlimit, |side, program| {
            side.formula(program, goal)
        })
    }

    /// Tries to show that a formula over the unbounded encoding has no model.
    pub(crate) fn refute(
        &mut self,
        name: &str,
        rlimit: u64,
        formula: impl Fn(&mut Side<Unbounded>, &Program) -> Term,
    ) -> Result<(), String> {
        let modes = [Arithmetic::Abstract, Arithmetic::Exact];
        self.refute_in(&modes, name, rlimit, formula)
    }

    fn refute_in(
        &mut self,
        modes: &[Arithmetic],
        name: &str,
        rlimit: u64,
        formula: impl Fn(&mut Side<Unbounded>, &Program) -> Term,
    ) -> Result<(), String> {
        let mut reason = String::new();
        for &arithmetic in modes {
            if arithmetic == Arithmetic::Exact && !self.has_hard_arithmetic() {
                break;
            }
            self.effort.proofs += 1;
            let (program, most) = (self.program, self.options.rlimit);
            let side = self.unbounded(arithmetic);
            let goal = formula(side, program);
            let answer = match side.check_lean(goal, rlimit) {
                Answer::Unsat => Answer::Unsat,
                answer if rlimit < most => answer,
                _ => side.check_all(goal, rlimit),
            };
            match answer {
                Answer::Unsat => {
                    self.proved.push((name.to_owned(), arithmetic, goal));
                    return Ok(());
                }
                Answer::Sat => reason = String::from("the encoding for any size allows it"),
                Answer::Unknown(why) => reason = why,
            }
        }
        Err(reason)
    }

    /// A state of the fixed sample that shows the goal.
    pub(crate) fn sampled(&mut self, goal: Goal) -> Option<SchedState> {
        let (program, needs) = (self.program, &self.needs);
        let samples = self
            .samples
            .get_or_insert_with(|| Samples::new(program, needs));
        samples.find(program, goal)
    }

    /// So many states of the fixed sample that show the goal.
    pub(crate) fn samples_of(&mut self, goal: Goal, count: usize) -> Vec<SchedState> {
        let (program, needs) = (self.program, &self.needs);
        let samples = self
            .samples
            .get_or_insert_with(|| Samples::new(program, needs));
        samples.all(program, goal).take(count).cloned().collect()
    }

    /// A state that shows the goal, as small as the small searches find one.
    fn smallest_like(&mut self, goal: Goal, state: SchedState) -> Box<SchedState> {
        match self.search(goal, &SMALL) {
            Found::State(smaller) => smaller,
            _ => Box::new(state),
        }
    }

    /// Decides whether a violation can happen; a state that shows it is as small as possible.
    pub(crate) fn decide(&mut self, goal: Goal) -> Decision {
        match self.settle(goal, &LARGER, true) {
            Decision::Possible(state) => {
                let size = (state.subflows.len(), state.packets.len());
                Decision::Possible(self.smaller(goal, size, state))
            }
            other => other,
        }
    }

    /// Decides whether a situation can be reached; any state will do.
    pub(crate) fn reach(&mut self, goal: Goal) -> Decision {
        let most = |kind| usize::try_from(self.needs.elements(kind, 16)).unwrap_or(16);
        let wide = (
            most(progmp_ir::Kind::Subflow).max(2),
            most(progmp_ir::Kind::Packet).max(2),
        );
        self.settle(goal, &[(3, 3), wide, (5, 2), (2, 5)], false)
    }

    /// The same for what is likely: small searches before the proof that it is not so.
    pub(crate) fn reach_likely(&mut self, goal: Goal) -> Decision {
        if let Some(state) = self.sampled(goal) {
            return Decision::Possible(Box::new(state));
        }
        match self.search(goal, &SMALL) {
            Found::State(state) => Decision::Possible(state),
            _ => self.reach(goal),
        }
    }

    /// Samples, a proof with little effort, small searches, a proof with all effort, and, where a
    /// bounded proof counts, the largest size.
    fn settle(&mut self, goal: Goal, larger: &[(usize, usize)], bounded_proof: bool) -> Decision {
        if let Some(state) = self.sampled(goal) {
            return Decision::Possible(if bounded_proof {
                self.smallest_like(goal, state)
            } else {
                Box::new(state)
            });
        }
        let little = if self.thrifty { 16 } else { 8 };
        if self
            .impossible_with(goal, self.options.rlimit / little)
            .is_ok()
        {
            return Decision::Impossible(Size::Any);
        }
        if self.thrifty {
            return match self.search(goal, &SMALL) {
                Found::State(state) => Decision::Possible(state),
                Found::Open(why) => Decision::Open(why),
                Found::Nothing => Decision::Open(
                    "neither an example with 2 subflows and 2 packets nor a quick proof".to_owned(),
                ),
            };
        }
        let mut open = None;
        for sizes in [&SMALL, larger] {
            match self.search(goal, sizes) {
                Found::State(state) => return Decision::Possible(state),
                Found::Open(why) => open = Some(why),
                Found::Nothing => {}
            }
        }
        let Err(reason) = self.impossible(goal) else {
            return Decision::Impossible(Size::Any);
        };
        if !bounded_proof {
            return Decision::Open(open.unwrap_or(reason));
        }
        let sums = |e: &progmp_ir::Expr| matches!(e.kind, progmp_ir::ExprKind::Sum(..));
        if self.program.exprs.iter().any(sums) {
            let formula =
                |side: &mut Side<Unbounded>, program: &Program| side.formula(program, goal);
            let name = format!("{goal:?} up to 65535");
            let rlimit = self.options.rlimit;
            if self
                .refute_in(&[Arithmetic::Counted], &name, rlimit, formula)
                .is_ok()
            {
                let most = (1 << Arithmetic::Counted.list_bits()) - 1;
                return Decision::Impossible(Size::UpTo {
                    subflows: most,
                    packets: most,
                });
            }
        }
        match self.search_at(goal, LARGEST) {
            Found::State(state) => Decision::Possible(state),
            Found::Open(why) => Decision::Open(format!("{reason}; {why} at {LARGEST:?}")),
            Found::Nothing => Decision::Impossible(Size::UpTo {
                subflows: Size::ACCEPTED.0,
                packets: Size::ACCEPTED.1,
            }),
        }
    }
}
