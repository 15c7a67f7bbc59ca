//! Compiled schedulers beside the same schedulers by hand in C, in one run.
//!
//! In: nothing; `specs/schedulers` and `baselines.c`, compiled here by gcc and by clang. Out: a
//! table on standard output. All variants of a scheduler get the same blocks, must decide alike on
//! them, and are measured in turns, on one processor. One round calls a program 2,048 times and more,
//! each time on a block as it was at first, either the same one (hot) or the next of 2,048 (varied);
//! what a program that does nothing takes is subtracted. Medians.
//!
//! Needs `CAP_BPF` (else it says so and measures nothing), gcc, clang and llvm-objcopy; `CLANG` and
//! `GCC` name others.

mod burst;
mod native;
mod scenario;
mod states;
mod wrapped;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use native::Tools;
use progmp_codegen_ebpf::{Code, Loops, Options, compile};
use progmp_hosts::{Image, Interpreter, Kernel, Mode, Refusal};
use progmp_ir::{Program, SchedState};
use states::States;
use wrapped::Wrapped;

/// Calls of one round of the kernel.
const CALLS: u32 = 2_048;
/// States that the varied runs go around.
const STATES: u64 = 2_048;
/// Rounds.
const ROUNDS: usize = 21;

/// Of the states that are gone around, each so many is looked at before the times are taken.
const CHECKED: usize = 16;

/// Scheduler and the name of its section in `baselines.c`.
const SCHEDULERS: [(&str, &str); 6] = [
    ("default", "min_rtt"),
    ("round_robin", "round_robin"),
    ("tap", "tap"),
    ("compensating", "compensating"),
    ("opportunistic_redundant", "opportunistic_redundant"),
    ("redundant", "redundant"),
];

/// What the kernel and the code generator say of one program.
struct Facts {
    slots: usize,
    stack: usize,
    walked: u32,
    load_ms: f64,
    compile_ms: f64,
}

