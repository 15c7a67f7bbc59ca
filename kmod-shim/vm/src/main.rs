//! `cargo vm`: boots a stock kernel with the shim in a virtual machine and tells what its tests say.
//!
//! In: names of suites. Out: lines as test programs print them, and exit code 1 if a test failed.
//! The kernel and its headers are the newest of Debian's 6.12 series, fetched by apt, unpacked below
//! `target/vm` and never installed. A boot that never came up is tried once more; a test never.

mod archive;
mod build;
mod host;
mod machine;
mod objects;
mod packages;
mod report;
mod tree;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use machine::Boot;
use report::Tally;

/// Suites in the order in which they run, and how long each may take, seconds: several times what it
/// does take, as a limit only ends what hangs. The first one runs
/// outside: the objects of the image, on the kernel at hand.
const SUITES: &[(&str, u64)] = &[
    ("host", 0),
    ("builtin", 240),
    ("corpus", 600),
    ("faults", 500),
    ("lifecycle", 500),
    ("hostile", 240),
    ("decisions", 800),
    ("command", 500),
    ("python", 240),
];
/// What `--speed` runs, and how often.
const SPEED: (&str, u64) = ("speed", 600);
const SEEDS: std::ops::RangeInclusive<u32> = 1..=5;

const HELP: &str = "\
usage: cargo vm [--kernel SERIES] [--without-module] [SUITE[::TEST]... | --speed | --list]

Runs suites in a virtual machine with a stock kernel; all of them if none is named.
  --kernel SERIES   the series of kernels to take the newest of (6.12)
  --without-module  do not build the module: enough for the suite `builtin`
  --speed           instead, count the instructions of bulk transfers, in five boots
  --list            name the suites";

/// A suite, how long it may take, and the one test of it that is wanted.
struct Wanted {
    suite: &'static str,
    seconds: u64,
    only: Option<String>,
}

/// What the command line asks for.
struct Asked {
    series: String,
    with_module: bool,
    suites: Vec<Wanted>,
    speed: bool,
}

fn asked() -> Result<Option<Asked>, String> {
    let mut asked = Asked {
        series: "6.12".to_owned(),
        with_module: true,
        suites: Vec::new(),
        speed: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            "--list" => {
                for (name, _) in SUITES {
                    println!("{name}");
                }
                return Ok(None);
            }
            "--speed" => asked.speed = true,
            "--without-module" => asked.with_module = false,
            "--kernel" => asked.series = arguments.next().ok_or("--kernel wants a series")?,
            name => {
                let (name, only) = name
                    .split_once("::")
                    .map_or((name, None), |(suite, test)| (suite, Some(test.to_owned())));
                let found = SUITES.iter().find(|(suite, _)| *suite == name);
                let &(suite, seconds) = found.ok_or_else(|| {
                    format!("there is no suite {name}; --list names them\n{HELP}")
                })?;
                asked.suites.push(Wanted {
                    suite,
                    seconds,
                    only,
                });
            }
        }
    }
    if asked.suites.is_empty() && !asked.speed {
        asked.suites = SUITES
            .iter()
            .map(|&(suite, seconds)| Wanted {
                suite,
                seconds,
                only: None,
            })
            .collect();
    }
    Ok(Some(asked))
}

fn main() -> ExitCode {
    let result = match asked() {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some(asked)) => run(&asked),
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(tally) => {
            println!("{tally}");
            if tally.failed == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(why) => {
            eprintln!("cargo vm: {why}");
            ExitCode::from(2)
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

fn run(asked: &Asked) -> Result<Tally, String> {
    let work = root().join("target").join("vm");
    fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
    // Two at once would build in one folder.
    let lock = File::create(work.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| format!("{}: {error}", work.display()))?;
    let step = |what: &str| eprintln!("cargo vm: {what}");
    step("the newest kernel, by apt");
    let kernel = packages::fetch(&work, &asked.series)?;
    println!("kernel {}", kernel.release);
    step("what the guest runs; the first build takes some minutes");
    let mut contents = tree::Contents {
        guest: build::guest(&root(), &work)?,
        shim: None,
    };
    if asked.with_module {
        step("the module, progmp, and the corpus");
        let module = build::module(&root(), &work, &kernel)?;
        let progmp = build::progmp(&root(), &work)?;
        contents.shim = Some(tree::Shim {
            module,
            schedulers: objects::corpus(&root(), &work, &progmp)?,
            progmp,
            solver: root().join(".deps/z3/lib"),
            python: root().join("kmod-shim/python"),
        });
    }
    let image = tree::image(&work, &kernel, &contents)?;
    let mut tally = Tally::default();
    for wanted in &asked.suites {
        if wanted.suite == "host" {
            let corpus = contents
                .shim
                .as_ref()
                .map_or(&[][..], |shim| &shim.schedulers);
            host::run(corpus, &mut tally);
            continue;
        }
        let boot = Boot {
            kernel: &kernel.image,
            image: &image,
            suite: wanted.suite,
            only: wanted.only.as_deref(),
            seconds: wanted.seconds,
            console: work.join(format!("{}.console", wanted.suite)),
            seed: None,
        };
        machine::run(&boot, &mut tally)?;
    }
    if asked.speed {
        for seed in SEEDS {
            let boot = Boot {
                kernel: &kernel.image,
                image: &image,
                suite: SPEED.0,
                only: None,
                seconds: SPEED.1,
                console: work.join(format!("speed-{seed}.console")),
                seed: Some(seed),
            };
            machine::run(&boot, &mut tally)?;
        }
        println!("\nmedians over {} boots", tally.remarks.len());
        print!("{}", report::medians(&tally.remarks));
    }
    Ok(tally)
}
