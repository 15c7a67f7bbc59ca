//! Programs, states and goals, for every test of the encodings.

use std::path::Path;

use progmp_generate::{Choices, Mix, Sizes, program_with, state_of};
use progmp_ir::{
    ArithOp, Concrete, EventKind, ExprId, ExprKind, Kind, Machine, Needs, Operand, Program, Role,
    SchedReg, SchedState, SiteId, StmtId, StmtKind, SubflowBool, SubflowInt, random, splitmix64,
};

use crate::goal::{Case, Effect, Goal, Measure, Ranking};
use crate::judge::Run;

/// How many times the usual number of programs are tried.
pub(super) fn scale() -> u64 {
    std::env::var("PROGMP_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

/// A program with the name under which a failure reports it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) program: Program,
}

impl Subject {
    /// The program of a text that is correct.
    pub(super) fn new(name: &str, text: &str) -> Self {
        let parsed = progmp_syntax::parse(name, text.as_bytes(), &[]);
        let Some(program) = parsed.program else {
            panic!("{name} is not a program: {:?}\n{text}", parsed.diagnostics);
        };
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            program,
        }
    }
}

/// The schedulers of specs/ and the cases of tests/ that are programs.
pub(super) fn written() -> Vec<Subject> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for folder in [
        "specs/schedulers",
        "tests/cases/accept",
        "tests/cases/reject",
    ] {
        let entries =
            std::fs::read_dir(root.join(folder)).expect("the folder is in the repository");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("the folder can be listed").path())
            .filter(|path| path.extension().is_some_and(|end| end == "progmp"))
            .collect();
        paths.sort();
        for path in paths {
            let bytes = std::fs::read(&path).expect("a case can be read");
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let parsed = progmp_syntax::parse(&name, &bytes, &[]);
            if let Some(program) = parsed.program {
                found.push(Subject {
                    name: format!("{folder}/{name}"),
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                    program,
                });
            }
        }
    }
    assert!(found.len() > 100, "the cases have moved: {}", found.len());
    found
}

/// A generated program.
pub(super) fn generated(seed: u64, mix: &Mix) -> Subject {
    let text = program_with(&mut Choices::from_seed(seed), mix);
    Subject::new(&format!("generated {seed}"), &text)
}

/// Programs that are mostly loops with effects that are carried from iteration to iteration.
pub(super) fn loop_mix() -> Mix {
    Mix {
        size: 26,
        block: 4,
        blocks: 3,
        depth: 2,
        lambdas: 1,
        push: 6,
        branch: 5,
        foreach: 8,
        var: 3,
        set: 7,
        set_user: 5,
        drop: 2,
        print: 0,
        void: 0,
        ret: 3,
        pop: 55,
        random: 8,
        ..Mix::default()
    }
}

/// A state for a program, within these sizes. Every other one varies also what only properties
/// read: flags, windows.
pub(super) fn state(seed: u64, needs: &Needs, subflows: usize, packets: usize) -> SchedState {
    let sizes = Sizes { subflows, packets };
    let choices = &mut Choices::from_seed(seed);
    if choices.percent(50) {
        return state_of(choices, needs, sizes);
    }
    let mut state = state_of(choices, needs, sizes);
    for subflow in &mut state.subflows {
        for &property in SubflowBool::ALL {
            if !needs.reads_subflow_bool(property) {
                *subflow.flag_mut(property) = choices.percent(35);
            }
        }
        if !needs.reads_subflow_int(SubflowInt::Cwnd) {
            let full = subflow.skbs_in_flight + subflow.queued;
            subflow.cwnd = (full + choices.below(2)).min((1 << 32) - 1);
        }
    }
    state.check().expect("flags and windows may have any value");
    state
}

/// So many states for a program.
pub(super) fn states(program: &Program, count: u64, seed: u64) -> Vec<SchedState> {
    let needs = Needs::of(program);
    (0..count)
        .map(|number| state(seed ^ (number << 32), &needs, 3, 4))
        .collect()
}

