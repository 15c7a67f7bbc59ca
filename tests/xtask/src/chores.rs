//! `setup`, `verify`, `test-all` and `prove`: each first sees to what it needs.
//!
//! In: the checkout and the rest of the command line. Out: a set-up tree, and the exit code of
//! the command that a chore ends with, unchanged.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::fetch::{CVC5, Fetched, Package, Source, Z3, fetch};
use crate::{Checkout, EXIT_OURS, Failure};

/// Arguments of cargo that name the verifier's command line, as a user wants it.
const VERIFIER: [&str; 5] = [
    "--release",
    "--package",
    "progmp-driver",
    "--bin",
    "progmp-verify",
];

/// Fetches what the build needs, and with `all` what the slow checks need too.
pub(crate) fn setup(checkout: &Checkout, all: bool, source: &Source) -> Result<(), Failure> {
    let packages: &[Package] = if all { &[Z3, CVC5] } else { &[Z3] };
    for package in packages {
        let version = package.version();
        match fetch(&checkout.deps(), package, source, Path::new("python3"))? {
            Fetched::Already => println!("{version} is there; nothing to do"),
            Fetched::Now => println!("{version} is ready in .deps/{}", package.name),
        }
    }
    Ok(())
}

/// Runs `progmp-verify` with these arguments; its exit code becomes ours.
pub(crate) fn verify(checkout: &Checkout, arguments: &[String]) -> Result<(), Failure> {
    fetch(&checkout.deps(), &Z3, &Source::Index, Path::new("python3"))?;
    let mut build = checkout.cargo();
    build.arg("build").args(VERIFIER);
    if is_built() {
        // The long first build shows its progress; a later one only its mistakes.
        build.arg("--quiet");
    }
    step(&mut build).map_err(|_| Failure::Exited(EXIT_OURS))?;
    let mut verifier = checkout.cargo();
    verifier
        .args(["run", "--quiet"])
        .args(VERIFIER)
        .arg("--")
        .args(arguments);
    // On success this process becomes the verifier, signals and exit code included.
    let error = verifier.exec();
    Err(Failure::NotStarted {
        program: "cargo run".to_owned(),
        error,
    })
}

/// Runs everything that `main` must pass.
pub(crate) fn test_all(checkout: &Checkout) -> Result<(), Failure> {
    fetch(&checkout.deps(), &Z3, &Source::Index, Path::new("python3"))?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    step(checkout.at_root().args(clippy))?;
    let doc = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    step(
        checkout
            .at_root()
            .args(doc)
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    step(
        checkout
            .at_root()
            .args(["test", "--workspace", "--no-fail-fast"]),
    )
}

/// Proves the rules and the corpus and writes their ledgers; the tests that compare them know how.
pub(crate) fn prove(checkout: &Checkout) -> Result<(), Failure> {
    fetch(&checkout.deps(), &Z3, &Source::Index, Path::new("python3"))?;
    let rules = ["test", "--package", "progmp-verifier", "--lib", "rules::"];
    step(checkout.at_root().args(rules).env("UPDATE_EXPECT", "1"))?;
    let ledger = ["test", "--package", "progmp-driver", "--test", "ledger"];
    step(checkout.at_root().args(ledger).env("UPDATE_EXPECT", "1"))
}

impl Checkout {
    /// A command of the cargo that runs us, in the caller's folder, so that files keep their names.
    fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        // What cargo tells its child about this crate is not true of the next one.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// The same, at the root of the checkout.
    fn at_root(&self) -> Command {
        let mut command = self.cargo();
        command.current_dir(&self.root);
        command
    }
}

/// Whether a verifier stands beside us in the target folder, of this source or an earlier one.
fn is_built() -> bool {
    // This program is `<target>/debug/progmp-xtask`.
    let target = std::env::current_exe()
        .ok()
        .and_then(|us| Some(us.parent()?.parent()?.to_owned()));
    target.is_some_and(|target| target.join("release/progmp-verify").exists())
}

/// Runs a command to its end.
pub(crate) fn step(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| Failure::NotStarted {
        program: command.get_program().to_string_lossy().into_owned(),
        error,
    })?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Exited(u8::try_from(code).unwrap_or(EXIT_OURS))),
        // Ended by a signal.
        None => Err(Failure::Exited(EXIT_OURS)),
    }
}
