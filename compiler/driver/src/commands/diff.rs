//! `progmp diff`: compiled code against the reference interpreter, on every engine.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use progmp_codegen_ebpf::Loops;
use progmp_generate::{Choices, Mix, program_with};
use progmp_ir::{Needs, SchedState};

use super::compile::Form;
use super::{failed, mistakes, printed, run};
use crate::diff::{self, Case, Difference, Subject, Tally};
use crate::exit::Exit;
use crate::files;
use crate::isolate::{Fault, in_order, isolated};
use crate::pipeline::load;

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Schedulers; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "generate")]
    files: Vec<String>,
    /// Random programs, so many
    #[arg(long, value_name = "NUMBER")]
    generate: Option<u64>,
    /// Random states for each program
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    states: u64,
    /// Where random programs and states begin
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Only this state (specs/state.md)
    #[arg(long, value_name = "STATE.json", conflicts_with = "states")]
    state: Option<String>,
    /// How loops are written [default: both forms]
    #[arg(long, value_enum, value_name = "FORM")]
    loops: Option<Form>,
    /// Write each difference as a case into this folder
    #[arg(long, value_name = "DIR", default_value = "progmp-diff")]
    cases: PathBuf,
    /// Fail if fewer pairs of a program and a state are compared
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    require_pairs: u64,
    /// Fail if fewer pairs are compared on the kernel's JIT
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    require_kernel_pairs: u64,
    /// Programs worked on at the same time [default: one per processor]
    #[arg(long, short, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
}

/// Differences that are made small; the rest is only counted.
const CASES: usize = 10;

/// A program to compare, and what to call it.
struct Item {
    name: String,
    source: String,
    /// The seed of its states.
    seed: u64,
}

/// What became of it.
struct Done {
    tally: Tally,
    case: Option<Case>,
}

/// Runs the command. A difference is a fault of ours.
pub fn diff(args: &Args) -> Exit {
    let state = match args.state.as_deref().map(run::state).transpose() {
        Ok(state) => state,
        Err(why) => return failed(&why),
    };
    if let Some(Err(why)) = state.as_ref().map(progmp_abi::fill) {
        return failed(&format!(
            "the state cannot be shown to a compiled scheduler: {why}"
        ));
    }
    let items = match items(args) {
        Ok(items) => items,
        Err(exit) => return exit,
    };
    let mut tally = Tally::default();
    let mut cases = Vec::new();
    let mut faults = Vec::new();
    let jobs = args
        .jobs
        .or_else(|| std::thread::available_parallelism().ok());
    let forms = args.loops.map_or_else(
        || vec![Loops::MayGoto, Loops::Bounded],
        |form| vec![form.options().loops],
    );
    let work = |item: &Item| compare(item, state.as_ref(), args.states, &forms);
    in_order(
        &items,
        jobs.map_or(1, NonZeroUsize::get),
        work,
        |item, done| match done {
            Ok(done) => {
                tally.add(done.tally);
                cases.extend(done.case.map(|case| (item.name.clone(), case)));
            }
            Err(fault) => faults.push((item.name.clone(), broken(item, &fault))),
        },
    );
    let mut text = tally.text();
    let mut exit = Exit::Accepted;
    let mut names = BTreeSet::new();
    for (name, case) in &faults {
        exit = exit.and(Exit::Fault);
        text.push_str(&written(name, case, &args.cases, &mut names));
    }
    let refused = cases
        .iter()
        .filter(|(_, case)| case.state.is_none())
        .count();
    let _ = writeln!(
        text,
        "{} programs break the compiler, {refused} are refused by the kernel, {} decide otherwise",
        faults.len(),
        cases.len() - refused
    );
    for (place, (name, case)) in cases.into_iter().enumerate() {
        exit = exit.and(Exit::Fault);
        let case = if place < CASES {
            small(case, &forms)
        } else {
            case
        };
        text.push_str(&written(&name, &case, &args.cases, &mut names));
    }
    if tally.total() == 0 && exit == Exit::Accepted {
        exit = failed(
            "nothing was compared: no engine takes a program, or the state shows more packets than \
             the form of loops carries (64 in the bounded form)",
        );
    }
    for (found, wanted, which) in [
        (tally.total(), args.require_pairs, "pairs"),
        (
            tally.on_kernel(),
            args.require_kernel_pairs,
            "pairs on the kernel's JIT",
        ),
    ] {
        if found < wanted {
            exit = exit.and(failed(&format!(
                "{found} {which}, at least {wanted} required"
            )));
        }
    }
    printed(&text, exit)
}