/// Nanoseconds of one call, by variant.
type Times = BTreeMap<&'static str, Vec<f64>>;

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    // What is started from here stays on this processor, too.
    let last = core_affinity::get_core_ids().and_then(|cores| cores.last().copied());
    if !last.is_some_and(core_affinity::set_for_current) {
        eprintln!("note: the scheduler of this machine chooses the processor");
    }
    let wanted = std::env::args().nth(1);
    let result = match wanted.as_deref() {
        None => bench(folder),
        Some("burst") => bursts(folder),
        Some(other) => Err(format!(
            "`{other}` is no benchmark: there is `burst`, or all others"
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn bench(folder: &Path) -> Result<(), String> {
    let tools = Tools::build(folder)?;
    // A line at a time: the whole takes some minutes.
    println!(
        "scheduler                insns stack walked load ms compile ms | state    n  steps |   ours  clang8     gcc   clang | /clang8 /native | total: ours clang8   gcc clang"
    );
    for (name, section) in SCHEDULERS {
        let program = parsed(folder, name)?;
        let (code, facts) = compiled(&program)?;
        for subflows in [2, 4, 8] {
            let hot = vec![scenario::hot(name, subflows)];
            let varied = (0..STATES).map(|number| scenario::varied(name, subflows, number));
            for (kind, states) in [("hot", hot), ("varied", varied.collect())] {
                let steps = steps(&code, &states)?;
                let states = States::new(&program, &states)?;
                let times = measured(&tools, &code, (name, section), &states)?;
                print!("{}", row(name, &facts, (kind, subflows, steps), &times));
            }
        }
    }
    Ok(())
}

/// A burst of packets, compressed and not.
fn bursts(folder: &Path) -> Result<(), String> {
    println!("ns a packet             | executions, source | compressed   | ratio");
    for name in burst::SCHEDULERS {
        let program = parsed(folder, name)?;
        print!("{}", burst::row(name, &program)?);
    }
    Ok(())
}

fn parsed(folder: &Path, name: &str) -> Result<Program, String> {
    let path = folder.join(format!("../../specs/schedulers/{name}.progmp"));
    let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let parsed = progmp_syntax::parse(name, &text, &[]);
    parsed
        .program
        .ok_or_else(|| "a corpus scheduler has a mistake".to_owned())
}

/// Compiles and loads as users do.
fn compiled(program: &Program) -> Result<(Code, Facts), String> {
    let options = Options {
        loops: Loops::MayGoto,
    };
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..9 {
        let started = Instant::now();
        last = Some(compile(program, &options).map_err(|error| error.to_string())?);
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let code = last.expect("it was compiled nine times");
    let image = Image::new(progmp_codegen_ebpf::object::bytecode(&code.body()));
    let mut loads = Vec::new();
    let mut walked = 0;
    for _ in 0..9 {
        let loaded = prepared(Mode::Syscall, &image)?;
        loads.push(loaded.statistics().load_time.as_secs_f64() * 1e3);
        walked = loaded.statistics().walked;
    }
    let facts = Facts {
        slots: image.code.len() / 8,
        stack: code.stack_bytes,
        walked,
        load_ms: median(&mut loads),
        compile_ms: median(&mut times),
    };
    Ok((code, facts))
}

/// Instructions that our code executes, on average: free of noise.
fn steps(code: &Code, states: &[SchedState]) -> Result<u64, String> {
    let image = Image::new(progmp_codegen_ebpf::object::bytecode(&code.body()));
    let prepared = Interpreter::default().prepare(&image);
    let prepared = prepared.map_err(|error| error.to_string())?;
    let mut sum = 0;
    for state in states {
        let filled = progmp_abi::fill(state).map_err(|error| error.to_string())?;
        let mut block = filled.block.bytes().to_vec();
        let halt = prepared.count(&mut block);
        sum += halt.map_err(|error| error.to_string())?.executed;
    }
    Ok(sum / states.len() as u64)
}

fn prepared(mode: Mode, image: &Image) -> Result<progmp_hosts::Program, String> {
    Kernel { mode }
        .prepare(image)
        .map_err(|refusal| match refusal {
            Refusal::Kernel { why, log } => {
                let end: Vec<&str> = log.lines().rev().take(12).collect();
                let end: Vec<&str> = end.into_iter().rev().collect();
                format!("the kernel refuses a program: {why}\n{}", end.join("\n"))
            }
            other => other.to_string(),
        })
}

/// All variants, in turns.
fn measured(
    tools: &Tools,
    code: &Code,
    (name, section): (&str, &str),
    states: &States,
) -> Result<Times, String> {
    let empty = Wrapped::load(&tools.section("empty")?, states)?;
    let mut ebpf = vec![("empty", empty), ("ours", Wrapped::of(code, states)?)];
    // Some of clang's code the kernel refuses, for 8 subflows too.
    if let Ok(clang) = Wrapped::load(&tools.section(section)?, states) {
        ebpf.push(("clang8", clang));
    }
    for (variant, wrapped) in &mut ebpf[1..] {
        for number in (0..states.len()).step_by(CHECKED) {
            let after = wrapped.once(states, number)?;
            states.check(number, &after, &format!("{name}, {variant}"))?;
        }
    }
    let mut times = Times::new();
    for round in 0..ROUNDS {
        for (variant, wrapped) in &mut ebpf {
            let ns = wrapped.time(states)?;
            times.entry(variant).or_default().push(ns);
        }
        for compiler in ["gcc", "clang"] {
            for (what, variant) in [("empty", "empty of"), (name, "")] {
                let (ns, after) = tools.native(compiler, what, states)?;
                if what == name && round == 0 {
                    states.check(0, &after, &format!("{name}, {compiler}"))?;
                }
                let key = match (compiler, variant.is_empty()) {
                    ("gcc", true) => "gcc",
                    ("gcc", false) => "gcc empty",
                    (_, true) => "clang",
                    (_, false) => "clang empty",
                };
                times.entry(key).or_default().push(ns);
            }
        }
    }
    Ok(times)
}

fn row(
    name: &str,
    facts: &Facts,
    (kind, subflows, steps): (&str, u64, u64),
    times: &Times,
) -> String {
    let total = |variant: &str| median(&mut times[variant].clone());
    let net = |variant: &str, empty: &str| total(variant) - total(empty);
    let ours = net("ours", "empty");
    let clang8 = if times.contains_key("clang8") {
        net("clang8", "empty")
    } else {
        f64::NAN
    };
    let (gcc, clang) = (net("gcc", "gcc empty"), net("clang", "clang empty"));
    format!(
        "{name:24} {:5} {:5} {:6} {:7.2} {:10.2} | {kind:6} {subflows:3} {steps:6} | {ours:6.1}  {clang8:6.1}  {gcc:6.1}  {clang:6.1} | {:7.2} {:7.2} | {:11.1} {:6.1} {:5.1} {:5.1}\n",
        facts.slots,
        facts.stack,
        facts.walked,
        facts.load_ms,
        facts.compile_ms,
        ours / clang8,
        ours / gcc.min(clang),
        total("ours"),
        clang8 + total("empty"),
        total("gcc"),
        total("clang"),
    )
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
