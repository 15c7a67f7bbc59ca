//! The commands that speak with the kernel module: `load`, `unload`, `list`, `status`, `set`,
//! `restore`, `trace`, `doctor`.
//!
//! In: arguments. Out: what the kernel says, at the moment when it is asked: nothing is remembered
//! between two commands. An error has a name of its own, as specs/shim.md and the crate
//! `progmp-control` list them.

mod doctor;
mod load;
mod show;
mod socket;
mod trace;

use progmp_control::Error;

use super::failed;
use crate::exit::Exit;

/// One of them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Verify a scheduler once more, compile it, and load it into the kernel
    Load(load::Args),
    /// Remove a scheduler; its connections go on with the kernel's own
    Unload(load::Name),
    /// List the schedulers that the kernel has
    List,
    /// Tell what the kernel counts, of all schedulers or of one connection
    Status(show::Args),
    /// Choose a scheduler and registers, of one connection or of all to come
    Set(socket::Args),
    /// Give every connection back to the kernel's own scheduler
    Restore,
    /// Show executions as they happen
    Trace(trace::Args),
    /// Tell what is missing on this machine, and how to get it
    Doctor(doctor::Args),
}

/// Runs one of them.
pub fn shim(command: &Command) -> Exit {
    let result = match command {
        Command::Load(args) => return load::load(args),
        Command::Doctor(args) => return doctor::doctor(args),
        Command::Trace(args) => return trace::trace(args),
        Command::Unload(args) => load::unload(args),
        Command::List => show::list(),
        Command::Status(args) => show::status(args),
        Command::Set(args) => socket::set(args),
        Command::Restore => socket::restore(),
    };
    result.unwrap_or_else(|error| told(&error))
}

/// Prints an error of the shim.
fn told(error: &Error) -> Exit {
    failed(&error.to_string())
}