/// The programs of the command line.
fn items(args: &Args) -> Result<Vec<Item>, Exit> {
    let mut items = Vec::new();
    let mut exit = Exit::Accepted;
    for file in &args.files {
        let loaded = load(file, &[]);
        files::complain(&mistakes(&loaded));
        if loaded.program.is_none() {
            exit = exit.and(Exit::BadInput);
            continue;
        }
        items.push(Item {
            name: loaded.name,
            source: loaded.source.text,
            seed: args.seed,
        });
    }
    for number in 0..args.generate.unwrap_or(0) {
        let seed = progmp_ir::splitmix64(args.seed) ^ number;
        // Every third program is small: its states matter more.
        let mix = if number % 3 == 0 {
            Mix::small()
        } else {
            Mix::default()
        };
        items.push(Item {
            name: format!("generated-{}-{number}", args.seed),
            source: program_with(&mut Choices::from_seed(seed), &mix),
            seed,
        });
    }
    if exit == Exit::Accepted {
        Ok(items)
    } else {
        Err(exit)
    }
}

/// Compares one program in the given state, or in so many.
fn compare(item: &Item, state: Option<&SchedState>, states: u64, forms: &[Loops]) -> Done {
    let mut tally = Tally::default();
    let program = diff::parsed(&item.source).expect("the source was read before");
    let needs = Needs::of(&program);
    let mut subject = Subject::new(program, forms);
    tally.program(subject.program(), &subject.troubles);
    let case = |state: Option<&SchedState>, difference| Case {
        source: item.source.clone(),
        state: state.cloned(),
        difference,
    };
    if let Some(difference) = subject.refused.take() {
        let case = Some(case(None, difference));
        return Done { tally, case };
    }
    let mut one = |state: &SchedState| {
        let found = subject.compare(state, |engine, acts| tally.pair(engine, acts));
        found.err().map(|difference| case(Some(state), difference))
    };
    let found = match state {
        Some(state) => one(state),
        None => (0..states).find_map(|number| one(&diff::state(item.seed, number, &needs))),
    };
    Done { tally, case: found }
}

/// A case from which nothing more can be taken away.
fn small(case: Case, forms: &[Loops]) -> Case {
    let engine = case.difference.engine;
    diff::shrink(case, &mut |source, state| {
        let found = isolated(|| {
            let mut subject = Subject::new(diff::parsed(source)?, forms);
            match (subject.refused.take(), state) {
                (Some(refused), None) => Some(refused),
                (None, Some(state)) => subject.compare(state, |_, _| ()).err(),
                _ => None,
            }
        });
        // A panic is another fault than the one that is made small.
        let found = found.unwrap_or(None);
        found.filter(|found: &Difference| found.engine == engine)
    })
}

/// Writes a case and tells of it.
fn written(name: &str, case: &Case, folder: &Path, names: &mut BTreeSet<String>) -> String {
    let Difference { engine, what, log } = &case.difference;
    let mut text = format!("{name}: {engine}: {what}\n");
    let stem = free_stem(name, names);
    let source = format!("// {engine}: {what}\n{}", case.source);
    let mut outputs = vec![(format!("{stem}.progmp"), source)];
    if !log.is_empty() {
        outputs.push((format!("{stem}.log"), log.clone()));
    }
    outputs.extend(case.state.iter().map(|state| {
        let json = state.to_json() + "\n";
        (format!("{stem}.json"), json)
    }));
    for (file, content) in outputs {
        let path = folder.join(file);
        let result = files::create_folder(folder);
        match result.and_then(|()| files::write(&path, content.as_bytes())) {
            Ok(()) => {
                let _ = writeln!(text, "  written: {}", path.display());
            }
            Err(why) => {
                let _ = writeln!(text, "  {why}\n{content}");
            }
        }
    }
    text
}

/// A panic of ours on a program.
fn broken(item: &Item, fault: &Fault) -> Case {
    Case {
        source: item.source.clone(),
        state: None,
        difference: Difference {
            engine: "compiler",
            what: fault.report(),
            log: String::new(),
        },
    }
}

/// A name for files that was not used before.
fn free_stem(name: &str, names: &mut BTreeSet<String>) -> String {
    let stem = files::safe_stem(&crate::human::file_stem(name));
    let mut free = stem.clone();
    let mut number = 1;
    while !names.insert(free.clone()) {
        number += 1;
        free = format!("{stem}-{number}");
    }
    free
}
