//! The first process of the virtual machine, and the only one of ours.
//!
//! In: the kernel's command line, which names suites. Out: one line for each test on the second
//! serial port; then the machine goes off. Started with the argument of a test,
//! it is what that test needs as a process of its own.

mod dmesg;
mod init;
mod net;
mod shim;
mod suites;
mod transfer;

use std::process::ExitCode;

/// What a test says: a remark for the report, or why it failed.
type Verdict = Result<String, String>;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run();
    }
    if std::env::args().nth(1).as_deref() == Some(suites::errors::ELSEWHERE) {
        return match suites::errors::ask_elsewhere() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    eprintln!("progmp-guest is the first process of a virtual machine; see cargo vm");
    ExitCode::from(2)
}

/// An error with what was tried.
trait Tried<T> {
    fn tried(self, what: &str) -> Result<T, String>;
}

impl<T, E: std::fmt::Display> Tried<T> for Result<T, E> {
    fn tried(self, what: &str) -> Result<T, String> {
        self.map_err(|error| format!("{what}: {error}"))
    }
}
