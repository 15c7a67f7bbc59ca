//! `progmp-verify`: is this scheduler fit for a connection?

use std::process::ExitCode;

fn main() -> ExitCode {
    progmp_driver::commands::progmp_verify().into()
}