/// So many consecutive executions with nothing carried out between them, and the seed of each.
pub(super) fn concrete_runs(
    program: &Program,
    state: &SchedState,
    count: usize,
) -> (Vec<Run<Concrete>>, Vec<u64>, SchedState) {
    let mut state = state.clone();
    let mut runs = Vec::new();
    let mut seeds = Vec::new();
    for _ in 0..count {
        let mut domain = Concrete::new(state.clone());
        let before = domain.initial();
        let mut machine = Machine::new(program, before.clone());
        machine.execute(&mut domain);
        seeds.push(state.seed);
        state.registers = machine.state.registers;
        for (subflow, user) in state.subflows.iter_mut().zip(machine.state.users.iter()) {
            subflow.user = *user;
        }
        state.seed = splitmix64(state.seed);
        runs.push(Run {
            before,
            after: machine.state,
            log: machine.log,
        });
    }
    (runs, seeds, state)
}

/// The value of RANDOM under enclosing elements of a state, by position.
pub(super) fn random_value(
    state: &SchedState,
    seed: u64,
    site: SiteId,
    scope: &[(Kind, usize)],
) -> u64 {
    let name = |&(kind, i): &(Kind, usize)| match kind {
        Kind::Subflow => state.subflows[i].id,
        Kind::Packet => state.packets[i].seq,
    };
    random(seed, site, scope.iter().map(name))
}

/// Every goal that can be asked of the program: each place, each fixed one, rankings.
pub(super) fn goals(program: &Program) -> Vec<Goal> {
    let mut goals = fixed_goals();
    for (i, expr) in program.exprs.iter().enumerate() {
        expression_goals(&expr.kind, ExprId::new(i), &mut goals);
    }
    for stmt in program.statements() {
        statement_goals(&stmt.kind, stmt.id, &mut goals);
    }
    let mut cases: Vec<Case> = vec![None];
    for stmt in &program.body {
        if let StmtKind::If { .. } = stmt.kind {
            goals.push(Goal::Switches { at: stmt.id });
            cases.extend([Some((stmt.id, true)), Some((stmt.id, false))]);
        }
    }
    cases.truncate(5);
    let measures = measures(program);
    for &case in &cases {
        for executions in 1..=3 {
            goals.push(Goal::KeepsChanging { executions, case });
        }
        ranking_goals(case, &measures, &mut goals);
    }
    let lambdas = program.exprs.iter().filter_map(|e| match e.kind {
        ExprKind::Filter(list, lambda) if program.list_kind(list) == Kind::Subflow => Some(lambda),
        _ => None,
    });
    // A predicate that stands alone: the only variable it reads is its own.
    let closed = lambdas.filter(|lambda| only_reads(program, lambda.body, lambda.param));
    goals.extend(closed.take(2).map(Goal::Ignores));
    goals
}

fn only_reads(program: &Program, body: ExprId, param: progmp_ir::VarId) -> bool {
    let kind = &program.expr(body).kind;
    match kind {
        ExprKind::Var(var) => *var == param,
        // Lists and RANDOM depend on the moment, a predicate of a requirement does not.
        ExprKind::Queue(_) | ExprKind::Subflows | ExprKind::Random(_) => false,
        _ => kind
            .children()
            .into_iter()
            .all(|child| only_reads(program, child, param)),
    }
}

fn fixed_goals() -> Vec<Goal> {
    let mut goals = vec![
        Goal::TakesReinjection,
        Goal::PushesTwice,
        Goal::PushesMoreThan(1),
        Goal::PushesMoreThan(2),
        Goal::PushesUnpopped,
        Goal::PassesOver,
        Goal::UsesSubflowTwice,
        Goal::UsesBackup,
        Goal::ActsIdly,
        Goal::ChangesIdly,
    ];
    for reinjections_too in [false, true] {
        goals.extend([
            Goal::PushesSent { reinjections_too },
            Goal::KeepsPushed { reinjections_too },
            Goal::LeavesWork { reinjections_too },
        ]);
    }
    goals.extend((1..=3).map(|executions| Goal::Lasso { executions }));
    goals
}

