//! Z3 against the simplifier, the printer and itself.

use z3::{Config as Z3Config, SatResult, with_z3_config};

use super::*;

const LIMITS: Limits = Limits { rlimit: 300_000 };

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn z3_finds_no_difference_between_a_term_as_written_and_simplified(steps in steps(40)) {
        let mut machine = Machine::run(&steps);
        let pairs: Vec<Pair> = machine.pairs().filter(|pair| pair.raw != pair.simple).collect();
        let mut solver = Solver::new(&Room::new(), Profile::Proof, LIMITS);
        for pair in pairs {
            let equal = machine.terms.intern(Op::Eq, Sort::Bool, 0, &[pair.raw, pair.simple]);
            let different = machine.terms.intern(Op::Not, Sort::Bool, 0, &[equal]);
            solver.push();
            solver.assert(&machine.terms, different);
            prop_assert_ne!(solver.check(&machine.terms), Answer::Sat, "{:?}", pair);
            solver.pop();
        }
    }

    #[test]
    fn an_exported_script_gets_the_same_answer(steps in steps(60), picks: [u8; 3]) {
        let machine = Machine::run(&steps);
        let mut solver = Solver::new(&Room::new(), Profile::Proof, LIMITS);
        for pick_at in picks {
            solver.assert(&machine.terms, pick(&machine.bools, pick_at).simple);
        }
        let text = solver.export(&machine.terms);
        let here = solver.check(&machine.terms);
        let there = answer_to(&text);
        let decided = |answer: &Answer| !matches!(answer, Answer::Unknown(_));
        if decided(&here) && decided(&there) {
            prop_assert_eq!(here, there, "{}", text);
        }
    }

    #[test]
    fn a_model_gives_the_assertions_their_truth(steps in steps(60), picked: u8) {
        let machine = Machine::run(&steps);
        let terms = &machine.terms;
        let formula = pick(&machine.bools, picked).simple;
        let mut solver = Solver::new(&Room::new(), Profile::Search, LIMITS);
        solver.assert(terms, formula);
        if solver.check(terms) == Answer::Sat {
            prop_assert_ne!(solver.model_value(terms, formula), Some(Value::Bool(false)));
            let x = machine.words[0].simple;
            prop_assert!(matches!(solver.model_value(terms, x), Some(Value::Word(_))));
            let a = machine.packets[0].simple;
            prop_assert!(matches!(solver.model_value(terms, a), Some(Value::Element(_))));
        } else {
            prop_assert_eq!(solver.model_value(terms, formula), None);
        }
    }
}

/// What Z3 answers to a script that it reads itself.
fn answer_to(text: &str) -> Answer {
    with_z3_config(&Z3Config::new(), || {
        let solver = z3::Solver::new();
        let mut params = z3::Params::new();
        params.set_u32(
            "rlimit",
            u32::try_from(LIMITS.rlimit).expect("a small limit"),
        );
        solver.set_params(&params);
        let before = solver.get_assertions().len();
        solver.from_string(text);
        assert!(
            solver.get_assertions().len() > before,
            "Z3 does not read {text}"
        );
        match solver.check() {
            SatResult::Sat => Answer::Sat,
            SatResult::Unsat => Answer::Unsat,
            SatResult::Unknown => Answer::Unknown(String::new()),
        }
    })
}

#[test]
fn an_exported_theorem_is_a_theorem_to_others() {
    let mut terms = Terms::new();
    let follows = terms.declare("follows", &[Sort::Packet, Sort::Packet], Sort::Bool);
    let [x, y, z] = ["x", "y", "z"].map(|name| terms.variable(name, Sort::Packet));
    let [x_y, y_z, x_z, y_x] =
        [[x, y], [y, z], [x, z], [y, x]].map(|pair| terms.apply(follows, &pair));
    let chain = terms.and(&[x_y, y_z]);
    let step = terms.implies(chain, x_z);
    let transitive = terms.forall(&[x, y, z], step);
    let symmetric = terms.implies(x_y, y_x);
    let symmetric = terms.forall(&[x, y], symmetric);
    let some = terms.exists(&[y], x_y);
    let serial = terms.forall(&[x], some);
    let irreflexive = {
        let itself = terms.apply(follows, &[x, x]);
        let never = terms.not(itself);
        terms.forall(&[x], never)
    };
    let mut solver = Solver::new(&Room::new(), Profile::Proof, LIMITS);
    for assertion in [transitive, symmetric, serial] {
        solver.assert(&terms, assertion);
    }
    solver.push();
    solver.assert(&terms, irreflexive);
    assert_eq!(solver.check(&terms), Answer::Unsat);
    assert_eq!(answer_to(&solver.export(&terms)), Answer::Unsat);
    solver.pop();
    assert_eq!(solver.asserted(), [transitive, symmetric, serial]);
    assert_eq!(answer_to(&solver.export(&terms)), Answer::Sat);
}

/// Queries of growing difficulty: two factors of a number, the last one too hard for the limit.
struct Puzzle {
    terms: Terms,
    unknowns: [Term; 3],
    base: Vec<Term>,
    goals: Vec<Term>,
}

