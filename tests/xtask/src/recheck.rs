//! `recheck`: a second solver's opinion on every exported obligation.
//!
//! In: a folder of SMT-LIB 2 files, each of which must be unsatisfiable. Out: the table that
//! `recheck.py` prints, and its exit code. cvc5 shares no code with Z3.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chores::step;
use crate::fetch::{CVC5, Source, fetch};
use crate::{Checkout, Failure};

/// Where obligations are looked for when no folder is named, from the root.
const OBLIGATIONS: &str = "target/obligations";

/// Asks cvc5 about every `*.smt2` file of a folder.
pub(crate) fn recheck(checkout: &Checkout, folder: Option<PathBuf>) -> Result<(), Failure> {
    let folder = folder.unwrap_or_else(|| checkout.root.join(OBLIGATIONS));
    if !folder.is_dir() {
        return Err(Failure::Usage(format!("no folder {}", folder.display())));
    }
    let python = Path::new("python3");
    fetch(&checkout.deps(), &CVC5, &Source::Index, python)?;
    let script = checkout.root.join("tests/xtask/recheck.py");
    step(
        Command::new(python)
            .arg("-B")
            .arg(script)
            .arg(folder)
            .env("PYTHONPATH", checkout.deps().join(CVC5.name)),
    )
}