fn expression_goals(kind: &ExprKind, at: ExprId, goals: &mut Vec<Goal>) {
    match kind {
        ExprKind::SubflowInt(..)
        | ExprKind::SubflowBool(..)
        | ExprKind::HasWindowFor { .. }
        | ExprKind::PacketInt(..)
        | ExprKind::Psh(_)
        | ExprKind::SentOn { .. }
        | ExprKind::SentOnAll(_) => {
            goals.extend([true, false].map(|null| Goal::Read { at, null }));
        }
        ExprKind::Arith(ArithOp::Div | ArithOp::Rem, ..) => goals.push(Goal::DividesByZero { at }),
        ExprKind::Arith(..) | ExprKind::Sum(..) => goals.push(Goal::Wraps { at }),
        ExprKind::Get { .. } => goals.push(Goal::OutOfRange { at }),
        _ => {}
    }
}

fn statement_goals(kind: &StmtKind, at: StmtId, goals: &mut Vec<Goal>) {
    let mut receiver = |role| {
        goals.extend([true, false].map(|null| Goal::Receiver { at, role, null }));
    };
    match kind {
        StmtKind::If { .. } => {
            goals.extend([true, false].map(|taken| Goal::Happens(Effect::Branch { at, taken })));
        }
        StmtKind::Push { packet, .. } => {
            receiver(Role::Target);
            receiver(Role::Packet);
            goals.push(Goal::Happens(Effect::Push { at }));
            if let Operand::Pop { .. } = packet {
                goals.push(Goal::Lost { at });
            }
        }
        StmtKind::Drop { packet } => {
            receiver(Role::Packet);
            goals.extend([Goal::Unlicensed { at }, Goal::Happens(Effect::Drop { at })]);
            if let Operand::Pop { .. } = packet {
                goals.push(Goal::Lost { at });
            }
        }
        StmtKind::Let {
            init: Operand::Pop { .. },
            ..
        } => goals.push(Goal::Lost { at }),
        StmtKind::Set { .. } => {
            goals.extend([Goal::StoresNull { at }, Goal::Happens(Effect::Write { at })]);
        }
        StmtKind::SetUser { .. } => {
            receiver(Role::Target);
            goals.extend([Goal::StoresNull { at }, Goal::Happens(Effect::Write { at })]);
        }
        _ => {}
    }
}

/// Measures that the search for a ranking may choose.
fn measures(program: &Program) -> Vec<Measure> {
    let needs = Needs::of(program);
    let mut found: Vec<Measure> = SchedReg::all()
        .filter(|&reg| needs.writes_register(reg))
        .map(Measure::Register)
        .collect();
    if needs.writes_user() {
        found.extend([false, true].map(|equal| Measure::Users { value: 0, equal }));
    }
    for stmt in &program.body {
        let StmtKind::If { cond, .. } = stmt.kind else {
            continue;
        };
        let ExprKind::Order(_, a, b) = program.expr(cond).kind else {
            continue;
        };
        // Where it stands first it is compared in every execution.
        if let ExprKind::Register(reg) = program.expr(a).kind
            && matches!(program.expr(b).kind, ExprKind::Int(_) | ExprKind::Time)
            && stmt.id == program.body[0].id
        {
            found.extend([
                Measure::Below { at: cond, reg },
                Measure::Above { at: cond, reg },
            ]);
        }
    }
    found.truncate(5);
    found
}

fn ranking_goals(case: Case, measures: &[Measure], goals: &mut Vec<Goal>) {
    let none: Ranking = [None; 4];
    for ranking in [none, [measures.first().copied(), None, None, None]] {
        goals.push(Goal::Unranked { ranking, case });
        goals.push(Goal::Resumes { ranking, case });
    }
    for (i, &measure) in measures.iter().enumerate() {
        let ranking = [Some(measure), None, None, None];
        let earlier = [measures.get(i + 1).copied(), None, None, None];
        goals.extend([
            Goal::Unranked { ranking, case },
            Goal::Grows {
                ranking: none,
                case,
                measure,
            },
            Goal::Grows {
                ranking: earlier,
                case,
                measure,
            },
            Goal::ShrinksLess {
                ranking: none,
                case,
                measure,
                step: 2,
            },
            Goal::NotHalved {
                ranking: none,
                case,
                measure,
            },
            Goal::StaysAbove {
                ranking: none,
                case,
                measure,
                most: 3,
            },
            Goal::StartsAbove { measure, least: 3 },
        ]);
    }
}