fn puzzle() -> Puzzle {
    let mut terms = Terms::new();
    let unknowns = ["x", "y", "z"].map(|name| terms.constant(name, Sort::Word));
    let [x, y, z] = unknowns;
    let limit = terms.word(1 << 24);
    let base: Vec<Term> = unknowns.map(|unknown| terms.ult(unknown, limit)).into();
    let product = terms.mul(x, y);
    let mut goals = Vec::new();
    for (value, bound) in [
        (35, 16),
        (1_001, 64),
        (65_535, 512),
        (87_178_291_199, 1 << 22),
    ] {
        let (number, bound, one) = (terms.word(value), terms.word(bound), terms.word(1));
        let factors = terms.eq(product, number);
        let proper = [x, y].map(|factor| terms.ult(one, factor));
        let small = [x, y].map(|factor| terms.ult(factor, bound));
        let between = terms.ult(x, z);
        goals.push(terms.and(&[factors, proper[0], proper[1], small[0], small[1], between]));
    }
    Puzzle {
        terms,
        unknowns,
        base,
        goals,
    }
}

/// All that can be observed of a solver's work on one goal.
type Observation = (Answer, [Option<Value>; 3], u64);

impl Puzzle {
    fn start(&self, profile: Profile) -> Solver {
        let mut solver = Solver::new(&Room::new(), profile, Limits { rlimit: 400_000 });
        for &fact in &self.base {
            solver.assert(&self.terms, fact);
        }
        solver
    }

    fn observe(&self, solver: &mut Solver, goal: usize) -> Observation {
        solver.push();
        solver.assert(&self.terms, self.goals[goal]);
        let answer = solver.check(&self.terms);
        let values = self
            .unknowns
            .map(|unknown| solver.model_value(&self.terms, unknown));
        solver.pop();
        (answer, values, solver.rlimit_used())
    }

    fn alone(&self, profile: Profile) -> Vec<Observation> {
        let mut solver = self.start(profile);
        (0..self.goals.len())
            .map(|goal| self.observe(&mut solver, goal))
            .collect()
    }
}

#[test]
fn a_solver_works_the_same_whatever_other_solvers_do() {
    let puzzle = puzzle();
    for profile in [Profile::Search, Profile::Proof] {
        let alone = puzzle.alone(profile);
        assert!(
            alone.iter().any(|(answer, ..)| *answer == Answer::Sat),
            "{alone:?}"
        );
        assert!(
            alone
                .iter()
                .any(|(answer, ..)| *answer == Answer::Unknown(Answer::RLIMIT.to_owned())),
            "{alone:?}"
        );

        // Two solvers in turns, the second a goal ahead, with a third that comes and goes.
        let (mut first, mut second) = (puzzle.start(profile), puzzle.start(profile));
        let mut seen = [Vec::new(), vec![puzzle.observe(&mut second, 0)]];
        for goal in 0..puzzle.goals.len() {
            seen[0].push(puzzle.observe(&mut first, goal));
            puzzle.observe(&mut puzzle.start(profile), puzzle.goals.len() - 1 - goal);
            if goal + 1 < puzzle.goals.len() {
                seen[1].push(puzzle.observe(&mut second, goal + 1));
            }
        }
        assert_eq!(seen[0], alone);
        assert_eq!(seen[1], alone);
    }
}

#[test]
fn a_solver_works_the_same_whatever_other_threads_do() {
    let puzzle = puzzle();
    let alone = puzzle.alone(Profile::Search);
    std::thread::scope(|scope| {
        let workers = [(); 3].map(|()| scope.spawn(|| puzzle.alone(Profile::Search)));
        for worker in workers {
            assert_eq!(worker.join().expect("a worker does not panic"), alone);
        }
    });
}

#[test]
fn a_question_asked_twice_is_answered_twice() {
    let puzzle = puzzle();
    let mut solver = puzzle.start(Profile::Search);
    let answers = [0, 0, 0].map(|goal| puzzle.observe(&mut solver, goal).0);
    assert_eq!(answers, [Answer::Sat, Answer::Sat, Answer::Sat]);
}

#[test]
fn solvers_of_one_room_share_no_assertion() {
    let mut terms = Terms::new();
    let x = terms.constant("x", Sort::Word);
    let five = terms.word(5);
    let (below, above) = (terms.ult(x, five), terms.ult(five, x));
    let room = Room::new();
    let mut first = Solver::new(&room, Profile::Proof, LIMITS);
    let mut second = Solver::new(&room, Profile::Search, LIMITS);
    first.assert(&terms, below);
    second.assert(&terms, above);
    assert_eq!(first.check(&terms), Answer::Sat);
    assert_eq!(second.check(&terms), Answer::Sat);
    first.assert(&terms, above);
    assert_eq!(first.check(&terms), Answer::Unsat);
    assert_eq!(second.check(&terms), Answer::Sat);
}

#[test]
fn a_room_whose_budget_is_used_up_answers_unknown() {
    let mut terms = Terms::new();
    let x = terms.constant("x", Sort::Word);
    let five = terms.word(5);
    let below = terms.ult(x, five);
    let room = Room::with_budget(1);
    let mut solver = Solver::new(&room, Profile::Search, LIMITS);
    solver.assert(&terms, below);
    solver.check(&terms);
    let used_up = Answer::Unknown(Answer::BUDGET.to_owned());
    assert_eq!(solver.check(&terms), used_up);
    let mut other = Solver::new(&room, Profile::Proof, LIMITS);
    assert_eq!(other.check(&terms), used_up);
}
