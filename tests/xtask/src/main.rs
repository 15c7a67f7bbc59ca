//! The chores behind the cargo aliases of `.cargo/config.toml`.
//!
//! In: a chore's name and its arguments. Out: what the chore leaves behind, and an exit code.
//! This crate depends on nothing, least of all on a solver, so that `cargo setup` builds in a
//! moment on a machine that has no Z3 yet.

mod chores;
mod fetch;
mod recheck;

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use fetch::Source;

/// What `cargo xtask` prints when it does not understand.
const USAGE: &str = "\
usage: cargo CHORE
  cargo setup [--all] [--wheels DIR]  fetch Z3 (--all: cvc5 too), or take the wheels from DIR
  cargo verify FILE...                set up, build and run progmp-verify on schedulers
  cargo test-all                      set up, then clippy, documentation and every test
  cargo prove                         prove the corpus and write proofs/ledger.toml anew
  cargo recheck [DIR]                 ask cvc5 about every exported obligation of DIR";

/// Bad input or usage.
const EXIT_USAGE: u8 = 2;
/// Nothing was judged, because something of ours could not be fetched, built or started.
const EXIT_OURS: u8 = 70;

/// Why a chore stopped.
#[derive(Debug)]
enum Failure {
    /// The command line asks for nothing that there is.
    Usage(String),
    /// A tool that the chore needs cannot be had.
    Fetch(fetch::Error),
    /// A program could not be started at all.
    NotStarted {
        program: String,
        error: std::io::Error,
    },
    /// A program ran and failed; it has said why itself.
    Exited(u8),
}

impl From<fetch::Error> for Failure {
    fn from(error: fetch::Error) -> Self {
        Self::Fetch(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(what) => write!(f, "{what}\n{USAGE}"),
            Self::Fetch(error) => error.fmt(f),
            Self::NotStarted { program, error } => write!(f, "cannot start {program}: {error}"),
            Self::Exited(code) => write!(f, "stopped with exit code {code}"),
        }
    }
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Fetch(_) | Self::NotStarted { .. } => EXIT_OURS,
            Self::Exited(code) => *code,
        }
    }
}

/// The checkout that this run of cargo belongs to.
struct Checkout {
    root: PathBuf,
    cargo: PathBuf,
}

impl Checkout {
    /// Reads what `cargo run` tells its child; the binary is of no use outside cargo.
    fn of_this_run() -> Result<Self, Failure> {
        let started_by_cargo = env::var_os("CARGO_MANIFEST_DIR").zip(env::var_os("CARGO"));
        let Some((manifest, cargo)) = started_by_cargo else {
            return Err(Failure::Usage("to be started by cargo".to_owned()));
        };
        let root = PathBuf::from(manifest).join("../..");
        let root = root.canonicalize().map_err(|error| Failure::NotStarted {
            program: "cargo xtask".to_owned(),
            error,
        })?;
        Ok(Self {
            root,
            cargo: cargo.into(),
        })
    }

    /// Where fetched tools live; git ignores it.
    fn deps(&self) -> PathBuf {
        self.root.join(".deps")
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !matches!(failure, Failure::Exited(_)) {
                eprintln!("error: {failure}");
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Prints what there is.
#[expect(clippy::unnecessary_wraps, reason = "it is one of the chores")]
fn usage() -> Result<(), Failure> {
    println!("{USAGE}");
    Ok(())
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let Some((chore, rest)) = arguments.split_first() else {
        return Err(Failure::Usage("no chore named".to_owned()));
    };
    let asks = |word: &str| matches!(word, "--help" | "-h");
    match chore.as_str() {
        // `verify` passes its arguments on.
        "help" | "--help" | "-h" => usage(),
        "setup" | "test-all" | "prove" | "recheck" if rest.iter().any(|word| asks(word)) => usage(),
        "setup" => {
            let (all, source) = setup_options(rest)?;
            chores::setup(&Checkout::of_this_run()?, all, &source)
        }
        "verify" => chores::verify(&Checkout::of_this_run()?, rest),
        "test-all" if rest.is_empty() => chores::test_all(&Checkout::of_this_run()?),
        "prove" if rest.is_empty() => chores::prove(&Checkout::of_this_run()?),
        "recheck" if rest.len() <= 1 => {
            recheck::recheck(&Checkout::of_this_run()?, rest.first().map(PathBuf::from))
        }
        "test-all" | "prove" | "recheck" => {
            Err(Failure::Usage(format!("too many arguments for {chore}")))
        }
        other => Err(Failure::Usage(format!("no chore is called {other}"))),
    }
}

fn setup_options(arguments: &[String]) -> Result<(bool, Source), Failure> {
    let (mut all, mut source) = (false, Source::Index);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--all" => all = true,
            "--wheels" => {
                let folder = arguments.next().ok_or_else(|| {
                    Failure::Usage("--wheels needs the folder that holds them".to_owned())
                })?;
                source = Source::Folder(folder.into());
            }
            other => return Err(Failure::Usage(format!("setup does not know {other}"))),
        }
    }
    Ok((all, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(arguments: &[&str]) -> u8 {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        run(&arguments).map_or_else(|failure| failure.exit_code(), |()| 0)
    }

    #[test]
    fn what_is_no_chore_is_bad_usage() {
        for line in [
            &[][..],
            &["fetch"],
            &["setup", "--fast"],
            &["setup", "--wheels"],
            &["test-all", "now"],
            &["prove", "it"],
            &["recheck", "a", "b"],
        ] {
            assert_eq!(code(line), EXIT_USAGE, "{line:?}");
        }
    }

    #[test]
    fn asking_for_help_is_no_mistake() {
        for line in [
            &["help"][..],
            &["test-all", "--help"],
            &["setup", "-h"],
            &["prove", "-h"],
        ] {
            assert_eq!(code(line), 0, "{line:?}");
        }
    }

    #[test]
    fn options_of_setup_come_in_any_order() {
        let line = ["--wheels", "w", "--all"].map(str::to_owned);
        let (all, source) = setup_options(&line).expect("both are options");
        assert!(all);
        assert!(matches!(source, Source::Folder(folder) if folder.ends_with("w")));
    }
}