/// The kind of a goal, so that tests can tell which kinds they have seen. Who adds a goal
/// adds it here and to [`goals`].
pub(super) const fn family(goal: Goal) -> &'static str {
    match goal {
        Goal::Lost { .. } => "Lost",
        Goal::Unlicensed { .. } => "Unlicensed",
        Goal::Read { null: true, .. } => "Read of NULL",
        Goal::Read { null: false, .. } => "Read of a reference",
        Goal::Receiver { null: true, .. } => "Receiver is NULL",
        Goal::Receiver { null: false, .. } => "Receiver is a reference",
        Goal::StoresNull { .. } => "StoresNull",
        Goal::DividesByZero { .. } => "DividesByZero",
        Goal::Wraps { .. } => "Wraps",
        Goal::OutOfRange { .. } => "OutOfRange",
        Goal::Happens(Effect::Branch { .. }) => "Happens: branch",
        Goal::Happens(Effect::Push { .. }) => "Happens: PUSH",
        Goal::Happens(Effect::Drop { .. }) => "Happens: DROP",
        Goal::Happens(Effect::Write { .. }) => "Happens: SET",
        Goal::TakesReinjection => "TakesReinjection",
        Goal::PushesTwice => "PushesTwice",
        Goal::PushesMoreThan(_) => "PushesMoreThan",
        Goal::PushesUnpopped => "PushesUnpopped",
        Goal::PushesSent { .. } => "PushesSent",
        Goal::KeepsPushed { .. } => "KeepsPushed",
        Goal::PassesOver => "PassesOver",
        Goal::UsesSubflowTwice => "UsesSubflowTwice",
        Goal::LeavesWork { .. } => "LeavesWork",
        Goal::UsesBackup => "UsesBackup",
        Goal::Ignores(_) => "Ignores",
        Goal::ActsIdly => "ActsIdly",
        Goal::ChangesIdly => "ChangesIdly",
        Goal::KeepsChanging { .. } => "KeepsChanging",
        Goal::Unranked { .. } => "Unranked",
        Goal::Grows { .. } => "Grows",
        Goal::ShrinksLess { .. } => "ShrinksLess",
        Goal::NotHalved { .. } => "NotHalved",
        Goal::StaysAbove { .. } => "StaysAbove",
        Goal::Resumes { .. } => "Resumes",
        Goal::Switches { .. } => "Switches",
        Goal::Lasso { .. } => "Lasso",
        Goal::StartsAbove { .. } => "StartsAbove",
    }
}

/// Every value of [`family`].
pub(super) const FAMILIES: usize = 37;

/// What kind of event it is and where, without what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    kind: u8,
    at: usize,
    extra: usize,
}

impl Label {
    pub(super) const fn of<D: progmp_ir::Domain>(kind: &EventKind<D>) -> Self {
        let (kind, at, extra) = match kind {
            EventKind::Read { at, .. } => (0, at.index(), 0),
            EventKind::Receiver { at, role, .. } => (1, at.index(), *role as usize),
            EventKind::NullValue { at, .. } => (2, at.index(), 0),
            EventKind::Divide { at, .. } => (3, at.index(), 0),
            EventKind::Wrap { at, .. } => (4, at.index(), 0),
            EventKind::Index { at, .. } => (5, at.index(), 0),
            EventKind::Compare { at, reg, .. } => (6, at.index(), reg.index()),
            EventKind::Branch { at, taken } => (7, at.index(), *taken as usize),
            EventKind::Iterate { at } => (8, at.index(), 0),
            EventKind::Let { at, .. } => (9, at.index(), 0),
            EventKind::Pop { at, queue, .. } => (10, at.index(), *queue as usize),
            EventKind::Push { at, .. } => (11, at.index(), 0),
            EventKind::Drop { at, .. } => (12, at.index(), 0),
            EventKind::Set { at, reg, .. } => (13, at.index(), reg.index()),
            EventKind::SetUser { at, .. } => (14, at.index(), 0),
            EventKind::Print { at, .. } => (15, at.index(), 0),
            EventKind::Return { at } => (16, at.index(), 0),
        };
        Self { kind, at, extra }
    }
}
