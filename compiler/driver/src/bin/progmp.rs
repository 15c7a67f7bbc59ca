//! `progmp`: everything that can be done with a scheduler before it runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    progmp_driver::commands::progmp().into()
}
